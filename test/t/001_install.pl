# The extension as an object of the database: what it leaves behind, and that
# it does not adopt what somebody else made.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('install');
$node->init;
$node->start;

sub sql
{
	return $node->safe_psql('postgres', @_);
}

# everything a database holds, by name
my $objects = q{
	SELECT string_agg(o, E'\n' ORDER BY o) FROM (
		SELECT 'class ' || oid::regclass FROM pg_class
		UNION ALL SELECT 'proc ' || oid::regprocedure FROM pg_proc
		UNION ALL SELECT 'type ' || oid::regtype FROM pg_type
		UNION ALL SELECT 'schema ' || nspname FROM pg_namespace
		UNION ALL SELECT 'operator ' || oid::regoperator FROM pg_operator
		UNION ALL SELECT 'cast ' || castsource::regtype || ' ' || casttarget::regtype FROM pg_cast
		UNION ALL SELECT 'event trigger ' || evtname FROM pg_event_trigger
		UNION ALL SELECT 'role ' || rolname FROM pg_roles) x (o)};

my $before = sql($objects);
sql('CREATE EXTENSION dmp');
isnt(sql($objects), $before, 'CREATE EXTENSION makes objects');
sql('DROP EXTENSION dmp');
is(sql($objects), $before, 'DROP EXTENSION leaves nothing behind');

sql('CREATE ROLE mallory LOGIN; CREATE SCHEMA dmp AUTHORIZATION mallory');
my ($status, $out, $err) = $node->psql('postgres', 'CREATE EXTENSION dmp');
isnt($status, 0, 'a schema dmp of somebody else is not adopted');
like($err, qr/schema "dmp" already exists/, 'and the error says so');
sql('DROP SCHEMA dmp');

sql('CREATE EXTENSION dmp');
($status, $out, $err) = $node->psql('postgres', 'CREATE EXTENSION dmp');
like($err, qr/extension "dmp" already exists/, 'a second CREATE EXTENSION is refused');

# an empty installation goes through a dump
my $dump = $node->backup_dir . '/empty.sql';
mkdir $node->backup_dir;
$node->command_ok([ 'pg_dump', '-f', $dump, $node->connstr('postgres') ], 'pg_dump');
sql('CREATE DATABASE restored');
$node->command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-f', $dump, $node->connstr('restored') ],
	'restore into an empty database');
is($node->safe_psql('restored', q{SELECT count(*) FROM pg_extension WHERE extname = 'dmp'}),
	'1', 'the extension is there');

# the library loads in a session of its own, and in every worker
sql(q{ALTER SYSTEM SET session_preload_libraries = 'dmp'});
$node->reload;
is(sql('SELECT 1'), '1', 'the library can be preloaded in sessions');
sql('ALTER SYSTEM RESET session_preload_libraries');
$node->reload;

$node->stop;
done_testing();
