-- families gaussian and poisson, base_margin, penalty_factor and bounds, against R and scikit-learn
SET client_min_messages = warning;
CREATE TABLE engine_data AS
	SELECT i, (i * 7919 % 1000) / 100.0::float8 AS x1, (i * 104729 % 777) / 77.0::float8 AS x2, (i % 3)::text AS c,
		   CASE WHEN i % 17 <> 0 THEN (i * 31 % 97)::float8 END AS x3, (1 + i % 4)::float8 AS w, ln(1 + i % 10)::float8 AS o,
		   2.5 + 0.7 * ((i * 7919 % 1000) / 100.0::float8) - 1.1 * ((i * 104729 % 777) / 77.0::float8) + (i % 3) * 0.4 + sin(i) AS y,
		   floor(exp(0.1 + 0.15 * ((i * 7919 % 1000) / 100.0::float8) - 0.1 * ((i * 104729 % 777) / 77.0::float8)) + (i % 5) * 0.5)::float8 AS n
	FROM generate_series(1, 1200) i;
ALTER TABLE engine_data ADD b boolean, ADD c1 int, ADD c2 int;
UPDATE engine_data SET b = y > 2, c1 = (c = '1')::int, c2 = (c = '2')::int;

-- R: i <- 1:1200
--    d <- data.frame(x1=((i*7919) %% 1000)/100, x2=((i*104729) %% 777)/77, c=factor(i %% 3),
--                    x3=ifelse(i %% 17 == 0, NA, (i*31) %% 97), w=1+i %% 4, o=log(1+i %% 10))
--    d$y <- 2.5+0.7*d$x1-1.1*d$x2+(i %% 3)*0.4+sin(i)
--    d$n <- floor(exp(0.1+0.15*d$x1-0.1*d$x2)+(i %% 5)*0.5); d$b <- d$y > 2
--    d$m <- is.na(d$x3); d$x3[d$m] <- mean(d$x3, na.rm=TRUE)
-- worst relative difference of the coefficients (and errors) of a model from numbers given in its order; 0 counts as it is
CREATE FUNCTION engine_worst(model text, expected float8[], errors float8[] DEFAULT NULL) RETURNS float8 LANGUAGE sql AS $$
	SELECT max(greatest(abs(c.coef - e.v) / CASE WHEN e.v = 0 THEN 1 ELSE abs(e.v) END,
						CASE WHEN errors IS NOT NULL THEN abs(c.std_err / errors[e.k] - 1) END))
	FROM unnest(expected) WITH ORDINALITY e(v, k)
	JOIN (SELECT *, row_number() OVER (ORDER BY position) AS k FROM dmp.coefficients x
		  WHERE x.model = engine_worst.model AND (level IS NULL OR level <> '0')) c USING (k)
	HAVING count(*) = cardinality(expected) $$;

-- lm(y ~ x1+x2+x3+m+c, d): a number with more than two values is gaussian by itself
SELECT status, roc_auc, warnings FROM dmp.train('engine_lm', 'engine_data', 'y', features => '{x1,x2,x3,c}');
SELECT engine_worst('engine_lm',
	'{2.480873077924242942,0.705093664959362765,-1.099178523449347855,-0.000212501889123364,-0.005752625135055080,0.400140762070386513,0.800032634412981447}',
	'{0.0715530969499127562,0.0070867653601268989,0.0070302553161702211,0.0007535458620961027,0.0873334886523246118,0.0501389483008495493,0.0501371164157273300}') < 1e-9 AS as_r;
SELECT feature, level, round(z::numeric, 6) AS t, round(p::numeric, 10) AS p FROM dmp.coefficients WHERE model = 'engine_lm' AND feature IN ('x3', 'c') ORDER BY position;
SELECT family, abs(deviance / 599.7219449988906 - 1) < 1e-12 AS deviance, abs(aic / 2589.119624119597 - 1) < 1e-12 AS aic, abs(bic / 2629.840238805806 - 1) < 1e-12 AS bic, df_residual,
	   abs(rmse / sqrt(599.7219449988906 / 1200) - 1) < 1e-12 AS rmse, round(r_squared::numeric, 6) AS r_squared, roc_auc, log_loss, kkt_residual < 1e-12 AS optimal
	FROM dmp.models WHERE model = 'engine_lm';
