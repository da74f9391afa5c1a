# What fails in the middle of a training scan leaves nothing: an error in a
# parallel worker, a worker that is ended, statement_timeout. No version, no
# champion lost, no temporary file, no memory of it in the next fit.
use strict;
use warnings;
use IPC::Run qw(start finish);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('worker');
$node->init;
$node->append_conf('postgresql.conf', <<'CONF');
shared_buffers = '256MB'
autovacuum = off
parallel_setup_cost = 0
parallel_tuple_cost = 0
min_parallel_table_scan_size = 0
max_parallel_workers_per_gather = 2
CONF
$node->start;

$node->safe_psql('postgres', q{
	CREATE EXTENSION dmp;
	CREATE TABLE numbers AS SELECT i AS id, sin(i) a, cos(i) b, sin(i * 1.7) c, cos(i * 2.3) d,
		'level ' || i % 50 AS t, 'word' || i % 1009 || ' of word' || i % 77 AS words, sin(i) + sin(i * 777.7) > 0.3 AS y
	FROM generate_series(1, 300000) i;
	CREATE FUNCTION careful(i int) RETURNS float8 LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS
		$$BEGIN IF i = 250000 THEN RAISE EXCEPTION 'row % is no good', i; END IF; RETURN i % 7; END$$;
	CREATE FUNCTION slow(i int) RETURNS float8 LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS
		$$BEGIN IF i % 1000 = 0 THEN PERFORM pg_sleep(0.01); END IF; RETURN i % 7; END$$;
	VACUUM ANALYZE;
});

my $train = q{SELECT status FROM dmp.train('m', 'SELECT id, a, b, c, d, t, y FROM numbers', 'y', exclude => '{id}')};
is($node->safe_psql('postgres', $train), 'converged', 'a first version');
my $before = $node->safe_psql('postgres', q{SELECT version, log_loss, deployed FROM dmp.models});
like($node->safe_psql('postgres', q{EXPLAIN SELECT sum(careful(id)) FROM numbers}), qr/Workers Planned/, 'such queries run in workers');

sub nothing_left
{
	my ($what) = @_;
	is($node->safe_psql('postgres', q{SELECT version, log_loss, deployed FROM dmp.models}), $before, "$what: no version more, the champion stays");
	is($node->safe_psql('postgres', q{SELECT count(*) FROM pg_ls_tmpdir()}), '0', "$what: no temporary file");
	is($node->safe_psql('postgres', q{SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'parallel worker'}), '0', "$what: no worker");
	is($node->safe_psql('postgres', q{SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'}), '0', "$what: no lock");
	return;
}

# an error of the user's own function, in whichever process meets the row
for my $memory ('256MB', '1MB')
{
	my (undef, $out, $err) = $node->psql('postgres', qq{SET dmp.training_memory = '$memory';
		SELECT * FROM dmp.train('m', 'SELECT careful(id) AS f, a, b, c, d, t, y FROM numbers', 'y')});
	like($err, qr/row 250000 is no good/, "the error is the user's own, memory $memory");
	nothing_left("error in a scan, memory $memory");
}

# statement_timeout at several moments, also while rows are in temporary files
for my $case (
	[ 'dense', $train ],
	[ 'past memory', "SET dmp.training_memory = '1MB'; $train" ],
	[ 'text past memory', q{SET dmp.training_memory = '32MB'; SELECT status FROM dmp.train('m', 'SELECT words, a, y FROM numbers', 'y', options => '{"encode": {"words": "ngrams"}}')} ])
{
	my ($name, $sql) = @$case;
	my $stopped = 0;
	for my $after (20, 60, 150, 400)
	{
		my (undef, $out, $err) = $node->psql('postgres', "BEGIN; SET statement_timeout = $after; $sql; ROLLBACK");
		$stopped++ if $err =~ /canceling statement due to statement timeout/;
	}
	cmp_ok($stopped, '>=', 2, "$name: statement_timeout stops it");
	nothing_left("$name, statement_timeout");
}

# a worker that is ended takes the statement with it, not the server
my $ended = 0;
for my $try (1 .. 5)
{
	my ($out, $err) = ('', '');
	my $run = start([ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-c',
		q{SELECT * FROM dmp.train('m', 'SELECT a, b, c, d, y, slow(id) AS f FROM numbers', 'y')} ], '>', \$out, '2>', \$err);
	$node->safe_psql('postgres', q{DO $$
		BEGIN
			FOR i IN 1 .. 500 LOOP
				PERFORM pg_stat_clear_snapshot();
				IF (SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE backend_type = 'parallel worker') > 0 THEN
					RETURN;
				END IF;
				PERFORM pg_sleep(0.01);
			END LOOP;
		END$$});
	finish $run;
	$ended++ if $err =~ /terminating/;
	if ($err !~ /ERROR|FATAL/)    # it was done before anyone could end it
	{
		$node->safe_psql('postgres', "SELECT dmp.drop_model('m'); $train");
		$before = $node->safe_psql('postgres', q{SELECT version, log_loss, deployed FROM dmp.models});
	}
	last if $ended;
}
cmp_ok($ended, '>=', 1, 'a worker was ended in the middle');
nothing_left('worker ended');

my $again = $node->safe_psql('postgres', "$train; SELECT log_loss FROM dmp.models ORDER BY version DESC LIMIT 1");
is((split /\n/, $again)[1], (split /\|/, $before)[1], 'and the next fit is as the first');
unlike(slurp_file($node->logfile), qr/PANIC|terminated by signal|TRAP/, 'no crash');

$node->stop;
done_testing();
