-- one model a group: `by` of dmp.train, compared with dmp.train on each group alone

-- hostile names, a group of NULL, groups that cannot be fitted
CREATE TABLE groups_t AS
SELECT i, g, d, x1, x2, x3, b, w, y
FROM (SELECT i,
		(ARRAY['Rome', 'a, b', 'say "x"', NULL, 'NULL', '', ' "; drop table groups_t; --', 'a=b', 'pooled', 'two words'])[1 + i % 10] AS g,
		date '2024-02-28' + i % 3 AS d,
		sin(i * 1.1) * 2 + i % 10 AS x1,
		CASE WHEN i % 13 = 0 THEN NULL ELSE cos(i * 0.7) * 100 + 5000 * (i % 10) END AS x2,
		(i * 7919 % 1000) / 10.0 AS x3,
		i % 7 < 3 AS b,
		1 + i % 4 AS w,
		sin(i * 1.1) * (i % 10 - 4) / 3 + cos(i * 0.7) + 2.5 * sin(i * 77.7) > 0 AS y
	FROM generate_series(1, 6000) AS i OFFSET 0) AS s;
INSERT INTO groups_t
SELECT i, 'one class', date '2024-01-01', i, i, i, true, 1, true FROM generate_series(1, 50) AS i;
INSERT INTO groups_t VALUES (1, 'one row', '2024-01-01', 1, 2, 3, false, 1, true);
INSERT INTO groups_t
SELECT i, 'separated', date '2024-01-01', sin(i * 1.1), cos(i * 0.7), i % 17, i % 2 = 0, 1, i > 30 FROM generate_series(1, 60) AS i;
INSERT INTO groups_t
SELECT i, 'constant', date '2024-01-01', 1, NULL, i % 17, true, 1, i % 5 < 2 + (i % 17 > 8)::int FROM generate_series(1, 200) AS i;
UPDATE groups_t SET x3 = i WHERE g = 'separated';

SELECT status, rows, features, round(roc_auc::numeric, 6) AS roc_auc, warnings
FROM dmp.train('groups_plain', 'groups_t', 'y', by => '{g}', exclude => '{i,d,w}');
SELECT status, groups, groups_converged, by, scans FROM dmp.models WHERE model = 'groups_plain';
SELECT segment, status, rows, rows_positive, round(roc_auc::numeric, 6) AS roc_auc
FROM dmp.model_segments WHERE model = 'groups_plain' ORDER BY segment COLLATE "C";
SELECT count(*) FROM dmp.coefficients WHERE model = 'groups_plain' AND segment IS NULL;
SELECT count(DISTINCT segment) AS segments, count(*) FROM dmp.coefficients WHERE model = 'groups_plain' AND segment IS NOT NULL;
SELECT feature, level, coef FROM dmp.coefficients WHERE model = 'groups_plain' AND segment = 'g=constant' AND coef = 0 ORDER BY position;

-- brute force: each group by itself; margins of its rows, coefficients and errors
CREATE FUNCTION groups_check(fit text, more text DEFAULT '', columns text DEFAULT 'g, x1, x2, x3, b, y') RETURNS TABLE (groups bigint, margins boolean, coefficients boolean, errors boolean, metrics boolean)
LANGUAGE plpgsql AS $$
DECLARE
	one record;
	worst float8[] := '{0,0,0}';
	n bigint := 0;
	difference float8;
	error float8;
