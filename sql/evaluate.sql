-- judging with weights, by slice, by class; thresholds by what mistakes cost; rows that are better left without a class
SET extra_float_digits = 0;
CREATE TABLE evaluate_row AS
SELECT i AS id, (i * 7919 % 1000) / 1000.0::float8 AS spend, i * 17 % 5 = 0 AS mobile, (1 + i % 4) / 2.0::float8 AS w, (ARRAY['DE','FR','GB'])[1 + i * 31 % 3] AS land,
	   i * 31337 % 1009 / 1009.0 < 1 / (1 + exp(1.5 - 3 * (i * 7919 % 1000) / 1000.0 + (i * 17 % 5 = 0)::int)) AS buys,
	   (ARRAY['high', 'low', 'middle'])[1 + (i * 31337 % 1009 / 1009.0 > 0.3)::int + (i * 31337 % 1009 / 1009.0 + (i * 7919 % 1000) / 1000.0 > 1)::int] AS band
FROM generate_series(1, 3000) i;
CREATE VIEW evaluate_held AS SELECT * FROM evaluate_row WHERE id > 2000;
SELECT status FROM dmp.train('evaluate_m', 'SELECT id, spend, mobile, buys FROM evaluate_row WHERE id <= 2000', 'buys', key => '{id}');
SELECT status FROM dmp.train('evaluate_c', 'SELECT id, spend, mobile, band FROM evaluate_row WHERE id <= 2000', 'band', lambda => 0.001, key => '{id}');
SELECT * FROM dmp.set_threshold('evaluate_m', reject => 0.6);
SELECT * FROM dmp.set_threshold('evaluate_c', reject => 0.6);

SELECT line FROM dmp.summary('evaluate_m') line WHERE line ~ '^(reject|threshold)';
-- scikit-learn 1.9 with sample_weight = w, on the predictions of these rows
CREATE FUNCTION pg_temp.known() RETURNS TABLE (segment text, weight text, metric text, value float8) LANGUAGE sql AS $$
	SELECT nullif(seg, ''), wt, m, v FROM (VALUES
	('', '', '{1000,1000,0.7355188969691604,0.6819038170050502,0.6015866464362805,0.20736456837522105,0.673,0.6550925925925926,0.613882863340564,0.6338185890257558,0.727,0.7248968363136176}'::float8[]),
	('', 'w', '{1000,1250,0.7388341025299525,0.6841160283399255,0.6002731977937751,0.20646369867820114,0.6796,0.6657407407407407,0.6203623813632442,0.6422510049129075,0.7264,0.7296255506607929}'),
	('DE', '', '{334,334,0.7615642942259777,0.7161488308388906,0.5801285188840879,0.19806950740729698,0.6676646706586826,0.647887323943662,0.6013071895424836,0.6237288135593221,0.7215568862275449,0.7634854771784232}'),
	('DE', 'w', '{334,416.5,0.7561305215293244,0.7067485765072268,0.5865715300331547,0.20059348175068265,0.6674669867947179,0.6550724637681159,0.5885416666666666,0.6200274348422496,0.7106842737094838,0.7567567567567568}'),
	('FR', 'w', '{333,416.5,0.7358939933453972,0.6726859859112386,0.5976223809738568,0.20579650866248567,0.687875150060024,0.655367231638418,0.6270270270270271,0.6408839779005525,0.7442977190876351,0.7209677419354839}'),
	('GB', '', '{333,333,0.721735985533454,0.6718229912578395,0.6163045520469437,0.2132997485889539,0.6816816816816816,0.678082191780822,0.6265822784810127,0.6513157894736842,0.7297297297297297,0.7037037037037037}')) k(seg, wt, vs),
	LATERAL unnest('{rows,weight,roc_auc,average_precision,log_loss,brier_score,accuracy,precision,recall,f1,coverage,answered_accuracy}'::text[], vs) u(m, v) $$;
