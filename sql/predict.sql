-- a model as a value: the sample of format 1 is readable for ever
\getenv abs_srcdir PG_ABS_SRCDIR
\set sample `cat :abs_srcdir/test/data/model_1.json`
CREATE TABLE held (m dmp.model_value);
INSERT INTO held VALUES (:'sample');
SELECT m::text = :'sample' AS unchanged FROM held;
CREATE TABLE visitor (seen_at float8, mobile boolean, country text, constant int, more text);
INSERT INTO visitor VALUES
	(1700000060, true, 'DE', 3, 'x'), (1700000010.5, false, 'FR "x"', 3, 'x'), (NULL, NULL, '中国', NULL, NULL),
	('NaN', true, 'Atlantis', 4, NULL), (1700000000, false, NULL, 3, NULL), (1e300, true, 'DE', 3, NULL), (-1e300, true, 'DE', 3, NULL);

-- the formula by hand
SELECT dmp.margin(m, v) AS margin, dmp.predict(m, v) AS p, dmp.classify(m, v) AS class,
	   abs(dmp.margin(m, v) - (-0.5 + 0.02 * (coalesce(nullif(seen_at, 'NaN'), 1700000000.5) - 1700000000.0)
			+ CASE WHEN seen_at IS NULL OR seen_at = 'NaN' THEN -0.4 ELSE 0 END
			+ 1.25 * (coalesce(mobile::int, 0.25) - 0.5)
			+ CASE WHEN country IS NULL THEN 0 ELSE CASE country WHEN 'DE' THEN 0 WHEN 'FR "x"' THEN 0.75 WHEN '中国' THEN -0.3 ELSE 0.125 END END))
		<= 1e-12 * greatest(1, abs(dmp.margin(m, v))) AS as_written
FROM visitor v, held ORDER BY seen_at, country;

-- record, jsonb and text say the same; so do other number and text types
SELECT dmp.predict(m, v) = dmp.predict(m, to_jsonb(v)) AS jsonb, dmp.predict(m, v) = dmp.predict(m, to_jsonb(v)::text) AS text
FROM visitor v, held WHERE seen_at <> 'NaN' ORDER BY seen_at;
CREATE DOMAIN positive_seconds AS numeric CHECK (VALUE > 0);
CREATE TYPE land AS ENUM ('DE', 'FR "x"');
SELECT DISTINCT dmp.predict(m, x) = dmp.predict(m, '{"seen_at": 1700000060, "mobile": true, "country": "FR \"x\"", "constant": 3}') AS same
FROM held, (SELECT 1700000060::bigint AS seen_at, true AS mobile, 'FR "x"'::varchar(20) AS country, 3::smallint AS constant) x;
SELECT dmp.predict(m, x) = dmp.predict(m, '{"seen_at": 1700000060, "mobile": true, "country": "FR \"x\"", "constant": 3}') AS same
FROM held, (SELECT 1700000060::positive_seconds AS seen_at, true AS mobile, 'FR "x"'::char(20) AS country, 3::real AS constant) x;
SELECT dmp.predict(m, x) = dmp.predict(m, '{"seen_at": 1700000060, "mobile": true, "country": "FR \"x\"", "constant": 3}') AS same
FROM held, (SELECT 1700000060 AS seen_at, true AS mobile, 'FR "x"'::land AS country, 3 AS constant) x;
SELECT dmp.predict(m, NULL::visitor) IS NULL AS null_row, dmp.predict(NULL::dmp.model_value, v) IS NULL AS null_model FROM held, visitor v LIMIT 1;

-- columns by name, wherever they are; a dropped column does not matter
CREATE TABLE shuffled AS SELECT more, country, constant, mobile, seen_at FROM visitor;
ALTER TABLE shuffled DROP COLUMN more;
ALTER TABLE shuffled ADD COLUMN late int DEFAULT 7;
SELECT count(*) FROM visitor v JOIN shuffled s ON s.seen_at = v.seen_at, held WHERE dmp.margin(m, v) = dmp.margin(m, s);
-- two row types through one place
SELECT count(DISTINCT dmp.margin(m, r)) FROM held, LATERAL (SELECT v AS r FROM visitor v WHERE seen_at = 1700000060) a
UNION ALL SELECT count(DISTINCT dmp.margin(m, r)) FROM held, LATERAL (SELECT s AS r FROM shuffled s WHERE seen_at = 1700000060) a;

