-- dmp.logit: coefficients, errors, groups, windows, workers, memory

-- 2,000 rows that are the same everywhere
CREATE TABLE visits AS
SELECT i, i % 4 AS city, age, spend, at,
	   ((i * 48271) % 65521) / 65521.0 < 1 / (1 + exp(-(-2.0 + 0.05 * age - 0.3 * spend))) AS bought
FROM (SELECT i, (i * 7919) % 60 + 18 AS age, ((i * 104729) % 1000) / 100.0 AS spend,
			 1.7e9 + (i * 15485863) % 86400 AS at
	  FROM generate_series(1::bigint, 2000) i) s;

-- by Newton's method with numpy; R's glm agrees (its errors to 1e-8: it takes them a step earlier)
CREATE TABLE expected AS
SELECT * FROM (VALUES
	(1, -2.0279061977696342, 0.1924930848699778, -10.534956095381173, 5.961108732502725e-26),
	(2, 0.0503770390614043, 0.00351797741712969, 14.319886994189119, 1.6439030485857254e-46),
	(3, -0.3014469548398190, 0.02109992694270438, -14.286635003921750, 2.6511348977413924e-46))
	AS v(k, coef, std_err, z, p);
CREATE VIEW fitted AS SELECT (dmp.logit(bought, age, spend)).* FROM visits;
SELECT k, abs(f.coef[k] / e.coef - 1) < 1e-10 AS coef, abs(f.std_err[k] / e.std_err - 1) < 1e-10 AS std_err,
	   abs(f.z[k] / e.z - 1) < 1e-10 AS z, abs(f.p[k] / e.p - 1) < 1e-8 AS p
FROM fitted f, expected e ORDER BY k;
SELECT rows, rows_skipped, status, abs(log_likelihood + 988.4402167976) < 1e-9 AS log_likelihood FROM fitted;
-- the gradient, by the definition
SELECT max(abs(g)) < 1e-9 AS gradient
FROM (SELECT unnest(ARRAY[avg(r), avg(r * age), avg(r * spend)]) AS g
	  FROM (SELECT 1 / (1 + exp(-(f.coef[1] + f.coef[2] * age + f.coef[3] * spend))) - bought::int AS r, age, spend
			FROM visits, fitted f) s) s;

-- a number as target, features as one array, epoch seconds (R with at - 1.7e9)
SELECT abs(coef[2] / 0.0439759295369344 - 1) < 1e-9 AS age, abs(coef[3] / -4.60083815575785e-08 - 1) < 1e-6 AS at,
	   abs(std_err[3] / 2.07606044671267e-06 - 1) < 1e-7 AS at_err
FROM (SELECT (dmp.logit(bought::int, VARIADIC ARRAY[age, at]::float8[])).* FROM visits) s;

-- a fit a group
SELECT city, (f).rows, (f).status, abs((f).coef[1] / e.a - 1) < 1e-9 AS intercept,
	   abs((f).coef[2] / e.b - 1) < 1e-9 AS age, abs((f).coef[3] / e.c - 1) < 1e-9 AS spend
FROM (SELECT city, dmp.logit(bought, age, spend) AS f FROM visits GROUP BY city) g
JOIN (VALUES (0, -2.3278762923123644, 0.0536130501980048, -0.2777822158029397),
			 (1, -1.8945381028134263, 0.0489234363208842, -0.3195785098329587),
			 (2, -1.9381619911277566, 0.0471389490408504, -0.2866375482622932),
			 (3, -1.9729883475001835, 0.0525202371578265, -0.3233706799997445)) AS e(city, a, b, c) USING (city)
ORDER BY city;
SELECT (dmp.logit(bought, age, spend) FILTER (WHERE city = 2)).coef[2]::numeric(9,7) FROM visits;

-- a window asks again and again, and the state stays what it was
SELECT count(*), bool_and(w = a) AS same
FROM (SELECT ((dmp.logit(bought, age) OVER (ORDER BY i)).coef)[2]::numeric(12,9) AS w,
			 (SELECT ((dmp.logit(v.bought, v.age)).coef)[2]::numeric(12,9) FROM visits v WHERE v.i <= visits.i) AS a
	  FROM visits WHERE i <= 300) s
WHERE a IS NOT NULL;

-- rows that cannot be used are skipped and counted
SELECT rows, rows_skipped, status FROM (
	SELECT (dmp.logit(CASE WHEN i % 10 = 0 THEN NULL ELSE bought END,
					  CASE WHEN i % 7 = 0 THEN NULL WHEN i % 11 = 0 THEN 'NaN' WHEN i % 13 = 0 THEN 'Infinity' ELSE age::float8 END)).*
	FROM visits) s;
