-- live sources: lines are loaded by the statement that writes them
\set VERBOSITY terse
SET client_min_messages = warning;
SET TimeZone = 'UTC';
SELECT count(*) FROM dmp.setup();
CREATE TABLE flow_item (id int, v numeric CHECK (v < 1000), batch bigint, lake_id bigint);
SELECT source, lake_table FROM dmp.create_source('flow_live', 'flow_item', key => '{id}', live => true,
	mapping => '{"id": "id", "v": "v", "batch": "$batch", "lake_id": "$lake_id"}');
SELECT source, live FROM dmp.sources WHERE source = 'flow_live';
CREATE VIEW flow_counts AS SELECT kind, count(*) AS batches, sum(rows_read) AS rows_read, sum(rows_loaded) AS rows_loaded,
	sum(rows_duplicate) AS rows_duplicate, sum(rows_quarantined) AS rows_quarantined FROM dmp.batches
	WHERE source = 'flow_live' GROUP BY kind ORDER BY kind;
-- several rows in a statement: good, bad, refused by the table, blank, NULL, duplicate
INSERT INTO lake.flow_live (line) VALUES ('{"id": 1, "v": 1, "x": 0}'), ('{"id": "a"}'), ('{"id": 2, "v": 1000}'), ('  '), (NULL), ('{"id": 1, "v": 2}'), ('no json');
SELECT id, v FROM flow_item ORDER BY id;
SELECT record, column_name, reason FROM dmp.quarantine WHERE source = 'flow_live' ORDER BY id;
SELECT * FROM flow_counts;
-- no row, one row, COPY
INSERT INTO lake.flow_live (line) SELECT 'x' WHERE false;
INSERT INTO lake.flow_live (line) VALUES ('{"id": 3, "x": 1, "y": 1}');
COPY lake.flow_live (line) FROM stdin WITH (FORMAT csv, DELIMITER E'\x02', QUOTE E'\x01');
{"id": 4}
{"id": 5, "v": "much"}

