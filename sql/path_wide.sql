-- n_lambdas and cv with several classes and hashed columns
SET client_min_messages = error;
CREATE EXTENSION IF NOT EXISTS dmp;
\pset format unaligned

CREATE FUNCTION widepath_u(i bigint, what text) RETURNS float8 LANGUAGE sql IMMUTABLE PARALLEL SAFE
	AS $$ SELECT ('x' || substr(md5(i::text || what), 1, 8))::bit(32)::bigint / 4294967296.0::float8 $$;
CREATE TABLE widepath_rows AS
	SELECT i AS id, a AS x1, 100 * a + 300 * b AS x2, c < 0.4 AS x3, 1 + i % 4 AS fold, 0.5 + d AS w,
		CASE WHEN a + 0.7 * e > 1 THEN 'high' WHEN b + 0.7 * e + (c < 0.4)::int * 0.4 > 1 THEN 'mid' ELSE 'low' END AS class,
		a + 0.7 * e > 0.8 AS y, 3 + 2 * a - b + e AS z, floor(exp(0.3 + a) * -ln(1 - e))::int AS n,
		concat_ws(' ', 'word' || floor(40 * a), 'word' || floor(30 * b), 'the') AS words, 'v' || floor(60 * a) AS v
	FROM (SELECT i, widepath_u(i, 'a') AS a, widepath_u(i, 'b') AS b, widepath_u(i, 'c') AS c, widepath_u(i, 'd') AS d, widepath_u(i, 'e') AS e
		FROM generate_series(1, 600) AS i) AS u;

-- what the path says against fits of their own: at each lambda, of all rows and without each fold.
-- args: what dmp.train is given beside model, query, target and lambda; loss: of a row t by model widepath_one
CREATE TABLE widepath_brute (lambda float8, fold int, weight float8, loss float8);
CREATE FUNCTION widepath_check(name text, target text, args text, loss text, weight text, digits float8)
	RETURNS TABLE (points bigint, loss_right boolean, cv_right boolean, std_err_right boolean, solved boolean, chosen boolean) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
	l float8;
	f int;
BEGIN
	TRUNCATE widepath_brute;
	FOR l IN SELECT lambda FROM dmp.path WHERE model = name LOOP
		FOR f IN 0 .. 4 LOOP
			EXECUTE format('SELECT dmp.train(''widepath_one'', %L, %L, lambda => %L::float8, %s)', format('SELECT * FROM widepath_rows WHERE fold <> %s', f), target, l, args);
			EXECUTE format('INSERT INTO widepath_brute SELECT %L, %s, sum(%s), sum(%3$s * (%s)) / sum(%3$s) FROM widepath_rows AS t WHERE %2$s IN (0, fold)', l, f, weight, loss);
			PERFORM dmp.drop_model('widepath_one');
		END LOOP;
	END LOOP;
	RETURN QUERY WITH m AS (SELECT lambda, sum(weight * b.loss) / sum(weight) AS mean FROM widepath_brute AS b WHERE fold > 0 GROUP BY 1),
		v AS (SELECT lambda, mean, sqrt(sum(weight * (b.loss - mean) ^ 2) / sum(weight) / 3) AS std_err FROM m JOIN widepath_brute AS b USING (lambda) WHERE fold > 0 GROUP BY 1, 2)
		SELECT count(*), max(abs(p.log_loss - b.loss)) < digits, max(abs(p.cv_log_loss - v.mean)) < digits, max(abs(p.cv_std_err - v.std_err)) < digits,
			count(*) FILTER (WHERE p.kkt_residual > 1e-6) = 0 OR digits > 1e-6,
			(array_agg(p.position ORDER BY v.mean))[1] = max(p.position) FILTER (WHERE p.selected)
		FROM dmp.path AS p JOIN v USING (lambda) JOIN widepath_brute AS b USING (lambda) WHERE p.model = name AND b.fold = 0;
END $$;

