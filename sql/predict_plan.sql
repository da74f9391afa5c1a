-- dmp.predict('model', row) planned over columns: the same numbers, rights and errors as row by row
CREATE TABLE guest AS
SELECT i AS id, (i * 7919 % 1000) / 1000.0::float8 AS spend, (ARRAY['DE','FR','GB'])[1 + i * 31 % 3] AS land, i * 17 % 5 = 0 AS "Mo; bile",
	   CASE WHEN i % 11 = 0 THEN NULL ELSE (i * 13 % 50)::int END AS age,
	   i * 31337 % 1009 / 1009.0 < 1 / (1 + exp(1.5 - 3 * (i * 7919 % 1000) / 1000.0)) AS buys
FROM generate_series(1, 1000) i;
SELECT status FROM dmp.train('guests', 'guest', 'buys', exclude => '{id}');
SELECT status, deployed FROM dmp.train('guests', 'guest', 'buys', features => '{spend}', deploy => false);
ANALYZE guest;
EXPLAIN (costs off, verbose) SELECT dmp.predict('guests', g) FROM guest g;
EXPLAIN (costs off, verbose) SELECT dmp.classify('guests@2', g) FROM guest g WHERE dmp.margin('guests@2', g) > 0;
EXPLAIN (costs off, verbose) SELECT dmp.predict('guests@2', x) FROM (SELECT spend / 2 AS spend, id FROM guest) x;

-- the same as by value, which is never planned so
CREATE VIEW guest_view AS SELECT * FROM guest;
CREATE FUNCTION same(a float8, b float8) RETURNS boolean LANGUAGE sql IMMUTABLE RETURN a IS NOT DISTINCT FROM b;
SELECT count(*) FROM guest g WHERE same(dmp.predict('guests', g), dmp.predict((SELECT dmp.model_value('guests')), g));
SELECT count(*) FROM guest_view g WHERE same(dmp.margin('guests', g), dmp.margin((SELECT dmp.model_value('guests')), g));
SELECT count(*) FROM (SELECT id, spend, land, "Mo; bile", age FROM guest OFFSET 0) g WHERE same(dmp.predict('guests', g), dmp.predict((SELECT dmp.model_value('guests')), g));
SELECT count(*) FROM guest g WHERE dmp.classify('guests', g) = dmp.classify((SELECT dmp.model_value('guests')), g);

-- a row an outer join makes up is NULL, not a row of missing values
SELECT i, dmp.predict('guests', g) IS NULL AS no_row FROM generate_series(1000, 1001) i LEFT JOIN guest g ON g.id = i ORDER BY i;
SELECT i, dmp.predict('guests', g) IS NULL AS no_row FROM guest g RIGHT JOIN generate_series(1000, 1001) i ON g.id = i ORDER BY i;
SELECT i, (SELECT dmp.predict('guests', g) FROM guest g WHERE g.id = i) IS NULL AS no_row FROM generate_series(1000, 1001) i ORDER BY i;
SELECT i, x.p IS NULL AS no_row FROM generate_series(1000, 1001) i LEFT JOIN (SELECT id, dmp.predict('guests', g) AS p FROM guest g) x ON x.id = i ORDER BY i;
SELECT i, dmp.predict('guests', x) IS NULL AS no_row FROM generate_series(1000, 1001) i LEFT JOIN (SELECT * FROM guest) x ON x.id = i ORDER BY i;
-- rows of an outer query, of an inner join, of partitions with columns in another order, changed in the statement
SELECT count(*) FROM guest g WHERE EXISTS (SELECT 1 FROM generate_series(1, 2) i WHERE dmp.predict('guests', g) > 0.5 / i);
SELECT count(*) FROM guest a JOIN guest b ON b.id = a.id + 1 WHERE dmp.predict('guests', a) < dmp.predict('guests', b);
CREATE TABLE parted (LIKE guest) PARTITION BY RANGE (id);
CREATE TABLE parted_1 ("Mo; bile" boolean, age int, buys boolean, land text, spend float8, id int);
ALTER TABLE parted ATTACH PARTITION parted_1 FOR VALUES FROM (0) TO (500);
CREATE TABLE parted_2 PARTITION OF parted DEFAULT;
INSERT INTO parted SELECT * FROM guest;
SELECT count(*) FROM parted p JOIN guest g USING (id) WHERE dmp.predict('guests', p) = dmp.predict('guests', g);
ALTER TABLE guest ADD PRIMARY KEY (id);
BEGIN;
INSERT INTO guest SELECT id, spend / 2, land, "Mo; bile", age FROM guest WHERE id <= 2
ON CONFLICT (id) DO UPDATE SET spend = dmp.predict('guests', excluded) - dmp.predict((SELECT dmp.model_value('guests')), excluded) RETURNING spend;
ROLLBACK;
BEGIN;
WITH u AS (UPDATE guest g SET spend = dmp.predict('guests', g) WHERE id < 3 RETURNING dmp.predict('guests', g) = dmp.predict((SELECT dmp.model_value('guests')), g) AS of_the_new) SELECT bool_and(of_the_new) FROM u;
ROLLBACK;
SELECT count(*) FROM generate_series(1, 1) i WHERE dmp.predict('guests@2', ROW(0.5)) > 0;

