\set ECHO none
\echo
\echo '--- Raw lines become rows. What cannot become a row is kept, with the reason.'
\echo
\set ECHO queries
CREATE EXTENSION dmp;

-- as text first: what a value should be is decided by the recipe, later
CREATE TABLE raw_events (
    click_id bigint PRIMARY KEY, user_id text, click_time text, click_duration text, page text,
    device text, country text, purchase_id text, purchase_duration text, order_value text);

SELECT source, lake_table FROM dmp.create_source('clicks', into_table => 'raw_events', key => '{click_id}');

SELECT rows_loaded, pg_size_pretty(bytes) AS size FROM dmp.load_file('clicks', :'json');

SELECT rows_read, rows_loaded, rows_duplicate, rows_quarantined, elapsed FROM dmp.ingest('clicks');

-- the quarantine: nothing vanished
SELECT column_name, regexp_replace(reason, 'byte \d+', 'byte N') AS reason, count(*) AS lines,
       min(left(coalesce(record, encode(raw, 'escape')), 48)) AS for_example
FROM dmp.quarantine WHERE source = 'clicks'
GROUP BY 1, 2 ORDER BY lines DESC;

\set ECHO none
CREATE SCHEMA demo;
CREATE TABLE demo.planted (kind text PRIMARY KEY, lines bigint);
CREATE TABLE demo.truth (user_id bigint PRIMARY KEY, probability float8);
\set from :data '/planted.csv'
SELECT format('COPY demo.planted FROM %L (FORMAT csv)', :'from') \gexec
\set from :data '/truth.csv'
SELECT format('COPY demo.truth FROM %L (FORMAT csv)', :'from') \gexec

-- the demo stops where the numbers do not agree
CREATE FUNCTION demo.check(what text, wanted bigint, got bigint) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	IF wanted IS DISTINCT FROM got THEN
		RAISE EXCEPTION '%: planted %, found %', what, wanted, got;
	END IF;
	RETURN format('%s: %s', what, got);
END $$;

CREATE FUNCTION demo.planted(VARIADIC kinds text[]) RETURNS bigint LANGUAGE sql AS
	'SELECT sum(lines) FROM demo.planted WHERE kind = ANY (kinds)';

\echo '--- The generator knows what it planted; the counts agree to the line:'
SELECT demo.check('lines = loaded + duplicate + quarantined', demo.planted('lines'),
		(SELECT sum(rows_loaded + rows_duplicate)::bigint FROM dmp.batches WHERE kind = 'ingest')
		+ (SELECT count(*) FROM dmp.quarantine WHERE source = 'clicks')) AS agrees
UNION ALL
SELECT demo.check('quarantined = truncated + noise + broken bytes + bad key + no key',
		demo.planted('truncated', 'noise', 'bytes', 'bad_key', 'no_key'),
		(SELECT count(*) FROM dmp.quarantine WHERE source = 'clicks'))
UNION ALL
SELECT demo.check('duplicates', demo.planted('repeated'), (SELECT sum(rows_duplicate)::bigint FROM dmp.batches WHERE kind = 'ingest'));
