-- Encoders: logarithm, bins, weight of evidence, means, parts of times, fills.
SET client_min_messages = warning;
SET timezone = 'UTC';
CREATE TABLE encode_t AS
SELECT i AS id,
	CASE WHEN i % 17 = 0 THEN NULL WHEN i % 5 = 0 THEN 0 ELSE (i * 7919 % 1009) / 8.0 END::float8 AS x,
	(i * 31 % 7)::int AS few,
	CASE WHEN i % 13 = 0 THEN NULL ELSE 'c' || (i * 37 % 101) % 9 END AS land,
	CASE WHEN i % 251 = 0 THEN 'rare' || i ELSE 'often' || i % 2 END AS shop,
	i % 3 = 0 AS mobile,
	timestamptz '2024-01-01 00:00+00' + i * interval '3 hours 7 minutes' AS seen_at,
	date '2023-03-01' + i % 400 AS born,
	1 + i % 4 AS w,
	(i * 7919 % 1009) / 8.0 + (i * 37 % 101) % 9 * 20 + (i * 104729 % 1013) / 4.0 > 190 AS y
FROM generate_series(1, 2000) AS i;

-- quantile bins: edges by percentile_disc, a value of a tenth of the rows alone
SELECT status FROM dmp.train('encode_bins', 'SELECT x, y FROM encode_t', 'y', lambda => 0.001, options => '{"encode": {"x": "bins"}}');
SELECT level, rows FROM dmp.coefficients WHERE model = 'encode_bins' AND feature = 'x' ORDER BY position;
WITH q AS (SELECT percentile_disc(ARRAY[.1, .2, .3, .4, .5, .6, .7, .8, .9]) WITHIN GROUP (ORDER BY x) AS edges, min(x) AS low FROM encode_t),
e AS (SELECT array_agg(DISTINCT v ORDER BY v) AS edges
	FROM (SELECT unnest(edges) AS v, low FROM q
		UNION SELECT (SELECT min(t.x) FROM encode_t t WHERE t.x > h.x), low
		FROM q, (SELECT x FROM encode_t WHERE x IS NOT NULL GROUP BY x HAVING 10 * count(*) >= (SELECT count(x) FROM encode_t)) AS h) AS u
	WHERE v > low)
SELECT width_bucket(x, edges) AS bin, count(*) AS rows FROM encode_t, e WHERE x IS NOT NULL GROUP BY 1 ORDER BY 1;

-- weight of evidence and information value against plain SQL
SELECT status FROM dmp.train('encode_woe', 'SELECT id, x, few, land, shop, mobile, y FROM encode_t', 'y', key => '{id}', options => '{"encode": {"*": "woe"}}');
SELECT feature, level, rows, round(rate::numeric, 6) AS rate, round(value::numeric, 6) AS value, round(information_value::numeric, 6) AS iv
FROM dmp.encodings WHERE model = 'encode_woe' ORDER BY position;
WITH t AS (SELECT coalesce(land, '(missing)') AS level, y FROM encode_t),
a AS (SELECT count(*) FILTER (WHERE y) AS p, count(*) FILTER (WHERE NOT y) AS n FROM t),
b AS (SELECT level, count(*) FILTER (WHERE y) AS pos, count(*) FILTER (WHERE NOT y) AS neg FROM t GROUP BY level),
w AS (SELECT level, pos, neg, p, n, ln((pos + 0.5) / ((pos + neg) * p / (p + n)::float8 + 0.5)) - ln((neg + 0.5) / ((pos + neg) * n / (p + n)::float8 + 0.5)) AS woe FROM a, b)
SELECT count(*) AS levels, bool_and(abs(w.woe - e.value) < 1e-12) AS same_values,
	bool_and(abs(iv - e.information_value) < 1e-12) AS same_information
FROM (SELECT *, sum((pos / p::float8 - neg / n::float8) * woe) OVER () AS iv FROM w) AS w
JOIN dmp.encodings e ON e.model = 'encode_woe' AND e.feature = 'land' AND e.level = w.level;
-- no value's information is negative, few distinct numbers keep their own
SELECT feature, bool_and(information_value >= 0) AS iv_ok, count(*) AS bins FROM dmp.encodings WHERE model = 'encode_woe' GROUP BY 1 ORDER BY 1;