{"id": 3}
\.
SELECT id, v FROM flow_item ORDER BY id;
SELECT * FROM flow_counts;
SELECT fields_ignored FROM dmp.batches WHERE source = 'flow_live';
SELECT count(DISTINCT batch), count(DISTINCT lake_id) FROM flow_item;
-- the writer's transaction takes back what it did
BEGIN;
INSERT INTO lake.flow_live (line) VALUES ('{"id": 6}'), ('bad');
SELECT count(*) FROM flow_item;
ROLLBACK;
BEGIN;
SAVEPOINT a;
INSERT INTO lake.flow_live (line) VALUES ('{"id": 6}'), ('bad');
ROLLBACK TO a;
INSERT INTO lake.flow_live (line) VALUES ('{"id": 7}');
COMMIT;
SELECT id FROM flow_item WHERE id > 5;
SELECT * FROM flow_counts;
-- what live took, ingest does not; within one transaction as well
SELECT rows_read FROM dmp.ingest('flow_live');
BEGIN;
INSERT INTO lake.flow_live (line) VALUES ('{"id": 8}');
SELECT rows_read FROM dmp.ingest('flow_live');
INSERT INTO lake.flow_live (line) VALUES ('{"id": 9}');
SELECT rows_read FROM dmp.ingest('flow_live');
ALTER TABLE lake.flow_live DISABLE TRIGGER dmp_live;
INSERT INTO lake.flow_live (line) VALUES ('{"id": 10}');
ALTER TABLE lake.flow_live ENABLE TRIGGER dmp_live;
INSERT INTO lake.flow_live (line) VALUES ('{"id": 11}');
SELECT rows_read FROM dmp.ingest('flow_live');
SELECT rows_read FROM dmp.ingest('flow_live');
COMMIT;
SELECT rows_read FROM dmp.ingest('flow_live');
SELECT string_agg(id::text, ' ' ORDER BY id) FROM flow_item;
-- straight into a partition, with a trigger and without (a partition of the owner's own)
INSERT INTO lake.flow_live_default (id, received_at, line) VALUES (100, '2001-01-01Z', '{"id": 12}');
CREATE TABLE lake.flow_live_own PARTITION OF lake.flow_live FOR VALUES FROM ('1999-01-01Z') TO ('1999-01-02Z');
INSERT INTO lake.flow_live_own (id, received_at, line) VALUES (101, '1999-01-01Z', '{"id": 13}');
SELECT id FROM flow_item WHERE id > 11;
INSERT INTO lake.flow_live (received_at, line) VALUES ('1999-01-01Z', '{"id": 14}');
SELECT rows_read, rows_loaded FROM dmp.ingest('flow_live');
SELECT string_agg(id::text, ' ' ORDER BY id) FROM flow_item WHERE id > 11;
-- partitions made later have it
SELECT count(*) FROM pg_inherits i WHERE inhparent = 'lake.flow_live'::regclass
	AND NOT EXISTS (SELECT FROM pg_trigger WHERE tgrelid = inhrelid AND tgname = 'dmp_live');
-- off and on: what came in between comes first
SELECT source FROM dmp.alter_source('flow_live', live => false);
SELECT count(*) FROM pg_trigger WHERE tgname = 'dmp_live' AND tgrelid::regclass::text LIKE 'lake.flow_live%';
INSERT INTO lake.flow_live (line) VALUES ('{"id": 15}'), ('{"id": 3, "v": 9}');
SELECT count(*) FROM flow_item WHERE id = 15;
SET client_min_messages = notice;
SELECT source FROM dmp.alter_source('flow_live', live => true, on_duplicate => 'update');
SET client_min_messages = warning;
SELECT id, v FROM flow_item WHERE id IN (3, 15) ORDER BY id;
-- update, in the order of the lines
INSERT INTO lake.flow_live (line) VALUES ('{"id": 3, "v": 1}'), ('{"id": 3, "v": 2}'), ('{"id": 16, "v": 1}'), ('{"id": 16, "v": 2}');
SELECT id, v FROM flow_item WHERE id IN (3, 16) ORDER BY id;
SELECT rows_read FROM dmp.ingest('flow_live');
SELECT bool_and(rows_read = rows_loaded + rows_duplicate + rows_quarantined), sum(rows_read) FROM dmp.batches WHERE source = 'flow_live';
SELECT count(*) FROM lake.flow_live WHERE line ~ '\S';
-- quarantine of a live source is retried as any; a batch of live writers can be undone
UPDATE dmp.quarantine SET record = '{"id": 17}' WHERE source = 'flow_live' AND record = 'no json';
SELECT rows_read, rows_loaded, rows_quarantined FROM dmp.retry_quarantine('flow_live');
SELECT rows_deleted FROM dmp.revert_batch((SELECT max(batch) FROM dmp.batches WHERE kind = 'live' AND source = 'flow_live'));
INSERT INTO lake.flow_live (line) VALUES ('{"id": 18}');
SELECT kind, state FROM dmp.batches WHERE source = 'flow_live' AND kind = 'live' ORDER BY batch;
-- a source that cannot work keeps no writer from the lake
ALTER TABLE flow_item RENAME v TO w;
INSERT INTO lake.flow_live (line) VALUES ('{"id": 19, "v": 19}');
ALTER TABLE flow_item RENAME w TO v;
SELECT rows_read, rows_loaded FROM dmp.ingest('flow_live');
-- rows that bring the xact of another time are ingest's (a restore of data)
INSERT INTO lake.flow_live (line, xact) VALUES ('{"id": 20}', '3'), ('{"id": 21}', DEFAULT);
SELECT id FROM flow_item WHERE id > 19;
SELECT rows_read FROM dmp.ingest('flow_live');
-- with deferred constraints and a transaction of one snapshot
ALTER TABLE flow_item ADD UNIQUE (v) DEFERRABLE INITIALLY DEFERRED;
BEGIN ISOLATION LEVEL REPEATABLE READ;
INSERT INTO lake.flow_live (line) VALUES ('{"id": 22, "v": 55}'), ('{"id": 23, "v": 55}'), ('{"id": 24, "v": 56}');
INSERT INTO lake.flow_live (line) VALUES ('{"id": 25}');
COMMIT;
SELECT id, v FROM flow_item WHERE id > 21 ORDER BY id;
SELECT record, left(reason, 80) FROM dmp.quarantine WHERE source = 'flow_live' AND record LIKE '%55%';
-- errors
SELECT * FROM dmp.create_source('flow_none', live => true);
CREATE TABLE flow_other (line text);
CREATE TRIGGER a AFTER INSERT ON flow_other FOR EACH STATEMENT EXECUTE FUNCTION dmp_internal.live();
INSERT INTO flow_other VALUES ('x');
DROP TRIGGER a ON flow_other;
CREATE TRIGGER a AFTER INSERT ON flow_other REFERENCING NEW TABLE AS n FOR EACH STATEMENT EXECUTE FUNCTION dmp_internal.live();
INSERT INTO flow_other VALUES ('{"id": 99}');
SELECT count(*) FROM flow_item WHERE id = 99;

-- ---- csv: the header is in the statement, or in the file
CREATE TABLE flow_row (id int, amount numeric, lake_id bigint);
SELECT source FROM dmp.create_source('flow_rows', 'flow_row', format => 'csv', live => true, options => '{"decimal_mark": {"amount": ","}}',
	mapping => '{"id": "id", "amount": "Amount", "lake_id": "$lake_id"}');
INSERT INTO lake.flow_rows (line) VALUES ('id;Amount'), ('1;2,5'), ('2;x'), ('3;1.000,25');
COPY lake.flow_rows (line) FROM stdin WITH (FORMAT csv, DELIMITER E'\x02', QUOTE E'\x01');
Amount;id
7,5;11
8,5;12
\.
INSERT INTO lake.flow_rows (line) VALUES ('9;9');
SELECT id, amount FROM flow_row ORDER BY id;
SELECT record, header, reason FROM dmp.quarantine WHERE source = 'flow_rows' ORDER BY id;
UPDATE dmp.quarantine SET record = '2;3,5' WHERE source = 'flow_rows' AND record = '2;x';
SELECT rows_read, rows_loaded, rows_quarantined FROM dmp.replay('flow_rows', (now() AT TIME ZONE 'UTC')::date - 1, (now() AT TIME ZONE 'UTC')::date);
SELECT id, amount FROM flow_row ORDER BY id;
SELECT count(*) FROM dmp.drop_source('flow_rows');
DROP TABLE flow_row;

-- ---- rights: ann owns the source, bob may only write to its lake, mallory is neither
CREATE ROLE flow_ann;
CREATE ROLE flow_bob;
CREATE ROLE flow_mallory;
SELECT count(*) FROM dmp.setup('flow_ann');
CREATE SCHEMA flow_ann AUTHORIZATION flow_ann;
CREATE SCHEMA flow_bob AUTHORIZATION flow_bob;
SET ROLE flow_ann;
SET search_path = flow_ann;
CREATE TABLE who (name text);
INSERT INTO who VALUES ('of ann');
CREATE FUNCTION mark(text) RETURNS text LANGUAGE sql AS 'SELECT ''marked '' || $1';
CREATE TABLE t (id int, note text, who text, done_by text);
-- the trigger's author wrote no schema names
CREATE FUNCTION t_mark() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	NEW.note := mark(NEW.note);
	NEW.who := (SELECT name FROM who);
	NEW.done_by := current_user;
	RETURN NEW;
END $$;
CREATE TRIGGER t_mark BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION t_mark();
SELECT source FROM dmp.create_source('flow_ann', 't', live => true);
GRANT INSERT ON lake.flow_ann TO flow_bob;
RESET ROLE;
GRANT USAGE ON SCHEMA lake TO flow_bob;
-- bob's search_path, his functions and his temporary tables choose nothing
SET ROLE flow_bob;
SET search_path = pg_temp, flow_bob, flow_ann;
CREATE TEMP TABLE who (name text);
INSERT INTO who VALUES ('of bob');
CREATE FUNCTION flow_bob.mark(text) RETURNS text LANGUAGE plpgsql AS 'BEGIN GRANT flow_ann TO flow_bob; RETURN ''bobbed''; END';
SET row_security = off;
INSERT INTO lake.flow_ann (line) VALUES ('{"id": 1, "note": "a"}'), ('bad');
SELECT * FROM flow_ann.t;
SELECT count(*) FROM dmp.quarantine;
SELECT count(*) FROM lake.flow_ann;
RESET row_security;
SELECT current_user, current_setting('search_path');
RESET ROLE;
RESET search_path;
SELECT * FROM flow_ann.t;
SELECT owner, record FROM dmp.quarantine WHERE source = 'flow_ann';
SELECT owner, done_by, kind FROM dmp.batches WHERE source = 'flow_ann';
-- mallory's table cannot feed ann's: her trigger is none of a lake of a live source
GRANT CREATE, USAGE ON SCHEMA flow_bob TO flow_mallory;
SET ROLE flow_mallory;
CREATE TABLE flow_bob.lake (id bigint, received_at timestamptz, xact xid8, cluster int, batch bigint, origin text, line_no bigint, line text);
CREATE TRIGGER dmp_live AFTER INSERT ON flow_bob.lake REFERENCING NEW TABLE AS dmp_new FOR EACH STATEMENT EXECUTE FUNCTION dmp_internal.live();
INSERT INTO flow_bob.lake VALUES (1, now(), pg_current_xact_id(), 1, NULL, NULL, 1, '{"id": 7, "note": "of mallory"}');
ALTER TABLE lake.flow_ann ATTACH PARTITION flow_bob.lake FOR VALUES FROM ('1990-01-01') TO ('1991-01-01');
SELECT source FROM dmp.alter_source('flow_ann', live => false);
RESET ROLE;
SELECT count(*) FROM flow_ann.t;
-- a hostile table: its triggers run as its owner, also for a superuser's lines, and cannot leave that
SET ROLE flow_ann;
CREATE TABLE flow_ann.tried (what text);
CREATE FUNCTION flow_ann.steal() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	BEGIN RESET ROLE; EXCEPTION WHEN OTHERS THEN INSERT INTO flow_ann.tried VALUES (SQLERRM); END;
	BEGIN RESET SESSION AUTHORIZATION; EXCEPTION WHEN OTHERS THEN INSERT INTO flow_ann.tried VALUES (SQLERRM); END;
	BEGIN ALTER ROLE flow_ann SUPERUSER; EXCEPTION WHEN OTHERS THEN INSERT INTO flow_ann.tried VALUES (SQLERRM); END;
	RETURN NULL;
END $$;
CREATE TRIGGER a_steal AFTER INSERT ON flow_ann.t FOR EACH ROW EXECUTE FUNCTION flow_ann.steal();
RESET ROLE;
INSERT INTO lake.flow_ann (line) VALUES ('{"id": 2}');
SELECT * FROM flow_ann.tried;
SELECT id, done_by FROM flow_ann.t WHERE id = 2;
-- nor later: what would run at the writer's commit runs now, as the owner, or not at all
SET ROLE flow_ann;
DROP TRIGGER a_steal ON flow_ann.t;
CREATE FUNCTION flow_ann.steal_late() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	ALTER ROLE flow_ann SUPERUSER;
	RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER late AFTER INSERT ON flow_ann.t DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION flow_ann.steal_late();
RESET ROLE;
INSERT INTO lake.flow_ann (line) VALUES ('{"id": 3}');
SET ROLE flow_ann;
DROP TRIGGER late ON flow_ann.t;
CREATE CONSTRAINT TRIGGER late AFTER INSERT ON flow_ann.tried DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION flow_ann.steal_late();
CREATE TRIGGER a_steal AFTER INSERT ON flow_ann.t FOR EACH ROW EXECUTE FUNCTION flow_ann.steal();
RESET ROLE;
INSERT INTO lake.flow_ann (line) VALUES ('{"id": 4}');
SELECT rolname FROM pg_roles WHERE rolname LIKE 'flow\_%' AND rolsuper;
SELECT record, reason FROM dmp.quarantine WHERE source = 'flow_ann' AND record LIKE '{%' ORDER BY id;
-- the owner lost the right: lines wait
DROP TRIGGER a_steal ON flow_ann.t;
ALTER TABLE flow_ann.t OWNER TO flow_bob;
INSERT INTO lake.flow_ann (line) VALUES ('{"id": 5}');
ALTER TABLE flow_ann.t OWNER TO flow_ann;
DROP TABLE flow_ann.t;
INSERT INTO lake.flow_ann (line) VALUES ('{"id": 6}');
-- a kept lake is an ordinary table again
SELECT * FROM dmp.drop_source('flow_ann', '{"keep": true}');
INSERT INTO lake.flow_ann (line) VALUES ('{"id": 7}');
SELECT count(*) FROM pg_trigger WHERE tgname = 'dmp_live' AND tgrelid::regclass::text LIKE 'lake.flow_ann%';
SELECT count(*) FROM dmp.drop_source('flow_live');
SELECT count(*) FROM dmp_internal.source_taken;
DROP TABLE lake.flow_ann, flow_item, flow_other CASCADE;
DROP OWNED BY flow_ann, flow_bob, flow_mallory CASCADE;
DELETE FROM dmp.quarantine WHERE source LIKE 'flow\_%';
DROP ROLE flow_ann, flow_bob, flow_mallory;
