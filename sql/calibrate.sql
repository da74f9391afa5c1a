-- scores that come true: Platt's sigmoid and isotonic regression, stored with the model
SET extra_float_digits = 0;
CREATE TABLE calibrate_row AS
SELECT i AS id, (i * 7919 % 1000) / 1000.0::float8 AS spend, i * 17 % 5 = 0 AS mobile, (1 + i % 4) / 2.0::float8 AS w,
	   i * 31337 % 1009 / 1009.0 < 1 / (1 + exp(1.5 - 3 * (i * 7919 % 1000) / 1000.0 + (i * 17 % 5 = 0)::int)) AS buys
FROM generate_series(1, 3000) i;
CREATE VIEW calibrate_held AS SELECT * FROM calibrate_row WHERE id > 2000;
-- trained on rows that were balanced by hand: three of four who do not buy are left out, scores are too high
SELECT status FROM dmp.train('calibrate_m', 'SELECT * FROM calibrate_row WHERE id <= 2000 AND (buys OR id % 4 = 0)', 'buys', key => '{id}', exclude => '{w}');
CREATE TEMP TABLE raw AS SELECT id, dmp.margin('calibrate_m', h) AS m, dmp.predict('calibrate_m', h) AS p FROM calibrate_held h;

-- R 4.2, glm(t ~ m, family = binomial, weights = w) with t Platt's targets, (n1 + 1) / (n1 + 2) and 1 / (n0 + 2); scikit-learn 1.9's
-- _SigmoidCalibration finds the same to 1e-8; losses by numpy. Isotonic: scikit-learn's IsotonicRegression(out_of_bounds='clip')
CREATE TEMP TABLE known (method text, weight text, slope float8, intercept float8, log_loss float8, brier float8, log_loss_raw float8, brier_raw float8, knots int);
INSERT INTO known VALUES
	('platt', '', 0.95923429680137, -1.32105572044873, 0.6015669779655243, 0.20733875785723926, 0.790397016984401, 0.2808065145443661, NULL),
	('platt', 'w', 0.9713993453, -1.3239163247, 0.6002157789063755, 0.20641961829532593, 0.7855267058980302, 0.2788057698918054, NULL),
	('isotonic', '', NULL, NULL, 0.5942079237459882, 0.20465486167810848, 0.790397016984401, 0.2808065145443661, 53),
	('isotonic', 'w', NULL, NULL, 0.5920717313275732, 0.20340001101244184, 0.7855267058980302, 0.2788057698918054, 49);
CREATE FUNCTION pg_temp.agrees(k known) RETURNS TABLE (rows bigint, losses boolean, stored boolean) LANGUAGE plpgsql AS $$
DECLARE
	c record;
	j jsonb;
BEGIN
	PERFORM dmp.calibrate('calibrate_m', method => 'none');
	SELECT * INTO c FROM dmp.calibrate('calibrate_m', 'calibrate_held', k.method, weight => k.weight);
	j := dmp.model_json('calibrate_m') -> 'calibration';
	RETURN QUERY SELECT c.rows, greatest(abs(c.log_loss_before - k.log_loss_raw), abs(c.brier_before - k.brier_raw), abs(c.log_loss_after - k.log_loss),
										 abs(c.brier_after - k.brier)) < 1e-11,
		j ->> 'method' = k.method AND CASE k.method WHEN 'platt' THEN abs((j ->> 'slope')::float8 - k.slope) < 1e-8 AND abs((j ->> 'intercept')::float8 - k.intercept) < 1e-8
			ELSE jsonb_array_length(j -> 'x') = k.knots AND jsonb_array_length(j -> 'y') = k.knots END;
END $$;
SELECT k.method, k.weight, a.* FROM known k, LATERAL pg_temp.agrees(k) a ORDER BY 1, 2;

