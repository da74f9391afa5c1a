/*-------------------------------------------------------------------------
 * sparse_solve.c
 *		L-BFGS and OWL-QN over sparse rows.
 *
 * Two loops over the last few steps (Nocedal 1980), kept in float4: they only
 * shape the direction. The matrix they start from is diagonal, an upper bound
 * of the curvature of each column, so that common and rare columns move at
 * their own pace. Without a lasso a step satisfies the weak Wolfe conditions,
 * found by bisection (Lewis and Overton 2013). With one (Andrew and Gao 2007)
 * the direction is that of the pseudo-gradient, kept within the orthant of the
 * current point, and a step only has to decrease enough.
 *-------------------------------------------------------------------------
 */
#include "math/sparse.h"

#include <math.h>
#include <string.h>

#define ARMIJO 1e-4
#define WOLFE 0.9
#define MAX_TRIALS 30
#define NOISE 1e-14 /* of a sum over rows, relative */
#define LANES 8

typedef struct Solver
{
	const DmpSparseProblem *p;
	size_t n;
	int history; /* room for steps */
	int kept;
	int newest;
	float *s; /* history x n */
	float *y;
	double *rho;
	double *alpha;
	double *diagonal; /* ncolumns + 1 */
	double *theta;
	double *gradient; /* of the smooth part */
	double *pseudo;   /* of the objective; without a lasso it is the gradient */
	double *direction;
	double *trial;
	double *trial_gradient;
	double value; /* smooth part and lasso */
	int passes;
	int lasso;
} Solver;

size_t
dmp_sparse_memory(const DmpSparseProblem *p, int history)
{
	size_t n = dmp_sparse_size(p);

	return n * (sizeof(float) * 2 * history + sizeof(double) * (p->lambda * p->alpha > 0 ? 5 : 4)) +
		   sizeof(double) * ((size_t) p->ncolumns + 1);
}

/* sums in LANES parts, the same on every machine */
static double
dot_double(size_t n, const double *a, const double *b)
{
	double lane[LANES] = {0};
	double sum = 0;
	size_t i;
	int l;

	for (i = 0; i + LANES <= n; i += LANES)
	{
		for (l = 0; l < LANES; l++)
			lane[l] += a[i + l] * b[i + l];
	}
	for (; i < n; i++)
		sum += a[i] * b[i];
	for (l = 0; l < LANES; l++)
		sum += lane[l];
	return sum;
}

static double
dot_float(size_t n, const float *a, const double *b)
{
	double lane[LANES] = {0};
	double sum = 0;
	size_t i;
	int l;

	for (i = 0; i + LANES <= n; i += LANES)
	{
		for (l = 0; l < LANES; l++)
			lane[l] += (double) a[i + l] * b[i + l];
	}
	for (; i < n; i++)
		sum += (double) a[i] * b[i];
	for (l = 0; l < LANES; l++)
		sum += lane[l];
	return sum;
}

static void
add_float(size_t n, double f, const float *x, double *y)
{
	size_t i;

	for (i = 0; i < n; i++)
		y[i] += f * (double) x[i];
}

/* Curvature of a column's coefficients is at most (1/W) sum w x^2 / 4, plus the ridge. */
static void
curvature(Solver *s)
{
	const DmpSparseProblem *p = s->p;
	int ndense = p->rows->ndense;
	double *d = s->diagonal;
	double bound = p->family == DMP_GAUSSIAN  ? 1
				   : p->family == DMP_POISSON ? fmax(p->mean, 1e-3)
				   : p->nclasses == 1         ? 0.25
											  : (p->nclasses - 1.0) / p->nclasses / p->nclasses;
	double most = 0;
	int i;
	int c;

	memset(d, 0, sizeof(double) * ((size_t) p->ncolumns + 1));
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
			uint32_t j;

			d[0] += row->weight;
			for (c = 0; c < ndense; c++)
				d[1 + c] += row->weight * dense[c] * dense[c];
			for (j = 0; j < row->n; j++)
				d[1 + entries[j].column] += row->weight * entries[j].value * entries[j].value;
			at += DMP_SPARSE_ROW_SIZE(ndense, row->n);
		}
	}
	s->passes++;
	for (c = 0; p->prior != NULL && c <= p->ncolumns; c++)
		d[c] += p->prior->diagonal[c] / bound;
	for (c = 0; p->prior != NULL && c < p->prior->nblock; c++)
		d[p->prior->block[c]] += p->prior->hessian[(size_t) c * p->prior->nblock + c] / bound;
	for (c = 0; c <= p->ncolumns; c++)
	{
		double scale = c > 0 && p->scale ? p->scale[c - 1] : 1;

		d[c] = d[c] / p->weight_sum * bound;
		if (c > 0)
			d[c] += p->lambda * (1 - p->alpha) * scale * scale * (p->factor ? p->factor[c - 1] : 1);
		most = d[c] > most ? d[c] : most;
	}
	/* nothing moves a million times faster than something else */
	for (c = 0; c <= p->ncolumns; c++)
		d[c] = d[c] > most * 1e-6 ? d[c] : most * 1e-6;
}

