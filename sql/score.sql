-- scoring tables, judging, thresholds, exports
SET extra_float_digits = 0;
CREATE TABLE client AS
SELECT i AS id, (i * 7919 % 1000) / 1000.0::float8 AS spend, (ARRAY['DE','FR','GB'])[1 + i * 31 % 3] AS land, i * 17 % 5 = 0 AS mobile,
	   CASE WHEN i % 11 = 0 THEN NULL ELSE (i * 13 % 50)::int END AS age,
	   i * 31337 % 1009 / 1009.0 < 1 / (1 + exp(1.5 - 3 * (i * 7919 % 1000) / 1000.0 + (i * 17 % 5 = 0)::int)) AS buys
FROM generate_series(1, 3000) i;
SELECT status FROM dmp.train('clients', 'SELECT * FROM client WHERE id <= 2000', 'buys', key => '{id}');

-- a table of scores, made, brought up to date, replaced
SELECT * FROM dmp.score('clients', 'client', 'client_score');
SELECT attname, format_type(atttypid, atttypmod) AS type, attnotnull FROM pg_attribute WHERE attrelid = 'client_score'::regclass AND attnum > 0 ORDER BY attnum;
SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = 'client_score'::regclass AND contype = 'p';
SELECT count(*) AS rows, count(*) FILTER (WHERE s.score = dmp.predict('clients', c) AND s.class = dmp.classify('clients', c)
	AND s.model = 'clients' AND s.version = 1) AS right FROM client_score s JOIN client c USING (id);
UPDATE client SET land = 'XX' WHERE id <= 10;
INSERT INTO client VALUES (3001, NULL, NULL, NULL, NULL, NULL);
SELECT * FROM dmp.score('clients', 'SELECT * FROM client WHERE id <= 10 OR id > 3000', 'client_score');
SELECT count(*) AS rows FROM client_score;
SELECT * FROM dmp.score('clients', 'client', 'client_score', if_exists => 'error');
SELECT rows FROM dmp.score('clients', 'SELECT * FROM client WHERE id <= 5', 'client_score', if_exists => 'replace');
SELECT id, class FROM client_score ORDER BY id;
SELECT * FROM dmp.score('clients', 'SELECT * FROM client WHERE false', 'empty_score');
SELECT * FROM dmp.score('clients', 'client', 'bad_score', key => '{ident}');
SELECT * FROM dmp.score('clients', 'SELECT *, id AS score FROM client', 'bad_score', key => '{score}');
SELECT * FROM dmp.score('clients', 'SELECT spend FROM client', 'bad_score', key => '{spend}');
SELECT * FROM dmp.score('client', 'client', 'bad_score');
SELECT * FROM dmp.score('clients', 'client', NULL);
-- without a key that is known
SELECT status FROM dmp.train('keyless', 'SELECT spend, buys FROM client', 'buys');
SELECT * FROM dmp.score('keyless', 'SELECT id, spend FROM client', 'bad_score');
ALTER TABLE client ADD PRIMARY KEY (id);
SELECT rows FROM dmp.score('keyless', 'client', 'keyless_score');
-- by workers: the leader counts every row
ALTER TABLE client SET (parallel_workers = 2);
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SELECT * FROM dmp.score('clients', 'client', 'parallel_score');
SELECT count(*) AS same FROM parallel_score p JOIN client c USING (id) WHERE p.score = dmp.predict('clients', c);
EXPLAIN (costs off) SELECT sum(dmp.predict('clients', c)) FROM client c;
SELECT sum(dmp.predict('clients', c))::numeric(12, 6) AS parallel FROM client c;
SET max_parallel_workers_per_gather = 0;
SELECT sum(dmp.predict('clients', c))::numeric(12, 6) AS serial FROM client c;
RESET max_parallel_workers_per_gather;
RESET parallel_setup_cost;
RESET parallel_tuple_cost;
RESET min_parallel_table_scan_size;

-- judged on rows it has not seen: what the aggregates say, with intervals
SELECT metric, round(value::numeric, 6) AS value, round(low::numeric, 6) AS low, round(high::numeric, 6) AS high, segment
FROM dmp.evaluate('clients', 'SELECT * FROM client WHERE id > 2000');
SELECT round(dmp.roc_auc(p, buys)::numeric, 6) AS roc_auc, round(dmp.average_precision(p, buys)::numeric, 6) AS average_precision,
	   round(dmp.log_loss(p, buys)::numeric, 6) AS log_loss, round(dmp.brier_score(p, buys)::numeric, 6) AS brier_score,
	   round(dmp.ks_statistic(p, buys)::numeric, 6) AS ks, round(dmp.precision_score(p, buys)::numeric, 6) AS precision,
	   round(dmp.recall_score(p, buys)::numeric, 6) AS recall, round(dmp.f1_score(p, buys)::numeric, 6) AS f1
