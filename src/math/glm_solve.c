/*-------------------------------------------------------------------------
 * glm_solve.c
 *		Newton's method (with an L1 term: proximal Newton) over rows that are
 *		read through a callback.
 *
 * Rows in memory. The first steps read every k-th tile only. From there one
 * pass for the gradient, with the sample's Hessian, and one with both bring the
 * error to the square of the square of what the sample left. A step that raises
 * the objective is cut to a quarter.
 *
 * The last step need not be measured: the third derivative of the loss is at
 * most the second, so after a step d
 *
 *		|g_j(theta + d)| <= e^max|x.d| / 2 max|x_j| d'Hd,
 *
 * which is quadratically small. When that is below the tolerance the step is
 * taken and its pass saved; with few rows a pass costs nothing and is made.
 * Rows on either side of a hyperplane mostly cancel in the sum that this bounds.
 * The residual measured at theta is itself what the step before left, and both
 * grow with the square of their steps; so the ratio of the decrements, with a
 * factor of 20 for the change of direction, is a second estimate, used where a
 * pass is a scan.
 *
 * Separation. On separated data the gradient vanishes too, at infinity. The
 * last step d is then a direction of recession: no row has (2y-1) x.d < 0, but
 * for rounding. That is asked when the decrement has fallen by a constant
 * factor (it tends to 1/e) three times running instead of quadratically.
 *-------------------------------------------------------------------------
 */
#include "math/glm.h"

#include <math.h>
#include <string.h>

#define SLOW_LOW 0.1 /* decrement ratios that look like a walk to infinity */
#define SLOW_HIGH 0.8
#define SLOW_STEPS 3
#define SEPARATED 1e-6 /* relative to the largest |x.d| */
#define SAMPLED 32     /* stride of the first sample from which there is a second one */
#define NOISE 1e-14    /* of the objective, relative */

typedef struct Solver
{
	const DmpGlmProblem *p;
	DmpGlmSolution *s;
	DmpGlmSums sums;
	double *start; /* theta before the last step */
	double *step;  /* the last full step */
	double *next;  /* room for a new theta */
	double *fresh; /* Hessian being summed */
	double decrement;
	int thinned; /* the last sample was solved to its own precision */
} Solver;

/* one evaluation at s->theta; results become means in the solution */
static void
evaluate(Solver *v, int stride, int hessian, int direction)
{
	const DmpGlmProblem *p = v->p;
	DmpGlmSolution *s = v->s;
	double weight = 0;
	int i;
	size_t k;

	v->sums.gradient = s->gradient;
	v->sums.hessian = hessian ? v->fresh : NULL;
	dmp_glm_sums_clear(&p->shape, &v->sums);
	p->eval(p->arg, s->theta, direction ? v->step : NULL, stride, &v->sums, &weight);
	p->env->check();
	if (!(weight > 0))
		weight = 1; /* a thinned pass may see rows of no weight only */
	s->weight = weight;
	s->loss = v->sums.loss / weight;
	s->objective = s->loss + dmp_glm_penalty(p, s->theta);
	for (i = 0; i < p->shape.nparams; i++)
		s->gradient[i] /= weight;
	if (hessian)
		for (k = 0; k < DMP_TRI(p->shape.nparams); k++)
			s->hessian[k] = v->fresh[k] / weight;
	if (stride == 1)
		s->evaluations++;
	s->at_loss = s->loss;
	s->at_hessian = hessian && stride == 1;
	if (s->at)
		memcpy(s->at, s->theta, sizeof(double) * p->shape.nparams);
}

/* v->next becomes the model's minimum from here, v->step the way there */
static void
model_step(Solver *v, double ridge)
{
	const DmpGlmProblem *p = v->p;
	DmpGlmSolution *s = v->s;
	int n = p->shape.nparams, i;

	dmp_glm_model_min(p, s->theta, s->gradient, s->hessian, ridge, v->next, s->aliased);
	memcpy(v->start, s->theta, sizeof(double) * n);
	for (i = 0; i < n; i++)
		v->step[i] = v->next[i] - s->theta[i];
	/* d'Hd: mean squared change of the margin, weighted by mu (1 - mu) */
	dmp_symmetric_multiply(n, s->hessian, v->step, v->next);
	v->decrement = dmp_dot(n, v->next, v->step);
	memcpy(v->next, s->theta, sizeof(double) * n);
	for (i = 0; i < n; i++)
		v->next[i] = s->aliased[i] ? 0 : s->theta[i] + v->step[i];
}