SELECT k.segment, k.weight, count(*) AS metrics, count(*) FILTER (WHERE abs(e.value - k.value) < 1e-12) AS agree
FROM pg_temp.known() k JOIN LATERAL dmp.evaluate('evaluate_m', 'evaluate_held', by => '{land}', weight => k.weight) e ON e.metric = k.metric AND e.segment IS NOT DISTINCT FROM k.segment
GROUP BY 1, 2 ORDER BY 1 NULLS FIRST, 2;
-- DeLong's interval, by all pairs in numpy (what pROC's ci.auc gives); none with weights
SELECT e.segment, abs(e.low - k.low) < 1e-12 AND abs(e.high - k.high) < 1e-12 AS delong FROM dmp.evaluate('evaluate_m', 'evaluate_held', by => '{land}') e
JOIN (VALUES (NULL, 0.7048611448587039, 0.7661766490796169), ('DE', 0.7107522832785742, 0.8123763051733812), ('FR', 0.6691580948415404, 0.7777635809325941),
	('GB', 0.6671641369622502, 0.7763078341046575)) k(segment, low, high) ON e.segment IS NOT DISTINCT FROM k.segment WHERE metric = 'roc_auc' ORDER BY 1 NULLS FIRST;
SELECT value, low, high FROM dmp.evaluate('evaluate_m', 'evaluate_held', weight => 'w') WHERE metric = 'roc_auc';
-- a weight of 2 is a row twice, for what is no interval; all weights equal: the same intervals
SELECT count(*) FILTER (WHERE abs(a.value - b.value) < 1e-12) AS equal, count(*) AS metrics FROM dmp.evaluate('evaluate_m', 'SELECT *, 1 + id % 2 AS twice FROM evaluate_held', weight => 'twice') a
JOIN dmp.evaluate('evaluate_m', 'SELECT * FROM evaluate_held UNION ALL SELECT * FROM evaluate_held WHERE id % 2 = 1') b USING (metric) WHERE metric NOT LIKE 'rows%';
SELECT count(*) FILTER (WHERE abs(a.value - b.value) < 1e-12 AND abs(a.low - b.low) < 1e-12 AND abs(a.high - b.high) < 1e-12) AS equal, count(*) AS metrics
FROM dmp.evaluate('evaluate_m', 'SELECT *, 7 AS seven FROM evaluate_held', weight => 'seven') a JOIN dmp.evaluate('evaluate_m', 'evaluate_held') b USING (metric) WHERE b.low IS NOT NULL AND metric <> 'roc_auc';
-- slices: by two columns, missing ones, few rows
SELECT segment, value, low IS NULL AS no_interval FROM dmp.evaluate('evaluate_m', $$SELECT *, CASE WHEN id <= 2004 THEN 'tiny' WHEN id <= 2300 THEN NULL ELSE 'large' END AS size FROM evaluate_held$$, by => '{size}')
WHERE metric IN ('rows', 'rows_positive', 'roc_auc') AND (metric <> 'roc_auc' OR segment = 'tiny') ORDER BY 1 NULLS FIRST, 2;
SELECT count(DISTINCT segment) AS segments FROM dmp.evaluate('evaluate_m', 'evaluate_held', by => '{land,mobile}');
SELECT DISTINCT segment FROM dmp.evaluate('evaluate_m', 'evaluate_held', by => '{mobile}') ORDER BY 1;
SELECT * FROM dmp.evaluate('evaluate_m', 'evaluate_held', by => '{city}');
-- slices of one class, with -0, infinities and ties
SELECT segment, metric, value FROM dmp.evaluate('evaluate_m', $$SELECT s AS spend, false AS mobile, b AS buys, b FROM unnest('{Infinity,-Infinity,0,-0,1,1,1,1,1,1}'::float8[]) s, unnest('{true,false}'::boolean[]) b$$, by => '{b}')
WHERE metric IN ('rows', 'rows_positive', 'roc_auc', 'ks_statistic', 'recall', 'specificity') ORDER BY 1 NULLS FIRST, 2;
SELECT metric, value, low, high FROM dmp.evaluate('evaluate_m', 'SELECT 0.5::float8 AS spend, true AS mobile, id % 4 = 0 AS buys FROM generate_series(1, 40) id');

