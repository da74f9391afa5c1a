# Accuracy on a real table, against numbers that were measured with another
# implementation: five folds of online_shoppers (UCI, CC BY 4.0).
#
# The data are no part of the project. DMP_DATA names the folder that holds
# online_shoppers/online_shoppers_intention.csv; without it the test is skipped.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $file = ($ENV{DMP_DATA} // '../shared/data') . '/online_shoppers/online_shoppers_intention.csv';
plan skip_all => "no $file" unless -r $file;

my $node = PostgreSQL::Test::Cluster->new('accuracy');
$node->init;
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION dmp');

open my $in, '<', $file or die "$file: $!";
my $header = <$in>;
close $in;
chomp $header;
$header =~ s/\r$//;
my @columns = map { lc } split /,/, $header;
my %code = map { $_ => 1 } qw(operatingsystems browser region traffictype);
my %text = (%code, month => 1, visitortype => 1);
my $definition = join ', ', map { "$_ " . ($_ =~ /^(weekend|revenue)$/ ? 'boolean' : $code{$_} ? 'int' : $text{$_} ? 'text' : 'float8') } @columns;

# a row's fold goes by its place in the file, so that another tool can take the same
$node->safe_psql('postgres', "CREATE TABLE shoppers (id int GENERATED ALWAYS AS IDENTITY (MINVALUE 0 START 0), $definition)");
$node->safe_psql('postgres', "\\copy shoppers (" . join(', ', @columns) . ") FROM '$file' (FORMAT csv, HEADER)");
is($node->safe_psql('postgres', 'SELECT count(*), count(*) FILTER (WHERE revenue) FROM shoppers'), '12330|1908', 'the table is the one');

# the mean AUC over five folds of the rows that `select` gives
sub cross_validate
{
	my ($name, $select) = @_;
	$node->safe_psql('postgres', "CREATE TABLE $name AS $select");
	my $sum = 0;
	for my $fold (0 .. 4)
	{
		my $status = $node->safe_psql('postgres',
			"SELECT status FROM dmp.train('$name', 'SELECT * FROM $name WHERE id % 5 <> $fold', 'revenue', lambda => 1e-4, exclude => '{id}', deploy => false)");
		is($status, 'converged', "$name: fold $fold converges");
		$sum += $node->safe_psql('postgres',
			"SELECT dmp.roc_auc(dmp.predict('$name\@latest', t), revenue) FROM $name AS t WHERE id % 5 = $fold");
	}
	return $sum / 5;
}

my $codes = cross_validate('codes', 'SELECT id, ' . join(', ', map { $code{$_} ? "$_\::text" : $_ } @columns) . ' FROM shoppers');
note("codes as text: $codes");
cmp_ok($codes, '>=', 0.892, 'code columns as text: AUC 0.892 or better');

# measured with scikit-learn 1.9 on the same folds: columns standardised, text
# one-hot, C = 1 / (rows * lambda)
my $reference = 0.8941;
my $plain = cross_validate('plain', 'SELECT * FROM shoppers');
note("as they come: $plain");
cmp_ok(abs($plain - $reference), '<=', 0.002, "columns as they come: AUC within 0.002 of $reference");

$node->stop;
done_testing();
