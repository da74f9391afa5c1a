# Attacks on the audit log: code smuggled into what writes it, entries forged,
# changed, hidden or read by others, changes past the triggers, settings and
# values that would make an entry say something else or nothing.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Attack;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = target('attack_audit', "max_prepared_transactions = 4\n");

as_root(q{
	CREATE EXTENSION dmp;
	SELECT dmp.setup();
	CREATE ROLE ann LOGIN;
	CREATE ROLE mallory LOGIN;
	CREATE ROLE writer LOGIN IN ROLE pg_write_all_data;
	CREATE ROLE reader LOGIN IN ROLE pg_read_all_data;
	CREATE ROLE dba LOGIN CREATEROLE;
	ALTER DATABASE postgres OWNER TO dba;
	CREATE SCHEMA shop AUTHORIZATION ann;
	CREATE SCHEMA lair AUTHORIZATION mallory;
	GRANT USAGE ON SCHEMA shop, lair TO PUBLIC;
	GRANT TEMPORARY ON DATABASE postgres TO PUBLIC;
});
sub as_ann
{
	my ($sql) = @_;
	my ($status, $out, $err) = run_as('ann', $sql);
	die $err if $err =~ /ERROR/;
	return $out;
}
as_ann(q{
	CREATE TABLE shop.acct (id int PRIMARY KEY, holder text, amount numeric);
	GRANT SELECT (id), INSERT, UPDATE, DELETE ON shop.acct TO mallory;
	SELECT dmp.audit('shop.acct');
	INSERT INTO shop.acct VALUES (1, 'VICTIM one', 10), (2, 'VICTIM two', 20);
	UPDATE shop.acct SET amount = 11 WHERE id = 1;
});
is(as_root(q{SELECT string_agg(operation::text, '' ORDER BY entry) FROM dmp.audit_log}), 'GIIU', 'a log to attack');

# ------------------------------------------------------------ code in front

# Every function and operator of pg_catalog that somebody may make again, in a
# schema that comes before it: whoever calls one of them is HIJACKED.
sub hijack
{
	my (%how) = @_;
	my ($status, $out, $err) = run_as('mallory', q{
		DO $do$
		DECLARE r record;
		BEGIN
			FOR r IN SELECT p.oid, proname, pg_get_function_identity_arguments(p.oid) AS args, prorettype::regtype AS ret, proretset
				FROM pg_proc p WHERE pronamespace = 'pg_catalog'::regnamespace AND prokind = 'f' AND provariadic = 0 AND proargmodes IS NULL
				AND NOT (proargtypes::oid[] || prorettype) && ARRAY(SELECT oid FROM pg_type WHERE typtype = 'p')
			LOOP
				BEGIN
					EXECUTE format('CREATE FUNCTION lair.%I(%s) RETURNS %s%s LANGUAGE plpgsql AS ''BEGIN RAISE EXCEPTION ''''HIJACKED %s''''; END''',
						r.proname, r.args, CASE WHEN r.proretset THEN 'SETOF ' ELSE '' END, r.ret, r.oid::regprocedure);
				EXCEPTION WHEN OTHERS THEN NULL;
				END;
			END LOOP;
			FOR r IN SELECT o.oprname, o.oprleft::regtype AS l, o.oprright::regtype AS r, p.proname
				FROM pg_operator o JOIN pg_proc p ON p.oid = o.oprcode WHERE o.oprnamespace = 'pg_catalog'::regnamespace AND oprleft <> 0
			LOOP
				BEGIN
					EXECUTE format('CREATE OPERATOR lair.%s (LEFTARG = %s, RIGHTARG = %s, FUNCTION = lair.%I)', r.oprname, r.l, r.r, r.proname);
				EXCEPTION WHEN OTHERS THEN NULL;
				END;
			END LOOP;
		END $do$;
		CREATE TYPE lair.regclass AS (x int);
		CREATE TYPE lair.jsonb AS (x int);
		CREATE TYPE lair.name AS (x int);
		GRANT USAGE ON SCHEMA lair TO PUBLIC;
		SELECT count(*) > 1500 FROM pg_proc WHERE pronamespace = 'lair'::regnamespace;
		SELECT count(*) > 500 FROM pg_operator WHERE oprnamespace = 'lair'::regnamespace;
	}, %how);
	is($out, "t\nt", 'everything of pg_catalog has a twin') or diag($err);
	return;
}
hijack();
my $in_front = q{
	SET search_path = lair, pg_catalog, pg_temp;
	CREATE TEMP TABLE pg_class (x pg_catalog.int4); CREATE TEMP TABLE audit_chunk (x pg_catalog.int4); CREATE TEMP TABLE audited (relation pg_catalog.int4);
	CREATE TEMP TABLE audit_shape (x pg_catalog.int4); CREATE TEMP TABLE acct (x pg_catalog.int4); CREATE TEMP VIEW pg_proc AS SELECT 'x'::pg_catalog.text AS proname;
	SET search_path = pg_temp, lair, pg_catalog;
};
my ($status, $out, $err) = run_as('mallory', q{SET search_path = lair, pg_catalog; SELECT now()});
like($err, qr/HIJACKED/, 'the twins are what a careless function would call');
($out, $err) = attack('twins: a role that may only insert', 'mallory', $in_front . q{INSERT INTO shop.acct VALUES (3, 'three', 30); DELETE FROM shop.acct; UPDATE shop.acct SET amount = NULL; INSERT INTO shop.acct VALUES (1, 'VICTIM one', 10), (2, 'VICTIM two', 20)});
unlike($err, qr/HIJACKED/, 'twins: none of them ran');
is(as_root(q{SELECT string_agg(operation::text, '' ORDER BY entry) FROM dmp.audit_log WHERE session_role = 'mallory'}), 'IDDDII', 'twins: what she did is logged');
is(as_root(q{SELECT count(DISTINCT effective_role), min(effective_role) FROM dmp.audit_log WHERE session_role = 'mallory'}), '1|mallory', 'twins: as herself');
# everything else, called by whom it would hurt
my @careless = (
	q{SELECT FROM dmp.audit('shop.acct')}, q{SELECT FROM dmp.unaudit('shop.acct')}, q{SELECT FROM dmp.audit('shop.acct')},
	q{SELECT FROM dmp.audit_log}, q{SELECT FROM dmp.seal_audit()}, q{SELECT FROM dmp.context_grants}, q{SELECT FROM dmp.tags}, q{SELECT FROM dmp.consents},
	q{SELECT FROM dmp.verify_audit()}, q{SELECT FROM dmp.verify_audit(dmp.audit_digest())}, q{SELECT FROM dmp.audit_proof(1000)}, q{SELECT FROM dmp.audit_coverage()},
	q{SELECT FROM dmp.as_of(NULL::shop.acct, 'infinity'::pg_catalog.timestamptz)},
	q{SELECT FROM dmp.tag('shop.acct', 'holder', 'subject')}, q{SELECT FROM dmp.untag('shop.acct', 'holder', 'subject')}, q{SELECT FROM dmp.tag('shop.acct', 'holder', 'subject')},
	q{SELECT FROM dmp.record_consent('VICTIM one', 'ads', true)}, q{SELECT FROM dmp.find_personal_data('shop.acct')}, q{SELECT FROM dmp.find_personal_data()},
	q{SELECT FROM dmp.export_subject('VICTIM one')}, q{SELECT FROM dmp.erase_subject('VICTIM one')}, q{SELECT FROM dmp.hold_subject('VICTIM one', 'x')}, q{SELECT FROM dmp.subject_holds},
	q{SELECT FROM dmp.lint()}, q{SELECT FROM dmp.lineage('shop.acct')}, q{SELECT FROM dmp.privacy_spent}, q{SELECT dmp.pseudonym('a', 'b')}, q{SELECT dmp.token('4111111111111111', 'b')},
	q{SELECT FROM dmp.k_anonymity('SELECT holder, amount FROM shop.acct', '{holder}')},
	q{SELECT FROM dmp.set_privacy_budget('shop.acct', 'ann', 1.0)}, q{SELECT FROM dmp.dp_count('shop.acct', 0.1)}, q{SELECT FROM dmp.dp_sum('shop.acct', 'amount', 0.1, 0.0, 10.0)},
	q{SELECT FROM dmp.set_retention('shop.acct', 'amount', '1 year')}, q{SELECT FROM dmp.apply_retention()},
	q{SELECT FROM dmp.protect('shop.acct', tenant => 'holder', mask => '{"holder": "email"}', dry_run => true)}, q{SELECT FROM dmp.protect('shop.acct', tenant => 'holder', mask => '{"holder": "email"}')},
	q{SELECT FROM dmp.why_hidden('shop.acct')}, q{SELECT FROM shop.acct}, q{SELECT FROM shop.acct_masked}, q{SELECT FROM dmp.unprotect('shop.acct')},
	q{SELECT FROM dmp.grant_context('ann', '{a}', '{b}')}, q{SELECT dmp.set_context('{"tenant": "a"}')}, q{SELECT dmp.context()}, q{SELECT FROM dmp.revoke_context('ann')},
);
for my $who ('postgres', 'ann')
{
	($status, $out, $err) = run_as($who, $in_front . join(";\n", 'BEGIN', map({ "SAVEPOINT s; $_; ROLLBACK TO s" } @careless), 'ROLLBACK'));
	my @ran = $err =~ /(HIJACKED[^\n]*\n(?:.*CONTEXT.*\n|.*PL\/pgSQL.*\n|.*SQL .*\n)*)/g;
	is("@ran", '', "twins: nor when $who calls " . @careless . ' others');
	unlike($err, qr/server closed|PANIC|XX000/, "twins: nothing breaks for $who") or diag($err);
}

