/*-------------------------------------------------------------------------
 * glm_model.c
 *		The penalised quadratic model: its minimum, the optimality conditions
 *		of the whole problem, and the covariance of the answer.
 *
 * With a gradient g and Hessian H at theta the loss is modelled by
 * g'd + d'Hd/2. Without an L1 term its minimum with the penalty is one
 * Cholesky solve. With one, coordinate descent runs on the p x p model
 * (Friedman, Hastie, Tibshirani 2010, their "covariance updates": the gradient
 * of the model is kept and each move adds a column of H), and once signs
 * settle the system over the active coordinates is solved exactly, so that the
 * answer satisfies the conditions to rounding rather than to a sweep's change.
 * Bounds are coordinate descent's too: a move is cut at the bound, and a
 * coordinate that rests there is not active. Where the exact solution would
 * leave the orthant or the bounds, it is gone towards as far as the first of
 * them, which can only lower the model.
 *-------------------------------------------------------------------------
 */
#include "math/glm.h"

#include <math.h>
#include <string.h>

#define MAX_SWEEPS 5000
#define POLISH_EVERY 8

static inline double
factor_of(const DmpGlmProblem *p, int j)
{
	return p->penalty_factor ? p->penalty_factor[j] : 1;
}

static inline double
lower_of(const DmpGlmProblem *p, int j)
{
	return p->lower && j > 0 ? p->lower[j] : -INFINITY;
}

static inline double
upper_of(const DmpGlmProblem *p, int j)
{
	return p->upper && j > 0 ? p->upper[j] : INFINITY;
}

/* quadratic penalty and the extra ridge: on dense columns of unit sd, on levels as they are (so that
 * a ridge of 1 / W is a pseudo-row for each level, however rare); 0 for the intercept */
static double
l2_of(const DmpGlmProblem *p, double ridge, int j)
{
	double s;

	if (j == 0)
		return 0;
	s = p->penalty_scale[j];
	return p->lambda * (1 - p->alpha) * s * s * factor_of(p, j) +
		   ridge * (j <= p->shape.ndense ? p->sd[j] * p->sd[j] : 1);
}

static double
l1_of(const DmpGlmProblem *p, int j)
{
	return j == 0 ? 0 : p->lambda * p->alpha * p->penalty_scale[j] * factor_of(p, j);
}

double
dmp_glm_penalty(const DmpGlmProblem *p, const double *theta)
{
	double sum = 0;
	int j;

	if (p->lambda == 0)
		return 0;
	for (j = 1; j < p->shape.nparams; j++)
	{
		double b = p->penalty_scale[j] * theta[j];

		sum += factor_of(p, j) * (p->alpha * fabs(b) + (1 - p->alpha) / 2 * b * b);
	}
	return p->lambda * sum;
}

/*
 * How far coordinate j at x is from the optimality conditions, r the derivative
 * of all but the L1 term: what the objective would still fall by, in the
 * directions that are free.
 */
static double
violation(const DmpGlmProblem *p, int j, double x, double r)
{
	double l1 = l1_of(p, j);
	double up = r + (x >= 0 ? l1 : -l1), down = r + (x > 0 ? l1 : -l1), worst = 0;

	if (isnan(r))
		return NAN;
	if (x < upper_of(p, j) && -up > worst)
		worst = -up;
	if (x > lower_of(p, j) && down > worst)
		worst = down;
	return worst;
}

static double
unit_of(const DmpGlmProblem *p)
{
	return p->unit > 0 ? p->unit : 1;
}

double
dmp_glm_kkt(const DmpGlmProblem *p, const double *theta, const double *g,
			const unsigned char *aliased)
{
	double worst = p->fixed[0] ? 0 : fabs(g[0]);
	int j;

	for (j = 1; j < p->shape.nparams; j++)
	{
		double r;

		if (p->fixed[j] || (aliased && aliased[j]) || !(p->sd[j] > 0))
			continue;
		/* on the centred column; without an intercept there is none to absorb the mean */
		r = g[j] - (p->fixed[0] ? 0 : p->mean[j] * g[0]) + l2_of(p, 0, j) * theta[j];
		r = violation(p, j, theta[j], r) / p->sd[j];
		if (!(r <= worst))
			worst = r; /* NaN too */
	}
	return worst / unit_of(p);
}

/* no L1 term: one solve; columns aliased go to 0, the others answer for it */
static void
solve_smooth(const DmpGlmProblem *p, const double *theta, const double *g, const double *h,
			 double ridge, double *next, unsigned char *aliased)
{
	int n = p->shape.nparams, i, moved = 0;
	double *l = p->env->alloc(sizeof(double) * (DMP_TRI(n) + 3 * (size_t) n));
	double *d = l + DMP_TRI(n), *rhs = d + n, *step = rhs + n;

	memcpy(l, h, sizeof(double) * DMP_TRI(n));
	for (i = 0; i < n; i++)
	{
		l[DMP_TRI(i) + i] += l2_of(p, ridge, i);
		aliased[i] = p->fixed[i];
	}
	dmp_cholesky(n, l, d, aliased, DMP_ALIAS_TOLERANCE, p->env);
	for (i = 0; i < n; i++)
	{
		step[i] = aliased[i] ? -theta[i] : 0;
		moved |= step[i] != 0;
	}
	memset(rhs, 0, sizeof(double) * n);
	if (moved)
		dmp_symmetric_multiply(n, h, step, rhs);
	for (i = 0; i < n; i++)
		rhs[i] = -(g[i] + rhs[i] + l2_of(p, ridge, i) * theta[i]);
	dmp_cholesky_solve(n, l, d, rhs, rhs);
	for (i = 0; i < n; i++)
		next[i] = aliased[i] ? 0 : theta[i] + rhs[i];
	p->env->release(l);
}

