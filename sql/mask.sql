-- masked views: what those see who may not see all
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS dmp;
SELECT count(*) > 0 AS ready FROM dmp.setup();
CREATE ROLE access_owner;
CREATE ROLE access_reader;
CREATE ROLE access_clear;
CREATE ROLE access_pool NOINHERIT IN ROLE access_clear, access_reader;
CREATE SCHEMA access_m AUTHORIZATION access_owner;
GRANT USAGE, CREATE ON SCHEMA access_m TO access_reader, access_clear;
SELECT count(*) FROM unnest('{access_reader,access_clear,access_owner}'::name[]) r, dmp.grant_context(r, '{1}', NULL);
RESET client_min_messages;

-- ---- kinds, one by one
SELECT v, dmp_internal.mask_email(v), dmp_internal.mask_last4(v), dmp_internal.mask_phone(v), dmp_internal.mask_first(v)
FROM unnest(ARRAY['ann@example.org', 'a@example.org', 'a@b@example.org', '@example.org', 'ann@', 'ann', '', 'x', '4111 1111 1111 1111', '1234567', '12345678',
	'+49 (30) 123-45.67', '110', 'call me', '王芳', '王芳芳芳芳芳芳芳', 'ö@ü.de', 'öl@ü.de', NULL]) WITH ORDINALITY u(v, i) ORDER BY i;

SET ROLE access_owner;
CREATE TABLE access_m.people (id int PRIMARY KEY, org_id int, email text, phone varchar(20), card char(19), name varchar(40), note text, born date,
	seen timestamptz, made timestamp, age smallint, income numeric(10,2), score float8, big bigint, ref uuid, tags text[], secret varchar(10), "quo""ted" text);
