-- inference against R, in which the values below were computed (R 4.2, sandwich 3.0, car 3.1)
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS dmp;
RESET client_min_messages;

CREATE SCHEMA infer_summary;
SET search_path = infer_summary, public;
CREATE TABLE r (what text, name text, value float8);
/*
tight <- glm.control(epsilon = 1e-15, maxit = 100)
f <- glm(am ~ wt + hp, binomial, mtcars, control = tight)
coef(summary(f)); f$null.deviance; f$deviance; AIC(f); BIC(f)
car::vif(f)
sqrt(diag(sandwich::vcovHC(f, type = "HC0") * 32 / 31))
sqrt(diag(sandwich::vcovCL(f, cluster = mtcars$cyl, type = "HC0")))
*/
INSERT INTO r VALUES
	('cars coef', '(Intercept)', 18.8662987172), ('cars coef', 'wt', -8.08347518244),
	('cars coef', 'hp', 0.0362555960822), ('cars std_err', '(Intercept)', 7.44355806021),
	('cars std_err', 'wt', 3.06867511305), ('cars std_err', 'hp', 0.0177341536508),
	('cars z', '(Intercept)', 2.53458071592), ('cars z', 'wt', -2.63419061472), ('cars z', 'hp', 2.04439393028),
	('cars p', '(Intercept)', 0.0112581987166), ('cars p', 'wt', 0.00843381259971),
	('cars p', 'hp', 0.040914646459), ('cars fit', 'null_deviance', 43.2297332769),
	('cars fit', 'deviance', 10.0591104723), ('cars fit', 'df_null', 31), ('cars fit', 'df_residual', 29),
	('cars fit', 'aic', 16.0591104723), ('cars fit', 'bic', 20.4563181807), ('cars vif', 'wt', 2.44429719492),
	('cars vif', 'hp', 2.44429719492), ('cars robust', '(Intercept)', 8.37481313708),
	('cars robust', 'wt', 2.81177009552), ('cars robust', 'hp', 0.00845439616223),
	('cars cluster', '(Intercept)', 8.38039261973), ('cars cluster', 'wt', 3.02920584981),
	('cars cluster', 'hp', 0.00941641422846);
/*
temp <- c(66,70,69,68,67,72,73,70,57,63,70,78,67,53,67,75,70,81,76,79,75,76,58)
hurt <- c(0,1,0,0,0,0,0,0,1,1,1,0,0,1,0,0,0,0,0,0,1,0,1)
f <- glm(hurt ~ temp, binomial, control = tight)
sqrt(diag(sandwich::vcovHC(f, type = "HC0") * 23 / 22))
*/
INSERT INTO r VALUES
	('rings coef', '(Intercept)', 15.0429016477), ('rings coef', 'temp', -0.232162744219),
	('rings std_err', '(Intercept)', 7.37863638491), ('rings std_err', 'temp', 0.108236521649),
	('rings z', '(Intercept)', 2.03871025254), ('rings z', 'temp', -2.14495754927),
	('rings p', '(Intercept)', 0.0414789539112), ('rings p', 'temp', 0.0319562412493),
	('rings fit', 'null_deviance', 28.2671527343), ('rings fit', 'deviance', 20.3151926879),
	('rings fit', 'df_null', 22), ('rings fit', 'df_residual', 21), ('rings fit', 'aic', 24.3151926879),
	('rings fit', 'bic', 26.5861811197), ('rings robust', '(Intercept)', 6.05201855278),
	('rings robust', 'temp', 0.0927751592225);
