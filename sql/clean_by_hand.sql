-- each step of a recipe against the same by hand, on random dirty data with missing cells
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS dmp;
SET timezone = 'UTC';
SET datestyle = 'ISO, MDY';
DELETE FROM dmp.quarantine;
CREATE TABLE hand_rows AS SELECT i, h % 7 AS k, CASE WHEN h % 11 > 0 THEN (h / 100 % 5) END AS g,
	CASE WHEN h / 3 % 9 > 0 THEN ((h / 7 % 2000) - 1000) / 8.0::float8 END AS x, CASE WHEN h / 5 % 6 > 0 THEN (h / 11 % 500)::numeric / 10 END AS n, CASE WHEN h / 13 % 8 > 0 THEN h / 17 % 40 END AS c,
	CASE WHEN h / 19 % 7 > 0 THEN (ARRAY['a', ' a', 'b ', 'B', '', 'N/A', '7', '12', '1,5', '-3', 'é', 'c@x.org', 'C@X.org '])[1 + h / 23 % 13] END AS t,
	CASE WHEN h / 29 % 10 > 0 THEN to_char(date '2024-01-01' + h / 31 % 400, CASE WHEN h % 13 = 0 THEN 'DD Mon?' ELSE 'YYYY-MM-DD' END) END AS d
