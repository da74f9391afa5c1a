/*-------------------------------------------------------------------------
 * isolation.c
 *		Isolation forest; see isolation.h.
 *-------------------------------------------------------------------------
 */
#include "math/isolation.h"

#include <float.h>
#include <math.h>
#include <string.h>

#define EULER 0.57721566490153286
#define SHARES 65535.0

double
dmp_isolation_c(double n)
{
	if (n <= 1)
		return 0;
	if (n <= 2)
		return 1;
	return 2 * (log(n - 1) + EULER) - 2 * (n - 1) / n;
}

int
dmp_isolation_height(size_t sample)
{
	int height = 1;

	while (((size_t) 1 << height) < sample && height < DMP_ISOLATION_HEIGHT)
		height++;
	return height;
}

size_t
dmp_isolation_room(int height)
{
	return ((size_t) 2 << height) - 1;
}

typedef struct Build
{
	const double *rows;
	int ncolumns;
	int height;
	DmpRandom *random;
	DmpIsolationNode *nodes;
	size_t n;
	uint32_t *order; /* of rows; each node has a range of it */
	int *columns;    /* in an order that drawing shuffles */
	const DmpMathEnv *env;
} Build;

/* infinities as the largest numbers: a place between can be drawn */
static double
value_of(const Build *b, size_t i, int column)
{
	double x = b->rows[(size_t) b->order[i] * b->ncolumns + column];

	return x > DBL_MAX ? DBL_MAX : x < -DBL_MAX ? -DBL_MAX : x;
}

static int
find_range(const Build *b, size_t from, size_t to, int column, double *low, double *high)
{
	size_t i;

	*low = INFINITY;
	*high = -INFINITY;
	for (i = from; i < to; i++)
	{
		double x = value_of(b, i, column);

		if (x < *low)
			*low = x;
		if (x > *high)
			*high = x;
	}
	return *low < *high;
}

/* A column whose values differ, each with the same chance; -1 when none does. */
static int
draw_column(Build *b, size_t from, size_t to, double *low, double *high)
{
	int left;

	for (left = b->ncolumns; left > 0; left--)
	{
		int k = (int) dmp_random_below(b->random, (uint64_t) left);
		int column = b->columns[k];

		b->columns[k] = b->columns[left - 1];
		b->columns[left - 1] = column;
		if (find_range(b, from, to, column, low, high))
			return column;
	}
	return -1;
}

static double
draw_split(Build *b, double low, double high)
{
	double u = dmp_random_unit(b->random);
	double split = low * (1 - u) + high * u;

	/* so that both sides have rows */
	return split > low && split <= high ? split : high;
}

/* rows below the split to the front; where the others begin */
static size_t
divide(Build *b, size_t from, size_t to, int column, double split, uint16_t *share)
{
	size_t below = 0, above = 0;
	size_t i, front = from;

	for (i = from; i < to; i++)
	{
		double x = value_of(b, i, column);

		below += x < split;
		above += x >= split;
	}
	for (i = from; i < to; i++)
	{
		double x = value_of(b, i, column);
		uint32_t row = b->order[i];
		int left = isnan(x) ? dmp_random_below(b->random, below + above) < below : x < split;

		if (left)
		{
			b->order[i] = b->order[front];
			b->order[front++] = row;
		}
	}
	*share = (uint16_t) (SHARES * (double) below / (double) (below + above) + 0.5);
	return front;
}

static void
build_node(Build *b, size_t at, size_t from, size_t to, int depth)
{
	DmpIsolationNode *node = &b->nodes[at];
	double low, high;
	int column = -1;
	size_t middle;

	b->env->check();
	if (to - from > 1 && depth < b->height)
		column = draw_column(b, from, to, &low, &high);
	node->column = (int16_t) column;
	node->share = 0;
	node->left = 0;
	if (column < 0)
	{
		node->split = depth + dmp_isolation_c((double) (to - from));
		return;
	}
	node->split = draw_split(b, low, high);
	middle = divide(b, from, to, column, node->split, &node->share);
	node->left = (uint32_t) b->n;
	b->n += 2;
	build_node(b, node->left, from, middle, depth + 1);
	build_node(b, node->left + 1, middle, to, depth + 1);
}

