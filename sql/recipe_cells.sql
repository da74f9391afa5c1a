-- what a recipe would do, and what it did: dmp.preview_recipe, dmp.cell_history
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS dmp;
RESET client_min_messages;

CREATE TABLE recipes_cells (id text, name text, amount text, day text);
INSERT INTO recipes_cells VALUES (' 1', 'Ann ', '1.50', '2024-01-02'), ('2', 'N/A', 'x', '2024-01-02'), ('', 'Bob', '2', '2024-01-02'),
	('3', 'Eve', NULL, '2024-01-02'), ('4', '', ' 7', '2024-02-30'), ('5', 'Ann', '1.50', '2024-01-02'), ('5', 'Ann', '1.50', '2024-01-02');
\set recipe '[{"trim": "*"}, {"missing": ["N/A", ""]}, {"drop_missing": ["id"]}, {"cast": {"id": "int", "amount": "numeric", "day": "date"}}, {"deduplicate": ["id"]}, {"fill": {"amount": "median", "name": "?"}}, {"rename": {"amount": "a"}}, {"require": "a < 5"}, {"scale": {"a": {"divide": 2}}}]'

-- ---- preview: nothing is written
BEGIN READ ONLY;
SELECT step, action, column_name, '<' || before || '>' AS before, '<' || after || '>' AS after, rows_alike, rows_total
FROM dmp.preview_recipe('recipes_cells', :'recipe') WHERE reason IS NULL AND before IS DISTINCT FROM after;
SELECT step, action, column_name, reason, rows_alike, rows_total, example FROM dmp.preview_recipe('recipes_cells', :'recipe') WHERE reason IS NOT NULL;
COMMIT;
-- the most frequent first
SELECT before, after, rows_alike, rows_total FROM dmp.preview_recipe('SELECT ''v'' || i % 7 AS v FROM generate_series(1, 100) i WHERE i % 7 < 4 OR i < 50', '[{"missing": ["v1", "v2", "v5"]}]', 2);
SELECT * FROM dmp.preview_recipe('recipes_cells', '[]');
SELECT * FROM dmp.preview_recipe('recipes_cells', '[{"rename": {"id": "i"}}]');
SELECT * FROM dmp.preview_recipe('SELECT * FROM recipes_cells WHERE false', :'recipe');
SELECT * FROM dmp.preview_recipe('recipes_cells', '[{"trim": ["nme"]}]');
SELECT * FROM dmp.preview_recipe('recipes_cells', '[]', 0);
SELECT * FROM dmp.preview_recipe(NULL, '[]');
SELECT * FROM dmp.preview_recipe('recipes_cells', NULL);

-- ---- history: what was counted is explained
SELECT count(*) FROM dmp.clean('recipes_cells', 'recipes_cleaned', :'recipe');
SELECT run, cells_changed, rows_quarantined FROM dmp.recipe_runs WHERE into_table = 'recipes_cleaned'::regclass \gset
SELECT count(*) FILTER (WHERE reason IS NULL) = :cells_changed AS cells, count(reason) = :rows_quarantined AS rejected FROM dmp.cell_history(:run);
SELECT step, action, column_name, '<' || before || '>' AS before, '<' || after || '>' AS after, reason, sqlstate, source_row FROM dmp.cell_history(:run, '{"id": 1}', '{id,name}');
-- a row that was rejected, by what the source says
SELECT step, column_name, '<' || before || '>' AS before, '<' || after || '>' AS after, reason, sqlstate FROM dmp.cell_history(:run, '{"id": 2}');
SELECT step, column_name, before, after, reason, sqlstate, source_row FROM dmp.cell_history(:run, '{"name": "Bob"}', '{}');
SELECT count(*), count(source_row) FROM dmp.cell_history(:run, '{"id": 5, "a": 0.75}', '{}');
SELECT count(*) FROM dmp.cell_history(:run, '{"id": 77}');
-- what cannot be asked
SELECT * FROM dmp.cell_history(:run, '{"ix": 5}');
SELECT * FROM dmp.cell_history(:run, '{"id": "x"}');
SELECT * FROM dmp.cell_history(:run, '{"id": [5]}');
SELECT * FROM dmp.cell_history(:run, '{}');
SELECT * FROM dmp.cell_history(:run, '7');
SELECT * FROM dmp.cell_history(:run, columns => '{ib}');
SELECT * FROM dmp.cell_history(-1);
SELECT * FROM dmp.cell_history(NULL);

