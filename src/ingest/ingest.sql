
-- ---------------------------------------------------------------- ingest

-- quarantine

CREATE TABLE dmp.quarantine (
	id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	batch bigint,
	source text,
	recipe text,
	line_no bigint,
	record text,
	raw bytea,
	column_name text,
	reason text NOT NULL,
	sqlstate text NOT NULL,
	quarantined_at timestamptz NOT NULL DEFAULT now(),
	state text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'loaded', 'discarded')),
	owner dmp_internal.owner NOT NULL,
	origin text,
	lake_id bigint,
	received_at timestamptz,
	record_bytes bigint,
	note text,
	header text
);
CREATE INDEX quarantine_open ON dmp.quarantine (source, id) WHERE state = 'open';
COMMENT ON TABLE dmp.quarantine IS 'records that could not be loaded or were rejected, with column and reason; correct record, then dmp.retry_quarantine
Example: SELECT reason, count(*) FROM dmp.quarantine WHERE state = ''open'' GROUP BY 1';
COMMENT ON COLUMN dmp.quarantine.raw IS 'the bytes when they are no valid text; only the head of a record of more than 256 MB';
COMMENT ON COLUMN dmp.quarantine.header IS 'the header that names the fields of a csv record';
COMMENT ON COLUMN dmp.quarantine.record_bytes IS 'length of the whole record';
ALTER TABLE dmp.quarantine ENABLE ROW LEVEL SECURITY;
CREATE POLICY reader ON dmp.quarantine FOR SELECT USING (dmp_internal.owns(owner));
CREATE POLICY corrector ON dmp.quarantine FOR UPDATE
	USING (dmp_internal.owns(owner) AND state OPERATOR(pg_catalog.=) 'open')
	WITH CHECK (dmp_internal.owns(owner));
GRANT SELECT, UPDATE (record) ON dmp.quarantine TO PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('dmp.quarantine', '');
SELECT pg_catalog.pg_extension_config_dump('dmp.quarantine_id_seq', '');

CREATE FUNCTION dmp.discard_quarantine(ids bigint[], note text DEFAULT NULL, OUT rows_discarded bigint, OUT rows_open bigint)
	RETURNS SETOF record
	LANGUAGE C VOLATILE AS 'MODULE_PATHNAME', 'dmp_discard_quarantine';
COMMENT ON FUNCTION dmp.discard_quarantine(bigint[], text) IS 'give quarantined records up, with a note; they stay in dmp.quarantine as discarded
Example: SELECT * FROM dmp.discard_quarantine(ARRAY[17, 18], ''test data'')';

-- registry of sources

CREATE TABLE dmp_internal.source (
	id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	name text NOT NULL UNIQUE,
	owner dmp_internal.owner NOT NULL,
	format text NOT NULL,
	lake_table regclass NOT NULL,
	into_table regclass,
	key text[],
	mapping json,
	missing text[] NOT NULL DEFAULT '{}',
	on_duplicate text NOT NULL,
	live boolean NOT NULL DEFAULT false,
	search_path text,
	dropped_before date,
	options jsonb NOT NULL DEFAULT '{}',
	created_at timestamptz NOT NULL DEFAULT now(),
	recipe json
);
COMMENT ON TABLE dmp_internal.source IS 'sources; read dmp.sources';
ALTER TABLE dmp_internal.source ENABLE ROW LEVEL SECURITY;
CREATE POLICY reader ON dmp_internal.source FOR SELECT USING (dmp_internal.owns(owner));
GRANT SELECT ON dmp_internal.source TO PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('dmp_internal.source', '');
SELECT pg_catalog.pg_extension_config_dump('dmp_internal.source_id_seq', '');

-- what of a lake table is consumed, by cluster: see ingest.c
CREATE TABLE dmp_internal.source_position (
	source_id int NOT NULL,
	cluster int NOT NULL,
	snapshot pg_snapshot NOT NULL,
	own_xact xid8,
	own_id bigint,
	PRIMARY KEY (source_id, cluster)
);
COMMENT ON TABLE dmp_internal.source_position IS 'transactions of each cluster whose lake rows are consumed';
ALTER TABLE dmp_internal.source_position ENABLE ROW LEVEL SECURITY;
SELECT pg_catalog.pg_extension_config_dump('dmp_internal.source_position', '');

