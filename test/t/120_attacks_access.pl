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

done_testing();
