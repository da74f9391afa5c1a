-- n_lambdas, cv, and what chooses among them
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS dmp;
\pset format unaligned

-- numbers from 0 to 1 that look random and are the same everywhere
CREATE FUNCTION path_u(i bigint, what text) RETURNS float8 LANGUAGE sql IMMUTABLE PARALLEL SAFE
	AS $$ SELECT ('x' || substr(md5(i::text || what), 1, 8))::bit(32)::bigint / 4294967296.0::float8 $$;
CREATE TABLE path_few AS
	SELECT i AS id, a AS x1, a * 0.1 + b AS x2, 1e9 + 3e3 * c AS x3, d < 0.3 AS x4, e AS x5, 1 + i % 5 AS fold, i % 40 AS person, 0.5 + f AS w,
		path_u(i, 'y') < 1 / (1 + exp(1 - 2 * a + b - c - (d < 0.3)::int)) AS y
	FROM (SELECT i, path_u(i, 'a') AS a, path_u(i, 'b') AS b, path_u(i, 'c') AS c, path_u(i, 'd') AS d, path_u(i, 'e') AS e, path_u(i, 'f') AS f
		FROM generate_series(1, 1500) AS i) AS u;

-- the optimality conditions and the loss of each point, from the rows
CREATE FUNCTION path_check(name text, relation text, columns text[], indicators text[], weight text, alpha float8)
	RETURNS TABLE (points bigint, worst_violation_below_1e_6 boolean, told_below_1e_6 boolean, loss_right boolean) LANGUAGE plpgsql AS $$
DECLARE
	p record;
	eta text;
	sql text;
	g float8;
	g0 float8;
	loss float8;
	worst float8 := 0;
	off float8 := 0;
	c text;
	s float8;
	m float8;
	total float8;
	coef float8;
	scale float8;
BEGIN
	FOR p IN SELECT position, lambda, log_loss, kkt_residual FROM dmp.path WHERE model = name LOOP
		SELECT string_agg(CASE feature WHEN '(intercept)' THEN format('%L::float8', k.coef)
			ELSE format('%L::float8 * %I::%s', k.coef, feature, CASE WHEN feature = ANY (indicators) THEN 'int' ELSE 'float8' END) END, ' + '
			ORDER BY feature = '(intercept)' DESC) INTO eta FROM dmp.path_coefficients AS k WHERE model = name AND k.position = p.position;
		sql := format('FROM (SELECT *, (%s)::float8 AS w_, y::int AS y_, %s AS m_ FROM %I) AS t', weight, eta, relation);
		EXECUTE 'SELECT sum(w_), sum(w_ * (1 / (1 + exp(-m_)) - y_)) / sum(w_), sum(w_ * (ln(1 + exp(m_)) - y_ * m_)) / sum(w_) ' || sql INTO total, g0, loss;
		worst := greatest(worst, abs(g0));
		off := greatest(off, abs(loss - p.log_loss));
		FOREACH c IN ARRAY columns LOOP
			EXECUTE format('SELECT sum(w_ * %1$s) / sum(w_) ', CASE WHEN c = ANY (indicators) THEN c || '::int' ELSE c END) || sql INTO m;
			EXECUTE format('SELECT sqrt(sum(w_ * (%1$s - %2$L::float8) ^ 2) / sum(w_)), sum(w_ * (1 / (1 + exp(-m_)) - y_) * (%1$s - %2$L::float8)) / sum(w_) ',
				CASE WHEN c = ANY (indicators) THEN c || '::int' ELSE c END, m) || sql INTO s, g;
			SELECT k.coef INTO coef FROM dmp.path_coefficients AS k WHERE model = name AND k.position = p.position AND feature = c;
			scale := CASE WHEN c = ANY (indicators) THEN 1 ELSE s END;
			g := g + p.lambda * (1 - alpha) * scale ^ 2 * coef;
			g := CASE WHEN coef <> 0 THEN abs(g + sign(coef) * p.lambda * alpha * scale) ELSE greatest(abs(g) - p.lambda * alpha * scale, 0) END / s;
			worst := greatest(worst, g);
		END LOOP;
	END LOOP;
	RETURN QUERY SELECT count(*), worst < 1e-6, max(kkt_residual) < 1e-6, off < 1e-9 FROM dmp.path WHERE model = name;
END $$;

