/*-------------------------------------------------------------------------
 * sparse_prior.c
 *		What is left of rows that are gone: their loss to second order.
 *
 * Of a model too wide for a Hessian a block of it is kept: second derivatives
 * among the columns that matter most (the caller says which), and of every
 * other column its own. Between rare columns, and between these and the block,
 * it is taken to be 0: a rare column's rows are few, and what they say of it
 * hardly moves what many rows have said.
 *-------------------------------------------------------------------------
 */
#include "math/sparse.h"

#include <math.h>
#include <string.h>

/* ----------------------------------------------------------------- value */

double
dmp_sparse_prior_value(const DmpSparseProblem *p, const double *theta, double *gradient)
{
	const DmpSparsePrior *prior = p->prior;
	size_t n = dmp_sparse_size(p), i;
	double sum = 0;
	int a, b;

	for (i = p->intercept ? 0 : 1; i < n; i++)
	{
		double d = theta[i] - prior->start[i], slope = prior->diagonal[i] * d;

		sum += (prior->gradient[i] + slope / 2) * d;
		if (gradient != NULL)
			gradient[i] += (prior->gradient[i] + slope) / p->weight_sum;
	}
	for (a = 0; a < prior->nblock; a++)
	{
		const double *h = prior->hessian + (size_t) a * prior->nblock;
		int c = prior->block[a];
		double slope = 0;

		for (b = 0; b < prior->nblock; b++)
			slope += h[b] * (theta[prior->block[b]] - prior->start[prior->block[b]]);
		sum += slope * (theta[c] - prior->start[c]) / 2;
		if (gradient != NULL)
			gradient[c] += slope / p->weight_sum;
	}
	return sum / p->weight_sum;
}

void
dmp_sparse_prior_gradient(const DmpSparsePrior *prior, size_t n, const double *theta,
						  double *gradient)
{
	size_t i;
	int a, b;

	for (i = 0; i < n; i++)
		gradient[i] = prior->gradient[i] + prior->diagonal[i] * (theta[i] - prior->start[i]);
	for (a = 0; a < prior->nblock; a++)
	{
		const double *h = prior->hessian + (size_t) a * prior->nblock;

		for (b = 0; b < prior->nblock; b++)
			gradient[prior->block[a]] +=
				h[b] * (theta[prior->block[b]] - prior->start[prior->block[b]]);
	}
}

/* ----------------------------------------------------------- derivatives */

void
dmp_sparse_derivatives(const DmpSparseProblem *p, const double *theta, double *gradient,
					   double *diagonal)
{
	int ndense = p->rows->ndense, i, j;

	for (i = 0; i < p->rows->nchunks; i++)
	{
		size_t length;
		char *at = p->rows->load(p->rows->arg, i, &length);
		char *end = at + length;

		p->env->check();
		while (at < end)
		{
			const DmpSparseRow *row = (const DmpSparseRow *) at;
			const double *dense = DMP_SPARSE_DENSE(row);
			const DmpSparseEntry *entries = DMP_SPARSE_ENTRIES(row, ndense);
			double residual, q, w;
			uint32_t k;

			dmp_sparse_margins(p, row, theta, &residual);
			(void) dmp_sparse_loss(1, row->target, &residual);
			q = residual + row->target;
			w = row->weight * q * (1 - q);
			residual *= row->weight;
			if (p->intercept)
			{
				gradient[0] += residual;
				diagonal[0] += w;
			}
			for (j = 0; j < ndense; j++)
			{
				gradient[1 + j] += residual * dense[j];
				diagonal[1 + j] += w * dense[j] * dense[j];
			}
			for (k = 0; k < row->n; k++)
			{
				double x = entries[k].value;

				gradient[1 + entries[k].column] += residual * x;
				diagonal[1 + entries[k].column] += w * x * x;
			}
			at += DMP_SPARSE_ROW_SIZE(ndense, row->n);
		}
	}
}

