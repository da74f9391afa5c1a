-- infer_schema: what all values of a column say that no single one does
\set VERBOSITY terse
SET client_min_messages = warning;
SET TimeZone = 'UTC';
SET DateStyle = 'ISO, MDY';
SELECT count(*) FROM dmp.setup();
-- makes the table the proposal says, ingests, and compares with what was said to fit
CREATE FUNCTION flow_agree(source text, OUT said text, OUT loaded bigint, OUT quarantined bigint, OUT agree boolean) LANGUAGE plpgsql AS $$
DECLARE
	sql text := dmp.infer_schema_sql(source, 'flow_' || source);
BEGIN
	EXECUTE sql;
	SELECT rows_loaded, rows_quarantined INTO loaded, quarantined FROM dmp.ingest(source);
	said := split_part(sql, E'\n', 1);
	agree := said = format('-- %s of %s records fit', loaded, loaded + quarantined);
END $$;

-- ---- json: dates and numbers as people write them
SELECT source FROM dmp.create_source('flow_cols');
INSERT INTO lake.flow_cols (line)
SELECT json_build_object(
	'dmy', to_char(date '2024-01-01' + i, 'DD/MM/YYYY'),
	'mdy', to_char(date '2024-01-01' + i, 'MM-DD-YYYY'),
	'short', to_char(date '2024-01-01' + i, 'YY/MM/DD'),
	'german', to_char(date '2024-01-01' + i, 'FMDD.FMMM.YYYY HH24:MI'),
	'unclear', format('%s/%s/2024', 1 + i % 11, 1 + i % 12),
	'dirty_dmy', CASE WHEN i % 50 = 0 THEN to_char(date '2024-01-20', 'MM/DD/YYYY') ELSE to_char(date '2024-01-01' + i, 'DD/MM/YYYY') END,
	'both_ways', CASE WHEN i % 2 = 0 THEN '25/01/2024' ELSE '01/25/2024' END,
	'iso', to_char(date '2024-01-01' + i, 'YYYY-MM-DD'),
	'some_times', to_char(date '2024-01-01' + i, 'YYYY-MM-DD') || CASE WHEN i % 20 = 0 THEN ' 10:00' ELSE '' END,
	'words', to_char(date '2024-01-01' + i, 'DD Mon YYYY'),
	'comma', replace((i / 4.0)::numeric(10,2)::text, '.', ','),
	'euro', replace(replace(replace(to_char(i * 1234.5, 'FM999,999,990.00'), ',', 'x'), '.', ','), 'x', '.'),
	'dollars', to_char(i * 1234.5, 'FM999,999,990.00'),
	'thousands', to_char(1000 + i * 7, 'FM9,999'),
	'points', to_char(1000 + i * 7, 'FM9') || '.' || to_char(100 + i, 'FM999'),
	'spaces', replace(to_char(i * 123456, 'FM999,999,990'), ',', ' '),
	'apart', CASE WHEN i % 2 = 0 THEN '1.234,5' ELSE '1,234.5' END,
	'share', CASE WHEN i % 100 = 0 THEN '12.5' ELSE i::text END,
	'number', CASE WHEN i % 100 = 0 THEN 12.0 ELSE i END,
	'code', lpad(i::text, 4, '0'),
	'nothing', NULL) FROM generate_series(1, 300) i;
SELECT column_name, type, format, rows_not_fitting FROM dmp.infer_schema('flow_cols');
SELECT split_part(dmp.infer_schema_sql('flow_cols', 'x y'), 'SELECT FROM ', 2);
SELECT split_part(dmp.infer_schema_sql('flow_cols', '"x y"'), 'SELECT FROM ', 2);
SELECT * FROM flow_agree('flow_cols');
-- each value is the day or number it was made of
SELECT count(*) AS rows, bool_and(dmy = mdy AND dmy = short AND german::date = dmy AND words = dmy AND iso = dmy) AS same_days,
	bool_and(euro = dollars AND euro = 1234.5 * t.n) AS same_numbers, bool_and(comma = (t.n / 4.0)::numeric(10,2)) AS commas
