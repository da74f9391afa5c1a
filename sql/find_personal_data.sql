-- columns that hold personal data: generated columns of both sorts, then rights,
-- kinds of tables, hostile values
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS dmp;
RESET client_min_messages;
CREATE SCHEMA lint_found;
SET search_path = lint_found, public;

-- ---- generators: check digits by other formulas than the function's

-- a number from 0 to m-1 that looks random, by row and salt
CREATE FUNCTION lint_r(i int, salt int, m bigint) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
	SELECT (('x' || substr(md5(i || ':' || salt), 1, 15))::bit(60)::bigint) % m $$;
CREATE FUNCTION lint_digits(i int, salt int, n int) RETURNS text LANGUAGE sql IMMUTABLE AS $$
	SELECT lpad(lint_r(i, salt, (10::numeric ^ n)::bigint)::text, n, '0') $$;
CREATE FUNCTION lint_pick(i int, salt int, VARIADIC list text[]) RETURNS text LANGUAGE sql IMMUTABLE AS $$
	SELECT list[1 + lint_r(i, salt, cardinality(list))] $$;
-- the digit that completes a Luhn number
CREATE FUNCTION lint_luhn(s text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
	SELECT s || (10 - sum(CASE WHEN (length(s) - p) % 2 = 0 THEN d * 2 / 10 + d * 2 % 10 ELSE d END) % 10) % 10
	FROM (SELECT p, substr(s, p, 1)::int AS d FROM generate_series(1, length(s)) p) x $$;
CREATE FUNCTION lint_resident(i int) RETURNS text LANGUAGE sql IMMUTABLE AS $$
	SELECT s || substr('10X98765432', (1 + sum(substr(s, p, 1)::int * ((2 ^ (18 - p))::int % 11)) % 11)::int, 1)
	FROM (SELECT lint_pick(i, 1, '110101', '310104', '440305', '510107') || to_char(date '1950-01-01' + lint_r(i, 2, 20000)::int, 'YYYYMMDD')
		|| lint_digits(i, 3, 3) AS s) x, generate_series(1, 17) p GROUP BY s $$;
CREATE FUNCTION lint_iban(i int) RETURNS text LANGUAGE sql IMMUTABLE AS $$
	SELECT 'DE' || lpad((98 - (b || '131400')::numeric % 97)::text, 2, '0') || b FROM (SELECT lint_digits(i, 4, 8) || lint_digits(i, 5, 10) AS b) x $$;
CREATE FUNCTION lint_mobile(i int) RETURNS text LANGUAGE sql IMMUTABLE AS $$
	SELECT lint_pick(i, 6, '130', '131', '135', '138', '139', '150', '152', '158', '177', '180', '186', '189', '199') || lint_digits(i, 7, 8) $$;
CREATE FUNCTION lint_person(i int) RETURNS text LANGUAGE sql IMMUTABLE AS $$
	SELECT lint_pick(i, 8, 'James', 'Mary', 'Ahmed', 'Sofia', 'Wolfgang', 'Priya', 'Olivia', 'Yuki') || ' '
		|| lint_pick(i, 9, 'Smith', 'Garcia', 'Müller', 'O''Brien', 'Tanaka', 'Patel', 'Nowak', 'Rossi', 'Kim', 'Jones') $$;
CREATE FUNCTION lint_person_han(i int) RETURNS text LANGUAGE sql IMMUTABLE AS $$
	SELECT lint_pick(i, 10, '王', '李', '张', '刘', '陈', '欧阳', '赵', '黄') || lint_pick(i, 11, '伟', '芳', '娜', '秀英', '敏', '静', '丽', '强', '磊', '洋') || lint_pick(i, 12, '', '', '平', '华') $$;
CREATE FUNCTION lint_us_phone(i int) RETURNS text LANGUAGE sql IMMUTABLE AS $$
	SELECT (200 + lint_r(i, 13, 799)) || lpad((200 + lint_r(i, 14, 799))::text, 3, '0') || lint_digits(i, 15, 4) $$;
CREATE FUNCTION lint_ssn(i int) RETURNS text LANGUAGE sql IMMUTABLE AS $$
	SELECT lpad((1 + lint_r(i, 16, 665))::text, 3, '0') || '-' || lpad((1 + lint_r(i, 17, 99))::text, 2, '0') || '-' || lpad((1 + lint_r(i, 18, 9999))::text, 4, '0') $$;
CREATE FUNCTION lint_ip(i int) RETURNS text LANGUAGE sql IMMUTABLE AS $$
	SELECT (1 + lint_r(i, 19, 223)) || '.' || lint_r(i, 20, 256) || '.' || lint_r(i, 21, 256) || '.' || lint_r(i, 22, 256) $$;

-- ---- the labelled columns: name, type, what it is ('' nothing), how it is made
CREATE TABLE lint_label (id int GENERATED ALWAYS AS IDENTITY, relation text, column_name text, type text, category text, made text);
INSERT INTO lint_label (relation, column_name, type, category, made) VALUES
-- e-mail
('shop', 'email', 'text', 'email', $$lint_pick(i, 30, 'ann', 'bob', 'zoe.k') || i || '@' || lint_pick(i, 31, 'example.org', 'mail.example.cn', 'gmail.com')$$),
('shop', 'contact', 'text', 'email', $$CASE WHEN i % 3 = 0 THEN 'call me' ELSE 'u' || i || '@example.net' END$$),
('shop', 'email_verified', 'boolean', '', $$i % 3 > 0$$),
('shop', 'email_status', 'text', '', $$lint_pick(i, 32, 'verified', 'bounced', 'pending')$$),
('shop', 'handle', 'text', '', $$'@user' || i$$),
('shop', 'mail_sent_at', 'timestamptz', '', $$timestamptz '2024-01-01Z' + i * interval '1 hour'$$),
('shop', 'emails', 'text[]', 'email', $$ARRAY['a' || i || '@example.org', 'b' || i || '@example.org']$$),
-- telephones
('shop', 'phone', 'text', 'phone', $$'(' || left(lint_us_phone(i), 3) || ') ' || substr(lint_us_phone(i), 4, 3) || '-' || right(lint_us_phone(i), 4)$$),
('shop', 'mobile', 'bigint', 'phone', $$lint_mobile(i)::bigint$$),
('shop', 'c17', 'text', 'phone', $$lint_mobile(i)$$),
('shop', 'fax_number', 'text', 'phone', $$'010-' || (60000000 + lint_r(i, 33, 29999999))$$),
('shop', 'home_tel', 'text', 'phone', $$'0' || (151 + lint_r(i, 34, 20)) || ' ' || lint_digits(i, 35, 8)$$),
('shop', 'reached_by', 'text', 'phone', $$'+44 20 7' || lint_digits(i, 36, 3) || ' ' || lint_digits(i, 37, 4)$$),
('shop', 'order_no', 'text', '', $$'2024' || lint_digits(i, 38, 8)$$),
('shop', 'order_serial', 'bigint', '', $$13800000000 + i$$),
('shop', 'epoch', 'bigint', '', $$1700000000 + i * 977$$),
('shop', 'epoch_ms', 'bigint', '', $$1700000000000 + i * 977123$$),
('shop', 'phone_model', 'text', '', $$lint_pick(i, 39, 'iPhone 15', 'Pixel 8', 'Galaxy S24')$$),
('shop', 'part_no', 'text', '', $$lint_digits(i, 40, 3) || '-' || lint_digits(i, 41, 3) || '-' || lint_digits(i, 42, 4)$$),
-- cards and accounts
('pay', 'card_number', 'numeric(19)', 'card', $$lint_luhn(lint_pick(i, 43, '4', '51', '34', '6221') || lint_digits(i, 44, 14 - CASE lint_pick(i, 43, '4', '51', '34', '6221') WHEN '4' THEN 0 WHEN '51' THEN 1 WHEN '34' THEN 2 ELSE 3 END))::numeric$$),
('pay', 'paid_with', 'text', 'card', $$CASE WHEN i % 4 = 0 THEN 'cash' ELSE (SELECT left(c, 4) || ' ' || substr(c, 5, 4) || ' ' || substr(c, 9, 4) || ' ' || right(c, 4) FROM lint_luhn('4' || lint_digits(i, 45, 14)) c) END$$),
('pay', 'trace_id', 'bigint', '', $$4000000000000000 + lint_r(i, 46, 999999999999999)$$),
('pay', 'card_type', 'text', '', $$lint_pick(i, 47, 'visa', 'amex')$$),
('pay', 'card_id', 'bigint', '', $$i * 7 + 1000$$),
('pay', 'log_id', 'text', '', $$'5' || (1 + lint_r(i, 48, 5)) || lint_digits(i, 49, 14)$$),
('pay', 'constant_id', 'bigint', '', $$4111111111111111$$),
('pay', 'iban', 'text', 'iban', $$lint_iban(i)$$),
('pay', 'account', 'text', 'iban', $$regexp_replace(lint_iban(i), '(.{4})', '\1 ', 'g')$$),
('pay', 'voucher', 'text', '', $$'DE' || lint_digits(i, 50, 10) || lint_digits(i, 51, 10)$$),
('pay', 'isbn', 'text', '', $$'978' || lint_digits(i, 52, 10)$$),
('pay', 'ean', 'bigint', '', $$(400 + lint_r(i, 53, 40)) * 10000000000 + lint_r(i, 54, 9999999999)$$),
('pay', 'price', 'numeric', '', $$(lint_r(i, 55, 99999) / 100.0)::numeric(10, 2)$$),
('pay', 'snowflake', 'bigint', '', $$1234567890123456789 + i * 4096::bigint$$),
('pay', 'cvv_year', 'int', '', $$2020 + i % 10$$),
('pay', 'code', 'text', '', $$'SCN-' || i$$),
-- numbers of people
('people', 'id_card', 'text', 'national_id', $$lint_resident(i)$$),
('people', 'c9', 'text', 'national_id', $$lower(lint_resident(i))$$),
('people', 'ssn', 'text', 'national_id', $$lint_ssn(i)$$),
('people', 'tax_id', 'int', 'national_id', $$replace(lint_ssn(i), '-', '')::int$$),
('people', 'ref', 'text', 'national_id', $$lint_ssn(i)$$),
('people', 'nino', 'text', 'national_id', $$lint_pick(i, 56, 'AB', 'JK', 'CE', 'PX') || lint_digits(i, 57, 6) || lint_pick(i, 58, 'A', 'B', 'C', 'D')$$),
('people', 'dni', 'text', 'national_id', $$lint_digits(i, 59, 8) || substr('TRWAGMYFPDXBNJZSQVHLCKE', (1 + lint_digits(i, 59, 8)::int % 23), 1)$$),
('people', 'passport_no', 'text', 'passport', $$lint_pick(i, 60, 'E', 'G', 'P') || lint_digits(i, 61, 8)$$),
('people', 'batch_code', 'text', '', $$lint_digits(i, 62, 3) || '-' || lint_digits(i, 63, 2) || '-' || lint_digits(i, 64, 4)$$),
('people', 'long_no', 'text', '', $$lint_digits(i, 65, 9) || lint_digits(i, 66, 9)$$),
('people', 'article', 'text', '', $$lint_digits(i, 67, 8) || chr(65 + lint_r(i, 68, 26)::int)$$),
('people', 'eleven', 'text', '', $$'4' || lint_digits(i, 69, 10)$$),
('people', 'acid_level', 'int', '', $$i % 14$$),
('people', 'uuid', 'uuid', '', $$md5(i::text)::uuid$$),
('people', 'hash', 'text', '', $$md5(i::text)$$),
-- networks
('visit', 'client_ip', 'text', 'ip', $$lint_ip(i)$$),
('visit', 'peer', 'inet', 'ip', $$lint_ip(i)::inet$$),
('visit', 'host', 'text', 'ip', $$'2001:db8:' || to_hex(lint_r(i, 70, 65536)) || '::' || to_hex(lint_r(i, 71, 65536)) || ':1'$$),
('visit', 'origin', 'text', 'ip', $$lint_ip(i)$$),
('visit', 'mac', 'text', 'mac', $$regexp_replace(left(md5(i::text), 12), '(..)(?!$)', '\1:', 'g')$$),
('visit', 'nic', 'macaddr', 'mac', $$left(md5(i::text), 12)::macaddr$$),
('visit', 'version', 'text', '', $$(1 + lint_r(i, 72, 3)) || '.' || lint_r(i, 73, 20) || '.' || lint_r(i, 74, 20) || '.' || lint_r(i, 75, 300)$$),
('visit', 'release_of', 'text', '', $$(1 + lint_r(i, 76, 3)) || '.' || lint_r(i, 77, 20) || '.' || lint_r(i, 78, 20) || '.' || lint_r(i, 79, 90)$$),
('visit', 'semver', 'text', '', $$lint_r(i, 80, 9) || '.' || lint_r(i, 81, 20) || '.' || lint_r(i, 82, 20)$$),
('visit', 'oid', 'text', '', $$'1.3.6.1.4.' || i$$),
('visit', 'duration', 'text', '', $$'00:' || lpad((i % 60)::text, 2, '0') || ':' || lpad((i % 59)::text, 2, '0')$$),
('visit', 'visited_at', 'timestamptz', '', $$timestamptz '2024-01-01Z' + i * interval '1 minute'$$),
('visit', 'url', 'text', '', $$'https://example.org/p/' || i$$),
('visit', 'doc', 'jsonb', 'email', $$jsonb_build_object('user', jsonb_build_object('mail', 'j' || i || '@example.org', 'verified', true), 'n', i)$$),
('visit', 'line', 'text', 'phone', $$'{"level": "info", "to": "' || lint_mobile(i) || '"}'$$),
-- people and places
('patient', 'date_of_birth', 'date', 'birth_date', $$date '1940-01-01' + lint_r(i, 83, 25000)::int$$),
('patient', 'dob', 'text', 'birth_date', $$to_char(date '1940-01-01' + lint_r(i, 84, 25000)::int, 'DD.MM.YYYY')$$),
('patient', 'born', 'date', '', $$date '2150-01-01' + i$$),
('patient', 'created_on', 'date', '', $$date '2020-01-01' + i % 900$$),
('patient', 'year', 'int', '', $$1950 + i % 70$$),
('patient', 'first_name', 'text', 'name', $$split_part(lint_person(i), ' ', 1)$$),
('patient', 'patientName', 'text', 'name', $$lint_person(i)$$),
('patient', 'name', 'text', 'name', $$lint_person(i)$$),
('patient', '姓名', 'text', 'name', $$lint_person_han(i)$$),
('patient', 'c3', 'text', 'name', $$lint_person_han(i)$$),
('patient', 'file_name', 'text', '', $$lint_pick(i, 85, 'scan', 'letter', 'form') || i || '.pdf'$$),
('patient', 'street_address', 'text', 'address', $$(1 + i % 99) || ' ' || lint_pick(i, 86, 'Elm', 'Main', 'Park') || ' Street'$$),
('patient', 'lives_at', 'text', 'address', $$'广东省深圳市南山区科技路' || i || '号'$$),
('patient', 'zip', 'text', 'postcode', $$lint_digits(i, 87, 5)$$),
('patient', 'plate', 'text', 'plate', $$lint_pick(i, 88, '京', '沪', '粤') || 'B' || lint_digits(i, 89, 5)$$),
('patient', 'latitude', 'numeric', 'location', $$(lint_r(i, 90, 180000) - 90000) / 1000.0$$),
('patient', 'lat_ms', 'numeric', '', $$(lint_r(i, 100, 9000) / 100.0)::numeric(8, 2)$$),
('patient', 'password', 'text', 'credential', $$'$2b$12$' || md5(i::text) || left(md5(i || 'x'), 21)$$),
('patient', 'password_reset', 'text', '', $$lint_pick(i, 91, 'yes', 'no')$$),
('patient', 'password_changed', 'text', '', $$(date '2022-01-01' + i % 500)::text$$),
('patient', 'colour', 'text', '', $$lint_pick(i, 92, '黄色', '白色', '方形', '红色', '蓝色')$$),
('product', 'name', 'text', '', $$lint_pick(i, 93, 'Red', 'Large', 'Old', 'Steel') || ' ' || lint_pick(i, 94, 'Mug', 'Chair', 'Lamp', 'Kettle')$$),
('product', 'product_name', 'text', '', $$lint_pick(i, 95, 'Red', 'Large', 'Old', 'Steel') || ' ' || lint_pick(i, 96, 'Mug', 'Chair', 'Lamp', 'Kettle')$$),
('product', 'wallet_address', 'text', '', $$'0x' || md5(i::text)$$),
('product', 'description', 'text', '', $$'write to sales@example.org about item ' || i$$),
('product', 'status', 'text', '', $$lint_pick(i, 97, 'active', 'sold')$$),
('product', 'weight', 'float8', '', $$lint_r(i, 98, 9999) / 10.0$$),
('product', 'tags', 'text[]', '', $$ARRAY[lint_pick(i, 99, 'new', 'old'), 'x' || i]$$),
('product', 'attributes', 'jsonb', '', $$jsonb_build_object('size', i % 50, 'sku', 'SKU' || i, 'seen', '2024-01-01')$$);

DO $$
DECLARE
	t text;
BEGIN
	FOR t IN SELECT DISTINCT relation FROM lint_label ORDER BY 1 LOOP
		EXECUTE (SELECT format('CREATE TABLE %I (i int, %s)', t, string_agg(format('%I %s', column_name, type), ', ' ORDER BY id)) FROM lint_label WHERE relation = t);
		EXECUTE (SELECT format('INSERT INTO %I SELECT i, %s FROM generate_series(1, 400) i', t, string_agg(made, ', ' ORDER BY id)) FROM lint_label WHERE relation = t);
	END LOOP;
END $$;

CREATE TABLE lint_answer AS
SELECT f.relation::text AS relation, f.column_name, f.category, f.share, f.evidence, f.suggestion
FROM (SELECT DISTINCT relation FROM lint_label) t, dmp.find_personal_data(t.relation::regclass) f;

-- what was found and is none, what is and was not found
SELECT relation, column_name, l.category AS is, a.category AS found, a.share
FROM lint_label l FULL JOIN lint_answer a USING (relation, column_name)
WHERE nullif(l.category, '') IS DISTINCT FROM a.category ORDER BY 1, 2, 4;

SELECT count(*) AS columns, sum((l.category <> '')::int) AS personal,
	(2.0 * sum((l.category = a.category)::int) / (sum((l.category <> '')::int) + (SELECT count(*) FROM lint_answer)))::numeric(4, 3) AS f1
FROM lint_label l LEFT JOIN lint_answer a USING (relation, column_name, category);

-- evidence counts, and says no value
SELECT column_name, share, evidence, suggestion FROM lint_answer WHERE relation IN ('visit', 'pay') ORDER BY relation, column_name;

-- the same table, the same answer; and the same by a sample of blocks
SELECT count(*) FROM (SELECT * FROM dmp.find_personal_data('shop') EXCEPT ALL SELECT * FROM dmp.find_personal_data('shop')) x;
CREATE TABLE lint_large AS
SELECT i, repeat('x', 400) AS filler, CASE WHEN i % 4 = 0 THEN 'n' || i || '@example.org' ELSE 'none' END AS reply FROM generate_series(1, 40000) i;
SELECT column_name, category, share BETWEEN 0.2 AND 0.3 AS a_quarter FROM dmp.find_personal_data('lint_large');
SELECT count(DISTINCT f.share) FROM generate_series(1, 3), LATERAL dmp.find_personal_data('lint_large') f;
-- what statistics say is empty is not read; a name keeps a column in
CREATE TABLE lint_short (i int, code text, phone text);
INSERT INTO lint_short SELECT i, i % 9, NULL FROM generate_series(1, 500) i;
ANALYZE lint_short;
SELECT column_name, category, share, evidence FROM dmp.find_personal_data('lint_short');

-- ---- few rows: chance is judged by how many
CREATE TABLE lint_few (card text, ref text, mail text);
INSERT INTO lint_few VALUES ('4111111111111111', '4012888888881881', 'a@example.org');
SELECT column_name, category FROM dmp.find_personal_data('lint_few') ORDER BY 1;
INSERT INTO lint_few VALUES ('4111111111111112', '4012888888881882', NULL), ('5500000000000004', '5105105105105100', '');
SELECT column_name, category, share FROM dmp.find_personal_data('lint_few') ORDER BY 1;

-- ---- kinds of tables: a partitioned one once, views when they are named
CREATE TABLE lint_parted (at date, mail text) PARTITION BY RANGE (at);
CREATE TABLE lint_parted_1 PARTITION OF lint_parted FOR VALUES FROM ('2024-01-01') TO ('2024-02-01');
CREATE TABLE lint_parted_2 PARTITION OF lint_parted DEFAULT;
INSERT INTO lint_parted SELECT date '2024-01-15' + i, 'p' || i || '@example.org' FROM generate_series(1, 40) i;
CREATE VIEW lint_view AS SELECT mail AS m FROM lint_parted;
CREATE MATERIALIZED VIEW lint_kept AS SELECT mail AS m FROM lint_parted;
CREATE TABLE lint_empty (email text, "e-Mail2" varchar(50), is_email boolean, email_status text, birthday date, note text, addr inet);
CREATE DOMAIN lint_mail AS text;
CREATE TABLE "lint ""odd" (d lint_mail, "x'); drop table shop; --" text);
INSERT INTO "lint ""odd" SELECT 'd' || i || '@example.org', 'e' || i || '@example.org' FROM generate_series(1, 9) i;
SELECT relation, column_name, category, share, evidence FROM dmp.find_personal_data()
WHERE relation::text ~ '^"?lint_(parted|view|kept|empty)' ORDER BY relation::text COLLATE "C", column_name COLLATE "C", category;
SELECT column_name, category FROM dmp.find_personal_data('lint_view');
-- the suggestion is a statement
SELECT suggestion FROM dmp.find_personal_data('"lint ""odd"') ORDER BY suggestion COLLATE "C" \gexec
SELECT relation, column_name, category FROM dmp.tags WHERE relation = '"lint ""odd"'::regclass ORDER BY column_name COLLATE "C";

-- ---- hostile values
CREATE TABLE lint_hostile (a text, j json, n numeric, f float8, arr text[], deep jsonb);
INSERT INTO lint_hostile VALUES (NULL, NULL, NULL, NULL, NULL, NULL), ('', '{}', 'NaN', 'NaN', '{}', '[]'), (repeat('9', 5000), '{"a": "\u0000"}', 1e300, 'Infinity', '{NULL,""}', '[[[["x@example.org"]]]]'),
	('{"cut": "off', '[1, {"a": []}]', 0, '-0', '{a,b}', '"x"'), (E'\u3000\u3000@', '"@"', -1, 1, ARRAY[repeat('@', 300)], '{"": {"": "y@example.org"}}'), ('{{{{', 'null', 2, 2, '{"{"}', 'null');
SELECT column_name, category, share, evidence FROM dmp.find_personal_data('lint_hostile');
INSERT INTO lint_hostile (a) SELECT repeat('[', 8000);
SELECT count(*) FROM dmp.find_personal_data('lint_hostile');
CREATE SEQUENCE lint_seq;
SELECT * FROM dmp.find_personal_data('lint_seq');
SELECT * FROM dmp.find_personal_data('lint_nowhere');
CREATE TABLE lint_none ();
SELECT * FROM dmp.find_personal_data('lint_none');

-- ---- rights: what cannot be read is a row that says so
CREATE ROLE lint_reader;
GRANT USAGE ON SCHEMA lint_found TO lint_reader;
GRANT SELECT ON lint_view TO lint_reader;
GRANT SELECT (first_name) ON patient TO lint_reader;
CREATE TABLE lint_rows (mail text);
INSERT INTO lint_rows SELECT 'r' || i || '@example.org' FROM generate_series(1, 10) i;
ALTER TABLE lint_rows ENABLE ROW LEVEL SECURITY;
CREATE FUNCTION lint_trap() RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE WARNING 'ran as %', current_user; RETURN true; END $$;
CREATE POLICY p ON lint_rows USING (lint_trap());
GRANT SELECT ON lint_rows TO lint_reader;
SET ROLE lint_reader;
SELECT column_name, category, share, evidence FROM dmp.find_personal_data('lint_view');
SELECT column_name, category, share, evidence FROM dmp.find_personal_data('patient') ORDER BY column_name COLLATE "C";
SELECT column_name, category, share, evidence FROM dmp.find_personal_data('pay') ORDER BY column_name COLLATE "C" NULLS FIRST;
-- a policy of somebody else runs only when the table is named
SELECT column_name, category, share, evidence FROM dmp.find_personal_data() WHERE relation = 'lint_rows'::regclass;
SELECT column_name, category, share FROM dmp.find_personal_data('lint_rows');
RESET ROLE;
REVOKE USAGE ON SCHEMA lint_found FROM lint_reader;
SET ROLE lint_reader;
SELECT column_name, category, share, evidence FROM dmp.find_personal_data() WHERE relation = (SELECT oid FROM pg_class WHERE relname = 'lint_rows') AND category IS NULL;
RESET ROLE;

SELECT category, count(*) FROM lint_answer GROUP BY 1 ORDER BY 1;
RESET search_path;
SET client_min_messages = warning;
DROP SCHEMA lint_found CASCADE;
DROP ROLE lint_reader;
