-- base: setup, owners, help

-- who is named may create in the schemas, others not
CREATE ROLE regress_dmp_ann;
CREATE ROLE regress_dmp_bob;
SELECT * FROM dmp.setup('regress_dmp_ann');
SELECT nspname, pg_has_role(nspowner, (SELECT datdba FROM pg_database WHERE datname = current_database()), 'USAGE') AS of_database_owner
FROM pg_namespace WHERE nspname IN ('lake', 'feature') ORDER BY 1;
SELECT has_schema_privilege('regress_dmp_ann', 'lake', 'CREATE') AS ann,
       has_schema_privilege('regress_dmp_bob', 'lake', 'CREATE') AS bob;
SELECT rolcanlogin FROM pg_roles WHERE rolname = 'dmp_mask';
-- again is harmless, and a role that does not exist is named
SELECT count(*) FROM dmp.setup();
SELECT * FROM dmp.setup('regress_dmp_nobody');
SELECT * FROM dmp.setup(NULL::name);
SET ROLE regress_dmp_ann;
SELECT * FROM dmp.setup('regress_dmp_ann');
RESET ROLE;

-- a schema of a stranger is not adopted
DROP SCHEMA feature;
GRANT CREATE ON DATABASE contrib_regression TO regress_dmp_bob;
SET ROLE regress_dmp_bob;
CREATE SCHEMA feature;
RESET ROLE;
\set VERBOSITY terse
SELECT * FROM dmp.setup();
\set VERBOSITY default
DROP SCHEMA feature;
REVOKE CREATE ON DATABASE contrib_regression FROM regress_dmp_bob;
SELECT count(*) FROM dmp.setup();

-- the owner of a registry row follows its role and prints as its name
SELECT 'regress_dmp_ann'::dmp_internal.owner AS known,
       'regress_dmp_nobody'::dmp_internal.owner = current_user::regrole::oid AS unknown_is_me;
CREATE TEMP TABLE owned (o dmp_internal.owner);
INSERT INTO owned VALUES ('regress_dmp_ann');
ALTER ROLE regress_dmp_ann RENAME TO regress_dmp_anna;
SELECT o FROM owned;
ALTER ROLE regress_dmp_anna RENAME TO regress_dmp_ann;
SELECT dmp_internal.owns(o) AS superuser_owns FROM owned;
GRANT SELECT ON owned TO regress_dmp_bob;
SET ROLE regress_dmp_bob;
SELECT dmp_internal.owns(o) AS bob_owns FROM owned;
RESET ROLE;
GRANT regress_dmp_ann TO regress_dmp_bob;
SET ROLE regress_dmp_bob;
SELECT dmp_internal.owns(o) AS member_owns FROM owned;
-- the registry is not writable by users
INSERT INTO dmp_internal.cluster (system_identifier) VALUES ('1');
RESET ROLE;

-- one number a cluster, whoever asks first
SET ROLE regress_dmp_bob;
SELECT dmp_internal.cluster_id() = dmp_internal.cluster_id() AS stable;
RESET ROLE;
SELECT count(*) FROM dmp_internal.cluster;

-- a hostile search_path is not used by what runs as the owner of the extension
CREATE SCHEMA regress_dmp_evil;
CREATE FUNCTION regress_dmp_evil.eq(text, text) RETURNS boolean LANGUAGE plpgsql AS
	$$ BEGIN RAISE EXCEPTION 'hijacked as %', current_user; END $$;
CREATE OPERATOR regress_dmp_evil.= (LEFTARG = text, RIGHTARG = text, FUNCTION = regress_dmp_evil.eq);
\c -
SET search_path = regress_dmp_evil, pg_catalog;
SELECT dmp_internal.cluster_id() > 0 AS fine;
SELECT count(*) > 0 AS fine FROM dmp.help('version');
RESET search_path;
DROP SCHEMA regress_dmp_evil CASCADE;

SELECT name, does, example FROM dmp.help('dmp.version');
SELECT dmp.version();

DROP SCHEMA lake, feature;
DROP TABLE owned;
DROP ROLE regress_dmp_ann, regress_dmp_bob;
