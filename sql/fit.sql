-- the fit behind dmp.train: the optimum checked from outside, scans, workers, memory
SET client_min_messages = warning;
SET max_parallel_workers_per_gather = 0;

CREATE TABLE clicks AS
SELECT i, ((i * 48271) % 65521) / 65521.0 <
		  1 / (1 + exp(-(-1.5 + x1 - 0.5 * x2 + 0.8 * coalesce(page = 'b', false)::int + 0.4 * (x3 IS NULL)::int))) AS buys,
	   x1, x2, x3, page, member, at, 1 + i % 3 AS w
FROM (SELECT i, ((i * 7919) % 10007) / 2000.0::float8 AS x1, ((i * 104729) % 10009) / 2000.0::float8 AS x2,
			 CASE WHEN (i + i / 100) % 6 > 0 THEN ((i * 15485863) % 997)::int END AS x3,
			 CASE WHEN i % 11 > 0 THEN (ARRAY['a', 'b', 'cc', 'd', 'd', 'b', 'd'])[1 + (i * 31 + i / 7) % 7] END AS page,
			 (i * 17) % 7 < 3 AS member, 1.7e9 + (i * 32452843) % 86400 AS at
	  FROM generate_series(1::bigint, 20000) i) s;
ANALYZE clicks;

-- no penalty: the gradient of the mean loss, columns centred and divided by their deviation
SELECT status, rows, features FROM dmp.train('fit_plain', 'SELECT buys, x1, x2, at FROM clicks', 'buys');
CREATE FUNCTION gradient(name text, OUT worst float8) LANGUAGE sql AS $$
	SELECT max(abs(g)) FROM (
		SELECT unnest(ARRAY[avg(r), avg(r * (x1 - m1)) / s1, avg(r * (x2 - m2)) / s2, avg(r * (at - m3)) / s3]) AS g
		FROM (SELECT dmp.predict(name, c) - buys::int AS r, x1, x2, at FROM clicks c) p,
			 (SELECT avg(x1) AS m1, avg(x2) AS m2, avg(at) AS m3, stddev_pop(x1) AS s1, stddev_pop(x2) AS s2, stddev_pop(at) AS s3
			  FROM clicks) m
		GROUP BY s1, s2, s3) g
$$;
SELECT gradient('fit_plain') <= 1e-9 AS optimum;
SELECT scans, kkt_residual <= 1e-9 AS kkt FROM dmp.models WHERE model = 'fit_plain';

-- elastic net: |gradient + ridge| = lambda alpha where a coefficient stands, and at most that where none does
SELECT status FROM dmp.train('fit_net', 'SELECT buys, x1, x2, at FROM clicks', 'buys', lambda => 0.05, alpha => 0.7);
SELECT feature, coef = 0 AS removed,
	   CASE WHEN coef = 0 THEN abs(g) <= 0.05 * 0.7 + 1e-9
			ELSE abs(g + 0.05 * (0.7 * sign(coef) + 0.3 * s * coef)) <= 1e-9 END AS condition
FROM (SELECT feature, coef, s, g FROM dmp.coefficients JOIN (
		SELECT unnest(ARRAY['x1', 'x2', 'at']) AS feature,
			   unnest(ARRAY[stddev_pop(x1), stddev_pop(x2), stddev_pop(at)]) AS s,
			   unnest(ARRAY[avg(r * x1) / stddev_pop(x1), avg(r * x2) / stddev_pop(x2), avg(r * (at - 1.7e9)) / stddev_pop(at)]) AS g
		FROM (SELECT dmp.predict('fit_net', c) - buys::int AS r, x1, x2, at FROM clicks c) p) e USING (feature)
	  WHERE model = 'fit_net') c
ORDER BY feature;
-- the least penalty that removes everything: at it nothing is left, below it something
SELECT status, features FROM dmp.train('fit_edge', 'SELECT buys, x1, x2 FROM clicks', 'buys', lambda => 0.01, alpha => 1);
SELECT abs(lambda_max / greatest(abs(covar_pop(x1, buys::int) / stddev_pop(x1)), abs(covar_pop(x2, buys::int) / stddev_pop(x2))) - 1) < 1e-12
	   AS lambda_max
FROM dmp.models, clicks WHERE model = 'fit_edge' GROUP BY lambda_max;

-- a weight of 2 is a row twice
SELECT status FROM dmp.train('fit_weighted', 'SELECT buys, x1, x2, w FROM clicks', 'buys', weight => 'w');
SELECT status FROM dmp.train('fit_repeated', 'SELECT buys, x1, x2 FROM clicks, generate_series(1, w)', 'buys');
SELECT a.feature, abs(a.coef - b.coef) < 1e-9 AS coef, abs(a.std_err - b.std_err) < 1e-8 AS std_err
FROM dmp.coefficients a JOIN dmp.coefficients b USING (feature) WHERE a.model = 'fit_weighted' AND b.model = 'fit_repeated' ORDER BY 1;

