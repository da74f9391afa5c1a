-- functional_dependency: what columns determine is repaired by what most rows say
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS dmp;
RESET client_min_messages;

CREATE TABLE repair_place (id integer PRIMARY KEY, zip text, state text, city text, phone bigint, "the ""mayor""" text);
INSERT INTO repair_place VALUES
	(1, '10', 'A', 'Ulm', 11, 'x'), (2, '10', 'A', 'Ulm', 11, 'x'), (3, '10', 'A', 'Ulmm', 11, NULL), (4, '10', 'A', NULL, 12, 'x'),
	(5, '20', 'A', 'Bonn', 21, 'y'), (6, '20', 'A', 'Köln', 21, 'y'), (7, '20', 'B', NULL, 22, 'z'),
	(8, NULL, 'A', 'Ulmm', 11, 'x'), (9, NULL, 'A', NULL, 12, NULL), (10, '30', 'B', 'Trier', NULL, NULL);

SELECT * FROM dmp.clean('repair_place', 'repair_one', '[{"functional_dependency": {"zip": "city"}}]');
-- a tie (20) stays as it is, a row without a key, too
SELECT id, zip, city FROM repair_one ORDER BY id;

-- two columns on the left, several on the right; bigint; a name with quotes and a comma
SELECT * FROM dmp.clean('SELECT id, zip, state, phone, "the ""mayor""", city AS "a, b" FROM repair_place', 'repair_two',
	'[{"functional_dependency": {"zip, state": ["phone", "the \"mayor\""], "a, b": "zip"}}]');
SELECT id, zip, phone, "the ""mayor""" FROM repair_two ORDER BY id;
SELECT * FROM dmp.clean('repair_place', 'repair_three',
	'[{"functional_dependency": [{"from": ["zip", "state"], "to": "phone"}, {"from": "phone", "to": ["the \"mayor\"", "city"]}]}]');
SELECT id, phone, "the ""mayor""", city FROM repair_three ORDER BY id;

-- each rule sees what those before it repaired, in one step as in two
SELECT * FROM dmp.clean('repair_place', 'repair_four',
	'[{"functional_dependency": {"zip, state": "phone"}}, {"functional_dependency": {"phone": ["the \"mayor\"", "city"]}}]');
SELECT count(*) AS different FROM repair_three FULL JOIN repair_four USING (id)
WHERE ROW(repair_three.*) IS DISTINCT FROM ROW(repair_four.*);

-- min_share: Ulm has 2 of 3
SELECT share, cells_changed FROM unnest(ARRAY[0.66, 0.67]) share,
	dmp.clean('repair_place', 'repair_share', format('[{"functional_dependency": {"zip": "city"}, "min_share": %s}]', share)::json, 'replace') ORDER BY 1;

-- beside steps that reject: rejected rows have no vote
SELECT * FROM dmp.clean('repair_place', 'repair_five',
	'[{"require": "id > 2"}, {"functional_dependency": {"zip": "city"}}, {"drop_missing": ["city"]}, {"trim": "city"}, {"fill": {"phone": "median"}}]');
SELECT id, zip, city, phone FROM repair_five ORDER BY id;
SELECT record::json ->> 'id' AS id, reason FROM dmp.quarantine
WHERE id > (SELECT max(id) - 4 FROM dmp.quarantine) ORDER BY (record::json ->> 'id')::integer;
-- and from a query that is no plain table, where rejects are found a second time
SELECT step, cells_changed, rows_quarantined FROM dmp.clean('SELECT * FROM repair_place WHERE id < 100 OFFSET 0', 'repair_six',
	'[{"require": "id > 2"}, {"functional_dependency": {"zip": "city"}}, {"drop_missing": ["city"]}]');
SELECT count(*) AS different FROM (TABLE repair_six EXCEPT SELECT id, zip, state, city, CASE id WHEN 7 THEN NULL WHEN 10 THEN NULL WHEN 4 THEN 12 ELSE phone END, "the ""mayor""" FROM repair_five) d
WHERE id NOT IN (7, 10);

-- against brute force on 20,000 rows with 5 % of wrong cells
CREATE TABLE repair_many AS
SELECT i AS id, 'k' || k AS key, CASE WHEN hashint4(i) % 20 = 0 THEN 'wrong' || abs(hashint4(i + 7)) % 5 WHEN hashint4(i) % 20 = 1 THEN NULL
	ELSE 'v' || k % 100 END AS value
