-- csv: delimiters, quotes, headers, ragged rows, encodings
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS dmp;
RESET client_min_messages;
SET dmp.progress = off;
SET timezone = 'UTC';
-- in the server's data directory
\set file 'regress_formats.csv'
CREATE SCHEMA regress_formats_csv;
SET search_path = regress_formats_csv, public;

CREATE FUNCTION write(file text, bytes bytea) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	loid oid := lo_from_bytea(0, bytes);
BEGIN
	PERFORM lo_export(loid, file), lo_unlink(loid);
END $$;
CREATE TABLE t (id int, name text, price numeric, at timestamptz);
-- a file, read with options: rows and quarantine in the order of the file
CREATE FUNCTION load(file text, bytes bytea, options jsonb DEFAULT '{}', mapping json DEFAULT NULL, missing text[] DEFAULT '{}')
RETURNS TABLE(line_no bigint, id int, name text, price numeric, at timestamptz, record text, reason text) LANGUAGE plpgsql AS $$
DECLARE
	n record;
	lines bigint;
BEGIN
	PERFORM write(file, bytes);
	TRUNCATE t;
	PERFORM dmp.create_source('formats_csv', 't', format => 'csv', mapping => mapping, missing => missing, options => options);
	SELECT * INTO n FROM dmp.ingest('formats_csv', file);
	RAISE INFO 'read % loaded % quarantined % ignored %', n.rows_read, n.rows_loaded, n.rows_quarantined, n.fields_ignored;
	ASSERT n.rows_read = n.rows_loaded + n.rows_quarantined + n.rows_duplicate;
	SELECT count(*) INTO lines FROM lake.formats_csv l;
	ASSERT lines + (SELECT count(*) FROM dmp.quarantine q WHERE q.source = 'formats_csv' AND q.lake_id IS NULL)
		= n.rows_read + coalesce((n.fields_ignored ->> '(header lines)')::bigint, 0);
	RETURN QUERY SELECT NULL::bigint, t.id, t.name, t.price, t.at, NULL::text, NULL::text FROM t
		UNION ALL SELECT q.line_no, NULL, NULL, NULL, NULL, coalesce(q.record, encode(q.raw, 'hex')), concat_ws(': ', q.column_name, q.reason)
		FROM dmp.quarantine q WHERE source = 'formats_csv' ORDER BY 1, 2, 3;
	PERFORM dmp.drop_source('formats_csv');
END $$;
CREATE FUNCTION load(file text, content text, options jsonb DEFAULT '{}', mapping json DEFAULT NULL, missing text[] DEFAULT '{}')
RETURNS TABLE(line_no bigint, id int, name text, price numeric, at timestamptz, record text, reason text) LANGUAGE sql AS
	'SELECT * FROM load(file, convert_to(content, ''UTF8''), options, mapping, missing)';

-- ---- quotes, line ends, NULL and empty texts
SELECT id, name, price, at, reason FROM load(:'file', E'id,name,price,at\r\n1,"a, ""b""",1.5,2024-01-02 03:04:05\r\n2,"two\nlines\r\nhere",,\r3,"",2,\n4,,3,\n\n5,"x" ,4,\n6,in "the" middle,5,\n7,"open,6,\n8,last,7,2024-01-01');
-- a quote that does not close takes no other record with it
SELECT id, name, record, reason FROM load(:'file', E'id,name,price,at\n1,"a,,\n2,b,,\n3,"c"d,,\n4,"e\nf",,\n5,"g\n6,"h",,\n7,"i');
-- the byte order mark, CR alone, no line end at the end
SELECT id, name FROM load(:'file', E'\uFEFFid,name,price,at\r1,a,,\r2,b,,');
SELECT id, name FROM load(:'file', E'\uFEFF"id","name","price","at"\r\n1,a,,\r\n');
SELECT id, name, reason FROM load(:'file', '');
SELECT id, name, reason FROM load(:'file', 'id,name,price,at');

