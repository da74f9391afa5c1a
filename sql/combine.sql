-- every kind of model through every way out: the same scores, or an error that says what cannot be
CREATE TABLE combine_rows AS
SELECT i AS id, CASE WHEN i % 11 > 0 THEN i * 37 % 50 / 10::float8 END AS visits, 20 + i * 13 % 40 AS age, (ARRAY['Oslo','Paris','Rome',NULL])[1 + i * 7 % 4] AS city, i * 11 % 4 = 0 AS mobile,
	   timestamptz '2024-01-01Z' + i * interval '5 hours' AS seen_at, ARRAY[i % 5, i % 7 / 3.0]::float8[] AS place, 'word' || i * 7 % 9 || ' and ' || i % 4 AS said, ln(1 + i % 5) AS exposure,
	   (ARRAY['x','y','z'])[1 + i * 31 % 3] AS kind, (i * 31337 % 1009 + i * 37 % 50 * 10) / 400 AS n,
	   i * 31337 % 1009 / 1009::float8 < 1 / (1 + exp(-(0.5 * (i * 37 % 50) / 10 - 1.2 + (i * 7 % 4 = 2)::int))) AS bought
FROM generate_series(1, 600) i;
CREATE VIEW combine_asked AS SELECT id, visits * 1.5 AS visits, CASE WHEN id % 13 > 0 THEN age END AS age, CASE WHEN id % 17 = 0 THEN 'new' ELSE city END AS city, mobile, seen_at + interval '77 minutes' AS seen_at, place, said,
	coalesce(exposure, 0) AS exposure, kind FROM combine_rows;
SELECT status FROM dmp.train('combine_plain', 'SELECT visits, age, city, mobile, bought FROM combine_rows', 'bought', lambda => 0.001);
SELECT status FROM dmp.train('combine_coded', 'SELECT id, visits, age, city, mobile, seen_at, place, bought FROM combine_rows', 'bought', key => '{id}', lambda => 0.01,
	options => '{"encode": {"visits": {"encode": "woe", "bins": 4}, "age": {"encode": "bins", "bins": 3}, "city": "target", "seen_at": "parts"}, "interactions": ["age:mobile", "visits:city"], "impute": {"age": "median"}}');
SELECT status FROM dmp.train('combine_platt', 'SELECT visits, age, city, bought FROM combine_rows', 'bought', lambda => 0.1);
SELECT method FROM dmp.calibrate('combine_platt', 'combine_rows');
SELECT status FROM dmp.train('combine_isotonic', 'SELECT visits, age, city, bought FROM combine_rows', 'bought', lambda => 0.1);
SELECT method FROM dmp.calibrate('combine_isotonic', 'combine_rows', 'isotonic');
SELECT count(*) FROM dmp.set_threshold('combine_platt', 0.45, reject => 0.6);
SELECT status FROM dmp.train('combine_gaussian', 'SELECT visits, age, city, n::float8 AS n FROM combine_rows', 'n', family => 'gaussian', lambda => 0.001);
SELECT status FROM dmp.train('combine_poisson', 'SELECT visits, age, city, exposure, n FROM combine_rows', 'n', family => 'poisson', options => '{"base_margin": "exposure"}');
SELECT status FROM dmp.train('combine_classes', 'SELECT visits, age, city, kind FROM combine_rows', 'kind', lambda => 0.001);
SELECT status FROM dmp.train('combine_words', 'SELECT visits, said, bought FROM combine_rows', 'bought', lambda => 0.001, options => '{"encode": {"said": "ngrams"}}');
SELECT status FROM dmp.train('combine_groups', 'SELECT visits, age, city, mobile, bought FROM combine_rows', 'bought', by => '{city}', lambda => 0.01);

CREATE TABLE combine_written (LIKE combine_rows);
ALTER TABLE combine_written ADD score float8, ADD class text;
CREATE FUNCTION combine_ways(model text) RETURNS TABLE (way text, rows bigint, answer text) LANGUAGE plpgsql AS $$
DECLARE
	-- one number a row that all ways must agree on
	several boolean := (SELECT family = 'multinomial' FROM dmp.models m WHERE m.model = combine_ways.model);
	numbers boolean := (SELECT family IN ('gaussian', 'poisson') FROM dmp.models m WHERE m.model = combine_ways.model);
	score text := CASE WHEN several THEN '(SELECT max(value::float8) FROM jsonb_each_text(dmp.class_probabilities(%s, %s)))' ELSE 'dmp.predict(%s, %s)' END;
	ref text := quote_literal(model);
	ways text[][] := ARRAY[
		['record', format(score, '(SELECT dmp.model_value(' || ref || '))', 'a')],
		['json', format(score, ref, 'to_jsonb(a)')],
		['text', format(score, ref, 'to_json(a)::text')],
		['exported and imported', format(score, quote_literal('combine_copy'), 'a')],
		['written', 'w.score'],
		['score', 's.score'],
		['SQL', NULL]];
	i int;
