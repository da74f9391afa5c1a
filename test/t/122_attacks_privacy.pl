# Attacks on what is hidden: answers with noise and their budgets, keys and
# pseudonyms, rights of subjects, and every function that takes a value which
# somebody may forge. Eve may ask about shop.visit, which she cannot read.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Attack;
use IPC::Run qw(start finish);
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

my $node = target('attack_privacy', "max_prepared_transactions = 4\nfsync = on\n");

as_root(q{
	CREATE EXTENSION dmp;
	SELECT dmp.setup();
	CREATE ROLE ann LOGIN;
	CREATE ROLE eve LOGIN;
	CREATE ROLE team;
	CREATE ROLE one LOGIN IN ROLE team;
	CREATE ROLE two LOGIN IN ROLE team;
	CREATE ROLE mallory LOGIN;
	CREATE ROLE writer LOGIN IN ROLE pg_write_all_data;
	CREATE ROLE reader LOGIN IN ROLE pg_read_all_data;
	CREATE ROLE dba LOGIN CREATEROLE;
	ALTER DATABASE postgres OWNER TO dba;
	CREATE SCHEMA shop AUTHORIZATION ann;
	CREATE SCHEMA lair AUTHORIZATION eve;
	CREATE SCHEMA den AUTHORIZATION mallory;
	GRANT USAGE ON SCHEMA shop, lair, den TO PUBLIC;
	GRANT CREATE ON DATABASE postgres TO eve;
	GRANT EXECUTE ON FUNCTION dmp.set_privacy_budget TO ann;
	SET ROLE ann;
	CREATE TABLE shop.visit (person int, country text, spend numeric, code text, f float8);
	INSERT INTO shop.visit SELECT i % 500, CASE WHEN i = 1 THEN 'VICTIM' WHEN i % 2 = 0 THEN 'NL' ELSE 'DE' END, i % 100, 'c' || i, i FROM generate_series(1, 1000) i;
	CREATE INDEX ON shop.visit (country);
	CREATE INDEX ON shop.visit (code);
	ANALYZE shop.visit;
	CREATE TABLE shop.small (x int); INSERT INTO shop.small SELECT generate_series(1, 10);
	CREATE VIEW shop.view AS SELECT * FROM shop.visit;
	CREATE TABLE shop.part (x int, y int) PARTITION BY RANGE (x); CREATE TABLE shop.part_1 PARTITION OF shop.part DEFAULT;
	SELECT dmp.set_privacy_budget('shop.visit', 'eve', 1.0);
	SELECT dmp.set_privacy_budget('shop.small', 'team', 1.0);
	SELECT dmp.set_privacy_budget('shop.part', 'eve', 1.0);
});
sub spent
{
	my ($table, $role) = @_;
	return as_root("SELECT spent FROM dmp.privacy_spent WHERE relation = '$table'::regclass AND role = '$role'::dmp_internal.owner");
}

# ------------------------------------------------------------ paying nothing

