# A subject goes through everything dmp does (lake, quarantine, clean, features,
# training set, model, scores, audit, consent, requests), is erased, and then a
# dump, the statistics and the server's log are searched for what was hers.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('subject');
$node->init;
$node->append_conf('postgresql.conf', "log_statement = none\nautovacuum = off");
$node->start;

sub sql
{
	return $node->safe_psql('postgres', @_);
}

# what is hers alone: name, number, telephone, the words of her notes
my $zoe = 'zoe.marker@example.org';
my @hers = ($zoe, 'zoe', 'Markerson', '770077', '0049555', 'purple-elephant');
my $hers = join '|', map { quotemeta } @hers;

sql(q{
	CREATE EXTENSION dmp;
	SELECT dmp.setup();
	CREATE TABLE person (id int PRIMARY KEY, email text UNIQUE, full_name text, phone text);
	CREATE TABLE purchase (id int PRIMARY KEY, person_id int REFERENCES person, note text);
	CREATE TABLE raw_clicks (click_id int, email text, click_time timestamptz, device text, value numeric) PARTITION BY RANGE (click_time);
	CREATE TABLE raw_clicks_1 PARTITION OF raw_clicks FOR VALUES FROM ('2024-01-01Z') TO ('2024-02-01Z');
	CREATE TABLE raw_clicks_2 PARTITION OF raw_clicks DEFAULT;
	SELECT dmp.tag('person', 'email', 'subject'), dmp.tag('raw_clicks', 'email', 'subject'), dmp.tag('person', 'full_name', 'name');
	SELECT dmp.audit('person'), dmp.audit('purchase'), dmp.audit('raw_clicks');
	INSERT INTO person SELECT i, format('p%s@example.org', i), 'Person ' || i, '0049' || i FROM generate_series(1, 60) i;
	INSERT INTO person VALUES (770077, 'zoe.marker@example.org', 'Zoe Markerson', '0049555');
	INSERT INTO purchase SELECT i, i % 60 + 1, 'note ' || i FROM generate_series(1, 200) i;
	INSERT INTO purchase VALUES (9001, 770077, 'a purple-elephant'), (9002, 770077, 'gone before');
	UPDATE person SET full_name = 'Z. Markerson' WHERE id = 770077;
	UPDATE purchase SET note = 'two purple-elephants' WHERE id = 9001;
	DELETE FROM purchase WHERE id = 9002;
	SELECT dmp.create_source('web', 'raw_clicks', key => '{click_id,click_time}', mapping => '{"email": "user.mail", "click_id": "click_id", "click_time": "click_time", "device": "device", "value": "value"}');
	INSERT INTO lake.web (line) SELECT format('{"click_id": %s, "user": {"mail": "p%s@example.org"}, "click_time": "2024-0%s-03 10:00Z", "device": "%s", "value": %s}', i, i % 60 + 1, 1 + i % 3, (ARRAY['web', 'mobile'])[1 + i % 2], i % 7) FROM generate_series(1, 900) i;
	INSERT INTO lake.web (line) SELECT format('{"click_id": %s, "user": {"mail": "%s"}, "click_time": "2024-0%s-03 10:00Z", "device": "web", "value": 6}', 5000 + i, m, 1 + i % 3)
		FROM generate_series(1, 12) i, LATERAL (SELECT CASE i % 2 WHEN 0 THEN 'zoe.marker@example.org' ELSE '\u007aoe.marker\u0040example.org' END m) m;
	INSERT INTO lake.web (line) VALUES ('{"click_id": "none", "user": {"mail": "zoe.marker@example.org"}, "click_time": "2024-01-01Z"}'), ('broken: zoe.marker@example.org');
	SELECT dmp.ingest('web');
	SELECT dmp.clean('raw_clicks', 'clicks', '[{"trim": "*"}, {"map": {"device": {"web": "desktop"}}}, {"cast": {"value": "int"}}]');
	SELECT dmp.clean('SELECT email, email AS odd FROM raw_clicks', 'odd', '[{"number": ["odd"]}]');
	SELECT dmp.create_feature_set('buyers', 'clicks', 'email', 'click_time', '{"clicks": {"agg": "count", "windows": ["7d"]}, "spend": {"agg": "sum", "of": "value"}}');
	SELECT dmp.labels('buyers', 'value > 5', '40 days', '{2024-02-15Z,2024-02-20Z}', 'bought');
	SELECT dmp.training_set('{buyers}', 'bought', 'training');
	SELECT dmp.train('buyers', 'SELECT clicks_7d, spend, label FROM training', 'label', lambda => 0.1);
	SELECT dmp.score('buyers', $$SELECT * FROM feature.buyers_at('2024-03-10Z')$$, into_table => 'scores', key => '{email}');
	CREATE MATERIALIZED VIEW report AS SELECT email, count(*) FROM clicks GROUP BY email;
	CREATE MATERIALIZED VIEW top AS SELECT * FROM report ORDER BY count DESC LIMIT 100;
	SELECT dmp.record_consent('zoe.marker@example.org', 'news', true, '{"phone": "0049555"}'), dmp.record_consent('p1@example.org', 'news', true);
	SELECT dmp.open_request('zoe.marker@example.org', 'delete', 'gdpr', note => 'asked by zoe');
	SELECT dmp.set_retention('raw_clicks', 'click_time', '50 years');
	SELECT dmp.record_processing('person', 'orders', 'contract');
	ANALYZE;
	SELECT dmp.seal_audit();
});
my $digest = sql('SELECT dmp.audit_digest()');
like(sql(qq{SELECT string_agg(DISTINCT object, ' ' ORDER BY object) FROM dmp.export_subject('$zoe')}),
	qr/^dmp\.audit_log dmp\.consents dmp\.quarantine dmp\.subject_requests dmp_internal\.consent_state lake\.web public\.bought public\.clicks public\.person public\.purchase public\.raw_clicks public\.scores public\.training$/,
	'all of it is exported');
