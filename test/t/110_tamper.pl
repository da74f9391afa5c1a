# The audit log against who can write it: flip, delete, insert, reorder,
# truncate, rebuild, before and after sealing, with and without a digest kept
# elsewhere, each as the table in the module's README promises. Then the
# opposite: no false alarm under concurrent writers, crashes, two sealers and a
# restore into another cluster.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use File::Basename qw(dirname);
use Time::HiRes qw(usleep);

my $node = PostgreSQL::Test::Cluster->new('ledger');
$node->init(allows_streaming => 1);
$node->append_conf('postgresql.conf', "restart_after_crash = on\nfsync = off\nmax_prepared_transactions = 5\nmax_connections = 40");
$node->start;

sub sql
{
	return $node->safe_psql('postgres', @_);
}

sql(q{
	CREATE EXTENSION dmp;
	CREATE TABLE account (id int PRIMARY KEY, balance int, note text);
	SELECT dmp.audit('account');
	INSERT INTO account SELECT i, 0, 'note ' || i FROM generate_series(1, 20) i;
	UPDATE account SET balance = id WHERE id <= 5;
	CREATE VIEW chunk AS SELECT * FROM dmp_internal.audit_chunk;
});
# blocks 1 to 4
sql(q{SELECT count(*) FROM dmp.seal_audit()});
sql(q{UPDATE account SET balance = 7 WHERE id <= 4; DELETE FROM account WHERE id > 18});
sql(q{SELECT count(*) FROM dmp.seal_audit()});
my $old_digest = sql(q{SELECT dmp.audit_digest()});
sql(q{UPDATE account SET note = 'x' WHERE id <= 4; UPDATE account SET note = 'y' WHERE id = 7});
sql(q{SELECT count(*) FROM dmp.seal_audit()});
sql(q{INSERT INTO account VALUES (100, 1, 'last'); UPDATE account SET balance = 0 WHERE id BETWEEN 5 AND 8});
sql(q{SELECT count(*) FROM dmp.seal_audit()});
my $digest = sql(q{SELECT dmp.audit_digest()});
my ($insert) = sql(q{SELECT id FROM chunk WHERE operation = 'I' ORDER BY id LIMIT 1});
my ($update, $other) = split /\n/, sql(q{SELECT id FROM chunk WHERE operation = 'U' ORDER BY id LIMIT 2});
my $blocks = sql(q{SELECT max(block) FROM dmp_internal.audit_block});
like(sql(q{SELECT * FROM dmp.verify_audit()}), qr/^$blocks\|\|ok\|/, 'all is well');

# what an attack looks like without a digest, with the newest one, with an old one: lines of block|entry|status
sub verdicts
{
	my ($attack) = @_;
	my $select = q{SELECT concat_ws('|', coalesce(block::text, ''), coalesce(entry::text, ''), status) FROM dmp.verify_audit};
	my $out = $node->safe_psql('postgres',
		"BEGIN; SET LOCAL client_min_messages = warning; $attack; SELECT '#'; $select(); SELECT '#'; $select('$digest'); SELECT '#'; $select('$old_digest'); ROLLBACK;");
	$out =~ s/\A.*?#\n//s;
	return split /^#\n/m, $out . "\n", -1;
}

# attack, then what must be found without a digest (undef: nothing), and with
sub attack
{
	my ($label, $attack, $plain, $with) = @_;
	my ($none, $newest, $old) = verdicts($attack);
	if (defined $plain)
	{
		like($none, $plain, "$label: found") or diag($none);
		unlike($none, qr/\|ok$/m, "$label: and not called ok");
		like($newest, $plain, "$label: found with a digest");
	}
	else
	{
		like($none, qr/\|ok$/m, "$label: not found without a digest, as the README says");
		like($newest, $with, "$label: found with a digest") or diag($newest);
		unlike($newest, qr/\|ok$/m, "$label: and not called ok");
		like($old, qr/modified|missing/, "$label: found with an old digest");
	}
}

my $first = $insert * 1000;

# ---- flip

