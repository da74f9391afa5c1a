-- text: n-grams, hashed values, arrays of text; several classes
CREATE SCHEMA text_test;
SET search_path = text_test, public;
SET extra_float_digits = 0;
SET client_min_messages = error;

-- three kinds of requests, in words that overlap
CREATE FUNCTION pick(words text[], n bigint) RETURNS text LANGUAGE sql IMMUTABLE AS
	$$ SELECT words[1 + abs(hashint8(n)) % cardinality(words)] $$;
CREATE TABLE request AS
	SELECT n AS id, kind[1 + n % 3] AS intent,
		   concat_ws(' ', pick('{Hello,please,"hi there",""}', n * 7),
					 CASE n % 3 WHEN 0 THEN pick('{"my card did not arrive","where is the card","the card is late"}', n)
								WHEN 1 THEN pick('{"transfer money to a friend","the transfer failed","money was not sent"}', n)
								ELSE pick('{"change the PIN of the card","I forgot my pin","new pin code, now"}', n) END,
					 pick('{today,again,"thank you!",please,""}', n * 13)) AS body,
		   (n % 10)::float8 AS waited, n % 4 = 0 AS is_test
	FROM generate_series(1, 1200) n, (SELECT '{card,money,pin}'::text[] AS kind) k;

SELECT model, version, deployed, status, rows, features, roc_auc, warnings
FROM dmp.train('intent', 'SELECT body, intent FROM request WHERE NOT is_test', 'intent');
SELECT family, lambda = 0.03 / rows AS lambda_is_what_it_says, log_loss < 0.01 AS low_loss, accuracy, scans
FROM dmp.models WHERE model = 'intent';
SELECT avg((dmp.classify('intent', r) = intent)::int)::float8 AS accuracy FROM request r WHERE is_test;
SELECT dmp.classify('intent', '{"body": "Where is my new CARD?"}') AS card,
	   dmp.classify('intent', jsonb '{"body": "i cannot send money"}') AS money,
	   dmp.classify(dmp.model_value('intent'), '{"body": "pin"}') AS pin;
SELECT key, value::float8 BETWEEN 0 AND 1 AS a_probability
FROM jsonb_each(dmp.class_probabilities('intent', '{"body": "my pin"}')) ORDER BY key;
SELECT abs(sum(value::float8) - 1) < 1e-9 AS sums_to_one
FROM jsonb_each(dmp.class_probabilities('intent', '{"body": "what?"}'));
-- no text, and text of which nothing is known, leave the intercepts
SELECT dmp.class_probabilities('intent', '{"body": "ZZZZ"}') = dmp.class_probabilities('intent', '{"body": ""}') AS the_same,
	   dmp.class_probabilities('intent', '{"body": null}') = dmp.class_probabilities('intent', '{"body": ""}') AS null_too;
-- normal form and case: full-width, ligature, composed and decomposed
SELECT dmp.class_probabilities('intent', '{"body": "card ＰＩＮ ﬁ é"}')
	 = dmp.class_probabilities('intent', E'{"body": "CARD pin fi e\u0301"}') AS folded;
-- what is trained is what is scored: the loss the fit ended with, from SQL
SELECT abs(avg(-ln((dmp.class_probabilities('intent', r) ->> intent)::float8)) / max(m.log_loss) - 1) < 1e-3 AS loss_agrees
FROM request r, dmp.models m WHERE NOT is_test AND m.model = 'intent';
-- a seed is a result; a value survives its text
SELECT count(*) FROM dmp.train('intent', 'SELECT body, intent FROM request WHERE NOT is_test', 'intent');
SELECT count(DISTINCT value::text) AS values, count(*) FROM dmp_internal.model WHERE name = 'intent';
SELECT dmp.classify(dmp.model_value('intent')::text::dmp.model_value, '{"body": "my pin"}') AS by_text;
SELECT feature, level, class FROM dmp.coefficients WHERE model = 'intent' AND version = 2 AND feature <> '(intercept)' ORDER BY class;
SELECT * FROM dmp.score('intent', 'SELECT id, body FROM request WHERE is_test', 'intent_score', key => '{id}');
SELECT avg((s.class = r.intent)::int)::float8 AS accuracy, bool_and(s.score BETWEEN 1 / 3.0 AND 1) AS of_the_class
FROM intent_score s JOIN request r USING (id);
-- held-out rows
SELECT status FROM dmp.train('held', 'SELECT id, body, intent FROM request', 'intent', key => '{id}', test_fraction => 0.25);
SELECT rows + rows_test AS rows, rows_test BETWEEN 240 AND 360 AS a_quarter, test_accuracy > 0.95 AS good, test_log_loss < 0.2 AS sure
FROM dmp.models WHERE model = 'held';
SELECT dataset, metric FROM dmp.model_metrics WHERE model = 'held' ORDER BY 1, 2;

