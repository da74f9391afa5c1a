/* test_isolation.c - isolation trees: shape, path lengths, missing values */
#include "unit.h"

#include "math/hash.h"
#include "math/isolation.h"

#define ROWS 256
#define COLUMNS 3

static DmpIsolationNode trees[16 * 600];
static uint32_t sizes[16];
static double rows[ROWS * COLUMNS];

/* depth of the leaf of a row and how many of the rows share it, by walking with all of them */
static double
walk(const DmpIsolationNode *tree, const double *row)
{
	char here[ROWS];
	const DmpIsolationNode *node = tree;
	int depth = 0, n = ROWS, i;

	memset(here, 1, sizeof(here));
	for (; node->column >= 0; depth++)
	{
		int left = row[node->column] < node->split;

		for (i = 0, n = 0; i < ROWS; i++)
		{
			here[i] = here[i] && (rows[i * COLUMNS + node->column] < node->split) == left;
			n += here[i];
		}
		node = tree + node->left + !left;
	}
	return depth + dmp_isolation_c(n);
}

/* mean over both ways at each missing value, weighted by the shares */
static double
both_ways(const DmpIsolationNode *tree, uint32_t at, const double *row)
{
	const DmpIsolationNode *node = &tree[at];

	if (node->column < 0)
		return node->split;
	if (isnan(row[node->column]))
		return (node->share * both_ways(tree, node->left, row) +
				(65535 - node->share) * both_ways(tree, node->left + 1, row)) /
			   65535;
	return both_ways(tree, node->left + !(row[node->column] < node->split), row);
}

void
test_isolation(void)
{
	DmpRandom r;
	size_t at = 0, i, used;
	double row[COLUMNS + 1] = {0}, mixed, sum = 0;
	DmpIsolationNode saved;
	int t, wrong = 0, valid = 1;

	ok(dmp_isolation_c(1) == 0 && dmp_isolation_c(2) == 1, "path lengths of one and two rows");
	near(dmp_isolation_c(256), 10.244770920119917, 1e-12, "of 256 rows, as scikit-learn has it");
	ok(dmp_isolation_height(256) == 8 && dmp_isolation_height(257) == 9 &&
		   dmp_isolation_height(2) == 1,
	   "heights");
	dmp_random_init(&r, 3, 0);
	for (i = 0; i < ROWS * COLUMNS; i++)
		rows[i] = dmp_random_below(&r, 50);
	for (t = 0; t < 16; t++)
	{
		sizes[t] =
			(uint32_t) dmp_isolation_build(rows, ROWS, COLUMNS, 8, &r, trees + at, &unit_env);
		valid &=
			dmp_isolation_check(trees + at, sizes[t], COLUMNS) && sizes[t] <= dmp_isolation_room(8);
		at += sizes[t];
	}
	ok(valid, "trees are trees");
	for (i = 0; i < ROWS; i++)
	{
		const double *x = rows + i * COLUMNS;

		for (t = 0, at = 0, sum = 0; t < 16; at += sizes[t++])
		{
			wrong += fabs(dmp_isolation_path(trees + at, x) - walk(trees + at, x)) > 1e-12;
			sum += dmp_isolation_path(trees + at, x);
		}
		memcpy(row + 1, x, sizeof(double) * COLUMNS);
		wrong += fabs(dmp_isolation_paths(trees, sizes, 15, row + 1, 0) +
					  dmp_isolation_path(trees + at - sizes[15], x) - sum) > 1e-9;
	}
	ok(wrong == 0, "path lengths as the rows of each leaf tell");

	/* a missing value at the root: both sides by their shares */
	memcpy(row + 1, rows, sizeof(double) * COLUMNS);
	row[1 + trees[0].column] = NAN;
	mixed = dmp_isolation_path(trees, row + 1);
	near(dmp_isolation_paths(trees, sizes, 1, row + 1, 1), mixed, 0, "the sum goes the same way");
	for (i = 0, used = 0; i < ROWS; i++)
		used += rows[i * COLUMNS + trees[0].column] < trees[0].split;
	near(trees[0].share / 65535.0, used / (double) ROWS, 1e-4, "shares are those of the rows");
	near(mixed, both_ways(trees, 0, row + 1), 1e-12, "a missing value goes both ways");
	row[1] = row[2] = row[3] = NAN;
	near(dmp_isolation_path(trees, row + 1), both_ways(trees, 0, row + 1), 1e-12, "so do all");

	/* constant columns, one row, infinities */
	for (i = 0; i < ROWS * COLUMNS; i++)
		rows[i] = 4;
	ok(dmp_isolation_build(rows, ROWS, COLUMNS, 8, &r, trees, &unit_env) == 1 &&
		   trees[0].column < 0,
	   "constant rows are a leaf");
	rows[0] = INFINITY;
	rows[3] = -INFINITY;
	rows[6] = NAN;
	used = dmp_isolation_build(rows, ROWS, COLUMNS, 8, &r, trees, &unit_env);
	ok(used >= 3 && dmp_isolation_check(trees, used, COLUMNS), "infinite values can be split off");
	ok(!dmp_isolation_check(trees, used - 1, COLUMNS), "a node that is not there is found");
	saved = trees[0];
	trees[0].left = 0;
	ok(!dmp_isolation_check(trees, used, COLUMNS), "a tree that goes round is found");
	trees[0] = saved;
	trees[0].column = COLUMNS;
	ok(!dmp_isolation_check(trees, used, COLUMNS), "a column that is not there is found");
}
