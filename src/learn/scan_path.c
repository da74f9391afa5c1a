/*-------------------------------------------------------------------------
 * scan_path.c
 *		Several lambdas and folds from rows in memory, all of them or a sample.
 *
 * Folds are stores of their own, so that a tile is of one fold and what a pass
 * sums over it belongs to that fold. The order of work: the null model and
 * lambda_max, the path (math/glm_path.c), the fits without each fold
 * (math/glm_folds.c), the choice of a lambda, and its fit to the tolerance.
 */
#include "learn/scan_path.h"

#include <math.h>

#include "math/metrics.h"

static void *
aligned(Size size)
{
	return (void *) TYPEALIGN(64, palloc(size + 64));
}

static double *
doubles0(Size n)
{
	double *x = MemoryContextAllocHuge(CurrentMemoryContext, sizeof(double) * Max(n, 1));

	memset(x, 0, sizeof(double) * n);
	return x;
}

/* ---------------------------------------------------------------- passes */

double
dmp_tile_weight(const DmpGlmTile *tile)
{
	double sum = 0;
	int i;

	if (tile->weight == NULL)
		return tile->n;
	for (i = 0; i < tile->n; i++)
		sum += tile->weight[i];
	return sum;
}

void
dmp_each_tile(const PathRows *rows, const DmpStore *store, int stride,
			  void (*fn)(void *arg, const DmpGlmTile *tile), void *arg)
{
	int64 t = 0;
	int c, at;

	for (c = 0; c < store->nchunks; c++)
	{
		for (at = (int) ((stride - t % stride) % stride); at < store->chunks[c].used; at += stride)
		{
			DmpGlmTile tile;

			CHECK_FOR_INTERRUPTS();
			dmp_store_tile(store, &rows->shape, c, at, &tile);
			fn(arg, &tile);
		}
		t += store->chunks[c].used;
	}
}

typedef struct EvalArg
{
	const PathRows *rows;
	const double *theta, *direction;
	DmpGlmSums *sums;
	double *weight;
} EvalArg;

static void
eval_tile(void *arg, const DmpGlmTile *tile)
{
	EvalArg *e = arg;

	dmp_glm_tile(&e->rows->shape, tile, e->theta, e->direction, e->sums, NULL, e->rows->scratch);
	*e->weight += dmp_tile_weight(tile);
}

static void
eval_rows(void *arg, int skip, const double *theta, const double *direction, int stride,
		  DmpGlmSums *sums, double *weight)
{
	PathRows *rows = arg;
	EvalArg e = {rows, theta, direction, sums, weight};
	int g;

	for (g = 0; g < rows->nstores; g++)
		if (g != skip)
			dmp_each_tile(rows, rows->stores[g], stride, eval_tile, &e);
}

/* a pass over one group: points whose gradients are wanted, points whose loss alone is */
typedef struct PassArg
{
	const PathRows *rows;
	int nfull, nloss, nhessians;
	const double **full_theta, **loss_theta, **hessian_theta;
	double *full_loss, *loss;
	double **gradient;
	DmpGlmSums *hessians;
	double weight;
} PassArg;

static void
pass_tile(void *arg, const DmpGlmTile *tile)
{
	PassArg *p = arg;
	const PathRows *rows = p->rows;
	int i;

	dmp_glm_tile_many(&rows->shape, tile, p->nfull, p->full_theta, p->full_loss, p->gradient,
					  rows->many_scratch);
	dmp_glm_tile_many(&rows->shape, tile, p->nloss, p->loss_theta, p->loss, NULL,
					  rows->many_scratch);
	for (i = 0; i < p->nhessians; i++)
		dmp_glm_tile(&rows->shape, tile, p->hessian_theta[i], NULL, &p->hessians[i], NULL,
					 rows->scratch);
	p->weight += dmp_tile_weight(tile);
}

