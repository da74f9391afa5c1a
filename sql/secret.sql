-- keys: nobody but a superuser reads, exports or imports one
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS dmp;
RESET client_min_messages;
CREATE ROLE privacy_ann;
CREATE ROLE privacy_reader IN ROLE pg_read_all_data;
\set VERBOSITY terse

SELECT name, octet_length(key) FROM dmp.secret WHERE name IN ('pseudonym', 'token') ORDER BY 1;

-- rights: none, not by grants, membership, export or the machinery
SET ROLE privacy_ann;
SELECT * FROM dmp.secret;
SELECT key FROM dmp.secret;
UPDATE dmp.secret SET key = '\x00';
INSERT INTO dmp.secret VALUES ('mine', sha256('x'));
DELETE FROM dmp.secret;
TRUNCATE dmp.secret;
COPY dmp.secret TO stdout;
SELECT dmp.export_key('pseudonym');
SELECT * FROM dmp.import_key('pseudonym', sha256('x'));
SELECT dmp_internal.make_secret('mine');
SELECT dmp.reveal_token('123456', 'd');
CREATE TEMP TABLE privacy_trap (name text, key bytea);
CREATE TRIGGER t AFTER INSERT ON privacy_trap FOR EACH STATEMENT EXECUTE FUNCTION dmp_internal.secret_changed();
INSERT INTO privacy_trap VALUES ('a', 'b');
DROP TABLE privacy_trap;
SET ROLE privacy_reader;
SELECT count(*) FROM dmp.secret;
SELECT dmp.export_key('pseudonym');
RESET ROLE;
-- a grant of EXECUTE by mistake opens nothing
GRANT EXECUTE ON FUNCTION dmp.export_key(text), dmp.import_key(text, bytea) TO privacy_ann;
SET ROLE privacy_ann;
SELECT dmp.export_key('pseudonym');
SELECT * FROM dmp.import_key('pseudonym', sha256('x'));
RESET ROLE;
REVOKE EXECUTE ON FUNCTION dmp.export_key(text), dmp.import_key(text, bytea) FROM privacy_ann;
-- nothing of a key in statistics
ANALYZE dmp.secret;
SET ROLE privacy_ann;
SELECT count(*) FROM pg_stats WHERE schemaname = 'dmp' AND tablename = 'secret';
SET ROLE privacy_reader;
SELECT count(*) FROM pg_stats WHERE schemaname = 'dmp' AND tablename = 'secret';
RESET ROLE;

-- out and in again
BEGIN;
SELECT dmp.pseudonym('a', 'b') AS before, dmp.export_key('pseudonym') AS kept \gset
SELECT * FROM dmp.import_key('pseudonym', :'kept');
SELECT * FROM dmp.import_key('pseudonym', sha256('another'));
SELECT dmp.pseudonym('a', 'b') <> :'before' AS changed, dmp.export_key('pseudonym') = sha256('another') AS exported;
SAVEPOINT s;
SELECT * FROM dmp.import_key('pseudonym', sha256('a third'));
SELECT dmp.pseudonym('a', 'b') AS third \gset
ROLLBACK TO s;
SELECT dmp.pseudonym('a', 'b') NOT IN (:'before', :'third') AS second_again;
SELECT * FROM dmp.import_key('pseudonym', :'kept');
SELECT dmp.pseudonym('a', 'b') = :'before' AS as_before;
SELECT * FROM dmp.import_key('privacy_new', sha256('new'));
ROLLBACK;
-- a key that was rolled back is forgotten
SELECT dmp.pseudonym('a', 'b') = :'before' AS as_before;
SELECT count(*) FROM dmp.secret WHERE name = 'privacy_new';
-- whatever way it changes
BEGIN;
DELETE FROM dmp.secret WHERE name = 'pseudonym';
SELECT dmp.pseudonym('a', 'b') <> :'before' AS made_anew;
ROLLBACK;
SELECT dmp.pseudonym('a', 'b') = :'before' AS as_before;
BEGIN;
TRUNCATE dmp.secret;
SET TRANSACTION READ ONLY;
SELECT dmp.pseudonym('a', 'b');
ROLLBACK;
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT 1;
DELETE FROM dmp.secret WHERE name = 'token';
SELECT dmp.token('123456', 'b') = dmp.token('123456', 'b') AS made_anew;
ROLLBACK;

-- errors
SELECT dmp.export_key('pseudonyn');
SELECT * FROM dmp.import_key('short', '\x00');
SELECT * FROM dmp.import_key('', sha256(''));
SELECT dmp.export_key(NULL), (SELECT count(*) FROM dmp.import_key(NULL, NULL));
BEGIN READ ONLY;
SELECT * FROM dmp.import_key('pseudonym', sha256('x'));
ROLLBACK;
BEGIN READ ONLY;
SELECT dmp.pseudonym('a', 'b') = :'before' AS in_a_reading_transaction;
COMMIT;
INSERT INTO dmp.secret VALUES ('short', '\x00');

-- a dump has no keys
SELECT condition FROM (SELECT unnest(extconfig) AS relid, unnest(extcondition) AS condition
	FROM pg_extension WHERE extname = 'dmp') c WHERE relid = 'dmp.secret'::regclass;
DROP ROLE privacy_ann;
DROP ROLE privacy_reader;
