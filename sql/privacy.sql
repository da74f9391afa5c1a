-- differential privacy: budgets, questions, what they refuse. With epsilon 40 noise of
-- sensitivity 1 is not 0 once in 10^17 answers: then answers are exact.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS dmp;
RESET client_min_messages;
\set VERBOSITY terse
SET jit = off;
CREATE ROLE privacy_owner;
CREATE ROLE privacy_analyst;
CREATE ROLE privacy_group;
CREATE ROLE privacy_member IN ROLE privacy_group;
CREATE SCHEMA privacy_closed AUTHORIZATION privacy_owner;
GRANT EXECUTE ON FUNCTION dmp.set_privacy_budget(regclass, name, numeric, text, numeric) TO privacy_owner;
SET ROLE privacy_owner;
CREATE TABLE privacy_closed.visits AS
	SELECT i AS id, i % 50 AS user_id, (ARRAY['NL', 'DE', NULL])[1 + i % 3] AS country, i % 10 AS pages,
	       (i % 100)::float8 / 4 AS spend, date '2024-01-01' + i % 2 AS day, CASE WHEN i % 5 = 0 THEN 'NaN' WHEN i % 5 = 1 THEN NULL ELSE (i % 10)::numeric END AS score
	FROM generate_series(1, 1000) i;
INSERT INTO privacy_closed.visits VALUES (1001, NULL, 'NL', 5, 'Infinity', '2024-01-01', 1e300), (1002, 7, 'FR', 5, '-Infinity', '2024-01-01', -1e300);
-- a row is a person, said in the answer; the owner's right, EXECUTE, and a table
SELECT role, epsilon, spent, subject, delta FROM dmp.set_privacy_budget('privacy_closed.visits', 'privacy_analyst', 2000);
RESET ROLE;

SET SESSION AUTHORIZATION privacy_analyst;
-- no right to the table or its schema is needed, and none is gained
SELECT * FROM privacy_closed.visits;
SELECT oid AS visits FROM pg_class WHERE relname = 'visits' AND relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = 'privacy_closed') \gset
SELECT * FROM dmp.dp_count(:visits, 40);
SELECT value FROM dmp.dp_count(:visits, 40, '{"country": "NL"}');
SELECT value FROM dmp.dp_count(:visits, 40, '{"country": null, "pages": 3, "day": "2024-01-02", "spend": 0.75}');
SELECT value FROM dmp.dp_count(:visits, 40, '{}');
SELECT value FROM dmp.dp_count(:visits, 40, '{"spend": "Infinity"}');
SELECT value FROM dmp.dp_count(:visits, 40, '{"score": "NaN"}');
-- nothing there is a 0 too, blurred
SELECT value FROM dmp.dp_count(:visits, 40, '{"country": "XX"}');
SELECT key, value FROM dmp.dp_count(:visits, 40, by => 'country', keys => '{DE,XX,NULL,NL,DE}');
SELECT value BETWEEN -3e7 AND 3e7 AS blurred, value <> 1002 AS wrong, margin FROM dmp.dp_count(:visits, 0.000001);
-- groups by threshold: that of one row is not shown
SELECT key, value FROM dmp.dp_count(:visits, 40, by => 'country');
SELECT count(*) FROM dmp.dp_count(:visits, 0.1, by => 'id');
SELECT key, value FROM dmp.dp_count(:visits, 40, '{"country": "DE"}', by => 'day');
-- sums: cut to [low, high]; 1 / epsilon is 0.025, 40 / epsilon would be met once in 10^17
SELECT abs(value - (500 * 9 + 10)) <= 9 AS near, margin FROM dmp.dp_sum(:visits, 'pages', 40, 0, 9);
SELECT abs(value - 3308) <= 5 AS near FROM dmp.dp_sum(:visits, 'pages', 40, 2, 4);
SELECT abs(value - (12375 + 24.75 - 10)) <= 30 AS near, scale(value) <= 10 AS on_a_grid FROM dmp.dp_sum(:visits, 'spend', 40, -10, 24.75);
SELECT abs(value - (200 * (2 + 3 + 4 + 7 + 8 + 9) / 2 + 20 - 1)) <= 20 AS near FROM dmp.dp_sum(:visits, 'score', 40, -1, 20);
SELECT value = 0 OR abs(value) <= 20 AS near FROM dmp.dp_sum(:visits, 'score', 40, 0, 20, '{"country": "XX"}');
SELECT key, abs(value - truth) <= 20 AS near FROM dmp.dp_sum(:visits, 'pages', 40, 0, 9, by => 'country'), LATERAL (SELECT CASE key WHEN 'DE' THEN 1500 WHEN 'NL' THEN 1500 ELSE 1500 END AS truth) t;
SELECT abs(value - 4.501) < 0.05 AS near, margin < 0.1 AS tight FROM dmp.dp_avg(:visits, 'pages', 40, 0, 9);
SELECT value BETWEEN 0 AND 9 AS within, margin <= 9 AS honest FROM dmp.dp_avg(:visits, 'pages', 0.01, 0, 9, '{"country": "XX"}');
SELECT key, abs(value - 4.5) < 0.2 AS near FROM dmp.dp_avg(:visits, 'pages', 40, 0, 9, by => 'country', keys => '{NL,DE}');
-- bins: each value in one, what is outside in the first or last, NULL and NaN in none
SELECT key, bin, bin_from, bin_to, value FROM dmp.dp_histogram(:visits, 'pages', 40, 0, 9, bins => 3);
SELECT bin, bin_from, bin_to, value FROM dmp.dp_histogram(:visits, 'spend', 40, 5, 15, bins => 4);
SELECT sum(value) FROM dmp.dp_histogram(:visits, 'score', 40, 0, 1, bins => 2);
SELECT key, count(*), sum(value) FROM dmp.dp_histogram(:visits, 'pages', 40, 0, 9, by => 'country', keys => '{NL,XX}', bins => 2) GROUP BY 1 ORDER BY 1;
SELECT key, count(*), sum(value) BETWEEN 332 AND 336 AS total FROM dmp.dp_histogram(:visits, 'pages', 40, 0, 9, by => 'country', bins => 2) GROUP BY 1 ORDER BY 1;
SELECT relation = :visits::regclass AS visits, role, epsilon, spent, remaining FROM dmp.privacy_spent;

