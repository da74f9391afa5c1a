-- dmp.audit: values of every type, wide rows, settings that must not matter
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS dmp;
RESET client_min_messages;

CREATE TYPE audit_mood AS ENUM ('audit gloom', 'it''s "fine"');
CREATE TYPE audit_pair AS (a timestamptz, b numeric);
CREATE DOMAIN audit_even AS numeric CHECK (VALUE % 2 = 0);
CREATE DOMAIN audit_words AS text[];
CREATE TABLE audit_all (
	id int PRIMARY KEY, c_bool bool, c_int2 int2, c_int8 int8, c_float4 float4, c_float8 float8, c_numeric numeric, c_money money,
	c_text text, c_varchar varchar(20), c_char char(5), c_name name, c_qchar "char", c_bytea bytea, c_uuid uuid,
	c_date date, c_time time, c_timetz timetz, c_timestamp timestamp, c_timestamptz timestamptz, c_interval interval,
	c_json json, c_jsonb jsonb, c_xml xml, c_bit bit(5), c_varbit varbit, c_inet inet, c_cidr cidr, c_macaddr macaddr, c_macaddr8 macaddr8,
	c_point point, c_polygon polygon, c_tsvector tsvector, c_tsquery tsquery, c_int4range int4range, c_tstzrange tstzrange, c_nummultirange nummultirange,
	c_regclass regclass, c_oid oid, c_xid8 xid8, c_lsn pg_lsn, c_jsonpath jsonpath,
	c_mood audit_mood, c_pair audit_pair, c_even audit_even, c_words audit_words, c_ints int[], c_times timestamptz[], c_bytes bytea[], c_pairs audit_pair[]);
SELECT dmp.audit('audit_all');

-- a session that writes everything its own way
SET timezone = 'Asia/Kolkata';
SET datestyle = 'SQL, DMY';
SET intervalstyle = 'sql_standard';
SET bytea_output = 'escape';
SET extra_float_digits = -5;
SET search_path = pg_catalog, public;
SET lc_monetary = 'C';
SET xmlbinary = 'hex';
SET quote_all_identifiers = on;
SET transform_null_equals = on;
SELECT max(entry) AS last FROM dmp.audit_log \gset
ALTER TABLE audit_all ALTER c_varchar TYPE varchar(21);
INSERT INTO audit_all VALUES
(1, true, -32768, 9223372036854775807, 1.1, 0.1::float8 + 0.2::float8, 12345678901234567890.1234500, 12.34,
	E'line\n\ttab "quoted" \\ \u00e9', 'vc', 'ch', 'a name', 'x', '\x00ff10', '123e4567-e89b-12d3-a456-426614174000',
	'2024-02-29', '23:59:59.999999', '12:00:00+05:30', '2024-01-01 00:00:00.000001', '2024-01-01 00:00:00+00', '1 year -2 days 03:04:05.6',
	'{"b":1,  "a": [1.50, null]}', '{"b": 1, "a": [1.50, null]}', '<a>&lt;</a>', '10101', '1', '10.0.0.1/8', '10.0.0.0/8', '08:00:2b:01:02:03', '08:00:2b:01:02:03:04:05',
	'(1.5,-2)', '((0,0),(1,1),(1,0))', 'a:1 b:2', 'a & b', '[1,5)', '[2024-01-01 00:00+00,2024-01-02 00:00+00)', '{[1.50,2],[3,4)}',
	'public.audit_all', 42, '7', '1/2A', '$.a[*]',
	'it''s "fine"', ROW('2024-01-01 00:00+00', 1.50), 2.0, '{a,"b c",NULL}', '{{1,2},{3,NULL}}', '{"2024-06-01 00:00+00"}', '{"\\x00ff"}', ARRAY[ROW('2024-01-01 00:00+00', 2.50)::audit_pair]),