-- errors are met when the row is
SELECT dmp.predict('guests', x) FROM (SELECT 1 AS spend) x;
SELECT dmp.predict('guests', x) FROM (SELECT 1 AS spend) x WHERE false;
SELECT dmp.predict('guests@2', x) FROM (SELECT 'a' AS spend) x;
SELECT dmp.predict('guest', g) FROM guest g WHERE false;
SELECT dmp.predict('guest', g) FROM guest g LIMIT 1;

-- a plan that is kept follows the champion
SET plan_cache_mode = force_generic_plan;
PREPARE kept AS SELECT round(max(dmp.predict('guests', g))::numeric, 6) AS score FROM guest g WHERE spend = 0.5;
EXECUTE kept;
EXPLAIN (costs off, verbose) EXECUTE kept;
SELECT version FROM dmp.deploy('guests', 2);
EXECUTE kept;
EXPLAIN (costs off, verbose) EXECUTE kept;
BEGIN;
SELECT version FROM dmp.deploy('guests', 1);
EXECUTE kept;
ROLLBACK;
EXECUTE kept;
-- a threshold is part of the model
PREPARE class AS SELECT dmp.classify('guests', g) FROM guest g WHERE id = 1;
EXECUTE class;
SELECT threshold FROM dmp.set_threshold('guests', 0.99);
EXECUTE class;
-- and is made again when a column goes
ALTER TABLE guest RENAME COLUMN spend TO spent;
EXECUTE class;
ALTER TABLE guest RENAME COLUMN spent TO spend;
EXECUTE class;

-- the right to the model is that of who runs the plan, the right to the row is to all of it
CREATE ROLE regress_dmp_guest;
GRANT SELECT ON guest TO regress_dmp_guest;
\set VERBOSITY terse
SET ROLE regress_dmp_guest;
EXECUTE class;
SELECT dmp.predict('guests', g) FROM guest g LIMIT 1;
RESET ROLE;
\set VERBOSITY default
SELECT privilege FROM dmp.grant_model('guests', 'regress_dmp_guest');
REVOKE SELECT ON guest FROM regress_dmp_guest;
GRANT SELECT (id, spend) ON guest TO regress_dmp_guest;
SET ROLE regress_dmp_guest;
SELECT dmp.predict('guests', g) FROM guest g LIMIT 1;
SELECT count(dmp.predict('guests', x)) FROM (SELECT id, spend FROM guest) x;
RESET ROLE;
EXECUTE class;
SELECT * FROM dmp_internal.predict_columns('guests', 1::float8, 2::float8);
SELECT * FROM dmp_internal.predict_columns('guests', 'x'::text);
SELECT * FROM dmp_internal.predict_columns(NULL, 1);
SELECT * FROM dmp_internal.predict_columns('guests', VARIADIC ARRAY[1]);
SELECT versions FROM dmp.drop_model('guests');
EXECUTE class;
DROP TABLE guest, parted CASCADE;
DROP FUNCTION same;
DROP ROLE regress_dmp_guest;