-- refused before it costs anything
SELECT * FROM dmp.dp_count(:visits, 0);
SELECT * FROM dmp.dp_count(:visits, -1);
SELECT * FROM dmp.dp_count(:visits, 'NaN');
SELECT * FROM dmp.dp_count(:visits, 'Infinity');
SELECT * FROM dmp.dp_count(:visits, 1e-7);
SELECT * FROM dmp.dp_count(:visits, 1001);
SELECT * FROM dmp.dp_count(:visits, 1, '{"pagez": 1}');
SELECT * FROM dmp.dp_count(:visits, 1, '{"pages": "x"}');
SELECT * FROM dmp.dp_count(:visits, 1, '{"pages": [1]}');
SELECT * FROM dmp.dp_count(:visits, 1, '[1]');
SELECT * FROM dmp.dp_count(:visits, 1, '{"pages = 1 OR true; --": 1}');
SELECT * FROM dmp.dp_count(:visits, 1, '{"ctid": "(0,1)"}');
SELECT * FROM dmp.dp_count(:visits, 1, by => 'nothing');
SELECT * FROM dmp.dp_count(:visits, 1, keys => '{a}');
SELECT * FROM dmp.dp_count(:visits, 1, by => 'pages', keys => '{a}');
SELECT * FROM dmp.dp_count(:visits, 1, rows_per_subject => 2);
SELECT * FROM dmp.dp_count(:visits, 1, rows_per_subject => 0);
SELECT * FROM dmp.dp_sum(:visits, 'country', 1, 0, 1);
SELECT * FROM dmp.dp_sum(:visits, 'pages', 1, 1, 1);
SELECT * FROM dmp.dp_sum(:visits, 'pages', 1, 'NaN', 1);
SELECT * FROM dmp.dp_sum(:visits, 'pages', 1, 0, 1e16);
SELECT * FROM dmp.dp_sum(:visits, 'pages', 0.000001, 0, 1);
SELECT * FROM dmp.dp_histogram(:visits, 'pages', 1, 0, 1, bins => 0);
SELECT * FROM dmp.dp_histogram(:visits, 'pages', 1, 0, 1, bins => 1001);
SELECT count(*) FROM dmp.dp_count(NULL, 1);
SELECT count(*) FROM dmp.dp_sum(:visits, NULL, 1, 0, 1);
SELECT * FROM dmp.dp_count(0::oid, 1);
SELECT * FROM dmp.dp_count('pg_views', 1);
SELECT * FROM dmp.dp_count('pg_class', 1);
SELECT remaining, spent FROM dmp.privacy_spent;
-- too much costs nothing and says what is left
SELECT * FROM dmp.dp_count(:visits, 1000);
\set VERBOSITY default
SELECT * FROM dmp.dp_count(:visits, 1000);
\set VERBOSITY terse
SELECT * FROM dmp.set_privacy_budget(:visits, 'privacy_analyst', 1000);
-- neither is the machinery open
SELECT setval('dmp_internal.privacy_budget_id_seq', 1);
UPDATE dmp_internal.privacy_budget SET epsilon = 0;
SELECT dmp_internal.dp_units('NaN'::float8, 0, 1, 1), dmp_internal.dp_units('1e400'::numeric, 0, 7, 1), dmp_internal.dp_units('-Infinity'::float8, -3, 7, 1e12);
RESET SESSION AUTHORIZATION;

