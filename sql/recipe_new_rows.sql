-- runs that take new rows only: by a key, or by the transactions that wrote them
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS dmp;
RESET client_min_messages;

CREATE TABLE recipes_new (id int, v text, g text);
INSERT INTO recipes_new SELECT i, CASE WHEN i % 5 = 0 THEN 'x' ELSE ' ' || i END, 'g' || i % 3 FROM generate_series(1, 20) i;
SELECT version FROM dmp.create_recipe('recipes_plain', '[{"trim": "*"}, {"cast": {"v": "int"}}, {"require": "v <> 7", "quarantine": false}, {"rename": {"id": "key"}}]');

-- ---- by a key: neither what was written, nor what was rejected, kept or not, is taken again
SELECT step, column_name, rows_in, rows_out, rows_quarantined FROM dmp.run_recipe('recipes_plain', 'recipes_new', 'recipes_into', 'append', new_rows => '{id}') WHERE action <> 'trim';
SELECT step, column_name, rows_in, rows_out, rows_quarantined FROM dmp.run_recipe('recipes_plain', 'recipes_new', 'recipes_into', 'append', new_rows => '{id}') WHERE action <> 'trim';
INSERT INTO recipes_new VALUES (21, '21', 'g'), (-1, '0', 'g'), (22, 'y', 'g');
DELETE FROM recipes_into WHERE key = 3;
SELECT step, column_name, rows_in, rows_out, rows_quarantined FROM dmp.run_recipe('recipes_plain', 'recipes_new', 'recipes_into', 'append', new_rows => '{id}') WHERE action <> 'trim';
SELECT count(*), sum(key), min(key) FROM recipes_into;
SELECT rows_in, rows_out, rows_quarantined, new_rows FROM dmp.recipe_runs WHERE into_table = 'recipes_into'::regclass ORDER BY run;
SELECT count(*) FROM dmp.quarantine q JOIN dmp.recipe_runs r ON r.run = q.batch WHERE r.into_table = 'recipes_into'::regclass;
-- each run is explained by its own rows
SELECT rows_in, cells_changed = (SELECT count(*) FROM dmp.cell_history(run) WHERE reason IS NULL) AS cells, rows_in - rows_out = (SELECT count(reason) FROM dmp.cell_history(run)) AS rows
FROM dmp.recipe_runs WHERE into_table = 'recipes_into'::regclass ORDER BY run;
-- undone, its rows are new again; in the order of the runs only
SELECT array_agg(run ORDER BY run DESC) AS runs FROM dmp.recipe_runs WHERE into_table = 'recipes_into'::regclass \gset
DO $$
DECLARE
	runs bigint[] := ARRAY(SELECT run FROM dmp.recipe_runs WHERE into_table = 'recipes_into'::regclass ORDER BY run);
BEGIN
	PERFORM dmp.undo_run(runs[2]);
EXCEPTION WHEN OTHERS THEN
	RAISE NOTICE '%', SQLSTATE;
END $$;
SELECT action, rows FROM dmp.undo_run((:'runs'::bigint[])[1]);
SELECT DISTINCT rows_in FROM dmp.run_recipe('recipes_plain', 'recipes_new', 'recipes_into', 'append', new_rows => '{id}') WHERE step = 1;
-- keys of several columns, and of text; a missing key is an error and nothing happened
SELECT DISTINCT rows_in FROM dmp.run_recipe('recipes_plain', 'recipes_new', 'recipes_into2', 'append', new_rows => '{g,id}') WHERE step = 1;
INSERT INTO recipes_new VALUES (21, '21', 'other'), (21, '21', 'other');
SELECT DISTINCT rows_in FROM dmp.run_recipe('recipes_plain', 'recipes_new', 'recipes_into2', 'append', new_rows => '{g,id}') WHERE step = 1;
SELECT DISTINCT rows_in FROM dmp.run_recipe('recipes_plain', 'recipes_new', 'recipes_into2', 'append', new_rows => '{g,id}') WHERE step = 1;
INSERT INTO recipes_new VALUES (NULL, '23', 'g'), (24, '24', 'g');
SELECT * FROM dmp.run_recipe('recipes_plain', 'recipes_new', 'recipes_into2', 'append', new_rows => '{g,id}');
DELETE FROM recipes_new WHERE id IS NULL;
SELECT DISTINCT rows_in FROM dmp.run_recipe('recipes_plain', 'recipes_new', 'recipes_into2', 'append', new_rows => '{g,id}') WHERE step = 1;
-- replace starts anew, undone it goes on from before
SELECT DISTINCT rows_in FROM dmp.run_recipe('recipes_plain', 'recipes_new', 'recipes_into2', 'replace', true, '{g,id}') WHERE step = 1;
SELECT DISTINCT rows_in FROM dmp.run_recipe('recipes_plain', 'recipes_new', 'recipes_into2', 'append', new_rows => '{g,id}') WHERE step = 1;
SELECT count(*) FROM dmp.undo_run((SELECT max(run) FROM dmp.recipe_runs));
SELECT count(*) FROM dmp.undo_run((SELECT max(run) FROM dmp.recipe_runs WHERE state = 'done'));
INSERT INTO recipes_new VALUES (25, '25', 'g');
SELECT DISTINCT rows_in FROM dmp.run_recipe('recipes_plain', 'recipes_new', 'recipes_into2', 'append', new_rows => '{g,id}') WHERE step = 1;

