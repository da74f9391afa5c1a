-- bad input for every step of a recipe: an error that names the step and the column, nothing half done
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS dmp;
SET datestyle = 'ISO, MDY';
SET timezone = 'UTC';
SET xmloption = content;
DELETE FROM dmp.quarantine;
CREATE SCHEMA hostile;
SET search_path = hostile, public;

-- steps as templates: @T a text column, @N a number, @C any column, @O an order; @q.. the same as an SQL identifier
CREATE TABLE template (n int GENERATED ALWAYS AS IDENTITY, step text);
INSERT INTO template (step) VALUES
	('{"trim":"@T"}'), ('{"missing":{"@T":["7",""]}}'), ('{"missing":["x"]}'), ('{"drop_missing":["@T","@N"]}'), ('{"cast":{"@T":"int"}}'), ('{"cast":{"@N":"text"}}'),
	('{"text":["@T"]}'), ('{"email":"@T"}'), ('{"email":"@T","action":"missing"}'), ('{"phone":{"@T":"DE"},"action":"keep"}'), ('{"url":"@T"}'),
	('{"number":"@T"}'), ('{"number":{"@T":{"decimal_mark":","}},"action":"missing"}'), ('{"time":"@T","action":"missing"}'), ('{"map":{"@T":{"1":"2"}}}'), ('{"map":{"@T":{"1":"2"},"@N":{"1":2}},"otherwise":"missing"}'),
	('{"map":{"@T":{"1":"2"}},"otherwise":"quarantine"}'), ('{"deduplicate":["@T"],"keep":"last","by":"@O"}'), ('{"deduplicate":"*"}'), ('{"deduplicate":["@N"],"quarantine":false}'),
	('{"scale":{"@N":"z_score"}}'), ('{"scale":{"@N":"min_max"}}'), ('{"scale":{"@N":"robust"}}'), ('{"scale":{"@N":{"divide":3}}}'),
	('{"clip":{"@N":"iqr"}}'), ('{"clip":{"@N":{"method":"mad","k":1}},"action":"missing"}'), ('{"clip":{"@N":{"method":"quantile","low":0.2,"high":0.8},"@O":{"method":"range","high":"5"}},"action":"quarantine"}'),
	('{"fill":{"@T":"mode","@N":"median"}}'), ('{"fill":{"@N":"mean"}}'), ('{"fill":{"@T":"v","@N":{"constant":4}}}'), ('{"fill":{"@N":{"mean_by":"@T"}}}'), ('{"fill":{"@N":{"median_by":["@T"]},"@T":{"mode_by":"@O"}}}'),
	('{"fill":{"@T":{"forward":{"by":"@N","order":"@O"}}}}'), ('{"fill":{"@T":"backward"},"order":["@O","@N"]}'), ('{"fill":{"@N":{"knn":2,"by":["@O"]}}}'),
	('{"require":"@qN > 1"}'), ('{"derive":{"@T":"@qN + @qO","@N":"@qT"}}'), ('{"derive":{"new":"@qT || 1"}}'), ('{"rename":{"@T":"@N","@N":"@T"}}'), ('{"select":["@O","@T"]}'),
	('{"canonicalize":{"@T":"fingerprint"}}'), ('{"functional_dependency":{"@T":"@N"}}'), ('{"repair":"@T"}');
-- what others add is tried, too
SELECT action AS not_in_the_templates FROM dmp.recipe_steps WHERE NOT EXISTS (SELECT FROM template WHERE starts_with(step, format('{"%s"', action))) GROUP BY 1;
DELETE FROM template WHERE NOT EXISTS (SELECT FROM dmp.recipe_steps WHERE starts_with(step, format('{"%s"', action)));

