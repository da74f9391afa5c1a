-- dmp.bins, dmp.bin, dmp.woe: quantile bins of a number.
CREATE TABLE bins_t AS
SELECT i AS id, CASE WHEN i % 17 = 0 THEN NULL WHEN i % 19 = 0 THEN 'NaN' ELSE (i * 7919 % 1009) / 8.0 END::float8 AS x,
	CASE WHEN i % 50 = 0 THEN NULL ELSE i * 31 % 100 < (i * 7919 % 1009) / 12.0 END AS y, i % 3 AS g
FROM generate_series(1, 5000) AS i;
SELECT (b).edges, (b).rows, (b).positive FROM (SELECT dmp.bins(x, y) AS b FROM bins_t) AS s;
-- the same in plain SQL
WITH e AS (SELECT percentile_disc(ARRAY[.1, .2, .3, .4, .5, .6, .7, .8, .9]) WITHIN GROUP (ORDER BY x) AS edges
	FROM bins_t WHERE y IS NOT NULL AND x <> 'NaN'),
c AS (SELECT CASE WHEN x IS NULL OR x = 'NaN' THEN 11 ELSE width_bucket(x, edges) + 1 END AS bin, count(*)::float8 AS n, sum(y::int)::float8 AS pos
	FROM bins_t, e WHERE y IS NOT NULL GROUP BY 1),
t AS (SELECT sum(n) AS n, sum(pos) AS p FROM c),
w AS (SELECT bin, c.n, pos, ln((pos + 0.5) / (c.n * p / t.n + 0.5)) - ln((c.n - pos + 0.5) / (c.n * (t.n - p) / t.n + 0.5)) AS woe,
	pos / p - (c.n - pos) / (t.n - p) AS difference FROM c, t)
SELECT (b).edges = edges AS edges, (b).rows = (SELECT array_agg(n::bigint ORDER BY bin) FROM w) AS rows,
	(b).positive = (SELECT array_agg(pos::bigint ORDER BY bin) FROM w) AS positive,
	(SELECT max(abs(woe - (b).woe[bin])) < 1e-12 FROM w) AS woe,
	abs((b).information_value - (SELECT sum(woe * difference) FROM w)) < 1e-12 AS information_value
FROM (SELECT dmp.bins(x, y) AS b FROM bins_t) AS s, e;
-- values and their bins
SELECT x, dmp.bin(b, x) AS bin, round(dmp.woe(b, x)::numeric, 4) AS woe
FROM (SELECT dmp.bins(x, y) AS b FROM bins_t) AS s, unnest('{-infinity,0,12.6,63,1e300,infinity,NaN,NULL}'::float8[]) AS x;
-- by group, and few values
SELECT g, (b).rows, round((b).information_value::numeric, 4) AS information_value FROM (SELECT g, dmp.bins(x, y) AS b FROM bins_t GROUP BY g) AS s ORDER BY g;
SELECT dmp.bins(g, y) IS NOT NULL AS some, (dmp.bins(g, id % 2 = 0)).edges FROM bins_t;
SELECT dmp.bins(x, NULL) FROM bins_t;
SELECT dmp.bins(x, y) FROM bins_t WHERE false;
SELECT b, dmp.bin(b, 1), dmp.woe(b, 1), dmp.bin(NULL, 1), dmp.woe(NULL, 1) FROM (SELECT dmp.bins(NULL, true) AS b) AS s;
SELECT (dmp.bins(x, y) OVER (ORDER BY id)).rows[11] FROM bins_t ORDER BY id DESC LIMIT 1;
-- with workers as without
CREATE TABLE bins_serial AS SELECT dmp.bins(x, y) AS b FROM bins_t;
SET max_parallel_workers_per_gather = 2;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
ANALYZE bins_t;
EXPLAIN (COSTS OFF) SELECT dmp.bins(x, y) FROM bins_t;
SELECT p.b = s.b AS same FROM (SELECT dmp.bins(x, y) AS b FROM bins_t) AS p, bins_serial AS s;
DROP TABLE bins_t, bins_serial;
