-- reasons in sentences, scorecards, PMML
CREATE TABLE leave_rows AS
SELECT i AS id, CASE WHEN i % 11 <> 0 THEN i * 37 % 50 / 10::float8 END AS visits, 1020 + i * 13 % 40 AS age,
	   CASE WHEN i % 9 > 0 THEN (ARRAY['Oslo','Paris','Rome','a <"&''> b '])[1 + i * 7 % 4] END AS city, CASE WHEN i % 7 > 0 THEN i * 11 % 4 = 0 END AS mobile,
	   (ARRAY['few','rare','common','usual','usual'])[CASE WHEN i % 40 < 2 THEN 1 + i % 2 ELSE 3 + i % 3 END] AS kind,
	   i * 31337 % 1009 / 1009::float8 < 1 / (1 + exp(-(0.5 * (i * 37 % 50) / 10 - 1.2 + (i * 7 % 4 = 2)::int))) AS bought
FROM generate_series(1, 400) i;
SELECT status FROM dmp.train('leave_all', 'leave_rows', 'bought', lambda => 0.001, exclude => '{id}', options => '{"min_count": 15}');
-- reasons: the order and the signs are those of dmp.explain
SELECT unnest(dmp.reasons('leave_all', r, 10)) FROM leave_rows r WHERE id = 44;
SELECT unnest(dmp.reasons('leave_all', r, NULL, 'lower')) FROM leave_rows r WHERE id = 63;
SELECT unnest(dmp.reasons('leave_all', r, 2, 'raise')) FROM leave_rows r WHERE id = 63;
SELECT dmp.reasons('leave_all', '{"visits": null, "age": 12345678, "city": "nowhere", "mobile": true, "kind": "new"}'::jsonb, 9);
SELECT count(*) FROM leave_rows r WHERE (SELECT array_agg(split_part(s, ' ', 1) || (s ~ 'raises')::text ORDER BY i) FROM unnest(dmp.reasons('leave_all', r, 9)) WITH ORDINALITY u (s, i))
	= (SELECT array_agg(feature || (contribution > 0)::text ORDER BY rank) FROM dmp.explain('leave_all', r) WHERE rank > 0 AND contribution <> 0);
SELECT dmp.reasons((SELECT dmp.model_value('leave_all')), r, 1), dmp.reasons('leave_all', to_json(r)::text, 1) = dmp.reasons('leave_all', r, 1) AS same, dmp.reasons('leave_all', r, 0) AS none FROM leave_rows r WHERE id = 1;
-- equal terms keep the order of the model, terms of nothing are none, long values are cut
SELECT version FROM dmp.import_model('leave_ties', '{"coefficients": {"c": 1, "a": 1, "b": -1, "n": 0, "t": {"x": 1}}}');
SELECT dmp.reasons('leave_ties', '{"a": 2, "b": 2, "c": 2, "n": 5, "t": "x"}'::jsonb, 9);
SELECT version FROM dmp.import_model('leave_long', jsonb_build_object('coefficients', jsonb_build_object('t=x' || repeat('y', 100), 1)));
SELECT dmp.reasons('leave_long', jsonb_build_object('t', 'x' || repeat('y', 100))), dmp.reasons('leave_ties', NULL::jsonb) IS NULL AS no_row;
SELECT dmp.reasons('leave_ties', '{"a": 2, "b": 2, "c": 2, "n": 5, "t": "x"}'::jsonb, -1);
SELECT dmp.reasons('leave_ties', '{"a": 2, "b": 2, "c": 2, "n": 5, "t": "x"}'::jsonb, 1, 'up');
SELECT status FROM dmp.train('leave_classes', 'SELECT visits, mobile, kind FROM leave_rows WHERE kind <> ''few''', 'kind', lambda => 0.01);
SELECT dmp.reasons('leave_classes', r) FROM leave_rows r WHERE id = 1;

-- a scorecard: its points are offset + factor * margin
SELECT status FROM dmp.train('leave_card', 'SELECT city, mobile, kind, bought FROM leave_rows', 'bought', lambda => 0.001, options => '{"min_count": 15}');
SELECT feature, level, woe, round(coef::numeric, 6) AS coef, points, round(exact_points::numeric, 4) AS exact_points FROM dmp.scorecard('leave_card');
SELECT c.feature, c.level FROM dmp.scorecard('leave_card') c JOIN dmp.coefficients k ON k.model = 'leave_card' AND k.feature = c.feature AND coalesce(k.level, 'true') = c.level WHERE k.coef <> c.coef;
SELECT count(*) AS rows, max(abs(600 + 20 / ln(2) * (dmp.margin('leave_card', r) - ln(50)) - p.exact)) < 1e-9 AS exact, max(abs(p.exact - p.points)) <= 2 AS rounded
FROM leave_rows r CROSS JOIN LATERAL (SELECT sum(exact_points) AS exact, sum(points) AS points FROM dmp.scorecard('leave_card')
	WHERE feature = '(base)' OR (feature = 'mobile' AND level = coalesce(mobile::text, '(missing)'))
		OR (feature = 'city' AND level = coalesce(city, '(missing)')) OR (feature = 'kind' AND level = CASE WHEN kind IN ('few', 'rare') THEN '(other)' ELSE kind END)) p;