attack('a byte of a payload', "UPDATE chunk SET body = set_byte(body, 30, get_byte(body, 30) # 1) WHERE id = $insert", qr/^1\|$first\|modified$/m);
attack('a byte of a salt', "UPDATE chunk SET body = set_byte(body, 7, get_byte(body, 7) # 128) WHERE id = $insert", qr/^1\|$first\|modified$/m);
attack('a length', "UPDATE chunk SET body = set_byte(body, 1, get_byte(body, 1) # 1) WHERE id = $insert", qr/^1\|$first\|modified$/m);
attack('state erased, without the hash', "UPDATE chunk SET body = set_byte(body, 0, 1) WHERE id = $insert", qr/^1\|$first\|(modified|missing)$/m);
foreach my $column (
	"at = at + interval '1 microsecond'", q{xact = (xact::text::bigint - 1)::text::xid8}, 'shape = shape + 1', q{operation = 'D'}, 'entries = entries + 1',
	q{session_role = 'mallory'}, q{effective_role = 'mallory'}, q{actor = 'mallory'}, q{purpose = 'fun'}, q{request = 'R1'}, q{application = 'x'}, q{client = 'x'},
	'statement_hash = coalesce(statement_hash, 0) + 1', 'cluster = cluster + 1')
{
	my ($name) = $column =~ /^(\w+)/;
	attack("column $name of a chunk", "UPDATE chunk SET $column WHERE id = $update", qr/^1\|${update}000\|modified$/m);
}
attack('names of columns', q{UPDATE dmp_internal.audit_shape SET columns = replace(columns::text, 'balance', 'damage')::json}, qr/modified$/m);
attack('name of the table', q{UPDATE dmp_internal.audit_shape SET relation_name = 'public.other' WHERE relation_name = 'public.account'}, qr/modified$/m);
attack('the shape taken out', q{DELETE FROM dmp_internal.audit_shape}, qr/modified$/m);
# each byte of a chunk, and each byte of its commitments
is( sql(qq{
	CREATE FUNCTION silent(target text, size int) RETURNS SETOF int LANGUAGE plpgsql AS \$\$
	DECLARE ok boolean;
	BEGIN
		FOR i IN 0 .. size - 1 LOOP
			BEGIN
				EXECUTE format(target, i);
				SELECT count(*) FILTER (WHERE status = 'ok') > 0 INTO ok FROM dmp.verify_audit();
				RAISE EXCEPTION 'undo';
			EXCEPTION WHEN raise_exception THEN
				IF ok THEN RETURN NEXT i; END IF;
			END;
		END LOOP;
	END \$\$;
	SELECT count(*) FROM silent('UPDATE chunk SET body = set_byte(body, %1\$s, get_byte(body, %1\$s) # 4) WHERE id = $update', (SELECT length(body) FROM chunk WHERE id = $update))}),
	0, 'each byte of a chunk');
