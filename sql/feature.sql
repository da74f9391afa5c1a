-- feature sets: definitions, the three objects, their numbers against brute force
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS dmp;
SELECT count(*) > 0 AS ready FROM dmp.setup();
RESET client_min_messages;
CREATE SCHEMA shop;
SET search_path = shop, public;
-- a zone with clock changes: nothing below may depend on it
SET TimeZone = 'America/New_York';

-- events of 40 users with missing values, ties at the times asked for and at
-- the starts of their windows, times without a day and a night of 23 hours
CREATE TABLE events (user_id int, click_time timestamptz, device text, value numeric(10,2), ratio float8, n int, ok boolean);
INSERT INTO events
SELECT CASE WHEN i % 97 = 0 THEN NULL ELSE (i * 7919) % 40 END,
	   CASE WHEN i % 89 = 0 THEN NULL
			ELSE timestamptz '2024-01-15 00:00Z' + ((i::bigint * 104729) % 8640000) * interval '1 second' END,
	   CASE i % 5 WHEN 0 THEN NULL WHEN 1 THEN 'mobile' WHEN 2 THEN 'web' WHEN 3 THEN 'Web' ELSE 'app' END,
	   CASE WHEN i % 3 = 0 THEN (i % 1000) / 8.0 END,
	   CASE WHEN i % 4 <> 0 THEN (i % 77) / 7.0 END,
	   nullif(i % 11, 5), i % 6 = 0
FROM generate_series(1, 3000) i;
INSERT INTO events
SELECT u, t + d, 'mobile', 1, 1, 1, true
FROM unnest(ARRAY[1, 2, 41]) u,
	 unnest(ARRAY[timestamptz '2024-03-10 05:00Z', '2024-03-11 04:00Z', '2024-04-01 00:00Z']) t,
	 unnest(ARRAY[interval '0', '-1 microsecond', '1 microsecond', '-24 hours', '-24:00:00.000001', '-168 hours', '-720 hours']) d;
INSERT INTO events VALUES (3, '-infinity', 'web', 9, 9, 9, true), (3, 'infinity', 'web', 9, 9, 9, true),
	(42, '2024-03-01', NULL, NULL, NULL, NULL, NULL), (43, 'infinity', 'web', 1, 1, 1, true);

SELECT * FROM dmp.create_feature_set('users', 'events', 'user_id', 'click_time', $${
	"clicks": {"agg": "count", "windows": ["1d", "7d", "30d"]},
	"total": {"agg": "count"},
	"valued": {"agg": "count", "of": "value"},
	"spend": {"agg": "sum", "of": "value", "windows": ["7d", "2w", "1mon"]},
	"spent": {"agg": "sum", "of": "value * n"},
	"mean_ratio": {"agg": "avg", "of": "ratio", "windows": ["30d"]},
	"least": {"agg": "min", "of": "value"},
	"most": {"agg": "max", "of": "device"},
	"spread": {"agg": "stddev", "of": "value"},
	"kinds": {"agg": "count_distinct", "of": "device", "windows": ["720h"]},
	"usual": {"agg": "mode", "of": "device"},
	"first_device": {"agg": "first", "of": "device"},
	"last_device": {"agg": "last", "of": "device", "windows": ["30d"]},
	"share_ok": {"agg": "avg", "of": "ok"},
	"all_ok": {"agg": "min", "of": "ok", "windows": ["7d"]},
	"recency": {"agg": "recency"},
	"value_recency": {"agg": "recency", "of": "value", "where": "device = 'mobile'"},
	"gap": {"agg": "interval_mean", "windows": ["30d"]},
	"pace": {"agg": "rate", "windows": ["7d", "1mon"]},
	"life_pace": {"agg": "rate"},
	"mobile": {"agg": "count", "where": "device = 'mobile' OR device IS NULL", "windows": ["7d", "90min"]}
}$$);

