-- `by` of dmp.train for numbers and counts, and with a base margin: compared with dmp.train on each group alone
SET client_min_messages = error;
CREATE TABLE groupsf_t AS
SELECT i, g, x1, x2, x3, b, w, o,
	10 * k + (1 + k) * x1 - 0.01 * coalesce(x2, 0) + sin(i * 77.7) * (1 + k) AS y,
	floor(exp(0.2 * k + 0.2 * sin(i * 1.1) + o) * (1 + abs(sin(i * 31.3))))::int AS n,
	sin(i * 1.1) + o + 2 * sin(i * 77.7) > 0 AS z
FROM (SELECT i, i % 6 AS k,
		(ARRAY['Rome', 'a, b', NULL, '', ' "; drop table groupsf_t; --', 'pooled'])[1 + i % 6] AS g,
		sin(i * 1.1) * 2 + i % 6 AS x1,
		CASE WHEN i % 13 = 0 THEN NULL ELSE cos(i * 0.7) * 100 + 5000 * (i % 6) END AS x2,
		(i * 7919 % 1000) / 10.0 AS x3,
		i % 7 < 3 AS b,
		1 + i % 4 AS w,
		ln(1 + i % 5)::float8 AS o
	FROM generate_series(1, 6000) AS i OFFSET 0) AS s;
-- a target that does not vary and counts that are all 0; one row; two rows; few columns that vary
INSERT INTO groupsf_t SELECT i, 'constant', sin(i), cos(i), i, i % 2 = 0, 1, 0.5, 7.5, 0, i % 2 = 0 FROM generate_series(1, 40) AS i;
INSERT INTO groupsf_t VALUES (1, 'one row', 1, 2, 3, false, 1, 0.25, 4, 5, true);
INSERT INTO groupsf_t VALUES (1, 'two rows', 1, 2, 3, false, 1, 0.25, 4, 5, true), (2, 'two rows', 2, 2, 3, false, 1, 0.5, 9, 2, false);
INSERT INTO groupsf_t SELECT i, 'flat', 1, NULL, i % 17, true, 1, 0.1 * (i % 3), i % 5, i % 4, i % 3 = 0 FROM generate_series(1, 200) AS i;

-- each group by itself: margins of its rows, coefficients with errors, p and intervals, metrics
CREATE FUNCTION groupsf_check(fit text, target text, more text DEFAULT '', columns text DEFAULT 'g, x1, x2, x3, b')
RETURNS TABLE (groups bigint, margins boolean, scores boolean, coefficients boolean, errors boolean, metrics boolean, failed text) LANGUAGE plpgsql AS $$
DECLARE
	one record;
	worst float8[] := '{0,0,0,0}';
	n bigint := 0;
	difference float8;
	error float8;
	rows text;
