/*-------------------------------------------------------------------------
 * wide_path.c
 *		Several lambdas and folds over sparse rows.
 *
 * Lambdas fall, and each solve starts where the one before it ended, to the
 * accuracy of such fits (wide_fit.c). A fold is a store of its own: the fit
 * without it reads the others, and walks down the same lambdas from its own
 * null model, so that nothing of the rows left out is in where it starts. One
 * theta at a time is kept: a path needs no more memory than a fit.
 *
 * Dense columns, and a target of numbers where the penalty is told by its
 * deviation, are scaled by the rows that are left; levels, fill values, the
 * weights of grams and the scale of indicators are those of all rows.
 */
#include "learn/wide_fit.h"

#include <math.h>

#define PATH_LEAST 1e-4 /* the smallest lambda, of lambda_max */
/* glmnet's ends of a path */
#define POINTS_LEAST 5
#define GAIN_LEAST 1e-5
#define RATIO_MOST 0.999
#define NOTHING_LEFT 1e30 /* a lambda at which what it penalises is 0 */
/* residual of a point without hashed columns; only the fit of the chosen lambda goes on to the
 * tolerance */
#define POINT_TOLERANCE 1e-7

static double
point_tolerance(const DmpFitSpec *spec)
{
	return fmax(spec->tolerance, POINT_TOLERANCE);
}

static double *
doubles0(Size n)
{
	double *x = MemoryContextAllocHuge(CurrentMemoryContext, sizeof(double) * Max(n, 1));

	memset(x, 0, sizeof(double) * n);
	return x;
}

/* ------------------------------------------------------------------ losses */

/* mean loss of a fit that is exact at every row; 0 but for poisson */
static double
saturated(const DmpSparseProblem *problem, const DmpSparseRows *rows, double weight)
{
	double sum = 0;
	int i;

	if (problem->family != DMP_POISSON || problem->nclasses > 1)
		return 0;
	for (i = 0; i < rows->nchunks; i++)
	{
		size_t length;
		char *at = rows->load(rows->arg, i, &length);
		char *end = at + length;

		CHECK_FOR_INTERRUPTS();
		for (; at < end; at += DMP_SPARSE_ROW_SIZE(rows->ndense, ((DmpSparseRow *) at)->n))
		{
			double y = ((DmpSparseRow *) at)->value;

			sum += ((DmpSparseRow *) at)->weight * (y > 0 ? y - y * log(y) : 0);
		}
	}
	return sum / weight;
}

/* mean loss of other rows at theta, of a target of numbers half the mean deviance; NaN: no rows */
static double
mean_loss(const DmpSparseProblem *problem, const DmpSparseRows *rows, double weight,
		  const double *theta)
{
	DmpSparseProblem other = *problem;
	double loss;

	if (!(weight > 0))
		return NAN;
	other.rows = rows;
	other.weight_sum = weight;
	(void) dmp_sparse_value(&other, theta, NULL, &loss);
	if (problem->family == DMP_GAUSSIAN)
		return loss * problem->spread * problem->spread;
	return loss - saturated(problem, rows, weight);
}

void
dmp_wide_path_point(const DmpWideSolver *solver, const DmpSparseProblem *problem,
					DmpSparseResult found, DmpScanPath *path, int k)
{
	const DmpWideScan *scan = solver->scan;
	DmpWideRows stores = {(DmpWideStore *) &scan->test, 1, -1};
	DmpSparseRows test;
	Size n = dmp_sparse_size(problem);
	Size i;

	path->kkt[k] = found.kkt;
	path->loss[k] = mean_loss(problem, problem->rows, problem->weight_sum, solver->theta);
	dmp_wide_rows(&stores, scan->ndense, &test);
	path->test_loss[k] = mean_loss(problem, &test, scan->test_weight, solver->theta);
	path->nonzero[k] = 0;
	for (i = problem->nclasses; i < n; i++)
		path->nonzero[k] += solver->theta[i] != 0;
}

/* ----------------------------------------------------------------- lambdas */

/* the lambda at which only the intercept and what is not penalised is left; theta becomes that fit */
static double
largest_lambda(const DmpWideSolver *solver, const DmpSparseProblem *like, double null_loss)
{
	DmpSparseProblem problem = *like;
	double *gradient = doubles0(dmp_sparse_size(like));
	double most = 0;
	bool all = true;
	int c;
	int k;

	for (c = 0; problem.factor != NULL && c < problem.ncolumns; c++)
		all &= problem.factor[c] > 0;
	if (!all)
	{
		problem.lambda = NOTHING_LEFT;
		problem.alpha = 1;
		(void) dmp_wide_descend(solver, &problem, null_loss, point_tolerance(solver->scan->spec));
	}
	problem.lambda = 0;
	(void) dmp_sparse_value(&problem, solver->theta, gradient, NULL);
	for (c = 0; c < problem.ncolumns; c++)
	{
		double s =
			(problem.scale ? problem.scale[c] : 1) * (problem.factor ? problem.factor[c] : 1);

		for (k = 0; s > 0 && k < problem.nclasses; k++)
			most = fmax(most, fabs(gradient[(Size) (1 + c) * problem.nclasses + k]) / s);
	}
	pfree(gradient);
	return fmax(most, 1e-12) * problem.spread / fmax(solver->scan->spec->alpha, DMP_PATH_ALPHA);
}

