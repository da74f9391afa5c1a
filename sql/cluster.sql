-- values that mean the same: dmp.cluster_values, recipe steps canonicalize and repair
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS dmp;
RESET client_min_messages;

CREATE TABLE repair_city (id integer GENERATED ALWAYS AS IDENTITY, city text);
INSERT INTO repair_city (city)
SELECT city FROM (VALUES ('New York', 9), ('new york ', 2), ('York, New', 1), ('NEW-YORK', 1), ('Newyork', 1), ('Boston', 5), ('Bostn', 1), ('Bostton', 1),
	('Chicago', 4), ('Chicagoo', 4), ('Los Angeles', 3), ('Göteborg', 3), ('Goteborg', 1), ('Ulm', 1), ('Elm', 1), ('...', 2), ('!!', 1)) v(city, n), generate_series(1, n);
INSERT INTO repair_city (city) VALUES (NULL), ('');

-- key collision: the keys of OpenRefine
SELECT * FROM dmp.cluster_values('repair_city', 'city');
SELECT cluster, canonical, variant, rows, method, round(confidence::numeric, 3) AS confidence FROM dmp.cluster_values('repair_city', 'city', 'ngram_fingerprint', n => 1);
SELECT canonical, variant FROM dmp.cluster_values('SELECT city FROM repair_city WHERE id > 0', 'city', 'ngram_fingerprint');
SELECT canonical, variant FROM dmp.cluster_values('repair_city', 'city', 'metaphone');
SELECT word, dmp_internal.sound_key(word, 'metaphone') FROM unnest(ARRAY['Thompson', 'Thomson', 'Knight', 'Night', 'Physics', 'Wright', 'Xavier', 'school', 'Church', 'lamb', 'bridge', 'gnome',
	'sign', 'action', 'queue', 'whale', 'Aeon', '', '12', '東京', 'Smith Jones']) word;
-- the examples of the literature
SELECT word, dmp_internal.sound_key(word, 'cologne') FROM unnest(ARRAY['Wikipedia', 'Müller-Lüdenscheidt', 'Breschnew', 'Müller', 'Mueller', 'Meyer', 'Maier', 'Heinz Classen', 'Axel', 'Philipp', 'Xaver']) word;
SELECT dmp_internal.sound_key('a', 'morse');

-- nearness: a distance, a similarity, common words
SELECT cluster, canonical, variant, rows, round(confidence::numeric, 3) AS confidence FROM dmp.cluster_values('repair_city', 'city', 'levenshtein');
SELECT canonical, variant FROM dmp.cluster_values('repair_city', 'city', 'levenshtein', threshold => 2);
SELECT canonical, variant FROM dmp.cluster_values('repair_city', 'city', 'jaro_winkler', threshold => 0.93);
SELECT cluster, canonical, variant, rows FROM dmp.cluster_values($$SELECT * FROM (VALUES ('Univ. of Ulm, Dept. of Physics'), ('University of Ulm'), ('Ulm University, Germany'),
	('University of Bonn'), ('Dept. of Physics, Univ. Bonn, Germany'), ('Bonn University'), ('IBM Research'), ('IBM Research Lab'), ('Acme')) v(x)$$, 'x', 'words');

-- all pairs within the distance are found: brute force over 1,500 values
CREATE TABLE repair_near AS
SELECT DISTINCT CASE i % 5 WHEN 0 THEN w WHEN 1 THEN overlay(w PLACING 'q' FROM 1 + k % length(w) FOR 1) WHEN 2 THEN overlay(w PLACING '' FROM 1 + k % length(w) FOR 1)
	WHEN 3 THEN overlay(w PLACING 'zq' FROM 1 + k % length(w) FOR 1) ELSE substr(w, 2) || 'y' END AS value
FROM (SELECT i, substr(translate(md5((i / 5)::text), '0123456789', 'ghijklmnop'), 1, 6 + (i / 5) % 9) AS w, abs(hashint4(i)) % 97 AS k FROM generate_series(1, 1500) i) g;
CREATE FUNCTION repair_distance(a text, b text) RETURNS integer LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
	row integer[] := ARRAY(SELECT generate_series(0, length(b)));
	previous integer;
	kept integer;
BEGIN
	FOR i IN 1 .. length(a) LOOP
		previous := row[1];
		row[1] := i;
		FOR j IN 1 .. length(b) LOOP
			kept := row[j + 1];
			row[j + 1] := least(row[j] + 1, kept + 1, previous + CASE WHEN substr(a, i, 1) = substr(b, j, 1) THEN 0 ELSE 1 END);
			previous := kept;
		END LOOP;
	END LOOP;
	RETURN row[length(b) + 1];
