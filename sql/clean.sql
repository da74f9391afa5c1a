-- dmp.clean and dmp.clean_sql
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS dmp;
RESET client_min_messages;
SET timezone = 'UTC';
SET datestyle = 'ISO, MDY';
DELETE FROM dmp.quarantine;

-- the classic job: drop missing rows, drop duplicates, cast click_time, minutes
CREATE TABLE raw (user_id text, click_id text, click_time text, click_duration text, page text, n int);
INSERT INTO raw VALUES
	('1', 'a', '2024-06-01 10:00:00', '90', ' home ', 1),
	('1', 'a', '2024-06-01 11:00:00', '120', 'home', 2),
	('2', 'b', '2024-06-31', '60', 'x', 3),
	(NULL, 'c', '2024-06-02', '60', 'N/A', 4),
	('3', 'd', '2024-06-02 00:00:00', ' 30 ', '?', NULL),
	('4', 'e', '2024-06-02 00:00:00', 'abc', 'y', 5),
	('5', 'f', '2024-06-03 00:00:00', '-10', 'z', 7);
\set classic '[{"trim":"*"},{"missing":["N/A","?",""]},{"drop_missing":["user_id"]},{"cast":{"click_time":"timestamptz","click_duration":"int"}},{"deduplicate":["user_id","click_id"],"keep":"last","by":"click_time"},{"scale":{"click_duration":{"divide":60}}},{"require":"click_duration >= 0"},{"fill":{"page":"mode","n":"median"}},{"rename":{"click_duration":"minutes"}},{"select":["user_id","click_time","minutes","page","n"]}]'
SELECT * FROM dmp.clean('raw', 'cleaned', :'classic');
SELECT * FROM cleaned ORDER BY user_id;
SELECT source, recipe, origin, record, column_name, reason, sqlstate, state FROM dmp.quarantine ORDER BY id;
SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = 'cleaned'::regclass AND attnum > 0 ORDER BY attnum;

-- the compiled SELECT returns the same rows
SELECT dmp.clean_sql('raw', :'classic') AS compiled \gset
\echo :compiled
SELECT count(*) FROM (((:compiled) EXCEPT ALL TABLE cleaned) UNION ALL (TABLE cleaned EXCEPT ALL (:compiled))) d;

-- a query as the source: the rejects are found by tracing, and are the same
DELETE FROM dmp.quarantine;
SELECT step, action, column_name, rows_in, rows_out, cells_changed, rows_quarantined
FROM dmp.clean('SELECT * FROM raw WHERE true -- all', 'traced', :'classic') WHERE step IN (3, 4, 5, 7);
SELECT count(*) FROM ((TABLE traced EXCEPT ALL TABLE cleaned) UNION ALL (TABLE cleaned EXCEPT ALL TABLE traced)) d;
SELECT record, column_name, reason, sqlstate FROM dmp.quarantine ORDER BY reason, record;

-- several columns of a cast fail in one row: the first is named, the row counted once
CREATE TABLE twice AS SELECT 'x' AS a, 'y' AS b UNION ALL SELECT '1', 'y' UNION ALL SELECT '1', '2' UNION ALL SELECT NULL, NULL;
DELETE FROM dmp.quarantine;
SELECT column_name, rows_in, rows_out, cells_changed, rows_quarantined FROM dmp.clean('twice', 'once', '[{"cast":{"a":"int","b":"int"}}]');
SELECT column_name, record FROM dmp.quarantine ORDER BY id;
TABLE once ORDER BY a;

-- trim: white space of all kinds, only at the ends, only text columns
CREATE TABLE spaces AS SELECT * FROM (VALUES
	(1, E' \t a b \r\n'), (2, U&'\3000\4E2D\6587\00A0'), (3, ''), (4, '   '), (5, NULL), (6, U&'\FEFFx\200B'), (7, 'same')) v(i, t);
ALTER TABLE spaces ADD v varchar(10) DEFAULT ' v ', ADD c char(4) DEFAULT ' c ';
SELECT column_name, cells_changed FROM dmp.clean('spaces', 'trimmed', '[{"trim":"*"}]');
SELECT i, quote_nullable(t), quote_nullable(v), quote_nullable(c::text) FROM trimmed ORDER BY i;
SELECT format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = 'trimmed'::regclass AND attnum > 0 ORDER BY attnum;

