/*-------------------------------------------------------------------------
 * glm_path.c
 *		The solutions at many lambdas, in few passes over the rows.
 *
 * Few rows: one solve after the other, each from the one before (Friedman,
 * Hastie and Tibshirani 2010). Many rows: that on a sample (every k-th tile)
 * only. What the sample's gradient lacks is a smooth function of the
 * parameters, and so of the place on the path: it is found, with its
 * derivative, at some points, the anchors,
 *
 *		D(theta) = g_all(theta) - g_sample(theta),   D' = H_all - H_sample,
 *
 * and blended between them from both sides. One step of the proximal Newton
 * method with that gradient and the anchors' Hessians, blended too, leaves an
 * error some hundred times smaller than the sample's; samples grow this way in
 * one or two stages until they are all rows. There the gradients at all points
 * are measured in one pass, with the parts of each group, and a step is taken.
 *
 * The error left by a step falls by a constant factor each time, which is the
 * error of the Hessians used. That factor is seen at every point; the last step
 * is not measured when several times the worst of them leaves less than the
 * tolerance. What does not come down like that is solved point by point.
 */
#include "math/glm_path.h"

#include <math.h>
#include <string.h>

#define SAMPLE_TILES 128 /* of the first sample, at least */
#define SAMPLE_RARE 300  /* rows of the rarer class in it, at least */
#define FEW_STRIDE 3     /* a sample that is not smaller than this is not taken */
#define GROWTH 12.0      /* of the sample, a stage, at most */
#define ANCHORS 13
#define ANCHOR_BYTES ((size_t) 64 << 20)
#define ROUNDS 6
#define CAUTION 5.0   /* times the factor seen */
#define SLOW_RATE 0.3 /* a worse factor: point by point */
#define MODEL_TOLERANCE 1e-8
/* glmnet's: the path ends when the deviance ratio gains less than this share of itself, or is
 * above that; not before the fifth point */
#define GAIN_LEAST 1e-5
#define RATIO_MOST 0.999
#define POINTS_LEAST 5

/* of |b_j| in the penalty, for lambda alpha = 1 */
static double
penalty_of(const DmpGlmProblem *p, int j)
{
	return p->penalty_scale[j] * (p->penalty_factor ? p->penalty_factor[j] : 1);
}

double *
dmp_path_doubles(const DmpPath *p, size_t n)
{
	double *x = p->problem.env->alloc(sizeof(double) * (n > 0 ? n : 1));

	memset(x, 0, sizeof(double) * n);
	return x;
}

typedef struct Caller
{
	const DmpPath *path;
	int skip, stride;
} Caller;

static void
call_eval(void *arg, const double *theta, const double *direction, int stride, DmpGlmSums *sums,
		  double *weight)
{
	const Caller *c = arg;

	c->path->eval(c->path->arg, c->skip, theta, direction, stride * c->stride, sums, weight);
}

static void
make_solution(const DmpPath *p, DmpGlmSolution *s)
{
	int n = p->problem.shape.nparams;

	memset(s, 0, sizeof(*s));
	s->theta = dmp_path_doubles(p, n);
	s->gradient = dmp_path_doubles(p, n);
	s->hessian = dmp_path_doubles(p, DMP_TRI(n));
	s->aliased = p->problem.env->alloc(n);
}

static void
free_solution(const DmpPath *p, DmpGlmSolution *s)
{
	p->problem.env->release(s->theta);
	p->problem.env->release(s->gradient);
	p->problem.env->release(s->hessian);
	p->problem.env->release(s->aliased);
}

/* one solve from s->theta */
static void
solve_one(const DmpPath *p, const DmpGlmProblem *like, int skip, int stride, double lambda,
		  double tolerance, DmpGlmSolution *s)
{
	Caller caller = {p, skip, stride};
	DmpGlmProblem problem = *like;

	problem.lambda = lambda;
	problem.tolerance = tolerance;
	problem.max_stride = 1;
	problem.expensive = 0;
	problem.eval = call_eval;
	problem.arg = &caller;
	if (p->null_theta && skip < 0 && stride == 1)
	{
		problem.fallback = p->null_theta;
		problem.fallback_objective = p->null_loss;
	}
	dmp_glm_solve(&problem, s);
}