-- brute force: every feature is a subquery of its own for every user
CREATE FUNCTION brute(t timestamptz) RETURNS SETOF feature.users LANGUAGE sql STABLE AS $$
WITH e AS (SELECT * FROM shop.events WHERE click_time < t AND click_time > '-infinity')
SELECT u.user_id,
  (SELECT count(*) FROM e WHERE e.user_id = u.user_id AND click_time >= t - interval '24 hours'),
  (SELECT count(*) FROM e WHERE e.user_id = u.user_id AND click_time >= t - interval '168 hours'),
  (SELECT count(*) FROM e WHERE e.user_id = u.user_id AND click_time >= t - interval '720 hours'),
  (SELECT count(*) FROM e WHERE e.user_id = u.user_id),
  (SELECT count(*) FROM e WHERE e.user_id = u.user_id AND value IS NOT NULL),
  coalesce((SELECT sum(value) FROM e WHERE e.user_id = u.user_id AND click_time >= t - interval '168 hours'), 0),
  coalesce((SELECT sum(value) FROM e WHERE e.user_id = u.user_id AND click_time >= t - interval '336 hours'), 0),
  coalesce((SELECT sum(value) FROM e WHERE e.user_id = u.user_id AND click_time >= (t AT TIME ZONE 'UTC' - interval '1 mon') AT TIME ZONE 'UTC'), 0),
  coalesce((SELECT sum(value * n) FROM e WHERE e.user_id = u.user_id), 0),
  (SELECT avg(ratio) FROM e WHERE e.user_id = u.user_id AND click_time >= t - interval '720 hours'),
  (SELECT value FROM e WHERE e.user_id = u.user_id AND value IS NOT NULL ORDER BY value LIMIT 1),
  (SELECT device FROM e WHERE e.user_id = u.user_id AND device IS NOT NULL ORDER BY device COLLATE "C" DESC LIMIT 1),
  (SELECT stddev_samp(value) FROM e WHERE e.user_id = u.user_id),
  (SELECT count(*) FROM (SELECT DISTINCT device FROM e WHERE e.user_id = u.user_id AND device IS NOT NULL AND click_time >= t - interval '720 hours') x),
  (SELECT device FROM e WHERE e.user_id = u.user_id AND device IS NOT NULL GROUP BY device ORDER BY count(*) DESC, device COLLATE "C" LIMIT 1),
  (SELECT device FROM e WHERE e.user_id = u.user_id AND device IS NOT NULL ORDER BY click_time, device COLLATE "C" LIMIT 1),
  (SELECT device FROM e WHERE e.user_id = u.user_id AND device IS NOT NULL AND click_time >= t - interval '720 hours' ORDER BY click_time DESC, device COLLATE "C" LIMIT 1),
  (SELECT avg(CASE WHEN ok THEN 1 WHEN NOT ok THEN 0 END) FROM e WHERE e.user_id = u.user_id),
  (SELECT NOT bool_or(NOT ok) FROM e WHERE e.user_id = u.user_id AND click_time >= t - interval '168 hours'),
  (SELECT extract(epoch FROM t - max(click_time)) / 86400 FROM e WHERE e.user_id = u.user_id)::float8,
  (SELECT extract(epoch FROM t - max(click_time)) / 86400 FROM e WHERE e.user_id = u.user_id AND value IS NOT NULL AND device = 'mobile')::float8,
  (SELECT avg(gap) FROM (SELECT extract(epoch FROM click_time - lag(click_time) OVER (ORDER BY click_time)) / 86400 AS gap FROM e WHERE e.user_id = u.user_id AND click_time >= t - interval '720 hours') x)::float8,
  (SELECT nullif(count(*), 0) / 7.0 FROM e WHERE e.user_id = u.user_id AND click_time >= t - interval '168 hours')::float8,
  (SELECT nullif(count(*), 0) / (extract(epoch FROM t - (t AT TIME ZONE 'UTC' - interval '1 mon') AT TIME ZONE 'UTC') / 86400) FROM e WHERE e.user_id = u.user_id AND click_time >= (t AT TIME ZONE 'UTC' - interval '1 mon') AT TIME ZONE 'UTC')::float8,
  (SELECT count(*) / (extract(epoch FROM t - min(click_time)) / 86400) FROM e WHERE e.user_id = u.user_id)::float8,
  (SELECT count(*) FROM e WHERE e.user_id = u.user_id AND click_time >= t - interval '168 hours' AND (device = 'mobile' OR device IS NULL)),
  (SELECT count(*) FROM e WHERE e.user_id = u.user_id AND click_time >= t - interval '90 min' AND (device = 'mobile' OR device IS NULL))
