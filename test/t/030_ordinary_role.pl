# The contract by a role that is nothing but a login, after dmp.setup: every
# function of ingest, clean, feature, learn and score, in the order of the main
# job, on tables of its own. Then what it may not.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('ordinary');
$node->init;
$node->start;
$node->safe_psql('postgres', q{
	CREATE ROLE ann LOGIN;
	CREATE ROLE bob LOGIN;
	CREATE DATABASE shop;
});
$node->safe_psql('shop', q{
	CREATE EXTENSION dmp;
	SELECT dmp.setup('ann');
	CREATE SCHEMA ann AUTHORIZATION ann;
	SELECT dmp.grant_context('ann', '{acme}', '{support}'), dmp.set_default_context('ann', '{"tenant": "acme"}');
});
is($node->safe_psql('shop', q{SELECT rolsuper OR rolcreaterole OR rolcreatedb FROM pg_roles WHERE rolname = 'ann'}),
	'f', 'an ordinary role');

my $lines = $node->basedir . '/user_behavior.json';
open my $file, '>', $lines or die $!;
srand(7);
for my $i (1 .. 3000)
{
	my $user = int(rand 150);
	my $day = 1 + int(rand 28);
	my $month = 1 + int(rand 3);
	my $order = rand() < ($user % 3 == 0 ? 0.3 : 0.02) ? $i % 90 : 'null';
	my $extra = $i % 500 == 0 ? ', "click_time": "some day"' : '';
	printf $file
	  qq({"click_id": %d, "user_id": %d, "click_time": "2024-%02d-%02d 10:00:00Z", "click_duration": "%d", "device": "%s", "order_value": %s}\n),
	  $i, $user, $month, $day, $i % 300, ('web', ' mobile ', 'N/A')[ $i % 3 ], $order
	  unless $extra;
	printf $file qq({"click_id": %d, "user_id": %d, "click_time": "some day"}\n), $i, $user if $extra;
}
print $file "{broken\n";
print $file qq({"click_id": 1, "user_id": 1, "click_time": "2024-01-01Z"}\n);
close $file;

# as a role: (exit status, output, errors), one session
sub as_role
{
	my ($role, $sql) = @_;
	return $node->psql('shop', $sql, extra_params => [ '-U', $role ],
		on_error_stop => 1);
}

my %there = map { $_ => 1 } split /\n/, $node->safe_psql('shop', q{SELECT DISTINCT proname FROM pg_proc WHERE pronamespace = 'dmp'::regnamespace});