void
dmp_path_solve_point(const DmpPath *p, int skip, double lambda, double tolerance, double *theta,
					 double *loss, double *kkt)
{
	DmpGlmSolution s;
	int n = p->problem.shape.nparams;

	make_solution(p, &s);
	memcpy(s.theta, theta, sizeof(double) * n);
	if (skip < 0)
		solve_one(p, &p->problem, skip, 1, lambda, tolerance, &s);
	else
		solve_one(p, &p->without[skip], skip, 1, lambda * p->without[skip].lambda, tolerance, &s);
	memcpy(theta, s.theta, sizeof(double) * n);
	if (loss)
		*loss = s.loss;
	if (kkt)
		*kkt = s.kkt_residual;
	free_solution(p, &s);
}

void
dmp_path_solve_chosen(const DmpPath *p, double lambda, DmpGlmSolution *s)
{
	Caller caller = {p, -1, 1};
	DmpGlmProblem problem = p->problem;

	problem.lambda = lambda;
	problem.max_stride = 1;
	/* from close by: each pass with Hessian, the last step bounded where that is enough */
	problem.expensive = 1;
	problem.eval = call_eval;
	problem.arg = &caller;
	problem.fallback = p->null_theta;
	problem.fallback_objective = p->null_loss;
	dmp_glm_solve(&problem, s);
}

/* ------------------------------------------------------- where it begins */

void
dmp_path_null(DmpPath *p, const double *start)
{
	const DmpGlmProblem *like = &p->problem;
	int n = like->shape.nparams, j;
	DmpGlmProblem problem = *like;
	unsigned char *fixed = like->env->alloc(n);
	int unpenalised = 0;
	DmpGlmSolution s;

	make_solution(p, &s);
	memcpy(s.theta, start, sizeof(double) * n);
	memset(fixed, 1, n);
	fixed[0] = like->fixed[0];
	problem.fixed = fixed;
	problem.reach = NULL;
	problem.lower = problem.upper = NULL;
	solve_one(p, &problem, -1, 1, 0, 1e-10, &s);
	p->null_loss = s.loss;
	for (j = 1; j < n; j++)
		if (!like->fixed[j] && !(penalty_of(like, j) > 0))
		{
			fixed[j] = 0;
			unpenalised = 1;
		}
	if (unpenalised)
		solve_one(p, &problem, -1, 1, 0, 1e-10, &s);
	p->null_theta_loss = s.loss;
	p->null_theta = dmp_path_doubles(p, n);
	memcpy(p->null_theta, s.theta, sizeof(double) * n);
	p->lambda_max = 0;
	for (j = 1; j < n; j++)
	{
		double g = s.gradient[j] - (like->fixed[0] ? 0 : like->mean[j] * s.gradient[0]);
		double f = penalty_of(like, j);

		/* a coefficient that may not go where the gradient points stays at 0 */
		if (like->lower && (g < 0 ? like->upper[j] == 0 : like->lower[j] == 0))
			g = 0;
		g = fabs(g);

		if (!like->fixed[j] && f > 0)
			p->lambda_max = fmax(p->lambda_max, g / (f * fmax(like->alpha, DMP_PATH_ALPHA)));
	}
	like->env->release(fixed);
	free_solution(p, &s);
}

void
dmp_path_lambdas(DmpPath *p)
{
	int free_params = 0, j, k;
	double least;

	for (j = 1; j < p->problem.shape.nparams; j++)
		free_params += !p->problem.fixed[j];
	least = p->rows > free_params ? 1e-4 : 1e-2;
	for (k = 0; k < p->n; k++)
		p->lambda[k] = p->n == 1 ? p->lambda_max : p->lambda_max * pow(least, k / (p->n - 1.0));
}