FROM (SELECT DISTINCT user_id FROM e WHERE user_id IS NOT NULL) u
$$;
-- a row as text to compare: averages and days to 9 digits, numbers without their scale
CREATE FUNCTION canonical(r feature.users) RETURNS jsonb LANGUAGE sql AS $$
	SELECT jsonb_object_agg(key, CASE WHEN jsonb_typeof(value) = 'number' AND key IN ('mean_ratio_30d', 'spread', 'share_ok', 'recency', 'value_recency', 'gap_30d', 'pace_7d', 'pace_1mon', 'life_pace')
		THEN to_jsonb(round(value::numeric, 9)) WHEN jsonb_typeof(value) = 'number' THEN to_jsonb(trim_scale(value::numeric)) ELSE value END) FROM jsonb_each(to_jsonb(r))
$$;
SELECT t AT TIME ZONE 'UTC' AS t, count(*) AS users,
	count(*) FILTER (WHERE canonical(a) IS DISTINCT FROM canonical(b)) AS differ,
	count(*) FILTER (WHERE (a).user_id IS NULL OR (b).user_id IS NULL) AS missing
FROM unnest(ARRAY[timestamptz '2024-01-10Z', '2024-01-15 00:00:00.000001Z', '2024-03-10 05:00Z', '2024-03-10 07:30Z', '2024-03-11 04:00Z',
	'2024-03-31 01:00Z', '2024-04-01 00:00Z', '2024-04-30Z', '2025-01-01Z']) t,
	LATERAL (SELECT a, b FROM feature.users_at(t) a FULL JOIN brute(t) b USING (user_id)) x(a, b)
GROUP BY t ORDER BY t;

-- the function for one entity says the same, and has a row for everybody
SELECT count(*) AS users, count(*) FILTER (WHERE canonical(a) <> canonical(f)) AS differ
FROM feature.users_at('2024-04-01 00:00Z') a, LATERAL feature.users_for(a.user_id, '2024-04-01 00:00Z') f;
SELECT clicks_7d, total, spend_7d, spent, least, usual, recency, gap_30d, pace_7d FROM feature.users_for(-1, '2024-04-01');
SELECT count(*), min(total) FROM feature.users_for(NULL, '2024-04-01');
SELECT count(*), min(total) FROM feature.users_for(1, NULL);
-- the view is as of now, in one statement for every row
SELECT count(*) AS users, count(*) FILTER (WHERE v.total <> f.total OR v.recency <> f.recency) AS differ
FROM feature.users v, LATERAL feature.users_for(v.user_id) f;
-- strictly before: an event at exactly t is not seen, one a microsecond earlier is
CREATE TABLE edge (id int, at timestamptz);
INSERT INTO edge VALUES (1, '2024-06-01Z'), (2, '2024-05-31 23:59:59.999999Z'), (3, '2024-05-31Z'), (4, '2024-05-30 23:59:59.999999Z');
SELECT * FROM dmp.create_feature_set('edge', 'edge', 'id', 'at', '{"n": {"agg": "count", "windows": ["1d"]}}');
SELECT * FROM feature.edge_at('2024-06-01Z') ORDER BY id;
SELECT * FROM feature.edge_at(NULL);
-- now is the statement, not the transaction
BEGIN;
SELECT 1 AS begun;
INSERT INTO edge VALUES (5, clock_timestamp());
SELECT n_1d FROM feature.edge WHERE id = 5;
SELECT n_1d FROM feature.edge_for(5);
ROLLBACK;

-- parallel plans give what serial ones do
CREATE TEMP TABLE serial AS SELECT * FROM feature.users_at('2024-04-01Z');
SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0;
CREATE FUNCTION plan_of(query text) RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN
	RETURN QUERY EXECUTE 'EXPLAIN (COSTS OFF) ' || query;
END $$;
SELECT count(*) > 0 AS parallel FROM plan_of('SELECT * FROM feature.users_at(''2024-04-01Z'')') p WHERE p LIKE '%Gather%';
SELECT count(*) AS differ FROM serial s FULL JOIN feature.users_at('2024-04-01Z') p USING (user_id) WHERE canonical(s.*::text::feature.users) IS DISTINCT FROM canonical(p.*::text::feature.users);
-- functions are inlined: one scan of the table, no function scan; an index on entity and time is used
SELECT count(*) FILTER (WHERE p LIKE '%Function Scan%') AS function_scans, count(*) FILTER (WHERE p LIKE '%Scan on events%') AS scans
FROM plan_of('SELECT * FROM feature.users_at(''2024-04-01Z'')') p;
RESET parallel_setup_cost; RESET parallel_tuple_cost; RESET min_parallel_table_scan_size;
CREATE INDEX edge_id_at ON edge (id, at);
SET enable_seqscan = off;
SELECT * FROM plan_of('SELECT * FROM feature.edge_for(7, ''2024-06-01Z'')') p WHERE p LIKE '%Scan%' OR p LIKE '%Cond%';
RESET enable_seqscan;