-- ---- statistics are those of the first run; what was there first stays
SELECT version FROM dmp.create_recipe('recipes_stats', '[{"deduplicate": ["g", "w"]}, {"fill": {"v": "mean", "w": "mode"}}, {"scale": {"s": "z_score"}}, {"deduplicate": ["id"], "quarantine": false}]');
CREATE TABLE recipes_stat (id int, g text, v float8, w text, s numeric);
INSERT INTO recipes_stat VALUES (1, 'a', 1, 'x', 1), (2, 'b', 3, 'x', 3), (3, 'c', NULL, NULL, 5), (4, 'a', 100, 'x', 100);
SELECT step, action, column_name, rows_in, rows_out, cells_changed, rows_quarantined FROM dmp.run_recipe('recipes_stats', 'recipes_stat', 'recipes_stat_into', new_rows => '{id}');
SELECT * FROM recipes_stat_into ORDER BY id;
INSERT INTO recipes_stat VALUES (5, 'a', 7, 'x', 7), (6, 'd', NULL, 'y', 3), (7, 'd', 50, 'y', 50), (8, 'e', NULL, NULL, 9);
SELECT step, action, column_name, rows_in, rows_out, cells_changed, rows_quarantined FROM dmp.run_recipe('recipes_stats', 'recipes_stat', 'recipes_stat_into', 'append', new_rows => '{id}');
SELECT * FROM recipes_stat_into ORDER BY id;
SELECT record::json ->> 'id' AS id, reason FROM dmp.quarantine q JOIN dmp.recipe_runs r ON r.run = q.batch WHERE r.into_table = 'recipes_stat_into'::regclass ORDER BY 1;
SELECT rows_in, cells_changed = (SELECT count(*) FROM dmp.cell_history(run) WHERE reason IS NULL) AS cells, rows_in - rows_out = (SELECT count(reason) FROM dmp.cell_history(run)) AS rows
FROM dmp.recipe_runs WHERE into_table = 'recipes_stat_into'::regclass ORDER BY run;
-- of another version they would be others
SELECT version FROM dmp.alter_recipe('recipes_stats', '[{"fill": {"v": "median"}}]');
SELECT * FROM dmp.run_recipe('recipes_stats', 'recipes_stat', 'recipes_stat_into', 'append', new_rows => '{id}');
SELECT DISTINCT rows_in FROM dmp.run_recipe('recipes_stats@1', 'recipes_stat', 'recipes_stat_into', 'append', new_rows => '{id}');
-- a first run without rows has none
CREATE TABLE recipes_none (LIKE recipes_stat);
SELECT sum(rows_in) FROM dmp.run_recipe('recipes_stats@1', 'recipes_none', 'recipes_none_into', new_rows => '{id}');
INSERT INTO recipes_none VALUES (1, 'a', 4, 'x', 1), (2, 'b', NULL, 'y', 1);
SELECT sum(cells_changed) FROM dmp.run_recipe('recipes_stats@1', 'recipes_none', 'recipes_none_into', 'append', new_rows => '{id}') WHERE action = 'fill';
SELECT v FROM recipes_none_into WHERE id = 2;

-- ---- what cannot be right is refused by name
SELECT version FROM dmp.create_recipe('recipes_no', '[{"trim": "g"}, {"deduplicate": ["g"], "keep": "last", "by": "id"}]');
SELECT * FROM dmp.run_recipe('recipes_no', 'recipes_stat', 'recipes_no_into', new_rows => '{id}');
SELECT version FROM dmp.alter_recipe('recipes_no', '[{"fill": {"v": {"mean_by": "g"}}}]');
SELECT * FROM dmp.run_recipe('recipes_no', 'recipes_stat', 'recipes_no_into', new_rows => '{id}');
SELECT * FROM dmp.run_recipe('recipes_plain', 'recipes_new', 'recipes_no_into', new_rows => '{}');
SELECT * FROM dmp.run_recipe('recipes_plain', 'recipes_new', 'recipes_no_into', new_rows => '{ix}');
SELECT to_regclass('recipes_no_into');