-- a path: from the lambda at which nothing is left, down
SELECT model, version, deployed, status, warnings FROM dmp.train('path_lasso', 'path_few', 'y', alpha => 1, n_lambdas => 30, features => '{x1,x2,x3,x4,x5}');
SELECT * FROM path_check('path_lasso', 'path_few', '{x1,x2,x3,x4,x5}', '{x4}', '1', 1);
SELECT position, nonzero, round(deviance_ratio::numeric, 4) AS ratio, chosen, selected FROM dmp.path WHERE model = 'path_lasso' AND position IN (1, 2, 5, 10, 20) OR model = 'path_lasso' AND selected ORDER BY position;
SELECT count(DISTINCT round((ln(a.lambda) - ln(b.lambda))::numeric, 9)) = 1 AS even
FROM dmp.path a JOIN dmp.path b ON a.model = b.model AND b.position = a.position + 1 WHERE a.model = 'path_lasso';
SELECT m.lambda = p.lambda AS lambda, m.log_loss = p.log_loss AS log_loss, bool_and(c.coef = k.coef) AS coefficients, bool_and(c.std_err IS NULL) AS no_errors
FROM dmp.models m JOIN dmp.path p USING (model, version) JOIN dmp.path_coefficients k USING (model, version, position) JOIN dmp.coefficients c USING (model, version, feature)
WHERE model = 'path_lasso' AND p.selected GROUP BY 1, 2;
SELECT status FROM dmp.train('path_ridge', 'path_few', 'y', n_lambdas => 20, weight => 'w', features => '{x1,x2,x3,x4,x5}');
SELECT * FROM path_check('path_ridge', 'path_few', '{x1,x2,x3,x4,x5}', '{x4}', 'w', 0);
-- test rows choose, and say so
SELECT status, test_roc_auc IS NOT NULL AS test, warnings FROM dmp.train('path_test', 'path_few', 'y', alpha => 0.5, n_lambdas => 20, test_fraction => 0.3, key => '{id}', exclude => '{fold,person,w}');
SELECT position = (SELECT position FROM dmp.path WHERE model = 'path_test' ORDER BY test_log_loss LIMIT 1) AS best, chosen,
	round(test_log_loss::numeric, 12) = (SELECT round(test_log_loss::numeric, 12) FROM dmp.models WHERE model = 'path_test') AS told FROM dmp.path WHERE model = 'path_test' AND selected;
-- lambdas as they are given
SELECT status FROM dmp.train('path_given', 'path_few', 'y', alpha => 1, features => '{x1,x2,x3,x4,x5}', options => '{"lambdas": [0.001, 0.1, 0.01]}');
SELECT position, lambda, nonzero, chosen FROM dmp.path WHERE model = 'path_given' ORDER BY position;
SELECT * FROM path_check('path_given', 'path_few', '{x1,x2,x3,x4,x5}', '{x4}', '1', 1);

-- cross-validation against each fold trained by itself
SELECT status FROM dmp.train('path_cv', 'path_few', 'y', alpha => 0.5, cv => 5, features => '{x1,x2,x3,x5}', weight => 'w', tolerance => 1e-12, options => '{"lambdas": [0.1, 0.03, 0.003], "fold_column": "fold"}');
CREATE TABLE path_brute (fold int, lambda float8, weight float8, loss float8);
CREATE FUNCTION path_fold(f int, l float8) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	PERFORM dmp.train('path_fold', format('SELECT * FROM path_few WHERE fold <> %s', f), 'y', lambda => l, alpha => 0.5, features => '{x1,x2,x3,x5}', weight => 'w', tolerance => 1e-12);
	INSERT INTO path_brute SELECT f, l, sum(w), sum(w * (ln(1 + exp(m)) - y::int * m)) / sum(w)
		FROM (SELECT y, w, dmp.margin('path_fold', t) AS m FROM path_few AS t WHERE fold = f) AS s;
	PERFORM dmp.drop_model('path_fold');
END $$;
SELECT count(path_fold(f, l)) FROM generate_series(1, 5) AS f, unnest('{0.1,0.03,0.003}'::float8[]) AS l;
WITH m AS (SELECT lambda, sum(weight * loss) / sum(weight) AS mean FROM path_brute GROUP BY 1),
	v AS (SELECT lambda, mean, sqrt(sum(weight * (loss - mean) ^ 2) / sum(weight) / 4) AS std_err FROM m JOIN path_brute USING (lambda) GROUP BY 1, 2)
