\set ECHO none
\echo
\echo '--- Who may see what: rows by tenant (here the country) and purpose, checked by ordinary'
\echo '--- row-level security. Without a context that the role was granted, nothing is visible.'
\echo
\set ECHO queries
SELECT object, kind, left(sql, 60) AS sql FROM dmp.protect('events', tenant => 'country', purposes => '{marketing}');

CREATE ROLE analyst_de;
GRANT USAGE ON SCHEMA bi TO analyst_de;
GRANT SELECT ON events, bi.scores TO analyst_de;
SELECT * FROM dmp.grant_context('analyst_de', tenants => '{DE}', purposes => '{marketing}');

SELECT current_user AS reader, count(*) AS events FROM events;
SET ROLE analyst_de;
SELECT current_user AS reader, count(*) AS events FROM events;
SELECT * FROM dmp.why_hidden('events');
BEGIN;
SELECT dmp.set_context('{"actor": "ann", "tenant": "DE", "purpose": "marketing", "request": "T-17"}');
SELECT current_user AS reader, count(*) AS events, string_agg(DISTINCT country, ', ') AS countries FROM events;
COMMIT;
RESET ROLE;

\set ECHO none
\echo '--- Who changed what: each change of the scores in a log that cannot be altered unseen.'
\echo
\set ECHO queries
SELECT dmp.audit('bi.scores');
BEGIN;
SELECT dmp.set_context('{"actor": "bob", "request": "T-18"}');
UPDATE bi.scores SET score = 0.99 WHERE user_id = 7;
COMMIT;
SELECT actor, request, operation, row_key, round((old ->> 'score')::numeric, 3) AS was, new ->> 'score' AS becomes
FROM dmp.audit_log WHERE relation = 'bi.scores' AND operation = 'U';
SELECT block, entries FROM dmp.seal_audit();
SELECT status, detail FROM dmp.verify_audit();

-- a superuser rewrites history ...
\set ECHO none
BEGIN;
\set ECHO queries
UPDATE dmp_internal.audit_chunk SET actor = 'nobody' WHERE actor = 'bob';
SELECT entry, status, detail FROM dmp.verify_audit();
-- ... and it shows
ROLLBACK;
SELECT sql FROM dmp.undo((SELECT max(transaction::text::bigint)::text::xid8 FROM dmp.audit_log WHERE relation = 'bi.scores' AND operation = 'U'));

\set ECHO none
\echo '--- Where to look next, in this database:'
SELECT * FROM (VALUES
    ('the models and how they were made', 'SELECT * FROM dmp.models \gx'),
    ('what a statistician expects to read', 'SELECT dmp.summary(''buyers'')'),
    ('the model as plain SQL', 'SELECT dmp.model_sql(''buyers'')'),
    ('where the scores come from', 'SELECT * FROM dmp.lineage(''model:buyers'')'),
    ('what a security review would say', 'SELECT * FROM dmp.lint()'),
    ('what a recipe compiles to', 'SELECT dmp.clean_sql(''raw_events'', ''[{"trim":"*"}]'')'),
    ('what could not be loaded, to correct and retry', 'SELECT * FROM dmp.quarantine LIMIT 20'),
    ('one user''s features right now', 'SELECT * FROM feature.users_for(7, ''2024-05-01Z'')'),
    ('everything there is', 'SELECT * FROM dmp.help()')) AS t (what, "type this");
