
-- ---------------------------------------------------------------- govern: lineage

CREATE FUNCTION dmp_internal.view_lineage(view oid, OUT column_to text, OUT relation oid, OUT column_from text, OUT kind text, OUT masked boolean)
	RETURNS SETOF record
	LANGUAGE C STABLE STRICT AS 'MODULE_PATHNAME', 'dmp_view_lineage';
COMMENT ON FUNCTION dmp_internal.view_lineage(oid) IS 'columns that feed the columns of a view; column_to null: all of them';
CREATE FUNCTION dmp_internal.query_lineage(query text, recipe json, search_path text, owner oid, OUT column_to text, OUT relation oid, OUT column_from text,
		OUT kind text, OUT masked boolean) RETURNS SETOF record
	LANGUAGE C VOLATILE AS 'MODULE_PATHNAME', 'dmp_query_lineage';
COMMENT ON FUNCTION dmp_internal.query_lineage(text, json, text, oid) IS 'columns that feed the columns of a query, or of a recipe over it, analyzed as the owner of it; nothing when it is not valid any more';

CREATE FUNCTION dmp_internal.lineage_name(relation oid) RETURNS text
	LANGUAGE sql STABLE STRICT
	SET search_path = pg_catalog, pg_temp
	AS $$
	SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = $1
	$$;
COMMENT ON FUNCTION dmp_internal.lineage_name(oid) IS 'a relation as dmp.lineage names it';

CREATE FUNCTION dmp_internal.lineage_names() RETURNS SETOF text
	LANGUAGE sql STABLE
	SET search_path = pg_catalog, pg_temp
	AS $$
	SELECT 'source:' || name FROM dmp_internal.source
	UNION SELECT 'recipe:' || name FROM dmp_internal.recipe
	UNION SELECT 'feature_set:' || name FROM dmp_internal.feature_set
	UNION SELECT 'model:' || name FROM dmp_internal.model_name
	$$;
COMMENT ON FUNCTION dmp_internal.lineage_names() IS 'what the registries hold that the current user may see, as kind:name';