/*
i <- 1:900
x1 <- (i * 7919) %% 1000 / 100
x2 <- 2 * x1 + (i * 104729) %% 977 / 50
x2[(i * i) %% 19 == 4] <- NA
city <- c("Bonn", "Kiel", "Ulm", "Jena")[1 + (i * i * 31 + i) %% 11 %% 4]
w <- 1 + i %% 3
shop <- i %% 40
y <- as.integer((i * 48271) %% 10007 < 2500 + 300 * x1 + ifelse(city == "Ulm", 1500, 0) + 20 * shop)
missing <- as.integer(is.na(x2))
x2 <- ifelse(is.na(x2), weighted.mean(x2, w * !is.na(x2), na.rm = TRUE), x2)
city <- relevel(factor(city), "Kiel")
f <- glm(y ~ x1 + x2 + missing + city, binomial, weights = w, control = tight)
car::vif(f)                               # of city: GVIF^(1/(2*Df)), squared
sqrt(diag(sandwich::vcovHC(f, type = "HC0") * 900 / 899))
sqrt(diag(sandwich::vcovCL(f, cluster = shop, type = "HC0")))
*/
INSERT INTO r VALUES
	('shops coef', '(Intercept)', -1.05523450264), ('shops coef', 'x1', 0.119979280507),
	('shops coef', 'x2', 0.0102112329035), ('shops coef', 'missing', -0.0540748425731),
	('shops coef', 'city = Bonn', 0.0556466185993), ('shops coef', 'city = Jena', -0.0877807097777),
	('shops coef', 'city = Ulm', 0.623339564178), ('shops std_err', '(Intercept)', 0.157419183276),
	('shops std_err', 'x1', 0.0228036066828), ('shops std_err', 'x2', 0.00867225524549),
	('shops std_err', 'missing', 0.158332264259), ('shops std_err', 'city = Bonn', 0.113735494319),
	('shops std_err', 'city = Jena', 0.180856868687), ('shops std_err', 'city = Ulm', 0.139713966983),
	('shops z', '(Intercept)', -6.70334123628), ('shops z', 'x1', 5.26141685286), ('shops z', 'x2', 1.17745991261),
	('shops z', 'missing', -0.341527627526), ('shops z', 'city = Bonn', 0.489263434711),
	('shops z', 'city = Jena', -0.48536011054), ('shops z', 'city = Ulm', 4.46154080111),
	('shops p', '(Intercept)', 2.03707003019e-11), ('shops p', 'x1', 1.42949530934e-07),
	('shops p', 'x2', 0.239011988765), ('shops p', 'missing', 0.732706410017),
	('shops p', 'city = Bonn', 0.624655204678), ('shops p', 'city = Jena', 0.627420922809),
	('shops p', 'city = Ulm', 8.13724488864e-06), ('shops fit', 'null_deviance', 2488.10501555),
	('shops fit', 'deviance', 2397.08114807), ('shops fit', 'df_null', 899), ('shops fit', 'df_residual', 893),
	('shops fit', 'aic', 2411.08114807), ('shops fit', 'bic', 2444.69791142), ('shops vif', 'x1', 1.78717966826),
	('shops vif', 'x2', 1.79461211057), ('shops vif', 'missing', 1.00222056759),
	('shops vif', 'city = ', 1.00381608781), ('shops robust', '(Intercept)', 0.238722312615),
	('shops robust', 'x1', 0.0347991519559), ('shops robust', 'x2', 0.0132540324687),
	('shops robust', 'missing', 0.237696933037), ('shops robust', 'city = Bonn', 0.173635247652),
	('shops robust', 'city = Jena', 0.278284023079), ('shops robust', 'city = Ulm', 0.212197085999),
	('shops cluster', '(Intercept)', 0.207705376406), ('shops cluster', 'x1', 0.023726002809),
	('shops cluster', 'x2', 0.00975160473648), ('shops cluster', 'missing', 0.310363819194),
	('shops cluster', 'city = Bonn', 0.165015620239), ('shops cluster', 'city = Jena', 0.201586010804),
	('shops cluster', 'city = Ulm', 0.193871243802);
