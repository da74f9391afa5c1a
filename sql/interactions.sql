-- Interactions and arrays of numbers: the same models as from columns made by hand; wide models with encoders.
SET client_min_messages = warning;
SET timezone = 'UTC';
CREATE TABLE interactions_t AS
SELECT i AS id,
	CASE WHEN i % 19 = 0 THEN NULL ELSE (i * 7919 % 1009) / 100.0 END::float8 AS x,
	((i * 31 % 7) - 3)::int AS n,
	CASE WHEN i % 23 = 0 THEN NULL ELSE 'c' || (i * 37 % 101) % 4 END AS land,
	CASE WHEN i % 100 = 0 THEN 'odd' || i ELSE (ARRAY['a', 'b', 'c'])[1 + i % 3] END AS shop,
	i % 3 = 0 AS mobile,
	ARRAY[sin(i), cos(i), sin(i * 1.7)]::float4[] AS v,
	ARRAY[i % 5, i % 11]::int[] AS w,
	sin(i) + ((i * 31 % 7) - 3) * (CASE (i * 37 % 101) % 4 WHEN 0 THEN 0.7 WHEN 1 THEN -0.5 ELSE 0 END) + sin(i * 12.9) * 2 > 0.2 AS y
FROM generate_series(1, 3000) AS i;

CREATE FUNCTION interactions_same(a text, b text, query text) RETURNS TABLE (rows bigint, differ bigint)
LANGUAGE plpgsql AS $$
BEGIN
	RETURN QUERY EXECUTE format('SELECT count(*), count(*) FILTER (WHERE abs(dmp.margin(%L, t) - dmp.margin(%L, t)) > 1e-9) FROM (%s) AS t', a, b, query);
END $$;

-- number by number
SELECT status FROM dmp.train('interactions_product', 'SELECT x, n, y FROM interactions_t', 'y', options => '{"interactions": ["x:n"]}');
SELECT status FROM dmp.train('interactions_product_hand', 'SELECT x, n, x * n AS xn, y FROM interactions_t', 'y');
SELECT * FROM interactions_same('interactions_product', 'interactions_product_hand', 'SELECT *, x * n AS xn FROM interactions_t');
SELECT feature, level FROM dmp.coefficients WHERE model = 'interactions_product' ORDER BY position;
-- a boolean is a number
SELECT status FROM dmp.train('interactions_boolean', 'SELECT n, mobile, y FROM interactions_t', 'y', options => '{"interactions": ["mobile:n"]}');
SELECT status FROM dmp.train('interactions_boolean_hand', 'SELECT n, mobile, n * mobile::int AS nm, y FROM interactions_t', 'y');
SELECT * FROM interactions_same('interactions_boolean', 'interactions_boolean_hand', 'SELECT *, n * mobile::int AS nm FROM interactions_t');

-- text by text
SELECT status FROM dmp.train('interactions_pair', 'SELECT land, shop, y FROM interactions_t', 'y', lambda => 0.001, options => '{"interactions": ["land:shop"]}');
SELECT status FROM dmp.train('interactions_pair_hand', $$SELECT land, shop, land || ' & ' || shop AS both, y FROM interactions_t$$, 'y', lambda => 0.001);
SELECT * FROM interactions_same('interactions_pair', 'interactions_pair_hand', $$SELECT *, land || ' & ' || shop AS both FROM interactions_t$$);
SELECT level, rows FROM dmp.coefficients WHERE model = 'interactions_pair' AND feature = 'land:shop' ORDER BY position;

-- number by text: a slope for each level
SELECT status FROM dmp.train('interactions_slope', 'SELECT n, land, y FROM interactions_t', 'y', options => '{"interactions": ["land:n"]}');
SELECT feature, level, coef = 0 AS reference FROM dmp.coefficients WHERE model = 'interactions_slope' ORDER BY position;
SELECT status FROM dmp.train('interactions_slope_hand', $$SELECT n, land, n * (land = 'c1')::int * (land IS NOT NULL)::int AS n1, y,
	CASE WHEN land = 'c1' THEN n ELSE 0 END AS s1, CASE WHEN land = 'c2' THEN n ELSE 0 END AS s2, CASE WHEN land = 'c3' THEN n ELSE 0 END AS s3,
	CASE WHEN land IS NULL THEN n ELSE 0 END AS s4 FROM interactions_t$$, 'y', exclude => '{n1}');
