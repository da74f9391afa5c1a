-- quarantine: what the target refuses, correcting, retrying, discarding
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS dmp;
RESET client_min_messages;
CREATE ROLE regress_dmp_ann;
CREATE ROLE regress_dmp_bob;
SELECT count(*) FROM dmp.setup('regress_dmp_ann');
CREATE SCHEMA regress_dmp_quarantine AUTHORIZATION regress_dmp_ann;
SET search_path = regress_dmp_quarantine, public;
SET ROLE regress_dmp_ann;

-- ---- every way a table can refuse a row

CREATE DOMAIN positive AS int CHECK (VALUE > 0);
CREATE DOMAIN present AS text NOT NULL;
CREATE TYPE color AS ENUM ('red', 'green');
CREATE TABLE country (code text PRIMARY KEY);
INSERT INTO country VALUES ('DE'), ('CN');
CREATE TABLE orders (
	id int PRIMARY KEY,
	country text REFERENCES country,
	later text REFERENCES country DEFERRABLE INITIALLY DEFERRED,
	amount numeric(6,2) CHECK (amount >= 0),
	pieces positive,
	who present,
	color color,
	code varchar(3),
	kind text DEFAULT 'plain',
	UNIQUE (kind, code)
);
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF NEW.kind = 'raise' THEN
		RAISE EXCEPTION 'not this one' USING ERRCODE = 'AB123';
	ELSIF NEW.kind = 'skip' THEN
		RETURN NULL;
	ELSIF NEW.kind = 'change' THEN
		NEW.kind := 'changed';
	END IF;
	RETURN NEW;
END $$;
CREATE TRIGGER refuse BEFORE INSERT ON orders FOR EACH ROW EXECUTE FUNCTION refuse();
SELECT source FROM dmp.create_source('orders', 'orders');
INSERT INTO lake.orders (line)
SELECT format('{"id": %s, "who": "x", "country": "DE"%s}', i, CASE i
	WHEN 100 THEN ', "country": "FR"'
	WHEN 200 THEN ', "later": "FR"'
	WHEN 300 THEN ', "amount": -1'
	WHEN 400 THEN ', "amount": 123456'
	WHEN 500 THEN ', "pieces": 0'
	WHEN 600 THEN ', "who": null'
	WHEN 700 THEN ', "color": "blue"'
	WHEN 800 THEN ', "code": "long"'
	WHEN 900 THEN ', "kind": "raise"'
	WHEN 1000 THEN ', "kind": "skip"'
	WHEN 1100 THEN ', "id": 1'
	WHEN 1200 THEN ', "id": null'
	WHEN 1300 THEN ', "kind": "change"'
	WHEN 1400 THEN ', "code": "a"'
	WHEN 1500 THEN ', "code": "a"'
	WHEN 1600 THEN ', "amount": 1.005, "pieces": "7", "color": "green", "code": "abc "'
	WHEN 1700 THEN ', "later": "CN"'
	ELSE '' END)
FROM generate_series(1, 20000) i;
SELECT rows_read, rows_loaded, rows_duplicate, rows_quarantined FROM dmp.ingest('orders');
SELECT count(*), count(DISTINCT id), min(id), max(id) FROM orders;
SELECT id, amount, pieces, color, code, kind FROM orders WHERE id IN (1, 1300, 1400, 1600, 1700) ORDER BY id;
SELECT lake_id, column_name, sqlstate, reason FROM dmp.quarantine WHERE source = 'orders' ORDER BY lake_id;
-- a member that lacks is the default, one that is null is not
SELECT kind, count(*) FROM orders GROUP BY 1 ORDER BY 1;

-- ---- row security of the target

ALTER TABLE orders ENABLE ROW LEVEL SECURITY;
ALTER TABLE orders FORCE ROW LEVEL SECURITY;
CREATE POLICY small ON orders USING (id < 30000);
INSERT INTO lake.orders (line) VALUES ('{"id": 29999, "who": "x"}'), ('{"id": 30000, "who": "x"}');
SELECT rows_loaded, rows_quarantined FROM dmp.ingest('orders');
SELECT sqlstate, reason FROM dmp.quarantine WHERE record LIKE '%30000%';
ALTER TABLE orders DISABLE ROW LEVEL SECURITY;

-- ---- an error that is no row's fault ends the run, and nothing is consumed

ALTER FUNCTION refuse() RENAME TO refused;
CREATE OR REPLACE FUNCTION refused() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM no_such_function(); RETURN NEW; END';
INSERT INTO lake.orders (line) VALUES ('{"id": 20001, "who": "x"}');
\set VERBOSITY terse
SELECT * FROM dmp.ingest('orders');
\set VERBOSITY default
DROP TRIGGER refuse ON orders;
SELECT rows_loaded, rows_quarantined FROM dmp.ingest('orders');

-- ---- correct, retry

UPDATE dmp.quarantine SET record = replace(record, 'FR', 'CN') WHERE source = 'orders' AND record LIKE '%FR%';
UPDATE dmp.quarantine SET record = '' WHERE source = 'orders' AND column_name = 'color';
SELECT count(*) AS open FROM dmp.quarantine WHERE source = 'orders' AND state = 'open';
SELECT rows_read, rows_loaded, rows_duplicate, rows_quarantined FROM dmp.retry_quarantine('orders',
	(SELECT array_agg(id) FROM dmp.quarantine WHERE source = 'orders' AND (record LIKE '%CN%' OR record = '')));