/* what of a row is in the block, with its places: at most room, as a row has a column once */
static int
row_in_block(const DmpSparseProblem *p, const DmpSparseRow *row, const int *place, int room,
			 int *at, double *x)
{
	int ndense = p->rows->ndense, n = 0, j;
	const double *dense = DMP_SPARSE_DENSE(row);
	const DmpSparseEntry *entries = DMP_SPARSE_ENTRIES(row, ndense);
	uint32_t k;

	if (p->intercept && place[0] >= 0)
	{
		at[n] = place[0];
		x[n++] = 1;
	}
	for (j = 0; j < ndense && n < room; j++)
		if (place[1 + j] >= 0 && dense[j] != 0)
		{
			at[n] = place[1 + j];
			x[n++] = dense[j];
		}
	for (k = 0; k < row->n && n < room; k++)
		if (place[1 + entries[k].column] >= 0)
		{
			at[n] = place[1 + entries[k].column];
			x[n++] = entries[k].value;
		}
	return n;
}

/* of each step-th row; exact: the diagonal of all. Returns the pairs of all rows. */
static double
add_block(const DmpSparseProblem *p, const double *theta, const int *place, int nblock, size_t step,
		  double *hessian, double *exact)
{
	int *at = p->env->alloc(sizeof(int) * (nblock + 1));
	double *x = p->env->alloc(sizeof(double) * (nblock + 1));
	double pairs = 0;
	size_t count = 0;
	int i, a, b;

	for (i = 0; i < p->rows->nchunks; i++)
	{
		size_t length;
		char *record = p->rows->load(p->rows->arg, i, &length);
		char *end = record + length;

		while (record < end)
		{
			const DmpSparseRow *row = (const DmpSparseRow *) record;
			int n = row_in_block(p, row, place, nblock, at, x);
			double q, w;

			if (count % 64 == 0)
				p->env->check();
			record += DMP_SPARSE_ROW_SIZE(p->rows->ndense, row->n);
			pairs += (double) n * n;
			if (hessian == NULL)
				continue;
			dmp_sparse_margins(p, row, theta, &q);
			(void) dmp_sparse_loss(1, row->target, &q);
			q += row->target;
			w = row->weight * q * (1 - q);
			for (a = 0; a < n; a++)
				exact[at[a]] += w * x[a] * x[a];
			if (count++ % step != 0)
				continue;
			for (a = 0; a < n; a++)
			{
				double *h = hessian + (size_t) at[a] * nblock;
				double f = w * x[a];

				for (b = 0; b < n; b++)
					h[at[b]] += f * x[b];
			}
		}
	}
	p->env->release(at);
	p->env->release(x);
	return pairs;
}

void
dmp_sparse_block(const DmpSparseProblem *p, const double *theta, const int *place, int nblock,
				 double *hessian, double max_pairs)
{
	double pairs = add_block(p, theta, place, nblock, 1, NULL, NULL);
	size_t step = pairs > max_pairs ? (size_t) ceil(pairs / max_pairs) : 1;
	size_t size = (size_t) nblock * nblock, k;
	double *sum = p->env->alloc(sizeof(double) * (size + 1));
	double *exact = p->env->alloc(sizeof(double) * (nblock + 1));
	int a, b;

	memset(sum, 0, sizeof(double) * size);
	memset(exact, 0, sizeof(double) * nblock);
	(void) add_block(p, theta, place, nblock, step, sum, exact);
	/* exact: by how much to scale a column, so that the matrix stays one of squares */
	for (a = 0; step > 1 && a < nblock; a++)
	{
		double have = sum[(size_t) a * nblock + a];

		/* no row of those had it: its own derivative is all that is known */
		if (have <= 0)
			sum[(size_t) a * nblock + a] = exact[a];
		exact[a] = have > 0 ? sqrt(exact[a] / have) : 1;
	}
	for (a = 0; step > 1 && a < nblock; a++)
		for (b = 0; b < nblock; b++)
			sum[(size_t) a * nblock + b] *= exact[a] * exact[b];
	for (k = 0; k < size; k++)
		hessian[k] += sum[k];
	p->env->release(sum);
	p->env->release(exact);
}