static void
pass_rows(void *arg, DmpPathPass *pass)
{
	PathRows *rows = arg;
	int np = pass->npoints, n = rows->shape.nparams, g, i;
	PassArg p;
	int *full = palloc(sizeof(int) * (np + 1)), *loss = palloc(sizeof(int) * (np + 1));
	double *waste = doubles0(n);

	memset(&p, 0, sizeof(p));
	p.rows = rows;
	p.full_theta = palloc(sizeof(double *) * (np + 1));
	p.loss_theta = palloc(sizeof(double *) * (np + 1));
	p.full_loss = doubles0(np);
	p.loss = doubles0(np);
	p.gradient = palloc(sizeof(double *) * (np + 1));
	p.nhessians = pass->nhessians;
	p.hessian_theta = palloc(sizeof(double *) * (pass->nhessians + 1));
	p.hessians = palloc0(sizeof(DmpGlmSums) * (pass->nhessians + 1));
	for (i = 0; i < pass->nhessians; i++)
	{
		p.hessian_theta[i] = pass->theta[pass->hessian_of[i]];
		p.hessians[i].hessian = pass->hessian + i * DMP_TRI(n);
		p.hessians[i].gradient = waste;
	}
	for (g = 0; g < rows->nstores; g++)
	{
		p.nfull = p.nloss = 0;
		for (i = 0; i < np; i++)
		{
			Size at = pass->held ? (Size) i : (Size) g * np + i;

			if (pass->held && pass->held[i] == g)
			{
				p.loss_theta[p.nloss] = pass->theta[i];
				loss[p.nloss++] = i;
			}
			else if (pass->gradient || pass->want_loss)
			{
				p.full_theta[p.nfull] = pass->theta[i];
				p.gradient[p.nfull] = pass->gradient ? pass->gradient + at * n : waste;
				full[p.nfull++] = i;
			}
		}
		memset(p.full_loss, 0, sizeof(double) * np);
		memset(p.loss, 0, sizeof(double) * np);
		p.weight = 0;
		dmp_each_tile(rows, rows->stores[g], pass->stride, pass_tile, &p);
		for (i = 0; i < p.nfull; i++)
			pass->loss[pass->held ? (Size) full[i] : (Size) g * np + full[i]] += p.full_loss[i];
		for (i = 0; i < p.nloss; i++)
			pass->held_loss[loss[i]] += p.loss[i];
		pass->weight[g] += p.weight;
	}
	pfree(full);
	pfree(loss);
	pfree(waste);
	pfree(p.full_theta);
	pfree(p.loss_theta);
	pfree(p.full_loss);
	pfree(p.loss);
	pfree(p.gradient);
	pfree(p.hessian_theta);
	pfree(p.hessians);
}

/* ----------------------------------------------------------------- choice */

/*
 * glmnet's cvm and cvsd: the mean over folds of a fold's mean loss, by the
 * folds' weights, and its standard error.
 */
void
dmp_scan_path_summarise(DmpScanPath *out)
{
	double all = 0;
	int g, k;

	for (g = 0; g < out->nfolds; g++)
		all += out->fold_weight[g];
	out->best = 0;
	for (k = 0; k < out->n; k++)
	{
		double mean = 0, spread = 0;

		for (g = 0; g < out->nfolds; g++)
			mean += out->fold_weight[g] / all * out->fold_loss[(Size) g * out->n + k];
		for (g = 0; g < out->nfolds; g++)
		{
			double d = out->fold_loss[(Size) g * out->n + k] - mean;

			spread += out->fold_weight[g] / all * d * d;
		}
		out->cv_loss[k] = mean;
		out->cv_error[k] = sqrt(spread / (out->nfolds - 1));
		if (mean < out->cv_loss[out->best])
			out->best = k;
	}
	for (k = out->best; k >= 0; k--)
		if (out->cv_loss[k] <= out->cv_loss[out->best] + out->cv_error[out->best])
			out->one_se = k;
}

typedef struct LossArg
{
	const PathRows *rows;
	const double **theta;
	int n;
	double *loss, weight;
} LossArg;

static void
loss_tile(void *arg, const DmpGlmTile *tile)
{
	LossArg *l = arg;

	dmp_glm_tile_many(&l->rows->shape, tile, l->n, l->theta, l->loss, NULL, l->rows->many_scratch);
	l->weight += dmp_tile_weight(tile);
}

