-- dmp.train: columns, targets, splits, what it refuses, how it ends
SET client_min_messages = notice;
SET extra_float_digits = 0;
CREATE TABLE shopper AS
SELECT i AS id, (i * 7919 % 1000) / 1000.0::float8 AS spend, (i * 104729 % 997) / 997::numeric AS visits,
	   (ARRAY['DE','FR','GB'])[1 + i * 31 % 3] AS land, i * 17 % 5 = 0 AS mobile,
	   CASE WHEN i % 11 = 0 THEN NULL ELSE (i * 13 % 50)::int END AS age,
	   1 + i % 3 AS w, timestamptz '2026-01-01 UTC' + i * interval '1 hour' AS seen_at,
	   i * 31337 % 1009 / 1009.0 < 1 / (1 + exp(1.5 - 3 * (i * 7919 % 1000) / 1000.0 + (i * 17 % 5 = 0)::int)) AS buys
FROM generate_series(1, 2000) i;

-- what comes back; the coefficients and errors are those of a Newton solver in numpy
SELECT model, version, deployed, status, rows, features, roc_auc::numeric(8,6), test_roc_auc, warnings
FROM dmp.train('shoppers', 'shopper', 'buys', exclude => '{id,seen_at,w}');
SELECT feature, level, round(coef::numeric, 6) AS coef, round(std_err::numeric, 6) AS std_err, round(z::numeric, 3) AS z,
	   round(p::numeric, 4) AS p, round(odds_ratio::numeric, 5) AS odds_ratio, rows
FROM dmp.coefficients WHERE model = 'shoppers' AND version = 1 ORDER BY position;
SELECT model, kind, version, deployed, target, family, status, rows, rows_test, rows_skipped, rows_positive, features, scans,
	   lambda, alpha, round(log_loss::numeric, 6) AS log_loss, round(null_log_loss::numeric, 6) AS null_log_loss, kkt_residual <= 1e-9 AS optimal,
	   query, key, at, weight, feature_names
FROM dmp.models WHERE model = 'shoppers';
SELECT dataset, metric, round(value::numeric, 6) AS value FROM dmp.model_metrics WHERE model = 'shoppers' ORDER BY 1, 2;

-- weights: a row of weight 3 counts three times
SELECT status, rows FROM dmp.train('weighted', 'shopper', 'buys', features => '{spend,mobile,land}', weight => 'w');
SELECT status, rows FROM dmp.train('repeated', 'SELECT s.* FROM shopper s, generate_series(1, s.w)', 'buys', features => '{spend,mobile,land}');
SELECT max(abs(dmp.margin('weighted', s) - dmp.margin('repeated', s))) < 1e-9 AS same FROM shopper s;

-- targets: number, two texts, the positive one by name, by sort order, by its meaning
SELECT status FROM dmp.train('t1', 'SELECT *, buys::int AS y FROM shopper', 'y', features => '{spend}');
SELECT status FROM dmp.train('t2', 'SELECT *, buys::int::numeric AS y FROM shopper', 'y', features => '{spend}');
SELECT status FROM dmp.train('t3', $$SELECT *, CASE WHEN buys THEN 'yes' ELSE 'zero' END AS y FROM shopper$$, 'y', features => '{spend}');
SELECT status FROM dmp.train('t4', $$SELECT *, CASE WHEN buys THEN 'b' ELSE 'a' END AS y FROM shopper$$, 'y', features => '{spend}');
SELECT status FROM dmp.train('t5', $$SELECT *, CASE WHEN buys THEN 'a' ELSE 'b' END AS y FROM shopper$$, 'y', features => '{spend}', options => '{"positive": "a"}');
SELECT status FROM dmp.train('t6', 'SELECT *, CASE WHEN buys THEN 2 ELSE 1 END AS y FROM shopper', 'y', features => '{spend}', options => '{"positive": 2}');
SELECT status FROM dmp.train('t7', 'SELECT *, NOT buys AS y FROM shopper', 'y', features => '{spend}', options => '{"positive": "false"}');
SELECT count(*) AS models, max(coef) - min(coef) < 1e-9 AS same FROM dmp.coefficients WHERE model ~ '^t[1-7]$' AND feature = 'spend';
SELECT dmp.classify('t3', '{"spend": 0}'), dmp.classify('t4', '{"spend": 0}'), dmp.classify('t6', '{"spend": 0}'), dmp.classify('t7', '{"spend": 0}');

