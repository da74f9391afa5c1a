# Attacks on who sees what: forged contexts, rows of other tenants and of people
# who did not consent, columns behind a mask. Mallory may claim tenant "evil" for
# purpose "support" and nothing else; rows of others say VICTIM in some column.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Attack;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = target('attack_access', "max_prepared_transactions = 4\nwal_level = logical\n");

as_root(q{
	CREATE EXTENSION dmp;
	SELECT dmp.setup();
	CREATE ROLE ann LOGIN;
	CREATE ROLE desk;
	CREATE ROLE mallory LOGIN;
	CREATE ROLE trent LOGIN;
	CREATE ROLE pool LOGIN NOINHERIT IN ROLE mallory, trent;
	CREATE SCHEMA shop AUTHORIZATION ann;
	CREATE SCHEMA lair AUTHORIZATION mallory;
	GRANT USAGE ON SCHEMA shop TO PUBLIC;
	GRANT USAGE ON SCHEMA lair TO PUBLIC;
	GRANT CREATE, TEMPORARY ON DATABASE postgres TO mallory;
	SELECT dmp.grant_context('mallory', '{evil}', '{support}');
	SELECT dmp.grant_context('trent', '{victim}', '{support,marketing}');
});

# in a transaction that claims what mallory may claim
sub as_evil
{
	my ($sql) = @_;
	return qq{BEGIN;\nDO \$do\$ BEGIN PERFORM dmp.set_context('{"tenant": "evil", "purpose": "support", "actor": "mallory"}'); END \$do\$;\n$sql;\nCOMMIT;};
}

# ------------------------------------------------------------ forged contexts

my $victim = q{{"tenant": "victim", "purpose": "support"}};
my $no_setting = qr/parameter "dmp.context" cannot be set|permission denied to set parameter "dmp.context"/;

try_all('context', 'mallory',
	[ 'SET', "SELECT dmp.version() > ''; SET dmp.context = '$victim'; SELECT dmp.context() IS NULL", err => $no_setting, out => "t\nt" ],
	[ 'SET LOCAL', "BEGIN; SELECT dmp.context(); SET LOCAL dmp.context = '$victim'; ROLLBACK; SELECT dmp.context() IS NULL", err => $no_setting, out => qr/t$/ ],
	[ 'SET before the library is there', "SET dmp.context = '$victim'; SELECT dmp.context() IS NULL", out => 't' ],
	[ 'SET LOCAL before the library is there', "BEGIN; SET LOCAL dmp.context = '$victim'; SELECT dmp.context() IS NULL; COMMIT; SELECT dmp.context() IS NULL", out => "t\nt" ],
	[ 'set_config before the library is there', "SELECT length(set_config('dmp.context', '$victim', false)); SELECT dmp.context() IS NULL", out => qr/^t$/m ],
	[ 'set_config', "SELECT dmp.context(); SELECT set_config('dmp.context', '$victim', false); SELECT set_config('dmp.context', '$victim', true); SELECT dmp.context() IS NULL", err => $no_setting, out => qr/^t$/m ],
	[ 'capitals', "SELECT dmp.context(); SET DMP.Context = '$victim'; SELECT dmp.context() IS NULL", err => $no_setting, out => qr/^t$/m ],
	[ 'pg_settings', "SELECT dmp.context(); UPDATE pg_settings SET setting = '$victim' WHERE name = 'dmp.context'; SELECT dmp.context() IS NULL", out => qr/^t$/m ],
	[ 'ALTER ROLE of herself before the library is there', "ALTER ROLE mallory SET dmp.context = '$victim'", err => qr/permission denied/ ],
	[ 'ALTER ROLE of herself', "SELECT dmp.context(); ALTER ROLE mallory SET dmp.context = '$victim'", err => $no_setting ],
	[ 'function with a setting, made before the library is there',
		"CREATE FUNCTION lair.early() RETURNS jsonb LANGUAGE sql SET dmp.context = '$victim' AS 'SELECT dmp.context()'; SELECT lair.early()", err => qr/permission denied|cannot be set|does not exist/ ],
	[ 'function with a setting', "SELECT dmp.context(); CREATE FUNCTION lair.late() RETURNS jsonb LANGUAGE sql SET dmp.context = '$victim' AS 'SELECT dmp.context()'", err => $no_setting ],
	[ 'a setting of a function FROM CURRENT',
		as_evil('CREATE FUNCTION lair.kept() RETURNS jsonb LANGUAGE sql SET dmp.context FROM CURRENT AS $$ SELECT dmp.context() $$') . 'SELECT lair.kept()', err => qr/ERROR/ ],
);
attack('context: PGOPTIONS', 'mallory', 'SELECT dmp.context() IS NULL', options => '-c dmp.context={\"tenant\":\"victim\"}', out => 't');

# put there by who may
as_root(qq{ALTER ROLE mallory SET dmp.context = '$victim'; ALTER DATABASE postgres SET dmp.context = '$victim'});
attack('context: settings of role and database', 'mallory', 'SELECT dmp.context() IS NULL', out => 't');
attack('context: settings of the database, other role', 'trent', 'SELECT dmp.context() IS NULL', out => 't');
as_root(q{ALTER ROLE mallory RESET dmp.context; ALTER DATABASE postgres RESET dmp.context; GRANT SET ON PARAMETER dmp.context TO mallory});
attack('context: the right to the parameter', 'mallory', "SET dmp.context = '$victim'; SELECT dmp.context() IS NULL; SET dmp.context = '$victim'; SELECT dmp.context() IS NULL",
	err => 'parameter "dmp.context" cannot be set', out => "t\nt");
attack('context: the right to the parameter, PGOPTIONS', 'mallory', 'SELECT dmp.context() IS NULL', options => '-c dmp.context={\"tenant\":\"victim\"}', out => 't');
attack('context: the right to the parameter, a function made early', 'mallory',
	"CREATE FUNCTION lair.early() RETURNS jsonb LANGUAGE sql SET dmp.context = '$victim' AS 'SELECT dmp.context()'; SELECT lair.early() IS NULL; SELECT lair.early() IS NULL", err => qr/cannot be set/, out => qr/^(t\n?)*$/);
