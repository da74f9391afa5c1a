-- k-anonymity, l-diversity and t-closeness against their definitions in plain SQL
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS dmp;
RESET client_min_messages;
\set VERBOSITY terse
SET jit = off;

-- by hand: three classes of 3, 2 and 1 rows
CREATE TABLE privacy_patients (zip text, age int, disease text, salary int, "odd ""name" text);
INSERT INTO privacy_patients VALUES
	('476', 20, 'flu', 3, 'x'), ('476', 20, 'flu', 4, 'x'), ('476', 20, 'cancer', 5, 'x'),
	('479', NULL, 'flu', 6, 'x'), ('479', NULL, 'flu', 11, 'x'), ('476', 40, NULL, 8, 'x');
SELECT * FROM dmp.k_anonymity('privacy_patients', '{zip,age}');
SELECT k, classes, rows_at_risk AS alone, sensitive, l_distinct AS l, round(l_entropy::numeric, 6) AS l_entropy, round(t::numeric, 6) AS t
FROM dmp.k_anonymity('SELECT * FROM privacy_patients', '{zip,age}', '{disease,salary}');
SELECT k, classes, rows_at_risk, l_distinct FROM dmp.k_anonymity('privacy_patients', '{"odd \"name"}', '{"odd \"name"}');
-- all rows one class: nothing moves; one value: nothing can
SELECT k, classes, sensitive, l_distinct, t FROM dmp.k_anonymity('SELECT 1 AS a, x AS s, 7 AS one FROM generate_series(1, 9) x', '{a}', '{s,one}');
-- Li et al. 2007, section 4: D[{3k,4k,5k}] = 0.375 and D[{6k,8k,11k}] = 0.167
SELECT round(t::numeric, 3) AS t FROM dmp.k_anonymity(
	'SELECT g, s FROM (VALUES (1, 3), (1, 4), (1, 5), (2, 6), (2, 11), (2, 8), (3, 7), (3, 9), (3, 10)) v(g, s)', '{g}', '{s}');
SELECT round(sum(abs(c))::numeric / 8, 3) AS middle FROM (SELECT sum(q - p) OVER (ORDER BY v) AS c FROM (
	SELECT v, 1.0 / 9 AS p, CASE WHEN v IN (6, 8, 11) THEN 1.0 / 3 ELSE 0 END AS q FROM generate_series(3, 11) v) d) e;

-- no rows
SELECT * FROM dmp.k_anonymity('SELECT * FROM privacy_patients WHERE false', '{zip}', '{disease}');

-- the definitions themselves: distributions over all values, class by class
CREATE FUNCTION privacy_l_and_t(tab text, quasi text, sens text, ordered boolean)
	RETURNS TABLE (k bigint, classes bigint, alone bigint, l bigint, e float8, t float8) LANGUAGE plpgsql AS $$
BEGIN
	RETURN QUERY EXECUTE format($q$
		WITH d AS (SELECT (%2$s)::text AS class, %3$s AS s FROM %1$I),
		p AS (SELECT s, count(*) / (SELECT count(*) FROM d)::float8 AS p, row_number() OVER (ORDER BY s) AS rank FROM d GROUP BY s),
		c AS (SELECT class, count(*) AS n, count(DISTINCT s) + max((s IS NULL)::int) AS l FROM d GROUP BY class),
		cell AS (SELECT c.class, p.rank, p.p, (SELECT count(*) FROM d WHERE d.class = c.class AND d.s IS NOT DISTINCT FROM p.s) / c.n::float8 AS q FROM c, p),
		cum AS (SELECT *, sum(q - p) OVER (PARTITION BY class ORDER BY rank) AS moved FROM cell),
		dist AS (SELECT class, CASE WHEN %4$L THEN sum(abs(moved)) / nullif(max(rank) - 1, 0) ELSE sum(abs(q - p)) / 2 END AS t,
			exp(-sum(CASE WHEN q > 0 THEN q * ln(q) ELSE 0 END)) AS e FROM cum GROUP BY class)
		SELECT min(n), count(*), count(*) FILTER (WHERE n = 1), min(l)::bigint, (SELECT min(e) FROM dist), coalesce((SELECT max(t) FROM dist), 0) FROM c$q$, tab, quasi, sens, ordered);