-- several classes, against scikit-learn: precision_recall_fscore_support, roc_auc_score(y == class, p), log_loss, with sample_weight; DeLong by all pairs
CREATE TEMP TABLE known AS SELECT wt AS weight, nullif(cl, '') AS class, u.* FROM (VALUES
	('', '', '{accuracy,log_loss,macro_precision,macro_recall,macro_f1,macro_roc_auc,coverage,answered_accuracy}'::text[],
	 ARRAY[0.576, 0.9474282364922945, 0.37719784521245314, 0.5047300889838585, 0.4316011030943832, (0.592306157594086 + 0.7329824662039426 + 0.7665854527205322) / 3, 0.334, 0.7005988023952096]::float8[]),
	('w', '', '{accuracy,log_loss,macro_precision,macro_recall,macro_f1,macro_roc_auc,coverage,answered_accuracy}',
	 ARRAY[0.5716, 0.9485255105686216, 0.3742678894909141, 0.5004588456308766, 0.4281006660882274, (0.5949095972935949 + 0.7295680414133275 + 0.7669671723894901) / 3, 0.3344, 0.7021531100478469]),
	('', 'high', '{rows,recall,f1,roc_auc}', '{256,0,0,0.592306157594086}'),
	('', 'low', '{rows,precision,recall,f1,roc_auc}', '{298,0.5221932114882507,0.6711409395973155,0.5873715124816447,0.7329824662039426}'),
	('', 'middle', '{rows,precision,recall,f1,roc_auc}', '{446,0.6094003241491086,0.8430493273542601,0.7074317968015051,0.7665854527205322}'),
	('w', 'high', '{rows,recall,f1,roc_auc}', '{256,0,0,0.5949095972935949}'),
	('w', 'low', '{rows,precision,recall,f1,roc_auc}', '{298,0.5177453027139874,0.6631016042780749,0.5814771395076201,0.7295680414133275}'),
	('w', 'middle', '{rows,precision,recall,f1,roc_auc}', '{446,0.6050583657587548,0.8382749326145552,0.7028248587570621,0.7669671723894901}')) k(wt, cl, ms, vs), LATERAL unnest(ms, vs) u(metric, value);
SELECT k.weight, k.class, count(*) AS metrics, count(*) FILTER (WHERE abs(e.value - k.value) < 1e-12) AS agree
FROM known k JOIN LATERAL dmp.evaluate('evaluate_c', 'evaluate_held', weight => k.weight) e ON e.metric = k.metric AND e.class IS NOT DISTINCT FROM k.class AND segment IS NULL GROUP BY 1, 2 ORDER BY 1, 2;
SELECT e.class, abs(e.low - k.low) < 1e-12 AND abs(e.high - k.high) < 1e-12 AS delong FROM dmp.evaluate('evaluate_c', 'evaluate_held') e
JOIN (VALUES ('high', 0.5552080616862415, 0.6294042535019305), ('low', 0.6957881374418692, 0.7701767949660164), ('middle', 0.7374831229160707, 0.7956877825249941)) k(class, low, high) USING (class)
WHERE metric = 'roc_auc' ORDER BY 1;
-- a slice is what its rows alone give; the whole comes first
SELECT count(*) FILTER (WHERE (s.value::numeric(20, 12), s.low::numeric(20, 12), s.high::numeric(20, 12)) IS NOT DISTINCT FROM (a.value::numeric(20, 12), a.low::numeric(20, 12), a.high::numeric(20, 12))) AS same, count(*) AS metrics
FROM dmp.evaluate('evaluate_c', 'evaluate_held', by => '{land}', weight => 'w') s
JOIN dmp.evaluate('evaluate_c', $$SELECT * FROM evaluate_held WHERE land = 'FR'$$, weight => 'w') a ON a.metric = s.metric AND a.class IS NOT DISTINCT FROM s.class WHERE s.segment = 'FR';
SELECT array_agg(coalesce(segment, 'all') ORDER BY first) AS segments FROM (SELECT segment, min(ordinality) AS first FROM dmp.evaluate('evaluate_c', 'evaluate_held', by => '{land}') WITH ORDINALITY GROUP BY 1) s;
SELECT metric, value, class FROM dmp.evaluate('evaluate_c', $$SELECT *, id = 2001 AS one FROM evaluate_held$$, by => '{one}') WHERE segment = 'true';
-- more rows than a block holds, in a file: copies change nothing
SELECT count(*) FILTER (WHERE abs(a.value - b.value) < 1e-12) AS equal, count(b.value) AS metrics FROM dmp.evaluate('evaluate_c', 'SELECT h.* FROM evaluate_held h, generate_series(1, 7)') a
JOIN dmp.evaluate('evaluate_c', 'evaluate_held') b ON a.metric = b.metric AND a.class IS NOT DISTINCT FROM b.class WHERE a.metric <> 'rows';
SELECT * FROM dmp.evaluate('evaluate_c', $$SELECT spend, mobile, 'other' AS band FROM evaluate_held$$);
SELECT * FROM dmp.evaluate('evaluate_c', 'SELECT * FROM evaluate_held WHERE false', by => '{land}');
SELECT * FROM dmp.evaluate('evaluate_c', 'evaluate_held', 0.5);
SELECT metric, value FROM dmp.evaluate('evaluate_c', $$SELECT * FROM evaluate_held WHERE band = 'low'$$) WHERE class IS NULL AND metric <> 'log_loss';