-- the answer, the rows and the rejected rows of a step, as one text; an error as its text
CREATE FUNCTION outcome(query text, recipe text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	answer text;
	detail text;
BEGIN
	SELECT string_agg(format('%s %s %s %s %s', a.action, a.rows_in, a.rows_out, a.cells_changed, a.rows_quarantined), E'\n' ORDER BY step)
	INTO answer FROM dmp.clean(query, 'hostile.result', ('[' || recipe || ']')::json) a;
	EXECUTE 'SELECT $1 || E''\n'' || coalesce(string_agg(r::text, E''\n'' ORDER BY r::text), '''') FROM hostile.result r' INTO answer USING answer;
	DROP TABLE hostile.result;
	SELECT answer || coalesce(string_agg(E'\n' || sqlstate, '' ORDER BY sqlstate), '') INTO answer FROM dmp.quarantine;
	DELETE FROM dmp.quarantine;
	RETURN answer;
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
	RETURN SQLSTATE || ' ' || SQLERRM;
END $$;
CREATE FUNCTION filled(step text, t text, n text, o text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	name text;
	i int := 0;
BEGIN
	FOREACH name IN ARRAY ARRAY[quote_ident(t), quote_ident(n), quote_ident(o), t, n, o] LOOP
		step := replace(step, (ARRAY['@qT', '@qN', '@qO', '@T', '@N', '@O'])[i + 1], substr(to_json(name)::text, 2, length(to_json(name)::text) - 2));
		i := i + 1;
	END LOOP;
	RETURN step;
END $$;

-- names: the outcome is that of plain names, from a table and from a query
CREATE TABLE plain (t text, n float8, o int);
INSERT INTO plain VALUES ('1', 1, 1), (' 1', 2, 2), ('x', 30, 3), (NULL, 4, 4), ('7', NULL, 5), ('1', 1, 1), ('a@b.org', 0, 6), ('', 2, 7), ('b.org', 1, 8);
CREATE TABLE name (n int GENERATED ALWAYS AS IDENTITY, t text, v text, o text);
INSERT INTO name (t, v, o) VALUES
	('"', 'a.b', ''''), ('a"b', '"; drop table plain; --', 'a b'), ('select', ' ', '*/'), (repeat('n', 63), repeat('n', 62) || 'm', repeat('列', 21)), ('列 名', 'é', '$1'), (E'\\', '%s', E'\n'),
	('source', 'rows_1', 'stats_1'), ('dmp_record', 'dmp_reject', 'dmp_before_1'), ('b1', 'm', 'x');
DO $$
DECLARE
	s record;
	names record;
	expected text;
	got text;
	n int := 0;
BEGIN
	FOR s IN SELECT * FROM template ORDER BY n LOOP
		expected := hostile.outcome('hostile.plain', hostile.filled(s.step, 't', 'n', 'o'));
		FOR names IN SELECT * FROM name ORDER BY n LOOP
			EXECUTE format('CREATE TABLE hostile.%I AS SELECT t AS %I, n AS %I, o AS %I FROM hostile.plain', names.v, names.t, names.v, names.o);
			got := hostile.outcome(format(CASE WHEN (s.n + names.n) % 2 = 0 THEN 'hostile.%I' ELSE 'SELECT * FROM hostile.%I' END, names.v), hostile.filled(s.step, names.t, names.v, names.o));
			n := n + 1;
			IF got IS DISTINCT FROM expected THEN
				RAISE WARNING E'% with names % % %:\n%\nand not\n%', s.step, names.t, names.v, names.o, got, expected;
			END IF;
			EXECUTE format('DROP TABLE hostile.%I', names.v);
		END LOOP;
		IF expected ~ '^[0-9A-Z]{5} ' THEN
			RAISE WARNING '%: %', s.step, expected;
		END IF;
	END LOOP;
	RAISE WARNING 'names tried: %', n > 300;
END $$;

-- types: a step works on a column, or says of which column it does not
CREATE TYPE mood AS ENUM ('sad', 'happy');
CREATE DOMAIN small AS int NOT NULL CHECK (VALUE < 100);
CREATE DOMAIN word AS text CHECK (VALUE <> 'no');
CREATE TYPE pair AS (a int, b text);
CREATE TABLE typed (k int, c_int2 int2, c_int4 int4, c_int8 int8, c_numeric numeric, c_numeric_2 numeric(5,2), c_float4 float4, c_float8 float8, c_money money, c_bool bool, c_text text, c_varchar varchar(5), c_char char(5), c_onechar "char",
	c_name name, c_bytea bytea, c_date date, c_time time, c_timetz timetz, c_timestamp timestamp, c_timestamptz timestamptz(2), c_interval interval, c_uuid uuid, c_json json, c_jsonb jsonb, c_xml xml, c_bit bit(3), c_varbit varbit,
	c_inet inet, c_cidr cidr, c_macaddr macaddr, c_point point, c_box box, c_polygon polygon, c_ints int[], c_texts text[], c_range int4range, c_ranges int4multirange, c_tsvector tsvector, c_tsquery tsquery, c_mood mood, c_small small,
	c_word word, c_pair pair, c_pairs pair[], c_oid oid, c_regclass regclass, c_lsn pg_lsn, c_xid xid, c_tid tid, c_jsonpath jsonpath, c_vector int2vector);
INSERT INTO typed VALUES (1, 1, 1, 1, 1, 1, 1, 1, 1, true, '1', '1', '1', '1', '1', '1', '2024-01-01', '01:01', '01:01+01', '2024-01-01', '2024-01-01', '1 day', '00000000-0000-0000-0000-000000000001', '1', '1', '1', '101', '1', '1.1.1.1', '1.1.1.1', '01:01:01:01:01:01',
	'(1,1)', '(1,1),(0,0)', '((1,1),(0,0))', '{1}', '{1}', '[1,2)', '{[1,2)}', '1', '1', 'sad', 1, '1', '(1,1)', ARRAY[(1, '1')::pair], 1, 'plain', '0/1', '1', '(1,1)', '$', '1');
INSERT INTO typed (k, c_small, c_int4, c_numeric, c_numeric_2, c_float4, c_float8) VALUES (2, 9, 8, 'NaN', 2.5, 'NaN', 'infinity'), (3, 5, 7, -1, 100, -1, 3), (4, 6, 9, 50, 7, 7, 7);
CREATE TABLE outcomes (step text, column_name text, source text, outcome text);
DO $$
DECLARE
	s record;
	c record;
	source text;
BEGIN
	FOR s IN SELECT * FROM template WHERE step !~ '@.*@[NTO].*@[NTO]|^{"(text|phone|url|number)"|min_max|robust|false}' AND step ~ '@' ORDER BY n LOOP
		FOR c IN SELECT attname, attnum FROM pg_attribute WHERE attrelid = 'hostile.typed'::regclass AND attnum > 1 LOOP
			FOREACH source IN ARRAY ARRAY['SELECT k, %I FROM hostile.typed', 'SELECT k, %I FROM hostile.typed WHERE false'] LOOP
				CONTINUE WHEN source ~ 'false' AND c.attnum % 9 > 0;
				INSERT INTO outcomes VALUES (s.step, c.attname, source, hostile.outcome(format(source, c.attname), hostile.filled(s.step, c.attname, CASE WHEN s.step ~ '@q?T' THEN 'k' ELSE c.attname END, 'k')));
			END LOOP;
		END LOOP;
	END LOOP;
END $$;
-- neither of the two
SELECT step, column_name, source ~ 'false' AS empty, outcome FROM outcomes
WHERE outcome ~ '^[0-9A-Z]{5} ' AND (outcome !~ '^[0-9A-Z]{5} recipe step 1: ' OR NOT (outcome ~ column_name OR step ~ 'require|derive') OR outcome ~ '^XX') ORDER BY 1, 2, 3;
-- an empty table is refused as a full one is
SELECT f.step, f.column_name, f.outcome, e.outcome FROM outcomes f JOIN outcomes e USING (step, column_name)
WHERE f.source !~ 'false' AND e.source ~ 'false' AND (f.outcome ~ '^[0-9A-Z]{5} ') <> (e.outcome ~ '^[0-9A-Z]{5} ') ORDER BY 1, 2;
SELECT count(*) FILTER (WHERE outcome ~ '^[0-9A-Z]{5} ') > 300 AS refused, count(*) FILTER (WHERE outcome !~ '^[0-9A-Z]{5} ') > 300 AS done FROM outcomes;

-- documents: whatever stands for the argument of an action, it is taken or refused, and nothing is left behind
CREATE TABLE document (n int GENERATED ALWAYS AS IDENTITY, argument text);
INSERT INTO document (argument) VALUES ('null'), ('true'), ('5'), ('-1e400'), ('""'), ('"nosuch"'), ('"t"'), ('[]'), ('{}'), ('[null]'), ('[5]'), ('[[]]'), ('[["t"]]'), ('[{}]'), ('["t","t"]'), ('["nosuch"]'), ('{"t":null}'), ('{"t":5}'), ('{"t":""}'),
	('{"t":[]}'), ('{"t":{}}'), ('{"t":[null]}'), ('{"t":{"a":{"b":[]}}}'), ('{"nosuch":"x"}'), ('{"":"x"}'), ('{"t":"nosuch"}'), ('{"n":"nosuch"}'), ('{"n":{"method":"nosuch"}}'), ('{"n":{"method":"iqr","k":-1}}'), ('{"n":{"method":"iqr","k":"x"}}'),
	('{"n":{"method":"iqr","low":1}}'), ('{"n":{"method":"range","low":"x"}}'), ('{"o":{"method":"range","high":1e10}}'), ('{"n":{"method":"quantile","low":2}}'), ('{"n":{"divide":"x"}}'), ('{"n":{"divide":1e400}}'), ('{"n":{"knn":1e9,"by":"o"}}'),
	('{"n":{"constant":{}}}'), ('{"t":{"forward":{}}}'), ('{"t":{"forward":null}}'), ('{"t":{"mean_by":[]}}'), ('{"t":"1; drop table plain"}'), ('{"t":"1) FROM plain; --"}'), ('{"t":"count(*)"}'), ('{"t":"sum(n) OVER ()"}'), ('{"t":"generate_series(1,2)"}'),
	('{"t":"(SELECT n FROM plain)"}'), ('{"t":"row(1,2)"}'), ('{"t":"1 AS x"}'), ('{"t":"$1"}'), ('{"t":"nosuch(1)"}'), ('{"t":"1/0"}'), (format('{"%s":"1"}', repeat('x', 64))), ('{"t":{"' || repeat('x', 100000) || '":"y"}}'), ('"' || repeat('(', 10000) || '"');
DO $$
DECLARE
	a record;
	d record;
	got text;
	taken int := 0;
	refused int := 0;
BEGIN
	FOR a IN SELECT DISTINCT action FROM dmp.recipe_steps ORDER BY 1 LOOP
		FOR d IN SELECT * FROM document ORDER BY n LOOP
			got := hostile.outcome('hostile.plain', format('{"%s":%s}', a.action, d.argument));
			IF got !~ '^[0-9A-Z]{5} ' THEN
				taken := taken + 1;
			ELSIF got ~ '^[0-9A-Z]{5} recipe step 1[: ]' AND got !~ '^XX' THEN
				refused := refused + 1;
			ELSE
				RAISE WARNING '% %: %', a.action, left(d.argument, 60), left(got, 300);
			END IF;
		END LOOP;
	END LOOP;
	RAISE WARNING 'taken: %, refused: %', taken > 30, refused > 800;
END $$;

-- keys that are unknown, columns that are misspelt: each action says what there is
CREATE FUNCTION refusal(query text, recipe text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	detail text;
	hint text;
BEGIN
	PERFORM dmp.clean_sql(query, recipe::json);
	RETURN NULL;
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
	RETURN concat_ws(' | ', SQLERRM, nullif(detail, ''), nullif(hint, ''));
END $$;
CREATE TABLE steps_events (user_id bigint, click_time text, click_duration int, order_value float8, page text);
SELECT s.action, r.refusal FROM dmp.recipe_steps s, refusal('steps_events', format('[{"trim":"*"},%s]', jsonb_set(s.example::jsonb, '{nosuch}', '1'))) AS r(refusal)
WHERE NOT starts_with(r.refusal, format('recipe step 2: unknown key "nosuch" | Keys beside "%s": ', s.action)) ORDER BY 1, 2;
SELECT s.action, r.refusal FROM dmp.recipe_steps s,
	refusal('steps_events', format('[%s]', replace(replace(replace(replace(replace(example::text, 'user_id', 'user_ids'), 'page', 'pages'), 'click_time', 'click_tme'), 'order_value', 'order_val'), 'click_duration', 'clik_duration'))) AS r(refusal)
WHERE r.refusal IS NULL AND s.example::text ~ 'user_id|page|click_time|order_value|click_duration'
	OR r.refusal !~ '^recipe step 1: (column "minutes": )?column "(user_ids|pages|click_tme|order_val|clik_duration)" does not exist \| Columns at this step: user_id, click_time, click_duration, order_value, page\. \| Did you mean "(user_id|page|click_time|order_value|click_duration)"\?$' ORDER BY 1, 2;
SELECT refusal('steps_events', '[{"map":{"pages":{"a":"b"}}}]');

-- no columns, columns that come twice, all columns there can be
CREATE TABLE none ();
SELECT DISTINCT refusal('none', format('[%s]', example)) FROM dmp.recipe_steps;
SELECT DISTINCT refusal('SELECT 1 AS page, 2 AS page', format('[%s]', example)) FROM dmp.recipe_steps;
SELECT refusal('SELECT * FROM plain; SELECT 1', '[]'), refusal('DELETE FROM plain', '[]'), refusal('', '[]'), refusal('nosuch', '[]');
SELECT refusal('plain', NULL), refusal(NULL, '[]'), refusal('plain', '5'), refusal('plain', '[null]'), refusal('plain', '[{"trim":"*"},[]]');
DO $$
BEGIN
	EXECUTE 'CREATE TABLE hostile.wide (' || (SELECT string_agg(format('c%s %s', i, (ARRAY['text', 'int'])[1 + i % 2]), ', ') FROM generate_series(1, 1600) i) || ')';
	EXECUTE 'INSERT INTO hostile.wide VALUES (' || (SELECT string_agg(CASE WHEN i % 7 = 0 THEN 'NULL' ELSE format('''%s''', i) END, ', ') FROM generate_series(1, 1600) i) || ')';
END $$;
INSERT INTO wide (c1, c2) VALUES (1, '2'), (3, ' 4');
DO $$
DECLARE
	s record;
	got text;
BEGIN
	FOR s IN SELECT * FROM template WHERE step ~ 'last|forward|knn|derive|email":"@T"}|functional' ORDER BY n LOOP
		got := hostile.outcome('hostile.wide', hostile.filled(s.step, 'c2', 'c1', 'c3'));
		IF got ~ '^[0-9A-Z]{5} ' THEN
			RAISE WARNING '%: %', s.step, left(got, 300);
		END IF;
	END LOOP;
	FOREACH got IN ARRAY ARRAY['{"deduplicate":"*"}', '{"fill":{"*":"mode"}}', '{"number":"*"}', '{"drop_missing":"*"}', '{"map":{"*":{"1":2}}}'] LOOP
		s := (got, left(hostile.outcome('hostile.wide', got), 300));
		IF s.f2 ~ '^[0-9A-Z]{5} ' THEN
			RAISE WARNING '%: %', s.f1, s.f2;
		END IF;
	END LOOP;
END $$;

-- nothing is left: no table, no rejected rows
SELECT relname FROM pg_class WHERE relnamespace = 'hostile'::regnamespace AND relname = 'result';
SELECT count(*) FROM dmp.quarantine;
SELECT count(*) FROM plain;

-- values: no text is an error, NULL gives NULL
CREATE TABLE texts AS SELECT t FROM unnest(ARRAY[NULL, '', ' ', E'\t\n', '%s%n', '''; drop table plain; --', '"', E'\\', '\x00', 'NaN', '-', '.', ',', '+', '@', '0', '１２３', '万', '亿', '壹', U&'\200F', U&'\FEFF', U&'\+01F600', U&'e\0301',
	'1e999999999', '9223372036854775808', '2024年13月32日', 'http://', 'a@b', 'ann@[1.1.1.1]', '+', '00', '(', '{"a":', '<script>', repeat('a', 100000), repeat('1', 100000), repeat('@', 10000), repeat(' x', 50000), repeat('.', 10000)]) t;
DO $$
DECLARE
	f record;
	x record;
	answer text;
BEGIN
	FOR f IN SELECT p.oid::regproc AS name FROM pg_proc p WHERE pronamespace = 'dmp'::regnamespace AND prokind = 'f' AND NOT proretset AND provolatile = 'i' AND proargtypes[0] = 'text'::regtype
		AND pronargs = pronargdefaults + 1 ORDER BY 1 LOOP
		FOR x IN SELECT t FROM hostile.texts LOOP
			BEGIN
				EXECUTE format('SELECT %s($1)', f.name) INTO answer USING x.t;
				IF x.t IS NULL AND answer <> '' THEN
					RAISE WARNING '%(NULL): %', f.name, answer;
				END IF;
			EXCEPTION WHEN OTHERS THEN
				RAISE WARNING '%(%): %', f.name, left(x.t, 50), left(SQLERRM, 200);
			END;
		END LOOP;
	END LOOP;
END $$;
RESET search_path;
SET client_min_messages = error;
DROP SCHEMA hostile CASCADE;