FROM (SELECT *, dmy - date '2024-01-01' AS n FROM flow_flow_cols) t;
-- ISO dates are read whatever the order is; the session's style does not matter
SET DateStyle = 'SQL, YMD';
INSERT INTO lake.flow_cols (line) VALUES ('{"dmy": "2024-12-31"}'), ('{"dmy": "31/12/2024"}'), ('{"dmy": "12/31/2024"}'), ('{"comma": "1.234,50"}'), ('{"comma": "12.5"}'), ('{"comma": 12.5}'), ('{"comma": "NaN"}');
SELECT rows_loaded, rows_quarantined FROM dmp.ingest('flow_cols');
SET DateStyle = 'ISO, MDY';
SELECT record, column_name, reason FROM dmp.quarantine WHERE source = 'flow_cols' AND length(record) < 30 ORDER BY id;
SELECT dmy, comma FROM flow_flow_cols WHERE iso IS NULL ORDER BY 1, 2;
-- told by hand; wrong ones are errors
SELECT source FROM dmp.alter_source('flow_cols', options => '{"date_order": {"dmy": "MDY"}}');
INSERT INTO lake.flow_cols (line) VALUES ('{"dmy": "01/12/2030"}');
SELECT rows_loaded FROM dmp.ingest('flow_cols');
SELECT dmy FROM flow_flow_cols WHERE dmy > '2030-01-01';
SELECT * FROM dmp.alter_source('flow_cols', options => '{"date_order": {"dmy": "DYM"}}');
SELECT * FROM dmp.alter_source('flow_cols', options => '{"date_order": {"dym": "DMY"}}');
SELECT * FROM dmp.alter_source('flow_cols', options => '{"date_order": {"comma": "DMY"}}');
SELECT * FROM dmp.alter_source('flow_cols', options => '{"date_order": "DMY"}');
SELECT * FROM dmp.alter_source('flow_cols', options => '{"decimal_mark": {"comma": ";"}}');
SELECT * FROM dmp.alter_source('flow_cols', options => '{"decimal_mark": {"dmy": ","}}');
SELECT * FROM dmp.alter_source('flow_cols', options => '{"decimal_mark": {"comma": 5}}');

-- ---- what texts mean
SELECT source FROM dmp.create_source('flow_texts');
INSERT INTO lake.flow_texts (line)
SELECT json_build_object('mail', 'user' || i || '@example' || i % 3 || '.co.uk', 'almost_mail', CASE WHEN i % 10 = 0 THEN 'none' ELSE 'a@b.de' END,
	'site', 'https://example.com/' || i || '?q=a', 'address', CASE WHEN i % 2 = 0 THEN '192.168.0.' || i ELSE '2001:db8::' || to_hex(i) END,
	'mobile', '138' || lpad(i::text, 8, '0'), 'phone', '+49 30 ' || 1000000 + i, 'us', '(212) 555-' || 1000 + i, 'id', 13800000000 + i,
	'country', (ARRAY['US', 'CN', 'DE'])[1 + i % 3], 'state', (ARRAY['CA', 'IL', 'IN'])[1 + i % 3], 'origin', (ARRAY['US', 'CN', 'DE', 'FR', 'IT', 'ES', 'GB', 'JP', 'BR', 'IN', 'MX'])[1 + i % 11],
	'key', md5(i::text)::uuid, 'size', (ARRAY['S', 'M', 'XL'])[1 + i % 3], 'flag', (ARRAY['yes', 'no'])[1 + i % 2], 'version', '1.2.' || i, 'long', repeat('x', i)) FROM generate_series(1, 60) i;
SELECT column_name, type, format, rows_not_fitting FROM dmp.infer_schema('flow_texts');
SELECT * FROM flow_agree('flow_texts');

