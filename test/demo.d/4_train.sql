\set ECHO none
\echo
\echo '--- The textbook fit: LogisticRegression(regParam=0.3, elasticNetParam=0.8).'
\echo
\set ECHO queries
-- three users in ten are held out: no fit below sees them
CREATE VIEW train AS SELECT * FROM training WHERE user_id % 10 >= 3;
CREATE VIEW held_out AS SELECT * FROM training WHERE user_id % 10 < 3;

\set ON_ERROR_STOP off
SELECT * FROM dmp.train('textbook', 'train', 'label', lambda => 0.3, alpha => 0.8, exclude => '{user_id,at}');
\set ECHO none
\set ON_ERROR_STOP on
SELECT :'LAST_ERROR_MESSAGE' LIKE 'every feature was removed: lambda 0.3 is above lambda_max%' AS as_expected \gset
\if :as_expected
\else
	DO $$ BEGIN RAISE EXCEPTION 'the textbook penalty was expected to remove every feature'; END $$;
\endif
\echo
\echo '--- That is no failure of the data: five users in a hundred buy, and 0.3 is more penalty'
\echo '--- than any feature can be worth at such a rate. Other tools return such a model without'
\echo '--- a word; it scores every user alike. So: try penalties below lambda_max, judged on'
\echo '--- a quarter of the training users, and take the best.'
\echo
\set ECHO queries
SELECT lambda, alpha, t.status, t.features, round(t.roc_auc::numeric, 4) AS roc_auc,
       round(t.test_roc_auc::numeric, 4) AS test_roc_auc
FROM (VALUES (0.0, 0.0), (0.0003, 0.8), (0.001, 0.8), (0.003, 0.8), (0.01, 0.8)) AS g (lambda, alpha),
     LATERAL dmp.train('tuning', 'train', 'label', lambda => g.lambda, alpha => g.alpha,
                       exclude => '{user_id,at}', test_fraction => 0.25, deploy => false) AS t
ORDER BY lambda;

SELECT model, version, deployed, status, rows, features, round(roc_auc::numeric, 4) AS roc_auc, elapsed, warnings
FROM dmp.train('buyers', 'train', 'label', lambda => 0.001, alpha => 0.8, exclude => '{user_id,at}');

SELECT feature, level, round(coef::numeric, 4) AS coef, round(odds_ratio::numeric, 3) AS odds_ratio
FROM dmp.coefficients WHERE model = 'buyers' ORDER BY abs(coef) DESC;

-- on users no fit has seen
SELECT metric, round(value::numeric, 4) AS value, round(low::numeric, 4) AS low, round(high::numeric, 4) AS high
FROM dmp.evaluate('buyers', 'held_out', threshold => 0.2)
WHERE metric IN ('rows', 'roc_auc', 'average_precision', 'precision', 'recall', 'f1', 'log_loss', 'brier_score');

\set ECHO none
\echo '--- How good can it get? The generator knows each user''s true probability to buy.'
\echo
\set ECHO queries
SELECT round(avg(h.label::int), 4) AS base_rate,
       round(dmp.roc_auc(dmp.predict('buyers', h), h.label)::numeric, 4) AS roc_auc_of_the_model,
       round(dmp.roc_auc(t.probability, h.label)::numeric, 4) AS best_reachable_roc_auc
FROM held_out h JOIN demo.truth t USING (user_id);