-- lm(y ~ x1+x2+c, d, weights=w)
SELECT status FROM dmp.train('engine_wlm', 'engine_data', 'y', features => '{x1,x2,c}', weight => 'w');
SELECT engine_worst('engine_wlm', '{2.4687588794723476,0.7052534425435606,-1.0990520550874916,0.4003632362796835,0.8000580921153786}',
	'{0.061473307469781448,0.007083996635196784,0.007025413435513120,0.050094823030838266,0.050097537179101044}') < 1e-9 AS as_r,
	abs(aic / 2731.242163856304 - 1) < 1e-12 AS aic FROM dmp.models WHERE model = 'engine_wlm';
-- glm(n ~ x1+x2+c, poisson, d, weights=w, offset=o)
SELECT status FROM dmp.train('engine_pois', 'engine_data', 'n', features => '{x1,x2,c}', weight => 'w', family => 'poisson', options => '{"base_margin": "o"}');
SELECT engine_worst('engine_pois', '{-1.207966343387059549,0.112203129167445362,-0.078378743323574682,-0.023762851442140302,-0.007924518145899749}',
	'{0.039454124795994749,0.004499092144090179,0.004370388150262701,0.030668710595614445,0.030785348717241465}') < 1e-6 AS as_r,
	abs(deviance / 2041.750006468003 - 1) < 1e-9 AS deviance, abs(null_deviance / 3021.307887617707 - 1) < 1e-9 AS null_deviance, abs(aic / 9456.513685662081 - 1) < 1e-9 AS aic, base_margin
	FROM dmp.models WHERE model = 'engine_pois';
-- glm(b ~ x1+c, binomial, d, offset=o)
SELECT status FROM dmp.train('engine_bin', 'engine_data', 'b', features => '{x1,c}', options => '{"base_margin": "o"}');
SELECT engine_worst('engine_bin', '{-3.7899837337460158,0.3207345283472889,0.1252691331991359,0.3932165026027811}',
	'{0.17913389358187071,0.02467722623634606,0.16408664351836300,0.16264210694289480}') < 1e-6 AS as_r,
	abs(null_deviance / 1739.881241215419 - 1) < 1e-12 AS null_deviance FROM dmp.models WHERE model = 'engine_bin';

-- glmnet(X, y, weights=w, alpha=0.4, lambda=0.2, thresh=1e-20), X <- cbind(d$x1, d$x2, d$c==1, d$c==2, d$w); poisson and binomial with offset=o
SELECT status FROM dmp.train('engine_net', 'engine_data', 'y', features => '{x1,x2,c1,c2}', weight => 'w', lambda => 0.2, alpha => 0.4, options => '{"compat": "glmnet"}');
SELECT status FROM dmp.train('engine_net_p', 'SELECT *, w AS v FROM engine_data', 'n', features => '{x1,x2,c1,c2,v}', family => 'poisson', lambda => 0.05, alpha => 0.4, options => '{"compat": "glmnet", "base_margin": "o"}');
SELECT status FROM dmp.train('engine_net_b', 'engine_data', 'b', features => '{x1,x2,c1,c2,w}', lambda => 0.05, alpha => 0.4, options => '{"compat": "glmnet", "base_margin": "o"}');
SELECT engine_worst('engine_net', '{2.64689948013555,0.657292014111337,-1.03921708497773,0.0459602803631025,0.434374971600204}') < 1e-6 AS gaussian,
	   engine_worst('engine_net_p', '{-1.15571982019776,0.107390023969157,-0.0706659048247218,0,0,-0.0212002662669058}') < 1e-7 AS poisson,
	   engine_worst('engine_net_b', '{-0.807539072529739,0.347512618504996,-0.63456946862704,0,0.164545693934253,0}') < 1e-6 AS binomial;