static DmpScanPath *
make_path(const DmpFitSpec *spec, double lambda_max)
{
	DmpScanPath *path = palloc0(sizeof(DmpScanPath));
	int n = spec->nlambdas;
	int k;

	path->n = n;
	path->nfolds = spec->nfolds;
	path->best = path->one_se = -1;
	path->lambda_max = lambda_max;
	path->lambda = doubles0(n);
	path->loss = doubles0(n);
	path->kkt = doubles0(n);
	path->nonzero = palloc0(sizeof(int) * n);
	path->test_loss = doubles0(n);
	path->cv_loss = doubles0(n);
	path->cv_error = doubles0(n);
	path->cv_roc_auc = NAN;
	for (k = 0; k < n; k++)
	{
		path->lambda[k] =
			spec->lambdas ? spec->lambdas[k] : lambda_max * pow(PATH_LEAST, k / (n - 1.0));
		path->loss[k] = path->kkt[k] = path->cv_loss[k] = path->cv_error[k] = NAN;
		path->test_loss[k] = NAN;
	}
	return path;
}

static bool
is_end(const DmpFitSpec *spec, const DmpScanPath *path, int k)
{
	double range = path->null_loss - path->saturated;
	double now;

	if (spec->lambdas != NULL || k + 1 < POINTS_LEAST || !(range > 0))
		return false;
	now = (path->null_loss - path->loss[k]) / range;
	return now > RATIO_MOST || (path->loss[k - 1] - path->loss[k]) / range < GAIN_LEAST * now;
}

/* ------------------------------------------------------------------- folds */

/* deviation of a column, or of the target, in the rows of all folds but f */
static void
merge(double *weight, double *mean, double *m2, double w, double other_mean, double other_m2)
{
	double delta = other_mean - *mean;

	if (!(w > 0))
		return;
	*weight += w;
	*mean += delta * w / *weight;
	*m2 += other_m2 + delta * delta * (*weight - w) * w / *weight;
}

/* scales of the columns for the fit without fold f */
static double *
fold_scale(const DmpWideSolver *solver, const DmpSparseProblem *problem, int f)
{
	const DmpWideScan *scan = solver->scan;
	const char *standardize = scan->spec->standardize;
	double *scale = doubles0(problem->ncolumns);
	int j;
	int g;

	memcpy(scale, problem->scale, sizeof(double) * problem->ncolumns);
	for (j = 0; j < scan->ndense; j++)
	{
		double weight = 0, mean = 0, m2 = 0, sd;

		if (standardize != NULL && strcmp(standardize, "none") == 0)
			continue;
		if ((standardize == NULL || strcmp(standardize, "all") != 0) &&
			scan->spec->features[scan->dense[j]].encode == DMP_ENCODE_BOOLEAN)
			continue;
		for (g = 0; g < scan->nstores; g++)
		{
			const DmpWideMoments *m = &scan->folds[g].moments[j];

			if (g != f)
				merge(&weight, &mean, &m2, m->weight, m->mean, m->m2);
		}
		sd = weight > 0 ? sqrt(m2 / weight) : 0;
		/* constant without the fold: the intercept does what it could do */
		if (sd > 1e-12 * fabs(mean) && solver->layout->sd[j] > 0)
			scale[j] *= sd / solver->layout->sd[j];
	}
	return scale;
}

static double
fold_target_sd(const DmpWideScan *scan, int f)
{
	double weight = 0, mean = 0, m2 = 0;
	int g;

	for (g = 0; g < scan->nstores; g++)
		if (g != f)
			merge(&weight, &mean, &m2, scan->folds[g].weight, scan->folds[g].target_mean,
				  scan->folds[g].target_m2);
	return sqrt(m2 / weight);
}