FROM (SELECT i, ((hashint4(i)::bigint + 2147483648) % 2000000000)::int AS h FROM generate_series(1, 1000) i) r;
CREATE TABLE hand (n int GENERATED ALWAYS AS IDENTITY, recipe text, by_hand text);
INSERT INTO hand (recipe, by_hand) VALUES
	('[{"trim":"t"}]', 'SELECT i, k, g, x, n, c, btrim(t) AS t, d FROM hand_rows'),
	('[{"missing":["N/A",""]}]', 'SELECT i, k, g, x, n, c, CASE WHEN t NOT IN (''N/A'', '''') THEN t END AS t, d FROM hand_rows'),
	('[{"missing":{"c":[3,7],"x":["0.0"]}}]', 'SELECT i, k, g, CASE WHEN x <> 0 THEN x END AS x, n, CASE WHEN c NOT IN (3, 7) THEN c END AS c, t, d FROM hand_rows'),
	('[{"drop_missing":["t","x"]}]', 'SELECT * FROM hand_rows WHERE t IS NOT NULL AND x IS NOT NULL'),
	('[{"cast":{"d":"date"}}]', 'SELECT i, k, g, x, n, c, t, d::date FROM hand_rows WHERE d IS NULL OR d ~ ''^\d+-\d+-\d+$'''),
	('[{"cast":{"t":"int","x":"numeric"}}]', 'SELECT i, k, g, x::numeric, n, c, t::int, d FROM hand_rows WHERE t IS NULL OR t ~ ''^ *-?\d+ *$'''),
	('[{"email":"t"}]', 'SELECT i, k, g, x, n, c, lower(btrim(t)) AS t, d FROM hand_rows WHERE t IS NULL OR t ~ ''@'''),
	('[{"email":"t","action":"missing"}]', 'SELECT i, k, g, x, n, c, CASE WHEN t ~ ''@'' THEN lower(btrim(t)) END AS t, d FROM hand_rows'),
	('[{"number":{"t":","},"action":"missing"}]', 'SELECT i, k, g, x, n, c, CASE WHEN t ~ ''^[-0-9,]+$'' THEN replace(t, '','', ''.'')::numeric END AS t, d FROM hand_rows'),
	('[{"map":{"t":{"a":"A","b ":"B","":null},"k":{"1":100}}}]', 'SELECT i, CASE k WHEN 1 THEN 100 ELSE k END AS k, g, x, n, c, CASE t WHEN ''a'' THEN ''A'' WHEN ''b '' THEN ''B'' WHEN '''' THEN NULL ELSE t END AS t, d FROM hand_rows'),
	('[{"map":{"g":{"1":10,"2":20}},"otherwise":"missing"}]', 'SELECT i, k, CASE WHEN g IN (1, 2) THEN g * 10 END AS g, x, n, c, t, d FROM hand_rows'),
	('[{"map":{"g":{"1":10,"2":20}},"otherwise":"quarantine"}]', 'SELECT i, k, g * 10 AS g, x, n, c, t, d FROM hand_rows WHERE g IS NULL OR g IN (1, 2)'),
	('[{"deduplicate":["g","t"],"keep":"last","by":"i"}]', 'SELECT DISTINCT ON (g, t COLLATE "C") * FROM hand_rows ORDER BY g, t COLLATE "C", i DESC'),
	('[{"deduplicate":["k"],"keep":"first","by":"x"}]', 'SELECT DISTINCT ON (k) * FROM hand_rows ORDER BY k, x, i'),
	('[{"select":["k","g"]},{"deduplicate":"*"}]', 'SELECT DISTINCT k, g FROM hand_rows'),
	('[{"scale":{"n":{"divide":3},"c":{"divide":4}}}]', 'SELECT i, k, g, x, n / 3 AS n, c / 4.0::float8 AS c, t, d FROM hand_rows'),
	('[{"scale":{"x":"z_score","c":"min_max"}}]', 'SELECT i, k, g, (x - avg(x) OVER ()) / stddev_pop(x) OVER () AS x, n, (c - min(c) OVER ()) / (max(c) OVER () - min(c) OVER ())::float8 AS c, t, d FROM hand_rows'),
	('[{"scale":{"x":"robust"}}]', 'SELECT i, k, g, (x - q[2]) / (q[3] - q[1]) AS x, n, c, t, d FROM hand_rows, (SELECT percentile_cont(ARRAY[0.25, 0.5, 0.75]) WITHIN GROUP (ORDER BY x) AS q FROM hand_rows) s'),
	('[{"clip":{"x":{"method":"iqr","k":0.5}}}]', 'SELECT i, k, g, CASE WHEN x IS NOT NULL THEN greatest(q[1] - 0.5 * (q[2] - q[1]), least(q[2] + 0.5 * (q[2] - q[1]), x)) END AS x, n, c, t, d FROM hand_rows, (SELECT percentile_cont(ARRAY[0.25, 0.75]) WITHIN GROUP (ORDER BY x) AS q FROM hand_rows) s'),
	('[{"clip":{"x":{"method":"mad","k":1}},"action":"missing"}]', 'SELECT i, k, g, CASE WHEN abs(x - m) <= 1.4826 * s THEN x END AS x, n, c, t, d FROM hand_rows, LATERAL (SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY x) AS m FROM hand_rows) m, LATERAL (SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY abs(x - m)) AS s FROM hand_rows) s'),
	('[{"clip":{"n":{"method":"quantile","low":0.05,"high":0.95}},"action":"quarantine"}]', 'SELECT r.* FROM hand_rows r, (SELECT percentile_cont(ARRAY[0.05, 0.95]) WITHIN GROUP (ORDER BY n::float8) AS q FROM hand_rows) s WHERE n IS NULL OR n BETWEEN q[1] AND q[2]'),
	('[{"clip":{"c":{"method":"range","low":4.5,"high":30}}}]', 'SELECT i, k, g, x, n, CASE WHEN c IS NOT NULL THEN greatest(5, least(30, c)) END AS c, t, d FROM hand_rows'),
	('[{"clip":{"x":{"method":"z_score","k":1}},"action":"quarantine"}]', 'SELECT r.* FROM hand_rows r, (SELECT avg(x) AS m, stddev_pop(x) AS s FROM hand_rows) s WHERE x IS NULL OR x BETWEEN m - s AND m + s'),
	('[{"fill":{"x":"mean","n":"median","t":"mode","c":5}}]', 'SELECT i, k, g, coalesce(x, avg(x) OVER ()) AS x, coalesce(n, (SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY n) FROM hand_rows)::numeric) AS n, coalesce(c, 5) AS c, coalesce(t, (SELECT mode() WITHIN GROUP (ORDER BY t COLLATE "C") FROM hand_rows)) AS t, d FROM hand_rows'),
	('[{"fill":{"c":{"mean_by":["g","k"]}}}]', 'SELECT i, k, g, x, n, coalesce(c, round(avg(c) OVER (PARTITION BY g, k))::int) AS c, t, d FROM hand_rows'),
	('[{"fill":{"t":{"forward":{"by":"k","order":"i"}}}}]', 'SELECT i, k, g, x, n, c, coalesce(t, (SELECT t FROM hand_rows b WHERE b.k = r.k AND b.i < r.i AND t IS NOT NULL ORDER BY i DESC LIMIT 1)) AS t, d FROM hand_rows r'),
	('[{"require":"x > -50 AND c <> 3"}]', 'SELECT * FROM hand_rows WHERE (x > -50 AND c <> 3) IS NOT FALSE'),
	('[{"derive":{"y":"x * 2 + c","x":"k / 2"}}]', 'SELECT i, k, g, k / 2 AS x, n, c, t, d, x * 2 + c AS y FROM hand_rows'),
	('[{"rename":{"x":"n","n":"x"}},{"select":["x","i","n"]}]', 'SELECT n AS x, i, x AS n FROM hand_rows'),
	('[{"trim":"t"},{"missing":["N/A",""]},{"drop_missing":"t"},{"require":"x > -100"},{"derive":{"z":"x + k"}},{"fill":{"z":"mean"}},{"clip":{"z":{"method":"range","high":100}}},{"deduplicate":["t","g"],"keep":"first","by":"i"},{"rename":{"z":"total"}},{"select":["i","t","total"]}]',
	 'WITH a AS (SELECT *, btrim(t) AS u FROM hand_rows), b AS (SELECT i, g, u AS t, x + k AS z FROM a WHERE u NOT IN (''N/A'', '''') AND (x > -100) IS NOT FALSE), c AS (SELECT i, g, t, least(coalesce(z, (SELECT avg(z) FROM b)), 100) AS total FROM b) SELECT i, t, total FROM (SELECT DISTINCT ON (t COLLATE "C", g) * FROM c ORDER BY t COLLATE "C", g, i) d');
