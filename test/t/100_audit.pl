# The audit log over dump and restore, crashes, clients that begin a month
# together, default privileges.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('audit');
$node->init;
$node->append_conf('postgresql.conf', "autovacuum = off\nrestart_after_crash = on\n");
$node->start;

my $entries = q{SELECT count(*), count(DISTINCT entry), md5(string_agg(concat_ws('|', entry, at AT TIME ZONE 'UTC', session_role, effective_role, application,
	statement_hash, relation, operation, row_key, old, new, transaction), ',' ORDER BY entry)) FROM dmp.audit_log};

# ---- dump and restore

$node->safe_psql('postgres', 'CREATE DATABASE shop');
$node->safe_psql('postgres', 'CREATE ROLE ann; CREATE ROLE eve');
$node->safe_psql(
	'shop', q{
	-- what a careless administrator does
	ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO PUBLIC;
	ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO eve;
	CREATE EXTENSION dmp;
	CREATE TYPE mood AS ENUM ('sad', 'fine');
	CREATE TABLE orders (gone int, id int PRIMARY KEY, n numeric, card text, note text, m mood);
	ALTER TABLE orders DROP COLUMN gone;
	ALTER TABLE orders OWNER TO ann;
	CREATE TABLE parts (id int, v text, PRIMARY KEY (id)) PARTITION BY RANGE (id);
	CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (100);
	CREATE TABLE short_lived (id int);
	SELECT dmp.audit('orders', exclude => '{note}', redact => '{card}');
	SELECT dmp.audit('parts');
	SELECT dmp.audit('short_lived');
	INSERT INTO orders (id, n, card, note, m) SELECT i, i * 1.50, 'card ' || i, 'note ' || i, 'fine' FROM generate_series(1, 3000) i;
	UPDATE orders SET n = n + 1, card = 'new' WHERE id % 3 = 0;
	INSERT INTO parts SELECT i, repeat('wide', 5000) FROM generate_series(1, 20) i;
	DELETE FROM parts WHERE id = 7;
	INSERT INTO short_lived VALUES (1);
	DROP TABLE short_lived;
	ALTER TABLE orders RENAME COLUMN card TO card_number;
	ALTER TABLE orders RENAME COLUMN note TO memo;
	UPDATE orders SET n = n WHERE id = 1; -- the registry hears of it
	ALTER TABLE orders RENAME COLUMN memo TO note;
});
is($node->safe_psql('shop', q{SET ROLE eve; SELECT count(*) FROM dmp.audit_log}), '0', 'default privileges show nobody the log');
my ($status, $out, $err) = $node->psql('shop', q{SET ROLE eve; DO $$ BEGIN EXECUTE 'DELETE FROM ' ||
	(SELECT inhrelid::regclass FROM pg_inherits WHERE inhparent = 'dmp_internal.audit_chunk'::regclass ORDER BY inhrelid LIMIT 1); END $$});
is($node->safe_psql('shop', q{SELECT count(*) FROM dmp.audit_log WHERE operation <> 'G'}), '4022', 'nor lets anybody delete of it');

my $before = $node->safe_psql('shop', $entries);
my $dump = $node->basedir . '/shop.sql';
my $custom = $node->basedir . '/shop.custom';
$node->command_ok([ 'pg_dump', '-h', $node->host, '-p', $node->port, '-f', $dump, 'shop' ], 'dump');
$node->command_ok([ 'pg_dump', '-h', $node->host, '-p', $node->port, '-Fc', '-f', $custom, 'shop' ], 'dump, custom');

my $other = PostgreSQL::Test::Cluster->new('audit_other');
$other->init;
$other->start;
$other->safe_psql('postgres', 'CREATE DATABASE plain; CREATE DATABASE custom; CREATE ROLE ann; CREATE ROLE eve');
$other->command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-h', $other->host, '-p', $other->port, '-d', 'plain', '-f', $dump ], 'restore');
$other->command_ok([ 'pg_restore', '-e', '-j', '2', '-h', $other->host, '-p', $other->port, '-d', 'custom', $custom ], 'restore, parallel');