# label => statement; what is expected of the output
my @contract = (
	# ---- ingest
	'create_source without a table' => q{SELECT source, lake_table FROM dmp.create_source('raw')}, qr/^raw\|lake\.raw$/m,
	'create_source with a table and a key' => q{
		CREATE TABLE clicks (click_id bigint, user_id int, click_time timestamptz, click_duration text, device text, order_value numeric);
		SELECT source, lake_table FROM dmp.create_source('web', into_table => 'clicks', format => 'json', key => '{click_id}', missing => '{N/A}')},
	qr/^web\|lake\.web$/m,
	'copy_command' => sub {
		my ($status, $out, $err) = as_role('ann', q{SELECT copy_command FROM dmp.create_source('copied')});
		return ($status, $out, $err) if $status;
		# the command has a placeholder for the file; it is for psql
		$out =~ s/'[^']*'/'$lines'/ unless $out =~ s/FROM '[^']*'/FROM '$lines'/i || $out =~ s/from '[^']*'/from '$lines'/;
		($status, my $copied, $err) = as_role('ann', $out);
		($status, $copied, $err) = as_role('ann', q{SELECT count(*) FROM lake.copied}) unless $status;
		return ($status, $copied, $err);
	}, qr/^3002$/,
	'lines into the lake' => qq{\\set q `cat $lines | head -c 0`
		CREATE TEMP TABLE t (line text);
		\\copy t from '$lines' csv quote e'\\x01' delimiter e'\\x02'
		INSERT INTO lake.web (line) SELECT line FROM t}, qr/^$/,
	'ingest' => q{SELECT rows_read, rows_loaded, rows_duplicate, rows_quarantined FROM dmp.ingest('web')}, qr/^3002\|2994\|1\|7$/,
	'again' => q{SELECT rows_read, rows_loaded FROM dmp.ingest('web')}, qr/^0\|0$/,
	'sources' => q{SELECT count(*) FROM dmp.sources}, qr/^3$/,
	'batches' => q{SELECT sum(rows_read), sum(rows_loaded + rows_duplicate + rows_quarantined) FROM dmp.batches}, qr/^3002\|3002$/,
	'quarantine' => q{SELECT count(*), count(DISTINCT reason) > 1, count(*) FILTER (WHERE column_name = 'click_time') FROM dmp.quarantine WHERE source = 'web' AND state = 'open'}, qr/^7\|t\|6$/,
	'correct and retry' => q{
		UPDATE dmp.quarantine SET record = replace(record, 'some day', '2024-02-01Z') WHERE column_name = 'click_time';
		SELECT rows_read, rows_loaded FROM dmp.retry_quarantine('web')}, qr/^7\|6$/,
	'discard' => q{SELECT * FROM dmp.discard_quarantine(ARRAY(SELECT id FROM dmp.quarantine WHERE state = 'open'), 'noise')}, qr/^1\|/,
	'infer_schema' => q{INSERT INTO lake.raw (line) SELECT line FROM lake.web; SELECT type FROM dmp.infer_schema('raw') WHERE column_name = 'user_id'}, qr/int/,
	'infer_schema_sql' => q{SELECT dmp.infer_schema_sql('raw', 'inferred') \gexec
		SELECT count(*) FROM inferred}, qr/^0$/,
	'alter_source' => q{SELECT 1 FROM dmp.alter_source('raw', into_table => 'inferred')}, qr/1/,
	'ingest into it' => q{SELECT rows_read > 0, rows_loaded > 0 FROM dmp.ingest('raw')}, qr/^t\|t$/,
	'revert_batch' => q{
		CREATE TABLE numbered (click_id bigint, batch bigint);
		SELECT 1 FROM dmp.create_source('numbered', into_table => 'numbered', mapping => '{"click_id": "click_id", "batch": "$batch"}');
		INSERT INTO lake.numbered (line) VALUES ('{"click_id": 1}'), ('{"click_id": 2}');
		SELECT batch FROM dmp.ingest('numbered') \gset
		SELECT rows_deleted FROM dmp.revert_batch(:batch)}, qr/^2$/m,
	'replay' => q{SELECT rows_read, rows_loaded FROM dmp.replay('numbered', (now() AT TIME ZONE 'UTC')::date - 1, (now() AT TIME ZONE 'UTC')::date)}, qr/^2\|2$/,
	'drop_lake_days' => q{
		INSERT INTO lake.numbered (received_at, line) VALUES ('2024-06-01', '{"click_id": 3}');
		SELECT rows_read FROM dmp.ingest('numbered');
		SELECT action, rows FROM dmp.drop_lake_days('numbered', '2024-06-02')}, qr/^emptied\|1$/m,
	'decode' => q{SELECT (dmp.decode('{"click_id": 7, "device": "web"}', NULL::clicks)).click_id}, qr/^7$/,
	'parse_weblog' => q{SELECT (dmp.parse_weblog('::1 - - [10/Oct/2000:13:55:36 -0700] "GET / HTTP/1.0" 200 1')).status}, qr/^200$/,
	'parse_url' => q{SELECT (dmp.parse_url('http://a.example/?b=c')).query}, qr/^\{"b": "c"\}$/,
	'parse_user_agent' => q{SELECT (dmp.parse_user_agent('curl/8.5.0')).browser}, qr/^curl$/,
	'drop_source' => q{SELECT count(*) >= 0 FROM dmp.drop_source('numbered')}, qr/^t$/,
	# ---- clean
	'try_cast' => q{SELECT dmp.try_cast('12', 0), dmp.try_cast('x', 0) IS NULL}, qr/^12\|t$/,
	'clean_text' => q{SELECT dmp.clean_text('  a   b ')}, qr/^a b$/,
	'clean_number' => q{SELECT dmp.clean_number('$1,234.50')}, qr/^1234\.50$/,
	'clean_email' => q{SELECT dmp.clean_email('Ann <Ann@x.org>')}, qr/^ann\@x\.org$/,
	'clean_phone' => q{SELECT dmp.clean_phone('138 0013 8000')}, qr/^\+8613800138000$/,
	'parse_quantity' => q{SELECT * FROM dmp.parse_quantity('12.0 oz')}, qr/^12\.0\|oz$/,
	'row_hash' => q{SELECT dmp.row_hash(ROW(1, 'a')) = dmp.row_hash(ROW(1, 'a'))}, qr/^t$/,
	'clean_url' => q{SELECT dmp.clean_url('Example.org:80/a/..')}, qr{^http://example\.org/$},
	'parse_person_name' => q{SELECT given, family FROM dmp.parse_person_name('Dr. Ludwig van Beethoven')}, qr/^Ludwig\|van Beethoven$/,
	'codes' => q{SELECT dmp.is_luhn('79927398713'), dmp.clean_iban('GB82 WEST 1234 5698 7654 32')}, qr/^t\|GB82WEST12345698765432$/,
	'keys' => q{SELECT dmp.fingerprint('Cruise, Tom'), dmp.ngram_fingerprint('Paris'), dmp.jaro_winkler('a', 'a')}, qr/^cruise tom\|arispari\|1$/,
	'parse_time' => q{SELECT dmp.parse_time('2024-06-01 12:00+08') = '2024-06-01 04:00Z', dmp.parse_time('6/7/2024', '{MM/DD/YYYY}') = '2024-06-07Z'}, qr/^t\|t$/,
	'isolation' => q{SELECT x FROM (SELECT x, x AS column1 FROM (VALUES (1), (2), (3), (4), (100)) v(x)) t ORDER BY dmp.isolation_score((SELECT dmp.isolation_forest('VALUES (1), (2), (3), (4), (100)')), t) DESC LIMIT 1}, qr/^100$/,
	'statistics' => q{SELECT dmp.median(x), dmp.mad(x), dmp.quantiles(x, '{0,1}') FROM generate_series(1, 9) x}, qr/^5\|2\|\{1,9\}$/,
	'windows' => q{SELECT string_agg(f, ','), min(z), max(m), min(r) FROM (SELECT dmp.fill_forward(CASE x WHEN 1 THEN 'a' END) OVER w AS f, dmp.z_score(x) OVER w AS z,
		dmp.min_max(x) OVER w AS m, dmp.robust_scale(x) OVER w AS r FROM (VALUES (1), (3)) t(x) WINDOW w AS (ORDER BY x)) q}, qr/^a,a\|-1\|1\|-1$/,
	'clean' => q{SELECT count(*) FROM dmp.clean('clicks', 'events', '[{"trim": "*"}, {"missing": ["N/A"]}, {"drop_missing": ["user_id"]},
		{"cast": {"click_duration": "float8"}}, {"deduplicate": ["click_id"], "keep": "last", "by": "click_time"}, {"scale": {"click_duration": {"divide": 60}}},
		{"fill": {"device": "mode", "click_duration": "median"}}, {"require": "order_value IS NULL OR order_value >= 0"},
		{"rename": {"click_duration": "minutes"}}]') WHERE rows_out > 0}, qr/^[1-9]/,
	'cleaned' => q{SELECT count(*), count(DISTINCT device), max(minutes) < 5 FROM events}, qr/^3000\|2\|t$/,
	'cluster_values' => q{SELECT count(*) FROM dmp.cluster_values('SELECT * FROM (VALUES (''a b''), (''B a'')) v(x)', 'x')}, qr/^2$/,
	'suggest_recipe' => q{SELECT step FROM dmp.suggest_recipe('SELECT '' a '' || i AS x FROM generate_series(1, 9) i')}, qr/trim/,
	'clean_sql' => q{SELECT dmp.clean_sql('clicks', '[{"trim": "*"}]') ~* 'select'}, qr/^t$/,
	'recipe_steps' => q{SELECT count(*) > 5 FROM dmp.recipe_steps}, qr/^t$/,
	'create_recipe' => q{SELECT version, steps FROM dmp.create_recipe('tidy', '[{"trim": "*"}]')}, qr/^1\|1$/,
	'alter_recipe' => q{SELECT version, steps FROM dmp.alter_recipe('tidy', '[{"trim": "*"}, {"drop_missing": ["user_id"]}]')}, qr/^2\|2$/,
	'recipes' => q{SELECT recipe, version, latest, owner FROM dmp.recipes ORDER BY version}, qr/^tidy\|1\|f\|ann\ntidy\|2\|t\|ann$/,
	'run_recipe' => q{SELECT min(rows_out) FROM dmp.run_recipe('tidy@1', 'clicks', 'tidied')}, qr/^3000$/,
	'recipe_runs' => q{SELECT recipe, version, rows_in, done_by FROM dmp.recipe_runs WHERE into_table = 'tidied'::regclass}, qr/^tidy\|1\|3000\|ann$/,
	'preview_recipe' => q{SELECT count(*) > 0 FROM dmp.preview_recipe('clicks', '"tidy@1"')}, qr/^t$/,
	'cell_history' => q{SELECT count(*) = (SELECT cells_changed FROM dmp.recipe_runs WHERE into_table = 'tidied'::regclass) FROM dmp.cell_history((SELECT max(run) FROM dmp.recipe_runs))}, qr/^t$/,
	'undo_run' => q{SELECT action, rows FROM dmp.undo_run((SELECT max(run) FROM dmp.recipe_runs))}, qr/^dropped\|3000\nrows deleted\|0$/,
	'drop_recipe' => q{SELECT versions FROM dmp.drop_recipe('tidy')}, qr/^2$/,
	# ---- feature
	'create_feature_set' => q{SELECT * FROM dmp.create_feature_set('users', 'events', 'user_id', 'click_time', '{"clicks": {"agg": "count", "windows": ["1d", "7d", "30d"]},
		"spend": {"agg": "sum", "of": "order_value", "windows": ["30d"]}, "recency": {"agg": "recency"}, "device": {"agg": "mode", "of": "device"},
		"mobile": {"agg": "count", "where": "device = ''mobile''", "windows": ["7d"]}}')}, qr/^feature\.users\|7$/,
	'the view' => q{SELECT count(*) FROM feature.users}, qr/^150$/,
	'_at' => q{SELECT count(*) FROM feature.users_at('2024-02-15')}, qr/^150$/,
	'_for' => q{SELECT clicks_7d FROM feature.users_for(-1)}, qr/^0$/,
	'alter_feature_set' => q{SELECT * FROM dmp.alter_feature_set('users', add => '{"orders": {"agg": "count", "of": "order_value"}}', drop => '{mobile}')}, qr/^feature\.users\|7$/,
	'feature_sql' => q{SELECT dmp.feature_sql('users') ~ 'GROUP BY'}, qr/^t$/,
	'feature_sets' => q{SELECT name, owner FROM dmp.feature_sets}, qr/^users\|ann$/,
	'labels' => q{SELECT rows, positives > 0 FROM dmp.labels('users', 'order_value > 0', '30 days', '{2024-02-01,2024-02-20}', 'bought')}, qr/^300\|t$/,
	'training_set' => q{SELECT * FROM dmp.training_set('{users}', 'bought', 'training')}, qr/^300\|7$/,
	'feature_report' => q{SELECT count(*), count(information_value) > 5, count(vif) > 5 FROM dmp.feature_report('training', 'label')}, qr/^9\|t\|t$/,
	# ---- learn
	$there{logit} ? ('logit' => q{SELECT (dmp.logit(label, recency, clicks_30d)).status FROM training}, qr/^converged$/) : (),
	'linear' => q{SELECT (dmp.linear(recency, clicks_30d)).status FROM training}, qr/^converged$/,
	'train' => q{SELECT model, version, deployed, status, rows FROM dmp.train('buyers', 'training', 'label', lambda => 0.01, alpha => 0.5)}, qr/^buyers\|1\|t\|converged\|300$/,
	'key and time of a training set are no features' => q{SELECT count(*) FROM dmp.coefficients WHERE model = 'buyers' AND feature IN ('user_id', 'at')}, qr/^0$/,
	'train again, with a test' => q{SELECT version, test_roc_auc IS NOT NULL FROM dmp.train('buyers', 'training', 'label', lambda => 0.001, test_fraction => 0.3, seed => 1)}, qr/^2\|t$/,
	'models' => q{SELECT count(*) FROM dmp.models WHERE model = 'buyers'}, qr/^2$/,
	'model_baseline' => q{SELECT count(*) > 0 FROM dmp.model_baseline WHERE model = 'buyers'}, qr/^t$/,
	'update_model' => q{SELECT model, version FROM dmp.train('online', 'training', 'label', lambda => 0.01); SELECT version, deployed, status, rows FROM dmp.update_model('online', 'training')}, qr/^online\|1\n2\|t\|converged\|300$/,
	'and drop it' => q{SELECT versions FROM dmp.drop_model('online')}, qr/^2$/,
	'coefficients' => q{SELECT count(*) > 3 FROM dmp.coefficients WHERE model = 'buyers' AND version = 1}, qr/^t$/,
	'bins' => q{SELECT dmp.bin(b, 3) >= 1 AND dmp.woe(b, 3) IS NOT NULL FROM (SELECT dmp.bins(i, i > 50) AS b FROM generate_series(1, 100) AS i) AS s}, qr/^t$/,
	'encodings' => q{SELECT count(*) FROM dmp.encodings WHERE model = 'buyers'}, qr/^0$/,
	'model_metrics' => q{SELECT count(*) > 0 FROM dmp.model_metrics WHERE model = 'buyers'}, qr/^t$/,
	'cross-validation' => q{SELECT version, status FROM dmp.train('buyers', 'training', 'label', alpha => 0.5, n_lambdas => 10, cv => 3, deploy => false)}, qr/^3\|converged$/,
	'path' => q{SELECT count(*) > 4, count(*) FILTER (WHERE selected) FROM dmp.path WHERE model = 'buyers'}, qr/^t\|1$/,
	'path_coefficients' => q{SELECT count(*) > 10 FROM dmp.path_coefficients WHERE model = 'buyers'}, qr/^t$/,
	'drop what was tried' => q{SELECT versions FROM dmp.drop_model('buyers@3')}, qr/^1$/,
	'summary' => q{SELECT count(*) > 3 FROM dmp.summary('buyers')}, qr/^t$/,
	'import_model' => q{SELECT version, status FROM dmp.import_model('imported', dmp.model_json('buyers'))}, qr/^1\|imported$/,
	'deploy' => q{SELECT count(*) FROM dmp.deploy('buyers', 1)}, qr/^1$/,
	'rollback' => q{SELECT count(*) FROM dmp.rollback('buyers')}, qr/^1$/,
	'deployments' => q{SELECT count(*) > 1 FROM dmp.deployments WHERE model = 'buyers'}, qr/^t$/,
	'set_threshold' => q{SELECT count(*) FROM dmp.set_threshold('buyers', 0.4)}, qr/^1$/,
	'calibrate' => q{SELECT method, rows FROM dmp.calibrate('buyers', 'SELECT * FROM training WHERE user_id % 2 = 0') UNION ALL SELECT method, rows FROM dmp.calibrate('buyers', method => 'none')}, qr/^platt\|\d+\nnone\|$/,
	# ---- score
	'predict a record' => q{SELECT count(*) FROM training t WHERE dmp.predict('buyers', t) BETWEEN 0 AND 1}, qr/^300$/,
	'predict json' => q{SELECT dmp.predict('buyers', to_jsonb(t)) = dmp.predict('buyers@latest', t), dmp.predict('buyers', to_json(t)::text) = dmp.predict('buyers@2', t) FROM training t LIMIT 1}, qr/^t\|t$/,
	'predict for one' => q{SELECT dmp.predict('buyers', u) < 1 FROM feature.users_for(7, '2024-03-01') u}, qr/^t$/,
	'model_value' => q{SELECT count(*) FROM training t WHERE dmp.predict((SELECT dmp.model_value('buyers')), t) = dmp.predict('buyers', t)}, qr/^300$/,
	'classify' => q{SELECT count(DISTINCT dmp.classify('buyers', t)) <= 2 FROM training t}, qr/^t$/,
	'score' => q{SELECT rows, model FROM dmp.score('buyers', $$SELECT * FROM feature.users_at('2024-03-01')$$, into_table => 'scores', key => '{user_id}')}, qr/^150\|buyers$/,
	'score_row' => q{CREATE TABLE visits AS SELECT * FROM training LIMIT 0; ALTER TABLE visits ADD p float8, ADD class text;
		CREATE TRIGGER score BEFORE INSERT ON visits FOR EACH ROW EXECUTE FUNCTION dmp.score_row('buyers', 'p', 'class');
		INSERT INTO visits SELECT * FROM training; SELECT count(*) FROM visits v WHERE p = dmp.predict('buyers', v)}, qr/^300$/,
	'evaluate' => q{SELECT count(*) > 3 FROM dmp.evaluate('buyers', 'training')}, qr/^t$/,
	'metrics' => q{SELECT dmp.roc_auc(p, label) BETWEEN 0.5 AND 1, dmp.average_precision(p, label) <= 1, dmp.log_loss(p, label) > 0, dmp.brier_score(p, label) < 1,
		dmp.ks_statistic(p, label) <= 1, dmp.precision_score(p, label) IS DISTINCT FROM 2, dmp.recall_score(p, label) <= 1, dmp.f1_score(p, label) IS DISTINCT FROM 2
		FROM (SELECT dmp.predict('buyers', t) p, label FROM training t) s}, qr/^t\|t\|t\|t\|t\|t\|t\|t$/,
	'model_sql' => q{SELECT format('SELECT max(abs(dmp.predict(''buyers'', t) - (%s))) < 1e-12 FROM training t', dmp.model_sql('buyers')) \gexec}, qr/^t$/,
	'grant_model' => q{SELECT count(*) FROM dmp.grant_model('buyers', 'bob')}, qr/^1$/,
	'margin' => q{SELECT count(*) FROM training t WHERE abs(1 / (1 + exp(-dmp.margin('buyers', t))) - dmp.predict('buyers', t)) < 1e-12}, qr/^300$/,
	'compare' => q{SELECT count(*) FROM dmp.compare('buyers', 'buyers@1', 'training')}, qr/^3$/,
	'curve' => q{SELECT count(*) FROM unnest('{roc,pr,gains,calibration}'::text[]) k WHERE EXISTS (SELECT FROM dmp.curve('buyers', 'training', k))}, qr/^4$/,
	'curves' => q{SELECT array_length(dmp.roc_curve(p, label), 1) > 2, array_length(dmp.pr_curve(p, label), 1) > 2, array_length(dmp.gains_curve(p, label), 1) > 2,
		array_length(dmp.calibration_curve(p, label), 1) > 0 FROM (SELECT dmp.predict('buyers', t) p, label FROM training t) s}, qr/^t\|t\|t\|t$/,
	'explain' => q{SELECT count(*) FROM training t WHERE abs((SELECT sum(contribution) FROM dmp.explain('buyers', t, top => 3)) - dmp.margin('buyers', t)) < 1e-9}, qr/^300$/,
	'class_probabilities' => q{SELECT count(*) FROM training t WHERE (SELECT abs(sum(value::float8) - 1) < 1e-12 FROM jsonb_each_text(dmp.class_probabilities('buyers', t)))}, qr/^300$/,
	'segment' => q{SELECT status FROM dmp.train('by_device', 'SELECT device, clicks_7d, label FROM training', 'label', by => '{device}', lambda => 0.01);
		SELECT count(*) > 0 FROM dmp.model_segments WHERE model = 'by_device';
		SELECT count(*) FROM training t WHERE dmp.segment('by_device', t) ~ '^(device=|pooled)'}, qr/^converged\nt\n300$/,
	'reasons' => q{SELECT count(*) FROM training t WHERE cardinality(dmp.reasons('buyers', t)) BETWEEN 1 AND 3}, qr/^300$/,
	'scorecard' => q{SELECT status FROM dmp.train('card', 'SELECT device, label FROM training', 'label', lambda => 0.01);
		SELECT count(*) > 2 FROM dmp.scorecard('card'); SELECT dmp.scorecard_sql('card') ~ 'CASE'}, qr/^converged\nt\nt$/,
	'model_pmml' => q{SELECT dmp.model_pmml('buyers') ~ 'RegressionModel'}, qr/^t$/,
	'model_json' => q{SELECT jsonb_typeof(dmp.model_json('buyers'))}, qr/^object$/,
	# ---- govern: tags and consent
	'tag' => q{CREATE TABLE customers (id int PRIMARY KEY, email text); SELECT dmp.tag('customers', 'email', 'subject'), dmp.tag('customers', 'email', 'email');
		SELECT dmp.untag('customers', 'email', 'email'); SELECT relation, column_name, category FROM dmp.tags}, qr/^customers\|email\|subject$/m,
	'set_retention' => q{CREATE TABLE letters (email text, at date); INSERT INTO letters VALUES ('x', '2020-01-01'), ('y', current_date);
		SELECT dmp.set_retention('letters', 'at', '1 year'); SELECT relation, keep_for FROM dmp.retention; SELECT relation, rows FROM dmp.apply_retention()}, qr/^letters\|1 year\nletters\|1$/m,
	'record_processing' => q{SELECT dmp.record_processing('customers', 'orders', 'contract'); SELECT purpose, categories FROM dmp.processing}, qr/^orders\|\{subject\}$/m,
	'registers of a desk' => q{SELECT count(*) FROM dmp.subject_holds UNION ALL SELECT count(*) FROM dmp.subject_requests}, qr/^0\n0$/,
	'audit_coverage' => q{CREATE TABLE covered (id int PRIMARY KEY); SELECT dmp.audit('covered'); SELECT count(*) FROM dmp.audit_coverage(); INSERT INTO covered VALUES (1); SELECT count(*) FROM dmp.audit_coverage(); SELECT dmp.unaudit('covered')}, qr/^0\n0$/m,
	'consents' => q{SELECT count(*) FROM dmp.consents}, qr/^0$/,
	# ---- govern: context
	'set_context' => q{BEGIN; SELECT dmp.set_context('{"tenant": "acme", "purpose": "support"}'); SELECT dmp.context() ->> 'tenant'; COMMIT}, qr/^acme$/m,
	'context_grants' => q{SELECT role, tenants, purposes FROM dmp.context_grants WHERE default_context IS NULL}, qr/^ann\|\{acme\}\|\{support\}$/,
	'protect' => q{CREATE TABLE clients (id int PRIMARY KEY, org text, email text); INSERT INTO clients VALUES (1, 'acme', 'a@b.org'), (2, 'beta', 'c@d.org'); GRANT SELECT ON clients TO bob;
		SELECT count(*) FROM dmp.protect('clients', tenant => 'org', purposes => '{support}', mask => '{"email": "email"}', clear_for => '{ann}');
		BEGIN; SELECT dmp.set_context('{"tenant": "acme", "purpose": "support"}'); SELECT id, email FROM clients_masked; COMMIT}, qr/^1\|a\@b\.org$/m,
	'why_hidden' => q{SELECT condition, current FROM dmp.why_hidden('clients') WHERE condition <> 'right'}, qr/^context\|set\npurpose\|\ntenant\|acme$/,
	'unprotect' => q{SELECT count(*) > 3 FROM dmp.unprotect('clients')}, qr/^t$/,
	'default context' => q{SELECT dmp.context()}, qr/"acme"/,
	# ---- govern: audit
	'audit' => q{CREATE TABLE orders (id int PRIMARY KEY, amount int, note text); SELECT dmp.audit('orders', exclude => '{note}');
		INSERT INTO orders VALUES (1, 10, 'a'); UPDATE orders SET note = 'b'; UPDATE orders SET amount = 11}, qr/^$/,
	'audit_log' => q{SELECT operation, row_key, old, new FROM dmp.audit_log WHERE relation = 'ann.orders' AND operation <> 'G' ORDER BY entry},
	qr/^I\|\{"id": 1\}\|\|\{"id": 1, "amount": 10\}\nU\|\{"id": 1\}\|\{"amount": 10\}\|\{"amount": 11\}$/,
	'as_of' => q{SELECT id, amount, note FROM dmp.as_of(NULL::orders, (SELECT max(at) - interval '1 us' FROM dmp.audit_log WHERE relation = 'ann.orders'))}, qr/^1\|10\|$/,
	'undo' => q{SELECT sql FROM dmp.undo((SELECT transaction FROM dmp.audit_log WHERE relation = 'ann.orders' ORDER BY entry DESC LIMIT 1))},
	qr/^UPDATE ann\.orders SET amount = '10'::integer WHERE id = '1'::integer AND amount = '11'::integer$/,
	'unaudit' => q{SELECT dmp.unaudit('orders'); DELETE FROM orders; SELECT count(*) FROM dmp.audit_log WHERE operation = 'D'}, qr/^0$/m,
	# ---- govern: privacy
	'k_anonymity' => q{SELECT k >= 1, t <= 1 FROM dmp.k_anonymity('training', '{device}', '{label}')}, qr/^t\|t$/,
	'anonymize_to' => q{SELECT action, rows + rows_suppressed FROM dmp.anonymize_to('SELECT device, recency, label FROM training', 5, '{device,recency}', 'shared') WHERE column_name IS NULL;
		SELECT k >= 5 FROM dmp.k_anonymity('shared', '{device,recency}')}, qr/^total\|300\nt$/,
	'budget of privacy' => sub {
		$node->safe_psql('shop', q{GRANT EXECUTE ON FUNCTION dmp.set_privacy_budget(regclass, name, numeric, text, numeric) TO ann});
		return as_role('ann', q{SELECT role, epsilon, spent FROM dmp.set_privacy_budget('training', 'bob', 100, 'user_id')});
	}, qr/^bob\|100\|0$/,
	'questions under it' => sub {
		my $rel = $node->safe_psql('shop', q{SELECT 'ann.training'::regclass::oid});
		return as_role('bob', qq{SELECT abs(value - 150) < 30 FROM dmp.dp_count($rel, 2); SELECT value IS NOT NULL FROM dmp.dp_sum($rel, 'recency', 2, 0, 100);
			SELECT value <= 100 FROM dmp.dp_avg($rel, 'recency', 2, 0, 100); SELECT count(*) FROM dmp.dp_histogram($rel, 'recency', 2, 0, 100);
			SELECT spent FROM dmp.privacy_spent});
	}, qr/^t\nt\nt\n10\n8$/,
	'noise and its size' => q{SELECT dmp.dp_noise(1) IS NOT NULL, dmp.dp_error(1)}, qr/^t\|3$/,
	'pseudonym' => q{SELECT length(dmp.pseudonym('ann@example.org', 'email'))}, qr/^32$/,
	'token' => q{SELECT dmp.token('030-1234567', 'phone')}, qr/^\d{3}-\d{7}$/,
	# ---- govern: discovery
	'find_personal_data' => q{INSERT INTO customers SELECT i, 'c' || i || '@example.org' FROM generate_series(1, 5) i;
		SELECT column_name, category, share FROM dmp.find_personal_data('customers')}, qr/^email\|email\|1$/m,
	'lint' => q{SELECT count(*) FILTER (WHERE severity IN ('error', 'warning', 'info') AND fix_sql <> '') = count(*) FROM dmp.lint()}, qr/^t$/,
	'lineage' => q{SELECT kind FROM dmp.lineage('model:buyers') WHERE from_object = 'feature_set:users' LIMIT 1}, qr/^identity$/,
	'lineage_events' => q{SELECT count(*) > 3 FROM dmp.lineage_events()}, qr/^t$/,
	'version' => q{SELECT dmp.version()}, qr/^\d+\.\d+/,
	'help' => q{SELECT count(*) > 0 FROM dmp.help('train')}, qr/^t$/,
);

while (my ($label, $act, $expected) = splice(@contract, 0, 3))
{
	my ($status, $out, $err) = ref $act ? $act->() : as_role('ann', $act);
	ok($status == 0 && $out =~ $expected, "ann: $label")
	  or diag("$act\nstatus $status, output: $out\nexpected: $expected\nerrors: $err");
}

# ---- what was granted, and what was not

sub refused
{
	my ($role, $label, $sql, $pattern) = @_;
	my ($status, $out, $err) = as_role($role, $sql);
	ok($status != 0 && $err =~ $pattern, "$role: $label") or diag("output: $out\nerrors: $err");
}

is($node->safe_psql('shop', q{SELECT dmp.predict('buyers', '{"clicks_7d": 1, "clicks_1d": 0, "clicks_30d": 1, "spend_30d": 0, "recency": 2, "device": "web", "orders": 0}'::text) BETWEEN 0 AND 1},
		extra_params => [ '-U', 'bob' ]), 't', 'bob: a granted model predicts');
refused('bob', 'a table without rights', q{SELECT dmp.create_feature_set('his', 'ann.events', 'user_id', 'click_time', '{"n": {"agg": "count"}}')}, qr/permission denied for schema ann/);
refused('bob', 'schema feature without setup', q{CREATE TEMP TABLE e (id int, at timestamptz); SELECT dmp.create_feature_set('his', 'e', 'id', 'at', '{"n": {"agg": "count"}}')}, qr/permission denied for schema feature.*dmp\.setup\('bob'\)/s);
refused('bob', 'schema lake without setup', q{SELECT dmp.create_source('his')}, qr/permission denied for schema lake.*dmp\.setup\('bob'\)/s);
refused('bob', q{another's feature set}, q{SELECT dmp.drop_feature_set('users')}, qr/permission denied for feature set "users"/);
refused('bob', q{another's source}, q{SELECT dmp.ingest('web')}, qr/web/);
refused('bob', q{another's model}, q{SELECT dmp.drop_model('buyers')}, qr/permission denied|belongs/);
refused('ann', 'files of the server', qq{SELECT * FROM dmp.load_file('raw', '$lines')}, qr/permission denied/);
refused('ann', 'claims for herself', q{SELECT dmp.grant_context('ann', NULL, NULL)}, qr/permission denied for function grant_context/);
refused('ann', 'nor take them from others', q{SELECT dmp.revoke_context('bob')}, qr/permission denied for function revoke_context/);
refused('ann', 'consent in the name of others', q{SELECT dmp.record_consent('bob', 'marketing', true)}, qr/permission denied for function record_consent/);
ok(do { my ($status, $out) = as_role('ann', q{SELECT status, dmp.audit_digest() ->> 'block' FROM dmp.verify_audit()}); $status == 0 && $out =~ /^ok\|0$/m },
	'ann verifies the audit log: verify_audit, audit_digest');
refused('ann', 'a proof of what is not hers', q{SELECT dmp.audit_proof(1)}, qr/entry 1 of the audit log does not exist|permission denied/);
refused('ann', 'dropping months of the audit log', q{SELECT * FROM dmp.drop_audit(now())}, qr/permission denied for function drop_audit/);
refused('ann', 'sealing the audit log', q{SELECT * FROM dmp.seal_audit()}, qr/permission denied for function seal_audit/);
refused('ann', 'keys', q{SELECT * FROM dmp.secret}, qr/permission denied for table secret/);
refused('ann', 'keys by export', q{SELECT dmp.export_key('pseudonym')}, qr/permission denied for function export_key/);
refused('ann', 'keys by import', q{SELECT * FROM dmp.import_key('pseudonym', sha256('x'))}, qr/permission denied for function import_key/);
refused('bob', 'a budget of privacy for himself', q{SELECT * FROM dmp.set_privacy_budget('pg_class', 'bob', 1)}, qr/permission denied for function set_privacy_budget/);
refused('ann', 'tokens undone', q{SELECT dmp.reveal_token('030-1234567', 'phone')}, qr/permission denied for function reveal_token/);
refused('ann', $_, "SELECT $_", qr/permission denied for function/)
  foreach q{dmp.export_subject('bob')}, q{dmp.erase_subject('bob')}, q{dmp.hold_subject('bob', 'why')}, q{dmp.release_subject(1)},
  q{dmp.open_request('bob', 'know', 'gdpr')}, q{dmp.extend_request(1, 'why')}, q{dmp.close_request(1)};
refused('ann', 'the registry itself', q{DELETE FROM dmp_internal.model}, qr/permission denied/);
is($node->safe_psql('shop', q{SELECT count(*) FROM dmp.sources UNION ALL SELECT count(*) FROM dmp.feature_sets UNION ALL SELECT count(*) FROM dmp.quarantine},
		extra_params => [ '-U', 'bob' ]), "0\n0\n0", 'bob: sees nothing of it');

# ---- every function and view is either above or not for everybody
my $this = slurp_file(__FILE__);
is_deeply([ grep { $this !~ /dmp\.$_\b/ } split /\n/, $node->safe_psql('shop', q{SELECT DISTINCT proname FROM pg_proc WHERE pronamespace = 'dmp'::regnamespace
		UNION SELECT relname FROM pg_class WHERE relnamespace = 'dmp'::regnamespace AND relkind IN ('v', 'r') ORDER BY 1}) ],
	[], 'nothing public is missing here');

# ---- the examples in dmp.help are statements: they need only the tables they speak of
$node->safe_psql('postgres', 'CREATE DATABASE examples');
$node->safe_psql('examples', q{
	CREATE EXTENSION dmp;
	SELECT dmp.setup('ann');
	CREATE TABLE scored (score float8, label boolean);
	CREATE TABLE users (user_id int, clicks int, country text, buys boolean);
	CREATE TABLE events (click_id bigint);
	CREATE TABLE clicks (LIKE events, click_time timestamptz);
	CREATE TABLE visitors (city text, bought boolean, age float8, visits float8, spend float8);
	CREATE TABLE t (y boolean, x1 float8, x2 float8);
	CREATE TABLE orders (country text, price float8);
	CREATE TABLE prices (product text, day date, price float8);
	CREATE TABLE products (category text, price float8);
	CREATE TABLE visits (user_id int, country text, spend float8);
	CREATE TABLE lake.web (line text);
	CREATE TABLE customers (id int PRIMARY KEY, email text);
	GRANT SELECT ON ALL TABLES IN SCHEMA public, lake TO ann;
});
my @examples = split /\x1e/, $node->safe_psql('examples', q{SELECT string_agg(DISTINCT example, e'\x1e') FROM dmp.help() WHERE example ~* '^(select|with)'});
cmp_ok(scalar @examples, '>', 20, 'examples');
foreach my $example (@examples)
{
	$example =~ s/\s*\\gexec\s*$//;
	$example =~ s/;\s*$//;
	my ($status, $out, $err) = $node->psql('examples', "PREPARE example AS $example", extra_params => [ '-U', 'ann' ]);
	ok($status == 0, "example: $example") or diag($err);
}

# ---- and away with it
foreach my $act (q{SELECT dmp.revoke_model('buyers', 'bob')}, q{SELECT dmp.drop_model('buyers')}, q{SELECT dmp.drop_model('imported')}, q{SELECT dmp.drop_model('card')}, q{SELECT dmp.drop_feature_set('users')},
	q{SELECT dmp.drop_source('web')}, q{SELECT dmp.drop_source('raw')})
{
	my ($status, $out, $err) = as_role('ann', $act);
	is($status, 0, "ann: $act") or diag($err);
}
$node->stop;
done_testing();
