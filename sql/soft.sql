-- The soft parsers against the input functions they stand for: the same
-- acceptance, value, SQLSTATE and message for thousands of spellings.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS dmp;
RESET client_min_messages;
SET timezone = 'Europe/Berlin';
SET datestyle = 'ISO, MDY';

CREATE TYPE mood AS ENUM ('sad', 'ok', 'very happy');
CREATE DOMAIN grade AS numeric(4,2) CHECK (VALUE BETWEEN 0 AND 10);
CREATE DOMAIN code AS varchar(5) NOT NULL CHECK (VALUE ~ '^[a-z]+$');
CREATE DOMAIN part AS integer CHECK (100 / VALUE > 3);

-- Compares dmp_internal.soft_cast and cast_error with the real cast. A type is
-- written with its typmod; json is compared without the message, whose detail
-- the soft form appends. One row for each difference.
CREATE FUNCTION soft_differences(type text, "values" text[])
RETURNS TABLE(value text, expected text, got text)
LANGUAGE plpgsql AS $$
DECLARE
	typmod int;
	type_oid oid;
	base text;
	real_text text;
	soft_error text;
BEGIN
	EXECUTE format('CREATE TEMP TABLE soft_type (x %s)', type);
	SELECT a.atttypmod, a.atttypid,
		format_type(coalesce(nullif(t.typbasetype, 0), t.oid), NULL) INTO typmod, type_oid, base
	FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid WHERE a.attrelid = 'pg_temp.soft_type'::regclass AND a.attnum = 1;
	DROP TABLE pg_temp.soft_type;
	FOREACH value IN ARRAY "values"
	LOOP
		BEGIN
			-- not ::type, which would truncate: the input function with its typmod
			IF type ~ '^json' THEN
				EXECUTE format('SELECT $1::%s::text', type) INTO real_text USING value;
			ELSE
				EXECUTE format('SELECT i::text FROM json_to_record($1) AS r(i %s)', type)
				INTO real_text USING json_build_object('i', value);
			END IF;
			expected := real_text;
		EXCEPTION WHEN OTHERS THEN
			expected := 'error ' || SQLSTATE || ' ' || SQLERRM;
		END;
		soft_error := dmp_internal.cast_error(value, type_oid, typmod);
		IF soft_error IS NULL THEN
			EXECUTE format('SELECT dmp_internal.soft_cast($1, NULL::%s, $2, $3)::text', base)
			INTO got USING value, type_oid, typmod;
		ELSE
			got := 'error ' || soft_error;
		END IF;
		IF type ~ '^json' AND expected ~ '^error' THEN
			expected := left(expected, 40);
			got := left(got, 40);
		ELSIF length(value) > 150 THEN -- clipped in the soft form
			expected := left(expected, 60);
			got := left(got, 60);
		ELSIF expected ~ '^error' AND got ~ '^error 22023 time zone' THEN
			got := expected; -- wrong in another way, too
		END IF;
		IF expected IS DISTINCT FROM got THEN
			RETURN NEXT;
		END IF;
	END LOOP;
END $$;

-- spellings people use, and the edges of every grammar
CREATE TABLE spelling (kind text, value text);
INSERT INTO spelling SELECT 'number', unnest(ARRAY[
	'', ' ', '0', '1', '-1', '+1', '+-1', '--1', ' 42 ', E'\t7\n', '007', '-0', '1 2', '12x', 'x12', '1,000',
	'0x10', '0X1F', '0b1', '0o7', '1_000', '1.', '.5', '.', '-.5', '+.5', '-.', '1..2', '1.2.3', '1.5', '2.50',
	'1e5', '1E5', '1e+5', '1e-5', '1e', '1e+', '1e 5', '1 e5', '1e5x', '1.e3', '.1e1', '1e5.5', 'e5',
	'32767', '32768', '-32768', '-32769', '2147483647', '2147483648', '-2147483648', '-2147483649',
	'9223372036854775807', '9223372036854775808', '-9223372036854775808', '-9223372036854775809',
	'99999999999999999999', '99999999999999999999x', '999999999999999999', '1000000000000000000', '123456789012345678901234567890',
	'NaN', 'nan', 'NAN', ' NaN ', 'NaNx', '+NaN', '-NaN', 'nan(7)', 'inf', 'Inf', '+inf', '-inf', 'infinity', '-Infinity', '+INFINITY', 'infinit', 'infinityx', ' -inf ',
	'1e38', '3.4028235e38', '3.4028236e38', '1e39', '-1e39', '1e-45', '7e-46', '1e-46', '1.17549e-38', '1e-400',
	'1e308', '1.7976931348623157e308', '1.7976931348623159e308', '1e309', '-1e309', '4.9e-324', '2e-324', '5e-325', '2.2250738585072014e-308', '1e-310',
	'0.1', '0.2', '0.30000000000000004', '123456789012345', '1234567890123456', '0.000000000000001', '-0.0', '9007199254740993', '1.7976931348623157', '100000000000000.5',
	'0x1p3', '0x1.8p1', '0x', '1e1000', '1e131071', '1e131072', '1e-16383', '1e-16384', '0e-20000', '0e200000', '1e1073741822', '1e1073741823', '1e-1073741823', '1e99999999999', '1e99999999999x',
	repeat('9', 40), repeat('9', 40) || '.' || repeat('9', 40), '1' || repeat('0', 200), '0.' || repeat('0', 200) || '1',
	'99.99', '99.994', '99.995', '99.9949999', '-99.995', '9.995', '9.994', '100', '100.0', '10', '0.001', '0.005', '1e1', '1e2', '9999e-2', '99995e-3', '99994e-3', '0.0000001e9', '995', '994.9', '950', '949', '9.5e2',
	'true', 'null', '$5', '5%', '１２', '1' || chr(160), chr(160) || '1', '٣']);