for my $db ('plain', 'custom')
{
	is($other->safe_psql($db, $entries), $before, "$db: every entry as it was");
	is($other->safe_psql($db, q{SELECT count(*) FROM dmp.audit_log WHERE relation = 'public.short_lived'}), '2', "$db: entries of a table that is gone");
	is($other->safe_psql($db, q{SELECT count(*) FROM dmp_internal.audit_shape WHERE relation::oid = 0}), '2', "$db: which is no table here");
	my $last = $other->safe_psql($db, 'SELECT max(entry) FROM dmp.audit_log');
	$other->safe_psql($db, q{
		UPDATE orders SET n = 0, card_number = 'hidden', note = 'unseen' WHERE id = 1;
		UPDATE orders SET note = 'again unseen' WHERE id = 1;
		INSERT INTO parts_1 VALUES (50, 'x')});
	is($other->safe_psql($db, "SELECT relation, operation, row_key, old, new FROM dmp.audit_log WHERE entry > $last ORDER BY entry"),
		qq(public.orders|U|{"id": 1}|{"n": 1.50, "card_number": {"redacted": true}}|{"n": 0, "card_number": {"redacted": true}}\n)
		  . q(public.parts_1|I|{"id": 50}||{"v": "x", "id": 50}), "$db: triggers go on, each change once, columns left out and hidden as before");
	is($other->safe_psql($db, 'SELECT count(*) - count(DISTINCT id) FROM dmp_internal.audit_chunk'), '0', "$db: numbers are not drawn twice");
	is($other->safe_psql($db, q{SET ROLE ann; SELECT DISTINCT relation FROM dmp.audit_log}), 'public.orders', "$db: the owner reads what is hers");
	is($other->safe_psql($db, q{SELECT count(*) FROM dmp.as_of(NULL::parts, (SELECT max(at) - interval '1 us' FROM dmp.audit_log WHERE relation = 'public.parts_1'))}), '19', "$db: as_of over the restored log");
	is($other->safe_psql($db, q{SELECT dmp.unaudit('parts'); SELECT dmp.audit('parts'); INSERT INTO parts VALUES (60, 'y'); SELECT count(*) FROM dmp.audit_log WHERE relation = 'public.parts' AND row_key ->> 'id' = '60'}), "\n\n1", "$db: audited again");
	is($other->safe_psql($db, 'SET client_min_messages = warning; DROP EXTENSION dmp CASCADE; INSERT INTO parts VALUES (61, NULL); SELECT count(*) FROM pg_class WHERE relname LIKE \'audit_chunk%\''), '0', "$db: dropped with its partitions");
}
$other->stop;

# ---- read-only transactions and the past

is($node->safe_psql('shop', q{BEGIN READ ONLY; SELECT count(*) FROM dmp.as_of(NULL::orders, now()); SELECT count(*) > 0 FROM dmp.undo((SELECT max(transaction::text::bigint)::text::xid8 FROM dmp.audit_log WHERE operation = 'U')); COMMIT}), "3000\nt", 'the past in a read-only transaction');

# ---- a month that nobody made begins under several clients

$node->safe_psql('shop', q{
	CREATE TABLE busy (id int PRIMARY KEY, n int);
	SELECT dmp.audit('busy');
	DO $$
	DECLARE part regclass;
	BEGIN
		CREATE TABLE kept AS SELECT * FROM dmp_internal.audit_chunk;
		FOR part IN SELECT inhrelid::regclass FROM pg_inherits WHERE inhparent = 'dmp_internal.audit_chunk'::regclass LOOP
			EXECUTE format('DROP TABLE %s', part);
		END LOOP;
	END $$});
$node->command_ok([ 'pgbench', '-n', '-h', $node->host, '-p', $node->port, '-c', '8', '-j', '2', '-t', '40', '-f', do {
	my $script = $node->basedir . '/busy.sql';
	append_to_file($script, "\\set i random(1, 1000000000)\nINSERT INTO busy VALUES (:i, 1) ON CONFLICT DO NOTHING;\nUPDATE busy SET n = n + 1 WHERE id = :i;\n");
	$script }, 'shop' ], 'eight clients');
is($node->safe_psql('shop', q{SELECT (SELECT count(*) FROM busy) = (SELECT count(*) FROM dmp.audit_log WHERE relation = 'public.busy' AND operation = 'I'),
	(SELECT sum(n) - count(*) FROM busy) = (SELECT count(*) FROM dmp.audit_log WHERE relation = 'public.busy' AND operation = 'U')}), 't|t', 'nothing of them is lost');
is($node->safe_psql('shop', q{SELECT count(*) FROM pg_inherits WHERE inhparent = 'dmp_internal.audit_chunk'::regclass}), '3', 'this month and two ahead');

# ---- crashes: what is committed is logged, what is not is not

for my $round (1 .. 3)
{
	my $script = $node->basedir . "/crash$round.sql";
	append_to_file($script, "\\set i random(1, 1000000000)\nBEGIN;\nINSERT INTO busy SELECT :i + g, 1 FROM generate_series(1, 50) g ON CONFLICT DO NOTHING;\nUPDATE busy SET n = n + 1 WHERE id BETWEEN :i AND :i + 20;\nDELETE FROM busy WHERE id = :i + 30;\nCOMMIT;\n");
	my $bench = IPC::Run::start([ 'pgbench', '-n', '-h', $node->host, '-p', $node->port, '-c', '4', '-T', '20', '-f', $script, 'shop' ], '>', '/dev/null', '2>', '/dev/null');
	sleep 1;
	$node->stop('immediate');
	$bench->finish;
	$node->start;
	is($node->safe_psql('shop', q{
		WITH l AS (SELECT coalesce(row_key, new) ->> 'id' AS id, operation FROM dmp.audit_log WHERE relation = 'public.busy' AND operation <> 'G'),
			net AS (SELECT id::int, count(*) FILTER (WHERE operation = 'I') - count(*) FILTER (WHERE operation = 'D') AS there FROM l GROUP BY id)
		SELECT count(*) FILTER (WHERE there <> (b.id IS NOT NULL)::int)
		FROM net FULL JOIN busy b USING (id)}), '0', "crash $round: the log and the table tell the same");
}
is($node->safe_psql('shop', q{SELECT count(*) FROM dmp.as_of(NULL::busy, clock_timestamp()) FULL JOIN busy USING (id, n) WHERE id IS NULL}), '0', 'and so does as_of');

done_testing();