-- judged against plain SQL: a model that does not know the pins well
SELECT status FROM dmp.train('weak', 'SELECT left(body, 7 + id::int % 9) AS body, intent, waited FROM request', 'intent', lambda => 0.05);
CREATE TABLE judged AS
	SELECT intent AS y, dmp.classify('weak', r) AS c, -ln((dmp.class_probabilities('weak', r) ->> intent)::float8) AS loss, is_test FROM request r;
WITH k AS (SELECT DISTINCT y AS k FROM judged),
per AS (
	SELECT k, count(*) FILTER (WHERE c = k AND y = k)::float8 AS hit, nullif(count(*) FILTER (WHERE c = k), 0) AS predicted, count(*) FILTER (WHERE y = k) AS actual
	FROM judged, k GROUP BY k),
truth AS (
	SELECT 'rows' AS metric, count(*)::float8 AS value FROM judged
	UNION ALL SELECT 'classes', 3
	UNION ALL SELECT 'accuracy', avg((c = y)::int)::float8 FROM judged
	UNION ALL SELECT 'log_loss', avg(loss) FROM judged
	UNION ALL SELECT 'macro_precision', avg(COALESCE(hit / predicted, 0)) FROM per
	UNION ALL SELECT 'macro_recall', avg(hit / actual) FROM per
	UNION ALL SELECT 'macro_f1', avg(2 * hit / (actual + COALESCE(predicted, 0))) FROM per)
SELECT metric, abs(e.value - t.value) < 1e-9 AS agrees, e.low < e.value AND e.value < e.high AS inside
FROM (SELECT * FROM dmp.evaluate('weak', 'request') WHERE class IS NULL AND metric <> 'macro_roc_auc') e FULL JOIN truth t USING (metric) ORDER BY metric;
SELECT segment, abs(value - (SELECT avg((c = y)::int) FROM judged WHERE segment IS NULL OR is_test = segment::boolean)) < 1e-9 AS agrees
FROM dmp.evaluate('weak', 'request', by => '{is_test}') WHERE metric = 'accuracy' ORDER BY segment NULLS FIRST;

-- two classes: a margin and a rank
SELECT status, roc_auc FROM dmp.train('pin', 'SELECT body, intent = ''pin'' AS is_pin FROM request', 'is_pin');
SELECT abs(dmp.log_loss(dmp.predict('pin', r), intent = 'pin') / max(m.log_loss) - 1) < 1e-3 AS loss_agrees,
	   dmp.roc_auc(dmp.margin('pin', r), intent = 'pin') AS roc_auc
FROM request r, dmp.models m WHERE m.model = 'pin';

-- Chinese has no spaces between words
CREATE TABLE review AS
	SELECT n AS id, n % 2 = 0 AS good,
		   pick('{这家店,我买的东西,昨天的服务,快递}', n * 3) || pick('{真的,实在,还是,""}', n * 5)
		   || CASE WHEN n % 2 = 0 THEN pick('{非常好用,让人满意,很快就到了,值得推荐}', n)
				   ELSE pick('{太差了,让人失望,很慢而且坏了,不值得推荐}', n) END
		   || pick('{。,！,，下次再来,""}', n * 11) || (n % 97)::text AS words
	FROM generate_series(1, 600) n;
SELECT status, warnings FROM dmp.train('review', 'SELECT good, words FROM review WHERE id % 3 > 0', 'good');
SELECT avg(((dmp.predict('review', r) > 0.5) = good)::int)::float8 AS accuracy FROM review r WHERE id % 3 = 0;
SELECT dmp.predict('review', '{"words": "服务让人满意"}') > 0.7 AS good, dmp.predict('review', '{"words": "服务让人失望"}') < 0.3 AS bad;

-- values by hash; values never seen add nothing
CREATE TABLE visit AS
	SELECT n AS id, 'agent/' || n % 300 AS agent, ARRAY['tag' || n % 5, 'tag' || n % 7, 'tag' || n % 5, NULL] AS tags,
		   (n % 11)::float8 AS pages, (n % 300 < 100) <> (n % 17 = 0) AS buys, 'a' AS short
	FROM generate_series(1, 6000) n;