/* whether the path may end with point k, loss being those of points so far */
static int
is_end(const DmpPath *p, const double *loss, int k, double gain)
{
	double range = p->null_loss - p->saturated, now, before;

	if (!p->automatic || k + 1 < POINTS_LEAST || !(range > 0))
		return 0;
	now = (p->null_loss - loss[k]) / range;
	before = (p->null_loss - loss[k - 1]) / range;
	return now > RATIO_MOST || now - before < gain * now;
}

/* ------------------------------------------------------ point after point */

static void
solve_in_turn(DmpPath *p, int stride, double tolerance, double gain)
{
	int n = p->problem.shape.nparams, k;
	DmpGlmSolution s;

	make_solution(p, &s);
	memcpy(s.theta, p->null_theta, sizeof(double) * n);
	for (k = 0; k < p->n; k++)
	{
		solve_one(p, &p->problem, -1, stride, p->lambda[k], tolerance, &s);
		memcpy(p->theta + (size_t) k * n, s.theta, sizeof(double) * n);
		memcpy(p->gradient + (size_t) k * n, s.gradient, sizeof(double) * n);
		p->loss[k] = s.loss;
		p->kkt[k] = s.kkt_residual;
		if (is_end(p, p->loss, k, gain))
			p->n = k + 1;
	}
	free_solution(p, &s);
}

/* ------------------------------------------------------------ all at once */

static void
choose_anchors(DmpPath *p)
{
	size_t bytes = sizeof(double) * DMP_TRI(p->problem.shape.nparams);
	int most = ANCHORS, a;

	if (bytes * 3 * most > ANCHOR_BYTES)
		most = (int) (ANCHOR_BYTES / (3 * bytes));
	if (most < 2)
		most = 2;
	p->nanchors = p->n < most ? p->n : most;
	p->anchor = p->problem.env->alloc(sizeof(int) * p->nanchors);
	for (a = 0; a < p->nanchors; a++)
		p->anchor[a] =
			p->nanchors == 1 ? 0 : (int) ((double) a * (p->n - 1) / (p->nanchors - 1) + 0.5);
	p->hessian = dmp_path_doubles(p, p->nanchors * DMP_TRI(p->problem.shape.nparams));
}

/* the anchor before point k, and how far k is on the way to the next one */
static int
anchor_before(const DmpPath *p, int k, double *share)
{
	int a = 0;

	while (a + 2 < p->nanchors && p->anchor[a + 1] <= k)
		a++;
	*share = 0;
	if (p->nanchors > 1)
		*share = log(p->lambda[p->anchor[a]] / p->lambda[k]) /
				 log(p->lambda[p->anchor[a]] / p->lambda[p->anchor[a + 1]]);
	return a;
}

/* mean Hessian at point k */
void
dmp_path_hessian(const DmpPath *p, int k, double *hessian)
{
	size_t size = DMP_TRI(p->problem.shape.nparams), e;
	double t;
	int a = anchor_before(p, k, &t);
	const double *x = p->hessian + a * size, *y = p->nanchors > 1 ? x + size : x;

	for (e = 0; e < size; e++)
		hessian[e] = (1 - t) * x[e] + t * y[e];
}

/* sums of one group after the other at some points, into sums of all rows: means */
static double
total_weight(const DmpPath *p, const double *weight)
{
	double sum = 0;
	int g;

	for (g = 0; g < p->ngroups; g++)
		sum += weight[g];
	return sum > 0 ? sum : 1;
}

/*
 * A pass at points which[0 .. count-1] (NULL: all); mean gradient and loss go
 * to the points' places in gradient and loss, mean Hessians of the anchors to
 * hessian when not NULL (which then holds the anchors, or everything). When
 * keep is set the groups' sums stay in the path.
 */