/*
X <- cbind(1, mtcars$wt, mtcars$hp); s2 <- c(0, colMeans(scale(X, scale = FALSE)^2)[2:3])
P <- diag(32 * 0.1 * s2); b <- rep(0, 3)
for (k in 1:60) { m <- plogis(X %*% b); H <- t(X) %*% (X * c(m * (1 - m)))
                  b <- b - solve(H + P, t(X) %*% (m - mtcars$am) + P %*% b) }
A <- solve(H + P); sqrt(diag(A %*% H %*% A))
U <- X * c(m - mtcars$am); sqrt(diag(A %*% t(U) %*% U %*% A) * 32 / 31)
*/
INSERT INTO r VALUES
	('ridge coef', '(Intercept)', 3.45078250196), ('ridge coef', 'wt', -1.32580635052),
	('ridge coef', 'hp', 0.002063949144), ('ridge std_err', '(Intercept)', 1.04385072801),
	('ridge std_err', 'wt', 0.271772876464), ('ridge std_err', 'hp', 0.00379215127522),
	('ridge robust', '(Intercept)', 0.725169141126), ('ridge robust', 'wt', 0.162361916157),
	('ridge robust', 'hp', 0.00404960768828);

/*
f <- glm(mpg ~ wt + hp, gaussian, mtcars); g <- glm(cyl ~ wt + hp + offset(log(gear)), poisson, mtcars, control = tight)
sqrt(diag(sandwich::vcovHC(f, type = "HC0") * 32 / 31)); sqrt(diag(sandwich::vcovHC(g, type = "HC0") * 32 / 31))
*/
INSERT INTO r VALUES
	('miles coef', '(Intercept)', 37.22727012), ('miles coef', 'wt', -3.87783074), ('miles coef', 'hp', -0.03177294698),
	('miles std_err', '(Intercept)', 1.59878754), ('miles std_err', 'wt', 0.63273349), ('miles std_err', 'hp', 0.00902970967),
	('miles z', 'wt', -6.128695), ('miles p', 'wt', 1.119647e-06), ('miles p', 'hp', 0.001451229),
	('miles robust', '(Intercept)', 1.96993855), ('miles robust', 'wt', 0.629846975), ('miles robust', 'hp', 0.00675240159),
	('miles vif', 'wt', 1.76662458), ('miles fit', 'null_deviance', 1126.04719), ('miles fit', 'deviance', 195.047755),
	('miles fit', 'df_residual', 29), ('miles fit', 'aic', 156.652337), ('miles fit', 'bic', 162.515282),
	('gears coef', '(Intercept)', -0.5970992615), ('gears coef', 'wt', 0.2964915628), ('gears std_err', 'wt', 0.0867327725),
	('gears p', 'wt', 0.000629791099), ('gears robust', 'wt', 0.053036883921), ('gears fit', 'null_deviance', 35.413576),
	('gears fit', 'deviance', 12.618299), ('gears fit', 'aic', 135.277278), ('gears fit', 'bic', 139.674484);

CREATE TABLE cars (am int, wt float8, hp int, cyl int);
INSERT INTO cars VALUES
	(1,2.62,110,6), (1,2.875,110,6), (1,2.32,93,4), (0,3.215,110,6), (0,3.44,175,8), (0,3.46,105,6), (0,3.57,245,8),
	(0,3.19,62,4), (0,3.15,95,4), (0,3.44,123,6), (0,3.44,123,6), (0,4.07,180,8), (0,3.73,180,8), (0,3.78,180,8),
	(0,5.25,205,8), (0,5.424,215,8), (0,5.345,230,8), (1,2.2,66,4), (1,1.615,52,4), (1,1.835,65,4), (0,2.465,97,4),
	(0,3.52,150,8), (0,3.435,150,8), (0,3.84,245,8), (0,3.845,175,8), (1,1.935,66,4), (1,2.14,91,4), (1,1.513,113,4),
	(1,3.17,264,8), (1,2.77,175,6), (1,3.57,335,8), (1,2.78,109,4);
CREATE TABLE miles AS
	SELECT mpg, wt, hp, cyl, ln(gear) AS gears FROM (SELECT row_number() OVER () AS n, * FROM cars) AS c
	JOIN unnest('{21,21,22.8,21.4,18.7,18.1,14.3,24.4,22.8,19.2,17.8,16.4,17.3,15.2,10.4,10.4,14.7,32.4,30.4,33.9,21.5,15.5,15.2,
		13.3,19.2,27.3,26,30.4,15.8,19.7,15,21.4}'::float8[], '{4,4,4,3,3,3,3,4,4,4,4,3,3,3,3,3,3,4,4,4,3,3,3,3,3,4,5,5,5,5,5,4}'::float8[])
		WITH ORDINALITY AS v (mpg, gear, n) USING (n);