/* Pseudo-gradient of the objective at theta; returns its largest element. */
static double
pseudo_gradient(const Solver *s)
{
	const DmpSparseProblem *p = s->p;
	double strength = p->lambda * p->alpha;
	double most = 0;
	size_t i = 0;
	int c;
	int k;

	for (c = 0; c <= p->ncolumns; c++)
	{
		double l1 = c == 0 ? 0
						   : strength * (p->scale ? p->scale[c - 1] : 1) *
								 (p->factor ? p->factor[c - 1] : 1);

		for (k = 0; k < p->nclasses; k++, i++)
		{
			double g = s->gradient[i];

			if (l1 > 0)
			{
				if (s->theta[i] > 0)
					g += l1;
				else if (s->theta[i] < 0)
					g -= l1;
				else if (g + l1 < 0)
					g += l1;
				else if (g - l1 > 0)
					g -= l1;
				else
					g = 0;
				s->pseudo[i] = g;
			}
			else if (s->lasso)
				s->pseudo[i] = g;
			most = fabs(g) > most ? fabs(g) : most;
		}
	}
	return most;
}

static void
find_direction(Solver *s)
{
	const DmpSparseProblem *p = s->p;
	size_t n = s->n;
	double *d = s->direction;
	double gamma = 1;
	size_t i;
	int j;

	for (i = 0; i < n; i++)
		d[i] = -s->pseudo[i];
	for (j = 0; j < s->kept; j++)
	{
		int at = (s->newest - j + s->history) % s->history;

		s->alpha[at] = s->rho[at] * dot_float(n, s->s + at * n, d);
		add_float(n, -s->alpha[at], s->y + at * n, d);
	}
	if (s->kept > 0)
	{
		const float *y = s->y + s->newest * n;
		double sum = 0;

		for (i = 0; i < n; i++)
			sum += (double) y[i] * y[i] / s->diagonal[i / p->nclasses];
		gamma = 1 / (s->rho[s->newest] * sum);
	}
	for (i = 0; i < n; i++)
		d[i] *= gamma / s->diagonal[i / p->nclasses];
	for (j = s->kept - 1; j >= 0; j--)
	{
		int at = (s->newest - j + s->history) % s->history;
		double beta = s->rho[at] * dot_float(n, s->y + at * n, d);

		add_float(n, s->alpha[at] - beta, s->s + at * n, d);
	}
	if (s->lasso)
	{
		for (i = 0; i < n; i++)
		{
			if (d[i] * s->pseudo[i] >= 0)
				d[i] = 0;
		}
	}
}

/* Objective at theta + step * direction, held within the orthant; trial and its gradient. */
static double
try_step(Solver *s, double step)
{
	const DmpSparseProblem *p = s->p;
	size_t i;

	for (i = 0; i < s->n; i++)
		s->trial[i] = s->theta[i] + step * s->direction[i];
	if (s->lasso)
	{
		for (i = p->nclasses; i < s->n; i++)
		{
			double sign = s->theta[i] != 0 ? s->theta[i] : -s->pseudo[i];

			if (s->trial[i] * sign <= 0)
				s->trial[i] = 0;
		}
	}
	s->passes++;
	return dmp_sparse_value(p, s->trial, s->trial_gradient, NULL) + dmp_sparse_lasso(p, s->trial);
}

/* Finds a step; false when none decreases the objective. *value is that of trial. */
static int
search(Solver *s, double *value)
{
	double slope = dot_double(s->n, s->pseudo, s->direction);
	double low = 0;
	double high = INFINITY;
	double step = 1;
	int i;

	if (!(slope < 0))
		return 0;
	for (i = 0; i < MAX_TRIALS; i++)
	{
		double decrease = ARMIJO * step * slope;
		size_t j;

		s->p->env->check();
		*value = try_step(s, step);
		if (s->lasso)
		{
			decrease = 0;
			for (j = 0; j < s->n; j++)
				decrease += s->pseudo[j] * (s->trial[j] - s->theta[j]);
			decrease *= ARMIJO;
		}
		else
			decrease +=
				NOISE * fabs(s->value); /* Hager and Zhang 2005: near the end slopes tell more */
		if (!isfinite(*value) || *value > s->value + decrease)
			high = step;
		else if (!s->lasso && dot_double(s->n, s->trial_gradient, s->direction) < WOLFE * slope)
			low = step;
		else
			return 1;
		step = isfinite(high) ? (low + high) / 2 : 2 * step;
	}
	/* what decreases is good enough, though it could go on */
	return isfinite(*value) && *value < s->value;
}

