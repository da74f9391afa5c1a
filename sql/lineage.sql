-- where objects come from and what is made of them, by columns
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS dmp;
SELECT count(*) >= 0 FROM dmp.setup();
RESET client_min_messages;
CREATE SCHEMA lint_line;
SET search_path = lint_line, public;

-- ---- columns of queries
CREATE TABLE a (id int, x int, y text, z text);
CREATE TABLE b (id int, w text, u int);
CREATE TABLE lonely (n int);

CREATE FUNCTION of_query(query text) RETURNS SETOF text LANGUAGE sql AS $$
	SELECT l FROM (SELECT format('%s <- %s%s %s%s', coalesce(column_to, '*'), relation::regclass, '.' || column_from, kind, CASE WHEN masked THEN ' masked' END) AS l
		FROM dmp_internal.query_lineage(query, NULL, 'lint_line, public', (SELECT oid FROM pg_roles WHERE rolname = current_user))) x ORDER BY l COLLATE "C" $$;
-- expressions, aliases, whole rows
SELECT * FROM of_query('SELECT id, x + 1 AS x1, lower(y), y::varchar v, now() FROM a');
SELECT * FROM of_query('SELECT a FROM a');
SELECT * FROM of_query('TABLE a');
SELECT * FROM of_query('a');
-- filter, join (natural, using, on), group, having, order, window, distinct
SELECT * FROM of_query('SELECT id, w FROM a JOIN b USING (id) WHERE x > 3 AND u < 4 ORDER BY z');
SELECT * FROM of_query('SELECT j.id, b.w FROM (a FULL JOIN b USING (id)) j, b');
SELECT * FROM of_query('SELECT y, count(*), sum(x) FILTER (WHERE z = ''q'') s FROM a GROUP BY y HAVING max(id) > 1');
SELECT * FROM of_query('SELECT DISTINCT y, rank() OVER (PARTITION BY z ORDER BY id) r FROM a');
-- case, coalesce, sublinks
SELECT * FROM of_query('SELECT CASE WHEN x > 1 THEN y ELSE z END c, coalesce(y, z) d FROM a');
SELECT * FROM of_query('SELECT (SELECT max(u) FROM b WHERE b.id = a.id) m, ARRAY(SELECT w FROM b) l, id IN (SELECT u FROM b) i FROM a WHERE EXISTS (SELECT FROM lonely WHERE n = a.x)');
-- sub-selects, lateral, WITH (recursive, nested), set operations, values, functions
SELECT * FROM of_query('SELECT s.k FROM (SELECT x * 2 AS k FROM a WHERE y <> '''') s');
SELECT * FROM of_query('SELECT l.k FROM a, LATERAL (SELECT a.x + b.u AS k FROM b) l');
SELECT * FROM of_query('WITH c AS (SELECT y AS k FROM a), d AS (SELECT k || ''!'' AS k2 FROM c) SELECT k2 FROM d');
SELECT * FROM of_query('WITH RECURSIVE r AS (SELECT id, 1 AS n FROM a UNION ALL SELECT b.u, n + 1 FROM b JOIN r ON r.id = b.id) SELECT id AS it, n FROM r');
SELECT * FROM of_query('WITH c AS (SELECT id FROM a) SELECT (SELECT max(id) FROM c) m FROM lonely');
SELECT * FROM of_query('SELECT id AS i, y AS t FROM a UNION ALL (SELECT u, w FROM b EXCEPT SELECT n, ''k'' FROM lonely)');
SELECT * FROM of_query('SELECT v.p FROM a, LATERAL (VALUES (x), (id)) v (p)');
SELECT * FROM of_query('SELECT g FROM a, generate_series(1, x) g');
SELECT * FROM of_query('SELECT count(*) FROM lonely');
SELECT * FROM of_query('SELECT 1');
-- masks
SELECT * FROM of_query('SELECT dmp.pseudonym(y, ''p'') p, y FROM a');
-- what is not valid any more, is no query or is hostile gives nothing, and ends nothing
SELECT * FROM of_query('SELECT * FROM gone');
SELECT * FROM of_query('SELECT nope FROM a');
SELECT * FROM of_query('DELETE FROM a');
SELECT * FROM of_query('SELECT 1; DROP TABLE a');
SELECT * FROM of_query('');
SELECT * FROM of_query(NULL);
SELECT count(*) FROM a;
-- a query is not run
SELECT * FROM of_query('SELECT 1 / (x - x) AS q FROM a');
CREATE SEQUENCE called;
SELECT * FROM of_query('SELECT nextval(''called'') FROM a');
SELECT is_called FROM called;

-- ---- the whole way: source, recipe, feature set, training set, model, scores, views
CREATE TABLE clicks (id int, user_id int, at timestamptz, dur text, device text);
SELECT source, lake_table FROM dmp.create_source('lint_web', 'clicks', mapping => '{"id": "$.a.id", "user_id": "uid"}');
INSERT INTO clicks SELECT i, i % 50, timestamptz '2024-01-01Z' + i * interval '1 hour', ' ' || i % 100, 'web' FROM generate_series(1, 1000) i;
SELECT * FROM dmp.create_recipe('lint_tidy', '[{"trim": ["dur"]}, {"cast": {"dur": "int"}}, {"derive": {"long": "dur > 50"}}]');
SELECT count(*) FROM dmp.run_recipe('lint_tidy', 'SELECT * FROM clicks', 'lint_line.tidied');
SELECT * FROM dmp.create_feature_set('lint_users', 'tidied', 'user_id', 'at', '{"n": {"agg": "count", "windows": ["7d"]}, "s": {"agg": "sum", "of": "dur", "windows": ["7d"]}}');
CREATE TABLE labels AS SELECT DISTINCT user_id, timestamptz '2024-02-01Z' AS at, user_id % 2 = 0 AS label FROM clicks;
SELECT * FROM dmp.training_set('{lint_users}', 'labels', 'lint_line.training');
SELECT status FROM dmp.train('lint_buyers', 'SELECT n_7d, s_7d * 2 AS s2, label FROM training WHERE at IS NOT NULL', 'label', lambda => 0.01);
CREATE VIEW to_score AS SELECT user_id, n_7d, s_7d * 2 AS s2 FROM training;
SELECT rows FROM dmp.score('lint_buyers', 'to_score', 'lint_line.scored', key => '{user_id}');
CREATE VIEW report AS SELECT s.user_id, s.score, dmp.pseudonym(c.dur, 'd') AS who FROM scored s JOIN clicks c USING (user_id);
CREATE MATERIALIZED VIEW kept AS SELECT count(*) AS n FROM report;
SELECT * FROM dmp.lineage('model:lint_buyers');
SELECT * FROM dmp.lineage('kept') WHERE from_object ~ 'report|kept' OR to_object ~ 'report|kept';
-- the same graph from either end
SELECT count(*) FROM (SELECT * FROM dmp.lineage('source:lint_web') EXCEPT SELECT * FROM dmp.lineage('kept')) x
WHERE from_object !~ 'feature' AND to_object !~ 'feature';
SELECT DISTINCT to_object FROM dmp.lineage('recipe:lint_tidy') ORDER BY 1;
SELECT DISTINCT to_object FROM dmp.lineage('feature_set:lint_users') WHERE from_object = 'feature_set:lint_users' ORDER BY 1;

-- names: bare, qualified, kinds, what is not there, what is more than one
SELECT count(*) > 0 FROM dmp.lineage('lint_buyers');
SELECT count(*) > 0 FROM dmp.lineage('lint_line.scored');
SELECT count(*) > 0 FROM dmp.lineage('table:scored');
SELECT dmp.lineage('nowhere');
SELECT dmp.lineage('model:nobody');
SELECT dmp.lineage('');
SELECT dmp.lineage('"; drop table a; --');
CREATE TABLE lint_tidy (i int);
SELECT dmp.lineage('lint_tidy');
SELECT count(*) FROM dmp.lineage('table:lint_tidy');
SELECT dmp.lineage(NULL);

-- cycles end
CREATE TABLE lint_c1 (i int);
SELECT count(*) FROM dmp.clean('lint_c1', 'lint_line.lint_c2', '[{"rename": {"i": "j"}}]');
SELECT count(*) FROM dmp.clean('lint_c2', 'lint_c1', '[{"rename": {"j": "i"}}]', if_exists => 'append');
SELECT * FROM dmp.lineage('lint_c1');

-- masked views
CREATE TABLE guarded (id int, tenant text, mail text);
SELECT count(*) > 0 FROM dmp.protect('guarded', tenant => 'tenant', mask => '{"mail": "email"}');
SELECT * FROM dmp.lineage('guarded');
SELECT DISTINCT t ->> 'subtype' AS subtype, t -> 'masking' AS masking
FROM dmp.lineage_events('guarded') e, jsonb_array_elements(e #> '{dataset,facets,columnLineage,fields,mail,inputFields}') i, jsonb_array_elements(i -> 'transformations') t ORDER BY 1, 2;

-- partitions
CREATE TABLE p (i int) PARTITION BY LIST (i);
CREATE TABLE p1 PARTITION OF p DEFAULT;
CREATE VIEW over_p AS SELECT i FROM p;
SELECT * FROM dmp.lineage('p1');

-- ---- OpenLineage: what the specification requires is there, of the types it says
CREATE TEMP TABLE event AS SELECT e FROM dmp.lineage_events('report') e;
SELECT e ->> 'schemaURL' AS schema, count(*) FROM event GROUP BY 1 ORDER BY 1;
SELECT count(*) FROM event WHERE NOT (e ? 'eventTime' AND e ? 'producer' AND e ? 'schemaURL'
	AND (e ->> 'eventTime') ~ '^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z$' AND (e ->> 'producer') ~ '^[a-z]+:');
-- RunEvent: run.runId (a UUID), job.namespace, job.name, inputs, outputs; DatasetEvent: dataset
SELECT count(*) FROM event WHERE e ->> 'schemaURL' ~ 'RunEvent$' AND NOT (e ->> 'eventType' IN ('START', 'RUNNING', 'COMPLETE', 'ABORT', 'FAIL', 'OTHER')
	AND (e #>> '{run,runId}')::uuid IS NOT NULL AND e #>> '{job,namespace}' <> '' AND e #>> '{job,name}' <> '' AND jsonb_typeof(e -> 'inputs') = 'array' AND jsonb_typeof(e -> 'outputs') = 'array');
SELECT count(*) FROM event WHERE e ->> 'schemaURL' ~ 'DatasetEvent$' AND (NOT e ? 'dataset' OR e ? 'job' OR e ? 'run');
CREATE TEMP TABLE dataset AS
SELECT d FROM event, LATERAL (SELECT e -> 'dataset' AS d WHERE e ? 'dataset' UNION ALL SELECT jsonb_array_elements(e -> 'inputs') UNION ALL SELECT jsonb_array_elements(e -> 'outputs')) x;
SELECT count(*) FROM dataset WHERE NOT (d ->> 'namespace' ~ '^postgres://[^:]+:\d+$' AND d ->> 'name' <> '');
-- facet columnLineage: _producer, _schemaURL, fields; each input field: namespace, name, field, transformations of type, subtype, description, masking
SELECT count(*) FROM (SELECT d #> '{facets,columnLineage}' AS f FROM dataset WHERE d ? 'facets') x
WHERE NOT (f ->> '_producer' ~ '^[a-z]+:' AND f ->> '_schemaURL' ~ '/1-2-0/ColumnLineageDatasetFacet.json' AND jsonb_typeof(f -> 'fields') = 'object' AND jsonb_typeof(f -> 'dataset') = 'array');
CREATE TEMP TABLE input AS
SELECT i FROM dataset, jsonb_each(d #> '{facets,columnLineage,fields}') f, jsonb_array_elements(f.value -> 'inputFields') i
UNION ALL
SELECT i FROM dataset, jsonb_array_elements(d #> '{facets,columnLineage,dataset}') i;
SELECT count(*) > 20 AS inputs, count(*) FILTER (WHERE NOT (i ? 'namespace' AND i ? 'name' AND jsonb_typeof(i -> 'field') = 'string' AND jsonb_array_length(i -> 'transformations') > 0)) AS bad FROM input;
SELECT count(*) FROM input, jsonb_array_elements(i -> 'transformations') t
WHERE NOT (t ->> 'type' IN ('DIRECT', 'INDIRECT') AND jsonb_typeof(t -> 'subtype') = 'string' AND jsonb_typeof(t -> 'description') = 'string' AND jsonb_typeof(t -> 'masking') = 'boolean');
SELECT t ->> 'type' AS type, t ->> 'subtype' AS subtype, t -> 'masking' AS masking, count(*) FROM (SELECT DISTINCT i FROM input) n, jsonb_array_elements(i -> 'transformations') t GROUP BY 1, 2, 3 ORDER BY 1, 2, 3;
SELECT jsonb_pretty(jsonb_path_query_array(d #> '{facets,columnLineage,fields}', '$.*.inputFields[*].transformations')) FROM dataset WHERE d ->> 'name' ~ 'report$' AND d ? 'facets';
-- the same run has the same id
SELECT count(*) FROM event WHERE e ? 'run' AND e -> 'run' NOT IN (SELECT x -> 'run' FROM dmp.lineage_events() x WHERE x ? 'run');

-- ---- an ordinary role: what the registries show it, and the definitions of views
CREATE ROLE lint_other;
GRANT USAGE ON SCHEMA lint_line TO lint_other;
SET ROLE lint_other;
SELECT count(*) FILTER (WHERE from_object ~ ':') AS registered, count(*) > 0 AS views FROM dmp.lineage('lint_line.report');
SELECT dmp.lineage('model:lint_buyers');
RESET ROLE;

-- code in a query of somebody else does not run as who asks: the checks of a domain in a literal of an array
CREATE SCHEMA lint_trap AUTHORIZATION lint_other;
SET ROLE lint_other;
SET search_path = lint_trap;
CREATE TABLE ran (who name);
GRANT INSERT ON ran TO PUBLIC;
CREATE FUNCTION sprung(text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN INSERT INTO lint_trap.ran VALUES (current_user); RETURN true; END $$;
CREATE DOMAIN trap AS text CHECK (lint_trap.sprung(VALUE));
CREATE TABLE t AS SELECT i % 2 = 0 AS y, sin(i) AS x FROM generate_series(1, 100) i;
SELECT status FROM dmp.train('lint_trap', $$SELECT y, x, cardinality('{a}'::lint_trap.trap[]) AS c FROM lint_trap.t$$, 'y', lambda => 0.1, exclude => '{c}');
RESET ROLE;
TRUNCATE lint_trap.ran;
SELECT from_object, column_from, column_to, kind FROM dmp.lineage('model:lint_trap');
SELECT * FROM dmp_internal.query_lineage('SELECT 1 FROM lint_trap.t', NULL, NULL, 0);
SET ROLE lint_other;
-- nor does one's own as somebody with more rights
SELECT * FROM dmp_internal.query_lineage($$SELECT '{a}'::lint_trap.trap[] FROM lint_trap.t$$, NULL, NULL, 10);
RESET ROLE;
SELECT DISTINCT who FROM lint_trap.ran;
SELECT count(*) FROM dmp.drop_model('lint_trap');
SET search_path = lint_line, public;

SET client_min_messages = warning;
SELECT dmp.drop_model('lint_buyers');
SELECT dmp.drop_feature_set('lint_users');
SELECT count(*) FROM dmp.drop_recipe('lint_tidy');
SELECT dmp.drop_source('lint_web');
RESET search_path;
DROP SCHEMA lint_line, lint_trap CASCADE;
DROP ROLE lint_other;
