-- dmp.audit_coverage: what the triggers did not see is found by content
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS dmp;
RESET client_min_messages;
CREATE SCHEMA coverage_test;
SET search_path = coverage_test, public;

CREATE TABLE keyed (id int, part text, value numeric, secret text, skipped text, at timestamptz DEFAULT '2024-01-01Z', tags text[], PRIMARY KEY (id, part));
CREATE TABLE loose (a int, b text);
CREATE TABLE parted (id int, region text, v float8, PRIMARY KEY (region, id)) PARTITION BY LIST (region);
CREATE TABLE parted_eu PARTITION OF parted FOR VALUES IN ('eu');
CREATE TABLE parted_us (v float8, region text NOT NULL, id int NOT NULL);
ALTER TABLE parted ATTACH PARTITION parted_us FOR VALUES IN ('us');
SELECT dmp.audit('keyed', exclude => '{skipped}', redact => '{secret}');
SELECT dmp.audit('loose');
SELECT dmp.audit('parted');
INSERT INTO keyed (id, part, value, secret) SELECT i, 'p', i / 7.0, 's' || i FROM generate_series(1, 100) i;

-- by what a reason is; a gap is told once, and again by every later call
CREATE FUNCTION news() RETURNS TABLE (relation text, open boolean, reason text) LANGUAGE plpgsql AS $$
BEGIN
	CREATE TEMP TABLE now_seen ON COMMIT DROP AS SELECT c.* FROM dmp.audit_coverage() c WHERE c.relation LIKE '%coverage_test%' OR c.relation !~ '\.';
	RETURN QUERY WITH fresh AS (
			SELECT c.relation, c.gap_to IS NULL AS open, c.reason FROM now_seen c
			EXCEPT ALL SELECT s.relation, s.open, s.reason FROM told s)
		SELECT replace(f.relation, 'coverage_test.', ''), f.open, f.reason FROM fresh f ORDER BY 1, 3;
	DELETE FROM told;
	INSERT INTO told SELECT c.relation, c.gap_to IS NULL, c.reason FROM now_seen c;
END $$;
CREATE TABLE told (relation text, open boolean, reason text);

-- the first call takes the content as it is
SELECT * FROM news();
SELECT replace(root::text, 'coverage_test.', '') AS root, rows, length(content) FROM dmp_internal.audit_check WHERE root::text LIKE '%coverage_test%' ORDER BY 1;

-- whatever is logged explains the table
INSERT INTO keyed (id, part, value, tags) VALUES (200, 'x', NULL, '{a,NULL}'), (201, 'y', '-0.00', '{}');
UPDATE keyed SET value = value * 2, secret = 'changed', skipped = 'changed' WHERE id < 50;
UPDATE keyed SET id = id + 1000, part = 'moved' WHERE id BETWEEN 20 AND 30;
DELETE FROM keyed WHERE id % 9 = 0;
INSERT INTO keyed (id, part, value) VALUES (1, 'p', 5) ON CONFLICT (id, part) DO UPDATE SET value = excluded.value;
INSERT INTO loose SELECT i % 3, 'b' || i % 5 FROM generate_series(1, 60) i;
UPDATE loose SET b = b || '!' WHERE a = 1;
DELETE FROM loose WHERE ctid IN (SELECT ctid FROM loose WHERE a = 2 LIMIT 3);
INSERT INTO parted SELECT i, CASE WHEN i % 2 = 0 THEN 'eu' ELSE 'us' END, 1.0 / i FROM generate_series(1, 40) i;
INSERT INTO parted_us (id, region, v) VALUES (1000, 'us', 'NaN'), (1001, 'us', '-0');
UPDATE parted SET region = 'eu' WHERE id = 1001;
UPDATE parted_eu SET v = v + 1;
BEGIN;
DELETE FROM keyed;
SAVEPOINT s;
DELETE FROM loose;
ROLLBACK;
SELECT * FROM news();
SET TimeZone = 'Asia/Shanghai';
SET extra_float_digits = -3;
UPDATE keyed SET at = at + interval '1 day' WHERE id < 10;
SELECT * FROM news();
RESET TimeZone;
RESET extra_float_digits;
-- replica mode writes are logged, vacuuming and rewriting change nothing
SET session_replication_role = replica;
UPDATE keyed SET value = 0 WHERE id = 3;
RESET session_replication_role;
VACUUM FULL keyed;
CLUSTER keyed USING keyed_pkey;
SELECT * FROM news();
-- TRUNCATE
TRUNCATE loose;
INSERT INTO loose VALUES (7, 'after');
SELECT * FROM news();

