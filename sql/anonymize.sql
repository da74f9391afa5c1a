-- dmp.anonymize_to: what it writes is k-anonymous, whatever it is given
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS dmp;
RESET client_min_messages;
\set VERBOSITY terse
SET jit = off;
CREATE TABLE privacy_people (name text, zip text, age int, born date, city text, income numeric, disease text);
INSERT INTO privacy_people VALUES
	('a', '47677', 29, '1995-01-03', 'Utrecht', 3, 'flu'), ('b', '47602', 22, '1995-01-20', 'Utrecht', 4, 'flu'),
	('c', '47678', 27, '1995-05-05', 'Amsterdam', 5, 'cancer'), ('d', '47905', 43, '1980-02-01', 'Berlin', 6, 'flu'),
	('e', '47909', 52, '1981-02-01', 'Bonn', 11, 'gastritis'), ('f', '47906', 47, '1980-07-01', 'Berlin', 8, 'flu'),
	('g', '47605', 30, '1995-01-03', 'Rotterdam', 7, 'cancer'), ('h', '47673', 36, NULL, 'Paris', 9, 'flu'), ('i', '47607', 32, NULL, 'Lyon', 10, 'cancer');
SELECT column_name, action, rows, rows_changed, rows_suppressed, round(information_loss::numeric, 3) AS loss FROM dmp.anonymize_to('privacy_people', 3, '{zip,age}', 'privacy_out');
-- whose rows it has is known
SELECT reads FROM dmp_internal.made_table WHERE made = 'privacy_out'::regclass;
SELECT * FROM privacy_out ORDER BY name;
SELECT k FROM dmp.k_anonymity('privacy_out', '{zip,age}');
DROP TABLE privacy_out;
-- dates by what they share, NULL for itself; hierarchies by the nearest ancestor
SELECT column_name, action, rows_changed FROM dmp.anonymize_to('SELECT name, born FROM privacy_people', 2, '{born}', 'privacy_out');
SELECT * FROM privacy_out ORDER BY name;
DROP TABLE privacy_out;
SELECT column_name, action, rows_changed, round(information_loss::numeric, 3) AS loss FROM dmp.anonymize_to('SELECT name, city FROM privacy_people', 2, '{city}', 'privacy_out',
	'{"city": {"Utrecht": "NL", "Amsterdam": "NL", "Rotterdam": "NL", "Berlin": "DE", "Bonn": "DE", "Paris": "FR", "Lyon": "FR", "NL": "Europe", "DE": "Europe", "FR": "Europe"}}');
SELECT * FROM privacy_out ORDER BY name;
DROP TABLE privacy_out;
-- l: each class has two diseases
SELECT action, rows FROM dmp.anonymize_to('privacy_people', 2, '{age}', 'privacy_out', sensitive => '{disease}', l => 2);
SELECT k >= 2 AS k, l_distinct >= 2 AS l FROM dmp.k_anonymity('privacy_out', '{age}', '{disease}');
DROP TABLE privacy_out;
-- too few rows: none is left
SELECT action, rows, rows_suppressed, information_loss FROM dmp.anonymize_to('privacy_people', 10, '{age}', 'privacy_out');
SELECT count(*) FROM privacy_out;
SELECT action, rows, rows_suppressed, information_loss FROM dmp.anonymize_to('SELECT * FROM privacy_people WHERE false', 2, '{age}', 'privacy_out', if_exists => 'replace');
-- k = 1 and no need: as it was
SELECT action, rows, rows_changed, information_loss FROM dmp.anonymize_to('privacy_people', 1, '{age,zip,born}', 'privacy_out', if_exists => 'append');
DROP TABLE privacy_out;
SELECT action, rows, rows_changed, information_loss FROM dmp.anonymize_to('privacy_people', 1, '{age,zip,born}', 'privacy_out');
SELECT action, rows FROM dmp.anonymize_to('privacy_people', 1, '{age,zip,born}', 'privacy_out', if_exists => 'replace');
SELECT count(*) FROM privacy_out o JOIN privacy_people p ON o.name = p.name AND o.age = p.age::text AND o.zip = p.zip AND o.born IS NOT DISTINCT FROM p.born::text;
DROP TABLE privacy_out;
-- rows that say least may be left out
SELECT action, rows, rows_suppressed FROM dmp.anonymize_to('SELECT x FROM (SELECT i AS x FROM generate_series(1, 90) i UNION ALL SELECT i * 100000 FROM generate_series(1, 10) i) s', 5, '{x}', 'privacy_out', max_suppressed => 0.1);
SELECT k, classes FROM dmp.k_anonymity('privacy_out', '{x}');
DROP TABLE privacy_out;

-- a hundred random tables: NULLs, ties, constant columns, fewer than k rows; twice the same
CREATE FUNCTION privacy_property(seed int, OUT kk int, OUT ll int, OUT good boolean, OUT rows_out bigint, OUT rows_gone bigint) LANGUAGE plpgsql AS $$
DECLARE
	n int;
	quasi text[];
	m record;
	first_hash text;
	second_hash text;