static void
measure(DmpPath *p, int stride, int count, const int *which, double *gradient, double *loss,
		double *hessian, int keep)
{
	const DmpMathEnv *env = p->problem.env;
	int n = p->problem.shape.nparams, i, g, j;
	size_t size = DMP_TRI(n), e;
	const double **theta = env->alloc(sizeof(double *) * count);
	int *hessian_of = env->alloc(sizeof(int) * (p->nanchors + 1));
	DmpPathPass pass;
	double weight;

	memset(&pass, 0, sizeof(pass));
	pass.stride = stride;
	pass.npoints = count;
	pass.theta = theta;
	for (i = 0; i < count; i++)
		theta[i] = p->theta + (size_t) (which ? which[i] : i) * n;
	pass.loss = dmp_path_doubles(p, (size_t) p->ngroups * count);
	pass.gradient = dmp_path_doubles(p, (size_t) p->ngroups * count * n);
	pass.weight = dmp_path_doubles(p, p->ngroups);
	if (hessian)
	{
		pass.nhessians = p->nanchors;
		for (i = 0; i < p->nanchors; i++)
			hessian_of[i] = which ? i : p->anchor[i];
		pass.hessian_of = hessian_of;
		pass.hessian = hessian;
		memset(hessian, 0, sizeof(double) * p->nanchors * size);
	}
	p->pass(p->arg, &pass);
	weight = total_weight(p, pass.weight);
	for (i = 0; i < count; i++)
	{
		int k = which ? which[i] : i;
		double *to = gradient + (size_t) k * n;

		memset(to, 0, sizeof(double) * n);
		loss[k] = 0;
		for (g = 0; g < p->ngroups; g++)
		{
			const double *from = pass.gradient + ((size_t) g * count + i) * n;

			for (j = 0; j < n; j++)
				to[j] += from[j] / weight;
			loss[k] += pass.loss[(size_t) g * count + i] / weight;
			if (keep)
				memcpy(p->group_gradient + ((size_t) g * p->room + k) * n, from,
					   sizeof(double) * n);
		}
		if (keep)
			memcpy(p->at + (size_t) k * n, theta[i], sizeof(double) * n);
	}
	if (keep)
		memcpy(p->weight, pass.weight, sizeof(double) * p->ngroups);
	if (hessian)
		for (e = 0; e < p->nanchors * size; e++)
			hessian[e] /= weight;
	if (stride == 1)
		p->passes++;
	env->release(theta);
	env->release(hessian_of);
	env->release(pass.loss);
	env->release(pass.gradient);
	env->release(pass.weight);
}

void
dmp_path_measure_sample(DmpPath *p, int stride)
{
	if (p->anchor == NULL)
		choose_anchors(p);
	measure(p, stride, p->n, NULL, p->gradient, p->loss, p->hessian, 0);
}

void
dmp_path_measure_groups(DmpPath *p)
{
	int n = p->problem.shape.nparams;
	double *g = dmp_path_doubles(p, (size_t) p->n * n), *loss = dmp_path_doubles(p, p->n);

	if (p->anchor == NULL)
		choose_anchors(p);
	measure(p, 1, p->n, NULL, g, loss, p->hessian, 1);
	p->problem.env->release(g);
	p->problem.env->release(loss);
}

/* theta of point k to the model's minimum; the gradient and the loss follow */
static void
step(DmpPath *p, int k, const double *hessian, double *work, unsigned char *aliased)
{
	int n = p->problem.shape.nparams, j;
	double *theta = p->theta + (size_t) k * n, *g = p->gradient + (size_t) k * n;
	double *next = work, *change = work + n;
	DmpGlmProblem problem = p->problem;

	problem.lambda = p->lambda[k];
	problem.tolerance = MODEL_TOLERANCE;
	dmp_glm_model_min(&problem, theta, g, hessian, 0, next, aliased);
	for (j = 0; j < n; j++)
		theta[j] = next[j] - theta[j];
	dmp_symmetric_multiply(n, hessian, theta, change);
	p->loss[k] += dmp_dot(n, g, theta) + dmp_dot(n, change, theta) / 2;
	for (j = 0; j < n; j++)
		g[j] += change[j];
	memcpy(theta, next, sizeof(double) * n);
}

static double
residual(const DmpPath *p, int k)
{
	int n = p->problem.shape.nparams;
	DmpGlmProblem problem = p->problem;

	problem.lambda = p->lambda[k];
	return dmp_glm_kkt(&problem, p->theta + (size_t) k * n, p->gradient + (size_t) k * n, NULL);
}