INSERT INTO access_m.people VALUES
	(1, 1, 'ann@example.org', '+49 30 1234567', '4111 1111 1111 1111', 'Ann Lee', 'x', '1985-07-21', '2024-06-01 23:59:59+00', '2024-06-15 12:00', 37, 51234.56, 0.77, -9223372036854775807,
		'00000000-0000-0000-0000-000000000001', '{a,b}', 'pw', 'q'),
	(2, 2, 'bob@example.org', '110', '4222 2222 2222 2222', 'Bob', 'y', '1990-01-01', 'infinity', '-infinity', -37, 'NaN', 'infinity', 5,
		'00000000-0000-0000-0000-000000000002', NULL, NULL, NULL),
	(3, 1, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
	(4, 1, 'eve@example.org', '0301234567', '4333', 'E', 'z', 'infinity', '2024-12-31 23:30:00-02', '2024-01-01', 32767, -99.99, -1e308, 9223372036854775807,
		'00000000-0000-0000-0000-000000000004', '{}', 'longer', '''; DROP TABLE x; --');
GRANT SELECT, INSERT, UPDATE ON access_m.people TO access_reader, access_clear;
CREATE TABLE access_m.visits (who text, page text);
INSERT INTO access_m.visits VALUES ('ann@example.org', '/a'), ('eve@example.org', '/b');
GRANT SELECT ON access_m.visits TO access_reader;
SELECT kind, sql FROM dmp.protect('access_m.people', tenant => 'org_id', mask => '{"email": "email", "phone": "phone", "card": "last4", "name": "first", "note": "redact",
	"born": "year", "seen": "month", "made": "year", "age": "range", "income": {"range": 1000}, "score": {"range": 0.5}, "big": {"range": 100}, "ref": "pseudonym", "tags": "null",
	"secret": "null", "quo\"ted": {"pseudonym": "d''d"}}', clear_for => '{access_clear}') WHERE kind <> 'policy' AND sql !~ 'CREATE';
SELECT kind, count(*) FROM dmp.protect('access_m.visits', mask => '{"who": {"pseudonym": "email"}}') GROUP BY 1 ORDER BY 1;
RESET ROLE;
SELECT relname, pg_get_userbyid(relowner), reloptions, relkind FROM pg_class WHERE relnamespace = 'access_m'::regnamespace AND relname LIKE '%masked' ORDER BY 1;
SELECT a.attname FROM pg_attribute a JOIN pg_attribute m USING (attname, attnum) WHERE a.attrelid = 'access_m.people'::regclass AND m.attrelid = 'access_m.people_masked'::regclass
	AND a.attnum > 0 AND (a.atttypid, a.atttypmod) <> (m.atttypid, m.atttypmod);
SELECT grantee, privilege_type, table_name FROM information_schema.table_privileges WHERE table_schema = 'access_m' AND table_name LIKE 'people%' AND grantee <> 'access_owner' ORDER BY 3, 1, 2;
SELECT string_agg(privilege_type || ' ' || table_name, ', ' ORDER BY table_name) FROM information_schema.table_privileges WHERE grantee = 'dmp_mask' AND grantor <> 'dmp_mask' AND table_schema = 'access_m';
SELECT rolsuper, rolcanlogin, rolbypassrls, rolcreaterole FROM pg_roles WHERE rolname = 'dmp_mask';

-- ---- what a reader sees
SET SESSION AUTHORIZATION access_reader;
SELECT * FROM access_m.people;
SELECT count(*) FROM access_m.people_masked;
BEGIN;
SELECT dmp.set_context('{"tenant": 1}');
\x
SELECT id, org_id, email, phone, card, name, note, born, made, age, income, score, big, ref <> '00000000-0000-0000-0000-000000000001' AS other, tags, secret,
	length("quo""ted"), seen AT TIME ZONE 'UTC' AS seen FROM access_m.people_masked ORDER BY id;
\x
-- tokens of one domain join
SELECT v.page, v.who ~ '^[0-9a-f]{32}$', v.who = dmp.pseudonym('ann@example.org', 'email') AS is_ann FROM access_m.visits_masked v ORDER BY 1;
SELECT m.id, v.page FROM access_m.visits_masked v JOIN access_m.people_masked m ON dmp.pseudonym(m.email, 'email') = v.who;

-- ---- by any way
COPY (SELECT id, email FROM access_m.people_masked ORDER BY 1) TO STDOUT;
DECLARE c CURSOR FOR SELECT email FROM access_m.people_masked ORDER BY id;
FETCH 1 FROM c;
PREPARE p AS SELECT email FROM access_m.people_masked WHERE id = $1;
EXECUTE p(1);
EXECUTE p(2);
SELECT count(*) FROM access_m.people_masked WHERE email = 'ann@example.org';
SELECT count(*) FROM access_m.people_masked WHERE email LIKE 'ann%';
SELECT email FROM access_m.people_masked WHERE id IN (SELECT id FROM access_m.people_masked WHERE phone IS NOT NULL) ORDER BY 1;
SELECT to_jsonb(m) ->> 'name' AS name, m::text ~ 'Ann Lee' AS leaks FROM access_m.people_masked m WHERE id = 1;
CREATE FUNCTION pg_temp.leak(anyelement) RETURNS boolean LANGUAGE plpgsql COST 0.0000001 AS $$ BEGIN RAISE NOTICE 'sees %', $1; RETURN true; END $$;
SELECT id FROM access_m.people_masked WHERE pg_temp.leak(email) ORDER BY id;
EXPLAIN (COSTS OFF) SELECT * FROM access_m.people_masked WHERE id = 1 AND email = 'x' \g /dev/null
CREATE VIEW access_m.over AS SELECT email, name FROM access_m.people_masked;
SELECT * FROM access_m.over ORDER BY 1;
SELECT email FROM access_m.people_masked UNION SELECT name FROM access_m.people_masked ORDER BY 1;
CREATE TEMP TABLE copied AS SELECT * FROM access_m.people_masked;
SELECT email FROM copied ORDER BY 1;
SAVEPOINT s;
UPDATE access_m.people_masked SET note = 'z' WHERE id = 1 RETURNING email;
ROLLBACK TO s;
UPDATE access_m.people_masked SET org_id = 2 WHERE id = 1 RETURNING *;
ROLLBACK TO s;
DELETE FROM access_m.people_masked RETURNING *;
ROLLBACK TO s;
SELECT * FROM access_m.people_masked FOR UPDATE;
ROLLBACK TO s;
INSERT INTO access_m.people (id, org_id, email) VALUES (9, 1, 'new@example.org');
INSERT INTO access_m.people (id, org_id, email) VALUES (10, 1, 'new@example.org') RETURNING email;
ROLLBACK TO s;
UPDATE access_m.people SET note = email;
ROLLBACK TO s;
COPY access_m.people TO STDOUT;
ROLLBACK TO s;
SELECT most_common_vals FROM pg_stats WHERE schemaname = 'access_m' AND tablename = 'people';
SET LOCAL ROLE dmp_mask;
ROLLBACK;
ALTER VIEW access_m.people_masked SET (security_barrier = false);
CREATE OR REPLACE VIEW access_m.people_masked AS SELECT * FROM access_m.people;
RESET SESSION AUTHORIZATION;

-- ---- who sees clear values
SET SESSION AUTHORIZATION access_clear;
BEGIN;
SELECT dmp.set_context('{"tenant": 1}');
SELECT email, card, big, tags FROM access_m.people_masked ORDER BY id;
CREATE FUNCTION access_m.lend() RETURNS SETOF text LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
	AS 'SELECT email FROM access_m.people_masked ORDER BY id';
CREATE VIEW access_m.lent AS SELECT email FROM access_m.people_masked;
GRANT SELECT ON access_m.lent TO access_reader;
COMMIT;
SET SESSION AUTHORIZATION access_reader;
BEGIN;
SELECT dmp.set_context('{"tenant": 1}');
SELECT * FROM access_m.lend();
SELECT * FROM access_m.lent ORDER BY 1;
COMMIT;
-- one prepared statement, two roles
SET SESSION AUTHORIZATION access_pool;
SET plan_cache_mode = force_generic_plan;
BEGIN;
SET LOCAL ROLE access_clear;
SELECT dmp.set_context('{"tenant": 1}');
PREPARE q AS SELECT email FROM access_m.people_masked ORDER BY id;
EXECUTE q;
SET LOCAL ROLE access_reader;
SELECT dmp.set_context('{"tenant": 1}');
EXECUTE q;
SET LOCAL ROLE access_clear;
SELECT dmp.set_context('{"tenant": 1}');
EXECUTE q;
COMMIT;
DEALLOCATE q;
RESET SESSION AUTHORIZATION;
RESET plan_cache_mode;

-- ---- again, with other masks; columns added; no mask any more
SET ROLE access_owner;
ALTER TABLE access_m.people ADD city text DEFAULT 'Bonn';
SELECT kind, sql FROM dmp.protect('access_m.people', 'org_id', mask => '{"email": "redact"}') WHERE kind NOT IN ('policy', 'view');
SET SESSION AUTHORIZATION access_clear;
BEGIN;
SELECT dmp.set_context('{"tenant": 1}');
SELECT id, email, phone, city FROM access_m.people_masked ORDER BY id;
SAVEPOINT s;
SELECT email FROM access_m.people;
ROLLBACK;
RESET SESSION AUTHORIZATION;
SET ROLE access_owner;
SELECT kind, sql FROM dmp.protect('access_m.people', 'org_id') WHERE kind <> 'policy';
RESET ROLE;
DROP VIEW access_m.lent;
SET ROLE access_owner;
SELECT kind, sql FROM dmp.protect('access_m.people', 'org_id') WHERE kind <> 'policy';
SELECT to_regclass('access_m.people_masked');
SELECT has_table_privilege('access_reader', 'access_m.people', 'SELECT'), has_table_privilege('dmp_mask', 'access_m.people', 'SELECT');
SELECT kind, sql FROM dmp.unprotect('access_m.people') WHERE kind <> 'policy';

-- ---- rights of columns, PUBLIC, grant options
REVOKE ALL ON access_m.people FROM access_reader, access_clear;
GRANT SELECT ON access_m.people TO PUBLIC;
GRANT SELECT (id, email) ON access_m.people TO access_reader WITH GRANT OPTION;
SELECT kind, sql FROM dmp.protect('access_m.people', 'org_id', mask => '{"email": "email"}') WHERE kind IN ('revoke', 'grant');
SELECT kind, sql FROM dmp.unprotect('access_m.people') WHERE kind = 'grant';
SELECT attname, attacl FROM pg_attribute WHERE attrelid = 'access_m.people'::regclass AND attacl IS NOT NULL ORDER BY 1;
REVOKE SELECT ON access_m.people FROM PUBLIC;

-- ---- partitions are read through the view, not by themselves
CREATE TABLE access_m.parts (id int, org_id int, email text) PARTITION BY LIST (org_id);
CREATE TABLE access_m.parts_1 PARTITION OF access_m.parts FOR VALUES IN (1);
INSERT INTO access_m.parts VALUES (1, 1, 'ann@example.org');
GRANT SELECT ON access_m.parts, access_m.parts_1 TO access_reader;
SELECT kind, sql FROM dmp.protect('access_m.parts', 'org_id', mask => '{"email": "email"}') WHERE kind IN ('revoke', 'grant');
SET SESSION AUTHORIZATION access_reader;
BEGIN;
SELECT dmp.set_context('{"tenant": 1}');
SELECT * FROM access_m.parts_masked;
SELECT * FROM access_m.parts_1;
ROLLBACK;
RESET SESSION AUTHORIZATION;

-- ---- refused
SET ROLE access_owner;
SELECT dmp.protect('access_m.people', mask => '{"emial": "email"}');
SELECT dmp.protect('access_m.people', mask => '{"email": "emall"}');
SELECT dmp.protect('access_m.people', mask => '{"age": "email"}');
SELECT dmp.protect('access_m.people', mask => '{"age": "pseudonym"}');
SELECT dmp.protect('access_m.people', mask => '{"phone": "pseudonym"}');
SELECT dmp.protect('access_m.people', mask => '{"email": "year"}');
SELECT dmp.protect('access_m.people', mask => '{"email": {"range": 5}}');
SELECT dmp.protect('access_m.people', mask => '{"age": {"range": 0}}');
SELECT dmp.protect('access_m.people', mask => '{"age": {"range": 2.5}}');
SELECT dmp.protect('access_m.people', mask => '{"age": {"range": "nan"}}');
SELECT dmp.protect('access_m.people', mask => '{"income": {"range": "1; DROP TABLE x"}}');
SELECT dmp.protect('access_m.people', mask => '{"email": {"email": "x"}}');
SELECT dmp.protect('access_m.people', mask => '{"email": ["email"]}');
SELECT dmp.protect('access_m.people', mask => '["email"]');
SELECT dmp.protect('access_m.people', mask => '{"email": "email", "email": "null"}');
CREATE TABLE access_m.people_masked (x int);
SELECT dmp.protect('access_m.people', mask => '{"email": "email"}');
DROP TABLE access_m.people_masked;
CREATE TABLE access_m.a23456789012345678901234567890123456789012345678901234567 (x text);
SELECT dmp.protect('access_m.a23456789012345678901234567890123456789012345678901234567', mask => '{"x": "null"}');
RESET ROLE;

SET client_min_messages = warning;
DROP OWNED BY access_owner, access_reader, access_clear, access_pool CASCADE;
SELECT count(*) FROM unnest('{access_reader,access_clear,access_owner}'::name[]) r, dmp.revoke_context(r);
DROP ROLE access_owner, access_reader, access_clear, access_pool;
