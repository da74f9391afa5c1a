# Keys, live writers, several ingesters, retries, crashes and a restore: each
# line is taken once.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

my $node = PostgreSQL::Test::Cluster->new('once');
$node->init;
$node->append_conf('postgresql.conf', "restart_after_crash = on\nfsync = off");
$node->start;

sub sql
{
	return $node->safe_psql('postgres', @_);
}

sub start
{
	my ($sql) = @_;
	my ($out, $err) = ('', '');
	return IPC::Run::start([ 'psql', '-X', '-q', '-d', $node->connstr('postgres'), '-c', $sql ], '<' => \undef, '>' => \$out, '2>' => \$err);
}

# pgbench jobs: [clients, transactions, script]
sub run_jobs
{
	my (@jobs) = @_;
	my @running;
	for my $job (@jobs)
	{
		my ($clients, $n, $script) = @$job;
		my $file = $node->basedir . '/job' . scalar(@running) . '.sql';
		open(my $fh, '>', $file) or die $!;
		print $fh $script;
		close $fh;
		my $err = '';
		push @running, [ IPC::Run::start([ 'pgbench', '-n', '-f', $file, '-c', $clients, '-t', $n, '-h', $node->host, '-p', $node->port, 'postgres' ], '<' => \undef, '>' => \my $out, '2>' => \$err), \$err ];
	}
	for (@running)
	{
		ok(IPC::Run::finish($_->[0]), 'a client ended well') or diag ${ $_->[1] };
	}
	return;
}

# what every line of a source came to, from its lake and its batches
my $adds_up = q{SELECT (SELECT count(*) FROM lake.SOURCE WHERE line ~ '\S') = sum(rows_read), sum(rows_read) = sum(rows_loaded + rows_duplicate + rows_quarantined)
	FROM dmp.batches WHERE source = 'SOURCE' AND kind IN ('ingest', 'live')};

sub adds_up
{
	my ($source, $what) = @_;
	my $sql = $adds_up =~ s/SOURCE/$source/gr;
	is(sql($sql), 't|t', $what);
	return;
}

sql(q{
	CREATE EXTENSION dmp;
	CREATE TABLE thing (id int, v int);
	CREATE TABLE event (n int, batch bigint, lake_id bigint);
	SELECT dmp.create_source('pile', 'thing', key => '{id}', on_duplicate => 'update');
	SELECT dmp.create_source('drip', 'thing', key => '{id}', on_duplicate => 'update', live => true);
	SELECT dmp.create_source('once', 'thing', key => '{id}');
	SELECT dmp.create_source('events', 'event', live => true, mapping => '{"n": "n", "batch": "$batch", "lake_id": "$lake_id"}');
});

# ---- keys: writers of a pile, three ingesters of it, live writers of the same keys

my $lines = q{SELECT format('{"id": %s, "v": %s}', (random() * 300)::int, i) FROM generate_series(1, 15) i};
run_jobs(
	[ 2, 60, qq{BEGIN; INSERT INTO lake.pile (line) $lines; SELECT pg_sleep(random() * 0.01); INSERT INTO lake.pile (line) VALUES ('broken'); COMMIT;} ],
	[ 2, 60, qq{INSERT INTO lake.once (line) $lines UNION ALL SELECT 'broken';} ],
	[ 3, 40, q{SELECT rows_read FROM dmp.ingest('pile');} ],
	[ 2, 40, q{SELECT rows_read FROM dmp.ingest('once');} ],
	[ 3, 80, qq{INSERT INTO lake.drip (line) $lines UNION ALL SELECT 'broken';} ],
	[ 1, 20, q{SELECT rows_read FROM dmp.ingest('drip');} ]);
sql(q{SELECT dmp.ingest('pile'), dmp.ingest('once')});
is(sql(q{SELECT rows_read FROM dmp.ingest('drip')}), 0, 'live left nothing for ingest');
adds_up($_, "each line of $_ counts once") for qw(pile once drip);
is(sql('SELECT count(*) - count(DISTINCT id) FROM thing'), 0, 'each key is there once');
is(sql(q{SELECT count(*) FROM (SELECT (line::json->>'id')::int FROM (TABLE lake.pile UNION ALL TABLE lake.once UNION ALL TABLE lake.drip) l WHERE line <> 'broken'
	EXCEPT SELECT id FROM thing) m}), 0, 'and none is missing');
