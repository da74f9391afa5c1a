-- aggregates that judge scores; truths by brute force over pairs and by scikit-learn 1.2
SET extra_float_digits = 0;
CREATE TABLE judged AS
SELECT i, (i * 37 % 101) / 100.0::float8 AS s, i * i % 7 IN (1, 2) AS y, (i % 3)::float8 AS w
FROM generate_series(1, 200) i;

-- against all pairs: exact, ties one half
WITH pairs AS (
	SELECT sum(CASE WHEN a.s > b.s THEN 1 WHEN a.s = b.s THEN 0.5 ELSE 0 END) / count(*) AS auc,
		   sum(a.w * b.w * CASE WHEN a.s > b.s THEN 1 WHEN a.s = b.s THEN 0.5 ELSE 0 END)
			   / sum(a.w * b.w) AS weighted
	FROM judged a, judged b WHERE a.y AND NOT b.y)
SELECT abs(dmp.roc_auc(s, y) - pairs.auc) < 1e-14 AS plain,
	   abs(dmp.roc_auc(s, y::int::float8) - pairs.auc) < 1e-14 AS number,
	   abs(dmp.roc_auc(s, y, w) - pairs.weighted) < 1e-14 AS weighted,
	   abs(dmp.roc_auc(s, y::int, 2) - pairs.auc) < 1e-14 AS scaled
FROM judged, pairs GROUP BY auc, pairs.weighted;

-- against scikit-learn: roc_auc_score, average_precision_score, log_loss, brier_score_loss, ks_2samp
SELECT dmp.roc_auc(s, y) AS roc_auc, dmp.average_precision(s, y) AS average_precision,
	   dmp.log_loss(s * 0.98 + 0.01, y) AS log_loss, dmp.brier_score(s, y) AS brier_score,
	   dmp.ks_statistic(s, y) AS ks
FROM judged;
SELECT dmp.roc_auc(s, y, w) AS roc_auc, dmp.average_precision(s, y, w) AS average_precision,
	   dmp.log_loss(s * 0.98 + 0.01, y, w) AS log_loss, dmp.brier_score(s, y, w) AS brier_score
FROM judged;
SELECT dmp.precision_score(s, y) AS precision, dmp.recall_score(s, y) AS recall, dmp.f1_score(s, y) AS f1,
	   dmp.f1_score(s, y, w) AS f1_weighted
FROM judged;

-- edges: nothing, one class, NULL rows, weight 0, infinities rank, probabilities 0 and 1 stay finite
SELECT dmp.roc_auc(s, y), dmp.log_loss(s, y), dmp.f1_score(s, y) FROM judged WHERE false;
SELECT dmp.roc_auc(s, y), dmp.average_precision(s, y), dmp.ks_statistic(s, y), dmp.recall_score(s, y),
	   round(dmp.log_loss(s * 0.98 + 0.01, y)::numeric, 6) AS log_loss
FROM judged WHERE NOT y;
SELECT dmp.roc_auc(s, y) FROM (VALUES (1::float8, true), (0, false), (NULL, true), (5, NULL)) v(s, y);
SELECT dmp.roc_auc(s, y, w) FROM (VALUES (1::float8, true, 1::float8), (0, false, 1), (9, false, 0)) v(s, y, w);
SELECT dmp.roc_auc(s, y) FROM (VALUES ('infinity'::float8, true), ('-infinity', false), (0, false), (0, true)) v(s, y);
SELECT dmp.roc_auc(s, y) FROM (VALUES (0::float8, true), (-0::float8, false)) v(s, y);
SELECT round(dmp.log_loss(s, y)::numeric, 3) FROM (VALUES (1::float8, false)) v(s, y);

-- what they refuse
SELECT dmp.roc_auc('NaN'::float8, true);
SELECT dmp.roc_auc(0.5::float8, 2::float8);
SELECT dmp.roc_auc(0.5::float8, true, -1);
SELECT dmp.roc_auc(0.5::float8, true, NULL);
SELECT dmp.roc_auc(0.5::float8, true, 'NaN');
SELECT dmp.log_loss(1.5::float8, true);
SELECT dmp_internal.scores_add(NULL, 1, true);