-- empty tables
CREATE TABLE nothing (id text, at date, x float8);
SELECT * FROM dmp.create_feature_set('nothing', 'nothing', 'id', 'at', '{"n": {"agg": "count"}, "s": {"agg": "sum", "of": "x", "windows": ["1y"]}, "r": {"agg": "recency"}, "p": {"agg": "rate"}}');
SELECT count(*) FROM feature.nothing;
SELECT * FROM feature.nothing_for('a', '2024-06-01Z');
-- a date is its midnight in UTC, a timestamp without zone is UTC
INSERT INTO nothing VALUES ('a', '2024-05-31', 2), ('a', '2024-06-01', 3);
SELECT * FROM feature.nothing_at('2024-06-01Z');
SELECT * FROM feature.nothing_at('2024-06-01 00:00:00.000001Z');
CREATE TABLE local (id int, at timestamp, known timestamptz);
INSERT INTO local VALUES (1, '2024-05-31 12:00', '2024-06-02Z'), (1, '2024-05-31 13:00', NULL), (1, '2024-05-30', '2024-05-31Z'), (2, '2024-05-30', '2024-06-01Z');
SELECT * FROM dmp.create_feature_set('local', 'local', 'id', 'at', '{"n": {"agg": "count", "windows": ["1d"]}, "r": {"agg": "recency"}}');
SELECT * FROM feature.local_at('2024-06-01 12:00Z') ORDER BY id;
-- known_at and delay: an event counts from when it was known
SELECT * FROM dmp.create_feature_set('known', 'local', 'id', 'at', '{"n": {"agg": "count"}}', known_at => 'known');
SELECT * FROM feature.known_at('2024-06-01Z') ORDER BY id;
SELECT * FROM feature.known_at('2024-06-03Z') ORDER BY id;
SELECT * FROM dmp.create_feature_set('late', 'edge', 'id', 'at', '{"n": {"agg": "count"}}', delay => '1 day');
SELECT * FROM feature.late_at('2024-06-01 23:59:59.999999Z') ORDER BY id;
SELECT * FROM feature.late_at('2024-06-02Z') ORDER BY id;

-- entities: those without events have zero counts
CREATE TABLE people (id int, country text);
INSERT INTO people SELECT i, 'DE' FROM unnest(ARRAY[1, 2, 2, 9, NULL]) i;
SELECT * FROM dmp.create_feature_set('people', 'edge', 'id', 'at', '{"n": {"agg": "count", "windows": ["1d"]}, "s": {"agg": "sum", "of": "id", "windows": ["1mon"]}, "r": {"agg": "recency", "windows": ["2d"]}}', entities => 'SELECT id FROM people');
SELECT id, n_1d, s_1mon, round(r_2d::numeric, 6) AS r FROM feature.people_at('2024-06-01Z') ORDER BY id;
SELECT * FROM feature.people_for(77, '2024-06-01Z');
-- attributes: no time
SELECT * FROM dmp.create_feature_set('attributes', 'people', 'id', NULL, '{"country": {"agg": "mode", "of": "country"}, "rows": {"agg": "count"}}');
SELECT * FROM feature.attributes ORDER BY id;
SELECT * FROM feature.attributes_for(3);
-- an entity of two columns
CREATE TABLE visits (tenant_id int, "User" text, at timestamptz);
INSERT INTO visits VALUES (1, 'a', '2024-01-01Z'), (1, 'b', '2024-01-01Z'), (2, 'a', '2024-01-01Z'), (2, 'a', '2024-01-02Z'), (2, NULL, '2024-01-01Z');
SELECT * FROM dmp.create_feature_set('visits', 'visits', 'tenant_id, "User"', 'at', '{"n": {"agg": "count"}}');
SELECT * FROM feature.visits_at('2024-06-01Z') ORDER BY 1, 2;
SELECT * FROM feature.visits_for(2, 'a', '2024-01-02Z');

-- what it means, and where it is listed
SET search_path = pg_catalog;
-- PostgreSQL 15 writes the alias in front of each column
SELECT regexp_replace(replace(dmp.feature_sql('visits'), 'e.', ''), '\s+', ' ', 'g') AS feature_sql;
SET search_path = shop, public;
SELECT name, version, view_name, events, entity, at, features, live FROM dmp.feature_sets WHERE name IN ('visits', 'people') ORDER BY name;
SELECT obj_description('feature.visits'::regclass);

