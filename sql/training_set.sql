-- labels and training sets: point in time, against brute force
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS dmp;
SELECT count(*) > 0 AS ready FROM dmp.setup();
RESET client_min_messages;
CREATE SCHEMA train;
SET search_path = train, public;
SET TimeZone = 'America/New_York';

CREATE TABLE events (user_id int, at timestamptz, known timestamptz, device text, value numeric);
INSERT INTO events
SELECT (i * 7919) % 60, t, t + ((i * 31) % 10) * interval '6 hours',
	   CASE i % 4 WHEN 0 THEN NULL WHEN 1 THEN 'mobile' ELSE 'web' END, CASE WHEN i % 3 = 0 THEN i % 50 END
FROM (SELECT i, timestamptz '2024-02-01Z' + ((i::bigint * 104729) % 5184000) * interval '1 second' AS t FROM generate_series(1, 2000) i) s;
INSERT INTO events SELECT u, t + d, t + d, 'mobile', 1000
FROM unnest(ARRAY[5, 6, 70]) u, unnest(ARRAY[timestamptz '2024-03-10 05:00Z', '2024-03-15Z']) t,
	 unnest(ARRAY[interval '0', '-1 microsecond', '-7 days', '-24 hours', '7 days', '6 days 23:59:59.999999']) d;
INSERT INTO events VALUES (NULL, '2024-02-10', '2024-02-10', 'web', 1), (7, NULL, NULL, 'web', 1), (71, '-infinity', '-infinity', 'web', 1), (8, '2024-02-10', NULL, 'web', 1);
SELECT * FROM dmp.create_feature_set('short', 'events', 'user_id', 'at', '{"clicks": {"agg": "count", "windows": ["1d", "7d", "1mon"]}, "spend": {"agg": "sum", "of": "value", "windows": ["7d"]}, "mobile": {"agg": "count", "where": "device = ''mobile''", "windows": ["7d"]}}');
SELECT * FROM dmp.create_feature_set('life', 'events', 'user_id', 'at', '{"total": {"agg": "count"}, "most": {"agg": "max", "of": "value"}, "recency": {"agg": "recency"}, "last_device": {"agg": "last", "of": "device"}, "pace": {"agg": "rate", "windows": ["7d"]}}');
SELECT * FROM dmp.create_feature_set('known', 'events', 'user_id', 'at', '{"known_total": {"agg": "count"}, "known_7d": {"agg": "sum", "of": "value", "windows": ["7d"]}}', known_at => 'known');
SELECT * FROM dmp.create_feature_set('delayed', 'events', 'user_id', 'at', '{"late_total": {"agg": "count"}}', delay => '12 hours');

-- labels: the entities known before each time, and what came of them
SELECT * FROM dmp.labels('life', 'value > 40', '7 days', ARRAY[timestamptz '2024-02-01 00:00Z', '2024-02-20Z', '2024-03-10 05:00Z', '2024-03-15Z', '2024-03-15Z'], 'labels');
SELECT count(*) AS rows, count(*) FILTER (WHERE l.label IS DISTINCT FROM b.label) AS differ, count(*) FILTER (WHERE b.label) AS positives
FROM labels l FULL JOIN (
	SELECT u.user_id, t.at, EXISTS (SELECT FROM events e WHERE e.user_id = u.user_id AND e.value > 40 AND e.at >= t.at AND e.at < t.at + interval '168 hours') AS label
	FROM unnest(ARRAY[timestamptz '2024-02-01 00:00Z', '2024-02-20Z', '2024-03-10 05:00Z', '2024-03-15Z']) t(at),
		(SELECT DISTINCT user_id FROM events) u
	WHERE EXISTS (SELECT FROM events e WHERE e.user_id = u.user_id AND e.at < t.at AND e.at > '-infinity')
) b USING (user_id, at);
SELECT conkey, obj_description('labels'::regclass) FROM pg_constraint WHERE conrelid = 'labels'::regclass AND contype = 'p';
-- the edges: at counts, the end does not
SELECT * FROM dmp.labels('life', 'value = 1000', '7 days', '{2024-03-15 00:00Z}', 'edges');
SELECT user_id, label FROM edges WHERE user_id IN (5, 70) ORDER BY 1;
SELECT * FROM dmp.labels('life', 'value = 1000 AND at >= ''2024-03-21 23:59:59.999999Z''', '6 days 23:59:59.999999', '{2024-03-15 00:00Z}', 'edges', if_exists => 'replace');
SELECT * FROM dmp.labels('life', 'value = 1000 AND at >= ''2024-03-21 23:59:59.999999Z''', '7 days', '{2024-03-15 00:00Z}', 'edges', if_exists => 'upsert');
-- with an entities query everybody in it has a label
SELECT * FROM dmp.create_feature_set('everybody', 'events', 'user_id', 'at', '{"everybody": {"agg": "count"}}', entities => 'SELECT g AS user_id FROM generate_series(1, 100) g');
SELECT * FROM dmp.labels('everybody', 'true', '1 day', '{2024-02-01 00:00Z,2024-03-15Z}', 'all_labels');
SELECT count(*) AS rows, count(*) FILTER (WHERE l.label IS DISTINCT FROM EXISTS (SELECT FROM events e WHERE e.user_id = l.user_id AND e.at >= l.at AND e.at < l.at + interval '24 hours')) AS differ FROM all_labels l;

