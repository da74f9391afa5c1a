-- steps of a recipe: text, email, phone, url, number, map, clip, derive, scale robust
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS dmp;
RESET client_min_messages;
SET timezone = 'UTC';
SET datestyle = 'ISO, MDY';
DELETE FROM dmp.quarantine;

CREATE TABLE steps_people (i int, mail text, phone varchar(20), site text, price text, country varchar(20), note char(8));
INSERT INTO steps_people VALUES
	(1, ' Ann <Ann@Example.ORG> ', '030 901820', 'HTTP://Example.org:80/a/../b', '1.234,50 €', 'UK', 'a  b'),
	(2, 'bob@example.org', '+4930901820', 'http://example.org/', '12', 'GB', 'ab'),
	(3, 'nobody', '12', 'no address', 'a lot', '?', NULL),
	(4, NULL, NULL, NULL, NULL, NULL, NULL);
-- what is none rejects the row, as with cast
SELECT * FROM dmp.clean('steps_people', 'steps_1', '[{"text":"note"},{"email":"mail"},{"phone":{"phone":"de"}},{"url":["site"]},{"number":{"price":{"decimal_mark":","}}}]');
TABLE steps_1 ORDER BY i;
SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = 'steps_1'::regclass AND attnum > 0 ORDER BY attnum;
SELECT origin, column_name, sqlstate, reason, record::json->>'i' AS i FROM dmp.quarantine ORDER BY id;
-- several columns of one step, and from a query
SELECT column_name, rows_in, rows_out, rows_quarantined FROM dmp.clean('SELECT i, site, site AS other FROM steps_people', 'steps_2', '[{"url":["site","other"]}]');
SELECT column_name, reason FROM dmp.quarantine WHERE recipe = 'steps_2';
-- or becomes missing, counted and sampled
SELECT * FROM dmp.clean('steps_people', 'steps_3', '[{"email":"mail","action":"missing"},{"phone":"phone","action":"missing"},{"number":{"price":","},"action":"missing"},{"url":"site","action":"missing"}]');
TABLE steps_3 ORDER BY i;
-- or stays
SELECT * FROM dmp.clean('steps_people', 'steps_4', '[{"email":"mail","action":"keep"},{"phone":"phone","action":"keep"},{"url":"site","action":"keep"}]');
TABLE steps_4 ORDER BY i;
SELECT rows_in, rows_out, rows_quarantined FROM dmp.clean('steps_people', 'steps_5', '[{"email":"mail","quarantine":false}]');
-- the compiled SELECT has the same rows
SELECT dmp.clean_sql('steps_people', '[{"trim":"*"},{"email":"mail","action":"keep"},{"phone":{"phone":"DE"},"action":"missing"},{"number":{"price":","}}]') AS compiled \gset
:compiled;

-- map: values of the column's type; null makes missing
SELECT * FROM dmp.clean('steps_people', 'steps_m1', '[{"trim":"country"},{"map":{"country":{"UK":"GB","?":null,"GB":"GB"},"i":{"01":10,"2":null}}}]');
SELECT i, country, pg_typeof(country) FROM steps_m1 ORDER BY 1, 2;
SELECT * FROM dmp.clean('steps_people', 'steps_m2', '[{"map":{"country":{"UK":"GB"}},"otherwise":"missing"}]');
SELECT i, country FROM steps_m2 ORDER BY i;
DELETE FROM dmp.quarantine;
SELECT * FROM dmp.clean('steps_people', 'steps_m3', '[{"map":{"country":{"UK":"GB","GB":"GB"},"i":{"1":1,"4":4}},"otherwise":"quarantine"}]');
SELECT i, country FROM steps_m3 ORDER BY i;
SELECT column_name, sqlstate, reason FROM dmp.quarantine ORDER BY id;
-- of any type that has an equality
CREATE TYPE steps_mood AS ENUM ('sad', 'ok', 'happy');
CREATE DOMAIN steps_small AS numeric(4,1) NOT NULL CHECK (VALUE < 100);
CREATE TABLE steps_types AS SELECT 'sad'::steps_mood AS mood, 1.50::numeric AS n, 1.5::steps_small AS d, '{"a": 1}'::jsonb AS j, 'x '::char(3) AS c, '10.0.0.1'::inet AS ip, 'NaN'::float8 AS f, true AS b, '2024-01-01'::date AS at, B'101' AS bits, '1'::xml AS x, '(1,2)'::point AS p;
SELECT * FROM dmp.clean('steps_types', 'steps_m4', '[{"map":{"mood":{"sad":"happy"},"n":{"1.5":2},"d":{"1.5":99.9},"j":{"{\"a\":1}":"[2]"},"c":{"x":"y"},"ip":{"10.0.0.1/32":"::1"},"f":{"NaN":0},"b":{"t":false},"at":{"2024-01-01":"2025-01-01"},"bits":{"101":"1"}}}]');
TABLE steps_m4;
SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = 'steps_m4'::regclass AND attnum > 0 ORDER BY attnum;