# ------------------------------------------------------------ others' entries

my $leak = q{CREATE OR REPLACE FUNCTION lair.leak(anyelement) RETURNS boolean LANGUAGE plpgsql COST 0.0000001 AS $$ BEGIN RAISE NOTICE 'leak %', $1; RETURN true; END $$;};
try_all('others\' entries', 'mallory',
	[ 'the view', 'SELECT * FROM dmp.audit_log', out => '' ],
	[ 'the tables', 'SELECT * FROM dmp_internal.audit_chunk; SELECT * FROM dmp_internal.audit_shape; SELECT * FROM dmp_internal.audited', out => '' ],
	[ 'a partition', q{SELECT * FROM dmp_internal.audit_chunk_2026_01; SELECT 'SELECT * FROM ' || inhrelid::regclass FROM pg_inherits WHERE inhparent = 'dmp_internal.audit_chunk'::regclass \gexec}, err => qr/permission denied for (table|view)/, out => '' ],
	[ 'a leaky function', "$leak SELECT * FROM dmp.audit_log WHERE lair.leak(new) AND lair.leak(relation); SELECT * FROM dmp_internal.audit_chunk WHERE lair.leak(body); SELECT * FROM dmp_internal.audit_shape WHERE lair.leak(columns)", out => '' ],
	[ 'a division', "SELECT * FROM dmp_internal.audit_chunk WHERE 1 / (length(body) - length(body)) = 1", err => '', out => '' ],
	[ 'rows removed', 'EXPLAIN (ANALYZE, COSTS off, TIMING off, SUMMARY off) SELECT FROM dmp_internal.audit_shape WHERE id > 1000', err => '' ],
	[ 'statistics', q{SELECT * FROM pg_stats WHERE schemaname = 'dmp_internal'; SELECT * FROM pg_stats_ext WHERE schemaname = 'dmp_internal'}, out => '' ],
	[ 'COPY', 'COPY dmp_internal.audit_chunk TO STDOUT; COPY (SELECT * FROM dmp.audit_log) TO STDOUT', out => '' ],
	[ 'a view of her own', 'CREATE VIEW lair.v AS SELECT * FROM dmp_internal.audit_chunk; CREATE MATERIALIZED VIEW lair.m AS SELECT * FROM dmp.audit_log; SELECT * FROM lair.v; SELECT * FROM lair.m', out => '' ],
	[ 'a child', 'CREATE TABLE lair.c () INHERITS (dmp_internal.audit_chunk); CREATE TABLE lair.p PARTITION OF dmp_internal.audit_chunk DEFAULT; ALTER TABLE dmp_internal.audit_chunk ATTACH PARTITION lair.p DEFAULT', err => qr/must be owner/ ],
	[ 'a foreign key to it', 'CREATE TABLE lair.f (x int REFERENCES dmp_internal.audit_shape)', err => qr/permission denied/ ],
	[ 'statistics of her own on it', 'CREATE STATISTICS lair.s ON id, shape FROM dmp_internal.audit_chunk; ANALYZE dmp_internal.audit_shape', err => qr/must be owner/ ],
	[ 'as_of', q{SELECT * FROM dmp.as_of(NULL::shop.acct, now())}, err => qr/ERROR/, out => '' ],
	[ 'undo', q{SELECT * FROM dmp.undo((SELECT transaction FROM dmp.audit_log LIMIT 1)); SELECT dmp.undo('3'::xid8)}, out => '' ],
	[ 'a proof', q{SELECT dmp.audit_proof(1000)}, ],
);
attack("others' entries: a member of pg_read_all_data", 'reader', q{SELECT * FROM dmp.audit_log; SELECT * FROM dmp_internal.audit_chunk; SELECT 'SELECT * FROM ' || inhrelid::regclass FROM pg_inherits WHERE inhparent = 'dmp_internal.audit_chunk'::regclass \gexec}, out => '');
attack("others' entries: the owner of the database", 'dba', q{SELECT * FROM dmp.audit_log; SELECT * FROM dmp_internal.audit_chunk; ALTER TABLE dmp_internal.audit_chunk DISABLE ROW LEVEL SECURITY; GRANT SELECT ON ALL TABLES IN SCHEMA dmp_internal TO dba; SELECT * FROM dmp_internal.audit_chunk}, err => qr/must be owner/, out => '');
# who owned it once
as_ann(q{CREATE TABLE shop.sold (v text); SELECT dmp.audit('shop.sold'); INSERT INTO shop.sold VALUES ('VICTIM of dropping'); DROP TABLE shop.sold});
attack("others' entries: a table made again under the name of a dropped one", 'mallory', q{SELECT 1; SELECT * FROM dmp.audit_log}, out => '1');
as_root(q{GRANT CREATE ON SCHEMA shop TO mallory});
attack("others' entries: and audited", 'mallory', q{CREATE TABLE shop.sold (v text); SELECT dmp.audit('shop.sold'); INSERT INTO shop.sold VALUES ('mine'); SELECT new FROM dmp.audit_log WHERE operation = 'I'; DROP TABLE shop.sold}, out => qr/^\{"v": "mine"\}$/m);
as_root(q{REVOKE CREATE ON SCHEMA shop FROM mallory});