-- groups, windows (the final function leaves the state alone), FILTER
SELECT i % 3 AS g, round(dmp.roc_auc(s, y)::numeric, 6) AS auc, round(dmp.f1_score(s, y)::numeric, 6) AS f1
FROM judged GROUP BY 1 ORDER BY 1;
SELECT i, round(dmp.roc_auc(s, y) OVER (ORDER BY i)::numeric, 6) AS auc, round(dmp.brier_score(s, y) OVER (ORDER BY i)::numeric, 6) AS brier
FROM judged WHERE i <= 6 ORDER BY i;
SELECT dmp.roc_auc(s, y) FILTER (WHERE i > 100) = (SELECT dmp.roc_auc(s, y) FROM judged WHERE i > 100) AS same FROM judged;

-- parallel = serial
CREATE TABLE judged_many AS
SELECT (i * 7919 % 10007) / 10007.0::float8 AS s, i * i % 11 IN (1, 3) AS y, (1 + i % 4)::float8 AS w
FROM generate_series(1, 30000) i;
ALTER TABLE judged_many SET (parallel_workers = 2);
ANALYZE judged_many;
SET max_parallel_workers_per_gather = 0;
CREATE TEMP TABLE serial AS
SELECT dmp.roc_auc(s, y) AS a, dmp.roc_auc(s, y, w) AS b, dmp.average_precision(s, y::int) AS c, dmp.ks_statistic(s, y) AS d,
	   dmp.log_loss(s, y, w) AS e, dmp.brier_score(s, y) AS f, dmp.precision_score(s, y, w) AS g, dmp.recall_score(s, y) AS h, dmp.f1_score(s, y) AS k
FROM judged_many;
SET max_parallel_workers_per_gather = 2;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
EXPLAIN (costs off) SELECT dmp.roc_auc(s, y) FROM judged_many;
SELECT dmp.roc_auc(s, y) = a AS a, dmp.roc_auc(s, y, w) = b AS b, dmp.average_precision(s, y::int) = c AS c, dmp.ks_statistic(s, y) = d AS d,
	   abs(dmp.log_loss(s, y, w) - e) < 1e-12 AS e, abs(dmp.brier_score(s, y) - f) < 1e-12 AS f, dmp.precision_score(s, y, w) = g AS g,
	   dmp.recall_score(s, y) = h AS h, dmp.f1_score(s, y) = k AS k
FROM judged_many, serial GROUP BY a, b, c, d, e, f, g, h, k;
-- a worker with no row of a class, and groups across workers
SELECT count(*) FROM (SELECT i % 500 AS g, dmp.roc_auc(s, y) AS auc FROM (SELECT s, y, (s * 10007)::int AS i FROM judged_many) x GROUP BY 1) z WHERE auc IS NOT NULL;
RESET max_parallel_workers_per_gather;
RESET parallel_setup_cost;
RESET parallel_tuple_cost;
RESET min_parallel_table_scan_size;

-- more rows than memory is for: written to runs in a file, merged; the same numbers
CREATE TABLE judged_most AS
SELECT (i * 7919::bigint % 50021) / 50021.0::float8 AS s, i::bigint * i % 11 IN (1, 3) AS y, (1 + i % 4)::float8 AS w FROM generate_series(1, 90000) i;
ALTER TABLE judged_most SET (parallel_workers = 2);
ANALYZE judged_most;
SET max_parallel_workers_per_gather = 0;
\set plain '{"format":1,"kind":"glm","family":"binomial","target":"y","positive":"1","negative":"0","threshold":0.5,"intercept":0,"coef":[],"pivot":[],"mean":[],"scale":[],"features":[]}'
CREATE TEMP TABLE in_memory AS
SELECT dmp.roc_auc(s, y) AS a, dmp.roc_auc(s, y, w) AS b, dmp.average_precision(s, y) AS c, dmp.average_precision(s, y, w) AS d,
	   dmp.ks_statistic(s, y) AS e, dmp.ks_statistic(s, y, w) AS f, dmp_internal.judge(dmp_internal.scores(s, y::int), :'plain', 0.6, false) AS g,
	   dmp_internal.best_threshold(dmp_internal.scores(s, y::int), :'plain', 0, 0, 0, 0) AS h, dmp.roc_auc(s, y, CASE WHEN s > 0.9 THEN 1 ELSE w END) AS i