CREATE TABLE rings AS
	SELECT temp, hurt FROM unnest('{66,70,69,68,67,72,73,70,57,63,70,78,67,53,67,75,70,81,76,79,75,76,58}'::int[],
		'{0,1,0,0,0,0,0,0,1,1,1,0,0,1,0,0,0,0,0,0,1,0,1}'::int[]) AS v (temp, hurt);
CREATE TABLE shops AS
	SELECT i, x1, CASE WHEN i * i % 19 <> 4 THEN 2 * x1 + i * 104729 % 977 / 50.0::float8 END AS x2, city, shop,
		   1 + i % 3 AS w,
		   i * 48271 % 10007 < 2500 + 300 * x1 + CASE city WHEN 'Ulm' THEN 1500 ELSE 0 END + 20 * shop AS y
	FROM generate_series(1, 900) AS i,
		 LATERAL (SELECT i * 7919 % 1000 / 100.0::float8 AS x1, i % 40 AS shop,
						 ('{Bonn,Kiel,Ulm,Jena}'::text[])[1 + (i * i * 31 + i) % 11 % 4] AS city) AS v;

-- all that R says of a fit, and what we say, side by side: nothing is left of it that differs in the sixth digit
CREATE FUNCTION ours(what text, ref text) RETURNS TABLE (what text, name text, value float8)
	LANGUAGE sql AS $$
	WITH c AS (SELECT CASE WHEN feature = '(intercept)' THEN '(Intercept)' WHEN level = '(missing)' THEN 'missing'
					  ELSE concat_ws(' = ', feature, level) END AS name, *
			   FROM dmp.coefficients WHERE model = ref AND level IS DISTINCT FROM 'Kiel')
	SELECT $1 || ' coef', name, coef FROM c UNION ALL
	SELECT $1 || ' std_err', name, std_err FROM c UNION ALL
	SELECT $1 || ' z', name, z FROM c UNION ALL
	SELECT $1 || ' p', name, p FROM c UNION ALL
	SELECT $1 || ' vif', CASE feature WHEN 'city' THEN 'city = ' ELSE name END, vif FROM c UNION ALL
	SELECT $1 || ' fit', k.key, k.value::float8
	FROM dmp.models m, jsonb_each_text(to_jsonb(m)) AS k
	WHERE m.model = ref AND k.key IN ('null_deviance', 'deviance', 'df_null', 'df_residual', 'aic', 'bic')
$$;
CREATE FUNCTION errors(what text, ref text) RETURNS TABLE (what text, name text, value float8)
	LANGUAGE sql AS $$ SELECT $1, o.name, o.value FROM ours('m', $2) o WHERE o.what = 'm std_err' $$;

SELECT status FROM dmp.train('cars_plain', 'SELECT am, wt, hp, cyl FROM cars', 'am', exclude => '{cyl}');
SELECT status FROM dmp.train('cars_robust', 'SELECT am, wt, hp FROM cars', 'am', options => '{"std_err": "robust"}');
SELECT status FROM dmp.train('cars_cluster', 'cars', 'am', options => '{"cluster": "cyl"}');
SELECT model, std_err_kind FROM dmp.models WHERE model LIKE 'cars%' ORDER BY 1;
SELECT status FROM dmp.train('rings', 'rings', 'hurt');
SELECT status FROM dmp.train('rings_robust', 'rings', 'hurt', options => '{"std_err": "robust"}');
SELECT status FROM dmp.train('shops_plain', 'SELECT y, x1, x2, city, w, shop FROM shops', 'y', weight => 'w', exclude => '{shop}');
SELECT status FROM dmp.train('shops_robust', 'SELECT y, x1, x2, city, w FROM shops', 'y', weight => 'w',
	options => '{"std_err": "robust"}');
