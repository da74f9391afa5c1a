
-- ---------------------------------------------------------------- feature

-- feature sets: definitions over a table of events. The table itself is not
-- stored: it is what feature.<name>_for reads, by the server's dependencies.

CREATE TABLE dmp_internal.feature_set (
	name text PRIMARY KEY,
	version int NOT NULL,
	owner dmp_internal.owner NOT NULL,
	entity text[] NOT NULL,
	at text,
	known_at text,
	delay interval,
	entities text,
	features json NOT NULL,
	search_path text NOT NULL,
	columns text[] NOT NULL,
	created_at timestamptz NOT NULL DEFAULT statement_timestamp(),
	altered_at timestamptz
);
COMMENT ON TABLE dmp_internal.feature_set IS 'definitions of feature sets, as they were given';
SELECT pg_catalog.pg_extension_config_dump('dmp_internal.feature_set', '');

-- Events table of a feature set: the relation of which feature.<name>_for reads
-- columns. Others may create in the schema too: only a function of the view's
-- owner counts, and only a view of the set's owner (or of a superuser, who restored it).
CREATE FUNCTION dmp_internal.feature_events(name text, owner oid) RETURNS regclass
	LANGUAGE sql STABLE STRICT PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
	AS $$
	SELECT min(d.refobjid)::regclass
	FROM pg_proc p
	JOIN pg_namespace s ON s.oid = p.pronamespace AND s.nspname = 'feature'
	JOIN pg_class v ON v.relnamespace = s.oid AND v.relname = $1 AND v.reltype = p.prorettype
	JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid
		AND d.refclassid = 'pg_class'::regclass AND d.refobjsubid > 0
	WHERE p.proname = $1 || '_for' AND p.proowner = v.relowner
		AND (v.relowner = $2 OR EXISTS (SELECT FROM pg_roles r WHERE r.oid = v.relowner AND r.rolsuper))
	$$;

ALTER TABLE dmp_internal.feature_set ENABLE ROW LEVEL SECURITY;
CREATE POLICY visible ON dmp_internal.feature_set FOR SELECT TO PUBLIC USING (
	dmp_internal.owns(owner) OR EXISTS (
		SELECT FROM pg_catalog.pg_class c
		JOIN pg_catalog.pg_namespace s ON s.oid OPERATOR(pg_catalog.=) c.relnamespace
		WHERE s.nspname OPERATOR(pg_catalog.=) 'feature'
			AND c.relname OPERATOR(pg_catalog.=) feature_set.name
			AND pg_catalog.has_table_privilege(c.oid, 'SELECT')));
GRANT SELECT ON dmp_internal.feature_set TO PUBLIC;

CREATE VIEW dmp.feature_sets WITH (security_invoker = true) AS
	SELECT f.name, f.version, pg_catalog.pg_get_userbyid(f.owner) AS owner,
		pg_catalog.format('feature.%I', f.name) AS view_name,
		dmp_internal.feature_events(f.name, f.owner)::text AS events,
		f.entity, f.at, f.columns AS features, f.known_at, f.delay, f.entities,
		false AS live, f.features AS definition, f.created_at, f.altered_at
	FROM dmp_internal.feature_set f;
COMMENT ON VIEW dmp.feature_sets IS 'feature sets you own or may read
Example: SELECT name, events, entity, features FROM dmp.feature_sets';
GRANT SELECT ON dmp.feature_sets TO PUBLIC;

CREATE FUNCTION dmp.create_feature_set(name text, events regclass, entity text, at text,
	features json, live boolean DEFAULT false, entities text DEFAULT NULL,
	known_at text DEFAULT NULL, delay interval DEFAULT NULL, options jsonb DEFAULT '{}')
	RETURNS TABLE(view_name text, features int)
	LANGUAGE C VOLATILE AS 'MODULE_PATHNAME', 'dmp_create_feature_set';
COMMENT ON FUNCTION dmp.create_feature_set(text, regclass, text, text, json, boolean, text, text, interval, jsonb) IS
'define features of an entity over a table of events: makes view feature.<name> (as of now) and functions feature.<name>_at and feature.<name>_for
Example: SELECT * FROM dmp.create_feature_set(''users'', ''clicks'', ''user_id'', ''click_time'', ''{"clicks": {"agg": "count", "windows": ["1d", "7d"]}, "recency": {"agg": "recency"}}'')';

CREATE FUNCTION dmp.alter_feature_set(name text, add json DEFAULT '{}', drop text[] DEFAULT '{}')
	RETURNS TABLE(view_name text, features int)
	LANGUAGE C VOLATILE AS 'MODULE_PATHNAME', 'dmp_alter_feature_set';
COMMENT ON FUNCTION dmp.alter_feature_set(text, json, text[]) IS
'add features to a feature set, or drop some
Example: SELECT * FROM dmp.alter_feature_set(''users'', add => ''{"spend": {"agg": "sum", "of": "order_value"}}'')';

CREATE FUNCTION dmp.drop_feature_set(name text) RETURNS TABLE(object text, action text)
	LANGUAGE C VOLATILE AS 'MODULE_PATHNAME', 'dmp_drop_feature_set';
COMMENT ON FUNCTION dmp.drop_feature_set(text) IS
'drop a feature set with its view and functions; nothing else may depend on them
Example: SELECT * FROM dmp.drop_feature_set(''users'')';

CREATE FUNCTION dmp.feature_sql(name text) RETURNS text
	LANGUAGE C STABLE STRICT AS 'MODULE_PATHNAME', 'dmp_feature_sql';
COMMENT ON FUNCTION dmp.feature_sql(text) IS
'the SELECT a feature set means, as of now
Example: SELECT dmp.feature_sql(''users'')';

CREATE FUNCTION dmp.labels(feature_set text, outcome text, horizon interval, at timestamptz[],
	into_table text, if_exists text DEFAULT 'error')
	RETURNS TABLE(rows bigint, positives bigint)
	LANGUAGE C VOLATILE AS 'MODULE_PATHNAME', 'dmp_labels';
COMMENT ON FUNCTION dmp.labels(text, text, interval, timestamptz[], text, text) IS
'write (entity, at, label): for entities known before each time, whether any event within the horizon after it has the outcome
Example: SELECT * FROM dmp.labels(''users'', ''order_value > 0'', ''30 days'', ''{2024-06-01}'', ''bought'')';

CREATE FUNCTION dmp.training_set(feature_sets text[], labels text, into_table text,
	if_exists text DEFAULT 'error')
	RETURNS TABLE(rows bigint, features int)
	LANGUAGE C VOLATILE AS 'MODULE_PATHNAME', 'dmp_training_set';
COMMENT ON FUNCTION dmp.training_set(text[], text, text, text) IS
'write labels with the features as they were known strictly before the time of each label
Example: SELECT * FROM dmp.training_set(''{users}'', ''bought'', ''bought_training'')';

CREATE FUNCTION dmp.feature_report(query text, target text)
	RETURNS TABLE(feature text, type text, rows_missing bigint, distinct_values bigint,
		information_value float8, mutual_information float8, roc_auc float8, correlation float8,
		vif float8, warning text)
	LANGUAGE C VOLATILE AS 'MODULE_PATHNAME', 'dmp_feature_report';
COMMENT ON FUNCTION dmp.feature_report(text, text) IS
'what each column of a query alone tells of a target of two values, in one scan: information value, mutual information (nats), AUC, correlation, inflation of variance, and warnings
Example: SELECT * FROM dmp.feature_report(''SELECT * FROM visitors'', ''bought'') ORDER BY information_value DESC NULLS LAST';