-- ---- other formats
SELECT source FROM dmp.create_source('flow_csv', format => 'csv');
INSERT INTO lake.flow_csv (line) SELECT 'Order Date;Amount;Customer;"E-mail"' UNION ALL
SELECT format('%s;%s;"%s";%s', to_char(date '2024-01-01' + i, 'DD.MM.YY'), replace((i * 1.25)::text, '.', ','), 'Name; ' || i, CASE WHEN i % 7 = 0 THEN '' ELSE 'a' || i || '@b.org' END)
FROM generate_series(1, 100) i UNION ALL SELECT '1;2' UNION ALL SELECT '99.99.99;x;y;z';
SELECT column_name, type, nullable, format, examples[1], rows_not_fitting FROM dmp.infer_schema('flow_csv');
SELECT * FROM flow_agree('flow_csv');
SELECT * FROM flow_flow_csv ORDER BY 1 LIMIT 2;
SELECT source FROM dmp.create_source('flow_kv', format => 'kv');
INSERT INTO lake.flow_kv (line) SELECT format('at=2024-06-01T10:00:%sZ level=info ms=%s msg="took %s"', 10 + i, i * 1.5, i) FROM generate_series(1, 40) i;
SELECT column_name, type, format, rows_not_fitting FROM dmp.infer_schema('flow_kv');
SELECT * FROM flow_agree('flow_kv');
SELECT source FROM dmp.create_source('flow_log', format => 'weblog');
INSERT INTO lake.flow_log (line) SELECT format('10.0.0.%s - - [10/Oct/2024:13:55:%s -0700] "GET /p/%s HTTP/1.1" 200 %s "https://a.example/" "curl/8"', i, i, i, i * 10) FROM generate_series(10, 40) i UNION ALL SELECT 'none';
SELECT column_name, type, format, rows_not_fitting FROM dmp.infer_schema('flow_log');
SELECT * FROM flow_agree('flow_log');

