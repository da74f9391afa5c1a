
-- ---------------------------------------------------------------- clean

-- values

CREATE FUNCTION dmp.try_cast(value text, base anyelement) RETURNS anyelement
	LANGUAGE C STABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'dmp_try_cast';
COMMENT ON FUNCTION dmp.try_cast(text, anyelement) IS 'the value as the type of base, NULL when it does not convert
Example: SELECT dmp.try_cast(''12x'', NULL::integer)';

CREATE FUNCTION dmp_internal.soft_cast(value text, base anyelement, type oid, typmod integer)
	RETURNS anyelement
	LANGUAGE C STABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'dmp_soft_cast';
COMMENT ON FUNCTION dmp_internal.soft_cast(text, anyelement, oid, integer) IS 'dmp.try_cast with a typmod, or to a domain';

CREATE FUNCTION dmp_internal.cast_error(value text, type oid, typmod integer) RETURNS text
	LANGUAGE C STABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'dmp_cast_error';
COMMENT ON FUNCTION dmp_internal.cast_error(text, oid, integer) IS 'SQLSTATE and reason why a value does not convert, or NULL';
