-- recipes by name, their runs, and undoing them
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS dmp;
RESET client_min_messages;

-- numbers of runs differ from place to place
CREATE FUNCTION recipes_try(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	detail text;
BEGIN
	EXECUTE statement;
	RETURN 'done';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
	RETURN regexp_replace(concat_ws(E'\n', SQLSTATE || ' ' || SQLERRM, CASE WHEN detail !~ '^(Known|$)' THEN detail END), '(run "?)\d+', '\1N', 'g');
END $$;

-- ---- versions
SELECT * FROM dmp.create_recipe('recipes_tidy', '[{"trim": "*"}, {"missing": ["N/A", ""]}]');
SELECT * FROM dmp.create_recipe('recipes_tidy', '[]');
SELECT * FROM dmp.alter_recipe('recipes_tidy', '[{"trim": "*"}, {"missing": ["N/A", ""]}, {"drop_missing": ["id"]}, {"cast": {"id": "int", "amount": "numeric"}}]');
SELECT recipe, version, latest, steps, document ->> 0 AS first FROM dmp.recipes WHERE recipe LIKE 'recipes%' ORDER BY 1, 2;
-- a hostile name is a name
SELECT * FROM dmp.create_recipe('recipes "; drop table x; --', '[]');
SELECT * FROM dmp.alter_recipe('recipes "; drop table x; --', '[{"trim": "*"}]');
SELECT * FROM dmp.drop_recipe('recipes "; drop table x; --');

-- what is checked at once
SELECT * FROM dmp.create_recipe('recipes_x', '{}');
SELECT * FROM dmp.create_recipe('recipes_x', '[{"trim": "*"}, 7]');
SELECT recipes_try($$SELECT * FROM dmp.create_recipe('recipes_x', '[{"trim": "*"}, {}]')$$);
SELECT recipes_try($$SELECT * FROM dmp.create_recipe('recipes_x', '[{"trim": "*"}, {"trm": "*"}]')$$);
SELECT * FROM dmp.create_recipe('recipes_x', '[{"trim": "*"}, {"trim": "*", "cast": {}}]');
SELECT * FROM dmp.create_recipe('recipes_x', '[{"deduplicate": "*", "kep": "last"}]');
SELECT * FROM dmp.create_recipe('recipes_x', '[{"trim": "*", "trim": "*"}]');
SELECT * FROM dmp.create_recipe('recipes_x', NULL);
SELECT * FROM dmp.create_recipe(NULL, '[]');
SELECT * FROM dmp.create_recipe('', '[]');
SELECT * FROM dmp.create_recipe('recipes@2', '[]');
SELECT * FROM dmp.create_recipe('recipe:x', '[]');
SELECT * FROM dmp.create_recipe(repeat('x', 64), '[]');
SELECT * FROM dmp.alter_recipe('recipes_tydy', '[]');
SELECT * FROM dmp.drop_recipe('recipes_tydy');

-- ---- runs
CREATE TABLE recipes_raw (id text, name text, amount text);
INSERT INTO recipes_raw VALUES (' 1', 'Ann ', '1.50'), ('2', 'N/A', 'x'), ('', 'Bob', '2'), ('3', 'Eve', NULL), ('4', '', ' 7');
SELECT step, action, column_name, rows_in, rows_out, cells_changed, rows_quarantined FROM dmp.run_recipe('recipes_tidy', 'recipes_raw', 'recipes_out');
SELECT * FROM recipes_out ORDER BY id;
SELECT recipe, version, into_table, if_exists, state, rows_in, rows_out, cells_changed, rows_quarantined, run = lag(run) OVER (ORDER BY run) AS same, done_by = current_user::text::dmp_internal.owner::oid AS mine
FROM (SELECT * FROM dmp.recipe_runs) r WHERE into_table = 'recipes_out'::regclass;
SELECT max(run) AS run FROM dmp.recipe_runs \gset
SELECT batch = :run AS of_the_run, recipe, record, column_name, reason, sqlstate FROM dmp.quarantine WHERE batch = :run ORDER BY id;
-- an older version; a version that is not there
SELECT count(*), min(rows_out) FROM dmp.run_recipe('recipes_tidy@1', 'recipes_raw', 'recipes_out1');
SELECT count(*), min(rows_out) FROM dmp.run_recipe('recipe:recipes_tidy@previous', 'recipes_raw', 'recipes_out2');
SELECT * FROM dmp.run_recipe('recipes_tidy@3', 'recipes_raw', 'recipes_out3');
SELECT * FROM dmp.run_recipe('recipes_tidy@x', 'recipes_raw', 'recipes_out3');
SELECT * FROM dmp.run_recipe('recipes_tidi', 'recipes_raw', 'recipes_out3');
SELECT * FROM dmp.run_recipe('recipes_tidy', 'recipes_raw', 'recipes_out');
SELECT * FROM dmp.run_recipe('recipes_tidy', 'SELECT id FROM recipes_raw', 'recipes_out3');
SELECT * FROM dmp.run_recipe('recipes_tidy', 'recipes_raw', 'recipes_out3', 'upsert');
SELECT * FROM dmp.run_recipe('recipes_tidy', 'recipes_raw', 'recipes_out3', keep_replaced => true);
SELECT * FROM dmp.run_recipe(NULL, 'recipes_raw', 'recipes_out3');
-- dmp.clean takes the name as a json string
SELECT count(*), sum(cells_changed) FROM dmp.clean('recipes_raw', 'recipes_out4', '"recipes_tidy@1"');
SELECT recipe, version FROM dmp.recipe_runs WHERE into_table = 'recipes_out4'::regclass;
SELECT dmp.clean_sql('recipes_raw', '"recipes_tidy@1"') = dmp.clean_sql('recipes_raw', (SELECT document FROM dmp.recipes WHERE recipe = 'recipes_tidy' AND version = 1)) AS same;
SELECT dmp.clean_sql('recipes_raw', '"recipes_tidi"');
-- a document has no name
SELECT count(*) FROM dmp.clean('recipes_raw', 'recipes_out5', '[{"trim": "*"}]');
SELECT recipe, version, document FROM dmp.recipe_runs WHERE into_table = 'recipes_out5'::regclass;

-- ---- undo
-- a table that the run made
SELECT * FROM dmp.undo_run(:run);
SELECT to_regclass('recipes_out');
SELECT count(*) FROM dmp.quarantine WHERE batch = :run;
SELECT state, undone_at > finished_at AS undone FROM dmp.recipe_runs WHERE run = :run;
SELECT recipes_try(format('SELECT * FROM dmp.undo_run(%s)', :run));
SELECT * FROM dmp.undo_run(-1);
SELECT * FROM dmp.undo_run(NULL);
-- rows appended: its own go, whoever wrote beside it, in one transaction too
CREATE TABLE recipes_into (id int PRIMARY KEY, name text, amount numeric, at timestamptz DEFAULT now());
CREATE VIEW recipes_append AS SELECT i::text AS id, 'n' || i AS name, CASE WHEN i % 10 = 0 THEN 'x' ELSE i::text END AS amount FROM generate_series(1, 30) i;
BEGIN;
INSERT INTO recipes_into VALUES (100, 'mine');
SELECT DISTINCT run AS first FROM dmp.run_recipe('recipes_tidy', 'recipes_append', 'recipes_into', 'append') \gset
INSERT INTO recipes_into VALUES (101, 'mine too');
SELECT DISTINCT run AS second FROM dmp.run_recipe('recipes_tidy', 'SELECT (id::int + 200)::text AS id, name, amount FROM recipes_append', 'recipes_into', 'append') \gset
COMMIT;
SELECT count(*) FROM recipes_into;
SELECT * FROM dmp.undo_run(:first);
SELECT count(*), count(*) FILTER (WHERE name LIKE 'mine%'), min(id) FROM recipes_into;
-- refused when its rows changed, and nothing happened
BEGIN;
UPDATE recipes_into SET name = 'other' WHERE id = 201;
SELECT recipes_try(format('SELECT * FROM dmp.undo_run(%s)', :second));
ROLLBACK;
BEGIN;
DELETE FROM recipes_into WHERE id > 210;
SELECT recipes_try(format('SELECT * FROM dmp.undo_run(%s)', :second));
ROLLBACK;
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT recipes_try(format('SELECT * FROM dmp.undo_run(%s)', :second));
ROLLBACK;
SELECT action, rows FROM dmp.undo_run(:second);
SELECT id, name, amount FROM recipes_into ORDER BY id;
-- rows replaced come back, when they were kept
SELECT DISTINCT run AS third FROM dmp.run_recipe('recipes_tidy', 'SELECT id, name, amount, now() AS at FROM recipes_append', 'recipes_into', 'replace') \gset
SELECT recipes_try(format('SELECT * FROM dmp.undo_run(%s)', :third));
TRUNCATE recipes_into;
INSERT INTO recipes_into VALUES (1, 'before', 7, '2024-01-01Z');
SELECT DISTINCT run AS fourth FROM dmp.run_recipe('recipes_tidy', 'SELECT id, name, amount, now() AS at FROM recipes_append', 'recipes_into', 'replace', true) \gset
SELECT count(*), min(id) FROM recipes_into;
SELECT kept_table::text = 'recipes_into_before_run_' || run AS kept FROM dmp.recipe_runs WHERE run = :fourth;
INSERT INTO recipes_into VALUES (500, 'since');
SELECT recipes_try(format('SELECT * FROM dmp.undo_run(%s)', :fourth));
DELETE FROM recipes_into WHERE id = 500;
SELECT object LIKE '%recipes_into%' OR object = 'dmp.quarantine' AS object, action, rows FROM dmp.undo_run(:fourth);
SELECT id, name, amount, at = '2024-01-01Z' AS at FROM recipes_into;
SELECT count(*) FROM pg_class WHERE relname LIKE 'recipes_into_before%';
-- one is kept
SELECT count(*) FROM dmp.run_recipe('recipes_tidy', 'SELECT id, name, amount, now() AS at FROM recipes_append', 'recipes_into', 'replace', true);
SELECT DISTINCT run AS sixth FROM dmp.run_recipe('recipes_tidy', 'SELECT id, name, amount, now() AS at FROM recipes_append LIMIT 5', 'recipes_into', 'replace', true) \gset
SELECT count(*) FROM pg_class WHERE relname LIKE 'recipes_into_before%';
SELECT rows FROM dmp.undo_run(:sixth) WHERE action = 'rows put back';
SELECT run > :fourth, kept_table FROM dmp.recipe_runs WHERE into_table = 'recipes_into'::regclass AND state = 'done' ORDER BY run DESC LIMIT 1;
-- what depends on a table that the run made is not dropped with it
SELECT DISTINCT run AS seventh FROM dmp.run_recipe('recipes_tidy', 'recipes_append', 'recipes_made') \gset
CREATE VIEW recipes_on_made AS SELECT * FROM recipes_made;
SELECT recipes_try(format('SELECT * FROM dmp.undo_run(%s)', :seventh));
DROP VIEW recipes_on_made;
DROP TABLE recipes_made;
SELECT recipes_try(format('SELECT * FROM dmp.undo_run(%s)', :seventh));

-- ---- rights
SET client_min_messages = warning;
DROP ROLE IF EXISTS recipes_ann;
DROP ROLE IF EXISTS recipes_bob;
RESET client_min_messages;
CREATE ROLE recipes_ann;
CREATE ROLE recipes_bob;
CREATE SCHEMA recipes_mine AUTHORIZATION recipes_ann;
GRANT EXECUTE ON FUNCTION recipes_try TO PUBLIC;
SET ROLE recipes_ann;
SELECT * FROM dmp.create_recipe('recipes_hers', '[{"trim": "*"}]');
SELECT * FROM dmp.create_recipe('recipes_tidy', '[]');
SELECT * FROM dmp.run_recipe('recipes_tidy', 'SELECT 1 AS a', 'recipes_mine.t');
SELECT DISTINCT run AS hers FROM dmp.run_recipe('recipes_hers', 'SELECT '' a'' AS a', 'recipes_mine.t') \gset
SELECT recipe FROM dmp.recipes;
SELECT recipe FROM dmp.recipe_runs;
SET ROLE recipes_bob;
SELECT count(*) FROM dmp.recipes;
SELECT count(*) FROM dmp.recipe_runs;
SELECT * FROM dmp.run_recipe('recipes_hers', 'SELECT 1 AS a', 'pg_temp.t');
SELECT * FROM dmp.alter_recipe('recipes_hers', '[]');
SELECT * FROM dmp.drop_recipe('recipes_hers');
SELECT recipes_try(format('SELECT * FROM dmp.undo_run(%s)', :hers));
SELECT * FROM dmp.clean('SELECT 1 AS a', 'pg_temp.t', '"recipes_hers"');
INSERT INTO dmp_internal.recipe VALUES ('x', 1, 'recipes_bob', '[]');
SET ROLE recipes_ann;
SELECT object, action, rows FROM dmp.undo_run(:hers);
SELECT * FROM dmp.drop_recipe('recipes_hers');
RESET ROLE;
DROP SCHEMA recipes_mine CASCADE;
DROP ROLE recipes_ann, recipes_bob;
DROP FUNCTION recipes_try;
DROP TABLE recipes_raw, recipes_out1, recipes_out2, recipes_out4, recipes_out5, recipes_into CASCADE;
DROP VIEW recipes_append;
SELECT * FROM dmp.drop_recipe('recipes_tidy');

-- more rejected rows than their first place in shared memory holds; then an error behind them
CREATE TABLE recipes_many AS SELECT i::text AS id, CASE WHEN i % 2 = 0 THEN i::text ELSE 'no number ' || i END AS n FROM generate_series(1, 60000) i;
SELECT rows_in, rows_out, rows_quarantined FROM dmp.clean('recipes_many', 'recipes_halved', '[{"cast": {"n": "int"}}]');
CREATE TABLE recipes_strict (id text, n int CHECK (n < 59000));
\set SHOW_CONTEXT never
SELECT * FROM dmp.clean('recipes_many', 'recipes_strict', '[{"cast": {"n": "int"}}]', 'append');
\set SHOW_CONTEXT errors
SELECT rows_in, rows_out, rows_quarantined FROM dmp.clean('recipes_many', 'recipes_strict', '[{"cast": {"n": "int"}}, {"require": "n < 59000", "quarantine": false}]', 'append');
DROP TABLE recipes_many, recipes_halved, recipes_strict;
