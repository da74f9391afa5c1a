-- dmp.update_model of hashed columns and n-grams, against dmp.train on all rows
SET client_min_messages = error;
CREATE FUNCTION ftrl_u(i bigint, k text) RETURNS float8 LANGUAGE sql IMMUTABLE
	RETURN dmp_internal.split(hashtext(k), i);
-- texts of 8 words of 400, each with a weight of its own; from batch 4 on some are of 40 others; shops by popularity
CREATE TABLE ftrl_row AS
SELECT i, batch, body, shop, tags, x0 AS x, ftrl_u(i, 'y') < 1 / (1 + exp(-(score + shop_effect + 0.7 * x - 0.4))) AS y
FROM (SELECT i, i / 1500 AS batch, w.body, w.score, w.tags,
			 's' || floor(300 * ftrl_u(i, 'shop') ^ 2)::int AS shop,
			 1.6 * (ftrl_u(floor(300 * ftrl_u(i, 'shop') ^ 2)::bigint, 'effect') - 0.5) AS shop_effect,
			 CASE WHEN i % 11 > 0 THEN 2 * ftrl_u(i, 'x') - 1 END AS x0, CASE WHEN i % 11 > 0 THEN 2 * ftrl_u(i, 'x') - 1 ELSE 0 END AS x
	  FROM generate_series(0::bigint, 17999) i, LATERAL (
		SELECT string_agg(word, ' ' ORDER BY j) AS body, sum(3 * (ftrl_u(ascii(word) + 1000 * length(word) + hashtext(word) % 100000, 'weight') - 0.5)) AS score,
			   array_agg(word ORDER BY j) FILTER (WHERE j <= 2) AS tags
		FROM (SELECT j, CASE WHEN i >= 6000 AND ftrl_u(i, 'new' || j) < 0.15 THEN 'nova' || floor(40 * ftrl_u(i, 'w' || j))::int
							 ELSE 'word' || floor(400 * ftrl_u(i, 'w' || j) ^ 1.5)::int END AS word
			  FROM generate_series(1, 8) j) v) w OFFSET 0) r;
CREATE FUNCTION ftrl_stream(name text, columns text, options jsonb, lambda float8 DEFAULT NULL, alpha float8 DEFAULT 0, forget float8 DEFAULT 1) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	PERFORM FROM dmp.train(name, format('SELECT %s, y FROM ftrl_row WHERE batch = 0', columns), 'y', options => options, lambda => lambda, alpha => alpha);
	FOR d IN 1..9 LOOP
		PERFORM FROM dmp.update_model(name, format('SELECT %s, y FROM ftrl_row WHERE batch = %s', columns, d), forget);
	END LOOP;
	PERFORM FROM dmp.train(name || '_full', format('SELECT %s, y FROM ftrl_row WHERE batch < 10', columns), 'y', options => options, lambda => lambda, alpha => alpha);
END $$;
CREATE FUNCTION ftrl_auc(name text, rows text DEFAULT 'batch >= 10') RETURNS float8 LANGUAGE plpgsql AS $$
DECLARE auc float8;
BEGIN
	EXECUTE format('SELECT dmp.roc_auc(dmp.margin(%L, t), y) FROM ftrl_row t WHERE %s', name, rows) INTO auc;
	RETURN auc;
END $$;
-- hashed columns: as near to the fit of all rows as it is asked to be
SELECT ftrl_stream('wide_h', 'shop, tags, x', '{"encode": {"shop": "hash"}}', 0.0005);
SELECT ftrl_stream('wide_g', 'body, shop, x', '{"encode": {"body": "ngrams", "shop": "hash"}}');
SELECT ftrl_stream('wide_l', 'shop, tags, x', '{"encode": {"shop": "hash"}, "max_iterations": 1000}', 0.0004, 1);
CREATE FUNCTION ftrl_log_loss(name text, rows text DEFAULT 'batch >= 10') RETURNS float8 LANGUAGE plpgsql AS $$
DECLARE loss float8;
BEGIN
	EXECUTE format('SELECT dmp.log_loss(dmp.predict(%L, t), y) FROM ftrl_row t WHERE %s', name, rows) INTO loss;
	RETURN loss;
