\set ECHO none
\echo
\echo '--- A recipe cleans the raw table: each step counted, rejected rows in quarantine.'
\echo
\set ECHO queries
SELECT step, action, column_name, rows_in, rows_out, cells_changed, rows_quarantined
FROM dmp.clean(
    $$ SELECT click_id, user_id, click_time, click_duration, page, device, upper(country) AS country,
              purchase_id, order_value
       FROM raw_events $$,
    'events',
    '[{"trim": "*"},
      {"missing": ["N/A", "?", "-", ""]},
      {"drop_missing": ["user_id"]},
      {"cast": {"user_id": "bigint", "click_time": "timestamptz",
                "click_duration": "float8", "order_value": "numeric"}},
      {"require": "order_value IS NULL OR order_value >= 0"},
      {"deduplicate": ["user_id", "click_time", "page"], "keep": "first", "by": "click_id"},
      {"scale": {"click_duration": {"divide": 60}}},
      {"rename": {"click_duration": "click_minutes"}},
      {"fill": {"click_minutes": "median", "device": "mode", "country": "mode", "page": "unknown"}}]')
WHERE cells_changed > 0 OR rows_quarantined > 0;  -- of each step, the columns where it did something

-- before, and after
SELECT user_id, click_time, click_duration, page, device, country FROM raw_events
WHERE country <> upper(country) OR page LIKE ' %' OR device IN ('N/A', '?') ORDER BY click_id LIMIT 4;
SELECT user_id, click_time, round(click_minutes::numeric, 3) AS click_minutes, page, device, country FROM events
WHERE click_id IN (SELECT click_id FROM raw_events
                   WHERE country <> upper(country) OR page LIKE ' %' OR device IN ('N/A', '?')
                   ORDER BY click_id LIMIT 4)
ORDER BY click_id;

-- what the recipe turned away
SELECT column_name, regexp_replace(reason, '"[0-9.-]+"', '"..."') AS reason, count(*) AS rows, min(left(record, 64)) AS for_example
FROM dmp.quarantine WHERE recipe = 'events' GROUP BY 1, 2 ORDER BY rows DESC;

\set ECHO none
\echo '--- Again to the row: what was planted is what was found.'
SELECT demo.check('rows turned away: no user, bad duration, no such time, negative order, sent twice',
	demo.planted('no_user', 'bad_duration', 'bad_time', 'negative', 'submitted_twice'),
	(SELECT count(*) FROM dmp.quarantine WHERE recipe = 'events')) AS agrees
UNION ALL
SELECT demo.check('rows of the raw table = clean + turned away', (SELECT count(*) FROM raw_events),
	(SELECT count(*) FROM events) + (SELECT count(*) FROM dmp.quarantine WHERE recipe = 'events'));