is(sql(q{SELECT source, count(*) FROM dmp.quarantine WHERE record = 'broken' GROUP BY 1 ORDER BY 1}), "drip|240\nonce|120\npile|120", 'each broken line is in quarantine once');

# ---- live without a key, beside ingest of what was written while it was off

run_jobs(
	[ 2, 100, q{INSERT INTO lake.events (line) SELECT '{"n": 1}' FROM generate_series(1, 7);} ],
	[ 2, 50, q{BEGIN; SET LOCAL session_replication_role = replica; INSERT INTO lake.events (line) SELECT '{"n": 2}' FROM generate_series(1, 3); SET LOCAL session_replication_role = origin;
		INSERT INTO lake.events (line) VALUES ('{"n": 1}'), ('{"n": 1}'); SELECT pg_sleep(random() * 0.01); COMMIT;} ],
	[ 2, 60, q{BEGIN; INSERT INTO lake.events (line) SELECT '{"n": 3}' FROM generate_series(1, 5); ROLLBACK;} ],
	[ 2, 60, q{SELECT rows_read FROM dmp.ingest('events');} ]);
sql(q{SELECT dmp.ingest('events')});
is(sql('SELECT n, count(*), count(DISTINCT lake_id) FROM event GROUP BY n ORDER BY n'), "1|1600|1600\n2|300|300", 'without a key each line is there once');
is(sql('SELECT kind, count(*) FROM dmp.batches b JOIN event e USING (batch) GROUP BY 1 ORDER BY 1'), "ingest|300\nlive|1600", 'by live or by ingest');
adds_up('events', 'and counted once');
is(sql('SELECT count(*) FROM dmp_internal.source_taken'), 0, 'nothing needs to be remembered');

# ---- retry of corrected records by several at once

sql(q{UPDATE dmp.quarantine SET record = '{"id": ' || 10000 + id || '}' WHERE record = 'broken' AND source = 'pile'; TRUNCATE event;
	INSERT INTO lake.events (line) SELECT '{"n": "x' || i || '"}' FROM generate_series(1, 500) i;
	UPDATE dmp.quarantine SET record = replace(record, 'x', '') WHERE source = 'events' AND id % 2 = 0});
run_jobs(
	[ 3, 2, q{SELECT rows_read FROM dmp.retry_quarantine('events');} ],
	[ 2, 2, q{SELECT rows_read FROM dmp.retry_quarantine('pile');} ],
	[ 2, 20, q{INSERT INTO lake.events (line) VALUES ('{"n": 0}');} ]);
is(sql('SELECT count(*), count(DISTINCT n) FROM event WHERE n > 0'), '250|250', 'each corrected record is loaded once');
is(sql(q{SELECT state, count(*) FROM dmp.quarantine WHERE source = 'events' GROUP BY 1 ORDER BY 1}), "loaded|250\nopen|250", 'and says so');
is(sql(q{SELECT count(*) FROM thing WHERE id >= 10000}), 120, 'with a key as well');

# ---- killed in the middle