FROM (SELECT dmp.predict('clients', c) AS p, buys FROM client c WHERE id > 2000) x;
SELECT segment, metric, round(value::numeric, 6) AS value FROM dmp.evaluate('clients', 'SELECT * FROM client WHERE id > 2000', by => '{land}')
WHERE metric IN ('rows', 'roc_auc') ORDER BY segment NULLS FIRST, metric;
SELECT metric, round(value::numeric, 6) AS value FROM dmp.evaluate('clients', 'SELECT * FROM client WHERE id > 2000', 0.3)
WHERE metric IN ('threshold', 'recall', 'specificity');
-- the target as 0 and 1, as text that the model does not know, one class, no rows
SELECT value = (SELECT value FROM dmp.evaluate('clients', 'client') WHERE metric = 'roc_auc') AS same
FROM dmp.evaluate('clients', 'SELECT id, spend, land, mobile, age, buys::int AS buys FROM client') WHERE metric = 'roc_auc';
SELECT * FROM dmp.evaluate('clients', $$SELECT id, spend, land, mobile, age, 'perhaps' AS buys FROM client$$);
SELECT metric, value FROM dmp.evaluate('clients', 'SELECT * FROM client WHERE buys AND id <= 50') WHERE metric IN ('rows', 'rows_positive', 'roc_auc', 'ks_statistic', 'specificity');
SELECT * FROM dmp.evaluate('clients', 'SELECT * FROM client WHERE false');
SELECT * FROM dmp.evaluate('clients', 'SELECT spend FROM client');
SELECT * FROM dmp.evaluate('clients', 'client', 2);
SELECT * FROM dmp.evaluate('clients', 'client', by => '{country}');

-- thresholds: given; the best by F1 and by Youden's J, against all thresholds by brute force
SELECT model, version, threshold, previous FROM dmp.set_threshold('clients', 0.25);
SELECT DISTINCT dmp.classify('clients', c) = CASE WHEN dmp.predict('clients', c) >= 0.25 THEN 'true' ELSE 'false' END AS stored FROM client c;
CREATE TEMP TABLE judged AS SELECT dmp.predict('clients', c) AS p, buys FROM client c WHERE id <= 400;
CREATE TEMP TABLE tried AS
SELECT t.p AS threshold, 2.0 * tp / (tp + fp + np) AS f1, tp / np - fp / nn AS youden
FROM (SELECT DISTINCT p FROM judged) t,
	 LATERAL (SELECT count(*) FILTER (WHERE p >= t.p AND buys)::float8 AS tp, count(*) FILTER (WHERE p >= t.p AND NOT buys)::float8 AS fp,
					 count(*) FILTER (WHERE buys)::float8 AS np, count(*) FILTER (WHERE NOT buys)::float8 AS nn FROM judged) c;
SELECT abs(f1 - (SELECT max(f1) FROM tried)) < 1e-12 AS best FROM dmp.set_threshold('clients', query => 'SELECT * FROM client WHERE id <= 400') s JOIN tried USING (threshold);
SELECT abs(youden - (SELECT max(youden) FROM tried)) < 1e-12 AS best FROM dmp.set_threshold('clients', method => 'youden', query => 'SELECT * FROM client WHERE id <= 400') s JOIN tried USING (threshold);
-- on the rows it was trained on, found with the search_path of then
SET search_path = pg_catalog;
SELECT threshold BETWEEN 0 AND 1 AS found FROM dmp.set_threshold('clients');
RESET search_path;
SELECT * FROM dmp.set_threshold('clients', 1.5);
SELECT * FROM dmp.set_threshold('clients', method => 'accuracy');
SELECT * FROM dmp.set_threshold('clients', query => 'SELECT * FROM client WHERE buys');

-- as plain SQL and as json
SELECT format('SELECT max(abs(dmp.predict(''clients'', c) - (%s))) <= 1e-12 AS same FROM client c', dmp.model_sql('clients')) \gexec
SELECT format('SELECT DISTINCT dmp.predict(''clients'', c) = (%s) AS same FROM (SELECT ''NaN''::float8 AS spend, ''X''::text AS land, NULL::boolean AS mobile, -1e308 AS age) c', dmp.model_sql('clients')) \gexec
SELECT jsonb_object_keys(dmp.model_json('clients')) AS key ORDER BY 1;
SELECT dmp.model_json('clients')::text::dmp.model_value IS NOT NULL AS reads_back;
SELECT max(abs(dmp.predict(dmp.model_json('clients')::text::dmp.model_value, c) - dmp.predict('clients', c))) AS difference FROM client c;

-- columns called as the statements of dmp call theirs
CREATE VIEW own_names AS SELECT id, buys, spend AS q, age AS s FROM client;
SELECT status FROM dmp.train('own', 'own_names', 'buys', exclude => '{id}');
SELECT rows = (SELECT count(*) FROM client) AS all_rows FROM dmp.score('own', 'own_names', 'own_score', key => '{id}');
SELECT max(abs(s.score - dmp.predict('own', o.*))) AS difference FROM own_score s JOIN own_names o USING (id);
SELECT value = (SELECT count(*) FROM client WHERE buys IS NOT NULL) AS all_rows FROM dmp.evaluate('own', 'own_names') WHERE metric = 'rows';
SELECT * FROM dmp.score('own', 'SELECT *, id AS dmp_score FROM own_names', 'own_score', key => '{dmp_score}');
DROP VIEW own_names;
DROP TABLE own_score;

-- the page
SELECT line FROM dmp.summary('clients') AS line WHERE line !~ '^(Trained|Fit|warning)';
DROP TABLE client, client_score, empty_score, keyless_score, parallel_score;
