\set ECHO none
\echo
\echo '--- Your file: what is in it, as far as its lines tell.'
\echo
\set ECHO queries
CREATE EXTENSION dmp;
SELECT source, lake_table FROM dmp.create_source('own');
SELECT rows_loaded, pg_size_pretty(bytes) AS size FROM dmp.load_file('own', :'json');
SELECT * FROM dmp.infer_schema('own');

-- a table of these columns, told to the source, and the lines in it
SELECT dmp.infer_schema_sql('own', 'events') \gexec
SELECT rows_read, rows_loaded, rows_duplicate, rows_quarantined, fields_ignored, elapsed FROM dmp.ingest('own');
SELECT column_name, reason, count(*) AS lines, min(left(record, 56)) AS for_example
FROM dmp.quarantine GROUP BY 1, 2 ORDER BY lines DESC LIMIT 12;
SELECT * FROM events LIMIT 5;

\set ECHO none
-- the rest of the story needs a user, a time and a purchase
SELECT bool_or(attname = 'user_id') AS has_user, bool_or(attname = 'click_time' AND atttypid = 'timestamptz'::regtype) AS has_time,
       bool_or(attname = 'purchase_id') AS has_purchase
FROM pg_attribute WHERE attrelid = 'events'::regclass AND attnum > 0 \gset
\if :has_user
\else
	\echo 'skipped: cleaning and everything after it, for want of a column user_id'
	\quit
\endif
\echo
\echo '--- Rows without a user and repeated rows go.'
\echo
\set ECHO queries
SELECT step, action, column_name, rows_in, rows_out, cells_changed, rows_quarantined
FROM dmp.clean('events', 'clean_events',
               '[{"trim": "*"}, {"missing": ["N/A", "?", "-", ""]}, {"drop_missing": ["user_id"]}, {"deduplicate": "*"}]');
\set ECHO none
\if :has_time
\else
	\echo 'skipped: features and everything after it, for want of a column click_time with times'
	\quit
\endif
\if :has_purchase
\else
	\echo 'skipped: features and everything after it, for want of a column purchase_id'
	\quit
\endif
\echo
\echo '--- Features before, purchases within, the last quarter of the time the file covers.'
\echo
SELECT max(click_time) - (max(click_time) - min(click_time)) / 4 AS cutoff,
       (max(click_time) - min(click_time)) / 4 AS horizon, max(click_time) AS latest FROM clean_events \gset
\set ECHO queries
SELECT view_name, features FROM dmp.create_feature_set('users', 'clean_events', entity => 'user_id', at => 'click_time',
    features => '{"clicks": {"agg": "count", "windows": ["7d", "30d"]}, "orders": {"agg": "count", "of": "purchase_id"}, "recency": {"agg": "recency"}}');
SELECT rows, positives FROM dmp.labels('users', 'purchase_id IS NOT NULL', :'horizon', ARRAY[:'cutoff'::timestamptz], into_table => 'labels');
SELECT rows, features FROM dmp.training_set('{users}', 'labels', into_table => 'training');
SELECT model, version, deployed, status, rows, features, roc_auc, test_roc_auc, warnings
FROM dmp.train('buyers', 'training', 'label', lambda => 0.001, exclude => '{user_id,at}', test_fraction => 0.3);
CREATE SCHEMA bi;
SELECT rows, model, version FROM dmp.score('buyers', format('SELECT * FROM feature.users_at(%L)', :'latest'), into_table => 'bi.scores', key => '{user_id}');
SELECT * FROM bi.scores ORDER BY score DESC LIMIT 5;