SELECT * FROM interactions_same('interactions_slope', 'interactions_slope_hand', $$SELECT *,
	CASE WHEN land = 'c1' THEN n ELSE 0 END AS s1, CASE WHEN land = 'c2' THEN n ELSE 0 END AS s2, CASE WHEN land = 'c3' THEN n ELSE 0 END AS s3,
	CASE WHEN land IS NULL THEN n ELSE 0 END AS s4 FROM interactions_t$$);
-- it finds what the data were made by
SELECT level, round(coef::numeric, 1) AS coef FROM dmp.coefficients WHERE model = 'interactions_slope' AND feature = 'n:land' AND level = 'c1' ORDER BY 1;
-- without the number as a feature of its own every level has one
SELECT status FROM dmp.train('interactions_alone', 'SELECT n, shop, y FROM interactions_t', 'y', features => '{shop}', options => '{"interactions": ["n:shop"]}');
SELECT feature, level FROM dmp.coefficients WHERE model = 'interactions_alone' AND feature = 'n:shop' ORDER BY position;
-- told under its own name
SELECT feature, value, contribution <> 0 AS tells FROM dmp.explain('interactions_slope', '{"n": 2, "land": "c0"}') ORDER BY rank;
SELECT feature FROM dmp.explain('interactions_alone', '{"n": 2, "shop": "a"}') ORDER BY feature;

-- arrays of numbers: each element is a column
SELECT status, features FROM dmp.train('interactions_array', 'SELECT v, w, n, y FROM interactions_t', 'y');
SELECT status FROM dmp.train('interactions_array_hand', 'SELECT v[1] AS v1, v[2] AS v2, v[3] AS v3, w[1] AS w1, w[2] AS w2, n, y FROM interactions_t', 'y');
SELECT * FROM interactions_same('interactions_array', 'interactions_array_hand', 'SELECT *, v[1] AS v1, v[2] AS v2, v[3] AS v3, w[1] AS w1, w[2] AS w2 FROM interactions_t');
SELECT feature, level FROM dmp.coefficients WHERE model = 'interactions_array' ORDER BY position;
CREATE TABLE interactions_holes AS
SELECT id, y, n, CASE WHEN id % 10 = 0 THEN NULL WHEN id % 7 = 0 THEN ARRAY[v[1], NULL, 'NaN'] ELSE v END AS v FROM interactions_t;
SELECT status FROM dmp.train('interactions_holes', 'SELECT v, n, y FROM interactions_holes', 'y', lambda => 0.001);
SELECT status FROM dmp.train('interactions_holes_hand', 'SELECT v[1] AS v1, v[2] AS v2, v[3] AS v3, n, y FROM interactions_holes', 'y', lambda => 0.001);
SELECT * FROM interactions_same('interactions_holes', 'interactions_holes_hand', 'SELECT *, v[1] AS v1, v[2] AS v2, v[3] AS v3 FROM interactions_holes');
SELECT feature FROM dmp.explain('interactions_holes', '{"v": [1, null, 2.5], "n": 1}') ORDER BY feature;
SELECT dmp.predict('interactions_holes', '{"v": [1, null, 2.5], "n": 1}') = dmp.predict('interactions_holes', t) AS as_json
FROM (SELECT ARRAY[1, NULL, 2.5]::numeric[] AS v, 1 AS n) AS t;
-- 200 elements and other columns go in as they are
CREATE TABLE interactions_long AS
SELECT i AS id, (SELECT array_agg(sin(i * k) ORDER BY k) FROM generate_series(1, 200) AS k) AS v, 'c' || i % 3 AS c, i % 7 AS n, sin(i * 3) + sin(i * 199) > 0.1 AS y
FROM generate_series(1, 1000) AS i;
SELECT status, features, roc_auc > 0.99 AS good FROM dmp.train('interactions_long', 'SELECT n, v, c, y FROM interactions_long', 'y', lambda => 0.001);
SELECT status FROM dmp.train('interactions_weighed', 'SELECT n, v, c, y FROM interactions_long', 'y', lambda => 0.001, options => '{"class_weight": "balanced"}');
SELECT count(*) AS rows, count(*) FILTER (WHERE abs(dmp.predict('interactions_long', t) - dmp.predict('interactions_long', to_jsonb(t))) > 1e-12) AS differ FROM interactions_long AS t;

