-- dmp.feature_report: measures of each column against formulas written out in SQL
SET client_min_messages = error;
-- numbers with and without missing values, few and many distinct ones; texts, times, booleans; a leak
CREATE TABLE report_row AS
SELECT i AS id, y, CASE WHEN y THEN 'yes' ELSE 'no' END AS answer, 3 + 4 * y::int AS code,
	CASE WHEN i % 7 > 0 THEN (i * 7919 % 1013) / 100.0 + y::int * 1.5 END AS amount,
	(i * 104729 % 997)::float8 / 10 - y::int AS age, i % 5 AS plan, (i * 31 % 17) < 8 + 3 * y::int AS member,
	CASE WHEN i % 11 > 0 THEN 'c' || (i * 13 % 29) END AS city, CASE WHEN y OR i % 3 = 0 THEN 'a' ELSE 'b' END AS kind,
	timestamp '2024-01-01' + (i * 6367 % 1009) * interval '1 hour' AS at, y::int * 10 + i % 10 AS outcome,
	md5(i::text) AS ticket, 'x' || i % 150 AS shop, 7 AS const, NULL::int AS nothing, ARRAY[i] AS list,
	CASE i % 1000 WHEN 0 THEN 'infinity' WHEN 1 THEN '-infinity' WHEN 2 THEN 'NaN' ELSE sin(i) END AS wave
FROM (SELECT i, (i * i * 37 + i * 11) % 101 < 23 + i % 5 * 4 AS y FROM generate_series(1, 6000) i) s;
CREATE TABLE report_is AS SELECT * FROM dmp.feature_report('SELECT * FROM report_row', 'y');
SELECT feature, type, rows_missing, distinct_values, round(information_value::numeric, 6) AS iv, round(mutual_information::numeric, 6) AS mi, round(roc_auc::numeric, 6) AS auc,
	round(correlation::numeric, 6) AS corr, round(CASE WHEN vif < 'infinity' THEN vif END::numeric, 6) AS vif, vif = 'infinity' AS made_up, warning FROM report_is;

-- bins by percentile_disc, a bin for what is missing; smoothing 0.5
CREATE FUNCTION report_truth(bin text) RETURNS TABLE(iv float8, mi float8) LANGUAGE plpgsql AS $$
BEGIN
	RETURN QUERY EXECUTE format($q$
		WITH b AS (SELECT %s AS bin, count(*)::float8 AS n, count(*) FILTER (WHERE y)::float8 AS p FROM report_row GROUP BY 1), a AS (SELECT sum(n) AS n, sum(p) AS p FROM b)
		SELECT sum((b.p / a.p - (b.n - b.p) / (a.n - a.p)) * (ln((b.p + 0.5) / (b.n / a.n * a.p + 0.5)) - ln((b.n - b.p + 0.5) / (b.n / a.n * (a.n - a.p) + 0.5)))),
			sum(CASE WHEN b.p > 0 THEN b.p / a.n * ln(b.p * a.n / (b.n * a.p)) ELSE 0 END + CASE WHEN b.p < b.n THEN (b.n - b.p) / a.n * ln((b.n - b.p) * a.n / (b.n * (a.n - a.p))) ELSE 0 END)
		FROM b, a $q$, bin);
END $$;
CREATE FUNCTION report_deciles(x text) RETURNS text LANGUAGE sql RETURN format(
	'width_bucket(%1$s::float8, (SELECT array_agg(DISTINCT e ORDER BY e) FROM (SELECT unnest(percentile_disc(ARRAY[0.1,0.2,0.3,0.4,0.5,0.6,0.7,0.8,0.9]) WITHIN GROUP (ORDER BY %1$s::float8)) e FROM report_row) p WHERE e > (SELECT min(%1$s::float8) FROM report_row)))', x);
SELECT r.feature, abs(r.information_value - t.iv) < 1e-9 AS iv, abs(r.mutual_information - t.mi) < 1e-9 AS mi
FROM report_is r, LATERAL report_truth(CASE feature WHEN 'plan' THEN 'plan' WHEN 'member' THEN 'member' WHEN 'city' THEN 'city' WHEN 'kind' THEN 'kind'
	WHEN 'shop' THEN $$CASE WHEN shop IN (SELECT shop FROM report_row GROUP BY 1 HAVING count(*) > 40) THEN shop END$$
	WHEN 'at' THEN report_deciles('extract(epoch FROM at)') ELSE report_deciles(feature) END) t
WHERE feature IN ('amount', 'age', 'plan', 'member', 'city', 'kind', 'at', 'outcome') ORDER BY 1;
-- as dmp.bins has it
SELECT abs(information_value - (SELECT (dmp.bins(amount, y)).information_value FROM report_row)) < 1e-9 AS bins FROM report_is WHERE feature = 'amount';
-- AUC of rows where the number is there, exactly; of levels by their share of positives; correlations
SELECT r.feature, abs(r.roc_auc - t.auc) < CASE feature WHEN 'wave' THEN 1e-3 ELSE 1e-12 END AS auc, abs(r.correlation - t.corr) < 1e-9 AS corr
FROM report_is r JOIN (
	SELECT 'amount' AS feature, dmp.roc_auc(amount::float8, y) FILTER (WHERE amount IS NOT NULL) AS auc, corr(amount, y::int) FROM report_row
	UNION ALL SELECT 'age', dmp.roc_auc(age, y), corr(age, y::int) FROM report_row
	UNION ALL SELECT 'member', dmp.roc_auc(member::int, y), corr(member::int, y::int) FROM report_row
	UNION ALL SELECT 'at', dmp.roc_auc(extract(epoch FROM at)::float8, y), corr(extract(epoch FROM at), y::int) FROM report_row
	UNION ALL SELECT 'wave', dmp.roc_auc(wave, y), corr(wave, y::int) FROM report_row WHERE wave > '-infinity' AND wave < 'infinity'
	UNION ALL SELECT 'city', dmp.roc_auc(rate, y), NULL FROM (SELECT y, avg(y::int) OVER (PARTITION BY city) AS rate FROM report_row) s) t USING (feature) ORDER BY 1;
