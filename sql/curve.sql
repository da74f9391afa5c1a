-- curves: roc, precision-recall, gains, calibration
SET extra_float_digits = 0;
CREATE TABLE drawn (s float8, y boolean, w float8);
INSERT INTO drawn VALUES (.9, true, 1), (.8, true, 2), (.8, false, 1), (.7, true, .5), (.6, false, 1), (.6, true, 1), (.6, false, 3), (.4, false, 1),
	(.3, true, 1), (.3, false, 2), (.1, false, 1), (.05, false, 1);

-- what scikit-learn 1.9 says of these rows: roc_curve(y, s, drop_intermediate=False), and precision_recall_curve(y, s) from its end
CREATE TEMP TABLE known (kind text, weighted boolean, threshold float8, x float8, y float8);
INSERT INTO known
SELECT kind, weighted, unnest('{Infinity,0.9,0.8,0.7,0.6,0.4,0.3,0.1,0.05}'::float8[]), unnest(x), unnest(y) FROM (VALUES
	('roc', false, '{0,0,0.142857142857,0.142857142857,0.428571428571,0.571428571429,0.714285714286,0.857142857143,1}'::float8[], '{0,0.2,0.4,0.6,0.8,0.8,1,1,1}'::float8[]),
	('pr', false, '{0,0.2,0.4,0.6,0.8,0.8,1,1,1}', '{1,1,0.666666666667,0.75,0.571428571429,0.5,0.5,0.454545454545,0.416666666667}'),
	('roc', true, '{0,0,0.1,0.1,0.5,0.6,0.8,0.9,1}', '{0,0.181818181818,0.545454545455,0.636363636364,0.818181818182,0.818181818182,1,1,1}'),
	('pr', true, '{0,0.181818181818,0.545454545455,0.636363636364,0.818181818182,0.818181818182,1,1,1}',
	 '{1,1,0.75,0.777777777778,0.473684210526,0.428571428571,0.407407407407,0.379310344828,0.354838709677}')) v(kind, weighted, x, y);
SELECT k.kind, k.weighted, count(*) AS points, max(abs(k.x - c.x)) < 1e-11 AND max(abs(k.y - c.y)) < 1e-11 AS agree, sum(c.rows) AS rows
FROM known k JOIN (
	SELECT 'roc' AS kind, false AS weighted, p.* FROM (SELECT dmp.roc_curve(s, y) AS a FROM drawn) d, unnest(a) p
	UNION ALL SELECT 'pr', false, p.* FROM (SELECT dmp.pr_curve(s, y::int) AS a FROM drawn) d, unnest(a) p
	UNION ALL SELECT 'roc', true, p.* FROM (SELECT dmp.roc_curve(s, y::int, w) AS a FROM drawn) d, unnest(a) p
	UNION ALL SELECT 'pr', true, p.* FROM (SELECT dmp.pr_curve(s, y, w) AS a FROM drawn) d, unnest(a) p) c USING (kind, weighted, threshold)
GROUP BY 1, 2 ORDER BY 1, 2;
SELECT threshold, x::numeric(6, 4), y::numeric(6, 4), rows FROM unnest((SELECT dmp.roc_curve(s, y) FROM drawn)) ORDER BY threshold DESC;
SELECT threshold, x::numeric(6, 4), y::numeric(6, 4), rows FROM unnest((SELECT dmp.gains_curve(s, y) FROM drawn)) ORDER BY threshold DESC;
SELECT threshold, x::numeric(6, 4), y::numeric(6, 4), rows FROM unnest((SELECT dmp.gains_curve(s, y, w) FROM drawn)) ORDER BY threshold DESC;
SELECT threshold, x::numeric(6, 4), y::numeric(6, 4), rows FROM unnest((SELECT dmp.calibration_curve(s, y) FROM drawn)) ORDER BY threshold;
SELECT threshold, x::numeric(6, 4), y::numeric(6, 4), rows FROM unnest((SELECT dmp.calibration_curve(s, y::int, w) FROM drawn)) ORDER BY threshold;

-- many rows with ties, any order: by brute force, each point counted from all rows
CREATE TABLE drawn_many AS
SELECT (i * 7919 % 211) / 211.0::float8 AS s, i * i % 11 IN (1, 3) AS y, (1 + i % 4) / 2.0::float8 AS w FROM generate_series(1, 3000) i;
WITH t AS (SELECT DISTINCT s AS t FROM drawn_many),
c AS (SELECT t, sum(w) FILTER (WHERE s >= t AND y) AS tp, sum(w) FILTER (WHERE s >= t AND NOT y) AS fp, sum(w) FILTER (WHERE y) AS np,
			 sum(w) FILTER (WHERE NOT y) AS nn, count(*) FILTER (WHERE s = t) AS n FROM t, drawn_many GROUP BY t),