-- data that changed since is told
CREATE FUNCTION recipes_told(run bigint) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	PERFORM count(*) FROM dmp.cell_history(run);
	RETURN 'as it was';
EXCEPTION WHEN OTHERS THEN
	RETURN regexp_replace(SQLERRM, 'run \d+', 'run N');
END $$;
SELECT recipes_told(:run);
SET client_min_messages = error;
INSERT INTO recipes_cells VALUES ('9', 'q ', '1', '2024-01-01');
SELECT count(*) FILTER (WHERE reason IS NULL) = :cells_changed FROM dmp.cell_history(:run);
RESET client_min_messages;
-- a table replaced by itself, and volatile queries, are not there any more
SELECT count(*) FROM dmp.clean('recipes_cleaned', 'recipes_cleaned', '[{"trim": "name"}]', 'replace');
SELECT recipes_told(max(run)) FROM dmp.recipe_runs;
SELECT count(*) FROM dmp.clean('SELECT random()::text AS r', 'recipes_random', '[{"trim": "r"}]');
SELECT recipes_told(max(run)) FROM dmp.recipe_runs;

-- settings and names are those of the run
CREATE SCHEMA recipes_there;
SET search_path = recipes_there, public;
SET DateStyle = 'ISO, DMY';
SET client_min_messages = warning;
CREATE TABLE dates AS SELECT '01/02/2024'::text AS d;
SELECT count(*) FROM dmp.clean('dates', 'dates_out', '[{"cast": {"d": "date"}}]');
SELECT max(run) AS run FROM dmp.recipe_runs \gset
RESET search_path;
RESET DateStyle;
SELECT before, after FROM dmp.cell_history(:run);
DROP SCHEMA recipes_there CASCADE;
RESET client_min_messages;

-- hostile names, names like ours, types without equality, partitioned and inherited tables, more columns than a select list can carry twice
CREATE TABLE recipes_odd ("dmp_before_line_0" text, "a%s""b" text, j json, p point);
INSERT INTO recipes_odd VALUES (' x', ' ?', '[1]', '(1,2)'), ('y', 'b ', NULL, NULL);
SELECT count(*) FROM dmp.clean('recipes_odd', 'recipes_odd_out', '[{"trim": "*"}, {"missing": {"dmp_before_line_0": ["x"], "a%s\"b": ["?"]}}, {"fill": {"j": {"constant": "{}"}, "p": "(0,0)"}}]');
SELECT max(run) AS run FROM dmp.recipe_runs \gset
SELECT step, column_name, '<' || before || '>' AS before, '<' || after || '>' AS after, source_row FROM dmp.cell_history(:run, columns => '{"a%s\"b"}') ORDER BY 1, 2, 3;
SELECT count(*) FROM dmp.cell_history(:run, '{"p": "(1,2)"}');
DO $$
BEGIN
	EXECUTE (SELECT format('CREATE TABLE recipes_wide AS SELECT %s FROM generate_series(1, 10) i', string_agg(format('CASE WHEN i %% %s = 0 THEN '' '' || i ELSE ''N/A'' END AS c%s', c % 3 + 1, c), ', ')) FROM generate_series(1, 900) c);
END $$;
SELECT count(*) FROM dmp.clean('recipes_wide', 'recipes_wide_out', '[{"trim": "*"}, {"missing": ["N/A"]}]');
SELECT run, cells_changed FROM dmp.recipe_runs WHERE into_table = 'recipes_wide_out'::regclass \gset
SELECT count(*) = :cells_changed AS explained FROM dmp.cell_history(:run, columns => '{}');
CREATE TABLE recipes_parts (k int, v text) PARTITION BY RANGE (k);
CREATE TABLE recipes_parts1 PARTITION OF recipes_parts FOR VALUES FROM (0) TO (5);
CREATE TABLE recipes_parts2 PARTITION OF recipes_parts FOR VALUES FROM (5) TO (10);
INSERT INTO recipes_parts SELECT i, ' ' || i FROM generate_series(0, 9) i;
SELECT count(*) FROM dmp.clean('recipes_parts', 'recipes_parts_out', '[{"trim": "*"}, {"cast": {"v": "int"}}, {"require": "v < 8"}]');
SELECT run, cells_changed, rows_quarantined FROM dmp.recipe_runs WHERE into_table = 'recipes_parts_out'::regclass \gset
SELECT count(*) FILTER (WHERE reason IS NULL) = :cells_changed AS cells, count(reason) = :rows_quarantined AS rejected FROM dmp.cell_history(:run);

