
-- ---------------------------------------------------------------- govern: discovery

CREATE FUNCTION dmp.find_personal_data(rel regclass DEFAULT NULL, OUT relation regclass, OUT column_name text, OUT category text,
		OUT share float8, OUT evidence text, OUT suggestion text) RETURNS SETOF record
	LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'dmp_find_personal_data';
COMMENT ON FUNCTION dmp.find_personal_data(regclass) IS 'columns and json leaves that hold personal data, by a sample of their values, with the statement that tags them; of all tables when none is named
Example: SELECT column_name, category, share, suggestion FROM dmp.find_personal_data(''customers'')';

CREATE FUNCTION dmp_internal.personal_by_statistics(OUT relation regclass, OUT column_name text, OUT category text, OUT evidence text)
	RETURNS SETOF record
	LANGUAGE C STABLE PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'dmp_personal_by_statistics';
COMMENT ON FUNCTION dmp_internal.personal_by_statistics() IS 'the same of your tables by names and statistics, reading no table';
