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
		FOR t IN SELECT c.oid::regclass AS r, relkind,
				(SELECT quote_ident(attname) FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped AND attname NOT IN ('id', 'batch') ORDER BY attnum LIMIT 1) AS col
			FROM pg_class c WHERE relnamespace IN ('dmp'::regnamespace, 'dmp_internal'::regnamespace) AND relkind IN ('r', 'p', 'S', 'v', 'm')
		LOOP
			FOREACH s IN ARRAY CASE WHEN t.relkind = 'S' THEN ARRAY[format('SELECT nextval(%L)', t.r), format('SELECT setval(%L, 1)', t.r)] ELSE ARRAY[
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

done_testing();