SELECT state, reason FROM dmp.quarantine WHERE source = 'orders' AND (record LIKE '%CN%' OR record = '') ORDER BY lake_id;
SELECT id, country, later FROM orders WHERE id IN (100, 200) ORDER BY 1;
ALTER TYPE color ADD VALUE 'blue';
ALTER TABLE orders DROP CONSTRAINT orders_amount_check;
SELECT rows_read, rows_loaded, rows_duplicate, rows_quarantined FROM dmp.retry_quarantine('orders');
SELECT state, count(*) FROM dmp.quarantine WHERE source = 'orders' GROUP BY 1 ORDER BY 1;
-- once only, and the batches say so
SELECT rows_read FROM dmp.retry_quarantine('orders', ARRAY[(SELECT min(id) FROM dmp.quarantine WHERE source = 'orders' AND state = 'loaded')]);
SELECT kind, rows_read, rows_loaded, rows_quarantined FROM dmp.batches WHERE source = 'orders' ORDER BY batch;
SELECT * FROM dmp.retry_quarantine('order');

-- ---- give up

SELECT rows_discarded, rows_open FROM dmp.discard_quarantine(
	(SELECT array_agg(id) FROM dmp.quarantine WHERE source = 'orders' AND sqlstate IN ('AB123', '22P02')), 'test data');
SELECT state, note, count(*) FROM dmp.quarantine WHERE source = 'orders' GROUP BY 1, 2 ORDER BY 1, 2;
SELECT * FROM dmp.discard_quarantine(NULL);

-- ---- whose rows

UPDATE dmp.quarantine SET reason = 'fine' WHERE source = 'orders';
UPDATE dmp.quarantine SET state = 'loaded' WHERE source = 'orders';
UPDATE dmp.quarantine SET record = 'x' WHERE state = 'discarded';
RESET ROLE;
SET ROLE regress_dmp_bob;
SELECT count(*) FROM dmp.quarantine;
SELECT rows_discarded, rows_open FROM dmp.discard_quarantine((SELECT array_agg(i) FROM generate_series(1, 100000) i));
RESET ROLE;
-- a member of the owner works with them
GRANT regress_dmp_ann TO regress_dmp_bob;
SET ROLE regress_dmp_bob;
SELECT count(*) > 0 AS sees FROM dmp.quarantine;
INSERT INTO lake.orders (line) VALUES ('{"id": 25000, "who": "bob"}');
-- a partition made on the way belongs to the owner of the lake table
DO $$ BEGIN
	EXECUTE (SELECT format('DROP TABLE %s', max(inhrelid::regclass::text)) FROM pg_inherits
		WHERE inhparent = 'lake.orders'::regclass AND inhrelid::regclass::text ~ '[0-9]$');
END $$;
SELECT rows_loaded FROM dmp.ingest('orders');
SELECT count(*), pg_get_userbyid(relowner) FROM pg_inherits JOIN pg_class c ON c.oid = inhrelid
WHERE inhparent = 'lake.orders'::regclass GROUP BY 2;
RESET ROLE;

-- ---- with a key, rows a trigger leaves out are told from duplicates by nothing: they count as such

SET ROLE regress_dmp_ann;
CREATE TABLE keyed (id int PRIMARY KEY, kind text);
CREATE FUNCTION skip() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN CASE WHEN NEW.kind = ''skip'' THEN NULL ELSE NEW END; END';
CREATE TRIGGER skip BEFORE INSERT ON keyed FOR EACH ROW EXECUTE FUNCTION skip();
SELECT source FROM dmp.create_source('keyed', 'keyed', key => '{id}');
INSERT INTO lake.keyed (line) VALUES ('{"id": 1}'), ('{"id": 1}'), ('{"id": 2, "kind": "skip"}');
SELECT rows_read, rows_loaded, rows_duplicate, rows_quarantined FROM dmp.ingest('keyed');

-- ---- a partitioned target

CREATE TABLE parts (id int, at date) PARTITION BY RANGE (at);
CREATE TABLE parts_2024 PARTITION OF parts FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
SELECT source FROM dmp.create_source('parts', 'parts', key => '{id,at}');
INSERT INTO lake.parts (line) VALUES ('{"id": 1, "at": "2024-05-05"}'), ('{"id": 1, "at": "2025-05-05"}'), ('{"id": 1, "at": "2024-05-05"}');
SELECT rows_read, rows_loaded, rows_duplicate, rows_quarantined FROM dmp.ingest('parts');
SELECT column_name, sqlstate, reason FROM dmp.quarantine WHERE source = 'parts';
SELECT * FROM dmp.create_source('parts2', 'parts', key => '{id}');

SELECT count(*) FROM dmp.sources, dmp.drop_source(source);
RESET ROLE;
SET client_min_messages = warning;
DROP SCHEMA regress_dmp_quarantine CASCADE;
DROP OWNED BY regress_dmp_ann, regress_dmp_bob;
DROP ROLE regress_dmp_ann, regress_dmp_bob;
