-- load_file: the records of a file, whatever its shape
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS dmp;
RESET client_min_messages;
SET dmp.progress = off;
-- in the server's data directory
\set file 'regress_dmp_load.json'
CREATE SCHEMA regress_dmp_load;
SET search_path = regress_dmp_load, public;

CREATE FUNCTION write(file text, bytes bytea) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	loid oid := lo_from_bytea(0, bytes);
BEGIN
	PERFORM lo_export(loid, file), lo_unlink(loid);
END $$;
-- writes bytes, loads them, and shows what became of them
CREATE FUNCTION load(file text, bytes bytea) RETURNS TABLE(line_no bigint, record text, raw bytea) LANGUAGE plpgsql AS $$
BEGIN
	PERFORM write(file, bytes);
	SET LOCAL client_min_messages = error;
	PERFORM dmp.create_source('load');
	PERFORM dmp.load_file('load', file);
	RETURN QUERY SELECT l.line_no, l.line || '', NULL::bytea FROM lake.load l
		UNION ALL SELECT q.line_no, q.record, q.raw FROM dmp.quarantine q WHERE source = 'load' ORDER BY 1, 2;
	PERFORM dmp.drop_source('load');
END $$;
CREATE FUNCTION load(file text, content text) RETURNS TABLE(line_no bigint, record text, raw bytea) LANGUAGE sql AS
	'SELECT * FROM load(file, convert_to(content, ''UTF8''))';

-- line ends, byte order mark, blank lines, no line end at the end
SELECT line_no, record FROM load(:'file', E'{"a": 1}\n{"a": 2}\r\n{"a": 3}\r{"a": 4}\n\n  \n{"a": 5}');
SELECT line_no, record FROM load(:'file', E'\uFEFF{"a": 1}\r{"a": 2}\r');
SELECT line_no, record FROM load(:'file', '');
SELECT line_no, record FROM load(:'file', E'{');
-- arrays: on one line, over lines, nested, empty, of scalars, without an end
SELECT line_no, record FROM load(:'file', E'[{"a": [1, {"b": "}]"}]}, {"a": 2},{}]');
SELECT line_no, record FROM load(:'file', E'[\n  {"a": 1,\n   "b": 2},\n  {"a": "x\\"]"}\n]\n[]\n[{"a": 3}][{"a": 4}]');
SELECT line_no, record FROM load(:'file', E'[[1, 2], 3, "a,b", null]\n[{"a": 1}, {"a": 2}');
-- concatenated and pretty-printed
SELECT line_no, record FROM load(:'file', E'{"a": 1}{"a": 2} {"a": 3},\n{"a": 4},{"a": 5}');
SELECT line_no, record FROM load(:'file', E'{\n  "a": {\n    "b": [\n      1,\n      2\n    ]\n  }\n}\n{\n  "a": 2\n}\n');
-- a broken line takes no good one with it
SELECT line_no, record FROM load(:'file', E'{"a": 1, "b": "cut\n{"a": 2}\n{"a": 3, "b":\n{"a": 4}\n{"a": 5,\n{"a": 6}\n{"a": {"b": 7}\n{"a": 8}\n');
SELECT line_no, record FROM load(:'file', E'{"a": 1}}\n{"a": 2]\n{"a": 3} trailing\nplain text\n[2024-06-01] restarted\n}\n]\n,\n"a"\n{"a": 4}\n');
SELECT line_no, record FROM load(:'file', E'{"a": "x\\\n{"a": 1}\n{"a": 2');
-- also in arrays
SELECT line_no, record FROM load(:'file', E'[{"a": 1}, {"a": "x}, {"a": 2}, {"a": {3}, {"a": 4}]');
SELECT line_no, record FROM load(:'file', E'[\n{"a": 1},\n{"a": "x},\n{"a": 2}\n]');
-- in a pretty-printed file the broken record is one
SELECT line_no, record FROM load(:'file', E'{\n  "a": 1\n}\n{\n  "a": x,\n  "b": 2\n}\n{\n  "a": 3\n}\n{\n  "a": {\n');
-- bytes that are no text
SELECT line_no, record, raw FROM load(:'file', '\x7b2261223a22ff227d0a7b2261223a317d0a7b226100223a327d0a'::bytea);
SELECT line_no, record, raw FROM load(:'file', '\xfffe7b00'::bytea);
-- hostile nesting
SELECT count(*), max(length(record)) FROM load(:'file', repeat('[', 100000) || repeat(E'\n[', 1000));
SELECT count(*), max(length(record)) FROM load(:'file', repeat('{"a":', 100000) || E'\n{"a": 1}');
SELECT count(*), sum(length(record)) FROM load(:'file', repeat(E'{"a":\n', 20000));
-- a chunk may end anywhere: a file of several chunks, each form
SELECT count(*), count(DISTINCT record), sum(length(record)), max(line_no) FROM load(:'file',
	(SELECT string_agg(format('{"a": "%s\"é"}', repeat('x', i % 97)), E'\r\n') FROM generate_series(1, 20000) i));