SELECT status, roc_auc > 0.9 AS good, warnings FROM dmp.train('agent', 'SELECT agent, pages, buys FROM visit', 'buys');
SELECT feature, level FROM dmp.coefficients WHERE model = 'agent' AND feature <> '(intercept)' ORDER BY 1;
SELECT dmp.predict('agent', '{"agent": "never seen", "pages": 5}') = dmp.predict('agent', '{"agent": "nor this", "pages": 5}') AS baseline;
SELECT rows_unseen_level FROM dmp.score('agent', 'SELECT 1 AS id, ''new'' AS agent, 1 AS pages UNION ALL SELECT 2, ''agent/5'', 2', 'agent_score', key => '{id}');
-- what hashed columns add is told against nothing; the parts sum to the margin
SELECT rank, feature, value FROM dmp.explain('agent', '{"agent": "agent/5", "pages": 3}') ORDER BY rank;
SELECT abs(sum(contribution) - dmp.margin('agent', '{"agent": "agent/5", "pages": 3}')) < 1e-12 AS sums FROM dmp.explain('agent', '{"agent": "agent/5", "pages": 3}');
-- so few bits that values share columns
SELECT status FROM dmp.train('agent', 'SELECT agent, pages, buys FROM visit', 'buys', options => '{"encode": {"agent": {"encode": "hash", "bits": 4}}}');
SELECT level FROM dmp.coefficients WHERE model = 'agent' AND version = 2 AND feature = 'agent';
-- sets of texts
SELECT status FROM dmp.train('tags', 'SELECT tags, (id % 5 = 0) AS y FROM visit', 'y', lambda => 1e-4);
SELECT dmp.predict('tags', '{"tags": ["tag0", "tag0", null, "other"]}') = dmp.predict('tags', '{"tags": ["tag0"]}') AS a_set,
	   dmp.predict('tags', jsonb '{"tags": []}') < 0.5 AS empty;
SELECT dmp.predict('tags', v) = dmp.predict('tags', to_jsonb(v)) AS record_is_json FROM visit v WHERE id = 35;
SELECT dmp.predict('tags', '{"tags": "tag0"}');
SELECT dmp.predict('tags', '{"tags": [1]}');

-- several classes of plain columns: the optimality conditions, from SQL
CREATE TABLE plant AS
	SELECT n AS id, (n * 7919 % 101)::float8 / 10 AS length, CASE WHEN n % 9 > 0 THEN (n * 104729 % 89)::float8 END AS width,
		   pick('{red,blue,white}', n) AS color,
		   (floor(((n * 7919 % 101) / 10.0 + (n * 104729 % 89) / 9.0 + n % 5) / 7.0))::int AS species, 1 + n % 3 AS w
	FROM generate_series(1, 900) n;
SELECT status, warnings FROM dmp.train('plant', 'SELECT * FROM plant', 'species', family => 'multinomial', exclude => '{id,w}', weight => 'w', lambda => 0.01);
SELECT kkt_residual <= tolerance AS at_tolerance FROM dmp.models WHERE model = 'plant';
WITH p AS (
	SELECT plant.*, c.key AS class, c.value::float8 - (c.key = species::text)::int AS residual
	FROM plant, jsonb_each(dmp.class_probabilities('plant', plant)) c),
m AS (SELECT sum(w * length) / sum(w) AS mean FROM plant)
SELECT class, abs(sum(w * residual) / sum(w)) < 1e-7 AS intercept,
	   abs(sum(w * residual * (length - m.mean)) / sum(w) + 0.01 * max(k.coef * k.scale ^ 2)) < 1e-7 AS length,
	   abs(sum(w * residual * (color = 'red')::int) / sum(w) + 0.01 * max(r.coef)) < 1e-7 AS red,
	   abs(sum(w * residual * (width IS NULL)::int) / sum(w) + 0.01 * max(f.coef)) < 1e-7 AS missing
FROM m, p JOIN dmp.coefficients k USING (class) JOIN dmp.coefficients r USING (class) JOIN dmp.coefficients f USING (class)
WHERE (k.model, k.version, k.feature) = ('plant', 1, 'length') AND (r.model, r.feature, r.level) = ('plant', 'color', 'red')
	AND (f.model, f.feature, f.level) = ('plant', 'width', '(missing)')
GROUP BY class ORDER BY class;
-- without a penalty nothing of two classes changes
SELECT count(*) FROM dmp.train('two', 'SELECT length, buys FROM (SELECT length, id % 7 + length > 6 AS buys FROM plant) x', 'buys');
SELECT count(*) FROM dmp.train('soft', 'SELECT length, buys FROM (SELECT length, id % 7 + length > 6 AS buys FROM plant) x', 'buys', family => 'multinomial');
SELECT max(abs(dmp.predict('two', p) - (dmp.class_probabilities('soft', p) ->> 'true')::float8)) < 1e-6 AS same FROM plant p;
-- the lasso leaves columns out
SELECT status FROM dmp.train('few', 'SELECT body, intent = ''pin'' AS y FROM request', 'y', lambda => 0.01, alpha => 1);
SELECT dmp.predict('few', '{"body": "pin"}') > 0.5 AS pin, dmp.predict('few', '{"body": "again"}') = dmp.predict('few', '{"body": ""}') AS left_out;
SELECT warnings FROM dmp.train('few', 'SELECT body, intent = ''pin'' AS y FROM request', 'y', lambda => 10, alpha => 1);