END $$;
SELECT m, ftrl_auc(m || '_full') - ftrl_auc(m) < 0.002 AS auc, ftrl_log_loss(m) - ftrl_log_loss(m || '_full') < 0.001 AS log_loss, ftrl_auc(m) - ftrl_auc(m || '@1') > 0.01 AS better_than_first
FROM unnest('{wide_g,wide_h,wide_l}'::text[]) m;
-- the objective over all rows, by hand, is the fit's but for a little: lambda stays lambda
CREATE FUNCTION ftrl_b(name text) RETURNS SETOF float8 LANGUAGE sql AS $$
	SELECT dmp.margin(name, t) - dmp.margin(name, u) FROM (SELECT DISTINCT shop FROM ftrl_row WHERE batch < 10) s, LATERAL (SELECT s.shop, NULL::text[] AS tags, 0::float8 AS x) t, (SELECT 'never seen' AS shop, NULL::text[] AS tags, 0::float8 AS x) u
	UNION ALL SELECT dmp.margin(name, t) - dmp.margin(name, u) FROM (SELECT DISTINCT tag FROM ftrl_row, unnest(tags) tag WHERE batch < 10) s, LATERAL (SELECT 'never seen' AS shop, ARRAY[tag] AS tags, 0::float8 AS x) t, (SELECT 'never seen' AS shop, '{}'::text[] AS tags, 0::float8 AS x) u
	UNION ALL SELECT (dmp.margin(name, t) - dmp.margin(name, u)) * s.sd FROM (SELECT stddev_pop(x) AS sd FROM ftrl_row WHERE batch = 0) s, (SELECT 'never seen' AS shop, NULL::text[] AS tags, 1::float8 AS x) t, (SELECT 'never seen' AS shop, NULL::text[] AS tags, 0::float8 AS x) u
$$;
CREATE FUNCTION ftrl_objective(name text, lambda float8, alpha float8) RETURNS float8 LANGUAGE sql AS $$
	SELECT avg(ln(1 + exp(CASE WHEN y THEN -m ELSE m END))) + lambda * (SELECT sum(alpha * abs(b) + (1 - alpha) / 2 * b * b) FROM ftrl_b(name) b)
	FROM (SELECT y, dmp.margin(name, t) AS m FROM ftrl_row t WHERE batch < 10) t
$$;
SELECT ftrl_objective('wide_h', 0.0005, 0) / ftrl_objective('wide_h_full', 0.0005, 0) - 1 < 5e-4 AS ridge, ftrl_objective('wide_l', 0.0004, 1) / ftrl_objective('wide_l_full', 0.0004, 1) - 1 < 5e-4 AS lasso,
	abs((SELECT count(*) FROM ftrl_b('wide_l') b WHERE b = 0) - (SELECT count(*) FROM ftrl_b('wide_l_full') b WHERE b = 0)) < 40 AS zeros;
-- the order of rows is of no account, and a weight of 2 is the row twice
SELECT count(*) FROM dmp.train('wide_w', 'SELECT shop, tags, x, y, 1.0 AS w FROM ftrl_row WHERE batch = 0', 'y', weight => 'w', options => '{"encode": {"shop": "hash"}}');
SELECT count(*) FROM dmp.update_model('wide_w@1', 'SELECT *, 1.0 AS w FROM ftrl_row WHERE batch = 1 ORDER BY y, i');
SELECT count(*) FROM dmp.update_model('wide_w@1', 'SELECT *, 1.0 AS w FROM ftrl_row WHERE batch = 1 ORDER BY i DESC');
SELECT count(*) FROM dmp.update_model('wide_w@1', 'SELECT *, 2.0 AS w FROM ftrl_row WHERE batch = 1');
SELECT count(*) FROM dmp.update_model('wide_w@1', 'SELECT ftrl_row.*, 1.0 AS w FROM ftrl_row, generate_series(1, 2) WHERE batch = 1');
SELECT max(abs(dmp.margin('wide_w@2', t) - dmp.margin('wide_w@3', t))) < 1e-3 AS orders, max(abs(dmp.margin('wide_w@4', t) - dmp.margin('wide_w@5', t))) < 1e-3 AS weights,
	max(abs(dmp.margin('wide_w@2', t) - dmp.margin('wide_w@4', t))) > 0.1 AS differ FROM ftrl_row t WHERE batch = 11;
