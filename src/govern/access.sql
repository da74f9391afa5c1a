
-- ---------------------------------------------------------------- govern: access

-- what dmp.protect was asked for
CREATE TABLE dmp_internal.protection (
	relation regclass PRIMARY KEY,
	owner dmp_internal.owner NOT NULL,
	tenant text,
	subject text,
	purposes text[],
	mask json,
	clear_for name[] NOT NULL,
	masked regclass,
	protected_at timestamptz NOT NULL DEFAULT pg_catalog.statement_timestamp(),
	protected_by dmp_internal.owner NOT NULL
);
COMMENT ON TABLE dmp_internal.protection IS 'protected tables, as dmp.protect was asked for them';
-- the tables it covers (partitions are tables of their own) and what they were before
CREATE TABLE dmp_internal.protection_table (
	relation regclass PRIMARY KEY,
	root regclass NOT NULL,
	had_security boolean NOT NULL,
	had_force boolean NOT NULL
);
COMMENT ON TABLE dmp_internal.protection_table IS 'tables with the policies of dmp.protect, each partition by itself';
-- rights dmp.protect took from roles; grantee NULL: PUBLIC
CREATE TABLE dmp_internal.protection_revoked (
	relation regclass NOT NULL,
	grantee text,
	privilege text NOT NULL,
	columns text[],
	grantable boolean NOT NULL
);
COMMENT ON TABLE dmp_internal.protection_revoked IS 'rights dmp.protect took from roles, for dmp.unprotect to give back';
SELECT pg_catalog.pg_extension_config_dump('dmp_internal.protection', '');
SELECT pg_catalog.pg_extension_config_dump('dmp_internal.protection_table', '');
SELECT pg_catalog.pg_extension_config_dump('dmp_internal.protection_revoked', '');
ALTER TABLE dmp_internal.protection_table ENABLE ROW LEVEL SECURITY;
ALTER TABLE dmp_internal.protection_revoked ENABLE ROW LEVEL SECURITY;
ALTER TABLE dmp_internal.protection ENABLE ROW LEVEL SECURITY;
CREATE POLICY reader ON dmp_internal.protection FOR SELECT USING (dmp_internal.owns(owner));
GRANT SELECT ON dmp_internal.protection TO PUBLIC;

-- numbers of protected reads, drawn before the rows are read: a gap is a read whose
-- transaction did not commit
CREATE SEQUENCE dmp_internal.read_number;
SELECT pg_catalog.pg_extension_config_dump('dmp_internal.read_number', '');
REVOKE ALL ON SEQUENCE dmp_internal.read_number FROM PUBLIC;

-- what policies call, once a statement and table: whether the context may read, and
-- for which tenant. reads: to be logged
CREATE FUNCTION dmp_internal.access(relation regclass, purposes text[], needs_purpose boolean, reads boolean)
	RETURNS boolean
	LANGUAGE C STABLE PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'dmp_access';
COMMENT ON FUNCTION dmp_internal.access(regclass, text[], boolean, boolean) IS 'the context of this transaction may see rows of the table';
CREATE FUNCTION dmp_internal.access_tenant(relation regclass, purposes text[], needs_purpose boolean, reads boolean)
	RETURNS text
	LANGUAGE C STABLE PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'dmp_access_tenant';
COMMENT ON FUNCTION dmp_internal.access_tenant(regclass, text[], boolean, boolean) IS 'the tenant whose rows of the table the context of this transaction may see; null: none';
-- policies that allow everything depend on it: without the extension nothing is left
-- but row security, and no row is visible
CREATE FUNCTION dmp_internal.always() RETURNS boolean
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
	RETURN true;
COMMENT ON FUNCTION dmp_internal.always() IS 'true, as long as the extension is there';
CREATE FUNCTION dmp_internal.sees_clear(roles name[]) RETURNS boolean
	LANGUAGE C STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'dmp_sees_clear';
COMMENT ON FUNCTION dmp_internal.sees_clear(name[]) IS 'the current role and the role of the session have the rights of one of these';

CREATE FUNCTION dmp_internal.mask_email(value text) RETURNS text
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'dmp_mask_email';
CREATE FUNCTION dmp_internal.mask_last4(value text) RETURNS text
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'dmp_mask_last4';
CREATE FUNCTION dmp_internal.mask_phone(value text) RETURNS text
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'dmp_mask_phone';
CREATE FUNCTION dmp_internal.mask_first(value text) RETURNS text
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'dmp_mask_first';

CREATE FUNCTION dmp.protect(rel regclass, tenant text DEFAULT NULL, subject text DEFAULT NULL,
	purposes text[] DEFAULT NULL, mask json DEFAULT NULL, clear_for name[] DEFAULT '{}', dry_run boolean DEFAULT false)
	RETURNS TABLE (object text, kind text, sql text)
	LANGUAGE C VOLATILE AS 'MODULE_PATHNAME', 'dmp_protect';
COMMENT ON FUNCTION dmp.protect(regclass, text, text, text[], json, name[], boolean) IS 'show rows of a table of yours only to transactions whose context claims their tenant and one of the purposes, only of subjects that consented, and columns masked in a view <table>_masked; the sql that does it is shown
Example: SELECT * FROM dmp.protect(''customers'', tenant => ''org_id'', subject => ''email'', purposes => ''{support}'', mask => ''{"email": "email"}'', dry_run => true)';
CREATE FUNCTION dmp.unprotect(rel regclass) RETURNS TABLE (object text, kind text, sql text)
	LANGUAGE C VOLATILE AS 'MODULE_PATHNAME', 'dmp_unprotect';
COMMENT ON FUNCTION dmp.unprotect(regclass) IS 'take back what dmp.protect did to a table of yours
Example: SELECT * FROM dmp.unprotect(''customers'')';
CREATE FUNCTION dmp.why_hidden(rel regclass) RETURNS TABLE (condition text, needed text, current text)
	LANGUAGE C STABLE AS 'MODULE_PATHNAME', 'dmp_why_hidden';
COMMENT ON FUNCTION dmp.why_hidden(regclass) IS 'what must hold for you to see rows of a protected table, and what does
Example: SELECT * FROM dmp.why_hidden(''customers'')';
