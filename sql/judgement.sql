-- warnings from a sample of the rows: what fires, what does not; what is kept of the rows
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS dmp;
RESET client_min_messages;
CREATE SCHEMA infer_judge;
SET search_path = infer_judge, public;

CREATE TABLE base AS
	SELECT i AS id, (i * 7919 % 1000) / 100.0::float8 AS a, (i * 104729 % 997)::int AS b,
		   ('{red,green,blue}'::text[])[1 + i * 31 % 3] AS colour, i % 7 = 0 AS f,
		   timestamptz '2024-01-01 00:00Z' + i * interval '1 hour' AS at,
		   i * 48271::bigint % 10007 < 2000 + 400 * (i * 7919 % 1000) / 100 AS y
	FROM generate_series(1, 3000) AS i;
CREATE FUNCTION judged(query text, o jsonb DEFAULT '{}', test float8 DEFAULT 0, at text DEFAULT NULL, lambda float8 DEFAULT NULL)
	RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN
	SET LOCAL client_min_messages = error;
	RETURN QUERY SELECT unnest(t.warnings) FROM dmp.train('infer_judge', query, 'y', options => o, test_fraction => test,
		at => $4, lambda => $5) AS t;
END $$;

-- nothing is wrong here
SELECT judged('SELECT a, b, colour, f, y FROM base');
SELECT judged('SELECT a, b, colour, f, y FROM base', test => 0.3);
-- a column that knows the answer, and one that is close to it
SELECT judged('SELECT a, b, y, y::int * 10 + (a * 1.7)::int AS paid FROM base', lambda => 0.001);
SELECT judged('SELECT a, b, y, y::int * 12 + a + b % 8 AS calls FROM base');
-- its AUC by hand, over the same rows
SELECT round(dmp.roc_auc(y::int * 12 + a + b % 8, y)::numeric, 3) AS calls, round(dmp.roc_auc(a, y)::numeric, 3) AS a FROM base;
-- whether a value is there says all
SELECT judged('SELECT a, b, y, CASE WHEN y THEN b END AS left_at FROM base', lambda => 0.001);
-- a level of one class, where chance would not do that; one of few rows, where it would
SELECT judged('SELECT a, b, y, CASE WHEN y AND id % 9 = 0 THEN ''closed'' ELSE colour END AS state FROM base', lambda => 0.001);
SELECT judged('SELECT a, b, y, CASE WHEN y AND id % 300 = 0 THEN ''closed'' ELSE colour END AS state FROM base', lambda => 0.001);
-- identifiers: rising, dense but in no order, texts; integers that are only different are none
SELECT judged('SELECT id, a, y FROM base');
SELECT judged('SELECT id * 7 % 3001 AS number, a, y FROM base');
SELECT judged('SELECT (id * 1999999973::bigint % 2147483647)::int AS amount, a, y FROM base');
SELECT judged('SELECT ''k'' || id AS code, a, y FROM base WHERE id <= 90', '{"encode": {"code": "one_hot"}, "min_count": 1}', lambda => 0.01);
-- the time and a random split
SELECT judged('SELECT a, b, at, y FROM base', test => 0.3, at => 'at');
SELECT judged('SELECT a, b, at, y FROM base', '{"split": "time"}', test => 0.3, at => 'at');
SELECT judged('SELECT a, b, date ''2024-01-01'' AS at, y FROM base', test => 0.3, at => 'at');
-- copies of rows on both sides of the split; where a few values make few kinds of rows there are none
CREATE TABLE twice AS SELECT id, a, b, y FROM base UNION ALL SELECT 10000 + id, a, b, y FROM base WHERE id % 3 = 0;
SELECT model FROM dmp.train('infer_copies', 'twice', 'y', key => '{id}', test_fraction => 0.3, seed => 1);
SELECT model FROM dmp.train('infer_copies', 'SELECT id, colour, f, y FROM base', 'y', key => '{id}', test_fraction => 0.3);
-- of folds too, unless copies share one
SET client_min_messages = error;
SELECT unnest(warnings) FROM dmp.train('infer_copies', 'twice', 'y', key => '{id}', cv => 3, n_lambdas => 4);
SELECT unnest(warnings) FROM dmp.train('infer_copies', 'SELECT id % 10000 AS person, a, b, y FROM twice', 'y', cv => 3, n_lambdas => 4,
	options => '{"fold_column": "person"}');
