-- dmp.audit: what each operation leaves in the log
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS dmp;
RESET client_min_messages;

-- entries of a table since the last look
CREATE TABLE audit_seen (entry bigint);
INSERT INTO audit_seen SELECT coalesce(max(entry), 0) FROM dmp.audit_log;
CREATE FUNCTION audit_look() RETURNS TABLE (relation text, operation "char", row_key jsonb, old jsonb, new jsonb)
LANGUAGE plpgsql AS $$
BEGIN
	RETURN QUERY SELECT l.relation, l.operation, l.row_key, l.old, l.new FROM dmp.audit_log l
		WHERE l.entry > (SELECT max(entry) FROM audit_seen) AND l.relation LIKE '%audit\_%' ORDER BY l.entry;
	INSERT INTO audit_seen SELECT max(entry) FROM dmp.audit_log;
END $$;

-- ---- each operation

CREATE TABLE audit_t (id bigint PRIMARY KEY, n int, t text);
SELECT dmp.audit('audit_t');
INSERT INTO audit_t VALUES (1, 10, 'one'), (2, NULL, NULL);
SELECT * FROM audit_look();
UPDATE audit_t SET n = 11 WHERE id = 1;
UPDATE audit_t SET n = 20, t = 'two' WHERE id = 2;
SELECT * FROM audit_look();
-- nothing changed, nothing logged; no row, nothing logged
UPDATE audit_t SET n = n, t = t;
UPDATE audit_t SET n = 0 WHERE id = 99;
DELETE FROM audit_t WHERE id = 99;
INSERT INTO audit_t SELECT 5, 5, '5' WHERE false;
SELECT * FROM audit_look();
-- only what changed: one of two rows
UPDATE audit_t SET n = 20;
SELECT * FROM audit_look();
-- the key
UPDATE audit_t SET id = 3 WHERE id = 2;
SELECT * FROM audit_look();
DELETE FROM audit_t WHERE id = 3;
SELECT * FROM audit_look();
TRUNCATE audit_t;
SELECT * FROM audit_look();

-- ---- ways to write

-- upsert: both triggers, each with its own rows
INSERT INTO audit_t VALUES (1, 1, 'a');
INSERT INTO audit_t VALUES (1, 2, 'b'), (2, 2, 'c') ON CONFLICT (id) DO UPDATE SET n = excluded.n;
INSERT INTO audit_t VALUES (1, 9, 'z') ON CONFLICT DO NOTHING;
SELECT * FROM audit_look();
MERGE INTO audit_t t USING (VALUES (1), (2), (3)) s (id) ON t.id = s.id
	WHEN MATCHED AND t.id = 1 THEN DELETE WHEN MATCHED THEN UPDATE SET n = 22 WHEN NOT MATCHED THEN INSERT VALUES (s.id, 33, 'm');
SELECT * FROM audit_look() ORDER BY operation, row_key;
COPY audit_t FROM stdin;
4	40	copied
5	\N	\N
\.
SELECT * FROM audit_look();
WITH d AS (DELETE FROM audit_t WHERE id = 4 RETURNING *), i AS (INSERT INTO audit_t SELECT id + 10, n, t FROM d) UPDATE audit_t SET n = 0 WHERE id = 5;
SELECT * FROM audit_look() ORDER BY operation;
PREPARE p AS UPDATE audit_t SET n = $1 WHERE id = 5;
EXECUTE p(1);
EXECUTE p(1);
SELECT * FROM audit_look();
-- what is rolled back is not logged
BEGIN;
DELETE FROM audit_t;
ROLLBACK;
BEGIN;
UPDATE audit_t SET n = 100 WHERE id = 5;
SAVEPOINT s;
UPDATE audit_t SET n = 200 WHERE id = 5;
ALTER TABLE audit_t ADD COLUMN rolled_back int;
UPDATE audit_t SET rolled_back = 1 WHERE id = 5;
ROLLBACK TO s;
UPDATE audit_t SET n = 300 WHERE id = 5;
COMMIT;
SELECT * FROM audit_look();
-- foreign keys
CREATE TABLE audit_child (id int PRIMARY KEY, parent bigint REFERENCES audit_t ON UPDATE CASCADE ON DELETE CASCADE);
SELECT dmp.audit('audit_child');
INSERT INTO audit_child VALUES (1, 5), (2, 5), (3, 14);
SELECT count(*) FROM audit_look();
UPDATE audit_t SET id = 50 WHERE id = 5;
DELETE FROM audit_t WHERE id = 50;
SELECT * FROM audit_look();
TRUNCATE audit_t CASCADE;
SELECT * FROM audit_look() ORDER BY relation;
-- triggers of others: what they make of a row is what is logged
CREATE FUNCTION audit_shout() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.t := upper(NEW.t); RETURN NEW; END $$;
CREATE TRIGGER shout BEFORE INSERT OR UPDATE ON audit_t FOR EACH ROW EXECUTE FUNCTION audit_shout();
INSERT INTO audit_t VALUES (1, 1, 'quiet');
UPDATE audit_t SET t = 'quiet';
SELECT * FROM audit_look();
-- a replica's writes too
SET session_replication_role = replica;
UPDATE audit_t SET n = 2;
RESET session_replication_role;
SELECT * FROM audit_look();
SELECT tgname, tgenabled FROM pg_trigger WHERE tgrelid = 'audit_t'::regclass AND tgname LIKE 'dmp%' ORDER BY 1;

