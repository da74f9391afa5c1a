# The copy_command of a csv source, run as it is printed, puts the records into
# the lake that dmp.load_file takes from the same file.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('copy_command');
$node->init;
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION dmp');

my @files = (
	[ 'quotes and line ends', '{}', qq{a,b\n1,"x\ny"\n2,"say ""hi"""\n3,""\n4,"",5\n"5\n\n",",\n"\n} ],
	[ 'quotes inside of fields', '{}', qq{a;b\n1;5" pipe\n2;tail"\n3;"two\nlines";x\n4;a "b\n5;c"\n} ],
	[ 'backslashes', '{"escape": "\\\\"}', qq{a,b\n1,"x \\" y\nz"\n2,back\\slash\n} ],
	[ 'one delimiter', '{"delimiter": "|"}', qq{a|b\n1|;"x\n2|"p|q\nr"\n3|,"\n} ],
	[ 'a quote left open', '{}', qq{a,b\n1,x\n2,"y\n3,z\n} ],
);
my $n = 0;
for my $case (@files)
{
	my ($label, $options, $text) = @$case;
	my $path = PostgreSQL::Test::Utils::tempdir() . '/f' . ++$n . '.csv';
	append_to_file($path, $text);
	chmod 0644, $path;
	my $line = $node->safe_psql('postgres', qq{SELECT copy_command FROM dmp.create_source('copied$n', format => 'csv', options => '$options')});
	$node->safe_psql('postgres', qq{SELECT FROM dmp.create_source('loaded$n', format => 'csv', options => '$options');
		SELECT * FROM dmp.load_file('loaded$n', '$path')});
	$line =~ s/FILE/$path/;
	$node->safe_psql('postgres', $line);
	is($node->safe_psql('postgres', qq{SELECT string_agg(line, '<end>' ORDER BY id) FROM lake.copied$n WHERE line <> ''}),
		$node->safe_psql('postgres', qq{SELECT string_agg(line, '<end>' ORDER BY id) FROM lake.loaded$n}), $label);
}
$node->stop;
done_testing();
