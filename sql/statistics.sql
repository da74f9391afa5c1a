-- aggregates and window functions of columns
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS dmp;
RESET client_min_messages;

-- by hand
SELECT dmp.median(x), dmp.mad(x), dmp.quantiles(x, '{0,0.1,0.5,NULL,0.99,1,0.1}') FROM generate_series(1, 10) x;
SELECT dmp.median(x), dmp.mad(x) FROM (VALUES (1), (1), (2), (2), (4), (6), (9)) v(x);
SELECT dmp.median(x), dmp.mad(x), dmp.quantiles(x, '{0.3}') FROM (VALUES (7)) v(x);
SELECT dmp.median(x), dmp.mad(x), dmp.quantiles(x, '{0.5}') FROM (VALUES (NULL::float8), (NULL)) v(x);
SELECT dmp.median(x), dmp.mad(x), dmp.quantiles(x, '{0.5}') FROM (VALUES (1.0)) v(x) WHERE false;
SELECT dmp.median(x), count(*) FROM (VALUES (NULL::float8), (3), (NULL), (5)) v(x);
SELECT dmp.quantiles(x, NULL), dmp.quantiles(x, '{}'), dmp.quantiles(x, '{NULL}') FROM generate_series(1, 3) x;

-- NaN is above all and counts; infinities are values
SELECT dmp.median(x), dmp.quantiles(x, '{0.4,1}') FROM (VALUES ('nan'::float8), (1), (2), (3), (4)) v(x);
SELECT dmp.median(x), dmp.mad(x) FROM (VALUES ('nan'::float8), ('nan'), (2)) v(x);
SELECT dmp.median(x), dmp.mad(x) FROM (VALUES ('infinity'::float8), ('infinity')) v(x);
SELECT dmp.median(x), dmp.mad(x) FROM (VALUES ('infinity'::float8), ('-infinity'), (3)) v(x);
SELECT dmp.median(x), dmp.mad(x) FROM (VALUES ('infinity'::float8), ('-infinity')) v(x);
SELECT dmp.median(x) FROM (VALUES (1.7e308), (-1.7e308)) v(x);
SELECT dmp.median(x) = 0 FROM (VALUES (0.0::float8), ('-0'::float8)) v(x);

-- what is wrong is said
SELECT dmp.quantiles(x, '{0.5,1.5}') FROM generate_series(1, 3) x;
SELECT dmp.quantiles(x, '{-0.1}') FROM generate_series(1, 3) x;
SELECT dmp.quantiles(x, '{nan}') FROM generate_series(1, 3) x;
SELECT dmp.quantiles(x, '{{0.1},{0.2}}') FROM generate_series(1, 3) x;
SELECT dmp.quantiles(x, ARRAY[x / 10.0]) FROM generate_series(1, 3) x;
SELECT dmp.quantiles(x, CASE WHEN x < 3 THEN '{0.5}'::float8[] END) FROM generate_series(1, 3) x;
SELECT dmp_internal.values_add(NULL, 1);
SELECT dmp_internal.values_combine(NULL, NULL);

-- states that come from outside
SELECT dmp_internal.median_final('0b0001000403020100000000'::dmp_internal.state);
SELECT dmp_internal.median_final('0b00010004030201000000000200000000000000000000000000000000000000000000f03f'::dmp_internal.state);
SELECT dmp_internal.quantiles_final('0b00010004030201000000000100000000000000010000000000000000000000000000400000000000000840'::dmp_internal.state);
SELECT dmp_internal.median_final('0b00010004030201000000000200000000000000000000000000000000000000000000400000000000000840'::dmp_internal.state);

-- against percentile_cont, over sizes that are flat states, arrays and files, with repeated values
CREATE TABLE stats_values AS
SELECT i, i % 7 AS g7, i % 20011 AS g20011,
       CASE WHEN i % 50 <> 0 THEN round((sin(i) * 1000 * CASE WHEN i % 3 = 0 THEN 0.001 ELSE 1 END)::numeric, 4)::float8 END AS x,
       (i * 7919 % 101)::float8 AS few