-- brute force of all sets at a key
CREATE FUNCTION brute(u int, t timestamptz) RETURNS jsonb LANGUAGE sql STABLE AS $$
WITH e AS (SELECT * FROM train.events WHERE user_id = u AND at < t AND at > '-infinity'),
	k AS (SELECT * FROM e WHERE known < t)
SELECT jsonb_build_object(
  'clicks_1d', (SELECT count(*) FROM e WHERE at >= t - interval '24 hours'),
  'clicks_7d', (SELECT count(*) FROM e WHERE at >= t - interval '168 hours'),
  'clicks_1mon', (SELECT count(*) FROM e WHERE at >= (t AT TIME ZONE 'UTC' - interval '1 month') AT TIME ZONE 'UTC'),
  'spend_7d', coalesce((SELECT sum(value) FROM e WHERE at >= t - interval '168 hours'), 0),
  'mobile_7d', (SELECT count(*) FROM e WHERE at >= t - interval '168 hours' AND device = 'mobile'),
  'total', (SELECT count(*) FROM e), 'most', (SELECT max(value) FROM e),
  'recency', (SELECT round((extract(epoch FROM t - max(at)) / 86400)::numeric, 9) FROM e),
  'last_device', (SELECT device FROM e WHERE device IS NOT NULL ORDER BY at DESC, device LIMIT 1),
  'pace_7d', (SELECT round(nullif(count(*), 0) / 7.0, 9) FROM e WHERE at >= t - interval '168 hours'),
  'known_total', (SELECT count(*) FROM k), 'known_7d_7d', coalesce((SELECT sum(value) FROM k WHERE at >= t - interval '168 hours'), 0),
  'late_total', (SELECT count(*) FROM e WHERE at + interval '12 hours' < t))
$$;
CREATE FUNCTION differing(tbl regclass) RETURNS TABLE(rows bigint, differ bigint, positives bigint) LANGUAGE plpgsql AS $$
BEGIN
	RETURN QUERY EXECUTE format($q$
		SELECT count(*), count(*) FILTER (WHERE to_jsonb(t) - '{user_id,at,label,weight}'::text[]
			|| jsonb_build_object('recency', round(recency::numeric, 9), 'pace_7d', round(pace_7d::numeric, 9))
			IS DISTINCT FROM train.brute(user_id, at)), count(*) FILTER (WHERE label)
		FROM %s t$q$, tbl);
END $$;
SET dmp.progress = on;
-- few times, everybody: a scan for each time
SELECT * FROM dmp.training_set('{short,life,known,delayed}', 'labels', 'dense');
SELECT * FROM differing('dense');
-- a time for each label, also entities and times without events
CREATE TABLE scattered AS SELECT (i * 17) % 75 AS user_id, timestamptz '2024-01-25Z' + i * interval '3 hours 7 minutes' AS at, i % 2 = 0 AS label, i AS weight FROM generate_series(1, 500) i;
INSERT INTO scattered SELECT u, t, true, 0 FROM unnest(ARRAY[5, 6, 70, 71, 999]) u, unnest(ARRAY[timestamptz '2024-03-10 05:00Z', '2024-03-15Z', '2024-03-09 05:00Z']) t;
SELECT * FROM dmp.training_set('{short,life,known,delayed}', 'TABLE scattered;', 'sparse');
SELECT * FROM differing('sparse');
RESET dmp.progress;
-- both give the same for the same keys
SELECT * FROM dmp.training_set('{short,life,known,delayed}', 'SELECT user_id, at, label FROM labels UNION ALL SELECT -i, timestamptz ''2023-01-01Z'' + i * interval ''1 day'', false FROM generate_series(1, 300) i', 'mixed');
SELECT count(*) FROM (SELECT * FROM mixed WHERE user_id > 0 OR user_id = 0 EXCEPT SELECT * FROM dense) d;
-- no leak: an event at exactly the time changes nothing
SELECT * FROM dmp.training_set('{life}', 'SELECT 5 AS user_id, timestamptz ''2024-03-15Z'' AS at, true AS label', 'before');
INSERT INTO events SELECT 5, '2024-03-15Z', '2024-03-14Z', 'leak', 1e9 FROM generate_series(1, 3);
SELECT * FROM dmp.training_set('{life}', 'SELECT 5 AS user_id, timestamptz ''2024-03-15Z'' AS at, true AS label', 'after');
SELECT count(*) FROM (TABLE before EXCEPT TABLE after) d;
DELETE FROM events WHERE device = 'leak';

