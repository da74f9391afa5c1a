-- dmp.linear: certified problems, groups, windows, workers, hostile rows

-- NIST StRD: Longley, certified to 15 digits
CREATE TABLE engine_longley AS SELECT * FROM (VALUES
	(60323, 83.0, 234289, 2356, 1590, 107608, 1947), (61122, 88.5, 259426, 2325, 1456, 108632, 1948),
	(60171, 88.2, 258054, 3682, 1616, 109773, 1949), (61187, 89.5, 284599, 3351, 1650, 110929, 1950),
	(63221, 96.2, 328975, 2099, 3099, 112075, 1951), (63639, 98.1, 346999, 1932, 3594, 113270, 1952),
	(64989, 99.0, 365385, 1870, 3547, 115094, 1953), (63761, 100.0, 363112, 3578, 3350, 116219, 1954),
	(66019, 101.2, 397469, 2904, 3048, 117388, 1955), (67857, 104.6, 419180, 2822, 2857, 118734, 1956),
	(68169, 108.4, 442769, 2936, 2798, 120445, 1957), (66513, 110.8, 444546, 4681, 2637, 121950, 1958),
	(68655, 112.6, 482704, 3813, 2552, 123366, 1959), (69564, 114.2, 502601, 3931, 2514, 125368, 1960),
	(69331, 115.7, 518173, 4806, 2572, 127852, 1961), (70551, 116.9, 554894, 4007, 2827, 130081, 1962)) v(y, x1, x2, x3, x4, x5, x6);
SELECT max(abs(f.coef[k] / c.coef - 1)) < 1e-11 AS coef, max(abs(f.std_err[k] / c.std_err - 1)) < 1e-11 AS std_err,
	   max(abs(f.t[k] / (c.coef / c.std_err) - 1)) < 1e-11 AS t, max(abs(sigma / 304.854073561965 - 1)) < 1e-12 AS sigma, max(abs(r_squared / 0.995479004577296 - 1)) < 1e-12 AS r_squared, max(rows) AS rows, max(status) AS status
FROM (SELECT (dmp.linear(y, x1, x2, x3, x4, x5, x6)).* FROM engine_longley) f,
	 unnest('{-3482258.63459582,15.0618722713733,-0.358191792925910E-01,-2.02022980381683,-1.03322686717359,-0.511041056535807E-01,1829.15146461355}'::float8[],
			'{890420.383607373,84.9149257747669,0.334910077722432E-01,0.488399681651699,0.214274163161675,0.226073200069370,455.478499142212}'::float8[]) WITH ORDINALITY c(coef, std_err, k);
-- summary(lm(y ~ ., longley)): the p values
SELECT max(abs(f.p[k] / e - 1)) < 1e-9 AS p
FROM (SELECT (dmp.linear(y, x1, x2, x3, x4, x5, x6)).* FROM engine_longley) f,
	 unnest('{0.003560403663726078,0.863140832809200287,0.312681061092702883,0.002535091734111122,0.000944366764161754,0.826211795763652779,0.003036803341630158}'::float8[]) WITH ORDINALITY c(e, k);
-- Wampler 1: y = 1 + x + ... + x^5, x = 0 .. 20, to the last digits
SELECT bool_and(abs(c - 1) < 1e-11) AS wampler FROM (SELECT unnest((dmp.linear(1 + x + x^2 + x^3 + x^4 + x^5, x, x^2, x^3, x^4, x^5)).coef) AS c FROM (SELECT i::float8 AS x FROM generate_series(0, 20) i) v) s;
-- epoch seconds, money: a shift moves nothing but the intercept
SELECT abs(a.coef[2] / b.coef[2] - 1) < 1e-12 AS slope, abs(a.std_err[2] / b.std_err[2] - 1) < 1e-12 AS error, abs((a.coef[1] + 1.7e9 * a.coef[2]) - b.coef[1] - 1e9) < 1e-5 AS intercept
FROM (SELECT (dmp.linear(1e9 + i % 7 + 0.5 * (i * 7919 % 60), 1.7e9 + i * 7919 % 60)).* FROM generate_series(1, 1000) i) a,
	 (SELECT (dmp.linear(i % 7 + 0.5 * (i * 7919 % 60), i * 7919 % 60)).* FROM generate_series(1, 1000) i) b;

CREATE TABLE engine_linear AS
	SELECT i, i % 50 AS g, (i * 7919::int8 % 1000) / 100.0::float8 AS x1, (i * 104729::int8 % 777) / 77.0::float8 AS x2, sin(i) + 0.7 * (i * 7919::int8 % 1000) / 100.0 - (i % 50) * 0.1 AS y
	FROM generate_series(1, 20000) i;
-- PostgreSQL's own regression, a group at a time; R: d <- subset(d, g == 7); summary(lm(y ~ x1 + x2, d))
SELECT bool_and(abs((f).coef[2] / slope - 1) < 1e-12 AND abs((f).coef[1] / intercept - 1) < 1e-9 AND abs((f).r_squared / r2 - 1) < 1e-12) AS as_regr, count(*)
FROM (SELECT g, dmp.linear(y, x1) AS f, regr_slope(y, x1) AS slope, regr_intercept(y, x1) AS intercept, regr_r2(y, x1) AS r2 FROM engine_linear GROUP BY g) s;
-- orthogonality of the residuals to what they were fitted on
SELECT bool_and(abs(a) < 1e-10 AND abs(b) < 1e-9 AND abs(c) < 1e-9 AND abs(s / sigma - 1) < 1e-12) AS residuals
FROM (SELECT g, sum(e) AS a, sum(e * x1) AS b, sum(e * x2) AS c, sqrt(sum(e * e) / (count(*) - 3)) AS s, min(sigma) AS sigma
	  FROM (SELECT d.*, y - (f).coef[1] - (f).coef[2] * x1 - (f).coef[3] * x2 AS e, (f).sigma FROM engine_linear d JOIN (SELECT g, dmp.linear(y, x1, x2) AS f FROM engine_linear GROUP BY g) m USING (g)) r GROUP BY g) s;