-- what live sources took beyond their positions: rows of one statement, see live.c
CREATE TABLE dmp_internal.source_taken (
	source_id int NOT NULL,
	cluster int NOT NULL,
	xact xid8 NOT NULL,
	first_id bigint NOT NULL,
	last_id bigint NOT NULL
);
CREATE INDEX source_taken_source ON dmp_internal.source_taken (source_id, cluster, xact);
COMMENT ON TABLE dmp_internal.source_taken IS 'lake rows taken by live sources since the last ingest';
ALTER TABLE dmp_internal.source_taken ENABLE ROW LEVEL SECURITY;
CREATE POLICY reader ON dmp_internal.source_taken FOR SELECT
	USING (source_id OPERATOR(pg_catalog.=) ANY (SELECT s.id FROM dmp_internal.source s));
GRANT SELECT ON dmp_internal.source_taken TO PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('dmp_internal.source_taken', '');

CREATE TABLE dmp_internal.batch (
	id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	source text NOT NULL,
	kind text NOT NULL CHECK (kind IN ('load', 'ingest', 'retry', 'live', 'replay')),
	origin text,
	into_table regclass,
	rows_read bigint NOT NULL,
	rows_loaded bigint NOT NULL,
	rows_duplicate bigint NOT NULL,
	rows_quarantined bigint NOT NULL,
	bytes bigint,
	fields_ignored jsonb,
	content_hash text,
	statements int NOT NULL DEFAULT 1,
	first_received_at timestamptz,
	last_received_at timestamptz,
	started_at timestamptz NOT NULL,
	finished_at timestamptz NOT NULL DEFAULT clock_timestamp(),
	state text NOT NULL DEFAULT 'done' CHECK (state IN ('done', 'reverted')),
	owner dmp_internal.owner NOT NULL,
	done_by dmp_internal.owner NOT NULL
);
CREATE INDEX batch_hash ON dmp_internal.batch (source, content_hash) WHERE content_hash IS NOT NULL;
CREATE INDEX batch_live ON dmp_internal.batch (source, id) WHERE kind = 'live';
COMMENT ON TABLE dmp_internal.batch IS 'loads and ingest runs; read dmp.batches';
ALTER TABLE dmp_internal.batch ENABLE ROW LEVEL SECURITY;
CREATE POLICY reader ON dmp_internal.batch FOR SELECT USING (dmp_internal.owns(owner));
GRANT SELECT ON dmp_internal.batch TO PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('dmp_internal.batch', '');
SELECT pg_catalog.pg_extension_config_dump('dmp_internal.batch_id_seq', '');

CREATE FUNCTION dmp_internal.copy_command(lake regclass, format text, options jsonb) RETURNS text
	LANGUAGE C STABLE STRICT AS 'MODULE_PATHNAME', 'dmp_copy_command';
COMMENT ON FUNCTION dmp_internal.copy_command(regclass, text, jsonb) IS 'the psql line that loads a file into a lake table';

CREATE VIEW dmp.sources WITH (security_invoker = true) AS
SELECT name AS source, owner, format, lake_table, into_table, key, mapping, missing, on_duplicate, options, created_at,
	(SELECT max(b.finished_at) FROM dmp_internal.batch b
	 WHERE b.source = s.name AND b.kind = 'ingest' AND b.into_table = s.into_table) AS last_ingest_at,
	dmp_internal.copy_command(lake_table, format, options) AS copy_command, live, recipe
FROM dmp_internal.source s;
COMMENT ON VIEW dmp.sources IS 'sources, their lake tables and the tables they fill
Example: SELECT source, lake_table, into_table FROM dmp.sources';
GRANT SELECT ON dmp.sources TO PUBLIC;

CREATE VIEW dmp.batches WITH (security_invoker = true) AS
SELECT id AS batch, source, kind, origin, into_table, state, rows_read, rows_loaded, rows_duplicate, rows_quarantined,
	bytes, fields_ignored, started_at, finished_at, owner, done_by
FROM dmp_internal.batch;
COMMENT ON VIEW dmp.batches IS 'loads and ingest runs, with what they did
Example: SELECT batch, kind, rows_read, rows_loaded FROM dmp.batches WHERE source = ''web'' ORDER BY batch';
GRANT SELECT ON dmp.batches TO PUBLIC;

-- sources

CREATE FUNCTION dmp_internal.live() RETURNS trigger
	LANGUAGE C AS 'MODULE_PATHNAME', 'dmp_live';
COMMENT ON FUNCTION dmp_internal.live() IS 'trigger of the lake table of a live source: loads what a statement inserted';

CREATE FUNCTION dmp.create_source(name text, into_table regclass DEFAULT NULL, format text DEFAULT 'json',
	key text[] DEFAULT NULL, mapping json DEFAULT NULL, missing text[] DEFAULT '{}', recipe json DEFAULT NULL,
	on_duplicate text DEFAULT 'ignore', live boolean DEFAULT false, options jsonb DEFAULT '{}',
	OUT source text, OUT lake_table regclass, OUT copy_command text)
	RETURNS SETOF record
	LANGUAGE C VOLATILE AS 'MODULE_PATHNAME', 'dmp_create_source';
