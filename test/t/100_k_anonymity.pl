# k-anonymity, l-diversity and t-closeness of german_credit, equal to what pyCANON
# 1.3.6 computes of the same columns.
#
# The data are no part of the project. DMP_DATA names the folder that holds them; the
# test is skipped when they are absent. sql/k_anonymity holds the definitions.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $data = $ENV{DMP_DATA} // '../shared/data';
my $file = "$data/german_credit/german.csv";
plan skip_all => "no german_credit in $data; DMP_DATA names the folder" unless -r $file;

my $node = PostgreSQL::Test::Cluster->new('k');
$node->init;
$node->start;
$node->safe_psql('postgres', qq{
	CREATE EXTENSION dmp;
	CREATE TABLE german (checking text, duration int, history text, purpose text, amount int, savings text, employment text, rate int,
		status text, others text, residence int, property text, age int, plans text, housing text, credits int, job text, liable int,
		telephone text, foreign_worker text, class int);
	\\copy german from '$file' csv
});

# quasi-identifiers, sensitive column: k, distinct l, entropy l, t. pyCANON cuts exp(entropy)
# to a whole number after rounding errors: 2 may appear as 1, hence the little that is allowed.
while (my $line = <DATA>)
{
	chomp $line;
	my ($quasi, $sensitive, $k, $l, $entropy, $t) = split /\|/, $line;
	is($node->safe_psql('postgres', qq{
			SELECT k = $k, l_distinct = $l, $entropy IN (floor(l_entropy), floor(l_entropy - 1e-9)), abs(t - $t) < 1e-9
			FROM dmp.k_anonymity('german', '{$quasi}', '{$sensitive}')}), 't|t|t|t', "$sensitive by $quasi");
}
$node->stop;
done_testing();

__DATA__
status,job|amount|2|2|1|0.3418341897
status,job|checking|2|2|1|0.6680000000
status,job|duration|2|2|1|0.1951250000
status,job|class|2|1|1|0.3000000000
status,job|history|2|1|1|0.4700000000
status,job|age|2|2|1|0.2627500000
age|amount|1|1|1|0.4197608696
age|checking|1|1|1|0.7310000000
age|duration|1|1|1|0.2673750000
age|class|1|1|1|0.4142857143
age|history|1|1|1|0.5070000000
status,housing,job|amount|1|1|1|0.3534369565
status,housing,job|checking|1|1|1|0.7310000000
status,housing,job|duration|1|1|1|0.3670000000
status,housing,job|class|1|1|1|0.7000000000
status,housing,job|history|1|1|1|0.7070000000
status,housing,job|age|1|1|1|0.4328653846
age,status,job|amount|1|1|1|0.5131086957
age,status,job|checking|1|1|1|0.9370000000
age,status,job|duration|1|1|1|0.5401250000
age,status,job|class|1|1|1|0.7000000000
age,status,job|history|1|1|1|0.9600000000
purpose,foreign_worker|amount|1|1|1|0.5131086957
purpose,foreign_worker|checking|1|1|1|0.7310000000
purpose,foreign_worker|duration|1|1|1|0.4795000000
purpose,foreign_worker|class|1|1|1|0.7000000000
purpose,foreign_worker|history|1|1|1|0.9600000000
purpose,foreign_worker|age|1|1|1|0.2890192308
telephone|amount|404|387|381|0.0892198666
telephone|checking|404|4|3|0.0449207921
telephone|duration|404|27|12|0.0503353960
telephone|class|404|2|1|0.0202970297
telephone|history|404|5|3|0.0397920792
telephone|age|404|50|35|0.0382480960