-- a new version keeps the columns and adds at the end
SELECT * FROM dmp.create_feature_set('visits', 'visits', 'tenant_id, "User"', 'at', '{"early": {"agg": "count", "where": "at < ''2024-01-02''"}, "n": {"agg": "count", "where": "true"}}');
SELECT * FROM feature.visits_at('2024-06-01Z') ORDER BY 1, 2;
CREATE VIEW reader AS SELECT n FROM feature.visits_at('2024-06-01Z');
GRANT SELECT ON feature.visits TO PUBLIC;
SELECT * FROM dmp.alter_feature_set('visits', add => '{"r": {"agg": "recency"}}');
SELECT version, features, definition FROM dmp.feature_sets WHERE name = 'visits';
SELECT sum(n) FROM reader;
SELECT * FROM dmp.create_feature_set('visits', 'visits', 'tenant_id, "User"', 'at', '{"n": {"agg": "count"}}');
SELECT * FROM dmp.create_feature_set('visits', 'visits', 'tenant_id', 'at', '{"n": {"agg": "count"}}');
SELECT * FROM dmp.create_feature_set('visits', 'visits', 'tenant_id, "User"', 'at', '{"n": {"agg": "min", "of": "at"}, "early": {"agg": "count"}, "r": {"agg": "recency"}}');
SELECT * FROM dmp.alter_feature_set('visits', drop => '{early}');
DROP VIEW reader;
SELECT * FROM dmp.alter_feature_set('visits', add => '{"late": {"agg": "count", "windows": ["1d"]}}', drop => '{early}');
SELECT * FROM feature.visits_at('2024-01-03Z') ORDER BY 1, 2;
SELECT has_table_privilege('public', 'feature.visits', 'SELECT') AS grants_stay;
SELECT * FROM dmp.alter_feature_set('visits', add => '{"n": {"agg": "count"}}');
SELECT * FROM dmp.alter_feature_set('visits', drop => '{lat}');
SELECT * FROM dmp.alter_feature_set('visits', drop => '{n,r,late}');
SELECT * FROM dmp.alter_feature_set('visit');
-- renames follow, drops are stopped, by the server's own dependencies
ALTER TABLE visits RENAME TO seen;
SELECT events FROM dmp.feature_sets WHERE name = 'visits';
SELECT sum(n) FROM feature.visits;
SELECT * FROM dmp.alter_feature_set('visits', add => '{"more": {"agg": "count"}}');
DROP TABLE seen;
SELECT * FROM dmp.drop_feature_set('visits');
SELECT to_regclass('feature.visits') IS NULL AS gone, count(*) FROM dmp.feature_sets WHERE name = 'visits';
SELECT * FROM dmp.drop_feature_set('visits');
-- a set whose objects are gone can be dropped
DROP VIEW feature.local CASCADE;
SELECT * FROM dmp.feature_sql('local');
SELECT * FROM dmp.drop_feature_set('local');