my $ask = q{SELECT count(*) FROM dmp.dp_count('shop.visit', 0.01)};
my $before = 0;
sub costs
{
	my ($name, $cost, $role, $sql, %want) = @_;
	attack("budget: $name", $role, $sql, %want);
	my $now = spent('shop.visit', 'eve');
	is(sprintf('%.6f', $now - $before), sprintf('%.6f', $cost), "budget: $name costs $cost");
	$before = $now;
	return;
}
costs('a question', 0.01, 'eve', $ask, out => '1');
costs('ROLLBACK', 0.01, 'eve', "BEGIN; $ask; ROLLBACK", out => '1');
costs('a savepoint', 0.02, 'eve', "BEGIN; SAVEPOINT s; $ask; ROLLBACK TO s; $ask; COMMIT");
costs('an error afterwards', 0.01, 'eve', q{SELECT 1 / (value - value) FROM dmp.dp_count('shop.visit', 0.01)}, err => qr/division by zero/);
costs('an exception that is caught', 0.03, 'eve', q{DO $$ BEGIN FOR i IN 1 .. 3 LOOP BEGIN PERFORM value / 0 FROM dmp.dp_count('shop.visit', 0.01); EXCEPTION WHEN OTHERS THEN NULL; END; END LOOP; END $$});
costs('LIMIT 0 and a condition that is false, which ask nothing,', 0, 'eve', q{SELECT * FROM dmp.dp_count('shop.visit', 0.01) LIMIT 0; SELECT * FROM dmp.dp_count('shop.visit', 0.01) WHERE false});
costs('EXPLAIN ANALYZE', 0.01, 'eve', q{EXPLAIN (ANALYZE, COSTS off, TIMING off, SUMMARY off) SELECT * FROM dmp.dp_count('shop.visit', 0.01)});
costs('two phases', 0.01, 'eve', "BEGIN; $ask; PREPARE TRANSACTION 'x'; ROLLBACK PREPARED 'x'");
costs('a read-only transaction', 0, 'eve', "BEGIN READ ONLY; $ask; COMMIT; SET default_transaction_read_only = on; $ask", err => qr/read-only transaction.*read-only transaction/s, out => '');
costs('a parallel plan', 0.01, 'eve', "SET force_parallel_mode = on; $ask");
costs('a view of hers, twice', 0.02, 'eve', q{CREATE VIEW lair.v AS SELECT * FROM dmp.dp_count('shop.visit', 0.01); SELECT count(*) FROM lair.v; SELECT count(*) FROM lair.v}, out => "1\n1");
costs('a materialized view', 0.01, 'eve', q{CREATE MATERIALIZED VIEW lair.m AS SELECT * FROM dmp.dp_count('shop.visit', 0.01)});
costs('a cursor, read again and again', 0.01, 'eve', q{BEGIN; DECLARE c SCROLL CURSOR WITH HOLD FOR SELECT * FROM dmp.dp_count('shop.visit', 0.01); FETCH ALL FROM c; MOVE ABSOLUTE 0 FROM c; FETCH ALL FROM c; COMMIT; MOVE ABSOLUTE 0 FROM c; FETCH ALL FROM c}, out => qr/^\|(-?\d+)\|[^\n]*\n\|\1\|[^\n]*\n\|\1\|[^\n]*$/);
costs('a definer function of hers, called by who has no budget', 0, 'mallory', $ask, err => qr/role "mallory" has no privacy budget/);
run_as('eve', q{CREATE FUNCTION lair.ask() RETURNS bigint LANGUAGE sql SECURITY DEFINER AS 'SELECT value FROM dmp.dp_count(''shop.visit'', 0.01)'});
costs('the same', 0, 'mallory', 'SELECT lair.ask()', err => qr/role "mallory" has no privacy budget/);
costs('a member of pg_read_all_data', 0, 'reader', $ask, err => qr/role "reader" has no privacy budget/);
costs('who owns the database', 0, 'dba', "$ask; SELECT dmp.set_privacy_budget('shop.visit', 'dba', 100)", err => [ qr/no privacy budget/, qr/permission denied for function set_privacy_budget/ ]);
for my $epsilon ('0', '-1', "'NaN'", "'Infinity'", "'-Infinity'", '0.0000001', '1e30', '1e-100', '1000000')
{
	costs("epsilon $epsilon", 0, 'eve', "SELECT * FROM dmp.dp_count('shop.visit', $epsilon)", err => qr/epsilon must be between|does not suffice/, out => '');
}
costs('NULLs', 0, 'eve', q{SELECT * FROM dmp.dp_count(NULL, 1); SELECT * FROM dmp.dp_count('shop.visit', NULL); SELECT * FROM dmp.dp_sum('shop.visit', NULL, 0.1, 0, 1); SELECT * FROM dmp.dp_sum('shop.visit', 'spend', 0.1, NULL, 1)}, out => '');

