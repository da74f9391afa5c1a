/*-------------------------------------------------------------------------
 * sparse.c
 *		Loss, gradient and stochastic steps over sparse rows; see sparse.h.
 *
 * All K coefficients of a column lie side by side, so the work of an entry is
 * a run of K multiply-adds that depend on nothing but themselves: they are
 * compiled a second time for AVX2 and give the same bits there. Sums over
 * rows run in the order of the rows, in float8.
 *-------------------------------------------------------------------------
 */
#include "math/sparse.h"

#include <math.h>
#include <string.h>

#include "math/hash.h"

#define CHECK_ROWS 64 /* rows between two looks at interrupts */

/* margins[k] += f * x[k], and y[k] += f * r[k]: over all entries of a row */
static inline __attribute__((always_inline)) void
add_columns(int nclasses, int ndense, const DmpSparseRow *row, const double *restrict theta,
			double *restrict margins)
{
	const double *dense = DMP_SPARSE_DENSE(row);
	const DmpSparseEntry *entries = DMP_SPARSE_ENTRIES(row, ndense);
	uint32_t i;
	int j;
	int k;

	for (j = 0; j < ndense; j++)
	{
		const double *b = theta + (size_t) (1 + j) * nclasses;

		for (k = 0; k < nclasses; k++)
			margins[k] += dense[j] * b[k];
	}
	for (i = 0; i < row->n; i++)
	{
		const double *b = theta + (size_t) (1 + entries[i].column) * nclasses;
		double f = entries[i].value;

		for (k = 0; k < nclasses; k++)
			margins[k] += f * b[k];
	}
}

static inline __attribute__((always_inline)) void
add_residual(int nclasses, int ndense, const DmpSparseRow *row, double factor,
			 const double *restrict residual, double *restrict gradient)
{
	const double *dense = DMP_SPARSE_DENSE(row);
	const DmpSparseEntry *entries = DMP_SPARSE_ENTRIES(row, ndense);
	uint32_t i;
	int j;
	int k;

	for (j = 0; j < ndense; j++)
	{
		double *g = gradient + (size_t) (1 + j) * nclasses;
		double f = factor * dense[j];

		for (k = 0; k < nclasses; k++)
			g[k] += f * residual[k];
	}
	for (i = 0; i < row->n; i++)
	{
		double *g = gradient + (size_t) (1 + entries[i].column) * nclasses;
		double f = factor * entries[i].value;

		for (k = 0; k < nclasses; k++)
			g[k] += f * residual[k];
	}
}

typedef struct Kernel
{
	void (*columns)(int, int, const DmpSparseRow *, const double *, double *);
	void (*residual)(int, int, const DmpSparseRow *, double, const double *, double *);
} Kernel;

static void
columns_any(int nclasses, int ndense, const DmpSparseRow *row, const double *theta, double *margins)
{
	add_columns(nclasses, ndense, row, theta, margins);
}

static void
residual_any(int nclasses, int ndense, const DmpSparseRow *row, double factor,
			 const double *residual, double *gradient)
{
	add_residual(nclasses, ndense, row, factor, residual, gradient);
}

/* one class: no inner loop to speak of */
static void
columns_one(int nclasses, int ndense, const DmpSparseRow *row, const double *theta, double *margins)
{
	add_columns(1, ndense, row, theta, margins);
}

static void
residual_one(int nclasses, int ndense, const DmpSparseRow *row, double factor,
			 const double *residual, double *gradient)
{
	add_residual(1, ndense, row, factor, residual, gradient);
}

#if defined(__x86_64__)
__attribute__((target("avx2"))) static void
columns_avx2(int nclasses, int ndense, const DmpSparseRow *row, const double *theta,
			 double *margins)
{
	add_columns(nclasses, ndense, row, theta, margins);
}

__attribute__((target("avx2"))) static void
residual_avx2(int nclasses, int ndense, const DmpSparseRow *row, double factor,
			  const double *residual, double *gradient)
{
	add_residual(nclasses, ndense, row, factor, residual, gradient);
}
#endif