(2, false, 0, -9223372036854775808, 'NaN', '-Infinity', 'NaN', -0.01,
	'', '', '', '', '', '', '00000000-0000-0000-0000-000000000000',
	'infinity', '00:00', '24:00:00-12', '-infinity', 'infinity', '-00:00:00.000001',
	'null', 'null', '', '00000', '', '::1', '::/0', '00:00:00:00:00:00', '00:00:00:00:00:00:00:00',
	'(NaN,Infinity)', '((0,0))', '', 'b', 'empty', 'empty', '{}',
	'pg_class', 0, '0', '0/0', '$',
	'audit gloom', ROW(NULL, NULL), 0, '{}', '{}', '{}', '{}', '{}'),
(3, true, 32767, 0, -0.0, '-0'::float8, 'Infinity', 0,
	repeat('x', 130), 'v', 'c', 'n', 'c', decode(repeat('ab', 200), 'hex'), 'ffffffff-ffff-ffff-ffff-ffffffffffff',
	'4713-01-01 BC', '01:02:03', '01:02:03.4+00', '294276-12-31', '4713-01-01 00:00+00 BC', '-178000000 years',
	'"s"', '"\u00e9"', 'text', '11111', '111', '1.2.3.4', '1.2.0.0/16', 'ff:ff:ff:ff:ff:ff', 'ff:ff:ff:ff:ff:ff:ff:ff',
	'(1e300,1e-300)', '((1,2),(3,4))', 'z', '!a', '(,)', '(,)', '{(,)}',
	'pg_type', 4294967295, '18446744073709551615', 'FFFFFFFF/FFFFFFFF', '$."k"',
	'audit gloom', ROW('2024-01-01 00:00+00', -1e-20), -1e20, '{"{}"}', '[0:1]={1,2}', NULL, NULL, NULL);
INSERT INTO audit_all VALUES (4);
UPDATE audit_all SET c_pair = ROW('2024-01-02 00:00+00', 1.50) WHERE id = 1;
RESET ALL;

