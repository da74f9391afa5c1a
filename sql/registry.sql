-- models by name: versions, references, deployment, whose they are
SET extra_float_digits = 0;
CREATE ROLE regress_dmp_ann;
CREATE ROLE regress_dmp_bob;
CREATE ROLE regress_dmp_team;
GRANT CREATE ON SCHEMA public TO regress_dmp_ann;
CREATE TABLE visit AS
SELECT i AS id, (i * 7919 % 1000) / 1000.0::float8 AS pages, i * 17 % 5 = 0 AS mobile,
	   i * 31337 % 1009 / 1009.0 < 1 / (1 + exp(1.5 - 3 * (i * 7919 % 1000) / 1000.0)) AS buys
FROM generate_series(1, 1000) i;
GRANT SELECT ON visit TO regress_dmp_ann, regress_dmp_bob, regress_dmp_team;

SET ROLE regress_dmp_ann;
SELECT version, deployed FROM dmp.train('buyers', 'visit', 'buys', features => '{pages}');
SELECT version, deployed FROM dmp.train('buyers', 'visit', 'buys', features => '{pages,mobile}');
SELECT version, deployed FROM dmp.train('buyers', 'visit', 'buys', features => '{pages}', lambda => 0.1, deploy => false);
SELECT model, version, deployed, owner, trained_by, lambda FROM dmp.models ORDER BY version;
SELECT model, version, replaced, act, deployed_by FROM dmp.deployments ORDER BY deployed_at;

-- references; a prepared statement follows the champion
PREPARE p(text) AS SELECT round(dmp.predict($1, v)::numeric, 6) AS p FROM visit v WHERE id = 1;
SELECT (SELECT dmp.predict('buyers', v) = dmp.predict('buyers@2', v)) AS champion,
	   (SELECT dmp.predict('buyers@latest', v) = dmp.predict('buyers@3', v)) AS latest,
	   (SELECT dmp.predict('buyers@previous', v) = dmp.predict('buyers@1', v)) AS previous,
	   (SELECT dmp.predict('model:buyers', v) = dmp.predict('buyers', v)) AS kind,
	   (SELECT dmp.predict('buyers', v) = dmp.predict('buyers@1', v)) AS differs
FROM visit v WHERE id = 1;
SELECT dmp.model_value('buyers')::text = dmp.model_value('buyers@2'::text)::text AS value;
SELECT dmp.predict('buyer', v) FROM visit v LIMIT 1;
SELECT dmp.predict('something else', v) FROM visit v LIMIT 1;
SELECT dmp.predict('buyers@4', v) FROM visit v LIMIT 1;
SELECT dmp.predict('buyers@last', v) FROM visit v LIMIT 1;
SELECT dmp.predict('@1', v) FROM visit v LIMIT 1;
SELECT dmp.predict('buyers@1', x) FROM (SELECT 1 AS page, true AS buys) x;
SELECT dmp.predict('buyers@2', '{"pages": 0.5, "mobile": "yes"}');

-- deployment
EXECUTE p('buyers');
SELECT * FROM dmp.deploy('buyers', 3);
EXECUTE p('buyers');
SELECT version, deployed FROM dmp.train('buyers', 'visit', 'buys', features => '{mobile}');
SELECT model, version, deployed, pinned FROM dmp.models ORDER BY version;
SELECT * FROM dmp.rollback('buyers');
EXECUTE p('buyers');
SELECT * FROM dmp.rollback('buyers');
SELECT * FROM dmp.rollback('buyers');
SELECT * FROM dmp.deploy('buyers');
SELECT * FROM dmp.deploy('buyers@2');
SELECT * FROM dmp.deploy('buyers', 9);
SELECT * FROM dmp.deploy('buyers', 0);
SELECT * FROM dmp.deploy('buyers@previous');
SELECT * FROM dmp.deploy('buyer', 1);
SELECT version, replaced, act FROM dmp.deployments ORDER BY deployed_at;

-- a transaction that rolls back leaves the champion in every cache
BEGIN;
EXECUTE p('buyers');
SELECT * FROM dmp.deploy('buyers', 1);
EXECUTE p('buyers');
SAVEPOINT s;
SELECT * FROM dmp.deploy('buyers', 3);
EXECUTE p('buyers');
ROLLBACK TO s;
EXECUTE p('buyers');
ROLLBACK;
EXECUTE p('buyers');
BEGIN ISOLATION LEVEL REPEATABLE READ;
EXECUTE p('buyers');
ROLLBACK;
-- a function that trains and predicts sees what it made
DO $$
DECLARE
	before float8 = dmp.predict('buyers', '{"pages": 0.5, "mobile": true}');
	after float8;
BEGIN
	PERFORM dmp.deploy('buyers', 1);
	after = dmp.predict('buyers', '{"pages": 0.5, "mobile": true}');
	RAISE NOTICE 'changed: %', before <> after;
	PERFORM dmp.deploy('buyers', 2);
	RAISE NOTICE 'and back: %', before = dmp.predict('buyers', '{"pages": 0.5, "mobile": true}');
END $$;

-- dropping
SELECT * FROM dmp.drop_model('buyers@2');
SELECT * FROM dmp.drop_model('buyers@4');
SELECT * FROM dmp.drop_model('buyers@4');
SELECT * FROM dmp.drop_model('buyers@latest');
SELECT * FROM dmp.drop_model('buyer');
SELECT version FROM dmp.train('buyers', 'visit', 'buys', features => '{mobile}', deploy => false);

