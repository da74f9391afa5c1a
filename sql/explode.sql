-- arrays to rows: option "explode"
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS dmp;
RESET client_min_messages;
SET dmp.progress = off;
CREATE SCHEMA regress_formats_explode;
SET search_path = regress_formats_explode, public;

-- the record's members and the element's
CREATE TABLE lines (order_id int, sku text, n int CHECK (n < 100), first_tag text, item jsonb, rest jsonb, lake_id bigint);
SELECT lake_table FROM dmp.create_source('formats_explode', 'lines', options => '{"explode": "order.items", "unknown": "rest"}',
	mapping => '{"order_id": "order.id", "sku": "$.order.items[].sku", "n": "order.items[].n", "first_tag": "order.items[].tags[0]", "item": "order.items[]", "rest": "$rest", "lake_id": "$lake_id"}');
INSERT INTO lake.formats_explode (line) VALUES
	('{"order": {"id": 1, "items": [{"sku": "a", "n": 1, "tags": ["x", "y"]}, {"sku": "b\"", "n": 2}]}, "by": "web"}'),
	('{"order": {"id": 2, "items": [ {"n": 3, "weight": 7} , "text", null, [1], 5 ]}}'),
	('{"order": {"id": 3, "items": []}}'), ('{"order": {"id": 4, "items": null}}'), ('{"order": {"id": 5}}'), ('{}'),
	('{"order": {"id": 6, "items": {"sku": "no array"}}}'), ('{"order": {"id": "x", "items": [{"n": 1}, {"n": 2}]}}'),
	('{"a": 1, "order": {"id": 7, "items": [{"sku": "a", "n": 1}, {"sku": "b", "n": "many"}, {"sku": "c", "n": 100}, {"sku": "d", "n": 4}], "more": [1]}, "z": "é"}'),
	('{"order": {"id": 8, "items": [{"sku": "cut"');
SELECT rows_read, rows_loaded, rows_quarantined, fields_ignored FROM dmp.ingest('formats_explode');
SELECT order_id, sku, n, first_tag, item, rest FROM lines ORDER BY lake_id, item;
SELECT record, column_name, reason FROM dmp.quarantine WHERE source = 'formats_explode' ORDER BY record COLLATE "C";
-- a retry loads what was refused and nothing else; a record corrected into several rows is judged row by row
UPDATE dmp.quarantine SET record = replace(record, '"many"', '2') WHERE record LIKE '%"many"%' AND source = 'formats_explode';
UPDATE dmp.quarantine SET record = '{"order": {"id": 8, "items": [{"sku": "e", "n": 5}, {"sku": "f", "n": 600}, {"sku": "g", "n": "?"}]}}' WHERE record LIKE '%cut"' AND source = 'formats_explode';
SELECT rows_read, rows_loaded, rows_quarantined FROM dmp.retry_quarantine('formats_explode');
SELECT order_id, sku, n FROM lines WHERE order_id > 6 ORDER BY order_id, sku;
SELECT record, column_name, reason, state FROM dmp.quarantine WHERE source = 'formats_explode' ORDER BY record COLLATE "C", state;
SELECT rows_read, rows_loaded, rows_quarantined FROM dmp.retry_quarantine('formats_explode');

-- columns by name: of the element, else of the record; a key over both
CREATE TABLE visits (id int, page text, at date, PRIMARY KEY (id, page));
SELECT lake_table FROM dmp.create_source('formats_visits', 'visits', key => '{id,page}', missing => '{-}', options => '{"explode": "pages"}');
INSERT INTO lake.formats_visits (line) VALUES ('{"id": 1, "at": "2024-01-01", "page": "unused", "pages": [{"page": "a"}, {"page": "b", "at": "2024-01-02"}, {"page": "a"}, {"page": "-"}, {"other": 1}]}');
SELECT rows_read, rows_loaded, rows_duplicate, rows_quarantined, fields_ignored FROM dmp.ingest('formats_visits');
SELECT * FROM visits ORDER BY id, page;
-- names that are not known
CREATE TABLE strict (id int, page text);
SELECT lake_table FROM dmp.create_source('formats_strict', 'strict', options => '{"explode": "pages", "unknown": "quarantine"}');
INSERT INTO lake.formats_strict (line) VALUES ('{"id": 1, "pages": [{"page": "a"}, {"page": "b", "x": 1}]}'), ('{"id": 2, "y": 1, "pages": [{"page": "a"}, {"page": "b"}]}');
SELECT rows_read, rows_loaded, rows_quarantined FROM dmp.ingest('formats_strict');
SELECT record, reason FROM dmp.quarantine WHERE source = 'formats_strict' ORDER BY record COLLATE "C", reason;

-- an array of more elements than a batch has rows
TRUNCATE strict;
SELECT lake_table FROM dmp.create_source('formats_many', 'strict', options => '{"explode": "pages"}');
INSERT INTO lake.formats_many (line) SELECT json_build_object('id', g, 'pages', (SELECT json_agg(json_build_object('page', i)) FROM generate_series(1, 20000) i)) FROM generate_series(1, 2) g;
ALTER TABLE strict ADD CHECK (page <> '19999');
SELECT rows_read, rows_loaded, rows_quarantined FROM dmp.ingest('formats_many');
SELECT count(*), count(DISTINCT (id, page)) FROM strict;
SELECT record, sqlstate FROM dmp.quarantine WHERE source = 'formats_many' ORDER BY record;

SELECT * FROM dmp.replay('formats_many', current_date, current_date);
SELECT * FROM dmp.create_source('formats_x', options => '{"explode": ""}');
SELECT * FROM dmp.create_source('formats_x', options => '{"explode": "a[]"}');
SELECT * FROM dmp.create_source('formats_x', 'strict', options => '{"explode": "a..b"}');
SELECT * FROM dmp.create_source('formats_x', 'strict', mapping => '{"id": "pages[].id"}');
SELECT * FROM dmp.create_source('formats_x', format => 'csv', options => '{"explode": "a"}');
SELECT count(*) FROM dmp.sources s, dmp.drop_source(s.source) WHERE s.source LIKE 'formats\_%';
DROP SCHEMA regress_formats_explode CASCADE;
