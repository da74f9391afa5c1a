-- the recipe of a source: row-wise steps on the way in
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS dmp;
RESET client_min_messages;

CREATE TABLE recipes_in (id int, name text, minutes float8, at timestamptz DEFAULT '2000-01-01Z', tags jsonb, n bigint DEFAULT 7);
\set recipe '[{"trim": "*"}, {"missing": ["N/A"]}, {"rename": {"user_name": "name"}}, {"cast": {"secs": "numeric"}}, {"require": "secs >= 0"}, {"derive": {"minutes": "secs / (60 - secs % 7)"}}, {"require": "100 / secs < 100"}, {"select": ["id", "name", "minutes", "at", "tags", "n"]}]'
SELECT source FROM dmp.create_source('recipes_in', 'recipes_in', key => '{id}', recipe => :'recipe', options => '{"time_zone": "UTC"}');
INSERT INTO lake.recipes_in (line) VALUES ('{"id": "1 ", "user_name": " Ann ", "secs": "58", "tags": [1, 2], "n": 12.0}'), ('{"id": 2, "user_name": "N/A", "secs": -1}'), ('{"id": "3", "secs": "x"}'), ('{"secs": "60"}'),
	('{"id": "4.0", "secs": 1e3, "at": "2024-01-01"}'), ('{"id": "1", "secs": 5}'), ('{"id": "z", "secs": 5}'), ('broken'), ('{"id": 9, "user_name": "q", "secs": 3, "n": 1.5}'), ('{"id": 10, "user_name": {"a": 1}, "secs": 4}'),
	('{"id": 11, "secs": 0}'), ('{"id": 12, "secs": 8, "more": 1}'), ('{"id": 13, "secs": null, "n": null}');
SELECT rows_read, rows_loaded, rows_duplicate, rows_quarantined, fields_ignored FROM dmp.ingest('recipes_in');
SELECT id, name, round(minutes::numeric, 4) AS minutes, at AT TIME ZONE 'UTC' AS at, tags, n FROM recipes_in ORDER BY id;
SELECT record, column_name, reason, sqlstate FROM dmp.quarantine WHERE source = 'recipes_in' ORDER BY record COLLATE "C";
SELECT recipe::text = :'recipe' AS stored FROM dmp.sources WHERE source = 'recipes_in';
-- corrected, a record takes the same way
UPDATE dmp.quarantine SET record = replace(record, '"x"', '" 21 "') WHERE source = 'recipes_in' AND record ~ '"x"';
SELECT rows_read, rows_loaded, rows_duplicate, rows_quarantined FROM dmp.retry_quarantine('recipes_in');
SELECT id, minutes FROM recipes_in WHERE id = 3;
-- and a day of the lake
DELETE FROM recipes_in WHERE id IN (1, 3);
SELECT rows_read, rows_loaded, rows_duplicate FROM dmp.replay('recipes_in', (now() AT TIME ZONE 'UTC')::date);
SELECT array_agg(id ORDER BY id) FROM recipes_in;
-- many rows whose expression throws, a batch and more
INSERT INTO lake.recipes_in (line) SELECT json_build_object('id', i, 'secs', CASE WHEN i % 1000 = 0 THEN 0 ELSE i % 50 + 2 END) FROM generate_series(101, 20100) i;
SELECT rows_read, rows_loaded, rows_duplicate, rows_quarantined FROM dmp.ingest('recipes_in');
SELECT reason, count(*) FROM dmp.quarantine WHERE source = 'recipes_in' AND lake_id > 13 GROUP BY 1 ORDER BY 1;