-- a factor, and a bound, is of all that a column becomes
SELECT status FROM dmp.train('interactions_bounded', 'SELECT v, n, land, y FROM interactions_t', 'y', lambda => 0.1, alpha => 1,
	options => '{"bounds": {"v": "negative", "n:land": [-0.1, null]}, "penalty_factor": {"v": 0, "n:land": 0}, "interactions": ["n:land"]}');
SELECT feature, bool_and(coef <= 0) AS negative, bool_and(coef >= -0.1) AS above, bool_or(coef <> 0) AS any
FROM dmp.coefficients WHERE model = 'interactions_bounded' AND feature ~ '^v|:' GROUP BY 1 ORDER BY 1;

-- dmp.model_sql is the same to the last bit
CREATE FUNCTION interactions_sql(name text, query text) RETURNS TABLE (rows bigint, differ bigint)
LANGUAGE plpgsql AS $$
BEGIN
	RETURN QUERY EXECUTE format('SELECT count(*), count(*) FILTER (WHERE dmp.predict(%L, t) IS DISTINCT FROM (%s)) FROM (%s) AS t', name, dmp.model_sql(name), query);
END $$;
SELECT name, s.* FROM unnest('{interactions_product,interactions_boolean,interactions_pair,interactions_slope,interactions_alone,interactions_array}'::text[]) AS name,
	interactions_sql(name, 'SELECT * FROM interactions_t UNION ALL SELECT 0, ''NaN'', NULL, NULL, '''', NULL, NULL, NULL, true UNION ALL SELECT -1, 1e9, 5, ''z'', NULL, true, ''{1,NULL,NaN}'', ''{7,NULL}'', true') AS s;
SELECT s.* FROM interactions_sql('interactions_long', 'SELECT * FROM interactions_long LIMIT 100') AS s;

-- a wide model takes encoders, interactions and arrays beside its n-grams
CREATE TABLE interactions_wide AS
SELECT *, (ARRAY['good and quick service', 'slow and rude again', 'nothing to say here'])[1 + (id + (y::int)) % 3] || ' number ' || id % 50 AS review,
	(ARRAY['red', 'green', 'blue'])[1 + (n + 3 + (id % 4 = 0)::int) % 3] AS colour FROM interactions_t;
SELECT status FROM dmp.train('interactions_wide', 'SELECT id, x, n, land, shop, v, review, y FROM interactions_wide', 'y', lambda => 0.001, key => '{id}',
	options => '{"encode": {"review": "ngrams", "x": "bins", "land": "woe"}, "interactions": ["n:land"], "impute": {"n": "median"}}');
SELECT feature, count(*) FROM dmp.coefficients WHERE model = 'interactions_wide' GROUP BY feature ORDER BY min(position);
SELECT count(*) AS rows, count(*) FILTER (WHERE p <> v) AS by_value, count(*) FILTER (WHERE abs(p - j) > 1e-6) AS by_json, round(dmp.roc_auc(p, y)::numeric, 2) AS roc_auc
FROM (SELECT y, dmp.predict('interactions_wide', t) AS p, dmp.predict((SELECT dmp.model_value('interactions_wide')), t) AS v, dmp.predict('interactions_wide', to_jsonb(t)) AS j
	FROM interactions_wide AS t) AS s;
SELECT feature FROM dmp.explain('interactions_wide', (SELECT t FROM interactions_wide AS t WHERE id = 1)) ORDER BY feature;
-- without tables training and scoring see the same values
SELECT status FROM dmp.train('interactions_skew', 'SELECT x, n, land, v, review, y FROM interactions_wide', 'y', lambda => 0.01, options => '{"encode": {"review": "ngrams", "x": "bins"}, "interactions": ["n:land", "x:n"]}');
SELECT abs(m.log_loss - l.log_loss) < 1e-6 AS no_skew FROM dmp.models m,
	(SELECT dmp.log_loss(dmp.predict('interactions_skew', t), y) AS log_loss FROM interactions_wide AS t) AS l WHERE m.model = 'interactions_skew';
-- several classes
SELECT status FROM dmp.train('interactions_classes', 'SELECT x, n, land, v, colour FROM interactions_wide', 'colour', lambda => 0.001, options => '{"encode": {"x": "log", "n": "one_hot"}, "interactions": ["land:x"]}');
SELECT round(avg((dmp.classify('interactions_classes', t) = colour)::int), 2) AS accuracy, round(min(m.accuracy)::numeric, 2) AS trained
FROM interactions_wide AS t, dmp.models AS m WHERE m.model = 'interactions_classes';
-- a target that is a number
SELECT status FROM dmp.train('interactions_number', 'SELECT id, x, n, land, shop, sin(id) + n AS z FROM interactions_t', 'z', key => '{id}', options => '{"encode": {"land": "target", "shop": "target", "x": "bins"}, "interactions": ["n:x"]}');
SELECT level, abs(value - (sz + 10 * (SELECT avg(sin(id) + n) FROM interactions_t)) / (rows + 10)) < 1e-12 AS same
FROM dmp.encodings e JOIN (SELECT coalesce(land, '(missing)') AS level, sum(sin(id) + n) AS sz FROM interactions_t GROUP BY 1) AS s USING (level)
WHERE e.model = 'interactions_number' AND feature = 'land' ORDER BY 1;

-- errors
SELECT * FROM dmp.train('interactions_bad', 'interactions_t', 'y', options => '{"interactions": ["x:m"]}');
SELECT * FROM dmp.train('interactions_bad', 'interactions_t', 'y', options => '{"interactions": ["x:y"]}');
SELECT * FROM dmp.train('interactions_bad', 'interactions_t', 'y', options => '{"interactions": ["x:v"]}');
SELECT * FROM dmp.train('interactions_bad', 'interactions_t', 'y', options => '{"interactions": ["x:n", "x:n"]}');
SELECT * FROM dmp.train('interactions_bad', 'SELECT y, CASE WHEN id = 7 THEN v[:2] ELSE v END AS v FROM interactions_t', 'y');
SELECT * FROM dmp.train('interactions_bad', 'SELECT y, ARRAY[v, v] AS v FROM interactions_t', 'y');
SELECT * FROM dmp.train('interactions_bad', 'SELECT y, ''{}''::float8[] AS v FROM interactions_t', 'y');
SELECT * FROM dmp.train('interactions_bad', 'interactions_t', 'y', options => '{"encode": {"v": "woe"}}');
SELECT * FROM dmp.train('interactions_bad', 'SELECT id, x, land, id::float8 AS z FROM interactions_t', 'z', options => '{"encode": {"x": "woe"}}');
SELECT dmp.predict('interactions_array', '{"v": [1, 2], "w": [1, 2], "n": 1}');
SELECT dmp.predict('interactions_array', '{"v": [1, 2, "3"], "w": [1, 2], "n": 1}');
SELECT dmp.predict('interactions_array', t) FROM (SELECT ARRAY['a'] AS v, ARRAY[1, 2] AS w, 1 AS n) AS t;

SELECT count(*) AS dropped FROM (SELECT DISTINCT model FROM dmp.models WHERE model LIKE 'interactions\_%') AS m, dmp.drop_model(m.model);
DROP FUNCTION interactions_same, interactions_sql;
DROP TABLE interactions_t, interactions_holes, interactions_long, interactions_wide;