-- documents
\set VERBOSITY default
SELECT dmp.create_feature_set('x', 'edge', 'id', 'at', '[]');
SELECT dmp.create_feature_set('x', 'edge', 'id', 'at', '{}');
SELECT dmp.create_feature_set('x', 'edge', 'id', 'at', '{"a": {"agg": "count"}, "a": {"agg": "count"}}');
SELECT dmp.create_feature_set('x', 'edge', 'id', 'at', '{"a": {"agg": "count", "window": ["7d"]}}');
SELECT dmp.create_feature_set('x', 'edge', 'id', 'at', '{"a": {"agg": "summ"}}');
SELECT dmp.create_feature_set('x', 'edge', 'id', 'at', '{"a": {}}');
SELECT dmp.create_feature_set('x', 'edge', 'id', 'at', '{"a": "count"}');
SELECT dmp.create_feature_set('x', 'events', 'user_id', 'click_time', '{"a": {"agg": "sum", "of": "vlue"}}');
SELECT dmp.create_feature_set('x', 'events', 'user_id', 'click_time', '{"a": {"agg": "sum"}}');
SELECT dmp.create_feature_set('x', 'events', 'user_id', 'click_time', '{"a": {"agg": "sum", "of": "device"}}');
SELECT dmp.create_feature_set('x', 'events', 'user_id', 'click_time', '{"a": {"agg": "rate", "of": "value"}}');
SELECT dmp.create_feature_set('x', 'events', 'user_id', 'click_time', '{"a": {"agg": "count", "where": "device"}}');
SELECT dmp.create_feature_set('x', 'events', 'usr_id', 'click_time', '{"a": {"agg": "count"}}');
SELECT dmp.create_feature_set('x', 'events', 'user_id, user_id', 'click_time', '{"a": {"agg": "count"}}');
SELECT dmp.create_feature_set('x', 'events', 'user_id,', 'click_time', '{"a": {"agg": "count"}}');
SELECT dmp.create_feature_set('x', 'events', 'user_id', 'device', '{"a": {"agg": "count"}}');
SELECT dmp.create_feature_set('x', 'events', 'user_id', 'click_tme', '{"a": {"agg": "count"}}');
SELECT dmp.create_feature_set('x', 'events', 'user_id', NULL, '{"a": {"agg": "count", "windows": ["7d"]}}');
SELECT dmp.create_feature_set('x', 'events', 'user_id', NULL, '{"a": {"agg": "recency"}}');
SELECT dmp.create_feature_set('x', 'events', 'user_id', NULL, '{"a": {"agg": "count"}}', delay => '1h');
SELECT dmp.create_feature_set('x', 'edge', 'id', 'at', '{"a": {"agg": "count", "windows": ["7days"]}}');
SELECT dmp.create_feature_set('x', 'edge', 'id', 'at', '{"a": {"agg": "count", "windows": ["0d"]}}');
SELECT dmp.create_feature_set('x', 'edge', 'id', 'at', '{"a": {"agg": "count", "windows": ["-1d"]}}');
SELECT dmp.create_feature_set('x', 'edge', 'id', 'at', '{"a": {"agg": "count", "windows": ["07d"]}}');
SELECT dmp.create_feature_set('x', 'edge', 'id', 'at', '{"a": {"agg": "count", "windows": ["7m"]}}');
SELECT dmp.create_feature_set('x', 'edge', 'id', 'at', '{"a": {"agg": "count", "windows": ["99999999999d"]}}');
SELECT dmp.create_feature_set('x', 'edge', 'id', 'at', '{"a": {"agg": "count", "windows": ["7d", "7d"]}}');
SELECT dmp.create_feature_set('x', 'edge', 'id', 'at', '{"a_7d": {"agg": "count"}, "a": {"agg": "count", "windows": ["7d"]}}');
SELECT dmp.create_feature_set('x', 'edge', 'id', 'at', '{"id": {"agg": "count"}}');
SELECT dmp.create_feature_set('x', 'edge', 'id', 'at', '{"at": {"agg": "count"}}');
SELECT dmp.create_feature_set('x', 'edge', 'id', 'at', '{"": {"agg": "count"}}');
SELECT dmp.create_feature_set('x', 'edge', 'id', 'at', format('{"%s": {"agg": "count", "windows": ["7d"]}}', repeat('y', 61))::json);
SELECT dmp.create_feature_set(repeat('x', 60), 'edge', 'id', 'at', '{"a": {"agg": "count"}}');
SELECT dmp.create_feature_set('', 'edge', 'id', 'at', '{"a": {"agg": "count"}}');
SELECT dmp.create_feature_set('x', 'edge', 'id', 'at', '{"a": {"agg": "count"}}', live => true);
SELECT dmp.create_feature_set('x', 'edge', 'id', 'at', '{"a": {"agg": "count"}}', options => '{"fast": true}');
SELECT dmp.create_feature_set('x', 'edge', 'id', 'at', '{"a": {"agg": "count"}}', delay => '-1 h');
SELECT dmp.create_feature_set('x', 'edge', 'id', 'at', '{"a": {"agg": "count"}}', delay => '1 mon');
SELECT dmp.create_feature_set('x', 'edge', 'id', 'at', '{"a": {"agg": "count"}}', known_at => 'nown');
SELECT dmp.create_feature_set('x', 'edge', 'id', 'at', '{"a": {"agg": "count"}}', entities => 'SELECT 1 AS x');
SELECT dmp.create_feature_set('x', 'edge', 'id', 'at', '{"a": {"agg": "count"}}', entities => 'SELECT (random() * 3)::int AS id');
SELECT dmp.create_feature_set(NULL, 'edge', 'id', 'at', '{"a": {"agg": "count"}}');
SELECT dmp.create_feature_set('x', NULL, 'id', 'at', '{"a": {"agg": "count"}}');
SELECT dmp.create_feature_set('x', 'edge_id_at', 'id', 'at', '{"a": {"agg": "count"}}');
-- nothing was made by any of these
SELECT to_regclass('feature.x') IS NULL AS none, count(*) FROM dmp.feature_sets WHERE name = 'x';
-- a view of that name that is no feature set is left alone
CREATE VIEW feature.x AS SELECT 1 AS one;
SELECT dmp.create_feature_set('x', 'edge', 'id', 'at', '{"a": {"agg": "count"}}');
DROP VIEW feature.x;