-- ---- the same as dmp.clean over the fields as texts
CREATE TABLE recipes_same (id int, v numeric, w text, d date);
SELECT version FROM dmp.create_recipe('recipes_same', '[{"trim": "*"}, {"missing": ["-"]}, {"fill": {"w": "none"}}, {"cast": {"v": "numeric"}}, {"scale": {"v": {"divide": 4}}}, {"drop_missing": ["v"]}, {"require": "v < 40"}, {"cast": {"id": "int", "d": "date"}}]');
SELECT source FROM dmp.create_source('recipes_same', 'recipes_same', recipe => '"recipes_same"');
CREATE TABLE recipes_fields AS SELECT i::text || ' ' AS id, (ARRAY[' 1', '-', 'x', NULL, '8.5', '400'])[1 + i % 6] AS v, (ARRAY['a', ' -', NULL])[1 + i % 3] AS w, '2024-01-' || 1 + i % 40 AS d FROM generate_series(1, 500) i;
INSERT INTO lake.recipes_same (line) SELECT row_to_json(f) FROM recipes_fields f;
SELECT rows_read, rows_loaded, rows_quarantined FROM dmp.ingest('recipes_same');
SELECT min(rows_out) FROM dmp.clean('recipes_fields', 'recipes_cleaned_same', '"recipes_same"');
SELECT count(*) FROM (TABLE recipes_same EXCEPT ALL TABLE recipes_cleaned_same) x;
SELECT reason, count(*) FROM dmp.quarantine WHERE source = 'recipes_same' GROUP BY 1
EXCEPT ALL SELECT reason, count(*) FROM dmp.quarantine WHERE batch = (SELECT max(run) FROM dmp.recipe_runs) GROUP BY 1;
-- a stored recipe in use stays; a new version is used by the next run
SELECT * FROM dmp.drop_recipe('recipes_same');
SELECT version FROM dmp.alter_recipe('recipes_same', '[{"fill": {"w": "new"}}]');
INSERT INTO lake.recipes_same (line) VALUES ('{"id": 1000, "v": 1, "d": "2024-01-01"}');
SELECT rows_loaded FROM dmp.ingest('recipes_same');
SELECT id, v, w FROM recipes_same WHERE id = 1000;
-- taken away
SELECT source FROM dmp.alter_source('recipes_same', recipe => '[]');
INSERT INTO lake.recipes_same (line) VALUES ('{"id": 1001, "v": 1, "d": "2024-01-01"}');
SELECT rows_loaded FROM dmp.ingest('recipes_same');
SELECT id, v, w FROM recipes_same WHERE id = 1001;
SELECT versions FROM dmp.drop_recipe('recipes_same');

-- ---- csv, a mapping, where the record came from, update of keys, live
CREATE TABLE recipes_csv (k text, v int, batch bigint, lake_id bigint, twice int);
SELECT source FROM dmp.create_source('recipes_csv', 'recipes_csv', format => 'csv', key => '{k}', on_duplicate => 'update', live => true, mapping => '{"k": "Key", "v": "Value", "batch": "$batch", "lake_id": "$lake_id"}',
	recipe => '[{"map": {"k": {"UK": "GB"}}}, {"cast": {"v": "int"}}, {"derive": {"twice": "2 * v"}}]', options => '{"columns": ["Key", "Value"], "header": false}');
INSERT INTO lake.recipes_csv (line) VALUES ('UK,1'), ('FR, 2'), ('GB,3'), ('DE,many');
SELECT k, v, batch > 0 AS batch, lake_id, twice FROM recipes_csv ORDER BY k;
SELECT record, reason FROM dmp.quarantine WHERE source = 'recipes_csv';

-- ---- what cannot be
CREATE FUNCTION recipes_refused(recipe json) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	PERFORM dmp.create_source('recipes_bad', 'recipes_in', recipe => recipe);
	RETURN 'done';
EXCEPTION WHEN OTHERS THEN
	RETURN SQLSTATE || ' ' || SQLERRM;
END $$;
SELECT recipes_refused(r) FROM unnest(ARRAY['[{"deduplicate": "*"}]', '[{"trim": "*"}, {"fill": {"name": "mode"}}]', '[{"scale": {"n": "z_score"}}]', '[{"cast": {"n": "float8"}}, {"clip": {"n": {"method": "iqr", "k": 3}}}]', '[{"fill": {"name": "forward"}}]',
	'[{"functional_dependency": {"id": "name"}}]', '[{"require": "id IN (SELECT 1)"}]', '[{"derive": {"n": "(SELECT 1)"}}]', '[{"drop_missing": "id", "quarantine": false}]', '[{"rename": {"id": "key"}}]', '[{"derive": {"other": "1"}}]',
	'[{"trm": "*"}]', '{}', '"recipes_not_there"', '[{"require": "id > "}]', '[{"cast": {"id": "no_type"}}]', '[{"require": "sum(length(id)) > 1"}]']::json[]) r;
SELECT recipes_refused('[{"select": ["name"]}]');
SELECT count(*) FROM dmp.create_source('recipes_keyless', 'recipes_in', key => '{id}', recipe => '[{"select": ["name"]}]');
SELECT to_regclass('lake.recipes_bad') IS NOT NULL AS made;

SET client_min_messages = warning;
SELECT count(*) > 0 FROM unnest('{recipes_in,recipes_same,recipes_csv,recipes_bad}'::text[]) s, dmp.drop_source(s);
DROP TABLE recipes_in, recipes_same, recipes_fields, recipes_cleaned_same, recipes_csv;
DROP FUNCTION recipes_refused;
