-- ingest: sources, lake, load_file, ingest
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS dmp;
RESET client_min_messages;
SET TimeZone = 'UTC';
CREATE ROLE regress_dmp_ann;
CREATE ROLE regress_dmp_bob;
SELECT count(*) FROM dmp.setup('regress_dmp_ann', 'regress_dmp_bob');
CREATE SCHEMA regress_dmp_ingest AUTHORIZATION regress_dmp_ann;
GRANT USAGE ON SCHEMA regress_dmp_ingest TO regress_dmp_bob;
SET search_path = regress_dmp_ingest, public;
SET ROLE regress_dmp_ann;

CREATE TABLE clicks (
	user_id bigint NOT NULL,
	click_id text,
	click_time timestamptz,
	click_duration float8 DEFAULT 1.5,
	page text,
	tags int[],
	detail jsonb,
	batch bigint
);

-- ---- create_source

SELECT source, lake_table, copy_command FROM dmp.create_source('web', 'clicks', key => '{click_id}',
	missing => '{N/A,"-"}',
	mapping => '{"user_id": "user.id", "click_id": "click_id", "click_time": "time", "click_duration": "duration",
		"page": "$.pages[1].name", "tags": "tags", "detail": "detail", "batch": "$batch"}');
-- the key has its index, made as the caller
SELECT indexdef FROM pg_indexes WHERE tablename = 'clicks';
SELECT relkind, pg_get_userbyid(relowner) AS owner FROM pg_class WHERE oid = 'lake.web'::regclass;
-- a default partition, today and tomorrow
SELECT count(*) FROM pg_inherits WHERE inhparent = 'lake.web'::regclass;
SELECT source, owner, format, lake_table, into_table, key, missing, on_duplicate FROM dmp.sources;

-- what is wrong is said
SELECT * FROM dmp.create_source('web');
SELECT * FROM dmp.create_source(NULL);
SELECT * FROM dmp.create_source('');
SELECT * FROM dmp.create_source(repeat('x', 51));
SELECT * FROM dmp.create_source('x', format => 'xml');
SELECT * FROM dmp.create_source('x', live => true);
SELECT * FROM dmp.create_source('x', recipe => '[{"deduplicate": "*"}]');
SELECT * FROM dmp.create_source('x', on_duplicate => 'update');
SELECT * FROM dmp.create_source('x', on_duplicate => 'both');
SELECT * FROM dmp.create_source('x', options => '{"unknwon": "rest"}');
SELECT * FROM dmp.create_source('x', options => '{"unknown": "drop"}');
SELECT * FROM dmp.create_source('x', 'clicks', options => '{"unknown": "rest"}');
SELECT * FROM dmp.create_source('x', options => '{"time_zone": "Mars"}');
SELECT * FROM dmp.create_source('x', options => '{"date_style": 1}');
SELECT * FROM dmp.create_source('x', 'clicks', mapping => '{"click_tme": "a"}');
SELECT * FROM dmp.create_source('x', 'clicks', mapping => '{"page": "a..b"}');
SELECT * FROM dmp.create_source('x', 'clicks', mapping => '{"page": "a[x]"}');
SELECT * FROM dmp.create_source('x', 'clicks', mapping => '{"page": 1}');
SELECT * FROM dmp.create_source('x', 'clicks', mapping => '{"page": "$btach"}');
SELECT * FROM dmp.create_source('x', 'clicks', mapping => '{"page": "$batch"}');
SELECT * FROM dmp.create_source('x', 'clicks', mapping => '{"page": "a", "page": "b"}');
SELECT * FROM dmp.create_source('x', 'clicks', mapping => '[]');
SELECT * FROM dmp.create_source('x', 'clicks', mapping => '{}');
SELECT * FROM dmp.create_source('x', 'clicks', key => '{click}');
SELECT * FROM dmp.create_source('x', 'clicks', key => '{click_id,click_id}');
SELECT * FROM dmp.create_source('x', 'lake.web');
SELECT * FROM dmp.create_source('x', 'pg_catalog.pg_class');
CREATE VIEW v AS SELECT * FROM clicks;
SELECT * FROM dmp.create_source('x', 'v');
CREATE TEMP TABLE fleeting (a int);
SELECT * FROM dmp.create_source('x', 'fleeting');
-- a table that is there already is not adopted
CREATE TABLE lake.taken (id bigint);
SELECT * FROM dmp.create_source('taken');
DROP TABLE lake.taken;
-- nothing of this was left behind
SELECT count(*) FROM dmp.sources;
SELECT count(*) FROM pg_class WHERE relnamespace = 'lake'::regnamespace AND relname LIKE 'x%';