k AS (SELECT 'roc' AS kind, t, coalesce(fp, 0) / nn AS x, coalesce(tp, 0) / np AS y, n FROM c
	  UNION ALL SELECT 'pr', t, coalesce(tp, 0) / np, coalesce(tp, 0) / (coalesce(tp, 0) + coalesce(fp, 0)), n FROM c
	  UNION ALL SELECT 'gains', t, (coalesce(tp, 0) + coalesce(fp, 0)) / (np + nn), coalesce(tp, 0) / np, n FROM c),
d AS (SELECT dmp.roc_curve(s, y, w) AS roc, dmp.pr_curve(s, y, w) AS pr, dmp.gains_curve(s, y, w) AS gains FROM drawn_many),
p AS (SELECT 'roc' AS kind, q.* FROM d, unnest(roc) q UNION ALL SELECT 'pr', q.* FROM d, unnest(pr) q UNION ALL SELECT 'gains', q.* FROM d, unnest(gains) q)
SELECT kind, count(*) AS points, count(*) FILTER (WHERE p.x = k.x AND p.y = k.y AND p.rows = k.n) AS equal
FROM k JOIN p USING (kind) WHERE p.threshold = k.t GROUP BY kind ORDER BY kind;
-- groups of calibration: a tie belongs where its middle is
WITH t AS (SELECT s, sum(w) AS w, sum(w) FILTER (WHERE y) AS p, count(*) AS n FROM drawn_many GROUP BY s),
g AS (SELECT *, floor(10 * (sum(w) OVER (ORDER BY s) - w / 2) / sum(w) OVER ())::int AS g FROM t),
k AS (SELECT min(s) AS threshold, sum(w * s) / sum(w) AS x, coalesce(sum(p), 0) / sum(w) AS y, sum(n) AS rows FROM g GROUP BY g.g)
SELECT count(*) AS groups, bool_and(abs(k.x - c.x) < 1e-12 AND abs(k.y - c.y) < 1e-12 AND k.rows = c.rows) AS agree
FROM k FULL JOIN unnest((SELECT dmp.calibration_curve(s, y, w) FROM drawn_many)) c USING (threshold);
-- the areas are the metrics
WITH p AS (SELECT x, y, lag(x) OVER w AS x0, lag(y) OVER w AS y0 FROM unnest((SELECT dmp.roc_curve(s, y, w) FROM drawn_many)) WITH ORDINALITY
		   WINDOW w AS (ORDER BY ordinality))
SELECT abs(sum((x - x0) * (y + y0) / 2) - (SELECT dmp.roc_auc(s, y, w) FROM drawn_many)) < 1e-12 AS roc_auc FROM p;
WITH p AS (SELECT x, y, lag(x) OVER w AS x0 FROM unnest((SELECT dmp.pr_curve(s, y, w) FROM drawn_many)) WITH ORDINALITY WINDOW w AS (ORDER BY ordinality))
SELECT abs(sum((x - x0) * y) - (SELECT dmp.average_precision(s, y, w) FROM drawn_many)) < 1e-12 AS average_precision FROM p;

-- no rows, nulls, one class, infinities, -0, what is no score
SELECT dmp.roc_curve(s, y), dmp.pr_curve(s, y), dmp.gains_curve(s, y), dmp.calibration_curve(s, y) FROM drawn WHERE false;
SELECT dmp.roc_curve(NULL, true), dmp.calibration_curve(0.5, NULL::boolean), dmp.gains_curve(0.5, true, 0);
SELECT dmp.roc_curve(s, true) AS roc, dmp.pr_curve(s, true) AS pr FROM unnest('{0.2,0.7}'::float8[]) s;
SELECT dmp.roc_curve(s, false) AS roc, dmp.pr_curve(s, false) AS pr, dmp.gains_curve(s, false) AS gains FROM unnest('{0.2,0.7}'::float8[]) s;
SELECT dmp.roc_curve(s, s > 0) FROM unnest('{Infinity,0,-0,-Infinity,1e308}'::float8[]) s;
SELECT dmp.calibration_curve(s, s > 0.4) FROM unnest('{0,1,0.5}'::float8[]) s;
SELECT dmp.calibration_curve(s, true) FROM unnest('{0.5,1.5}'::float8[]) s;
SELECT dmp.roc_curve('NaN', true);
SELECT dmp.roc_curve(0.5, 2);
SELECT dmp.pr_curve(0.5, 1, -1);
-- as a window: the state is not used up
SELECT s, array_length(dmp.roc_curve(s, y) OVER (ORDER BY s), 1) AS points FROM drawn WHERE s < 0.5 ORDER BY s;