-- persons by a column: at most so many rows of each, over all groups
SET ROLE privacy_owner;
CREATE TABLE privacy_closed.orders (user_id int, shop text, amount int) PARTITION BY RANGE (user_id);
CREATE TABLE privacy_closed.orders_low PARTITION OF privacy_closed.orders FOR VALUES FROM (0) TO (100);
CREATE TABLE privacy_closed.orders_high PARTITION OF privacy_closed.orders FOR VALUES FROM (100) TO (1000);
INSERT INTO privacy_closed.orders SELECT i % 200, 's' || i % 4, 10 FROM generate_series(0, 3999) i;
INSERT INTO privacy_closed.orders SELECT 1, 'whale', 1000000 FROM generate_series(1, 1000);
SELECT subject, epsilon FROM dmp.set_privacy_budget('privacy_closed.orders', 'privacy_group', 1000, 'user_id');
SELECT * FROM dmp.set_privacy_budget('privacy_closed.orders_low', 'privacy_group', 1000, 'user_id');
SELECT * FROM dmp.set_privacy_budget('privacy_closed.orders', 'privacy_analyst', 1000);
SELECT * FROM dmp.set_privacy_budget('privacy_closed.orders', 'privacy_analyst', 1000, 'shop');
SELECT * FROM dmp.set_privacy_budget('privacy_closed.orders', 'privacy_analyst', 1000, 'nobody');
SELECT * FROM dmp.set_privacy_budget('privacy_closed.orders', 'privacy_nobody', 1000, 'user_id');
SELECT * FROM dmp.set_privacy_budget('privacy_closed.orders', 'privacy_analyst', 1e7, 'user_id');
SELECT * FROM dmp.set_privacy_budget('privacy_closed.orders', 'privacy_analyst', 1, 'user_id', 0.5);
CREATE VIEW privacy_closed.another AS SELECT * FROM privacy_closed.orders;
SELECT * FROM dmp.set_privacy_budget('privacy_closed.another', 'privacy_analyst', 1000, 'user_id');
RESET ROLE;
SELECT oid AS orders FROM pg_class WHERE relname = 'orders' AND relnamespace = 'privacy_closed'::regnamespace \gset
SELECT oid AS low_part FROM pg_class WHERE relname = 'orders_low' AND relnamespace = 'privacy_closed'::regnamespace \gset
SELECT oid AS another FROM pg_class WHERE relname = 'another' AND relnamespace = 'privacy_closed'::regnamespace \gset
SET SESSION AUTHORIZATION privacy_member;
SELECT * FROM dmp.dp_count(:orders, 40);
SELECT value BETWEEN 999 AND 1001 AS five_each, margin, privacy_unit FROM dmp.dp_count(:orders, 80, rows_per_subject => 5);
-- whatever one buys, it counts once: all of it would be a billion
SELECT value <= 1000000 + 2000 + 100000 AS bounded FROM dmp.dp_sum(:orders, 'amount', 400, 0, 1000000);
SELECT key, value BETWEEN 0 AND 201 AS persons FROM dmp.dp_count(:orders, 40, by => 'shop', keys => '{s0,whale}');
-- another name of the rows is no second budget
SELECT * FROM dmp.dp_count(:low_part, 1);
SELECT * FROM dmp.dp_count(:another, 1);
SELECT * FROM dmp.dp_count(:visits, 1);
-- nor is a role of the session, nor the budget's own role
SELECT spent FROM dmp.privacy_spent;
SET ROLE privacy_group;
SELECT spent FROM dmp.privacy_spent;
SELECT value FROM dmp.dp_count(:orders, 40);
RESET ROLE;
SELECT spent FROM dmp.privacy_spent;
RESET SESSION AUTHORIZATION;
-- a superuser has budgets by membership only
SELECT * FROM dmp.dp_count(:orders, 1);