-- at lambda_max every penalised coefficient is 0, just below it one is not
SELECT lambda_max AS top FROM dmp.models WHERE model = 'engine_net_b' \gset
SELECT status FROM dmp.train('engine_top', 'engine_data', 'b', features => '{x1,x2,c1,c2,w}', lambda => :top * 0.999, alpha => 0.4, options => '{"compat": "glmnet", "base_margin": "o"}');
SELECT count(*) FROM dmp.coefficients WHERE model = 'engine_top' AND coef <> 0 AND feature <> '(intercept)';
SELECT status FROM dmp.train('engine_top', 'engine_data', 'b', features => '{x1,x2,c1,c2,w}', lambda => :top * 1.001, alpha => 0.4, options => '{"compat": "glmnet", "base_margin": "o"}');
-- the optimality conditions of the gaussian fit, from the rows: |gradient| of an active column = lambda alpha s, + the ridge part over sd(y)
WITH m AS (SELECT w AS v, sum(w) OVER () AS s, d.* FROM engine_data d),
z AS (SELECT v / s AS v, y, f.x, f.j FROM m, LATERAL (VALUES (1, x1), (2, x2), (3, c1::float8), (4, c2::float8)) f(j, x)),
s AS (SELECT j, sum(v * x) AS mean, sqrt(sum(v * x * x) - sum(v * x) ^ 2) AS sd, sqrt(sum(v * y * y) - sum(v * y) ^ 2) AS sdy FROM z GROUP BY j),
r AS (SELECT z.*, z.y - p.m AS e FROM (SELECT v, y, x, j, row_number() OVER (PARTITION BY j ORDER BY v, y) AS k FROM z) z
	  JOIN (SELECT y, dmp.predict('engine_net', d) AS m FROM engine_data d) p USING (y)),
g AS (SELECT r.j, sum(v * e * (x - mean)) AS g FROM r JOIN s USING (j) GROUP BY r.j),
b AS (SELECT position - 1 AS j, coef FROM dmp.coefficients WHERE model = 'engine_net' AND position > 1)
SELECT max(abs(-g + 0.2 * 0.4 * sd * sign(coef) + 0.2 * 0.6 * sd * sd * coef / sdy) / sd) < 1e-9 AS conditions_hold FROM g JOIN s USING (j) JOIN b USING (j);
-- scikit-learn: Lasso(alpha=0.3), Ridge(alpha=12), ElasticNet(alpha=0.2, l1_ratio=0.6), PoissonRegressor(alpha=0.05) on x1, x2, c1
SELECT status FROM dmp.train('engine_lasso', 'engine_data', 'y', features => '{x1,x2,c1}', lambda => 0.3, alpha => 1, options => '{"compat": "sklearn"}');
SELECT status FROM dmp.train('engine_ridge', 'engine_data', 'y', features => '{x1,x2,c1}', lambda => 12.0 / 1200, options => '{"compat": "sklearn"}');
SELECT status FROM dmp.train('engine_enet', 'engine_data', 'y', features => '{x1,x2,c1}', lambda => 0.2, alpha => 0.6, options => '{"compat": "sklearn"}');
SELECT status FROM dmp.train('engine_preg', 'engine_data', 'n', features => '{x1,x2,c1}', family => 'poisson', lambda => 0.05, options => '{"compat": "sklearn"}');
SELECT engine_worst('engine_lasso', '{2.8699317780625124,0.6689800496281358,-1.0633020590927786,0}') < 1e-9 AS lasso,
	   engine_worst('engine_ridge', '{2.866314383201271,0.7040323266532555,-1.0973290257433437,0.00014120678765228257}') < 1e-9 AS ridge,
	   engine_worst('engine_enet', '{2.850802233021712,0.6839765076954114,-1.0743677924297281,0}') < 1e-9 AS elastic_net,
	   engine_worst('engine_preg', '{0.4977730216747163,0.11243190768842222,-0.07789107184263258,0.004776381738019969}') < 1e-6 AS poisson;