-- the reject threshold: no class where none is probable enough, in every form
CREATE TEMP VIEW called AS SELECT h.*, dmp.classify('evaluate_m', h) AS c, dmp.predict('evaluate_m', h) AS p, dmp.classify('evaluate_m', to_jsonb(h)) AS j, dmp.classify((SELECT dmp.model_value('evaluate_m')), h) AS v FROM evaluate_held h;
SELECT count(*) FILTER (WHERE c IS NULL) AS none, count(*) FILTER (WHERE (c IS NULL) = (greatest(p, 1 - p) < 0.6)) AS right, count(*) FILTER (WHERE (c, j, v) IS NOT DISTINCT FROM (c, c, c)) AS forms FROM called;
SELECT count(*) FILTER (WHERE c IS NULL) AS none, count(*) FILTER (WHERE (c IS NULL) = (m < 0.6)) AS right
FROM (SELECT dmp.classify('evaluate_c', h) AS c, (SELECT max(value::float8) FROM jsonb_each_text(dmp.class_probabilities('evaluate_c', h))) AS m FROM evaluate_held h) s;
SELECT rows FROM dmp.score('evaluate_m', 'evaluate_held', 'evaluate_score', key => '{id}');
SELECT rows FROM dmp.score('evaluate_c', 'evaluate_held', 'evaluate_band', key => '{id}');
SELECT (SELECT count(*) FROM evaluate_score s JOIN called USING (id) WHERE s.class IS NOT DISTINCT FROM c) AS two, (SELECT count(*) FROM evaluate_band s JOIN evaluate_held h USING (id) WHERE s.class IS NOT DISTINCT FROM dmp.classify('evaluate_c', h)) AS several;
CREATE TABLE evaluate_in (id int, spend float8, mobile boolean, score float8, class text);
CREATE TRIGGER score BEFORE INSERT ON evaluate_in FOR EACH ROW EXECUTE FUNCTION dmp.score_row('evaluate_m', 'score', 'class');
INSERT INTO evaluate_in SELECT id, spend, mobile FROM evaluate_held;
SELECT count(*) AS same FROM evaluate_in i JOIN called h USING (id) WHERE i.class IS NOT DISTINCT FROM h.c AND i.score = h.p;
-- the band stays where it is when the threshold moves; 0 takes it away
SELECT * FROM dmp.set_threshold('evaluate_m', 0.7);
SELECT count(*) FILTER (WHERE c IS NULL) AS none, min(p) FILTER (WHERE c = 'true') >= 0.7 AS yes, max(p) FILTER (WHERE c = 'false') >= 0.6 AS no FROM called;
SELECT * FROM dmp.set_threshold('evaluate_m', 0.5, reject => 0);
SELECT count(*) FILTER (WHERE c IS NULL) AS none FROM called;
SELECT dmp.model_json('evaluate_m') ? 'reject' AS m, dmp.model_json('evaluate_c') -> 'reject' AS c;
SELECT count(*) FROM dmp.evaluate('evaluate_m', 'evaluate_held') WHERE metric IN ('coverage', 'answered_accuracy');
SELECT * FROM dmp.set_threshold('evaluate_m', reject => 0.4);
SELECT * FROM dmp.set_threshold('evaluate_m', reject => 1.1);
SELECT * FROM dmp.set_threshold('evaluate_m', reject => 'NaN');
SELECT * FROM dmp.set_threshold('evaluate_c', 0.5);
SELECT * FROM dmp.set_threshold('evaluate_c', query => 'evaluate_held', reject => 0.5);
SELECT * FROM dmp.set_threshold('evaluate_c', reject => 0);
SELECT replace(dmp.model_value('evaluate_c')::text, '"family"', '"reject":1.5,"family"')::dmp.model_value IS NULL;