SELECT p.lambda, abs(cv_log_loss - mean) < 1e-9 AS mean, abs(cv_std_err - std_err) < 1e-9 AS std_err, abs(cv_high - mean - std_err) < 1e-9 AS high, p.chosen FROM dmp.path p JOIN v USING (lambda) WHERE model = 'path_cv' ORDER BY position;
SELECT metric, round(value::numeric, 6) AS value FROM dmp.model_metrics WHERE model = 'path_cv' AND dataset = 'cv' ORDER BY 1;
-- one lambda: its metrics only
SELECT status FROM dmp.train('path_one', 'path_few', 'y', lambda => 0.03, alpha => 0.5, cv => 5, features => '{x1,x2,x3,x5}', weight => 'w', tolerance => 1e-12, options => '{"fold_column": "fold"}');
SELECT position, lambda, chosen, abs(cv_log_loss - (SELECT cv_log_loss FROM dmp.path WHERE model = 'path_cv' AND position = 2)) < 1e-9 AS same FROM dmp.path WHERE model = 'path_one';
-- ... also without a penalty; roc_auc is of rows by the fit without their fold
SELECT status FROM dmp.train('path_plain', 'path_few', 'y', lambda => 0, cv => 5, features => '{x1,x2,x5}', options => '{"fold_column": "fold"}');
CREATE TABLE path_margin (m float8, y boolean);
DO $$
BEGIN
	FOR f IN 1 .. 5 LOOP
		PERFORM dmp.train('path_fold', format('SELECT * FROM path_few WHERE fold <> %s', f), 'y', lambda => 0, features => '{x1,x2,x5}');
		INSERT INTO path_margin SELECT dmp.margin('path_fold', t), y FROM path_few AS t WHERE fold = f;
	END LOOP;
END $$;
SELECT abs(cv_roc_auc - (SELECT dmp.roc_auc(m, y) FROM path_margin)) < 1e-12 AS roc_auc, abs(cv_log_loss - (SELECT avg(ln(1 + exp(m)) - y::int * m) FROM path_margin)) < 1e-9 AS log_loss,
	(SELECT count(std_err) FROM dmp.coefficients WHERE model = 'path_plain') AS errors FROM dmp.models WHERE model = 'path_plain';
-- the largest lambda within a standard error
SELECT status FROM dmp.train('path_1se', 'path_few', 'y', alpha => 1, cv => 5, exclude => '{id,fold,person,w}', options => '{"select": "1se"}');
SELECT count(*) > 20 AS hundred_asked, count(*) FILTER (WHERE chosen = 'min') AS min, bool_and(chosen = '1se') FILTER (WHERE selected) AS selected,
	(min(position) FILTER (WHERE cv_log_loss <= (SELECT cv_high FROM dmp.path WHERE model = 'path_1se' AND chosen = 'min'))) = min(position) FILTER (WHERE chosen = '1se') AS right_one
FROM dmp.path WHERE model = 'path_1se';
-- a person's rows stay together: every fold's rows are whole persons, whatever the order and the plan
SELECT status, warnings FROM dmp.train('path_person', 'path_few', 'y', lambda => 0.01, cv => 4, exclude => '{id,fold,w}', options => '{"fold_column": "person"}');
SELECT status FROM dmp.train('path_person', 'SELECT * FROM path_few ORDER BY x5', 'y', lambda => 0.01, cv => 4, exclude => '{id,fold,w}', options => '{"fold_column": "person"}');
SELECT status FROM dmp.train('path_person', 'path_few', 'y', lambda => 0.01, cv => 4, exclude => '{id,fold,w}', seed => 7, options => '{"fold_column": "person"}');
SELECT round(max(cv_log_loss)::numeric - min(cv_log_loss)::numeric, 12) AS order_moves, count(DISTINCT version) FROM dmp.models WHERE model = 'path_person' AND version < 3;
SELECT a.cv_log_loss <> b.cv_log_loss AS seed_moves FROM dmp.models a JOIN dmp.models b USING (model) WHERE model = 'path_person' AND a.version = 1 AND b.version = 3;