/*
 * A few steps on every stride-th tile, until what is left is below the
 * sampling error of the sample itself. One pseudo-row of ridge keeps a sample
 * that misses a class or a level finite.
 */
static void
thinned(Solver *v, int stride)
{
	int k, n = v->p->shape.nparams;
	double objective = INFINITY;

	v->thinned = 0;
	for (k = 0; k < 12; k++)
	{
		evaluate(v, stride, 1, 0);
		if (!(v->s->objective <= objective + 1e-3 * fabs(objective)))
		{
			memcpy(v->s->theta, v->start, sizeof(double) * n);
			return;
		}
		objective = v->s->objective;
		model_step(v, 1 / v->s->weight);
		memcpy(v->s->theta, v->next, sizeof(double) * n);
		if (v->decrement < 0.02 * n / v->s->weight)
		{
			v->thinned = 1;
			return;
		}
	}
}

/* bound on the residual that the step leaves (see above); INFINITY when unknown */
static double
predicted_residual(const Solver *v, double residual, double before)
{
	const DmpGlmProblem *p = v->p;
	double change, bound, worst = 1;
	int j;

	if (p->reach == NULL)
		return INFINITY;
	/* the margin's change at the mean, then as far as any row may be from it */
	change = v->step[0];
	for (j = 1; j < p->shape.nparams; j++)
		change += v->step[j] * p->mean[j];
	change = fabs(change);
	for (j = 1; j < p->shape.nparams; j++)
	{
		change += fabs(v->step[j]) * p->reach[j];
		if (p->sd[j] > 0 && !p->fixed[j] && p->reach[j] / p->sd[j] > worst)
			worst = p->reach[j] / p->sd[j];
	}
	bound = 0.5 * exp(fmin(change, 700)) * worst * v->decrement;
	if (p->expensive && before > 0 && v->decrement < 1e-3 * before && change < 1)
		bound = fmin(bound, 20 * residual * (v->decrement / before));
	return bound;
}

static int
is_separated(const Solver *v)
{
	return v->sums.direction_high > 0 &&
		   v->sums.direction_low >= -SEPARATED * v->sums.direction_high;
}

static int
fastest(const Solver *v)
{
	const DmpGlmProblem *p = v->p;
	int j, best = 0;
	double most = 0;

	for (j = 1; j < p->shape.nparams; j++)
		if (fabs(v->step[j]) * p->sd[j] > most)
		{
			most = fabs(v->step[j]) * p->sd[j];
			best = j;
		}
	return best;
}

/* the objective after the last step, by the model it was made from */
static void
take_gain(Solver *v)
{
	DmpGlmSolution *s = v->s;
	int n = v->p->shape.nparams;

	s->loss += dmp_dot(n, s->gradient, v->step) + v->decrement / 2;
	s->objective = s->loss + dmp_glm_penalty(v->p, s->theta);
}