/*
 * From solutions of a sample (theta, their gradients and the anchors' Hessians
 * there) to those of a larger one, to first order. before: what residual the
 * steps had to remove.
 */
static void
correct(DmpPath *p, int stride, double *before)
{
	const DmpMathEnv *env = p->problem.env;
	int n = p->problem.shape.nparams, na = p->nanchors, k, j, side, a;
	size_t size = DMP_TRI(n), e;
	double *fresh = dmp_path_doubles(p, na * size);
	double *lack = dmp_path_doubles(p, (size_t) p->n * n);
	double *loss = dmp_path_doubles(p, p->n);
	double *anchor_theta = dmp_path_doubles(p, (size_t) na * n);
	double *h = dmp_path_doubles(p, size), *work = dmp_path_doubles(p, 3 * (size_t) n);
	unsigned char *aliased = env->alloc(n);

	/* the gradients at the anchors replace, for now, nothing but lack */
	measure(p, stride, na, p->anchor, lack, loss, fresh, 0);
	for (a = 0; a < na; a++)
	{
		double *x = lack + (size_t) p->anchor[a] * n;

		dmp_axpy(n, -1, p->gradient + (size_t) p->anchor[a] * n, x);
		memcpy(anchor_theta + (size_t) a * n, p->theta + (size_t) p->anchor[a] * n,
			   sizeof(double) * n);
	}
	/* hessian: now what it lacks */
	for (e = 0; e < na * size; e++)
		p->hessian[e] = fresh[e] - p->hessian[e];
	for (k = 0; k < p->n; k++)
	{
		double *theta = p->theta + (size_t) k * n, *g = p->gradient + (size_t) k * n, t;

		env->check();
		a = anchor_before(p, k, &t);
		for (side = 0; side < 2 && a + side < na; side++)
		{
			double share = na == 1 ? 1 : side ? t : 1 - t;

			for (j = 0; j < n; j++)
				work[j] = theta[j] - anchor_theta[(size_t) (a + side) * n + j];
			dmp_symmetric_multiply(n, p->hessian + (a + side) * size, work, work + n);
			dmp_axpy(n, share, work + n, g);
			dmp_axpy(n, share, lack + (size_t) p->anchor[a + side] * n, g);
		}
	}
	memcpy(p->hessian, fresh, sizeof(double) * na * size);
	for (k = 0; k < p->n; k++)
	{
		env->check();
		before[k] = residual(p, k);
		dmp_path_hessian(p, k, h);
		step(p, k, h, work, aliased);
	}
	env->release(fresh);
	env->release(lack);
	env->release(loss);
	env->release(anchor_theta);
	env->release(h);
	env->release(work);
	env->release(aliased);
}

/* rounds of a pass and a step at the points that are not there yet; how many are left in todo */
static int
converge(DmpPath *p, double *before, int *todo)
{
	const DmpMathEnv *env = p->problem.env;
	int n = p->problem.shape.nparams, left = p->n, round, i;
	double *h = dmp_path_doubles(p, DMP_TRI(n)), *work = dmp_path_doubles(p, 2 * (size_t) n);
	unsigned char *aliased = env->alloc(n);

	for (i = 0; i < left; i++)
		todo[i] = i;
	for (round = 0; round < ROUNDS && left > 0; round++)
	{
		double rate = 1e-3;
		int kept = 0;

		measure(p, 1, left, todo, p->gradient, p->loss, NULL, 1);
		for (i = 0; i < left; i++)
		{
			double r = p->kkt[todo[i]] = residual(p, todo[i]);

			if (!(r <= 0.1 * DMP_PATH_TOLERANCE) && !(r / before[todo[i]] <= rate))
				rate = fmin(r / before[todo[i]], 1);
		}
		for (i = 0; i < left; i++)
		{
			int k = todo[i];
			double r = p->kkt[k], expected = CAUTION * rate * r;

			env->check();
			before[k] = r;
			if (rate < SLOW_RATE)
			{
				dmp_path_hessian(p, k, h);
				step(p, k, h, work, aliased);
				p->kkt[k] = fmin(r, expected);
			}
			if (!(fmin(r, expected) <= DMP_PATH_TOLERANCE))
				todo[kept++] = k;
		}
		left = kept;
		if (!(rate < SLOW_RATE))
			break;
	}
	env->release(h);
	env->release(work);
	env->release(aliased);
	return left;
}