-- thresholds by brute force: every score as a threshold, by weight
CREATE TEMP VIEW choice AS
WITH s AS (SELECT dmp.predict('evaluate_m', h) AS p, buys, w FROM evaluate_held h), t AS (SELECT DISTINCT p AS t FROM s)
SELECT t, sum(w) FILTER (WHERE p >= t AND buys) AS tp, coalesce(sum(w) FILTER (WHERE p >= t AND NOT buys), 0) AS fp, sum(w) FILTER (WHERE buys) AS np, sum(w) FILTER (WHERE NOT buys) AS nn FROM s, t GROUP BY t;
CREATE TEMP TABLE best AS SELECT * FROM choice WHERE tp > 0;
SELECT (SELECT threshold FROM dmp.set_threshold('evaluate_m', method => 'f1', query => 'evaluate_held', weight => 'w')) = (SELECT t FROM best ORDER BY 2 * tp / (tp + fp + np) DESC, t DESC LIMIT 1) AS f1,
	(SELECT threshold FROM dmp.set_threshold('evaluate_m', method => 'youden', query => 'evaluate_held', weight => 'w')) = (SELECT t FROM best ORDER BY tp / np - fp / nn DESC, t DESC LIMIT 1) AS youden,
	(SELECT threshold FROM dmp.set_threshold('evaluate_m', method => 'cost', query => 'evaluate_held', weight => 'w', cost_false_positive => 1, cost_false_negative => 3)) = (SELECT t FROM best ORDER BY fp + 3 * (np - tp), t DESC LIMIT 1) AS cost,
	(SELECT threshold FROM dmp.set_threshold('evaluate_m', method => 'precision', query => 'evaluate_held', weight => 'w', at_least => 0.75)) = (SELECT t FROM best WHERE tp / (tp + fp) >= 0.75 ORDER BY tp DESC, t DESC LIMIT 1) AS precision,
	(SELECT threshold FROM dmp.set_threshold('evaluate_m', method => 'recall', query => 'evaluate_held', weight => 'w', at_least => 0.9)) = (SELECT t FROM best WHERE tp / np >= 0.9 ORDER BY t DESC LIMIT 1) AS recall;
-- a false alarm that costs too much: nobody; a miss that does: everybody
SELECT threshold FROM dmp.set_threshold('evaluate_m', method => 'cost', query => 'SELECT spend, mobile, NOT buys AS buys FROM evaluate_held', cost_false_positive => 1000, cost_false_negative => 1);
SELECT threshold = (SELECT max(t) FROM choice WHERE tp = np) AS all FROM dmp.set_threshold('evaluate_m', method => 'cost', query => 'evaluate_held', cost_false_positive => 0, cost_false_negative => 1);
-- scores that calibration ties are one choice
SELECT count(*) FROM dmp.calibrate('evaluate_m', 'evaluate_held', 'isotonic');
SELECT threshold = (SELECT t FROM choice ORDER BY tp / np - fp / nn DESC NULLS LAST, t DESC LIMIT 1) AS youden FROM dmp.set_threshold('evaluate_m', method => 'youden', query => 'evaluate_held', weight => 'w');
SELECT count(*) FROM dmp.calibrate('evaluate_m', method => 'none');
SELECT count(*) FROM dmp.set_threshold('evaluate_m', 0.5);
SELECT * FROM dmp.set_threshold('evaluate_m', method => 'cost', query => 'evaluate_held');
SELECT * FROM dmp.set_threshold('evaluate_m', method => 'cost', query => 'evaluate_held', cost_false_positive => 1);
SELECT * FROM dmp.set_threshold('evaluate_m', method => 'f1', query => 'evaluate_held', cost_false_positive => 1, cost_false_negative => 2);
SELECT * FROM dmp.set_threshold('evaluate_m', method => 'cost', query => 'evaluate_held', cost_false_positive => -1, cost_false_negative => 2);
SELECT * FROM dmp.set_threshold('evaluate_m', method => 'cost', query => 'evaluate_held', cost_false_positive => 0, cost_false_negative => 0);
SELECT * FROM dmp.set_threshold('evaluate_m', method => 'cost', query => 'evaluate_held', cost_false_positive => 'NaN', cost_false_negative => 0);
SELECT * FROM dmp.set_threshold('evaluate_m', method => 'precision', query => 'evaluate_held');
SELECT * FROM dmp.set_threshold('evaluate_m', method => 'precision', query => 'evaluate_held', at_least => 0);
SELECT * FROM dmp.set_threshold('evaluate_m', method => 'precision', query => $$SELECT spend, mobile, spend < 0.5 AS buys FROM evaluate_held$$, at_least => 0.99);
SELECT * FROM dmp.set_threshold('evaluate_m', method => 'accuracy', query => 'evaluate_held');
SELECT * FROM dmp.set_threshold('evaluate_m', query => 'SELECT * FROM evaluate_held WHERE buys');
SELECT * FROM dmp.set_threshold('evaluate_m', query => 'evaluate_held', weight => 'land');