SELECT status FROM dmp.train('shops_cluster', 'SELECT y, x1, x2, city, w, shop FROM shops', 'y', weight => 'w',
	options => '{"cluster": "shop"}');
SELECT status, warnings FROM dmp.train('ridge', 'SELECT am, wt, hp FROM cars', 'am', lambda => 0.1);
SELECT status, warnings FROM dmp.train('ridge_robust', 'SELECT am, wt, hp FROM cars', 'am', lambda => 0.1,
	options => '{"std_err": "robust"}');
SELECT status FROM dmp.train('miles', 'SELECT mpg, wt, hp FROM miles', 'mpg');
SELECT status FROM dmp.train('miles_robust', 'SELECT mpg, wt, hp FROM miles', 'mpg', options => '{"std_err": "robust"}');
SELECT status FROM dmp.train('gears', 'SELECT cyl, wt, hp, gears FROM miles', 'cyl', family => 'poisson', options => '{"base_margin": "gears"}');
SELECT status FROM dmp.train('gears_robust', 'SELECT cyl, wt, hp, gears FROM miles', 'cyl', family => 'poisson',
	options => '{"base_margin": "gears", "std_err": "robust"}');
WITH o AS (
	SELECT * FROM ours('cars', 'cars_plain') UNION ALL
	SELECT * FROM ours('rings', 'rings') UNION ALL
	SELECT * FROM ours('shops', 'shops_plain') UNION ALL
	SELECT * FROM errors('cars robust', 'cars_robust') UNION ALL
	SELECT * FROM errors('cars cluster', 'cars_cluster') UNION ALL
	SELECT * FROM errors('rings robust', 'rings_robust') UNION ALL
	SELECT * FROM errors('shops robust', 'shops_robust') UNION ALL
	SELECT * FROM errors('shops cluster', 'shops_cluster') UNION ALL
	SELECT * FROM ours('miles', 'miles') UNION ALL
	SELECT * FROM errors('miles robust', 'miles_robust') UNION ALL
	SELECT * FROM ours('gears', 'gears') UNION ALL
	SELECT * FROM errors('gears robust', 'gears_robust') UNION ALL
	SELECT * FROM ours('ridge', 'ridge') UNION ALL
	SELECT * FROM errors('ridge robust', 'ridge_robust'))
SELECT r.what, count(*), count(*) FILTER (WHERE abs(o.value - r.value) <= 1e-6 * abs(r.value)) AS agree
FROM r LEFT JOIN (SELECT DISTINCT * FROM o) AS o USING (what, name) GROUP BY 1 ORDER BY 1;
SELECT what, name, r.value AS r, o.value AS ours FROM r
JOIN (SELECT * FROM ours('cars', 'cars_plain') UNION SELECT * FROM ours('shops', 'shops_plain')) AS o USING (what, name)
WHERE NOT abs(o.value - r.value) <= 1e-6 * abs(r.value);

-- intervals, of coefficients and of odds; none of a reference level
SELECT feature, level, abs(low - (coef - 1.959963984540054 * std_err)) < 1e-12 AS low,
	   abs(high - (coef + 1.959963984540054 * std_err)) < 1e-12 AS high, abs(odds_low / exp(low) - 1) < 1e-12 AS odds_low,
	   abs(odds_high / exp(high) - 1) < 1e-12 AS odds_high, vif IS NULL AS no_vif
FROM dmp.coefficients WHERE model = 'shops_plain' ORDER BY position;
-- the cluster is no feature, and was not held against us
SELECT feature_names, clusters FROM dmp.models WHERE model LIKE 'shops%' ORDER BY model;
-- the penalty: errors, and nothing that tests; neither AIC nor degrees of freedom
SELECT feature, coef IS NULL AS no_coef, std_err IS NULL AS no_err, z, p, low, high, odds_low, vif
FROM dmp.coefficients WHERE model = 'ridge_robust' ORDER BY position;
SELECT deviance > 0 AS deviance, df_residual, aic, bic, std_err_kind FROM dmp.models WHERE model = 'ridge';
SELECT metric, value::numeric(12,6) FROM dmp.model_metrics WHERE model = 'rings' AND metric ~ 'deviance|ic$' ORDER BY 1;

