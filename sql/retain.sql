-- days of the lake are dropped once they are consumed
\set VERBOSITY terse
SET client_min_messages = warning;
SET TimeZone = 'Asia/Shanghai';
SET DateStyle = 'SQL, DMY';
SELECT count(*) FROM dmp.setup();
CREATE TABLE flow_kept (id int, received_at timestamptz);
SELECT source FROM dmp.create_source('flow_keep', 'flow_kept', mapping => '{"id": "id", "received_at": "$received_at"}');
CREATE FUNCTION flow_day(day date) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format('CREATE TABLE lake.flow_keep_%s PARTITION OF lake.flow_keep FOR VALUES FROM (%L) TO (%L)', to_char(day, 'YYYYMMDD'),
		to_char(day, 'YYYY-MM-DD 00:00Z'), to_char(day + 1, 'YYYY-MM-DD 00:00Z'));
END $$;
SELECT count(flow_day('2024-06-01'::date + i)) FROM generate_series(0, 4) i;
INSERT INTO lake.flow_keep (received_at, line) SELECT '2024-05-31 12:00Z'::timestamptz + i * interval '12 hours', format('{"id": %s}', i) FROM generate_series(0, 11) i;
INSERT INTO lake.flow_keep (received_at, line) VALUES ('2024-06-02 00:00Z', 'bad');
-- nothing is consumed: nothing goes
SELECT * FROM dmp.drop_lake_days('flow_keep', '2024-06-03');
SELECT rows_read FROM dmp.ingest('flow_keep');
-- late lines for days gone by
INSERT INTO lake.flow_keep (received_at, line) VALUES ('2024-06-02 01:00Z', '{"id": 100}'), ('2024-06-02 02:00Z', ''), ('2024-05-30', '{"id": 101}');
SELECT * FROM dmp.drop_lake_days('flow_keep', '2024-06-04');
SELECT relid FROM pg_partition_tree('lake.flow_keep') WHERE isleaf AND relid::text LIKE '%2024%' ORDER BY relid::text;
SELECT count(*) FROM lake.flow_keep;
-- they are not lost, and a bad one stays in quarantine
SELECT rows_read, rows_loaded FROM dmp.ingest('flow_keep');
SELECT * FROM dmp.drop_lake_days('flow_keep', '2024-06-04');
SELECT * FROM dmp.drop_lake_days('flow_keep', '2024-06-04');
SELECT record, state FROM dmp.quarantine WHERE source = 'flow_keep';
SELECT count(*), count(DISTINCT id) FROM flow_kept;
-- what is dropped cannot be replayed, what is there can
SELECT rows_read FROM dmp.replay('flow_keep', '2024-06-03', '2024-06-05');
SELECT rows_read, rows_loaded FROM dmp.replay('flow_keep', '2024-06-04', '2024-06-05');
DELETE FROM lake.flow_keep;
SELECT rows_read, rows_loaded FROM dmp.replay('flow_keep', '2024-06-04', '2024-06-05');
SELECT count(*), count(DISTINCT id) FROM flow_kept;
-- a live source, and lines it did not take
SELECT source FROM dmp.alter_source('flow_keep', live => true);
INSERT INTO lake.flow_keep (received_at, line) VALUES ('2024-06-05 01:00Z', '{"id": 200}'), ('2024-01-01', '{"id": 201}');
INSERT INTO lake.flow_keep (received_at, line, xact) VALUES ('2024-06-05 01:00Z', '{"id": 202}', '18446744073709551614');
SELECT * FROM dmp.drop_lake_days('flow_keep', '2024-06-07');
SELECT count(*) FROM dmp_internal.source_taken;
-- the days to come are left alone
SELECT * FROM dmp.drop_lake_days('flow_keep', (now() AT TIME ZONE 'UTC')::date + 2);
SELECT bool_and(action = 'kept') FROM dmp.drop_lake_days('flow_keep', (now() AT TIME ZONE 'UTC')::date);
SELECT count(*) >= 15 FROM pg_partition_tree('lake.flow_keep') WHERE isleaf;
-- rows of another cluster count as well
INSERT INTO lake.flow_keep (received_at, line, cluster) VALUES ('2024-03-01', '{"id": 300}', 77);
SELECT * FROM dmp.drop_lake_days('flow_keep', '2024-03-02');
SELECT rows_loaded FROM dmp.ingest('flow_keep');
SELECT * FROM dmp.drop_lake_days('flow_keep', '2024-03-02');
-- a source without a table consumes nothing
SELECT source FROM dmp.create_source('flow_lake_only');
INSERT INTO lake.flow_lake_only (received_at, line) VALUES ('2024-03-01', 'x');
SELECT * FROM dmp.drop_lake_days('flow_lake_only', '2024-03-02');
-- errors
SELECT * FROM dmp.drop_lake_days('flow_kep', '2024-03-02');
SELECT * FROM dmp.drop_lake_days(NULL, '2024-03-02');
SELECT * FROM dmp.drop_lake_days('flow_keep', NULL);
SELECT * FROM dmp.drop_lake_days('flow_keep', '-infinity');
CREATE ROLE flow_bob;
SET ROLE flow_bob;
SELECT * FROM dmp.drop_lake_days('flow_keep', '2024-03-02');
RESET ROLE;
DROP ROLE flow_bob;
SELECT count(*) FROM dmp.drop_source('flow_keep');
SELECT count(*) FROM dmp.drop_source('flow_lake_only');
DROP TABLE flow_kept;
DROP FUNCTION flow_day;