-- means of the target, weighted
SELECT status FROM dmp.train('encode_target', 'SELECT id, land, x, y, w FROM encode_t', 'y', key => '{id}', weight => 'w',
	options => '{"encode": {"land": {"encode": "target", "smoothing": 4}, "x": {"encode": "target", "bins": 4}}}');
WITH m AS (SELECT sum(w * y::int) / sum(w)::float8 AS mean FROM encode_t)
SELECT e.level, e.rows, abs(e.value - (s.y + 4 * mean) / (s.w + 4)) < 1e-12 AS same
FROM (SELECT coalesce(land, '(missing)') AS level, sum(w * y::int) AS y, sum(w)::float8 AS w FROM encode_t GROUP BY 1) AS s
JOIN dmp.encodings e ON e.model = 'encode_target' AND e.feature = 'land' AND e.level = s.level, m ORDER BY 1;

-- monotone bins rise or fall all the way
SELECT status FROM dmp.train('encode_monotone', 'SELECT id, x, y FROM encode_t', 'y', key => '{id}',
	options => '{"encode": {"x": {"encode": "woe", "method": "monotone", "bins": 6, "min_share": 0.05}}}');
SELECT count(*) <= 6 AS few_enough, bool_and(rows >= 0.05 * 1882) AS enough_rows, bool_and(coalesce(rises, true)) AS rises
FROM (SELECT rows, rate > lag(rate) OVER (ORDER BY position) AS rises FROM dmp.encodings WHERE model = 'encode_monotone' AND level <> '(missing)') AS e;

-- cross-fitted: a column of almost unique levels tells nothing of labels that are random
CREATE TABLE encode_noise AS
SELECT i AS id, 'u' || i % 700 AS code, hashint4(i) % 1000 < 0 AS y FROM generate_series(1, 2100) AS i;
SELECT encode, roc_auc BETWEEN 0.45 AND 0.56 AS no_leak
FROM (VALUES ('woe', '{"encode": {"code": {"encode": "woe", "min_count": 1}}}'::jsonb),
	('target', '{"encode": {"code": {"encode": "target", "min_count": 1, "smoothing": 1}}}')) AS v(encode, options),
	LATERAL dmp.train('encode_noise', 'SELECT id, code, y FROM encode_noise', 'y', key => '{id}', options => v.options);
-- without a key rows that are equal are dealt out to the folds
SELECT roc_auc BETWEEN 0.45 AND 0.56 AS no_leak FROM dmp.train('encode_noise', 'SELECT code, y FROM encode_noise', 'y',
	options => '{"encode": {"code": {"encode": "woe", "min_count": 1}}}');
SELECT round(roc_auc::numeric, 3) AS roc_auc FROM dmp.train('encode_nokey', 'SELECT land, y FROM encode_t', 'y', options => '{"encode": {"land": "woe"}}');
SELECT round(dmp.roc_auc(rate, y)::numeric, 3) AS at_best
FROM (SELECT y, avg(y::int) OVER (PARTITION BY land) AS rate FROM encode_t) AS t;
-- tables know nothing of rows held out
SELECT status FROM dmp.train('encode_held', 'SELECT id, land, y FROM encode_t', 'y', key => '{id}', test_fraction => 0.3, options => '{"encode": {"land": "woe"}}');
SELECT m.rows < 2000 AND m.rows = sum(e.rows) AS training_rows_only
FROM dmp.models m JOIN dmp.encodings e USING (model, version) WHERE model = 'encode_held' GROUP BY m.rows;

-- times: parts, in the zone of training
SELECT status FROM dmp.train('encode_times', 'SELECT seen_at, born, y FROM encode_t', 'y', lambda => 0.01);
SELECT feature, count(*), min(level), max(level) FROM dmp.coefficients WHERE model = 'encode_times' AND version = 1 GROUP BY feature ORDER BY min(position);
SET timezone = 'Asia/Shanghai';
SELECT status FROM dmp.train('encode_zone', 'SELECT seen_at, y FROM encode_t', 'y', lambda => 0.01,
	options => '{"encode": {"seen_at": {"encode": "parts", "parts": ["hour", "minute", "day", "quarter", "year"]}}}');
