-- a subject's rows: export, holds, erasure
SET client_min_messages = warning;
CREATE SCHEMA subject;
SET search_path = subject, public;

CREATE FUNCTION shown(subject text, dry_run boolean) RETURNS TABLE (object text, action text, rows bigint, detail jsonb)
LANGUAGE sql AS $$
	SELECT object, action, rows, detail - '{subject,entry,not_covered,rows}'::text[] FROM dmp.erase_subject(subject, dry_run)
$$;

CREATE TABLE person (id int PRIMARY KEY, email text UNIQUE NOT NULL, full_name text);
CREATE TABLE orders (id int, shop int, person_id int NOT NULL REFERENCES person, day date, PRIMARY KEY (shop, id))
	PARTITION BY LIST (shop);
CREATE TABLE orders_1 PARTITION OF orders FOR VALUES IN (1);
CREATE TABLE orders_2 (day date, person_id int NOT NULL, shop int NOT NULL, id int NOT NULL);
ALTER TABLE orders ATTACH PARTITION orders_2 FOR VALUES IN (2);
CREATE TABLE line (shop int, order_id int, n int, gift text, PRIMARY KEY (shop, order_id, n),
	FOREIGN KEY (shop, order_id) REFERENCES orders (shop, id) ON DELETE CASCADE);
-- its rows stay without the person
CREATE TABLE visit (id int PRIMARY KEY, person_id int REFERENCES person ON DELETE SET NULL, ip text, path text);
-- two tables that refer to each other, not null, not deferrable
CREATE TABLE account (id int PRIMARY KEY, person_id int NOT NULL REFERENCES person, main_card int NOT NULL);
CREATE TABLE card (id int PRIMARY KEY, account_id int NOT NULL REFERENCES account, digits text);
-- a manager goes, those who report to him stay
CREATE TABLE staff (email text PRIMARY KEY, boss text REFERENCES staff, deputy text REFERENCES staff ON DELETE SET NULL);
-- inheritance
CREATE TABLE note (email text, body text);
CREATE TABLE old_note (since date) INHERITS (note);

INSERT INTO person SELECT i, format('p%s@example.org', i), format('Person %s', i) FROM generate_series(1, 20) i;
INSERT INTO orders SELECT i, i % 2 + 1, i % 20 + 1, '2024-01-01' FROM generate_series(1, 60) i;
INSERT INTO line SELECT shop, id, n, CASE WHEN n = 1 THEN 'for ' || person_id END FROM orders, generate_series(1, 2) n;
INSERT INTO visit SELECT i, i % 20 + 1, '10.0.0.' || i % 20 + 1, '/' FROM generate_series(1, 40) i;
INSERT INTO account SELECT i, i, i FROM generate_series(1, 20) i;
INSERT INTO card SELECT i, (i - 1) % 20 + 1, 'digits ' || i FROM generate_series(1, 40) i;
ALTER TABLE account ADD FOREIGN KEY (main_card) REFERENCES card;
INSERT INTO staff VALUES ('p7@example.org', NULL, NULL), ('p8@example.org', 'p7@example.org', 'p7@example.org');
INSERT INTO note VALUES ('p7@example.org', 'likes tea');
INSERT INTO old_note VALUES ('p7@example.org', 'liked coffee', '2020-01-01'), ('p8@example.org', 'x', '2020-01-01');
CREATE MATERIALIZED VIEW by_person AS SELECT p.email, count(*) AS orders FROM person p JOIN orders o ON o.person_id = p.id GROUP BY 1;
CREATE VIEW over_it AS SELECT email FROM by_person;
CREATE MATERIALIZED VIEW upon_it AS SELECT email FROM over_it;
ANALYZE;

SELECT dmp.tag('person', 'email', 'subject'), dmp.tag('person', 'full_name', 'name'), dmp.tag('staff', 'email', 'subject'),
	dmp.tag('note', 'email', 'subject'), dmp.tag('visit', 'ip', 'ip');