-- values of glmnet 4.1-6 at thresh 1e-14, x4 as a number:
-- d <- read.csv("path_few.csv"); x <- as.matrix(d[c("x1","x2","x5")])
-- cv.glmnet(x, d$y, family = "binomial", alpha = 0.5, lambda = c(0.05, 0.01, 0.002), foldid = d$fold, weights = d$w, thresh = 1e-14): cvm / 2, cvsd / 2
SELECT status FROM dmp.train('path_glmnet', 'path_few', 'y', alpha => 0.5, cv => 5, features => '{x1,x2,x5}', weight => 'w', options => '{"lambdas": [0.05, 0.01, 0.002], "fold_column": "fold", "compat": "glmnet"}');
SELECT lambda, round(cv_log_loss::numeric, 8) AS cvm, round(cv_std_err::numeric, 8) AS cvsd FROM dmp.path WHERE model = 'path_glmnet' ORDER BY position;

-- data to break on: few rows and many columns, columns nearly equal, a class of 0.1 %, copies
SELECT format('CREATE TABLE path_many AS SELECT i AS id, i %% 2 = 0 AS y, %s FROM generate_series(1, 20) AS i', string_agg(format('path_u(i, %L) AS c%s', 'c' || k, k), ', ')) FROM generate_series(1, 50) AS k \gexec
SELECT status FROM dmp.train('path_many', 'path_many', 'y', alpha => 0.9, n_lambdas => 25, key => '{id}');
SELECT * FROM path_check('path_many', 'path_many', ARRAY(SELECT 'c' || k FROM generate_series(1, 50) AS k), '{}', '1', 0.9);
SELECT round((min(lambda) / max(lambda))::numeric, 6) >= 0.01 AS ratio FROM dmp.path WHERE model = 'path_many';
SELECT status, warnings FROM dmp.train('path_many_cv', 'path_many', 'y', alpha => 0, n_lambdas => 10, cv => 4, key => '{id}');
CREATE TABLE path_twin AS SELECT x1, x1 + 0.01 * x2 AS x2, x1 - 0.01 * x5 AS x3, x5, y FROM path_few;
SELECT status FROM dmp.train('path_twin', 'path_twin', 'y', alpha => 0.5, n_lambdas => 30);
SELECT * FROM path_check('path_twin', 'path_twin', '{x1,x2,x3,x5}', '{}', '1', 0.5);
CREATE TABLE path_copies AS SELECT (i % 2 = 0) AS a, (i % 3 = 0) AS b, path_u(i, 'y') < 0.3 + 0.3 * (i % 2) AS y FROM generate_series(1, 600) AS i;
SELECT warnings FROM dmp.train('path_copies', 'path_copies', 'y', lambda => 0.01, cv => 3);
CREATE TABLE path_level AS SELECT id, x1, 'v' || (id % 7) AS v, CASE WHEN id % 11 > 0 THEN x5 END AS x5, y FROM path_few;
SELECT status FROM dmp.train('path_level', 'path_level', 'y', alpha => 0.3, cv => 3, n_lambdas => 15, key => '{id}');
SELECT count(DISTINCT (feature, level)) AS coefficients, count(DISTINCT position) AS points FROM dmp.path_coefficients WHERE model = 'path_level';

-- more rows: a sample first, then all points at once
CREATE TABLE path_rows AS
	SELECT i AS id, a - c AS x1, a + b / 10 AS x2, 1e5 * b AS x3, e AS x4, path_u(i, 'y') < 1 / (1 + exp(1 - a + b - c * e)) AS y
	FROM (SELECT i, path_u(i, 'a') AS a, path_u(i, 'b') AS b, path_u(i, 'c') AS c, path_u(i, 'e') AS e FROM generate_series(1, 52000) AS i) AS u;
SELECT status FROM dmp.train('path_rows', 'path_rows', 'y', alpha => 0.7, n_lambdas => 12, key => '{id}');
SELECT * FROM path_check('path_rows', 'path_rows', '{x1,x2,x3,x4}', '{}', '1', 0.7);
SELECT status FROM dmp.train('path_rows_cv', 'path_rows', 'y', alpha => 0.7, cv => 3, key => '{id}', options => '{"lambdas": [0.03, 0.001], "fold_column": "id"}');
-- its folds by hand
CREATE TABLE path_fold_of AS SELECT id, floor(dmp_internal.split(439956038771, id) * 3) AS fold FROM path_rows;
DO $$
BEGIN
	TRUNCATE path_margin;
	FOR f IN 0 .. 2 LOOP
		PERFORM dmp.train('path_fold', format('SELECT r.* FROM path_rows r JOIN path_fold_of USING (id) WHERE fold <> %s', f), 'y', lambda => 0.001, alpha => 0.7, key => '{id}');
		INSERT INTO path_margin SELECT dmp.margin('path_fold', t), y FROM path_rows AS t JOIN path_fold_of USING (id) WHERE fold = f;
	END LOOP;