-- ---- by transactions
CREATE TABLE recipes_tx (x xid8 NOT NULL DEFAULT pg_current_xact_id(), id int, v text);
SELECT version FROM dmp.create_recipe('recipes_tx', '[{"cast": {"v": "int"}}]');
INSERT INTO recipes_tx (id, v) VALUES (1, '1'), (2, 'x');
SELECT DISTINCT rows_in FROM dmp.run_recipe('recipes_tx', 'recipes_tx', 'recipes_tx_into', 'append', new_rows => '{x}');
SELECT DISTINCT rows_in FROM dmp.run_recipe('recipes_tx', 'recipes_tx', 'recipes_tx_into', 'append', new_rows => '{x}');
BEGIN;
INSERT INTO recipes_tx (id, v) VALUES (3, '3');
-- rows of the running transaction come later
SELECT DISTINCT rows_in FROM dmp.run_recipe('recipes_tx', 'recipes_tx', 'recipes_tx_into', 'append', new_rows => '{x}');
COMMIT;
SELECT DISTINCT rows_in FROM dmp.run_recipe('recipes_tx', 'recipes_tx', 'recipes_tx_into', 'append', new_rows => '{x}');
SELECT DISTINCT rows_in FROM dmp.run_recipe('recipes_tx', 'recipes_tx', 'recipes_tx_into', 'append', new_rows => '{x}');
SELECT id, v FROM recipes_tx_into ORDER BY id;
SELECT rows_in, cells_changed = (SELECT count(*) FROM dmp.cell_history(run) WHERE reason IS NULL) AS cells, rows_in - rows_out = (SELECT count(reason) FROM dmp.cell_history(run)) AS rows
FROM dmp.recipe_runs WHERE into_table = 'recipes_tx_into'::regclass ORDER BY run;
SELECT count(*) FROM dmp.undo_run((SELECT max(run) FROM dmp.recipe_runs));
SELECT count(*) FROM dmp.undo_run((SELECT max(run) FROM dmp.recipe_runs WHERE state = 'done'));
SELECT DISTINCT rows_in FROM dmp.run_recipe('recipes_tx', 'recipes_tx', 'recipes_tx_into', 'append', new_rows => '{x}');
SELECT * FROM dmp.run_recipe('recipes_tx', 'recipes_tx', 'recipes_tx_into', 'append', new_rows => '{x,v}');
-- a lake table, with rows of a cluster that this database came from
SELECT source FROM dmp.create_source('recipes_lake');
INSERT INTO lake.recipes_lake (line) VALUES ('a'), (' b');
INSERT INTO lake.recipes_lake (line, cluster, xact) VALUES ('old 1', -7, '1000'), ('old 2', -7, '1001');
SELECT version FROM dmp.create_recipe('recipes_lines', '[{"select": ["id", "line"]}, {"trim": "line"}]');
SELECT DISTINCT rows_in FROM dmp.run_recipe('recipes_lines', 'lake.recipes_lake', 'recipes_lines', 'append', new_rows => '{xact,cluster}');
INSERT INTO lake.recipes_lake (line) VALUES ('c');
INSERT INTO lake.recipes_lake (line, cluster, xact) VALUES ('old 3', -7, '1002');
SELECT DISTINCT rows_in FROM dmp.run_recipe('recipes_lines', 'lake.recipes_lake', 'recipes_lines', 'append', new_rows => '{xact,cluster}');
SELECT DISTINCT rows_in FROM dmp.run_recipe('recipes_lines', 'lake.recipes_lake', 'recipes_lines', 'append', new_rows => '{xact,cluster}');
SELECT line FROM recipes_lines ORDER BY line COLLATE "C";

SET client_min_messages = warning;
SELECT count(*) > 0 FROM dmp.drop_source('recipes_lake');
DROP TABLE recipes_new, recipes_into, recipes_into2, recipes_stat, recipes_stat_into, recipes_none, recipes_none_into, recipes_tx, recipes_tx_into, recipes_lines;
SELECT count(versions) FROM unnest('{recipes_plain,recipes_stats,recipes_no,recipes_tx,recipes_lines}'::text[]) r, dmp.drop_recipe(r);
