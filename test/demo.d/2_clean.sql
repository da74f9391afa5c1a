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
      {"fill": {"click_minutes": "median", "device": "mode", "country": "mode", "page": "unknown"}}]');

-- before, and after
SELECT user_id, click_time, click_duration, page, device, country FROM raw_events
WHERE country <> upper(country) OR page LIKE ' %' OR device IN ('N/A', '?') ORDER BY click_id LIMIT 4;
SELECT user_id, click_time, round(click_minutes::numeric, 3) AS click_minutes, page, device, country FROM events
WHERE click_id IN (SELECT click_id FROM raw_events
                   WHERE country <> upper(country) OR page LIKE ' %' OR device IN ('N/A', '?')
                   ORDER BY click_id LIMIT 4)
ORDER BY click_id;

-- rows that did not pass are kept with the reason too
SELECT column_name, regexp_replace(reason, '"[^"]*"$', '"..."') AS reason, count(*) AS rows
FROM dmp.quarantine WHERE recipe = 'events'
GROUP BY 1, 2 ORDER BY rows DESC;

\set ECHO none
\echo '--- Again to the row: what was planted is what was found.'
SELECT demo.check('rows without a user, dropped', demo.planted('no_user'),
	(SELECT count(*) FROM raw_events WHERE user_id IS NULL OR trim(user_id) IN ('N/A', '?', '-', ''))) AS agrees
UNION ALL
SELECT demo.check('quarantined: no user, "abc" as a duration, times of no calendar, negative orders, orders submitted twice',
	demo.planted('no_user', 'bad_duration', 'bad_time', 'negative', 'submitted_twice'),
	(SELECT count(*) FROM dmp.quarantine WHERE recipe = 'events'));