-- parallel = serial
SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0;
SELECT * FROM dmp.training_set('{short,life,known,delayed}', 'scattered', 'parallel');
RESET parallel_setup_cost; RESET parallel_tuple_cost; RESET min_parallel_table_scan_size;
SELECT count(*) FROM ((TABLE parallel EXCEPT TABLE sparse) UNION ALL (TABLE sparse EXCEPT TABLE parallel)) d;

-- columns in order; the key is known from the table itself, through renames
SELECT string_agg(attname, ' ' ORDER BY attnum) FROM pg_attribute WHERE attrelid = 'dense'::regclass AND attnum > 0;
SELECT obj_description('dense'::regclass);
SELECT c.conkey, obj_description(c.oid, 'pg_constraint') FROM pg_constraint c WHERE conrelid = 'dense'::regclass AND contype = 'p';
-- if_exists
SELECT * FROM dmp.training_set('{short}', 'labels', 'dense');
SELECT * FROM dmp.training_set('{short}', 'labels', 'dense', if_exists => 'replace');
SELECT * FROM dmp.training_set('{short,life,known,delayed}', 'labels', 'dense', if_exists => 'replace');
SELECT * FROM differing('dense');
SELECT * FROM dmp.training_set('{short,life,known,delayed}', 'SELECT * FROM labels WHERE user_id < 5', 'dense', if_exists => 'upsert');
SELECT * FROM differing('dense');
-- two entities of different width, attributes, several labels
CREATE TABLE profile (user_id int, country text);
INSERT INTO profile VALUES (5, 'DE'), (6, 'FR');
SELECT * FROM dmp.create_feature_set('profile', 'profile', 'user_id', NULL, '{"country": {"agg": "mode", "of": "country"}, "profiles": {"agg": "count"}}');
SELECT * FROM dmp.create_feature_set('by_device', 'events', 'user_id, device', 'at', '{"here": {"agg": "count"}}');
SELECT * FROM dmp.training_set('{profile,by_device}', $$SELECT user_id, device, timestamptz '2024-03-15Z' AS at, user_id > 5 AS label, 0.5 AS other FROM (VALUES (5, 'web'), (6, 'mobile'), (7, 'tv')) v(user_id, device)$$, 'wide');
SELECT * FROM wide ORDER BY user_id;
SELECT here = (SELECT count(*) FROM events e WHERE e.user_id = w.user_id AND e.device = w.device AND e.at < w.at) AS same FROM wide w ORDER BY user_id;
-- no labels at all
SELECT * FROM dmp.training_set('{life}', 'SELECT * FROM labels WHERE false', 'none');
SELECT * FROM dmp.training_set('{life}', 'SELECT user_id, at FROM labels LIMIT 1', 'unlabelled');