BEGIN
	EXECUTE format('SELECT dmp.train(''groupsf_by'', ''SELECT %s, %s FROM groupsf_t'', %L, by => ''{g}''%s)', columns, target, target, more);
	metrics := true;
	FOR one IN SELECT DISTINCT ON (t.g) t.g, dmp.segment('groupsf_by', t) AS segment FROM groupsf_t t
		JOIN dmp.model_segments s ON s.segment = dmp.segment('groupsf_by', t)
		JOIN dmp.models m USING (model, version) WHERE s.model = 'groupsf_by' AND m.deployed AND s.status = 'converged'
	LOOP
		n := n + 1;
		rows := format('SELECT %s, %s FROM groupsf_t WHERE g IS NOT DISTINCT FROM %L', replace(columns, 'g, ', ''), target, one.g);
		EXECUTE format('SELECT dmp.train(''groupsf_one'', %L, %L%s)', rows, target, more);
		SELECT max(abs(dmp.margin('groupsf_by', t) - dmp.margin('groupsf_one', t)) / (1 + abs(dmp.margin('groupsf_one', t)))),
			max(abs(dmp.predict('groupsf_by', t) - dmp.predict('groupsf_one', t)) / (1 + abs(dmp.predict('groupsf_one', t)))) INTO difference, error
		FROM groupsf_t t WHERE g IS NOT DISTINCT FROM one.g;
		worst[1] := greatest(worst[1], difference);
		worst[2] := greatest(worst[2], error);
		SELECT max(abs(a.coef - coalesce(b.coef, 0)) / (abs(a.coef) + 1e-3)),
			max(greatest(abs(a.std_err - b.std_err) / a.std_err, abs(a.p - b.p), abs(a.low - b.low) / (1 + abs(a.low))))
			+ CASE WHEN bool_or((a.std_err IS NULL OR a.std_err = 0) <> (b.std_err IS NULL OR b.std_err = 0)) THEN 1 ELSE 0 END INTO difference, error
		FROM (SELECT c.* FROM dmp.coefficients c JOIN dmp.models USING (model, version) WHERE model = 'groupsf_by' AND deployed) a
		LEFT JOIN (SELECT c.* FROM dmp.coefficients c JOIN dmp.models USING (model, version) WHERE model = 'groupsf_one' AND deployed) b
			ON a.feature = b.feature AND a.level IS NOT DISTINCT FROM b.level
		WHERE a.segment = one.segment;
		worst[3] := greatest(worst[3], difference);
		worst[4] := greatest(worst[4], error);
		SELECT max(abs(coalesce(s.rmse - m.rmse, 0)) + abs(coalesce(s.mae - m.mae, 0)) + abs(coalesce(s.r_squared - m.r_squared, 0)) + abs(coalesce(s.mean_deviance - m.mean_deviance, 0))
			+ abs(coalesce(s.log_loss - m.log_loss, 0)) + abs(coalesce(s.roc_auc - m.roc_auc, 0))
			+ abs(coalesce(s.test_rmse - m.test_rmse, 0)) + abs(coalesce(s.test_mae - m.test_mae, 0)) + abs(coalesce(s.test_r_squared - m.test_r_squared, 0)) + abs(coalesce(s.test_mean_deviance - m.test_mean_deviance, 0))) INTO difference
		FROM dmp.model_segments s JOIN dmp.models v ON v.model = s.model AND v.version = s.version AND v.deployed, dmp.models m
		WHERE s.model = 'groupsf_by' AND s.segment = one.segment AND m.model = 'groupsf_one' AND m.deployed
			AND m.rows = s.rows AND m.rows_test = s.rows_test
			AND num_nonnulls(m.rmse, m.mae, m.r_squared, m.mean_deviance, m.test_rmse, m.test_mean_deviance) = num_nonnulls(s.rmse, s.mae, s.r_squared, s.mean_deviance, s.test_rmse, s.test_mean_deviance);
		metrics := metrics AND coalesce(difference <= 1e-8, false);
	END LOOP;
	RETURN QUERY SELECT n, worst[1] < 1e-8, worst[2] < 1e-8, worst[3] < 1e-8, worst[4] < 1e-7, groupsf_check.metrics,
		(SELECT string_agg(s.segment || ' ' || s.status, '; ' ORDER BY s.segment COLLATE "C") FROM dmp.model_segments s JOIN dmp.models m USING (model, version) WHERE model = 'groupsf_by' AND deployed AND s.status <> 'converged');