BEGIN
	EXECUTE format('SELECT dmp.train(''groups_by'', ''SELECT %s FROM groups_t'', ''y'', by => ''{g}''%s)', columns, more);
	FOR one IN SELECT DISTINCT ON (t.g) t.g, dmp.segment('groups_by', t) AS segment FROM groups_t t
		JOIN dmp.model_segments s ON s.segment = dmp.segment('groups_by', t)
		JOIN dmp.models m USING (model, version) WHERE s.model = 'groups_by' AND m.deployed AND s.status = 'converged'
	LOOP
		n := n + 1;
		EXECUTE format('SELECT dmp.train(''groups_one'', %L, ''y''%s)',
			format('SELECT %s FROM groups_t WHERE g IS NOT DISTINCT FROM %L', replace(columns, 'g, ', ''), one.g), more);
		SELECT max(abs(dmp.margin('groups_by', t) - dmp.margin('groups_one', t))) INTO difference
		FROM groups_t t WHERE g IS NOT DISTINCT FROM one.g;
		worst[1] := greatest(worst[1], difference);
		SELECT max(abs(a.coef - coalesce(b.coef, 0)) / (abs(a.coef) + 1e-3)), max(abs(a.std_err - b.std_err) / a.std_err) INTO difference, error
		FROM (SELECT c.* FROM dmp.coefficients c JOIN dmp.models USING (model, version) WHERE model = 'groups_by' AND deployed) a
		LEFT JOIN (SELECT c.* FROM dmp.coefficients c JOIN dmp.models USING (model, version) WHERE model = 'groups_one' AND deployed) b
			ON a.feature = b.feature AND a.level IS NOT DISTINCT FROM b.level
		WHERE a.segment = one.segment;
		worst[2] := greatest(worst[2], difference);
		worst[3] := greatest(worst[3], error);
		SELECT max(abs(s.log_loss - m.log_loss) + abs(s.roc_auc - m.roc_auc) + coalesce(abs(s.test_roc_auc - m.test_roc_auc) + abs(s.test_log_loss - m.test_log_loss), 0)) INTO difference
		FROM dmp.model_segments s JOIN dmp.models v ON v.model = s.model AND v.version = s.version AND v.deployed, dmp.models m
		WHERE s.model = 'groups_by' AND s.segment = one.segment AND m.model = 'groups_one' AND m.deployed
			AND m.rows = s.rows AND m.rows_test = s.rows_test;
		metrics := coalesce(metrics, true) AND coalesce(difference <= 1e-8, false);
	END LOOP;
	RETURN QUERY SELECT n, worst[1] < 1e-8, worst[2] < 1e-8, worst[3] < 1e-7, metrics;
END $$;
SET client_min_messages = error;
SELECT * FROM groups_check('no penalty');
SELECT * FROM groups_check('ridge', ', lambda => 0.01');
SELECT * FROM groups_check('elastic net', ', lambda => 0.01, alpha => 0.5');
SELECT * FROM groups_check('weights', ', lambda => 0.003, weight => ''w''', 'g, x1, x2, x3, b, w, y');
SELECT * FROM groups_check('all columns scaled', ', lambda => 0.02, alpha => 0.3, options => ''{"standardize": "all"}''');
SELECT * FROM groups_check('glmnet', ', lambda => 0.02, alpha => 1, options => ''{"compat": "glmnet"}''');
SELECT * FROM groups_check('no intercept', ', lambda => 0.001, options => ''{"intercept": false}''');
SELECT * FROM groups_check('class weights', ', lambda => 0.001, options => ''{"class_weight": {"true": 3}}''');
SELECT * FROM groups_check('held out', ', lambda => 0.001, test_fraction => 0.3, key => ''{i}''', 'g, i, x1, x2, x3, b, y');
-- past the memory: records in the file, groups in shares, and groups larger than a share
SET dmp.training_memory = '1MB';
SELECT * FROM groups_check('spilled', ', lambda => 0.01');
RESET dmp.training_memory;

-- penalised, the separated group has a model; one class never has
SELECT s.status, count(*) FROM dmp.model_segments s JOIN dmp.models m USING (model, version) WHERE model = 'groups_by' AND deployed GROUP BY 1 ORDER BY 1;

-- what was not enough for a group is scored by the pooled model, and said
SELECT g, dmp.segment('groups_plain', t) AS segment, dmp.predict('groups_plain', t) = dmp.predict(dmp.model_value('groups_plain'), t) AS by_value,
	abs(dmp.predict('groups_plain', t) - dmp.predict('groups_plain', to_jsonb(t))) < 1e-12 AS by_json
FROM (SELECT DISTINCT ON (g) * FROM groups_t ORDER BY g, i, d, x1) AS t ORDER BY g COLLATE "C";
SELECT dmp.segment('groups_plain', '{"g": "Milan", "x1": 1, "x2": 2, "x3": 3, "b": true}') AS unknown,
	dmp.segment('groups_plain', '{"g": "Rome", "x1": 1, "x2": 2, "x3": 3, "b": true}') AS known,
	dmp.segment('groups_plain', '{"g": null, "x1": 1, "x2": 2, "x3": 3, "b": true}') AS missing;
