-- a challenger beside the champion: shadow scores, and paired tests of every family, weighted, stored, from a file
SET extra_float_digits = 0;
CREATE TABLE shadow_row AS
SELECT i AS id, (i * 7919 % 1000) / 1000.0::float8 AS spend, i * 17 % 5 = 0 AS mobile, (1 + i % 4) / 2.0::float8 AS w,
	   i * 31337 % 1009 / 1009.0 < 1 / (1 + exp(1.5 - 3 * (i * 7919 % 1000) / 1000.0 + (i * 17 % 5 = 0)::int)) AS buys,
	   (ARRAY['high', 'low', 'middle'])[1 + (i * 31337 % 1009 / 1009.0 > 0.3)::int + (i * 31337 % 1009 / 1009.0 + (i * 7919 % 1000) / 1000.0 > 1)::int] AS band,
	   (i * 31337 % 1009 / 200.0 * (1 + (i * 7919 % 1000) / 1000.0 + (i * 17 % 5 = 0)::int))::int AS visits
FROM generate_series(1, 3000) i;
CREATE VIEW shadow_held AS SELECT * FROM shadow_row WHERE id > 2000;
SELECT status FROM dmp.train('shadow_m', 'SELECT id, spend, mobile, buys FROM shadow_row WHERE id <= 2000', 'buys', key => '{id}');
SELECT status FROM dmp.train('shadow_m', 'SELECT id, spend, buys FROM shadow_row WHERE id <= 2000', 'buys', key => '{id}', deploy => false);
SELECT status FROM dmp.train('shadow_c', 'SELECT id, spend, mobile, band FROM shadow_row WHERE id <= 2000', 'band', lambda => 0.001, key => '{id}');
SELECT status FROM dmp.train('shadow_c', 'SELECT id, spend, band FROM shadow_row WHERE id <= 2000', 'band', lambda => 0.001, key => '{id}', deploy => false);
SELECT status FROM dmp.train('shadow_n', 'SELECT id, spend, mobile, visits FROM shadow_row WHERE id <= 2000', 'visits', key => '{id}', family => 'poisson');
SELECT status FROM dmp.train('shadow_n', 'SELECT id, spend, visits FROM shadow_row WHERE id <= 2000', 'visits', key => '{id}', family => 'poisson', deploy => false);
SELECT status FROM dmp.train('shadow_g', 'SELECT id, spend, mobile, visits FROM shadow_row WHERE id <= 2000', 'visits', key => '{id}', family => 'gaussian');

-- scipy 1.17 ttest_rel and its interval; with weights the same with variance sum w^2 (d - mean)^2 / (sum w)^2 n / (n - 1); roc_auc_score(sample_weight) of scikit-learn
CREATE TEMP TABLE known (name text, weight text, metric text, a float8, b float8, difference float8, low float8, high float8, p float8);
INSERT INTO known VALUES
	('shadow_m', 'w', 'roc_auc', 0.7388341025299525, 0.7164833269957451, 0.7388341025299525 - 0.7164833269957451, NULL, NULL, NULL),
	('shadow_m', 'w', 'log_loss', 0.6002731977937751,0.6173823326936864,-0.01710913489991138,-0.029130776133257548,-0.0050874936665652095,0.005325292128543519),
	('shadow_m', 'w', 'brier_score', 0.20646369867820114,0.21401954127662504,-0.007555842598423923,-0.01275625932312598,-0.002355425873721866,0.004445897871548801),
	('shadow_c', '', 'accuracy', 0.576,0.576,0.0,-0.0027765585348528466,0.0027765585348528466,1.0),
	('shadow_c', '', 'log_loss', 0.9474282364922945,0.9473270686697445,0.00010116782255000512,-0.0005493803869261902,0.0007517160320262004,0.7603025713514661),
	('shadow_c', 'w', 'accuracy', 0.5716,0.572,-0.0004,-0.003231240277907921,0.0024312402779079205,0.7816522268548377),
	('shadow_c', 'w', 'log_loss', 0.9485255105686216,0.9484737592056212,5.1751363000353544e-05,-0.0006605022220691054,0.0007640049480698125,0.8866498358519553),
	('shadow_n', '', 'mse', 6.830446816506629,7.8421081730426705,-1.0116613565360415,-1.4730725690304776,-0.5502501440416054,1.854682115956e-05),
	('shadow_n', '', 'mae', 2.1694759706591427,2.2676413052621647,-0.09816533460302207,-0.1579242152837053,-0.03840645392233886,0.0013072651292536756),
	('shadow_n', '', 'mean_deviance', 1.7580540184146334,1.9804718254916651,-0.22241780707703185,-0.30914249461098486,-0.13569311954307886,5.733422235607828e-07);
