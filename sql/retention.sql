-- how long rows are kept; the register of requests; records of processing
SET client_min_messages = warning;
SET timezone = 'UTC';
CREATE SCHEMA retention;
SET search_path = retention;
CREATE ROLE regress_dmp_keeper;
GRANT CREATE, USAGE ON SCHEMA retention TO regress_dmp_keeper;

CREATE TABLE person (email text PRIMARY KEY, left_on date);
CREATE TABLE mail (id int, email text REFERENCES person ON DELETE CASCADE, sent_at timestamptz NOT NULL);
INSERT INTO person VALUES ('kept@example.org', NULL), ('held@example.org', current_date - 900), ('gone@example.org', current_date - 900);
INSERT INTO mail SELECT i, (ARRAY['kept', 'held', 'gone'])[1 + i % 3] || '@example.org', now() - i * interval '10 days' FROM generate_series(0, 59) i;
-- months; one with a trigger, one with a held subject
CREATE TABLE click (who text, at timestamp) PARTITION BY RANGE (at);
CREATE TABLE click_1 PARTITION OF click FOR VALUES FROM ('2020-01-01') TO ('2020-02-01');
CREATE TABLE click_2 PARTITION OF click FOR VALUES FROM ('2020-02-01') TO ('2020-03-01');
CREATE TABLE click_3 PARTITION OF click FOR VALUES FROM ('2020-03-01') TO ('2020-04-01');
CREATE TABLE click_rest PARTITION OF click DEFAULT;
INSERT INTO click SELECT 'somebody', '2020-01-15'::timestamp + i % 3 * interval '30 days' FROM generate_series(0, 29) i;
INSERT INTO click VALUES ('held@example.org', '2020-02-10'), ('somebody', localtimestamp), ('somebody', '2019-01-01');
CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN OLD; END';
CREATE TRIGGER nothing BEFORE DELETE ON click_3 FOR EACH ROW EXECUTE FUNCTION nothing();
SELECT dmp.tag('person', 'email', 'subject'), dmp.tag('click', 'who', 'subject');
SELECT dmp.hold_subject('held@example.org', 'dispute') AS hold \gset

SELECT dmp.set_retention('mail', 'sent_at', '1 year'), dmp.set_retention('click', 'at', '2 years'), dmp.set_retention('person', 'left_on', '100 days');
SELECT dmp.set_retention('mail', 'sent_at', '200 days');
SELECT relation, column_name, keep_for, rows_before = now() - keep_for AS before FROM dmp.retention WHERE relation::text !~ '\.' ORDER BY relation::text COLLATE "C";
SELECT count(*) FILTER (WHERE sent_at < now() - interval '200 days' AND email <> 'held@example.org') AS to_go FROM mail;
SELECT relation, rows FROM dmp.apply_retention() ORDER BY relation::text COLLATE "C";
SELECT * FROM person ORDER BY email;
SELECT email, count(*), max(id) FROM mail GROUP BY 1 ORDER BY 1;
SELECT tableoid::regclass, count(*) FROM click GROUP BY 1 ORDER BY tableoid::regclass::text COLLATE "C";
SELECT to_regclass('retention.click_1') AS dropped;
SELECT relation, rows FROM dmp.apply_retention() ORDER BY relation::text COLLATE "C";
SELECT dmp.release_subject(:hold);
SELECT relation, rows FROM dmp.apply_retention() ORDER BY relation::text COLLATE "C";
SELECT relation FROM dmp.retention WHERE relation = 'click'::regclass;
SELECT dmp.set_retention('click', 'at', NULL);
SELECT relation FROM dmp.retention WHERE relation = 'click'::regclass;

