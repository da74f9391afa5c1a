
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
	note text
);
CREATE INDEX quarantine_open ON dmp.quarantine (source, id) WHERE state = 'open';
COMMENT ON TABLE dmp.quarantine IS 'records that could not be loaded or were rejected, with column and reason; correct record, then dmp.retry_quarantine
Example: SELECT reason, count(*) FROM dmp.quarantine WHERE state = ''open'' GROUP BY 1';
COMMENT ON COLUMN dmp.quarantine.raw IS 'the bytes when they are no valid text; only the head of a record of more than 256 MB';
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
