-- erasure over random graphs of foreign keys: what goes is what a plain loop over the keys says
SET client_min_messages = warning;
CREATE SCHEMA subject_graph;
SET search_path = subject_graph;
CREATE TABLE key_of (child text, parent text, columns text, not_null boolean, on_delete text);

-- n tables t1 ... tn below person, keys of one or two columns in any direction (cycles too), of any action
CREATE FUNCTION make(seed int, n int) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	k record;
	r int := 0;
BEGIN
	PERFORM setseed(seed / 100.0);
	TRUNCATE key_of;
	CREATE TABLE person (a int, b int, name text, PRIMARY KEY (a, b));
	INSERT INTO person SELECT i, i % 3, 'subject ' || i FROM generate_series(1, 12) i;
	PERFORM dmp.tag('person', 'name', 'subject');
	FOR i IN 1 .. n LOOP
		EXECUTE format('CREATE TABLE t%s (a int, b int, PRIMARY KEY (a, b))%s', i,
			CASE WHEN random() < 0.3 THEN ' PARTITION BY HASH (a)' ELSE '' END);
		IF (SELECT relkind FROM pg_class WHERE oid = ('t' || i)::regclass) = 'p' THEN
			EXECUTE format('CREATE TABLE t%1$s_0 PARTITION OF t%1$s FOR VALUES WITH (MODULUS 2, REMAINDER 0);
				CREATE TABLE t%1$s_1 PARTITION OF t%1$s FOR VALUES WITH (MODULUS 2, REMAINDER 1)', i);
		END IF;
		EXECUTE format('INSERT INTO t%s SELECT j, j %% 3 FROM generate_series(1, 30) j', i);
	END LOOP;
	FOR k IN SELECT i, CASE WHEN random() < 0.4 THEN 0 ELSE 1 + (random() * (n - 1))::int END AS up, random() < 0.4 AS not_null,
			(ARRAY['NO ACTION', 'RESTRICT', 'CASCADE', 'SET NULL'])[1 + (random() * 3)::int] AS action
		FROM generate_series(1, n) i, generate_series(1, 2) LOOP
		CONTINUE WHEN k.i = k.up;
		r := r + 1;
		INSERT INTO key_of VALUES ('t' || k.i, CASE k.up WHEN 0 THEN 'person' ELSE 't' || k.up END, r, k.not_null AND k.action <> 'SET NULL', k.action);
		EXECUTE format('ALTER TABLE t%1$s ADD x%2$s int, ADD y%2$s int', k.i, r);
		EXECUTE format('UPDATE t%1$s t SET x%2$s = p.a, y%2$s = p.b FROM (SELECT a, b, row_number() OVER (ORDER BY a, b) AS n FROM %3$s) p
			WHERE p.n = 1 + (t.a * 7 + %2$s * 5) %% (SELECT count(*) FROM %3$s) AND (%4$L OR (t.a + %2$s) %% 4 > 0)',
			k.i, r, CASE k.up WHEN 0 THEN 'person' ELSE 't' || k.up END, k.not_null AND k.action <> 'SET NULL');
		IF k.not_null AND k.action <> 'SET NULL' THEN
			EXECUTE format('ALTER TABLE t%1$s ALTER x%2$s SET NOT NULL, ALTER y%2$s SET NOT NULL', k.i, r);
		END IF;
		EXECUTE format('ALTER TABLE t%1$s ADD FOREIGN KEY (x%2$s, y%2$s) REFERENCES %3$s (a, b) ON DELETE %4$s', k.i, r,
			CASE k.up WHEN 0 THEN 'person' ELSE 't' || k.up END, k.action);
	END LOOP;
END $$;

-- the truth: rows that go, marked round by round; then what is left of all tables, references to what goes set NULL
CREATE FUNCTION expect(who text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
	k record;
	t text;
	sets text;
	n bigint;
	more bigint;
BEGIN
	CREATE TEMP TABLE gone (t text, a int, b int, PRIMARY KEY (t, a, b)) ON COMMIT DROP;
	INSERT INTO gone SELECT 'person', a, b FROM person WHERE name = who;
	LOOP
		more := 0;
		FOR k IN SELECT * FROM key_of WHERE on_delete <> 'SET NULL' LOOP
			EXECUTE format('INSERT INTO gone SELECT %L, c.a, c.b FROM %s c JOIN gone g ON g.t = %L AND (g.a, g.b) = (c.x%s, c.y%s) ON CONFLICT DO NOTHING',
				k.child, k.child, k.parent, k.columns, k.columns);
			GET DIAGNOSTICS n = ROW_COUNT;
			more := more + n;
		END LOOP;
		EXIT WHEN more = 0;
	END LOOP;
	FOR t IN SELECT 'person' UNION SELECT child FROM key_of UNION SELECT parent FROM key_of ORDER BY 1 LOOP
		SELECT coalesce(string_agg(format(', CASE WHEN EXISTS (SELECT FROM gone g WHERE g.t = %L AND (g.a, g.b) = (c.x%s, c.y%s)) THEN NULL ELSE c.x%s END',
			parent, columns, columns, columns), '' ORDER BY columns::int), '') INTO sets FROM key_of WHERE child = t;
		RETURN QUERY EXECUTE format('SELECT concat_ws('','', %L, c.a, c.b%s) FROM %s c WHERE NOT EXISTS (SELECT FROM gone g WHERE (g.t, g.a, g.b) = (%L, c.a, c.b))', t, sets, t, t);
	END LOOP;
	DROP TABLE gone;
END $$;
CREATE FUNCTION found() RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
	t text;
	columns text;
BEGIN
	FOR t IN SELECT 'person' UNION SELECT child FROM key_of UNION SELECT parent FROM key_of ORDER BY 1 LOOP
		SELECT coalesce(string_agg(', c.x' || k.columns, '' ORDER BY k.columns::int), '') INTO columns FROM key_of k WHERE child = t;
		RETURN QUERY EXECUTE format('SELECT concat_ws('','', %L, c.a, c.b%s) FROM %s c', t, columns, t);
	END LOOP;
END $$;
CREATE TABLE outcome (seed int, rows_before bigint, rows_gone bigint, exported bigint, wrong bigint, told bigint);
DO $$
DECLARE
	truth text[];
	before bigint;
	after bigint;
	told bigint;
	exported bigint;
	wrong bigint;
	t text;
BEGIN
	FOR seed IN 1 .. 12 LOOP
		PERFORM make(seed, 3 + seed % 6);
		SELECT count(*) INTO before FROM found();
		truth := ARRAY(SELECT expect('subject 5'));
		SELECT count(*) INTO exported FROM dmp.export_subject('subject 5') WHERE object LIKE 'subject_graph.%';
		SELECT sum(rows) INTO told FROM dmp.erase_subject('subject 5') WHERE action = 'delete' AND object LIKE 'subject_graph.%';
		PERFORM dmp.erase_subject('subject 5', false);
		SELECT count(*) INTO after FROM found();
		SELECT count(*) INTO wrong FROM ((SELECT found() EXCEPT ALL SELECT unnest(truth)) UNION ALL (SELECT unnest(truth) EXCEPT ALL SELECT found())) x;
		INSERT INTO outcome VALUES (seed, before, before - after, exported, wrong, told);
		FOR t IN SELECT 'person' UNION SELECT child FROM key_of UNION SELECT parent FROM key_of LOOP
			EXECUTE format('DROP TABLE %s CASCADE', t);
		END LOOP;
		FOR t IN SELECT relname FROM pg_class WHERE relnamespace = 'subject_graph'::regnamespace AND relname ~ '^t\d' AND relkind IN ('r', 'p') AND NOT relispartition LOOP
			EXECUTE format('DROP TABLE %s CASCADE', t);
		END LOOP;
	END LOOP;
END $$;
SELECT count(*) AS graphs, sum(wrong) AS wrong, count(*) FILTER (WHERE rows_gone = told) AS told, count(*) FILTER (WHERE rows_gone > 5) AS with_rows,
	count(*) FILTER (WHERE exported >= rows_gone) AS exported FROM outcome;
SELECT * FROM outcome WHERE wrong > 0 OR rows_gone <> told ORDER BY seed;
SET client_min_messages = error;
DROP SCHEMA subject_graph CASCADE;
