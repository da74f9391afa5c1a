
-- ---------------------------------------------------------------- govern: ledger

-- chunks are found by transaction (sealing) and by number (everything else), through
-- DMP_LEDGER_INDEX of ledger.h on each partition: BRIN costs writers next to nothing,
-- but the server brings no class for xid8
CREATE OPERATOR CLASS dmp_internal.xid8_minmax_ops FOR TYPE pg_catalog.xid8 USING brin AS
	OPERATOR 1 pg_catalog.<,
	OPERATOR 2 pg_catalog.<=,
	OPERATOR 3 pg_catalog.=,
	OPERATOR 4 pg_catalog.>=,
	OPERATOR 5 pg_catalog.>,
	FUNCTION 1 pg_catalog.brin_minmax_opcinfo(internal),
	FUNCTION 2 pg_catalog.brin_minmax_add_value(internal, internal, internal, internal),
	FUNCTION 3 pg_catalog.brin_minmax_consistent(internal, internal, internal),
	FUNCTION 4 pg_catalog.brin_minmax_union(internal, internal, internal);

-- a block: a header, of which all columns but the last are hashed into hash, and
-- what its root was made of: chunks in order of their numbers, 32 bytes an entry
CREATE TABLE dmp_internal.audit_block (
	block bigint PRIMARY KEY,
	cluster int NOT NULL,
	total bigint NOT NULL,
	entries int NOT NULL,
	chunks int NOT NULL,
	first_chunk bigint NOT NULL,
	last_chunk bigint NOT NULL,
	first_at timestamptz NOT NULL,
	last_at timestamptz NOT NULL,
	sealed_at timestamptz NOT NULL,
	xact_from xid8 NOT NULL,
	horizon xid8 NOT NULL,
	previous bytea NOT NULL,
	history bytea NOT NULL,
	directory_hash bytea NOT NULL,
	root bytea NOT NULL,
	hash bytea NOT NULL
);
CREATE INDEX audit_block_cluster ON dmp_internal.audit_block (cluster, block);
COMMENT ON TABLE dmp_internal.audit_block IS 'sealed blocks of the audit log: headers, each with the hash of the one before';

CREATE TABLE dmp_internal.audit_commitment (
	block bigint PRIMARY KEY,
	directory bytea NOT NULL,
	leaves bytea NOT NULL
);
-- hashes do not compress; to compress the numbers of chunks was a third of the time of sealing
ALTER TABLE dmp_internal.audit_commitment ALTER COLUMN leaves SET STORAGE EXTERNAL,
	ALTER COLUMN directory SET STORAGE EXTERNAL;
COMMENT ON TABLE dmp_internal.audit_commitment IS 'chunks of a sealed block and 32 bytes for each of its entries';

-- the newest block, told apart from the blocks so that losing those shows
CREATE TABLE dmp_internal.audit_head (
	one boolean PRIMARY KEY DEFAULT true CHECK (one),
	block bigint NOT NULL,
	total bigint NOT NULL,
	hash bytea NOT NULL,
	peaks bytea NOT NULL
);
COMMENT ON TABLE dmp_internal.audit_head IS 'the newest block of the audit log and the tree over all blocks';

-- months of the log that were dropped on purpose
CREATE TABLE dmp_internal.audit_dropped (
	partition text NOT NULL,
	from_at timestamptz NOT NULL,
	to_at timestamptz NOT NULL,
	entries bigint NOT NULL,
	dropped_at timestamptz NOT NULL,
	dropped_by text NOT NULL,
	PRIMARY KEY (from_at, to_at)
);
COMMENT ON TABLE dmp_internal.audit_dropped IS 'months of the audit log that were dropped by dmp.drop_audit';

-- without a policy: neither pg_read_all_data nor pg_write_all_data opens them
ALTER TABLE dmp_internal.audit_block ENABLE ROW LEVEL SECURITY;
ALTER TABLE dmp_internal.audit_commitment ENABLE ROW LEVEL SECURITY;
ALTER TABLE dmp_internal.audit_head ENABLE ROW LEVEL SECURITY;
ALTER TABLE dmp_internal.audit_dropped ENABLE ROW LEVEL SECURITY;
SELECT pg_catalog.pg_extension_config_dump('dmp_internal.audit_block', '');
SELECT pg_catalog.pg_extension_config_dump('dmp_internal.audit_commitment', '');
SELECT pg_catalog.pg_extension_config_dump('dmp_internal.audit_head', '');
SELECT pg_catalog.pg_extension_config_dump('dmp_internal.audit_dropped', '');

CREATE FUNCTION dmp.seal_audit(OUT block bigint, OUT entries bigint) RETURNS SETOF record
	LANGUAGE C VOLATILE AS 'MODULE_PATHNAME', 'dmp_seal_audit';
REVOKE EXECUTE ON FUNCTION dmp.seal_audit() FROM PUBLIC; -- it writes the ledger
COMMENT ON FUNCTION dmp.seal_audit() IS 'seal what the audit log holds of finished transactions into Merkle blocks chained by hash; nothing while another session seals
Example: SELECT * FROM dmp.seal_audit()';

