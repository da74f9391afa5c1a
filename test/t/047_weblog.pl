# Every line of a real access log is accounted for: 10,000 lines of a combined log.
#
# The data are no part of the project. DMP_DATA names the folder that holds
# weblogs/apache_logs; without it the test is skipped.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $file = ($ENV{DMP_DATA} // '../shared/data') . '/weblogs/apache_logs';
plan skip_all => "no $file" unless -r $file;

my $node = PostgreSQL::Test::Cluster->new('weblog');
$node->init;
$node->start;
$node->safe_psql('postgres', q{CREATE EXTENSION dmp; CREATE TABLE raw (line text)});
$node->safe_psql('postgres', qq{\\copy raw FROM '$file' WITH (FORMAT csv, DELIMITER e'\\x01', QUOTE e'\\x02')});

# the same fields by splitting, which a regular log allows
my (%count, $lines, $bytes);
open my $log, '<', $file or die "$file: $!";
while (my $line = <$log>)
{
	my @part = split /"/, $line;
	my ($status, $size) = split ' ', $part[2];
	$lines++;
	$count{$status}++;
	$bytes += $size if $size ne '-';
}
close $log;

is($node->safe_psql('postgres', q{SELECT count(*) FROM raw WHERE dmp.parse_weblog(line) IS NOT DISTINCT FROM NULL}), 0, 'no line is unaccounted for');
is($node->safe_psql('postgres', q{SELECT count(*), sum((dmp.parse_weblog(line)).bytes) FROM raw}), "$lines|$bytes", 'lines and bytes');
is($node->safe_psql('postgres', q{SELECT (dmp.parse_weblog(line)).status AS s, count(*) FROM raw GROUP BY s ORDER BY s}),
	join("\n", map { "$_|$count{$_}" } sort keys %count), 'by status');
is($node->safe_psql('postgres', q{SELECT count(*) FROM raw, dmp.parse_weblog(line) p WHERE p.method IS NULL OR p.path IS NULL OR p.protocol IS NULL OR p.remote_host IS NULL}),
	0, 'with a request each');
$node->stop;
done_testing();