SELECT count(*), count(DISTINCT record), sum(length(record)), max(line_no) FROM load(:'file',
	(SELECT '[' || string_agg(format('{"a": "%s\"é"}', repeat('x', i % 97)), ', ') || ']' FROM generate_series(1, 20000) i));
SELECT count(*), count(DISTINCT record), sum(length(record)), max(line_no) FROM load(:'file',
	(SELECT string_agg(format(E'{\n  "a": "%s\\"é"\n}', repeat('x', i % 97)), E'\n') FROM generate_series(1, 20000) i));

-- ---- the copy_command's options take lines unharmed

SELECT source FROM dmp.create_source('copied');
\copy lake.copied (line) from stdin with (format csv, delimiter E'\x02', quote E'\x01', encoding 'UTF8')
{"a": "x\"y\\z\tb, c", 'd': "\N"}

{"a": "raw	tab and ""two"" quotes"}
\N
  {"a": 1}
\.
SELECT line, line IS NULL AS missing FROM lake.copied ORDER BY id;
SELECT count(*) FROM dmp.drop_source('copied');

-- ---- a line of 50 MB, in one piece, to a column

CREATE TABLE long (id int, body text, mark text);
SELECT source FROM dmp.create_source('long', 'long', mapping => '{"id": "id", "body": "a.body", "mark": "mark"}');
SELECT write(:'file', convert_to(E'{"id": 1}\n{"id": 2, "a": {"body": "' || repeat('0123456789', 5000000) || E'\\n"}, "mark": "é"}\n{"id": 3, "a": {"body": "'
	|| repeat('9876543210', 100000) || E'\n{"id": 4}\n', 'UTF8'));
SELECT rows_read, rows_loaded, rows_quarantined FROM dmp.ingest('long', :'file');
SELECT id, length(body), right(body, 4), mark FROM long ORDER BY id;
SELECT line_no, length(record), record_bytes, reason FROM dmp.quarantine WHERE source = 'long';
-- the same file again: a warning, and nothing
\set VERBOSITY terse
SET client_min_messages = error;
SELECT rows_loaded, bytes FROM dmp.load_file('long', :'file');
SELECT write(:'file', '{"id": 5}');
SELECT rows_loaded, bytes FROM dmp.load_file('long', :'file');
SELECT rows_loaded, bytes FROM dmp.load_file('long', :'file');
-- until its batch is reverted
SELECT into_table, rows_deleted FROM dmp.revert_batch((SELECT batch FROM dmp.batches WHERE source = 'long' AND kind = 'load' AND bytes = 9));
SELECT rows_loaded, bytes FROM dmp.load_file('long', :'file');
RESET client_min_messages;
SELECT * FROM dmp.load_file('long', '/nowhere/there.json');
SELECT * FROM dmp.load_file('long', '/dev/zero');
SELECT * FROM dmp.load_file('long', NULL);
SELECT count(*) FROM dmp.drop_source('long');
COPY (SELECT) TO PROGRAM 'rm -f regress_dmp_load.json';
SET client_min_messages = warning;
DROP SCHEMA regress_dmp_load CASCADE;
