-- dmp.import_model: what scikit-learn 1.9, glmnet 4.1 and Spark 4 fitted to these 200 rows, by the snippets of src/learn/README.md
CREATE TABLE import_rows AS
SELECT i AS id, i * 37 % 50 / 10::float8 AS visits, 20 + i * 13 % 40 AS age, (ARRAY['Oslo','Paris','Rome'])[1 + i * 7 % 3] AS city,
	   i * 31337 % 1009 / 1009::float8 < 1 / (1 + exp(-(0.5 * (i * 37 % 50) / 10 - 1.2 + (i * 7 % 3 = 2)::int))) AS bought
FROM generate_series(1, 200) i;
-- scikit-learn: StandardScaler, OneHotEncoder, LogisticRegression(C=1), predict_proba
SELECT * FROM dmp.import_model('import_sklearn', '{"target": "bought", "classes": ["false", "true"], "intercept": 0.37252315709623557, "coefficients": {"visits": 0.6952346680244673, "age": 0.12417067021491458, "city=Oslo": -0.18795548772040893, "city=Paris": -0.3845977175450173, "city=Rome": 0.5725532072918682}, "scaler": {"mean": {"visits": 2.45, "age": 39.5}, "scale": {"visits": 1.4430869689661812, "age": 11.543396380615196}}}');
SELECT id, abs(dmp.predict('import_sklearn', r) - p) < 1e-12 AS equal FROM import_rows r
JOIN unnest('{0.6271985544834607,0.7292671303126038,0.436332036851974,0.7387354397227098,0.8190755232685322,0.5654048870421684}'::float8[]) WITH ORDINALITY AS e (p, i) ON id = i ORDER BY id;
-- the same to three classes (in another order than bytes)
SELECT * FROM dmp.import_model('import_classes', '{"target": "plan", "classes": ["pro", "basic", "free"], "intercept": [-0.021327585020222927, 0.06243911777756479, -0.04111153275734416],
	"coefficients": {"visits": [-0.012740923845160393, -0.006234350140118862, 0.018975273985277992], "age": [0.04522876016295877, -0.027852132892181938, -0.01737662727077932],
	"city": {"Oslo": [0.05689877165786197, 0.03476293105075803, -0.09166170270861934], "Paris": [0.00943805280292194, -0.16100541525745224, 0.1515673624545295], "Rome": [-0.06633497257324608, 0.12624212778540636, -0.05990715521216094]}},
	"scaler": {"mean": {"visits": 2.45, "age": 39.5}, "scale": {"visits": 1.4430869689661812, "age": 11.543396380615196}}}'::json);
SELECT id, dmp.classify('import_classes', r), abs((p ->> 'basic')::float8 - basic) < 1e-12 AND abs((p ->> 'free')::float8 - free) < 1e-12 AND abs((p ->> 'pro')::float8 - pro) < 1e-12 AS equal
FROM import_rows r CROSS JOIN LATERAL dmp.class_probabilities('import_classes', r) p
JOIN (VALUES (1, 0.3036773788110373, 0.3802868647223822, 0.3160357564665805), (2, 0.39325863418047124, 0.2958323122518326, 0.31090905356769616),
	(3, 0.3496310352789319, 0.27616974624782026, 0.3741992184732479), (4, 0.30262469949232557, 0.3859709400857797, 0.3114043604218946)) e (i, basic, free, pro) ON id = i ORDER BY id;
