-- dmp.update_model: new rows only; against dmp.train on all rows
SET client_min_messages = warning;
SET extra_float_digits = 0;
CREATE FUNCTION online_u(i bigint, k text) RETURNS float8 LANGUAGE sql IMMUTABLE
	RETURN dmp_internal.split(ascii(k), i);
-- 100 days of 1,000 rows, and a day to be judged on; level d comes on day 40, missing values of x3 on day 30
CREATE TABLE online_row AS
SELECT *, online_u(i, 'y') < 1 / (1 + exp(1.2 - 0.8 * x1 + 0.5 * (x2 - 100) / 3 - coalesce(0.3 * x3, 0) - CASE land WHEN 'b' THEN 0.5 WHEN 'd' THEN 1 ELSE 0 END)) AS y
FROM (SELECT i, 1 + i / 1000 AS day, online_u(i, 'a') + online_u(i, 'b') + online_u(i, 'c') - 1.5 AS x1, 100 + 6 * online_u(i, 'd') AS x2,
			 CASE WHEN i < 30000 OR i % 20 > 0 THEN 10 * online_u(i, 'e') ^ 3 END AS x3, i % 2 = 0 AS flag,
			 CASE WHEN i > 40000 AND i % 7 = 0 THEN 'd' ELSE chr(97 + (i % 3)::int) END AS land,
			 0.5 + online_u(i, 'w') AS w
	  FROM generate_series(0::bigint, 100999) i OFFSET 0) r;
CREATE INDEX ON online_row (day);
CREATE INDEX ON online_row ((i / 1000));
ANALYZE online_row;
CREATE VIEW online_batch AS SELECT day, x1, x2, x3, flag, land, w, y FROM online_row;

-- a stream of 100 days ends where one fit of all rows does
CREATE FUNCTION online_stream(name text, days int, lambda float8, alpha float8, forget float8 DEFAULT 1) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	PERFORM FROM dmp.train(name, 'SELECT * FROM online_batch WHERE day = 1', 'y', lambda => lambda, alpha => alpha, exclude => '{day,w}');
	FOR d IN 2..days LOOP
		PERFORM FROM dmp.update_model(name, 'SELECT * FROM online_batch WHERE day = ' || d, forget);
	END LOOP;