sql('TRUNCATE event');
my $before = sql(q{SELECT count(*) FROM lake.events});
my $batches = sql(q{SELECT count(*), sum(rows_read) FROM dmp.batches});
my $file = $node->basedir . '/lines.json';
open(my $fh, '>', $file) or die $!;
print $fh $_ % 1000 ? "{\"n\": $_}\n" : "bad\n" for 1 .. 200000;
close $fh;
for my $way ("COPY lake.events (line) FROM '$file' (FORMAT csv, DELIMITER E'\\x02', QUOTE E'\\x01')", "SELECT dmp.load_file('events', '$file')")
{
	for my $signal (qw(KILL stop))
	{
		my $run = start($way);
		my $like = substr($way, 0, 10);
		my $seen = $node->poll_query_until('postgres', "SELECT count(*) > 0 FROM pg_locks l JOIN pg_class c ON c.oid = l.relation WHERE c.relname LIKE 'events%' AND l.mode = 'RowExclusiveLock'");
		my $pid = sql("SELECT pid FROM pg_stat_activity WHERE query LIKE '$like%' AND state = 'active' LIMIT 1");
		usleep(150_000);
		ok($seen && $pid, "$like runs");
		$signal eq 'KILL' ? kill('KILL', $pid) : $node->stop('immediate');
		eval { IPC::Run::finish($run) };
		$node->start if $signal eq 'stop';
		$node->poll_query_until('postgres', 'SELECT true') or die 'the server did not come back';
		is(sql('SELECT count(*) FROM lake.events') . '|' . sql('SELECT count(*) FROM event'), "$before|0", "$like, $signal: nothing of it is there");
		is(sql(q{SELECT count(*), sum(rows_read) FROM dmp.batches}), $batches, 'nor in the batches');
	}
}
is(sql("SELECT rows_loaded FROM dmp.load_file('events', '$file')"), 200000, 'the file is no file that was loaded');
is(sql('SELECT count(*), count(DISTINCT n) FROM event'), '199800|199800', 'and goes on to the table');
is(sql(q{SELECT rows_read FROM dmp.ingest('events')}), 0, 'once');
adds_up('events', 'counted once');
like((($node->psql('postgres', "SELECT rows_loaded FROM dmp.load_file('events', '$file')"))[2]), qr/was loaded before/, 'and not again');

# ---- a restore into another cluster: live goes on, what it took is known, what it did not is not lost

sql(q{
	TRUNCATE event, thing;
	INSERT INTO lake.events (line) SELECT format('{"n": %s}', i) FROM generate_series(1, 20) i;
	SET session_replication_role = replica;
	INSERT INTO lake.events (line) SELECT format('{"n": %s}', i) FROM generate_series(21, 25) i;
	RESET session_replication_role;
	INSERT INTO lake.events (line) SELECT format('{"n": %s}', i) FROM generate_series(26, 30) i;
	INSERT INTO lake.once (line) VALUES ('{"id": 1}');
});
my $dump = $node->basedir . '/all.dump';
$node->command_ok([ 'pg_dump', '-Fc', '-f', $dump, $node->connstr('postgres') ], 'pg_dump');
my $new = PostgreSQL::Test::Cluster->new('other');
$new->init;
$new->start;
$new->command_ok([ 'pg_restore', '-d', $new->connstr('postgres'), $dump ], 'pg_restore');
is($new->safe_psql('postgres', 'SELECT count(*), count(DISTINCT n) FROM event'), '25|25', 'what live had loaded');
$new->safe_psql('postgres', q{INSERT INTO lake.events (line) SELECT format('{"n": %s}', i) FROM generate_series(31, 35) i});
is($new->safe_psql('postgres', 'SELECT count(*), max(n) FROM event'), '30|35', 'live goes on');
is($new->safe_psql('postgres', q{SELECT rows_read, rows_loaded FROM dmp.ingest('events')}), '5|5', 'what live had not taken is taken');
is($new->safe_psql('postgres', 'SELECT count(*), count(DISTINCT n), max(n) FROM event'), '35|35|35', 'all is there once');
is($new->safe_psql('postgres', q{SELECT rows_read FROM dmp.ingest('events')}), 0, 'and stays so');
is($new->safe_psql('postgres', q{SELECT rows_read FROM dmp.ingest('once')}), 1, 'a source that is not live goes on too');

# data only, into what is there: the trigger leaves rows of another time to ingest, which knows them
$new->safe_psql('postgres', 'TRUNCATE lake.events, event');
$new->command_ok([ 'pg_restore', '--data-only', '-t', 'events_default', '-t', 'event', '-t', 'events_' . sql(q{SELECT to_char(now() AT TIME ZONE 'UTC', 'YYYYMMDD')}), '-d', $new->connstr('postgres'), $dump ], 'restore of rows alone');
is($new->safe_psql('postgres', 'SELECT count(*), count(DISTINCT n) FROM event'), '25|25', 'triggers of the lake do not load them again');

$new->stop;
$node->stop;
done_testing();
