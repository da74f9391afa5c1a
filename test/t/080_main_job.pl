# The demo's story on a tenth of its data, then the same database after a dump
# and a restore: what was made goes on working, and nothing is taken in twice.
use strict;
use warnings;
use File::Basename;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $demo = dirname(__FILE__) . '/../demo.d';
my $data = PostgreSQL::Test::Utils::tempdir;
chmod 0755, $data;
system_or_bail($^X, "$demo/generate.pl", $data, 2000, 20_000);

my $node = PostgreSQL::Test::Cluster->new('main_job');
$node->init(extra => [ '--encoding=UTF8', '--locale=C.UTF-8' ]);
$node->append_conf('postgresql.conf', "timezone = 'UTC'\nwork_mem = '32MB'");
$node->start;
$node->safe_psql('postgres', 'CREATE DATABASE shop');

# the demo stops with an error where its own checks fail
for my $step (qw(1_ingest 2_clean 3_features 4_train 5_score 6_govern))
{
	$node->command_ok(
		[ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-v', "json=$data/user_behavior.json", '-v', "data=$data",
			'-d', $node->connstr('shop'), '-f', "$demo/$step.sql" ],
		"the demo's $step");
}

sub shop
{
	return $node->safe_psql('shop', shift);
}

# a person's truth, known to the generator, is what the model is measured against
my ($best, $model) = split /\|/, shop(q{
	SELECT dmp.roc_auc(t.probability, h.label), dmp.roc_auc(dmp.predict('buyers', h), h.label)
	FROM training h JOIN demo.truth t USING (user_id)});
note("best AUC $best, the model's $model");
cmp_ok($model, '>', $best - 0.03, 'the model comes near the best AUC there is');
cmp_ok($model, '<', $best + 0.03, 'and not past it');

# dump and restore
my $file = "$data/shop.sql";
$node->command_ok([ 'pg_dump', '-f', $file, $node->connstr('shop') ], 'pg_dump');
$node->safe_psql('postgres', 'CREATE DATABASE restored');
$node->command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('restored'), '-f', $file ], 'restore');

my %same = (
	'models' => q{SELECT model, version, deployed, status, rows, features, roc_auc FROM dmp.models ORDER BY 1, 2},
	'coefficients' => q{SELECT model, version, feature, level, coef FROM dmp.coefficients ORDER BY 1, 2, 3, 4},
	'predictions' => q{SELECT sum(dmp.predict('buyers', t)) FROM (SELECT * FROM training ORDER BY user_id) AS t},
	'sources' => q{SELECT source FROM dmp.sources ORDER BY 1},
	'quarantine' => q{SELECT source, reason, count(*), md5(string_agg(record, '' ORDER BY id)) FROM dmp.quarantine GROUP BY 1, 2 ORDER BY 1, 2},
	'batches' => q{SELECT batch, source, rows_read, rows_loaded, rows_duplicate, rows_quarantined FROM dmp.batches ORDER BY 1},
	'features' => q{SELECT md5(string_agg(f::text, '' ORDER BY user_id)) FROM feature.users_at('2024-04-15Z') AS f},
	'scores' => q{SELECT count(*), sum(score) FROM bi.scores});
for my $what (sort keys %same)
{
	my $restored = eval { $node->safe_psql('restored', $same{$what}) } // "error: $@";
	is($restored, shop($same{$what}), "$what are the same after the restore");
}

for my $database ('shop', 'restored')
{
	is($node->safe_psql($database, q{SELECT rows_read, rows_loaded FROM dmp.ingest('clicks')}),
		'0|0', "$database: nothing is taken in twice");
	$node->safe_psql($database, q{INSERT INTO lake.clicks (line) VALUES ('{"click_id": 1, "user_id": "7"}')});
	is($node->safe_psql($database, q{SELECT rows_read, rows_loaded FROM dmp.ingest('clicks')}),
		'1|1', "$database: a new line is");
	is($node->safe_psql($database,
			q{SELECT status, version > 1 FROM dmp.train('buyers', 'train', 'label', lambda => 0.01, exclude => '{user_id,at}')}),
		'converged|t', "$database: and the model can be trained again");
}

$node->stop;
done_testing();