CREATE TABLE encode_scores AS SELECT id, dmp.predict('encode_zone', t) AS p FROM encode_t AS t;
SET timezone = 'America/New_York';
SELECT count(*) AS differ FROM encode_t AS t JOIN encode_scores USING (id) WHERE dmp.predict('encode_zone', t) <> p;
SELECT count(*) AS differ FROM encode_t AS t JOIN encode_scores USING (id) WHERE dmp.predict('encode_zone', to_jsonb(t)) <> p;
SELECT dmp.predict('encode_zone', '{"seen_at": "2024-03-01 08:00"}') = dmp.predict('encode_zone', '{"seen_at": "2024-03-01T00:00Z"}') AS zone_of_the_model;
SELECT dmp.predict('encode_zone', '{"seen_at": "yesterday"}');
SET timezone = 'UTC';
SELECT feature, level IS NULL AS number FROM dmp.coefficients WHERE model = 'encode_zone' AND version = 1 GROUP BY 1, 2 ORDER BY min(position);

-- fills
SELECT status FROM dmp.train('encode_fill', 'SELECT x, few, land, y FROM encode_t', 'y', lambda => 0.001,
	options => '{"impute": {"x": "median", "land": {"constant": "nowhere"}, "few": {"constant": 3}}}');
SELECT feature, level, rows FROM dmp.coefficients WHERE model = 'encode_fill' ORDER BY position;
SELECT (f->'transform'->>'fill')::float8 = (SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY x) FROM encode_t) AS median
FROM jsonb_array_elements(dmp.model_json('encode_fill')->'features') AS f WHERE f->>'name' = 'x';
SELECT status FROM dmp.train('encode_mean', 'SELECT x, y FROM encode_t', 'y', options => '{"impute": {"*": "mean"}}');
SELECT dmp.predict('encode_mean', '{"x": null}') - dmp.predict('encode_mean', t) AS same
FROM (SELECT avg(x) AS x FROM encode_t) AS t;

-- every encoder, hostile rows: predict, by value, as json, and dmp.model_sql give the same number

