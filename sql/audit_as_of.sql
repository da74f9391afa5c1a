-- dmp.as_of and dmp.undo against copies kept aside
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS dmp;
RESET client_min_messages;
SELECT setseed(0.5);

-- ---- a table as it was at each step of random statements equals its copy of then

CREATE TABLE audit_step (tab text, step int, at timestamptz, rows text[]);
-- the rows of a query as texts, sorted
CREATE FUNCTION audit_rows_of(query text) RETURNS text[] LANGUAGE plpgsql AS $$
DECLARE r text[];
BEGIN
	EXECUTE format('SELECT array_agg(q::text ORDER BY q::text COLLATE "C") FROM (%s) q', query) INTO r;
	RETURN coalesce(r, '{}');
END $$;
CREATE FUNCTION audit_statement(tab text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	a int := floor(random() * 12);
	b int := floor(random() * 12);
	v text := CASE WHEN random() < 0.2 THEN 'NULL' ELSE format('%L', repeat(md5(random()::text), (random() * 3)::int)) END;
BEGIN
	CASE floor(random() * 8)::int
		WHEN 0 THEN RETURN format('INSERT INTO %s (id, n, t, l) SELECT i, %s, %s, ARRAY[i, %s] FROM generate_series(%s, %s) i ON CONFLICT DO NOTHING', tab, b, v, b, a, a + 3);
		WHEN 1 THEN RETURN format('INSERT INTO %s (id, n, t) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING', tab, a, b, v);
		WHEN 2 THEN RETURN format('UPDATE %s SET n = n + 1, t = %s WHERE id BETWEEN %s AND %s', tab, v, a, a + 2);
		WHEN 3 THEN RETURN format('UPDATE %s SET l = NULL, x = x * 1.10 WHERE n %% 3 = %s', tab, b % 3);
		WHEN 4 THEN RETURN format('UPDATE %s SET id = id + 20 WHERE id = %s AND NOT EXISTS (SELECT FROM %1$s o WHERE o.id = %2$s + 20)', tab, a);
		WHEN 5 THEN RETURN format('DELETE FROM %s WHERE id = %s OR n = %s', tab, a, b);
		WHEN 6 THEN RETURN format('DELETE FROM %s WHERE random() < 0.2', tab);
		ELSE RETURN format('MERGE INTO %s m USING (SELECT g AS id FROM generate_series(%s, %s) g) s ON m.id = s.id
			WHEN MATCHED AND m.n %% 2 = 0 THEN DELETE WHEN MATCHED THEN UPDATE SET n = 0 WHEN NOT MATCHED AND s.id %% 2 = 0 THEN INSERT (id, n, t) VALUES (s.id, 7, %s)', tab, a, a + 4, v);
	END CASE;
END $$;
CREATE PROCEDURE audit_walk(tab text, steps int) LANGUAGE plpgsql AS $$
BEGIN
	FOR i IN 1 .. steps LOOP
		INSERT INTO audit_step VALUES (tab, i, clock_timestamp(), audit_rows_of('TABLE ' || tab));
		EXECUTE audit_statement(tab);
		-- some statements are taken back
		BEGIN
			EXECUTE audit_statement(tab);
			IF random() < 0.5 THEN
				RAISE EXCEPTION 'taken back';
			END IF;
		EXCEPTION WHEN raise_exception THEN NULL;
		END;
		IF random() < 0.3 THEN
			COMMIT;
		END IF;
	END LOOP;
END $$;

CREATE TABLE audit_key (gone int, id int PRIMARY KEY, n int, t text, x numeric DEFAULT 1.0, l int[], g int GENERATED ALWAYS AS (n * 2) STORED);
ALTER TABLE audit_key DROP COLUMN gone;
CREATE TABLE audit_none (id int, n int, t text, x numeric DEFAULT 1.0, l int[]);
CREATE TABLE audit_part (id int, n int, t text, x numeric DEFAULT 1.0, l int[], PRIMARY KEY (id)) PARTITION BY RANGE (id);
CREATE TABLE audit_part_1 (l int[], x numeric DEFAULT 1.0, gone int, t text, n int, id int NOT NULL);
ALTER TABLE audit_part_1 DROP COLUMN gone;
ALTER TABLE audit_part ATTACH PARTITION audit_part_1 FOR VALUES FROM (MINVALUE) TO (8);
CREATE TABLE audit_part_2 PARTITION OF audit_part DEFAULT;
SELECT count(dmp.audit(t::regclass)) FROM unnest('{audit_key,audit_none,audit_part}'::text[]) t;
CALL audit_walk('audit_key', 60);
CALL audit_walk('audit_none', 60);
CALL audit_walk('audit_part', 60);
SELECT tab, count(*) AS steps, count(*) FILTER (WHERE rows <> '{}') > 40 AS full, count(*) FILTER (WHERE audit_rows_of(format('SELECT * FROM dmp.as_of(NULL::%s, %L)', tab, at)) = rows) AS equal
FROM audit_step GROUP BY tab ORDER BY tab;
-- a partition is its parent within its bounds
SELECT count(*) FILTER (WHERE NOT audit_rows_of(format('SELECT id, n, t, x, l FROM dmp.as_of(NULL::audit_part_1, %L)', at))
	<@ audit_rows_of(format('SELECT id, n, t, x, l FROM dmp.as_of(NULL::audit_part, %L)', at))) AS strangers,
	sum(cardinality(audit_rows_of(format('SELECT * FROM dmp.as_of(NULL::audit_part_1, %L) UNION ALL SELECT l, x, t, n, id FROM dmp.as_of(NULL::audit_part_2, %1$L)', at))))
	= sum(cardinality(rows)) AS together
FROM audit_step WHERE tab = 'audit_part' AND step % 10 = 0;

-- ---- nested triggers: a statement is logged after what its row triggers did

CREATE TABLE audit_nest (id int PRIMARY KEY, a int, b int);
CREATE FUNCTION audit_nest_again() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	UPDATE audit_nest SET a = a + 100, b = b + 1 WHERE id = NEW.id AND a < 100;
	RETURN NULL;
END $$;
CREATE TRIGGER again AFTER INSERT OR UPDATE ON audit_nest FOR EACH ROW EXECUTE FUNCTION audit_nest_again();
SELECT dmp.audit('audit_nest');
INSERT INTO audit_nest VALUES (1, 1, 1);
SELECT clock_timestamp() AS t1 \gset
UPDATE audit_nest SET a = 2, b = 20;
SELECT clock_timestamp() AS t2 \gset
UPDATE audit_nest SET a = 3, b = 30;
TABLE audit_nest;
SELECT 1 AS at, * FROM dmp.as_of(NULL::audit_nest, :'t1') UNION ALL SELECT 2, * FROM dmp.as_of(NULL::audit_nest, :'t2') ORDER BY 1;

-- ---- columns that came, went, changed type, were hidden

CREATE TABLE audit_shape_t (id int PRIMARY KEY, n int, secret text, hidden text);
SELECT dmp.audit('audit_shape_t', exclude => '{secret}', redact => '{hidden}');
INSERT INTO audit_shape_t VALUES (1, 10, 's1', 'h1'), (2, 20, 's2', 'h2'), (3, 30, 's3', 'h3');
SELECT clock_timestamp() AS t1 \gset
UPDATE audit_shape_t SET hidden = 'h9' WHERE id = 2;
DELETE FROM audit_shape_t WHERE id = 3;
ALTER TABLE audit_shape_t ALTER n TYPE text USING 'n' || n, ADD COLUMN later int DEFAULT 7;
UPDATE audit_shape_t SET n = 'changed', later = 8 WHERE id = 1;
SELECT clock_timestamp() AS t2 \gset
ALTER TABLE audit_shape_t RENAME secret TO still_secret;
UPDATE audit_shape_t SET still_secret = 'x', later = 9;
SELECT * FROM dmp.as_of(NULL::audit_shape_t, :'t1') ORDER BY id;
SELECT * FROM dmp.as_of(NULL::audit_shape_t, :'t2') ORDER BY id;
SELECT count(*) FROM dmp.audit_log WHERE relation LIKE '%audit_shape_t' AND (new ? 'secret' OR new ? 'still_secret');

-- ---- what cannot be known is an error

\set VERBOSITY terse
SELECT * FROM dmp.as_of(NULL::audit_shape_t, '2020-01-01Z');
\set VERBOSITY default
SELECT * FROM dmp.as_of(NULL::audit_step, now());
SELECT * FROM dmp.as_of(1, now());
SELECT * FROM dmp.as_of(NULL::audit_nest, NULL);
SELECT set_config('audit.before', clock_timestamp()::text, false) IS NULL AS f;
TRUNCATE audit_nest;
SELECT count(*) FROM dmp.as_of(NULL::audit_nest, clock_timestamp());
DO $$ BEGIN
	PERFORM * FROM dmp.as_of(NULL::audit_nest, current_setting('audit.before')::timestamptz);
EXCEPTION WHEN OTHERS THEN
	RAISE NOTICE '%', regexp_replace(SQLERRM, ' at .*', '');
END $$;
SELECT dmp.audit('audit_nest', keep_truncated => true);
INSERT INTO audit_nest VALUES (5, 500, 1), (6, 600, 1);
SELECT clock_timestamp() AS t1 \gset
TRUNCATE audit_nest;
SELECT * FROM dmp.as_of(NULL::audit_nest, :'t1') ORDER BY id;

-- ---- rights of the caller

CREATE ROLE audit_reader;
GRANT SELECT ON audit_key TO audit_reader;
GRANT SELECT (id) ON audit_none TO audit_reader;
SET ROLE audit_reader;
SELECT count(*) >= 0 FROM dmp.as_of(NULL::audit_key, clock_timestamp());
SELECT count(*) FROM dmp.as_of(NULL::audit_none, clock_timestamp());
RESET ROLE;
ALTER TABLE audit_key ENABLE ROW LEVEL SECURITY;
SET ROLE audit_reader;
SELECT count(*) FROM dmp.as_of(NULL::audit_key, clock_timestamp());
RESET ROLE;
ALTER TABLE audit_key DISABLE ROW LEVEL SECURITY;

-- ---- undo: each random transaction, taken back, leaves what was there before

CREATE PROCEDURE audit_undo_walk(tab text, steps int, INOUT wrong int) LANGUAGE plpgsql AS $$
DECLARE
	before text[];
	xact xid8;
	statement text;
BEGIN
	wrong := 0;
	FOR i IN 1 .. steps LOOP
		COMMIT;
		before := audit_rows_of('TABLE ' || tab);
		xact := pg_current_xact_id();
		EXECUTE audit_statement(tab);
		EXECUTE audit_statement(tab);
		COMMIT;
		FOR statement IN SELECT sql FROM dmp.undo(xact) ORDER BY ordinal LOOP
			EXECUTE statement;
		END LOOP;
		IF before <> audit_rows_of('TABLE ' || tab) THEN
			wrong := wrong + 1;
		END IF;
		EXECUTE audit_statement(tab);
	END LOOP;
END $$;
CALL audit_undo_walk('audit_key', 30, 0);
CALL audit_undo_walk('audit_none', 30, 0);
CALL audit_undo_walk('audit_part', 30, 0);

-- the text, and a conflict
CREATE TABLE audit_undo_t (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, n numeric, p point, "a ""b""" text, g int GENERATED ALWAYS AS (id * 2) STORED);
SELECT dmp.audit('audit_undo_t');
BEGIN;
SELECT pg_current_xact_id() AS x \gset
INSERT INTO audit_undo_t (n, p, "a ""b""") VALUES (1.50, '(1,2)', 'it''s'), (NULL, NULL, NULL);
UPDATE audit_undo_t SET n = n + 1, "a ""b""" = 'new' WHERE id = 1;
DELETE FROM audit_undo_t WHERE id = 2;
COMMIT;
SELECT * FROM dmp.undo(:'x');
UPDATE audit_undo_t SET n = 99 WHERE id = 1;
SELECT sql FROM dmp.undo(:'x') WHERE ordinal IN (2, 4) ORDER BY ordinal \gexec
TABLE audit_undo_t;
-- nobody else learns of it
SET ROLE audit_reader;
SELECT count(*) FROM dmp.undo(:'x');
RESET ROLE;
SELECT count(*) FROM dmp.undo('3');
DROP OWNED BY audit_reader;
DROP ROLE audit_reader;