FROM generate_series(1, 60000) i;
ANALYZE stats_values;
\set shares '{0,0.001,0.01,0.25,0.3333,0.5,0.75,0.9,0.999,1}'
CREATE VIEW stats_truth AS
SELECT g7, dmp.median(x) = percentile_cont(0.5) WITHIN GROUP (ORDER BY x) AS median,
       dmp.quantiles(x, :'shares') = percentile_cont(:'shares'::float8[]) WITHIN GROUP (ORDER BY x) AS quantiles,
       dmp.quantiles(few, :'shares') = percentile_cont(:'shares'::float8[]) WITHIN GROUP (ORDER BY few) AS few
FROM stats_values GROUP BY GROUPING SETS ((g7), ());
SELECT count(*), bool_and(median AND quantiles AND few) FROM stats_truth;
SET work_mem = '64kB';
SELECT count(*), bool_and(median AND quantiles AND few) FROM stats_truth;
SELECT (SELECT dmp.mad(x) FROM stats_values) =
       (SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY abs(x - m)) FROM stats_values, (SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY x) AS m FROM stats_values) q) AS mad;
SELECT dmp.mad(few), dmp.median(1) FROM stats_values;
RESET work_mem;
SELECT (SELECT dmp.mad(x) FROM stats_values) =
       (SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY abs(x - m)) FROM stats_values, (SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY x) AS m FROM stats_values) q) AS mad;
SELECT dmp.mad(few), dmp.median(1) FROM stats_values;

-- many groups, hashed and sorted
SELECT count(*), bool_and(a = b) FROM (
	SELECT dmp.median(x) AS a, percentile_cont(0.5) WITHIN GROUP (ORDER BY x) AS b FROM stats_values GROUP BY g20011) q;
SET enable_sort = off;
SELECT count(*), sum(m)::numeric(20,6) FROM (SELECT dmp.median(x) AS m FROM stats_values GROUP BY g20011) q;
RESET enable_sort;
SET enable_hashagg = off;
SELECT count(*), sum(m)::numeric(20,6) FROM (SELECT dmp.median(x) AS m FROM stats_values GROUP BY g20011) q;
RESET enable_hashagg;

-- DISTINCT, FILTER, ORDER BY
SELECT dmp.median(DISTINCT few), dmp.median(few) FILTER (WHERE few < 10), dmp.median(few ORDER BY x) = dmp.median(few) FROM stats_values;

-- parallel equals serial
CREATE TABLE stats_serial AS SELECT g7, dmp.median(x) AS a, dmp.mad(x) AS b, dmp.quantiles(x, :'shares') AS c FROM stats_values GROUP BY GROUPING SETS ((g7), ());
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SET max_parallel_workers_per_gather = 2;
SET parallel_leader_participation = off;
EXPLAIN (COSTS OFF) SELECT dmp.median(x), dmp.mad(x), dmp.quantiles(x, '{0.5}') FROM stats_values;
CREATE VIEW stats_parallel AS
SELECT NULL::int AS g7, dmp.median(x) AS a, dmp.mad(x) AS b, dmp.quantiles(x, :'shares') AS c FROM stats_values
UNION ALL SELECT g7, dmp.median(x), dmp.mad(x), dmp.quantiles(x, :'shares') FROM stats_values GROUP BY g7;
SELECT count(*), bool_and((p.a, p.b, p.c) = (s.a, s.b, s.c)) FROM stats_parallel p JOIN stats_serial s ON p.g7 IS NOT DISTINCT FROM s.g7;
SET work_mem = '64kB';
SELECT count(*), bool_and((p.a, p.b, p.c) = (s.a, s.b, s.c)) FROM stats_parallel p JOIN stats_serial s ON p.g7 IS NOT DISTINCT FROM s.g7;
RESET work_mem;
SELECT dmp.median(x) FROM stats_values WHERE x > 1e9;
RESET parallel_setup_cost;
RESET parallel_tuple_cost;
RESET min_parallel_table_scan_size;
RESET max_parallel_workers_per_gather;
RESET parallel_leader_participation;

-- windows: frames that move, grow, and lose rows, against each frame by itself
CREATE TABLE stats_frames AS SELECT i, i % 3 AS g, CASE WHEN i % 11 <> 0 THEN (i * 7919 % 401)::float8 END AS x FROM generate_series(1, 700) i;
UPDATE stats_frames SET x = 'nan' WHERE i % 97 = 0;
UPDATE stats_frames SET x = '-infinity' WHERE i % 89 = 0;
CREATE FUNCTION stats_mad(VARIADIC float8[]) RETURNS float8 LANGUAGE sql IMMUTABLE AS $$
	SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY CASE WHEN v = m THEN 0 ELSE abs(v - m) END)
	FROM unnest($1) v, (SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY w) AS m FROM unnest($1) w) q $$;