SELECT version, rows_seen, weight_seen FROM dmp.models WHERE model = 'wide_w' ORDER BY version;
-- one row, by hand: a value that is new has no past, so that L2 b = 1 - p where L2 is 0.0005 * rows
SELECT version, rows FROM dmp.update_model('wide_h', $$SELECT 'brand new' AS shop, NULL::text[] AS tags, 0::float8 AS x, true AS y$$);
SELECT abs((dmp.margin('wide_h', a) - dmp.margin('wide_h', b)) * 0.0005 * 15001 - (1 - dmp.predict('wide_h', a))) < 1e-5 AS by_hand
FROM (SELECT 'brand new' AS shop, NULL::text[] AS tags, 0::float8 AS x) a, (SELECT 'never seen' AS shop, NULL::text[] AS tags, 0::float8 AS x) b;
-- forgetting: old rows count less, the penalty (0.03 rows) does not
SELECT count(*) FROM dmp.update_model('wide_w@2', 'SELECT *, 1.0 AS w FROM ftrl_row WHERE batch = 3', 0.01);
SELECT weight_seen, ftrl_log_loss('wide_w@6', 'batch = 0') - ftrl_log_loss('wide_w@2', 'batch = 0') > 0.05 AS forgot_old, ftrl_log_loss('wide_w@2', 'batch = 3') - ftrl_log_loss('wide_w@6', 'batch = 3') > 0.05 AS learned_new
FROM dmp.models WHERE model = 'wide_w' AND version = 6;
-- a levels column and a missing flag beside the hashes, no intercept, an offset
CREATE FUNCTION ftrl_others(batches text) RETURNS text LANGUAGE sql AS $$SELECT $q$SELECT shop, x, 'k' || i % 3 AS kind, i % 2 = 0 AS even, 0.5::float8 AS o, y FROM ftrl_row WHERE batch $q$ || batches$$;
SELECT count(*) FROM unnest('{< 3,< 10}'::text[]) WITH ORDINALITY b (b, n), dmp.train('wide_o' || n, ftrl_others(b), 'y', options => '{"encode": {"shop": "hash"}, "base_margin": "o", "intercept": false, "standardize": "all"}', lambda => 0.001);
SELECT count(*) FROM generate_series(3, 9) d, dmp.update_model('wide_o1', ftrl_others('= ' || d));
SELECT abs(dmp.roc_auc(dmp.margin('wide_o1', t), y) - dmp.roc_auc(dmp.margin('wide_o2', t), y)) < 0.001 AS auc, abs(dmp.log_loss(dmp.predict('wide_o1', t), y) - dmp.log_loss(dmp.predict('wide_o2', t), y)) < 0.0005 AS log_loss
FROM (SELECT shop, x, 'k' || i % 3 AS kind, i % 2 = 0 AS even, 0.5::float8 AS o, y FROM ftrl_row WHERE batch >= 10) t;
-- little memory: a batch is learned from in parts
SET dmp.training_memory = '1MB';
SELECT version, rows FROM dmp.update_model('wide_w@1', 'SELECT *, 1.0 AS w FROM ftrl_row WHERE batch BETWEEN 1 AND 9');
RESET dmp.training_memory;
SELECT version, rows FROM dmp.update_model('wide_w@1', 'SELECT *, 1.0 AS w FROM ftrl_row WHERE batch BETWEEN 1 AND 9');
SELECT abs(ftrl_auc('wide_w@7') - ftrl_auc('wide_w@8')) < 0.002 AS auc, ftrl_auc('wide_w@7') <> ftrl_auc('wide_w@8') AS parts;
-- no rows make no version; an infinite number is skipped; a number past float4 is told
SELECT version, rows FROM dmp.update_model('wide_w@8', 'SELECT *, 1.0 AS w FROM ftrl_row WHERE false');
SELECT version, rows FROM dmp.update_model('wide_w@1', $$SELECT shop, tags, CASE WHEN i % 2 = 0 THEN 'infinity' ELSE x END AS x, y, 1.0 AS w FROM ftrl_row WHERE batch = 2$$);
SELECT dmp.update_model('wide_h', $$SELECT shop, tags, 1e200::float8 AS x, y FROM ftrl_row WHERE batch = 2$$);
-- the state belongs to its version, and is checked
UPDATE dmp_internal.model_state s SET state = substr(state, 1, octet_length(state) - 8) || '\x0000807f00000000' FROM dmp_internal.model m WHERE m.id = s.id AND name = 'wide_w' AND version = 1;
SELECT dmp.update_model('wide_w@1', 'SELECT *, 1.0 AS w FROM ftrl_row WHERE batch = 2');
UPDATE dmp_internal.model_state s SET state = substr(state, 1, octet_length(state) - 8) FROM dmp_internal.model m WHERE m.id = s.id AND name = 'wide_w' AND version = 2;
SELECT dmp.update_model('wide_w@2', 'SELECT *, 1.0 AS w FROM ftrl_row WHERE batch = 2');
DELETE FROM dmp_internal.model_state s USING dmp_internal.model m WHERE m.id = s.id AND name = 'wide_o2';
SELECT dmp.update_model('wide_o2', ftrl_others('= 1'));