INSERT INTO spelling SELECT 'bool', unnest(ARRAY[
	't', 'true', 'TRUE', 'True', 'tr', 'tru', 'trues', 'y', 'yes', 'ye', 'yess', 'on', 'o', 'of', 'off', 'f', 'false', 'fals',
	'n', 'no', 'nope', '1', '0', '2', '01', '', ' ', ' true ', E'\ttrue\n', 't rue', 'tRuE', 'ON', 'Off', 'null', 'wahr']);
INSERT INTO spelling SELECT 'time', unnest(ARRAY[
	'', ' ', '2024-06-01', '2024-6-1', '2024-06-1', ' 2024-06-01 ', '20240601', '2024/06/01', '06/01/2024', '01.06.2024', '13/06/2024', '2024-13-01', '2024-06-31', '2024-02-29', '2023-02-29', '2000-02-29', '1900-02-29',
	'0000-01-01', '0001-01-01', '9999-12-31', '10000-01-01', '2024-00-01', '2024-01-00', '2024-1-32', '24-06-01', 'Jun 1 2024', '1 June 2024', 'June 1, 2024', '2024 Jun 1', 'Junk 1 2024', '1-Jun-2024', '2024-Jun-01', '2024.152', 'J2451187', '2024-06-01 BC', '4713-01-01 BC', '4714-11-23 BC', '4714-11-24 BC', '5874897-12-31', '5874898-01-01', '294276-12-31 23:59:59', '294277-01-01',
	'2024-06-01 12:34:56', '2024-06-01T12:34:56', '2024-06-01t12:34:56', '2024-06-01  12:34:56', '2024-06-01T12:34:56Z', '2024-06-01 12:34:56z', '2024-06-01T12:34:56 Z', '2024-06-01 12:34', '2024-06-01 12', '2024-06-01T12',
	'2024-06-01 12:34:56.5', '2024-06-01 12:34:56.123456', '2024-06-01 12:34:56.1234567', '2024-06-01 12:34:56.9999999', '2024-06-01 12:34:56.', '2024-06-01 12:34:56,5', '2024-06-01 12:34:56.1234564',
	'2024-06-01 24:00:00', '2024-06-01 24:00:01', '2024-06-01 23:59:60', '2024-06-01 23:59:61', '2024-06-01 23:60:00', '2024-06-01 25:00:00', '2024-06-01 12:34:56 PM', '2024-06-01 12:34:56 AM', '2024-06-01 13:00 PM', '2024-06-01 0:00 AM', '2024-06-01 1:2:3',
	'2024-06-01 12:34:56+02', '2024-06-01 12:34:56+02:00', '2024-06-01 12:34:56+0200', '2024-06-01 12:34:56-0530', '2024-06-01 12:34:56+05:30:10', '2024-06-01 12:34:56+14', '2024-06-01 12:34:56+15', '2024-06-01 12:34:56+15:59', '2024-06-01 12:34:56+16', '2024-06-01 12:34:56-14:59', '2024-06-01 12:34:56+02:60', '2024-06-01 12:34:56+2', '2024-06-01 12:34:56 +02', '2024-06-01 12:34:56+020', '2024-06-01 12:34:56+99', '2024-06-01 12:34:56-00', '2024-06-01+02', '2024-06-01 +02',
	'2024-06-01 12:34:56 UTC', '2024-06-01 12:34:56 EST', '2024-06-01 12:34:56 CEST', '2024-06-01 12:34:56 Europe/London', '2024-06-01 12:34:56 Asia/Shanghai', '2024-06-01 12:34:56 Nowhere/Land', '2024-06-01 12:34:56 XST', '2024-06-01 12:34:56 America/New_York',
	'2024-03-31 02:30:00', '2024-03-31 01:59:59', '2024-03-31 03:00:00', '2024-10-27 02:30:00', '2024-10-27 02:30:00 CET', '1800-01-01 00:00:00', '1893-04-01 00:00:00', '0044-03-15 12:00:00 BC', '2500-07-01 00:00:00',
	'infinity', '-infinity', 'epoch', '+infinity', 'inf', 'Infinity', 'allballs', 'zulu', 'epoch 12:00', 'now x', 'invalid', 'current',
	'12:34:56', '12:34', '1234', '123456', '12', '23:59:60', '24:00:00', '24:00:01', '25:00', '12:34:56.789', '12:34:56.1234567', '12:34:56.9999999', '23:59:59.9999999', '12:34 PM', '12:34:56+02', '12:34:56 UTC', '12:34:56 Europe/Berlin', '2024-06-01 12:34:56 Europe/Berlin', 'T12:34:56', 'T123456', '12:34:', ':34', '12:60', '12:34:60', '12:34:61', '1:2', '12:34:56:78', '12.34.56', '00:00:00', '12:34:56-08:00', '12:34:56+18', '12:34:56.', 'allballs UTC', '4:5 am', '040506', '04:05:06-8',
	'99999-01-01', '2024-06-01 12:34:56 BC', '2024-06-01 BC 12:00', '2024-06-01 12:34:56 junk', 'junk 2024-06-01', '2024-06-01 2024-06-01', 'yesterday junk', '2024-06-01 12:34:56 12:34:56', 'Sat 2024-06-01', 'Mon Jun 1 12:00:00 2024', 'Sat Jun  1 12:34:56.789 2024 CEST', '2024-06-01 12:34:56.789012 BC', repeat('1', 140), '2024-06-01 ' || repeat('x', 200), repeat('a ', 40), '2024年6月1日', '2024-06-01' || chr(12288) || '12:00', '１２:00', '6/1/24', '06-01-2024', '31-12-2024', '2024-366', '2024-152', '20240601T123456', '20240601 123456', '20240601T1234', '2024W23', '1717243200', '1717243200.5', '1717243200000', '45444', '2024-06-01T12:34:56.000Z', '2024-06-01T12:34:56.000+0000', '2024-06-01T12:34:56.123456789Z']);
