/*-------------------------------------------------------------------------
 * glm_folds.c
 *		Cross-validation: the fits without each group, and their losses on it.
 *
 * Few rows: each group's path is solved in turn on the other groups. Many
 * rows: the gradient of all rows at a point of the path is known group by
 * group, so that of the others is a difference, and one step with the Hessian
 * of all rows leads from the path to the fit without the group. What that
 * leaves is of second order in a group's share of noise: at a million rows the
 * losses are right to 1e-8; with fewer rows more rounds follow. Then one pass
 * gives the losses of the rows left out.
 */
#include "math/glm_path.h"

#include <math.h>
#include <string.h>

#define SURE_ROWS 100000.0 /* of them, or twice those of the rarer class */
#define ROUNDS 8
#define HELD_TOLERANCE 1e-7
#define MODEL_TOLERANCE 1e-8

static double
weight_without(const DmpPath *p, int g)
{
	double sum = 0;
	int i;

	for (i = 0; i < p->ngroups; i++)
		if (i != g)
			sum += p->weight[i];
	return sum > 0 ? sum : 1;
}

static double *
held_theta(const DmpPath *p, int g, int k)
{
	return p->held_theta + ((size_t) g * p->n + k) * p->problem.shape.nparams;
}

/* a pass at fits i = g * n + k; mean losses of the rows left out, and mean gradients of the others */
static void
measure_held(DmpPath *p, int count, const int *which, double *gradient)
{
	const DmpMathEnv *env = p->problem.env;
	int n = p->problem.shape.nparams, i, j;
	const double **theta = env->alloc(sizeof(double *) * (count + 1));
	int *held = env->alloc(sizeof(int) * (count + 1));
	DmpPathPass pass;

	memset(&pass, 0, sizeof(pass));
	pass.stride = 1;
	pass.npoints = count;
	pass.theta = theta;
	pass.held = held;
	for (i = 0; i < count; i++)
	{
		held[i] = which[i] / p->n;
		theta[i] = held_theta(p, held[i], which[i] % p->n);
	}
	pass.loss = dmp_path_doubles(p, count);
	pass.held_loss = dmp_path_doubles(p, count);
	pass.gradient = gradient;
	pass.weight = dmp_path_doubles(p, p->ngroups);
	p->pass(p->arg, &pass);
	if (p->weight == NULL)
		p->weight = dmp_path_doubles(p, p->ngroups);
	memcpy(p->weight, pass.weight, sizeof(double) * p->ngroups);
	for (i = 0; i < count; i++)
	{
		p->held_loss[which[i]] = pass.held_loss[i] / p->weight[held[i]];
		for (j = 0; gradient && j < n; j++)
			gradient[(size_t) i * n + j] /= weight_without(p, held[i]);
	}
	p->passes++;
	env->release(theta);
	env->release(held);
	env->release(pass.loss);
	env->release(pass.held_loss);
	env->release(pass.weight);
}

static void
solve_in_turn(DmpPath *p)
{
	int n = p->problem.shape.nparams, g, k;

	for (g = 0; g < p->ngroups; g++)
		for (k = 0; k < p->n; k++)
		{
			double *theta = held_theta(p, g, k);

			/* from the point before, the first from the fit of all rows */
			memcpy(theta, k > 0 ? held_theta(p, g, k - 1) : p->theta, sizeof(double) * n);
			dmp_path_solve_point(p, g, p->lambda[k], fmin(p->problem.tolerance, 1e-9), theta, NULL,
								 NULL);
		}
}

/* from theta with the gradient there of the fit without g, one step */
static void
step(const DmpPath *p, int g, int k, const double *theta, const double *gradient,
	 const double *hessian, unsigned char *aliased)
{
	DmpGlmProblem problem = p->without[g];

	problem.lambda *= p->lambda[k];
	problem.tolerance = MODEL_TOLERANCE;
	dmp_glm_model_min(&problem, theta, gradient, hessian, 0, held_theta(p, g, k), aliased);
}

static void
first_steps(DmpPath *p)
{
	const DmpMathEnv *env = p->problem.env;
	int n = p->problem.shape.nparams, g, i, j, k;
	double *h = dmp_path_doubles(p, DMP_TRI(n)), *gradient = dmp_path_doubles(p, n);
	unsigned char *aliased = env->alloc(n);

	for (k = 0; k < p->n; k++)
	{
		dmp_path_hessian(p, k, h);
		for (g = 0; g < p->ngroups; g++)
		{
			double weight = weight_without(p, g);

			env->check();
			memset(gradient, 0, sizeof(double) * n);
			for (i = 0; i < p->ngroups; i++)
				if (i != g)
					for (j = 0; j < n; j++)
						gradient[j] +=
							p->group_gradient[((size_t) i * p->room + k) * n + j] / weight;
			step(p, g, k, p->at + (size_t) k * n, gradient, h, aliased);
		}
	}
	env->release(h);
	env->release(gradient);
	env->release(aliased);
}

/* rounds until the fits without each group are exact; what is left then is solved by itself */
static void
converge(DmpPath *p, int *todo, int left)
{
	const DmpMathEnv *env = p->problem.env;
	int n = p->problem.shape.nparams, round, i, kept;
	double *h = dmp_path_doubles(p, DMP_TRI(n));
	unsigned char *aliased = env->alloc(n);

	for (round = 0; round < ROUNDS && left > 0; round++)
	{
		double *gradient = dmp_path_doubles(p, (size_t) left * n);

		measure_held(p, left, todo, gradient);
		for (i = kept = 0; i < left; i++)
		{
			int g = todo[i] / p->n, k = todo[i] % p->n;
			DmpGlmProblem problem = p->without[g];
			double r;

			env->check();
			problem.lambda *= p->lambda[k];
			r = dmp_glm_kkt(&problem, held_theta(p, g, k), gradient + (size_t) i * n, NULL);
			if (r <= HELD_TOLERANCE)
				continue;
			dmp_path_hessian(p, k, h);
			step(p, g, k, held_theta(p, g, k), gradient + (size_t) i * n, h, aliased);
			todo[kept++] = todo[i];
		}
		left = kept;
		env->release(gradient);
	}
	for (i = 0; i < left; i++)
	{
		int g = todo[i] / p->n, k = todo[i] % p->n;

		memcpy(held_theta(p, g, k), p->theta + (size_t) k * n, sizeof(double) * n);
		dmp_path_solve_point(p, g, p->lambda[k], HELD_TOLERANCE, held_theta(p, g, k), NULL, NULL);
	}
	if (left > 0)
		measure_held(p, left, todo, NULL);
	env->release(h);
	env->release(aliased);
}

void
dmp_path_cross_validate(DmpPath *p)
{
	const DmpMathEnv *env = p->problem.env;
	int n = p->problem.shape.nparams, count = p->ngroups * p->n, i;
	int *all = env->alloc(sizeof(int) * count);

	p->held_theta = dmp_path_doubles(p, (size_t) count * n);
	p->held_loss = dmp_path_doubles(p, count);
	for (i = 0; i < count; i++)
		all[i] = i;
	if (p->group_gradient == NULL)
	{
		solve_in_turn(p);
		measure_held(p, count, all, NULL);
	}
	else
	{
		first_steps(p);
		if (p->rows * (p->rare > 0 ? 2 * p->rare : 1) < SURE_ROWS && !p->scans)
			converge(p, all, count);
		else
			measure_held(p, count, all, NULL);
	}
	env->release(all);
}