is(sql(qq{SELECT count(*) FROM dmp.export_subject('$zoe') WHERE object = 'lake.web'}), '14', 'records of the lake, escaped ones too');
like(dumped(), qr/$hers/, 'before, the dump has it');

sub dumped
{
	my ($stdout, $stderr);
	IPC::Run::run([ 'pg_dump', '-d', $node->connstr('postgres'), '--inserts' ], '>', \$stdout, '2>', \$stderr) or die $stderr;
	# bodies of the audit log are written as hexadecimal digits
	(my $bytes = $stdout) =~ s/'\\x([0-9a-f]+)'/pack('H*', $1)/ge;
	return $bytes;
}

# ---- a hold refuses; neither the refusal nor a failing act writes her name into the server's log
sql(qq{SELECT dmp.hold_subject('$zoe', 'dispute')});
my ($status, $out, $err) = $node->psql('postgres', qq{SELECT dmp.erase_subject('$zoe', false)});
like($err, qr/the subject cannot be erased\nDETAIL:\s+dmp\.subject_holds: hold \d+: dispute/, 'held');
sql(q{SELECT dmp.release_subject(hold) FROM dmp.subject_holds});
sql(q{CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no' USING DETAIL = OLD::text; END $$;
	CREATE TRIGGER fail BEFORE DELETE ON person FOR EACH ROW EXECUTE FUNCTION fail()});
($status, $out, $err) = $node->psql('postgres', qq{SELECT dmp.erase_subject('$zoe', false)});
like($err, qr/no\nDETAIL:.*Markerson/, 'a failing trigger tells the client');
sql(q{DROP TRIGGER fail ON person});

