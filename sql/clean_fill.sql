-- the step fill: forward, backward, by groups, by nearest neighbours
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS dmp;
RESET client_min_messages;
SET datestyle = 'ISO, MDY';

CREATE TABLE fill_events (i int, u text, at timestamptz, plan text, n int, big bigint, f float8, d date, v varchar(4), j json);
INSERT INTO fill_events
SELECT i, (ARRAY['a', 'b', 'A', NULL])[1 + i / 3 % 4], CASE WHEN i % 13 <> 0 THEN timestamptz '2024-01-01Z' + (i * 7919 % 50) * interval '1 hour' END,
	CASE WHEN i % 3 = 0 THEN 'p' || i % 5 END, CASE WHEN i % 2 = 0 THEN i % 9 END, CASE WHEN i % 5 > 0 THEN 9007199254740993 + i % 3 END,
	CASE WHEN i % 11 = 0 THEN 'NaN'::float8 WHEN i % 7 = 0 THEN 'infinity' WHEN i % 4 = 1 THEN NULL ELSE i % 10 END::float8,
	CASE WHEN i % 3 > 0 THEN date '2024-01-01' + i % 6 END, CASE WHEN i % 4 > 0 THEN 'v' || i % 3 END, '[]'::json
FROM generate_series(1, 200) i;

-- forward: the value of the row before in the order, of the same rows by; ties by the other columns
SELECT * FROM dmp.clean('fill_events', 'fill_1', '[{"fill":{"plan":{"forward":{"by":["u"],"order":"at"}},"n":{"backward":{"order":["at","i"]}}}}]');
CREATE VIEW fill_truth AS
SELECT e.i, coalesce(e.plan, (SELECT plan FROM fill_events b WHERE e.at IS NOT NULL AND b.at IS NOT NULL AND b.u IS NOT DISTINCT FROM e.u AND b.plan IS NOT NULL AND (b.at, b.i) <= (e.at, e.i) ORDER BY b.at DESC, b.i DESC LIMIT 1)) AS plan,
	coalesce(e.n, (SELECT n FROM fill_events b WHERE e.at IS NOT NULL AND b.n IS NOT NULL AND (b.at, b.i) >= (e.at, e.i) ORDER BY b.at, b.i LIMIT 1)) AS n FROM fill_events e;
SELECT count(*) FILTER (WHERE f.plan IS DISTINCT FROM t.plan) AS plan, count(*) FILTER (WHERE f.n IS DISTINCT FROM t.n) AS n, count(*) FILTER (WHERE f.plan IS NULL) AS left_missing, count(*) FROM fill_1 f JOIN fill_truth t USING (i);
-- the same with by and order beside, behind a filter, from a query
SELECT * FROM dmp.clean('SELECT * FROM fill_events', 'fill_2', '[{"require":"i <> 100"},{"fill":{"plan":"forward"},"by":"u","order":["at","i"]},{"drop_missing":"plan"}]');
SELECT count(*) AS wrong FROM fill_2 f JOIN (SELECT e.i, coalesce(e.plan, (SELECT plan FROM fill_events b WHERE e.at IS NOT NULL AND b.at IS NOT NULL AND b.i <> 100 AND b.u IS NOT DISTINCT FROM e.u AND b.plan IS NOT NULL AND (b.at, b.i) <= (e.at, e.i) ORDER BY b.at DESC, b.i DESC LIMIT 1)) AS plan FROM fill_events e) t USING (i) WHERE f.plan <> t.plan;
SELECT count(*) AS rejected, count(*) FILTER (WHERE reason ~ 'step 3') AS missing FROM dmp.quarantine WHERE recipe = 'fill_2';

-- by groups
SELECT * FROM dmp.clean('fill_events', 'fill_3', '[{"fill":{"n":{"median_by":"u"},"big":{"median_by":["u","v"]},"f":{"mean_by":"u"},"d":{"median_by":"u"},"v":{"mode_by":"u"},"plan":{"mode_by":["u"]}}}]');
SELECT count(*) FILTER (WHERE f.n IS DISTINCT FROM coalesce(e.n, round((SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY n) FROM fill_events b WHERE b.u IS NOT DISTINCT FROM e.u)::numeric))) AS n,
	count(*) FILTER (WHERE f.big IS DISTINCT FROM coalesce(e.big, (SELECT ((percentile_disc(0.5) WITHIN GROUP (ORDER BY big))::numeric + percentile_disc(0.5) WITHIN GROUP (ORDER BY big DESC)) / 2 FROM fill_events b WHERE b.u IS NOT DISTINCT FROM e.u AND b.v IS NOT DISTINCT FROM e.v)::bigint)) AS big,
	count(*) FILTER (WHERE f.f IS DISTINCT FROM coalesce(e.f, (SELECT avg(b.f) FROM fill_events b WHERE b.u IS NOT DISTINCT FROM e.u AND b.f - b.f = 0)) AND abs(f.f - (SELECT avg(b.f) FROM fill_events b WHERE b.u IS NOT DISTINCT FROM e.u AND b.f - b.f = 0)) > 1e-12) AS f,
	count(*) FILTER (WHERE f.d IS DISTINCT FROM coalesce(e.d, (SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY d) FROM fill_events b WHERE b.u IS NOT DISTINCT FROM e.u))) AS d,
	count(*) FILTER (WHERE f.v IS DISTINCT FROM coalesce(e.v, (SELECT mode() WITHIN GROUP (ORDER BY v COLLATE "C") FROM fill_events b WHERE b.u IS NOT DISTINCT FROM e.u))) AS v,
	count(*) FILTER (WHERE f.plan IS DISTINCT FROM coalesce(e.plan, (SELECT mode() WITHIN GROUP (ORDER BY plan COLLATE "C") FROM fill_events b WHERE b.u IS NOT DISTINCT FROM e.u))) AS plan,
	count(*) FILTER (WHERE f.big IS NULL) AS left_missing, count(*)