INSERT INTO spelling SELECT 'interval', unnest(ARRAY[
	'', ' ', '1', '1 day', '1 days', '1d', '-1 day', '+1 day', '1 day ago', '1 mon', '1 month', '1 y', '1 year 2 mons', '1 year 2 mons 3 days 4 hours 5 minutes 6.5 seconds', '1 day 02:03:04', '02:03', '02:03:04.5678901', '-02:03', '1-2', '1-2 3 4:05:06', '-1-2 +3 -4:05:06',
	'P1Y2M3DT4H5M6S', 'P1Y', 'PT1H', 'P', 'PT', 'P1', 'P1W', 'P0001-02-03T04:05:06', 'P1Y2M3DT4H5M6.5S', 'p1y', '1.5 days', '1.5 months', '1.5 years', '1e2 days', '1 fortnight', '1 century', '1 decade', '1 week 2 days', '2 weeks', '1 h', '1 m', '1 min', '1 s', '1 ms', '1 us', '1 ns', '1 quarter',
	'2147483647 years', '178000000 years', '178956970 years 7 months', '178956970 years 8 months', '2147483647 days', '2147483648 days', '-2147483648 days', '9223372036854775807 us', '9223372036854775808 us', '2562047788:00:54.775807', '2562047788:00:54.775808', '1 day 1 day', '1 day 1 month', '@ 1 day', '@ 1 day ago', 'day 1', '1 daay', '1 day junk', 'one day', 'infinity', '-infinity', '1:60', '1:2:60', '1:2:61', '25:00', '100:00:00', '0.1 sec', '.5 sec', '1. sec', '-.5 sec', '1 2 3', '1 2:03', '1 -2:03', '12:34:56 ago', 'epoch', 'now', '1y2mo', repeat('1 day ', 30), repeat('9', 30) || ' days', '1.1.1 days', '1 sec 1 sec']);