-- ---- tables of every kind

-- a key of two columns, in its own order; wide differences
CREATE TABLE audit_two (b text, v int, a int, PRIMARY KEY (a, b));
-- no key; rows that are alike
CREATE TABLE audit_bag (a int, b text);
-- no primary key, but an identity for replicas
CREATE TABLE audit_ident (a int, c int NOT NULL, b text);
CREATE UNIQUE INDEX audit_ident_c ON audit_ident (c);
ALTER TABLE audit_ident REPLICA IDENTITY USING INDEX audit_ident_c;
-- columns that are computed, that are gone
CREATE TABLE audit_gen (gone int, id int PRIMARY KEY, g text GENERATED ALWAYS AS ('<' || id || '>') STORED, also_gone text, n int);
ALTER TABLE audit_gen DROP COLUMN gone, DROP COLUMN also_gone;
CREATE UNLOGGED TABLE audit_unlogged (id int PRIMARY KEY);
SELECT count(dmp.audit(t::regclass)) FROM unnest('{audit_two,audit_bag,audit_ident,audit_gen,audit_unlogged}'::text[]) t;
SELECT count(*) FROM audit_look();
INSERT INTO audit_two VALUES ('x', 1, 1);
UPDATE audit_two SET v = 2;
UPDATE audit_two SET b = 'y';
INSERT INTO audit_bag VALUES (1, 'a'), (1, 'a'), (NULL, NULL);
UPDATE audit_bag SET b = 'b' WHERE a = 1;
DELETE FROM audit_bag WHERE a IS NULL;
INSERT INTO audit_ident VALUES (1, 2, 'i');
UPDATE audit_ident SET a = 5;
INSERT INTO audit_gen (id, n) VALUES (1, 1);
UPDATE audit_gen SET id = 2;
UPDATE audit_gen SET n = 3;
INSERT INTO audit_unlogged VALUES (1);
SELECT * FROM audit_look();
-- columns added later: a new shape
ALTER TABLE audit_gen ADD COLUMN later text DEFAULT 'there';
UPDATE audit_gen SET n = 4;
DELETE FROM audit_gen;
SELECT * FROM audit_look();

-- partitions: each with its own columns; over them, into them, from one to another
CREATE TABLE audit_p (id int, v text, PRIMARY KEY (id)) PARTITION BY RANGE (id);
CREATE TABLE audit_p1 (v text, gone int, id int NOT NULL);
ALTER TABLE audit_p1 DROP COLUMN gone;
ALTER TABLE audit_p ATTACH PARTITION audit_p1 FOR VALUES FROM (0) TO (10);
CREATE TABLE audit_p2 PARTITION OF audit_p FOR VALUES FROM (10) TO (20) PARTITION BY RANGE (id);
CREATE TABLE audit_p21 PARTITION OF audit_p2 FOR VALUES FROM (10) TO (15);
SELECT dmp.audit('audit_p', keep_truncated => true);
SELECT relation, root FROM dmp_internal.audited WHERE root = 'audit_p'::regclass ORDER BY relation::text;
SELECT count(*) FROM audit_look();
INSERT INTO audit_p VALUES (1, 'one'), (11, 'eleven');
INSERT INTO audit_p1 VALUES ('two', 2);
INSERT INTO audit_p2 VALUES (12, 'twelve');
UPDATE audit_p SET id = 10 WHERE id = 1;
UPDATE audit_p21 SET v = 'direct' WHERE id = 11;
DELETE FROM audit_p WHERE id = 12 OR v = 'direct';
SELECT * FROM audit_look();
-- a row leaves a partition, and the other's trigger refuses it: what was done is what is logged
CREATE FUNCTION audit_refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.v = 'one' THEN RETURN NULL; END IF; RETURN NEW; END $$;
INSERT INTO audit_p VALUES (3, 'one'), (4, 'four');
SELECT count(*) FROM audit_look();
CREATE TRIGGER refuse BEFORE INSERT ON audit_p21 FOR EACH ROW EXECUTE FUNCTION audit_refuse();
UPDATE audit_p SET id = id + 10 WHERE id IN (3, 4);
SELECT operation, row_key, old, new FROM audit_look();
TABLE audit_p ORDER BY id;
DROP TRIGGER refuse ON audit_p21;
-- TRUNCATE counts, and keeps rows when asked to
DELETE FROM audit_p WHERE id < 12;
SELECT count(*) >= 0 FROM audit_look();
TRUNCATE audit_p;
SELECT relation, operation, row_key, old, new FROM audit_look() ORDER BY relation, operation;
-- a partition that comes later is audited by asking again
CREATE TABLE audit_p3 PARTITION OF audit_p FOR VALUES FROM (20) TO (30);
INSERT INTO audit_p3 VALUES (20, 'unseen');
INSERT INTO audit_p VALUES (21, 'seen');
SELECT relation, operation FROM audit_look();
SELECT dmp.audit('audit_p', keep_truncated => true);
INSERT INTO audit_p3 VALUES (22, 'seen');
SELECT relation, operation FROM audit_look();