SELECT dmp.predict('groups_plain', '{"x1": 1, "x2": 2, "x3": 3, "b": true}');
SELECT dmp.predict('groups_plain', t) FROM (SELECT x1, x2, x3, b FROM groups_t) AS t LIMIT 1;
-- a pooled model by the rows that fell back: that of all rows without groups
SELECT status FROM dmp.train('groups_pooled', 'groups_t', 'y', exclude => '{i,d,w,g}');
SELECT max(abs(dmp.margin('groups_plain', t) - dmp.margin('groups_pooled', t))) < 1e-9 AS pooled
FROM groups_t AS t WHERE g IN ('one class', 'one row', 'separated');
-- the same in every form, and as a plan over columns
SELECT max(abs(dmp.predict('groups_plain', t) - dmp.predict('groups_plain', u))) = 0 AS same
FROM groups_t AS t JOIN (SELECT g, x1, x2, x3, b, i AS i2 FROM groups_t OFFSET 0) AS u ON u.i2 = t.i AND u.g = t.g AND u.x1 = t.x1;
EXPLAIN (VERBOSE, COSTS off) SELECT dmp.predict('groups_plain', t) FROM groups_t AS t;
SELECT count(*) FILTER (WHERE dmp.classify('groups_plain', t) = (dmp.predict('groups_plain', t) >= 0.5)::text) = count(*) AS classes,
	max(abs((dmp.class_probabilities('groups_plain', t) ->> 'true')::float8 - dmp.predict('groups_plain', t))) < 1e-12 AS probabilities