FROM fill_3 f JOIN fill_events e USING (i);
SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = 'fill_3'::regclass AND attnum > 0 ORDER BY attnum;
-- the traced form leaves rejected rows out of the groups
SELECT step, column_name, cells_changed, rows_out, rows_quarantined FROM dmp.clean('SELECT * FROM fill_events', 'fill_4', '[{"require":"n > 4"},{"fill":{"n":{"median_by":"u"},"d":{"mode_by":"u"},"f":{"knn":3,"by":"i"}}},{"require":"n > 6 AND d > ''2024-01-02''"}]');
SELECT count(*), count(*) FILTER (WHERE reason ~ 'step 3') AS later FROM dmp.quarantine WHERE recipe = 'fill_4';

-- nearest neighbours: over the coordinates both have, each by its standard deviation
CREATE TABLE fill_near AS SELECT i, CASE WHEN i % 4 > 0 THEN i * 7919 % 101 END::float8 AS y, CASE WHEN i % 17 > 0 THEN i * i * 79 % 5003 END AS a,
	CASE WHEN i % 19 = 0 THEN 'NaN' WHEN i % 23 > 0 THEN (i * i * i % 6007)::numeric / 8 END::numeric AS b, 5 AS same, NULL::int AS nothing
FROM generate_series(1, 300) i;
INSERT INTO fill_near VALUES (301, NULL, NULL, NULL, 5, NULL), (302, 'infinity', 1, 1, 5, NULL);
SELECT * FROM dmp.clean('fill_near', 'fill_5', '[{"fill":{"y":{"knn":4,"by":["a","b","same","nothing"]}}}]');
WITH p AS (SELECT i, CASE WHEN y - y = 0 THEN y END AS y, a::float8 AS a, CASE WHEN b - b = 0 THEN b::float8 END AS b FROM fill_near),
	s AS (SELECT stddev_pop(a) AS sa, stddev_pop(b) AS sb FROM p),
	d AS (SELECT r.i, o.y, 4 * (coalesce(((r.a - o.a) / sa) ^ 2, 0) + coalesce(((r.b - o.b) / sb) ^ 2, 0)) / (1 + (r.a + o.a IS NOT NULL)::int + (r.b + o.b IS NOT NULL)::int) AS d2
		FROM s, p r JOIN p o ON o.y IS NOT NULL WHERE r.i IN (SELECT i FROM fill_near WHERE y IS NULL)),
	k AS (SELECT i, y, row_number() OVER (PARTITION BY i ORDER BY d2) AS r, d2, lead(d2) OVER (PARTITION BY i ORDER BY d2) AS following FROM d),
	t AS (SELECT i, avg(y) AS y, bool_or(r = 4 AND following - d2 < 1e-9) AS tie FROM k WHERE r <= 4 GROUP BY i)