-- a lake, by its days
SELECT source FROM dmp.create_source('retention_web');
INSERT INTO lake.retention_web (received_at, line) VALUES (now() - interval '40 days', '{"a": 1}'), (now() - interval '50 days', 'of held@example.org'), (now(), '{"a": 2}');
SELECT dmp.set_retention('lake.retention_web', 'received_at', '30 days');
SELECT dmp.hold_subject('held@example.org', 'dispute') AS hold \gset
SET client_min_messages = notice;
SELECT rows FROM dmp.apply_retention() WHERE relation = 'lake.retention_web'::regclass;
SET client_min_messages = warning;
SELECT dmp.release_subject(:hold);
-- nobody ingests these records; one waits for ever and is kept
SELECT rows FROM dmp.apply_retention() WHERE relation = 'lake.retention_web'::regclass;
CREATE TABLE taken (a int);
SELECT dmp.hold_subject('plain', 'a name that may be any word') AS hold \gset
SET client_min_messages = notice;
SELECT rows FROM dmp.apply_retention() WHERE relation = 'lake.retention_web'::regclass;
SET client_min_messages = warning;
SELECT dmp.release_subject(:hold);
SELECT source FROM dmp.alter_source('retention_web', into_table => 'taken');
SELECT rows_read FROM dmp.ingest('retention_web');
SELECT rows FROM dmp.apply_retention() WHERE relation = 'lake.retention_web'::regclass;
SELECT line FROM lake.retention_web;
SELECT count(*) FROM dmp.drop_source('retention_web');

-- refused
SELECT dmp.set_retention('mail', 'id', '1 year');
SELECT dmp.set_retention('mail', 'sent', '1 year');
SELECT dmp.set_retention('mail', 'sent_at', '-1 year');
SELECT dmp.set_retention('mail', 'sent_at', '0');
SELECT dmp.set_retention(NULL, 'sent_at', '1 year');
CREATE VIEW seen AS SELECT now() AS at;
SELECT dmp.set_retention('seen', 'at', '1 year');
SET ROLE regress_dmp_keeper;
SELECT dmp.set_retention('mail', 'sent_at', '1 day');
CREATE TABLE own (at date, who text);
INSERT INTO own VALUES (current_date - 10, 'x'), (current_date, 'y');
SELECT dmp.set_retention('own', 'at', '5 days');
SELECT relation, rows FROM dmp.apply_retention();
-- it cannot be told which rows a hold keeps: nothing goes
RESET ROLE;
SELECT dmp.hold_subject('held@example.org', 'dispute') AS hold \gset
SET ROLE regress_dmp_keeper;
INSERT INTO own VALUES (current_date - 10, 'x');
DO $$ BEGIN
	PERFORM dmp.apply_retention();
EXCEPTION WHEN insufficient_privilege THEN RAISE WARNING '%', SQLERRM; END $$;
SELECT count(*) FROM own;
RESET ROLE;
SELECT dmp.release_subject(:hold);

-- requests
SELECT dmp.open_request('r@example.org', 'delete', 'gdpr', '2024-01-31 12:00Z') AS gdpr \gset
SELECT dmp.open_request('r@example.org', 'know', 'ccpa', '2024-01-31 12:00Z', note => 'by letter') AS ccpa \gset
SELECT dmp.open_request('r@example.org', 'opt_out', 'ccpa', '2024-01-31 12:00Z') AS sale \gset
SELECT dmp.open_request('r@example.org', 'port', 'pipl', '2024-02-03 12:00Z') AS pipl \gset
SELECT dmp.open_request('r@example.org', 'correct', 'lgpd', '2024-01-31 12:00Z', '2024-02-15 12:00Z') AS lgpd \gset
SELECT dmp.open_request('r@example.org', 'object', 'gdpr') AS new \gset
SELECT kind, law, state, received_at, due_at, overdue FROM dmp.subject_requests WHERE subject = 'r@example.org' AND received_at < '2025-01-01' ORDER BY request;
SELECT overdue, due_at = received_at + interval '1 month' AS month FROM dmp.subject_requests WHERE request = :new;
SELECT dmp.extend_request(:gdpr, 'many systems'), dmp.extend_request(:ccpa, 'many systems');
SELECT dmp.extend_request(:gdpr, 'again');
SELECT dmp.extend_request(:sale, 'no');
SELECT dmp.extend_request(:pipl, 'no');
SELECT dmp.extend_request(:lgpd, 'no');
SELECT dmp.extend_request(:ccpa, NULL);
SELECT dmp.close_request(:gdpr), dmp.close_request(:ccpa, 'refused', 'not the person');
DO $$ BEGIN
	PERFORM dmp.close_request((SELECT request FROM dmp.subject_requests WHERE subject = 'r@example.org' AND law = 'gdpr' AND kind = 'delete'));
