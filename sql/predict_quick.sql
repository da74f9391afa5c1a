-- the margin by terms (many rows of one type) is that of the general way (json), bit for bit
CREATE TYPE quick_size AS ENUM ('S', 'M', 'L');
CREATE DOMAIN quick_text AS text;
CREATE TABLE quick AS
SELECT i AS id, (i * 7919 % 1000) / 100.0::float8 AS f8, (i * 31 % 97)::float4 AS f4, (i * 17 % 89)::int2 AS i2, i * 13 % 83 AS i4,
	   (i * 11 % 79)::int8 AS i8, (i * 37 % 71) / 7.0 AS num, i % 3 = 0 AS b,
	   (ARRAY['a','bb','ccc','dddd','eeeee','a longer text, its end alike','b longer text, its end alike','a longer text, its end alikf', '', 'éà'])[1 + i * 7 % 10] AS t,
	   (ARRAY['x ','y'])[1 + i % 2]::char(4) AS c, (ARRAY['u','v','w'])[1 + i % 3]::name AS n, (ARRAY['S','M','L'])[1 + i * 5 % 3]::quick_size AS e,
	   (ARRAY['p','q'])[1 + i / 5 % 2]::quick_text AS d, i * 31337 % 1009 / 1009.0 < 1 / (1 + exp(2 - (i * 7919 % 1000) / 300.0)) AS y
FROM generate_series(1, 1000) i;
UPDATE quick SET f8 = NULL WHERE id % 10 = 1;
UPDATE quick SET f8 = 'NaN' WHERE id % 10 = 2;
UPDATE quick SET i4 = NULL, t = NULL WHERE id % 12 = 3;
UPDATE quick SET b = NULL, num = NULL, e = NULL WHERE id % 15 = 4;
SELECT status FROM dmp.train('quick', 'quick', 'y', lambda => 0.001, exclude => '{id}');
SELECT status FROM dmp.train('quick_numbers', 'SELECT f8, i4, i8, b, y FROM quick WHERE f8 IS NOT NULL', 'y', lambda => 0.001);
SELECT status FROM dmp.train('quick_floats', 'SELECT f8, i4::float8 AS x, y FROM quick', 'y', lambda => 0);
SELECT status FROM dmp.train('quick_none', 'SELECT f8, i4::float8 AS x, y FROM quick', 'y', lambda => 0.05, alpha => 1);
SELECT feature, level, coef <> 0 AS counts FROM dmp.coefficients WHERE model = 'quick_none' ORDER BY position;
UPDATE quick SET t = 'never seen ' || id WHERE id % 20 = 5;
UPDATE quick SET f8 = 'infinity' WHERE id % 50 = 6;
CREATE FUNCTION quick_same(a float8, b float8) RETURNS boolean LANGUAGE sql IMMUTABLE RETURN float8send(a) IS NOT DISTINCT FROM float8send(b);
-- json loses NaN, it is NULL there; numeric and float4 lose nothing
CREATE VIEW quick_json AS SELECT id, to_jsonb(q) || jsonb_build_object('f8', CASE WHEN f8 = 'NaN' THEN NULL WHEN f8 = 'infinity' THEN to_jsonb(1e300) ELSE to_jsonb(f8) END, 'x', i4, 'c', rtrim(c)) AS j FROM quick q;
SELECT count(*) AS rows, count(*) FILTER (WHERE quick_same(dmp.margin('quick', q), dmp.margin('quick', j))) AS columns,
	   count(*) FILTER (WHERE quick_same(dmp.margin((SELECT dmp.model_value('quick')), q), dmp.margin('quick', j))) AS record
FROM quick q JOIN quick_json USING (id) WHERE f8 IS DISTINCT FROM 'infinity';
SELECT count(*) AS rows, count(*) FILTER (WHERE quick_same(dmp.margin('quick_numbers', q), dmp.margin('quick_numbers', j))) AS columns,
	   count(*) FILTER (WHERE quick_same(dmp.margin((SELECT dmp.model_value('quick_numbers')), q), dmp.margin('quick_numbers', j))) AS record