-- isotonic by its definition: of all runs that hold a row, the largest of the smallest means
SELECT * FROM dmp.calibrate('calibrate_m', method => 'none');
SELECT log_loss_after < log_loss_before AS better FROM dmp.calibrate('calibrate_m', 'SELECT * FROM calibrate_held WHERE id <= 2150', 'isotonic', weight => 'w');
WITH g AS (SELECT m, sum(w * buys::int) AS s, sum(w) AS w, row_number() OVER (ORDER BY m) AS i FROM raw JOIN calibrate_held USING (id) WHERE id <= 2150 GROUP BY m),
c AS (SELECT m, i, sum(s) OVER (ORDER BY i) AS cs, sum(w) OVER (ORDER BY i) AS cw, s, w FROM g),
means AS (SELECT a.i AS a, b.i AS b, (b.cs - a.cs + a.s) / (b.cw - a.cw + a.w) AS mean FROM c a JOIN c b ON b.i >= a.i),
iso AS (SELECT c.m, c.i, max(low.v) AS y FROM c JOIN LATERAL (SELECT min(mean) AS v FROM means WHERE means.a <= c.i AND means.b >= c.i GROUP BY means.a) low ON true GROUP BY 1, 2)
SELECT count(*) AS margins, max(abs(iso.y - dmp.predict('calibrate_m', h))) < 1e-14 AS equal
FROM iso JOIN raw USING (m) JOIN calibrate_held h USING (id) WHERE id <= 2150;

-- every form that scores follows; the margin stays raw, the order of the rows stays
CREATE TABLE calibrate_score (id int PRIMARY KEY, score float8, class text, model text, version int, scored_at timestamptz);
CREATE FUNCTION pg_temp.forms() RETURNS TABLE (method text, forms bigint, equal bigint, json bigint, value bigint, by_sql bigint, class bigint, probabilities bigint, scored bigint, explained bigint,
	margin bigint, ordered boolean) LANGUAGE plpgsql AS $$
BEGIN
	PERFORM dmp.score('calibrate_m', 'calibrate_held', 'calibrate_score', key => '{id}');
	RETURN QUERY EXECUTE format($q$SELECT dmp.model_json('calibrate_m') #>> '{calibration,method}', count(*), count(*) FILTER (WHERE p = r), count(*) FILTER (WHERE j = p), count(*) FILTER (WHERE v = p),
		count(*) FILTER (WHERE abs(s - p) < 1e-15), count(*) FILTER (WHERE (c = 'true') = (p >= 0.5) AND c = c2),
		count(*) FILTER (WHERE (q ->> 'true')::float8 = p AND abs((q ->> 'false')::float8 - 1 + p) < 1e-15), count(*) FILTER (WHERE x.score = p AND x.class = c),
		count(*) FILTER (WHERE abs(1 / (1 + exp(-e)) - p) < 1e-12), count(*) FILTER (WHERE m = raw_m), bool_and(rising)
		FROM (SELECT h.id, dmp.predict('calibrate_m', h) AS p, dmp.predict('calibrate_m', (SELECT t FROM (SELECT h.*) t)) AS r, dmp.predict('calibrate_m', to_jsonb(h)) AS j,
			dmp.predict((SELECT dmp.model_value('calibrate_m')), h) AS v, %s AS s, dmp.classify('calibrate_m', h) AS c, dmp.classify('calibrate_m', to_json(h)::text) AS c2,
			dmp.class_probabilities('calibrate_m', h) AS q, (SELECT sum(contribution) FROM dmp.explain('calibrate_m', h, 1)) AS e, dmp.margin('calibrate_m', h) AS m, raw.m AS raw_m,
			coalesce(dmp.predict('calibrate_m', h) >= lag(dmp.predict('calibrate_m', h)) OVER (ORDER BY raw.m), true) AS rising
			FROM calibrate_held h JOIN raw USING (id)) a JOIN calibrate_score x USING (id)$q$, dmp.model_sql('calibrate_m'));
END $$;
SELECT * FROM pg_temp.forms();
SELECT log_loss_before > log_loss_after AS better FROM dmp.calibrate('calibrate_m', 'calibrate_held');
SELECT * FROM pg_temp.forms();
EXPLAIN (verbose, costs off) SELECT dmp.predict('calibrate_m', h) FROM calibrate_row h;
SELECT feature, rank FROM dmp.explain('calibrate_m', '{"spend": 0.5, "mobile": true}'::text) WHERE feature LIKE '(%' ORDER BY rank;
SELECT line FROM dmp.summary('calibrate_m') line WHERE line LIKE 'calibration%';
-- what judges goes by the calibrated score, ranks by the margin
SELECT metric, abs(e.value - k.value) < 1e-12 AS agree FROM dmp.evaluate('calibrate_m', 'calibrate_held') e JOIN (
	SELECT 'log_loss' AS metric, dmp.log_loss(p, buys) AS value FROM (SELECT dmp.predict('calibrate_m', h) AS p, buys FROM calibrate_held h) s
	UNION ALL SELECT 'brier_score', dmp.brier_score(p, buys) FROM (SELECT dmp.predict('calibrate_m', h) AS p, buys FROM calibrate_held h) s
	UNION ALL SELECT 'recall', dmp.recall_score(p, buys) FROM (SELECT dmp.predict('calibrate_m', h) AS p, buys FROM calibrate_held h) s
	UNION ALL SELECT 'precision', dmp.precision_score(p, buys) FROM (SELECT dmp.predict('calibrate_m', h) AS p, buys FROM calibrate_held h) s
	UNION ALL SELECT 'roc_auc', dmp.roc_auc(m, buys) FROM raw JOIN calibrate_held USING (id)) k USING (metric) ORDER BY 1;
