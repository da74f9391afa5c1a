# Coefficients, errors and deviances on real tables, against R: three of them, with
# robust errors (pima, german) and errors by cluster (shoppers).
#
# The values were computed by R 4.2 and sandwich 3.0 as follows, D the folder of the data:
#
# library(sandwich)
# tight <- glm.control(epsilon = 1e-14, maxit = 100)
# common <- function(x) relevel(factor(x), names(sort(table(x), decreasing = TRUE))[1])
# d <- read.csv(paste0(D, '/pima/pima-indians-diabetes.csv'), header = FALSE)
# f <- glm(V9 ~ ., binomial, d, control = tight)
# sqrt(diag(vcovHC(f, type = 'HC0') * 768 / 767))
# d <- read.csv(paste0(D, '/german_credit/german.csv'), header = FALSE)
# d$status <- common(d$V1); d$housing <- common(d$V15)
# f <- glm(V21 == 2 ~ V2 + V5 + V13 + status + housing, binomial, d, control = tight)
# sqrt(diag(vcovHC(f, type = 'HC0') * 1000 / 999))
# d <- read.csv(paste0(D, '/online_shoppers/online_shoppers_intention.csv'))
# d$visitor <- common(d$VisitorType)
# f <- glm(toupper(Revenue) == 'TRUE' ~ Administrative + ProductRelated + BounceRates + ExitRates + PageValues +
#          SpecialDay + visitor, binomial, d, control = tight)
# sqrt(diag(vcovCL(f, cluster = d$TrafficType, type = 'HC0')))
#
# The data are no part of the project. DMP_DATA names the folder that holds them;
# without it the test is skipped.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $data = $ENV{DMP_DATA} // '../shared/data';
my %file = (
	pima => "$data/pima/pima-indians-diabetes.csv",
	german => "$data/german_credit/german.csv",
	shoppers => "$data/online_shoppers/online_shoppers_intention.csv");
foreach my $name (sort keys %file)
{
	plan skip_all => "no $file{$name}" unless -r $file{$name};
}

# table, coefficient, estimate, standard error, robust error
my @expected = (
	[ 'pima', '(intercept)', -8.40469637, 0.716636072, 0.744581332 ],
	[ 'pima', 'v1', 0.123182298, 0.0320775551, 0.0352358119 ],
	[ 'pima', 'v2', 0.0351637146, 0.00370870802, 0.00414393062 ],
	[ 'pima', 'v3', -0.0132955469, 0.00523361084, 0.0049842152 ],
	[ 'pima', 'v4', 0.000618964365, 0.00689937643, 0.00694353376 ],
	[ 'pima', 'v5', -0.00119169898, 0.000901225632, 0.000968553495 ],
	[ 'pima', 'v6', 0.08970097, 0.015087628, 0.0162085452 ],
	[ 'pima', 'v7', 0.945179741, 0.299147502, 0.35181808 ],
	[ 'pima', 'v8', 0.0148690047, 0.00933479439, 0.00989847128 ],
	[ 'german', '(intercept)', -2.36334007, 0.342400911, 0.352635385 ],
	[ 'german', 'v2', 0.0325375003, 0.00782765712, 0.00791764856 ],
	[ 'german', 'v5', 2.68408735e-05, 3.26588591e-05, 3.55794571e-05 ],
	[ 'german', 'v13', -0.0159193816, 0.00733038011, 0.00749834307 ],
	[ 'german', 'status=A11', 1.96756607, 0.204158308, 0.203577692 ],
	[ 'german', 'status=A12', 1.47855489, 0.206189817, 0.207814546 ],
	[ 'german', 'status=A13', 0.932524549, 0.349334912, 0.354612254 ],
	[ 'german', 'housing=A151', 0.418217122, 0.195255167, 0.193342177 ],
	[ 'german', 'housing=A153', 0.363172811, 0.251992422, 0.262566628 ],
	[ 'shoppers', '(intercept)', -2.15636659, 0.0769028873, 0.0788222502 ],
	[ 'shoppers', 'administrative', 0.00342790454, 0.00898362575, 0.00791594756 ],
	[ 'shoppers', 'productrelated', 0.0060133985, 0.000588733493, 0.000828942855 ],
	[ 'shoppers', 'bouncerates', -3.19936388, 3.08347875, 3.3265783 ],
	[ 'shoppers', 'exitrates', -14.8032039, 2.32604485, 2.7937192 ],
	[ 'shoppers', 'pagevalues', 0.0800885059, 0.00234188505, 0.00368706131 ],
	[ 'shoppers', 'specialday', -0.916215759, 0.216691857, 0.319747203 ],
	[ 'shoppers', 'visitor=New_Visitor', 0.349231291, 0.0841051916, 0.104004405 ],
	[ 'shoppers', 'visitor=Other', -0.321974664, 0.505438305, 0.200978868 ]
);
# null deviance, deviance, their degrees of freedom, AIC
my %fit = (
	pima => [ 993.48391, 723.445378, 767, 759, 741.445378 ],
	german => [ 1221.7286, 1039.66197, 999, 991, 1057.66197 ],
	shoppers => [ 10624.7961, 7409.53908, 12329, 12321, 7427.53908 ]);