-- missing: in text columns by text, in others by value
CREATE TABLE gaps (t text, n int, f float8, d date);
INSERT INTO gaps VALUES ('NA', -999, 'NaN', '1900-01-01'), ('x', 1, 1.5, '2024-01-01'), ('''; drop', 0, -999, NULL), (E'\\N', NULL, NULL, NULL);
SELECT column_name, cells_changed FROM dmp.clean('gaps', 'gaps1', '[{"missing":{"*":["NA","''; drop","\\N"],"n":[-999,"0"],"f":["NaN",-999],"d":["1900-01-01"]}}]');
TABLE gaps1 ORDER BY n;
SELECT * FROM dmp.clean('gaps', 'gaps2', '[{"missing":"NA"}]');

-- cast from and to many types; what does not convert is rejected, never NULL
CREATE TYPE color AS ENUM ('red', 'green');
CREATE DOMAIN positive AS int NOT NULL CHECK (VALUE > 0);
CREATE TABLE many AS SELECT i, t, t AS c, t AS p, t AS v, n, n AS n2, f, j, j AS j2 FROM (VALUES
	(1, '1', 1.00::numeric, 1.0::float8, '"7"'::jsonb),
	(2, 'red', 99.994, 2e9, '12'),
	(3, 'green', 99.995, 3e9, '{"a":1}'),
	(4, NULL, NULL, NULL, 'null'),
	(5, '12345', 1.5, 'NaN', '[1]')) v(i, t, n, f, j);
CREATE FUNCTION cast_one(c text, type text) RETURNS TABLE(i int, value text, reason text) LANGUAGE plpgsql AS $$
BEGIN
	DELETE FROM dmp.quarantine;
	PERFORM dmp.clean(format('SELECT i, %I AS x FROM many', c), 'one', json_build_array(json_build_object('cast', json_build_object('x', type))));
	RETURN QUERY EXECUTE 'SELECT i, x::text, NULL FROM one UNION ALL SELECT (record::json->>''i'')::int, NULL, reason FROM dmp.quarantine ORDER BY 1';
	DROP TABLE one;
END $$;
SELECT * FROM cast_one('c', 'color');
SELECT * FROM cast_one('p', 'positive');
SELECT * FROM cast_one('v', 'varchar(4)');
SELECT * FROM cast_one('n', 'int');
SELECT * FROM cast_one('n', 'numeric(4,2)');
SELECT * FROM cast_one('f', 'int');
SELECT * FROM cast_one('f', 'text');
SELECT * FROM cast_one('j', 'int');
SELECT * FROM cast_one('j', 'text');
SELECT * FROM cast_one('i', 'bigint');
SELECT * FROM cast_one('i', 'smallint');
-- domains, from a table (noted) with the type in the result
SELECT column_name, rows_quarantined FROM dmp.clean('many', 'domained', '[{"cast":{"p":"positive","i":"positive"}},{"select":["i","p"]}]');
SELECT i, p, pg_typeof(p) FROM domained ORDER BY i;

-- deduplicate
CREATE TABLE dups (k text, at int, v json);
INSERT INTO dups VALUES ('a', 1, '{"x":1}'), ('a', 3, '{"x":3}'), ('a', NULL, '{"x":0}'), ('A', 2, '[2]'), (NULL, 5, '5'), (NULL, 4, '4'), ('b', 1, '[1]'), ('b', 1, '[0]'), ('b', 1, '[1]');
CREATE FUNCTION dedup(step text) RETURNS SETOF dups LANGUAGE plpgsql AS $$
BEGIN
	PERFORM dmp.clean('dups', 'dedup_out', json_build_array(step::json));
	RETURN QUERY SELECT * FROM dedup_out ORDER BY k COLLATE "C", at, v::text;
	DROP TABLE dedup_out;
END $$;
SELECT * FROM dedup('{"deduplicate":["k"],"keep":"last","by":"at"}');
SELECT * FROM dedup('{"deduplicate":"k","keep":"first","by":"at"}');
SELECT * FROM dedup('{"deduplicate":["k"]}');
SELECT * FROM dedup('{"deduplicate":"*"}');
SELECT * FROM dedup('{"deduplicate":["k"],"quarantine":false}');
DELETE FROM dmp.quarantine;
SELECT action, rows_in, rows_out, rows_quarantined FROM dmp.clean('dups', 'd1', '[{"deduplicate":"*","quarantine":false},{"deduplicate":["k"]},{"require":"at > 1"}]');
SELECT action, rows_in, rows_out, rows_quarantined FROM dmp.clean('TABLE dups', 'd2', '[{"deduplicate":"*","quarantine":false},{"deduplicate":["k"]},{"require":"at > 1"}]');
SELECT origin, record, sqlstate, reason FROM dmp.quarantine ORDER BY origin, reason, record;

-- texts agree by bytes, under any collation
DO $$ BEGIN
	CREATE COLLATION no_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
EXCEPTION WHEN feature_not_supported THEN
	CREATE COLLATION no_case FROM "C";
END $$;
CREATE TABLE cases (t text COLLATE no_case, n int);
INSERT INTO cases VALUES ('a', 1), ('A', 1), ('a', 1);
SELECT rows_in, rows_out, rows_quarantined FROM dmp.clean('cases', 'c1', '[{"deduplicate":"*"}]');
SELECT rows_in, rows_out, rows_quarantined FROM dmp.clean('TABLE cases', 'c2', '[{"deduplicate":"*"}]');
SELECT rows_in, rows_out, rows_quarantined FROM dmp.clean('TABLE cases', 'c3', '[{"deduplicate":"t"}]');

-- scale: over the rows that reach the step
CREATE TABLE measures AS SELECT i, (i * i)::float8 AS x, i AS k, i::bigint * 9007199254740993 AS b, 5 AS same, NULL::float8 AS nothing, i::numeric / 3 AS e FROM generate_series(1, 10) i;
INSERT INTO measures VALUES (11, 'NaN', NULL, NULL, 5, NULL, NULL), (12, 'infinity', 0, 0, 5, NULL, 0);
SELECT * FROM dmp.clean('measures', 'scaled', '[{"require":"i > 2"},{"scale":{"x":"z_score","k":"min_max","b":{"divide":3},"same":"z_score","nothing":"min_max","e":{"divide":0.5}}}]') WHERE action = 'scale';
SELECT max(abs(s.x - (m.x - a.mean) / a.sd)) < 1e-12 AS z, bool_and(s.k = (m.k - 0) / 10.0) AS min_max, bool_and(s.b = m.b::numeric / 3) AS divide,
	bool_and(s.same = 0) AS constant, count(s.nothing) AS nothing, bool_and(s.e = m.e * 2) AS exact
FROM scaled s JOIN measures m USING (i), (SELECT avg(x) AS mean, stddev_pop(x) AS sd FROM measures WHERE i BETWEEN 3 AND 10) a
WHERE i <= 10;
SELECT i, x, k, pg_typeof(b), pg_typeof(same) FROM scaled WHERE i > 10 ORDER BY i;

-- fill: the type stays
CREATE TABLE holes (i int, g text, n int, b bigint, f float8, t text, d date, z int);
INSERT INTO holes VALUES (1, 'a', 1, 9007199254740993, 1, 'x', '2024-01-01', NULL), (2, 'a', 2, 9007199254740995, 2, 'y', '2024-01-03', NULL),
	(3, 'b', 7, NULL, 'infinity', 'Y', NULL, NULL), (4, 'a', NULL, 9007199254740997, NULL, NULL, '2024-01-09', NULL), (5, NULL, NULL, NULL, 'NaN', NULL, NULL, NULL),
	(6, 'c', NULL, 9007199254740995, 6, NULL, NULL, NULL);
SELECT column_name, cells_changed FROM dmp.clean('holes', 'filled', '[{"fill":{"n":"mean","b":"median","f":"median","t":"mode","d":"median","g":"it''s"}},{"fill":{"z":"mean"}}]');
TABLE filled ORDER BY i;
SELECT column_name, cells_changed FROM dmp.clean('holes', 'filled2', '[{"fill":{"n":{"mean_by":"g"},"t":{"constant":"mean"},"z":0,"d":"2024-12-31"}}]');
TABLE filled2 ORDER BY i;
-- statistics after a filter are those of the rows left, from a table and from a query
SELECT column_name, rows_in, cells_changed FROM dmp.clean('holes', 'filled3', '[{"drop_missing":["b"]},{"fill":{"n":{"mean_by":"g"}}},{"scale":{"f":"min_max"}}]');
TABLE filled3 ORDER BY i;
SELECT column_name, rows_in, cells_changed FROM dmp.clean('TABLE holes', 'filled4', '[{"drop_missing":["b"]},{"fill":{"n":{"mean_by":"g"}}},{"scale":{"f":"min_max"}},{"require":"f < 0.5"}]');
SELECT reason, record FROM dmp.quarantine WHERE origin = 'TABLE holes' ORDER BY record;

-- require: false is rejected, NULL passes; an earlier filter guards a later condition
CREATE TABLE amounts AS SELECT * FROM (VALUES (1, 10), (2, -1), (3, NULL), (4, 0)) v(i, a);
SELECT rows_in, rows_out FROM dmp.clean('amounts', 'a1', '[{"require":"a >= 0 -- not negative"}]');
SELECT rows_in, rows_out FROM dmp.clean('amounts', 'a2', '[{"drop_missing":"a"},{"require":"a <> 0"},{"require":"100 / a > 5"}]');
SELECT rows_in, rows_out, rows_quarantined FROM dmp.clean('amounts', 'a3', '[{"require":"a >= 0","quarantine":false}]');

-- rename all at once; select in another order
SELECT * FROM dmp.clean('amounts', 'r1', '[{"rename":{"i":"a","a":"i"}},{"select":["i","a"]},{"require":"a < 3"}]');
TABLE r1 ORDER BY a;

-- no rows, no steps
CREATE TABLE empty (a text, b float8);
SELECT * FROM dmp.clean('empty', 'e1', '[]');
SELECT action, column_name, rows_in, rows_out FROM dmp.clean('empty', 'e2', '[{"trim":"*"},{"cast":{"a":"int"}},{"deduplicate":"*"},{"fill":{"a":"mean","b":"median"}},{"scale":{"b":"z_score"}}]');
SELECT count(*) FROM e2;

-- hostile names and values
CREATE TABLE "; drop table raw; --" ("""" text, "source" text, "rows_1" text, "a.b" text, "dmp_record" text, "select" text, "中 文" text, "it's %s %d" text);
INSERT INTO "; drop table raw; --" VALUES (' 1 ', '2', 'x', '4', '5', '6', '7', '''; --'), ('1', '2', '3', '4', '5', '6', '7', E'\\'' $$ %'), ('1', NULL, '3', '4', '5', '6', '7', '8');
DELETE FROM dmp.quarantine;
SELECT * FROM dmp.clean('"; drop table raw; --"', '"out "" ; --"', '[{"trim":"*"},{"cast":{"\"":"int","rows_1":"int","a.b":"numeric(3,1)"}},{"drop_missing":["source"]},{"missing":["''; --","\\'' $$ %"]},{"deduplicate":["\"","dmp_record"],"keep":"first","by":"it''s %s %d"},{"require":"\"select\" = ''6'' AND \"source\" = ''2''"},{"fill":{"it''s %s %d":"%s''\"$$"}},{"rename":{"中 文":"\";--"}}]');
SELECT * FROM "out "" ; --";
SELECT recipe, origin, column_name, reason, record FROM dmp.quarantine ORDER BY id;
SELECT count(*) FROM raw;

-- if_exists
SELECT dmp.clean('amounts', 'a1', '[]');
SELECT dmp.clean('amounts', 'a1', '[{"require":"a > 5"}]', 'replace');
TABLE a1 ORDER BY i;
SELECT dmp.clean('amounts', 'a1', '[{"require":"a < 5"}]', 'append');
TABLE a1 ORDER BY i;
SELECT dmp.clean('amounts', 'a1', '[]', 'upsert');
SELECT dmp.clean('amounts', 'a1', '[]', 'merge');
-- a table cleaned into itself; the rejects come from what it held
DELETE FROM dmp.quarantine;
SELECT dmp.clean('a1', 'a1', '[{"require":"a < 5"}]', 'replace');
TABLE a1 ORDER BY i;
SELECT record, reason FROM dmp.quarantine;
-- a volatile query is read once
SELECT rows_in, rows_out + rows_quarantined = rows_in AS all_there FROM dmp.clean('SELECT i, random() AS r FROM generate_series(1, 1000) i', 'v1', '[{"require":"r < 0.5"}]');
SELECT count(*) FILTER (WHERE (record::json->>'r')::float8 < 0.5) AS wrong FROM dmp.quarantine WHERE recipe = 'v1';

-- a query that is not the same when read again: everything is undone
CREATE SEQUENCE fickle;
CREATE FUNCTION drift(int) RETURNS bigint LANGUAGE plpgsql STABLE AS 'BEGIN RETURN nextval(''fickle''); END';
SELECT dmp.clean('SELECT i FROM generate_series(1, 11) i WHERE drift(i) % 2 = 1', 'drifted', '[{"require":"i > 1"}]');
SELECT to_regclass('drifted') AS drifted;

-- 1,600 columns
\set ECHO none
SELECT 'CREATE TABLE wide (' || string_agg(format('c%s text', i), ', ') || ')' FROM generate_series(1, 1600) i \gexec
SELECT 'INSERT INTO wide VALUES (' || string_agg(format('''%s''', i), ', ') || ')' FROM generate_series(1, 1600) i \gexec
\set ECHO all
UPDATE wide SET c3 = ' x ';
INSERT INTO wide (c1) VALUES ('1');
SELECT step, action, column_name, rows_in, rows_out, cells_changed, rows_quarantined
FROM dmp.clean('wide', 'wide_out', (SELECT json_build_array('{"trim":"*"}'::json, json_build_object('cast', json_object_agg('c' || i, 'int'))) FROM generate_series(1, 200) i))
WHERE column_name IN ('c1', 'c3', 'c4', 'c200');
SELECT c1, c3, c200, c1600 FROM wide_out;
DROP TABLE wide, wide_out;

-- errors name the step and the column, and say what is known
SELECT dmp.clean('raw', 'x', '[{"trim":"*"},{"trim":"page"},{"trim":"page"},{"cast":{"click_tme":"timestamptz"}}]');
SELECT dmp.clean_sql('raw', '[{"trimm":"*"}]');
SELECT dmp.clean_sql('raw', '[{"trim":"*","cast":{"n":"text"}}]');
SELECT dmp.clean_sql('raw', '[{"deduplicate":"*","kep":"last"}]');
SELECT dmp.clean_sql('raw', '[{"trim":"*","keep":"last"}]');
SELECT dmp.clean_sql('raw', '[{}]');
SELECT dmp.clean_sql('raw', '["trim"]');
SELECT dmp.clean_sql('raw', '{"trim":"*"}');
SELECT dmp.clean_sql('raw', '[{"trim":"*","trim":"page"}]');
SELECT dmp.clean_sql('raw', '[{"trim":"n"}]');
SELECT dmp.clean_sql('raw', '[{"trim":5}]');
SELECT dmp.clean_sql('raw', '[{"trim":[]}]');
SELECT dmp.clean_sql('raw', '[{"trim":["page","page"]}]');
SELECT dmp.clean_sql('raw', '[{"missing":[null]}]');
SELECT dmp.clean_sql('raw', '[{"missing":{"n":["abc"]}}]');
SELECT dmp.clean_sql('raw', '[{"cast":{"n":"no_such_type"}}]');
SELECT dmp.clean_sql('raw', '[{"cast":{"n":"anyelement"}}]');
SELECT dmp.clean_sql('raw', '[{"cast":{"n":5}}]');
SELECT dmp.clean_sql('raw', '[{"cast":"n"}]');
SELECT dmp.clean_sql('raw', '[{"deduplicate":["page"],"keep":"last"}]');
SELECT dmp.clean_sql('raw', '[{"deduplicate":["page"],"keep":"newest","by":"n"}]');
SELECT dmp.clean_sql('raw', '[{"deduplicate":["page"],"keep":"last","by":"m"}]');
SELECT dmp.clean_sql('raw', '[{"drop_missing":"*","quarantine":"no"}]');
SELECT dmp.clean_sql('raw', '[{"scale":{"page":"z_score"}}]');
SELECT dmp.clean_sql('raw', '[{"scale":{"n":"zscore"}}]');
SELECT dmp.clean_sql('raw', '[{"scale":{"n":{"divide":0}}}]');
SELECT dmp.clean_sql('raw', '[{"fill":{"page":"mean"}}]');
SELECT dmp.clean_sql('raw', '[{"fill":{"n":"twelve"}}]');
SELECT dmp.clean_sql('raw', '[{"fill":{"n":{"mean_of":"page"}}}]');
SELECT dmp.clean_sql('raw', '[{"fill":{"n":"forward"}}]');
SELECT dmp.clean_sql('raw', '[{"rename":{"n":"page"}}]');
SELECT dmp.clean_sql('raw', '[{"rename":{"n":""}}]');
SELECT dmp.clean_sql('raw', '[{"select":[]}]');
SELECT dmp.clean_sql('raw', '[{"select":["m"]}]');
SELECT dmp.clean_sql('raw', '[{"rename":{"n":"m"}},{"select":["n"]}]');
SELECT dmp.clean_sql('raw', '[{"require":"m > 1"}]');
SELECT dmp.clean_sql('raw', '[{"require":"n >"}]');
SELECT dmp.clean_sql('raw', '[{"require":"n + 1"}]');
SELECT dmp.clean_sql('raw', '[{"require":"true) OR (true"}]');
SELECT dmp.clean_sql('raw', '[{"require":"true FROM raw"}]');
SELECT dmp.clean_sql('raw', '[{"require":"true; DROP TABLE raw"}]');
SELECT dmp.clean_sql('raw', '[{"require":"true /* open"}]');
SELECT dmp.clean_sql('raw', '[{"require":"count(*) > 1"}]');
SELECT dmp.clean_sql('raw', '[{"require":true}]');
SELECT dmp.clean_sql('raww', '[]');
SELECT dmp.clean_sql('SELECT 1 AS a, 2 AS a', '[]');
CREATE TABLE no_columns ();
SELECT dmp.clean_sql('no_columns', '[]');
SELECT dmp.clean_sql(NULL, '[]');
SELECT dmp.clean_sql('raw', NULL);
SELECT dmp.clean('raw', NULL, '[]');
SELECT dmp.clean_sql('raw', '[{"trim":');
-- the counting functions are of no use on their own
SELECT dmp_internal.tick(1, 0);
SELECT dmp_internal.tick(0, 0);

-- the statement in an error's context has the number of the run
\set SHOW_CONTEXT never

-- nothing half done: an error while running leaves no table and no quarantine
DELETE FROM dmp.quarantine;
SELECT dmp.clean('amounts', 'half', '[{"drop_missing":"a"},{"require":"10 / a > 0"}]');
SELECT to_regclass('half') AS half, count(*) FROM dmp.quarantine;
-- an error that is caught leaves the session fit to clean again
DO $$
BEGIN
	PERFORM dmp.clean('amounts', 'half', '[{"drop_missing":"a"},{"require":"10 / a > 0"}]');
EXCEPTION WHEN division_by_zero THEN
	PERFORM dmp.clean('amounts', 'whole', '[{"drop_missing":"a"},{"require":"a > 0"}]');
END $$;
TABLE whole;
-- a table with a trigger that cleans
CREATE TABLE outer_rows (i int, a int);
CREATE FUNCTION clean_inside() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	PERFORM dmp.clean('amounts', 'inner_' || NEW.i, '[{"require":"a > 0"}]');
	RETURN NEW;
END $$;
CREATE TRIGGER inside BEFORE INSERT ON outer_rows FOR EACH ROW EXECUTE FUNCTION clean_inside();
DELETE FROM dmp.quarantine;
SELECT * FROM dmp.clean('amounts', 'outer_rows', '[{"require":"a >= 0"}]', 'append');
SELECT recipe, count(*), min(record) FROM dmp.quarantine GROUP BY 1 ORDER BY 1;
-- it can be cancelled
SET statement_timeout = '200ms';
SELECT dmp.clean('SELECT i::text AS a FROM generate_series(1, 100000000) i', 'half', '[{"trim":"*"},{"cast":{"a":"int"}}]');
RESET statement_timeout;
SELECT to_regclass('half') AS half;

-- rights: those of the caller
CREATE ROLE regress_cleaner;
CREATE SCHEMA mine AUTHORIZATION regress_cleaner;
CREATE TABLE secret AS SELECT 1 AS a;
CREATE TABLE guarded (who text, a text);
INSERT INTO guarded VALUES ('regress_cleaner', '1'), ('regress_cleaner', 'x'), ('other', '2'), ('other', 'y');
ALTER TABLE guarded ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON guarded USING (who = current_user);
GRANT SELECT ON guarded, amounts TO regress_cleaner;
CREATE TABLE by_column (a text, b text);
INSERT INTO by_column VALUES ('1', 'b'), ('x', 'b');
GRANT SELECT (a) ON by_column TO regress_cleaner;
CREATE TABLE all_columns (a text);
INSERT INTO all_columns VALUES ('1'), ('x');
GRANT SELECT (a) ON all_columns TO regress_cleaner;
SET ROLE regress_cleaner;
SELECT dmp.clean('secret', 'mine.out', '[]');
SELECT dmp.clean('guarded', 'public.out', '[]');
SELECT rows_in, rows_out, rows_quarantined FROM dmp.clean('guarded', 'mine.out', '[{"cast":{"a":"int"}}]');
TABLE mine.out;
SELECT record, owner FROM dmp.quarantine;
SELECT rows_quarantined FROM dmp.clean('SELECT a FROM by_column', 'mine.out2', '[{"cast":{"a":"int"}}]');
SELECT rows_quarantined FROM dmp.clean('all_columns', 'mine.out3', '[{"cast":{"a":"int"}}]');
SELECT dmp.clean('amounts', 'mine.out4', '[{"require":"(SELECT a FROM secret) = 1"}]');
RESET ROLE;

-- parallel = serial: result, counts and quarantine
CREATE TABLE many_rows AS SELECT (i % 1000)::text AS u, CASE WHEN i % 97 = 0 THEN 'bad' WHEN i % 89 = 0 THEN '' ELSE ' ' || i || ' ' END AS v, i % 7 AS k FROM generate_series(1, 30000) i;
\set big '[{"trim":"*"},{"missing":[""]},{"drop_missing":["v"]},{"cast":{"v":"bigint","u":"int"}},{"require":"v % 1013 <> 0"},{"scale":{"k":{"divide":4}}}]'
DELETE FROM dmp.quarantine;
SET max_parallel_workers_per_gather = 0;
CREATE TABLE serial_report AS SELECT * FROM dmp.clean('many_rows', 'serial_rows', :'big');
SET max_parallel_workers_per_gather = 2;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
CREATE TABLE parallel_report AS SELECT * FROM dmp.clean('many_rows', 'parallel_rows', :'big');
SELECT dmp.clean_sql('many_rows', :'big') AS compiled \gset
EXPLAIN (COSTS off) :compiled;
SELECT count(*) FROM ((TABLE serial_report EXCEPT ALL TABLE parallel_report) UNION ALL (TABLE parallel_report EXCEPT ALL TABLE serial_report)) d;
SELECT count(*), sum(v) FROM serial_rows;
SELECT count(*) FROM ((TABLE serial_rows EXCEPT ALL TABLE parallel_rows) UNION ALL (TABLE parallel_rows EXCEPT ALL TABLE serial_rows)) d;
SELECT count(*), count(DISTINCT (record, reason)) FROM dmp.quarantine;
SELECT reason !~ 'bad' AS by_rule, recipe, count(*) FROM dmp.quarantine GROUP BY 1, 2 ORDER BY 1, 2;
TABLE serial_report ORDER BY step, column_name;

-- what takes subtransactions is kept out of parallel plans; a spelling that only the server's parser decides is not
CREATE TABLE peers AS SELECT '10.0.' || i % 300 || '.1' AS ip, CASE WHEN i % 5 = 0 THEN '5 mar/berlin' ELSE '2024-01-01' END AS at FROM generate_series(1, 20000) i;
SELECT column_name, rows_out, rows_quarantined FROM dmp.clean('peers', 'peers_inet', '[{"cast":{"ip":"inet"}}]');
SELECT column_name, rows_out, rows_quarantined FROM dmp.clean('peers', 'peers_time', '[{"cast":{"at":"timestamptz"}}]');
SELECT reason, count(*) FROM dmp.quarantine WHERE reason ~ 'mar.berlin' GROUP BY 1;
SHOW max_parallel_workers_per_gather;

DELETE FROM dmp.quarantine;
SET client_min_messages = warning;
DROP SCHEMA mine CASCADE;
DROP OWNED BY regress_cleaner;
DROP ROLE regress_cleaner;