-- ---- delimiters, found or given
SELECT id, name, price FROM load(:'file', E'id;name;price;at\n1;"a;b";1.5;\n2;c,d;2;\n');
SELECT id, name, price FROM load(:'file', E'id\tname\tprice\tat\n1\ta b\t1.5\t\n');
SELECT id, name, price FROM load(:'file', E'1|a|1.5|\n2|b|2|\n');
SELECT id, name, price FROM load(:'file', E'sep=;\nid;name;price;at\n1;a,b;1;\n');
SELECT id, name, price FROM load(:'file', E'sep=|\n1|a,b|1|\n2|a;b|1|\n', '{"header": false}');
SELECT id, name, price FROM load(:'file', E'id~name~price~at\n1~a,b~1~\n', '{"delimiter": "~"}');
SELECT id, name, price FROM load(:'file', E'id,name,price,at\n1,''a,''''b'',1,\n2,"a",2,\n', '{"quote": "''"}');
SELECT id, name, price FROM load(:'file', E'id,name,price,at\n1,"a, \\"b\\" \\\\ \\n",1,\n2,"x""y",2,\n', '{"escape": "\\"}');
SELECT id, name, price, reason FROM load(:'file', E'id,name,price,at\n1,"a",1,\n2,"b,2,\n', '{"quote": ""}');

-- ---- headers
-- none, given names, by position, in another order, in capitals, more fields than columns
SELECT id, name, price FROM load(:'file', E'1,a,1,\n2,b,2,\n');
SELECT id, name, price FROM load(:'file', E'a,1,x,1\nb,2,y,2\n', '{"columns": ["name", "id", "other", "price"]}');
SELECT id, name, price FROM load(:'file', E'a,1,x,1\nb,2,y,2\n', '{"header": false}', '{"id": "$2", "name": "$1"}');
SELECT id, name, price FROM load(:'file', E'at, Price ,NAME,Id,more\n,1,a,1,x\n,2,b,2,\n');
-- again in the middle: no record; the same names again: numbered
SELECT id, name, price FROM load(:'file', E'id,name,price,at\n1,a,1,\nid,name,price,at\n2,b,2,\nid,name,price,at\n');
SELECT id, name, price FROM load(:'file', E'id,name,name,price,at\n1,a,b,1,\n', '{}', '{"id": "id", "name": "name_2", "price": "cost"}');
-- said to be there, or not to be there
SELECT id, name, record, reason FROM load(:'file', E'1,a,1,\n2,b,2,\n', '{"header": true}');
SELECT id, name, record, reason FROM load(:'file', E'id,name,price,at\n1,a,1,\n', '{"header": false}');
SELECT id, name, record, reason FROM load(:'file', E'1,a,1,\n', '{}', '{"id": "number", "name": "name"}');

-- ---- ragged rows
SELECT id, name, record, reason FROM load(:'file', E'id,name,price,at\n1,a,1\n2,b,2,,\n3,c,3,,x\n4\n5,e,5,2024-01-01\n');
SELECT id, name, record, reason FROM load(:'file', E'id,name,price,at\n1,a,1\n2,b,2,,\n3,c,3,,x\n4\n', '{"ragged": "pad"}');

-- ---- values: as their types read them; missing tokens, quoted as well
SELECT id, name, price, at, reason FROM load(:'file', E'id,name,price,at\n1,NA,NA,"NA"\n2.0,-,-,-\n1e2,b,1e3,2024-02-30\nx,b,1,\n99999999999,c,1,\n', '{}', NULL, '{NA,-}');
CREATE TABLE other (id int, tags text[], doc jsonb, extra jsonb, origin text);
SELECT write(:'file', convert_to(E'id,tags,doc,a,b\n1,"{x,""y z""}","{""k"": [1]}",1,"say ""hi"" \\ "\n2,{},null,,""\n3,x,{,,\n', 'UTF8'));
SELECT * FROM dmp.create_source('formats_other', 'other', format => 'csv', options => '{"unknown": "rest"}',
	mapping => '{"id": "id", "tags": "tags", "doc": "doc", "extra": "$rest", "origin": "$origin"}');
SELECT rows_read, rows_loaded, rows_quarantined, fields_ignored FROM dmp.ingest('formats_other', :'file');
SELECT * FROM other ORDER BY id;
SELECT record, header, column_name, reason FROM dmp.quarantine WHERE source = 'formats_other';
-- a retry reads the record by the header it came with
UPDATE dmp.quarantine SET record = '3,"{x}","{}",new,' WHERE source = 'formats_other' AND state = 'open';
SELECT rows_read, rows_loaded, rows_quarantined FROM dmp.retry_quarantine('formats_other');
SELECT * FROM other WHERE id = 3;
SELECT * FROM dmp.drop_source('formats_other');

-- ---- encodings
SELECT id, name, record, reason FROM load(:'file', 'id,name,price,at'::bytea || '\x0a312c6ee92c312c0a'::bytea, '{"encoding": "latin1"}');
-- characters of two and four bytes; one record that is none
SELECT id, name, record, reason FROM load(:'file', decode('69642c6e616d652c70726963652c61740a312c22d6d0cec4bf7c825c222c312c0a322c825c2c322c0a332c95328236a2e32c332c0a342cff412c342c0a352c6f6b2c352c0a', 'hex'), '{"encoding": "gb18030"}');
-- the second byte is a backslash (GB18030 0x825C, SJIS 0x835C), before a quote
SELECT id, name, record, reason FROM load(:'file', decode('69642c6e616d652c70726963652c61740a312c22825c222c312c0a322c22615c22625c5c222c322c0a', 'hex'), '{"encoding": "gb18030", "escape": "\\"}');
SELECT id, name, record, reason FROM load(:'file', decode('69642c6e616d652c70726963652c61740a312c2261835cb15c222c0a222c312c0a', 'hex'), '{"encoding": "sjis", "escape": "\\"}');
SELECT id, name, record, reason FROM load(:'file', E'\uFEFFid,name,price,at\n1,né,1,\n', '{"encoding": "latin1"}');
SELECT id, name, record, reason FROM load(:'file', 'id,name,price,at'::bytea || '\x0a312c61ff2c312c0a322c62002c322c0a332c632c332c0a'::bytea);

-- ---- the lake filled by lines: a file is what one transaction wrote
CREATE TABLE e (id int PRIMARY KEY, name text);
SELECT lake_table FROM dmp.create_source('formats_lines', 'e', format => 'csv', key => '{id}');
BEGIN;
INSERT INTO lake.formats_lines (line) VALUES ('id,name'), ('1,a'), ('2,b');
COMMIT;
INSERT INTO lake.formats_lines (line) VALUES ('name;id'), ('c;3'), (E'd;4\r\n'), (NULL), (' ');
INSERT INTO lake.formats_lines (origin, line) VALUES ('x', 'id|name'), ('y', 'name|id'), ('x', '5|e'), ('y', 'f|6'), ('y', '"|"|7'), ('x', '5|again');
INSERT INTO lake.formats_lines (line) VALUES ('8,without');
SELECT rows_read, rows_loaded, rows_duplicate, rows_quarantined, fields_ignored FROM dmp.ingest('formats_lines');
SELECT * FROM e ORDER BY id;
-- a transaction that ingests in its middle
BEGIN;
INSERT INTO lake.formats_lines (line) VALUES ('name,id'), ('i,9');
SELECT rows_read, rows_loaded FROM dmp.ingest('formats_lines');
INSERT INTO lake.formats_lines (line) VALUES ('j,10');
SELECT rows_read, rows_loaded FROM dmp.ingest('formats_lines');
COMMIT;
SELECT * FROM e WHERE id > 8 ORDER BY id;
SELECT * FROM dmp.drop_source('formats_lines');

-- ---- what psql is told, and what options refuse
SELECT copy_command FROM dmp.create_source('formats_x', format => 'csv', options => '{"encoding": "GBK"}');
SELECT copy_command FROM dmp.alter_source('formats_x', options => '{"quote": ""}');
SELECT copy_command FROM dmp.alter_source('formats_x', options => '{"quote": null, "escape": "\\"}');
SELECT copy_command = (SELECT copy_command FROM dmp.sources s WHERE s.source = 'formats_x') FROM dmp.alter_source('formats_x', options => '{}');
SELECT * FROM dmp.alter_source('formats_x', format => 'json');
SELECT copy_command FROM dmp.alter_source('formats_x', format => 'json', options => '{"quote": null, "escape": null}');
SELECT * FROM dmp.create_source('formats_y', format => 'cvs');
SELECT * FROM dmp.create_source('formats_y', format => 'csv', options => '{"delimiter": ";;"}');
SELECT * FROM dmp.create_source('formats_y', format => 'csv', options => '{"delimiter": "\\t"}');
SELECT * FROM dmp.create_source('formats_y', format => 'csv', options => '{"delimiter": "\""}');
SELECT * FROM dmp.create_source('formats_y', format => 'csv', options => '{"header": "yes"}');
SELECT * FROM dmp.create_source('formats_y', format => 'csv', options => '{"columns": ["a", "a"]}');
SELECT * FROM dmp.create_source('formats_y', format => 'csv', options => '{"ragged": "drop"}');
SELECT * FROM dmp.create_source('formats_y', format => 'csv', options => '{"encoding": "morse"}');
SELECT * FROM dmp.create_source('formats_y', format => 'csv', options => '{"encoding": "mule_internal"}');
SELECT * FROM dmp.create_source('formats_y', format => 'json', options => '{"delimiter": ";"}');
SELECT * FROM dmp.drop_source('formats_x');
DROP SCHEMA regress_formats_csv CASCADE;