-- a trigger that is off is told at once; what was done meanwhile, by content
ALTER TABLE keyed DISABLE TRIGGER dmp_audit_update;
SELECT * FROM news();
UPDATE keyed SET value = 77 WHERE id = 4;
ALTER TABLE keyed ENABLE ALWAYS TRIGGER dmp_audit_update;
SELECT * FROM news();
SELECT * FROM news();
-- and when it is on again before anybody looks
ALTER TABLE loose DISABLE TRIGGER ALL;
INSERT INTO loose VALUES (8, 'unseen');
DO $$ BEGIN
	EXECUTE (SELECT string_agg(format('ALTER TABLE loose ENABLE ALWAYS TRIGGER %I', tgname), ';') FROM pg_trigger WHERE tgrelid = 'loose'::regclass);
END $$;
SELECT * FROM news();
-- a value for another, the rows stay as many
ALTER TABLE keyed DISABLE TRIGGER dmp_audit_delete;
ALTER TABLE keyed DISABLE TRIGGER dmp_audit_insert;
DELETE FROM keyed WHERE id = 5;
INSERT INTO keyed (id, part, value) VALUES (5, 'p', 1);
ALTER TABLE keyed ENABLE ALWAYS TRIGGER dmp_audit_delete;
ALTER TABLE keyed ENABLE ALWAYS TRIGGER dmp_audit_insert;
SELECT * FROM news();
-- not ALWAYS, and replica mode
ALTER TABLE keyed ENABLE TRIGGER dmp_audit_update;
SET session_replication_role = replica;
UPDATE keyed SET value = 78 WHERE id = 4;
RESET session_replication_role;
SELECT * FROM news();
ALTER TABLE keyed ENABLE ALWAYS TRIGGER dmp_audit_update;
SELECT * FROM news();
-- replaced by one that never fires
DROP TRIGGER dmp_audit_insert ON loose;
CREATE TRIGGER dmp_audit_insert AFTER INSERT ON loose REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT WHEN (false) EXECUTE FUNCTION dmp_internal.audit_rows();
ALTER TABLE loose ENABLE ALWAYS TRIGGER dmp_audit_insert;
DROP TRIGGER dmp_audit_truncate ON loose;
SELECT * FROM news();
SELECT dmp.audit('loose');
SELECT * FROM news();
-- partitions that come with rows, or go
CREATE TABLE parted_as (LIKE parted);
INSERT INTO parted_as VALUES (1, 'as', 1);
ALTER TABLE parted ATTACH PARTITION parted_as FOR VALUES IN ('as');
SELECT * FROM news();
SELECT dmp.audit('parted');
SELECT * FROM news();
ALTER TABLE parted DETACH PARTITION parted_as;
SELECT * FROM news();
-- a rewrite that changes values, one that does not
ALTER TABLE loose ALTER COLUMN b TYPE varchar(50) USING b || '?';
SELECT * FROM news();
ALTER TABLE loose ADD COLUMN c int DEFAULT 5;
SELECT * FROM news();
ALTER TABLE loose RENAME TO loose2;
UPDATE loose2 SET c = 6;
SELECT * FROM news();
-- erased entries explain nothing any more
UPDATE keyed SET value = 79 WHERE id = 4;
SELECT dmp_internal.erase_entries(ARRAY[(SELECT max(entry) FROM dmp.audit_log)]);
SELECT * FROM news();

-- a transaction that wrote already; one that may not write tells, and leaves no mark
BEGIN;
UPDATE keyed SET value = 1 WHERE id = 4;
SELECT count(*) - (SELECT count(*) FROM told) AS news FROM dmp.audit_coverage() WHERE relation LIKE '%coverage_test%' OR relation !~ '\.';
UPDATE keyed SET value = 2 WHERE id = 4;
COMMIT;
SELECT * FROM news();
BEGIN READ ONLY;
SELECT count(*) - (SELECT count(*) FROM told) AS news FROM dmp.audit_coverage() WHERE relation LIKE '%coverage_test%' OR relation !~ '\.';
COMMIT;
SELECT * FROM news();

-- everybody about what is theirs
CREATE ROLE coverage_ann;
SET ROLE coverage_ann;
SELECT * FROM dmp.audit_coverage();
RESET ROLE;
DROP ROLE coverage_ann;
SELECT dmp.unaudit('keyed');
SELECT dmp.unaudit('loose2');
SELECT dmp.unaudit('parted');
SELECT * FROM news();
SET client_min_messages = warning;
DROP SCHEMA coverage_test CASCADE;
-- what was not unaudited before it was dropped
SELECT relation, reason FROM dmp.audit_coverage() WHERE relation ~ 'coverage_test' ORDER BY 1;
