
-- ---------------------------------------------------------------- govern: lint

CREATE FUNCTION dmp_internal.policy_facts(policy oid, OUT equal_columns int2[], OUT volatiles text[], OUT using_once text, OUT check_once text)
	LANGUAGE C STABLE STRICT AS 'MODULE_PATHNAME', 'dmp_policy_facts';
COMMENT ON FUNCTION dmp_internal.policy_facts(oid) IS 'columns a row policy compares by =, volatile functions it calls with the row, and its expressions with calls that need no row made once';

-- tables, views and sequences of users; nothing of extensions
CREATE FUNCTION dmp_internal.lint_relations(OUT oid oid, OUT name text, OUT kind "char", OUT owner oid, OUT protected boolean, OUT forced boolean,
		OUT partition boolean, OUT acl aclitem[], OUT options text[], OUT mine boolean) RETURNS SETOF record
	LANGUAGE sql STABLE
	SET search_path = pg_catalog, pg_temp
	AS $$
	SELECT c.oid, format('%I.%I', n.nspname, c.relname), c.relkind, c.relowner, c.relrowsecurity, c.relforcerowsecurity, c.relispartition,
		c.relacl, coalesce(c.reloptions, '{}'), pg_has_role(c.relowner, 'USAGE')
	FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
	WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f') AND n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'dmp', 'dmp_internal')
	  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
	$$;
COMMENT ON FUNCTION dmp_internal.lint_relations() IS 'tables, views and sequences of users';

-- rights on a relation given to others than its owner
CREATE FUNCTION dmp_internal.lint_grants(OUT oid oid, OUT grantee oid, OUT grantee_name text, OUT privilege text) RETURNS SETOF record
	LANGUAGE sql STABLE
	SET search_path = pg_catalog, pg_temp
	AS $$
	SELECT r.oid, a.grantee, CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END, a.privilege_type
	FROM dmp_internal.lint_relations() r, aclexplode(r.acl) a
	WHERE a.grantee <> r.owner
	$$;
COMMENT ON FUNCTION dmp_internal.lint_grants() IS 'rights on relations of users, given to others than their owners';

-- a text with what looks like a secret replaced by REDACTED: left alone when there is none
CREATE FUNCTION dmp_internal.lint_redact(value text) RETURNS text
	LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
	AS $$
	SELECT regexp_replace(regexp_replace(regexp_replace(regexp_replace(regexp_replace(value,
		'((?:password|passwd|passphrase|secret|api_?key|access_?token|private_?key)[a-z_]*''?(?:\s+[a-z]+)?\s*(?::=|=>|=|,|\mis\M)\s*)''(?!REDACTED)[^'']{6,}''', '\1''REDACTED''', 'gi'),
		'((?:password|passwd|pwd)=)(?!REDACTED)[^\s''";&]{4,}', '\1REDACTED', 'gi'),
		'(://[^:/@\s'']+:)(?!REDACTED@)[^@/\s'']{3,}@', '\1REDACTED@', 'g'),
		'\m(AKIA[0-9A-Z]{16}|[sr]k_live_[0-9A-Za-z]{10,}|gh[pousr]_[0-9A-Za-z]{20,}|eyJ[0-9A-Za-z_-]{10,}\.eyJ[0-9A-Za-z_.-]{10,})', 'REDACTED', 'g'),
		'-----BEGIN [A-Z ]*PRIVATE KEY-----[^-]*', 'REDACTED', 'g')
	$$;
COMMENT ON FUNCTION dmp_internal.lint_redact(text) IS 'the text with what looks like passwords and keys taken out';

CREATE FUNCTION dmp_internal.lint_functions(OUT severity text, OUT object text, OUT finding text, OUT fix_sql text) RETURNS SETOF record
	LANGUAGE sql STABLE
	SET search_path = pg_catalog, pg_temp
	AS $$
	WITH schema AS (
		SELECT n.oid, n.nspname, EXISTS (SELECT FROM aclexplode(n.nspacl) a WHERE a.grantee = 0 AND a.privilege_type = 'CREATE') AS open
		FROM pg_namespace n
	), f AS (
		SELECT p.oid, p.oid::regprocedure::text AS name, CASE p.prokind WHEN 'p' THEN 'PROCEDURE' ELSE 'FUNCTION' END AS kind,
			p.prosecdef, p.proleakproof, p.prosrc, p.prokind, p.prosqlbody IS NULL AS late, l.lanname, l.lanpltrusted,
			(SELECT substr(c, 13) FROM unnest(p.proconfig) c WHERE c LIKE 'search\_path=%') AS path,
			CASE WHEN s.open THEN 'pg_catalog, pg_temp' ELSE format('pg_catalog, %I, pg_temp', s.nspname) END AS safe,
			EXISTS (SELECT FROM aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
				WHERE a.grantee = 0 AND a.privilege_type = 'EXECUTE') AS everybody
		FROM pg_proc p JOIN schema s ON s.oid = p.pronamespace JOIN pg_language l ON l.oid = p.prolang
		WHERE s.nspname !~ '^pg_' AND s.nspname <> 'information_schema' AND p.prokind <> 'a' AND pg_has_role(p.proowner, 'USAGE')
		  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')
	)
	SELECT 'error', name, 'definer_search_path: runs as its owner with the caller''s search_path',
		format('ALTER %s %s SET search_path = %s', kind, name, safe)
	FROM f WHERE prosecdef AND late AND path IS NULL AND lanname NOT IN ('c', 'internal')
	UNION ALL
	SELECT 'warning', name, format('definer_search_path_open: runs as its owner with search_path %s, where others can put objects in front', path),
		format('ALTER %s %s SET search_path = %s', kind, name, safe)
	FROM f WHERE prosecdef AND late AND path NOT IN ('', '""') AND (path !~ 'pg_temp"?\s*$' OR path LIKE '%$user%' OR EXISTS (
		SELECT FROM regexp_split_to_table(path, '\s*,\s*') part JOIN schema ON nspname = btrim(part, '"') WHERE open))
	UNION ALL
	SELECT 'warning', name, 'definer_public: everybody may run it with the rights of its owner', format('REVOKE EXECUTE ON %s %s FROM PUBLIC', kind, name)
	FROM f WHERE prosecdef AND everybody
	UNION ALL
	SELECT 'error', name, 'function_leakproof: LEAKPROOF lets it see rows before row policies do', format('ALTER %s %s NOT LEAKPROOF', kind, name)
	FROM f WHERE proleakproof
	UNION ALL
	SELECT 'warning', name, format('function_untrusted: language %s can do what the server''s user can, and everybody may run it', lanname),
		format('REVOKE EXECUTE ON %s %s FROM PUBLIC', kind, name)
	FROM f WHERE NOT lanpltrusted AND everybody
	UNION ALL
	SELECT 'error', name, 'secret_in_function: its text, which every role can read, holds what looks like a secret; replace the secret too',
		dmp_internal.lint_redact(pg_get_functiondef(oid))
	FROM f WHERE late AND lanname NOT IN ('c', 'internal') AND dmp_internal.lint_redact(prosrc) <> prosrc
	$$;
