# The context of a transaction where sessions are shared, before the library is
# loaded, on a standby; the log of protected reads; protected tables through
# dump and restore.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('access');
$node->init(allows_streaming => 1);
$node->append_conf('postgresql.conf', "max_prepared_transactions = 5\nlog_min_messages = warning");
$node->start;
$node->safe_psql('postgres', q{
	CREATE EXTENSION dmp;
	SELECT dmp.setup();
	CREATE ROLE owner LOGIN;
	CREATE ROLE app LOGIN;
	CREATE ROLE bi LOGIN;
	CREATE SCHEMA shop AUTHORIZATION owner;
	GRANT USAGE ON SCHEMA shop TO app, bi;
	SET ROLE owner;
	CREATE TABLE shop.orders (id int PRIMARY KEY, org text, email text);
	INSERT INTO shop.orders SELECT i, CASE WHEN i % 2 = 0 THEN 'acme' ELSE 'beta' END, 'u' || i || '@example.org' FROM generate_series(1, 100) i;
	GRANT SELECT ON shop.orders TO app, bi;
	SELECT dmp.protect('shop.orders', tenant => 'org', purposes => '{support}', mask => '{"email": "email"}', clear_for => '{app}');
	RESET ROLE;
	SELECT dmp.grant_context('app', '{acme,beta}', '{support}'), dmp.grant_context('bi', '{beta}', '{support}'),
		dmp.set_default_context('bi', '{"actor": "dashboard", "tenant": "beta", "purpose": "support"}');
});