static Kernel
kernel(int nclasses)
{
	Kernel any = {columns_any, residual_any};
	Kernel one = {columns_one, residual_one};

	if (nclasses == 1)
		return one;
#if defined(__x86_64__)
	if (__builtin_cpu_supports("avx2"))
	{
		Kernel avx2 = {columns_avx2, residual_avx2};

		return avx2;
	}
#endif
	return any;
}

size_t
dmp_sparse_size(const DmpSparseProblem *p)
{
	return ((size_t) p->ncolumns + 1) * (size_t) p->nclasses;
}

static inline void
add_offset(const DmpSparseProblem *p, const DmpSparseRow *row, double *margins)
{
	if (p->has_offset && p->family != DMP_GAUSSIAN)
		margins[0] += row->offset;
}

void
dmp_sparse_margins(const DmpSparseProblem *p, const DmpSparseRow *row, const double *theta,
				   double *margins)
{
	memcpy(margins, theta, sizeof(double) * p->nclasses);
	kernel(p->nclasses).columns(p->nclasses, p->rows->ndense, row, theta, margins);
	add_offset(p, row, margins);
}

/*
 * One class: log(1 + e^m) - y m by the sign of the margin. More: the largest
 * margin is taken out before exp().
 */
double
dmp_sparse_loss(int nclasses, int target, double *margins)
{
	double high;
	double sum = 0;
	double loss;
	int k;

	if (nclasses == 1)
	{
		double m = margins[0];
		double e = exp(-fabs(m));

		margins[0] = (m >= 0 ? 1 / (1 + e) : e / (1 + e)) - target;
		if (m >= 0)
			return log1p(e) + (target ? 0 : m);
		return log1p(e) - (target ? m : 0);
	}
	high = margins[0];
	for (k = 1; k < nclasses; k++)
		high = margins[k] > high ? margins[k] : high;
	loss = high - margins[target];
	for (k = 0; k < nclasses; k++)
	{
		margins[k] = exp(margins[k] - high);
		sum += margins[k];
	}
	for (k = 0; k < nclasses; k++)
		margins[k] /= sum;
	margins[target] -= 1;
	return loss + log(sum);
}

double
dmp_sparse_row_loss(const DmpSparseProblem *p, const DmpSparseRow *row, double *margins)
{
	double m = margins[0];

	if (p->nclasses > 1 || p->family == DMP_BINOMIAL)
		return dmp_sparse_loss(p->nclasses, row->target, margins);
	if (p->family == DMP_GAUSSIAN)
	{
		margins[0] = m - (row->value - row->offset - p->shift) / p->spread;
		return margins[0] * margins[0] / 2;
	}
	margins[0] = exp(m < 700 ? m : 700) - row->value;
	return margins[0] + row->value - row->value * m;
}

static inline double
factor_of(const DmpSparseProblem *p, int c)
{
	return p->factor ? p->factor[c] : 1;
}

/* the ridge and its gradient */
static double
add_ridge(const DmpSparseProblem *p, const double *theta, double *gradient)
{
	double strength = p->lambda * (1 - p->alpha);
	double sum = 0;
	int c;
	int k;

	if (strength == 0)
		return 0;
	for (c = 0; c < p->ncolumns; c++)
	{
		const double *b = theta + (size_t) (1 + c) * p->nclasses;
		double s = p->scale ? p->scale[c] : 1;
		double f = strength * s * s * factor_of(p, c);
		double squares = 0;

		for (k = 0; k < p->nclasses; k++)
			squares += b[k] * b[k];
		sum += f * squares / 2;
		if (gradient != NULL)
		{
			double *g = gradient + (size_t) (1 + c) * p->nclasses;

			for (k = 0; k < p->nclasses; k++)
				g[k] += f * b[k];
		}
	}
	return sum;
}