-- past 4,096 values neighbours share a cell, and values are estimated
SELECT abs(a.roc_auc - b.auc) < 0.001 AS auc, a.distinct_values BETWEEN 0.97 * 6000 AND 6000 AS values, a.warning
FROM dmp.feature_report('SELECT y, sin(id) + y::int AS x FROM report_row', 'y') a, (SELECT dmp.roc_auc(sin(id) + y::int, y) AS auc FROM report_row) b;
-- the order of rows is of no account
SELECT count(*) FROM (SELECT * FROM dmp.feature_report('SELECT amount, at, wave, city, ticket, y FROM report_row ORDER BY md5(id::text)', 'y') EXCEPT ALL SELECT * FROM dmp.feature_report('SELECT amount, at, wave, city, ticket, y FROM report_row ORDER BY id', 'y')) s
WHERE information_value IS NULL;
SELECT bool_and(a.information_value = b.information_value AND a.mutual_information = b.mutual_information AND a.roc_auc = b.roc_auc AND a.distinct_values = b.distinct_values AND abs(coalesce(a.vif - b.vif, 0)) < 1e-9) AS same
FROM dmp.feature_report('SELECT amount, at, wave, city, ticket, y FROM report_row ORDER BY md5(id::text)', 'y') a JOIN dmp.feature_report('SELECT amount, at, wave, city, ticket, y FROM report_row ORDER BY id DESC', 'y') b USING (feature);
-- the same whatever the type of the target; the positive class is that of dmp.train
SELECT target, bool_and(abs(r.information_value - i.information_value) < 1e-9 AND abs(r.mutual_information - i.mutual_information) < 1e-9 AND r.roc_auc = i.roc_auc AND abs(coalesce(r.correlation - i.correlation, 0)) < 1e-9) AS same
FROM unnest('{answer,code}'::text[]) target, dmp.feature_report('report_row', target) r JOIN report_is i USING (feature) WHERE feature NOT IN ('nothing', 'list') GROUP BY 1 ORDER BY 1;
-- rows without a target do not count
SELECT count(*) FROM (SELECT feature, rows_missing, distinct_values, information_value, mutual_information, roc_auc FROM dmp.feature_report('SELECT amount, city, CASE WHEN id % 2 = 0 THEN y END AS y FROM report_row', 'y')
	EXCEPT SELECT feature, rows_missing, distinct_values, information_value, mutual_information, roc_auc FROM dmp.feature_report('SELECT amount, city, y FROM report_row WHERE id % 2 = 0', 'y')) s;
-- numbers as target, many classes, one class, no rows
SELECT feature, information_value, roc_auc, round(correlation::numeric, 6) = (SELECT round(corr(age, amount)::numeric, 6) FROM report_row) AS corr, warning FROM dmp.feature_report('SELECT age, city, amount, amount * 2 AS twice FROM report_row', 'amount');
SELECT feature, rows_missing, distinct_values, information_value, mutual_information, roc_auc, correlation, warning FROM dmp.feature_report('SELECT amount, kind, city FROM report_row', 'city');
SELECT feature, rows_missing, distinct_values, information_value, warning FROM dmp.feature_report('SELECT amount, kind, y FROM report_row WHERE y', 'y');
SELECT * FROM dmp.feature_report('SELECT amount, kind, y FROM report_row WHERE false', 'y');
SELECT * FROM dmp.feature_report('SELECT NULL::int AS a, NULL::boolean AS y FROM report_row', 'y');
SELECT count(*) FROM dmp.feature_report('SELECT y FROM report_row', 'y');
-- names and values that bite
SELECT feature, distinct_values, warning FROM dmp.feature_report('SELECT id % 3 AS "a"" b; drop table x; --", 1e300 * id AS huge, repeat(''x'', 5000) || id % 2 AS long, id % 2 = 0 AS "Y" FROM report_row', 'Y');
SELECT * FROM dmp.feature_report(NULL, 'y');
SELECT * FROM dmp.feature_report('report_row', NULL);
SELECT * FROM dmp.feature_report('report_row', 'yy');
SELECT * FROM dmp.feature_report('report_row', 'at');
SELECT * FROM dmp.feature_report('report_row', 'list');
SELECT * FROM dmp.feature_report('DELETE FROM report_row', 'y');
CREATE ROLE report_nobody;
SET ROLE report_nobody;
SELECT * FROM dmp.feature_report('report_row', 'y');
RESET ROLE;
DROP ROLE report_nobody;
