-- infer_schema, infer_schema_sql, decode
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS dmp;
RESET client_min_messages;
SET TimeZone = 'UTC';
SET DateStyle = 'ISO, MDY';
CREATE SCHEMA regress_dmp_infer;
SET search_path = regress_dmp_infer, public;

SELECT source FROM dmp.create_source('infer', missing => '{N/A}');
SELECT * FROM dmp.infer_schema('infer');
INSERT INTO lake.infer (line)
SELECT format('{"id": %s, "big": "%s", "share": %s, "name": "n%s", "zip": "0%s", "day": "2024-01-%s", "at": "2024-01-01T00:00:%s.%sZ",
	"local": "2024-01-01 10:%s", "flag": %s, "yes": "%s", "key": "%s", "detail": {"a": [%s]}, "mixed": %s, "none": null, "unsure": "%s/%s/2024"}',
	CASE WHEN i % 50 = 0 THEN '"?"' ELSE i::text END, i * 10000000000, i / 8.0, i, i, 10 + i % 20, 10 + i % 50, i % 10, 10 + i % 50, to_json(i % 2 = 0),
	(ARRAY['yes', 'no', 'N/A'])[1 + i % 3], md5(i::text)::uuid, i, CASE i % 2 WHEN 0 THEN '1' ELSE '[]' END, 1 + i % 12, i % 28)
FROM generate_series(1, 100) i;
INSERT INTO lake.infer (line) VALUES ('{"id": 101, "a\u0020b": 1, "Group": "x", "id": 101}'), ('no record'), (''),
	(format('{"%s": 1, "": 2}', repeat('x', 64)));
SELECT * FROM dmp.infer_schema('infer');
SELECT dmp.infer_schema_sql('infer', 'regress_dmp_infer."My Table"') AS sql \gset
\echo :sql
:sql;
SELECT source FROM dmp.alter_source('infer', into_table => '"My Table"');
SELECT rows_read, rows_loaded, rows_quarantined FROM dmp.ingest('infer');
SELECT column_name, count(*) FROM dmp.quarantine WHERE source = 'infer' GROUP BY 1 ORDER BY 1;
SELECT * FROM dmp.infer_schema('infr');
SELECT dmp.infer_schema_sql('infer', NULL);
SELECT dmp.infer_schema_sql('infer', 'a b');

-- ---- decode

CREATE TABLE item (id bigint, name text, price numeric(10,2), at timestamptz, tags text[], doc json, docb jsonb, n numeric, d date, f float4);
SELECT * FROM dmp.decode('{"id": 9007199254740993, "name": "a\"\\\/\b\f\n\r\tb", "price": "12.345", "at": "2024-06-01 12:00+08",
	"tags": ["x", null, 1, true, "\u4e2d"], "doc": {"b" : 1,  "a":2}, "docb": {"b" : 1,  "a":2}, "n": 1e-3, "d": "2024-02-29", "f": 0.1}', NULL::item);
-- numbers never go through float8
SELECT (dmp.decode('{"n": 123456789012345678901234567890.123456789}', NULL::item)).n;
SELECT (dmp.decode('{"id": 12e3}', NULL::item)).id, (dmp.decode('{"id": -7.00}', NULL::item)).id;
-- what lacks comes from base, null is null
SELECT (dmp.decode('{"name": null}', ROW(1, 'x', 2, NULL, NULL, NULL, NULL, NULL, NULL, NULL)::item)).*;
SELECT dmp.decode(NULL, NULL::item) IS NULL AS null_in_null_out;
-- as the server reads it
SELECT count(*) AS agree FROM (SELECT format('{"id": %s, "name": "n\u00%s", "price": %s, "d": "2024-%s-01", "docb": [%s, {}], "f": %s}',
	i, lpad(to_hex(32 + i % 90), 2, '0'), i / 7.0, 1 + i % 12, i, i * 0.37) AS line FROM generate_series(1, 1000) i) l
WHERE dmp.decode(line, NULL::item)::text = jsonb_populate_record(NULL::item, line::jsonb)::text;
-- strict
SELECT dmp.decode('{"id": 1.5}', NULL::item);
SELECT dmp.decode('{"id": 1', NULL::item);
SELECT dmp.decode('[]', NULL::item);
SELECT dmp.decode('{"price": 1e10}', NULL::item);
SELECT dmp.decode('{"tags": {"a": 1}}', NULL::item);
SELECT dmp.decode('{}', 1);
-- a plan of two types
SELECT dmp.decode('{"d": "2024-01-01"}', NULL::item), dmp.decode('{"id": 101}', NULL::"My Table");

SELECT count(*) FROM dmp.drop_source('infer');
SET client_min_messages = warning;
DROP SCHEMA regress_dmp_infer CASCADE;
