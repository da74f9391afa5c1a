-- who may claim what, and that nobody can claim it in another way
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS dmp;
CREATE ROLE access_admin;
CREATE ROLE access_bi;
CREATE ROLE access_analysts;
CREATE ROLE access_joe IN ROLE access_analysts;
CREATE ROLE access_pool NOINHERIT IN ROLE access_bi, access_joe;
CREATE SCHEMA access_ctx;
GRANT USAGE, CREATE ON SCHEMA access_ctx TO PUBLIC;
RESET client_min_messages;

-- ---- granting
SET ROLE access_admin;
SELECT dmp.grant_context('access_bi', '{acme}', '{support}');
RESET ROLE;
GRANT EXECUTE ON FUNCTION dmp.grant_context, dmp.revoke_context, dmp.set_default_context TO access_admin;
SET ROLE access_admin;
SELECT * FROM dmp.grant_context('access_bi', '{acme,beta,acme}', '{support}');
SELECT * FROM dmp.grant_context('access_bi', '{beta}', '{ads}');
SELECT * FROM dmp.grant_context('access_bi', '{beta}', '{ads}');
SELECT * FROM dmp.grant_context('access_analysts', '{*}', '{analytics}');
SELECT * FROM dmp.grant_context('access_nobody', '{acme}', '{support}');
SELECT * FROM dmp.grant_context(NULL, '{acme}', '{support}');
SELECT * FROM dmp.grant_context('access_bi', '{acme,NULL}', '{support}');
SELECT * FROM dmp.grant_context('access_bi', '{acme,*}', '{support}');
SELECT role, tenants, purposes, granted_by FROM dmp.context_grants ORDER BY 1, 2, 3;

-- who was granted sees it, others do not
SET ROLE access_joe;
SELECT role, tenants, purposes FROM dmp.context_grants;
INSERT INTO dmp_internal.context_grant (grantee, granted_by) VALUES ('access_joe', 'access_joe');
SELECT dmp.set_default_context('access_joe', '{}');
RESET ROLE;

-- ---- claiming
SET SESSION AUTHORIZATION access_bi;
SELECT dmp.context();
SELECT dmp.set_context('{"tenant": "acme", "purpose": "support"}');
SELECT dmp.context();
BEGIN;
SELECT dmp.set_context('{"actor": "ann", "tenant": "acme", "purpose": "support", "request": "T-\"1\"\n"}');
SELECT dmp.context();
-- a context replaces the one before
SELECT dmp.set_context('{"tenant": "beta"}');
SELECT dmp.context();
SELECT dmp.set_context('{}');
SELECT dmp.context();
SELECT dmp.set_context('{"tenant": "beta"}');
SELECT dmp.set_context(NULL);
SELECT dmp.context() IS NULL AS none;
SELECT dmp.set_context('{"actor": 7, "purpose": "ads"}');
SELECT dmp.context();
COMMIT;
SELECT dmp.context() IS NULL AS ended;
SELECT dmp.set_context('{"purpose": "fraud"}');
SELECT dmp.set_context('{"tenant": "gamma"}');
SELECT dmp.set_context('{"tenant": "acme", "purpose": "ads"}');
SELECT dmp.set_context('{"tenant": ["acme", "beta"]}');
SELECT dmp.set_context('{"tenant": true}');
SELECT dmp.set_context('{"tenants": "acme"}');
SELECT dmp.set_context('[]');
SELECT dmp.set_context('{"tenant": "*"}');
SELECT dmp.set_context('{"tenant": ""}');
SET SESSION AUTHORIZATION access_joe;
BEGIN;
SELECT dmp.set_context('{"tenant": "whatever; --", "purpose": "analytics"}');
SELECT dmp.context();
COMMIT;
SELECT dmp.set_context('{"tenant": "acme", "purpose": "support"}');