FROM (SELECT i, abs(hashint4(i * 3)) % 997 AS k FROM generate_series(1, 20000) i) g;
SELECT rows_out FROM dmp.clean('repair_many', 'repair_many_done', '[{"functional_dependency": {"key": "value"}}]');
SELECT count(*) AS rows, count(*) FILTER (WHERE d.value IS DISTINCT FROM (
	SELECT coalesce(CASE WHEN count(*) = 1 THEN min(v) END, m.value) FROM (
		SELECT o.value AS v, rank() OVER (ORDER BY count(*) DESC) AS place FROM repair_many o WHERE o.key = m.key AND o.value IS NOT NULL GROUP BY 1) x
	WHERE place = 1)) AS different
FROM repair_many m JOIN repair_many_done d USING (id) WHERE id <= 2000;
SELECT count(*) FILTER (WHERE value LIKE 'wrong%') AS wrong, count(*) FILTER (WHERE value IS NULL) AS missing FROM repair_many_done;

-- sources that contradict each other: one is right in nine of ten items, three copy each other and are wrong in most
CREATE TABLE repair_claim AS
SELECT 100 * s + i AS id, 'item' || i AS item, name AS source,
	CASE WHEN s <= 2 AND (i + s) % 10 > 0 OR s > 5 AND (i * s) % 10 > 4 OR s BETWEEN 3 AND 5 AND i % 10 > 7 THEN 'right' || i
		WHEN s BETWEEN 3 AND 5 THEN 'copied' || i ELSE 'wrong' || s || i END AS value
FROM generate_series(1, 60) i, unnest(ARRAY['good', 'better', 'copy a', 'copy b', 'copy c', 'fair', 'poor']) WITH ORDINALITY u(name, s);
SELECT rows_out FROM dmp.clean('repair_claim', 'repair_claim_a', '[{"functional_dependency": {"item": "value"}}]');
SELECT count(*) FILTER (WHERE value = 'right' || substr(item, 5)) AS majority FROM repair_claim_a;
SELECT * FROM dmp.clean('repair_claim', 'repair_claim_b', '[{"functional_dependency": {"item": "value"}, "weight_by": "source"}]');
SELECT count(*) FILTER (WHERE value = 'right' || substr(item, 5)) AS weighted, count(*) AS of FROM repair_claim_b;

-- nothing to learn from
SELECT cells_changed FROM dmp.clean('SELECT * FROM repair_place WHERE false', 'repair_none', '[{"functional_dependency": {"zip": "city"}, "weight_by": "state"}]');
SELECT cells_changed FROM dmp.clean('SELECT id, NULL::text AS zip, state, city, phone, "the ""mayor""" FROM repair_place', 'repair_none', '[{"functional_dependency": {"zip": "city"}, "weight_by": "state"}]', 'replace');
SELECT cells_changed FROM dmp.clean('SELECT id, zip, NULL::text AS state, city, phone, "the ""mayor""" FROM repair_place', 'repair_none', '[{"functional_dependency": {"zip": "city"}, "weight_by": "state"}]', 'replace');

-- what is wrong is named
SELECT dmp.clean_sql('repair_place', '[{"functional_dependency": "zip"}]');
SELECT dmp.clean_sql('repair_place', '[{"functional_dependency": {}}]');
SELECT dmp.clean_sql('repair_place', '[{"functional_dependency": {"zap": "city"}}]');
SELECT dmp.clean_sql('repair_place', '[{"functional_dependency": {"zip, stat": "city"}}]');
SELECT dmp.clean_sql('repair_place', '[{"functional_dependency": {"zip": "zip"}}]');
SELECT dmp.clean_sql('repair_place', '[{"functional_dependency": [{"from": "zip"}]}]');
SELECT dmp.clean_sql('repair_place', '[{"functional_dependency": [{"from": "zip", "two": "city"}]}]');
SELECT dmp.clean_sql('repair_place', '[{"functional_dependency": {"zip": "city"}, "weight_by": "city"}]');
SELECT dmp.clean_sql('repair_place', '[{"functional_dependency": {"zip": "city"}, "min_share": 2}]');
SELECT dmp.clean_sql('repair_place', '[{"functional_dependency": {"zip": "city"}, "weight": "state"}]');

DROP TABLE repair_place, repair_one, repair_two, repair_three, repair_four, repair_share, repair_five, repair_six, repair_many, repair_many_done,
	repair_claim, repair_claim_a, repair_claim_b, repair_none;