-- penalty_factor: glmnet(..., penalty.factor=c(0,1,2,0.5,1)), y alpha 0.4 lambda 0.2; b alpha 0.3 lambda 0.02
SELECT status FROM dmp.train('engine_pf', 'engine_data', 'y', features => '{x1,x2,c1,c2,w}', lambda => 0.2, alpha => 0.4, options => '{"compat": "glmnet", "penalty_factor": {"x1": 0, "c1": 2, "c2": 0.5}}');
SELECT status FROM dmp.train('engine_pf_b', 'engine_data', 'b', features => '{x1,x2,c1,c2,w}', lambda => 0.02, alpha => 0.3, options => '{"compat": "glmnet", "penalty_factor": {"x1": 0, "c1": 2, "c2": 0.5}}');
SELECT engine_worst('engine_pf', '{2.37039526916695,0.704999748047432,-1.0327138680399,0,0.496307268507341,0}') < 1e-9 AS gaussian,
	   engine_worst('engine_pf_b', '{0.344184305049936,0.631692758979264,-0.915315216880977,0,0.538029567291438,0}') < 1e-6 AS binomial;
-- of a text with factor 0 the most frequent level is the reference, as without a penalty
SELECT warnings FROM dmp.train('engine_pf_c', 'engine_data', 'y', features => '{x1,c}', lambda => 0.1, options => '{"penalty_factor": {"c": 0}}');
SELECT feature, level, coef = 0 AS is_zero FROM dmp.coefficients WHERE model = 'engine_pf_c' ORDER BY position;

-- bounds: glmnet(..., lower.limits, upper.limits)
SELECT status, warnings FROM dmp.train('engine_bd', 'engine_data', 'y', features => '{x1,x2,c1,c2,w}', options => '{"bounds": {"x1": [null, 0.5], "x2": "positive", "c1": "negative", "c2": "positive", "w": [0, null]}}');
SELECT status FROM dmp.train('engine_bd_b', 'engine_data', 'b', features => '{x1,x2,c1,c2,w}', options => '{"bounds": {"x1": [null, 0.5], "x2": [-0.3, null], "c1": "negative", "c2": "positive", "w": "positive"}}');
SELECT status FROM dmp.train('engine_bd_p', 'engine_data', 'n', features => '{x1,x2,c1,c2,w}', family => 'poisson', lambda => 0.01, alpha => 0.5, options => '{"compat": "glmnet", "bounds": {"x1": [null, 0.1], "x2": [-0.03, null], "c1": "negative", "c2": "positive", "w": "positive"}}');
SELECT engine_worst('engine_bd', '{-1.84104419314005,0.5,0,0,0.58610259291965,0}') < 1e-9 AS gaussian,
	   engine_worst('engine_bd_b', '{-0.843168676665816,0.341653342313001,-0.3,0,0.357738110247653,0.00467481999544797}') < 1e-6 AS binomial,
	   engine_worst('engine_bd_p', '{0.350470334569704,0.1,-0.03,0,0,0.000926327927584173}') < 1e-6 AS poisson;
SELECT feature, coef IN (0, -0.3) AS at_bound, std_err IS NULL AS no_error FROM dmp.coefficients WHERE model = 'engine_bd_b' ORDER BY position;

-- the same from a few rows at a time, and by workers
CREATE FUNCTION engine_apart(a text, b text) RETURNS float8 LANGUAGE sql AS
	$$ SELECT max(greatest(abs(x.coef - y.coef), abs(x.std_err - y.std_err))) FROM dmp.coefficients x JOIN dmp.coefficients y USING (position) WHERE x.model = a AND y.model = b $$;
CREATE TABLE engine_large AS
	SELECT 1.7e9 + (i * 7919::int8 % 100000) AS t, sin(i * 1.3) + i % 7 AS x1, CASE WHEN i % 50 <> 0 THEN i % 13 END AS x2, (i % 4)::text AS c, 1 + i % 3 AS w, ln(1 + i % 5) AS o,
		   1e6 + 2 * sin(i * 1.3) + 0.5 * (i % 7) - 0.001 * (i * 7919::int8 % 100000) + (i * 31 % 101) / 50.0 AS y,
		   floor(exp(0.3 + 0.2 * (sin(i * 1.3) + i % 7)) + (i % 4) * 0.3) AS n, (i * 31 % 101) / 50.0 + (i % 7) * 0.3 > 2 AS b
	FROM generate_series(1, 40000) i;