-- FTRL-Proximal
SELECT ftrl_stream('ftrl_g', 'body, shop, x', '{"encode": {"body": "ngrams", "shop": "hash"}, "solver": "ftrl"}');
SELECT ftrl_stream('ftrl_h', 'shop, tags, x', '{"encode": {"shop": "hash"}, "solver": "ftrl", "ftrl": {"rate": 0.5}}', 0.0005);
SELECT ftrl_stream('ftrl_l', 'body, shop, x', '{"encode": {"body": "ngrams", "shop": "hash"}, "solver": "ftrl"}', 0.001, 1);
-- L1 and L2 stay what they were, as sums over rows: a tenth of lambda with ten times the rows. A lasso keeps more out
SELECT status FROM dmp.train('ftrl_l_full', 'SELECT body, shop, x, y FROM ftrl_row WHERE batch < 10', 'y', lambda => 0.0001, alpha => 1, options => '{"encode": {"body": "ngrams", "shop": "hash"}, "max_iterations": 1000}');
SELECT m, ftrl_auc(m || '_full') - ftrl_auc(m) < CASE m WHEN 'ftrl_l' THEN 0.02 ELSE 0.005 END AS near, ftrl_auc(m) - ftrl_auc(m || '@1') > 0.03 AS better_than_first
FROM unnest('{ftrl_g,ftrl_h,ftrl_l}'::text[]) m;
-- words that came with batch 4 were learned
SELECT ftrl_auc('ftrl_g', $$batch >= 10 AND body ~ 'nova\d+ nova'$$) - ftrl_auc('ftrl_g@4', $$batch >= 10 AND body ~ 'nova\d+ nova'$$) > 0.03 AS learned;
SELECT min(rows), max(rows), max(rows_seen), max(weight_seen), bool_and(updated_from = version - 1), bool_and(status = 'converged'), count(*) FILTER (WHERE deployed)
FROM dmp.models WHERE model = 'ftrl_g' AND version > 1;
-- scored before they were learned from
SELECT m.metric, abs(m.value - CASE metric WHEN 'roc_auc' THEN a WHEN 'log_loss' THEN l END) < 1e-9 AS same
FROM dmp.model_metrics m, (SELECT dmp.roc_auc(dmp.margin('ftrl_g@5', t), y) AS a, dmp.log_loss(dmp.predict('ftrl_g@5', t), y) AS l FROM ftrl_row t WHERE batch = 5) t
WHERE model = 'ftrl_g' AND version = 6 AND dataset = 'progressive' AND metric IN ('roc_auc', 'log_loss') ORDER BY 1;