size_t
dmp_isolation_build(const double *rows, size_t n, int ncolumns, int height, DmpRandom *random,
					DmpIsolationNode *nodes, const DmpMathEnv *env)
{
	Build b = {rows, ncolumns, height, random, nodes, 1, NULL, NULL, env};
	size_t i;

	b.order = env->alloc(sizeof(uint32_t) * n);
	b.columns = env->alloc(sizeof(int) * (size_t) ncolumns);
	for (i = 0; i < n; i++)
		b.order[i] = (uint32_t) i;
	for (i = 0; i < (size_t) ncolumns; i++)
		b.columns[i] = (int) i;
	build_node(&b, 0, 0, n, 0);
	env->release(b.columns);
	env->release(b.order);
	return b.n;
}

/* from a node of the tree on */
static double
path_from(const DmpIsolationNode *tree, const DmpIsolationNode *node, const double *row)
{
	while (node->column >= 0)
	{
		double x = row[node->column];

		if (isnan(x))
		{
			double share = node->share / SHARES;

			return share * path_from(tree, tree + node->left, row) +
				   (1 - share) * path_from(tree, tree + node->left + 1, row);
		}
		node = tree + node->left + !(x < node->split);
	}
	return node->split;
}

double
dmp_isolation_path(const DmpIsolationNode *tree, const double *row)
{
	return path_from(tree, tree, row);
}

#define TOGETHER 8

/*
 * Some trees at a time, so that the processor waits for several nodes at once.
 * A leaf is stayed in, and is reached after the same number of steps as the
 * deepest of them: no branch depends on the row.
 */
double
dmp_isolation_paths(const DmpIsolationNode *trees, const uint32_t *sizes, size_t ntrees,
					const double *row, int missing)
{
	double sum = 0;
	size_t t = 0;
	int k;

	while (!missing && t + TOGETHER <= ntrees)
	{
		const DmpIsolationNode *tree[TOGETHER];
		const DmpIsolationNode *node[TOGETHER];
		int inner = 1;

		for (k = 0; k < TOGETHER; k++)
		{
			tree[k] = node[k] = trees;
			trees += sizes[t++];
		}
		while (inner)
		{
			inner = 0;
			for (k = 0; k < TOGETHER; k++)
			{
				const DmpIsolationNode *n = node[k];
				int column = n->column;
				const DmpIsolationNode *next = tree[k] + n->left + !(row[column] < n->split);

				node[k] = column < 0 ? n : next;
				inner |= column >= 0;
			}
		}
		for (k = 0; k < TOGETHER; k++)
			sum += node[k]->split;
	}
	for (; t < ntrees; t++)
	{
		sum += dmp_isolation_path(trees, row);
		trees += sizes[t];
	}
	return sum;
}

/* node at and what is below it, in the order of building; *next is where the next children are */
static int
check_node(const DmpIsolationNode *tree, size_t n, int ncolumns, size_t at, int depth, size_t *next)
{
	const DmpIsolationNode *node = &tree[at];

	if (node->column < 0)
		return node->split >= 0 && node->split < 1000;
	if (node->column >= ncolumns || isnan(node->split) || depth == DMP_ISOLATION_HEIGHT ||
		node->left != *next || node->left + (size_t) 2 > n)
		return 0;
	*next += 2;
	return check_node(tree, n, ncolumns, node->left, depth + 1, next) &&
		   check_node(tree, n, ncolumns, node->left + (size_t) 1, depth + 1, next);
}

/* Each node is reached once: missing values, which go both ways, take no longer than n steps. */
int
dmp_isolation_check(const DmpIsolationNode *tree, size_t n, int ncolumns)
{
	size_t next = 1;

	return n > 0 && check_node(tree, n, ncolumns, 0, 0, &next) && next == n;
}