/* column j of packed h into out */
static void
copy_column(int n, const double *h, int j, double *out)
{
	int i;

	memcpy(out, h + DMP_TRI(j), sizeof(double) * (j + 1));
	for (i = j + 1; i < n; i++)
		out[i] = h[DMP_TRI(i) + j];
}

typedef struct Descent
{
	const DmpGlmProblem *p;
	int n;
	double ridge;
	const double *theta; /* where the model was taken */
	const double *g;
	const double *h; /* packed */
	double *full;    /* n x n, rows; 64-byte work is not needed */
	double *u;       /* gradient of the model at x */
	double *x;       /* the iterate */
	unsigned char *aliased;
} Descent;

/* gradient of the model at x from scratch: rounding of the updates does not pile up */
static void
refresh(Descent *c, double *work)
{
	int i;

	for (i = 0; i < c->n; i++)
		work[i] = c->x[i] - c->theta[i];
	for (i = 0; i < c->n; i++)
		c->u[i] = c->g[i] + dmp_dot(c->n, c->full + (size_t) i * c->n, work);
}

/* worst violation of the model's optimality conditions, on unit-sd columns */
static double
model_violation(const Descent *c)
{
	const DmpGlmProblem *p = c->p;
	double worst = 0;
	int j;

	for (j = 0; j < c->n; j++)
	{
		double r;

		if (c->aliased[j])
			continue;
		r = violation(p, j, c->x[j], c->u[j] + l2_of(p, c->ridge, j) * c->x[j]);
		r /= j == 0 ? 1 : p->sd[j];
		if (r > worst)
			worst = r;
	}
	return worst;
}

/* one sweep of soft-thresholding, within the bounds */
static void
sweep(Descent *c, int active_only)
{
	const DmpGlmProblem *p = c->p;
	int j;

	for (j = 0; j < c->n; j++)
	{
		double *column = c->full + (size_t) j * c->n;
		double l1, l2, q, z, fresh;

		if (c->aliased[j] || (active_only && j > 0 && c->x[j] == 0))
			continue;
		l1 = l1_of(p, j);
		l2 = l2_of(p, c->ridge, j);
		q = column[j] + l2;
		if (!(q > 0))
			continue;
		z = column[j] * c->x[j] - c->u[j];
		fresh = z > l1 ? (z - l1) / q : z < -l1 ? (z + l1) / q : 0;
		fresh = fmax(lower_of(p, j), fmin(upper_of(p, j), fresh));
		if (fresh != c->x[j])
		{
			dmp_axpy(c->n, fresh - c->x[j], column, c->u);
			c->x[j] = fresh;
		}
	}
}

/* whether coordinate j rests: at 0, held there by an L1 term, or at a bound */
static int
rests(const DmpGlmProblem *p, int j, double x)
{
	return j > 0 && (x == 0 || x == lower_of(p, j) || x == upper_of(p, j));
}

/*
 * With bounds: from old towards x as far as the first coordinate that meets 0
 * or a bound, which is set there exactly.
 */
static void
go_as_far(const DmpGlmProblem *p, int n, const unsigned char *skip, const double *old, double *x)
{
	double share = 1, edge = 0;
	int j, first = -1;

	for (j = 1; j < n; j++)
	{
		double stop, t;

		if (skip[j] || x[j] == old[j])
			continue;
		stop = x[j] > old[j] ? upper_of(p, j) : lower_of(p, j);
		if (l1_of(p, j) > 0 && (x[j] > old[j] ? old[j] < 0 : old[j] > 0))
			stop = 0;
		t = (stop - old[j]) / (x[j] - old[j]);
		if (t < share)
		{
			share = t;
			first = j;
			edge = stop;
		}
	}
	for (j = 0; j < n; j++)
		x[j] = skip[j] ? old[j] : old[j] + share * (x[j] - old[j]);
	if (first >= 0)
		x[first] = edge;
}

