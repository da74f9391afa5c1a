\set ECHO none
\echo
\echo '--- Who may see what, and who changed what: PostgreSQL''s own means work on all of it.'
\echo
\set ECHO queries
CREATE ROLE analyst_de;
GRANT USAGE ON SCHEMA bi TO analyst_de;
GRANT SELECT ON events, bi.scores TO analyst_de;
ALTER TABLE events ENABLE ROW LEVEL SECURITY;
CREATE POLICY germany ON events TO analyst_de USING (country = 'DE');
ALTER TABLE bi.scores ENABLE ROW LEVEL SECURITY;
CREATE POLICY germany ON bi.scores TO analyst_de
    USING (EXISTS (SELECT FROM events e WHERE e.user_id = scores.user_id));

SELECT current_user AS reader, (SELECT count(*) FROM events) AS events, count(*) AS scored_users FROM bi.scores;
SET ROLE analyst_de;
SELECT current_user AS reader, (SELECT count(*) FROM events) AS events, count(*) AS scored_users FROM bi.scores;
RESET ROLE;

CREATE TABLE bi.audit (at timestamptz DEFAULT clock_timestamp(), who name DEFAULT session_user, action text, was jsonb, becomes jsonb);
CREATE FUNCTION bi.audit() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO bi.audit (action, was, becomes) VALUES (TG_OP, to_jsonb(OLD), to_jsonb(NEW));
    RETURN NULL;
END $$;
CREATE TRIGGER audit AFTER INSERT OR UPDATE OR DELETE ON bi.scores FOR EACH ROW EXECUTE FUNCTION bi.audit();

UPDATE bi.scores SET score = 0.99 WHERE user_id = 7;
SELECT who, action, round((was ->> 'score')::numeric, 3) AS score_was, becomes ->> 'score' AS becomes, becomes ->> 'user_id' AS user_id
FROM bi.audit;

\set ECHO none
\echo '--- Where to look next, in this database:'
SELECT * FROM (VALUES
    ('the models and how they were made', 'SELECT * FROM dmp.models \gx'),
    ('what a statistician expects to read', 'SELECT dmp.summary(''buyers'')'),
    ('the model as plain SQL', 'SELECT dmp.model_sql(''buyers'')'),
    ('what a recipe compiles to', 'SELECT dmp.clean_sql(''raw_events'', ''[{"trim":"*"}]'')'),
    ('what could not be loaded, to correct and retry', 'SELECT * FROM dmp.quarantine LIMIT 20'),
    ('one user''s features right now', 'SELECT * FROM feature.users_for(7, ''2024-05-01Z'')'),
    ('everything there is', 'SELECT * FROM dmp.help()')) AS t (what, "type this");