my $node = PostgreSQL::Test::Cluster->new('inference');
$node->init;
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION dmp');

sub load
{
	my ($table, $columns, $options) = @_;
	$node->safe_psql('postgres', "CREATE TABLE $table ($columns)");
	$node->safe_psql('postgres', "\\copy $table FROM '$file{$table}' (FORMAT csv$options)");
	return;
}
load('pima', join(', ', map { "v$_ float8" } 1 .. 9), '');
load('german', join(', ', map { $_ =~ /^(2|5|8|11|13|16|18|21)$/ ? "v$_ float8" : "v$_ text" } 1 .. 21), '');
load('shoppers',
	'administrative float8, administrative_duration float8, informational float8, informational_duration float8, '
	  . 'productrelated float8, productrelated_duration float8, bouncerates float8, exitrates float8, pagevalues float8, '
	  . 'specialday float8, month text, operatingsystems int, browser int, region int, traffictype int, visitor text, '
	  . 'weekend boolean, revenue boolean', ', HEADER');

my %query = (
	pima => [ 'TABLE pima', 'v9', '{"std_err": "robust"}' ],
	german => [ 'SELECT v21 = 2 AS bad, v2, v5, v13, v1 AS status, v15 AS housing FROM german', 'bad', '{"std_err": "robust"}' ],
	shoppers => [ 'SELECT revenue, administrative, productrelated, bouncerates, exitrates, pagevalues, specialday, visitor, '
		  . 'traffictype FROM shoppers', 'revenue', '{"cluster": "traffictype"}' ]);

sub near
{
	my ($ours, $theirs) = @_;
	return $ours ne '' && abs($ours - $theirs) <= 1e-6 * abs($theirs);
}

foreach my $name (sort keys %query)
{
	my ($query, $target, $options) = @{ $query{$name} };
	# the cluster is no feature of the plain fit either
	my $exclude = $name eq 'shoppers' ? "'{traffictype}'" : 'NULL';
	$node->safe_psql('postgres', "SELECT FROM dmp.train('$name', '$query', '$target', exclude => $exclude)");
	$node->safe_psql('postgres', "SELECT FROM dmp.train('${name}_robust', '$query', '$target', options => '$options')");
	my @fit = split /\|/, $node->safe_psql('postgres',
		"SELECT null_deviance, deviance, df_null, df_residual, aic FROM dmp.models WHERE model = '$name'");
	foreach my $i (0 .. 4)
	{
		ok(near($fit[$i], $fit{$name}[$i]), "$name: " . (qw(null_deviance deviance df_null df_residual aic))[$i]);
	}
	my %ours = map { my @row = split /\|/, $_, -1; ($row[0] => \@row) } split /\n/,
	  $node->safe_psql('postgres', "SELECT concat_ws('=', feature, c.level), c.coef, c.std_err, r.std_err FROM dmp.coefficients c "
		  . "JOIN dmp.coefficients r USING (feature, position) WHERE c.model = '$name' AND r.model = '${name}_robust' AND c.std_err > 0");
	my @rows = grep { $_->[0] eq $name } @expected;
	is(scalar keys %ours, scalar @rows, "$name: as many coefficients");
	foreach my $row (@rows)
	{
		my $got = $ours{ $row->[1] } // [ '', '', '', '' ];
		ok(near($got->[ $_ - 1 ], $row->[$_]), "$name: " . (qw(coef std_err robust))[ $_ - 2 ] . " of $row->[1]") foreach 2 .. 4;
	}
	# the page shows the same digits
	my $summary = $node->safe_psql('postgres', "SELECT line FROM dmp.summary('$name') AS line");
	foreach my $row (@rows)
	{
		my $label = $row->[1] eq '(intercept)' ? '(Intercept)' : $row->[1] =~ s/=/ = /r;
		my ($estimate, $error) = $summary =~ /^\Q$label\E +(\S+) +(\S+)/m;
		ok(near($estimate // '', $row->[2]) && near($error // '', $row->[3]), "$name: $label on the page");
	}
}

$node->stop;
done_testing();