END $$;
CREATE TABLE privacy_k AS
	SELECT i, nullif((i * 7919) % 5, 4) AS a, nullif(chr(97 + (i * 104729) % 3), 'c') AS b, (i * i) % 7 AS c,
	       nullif((i * 31) % 13, 12) AS ints, nullif(round(sqrt((i * 17) % 29)::numeric, 1), 0) AS nums,
	       nullif('v' || (i * i * 3) % 11, 'v1') AS texts, ((i * 13) % 3 = 0) AS flag, date '2024-01-01' + (i * 11) % 23 AS day,
	       CASE (i * 5) % 9 WHEN 0 THEN 'NaN' WHEN 1 THEN '-Infinity' ELSE ((i * 3) % 10)::float8 END AS floats
	FROM generate_series(1, 110) i;
SELECT q, s, o.k = m.k AND o.classes = m.classes AND o.alone = m.rows_at_risk AND o.l = m.l_distinct AS counts,
	abs(o.e - m.l_entropy) < 1e-12 AS entropy, abs(o.t - m.t) < 1e-12 AS t
FROM unnest('{a,b,"a,b","c,b,a","i"}'::text[]) q,
	(VALUES ('ints', true), ('nums', true), ('texts', false), ('flag', false), ('day', true), ('floats', true)) v(s, ordered),
	LATERAL privacy_l_and_t('privacy_k', CASE WHEN q LIKE '%,%' THEN 'ROW(' || q || ')' ELSE 'ROW(' || q || ', 1)' END, s, ordered) o,
	LATERAL dmp.k_anonymity('privacy_k', string_to_array(q, ','), ARRAY[s]) m
ORDER BY 1, 2;
-- two at once are as one by one
SELECT count(*) FROM (SELECT * FROM dmp.k_anonymity('privacy_k', '{a,b}', '{ints,texts}')
	EXCEPT (SELECT * FROM dmp.k_anonymity('privacy_k', '{a,b}', '{ints}') UNION ALL SELECT * FROM dmp.k_anonymity('privacy_k', '{a,b}', '{texts}'))) x;

-- the caller's rights and rows
CREATE ROLE privacy_ann;
SET ROLE privacy_ann;
SELECT * FROM dmp.k_anonymity('privacy_k', '{a}');
RESET ROLE;
GRANT SELECT ON privacy_k TO privacy_ann;
ALTER TABLE privacy_k ENABLE ROW LEVEL SECURITY;
CREATE POLICY first_ten ON privacy_k USING (i <= 10);
SET ROLE privacy_ann;
SELECT k, classes FROM dmp.k_anonymity('privacy_k', '{i}');
RESET ROLE;

-- errors
SELECT * FROM dmp.k_anonymity('privacy_k', '{}');
SELECT * FROM dmp.k_anonymity('privacy_k', '{a,a}');
SELECT * FROM dmp.k_anonymity('privacy_k', '{A}');
SELECT * FROM dmp.k_anonymity('privacy_k', '{a}', '{text}');
SELECT * FROM dmp.k_anonymity('privacy_k', '{a,NULL}');
SELECT * FROM dmp.k_anonymity('SELECT ''{}''::json AS j', '{j}');
SELECT * FROM dmp.k_anonymity('DELETE FROM privacy_k', '{a}');
SELECT * FROM dmp.k_anonymity('WITH x AS (DELETE FROM privacy_k RETURNING *) SELECT * FROM x', '{a}');
SELECT * FROM dmp.k_anonymity('SELECT 1 AS a) AS q; DROP TABLE privacy_k; --', '{a}');
SELECT * FROM dmp.k_anonymity('privacy_k', '{"a\" ; drop table privacy_k; --"}');
SELECT count(*) FROM dmp.k_anonymity(NULL, '{a}');
DROP TABLE privacy_patients, privacy_k;
DROP FUNCTION privacy_l_and_t;
DROP ROLE privacy_ann;