-- ---- savepoints
SET SESSION AUTHORIZATION access_bi;
BEGIN;
SAVEPOINT one;
SELECT dmp.set_context('{"tenant": "acme"}');
SAVEPOINT two;
SELECT dmp.set_context('{"tenant": "beta"}');
RELEASE two;
SELECT dmp.context();
SAVEPOINT three;
SELECT dmp.set_context('{"tenant": "acme"}');
ROLLBACK TO three;
SELECT dmp.context();
RELEASE one;
SELECT dmp.context();
SAVEPOINT four;
SELECT dmp.set_context('{"tenant": "nobody"}');
ROLLBACK TO four;
SELECT dmp.context();
ROLLBACK;
SELECT dmp.context() IS NULL AS ended;
BEGIN;
SAVEPOINT one;
SELECT dmp.set_context('{"tenant": "acme"}');
ROLLBACK TO one;
SELECT dmp.context() IS NULL AS taken_back;
COMMIT;
-- in a function with settings of its own it lasts as long
CREATE FUNCTION access_ctx.claim(jsonb) RETURNS jsonb LANGUAGE plpgsql SET search_path = pg_catalog
	AS $$ BEGIN PERFORM dmp.set_context($1); RETURN dmp.context(); END $$;
BEGIN;
SELECT access_ctx.claim('{"tenant": "acme"}');
SELECT dmp.context();
BEGIN; -- a warning, nothing more
COMMIT;

-- ---- no other way
SET dmp.context = '{"tenant": "acme"}';
SET LOCAL dmp.context = '{"tenant": "acme"}';
SELECT set_config('dmp.context', '{"tenant": "acme"}', true);
SELECT set_config('dmp.context', '{"tenant": "acme"}', false);
RESET dmp.context;
UPDATE pg_settings SET setting = '{"tenant": "acme"}' WHERE name = 'dmp.context';
ALTER ROLE access_bi SET dmp.context = '{"tenant": "acme"}';
CREATE FUNCTION access_ctx.forge() RETURNS jsonb LANGUAGE sql SET dmp.context = '{"tenant": "acme"}' AS 'SELECT dmp.context()';
SET dmp.contexts = 'x';
-- what everybody may do takes it away
BEGIN;
SELECT dmp.set_context('{"tenant": "acme"}');
RESET ALL;
SELECT dmp.context() IS NULL AS none;
COMMIT;
RESET SESSION AUTHORIZATION;
-- a superuser neither, nor who was given the right to the parameter
SET dmp.context = '{"tenant": "acme"}';
ALTER ROLE access_bi SET dmp.context = '{"tenant": "acme"}';
GRANT SET ON PARAMETER dmp.context TO access_bi;
SET ROLE access_bi;
SET dmp.context = '{"tenant": "acme"}';
RESET ROLE;
REVOKE SET ON PARAMETER dmp.context FROM access_bi;

-- ---- roles: a context is bound to those it was set at
SET SESSION AUTHORIZATION access_pool;
BEGIN;
SELECT dmp.set_context('{"tenant": "acme", "purpose": "support"}'); -- a member, but not by inheritance
ROLLBACK;
BEGIN;
SET LOCAL ROLE access_bi;
SELECT dmp.set_context('{"actor": "ann", "tenant": "acme", "purpose": "support"}');
SELECT dmp.context();
SET LOCAL ROLE access_joe;
SELECT dmp.context();
RESET ROLE;
SELECT dmp.context();
SET LOCAL ROLE access_bi;
SELECT dmp.context();
ROLLBACK;
SELECT dmp.context() IS NULL AS ended;
-- a function that runs as its owner lends nobody its claims
RESET SESSION AUTHORIZATION;
SET ROLE access_bi;
CREATE FUNCTION access_ctx.lend(jsonb) RETURNS jsonb LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog
	AS $$ BEGIN PERFORM dmp.set_context($1); RETURN dmp.context(); END $$;
RESET ROLE;
SET SESSION AUTHORIZATION access_joe;
SELECT access_ctx.lend('{"tenant": "acme", "purpose": "support"}');
SELECT access_ctx.lend('{"tenant": "acme", "purpose": "analytics"}');
RESET SESSION AUTHORIZATION;
-- a superuser claims anything, but not after SET ROLE
BEGIN;
SELECT dmp.set_context('{"tenant": "any", "purpose": "any"}');
SET LOCAL ROLE access_joe;
SELECT dmp.context() IS NULL AS bound;
ROLLBACK;

