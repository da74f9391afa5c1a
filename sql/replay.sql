-- replay of days of the lake
\set VERBOSITY terse
SET client_min_messages = warning;
SET TimeZone = 'America/New_York';
SELECT count(*) FROM dmp.setup();
CREATE TABLE flow_r (id int, v text, lake_id bigint, batch bigint, received_at timestamptz, note text DEFAULT 'as loaded');
CREATE FUNCTION flow_fill(source text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format('INSERT INTO lake.%I (received_at, line) VALUES
		(''2024-05-31 23:59:59.999999Z'', ''{"id": 1, "v": "a", "w": "A"}''),
		(''2024-06-01 00:00Z'', ''{"id": 2, "v": "b", "w": "B"}''),
		(''2024-06-01 12:00Z'', ''{"id": "x3", "v": "c", "w": "C"}''),
		(''2024-06-01 12:00Z'', ''''),
		(''2024-06-01 13:00Z'', ''no json''),
		(''2024-06-01 23:59:59.999999Z'', ''{"id": 4, "v": "d", "w": "D"}''),
		(''2024-06-02 00:00Z'', ''{"id": 2, "v": "e", "w": "E"}''),
		(''2024-06-03 00:00Z'', ''{"id": 6, "v": "f", "w": "F"}'')', source);
END $$;
-- one row a source: counts add up, and no record is in quarantine twice
CREATE FUNCTION flow_check(name text, OUT adds_up boolean, OUT twice bigint, OUT states text, OUT kinds text) LANGUAGE sql AS $$
	SELECT (SELECT bool_and(rows_read = rows_loaded + rows_duplicate + rows_quarantined) FROM dmp.batches WHERE source = name),
		(SELECT count(*) - count(DISTINCT lake_id) FROM dmp.quarantine WHERE source = name),
		(SELECT string_agg(record || ' ' || state, ', ' ORDER BY id) FROM dmp.quarantine WHERE source = name),
		(SELECT string_agg(kind || ' ' || state, ', ' ORDER BY batch) FROM dmp.batches WHERE source = name) $$;

-- ---- a key, ignore: what is missing
SELECT source FROM dmp.create_source('flow_ignore', 'flow_r', key => '{id}', mapping => '{"id": "id", "v": "v"}');
SELECT flow_fill('flow_ignore');
SELECT rows_read, rows_loaded, rows_duplicate, rows_quarantined FROM dmp.ingest('flow_ignore');
SELECT rows_read, rows_loaded, rows_duplicate, rows_quarantined FROM dmp.replay('flow_ignore', '2024-06-01');
DELETE FROM flow_r WHERE id IN (1, 4);
SELECT rows_read, rows_loaded, rows_duplicate, rows_quarantined FROM dmp.replay('flow_ignore', '2024-06-01');
SELECT id, v FROM flow_r ORDER BY id;
SELECT * FROM flow_check('flow_ignore');
-- all days, none of the lake
SELECT rows_read, rows_loaded, rows_duplicate, rows_quarantined FROM dmp.replay('flow_ignore', '2024-01-01', '2025-01-01');
SELECT batch, rows_read, rows_loaded, rows_duplicate, rows_quarantined, fields_ignored FROM dmp.replay('flow_ignore', '2023-06-01');
SELECT * FROM flow_check('flow_ignore');
-- a record that nobody took yet is ingested first, and a corrected one stays corrected
INSERT INTO lake.flow_ignore (received_at, line) VALUES ('2024-06-01 14:00Z', '{"id": 7, "v": "g"}');
UPDATE dmp.quarantine SET record = replace(record, 'x3', '3') WHERE source = 'flow_ignore';
SET client_min_messages = notice;
SELECT rows_read, rows_loaded, rows_duplicate, rows_quarantined FROM dmp.replay('flow_ignore', '2024-06-01');
SET client_min_messages = warning;
SELECT * FROM flow_check('flow_ignore');
SELECT rows_read, rows_loaded, rows_duplicate, rows_quarantined FROM dmp.replay('flow_ignore', '2024-06-01');
SELECT * FROM flow_check('flow_ignore');
SELECT id, v FROM flow_r ORDER BY id;
SELECT rows_read FROM dmp.ingest('flow_ignore');
SELECT count(*) FROM dmp.drop_source('flow_ignore');
DROP INDEX flow_r_id_idx;
TRUNCATE flow_r;

-- ---- a key, update: after a change of the mapping
SELECT source FROM dmp.create_source('flow_update', 'flow_r', key => '{id}', on_duplicate => 'update', mapping => '{"id": "id", "v": "v"}');
SELECT flow_fill('flow_update');
SELECT rows_read, rows_loaded, rows_duplicate, rows_quarantined FROM dmp.ingest('flow_update');
SELECT source FROM dmp.alter_source('flow_update', mapping => '{"id": "id", "v": "w"}');
-- older lines may undo newer ones: it says so
SELECT rows_read, rows_loaded, rows_duplicate, rows_quarantined FROM dmp.replay('flow_update', '2024-06-01');
SELECT id, v FROM flow_r ORDER BY id;
SELECT rows_read, rows_loaded, rows_duplicate, rows_quarantined FROM dmp.replay('flow_update', '2024-05-31', '2024-06-03');
SELECT id, v FROM flow_r ORDER BY id;
SELECT * FROM flow_check('flow_update');
-- with "$lake_id" they do not
SELECT source FROM dmp.alter_source('flow_update', mapping => '{"id": "id", "v": "v", "lake_id": "$lake_id"}');
SELECT rows_read, rows_loaded, rows_duplicate, rows_quarantined FROM dmp.replay('flow_update', '2024-05-31', '2024-06-03');
SELECT source FROM dmp.alter_source('flow_update', mapping => '{"id": "id", "v": "w", "lake_id": "$lake_id"}');
DELETE FROM flow_r WHERE id = 4;
SELECT rows_read, rows_loaded, rows_duplicate, rows_quarantined FROM dmp.replay('flow_update', '2024-06-01');
SELECT id, v, lake_id FROM flow_r ORDER BY id;
SELECT count(*) FROM dmp.drop_source('flow_update');
DROP INDEX flow_r_id_idx;
TRUNCATE flow_r;

-- ---- no key: nothing says what was loaded
SELECT source FROM dmp.create_source('flow_plain', 'flow_r', mapping => '{"id": "id", "v": "v"}');
SELECT flow_fill('flow_plain');
\set VERBOSITY default
SELECT * FROM dmp.replay('flow_plain', '2024-06-01');
\set VERBOSITY terse
SELECT count(*) FROM flow_r;
SELECT count(*) FROM dmp.drop_source('flow_plain');

-- ---- by "$lake_id": the very records; rows of one's own stay
SELECT source FROM dmp.create_source('flow_lake', 'flow_r', mapping => '{"id": "id", "v": "v", "lake_id": "$lake_id"}');
SELECT flow_fill('flow_lake');
SELECT rows_read, rows_loaded FROM dmp.ingest('flow_lake');
INSERT INTO flow_r (id, note) VALUES (100, 'own');
UPDATE flow_r SET note = 'changed';
UPDATE dmp.quarantine SET record = replace(record, 'x3', '3') WHERE source = 'flow_lake';
SELECT rows_read, rows_loaded FROM dmp.retry_quarantine('flow_lake');
SELECT source FROM dmp.alter_source('flow_lake', mapping => '{"id": "id", "v": "w", "lake_id": "$lake_id"}');
SET client_min_messages = notice;
SELECT rows_read, rows_loaded, rows_duplicate, rows_quarantined FROM dmp.replay('flow_lake', '2024-06-01');
SET client_min_messages = warning;
SELECT id, v, lake_id, note FROM flow_r ORDER BY id, lake_id;
SELECT * FROM flow_check('flow_lake');
-- the corrected record no longer fits: its entry is open again, with its correction
ALTER TABLE flow_r ADD CONSTRAINT no_three CHECK (id <> 3) NOT VALID;
SELECT rows_read, rows_loaded, rows_duplicate, rows_quarantined FROM dmp.replay('flow_lake', '2024-06-01');
SELECT * FROM flow_check('flow_lake');
ALTER TABLE flow_r DROP CONSTRAINT no_three;
-- given up stays given up, until it loads
SELECT rows_discarded FROM dmp.discard_quarantine((SELECT array_agg(id) FROM dmp.quarantine WHERE source = 'flow_lake' AND record = 'no json'));
SELECT rows_read, rows_loaded, rows_duplicate, rows_quarantined FROM dmp.replay('flow_lake', '2024-06-01');
SELECT * FROM flow_check('flow_lake');
-- a failure leaves all as it was
CREATE TABLE flow_refers (id int);
DELETE FROM flow_r WHERE id = 100;
ALTER TABLE flow_r ADD PRIMARY KEY (lake_id);
ALTER TABLE flow_refers ADD lake_id bigint REFERENCES flow_r (lake_id);
INSERT INTO flow_refers SELECT id, lake_id FROM flow_r;
SELECT rows_read FROM dmp.replay('flow_lake', '2024-06-01');
SELECT count(*) FROM flow_r;
DROP TABLE flow_refers;
-- another source fills the table as well: ids of its lake are others
SELECT source FROM dmp.create_source('flow_second', 'flow_r', mapping => '{"id": "id", "v": "v", "lake_id": "$lake_id"}');
\set VERBOSITY default
SELECT rows_read FROM dmp.replay('flow_lake', '2024-06-01');
\set VERBOSITY terse
ALTER TABLE flow_r DROP CONSTRAINT flow_r_pkey, ALTER lake_id DROP NOT NULL;
TRUNCATE flow_r;
SELECT source FROM dmp.alter_source('flow_second', mapping => '{"id": "id", "v": "v", "lake_id": "$lake_id", "batch": "$batch"}');
SELECT source FROM dmp.alter_source('flow_lake', mapping => '{"id": "id", "v": "v", "lake_id": "$lake_id", "batch": "$batch"}');
SELECT flow_fill('flow_second');
SELECT rows_loaded FROM dmp.ingest('flow_second');
SELECT rows_loaded FROM dmp.replay('flow_lake', '2024-06-01');
SELECT rows_loaded FROM dmp.replay('flow_lake', '2024-06-01');
SELECT rows_loaded FROM dmp.replay('flow_second', '2024-06-01');
SELECT source, count(*) FROM flow_r JOIN dmp.batches USING (batch) GROUP BY 1 ORDER BY 1;
SELECT count(*) FROM dmp.drop_source('flow_second');
SELECT count(*) FROM dmp.drop_source('flow_lake');
DROP TABLE flow_r;
CREATE TABLE flow_r (id int, v text, batch bigint, received_at timestamptz);

-- ---- by "$received_at": rows of the days
SELECT source FROM dmp.create_source('flow_time', 'flow_r', mapping => '{"id": "id", "v": "v", "received_at": "$received_at"}', live => true);
SELECT flow_fill('flow_time');
INSERT INTO lake.flow_time (line) VALUES ('{"id": 50}');
SELECT source FROM dmp.alter_source('flow_time', mapping => '{"id": "id", "v": "w", "received_at": "$received_at"}');
SELECT rows_read, rows_loaded, rows_duplicate, rows_quarantined FROM dmp.replay('flow_time', '2024-06-01', '2024-06-02');
SELECT id, v, received_at FROM flow_r WHERE id < 50 ORDER BY received_at;
SELECT rows_read, rows_loaded FROM dmp.replay('flow_time', (now() AT TIME ZONE 'UTC')::date - 1, (now() AT TIME ZONE 'UTC')::date);
SELECT count(*) FROM flow_r WHERE id = 50;
SELECT * FROM flow_check('flow_time');
SELECT count(*) FROM dmp.drop_source('flow_time');
TRUNCATE flow_r;

-- ---- by "$batch": whole batches
SELECT source FROM dmp.create_source('flow_batch', 'flow_r', mapping => '{"id": "id", "v": "v", "batch": "$batch"}');
INSERT INTO lake.flow_batch (received_at, line) VALUES ('2024-06-01', '{"id": 1}'), ('2024-06-02', '{"id": 2}');
SELECT rows_loaded FROM dmp.ingest('flow_batch');
INSERT INTO lake.flow_batch (received_at, line) VALUES ('2024-06-03', '{"id": 3}'), ('2024-06-03', 'bad');
SELECT rows_loaded FROM dmp.ingest('flow_batch');
DO $$
BEGIN
	PERFORM dmp.replay('flow_batch', '2024-06-02');
EXCEPTION WHEN OTHERS THEN
	RAISE WARNING '%', regexp_replace(SQLERRM, '\d+', 'N');
END $$;
SELECT rows_read, rows_loaded, rows_quarantined FROM dmp.replay('flow_batch', '2024-06-03');
SELECT rows_read, rows_loaded FROM dmp.replay('flow_batch', '2024-06-01', '2024-06-02');
SELECT rows_read, rows_loaded FROM dmp.replay('flow_batch', '2024-06-01', '2024-06-03');
SELECT id FROM flow_r ORDER BY id;
SELECT * FROM flow_check('flow_batch');
-- a batch undone by hand comes back, its quarantine open
SELECT count(*) FROM dmp.drop_source('flow_batch');
SELECT source FROM dmp.create_source('flow_batch', 'flow_r', mapping => '{"id": "id", "v": "v", "batch": "$batch"}');
TRUNCATE flow_r;
INSERT INTO lake.flow_batch (received_at, line) VALUES ('2024-06-01', '{"id": 1}'), ('2024-06-02', '{"id": 2}'), ('2024-06-03', 'bad');
SELECT rows_loaded FROM dmp.ingest('flow_batch');
SELECT rows_deleted FROM dmp.revert_batch((SELECT max(batch) FROM dmp.batches WHERE source = 'flow_batch'));
SELECT * FROM flow_check('flow_batch');
SELECT rows_loaded FROM dmp.replay('flow_batch', '2024-06-01', '2024-06-03');
SELECT * FROM flow_check('flow_batch');

-- ---- a source's recipe: after a change of it; live as well
CREATE TABLE flow_cooked (id int, name text, price numeric, lake_id bigint);
SELECT source FROM dmp.create_source('flow_cook', 'flow_cooked', live => true, mapping => '{"id": "id", "name": "name", "price": "price", "lake_id": "$lake_id"}',
	recipe => '[{"trim": "*"}, {"missing": ["?"]}, {"drop_missing": ["name"]}, {"require": "price::numeric < 100"}]');
INSERT INTO lake.flow_cook (line) VALUES ('{"id": 1, "name": " a ", "price": "5"}'), ('{"id": 2, "name": "?", "price": 5}'), ('{"id": 3, "name": "c", "price": 500}'), ('x');
SELECT id, name, price FROM flow_cooked ORDER BY id;
SELECT * FROM flow_check('flow_cook');
SELECT source FROM dmp.alter_source('flow_cook', recipe => '[{"trim": "*"}, {"require": "price::numeric < 1000"}]');
SELECT rows_read, rows_loaded, rows_quarantined FROM dmp.replay('flow_cook', (now() AT TIME ZONE 'UTC')::date - 1, (now() AT TIME ZONE 'UTC')::date);
SELECT id, name, price FROM flow_cooked ORDER BY id;
SELECT * FROM flow_check('flow_cook');
SELECT count(*) FROM dmp.drop_source('flow_cook');
DROP TABLE flow_cooked;

-- ---- errors
SELECT * FROM dmp.replay(NULL, '2024-06-01');
SELECT * FROM dmp.replay('flow_batch', NULL);
SELECT * FROM dmp.replay('flow_batch', 'infinity');
SELECT * FROM dmp.replay('flow_batch', '2024-06-01', '-infinity');
SELECT * FROM dmp.replay('flow_batch', '2024-06-02', '2024-06-01');
SELECT * FROM dmp.replay('flow_bach', '2024-06-02');
CREATE ROLE flow_bob;
SET ROLE flow_bob;
SELECT * FROM dmp.replay('flow_batch', '2024-06-02');
RESET ROLE;
DROP ROLE flow_bob;
SELECT source FROM dmp.create_source('flow_none');
SELECT * FROM dmp.replay('flow_none', '2024-06-02');
SELECT count(*) FROM dmp.drop_source('flow_none');
SELECT count(*) FROM dmp.drop_source('flow_batch');
DROP TABLE flow_r;
DROP FUNCTION flow_fill, flow_check;