SELECT dmp.scorecard_sql('leave_card', 20, 600, 50) AS card \gset
\echo :card
SELECT count(*) FROM leave_rows r WHERE (:card) = (SELECT sum(points) FROM dmp.scorecard('leave_card')
	WHERE feature = '(base)' OR (feature = 'mobile' AND level = coalesce(mobile::text, '(missing)'))
		OR (feature = 'city' AND level = coalesce(city, '(missing)')) OR (feature = 'kind' AND level = CASE WHEN kind IN ('few', 'rare') THEN '(other)' ELSE kind END));
-- bins, weights of evidence and means of the target: at two million points a doubling, whole points tell the margin to seven digits
SELECT status FROM dmp.train('leave_bins', 'SELECT id, visits, age, age AS years, city, kind, mobile, bought FROM leave_rows', 'bought', key => '{id}', lambda => 0.001,
	options => '{"encode": {"visits": {"encode": "woe", "bins": 4}, "age": {"encode": "bins", "bins": 3}, "city": "woe", "years": {"encode": "target", "bins": 2}}, "impute": {"age": "median"}}');
SELECT feature, level, round(woe::numeric, 4) AS woe, round(coef::numeric, 4) AS coef, points FROM dmp.scorecard('leave_bins');
SELECT dmp.scorecard_sql('leave_bins', 2e6, 0, 1) AS card \gset
SELECT count(*) AS rows, max(abs((:card) - 2e6 / ln(2) * dmp.margin('leave_bins', r))) <= 3.5 AS same
FROM (SELECT id, CASE WHEN id % 13 > 0 THEN visits - 1 END AS visits, CASE WHEN id % 17 > 0 THEN age END AS age, age + 10 AS years, CASE id % 19 WHEN 0 THEN 'new' ELSE city END AS city, kind, mobile FROM leave_rows) r;
SELECT unnest(dmp.reasons('leave_bins', r, 9)) FROM (SELECT *, age AS years FROM leave_rows) r WHERE id = 45;
-- twice the odds are 40 points less when the positive class is the bad one
SELECT feature, level, points FROM dmp.scorecard('leave_card', -40, 500, 1) WHERE feature IN ('(base)', 'mobile');
SELECT * FROM dmp.scorecard('leave_all');
SELECT * FROM dmp.scorecard('leave_classes');
SELECT * FROM dmp.scorecard('leave_card', 0);
SELECT * FROM dmp.scorecard('leave_card', base_odds => -1);
SELECT * FROM dmp.scorecard('leave_card', base_points => 'NaN');
SELECT * FROM dmp.scorecard('leave_card', 1e300);

\pset format unaligned
-- PMML: every kind of column (that an evaluator agrees is in test/t/094_pmml.pl)
SELECT version FROM dmp.import_model('leave_pmml', '{"target": "bought", "positive": "yes", "negative": "no", "intercept": 0.5, "threshold": 0.25, "coefficients": {"visits": 1.5, "age": -0.25, "plain": 2, "none": 0, "mobile": 1,
	"city": {"a <\"&''> b ": -1, "Oslo": 1}}, "types": {"mobile": "boolean"}, "scaler": {"mean": {"visits": 10, "age": 40}, "scale": {"visits": 3}}, "fill": {"plain": 1.5}, "missing": {"visits": 0.125, "city": -0.5}}');
SELECT replace(dmp.model_pmml('leave_pmml'), dmp.version(), '*');
SELECT version FROM dmp.import_model('leave_pmml', '{"target": "visits", "classes": ["x", "y", "z"], "intercept": [1, 2, 3], "coefficients": {"visits": [0.5, 0, -0.5], "class": [0, 1, 2], "visits (missing)": [1, 0, 0]}, "missing": {"visits": [0, 0, 1]}}');
SELECT replace(dmp.model_pmml('leave_pmml'), dmp.version(), '*');
\pset format aligned
SELECT version FROM dmp.import_model('leave_number', '{"family": "poisson", "target": "n", "intercept": 0.5, "coefficients": {"visits": 0.25}}');
SELECT * FROM dmp.scorecard('leave_number');
SELECT dmp.reasons('leave_number', '{"visits": 2}'::jsonb);
SELECT regexp_matches(dmp.model_pmml('leave_number'), '(functionName|normalizationMethod|intercept|coefficient)="([^"]*)"', 'g');
SELECT status FROM dmp.train('leave_pair', 'SELECT city, kind, bought FROM leave_rows', 'bought', lambda => 0.01, options => '{"interactions": ["city:kind"]}');
SELECT dmp.model_pmml('leave_pair');
SELECT status FROM dmp.train('leave_hashed', 'SELECT kind || id AS word, bought FROM leave_rows', 'bought');
SELECT dmp.model_pmml('leave_hashed');
SELECT version FROM dmp.import_model('leave_pmml', E'{"coefficients": {"a\\u0001": 1}}');
SELECT dmp.model_pmml('leave_pmml');
SELECT count(*) FROM dmp.models m, dmp.drop_model(m.model) WHERE m.model ~ '^leave_' AND m.version = 1;
DROP TABLE leave_rows;