END $$;
SELECT abs((SELECT cv_log_loss FROM dmp.path WHERE model = 'path_rows_cv' AND lambda = 0.001) - avg(ln(1 + exp(m)) - y::int * m)) < 1e-7 AS same, count(*) FROM path_margin;

-- rows past memory: a sample first, then scans of many points, with workers or without
SET dmp.training_memory = '1MB';
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
ALTER TABLE path_rows SET (parallel_workers = 2);
SELECT status FROM dmp.train('path_past', 'path_rows', 'y', alpha => 0.7, n_lambdas => 12, key => '{id}');
SELECT * FROM path_check('path_past', 'path_rows', '{x1,x2,x3,x4}', '{}', '1', 0.7);
SELECT scans BETWEEN 3 AND 8 AS scans, memory < 1500000 AS memory, kkt_residual < 1e-9 AS finished FROM dmp.models WHERE model = 'path_past';
SELECT bool_and(abs(a.log_loss - b.log_loss) < 1e-7 AND abs(a.lambda / b.lambda - 1) < 1e-9) AS same FROM dmp.path a JOIN dmp.path b USING (position) WHERE a.model = 'path_past' AND b.model = 'path_rows';
SELECT status FROM dmp.train('path_past_cv', 'path_rows', 'y', alpha => 0.7, cv => 3, key => '{id}', test_fraction => 0.2, options => '{"lambdas": [0.03, 0.001]}');
SET max_parallel_workers_per_gather = 0;
SELECT status FROM dmp.train('path_past_cv', 'path_rows', 'y', alpha => 0.7, cv => 3, key => '{id}', test_fraction => 0.2, options => '{"lambdas": [0.03, 0.001]}');
RESET dmp.training_memory;
SELECT status FROM dmp.train('path_past_cv', 'path_rows', 'y', alpha => 0.7, cv => 3, key => '{id}', test_fraction => 0.2, options => '{"lambdas": [0.03, 0.001]}');
SELECT max(cv_log_loss) - min(cv_log_loss) < 1e-5 AS cv, max(cv_std_err) - min(cv_std_err) < 1e-4 AS std_err, max(test_log_loss) - min(test_log_loss) < 1e-7 AS test, count(DISTINCT (chosen, selected)) AS choice
FROM dmp.path WHERE model = 'path_past_cv' GROUP BY position ORDER BY position;
SELECT abs(max(cv_log_loss) - min(cv_log_loss)) < 1e-12 AS parallel_is_serial FROM dmp.path WHERE model = 'path_past_cv' AND position = 2 AND version < 3;
SET dmp.training_memory = '1MB';
SELECT status FROM dmp.train('path_past_one', 'path_rows', 'y', lambda => 0.001, alpha => 0.7, cv => 3, key => '{id}');
RESET dmp.training_memory;
SELECT status FROM dmp.train('path_past_one', 'path_rows', 'y', lambda => 0.001, alpha => 0.7, cv => 3, key => '{id}');
SELECT max(cv_log_loss) - min(cv_log_loss) < 1e-5 AS cv, max(objective) - min(objective) < 1e-12 AS objective FROM dmp.models WHERE model = 'path_past_one';
RESET max_parallel_workers_per_gather;
RESET parallel_setup_cost;
RESET parallel_tuple_cost;
RESET min_parallel_table_scan_size;