static void
test_losses(PathRows *rows, DmpScanPath *out)
{
	LossArg l = {rows, palloc(sizeof(double *) * out->n), out->n, doubles0(out->n), 0};
	int k;

	for (k = 0; k < out->n; k++)
		l.theta[k] = out->theta + (Size) k * out->nparams;
	if (rows->scan->test.rows > 0)
		dmp_each_tile(rows, &rows->scan->test, 1, loss_tile, &l);
	for (k = 0; k < out->n; k++)
		out->test_loss[k] = l.weight > 0 ? l.loss[k] / l.weight : NAN;
}

void
dmp_scan_path_choose(const DmpScanPlan *plan, DmpScanPath *out)
{
	int k;

	out->chosen = out->n - 1;
	if (out->nfolds > 0)
		out->chosen = plan->one_se ? out->one_se : out->best;
	else if (!isnan(out->test_loss[0]))
	{
		out->chosen = 0;
		for (k = 1; k < out->n; k++)
			if (out->test_loss[k] < out->test_loss[out->chosen])
				out->chosen = k;
	}
}

/* --------------------------------------------------------------- metrics */

typedef struct MarginArg
{
	const PathRows *rows;
	const double *theta;
	double *margin, *weight; /* weight NULL: 1 */
	unsigned char *label;
	Size n;
	double loss, total;
} MarginArg;

static void
margin_tile(void *arg, const DmpGlmTile *tile)
{
	MarginArg *m = arg;
	int i;

	dmp_glm_tile(&m->rows->shape, tile, m->theta, NULL, NULL, m->margin + m->n, m->rows->scratch);
	memcpy(m->label + m->n, tile->label, tile->n);
	if (m->weight)
		memcpy(m->weight + m->n, tile->weight, sizeof(double) * tile->n);
	for (i = 0; i < tile->n; i++)
	{
		double w = tile->weight ? tile->weight[i] : 1;

		m->loss += w * dmp_log_loss_margin(m->margin[m->n + i], tile->label[i]);
		m->total += w;
	}
	m->n += tile->n;
}

/* exact, over stores each with its own theta (n doubles apart, or all the same: 0) */
static double
area(const PathRows *rows, DmpStore **stores, int nstores, const double *theta, Size apart,
	 double *log_loss)
{
	Size n = DMP_TILE;
	MarginArg m = {rows};
	DmpRankMetrics metrics;
	int g;

	for (g = 0; g < nstores; g++)
		n += stores[g]->rows;
	m.margin = doubles0(n);
	m.weight = rows->scan->plan->has_weight ? doubles0(n) : NULL;
	m.label = MemoryContextAllocHuge(CurrentMemoryContext, n);
	for (g = 0; g < nstores; g++)
	{
		m.theta = theta + g * apart;
		dmp_each_tile(rows, stores[g], 1, margin_tile, &m);
	}
	dmp_rank_metrics(m.n, m.margin, m.label, m.weight, &dmp_server_env, &metrics);
	if (log_loss)
		*log_loss = m.total > 0 ? m.loss / m.total : NAN;
	pfree(m.margin);
	pfree(m.label);
	if (m.weight)
		pfree(m.weight);
	return metrics.roc_auc;
}

typedef struct ErrorsArg
{
	const PathRows *rows;
	const double *theta;
	DmpErrorSums *errors;
} ErrorsArg;

static void
errors_tile(void *arg, const DmpGlmTile *tile)
{
	ErrorsArg *e = arg;
	double margins[DMP_TILE];

	dmp_glm_tile(&e->rows->shape, tile, e->theta, NULL, NULL, margins, e->rows->scratch);
	dmp_errors_tile(e->errors, e->rows->shape.family, tile, margins);
}

static void
add_errors(const PathRows *rows, DmpStore **stores, int nstores, const double *theta,
		   DmpErrorSums *errors)
{
	ErrorsArg e = {rows, theta, errors};
	int g;

	for (g = 0; g < nstores; g++)
		dmp_each_tile(rows, stores[g], 1, errors_tile, &e);
}