static void
count_folds(const DmpWideScan *scan, DmpScanPath *path)
{
	int nfolds = path->nfolds;
	int f;
	int k;

	path->fold_rows = palloc0(sizeof(int64) * (nfolds + 1));
	path->fold_positive = palloc0(sizeof(int64) * (nfolds + 1));
	path->fold_weight = doubles0(nfolds);
	path->fold_loss = doubles0((Size) nfolds * path->n);
	for (f = 0; f < nfolds; f++)
	{
		const DmpWideFold *fold = &scan->folds[f];

		path->fold_rows[f] = path->fold_positive[f] = scan->train[f].nrows;
		path->fold_weight[f] = fold->weight;
		if (scan->train[f].nrows == 0)
			ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
							errmsg("cv => %d leaves a fold without rows", nfolds),
							errdetail("Rows are dealt to folds by their key, or by option "
									  "fold_column; there are too few different ones."),
							errhint("Ask for fewer folds, or name a column that tells rows apart: "
									"key => '{...}'.")));
		for (k = 0; scan->spec->family == DMP_BINOMIAL && k < scan->ntargets; k++)
		{
			/* the rarest class of the fold */
			if (scan->class_rows[k] > 0)
				path->fold_positive[f] = Min(path->fold_positive[f], fold->class_rows[k]);
			if (scan->class_rows[k] > 0 && fold->class_rows[k] == scan->class_rows[k])
				ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
								errmsg("a fold of cv => %d has all rows of one class", nfolds),
								errhint("Another seed, other folds (option fold_column), or more "
										"rows of that class.")));
		}
	}
}

/* the path without fold f, and its losses on that fold; returns fits that did not converge */
static int
without_fold(const DmpWideSolver *solver, const DmpSparseProblem *like, DmpScanPath *path, int f)
{
	const DmpWideScan *scan = solver->scan;
	const DmpFitSpec *spec = scan->spec;
	DmpWideRows stores = {scan->train, scan->nstores, f};
	DmpWideRows store = {&scan->train[f], 1, -1};
	DmpSparseRows rows, held;
	DmpSparseProblem problem = *like;
	double *scale = fold_scale(solver, like, f);
	double sd = spec->scaled_target ? fold_target_sd(scan, f) : 1;
	double null_loss;
	int failed = 0;
	int k;

	dmp_wide_rows(&stores, scan->ndense, &rows);
	dmp_wide_rows(&store, scan->ndense, &held);
	problem.rows = &rows;
	problem.weight_sum = scan->weight_sum - scan->folds[f].weight;
	problem.scale = scale;
	null_loss = dmp_sparse_null(&problem, solver->theta);
	for (k = 0; k < path->n; k++)
	{
		DmpSparseResult found;

		dmp_wide_set_lambda(spec, &problem, path->lambda[k], sd);
		/* one lambda has nothing to start from */
		found = path->n == 1 ? dmp_wide_solve(solver, &problem)
							 : dmp_wide_descend(solver, &problem, null_loss, point_tolerance(spec));
		failed += found.status != DMP_SPARSE_CONVERGED;
		path->fold_loss[(Size) f * path->n + k] =
			mean_loss(&problem, &held, scan->folds[f].weight, solver->theta);
	}
	pfree(scale);
	return failed;
}

/* --------------------------------------------------------------- the whole */

DmpScanPath *
dmp_wide_path(const DmpWideSolver *solver, const DmpSparseProblem *like, double null_loss,
			  DmpFit *fit)
{
	const DmpWideScan *scan = solver->scan;
	const DmpFitSpec *spec = scan->spec;
	DmpSparseProblem problem = *like;
	DmpScanPath *path = make_path(spec, largest_lambda(solver, like, null_loss));
	DmpScanPlan plan = {0};
	int fits = 0;
	int failed = 0;
	int f;
	int k;

	path->saturated = 0; /* losses are told without it */
	path->null_loss = null_loss * problem.spread * problem.spread -
					  saturated(&problem, problem.rows, problem.weight_sum);
	if (spec->nfolds > 0)
		count_folds(scan, path);
	for (k = 0; path->n > 1 && k < path->n; k++)
	{
		DmpSparseResult found;

		dmp_progress("train: lambda %d of %d", k + 1, path->n);
		dmp_wide_set_lambda(spec, &problem, path->lambda[k], problem.spread);
		found = dmp_wide_descend(solver, &problem, null_loss, point_tolerance(spec));
		fits++;
		failed += found.status != DMP_SPARSE_CONVERGED;
		dmp_wide_path_point(solver, &problem, found, path, k);
		if (is_end(spec, path, k))
			path->n = k + 1;
	}
	for (f = 0; f < spec->nfolds; f++)
	{
		dmp_progress("train: fold %d of %d", f + 1, spec->nfolds);
		failed += without_fold(solver, like, path, f);
		fits += path->n;
	}
	if (spec->nfolds > 0)
		dmp_scan_path_summarise(path);
	plan.one_se = spec->one_se;
	dmp_scan_path_choose(&plan, path);
	if (failed > 0)
		fit->warnings =
			lappend(fit->warnings, psprintf("%d of the %d fits of the path ended before they were "
											"at the tolerance; more max_iterations may help",
											failed, fits));
	return path;
}
