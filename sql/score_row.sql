-- dmp.score_row: rows scored as they are written
CREATE TABLE scored (id int PRIMARY KEY, spend float8, land text, age int, score float8, class text, noted text);
CREATE TABLE scored_training AS SELECT i AS id, (i * 7919 % 1000) / 1000.0::float8 AS spend, (ARRAY['DE','FR','GB'])[1 + i * 31 % 3] AS land,
	CASE WHEN i % 11 = 0 THEN NULL ELSE (i * 13 % 50)::int END AS age, i * 31337 % 1009 / 1009.0 < 1 / (1 + exp(1.5 - 3 * (i * 7919 % 1000) / 1000.0)) AS buys
FROM generate_series(1, 1000) i;
SELECT status FROM dmp.train('scored_model', 'scored_training', 'buys', exclude => '{id}');
CREATE TRIGGER score BEFORE INSERT OR UPDATE ON scored FOR EACH ROW EXECUTE FUNCTION dmp.score_row('scored_model', 'score', 'class');
-- what is written is what dmp.predict says of the row: missing values, unseen levels, what the writer claims
INSERT INTO scored SELECT id, spend, CASE WHEN id % 7 = 0 THEN NULL WHEN id % 5 = 0 THEN 'nowhere' ELSE land END, age, 2, 'mine', 'n' FROM scored_training WHERE id <= 100;
UPDATE scored SET spend = NULL WHERE id % 10 = 1;
UPDATE scored SET spend = 'NaN', score = -1 WHERE id % 10 = 2;
INSERT INTO scored (id, spend) VALUES (1, 0.5) ON CONFLICT (id) DO UPDATE SET spend = excluded.spend;
SELECT count(*), count(*) FILTER (WHERE score = dmp.predict('scored_model', s) AND class = dmp.classify('scored_model', s)) AS agree, count(DISTINCT score) > 50 AS differ FROM scored s;
COPY scored (id, spend, land, age) FROM stdin;
1001	0.5	DE	30
1002	\N	\N	\N
\.
SELECT id, score = dmp.predict('scored_model', s) AS same FROM scored s WHERE id > 1000 ORDER BY id;
-- the champion at the time
SELECT status, version FROM dmp.train('scored_model', 'scored_training', 'buys', features => '{spend}');
INSERT INTO scored (id, spend) VALUES (2001, 0.25);
SELECT score = dmp.predict('scored_model@2', s) AS of_2, score = dmp.predict('scored_model@1', s) AS of_1 FROM scored s WHERE id = 2001;
SELECT version FROM dmp.rollback('scored_model');
UPDATE scored SET noted = 'again' WHERE id = 2001;
SELECT score = dmp.predict('scored_model@2', s) AS of_2, score = dmp.predict('scored_model@1', s) AS of_1 FROM scored s WHERE id = 2001;
-- partitions with other columns, other types of score, no class, a version; a dropped column
CREATE TABLE scored_parted (id int, gone text, spend float8, land varchar(2), age numeric, p4 real, pn numeric(4,3)) PARTITION BY RANGE (id);
CREATE TABLE scored_part (pn numeric(4,3), age numeric, land varchar(2), spend float8, p4 real, gone text, id int);
ALTER TABLE scored_parted ATTACH PARTITION scored_part FOR VALUES FROM (0) TO (50);
CREATE TABLE scored_rest PARTITION OF scored_parted DEFAULT;
ALTER TABLE scored_parted DROP gone;
CREATE TRIGGER a BEFORE INSERT OR UPDATE ON scored_parted FOR EACH ROW EXECUTE FUNCTION dmp.score_row('scored_model@1', 'p4');
CREATE TRIGGER b BEFORE INSERT OR UPDATE ON scored_parted FOR EACH ROW EXECUTE FUNCTION dmp.score_row('model:scored_model@latest', 'pn');
INSERT INTO scored_parted SELECT id, spend, land, age FROM scored_training WHERE id < 100;
UPDATE scored_parted SET id = id + 50 WHERE id < 20;
SELECT count(*), count(*) FILTER (WHERE p4 = dmp.predict('scored_model@1', s)::real) AS p4, count(*) FILTER (WHERE pn = dmp.predict('scored_model@2', s)::numeric(4,3)) AS pn FROM scored_parted s;
-- several classes
CREATE TABLE scored_classes (spend float8, age int, score float8, class text);
SELECT status FROM dmp.train('scored_lands', 'SELECT spend, age, land FROM scored_training', 'land', lambda => 0.01);
CREATE TRIGGER score BEFORE INSERT ON scored_classes FOR EACH ROW EXECUTE FUNCTION dmp.score_row('scored_lands', 'score', 'class');
INSERT INTO scored_classes SELECT spend, age FROM scored_training WHERE id < 30;
SELECT count(*), count(*) FILTER (WHERE class = dmp.classify('scored_lands', s) AND score = (dmp.class_probabilities('scored_lands', s) ->> class)::float8) AS agree FROM scored_classes s;