# ------------------------------------------------------------ writing past the functions

# every table and sequence of the extension, by each role: what changed a row
as_root(q{
	CREATE FUNCTION public.writes(who name) RETURNS TABLE (attempt text) LANGUAGE plpgsql AS $$
	DECLARE
		t record;
		s text;
		n bigint;
	BEGIN
		FOR t IN SELECT c.oid::regclass AS r, relkind, CASE relkind WHEN 'S' THEN pg_sequence_last_value(c.oid) END AS last,
				(SELECT quote_ident(attname) FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped AND attname NOT IN ('id', 'batch') ORDER BY attnum LIMIT 1) AS col
			FROM pg_class c WHERE relnamespace IN ('dmp'::regnamespace, 'dmp_internal'::regnamespace) AND relkind IN ('r', 'p', 'S', 'v', 'm')
		LOOP
			FOREACH s IN ARRAY CASE WHEN t.relkind = 'S' THEN ARRAY[format('SELECT nextval(%L)', t.r), format('SELECT setval(%L, %s)', t.r, coalesce(t.last, 1))] ELSE ARRAY[
				format('UPDATE %s SET %s = %2$s', t.r, t.col), format('DELETE FROM %s', t.r), format('TRUNCATE %s', t.r), format('INSERT INTO %s OVERRIDING SYSTEM VALUE SELECT * FROM %1$s LIMIT 1', t.r),
				format('INSERT INTO %s DEFAULT VALUES', t.r), format('ALTER TABLE %s DISABLE TRIGGER ALL', t.r), format('ALTER TABLE %s DISABLE ROW LEVEL SECURITY', t.r),
				format('CREATE POLICY x ON %s USING (true)', t.r), format('CREATE RULE x AS ON INSERT TO %s DO INSTEAD NOTHING', t.r),
				format('CREATE TRIGGER x BEFORE INSERT ON %s FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()', t.r),
				format('ALTER TABLE %s OWNER TO %I', t.r, who), format('GRANT ALL ON %s TO %I', t.r, who), format('DROP TABLE %s', t.r), format('CREATE INDEX ON %s (%s)', t.r, t.col),
				format('LOCK TABLE %s IN SHARE UPDATE EXCLUSIVE MODE', t.r), format('SELECT FROM %s FOR UPDATE', t.r), format('SELECT FROM %s FOR KEY SHARE', t.r)] END
			LOOP
				BEGIN
					EXECUTE format('SET LOCAL ROLE %I', who);
					EXECUTE s;
					GET DIAGNOSTICS n = ROW_COUNT;
					RAISE EXCEPTION 'did % %', n, s;
				EXCEPTION WHEN insufficient_privilege OR wrong_object_type OR object_not_in_prerequisite_state OR dependent_objects_still_exist OR feature_not_supported THEN NULL;
				WHEN OTHERS THEN
					IF SQLERRM LIKE 'did %' AND (SQLERRM NOT LIKE 'did 0 %' OR s ~ '^(ALTER|DROP|TRUNCATE|CREATE|LOCK)') THEN
						attempt := s; RETURN NEXT;
					ELSIF SQLERRM NOT LIKE 'did %' AND SQLERRM !~ 'permission denied|violates row-level security|no partition of relation' THEN
						attempt := s || ': ' || SQLERRM; RETURN NEXT;
					END IF;
				END;
			END LOOP;
		END LOOP;
	END $$;
	SELECT dmp.record_consent('x', 'y', true);
	SELECT dmp.tag('shop.acct', 'holder', 'subject');
	SELECT count(*) FROM dmp.seal_audit();
});
# Quarantined records are mended by their owners, who see none but their own; sessions
# number their batches.
my $may = qr/^(?:UPDATE dmp\.quarantine|UPDATE dmp_internal\.quarantine|SELECT nextval)/;
for my $who ('mallory', 'ann', 'reader', 'dba')
{
	my @did = grep { !/$may/ } split /\n/, as_root("SELECT * FROM public.writes('$who') ORDER BY 1");
	is(join("\n", @did), '', "$who changes nothing of dmp's tables");
}
{
	my @did = split /\n/, as_root("SELECT * FROM public.writes('writer') ORDER BY 1");
	# row security stops no lock, and knows no sequences
	is(join("\n", grep { !/^SELECT (nextval|setval)|^LOCK|^SELECT .* FOR / && !/$may/ } @did), '', 'a member of pg_write_all_data changes no row of a table');
}
as_root('DROP FUNCTION public.writes');

