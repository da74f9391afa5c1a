-- a protected table has the plans of a policy written by hand
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS dmp;
CREATE ROLE access_reader;
CREATE SCHEMA access_q;
GRANT USAGE ON SCHEMA access_q TO access_reader;
SELECT count(*) FROM dmp.grant_context('access_reader', NULL, NULL);
RESET client_min_messages;

CREATE TABLE access_q.ours (id int PRIMARY KEY, org int, email text, x float8);
INSERT INTO access_q.ours SELECT i, i % 50, 'u' || i, i FROM generate_series(1, 20000) i;
CREATE INDEX ours_org ON access_q.ours (org);
CREATE TABLE access_q.hand (LIKE access_q.ours);
INSERT INTO access_q.hand SELECT * FROM access_q.ours;
ALTER TABLE access_q.hand ADD CONSTRAINT hand_pkey PRIMARY KEY (id);
CREATE INDEX hand_org ON access_q.hand (org);
CREATE TABLE access_q.items (customer int, n int);
INSERT INTO access_q.items SELECT 1 + i % 20000, i FROM generate_series(1, 40000) i;
-- the same rows in both, those of other purposes too: plans follow sizes
INSERT INTO dmp_internal.consent_state SELECT 'u' || i, 'access_q', i % 3 > 0, now() FROM generate_series(1, 20000) i;
CREATE TABLE access_q.consent (subject text, purpose text, granted boolean, since timestamptz, PRIMARY KEY (purpose, subject));
INSERT INTO access_q.consent SELECT subject, purpose, granted, since FROM dmp_internal.consent_state;
GRANT SELECT ON ALL TABLES IN SCHEMA access_q TO access_reader;
VACUUM FULL ANALYZE access_q.ours, access_q.hand, access_q.items, access_q.consent, dmp_internal.consent_state;
ALTER TABLE access_q.hand ENABLE ROW LEVEL SECURITY;

-- what both say, with the names of one
CREATE FUNCTION access_q.plan(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	line text;
	plan text := '';
BEGIN
	FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || query LOOP
		plan := plan || regexp_replace(regexp_replace(replace(replace(line, 'consent_state dmp_consent', 'consent c'),
			'consent_state_pkey', 'consent_pkey'), 'ours', 'hand', 'g'), '\$\d+', '$', 'g') || E'\n';
	END LOOP;
	RETURN plan;
END $$;
CREATE FUNCTION access_q.compare(query text) RETURNS TABLE (same boolean, first text, answers boolean) LANGUAGE plpgsql AS $$
DECLARE
	ours text := access_q.plan(replace(query, 'TABLE', 'access_q.ours'));
	hand text := access_q.plan(replace(query, 'TABLE', 'access_q.hand'));
BEGIN
	IF ours <> hand THEN
		RAISE NOTICE E'ours:\n%hand:\n%', ours, hand;
	END IF;
	RETURN QUERY EXECUTE format('SELECT %L::boolean, %L::text, (SELECT md5(string_agg(q::text, '','' ORDER BY q::text)) FROM (%s) q) = (SELECT md5(string_agg(q::text, '','' ORDER BY q::text)) FROM (%s) q)',
		ours = hand, (string_to_array(hand, E'\n'))[1], replace(query, 'TABLE', 'access_q.ours'), replace(query, 'TABLE', 'access_q.hand'));
END $$;
CREATE VIEW access_q.queries AS SELECT i, query FROM unnest(ARRAY['SELECT * FROM TABLE WHERE id = 107', 'SELECT * FROM TABLE', 'SELECT count(*), sum(x) FROM TABLE',
	'SELECT * FROM TABLE WHERE x > 100 ORDER BY id LIMIT 5', 'SELECT t.id, n FROM TABLE t JOIN access_q.items i ON i.customer = t.id',
	'SELECT * FROM TABLE WHERE email = ''u107''', 'SELECT email FROM TABLE WHERE id BETWEEN 100 AND 400']) WITH ORDINALITY u(query, i);
GRANT SELECT ON access_q.queries TO access_reader;

-- by tenant
CREATE POLICY p ON access_q.hand USING (org = (SELECT nullif(current_setting('access_q.org', true), '')::int));
SELECT count(*) FROM dmp.protect('access_q.ours', 'org', purposes => '{access_q}');
SET access_q.org = '7';
SET access_q.purpose = 'access_q';
SET SESSION AUTHORIZATION access_reader;
BEGIN;
SELECT dmp.set_context('{"tenant": 7, "purpose": "access_q"}');
SELECT query, c.* FROM access_q.queries, access_q.compare(query) c ORDER BY i;
-- in parallel, without the index
SET LOCAL parallel_setup_cost = 0;
SET LOCAL parallel_tuple_cost = 0;
SET LOCAL min_parallel_table_scan_size = 0;
SET LOCAL enable_bitmapscan = off;
SET LOCAL enable_indexscan = off;
SELECT query, c.* FROM access_q.queries, access_q.compare(query) c WHERE i IN (2, 3) ORDER BY i;
ROLLBACK;
RESET SESSION AUTHORIZATION;

-- and by consent
DROP POLICY p ON access_q.hand;
CREATE POLICY p ON access_q.hand USING (org = (SELECT nullif(current_setting('access_q.org', true), '')::int) AND EXISTS (SELECT FROM access_q.consent c
	WHERE c.purpose = (SELECT current_setting('access_q.purpose', true)) AND c.subject = hand.email AND c.granted));
SELECT count(*) FROM dmp.protect('access_q.ours', 'org', 'email', '{access_q}');
SET SESSION AUTHORIZATION access_reader;
BEGIN;
SELECT dmp.set_context('{"tenant": 7, "purpose": "access_q"}');
SELECT query, c.* FROM access_q.queries, access_q.compare(query) c ORDER BY i;
SET LOCAL parallel_setup_cost = 0;
SET LOCAL parallel_tuple_cost = 0;
SET LOCAL min_parallel_table_scan_size = 0;
SET LOCAL enable_bitmapscan = off;
SET LOCAL enable_indexscan = off;
SELECT query, c.* FROM access_q.queries, access_q.compare(query) c WHERE i IN (2, 3) ORDER BY i;
ROLLBACK;
RESET SESSION AUTHORIZATION;

SET client_min_messages = warning;
DELETE FROM dmp_internal.consent_state WHERE purpose = 'access_q';
DROP SCHEMA access_q CASCADE;
SELECT count(*) FROM dmp.revoke_context('access_reader');
DROP ROLE access_reader;