-- ---- lines of all kinds; they come by INSERT here

INSERT INTO lake.web (line) VALUES
	('{"user": {"id": 1}, "click_id": "a", "time": "2024-06-01 10:00:00+02", "duration": 12.5, "pages": [0, {"name": "home"}], "tags": [1, 2, null], "detail": {"x": [1]}}'),
	-- numbers and words in strings, escapes, an integral number with a fraction, members nobody wants
	('{"user": {"id": "2", "name": "x"}, "click_id": "b\u00e9\ud83d\ude00", "duration": "3e2", "extra": {"deep": [[]]}, "tags": [], "detail": "s"}'),
	('{"user": {"id": 3.0}, "click_id": "c", "duration": null, "pages": [1, {"name": true}], "detail": null}'),
	('{"user": {"id": 9007199254740993}, "click_id": "d", "duration": "N/A", "time": "-", "pages": {"name": "no array"}}'),
	-- a repeated member counts by its last value
	('{"user": {"id": 1}, "user": {"id": 5}, "click_id": "e"}'),
	-- duplicates of the key
	('{"user": {"id": 1}, "click_id": "a"}'),
	('{"user": {"id": 6}, "click_id": "e"}'),
	-- no records
	(''), ('   '), (NULL),
	-- not loadable
	('{"user": {"id": 1}, "click_id": "f"'),
	('{"user": {"id": 1}, "click_id": "f"} x'),
	('{"user": {"id": 1}}'),
	('{"user": {"id": 1}, "click_id": "N/A"}'),
	('{"user": {"id": 1.5}, "click_id": "f"}'),
	('{"user": {"id": 99999999999999999999}, "click_id": "f"}'),
	('{"user": 1, "click_id": "f"}'),
	('{"user": {"id": 1}, "click_id": "f", "time": "yesterday at noon"}'),
	('{"user": {"id": 1}, "click_id": "f", "pages": [0, {"name": {"a": 1}}]}'),
	('{"user": {"id": 1}, "click_id": "f", "tags": [1, "x"]}'),
	('{"user": {"id": 1}, "click_id": "f", "tags": [[1]]}'),
	('{"user": {"id": 1}, "click_id": "\u0000"}'),
	('{"user": {"id": 1}, "click_id": "\ud800"}'),
	('{"user": {"id": 1}, "click_id": ''f''}'),
	('[1]'), ('"text"'), ('1'), ('nul'), (E'{"a": "tab\t"}');
SELECT rows_read, rows_loaded, rows_duplicate, rows_quarantined, fields_ignored FROM dmp.ingest('web');
SELECT user_id, click_id, click_time, click_duration, page, tags, detail FROM clicks ORDER BY user_id;
SELECT column_name, sqlstate, reason, record FROM dmp.quarantine WHERE source = 'web' ORDER BY id;
-- once only
SELECT batch, rows_read, rows_loaded FROM dmp.ingest('web');

-- ---- one transaction that loads, ingests, loads more

BEGIN;
INSERT INTO lake.web (line) SELECT format('{"user": {"id": %s}, "click_id": "t%s"}', i, i) FROM generate_series(1, 3) i;
SELECT rows_read, rows_loaded FROM dmp.ingest('web');
INSERT INTO lake.web (line) VALUES ('{"user": {"id": 4}, "click_id": "t4"}');
SELECT rows_read, rows_loaded FROM dmp.ingest('web');
INSERT INTO lake.web (line) VALUES ('{"user": {"id": 5}, "click_id": "t5"}');
COMMIT;
SELECT rows_read, rows_loaded FROM dmp.ingest('web');
SELECT rows_read, rows_loaded FROM dmp.ingest('web');
-- a run that is rolled back consumes nothing
INSERT INTO lake.web (line) VALUES ('{"user": {"id": 6}, "click_id": "t6"}');
BEGIN;
SELECT rows_loaded FROM dmp.ingest('web');
ROLLBACK;
BEGIN;
SAVEPOINT s;
SELECT rows_loaded FROM dmp.ingest('web');
ROLLBACK TO s;
SELECT rows_loaded FROM dmp.ingest('web');
COMMIT;
SELECT count(*) FROM clicks WHERE click_id LIKE 't_';