# ------------------------------------------------------------ past the triggers

# each table is changed in a way of its own; what was done must be told, or logged
my %past = (
	disabled => [ q{ALTER TABLE shop.%t DISABLE TRIGGER ALL; UPDATE shop.%t SET v = 'x' WHERE id = 1}, qr/trigger dmp_audit_update is disabled/ ],
	meanwhile => [ q{ALTER TABLE shop.%t DISABLE TRIGGER dmp_audit_update; UPDATE shop.%t SET v = 'x' WHERE id = 1; ALTER TABLE shop.%t ENABLE ALWAYS TRIGGER dmp_audit_update}, qr/values changed in a way that is not in the log/ ],
	gone => [ q{DROP TRIGGER dmp_audit_delete ON shop.%t; DELETE FROM shop.%t WHERE id = 1}, qr/trigger dmp_audit_delete is not there/ ],
	enabled => [ q{ALTER TABLE shop.%t ENABLE TRIGGER dmp_audit_insert}, qr/trigger dmp_audit_insert is not ENABLE ALWAYS/ ],
	on_condition => [ q{DROP TRIGGER dmp_audit_insert ON shop.%t; CREATE TRIGGER dmp_audit_insert AFTER INSERT ON shop.%t REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT WHEN (false) EXECUTE FUNCTION dmp_internal.audit_rows('{}', '{}', 'false'); ALTER TABLE shop.%t ENABLE ALWAYS TRIGGER dmp_audit_insert}, qr/trigger dmp_audit_insert is not the one of dmp\.audit/ ],
	other => [ q{DROP TRIGGER dmp_audit_update ON shop.%t; CREATE FUNCTION shop.audit_rows() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'; CREATE TRIGGER dmp_audit_update AFTER UPDATE ON shop.%t FOR EACH STATEMENT EXECUTE FUNCTION shop.audit_rows(); ALTER TABLE shop.%t ENABLE ALWAYS TRIGGER dmp_audit_update}, qr/trigger dmp_audit_update is not the one of dmp\.audit/ ],
	swapped => [ q{DROP TRIGGER dmp_audit_update ON shop.%t; CREATE TRIGGER dmp_audit_update AFTER INSERT ON shop.%t REFERENCING NEW TABLE AS n FOR EACH STATEMENT EXECUTE FUNCTION dmp_internal.audit_rows('{}', '{}', 'false'); ALTER TABLE shop.%t ENABLE ALWAYS TRIGGER dmp_audit_update}, qr/trigger dmp_audit_update is not the one of dmp\.audit/ ],
	rewritten => [ q{ALTER TABLE shop.%t ALTER COLUMN v TYPE text USING upper(v)}, qr/values changed in a way that is not in the log|its columns changed/ ],
	retyped => [ q{ALTER TABLE shop.%t ALTER COLUMN v TYPE varchar USING 'x'}, qr/values changed in a way that is not in the log|its columns changed/ ],
	recolumned => [ q{ALTER TABLE shop.%t DROP COLUMN v; ALTER TABLE shop.%t ADD COLUMN v text DEFAULT 'x'}, qr/values changed in a way that is not in the log|its columns changed/ ],
	forgotten => [ q{SELECT dmp.unaudit('shop.%t'); DELETE FROM shop.%t; SELECT dmp.audit('shop.%t')}, qr/it has 0 rows, by the log 2|values changed/ ],
	excluded => [ q{SELECT dmp.audit('shop.%t', exclude => '{v}'); UPDATE shop.%t SET v = 'x'; SELECT dmp.audit('shop.%t')}, qr/its columns changed|values changed/ ],
	dropped => [ q{DROP TABLE shop.%t; CREATE TABLE shop.%t (id int PRIMARY KEY, v text)}, qr/dropped/ ],
	twin => [ q{ALTER TABLE shop.%t RENAME TO twin_old; CREATE TABLE shop.%t (id int PRIMARY KEY, v text); INSERT INTO shop.%t VALUES (1, 'x'); DROP TABLE shop.twin_old}, qr/dropped/ ],
);
for my $table (sort keys %past)
{
	as_ann("CREATE TABLE shop.$table (id int PRIMARY KEY, v text); INSERT INTO shop.$table VALUES (1, 'one'), (2, 'two'); SELECT dmp.audit('shop.$table')");
}
as_ann(q{
	CREATE TABLE shop.month (id int, v text) PARTITION BY RANGE (id); CREATE TABLE shop.month_1 PARTITION OF shop.month FOR VALUES FROM (0) TO (10);
	SELECT dmp.audit('shop.month'); INSERT INTO shop.month VALUES (1, 'one')});
my $gaps = q{SELECT relation || ': ' || reason FROM dmp.audit_coverage() WHERE relation !~ 'acct|sold' ORDER BY 1};
is(as_root($gaps), '', 'coverage: nothing to tell');
for my $table (sort keys %past)
{
	as_ann($past{$table}[0] =~ s/%t/$table/gr);
}
as_ann(q{CREATE TABLE shop.month_2 (id int, v text); INSERT INTO shop.month_2 VALUES (11, 'attached'); ALTER TABLE shop.month ATTACH PARTITION shop.month_2 FOR VALUES FROM (10) TO (20); INSERT INTO shop.month_2 VALUES (12, 'direct')});
my $told = as_root($gaps);
for my $table (sort keys %past)
{
	my ($line) = join ' ', $told =~ /^((?:shop\.)?(?:$table|twin_old): .*)$/mg;
	like($line, $past{$table}[1], "coverage: $table");
}
like($told, qr/month_2: the partition is not audited/, 'coverage: a partition attached later');
like($told, qr/^(?:shop\.)?month: /m, 'coverage: and rows that came with it');
is(as_root(q{SELECT count(*) FROM dmp.audit_log WHERE operation = 'G' AND new ->> 'act' = 'unaudit'}), '1', 'coverage: who ends an audit is in the log');
attack('coverage: of others', 'mallory', 'SELECT relation FROM dmp.audit_coverage()', out => 'shop.sold');

# not past them
as_root(q{GRANT SET ON PARAMETER session_replication_role TO mallory});
my $log_of = q{SELECT count(*) FROM dmp.audit_log WHERE session_role = 'mallory' AND operation = };
my $n = as_root("$log_of 'U'");
attack('replica mode', 'mallory', q{SET session_replication_role = replica; UPDATE shop.acct SET amount = 1; SET session_replication_role = local; UPDATE shop.acct SET amount = 2}, err => '');
is(as_root("$log_of 'U'") - $n, 4, 'replica mode: logged');
as_ann(q{GRANT SELECT ON shop.acct TO mallory});
$n = as_root("$log_of 'U'");
attack('other words for UPDATE', 'mallory', q{
	MERGE INTO shop.acct a USING (VALUES (1)) v (id) ON a.id = v.id WHEN MATCHED THEN UPDATE SET amount = 3;
	INSERT INTO shop.acct VALUES (1, 'x', 0) ON CONFLICT (id) DO UPDATE SET amount = 4;
	WITH u AS (UPDATE shop.acct SET amount = 5 WHERE id = 1 RETURNING *) SELECT count(*) FROM u;
	DO $$ BEGIN UPDATE shop.acct SET amount = 6 WHERE id = 1; END $$;
	PREPARE p AS UPDATE shop.acct SET amount = 7 WHERE id = 1; EXECUTE p;
	BEGIN; DECLARE c CURSOR FOR SELECT * FROM shop.acct WHERE id = 1 FOR UPDATE; MOVE c; UPDATE shop.acct SET amount = 8 WHERE CURRENT OF c; COMMIT;
	SET CONSTRAINTS ALL DEFERRED; UPDATE shop.acct SET amount = 9 WHERE id = 1; UPDATE shop.acct SET amount = 9 WHERE id = 1; UPDATE shop.acct SET amount = 10 WHERE false}, err => '');
is(as_root("$log_of 'U'") - $n, 7, 'other words for UPDATE: each is logged, and what changes nothing is not');
$n = as_root("$log_of 'I'");
attack('other words for INSERT', 'mallory', "COPY shop.acct FROM STDIN;\n50\tx\t1\n51\ty\t2\n\\.\nINSERT INTO shop.acct SELECT i, 'z', i FROM generate_series(60, 62) i");
is(as_root("$log_of 'I'") - $n, 5, 'other words for INSERT: logged');
attack('who acted is not hers to say', 'mallory', q~SET application_name = E'x\n"y"'; BEGIN; SELECT dmp.set_context('{"actor": "the king", "request": "\"}; --"}'); INSERT INTO shop.acct VALUES (70, 'k', 1); COMMIT~, err => '');
is(as_root(q{SELECT session_role, effective_role, actor, request FROM dmp.audit_log ORDER BY entry DESC LIMIT 1}), q~mallory|mallory|the king|"}; --~, 'who acted: the roles are the server\'s, the actor is what she said');
as_root(q{CREATE ROLE other; GRANT other TO mallory; GRANT INSERT ON shop.acct TO other; GRANT USAGE ON SCHEMA shop TO other});
attack('who acted: SET ROLE', 'mallory', q{SET ROLE other; INSERT INTO shop.acct VALUES (71, 'k', 1)}, err => '');
is(as_root(q{SELECT session_role, effective_role FROM dmp.audit_log ORDER BY entry DESC LIMIT 1}), 'mallory|other', 'who acted: both roles are there');
$n = as_root('SELECT count(*) FROM dmp.audit_log');
attack('two phases', 'mallory', q{BEGIN; INSERT INTO shop.acct VALUES (72, 'k', 1); PREPARE TRANSACTION 'x'}, err => '');
as_root('SELECT count(*) FROM dmp.seal_audit()');
attack('two phases', 'mallory', q{COMMIT PREPARED 'x'}, err => '');
as_root('SELECT count(*) FROM dmp.seal_audit()');
is(as_root('SELECT count(*) FROM dmp.audit_log') - $n, 1, 'two phases: logged');
is(as_root('SELECT status FROM dmp.verify_audit()'), 'ok', 'two phases: sealed behind what was sealed before');

# ------------------------------------------------------------ what an entry says

as_ann(q{
	CREATE TYPE shop.pair AS (at timestamptz, amount float8, bytes bytea); CREATE TYPE shop.mood AS ENUM ('good', 'bad'); CREATE DOMAIN shop.day AS date;
	CREATE TABLE shop.kinds (id int PRIMARY KEY, a timestamptz, b date, c interval, d float8, e float4, f bytea, g money, h xml, i shop.pair, j timestamptz[], k tstzrange, l shop.mood, m shop.day, n regclass, o timetz, p numeric, q jsonb, r inet, s point, t "char", u json, v timestamp, w float8[]);
	GRANT INSERT, DELETE ON shop.kinds TO mallory;
	SELECT dmp.audit('shop.kinds')});
my $row = q{'2024-03-10 12:34:56.789012Z'::timestamptz, '2024-02-29'::date, '1 mon -2 days 03:04:05.6'::interval, 0.1::float8 + 0.2, 0.1::float4, '\xdeadbeef00'::bytea, 12.5::numeric::money, '<a b="c"/>'::xml,
	ROW('2024-03-10 12:34:56Z', 0.1::float8 + 0.2, '\x00ff')::shop.pair, ARRAY['2024-03-10 00:00Z'::timestamptz], tstzrange('2024-03-10 00:00Z', NULL), 'good'::shop.mood, '2024-01-02'::shop.day, 'shop.acct'::regclass, '12:00+00'::timetz, 1.500, '{"a": 1.50}'::jsonb, '::1'::inet, point(0.1, 1e300), 'x'::"char", '{"a" :1}'::json, '2024-03-10 01:02:03'::timestamp, ARRAY[0.1 + 0.2, 'NaN']::float8[]};
my @settings = ('SELECT', q{SET TimeZone = 'Asia/Kathmandu'; SET DateStyle = 'German'; SET IntervalStyle = 'sql_standard'; SET bytea_output = 'escape'; SET extra_float_digits = -15; SET xmloption = content; SET xmlbinary = hex; SET search_path = ''; SET quote_all_identifiers = on; SET array_nulls = off; SET client_encoding = 'LATIN1'; SET standard_conforming_strings = off},
	q{SET TimeZone = 'America/St_Johns'; SET DateStyle = 'SQL, DMY'; SET IntervalStyle = 'iso_8601'; SET extra_float_digits = 0; SET xmloption = document; SET search_path = shop});
my $id = 0;
for my $setting (@settings)
{
	$id++;
	# written by values the server has, so that settings play no part in reading them
	as_ann("CREATE TABLE shop.template (LIKE shop.kinds); INSERT INTO shop.template VALUES (0, $row); GRANT SELECT ON shop.template TO mallory") if $id == 1;
	attack("settings $id", 'mallory', "$setting; INSERT INTO shop.kinds SELECT * FROM shop.template; DELETE FROM shop.kinds", err => '');
}
is(as_root(q{SELECT count(*), count(DISTINCT new), count(DISTINCT old) FROM dmp.audit_log WHERE relation = 'shop.kinds' AND operation IN ('I', 'D')}), '6|1|1', 'settings: entries say the same under all of them');
my @read;
for my $setting (@settings)
{
	push @read, (run_as('ann', "$setting; SELECT pg_catalog.md5(pg_catalog.string_agg(new::pg_catalog.text || row_key::pg_catalog.text, ',' ORDER BY entry)) FROM dmp.audit_log WHERE relation OPERATOR(pg_catalog.=) 'shop.kinds'"))[1];
	is((run_as('postgres', "$setting; SELECT status FROM dmp.verify_audit() WHERE status NOT IN ('ok', 'unsealed')"))[1], '', 'settings: the ledger verifies');
}
is("$read[0] $read[0]", "$read[1] $read[2]", 'settings: and they are read the same');
# values that would make the log unreadable
attack('values that hurt', 'mallory', q{
	INSERT INTO shop.kinds (id, a, b, d, e, p, v, c, h) VALUES (10, 'infinity', 'infinity', 'NaN', '-Infinity', 'NaN', '-infinity', '178000000 years', NULL), (11, '-infinity', '-infinity', 'Infinity', 'NaN', 'Infinity', 'infinity', '-178000000 years', NULL), (12, '294276-12-31', '5874897-12-31', 1e308, 1e-45, 1e1000, '4713-01-01 BC', NULL, NULL);
	INSERT INTO shop.acct VALUES (80, repeat('"\\', 1000000), 1), (81, E'\u2028\u200b\x7f\x01' || chr(1114111), 1e-1000), (82, '', NULL), (83, repeat('x', 50000000), 1)}, err => '');
is((run_as('ann', q{SELECT count(*), count(new), max(length(new::text)) > 50000000 FROM dmp.audit_log}))[1] =~ s/\d+\|\d+/ok/r, 'ok|t', 'values that hurt: the log is read');

# ------------------------------------------------------------ forged input

as_root(q{SELECT count(*) FROM dmp.seal_audit()});
my $digest = as_root('SELECT dmp.audit_digest()');
try_all('forged', 'mallory',
	[ 'digests', q{SELECT status FROM dmp.verify_audit('{"version": 1, "block": 1, "hash": "0000000000000000000000000000000000000000000000000000000000000000"}'); SELECT status FROM dmp.verify_audit('{"version": 1, "block": 1000000, "hash": "0000000000000000000000000000000000000000000000000000000000000000"}')}, out => "modified\nmissing" ],
	[ 'digests that are none', join(';', map { "SELECT status FROM dmp.verify_audit('$_')" } '{}', '[]', '1', '"x"', 'null', '[null]', '{"block": 1}', '{"block": -1, "hash": "00"}', '{"block": 1.5, "hash": "' . '0' x 64 . '"}', '{"block": 1e400, "hash": "' . '0' x 64 . '"}', '{"block": "1", "hash": "' . '0' x 64 . '"}', '{"version": 2, "block": 1, "hash": "' . '0' x 64 . '"}', '{"block": 1, "hash": "' . 'g' x 64 . '"}', '{"block": 1, "hash": [1]}', '[[[[[[]]]]]]', '{"x": 1}') ],
	[ 'entries', join(';', map { "SELECT dmp.audit_proof($_)" } '-1', '0', '9223372036854775807', 'NULL', '1000', '999999999') ],
	[ 'a proof of another\'s entry', q{SELECT dmp.audit_proof(entry) FROM generate_series(1000, 3000) entry}, err => qr/ERROR/, out => '' ],
	[ 'erasing entries', q{SELECT dmp_internal.erase_entries('{1000}')}, err => 'permission denied for function erase_entries' ],
	[ 'sealing', q{SELECT dmp.seal_audit()}, err => 'permission denied for function seal_audit' ],
);
like((run_as('ann', q{SELECT dmp.audit_proof(min(entry)) FROM dmp.audit_log WHERE new ->> 'holder' = 'VICTIM one'}))[1], qr/"root"|"header"|"path"/, 'a proof for the owner of the table');
# every function that takes bytes, json or texts of ours, thrown at by what is nearly right
as_root(q{
	CREATE FUNCTION public.throw(seed int, many int) RETURNS text LANGUAGE plpgsql AS $$
	DECLARE
		body bytea := (SELECT k.body FROM dmp_internal.audit_chunk k ORDER BY length(k.body) LIMIT 1 OFFSET 8);
		shape json := (SELECT columns FROM dmp_internal.audit_shape ORDER BY id DESC LIMIT 1);
		directory bytea := (SELECT c.directory FROM dmp_internal.audit_commitment c ORDER BY block LIMIT 1);
		b bytea; s text; d bytea; good int := 0; bad int := 0; odd text := '';
	BEGIN
		PERFORM setseed(seed / 1000.0);
		FOR i IN 1 .. many LOOP
			b := body; s := shape::text; d := directory;
			FOR j IN 0 .. (random() * 4)::int LOOP
				b := CASE (random() * 3)::int WHEN 0 THEN set_byte(b, (random() * (length(b) - 1))::int, (random() * 255)::int) WHEN 1 THEN substr(b, 1, 1 + (random() * length(b))::int) || b WHEN 2 THEN set_byte(b, 1 + (random() * 4)::int % 4, (random() * 255)::int) ELSE substr(b, 1, greatest(8, (random() * length(b))::int)) END;
				d := set_byte(d, (random() * (length(d) - 1))::int, (random() * 255)::int);
				s := overlay(s PLACING chr(32 + (random() * 94)::int) FROM 1 + (random() * length(s))::int FOR 1);
			END LOOP;
			FOR j IN 0 .. 3 LOOP
				BEGIN
					IF j = 0 THEN PERFORM dmp_internal.audit_image(b, (random() * 3)::int - 1, (ARRAY['I', 'U', 'D', 'T', 'G', 'x'])[1 + (random() * 5)::int]::"char", (random() * 9)::int, shape, (random() * 4)::int - 1);
					ELSIF j = 1 THEN PERFORM dmp_internal.audit_image(body, 0, 'U', (random() * 9)::int, s::json, 2);
					ELSIF j = 2 THEN PERFORM count(*) FROM dmp_internal.audit_directory(substr(d, 1, (random() * length(d))::int));
					ELSE PERFORM s::dmp_internal.owner, left(s, 50)::dmp_internal.relation, left(s, 50)::dmp_internal.column_id; END IF;
					good := good + 1;
				EXCEPTION WHEN OTHERS THEN
					bad := bad + 1;
					IF SQLSTATE LIKE 'XX%' AND SQLSTATE <> 'XX001' THEN odd := odd || SQLERRM || '; '; END IF;
				END;
			END LOOP;
		END LOOP;
		RETURN odd;
	END $$});
is(as_root('SELECT public.throw(1, 1500)'), '', 'forged bytes: refused or read, never an inner error');
is((run_as('mallory', q{SELECT public.throw(2, 1)}))[0] // 0, 0, 'forged bytes: nor for a role that may see none');
{
	# binary input of the types
	my $types = as_root(q{SELECT string_agg(oid::regtype::text, ' ') FROM pg_type WHERE typnamespace IN ('dmp'::regnamespace, 'dmp_internal'::regnamespace) AND typtype = 'b' AND typelem = 0 AND typcategory <> 'A'});
	my $file = $node->basedir . '/forged';
	srand 11;
	my $broke = 0;
	for my $type (split / /, $types)
	{
		my $sql = "CREATE TEMP TABLE x (v $type);\n";
		for my $i (1 .. 25)
		{
			my $bytes = join '', map { chr int rand 256 } 1 .. int rand 60;
			open my $f, '>:raw', "$file.$type.$i" or die $!;
			print $f "PGCOPY\n\377\r\n\0", pack('N N n N', 0, 0, 1, length $bytes), $bytes, pack('n', 65535);
			close $f;
			$sql .= "\\copy x FROM '$file.$type.$i' (FORMAT binary)\nSELECT count(v::text) FROM x; TRUNCATE x;\n";
		}
		my ($status, $out, $err) = run_as('mallory', $sql);
		$broke++, diag("$type: $err") if $err =~ /server closed|PANIC|XX000|cache lookup/;
	}
	is($broke, 0, "forged bytes: binary input of $types");
}

# ------------------------------------------------------------ called as they were not meant to be

# every function of dmp_internal and dmp, by a role with nothing, with NULLs and with plain values
{
	my $calls = as_root(q{
		SELECT string_agg(format('SELECT %s(%s)', p.oid::regproc, (SELECT string_agg(v, ', ' ORDER BY i) FROM (SELECT i, CASE t::regtype::text
			WHEN 'text' THEN '''x''::text' WHEN 'name' THEN '''mallory''::name' WHEN 'regclass' THEN '''shop.acct''::regclass' WHEN 'integer' THEN '-1' WHEN 'bigint' THEN '-1::bigint' WHEN 'boolean' THEN 'true' WHEN 'jsonb' THEN '''{"a": [1, "x", null]}''::jsonb'
			WHEN 'json' THEN '''{"a": [1, "x", null]}''::json' WHEN 'text[]' THEN '''{x,NULL}''::text[]' WHEN 'bytea' THEN '''\x0001ff''::bytea' WHEN 'numeric' THEN '''NaN''::numeric' WHEN 'double precision' THEN '''Infinity''::float8' WHEN 'interval' THEN '''-1 day''::interval'
			ELSE 'NULL::' || CASE WHEN t::regtype::text IN ('"any"', 'anyelement') THEN 'int' ELSE t::regtype::text END END AS v FROM unnest(proargtypes) WITH ORDINALITY u(t, i)) a)), E';\n')
		FROM pg_proc p WHERE pronamespace IN ('dmp'::regnamespace, 'dmp_internal'::regnamespace) AND prokind = 'f' AND provariadic = 0 AND NOT proargtypes::oid[] && '{internal,cstring}'::regtype[]::oid[]});
	my ($status, $out, $err) = run_as('mallory', "SET statement_timeout = '20s'; $calls");
	unlike($err, qr/server closed|PANIC|cache lookup|could not open relation with OID|unrecognized/, 'called by anybody with anything: nothing breaks') or diag(join "\n", grep { /server closed|PANIC|cache lookup|could not open|unrecog/ } split /\n/, $err);
	unlike("$out$err", qr/VICTIM/, 'called by anybody with anything: nothing is told');
	my @open = as_root(q{SELECT string_agg(p.oid::regprocedure::text, ' ') FROM pg_proc p WHERE pronamespace IN ('dmp'::regnamespace, 'dmp_internal'::regnamespace) AND prosecdef});
	is("@open", '', 'no function runs with rights of its owner');
}
try_all('trigger functions', 'mallory',
	[ 'on a table of hers, in all ways', q~CREATE TABLE lair.mine (x int PRIMARY KEY, v text); CREATE VIEW lair.seen AS SELECT * FROM lair.mine;
		DO $do$
		DECLARE f text; w text; n int := 0;
		BEGIN
			FOR f IN SELECT oid::regproc FROM pg_proc WHERE prorettype = 'trigger'::regtype AND pronamespace = 'dmp_internal'::regnamespace LOOP
				FOREACH w IN ARRAY ARRAY['BEFORE INSERT ON lair.mine FOR EACH ROW', 'AFTER INSERT ON lair.mine FOR EACH ROW', 'BEFORE INSERT ON lair.mine', 'AFTER INSERT ON lair.mine', 'AFTER INSERT ON lair.mine REFERENCING NEW TABLE AS n', 'AFTER UPDATE ON lair.mine REFERENCING NEW TABLE AS n', 'AFTER UPDATE ON lair.mine REFERENCING OLD TABLE AS n', 'AFTER DELETE ON lair.mine REFERENCING OLD TABLE AS n', 'BEFORE TRUNCATE ON lair.mine', 'AFTER TRUNCATE ON lair.mine', 'INSTEAD OF INSERT ON lair.seen FOR EACH ROW', 'AFTER INSERT OR UPDATE ON lair.mine'] LOOP
					BEGIN
						EXECUTE format('CREATE TRIGGER t %s EXECUTE FUNCTION %s(''{x'', ''{"}'', ''oops'', ''1'', ''shop.acct'')', w, f);
						BEGIN INSERT INTO lair.mine VALUES (1, 'a'); EXCEPTION WHEN OTHERS THEN IF SQLSTATE LIKE 'XX%' THEN RAISE WARNING '% %: %', f, w, SQLERRM; END IF; END;
						BEGIN UPDATE lair.mine SET v = 'b'; EXCEPTION WHEN OTHERS THEN IF SQLSTATE LIKE 'XX%' THEN RAISE WARNING '% %: %', f, w, SQLERRM; END IF; END;
						BEGIN DELETE FROM lair.mine; EXCEPTION WHEN OTHERS THEN IF SQLSTATE LIKE 'XX%' THEN RAISE WARNING '% %: %', f, w, SQLERRM; END IF; END;
						BEGIN INSERT INTO lair.seen VALUES (1, 'a'); EXCEPTION WHEN OTHERS THEN IF SQLSTATE LIKE 'XX%' THEN RAISE WARNING '% %: %', f, w, SQLERRM; END IF; END;
						BEGIN TRUNCATE lair.mine; EXCEPTION WHEN OTHERS THEN IF SQLSTATE LIKE 'XX%' THEN RAISE WARNING '% %: %', f, w, SQLERRM; END IF; END;
						RAISE EXCEPTION 'back';
					EXCEPTION WHEN OTHERS THEN n := n + 1; IF SQLSTATE LIKE 'XX%' THEN RAISE WARNING '% %: %', f, w, SQLERRM; END IF;
					END;
				END LOOP;
			END LOOP;
			RAISE NOTICE 'tried %', n > 20;
		END $do$~, err => qr/\A(?!.*WARNING).*tried t/s ],
	[ 'an entry about another\'s table', q{CREATE TRIGGER t AFTER INSERT ON lair.mine REFERENCING NEW TABLE AS n FOR EACH STATEMENT EXECUTE FUNCTION dmp_internal.audit_rows('{}', '{}', 'false'); INSERT INTO lair.mine VALUES (1, 'forged'); SELECT relation, new ->> 'v' FROM dmp.audit_log WHERE operation = 'I' AND new ->> 'v' = 'forged'}, out => 'lair.mine|forged' ],
	[ 'a trigger on another\'s table', q{CREATE TRIGGER t AFTER INSERT ON shop.acct FOR EACH STATEMENT EXECUTE FUNCTION dmp_internal.audit_rows()}, err => 'permission denied for table acct' ],
);

# ------------------------------------------------------------ denial

{
	my $s = session('mallory');
	ask($s, q{SELECT count(*) FROM (SELECT pg_advisory_lock(hashtextextended('y', hashtextextended('x', 0))), pg_advisory_lock_shared(0)) l});
	ask($s, 'BEGIN; CREATE TEMP TABLE held (x int); SELECT count(*) FROM dmp.audit_log; LOCK TABLE dmp_internal.audit_chunk IN ACCESS SHARE MODE');
	my $t = time;
	my ($status, $out, $err) = run_as('postgres', q{SET lock_timeout = '2s'; SELECT count(*) FROM dmp.seal_audit(); SELECT count(*) >= 0 FROM dmp.verify_audit(); SELECT dmp.audit('shop.acct'); SELECT count(*) >= 0 FROM dmp.audit_coverage(); SELECT dmp.record_consent('x', 'y', false)});
	is($err, '', 'denial: an open transaction that reads all and holds locks keeps nobody waiting') or diag($out);
	my $older = as_root(q{SELECT coalesce(sum(entries), 0) FROM dmp.seal_audit()});
	as_ann(q{UPDATE shop.acct SET amount = 77 WHERE id = 1});
	as_root('SELECT count(*) FROM dmp.seal_audit()');
	like(as_root(q{SELECT string_agg(status, ' ') FROM dmp.verify_audit()}), qr/unsealed/, 'denial: a transaction that never ends keeps what is newer unsealed, and dmp.verify_audit says so');
	leave($s);
	as_root('SELECT count(*) FROM dmp.seal_audit()');
	is(as_root(q{SELECT string_agg(status, ' ') FROM dmp.verify_audit()}), 'ok', 'denial: it is sealed when that one is gone');
}

# ------------------------------------------------------------ who was not careful

# a digest that was stored elsewhere, and a superuser who did all of it
is(as_root("SELECT string_agg(DISTINCT status, ' ') FROM dmp.verify_audit('$digest')"), 'ok', 'the digest of before all of it still holds');
as_root(q{UPDATE dmp_internal.audit_chunk SET body = set_byte(body, length(body) - 1, get_byte(body, length(body) - 1) # 1) WHERE id = (SELECT min(id) FROM dmp_internal.audit_chunk WHERE operation = 'I')});
like(as_root(q{SELECT string_agg(DISTINCT status, ' ' ORDER BY status) FROM dmp.verify_audit()}), qr/modified/, 'a superuser flips a bit: told');
as_root(q{UPDATE dmp_internal.audit_chunk SET body = set_byte(body, length(body) - 1, get_byte(body, length(body) - 1) # 1) WHERE id = (SELECT min(id) FROM dmp_internal.audit_chunk WHERE operation = 'I')});
as_root(q{UPDATE dmp_internal.audit_chunk SET actor = 'somebody else' WHERE id = (SELECT min(id) FROM dmp_internal.audit_chunk WHERE operation = 'I')});
like(as_root(q{SELECT string_agg(DISTINCT status, ' ' ORDER BY status) FROM dmp.verify_audit()}), qr/modified/, 'a superuser says who acted: told');
as_root(q{DELETE FROM dmp_internal.audit_chunk; DELETE FROM dmp_internal.audit_commitment; DELETE FROM dmp_internal.audit_block; DELETE FROM dmp_internal.audit_head});
is(as_root(q{SELECT string_agg(DISTINCT status, ' ') FROM dmp.verify_audit()}), 'ok', 'a superuser deletes all of it: not told without a digest');
like(as_root("SELECT string_agg(DISTINCT status, ' ') FROM dmp.verify_audit('$digest')"), qr/missing/, 'and told with one that was stored elsewhere');

done_testing();
