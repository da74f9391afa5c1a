# Differential privacy against who would cheat it: what was spent stays spent after
# ROLLBACK, kill -9, SET ROLE, a new role and a new view; eight sessions at once never
# spend more than there is; noise has its exact distribution and is not foretold by
# setseed(); neighbouring tables cannot be told apart better than epsilon allows.
#
# The randomness is strong, so no seed makes this repeatable: bounds are such that a
# right sampler fails here less than once in a billion runs.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('privacy');
$node->init;
$node->append_conf('postgresql.conf', "jit = off\nautovacuum = off\n");
$node->start;
$node->safe_psql('postgres', q{
	CREATE ROLE analyst LOGIN CREATEROLE;
	CREATE ROLE team;
	CREATE ROLE colleague LOGIN IN ROLE team;
	CREATE DATABASE shop;
	GRANT CREATE ON DATABASE shop TO analyst;
});
$node->safe_psql('shop', q{
	CREATE EXTENSION dmp;
	GRANT USAGE, CREATE ON SCHEMA public TO analyst;
	CREATE TABLE people AS SELECT i AS id, i % 2 = 0 AS even, i % 30 AS age FROM generate_series(1, 1000) i;
});

sub budget
{
	my ($table, $role, $epsilon, $more) = @_;
	$node->safe_psql('shop', "SELECT * FROM dmp.set_privacy_budget('$table', '$role', $epsilon" . ($more // '') . ')');
}

sub spent
{
	my ($role) = @_;
	return $node->safe_psql('shop', "SELECT spent FROM dmp.privacy_spent WHERE role::text = '$role'");
}

# (status, output, errors) as a role
sub as
{
	my ($role, $sql) = @_;
	return $node->psql('shop', $sql, extra_params => [ '-U', $role ]);
}

# ---- refunds
budget('people', 'analyst', 10);
my ($status, $out, $err) = as('analyst', 'SELECT * FROM people');
like($err, qr/permission denied for table people/, 'the table itself is closed');
as('analyst', q{BEGIN; SELECT * FROM dmp.dp_count('people', 1); ROLLBACK});
is(spent('analyst'), 1, 'ROLLBACK gives nothing back');
as('analyst', q{BEGIN; SAVEPOINT a; SELECT * FROM dmp.dp_count('people', 1); ROLLBACK TO a; SELECT * FROM dmp.dp_count('people', 1); ROLLBACK});
is(spent('analyst'), 3, 'nor does ROLLBACK TO');
as('analyst', q{DO $$ BEGIN PERFORM dmp.dp_count('people', 1); RAISE 'no'; EXCEPTION WHEN OTHERS THEN NULL; END $$});
is(spent('analyst'), 4, 'nor an error that is caught');
as('analyst', q{BEGIN; DECLARE c CURSOR FOR SELECT * FROM dmp.dp_count('people', 1); FETCH c; ROLLBACK});
is(spent('analyst'), 5, 'nor a cursor');
($status, $out, $err) = as('analyst', q{BEGIN READ ONLY; SELECT * FROM dmp.dp_count('people', 1)});
like($err, qr/read-only transaction/, 'refused where nothing can be charged');

# an answer that was seen, then the power goes
my ($in, $answers) = ('', '');
my $timer = IPC::Run::timer(60);
my $psql = IPC::Run::start([ 'psql', '-XAtq', '-h', $node->host, '-p', $node->port, '-U', 'analyst', '-d', 'shop' ], '<', \$in, '>', \$answers, $timer);
$in .= "SET synchronous_commit = off; BEGIN; SELECT 'answer', value FROM dmp.dp_count('people', 1);\n";
$psql->pump until $answers =~ /answer\|-?\d+\n/;
$node->stop('immediate');
eval { $psql->kill_kill };
$node->start;
is(spent('analyst'), 6, 'nor kill -9 of an open transaction whose answer was seen');

# ---- another name, another role
$node->psql('shop', 'CREATE VIEW public.others AS SELECT 1 AS x', extra_params => [ '-U', 'analyst' ]);
($status, $out, $err) = as('analyst', q{SELECT * FROM dmp.dp_count('others', 1)});
like($err, qr/is not a table/, 'a view is no table');
($status, $out, $err) = as('analyst', q{CREATE TABLE mine AS SELECT 1 AS x; SELECT * FROM dmp.set_privacy_budget('mine', 'analyst', 1000)});
like($err, qr/permission denied for function set_privacy_budget/, 'nobody gives himself a budget');
as('analyst', q{CREATE ROLE puppet LOGIN; GRANT analyst TO puppet});
$node->safe_psql('shop', 'GRANT analyst TO puppet');
($status, $out, $err) = as('puppet', q{SELECT privacy_unit FROM dmp.dp_count('people', 1)});
is($out, 'row', 'a role that is a member asks');
is(spent('analyst'), 7, 'and spends the same budget');
as('puppet', q{SET ROLE analyst; SELECT * FROM dmp.dp_count('people', 1)});
is(spent('analyst'), 8, 'and so does SET ROLE');
$node->safe_psql('shop', q{CREATE FUNCTION ask() RETURNS bigint LANGUAGE sql SECURITY DEFINER AS $$ SELECT value FROM dmp.dp_count('people', 1) $$});
as('analyst', 'SELECT ask()');
is(spent('analyst'), 9, 'a definer function spends what its caller has');
as('analyst', q{SELECT * FROM dmp.dp_count('people', 1)});
($status, $out, $err) = as('analyst', q{SELECT * FROM dmp.dp_count('people', 0.000001)});
like($err, qr/does not suffice.*costs 0\.000001, 0 of 10 is left/s, 'the end, said');
is($node->safe_psql('shop', q{SELECT count(*) FROM dmp.audit_log WHERE operation = 'B'}), 4, 'what was not rolled back is in the audit log');

# ---- eight at once
budget('people', 'team', 1);

my $asking = join '', map { $_ % 3 ? "SELECT value FROM dmp.dp_count('people', 0.013);\n" : "BEGIN; SELECT value FROM dmp.dp_count('people', 0.013); ROLLBACK;\n" } 1 .. 30;
my $script = $node->basedir . '/ask.sql';
append_to_file($script, $asking);
my @said = map { { out => '', err => '' } } 1 .. 8;
my @runs = map {
	IPC::Run::start([ 'psql', '-XAtq', '-h', $node->host, '-p', $node->port, '-U', 'colleague', '-d', 'shop', '-f', $script ],
		'>', \$_->{out}, '2>', \$_->{err})
} @said;
$_->finish foreach @runs;
my $got = 0;
$got += () = $_->{out} =~ /^-?\d+$/mg foreach @said;
is($got, 76, 'eight sessions with 240 questions: as many answers as 1 pays at 0.013');
is(spent('team'), '0.988', 'and that is what was spent');

# ---- averaging: a budget buys the same precision in whatever pieces
budget('people', 'team', 2);
my $mean = $node->safe_psql('shop', q{SELECT avg(value) FROM generate_series(1, 101) i, LATERAL dmp.dp_count('people', 0.01 + 0 * i)}, extra_params => [ '-U', 'colleague' ]);
cmp_ok(abs($mean - 1000), '<', 120, 'a hundred answers of 0.01');
($status, $out, $err) = as('colleague', q{SELECT * FROM dmp.dp_count('people', 0.01)});
like($err, qr/does not suffice/, 'then no more');

# ---- an old snapshot keeps no budget that was taken away
$node->safe_psql('shop', 'CREATE ROLE leaver LOGIN');
budget('people', 'leaver', 5);
my ($ask, $told) = ('', '');
my $old = IPC::Run::start([ 'psql', '-XAtq', '-h', $node->host, '-p', $node->port, '-U', 'leaver', '-d', 'shop' ], '<', \$ask, '>', \$told, '2>&1', IPC::Run::timer(60));
$ask .= "BEGIN ISOLATION LEVEL REPEATABLE READ;\nSELECT 'first', value FROM dmp.dp_count('people', 1);\n";
$old->pump until $told =~ /first\|-?\d+\n/;
budget('people', 'leaver', 0);
$ask .= "SELECT 'second', value FROM dmp.dp_count('people', 1);\n\\q\n";
$old->finish;
like($told, qr/does not suffice/, 'a budget taken away ends in transactions that began before');
unlike($told, qr/second\|/, 'and gives no answer');

# ---- nothing of the scan is told on the side
budget('people', 'team', 1000000);
($status, $out, $err) = as('colleague', q{SET client_min_messages = log; SET debug_print_plan = on; SET trace_sort = on; SELECT value IS NULL FROM dmp.dp_count('people', 0.1, by => 'id')});
unlike($err, qr/"id" "even" "age"/, 'no plan and no sort of the table');

# ---- noise: chi-squared of a million draws against the exact probabilities
foreach my $epsilon (1, 0.2)
{
	my $z = $node->safe_psql('shop', qq{
		WITH p AS (SELECT exp(-$epsilon) AS a, ceil(7 / $epsilon)::int AS cut),
		drawn AS (SELECT dmp.dp_noise($epsilon) AS x FROM generate_series(1, 1000000)),
		cells AS (SELECT least(greatest(x, -cut - 1), cut + 1)::int AS cell, count(*) AS n FROM drawn, p GROUP BY 1),
		expected AS (SELECT cell, 1000000 * CASE WHEN abs(cell) > cut THEN a ^ (cut + 1) / (1 + a) ELSE (1 - a) / (1 + a) * a ^ abs(cell) END AS e
			FROM p, generate_series(-cut - 1, cut + 1) cell),
		chi AS (SELECT sum((coalesce(n, 0) - e) ^ 2 / e) AS c, count(*) - 1 AS df FROM expected LEFT JOIN cells USING (cell))
		SELECT (cbrt(c / df) - 1 + 2.0 / (9 * df)) / sqrt(2.0 / (9 * df)) FROM chi});
	cmp_ok(abs($z), '<', 6.2, "a million draws at epsilon $epsilon, chi-squared as a normal deviate: $z");
}
is($node->safe_psql('shop', q{
	CREATE TEMP TABLE drawn (turn int, x numeric);
	SELECT setseed(0.42); INSERT INTO drawn VALUES (1, dmp.dp_noise(0.000001, 1000000000000));
	SELECT setseed(0.42); INSERT INTO drawn VALUES (2, dmp.dp_noise(0.000001, 1000000000000));
	SELECT count(DISTINCT x) FROM drawn}) =~ /2$/ ? 1 : 0, 1, 'setseed() foretells nothing');

# ---- neighbouring tables: the loss measured on answers is at most epsilon
$node->safe_psql('shop', q{
	CREATE TABLE small (id int, amount int, kind text);
	INSERT INTO small SELECT i, 3, 'a' FROM generate_series(1, 5) i;
	CREATE TABLE small_and_one AS TABLE small;
	INSERT INTO small_and_one SELECT 6, 1000, 'b' FROM generate_series(1, 50);  -- a person with many rows, beyond the bounds
});
budget($_, 'analyst', 1000000, ", 'id'") foreach 'small', 'small_and_one';
my %questions = (
	'dp_count' => [ 0.5, q{SELECT value FROM dmp.dp_count('%s', 0.5)} ],
	'dp_count, three rows of a person' => [ 0.6, q{SELECT value FROM dmp.dp_count('%s', 0.6, rows_per_subject => 3)} ],
	'dp_sum' => [ 0.7, q{SELECT value FROM dmp.dp_sum('%s', 'amount', 0.7, 0, 4)} ],
	'dp_count by keys' => [ 0.8, q{SELECT sum(value * CASE key WHEN 'a' THEN 100 ELSE 1 END) FROM dmp.dp_count('%s', 0.8, by => 'kind', keys => '{a,b}')} ],
	'dp_histogram' => [ 0.8, q{SELECT sum(value * (CASE bin WHEN 1 THEN 100 ELSE 1 END)) FROM dmp.dp_histogram('%s', 'amount', 0.8, 0, 4, bins => 2)} ],
);
foreach my $name (sort keys %questions)
{
	my ($epsilon, $question) = @{ $questions{$name} };
	my @sample;
	foreach my $table ('small', 'small_and_one')
	{
		my $sql = sprintf $question, $table;
		# a value of the outer row makes each one a question of its own
		$sql =~ s/, (0\.\d|1)([,)])/, $1 + 0 * i$2/;
		my %counts;
		$counts{$_}++ foreach split /\n/, $node->safe_psql('shop', "SELECT ($sql) FROM generate_series(1, 5000) i", extra_params => [ '-U', 'analyst' ]);
		push @sample, \%counts;
	}
	my ($worst, $estimate, $events) = (-9, 0, 0);
	my %values = map { $_ => 1 } map { keys %$_ } @sample;
	my @values = sort { $a <=> $b } keys %values;
	my @below = (0, 0);
	foreach my $value (@values)
	{
		$below[$_] += $sample[$_]{$value} // 0 foreach 0, 1;
		# this value, all up to it, all beyond it
		foreach my $pair ([ map { $sample[$_]{$value} // 0 } 0, 1 ], [@below], [ map { 5000 - $_ } @below ])
		{
			foreach my $way ($pair, [ reverse @$pair ])
			{
				my ($one, $other) = @$way;
				next if $one < 60 || $other < 20;
				$events++;
				my $loss = log($one / $other);
				my $bound = $loss - 7 * sqrt(1 / $one + 1 / $other);
				$worst = $bound if $bound > $worst;
				$estimate = $loss if $one > 400 && $other > 200 && $loss > $estimate;
			}
		}
	}
	cmp_ok($worst, '<=', $epsilon, sprintf('%s: privacy loss at most %g (seen: %.2f in %d events)', $name, $epsilon, $estimate, $events));
	cmp_ok($events, '>', 10, "$name: the measure sees something");
}

# ---- what was spent is in a dump
my $dump = $node->basedir . '/dump.sql';
$node->command_ok([ 'pg_dump', '-f', $dump, '-d', $node->connstr('shop') ], 'dump');
unlike(slurp_file($dump), qr/COPY dmp\.secret .*\n(?!\\\.)/, 'no keys in it');
$node->safe_psql('postgres', 'CREATE DATABASE copy');
$node->command_ok([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-f', $dump, '-d', $node->connstr('copy') ], 'restore');
is($node->safe_psql('copy', q{SELECT relation, role, epsilon, spent FROM dmp.privacy_spent WHERE relation = 'people'::regclass ORDER BY role::text}),
	$node->safe_psql('shop', q{SELECT relation, role, epsilon, spent FROM dmp.privacy_spent WHERE relation = 'people'::regclass ORDER BY role::text}),
	'budgets and what was spent are the same');
is($node->safe_psql('copy', q{SELECT dmp.pseudonym('a', 'b')}) ne $node->safe_psql('shop', q{SELECT dmp.pseudonym('a', 'b')}), 1, 'pseudonyms are not, without the key');
($status, $out, $err) = $node->psql('copy', q{SELECT * FROM dmp.dp_count('people', 1)}, extra_params => [ '-U', 'analyst' ]);
like($err, qr/0 of 10 is left/, 'nothing to gain from a restore');
my $key = $node->safe_psql('shop', q{SELECT dmp.export_key('pseudonym')});
is($node->safe_psql('copy', qq{SELECT action FROM dmp.import_key('pseudonym', '$key'); SELECT dmp.pseudonym('a', 'b')}),
	"replaced\n" . $node->safe_psql('shop', q{SELECT dmp.pseudonym('a', 'b')}), 'with it they are');
$node->safe_psql('shop', 'DROP EXTENSION dmp');
pass('the extension leaves');
$node->stop;
done_testing();