-- texts, missing values, booleans: every way through the scans ends at one optimum
CREATE TABLE ways (way text, lambda float8, feature text, level text, coef float8, std_err float8);
CREATE FUNCTION way(way text, lambda float8) RETURNS text LANGUAGE plpgsql AS $$
DECLARE s text;
BEGIN
	SELECT status INTO s FROM dmp.train('fit_way', 'SELECT buys, x1, x2, x3, page, member, at, i FROM clicks', 'buys', key => '{i}',
		lambda => way.lambda, alpha => CASE WHEN way.lambda > 0 THEN 0.5 ELSE 0 END, test_fraction => 0.2);
	INSERT INTO ways SELECT way.way, way.lambda, c.feature, c.level, c.coef, c.std_err FROM dmp.coefficients c WHERE model = 'fit_way'
		AND version = (SELECT max(version) FROM dmp.models WHERE model = 'fit_way');
	RETURN s || ', ' || (SELECT rows || ' + ' || rows_test FROM dmp.models WHERE model = 'fit_way' ORDER BY version DESC LIMIT 1);
END $$;
SELECT way('serial', 0), way('serial', 0.001);
SET dmp.training_memory = '1MB';
SELECT way('little memory', 0), way('little memory', 0.001);
SET max_parallel_workers_per_gather = 2;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SELECT way('little memory, workers', 0), way('little memory, workers', 0.001);
RESET dmp.training_memory;
SELECT way('workers', 0), way('workers', 0.001);
SELECT w.way, lambda, count(*), max(abs(w.coef - s.coef) / greatest(1e-6, abs(s.coef))) < 1e-6 AS coef,
	   bool_and(w.std_err IS NULL AND s.std_err IS NULL OR abs(w.std_err / s.std_err - 1) < 1e-5) AS std_err
FROM ways w JOIN ways s USING (lambda, feature) WHERE s.way = 'serial' AND w.level IS NOT DISTINCT FROM s.level
GROUP BY 1, 2 ORDER BY 1, 2;
-- numbers alone: every process keeps a polynomial of its rows, and one scan more is exact
CREATE TABLE fit_rows AS
SELECT ((i * 48271) % 65521) / 65521.0 < 1 / (1 + exp(-(-1.5 + x1 - 0.5 * x2))) AS buys, x1, x2, at
FROM (SELECT i, ((i * 7919) % 100003) / 20000.0::float8 AS x1, ((i * 104729) % 100019) / 20000.0::float8 AS x2,
			 1.7e9 + (i * 32452843) % 86400 AS at
	  FROM generate_series(1::bigint, 350000) i) s;
ANALYZE fit_rows;
SELECT status FROM dmp.train('fit_workers', 'SELECT buys, x1, x2, at FROM fit_rows', 'buys');
SELECT scans BETWEEN 2 AND 3 AS scans, kkt_residual <= 1e-9 AS kkt FROM dmp.models WHERE model = 'fit_workers';
SET max_parallel_workers_per_gather = 0;
SELECT status FROM dmp.train('fit_alone', 'SELECT buys, x1, x2, at FROM fit_rows', 'buys');
SELECT scans FROM dmp.models WHERE model = 'fit_alone';
SELECT max(abs(ln(a / (1 - a)) - ln(b / (1 - b)))) < 1e-9 AS margins
FROM (SELECT dmp.predict('fit_alone', c) AS a, dmp.predict('fit_workers', c) AS b FROM clicks c) p;
SELECT abs(a.roc_auc - b.roc_auc) < 1e-5 AS roc_auc, abs(a.log_loss - b.log_loss) < 1e-12 AS log_loss
FROM dmp.models a, dmp.models b WHERE a.model = 'fit_alone' AND b.model = 'fit_workers';

-- glmnet(x, y, "binomial", alpha = 0.7, lambda = 0.01, thresh = 1e-20) gives -1.12224428238, 0.888741550124, -0.432686928773
SELECT status FROM dmp.train('fit_glmnet', 'SELECT buys, x1, x2 FROM clicks', 'buys', lambda => 0.01, alpha => 0.7);
SELECT feature, coef::numeric(12,8) FROM dmp.coefficients WHERE model = 'fit_glmnet' ORDER BY 1;

-- 1,500 columns
DO $$ BEGIN
	EXECUTE (SELECT format('CREATE TABLE wide AS SELECT (i * 48271) %% 65521 < 30000 AS y, %s FROM generate_series(1::bigint, 300) i',
						   string_agg(format('((i * (%s * 7919 + 13)) %% 1009)::int2 AS x%s', k, k), ', '))
			 FROM generate_series(1, 1500) k);
END $$;
SELECT status, rows, features FROM dmp.train('fit_wide', 'wide', 'y', lambda => 0.05, alpha => 0.5);
SELECT kkt_residual <= 1e-8 AS kkt, scans FROM dmp.models WHERE model = 'fit_wide';
SELECT status, rows, features FROM dmp.train('fit_wide0', 'wide', 'y');

-- the machinery refuses what is none of its own
SELECT dmp_internal.train_scan('\x00'::bytea, 1, 1, 1, NULL, 1.0::float8);
SELECT dmp_internal.train_scan(NULL, 1, 1, 1, NULL, 1.0::float8);
SELECT dmp_internal.train_scan_any(NULL, '\x00', 1, 1, 1, NULL, 1.0::float8);
SELECT dmp_internal.train_scan_final('01000100040302010000000000000000');
SELECT dmp_internal.train_scan_combine('0100010004030201000000000000000000000000', NULL);

DROP FUNCTION gradient, way;
DROP TABLE clicks, fit_rows, ways, wide;
SELECT dmp.drop_model(model) FROM (SELECT DISTINCT model FROM dmp.models WHERE model LIKE 'fit\_%') m ORDER BY model COLLATE "C";
