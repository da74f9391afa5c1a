
-- --------------------------------------------------------------- govern: secrets

-- Keys. No grants at all, and row security without a policy, so that not even a
-- member of pg_read_all_data reads one. A dump has the table and none of its rows.
CREATE TABLE dmp.secret (
	name text PRIMARY KEY,
	key bytea NOT NULL CHECK (octet_length(key) = 32),
	made_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp()
);
ALTER TABLE dmp.secret ALTER COLUMN key SET STORAGE PLAIN;
ALTER TABLE dmp.secret ENABLE ROW LEVEL SECURITY;
REVOKE ALL ON dmp.secret FROM PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('dmp.secret', 'WHERE false');
COMMENT ON TABLE dmp.secret IS 'keys of dmp, a row each, made on first use; readable by superusers only and left out of dumps';

CREATE FUNCTION dmp_internal.secret_changed() RETURNS trigger
	LANGUAGE C AS 'MODULE_PATHNAME', 'dmp_secret_changed';
CREATE TRIGGER changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON dmp.secret
	FOR EACH STATEMENT EXECUTE FUNCTION dmp_internal.secret_changed();
ALTER TABLE dmp.secret ENABLE ALWAYS TRIGGER changed;

CREATE FUNCTION dmp.export_key(name text) RETURNS bytea
	LANGUAGE C STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'dmp_export_key';
COMMENT ON FUNCTION dmp.export_key(text) IS 'the 32 bytes of a key, to be kept elsewhere: dumps leave keys out; for superusers
Example: SELECT dmp.export_key(''pseudonym'')';
CREATE FUNCTION dmp.import_key(name text, key bytea) RETURNS TABLE (name text, action text)
	LANGUAGE C STRICT AS 'MODULE_PATHNAME', 'dmp_import_key';
COMMENT ON FUNCTION dmp.import_key(text, bytea) IS 'put a key that was exported in place of the one there is; for superusers
Example: SELECT * FROM dmp.import_key(''pseudonym'', ''\x000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f'')';
-- whoever has a key can undo what it hides
REVOKE EXECUTE ON FUNCTION dmp.export_key(text), dmp.import_key(text, bytea) FROM PUBLIC;

CREATE FUNCTION dmp_internal.make_secret(name text) RETURNS void
	LANGUAGE C STRICT AS 'MODULE_PATHNAME', 'dmp_make_secret';
REVOKE EXECUTE ON FUNCTION dmp_internal.make_secret(text) FROM PUBLIC;
-- these are used by functions that may run in parallel workers, read-only transactions
-- and standbys, where none can be made
SELECT dmp_internal.make_secret('pseudonym');
SELECT dmp_internal.make_secret('token');

CREATE FUNCTION dmp.pseudonym(value text, domain text) RETURNS text
	LANGUAGE C STABLE STRICT PARALLEL SAFE COST 100 AS 'MODULE_PATHNAME', 'dmp_pseudonym';
COMMENT ON FUNCTION dmp.pseudonym(text, text) IS 'the same 32 hexadecimal digits for the same value of a domain: HMAC-SHA-256 under a key that users cannot read
Example: SELECT dmp.pseudonym(''ann@example.org'', ''email'')';

CREATE FUNCTION dmp.token(value text, domain text, alphabet text DEFAULT '0123456789') RETURNS text
	LANGUAGE C STABLE STRICT PARALLEL SAFE COST 1000 AS 'MODULE_PATHNAME', 'dmp_token';
COMMENT ON FUNCTION dmp.token(text, text, text) IS 'format-preserving token: characters of the alphabet become others of it, one to one, the rest stays in place
Example: SELECT dmp.token(''4111-1111-1111-1111'', ''card'')';
CREATE FUNCTION dmp.reveal_token(token text, domain text, alphabet text DEFAULT '0123456789') RETURNS text
	LANGUAGE C STABLE STRICT PARALLEL SAFE COST 1000 AS 'MODULE_PATHNAME', 'dmp_reveal_token';
COMMENT ON FUNCTION dmp.reveal_token(text, text, text) IS 'the value a format-preserving token was made of; for roles it is granted to
Example: SELECT dmp.reveal_token(dmp.token(''4111-1111-1111-1111'', ''card''), ''card'')';
-- undoes dmp.token
REVOKE EXECUTE ON FUNCTION dmp.reveal_token(text, text, text) FROM PUBLIC;