INSERT INTO spelling SELECT 'uuid', unnest(ARRAY[
	'', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', 'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11', '{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}', 'a0eebc999c0b4ef8bb6d6bb9bd380a11', 'a0ee-bc99-9c0b-4ef8-bb6d-6bb9-bd38-0a11', '{a0eebc99-9c0b4ef8-bb6d6bb9-bd380a11}', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a1', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a111', '{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}', '11+1-9c0b-4ef8-bb6d-6bb9bd380a11', 'g0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', ' a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11 ', 'a-0eebc99-9c0b-4ef8-bb6d-6bb9bd380a1', 'a0eebc99--9c0b-4ef8-bb6d-6bb9bd380a11', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11-', 'a0eebc99_9c0b-4ef8-bb6d-6bb9bd380a11', 'null']);
INSERT INTO spelling SELECT 'json', unnest(ARRAY[
	'', ' ', '1', '-1', '01', '1.', '.5', '1e5', '1e', '-', '+1', 'true', 'TRUE', 'null', 'nul', 'nulll', '"a"', '"a', 'a"', '''a''', '{}', '{', '}', '[]', '[', ']', '[1,]', '[,1]', '[1 2]', '{"a":1}', '{"a":1,}', '{"a"}', '{"a":}', '{a:1}', '{1:1}', '{"a":1,"a":2}', ' { "a" : [ 1 , 2 , { "b" : null } ] } ', '{"a":1}x', '1 2', 'NaN', 'Infinity',
	'"\u0041"', '"\u0000"', '"\ud83d\ude00"', '"\ud83d"', '"\ude00"', '"\u12"', '"\uzzzz"', '"\x"', '"\n"', E'"\n"', E'"\t"', '"\\"', '"é"', '{"\u0000":1}', '{"a":"\u0000"}', '1e131071', '1e131072', '{"a":1e200000}', '[1e-20000]', '-0', '-0.0', '1E400', '[1e200000', '"' || repeat('x', 300) || '"', repeat('[', 100) || repeat(']', 100), repeat('[', 3000) || repeat(']', 2999), repeat('{"a":', 50) || '1' || repeat('}', 50)]);
