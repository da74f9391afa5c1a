-- dmp.lint: what is wrong beside what is right, and the fix of each finding run
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS dmp;
CREATE SCHEMA lint_bad;
CREATE SCHEMA lint_good;
CREATE ROLE lint_ann;
CREATE ROLE lint_bi;
GRANT USAGE ON SCHEMA lint_bad, lint_good TO lint_ann, lint_bi;

-- ---- what is right: none of it is a finding
SET search_path = lint_good;
CREATE TABLE account (id int PRIMARY KEY, tenant text, seen boolean, UNIQUE (tenant, id));
CREATE INDEX ON account (tenant);
ALTER TABLE account ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY by_tenant ON account USING (tenant = (SELECT current_setting('app.tenant', true)));
CREATE POLICY ours ON account AS RESTRICTIVE USING (seen OR tenant = current_user);
CREATE POLICY read_all ON account FOR SELECT TO lint_ann USING (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON account TO lint_bi;
CREATE VIEW account_view WITH (security_invoker = true) AS SELECT * FROM account WHERE seen;
GRANT SELECT ON account_view TO lint_bi;
CREATE MATERIALIZED VIEW account_own AS SELECT count(*) FROM account;
CREATE TABLE plain (id int PRIMARY KEY, tenant text);
CREATE TABLE sales (id int, tenant text) PARTITION BY LIST (tenant);
CREATE TABLE sales_a PARTITION OF sales FOR VALUES IN ('a');
ALTER TABLE sales ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE sales_a ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY by_tenant ON sales USING (tenant = (SELECT current_setting('app.tenant', true)));
CREATE INDEX ON sales (tenant);
-- true, but another policy restricts it
CREATE TABLE open_but (id int, tenant text);
ALTER TABLE open_but ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY everybody ON open_but USING (true);
CREATE POLICY those ON open_but AS RESTRICTIVE USING (id > 0);
CREATE FUNCTION safe_definer() RETURNS int LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS 'SELECT 1';
REVOKE EXECUTE ON FUNCTION safe_definer() FROM PUBLIC;
CREATE FUNCTION atomic_definer() RETURNS int LANGUAGE sql SECURITY DEFINER BEGIN ATOMIC SELECT 1; END;
REVOKE EXECUTE ON FUNCTION atomic_definer() FROM PUBLIC;
CREATE FUNCTION no_secret(password text) RETURNS boolean LANGUAGE sql AS $$ SELECT password = '' OR length(password) > 12 $$;
CREATE SEQUENCE own_seq;
CREATE TABLE watched (id int, reach text) PARTITION BY RANGE (id);
CREATE TABLE watched_1 PARTITION OF watched DEFAULT;
SELECT dmp.tag('watched', 'reach', 'phone'), dmp.audit('watched');

-- ---- what is wrong, one of each
SET search_path = lint_bad;
CREATE FUNCTION "d""1"(int) RETURNS int LANGUAGE sql SECURITY DEFINER AS 'SELECT 1';
REVOKE EXECUTE ON FUNCTION "d""1" FROM PUBLIC;
CREATE FUNCTION d2() RETURNS int LANGUAGE sql SECURITY DEFINER SET search_path = "$user", public AS 'SELECT 1';
REVOKE EXECUTE ON FUNCTION d2 FROM PUBLIC;
CREATE FUNCTION d3() RETURNS int LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS 'SELECT 1';
CREATE PROCEDURE d4() LANGUAGE plpgsql SECURITY DEFINER AS 'BEGIN END';
CREATE FUNCTION leaks(text) RETURNS boolean LANGUAGE sql LEAKPROOF AS 'SELECT true';
CREATE FUNCTION untrusted(float8) RETURNS float8 LANGUAGE internal STRICT AS 'dsqrt';
CREATE FUNCTION secret1() RETURNS text LANGUAGE plpgsql AS $$
DECLARE password text := 'correct-horse-7';
BEGIN RETURN dblink('host=x user=y password=hunter2222') || 'AKIAIOSFODNN7EXAMPLE' || 'postgres://app:s3cr3tpw@db/x'; END $$;

CREATE FUNCTION me() RETURNS text LANGUAGE sql STABLE AS 'SELECT ''a''';
CREATE FUNCTION volatile_of(text) RETURNS boolean LANGUAGE sql AS 'SELECT true';
CREATE TABLE t (id int PRIMARY KEY, tenant text, code text UNIQUE, n int);
ALTER TABLE t ENABLE ROW LEVEL SECURITY;
CREATE POLICY "p 1" ON t FOR SELECT USING (tenant = me() AND n = ANY (string_to_array(current_setting('x.y', true), ',')::int[]));
CREATE POLICY p2 ON t FOR SELECT USING (volatile_of(code));
CREATE POLICY p3 ON t FOR INSERT WITH CHECK (true);
GRANT SELECT, TRUNCATE, REFERENCES, TRIGGER ON t TO lint_bi, lint_ann;
CREATE VIEW v AS SELECT * FROM t WHERE n > 0;
CREATE VIEW v_invoker WITH (security_invoker = on) AS SELECT * FROM t;
CREATE VIEW v_over_invoker AS SELECT * FROM v_invoker;
CREATE MATERIALIZED VIEW m AS SELECT * FROM t;
GRANT SELECT ON v, m TO lint_bi;
CREATE TABLE off (id int);
CREATE POLICY p ON off USING (id > 0);
CREATE TABLE none (id int);
ALTER TABLE none ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE TABLE parted (id int, tenant text) PARTITION BY LIST (tenant);
CREATE TABLE parted_a PARTITION OF parted FOR VALUES IN ('a') PARTITION BY LIST (id);
CREATE TABLE parted_a1 PARTITION OF parted_a DEFAULT;
ALTER TABLE parted ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY p ON parted USING (id > 0);
GRANT SELECT ON parted_a1 TO lint_bi;
CREATE TABLE child (id int REFERENCES t);
GRANT INSERT ON child TO lint_bi;
CREATE TABLE everybody (id int);
GRANT SELECT, INSERT, DELETE ON everybody TO PUBLIC;
CREATE TABLE tagged (id int, reach text, note text);
GRANT SELECT ON tagged TO PUBLIC;
SELECT dmp.tag('tagged', 'reach', 'phone');
CREATE TABLE untagged (id int, email text, "Phone" text);
CREATE SEQUENCE everybody_seq;
GRANT USAGE ON SEQUENCE everybody_seq TO PUBLIC;
GRANT CREATE ON SCHEMA lint_bad TO PUBLIC;
CREATE PUBLICATION lint_pub FOR TABLE t;
CREATE FOREIGN DATA WRAPPER lint_fdw;
CREATE SERVER lint_server FOREIGN DATA WRAPPER lint_fdw OPTIONS (host 'x', password 'hunter2222');
ALTER DEFAULT PRIVILEGES FOR ROLE lint_ann IN SCHEMA lint_bad GRANT SELECT ON TABLES TO PUBLIC;

CREATE TABLE audited (id int, at date) PARTITION BY RANGE (id);
CREATE TABLE audited_1 PARTITION OF audited FOR VALUES FROM (0) TO (10);
CREATE TABLE audited_0 (id int, at date);
SELECT dmp.audit('audited', '{at}'), dmp.audit('audited_0');
ALTER TABLE audited DISABLE TRIGGER dmp_audit_insert;
ALTER TABLE audited_1 ENABLE TRIGGER dmp_audit_delete;
DROP TRIGGER dmp_audit_update ON audited_0;
CREATE TABLE audited_2 (id int, at date);
ALTER TABLE audited ATTACH PARTITION audited_2 FOR VALUES FROM (10) TO (20);

CREATE ROLE lint_super SUPERUSER LOGIN;
CREATE ROLE lint_bypass BYPASSRLS LOGIN;
CREATE ROLE lint_boss LOGIN;
CREATE ROLE lint_group NOLOGIN;
CREATE ROLE lint_member LOGIN IN ROLE lint_group;
CREATE ROLE lint_server LOGIN IN ROLE pg_read_server_files;
CREATE ROLE lint_quiet LOGIN PASSWORD 'SCRAM-SHA-256$4096:c2FsdHNhbHRzYWx0c2FsdA==$MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=:MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=' VALID UNTIL '2100-01-01';
CREATE ROLE lint_md5 LOGIN PASSWORD 'md58b1a9953c4611296a827abf8c47804d7';
GRANT USAGE ON SCHEMA lint_bad TO lint_boss;
CREATE TABLE of_boss (id int);
ALTER TABLE of_boss OWNER TO lint_boss;
ALTER TABLE of_boss ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY p ON of_boss USING (id > 0);
CREATE TABLE of_group (id int);
ALTER TABLE of_group OWNER TO lint_group;
ALTER TABLE of_group ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY p ON of_group USING (id > 0);
ALTER ROLE lint_boss SET app.api_key = 'abcdef123456';
ALTER ROLE lint_bi SET app.url = 'https://me:passw0rd@example.org/';
ALTER ROLE lint_ann SET app.colour = 'green';
ALTER ROLE ALL SET lint_all.token = 'abcdef123456';
ALTER TABLE t ADD COLUMN late int, ADD CONSTRAINT lint_late UNIQUE (late) DEFERRABLE INITIALLY DEFERRED;
RESET search_path;

-- findings about what this test made
CREATE FUNCTION lint_here() RETURNS TABLE (severity text, object text, code text, finding text, fix_sql text) LANGUAGE sql AS $$
	SELECT severity, object, split_part(finding, ':', 1), split_part(finding, ': ', 2), fix_sql FROM dmp.lint()
	WHERE (object ~ 'lint_' OR finding ~ 'lint_all') AND object !~ 'lint_here' $$;
SELECT severity, code, object, finding FROM lint_here() ORDER BY code, object COLLATE "C", finding COLLATE "C";
SELECT code, fix_sql FROM lint_here() WHERE code !~ 'secret_in_function|password_forever' ORDER BY code, object COLLATE "C", fix_sql COLLATE "C";
SELECT count(DISTINCT code) AS checks FROM lint_here();

-- every fix does away with its finding; what a fix brings about is found again, and mended
CREATE TEMP TABLE lint_first AS SELECT * FROM lint_here();
SELECT fix_sql FROM lint_first ORDER BY code, object COLLATE "C", fix_sql
\set ECHO none
\gexec
\set ECHO all
SELECT f.code, f.object FROM lint_first f JOIN lint_here() h USING (code, object) ORDER BY 1, 2;
SELECT severity, code, object FROM lint_here() ORDER BY code, object COLLATE "C", finding COLLATE "C";
SELECT fix_sql FROM lint_here() ORDER BY code, object COLLATE "C", fix_sql
\set ECHO none
\gexec
\set ECHO all
SELECT severity, code, object FROM lint_here() ORDER BY code, object COLLATE "C", finding COLLATE "C";
-- what the fixes left: policies that call once, a function without its secrets
SELECT polname, pg_get_expr(polqual, polrelid) FROM pg_policy WHERE polrelid = 'lint_bad.t'::regclass ORDER BY 1;
SELECT prosrc FROM pg_proc WHERE proname = 'secret1';

-- policies for the same roles and command become one that lets the same rows through
CREATE TABLE lint_bad.same AS SELECT i AS id, i % 7 AS a, i % 3 AS b FROM generate_series(1, 100) i;
ALTER TABLE lint_bad.same ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY p1 ON lint_bad.same USING (a > 4);
CREATE POLICY p2 ON lint_bad.same USING (b > 1) WITH CHECK (b > 0);
CREATE POLICY p3 ON lint_bad.same AS RESTRICTIVE USING (id > 10);
GRANT SELECT, INSERT ON lint_bad.same TO lint_bi;
SET ROLE lint_bi;
SELECT count(*), sum(id) FROM lint_bad.same;
RESET ROLE;
SELECT fix_sql FROM lint_here() WHERE code = 'policies_several' \gexec
SELECT code FROM lint_here() WHERE code = 'policies_several';
SET ROLE lint_bi;
SELECT count(*), sum(id) FROM lint_bad.same;
INSERT INTO lint_bad.same VALUES (200, 6, 0);
INSERT INTO lint_bad.same VALUES (200, 0, 1);
INSERT INTO lint_bad.same VALUES (200, 0, 0);
RESET ROLE;

-- ---- the log, unsealed for long
INSERT INTO lint_bad.audited VALUES (1);
SELECT count(*) FROM dmp.lint() WHERE finding ~ '^audit_unsealed';
BEGIN;
UPDATE dmp_internal.audit_chunk SET at = now() - interval '2 days';
SELECT severity, object, split_part(finding, ':', 1) AS code, fix_sql FROM dmp.lint() WHERE finding ~ '^audit_unsealed';
ROLLBACK;

-- ---- settings, of this session
SET log_statement = 'all';
SET password_encryption = 'md5';
SET session_replication_role = 'replica';
SET row_security = off;
SET log_parameter_max_length_on_error = -1;
SELECT severity, object, split_part(finding, ':', 1) AS code, fix_sql FROM dmp.lint() WHERE finding ~ 'by session' ORDER BY object;
SELECT fix_sql FROM dmp.lint() WHERE finding ~ 'by session' ORDER BY object \gexec
SELECT object FROM dmp.lint() WHERE finding ~ 'by session';
RESET log_statement; RESET password_encryption; RESET session_replication_role; RESET row_security; RESET log_parameter_max_length_on_error; RESET log_parameter_max_length;

-- ---- an ordinary role sees what is its own
CREATE SCHEMA lint_own AUTHORIZATION lint_ann;
SET ROLE lint_ann;
CREATE TABLE lint_own.t (id int, tenant text);
ALTER TABLE lint_own.t ENABLE ROW LEVEL SECURITY;
CREATE POLICY p ON lint_own.t USING (tenant = current_setting('a.b'));
CREATE FUNCTION lint_own.f() RETURNS int LANGUAGE sql SECURITY DEFINER AS 'SELECT 1';
SELECT severity, object, split_part(finding, ':', 1) AS code, fix_sql FROM dmp.lint() ORDER BY split_part(finding, ':', 1);
SELECT fix_sql FROM dmp.lint() ORDER BY 1 \gexec
SELECT * FROM dmp.lint();
RESET ROLE;
SET ROLE lint_bi;
SELECT count(*) FROM dmp.lint();
RESET ROLE;
-- nothing about extensions and the system
SELECT * FROM dmp.lint() WHERE object ~ '^(dmp|dmp_internal|pg_catalog|information_schema)\.';

DROP PUBLICATION lint_pub;
DROP SERVER lint_server;
DROP FOREIGN DATA WRAPPER lint_fdw;
DROP FUNCTION lint_here();
DROP SCHEMA lint_bad, lint_good, lint_own CASCADE;
DROP OWNED BY lint_ann, lint_bi, lint_boss, lint_boss_owner, lint_group;
DROP ROLE lint_ann, lint_bi, lint_super, lint_bypass, lint_boss, lint_boss_owner, lint_group, lint_member, lint_server, lint_quiet, lint_md5;
