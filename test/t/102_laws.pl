# The examples by law in the README of govern: each block of SQL prints what
# stands below it.
use strict;
use warnings;
use File::Basename;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $readme = slurp_file(dirname(__FILE__) . '/../../src/govern/README.md');
my ($section) = $readme =~ /^(### By law.*?)^## /ms;
ok($section, 'the section is there');

my $node = PostgreSQL::Test::Cluster->new('laws');
$node->init;
$node->start;
$ENV{PGTZ} = 'UTC';

# as it stands in the README: hashes are keyed anew in each cluster
sub comparable
{
	my $text = shift;
	$text =~ s/[0-9a-f]{64}/hash/g;
	$text =~ s/^psql:<stdin>:\d+: //mg;
	$text =~ s/[ ]+$//mg;
	$text =~ s/^\s*\n|\s+\z//g;
	return $text;
}

my $blocks = 0;
while ($section =~ /^```sql\n(.*?)^```\n(?:\n```\n(.*?)^```\n)?/msg)
{
	my ($sql, $expected) = ($1, defined $2 ? $2 : '');
	my ($out, $err) = ('', '');
	IPC::Run::run([ 'psql', '-X', '-q', '-d', $node->connstr('postgres') ], '<', \$sql, '>', \$out, '2>', \$err);
	$blocks++;
	is(comparable("$out\n$err"), comparable($expected), 'block ' . $blocks . ': ' . (split /\n/, $sql)[0]);
}
cmp_ok($blocks, '>', 12, 'blocks');
$node->stop;
done_testing();