CREATE FUNCTION stats_quantile(float8, float8[]) RETURNS float8 LANGUAGE sql IMMUTABLE AS $$
	SELECT percentile_cont($1) WITHIN GROUP (ORDER BY v) FROM unnest($2) v $$;
-- percentile_cont is no window function, so frames are gathered as arrays
SELECT count(*),
       count(*) FILTER (WHERE m1 IS DISTINCT FROM stats_quantile(0.5, a1)) AS wrong1,
       count(*) FILTER (WHERE m2 IS DISTINCT FROM stats_quantile(0.5, a2)) AS wrong2,
       count(*) FILTER (WHERE m3 IS DISTINCT FROM stats_quantile(0.5, a3)) AS wrong3,
       count(*) FILTER (WHERE q3[1] IS DISTINCT FROM stats_quantile(0.2, a3) OR q3[2] IS DISTINCT FROM stats_quantile(0.9, a3)) AS wrong4,
       count(*) FILTER (WHERE m4 IS DISTINCT FROM stats_quantile(0.5, a4)) AS wrong5
FROM (
	SELECT dmp.median(x) OVER w1 AS m1, array_agg(x) FILTER (WHERE x IS NOT NULL) OVER w1 AS a1,
	       dmp.median(x) OVER w2 AS m2, array_agg(x) FILTER (WHERE x IS NOT NULL) OVER w2 AS a2,
	       dmp.median(x) OVER w3 AS m3, dmp.quantiles(x, '{0.2,0.9}') OVER w3 AS q3, array_agg(x) FILTER (WHERE x IS NOT NULL) OVER w3 AS a3,
	       dmp.median(x) OVER w4 AS m4, array_agg(x) FILTER (WHERE x IS NOT NULL) OVER w4 AS a4
	FROM stats_frames
	WINDOW w1 AS (PARTITION BY g ORDER BY i ROWS 10 PRECEDING),
	       w2 AS (ORDER BY i),
	       w3 AS (ORDER BY i ROWS BETWEEN 300 PRECEDING AND 20 FOLLOWING),
	       w4 AS (ORDER BY i ROWS BETWEEN 5 FOLLOWING AND UNBOUNDED FOLLOWING)) q;
SELECT count(*) FILTER (WHERE m1 IS DISTINCT FROM stats_mad(VARIADIC a1)) AS wrong1,
       count(*) FILTER (WHERE m2 IS DISTINCT FROM stats_mad(VARIADIC a2)) AS wrong2,
       count(*) FILTER (WHERE m3 IS DISTINCT FROM stats_mad(VARIADIC a3)) AS wrong3
FROM (
	SELECT dmp.mad(x) OVER w1 AS m1, array_agg(x) FILTER (WHERE x IS NOT NULL) OVER w1 AS a1,
	       dmp.mad(x) OVER w2 AS m2, array_agg(x) FILTER (WHERE x IS NOT NULL) OVER w2 AS a2,
	       dmp.mad(x) OVER w3 AS m3, array_agg(x) FILTER (WHERE x IS NOT NULL) OVER w3 AS a3
	FROM stats_frames WHERE x <> '-infinity'
	WINDOW w1 AS (PARTITION BY g ORDER BY i ROWS 10 PRECEDING),
	       w2 AS (ORDER BY i),
	       w3 AS (ORDER BY i ROWS BETWEEN 300 PRECEDING AND 20 FOLLOWING)) q;

-- fill_forward: every kind of type, partitions, what begins missing, values out of line
SELECT i, dmp.fill_forward(v) OVER (ORDER BY i), dmp.fill_forward(v) OVER (PARTITION BY i % 2 ORDER BY i),
       dmp.fill_forward(v::text) OVER (ORDER BY i DESC), dmp.fill_forward(v::numeric / 4) OVER (ORDER BY i),
       dmp.fill_forward(CASE WHEN v IS NOT NULL THEN ARRAY[v, NULL] || v END) OVER (ORDER BY i), dmp.fill_forward('2024-01-01'::date + v) OVER (ORDER BY i)