ANALYZE engine_large;
SELECT status FROM dmp.train('engine_s1', 'engine_large', 'y', features => '{t,x1,x2,c}', weight => 'w', test_fraction => 0.3);
SELECT status FROM dmp.train('engine_s2', 'engine_large', 'n', features => '{x1,x2,c}', weight => 'w', family => 'poisson', test_fraction => 0.3, options => '{"base_margin": "o"}');
SELECT status FROM dmp.train('engine_s3', 'engine_large', 'b', features => '{x1,x2}', lambda => 0.01, alpha => 0.5, options => '{"base_margin": "o", "penalty_factor": {"x1": 0}}');
SELECT status FROM dmp.train('engine_s4', 'engine_large', 'y', features => '{t,x1}', options => '{"bounds": {"x1": [0, 0.25]}}');
SET dmp.training_memory = '1MB';
SELECT status FROM dmp.train('engine_m1', 'engine_large', 'y', features => '{t,x1,x2,c}', weight => 'w', test_fraction => 0.3);
SELECT status FROM dmp.train('engine_m2', 'engine_large', 'n', features => '{x1,x2,c}', weight => 'w', family => 'poisson', test_fraction => 0.3, options => '{"base_margin": "o"}');
SELECT status FROM dmp.train('engine_m3', 'engine_large', 'b', features => '{x1,x2}', lambda => 0.01, alpha => 0.5, options => '{"base_margin": "o", "penalty_factor": {"x1": 0}}');
SELECT status FROM dmp.train('engine_m4', 'engine_large', 'y', features => '{t,x1}', options => '{"bounds": {"x1": [0, 0.25]}}');
SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0; SET max_parallel_workers_per_gather = 2;
SELECT status FROM dmp.train('engine_p1', 'engine_large', 'y', features => '{t,x1,x2,c}', weight => 'w', test_fraction => 0.3);
SELECT status FROM dmp.train('engine_p2', 'engine_large', 'n', features => '{x1,x2,c}', weight => 'w', family => 'poisson', test_fraction => 0.3, options => '{"base_margin": "o"}');
SELECT status FROM dmp.train('engine_p3', 'engine_large', 'b', features => '{x1,x2}', lambda => 0.01, alpha => 0.5, options => '{"base_margin": "o", "penalty_factor": {"x1": 0}}');
SELECT status FROM dmp.train('engine_p4', 'engine_large', 'y', features => '{t,x1}', options => '{"bounds": {"x1": [0, 0.25]}}');
RESET dmp.training_memory; RESET parallel_setup_cost; RESET parallel_tuple_cost; RESET min_parallel_table_scan_size; RESET max_parallel_workers_per_gather;
SELECT k, engine_apart('engine_s' || k, 'engine_m' || k) < CASE WHEN k IN (1, 4) THEN 1e-5 ELSE 1e-8 END AS memory, engine_apart('engine_s' || k, 'engine_p' || k) < CASE WHEN k IN (1, 4) THEN 1e-5 ELSE 1e-8 END AS parallel FROM generate_series(1, 4) k;
SELECT a.model, abs(a.objective / b.objective - 1) < 1e-10 AS objective, abs(a.test_rmse / b.test_rmse - 1) < 1e-9 AS test_rmse, abs(a.mae / b.mae - 1) < 1e-9 AS mae, abs(a.r_squared - b.r_squared) < 1e-10 AS r_squared,
	   abs(a.test_mean_deviance / b.test_mean_deviance - 1) < 1e-9 AS test_mean_deviance, abs(a.lambda_max / b.lambda_max - 1) < 1e-8 AS lambda_max
	FROM dmp.models a JOIN dmp.models b ON b.model = replace(a.model, '_p', '_s') WHERE a.model LIKE 'engine_p_' AND a.model <> 'engine_pf' ORDER BY 1;