SELECT count(*) FROM visits WHERE i % 10 = 0 OR i % 7 = 0 OR i % 11 = 0 OR i % 13 = 0;

-- what has no fit says so
SELECT (dmp.logit(bought, age)).* FROM visits WHERE false;
SELECT (dmp.logit(NULL::boolean, age)).* FROM visits;
SELECT (dmp.logit(bought, NULL::float8)).* FROM visits;
SELECT (dmp.logit(true, age)).status FROM visits;
SELECT (dmp.logit(bought, age, spend)).status FROM visits WHERE i < 4;
SELECT (dmp.logit(age > 40, age)).status, (dmp.logit(age > 40, age)).std_err FROM visits;
-- a column that is a combination of others has no coefficient; a constant one neither
SELECT array_position(coef, NULL) AS aliased, array_length(coef, 1), status
FROM (SELECT (dmp.logit(bought, age, spend, 2 * age - spend)).* FROM visits) s;
SELECT array_position(coef, NULL) AS constant, status FROM (SELECT (dmp.logit(bought, 0.1, age)).* FROM visits) s;
SELECT coef[1]::numeric(12,9) AS intercept, std_err[1]::numeric(12,9)
FROM (SELECT (dmp.logit(bought, VARIADIC '{}'::float8[])).* FROM visits) s;
SELECT ln(avg(bought::int) / (1 - avg(bought::int)))::numeric(12,9) AS intercept,
	   (1 / sqrt(sum(bought::int) * (1 - avg(bought::int))))::numeric(12,9) FROM visits;
-- errors
SELECT dmp.logit(age, spend) FROM visits;
SELECT dmp.logit(bought, VARIADIC CASE WHEN i = 1500 THEN ARRAY[age, spend] ELSE ARRAY[age] END::float8[]) FROM visits;
SELECT dmp.logit(bought, VARIADIC ARRAY[[age], [spend]]::float8[]) FROM visits;
SELECT dmp_internal.logit_final('00'::dmp_internal.state);
SELECT dmp_internal.logit_final('0200010004030201000000000100000000000000e80300000000000000000000000000000000000000000000'::dmp_internal.state);

-- workers: the same as without, also when rows are shipped, and past the memory
CREATE TABLE logit_rows AS
SELECT i, ((i * 48271) % 65521) / 65521.0 < 1 / (1 + exp(-(-1 + x1 - x2))) AS y, x1, x2
FROM (SELECT i, ((i * 7919) % 10007) / 10007.0 AS x1, ((i * 104729) % 10009) / 10009.0 AS x2
	  FROM generate_series(1::bigint, 60000) i) s;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SET max_parallel_workers_per_gather = 0;
CREATE TABLE serial AS SELECT (dmp.logit(y, x1, x2)).* FROM logit_rows;
CREATE TABLE serial_groups AS SELECT i % 50 AS g, (dmp.logit(y, x1, x2)).* FROM logit_rows GROUP BY 1;
SET max_parallel_workers_per_gather = 2;
EXPLAIN (COSTS OFF) SELECT dmp.logit(y, x1, x2) FROM logit_rows;
SELECT p.rows = s.rows AS rows, p.status, abs(p.coef[1] - s.coef[1]) < 1e-9 AS c1, abs(p.coef[2] - s.coef[2]) < 1e-9 AS c2,
	   abs(p.coef[3] - s.coef[3]) < 1e-9 AS c3, abs(p.std_err[2] - s.std_err[2]) < 1e-9 AS se
FROM (SELECT (dmp.logit(y, x1, x2)).* FROM logit_rows) p, serial s;
SELECT count(*), bool_and(p.rows = s.rows AND abs(p.coef[2] - s.coef[2]) < 1e-8) AS same
FROM (SELECT i % 50 AS g, (dmp.logit(y, x1, x2)).* FROM logit_rows GROUP BY 1) p JOIN serial_groups s USING (g);
SET dmp.training_memory = '1MB';
SELECT p.rows = s.rows AS rows, p.status, abs(p.coef[2] - s.coef[2]) < 0.1 * s.std_err[2] AS near
FROM (SELECT (dmp.logit(y, x1, x2)).* FROM logit_rows) p, serial s;
SET max_parallel_workers_per_gather = 0;
SELECT p.rows = s.rows AS rows, p.status, abs(p.coef[2] - s.coef[2]) < 0.1 * s.std_err[2] AS near
FROM (SELECT (dmp.logit(y, x1, x2)).* FROM logit_rows) p, serial s;
RESET dmp.training_memory;
RESET max_parallel_workers_per_gather;
RESET min_parallel_table_scan_size;
RESET parallel_tuple_cost;
RESET parallel_setup_cost;
DROP VIEW fitted;
DROP TABLE visits, expected, logit_rows, serial, serial_groups;