attack('context: the right to the parameter, her role', 'mallory', "ALTER ROLE mallory SET dmp.context = '$victim'");
attack('context: the right to the parameter, her role, next session', 'mallory', 'SELECT dmp.context() IS NULL', out => 't');
as_root(q{ALTER ROLE mallory RESET dmp.context; REVOKE SET ON PARAMETER dmp.context FROM mallory});

# documents
my $claims = q{SELECT dmp.context() ->> 'tenant', dmp.context() ->> 'purpose'};
for my $document (
	[ 'another tenant', q{'{"tenant": "victim", "purpose": "support"}'}, qr/may not claim tenant "victim"/ ],
	[ 'another purpose', q{'{"tenant": "evil", "purpose": "marketing"}'}, qr/may not claim purpose "marketing"/ ],
	[ 'a key twice', q{'{"tenant": "evil", "tenant": "victim"}'}, qr/may not claim tenant "victim"/ ],
	[ 'escapes', q{'{"ten\u0061nt": "\u0076ictim"}'}, qr/may not claim tenant "victim"/ ],
	[ 'an unknown key', q{'{"tenant": "evil", "roles": "10/10"}'}, qr/roles/ ],
	[ 'capitals', q{'{"Tenant": "victim"}'}, qr/Tenant/ ],
	[ 'an array', q{'{"tenant": ["evil", "victim"]}'}, qr/one value, not an array/ ],
	[ 'an object', q{'{"tenant": {"tenant": "victim"}}'}, qr/must be a string/ ],
	[ 'any', q{'{"tenant": "*"}'}, qr/may not claim tenant/ ],
	[ 'a pattern', q{'{"tenant": "%"}'}, qr/may not claim tenant/ ],
	[ 'nothing', q{'{"tenant": ""}'}, qr/may not claim tenant ""/ ],
	[ 'a space behind', q{'{"tenant": "victim "}'}, qr/may not claim tenant/ ],
	[ 'a null byte', q{'{"tenant": "evil\u0000victim"}'}, qr/\\u0000|null/ ],
	[ 'a wide one', q{'{"tenant": "ｖictim"}'}, qr/may not claim tenant/ ],
	[ 'a megabyte', q{jsonb_build_object('tenant', repeat('x', 1000000))}, qr/may not claim tenant/ ],
	[ 'SQL', q{jsonb_build_object('tenant', 'evil'' OR true; --')}, qr/may not claim tenant/ ],
	[ 'deep', q{(repeat('{"tenant":', 5000) || '1' || repeat('}', 5000))::jsonb}, qr/must be a string|deep/ ],
	[ 'an array of all', q{'[{"tenant": "victim"}]'}, qr/ERROR/ ],
	[ 'json null', q{'null'}, undef ],
	[ 'infinity', q{'{"tenant": 1e1000}'}, qr/may not claim tenant/ ],
  )
{
	my ($name, $json, $err) = @$document;
	attack("context: $name", 'mallory', "BEGIN; SELECT dmp.set_context($json); ROLLBACK; BEGIN; SELECT dmp.context() IS NULL", defined $err ? (err => $err) : (), out => qr/^t$/m);
}
attack('context: claims inside of an actor', 'mallory',
	q~BEGIN; SELECT dmp.set_context(jsonb_build_object('actor', E'x", "tenant": "victim", "roles": "0/0', 'request', E'\\", "tenant": "victim"}\n\t\x01', 'tenant', 'evil'));~ . $claims, out => qr/^evil\|$/m);
attack('context: an actor of a megabyte is kept as it is', 'mallory',
	q{BEGIN; SELECT dmp.set_context(jsonb_build_object('actor', repeat('"\\', 500000), 'tenant', 'evil')); SELECT length(dmp.context() ->> 'actor'), dmp.context() ->> 'tenant'}, out => qr/^1000000\|evil$/m);

# when it ends
try_all('context', 'mallory',
	[ 'the next of a pool', as_evil('SELECT 1') . 'SELECT dmp.context() IS NULL; BEGIN; SELECT dmp.context() IS NULL; COMMIT', out => "1\nt\nt" ],
	[ 'savepoint rolled back', q{BEGIN; SAVEPOINT a; SELECT dmp.set_context('{"tenant": "evil"}'); ROLLBACK TO a; SELECT dmp.context() IS NULL}, out => qr/t$/ ],
	[ 'error in a block', q{BEGIN; DO $$ BEGIN PERFORM dmp.set_context('{"tenant": "evil"}'); PERFORM 1 / 0; EXCEPTION WHEN OTHERS THEN NULL; END $$; SELECT dmp.context() IS NULL}, out => 't' ],
	[ 'refused claim after a granted one', q{BEGIN; DO $$ BEGIN PERFORM dmp.set_context('{"tenant": "evil"}'); BEGIN PERFORM dmp.set_context('{"tenant": "victim"}'); EXCEPTION WHEN OTHERS THEN NULL; END; END $$; } . $claims, out => 'evil|' ],
	[ 'COMMIT in a procedure', q{CREATE PROCEDURE lair.p() LANGUAGE plpgsql AS $$ BEGIN PERFORM dmp.set_context('{"tenant": "evil"}'); COMMIT; RAISE NOTICE 'now %', dmp.context(); END $$; CALL lair.p()}, err => qr/now <NULL>/ ],
	[ 'two phases', as_evil(q{PREPARE TRANSACTION 'x'}) . q{SELECT dmp.context() IS NULL; ROLLBACK PREPARED 'x'; SELECT dmp.context() IS NULL}, out => qr/^t\nt$/m ],
	[ 'DISCARD', as_evil('SELECT 1') . 'DISCARD ALL; SELECT dmp.context() IS NULL', out => qr/t$/ ],
	[ 'statement of autocommit', q{SELECT dmp.set_context('{"tenant": "evil"}'); SELECT dmp.context() IS NULL}, err => qr/for this statement only/, out => qr/t$/ ],
);

