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
#define SURE 1e-3      /* of the tolerance: in memory a bound this far below it is not measured */
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
	/* of the walk over all rows */
	double objective, residual; /* at start */
	double before;              /* decrement of the step before the last */
	double cut;                 /* share of step that is being tried */
	int want_hessian, have_step, fell_back, near;
	int slow;    /* steps in a row that gained a constant factor */
	int stuck;   /* ... that gained nothing */
	int thinned; /* the last sample was solved to its own precision */
} Solver;

/* what a difference of objectives may be by rounding */
static double
noise(const DmpGlmProblem *p, double objective)
{
	double floor = 0;

	/* these may be 0 at the optimum; what they are made of is not */
	if (p->shape.family == DMP_GAUSSIAN)
		floor = p->unit * p->unit;
	else if (p->shape.family == DMP_POISSON)
		floor = p->unit;
	return NOISE * (fabs(objective) + floor);
}

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

/*
 * Bound on the residual that the step leaves (see above), or, when that is more,
 * on the change of the margin that the next step would still make (root of the
 * mean square, rows weighted by mu (1 - mu)): by Cauchy and Schwarz at most
 * e^c c/2 |d|_H with c = max|x.d|. Where events are rare the residual alone says
 * little about the margin. INFINITY when unknown.
 */
static double
predicted_residual(const Solver *v)
{
	const DmpGlmProblem *p = v->p;
	double change, worst = 1;
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
	change = fmin(change, 700);
	return 0.5 * exp(change) *
		   fmax(worst * v->decrement / (p->unit > 0 ? p->unit : 1),
				change * sqrt(v->decrement / v->s->hessian[0]));
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

/* to the sure start, as if nothing had been */
static void
start_over(Solver *v)
{
	memcpy(v->s->theta, v->p->fallback, sizeof(double) * v->p->shape.nparams);
	v->before = 0;
	v->cut = 1;
	v->slow = v->have_step = 0;
	v->fell_back = v->want_hessian = 1;
}

/* the step raised the objective: a quarter of the way; 0 when there is no way left */
static int
cut_step(Solver *v)
{
	const DmpGlmProblem *p = v->p;
	DmpGlmSolution *s = v->s;
	int n = p->shape.nparams, i;

	v->cut /= 4;
	if (p->expensive && p->fallback && !v->fell_back && v->cut < 0.01)
	{
		start_over(v);
		return 1;
	}
	if (v->cut < 1e-7 || s->evaluations > 4 * p->max_iterations + 20)
	{
		memcpy(s->theta, v->start, sizeof(double) * n);
		return 0;
	}
	for (i = 0; i < n; i++)
		s->theta[i] = v->start[i] + v->cut * v->step[i];
	v->want_hessian = 1; /* the old one may have been a sample's */
	v->slow = 0;
	return 1;
}

/* the conditions hold: one more step, which is free, the gradient being known */
static void
last_step(Solver *v)
{
	double most = 1e-6;

	if (v->p->shape.family == DMP_GAUSSIAN)
		most *= v->p->unit * v->p->unit;
	model_step(v, 0);
	if (isfinite(v->decrement) && v->decrement < most)
	{
		memcpy(v->s->theta, v->next, sizeof(double) * v->p->shape.nparams);
		take_gain(v);
	}
}

/* the rounding floor: neither the residual nor the objective moves any more */
static int
is_stalled(Solver *v)
{
	const DmpGlmSolution *s = v->s;

	if (v->have_step && s->kkt_residual > 0.5 * v->residual &&
		v->objective - s->objective <= noise(v->p, v->objective))
		v->stuck++;
	else
		v->stuck = 0;
	return v->stuck >= 3 || !isfinite(s->objective) || isnan(s->kkt_residual);
}

/* a step from an evaluated point; 1 when what it leaves is below the tolerance without measuring */
static int
newton_step(Solver *v)
{
	const DmpGlmProblem *p = v->p;
	DmpGlmSolution *s = v->s;
	double last = v->before, bound;

	v->residual = s->kkt_residual;
	v->objective = s->objective;
	model_step(v, 0);
	memcpy(s->theta, v->next, sizeof(double) * p->shape.nparams);
	s->iterations++;
	v->have_step = 1;
	if (last > 0 && v->decrement > SLOW_LOW * last && v->decrement < SLOW_HIGH * last)
		v->slow++;
	else
		v->slow = 0;
	v->before = v->decrement;
	v->near = 0;
	/* with a Hessian of a sample the bound does not hold; few rows are measured in any case */
	if (!v->want_hessian || v->slow > 0 || !(p->expensive || p->max_stride >= SAMPLED) ||
		p->shape.family == DMP_GAUSSIAN)
		return 0;
	bound = predicted_residual(v);
	if (!(bound <= (p->expensive ? 1 : SURE) * p->tolerance))
	{
		/* near: the next pass needs no Hessian, this one is still good */
		v->near = bound <= p->tolerance / SURE;
		return 0;
	}
	s->kkt_residual = bound;
	s->measured = 0;
	take_gain(v);
	return 1;
}

/* all rows, to the tolerance; sampled: the solution has the Hessian of a large sample */
static DmpSolveStatus
full(Solver *v, int sampled)
{
	const DmpGlmProblem *p = v->p;
	DmpGlmSolution *s = v->s;

	v->want_hessian = !sampled;
	v->objective = v->residual = INFINITY;
	v->before = 0;
	v->cut = 1;
	for (;;)
	{
		int ask = v->have_step && v->slow >= SLOW_STEPS - 1 && p->lambda == 0;

		evaluate(v, 1, v->want_hessian, ask);
		if (!v->have_step && p->fallback && !v->fell_back &&
			!(s->objective <= p->fallback_objective))
		{
			start_over(v);
			continue;
		}
		if (v->have_step && !(s->objective <= v->objective + noise(p, v->objective)))
		{
			if (!cut_step(v))
				return DMP_SOLVE_STALLED;
			continue;
		}
		v->cut = 1;
		s->kkt_residual = dmp_glm_kkt(p, s->theta, s->gradient, s->aliased);
		s->measured = 1;
		if (ask && v->slow >= SLOW_STEPS && is_separated(v))
		{
			s->moving = fastest(v);
			return DMP_SOLVE_SEPARATED;
		}
		if (s->kkt_residual <= p->tolerance && (!ask || !is_separated(v)))
		{
			if (v->have_step || v->want_hessian)
				last_step(v);
			return DMP_SOLVE_CONVERGED;
		}
		if (is_stalled(v))
			return DMP_SOLVE_STALLED;
		if (s->iterations >= p->max_iterations)
			return DMP_SOLVE_ITERATION_LIMIT;
		if (newton_step(v))
			return DMP_SOLVE_CONVERGED;
		/* that of a gaussian loss never changes */
		v->want_hessian = p->expensive || !(v->near || p->shape.family == DMP_GAUSSIAN);
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
	if (problem->max_stride >= 8 && problem->shape.family != DMP_GAUSSIAN)
		thinned(&v, problem->max_stride);
	if (problem->max_stride >= SAMPLED && problem->shape.family != DMP_GAUSSIAN)
		thinned(&v, 8);
	for (i = 0; i < n; i++)
		solution->aliased[i] = problem->fixed[i];
	solution->status = full(&v, problem->max_stride >= SAMPLED && v.thinned);
	problem->env->release(room);
}