-- three classes, lasso and ridge, weights
SELECT status, warnings FROM dmp.train('widepath_net', 'widepath_rows', 'class', alpha => 0.5, cv => 4, features => '{x1,x2,x3}', weight => 'w', options => '{"lambdas": [0.1, 0.02, 0.003], "fold_column": "fold"}');
SELECT * FROM widepath_check('widepath_net', 'class', 'alpha => 0.5, features => ''{x1,x2,x3}'', weight => ''w''', '-ln((dmp.class_probabilities(''widepath_one'', t) ->> class)::float8)', 'w', 1e-6);
SELECT p.lambda = m.lambda AS lambda, round(p.log_loss::numeric, 12) = round(m.log_loss::numeric, 12) AS log_loss, p.cv_log_loss = m.cv_log_loss AS cv, p.kkt_residual = m.kkt_residual AND m.kkt_residual < 1e-8 AS finished
FROM dmp.path p JOIN dmp.models m USING (model) WHERE model = 'widepath_net' AND p.selected;
SELECT metric, value > 0 AS there FROM dmp.model_metrics WHERE model = 'widepath_net' AND dataset = 'cv' ORDER BY 1;
-- the model is that of its lambda alone
DO $$ BEGIN PERFORM dmp.train('widepath_alone', 'widepath_rows', 'class', lambda => (SELECT lambda FROM dmp.models WHERE model = 'widepath_net'), alpha => 0.5, features => '{x1,x2,x3}', weight => 'w'); END $$;
SELECT max(abs(a.coef - b.coef)) < 1e-6 AS same, count(*) FROM dmp.coefficients a JOIN dmp.coefficients b USING (feature, class) WHERE a.model = 'widepath_net' AND b.model = 'widepath_alone';
SELECT count(*) FROM dmp.path_coefficients WHERE model = 'widepath_net';
-- the scale of the penalty as in glmnet and in scikit-learn
SELECT status FROM dmp.train('widepath_all', 'widepath_rows', 'class', cv => 4, features => '{x1,x2}', options => '{"lambdas": [0.1, 0.01], "fold_column": "fold", "compat": "glmnet"}');
SELECT * FROM widepath_check('widepath_all', 'class', 'features => ''{x1,x2}'', options => ''{"compat": "glmnet"}''', '-ln((dmp.class_probabilities(''widepath_one'', t) ->> class)::float8)', '1', 1e-6);
SELECT status FROM dmp.train('widepath_none', 'widepath_rows', 'class', cv => 4, features => '{x1,x3}', options => '{"lambdas": [0.1, 0.01], "fold_column": "fold", "standardize": "none"}');
SELECT * FROM widepath_check('widepath_none', 'class', 'features => ''{x1,x3}'', options => ''{"standardize": "none"}''', '-ln((dmp.class_probabilities(''widepath_one'', t) ->> class)::float8)', '1', 1e-6);