double
dmp_sparse_lasso(const DmpSparseProblem *p, const double *theta)
{
	double strength = p->lambda * p->alpha;
	double sum = 0;
	int c;
	int k;

	if (strength == 0)
		return 0;
	for (c = 0; c < p->ncolumns; c++)
	{
		const double *b = theta + (size_t) (1 + c) * p->nclasses;
		double magnitude = 0;

		for (k = 0; k < p->nclasses; k++)
			magnitude += fabs(b[k]);
		sum += (p->scale ? p->scale[c] : 1) * factor_of(p, c) * magnitude;
	}
	return strength * sum;
}

double
dmp_sparse_value(const DmpSparseProblem *p, const double *theta, double *gradient, double *loss)
{
	Kernel use = kernel(p->nclasses);
	int nclasses = p->nclasses;
	int ndense = p->rows->ndense;
	double *margins = p->env->alloc(sizeof(double) * nclasses);
	double sum = 0;
	size_t count = 0;
	int i;
	int k;

	if (gradient != NULL)
		memset(gradient, 0, sizeof(double) * dmp_sparse_size(p));
	for (i = 0; i < p->rows->nchunks; i++)
	{
		size_t length;
		char *at = p->rows->load(p->rows->arg, i, &length);
		char *end = at + length;

		while (at < end)
		{
			const DmpSparseRow *row = (const DmpSparseRow *) at;

			if (count++ % CHECK_ROWS == 0)
				p->env->check();
			memcpy(margins, theta, sizeof(double) * nclasses);
			use.columns(nclasses, ndense, row, theta, margins);
			add_offset(p, row, margins);
			sum += row->weight * dmp_sparse_row_loss(p, row, margins);
			if (gradient != NULL)
			{
				double f = row->weight / p->weight_sum;

				for (k = 0; p->intercept && k < nclasses; k++)
					gradient[k] += f * margins[k];
				use.residual(nclasses, ndense, row, f, margins, gradient);
			}
			at += DMP_SPARSE_ROW_SIZE(ndense, row->n);
		}
	}
	p->env->release(margins);
	sum /= p->weight_sum;
	if (loss != NULL)
		*loss = sum;
	if (p->prior != NULL)
		sum += dmp_sparse_prior_value(p, theta, gradient);
	return sum + add_ridge(p, theta, gradient);
}

/* loss of intercept and offset alone, with the first two derivatives */
static double
null_value(const DmpSparseProblem *p, double intercept, double *slope, double *curvature)
{
	double sum = 0;
	int i;

	*slope = *curvature = 0;
	for (i = 0; i < p->rows->nchunks; i++)
	{
		size_t length;
		char *at = p->rows->load(p->rows->arg, i, &length);
		char *end = at + length;

		p->env->check();
		for (; at < end; at += DMP_SPARSE_ROW_SIZE(p->rows->ndense, ((DmpSparseRow *) at)->n))
		{
			const DmpSparseRow *row = (const DmpSparseRow *) at;
			double m = intercept, mu;

			add_offset(p, row, &m);
			mu = p->family == DMP_GAUSSIAN  ? 1
				 : p->family == DMP_POISSON ? exp(m < 700 ? m : 700)
											: 1 / (2 + exp(-m) + exp(m)); /* mu (1 - mu) */
			sum += row->weight * dmp_sparse_row_loss(p, row, &m);
			*slope += row->weight * m;
			*curvature += row->weight * mu;
		}
	}
	*slope /= p->weight_sum;
	*curvature /= p->weight_sum;
	return sum / p->weight_sum;
}

