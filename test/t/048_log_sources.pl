# Sources of real logs: every line of the files is accounted for, and what
# comes out is what an independent reading of the lines says.
#
# The data are no part of the project. DMP_DATA names the folder that holds
# weblogs/; without it the test is skipped.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $data = ($ENV{DMP_DATA} // '../shared/data') . '/weblogs';
plan skip_all => "no $data" unless -r "$data/apache_logs" && -r "$data/auth.log" && -r "$data/nginxplus_json_logs";

my $node = PostgreSQL::Test::Cluster->new('logs');
$node->init;
$node->append_conf('postgresql.conf', "timezone = 'UTC'\ndatestyle = 'ISO'");
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION dmp');

sub sql
{
	return $node->safe_psql('postgres', $_[0]);
}

sub lines_of
{
	open my $file, '<:raw', $_[0] or die "$_[0]: $!";
	my @lines = grep { /\S/ } <$file>;
	close $file;
	chomp @lines;
	return @lines;
}

# one line for each value of a count: value|count
sub counts
{
	my %count;
	$count{$_}++ for @_;
	return join "\n", map { "$_|$count{$_}" } sort keys %count;
}

# ---- the access log
my @lines = lines_of("$data/apache_logs");
sql(q{CREATE TABLE hits (id bigint, remote_host text, remote_user text, requested_at timestamptz, method text, path text, protocol text, status int, bytes bigint, referrer text, agent text);
	SELECT dmp.create_source('web', 'hits', format => 'weblog')});
is(sql("SELECT rows_read, rows_loaded, rows_quarantined, rows_duplicate, fields_ignored FROM dmp.ingest('web', '$data/apache_logs')"), @lines . '|' . @lines . '|0|0|{}', 'access log: each line is a row');
my ($bytes, @status, @method, @day) = (0);
for (@lines)
{
	/^(\S+) \S+ (\S+) \[(\d+)\/(\w+)\/(\d+):.*?\] "(\S+) .*?" (\d+) (\d+|-)/ or die $_;
	push @status, $7;
	push @method, $6;
	push @day, "$5-05-$3";
	$bytes += $8 if $8 ne '-';
}
is(sql('SELECT status, count(*) FROM hits GROUP BY 1 ORDER BY 1'), counts(@status), 'by status');
is(sql('SELECT method, count(*) FROM hits GROUP BY 1 ORDER BY 1'), counts(@method), 'by method');
is(sql('SELECT requested_at::date, count(*) FROM hits GROUP BY 1 ORDER BY 1'), counts(@day), 'by day');
is(sql('SELECT sum(bytes) FROM hits'), $bytes, 'bytes');
is(sql(q{SELECT count(*) FROM hits WHERE agent IS NULL}), scalar(grep { /"-"$/ || !/" "[^"]*"?$/ } @lines), 'without an agent');

# the table says the same as the function over the lake
is(sql(q{SELECT count(*) FROM (SELECT remote_host, requested_at, path, status, agent, referrer FROM hits
	EXCEPT ALL SELECT p.remote_host, p.requested_at, p.path, p.status, p.agent, p.referrer FROM lake.web, dmp.parse_weblog(line) p) d}), 0, 'as dmp.parse_weblog');

# ---- syslog
@lines = lines_of("$data/auth.log");
sql(q{CREATE TABLE auth (logged_at timestamp, host text, program text, pid int, message text);
	SELECT dmp.create_source('auth', 'auth', format => 'syslog', options => '{"year": 2015}')});
is(sql("SELECT rows_read, rows_loaded, rows_quarantined, rows_duplicate, fields_ignored FROM dmp.ingest('auth', '$data/auth.log')"), @lines . '|' . @lines . '|0|0|{}', 'syslog: each line is a row');
my (@program, @time, $pids, $length);
my %month = (Mar => '03', Apr => '04');
for (@lines)
{
	my ($month, $day, $clock, $host, $rest) = split ' ', $_, 5;
	my ($program, $pid, $message) = $rest =~ /^([^:\[ ]+)(?:\[(\d+)\])?: (.*)$/;
	push @program, $program // '';
	push @time, sprintf '2015-%s-%02d %s', $month{$month} // die($_), $day, substr($clock, 0, 2);
	$pids += $pid // 0;
	$length += length($message // $rest);
}
is(sql(q{SELECT coalesce(program, '') COLLATE "C" AS p, count(*) FROM auth GROUP BY 1 ORDER BY 1}), counts(@program), 'by program');
is(sql(q{SELECT to_char(logged_at, 'YYYY-MM-DD HH24'), count(*) FROM auth GROUP BY 1 ORDER BY 1}), counts(@time), 'by hour');
is(sql(q{SELECT sum(pid), sum(octet_length(message)) FROM auth}), "$pids|$length", 'pids and messages');

# ---- json of a load balancer, nested
@lines = lines_of("$data/nginxplus_json_logs");
sql(q{CREATE TABLE status (at bigint, accepted bigint, peer text, requests bigint);
	SELECT dmp.create_source('status', 'status', mapping => '{"at": "timestamp", "accepted": "connections.accepted", "peer": "upstreams.trac-backend.peers[1].server", "requests": "requests.total"}')});
is(sql("SELECT rows_read, rows_loaded, rows_quarantined, rows_duplicate FROM dmp.ingest('status', '$data/nginxplus_json_logs')"), @lines . '|' . @lines . '|0|0', 'json: each line is a row');
my ($accepted, $requests) = (0, 0);
for (@lines)
{
	$accepted += $1 if /"connections":\{"accepted":(\d+)/;
	$requests += $1 if /"requests":\{"total":(\d+)/;
}
is(sql(q{SELECT sum(accepted), sum(requests), count(DISTINCT peer) FROM status}), "$accepted|$requests|1", 'values of paths');

$node->stop;
done_testing();