-- somebody else's
SET ROLE regress_dmp_bob;
SELECT count(*) FROM dmp.models;
SELECT count(*) FROM dmp.coefficients;
SELECT count(*) FROM dmp.deployments;
SELECT count(*) FROM dmp.model_metrics;
SELECT dmp.predict('buyers', v) FROM visit v LIMIT 1;
SELECT dmp.predict('buyer', v) FROM visit v LIMIT 1;
SELECT dmp.model_value('buyers') IS NULL;
SELECT dmp.summary('buyers');
SELECT dmp.model_sql('buyers');
SELECT * FROM dmp.train('buyers', 'visit', 'buys', features => '{pages}');
SELECT * FROM dmp.deploy('buyers', 1);
SELECT * FROM dmp.rollback('buyers');
SELECT * FROM dmp.drop_model('buyers');
SELECT * FROM dmp.set_threshold('buyers', 0.3);
SELECT * FROM dmp.grant_model('buyers', 'regress_dmp_bob');
-- nobody writes the registry by hand
INSERT INTO dmp_internal.model_name (name, owner) VALUES ('mine', 'regress_dmp_bob');
UPDATE dmp_internal.model_name SET owner = 'regress_dmp_bob';
DELETE FROM dmp_internal.model;
TRUNCATE dmp_internal.deployment;
RESET ROLE;

-- granted, to a role he is a member of: predict, no more; taken back
GRANT regress_dmp_team TO regress_dmp_bob;
SET ROLE regress_dmp_ann;
SELECT * FROM dmp.grant_model('buyers', 'regress_dmp_team');
SELECT * FROM dmp.grant_model('buyers', 'regress_dmp_team');
SELECT * FROM dmp.grant_model('buyers', 'regress_dmp_team', 'drop');
SELECT * FROM dmp.grant_model('buyers', 'regress_dmp_none');
SET ROLE regress_dmp_bob;
SELECT dmp.predict('buyers', v) IS NOT NULL AS predicted FROM visit v LIMIT 1;
SELECT dmp.predict('buyers', v) IS NOT NULL AS from_cache FROM visit v LIMIT 1;
SELECT count(*) FROM dmp.models;
SELECT * FROM dmp.deploy('buyers', 1);
SELECT * FROM dmp.train('buyers', 'visit', 'buys', features => '{pages}');
SET ROLE regress_dmp_ann;
SELECT * FROM dmp.revoke_model('buyers', 'regress_dmp_team');
SET ROLE regress_dmp_bob;
SELECT dmp.predict('buyers', v) FROM visit v LIMIT 1;
RESET ROLE;

-- members of the owner's role are owners; the superuser sees all
GRANT regress_dmp_ann TO regress_dmp_bob;
SET ROLE regress_dmp_bob;
SELECT count(*) > 0 AS seen FROM dmp.models;
SELECT version, replaced FROM dmp.deployments ORDER BY deployed_at DESC LIMIT 1;
RESET ROLE;
REVOKE regress_dmp_ann FROM regress_dmp_bob;
SELECT DISTINCT owner FROM dmp.models WHERE model = 'buyers';
-- the query somebody else stored is not run with the superuser's rights
SELECT * FROM dmp.set_threshold('buyers');
SELECT threshold BETWEEN 0 AND 1 AS found FROM dmp.set_threshold('buyers', query => 'visit');
-- the owner's row follows a rename
ALTER ROLE regress_dmp_ann RENAME TO regress_dmp_anna;
SELECT DISTINCT owner FROM dmp.models WHERE model = 'buyers';
-- security definer: the function's owner counts
CREATE FUNCTION score_for_all(visit) RETURNS float8 LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog
	AS $$ SELECT dmp.predict('buyers', $1) $$;
ALTER FUNCTION score_for_all(visit) OWNER TO regress_dmp_anna;
SET ROLE regress_dmp_bob;
SELECT score_for_all(v) IS NOT NULL AS allowed FROM visit v LIMIT 1;
SELECT dmp.predict('buyers', v) FROM visit v LIMIT 1;
RESET ROLE;

-- what the owner's rights do not leak: a shadowing schema does not reach the registry's statements
CREATE SCHEMA trap;
CREATE FUNCTION trap.eq(text, text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'trapped'; END $$;
CREATE OPERATOR trap.= (FUNCTION = trap.eq, LEFTARG = text, RIGHTARG = text);
SET search_path = trap, pg_catalog, public;
SELECT dmp.predict('buyers', v) IS NOT NULL AS untrapped FROM visit v LIMIT 1;
SELECT model, version OPERATOR(pg_catalog.=) 1 AS first FROM dmp.rollback('buyers');
RESET search_path;
DROP SCHEMA trap CASCADE;

SELECT * FROM dmp.drop_model('buyers');
SELECT count(*) AS left_over FROM dmp.deployments WHERE model = 'buyers';
DROP FUNCTION score_for_all(visit);
DROP TABLE visit;
DROP OWNED BY regress_dmp_anna, regress_dmp_bob, regress_dmp_team;
DROP ROLE regress_dmp_anna, regress_dmp_bob, regress_dmp_team;