BEGIN
	PERFORM setseed(seed / 1000.0);
	n := (random() * 150)::int;
	kk := 1 + (random() * 12)::int;
	ll := 1 + (random() * 2)::int;
	CREATE TEMP TABLE privacy_random AS
		SELECT i, nullif((random() * (1 + seed % 20))::int, 3) AS a, CASE WHEN random() < 0.8 THEN repeat(chr(97 + (random() * 3)::int), 1 + (random() * 2)::int) END AS b,
			   date '2020-01-01' + (random() ^ 3 * 2000)::int AS c, 'same'::text AS d, (random() < 0.3) AS e, (random() * 10)::numeric(6, 1 ) AS f,
			   CASE WHEN random() < 0.1 THEN 'NaN' ELSE random() * 5 - 2 END::float8 AS g, (ARRAY['w', 'x', 'y', NULL])[1 + (random() * 3)::int] AS s,
			   timestamptz '2024-02-28 12:00Z' + random() * interval '3 days' AS h
		FROM generate_series(1, n) i;
	quasi := (ARRAY['{a,b,c,d}', '{e,f}', '{g,h,b}', '{d}', '{a,c,e,f,g,h}', '{b}'])[1 + seed % 6]::text[];
	SELECT t.rows, t.rows_suppressed INTO rows_out, rows_gone FROM dmp.anonymize_to('privacy_random', kk, quasi, 'pg_temp.privacy_one', sensitive => '{s}', l => ll,
		max_suppressed => CASE seed % 3 WHEN 0 THEN 0 ELSE 0.2 END) t WHERE column_name IS NULL;
	PERFORM dmp.anonymize_to('privacy_random', kk, quasi, 'pg_temp.privacy_two', sensitive => '{s}', l => ll, max_suppressed => CASE seed % 3 WHEN 0 THEN 0 ELSE 0.2 END);
	SELECT md5(string_agg(o::text, ';' ORDER BY i)) INTO first_hash FROM privacy_one o;
	SELECT md5(string_agg(o::text, ';' ORDER BY i)) INTO second_hash FROM privacy_two o;
	SELECT * INTO m FROM dmp.k_anonymity('pg_temp.privacy_one', quasi, '{s}');
	good := coalesce(m.k >= kk AND m.l_distinct >= ll, rows_out = 0) AND rows_out + rows_gone = n
		AND (SELECT count(*) FROM privacy_one) = rows_out AND first_hash IS NOT DISTINCT FROM second_hash
		AND NOT EXISTS (SELECT FROM privacy_one o JOIN privacy_random r USING (i) WHERE o.s IS DISTINCT FROM r.s);
	DROP TABLE privacy_random, privacy_one, privacy_two;
END $$;
SELECT count(*) AS tables, count(*) FILTER (WHERE good) AS good, count(*) FILTER (WHERE rows_out > 0) > 70 AS most_have_rows
FROM generate_series(1, 100) seed, LATERAL privacy_property(seed);

-- a name is a name
CREATE TABLE "privacy odd""; table" ("x""; drop" text, dmp_labels_0 int, dmp__rank_0 int);
INSERT INTO "privacy odd""; table" SELECT 'v' || i % 4, i, i FROM generate_series(1, 20) i;
SELECT action, rows FROM dmp.anonymize_to('"privacy odd""; table"', 6, '{"x\"; drop"}', '"privacy out""; --"');
SELECT DISTINCT "x""; drop" FROM "privacy out""; --" ORDER BY 1;
DROP TABLE "privacy odd""; table", "privacy out""; --";

-- errors
SELECT * FROM dmp.anonymize_to('privacy_people', 0, '{age}', 'privacy_out');
SELECT * FROM dmp.anonymize_to('privacy_people', 2, '{}', 'privacy_out');
SELECT * FROM dmp.anonymize_to('privacy_people', 2, '{aeg}', 'privacy_out');
SELECT * FROM dmp.anonymize_to('privacy_people', 2, '{age,age}', 'privacy_out');
SELECT * FROM dmp.anonymize_to('privacy_people', 2, '{age}', 'privacy_people');
SELECT * FROM dmp.anonymize_to('privacy_people', 2, '{age}', 'privacy_out', l => 2);
SELECT * FROM dmp.anonymize_to('privacy_people', 2, '{age}', 'privacy_out', sensitive => '{age}');
SELECT * FROM dmp.anonymize_to('privacy_people', 2, '{age}', 'privacy_out', max_suppressed => 'NaN');
SELECT * FROM dmp.anonymize_to('privacy_people', 2, '{age}', 'privacy_out', '{"city": {}}');
SELECT * FROM dmp.anonymize_to('privacy_people', 2, '{city}', 'privacy_out', '{"city": []}');
SELECT * FROM dmp.anonymize_to('privacy_people', 2, '{city}', 'privacy_out', '{"city": {"Utrecht": 1}}');
SELECT * FROM dmp.anonymize_to('privacy_people', 2, '{city}', 'privacy_out', '{"city": {"Utrecht": "NL", "NL": "Utrecht"}}');
SELECT * FROM dmp.anonymize_to('privacy_people', 2, '{city}', 'privacy_out', '[]');
SELECT dmp_internal.anonymized('{1,2}');
SELECT count(*) FROM dmp.anonymize_to(NULL, 2, '{age}', 'privacy_out');
BEGIN READ ONLY;
SELECT * FROM dmp.anonymize_to('privacy_people', 2, '{age}', 'privacy_out');
ROLLBACK;
CREATE ROLE privacy_ann;
SET ROLE privacy_ann;
SELECT * FROM dmp.anonymize_to('privacy_people', 2, '{age}', 'privacy_out');
RESET ROLE;
DROP ROLE privacy_ann;
DROP TABLE privacy_people;
DROP FUNCTION privacy_property;