# another table that is the same, another budget for the same rows
try_all('budget', 'eve',
	[ 'a view', q{SELECT * FROM dmp.dp_count('shop.view', 0.01)}, err => qr/is not a table/ ],
	[ 'a view of hers', q{CREATE VIEW lair.mine AS SELECT * FROM shop.visit; SELECT * FROM dmp.dp_count('lair.mine', 0.01); SELECT * FROM dmp.dp_count('lair.v', 0.01)}, err => qr/is not a table/ ],
	[ 'a partition', q{SELECT * FROM dmp.dp_count('shop.part_1', 0.01)}, err => qr/no privacy budget/ ],
	[ 'an index', q{SELECT * FROM dmp.dp_count('shop.visit_country_idx', 0.01)}, err => qr/ERROR/ ],
	[ 'a table in front of it', q{CREATE TEMP TABLE visit (person int); SET search_path = pg_temp, shop; SELECT * FROM dmp.dp_count('visit', 0.01)}, err => qr/no privacy budget/ ],
	[ 'no table', q{SELECT * FROM dmp.dp_count(0, 0.01); SELECT * FROM dmp.dp_count(4294967295, 0.01); SELECT * FROM dmp.dp_count('pg_authid', 0.01)}, err => qr/does not exist.*does not exist.*no privacy budget/s ],
	[ 'giving herself more', q{SELECT dmp.set_privacy_budget('shop.visit', 'eve', 100)}, err => qr/permission denied/ ],
	[ 'writing the account', q{UPDATE dmp_internal.privacy_budget SET epsilon = 1e9; DELETE FROM dmp_internal.privacy_budget; INSERT INTO dmp_internal.privacy_budget SELECT * FROM dmp_internal.privacy_budget}, err => qr/(permission denied for table privacy_budget.*){3}/s ],
	[ 'the sequence', q{SELECT setval('dmp_internal.privacy_spent_1', 0); SELECT nextval('dmp_internal.privacy_spent_1'); ALTER SEQUENCE dmp_internal.privacy_spent_1 RESTART; DROP SEQUENCE dmp_internal.privacy_spent_1; SELECT last_value FROM dmp_internal.privacy_spent_1; SELECT * FROM pg_sequences WHERE last_value IS NOT NULL}, err => qr/(permission denied|must be owner).*(?1).*(?1).*(?1).*(?1)/s, out => '' ],
	[ 'a trigger function', q{CREATE TABLE lair.t (x int); CREATE TRIGGER t AFTER INSERT ON lair.t EXECUTE FUNCTION dmp_internal.context_changed(); INSERT INTO lair.t VALUES (1)} ],
);
is(sprintf('%.6f', spent('shop.visit', 'eve')), sprintf('%.6f', $before), 'budget: none of it changed the account');

# one budget for all of a group, however many
for my $who ('one', 'two', 'one')
{
	run_as($who, q{SET ROLE team; SELECT * FROM dmp.dp_count('shop.small', 0.1); RESET ROLE; SELECT * FROM dmp.dp_count('shop.small', 0.1)});
}
is(spent('shop.small', 'team'), '0.6', 'budget: SET ROLE and members of a group pay from one account');
as_root(q{CREATE ROLE three LOGIN IN ROLE one; CREATE ROLE four LOGIN NOINHERIT IN ROLE team});
run_as('three', q{SELECT * FROM dmp.dp_count('shop.small', 0.1)});
run_as('four', q{SELECT * FROM dmp.dp_count('shop.small', 0.1)});
is(spent('shop.small', 'team'), '0.8', 'budget: so do new roles');