-- targets that are refused
SELECT * FROM dmp.train('bad', 'SELECT *, CASE WHEN buys THEN 2 ELSE 1 END AS y FROM shopper', 'y', features => '{spend}');
SELECT * FROM dmp.train('bad', 'SELECT *, age AS y FROM shopper WHERE age > 3', 'y', features => '{spend}', family => 'binomial');
SELECT * FROM dmp.train('bad', 'shopper', 'land', features => '{spend}', family => 'binomial');
SELECT * FROM dmp.train('bad', $$SELECT *, CASE WHEN buys THEN 'x' ELSE 'y' END AS y FROM shopper$$, 'y', features => '{spend}', options => '{"positive": "z"}');
SELECT * FROM dmp.train('bad', 'shopper', 'seen_at', features => '{spend}');
SELECT * FROM dmp.train('bad', 'SELECT * FROM shopper, generate_series(1, 9) WHERE NOT buys', 'buys', features => '{spend}');
SELECT * FROM dmp.train('bad', $$SELECT *, 'no'::text AS y FROM shopper$$, 'y', features => '{spend}');
SELECT * FROM dmp.train('bad', 'SELECT * FROM shopper WHERE false', 'buys', features => '{spend}');
SELECT * FROM dmp.train('bad', 'SELECT *, NULL::boolean AS y FROM shopper', 'y', features => '{spend}');
SELECT * FROM dmp.train('bad', 'SELECT *, NULL::text AS y FROM shopper', 'y', features => '{spend}');

-- columns that are refused
SELECT * FROM dmp.train('bad', 'shopper', 'bys');
SELECT * FROM dmp.train('bad', 'shopper', 'buys', features => '{spent}');
SELECT * FROM dmp.train('bad', 'shopper', 'buys', features => '{buys}');
SELECT * FROM dmp.train('bad', 'shopper', 'buys', features => '{}');
SELECT * FROM dmp.train('bad', 'shopper', 'buys', features => '{spend,spend}');
SELECT * FROM dmp.train('bad', 'shopper', 'buys', exclude => '{idd}');
SELECT * FROM dmp.train('bad', 'shopper', 'buys', key => '{idd}');
SELECT * FROM dmp.train('bad', 'SELECT buys, id FROM shopper', 'buys', key => '{id}');
SELECT * FROM dmp.train('bad', $$SELECT *, '{}'::json AS doc FROM shopper$$, 'buys');
SELECT * FROM dmp.train('bad', 'SELECT spend, spend, buys FROM shopper', 'buys');
SELECT * FROM dmp.train('bad', 'shopper', 'buys', features => '{spend}', weight => 'land');
SELECT * FROM dmp.train('bad', 'SELECT *, w - 2 AS v FROM shopper', 'buys', features => '{spend}', weight => 'v');
SELECT * FROM dmp.train('bad', 'SELECT *, nullif(w, 2) AS v FROM shopper', 'buys', features => '{spend}', weight => 'v');
SELECT * FROM dmp.train('bad', $$SELECT *, 'NaN'::float8 AS v FROM shopper$$, 'buys', features => '{spend}', weight => 'v');
SELECT status, rows, features FROM dmp.train('some', 'shopper', 'buys', exclude => '{seen_at,age,w}', key => '{id}', options => '{"encode": {"land": "drop", "visits": "numeric"}}');
SELECT * FROM dmp.train('bad', 'shopper', 'buys', exclude => '{seen_at}', options => '{"encode": {"land": "wo"}}');
SELECT * FROM dmp.train('bad', 'shopper', 'buys', exclude => '{seen_at}', options => '{"encode": {"lnd": "drop"}}');
SELECT * FROM dmp.train('bad', 'SELECT *, id::text AS code FROM shopper', 'buys', features => '{spend,code}', options => '{"min_count": 1, "encode": {"code": "one_hot"}}');
SELECT status, warnings FROM dmp.train('hashed', 'SELECT *, id::text AS code FROM shopper', 'buys', features => '{spend,code}');
SELECT status, warnings FROM dmp.train('hashed', 'SELECT *, (id % 150)::text AS code FROM shopper', 'buys', features => '{spend,code}');
-- the first rows have one value, what follows has many
SELECT status, warnings FROM dmp.train('hashed', 'SELECT *, CASE WHEN id > 1000 THEN id % 110 ELSE 0 END::text AS code FROM shopper ORDER BY id', 'buys', features => '{spend,code}', options => '{"min_count": 2}');
SELECT status, warnings FROM dmp.train('rare', 'SELECT *, CASE WHEN id % 3 = 0 THEN id / 150 ELSE id END::text AS code FROM shopper', 'buys', features => '{spend,code}', lambda => 0.01, options => '{"encode": {"code": "one_hot"}}');