END $$;
SELECT * FROM groupsf_check('numbers', 'y');
SELECT * FROM groupsf_check('counts', 'n', ', family => ''poisson''');
SELECT * FROM groupsf_check('weights', 'y', ', weight => ''w''', 'g, x1, x2, x3, b, w');
SELECT * FROM groupsf_check('weighted counts', 'n', ', weight => ''w'', family => ''poisson''', 'g, x1, x2, x3, b, w');
SELECT * FROM groupsf_check('offset', 'y', ', options => ''{"base_margin": "o"}''', 'g, x1, x2, x3, b, o');
SELECT * FROM groupsf_check('offset of counts', 'n', ', family => ''poisson'', weight => ''w'', options => ''{"base_margin": "o"}''', 'g, x1, x2, x3, b, o, w');
SELECT * FROM groupsf_check('offset of classes', 'z', ', options => ''{"base_margin": "o"}''', 'g, x1, x2, x3, b, o');
SELECT * FROM groupsf_check('no intercept', 'y', ', options => ''{"intercept": false}''');
SELECT * FROM groupsf_check('held out', 'y', ', test_fraction => 0.3, key => ''{i}''', 'g, i, x1, x2, x3, b');
SELECT * FROM groupsf_check('held out counts', 'n', ', family => ''poisson'', test_fraction => 0.3, key => ''{i}''', 'g, i, x1, x2, x3, b');

-- penalties; one group at a time cannot be trained where it has nothing to fit, so those are left to what is known of them
DELETE FROM groupsf_t WHERE g IN ('constant', 'one row', 'two rows');
SELECT * FROM groupsf_check('ridge', 'y', ', lambda => 0.01');
SELECT * FROM groupsf_check('lasso', 'y', ', lambda => 0.01, alpha => 1');
SELECT * FROM groupsf_check('glmnet', 'y', ', lambda => 0.01, alpha => 0.5, options => ''{"compat": "glmnet"}''');
SELECT * FROM groupsf_check('ridge of counts', 'n', ', family => ''poisson'', lambda => 0.01, weight => ''w'', options => ''{"base_margin": "o"}''', 'g, x1, x2, x3, b, o, w');
SELECT * FROM groupsf_check('lasso of counts', 'n', ', family => ''poisson'', lambda => 0.02, alpha => 1');
SELECT * FROM groupsf_check('ridge of classes', 'z', ', lambda => 0.01, options => ''{"base_margin": "o"}''', 'g, x1, x2, x3, b, o');
-- past the memory: records in the file
SET dmp.training_memory = '1MB';
INSERT INTO groupsf_t SELECT i + 10000 * r, g, x1, x2, x3, b, w, o, y + 0.1 * sin(i * r), n + r, z FROM groupsf_t, generate_series(1, 3) AS r;
SELECT * FROM groupsf_check('spilled', 'y', ', weight => ''w''', 'g, x1, x2, x3, b, w');
SELECT * FROM groupsf_check('spilled counts', 'n', ', family => ''poisson'', options => ''{"base_margin": "o"}''', 'g, x1, x2, x3, b, o');
RESET dmp.training_memory;

-- what a penalty makes of a group of one row of counts: its intercept; and who falls back is scored by the pooled model, with the link
INSERT INTO groupsf_t VALUES (1, 'one row', 1, 2, 3, false, 1, 0.25, 4, 5, true), (1, 'zero', 1, 2, 3, false, 1, 0.25, 4, 0, true), (2, 'zero', 1, 3, 3, false, 1, 0.25, 4, 0, true);
SELECT status FROM dmp.train('groupsf_n', 'SELECT g, x1, x2, x3, b, o, n FROM groupsf_t', 'n', by => '{g}', family => 'poisson', lambda => 0.01, options => '{"base_margin": "o"}');
SELECT status FROM dmp.train('groupsf_pool', 'SELECT x1, x2, x3, b, o, n FROM groupsf_t', 'n', family => 'poisson', lambda => 0.01, options => '{"base_margin": "o"}');
SELECT segment, status, rows, rows_positive, log_loss, roc_auc, rmse < 1e-6 AS exact FROM dmp.model_segments WHERE model = 'groupsf_n' AND segment IN ('g="one row"', 'g=zero') ORDER BY 1;
SELECT g, dmp.segment('groupsf_n', t) AS segment, abs(dmp.predict('groupsf_n', t) - 5) < 1e-6 AS own, abs(dmp.predict('groupsf_n', t) - dmp.predict('groupsf_pool', t)) < 1e-8 AS pooled,
	abs(ln(dmp.predict('groupsf_n', t)) - dmp.margin('groupsf_n', t)) < 1e-12 AS link
