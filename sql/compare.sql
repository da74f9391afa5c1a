-- two models on the same rows
SET extra_float_digits = 0;
CREATE TABLE guest AS
SELECT i AS id, (i * 7919 % 1000) / 1000.0::float8 AS spend, i * 17 % 5 = 0 AS mobile, (i * 13 % 20)::float8 AS age,
	   i * 31337 % 1009 / 1009.0 < 1 / (1 + exp(1.5 - 3 * (i * 7919 % 1000) / 1000.0 + (i * 17 % 5 = 0)::int)) AS buys
FROM generate_series(1, 3000) i;
SELECT status FROM dmp.train('guests', 'SELECT id, spend, buys FROM guest WHERE id <= 2000', 'buys', key => '{id}');
SELECT status FROM dmp.train('guests', 'SELECT * FROM guest WHERE id <= 2000', 'buys', key => '{id}');
SELECT status FROM dmp.train('by_age', 'SELECT id, age, buys FROM guest WHERE id <= 2000', 'buys', key => '{id}');
-- scipy and numpy, from the margins of the same rows: DeLong's components by all pairs of a positive and a negative,
-- S = cov(V10) / np + cov(V01) / nn, z = diff / sqrt(S_aa + S_bb - 2 S_ab), 2 * norm.sf(|z|); ttest_rel(loss_a, loss_b) and its confidence_interval(0.95)
CREATE TEMP TABLE known (model_a text, model_b text, metric text, a float8, b float8, difference float8, low float8, high float8, p float8);
INSERT INTO known VALUES
	('guests', 'guests@1', 'roc_auc', 0.7354947500593612, 0.715199272373118, 0.02029547768624307, 0.006374493963228084, 0.034216461409258055, 0.004270705081478771),
	('guests', 'guests@1', 'log_loss', 0.6015960284274765, 0.6179197423662611, -0.016323713938784637, -0.027130234089637814, -0.00551719378793146, 0.0031067346110203392),
	('guests', 'guests@1', 'brier_score', 0.2073629310600148, 0.21425218884109007, -0.006889257781075264, -0.011616498099574334, -0.002162017462576194, 0.004327004556111099),
	('by_age', 'guests@1', 'roc_auc', 0.5190156914668845, 0.715199272373118, -0.19618358090623356, -0.2442409660617086, -0.14812619575075853, 1.2329573752969187e-15),
	('by_age', 'guests@1', 'log_loss', 0.6895845959611249, 0.6179197423662611, 0.07166485359486356, 0.04895992554350567, 0.09436978164622145, 8.56637145213597e-10),
	('by_age', 'guests@1', 'brier_score', 0.24822236826502955, 0.21425218884109007, 0.033970179423939484, 0.02359855510321133, 0.04434180374466764, 2.0086933256661784e-10);
SELECT k.model_a, k.model_b, c.metric, greatest(abs(c.a - k.a), abs(c.b - k.b), abs(c.difference - k.difference), abs(c.low - k.low), abs(c.high - k.high)) < 1e-8 AS agree,
	   abs(c.p / k.p - 1) < 1e-5 AS p
FROM (SELECT DISTINCT model_a, model_b FROM known) m, LATERAL dmp.compare(model_a, model_b, 'SELECT * FROM guest WHERE id > 2000') c JOIN known k USING (metric)
WHERE k.model_a = m.model_a AND k.model_b = m.model_b ORDER BY k.model_a, k.metric;
-- a and b are what dmp.evaluate says; the other way round the signs change; a model and itself
SELECT c.metric, abs(c.a - e.value) < 1e-12 AS a, abs(c.difference + r.difference) < 1e-15 AND abs(c.low + r.high) < 1e-15 AND abs(c.p - r.p) < 1e-15 AS reversed
FROM dmp.compare('guests', 'by_age', 'guest') c JOIN dmp.evaluate('guests', 'guest') e USING (metric) JOIN dmp.compare('by_age', 'guests', 'guest') r USING (metric) ORDER BY 1;
SELECT metric, a = b AS same, difference, low, high, p FROM dmp.compare('guests@2', 'guests', 'guest');
-- rows without a label do not count; one class, one row, none
SELECT c.metric, c.difference = d.difference AS same FROM dmp.compare('guests', 'by_age', 'guest') c
JOIN dmp.compare('guests', 'by_age', 'SELECT * FROM guest UNION ALL SELECT id, spend, mobile, age, NULL FROM guest') d USING (metric) ORDER BY 1;
SELECT metric, a IS NULL AS a, p IS NULL AS p FROM dmp.compare('guests', 'by_age', 'SELECT * FROM guest WHERE buys');
SELECT metric, a IS NULL AS a, low IS NULL AS low, p IS NULL AS p FROM dmp.compare('guests', 'by_age', 'SELECT * FROM guest LIMIT 1');
SELECT * FROM dmp.compare('guests', 'by_age', 'SELECT * FROM guest WHERE false');
SELECT * FROM dmp.compare('guests', 'by_age', 'SELECT id, spend, mobile, buys FROM guest');
SELECT * FROM dmp.compare('guests', 'by_age', 'SELECT id, age, buys FROM guest');
SELECT * FROM dmp.compare('guests', 'guests@9', 'guest');
SELECT * FROM dmp.compare('guests', NULL, 'guest');
SELECT * FROM dmp.compare('guests', 'by_age', NULL);
-- models of different things
SELECT status FROM dmp.train('moves', 'SELECT id, spend, mobile FROM guest', 'mobile', key => '{id}');
SELECT * FROM dmp.compare('guests', 'moves', 'guest');
-- rights: to both models
CREATE ROLE regress_dmp_comparer;
GRANT SELECT ON guest TO regress_dmp_comparer;
SELECT count(*) FROM dmp.grant_model('guests', 'regress_dmp_comparer');
SET ROLE regress_dmp_comparer;
SELECT * FROM dmp.compare('guests', 'by_age', 'guest');
SELECT * FROM dmp.compare('by_age', 'guests', 'guest');
SELECT count(*) FROM dmp.compare('guests', 'guests@1', 'guest');
RESET ROLE;
SELECT count(*) FROM unnest('{guests,by_age,moves}'::text[]) m, LATERAL dmp.drop_model(m);
DROP OWNED BY regress_dmp_comparer;
DROP ROLE regress_dmp_comparer;
DROP TABLE guest;