-- what is not built yet names itself; what is wrong says so
SELECT * FROM dmp.train('bad', 'shopper', 'land', features => '{spend}', family => 'poisson');
SELECT * FROM dmp.train('bad', 'shopper', 'buys', family => 'probit');
SELECT * FROM dmp.train('bad', 'shopper', 'buys', options => '{"select": "1se"}');
SELECT * FROM dmp.train('bad', 'shopper', 'buys', options => '{"max_iteration": 5}');
SELECT * FROM dmp.train('bad', 'shopper', 'buys', options => '{"max_iterations": 0}');
SELECT * FROM dmp.train('bad', 'shopper', 'buys', options => '{"compat": "sas"}');
SELECT * FROM dmp.train('bad', 'shopper', 'buys', lambda => -1);
SELECT * FROM dmp.train('bad', 'shopper', 'buys', lambda => 'NaN');
SELECT * FROM dmp.train('bad', 'shopper', 'buys', alpha => 2);
SELECT * FROM dmp.train('bad', 'shopper', 'buys', test_fraction => 1);
SELECT * FROM dmp.train(NULL, 'shopper', 'buys');
SELECT * FROM dmp.train('bad', 'DELETE FROM shopper', 'buys');
SELECT * FROM dmp.train('bad', 'shoper', 'buys');
SELECT * FROM dmp.train('bad', 'EXPLAIN SELECT 1', 'buys');
SELECT * FROM dmp.train('bad', '', 'buys');
SELECT * FROM dmp.train('bad', 'SELECT spend frm shopper', 'buys');
SET dmp.training_memry = '1MB';
SELECT * FROM dmp.train('bad@2', 'shopper', 'buys');
SELECT * FROM dmp.train('', 'shopper', 'buys');
SELECT count(*) AS models_left_by_errors FROM dmp.models WHERE model = 'bad';

-- penalties
SELECT * FROM dmp.train('lasso', 'shopper', 'buys', 0.3, 0.8, features => '{spend,visits,land,mobile,age}');
SELECT status, warnings FROM dmp.train('lasso', 'shopper', 'buys', 0.02, 1, features => '{spend,visits,land,mobile,age}');
SELECT feature, level, coef <> 0 AS kept FROM dmp.coefficients WHERE model = 'lasso' ORDER BY position;
SELECT status, warnings FROM dmp.train('alpha', 'shopper', 'buys', alpha => 0.5, features => '{spend}');

-- against scikit-learn 1.9 (saga to 1e-13; C = 1 / (2000 lambda), columns divided by their scale): coefficients by the scale each means
CREATE TABLE penalty AS
SELECT name, lambda, alpha, model, version
FROM (VALUES ('default', '{}'), ('glmnet', '{"compat": "glmnet"}'), ('spark', '{"compat": "spark"}'), ('sklearn', '{"compat": "sklearn"}')) n(name, o),
	 (VALUES (0.05, 0.0), (0.02, 0.5)) l(lambda, alpha),
	 LATERAL dmp.train('penalty', 'shopper', 'buys', lambda, alpha, features => '{spend,visits,mobile}', options => o::jsonb, deploy => false) t;
