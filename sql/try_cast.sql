-- dmp.try_cast: a value, or NULL
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS dmp;
RESET client_min_messages;
SET timezone = 'UTC';

SELECT dmp.try_cast('42', NULL::integer), dmp.try_cast('42x', NULL::integer), dmp.try_cast(NULL, 1),
	dmp.try_cast('2024-06-01 12:00', NULL::timestamptz), dmp.try_cast('2024-06-31', NULL::date);
SELECT dmp.try_cast('{1,2}', NULL::integer[]), dmp.try_cast('{1,x}', NULL::integer[]);
SELECT pg_typeof(dmp.try_cast('1', 2.5)), dmp.try_cast('1e3', 2.5);

-- refused values are remembered
SELECT v, dmp_internal.cast_error(v, 'date'::regtype, -1)
FROM unnest(ARRAY['bad', '2024-01-01', 'bad', 'worse', '2024-02-31', 'bad', '2024-02-31', '']) v;

-- json nested too deep for the server's stack is refused, not thrown
SELECT n, dmp_internal.cast_error(repeat('[', n) || repeat(']', n), 'jsonb'::regtype, -1),
	dmp_internal.cast_error(repeat('{"a":', n) || '"[["' || repeat('}', n), 'json'::regtype, -1)
FROM (VALUES (100), (100000)) v(n);

-- a long value is clipped in its reason, in whole characters
SELECT length(dmp_internal.cast_error(repeat('é', 100000), 'integer'::regtype, -1)) BETWEEN 100 AND 200 AS clipped;
-- a domain that refuses NULL says so; one whose CHECK throws says that
CREATE DOMAIN needed AS integer NOT NULL CHECK (100 / VALUE > 3);
SELECT v, dmp_internal.cast_error(v, 'needed'::regtype, -1)
FROM (VALUES (NULL), ('5'), ('50'), ('0'), ('x')) t(v);

-- within parallel plans: what we decide is converted, the rest is a clear error
CREATE TABLE cells AS SELECT i, CASE WHEN i % 10 = 0 THEN 'bad' ELSE i::text END AS v FROM generate_series(1, 20000) i;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SET max_parallel_workers_per_gather = 2;
EXPLAIN (COSTS off) SELECT sum(dmp.try_cast(v, NULL::bigint)) FROM cells;
SELECT sum(dmp.try_cast(v, NULL::bigint)), count(dmp_internal.soft_cast(v, 1, 'needed'::regtype, -1)) FROM cells WHERE i > 40;
SELECT sum(i) FROM cells WHERE i % 10 <> 0 AND i > 40;
-- a type without a decision of our own: a clear error on 15, converted on later servers
CREATE VIEW addresses AS SELECT i, dmp.try_cast(v || '.0.0.1', NULL::inet) FROM cells WHERE i < 256;
CREATE FUNCTION count_addresses() RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	RETURN (SELECT count(*) FROM addresses WHERE try_cast IS NOT NULL);
EXCEPTION WHEN feature_not_supported THEN
	RETURN SQLERRM;
END $$;
SELECT count_addresses() = CASE WHEN current_setting('server_version_num')::int < 160000
	THEN 'values of type inet cannot be converted within a parallel plan' ELSE '230' END AS clear;
SET max_parallel_workers_per_gather = 0;
SELECT count(*) FROM addresses WHERE try_cast IS NOT NULL;