EXCEPTION WHEN object_not_in_prerequisite_state THEN RAISE WARNING '%', regexp_replace(SQLERRM, '\d+', 'n'); END $$;
SELECT dmp.close_request(:new, 'maybe');
SELECT dmp.close_request(0);
SELECT dmp.close_request(NULL);
SELECT law, kind, state, extended, due_at, overdue, handled_at IS NOT NULL AS handled, note FROM dmp.subject_requests WHERE request IN (:gdpr, :ccpa) ORDER BY request;
SELECT dmp.open_request('r@example.org', 'delte', 'gdpr');
SELECT dmp.open_request('r@example.org', 'delete', 'GDPR');
SELECT dmp.open_request('r@example.org', 'delete', 'gdpr', 'infinity');
SELECT dmp.open_request(NULL, 'delete', 'gdpr');
SELECT dmp.open_request('r@example.org', NULL, 'gdpr');
SELECT dmp.open_request('r@example.org', 'delete', NULL);
SET ROLE regress_dmp_keeper;
SELECT dmp.open_request('r@example.org', 'delete', 'gdpr');
SELECT count(*) FROM dmp.subject_requests;
RESET ROLE;
-- the register keeps no name of an erased subject
SELECT action, rows FROM dmp.erase_subject('r@example.org', false) WHERE object = 'dmp.subject_requests';
SELECT count(*) FROM dmp.subject_requests WHERE subject = 'r@example.org';
SELECT count(DISTINCT subject), count(*) FROM dmp.subject_requests WHERE subject ~ '^[0-9a-f]{64}$' AND note IS NULL;

-- records of processing
GRANT SELECT ON mail TO regress_dmp_keeper;
SELECT dmp.tag('mail', 'email', 'email');
SELECT dmp.record_processing('mail', 'support', 'contract', subjects => 'customers', transfers => 'none', safeguards => 'row security');
SELECT dmp.record_processing('mail', 'quality', 'legitimate interest');
SELECT dmp.record_processing('mail', 'quality', 'consent');
ALTER TABLE mail RENAME TO letters;
SELECT purpose, legal_basis, relation, subjects, categories, array_remove(recipients, current_user::text) AS recipients, keep_for, transfers, safeguards
FROM dmp.processing WHERE relation = 'letters'::regclass ORDER BY 1;
SELECT dmp.record_processing('letters', 'quality', NULL);
SELECT dmp.record_processing('letters', 'quality', NULL);
SELECT purpose FROM dmp.processing WHERE relation = 'letters'::regclass;
SELECT dmp.record_processing('letters', NULL, 'consent');
SET ROLE regress_dmp_keeper;
SELECT dmp.record_processing('letters', 'mine', 'consent');
SELECT purpose FROM dmp.processing;
RESET ROLE;
SELECT purpose FROM dmp.processing WHERE relation = 'retention.letters'::regclass;

SET client_min_messages = error;
DROP SCHEMA retention CASCADE;
SELECT count(*) FROM dmp.retention WHERE relation::text ~ 'retention';
DELETE FROM dmp_internal.subject_request;
DELETE FROM dmp_internal.subject_hold;
DROP ROLE regress_dmp_keeper;