-- ---- columns left out, columns hidden

CREATE TABLE audit_h (id int PRIMARY KEY, note text, card text, n int);
SELECT dmp.audit('audit_h', exclude => '{note}', redact => '{card}');
INSERT INTO audit_h VALUES (1, 'secret note', '4111 1111', 1), (2, NULL, NULL, 2);
UPDATE audit_h SET note = 'another';
UPDATE audit_h SET card = '4222 2222' WHERE id = 1;
UPDATE audit_h SET card = NULL, n = 5 WHERE id = 1;
DELETE FROM audit_h WHERE id = 1;
SELECT * FROM audit_look();
SELECT count(*) FROM dmp_internal.audit_chunk WHERE position('4111'::bytea IN body) > 0 OR position('secret note'::bytea IN body) > 0;
-- they stay so under another name, and a new column of the old name is another column
ALTER TABLE audit_h RENAME card TO card_number;
ALTER TABLE audit_h ADD COLUMN card text;
UPDATE audit_h SET card_number = '4333', card = 'plain' WHERE id = 2;
SELECT * FROM audit_look();
-- asked again, with another choice
SELECT dmp.audit('audit_h');
UPDATE audit_h SET note = 'now seen', card_number = 'too' WHERE id = 2;
SELECT * FROM audit_look();

-- ---- who, by what

SET application_name = 'audit test';
CREATE ROLE audit_writer;
CREATE ROLE audit_owner;
GRANT CREATE ON SCHEMA public TO audit_owner;
CREATE TABLE audit_w (id int PRIMARY KEY, v text);
ALTER TABLE audit_w OWNER TO audit_owner;
GRANT INSERT ON audit_w TO audit_writer;
SET ROLE audit_writer;
-- only the owner says what is audited
SELECT dmp.audit('audit_w');
SELECT dmp.unaudit('audit_w');
SET ROLE audit_owner;
SELECT dmp.audit('audit_w');
-- a role that may insert and nothing else: its rights stay as they are
SET ROLE audit_writer;
INSERT INTO audit_w VALUES (1, 'x'), (2, 'y');
SELECT current_user;
SELECT count(*) FROM dmp.audit_log;
SELECT * FROM audit_w;
INSERT INTO dmp_internal.audit_chunk SELECT * FROM dmp_internal.audit_chunk;
DELETE FROM dmp_internal.audit_shape;
SELECT nextval('dmp_internal.audit_chunk_id');
-- the owner reads the entries of what is hers
SET ROLE audit_owner;
SELECT session_role = session_user AS session, effective_role, application, client IS NULL AS local, relation, operation, row_key, new FROM dmp.audit_log WHERE operation <> 'G' ORDER BY entry;
SELECT DISTINCT relation FROM dmp.audit_log;
DELETE FROM dmp_internal.audit_chunk;
UPDATE dmp_internal.audited SET redact = '{}';
DO $$
DECLARE month text := to_char(now() AT TIME ZONE 'UTC', 'YYYY_MM');
BEGIN
	EXECUTE format('SELECT FROM dmp_internal.audit_chunk_%s', month);
EXCEPTION WHEN insufficient_privilege THEN
	RAISE NOTICE '%', replace(SQLERRM, month, '(month)');