SELECT name, p.lambda, p.alpha, string_agg(round(coef::numeric, 6)::text, ' ' ORDER BY position) AS coefficients
FROM penalty p JOIN dmp.coefficients c USING (model, version) GROUP BY 1, 2, 3, version ORDER BY version;
DROP TABLE penalty;
-- the optimum, seen from outside: gradient of the mean loss, and of the penalty where it bites
SELECT max(abs(g)) < 1e-9 AS stationary FROM (
	SELECT avg((dmp.predict('shoppers@1', s) - buys::int) * u.x) / coalesce(nullif(stddev_pop(u.x), 0), 1) AS g
	FROM shopper s, LATERAL (VALUES ('1', 1), ('spend', spend), ('visits', visits), ('mobile', mobile::int), ('missing', (age IS NULL)::int),
		('DE', (land = 'DE')::int), ('GB', (land = 'GB')::int)) u(name, x) GROUP BY name) z;

-- class weights, against scikit-learn without penalty; the intercept is put right by the log of their ratio
SELECT status, warnings FROM dmp.train('weighed', 'shopper', 'buys', features => '{spend,visits,mobile}', options => '{"class_weight": "balanced", "calibrate": false}');
SELECT status, warnings FROM dmp.train('weighed', 'shopper', 'buys', features => '{spend,visits,mobile}', options => '{"class_weight": "balanced"}');
SELECT status, warnings FROM dmp.train('weighed', 'shopper', 'buys', features => '{spend,visits,mobile}', options => '{"class_weight": {"true": 3}}', weight => 'w');
SELECT version, string_agg(round(coef::numeric, 6)::text, ' ' ORDER BY position) AS coefficients FROM dmp.coefficients WHERE model = 'weighed' GROUP BY 1 ORDER BY 1;
SELECT * FROM dmp.train('bad', 'shopper', 'buys', features => '{spend}', options => '{"class_weight": {"yes": 3}}');
SELECT * FROM dmp.train('bad', 'shopper', 'buys', features => '{spend}', options => '{"class_weight": {"true": 0}}');
SELECT * FROM dmp.train('bad', 'shopper', 'buys', features => '{spend}', options => '{"class_weight": 3}');

-- splits: by a hash of the key, the same in any order, for integers of any width; by time
SELECT status, rows FROM dmp.train('split', 'shopper', 'buys', features => '{spend,mobile}', key => '{id}', test_fraction => 0.25);
SELECT status, rows FROM dmp.train('split', 'SELECT *, id::bigint AS id8 FROM shopper ORDER BY id DESC', 'buys', features => '{spend,mobile}', key => '{id8}', test_fraction => 0.25);
SELECT status, rows FROM dmp.train('split', 'shopper', 'buys', features => '{spend,mobile}', key => '{id}', test_fraction => 0.25, seed => 1);
SELECT status, rows FROM dmp.train('split', 'shopper', 'buys', features => '{spend,mobile}', test_fraction => 0.25);
SELECT status, rows FROM dmp.train('split', 'shopper', 'buys', features => '{spend,mobile}', at => 'seen_at', test_fraction => 0.25, options => '{"split": "time"}');
SELECT version, rows, rows_test, rows + rows_test = 2000 AS all_rows, test_roc_auc BETWEEN 0.5 AND 1 AS judged FROM dmp.models WHERE model = 'split' ORDER BY version;
SELECT count(DISTINCT coef) AS fits FROM dmp.coefficients WHERE model = 'split' AND version <= 2 AND feature = 'spend';
SELECT * FROM dmp.train('split', 'shopper', 'buys', features => '{spend}', test_fraction => 0.25, options => '{"split": "time"}');
-- the held-out auc is that of the rows held out
SELECT abs(m.test_roc_auc - (SELECT dmp.roc_auc(dmp.margin('split@1', s), s.buys) FROM shopper s WHERE dmp_internal.split(0, s.id) < 0.25)) < 1e-12 AS same,
	   abs(m.roc_auc - (SELECT dmp.roc_auc(dmp.margin('split@1', s), s.buys) FROM shopper s WHERE dmp_internal.split(0, s.id) >= 0.25)) < 1e-12 AS same_trained
FROM dmp.models m WHERE model = 'split' AND version = 1;

-- ends that are stored and not deployed
SELECT status, deployed FROM dmp.train('ends', 'SELECT *, spend > 0.5 AS y FROM shopper', 'y', features => '{spend}');
SELECT status, deployed FROM dmp.train('ends', 'shopper', 'buys', features => '{spend,mobile}');
SELECT status, deployed FROM dmp.train('ends', 'SELECT *, spend > 0.5 AS y FROM shopper', 'y', features => '{spend}');
SELECT version, deployed, status FROM dmp.models WHERE model = 'ends' ORDER BY version;