-- what it refuses
SELECT dmp.predict(m, x) FROM held, (SELECT 1.5 AS seen_at, true AS mobile, 3 AS constant) x;
SELECT dmp.predict(m, x) FROM held, (SELECT 'now' AS seen_at, true AS mobile, 'DE' AS country, 3 AS constant) x;
SELECT dmp.predict(m, x) FROM held, (SELECT 1 AS seen_at, 1 AS mobile, 'DE' AS country, 3 AS constant) x;
SELECT dmp.predict(m, x) FROM held, (SELECT 1 AS seen_at, 2 AS seen_at, true AS mobile, 'DE' AS country, 3 AS constant) x;
SELECT dmp.predict(m, '{"seen_at": 1, "mobile": true}') FROM held;
SELECT dmp.predict(m, '{"seen_at": "1", "mobile": true, "country": "DE", "constant": 3}') FROM held;
SELECT dmp.predict(m, '{"seen_at": 1, "mobile": {}, "country": "DE", "constant": 3}') FROM held;
SELECT dmp.predict(m, '[1]') FROM held;
SELECT dmp.predict(m, '{"seen_at": 1') FROM held;
SELECT dmp.predict(m, ROW(1, true, 'DE', 3)) FROM held;
SELECT dmp.predict(m, x) FROM held, (SELECT 'infinity'::float8 AS seen_at, true AS mobile, 'DE' AS country, 3 AS constant) x;

-- the value form is immutable: a generated column, an index
CREATE TABLE visit (seen_at float8, mobile boolean, country text, constant int);
CREATE FUNCTION sample_score(visit) RETURNS float8 IMMUTABLE LANGUAGE sql
	RETURN dmp.predict('{"format":1,"kind":"glm","family":"binomial","target":"y","positive":"1","negative":"0","threshold":0.5,"intercept":0,"coef":[1],"pivot":[0],"mean":[0],"scale":[1],"features":[{"name":"seen_at","encode":"numeric","column":0,"fill":0,"missing_column":-1,"rows_missing":0}]}'::dmp.model_value, $1);
CREATE INDEX ON visit (sample_score(visit));
INSERT INTO visit VALUES (0, true, 'DE', 1), (800, true, 'DE', 1), (-800, true, 'DE', 1);
SELECT sample_score(visit) FROM visit ORDER BY seen_at;

-- the type believes nothing
SELECT '{}'::dmp.model_value;
SELECT '{"format":2}'::dmp.model_value;
SELECT '[]'::dmp.model_value;
SELECT 'x'::dmp.model_value;
SELECT replace(:'sample', '"column":2', '"column":0')::dmp.model_value;
SELECT replace(:'sample', '"column":2', '"column":6')::dmp.model_value;
SELECT replace(:'sample', '"column":2', '"column":-1')::dmp.model_value;
SELECT replace(:'sample', '"column":2', '"column":1.5')::dmp.model_value;
SELECT replace(:'sample', '"DE"', '"ZZ"')::dmp.model_value;
SELECT replace(:'sample', '"DE"', '3')::dmp.model_value;
SELECT replace(:'sample', '"mobile"', '"country"')::dmp.model_value;
SELECT replace(:'sample', '0.75', '1e999')::dmp.model_value;
SELECT replace(:'sample', '0.75,', '')::dmp.model_value;
SELECT replace(:'sample', '60.25', '-60.25')::dmp.model_value;
SELECT replace(:'sample', '"binomial"', '"gaussian"')::dmp.model_value;
SELECT replace(:'sample', '"threshold":0.25', '"threshold":2')::dmp.model_value;
SELECT replace(:'sample', '"threshold":0.25', '"threshold_":0.25')::dmp.model_value;
SELECT replace(:'sample', '"pivot":[1700000000.0,0', '"pivot":[1700000000.0,1')::dmp.model_value;
SELECT replace(:'sample', '"encode":"boolean"', '"encode":"woe"')::dmp.model_value;

-- binary output and input
SELECT pg_column_size(m) > 500 AS stored FROM held;
SELECT encode(substr(dmp_internal.model_value_send(m), 1, 12), 'hex') AS begins FROM held;

-- another model in each row: more of them than a call keeps, by reference and by value
SET client_min_messages = error; -- x looks like an identifier
SELECT count(*) FROM generate_series(1, 20) AS n, dmp.train('predict_many' || n,
	'SELECT i AS x, i % 7 < 3 AS y FROM generate_series(1, ' || 100 + n || ') AS i', 'y', lambda => 0.1 * n);
RESET client_min_messages;
SELECT count(*), count(DISTINCT p), bool_and(p = q AND p = r) FROM (
	SELECT dmp.predict('predict_many' || n, t) AS p, dmp.predict(dmp.model_value('predict_many' || n), t) AS q,
		dmp.predict('predict_many' || n || '@1', t) AS r
	FROM (SELECT 5 AS x) AS t, generate_series(1, 3) AS again, generate_series(1, 20) AS n OFFSET 0) AS s;
SELECT count(*) FROM generate_series(1, 20) AS n, dmp.drop_model('predict_many' || n);