-- parallel = serial
ALTER TABLE drawn_many SET (parallel_workers = 2);
ANALYZE drawn_many;
CREATE TEMP TABLE serial AS
SELECT dmp.roc_curve(s, y) AS a, dmp.pr_curve(s, y, w) AS b, dmp.gains_curve(s, y::int, w) AS c, dmp.calibration_curve(s, y::int) AS d FROM drawn_many;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
EXPLAIN (costs off) SELECT dmp.roc_curve(s, y) FROM drawn_many;
SELECT dmp.roc_curve(s, y) = a AS a, dmp.pr_curve(s, y, w) = b AS b, dmp.gains_curve(s, y::int, w) = c AS c, dmp.calibration_curve(s, y::int) = d AS d
FROM drawn_many, serial GROUP BY a, b, c, d;
RESET parallel_setup_cost;
RESET parallel_tuple_cost;
RESET min_parallel_table_scan_size;
-- past the memory budget: the same, from a file
SET dmp.training_memory = '1MB';
CREATE TEMP TABLE spilled AS SELECT s + (i % 1000) / 1e9 AS s, y FROM drawn_many, generate_series(1, 40) i;
SELECT md5(dmp.roc_curve(s, y)::text) AS small INTO TEMP small FROM spilled;
RESET dmp.training_memory;
SELECT md5(dmp.roc_curve(s, y)::text) = small AS same FROM spilled, small GROUP BY small;

-- of a model, on rows whose target is known
CREATE TABLE curve_row AS
SELECT i AS id, (i * 7919 % 1000) / 1000.0::float8 AS spend, i * 17 % 5 = 0 AS mobile,
	   i * 31337 % 1009 / 1009.0 < 1 / (1 + exp(1.5 - 3 * (i * 7919 % 1000) / 1000.0 + (i * 17 % 5 = 0)::int)) AS buys
FROM generate_series(1, 3000) i;
SELECT status FROM dmp.train('visits', 'SELECT * FROM curve_row WHERE id <= 2000', 'buys', key => '{id}');
SELECT kind, count(*) AS points, sum(c.rows) AS rows, count(*) FILTER (WHERE (c.threshold, c.x, c.y, c.rows) = (a.threshold, a.x, a.y, a.rows)) AS equal
FROM (SELECT dmp.roc_curve(p, buys) AS roc, dmp.pr_curve(p, buys) AS pr, dmp.gains_curve(p, buys) AS gains, dmp.calibration_curve(p, buys) AS calibration
	  FROM (SELECT dmp.predict('visits', v) AS p, buys FROM curve_row v WHERE id > 2000) x) y,
	 LATERAL (VALUES ('roc', roc), ('pr', pr), ('gains', gains), ('calibration', calibration)) k(kind, points),
	 LATERAL dmp.curve('visits', 'SELECT * FROM curve_row WHERE id > 2000', kind) WITH ORDINALITY c JOIN LATERAL unnest(points) WITH ORDINALITY a USING (ordinality)
GROUP BY kind ORDER BY kind;
SELECT threshold BETWEEN 0 AND 1 AS probability, x::numeric(6, 4), y::numeric(6, 4), rows FROM dmp.curve('visits', 'curve_row', 'calibration');
SELECT dmp_internal.draw(dmp_internal.scores(0.5, 1));
-- a curve inside the query of another
SELECT (SELECT count(*) FROM dmp.curve('visits', $$SELECT c.*, (SELECT count(*) FROM dmp.curve('visits', 'SELECT * FROM curve_row WHERE id <= 100', 'calibration')) AS n FROM curve_row c$$, 'roc')) =
	   (SELECT count(*) FROM dmp.curve('visits', 'curve_row', 'roc')) AS same;
SELECT * FROM dmp.curve('visits', 'SELECT * FROM curve_row WHERE false', 'roc');
SELECT * FROM dmp.curve('visits', 'curve_row', 'lift');
SELECT * FROM dmp.curve('visits', 'curve_row', NULL);
SELECT * FROM dmp.curve('visits', NULL, 'roc');
SELECT * FROM dmp.curve('visit', 'curve_row', 'roc');
SELECT * FROM dmp.curve('visits', 'SELECT spend, mobile FROM curve_row', 'roc');
SELECT * FROM dmp.curve('visits', 'SELECT spend, buys FROM curve_row', 'roc');
-- a model of several classes has no one curve
SELECT status FROM dmp.train('bands', $$SELECT spend, mobile, (ARRAY['low', 'middle', 'high'])[1 + id % 3] AS band FROM curve_row$$, 'band', lambda => 0.01);
SELECT * FROM dmp.curve('bands', $$SELECT spend, mobile, 'low' AS band FROM curve_row$$, 'roc');
SELECT dmp.drop_model('bands');
-- rights: those of the model, and those to the rows
\set SHOW_CONTEXT never
CREATE ROLE regress_dmp_drawer;
SET ROLE regress_dmp_drawer;
SELECT * FROM dmp.curve('visits', 'curve_row', 'roc');
RESET ROLE;
SELECT dmp.grant_model('visits', 'regress_dmp_drawer');
SET ROLE regress_dmp_drawer;
SELECT * FROM dmp.curve('visits', 'curve_row', 'roc');
RESET ROLE;
GRANT SELECT ON curve_row TO regress_dmp_drawer;
SET ROLE regress_dmp_drawer;
SELECT count(*) > 100 AS drawn FROM dmp.curve('visits', 'curve_row', 'roc');
RESET ROLE;
SELECT dmp.drop_model('visits');
DROP OWNED BY regress_dmp_drawer;
DROP ROLE regress_dmp_drawer;
DROP TABLE drawn, drawn_many, curve_row;