static void
remember(Solver *s)
{
	size_t n = s->n;
	int at = (s->newest + 1) % s->history;
	float *ds = s->s + at * n;
	float *dy = s->y + at * n;
	double sy = 0;
	double yy = 0;
	size_t i;

	for (i = 0; i < n; i++)
	{
		double a = s->trial[i] - s->theta[i];
		double b = s->trial_gradient[i] - s->gradient[i];

		ds[i] = (float) a;
		dy[i] = (float) b;
		sy += (double) ds[i] * dy[i];
		yy += (double) dy[i] * dy[i];
	}
	if (sy > 1e-12 * yy && sy > 0)
	{
		s->rho[at] = 1 / sy;
		s->newest = at;
		if (s->kept < s->history)
			s->kept++;
	}
}

static void
make_solver(Solver *s, const DmpSparseProblem *p, double *theta, int history)
{
	const DmpMathEnv *env = p->env;
	size_t n = dmp_sparse_size(p);

	memset(s, 0, sizeof(*s));
	s->p = p;
	s->n = n;
	s->history = history;
	s->newest = -1;
	s->theta = theta;
	s->lasso = p->lambda * p->alpha > 0;
	s->s = env->alloc(sizeof(float) * n * history);
	s->y = env->alloc(sizeof(float) * n * history);
	s->rho = env->alloc(sizeof(double) * history);
	s->alpha = env->alloc(sizeof(double) * history);
	s->diagonal = env->alloc(sizeof(double) * ((size_t) p->ncolumns + 1));
	s->gradient = env->alloc(sizeof(double) * n);
	s->pseudo = s->lasso ? env->alloc(sizeof(double) * n) : s->gradient;
	s->direction = env->alloc(sizeof(double) * n);
	s->trial = env->alloc(sizeof(double) * n);
	s->trial_gradient = env->alloc(sizeof(double) * n);
}

static void
free_solver(Solver *s)
{
	const DmpMathEnv *env = s->p->env;

	env->release(s->s);
	env->release(s->y);
	env->release(s->rho);
	env->release(s->alpha);
	env->release(s->diagonal);
	if (s->lasso)
		env->release(s->pseudo);
	env->release(s->gradient);
	env->release(s->direction);
	env->release(s->trial);
	env->release(s->trial_gradient);
}

/* theta becomes the trial; gradients change places */
static void
accept(Solver *s)
{
	double *swap = s->gradient;

	memcpy(s->theta, s->trial, sizeof(double) * s->n);
	s->gradient = s->trial_gradient;
	s->trial_gradient = swap;
	if (!s->lasso)
		s->pseudo = s->gradient;
}

DmpSparseResult
dmp_sparse_solve(const DmpSparseProblem *p, double *theta, int history, int max_iterations,
				 double gradient_tolerance, double objective_tolerance)
{
	DmpSparseResult result = {DMP_SPARSE_ITERATION_LIMIT, 0, 0, 0, 0};
	Solver s;
	int slow = 0;

	make_solver(&s, p, theta, history);
	curvature(&s);
	s.value = dmp_sparse_value(p, theta, s.gradient, NULL) + dmp_sparse_lasso(p, theta);
	s.passes++;
	result.kkt = pseudo_gradient(&s);
	for (;;)
	{
		double value;

		if (!isfinite(s.value))
			result.status = DMP_SPARSE_DIVERGED;
		else if (result.kkt <= gradient_tolerance || slow >= 2)
			result.status = DMP_SPARSE_CONVERGED;
		if (result.status != DMP_SPARSE_ITERATION_LIMIT || result.iterations >= max_iterations)
			break;
		result.iterations++;
		find_direction(&s);
		if (!search(&s, &value))
		{
			/* once more from the steepest descent; then this is as low as float8 can tell */
			if (s.kept == 0)
			{
				if (objective_tolerance > 0 || result.kkt <= sqrt(gradient_tolerance))
					result.status = DMP_SPARSE_CONVERGED;
				break;
			}
			s.kept = 0;
			continue;
		}
		remember(&s);
		if (objective_tolerance > 0 && s.value - value <= objective_tolerance)
			slow++;
		else
			slow = 0;
		s.value = value;
		accept(&s);
		result.kkt = pseudo_gradient(&s);
	}
	result.objective = s.value;
	result.passes = s.passes;
	free_solver(&s);
	return result;
}