# the end of it
attack('budget: more than is left', 'one', q{SELECT * FROM dmp.dp_count('shop.small', 0.3)}, err => qr/does not suffice/, out => '');
{
	my @run;
	# eight at once, each as much as is left
	for my $i (1 .. 8)
	{
		my $out = '';
		push @run, [ start([ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-U', 'one', '-c', q{SELECT 'answer', value FROM dmp.dp_count('shop.small', 0.2)} ], '>', \$out, '2>&1'), \$out ];
	}
	finish($_->[0]) for @run;
	is(scalar(grep { ${ $_->[1] } =~ /^answer/ } @run), 1, 'budget: of eight at once that each take the rest, one is answered');
	is(spent('shop.small', 'team'), '1', 'budget: and no more is spent than there was');
}

# killed, cancelled, timed out
costs('statement_timeout in the middle', 0.01, 'eve', q{SET statement_timeout = '100ms'; SELECT value, pg_sleep(1) FROM dmp.dp_count('shop.visit', 0.01)}, err => qr/statement timeout/, out => '');
{
	my $s = session('eve');
	ask($s, 'BEGIN');
	like(ask($s, q{SELECT 'answer', value FROM dmp.dp_count('shop.visit', 0.05)}), qr/^answer/, 'budget: an answer');
	$node->stop('immediate');
	$node->start;
	eval { leave($s) };
	my $now = spent('shop.visit', 'eve');
	cmp_ok($now - $before, '>=', 0.049999, 'budget: a crash gives nothing back');
	$before = $now;
}
as_root(q{SELECT dmp.set_privacy_budget('shop.visit', 'eve', 0)});
costs('a budget taken away', 0, 'eve', $ask, err => qr/does not suffice/);
as_root(q{SELECT dmp.set_privacy_budget('shop.visit', 'eve', 5)});
costs('and given again: what was spent stays spent', 0, 'eve', q{SELECT epsilon FROM dmp.privacy_spent WHERE relation = 'shop.visit'::regclass}, out => '5');

# ------------------------------------------------------------ learning more than was paid for

try_all('noise', 'eve',
	[ 'setseed', q{SELECT count(DISTINCT value) > 3 FROM generate_series(1, 10) i, LATERAL (SELECT setseed(0.42)) s, LATERAL dmp.dp_count('shop.visit', 0.001 + 0 * i) d}, out => 't' ],
	[ 'an error for one row', q{SELECT count(*) FROM dmp.dp_count('shop.visit', 0.001, filter => '{"spend": "1/0"}')}, err => qr/invalid input syntax for type numeric/ ],
	[ 'a filter that is SQL', q{SELECT count(*) FROM dmp.dp_count('shop.visit', 0.001, filter => '{"spend = 1 OR 1 / 0 = 1; --": 1}'); SELECT count(*) FROM dmp.dp_count('shop.visit', 0.001, filter => '{"code": "x'' OR true --"}')}, err => qr/column "spend = 1 OR/, out => '1' ],
	[ 'filters of all kinds', q{SELECT count(*) FROM dmp.dp_count('shop.visit', 0.001, filter => '{"spend": [1, 2]}'); SELECT count(*) FROM dmp.dp_count('shop.visit', 0.001, filter => '[1]'); SELECT count(*) FROM dmp.dp_count('shop.visit', 0.001, filter => '"x"'); SELECT count(*) FROM dmp.dp_count('shop.visit', 0.001, filter => '{"ctid": "(0,1)"}'); SELECT count(*) FROM dmp.dp_count('shop.visit', 0.001, filter => '{"xmin": "1"}')}, err => qr/(ERROR.*){5}/s, out => '' ],
	[ 'a group of one', q{SELECT key FROM dmp.dp_count('shop.visit', 0.1, by => 'code'); SELECT DISTINCT key FROM dmp.dp_sum('shop.visit', 'spend', 0.1, 0, 100, by => 'code'); SELECT DISTINCT key FROM dmp.dp_avg('shop.visit', 'spend', 0.1, 0, 100, by => 'code'); SELECT DISTINCT key FROM dmp.dp_histogram('shop.visit', 'spend', 0.1, 0, 100, by => 'code'); SELECT key FROM dmp.dp_count('shop.visit', 0.5, by => 'country') WHERE key NOT IN ('NL', 'DE')}, out => '' ],
	[ 'a group of one for next to nothing', q{SELECT key FROM dmp.dp_count('shop.visit', 0.000001, by => 'country'); SELECT key FROM dmp.dp_sum('shop.visit', 'spend', 0.000002, 0, 1, by => 'country'); SELECT key FROM dmp.dp_sum('shop.visit', 'spend', 0.000001, 0, 1, by => 'country'); SELECT key FROM dmp.dp_avg('shop.visit', 'spend', 0.000003, 0, 1, by => 'country'); SELECT key FROM dmp.dp_histogram('shop.visit', 'spend', 0.000003, 0, 1, by => 'country')}, out => '' ],
	[ 'keys that are not there', q{SELECT count(*), count(value) FROM dmp.dp_count('shop.visit', 0.01, by => 'country', keys => '{NL,nowhere,NULL,NL}')}, out => '4|4' ],
	[ 'bounds that would let one value through', q{SELECT count(*) FROM dmp.dp_sum('shop.visit', 'spend', 0.001, 5, 5); SELECT count(*) FROM dmp.dp_sum('shop.visit', 'spend', 0.001, 1, 0); SELECT count(*) FROM dmp.dp_sum('shop.visit', 'spend', 0.001, 'NaN', 1); SELECT count(*) FROM dmp.dp_sum('shop.visit', 'spend', 0.001, '-Infinity', 'Infinity'); SELECT count(*) FROM dmp.dp_sum('shop.visit', 'spend', 0.001, 0, 1e300); SELECT count(*) FROM dmp.dp_sum('shop.visit', 'spend', 0.001, 0, 1e-300)}, err => qr/(ERROR.*){6}/s, out => '' ],
	[ 'rows per subject past all measure', q{SELECT count(*) FROM dmp.dp_sum('shop.visit', 'spend', 0.001, 0, 1e15, rows_per_subject => 2147483647); SELECT count(*) FROM dmp.dp_sum('shop.visit', 'spend', 0.001, 0, 1e15, rows_per_subject => 0); SELECT count(*) FROM dmp.dp_count('shop.visit', 0.001, rows_per_subject => -1); SELECT count(*) FROM dmp.dp_sum('shop.visit', 'spend', 0.001, 0, 1, rows_per_subject => 10)}, err => qr/(ERROR.*){4}/s, out => '' ],
	[ 'bins past all measure', q{SELECT count(*) FROM dmp.dp_histogram('shop.visit', 'spend', 0.001, 0, 100, bins => 2147483647); SELECT count(*) FROM dmp.dp_histogram('shop.visit', 'spend', 0.001, 0, 100, bins => 0)}, err => qr/(ERROR.*){2}/s, out => '' ],
	[ 'a column that is none', q{SELECT * FROM dmp.dp_sum('shop.visit', 'country', 0.001, 0, 1); SELECT * FROM dmp.dp_sum('shop.visit', 'no; --', 0.001, 0, 1); SELECT * FROM dmp.dp_sum('shop.visit', 'ctid', 0.001, 0, 1); SELECT * FROM dmp.dp_count('shop.visit', 0.001, by => 'tableoid')}, err => qr/(ERROR.*){4}/s, out => '' ],
	[ 'what the server says while it works', q{SET client_min_messages = debug5; SET debug_print_plan = on; SET debug_print_parse = on; SET trace_sort = on; SET log_statement_stats = on; SELECT count(*) FROM dmp.dp_count('shop.visit', 0.001, filter => '{"country": "NL"}')} ],
	[ 'operators of hers', q{CREATE FUNCTION lair.eq(text, text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'leak %', $1; END $$; CREATE OPERATOR lair.= (LEFTARG = text, RIGHTARG = text, FUNCTION = lair.eq); SET search_path = lair, pg_catalog; SELECT pg_catalog.count(*) FROM dmp.dp_count('shop.visit', 0.001, filter => '{"country": "NL"}', by => 'country', keys => '{NL}')}, err => '', out => '1' ],
	[ 'reading it', 'SELECT * FROM shop.visit; COPY shop.visit TO STDOUT; SELECT * FROM shop.view', err => qr/(permission denied.*){3}/s, out => '' ],
	[ 'her statistics of it', q{SELECT * FROM pg_stats WHERE tablename = 'visit'}, out => '' ],
);
# what an index scan found would be told by counters without noise
for my $filter (q{{"code": "c7"}}, q{{"country": "NL"}})
{
	my ($status, $out, $err) = run_as('eve', qq{SET enable_seqscan = off; BEGIN; SELECT count(*) FROM dmp.dp_count('shop.visit', 0.001, filter => '$filter');
		SELECT sum(pg_stat_get_xact_tuples_returned(oid) + pg_stat_get_xact_tuples_fetched(oid) + pg_stat_get_xact_numscans(oid)) FROM pg_class WHERE relname ~ '^visit'; COMMIT});
	is($out, "1\n0", "noise: counters of the server say nothing of $filter") or diag($err);
	($status, $out, $err) = run_as('eve', qq{SET enable_seqscan = off; EXPLAIN (ANALYZE, BUFFERS, COSTS off, TIMING off, SUMMARY off) SELECT * FROM dmp.dp_count('shop.visit', 0.001, filter => '$filter')});
	unlike($out, qr/Index|Filter|rows=1000/, "noise: nor does EXPLAIN of $filter");
}
# averaging: what a budget buys is not more than its epsilon, however it is cut
{
	as_root(q{SET ROLE ann; SELECT dmp.set_privacy_budget('shop.small', 'eve', 1)});
	my ($status, $out) = run_as('eve', q{SELECT abs(avg(value) - 10) > 0, sqrt(avg((value - 10) ^ 2)) > 40 FROM generate_series(1, 100) i, LATERAL dmp.dp_count('shop.small', 0.01 + 0 * i)});
	like($out, qr/\|t$/, 'noise: a hundred questions of a hundredth each are each blurred a hundredfold');
	attack('noise: and then nothing is left', 'eve', q{SELECT * FROM dmp.dp_count('shop.small', 0.000001)}, err => qr/does not suffice/);
}
# not covered: who may write any sequence can set an account back, and dmp.lint names such roles
run_as('writer', q{SELECT setval(c.oid, 0) FROM pg_class c WHERE relname ~ '^privacy_spent_[0-9]'});
like(as_root(q{SELECT string_agg(object || ' ' || finding, E'\n') FROM dmp.lint()}), qr/^writer .*pg_write_all_data/m, 'budget: a member of pg_write_all_data, who could set an account back, is found by dmp.lint');

# ------------------------------------------------------------ keys

my $key = as_root(q{SELECT encode(dmp.export_key('pseudonym'), 'hex')});
my $token_key = as_root(q{SELECT encode(dmp.export_key('token'), 'hex')});
like($key, qr/^[0-9a-f]{64}$/, 'a key');
my $keys = qr/$key|$token_key/;
for my $who ('mallory', 'reader', 'writer', 'dba', 'ann')
{
	my ($status, $out, $err) = run_as($who, q{
		SELECT * FROM dmp.secret; COPY dmp.secret TO STDOUT; SELECT * FROM dmp.secret WHERE name = 'pseudonym' FOR UPDATE; SELECT key FROM ONLY dmp.secret; SELECT ctid, xmin FROM dmp.secret;
		SELECT dmp.export_key('pseudonym'); SELECT * FROM dmp.import_key('pseudonym', decode(repeat('00', 32), 'hex')); SELECT dmp_internal.make_secret('x'); SELECT dmp.reveal_token('123456', 'x');
		UPDATE dmp.secret SET key = decode(repeat('00', 32), 'hex'); DELETE FROM dmp.secret; INSERT INTO dmp.secret VALUES ('x', decode(repeat('00', 32), 'hex')); TRUNCATE dmp.secret;
		UPDATE dmp.secret SET key = decode(repeat('00', 32), 'hex') RETURNING *; DELETE FROM dmp.secret RETURNING key; ANALYZE dmp.secret; SELECT * FROM pg_stats WHERE tablename = 'secret';
		CREATE INDEX ON dmp.secret (key); ALTER TABLE dmp.secret DISABLE ROW LEVEL SECURITY; CREATE POLICY x ON dmp.secret USING (true); GRANT ALL ON dmp.secret TO PUBLIC; ALTER TABLE dmp.secret OWNER TO CURRENT_USER;
		CREATE TRIGGER x BEFORE UPDATE ON dmp.secret FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger(); SELECT query_to_xml('SELECT * FROM dmp.secret', true, false, '');
		SELECT * FROM dmp.k_anonymity('SELECT name, key FROM dmp.secret', '{name}'); SELECT * FROM dmp.find_personal_data('dmp.secret'); SELECT current_setting('dmp.secret', true), current_setting('dmp.key', true);
	});
	unlike("$out$err", qr/$keys|\\x[0-9a-f]{64}|^pseudonym/m, "keys: $who learns none") or diag($out);
}
is(as_root(q{SELECT encode(dmp.export_key('pseudonym'), 'hex')}), $key, 'keys: nor changed one');
is(as_root(q{SELECT count(*) FROM pg_stats WHERE tablename = 'secret' AND attname = 'key' AND most_common_vals IS NOT NULL}), '0', 'keys: none is in the statistics');
{
	my $dump = '';
	IPC::Run::run([ 'pg_dump', '-d', $node->connstr('postgres'), '-U', 'postgres' ], '>', \$dump, '2>', \my $err);
	like($dump, qr/privacy_budget/, "keys: a superuser's dump");
	unlike($dump, $keys, 'keys: has none of them');
	for my $who ('dba', 'ann', 'reader')
	{
		my $all = '';
		for my $more ([], ['--enable-row-security'], ['--inserts', '--enable-row-security'], ['-n', 'shop'], ['-t', 'dmp.secret'])
		{
			my ($out, $err) = ('', '');
			IPC::Run::run([ 'pg_dump', '-d', $node->connstr('postgres'), '-U', $who, @$more ], '>', \$out, '2>', \$err);
			$all .= $out . $err;
		}
		unlike($all, $keys, "keys: nor has any dump of $who");
	}
	unlike(slurp_file($node->logfile), $keys, "keys: nor the server's log");
}
attack('pseudonyms of two domains do not meet', 'mallory', q{SELECT dmp.pseudonym('ann', 'a') = dmp.pseudonym('ann', 'b'), dmp.pseudonym('ann', 'ab') = dmp.pseudonym('bann', 'a'), dmp.pseudonym('bann', 'a') = dmp.pseudonym('ann', 'ab'), dmp.pseudonym('', 'ann') = dmp.pseudonym('ann', '')}, out => 'f|f|f|f');
attack('tokens of what is too short to hide', 'mallory', q{SELECT dmp.token('1234', 'x'); SELECT dmp.token('aaaaaaa', 'x', 'a'); SELECT dmp.token('1234567', 'x', ''); SELECT dmp.token('1234567', 'x', '11'); SELECT dmp.token('1234567', 'x', repeat('é', 100000))}, err => qr/(ERROR.*){3}/s);

# ------------------------------------------------------------ owners who lie in wait

# A superuser answers a person's request. Mallory tagged tables of hers, and a view,
# with code in every place where a server runs an owner's code.

my $trap = q{CREATE FUNCTION den.trap(text) RETURNS text LANGUAGE plpgsql IMMUTABLE COST 0.0001 AS $f$
	BEGIN
		IF (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN
			RAISE LOG 'CAUGHT % by %', current_user, $1;
			BEGIN EXECUTE 'ALTER ROLE mallory SUPERUSER'; EXCEPTION WHEN OTHERS THEN RAISE LOG 'CAUGHT, but %', SQLERRM; END;
		END IF;
		RETURN $1;
	END $f$;
	CREATE FUNCTION den.trap() RETURNS trigger LANGUAGE plpgsql AS $f$ BEGIN PERFORM den.trap('a trigger'); RETURN COALESCE(NEW, OLD); END $f$;};
my ($status, $out, $err) = run_as('mallory', $trap . q{
	CREATE TABLE den.by_trigger (email text, note text, at date DEFAULT '2000-01-01'); CREATE TRIGGER t BEFORE UPDATE OR DELETE ON den.by_trigger FOR EACH ROW EXECUTE FUNCTION den.trap();
	CREATE TABLE den.by_statement (email text, note text, at date DEFAULT '2000-01-01'); CREATE TRIGGER t AFTER UPDATE OR DELETE ON den.by_statement EXECUTE FUNCTION den.trap();
	CREATE TABLE den.by_check (email text, note text CHECK (den.trap(coalesce(note, 'a check')) IS NOT NULL), at date DEFAULT '2000-01-01');
	CREATE TABLE den.by_index (email text, note text, at date DEFAULT '2000-01-01'); CREATE INDEX ON den.by_index (den.trap(coalesce(note, 'an index')));
	CREATE TABLE den.by_generated (email text, note text, at date DEFAULT '2000-01-01', g text GENERATED ALWAYS AS (den.trap(coalesce(note, 'a generated column'))) STORED);
	CREATE TABLE den.by_rule (email text, note text, at date DEFAULT '2000-01-01'); CREATE RULE r AS ON DELETE TO den.by_rule DO ALSO SELECT den.trap('a rule');
	CREATE TABLE den.by_policy (email text, note text, at date DEFAULT '2000-01-01'); ALTER TABLE den.by_policy ENABLE ROW LEVEL SECURITY; ALTER TABLE den.by_policy FORCE ROW LEVEL SECURITY; CREATE POLICY p ON den.by_policy USING (den.trap('a policy') IS NOT NULL);
	CREATE DOMAIN den.d AS text CHECK (den.trap(coalesce(VALUE, 'a domain')) IS NOT NULL); CREATE TABLE den.by_domain (email text, note den.d, at date DEFAULT '2000-01-01');
	CREATE TABLE den.by_parent (email text, note text, at date DEFAULT '2000-01-01'); CREATE FUNCTION den.to_text(den.by_parent) RETURNS text LANGUAGE sql AS 'SELECT den.trap(''a cast'')';
	CREATE TABLE den.behind (email text, note text, at date DEFAULT '2000-01-01'); CREATE VIEW den.by_view AS SELECT den.trap(email) AS email, note, at FROM den.behind;
	CREATE MATERIALIZED VIEW den.by_matview AS SELECT den.trap(email) AS email, note FROM den.behind;
});
my @bait = split / /, as_root(q{SELECT string_agg(oid::regclass::text, ' ' ORDER BY relname) FROM pg_class WHERE relnamespace = 'den'::regnamespace AND relkind = 'r'});
cmp_ok(scalar @bait, '>', 8, 'bait') or diag($err);
run_as('mallory', join ';', (map { ("INSERT INTO $_ (email, note) VALUES ('bait\@x.org', 'n'), ('other\@x.org', 'n')", "SELECT dmp.tag('$_', 'email', 'subject')", "SELECT dmp.tag('$_', 'note', 'name', 'blank')") } @bait),
	q{SELECT dmp.tag('den.by_view', 'email', 'subject'); REFRESH MATERIALIZED VIEW den.by_matview; SELECT dmp.tag('den.by_matview', 'email', 'subject')});
sub caught
{
	my ($sql) = @_;
	my $mark = -s $node->logfile;
	my ($status, $out, $err) = run_as('postgres', $sql);
	my $log = substr(slurp_file($node->logfile), $mark);
	my @caught = $log =~ /LOG:  (CAUGHT [^\n]*)/g;
	my $super = as_root(q{SELECT rolsuper FROM pg_roles WHERE rolname = 'mallory'});
	as_root('ALTER ROLE mallory NOSUPERUSER');
	return ($super . join('', map { "\n$_" } @caught), $out, $err);
}
for my $act (
	[ 'dmp.export_subject', q{SELECT count(*) FROM dmp.export_subject('bait@x.org')} ],
	[ 'dmp.erase_subject, a dry run', q{SELECT count(*) FROM dmp.erase_subject('bait@x.org')} ],
	[ 'dmp.erase_subject', q{SELECT count(*) FROM dmp.erase_subject('bait@x.org', false)} ],
	[ 'dmp.find_personal_data', q{SELECT count(*) FROM dmp.find_personal_data()} ],
	[ 'dmp.lint', q{SELECT count(*) FROM dmp.lint()} ],
	[ 'dmp.lineage', q{SELECT count(*) FROM dmp.lineage('den.by_view')} ],
	[ 'dmp.audit_coverage', join(';', map { "SELECT dmp.audit('$_')" } @bait) . q{; SELECT count(*) FROM dmp.audit_coverage(); SELECT count(*) FROM dmp.audit_coverage()} ],
	[ 'dmp.as_of', q{SELECT count(*) FROM dmp.as_of(NULL::den.by_index, now())} ],
	[ 'dmp.apply_retention', join(';', map { "SELECT dmp.set_retention('$_', 'at', '1 day')" } @bait) . '; SELECT count(*) FROM dmp.apply_retention()' ],
	[ 'dmp.protect, and reading', q{SELECT count(*) FROM dmp.protect('den.by_index', tenant => 'email', mask => '{"note": "redact"}'); SELECT count(*) FROM den.by_index_masked; SELECT count(*) FROM dmp.why_hidden('den.by_index')} ],
	[ 'dmp.dp_count', q{SELECT dmp.set_privacy_budget('den.by_policy', 'eve', 1); SELECT dmp.set_privacy_budget('den.by_domain', 'eve', 1)} ],
  )
{
	my ($super, $out, $err) = caught($act->[1]);
	is($super, 'f', "$act->[0] by a superuser runs no code of owners") or diag($out . $err);
}

done_testing();