SELECT c.metric, abs(c.a - e.value) < 1e-12 AS a FROM dmp.compare('calibrate_m', 'calibrate_m', 'calibrate_held') c JOIN dmp.evaluate('calibrate_m', 'calibrate_held') e USING (metric) ORDER BY 1;
SELECT max(abs(x - y)) < 0.15 AS near, sum(rows) AS rows FROM dmp.curve('calibrate_m', 'calibrate_held', 'calibration');
SELECT threshold BETWEEN 0 AND 1 AS threshold FROM dmp.set_threshold('calibrate_m', method => 'youden', query => 'calibrate_held');
-- the threshold counts on the new scores from then on, and is said to
SELECT version, method, rows FROM dmp.calibrate('calibrate_m', 'calibrate_held', 'isotonic');
SELECT count(*) FROM dmp.set_threshold('calibrate_m', 0.5);
-- the value reads back and is the same model
SELECT dmp.predict((dmp.model_value('calibrate_m'))::text::dmp.model_value, h) = dmp.predict('calibrate_m', h) AS same FROM calibrate_held h WHERE id = 2500;
-- taken back: the scores are those of before; another version is not touched
SELECT * FROM dmp.calibrate('calibrate_m', 'calibrate_held', 'none') \gset none_
SELECT :'none_method' AS method, :none_rows AS rows, :none_log_loss_before < :none_log_loss_after AS worse;
SELECT count(*) FILTER (WHERE dmp.predict('calibrate_m', h) = p) AS same FROM calibrate_held h JOIN raw USING (id);
SELECT dmp.model_json('calibrate_m') ? 'calibration' AS calibrated;
SELECT status, version FROM dmp.train('calibrate_m', 'SELECT * FROM calibrate_row WHERE id <= 2000', 'buys', key => '{id}', exclude => '{w}');
SELECT version FROM dmp.calibrate('calibrate_m@1', 'calibrate_held');
SELECT dmp.model_json('calibrate_m@1') ? 'calibration' AS one, dmp.model_json('calibrate_m@2') ? 'calibration' AS two;
-- a version that was trained with weights is calibrated with them, when the query has them
SELECT status, version FROM dmp.train('calibrate_m', 'SELECT * FROM calibrate_row WHERE id <= 2000', 'buys', key => '{id}', weight => 'w');
SELECT (dmp.calibrate('calibrate_m', 'calibrate_held')).log_loss_after AS stored \gset
SELECT (dmp.calibrate('calibrate_m', 'calibrate_held', weight => 'w')).log_loss_after AS named \gset
SELECT (dmp.calibrate('calibrate_m', 'calibrate_held', weight => '')).log_loss_after AS none \gset
SELECT :stored = :named AS same, :stored = :none AS alike;
SELECT rows FROM dmp.calibrate('calibrate_m', 'SELECT spend, mobile, buys FROM calibrate_held');