COMMENT ON FUNCTION dmp_internal.lint_functions() IS 'findings of dmp.lint about functions';

CREATE FUNCTION dmp_internal.lint_views(OUT severity text, OUT object text, OUT finding text, OUT fix_sql text) RETURNS SETOF record
	LANGUAGE sql STABLE
	SET search_path = pg_catalog, pg_temp
	AS $$
	WITH RECURSIVE r AS MATERIALIZED (
		SELECT *, EXISTS (SELECT FROM unnest(options) o WHERE o ~* '^security_invoker=(true|on|yes|1)$') AS invoker,
			EXISTS (SELECT FROM unnest(options) o WHERE o ~* '^security_barrier=(true|on|yes|1)$') AS barrier
		FROM dmp_internal.lint_relations()
	), reads AS (
		SELECT DISTINCT w.ev_class AS reader, d.refobjid AS read
		FROM pg_rewrite w JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = w.oid
		WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid <> w.ev_class
	), reach AS (
		SELECT reader, read FROM reads
		UNION
		SELECT a.reader, b.read FROM reach a JOIN r ON r.oid = a.read AND r.kind = 'v' AND r.invoker JOIN reads b ON b.reader = a.read
	), over AS (
		SELECT v.oid, v.name, v.kind, v.invoker, v.barrier, v.owner, string_agg(t.name, ', ' ORDER BY t.name) AS tables,
			bool_or(o.rolsuper OR o.rolbypassrls OR (pg_has_role(v.owner, t.owner, 'USAGE') AND NOT t.forced)) AS bypass
		FROM r v JOIN reach ON reader = v.oid JOIN r t ON t.oid = read AND t.protected JOIN pg_roles o ON o.oid = v.owner
		WHERE v.mine AND v.kind IN ('v', 'm')
		GROUP BY 1, 2, 3, 4, 5, 6
	), given AS (
		SELECT oid, string_agg(DISTINCT grantee_name, ', ' ORDER BY grantee_name) AS grantees FROM dmp_internal.lint_grants() GROUP BY 1
	)
	SELECT CASE WHEN bypass THEN 'error' ELSE 'warning' END, name,
		format('view_over_protected: shows rows of %s by the policies of its owner%s, not of its reader', tables, CASE WHEN bypass THEN ', who has none' ELSE '' END),
		format('ALTER VIEW %s SET (security_invoker = true)', name)
	FROM over WHERE kind = 'v' AND NOT invoker AND pg_get_userbyid(owner) <> 'dmp_mask'
	UNION ALL
	SELECT 'error', name, format('matview_over_protected: a copy of rows of %s, without policies, can be read by %s', tables, grantees),
		format('REVOKE ALL ON TABLE %s FROM %s', name, grantees)
	FROM over JOIN given USING (oid) WHERE kind = 'm'
	UNION ALL
	SELECT 'warning', v.name, 'view_not_barrier: functions of its readers may see the rows it leaves out', format('ALTER VIEW %s SET (security_barrier = true)', v.name)
	FROM r v JOIN given USING (oid)
	WHERE v.kind = 'v' AND v.mine AND NOT v.barrier AND NOT v.invoker AND pg_get_viewdef(v.oid) ~* '\mwhere\M'
	$$;
COMMENT ON FUNCTION dmp_internal.lint_views() IS 'findings of dmp.lint about views';