-- a number has a score, and no class
SELECT version FROM dmp.import_model('scored_number', '{"family": "poisson", "coefficients": {"spend": 0.5}}');
CREATE TABLE scored_numbers (spend float8, score float8, class text);
CREATE TRIGGER score BEFORE INSERT ON scored_numbers FOR EACH ROW EXECUTE FUNCTION dmp.score_row('scored_number', 'score');
INSERT INTO scored_numbers (spend) VALUES (4) RETURNING score = exp(2::float8) AS scored;
CREATE OR REPLACE TRIGGER score BEFORE INSERT ON scored_numbers FOR EACH ROW EXECUTE FUNCTION dmp.score_row('scored_number', 'score', 'class');
INSERT INTO scored_numbers (spend) VALUES (4);
DROP TABLE scored_numbers;
SELECT versions FROM dmp.drop_model('scored_number');
-- what it refuses, and where
CREATE TABLE scored_bad (id int, spend float8, land text, score float8, class varchar(3), twice float8 GENERATED ALWAYS AS (spend * 2) STORED);
CREATE TRIGGER score BEFORE INSERT ON scored_bad FOR EACH ROW EXECUTE FUNCTION dmp.score_row('scored_model', 'score');
INSERT INTO scored_bad (id) VALUES (1);
ALTER TABLE scored_bad ADD age text;
INSERT INTO scored_bad (id) VALUES (1);
CREATE OR REPLACE TRIGGER score BEFORE INSERT ON scored_bad FOR EACH ROW EXECUTE FUNCTION dmp.score_row('scored_modle', 'score');
INSERT INTO scored_bad (id) VALUES (1);
CREATE OR REPLACE TRIGGER score BEFORE INSERT ON scored_bad FOR EACH ROW EXECUTE FUNCTION dmp.score_row('scored_model@2', 'scores');
INSERT INTO scored_bad (id) VALUES (1);
CREATE OR REPLACE TRIGGER score BEFORE INSERT ON scored_bad FOR EACH ROW EXECUTE FUNCTION dmp.score_row('scored_model@2', 'spend');
INSERT INTO scored_bad (id) VALUES (1);
CREATE OR REPLACE TRIGGER score BEFORE INSERT ON scored_bad FOR EACH ROW EXECUTE FUNCTION dmp.score_row('scored_model@2', 'twice');
INSERT INTO scored_bad (id) VALUES (1);
CREATE OR REPLACE TRIGGER score BEFORE INSERT ON scored_bad FOR EACH ROW EXECUTE FUNCTION dmp.score_row('scored_model@2', 'id');
INSERT INTO scored_bad (id) VALUES (1);
CREATE OR REPLACE TRIGGER score BEFORE INSERT ON scored_bad FOR EACH ROW EXECUTE FUNCTION dmp.score_row('scored_model@2', 'score', 'class');
INSERT INTO scored_bad (id) VALUES (1);
CREATE OR REPLACE TRIGGER score BEFORE INSERT ON scored_bad FOR EACH ROW EXECUTE FUNCTION dmp.score_row('scored_model@2');
INSERT INTO scored_bad (id) VALUES (1);
CREATE OR REPLACE TRIGGER score AFTER INSERT ON scored_bad FOR EACH ROW EXECUTE FUNCTION dmp.score_row('scored_model@2', 'score');
INSERT INTO scored_bad (id) VALUES (1);
DROP TRIGGER score ON scored_bad;
SELECT status FROM dmp.train('scored_twice', 'SELECT spend * 2 AS twice, buys FROM scored_training', 'buys');
CREATE TRIGGER score BEFORE INSERT ON scored_bad FOR EACH ROW EXECUTE FUNCTION dmp.score_row('scored_twice', 'score');
INSERT INTO scored_bad (id) VALUES (1);
DROP TRIGGER score ON scored_bad;
CREATE TRIGGER score BEFORE DELETE ON scored_bad FOR EACH ROW EXECUTE FUNCTION dmp.score_row('scored_model@2', 'score');
INSERT INTO scored_bad (id) VALUES (1);
DELETE FROM scored_bad;
-- the writer needs the right to the model, and what he has no right to he does not get through the trigger
CREATE ROLE regress_dmp_scored;
GRANT SELECT, INSERT ON scored TO regress_dmp_scored;
SET ROLE regress_dmp_scored;
\set VERBOSITY terse
INSERT INTO scored (id, spend) VALUES (3001, 0.1);
RESET ROLE;
SELECT privilege FROM dmp.grant_model('scored_model', 'regress_dmp_scored');
SET ROLE regress_dmp_scored;
INSERT INTO scored (id, spend) VALUES (3001, 0.1) RETURNING score IS NOT NULL AS scored;
RESET ROLE;
\set VERBOSITY default
SELECT count(*) FROM unnest(ARRAY['scored_model', 'scored_lands', 'scored_twice']) m, dmp.drop_model(m);
INSERT INTO scored (id, spend) VALUES (3002, 0.1);
DROP TABLE scored, scored_training, scored_parted, scored_bad, scored_classes;
DROP ROLE regress_dmp_scored;