-- ---- update on a repeated key: the last wins, also within a batch

CREATE TABLE latest (id int, region text, value int DEFAULT 7, PRIMARY KEY (region, id));
SELECT source FROM dmp.create_source('latest', 'latest', key => '{id,region}', on_duplicate => 'update');
-- the primary key serves
SELECT count(*) FROM pg_indexes WHERE tablename = 'latest';
INSERT INTO lake.latest (line) VALUES ('{"id": 1, "region": "a", "value": 1}'), ('{"id": 1, "region": "a", "value": 2}'),
	('{"id": 2, "region": "a"}'), ('{"id": 1, "region": "b", "value": 3}');
SELECT rows_read, rows_loaded, rows_duplicate, rows_quarantined FROM dmp.ingest('latest');
INSERT INTO lake.latest (line) VALUES ('{"id": 1, "region": "a", "value": 9}'), ('{"id": 3, "region": "a", "value": null}'), ('{"id": 3}');
SELECT rows_read, rows_loaded, rows_duplicate, rows_quarantined FROM dmp.ingest('latest');
SELECT * FROM latest ORDER BY region, id;

-- ---- by name; unknown members; a rest; defaults and generated columns

CREATE TABLE named ("a b" int, "Zeile" text, n int GENERATED BY DEFAULT AS IDENTITY, twice int GENERATED ALWAYS AS ("a b" * 2) STORED,
	at timestamptz DEFAULT '2000-01-01Z', rest jsonb, origin text, lake bigint, "; drop table x; --" text);
SELECT source FROM dmp.create_source('named ''"; x', 'named');
SELECT source, lake_table FROM dmp.sources WHERE source LIKE 'named%';
INSERT INTO lake."named '""; x" (line) VALUES ('{"a b": 1, "Zeile": "x", "; drop table x; --": "y"}'),
	('{"a\u0020b": 2, "at": null, "n": 50, "twice": 9, "c": {"d": 1}, "e": 1}');
SELECT rows_loaded, rows_quarantined, fields_ignored FROM dmp.ingest('named ''"; x');
SELECT source FROM dmp.alter_source('named ''"; x', mapping => '{"a b": "[0].a", "rest": "$rest", "origin": "$origin", "lake": "$lake_id"}', options => '{"unknown": "rest"}');
INSERT INTO lake."named '""; x" (line) VALUES ('{"a b": 1}');
SELECT source FROM dmp.alter_source('named ''"; x', mapping => '{"a b": "a", "rest": "$rest", "origin": "$origin", "lake": "$lake_id"}');
INSERT INTO lake."named '""; x" (origin, line) VALUES ('me', '{"a": 3, "b\n": {"c": [1, "\u00e9"]}, "d": "x\"y", "e": 1.50}'), ('me', '{"a": 4}');
SELECT rows_loaded, rows_quarantined, fields_ignored FROM dmp.ingest('named ''"; x');
SELECT "a b", "Zeile", n, twice, at, rest, origin, lake, "; drop table x; --" FROM named ORDER BY n;
SELECT source FROM dmp.alter_source('named ''"; x', options => '{"unknown": "quarantine"}', mapping => '{"a b": "a.b", "n": "n"}');
INSERT INTO lake."named '""; x" (line) VALUES ('{"a": {"b": 5}}'), ('{"a": {"b": 6, "c": 1}}'), ('{"z": 1}');
SELECT rows_loaded, rows_quarantined, fields_ignored FROM dmp.ingest('named ''"; x');
SELECT reason, sqlstate FROM dmp.quarantine WHERE source LIKE 'named%' ORDER BY id;
-- a generated column is not filled
SELECT * FROM dmp.alter_source('named ''"; x', mapping => '{"twice": "a"}');
SELECT * FROM dmp.alter_source('nobody');
SELECT * FROM dmp.alter_source('latst');

