/*-------------------------------------------------------------------------
 * wide_keep.c
 *		The loss of a fit with hashed columns about its solution, to second order:
 *		what dmp.update_model goes on from (update_wide_fit.c).
 *
 * There are too many pairs of columns for all second derivatives. Those of up
 * to DMP_WIDE_BLOCK columns are kept: the intercept and the design columns, and
 * the hashed columns of the largest curvature, which are those of most rows.
 */
#include "learn/wide_fit.h"

#include <math.h>

#include "utils/memutils.h"

/* multiply-adds for the block: of longer texts in more rows a part of the rows stands for all */
#define MAX_PAIRS 2e9

typedef struct Candidate
{
	double diagonal;
	int column;
} Candidate;

static int
compare_candidates(const void *a, const void *b)
{
	const Candidate *x = a, *y = b;

	if (x->diagonal != y->diagonal)
		return x->diagonal > y->diagonal ? -1 : 1;
	return (x->column > y->column) - (x->column < y->column);
}

/* place: of a column in the block, or -1. Returns how many the block has now. */
int
dmp_wide_block(const double *diagonal, int n, int fixed, int nblock, int *block, int *place)
{
	Candidate *candidates;
	int ncandidates = 0, c, k;

	for (c = 0; c < fixed && nblock < DMP_WIDE_BLOCK; c++)
		if (place[c] < 0 && diagonal[c] > 0)
		{
			place[c] = nblock;
			block[nblock++] = c;
		}
	if (nblock == DMP_WIDE_BLOCK)
		return nblock;
	candidates = palloc_extended(sizeof(Candidate) * Max(n, 1), MCXT_ALLOC_HUGE);
	for (c = fixed; c < n; c++)
		if (place[c] < 0 && diagonal[c] > 0)
		{
			candidates[ncandidates].diagonal = diagonal[c];
			candidates[ncandidates++].column = c;
		}
	qsort(candidates, ncandidates, sizeof(Candidate), compare_candidates);
	for (k = 0; k < ncandidates && nblock < DMP_WIDE_BLOCK; k++)
	{
		place[candidates[k].column] = nblock;
		block[nblock++] = candidates[k].column;
	}
	pfree(candidates);
	return nblock;
}

/* the model's column of each parameter of the solver, or -1 */
static int *
model_columns(const DmpWideScan *scan, const DmpWideLayout *layout, const DmpFit *fit)
{
	int first = scan->ndense + layout->nindicators, c;
	int indicators = fit->design.width - layout->nindicators;
	/* the base margin will be the last design column */
	int wide = 1 + fit->design.width + (scan->spec->base_margin != NULL);
	int *column = palloc_extended(sizeof(int) * (layout->ncolumns + 1), MCXT_ALLOC_HUGE);

	column[0] = 0;
	for (c = 0; c < scan->ndense; c++)
	{
		int index = fit->design.features[scan->dense[c]].index;

		column[1 + c] = index >= 0 ? 1 + index : -1;
	}
	for (; c < first; c++)
		column[1 + c] = 1 + indicators + c - scan->ndense;
	for (; c < layout->ncolumns; c++)
		column[1 + c] = wide + c - first;
	return column;
}

DmpWideLoss *
dmp_wide_keep(const DmpWideScan *scan, const DmpWideLayout *layout, const DmpSparseProblem *problem,
			  const double *theta, const DmpFit *fit)
{
	DmpWideLoss *loss = palloc0(sizeof(DmpWideLoss));
	Size size = dmp_sparse_size(problem), i;
	int *column = model_columns(scan, layout, fit);
	int fixed = 1 + fit->design.width + (scan->spec->base_margin != NULL), n, k, j;
	double *gradient = palloc_extended(sizeof(double) * size, MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	double *diagonal = palloc_extended(sizeof(double) * size, MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	int *place, *solver_place;
	double scale[DMP_WIDE_BLOCK];

	dmp_sparse_derivatives(problem, theta, gradient, diagonal);
	loss->n = n = fixed + fit->wide_width;
	loss->gradient = palloc_extended(sizeof(double) * n, MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	loss->diagonal = palloc_extended(sizeof(double) * n, MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	for (i = 0; i < size; i++)
	{
		/* a column is x / scale there */
		double s = i > 0 && layout->scale[i - 1] > 0 ? layout->scale[i - 1] : 1;

		if (column[i] < 0)
			continue;
		loss->gradient[column[i]] = gradient[i] / s;
		loss->diagonal[column[i]] = diagonal[i] / s / s;
	}
	loss->block = palloc(sizeof(int) * DMP_WIDE_BLOCK);
	place = palloc_extended(sizeof(int) * n, MCXT_ALLOC_HUGE);
	memset(place, -1, sizeof(int) * n);
	loss->nblock = dmp_wide_block(loss->diagonal, n, fixed, 0, loss->block, place);
	solver_place = palloc_extended(sizeof(int) * size, MCXT_ALLOC_HUGE);
	for (i = 0; i < size; i++)
	{
		solver_place[i] = column[i] >= 0 ? place[column[i]] : -1;
		if (solver_place[i] >= 0)
			scale[solver_place[i]] = i > 0 && layout->scale[i - 1] > 0 ? layout->scale[i - 1] : 1;
	}
	loss->hessian = palloc0(sizeof(double) * loss->nblock * loss->nblock);
	dmp_sparse_block(problem, theta, solver_place, loss->nblock, loss->hessian, MAX_PAIRS);
	for (k = 0; k < loss->nblock; k++)
		for (j = 0; j < loss->nblock; j++)
			loss->hessian[(Size) k * loss->nblock + j] /= scale[k] * scale[j];
	pfree(gradient);
	pfree(diagonal);
	pfree(column);
	pfree(place);
	pfree(solver_place);
	return loss;
}