COMMENT ON FUNCTION dmp.create_source(text, regclass, text, text[], json, text[], json, text, boolean, jsonb) IS 'name a stream of raw records (json, csv, weblog, syslog, kv): makes lake.<name> for them, to be ingested into a table
Example: SELECT * FROM dmp.create_source(''web'', ''events'', key => ARRAY[''click_id''])';

CREATE FUNCTION dmp.alter_source(name text, into_table regclass DEFAULT NULL, format text DEFAULT NULL,
	key text[] DEFAULT NULL, mapping json DEFAULT NULL, missing text[] DEFAULT NULL, recipe json DEFAULT NULL,
	on_duplicate text DEFAULT NULL, live boolean DEFAULT NULL, options jsonb DEFAULT NULL,
	OUT source text, OUT lake_table regclass, OUT copy_command text)
	RETURNS SETOF record
	LANGUAGE C VOLATILE AS 'MODULE_PATHNAME', 'dmp_alter_source';
COMMENT ON FUNCTION dmp.alter_source(text, regclass, text, text[], json, text[], json, text, boolean, jsonb) IS 'change a source; what is not given stays
Example: SELECT * FROM dmp.alter_source(''web'', missing => ARRAY[''N/A''])';

CREATE FUNCTION dmp.drop_source(name text, options jsonb DEFAULT NULL,
	OUT object text, OUT action text, OUT rows bigint)
	RETURNS SETOF record
	LANGUAGE C VOLATILE AS 'MODULE_PATHNAME', 'dmp_drop_source';
COMMENT ON FUNCTION dmp.drop_source(text, jsonb) IS 'drop a source, its lake table and its quarantine (kept with {"keep": true}); the table it fills stays
Example: SELECT * FROM dmp.drop_source(''web'')';

-- loading and ingesting

CREATE FUNCTION dmp.load_file(source text, path text, OUT batch bigint, OUT rows_loaded bigint, OUT bytes bigint)
	RETURNS SETOF record
	LANGUAGE C VOLATILE AS 'MODULE_PATHNAME', 'dmp_load_file';