END $$;
CREATE TEMP TABLE repair_found AS SELECT 1 AS k, variant, cluster FROM dmp.cluster_values('repair_near', 'value', 'levenshtein')
UNION ALL SELECT 2, variant, cluster FROM dmp.cluster_values('repair_near', 'value', 'levenshtein', threshold => 2);
SELECT k, count(*) > 20 AS pairs, count(*) FILTER (WHERE (SELECT cluster FROM repair_found f WHERE f.k = v.k AND variant = a.value)
	IS DISTINCT FROM (SELECT cluster FROM repair_found f WHERE f.k = v.k AND variant = b.value)
	OR NOT EXISTS (SELECT FROM repair_found f WHERE f.k = v.k AND variant = a.value)) AS missed
FROM generate_series(1, 2) v(k), repair_near a, repair_near b
WHERE a.value < b.value AND abs(length(a.value) - length(b.value)) <= k AND substr(md5(a.value), 1, 1) = '0' AND least(length(a.value), length(b.value)) > 2 * k
	AND repair_distance(a.value, b.value) <= k
GROUP BY k ORDER BY k;
-- and of Jaro-Winkler nearly all
SELECT count(*) > 100 AS pairs, round(count(*) FILTER (WHERE x.cluster = y.cluster)::numeric / count(*), 2) >= 0.98 AS found
FROM repair_near a JOIN repair_near b ON a.value < b.value AND dmp.jaro_winkler(a.value, b.value) >= 0.95
LEFT JOIN dmp.cluster_values('repair_near', 'value', 'jaro_winkler') x ON x.variant = a.value
LEFT JOIN dmp.cluster_values('repair_near', 'value', 'jaro_winkler') y ON y.variant = b.value;

-- the step does what the function says
SELECT * FROM dmp.clean('repair_city', 'repair_a', '[{"canonicalize": {"city": "fingerprint"}}]');
SELECT city, count(*) FROM repair_a WHERE city ILIKE '%york%' OR city LIKE 'G%' GROUP BY 1 ORDER BY 1;
SELECT method, sum(cells_changed) AS changed, (SELECT coalesce(sum(rows), 0) FROM dmp.cluster_values('repair_city', 'city', method) WHERE variant <> canonical) AS expected
FROM unnest(ARRAY['ngram_fingerprint', 'metaphone', 'cologne', 'levenshtein', 'jaro_winkler', 'words', 'typo']) method,
	dmp.clean('repair_city', 'repair_a', format('[{"canonicalize": {"city": {"method": "%s"}}}]', method)::json, 'replace') GROUP BY 1 ORDER BY 1;
SELECT * FROM dmp.clean('repair_city', 'repair_b', '[{"require": "id > 9"}, {"canonicalize": {"city": {"method": "levenshtein", "threshold": 2}}}, {"drop_missing": "city"}]');
SELECT count(*) FROM repair_b WHERE city LIKE 'Bos%n' GROUP BY city;

-- slips: rare values near frequent ones; not those that are words of their own, nor other numbers
CREATE TABLE repair_slip AS
SELECT row_number() OVER () AS id, name, code, word || ' street ' || g % 90 AS address
FROM (VALUES ('hospital north', 'AB-1', 'maple', 40), ('hospital south', 'AB-2', 'cedar', 40), ('clinic', 'AC-1', 'willow', 40), ('hospitol north', 'AB-11', 'mapel', 1), ('hosptial south', 'AB1', 'ceder', 1),
	('clinics', 'XX-9', 'birch', 1), ('hospital east', 'AB-9', 'willlow', 1), ('klinic', 'AD-1', 'oak', 1), ('Clinic', 'ab-1', 'elm', 1)) v(name, code, word, n), generate_series(1, n) g;
SELECT cluster, canonical, variant, rows, confidence > 0.8 AS sure FROM dmp.cluster_values('repair_slip', 'name', 'typo');
SELECT * FROM dmp.clean('repair_slip', 'repair_c', '[{"repair": ["name", "code", "address"]}]');
SELECT id, a.name, b.name AS repaired, a.code, b.code AS repaired_code, a.address, b.address AS repaired_address FROM repair_slip a JOIN repair_c b USING (id)
WHERE id > 120 ORDER BY id;
SELECT sum(cells_changed) AS none FROM dmp.clean('repair_slip', 'repair_d', '[{"repair": "*", "min_confidence": 1}]');

-- a character that stands for lost ones is seen from the columns together
CREATE TABLE repair_lost AS
SELECT i AS id, CASE WHEN i % 10 = 1 THEN overlay(city PLACING '?' FROM 1 + i % length(city) FOR 1) ELSE city END AS city,
	CASE WHEN i % 20 = 3 THEN '?A' WHEN i % 50 = 4 THEN 'K?' ELSE 'KA' END AS state, CASE WHEN i % 50 = 7 THEN '4' || '?3' ELSE (ARRAY['403', '517', '629'])[1 + i % 3] END AS code
FROM (SELECT i, (ARRAY['Mannheim', 'Karlsruhe', 'Heidelberg', 'Freiburg'])[1 + i % 4] AS city FROM generate_series(1, 400) i) g;
SELECT column_name, cells_changed FROM dmp.clean('repair_lost', 'repair_e', '[{"repair": "*"}]');
SELECT state, code, count(DISTINCT city) FROM repair_e GROUP BY 1, 2 ORDER BY 1, 2;

