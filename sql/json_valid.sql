-- the json scanner agrees with the server's parser, and every line is accounted for
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS dmp;
RESET client_min_messages;
CREATE SCHEMA regress_dmp_json;
SET search_path = regress_dmp_json, public;

CREATE TABLE item (a int, b text, c jsonb, d timestamptz);
-- what the server says: valid, or not (out of range is not about grammar)
CREATE FUNCTION server_says(line text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
	PERFORM line::jsonb;
	RETURN true;
EXCEPTION WHEN numeric_value_out_of_range THEN RETURN true;
	WHEN OTHERS THEN RETURN false;
END $$;
CREATE FUNCTION we_say(line text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
	message text;
BEGIN
	PERFORM dmp.decode(line, NULL::item);
	RETURN true;
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS message = MESSAGE_TEXT;
	RETURN message NOT LIKE 'invalid json%';
END $$;

CREATE TABLE seed (n int, line text);
INSERT INTO seed SELECT row_number() OVER (), line FROM (VALUES
	('{"a": 1, "b": "x", "c": {"d": [1, 2.5e-3, {"e": null}]}, "d": "2024-01-01"}'),
	('{"a":-0.0e+10,"b":"\u00e9\ud83d\ude00\"\\\/\b\f\n\r\t","c":[[],{},[{}]],"zz":true}'),
	('  [ 1 , "two" , false , { "a" : [ ] } , -12.5E7 ]  '),
	('"a string"'), ('12'), ('null'), ('{"": {"": {"": ""}}}'),
	('{"b": "中文 и русский", "é": "\u4e2d\uD834\uDD1E", "a": 007}')) v (line);

-- cases by hand
SELECT line, we_say(line) AS valid FROM (VALUES ('{}'), ('{"a":1,}'), ('[1,]'), ('{,}'), ('{"a"}'), ('{"a":}'), ('{a:1}'), ('01'), ('-'), ('1.'), ('.5'),
	('+1'), ('1e'), ('1e+'), ('0x1'), ('"\x"'), ('"\u12"'), ('"\udc00"'), ('"\ud83d"'), ('"\ud83dx"'), ('"\ud83d\u0041"'), ('"\u0000"'), ('tru'), ('truex'),
	('nulll'), ('"'), ('"\'), ('{"a":1}}'), ('[1 2]'), ('{"a" 1}'), ('1 2'), ('NaN'), ('Infinity'), ('{"a":1"b":2}'), (E'"\t"'), (E'"\x7f"'), ('[1],'),
	('-0'), ('1E400'), ('{"a":{"a":{"a":1}}}'), (E'\u00a0{}'), (''), (' '), ('[[[[]]]]]')) v (line)
WHERE we_say(line) OR NOT server_says(line) OR we_say(line) <> server_says(line);

-- mutations: bytes changed, removed, repeated, swapped between records
CREATE FUNCTION mutate(line text, other text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	at int := 1 + (random() * length(line))::int;
	part text;
BEGIN
	FOR i IN 0 .. (random() * 3)::int LOOP
		part := CASE (random() * 6)::int
			WHEN 0 THEN ''
			WHEN 1 THEN substr('{}[],:"\ -+.eEtrufalsn0123456789u', 1 + (random() * 32)::int, 1)
			WHEN 2 THEN substr(line, at, 1) || substr(line, at, 1)
			WHEN 3 THEN substr(other, at, (random() * 8)::int)
			WHEN 4 THEN chr(1 + (random() * 300)::int)
			WHEN 5 THEN '\u' || to_hex((random() * 65535)::int)
			ELSE '\ud83d' END;
		line := overlay(line PLACING part FROM at FOR (random() * 2)::int);
		at := 1 + (random() * length(line))::int;
	END LOOP;
	RETURN line;
END $$;
SELECT setseed(0.5);
CREATE TABLE lines AS
SELECT mutate(s.line, o.line) AS line FROM generate_series(1, 200) i, seed s, seed o WHERE o.n <= 4;
SELECT count(*) FROM lines;
SELECT count(*) > 300 AS valid, (SELECT count(*) > 1000 FROM lines WHERE NOT we_say(line)) AS not_valid FROM lines WHERE we_say(line);
SELECT line, we_say(line), server_says(line) FROM lines WHERE we_say(line) <> server_says(line) ORDER BY line LIMIT 10;

-- any lines: read = loaded + duplicate + quarantined, and nothing else is lost
SELECT source FROM dmp.create_source('mutated', 'item', key => '{a}');
INSERT INTO lake.mutated (line) SELECT line FROM lines;
INSERT INTO lake.mutated (line) SELECT format('{"a": %s}', i % 50) FROM generate_series(1, 100) i;
SELECT rows_read = (SELECT count(*) FROM lake.mutated WHERE line ~ '[^ \t\r\n]') AS all_read,
	rows_read = rows_loaded + rows_duplicate + rows_quarantined AS all_told,
	rows_loaded > 50 AND rows_duplicate > 50 AND rows_quarantined > 1000 AS of_all_kinds
FROM dmp.ingest('mutated');
SELECT rows_loaded = (SELECT count(*) FROM item) AS loaded,
	rows_quarantined = (SELECT count(*) FROM dmp.quarantine WHERE source = 'mutated') AS quarantined
FROM dmp.batches WHERE source = 'mutated';
-- what is in quarantine is there letter by letter
SELECT count(*) FROM dmp.quarantine q LEFT JOIN lake.mutated l ON l.id = q.lake_id WHERE q.source = 'mutated' AND l.line IS DISTINCT FROM q.record;

-- deep nesting: refused past a fixed depth, whatever the stack
SELECT depth, we_say(repeat('[', depth) || repeat(']', depth)) AS array, we_say(repeat('{"a":', depth) || '1' || repeat('}', depth)) AS object
FROM (VALUES (4000), (4096), (4097), (100000)) v (depth);
SELECT count(*) FROM dmp.drop_source('mutated');
SET client_min_messages = warning;
DROP SCHEMA regress_dmp_json CASCADE;