BEGIN
	PERFORM dmp.import_model('combine_copy', dmp.model_json(model));
	EXECUTE format('CREATE OR REPLACE TRIGGER score BEFORE INSERT ON combine_written FOR EACH ROW EXECUTE FUNCTION dmp.score_row(%L, ''score'' %s)', model, CASE WHEN NOT numbers THEN ', ''class''' END);
	TRUNCATE combine_written;
	INSERT INTO combine_written (id, visits, age, city, mobile, seen_at, place, said, exposure, kind) SELECT * FROM combine_asked;
	DROP TABLE IF EXISTS combine_scores;
	PERFORM dmp.score(model, 'combine_asked', 'combine_scores', key => '{id}', if_exists => 'replace');
	FOR i IN 1..array_length(ways, 1) LOOP
		way := ways[i][1];
		BEGIN
			IF way = 'SQL' THEN
				ways[i][2] := CASE WHEN several THEN format('SELECT max(value::float8) FROM jsonb_each_text(%s)', dmp.model_sql(model)) ELSE dmp.model_sql(model) END;
			END IF;
			EXECUTE format('SELECT count(*) FROM combine_asked a %s WHERE abs((%s) - (%s)) <= 1e-12 * greatest(1, abs(%s))',
				CASE WHEN way <> 'SQL' THEN 'JOIN combine_written w USING (id) JOIN combine_scores s USING (id)' END,
				ways[i][2], format(score, ref, 'a'), format(score, ref, 'a')) INTO rows;
			answer := NULL;
		EXCEPTION WHEN OTHERS THEN
			rows := NULL;
			answer := SQLERRM;
		END;
		RETURN NEXT;
	END LOOP;
	BEGIN
		way := 'class';
		IF NOT numbers THEN
			SELECT count(*) INTO rows FROM combine_asked a JOIN combine_written w USING (id) JOIN combine_scores s USING (id)
			WHERE w.class IS NOT DISTINCT FROM dmp.classify(combine_ways.model, a) AND s.class IS NOT DISTINCT FROM w.class AND dmp.classify('combine_copy', to_jsonb(a)) IS NOT DISTINCT FROM w.class;
			answer := NULL;
		ELSE
			PERFORM dmp.classify(combine_ways.model, a) FROM combine_asked a;
		END IF;
	EXCEPTION WHEN OTHERS THEN
		rows := NULL;
		answer := SQLERRM;
	END;
	RETURN NEXT;
	FOREACH way IN ARRAY ARRAY['explain', 'reasons', 'scorecard', 'pmml'] LOOP
		BEGIN
			EXECUTE CASE way
				WHEN 'explain' THEN 'SELECT count(*) FROM combine_asked a WHERE abs((SELECT sum(contribution) FROM dmp.explain($1, a) WHERE feature <> ''(calibration)'') - dmp.margin($1, a)) < 1e-9'
				WHEN 'reasons' THEN 'SELECT count(*) FROM combine_asked a WHERE cardinality(dmp.reasons($1, a)) BETWEEN 1 AND 3'
				WHEN 'scorecard' THEN 'SELECT count(*) FROM dmp.scorecard($1)'
				ELSE 'SELECT (dmp.model_pmml($1) LIKE ''%</PMML>%'')::int' END INTO rows USING model;
			answer := NULL;
		EXCEPTION WHEN OTHERS THEN
			rows := NULL;
			answer := SQLERRM;
		END;
		RETURN NEXT;
	END LOOP;
END $$;
\pset format unaligned
SET client_min_messages = warning;
SELECT * FROM combine_ways('combine_plain');
SELECT * FROM combine_ways('combine_coded');
SELECT * FROM combine_ways('combine_platt');
SELECT * FROM combine_ways('combine_isotonic');
SELECT * FROM combine_ways('combine_gaussian');
SELECT * FROM combine_ways('combine_poisson');
SELECT * FROM combine_ways('combine_classes');
SELECT * FROM combine_ways('combine_words');
SELECT * FROM combine_ways('combine_groups');
RESET client_min_messages;
\pset format aligned
SELECT count(*) FROM (SELECT DISTINCT model FROM dmp.models WHERE model ~ '^combine_') m, dmp.drop_model(m.model);
DROP TABLE combine_rows, combine_written, combine_scores CASCADE;
DROP FUNCTION combine_ways;