/* Newton in one dimension, for what has no closed form; steps that do not help are halved */
static double
null_by_steps(const DmpSparseProblem *p, double *theta)
{
	double slope, curvature, value = null_value(p, theta[0], &slope, &curvature);
	int k;

	for (k = 0; k < 60 && p->intercept && fabs(slope) > 1e-12 && curvature > 0; k++)
	{
		double step = -slope / curvature, from = theta[0], fresh;
		double s, c;

		step = step > 5 ? 5 : step < -5 ? -5 : step;
		for (;;)
		{
			theta[0] = from + step;
			fresh = null_value(p, theta[0], &s, &c);
			if (fresh <= value || fabs(step) < 1e-12)
				break;
			step /= 2;
		}
		if (!(fresh < value) && fabs(s) >= fabs(slope))
			break;
		value = fresh;
		slope = s;
		curvature = c;
	}
	return value;
}

double
dmp_sparse_null(const DmpSparseProblem *p, double *theta)
{
	int nclasses = p->nclasses;
	int cells = nclasses == 1 ? 2 : nclasses;
	double *weight = p->env->alloc(sizeof(double) * cells);
	double loss = 0;
	double mean = 0;
	int present = 0;
	int i;
	int k;

	memset(theta, 0, sizeof(double) * dmp_sparse_size(p));
	memset(weight, 0, sizeof(double) * cells);
	if (p->family != DMP_BINOMIAL || p->has_offset)
	{
		p->env->release(weight);
		return null_by_steps(p, theta);
	}
	for (i = 0; i < p->rows->nchunks; i++)
	{
		size_t length;
		char *at = p->rows->load(p->rows->arg, i, &length);
		char *end = at + length;

		p->env->check();
		for (; at < end; at += DMP_SPARSE_ROW_SIZE(p->rows->ndense, ((DmpSparseRow *) at)->n))
			weight[((DmpSparseRow *) at)->target] += ((DmpSparseRow *) at)->weight;
	}
	for (k = 0; k < cells; k++)
	{
		double share = weight[k] / p->weight_sum;

		if (share <= 0)
			continue;
		loss -= share * log(share);
		mean += log(share);
		present++;
	}
	if (!p->intercept)
		loss = log((double) cells);
	else if (nclasses == 1)
		theta[0] = weight[0] > 0 && weight[1] > 0 ? log(weight[1] / weight[0]) : 0;
	else
	{
		for (k = 0; k < nclasses; k++)
			theta[k] = weight[k] > 0 ? log(weight[k] / p->weight_sum) - mean / present : -20;
	}
	p->env->release(weight);
	return loss;
}

/* ---------------------------------------------------------------- stochastic steps */

typedef struct Sgd
{
	const DmpSparseProblem *p;
	Kernel use;
	double *theta;   /* coefficients / factor; intercepts as they are */
	double factor;   /* ridge shrinks this one number instead of all coefficients */
	double strength; /* of the ridge */
	double *margins;
	uint64_t t;
} Sgd;

static void
sgd_row(Sgd *sgd, const DmpSparseRow *row)
{
	const DmpSparseProblem *p = sgd->p;
	int nclasses = p->nclasses;
	int ndense = p->rows->ndense;
	const double *dense = DMP_SPARSE_DENSE(row);
	const DmpSparseEntry *entries = DMP_SPARSE_ENTRIES(row, ndense);
	double weight = row->weight * (double) p->rows->nrows / p->weight_sum;
	double rate = 2 / (1 + 2 * sgd->strength * (double) sgd->t++);
	double norm = 1;
	uint32_t i;
	int k;

	for (k = 0; k < ndense; k++)
		norm += dense[k] * dense[k];
	for (i = 0; i < row->n; i++)
		norm += (double) entries[i].value * entries[i].value;
	/* a step may not overshoot: the loss curves by at most norm / 4 (norm / 2 over classes) */
	rate *= weight;
	if (sgd->p->family == DMP_BINOMIAL && rate * norm > 6)
		rate = 6 / norm;

	memset(sgd->margins, 0, sizeof(double) * nclasses);
	sgd->use.columns(nclasses, ndense, row, sgd->theta, sgd->margins);
	for (k = 0; k < nclasses; k++)
		sgd->margins[k] = sgd->theta[k] + sgd->factor * sgd->margins[k];
	add_offset(p, row, sgd->margins);
	/* least squares curve by norm, counts by their mean as well */
	if (p->family != DMP_BINOMIAL)
	{
		double curve = norm * (p->family == DMP_POISSON ? 1 + exp(fmin(sgd->margins[0], 50)) : 1);

		rate = rate * curve > 0.5 ? 0.5 / curve : rate;
	}
	(void) dmp_sparse_row_loss(p, row, sgd->margins);
	sgd->factor *= 1 - (rate * sgd->strength < 0.5 ? rate * sgd->strength : 0.5);
	for (k = 0; p->intercept && k < nclasses; k++)
		sgd->theta[k] -= rate * sgd->margins[k];
	sgd->use.residual(nclasses, ndense, row, -rate / sgd->factor, sgd->margins, sgd->theta);
}