-- a table with a column of the same name and type that is not tagged is told of
CREATE TABLE letter (id int, email text);
INSERT INTO letter VALUES (1, 'p7@example.org'), (2, 'p8@example.org');
SELECT object, record FROM dmp.export_subject('p7@example.org') WHERE record ? 'not_read';
SELECT * FROM shown('p7@example.org', true) WHERE action = 'refused';
SELECT dmp.erase_subject('p7@example.org', false);
DROP TABLE letter;

SELECT object, record FROM dmp.export_subject('p7@example.org') ORDER BY object COLLATE "C", record;
SELECT object, record FROM dmp.export_subject('nobody@example.org');

-- a hold
SELECT dmp.hold_subject('p7@example.org', 'court case') AS hold \gset
SELECT dmp.hold_subject('p7@example.org', 'another') > :hold AS more;
SELECT object, action, detail ->> 'reason' ~ '^hold \d+: (court case|another)$' AS reason FROM shown('p7@example.org', true) WHERE action = 'refused';
DO $$ BEGIN
	PERFORM dmp.erase_subject('p7@example.org', false);
EXCEPTION WHEN object_not_in_prerequisite_state THEN RAISE WARNING '%', SQLERRM; END $$;
SELECT dmp.release_subject(:hold, 'settled'), dmp.release_subject(:hold + 1);
DO $$ BEGIN
	PERFORM dmp.release_subject((SELECT min(hold) FROM dmp.subject_holds WHERE subject = 'p7@example.org'));
EXCEPTION WHEN object_not_in_prerequisite_state THEN RAISE WARNING '%', regexp_replace(SQLERRM, '\d+', 'n'); END $$;
SELECT dmp.release_subject(0);
SELECT dmp.release_subject(NULL);
SELECT subject, reason, held_by = current_user::regrole::text::dmp_internal.owner::oid AS mine, released_at IS NOT NULL AS released, note
FROM dmp.subject_holds WHERE hold >= :hold ORDER BY hold;

-- what would be done, and what is done, are the same
CREATE TABLE told AS SELECT row_number() OVER () AS n, * FROM shown('p7@example.org', true);
SELECT object, action, rows, detail FROM told ORDER BY n;
SELECT count(*) FROM person;
CREATE TABLE done AS SELECT row_number() OVER () AS n, * FROM shown('p7@example.org', false);
SELECT * FROM told t FULL JOIN done d USING (n, object) WHERE object <> 'certificate'
	AND (t.action, t.rows, t.detail) IS DISTINCT FROM (d.action, d.rows, d.detail);
SELECT object, action, rows, detail FROM done WHERE object = 'certificate';
SELECT detail FROM shown('p7@example.org', true);

-- exactly that is gone
SELECT (SELECT count(*) FROM person) AS person, (SELECT count(*) FROM orders) AS orders, (SELECT count(*) FROM line) AS line,
	(SELECT count(*) FROM account) AS account, (SELECT count(*) FROM card) AS card, (SELECT count(*) FROM visit) AS visit,
	(SELECT count(*) FROM note) AS note;
SELECT * FROM visit WHERE person_id IS NULL ORDER BY id;
SELECT * FROM staff;
SELECT tableoid::regclass, * FROM note;
SELECT count(*), count(*) FILTER (WHERE email LIKE 'p7@%') FROM by_person;
SELECT count(*), count(*) FILTER (WHERE email LIKE 'p7@%') FROM upon_it;
SELECT count(*) FROM pg_stats WHERE schemaname = 'subject'
	AND (most_common_vals::text LIKE '%p7@example.org%' OR histogram_bounds::text LIKE '%p7@example.org%');