COMMENT ON FUNCTION dmp.load_file(text, text) IS 'load a file of the server into the lake of a source: json lines, arrays or concatenated objects, csv, lines of logs
Example: SELECT * FROM dmp.load_file(''web'', ''/srv/in/user_behavior.json'')';
-- it reads any file the server may read
REVOKE EXECUTE ON FUNCTION dmp.load_file(text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION dmp.load_file(text, text) TO pg_read_server_files;

CREATE FUNCTION dmp.ingest(source text, path text DEFAULT NULL,
	OUT batch bigint, OUT rows_read bigint, OUT rows_loaded bigint, OUT rows_duplicate bigint,
	OUT rows_quarantined bigint, OUT fields_ignored jsonb, OUT elapsed interval)
	RETURNS SETOF record
	LANGUAGE C VOLATILE AS 'MODULE_PATHNAME', 'dmp_ingest';
COMMENT ON FUNCTION dmp.ingest(text, text) IS 'decode what came to the lake of a source since the last run, and load it into its table, exactly once
Example: SELECT * FROM dmp.ingest(''web'')';

CREATE FUNCTION dmp.replay(source text, from_day date, to_day date DEFAULT NULL,
	OUT batch bigint, OUT rows_read bigint, OUT rows_loaded bigint, OUT rows_duplicate bigint,
	OUT rows_quarantined bigint, OUT fields_ignored jsonb, OUT elapsed interval)
	RETURNS SETOF record
	LANGUAGE C VOLATILE AS 'MODULE_PATHNAME', 'dmp_replay';
COMMENT ON FUNCTION dmp.replay(text, date, date) IS 'take the lake records of days (UTC, to_day included) again, after a change of mapping, recipe or table; by key, or in place of what they loaded
Example: SELECT * FROM dmp.replay(''web'', ''2024-06-01'', ''2024-06-07'')';

CREATE FUNCTION dmp.drop_lake_days(source text, before date,
	OUT partition text, OUT action text, OUT rows bigint, OUT detail text)
	RETURNS SETOF record
	LANGUAGE C VOLATILE AS 'MODULE_PATHNAME', 'dmp_drop_lake_days';
COMMENT ON FUNCTION dmp.drop_lake_days(text, date) IS 'drop the partitions of a lake with days (UTC) before that one; what dmp.ingest has not taken is kept
Example: SELECT * FROM dmp.drop_lake_days(''web'', current_date - 30)';

CREATE FUNCTION dmp.revert_batch(batch bigint, OUT into_table regclass, OUT rows_deleted bigint)
	RETURNS SETOF record
	LANGUAGE C VOLATILE AS 'MODULE_PATHNAME', 'dmp_revert_batch';
COMMENT ON FUNCTION dmp.revert_batch(bigint) IS 'delete the rows one batch brought (of an ingest: by the column mapped to "$batch")
Example: SELECT * FROM dmp.revert_batch(7)';

CREATE FUNCTION dmp.retry_quarantine(source text, ids bigint[] DEFAULT NULL,
	OUT batch bigint, OUT rows_read bigint, OUT rows_loaded bigint, OUT rows_duplicate bigint,
	OUT rows_quarantined bigint, OUT fields_ignored jsonb, OUT elapsed interval)
	RETURNS SETOF record
	LANGUAGE C VOLATILE AS 'MODULE_PATHNAME', 'dmp_retry_quarantine';
COMMENT ON FUNCTION dmp.retry_quarantine(text, bigint[]) IS 'ingest open quarantined records of a source again, after they or the table were corrected
Example: SELECT * FROM dmp.retry_quarantine(''web'')';

-- help with the table, and one record at a time

CREATE FUNCTION dmp.infer_schema(source text, OUT column_name text, OUT type text, OUT nullable boolean, OUT format text,
	OUT examples text[], OUT rows_not_fitting bigint)
	RETURNS SETOF record
	LANGUAGE C STABLE AS 'MODULE_PATHNAME', 'dmp_infer_schema';
COMMENT ON FUNCTION dmp.infer_schema(text) IS 'the columns the records of a source would fill, how their dates and numbers are to be read, and how many would not fit
Example: SELECT * FROM dmp.infer_schema(''web'')';

CREATE FUNCTION dmp.infer_schema_sql(source text, table_name text) RETURNS text
	LANGUAGE C STABLE AS 'MODULE_PATHNAME', 'dmp_infer_schema_sql';
COMMENT ON FUNCTION dmp.infer_schema_sql(text, text) IS 'the CREATE TABLE for the inferred columns, and the alter_source that fills it, for \gexec
Example: SELECT dmp.infer_schema_sql(''web'', ''events'') \gexec';

CREATE FUNCTION dmp.decode(line text, base anyelement) RETURNS anyelement
	LANGUAGE C STABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'dmp_decode';
COMMENT ON FUNCTION dmp.decode(text, anyelement) IS 'a json record as a row of the type of base, columns by name; bad input is an error
Example: SELECT (dmp.decode(line, NULL::events)).* FROM lake.web';

-- logs of web servers

CREATE TYPE dmp.weblog AS (
	remote_host text,
	identity text,
	remote_user text,
	requested_at timestamptz,
	method text,
	path text,
	protocol text,
	status integer,
	bytes bigint,
	referrer text,
	agent text
);
COMMENT ON TYPE dmp.weblog IS 'a line of the access log of a web server';

CREATE FUNCTION dmp.parse_weblog(line text) RETURNS dmp.weblog
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20 AS 'MODULE_PATHNAME', 'dmp_parse_weblog';
COMMENT ON FUNCTION dmp.parse_weblog(text) IS 'the fields of a line of Apache''s common or combined log format, or of nginx'' default; NULL when it is none
Example: SELECT (dmp.parse_weblog(line)).* FROM lake.web';

CREATE TYPE dmp.url AS (
	scheme text,
	host text,
	port integer,
	path text,
	query jsonb,
	fragment text,
	utm jsonb,
	referrer_class text
);
COMMENT ON TYPE dmp.url IS 'the parts of an address';

CREATE FUNCTION dmp.parse_url(url text) RETURNS dmp.url
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20 AS 'MODULE_PATHNAME', 'dmp_parse_url';
COMMENT ON FUNCTION dmp.parse_url(text) IS 'the parts of an address, decoded: query and utm parameters as jsonb, the kind of site it leads to; NULL when it is none
Example: SELECT (dmp.parse_url(''https://www.google.com/search?q=a+b&utm_source=mail'')).*';

CREATE TYPE dmp.user_agent AS (
	browser text,
	browser_version text,
	os text,
	os_version text,
	device text,
	is_bot boolean
);
COMMENT ON TYPE dmp.user_agent IS 'what a User-Agent header says it is';

CREATE FUNCTION dmp.parse_user_agent(agent text) RETURNS dmp.user_agent
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100 AS 'MODULE_PATHNAME', 'dmp_parse_user_agent';
COMMENT ON FUNCTION dmp.parse_user_agent(text) IS 'browser, system and device (desktop, mobile, tablet, bot, other) of a User-Agent header, and whether it is a bot
Example: SELECT (dmp.parse_user_agent(''curl/8.5.0'')).is_bot';