CREATE FUNCTION dmp_internal.lint_rights(OUT severity text, OUT object text, OUT finding text, OUT fix_sql text) RETURNS SETOF record
	LANGUAGE sql STABLE
	SET search_path = pg_catalog, pg_temp
	AS $$
	WITH r AS MATERIALIZED (
		SELECT * FROM dmp_internal.lint_relations() WHERE mine
	), g AS MATERIALIZED (
		SELECT r.oid, r.name, r.kind, r.protected, g.grantee, g.grantee_name, g.privilege
		FROM dmp_internal.lint_grants() g JOIN r USING (oid)
	), personal AS (
		SELECT relation::oid AS oid, string_agg(DISTINCT column_name, ', ' ORDER BY column_name) AS columns FROM dmp.tags GROUP BY 1
	)
	SELECT 'error', name, format('grant_%s: %s may %s, past every row policy', lower(privilege), string_agg(grantee_name, ', ' ORDER BY grantee_name),
		CASE privilege WHEN 'TRUNCATE' THEN 'empty it' WHEN 'REFERENCES' THEN 'learn which keys exist by foreign keys' ELSE 'have code run with each writer''s rights' END),
		format('REVOKE %s ON TABLE %s FROM %s', privilege, name, string_agg(grantee_name, ', ' ORDER BY grantee_name))
	FROM g WHERE protected AND privilege IN ('TRUNCATE', 'REFERENCES', 'TRIGGER') GROUP BY name, privilege
	UNION ALL
	SELECT 'error', name, format('public_write: everybody may %s', string_agg(lower(privilege), ', ' ORDER BY privilege)),
		format('REVOKE %s ON TABLE %s FROM PUBLIC', string_agg(privilege, ', ' ORDER BY privilege), name)
	FROM g WHERE grantee = 0 AND kind <> 'S' AND privilege IN ('INSERT', 'UPDATE', 'DELETE', 'TRUNCATE') GROUP BY name
	UNION ALL
	SELECT 'error', name, format('public_personal: everybody may read personal data: %s', columns), format('REVOKE SELECT ON TABLE %s FROM PUBLIC', name)
	FROM g JOIN personal USING (oid) WHERE grantee = 0 AND privilege = 'SELECT' AND NOT protected
	UNION ALL
	SELECT 'warning', name, 'public_sequence: everybody may draw or set its numbers', format('REVOKE ALL ON SEQUENCE %s FROM PUBLIC', name)
	FROM g WHERE grantee = 0 AND kind = 'S' AND privilege IN ('USAGE', 'UPDATE') GROUP BY name
	UNION ALL
	SELECT 'error', quote_ident(n.nspname), 'schema_create: everybody may create objects there, that others then take for the schema''s own',
		format('REVOKE CREATE ON SCHEMA %I FROM PUBLIC', n.nspname)
	FROM pg_namespace n, aclexplode(n.nspacl) a
	WHERE a.grantee = 0 AND a.privilege_type = 'CREATE' AND n.nspname !~ '^pg_' AND pg_has_role(n.nspowner, 'USAGE')
	UNION ALL
	SELECT 'warning', quote_ident(d.datname), 'database_create: everybody may create schemas', format('REVOKE CREATE ON DATABASE %I FROM PUBLIC', d.datname)
	FROM pg_database d, aclexplode(d.datacl) a
	WHERE d.datname = current_database() AND a.grantee = 0 AND a.privilege_type = 'CREATE' AND pg_has_role(d.datdba, 'USAGE')
	UNION ALL
	SELECT 'warning', quote_ident(pg_get_userbyid(d.defaclrole)), format('default_public: what this role creates%s, everybody may %s', CASE WHEN n.oid IS NULL THEN '' ELSE ' in schema ' || quote_ident(n.nspname) END,
		string_agg(lower(a.privilege_type), ', ' ORDER BY a.privilege_type)),
		format('ALTER DEFAULT PRIVILEGES FOR ROLE %I%s REVOKE ALL ON %s FROM PUBLIC', pg_get_userbyid(d.defaclrole),
			CASE WHEN n.oid IS NULL THEN '' ELSE format(' IN SCHEMA %I', n.nspname) END, CASE d.defaclobjtype WHEN 'r' THEN 'TABLES' ELSE 'SEQUENCES' END)
	FROM pg_default_acl d LEFT JOIN pg_namespace n ON n.oid = d.defaclnamespace, aclexplode(d.defaclacl) a
	WHERE d.defaclobjtype IN ('r', 'S') AND a.grantee = 0 AND pg_has_role(d.defaclrole, 'USAGE')
	GROUP BY d.defaclrole, d.defaclobjtype, n.oid, n.nspname
	UNION ALL
	SELECT 'warning', t.name, format('foreign_key_oracle: foreign key %I shows %s which rows of protected %s exist', k.conname,
		string_agg(DISTINCT g.grantee_name, ', ' ORDER BY g.grantee_name), p.name),
		format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', t.name)
	FROM pg_constraint k JOIN r t ON t.oid = k.conrelid AND NOT t.protected AND NOT t.partition
	JOIN dmp_internal.lint_relations() p ON p.oid = k.confrelid AND p.protected
	JOIN g ON g.oid = t.oid AND g.privilege IN ('INSERT', 'UPDATE')
	WHERE k.contype = 'f' AND k.conparentid = 0
	GROUP BY t.name, k.conname, p.name
	UNION ALL
	SELECT 'warning', t.name, format('publication_protected: publication %I sends its rows past row policies', p.pubname), format('ALTER PUBLICATION %I DROP TABLE %s', p.pubname, t.name)
	FROM pg_publication_rel pr JOIN pg_publication p ON p.oid = pr.prpubid JOIN r t ON t.oid = pr.prrelid
	WHERE t.protected AND pr.prqual IS NULL AND pg_has_role(p.pubowner, 'USAGE')
	UNION ALL
	SELECT 'error', quote_ident(s.srvname), 'secret_in_server: options of a foreign server, which every role can read, hold a secret; user mappings are for that',
		format('ALTER SERVER %I OPTIONS (DROP %I)', s.srvname, o.option_name)
	FROM pg_foreign_server s, pg_options_to_table(s.srvoptions) o
	WHERE o.option_name ~* '(passw|secret|token|api_?key|private_?key|credential)' AND pg_has_role(s.srvowner, 'USAGE')
	$$;
COMMENT ON FUNCTION dmp_internal.lint_rights() IS 'findings of dmp.lint about rights';

