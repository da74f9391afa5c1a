# pg_dump and restore into another cluster: what was made goes on working, with
# another system identifier, with roles and without.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $old = PostgreSQL::Test::Cluster->new('old');
$old->init;
$old->start;

sub sql
{
	return $old->safe_psql('postgres', @_);
}

sub as_ann
{
	my ($node, $sql) = @_;
	return $node->safe_psql('postgres', "SET ROLE ann; $sql");
}

sql(q{
	CREATE EXTENSION dmp;
	CREATE ROLE ann;
	CREATE ROLE gone;
	SELECT dmp.setup('ann', 'gone');
	GRANT CREATE ON SCHEMA public TO ann, gone;
});

# ---- feature sets: plain, with entities, by another role, of a renamed table, with an awkward name

as_ann($old, q{
	CREATE TABLE events (user_id int, click_time timestamptz, device text, value numeric);
	INSERT INTO events SELECT i % 50, timestamptz '2024-01-01Z' + i * interval '1 hour', (ARRAY['web', 'mobile'])[1 + i % 2], i % 7
	FROM generate_series(1, 2000) i;
	CREATE TABLE people AS SELECT generate_series(1, 60) AS user_id;
	SELECT dmp.create_feature_set('users', 'events', 'user_id', 'click_time', '{"clicks": {"agg": "count", "windows": ["7d"]},
		"spend": {"agg": "sum", "of": "value"}, "mobile": {"agg": "count", "where": "device = ''mobile''"}, "recency": {"agg": "recency"}}');
	SELECT dmp.create_feature_set('all; --', 'events', 'user_id', 'click_time', '{"n": {"agg": "count", "windows": ["1mon"]}}',
		entities => 'people', delay => '1 hour');
	ALTER TABLE events RENAME TO clicks;
	GRANT SELECT ON feature.users TO gone;
	SELECT dmp.labels('users', 'value > 5', '3 days', '{2024-02-01 00:00Z,2024-02-15 00:00Z}', 'labels');
	SELECT dmp.training_set('{users,"all; --"}', 'labels', 'training');
	ALTER TABLE training RENAME TO trained;
});
$old->safe_psql('postgres', q{
	SET ROLE gone;
	CREATE TABLE visits (id text, at date);
	INSERT INTO visits VALUES ('a', '2024-01-01');
	SELECT dmp.create_feature_set('visits', 'visits', 'id', 'at', '{"n": {"agg": "count"}}');
});

# ---- models: two versions, the first deployed by hand, one granted to a role that will be missing

as_ann($old, q{
	UPDATE labels SET label = (user_id * 7919) % 10 < 4;
	SELECT dmp.training_set('{users,"all; --"}', 'labels', 'trained', if_exists => 'replace');
	SELECT dmp.train('buyers', 'trained', 'label', lambda => 0.01);
	SELECT dmp.train('buyers', 'trained', 'label', lambda => 0.1, alpha => 0.5, test_fraction => 0.3);
	SELECT dmp.deploy('buyers', 1);
	SELECT dmp.set_threshold('buyers', 0.45);
	SELECT dmp.train('granted', 'trained', 'label', lambda => 0.2);
	SELECT dmp.grant_model('granted', 'gone');
});

# ---- a source: lines taken, lines refused, lines not yet looked at

# transaction ids far above those of the new cluster: what was taken must not be told by them
sql('DO $$ BEGIN FOR i IN 1 .. 5000 LOOP PERFORM pg_current_xact_id(); COMMIT; END LOOP; END $$');
as_ann($old, q{
	CREATE TABLE orders (id bigint, at timestamptz, amount numeric, batch bigint);
	SELECT dmp.create_source('shop', into_table => 'orders', key => '{id}', mapping => '{"id": "id", "at": "at", "amount": "amount", "batch": "$batch"}');
	INSERT INTO lake.shop (line) SELECT format('{"id": %s, "at": "2024-01-01T00:00:00Z", "amount": "%s"}', i, CASE WHEN i % 100 = 0 THEN 'much' ELSE i::text END)
	FROM generate_series(1, 500) i;
	SELECT dmp.ingest('shop');
	INSERT INTO lake.shop (line) VALUES ('{"id": 1, "amount": 1}'), ('{"id": 501, "amount": 7}'), ('no json');
});

# ---- recipes: versions, runs that go on with what is new, by a key and by transactions

as_ann($old, q{
	CREATE TABLE raw (id int, v text);
	INSERT INTO raw SELECT i, CASE WHEN i % 5 = 0 THEN 'x' ELSE i::text END FROM generate_series(1, 20) i;
	SELECT dmp.create_recipe('tidy', '[]');
	SELECT dmp.alter_recipe('tidy', '[{"cast": {"v": "float8"}}, {"fill": {"v": "mean"}}, {"deduplicate": ["v"]}]');
	SELECT dmp.run_recipe('tidy', 'raw', 'tidied', 'append', new_rows => '{id}');
	INSERT INTO raw VALUES (21, NULL), (22, '7'), (23, '100');
	SELECT dmp.create_source('notes');
	INSERT INTO lake.notes (line) VALUES ('a'), ('b');
	SELECT dmp.run_recipe('tidy@1', 'lake.notes', 'noted', 'append', new_rows => '{xact,cluster}');
	INSERT INTO lake.notes (line) VALUES ('c');
	SELECT dmp.create_source('shaped', into_table => 'tidied', recipe => '[{"trim": "v"}]');
});