-- hashed columns: the same fit by another solver, which stops when the objective stands still
CREATE TABLE engine_words AS SELECT *, 'v' || i * 31 % 40 AS h FROM engine_data;
CREATE FUNCTION engine_pair(k int, target text, columns text[], how text, more jsonb) RETURNS text LANGUAGE sql AS
	$$ SELECT status FROM dmp.train('engine_' || how || k, 'engine_words', target, lambda => 0.01, alpha => CASE k WHEN 4 THEN 0.5 ELSE 0 END, features => columns, test_fraction => 0.25,
		family => CASE target WHEN 'n' THEN 'poisson' END, options => more || jsonb_build_object('encode', jsonb_build_object('h', how))) $$;
SELECT k, engine_pair(k, target, '{x1,h}', 'hash', more) AS hashed, engine_pair(k, target, '{x1,h}', 'one_hot', more) AS one_hot
FROM (VALUES (1, 'y', '{"min_count": 1}'::jsonb), (2, 'n', '{"min_count": 1, "base_margin": "o"}'), (3, 'b', '{"min_count": 1, "base_margin": "o", "penalty_factor": {"h": 2}}'), (4, 'y', '{"min_count": 1}')) v(k, target, more) ORDER BY k;
SELECT a.model, abs(a.objective / b.objective - 1) < 1e-6 AS objective, abs(coalesce(a.test_rmse, a.test_log_loss) / coalesce(b.test_rmse, b.test_log_loss) - 1) < 1e-3 AS held_out, abs(a.null_deviance / b.null_deviance - 1) < 1e-9 AS null_deviance
	FROM dmp.models a JOIN dmp.models b ON b.model = replace(a.model, 'hash', 'one_hot') WHERE a.model LIKE 'engine_hash_' ORDER BY 1;
SELECT max(abs(dmp.predict('engine_hash1', d) - dmp.predict('engine_one_hot1', d))) < 1e-2 AS gaussian, max(abs(dmp.predict('engine_hash2', d) / dmp.predict('engine_one_hot2', d) - 1)) < 1e-2 AS poisson FROM engine_words d;
SELECT * FROM dmp.train('engine_bad', 'engine_words', 'y', features => '{x1,h}', options => '{"encode": {"h": "hash"}, "bounds": {"x1": "positive"}}');
SELECT * FROM dmp.train('engine_bad', 'SELECT x1, h, n - 3 AS n FROM engine_words', 'n', family => 'poisson', options => '{"encode": {"h": "hash"}}');

-- scoring: the mean, the margin, what it is made of; other ways to say the same
SELECT max(abs(dmp.predict('engine_pois', d) / exp(dmp.margin('engine_pois', d)) - 1)) < 1e-14 AS poisson,
	   max(abs(dmp.predict('engine_lm', d) - dmp.margin('engine_lm', d))) AS gaussian,
	   max(abs(dmp.predict('engine_pois', to_jsonb(d)) - dmp.predict('engine_pois', d))) AS jsonb,
	   max(abs(dmp.predict(dmp.model_value('engine_pois'), d) - dmp.predict('engine_pois', d))) AS by_value
	FROM engine_data d;