/* all rows, to the tolerance; sampled: the solution has the Hessian of a large sample */
static void
full(Solver *v, int sampled)
{
	const DmpGlmProblem *p = v->p;
	DmpGlmSolution *s = v->s;
	int n = p->shape.nparams;
	int want_hessian = !sampled, slow = 0, have_step = 0, stuck = 0, fell_back = 0;
	double objective = INFINITY, residual = INFINITY, before = p->spread, cut = 1, last;

	for (;;)
	{
		int ask = have_step && slow >= SLOW_STEPS - 1 && p->lambda == 0;
		int i;

		evaluate(v, 1, want_hessian, ask);
		if (!have_step && p->fallback && !fell_back && !(s->objective <= p->fallback_objective))
		{
			memcpy(s->theta, p->fallback, sizeof(double) * n);
			before = 0;
			fell_back = 1;
			continue;
		}
		if (have_step && !(s->objective <= objective + NOISE * fabs(objective)))
		{
			/* raised: a quarter of the way, and the Hessian anew when it was an old one */
			cut /= 4;
			if (p->expensive && p->fallback && !fell_back && cut < 0.01)
			{
				memcpy(s->theta, p->fallback, sizeof(double) * n);
				before = 0;
				cut = 1;
				slow = have_step = 0;
				fell_back = want_hessian = 1;
				continue;
			}
			if (cut < 1e-7 || s->evaluations > 4 * p->max_iterations + 20)
			{
				memcpy(s->theta, v->start, sizeof(double) * n);
				s->status = DMP_SOLVE_STALLED;
				return;
			}
			for (i = 0; i < n; i++)
				s->theta[i] = v->start[i] + cut * v->step[i];
			want_hessian = 1;
			slow = 0;
			continue;
		}
		cut = 1;
		s->kkt_residual = dmp_glm_kkt(p, s->theta, s->gradient, s->aliased);
		s->measured = 1;
		if (ask && slow >= SLOW_STEPS && is_separated(v))
		{
			s->status = DMP_SOLVE_SEPARATED;
			s->moving = fastest(v);
			return;
		}
		if (s->kkt_residual <= p->tolerance && (!ask || !is_separated(v)))
		{
			/* the free step: the gradient is known, the Hessian good enough */
			s->status = DMP_SOLVE_CONVERGED;
			if (have_step || want_hessian)
			{
				model_step(v, 0);
				if (isfinite(v->decrement) && v->decrement < 1e-6)
				{
					memcpy(s->theta, v->next, sizeof(double) * n);
					take_gain(v);
				}
			}
			return;
		}
		/* the rounding floor: neither the residual nor the objective moves any more */
		stuck = have_step && s->kkt_residual > 0.5 * residual &&
						objective - s->objective <= NOISE * fabs(objective)
					? stuck + 1
					: 0;
		if (stuck >= 3 || !isfinite(s->objective) || isnan(s->kkt_residual))
		{
			s->status = DMP_SOLVE_STALLED;
			return;
		}
		if (s->iterations >= p->max_iterations)
		{
			s->status = DMP_SOLVE_ITERATION_LIMIT;
			return;
		}
		residual = s->kkt_residual;
		objective = s->objective;
		model_step(v, 0);
		memcpy(s->theta, v->next, sizeof(double) * n);
		s->iterations++;
		have_step = 1;
		slow = (before > 0 && v->decrement > SLOW_LOW * before && v->decrement < SLOW_HIGH * before)
				   ? slow + 1
				   : 0;
		last = before;
		before = v->decrement;
		/* with a Hessian of a sample the bound does not hold */
		if ((p->expensive || p->max_stride >= SAMPLED) && slow == 0 && want_hessian)
		{
			double bound = predicted_residual(v, residual, last);

			if (bound <= p->tolerance)
			{
				s->kkt_residual = bound;
				s->measured = 0;
				s->status = DMP_SOLVE_CONVERGED;
				take_gain(v);
				return;
			}
		}
		want_hessian = 1;
	}
}

void
dmp_glm_solve(const DmpGlmProblem *problem, DmpGlmSolution *solution)
{
	int n = problem->shape.nparams, i;
	double *room = problem->env->alloc(sizeof(double) * (3 * (size_t) n + DMP_TRI(n)));
	Solver v;

	memset(&v, 0, sizeof(v));
	v.p = problem;
	v.s = solution;
	v.start = room;
	v.step = room + n;
	v.next = room + 2 * (size_t) n;
	v.fresh = room + 3 * (size_t) n;
	solution->iterations = solution->evaluations = 0;
	solution->measured = 0;
	solution->kkt_residual = NAN;
	memset(solution->hessian, 0, sizeof(double) * DMP_TRI(n));
	for (i = 0; i < n; i++)
		solution->aliased[i] = problem->fixed[i];
	if (problem->max_stride >= 8)
		thinned(&v, problem->max_stride);
	if (problem->max_stride >= SAMPLED)
		thinned(&v, 8);
	for (i = 0; i < n; i++)
		solution->aliased[i] = problem->fixed[i];
	full(&v, problem->max_stride >= SAMPLED && v.thinned);
	problem->env->release(room);
}