foreach my $part ('audit_commitment:leaves', 'audit_commitment:directory', 'audit_block:root', 'audit_block:hash', 'audit_block:previous', 'audit_block:history', 'audit_block:directory_hash', 'audit_head:hash')
{
	my ($table, $column) = split /:/, $part;
	my $where = $table eq 'audit_head' ? '' : 'WHERE block = 2';
	is(sql(qq{SELECT count(*) FROM silent('UPDATE dmp_internal.$table SET $column = set_byte($column, %1\$s, get_byte($column, %1\$s) # 4) $where',
		(SELECT least(length($column), 100) FROM dmp_internal.$table $where))}), 0, "each byte of $part");
}
foreach my $column (qw(cluster total entries chunks first_chunk last_chunk))
{
	attack("$column of a header", "UPDATE dmp_internal.audit_block SET $column = $column + 1 WHERE block = 2", qr/^2\|\|modified$/m);
}
foreach my $column (qw(first_at last_at sealed_at))
{
	attack("$column of a header", "UPDATE dmp_internal.audit_block SET $column = $column + interval '1 s' WHERE block = 2", qr/^2\|\|modified$/m);
}
foreach my $column (qw(xact_from horizon))
{
	attack("$column of a header", "UPDATE dmp_internal.audit_block SET $column = ($column\::text::bigint + 1)::text::xid8 WHERE block = 2", qr/^2\|\|modified$/m);
}
attack('commitments, entries as they were', 'UPDATE dmp_internal.audit_commitment SET leaves = set_byte(leaves, 3, get_byte(leaves, 3) # 1) WHERE block = 2', qr/^2\|\|modified$/m);
attack('an entry and its commitment', qq{UPDATE chunk SET body = set_byte(body, 30, get_byte(body, 30) # 1) WHERE id = $insert;
	UPDATE dmp_internal.audit_commitment SET leaves = set_byte(leaves, 3, get_byte(leaves, 3) # 1) WHERE block = 1}, qr/^1\|\|modified$/m);

# ---- delete

attack('a chunk', "DELETE FROM chunk WHERE id = $insert", qr/^1\|$first\|missing$/m);
attack('the chunks of a block', "DELETE FROM chunk WHERE id IN (SELECT chunk FROM dmp_internal.audit_commitment, dmp_internal.audit_directory(directory) WHERE block = 2)", qr/^2\|\d+\|missing$/m);
my $size = sql("SELECT 5 + get_byte(body, 1) FROM chunk WHERE id = $update");
attack('the last image of a chunk', qq{UPDATE chunk SET body = substr(body, 1, length(body) - 5 - get_byte(body, length(body) - $size + 1)) WHERE id = $update}, qr/^1\|${update}00\d\|(missing|modified)$/m);
attack('the first image of a chunk', "UPDATE chunk SET body = substr(body, $size + 1) WHERE id = $update", qr/^1\|${update}004\|missing$/m);
attack('all chunks', 'DELETE FROM chunk', qr/^1\|$first\|missing$/m);
attack('a block in the middle', 'DELETE FROM dmp_internal.audit_block WHERE block = 2', qr/^2\|\|missing$/m);
attack('a block with its commitments and chunks', q{DELETE FROM chunk WHERE id IN (SELECT chunk FROM dmp_internal.audit_commitment, dmp_internal.audit_directory(directory) WHERE block = 2);
	DELETE FROM dmp_internal.audit_block WHERE block = 2; DELETE FROM dmp_internal.audit_commitment WHERE block = 2}, qr/^2\|\|missing$/m);
attack('commitments of a block', 'DELETE FROM dmp_internal.audit_commitment WHERE block = 2', qr/^2\|\|missing$/m);
attack('the head', 'DELETE FROM dmp_internal.audit_head', qr/^\|\|missing$/m);

# ---- insert

attack('a chunk below the horizon', qq{INSERT INTO dmp_internal.audit_chunk SELECT (jsonb_populate_record(c, jsonb_build_object('id', 900000))).* FROM dmp_internal.audit_chunk c WHERE id = $insert}, qr/^\|900000000\|inserted$/m);
attack('a second chunk of a number', "INSERT INTO dmp_internal.audit_chunk SELECT * FROM dmp_internal.audit_chunk WHERE id = $insert", qr/^1\|$first\|inserted$/m);
attack('an image at the end of a chunk', "UPDATE chunk SET body = body || substr(body, 1, $size) WHERE id = $update", qr/^1\|${update}005\|inserted$/m);
attack('bytes at the end of a chunk', "UPDATE chunk SET body = body || '\\x2a' WHERE id = $update", qr/^1\|${update}004\|modified$/m);

# ---- reorder

attack('two images of a chunk', "UPDATE chunk SET body = substr(body, $size + 1, $size) || substr(body, 1, $size) || substr(body, 2 * $size + 1) WHERE id = $update",
	qr/^1\|${update}000\|reordered\n1\|${update}001\|reordered$/m);
attack('the bodies of two chunks', qq{UPDATE chunk c SET body = (SELECT body FROM chunk o WHERE o.id = $update + $other - c.id) WHERE id IN ($update, $other)}, qr/^1\|${update}000\|reordered$/m);
attack('the numbers of two chunks', "UPDATE chunk SET id = $update + $other - id WHERE id IN ($update, $other)", qr/^1\|${update}000\|reordered$/m);
attack('two blocks', q{UPDATE dmp_internal.audit_block SET block = -block WHERE block IN (2, 3); UPDATE dmp_internal.audit_block SET block = 5 + block WHERE block < 0}, qr/^2\|\|reordered\n(.*\n)*3\|\|reordered$/m);
attack('commitments of two blocks', q{UPDATE dmp_internal.audit_commitment SET block = -block WHERE block IN (2, 3); UPDATE dmp_internal.audit_commitment SET block = 5 + block WHERE block < 0}, qr/^2\|\|modified$/m);

# ---- truncate

my $newest = "DELETE FROM chunk WHERE id IN (SELECT chunk FROM dmp_internal.audit_commitment, dmp_internal.audit_directory(directory) WHERE block = $blocks)";
my $newest_block = "DELETE FROM dmp_internal.audit_block WHERE block = $blocks; DELETE FROM dmp_internal.audit_commitment WHERE block = $blocks";
attack('the newest chunks', $newest, qr/^$blocks\|\d+\|missing$/m);
attack('the newest block', $newest_block, qr/^$blocks\|\|missing$/m);
attack('the newest chunks and their block', "$newest; $newest_block", qr/^$blocks\|\|missing$/m);
attack('tables emptied', 'TRUNCATE dmp_internal.audit_chunk, dmp_internal.audit_block, dmp_internal.audit_commitment', qr/^1\|\|missing$/m);
attack('a partition dropped by hand', sql(q{SELECT 'DROP VIEW chunk; DROP TABLE dmp_internal.' || relname FROM pg_class WHERE oid IN (SELECT tableoid FROM dmp_internal.audit_chunk) LIMIT 1}), qr/^1\|$first\|missing$/m);
my $everything = 'TRUNCATE dmp_internal.audit_chunk, dmp_internal.audit_block, dmp_internal.audit_commitment, dmp_internal.audit_head';
{
	my ($none, $with) = verdicts($everything);
	like($none, qr/^\|\|ok$/m, 'everything taken out, head included: not found without a digest, as the README says');
	like($with, qr/^1\|\|missing$/m, 'everything taken out, head included: found with a digest');
}
{
	my ($none, $with, $old) = verdicts("$newest; $newest_block; UPDATE dmp_internal.audit_head SET (block, total, hash) = (SELECT block, total, hash FROM dmp_internal.audit_block ORDER BY block DESC LIMIT 1)");
	like($none, qr/\|ok$/m, 'the newest block, the head changed to fit: not found without a digest, as the README says');
	like($with, qr/^$blocks\|\|missing$/m, 'the newest block, the head changed to fit: found with a digest');
	like($old, qr/\|ok$/m, 'the newest block, the head changed to fit: an older digest knows nothing of it');
}

# ---- rebuild

my $rebuild = 'DELETE FROM dmp_internal.audit_block; DELETE FROM dmp_internal.audit_commitment; DELETE FROM dmp_internal.audit_head; SELECT count(*) FROM dmp.seal_audit()';
attack('an entry flipped and all hashes made anew', "UPDATE chunk SET body = set_byte(body, 30, get_byte(body, 30) # 1) WHERE id = $insert; $rebuild", undef, qr/missing|modified/);
attack('a chunk taken out and all hashes made anew', "DELETE FROM chunk WHERE id = $insert; $rebuild", undef, qr/missing|modified/);
attack('all hashes made anew', $rebuild, undef, qr/missing|modified/);

# ---- what is told, and not prevented

{
	my ($none) = verdicts("SELECT dmp_internal.erase_entries(ARRAY[$first, $first + 1])");
	like($none, qr/^1\|$first\|redacted\n(.*\n)*.*\|ok$/m, 'erased: told, and the rest is proven');
	($none) = verdicts(qq{INSERT INTO dmp_internal.audit_dropped SELECT 'p', min(at) - interval '1 s', max(at) + interval '1 s', 1, now(), 'mallory' FROM chunk; DELETE FROM chunk});
	like($none, qr/^\|\|dropped$/m, 'a month declared dropped: told');
}

# ---- before sealing, nothing is promised; what is sealed then is what is there

sql(q{UPDATE account SET balance = 9 WHERE id <= 3});
my $fresh = sql(q{SELECT max(id) FROM chunk});
foreach my $attack (
	"UPDATE chunk SET body = set_byte(body, 30, get_byte(body, 30) # 1) WHERE id = $fresh", "DELETE FROM chunk WHERE id = $fresh",
	"INSERT INTO dmp_internal.audit_chunk SELECT (jsonb_populate_record(c, jsonb_build_object('id', id + 1))).* FROM dmp_internal.audit_chunk c WHERE id = $fresh",
	"UPDATE chunk SET actor = 'mallory' WHERE id = $fresh")
{
	my ($none, $with) = verdicts($attack);
	is(scalar(() = "$none$with" =~ /\|ok$/mg), 2, 'not sealed yet: not found, as the README says');
}
{
	my ($none, $with) = verdicts("SELECT dmp_internal.erase_entries(ARRAY[${fresh}000])");
	like($with, qr/\|ok$/m, 'erased before sealing');
	sql("SELECT dmp_internal.erase_entries(ARRAY[${fresh}000]); SELECT count(*) FROM dmp.seal_audit()");
	like(sql(qq{SELECT status FROM dmp.verify_audit('$digest') WHERE entry = ${fresh}000 OR status = 'ok' ORDER BY 1}), qr/^ok\nredacted$/, 'and sealed after');
}

# ---- the proof, checked by the lines in the README

SKIP:
{
	my $python = (grep { -x "$_/python3" } split /:/, $ENV{PATH})[0];
	skip 'no python3', 5 unless $python;
	open my $readme, '<', dirname(__FILE__) . '/../../src/govern/README.md' or die $!;
	my $text = join '', <$readme>;
	close $readme;
	my ($script) = $text =~ /^```python\n(.*?)^```$/ms;
	my $lines = () = $script =~ /\n/g;
	cmp_ok($lines, '<=', 15, 'fifteen lines');
	my $dir = PostgreSQL::Test::Utils::tempdir();
	my $write = sub {
		my ($name, $content) = @_;
		open my $f, '>', "$dir/$name" or die $!;
		print $f $content;
		close $f;
		return "$dir/$name";
	};
	my $check = $write->('check.py', $script);
	my $checks = sub { my ($proof, $with) = @_; return system("$python/python3", $check, $write->('proof', $proof), $write->('digest', $with)) == 0; };
	my $now = sql(q{SELECT dmp.audit_digest()});
	my @proofs = split /\n/, sql(q{SELECT dmp.audit_proof(entry) FROM (SELECT id * 1000 + place AS entry FROM chunk c, generate_series(0, c.entries - 1, 3) place) e ORDER BY entry});
	is(scalar(grep { $checks->($_, $now) } @proofs), scalar @proofs, scalar(@proofs) . ' proofs hold');
	ok($checks->(sql(qq{SELECT dmp.audit_proof($first, '$old_digest')}), $old_digest), 'one to an old digest');
	open STDERR, '>&', \*STDOUT;
	ok(!$checks->($proofs[0], $old_digest), 'not to another digest');
	(my $forged = $proofs[3]) =~ s/("content": "[0-9a-f]{40})([0-9a-f])/$1 . ($2 eq '0' ? '1' : '0')/e;
	ok(!$checks->($forged, $now), 'not with another content');
}

# ---- no false alarm: eight clients with rollbacks and savepoints, crashes, sealers and a verifier

my $script = $node->basedir . '/work.sql';
open my $f, '>', $script or die $!;
print $f <<'SQL';
\set id random(1, 1000)
\set act random(1, 10)
BEGIN;
UPDATE work SET balance = balance + 1 WHERE id = :id;
SAVEPOINT s;
INSERT INTO work (balance, note) SELECT i, 'many' FROM generate_series(1, :act * 2) i;
\if :act > 7
ROLLBACK TO s;
UPDATE work SET note = 'back' WHERE id = :id + 1;
\endif
\if :act < 4
ROLLBACK;
\else
\if :act = 5
DELETE FROM work WHERE id = :id + 1000;
\endif
COMMIT;
\endif
SQL
close $f;
sql(q{CREATE TABLE work (id int GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, balance int, note text); SELECT dmp.audit('work');
	INSERT INTO work (balance) SELECT 0 FROM generate_series(1, 1000)});
# a transaction that stays open all along holds the horizon back; a prepared one too
sql(q{BEGIN; INSERT INTO work VALUES (-1, 0, 'prepared'); PREPARE TRANSACTION 'p'});

sub alarms
{
	my ($with) = @_;
	return sql(qq{SELECT block, entry, status, detail FROM dmp.verify_audit($with) WHERE status NOT IN ('ok', 'unsealed', 'redacted', 'dropped')});
}

my $with = "'$digest'";
foreach my $round (1 .. 3)
{
	my ($out, $err) = ('', '');
	my $bench = IPC::Run::start([ 'pgbench', '-n', '-c', '8', '-T', '120', '--max-tries=100', '-f', $script, '-h', $node->host, '-p', $node->port, 'postgres' ],
		'<' => \undef, '>' => \$out, '2>' => \$err);
	sql(q{COMMIT PREPARED 'p'}) if $round == 2;
	my $sealed = 0;
	my $sealer = IPC::Run::start([ 'psql', '-X', '-q', '-d', $node->connstr('postgres') ],
		'<' => \"SELECT count(*) FROM dmp.seal_audit() \\watch 0.05\n", '>' => \my $seal_out, '2>' => \my $seal_err);
	my @alarms;
	for (1 .. 4)
	{
		usleep(300_000);
		$sealed += sql(q{SELECT count(*) FROM dmp.seal_audit()});
		push @alarms, alarms($with);
		push @alarms, sql(q{SELECT * FROM dmp.audit_coverage()}) if $_ % 2;
		$with = "jsonb_build_array('" . sql(q{SELECT dmp.audit_digest()}) . "'::jsonb, '$digest'::jsonb)";
	}
	is(join('', @alarms), '', "round $round: no alarm while eight clients write");
	my $pid = sql(q{SELECT pid FROM pg_stat_activity WHERE query ~ 'work SET|INTO work|SAVEPOINT' AND pid <> pg_backend_pid() LIMIT 1});
	ok($pid, "round $round: they do") or diag($err);
	if ($pid && $round < 3)
	{
		# the whole server: no checkpoint, no goodbye
		kill 'KILL', $pid;
		usleep(300_000);
		$node->poll_query_until('postgres', 'SELECT true') or die 'the server did not come back';
		if ($round == 2)
		{
			$node->stop('immediate');
			$node->start;
		}
	}
	$_->kill_kill foreach $bench, $sealer;
	is(alarms($with) . sql(q{SELECT * FROM dmp.audit_coverage()}), '', "round $round: nor after a crash");
}
sql(q{SELECT count(*) FROM dmp.seal_audit()});
is(alarms($with), '', 'nor when all is sealed');
like(sql(q{SELECT detail FROM dmp.verify_audit() WHERE status = 'ok'}), qr/, 0 not sealed yet$/, 'all of it');
is(sql(q{SELECT count(*) FILTER (WHERE n <> 1) FROM (SELECT count(*) AS n FROM dmp_internal.audit_commitment, dmp_internal.audit_directory(directory) GROUP BY chunk) c}), 0, 'no chunk was sealed twice');

# ---- two sealers at once: one returns nothing, at once

sql(q{UPDATE work SET balance = 1 WHERE id < 100});
my $holder = IPC::Run::start([ 'psql', '-X', '-q', '-d', $node->connstr('postgres'), '-c', q{BEGIN}, '-c', q{SELECT count(*) FROM dmp.seal_audit()}, '-c', q{SELECT pg_sleep(3)}, '-c', q{COMMIT} ],
	'<' => \undef, '>' => \my $holder_out, '2>' => \my $holder_err);
$node->poll_query_until('postgres', q{SELECT count(*) > 0 FROM pg_stat_activity WHERE query LIKE '%pg_sleep(3)%' AND pid <> pg_backend_pid() AND state = 'active'});
my $start = Time::HiRes::time();
is(sql(q{SELECT count(*) FROM dmp.seal_audit()}), 0, 'the second sealer returns nothing');
cmp_ok(Time::HiRes::time() - $start, '<', 1.5, 'at once');
# nobody else can hold it back: there is no advisory lock to take
IPC::Run::finish($holder);
is(alarms($with), '', 'no alarm');

# ---- on a standby: everything but sealing

$node->backup('copy');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'copy', has_streaming => 1);
$standby->start;
$node->wait_for_catchup($standby, 'replay', $node->lsn('insert'));
is($standby->safe_psql('postgres', q{SELECT dmp.audit_digest()}), sql(q{SELECT dmp.audit_digest()}), 'standby: the same digest');
is($standby->safe_psql('postgres', qq{SELECT count(*) FROM dmp.verify_audit($with) WHERE status = 'ok'}), 1, 'standby: verifies');
is($standby->safe_psql('postgres', qq{SELECT dmp.audit_proof($first) ->> 'entry'}), $first, 'standby: proves');
is($standby->safe_psql('postgres', q{SELECT * FROM dmp.audit_coverage()}), '', 'standby: tells of gaps');
my ($status, $out, $err) = $standby->psql('postgres', q{SELECT * FROM dmp.seal_audit()});
like($err, qr/cannot execute .* (during recovery|in a read-only transaction)/, 'standby: does not seal');
$standby->stop;

# ---- a restore into another cluster

sql(q{UPDATE work SET balance = 2 WHERE id < 50; SELECT dmp_internal.erase_entries(ARRAY[(SELECT max(id) * 1000 FROM chunk)])});
like(sql(q{SELECT * FROM dmp.audit_coverage()}), qr/^public\.work\|[^|]*\|[^|]*\|1 entries were erased[^\n]*$/, 'an erased entry explains nothing');
my $last_digest = sql(q{SELECT dmp.audit_digest()});
my $dump = $node->basedir . '/dump.sql';
$node->command_ok([ 'pg_dump', '-f', $dump, '-d', $node->connstr('postgres') ], 'dump');
my $count = sql(q{SELECT sum(entries) FROM chunk});
$node->stop;
my $new = PostgreSQL::Test::Cluster->new('restored');
$new->init;
$new->start;
$new->command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-f', $dump, '-d', $new->connstr('postgres') ], 'restore');
is($new->safe_psql('postgres', q{SELECT sum(entries) FROM chunk}), $count, 'every entry');
my $after = qq{SELECT string_agg(DISTINCT status, ',' ORDER BY status) FROM dmp.verify_audit(jsonb_build_array('$digest'::jsonb, '$last_digest'::jsonb))};
is($new->safe_psql('postgres', $after), 'ok,redacted,unsealed', 'the restored log verifies against digests of the old cluster');
$new->safe_psql('postgres', q{UPDATE work SET balance = 3 WHERE id < 10});
is($new->safe_psql('postgres', q{SELECT * FROM dmp.audit_coverage() WHERE reason !~ 'erased'}), '', 'the log explains what the restored tables hold');
cmp_ok($new->safe_psql('postgres', q{SELECT count(*) FROM dmp.seal_audit()}), '>', 1, 'sealing goes on: what the dump brought, and new entries');
is($new->safe_psql('postgres', $after), 'ok,redacted', 'and verifies');
is($new->safe_psql('postgres', q{SELECT count(DISTINCT cluster) FROM dmp_internal.audit_block}), 2, 'blocks of two clusters in one chain');
$new->stop;
done_testing();