CREATE FUNCTION engine_sql(model text) RETURNS float8 LANGUAGE plpgsql AS $$ DECLARE worst float8;
BEGIN EXECUTE format('SELECT max(abs(%s - dmp.predict(%L, d))) FROM engine_data d', dmp.model_sql(model), model) INTO worst; RETURN worst; END $$;
SELECT engine_sql('engine_pois') < 1e-12 AS poisson, engine_sql('engine_lm') < 1e-12 AS gaussian;
SELECT feature, value, odds_factor IS NULL AS no_factor FROM dmp.explain('engine_lm', (SELECT d FROM engine_data d WHERE i = 7)) ORDER BY rank LIMIT 2;
SELECT abs(sum(contribution) - min(dmp.margin('engine_pois', (SELECT d FROM engine_data d WHERE i = 7)))) < 1e-12 AS sums_up FROM dmp.explain('engine_pois', (SELECT d FROM engine_data d WHERE i = 7));
SELECT rows FROM dmp.score('engine_pois', 'engine_data', 'engine_scores', key => '{i}');
SELECT count(*) FILTER (WHERE class IS NULL) AS no_class, abs(avg(score) - (SELECT avg(dmp.predict('engine_pois', d)) FROM engine_data d)) < 1e-12 AS same FROM engine_scores;
SELECT metric, round(value::numeric, 6) AS value, segment FROM dmp.evaluate('engine_lm', 'engine_data');
SELECT abs(sum(e.value) FILTER (WHERE metric = 'rmse') - min(m.rmse)) < 1e-12 AS rmse, abs(sum(e.value) FILTER (WHERE metric = 'mean_deviance') - min(m.mean_deviance)) < 1e-12 AS deviance,
	   abs(sum(e.value) FILTER (WHERE metric = 'r_squared') - min(m.r_squared)) < 1e-12 AS r_squared, abs(sum(e.value) FILTER (WHERE metric = 'mae') - min(m.mae)) < 1e-12 AS mae
	FROM dmp.evaluate('engine_pois', 'engine_data') e, dmp.models m WHERE m.model = 'engine_pois';
SELECT segment, round(value::numeric, 6) AS rmse FROM dmp.evaluate('engine_lm', 'engine_data', by => '{c}') WHERE metric = 'rmse' ORDER BY 1 NULLS FIRST;
SELECT dataset, metric FROM dmp.model_metrics WHERE model = 'engine_s2' AND metric NOT IN ('aic', 'bic') ORDER BY 1, 2;
SELECT dmp.model_json('engine_pois') - 'features' - 'coef' - 'mean' - 'scale' - 'pivot' - 'intercept' AS rest;
SELECT dmp.model_json('engine_pois')::text::dmp.model_value::text = dmp.model_json('engine_pois')::text::dmp.model_value::text AS reads_back;
SELECT replace(dmp.model_json('engine_pois')::text, '"base_margin": "o"', '"base_margin": "x1"')::dmp.model_value;
-- a robust error of each family: sandwich::vcovHC(type = "HC0") * n/(n-1), here from the rows
SELECT status FROM dmp.train('engine_rob', 'engine_data', 'n', features => '{x1}', family => 'poisson', options => '{"base_margin": "o", "std_err": "robust"}');
WITH r AS (SELECT x1, dmp.predict('engine_rob', d) AS mu, n - dmp.predict('engine_rob', d) AS e FROM engine_data d),
h AS (SELECT sum(mu) AS a, sum(mu * x1) AS b, sum(mu * x1 * x1) AS c, sum(e * e) AS ma, sum(e * e * x1) AS mb, sum(e * e * x1 * x1) AS mc FROM r)
SELECT abs(sqrt((b * b * ma - 2 * a * b * mb + a * a * mc) / (a * c - b * b) ^ 2 * 1200 / 1199) / (SELECT std_err FROM dmp.coefficients WHERE model = 'engine_rob' AND feature = 'x1') - 1) < 1e-9 AS as_by_hand FROM h;