INSERT INTO spelling SELECT 'text', unnest(ARRAY[
	'', ' ', 'a', 'abc', 'abcd', 'abcde', 'abcdef', 'abc   ', 'abc     ', 'abc  d', '      ', 'éàü', 'éàüé', 'éàüéà', '中文字', '中文字符', '中文字   ', '中文字符  ', 'a' || chr(9), 'sad', 'SAD', 'ok', ' ok', 'ok ', 'very happy', 'unhappy', repeat('x', 63), repeat('x', 64), repeat('x', 500), 'x''; drop table t; --', '"', '\', '\\', '\x', '\xf', '\xff', '\xFf00', '\x f f', '\xff 00', '\xffg', '\xf f', '\x' || E'\n' || '00', '\000', '\00', '\001', '\377', '\400', '\378', '\0', '\a', 'a\\b', 'a\', 'a\134b', '\X00', '12', '0', '10', '10.005', '9.995', '-0.001', '11']);

-- random mixtures: every spelling with a character taken out, put in, or changed
CREATE FUNCTION mutations(kind_wanted text, rounds int, alphabet text) RETURNS text[]
LANGUAGE sql AS $$
	SELECT array_agg(DISTINCT v) FROM (
		SELECT CASE h % 3
			WHEN 0 THEN overlay(value PLACING '' FROM p FOR 1)
			WHEN 1 THEN overlay(value PLACING c FROM p FOR 0)
			ELSE overlay(value PLACING c FROM p FOR 1) END AS v
		FROM (
			SELECT value, h, 1 + (h / 3) % greatest(length(value), 1) AS p,
				substr(alphabet, 1 + (h / 1009) % length(alphabet), 1) AS c
			FROM (
				SELECT value, (hashtextextended(value, i) & 2147483647)::int AS h
				FROM spelling, generate_series(1, rounds) i
				WHERE kind = kind_wanted AND length(value) BETWEEN 1 AND 150) s) s) s
$$;

CREATE FUNCTION compare(type text, kind_wanted text, alphabet text DEFAULT NULL, rounds int DEFAULT 0)
RETURNS TABLE(value text, expected text, got text) LANGUAGE sql AS $$
	SELECT * FROM soft_differences(type, (SELECT array_agg(s.value) FROM spelling s WHERE kind = kind_wanted))
	UNION ALL
	SELECT * FROM soft_differences(type, mutations(kind_wanted, rounds, alphabet))
	WHERE rounds > 0
$$;

SELECT count(*) > 600 AS many FROM spelling;

-- each of these shows no row
SELECT * FROM compare('boolean', 'bool', 'tfyn01 eoar', 20);
SELECT * FROM compare('boolean', 'number');
SELECT * FROM compare('smallint', 'number', '0123456789+-.e x', 5);
SELECT * FROM compare('integer', 'number', '0123456789+-.e x', 10);
SELECT * FROM compare('bigint', 'number', '0123456789+-.e x', 10);
SELECT * FROM compare('real', 'number', '0123456789+-.e xinfa', 10);
SELECT * FROM compare('double precision', 'number', '0123456789+-.e xinfa', 20);
SELECT * FROM compare('numeric', 'number', '0123456789+-.e xinfa', 20);
SELECT * FROM compare('numeric(4,2)', 'number', '0123456789+-.e9995', 20);
SELECT * FROM compare('numeric(3,0)', 'number', '0123456789+-.e9995', 10);
SELECT * FROM compare('numeric(2,-1)', 'number', '0123456789+-.e9995', 10);
SELECT * FROM compare('numeric(2,4)', 'number', '0123456789+-.e9995', 10);
SELECT * FROM compare('numeric(1000,500)', 'number');
SELECT * FROM compare('date', 'time', '0123456789-/:. TZ+', 20);
SELECT * FROM compare('time', 'time', '0123456789-/:. TZ+', 20);
SELECT * FROM compare('time(2)', 'time');
SELECT * FROM compare('time with time zone', 'time', '0123456789-/:. TZ+', 10);
SELECT * FROM compare('timestamp', 'time', '0123456789-/:. TZ+', 20);
SELECT * FROM compare('timestamp(3)', 'time', '0123456789-/:. TZ+', 5);
SELECT * FROM compare('timestamp with time zone', 'time', '0123456789-/:. TZ+', 30);
SELECT * FROM compare('timestamp(0) with time zone', 'time');
SELECT * FROM compare('interval', 'interval', '0123456789-:. PTYMDHS', 20);
SELECT * FROM compare('interval(2)', 'interval');
SELECT * FROM compare('interval day to minute', 'interval', '0123456789-:. PTYMDHS', 5);
SELECT * FROM compare('interval', 'time');
SELECT * FROM compare('uuid', 'uuid', '0123456789abcdefg-{}', 30);
SELECT * FROM compare('json', 'json', '{}[]",:01e.\utn', 20);
SELECT * FROM compare('jsonb', 'json', '{}[]",:01e.\utn', 20);
SELECT * FROM compare('text', 'text');
SELECT * FROM compare('character varying', 'text');
SELECT * FROM compare('character varying(3)', 'text', 'a 中', 10);
SELECT * FROM compare('character(3)', 'text', 'a 中', 10);
SELECT * FROM compare('character', 'text');
SELECT * FROM compare('"char"', 'text');
SELECT * FROM compare('name', 'text');
SELECT * FROM compare('bytea', 'text', '\x0137fg ', 20);
SELECT * FROM compare('mood', 'text', 'adsok', 5);
SELECT * FROM compare('grade', 'text');
SELECT * FROM compare('grade', 'number', '0123456789.-', 5);
SELECT * FROM compare('code', 'text', 'ab1 ', 5);
SELECT * FROM compare('part', 'number');
-- types without a decision of their own
SELECT * FROM compare('integer[]', 'number', '{},1', 2);
SELECT * FROM compare('inet', 'number');
SELECT * FROM compare('point', 'text');

-- under another order of date parts, and another zone
SET datestyle = 'ISO, DMY';
SET timezone = 'Asia/Kathmandu';
SELECT * FROM compare('date', 'time', '0123456789-/:. TZ+', 5);
SELECT * FROM compare('timestamp with time zone', 'time', '0123456789-/:. TZ+', 5);
SET datestyle = 'ISO, YMD';
SET timezone = 'UTC';
SELECT * FROM compare('timestamp', 'time', '0123456789-/:. TZ+', 5);
-- Z is an abbreviation that can be redefined away
SET timezone_abbreviations = 'India';
SELECT * FROM compare('timestamp with time zone', 'time');
RESET timezone_abbreviations;
RESET datestyle;
RESET timezone;

-- zeros at the end of a numeric count for its scale, however many
SELECT count(*), count(*) FILTER (WHERE dmp.try_cast(x, NULL::numeric)::text IS DISTINCT FROM x::numeric::text)
FROM (SELECT sign || head || '.' || tail || repeat('0', zeros) FROM unnest('{"",-,+}'::text[]) sign, unnest('{"",0,7,123456789012345,9999999999999999999}'::text[]) head,
		unnest('{"",5,05,123456789012345}'::text[]) tail, generate_series(1, 110, 9) zeros) t(x);