-- the other families: cv.glmnet as above with family gaussian of z and poisson of n, alpha 0.5, lambda c(0.2, 0.05, 0.002), no weights; cvm and cvsd are twice these
ALTER TABLE path_few ADD z float8, ADD n int;
UPDATE path_few SET z = 3 + 2 * x1 - x2 + 0.5 * path_u(id, 'z'), n = floor(exp(0.3 + 0.8 * x1 - 0.5 * x2) * -ln(1 - path_u(id, 'n')));
SELECT status FROM dmp.train('path_gaussian', 'path_few', 'z', family => 'gaussian', alpha => 0.5, cv => 5, features => '{x1,x2,x5}', options => '{"lambdas": [0.2, 0.05, 0.002], "fold_column": "fold", "compat": "glmnet"}');
SELECT lambda, round(deviance_ratio::numeric, 8) AS ratio, round((2 * cv_log_loss)::numeric, 8) AS cvm, round((2 * cv_std_err)::numeric, 8) AS cvsd FROM dmp.path WHERE model = 'path_gaussian' ORDER BY position;
SELECT status FROM dmp.train('path_poisson', 'path_few', 'n', family => 'poisson', alpha => 0.5, cv => 5, features => '{x1,x2,x5}', options => '{"lambdas": [0.2, 0.05, 0.002], "fold_column": "fold", "compat": "glmnet"}');
SELECT lambda, round(deviance_ratio::numeric, 8) AS ratio, round((2 * cv_log_loss)::numeric, 8) AS cvm, round((2 * cv_std_err)::numeric, 8) AS cvsd FROM dmp.path WHERE model = 'path_poisson' ORDER BY position;
-- what is not penalised is there from the first lambda on; a base margin is no column of the path
SELECT status FROM dmp.train('path_factor', 'path_few', 'y', alpha => 1, n_lambdas => 20, features => '{x1,x2,x5}', options => '{"penalty_factor": {"x5": 0}, "base_margin": "w"}');
SELECT feature, coef <> 0 AS there FROM dmp.path_coefficients WHERE model = 'path_factor' AND position = 1 ORDER BY 1;
SELECT position, nonzero FROM dmp.path WHERE model = 'path_factor' AND position < 3 ORDER BY 1;

-- what goes with what
SELECT * FROM dmp.train('path_bad', 'path_few', 'y', cv => 1);
SELECT * FROM dmp.train('path_bad', 'path_few', 'y', cv => 1000);
SELECT * FROM dmp.train('path_bad', 'path_few', 'y', n_lambdas => 1);
SELECT * FROM dmp.train('path_bad', 'path_few', 'y', n_lambdas => 10, lambda => 1);
SELECT * FROM dmp.train('path_bad', 'path_few', 'y', n_lambdas => 10, options => '{"lambdas": [1]}');
SELECT * FROM dmp.train('path_bad', 'path_few', 'y', options => '{"lambdas": []}');
SELECT * FROM dmp.train('path_bad', 'path_few', 'y', options => '{"lambdas": [1, "2"]}');
SELECT * FROM dmp.train('path_bad', 'path_few', 'y', options => '{"lambdas": [1, 0]}');
SELECT * FROM dmp.train('path_bad', 'path_few', 'y', options => '{"lambdas": [1, 1.0]}');
SELECT * FROM dmp.train('path_bad', 'path_few', 'y', options => '{"fold_column": "fold"}');
SELECT * FROM dmp.train('path_bad', 'path_few', 'y', options => '{"select": "1se"}');
SELECT * FROM dmp.train('path_bad', 'path_few', 'y', cv => 5, options => '{"select": "best"}');
SELECT * FROM dmp.train('path_bad', 'path_few', 'y', cv => 6, options => '{"fold_column": "fold"}');
SELECT * FROM dmp.train('path_bad', 'path_few', 'y', cv => 5, options => '{"fold_column": "folds"}');
SELECT * FROM dmp.train('path_bad', 'path_few', 'y', cv => 3, key => '{y}', options => '{"fold_column": "x4"}');
SELECT * FROM dmp.train('path_bad', 'SELECT * FROM path_few WHERE id < 30', 'y', cv => 2, exclude => '{id}', options => '{"fold_column": "y"}');
SELECT * FROM dmp.train('path_bad', 'SELECT x4 AS a, y FROM path_few', 'y', cv => 20);
SELECT count(*) FROM dmp.models WHERE model = 'path_bad';

SELECT count(d.*) FROM (SELECT DISTINCT model FROM dmp.models WHERE model LIKE 'path\_%') m, dmp.drop_model(m.model) AS d;
DROP TABLE path_few, path_brute, path_margin, path_many, path_twin, path_copies, path_level, path_rows, path_fold_of;
DROP FUNCTION path_u, path_check, path_fold;