-- one row, by hand: of a value that is new n = g^2 and z = g
SELECT dmp.margin('ftrl_h', t) AS before, 1 / (1 + exp(-dmp.margin('ftrl_h', t))) AS p FROM (SELECT 'brand new' AS shop, NULL::text[] AS tags, 0::float8 AS x) t \gset ftrl_
SELECT version, rows FROM dmp.update_model('ftrl_h', $$SELECT 'brand new' AS shop, NULL::text[] AS tags, 0::float8 AS x, true AS y$$);
SELECT abs(dmp.margin('ftrl_h', a) - dmp.margin('ftrl_h', b) - (1 - :ftrl_p) / ((1 + (1 - :ftrl_p)) / 0.5 + 0.0005 * 1500)) < 1e-6 AS by_hand
FROM (SELECT 'brand new' AS shop, NULL::text[] AS tags, 0::float8 AS x) a, (SELECT 'never seen' AS shop, NULL::text[] AS tags, 0::float8 AS x) b;
-- what L1 does not let through stays 0, and is remembered: gradients add up
SELECT count(*) FROM dmp.train('ftrl_1', 'SELECT shop, x, y FROM ftrl_row WHERE batch = 0', 'y', lambda => 0.002, alpha => 1, options => '{"encode": {"shop": "hash"}, "solver": "ftrl"}');
SELECT count(*) FROM generate_series(1, 3) i, dmp.update_model('ftrl_1', $$SELECT 'twice' AS shop, NULL::float8 AS x, true AS y, $$ || i);
SELECT count(*) FROM generate_series(1, 6) i, dmp.update_model('ftrl_1', $$SELECT 'twice' AS shop, NULL::float8 AS x, true AS y, $$ || i);
SELECT v, dmp.margin('ftrl_1@' || v, a) > dmp.margin('ftrl_1@' || v, b) AS learned
FROM (SELECT 'twice' AS shop, NULL::float8 AS x) a, (SELECT 'never' AS shop, NULL::float8 AS x) b, (VALUES (1), (3), (10)) v (v) ORDER BY v;
-- a batch sorted by its target does no harm, a weight of 2 is two rows seen
SELECT status FROM dmp.update_model('ftrl_g@9', 'SELECT body, shop, x, y FROM ftrl_row WHERE batch = 9 ORDER BY y');
SELECT abs(ftrl_auc('ftrl_g@10') - ftrl_auc('ftrl_g@11')) < 0.003 AS sorted;
SELECT count(*) FROM dmp.train('ftrl_w', 'SELECT body, x, y, 1.0 AS w FROM ftrl_row WHERE batch = 0', 'y', weight => 'w', options => '{"encode": {"body": "ngrams"}, "solver": "ftrl"}');
SELECT rows FROM dmp.update_model('ftrl_w', 'SELECT body, x, y, 2.0 AS w FROM ftrl_row WHERE batch = 1');
SELECT rows_seen, weight_seen FROM dmp.models WHERE model = 'ftrl_w' AND version = 2;
-- forgetting: steps are longer, coefficients of rows that do not come stay
SELECT count(*) FROM generate_series(1, 2) d, dmp.update_model('ftrl_w', 'SELECT body, x, y, 1.0 AS w FROM ftrl_row WHERE batch = ' || d, 0.5);
SELECT version, decay, rows_seen, weight_seen FROM dmp.models WHERE model = 'ftrl_w' AND version > 2 ORDER BY version;
-- a pinned champion stays; no rows make no version; an infinite number is skipped
SELECT version FROM dmp.deploy('ftrl_w', 2);
SELECT version, deployed FROM dmp.update_model('ftrl_w@4', $$SELECT body, CASE WHEN i % 2 = 0 THEN 'infinity' ELSE x END AS x, y, 1.0 AS w FROM ftrl_row WHERE batch = 2$$);
SELECT rows, rows_skipped, updated_from FROM dmp.models WHERE model = 'ftrl_w' AND version = 5;
SELECT version, rows FROM dmp.update_model('ftrl_w', 'SELECT body, x, y, 1.0 AS w FROM ftrl_row WHERE false');
-- a levels column and a missing flag beside the hashes, no intercept, an offset
SELECT count(*) FROM dmp.train('ftrl_o', $$SELECT shop, x, 'k' || i % 3 AS kind, i % 2 = 0 AS even, 0.5::float8 AS o, y FROM ftrl_row WHERE batch < 3$$, 'y', options => '{"encode": {"shop": "hash"}, "base_margin": "o", "intercept": false, "standardize": "all", "solver": "ftrl", "ftrl": {"rate": 0.3}}', lambda => 0.001);
SELECT count(*) FROM generate_series(3, 9) d, dmp.update_model('ftrl_o', $$SELECT shop, x, 'k' || i % 3 AS kind, i % 2 = 0 AS even, 0.5::float8 AS o, y FROM ftrl_row WHERE batch = $$ || d);
SELECT dmp.roc_auc(dmp.margin('ftrl_o', t), y) > dmp.roc_auc(dmp.margin('ftrl_o@1', t), y) AS auc, (dmp.log_loss(dmp.predict('ftrl_o', t), y) / dmp.log_loss(dmp.predict('ftrl_o@1', t), y)) < 1 AS log_loss
FROM (SELECT shop, x, 'k' || i % 3 AS kind, i % 2 = 0 AS even, 0.5::float8 AS o, y FROM ftrl_row WHERE batch >= 10) t;