CREATE FUNCTION dmp_internal.lint_policies(OUT severity text, OUT object text, OUT finding text, OUT fix_sql text) RETURNS SETOF record
	LANGUAGE sql STABLE
	SET search_path = pg_catalog, pg_temp
	AS $$
	WITH RECURSIVE r AS MATERIALIZED (
		SELECT * FROM dmp_internal.lint_relations() WHERE mine AND kind IN ('r', 'p')
	), policy AS MATERIALIZED (
		SELECT p.*, r.name AS relation, r.protected, r.forced, format('policy %I on %s', p.polname, r.name) AS name,
			pg_get_expr(p.polqual, p.polrelid) AS qual, pg_get_expr(p.polwithcheck, p.polrelid) AS checked
		FROM pg_policy p JOIN r ON r.oid = p.polrelid
	), below AS (
		SELECT r.oid AS root, i.inhrelid AS oid FROM r JOIN pg_inherits i ON i.inhparent = r.oid WHERE r.protected
		UNION
		SELECT b.root, i.inhrelid FROM below b JOIN pg_inherits i ON i.inhparent = b.oid
	)
	SELECT 'error', name, 'policies_off: it has policies, and row security is off', format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', name)
	FROM r WHERE NOT protected AND oid IN (SELECT polrelid FROM policy)
	UNION ALL
	SELECT 'info', name, 'policies_none: row security is on without a policy: nobody but its owner sees a row; a policy should say so',
		format('CREATE POLICY nobody ON %s AS RESTRICTIVE USING (false)', name)
	FROM r WHERE protected AND oid NOT IN (SELECT polrelid FROM policy) AND oid NOT IN (SELECT oid FROM below)
	UNION ALL
	SELECT 'warning', name, 'policies_not_forced: row policies do not hold for its owner', format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', name)
	FROM r WHERE protected AND NOT forced
	UNION ALL
	SELECT CASE WHEN EXISTS (SELECT FROM dmp_internal.lint_grants() g WHERE g.oid = c.oid) THEN 'error' ELSE 'warning' END, c.name,
		format('partition_open: read directly it has no policies, as those of %s hold through that table only', string_agg(DISTINCT t.name, ', ' ORDER BY t.name)),
		format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', c.name)
	FROM below b JOIN r t ON t.oid = b.root JOIN r c ON c.oid = b.oid WHERE NOT c.protected
	GROUP BY c.oid, c.name
	UNION ALL
	SELECT 'error', name, format('policy_true: lets every row through for %s', CASE polcmd WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE' WHEN 'd' THEN 'DELETE' ELSE 'all commands' END),
		format('DROP POLICY %I ON %s', polname, relation)
	FROM policy p
	WHERE polpermissive AND polcmd <> 'r' AND (qual = 'true' OR (polcmd = 'a' AND checked = 'true') OR (polcmd IN ('w', '*') AND checked = 'true'))
	  -- nothing restricts it; a broken dmp.protect is a finding of its own
	  AND NOT (polname = 'dmp_protect_allow' AND EXISTS (SELECT FROM dmp_internal.protection d
		WHERE d.relation = p.polrelid OR d.relation::oid IN (SELECT relid FROM pg_partition_ancestors(p.polrelid))))
	  AND NOT EXISTS (SELECT FROM policy q WHERE q.polrelid = p.polrelid AND NOT q.polpermissive AND (q.polcmd IN (p.polcmd, '*')) AND (q.polroles = '{0}' OR q.polroles @> p.polroles))
	UNION ALL
	SELECT 'info', relation, format('policies_several: permissive policies %s are for the same command and roles: each row is tested by all of them', string_agg(quote_ident(polname), ', ' ORDER BY polname)),
		format('ALTER POLICY %I ON %s%s%s; %s', min(polname), relation,
			CASE WHEN polcmd <> 'a' THEN format(' USING (%s)', string_agg(format('(%s)', qual), ' OR ' ORDER BY polname)) ELSE '' END,
			CASE WHEN polcmd = 'a' OR bool_or(checked IS NOT NULL) THEN format(' WITH CHECK (%s)', string_agg(format('(%s)', coalesce(checked, qual)), ' OR ' ORDER BY polname)) ELSE '' END,
			string_agg(format('DROP POLICY %I ON %s;', polname, relation), ' ' ORDER BY polname) FILTER (WHERE polname <> first))
	FROM (SELECT policy.*, min(polname) OVER (PARTITION BY polrelid, polcmd, polroles) AS first, using_once IS NULL AND check_once IS NULL AND volatiles = '{}' AS clean
		FROM policy, dmp_internal.policy_facts(oid) WHERE polpermissive AND (polcmd = 'a' OR qual IS NOT NULL)) p
	-- those that have findings of their own come first: the fixes would undo each other
	GROUP BY polrelid, relation, polcmd, polroles HAVING count(*) > 1 AND bool_and(clean)
	UNION ALL
	SELECT 'warning', name, 'policy_call_per_row: calls a function for each row that could be called once a statement',
		format('ALTER POLICY %I ON %s%s%s', polname, relation, ' USING (' || using_once || ')', ' WITH CHECK (' || check_once || ')')
	FROM policy, dmp_internal.policy_facts(oid) f WHERE using_once IS NOT NULL OR check_once IS NOT NULL
	UNION ALL
	SELECT 'warning', name, format('policy_volatile: calls %s, which is volatile, with each row: no index can be used, and other functions may see rows before it', f),
		format('ALTER FUNCTION %s STABLE', f)
	FROM policy, dmp_internal.policy_facts(oid), unnest(volatiles) f
	UNION ALL
	SELECT 'warning', relation, format('policy_unindexed: no index begins with %s, by which policy %I chooses rows', quote_ident(a.attname), min(polname)),
		format('CREATE INDEX ON %s (%I)', relation, a.attname)
	FROM policy, dmp_internal.policy_facts(oid), unnest(equal_columns) c JOIN pg_attribute a ON a.attnum = c
	WHERE a.attrelid = polrelid AND polqual IS NOT NULL
	  -- an index of the whole table is one of each partition
	  AND NOT EXISTS (SELECT FROM below b JOIN r ON r.oid = b.oid WHERE b.oid = polrelid AND r.partition)
	  AND NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = polrelid AND i.indkey[0] = c AND i.indpred IS NULL AND i.indisvalid)
	GROUP BY polrelid, relation, a.attname
	UNION ALL
	SELECT 'info', r.name, format('unique_oracle: unique constraint %I over %s does not begin with what its policies choose rows by: an insert tells whether a hidden row has the value', k.conname, cols.list),
		format('ALTER TABLE %s DROP CONSTRAINT %I, ADD CONSTRAINT %I %s', r.name, k.conname, k.conname,
			overlay(pg_get_constraintdef(k.oid) PLACING format('(%I, ', a.attname) FROM strpos(pg_get_constraintdef(k.oid), '(') FOR 1))
	FROM r JOIN pg_constraint k ON k.conrelid = r.oid AND k.contype = 'u' AND k.conparentid = 0
	JOIN LATERAL (SELECT min(c) AS c, array_agg(c) AS numbers FROM policy p, dmp_internal.policy_facts(p.oid), unnest(equal_columns) c
		WHERE p.polrelid = r.oid) e ON e.c IS NOT NULL AND NOT e.numbers && k.conkey
	JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum = e.c,
	LATERAL (SELECT string_agg(quote_ident(b.attname), ', ' ORDER BY o) AS list FROM unnest(k.conkey) WITH ORDINALITY u(n, o) JOIN pg_attribute b ON b.attrelid = r.oid AND b.attnum = n) cols
	WHERE r.protected AND NOT EXISTS (SELECT FROM pg_constraint f WHERE f.contype = 'f' AND f.confrelid = r.oid AND f.conindid = k.conindid)
	$$;