# other roles
as_root(q{
	CREATE FUNCTION shop.as_trent(text) RETURNS text LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN PERFORM dmp.set_context($1::jsonb); RETURN dmp.context()::text; END $$;
	ALTER FUNCTION shop.as_trent(text) OWNER TO trent;
	CREATE FUNCTION shop.as_root(text) RETURNS text LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN PERFORM dmp.set_context($1::jsonb); RETURN dmp.context()::text; END $$;
});
attack('context: definer function of who may', 'mallory', "BEGIN; SELECT shop.as_trent('$victim'); ROLLBACK; SELECT dmp.context() IS NULL", err => qr/role "mallory" may not claim/, out => 't');
attack('context: definer function of a superuser', 'mallory', "BEGIN; SELECT shop.as_root('$victim'); ROLLBACK; SELECT dmp.context() IS NULL", err => qr/role "mallory" may not claim/, out => 't');
attack('context: definer function of who may not', 'mallory', q{BEGIN; SELECT shop.as_trent('{"tenant": "evil"}'); SELECT dmp.context() IS NULL}, err => qr/role "trent" may not claim/);
attack('context: SET ROLE afterwards', 'pool',
	qq{BEGIN; SET ROLE trent; SELECT dmp.set_context('$victim'); SET ROLE mallory; $claims; RESET ROLE; $claims; SET ROLE trent; $claims}, out => qr/^\|\n\|\nvictim\|support$/m);
attack('context: a function with the role as its setting', 'mallory',
	qq{CREATE FUNCTION lair.r() RETURNS text LANGUAGE plpgsql SET role = trent AS \$\$ BEGIN PERFORM dmp.set_context('$victim'); RETURN dmp.context(); END \$\$; SELECT lair.r()}, err => qr/permission denied to set role "trent"/);
attack('context: SESSION AUTHORIZATION', 'mallory', "SET SESSION AUTHORIZATION trent; BEGIN; SELECT dmp.set_context('$victim')", err => [ qr/permission denied to set session authorization/, qr/may not claim/ ]);
attack('context: granting it herself', 'mallory', q{SELECT dmp.grant_context('mallory', NULL, NULL)}, err => 'permission denied for function grant_context');
attack('context: taking it from others', 'mallory', q{SELECT dmp.revoke_context('trent')}, err => 'permission denied for function revoke_context');
attack('context: a default for herself', 'mallory', q{SELECT dmp.set_default_context('mallory', '{"tenant": "victim"}')}, err => 'permission denied for function set_default_context');
attack('context: writing the tables of it', 'mallory', q{
	INSERT INTO dmp_internal.context_grant (grantee, granted_by) VALUES ('mallory', 'mallory');
	UPDATE dmp_internal.context_grant SET tenants = NULL;
	DELETE FROM dmp_internal.context_grant;
	TRUNCATE dmp_internal.context_grant;
	SELECT count(*) FROM dmp.context_grants}, err => qr/(permission denied for table context_grant.*){4}/s, out => '1');
attack('context: a function of the same name in front', 'mallory',
	q{CREATE FUNCTION lair.context() RETURNS jsonb LANGUAGE sql AS $$ SELECT '{"tenant": "victim"}'::jsonb $$; SET search_path = lair, dmp, pg_catalog; SELECT dmp.context() IS NULL}, out => 't');
attack('context: a parallel worker that sets it', 'mallory', qq{
	CREATE FUNCTION lair.w() RETURNS text LANGUAGE plpgsql PARALLEL SAFE AS \$\$ BEGIN PERFORM set_config('dmp.context', '$victim', true); RETURN dmp.context(); END \$\$;
	CREATE FUNCTION lair.w2() RETURNS text LANGUAGE plpgsql PARALLEL SAFE AS \$\$ BEGIN PERFORM dmp.set_context('{"tenant": "evil"}'); RETURN dmp.context(); END \$\$;
	SET force_parallel_mode = on; SELECT lair.w(); BEGIN; SELECT lair.w2(); ROLLBACK; SELECT dmp.context() IS NULL}, err => qr/ERROR.*ERROR/s, out => 't');
attack('context: a parallel worker sees that of its leader', 'mallory', as_evil(q{SET LOCAL force_parallel_mode = on; SELECT dmp.context() ->> 'tenant'}), out => 'evil');