/* what the fit of the chosen lambda is judged by */
static void
judge(PathRows *rows, const DmpPath *path, const double *theta, DmpScanSolution *out)
{
	DmpStore *test = &rows->scan->test;

	out->roc_auc = out->test_roc_auc = out->test_log_loss = NAN;
	if (rows->shape.family != DMP_BINOMIAL)
	{
		add_errors(rows, rows->stores, rows->nstores, theta, &out->errors[0]);
		add_errors(rows, &test, 1, theta, &out->errors[1]);
		return;
	}
	out->roc_auc = area(rows, rows->stores, rows->nstores, theta, 0, NULL);
	if (test->rows > 0)
		out->test_roc_auc = area(rows, &test, 1, theta, 0, &out->test_log_loss);
	if (out->path->nfolds > 0)
		out->path->cv_roc_auc =
			area(rows, rows->stores, rows->nstores,
				 path->held_theta + (Size) out->path->chosen * out->path->nparams,
				 (Size) path->n * out->path->nparams, NULL);
}

typedef struct SaturatedArg
{
	double sum, weight;
} SaturatedArg;

static void
saturated_tile(void *arg, const DmpGlmTile *tile)
{
	SaturatedArg *s = arg;
	int i;

	for (i = 0; i < tile->n; i++)
	{
		double y = tile->target[i];

		s->sum += (tile->weight ? tile->weight[i] : 1) * (y > 0 ? y - y * log(y) : 0);
	}
	s->weight += dmp_tile_weight(tile);
}

/* mean loss of a fit that is exact at every row; 0 but for poisson */
static double
saturated(const PathRows *rows, DmpStore **stores, int nstores)
{
	SaturatedArg s = {0, 0};
	int g;

	if (rows->shape.family != DMP_POISSON)
		return 0;
	for (g = 0; g < nstores; g++)
		dmp_each_tile(rows, stores[g], 1, saturated_tile, &s);
	return s.weight > 0 ? s.sum / s.weight : 0;
}

/* losses are told as half the mean deviance from here on */
static void
take_off_saturated(PathRows *rows, DmpScanPath *out)
{
	DmpStore *test = &rows->scan->test;
	double test_saturated = saturated(rows, &test, 1);
	int g, k;

	for (k = 0; k < out->n; k++)
	{
		out->loss[k] -= out->saturated;
		out->test_loss[k] -= test_saturated;
	}
	out->null_loss -= out->saturated;
	out->saturated = 0;
	for (g = 0; g < out->nfolds; g++)
	{
		double x = saturated(rows, &rows->stores[g], 1);

		for (k = 0; k < out->n; k++)
			out->fold_loss[(Size) g * out->n + k] -= x;
	}
}

/* -------------------------------------------------------------- the whole */

static void
make_path(PathRows *rows, DmpPath *path)
{
	DmpScan *scan = rows->scan;
	const DmpScanPlan *plan = scan->plan;
	double p = scan->stats.weight_positive / scan->stats.weight;
	double *start;
	int g, k;

	memset(path, 0, sizeof(*path));
	dmp_layout_problem(plan, &plan->layout, &path->problem);
	path->ngroups = rows->nstores;
	path->rows = scan->stats.rows;
	if (plan->family != DMP_GAUSSIAN)
		path->rare = plan->family == DMP_POISSON ? Min(p, 1) : Min(p, 1 - p);
	for (g = 0; g < rows->nstores; g++)
		path->ntiles += rows->stores[g]->ntiles;
	path->pass = pass_rows;
	path->eval = eval_rows;
	path->arg = rows;
	path->n = plan->nlambdas;
	path->automatic = plan->automatic;
	path->lambda = doubles0(path->n);
	/* where the solver's lambda is not the one that is told (glmnet's gaussian family) */
	path->unit = plan->lambda > 0 ? path->problem.lambda / plan->lambda : 1;
	start = doubles0(path->problem.shape.nparams);
	start[0] = dmp_null_start(plan, &scan->stats);
	dmp_path_null(path, start);
	path->lambda_max *=
		Max(path->problem.alpha, DMP_PATH_ALPHA) / Max(plan->alpha, DMP_PATH_ALPHA) * path->unit;
	/* rows that are a sample: the statistics are of all */
	if (scan->keep > 1 && plan->alpha > 0 && !isnan(plan->layout.lambda_max))
		path->lambda_max =
			plan->layout.lambda_max * plan->alpha / Max(plan->alpha, DMP_PATH_ALPHA) * path->unit;
	path->saturated = saturated(rows, rows->stores, rows->nstores);
	if (plan->automatic)
		dmp_path_lambdas(path);
	else
		for (k = 0; k < path->n; k++)
			path->lambda[k] = plan->lambdas[k] * path->unit;
}