COMMENT ON FUNCTION dmp_internal.lint_policies() IS 'findings of dmp.lint about row policies';

CREATE FUNCTION dmp_internal.lint_roles(OUT severity text, OUT object text, OUT finding text, OUT fix_sql text) RETURNS SETOF record
	LANGUAGE sql STABLE
	SET search_path = pg_catalog, pg_temp
	AS $$
	WITH role AS (
		-- roles are the business of those who may alter them
		SELECT o.* FROM pg_roles o WHERE o.rolname !~ '^pg_' AND o.oid <> 10
		  AND (SELECT u.rolsuper OR (u.rolcreaterole AND NOT o.rolsuper) FROM pg_roles u WHERE u.rolname = current_user)
	), owned AS (
		SELECT owner, count(*) AS tables, min(name) AS name, bool_and(forced) AS forced FROM dmp_internal.lint_relations() WHERE protected GROUP BY 1
	)
	SELECT 'warning', quote_ident(rolname), 'role_superuser: a superuser that logs in is under no policy; the administrator''s own role is enough', format('ALTER ROLE %I NOSUPERUSER', rolname)
	FROM role WHERE rolcanlogin AND rolsuper
	UNION ALL
	SELECT 'error', quote_ident(rolname), 'role_bypassrls: no row policy holds for it', format('ALTER ROLE %I NOBYPASSRLS', rolname)
	FROM role WHERE rolbypassrls AND NOT rolsuper AND rolcanlogin
	UNION ALL
	SELECT 'error', quote_ident(m.rolname), 'role_mask_member: as a member of dmp_mask it reads what masked views hide, in clear', format('REVOKE dmp_mask FROM %I', m.rolname)
	FROM pg_auth_members a JOIN pg_roles o ON o.oid = a.roleid AND o.rolname = 'dmp_mask' JOIN role m ON m.oid = a.member
	WHERE NOT m.rolsuper
	UNION ALL
	SELECT CASE WHEN forced THEN 'info' ELSE 'warning' END, quote_ident(rolname),
		format('role_owns_protected: it logs in and owns protected tables (%s, first %s), so that it can turn their policies off', tables, name),
		(SELECT format('CREATE ROLE %I NOLOGIN; %s', rolname || '_owner', string_agg(format('ALTER TABLE %s OWNER TO %I', t.name, rolname || '_owner'), '; ' ORDER BY t.name))
			FROM dmp_internal.lint_relations() t WHERE t.owner = role.oid AND t.protected)
	FROM role JOIN owned ON owned.owner = role.oid WHERE rolcanlogin AND NOT rolsuper
	UNION ALL
	SELECT 'warning', quote_ident(m.rolname), format('role_member_of_owner: it logs in as a member of %I, which owns protected tables', o.rolname), format('REVOKE %I FROM %I', o.rolname, m.rolname)
	FROM pg_auth_members a JOIN role m ON m.oid = a.member JOIN owned ON owned.owner = a.roleid JOIN pg_roles o ON o.oid = a.roleid
	WHERE m.rolcanlogin AND NOT m.rolsuper AND NOT o.rolsuper
	UNION ALL
	SELECT 'warning', quote_ident(m.rolname), format('role_member_of_server: it logs in with the rights of %I, which reach files and programs of the server', o.rolname), format('REVOKE %I FROM %I', o.rolname, m.rolname)
	FROM pg_auth_members a JOIN role m ON m.oid = a.member JOIN pg_roles o ON o.oid = a.roleid
	WHERE m.rolcanlogin AND NOT m.rolsuper AND o.rolname IN ('pg_execute_server_program', 'pg_read_server_files', 'pg_write_server_files', 'pg_read_all_data', 'pg_write_all_data')
	$$;
COMMENT ON FUNCTION dmp_internal.lint_roles() IS 'findings of dmp.lint about roles';

-- passwords: only who may read them
CREATE FUNCTION dmp_internal.lint_passwords(OUT severity text, OUT object text, OUT finding text, OUT fix_sql text) RETURNS SETOF record
	LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp
	AS $$
	BEGIN
		IF NOT has_table_privilege('pg_authid', 'SELECT') THEN
			RETURN;
		END IF;
		RETURN QUERY
		SELECT 'error', quote_ident(a.rolname), 'password_md5: its password is kept as MD5, which can be used as it is stored; set it again under scram-sha-256',
			format('ALTER ROLE %I PASSWORD NULL', a.rolname)
		FROM pg_authid a WHERE a.rolpassword LIKE 'md5%'
		UNION ALL
		SELECT 'info', quote_ident(a.rolname), 'password_forever: its password never ends',
			format('ALTER ROLE %I VALID UNTIL %L', a.rolname, to_char(now() + interval '1 year', 'YYYY-MM-DD'))
		FROM pg_authid a WHERE a.rolpassword IS NOT NULL AND a.rolcanlogin AND coalesce(a.rolvaliduntil, 'infinity') = 'infinity' AND a.oid <> 10;
	END $$;
COMMENT ON FUNCTION dmp_internal.lint_passwords() IS 'findings of dmp.lint about passwords';