/* the exact solution over the active coordinates with their signs; 1 when signs hold */
static int
polish(Descent *c, double *l, unsigned char *skip, double *work)
{
	const DmpGlmProblem *p = c->p;
	double *d = work, *rhs = work + c->n, *old = work + 2 * c->n;
	int n = c->n, i, holds = 1;

	memcpy(l, c->h, sizeof(double) * DMP_TRI(n));
	for (i = 0; i < n; i++)
	{
		skip[i] = c->aliased[i] || rests(p, i, c->x[i]);
		l[DMP_TRI(i) + i] += l2_of(p, c->ridge, i);
		rhs[i] = -(c->u[i] + l2_of(p, c->ridge, i) * c->x[i]);
		if (i > 0 && c->x[i] != 0)
			rhs[i] -= c->x[i] > 0 ? l1_of(p, i) : -l1_of(p, i);
	}
	dmp_cholesky(n, l, d, skip, DMP_ALIAS_TOLERANCE, p->env);
	dmp_cholesky_solve(n, l, d, rhs, rhs);
	memcpy(old, c->x, sizeof(double) * n);
	for (i = 0; i < n; i++)
	{
		double fresh = c->x[i] + rhs[i];

		if (skip[i])
			continue;
		if (i > 0 && c->x[i] != 0 && fresh * c->x[i] <= 0 && l1_of(p, i) > 0)
			holds = 0;
		if (!(fresh >= lower_of(p, i) && fresh <= upper_of(p, i)))
			holds = 0;
		c->x[i] = fresh;
	}
	if (!holds && p->lower)
		go_as_far(p, n, skip, old, c->x);
	else if (!holds)
		memcpy(c->x, old, sizeof(double) * n);
	return holds;
}

static void
solve_descent(const DmpGlmProblem *p, const double *theta, const double *g, const double *h,
			  double ridge, double *next, unsigned char *aliased)
{
	int n = p->shape.nparams, i, k;
	size_t square = (size_t) n * n;
	double *room = p->env->alloc(sizeof(double) * (square + DMP_TRI(n) + 6 * (size_t) n));
	unsigned char *skip = p->env->alloc(n);
	double *l = room + square, *work = l + DMP_TRI(n) + 2 * (size_t) n;
	double target, worst;
	Descent c = {p, n, ridge, theta, g, h, room, l + DMP_TRI(n), next, aliased};

	for (i = 0; i < n; i++)
	{
		copy_column(n, h, i, room + (size_t) i * n);
		aliased[i] = p->fixed[i] || (i > 0 && !(h[DMP_TRI(i) + i] > 0));
		next[i] = aliased[i] ? 0 : theta[i];
	}
	refresh(&c, work);
	/* far below what is asked of the whole problem, but above the rounding of the sums */
	target = unit_of(p) * fmax(1e-3 * p->tolerance, 1e-15);
	worst = model_violation(&c);
	for (k = 0; k < MAX_SWEEPS && worst > target; k++)
	{
		p->env->check();
		sweep(&c, k % 4 != 0);
		if (k % POLISH_EVERY == POLISH_EVERY - 1)
		{
			/* polish from a clean gradient: the step it solves for starts there */
			refresh(&c, work);
			polish(&c, l, skip, work);
			refresh(&c, work);
			worst = model_violation(&c);
		}
	}
	p->env->release(skip);
	p->env->release(room);
}

void
dmp_glm_model_min(const DmpGlmProblem *problem, const double *theta, const double *g,
				  const double *h, double ridge, double *next, unsigned char *aliased)
{
	if (problem->lambda * problem->alpha > 0 || problem->lower)
		solve_descent(problem, theta, g, h, ridge, next, aliased);
	else
		solve_smooth(problem, theta, g, h, ridge, next, aliased);
}

void
dmp_glm_covariance(const DmpGlmProblem *p, const double *hessian, const double *meat, double weight,
				   unsigned char *skip, double *covariance)
{
	int n = p->shape.nparams, i, j;
	double *l = p->env->alloc(sizeof(double) * (DMP_TRI(n) + (size_t) n));
	double *d = l + DMP_TRI(n);
	double *full_h, *full_b, *row;

	memcpy(l, hessian, sizeof(double) * DMP_TRI(n));
	for (i = 0; i < n; i++)
		l[DMP_TRI(i) + i] += weight * l2_of(p, 0, i);
	dmp_cholesky(n, l, d, skip, DMP_ALIAS_TOLERANCE, p->env);
	dmp_cholesky_inverse(n, l, d, covariance, p->env);
	p->env->release(l);
	if (meat == NULL)
		meat = hessian;
	if (meat == hessian && p->lambda == 0)
		return;
	/* B M B with B = A^-1, both written out so that every sum runs along rows */
	full_h = p->env->alloc(sizeof(double) * (2 * (size_t) n * n + n));
	full_b = full_h + (size_t) n * n;
	row = full_b + (size_t) n * n;
	for (i = 0; i < n; i++)
	{
		copy_column(n, meat, i, full_h + (size_t) i * n);
		copy_column(n, covariance, i, full_b + (size_t) i * n);
	}
	for (i = 0; i < n; i++)
	{
		p->env->check();
		for (j = 0; j < n; j++)
			row[j] = dmp_dot(n, full_b + (size_t) i * n, full_h + (size_t) j * n);
		for (j = 0; j <= i; j++)
			covariance[DMP_TRI(i) + j] = dmp_dot(n, row, full_b + (size_t) j * n);
	}
	p->env->release(full_h);
}