my %reads = (
	'recipes' => q{SELECT recipe, version, latest, owner, document FROM dmp.recipes ORDER BY 1, 2},
	'runs' => q{SELECT run, recipe, version, into_table, rows_in, rows_out, cells_changed, rows_quarantined, state, done_by FROM dmp.recipe_runs ORDER BY 1},
	'a run explained' => q{SELECT count(*), count(reason) FROM dmp.cell_history((SELECT min(run) FROM dmp.recipe_runs))},
	'predictions' => q{SELECT md5(string_agg(dmp.predict('buyers', t)::text || dmp.predict('buyers@2', t)::text || dmp.classify('buyers', t), ',' ORDER BY user_id, at)) FROM trained t},
	'models' => q{SELECT model, version, deployed, owner, status, rows, log_loss, trained_at FROM dmp.models ORDER BY model, version},
	'coefficients' => q{SELECT model, version, feature, coef, std_err FROM dmp.coefficients ORDER BY 1, 2, 3, level},
	'metrics of models' => q{SELECT model, version, dataset, metric, value FROM dmp.model_metrics ORDER BY 1, 2, 3, 4},
	'deployments' => q{SELECT * FROM dmp.deployments ORDER BY 1, 2, 3},
	'what a statistician reads' => q{SELECT * FROM dmp.summary('buyers')},
	'rows loaded' => q{SELECT count(*), sum(amount), count(DISTINCT batch) FROM orders},
	'quarantine' => q{SELECT count(*), min(column_name), min(record) FROM dmp.quarantine WHERE state = 'open'},
	'batches' => q{SELECT batch, source, rows_read, rows_loaded, rows_duplicate, rows_quarantined FROM dmp.batches ORDER BY 1},
	'features at a time' =>
	  q{SELECT md5(string_agg(u::text, ',' ORDER BY user_id)) FROM feature.users_at('2024-02-10Z') u},
	'features of one entity' => q{SELECT * FROM feature.users_for(7, '2024-02-10Z')},
	'the view' => q{SELECT count(*), sum(spend) FROM feature.users},
	'features of given entities' => q{SELECT count(*), sum(n_1mon) FROM feature."all; --_at"('2024-02-10Z')},
	'the list of feature sets' =>
	  q{SELECT name, version, events, entity, features, delay FROM dmp.feature_sets WHERE name <> 'visits' ORDER BY name},
	'the SQL of a feature set' => q{SELECT dmp.feature_sql('users')},
	'the training set' => q{SELECT md5(string_agg(t::text, ',' ORDER BY user_id, at)) FROM trained t},
);
my @acts = (
	'a new version of a model' => q{
		SELECT model, version, deployed, status FROM dmp.train('buyers', 'trained', 'label', lambda => 0.05);
		SELECT count(*) FROM dmp.coefficients WHERE model = 'buyers' AND feature IN ('user_id', 'at');}, "buyers|3|f|converged\n0",
	'a rollback' => q{
		SELECT count(*) FROM dmp.deploy('buyers', 3);
		SELECT count(*) FROM dmp.rollback('buyers');
		SELECT version FROM dmp.models WHERE model = 'buyers' AND deployed;}, "1\n1\n1",
	'an update of a model' => q{SELECT version, status FROM dmp.update_model('granted', 'trained')}, '2|converged',
	'runs over what is new' => q{
		SELECT rows_in, rows_out FROM dmp.run_recipe('tidy', 'raw', 'tidied', 'append', new_rows => '{id}') WHERE step = 3;
		SELECT round(v) FROM tidied WHERE id > 20 ORDER BY id;
		SELECT rows_in FROM dmp.run_recipe('tidy', 'raw', 'tidied', 'append', new_rows => '{id}') WHERE step = 3;
		SELECT count(*) FROM dmp.run_recipe('tidy@1', 'lake.notes', 'noted', 'append', new_rows => '{xact,cluster}');
		INSERT INTO lake.notes (line) VALUES ('d');
		SELECT count(*) FROM dmp.run_recipe('tidy@1', 'lake.notes', 'noted', 'append', new_rows => '{xact,cluster}');
		SELECT string_agg(line, '' ORDER BY line) FROM noted;}, "3|2\n10\n100\n0\n0\n0\nabcd",
	'a source with a recipe' => q{
		INSERT INTO lake.shaped (line) VALUES ('{"id": 30, "v": " 1.5 "}');
		SELECT rows_loaded FROM dmp.ingest('shaped');}, '1',
	'ingest of the rest, once' => q{
		SELECT rows_read, rows_loaded, rows_duplicate, rows_quarantined FROM dmp.ingest('shop');
		SELECT rows_read, rows_loaded, rows_duplicate, rows_quarantined FROM dmp.ingest('shop');}, "3|1|1|1\n0|0|0|0",
	'ingest of new lines' => q{
		INSERT INTO lake.shop (line) SELECT format('{"id": %s, "amount": 1}', i) FROM generate_series(500, 600) i;
		SELECT rows_read, rows_loaded, rows_duplicate, rows_quarantined FROM dmp.ingest('shop');
		SELECT count(*) FROM orders;}, "101|100|1|0\n596",
	'retry of quarantine' => q{
		UPDATE dmp.quarantine SET record = replace(record, 'much', '9') WHERE source = 'shop';
		SELECT rows_read, rows_loaded, rows_quarantined FROM dmp.retry_quarantine('shop');
		SELECT count(*) FROM orders;}, "6|4|1\n600",
	'a batch undone' => q{SELECT into_table, rows_deleted FROM dmp.revert_batch((SELECT min(batch) FROM dmp.batches))}, "orders|495",
	'a training set' => q{
		SELECT * FROM dmp.training_set('{users,"all; --"}', 'labels', 'again');
		SELECT count(*) FROM (TABLE trained EXCEPT TABLE again) d;
		DROP TABLE again;}, qr/^\d+\|5\n0$/,
	'a new version' => q{
		SELECT * FROM dmp.alter_feature_set('users', add => '{"pace": {"agg": "rate", "windows": ["7d"]}}');
		SELECT version FROM dmp.feature_sets WHERE name = 'users';
		SELECT count(pace_7d) FROM feature.users_at('2024-02-10Z');}, "feature.users|5\n2\n50",
);