-- three rows; a constant; all missing; NaN and infinity
SELECT status, rows FROM dmp.train('small', 'SELECT * FROM shopper WHERE id IN (1, 2, 50)', 'buys', lambda => 0.1, features => '{spend,mobile}');
SELECT status, rows, features FROM dmp.train('odd', $$SELECT buys, spend, 7 AS same, NULL::int AS nothing, CASE WHEN id % 10 = 0 THEN 'NaN' WHEN id = 5 THEN 'infinity' ELSE spend * spend END AS x FROM shopper$$, 'buys');
SELECT rows_skipped FROM dmp.models WHERE model = 'odd';
SELECT feature, level, coef <> 0 AS counts FROM dmp.coefficients WHERE model = 'odd' ORDER BY position;

-- hostile names
CREATE TABLE "odd ""table;" AS SELECT buys AS "y'; --", spend AS """; drop table x; --", mobile AS "select", land AS "$1" FROM shopper;
SELECT status FROM dmp.train('"; drop table x; --', 'SELECT * FROM "odd ""table;"', 'y''; --');
SELECT status FROM dmp.train('quoted', '"odd ""table;"', 'y''; --');
SELECT feature, level FROM dmp.coefficients WHERE model = 'quoted' ORDER BY position;
SELECT format('SELECT max(abs(dmp.predict(''quoted'', t) - (%s))) <= 1e-12 AS same FROM "odd ""table;" t', dmp.model_sql('quoted')) \gexec
DROP TABLE "odd ""table;";

-- a volatile query is read once
CREATE SEQUENCE reads;
SELECT status, rows FROM dmp.train('volatile', 'SELECT *, random() AS noise, nextval(''reads'') > 0 AS counted FROM shopper', 'buys', features => '{spend,noise}');
SELECT last_value FROM reads;
-- in a transaction that has written the rows itself
BEGIN;
INSERT INTO shopper SELECT * FROM shopper;
SELECT rows FROM dmp.train('own', 'shopper', 'buys', features => '{spend}');
SELECT rows FROM dmp.train('own', 'SELECT *, random() FROM shopper', 'buys', features => '{spend}');
ROLLBACK;

-- rights and row security are the caller's
CREATE ROLE regress_dmp_reader;
CREATE ROLE regress_dmp_nobody;
GRANT CREATE ON SCHEMA public TO regress_dmp_reader;
GRANT SELECT ON shopper TO regress_dmp_reader;
ALTER TABLE shopper ENABLE ROW LEVEL SECURITY;
CREATE POLICY land ON shopper FOR SELECT TO regress_dmp_reader USING (land = 'DE');
SET ROLE regress_dmp_reader;
SELECT rows = (SELECT count(*) FROM shopper) AS only_theirs, rows FROM dmp.train('theirs', 'shopper', 'buys', features => '{spend}');
SET ROLE regress_dmp_nobody;
SELECT * FROM dmp.train('nobody', 'shopper', 'buys', features => '{spend}');
RESET ROLE;
GRANT SELECT (spend) ON shopper TO regress_dmp_nobody;
SET ROLE regress_dmp_nobody;
SELECT * FROM dmp.train('nobody', 'SELECT spend, buys FROM shopper', 'buys');
RESET ROLE;
BEGIN READ ONLY;
SELECT * FROM dmp.train('readonly', 'shopper', 'buys', features => '{spend}');
ROLLBACK;

-- parallel = serial
ALTER TABLE shopper SET (parallel_workers = 2);
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SELECT status FROM dmp.train('parallel', 'shopper', 'buys', features => '{spend,visits,land,mobile,age}');
SELECT max(abs(dmp.margin('parallel', s) - dmp.margin('shoppers@1', s))) < 1e-9 AS same FROM shopper s;
DROP TABLE shopper;
DROP OWNED BY regress_dmp_reader, regress_dmp_nobody;
SELECT versions FROM dmp.drop_model('theirs');
DROP ROLE regress_dmp_reader, regress_dmp_nobody;
