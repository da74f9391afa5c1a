-- dmp.lint on what dmp.protect, retention, requests and the registries say: each finding, and that its fix does away with it
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS dmp;
SELECT count(*) >= 0 FROM dmp.setup();
CREATE SCHEMA lint_reg;
SET search_path = lint_reg, public;
CREATE FUNCTION found(pattern text DEFAULT '.') RETURNS TABLE (severity text, code text, object text, finding text, fix_sql text) LANGUAGE sql AS $$
	SELECT severity, split_part(finding, ':', 1), object, split_part(finding, ': ', 2), fix_sql FROM dmp.lint()
	WHERE (object ~ 'lint_' OR object ~ '^(request|context grant)') AND object !~ 'lint_reg.found' AND split_part(finding, ':', 1) ~ pattern ORDER BY 2, 3, 5 $$;

-- what other tests left
DELETE FROM dmp_internal.context_grant WHERE NOT EXISTS (SELECT FROM pg_roles WHERE oid = grantee::oid);
-- what is right
CREATE TABLE good (id int PRIMARY KEY, org text, mail text, at timestamptz);
CREATE INDEX ON good (org);
SELECT count(*) > 0 FROM dmp.protect('good', tenant => 'org', subject => 'mail', purposes => '{support}', mask => '{"mail": "email"}');
SELECT dmp.tag('good', 'mail', 'email'), dmp.audit('good'), dmp.record_processing('good', 'support', 'consent'), dmp.set_retention('good', 'at', '1 year');
INSERT INTO good SELECT i, 'a', 'x', now() - i * interval '1 day' FROM generate_series(1, 300) i;
ANALYZE good;
SELECT * FROM found();

-- what is wrong
CREATE TABLE base_off (id int PRIMARY KEY, org text, mail text);
CREATE INDEX ON base_off (org);
SELECT count(*) > 0 FROM dmp.protect('base_off', tenant => 'org');
ALTER TABLE base_off DISABLE ROW LEVEL SECURITY;
CREATE TABLE no_policy (id int PRIMARY KEY, org text);
CREATE INDEX ON no_policy (org);
SELECT count(*) > 0 FROM dmp.protect('no_policy', tenant => 'org');
DROP POLICY dmp_protect ON no_policy;
CREATE TABLE parted (id int, org text) PARTITION BY RANGE (id);
CREATE INDEX ON parted (org);
SELECT count(*) > 0 FROM dmp.protect('parted', tenant => 'org');
CREATE TABLE parted_new PARTITION OF parted DEFAULT;
CREATE TABLE wider (id int PRIMARY KEY, org text, mail text);
CREATE INDEX ON wider (org);
SELECT count(*) > 0 FROM dmp.protect('wider', tenant => 'org', mask => '{"mail": "email"}');
ALTER TABLE wider ADD COLUMN phone_of text, ADD COLUMN "odd ""name" text;
CREATE TABLE unmasked (id int PRIMARY KEY, org text, mail text, reach text);
CREATE INDEX ON unmasked (org);
SELECT count(*) > 0 FROM dmp.protect('unmasked', tenant => 'org', mask => '{"mail": "email"}');
SELECT dmp.tag('unmasked', 'reach', 'phone'), dmp.audit('unmasked');
CREATE TABLE purposes (id int PRIMARY KEY, org text, mail text);
CREATE INDEX ON purposes (org);
SELECT count(*) > 0 FROM dmp.protect('purposes', tenant => 'org', subject => 'mail', purposes => '{lint_support,lint_ads}');
SELECT dmp.record_processing('purposes', 'lint_support', 'consent');
SELECT dmp.record_consent('ann', 'lint_support', true);
CREATE TABLE old (id int, at date);
INSERT INTO old SELECT i, date '2001-01-01' + i FROM generate_series(1, 300) i;
ANALYZE old;
SELECT dmp.set_retention('old', 'at', '1 year');
SELECT dmp.open_request('lint_ann', 'delete', 'gdpr', received_at => '2020-01-01Z') > 0;
CREATE ROLE lint_any;
SELECT count(*) FROM dmp.grant_context('lint_any', NULL, NULL);
CREATE ROLE lint_leaver;
SELECT count(*) FROM dmp.create_recipe('lint_left', '[{"trim": "*"}]');
UPDATE dmp_internal.recipe SET owner = 'lint_leaver'::regrole::oid WHERE name = 'lint_left';
SELECT count(*) FROM dmp.grant_context('lint_leaver', '{lint_a}', NULL);
DROP ROLE lint_leaver;

SELECT severity, code, regexp_replace(object, '^(request|context grant) \d+', '\1'), finding FROM found();
SELECT code, regexp_replace(fix_sql, '(close_request\(|WHERE id = )\d+', '\1') AS fix_sql FROM found();
SELECT fix_sql FROM found('protect|mask|personal|purpose_un|context|owner|grantee|request|parti')
\set ECHO none
\o /dev/null
\gexec
\o
SELECT fix_sql FROM found('protect|mask|personal|purpose_un|context|owner|grantee|request|parti')
\o /dev/null
\gexec
\o
\set ECHO all
SELECT severity, code, object FROM found();
SELECT relation, rows FROM dmp.apply_retention() WHERE relation = 'old'::regclass;
ANALYZE old;
SELECT severity, code, object FROM found();
-- the fixes of masks left both in place
SELECT mask FROM dmp_internal.protection WHERE relation = 'unmasked'::regclass;
SELECT attname FROM pg_attribute WHERE attrelid = 'wider_masked'::regclass AND attnum > 0 ORDER BY attnum;

-- an owner without more rights sees the same of his own
CREATE ROLE lint_owner;
GRANT ALL ON SCHEMA lint_reg TO lint_owner;
SET ROLE lint_owner;
CREATE TABLE his (id int, org text);
CREATE INDEX ON his (org);
SELECT count(*) > 0 FROM dmp.protect('his', tenant => 'org');
ALTER TABLE his NO FORCE ROW LEVEL SECURITY;
DROP POLICY dmp_protect ON his;
SELECT split_part(finding, ':', 1) AS code, object FROM dmp.lint() ORDER BY 1;
RESET ROLE;

SELECT count(*) FROM dmp.drop_recipe('lint_left');
RESET search_path;
DROP SCHEMA lint_reg CASCADE;
DROP ROLE lint_any, lint_owner;