-- dates mean what they meant when the source was made
CREATE TABLE dates (d timestamptz);
SET TimeZone = 'Asia/Shanghai';
SET DateStyle = 'ISO, DMY';
SELECT source FROM dmp.create_source('dates', 'dates');
SET TimeZone = 'UTC';
SET DateStyle = 'ISO, MDY';
INSERT INTO lake.dates (line) VALUES ('{"d": "01/02/2024 08:00"}');
SELECT rows_loaded FROM dmp.ingest('dates');
SELECT d FROM dates;
SHOW TimeZone;

-- ---- a source without a table

SELECT source FROM dmp.create_source('later');
INSERT INTO lake.later (line) VALUES ('{"d": "2024-01-01Z"}');
SELECT * FROM dmp.ingest('later');
SELECT source FROM dmp.alter_source('later', into_table => 'dates');
SELECT rows_loaded FROM dmp.ingest('later');

-- ---- rights

SELECT * FROM dmp.load_file('web', '/etc/passwd');
SET ROLE regress_dmp_bob;
SELECT * FROM dmp.ingest('web');
SELECT * FROM dmp.alter_source('web');
SELECT * FROM dmp.drop_source('web');
SELECT * FROM dmp.create_source('web');
SELECT * FROM dmp.create_source('mine', 'clicks');
SELECT count(*) FROM dmp.sources;
SELECT count(*) FROM dmp.batches;
SELECT count(*) FROM dmp.quarantine;
SELECT count(*) FROM lake.web;
SELECT * FROM dmp.retry_quarantine('web');
SELECT * FROM dmp.revert_batch(1);
DELETE FROM dmp.quarantine;
UPDATE dmp.quarantine SET record = '' WHERE source = 'web';
INSERT INTO dmp_internal.source (name) VALUES ('x');
SELECT * FROM dmp_internal.source_position;
RESET ROLE;
-- who may no longer write the table gets an error, and nothing is consumed
SET ROLE regress_dmp_ann;
INSERT INTO lake.dates (line) VALUES ('{"d": "2024-01-02Z"}');
REVOKE INSERT ON dates FROM regress_dmp_ann;
SELECT * FROM dmp.ingest('dates');
GRANT INSERT ON dates TO regress_dmp_ann;
SELECT rows_loaded FROM dmp.ingest('dates');
-- row security that would hide lines
ALTER TABLE lake.dates ENABLE ROW LEVEL SECURITY;
ALTER TABLE lake.dates FORCE ROW LEVEL SECURITY;
SELECT * FROM dmp.ingest('dates');
DROP TABLE lake.dates;
SELECT * FROM dmp.ingest('dates');
SELECT * FROM dmp.drop_source('dates');
DROP TABLE dates;
SELECT * FROM dmp.ingest('later');
-- a read-only transaction
BEGIN READ ONLY;
SELECT * FROM dmp.ingest('web');
ROLLBACK;

-- ---- undoing

SELECT into_table, rows_deleted FROM dmp.revert_batch((SELECT min(batch) FROM dmp.batches WHERE source = 'web'));
SELECT state, count(*) FROM dmp.quarantine WHERE source = 'web' GROUP BY 1;
SELECT count(*) FROM clicks;
\set VERBOSITY sqlstate
SELECT * FROM dmp.revert_batch((SELECT min(batch) FROM dmp.batches WHERE source = 'latest'));
SELECT * FROM dmp.revert_batch((SELECT min(batch) FROM dmp.batches WHERE source = 'web'));
SELECT * FROM dmp.revert_batch(-1);
\set VERBOSITY default
SELECT * FROM dmp.revert_batch(NULL);
SELECT object, action, rows FROM dmp.drop_source('web');
SELECT count(*) FROM dmp.quarantine WHERE source = 'web';
SELECT object, action, rows FROM dmp.drop_source('latest', '{"keep": true}');
SELECT to_regclass('lake.latest');
SELECT * FROM dmp.drop_source('later', '{"kept": true}');
SELECT object, action, rows FROM dmp.drop_source('later');
SELECT object, action, rows FROM dmp.drop_source('named ''"; x');
SELECT count(*) FROM dmp.sources;
DROP TABLE lake.latest;
RESET ROLE;
SET client_min_messages = warning;
DROP SCHEMA regress_dmp_ingest CASCADE;
DROP OWNED BY regress_dmp_ann, regress_dmp_bob;
DROP ROLE regress_dmp_ann, regress_dmp_bob;