SELECT object FROM dmp.export_subject('p7@example.org');
-- what is left of a subject without rows are statistics of an empty table
CREATE TABLE single (email text, kind int);
INSERT INTO single VALUES ('only@example.org', 1), ('only@example.org', 2);
CREATE STATISTICS single_statistics (mcv) ON email, kind FROM single;
ANALYZE single;
SELECT dmp.tag('single', 'email', 'subject');
SELECT action FROM dmp.erase_subject('only@example.org', false);
SELECT (SELECT count(*) FROM pg_stats WHERE tablename = 'single') AS columns, (SELECT count(*) FROM pg_stats_ext WHERE tablename = 'single' AND most_common_vals IS NOT NULL) AS extended;

-- rows that stay: blanked, or kept
CREATE TABLE client (id int PRIMARY KEY, mail varchar(20) UNIQUE NOT NULL, phone text NOT NULL, born date, tenant int NOT NULL, extra jsonb NOT NULL DEFAULT '{}',
	upper_mail text GENERATED ALWAYS AS (upper(mail)) STORED);
CREATE TABLE invoice (id int PRIMARY KEY, client_id int NOT NULL REFERENCES client, address text);
CREATE TABLE reminder (invoice_id int REFERENCES invoice, sent_to text);
INSERT INTO client VALUES (1, 'anna@example.org', '123', '1990-01-01', 5, '{"a": 1}'), (2, 'bobo@example.org', '456', '1991-01-01', 5, '{}');
INSERT INTO invoice VALUES (10, 1, 'Street 1'), (20, 2, 'Street 2');
INSERT INTO reminder VALUES (10, 'anna@example.org'), (20, 'bobo@example.org');
SELECT dmp.tag('client', 'mail', 'subject', on_erase => 'blank'), dmp.tag('client', 'phone', 'phone'), dmp.tag('client', 'born', 'birth_date'),
	dmp.tag('client', 'tenant', 'tenant'), dmp.tag('client', 'extra', 'sensitive'), dmp.tag('client', 'upper_mail', 'email');
SELECT dmp.tag('invoice', 'address', 'address', on_erase => 'keep'), dmp.tag('reminder', 'sent_to', 'email');
SELECT * FROM shown('anna@example.org', false);
SELECT id, mail ~ '^[0-9a-f-]{20}$' AS random, phone, born, tenant, extra, upper_mail = upper(mail) AS generated FROM client WHERE id = 1;
SELECT * FROM invoice ORDER BY id;
SELECT * FROM reminder ORDER BY invoice_id;
-- a row to be kept keeps what it refers to
SELECT dmp.tag('client', 'mail', 'subject', on_erase => 'delete');
SELECT object, action, detail FROM shown('bobo@example.org', true) WHERE action = 'refused';
SELECT dmp.erase_subject('bobo@example.org', false);
SELECT dmp.tag('invoice', 'address', 'address', on_erase => 'blank');
SELECT dmp.erase_subject('bobo@example.org', false);
ALTER TABLE invoice ALTER client_id DROP NOT NULL;
SELECT * FROM shown('bobo@example.org', false);
SELECT * FROM invoice ORDER BY id;
SELECT * FROM reminder ORDER BY invoice_id;
-- what cannot be blank
CREATE TABLE census (mail text, born date NOT NULL);
INSERT INTO census VALUES ('cida@example.org', '1990-01-01');
SELECT dmp.tag('census', 'mail', 'subject', on_erase => 'blank'), dmp.tag('census', 'born', 'birth_date');
SELECT dmp.erase_subject('cida@example.org', false);

-- a trigger that keeps a row is found out
CREATE FUNCTION never() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE TRIGGER never BEFORE DELETE ON note FOR EACH ROW EXECUTE FUNCTION never();
INSERT INTO note VALUES ('p9@example.org', 'stays');
SELECT dmp.erase_subject('p9@example.org', false);
DROP TRIGGER never ON note;
CREATE FUNCTION again() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO subject.old_note VALUES (OLD.email, OLD.body); RETURN NULL; END';
CREATE TRIGGER again AFTER DELETE ON note FOR EACH ROW EXECUTE FUNCTION again();
SELECT action FROM dmp.erase_subject('p9@example.org', false);
DROP TRIGGER again ON note;
SELECT count(*) FROM person WHERE id = 9;

