/*-------------------------------------------------------------------------
 * update_wide_fit.c
 *		New rows of hashed columns and what is known of the old ones, solved.
 *
 *		minimise  loss of the new rows + prior(w) + L1 |w| + L2/2 w^2
 *
 * The prior is the loss of all rows before, to second order about the last
 * coefficients (math/sparse_prior.c): in full among the columns of the block,
 * and of every other column its own second derivative, which is all that can
 * be kept of millions. The problem is that of the coordinates the new rows have
 * and the block, so an update costs what its rows cost; all others are minima
 * of one variable. At the solution the new rows join the prior by their own
 * derivatives, and columns that have become important join the block while it
 * has room: with no more than DMP_WIDE_BLOCK columns nothing is left out.
 *-------------------------------------------------------------------------
 */
#include "dmp.h"

#include <math.h>

#include "learn/update_wide.h"
#include "learn/wide_fit.h"
#include "utils/memutils.h"

#define MAX_PAIRS 1e9 /* multiply-adds for the block, a batch */
#define MAX_ITERATIONS 2000
#define TOLERANCE 1e-7 /* of the mean objective of the new rows */
#define SMALL_PROBLEM 20000

/* The problem in coordinates of its own: 0 is the intercept, whether there is one or not. */
typedef struct Local
{
	DmpWideUpdate *u;
	int n;
	int *of;         /* of a coordinate of u: its own, or -1 */
	int *coordinate; /* the other way */
	double *theta, *start, *gradient, *diagonal;
	DmpSparsePrior prior;
	DmpSparseRows rows;
	DmpSparseProblem problem;
} Local;

/* rows of before count less */
void
dmp_update_wide_decay(DmpWideUpdate *u, double decay)
{
	Size k;
	int c;

	for (c = 0; c < u->n; c++)
	{
		u->z[c] *= decay;
		u->squares[c] *= decay;
	}
	for (k = 0; k < (Size) u->nblock * u->nblock; k++)
		u->hessian[k] *= decay;
	if (u->growing)
	{
		u->l1 *= decay;
		u->l2 *= decay;
	}
}

/* ---------------------------------------------------------------- problem */