SELECT count(*) FILTER (WHERE abs(t.y - f.y) > 1e-9) AS wrong, count(*) FILTER (WHERE f.y IS NULL) AS missing, count(*) > 60 AS enough FROM t JOIN fill_5 f USING (i) WHERE NOT tie;
SELECT i, y FROM fill_5 WHERE i IN (5, 302) ORDER BY i;
SELECT count(*) FILTER (WHERE y IS NULL) AS missing FROM fill_5;
-- rows that are the same count as many, and the order of the rows does not matter
CREATE TABLE fill_same AS SELECT * FROM (VALUES (1, 10), (1, 10), (1, 20), (2, 100), (5, 7), (1, NULL), (2, NULL), (NULL, NULL)) v(a, y);
SELECT cells_changed FROM dmp.clean('fill_same', 'fill_6', '[{"fill":{"y":{"knn":3,"by":"a"}}}]');
SELECT * FROM fill_6 ORDER BY a, y;
SELECT cells_changed FROM dmp.clean('fill_same', 'fill_7', '[{"fill":{"y":{"knn":1000,"by":"a"}}}]');
SELECT * FROM fill_7 ORDER BY a, y;
SELECT cells_changed FROM dmp.clean('SELECT * FROM fill_near ORDER BY i DESC', 'fill_8', '[{"fill":{"y":{"knn":4,"by":["a","b","same","nothing"]}}}]');
SELECT count(*) AS differ FROM fill_5 JOIN fill_8 USING (i) WHERE fill_5.y IS DISTINCT FROM fill_8.y;
-- no donors, no rows
SELECT cells_changed FROM dmp.clean('SELECT NULL::int AS y, 1 AS a', 'fill_9', '[{"fill":{"y":{"knn":4,"by":"a"}}}]');
SELECT cells_changed FROM dmp.clean('SELECT 1 AS y, 1 AS a, now() AS at WHERE false', 'fill_10', '[{"fill":{"y":{"knn":4,"by":"a"}}},{"fill":{"y":"forward"},"order":"at"},{"fill":{"y":{"median_by":"a"}}},{"fill":{"y":{"mode_by":"a"}}}]');
-- the function refuses arrays that do not belong together
SELECT dmp_internal.knn(2, '{1}', '{1,2}', '{1}', '{1,2}', '{1}');
SELECT dmp_internal.knn(2, '{1,2}', '{1,2}', '{1,1}', '{1,2}', '{1}');
SELECT dmp_internal.knn(0, '{1}', '{1,2}', '{1,1}', '{1,2}', '{1}');
SELECT dmp_internal.knn(2, '{1}', '{1,2}', '{1,1}', '{1,NULL}', '{NULL}');

-- what cannot be
SELECT dmp.clean_sql('fill_events', '[{"fill":{"plan":"forward"},"by":"u"}]');
SELECT dmp.clean_sql('fill_events', '[{"fill":{"plan":{"backward":{"by":"u"}}}}]');
SELECT dmp.clean_sql('fill_events', '[{"fill":{"plan":{"forward":"at"}}}]');
SELECT dmp.clean_sql('fill_events', '[{"fill":{"plan":{"forward":{"order":"at","partition":"u"}}}}]');
SELECT dmp.clean_sql('fill_events', '[{"fill":{"plan":{"forward":{"order":"ta"}}}}]');
SELECT dmp.clean_sql('fill_events', '[{"fill":{"plan":{"forward":{"order":"plan"}}}}]');
SELECT dmp.clean_sql('fill_events', '[{"fill":{"plan":"x"},"order":"at"}]');
SELECT dmp.clean_sql('fill_events', '[{"fill":{"plan":{"median_by":"u"}}}]');
SELECT dmp.clean_sql('fill_events', '[{"fill":{"j":{"mode_by":"u"}}}]');
SELECT dmp.clean_sql('fill_events', '[{"fill":{"n":{"mean_by":"w"}}}]');
SELECT dmp.clean_sql('fill_events', '[{"fill":{"n":{"knn":0,"by":"f"}}}]');
SELECT dmp.clean_sql('fill_events', '[{"fill":{"n":{"knn":2.5,"by":"f"}}}]');
SELECT dmp.clean_sql('fill_events', '[{"fill":{"n":{"knn":2}}}]');
SELECT dmp.clean_sql('fill_events', '[{"fill":{"n":{"knn":2,"by":"u"}}}]');
SELECT dmp.clean_sql('fill_events', '[{"fill":{"n":{"knn":2,"by":"n"}}}]');
SELECT dmp.clean_sql('fill_events', '[{"fill":{"u":{"knn":2,"by":"n"}}}]');
SELECT dmp.clean_sql('fill_events', '[{"fill":{"n":{"knn":2,"by":"f","of":1}}}]');
DELETE FROM dmp.quarantine;
-- what looks at other rows says so
SELECT count(*) FROM dmp.create_recipe('fill_near', '[{"fill":{"y":{"knn":2,"by":"a"}}}]');
SELECT * FROM dmp.run_recipe('fill_near', 'fill_near', 'fill_11', new_rows => '{i}');
SELECT count(*) FROM dmp.drop_recipe('fill_near');
-- an error at run time names step and column, whatever they are called
\set SHOW_CONTEXT never
SELECT dmp.clean('SELECT i AS q, n FROM fill_events', 'fill_12', '[{"trim":"*"},{"require":"q > 0"},{"derive":{"m":"n + 1","x":"1 / (q - 7)","y":"2"}},{"fill":{"n":0}},{"require":"n / n = 1"}]');
SELECT dmp.clean('SELECT i AS q, n FROM fill_events', 'fill_12', '[{"fill":{"n":0}},{"require":"1 / n = 1"}]');
SELECT dmp.clean('SELECT i, 1 / (i - 7) AS n FROM fill_events', 'fill_12', '[{"fill":{"n":0}}]');
SELECT dmp.clean('SELECT i, n FROM fill_events', 'fill_12', '[{"fill":{"n":"mean"}},{"scale":{"i":{"divide":1e-320}}}]');