CREATE FUNCTION dmp_internal.lint_settings(OUT severity text, OUT object text, OUT finding text, OUT fix_sql text) RETURNS SETOF record
	LANGUAGE sql STABLE
	SET search_path = pg_catalog, pg_temp
	AS $$
	WITH bad AS (
		SELECT s.name, s.source, s.setting, b.severity, b.finding, b.good
		FROM (VALUES
			('log_statement', 'warning', 'log_statement: statements go to the server log with the values in them', 'none', ARRAY['none', 'ddl']),
			('log_parameter_max_length', 'warning', 'log_parameters: parameters of logged statements go to the server log', '0', ARRAY['0']),
			('log_parameter_max_length_on_error', 'warning', 'log_parameters_on_error: parameters of failed statements go to the server log', '0', ARRAY['0']),
			('log_min_error_statement', 'info', 'log_error_statement: the text of failed statements goes to the server log with the values in it', 'panic', ARRAY['panic', 'fatal', 'log']),
			('password_encryption', 'error', 'password_encryption: new passwords are kept as MD5', 'scram-sha-256', ARRAY['scram-sha-256']),
			('row_security', 'info', 'row_security: statements on protected tables fail instead of showing the rows one may see', 'on', ARRAY['on']),
			('session_replication_role', 'error', 'replica_role: triggers that are not ALWAYS do not fire', 'origin', ARRAY['origin']),
			('ssl', 'info', 'ssl: connections over the network can be read', 'on', ARRAY['on']),
			('allow_system_table_mods', 'error', 'system_table_mods: the catalog may be written', 'off', ARRAY['off'])
		) b (name, severity, finding, good, fine)
		JOIN pg_settings s ON s.name = b.name
		WHERE NOT s.setting = ANY (b.fine) AND pg_has_role('pg_read_all_settings', 'USAGE')
		-- parameters are logged with statements only
		  AND (s.name <> 'log_parameter_max_length' OR current_setting('log_statement') NOT IN ('none', 'ddl') OR current_setting('log_min_duration_statement') <> '-1')
		  AND (s.name <> 'ssl' OR current_setting('listen_addresses') <> '')
	)
	SELECT severity, name, finding || format(' (%s by %s)', setting, source),
		CASE WHEN source = 'session' THEN format('SET %I = %L', name, good)
			WHEN source = 'database' THEN format('ALTER DATABASE %I RESET %I', current_database(), name)
			WHEN source = 'user' THEN format('ALTER ROLE %I RESET %I', session_user, name)
			WHEN source = 'database user' THEN format('ALTER ROLE %I IN DATABASE %I RESET %I', session_user, current_database(), name)
			ELSE format(E'ALTER SYSTEM SET %I = %L;\nSELECT pg_reload_conf()', name, good) END
	FROM bad
	UNION ALL
	SELECT 'error', CASE WHEN s.setrole = 0 THEN coalesce(quote_ident(d.datname), 'ALL') ELSE quote_ident(pg_get_userbyid(s.setrole)) END,
		format('secret_in_setting: %s, which every role can read, looks like a secret; replace the secret too', split_part(c, '=', 1)),
		CASE WHEN s.setrole = 0 AND d.oid IS NULL THEN format('ALTER ROLE ALL RESET %s', split_part(c, '=', 1))
			WHEN s.setrole = 0 THEN format('ALTER DATABASE %I RESET %s', d.datname, split_part(c, '=', 1))
			ELSE format('ALTER ROLE %s%s RESET %s', quote_ident(pg_get_userbyid(s.setrole)), CASE WHEN d.oid IS NULL THEN '' ELSE format(' IN DATABASE %I', d.datname) END, split_part(c, '=', 1)) END
	FROM pg_db_role_setting s LEFT JOIN pg_database d ON d.oid = s.setdatabase, unnest(s.setconfig) c
	WHERE (d.oid IS NULL OR d.datname = current_database())
	  AND ((split_part(c, '=', 1) ~* '(passw|secret|token|api_?key|private_?key|salt|credential|jwt)' AND split_part(c, '=', 1) NOT IN ('password_encryption') AND length(c) > length(split_part(c, '=', 1)) + 4)
	    OR dmp_internal.lint_redact(substr(c, strpos(c, '=') + 1)) <> substr(c, strpos(c, '=') + 1))
	$$;
COMMENT ON FUNCTION dmp_internal.lint_settings() IS 'findings of dmp.lint about settings';

CREATE FUNCTION dmp_internal.lint_personal(OUT severity text, OUT object text, OUT finding text, OUT fix_sql text) RETURNS SETOF record
	LANGUAGE sql STABLE
	SET search_path = pg_catalog, pg_temp
	AS $$
	WITH tags AS MATERIALIZED (
		SELECT * FROM dmp.tags
	)
	SELECT 'warning', r.name, format('personal_open: column %s is tagged %s, row security is off, and %s may read it', quote_ident(t.column_name),
		string_agg(DISTINCT t.category, ', ' ORDER BY t.category), string_agg(DISTINCT g.grantee_name, ', ' ORDER BY g.grantee_name)),
		format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', r.name)
	FROM tags t JOIN dmp_internal.lint_relations() r ON r.oid = t.relation JOIN dmp_internal.lint_grants() g ON g.oid = r.oid AND g.privilege = 'SELECT'
	WHERE r.mine AND NOT r.protected AND r.kind IN ('r', 'p')
	GROUP BY r.name, t.column_name
	UNION ALL
	SELECT 'info', r.name, format('personal_untagged: column %s looks like %s (%s)', quote_ident(p.column_name), p.category, p.evidence),
		format('SELECT dmp.tag(%L, %L, %L)', r.name, p.column_name, p.category)
	FROM dmp_internal.personal_by_statistics() p JOIN dmp_internal.lint_relations() r ON r.oid = p.relation
	WHERE NOT EXISTS (SELECT FROM tags t WHERE t.relation = p.relation AND t.column_name = p.column_name)
	$$;
COMMENT ON FUNCTION dmp_internal.lint_personal() IS 'findings of dmp.lint about personal data';