END $$;
CREATE FUNCTION online_differ(a text, b text, test text) RETURNS TABLE (auc float8, log_loss float8, margin float8) LANGUAGE plpgsql AS $$
BEGIN
	RETURN QUERY EXECUTE format('SELECT dmp.roc_auc(dmp.margin(%1$L, t), y) - dmp.roc_auc(dmp.margin(%2$L, t), y),
		dmp.log_loss(dmp.predict(%1$L, t), y) - dmp.log_loss(dmp.predict(%2$L, t), y), max(abs(dmp.margin(%1$L, t) - dmp.margin(%2$L, t))) FROM %3$s t', a, b, test);
END $$;
SET client_min_messages = error;
SELECT online_stream('online_s' || n, 100, l, a)
FROM (VALUES (1, 0.0, 0), (2, 0.01, 0), (3, 0.01, 1), (4, 0.01, 0.5)) v (n, l, a);
SELECT status FROM (VALUES (1, 0.0, 0), (2, 0.01, 0), (3, 0.01, 1), (4, 0.01, 0.5)) v (n, l, a),
	dmp.train('online_f' || n, 'SELECT * FROM online_batch WHERE day <= 100', 'y', lambda => l, alpha => a, exclude => '{day,w}');
-- what differs with a penalty is that of the scales, which are those of the first day
SELECT n, abs(auc) < 2e-4 AS auc, abs(log_loss) < CASE n WHEN 1 THEN 1e-7 ELSE 2e-4 END AS log_loss
FROM generate_series(1, 4) n, online_differ('online_s' || n, 'online_f' || n, 'online_batch') ORDER BY n;
-- without a penalty coefficients and their errors agree too, those of the columns that came later included
SELECT count(*), max(abs(s.coef - f.coef) / f.std_err) < 0.05 AS coef, max(abs(s.std_err / f.std_err - 1)) < 0.01 AS std_err
FROM dmp.coefficients s JOIN dmp.coefficients f USING (feature)
WHERE s.model = 'online_s1' AND s.version = 100 AND f.model = 'online_f1' AND s.level IS NULL AND f.level IS NULL;
SELECT s.feature, s.level, s.rows = f.rows AS same_rows, abs((s.coef - r.coef) - (f.coef - q.coef)) < 0.02 AS coef
FROM dmp.coefficients s JOIN dmp.coefficients f ON f.model = 'online_f1' AND f.feature = s.feature AND f.level = s.level
JOIN dmp.coefficients r ON r.model = s.model AND r.version = s.version AND r.feature = s.feature AND r.level = 'a'
JOIN dmp.coefficients q ON q.model = 'online_f1' AND q.feature = s.feature AND q.level = 'a'
WHERE s.model = 'online_s1' AND s.version = 100 AND s.feature = 'land' ORDER BY s.level;
-- each version reads its own rows, once
SELECT min(scans), max(scans), min(rows), max(rows), max(rows_seen), max(weight_seen), count(*) FILTER (WHERE deployed), bool_and(updated_from = version - 1)
FROM dmp.models WHERE model = 'online_s1' AND version > 1;
SELECT version, warnings FROM dmp.models WHERE model = 'online_s1' AND warnings <> '{}' ORDER BY version;
-- the measures are of the new rows, before they were learned from
SELECT m.dataset, m.metric, m.value = a.value AS same
FROM dmp.model_metrics m, LATERAL (SELECT CASE metric WHEN 'roc_auc' THEN dmp.roc_auc(dmp.margin('online_s1@54', b), y)
	WHEN 'log_loss' THEN dmp.log_loss(dmp.predict('online_s1@54', b), y) END AS v FROM online_batch b WHERE day = 55) t,
	LATERAL (SELECT CASE WHEN abs(t.v - m.value) < 1e-12 THEN m.value END) a (value)
WHERE model = 'online_s1' AND version = 55 AND dataset = 'progressive' ORDER BY 1, 2;

-- the same rows once more leave the optimum where it is, whatever the penalty, and the errors shrink by the root of 2
SELECT status FROM (VALUES (1, 0.0, 0), (2, 0.01, 0), (3, 0.01, 1), (4, 0.02, 0.5)) v (n, l, a),
	dmp.train('online_t' || n, 'SELECT * FROM online_batch WHERE day = 35', 'y', lambda => l, alpha => a, exclude => '{day,w}');
SELECT n, version, deployed, status, rows FROM generate_series(1, 4) n, dmp.update_model('online_t' || n, 'SELECT * FROM online_batch WHERE day = 35') ORDER BY n;
SELECT a.model, count(*), max(abs(a.coef - b.coef)) < 1e-8 AS same, min(abs(a.std_err / b.std_err - sqrt(2))) < 1e-6 AND max(abs(a.std_err / b.std_err - sqrt(2))) < 1e-6 AS errors
FROM dmp.coefficients a JOIN dmp.coefficients b ON (a.model, a.position) = (b.model, b.position)
WHERE a.model ~ 'online_t' AND a.version = 1 AND b.version = 2 GROUP BY 1 ORDER BY 1;
-- rows that hardly count are as if they had never been; there are no errors then
SELECT status, version FROM dmp.update_model('online_t1', 'SELECT * FROM online_batch WHERE day = 36', decay => 1e-13);
SELECT status FROM dmp.train('online_alone', 'SELECT * FROM online_batch WHERE day = 36', 'y', exclude => '{day,w}');
SELECT margin < 1e-6 AS same FROM online_differ('online_t1', 'online_alone', '(SELECT * FROM online_batch WHERE day = 36)');
SELECT count(std_err) FROM dmp.coefficients WHERE model = 'online_t1' AND version = 3;
SELECT version, decay, rows_seen, round(weight_seen::numeric, 3) AS weight_seen FROM dmp.models WHERE model = 'online_t1' ORDER BY version;

-- weights, and weights of classes; the intercept is that of the rows as they are
SELECT status FROM dmp.train('online_w', 'SELECT * FROM online_batch WHERE day BETWEEN 41 AND 60', 'y', exclude => '{day}', weight => 'w', options => '{"class_weight": {"true": 3, "false": 1}}');
SELECT status, rows FROM dmp.update_model('online_w', 'SELECT * FROM online_batch WHERE day BETWEEN 61 AND 80');
SELECT status FROM dmp.train('online_w2', 'SELECT * FROM online_batch WHERE day BETWEEN 41 AND 80', 'y', exclude => '{day}', weight => 'w', options => '{"class_weight": {"true": 3, "false": 1}}');
SELECT margin < 2e-3 AS same FROM online_differ('online_w', 'online_w2', 'online_batch');

-- batches with few rows of a class wait, and nothing of them is lost
CREATE VIEW online_rare AS SELECT i / 1000 AS day, x1, x2, online_u(i, 'r') < 0.005 * exp(1.5 * x1) AS y FROM online_row;
SELECT status FROM dmp.train('online_r', 'SELECT * FROM online_rare WHERE day < 10', 'y', features => '{x1,x2}');
SELECT count(*), sum(u.rows) FROM generate_series(10, 98) d, dmp.update_model('online_r', 'SELECT * FROM online_rare WHERE day = ' || d) u;
SELECT count(*) FILTER (WHERE rows_waiting > 0) BETWEEN 60 AND 80 AS waited, max(rows_seen) AS rows_seen, bool_and(rows_waiting + weight_seen = rows_seen) AS none_lost
FROM dmp.models WHERE model = 'online_r' AND version > 1;
SELECT version, rows_waiting, log_loss IS NULL AS no_fit, warnings FROM dmp.models WHERE model = 'online_r' AND version IN (2, 3) ORDER BY version;
-- the coefficients and errors stay while rows wait
SELECT count(*) FROM dmp.coefficients a JOIN dmp.coefficients b USING (model, position) WHERE model = 'online_r' AND a.version = 1 AND b.version = 2 AND a.coef = b.coef AND a.std_err = b.std_err;
SELECT status FROM dmp.train('online_r_all', 'SELECT * FROM online_rare WHERE day < 99', 'y', features => '{x1,x2}');
SELECT rows_waiting, abs(d.log_loss) < 1e-5 AS log_loss, abs(d.auc) < 5e-4 AS auc
FROM online_differ('online_r', 'online_r_all', 'online_rare') d, dmp.models WHERE model = 'online_r' AND deployed;
-- waiting rows keep their texts: a level that gets its column with them has all its rows
SELECT status FROM dmp.train('online_l', $$SELECT land, y FROM online_batch WHERE day = 1$$, 'y');
SELECT status, warnings FROM dmp.update_model('online_l', $$SELECT CASE i % 2 WHEN 0 THEN 'new' ELSE 'a' END AS land, false AS y FROM generate_series(1, 16) i$$);
SELECT status, warnings FROM dmp.update_model('online_l', $$SELECT CASE i % 2 WHEN 0 THEN 'new' ELSE 'b' END AS land, i % 3 = 0 AS y FROM generate_series(1, 80) i$$);
SELECT level, rows FROM dmp.coefficients WHERE model = 'online_l' AND version = 3 AND feature = 'land' ORDER BY level;
SELECT round(dmp.predict('online_l', '{"land": "new"}')::numeric, 4) AS new, round((SELECT avg((i % 3 = 0)::int) * 40 / 48 FROM generate_series(2, 80, 2) i), 4) AS mean;

-- drift: who forgets sees better
CREATE VIEW online_drift AS SELECT day, x1, x2, flag, online_u(i, 'z') < 1 / (1 + exp(1 - 2 * cos(day / 30.0) * x1 - 2 * sin(day / 30.0) * (x2 - 103) / 3)) AS y FROM online_row;
SELECT status FROM (VALUES ('online_d1'), ('online_d2')) m (m), dmp.train(m, 'SELECT * FROM online_drift WHERE day = 1', 'y', exclude => '{day}');
SELECT count(*) FROM generate_series(2, 100) d, dmp.update_model('online_d1', 'SELECT * FROM online_drift WHERE day = ' || d);
SELECT count(*) FROM generate_series(2, 100) d, dmp.update_model('online_d2', 'SELECT * FROM online_drift WHERE day = ' || d, 0.98);
SELECT avg(a.test_roc_auc - b.test_roc_auc) > 0.01 AS better, avg(b.test_log_loss - a.test_log_loss) > 0.01 AS closer
FROM dmp.models a JOIN dmp.models b USING (version) WHERE a.model = 'online_d2' AND b.model = 'online_d1' AND version > 50;

-- a batch larger than memory is learned from in parts
SET dmp.training_memory = '1MB';
SELECT status, rows FROM dmp.update_model('online_t2', 'SELECT * FROM online_batch WHERE day BETWEEN 36 AND 75');
RESET dmp.training_memory;
SELECT status FROM dmp.train('online_p', 'SELECT * FROM online_batch WHERE day BETWEEN 36 AND 75 UNION ALL SELECT b.* FROM online_batch b, generate_series(1, 2) WHERE day = 35', 'y', lambda => 0.01, exclude => '{day,w}');
SELECT abs(log_loss) < 1e-4 AS log_loss, margin < 0.02 AS margin FROM online_differ('online_t2', 'online_p', 'online_batch');

-- least squares: the quadratic is all there is, and the update is the fit of all rows
CREATE VIEW online_number AS SELECT i / 1000 AS day, x1, x2, flag, CASE WHEN land <> 'd' THEN land END AS land, w, online_u(i, 'o') AS o,
	3 + x1 - 0.2 * x2 + 4 * online_u(i, 'g') ^ 2 + (land = 'b')::int + 2 * online_u(i, 'o') AS y,
	floor(ln(online_u(i, 'p') + 1e-9) / -exp(-0.5 - 0.7 * x1 - 2 * online_u(i, 'o')) / 2) AS n
FROM online_row WHERE i < 30000;
SELECT status FROM (VALUES (1, 0.0, 0, 'default'), (2, 0.3, 0.0, 'none'), (3, 0.05, 0.7, 'none')) v (n, l, a, s), LATERAL (
	SELECT a.status FROM dmp.train('online_g' || n, 'SELECT * FROM online_number WHERE day < 5', 'y', lambda => l, alpha => a, exclude => '{day,o,n}', weight => 'w', options => jsonb_build_object('standardize', s))  a
	UNION ALL SELECT a.status FROM dmp.train('online_h' || n, 'SELECT * FROM online_number WHERE day < 15', 'y', lambda => l, alpha => a, exclude => '{day,o,n}', weight => 'w', options => jsonb_build_object('standardize', s)) a) t;
SELECT n, count(*), min(status), sum(u.rows) FROM generate_series(1, 3) n, generate_series(5, 14) d, dmp.update_model('online_g' || n, 'SELECT * FROM online_number WHERE day = ' || d) u GROUP BY n ORDER BY n;
SELECT a.model, max(abs(a.coef - b.coef)) < 1e-9 AS coef, max(abs(a.std_err / b.std_err - 1)) < 1e-9 AS std_err, max(abs(a.p - b.p)) < 1e-9 AS p
FROM dmp.coefficients a JOIN dmp.coefficients b ON a.model ~ 'online_g' AND b.model = replace(a.model, '_g', '_h') AND a.position = b.position WHERE a.version = 11 GROUP BY 1 ORDER BY 1;
SELECT metric, round(value::numeric, 6) AS value, (SELECT round(sqrt(avg((y - dmp.predict('online_g1@10', t)) ^ 2))::numeric, 1) FROM online_number t WHERE day = 14) AS plain
FROM dmp.model_metrics WHERE model = 'online_g1' AND version = 11 AND dataset = 'progressive' AND metric = 'rmse';
-- counts, and what is added to the margin as it is
SELECT status FROM dmp.train('online_n', 'SELECT * FROM online_number WHERE day < 5', 'n', family => 'poisson', exclude => '{day,y,w}', options => '{"base_margin": "o"}');
SELECT count(*), min(status) FROM generate_series(5, 24) d, dmp.update_model('online_n', 'SELECT * FROM online_number WHERE day = ' || d) u;
SELECT status FROM dmp.train('online_n_all', 'SELECT * FROM online_number WHERE day < 25', 'n', family => 'poisson', exclude => '{day,y,w}', options => '{"base_margin": "o"}');
SELECT count(*), max(abs(a.coef - b.coef)) < 1e-3 AS coef, max(abs(a.std_err / b.std_err - 1)) < 1e-2 AS std_err FROM dmp.coefficients a JOIN dmp.coefficients b USING (position) WHERE a.model = 'online_n' AND b.model = 'online_n_all' AND a.version = 21;
SELECT count(*) FROM dmp.update_model('online_n', 'SELECT *, 1 AS two FROM online_number WHERE day = 25') WHERE rows = 1000;
SELECT dmp.update_model('online_n', 'SELECT x1, x2, flag, land, o, -1 AS n FROM online_number WHERE day = 25');
SELECT dmp.update_model('online_n', 'SELECT x1, x2, flag, land, o, land AS n FROM online_number WHERE day = 25');
-- least squares with a base margin
SELECT status FROM dmp.train('online_o', 'SELECT * FROM online_number WHERE day < 5', 'y', exclude => '{day,n,w}', options => '{"base_margin": "o"}');
SELECT status FROM dmp.update_model('online_o', 'SELECT * FROM online_number WHERE day BETWEEN 5 AND 9');
SELECT status FROM dmp.train('online_o_all', 'SELECT * FROM online_number WHERE day < 10', 'y', exclude => '{day,n,w}', options => '{"base_margin": "o"}');
SELECT max(abs(a.coef - b.coef)) < 1e-9 AS coef FROM dmp.coefficients a JOIN dmp.coefficients b USING (position) WHERE a.model = 'online_o' AND b.model = 'online_o_all' AND a.version = 2;
-- bounds and factors of the penalty stay
SELECT status FROM dmp.train('online_b', 'SELECT * FROM online_number WHERE day < 5', 'y', lambda => 0.1, exclude => '{day,n,w,o}', options => '{"standardize": "none", "bounds": {"x2": [0, null]}, "penalty_factor": {"x1": 0}}');
SELECT status FROM dmp.update_model('online_b', 'SELECT * FROM online_number WHERE day BETWEEN 5 AND 9');
SELECT status FROM dmp.train('online_b_all', 'SELECT * FROM online_number WHERE day < 10', 'y', lambda => 0.1, exclude => '{day,n,w,o}', options => '{"standardize": "none", "bounds": {"x2": [0, null]}, "penalty_factor": {"x1": 0}}');
SELECT max(abs(a.coef - b.coef)) < 1e-9 AS coef, min(a.coef) FILTER (WHERE feature = 'x2') AS x2 FROM dmp.coefficients a JOIN dmp.coefficients b USING (position, feature) WHERE a.model = 'online_b' AND b.model = 'online_b_all' AND a.version = 2;
-- after a path: the penalty that was chosen
SELECT status FROM dmp.train('online_c', 'SELECT * FROM online_batch WHERE day <= 20', 'y', alpha => 0.5, cv => 3, exclude => '{day,w}');
SELECT status FROM dmp.update_model('online_c', 'SELECT * FROM online_batch WHERE day <= 20');
SELECT max(abs(a.coef - b.coef)) < 1e-7 AS same FROM dmp.coefficients a JOIN dmp.coefficients b USING (model, position) WHERE a.model = 'online_c' AND a.version = 1 AND b.version = 2;
-- transforms are those of the first version; what they learned from all rows is refused
SELECT status FROM dmp.train('online_x', 'SELECT day, x1, x2, land, y FROM online_number WHERE day < 5', 'y', exclude => '{day}', options => '{"encode": {"x2": "log"}, "interactions": ["x1:land"]}');
SELECT status FROM dmp.update_model('online_x', 'SELECT * FROM online_number WHERE day BETWEEN 5 AND 9');
SELECT status FROM dmp.train('online_x_all', 'SELECT day, x1, x2, land, y FROM online_number WHERE day < 10', 'y', exclude => '{day}', options => '{"encode": {"x2": "log"}, "interactions": ["x1:land"]}');
SELECT count(*), max(abs(a.coef - b.coef)) < 1e-8 AS coef FROM dmp.coefficients a JOIN dmp.coefficients b USING (position) WHERE a.model = 'online_x' AND b.model = 'online_x_all' AND a.version = 2;
SELECT status FROM dmp.train('online_z', 'SELECT * FROM online_batch WHERE day < 5', 'y', exclude => '{day,w}', options => '{"encode": {"land": "woe"}}');
SELECT dmp.update_model('online_z', 'SELECT * FROM online_batch WHERE day = 5');
SELECT status FROM dmp.train('online_y', 'SELECT x1, land, y FROM online_batch WHERE day < 5', 'y', by => '{land}');
SELECT dmp.update_model('online_y', 'SELECT x1, land, y FROM online_batch WHERE day = 5');

-- which version is gone on from, and which becomes the champion
RESET client_min_messages;
SELECT version, deployed FROM dmp.update_model('online_t4@1', 'SELECT * FROM online_batch WHERE day = 37');
SELECT version, updated_from, deployed FROM dmp.models WHERE model = 'online_t4' ORDER BY version;
SELECT version, pinned FROM dmp.deploy('online_t4', 1);
SELECT version, deployed FROM dmp.update_model('online_t4', 'SELECT * FROM online_batch WHERE day = 38');
SELECT version, updated_from, deployed FROM dmp.models WHERE model = 'online_t4' ORDER BY version;
-- nothing to learn from
SELECT version, deployed, status, rows FROM dmp.update_model('online_t4', 'SELECT * FROM online_batch WHERE day = 0');
SELECT version, rows FROM dmp.update_model('online_t4', 'SELECT x1, x2, x3, flag, land, NULL::boolean AS y FROM online_batch WHERE day = 3');
SELECT count(*) FROM dmp.models WHERE model = 'online_t4';
-- skipped rows are counted
SELECT version FROM dmp.update_model('online_t4', $$SELECT x1, CASE WHEN x1 > 0.5 THEN 'infinity' ELSE x2 END AS x2, x3, flag, land, y FROM online_batch WHERE day = 3$$);
SELECT rows, rows_skipped, (SELECT count(*) FROM online_batch WHERE day = 3 AND x1 > 0.5) FROM dmp.models WHERE model = 'online_t4' AND version = 5;

-- refused, by name
SELECT dmp.update_model('online_none', 'online_batch');
SELECT dmp.update_model('online_t4@9', 'online_batch');
SELECT dmp.update_model('online_t4', 'online_batch', 0);
SELECT dmp.update_model('online_t4', 'online_batch', 1.5);
SELECT dmp.update_model(NULL, 'online_batch');
SELECT dmp.update_model('online_t4', 'SELECT x1, x2, flag, land, y FROM online_batch');
SELECT dmp.update_model('online_t4', 'SELECT x1, x2, x3, flag, land FROM online_batch');
SELECT dmp.update_model('online_t4', 'SELECT x1::text, x2, x3, flag, land, y FROM online_batch');
SELECT dmp.update_model('online_t4', 'SELECT x1, x2, x3, flag, 1 AS land, y FROM online_batch');
SELECT dmp.update_model('online_t4', 'SELECT x1, x2, x3, flag, land, x1 AS y FROM online_batch');
SELECT dmp.update_model('online_t4', $$SELECT x1, x2, x3, flag, land, 'maybe' AS y FROM online_batch$$);
SELECT dmp.update_model('online_t4', 'SELECT x1, x1, x2, x3, flag, land, y FROM online_batch');
SELECT dmp.update_model('online_w', 'SELECT x1, x2, x3, flag, land, y FROM online_batch');
SELECT dmp.update_model('online_w', 'SELECT x1, x2, x3, flag, land, y, -1 AS w FROM online_batch');
SET client_min_messages = error;
SELECT status FROM dmp.train('online_sep', 'SELECT x1, x1 > 0 AS y FROM online_batch WHERE day = 1', 'y');
SELECT dmp.update_model('online_sep@1', 'SELECT x1, x1 > 0 AS y FROM online_batch WHERE day = 1');
-- a state is checked before it is trusted
BEGIN;
UPDATE dmp_internal.model_state SET state = (SELECT state FROM dmp_internal.model_state s JOIN dmp_internal.model m USING (id) WHERE name = 'online_l' AND version = 1)
WHERE id = (SELECT id FROM dmp_internal.model WHERE name = 'online_w' AND version = 2);
SELECT dmp.update_model('online_w', 'SELECT x1, x2, x3, flag, land, y, w FROM online_batch WHERE day = 3');
ROLLBACK;
BEGIN;
UPDATE dmp_internal.model_state SET state = substr(state, 1, length(state) - 8) WHERE id = (SELECT id FROM dmp_internal.model WHERE name = 'online_w' AND version = 2);
SELECT dmp.update_model('online_w', 'SELECT x1, x2, x3, flag, land, y, w FROM online_batch WHERE day = 3');
ROLLBACK;

-- rights: only the owner; what waits is seen by nobody else
CREATE ROLE online_ann;
CREATE ROLE online_bob;
GRANT SELECT ON online_batch TO online_ann, online_bob;
GRANT EXECUTE ON FUNCTION online_u TO online_ann, online_bob;
SET ROLE online_ann;
SELECT status FROM dmp.train('online_hers', 'SELECT x1, y FROM online_batch WHERE day = 1', 'y');
SELECT granted.role FROM dmp.grant_model('online_hers', 'online_bob') granted;
SET ROLE online_bob;
SELECT dmp.update_model('online_hers', 'SELECT x1, y FROM online_batch WHERE day = 2');
SELECT count(*) FROM dmp_internal.model_state;
SET ROLE online_ann;
SELECT version, deployed FROM dmp.update_model('online_hers', 'SELECT x1, y FROM online_batch WHERE day = 2');
-- her rights to the rows, not those of the extension
SELECT dmp.update_model('online_hers', 'SELECT x1, y FROM online_row');
RESET ROLE;
BEGIN READ ONLY;
SELECT dmp.update_model('online_w', 'SELECT x1, x2, x3, flag, land, y, w FROM online_batch WHERE day = 3');
ROLLBACK;

SELECT sum(versions) > 600 AS dropped FROM (SELECT DISTINCT model FROM dmp.models WHERE model ~ '^online_') m, dmp.drop_model(model);
SELECT count(*) FROM dmp_internal.model_state WHERE id NOT IN (SELECT id FROM dmp_internal.model);
SET client_min_messages = error;
DROP TABLE online_row CASCADE;
DROP FUNCTION online_stream, online_differ, online_u;
DROP ROLE online_ann, online_bob;
