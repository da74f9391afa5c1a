# Warnings on nine real tables: the two that have a leak are named, with the column,
# and so is a row number; the others have nothing to warn of.
#
# The data are no part of the project. DMP_DATA names the folder that holds them;
# without it the test is skipped.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $data = $ENV{DMP_DATA} // '../shared/data';
my $bank = "$data/bank_marketing/bank-additional-full.csv";
plan skip_all => "no $bank" unless -r $bank;

my $node = PostgreSQL::Test::Cluster->new('judgement');
$node->init;
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION dmp');

# columns are numbers where every value is one (or missing), else texts
sub load
{
	my ($table, $file, $separator, $header) = @_;
	open my $in, '<', "$data/$file" or die "$file: $!";
	my @lines = map { s/[\r\n]+$//r } <$in>;
	close $in;
	my @rows = map { [ map { s/^(["'])(.*)\1$/$2/r } split /$separator/, $_, -1 ] } grep { $_ ne '' } @lines;
	my @names = $header ? map { lc($_) =~ s/\W/_/gr } @{ shift @rows } : map { "c$_" } 0 .. $#{ $rows[0] };
	my @types;
	foreach my $c (0 .. $#names)
	{
		my @values = grep { $_ ne '?' && $_ ne '' } map { $_->[$c] } @rows;
		push @types,
		  !(grep { !/^-?\d{1,9}$/ } @values) ? 'int' : !(grep { !/^-?\d*\.?\d*(e-?\d+)?$/i } @values) ? 'float8' : 'text';
	}
	$node->safe_psql('postgres', "CREATE TABLE $table (" . join(', ', map { "\"$names[$_]\" $types[$_]" } 0 .. $#names) . ')');
	my $copy = PostgreSQL::Test::Utils::tempdir() . "/$table";
	open my $out, '>', $copy or die "$copy: $!";
	print $out join("\t", map { $_ eq '?' || $_ eq '' ? '\N' : $_ } @$_), "\n" foreach @rows;
	close $out;
	$node->safe_psql('postgres', "\\copy $table FROM '$copy'");
	return;
}

# all warnings, a line each
sub warnings_of
{
	my ($name, $query, $target, $more) = @_;
	return $node->safe_psql('postgres',
		"SELECT unnest(warnings) FROM dmp.train('$name', '$query', '$target', lambda => 1e-4" . ($more // '') . ')');
}

load('bank', 'bank_marketing/bank-additional-full.csv', ';', 1);
my $said = warnings_of('bank', 'TABLE bank', 'y');
like($said, qr/^column "duration" alone has AUC 0\.818, the next best 0\.749: leave it out[^\n]*$/, 'bank: duration, and nothing else');
is(warnings_of('bank', 'TABLE bank', 'y', ", exclude => '{duration}'"), '', 'bank without duration: nothing');

load('shoppers', 'online_shoppers/online_shoppers_intention.csv', ',', 1);
$said = warnings_of('shoppers', 'TABLE shoppers', 'revenue');
like($said, qr/^column "pagevalues" alone has AUC 0\.86\d, the next best 0\.70\d: leave it out[^\n]*$/, 'shoppers: pagevalues, and nothing else');
is(warnings_of('shoppers', 'TABLE shoppers', 'revenue', ", exclude => '{pagevalues}'"), '', 'shoppers without pagevalues: nothing');

load('credit', 'credit_default_uci/UCI_Credit_Card.csv', ',', 1);
$said = warnings_of('credit', 'TABLE credit', 'default_payment_next_month');
like($said, qr/^column "id" is a different integer in each of 30000 rows looked at and rising[^\n]*$/, 'credit: the row number, and nothing else');
is(warnings_of('credit', 'TABLE credit', 'default_payment_next_month', ", exclude => '{id}'"), '', 'credit without it: nothing');

load('german', 'german_credit/german.csv', ',', 0);
load('heart', 'heart_cleveland/processed.cleveland.csv', ',', 1);
load('pima', 'pima/pima-indians-diabetes.csv', ',', 0);
load('mammography', 'mammography/mammography.csv', ',', 0);
load('horse', 'horse_colic/horse-colic.csv', ',', 0);
is(warnings_of('german', 'SELECT *, c20 = 2 AS bad FROM german', 'bad', ", exclude => '{c20}'"), '', 'german: nothing');
is(warnings_of('heart', 'SELECT *, c > 0 AS ill FROM heart', 'ill', ", exclude => '{c}'"), '', 'heart: nothing');
is(warnings_of('pima', 'TABLE pima', 'c8'), '', 'pima: nothing');
is(warnings_of('mammography', 'SELECT *, c6 = 1 AS found FROM mammography', 'found', ", exclude => '{c6}'"), '', 'mammography: nothing');
is(warnings_of('horse', 'SELECT *, c23 = 1 AS surgical FROM horse', 'surgical', ", exclude => '{c23}'"), '', 'horse colic, surgical: nothing');
is(warnings_of('horse', 'SELECT *, c22 = 2 AS died FROM horse WHERE c22 > 0', 'died', ", exclude => '{c22}'"), '', 'horse colic, died: nothing');

# the same row number as a key is no feature, and held-out rows are no copies
is(warnings_of('credit', 'TABLE credit', 'default_payment_next_month', ", key => '{id}', test_fraction => 0.3"), '', 'credit with a key and a test: nothing');

$node->stop;
done_testing();
