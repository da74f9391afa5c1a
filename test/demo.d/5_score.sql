\set ECHO none
\echo
\echo '--- A score for every user, in a plain table that a BI tool reads.'
\echo
\set ECHO queries
CREATE SCHEMA bi;

SELECT rows, rows_missing, rows_unseen_level, model, version
FROM dmp.score('buyers', $$ SELECT * FROM feature.users_at('2024-05-01 00:00Z') $$, into_table => 'bi.scores', key => '{user_id}');

SELECT user_id, round(score::numeric, 3) AS score, class, model, version FROM bi.scores ORDER BY score DESC, user_id LIMIT 5;

-- what a dashboard asks: how many users in each band of the score
SELECT width_bucket(score, 0, 1, 10) * 10 || ' %' AS up_to, count(*) AS users, round(avg(score)::numeric, 3) AS mean_score
FROM bi.scores GROUP BY width_bucket(score, 0, 1, 10) ORDER BY width_bucket(score, 0, 1, 10);