-- on the page
SELECT line FROM dmp.summary('cars_plain') AS line WHERE line !~ '^Trained';
SELECT line FROM dmp.summary('shops_cluster') AS line WHERE line !~ '^(Trained|Model|Call|dmp.train)';
SELECT line FROM dmp.summary('miles') AS line WHERE line !~ '^Trained';
SELECT line FROM dmp.summary('gears') AS line WHERE line ~ '^(wt|hp|.Disp| +Null|Resid|AIC)';
SELECT line FROM dmp.summary('ridge') AS line WHERE line !~ '^Trained';
SELECT status, warnings FROM dmp.train('lasso', 'SELECT am, wt, hp FROM cars', 'am', lambda => 0.1, alpha => 1,
	options => '{"std_err": "robust"}');
SELECT line FROM dmp.summary('lasso') AS line WHERE line ~ 'rrors|^hp|^wt|AIC';
-- nor where lambda was chosen by the same rows, or columns were made from the target
SET client_min_messages = error;
SELECT status FROM dmp.train('chosen', 'SELECT y, x1, x2 FROM shops', 'y', n_lambdas => 5);
SELECT m.lambda > 0 AS lambda, m.std_err_kind, c.feature, c.std_err FROM dmp.models m JOIN dmp.coefficients c USING (model, version)
WHERE model = 'chosen' ORDER BY c.position;
SELECT line FROM dmp.summary('chosen') AS line WHERE line ~ 'rrors';
SELECT status FROM dmp.train('woe', 'SELECT y, x1, city FROM shops', 'y', options => '{"encode": {"city": "woe"}, "std_err": "robust"}');
SELECT line FROM dmp.summary('woe') AS line WHERE line ~ 'rrors';
RESET client_min_messages;
-- a column that says nothing new has no coefficient, and the others are as without it
SELECT status FROM dmp.train('twice', 'SELECT am, wt, hp, 2 * wt + hp AS both FROM cars', 'am', options => '{"std_err": "robust"}');
SELECT c.feature, c.coef IS NULL AS none, c.std_err IS NULL AS no_err, c.vif IS NULL AS no_vif,
	   abs(c.std_err / o.std_err - 1) < 1e-6 AS same
FROM dmp.coefficients c LEFT JOIN dmp.coefficients o ON o.model = 'cars_robust' AND o.feature = c.feature
WHERE c.model = 'twice' ORDER BY c.position;
SELECT line FROM dmp.summary('twice') AS line WHERE line ~ 'singul|^both|AIC';
-- far from zero: a column of seconds
SELECT status FROM dmp.train('far', 'SELECT am, wt + 1.7e9 AS wt, hp, cyl FROM cars', 'am', options => '{"cluster": "cyl"}');
SELECT feature, abs(f.std_err / c.std_err - 1) < 1e-5 AS same
FROM dmp.coefficients f JOIN dmp.coefficients c USING (feature)
WHERE f.model = 'far' AND c.model = 'cars_cluster' AND feature <> '(intercept)' ORDER BY 1;

-- in parallel as in one process, over many clusters; the meat by hand
CREATE TABLE many AS
	SELECT i, (i * 7919 % 1000) / 100.0::float8 AS x, CASE WHEN i % 13 > 0 THEN (i * 31 % 17)::float8 END AS v,
		   'c' || i % 5 AS c, i % 7000 AS g, i * 48271::bigint % 10007 < 3000 + 300 * (i * 7919 % 1000) / 100 AS y
	FROM generate_series(1, 60000) AS i;