FROM judged_most;
SET dmp.training_memory = '1MB';
CREATE TEMP VIEW spilled AS
SELECT abs(a - dmp.roc_auc(s, y)) < 1e-12 AS a, abs(b - dmp.roc_auc(s, y, w)) < 1e-12 AS b,
	   abs(c - dmp.average_precision(s, y)) < 1e-12 AS c, abs(d - dmp.average_precision(s, y, w)) < 1e-12 AS d,
	   abs(e - dmp.ks_statistic(s, y)) < 1e-12 AS e, abs(f - dmp.ks_statistic(s, y, w)) < 1e-12 AS f,
	   (SELECT bool_and(coalesce(abs(p - q) <= 1e-9 * abs(p), p::text = q::text)) FROM unnest(g, dmp_internal.judge(dmp_internal.scores(s, y::int), :'plain', 0.6, false)) u(p, q)) AS g,
	   h = dmp_internal.best_threshold(dmp_internal.scores(s, y::int), :'plain', 0, 0, 0, 0) AS h,
	   abs(i - dmp.roc_auc(s, y, CASE WHEN s > 0.9 THEN 1 ELSE w END)) < 1e-12 AS i
FROM judged_most, in_memory GROUP BY in_memory.a, in_memory.b, in_memory.c, in_memory.d, in_memory.e, in_memory.f, in_memory.g, in_memory.h, in_memory.i;
SELECT * FROM spilled;
SET max_parallel_workers_per_gather = 2;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SELECT * FROM spilled;
-- several states at once, read more than once, and one class only
SELECT y, count(*), dmp.roc_auc(s, y), round(dmp.average_precision(s, y)::numeric, 3) AS average_precision, dmp.ks_statistic(s, y) FROM judged_most GROUP BY y ORDER BY y;
SELECT bool_and(a BETWEEN 0.48 AND 0.52) FROM (SELECT dmp.roc_auc(s, y) OVER (PARTITION BY w > 1 ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) AS a FROM judged_most) x;
SELECT count(*) FROM (SELECT dmp.roc_auc(s, y) OVER (ORDER BY i) AS a FROM (SELECT s, y, row_number() OVER () / 30000 AS i FROM judged_most) x) z WHERE a BETWEEN 0.45 AND 0.55;
-- an error in the middle leaves no file behind
DO $$ BEGIN PERFORM dmp.roc_auc(CASE WHEN i = 85000 THEN 'NaN' ELSE s END, y) FROM (SELECT s, y, row_number() OVER () AS i FROM judged_most) x; EXCEPTION WHEN OTHERS THEN RAISE NOTICE '%', sqlerrm; END $$;
SELECT dmp.roc_auc(CASE WHEN i = 85000 THEN 'NaN' ELSE s END, y) FROM (SELECT s, y, row_number() OVER () AS i FROM judged_most) x;
SELECT count(*) AS files_left FROM pg_ls_tmpdir() WHERE name LIKE format('pgsql_tmp%s.%%', pg_backend_pid());
RESET dmp.training_memory;
RESET max_parallel_workers_per_gather;
RESET parallel_setup_cost;
RESET parallel_tuple_cost;
RESET min_parallel_table_scan_size;
DROP VIEW spilled;
DROP TABLE judged_most, judged_many, judged;

-- the state type believes nothing: header (kind, version, order, reserved), then sums, or rows, weighted, scores, labels
SELECT ('0400010004030201' || '00000000' || '000000000000f03f000000000000e03f' || repeat('00', 32))::dmp_internal.state IS NOT NULL AS good;
SELECT dmp_internal.loss_final(('0400010004030201' || '00000000' || '000000000000f03f000000000000e03f' || repeat('00', 32))::dmp_internal.state) AS loss;
SELECT ('0400010004030201' || '00000000' || '000000000000f0bf000000000000e03f' || repeat('00', 32))::dmp_internal.state;
SELECT ('0400010004030201' || '00000000' || '000000000000f03f')::dmp_internal.state;
SELECT dmp_internal.roc_auc_final(('0300010004030201' || '00000000' || '0200000000000000' || repeat('00', 8) || '0000000000000000' || '000000000000f03f' || '0001')::dmp_internal.state) AS auc;
SELECT ('0300010004030201' || '00000000' || '0200000000000000' || repeat('00', 8) || '0000000000000000' || '000000000000f03f' || '0002')::dmp_internal.state;
SELECT ('0300010004030201' || '00000000' || '0100000000000000' || repeat('00', 8) || '000000000000f87f' || '00')::dmp_internal.state;
SELECT ('0300010004030201' || '00000000' || 'ffffffffffffff7f' || repeat('00', 8) || '000000000000f03f' || '00')::dmp_internal.state;
SELECT ('0300010004030201' || '00000000' || '0100')::dmp_internal.state;
SELECT dmp_internal.roc_auc_final(('0400010004030201' || '00000000' || '000000000000f03f000000000000e03f' || repeat('00', 32))::dmp_internal.state);