-- each value equals its text under fixed settings, whatever the writer's and the reader's
CREATE FUNCTION audit_compare() RETURNS TABLE (id int, column_name text, logged text, held text)
LANGUAGE plpgsql SET timezone = 'UTC' SET datestyle = 'ISO, YMD' SET intervalstyle = 'postgres' SET bytea_output = 'hex' SET extra_float_digits = 1 SET lc_monetary = 'C' SET quote_all_identifiers = off SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	name text;
BEGIN
	FOR name IN SELECT attname FROM pg_attribute WHERE attrelid = 'public.audit_all'::regclass AND attnum > 0 LOOP
		RETURN QUERY EXECUTE format('SELECT t.id, %L::text, l.new ->> %1$L, t.%1$I::text FROM public.audit_all t JOIN dmp.audit_log l
			ON l.relation = ''public.audit_all'' AND l.operation = ''I'' AND (l.new ->> ''id'')::int = t.id', name);
	END LOOP;
END $$;
SELECT count(*) AS cells, count(*) FILTER (WHERE held IS NOT DISTINCT FROM logged) AS the_same FROM audit_compare();
-- those that are not: times in json have a T, numbers no sign of zero
SELECT * FROM audit_compare() WHERE held IS DISTINCT FROM logged ORDER BY column_name, id;
SELECT row_key, old, new FROM dmp.audit_log WHERE relation = 'public.audit_all' AND operation = 'U';
-- what the reader set changes nothing
SELECT md5(string_agg(new::text, ',' ORDER BY entry)) AS plain FROM dmp.audit_log WHERE relation = 'public.audit_all' \gset
SET timezone = 'America/New_York';
SET datestyle = 'German';
SET intervalstyle = 'iso_8601';
SET bytea_output = 'escape';
SET extra_float_digits = -15;
SET quote_all_identifiers = on;
SELECT md5(string_agg(new::text, ',' ORDER BY entry)) = :'plain' AS same FROM dmp.audit_log WHERE relation = 'public.audit_all';
-- and as_of brings the values back, byte by byte
SELECT set_config('audit.moment', clock_timestamp()::text, false) IS NULL AS f;
RESET ALL;
CREATE TABLE audit_copy AS TABLE audit_all;
SELECT clock_timestamp() AS moment \gset
UPDATE audit_all SET c_text = 'changed', c_pair = NULL, c_numeric = 0, c_float8 = 0, c_times = NULL WHERE id < 3;
DELETE FROM audit_all WHERE id = 3;
SELECT count(*) FROM dmp.as_of(NULL::audit_all, :'moment') a JOIN audit_copy c USING (id) WHERE a::text = c::text;
SELECT count(*) FROM dmp.as_of(NULL::audit_all, :'moment') a JOIN audit_copy c ON a.id = c.id WHERE pg_column_size(a.c_numeric) = pg_column_size(c.c_numeric) AND float8send(a.c_float8) = float8send(c.c_float8) OR a.id = 4;

-- ---- a change of scale, of the sign of zero, of case: bytes are compared, not values

CREATE TABLE audit_image (id int PRIMARY KEY, n numeric, f float8, c text);
SELECT dmp.audit('audit_image');
INSERT INTO audit_image VALUES (1, 1.5, 0, 'a');
UPDATE audit_image SET n = 1.50;
UPDATE audit_image SET f = '-0';
UPDATE audit_image SET n = 1.500, c = 'A';
SELECT old, new FROM dmp.audit_log WHERE relation = 'public.audit_image' AND operation = 'U' ORDER BY entry;

-- ---- wide values, wide rows

CREATE TABLE audit_wide (id int PRIMARY KEY, big text, other int, more text);
ALTER TABLE audit_wide ALTER big SET STORAGE EXTERNAL;
SELECT dmp.audit('audit_wide');
INSERT INTO audit_wide SELECT i, (SELECT string_agg(md5(i || ' ' || g), '') FROM generate_series(1, 400) g), i, repeat('compressible ', 300) FROM generate_series(1, 6) i;
UPDATE audit_wide SET other = other + 1;
UPDATE audit_wide SET more = 'short' WHERE id = 3;
DELETE FROM audit_wide WHERE id <= 2;
SELECT operation, count(*), sum(length(old ->> 'big')) AS old, sum(length(new ->> 'big')) AS new, count(DISTINCT md5(coalesce(old, new) ->> 'big')) AS distinct
FROM dmp.audit_log WHERE relation = 'public.audit_wide' AND operation <> 'G' GROUP BY operation ORDER BY operation;
-- a large statement: rows of the log stay within a page, and each entry is there once
CREATE TABLE audit_many (id int PRIMARY KEY, t text);
SELECT dmp.audit('audit_many');
INSERT INTO audit_many SELECT i, repeat('x', i % 50) FROM generate_series(1, 3000) i;
UPDATE audit_many SET t = t || 'y' WHERE id % 2 = 0;
SELECT operation, count(*), count(DISTINCT entry), count(DISTINCT coalesce(row_key, new) -> 'id') AS ids, sum(length(new ->> 't')) AS length
FROM dmp.audit_log WHERE relation = 'public.audit_many' AND operation <> 'G' GROUP BY operation ORDER BY operation;
SELECT sum(length(t)) FROM audit_many;
SELECT max(entries) <= 1000 AS at_most, max(octet_length(body)) < 8160 AS within FROM dmp_internal.audit_chunk c JOIN dmp_internal.audit_shape s ON s.id = shape WHERE relation_name = 'public.audit_many';
-- one entry, by its number and by time
SELECT min(entry) + 7 AS e FROM dmp.audit_log WHERE relation = 'public.audit_many' AND operation = 'I' \gset
SELECT row_key, new FROM dmp.audit_log WHERE entry = :e;
SELECT row_key, new FROM dmp.audit_log WHERE entry = :e AND chunk = :e / 1000;
SELECT count(*) FROM dmp.audit_log WHERE at > now() + interval '1 day';
-- the smallest images there are
CREATE TABLE audit_small (b bool);
SELECT dmp.audit('audit_small');
INSERT INTO audit_small SELECT NULL FROM generate_series(1, 800);
SELECT count(*), sum(entries), max(entries) FROM dmp_internal.audit_chunk c JOIN dmp_internal.audit_shape s ON s.id = shape WHERE relation_name = 'public.audit_small' AND operation = 'I';
-- 1,600 columns
DO $$ BEGIN EXECUTE 'CREATE TABLE audit_1600 (' || (SELECT string_agg('c' || i || ' int', ', ') FROM generate_series(1, 1600) i) || ', PRIMARY KEY (c1600))'; END $$;
SELECT dmp.audit('audit_1600');
INSERT INTO audit_1600 (c1600, c7) VALUES (1, 7), (2, 8);
UPDATE audit_1600 SET c3 = 3, c1599 = 99 WHERE c1600 = 2;
SELECT operation, row_key, jsonb_strip_nulls(old) AS old, jsonb_strip_nulls(new) AS new, (SELECT count(*) FROM jsonb_object_keys(new)) AS columns
FROM dmp.audit_log WHERE relation = 'public.audit_1600' AND operation <> 'G' ORDER BY entry;
SELECT c1600, c7, c3 FROM dmp.as_of(NULL::audit_1600, clock_timestamp()) ORDER BY 1;

-- ---- forged bytes are errors

SELECT id AS shape, columns AS cols FROM dmp_internal.audit_shape WHERE relation_name = 'public.audit_image' AND columns::text LIKE '%"f"%' \gset
CREATE FUNCTION audit_forge(body bytea, operation "char", columns json) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	RETURN dmp_internal.audit_image(body, 0, operation, 1, columns, 2);
EXCEPTION WHEN data_corrupted OR invalid_text_representation OR character_not_in_repertoire OR datetime_field_overflow OR invalid_parameter_value THEN RETURN 'error';
END $$;
SELECT audit_forge('', 'I', :'cols'), audit_forge('\x00ffffffff', 'I', :'cols'), audit_forge('\x0010000000' || decode(repeat('00', 16), 'hex'), 'I', :'cols'),
	audit_forge('\x0012000000' || decode(repeat('00', 16), 'hex') || '\x01ff', 'I', :'cols'), audit_forge('\x02', 'I', :'cols');
-- any byte of a real image changed: an answer or an error, never a crash
SELECT count(*) > 300 AS tried, count(*) FILTER (WHERE r = 'error') > 10 AS errors
FROM (SELECT audit_forge(set_byte(body, i, v), 'I', :'cols') AS r
	FROM (SELECT body FROM dmp_internal.audit_chunk WHERE shape = :shape AND operation = 'I') c, generate_series(0, octet_length(body) - 1) i, unnest('{0,1,127,128,255,192,225,240}'::int[]) v) q;
SELECT count(*) > 5000 AS tried FROM (
	SELECT audit_forge(set_byte(substr(body, 1, 1200), i, v), 'I', s.columns) AS r
	FROM (SELECT body, shape FROM dmp_internal.audit_chunk WHERE shape = (SELECT max(id) FROM dmp_internal.audit_shape WHERE relation_name = 'public.audit_all' AND columns::text LIKE '%c_bool%') AND operation = 'I' LIMIT 1) c
	JOIN dmp_internal.audit_shape s ON s.id = c.shape, generate_series(0, 900) i, unnest('{0,1,127,128,255,200}'::int[]) v) q;
SELECT audit_forge('\x00', 'I', '[]'), audit_forge('\x00', 'I', '{"columns": [{"coding": "none"}]}'), audit_forge('\x00', 'I', '{"columns": [{"coding": "int4", "key": 5}]}');