-- rows that one has and the other has not, floats to 12 digits; rows in = rows out + rejected
CREATE FUNCTION hand_differs(a text, b text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	n bigint;
BEGIN
	EXECUTE format('WITH a AS (SELECT (SELECT jsonb_object_agg(key, CASE WHEN jsonb_typeof(value) = ''number'' THEN to_jsonb(round(value::text::numeric, 10)) ELSE value END) FROM jsonb_each(to_jsonb(a))) AS r FROM (%s) a),
		b AS (SELECT (SELECT jsonb_object_agg(key, CASE WHEN jsonb_typeof(value) = ''number'' THEN to_jsonb(round(value::text::numeric, 10)) ELSE value END) FROM jsonb_each(to_jsonb(b))) AS r FROM (%s) b)
		SELECT count(*) FROM ((TABLE a EXCEPT ALL TABLE b) UNION ALL (TABLE b EXCEPT ALL TABLE a)) d', a, b) INTO n;
	RETURN n;
END $$;
DO $$
DECLARE
	h record;
	query text;
	counts record;
	kept bigint;
	n int := 0;
BEGIN
	FOR h IN SELECT * FROM hand ORDER BY n LOOP
		FOREACH query IN ARRAY ARRAY['hand_rows', 'SELECT * FROM hand_rows'] LOOP
			SELECT min(rows_in) FILTER (WHERE first) AS rows_in, min(rows_out) AS rows_out, sum(rows_quarantined) AS rejected INTO counts
			FROM (SELECT *, row_number() OVER () = 1 AS first FROM dmp.clean(query, 'hand_out', h.recipe::json)) r;
			SELECT count(*) INTO kept FROM dmp.quarantine WHERE recipe = 'hand_out';
			n := n + 1;
			IF hand_differs('TABLE hand_out', h.by_hand) > 0 OR hand_differs(dmp.clean_sql(query, h.recipe::json), h.by_hand) > 0 THEN
				RAISE WARNING '%: % rows differ, % in the compiled SELECT', h.recipe, hand_differs('TABLE hand_out', h.by_hand), hand_differs(dmp.clean_sql(query, h.recipe::json), h.by_hand);
			END IF;
			IF counts.rows_in <> 1000 OR counts.rows_out + counts.rejected <> 1000 OR counts.rejected <> kept OR counts.rows_out <> (SELECT count(*) FROM hand_out) THEN
				RAISE WARNING '%: % in the quarantine, %', h.recipe, kept, counts;
			END IF;
			DELETE FROM dmp.quarantine;
			DROP TABLE hand_out;
		END LOOP;
	END LOOP;
	RAISE WARNING 'recipes tried: %', n;
END $$;
DROP TABLE hand, hand_rows;
DROP FUNCTION hand_differs;
RESET client_min_messages;