-- every step of dmp.recipe_steps: the sums agree, whatever the step
CREATE TABLE recipes_each AS SELECT i AS user_id, CASE WHEN i % 4 > 0 THEN (i % 3) * 60.0 END::float8 AS x, CASE WHEN i % 5 > 0 THEN ' N/A' || i % 2 END AS t, (i % 6)::text AS n, CASE WHEN i % 7 > 0 THEN i % 11 END AS small FROM generate_series(1, 200) i;
\set steps '[{"trim": "*"}, {"fill": {"t": "mode"}}, {"fill": {"x": {"mean_by": "n"}}}, {"cast": {"n": "smallint"}}, {"missing": {"small": [3]}}, {"drop_missing": "small"}, {"scale": {"x": "z_score", "small": "min_max"}}, {"deduplicate": ["n", "t"], "keep": "last", "by": "user_id"}, {"fill": {"small": 1}}]'
SELECT count(*) FROM dmp.clean('recipes_each', 'recipes_each_out', :'steps');
SELECT run, cells_changed, rows_quarantined FROM dmp.recipe_runs WHERE into_table = 'recipes_each_out'::regclass \gset
SELECT count(*) FILTER (WHERE reason IS NULL) = :cells_changed AS cells, count(reason) = :rows_quarantined AS rejected FROM dmp.cell_history(:run);

CREATE TABLE recipes_examples AS SELECT i % 40 AS user_id, CASE WHEN i % 9 > 0 THEN '2024-01-0' || i % 13 END AS click_time, CASE WHEN i % 4 > 0 THEN i % 50 END AS click_duration,
	CASE WHEN i % 5 > 0 THEN (i % 17 - 3) * (i % 31) + CASE i WHEN 77 THEN 1e6 ELSE 0 END END::float8 AS order_value,
	(ARRAY[' hom', 'a@b.org', NULL, '?', '', '1.234,5', 'home', 'N/A ', 'example.org', '+49 30 123456', 'A B'])[1 + i % 11] AS page FROM generate_series(1, 300) i;
CREATE FUNCTION recipes_agree(recipe json) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	r record;
	h record;
BEGIN
	PERFORM dmp.clean('recipes_examples', 'recipes_example', recipe);
	SELECT * INTO r FROM dmp.recipe_runs ORDER BY run DESC LIMIT 1;
	SELECT count(*) FILTER (WHERE reason IS NULL) AS cells, count(reason) AS rejected INTO h FROM dmp.cell_history(r.run);
	DROP TABLE recipes_example;
	IF h.cells <> r.cells_changed OR h.rejected <> r.rows_in - r.rows_out THEN
		RETURN format('%s: %s cells and %s rejected, explained %s and %s', recipe, r.cells_changed, r.rows_in - r.rows_out, h.cells, h.rejected);
	END IF;
	RETURN NULL;
END $$;
SET client_min_messages = error;
SELECT recipes_agree(json_build_array(example)) FROM dmp.recipe_steps WHERE recipes_agree(json_build_array(example)) IS NOT NULL;
-- and what may stand instead of the action for a value that does not fit
SELECT recipes_agree(json_build_array(example::jsonb - 'action' - 'otherwise' || jsonb_build_object(o, a)))
FROM dmp.recipe_steps, unnest(options) o, unnest('{clip,missing,keep,quarantine}'::text[]) a
WHERE o IN ('action', 'otherwise') AND action IN ('email', 'phone', 'url', 'number', 'map', 'clip') AND a <> CASE action WHEN 'clip' THEN 'keep' ELSE 'clip' END AND NOT (action = 'number' AND a = 'keep')
	AND recipes_agree(json_build_array(example::jsonb - 'action' - 'otherwise' || jsonb_build_object(o, a))) IS NOT NULL;

RESET client_min_messages;
DROP TABLE recipes_cells, recipes_cleaned, recipes_random, recipes_odd, recipes_odd_out, recipes_wide, recipes_wide_out, recipes_parts, recipes_parts_out, recipes_each, recipes_each_out;
DROP TABLE recipes_examples;
DROP FUNCTION recipes_told, recipes_agree;