-- ---- hostile values: what is said to fit is what loads, whatever it is
SELECT source FROM dmp.create_source('flow_hostile', missing => '{N/A,-}');
SELECT setseed(0.5);
CREATE TABLE flow_values (id int, v text);
INSERT INTO flow_values SELECT row_number() OVER (), v FROM unnest(ARRAY['1', '-1', '+7', '007', '0', '1e3', '1E-3', '1.5', '1,5', '1.234', '1,234', '1.234,5', '1,234.5', '1 234', '12 34', '1''234,5', '1,2,3',
	',5', '.5', '5,', '5.', ',', '.', '-', '', ' ', ' 12 ', 'NaN', 'inf', '-Infinity', 'N/A', '9223372036854775807', '9223372036854775808', '-9223372036854775809', '1e400', '0x1F', '1_000', '12%', '$5', E'1\u00a0234', '１２',
	'01/02/2024', '31/12/2024', '12/31/2024', '30/02/2024', '1.2.24', '29/02/23', '2024-02-30', '2024-02-29', '2024-01-01T00:00:00Z', '2024-01-01 25:00', 'infinity', 'today', 'now', 'epoch', '1 Jun 2024', 'Juni 2024', '2024年6月1日', '99/99/99',
	'true', 'yes', 'off', 't', 'tru', 'null', '{}', '[1]', 'a@b.c', 'x', repeat('9', 300), repeat('1,234', 40), '00:00', '1/2', '--1', '1-', '"', '\', '; DROP TABLE flow_values; --', E'\t3\n', '3' || E'\u200b']) v;
DO $$
DECLARE
	kind int;
BEGIN
	-- columns whose values are mostly of one kind, with anything else among them; as strings and as json
	FOR kind IN 1 .. 40 LOOP
		INSERT INTO lake.flow_hostile (line)
		SELECT json_object_agg(c, CASE WHEN random() < 0.04 THEN to_json((SELECT array_agg(v) FROM flow_values)[1 + floor(random() * 78)::int])
				ELSE CASE c % 8 WHEN 0 THEN to_json(r) WHEN 1 THEN to_json(r::text) WHEN 2 THEN to_json(replace((r / 8.0)::text, '.', ','))
				WHEN 3 THEN to_json(to_char(r * 1234.5, 'FM999,999,990.0')) WHEN 4 THEN to_json(to_char(date '2024-01-01' + r, 'DD/MM/YYYY'))
				WHEN 5 THEN to_json(to_char(date '2024-01-01' + r, 'MM/DD/YY')) WHEN 6 THEN to_json(to_char(date '2024-01-01' + r, 'YYYY-MM-DD HH24:MI')) ELSE to_json(r % 2 = 0) END END)
		FROM generate_series(1, 30) r, generate_series(1, 16) c GROUP BY r;
	END LOOP;
END $$;
SELECT count(*) AS columns, count(*) FILTER (WHERE type <> 'text') AS typed, count(*) FILTER (WHERE rows_not_fitting > 0) AS with_misfits FROM dmp.infer_schema('flow_hostile');
SELECT agree, loaded > 500 AS many, quarantined > 100 AS bad FROM flow_agree('flow_hostile');
-- and column by column
SELECT source FROM dmp.create_source('flow_each', missing => '{N/A,-}');
CREATE TABLE flow_result (sign text, agree boolean);
DO $$
DECLARE
	sign text;
	said record;
	result record;
BEGIN
	FOREACH sign IN ARRAY ARRAY['DD/MM/YYYY', 'MM.DD.YYYY', 'YY-MM-DD', 'DD-MM-YY', 'YYYY/MM/DD', 'Mon DD, YYYY', 'n', 'n,', 'g.', 'g,', 'true'] LOOP
		INSERT INTO lake.flow_each (line)
		SELECT json_build_object('v', v) FROM flow_values WHERE id % 3 = 0 UNION ALL
		SELECT json_build_object('v', CASE sign WHEN 'n' THEN r::text WHEN 'n,' THEN replace((r / 16.0)::text, '.', ',') WHEN 'g.' THEN to_char(r * 1234.5, 'FM999,990.00')
			WHEN 'g,' THEN replace(replace(replace(to_char(r * 1234.5, 'FM999,990.00'), ',', 'x'), '.', ','), 'x', '.') WHEN 'true' THEN (r % 2 = 0)::text
			ELSE to_char(date '2024-01-01' + r, sign) END) FROM generate_series(1, 400) r;
		SELECT type, rows_not_fitting INTO said FROM dmp.infer_schema('flow_each');
		SELECT * INTO result FROM flow_agree('flow_each');
		INSERT INTO flow_result VALUES (sign || ' ' || said.type, result.agree AND said.rows_not_fitting = result.quarantined);
		DROP TABLE flow_flow_each;
		PERFORM dmp.drop_source('flow_each');
		PERFORM dmp.create_source('flow_each', missing => '{N/A,-}');
	END LOOP;
END $$;
SELECT * FROM flow_result ORDER BY 1;

-- names as hostile as values
INSERT INTO lake.flow_each (line) SELECT json_build_object('"; DROP TABLE flow_values; --', to_char(date '2024-01-01' + i, 'DD/MM/YYYY'), E'a\nb\\', i, '$batch', '1,5', 'a.b[0]', true) FROM generate_series(1, 30) i;
SELECT column_name, type, format FROM dmp.infer_schema('flow_each');
SELECT * FROM flow_agree('flow_each');
SELECT count("""; DROP TABLE flow_values; --"), sum("$batch") FROM flow_flow_each;
SELECT count(*) > 0 FROM flow_values;

-- rows that are elements of arrays
SELECT source FROM dmp.create_source('flow_array', options => '{"explode": "items"}');
SELECT * FROM dmp.infer_schema('flow_array');
SELECT count(*) FROM dmp.drop_source('flow_array');

-- ---- the most columns a table may have, and more
SELECT source FROM dmp.create_source('flow_wide');
INSERT INTO lake.flow_wide (line) SELECT json_object_agg('c' || c, c * r) FROM generate_series(1, 1700) c, generate_series(1, 20) r GROUP BY r;
SELECT count(*), min(type), sum(rows_not_fitting) FROM dmp.infer_schema('flow_wide');
TRUNCATE lake.flow_wide;
INSERT INTO lake.flow_wide (line) SELECT json_object_agg('c' || c, c * r) FROM generate_series(1, 900) c, generate_series(1, 20) r GROUP BY r;
SELECT * FROM flow_agree('flow_wide');

SELECT count(*) FROM unnest(ARRAY['flow_cols', 'flow_texts', 'flow_csv', 'flow_kv', 'flow_log', 'flow_hostile', 'flow_each', 'flow_wide']) s, dmp.drop_source(s);
DROP TABLE flow_flow_cols, flow_flow_texts, flow_flow_csv, flow_flow_kv, flow_flow_log, flow_flow_hostile, flow_flow_each, flow_flow_wide, flow_values, flow_result;
DROP FUNCTION flow_agree;