-- hostile names of tables, columns and subjects
CREATE TABLE "t"";--" (id int PRIMARY KEY, "c'""; $1" text);
CREATE TABLE "k%s" ("f"";--" int REFERENCES "t"";--");
INSERT INTO "t"";--" VALUES (1, $$'; DROP TABLE person; -- %s {"a": [1]} \u0041$$), (2, '%');
INSERT INTO "k%s" VALUES (1), (2);
SELECT dmp.tag('"t"";--"', $$c'"; $1$$, 'subject');
SELECT object, record FROM dmp.export_subject($$'; DROP TABLE person; -- %s {"a": [1]} \u0041$$);
SELECT object, action, rows FROM dmp.erase_subject($$'; DROP TABLE person; -- %s {"a": [1]} \u0041$$, false);
SELECT object, action, rows FROM dmp.erase_subject('%', false);
SELECT count(*) FROM "k%s";
SELECT dmp.export_subject('');
SELECT dmp.export_subject(NULL);
SELECT dmp.erase_subject('', false);
SELECT dmp.erase_subject(NULL);
SELECT dmp.erase_subject(repeat('x', 1048576));
SELECT dmp.hold_subject('x', NULL);
SELECT dmp.hold_subject(NULL, 'x');
-- a name that is no value of a column's type
CREATE TABLE numbered (subject_id bigint, at timestamptz);
INSERT INTO numbered VALUES (17, now()), (18, now());
SELECT dmp.tag('numbered', 'subject_id', 'subject');
SELECT object, action, rows FROM dmp.erase_subject('17 ', true) WHERE object LIKE '%numbered';
SELECT object, action, rows FROM dmp.erase_subject('99999999999999999999', true) WHERE object LIKE '%numbered';
SELECT object, action, rows FROM dmp.erase_subject('17', false) WHERE object LIKE '%numbered';

-- types of others bring no functions of theirs into an export
CREATE ROLE regress_dmp_trap;
GRANT CREATE, USAGE ON SCHEMA subject TO regress_dmp_trap;
SET ROLE regress_dmp_trap;
CREATE TYPE mood AS ENUM ('glad', 'gloomy');
CREATE TYPE pair AS (a int, b mood);
CREATE FUNCTION trap(mood) RETURNS json LANGUAGE plpgsql AS $$ BEGIN RAISE 'in the trap as %', current_user; END $$;
CREATE TYPE feeling AS ENUM ('glad', 'gloomy');
CREATE FUNCTION trap_text(feeling) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE 'in the trap as %', current_user; END $$;
CREATE CAST (mood AS json) WITH FUNCTION trap(mood);
CREATE CAST (feeling AS text) WITH FUNCTION trap_text(feeling) AS IMPLICIT;
CREATE TABLE trapped (kind mood PRIMARY KEY, feels feeling, felt mood[], both_of pair, email text);
CREATE TABLE trapped_too (kind mood REFERENCES trapped);
INSERT INTO trapped VALUES ('glad', 'gloomy', '{glad,gloomy}', '(1,gloomy)', 'trap@example.org'), ('gloomy', NULL, NULL, NULL, 'trap@example.org');
INSERT INTO trapped_too VALUES ('glad');
SELECT dmp.tag('trapped', 'email', 'subject');
RESET ROLE;
SELECT object, record FROM dmp.export_subject('trap@example.org');
SET ROLE regress_dmp_trap;
SELECT dmp.tag('trapped', 'feels', 'subject'), dmp.audit('trapped'), dmp.audit('trapped_too');
UPDATE trapped SET felt = NULL;
RESET ROLE;
SELECT object, action, rows FROM dmp.erase_subject('gloomy', false) WHERE object LIKE '%trapped%' OR object = 'dmp.audit_log';
SELECT count(*) FROM trapped;

-- names that are words or numbers are not looked for anywhere
SELECT dmp_internal.holds_value(text, 'ann@example.org') AS holds, text FROM (VALUES ('ann@example.org'), ('mail ann@example.org.'), ('<ann@example.org>'),
	('joann@example.org'), ('j.ann@example.org'), ('ann@example.org.uk'), ('x=ann@example.org&y'), ('-ann@example.org'), ('ann@example.orgs, ann@example.org'), ('')) v(text);
SELECT dmp_internal.holds_value('12 345', '34') AS inside, dmp_internal.holds_value('12 34.', '34') AS number, dmp_internal.holds_value('x', '') AS empty,
	dmp_internal.holds_value(U&'\8BF7\8054\7CFBann@x.org\8C22', 'ann@x.org') AS unspaced, dmp_internal.holds_value(NULL, 'x') AS "null";
SELECT dmp_internal.record_holds('{"user": {"id": 17}, "n": 18}', '17', '{"{user,id}"}', false) AS member,
	dmp_internal.record_holds('{"user": {"id": 17}, "n": 18}', '18', '{"{user,id}"}', false) AS other,
	dmp_internal.record_holds('{"user": "\u0061nn@x.org"}', 'ann@x.org', '{}', true) AS escaped,
	dmp_internal.record_holds('{"says": "\"hi\" a@b.org"}', '"hi" a@b.org', '{}', true) AS quoted,
	dmp_internal.record_holds('broken { a@b.org', 'a@b.org', '{"{user,id}"}', true) AS broken,
	dmp_internal.record_holds('broken { 17', '17', '{"{user,id}"}', false) AS number;

-- rights: the caller's
CREATE ROLE regress_dmp_officer;
GRANT USAGE ON SCHEMA subject TO regress_dmp_officer;
SET ROLE regress_dmp_officer;
SELECT dmp.export_subject('p3@example.org');
SELECT dmp.erase_subject('p3@example.org');
SELECT dmp.hold_subject('p3@example.org', 'x');
RESET ROLE;
GRANT EXECUTE ON FUNCTION dmp.export_subject(text), dmp.erase_subject(text, boolean) TO regress_dmp_officer;
GRANT SELECT, DELETE, UPDATE ON person TO regress_dmp_officer;
GRANT SELECT, DELETE ON orders, line TO regress_dmp_officer;
ALTER TABLE visit ENABLE ROW LEVEL SECURITY;
GRANT SELECT ON visit TO regress_dmp_officer;
SET ROLE regress_dmp_officer;
SELECT object, record FROM dmp.export_subject('p3@example.org') WHERE object LIKE 'subject.%' ORDER BY object COLLATE "C", record;
RESET ROLE;
SELECT dmp.audit('person');
UPDATE person SET full_name = 'P. 3' WHERE id = 3;
SELECT dmp.unaudit('person');
SET ROLE regress_dmp_officer;
SELECT object, record FROM dmp.export_subject('p3@example.org') WHERE object = 'dmp.audit_log';
SELECT object, detail FROM dmp.erase_subject('p3@example.org') WHERE object LIKE 'subject.%' AND action = 'refused' ORDER BY object COLLATE "C";
DO $$ BEGIN
	PERFORM dmp.erase_subject('p3@example.org', false);
EXCEPTION WHEN insufficient_privilege OR object_not_in_prerequisite_state THEN RAISE WARNING '%', SQLERRM; END $$;
RESET ROLE;
SELECT count(*) FROM person WHERE id = 3;

SET client_min_messages = error;
DROP SCHEMA subject CASCADE;
DROP ROLE regress_dmp_trap;
REVOKE EXECUTE ON FUNCTION dmp.export_subject(text), dmp.erase_subject(text, boolean) FROM regress_dmp_officer;
DROP ROLE regress_dmp_officer;
DELETE FROM dmp_internal.subject_hold;