-- glmnet: family binomial, alpha 0.5, s = 0.02, predict(type = 'response')
SELECT version FROM dmp.import_model('import_glmnet', '{"intercept": -1.0975878995991524, "coefficients": {"visits": 0.43228316002320599, "age": 0.0059312608082913894, "city=Paris": -0.16642573738572869, "city=Rome": 0.66611813057352465}}'::jsonb);
SELECT id, abs(dmp.predict('import_glmnet', r) - p) < 1e-12 AS equal FROM import_rows r
JOIN unnest('{0.62975494301074719,0.70658340259228136,0.4323837583918626,0.73120520167132941,0.79387251109306478,0.54920229941815368}'::float8[]) WITH ORDINALITY AS e (p, i) ON id = i ORDER BY id;
-- Spark: regParam 0.01, elasticNetParam 0.3
SELECT version FROM dmp.import_model('import_spark', '{"target": "bought", "intercept": -1.3264468911333078, "coefficients": {"visits": 0.46621575505709917, "age": 0.009371298852637893, "city=Paris": -0.20055279271144125, "city=Rome": 0.7530143952391425}}');
SELECT id, abs(dmp.predict('import_spark', r) - p) < 1e-12 AS equal FROM import_rows r
JOIN unnest('{0.6241619346512488,0.726426118415839,0.4351909207174176,0.7331605423921017,0.81457727740344,0.5603944599120584}'::float8[]) WITH ORDINALITY AS e (p, i) ON id = i ORDER BY id;
-- it is a model like any other
SELECT model, version, deployed, family, status, rows, features, feature_names FROM dmp.models WHERE model ~ '^import_' ORDER BY 1;
SELECT feature, level, coef FROM dmp.coefficients WHERE model = 'import_sklearn' ORDER BY position;
SELECT metric, round(value::numeric, 6) FROM dmp.evaluate('import_spark', 'import_rows') WHERE metric IN ('roc_auc', 'log_loss', 'rows');
SELECT status FROM dmp.train('import_trained', 'import_rows', 'bought', lambda => 0.01, exclude => '{id}');
SELECT metric, difference BETWEEN -0.01 AND 0.01 AS alike FROM dmp.compare('import_spark', 'import_trained', 'import_rows');
-- booleans, fills, flags of missing values, scaled indicators, texts with =, a threshold
SELECT features FROM dmp.import_model('import_all', '{"intercept": 1, "coefficients": {"mobile": 0.5, "n": 2, "t=a=b": 3, "t=": -3, "x=y": 0.25, "u": {"v": 1}}, "types": {"mobile": "boolean", "x=y": "number"},
	"scaler": {"mean": {"n": 10, "u=v": 0.5}, "scale": {"n": 4, "u=v": 0.5}}, "fill": {"x=y": 8}, "missing": {"n": 0.125, "t": -0.5}, "positive": "ja", "negative": "nein", "threshold": 0.9, "family": "binomial"}');
SELECT j, dmp.margin('import_all', j), m AS expected, dmp.classify('import_all', j) FROM (VALUES
	('{"mobile": true, "n": 14, "t": "a=b", "x=y": 4, "u": "v"}', 1 + 0.5 + 2 * (14 - 10) / 4.0 + 3 + 1 + 1 * (1 - 0.5) / 0.5),
	('{"mobile": false, "n": 10, "t": "", "x=y": null, "u": "w"}', 1 + 0 - 3 + 2 - 0.5 / 0.5),
	('{"mobile": null, "n": null, "t": null, "x=y": 0, "u": null}', 1 + 0 + 0.125 - 0.5 - 1),
	('{"mobile": false, "n": 6, "t": "unseen", "x=y": 0, "u": "v"}', 1 - 2 + 1)) AS v (j, m);
SELECT feature, level, coef FROM dmp.coefficients WHERE model = 'import_all' ORDER BY position;
-- models of numbers
SELECT version FROM dmp.import_model('import_poisson', '{"family": "poisson", "target": "n", "intercept": 0.5, "coefficients": {"visits": 0.25, "city=Rome": -1}}');
SELECT dmp.predict('import_poisson', '{"visits": 2, "city": "Rome"}'::jsonb) = exp(0::float8) AS poisson;
SELECT version FROM dmp.import_model('import_gaussian', '{"family": "gaussian", "intercept": 0.5, "coefficients": {"visits": 0.25, "city=Rome": -1}}');
SELECT dmp.predict('import_gaussian', '{"visits": 2, "city": "Rome"}'::jsonb), dmp.predict('import_gaussian', '{"visits": null, "city": "Oslo"}'::jsonb);
SELECT dmp.import_model('import_gaussian', '{"family": "gaussian", "coefficients": {"visits": 0.25}, "threshold": 0.5}');
-- out and in again, also from another model
SELECT version FROM dmp.import_model('import_copy', dmp.model_json('import_all'));
SELECT dmp.model_json('import_copy') = dmp.model_json('import_all') AS same;
SELECT version, features FROM dmp.import_model('import_copy', dmp.model_json('import_trained')::text);
SELECT count(*) FROM import_rows r WHERE dmp.predict('import_copy', r) = dmp.predict('import_trained', r);
-- deployed like a fit that converged: unless told not to, or pinned
SELECT version, deployed FROM dmp.import_model('import_copy', '{"coefficients": {"n": 1}}', deploy => false);
SELECT version, previous, pinned FROM dmp.deploy('import_copy', 1);
SELECT version, deployed FROM dmp.import_model('import_copy', '{"coefficients": {}}');
SELECT version, previous, pinned FROM dmp.deploy('import_copy');
SELECT dmp.predict('import_copy', '{}'::jsonb);