-- from lambda_max, where nothing is left, down
SELECT status, warnings FROM dmp.train('widepath_lasso', 'widepath_rows', 'class', alpha => 1, n_lambdas => 25, features => '{x1,x2,x3}');
SELECT position, nonzero, round(deviance_ratio::numeric, 3) AS ratio, chosen FROM dmp.path WHERE model = 'widepath_lasso' AND (position < 4 OR selected) ORDER BY position;
SELECT count(DISTINCT round((ln(a.lambda) - ln(b.lambda))::numeric, 9)) = 1 AS even, max(a.kkt_residual) <= 1e-7 AS solved, bool_and(b.log_loss < a.log_loss) AS falls, round(max(a.lambda)::numeric, 12) = round((SELECT lambda_max FROM dmp.models WHERE model = 'widepath_lasso')::numeric, 12) AS from_lambda_max
FROM dmp.path a JOIN dmp.path b ON a.model = b.model AND b.position = a.position + 1 WHERE a.model = 'widepath_lasso';
-- what is not penalised is there from the first on
SELECT status FROM dmp.train('widepath_free', 'widepath_rows', 'class', alpha => 1, n_lambdas => 10, tolerance => 1e-7, features => '{x1,x2,x3}', options => '{"penalty_factor": {"x1": 0}}');
SELECT position, nonzero FROM dmp.path WHERE model = 'widepath_free' AND position <= 2 ORDER BY 1;
-- test rows choose; the largest lambda within a standard error
SELECT status, warnings FROM dmp.train('widepath_test', 'widepath_rows', 'class', alpha => 1, n_lambdas => 15, test_fraction => 0.3, key => '{id}', features => '{x1,x2,x3}');
SELECT position = (SELECT position FROM dmp.path WHERE model = 'widepath_test' ORDER BY test_log_loss LIMIT 1) AS best, chosen, round(test_log_loss::numeric, 12) = (SELECT round(test_log_loss::numeric, 12) FROM dmp.models WHERE model = 'widepath_test') AS told
FROM dmp.path WHERE model = 'widepath_test' AND selected;
SELECT status FROM dmp.train('widepath_1se', 'widepath_rows', 'class', alpha => 1, n_lambdas => 15, cv => 3, test_fraction => 0.2, key => '{id}', features => '{x1,x2,x3}', options => '{"select": "1se"}');
SELECT bool_and(chosen = '1se') FILTER (WHERE selected) AS selected, min(position) FILTER (WHERE cv_log_loss <= (SELECT cv_high FROM dmp.path WHERE model = 'widepath_1se' AND chosen = 'min')) = min(position) FILTER (WHERE chosen = '1se') AS right_one, count(test_log_loss) > 5 AS test
FROM dmp.path WHERE model = 'widepath_1se';
-- one lambda: its metrics only
SELECT status FROM dmp.train('widepath_single', 'widepath_rows', 'class', lambda => 0.02, alpha => 0.5, cv => 4, features => '{x1,x2,x3}', weight => 'w', options => '{"fold_column": "fold"}');
SELECT position, lambda, selected, abs(cv_log_loss - (SELECT cv_log_loss FROM dmp.path WHERE model = 'widepath_net' AND position = 2)) < 1e-8 AS same FROM dmp.path WHERE model = 'widepath_single';

-- hashed values: every value of every fold is a column, whatever rows are left out
SELECT status FROM dmp.train('widepath_hash', 'widepath_rows', 'y', cv => 4, features => '{x2,v}', options => '{"lambdas": [0.1, 0.01, 0.001], "fold_column": "fold", "encode": {"v": "hash"}}');
SELECT * FROM widepath_check('widepath_hash', 'y', 'features => ''{x2,v}'', options => ''{"encode": {"v": "hash"}}''', 'ln(1 + exp(dmp.margin(''widepath_one'', t))) - y::int * dmp.margin(''widepath_one'', t)', '1', 1e-4);
-- ... and so against its values as levels, which are solved exactly
SELECT status FROM dmp.train('widepath_levels', 'widepath_rows', 'y', cv => 4, features => '{x2,v}', options => '{"lambdas": [0.1, 0.01, 0.001], "fold_column": "fold", "min_count": 1, "encode": {"v": "one_hot"}}');
SELECT l.lambda, abs(l.log_loss - h.log_loss) < 1e-5 AS log_loss, abs(l.cv_log_loss - h.cv_log_loss) < 5e-5 AS cv, l.chosen = h.chosen OR l.chosen IS NULL AND h.chosen IS NULL AS chosen
FROM dmp.path l JOIN dmp.path h USING (position) WHERE l.model = 'widepath_levels' AND h.model = 'widepath_hash' ORDER BY position;
SELECT status FROM dmp.train('widepath_hash1', 'widepath_rows', 'y', lambda => 0.01, cv => 4, features => '{x2,v}', options => '{"fold_column": "fold", "encode": {"v": "hash"}}');
SELECT abs(cv_log_loss - (SELECT cv_log_loss FROM dmp.path WHERE model = 'widepath_hash' AND position = 2)) < 1e-5 AS same FROM dmp.path WHERE model = 'widepath_hash1';
-- of numbers and of counts: half the mean deviance
SELECT status FROM dmp.train('widepath_number', 'widepath_rows', 'z', family => 'gaussian', alpha => 0.5, cv => 4, features => '{x2,v}', options => '{"lambdas": [0.1, 0.01], "fold_column": "fold", "compat": "glmnet", "encode": {"v": "hash"}}');
SELECT * FROM widepath_check('widepath_number', 'z', 'family => ''gaussian'', alpha => 0.5, features => ''{x2,v}'', options => ''{"compat": "glmnet", "encode": {"v": "hash"}}''', '(z - dmp.margin(''widepath_one'', t)) ^ 2 / 2', '1', 1e-4);
SELECT status FROM dmp.train('widepath_count', 'widepath_rows', 'n', family => 'poisson', cv => 4, features => '{x2,v}', options => '{"lambdas": [0.1, 0.01], "fold_column": "fold", "encode": {"v": "hash"}}');
SELECT * FROM widepath_check('widepath_count', 'n', 'family => ''poisson'', features => ''{x2,v}'', options => ''{"encode": {"v": "hash"}}''', 'exp(dmp.margin(''widepath_one'', t)) - n * dmp.margin(''widepath_one'', t) - n + CASE WHEN n > 0 THEN n * ln(n) ELSE 0 END', '1', 1e-4);
-- n-grams, lambdas of their own
SELECT status, warnings FROM dmp.train('widepath_text', 'widepath_rows', 'class', cv => 4, n_lambdas => 12, features => '{words}', options => '{"fold_column": "fold", "encode": {"words": "ngrams"}}');
SELECT count(*) > 5 AS points, count(*) FILTER (WHERE selected AND chosen LIKE 'min%') AS min, min(cv_log_loss) < (SELECT null_log_loss FROM dmp.models WHERE model = 'widepath_text') AS learned,
	bool_and(abs(log_loss - (SELECT log_loss FROM dmp.models WHERE model = 'widepath_text')) < 1e-9) FILTER (WHERE selected) AS told FROM dmp.path WHERE model = 'widepath_text';