# one statement by a role, with settings for libpq's options: (output, errors)
sub as_role
{
	my ($role, $sql, %more) = @_;
	local $ENV{PGOPTIONS} = $more{options} // '';
	my ($status, $out, $err) = ($more{node} // $node)->psql($more{database} // 'postgres', $sql, extra_params => [ '-U', $role ]);
	return wantarray ? ($out, $err) : $out;
}

my $count = 'SELECT count(*), min(org), max(org) FROM shop.orders';
my $masked = 'SELECT count(*), min(org), max(org) FROM shop.orders_masked';
my $claim = q{SELECT dmp.set_context('{"tenant": "acme", "purpose": "support"}')};
my $forged = '{"tenant": "acme", "purpose": "support", "roles": "10/10"}';

# ---- before the library is loaded, a setting is a placeholder anybody may set
is(as_role('app', "SET dmp.context = '$forged'; $count"), '0||', 'SET before the library is loaded');
is(as_role('app', "SELECT set_config('dmp.context', '$forged', false); $count", ), "$forged\n0||", 'set_config');
is(as_role('app', "BEGIN; SET LOCAL dmp.context = '$forged'; SAVEPOINT s; SET LOCAL dmp.context = '{}'; $count; ROLLBACK TO s; $count; COMMIT"), "0||\n0||", 'SET LOCAL in savepoints');
(my $spaceless = $forged) =~ s/ //g;
is(as_role('app', $count, options => "-c dmp.context=$spaceless"), '0||', 'PGOPTIONS');
my ($out, $err) = as_role('app', "ALTER ROLE app SET dmp.context = '$forged'");
like($err, qr/permission denied/, 'ALTER ROLE');
# a superuser may write anything there, and nobody gets a context by it
$node->safe_psql('postgres', "ALTER ROLE app SET dmp.context = '$forged'; ALTER DATABASE postgres SET dmp.context = '$forged'");
is(as_role('app', $count), '0||', 'a setting of role and database is ignored');
is(as_role('app', "BEGIN; $claim; $count; COMMIT; $count"), "\n50|acme|acme\n0||", 'and does no harm');
$node->safe_psql('postgres', 'ALTER ROLE app RESET dmp.context; ALTER DATABASE postgres RESET dmp.context');
is(as_role('app', "$count; RESET ALL; DISCARD ALL; $count"), "0||\n0||", 'RESET and DISCARD');
is(as_role('app', "SET dmp.read_log = 'off'; $count"), '0||', 'the log of reads is not turned off');

# ---- a shared connection: what one client set, the next does not have
is(as_role('app', "BEGIN; $claim; $count; COMMIT; $count; BEGIN; $claim; ROLLBACK; $count"), "\n50|acme|acme\n0||\n\n0||", 'ends with its transaction');
is(as_role('app', "BEGIN; $claim; PREPARE TRANSACTION 'p'; $count; BEGIN; COMMIT PREPARED 'p'"), "\n0||", 'not kept by a prepared transaction');
$node->safe_psql('postgres', q{ROLLBACK PREPARED 'p'});
is(as_role('bi', $masked), '50|beta|beta', 'a tool in autocommit has its default');

# ---- what is revoked ends for open sessions
my $session = $node->background_psql('postgres', on_error_stop => 0);
$session->query_safe('SET SESSION AUTHORIZATION bi');
is($session->query_safe($masked), '50|beta|beta', 'a session of bi');
$session->query_safe('BEGIN');
is($session->query_safe($masked), '50|beta|beta', 'in its transaction');
$node->safe_psql('postgres', q{SELECT dmp.revoke_context('bi')});
is(scalar $session->query($masked), '0||', 'revoked by another session, it ends with the statement');
$session->query('COMMIT');
$node->safe_psql('postgres', q{SELECT dmp.grant_context('bi', '{beta}', '{support}')});
is(scalar $session->query($masked), '50|beta|beta', 'granted again');
$session->quit;

# ---- the log of reads
my $from = -s $node->logfile;
as_role('app', "BEGIN; $claim; $count; $count; $count; COMMIT");
my ($line) = slurp_file($node->logfile, $from) =~ /LOG: +protected reads: (.*)/;
like($line, qr/"relation": "shop.orders", "session_role": "app", "role": "app", "tenant": "acme", "purpose": "support", "statements": \["[^"]+", "[^"]+", "[^"]+"\]\}/, 'a line for three statements');
$from = -s $node->logfile;
my $evil = q(SELECT dmp.set_context('{"tenant": "acme", "purpose": "support", "actor": "x\\nLOG:  forged", "request": "\\"}"}'));
as_role('app', "BEGIN; $evil; $count; ROLLBACK");
my $log = slurp_file($node->logfile, $from);
like($log, qr/protected reads, rolled back: .*"actor": "x\\nLOG:  forged"/, 'a ROLLBACK takes nothing back, and no line is forged');
$node->safe_psql('postgres', q{ALTER ROLE app SET dmp.read_log = 'table'});
as_role('app', "BEGIN; $claim; $count; COMMIT; BEGIN; $claim; $count; ROLLBACK; BEGIN; $claim; $count; COMMIT");
is($node->safe_psql('postgres', q{SELECT relation, session_role, new ->> 'tenant', (new ->> 'number')::int FROM dmp.audit_log WHERE operation = 'R' ORDER BY 4}),
	"shop.orders|app|acme|1\nshop.orders|app|acme|3", 'entries, and a gap');
like(slurp_file($node->logfile, $from), qr/protected reads, rolled back: .*"numbers": \[2\]/, 'the gap is in the log of the server');
# killed in the middle
$session = $node->background_psql('postgres', on_error_stop => 0);
$session->query_safe('SET SESSION AUTHORIZATION app');
$session->query_safe(q{RESET SESSION AUTHORIZATION; SET dmp.read_log = 'table'; SET SESSION AUTHORIZATION app; BEGIN});
$session->query_safe($claim);
$session->query_safe($count);
my $pid = $session->query_safe('SELECT pg_backend_pid()');
$from = -s $node->logfile;
$node->safe_psql('postgres', "SELECT pg_terminate_backend($pid)");
$node->poll_query_until('postgres', "SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = $pid");
like(slurp_file($node->logfile, $from), qr/protected reads, rolled back: .*"numbers": \[4\]/, 'a session that ends tells what it read');
$session->{run}->kill_kill if $session->{run};

# ---- a standby
$node->backup('b');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'b', has_streaming => 1);
$standby->start;
$node->wait_for_catchup($standby, 'replay', $node->lsn('insert'));
$from = -s $standby->logfile;
is(as_role('bi', $masked, node => $standby), '50|beta|beta', 'standby: the default context');
is(as_role('bi', 'SELECT email FROM shop.orders_masked WHERE id = 1', node => $standby), 'u***@example.org', 'standby: masked');
($out, $err) = as_role('app', "$count; BEGIN; $claim; $count; SELECT count(*) FROM shop.orders_masked WHERE email LIKE 'u1%'; COMMIT", node => $standby);
is($out, "0||\n\n50|acme|acme\n6", 'standby: a context that is set');
like($err, qr/rows of "orders" are hidden: no context is set.*logged by the server only/s, 'standby: notices');
like(slurp_file($standby->logfile, $from), qr/protected reads: \{"relation": "shop.orders", "session_role": "bi".*"actor": "dashboard"/, 'standby: reads are in its log');
like(as_role('app', q{SELECT current FROM dmp.why_hidden('shop.orders') WHERE condition = 'context'}, node => $standby), qr/^not set$/, 'standby: why_hidden');
# what is revoked reaches sessions of the standby
$session = $standby->background_psql('postgres', on_error_stop => 0);
$session->query_safe('SET SESSION AUTHORIZATION bi');
is($session->query_safe($masked), '50|beta|beta', 'standby: a session of bi');
$node->safe_psql('postgres', q{SELECT dmp.revoke_context('bi')});
$node->wait_for_catchup($standby, 'replay', $node->lsn('insert'));
is(scalar $session->query($masked), '0||', 'standby: revoked');
$session->quit;
$standby->stop;
$node->safe_psql('postgres', q{SELECT dmp.grant_context('bi', '{beta}', '{support}')});

# ---- dump and restore
my $dump = $node->basedir . '/dump.sql';
$node->command_ok([ 'pg_dump', '-f', $dump, $node->connstr('postgres') ], 'dump');
$node->safe_psql('postgres', 'CREATE DATABASE restored');
$node->command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-f', $dump, $node->connstr('restored') ], 'restore');
is(as_role('bi', $masked, database => 'restored'), '50|beta|beta', 'restored: contexts and policies');
is(as_role('bi', 'SELECT email FROM shop.orders_masked WHERE id = 1', database => 'restored'), 'u***@example.org', 'restored: the masked view');
($out, $err) = as_role('bi', 'SELECT email FROM shop.orders', database => 'restored');
like($err, qr/permission denied for table orders/, 'restored: rights');
# without the extension nothing is visible
$node->safe_psql('postgres', 'CREATE DATABASE dropped');
$node->command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-f', $dump, $node->connstr('dropped') ], 'restore once more');
$node->safe_psql('dropped', q{SET dmp.read_log = 'table'; SET client_min_messages = error; DROP EXTENSION dmp CASCADE});
is(as_role('app', 'SELECT count(*) FROM shop.orders', database => 'dropped'), '0', 'DROP EXTENSION CASCADE hides all rows');
is(as_role('owner', 'SELECT count(*) FROM shop.orders', database => 'dropped'), '0', 'from their owner too');
like((as_role('bi', 'SELECT count(*) FROM shop.orders_masked', database => 'dropped'))[1], qr/does not exist/, 'and the masked view is gone');
is($node->safe_psql('restored', q{SET ROLE owner; SELECT kind, count(*) FROM dmp.unprotect('shop.orders') GROUP BY 1 ORDER BY 1}), "grant|2\npolicy|2\ntable|2\nview|1", 'restored: unprotect knows what was made');
is(as_role('bi', 'SELECT count(*) FROM shop.orders', database => 'restored'), '100', 'and gives back what was taken');

$node->stop;
done_testing();