-- who comes under two budgets spends both
SELECT epsilon, spent FROM dmp.set_privacy_budget(:orders, 'privacy_member', 60, 'user_id');
SET SESSION AUTHORIZATION privacy_member;
SELECT value FROM dmp.dp_count(:orders, 40);
SELECT * FROM dmp.dp_count(:orders, 40);
SELECT role, epsilon, spent, remaining FROM dmp.privacy_spent ORDER BY 1;
RESET SESSION AUTHORIZATION;
-- more for the owner to give; what was spent stays spent, also when the budget is taken away
SELECT epsilon, spent FROM dmp.set_privacy_budget(:orders, 'privacy_member', 100, 'user_id');
SELECT epsilon, spent FROM dmp.set_privacy_budget(:orders, 'privacy_member', 0, 'user_id');
SET SESSION AUTHORIZATION privacy_member;
SELECT * FROM dmp.dp_count(:orders, 0.1);
-- rollback and savepoints give nothing back
RESET SESSION AUTHORIZATION;
SELECT epsilon, spent FROM dmp.set_privacy_budget(:orders, 'privacy_member', 200, 'user_id');
SET SESSION AUTHORIZATION privacy_member;
BEGIN;
SELECT value FROM dmp.dp_count(:orders, 40);
ROLLBACK;
BEGIN;
SAVEPOINT s;
SELECT value FROM dmp.dp_count(:orders, 40);
ROLLBACK TO s;
SELECT spent FROM dmp.privacy_spent WHERE role::text = 'privacy_member';
COMMIT;
SELECT spent FROM dmp.privacy_spent WHERE role::text = 'privacy_member';
SELECT * FROM dmp.dp_count(:orders, 81);
BEGIN READ ONLY;
SELECT * FROM dmp.dp_count(:orders, 1);
ROLLBACK;
RESET SESSION AUTHORIZATION;
-- nor does a budget set in the same transaction
BEGIN;
SELECT epsilon FROM dmp.set_privacy_budget(:orders, 'privacy_member', 300, 'user_id');
SET SESSION AUTHORIZATION privacy_member;
SELECT * FROM dmp.dp_count(:orders, 1);
ROLLBACK;

-- what is asked is in the audit log
SELECT operation, relation, session_role, new FROM dmp.audit_log WHERE relation = 'privacy_closed.orders' AND operation = 'B' ORDER BY entry LIMIT 2;
-- policies that bind the owner count
ALTER TABLE privacy_closed.visits ENABLE ROW LEVEL SECURITY;
ALTER TABLE privacy_closed.visits FORCE ROW LEVEL SECURITY;
CREATE POLICY ten ON privacy_closed.visits USING (id <= 10);
SET SESSION AUTHORIZATION privacy_analyst;
SET row_security = off;
SELECT value FROM dmp.dp_count(:visits, 40);
RESET row_security;
RESET SESSION AUTHORIZATION;

-- the noise: whole numbers, not those of random()
SELECT setseed(0.5), dmp.dp_noise(0.000001, 1000000000000) AS first \gset
SELECT setseed(0.5), dmp.dp_noise(0.000001, 1000000000000) <> :first AS differs, scale(:first) AS whole;
SELECT dmp.dp_error(1), dmp.dp_error(0.1), dmp.dp_error(0.1, 100), dmp.dp_error(0.1, confidence => 0.999), round(dmp.dp_error(1, 0.5)::numeric, 6);
SELECT dmp.dp_noise(0);
SELECT dmp.dp_noise(1, 0);
SELECT dmp.dp_error(1, 'NaN');
SELECT dmp.dp_error(1, 1, 1);
SELECT dmp.dp_noise(NULL) IS NULL AND dmp.dp_error(NULL) IS NULL AS nulls;

DROP SCHEMA privacy_closed CASCADE;
REVOKE EXECUTE ON FUNCTION dmp.set_privacy_budget(regclass, name, numeric, text, numeric) FROM privacy_owner;
DROP ROLE privacy_owner, privacy_analyst, privacy_member, privacy_group;