-- errors
SELECT * FROM dmp.training_set('{lief}', 'labels', 'x');
SELECT * FROM dmp.training_set('{}', 'labels', 'x');
SELECT * FROM dmp.training_set('{life,life}', 'labels', 'x');
SELECT * FROM dmp.training_set('{life}', 'lables', 'x');
SELECT * FROM dmp.training_set('{life}', 'SELECT user_id AS usr_id, at, label FROM labels', 'x');
SELECT * FROM dmp.training_set('{life}', 'SELECT user_id, at::date AS at, label FROM labels', 'x');
SELECT * FROM dmp.training_set('{life}', 'SELECT user_id, at, label AS total FROM labels', 'x');
SELECT * FROM dmp.training_set('{life}', 'SELECT user_id, at, label, label FROM labels', 'x');
SELECT * FROM dmp.training_set('{life}', 'SELECT user_id, at, label FROM labels UNION ALL SELECT user_id, at, label FROM labels WHERE user_id = 7 AND at = ''2024-03-15Z''', 'x');
SELECT * FROM dmp.training_set('{life}', 'SELECT NULL::int AS user_id, now() AS at', 'x');
SELECT * FROM dmp.training_set('{life}', 'labels', 'x', if_exists => 'drop');
SELECT * FROM dmp.training_set('{life}', 'labels', NULL);
SELECT * FROM dmp.labels('lief', 'true', '1 day', '{2024-03-15}', 'x');
SELECT * FROM dmp.labels('profile', 'true', '1 day', '{2024-03-15}', 'x');
SELECT * FROM dmp.labels('life', 'value', '1 day', '{2024-03-15}', 'x');
SELECT * FROM dmp.labels('life', 'valu > 1', '1 day', '{2024-03-15}', 'x');
SELECT * FROM dmp.labels('life', 'true) OR (true', '1 day', '{2024-03-15}', 'x');
SELECT * FROM dmp.labels('life', 'true', '-1 day', '{2024-03-15}', 'x');
SELECT * FROM dmp.labels('life', 'true', '0', '{2024-03-15}', 'x');
SELECT * FROM dmp.labels('life', 'true', '1 day', '{}', 'x');
SELECT * FROM dmp.labels('life', 'true', '1 day', '{NULL}', 'x');
SELECT * FROM dmp.labels('life', 'true', '1 day', '{infinity}', 'x');
SELECT * FROM dmp.labels('life', 'true', '1 day', '{2024-03-15}', NULL);
-- the horizon must be over, with what is known late
SELECT * FROM dmp.labels('life', 'true', '30 days', '{2024-03-15 00:00Z,2100-01-01 00:00Z}', 'x');
SELECT * FROM dmp.labels('delayed', 'true', '1 mon', '{2100-01-01 00:00Z}', 'x');

-- rights: what one may not read, one may not train on
CREATE ROLE regress_train_ann;
SELECT count(*) > 0 AS ready FROM dmp.setup('regress_train_ann');
GRANT USAGE, CREATE ON SCHEMA train TO regress_train_ann;
GRANT SELECT ON labels TO regress_train_ann;
\set VERBOSITY terse
SET ROLE regress_train_ann;
SELECT * FROM dmp.training_set('{life}', 'labels', 'hers');
RESET ROLE;
GRANT SELECT ON feature.life TO regress_train_ann;
SET ROLE regress_train_ann;
SELECT * FROM dmp.training_set('{life}', 'labels', 'hers');
SELECT * FROM dmp.labels('life', 'true', '1 day', '{2024-03-15}', 'hers');
RESET ROLE;
GRANT SELECT ON events TO regress_train_ann;
CREATE POLICY five ON events TO regress_train_ann USING (user_id = 5);
ALTER TABLE events ENABLE ROW LEVEL SECURITY;
SET ROLE regress_train_ann;
SELECT * FROM dmp.training_set('{life}', 'labels', 'hers');
SELECT count(*) FILTER (WHERE total > 0) AS seen, count(DISTINCT user_id) FILTER (WHERE total > 0) AS users FROM hers;
SELECT * FROM dmp.labels('life', 'true', '1 day', '{2024-03-15 00:00Z}', 'her_labels');
SELECT user_id FROM her_labels;
RESET ROLE;
-- hostile names
CREATE TABLE "l; drop table labels; --" ("u""; --" int, at timestamptz, "y; --" boolean);
INSERT INTO "l; drop table labels; --" VALUES (5, '2024-03-15Z', true);
CREATE VIEW "e; --" AS SELECT user_id AS "u""; --", at AS "t'; --", value AS "v""; --" FROM events;
SELECT * FROM dmp.create_feature_set('s"; --', '"e; --"', 'u"; --', $$t'; --$$, '{"f''\"; --": {"agg": "sum", "of": "v\"; --", "windows": ["9y"]}}');
SELECT * FROM dmp.training_set(ARRAY['s"; --'], '"l; drop table labels; --"', '"i""; --"');
SELECT * FROM "i""; --";
SELECT * FROM dmp.labels('s"; --', $$"v""; --" > 3$$, '1 day', '{2024-03-15}', '"j; --"');

SET client_min_messages = warning;
DROP SCHEMA train CASCADE;
SELECT count(*) FROM (SELECT dmp.drop_feature_set(name) FROM (SELECT name FROM dmp.feature_sets OFFSET 0) s) d;
DROP OWNED BY regress_train_ann;
DROP ROLE regress_train_ann;