CREATE TABLE encode_rows AS
SELECT (row_number() OVER ())::int AS n, r.* FROM (
	SELECT x, few, land, shop, mobile, seen_at, born FROM encode_t WHERE id % 7 = 0
	UNION ALL SELECT * FROM (VALUES
	(NULL::float8, NULL::int, NULL::text, NULL::text, NULL::boolean, NULL::timestamptz, NULL::date),
	('NaN', 100, 'never', '', true, '2031-12-31 23:59:59.999999', '1900-02-28'),
	('-0', -2147483648, '', 'it''s "here"', false, '0001-01-01 00:00 BC', '0044-03-15 BC'),
	(1e200, 2147483647, 'c1 ', 'c1 & c2', true, 'infinity', '-infinity'),
	(-1e-200, 0, '\', E'\n', NULL, '1969-12-31 23:59:59.5', 'infinity'),
	(63.125, 3, 'c3', 'often1', true, '2024-02-29 12:00', '2024-02-29')) AS v) AS r;
CREATE FUNCTION encode_differ(name text) RETURNS TABLE (rows bigint, by_row bigint, by_value bigint, by_json bigint, by_explain bigint)
LANGUAGE plpgsql AS $$
BEGIN
	RETURN QUERY EXECUTE format($q$
		SELECT count(*), count(*) FILTER (WHERE p IS DISTINCT FROM s), count(*) FILTER (WHERE v IS DISTINCT FROM s),
			count(*) FILTER (WHERE j IS DISTINCT FROM p), count(*) FILTER (WHERE abs(e - m) > 1e-9 * greatest(1, abs(m)))
		FROM (SELECT dmp.predict(%1$L, t) AS p, (%2$s) AS s, dmp.margin(%1$L, t) AS m,
				dmp.predict((SELECT dmp.model_value(%1$L)), t) AS v,
				dmp.predict(%1$L, CASE WHEN x = 'NaN' THEN jsonb_set(to_jsonb(t), '{x}', 'null') ELSE to_jsonb(t) END) AS j,
				(SELECT sum(contribution) FROM dmp.explain(%1$L, t)) AS e
			FROM encode_rows AS t) AS u$q$, name, dmp.model_sql(name));
END $$;
CREATE TABLE encode_options (name text, options jsonb);
INSERT INTO encode_options VALUES
	('log', '{"encode": {"x": "log", "few": "log"}}'),
	('bins', '{"encode": {"*": "bins"}}'),
	('monotone', '{"encode": {"x": {"encode": "bins", "method": "monotone", "bins": 5}, "mobile": "bins"}}'),
	('woe', '{"encode": {"*": "woe"}}'),
	('target', '{"encode": {"*": "target"}}'),
	('levels', '{"encode": {"few": "one_hot", "x": "one_hot", "mobile": "one_hot"}, "min_count": 20}'),
	('parts', '{"encode": {"*": {"encode": "parts", "parts": ["epoch", "year", "quarter", "month", "day", "day_of_week", "hour", "minute"]}}}'),
	('fills', '{"impute": {"*": "median", "mobile": {"constant": true}, "land": "constant", "shop": {"constant": "it''s"}}}'),
	('filled', '{"encode": {"x": "woe", "few": "bins", "land": "target"}, "impute": {"x": "mean", "few": {"constant": 2}, "land": {"constant": "c3"}}}'),
	('pairs', '{"interactions": ["x:few", "land:shop", "x:land", "mobile:shop", "few:mobile"]}');
SELECT o.name, t.status FROM encode_options o,
	dmp.train('encode_each_' || o.name, 'SELECT id, x, few, land, shop, mobile, seen_at, born, y FROM encode_t', 'y', lambda => 0.001, key => '{id}', options => o.options) AS t;
SELECT o.name, d.* FROM encode_options o, encode_differ('encode_each_' || o.name) AS d;
-- stored and read back, a model is the same
SELECT count(*) AS changed FROM encode_options o
WHERE dmp.model_json('encode_each_' || o.name) IS DISTINCT FROM (dmp.model_value('encode_each_' || o.name)::text::dmp.model_value)::text::jsonb;

-- what training saw is what scoring sees: the deviance of the training rows again
SELECT bool_and(abs(m.log_loss - l.log_loss) < 1e-12) AS no_skew
FROM (VALUES ('log'), ('bins'), ('levels'), ('parts'), ('fills'), ('pairs')) AS o(name)
JOIN dmp.models m ON m.model = 'encode_each_' || o.name,
LATERAL (SELECT dmp.log_loss(dmp.predict(m.model, t), y) AS log_loss FROM encode_t AS t) AS l;

-- levels that training has not seen are counted, never an error
SELECT rows, rows_missing, rows_unseen_level FROM dmp.score('encode_woe', 'SELECT * FROM encode_rows WHERE n > 284', 'encode_scored', key => '{n}');
SELECT value FROM dmp.evaluate('encode_woe', $$SELECT *, n % 2 = 0 AS y FROM encode_rows WHERE n > 280$$) WHERE metric = 'rows';
SELECT dataset, metric, value FROM dmp.model_metrics WHERE model = 'encode_woe' AND version = 1 AND dataset NOT IN ('train', 'test') ORDER BY 1, 2;
SELECT rows FROM dmp.score('encode_woe', 'SELECT * FROM encode_rows WHERE n < 10', 'encode_scored', key => '{n}');
SELECT metric, value FROM dmp.model_metrics WHERE model = 'encode_woe' AND version = 1 AND dataset = 'score' ORDER BY 1;
BEGIN READ ONLY;
SET LOCAL client_min_messages = notice;
SELECT value FROM dmp.evaluate('encode_woe', $$SELECT *, n % 2 = 0 AS y FROM encode_rows WHERE n > 280$$) WHERE metric = 'rows';
COMMIT;

-- with workers as without
CREATE TABLE encode_big AS SELECT t.* FROM encode_t AS t, generate_series(1, 10);
ANALYZE encode_big;
SET max_parallel_workers_per_gather = 0;
SELECT status FROM dmp.train('encode_serial', 'SELECT id, x, few, land, y, w FROM encode_big', 'y', weight => 'w', key => '{id}', options => '{"encode": {"*": "woe"}, "impute": {"x": "mean"}}');
SET max_parallel_workers_per_gather = 2;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
EXPLAIN (COSTS OFF) SELECT dmp_internal.encode_scan('5 1024 nt', y::int::float8, w, id % 5, x, land) FROM encode_big;
SELECT status FROM dmp.train('encode_parallel', 'SELECT id, x, few, land, y, w FROM encode_big', 'y', weight => 'w', key => '{id}', options => '{"encode": {"*": "woe"}, "impute": {"x": "mean"}}');
SELECT count(*) AS places, bool_and(a.rows = b.rows AND abs(a.value - b.value) < 1e-12) AS same
FROM dmp.encodings a FULL JOIN dmp.encodings b USING (feature, level) WHERE a.model = 'encode_serial' AND b.model = 'encode_parallel';
RESET max_parallel_workers_per_gather;
RESET parallel_setup_cost;
RESET parallel_tuple_cost;
RESET min_parallel_table_scan_size;

-- the sample of format 1 with transforms is readable, and scores the same, for ever
\getenv abs_srcdir PG_ABS_SRCDIR
\set sample `cat :abs_srcdir/test/data/model_1_encoded.json`
SELECT dmp.predict(:'sample'::dmp.model_value, t) AS score
FROM (VALUES (1.5::float8, 3, 'c1', 2, timestamptz '2024-03-31 22:30+00', ARRAY[0.5, -0.5], 2::float8, 'l1'),
	(20, 8, 'c7', 9, 'infinity', NULL, NULL, NULL), (NULL, NULL, NULL, NULL, NULL, '{NaN,1}', 'NaN', 'l0')) AS t (x, n, land, code, at_time, v, h, lang);

-- errors
\set VERBOSITY default
SELECT * FROM dmp.train('encode_bad', 'encode_t', 'y', options => '{"encode": {"land": "wo"}}');
SELECT * FROM dmp.train('encode_bad', 'encode_t', 'y', options => '{"encode": {"land": "log"}}');
SELECT * FROM dmp.train('encode_bad', 'encode_t', 'y', options => '{"encode": {"seen_at": "woe"}}');
SELECT * FROM dmp.train('encode_bad', 'encode_t', 'y', options => '{"encode": {"x": {"encode": "bins", "bins": 1}}}');
SELECT * FROM dmp.train('encode_bad', 'encode_t', 'y', options => '{"encode": {"x": {"encode": "bins", "method": "best"}}}');
SELECT * FROM dmp.train('encode_bad', 'encode_t', 'y', options => '{"encode": {"x": {"encode": "woe", "smoothing": 0}}}');
SELECT * FROM dmp.train('encode_bad', 'encode_t', 'y', options => '{"encode": {"seen_at": {"encode": "parts", "parts": ["century"]}}}');
SELECT * FROM dmp.train('encode_bad', 'encode_t', 'y', options => '{"impute": {"land": "mean"}}');
SELECT * FROM dmp.train('encode_bad', 'encode_t', 'y', options => '{"impute": {"lnd": "mean"}}');
SELECT * FROM dmp.train('encode_bad', 'encode_t', 'y', options => '{"impute": {"x": {"constnat": 5}}}');
SELECT * FROM dmp.train('encode_bad', 'SELECT land, x FROM encode_t WHERE land IN (''c1'', ''c2'', ''c3'')', 'land', family => 'multinomial', options => '{"encode": {"x": "woe"}}');
SELECT * FROM dmp.train('encode_bad', 'SELECT x, y FROM encode_t WHERE false', 'y', options => '{"encode": {"x": "woe"}}');
SELECT dmp.predict('encode_woe', '{"x": "1", "few": 1, "land": "c1", "shop": "a", "mobile": true}');
SELECT dmp.predict('encode_woe', '{"few": 1, "land": "c1", "shop": "a", "mobile": true}');
-- a model value is checked
SELECT replace(dmp.model_value('encode_bins')::text, '"kind":"bins"', '"kind":"bin"')::dmp.model_value IS NULL;
SELECT regexp_replace(dmp.model_value('encode_bins')::text, '"edges":\[[^]]*\]', '"edges":[2,1]')::dmp.model_value IS NULL;
SELECT regexp_replace(dmp.model_value('encode_woe')::text, '"values":\[[^]]*\]', '"values":[1]')::dmp.model_value IS NULL;
SELECT replace(dmp.model_value('encode_zone')::text, 'Asia/Shanghai', 'Mars/Olympus')::dmp.model_value IS NULL;
SELECT dmp_internal.encode_number('{"kind":"log","columns":[["x","number"]]}', NULL, 'a'::text);
SELECT dmp_internal.encode_scan('99 0 n', 1, 1, 0, 1);

SELECT count(*) AS dropped FROM (SELECT DISTINCT model FROM dmp.models WHERE model LIKE 'encode\_%') AS m, dmp.drop_model(m.model);
DROP FUNCTION encode_differ;
DROP TABLE encode_scored, encode_t, encode_noise, encode_scores, encode_rows, encode_options, encode_big;