my %before = map { $_ => as_ann($old, $reads{$_}) } keys %reads;
isnt($before{$_}, '', "$_ before") foreach sort keys %reads;

my $dump = $old->backup_dir . '/all';
mkdir $old->backup_dir;
$old->command_ok([ 'pg_dump', '-Fc', '-f', $dump, $old->connstr('postgres') ], 'pg_dump');

# ---- another cluster; of the two roles one is not there

my $new = PostgreSQL::Test::Cluster->new('new');
$new->init;
$new->start;
isnt($new->safe_psql('postgres', 'SELECT system_identifier FROM pg_control_system()'),
	sql('SELECT system_identifier FROM pg_control_system()'), 'another cluster');
$new->safe_psql('postgres', 'CREATE ROLE ann');
# grants to and objects of the missing role are the only errors
my ($out, $err);
IPC::Run::run [ 'pg_restore', '-d', $new->connstr('postgres'), $dump ], '>', \$out, '2>', \$err;
my @errors = grep { !/role "gone" does not exist/ } $err =~ /error: could not execute query: ERROR: +(.*)/g;
is_deeply(\@errors, [], 'restore complains about the missing role only');

# the grants of a schema are one entry of the dump: the missing role takes the others with it
$new->safe_psql('postgres', q{SELECT dmp.setup('ann'); GRANT CREATE ON SCHEMA public TO ann});

is(as_ann($new, $reads{$_}), $before{$_}, "$_ after") foreach sort keys %reads;
while (my ($what, $act, $expected) = splice(@acts, 0, 3))
{
	my $out = as_ann($new, $act);
	is($out, as_ann($old, $act), "$what in both");
	ref $expected ? like($out, $expected, $what) : is($out, $expected, $what);
}
is($new->safe_psql('postgres', q{SELECT name, owner FROM dmp.feature_sets ORDER BY name COLLATE "C"}),
	"all; --|ann\nusers|ann\nvisits|" . $new->safe_psql('postgres', 'SELECT current_user'),
	'what belonged to a missing role belongs to who restores');
is($new->safe_psql('postgres', q{SELECT * FROM feature.visits_at('2024-02-01Z')}), 'a|1',
	'and works');
is($new->safe_psql('postgres', q{SELECT dmp.drop_feature_set('visits'); SELECT count(*) FROM dmp.feature_sets}),
	"(\"function feature.visits_at(timestamp with time zone)\",dropped)\n"
	  . "(\"function feature.visits_for(text,timestamp with time zone)\",dropped)\n"
	  . "(\"view feature.visits\",dropped)\n2",
	'and can be dropped');

# a dump of the restored database goes back in, in plain text
my $plain = $new->backup_dir . '/plain.sql';
mkdir $new->backup_dir;
$new->command_ok([ 'pg_dump', '-f', $plain, $new->connstr('postgres') ], 'pg_dump of the restored database');
$new->safe_psql('postgres', 'CREATE DATABASE again');
$new->command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-f', $plain, $new->connstr('again') ],
	'restore of it');
is($new->safe_psql('again', "SET ROLE ann; $reads{'features at a time'}"),
	as_ann($new, $reads{'features at a time'}), 'the same features');

$new->stop;
$old->stop;
done_testing();