-- weights that are none
SELECT * FROM dmp.evaluate('evaluate_m', 'SELECT spend, mobile, buys, -w AS w FROM evaluate_held', weight => 'w');
SELECT * FROM dmp.evaluate('evaluate_m', $$SELECT spend, mobile, buys, 'NaN'::float8 AS w FROM evaluate_held$$, weight => 'w');
SELECT * FROM dmp.evaluate('evaluate_m', 'SELECT spend, mobile, buys, NULL::numeric AS w FROM evaluate_held', weight => 'w');
SELECT * FROM dmp.evaluate('evaluate_m', 'SELECT spend, mobile, buys, 0 AS w FROM evaluate_held', weight => 'w');
SELECT * FROM dmp.evaluate('evaluate_c', $$SELECT spend, mobile, band, 'Infinity'::float8 AS w FROM evaluate_held$$, weight => 'w');
SELECT * FROM dmp.evaluate('evaluate_c', 'SELECT spend, mobile, band, 0 AS w FROM evaluate_held', weight => 'w');
-- curves by weight are the aggregates by weight
SELECT kind, count(*) AS points, bool_and((c.threshold, c.x, c.y, c.rows) = (a.threshold, a.x, a.y, a.rows)) AS equal
FROM (SELECT dmp.roc_curve(p, buys, w) AS roc, dmp.pr_curve(p, buys, w) AS pr, dmp.gains_curve(p, buys, w) AS gains, dmp.calibration_curve(p, buys, w) AS calibration
	  FROM (SELECT dmp.predict('evaluate_m', h) AS p, buys, w FROM evaluate_held h) x) y,
	 LATERAL (VALUES ('roc', roc), ('pr', pr), ('gains', gains), ('calibration', calibration)) k(kind, points),
	 LATERAL dmp.curve('evaluate_m', 'evaluate_held', kind, 'w') WITH ORDINALITY c JOIN LATERAL unnest(points) WITH ORDINALITY a USING (ordinality)
GROUP BY kind ORDER BY kind;

-- serial, parallel, from a file
ALTER TABLE evaluate_row SET (parallel_workers = 2);
CREATE TEMP TABLE serial AS SELECT metric, segment, value, low, high FROM dmp.evaluate('evaluate_m', 'evaluate_row', by => '{land}', weight => 'w');
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SELECT count(*) FILTER (WHERE abs(s.value - p.value) < 1e-12) AS equal, count(s.value) AS metrics FROM serial s JOIN dmp.evaluate('evaluate_m', 'evaluate_row', by => '{land}', weight => 'w') p
	ON s.metric = p.metric AND s.segment IS NOT DISTINCT FROM p.segment;
RESET parallel_setup_cost;
RESET parallel_tuple_cost;
RESET min_parallel_table_scan_size;
SET dmp.training_memory = '1MB';
SELECT count(*) FILTER (WHERE abs(s.value - p.value) < 1e-12) AS equal, count(s.value) AS metrics FROM serial s JOIN dmp.evaluate('evaluate_m', 'SELECT r.* FROM evaluate_row r, generate_series(1, 30)', by => '{land}', weight => 'w') p
	ON s.metric = p.metric AND s.segment IS NOT DISTINCT FROM p.segment WHERE s.metric NOT IN ('rows', 'rows_positive', 'weight');
RESET dmp.training_memory;

SELECT count(*) FROM unnest('{evaluate_m,evaluate_c}'::text[]) m, LATERAL dmp.drop_model(m);
DROP VIEW evaluate_held CASCADE;
DROP TABLE evaluate_row, evaluate_score, evaluate_band, evaluate_in;