SELECT k.name, k.weight, k.metric, greatest(abs(c.a - k.a), abs(c.b - k.b), abs(c.difference - k.difference), abs(c.low - k.low), abs(c.high - k.high)) < 1e-9 AS agree,
	   abs(c.p / k.p - 1) < 1e-6 AS p, c.low IS NULL AND c.p IS NULL AS untested
FROM (SELECT DISTINCT name, weight FROM known) m, LATERAL dmp.compare(name, name || '@2', 'shadow_held', weight) c JOIN known k USING (metric)
WHERE (k.name, k.weight) = (m.name, m.weight) ORDER BY 1, 2, 3;
-- two families of the same number; what cannot be compared
SELECT metric, a < b AS better FROM dmp.compare('shadow_n', 'shadow_g', 'shadow_held');
SELECT * FROM dmp.compare('shadow_m', 'shadow_n', 'shadow_held');
SELECT * FROM dmp.compare('shadow_c', 'shadow_m', 'shadow_held');
SELECT * FROM dmp.compare('shadow_c', 'shadow_c@2', $$SELECT *, 'other' AS band FROM (SELECT spend, mobile FROM shadow_held) h$$);
SELECT * FROM dmp.compare('shadow_m', 'shadow_m@2', 'SELECT *, -1 AS v FROM shadow_held', 'v');
SELECT * FROM dmp.compare('shadow_m', 'shadow_m@2', 'SELECT *, 0 AS v FROM shadow_held', 'v');
SELECT * FROM dmp.compare('shadow_m', 'shadow_m@2', 'shadow_held', 'band');
-- past the memory budget the same, with ties (a row forty times); infinite margins
SET dmp.training_memory = '1MB';
CREATE TEMP TABLE small AS SELECT * FROM dmp.compare('shadow_m', 'shadow_m@2', 'SELECT h.* FROM shadow_held h, generate_series(1, 40)');
RESET dmp.training_memory;
SELECT s.metric, abs(s.a - c.a) < 1e-12 AND abs(s.b - c.b) < 1e-12 AS means, abs(s.difference - c.difference) < 1e-12 AND abs(s.low - c.low) < 1e-12 AS test,
	   abs((s.high - s.low) / (one.high - one.low) * sqrt(40) - 1) < 0.01 AS narrower
FROM small s JOIN dmp.compare('shadow_m', 'shadow_m@2', 'SELECT h.* FROM shadow_held h, generate_series(1, 40)') c USING (metric) JOIN dmp.compare('shadow_m', 'shadow_m@2', 'shadow_held') one USING (metric) ORDER BY 1;
SELECT metric, a = b AS same, difference, p FROM dmp.compare('shadow_m@2', 'shadow_m@2', $$SELECT s AS spend, b AS buys FROM unnest('{Infinity,-Infinity,0,-0,1e308}'::float8[]) s, unnest('{true,false}'::boolean[]) b$$);

-- the shadow: both score in one statement
SELECT * FROM dmp.score('shadow_m', 'shadow_held', 'shadow_score', key => '{id}', shadow => 'shadow_m@latest');
SELECT attname, format_type(atttypid, atttypmod) AS type FROM pg_attribute WHERE attrelid = 'shadow_score'::regclass AND attnum > 0 ORDER BY attnum;
SELECT count(*) AS rows, count(*) FILTER (WHERE s.score = dmp.predict('shadow_m', h) AND s.class = dmp.classify('shadow_m', h) AND s.model = 'shadow_m' AND s.version = 1) AS champion,
	   count(*) FILTER (WHERE s.shadow_score = dmp.predict('shadow_m@2', h) AND s.shadow_class = dmp.classify('shadow_m@2', h) AND s.shadow_model = 'shadow_m' AND s.shadow_version = 2) AS challenger