/* one lambda is given: its fit is the path */
static void
path_of_one(DmpPath *path, const DmpGlmSolution *s)
{
	int n = path->problem.shape.nparams;

	path->room = 1;
	path->theta = doubles0(n);
	memcpy(path->theta, s->theta, sizeof(double) * n);
	path->gradient = doubles0(n);
	path->loss = doubles0(1);
	path->loss[0] = s->loss;
	path->kkt = doubles0(1);
	path->kkt[0] = s->kkt_residual;
	if (dmp_path_sample_stride(path) > 1)
	{
		path->at = doubles0(n);
		path->group_gradient = doubles0((Size) n * path->ngroups);
		path->weight = doubles0(path->ngroups);
		dmp_path_measure_groups(path);
	}
}

static void
solve_chosen(DmpPath *path, double lambda, const double *theta, DmpGlmSolution *s)
{
	int n = path->problem.shape.nparams;

	memset(s, 0, sizeof(*s));
	s->theta = doubles0(n);
	memcpy(s->theta, theta, sizeof(double) * n);
	s->at = doubles0(n);
	s->gradient = doubles0(n);
	s->hessian = doubles0(DMP_TRI(n));
	s->aliased = palloc0(n);
	dmp_path_solve_chosen(path, lambda, s);
}

DmpScanPath *
dmp_scan_path_new(const DmpScanPlan *plan, const DmpPath *path)
{
	DmpScanPath *out = palloc0(sizeof(DmpScanPath));
	int n = path->n, k;

	out->n = n;
	out->nparams = path->problem.shape.nparams;
	out->nfolds = plan->nfolds;
	out->best = out->one_se = -1;
	out->lambda = path->lambda;
	out->theta = path->theta;
	out->loss = path->loss;
	out->kkt = path->kkt;
	out->test_loss = doubles0(n);
	out->cv_loss = doubles0(n);
	out->cv_error = doubles0(n);
	for (k = 0; k < n; k++)
		out->cv_loss[k] = out->cv_error[k] = NAN;
	out->cv_roc_auc = NAN;
	out->null_loss = path->null_loss;
	out->saturated = path->saturated;
	out->lambda_max = path->lambda_max;
	return out;
}

/* the rows are a sample: what the scans over all of them start from */
static DmpScanSolution *
hand_on(DmpScan *scan, DmpPath *path, const DmpScanPath *folds)
{
	const DmpScanPlan *plan = scan->plan;
	DmpScanSolution *out = palloc0(sizeof(DmpScanSolution));
	int n = path->problem.shape.nparams, k;
	DmpScanPath *result;

	/* the path may have ended early: other anchors */
	path->anchor = NULL;
	dmp_path_measure_sample(path, 1);
	result = out->path = dmp_scan_path_new(plan, path);
	result->nfolds = 0;
	result->sampled = true;
	result->gradient = path->gradient;
	result->nanchors = path->nanchors;
	result->anchor = path->anchor;
	result->hessian = path->hessian;
	result->null_theta = path->null_theta;
	result->nfolds = plan->nfolds;
	if (plan->nfolds > 0)
	{
		result->fold_rows = folds->fold_rows;
		result->fold_positive = folds->fold_positive;
		result->fold_weight = folds->fold_weight;
		result->fold_loss = doubles0((Size) path->n * plan->nfolds);
	}
	for (k = 0; k < plan->nfolds; k++)
	{
		result->fold_rows[k] *= scan->keep;
		result->fold_positive[k] *= scan->keep;
	}
	for (k = 0; k < path->n; k++)
		result->lambda[k] /= path->unit;
	result->lambda_max /= path->unit;
	out->theta = doubles0(n);
	out->gradient = doubles0(n);
	out->hessian = doubles0(DMP_TRI(n));
	out->aliased = palloc0(n);
	out->separated_param = -1;
	out->memory = scan->peak;
	return out;
}