-- ---- defaults
SET ROLE access_admin;
SELECT dmp.set_default_context('access_bi', '{"tenant": "gamma", "purpose": "support"}');
SELECT dmp.set_default_context('access_bi', '{"actor": "dashboard", "tenant": "acme", "purpose": "support"}');
SELECT dmp.set_default_context('access_analysts', '{"tenant": "beta", "purpose": "analytics"}');
SELECT role, default_context FROM dmp.context_grants WHERE default_context IS NOT NULL ORDER BY 1;
SET SESSION AUTHORIZATION access_bi;
SELECT dmp.context();
BEGIN;
SELECT dmp.set_context('{"tenant": "beta"}');
SELECT dmp.context();
SELECT dmp.set_context(NULL);
SELECT dmp.context();
COMMIT;
-- of the only role that has one
SET SESSION AUTHORIZATION access_joe;
SELECT dmp.context();
SET SESSION AUTHORIZATION access_pool;
SELECT dmp.context() IS NULL AS not_inherited;
RESET SESSION AUTHORIZATION;
GRANT access_bi TO access_joe;
SET SESSION AUTHORIZATION access_joe;
SELECT dmp.context() IS NULL AS two_of_them;
RESET SESSION AUTHORIZATION;
REVOKE access_bi FROM access_joe;

-- ---- what is revoked ends with the statement
SET SESSION AUTHORIZATION access_bi;
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT dmp.set_context('{"tenant": "beta", "purpose": "ads"}');
RESET SESSION AUTHORIZATION;
SELECT * FROM dmp.revoke_context('access_bi', '{beta}', '{ads}');
SELECT * FROM dmp.revoke_context('access_bi', '{beta}', '{ads}');
SET SESSION AUTHORIZATION access_bi;
SELECT dmp.context() IS NULL AS revoked;
RESET SESSION AUTHORIZATION;
ROLLBACK;
SET SESSION AUTHORIZATION access_bi;
SELECT count(*) FROM dmp.context_grants WHERE tenants = '{beta}';
RESET SESSION AUTHORIZATION;
SELECT * FROM dmp.revoke_context('access_bi') ORDER BY 2;
SET SESSION AUTHORIZATION access_bi;
SELECT dmp.context();
SELECT dmp.set_context('{"tenant": "acme"}');
RESET SESSION AUTHORIZATION;
-- membership counts too
SET SESSION AUTHORIZATION access_joe;
SELECT dmp.context();
RESET SESSION AUTHORIZATION;
REVOKE access_analysts FROM access_joe;
SET SESSION AUTHORIZATION access_joe;
SELECT dmp.context() IS NULL AS no_member;
RESET SESSION AUTHORIZATION;
GRANT access_analysts TO access_joe;

-- ---- parallel workers see it
CREATE TABLE access_ctx.numbers AS SELECT i FROM generate_series(1, 20000) i;
ANALYZE access_ctx.numbers;
GRANT SELECT ON access_ctx.numbers TO PUBLIC;
SET SESSION AUTHORIZATION access_joe;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
BEGIN;
SELECT dmp.set_context('{"tenant": "acme", "purpose": "analytics"}');
EXPLAIN (COSTS OFF) SELECT dmp.context() ->> 'tenant' AS tenant, count(*) FROM access_ctx.numbers GROUP BY 1;
SET LOCAL parallel_leader_participation = off;
SELECT dmp.context() ->> 'tenant' AS tenant, count(*) FROM access_ctx.numbers GROUP BY 1;
COMMIT;
SET parallel_leader_participation = off;
SELECT dmp.context() ->> 'tenant' AS tenant, count(*) FROM access_ctx.numbers GROUP BY 1;
RESET ALL;
RESET SESSION AUTHORIZATION;

SET client_min_messages = warning;
SELECT count(*) FROM dmp.revoke_context('access_analysts');
SELECT dmp.set_default_context('access_bi', NULL), dmp.set_default_context('access_analysts', NULL);
DROP SCHEMA access_ctx CASCADE;
REVOKE EXECUTE ON FUNCTION dmp.grant_context, dmp.revoke_context, dmp.set_default_context FROM access_admin;
DROP ROLE access_admin, access_bi, access_analysts, access_joe, access_pool;
