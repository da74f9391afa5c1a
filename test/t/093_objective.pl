# The optimum on a real table, against glmnet 4.1: pima (768 rows, 8 numbers),
# twenty pairs of lambda and alpha. The objective is computed in SQL from the
# coefficients and the margins; test/bench/objective does it for more tables, with Spark beside.
#
# The data are no part of the project. DMP_DATA names the folder that holds
# pima/pima-indians-diabetes.csv; without it the test is skipped.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $file = ($ENV{DMP_DATA} // '../shared/data') . '/pima/pima-indians-diabetes.csv';
plan skip_all => "no $file" unless -r $file;

# x standardised with divisor n, then for each pair
#   glmnet.control(fdev = 0, devmax = 1)
#   fit <- glmnet(z, y, family = 'binomial', alpha = alpha, lambda = lambda * 10^seq(1, 0, length.out = 5),
#                 standardize = FALSE, thresh = 1e-16, maxit = 1e7); b <- fit$beta[, 5]; m <- fit$a0[5] + z %*% b
#   mean(log1p(exp(-abs(m))) + pmax(m, 0) - y * m) + lambda * (alpha * sum(abs(b)) + (1 - alpha) / 2 * sum(b^2))
# lambda, alpha, objective, coefficients that are not 0
my @pairs = (
	[ 0.111196,    0,    0.531143366465, 8 ], [ 0.0222392,   0,    0.490324463571, 8 ],
	[ 0.00222392,  0,    0.473321182639, 8 ], [ 0.000222392, 0,    0.471231255840, 8 ],
	[ 0.111196,    0.25, 0.563447273118, 5 ], [ 0.0222392,   0.25, 0.500072944281, 7 ],
	[ 0.00222392,  0.25, 0.474446058544, 8 ], [ 0.000222392, 0.25, 0.471345747804, 8 ],
	[ 0.111196,    0.5,  0.588346499529, 5 ], [ 0.0222392,   0.5,  0.509119763487, 7 ],
	[ 0.00222392,  0.5,  0.475560246160, 7 ], [ 0.000222392, 0.5,  0.471460116979, 8 ],
	[ 0.111196,    0.75, 0.606247872670, 3 ], [ 0.0222392,   0.75, 0.517478496849, 6 ],
	[ 0.00222392,  0.75, 0.476667289575, 7 ], [ 0.000222392, 0.75, 0.471574363178, 8 ],
	[ 0.111196,    1,    0.619008392137, 2 ], [ 0.0222392,   1,    0.525185595743, 6 ],
	[ 0.00222392,  1,    0.477767265373, 7 ], [ 0.000222392, 1,    0.471688486211, 8 ]);

my $node = PostgreSQL::Test::Cluster->new('objective');
$node->init;
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION dmp');
$node->safe_psql('postgres', 'CREATE TABLE pima (' . join(', ', map { "a$_ float8" } 0 .. 7) . ', sick boolean)');
$node->safe_psql('postgres', "\\copy pima FROM '$file' (FORMAT csv)");
is($node->safe_psql('postgres', 'SELECT count(*), count(*) FILTER (WHERE sick) FROM pima'), '768|268', 'the table is the one');

for my $pair (@pairs)
{
	my ($lambda, $alpha, $objective, $nonzero) = @$pair;
	is($node->safe_psql('postgres', "SELECT status FROM dmp.train('pima', 'pima', 'sick', lambda => $lambda, alpha => $alpha)"),
		'converged', "lambda $lambda, alpha $alpha converges");
	my ($off, $kept, $kkt) = split /\|/, $node->safe_psql('postgres', <<"SQL");
WITH m AS (SELECT dmp.margin('pima', t) AS m, sick::int AS y FROM pima AS t),
	c AS (SELECT coef * scale AS b FROM dmp.coefficients JOIN dmp.models USING (model, version)
		WHERE model = 'pima' AND deployed AND feature <> '(intercept)')
SELECT abs(((SELECT avg(ln(1 + exp(-abs(m))) + greatest(m, 0) - y * m) FROM m)
		+ $lambda * (SELECT sum($alpha * abs(b) + (1 - $alpha) / 2.0 * b * b) FROM c)) / $objective - 1),
	(SELECT count(*) FROM c WHERE b <> 0), (SELECT kkt_residual FROM dmp.models WHERE model = 'pima' AND deployed)
SQL
	cmp_ok($off, '<', 1e-10, "  the objective is glmnet's");
	is($kept, $nonzero, '  with as many coefficients');
	cmp_ok($kkt, '<', 1e-9, '  and optimal');
}

$node->stop;
done_testing();