-- what is no row, and what is no target
SELECT status, rows FROM dmp.train('engine_skip', 'SELECT x1, CASE i WHEN 1 THEN NULL WHEN 2 THEN ''NaN'' WHEN 3 THEN ''-Infinity'' ELSE y END AS y, CASE i WHEN 5 THEN NULL WHEN 6 THEN ''Infinity'' ELSE o END AS o FROM engine_data', 'y', options => '{"base_margin": "o"}');
SELECT rows_skipped FROM dmp.models WHERE model = 'engine_skip';
SELECT dmp.predict('engine_pois', '{"x1": 1, "x2": 2, "c": "1"}');
SELECT * FROM dmp.train('engine_bad', 'SELECT x1, -n AS n FROM engine_data', 'n', family => 'poisson');
SELECT * FROM dmp.train('engine_bad', 'SELECT x1, 3.5 AS y FROM engine_data', 'y');
SELECT * FROM dmp.train('engine_bad', 'SELECT x1, 0 AS n FROM engine_data', 'n', family => 'poisson');
SELECT * FROM dmp.train('engine_bad', 'SELECT x1, 1 + i % 2 AS y FROM engine_data', 'y');
-- the first thousand rows are 0 and 1, a later one is not
SELECT status FROM dmp.train('engine_late', 'SELECT x1, CASE WHEN i > 1100 THEN i ELSE i % 2 END AS y FROM engine_data ORDER BY i', 'y');
SELECT family, rows, scans FROM dmp.models WHERE model = 'engine_late';
SELECT * FROM dmp.train('engine_bad', 'SELECT x1, CASE WHEN i > 1100 THEN 2 ELSE 0 END AS y FROM engine_data ORDER BY i', 'y');
SELECT * FROM dmp.train('engine_bad', 'engine_data', 'c', features => '{x1}', family => 'gaussian');
SELECT * FROM dmp.train('engine_bad', 'engine_data', 'y', features => '{x1}', options => '{"positive": "1"}', family => 'gaussian');
SELECT * FROM dmp.train('engine_bad', 'engine_data', 'y', features => '{x1}', options => '{"class_weight": "balanced"}', family => 'gaussian');
SELECT * FROM dmp.train('engine_bad', 'engine_data', 'b', features => '{x1}', options => '{"base_margin": "oo"}');
SELECT * FROM dmp.train('engine_bad', 'engine_data', 'b', features => '{x1,o}', options => '{"base_margin": "o"}');
SELECT * FROM dmp.train('engine_bad', 'engine_data', 'b', features => '{x1}', options => '{"base_margin": "c"}');
SELECT * FROM dmp.train('engine_bad', 'engine_data', 'n', features => '{x1}', lambda => 1, family => 'poisson', options => '{"compat": "spark"}');
SELECT * FROM dmp.train('engine_bad', 'engine_data', 'y', features => '{x1,c}', options => '{"bounds": {"c": [0, 1]}}');
SELECT * FROM dmp.train('engine_bad', 'engine_data', 'y', features => '{x1,c}', options => '{"bounds": {"x1": [1, 2]}}');
SELECT * FROM dmp.train('engine_bad', 'engine_data', 'y', features => '{x1,c}', options => '{"bounds": {"x1": "up"}}');
SELECT * FROM dmp.train('engine_bad', 'engine_data', 'y', features => '{x1,c}', options => '{"penalty_factor": {"xx1": 1}}');
SELECT * FROM dmp.train('engine_bad', 'engine_data', 'y', features => '{x1,c}', options => '{"penalty_factor": {"x1": -1}}');
SELECT * FROM dmp.train('engine_bad', 'engine_data', 'y', features => '{x1,c}', options => '{"penalty_factor": 2}');
-- a count that is 0 wherever a flag is on has no finite coefficient
SELECT status, warnings FROM dmp.train('engine_sep', 'SELECT CASE WHEN i % 10 = 0 THEN 0 ELSE n END AS n, (i % 10 = 0)::int AS f FROM engine_data', 'n', family => 'poisson');
-- judgements of classes refuse a number
SELECT dmp.classify('engine_lm', d) FROM engine_data d LIMIT 1;
SELECT dmp.class_probabilities('engine_lm', d) FROM engine_data d LIMIT 1;
SELECT dmp.set_threshold('engine_lm', 0.5);
SELECT * FROM dmp.curve('engine_lm', 'engine_data', 'roc');
SELECT metric, p > 0.5 AS alike FROM dmp.compare('engine_lm', 'engine_wlm', 'engine_data');
SELECT * FROM dmp.evaluate('engine_lm', 'engine_data', 0.5);
SELECT count(*) AS models_left_by_errors FROM dmp.models WHERE model = 'engine_bad';
SELECT count(*) > 0 AS dropped FROM (SELECT DISTINCT model FROM dmp.models WHERE model LIKE 'engine%') m, LATERAL dmp.drop_model(m.model);
DROP TABLE engine_data, engine_words, engine_large, engine_scores;
DROP FUNCTION engine_worst, engine_pair, engine_apart, engine_sql;
