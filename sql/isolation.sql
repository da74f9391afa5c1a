-- isolation forests
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS dmp;
RESET client_min_messages;

-- a cloud of 2000 rows, and ten far from it
CREATE FUNCTION stats_unit(i int, k int) RETURNS float8 LANGUAGE sql IMMUTABLE AS 'SELECT (hashint8extended(i, k) & 65535) / 65536.0::float8';
CREATE TABLE stats_cloud AS
SELECT i AS id, i > 2000 AS far, stats_unit(i, 1) + stats_unit(i, 2) + CASE WHEN i > 2000 THEN 4 + (i - 2000) * 0.3 ELSE 0 END AS x,
       (stats_unit(i, 3) + stats_unit(i, 4) - CASE WHEN i > 2000 THEN 3 ELSE 0 END)::numeric(10, 4) AS y, i % 2 = 0 AS even, 'text ' || i AS note
FROM generate_series(1, 2010) i;
CREATE TABLE stats_scored AS
SELECT id, far, dmp.isolation_score((SELECT dmp.isolation_forest('stats_cloud', '{x,y}')), t) AS score FROM stats_cloud t;
SELECT count(*), bool_and(far) AS all_far, min(score) > 0.65 AS high FROM (SELECT * FROM stats_scored ORDER BY score DESC LIMIT 10) q;
SELECT min(score) > 0.3 AND max(score) < 1 AS in_range, avg(score) BETWEEN 0.4 AND 0.55 AS ordinary FROM stats_scored;

-- the same rows and seed give the same forest: in any order, by any query; another seed another one
SELECT dmp.isolation_forest('stats_cloud', '{x,y}')::text = dmp.isolation_forest('SELECT y, x FROM stats_cloud ORDER BY note', '{x,y}')::text AS same,
       dmp.isolation_forest('stats_cloud', '{x,y}')::text = dmp.isolation_forest('stats_cloud', '{x,y}', '{"seed": 1}')::text AS other;
-- without columns: all numbers and booleans
SELECT dmp.isolation_forest('stats_cloud')::text = dmp.isolation_forest('stats_cloud', '{id,far,x,y,even}')::text AS same;
-- rows that are there more than once count more than once: a thousand zeros and one 1
SELECT x, round(avg(dmp.isolation_score(f, t))::numeric, 1) FROM (SELECT (i = 1001)::int AS x FROM generate_series(1, 1001) i) t,
       dmp.isolation_forest('SELECT (i = 1001)::int AS x FROM generate_series(1, 1001) i', options => '{"sample": 1001}') f GROUP BY x ORDER BY x;

-- two rows: each path has one step, and the score is 2 ^ -1
SELECT column1, dmp.isolation_score((SELECT dmp.isolation_forest('VALUES (1), (2)')), t) FROM (VALUES (1), (2), (1000000), (NULL)) t;
SELECT column1, dmp.isolation_score((SELECT dmp.isolation_forest('VALUES (5), (5)')), t) FROM (VALUES (5), (6)) t;

-- missing, NaN and infinite values, in fitting and in scoring
CREATE TABLE stats_holes AS SELECT id, CASE WHEN id % 3 <> 0 THEN x END AS x, CASE id % 50 WHEN 0 THEN 'nan' WHEN 1 THEN '-infinity' ELSE y::float8 END AS y, NULL::int AS nothing FROM stats_cloud;
SELECT count(*), count(*) FILTER (WHERE score > 0 AND score < 1) AS fine FROM (SELECT dmp.isolation_score((SELECT dmp.isolation_forest('stats_holes', '{x,y,nothing}')), t) AS score FROM stats_holes t) q;

-- types of the row may differ from those of fitting; a stored forest scores alike; other queries' rows by name
CREATE TABLE stats_forests AS SELECT 1 AS id, dmp.isolation_forest('stats_cloud', '{x,y}') AS forest;
SELECT count(*) FILTER (WHERE abs(s.score - dmp.isolation_score((SELECT forest FROM stats_forests), t)) > 1e-15) AS differ FROM stats_scored s JOIN stats_cloud t USING (id);
SELECT count(*) FILTER (WHERE abs(s.score - dmp.isolation_score(f.forest, t)) > 1e-15) AS differ FROM stats_scored s JOIN (SELECT y::float8, 'z' AS a, x::numeric(30, 20), id FROM stats_cloud) t USING (id), stats_forests f;
SELECT forest::text::dmp.forest::text = forest::text AS same FROM stats_forests;
-- in parallel
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SELECT count(*) FILTER (WHERE abs(s.score - dmp.isolation_score((SELECT forest FROM stats_forests), t)) > 1e-15) AS differ FROM stats_scored s JOIN stats_cloud t USING (id);
RESET parallel_setup_cost;
RESET parallel_tuple_cost;
RESET min_parallel_table_scan_size;

-- names that hurt
CREATE TABLE stats_hostile AS SELECT i AS "x""; DROP TABLE stats_cloud; --", i * 2 AS "q.x1" FROM generate_series(1, 50) i;
SELECT count(dmp.isolation_score((SELECT dmp.isolation_forest('stats_hostile')), t)) FROM stats_hostile t;

-- what is wrong is said
SELECT dmp.isolation_forest('stats_cloud', '{z}') IS NULL;
SELECT dmp.isolation_forest('stats_cloud', '{note}') IS NULL;
SELECT dmp.isolation_forest('stats_cloud', '{x,x}') IS NULL;
SELECT dmp.isolation_forest('SELECT note FROM stats_cloud') IS NULL;
SELECT dmp.isolation_forest('SELECT x FROM stats_cloud LIMIT 0') IS NULL;
SELECT dmp.isolation_forest('SELECT x FROM stats_cloud LIMIT 1') IS NULL;
SELECT dmp.isolation_forest('DELETE FROM stats_cloud') IS NULL;
SELECT dmp.isolation_forest('stats_cloud', '{x}', '{"tree": 10}') IS NULL;
SELECT dmp.isolation_forest('stats_cloud', '{x}', '{"trees": 0}') IS NULL;
SELECT dmp.isolation_forest('stats_cloud', '{x}', '{"sample": 1.5}') IS NULL;
SELECT dmp.isolation_forest('stats_cloud', '{x,y}', '{"trees": 10000, "sample": 65536}') IS NULL;
SELECT dmp.isolation_score(forest, ROW(1, 2)) FROM stats_forests;
SELECT dmp.isolation_score(forest, t) FROM stats_forests, (SELECT 1 AS x, 'a' AS y) t;
SELECT dmp.isolation_score('00', ROW(1));
SELECT dmp.isolation_score('0c00010004030201000000000100000001000000020000000200000000000000', ROW(1));
SELECT dmp.isolation_score('0b00010004030201000000000200000000000000000000000000000000000000000000400000000000000840', ROW(1));
SELECT dmp.isolation_forest(NULL) IS NULL, dmp.isolation_score(NULL, ROW(1)) IS NULL;

DROP TABLE stats_cloud, stats_scored, stats_holes, stats_forests, stats_hostile;
DROP FUNCTION stats_unit;