FROM shadow_score s JOIN shadow_held h USING (id);
-- judged when outcomes are known, without the features: what dmp.compare says of the models, to the rounding of probabilities
CREATE TABLE shadow_outcome AS SELECT id, buys FROM shadow_held;
SELECT s.metric, greatest(abs(s.a - c.a), abs(s.b - c.b), abs(s.low - c.low), abs(s.high - c.high)) < 1e-12 AS equal, abs(s.p / c.p - 1) < 1e-9 AS p
FROM dmp.compare('shadow_m', 'shadow_m@2', 'SELECT * FROM shadow_score JOIN shadow_outcome USING (id)', scores => '{score,shadow_score}') s
JOIN dmp.compare('shadow_m', 'shadow_m@2', 'shadow_held') c USING (metric) ORDER BY 1;
-- rows without a shadow score do not count; a score that is none
SELECT count(*) FROM dmp.compare('shadow_m', 'shadow_m@2', 'SELECT *, NULL::float8 AS none FROM shadow_score JOIN shadow_outcome USING (id)', scores => '{score,none}');
SELECT * FROM dmp.compare('shadow_m', 'shadow_m@2', 'SELECT *, 2 AS two FROM shadow_score JOIN shadow_outcome USING (id)', scores => '{score,two}');
SELECT * FROM dmp.compare('shadow_m', 'shadow_m@2', $$SELECT *, 'NaN'::float8 AS bad FROM shadow_score JOIN shadow_outcome USING (id)$$, scores => '{score,bad}');
SELECT * FROM dmp.compare('shadow_m', 'shadow_m@2', 'SELECT * FROM shadow_score JOIN shadow_outcome USING (id)', scores => '{score}');
SELECT * FROM dmp.compare('shadow_m', 'shadow_m@2', 'SELECT * FROM shadow_score JOIN shadow_outcome USING (id)', scores => '{score,class}');
SELECT * FROM dmp.compare('shadow_m', 'shadow_m@2', 'SELECT * FROM shadow_score JOIN shadow_outcome USING (id)', scores => '{score,shade}');
SELECT * FROM dmp.compare('shadow_m', 'shadow_m@2', 'SELECT * FROM shadow_score', scores => '{score,shadow_score}');
SELECT * FROM dmp.compare('shadow_c', 'shadow_c@2', 'shadow_held', scores => '{spend,w}');
-- brought up to date without a shadow: its old scores do not stay beside new ones
SELECT rows FROM dmp.score('shadow_m', 'SELECT * FROM shadow_held WHERE id <= 2010', 'shadow_score', key => '{id}');
SELECT count(*) FILTER (WHERE id <= 2010 AND num_nulls(shadow_score, shadow_class, shadow_model, shadow_version) = 4) AS gone, count(shadow_score) AS kept FROM shadow_score;
-- into a table that has no place for it
SELECT rows FROM dmp.score('shadow_m', 'shadow_held', 'shadow_plain', key => '{id}');
SELECT rows FROM dmp.score('shadow_m', 'shadow_held', 'shadow_plain', key => '{id}', shadow => 'shadow_m@2');
-- of several classes, and of numbers
SELECT rows FROM dmp.score('shadow_c', 'shadow_held', 'shadow_class', key => '{id}', shadow => 'shadow_c@2');
SELECT count(*) FILTER (WHERE shadow_class = dmp.classify('shadow_c@2', h) AND abs(shadow_score - (dmp.class_probabilities('shadow_c@2', h) ->> shadow_class)::float8) < 1e-15) AS right FROM shadow_class JOIN shadow_held h USING (id);
SELECT rows FROM dmp.score('shadow_n', 'shadow_held', 'shadow_number', key => '{id}', shadow => 'shadow_g');
SELECT count(*) FILTER (WHERE score = dmp.predict('shadow_n', h) AND shadow_score = dmp.predict('shadow_g', h) AND shadow_class IS NULL AND shadow_model = 'shadow_g') AS right FROM shadow_number JOIN shadow_held h USING (id);
SELECT * FROM dmp.score('shadow_m', 'shadow_held', 'shadow_bad', key => '{id}', shadow => 'shadow_c');
SELECT * FROM dmp.score('shadow_m@2', 'SELECT id, spend FROM shadow_held', 'shadow_bad', key => '{id}', shadow => 'shadow_m');
SELECT * FROM dmp.score('shadow_m', 'shadow_held', 'shadow_bad', key => '{id}', shadow => 'shadow_m@7');
SELECT * FROM dmp.score('shadow_m', 'SELECT *, id AS shadow_score FROM shadow_held', 'shadow_bad', key => '{shadow_score}');
-- rights: to both models
\set SHOW_CONTEXT never
CREATE ROLE regress_dmp_shadow;
GRANT SELECT ON shadow_held TO regress_dmp_shadow;
SELECT count(*) FROM dmp.grant_model('shadow_n', 'regress_dmp_shadow');
SET ROLE regress_dmp_shadow;
SELECT * FROM dmp.score('shadow_n', 'shadow_held', 'pg_temp.shadow_theirs', key => '{id}', shadow => 'shadow_g');
SELECT rows FROM dmp.score('shadow_n', 'shadow_held', 'pg_temp.shadow_theirs', key => '{id}', shadow => 'shadow_n@2');
DROP TABLE pg_temp.shadow_theirs;
RESET ROLE;
SELECT count(*) FROM unnest('{shadow_m,shadow_c,shadow_n,shadow_g}'::text[]) m, LATERAL dmp.drop_model(m);
DROP OWNED BY regress_dmp_shadow;
DROP ROLE regress_dmp_shadow;
DROP VIEW shadow_held;
DROP TABLE shadow_row, shadow_score, shadow_outcome, shadow_plain, shadow_class, shadow_number;