static void *
huge(Size size, int n)
{
	return palloc_extended(size * Max(n, 1), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
}

static void
take(Local *l, int c)
{
	if (l->of[c] >= 0)
		return;
	l->of[c] = l->n;
	l->coordinate[l->n++] = c;
}

/* each row is a chunk */
static char *
load_row(void *arg, int chunk, size_t *length)
{
	DmpSparseRow *row = ((DmpWideUpdate *) arg)->row[chunk];

	*length = DMP_SPARSE_ROW_SIZE(0, row->n);
	return (char *) row;
}

static void
make_rows(Local *l)
{
	DmpWideUpdate *u = l->u;
	uint32 i;
	int k;

	for (k = 0; k < u->nrows; k++)
	{
		DmpSparseEntry *entry = DMP_SPARSE_ENTRIES(u->row[k], 0);

		if (k % 1024 == 0)
			CHECK_FOR_INTERRUPTS();
		for (i = 0; i < u->row[k]->n; i++)
		{
			take(l, (int) entry[i].column);
			entry[i].column = l->of[entry[i].column] - 1;
		}
	}
	l->rows.nchunks = u->nrows;
	l->rows.nrows = u->nrows;
	l->rows.resident = 1;
	l->rows.arg = u;
	l->rows.load = load_row;
}

static void
make_problem(Local *l, DmpWideUpdate *u)
{
	int *block = palloc(sizeof(int) * DMP_WIDE_BLOCK), k;

	memset(l, 0, sizeof(*l));
	l->u = u;
	l->of = huge(sizeof(int), u->n);
	memset(l->of, -1, sizeof(int) * u->n);
	l->coordinate = huge(sizeof(int), u->n);
	take(l, 0);
	for (k = 0; k < u->nblock; k++)
	{
		take(l, u->block[k]);
		block[k] = l->of[u->block[k]];
	}
	make_rows(l);
	l->theta = huge(sizeof(double), l->n);
	l->start = huge(sizeof(double), l->n);
	l->gradient = huge(sizeof(double), l->n);
	l->diagonal = huge(sizeof(double), l->n);
	for (k = 0; k < l->n; k++)
	{
		int c = l->coordinate[k];

		l->theta[k] = l->start[k] = u->w[c];
		l->gradient[k] = u->z[c];
		l->diagonal[k] = u->place[c] >= 0 ? 0 : u->squares[c];
	}
	l->prior.start = l->start;
	l->prior.gradient = l->gradient;
	l->prior.diagonal = l->diagonal;
	l->prior.nblock = u->nblock;
	l->prior.block = block;
	l->prior.hessian = u->hessian;
	l->problem.rows = &l->rows;
	l->problem.nclasses = 1;
	l->problem.family = DMP_BINOMIAL;
	l->problem.spread = 1;
	l->problem.ncolumns = l->n - 1;
	l->problem.intercept = u->intercept;
	l->problem.lambda = (u->l1 + u->l2) / u->weight;
	l->problem.alpha = u->l1 > 0 ? u->l1 / (u->l1 + u->l2) : 0;
	l->problem.weight_sum = u->weight;
	l->problem.has_offset = u->base_margin >= 0;
	l->problem.prior = &l->prior;
	l->problem.env = &dmp_server_env;
}

/* --------------------------------------------------------------- afterwards */

/* coordinates of no new row: each alone */
static void
settle_others(Local *l)
{
	DmpWideUpdate *u = l->u;
	int c;

	for (c = 1; c < u->n; c++)
	{
		double d = u->squares[c], target, w;

		if (l->of[c] >= 0 || d + u->l2 <= 0)
			continue;
		target = d * u->w[c] - u->z[c];
		w = fabs(target) <= u->l1 ? 0 : (target - (target > 0 ? u->l1 : -u->l1)) / (d + u->l2);
		u->z[c] += d * (w - u->w[c]);
		u->w[c] = w;
	}
}

/* room in the block goes to the columns of the largest curvature */
static void
widen_block(DmpWideUpdate *u, const double *curvature)
{
	int before = u->nblock, i;
	double *hessian;

	u->nblock = dmp_wide_block(curvature, u->n, 1 + u->width, before, u->block, u->place);
	hessian = palloc0(sizeof(double) * Max(u->nblock * u->nblock, 1));
	for (i = 0; i < before; i++)
		memcpy(hessian + (Size) i * u->nblock, u->hessian + (Size) i * before,
			   sizeof(double) * before);
	for (i = before; i < u->nblock; i++)
		hessian[(Size) i * u->nblock + i] = u->squares[u->block[i]];
	u->hessian = hessian;
}

/* the new rows join the prior, which from now on is one about theta */
static void
join(Local *l)
{
	DmpWideUpdate *u = l->u;
	double *gradient = huge(sizeof(double), l->n), *own = huge(sizeof(double), l->n);
	double *curvature = huge(sizeof(double), u->n);
	int *place = huge(sizeof(int), l->n), k;

	dmp_sparse_prior_gradient(&l->prior, l->n, l->theta, gradient);
	dmp_sparse_derivatives(&l->problem, l->theta, gradient, own);
	memcpy(curvature, u->squares, sizeof(double) * u->n);
	for (k = 0; k < l->n; k++)
	{
		int c = l->coordinate[k];

		u->w[c] = l->theta[k];
		u->z[c] = gradient[k];
		curvature[c] += own[k];
		/* as they are stored */
		if (!isfinite(u->w[c]) || !isfinite((float) u->z[c]) || !isfinite((float) curvature[c]))
			ereport(ERROR, (errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
							errmsg("values of the new rows are out of range")));
	}
	widen_block(u, curvature);
	for (k = 0; k < l->n; k++)
		place[k] = u->place[l->coordinate[k]];
	dmp_sparse_block(&l->problem, l->theta, place, u->nblock, u->hessian, MAX_PAIRS);
	memcpy(u->squares, curvature, sizeof(double) * u->n);
}

/* The rows gathered are learned from together; their entries are of no use afterwards. */
void
dmp_update_wide_fit(DmpBatch *batch)
{
	DmpWideUpdate *u = batch->wide;
	MemoryContext work =
		AllocSetContextCreate(CurrentMemoryContext, "dmp update wide fit", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(work);
	double share, tolerance;
	double *before = u->hessian, *hessian;
	DmpSparseResult found;
	Local l;

	share = (u->weight + u->rows_weight) / u->weight;
	u->weight += u->rows_weight;
	if (u->growing)
	{
		u->l1 *= share;
		u->l2 *= share;
	}
	make_problem(&l, u);
	tolerance = TOLERANCE * u->rows_weight / u->weight;
	found = dmp_sparse_solve(&l.problem, l.theta, l.n < SMALL_PROBLEM ? 20 : 5, MAX_ITERATIONS,
							 tolerance, tolerance);
	batch->iterations += found.iterations;
	batch->kkt = found.kkt;
	batch->objective = found.objective;
	if (found.status == DMP_SPARSE_DIVERGED)
		batch->status = DMP_FIT_DIVERGED;
	else if (found.status == DMP_SPARSE_ITERATION_LIMIT)
		batch->status = DMP_FIT_ITERATION_LIMIT;
	settle_others(&l);
	join(&l);
	hessian = u->hessian;
	MemoryContextSwitchTo(old);
	u->hessian = palloc(sizeof(double) * Max(u->nblock * u->nblock, 1));
	memcpy(u->hessian, hessian, sizeof(double) * u->nblock * u->nblock);
	pfree(before);
	MemoryContextDelete(work);
}
