-- rules that hold for every object of the extension; each query finds offenders
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS dmp;
RESET client_min_messages;

CREATE VIEW member AS
SELECT classid, objid, pg_describe_object(classid, objid, 0) AS object
FROM pg_depend
WHERE deptype = 'e' AND refclassid = 'pg_extension'::regclass
  AND refobjid = (SELECT oid FROM pg_extension WHERE extname = 'dmp');

-- what is public is explained
SELECT object
FROM member m
LEFT JOIN pg_proc p ON classid = 'pg_proc'::regclass AND p.oid = objid
LEFT JOIN pg_class c ON classid = 'pg_class'::regclass AND c.oid = objid
LEFT JOIN pg_type t ON classid = 'pg_type'::regclass AND t.oid = objid
  AND t.typtype IN ('b', 'e', 'd') AND t.typelem = 0
WHERE coalesce(p.pronamespace, c.relnamespace, t.typnamespace) = 'dmp'::regnamespace
  AND obj_description(objid, CASE classid WHEN 'pg_proc'::regclass THEN 'pg_proc'
                                          WHEN 'pg_class'::regclass THEN 'pg_class'
                                          ELSE 'pg_type' END) IS NULL
  AND coalesce(c.relkind, 'r') IN ('r', 'v', 'm', 'p', 'c')
ORDER BY 1;

-- everything lives in the two schemas
SELECT object
FROM member m
LEFT JOIN pg_proc p ON classid = 'pg_proc'::regclass AND p.oid = objid
LEFT JOIN pg_class c ON classid = 'pg_class'::regclass AND c.oid = objid
LEFT JOIN pg_type t ON classid = 'pg_type'::regclass AND t.oid = objid
WHERE coalesce(p.pronamespace, c.relnamespace, t.typnamespace)
      NOT IN ('dmp'::regnamespace, 'dmp_internal'::regnamespace)
ORDER BY 1;

-- a public function shares no name with one of pg_catalog; dmp.version() and dmp.decode() are the exceptions
SELECT object
FROM member JOIN pg_proc p ON classid = 'pg_proc'::regclass AND p.oid = objid
WHERE pronamespace = 'dmp'::regnamespace AND proname NOT IN ('version', 'decode')
  AND EXISTS (SELECT FROM pg_proc c WHERE c.proname = p.proname AND c.pronamespace = 'pg_catalog'::regnamespace)
ORDER BY 1;

-- functions in SQL and plpgsql do not depend on the caller's search path
SELECT object, proconfig
FROM member JOIN pg_proc p ON classid = 'pg_proc'::regclass AND p.oid = objid
JOIN pg_language l ON l.oid = prolang AND lanname IN ('sql', 'plpgsql')
WHERE prosqlbody IS NULL
  AND NOT coalesce(proconfig, '{}') @> '{"search_path=pg_catalog, pg_temp"}'
ORDER BY 1;

-- no function runs with its owner's rights
SELECT object
FROM member JOIN pg_proc p ON classid = 'pg_proc'::regclass AND p.oid = objid
WHERE prosecdef
ORDER BY 1;

-- aggregates work in parallel plans
SELECT object
FROM member JOIN pg_aggregate a ON classid = 'pg_proc'::regclass AND a.aggfnoid = objid
JOIN pg_proc p ON p.oid = objid
WHERE (aggcombinefn = 0 OR proparallel <> 's') AND aggkind = 'n'
ORDER BY 1;

-- views show what their reader may see
SELECT object
FROM member JOIN pg_class c ON classid = 'pg_class'::regclass AND c.oid = objid
WHERE relkind = 'v' AND NOT coalesce(reloptions, '{}') && '{security_invoker=true,security_invoker=on,security_invoker=1}'
ORDER BY 1;

-- nobody but the owner writes tables and sequences directly, unless policies say which rows
SELECT object, relacl
FROM member JOIN pg_class c ON classid = 'pg_class'::regclass AND c.oid = objid
WHERE relkind IN ('r', 'p', 'S') AND NOT relrowsecurity
  AND EXISTS (SELECT FROM aclexplode(relacl) WHERE grantee = 0 AND privilege_type IN ('INSERT', 'UPDATE', 'DELETE', 'TRUNCATE'))
ORDER BY 1;

-- members of pg_read_all_data and pg_write_all_data meet row security everywhere
SELECT object
FROM member JOIN pg_class c ON classid = 'pg_class'::regclass AND c.oid = objid
WHERE relkind IN ('r', 'p') AND NOT relrowsecurity
ORDER BY 1;

-- tables that hold rows of users are dumped with their sequences
SELECT object
FROM member JOIN pg_class c ON classid = 'pg_class'::regclass AND c.oid = objid
WHERE relkind IN ('r', 'p', 'S') AND relpersistence = 'p'
  AND NOT EXISTS (SELECT FROM pg_extension WHERE extname = 'dmp' AND c.oid = ANY (extconfig))
ORDER BY 1;

-- every function takes NULL for every argument: an answer or a plain error, never an internal one
DO $$
DECLARE
	call text;
BEGIN
	FOR call IN
		SELECT format('SELECT %s(%s)', p.oid::regproc, (
			SELECT string_agg(CASE WHEN i = pronargs AND provariadic <> 0 AND t <> '"any"'::regtype THEN 'VARIADIC ' ELSE '' END
				|| 'NULL::' || CASE WHEN t::regtype::text IN ('"any"', 'anyelement') THEN 'int' ELSE t::regtype::text END, ', ' ORDER BY i)
			FROM unnest(proargtypes) WITH ORDINALITY u(t, i)))
		FROM member JOIN pg_proc p ON classid = 'pg_proc'::regclass AND p.oid = objid
		WHERE prokind IN ('f', 'a') AND NOT proargtypes::oid[] && '{internal,cstring}'::regtype[]::oid[]
		ORDER BY 1
	LOOP
		BEGIN
			EXECUTE call;
		EXCEPTION WHEN OTHERS THEN
			IF SQLSTATE LIKE 'XX%' OR SQLSTATE LIKE '42___' AND SQLERRM LIKE 'function % does not exist' THEN
				RAISE WARNING '%: %', call, SQLERRM;
			END IF;
		END;
	END LOOP;
END $$;

DROP VIEW member;