CREATE FUNCTION dmp_internal.lint_audit(OUT severity text, OUT object text, OUT finding text, OUT fix_sql text) RETURNS SETOF record
	LANGUAGE sql STABLE
	SET search_path = pg_catalog, pg_temp
	AS $$
	WITH RECURSIVE r AS MATERIALIZED (
		SELECT * FROM dmp_internal.lint_relations() WHERE mine
	), a AS MATERIALIZED (
		SELECT a.relation::oid AS oid, a.root::oid AS root, r.name, root.name AS root_name,
			format('SELECT dmp.audit(%L, %L, %L, %L)', root.name, a.exclude, a.redact, a.keep_truncated) AS again
		FROM dmp_internal.audited a JOIN r ON r.oid = a.relation::oid JOIN r root ON root.oid = a.root::oid
	), fires AS (
		SELECT a.oid, t.tgname, t.tgenabled
		FROM a JOIN pg_trigger t ON t.tgrelid = a.oid JOIN pg_proc p ON p.oid = t.tgfoid
		WHERE p.pronamespace = 'dmp_internal'::regnamespace AND p.proname IN ('audit_rows', 'audit_truncate')
	), below AS (
		SELECT a.root, a.again, i.inhrelid AS oid FROM a JOIN pg_inherits i ON i.inhparent = a.oid
		UNION
		SELECT b.root, b.again, i.inhrelid FROM below b JOIN pg_inherits i ON i.inhparent = b.oid
	)
	SELECT 'error', a.name, format('audit_trigger_off: trigger %I %s', f.tgname, CASE f.tgenabled WHEN 'D' THEN 'is disabled' ELSE 'does not fire in every replication role' END),
		format('ALTER TABLE %s ENABLE ALWAYS TRIGGER %I', a.name, f.tgname)
	FROM a JOIN fires f USING (oid) WHERE f.tgenabled <> 'A'
	UNION ALL
	SELECT 'error', a.name, 'audit_trigger_missing: it is audited, and triggers of the audit are gone', a.again
	FROM a WHERE (SELECT count(*) FROM fires f WHERE f.oid = a.oid) < 4
	UNION ALL
	SELECT 'error', r.name, format('audit_partition_missing: a partition of audited %s that is not audited itself', min(root.name)), min(b.again)
	FROM below b JOIN r ON r.oid = b.oid JOIN r root ON root.oid = b.root
	WHERE r.partition AND b.oid NOT IN (SELECT oid FROM a) GROUP BY r.name
	UNION ALL
	SELECT 'info', r.name, 'personal_unaudited: changes of its personal data are not logged', format('SELECT dmp.audit(%L)', r.name)
	FROM r WHERE r.oid IN (SELECT relation FROM dmp.tags) AND r.oid NOT IN (SELECT oid FROM a) AND r.kind IN ('r', 'p')
	$$;
COMMENT ON FUNCTION dmp_internal.lint_audit() IS 'findings of dmp.lint about audited tables';

-- the ledger: only who may read it
CREATE FUNCTION dmp_internal.lint_ledger(OUT severity text, OUT object text, OUT finding text, OUT fix_sql text) RETURNS SETOF record
	LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp
	AS $$
	BEGIN
		IF NOT has_table_privilege('dmp_internal.audit_block', 'SELECT') THEN
			RETURN;
		END IF;
		RETURN QUERY
		SELECT 'warning', 'dmp.audit_log', format('audit_unsealed: entries since %s are not sealed: until they are, nothing shows that they were changed', to_char(min(k.at), 'YYYY-MM-DD')),
			'SELECT * FROM dmp.seal_audit()'
		FROM dmp_internal.audit_chunk k
		WHERE k.at < now() - interval '1 day'
		  AND k.xact >= coalesce((SELECT max(b.horizon) FROM dmp_internal.audit_block b WHERE b.cluster = k.cluster), '0')
		HAVING count(*) > 0;
	END $$;
COMMENT ON FUNCTION dmp_internal.lint_ledger() IS 'findings of dmp.lint about the sealed log';