FROM (SELECT id, b, f8, i4, i8 FROM quick OFFSET 0) q JOIN quick_json USING (id) WHERE f8 IS DISTINCT FROM 'infinity';
SELECT count(*) AS rows, count(*) FILTER (WHERE quick_same(dmp.margin('quick_floats', q), dmp.margin('quick_floats', j))) AS columns,
	   count(*) FILTER (WHERE quick_same(dmp.margin((SELECT dmp.model_value('quick_floats')), q), dmp.margin('quick_floats', j))) AS record
FROM (SELECT f8, i4::float8 AS x, id FROM quick OFFSET 0) q JOIN quick_json USING (id) WHERE f8 IS DISTINCT FROM 'infinity';
-- infinity is a number, and no coefficient takes no notice of it
SELECT dmp.predict('quick_floats', q) AS columns, dmp.predict((SELECT dmp.model_value('quick_floats')), q) AS record, count(*)
FROM (SELECT f8, i4::float8 AS x FROM quick OFFSET 0) q WHERE f8 = 'infinity' GROUP BY 1, 2;
SELECT count(DISTINCT dmp.predict('quick_none', q)) AS columns, count(DISTINCT dmp.predict((SELECT dmp.model_value('quick_none')), q)) AS record
FROM (SELECT 1.5::float8 AS f8, CASE WHEN i = 20 THEN 'infinity'::float8 ELSE i END AS x FROM generate_series(1, 20) i OFFSET 0) q;
SELECT max(dmp.margin('quick_floats', q)) FROM (SELECT CASE WHEN i = 20 THEN 'infinity'::float8 ELSE i END AS f8, CASE WHEN i = 20 THEN x ELSE i END AS x
	FROM generate_series(1, 20) i, (SELECT '-infinity'::float8 * sign(min(coef)) * sign(max(coef)) AS x FROM dmp.coefficients WHERE model = 'quick_floats' AND feature IN ('f8', 'x') AND level IS NULL) s OFFSET 0) q;

-- a row type that changes between the rows of one call site; columns that go and come
CREATE TABLE quick_shape (f8 float8, x float8);
INSERT INTO quick_shape SELECT i, i + 100 FROM generate_series(1, 20) i;
CREATE FUNCTION quick_shapes() RETURNS SETOF numeric LANGUAGE plpgsql AS $$
DECLARE
	value dmp.model_value := dmp.model_value('quick_floats');
	r record;
	k int;
BEGIN
	FOR k IN 1..4 LOOP
		FOR r IN EXECUTE 'SELECT s FROM quick_shape s' LOOP
			RETURN NEXT round(dmp.margin(value, r.s)::numeric, 9);
		END LOOP;
		IF k = 1 THEN
			EXECUTE 'ALTER TABLE quick_shape ADD y text DEFAULT ''t''';
			EXECUTE 'ALTER TABLE quick_shape DROP x';
			EXECUTE 'ALTER TABLE quick_shape ADD x int DEFAULT 7';
			EXECUTE 'UPDATE quick_shape SET x = f8 + 100';
		ELSIF k = 2 THEN
			EXECUTE 'ALTER TABLE quick_shape ALTER x TYPE float8';
		ELSIF k = 3 THEN
			EXECUTE 'ALTER TABLE quick_shape ALTER x TYPE numeric';
		END IF;
	END LOOP;
END $$;
SELECT count(*), count(DISTINCT m), min(n), max(n) FROM (SELECT m, count(*) AS n FROM quick_shapes() m GROUP BY m) s;

SELECT count(*) FROM unnest(ARRAY['quick', 'quick_numbers', 'quick_floats', 'quick_none']) m, dmp.drop_model(m);
DROP TABLE quick, quick_shape CASCADE;
DROP FUNCTION quick_same, quick_shapes;
DROP TYPE quick_size, quick_text;
