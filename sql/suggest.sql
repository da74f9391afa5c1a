-- dmp.suggest_recipe: steps that the values call for
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS dmp;
RESET client_min_messages;
SET dmp.progress = off;

-- shops with planted faults: 40 shops, 2,000 visits
CREATE TABLE repair_truth AS
SELECT i AS visit, 'S' || lpad(shop::text, 3, '0') AS shop, (ARRAY['Ulmenstadt', 'Karlsruhe', 'Heidelberg', 'Freiburg', 'Stuttgart', 'Mannheim', 'Tuebingen', 'Konstanz'])[1 + shop % 8] AS city,
	(ARRAY['bakery', 'butchery', 'bookshop', 'pharmacy'])[1 + shop / 3 % 4] AS kind, 'owner no. ' || chr(65 + shop % 20) || chr(70 + shop / 7) AS owner, (i % 89 + 0.25)::text AS amount,
	to_char(date '2024-01-01' + i % 300, 'YYYY-MM-DD') AS day, to_char(date '2024-01-01' + i % 300, 'DD/MM/YYYY') AS paid, CASE WHEN i % 7 = 0 THEN -1 ELSE i % 60 + 18 END AS age
FROM (SELECT i, abs(hashint4(i)) % 40 AS shop FROM generate_series(1, 2000) i) g;
CREATE TABLE repair_dirty AS
SELECT visit, shop, CASE abs(hashint4(visit * 31)) % 60 WHEN 0 THEN overlay(city PLACING 'z' FROM 3 FOR 1) WHEN 1 THEN substr(city, 1, 4) || substr(city, 6) WHEN 2 THEN upper(city) ELSE city END AS city,
	CASE abs(hashint4(visit * 37)) % 80 WHEN 0 THEN ' ' || kind WHEN 1 THEN 'N/A' ELSE kind END AS kind,
	CASE abs(hashint4(visit * 41)) % 70 WHEN 0 THEN 'owner no. ZZ' WHEN 1 THEN NULL ELSE owner END AS owner, CASE WHEN visit % 50 = 0 THEN '?' ELSE amount END AS amount, day, paid, age
FROM repair_truth;
INSERT INTO repair_dirty SELECT * FROM repair_dirty WHERE visit % 200 = 0;
SELECT step, rows_affected, confidence > 0.9 AS sure FROM dmp.suggest_recipe('repair_dirty');
SELECT reason FROM dmp.suggest_recipe('repair_dirty') WHERE confidence > 0.9 AND step::text LIKE '%repair%';

-- it runs as it is, and gives the truth back
CREATE FUNCTION repair_run(query text, into_table text) RETURNS TABLE(step integer, action text, column_name text, cells_changed bigint) LANGUAGE sql AS $$
	SELECT c.step, c.action, c.column_name, c.cells_changed FROM (SELECT json_agg(s.step) AS recipe FROM dmp.suggest_recipe(query) s WHERE s.confidence > 0.9) r,
		dmp.clean(query, into_table, coalesce(r.recipe, '[]'), 'replace') c $$;
SELECT * FROM repair_run('repair_dirty', 'repair_clean');
SELECT count(*) AS rows, count(*) FILTER (WHERE c.city <> t.city) AS city, count(*) FILTER (WHERE c.kind IS DISTINCT FROM t.kind) AS kind, count(*) FILTER (WHERE c.owner IS DISTINCT FROM t.owner) AS owner,
	count(*) FILTER (WHERE c.amount IS DISTINCT FROM t.amount::numeric AND c.visit % 50 <> 0) AS amount, count(*) FILTER (WHERE c.paid <> t.day::date) AS paid
FROM repair_clean c JOIN repair_truth t USING (visit);

