# Killed in the middle, ingest loses nothing and repeats nothing; nor when two
# sessions ingest and two write at once.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

my $node = PostgreSQL::Test::Cluster->new('ingest');
$node->init;
$node->append_conf('postgresql.conf', "restart_after_crash = on\nfsync = off");
$node->start;

sub sql
{
	return $node->safe_psql('postgres', @_);
}

# pid of the backend that ingests, once it has opened its cursor over the lake
sub ingesting_pid
{
	$node->poll_query_until('postgres',
		q{SELECT count(*) > 0 FROM pg_locks l JOIN pg_class c ON c.oid = l.relation WHERE c.relname = 'item' AND l.mode = 'RowExclusiveLock'})
	  or return;
	return sql(q{SELECT pid FROM pg_stat_activity WHERE query LIKE '%dmp.ingest%' AND state = 'active' AND pid <> pg_backend_pid() LIMIT 1});
}

sub start_ingest
{
	my ($out, $err) = ('', '');
	my $h = IPC::Run::start(
		[ 'psql', '-X', '-q', '-d', $node->connstr('postgres'), '-c', q{SELECT rows_loaded FROM dmp.ingest('items')} ],
		'<' => \undef, '>' => \$out, '2>' => \$err);
	return [ $h, \$err ];
}

sql(q{
	CREATE EXTENSION dmp;
	CREATE TABLE item (id int, filler text);
	SELECT dmp.create_source('items', 'item');
	INSERT INTO lake.items (line) SELECT format('{"id": %s, "filler": "%s"}', CASE WHEN i % 100 = 0 THEN '"x"' ELSE i::text END, repeat('x', 100))
	FROM generate_series(1, 300000) i;
});

# ---- the backend is killed

for my $round (1 .. 2)
{
	my $run = start_ingest();
	my $pid = ingesting_pid();
	usleep($round * 60_000);
	ok($pid && kill('KILL', $pid), "round $round: killed the backend");
	eval { IPC::Run::finish($run->[0]) };
	$node->poll_query_until('postgres', 'SELECT true') or die 'the server did not come back';
	is(sql('SELECT count(*) FROM item'), 0, "round $round: none of its rows are there");
	is(sql(q{SELECT count(*) FROM dmp.batches}), 0, "round $round: nor is its batch");
	# some more lines between the crashes
	sql("INSERT INTO lake.items (line) SELECT format('{\"id\": %s}', i) FROM generate_series(1000000 + $round * 10, 1000000 + $round * 10 + 4) i");
}

# ---- the whole server is

my $run = start_ingest();
ingesting_pid();
$node->stop('immediate');
eval { IPC::Run::finish($run->[0]) };
$node->start;
is(sql('SELECT count(*) FROM item'), 0, 'after a crash of the server too');
is(sql(q{SELECT rows_read, rows_loaded, rows_duplicate, rows_quarantined FROM dmp.ingest('items')}), '300010|297010|0|3000', 'then all is read');
is(sql('SELECT count(*), count(DISTINCT id) FROM item'), '297010|297010', 'once');
$node->stop('immediate');
$node->start;
is(sql(q{SELECT rows_read FROM dmp.ingest('items')}), 0, 'what was consumed stays consumed over a crash');
is(sql(q{SELECT count(*) FROM dmp.quarantine}), 3000, 'and what is in quarantine stays there');

# ---- writers and ingesters at once

my @jobs;
for my $writer (1 .. 2)
{
	my $script = $node->basedir . "/write$writer.sql";
	PostgreSQL::Test::Utils::append_to_file($script, qq{
		BEGIN;
		INSERT INTO lake.items (line) SELECT format('{"id": %s}', nextval('ids')) FROM generate_series(1, 20);
		SELECT pg_sleep(random() * 0.01);
		INSERT INTO lake.items (line) VALUES ('broken');
		COMMIT;
	});
	push @jobs, [ 'pgbench', '-n', '-f', $script, '-c', '2', '-t', '60' ];
}
sql('CREATE SEQUENCE ids START 2000001; TRUNCATE item');
my $script = $node->basedir . '/ingest.sql';
PostgreSQL::Test::Utils::append_to_file($script, q{SELECT rows_read FROM dmp.ingest('items');});
push @jobs, [ 'pgbench', '-n', '-f', $script, '-c', '2', '-t', '40' ];
my @running = map { IPC::Run::start([ @$_, '-h', $node->host, '-p', $node->port, 'postgres' ], '<' => \undef, '>' => \my $out, '2>' => \my $err) } @jobs;
ok(IPC::Run::finish($_), 'a client ended well') for @running;
sql(q{SELECT dmp.ingest('items')});
is(sql('SELECT count(*), count(DISTINCT id) FROM item'), '4800|4800', 'each line of 240 transactions is there once');
is(sql(q{SELECT count(*) FROM dmp.quarantine WHERE record = 'broken'}), 240, 'and each broken one');
is( sql(q{SELECT sum(rows_read), sum(rows_loaded + rows_duplicate + rows_quarantined) FROM dmp.batches}),
	'305050|305050', 'the batches agree');

$node->stop;
done_testing();