/* NULL when there is nothing to fit */
DmpScanSolution *
dmp_scan_path(DmpScan *scan)
{
	DmpScanPlan *plan = scan->plan;
	DmpScanSolution *out;
	DmpScanPath *result, folds = {0};
	PathRows rows;
	DmpPath path;
	DmpGlmSolution s;
	int f, n, k;

	/* of another family after all: nothing will come of this */
	if (scan->stats.rows_odd > 0 || !dmp_scan_prepare(scan))
		return NULL;
	n = plan->layout.shape.nparams;
	rows.scan = scan;
	rows.nstores = Max(plan->nfolds, 1);
	rows.stores = palloc(sizeof(DmpStore *) * rows.nstores);
	rows.stores[0] = &scan->train;
	for (f = 0; f < plan->nfolds; f++)
		rows.stores[f] = &scan->folds[f];
	rows.shape = plan->layout.shape;
	rows.scratch = aligned(dmp_glm_scratch(&rows.shape));
	rows.many_scratch = aligned(dmp_glm_many_scratch(&rows.shape));
	for (f = 0; scan->keep > 1 && f < rows.nstores && rows.stores[f]->rows == 0; f++)
		;
	if (f == rows.nstores)
		ereport(ERROR, errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
				errmsg("dmp.training_memory is too small for a path"));
	make_path(&rows, &path);
	if (plan->nfolds > 0)
		dmp_path_folds(&rows, &path, &folds);
	if (path.n == 1)
	{
		solve_chosen(&path, path.lambda[0], path.null_theta, &s);
		path_of_one(&path, &s);
	}
	else
		dmp_path_solve(&path);
	if (scan->keep > 1)
		return hand_on(scan, &path, &folds);
	if (plan->nfolds > 0)
		dmp_path_cross_validate(&path);
	result = dmp_scan_path_new(plan, &path);
	result->fold_rows = folds.fold_rows;
	result->fold_positive = folds.fold_positive;
	result->fold_weight = folds.fold_weight;
	result->fold_loss = path.held_loss;
	test_losses(&rows, result);
	take_off_saturated(&rows, result);
	if (plan->nfolds > 0)
		dmp_scan_path_summarise(result);
	dmp_scan_path_choose(plan, result);
	if (path.n > 1)
		solve_chosen(&path, path.lambda[result->chosen], path.theta + (Size) result->chosen * n,
					 &s);
	memcpy(path.theta + (Size) result->chosen * n, s.theta, sizeof(double) * n);
	path.loss[result->chosen] = s.loss - path.saturated;
	path.kkt[result->chosen] = s.kkt_residual;

	out = palloc0(sizeof(DmpScanSolution));
	dmp_solution_take(out, &s);
	dmp_solution_gradient(out, &s, n);
	out->path = result;
	judge(&rows, &path, s.theta, out);
	for (k = 0; k < path.n; k++)
		result->lambda[k] /= path.unit;
	result->lambda_max /= path.unit;
	out->null_loss = path.null_loss;
	out->lambda_max = result->lambda_max;
	out->memory = scan->peak;
	return out;
}

/* ------------------------------------------------------------------ bytes */