-- conditions are one expression over one row: no way out
\set VERBOSITY terse
CREATE FUNCTION attempt(condition text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	PERFORM dmp.create_feature_set('attempt', 'edge', 'id', 'at', json_build_object('a', json_build_object('agg', 'count', 'where', condition)));
	RETURN 'accepted';
EXCEPTION WHEN OTHERS THEN
	RETURN sqlerrm;
END $$;
SELECT c, attempt(c) FROM unnest(ARRAY[
	'false) OR (true', 'true) FROM edge WHERE (true', 'true) UNION SELECT (true', 'true); DROP TABLE shop.edge; --', 'true --', 'true /*', 'true AS x',
	'true, false', '*', 'edge.*', '', ' ', 'SELECT true', '(SELECT true)', 'EXISTS (SELECT 1)', 'id IN (SELECT 1)', '$1 IS NULL', 'count(*) > 0',
	'row_number() OVER () > 1', 'generate_series(1, 2) > 1', 'random() < 0.5', 'other.id = 1', 'shop.edge.id = 1', 'e.id = 1', 'DEFAULT', 'ctid IS NOT NULL', 'edge IS NOT NULL',
	'edge.id = 1', 'id = 1 OR id = 2', $c$id = ('; --' <> '')::int$c$]) WITH ORDINALITY u(c, i) ORDER BY i;
SELECT * FROM feature.attempt_at('2024-06-02Z') ORDER BY id;
SELECT * FROM dmp.drop_feature_set('attempt');
-- literals mean UTC whatever the session's zone; what depends on the session is said
SELECT * FROM dmp.create_feature_set('zone', 'edge', 'id', 'at', '{"a": {"agg": "count", "where": "at < ''2024-05-31 12:00''"}}');
SELECT count(*) FROM feature.zone_at('2024-06-02Z') WHERE a = 1;
SELECT * FROM dmp.create_feature_set('zone', 'edge', 'id', 'at', '{"a": {"agg": "count", "where": "at::date = ''2024-05-31''"}}');
-- names found under the search_path of the definition stay those
CREATE FUNCTION shop.is_one(int) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT $1 = 1';
SELECT * FROM dmp.create_feature_set('named', 'edge', 'id', 'at', '{"a": {"agg": "count", "where": "is_one(id)"}}', entities => 'people');
SET search_path = pg_catalog;
SELECT id, a FROM feature.named_at('2024-07-01Z') ORDER BY id;
SELECT * FROM dmp.alter_feature_set('named', '{"b": {"agg": "count"}}');
SELECT id, a, b FROM feature.named_at('2024-07-01Z') ORDER BY id;
SET search_path = shop, public;

-- hostile names
CREATE TABLE "t; drop table edge; --" ("u; drop table edge; --" int, "a""t" timestamptz, "v'; --" float8);
INSERT INTO "t; drop table edge; --" VALUES (1, '2024-01-01Z', 2);
SELECT * FROM dmp.create_feature_set($$s'"; drop table edge; --$$, '"t; drop table edge; --"', 'u; drop table edge; --', 'a"t',
	$${"f'\"; drop --": {"agg": "sum", "of": "v'; --", "where": "\"v'; --\" > 1", "windows": ["3y"]}, "r": {"agg": "recency"}, "l": {"agg": "last", "of": "v'; --"}}$$);
SELECT * FROM feature."s'""; drop table edge; --_at"('2024-01-02Z');
SELECT * FROM feature."s'""; drop table edge; --_for"(5, '2024-01-02Z');
SELECT * FROM dmp.alter_feature_set($$s'"; drop table edge; --$$, drop => '{r}');
SELECT * FROM dmp.drop_feature_set($$s'"; drop table edge; --$$);
SELECT count(*) FROM edge;

-- rights: SELECT on the events is enough; others see nothing that is not granted
CREATE ROLE regress_feature_ann;
CREATE ROLE regress_feature_bob;
SELECT count(*) > 0 AS ready FROM dmp.setup('regress_feature_ann');
GRANT USAGE ON SCHEMA shop TO regress_feature_ann, regress_feature_bob;
SET ROLE regress_feature_ann;
SELECT dmp.create_feature_set('mine', 'events', 'user_id', 'click_time', '{"n": {"agg": "count"}}');
RESET ROLE;
GRANT SELECT (user_id, click_time) ON events TO regress_feature_ann;
SET ROLE regress_feature_ann;
-- a column without rights: the definition is made, the server refuses to read it
SELECT * FROM dmp.create_feature_set('mine', 'events', 'user_id', 'click_time', '{"n": {"agg": "count"}, "s": {"agg": "sum", "of": "value"}}');
SELECT count(*) FROM feature.mine;
SELECT * FROM dmp.drop_feature_set('mine');
SELECT * FROM dmp.create_feature_set('mine', 'events', 'user_id', 'click_time', '{"n": {"agg": "count"}}');
SELECT count(*) FROM feature.mine;
SELECT name FROM dmp.feature_sets;
SELECT dmp.create_feature_set('users', 'events', 'user_id', 'click_time', '{"n": {"agg": "count"}}');
SELECT dmp.alter_feature_set('users', '{"n": {"agg": "count"}}');
SELECT dmp.drop_feature_set('users');
SELECT dmp.feature_sql('users');
UPDATE dmp_internal.feature_set SET owner = 10::oid;
SET ROLE regress_feature_bob;
SELECT count(*) FROM dmp.feature_sets;
SELECT dmp.create_feature_set('his', 'events', 'user_id', 'click_time', '{"n": {"agg": "count"}}');
SELECT count(*) FROM feature.mine_at('2024-06-01');
RESET ROLE;
GRANT SELECT ON feature.mine TO regress_feature_bob;
GRANT USAGE ON SCHEMA feature TO regress_feature_bob;
SET ROLE regress_feature_bob;
SELECT name, owner FROM dmp.feature_sets;
-- the view reads with the rights of who asks, not of who made it
SELECT count(*) FROM feature.mine;
RESET ROLE;
GRANT SELECT ON events TO regress_feature_bob;
CREATE POLICY seven ON events TO regress_feature_bob USING (user_id = 7);
ALTER TABLE events ENABLE ROW LEVEL SECURITY;
SET ROLE regress_feature_bob;
SELECT user_id, n FROM feature.mine;
SELECT user_id FROM feature.mine_at('2024-06-01Z');
SELECT n FROM feature.mine_for(8, '2024-06-01Z');
SELECT dmp.drop_feature_set('mine');
RESET ROLE;
-- a function of somebody else beside the set's own does not become part of it
GRANT CREATE ON SCHEMA feature TO regress_feature_bob;
SET ROLE regress_feature_bob;
CREATE FUNCTION feature.mine_for(text) RETURNS SETOF feature.mine LANGUAGE sql BEGIN ATOMIC SELECT id, 0::bigint FROM shop.edge; END;
RESET ROLE;
DROP FUNCTION feature.mine_for(int, timestamptz);
SELECT name, events FROM dmp.feature_sets WHERE name = 'mine';
SET ROLE regress_feature_ann;
SELECT dmp.training_set('{mine}', 'SELECT 1 AS user_id, now() AS at', 'x');
SELECT dmp.create_feature_set('mine', 'events', 'user_id', 'click_time', '{"n": {"agg": "count"}}');
RESET ROLE;
DROP FUNCTION feature.mine_for(text);
-- a superuser alters it: it stays ann's
SELECT * FROM dmp.alter_feature_set('mine', add => '{"m": {"agg": "count"}}', drop => '{n}');
SELECT relowner::regrole FROM pg_class WHERE oid = 'feature.mine'::regclass;
SELECT proname, proowner::regrole FROM pg_proc WHERE pronamespace = 'feature'::regnamespace AND proname LIKE 'mine%' ORDER BY 1;
SELECT name, owner, events, features FROM dmp.feature_sets WHERE name = 'mine';

SET client_min_messages = warning;
SELECT count(*) FROM (SELECT dmp.drop_feature_set(name) FROM (SELECT name FROM dmp.feature_sets OFFSET 0) s WHERE name <> 'users') d;
DROP SCHEMA shop CASCADE;
SELECT * FROM dmp.drop_feature_set('users');
DROP OWNED BY regress_feature_ann, regress_feature_bob;
DROP ROLE regress_feature_ann, regress_feature_bob;