ANALYZE many;
SELECT status FROM dmp.train('one', 'SELECT x, v, c, g, y FROM many', 'y', options => '{"cluster": "g"}');
SELECT status FROM dmp.train('one_robust', 'SELECT x, v, c, y FROM many', 'y', options => '{"std_err": "robust"}');
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SET max_parallel_workers_per_gather = 2;
SELECT status FROM dmp.train('two', 'SELECT x, v, c, g, y FROM many', 'y', options => '{"cluster": "g"}');
SELECT status FROM dmp.train('two_robust', 'SELECT x, v, c, y FROM many', 'y', options => '{"std_err": "robust"}');
RESET parallel_setup_cost;
RESET parallel_tuple_cost;
RESET min_parallel_table_scan_size;
RESET max_parallel_workers_per_gather;
SELECT o.model, feature, o.level, abs(o.std_err / t.std_err - 1) < 1e-9 AS same
FROM dmp.coefficients o JOIN dmp.coefficients t USING (feature)
WHERE t.model = replace(o.model, 'one', 'two') AND o.model LIKE 'one%' AND o.level IS NOT DISTINCT FROM t.level
  AND o.coef <> 0 ORDER BY 1, o.position;
-- one column, errors by cluster without a fit of ours: u = p - y summed by g, squared, over the information squared
SELECT status FROM dmp.train('flat', 'SELECT y, 1::float8 + x AS x, g FROM many', 'y', options => '{"cluster": "g", "intercept": false}');
WITH b AS (SELECT coef, std_err FROM dmp.coefficients WHERE model = 'flat' AND feature = 'x'),
	 u AS (SELECT sum((1 + x) * (1 / (1 + exp(-coef * (1 + x))) - y::int)) AS u,
				  sum((1 + x) ^ 2 * exp(-coef * (1 + x)) / (1 + exp(-coef * (1 + x))) ^ 2) AS h
		   FROM many, b GROUP BY g)
SELECT abs(sqrt(sum(u * u) * 7000 / 6999) / sum(h) / (SELECT std_err FROM b) - 1) < 1e-9 AS by_hand FROM u;
-- held-out rows take no part
SELECT status FROM dmp.train('held', 'SELECT y, x, g FROM many', 'y', test_fraction => 0.5, seed => 1, options => '{"cluster": "g"}');
SELECT o.std_err > 1.2 * b.std_err AS wider, m.clusters < 7000 AS fewer FROM dmp.coefficients o, dmp.coefficients b, dmp.models m
WHERE o.model = 'held' AND b.model = 'one' AND o.feature = 'x' AND b.feature = 'x' AND m.model = 'held';

-- what cannot be
SELECT * FROM dmp.train('no', 'cars', 'am', options => '{"std_err": "best"}');
SELECT * FROM dmp.train('no', 'cars', 'am', options => '{"cluster": "cly"}');
SELECT * FROM dmp.train('no', 'cars', 'am', options => '{"cluster": "cyl", "std_err": "model"}');
SELECT * FROM dmp.train('no', 'SELECT am, wt, nullif(cyl, 4) AS cyl FROM cars', 'am', options => '{"cluster": "cyl"}');
SELECT * FROM dmp.train('no', 'SELECT am, wt, 1 AS cyl FROM cars', 'am', options => '{"cluster": "cyl"}');
SELECT dmp_internal.row_score('\x00', 1, 1, 0, NULL, '{1}', NULL);
SELECT dmp_internal.meat(v) FROM (VALUES ('{1,2}'::float8[]), ('{1,2,3}')) AS t (v);
SELECT dmp_internal.meat(v) FROM (VALUES ('{1,NULL}'::float8[])) AS t (v);
SELECT dmp_internal.meat(v) FROM (VALUES ('{1,2}'::float8[]), (NULL), ('{3,1}')) AS t (v);
SELECT dmp_internal.meat_add('{1}', '{1}');

SELECT count(*) AS dropped FROM unnest('{cars_plain,cars_robust,cars_cluster,rings,rings_robust,shops_plain,shops_robust,
	shops_cluster,ridge,ridge_robust,lasso,twice,far,one,one_robust,two,two_robust,flat,held,chosen,woe,miles,
	miles_robust,gears,gears_robust}'::text[]) AS m, dmp.drop_model(m);
RESET search_path;
SET client_min_messages = warning;
DROP SCHEMA infer_summary CASCADE;