-- what it refuses
SELECT dmp.import_model('import_bad', '{"coefficients": {"n": 1}, "itercept": 0}');
SELECT dmp.import_model('import_bad', '{"intercept": 1}');
SELECT dmp.import_model('import_bad', '{"coefficients": {"n": "1"}}');
SELECT dmp.import_model('import_bad', '{"coefficients": {"n": 1e999}}');
SELECT dmp.import_model('import_bad', '{"coefficients": [1]}');
SELECT dmp.import_model('import_bad', '{"coefficients": {"n": 1, "n": 2}}'::json);
SELECT dmp.import_model('import_bad', '{"coefficients": {"n": 1, "n=a": 2}}');
SELECT dmp.import_model('import_bad', '{"coefficients": {"n=a": 1, "n": {"a": 2}}}');
SELECT dmp.import_model('import_bad', '{"coefficients": {"=a": 1}}');
SELECT dmp.import_model('import_bad', '{"coefficients": {"visits": 1}, "scaler": {"mean": {"visit": 1}}}');
SELECT dmp.import_model('import_bad', '{"coefficients": {"visits": 1}, "scaler": {"scale": {"visits": 0}}}');
SELECT dmp.import_model('import_bad', '{"coefficients": {"visits": 1e300}, "scaler": {"scale": {"visits": 1e-300}}}');
SELECT dmp.import_model('import_bad', '{"coefficients": {"visits": 1}, "scaler": {"sd": {"visits": 0}}}');
SELECT dmp.import_model('import_bad', '{"coefficients": {"visits": 1}, "fill": {"vistis": 0}}');
SELECT dmp.import_model('import_bad', '{"coefficients": {"visits": 1}, "types": {"visits": "date"}}');
SELECT dmp.import_model('import_bad', '{"coefficients": {"visits": 1}, "family": "cox"}');
SELECT dmp.import_model('import_bad', '{"coefficients": {"visits": 1}, "family": "multinomial"}');
SELECT dmp.import_model('import_bad', '{"coefficients": {"visits": [1, 2]}, "classes": ["a", "b", "c"]}');
SELECT dmp.import_model('import_bad', '{"coefficients": {"visits": [1, 2, 3]}, "classes": ["a", "b", "a"]}');
SELECT dmp.import_model('import_bad', '{"coefficients": {"visits": 1}, "classes": ["a", "b", "a"], "family": "binomial"}');
SELECT dmp.import_model('import_bad', '{"coefficients": {"visits": 1}, "threshold": 7}');
SELECT dmp.import_model('import_bad', '{"coefficients": {"visits": 1}');
SELECT dmp.import_model('import_bad', '{"format": 1, "kind": "glm"}');
SELECT dmp.import_model('import_bad', NULL::json);
SELECT dmp.import_model(NULL, '{}');
SELECT dmp.import_model('import_bad@2', '{"coefficients": {"visits": 1}}');
SELECT count(*) FROM dmp.models WHERE model = 'import_bad';
CREATE ROLE regress_dmp_import;
SET ROLE regress_dmp_import;
\set VERBOSITY terse
SELECT dmp.import_model('import_copy', '{"coefficients": {"visits": 1}}');
SELECT status, deployed FROM dmp.import_model('import_own', '{"coefficients": {"visits": 1}}');
SELECT versions FROM dmp.drop_model('import_own');
RESET ROLE;
\set VERBOSITY default
SELECT count(*) FROM dmp.models m, dmp.drop_model(m.model) WHERE m.model ~ '^import_' AND m.version = 1;
DROP TABLE import_rows;
DROP ROLE regress_dmp_import;