-- every edge, as the caller: definitions of views, and what the registries show him
CREATE FUNCTION dmp_internal.lineage_edges(OUT from_object text, OUT to_object text, OUT column_from text, OUT column_to text, OUT kind text, OUT masked boolean)
	RETURNS SETOF record
	LANGUAGE sql VOLATILE
	SET search_path = pg_catalog, pg_temp
	AS $$
	WITH source AS MATERIALIZED (
		SELECT name, dmp_internal.lineage_name(lake_table) AS lake, dmp_internal.lineage_name(into_table) AS target, mapping FROM dmp_internal.source
	), run AS MATERIALIZED (
		-- the last run of each recipe over each query, into what is still there
		SELECT DISTINCT ON (into_table, query) recipe, document, query, search_path, into_table::oid AS made, done_by::oid AS owner
		FROM dmp_internal.recipe_run JOIN pg_class c ON c.oid = into_table WHERE state = 'done' ORDER BY into_table, query, run DESC
	), feature_set AS MATERIALIZED (
		SELECT f.name, dmp_internal.lineage_name(dmp_internal.feature_events(f.name, f.owner)) AS events, f.entity, f.columns, f.features,
			to_regclass(format('feature.%I', f.name))::oid AS view
		FROM dmp_internal.feature_set f
	), model AS MATERIALIZED (
		SELECT DISTINCT ON (m.name, m.query) m.name, m.query, m.search_path, m.features, m.target, m.trained_by::oid AS owner
		FROM dmp_internal.model m ORDER BY m.name, m.query, m.version DESC
	), made AS MATERIALIZED (
		SELECT made::oid AS oid, dmp_internal.lineage_name(made) AS name, r AS read, dmp_internal.lineage_name(r) AS read_name, obj_description(made, 'pg_class') AS comment
		FROM dmp_internal.made_table, unnest(reads::oid[]) r
	), fed AS (
		SELECT dmp_internal.lineage_name(l.relation) AS from_object, dmp_internal.lineage_name(v.oid) AS to_object, l.column_from, l.column_to, l.kind, l.masked
		FROM pg_class v JOIN pg_namespace n ON n.oid = v.relnamespace, dmp_internal.view_lineage(v.oid) l
		WHERE v.relkind IN ('v', 'm') AND n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'dmp', 'dmp_internal')
		  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = v.oid AND d.deptype = 'e')
		UNION ALL
		SELECT dmp_internal.lineage_name(i.inhrelid), dmp_internal.lineage_name(i.inhparent), NULL, NULL, 'partition', false
		FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid AND c.relkind IN ('r', 'p', 'f') JOIN pg_namespace n ON n.oid = c.relnamespace
		-- days of lake tables and months of the log say nothing
		WHERE n.nspname NOT IN ('lake', 'dmp_internal')
		UNION ALL
		SELECT 'source:' || name, lake, NULL, 'line', 'load', false FROM source
		UNION ALL
		SELECT lake, target, 'line', c, 'ingest', false
		FROM source LEFT JOIN LATERAL json_object_keys(mapping) c ON true WHERE target IS NOT NULL
		UNION ALL
		SELECT dmp_internal.lineage_name(l.relation), dmp_internal.lineage_name(run.made), l.column_from, l.column_to, l.kind, l.masked
		FROM run, dmp_internal.query_lineage(run.query, run.document, run.search_path, run.owner) l
		UNION ALL
		SELECT 'recipe:' || recipe, dmp_internal.lineage_name(made), NULL, NULL, 'recipe', false FROM run WHERE recipe IS NOT NULL
		UNION ALL
		SELECT events, 'feature_set:' || name, f.definition ->> 'of', c, 'aggregation', false
		FROM feature_set, unnest(columns) c,
		LATERAL (SELECT key, value AS definition FROM json_each(features)
			WHERE c = key OR starts_with(c, key || '_') ORDER BY length(key) DESC LIMIT 1) f
		UNION ALL
		SELECT events, 'feature_set:' || name, e, e, 'group_by', false FROM feature_set, unnest(entity) e
		UNION ALL
		SELECT 'feature_set:' || name, dmp_internal.lineage_name(view), c, c, 'identity', false FROM feature_set, unnest(entity || columns) c WHERE view IS NOT NULL
		UNION ALL
		-- training sets say so by their comment
		SELECT 'feature_set:' || f.name, made.name, a.attname, a.attname, 'identity', false
		FROM (SELECT DISTINCT oid, name, comment FROM made) made
		JOIN feature_set f ON f.name = ANY (regexp_split_to_array(substring(made.comment FROM '^training set of feature set (.*), labels: '), ', '))
		JOIN pg_attribute a ON a.attrelid = made.oid AND a.attname = ANY (f.columns) AND NOT a.attisdropped
		UNION ALL
		SELECT made.read_name, made.name, r.attname, a.attname, 'identity', false
		FROM made JOIN pg_attribute a ON a.attrelid = made.oid AND a.attnum > 0 AND NOT a.attisdropped
		JOIN pg_attribute r ON r.attrelid = made.read AND r.attname = a.attname AND r.attnum > 0 AND NOT r.attisdropped
		WHERE made.comment ~ '^training set of feature set ' AND made.read_name NOT IN (SELECT events FROM feature_set WHERE events IS NOT NULL)
		UNION ALL
		SELECT dmp_internal.lineage_name(l.relation), 'model:' || m.name, l.column_from, l.column_to, l.kind, l.masked
		FROM model m, dmp_internal.query_lineage(m.query, NULL, m.search_path, m.owner) l
		WHERE l.column_to IS NULL OR l.column_to = m.target OR l.column_to = ANY (m.features)
		UNION ALL
		-- so do scores
		SELECT 'model:' || m.name, made.name, NULL, 'score', 'score', false
		FROM made JOIN dmp_internal.model_name m ON made.comment = 'scores of model ' || m.name
		UNION ALL
		SELECT made.read_name, made.name, r.attname, CASE WHEN r.attname = ANY (m.features) THEN 'score' ELSE r.attname END,
			CASE WHEN r.attname = ANY (m.features) THEN 'transformation' ELSE 'identity' END, false
		FROM made JOIN model m ON made.comment = 'scores of model ' || m.name
		JOIN pg_attribute r ON r.attrelid = made.read AND r.attnum > 0 AND NOT r.attisdropped
		WHERE r.attname = ANY (m.features) OR EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = made.oid AND a.attname = r.attname AND a.attnum > 0
			AND a.attname NOT IN ('score', 'class', 'model', 'version', 'scored_at'))
	), merged AS (
		SELECT from_object, to_object, column_from, column_to, kind, bool_or(masked) AS masked
		FROM fed WHERE from_object IS NOT NULL AND to_object IS NOT NULL AND from_object <> to_object
		GROUP BY 1, 2, 3, 4, 5
	)
	SELECT * FROM merged
	UNION ALL
	-- what was read for a table, when no more is known
	SELECT DISTINCT read_name, name, NULL, NULL, 'dataset', false FROM made
	WHERE read_name IS NOT NULL AND name IS NOT NULL AND read_name <> name
	  AND NOT EXISTS (SELECT FROM merged m WHERE m.from_object = made.read_name AND m.to_object = made.name)
	$$;
COMMENT ON FUNCTION dmp_internal.lineage_edges() IS 'what feeds what, by columns where they are known';