-- clip: bounds of the finite values that reach the step
CREATE TABLE steps_prices AS SELECT i, (i % 11)::float8 AS f, i % 11 AS k, (i % 11)::numeric(6,2) AS n, 5 AS same FROM generate_series(1, 110) i;
INSERT INTO steps_prices VALUES (111, 1000, 1000, 1000, 1000), (112, -1000, -1000, -1000, -1000), (113, 'NaN', NULL, 'NaN', NULL), (114, 'infinity', NULL, NULL, NULL), (115, '-infinity', NULL, NULL, NULL);
CREATE FUNCTION steps_clip(step text) RETURNS TABLE(i int, f float8, k int, n numeric, same int) LANGUAGE plpgsql AS $$
BEGIN
	PERFORM dmp.clean('steps_prices', 'steps_clipped', json_build_array(step::json));
	RETURN QUERY EXECUTE 'SELECT * FROM steps_clipped WHERE i > 110 ORDER BY 1';
	DROP TABLE steps_clipped;
END $$;
SELECT * FROM steps_clip('{"clip":{"f":"iqr","k":"iqr","n":"iqr","same":"iqr"}}');
SELECT * FROM steps_clip('{"clip":{"f":"mad","k":"mad","n":{"method":"mad","k":2},"same":"mad"}}');
SELECT * FROM steps_clip('{"clip":{"f":{"method":"z_score","k":2},"k":{"method":"z_score","k":2}}}');
SELECT * FROM steps_clip('{"clip":{"f":{"method":"quantile","low":0.1,"high":0.9},"k":{"method":"quantile","high":0.9},"n":{"method":"quantile","low":0.1}}}');
SELECT * FROM steps_clip('{"clip":{"f":{"method":"range","low":-5,"high":500},"k":{"method":"range","low":0.5,"high":99.5},"n":{"method":"range","high":7.25},"same":{"method":"range","low":0}}}');
SELECT * FROM steps_clip('{"clip":{"f":{"method":"range","low":-5,"high":500},"k":"iqr","n":"mad"},"action":"missing"}');
DELETE FROM dmp.quarantine;
SELECT * FROM steps_clip('{"clip":{"f":{"method":"range","low":-5,"high":500},"k":{"method":"iqr","action":"clip"},"n":"mad"},"action":"quarantine"}');
SELECT column_name, sqlstate, reason FROM dmp.quarantine ORDER BY id;
SELECT column_name, rows_in, rows_out, rows_quarantined FROM dmp.clean('SELECT * FROM steps_prices', 'steps_c2', '[{"clip":{"f":"iqr","n":{"method":"range","low":1}},"action":"quarantine"},{"clip":{"k":"mad"},"action":"quarantine","quarantine":false}]');
SELECT column_name, count(*) FROM dmp.quarantine WHERE recipe = 'steps_c2' GROUP BY 1 ORDER BY 1;
-- by hand
SELECT cells_changed FROM dmp.clean('steps_prices', 'steps_c3', '[{"clip":{"f":"iqr"}}]');
SELECT count(*) FILTER (WHERE c.f IS DISTINCT FROM greatest(b.q1 - 1.5 * (b.q3 - b.q1), least(b.q3 + 1.5 * (b.q3 - b.q1), p.f))) AS wrong, count(*) FROM
	(SELECT percentile_cont(0.25) WITHIN GROUP (ORDER BY f) AS q1, percentile_cont(0.75) WITHIN GROUP (ORDER BY f) AS q3 FROM steps_prices WHERE f - f = 0) b,
	steps_prices p JOIN steps_c3 c USING (i) WHERE p.f <> 'NaN';