FROM (VALUES (1, NULL), (2, 20), (3, NULL), (4, NULL), (5, 50), (6, NULL)) t(i, v) ORDER BY i;
SELECT i, dmp.fill_forward(r) OVER (ORDER BY i), dmp.fill_forward(CASE WHEN i <> 3 THEN (i || repeat('x', i))::name END) OVER (ORDER BY i)
FROM (VALUES (1, ROW(1, 'a')), (2, NULL), (3, ROW(2, NULL))) t(i, r) ORDER BY i;
CREATE TABLE stats_long AS SELECT i, CASE WHEN i % 4 = 1 THEN (SELECT string_agg(md5((i * j)::text), '') FROM generate_series(1, 1000) j) END AS doc FROM generate_series(1, 40) i;
SELECT count(*), bool_and(md5(filled) = md5((SELECT doc FROM stats_long WHERE i = q.i - (q.i - 1) % 4)))
FROM (SELECT i, dmp.fill_forward(doc) OVER (ORDER BY i) AS filled FROM stats_long) q;
SELECT count(*), bool_and(filled IS NOT DISTINCT FROM expected) FROM (
	SELECT dmp.fill_forward(v) OVER (PARTITION BY g7 ORDER BY i) AS filled,
	       (array_remove(array_agg(v) OVER (PARTITION BY g7 ORDER BY i ROWS 200 PRECEDING), NULL))[array_length(array_remove(array_agg(v) OVER (PARTITION BY g7 ORDER BY i ROWS 200 PRECEDING), NULL), 1)] AS expected
	FROM (SELECT g7, i, CASE WHEN i % 50 > 45 THEN 'v' || i END AS v FROM stats_values WHERE i <= 6000) t) q;

-- scales: against the same by aggregates; NULL stays, what is not finite does not decide
SELECT i, round(dmp.z_score(x) OVER ()::numeric, 6) AS z, round(dmp.min_max(x) OVER ()::numeric, 6) AS m, round(dmp.robust_scale(x) OVER ()::numeric, 6) AS r
FROM (VALUES (1, 2.0), (2, 4), (3, NULL), (4, 4), (5, 4), (6, 5), (7, 5), (8, 7), (9, 9)) t(i, x) ORDER BY i;
SELECT g7, max(abs(z - z2)) < 1e-9, max(abs(m - m2)) < 1e-12, max(abs(r - r2)) < 1e-12, count(z) = count(x)
FROM (
	SELECT g7, x, dmp.z_score(x) OVER w AS z, (x - avg(x) OVER w) / stddev_pop(x) OVER w AS z2,
	       dmp.min_max(x) OVER w AS m, (x - min(x) OVER w) / (max(x) OVER w - min(x) OVER w) AS m2,
	       dmp.robust_scale(x) OVER w AS r, (x - (dmp.quantiles(x, '{0.5}') OVER w)[1]) / ((dmp.quantiles(x, '{0.75}') OVER w)[1] - (dmp.quantiles(x, '{0.25}') OVER w)[1]) AS r2
	FROM stats_values WINDOW w AS (PARTITION BY g7)) q GROUP BY g7 ORDER BY g7;
SELECT x, dmp.z_score(x) OVER (), dmp.min_max(x) OVER (), dmp.robust_scale(x) OVER () FROM (VALUES (1.0::float8), ('infinity'), ('nan'), (3), (NULL)) t(x) ORDER BY x;
SELECT x, dmp.z_score(x) OVER (), dmp.min_max(x) OVER (), dmp.robust_scale(x) OVER () FROM (VALUES (5.0::float8), (5), (NULL)) t(x);
SELECT x, dmp.z_score(x) OVER (), dmp.min_max(x) OVER (), dmp.robust_scale(x) OVER () FROM (VALUES (1.7e308::float8), (-1.7e308), (0), (1.7e308), (-1.7e308)) t(x) ORDER BY x;
SELECT x, dmp.z_score(x) OVER (), dmp.min_max(x) OVER (), dmp.robust_scale(x) OVER () FROM (VALUES ('infinity'::float8), (NULL)) t(x);
-- the frame does not count
SELECT i, dmp.min_max(i) OVER (ORDER BY i ROWS 1 PRECEDING) FROM generate_series(1, 5) i;
SELECT dmp.z_score(1);

DROP VIEW stats_truth, stats_parallel;
DROP TABLE stats_values, stats_serial, stats_frames, stats_long;
DROP FUNCTION stats_mad, stats_quantile;