CREATE FUNCTION dmp_internal.lint_protected(OUT severity text, OUT object text, OUT finding text, OUT fix_sql text) RETURNS SETOF record
	LANGUAGE sql STABLE
	SET search_path = pg_catalog, pg_temp
	AS $$
	WITH RECURSIVE r AS MATERIALIZED (
		SELECT * FROM dmp_internal.lint_relations() WHERE mine
	), p AS MATERIALIZED (
		SELECT p.*, r.oid, r.name, format('SELECT * FROM dmp.protect(%L, tenant => %L, subject => %L, purposes => %L, mask => %L, clear_for => %L)',
			r.name, p.tenant, p.subject, p.purposes, p.mask, p.clear_for) AS again
		FROM dmp_internal.protection p JOIN r ON r.oid = p.relation
	), below AS (
		SELECT p.oid AS root, p.oid FROM p
		UNION
		SELECT b.root, i.inhrelid FROM below b JOIN pg_inherits i ON i.inhparent = b.oid
	)
	SELECT 'error', r.name, CASE WHEN r.protected THEN 'protect_undone: policies of dmp.protect are gone' ELSE 'protect_undone: dmp.protect was asked for, and row security is off' END, p.again
	FROM p JOIN below b ON b.root = p.oid JOIN r ON r.oid = b.oid
	WHERE (NOT r.protected OR (SELECT count(*) FROM pg_policy l WHERE l.polrelid = r.oid AND l.polname ~ '^dmp_protect') < 2)
	  AND (r.oid = p.oid OR r.partition)
	UNION ALL
	SELECT 'warning', p.name, format('mask_outdated: the masked view %s', CASE WHEN v.oid IS NULL THEN 'is gone' ELSE 'lacks columns of its table: ' || string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) END), p.again
	FROM p LEFT JOIN pg_class v ON v.oid = p.masked JOIN pg_attribute a ON a.attrelid = p.oid AND a.attnum > 0 AND NOT a.attisdropped
	WHERE p.mask IS NOT NULL AND NOT EXISTS (SELECT FROM pg_attribute b WHERE b.attrelid = v.oid AND b.attname = a.attname AND NOT b.attisdropped)
	GROUP BY p.name, p.again, v.oid
	UNION ALL
	SELECT 'info', p.name, format('personal_unmasked: column %s is tagged %s, and readers of the masked view see it in clear', quote_ident(t.column_name), string_agg(t.category, ', ' ORDER BY t.category)),
		format('SELECT * FROM dmp.protect(%L, tenant => %L, subject => %L, purposes => %L, mask => %L, clear_for => %L)',
			p.name, p.tenant, p.subject, p.purposes, (p.mask::jsonb || jsonb_build_object(t.column_name, CASE min(t.category) WHEN 'email' THEN 'email' WHEN 'phone' THEN 'last4' WHEN 'card' THEN 'last4' ELSE 'null' END))::text, p.clear_for)
	FROM p JOIN dmp.tags t ON t.relation = p.oid
	WHERE p.mask IS NOT NULL AND NOT p.mask::jsonb ? t.column_name
	GROUP BY p.name, p.tenant, p.subject, p.purposes, p.mask::jsonb, p.clear_for, t.column_name
	UNION ALL
	SELECT 'info', p.name, format('purpose_unrecorded: it may be read for %s, of which there is no record of processing; say the right legal basis', quote_ident(u)),
		format('SELECT dmp.record_processing(%L, %L, %L)', p.name, u, CASE WHEN p.subject IS NULL THEN 'legitimate interests' ELSE 'consent' END)
	FROM p, unnest(p.purposes) u
	WHERE NOT EXISTS (SELECT FROM dmp.processing d WHERE d.relation = p.oid AND d.purpose = u)
	UNION ALL
	-- consents of others are not to be seen by everybody
	SELECT 'info', p.name, format('purpose_unconsented: nobody ever consented to %s, so that no row can be read for it', quote_ident(u)),
		format('SELECT * FROM dmp.protect(%L, tenant => %L, subject => %L, purposes => %L, mask => %L, clear_for => %L)', p.name, p.tenant, p.subject, array_remove(p.purposes, u), p.mask, p.clear_for)
	FROM p, unnest(p.purposes) u
	WHERE p.subject IS NOT NULL AND cardinality(p.purposes) > 1 AND NOT EXISTS (SELECT FROM dmp_internal.consent c WHERE c.purpose = u)
	  AND (SELECT o.rolsuper FROM pg_roles o WHERE o.rolname = current_user)
	UNION ALL
	SELECT 'warning', r.name, format('retention_overdue: statistics show rows older than %s in column %s', k.keep_for, quote_ident(k.column_name)),
		format(E'SELECT * FROM dmp.apply_retention();\nANALYZE %s', r.name)
	FROM dmp.retention k JOIN r ON r.oid = k.relation JOIN pg_attribute a ON a.attrelid = r.oid AND a.attname = k.column_name
	JOIN pg_class c ON c.oid = r.oid JOIN pg_namespace n ON n.oid = c.relnamespace
	JOIN pg_stats s ON s.schemaname = n.nspname AND s.tablename = c.relname AND s.attname = a.attname
	-- ANALYZE leaves the statistics of a table that is empty now
	WHERE c.reltuples > 0 AND a.atttypid IN ('date'::regtype, 'timestamp'::regtype, 'timestamptz'::regtype)
	  -- no cast may fail: the planner may look at values of other columns first
	  AND (SELECT min(dmp.try_cast(v, NULL::timestamptz)) FROM unnest(coalesce(s.histogram_bounds::text::text[], '{}') || coalesce(s.most_common_vals::text::text[], '{}')) v)
		< k.rows_before - interval '1 day'
	UNION ALL
	SELECT 'error', format('request %s', request), format('request_overdue: a request to %s under %s was due on %s', kind, law, to_char(due_at, 'YYYY-MM-DD')),
		format('SELECT dmp.close_request(%s)', request)
	FROM dmp.subject_requests WHERE overdue
	UNION ALL
	SELECT 'info', quote_ident(g.role::text), 'context_any: it may claim every tenant and every purpose', format('SELECT * FROM dmp.revoke_context(%L)', g.role::text)
	FROM dmp.context_grants g JOIN pg_roles o ON o.oid = g.role::oid
	WHERE g.default_context IS NULL AND g.tenants IS NULL AND g.purposes IS NULL
	UNION ALL
	SELECT 'warning', 'context grant ' || id, 'grantee_gone: the role that may claim tenants and purposes by it was dropped', format('DELETE FROM dmp_internal.context_grant WHERE id = %s', id)
	FROM dmp_internal.context_grant WHERE NOT EXISTS (SELECT FROM pg_roles o WHERE o.oid = grantee::oid)
	UNION ALL
	SELECT 'warning', kind || name, 'owner_gone: the role that owned it was dropped',
		format('UPDATE dmp_internal.%I SET owner = (SELECT oid FROM pg_catalog.pg_roles WHERE rolname = current_user) WHERE name = %L', split_part(kind, ':', 1), name)
	FROM (SELECT 'source:' AS kind, name, owner::oid FROM dmp_internal.source UNION ALL SELECT 'feature_set:', name, owner::oid FROM dmp_internal.feature_set
		UNION ALL SELECT 'model_name:', name, owner::oid FROM dmp_internal.model_name UNION SELECT 'recipe:', name, owner::oid FROM dmp_internal.recipe) o
	WHERE NOT EXISTS (SELECT FROM pg_roles WHERE oid = owner)
	$$;
COMMENT ON FUNCTION dmp_internal.lint_protected() IS 'findings of dmp.lint about what dmp.protect, retention, requests and registries say';

CREATE FUNCTION dmp.lint(OUT severity text, OUT object text, OUT finding text, OUT fix_sql text) RETURNS SETOF record
	LANGUAGE sql STABLE
	SET search_path = pg_catalog, pg_temp
	AS $$
	SELECT * FROM (
		SELECT * FROM dmp_internal.lint_functions()
		UNION ALL SELECT * FROM dmp_internal.lint_views()
		UNION ALL SELECT * FROM dmp_internal.lint_rights()
		UNION ALL SELECT * FROM dmp_internal.lint_policies()
		UNION ALL SELECT * FROM dmp_internal.lint_roles()
		UNION ALL SELECT * FROM dmp_internal.lint_passwords()
		UNION ALL SELECT * FROM dmp_internal.lint_settings()
		UNION ALL SELECT * FROM dmp_internal.lint_personal()
		UNION ALL SELECT * FROM dmp_internal.lint_audit()
		UNION ALL SELECT * FROM dmp_internal.lint_ledger()
		UNION ALL SELECT * FROM dmp_internal.lint_protected()
	) f
	ORDER BY array_position('{error,warning,info}', f.severity), f.finding COLLATE "C", f.object COLLATE "C"
	$$;
COMMENT ON FUNCTION dmp.lint() IS 'what is wrong with rights, policies, views, functions, roles, settings and the log of what is yours (of everything, to a superuser), each with the statement that mends it
Example: SELECT severity, object, finding, fix_sql FROM dmp.lint()';