CREATE FUNCTION dmp_internal.audit_directory(directory bytea, OUT chunk bigint, OUT at timestamptz, OUT entries int) RETURNS SETOF record
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE ROWS 1000 AS 'MODULE_PATHNAME', 'dmp_audit_directory';
COMMENT ON FUNCTION dmp_internal.audit_directory(bytea) IS 'chunks of a sealed block, from its list';

CREATE FUNCTION dmp.verify_audit(digest jsonb DEFAULT NULL, OUT block bigint, OUT entry bigint, OUT status text, OUT detail text) RETURNS SETOF record
	LANGUAGE C STABLE AS 'MODULE_PATHNAME', 'dmp_verify_audit';
COMMENT ON FUNCTION dmp.verify_audit(jsonb) IS 'whether the audit log is what was sealed, and what one or more digests say that were stored elsewhere: one row with ok, or what was modified, is missing, was inserted or reordered; redacted, dropped and unsealed entries are told
Example: SELECT * FROM dmp.verify_audit()';
CREATE FUNCTION dmp.audit_digest() RETURNS jsonb
	LANGUAGE C STABLE AS 'MODULE_PATHNAME', 'dmp_audit_digest';
COMMENT ON FUNCTION dmp.audit_digest() IS 'number and hash of the newest sealed block: to be stored where no superuser of this server can change it, and given to dmp.verify_audit
Example: SELECT dmp.audit_digest()';
CREATE FUNCTION dmp.audit_proof(entry bigint, digest jsonb DEFAULT NULL) RETURNS jsonb
	LANGUAGE C STABLE AS 'MODULE_PATHNAME', 'dmp_audit_proof';
COMMENT ON FUNCTION dmp.audit_proof(bigint, jsonb) IS 'proof that an entry was sealed under a digest, by default the newest, that can be checked without the database; by who may read the entry
Example: SELECT dmp.audit_proof(max(entry)) FROM dmp.audit_log';

CREATE FUNCTION dmp.drop_audit(before timestamptz, OUT partition text, OUT entries bigint) RETURNS SETOF record
	LANGUAGE C VOLATILE STRICT AS 'MODULE_PATHNAME', 'dmp_drop_audit';
REVOKE EXECUTE ON FUNCTION dmp.drop_audit(timestamptz) FROM PUBLIC; -- it ends the log's memory
COMMENT ON FUNCTION dmp.drop_audit(timestamptz) IS 'drop the months of the audit log that had ended by a moment and are sealed; headers of their blocks stay, and the ledger verifies
Example: SELECT * FROM dmp.drop_audit(now() - interval ''3 years'')';

CREATE FUNCTION dmp_internal.erase_entries(entries bigint[]) RETURNS bigint
	LANGUAGE C VOLATILE STRICT AS 'MODULE_PATHNAME', 'dmp_erase_entries';
REVOKE EXECUTE ON FUNCTION dmp_internal.erase_entries(bigint[]) FROM PUBLIC; -- it rewrites the log
COMMENT ON FUNCTION dmp_internal.erase_entries(bigint[]) IS 'replace salt and payload of entries of the audit log by their hash; entries that changed';

-- what dmp.audit_coverage() starts from, and what it found

CREATE TABLE dmp_internal.audit_check (
	root dmp_internal.relation NOT NULL,
	cluster int NOT NULL,
	snapshot pg_snapshot NOT NULL,
	at timestamptz NOT NULL,
	columns text NOT NULL,
	rows bigint NOT NULL,
	content bytea NOT NULL,
	own xid8,
	last_chunk bigint NOT NULL
);
COMMENT ON TABLE dmp_internal.audit_check IS 'content of audited tables at the last check of dmp.audit_coverage';
CREATE TABLE dmp_internal.audit_gap (
	relation dmp_internal.relation NOT NULL,
	relation_name text NOT NULL,
	gap_from timestamptz,
	gap_to timestamptz,
	reason text NOT NULL
);
COMMENT ON TABLE dmp_internal.audit_gap IS 'windows in which the audit log may lack something';
ALTER TABLE dmp_internal.audit_check ENABLE ROW LEVEL SECURITY;
ALTER TABLE dmp_internal.audit_gap ENABLE ROW LEVEL SECURITY;
SELECT pg_catalog.pg_extension_config_dump('dmp_internal.audit_check', '');
SELECT pg_catalog.pg_extension_config_dump('dmp_internal.audit_gap', '');

CREATE FUNCTION dmp.audit_coverage(OUT relation text, OUT gap_from timestamptz, OUT gap_to timestamptz, OUT reason text) RETURNS SETOF record
	LANGUAGE C VOLATILE AS 'MODULE_PATHNAME', 'dmp_audit_coverage';
COMMENT ON FUNCTION dmp.audit_coverage() IS 'windows in which changes of your audited tables may be missing from the log: triggers that are off, partitions that are not audited, and rows that are not what they were at the last call plus what was logged since
Example: SELECT * FROM dmp.audit_coverage()';
