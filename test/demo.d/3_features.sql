\set ECHO none
\echo
\echo '--- Features of a user, as known strictly before a moment: no leak from the future.'
\echo
\set ECHO queries
CREATE INDEX ON events (user_id, click_time);

SELECT view_name, features FROM dmp.create_feature_set('users', 'events', entity => 'user_id', at => 'click_time',
    features => '{"clicks":    {"agg": "count", "windows": ["7d", "30d"]},
                  "checkouts": {"agg": "count", "where": "page = ''checkout''", "windows": ["30d"]},
                  "mobile":    {"agg": "count", "where": "device = ''mobile''", "windows": ["30d"]},
                  "orders":    {"agg": "count", "of": "purchase_id"},
                  "spend":     {"agg": "sum", "of": "order_value"},
                  "minutes":   {"agg": "avg", "of": "click_minutes"},
                  "country":   {"agg": "max", "of": "country"},
                  "recency":   {"agg": "recency"}}');

-- who bought in the 30 days from 1 April? known for every user seen before that day
SELECT rows, positives FROM dmp.labels('users', 'purchase_id IS NOT NULL', '30 days',
    ARRAY[timestamptz '2024-04-01 00:00Z'], into_table => 'labels');

SELECT rows, features FROM dmp.training_set('{users}', 'labels', into_table => 'training');

SELECT user_id, label, clicks_7d, clicks_30d, checkouts_30d, orders, spend, round(minutes::numeric, 2) AS minutes,
       country, round(recency::numeric, 1) AS recency
FROM training ORDER BY user_id LIMIT 5;