-- rows that do not fit into memory go to a file, and teach the same
SET dmp.training_memory = '1MB';
SELECT status, warnings FROM dmp.train('small', 'SELECT r.body, r.intent FROM request r, generate_series(1, 5)', 'intent', lambda => 1e-3, options => '{"encode": {"body": {"encode": "ngrams", "bits": 10}}}');
RESET dmp.training_memory;
SELECT status, warnings FROM dmp.train('large', 'SELECT r.body, r.intent FROM request r, generate_series(1, 5)', 'intent', lambda => 1e-3, options => '{"encode": {"body": {"encode": "ngrams", "bits": 10}}}');
SELECT max(abs((dmp.class_probabilities('small', r) ->> intent)::float8 - (dmp.class_probabilities('large', r) ->> intent)::float8)) < 0.01 AS the_same FROM request r;
SET dmp.training_memory = '1MB';
SELECT * FROM dmp.train('wide', 'SELECT id::text || ''-'' || g AS code, intent FROM request, generate_series(1, 20) g', 'intent');
RESET dmp.training_memory;

-- names and values that mean something else to others
SELECT status FROM dmp.train('hostile', $$SELECT body || ' "; drop table x; -- \ %s' AS "b""; drop table x; --", intent || '''; drop' AS "t ""x" FROM request$$, 't "x');
SELECT dmp.classify('hostile', '{"b\"; drop table x; --": "my pin"}');
-- a text of nothing but one letter, a long word, bytes of every kind
SELECT dmp.classify('intent', jsonb_build_object('body', repeat('a', 100000))) IS NOT NULL AS long,
	   dmp.classify('intent', jsonb_build_object('body', chr(1) || chr(65533) || chr(1114109) || '👍🏽' || chr(8203))) IS NOT NULL AS odd;
-- what cannot be says so
SET client_min_messages = notice;
SELECT dmp.predict('intent', '{"body": "pin"}');
SELECT * FROM dmp.evaluate('intent', 'request', 0.5);
SELECT * FROM dmp.evaluate('intent', $$SELECT body, 'other' AS intent FROM request$$);
SELECT * FROM dmp.explain('intent', '{"body": "pin"}');
SELECT dmp.model_sql('intent');
SELECT dmp.model_sql('agent');
SELECT dmp.set_threshold('intent', 0.5);
SELECT * FROM dmp.train('bad', 'request', 'intent', features => '{waited}', options => '{"encode": {"waited": "ngrams"}}');
SELECT * FROM dmp.train('bad', 'request', 'intent', features => '{body}', options => '{"encode": {"body": {"encode": "hash", "bits": 99}}}');
SELECT * FROM dmp.train('bad', 'request', 'intent', features => '{body}', family => 'binomial');
SELECT * FROM dmp.train('bad', 'request', 'id', features => '{body}', family => 'multinomial');
SELECT * FROM dmp.train('bad', 'SELECT body, ''x''::text AS y FROM request', 'y', family => 'multinomial');
SELECT * FROM dmp.train('bad', 'SELECT body, intent FROM request WHERE false', 'intent');
SELECT replace(value::text, '"classes":["card",', '"classes":["zzz",')::dmp.model_value FROM dmp_internal.model WHERE name = 'intent' LIMIT 1;
SELECT replace(value::text, '"bits":18', '"bits":3')::dmp.model_value FROM dmp_internal.model WHERE name = 'intent' LIMIT 1;
SELECT regexp_replace(value::text, '"wide":"....', '"wide":"')::dmp.model_value FROM dmp_internal.model WHERE name = 'intent' LIMIT 1;
SELECT regexp_replace(value::text, '"wide":"........', '"wide":"AADAfwAA')::dmp.model_value FROM dmp_internal.model WHERE name = 'intent' LIMIT 1;
SELECT regexp_replace(value::text, '"wide":"....', '"wide":"!!!!')::dmp.model_value FROM dmp_internal.model WHERE name = 'intent' LIMIT 1;

-- n-grams are of a text, not of a set of texts
SELECT status FROM dmp.train('tags', 'SELECT ARRAY[''a'', ''b''] AS t, i % 2 = 0 AS y FROM generate_series(1, 40) AS i', 'y', options => '{"encode": {"t": "ngrams"}}');

SET client_min_messages = error;
SELECT count(*) FROM unnest('{intent,weak,held,pin,review,agent,tags,plant,two,soft,few,small,large,hostile}'::text[]) m, dmp.drop_model(m);
DROP SCHEMA text_test CASCADE;