-- a window asks again and again, and the state stays what it was
SELECT bool_and(w IS NOT DISTINCT FROM a) AS same FROM (SELECT ((dmp.linear(y, x1) OVER (ORDER BY i)).coef)[2]::numeric(15,12) AS w,
	(SELECT ((dmp.linear(v.y, v.x1)).coef)[2]::numeric(15,12) FROM engine_linear v WHERE v.i <= e.i) AS a FROM engine_linear e WHERE i <= 200) s;
SELECT (dmp.linear(y, x1) FILTER (WHERE g = 7)).rows, (dmp.linear(y, VARIADIC ARRAY[x1, x2])).rows FROM engine_linear;

-- aliased columns as R has them; constants; too few rows; nothing
SELECT array_position(coef, NULL) AS aliased, array_length(coef, 1) AS n, round(coef[2]::numeric, 6) AS x1, status FROM (SELECT (dmp.linear(y, x1, x2, 2 * x1 - 0.1 * x2)).* FROM engine_linear) s;
SELECT coef[3] IS NULL AS constant, std_err[3] IS NULL AS no_error, status FROM (SELECT (dmp.linear(y, x1, 0.1)).* FROM engine_linear) s;
SELECT round(coef[1]::numeric, 9) AS mean, round((SELECT avg(y) FROM engine_linear)::numeric, 9), r_squared FROM (SELECT (dmp.linear(y, VARIADIC '{}'::float8[])).* FROM engine_linear) s;
SELECT (dmp.linear(3, x1)).* FROM engine_linear;
SELECT (dmp.linear(y, x1, x2)).* FROM engine_linear WHERE i IN (1, 200, 3001);
SELECT (dmp.linear(y, x1)).* FROM engine_linear WHERE false;
SELECT (dmp.linear(NULL, x1)).* FROM engine_linear;
SELECT (dmp.linear(y, NULL)).* FROM engine_linear;
SELECT (dmp.linear(y, VARIADIC NULL::float8[])).* FROM engine_linear;
SELECT rows, rows_skipped, status FROM (SELECT (dmp.linear(CASE WHEN i % 10 = 0 THEN NULL WHEN i % 9 = 0 THEN 'NaN' ELSE y END, CASE WHEN i % 7 = 0 THEN NULL WHEN i % 11 = 0 THEN 'NaN' WHEN i % 13 = 0 THEN '-Infinity' ELSE x1 END)).* FROM engine_linear) s;
SELECT count(*) FROM engine_linear WHERE i % 10 = 0 OR i % 9 = 0 OR i % 7 = 0 OR i % 11 = 0 OR i % 13 = 0;
SELECT coef[3] IS NULL AS too_large, status FROM (SELECT (dmp.linear(y, x1, CASE WHEN i = 5 THEN 1e200 ELSE x2 END)).* FROM engine_linear) s;
SELECT status, coef FROM (SELECT (dmp.linear(CASE WHEN i = 5 THEN 1e200 ELSE y END, x1)).* FROM engine_linear) s;
-- errors
SELECT dmp.linear(y, VARIADIC CASE WHEN i = 1500 THEN ARRAY[x1, x2] ELSE ARRAY[x1] END) FROM engine_linear;
SELECT dmp.linear(y, VARIADIC ARRAY[[x1], [x2]]) FROM engine_linear;
SELECT dmp.linear(y, VARIADIC array_fill(x1, '{1001}')) FROM engine_linear;
SELECT dmp_internal.linear_add(NULL, 1, 1);
SELECT dmp_internal.linear_final('0200010004030201000000000100000000000000e80300000000000000000000000000000000000000000000'::dmp_internal.state);
SELECT dmp_internal.linear_final('0a000100040302010000000005000000000000000000000000000000'::dmp_internal.state);
SELECT dmp_internal.linear_final('0a0001000403020100000000ffffffff000000000300000000000000'::dmp_internal.state);

-- workers: the same as without
SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0;
SET max_parallel_workers_per_gather = 0;
CREATE TABLE engine_serial AS SELECT (dmp.linear(1e6 + y, x1, x2, 1.7e9 + i)).* FROM engine_linear;
CREATE TABLE engine_serial_groups AS SELECT g, (dmp.linear(y, x1, x2)).* FROM engine_linear GROUP BY g;
SET max_parallel_workers_per_gather = 2;
EXPLAIN (COSTS OFF) SELECT dmp.linear(y, x1, x2) FROM engine_linear;
SELECT bool_and(abs(p.coef[k] / s.coef[k] - 1) < 1e-12 AND abs(p.std_err[k] / s.std_err[k] - 1) < 1e-12) AS same, bool_and(p.rows = s.rows AND p.status = s.status) AS rows
FROM (SELECT (dmp.linear(1e6 + y, x1, x2, 1.7e9 + i)).* FROM engine_linear) p, engine_serial s, generate_series(1, 4) k;
SELECT count(*), bool_and(p.rows = s.rows AND abs(p.coef[2] / s.coef[2] - 1) < 1e-12 AND abs(p.sigma / s.sigma - 1) < 1e-12) AS same
FROM (SELECT g, (dmp.linear(y, x1, x2)).* FROM engine_linear GROUP BY g) p JOIN engine_serial_groups s USING (g);
RESET max_parallel_workers_per_gather; RESET parallel_setup_cost; RESET parallel_tuple_cost; RESET min_parallel_table_scan_size;
DROP TABLE engine_longley, engine_linear, engine_serial, engine_serial_groups;
