-- protected reads in the audit log
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS dmp;
CREATE ROLE access_owner;
CREATE ROLE access_reader;
CREATE SCHEMA access_l AUTHORIZATION access_owner;
GRANT USAGE ON SCHEMA access_l TO access_reader;
SELECT count(*) FROM dmp.grant_context('access_reader', '{1,2}', NULL);
SET ROLE access_owner;
CREATE TABLE access_l.a (id int, org_id int);
CREATE TABLE access_l.b (id int, org_id int);
INSERT INTO access_l.a SELECT i, 1 + i % 2 FROM generate_series(1, 1000) i;
INSERT INTO access_l.b SELECT i, 1 + i % 2 FROM generate_series(1, 1000) i;
GRANT SELECT, UPDATE ON access_l.a, access_l.b TO access_reader;
SELECT count(*) > 0 FROM dmp.protect('access_l.a', 'org_id');
SELECT count(*) > 0 FROM dmp.protect('access_l.b', 'org_id', purposes => '{support}');
RESET ROLE;
ANALYZE access_l.a, access_l.b;
RESET client_min_messages;
SELECT nextval('dmp_internal.read_number') AS first \gset

SET SESSION AUTHORIZATION access_reader;
SET dmp.read_log = 'off';
RESET SESSION AUTHORIZATION;
SET dmp.read_log = 'nowhere';
SET dmp.read_log = 'table';
CREATE VIEW pg_temp.reads AS SELECT relation, session_role, new ->> 'actor' AS actor, new ->> 'tenant' AS tenant, new ->> 'purpose' AS purpose, new ->> 'request' AS request
	FROM dmp.audit_log WHERE operation = 'R' AND relation::text LIKE 'access_l.%' ORDER BY (new ->> 'number')::bigint;

SET SESSION AUTHORIZATION access_reader;
BEGIN;
SELECT dmp.set_context('{"actor": "ann", "tenant": 1, "purpose": "support", "request": "T-1"}');
SELECT count(*) FROM access_l.a;
-- one for each table of a statement, however often it is named
SELECT count(*) FROM access_l.a x JOIN access_l.a y USING (id) JOIN access_l.b USING (id);
-- none when nothing can be read
SELECT count(*) FROM access_l.a WHERE false;
SELECT dmp.set_context('{"actor": "ann", "tenant": 2}');
SELECT count(*) FROM access_l.b;
UPDATE access_l.a SET id = -id WHERE id = 1;
COMMIT;
RESET SESSION AUTHORIZATION;
SELECT * FROM pg_temp.reads;
-- what is rolled back: in the server's log, and a gap in the numbers; of a savepoint: kept
SET SESSION AUTHORIZATION access_reader;
BEGIN;
SELECT dmp.set_context('{"tenant": 1, "request": "rolled back"}');
SELECT count(*) FROM access_l.a;
ROLLBACK;
BEGIN;
SELECT dmp.set_context('{"tenant": 1, "request": "kept"}');
SAVEPOINT s;
SELECT count(*) FROM access_l.a;
SELECT 1 / 0;
ROLLBACK TO s;
COMMIT;
-- in a parallel plan
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
BEGIN;
SELECT dmp.set_context('{"tenant": 1, "request": "parallel"}');
EXPLAIN (COSTS OFF) SELECT count(*) FROM access_l.a \g /dev/null
SELECT count(*) FROM access_l.a;
COMMIT;
-- through a function and a cursor
BEGIN;
SELECT dmp.set_context('{"tenant": 1, "request": "cursor"}');
DECLARE c CURSOR FOR SELECT id FROM access_l.a;
FETCH 1 FROM c;
FETCH 1 FROM c;
COMMIT;
-- where nothing can be written
BEGIN READ ONLY;
SELECT dmp.set_context('{"tenant": 1, "request": "read only"}');
SELECT count(*) FROM access_l.a;
SELECT count(*) FROM access_l.a;
COMMIT;
BEGIN;
SELECT dmp.set_context('{"tenant": 1, "request": "read only later"}');
SELECT count(*) FROM access_l.a;
SET TRANSACTION READ ONLY;
COMMIT;
RESET SESSION AUTHORIZATION;
RESET parallel_setup_cost;
RESET parallel_tuple_cost;
RESET min_parallel_table_scan_size;
SELECT * FROM pg_temp.reads WHERE request <> 'T-1';
-- numbers that are missing: the one rolled back and the one made read-only
SELECT count(*) FROM generate_series(:first + 1, (SELECT last_value FROM dmp_internal.read_number)) n
WHERE NOT EXISTS (SELECT FROM dmp.audit_log WHERE operation = 'R' AND (new ->> 'number')::bigint = n);
-- who granted what, and what was protected
SELECT relation, effective_role = 'access_owner' AS by_owner, new ->> 'act' AS act, jsonb_array_length(new -> 'statements') AS statements FROM dmp.audit_log
WHERE operation = 'G' AND relation::text LIKE 'access_l.%' ORDER BY entry;
SELECT dmp.set_default_context('access_reader', '{"tenant": 1}');
SELECT count(*) FROM dmp.revoke_context('access_reader', '{1,2}', NULL);
SELECT new FROM (SELECT new, entry FROM dmp.audit_log WHERE operation = 'G' AND new ->> 'role' = 'access_reader' ORDER BY entry DESC LIMIT 3) e ORDER BY entry;
SELECT count(*) FROM dmp.grant_context('access_reader', '{1,2}', NULL);
RESET dmp.read_log;
SHOW dmp.read_log;

SET client_min_messages = warning;
DROP OWNED BY access_owner, access_reader CASCADE;
SELECT count(*) FROM dmp.revoke_context('access_reader');
DROP ROLE access_owner, access_reader;