void
dmp_scan_path_write(DmpBytes *b, const DmpScanPath *p)
{
	Size n = sizeof(double) * p->n;

	dmp_put_int(b, p->n);
	dmp_put_int(b, p->nfolds);
	dmp_put_int(b, p->nparams);
	dmp_put_int(b, p->chosen);
	dmp_put_int(b, p->best);
	dmp_put_int(b, p->one_se);
	dmp_put(b, p->lambda, n);
	dmp_put(b, p->theta, n * p->nparams);
	dmp_put(b, p->loss, n);
	dmp_put(b, p->kkt, n);
	dmp_put(b, p->test_loss, n);
	dmp_put(b, p->cv_loss, n);
	dmp_put(b, p->cv_error, n);
	dmp_put(b, p->fold_loss, n * p->nfolds);
	dmp_put(b, p->fold_weight, sizeof(double) * p->nfolds);
	dmp_put(b, p->fold_rows, sizeof(int64) * p->nfolds);
	dmp_put(b, p->fold_positive, sizeof(int64) * p->nfolds);
	dmp_put_double(b, p->cv_roc_auc);
	dmp_put_double(b, p->null_loss);
	dmp_put_double(b, p->saturated);
	dmp_put_double(b, p->lambda_max);
	dmp_put_int(b, p->sampled);
	if (p->sampled)
	{
		dmp_put(b, p->gradient, n * p->nparams);
		dmp_put_int(b, p->nanchors);
		dmp_put(b, p->anchor, sizeof(int) * p->nanchors);
		dmp_put(b, p->hessian, sizeof(double) * p->nanchors * DMP_TRI(p->nparams));
		dmp_put(b, p->null_theta, sizeof(double) * p->nparams);
	}
}

static int64 *
get_counts(DmpBytes *b, int n)
{
	int64 *x = palloc(sizeof(int64) * (n + 1));

	memcpy(x, dmp_get(b, sizeof(int64) * n), sizeof(int64) * n);
	return x;
}

DmpScanPath *
dmp_scan_path_read(DmpBytes *b)
{
	DmpScanPath *p = palloc0(sizeof(DmpScanPath));

	p->n = dmp_get_count(b, sizeof(double));
	p->nfolds = dmp_get_count(b, sizeof(double));
	p->nparams = dmp_get_count(b, sizeof(double));
	p->chosen = (int) dmp_get_int(b);
	p->best = (int) dmp_get_int(b);
	p->one_se = (int) dmp_get_int(b);
	if (p->n < 1 || p->chosen < 0 || p->chosen >= p->n || p->best < -1 || p->best >= p->n ||
		p->one_se < -1 || p->one_se >= p->n)
		ereport(ERROR, errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				errmsg("invalid state of a training scan"));
	p->lambda = dmp_get_doubles(b, p->n);
	p->theta = dmp_get_doubles(b, (Size) p->n * p->nparams);
	p->loss = dmp_get_doubles(b, p->n);
	p->kkt = dmp_get_doubles(b, p->n);
	p->test_loss = dmp_get_doubles(b, p->n);
	p->cv_loss = dmp_get_doubles(b, p->n);
	p->cv_error = dmp_get_doubles(b, p->n);
	p->fold_loss = dmp_get_doubles(b, (Size) p->n * p->nfolds);
	p->fold_weight = dmp_get_doubles(b, p->nfolds);
	p->fold_rows = get_counts(b, p->nfolds);
	p->fold_positive = get_counts(b, p->nfolds);
	p->cv_roc_auc = dmp_get_double(b);
	p->null_loss = dmp_get_double(b);
	p->saturated = dmp_get_double(b);
	p->lambda_max = dmp_get_double(b);
	p->sampled = dmp_get_int(b) != 0;
	if (p->sampled)
	{
		int i;

		p->gradient = dmp_get_doubles(b, (Size) p->n * p->nparams);
		p->nanchors = dmp_get_count(b, sizeof(int));
		p->anchor = palloc(sizeof(int) * (p->nanchors + 1));
		memcpy(p->anchor, dmp_get(b, sizeof(int) * p->nanchors), sizeof(int) * p->nanchors);
		for (i = 0; i < p->nanchors; i++)
			if (p->anchor[i] < 0 || p->anchor[i] >= p->n)
				ereport(ERROR, errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
						errmsg("invalid state of a training scan"));
		p->hessian = dmp_get_doubles(b, p->nanchors * DMP_TRI(p->nparams));
		p->null_theta = dmp_get_doubles(b, p->nparams);
	}
	return p;
}