FROM groupsf_t AS t WHERE g IN ('one row', 'zero') ORDER BY g, i;
-- every form of scoring, without and with the extension
CREATE FUNCTION groupsf_forms(model text) RETURNS TABLE (sql boolean, json boolean, by_value boolean, explained boolean) LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format('SELECT max(abs(dmp.predict(%L, t) - (%s)) / (1 + dmp.predict(%1$L, t))) < 1e-12 FROM groupsf_t AS t', model, dmp.model_sql(model)) INTO sql;
	SELECT max(abs(dmp.predict(model, t) - dmp.predict(model, to_jsonb(t)))) < 1e-9, max(abs(dmp.predict(model, t) - dmp.predict(dmp.model_value(model), t))) = 0
	INTO json, by_value FROM groupsf_t AS t WHERE i <= 200;
	SELECT max(difference) < 1e-9 INTO explained
	FROM (SELECT abs(sum(e.contribution) - min(dmp.margin(model, t))) AS difference
		FROM groupsf_t AS t, LATERAL dmp.explain(model, t) AS e WHERE t.i <= 20 GROUP BY t.i, t.g) AS s;
	RETURN NEXT;
END $$;
SELECT * FROM groupsf_forms('groupsf_n');
SELECT * FROM groupsf_forms('groupsf_by');
-- metrics of the version are of the rows as they are scored
SELECT abs(m.rmse - s.rmse) < 1e-9 AS rmse, abs(m.mae - s.mae) < 1e-9 AS mae, m.log_loss, m.roc_auc
FROM dmp.models m, (SELECT sqrt(avg((n - p) ^ 2)) AS rmse, avg(abs(n - p)) AS mae FROM (SELECT n, dmp.predict('groupsf_n', t) AS p FROM groupsf_t AS t) AS p) AS s
WHERE m.model = 'groupsf_n';
SELECT dataset, segment, metric FROM dmp.model_metrics WHERE model = 'groupsf_n' AND segment IN ('pooled', 'g=Rome') ORDER BY 1, 2, 3;
SELECT metric, abs(value - (SELECT rmse FROM dmp.models WHERE model = 'groupsf_n')) < 1e-9 AS stored FROM dmp.evaluate('groupsf_n', 'groupsf_t') WHERE metric = 'rmse';
-- a number whose family the first rows do not say; a count below 0
CREATE TABLE groupsf_late AS SELECT i, i % 3 AS g, sin(i) AS x, CASE WHEN i < 5000 THEN i % 2 ELSE i % 7 END AS y FROM generate_series(1, 6000) AS i;
SELECT status, rows FROM dmp.train('groupsf_late', 'groupsf_late', 'y', by => '{g}', features => '{x}');
SELECT family, groups, groups_converged FROM dmp.models WHERE model = 'groupsf_late';
SELECT * FROM dmp.train('groupsf_x', 'SELECT g, x, y - 1 AS y FROM groupsf_late', 'y', by => '{g}', family => 'poisson');
SELECT * FROM dmp.train('groupsf_x', 'SELECT g, x, 3 AS y FROM groupsf_late', 'y', by => '{g}', family => 'gaussian');
-- the table of another family is none of this model
SELECT count(*) FROM dmp_internal.model_segments(dmp.model_value('groupsf_n'), (SELECT groups FROM dmp_internal.model WHERE name = 'groupsf_by' AND family = 'binomial' ORDER BY version LIMIT 1));
RESET client_min_messages;

DROP TABLE groupsf_t, groupsf_late;
DROP FUNCTION groupsf_check, groupsf_forms;
SELECT count(*) FROM (SELECT dmp.drop_model(model) FROM (SELECT DISTINCT model FROM dmp.models WHERE model LIKE 'groupsf\_%') AS m) AS s;