CREATE FUNCTION dmp_internal.lineage_of(object text, OUT from_object text, OUT to_object text, OUT column_from text, OUT column_to text, OUT kind text, OUT masked boolean)
	RETURNS SETOF record
	LANGUAGE sql VOLATILE
	SET search_path = pg_catalog, pg_temp
	AS $$
	WITH RECURSIVE edge AS MATERIALIZED (
		SELECT * FROM dmp_internal.lineage_edges()
	), pair AS MATERIALIZED (
		SELECT DISTINCT e.from_object, e.to_object FROM edge e
	), above AS (
		SELECT $1 AS name
		UNION
		SELECT p.from_object FROM above a JOIN pair p ON p.to_object = a.name
	), below AS (
		SELECT $1 AS name
		UNION
		SELECT p.to_object FROM below b JOIN pair p ON p.from_object = b.name
	)
	SELECT e.* FROM edge e
	WHERE (e.from_object IN (SELECT name FROM above) AND e.to_object IN (SELECT name FROM above))
	   OR (e.from_object IN (SELECT name FROM below) AND e.to_object IN (SELECT name FROM below))
	ORDER BY e.from_object COLLATE "C", e.to_object COLLATE "C", e.column_to COLLATE "C" NULLS LAST, e.column_from COLLATE "C", e.kind
	$$;
COMMENT ON FUNCTION dmp_internal.lineage_of(text) IS 'edges that lead to an object or from it';

CREATE FUNCTION dmp.lineage(object text, OUT from_object text, OUT to_object text, OUT column_from text, OUT column_to text, OUT kind text)
	RETURNS SETOF record
	LANGUAGE C VOLATILE STRICT AS 'MODULE_PATHNAME', 'dmp_lineage';
COMMENT ON FUNCTION dmp.lineage(text) IS 'where a table, view, source, recipe, feature set or model comes from and what is made of it, by columns, over any number of steps; kind: identity, transformation, aggregation; conditional, filter, join, group_by, sort, window; load, ingest, recipe, score, partition, dataset
Example: SELECT * FROM dmp.lineage(''model:buyers'')';

-- OpenLineage (spec of events 2-0-2, facet columnLineage 1-2-0)

CREATE FUNCTION dmp_internal.openlineage_dataset(object text) RETURNS jsonb
	LANGUAGE sql STABLE STRICT
	SET search_path = pg_catalog, pg_temp
	AS $$
	SELECT jsonb_build_object(
		'namespace', format('postgres://%s:%s', coalesce(host(inet_server_addr()), 'localhost'), current_setting('port')),
		'name', CASE WHEN $1 ~ '^(source|recipe|feature_set|model):' THEN current_database() || '.' || $1 ELSE current_database() || '.' || replace($1, '"', '') END)
	$$;
COMMENT ON FUNCTION dmp_internal.openlineage_dataset(text) IS 'an object as OpenLineage names data sets of PostgreSQL';

CREATE FUNCTION dmp_internal.openlineage_facet(object text, edges jsonb) RETURNS jsonb
	LANGUAGE sql STABLE STRICT
	SET search_path = pg_catalog, pg_temp
	AS $$
	WITH e AS (
		SELECT e.*, dmp_internal.openlineage_dataset(e.from_object) || jsonb_build_object('field', e.column_from) AS input,
			jsonb_build_object('type', CASE WHEN e.kind IN ('conditional', 'filter', 'join', 'group_by', 'sort', 'window') THEN 'INDIRECT' ELSE 'DIRECT' END,
				'subtype', CASE WHEN e.kind IN ('ingest', 'load', 'score', 'recipe') THEN 'TRANSFORMATION' ELSE upper(e.kind) END,
				'description', CASE WHEN e.kind IN ('ingest', 'load', 'score', 'recipe') THEN e.kind ELSE '' END,
				'masking', e.masked) AS how
		FROM jsonb_to_recordset($2) e (from_object text, to_object text, column_from text, column_to text, kind text, masked boolean)
		WHERE e.to_object = $1 AND e.column_from IS NOT NULL
	), field AS (
		SELECT column_to, jsonb_build_object('inputFields', jsonb_agg(input || jsonb_build_object('transformations', hows) ORDER BY input)) AS inputs
		FROM (SELECT column_to, input, jsonb_agg(how ORDER BY how) AS hows FROM e WHERE column_to IS NOT NULL GROUP BY 1, 2) x GROUP BY 1
	), whole AS (
		SELECT input || jsonb_build_object('transformations', jsonb_agg(how ORDER BY how)) AS input FROM e WHERE column_to IS NULL GROUP BY e.input
	)
	SELECT jsonb_build_object('_producer', 'urn:postgresql:extension:dmp',
		'_schemaURL', 'https://openlineage.io/spec/facets/1-2-0/ColumnLineageDatasetFacet.json#/$defs/ColumnLineageDatasetFacet',
		'fields', coalesce((SELECT jsonb_object_agg(column_to, inputs) FROM field), '{}'),
		'dataset', coalesce((SELECT jsonb_agg(input ORDER BY input) FROM whole), '[]'))
	$$;