-- labels that are told apart entirely: Platt's targets keep the slope finite, isotonic says 0 and 1
SELECT rows, log_loss_after < 0.05 AS near FROM dmp.calibrate('calibrate_m@1', 'SELECT spend, mobile, 3 * spend - mobile::int > 1.5 AS buys FROM calibrate_held');
SELECT (dmp.model_json('calibrate_m@1') #>> '{calibration,slope}')::float8 BETWEEN 1 AND 1000 AS slope;
SELECT rows, log_loss_after, brier_after FROM dmp.calibrate('calibrate_m@1', $$SELECT spend, false AS mobile, spend > 0.5 AS buys FROM calibrate_held$$, 'isotonic');
SELECT dmp.model_json('calibrate_m@1') #> '{calibration,y}' AS y;
SELECT dmp.predict('calibrate_m@1', '{"spend": -1e300, "mobile": false}'::text) AS low, dmp.predict('calibrate_m@1', '{"spend": 1e300, "mobile": false}'::text) AS high;
-- infinite margins count as the limit
SELECT rows FROM dmp.calibrate('calibrate_m@1', $$SELECT * FROM (VALUES ('Infinity'::float8, false, true), (1e308, false, false), (0.5, false, true), (0.2, false, false), ('-Infinity', false, false), (-1e308, false, true)) v(spend, mobile, buys)$$, 'isotonic');
SELECT dmp.model_json('calibrate_m@1') -> 'calibration' AS calibration, dmp.predict('calibrate_m@1', '{"spend": 1e300, "mobile": false}'::text) AS high;
SELECT rows, log_loss_after > 0 AS loss FROM dmp.calibrate('calibrate_m@1', $$SELECT * FROM (VALUES ('Infinity'::float8, false, true), (1e308, false, false), (0.5, false, true), (0.2, false, false), ('-Infinity', false, false), (-1e308, false, false)) v(spend, mobile, buys)$$);
-- rows without a label or with weight 0 do not count
SELECT a.rows, a.log_loss_after = b.log_loss_after AS same FROM dmp.calibrate('calibrate_m@1', 'calibrate_held', 'isotonic') a,
	dmp.calibrate('calibrate_m@1', 'SELECT *, 1 AS one FROM calibrate_held UNION ALL SELECT id, spend, mobile, w, NULL, 1 FROM calibrate_held UNION ALL SELECT id, spend, mobile, w, NOT buys, 0 FROM calibrate_held', 'isotonic', 'one') b;

-- what cannot be
SELECT * FROM dmp.calibrate('calibrate_m', 'calibrate_held', 'beta');
SELECT * FROM dmp.calibrate('calibrate_m');
SELECT * FROM dmp.calibrate(NULL, 'calibrate_held');
SELECT * FROM dmp.calibrate('calibrate_x', 'calibrate_held');
SELECT * FROM dmp.calibrate('calibrate_m', 'SELECT * FROM calibrate_held WHERE false');
SELECT * FROM dmp.calibrate('calibrate_m', 'SELECT * FROM calibrate_held WHERE buys');
SELECT * FROM dmp.calibrate('calibrate_m', 'SELECT 0.5::float8 AS spend, true AS mobile, buys, w FROM calibrate_held');
SELECT * FROM dmp.calibrate('calibrate_m', 'SELECT spend, mobile, NOT buys AS buys, w FROM calibrate_held');
SELECT * FROM dmp.calibrate('calibrate_m', 'SELECT spend, mobile, NULL::boolean AS buys, w FROM calibrate_held');
SELECT * FROM dmp.calibrate('calibrate_m', 'SELECT spend, buys, w FROM calibrate_held');
SELECT * FROM dmp.calibrate('calibrate_m', 'calibrate_held', weight => 'v');
SELECT * FROM dmp.calibrate('calibrate_m', 'calibrate_held', weight => 'mobile');
SELECT * FROM dmp.calibrate('calibrate_m', 'SELECT spend, mobile, buys, -w AS w FROM calibrate_held');
SELECT * FROM dmp.calibrate('calibrate_m', 'SELECT spend, mobile, buys, nullif(w, 1) AS w FROM calibrate_held');
SELECT * FROM dmp.calibrate('calibrate_m', 'SELECT spend, mobile, buys, 0 AS w FROM calibrate_held');
SELECT * FROM dmp.calibrate('calibrate_m', '"; drop table x; --');
-- on the rows of training: done, and said
SELECT rows FROM dmp.calibrate('calibrate_m', ' SELECT * FROM calibrate_row WHERE id <= 2000;');
-- a model of several classes has no one score
SELECT status FROM dmp.train('calibrate_c', $$SELECT spend, mobile, (ARRAY['low', 'middle', 'high'])[1 + id % 3] AS band FROM calibrate_row$$, 'band', lambda => 0.01);
SELECT * FROM dmp.calibrate('calibrate_c', $$SELECT spend, mobile, 'low' AS band FROM calibrate_held$$);
-- values that are none
CREATE FUNCTION pg_temp.with_calibration(c text) RETURNS float8 LANGUAGE sql AS $$
	SELECT dmp.predict(jsonb_set(dmp.model_json('calibrate_m@2'), '{calibration}', c::jsonb)::text::dmp.model_value, '{"spend": 0.5, "mobile": true}'::text) $$;
SELECT pg_temp.with_calibration('{"method": "platt", "slope": 0, "intercept": 0}');
SELECT pg_temp.with_calibration('{"method": "isotonic", "x": [0], "y": [0.25]}');
SELECT pg_temp.with_calibration('{"method": "isotonic", "x": [-700, 700], "y": [0, 1]}') BETWEEN 0.4 AND 0.6 AS between;
SELECT pg_temp.with_calibration('{"method": "beta"}');
SELECT pg_temp.with_calibration('{"method": "platt", "slope": -1, "intercept": 0}');
SELECT pg_temp.with_calibration('{"method": "platt", "slope": 1}');
SELECT pg_temp.with_calibration('{"method": "platt", "slope": 1, "intercept": 0, "x": [1]}');
SELECT pg_temp.with_calibration('{"method": "isotonic", "x": [], "y": []}');
SELECT pg_temp.with_calibration('{"method": "isotonic", "x": [1, 1], "y": [0, 1]}');
SELECT pg_temp.with_calibration('{"method": "isotonic", "x": [1, 2], "y": [0.5, 0.4]}');
SELECT pg_temp.with_calibration('{"method": "isotonic", "x": [1, 2], "y": [0, 1.5]}');
SELECT pg_temp.with_calibration('{"method": "isotonic", "x": [1, 1e300], "y": [0, 1]}');
SELECT pg_temp.with_calibration('{"method": "isotonic", "x": [1, 2], "y": [0]}');
SELECT pg_temp.with_calibration('{"method": "isotonic", "x": 1, "y": [0]}');
SELECT pg_temp.with_calibration('{"method": "platt", "slope": 1, "intercept": 0, "knots": 3}');
SELECT pg_temp.with_calibration('[]');

-- serial, parallel and from a file: the same
ALTER TABLE calibrate_row SET (parallel_workers = 2);
CREATE TABLE calibrate_many AS SELECT i * 1000000 + id AS id, spend + i * 1e-7 AS spend, mobile, w, buys FROM calibrate_row, generate_series(1, 30) i;
ALTER TABLE calibrate_many SET (parallel_workers = 2);
CREATE TEMP TABLE serial AS SELECT m AS method, c.*, dmp.model_json('calibrate_m@2') -> 'calibration' AS stored FROM unnest('{platt,isotonic}'::text[]) m, LATERAL dmp.calibrate('calibrate_m@2', 'calibrate_many', m, weight => 'w') c(a, b, c, rows, e, loss, g, h);
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SET dmp.training_memory = '1MB';
SELECT c.method, c.rows = s.rows AS rows, abs(c.log_loss_after - s.loss) < 1e-13 AS equal FROM serial s, LATERAL dmp.calibrate('calibrate_m@2', 'calibrate_many', s.method, weight => 'w') c ORDER BY 1;
RESET dmp.training_memory;
RESET parallel_setup_cost;
RESET parallel_tuple_cost;
RESET min_parallel_table_scan_size;

-- rights: the owner's alone to change, the caller's to the rows
\set SHOW_CONTEXT never
CREATE ROLE regress_dmp_calibrator;
SELECT count(*) FROM dmp.grant_model('calibrate_m', 'regress_dmp_calibrator');
SET ROLE regress_dmp_calibrator;
SELECT * FROM dmp.calibrate('calibrate_m', 'SELECT 1');
CREATE TEMP TABLE own AS SELECT i AS id, i * 7 % 100 / 100.0::float8 AS spend, i * 31 % 100 < i * 7 % 100 AS buys FROM generate_series(1, 300) i;
SELECT status FROM dmp.train('calibrate_own', 'own', 'buys', key => '{id}');
SELECT * FROM dmp.calibrate('calibrate_own', 'SELECT * FROM calibrate_row');
SELECT rows FROM dmp.calibrate('calibrate_own', 'SELECT * FROM own');
SELECT count(*) FROM dmp.drop_model('calibrate_own');
DROP TABLE own;
RESET ROLE;
SELECT count(*) FROM unnest('{calibrate_m,calibrate_c}'::text[]) m, LATERAL dmp.drop_model(m);
DROP OWNED BY regress_dmp_calibrator;
DROP ROLE regress_dmp_calibrator;
DROP VIEW calibrate_held;
DROP TABLE calibrate_row, calibrate_score, calibrate_many;