void
dmp_path_finish(DmpPath *p)
{
	const DmpMathEnv *env = p->problem.env;
	int n = p->problem.shape.nparams, left, i, k;
	double *before = dmp_path_doubles(p, p->n);
	int *todo = env->alloc(sizeof(int) * (p->n + 1));

	correct(p, 1, before);
	left = converge(p, before, todo);
	for (i = 0; i < left; i++)
	{
		k = todo[i];
		memcpy(p->theta + (size_t) k * n, k > 0 ? p->theta + (size_t) (k - 1) * n : p->null_theta,
			   sizeof(double) * n);
		dmp_path_solve_point(p, -1, p->lambda[k], DMP_PATH_TOLERANCE / 10,
							 p->theta + (size_t) k * n, &p->loss[k], &p->kkt[k]);
	}
	if (left > 0)
	{
		double *g = dmp_path_doubles(p, (size_t) p->n * n), *loss = dmp_path_doubles(p, p->n);

		measure(p, 1, left, todo, g, loss, NULL, 1);
		env->release(g);
		env->release(loss);
	}
	if (p->automatic && !p->scans && p->problem.alpha >= DMP_PATH_ALPHA)
	{
		/* at lambda_max a coefficient stands on the brink: no rounding is to push it over */
		memcpy(p->theta, p->null_theta, sizeof(double) * n);
		p->loss[0] = p->null_theta_loss;
		p->kkt[0] = fmin(p->kkt[0], 1e-10);
	}
	for (k = 0; k < p->n; k++)
		if (is_end(p, p->loss, k, GAIN_LEAST))
			p->n = k + 1;
	env->release(before);
	env->release(todo);
}

/* stride of the first sample; 1: none is taken */
int
dmp_path_sample_stride(const DmpPath *p)
{
	double tiles = fmax(SAMPLE_TILES, p->problem.shape.nparams / 4.0);
	double stride;

	if (p->rare > 0)
		tiles = fmax(tiles, SAMPLE_RARE / p->rare / DMP_TILE);
	stride = p->ntiles / tiles;
	return stride < FEW_STRIDE ? 1 : (int) stride;
}

void
dmp_path_solve(DmpPath *p)
{
	int n = p->problem.shape.nparams, stride = dmp_path_sample_stride(p), stages;
	size_t points = (size_t) p->n * n;
	double *before, growth;

	p->room = p->n;
	p->theta = dmp_path_doubles(p, points);
	p->gradient = dmp_path_doubles(p, points);
	p->loss = dmp_path_doubles(p, p->n);
	p->kkt = dmp_path_doubles(p, p->n);
	if (stride == 1)
	{
		solve_in_turn(p, 1, fmin(p->problem.tolerance, 1e-8), GAIN_LEAST);
		return;
	}
	/* the sample's own gain is a little off: what it goes on too far is cut at the end */
	solve_in_turn(p, stride, 1e-7, GAIN_LEAST / 2);
	p->at = dmp_path_doubles(p, points);
	p->group_gradient = dmp_path_doubles(p, points * p->ngroups);
	p->weight = dmp_path_doubles(p, p->ngroups);
	before = dmp_path_doubles(p, p->n);
	stages = (int) ceil(log(stride) / log(GROWTH));
	growth = pow(stride, 1.0 / (stages > 0 ? stages : 1));
	for (; stages > 0; stages--)
	{
		dmp_path_measure_sample(p, stride);
		if (stages == 1)
			dmp_path_finish(p);
		else
		{
			stride = (int) fmax(1, stride / growth);
			correct(p, stride, before);
		}
	}
	p->problem.env->release(before);
}
