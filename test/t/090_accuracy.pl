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
	my ($name, $select, $target, $options) = @_;
	$target //= 'revenue';
	$options //= '{}';
	$node->safe_psql('postgres', "CREATE TABLE $name AS $select");
	my $sum = 0;
	for my $fold (0 .. 4)
	{
		my $status = $node->safe_psql('postgres',
			"SELECT status FROM dmp.train('$name', 'SELECT * FROM $name WHERE id % 5 <> $fold', '$target', lambda => 1e-4, key => '{id}', deploy => false, options => '$options')");
		is($status, 'converged', "$name: fold $fold converges");
		$sum += $node->safe_psql('postgres',
			"SELECT dmp.roc_auc(dmp.predict('$name\@latest', t), $target) FROM $name AS t WHERE id % 5 = $fold");
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

# weight of evidence in ten bins of every column
my $woe = cross_validate('woe', 'SELECT * FROM shoppers', 'revenue', '{"encode": {"*": "woe"}}');
note("weight of evidence: $woe");
cmp_ok($woe, '>=', 0.912, 'weight of evidence of ten bins: AUC 0.912 or better');

SKIP:
{
	my $credit = ($ENV{DMP_DATA} // '../shared/data') . '/credit_default_uci/UCI_Credit_Card.csv';
	skip "no $credit", 13 unless -r $credit;
	open $in, '<', $credit or die "$credit: $!";
	$header = <$in>;
	close $in;
	$header =~ s/\s+$//;
	my @names = map { s/\W/_/gr } map { lc } split /,/, $header;
	$node->safe_psql('postgres', 'CREATE TABLE credit_raw (' . join(', ', map { "$_ " . ($_ eq 'id' ? 'int' : 'float8') } @names) . ')');
	$node->safe_psql('postgres', "\\copy credit_raw FROM '$credit' (FORMAT csv, HEADER)");
	$node->safe_psql('postgres', 'CREATE VIEW credit AS SELECT *, default_payment_next_month = 1 AS defaulted FROM credit_raw');
	$node->safe_psql('postgres', 'CREATE TABLE credit_columns AS SELECT * FROM credit');
	$node->safe_psql('postgres', 'ALTER TABLE credit_columns DROP default_payment_next_month');
	is($node->safe_psql('postgres', 'SELECT count(*), count(*) FILTER (WHERE defaulted) FROM credit_columns'), '30000|6636', 'the table is the one');
	my $encoded = cross_validate('credit_woe', 'SELECT * FROM credit_columns', 'defaulted', '{"encode": {"*": "woe"}}');
	note("credit default, weight of evidence: $encoded");
	cmp_ok($encoded, '>=', 0.770, 'credit default, weight of evidence of ten bins: AUC 0.770 or better');
	my $as_is = cross_validate('credit_plain', 'SELECT * FROM credit_columns', 'defaulted');
	note("credit default, as it comes: $as_is");
	cmp_ok(abs($as_is - 0.723), '<=', 0.003, 'credit default as it comes: AUC about 0.723');
}

$node->stop;
done_testing();