SELECT unnest(warnings) FROM dmp.train('infer_copies', 'SELECT at, a, b, y FROM base', 'y', at => 'at', cv => 3, n_lambdas => 4);
RESET client_min_messages;
-- rare classes
SELECT judged('SELECT a, b, id % 200 = 0 AS y FROM base');
SELECT judged('SELECT a, b, id % 110 = 0 AS y FROM base UNION ALL SELECT a, b, id % 110 = 0 FROM base');
-- columns that say the same
SELECT judged('SELECT a, a + b / 1e5 AS nearly, b % 10 AS b, y FROM base');
SELECT judged('SELECT a, a + b / 1e5 AS nearly, b % 10 AS b, y FROM base', lambda => 0.01);
-- no end
SELECT judged('SELECT a, b, y FROM base', '{"max_iterations": 1}');
-- a target of numbers
SELECT judged('SELECT a, b, a * 3 + (b % 7) / 100.0 AS y FROM base');
-- switched off
SELECT judged('SELECT id, a, y FROM base', '{"judge": false}');
SELECT baseline IS NULL AS no_baseline FROM dmp_internal.model WHERE name = 'infer_judge' ORDER BY version DESC LIMIT 1;
-- names and values of every kind
SELECT judged('SELECT a AS "x"";drop", CASE WHEN y AND id % 9 = 0 THEN ''%s "q" \'' ELSE colour END AS "st ""ate", y FROM base', lambda => 0.001);
SELECT judged('SELECT NULL::float8 AS nothing, ''NaN''::float8 AS nan, CASE WHEN id = 5 THEN ''infinity''::float8 ELSE a END AS inf, y FROM base');

-- what the rows were like: against plain SQL
SELECT model FROM dmp.train('infer_base', 'SELECT a, nullif(b, 5) AS b, nullif(colour, ''red'') AS colour, f, at, y FROM base', 'y',
	at => 'at', test_fraction => 0.2, options => '{"split": "time"}');
SELECT feature, type, rows, whole, missing, distinct_values, round(mean::numeric, 6) AS mean, round(sd::numeric, 6) AS sd, deciles[1:3] AS deciles,
	   levels, other, round(roc_auc::numeric, 4) AS roc_auc
FROM dmp.model_baseline WHERE model = 'infer_base' ORDER BY position;
SELECT count(*) AS rows, round(avg((b = 5)::int), 6) AS missing, round(avg(nullif(b, 5)), 6) AS mean, round(stddev_pop(nullif(b, 5)), 6) AS sd,
	   count(DISTINCT nullif(b, 5)) AS distinct_values, round(avg((colour = 'green')::int), 6) AS green,
	   round(greatest(dmp.roc_auc(a, y), 1 - dmp.roc_auc(a, y))::numeric, 4) AS roc_auc
FROM base WHERE id <= 2400;

-- the fingerprint: of the rows in any order and by any plan; another when a value is another
CREATE TABLE prints (n serial, fingerprint text);
CREATE FUNCTION print(query text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	SET LOCAL client_min_messages = error;
	PERFORM FROM dmp.train('infer_print', query, 'y', lambda => 0.01);
	INSERT INTO prints (fingerprint) SELECT fingerprint FROM dmp.models WHERE model = 'infer_print' ORDER BY version DESC LIMIT 1;
END $$;
SELECT print('SELECT a, b, colour, y FROM base');
SELECT print('SELECT a, b, colour, y FROM base ORDER BY id DESC');
SELECT print('SELECT a, b, colour, y FROM base ORDER BY a, b');
SELECT print('SELECT a, b, colour, y FROM base WHERE id > 1');
SELECT print('SELECT a, b, colour, y <> (id = 77) AS y FROM base');
SELECT print('SELECT CASE id WHEN 77 THEN a + 1e-9 ELSE a END AS a, b, colour, y FROM base');
SELECT print('SELECT a, b, colour AS c, y FROM base');
SELECT n, (SELECT min(p.n) FROM prints p WHERE p.fingerprint = q.fingerprint) AS same_as FROM prints q ORDER BY n;
-- of a table too large to read it all: the same sample in any order, in parallel too
CREATE TABLE large AS SELECT (i * 7919 % 99991) / 7.0::float8 AS a, i % 13 AS b, i * 48271::bigint % 10007 < 3000 AS y FROM generate_series(1, 60000) AS i;
ANALYZE large;
TRUNCATE prints RESTART IDENTITY;
SELECT print('large');
SELECT print('SELECT * FROM large ORDER BY a');
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SELECT print('large');
RESET parallel_setup_cost;
RESET parallel_tuple_cost;
RESET min_parallel_table_scan_size;
SELECT count(DISTINCT fingerprint) AS fingerprints FROM prints;
SELECT feature, rows BETWEEN 9500 AND 10500 AS rows, whole, abs(mean / (SELECT avg(CASE feature WHEN 'a' THEN a ELSE b END) FROM large) - 1) < 0.03 AS mean
FROM dmp.model_baseline WHERE model = 'infer_print' AND version = 10 ORDER BY position;

SELECT count(*) FROM unnest('{infer_judge,infer_copies,infer_base,infer_print}'::text[]) AS m, dmp.drop_model(m);
RESET search_path;
SET client_min_messages = warning;
DROP SCHEMA infer_judge CASCADE;
