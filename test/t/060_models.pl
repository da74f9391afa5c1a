# Models outlive what happens to a server: dump and restore, crash, standby;
# and a session on a standby sees a new champion.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('primary');
$node->init(allows_streaming => 1);
$node->start;

sub sql
{
	return $node->safe_psql('postgres', @_);
}

sql(q{
	CREATE EXTENSION dmp;
	CREATE ROLE ann;
	CREATE ROLE bob;
	CREATE ROLE gone;
	GRANT CREATE ON SCHEMA public TO ann, gone;
	SET ROLE ann;
	CREATE TABLE visit AS
	SELECT i AS id, i % 97 / 97.0::float8 AS pages, (ARRAY['DE', 'FR', '"; --', NULL])[1 + i % 4] AS land, i * 31337 % 1009 < 400 + 3 * (i % 97) AS buys
	FROM generate_series(1, 1000) i;
	SELECT dmp.train('buyers', 'visit', 'buys', key => '{id}', test_fraction => 0.2);
	SELECT dmp.train('buyers', 'visit', 'buys', key => '{id}', lambda => 0.01, alpha => 0.5);
	SELECT dmp.deploy('buyers', 1);
	SELECT dmp.train('"; --', 'visit', 'buys', features => '{land}');
	SELECT dmp.set_threshold('buyers', 0.4);
	SELECT dmp.grant_model('buyers', 'bob');
	GRANT SELECT ON visit TO gone, bob;
	SET ROLE gone;
	SELECT dmp.train('left', 'visit', 'buys', features => '{pages}');
	RESET ROLE;
});

my %reads = (
	'models' => q{SELECT model, version, deployed, pinned, owner, status, lambda, roc_auc, test_roc_auc, query, key, trained_at FROM dmp.models ORDER BY 1, 2},
	'coefficients' => q{SELECT md5(string_agg(c::text, ',' ORDER BY model, version, position)) FROM dmp.coefficients c WHERE model <> 'left'},
	'predictions' => q{SELECT md5(string_agg(dmp.predict('buyers', v) || dmp.classify('buyers@2', v) || dmp.predict('"; --', v), ',' ORDER BY id)) FROM visit v},
	'deployments' => q{SELECT model, version, replaced, act, deployed_at FROM dmp.deployments ORDER BY deployed_at},
	'the summary' => q{SELECT * FROM dmp.summary('buyers')},
);

sub as_ann
{
	my ($on, $sql) = @_;
	return $on->safe_psql('postgres', "SET ROLE ann; SET TimeZone = 'UTC'; $sql");
}

my %before = map { $_ => as_ann($node, $reads{$_}) } keys %reads;
isnt($before{$_}, '', "$_ before") foreach sort keys %reads;

# ---- a standby: what is read there, and a new champion reaching a session that has the old one

$node->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'base', has_streaming => 1);
$standby->start;
$node->wait_for_catchup($standby);
is(as_ann($standby, $reads{$_}), $before{$_}, "$_ on the standby") foreach sort keys %reads;
my $session = $standby->background_psql('postgres');
my $one = q{SELECT dmp.predict('buyers', '{"pages": 0.9, "land": "DE"}');};
my $first = $session->query_safe($one);
sql(q{SET ROLE ann; SELECT dmp.deploy('buyers', 2)});
$node->wait_for_catchup($standby);
isnt($session->query_safe($one), $first, 'a session on the standby follows the champion');
sql(q{SET ROLE ann; SELECT dmp.deploy('buyers', 1)});
$node->wait_for_catchup($standby);
is($session->query_safe($one), $first, 'and back');
$session->quit;
my ($status, $out, $err) = $standby->psql('postgres', q{SELECT dmp.train('x', 'visit', 'buys', features => '{pages}')});
like($err, qr/cannot execute dmp\.train\(\) (in a read-only transaction|during recovery)/, 'training on a standby is refused');
$standby->stop;
sql(q{SET ROLE ann; SELECT dmp.rollback('buyers'); SELECT dmp.deploy('buyers', 1)});
%before = map { $_ => as_ann($node, $reads{$_}) } keys %reads;

# ---- a crash

$node->stop('immediate');
$node->start;
is(as_ann($node, $reads{$_}), $before{$_}, "$_ after a crash") foreach sort keys %reads;

# ---- dump and restore, where one role is missing

my $dump = $node->backup_dir . '/models.sql';
$node->command_ok([ 'pg_dump', '-f', $dump, $node->connstr('postgres') ], 'pg_dump');
my $new = PostgreSQL::Test::Cluster->new('restored');
$new->init;
$new->start;
$new->safe_psql('postgres', 'CREATE ROLE ann; CREATE ROLE bob');
IPC::Run::run [ 'psql', '-X', '-q', '-f', $dump, $new->connstr('postgres') ], '>', \$out, '2>', \$err;
my @errors = grep { !/role "gone" does not exist/ } $err =~ /ERROR: +(.*)/g;
is_deeply(\@errors, [], 'restore complains about the missing role only');
is(as_ann($new, $reads{$_}), $before{$_}, "$_ after a restore") foreach sort keys %reads;
is($new->safe_psql('postgres', q{SELECT owner = current_user::regrole FROM dmp.models WHERE model = 'left'}),
	't', 'the model of a missing role belongs to who restores');
is($new->safe_psql('postgres', q{SET ROLE bob; SELECT dmp.predict('buyers', '{"pages": 0.9, "land": "DE"}') IS NOT NULL}),
	't', 'a grant is restored');
is(as_ann($new, q{SELECT version, deployed FROM dmp.train('buyers', 'visit', 'buys', features => '{pages}')}),
	'3|f', 'versions go on, and the pinned champion stays');
is(as_ann($new, q{SELECT version FROM dmp.rollback('buyers')}), '2', 'history goes on');

$new->stop;
$node->stop;
done_testing();
