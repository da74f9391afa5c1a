
-- ---------------------------------------------------------------- govern: tags

-- a column of a table: follows a renamed table or column; by name in a dump

CREATE TYPE dmp_internal.column_id;
CREATE FUNCTION dmp_internal.column_id_in(cstring) RETURNS dmp_internal.column_id
	LANGUAGE C STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'dmp_column_id_in';
CREATE FUNCTION dmp_internal.column_id_out(dmp_internal.column_id) RETURNS cstring
	LANGUAGE C STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'dmp_column_id_out';
CREATE FUNCTION dmp_internal.column_id_recv(internal) RETURNS dmp_internal.column_id
	LANGUAGE C STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'dmp_column_id_recv';
CREATE FUNCTION dmp_internal.column_id_send(dmp_internal.column_id) RETURNS bytea
	LANGUAGE C STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'dmp_column_id_send';
CREATE TYPE dmp_internal.column_id (
	INPUT = dmp_internal.column_id_in,
	OUTPUT = dmp_internal.column_id_out,
	RECEIVE = dmp_internal.column_id_recv,
	SEND = dmp_internal.column_id_send,
	LIKE = pg_catalog.int8
);
COMMENT ON TYPE dmp_internal.column_id IS 'a column of a table, by OID and number (relation * 65536 + number; number 0: the table itself); written schema.table.column, - when it is no more';
CREATE CAST (dmp_internal.column_id AS bigint) WITHOUT FUNCTION AS IMPLICIT;
CREATE CAST (bigint AS dmp_internal.column_id) WITHOUT FUNCTION AS ASSIGNMENT;

-- NULL for a column that is no more
CREATE FUNCTION dmp_internal.column_relation(dmp_internal.column_id) RETURNS regclass
	LANGUAGE C STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'dmp_column_relation';
COMMENT ON FUNCTION dmp_internal.column_relation(dmp_internal.column_id) IS 'table of the column';
CREATE FUNCTION dmp_internal.column_name(dmp_internal.column_id) RETURNS name
	LANGUAGE C STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'dmp_column_name';
COMMENT ON FUNCTION dmp_internal.column_name(dmp_internal.column_id) IS 'name of the column';

CREATE TABLE dmp_internal.tag (
	tagged dmp_internal.column_id NOT NULL,
	category text NOT NULL,
	on_erase text CHECK (on_erase IN ('delete', 'blank', 'keep')),
	tagged_at timestamptz NOT NULL DEFAULT pg_catalog.statement_timestamp(),
	tagged_by dmp_internal.owner NOT NULL
);
-- 0: columns a restore did not find
CREATE UNIQUE INDEX tag_once ON dmp_internal.tag ((tagged::bigint), category) WHERE tagged::bigint <> 0;
COMMENT ON TABLE dmp_internal.tag IS 'what columns hold; read dmp.tags';
ALTER TABLE dmp_internal.tag ENABLE ROW LEVEL SECURITY;
CREATE POLICY reader ON dmp_internal.tag FOR SELECT
	USING (pg_catalog.has_any_column_privilege(dmp_internal.column_relation(tagged)::oid, 'SELECT'));
GRANT SELECT ON dmp_internal.tag TO PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('dmp_internal.tag', '');

CREATE VIEW dmp.tags WITH (security_invoker = true) AS
SELECT dmp_internal.column_relation(tagged) AS relation, dmp_internal.column_name(tagged)::text AS column_name,
	category, on_erase, tagged_at, tagged_by
FROM dmp_internal.tag
WHERE dmp_internal.column_name(tagged) IS NOT NULL;
COMMENT ON VIEW dmp.tags IS 'what columns were said to hold, of tables you may read
Example: SELECT relation, column_name, category FROM dmp.tags ORDER BY 1, 2';
GRANT SELECT ON dmp.tags TO PUBLIC;

CREATE FUNCTION dmp.tag(rel regclass, column_name text, category text, on_erase text DEFAULT NULL) RETURNS void
	LANGUAGE C VOLATILE AS 'MODULE_PATHNAME', 'dmp_tag';
COMMENT ON FUNCTION dmp.tag(regclass, text, text, text) IS 'say what a column of your table holds: subject (it names the person), email, phone, name ... or a word of your own; on_erase, for all rows of the table: delete, blank (tagged columns only) or keep
Example: SELECT dmp.tag(''customers'', ''email'', ''subject'')';

CREATE FUNCTION dmp.untag(rel regclass, column_name text, category text) RETURNS void
	LANGUAGE C VOLATILE AS 'MODULE_PATHNAME', 'dmp_untag';
COMMENT ON FUNCTION dmp.untag(regclass, text, text) IS 'take back what dmp.tag said
Example: SELECT dmp.untag(''customers'', ''email'', ''subject'')';