# a grant is of a role, not of its name
as_root(q{CREATE ROLE short LOGIN; SELECT dmp.grant_context('short', '{victim}', NULL); DROP ROLE short; CREATE ROLE short LOGIN});
attack('context: a role made again under the name', 'short', q{BEGIN; SELECT dmp.set_context('{"tenant": "victim"}')}, err => qr/may not claim tenant/);
as_root(q{CREATE ROLE group_of; SELECT dmp.grant_context('group_of', '{victim}', NULL); GRANT group_of TO mallory});
{
	my $s = session('mallory');
	ask($s, 'BEGIN');
	ask($s, q{SELECT dmp.set_context('{"tenant": "victim"}')});
	is(ask($s, q{SELECT dmp.context() ->> 'tenant'}), 'victim', 'context: what a group may');
	as_root(q{REVOKE group_of FROM mallory});
	is(ask($s, q{SELECT dmp.context() ->> 'tenant'}), '', 'context: taken away in the middle of a transaction');
	leave($s);
}
as_root(q{
	CREATE ROLE "x"";
DROP TABLE y; --" LOGIN;
	SELECT dmp.grant_context(E'x";\nDROP TABLE y; --', ARRAY[E't''"\\\\\n', repeat('é', 31)], ARRAY['"; drop table x; --']);
});
attack('context: names of tenants that hurt', qq{x";\nDROP TABLE y; --},
	q~BEGIN; SELECT dmp.set_context(jsonb_build_object('tenant', E't''"\\\\\n', 'purpose', '"; drop table x; --')); SELECT dmp.context() ->> 'tenant' = E't''"\\\\\n'~, out => qr/^t$/m);

# ------------------------------------------------------------ protected tables

# acct: tenants; cust: masks too; part, kin: partitions and children; person: consent
as_root(q{
	CREATE ROLE writer LOGIN IN ROLE pg_write_all_data;
	CREATE ROLE reader LOGIN IN ROLE pg_read_all_data;
	CREATE ROLE dba LOGIN CREATEROLE;
	ALTER DATABASE postgres OWNER TO dba;
	CREATE ROLE spy LOGIN NOINHERIT;
	SELECT dmp.grant_context('ann', '{ann}', '{support}');
	SELECT dmp.grant_context('reader', '{evil}', '{support}');
});
my ($status, $out, $err) = run_as('ann', q{
	CREATE TABLE shop.acct (id serial PRIMARY KEY, org text, email text UNIQUE, note text, amount numeric);
	CREATE INDEX ON shop.acct (org);
	CREATE TABLE shop.cust (id int PRIMARY KEY, org text, email text, phone text, note text, born date, amount numeric);
	CREATE TABLE shop.part (org text, note text) PARTITION BY LIST (org);
	CREATE TABLE shop.part_victim PARTITION OF shop.part FOR VALUES IN ('victim');
	CREATE TABLE shop.part_evil PARTITION OF shop.part FOR VALUES IN ('evil');
	CREATE TABLE shop.kin (org text, note text);
	CREATE TABLE shop.kin_child () INHERITS (shop.kin);
	CREATE TABLE shop.person (email text, note text);
	CREATE TABLE shop.number (org int, note text);
	INSERT INTO shop.acct (org, email, note, amount) SELECT 'victim', 'VICTIM' || i || '@victim.org', 'VICTIM ' || i, i FROM generate_series(1, 50) i;
	INSERT INTO shop.acct (org, email, note, amount) VALUES ('evil', 'me@evil.org', 'mine', 1);
	INSERT INTO shop.cust SELECT i, 'victim', 'VICTIM' || i || '@victim.org', '+49VICTIM' || i, 'VICTIM', '1990-01-01', i FROM generate_series(1, 50) i;
	INSERT INTO shop.cust VALUES (100, 'evil', 'aVICTIM@evil.org', '+4917012345678', 'mine', '1990-05-06', 12345);
	INSERT INTO shop.part VALUES ('victim', 'VICTIM'), ('evil', 'mine');
	INSERT INTO shop.kin VALUES ('victim', 'VICTIM'), ('evil', 'mine');
	INSERT INTO shop.kin_child VALUES ('victim', 'VICTIM'), ('evil', 'mine');
	INSERT INTO shop.person VALUES ('no@x.org', 'VICTIM who said no'), ('never@x.org', 'VICTIM who was not asked'), ('yes@x.org', 'she said yes'), (NULL, 'VICTIM without a name'), ('YES@x.org', 'VICTIM in capitals'), ('ads@x.org', 'VICTIM who consents to ads');
	INSERT INTO shop.number VALUES (1, 'VICTIM'), (2, 'mine');
	ANALYZE shop.acct; ANALYZE shop.part; ANALYZE shop.person; ANALYZE shop.cust;
	GRANT ALL ON ALL TABLES IN SCHEMA shop TO mallory, trent WITH GRANT OPTION;
	GRANT ALL ON ALL SEQUENCES IN SCHEMA shop TO mallory;
	GRANT SELECT (note) ON shop.cust TO PUBLIC;
	SELECT count(*) > 0 FROM dmp.protect('shop.acct', tenant => 'org');
	SELECT count(*) > 0 FROM dmp.protect('shop.cust', tenant => 'org', purposes => '{support}', mask => '{"email": "email", "phone": "phone", "note": "redact", "born": "year", "amount": {"range": 1000}}', clear_for => '{trent}');
	SELECT count(*) > 0 FROM dmp.protect('shop.part', tenant => 'org');
	SELECT count(*) > 0 FROM dmp.protect('shop.kin', tenant => 'org');
	SELECT count(*) > 0 FROM dmp.protect('shop.person', subject => 'email', purposes => '{support}');
	SELECT count(*) > 0 FROM dmp.protect('shop.number', tenant => 'org');
});
is($out, join("\n", ('t') x 6), 'protected tables') or diag($err);
as_root(q{
	SELECT dmp.record_consent('yes@x.org', 'support', true), dmp.record_consent('no@x.org', 'support', true), dmp.record_consent('no@x.org', 'support', false),
		dmp.record_consent('ads@x.org', 'marketing', true);
	SELECT dmp.grant_context('mallory', '{2}', '{support}');
});
# what she may see, so that what follows is not right by seeing nothing
attack('rows: her own', 'mallory', as_evil(q{SELECT note FROM shop.acct; SELECT note FROM shop.part; SELECT note FROM shop.kin; SELECT note FROM shop.person; SELECT email, phone, note, born, amount FROM shop.cust_masked}),
	out => "mine\nmine\nmine\nmine\nshe said yes\na***\@evil.org|+***********78|***|1990-01-01|12000", err => '');
is((run_as('trent', qq{BEGIN; SELECT dmp.set_context('$victim'); SELECT count(*) FROM shop.acct; SELECT count(*) FROM shop.cust; SELECT count(email) FILTER (WHERE email LIKE 'VICTIM%') FROM shop.cust_masked}))[1], "\n50\n50\n50", 'rows: what trent may see');

my $leak = q~CREATE OR REPLACE FUNCTION lair.leak(anyelement) RETURNS boolean LANGUAGE plpgsql COST 0.0000001 AS $f$ BEGIN RAISE NOTICE 'leak %', $1; RETURN true; END $f$;
	CREATE OR REPLACE FUNCTION lair.leak_eq(text, text) RETURNS boolean LANGUAGE plpgsql COST 0.0000001 AS $f$ BEGIN RAISE NOTICE 'leak %', $1; RETURN false; END $f$;
	CREATE OPERATOR lair.=== (LEFTARG = text, RIGHTARG = text, FUNCTION = lair.leak_eq, RESTRICT = eqsel);
	CREATE AGGREGATE lair.gather(text) (SFUNC = pg_catalog.textcat, STYPE = text, INITCOND = '');
~;
run_as('mallory', $leak);
my @disguises = (
	'TABLE %t',
	'SELECT * FROM %t t WHERE lair.leak(t) AND lair.leak(note) AND lair.leak(t.ctid)',
	q{SELECT * FROM %t WHERE note OPERATOR(lair.===) 'x'},
	'SELECT * FROM %t WHERE note::int = 1', 'SELECT * FROM %t WHERE 1 / length(note) > 5', q{SELECT 1 / (length(note) - length(note)) FROM %t WHERE note ~ 'ICTI'},
	'SELECT lair.gather(note) FROM %t', q{SELECT string_agg(note, ','), min(note), max(note), array_agg(t), json_agg(t) FROM %t t},
	'SELECT * FROM ONLY %t', q{SELECT tableoid::regclass, ctid, xmin, t FROM %t t WHERE ctid = '(0,1)'}, 'SELECT * FROM %t FOR UPDATE', 'SELECT * FROM %t TABLESAMPLE BERNOULLI (100)',
	'COPY %t TO STDOUT', 'COPY (SELECT * FROM %t) TO STDOUT', 'COPY (UPDATE %t SET note = note RETURNING *) TO STDOUT',
	'DECLARE c SCROLL CURSOR FOR SELECT * FROM %t; FETCH ALL FROM c; MOVE ABSOLUTE 0 FROM c; FETCH FORWARD 100 FROM c',
	'PREPARE p AS SELECT * FROM %t; EXECUTE p; SET LOCAL plan_cache_mode = force_generic_plan; EXECUTE p; DEALLOCATE p',
	'UPDATE %t SET note = note RETURNING *', q{UPDATE %t SET note = 'x' WHERE lair.leak(note)}, 'DELETE FROM %t WHERE lair.leak(note) RETURNING *', 'DELETE FROM %t RETURNING note',
	'WITH d AS (DELETE FROM %t RETURNING *) SELECT * FROM d',
	'MERGE INTO %t t USING (SELECT 1) s ON lair.leak(t.note) WHEN MATCHED THEN DO NOTHING', 'MERGE INTO %t t USING (SELECT 1) s ON true WHEN MATCHED AND lair.leak(t.note) THEN DELETE',
	'CREATE TEMP TABLE x ON COMMIT DROP AS SELECT * FROM %t; TABLE x', 'CREATE TEMP VIEW v AS SELECT * FROM %t; TABLE v; SELECT * FROM v WHERE lair.leak(note)',
	'CREATE VIEW lair.w AS SELECT * FROM %t; SELECT * FROM lair.w', 'CREATE MATERIALIZED VIEW lair.m AS SELECT * FROM %t; SELECT * FROM lair.m',
	q{CREATE FUNCTION lair.inlined() RETURNS SETOF %t LANGUAGE sql STABLE AS 'SELECT * FROM %t'; SELECT * FROM lair.inlined() f WHERE lair.leak(f)},
	q{DO $d$ DECLARE r record; BEGIN FOR r IN SELECT * FROM %t LOOP RAISE NOTICE '%', r; END LOOP; END $d$},
	q{SELECT query_to_xml('SELECT * FROM %t', true, false, ''), table_to_xml('%t', true, false, '')}, q{SELECT * FROM ts_stat('SELECT to_tsvector(note) FROM %t')},
	'SET LOCAL row_security = off; SELECT * FROM %t', 'SET LOCAL session_replication_role = replica; SELECT * FROM %t', 'SET LOCAL enable_seqscan = off; SELECT * FROM %t',
	'SET LOCAL force_parallel_mode = on; SET LOCAL parallel_setup_cost = 0; SET LOCAL min_parallel_table_scan_size = 0; SELECT * FROM %t',
	q{SELECT * FROM pg_stats WHERE schemaname = 'shop'; SELECT * FROM pg_stats_ext; SELECT * FROM pg_stats_ext_exprs; SELECT * FROM pg_statistic},
	'CREATE STATISTICS lair.s ON note, org FROM %t', 'ANALYZE %t', 'LOCK TABLE %t', 'ALTER TABLE %t NO FORCE ROW LEVEL SECURITY', 'ALTER TABLE %t DISABLE ROW LEVEL SECURITY',
	'CREATE POLICY p ON %t USING (true)', 'DROP POLICY dmp_protect ON %t', q{SELECT FROM dmp.unprotect('%t')}, q{SELECT FROM dmp.protect('%t', tenant => 'note')},
	'TRUNCATE %t', 'TRUNCATE ONLY %t CASCADE', 'CREATE TRIGGER t BEFORE UPDATE ON %t FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()',
	'CREATE RULE r AS ON INSERT TO %t DO ALSO SELECT * FROM %t', 'ALTER TABLE %t INHERIT shop.kin', 'CREATE TABLE lair.child () INHERITS (%t)',
	q{SELECT * FROM dmp.why_hidden('%t')}, 'GRANT SELECT ON %t TO PUBLIC',
	q{SELECT * FROM dmp.find_personal_data('%t')}, q{SELECT * FROM dmp.lineage('%t')}, q{SELECT * FROM dmp.export_subject('VICT' || 'IM1@victim.org')},
	q{SELECT * FROM dmp.k_anonymity('SELECT note, org FROM %t', '{note}')}, q{SELECT * FROM dmp.audit('%t')}, q{SELECT dmp.tag('%t', 'note', 'subject')},
);
for my $when ([ 'without a context', sub { "BEGIN; $_[0]; COMMIT" } ], [ 'as evil', \&as_evil ])
{
	my ($label, $in) = @$when;
	# one session for each: SELECT in many disguises over every table
	for my $table (qw(shop.acct shop.part shop.part_victim shop.kin shop.kin_child shop.person shop.cust shop.cust_masked))
	{
		attack("rows $label: $table", 'mallory', $in->(join ";\n", map { ('SAVEPOINT s', s/%t/$table/gr, 'ROLLBACK TO s') } @disguises));
	}
}
is(as_root(q{SELECT (SELECT count(*) FILTER (WHERE note ~ 'VICTIM') FROM shop.acct), (SELECT count(*) FROM shop.part), (SELECT count(*) FROM shop.kin), (SELECT count(*) FROM shop.person), (SELECT count(*) FROM shop.cust)}),
	'50|2|4|6|51', 'rows: all of it left them as they were');

# sums and counts are rows, too
try_all('rows', 'mallory',
	[ 'counted', as_evil('SELECT count(*), sum(amount) FROM shop.acct; SELECT count(*) FROM shop.part; SELECT count(*) FROM shop.part_victim; SELECT count(*) FROM shop.person; SELECT count(*) FROM shop.cust_masked'), out => "1|1\n1\n0\n1\n1" ],
	[ 'counted by nobody', 'SELECT count(*) FROM shop.acct; SELECT count(*) FROM shop.part_victim; SELECT count(*) FROM shop.person; SELECT count(*) FROM shop.cust_masked', out => "0\n0\n0\n0" ],
	[ 'a tenant is no pattern', as_evil(q{SELECT count(*) FROM shop.acct WHERE org <> 'evil'}), out => '0' ],
	[ 'another type of tenant', q{BEGIN; SELECT dmp.set_context('{"tenant": 2}'); SELECT note FROM shop.number; SELECT dmp.set_context('{"tenant": "2 "}')}, err => qr/may not claim/, out => "\nmine" ],
	[ 'a tenant that is no number', as_evil('SELECT count(*) FROM shop.number'), err => qr/invalid input syntax for type integer: "evil"/, out => '' ],
	[ 'inserting for another', as_evil(q{INSERT INTO shop.acct (org, note) VALUES ('victim', 'planted')}), err => qr/violates row-level security/ ],
	[ 'inserting for nobody', as_evil(q{INSERT INTO shop.acct (org, note) VALUES (NULL, 'planted')}), err => qr/violates row-level security/ ],
	[ 'inserting without a context', q{INSERT INTO shop.acct (org, note) VALUES ('evil', 'planted')}, err => qr/violates row-level security/ ],
	[ 'inserting into the partition', as_evil(q{INSERT INTO shop.part_victim VALUES ('victim', 'planted')}), err => qr/violates row-level security|permission denied/ ],
	[ 'inserting into the child', as_evil(q{INSERT INTO shop.kin_child VALUES ('victim', 'planted')}), err => qr/violates row-level security|permission denied/ ],
	[ 'giving a row away', as_evil(q{UPDATE shop.acct SET org = 'victim'}), err => qr/violates row-level security/ ],
	[ 'moving a row to another partition', as_evil(q{UPDATE shop.part SET org = 'victim'}), err => qr/violates row-level security/ ],
	[ 'loading', as_evil("COPY shop.acct (org, note) FROM STDIN;\nvictim\tplanted\n\\."), err => qr/not supported with row-level security/ ],
	[ 'upsert', as_evil(q{INSERT INTO shop.acct (id, org, note) VALUES (1, 'evil', 'x') ON CONFLICT (id) DO UPDATE SET note = shop.acct.note || '!' RETURNING note}), err => qr/violates row-level security/ ],
	[ 'upsert that does nothing shows no row', as_evil(q{INSERT INTO shop.acct (id, org, note) VALUES (1, 'evil', 'x') ON CONFLICT DO NOTHING RETURNING *}), out => '' ],
	[ 'a duplicate tells that there is one, not which', as_evil(q{INSERT INTO shop.acct (org, email) VALUES ('evil', 'VICT' || 'IM7@victim.org')}), err => qr/duplicate key value violates unique constraint "acct_email_key"\n?\z/ ],
	[ 'truncating', as_evil('TRUNCATE shop.acct'), err => 'permission denied for table acct' ],
	[ 'truncating a partition', as_evil('TRUNCATE shop.part_victim'), err => 'permission denied for table part_victim' ],
	[ 'a foreign key', as_evil('CREATE TABLE lair.probe (id int REFERENCES shop.acct)'), err => 'permission denied for table acct' ],
	[ 'writing through the masked view', as_evil(q{SAVEPOINT s; UPDATE shop.cust_masked SET org = 'evil'; ROLLBACK TO s; DELETE FROM shop.cust_masked; ROLLBACK TO s; INSERT INTO shop.cust_masked (id, org) VALUES (1000, 'evil')}), err => qr/(permission denied for view cust_masked.*){3}/s ],
	[ 'searching behind a mask', as_evil(q{SELECT count(*) FROM shop.cust_masked WHERE email LIKE '%VICT' || 'IM%'; SELECT count(*) FROM shop.cust_masked WHERE amount = 12345}), out => "0\n0" ],
	[ 'what a row of the masked view is', as_evil(q{SELECT t, row_to_json(t), t::text, hashtext(email) = hashtext('aVICT' || 'IM@evil.org') FROM shop.cust_masked t}), out => qr/\|f$/ ],
	[ 'joining a mask to itself', as_evil(q{SELECT a.email FROM shop.cust_masked a JOIN shop.cust_masked b USING (email)}), out => 'a***@evil.org' ],
	[ 'being dmp_mask', 'SET ROLE dmp_mask; SELECT * FROM shop.cust', err => qr/permission denied to set role "dmp_mask"/ ],
	[ 'a sequence tells how many rows there were, no more', as_evil(q{SELECT nextval('shop.acct_id_seq') > 51}), out => 't' ],
	[ 'what others run', q{SELECT query FROM pg_stat_activity WHERE query ~ ('VICT' || 'IM') AND pid <> pg_backend_pid()}, out => '' ],
);
try_all('rows: pg_read_all_data', 'reader',
	[ 'no context', 'SELECT * FROM shop.acct; SELECT * FROM shop.part_victim; SELECT * FROM shop.person; SELECT * FROM shop.cust', out => '' ],
	[ 'her claims', as_evil('SELECT note FROM shop.acct; SELECT note FROM shop.part'), out => "mine\nmine" ],
	[ 'row_security', 'SET row_security = off; SELECT * FROM shop.acct', err => qr/affected by row-level security/ ],
);
attack('rows: pg_write_all_data', 'writer', q{DELETE FROM shop.acct; UPDATE shop.part_victim SET note = 'x'; INSERT INTO shop.part_victim VALUES ('victim', 'x')}, err => qr/violates row-level security/);
try_all('rows: their owner', 'ann',
	[ 'no context', 'SELECT * FROM shop.acct; SELECT * FROM shop.part_victim; SELECT * FROM shop.person', out => '' ],
	[ 'row_security', 'SET row_security = off; SELECT * FROM shop.acct', err => qr/affected by row-level security/ ],
	[ 'the masked view in front of her', 'SELECT * FROM shop.cust_masked', out => '' ],
);
is(as_root(q{SELECT count(*) FROM shop.acct WHERE note ~ 'VICTIM'}), '50', 'rows: still as they were');

# cursors, prepared statements and plans that outlive what they were made for
sub claim
{
	my ($json) = @_;
	return qq{DO \$d\$ BEGIN PERFORM dmp.set_context('$json'); END \$d\$};
}
my $evil = q{{"tenant": "evil", "purpose": "support"}};
attack('plans: prepared as one role, executed as another', 'pool', 'BEGIN; SET LOCAL ROLE trent; ' . claim($victim) . q{;
	PREPARE p AS SELECT count(*) FROM shop.acct; EXECUTE p; EXECUTE p; EXECUTE p; EXECUTE p; EXECUTE p; EXECUTE p;
	SET LOCAL ROLE mallory; EXECUTE p; } . claim($evil) . '; EXECUTE p; COMMIT; SET ROLE mallory; EXECUTE p; SET ROLE trent; EXECUTE p', out => "50\n50\n50\n50\n50\n50\n0\n1\n0\n0");
attack('plans: a generic plan and another tenant', 'pool', 'SET plan_cache_mode = force_generic_plan; SET ROLE trent; PREPARE p AS SELECT count(*) FROM shop.cust_masked; BEGIN; ' . claim($victim)
	. '; EXECUTE p; COMMIT; EXECUTE p; SET ROLE mallory; BEGIN; ' . claim($evil) . '; EXECUTE p; COMMIT; EXECUTE p', out => "50\n0\n1\n0");
attack('plans: a mask that was clear for another role', 'pool', q{SET plan_cache_mode = force_generic_plan; SET ROLE trent; PREPARE p AS SELECT count(*) FILTER (WHERE email ~ ('^a?VICT' || 'IM')), count(*) FROM shop.cust_masked; BEGIN; } . claim($victim)
	. '; EXECUTE p; COMMIT; SET ROLE mallory; BEGIN; ' . claim($evil) . '; EXECUTE p; COMMIT', out => qr/^\d+\|50\n0\|1$/);
attack('plans: a function of hers that caches', 'mallory',
	q{CREATE FUNCTION lair.n() RETURNS bigint LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN (SELECT count(*) FROM shop.acct); END $$;} . as_evil('SELECT lair.n()') . 'SELECT lair.n()', out => "1\n0");
attack('cursors: WITH HOLD keeps what was read, for who read it', 'mallory', as_evil(q{DECLARE h CURSOR WITH HOLD FOR SELECT note FROM shop.acct}) . 'FETCH ALL FROM h; SELECT count(*) FROM shop.acct', out => "mine\n0");
attack('cursors: opened as another role', 'pool', q{BEGIN; SET LOCAL ROLE mallory; DECLARE c CURSOR FOR SELECT * FROM shop.acct; SET LOCAL ROLE trent; FETCH ALL FROM c; SELECT count(*) FROM shop.acct}, out => '0');
attack('plans: prepared before, claimed without a purpose', 'mallory', 'PREPARE p AS SELECT count(*) FROM shop.person; EXECUTE p; BEGIN; ' . claim('{"tenant": "evil"}') . '; EXECUTE p; COMMIT', out => "0\n0");

# what others build over it
as_root(q{SET ROLE ann; CREATE VIEW shop.anns AS SELECT * FROM shop.acct; CREATE FUNCTION shop.anns() RETURNS SETOF shop.acct LANGUAGE sql SECURITY DEFINER AS 'SELECT * FROM shop.acct';
	GRANT SELECT ON shop.anns TO PUBLIC; RESET ROLE;
	CREATE VIEW shop.roots AS SELECT * FROM shop.acct; GRANT SELECT ON shop.roots TO PUBLIC; CREATE MATERIALIZED VIEW shop.kept AS SELECT * FROM shop.acct});
attack("built over it: the owner's view", 'mallory', 'SELECT * FROM shop.anns WHERE lair.leak(note);' . as_evil('SELECT note FROM shop.anns'), out => 'mine');
attack("built over it: the owner's definer function", 'mallory', 'SELECT * FROM shop.anns();' . as_evil('SELECT note FROM shop.anns()'), out => 'mine');
# a superuser's view sees everything, and so does what was materialized: told, not stopped
like(as_root(q{SELECT string_agg(object, ',' ORDER BY object) FROM dmp.lint() WHERE object ~ 'roots|kept'}), qr/shop\.kept.*shop\.roots/, 'built over it: views and materialized views that go past the policies are found by dmp.lint');
run_as('ann', q{CREATE TABLE shop.part_new PARTITION OF shop.part FOR VALUES IN ('other'); GRANT ALL ON shop.part_new TO mallory; GRANT TRUNCATE, REFERENCES ON shop.acct TO mallory; ALTER TABLE shop.kin DISABLE ROW LEVEL SECURITY; DROP POLICY dmp_protect ON shop.person});
as_root(q{GRANT dmp_mask TO dba; ALTER ROLE spy BYPASSRLS; GRANT SELECT ON shop.acct TO spy});
my $found = as_root(q{SELECT string_agg(object || ' ' || finding, E'\n' ORDER BY object) FROM dmp.lint()});
like($found, qr/shop\.part_new/, 'a partition that came later: found by dmp.lint');
like($found, qr/shop\.acct.*TRUNCATE/i, 'TRUNCATE granted again: found by dmp.lint');
like($found, qr/shop\.acct.*REFERENCES/i, 'REFERENCES granted again: found by dmp.lint');
like($found, qr/shop\.kin\b/, 'row security taken off: found by dmp.lint');
like($found, qr/shop\.person\b/, 'a policy dropped: found by dmp.lint');
like($found, qr/dmp_mask/, 'a member of dmp_mask: found by dmp.lint');
like($found, qr/spy/, 'BYPASSRLS: found by dmp.lint');
as_root(q{REVOKE dmp_mask FROM dba});
run_as('ann', q{DROP TABLE shop.part_new; REVOKE TRUNCATE, REFERENCES ON shop.acct FROM mallory; ALTER TABLE shop.kin ENABLE ROW LEVEL SECURITY});

# names and documents that hurt
as_root(q{CREATE SCHEMA """; drop schema shop cascade; --" AUTHORIZATION ann; CREATE ROLE "'; drop schema shop cascade; --"});
($status, $out, $err) = run_as('ann', q~
	CREATE TABLE """; drop schema shop cascade; --"."'; drop table shop.acct; --" ("org"";
'" text, "'), (""x" text);
	INSERT INTO """; drop schema shop cascade; --"."'; drop table shop.acct; --" VALUES ('evil', 'aVICTIM@evil.org');
	SELECT count(*) > 0 FROM dmp.protect('"""; drop schema shop cascade; --"."''; drop table shop.acct; --"', tenant => E'org";\n''', mask => '{"''), (\"x": {"pseudonym": "''); drop table shop.acct; --"}}', clear_for => ARRAY['''; drop schema shop cascade; --'], purposes => ARRAY['''); drop table shop.acct; --', 'support']);
	SELECT count(*) > 0 FROM dmp.protect('shop.acct', tenant => 'org', mask => '{"email": "email; drop table x", "no": "email"}');
	SELECT count(*) > 0 FROM dmp.protect('shop.acct', tenant => 'org', mask => '{"amount": {"range": "1; drop table shop.acct"}}');
	SELECT count(*) > 0 FROM dmp.protect('shop.acct', tenant => 'org', mask => '{"email": {"pseudonym": {"a": 1}}}');
	SELECT count(*) > 0 FROM dmp.protect('shop.acct', tenant => 'org''; drop table shop.acct; --');
~);
is($out, 't', 'names that hurt: protected') or diag($err);
unlike($err, qr/syntax error|XX000|server closed/, 'names that hurt: refused or quoted') or diag($err);
is(as_root(q{SELECT count(*) FROM shop.acct}), '51', 'names that hurt: nothing was dropped');

# the name of the masked view, taken before
as_root(q{CREATE SCHEMA open AUTHORIZATION ann; GRANT ALL ON SCHEMA open TO PUBLIC});
run_as('ann', q{CREATE TABLE open.t (org text, email text); INSERT INTO open.t VALUES ('evil', 'aVICTIM@evil.org'); GRANT SELECT ON open.t TO mallory});
run_as('mallory', q{CREATE VIEW open.t_masked AS SELECT 'x'::text AS org, 'y'::text AS email});
($status, $out, $err) = run_as('ann', q{SELECT count(*) FROM dmp.protect('open.t', tenant => 'org', mask => '{"email": "email"}')});
like($err, qr/ERROR:.*t_masked/, "the masked view's name taken by another is an error");
is(as_root(q{SELECT relowner::regrole FROM pg_class WHERE oid = 'open.t_masked'::regclass}), 'mallory', 'and hers stays hers');

# the log of reads
attack('reads: logged whatever she says', 'mallory', q{SELECT dmp.context(); SET dmp.read_log = off; SHOW dmp.read_log}, err => qr/permission denied to set parameter "dmp.read_log"/, out => qr/log$/);
attack('reads: logged whatever she said before the library was there', 'mallory', q{SET dmp.read_log = off; SELECT dmp.context(); SHOW dmp.read_log}, out => qr/log$/);
attack('reads: logged whatever her role says', 'mallory', q{ALTER ROLE mallory SET dmp.read_log = off}, err => qr/permission denied/);
attack('reads: logged whatever PGOPTIONS say', 'mallory', 'SELECT dmp.context() IS NULL; SHOW dmp.read_log', options => '-c dmp.read_log=off', out => "t\nlog");
sub said_meanwhile
{
	my ($sql) = @_;
	my $mark = -s $node->logfile;
	run_as('mallory', $sql);
	return substr(slurp_file($node->logfile), $mark);
}
like(said_meanwhile(as_evil('SELECT count(*) FROM shop.acct') =~ s/COMMIT/ROLLBACK/r),
	qr/protected reads, rolled back: \{"relation": "shop\.acct", "session_role": "mallory".*"actor": "mallory", "tenant": "evil"/, 'reads: logged though rolled back');
unlike(said_meanwhile(q~BEGIN; DO $d$ BEGIN PERFORM dmp.set_context(jsonb_build_object('tenant', 'evil', 'actor', E'x"}\n2026-01-01 LOG:  protected reads: {"actor": "trent"')); END $d$; SELECT count(*) FROM shop.acct; COMMIT~) =~ s/statement:.*//sr,
	qr/^2026-01-01 LOG:/m, 'reads: an actor makes no line of its own in the log');
as_root(q{SELECT dmp.version(); ALTER SYSTEM SET dmp.read_log = 'table'});
as_root(q{SELECT pg_reload_conf()});
{
	my $count = q{SELECT count(*) FROM dmp.audit_log WHERE operation = 'R' AND session_role = 'mallory'};
	my $before = as_root($count);
	run_as('mallory', as_evil('SELECT count(*) FROM shop.acct'));
	is(as_root($count) - $before, 1, 'reads: an entry of the audit log');
	run_as('mallory', as_evil('SAVEPOINT s; SELECT count(*) FROM shop.acct; ROLLBACK TO s'));
	is(as_root($count) - $before, 2, 'reads: a savepoint takes no entry back');
	like(said_meanwhile(as_evil('SELECT count(*) FROM shop.acct') =~ s/COMMIT/ROLLBACK/r), qr/protected reads, rolled back: \{.*"session_role": "mallory".*"numbers": \[\d+\]/, "reads: one that is rolled back is a line of the server's log");
	like(said_meanwhile(as_evil('SET LOCAL transaction_read_only = on; SELECT count(*) FROM shop.acct')), qr/protected reads: .*"session_role": "mallory"/, 'reads: so is one of a read-only transaction');
	run_as('mallory', as_evil('DECLARE c CURSOR WITH HOLD FOR SELECT note FROM shop.acct') . 'FETCH ALL FROM c');
	is(as_root($count) - $before, 3, 'reads: a cursor that outlives its transaction');
}
as_root(q{SELECT dmp.version(); ALTER SYSTEM RESET dmp.read_log});

done_testing();