COMMENT ON FUNCTION dmp_internal.openlineage_facet(text, jsonb) IS 'facet columnLineage of an object, of its edges';

-- what ran, with the object it wrote; an id that stays
CREATE FUNCTION dmp_internal.openlineage_runs(OUT object text, OUT job text, OUT run text, OUT at timestamptz, OUT rows bigint) RETURNS SETOF record
	LANGUAGE sql STABLE
	SET search_path = pg_catalog, pg_temp
	AS $$
	SELECT dmp_internal.lineage_name(into_table), 'dmp.clean ' || coalesce(recipe || ' ', '') || 'into ' || dmp_internal.lineage_name(into_table), 'clean ' || run, finished_at, rows_written
	FROM dmp_internal.recipe_run WHERE state = 'done'
	UNION ALL
	SELECT dmp_internal.lineage_name(into_table), 'dmp.ingest ' || source, 'ingest ' || id, finished_at, rows_loaded
	FROM dmp_internal.batch WHERE state = 'done' AND into_table IS NOT NULL
	UNION ALL
	SELECT 'model:' || name, 'dmp.train ' || name, 'train ' || id, trained_at, m.rows FROM dmp_internal.model m
	$$;
COMMENT ON FUNCTION dmp_internal.openlineage_runs() IS 'runs of recipes, ingests and trainings';

CREATE FUNCTION dmp_internal.openlineage_events(object text) RETURNS SETOF jsonb
	LANGUAGE sql VOLATILE
	SET search_path = pg_catalog, pg_temp
	AS $$
	WITH edge AS MATERIALIZED (
		SELECT e.* FROM dmp_internal.lineage_edges() e WHERE $1 IS NULL
		UNION ALL
		SELECT e.* FROM dmp_internal.lineage_of($1) e WHERE $1 IS NOT NULL
	), edges AS (
		SELECT coalesce(jsonb_agg(to_jsonb(edge)), '[]') AS list FROM edge
	), made AS MATERIALIZED (
		SELECT to_object, dmp_internal.openlineage_dataset(to_object) || jsonb_build_object('facets',
			jsonb_build_object('columnLineage', dmp_internal.openlineage_facet(to_object, edges.list))) AS dataset
		FROM (SELECT DISTINCT to_object FROM edge) t, edges
	), common AS (
		SELECT jsonb_build_object('producer', 'urn:postgresql:extension:dmp') AS c
	)
	SELECT c || jsonb_build_object('eventTime', to_char(r.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'), 'eventType', 'COMPLETE',
		'schemaURL', 'https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent',
		'run', jsonb_build_object('runId', md5(format('dmp %s %s %s', current_database(), r.run, r.at))::uuid, 'facets', '{}'::jsonb),
		'job', jsonb_build_object('namespace', m.dataset ->> 'namespace', 'name', current_database() || '.' || r.job, 'facets', '{}'::jsonb),
		'inputs', (SELECT coalesce(jsonb_agg(DISTINCT dmp_internal.openlineage_dataset(e.from_object)), '[]') FROM edge e WHERE e.to_object = r.object),
		'outputs', jsonb_build_array(m.dataset || jsonb_build_object('outputFacets', jsonb_build_object('outputStatistics',
			jsonb_build_object('_producer', 'urn:postgresql:extension:dmp', '_schemaURL', 'https://openlineage.io/spec/facets/1-0-2/OutputStatisticsOutputDatasetFacet.json#/$defs/OutputStatisticsOutputDatasetFacet',
				'rowCount', r.rows)))))
	FROM dmp_internal.openlineage_runs() r JOIN made m ON m.to_object = r.object, common
	UNION ALL
	SELECT c || jsonb_build_object('eventTime', to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
		'schemaURL', 'https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/DatasetEvent', 'dataset', m.dataset)
	FROM made m, common
	$$;
COMMENT ON FUNCTION dmp_internal.openlineage_events(text) IS 'events of what leads to an object and from it; null: of everything';

CREATE FUNCTION dmp.lineage_events(object text DEFAULT NULL) RETURNS SETOF jsonb
	LANGUAGE C VOLATILE AS 'MODULE_PATHNAME', 'dmp_lineage_events';
COMMENT ON FUNCTION dmp.lineage_events(text) IS 'the same as OpenLineage events: a run event for each run of a recipe, ingest and training, and a data set event with its column lineage for all that is made of something
Example: SELECT dmp.lineage_events(''model:buyers'')';