-- rows in a temporary file give the same
CREATE TABLE widepath_more AS SELECT id * 100 + k AS id, x1, x2 + k AS x2, x3, x1 * k AS x4, x2 * k AS x5, fold, class FROM widepath_rows, generate_series(1, 25) AS k;
SELECT status, warnings FROM dmp.train('widepath_more', 'widepath_more', 'class', cv => 4, exclude => '{id}', key => '{id}', options => '{"lambdas": [0.1, 0.01], "fold_column": "fold"}');
SET dmp.training_memory = '1MB';
SELECT status, warnings FROM dmp.train('widepath_more', 'widepath_more', 'class', cv => 4, exclude => '{id}', key => '{id}', options => '{"lambdas": [0.1, 0.01], "fold_column": "fold"}');
RESET dmp.training_memory;
SELECT position, max(cv_log_loss) - min(cv_log_loss) < 1e-12 AS cv, max(log_loss) - min(log_loss) < 1e-12 AS log_loss FROM dmp.path WHERE model = 'widepath_more' GROUP BY 1 ORDER BY 1;

-- what goes with what
SELECT * FROM dmp.train('widepath_bad', 'widepath_rows', 'class', cv => 4, lambda => 1, n_lambdas => 5);
SELECT * FROM dmp.train('widepath_bad', 'widepath_rows', 'class', cv => 5, features => '{x1}', options => '{"fold_column": "fold"}');
SELECT * FROM dmp.train('widepath_bad', 'SELECT x3, class FROM widepath_rows', 'class', cv => 20, n_lambdas => 3);
SELECT * FROM dmp.train('widepath_bad', 'SELECT x1, class, CASE WHEN class = ''mid'' THEN 1 ELSE id % 3 + 2 END AS f FROM widepath_rows', 'class', cv => 4, n_lambdas => 3, options => '{"fold_column": "f"}');
SELECT * FROM dmp.train('widepath_bad', 'widepath_rows', 'class', cv => 4, features => '{x1}', options => '{"compat": "spark"}');
SELECT * FROM dmp.train('widepath_bad', 'widepath_rows', 'class', n_lambdas => 4, features => '{x1}', by => '{fold}');
SELECT count(*) FROM dmp.models WHERE model = 'widepath_bad';

SELECT count(d.*) FROM (SELECT DISTINCT model FROM dmp.models WHERE model LIKE 'widepath\_%') m, dmp.drop_model(m.model) AS d;
DROP TABLE widepath_rows, widepath_brute, widepath_more;
DROP FUNCTION widepath_u, widepath_check;