SELECT format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = 'steps_c3'::regclass AND attname = 'n';

-- derive: all see the columns as they were before the step
SELECT * FROM dmp.clean('steps_prices', 'steps_d1', '[{"require":"k <> 0"},{"derive":{"share":"100.0 / k","k":"f","f":"k","word":"''it''''s''","\"; --":"n::numeric(5,1) -- a comment"}}]');
SELECT i, f, k, share, word, """; --" FROM steps_d1 WHERE i IN (1, 2, 111) ORDER BY i;
SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = 'steps_d1'::regclass AND attnum > 0 ORDER BY attnum;
-- an expression is not computed for rows that are gone, in any form; later steps see the new column
DELETE FROM dmp.quarantine;
SELECT step, action, column_name, rows_in, rows_out, rows_quarantined FROM dmp.clean('SELECT * FROM steps_prices', 'steps_d2', '[{"require":"k <> 0"},{"derive":{"share":"100 / k"}},{"require":"share > 10"},{"rename":{"share":"part"}},{"derive":{"part":"part + 1","more":"part"}},{"clip":{"more":"iqr"}}]');
SELECT reason, count(*) FROM dmp.quarantine GROUP BY 1 ORDER BY 1;
SELECT i, part, more FROM steps_d2 WHERE i < 5 ORDER BY i;
-- names after rename and select are those of the step
SELECT dmp.clean_sql('steps_prices', '[{"select":["i"]},{"derive":{"x":"k + 1"}}]');
SELECT dmp.clean_sql('steps_prices', '[{"select":["i"]},{"require":"k > 1"}]');
SELECT dmp.clean_sql('steps_prices', '[{"rename":{"k":"kk"}},{"derive":{"x":"k + 1"}}]');
SELECT dmp.clean_sql('steps_prices', '[{"rename":{"k":"i","i":"k"}},{"derive":{"x":"k + 1"}}]') AS compiled \gset
SELECT * FROM (:compiled) c ORDER BY k LIMIT 2;

-- scale robust
SELECT column_name, cells_changed FROM dmp.clean('steps_prices', 'steps_s1', '[{"scale":{"f":"robust","k":"robust","same":"robust"}}]');
SELECT count(*) FILTER (WHERE s.f IS DISTINCT FROM (p.f - 5) / 6) AS wrong, count(*) FROM steps_s1 s JOIN steps_prices p USING (i);
SELECT percentile_cont(ARRAY[0.25, 0.5, 0.75]) WITHIN GROUP (ORDER BY f) FROM steps_prices WHERE f - f = 0;
SELECT i, f, k, same FROM steps_s1 WHERE i > 109 ORDER BY i;

-- the counted, the plain and the traced form agree, also in parallel
CREATE TABLE steps_many AS SELECT i, CASE WHEN i % 7 = 0 THEN 'not a number' ELSE (i % 100)::text END AS v, 'User' || i || CASE WHEN i % 11 = 0 THEN '' ELSE '@x.org' END AS mail, (ARRAY['a', 'b', 'c'])[1 + i % 3] AS c FROM generate_series(1, 20000) i;
\set steps '[{"number":"v","action":"missing"},{"email":"mail"},{"map":{"c":{"a":"A","b":null}}},{"derive":{"twice":"v * 2"}},{"clip":{"v":{"method":"range","high":90}},"action":"quarantine"},{"clip":{"twice":{"method":"range","low":10}}}]'
DELETE FROM dmp.quarantine;
SET max_parallel_workers_per_gather = 0;
SELECT * FROM dmp.clean('steps_many', 'steps_serial', :'steps');
SET max_parallel_workers_per_gather = 2;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SET client_min_messages = warning;
SELECT * FROM dmp.clean('SELECT * FROM steps_many', 'steps_parallel', :'steps');
RESET client_min_messages;
SELECT dmp.clean_sql('steps_many', :'steps') AS compiled \gset
SELECT count(*) FROM ((TABLE steps_serial EXCEPT ALL TABLE steps_parallel) UNION ALL (:compiled EXCEPT ALL TABLE steps_serial)) d;
SELECT count(*), sum(v), sum(twice), count(c) FROM steps_serial;
SELECT count(*) FILTER (WHERE recipe = 'steps_serial') AS serial, count(*) FILTER (WHERE recipe = 'steps_parallel') AS parallel, count(DISTINCT (record, reason)) FROM dmp.quarantine;
EXPLAIN (COSTS off) :compiled;
RESET max_parallel_workers_per_gather;
RESET parallel_setup_cost;
RESET parallel_tuple_cost;
RESET min_parallel_table_scan_size;
DELETE FROM dmp.quarantine;
DROP FUNCTION steps_clip;

-- time: by formats, by forms that say what is what, in a zone
CREATE TABLE steps_times (i int, at text, due varchar(30));
INSERT INTO steps_times VALUES (1, '06/07/2024 3:30 PM', '2024年6月1日'), (2, '31/12/2023 11:59 AM', '2024-06-01 12:00'), (3, '12/31/2023 11:59 AM', '06/07/2024'), (4, NULL, NULL);
SELECT * FROM dmp.clean('steps_times', 'steps_t1', '[{"time":{"at":{"formats":["DD/MM/YYYY HH12:MI AM","MM/DD/YYYY HH12:MI AM"],"zone":"America/New_York"}}},{"time":["due"],"action":"missing"}]');
SELECT * FROM steps_t1 ORDER BY i;
SELECT * FROM dmp.clean('steps_times', 'steps_t2', '[{"time":{"at":"DD/MM/YYYY HH12:MI AM"}}]');
SELECT i, at FROM steps_t2 ORDER BY i;
SELECT column_name, sqlstate, reason FROM dmp.quarantine WHERE recipe = 'steps_t2';
SELECT dmp.clean_sql('steps_times', '[{"time":{"at":{"formats":["DD/MM/YYYY"],"zone":"Asia/Shanghai"}},"action":"missing"}]');
SELECT dmp.clean_sql('steps_times', '[{"time":{"at":{"formats":["DD/MM/QQ"]}}}]');
SELECT dmp.clean_sql('steps_times', '[{"time":{"at":{"zone":"Mars"}}}]');
SELECT dmp.clean_sql('steps_times', '[{"time":{"at":{"format":"DD"}}}]');
SELECT dmp.clean_sql('steps_times', '[{"time":{"at":[5]}}]');
SELECT dmp.clean_sql('steps_times', '[{"time":"at","action":"keep"}]');
SELECT dmp.clean_sql('steps_times', '[{"phone":{"at":"Germany"}}]');
SELECT dmp.clean_sql('steps_times', '[{"number":{"at":";"}}]');

-- "*" is what the action, or the method, fits
SELECT column_name, cells_changed FROM dmp.clean('steps_people', 'steps_s2', '[{"map":{"*":{"UK":"GB"}}},{"fill":{"*":"none"}},{"fill":{"*":0}},{"fill":{"*":"mean"}}]');
SELECT column_name, cells_changed FROM dmp.clean('SELECT i, f, n, ''x'' AS t FROM steps_prices', 'steps_s3', '[{"clip":{"*":"iqr","i":{"method":"range","high":50}}},{"fill":{"*":"median"}}]');

-- volatile expressions are computed once
SELECT rows_in, rows_out + rows_quarantined AS sum FROM dmp.clean('SELECT * FROM steps_many', 'steps_v1', '[{"derive":{"r":"random()"}},{"require":"r < 0.5"},{"require":"random() < 0.5"}]') WHERE step = 2;
SELECT count(*) FILTER (WHERE r >= 0.5) AS wrong FROM steps_v1;
SELECT count(*) = 20000 AS all_there FROM (SELECT i FROM steps_v1 UNION SELECT (record::json->>'i')::int FROM dmp.quarantine WHERE recipe = 'steps_v1') u;
DELETE FROM dmp.quarantine;
-- a map of many values; a key that is given twice among many
SELECT cells_changed FROM dmp.clean('steps_many', 'steps_m5', (SELECT json_build_array(json_build_object('map', json_build_object('mail', json_object_agg('User' || i || '@x.org', i)))) FROM generate_series(1, 15000) i));
SELECT count(*) FILTER (WHERE mail = i::text) FROM steps_m5;
SELECT dmp.clean_sql('steps_many', (SELECT json_build_array(json_build_object('map', json_build_object('mail', json_object_agg('User' || i % 99, i)))) FROM generate_series(1, 100) i));