-- refusals
SELECT dmp.train('ftrl_x', 'SELECT shop, y FROM ftrl_row', 'y', options => '{"solver": "ftrl", "ftrl": {"rate": 0}}');
SELECT dmp.train('ftrl_x', 'SELECT shop, y FROM ftrl_row', 'y', options => '{"solver": "ftrl", "ftrl": {"speed": 1}}');
SELECT dmp.train('ftrl_x', 'SELECT shop, y FROM ftrl_row', 'y', options => '{"solver": "ftrl", "ftrl": 1}');
SELECT dmp.train('ftrl_x', 'SELECT shop, y FROM ftrl_row', 'y', options => '{"ftrl": {"rate": 1}}');
SELECT dmp.train('ftrl_x', 'SELECT shop, y FROM ftrl_row', 'y', options => '{"solver": "sgd"}');
SELECT count(*) FROM dmp.train('ftrl_m', $$SELECT shop, CASE WHEN y THEN 'c' ELSE 'k' || i % 2 END AS y FROM ftrl_row WHERE batch = 0$$, 'y', options => '{"encode": {"shop": "hash"}}');
SELECT dmp.update_model('ftrl_m', 'SELECT shop, y FROM ftrl_row');
SELECT count(*) FROM dmp.train('ftrl_n', $$SELECT shop, x, i % 10 AS y FROM ftrl_row WHERE batch = 0$$, 'y', family => 'gaussian', options => '{"encode": {"shop": "hash"}}');
SELECT dmp.update_model('ftrl_n', 'SELECT shop, x, 1 AS y FROM ftrl_row');
SELECT count(*) FROM dmp.train('ftrl_c', $$SELECT shop, y FROM ftrl_row WHERE batch = 0$$, 'y', options => '{"encode": {"shop": "hash"}, "class_weight": "balanced"}');
SELECT dmp.update_model('ftrl_c', 'SELECT shop, y FROM ftrl_row');
SELECT count(*) FROM dmp.train('ftrl_p', $$SELECT shop, x, y FROM ftrl_row WHERE batch = 0$$, 'y', lambda => 0.001, options => '{"encode": {"shop": "hash"}, "penalty_factor": {"x": 0}}');
SELECT dmp.update_model('ftrl_p', 'SELECT shop, x, y FROM ftrl_row');
SELECT dmp.update_model('ftrl_g', $$SELECT body, shop, x, 'maybe' AS y FROM ftrl_row$$);
SELECT dmp.update_model('ftrl_g', $$SELECT body, x, y FROM ftrl_row$$);
-- the state is in a dump, belongs to its version, and is checked
SELECT 'dmp_internal.model_state'::regclass = ANY (extconfig) AS dumped FROM pg_extension WHERE extname = 'dmp';
SELECT count(*), bool_and(octet_length(state) % 8 = 0) FROM dmp_internal.model_state s JOIN dmp_internal.model m USING (id) WHERE name = 'ftrl_g';
UPDATE dmp_internal.model_state s SET state = substr(state, 1, octet_length(state) - 8) || '\x00000000000080bf' FROM dmp_internal.model m WHERE m.id = s.id AND name = 'ftrl_o' AND version = 8;
SELECT dmp.update_model('ftrl_o', $$SELECT shop, x, 'k' AS kind, true AS even, 0.5::float8 AS o, y FROM ftrl_row$$);
UPDATE dmp_internal.model_state s SET state = t.state FROM dmp_internal.model m, dmp_internal.model_state t, dmp_internal.model n
WHERE m.id = s.id AND m.name = 'ftrl_o' AND m.version = 8 AND n.id = t.id AND n.name = 'ftrl_g' AND n.version = 3;
SELECT dmp.update_model('ftrl_o', $$SELECT shop, x, 'k' AS kind, true AS even, 0.5::float8 AS o, y FROM ftrl_row$$);
DELETE FROM dmp_internal.model_state s USING dmp_internal.model m WHERE m.id = s.id AND name = 'ftrl_o';
SELECT dmp.update_model('ftrl_o', $$SELECT shop, x, 'k' AS kind, true AS even, 0.5::float8 AS o, y FROM ftrl_row$$);