-- names of persons have near neighbours by nature: nothing is sure
CREATE TABLE repair_person AS
SELECT (ARRAY['Mart', 'Bart', 'Hart', 'Carl', 'Marl', 'Berl'])[1 + a % 6] || (ARRAY['in', 'en', 'an', 'on', 'ino', 'ens'])[1 + b % 6] AS name
FROM generate_series(0, 5) a, generate_series(0, 5) b, generate_series(1, 1 + (a * 7 + b * 5) % 11 * ((a * 7 + b * 5) % 11)) n;
SELECT coalesce(sum(cells_changed), 0) AS changed FROM dmp.clean('repair_person', 'repair_f', '[{"repair": "*"}]');

-- numbers, keys and dates stay; empty tables, columns of nothing
SELECT sum(cells_changed) AS changed FROM dmp.clean($$SELECT i::text AS id, md5(i::text) AS key, (date '2024-01-01' + i % 50)::text AS day, (i % 7 * 1.5)::text AS number,
	'user' || i AS name, CASE WHEN i % 100 = 0 THEN '-' || i % 5 ELSE (i % 5)::text END AS sign FROM generate_series(1, 5000) i$$, 'repair_g', '[{"repair": "*"}]');
SELECT step, cells_changed FROM dmp.clean('SELECT * FROM repair_slip WHERE false', 'repair_h', '[{"repair": ["name"]}, {"canonicalize": {"name": "words", "code": "levenshtein"}}]');
SELECT sum(cells_changed) AS changed FROM dmp.clean('SELECT NULL::text AS a, ''''::text AS b, NULL::varchar(3) AS c FROM repair_slip', 'repair_i', '[{"repair": "*"}, {"canonicalize": {"*": "jaro_winkler"}}]');
SELECT count(*) FROM dmp.cluster_values('SELECT * FROM repair_slip WHERE false', 'name', 'words');
SELECT canonical, variant FROM dmp.cluster_values('SELECT 7 AS "a""b" UNION ALL SELECT 7', 'a"b', 'levenshtein');

-- what is wrong is named
SELECT * FROM dmp.cluster_values('repair_city', 'town');
SELECT * FROM dmp.cluster_values('repair_city', 'city', 'fingerprints');
SELECT * FROM dmp.cluster_values('repair_city', 'city', NULL);
SELECT * FROM dmp.cluster_values('repair_city', 'city', threshold => 2);
SELECT * FROM dmp.cluster_values('repair_city', 'city', 'levenshtein', threshold => 99);
SELECT * FROM dmp.cluster_values('repair_city', 'city', 'levenshtein', n => 2);
SELECT * FROM dmp.cluster_values('repair_city', 'city', 'ngram_fingerprint', n => 0);
SELECT * FROM dmp.cluster_values('repair_city; DROP TABLE repair_city', 'city');
SELECT dmp.clean_sql('repair_city', '[{"canonicalize": {"city": "soundex"}}]');
SELECT dmp.clean_sql('repair_city', '[{"canonicalize": {"id": "fingerprint"}}]');
SELECT dmp.clean_sql('repair_city', '[{"canonicalize": {"city": {"threshold": 2}}}]');
SELECT dmp.clean_sql('repair_city', '[{"canonicalize": {"city": 5}}]');
SELECT dmp.clean_sql('repair_city', '[{"repair": "id"}]');
SELECT dmp.clean_sql('repair_city', '[{"repair": "city", "min_confidence": 3}]');

-- the functions behind it, called by hand
SELECT dmp_internal.near_cluster(NULL, 1, 'words', 0.5) OVER ();
SELECT dmp_internal.near_cluster('a', NULL, 'words', 0.5) OVER ();
SELECT dmp_internal.near_cluster('a', 1, NULL, NULL) OVER ();
SELECT dmp_internal.near_cluster('a', 1, 'levenshtein', 1000) OVER ();
SELECT dmp_internal.near_cluster('a', 1, 'levenshtein', 'NaN') OVER ();
SELECT dmp_internal.near_cluster('a', 1, 'fingerprint', 1) OVER ();
SELECT dmp_internal.typo_of(0, NULL, 1) OVER ();
SELECT dmp_internal.typo_of(NULL, 'a', 1) OVER ();
SELECT dmp_internal.typo_of(-1, 'a', 1) OVER ();
SELECT dmp_internal.typo_of(i, 'abcde', -5) OVER () FROM unnest(ARRAY[3, 0, 3, 1]) i;
SELECT dmp_internal.source_weight(NULL, 1, 1) OVER ();
SELECT dmp_internal.source_weight('a', NULL, 1) OVER ();

DROP TABLE repair_city, repair_near, repair_a, repair_b, repair_slip, repair_c, repair_d, repair_lost, repair_e, repair_person, repair_f, repair_g, repair_h, repair_i;
DROP FUNCTION repair_distance;