# ---- told and done
my $told = sql(qq{SELECT object, action, rows FROM dmp.erase_subject('$zoe') WHERE object <> 'certificate'});
my $done = sql(qq{SELECT object, action, rows FROM dmp.erase_subject('$zoe', false) WHERE object <> 'certificate'});
is($done, $told, 'a dry run tells what is done');
like($done, qr/^$_\|/m, "$_") foreach qw(public\.person public\.purchase public\.raw_clicks public\.clicks public\.bought public\.training public\.scores
  lake\.web dmp\.quarantine dmp\.consents dmp\.subject_requests dmp\.audit_log public\.report public\.top);
unlike($done, qr/refused|remains/, 'nothing remains');

# ---- nothing of hers is anywhere
sub clean_of_her
{
	my ($what, $text) = @_;
	my @found = grep { /$hers/ } split /\n/, $text;
	is(scalar @found, 0, $what) or diag(join "\n", map { substr $_, 0, 300 } @found);
}
clean_of_her('dump', dumped());
clean_of_her('statistics', sql(q{SELECT concat_ws(' ', tablename, attname, most_common_vals::text, histogram_bounds::text, most_common_elems::text) FROM pg_stats WHERE schemaname NOT IN ('pg_catalog', 'information_schema')}));
clean_of_her('log of the server', slurp_file($node->logfile));
clean_of_her('what the export gives', sql(qq{SELECT * FROM dmp.export_subject('$zoe')}));
is(sql(q{SELECT count(*) FROM person UNION ALL SELECT count(*) FROM purchase UNION ALL SELECT count(*) FROM raw_clicks UNION ALL SELECT count(*) FROM lake.web}),
	"60\n200\n900\n900", 'the rows of others are there');

# ---- the ledger is valid, by the digest from before as well
my $bad = q{SELECT count(*) FROM dmp.verify_audit(%s) WHERE status NOT IN ('ok', 'unsealed', 'redacted')};
is(sql(sprintf $bad, ''), '0', 'the ledger verifies');
is(sql(sprintf $bad, "'$digest'"), '0', 'by the digest from before');
is(sql(q{SELECT count(*) > 5 FROM dmp.verify_audit() WHERE status = 'redacted'}), 't', 'entries are redacted');
is(sql(q{SELECT count(*) FROM dmp.audit_log WHERE operation = 'E' AND new ->> 'subject' ~ '^[0-9a-f]{64}$'}), '1', 'the act is an entry');

# ---- a dump and restore into another cluster: tags, consents, periods, records go along
my $dump = $node->basedir . '/dump.sql';
$node->command_ok([ 'pg_dump', '-d', $node->connstr('postgres'), '-f', $dump ], 'dump');
my $new = PostgreSQL::Test::Cluster->new('new');
$new->init;
$new->start;
$new->command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d', $new->connstr('postgres'), '-f', $dump ], 'restore');
foreach my $query (
	q{SELECT relation, column_name, category, on_erase FROM dmp.tags ORDER BY 1::text, 2, 3},
	q{SELECT subject, purpose, granted, latest FROM dmp.consents ORDER BY recorded_at},
	q{SELECT relation, column_name, keep_for FROM dmp.retention},
	q{SELECT purpose, relation, categories FROM dmp.processing},
	q{SELECT made, reads FROM dmp_internal.made_table ORDER BY made::text},
	q{SELECT subject, kind, due_at FROM dmp.subject_requests})
{
	is($new->safe_psql('postgres', $query), sql($query), $query);
}
$new->safe_psql('postgres', q{SELECT dmp.record_consent('p1@example.org', 'news', false)});
is($new->safe_psql('postgres', q{SELECT granted FROM dmp_internal.consent_state WHERE subject = 'p1@example.org'}), 'f', 'consent goes on');
like($new->safe_psql('postgres', q{SELECT object, action, rows FROM dmp.erase_subject('p5@example.org', false)}), qr/^public\.training\|delete\|\d+$/m, 'and so does erasure, of made tables too');
is($new->safe_psql('postgres', q{SELECT count(*) FROM training WHERE email = 'p5@example.org'}), '0', 'they are gone');
$node->stop;
$new->stop;
done_testing();