END $$;
RESET ROLE;
-- a number for statements that differ only in their constants
SELECT max(entry) AS last FROM dmp.audit_log \gset
INSERT INTO audit_w VALUES (3, 'a');
INSERT  INTO audit_w VALUES (44,   'it is');
INSERT INTO audit_w(id) VALUES (5);
SELECT count(DISTINCT statement_hash), count(*) FROM dmp.audit_log WHERE entry > :last;
SELECT dmp.grant_context('audit_writer', '{}', '{billing}');
SELECT max(entry) AS last FROM dmp.audit_log \gset
SET ROLE audit_writer;
BEGIN;
SELECT dmp.set_context('{"actor": "ann", "purpose": "billing", "request": "T-1"}');
INSERT INTO audit_w VALUES (6, NULL);
COMMIT;
INSERT INTO audit_w VALUES (7, NULL);
RESET ROLE;
SELECT actor, purpose, request, operation, new FROM dmp.audit_log WHERE entry > :last AND relation = 'public.audit_w' ORDER BY entry;

-- search_path: nothing of the writer's is called
CREATE SCHEMA audit_evil;
GRANT ALL ON SCHEMA audit_evil TO audit_writer;
SET ROLE audit_writer;
CREATE FUNCTION audit_evil.now() RETURNS timestamptz LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'called as %', current_user; END $$;
CREATE FUNCTION audit_evil.nextval(regclass) RETURNS bigint LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'called as %', current_user; END $$;
CREATE FUNCTION audit_evil.eq(oid, oid) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'called as %', current_user; END $$;
CREATE OPERATOR audit_evil.= (FUNCTION = audit_evil.eq, LEFTARG = oid, RIGHTARG = oid);
CREATE TEMP TABLE audit_chunk (id int);
CREATE TEMP TABLE audit_shape (id int);
SET search_path = audit_evil, pg_temp, pg_catalog, public;
INSERT INTO public.audit_w VALUES (8, 'path');
RESET search_path;
RESET ROLE;
-- a new shape is looked up in another session's first statement: the same
ALTER TABLE audit_w ADD COLUMN more int;
SET ROLE audit_writer;
SET search_path = audit_evil, pg_temp, pg_catalog, public;
INSERT INTO public.audit_w VALUES (9, 'path', 1);
RESET search_path;
RESET ROLE;
SELECT operation, new FROM dmp.audit_log WHERE relation = 'public.audit_w' ORDER BY entry DESC LIMIT 2;

-- ---- what cannot be audited, and names that hope to be something else

SELECT dmp.audit('dmp_internal.audit_chunk');
SELECT dmp.audit('pg_class');
SELECT dmp.audit('audit_w_pkey');
CREATE TEMP TABLE audit_temp (id int);
SELECT dmp.audit('audit_temp');
CREATE TABLE audit_heir () INHERITS (audit_seen);
SELECT dmp.audit('audit_seen');
SELECT dmp.audit('audit_heir');
CREATE VIEW audit_view AS TABLE audit_t;
SELECT dmp.audit('audit_view');
SELECT dmp.audit('audit_t', exclude => '{nn}');
SELECT dmp.audit('audit_t', exclude => '{id,n,t}');
SELECT dmp.unaudit('audit_seen');
SELECT dmp.audit(NULL);
CREATE TABLE "audit ""; drop table audit_t; --" ("id' || 'x" int PRIMARY KEY, "{a,""b""}" text, "\" int);
SELECT dmp.audit('"audit ""; drop table audit_t; --"', exclude => ARRAY['\'], redact => ARRAY['{a,"b"}']);
INSERT INTO "audit ""; drop table audit_t; --" VALUES (1, 'x', 2);
SELECT relation, operation, new FROM dmp.audit_log ORDER BY entry DESC LIMIT 1;
-- the triggers are no functions, nor for other tables' events
SELECT dmp_internal.audit_rows();
CREATE TABLE audit_wrong (id int);
CREATE TRIGGER wrong AFTER INSERT ON audit_wrong FOR EACH STATEMENT EXECUTE FUNCTION dmp_internal.audit_rows();
INSERT INTO audit_wrong VALUES (1);

-- ---- unaudit

SELECT max(entry) AS last FROM dmp.audit_log \gset
SELECT dmp.unaudit('audit_p');
INSERT INTO audit_p3 VALUES (25, 'unseen');
SELECT relation, operation, new FROM dmp.audit_log WHERE entry > :last ORDER BY entry;
SELECT count(*) FROM pg_trigger WHERE tgrelid IN (SELECT relid FROM pg_partition_tree('audit_p')) AND tgname LIKE 'dmp%';
-- entries of a table that is gone are for superusers
DROP TABLE audit_two;
SELECT count(*) FROM dmp.audit_log WHERE relation = 'public.audit_two';
SET ROLE audit_owner;
SELECT count(*) FROM dmp.audit_log WHERE relation = 'public.audit_two';
RESET ROLE;
DROP SCHEMA audit_evil CASCADE;
DROP TABLE audit_w, audit_chunk, audit_shape;
DROP OWNED BY audit_owner, audit_writer;
DROP ROLE audit_owner, audit_writer;