-- what is right stays: the truth itself, random ids, keys, numbers, skewed codes, free words
SELECT step FROM dmp.suggest_recipe('SELECT visit, shop, city, kind, owner FROM repair_truth') WHERE confidence > 0.9;
SELECT step FROM dmp.suggest_recipe($$SELECT i AS id, md5(i::text) AS key, 'user' || i AS login, CASE WHEN i % 40 = 0 THEN 'b' ELSE 'a' END AS code, CASE WHEN i % 41 = 0 THEN 'y' ELSE 'x' END AS other,
	md5((i * 7 % 500)::text) AS session, (i % 500)::text || '-' || i % 3 AS part, (i * 7919 % 3001)::text AS r FROM generate_series(1, 3000) i$$) WHERE confidence > 0.9 AND NOT step::text LIKE '{"cast"%';
-- an exception is no error: prices differ in one country
SELECT count(*) FROM dmp.suggest_recipe($$SELECT i AS id, 'p' || i % 30 AS product, 'price ' || chr(65 + i % 30) || CASE WHEN i % 50 = 7 THEN ' net' ELSE '' END AS price, CASE WHEN i % 50 = 7 THEN 'CH' ELSE 'DE' END AS country
	FROM generate_series(1, 3000) i$$) WHERE confidence > 0.9 AND step::text LIKE '%"to": "price"%' AND NOT step::text LIKE '%country%';

-- dates in an order that no value decides; telephone numbers and postal codes stay texts
SELECT step, confidence FROM dmp.suggest_recipe($$SELECT '0' || 1 + i % 9 || '/0' || 1 + i % 8 || '/2024' AS day, '0' || 100 + i AS phone, (70000 + i)::text AS zip, CASE WHEN i % 2 = 0 THEN 'true' ELSE 'false' END AS flag,
	to_char(timestamp '2024-01-01' + i * interval '1 hour', 'YYYY-MM-DD HH24:MI:SS') AS at FROM generate_series(1, 200) i$$);

-- a large query is looked at by a sample, the same at each call
CREATE TABLE repair_large AS SELECT i AS id, ' k' || i % 100 AS key, i AS q, i AS s FROM generate_series(1, 60000) i;
SELECT step, abs(rows_affected - 60000) < 600 AS all_rows, reason LIKE '%(in a sample of % rows)' AS said FROM dmp.suggest_recipe('repair_large');
SELECT a.reason = b.reason AS same FROM dmp.suggest_recipe('repair_large') a, dmp.suggest_recipe('SELECT * FROM repair_large ORDER BY key') b;

-- nothing to look at; hostile names; what is wrong
SELECT * FROM dmp.suggest_recipe('SELECT * FROM repair_large WHERE false');
SELECT * FROM dmp.suggest_recipe('SELECT NULL::text AS a, NULL::integer AS b, '''' AS c, ''{}''::json AS d, NULL::point AS e');
SELECT step FROM dmp.suggest_recipe($$SELECT ' x ' AS "a""b", '?' AS "c'; drop table x; --" FROM generate_series(1, 3)$$) WHERE confidence > 0.9;
SELECT * FROM repair_run($$SELECT ' x ' || i AS "a""b", '?' AS "c'; drop table x; --" FROM generate_series(1, 3) i$$, 'repair_hostile');
-- names that the statements use themselves
SELECT step FROM dmp.suggest_recipe('SELECT i % 5 AS s, ''a'' AS x, 1 AS f, 1 AS m, 1 AS value, 1 AS n, 1 AS q, '' b'' AS typo FROM generate_series(1, 20) i') WHERE confidence > 0.5;
SELECT * FROM dmp.suggest_recipe(NULL);
SELECT * FROM dmp.suggest_recipe('SELECT 1 AS a, 2 AS a');
SELECT * FROM dmp.suggest_recipe('repair_nothing');
SELECT count(*) AS left_behind FROM pg_class WHERE relname LIKE 'dmp\_suggest\_%';

DROP TABLE repair_truth, repair_dirty, repair_clean, repair_large, repair_hostile;
DROP FUNCTION repair_run;