FROM groups_t AS t;
-- SQL without the extension
CREATE FUNCTION groups_sql(model text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
	same boolean;
BEGIN
	EXECUTE format('SELECT max(abs(dmp.predict(%L, t) - (%s))) < 1e-12 FROM (SELECT *, i %% 3 AS k FROM groups_t) AS t', model, dmp.model_sql(model)) INTO same;
	RETURN same;
END $$;
SELECT groups_sql('groups_plain');
-- explanations add up to the margin of the group's own model
SELECT count(*), max(difference) < 1e-9 AS adds_up
FROM (SELECT abs(sum(e.contribution) - min(dmp.margin('groups_plain', t))) AS difference
	FROM groups_t AS t, LATERAL dmp.explain('groups_plain', t) AS e WHERE t.i <= 20 GROUP BY t.i, t.g) AS s;
SELECT e.feature, e.value FROM groups_t AS t, LATERAL dmp.explain('groups_plain', t) AS e WHERE t.i = 5 AND g = '' AND rank = 0;
-- the table of scores says whose coefficients it used
CREATE VIEW groups_v AS SELECT row_number() OVER (ORDER BY g, i, d, x1) AS id, * FROM groups_t;
SELECT rows FROM dmp.score('groups_plain', 'groups_v', 'groups_scores', key => '{id}');
SELECT segment, count(*) FROM groups_scores GROUP BY 1 ORDER BY segment COLLATE "C";
SELECT metric, round(value::numeric, 6) AS value, round((SELECT roc_auc FROM dmp.models WHERE model = 'groups_plain')::numeric, 6) AS stored
FROM dmp.evaluate('groups_plain', 'groups_t') WHERE metric = 'roc_auc';
SELECT dataset, segment, metric FROM dmp.model_metrics WHERE model = 'groups_plain' AND segment IN ('pooled', 'g=Rome', 'g="one row"') ORDER BY 1, 2, 3;
SELECT line FROM dmp.summary('groups_plain') AS line WHERE line LIKE 'By %' OR line LIKE 'Above%' OR line LIKE 'One of%';
RESET client_min_messages;

-- several columns of other types; the text of a group is that of no session
SET DateStyle = 'German';
SELECT status FROM dmp.train('groups_two', 'SELECT b, d, i % 3 AS k, x1, x3, y FROM groups_t WHERE i > 200', 'y', by => '{b,d,k}', features => '{x1,x3}', lambda => 0.01);
SELECT segment FROM dmp.model_segments WHERE model = 'groups_two' ORDER BY segment COLLATE "C" LIMIT 3;
RESET DateStyle;
SET DateStyle = 'SQL, MDY';
SELECT dmp.segment('groups_two', t) FROM (VALUES (true, date '2024-02-29', 1::bigint, 1.0, 2.0)) AS t (b, d, k, x1, x3);
SELECT dmp.segment('groups_two', '{"b": true, "d": "2024-02-29", "k": 1.00, "x1": 1, "x3": 2}');
SELECT groups_sql('groups_two');
RESET DateStyle;

-- levels of a text are those of all rows; a group has 0 for those it does not have
SELECT status FROM dmp.train('groups_text', 'SELECT g, CASE WHEN g = ''Rome'' THEN ''only here'' ELSE ''t'' || i % 4 END AS t, x1, y FROM groups_t WHERE i > 200', 'y', by => '{g}', lambda => 0.01);
SELECT level, round(coef::numeric, 6) AS coef FROM dmp.coefficients WHERE model = 'groups_text' AND segment = 'g="a, b"' AND feature = 't' ORDER BY position;
SELECT status FROM dmp.train('groups_text_one', 'SELECT ''t'' || i % 4 AS t, x1, y FROM groups_t WHERE i > 200 AND g = ''a, b''', 'y', lambda => 0.01);
SELECT max(abs(dmp.margin('groups_text', s) - dmp.margin('groups_text_one', s))) < 1e-8 AS same
FROM (SELECT g, 't' || i % 4 AS t, x1 FROM groups_t WHERE i > 200 AND g = 'a, b') AS s;

-- a value that leaves and comes back, at another precision of printing
CREATE TABLE groups_values AS SELECT dmp.model_value('groups_plain') AS m;
SELECT dmp.model_value('groups_plain')::text::dmp.model_value::text = m::text AS same FROM groups_values;
SELECT length(dmp.model_json('groups_plain') -> 'segments' ->> 'status') AS groups;

-- fifty thousand tiny groups
CREATE TABLE groups_tiny AS
SELECT i % 50000 AS g, sin(i * 1.7) AS x, sin(i * 1.7) + 2 * cos(i * 311.7) > 0 AS y FROM generate_series(0, 199999) AS i;
SET client_min_messages = error;
SELECT status, rows FROM dmp.train('groups_tiny', 'groups_tiny', 'y', by => '{g}', lambda => 0.1);
SELECT status, count(*), sum(rows) FROM dmp.model_segments WHERE model = 'groups_tiny' GROUP BY 1 ORDER BY 1;
SELECT count(*) FILTER (WHERE dmp.segment('groups_tiny', t) = 'g=' || g) AS own, count(*) FILTER (WHERE dmp.segment('groups_tiny', t) = 'pooled') AS pooled FROM groups_tiny AS t;
RESET client_min_messages;
SELECT dmp.model_sql('groups_tiny');

-- row security and rights are the caller's
CREATE ROLE groups_reader;
GRANT SELECT ON groups_t TO groups_reader;
ALTER TABLE groups_t ENABLE ROW LEVEL SECURITY;
CREATE POLICY groups_rome ON groups_t USING (g IN ('Rome', 'a=b'));
SET ROLE groups_reader;
SELECT rows FROM dmp.train('groups_rls', 'groups_t', 'y', by => '{g}', features => '{x1,x3}');
SELECT segment, rows FROM dmp.model_segments WHERE model = 'groups_rls' ORDER BY segment COLLATE "C";
SELECT count(*) FROM dmp.model_segments WHERE model = 'groups_plain';
RESET ROLE;
SELECT model FROM dmp.drop_model('groups_rls');
ALTER TABLE groups_t DISABLE ROW LEVEL SECURITY;
REVOKE ALL ON groups_t FROM groups_reader;
DROP ROLE groups_reader;

-- refusals
SELECT * FROM dmp.train('groups_x', 'groups_t', 'y', by => '{}');
SELECT * FROM dmp.train('groups_x', 'groups_t', 'y', by => '{gg}');
SELECT * FROM dmp.train('groups_x', 'groups_t', 'y', by => '{g,g}');
SELECT * FROM dmp.train('groups_x', 'groups_t', 'y', by => '{y}');
SELECT * FROM dmp.train('groups_x', 'SELECT *, interval ''1 day'' AS t FROM groups_t', 'y', by => '{t}', features => '{x1}');
SELECT * FROM dmp.train('groups_x', 'groups_t', 'd', by => '{g}', features => '{x1}');
SELECT * FROM dmp.train('groups_x', 'SELECT g, i::text AS t, y FROM groups_t', 'y', by => '{g}');
SELECT * FROM dmp.train('groups_x', 'SELECT * FROM groups_t WHERE false', 'y', by => '{g}', features => '{x1}');
SELECT * FROM dmp.train('groups_x', 'SELECT * FROM groups_t WHERE g = ''one class''', 'y', by => '{g}', features => '{x1}');
-- values that are none
SELECT jsonb_set(dmp.model_json('groups_plain'), '{segments,status}', '"c"')::text::dmp.model_value;
SELECT jsonb_set(dmp.model_json('groups_plain'), '{segments,values}', '"AAAA"')::text::dmp.model_value;
SELECT jsonb_set(dmp.model_json('groups_plain'), '{segments,keys,1}', dmp.model_json('groups_plain') #> '{segments,keys,0}')::text::dmp.model_value;
SELECT jsonb_set(dmp.model_json('groups_plain'), '{segments,more}', '1')::text::dmp.model_value;
SELECT count(*) FROM dmp_internal.model_segments(dmp.model_value('groups_plain'), '\x0102');

DROP VIEW groups_v;
DROP TABLE groups_t, groups_scores, groups_values, groups_tiny;
DROP FUNCTION groups_check, groups_sql;
SELECT count(*) FROM (SELECT dmp.drop_model(model) FROM (SELECT DISTINCT model FROM dmp.models WHERE model LIKE 'groups\_%') AS m) AS s;