/* multiplies the factor into the coefficients */
static void
sgd_settle(Sgd *sgd)
{
	size_t n = dmp_sparse_size(sgd->p);
	size_t i;

	for (i = sgd->p->nclasses; i < n; i++)
		sgd->theta[i] *= sgd->factor;
	sgd->factor = 1;
}

static size_t
list_rows(const DmpSparseProblem *p, int chunk, DmpSparseRow **list)
{
	size_t length;
	char *at = p->rows->load(p->rows->arg, chunk, &length);
	char *end = at + length;
	size_t n = 0;

	while (at < end)
	{
		if (list != NULL)
			list[n] = (DmpSparseRow *) at;
		n++;
		at += DMP_SPARSE_ROW_SIZE(p->rows->ndense, ((DmpSparseRow *) at)->n);
	}
	return n;
}

static void
visit(Sgd *sgd, DmpSparseRow **list, size_t n, DmpRandom *random)
{
	size_t i;

	for (i = n; i > 1; i--)
	{
		size_t j = (size_t) dmp_random_below(random, i);
		DmpSparseRow *swap = list[i - 1];

		list[i - 1] = list[j];
		list[j] = swap;
	}
	for (i = 0; i < n; i++)
	{
		if (i % CHECK_ROWS == 0)
			sgd->p->env->check();
		sgd_row(sgd, list[i]);
		if (sgd->factor < 1e-6)
			sgd_settle(sgd);
	}
}

/*
 * Rows in memory are visited in a new random order each epoch; of rows in a
 * file the chunks are, and the rows of each.
 */
void
dmp_sparse_sgd(const DmpSparseProblem *p, double *theta, int epochs, uint64_t seed)
{
	const DmpMathEnv *env = p->env;
	Sgd sgd = {p, kernel(p->nclasses), theta, 1, p->lambda * (1 - p->alpha), NULL, 0};
	DmpRandom random;
	DmpSparseRow **list;
	size_t most = 0;
	size_t total = 0;
	int epoch;
	int i;

	dmp_random_init(&random, seed, 0);
	for (i = 0; i < p->rows->nchunks; i++)
	{
		size_t n = list_rows(p, i, NULL);

		most = n > most ? n : most;
		total += n;
	}
	list = env->alloc(sizeof(DmpSparseRow *) * ((p->rows->resident ? total : most) + 1));
	sgd.margins = env->alloc(sizeof(double) * p->nclasses);
	for (epoch = 0; epoch < epochs; epoch++)
	{
		if (p->rows->resident)
		{
			size_t n = 0;

			for (i = 0; i < p->rows->nchunks; i++)
				n += list_rows(p, i, list + n);
			visit(&sgd, list, n, &random);
		}
		else
		{
			int start = (int) dmp_random_below(&random, p->rows->nchunks);

			for (i = 0; i < p->rows->nchunks; i++)
				visit(&sgd, list, list_rows(p, (start + i) % p->rows->nchunks, list), &random);
		}
		sgd_settle(&sgd);
	}
	env->release(sgd.margins);
	env->release(list);
}
