/*-------------------------------------------------------------------------
 * wide_fit.c
 *		dmp_fit_wide(): a fit over sparse rows, from one scan.
 *
 *		rows --wide_scan.c--> sparse rows of provisional ids
 *		ids  --wide_columns.c--> columns of the solver, rows rewritten
 *		rows --math/sparse--> seeded stochastic epochs, then L-BFGS or OWL-QN
 *
 * With hashed columns the optimum is not worth its digits: the solver stops
 * when the objective falls by less than 1e-6 of what it was at the start, without
 * any column; that is 'converged' here. Without them (several classes over plain columns) it goes on to the
 * tolerance of the fit, as everywhere else.
 *-------------------------------------------------------------------------
 */
#include "learn/wide_fit.h"

#include <math.h>

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "learn/path.h"
#include "learn/scan.h"
#include "math/metrics.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#define EPOCHS 5
#define HASHED_TOLERANCE 1e-6
#define HASHED_PENALTY 0.03 /* times 1 / rows */
#define SMALL_PROBLEM 20000 /* parameters: a longer history costs nothing */

static int
target_classes(const DmpWideScan *scan)
{
	int n = 0;
	int k;

	for (k = 0; k < scan->ntargets; k++)
		n += scan->class_rows[k] > 0;
	return n;
}

static int64
training_rows(const DmpWideScan *scan)
{
	int64 n = 0;
	int k;

	for (k = 0; k < scan->nstores; k++)
		n += scan->train[k].nrows;
	return n;
}

/* bytes of rows in memory */
static Size
resident(const DmpWideScan *scan)
{
	Size bytes = scan->test.resident;
	int k;

	for (k = 0; k < scan->nstores; k++)
		bytes += scan->train[k].resident;
	return bytes;
}

static bool
has_hashed(const DmpFitSpec *spec)
{
	int i;

	for (i = 0; i < spec->nfeatures; i++)
	{
		if (DMP_ENCODE_IS_WIDE(spec->features[i].encode))
			return true;
	}
	return false;
}

static DmpFit *
empty_fit(const DmpWideScan *scan)
{
	DmpFit *fit = palloc0(sizeof(DmpFit));
	int i;

	fit->nclasses = scan->spec->nclasses;
	fit->rows = training_rows(scan);
	fit->rows_test = scan->test.nrows;
	fit->rows_skipped = scan->rows_skipped;
	fit->weight_sum = scan->weight_sum;
	if (fit->nclasses == 0)
	{
		fit->rows_positive = scan->class_rows[1];
		fit->weight_positive = scan->class_weight[1];
	}
	fit->log_loss = fit->null_log_loss = fit->objective = fit->kkt_residual = NAN;
	fit->lambda_max = fit->roc_auc = fit->test_roc_auc = fit->test_log_loss = NAN;
	fit->accuracy = fit->test_accuracy = fit->loss = fit->null_loss = NAN;
	for (i = 0; i < 2; i++)
		fit->rmse[i] = fit->mae[i] = fit->r_squared[i] = fit->mean_deviance[i] = NAN;
	fit->family = scan->spec->family;
	fit->dispersion = 1;
	fit->lambda = isnan(scan->spec->lambda) ? 0 : scan->spec->lambda;
	fit->scans = 1;
	fit->coef = palloc0(sizeof(double));
	fit->aliased = palloc0(sizeof(bool));
	return fit;
}

/* ---------------------------------------------------------------- metrics */

typedef struct Quality
{
	double roc_auc;
	double log_loss;
	double accuracy;
} Quality;

/* a target of numbers, in its own units; which: training or held out rows */
static void
judge_numbers(const DmpSparseProblem *problem, const DmpSparseRows *rows, const double *theta,
			  DmpFit *fit, int which)
{
	DmpErrorSums e = {0};
	int i;

	for (i = 0; i < rows->nchunks; i++)
	{
		Size length;
		char *at = rows->load(rows->arg, i, &length);
		char *end = at + length;

		CHECK_FOR_INTERRUPTS();
		for (; at < end; at += DMP_SPARSE_ROW_SIZE(problem->rows->ndense, ((DmpSparseRow *) at)->n))
		{
			DmpSparseRow *row = (DmpSparseRow *) at;
			double margin, y = row->value;
			DmpGlmTile tile = {0};

			dmp_sparse_margins(problem, row, theta, &margin);
			if (problem->family == DMP_GAUSSIAN)
			{
				margin = margin * problem->spread + problem->shift;
				y -= row->offset;
			}
			tile.n = 1;
			tile.weight = &row->weight;
			tile.target = &y;
			dmp_errors_tile(&e, problem->family, &tile, &margin);
		}
	}
	dmp_fit_take_errors(fit, which, &e);
}

static Quality
judge(const DmpSparseProblem *problem, const DmpSparseRows *rows, const double *theta)
{
	Quality q = {NAN, NAN, NAN};
	int nclasses = problem->nclasses;
	double *margins = palloc(sizeof(double) * nclasses);
	double *score = NULL;
	double *weight = NULL;
	unsigned char *label = NULL;
	double loss = 0;
	double right = 0;
	double total = 0;
	Size n = 0;
	int i;
	int k;

	if (rows->nrows == 0)
		return q;
	if (nclasses == 1)
	{
		score = MemoryContextAllocHuge(CurrentMemoryContext, sizeof(double) * rows->nrows);
		weight = MemoryContextAllocHuge(CurrentMemoryContext, sizeof(double) * rows->nrows);
		label = MemoryContextAllocHuge(CurrentMemoryContext, rows->nrows);
	}
	for (i = 0; i < rows->nchunks; i++)
	{
		Size length;
		char *at = rows->load(rows->arg, i, &length);
		char *end = at + length;

		while (at < end)
		{
			DmpSparseRow *row = (DmpSparseRow *) at;
			int best = 0;

			if (n % 64 == 0)
				CHECK_FOR_INTERRUPTS();
			dmp_sparse_margins(problem, row, theta, margins);
			for (k = 1; k < nclasses; k++)
				best = margins[k] > margins[best] ? k : best;
			if (nclasses == 1)
			{
				score[n] = margins[0];
				weight[n] = row->weight;
				label[n] = row->target;
				best = margins[0] >= 0;
			}
			right += row->weight * (best == row->target);
			total += row->weight;
			loss += row->weight * dmp_sparse_loss(nclasses, row->target, margins);
			at += DMP_SPARSE_ROW_SIZE(problem->rows->ndense, row->n);
			n++;
		}
	}
	q.log_loss = loss / total;
	q.accuracy = right / total;
	if (nclasses == 1)
	{
		DmpRankMetrics m;

		dmp_rank_metrics(n, score, label, weight, &dmp_server_env, &m);
		q.roc_auc = m.roc_auc;
		pfree(score);
		pfree(weight);
		pfree(label);
	}
	pfree(margins);
	return q;
}

/* ------------------------------------------------------------------ solve */

/*
 * Rows that leave no room for the solver go to the file. The solver itself
 * must fit: what is too wide to be solved is too wide to be stored.
 */
static void
make_room(DmpWideScan *scan, const DmpSparseProblem *problem, int *history)
{
	Size memory = Max(scan->spec->memory, 1024 * 1024);
	Size theta = sizeof(double) * dmp_sparse_size(problem);
	int i;

	while (*history > 3 && theta + dmp_sparse_memory(problem, *history) > memory)
		(*history)--;
	if (theta + dmp_sparse_memory(problem, *history) > memory)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("%zu coefficients need %zu MB, dmp.training_memory is %zu MB",
						dmp_sparse_size(problem),
						(theta + dmp_sparse_memory(problem, *history)) / (1024 * 1024) + 1,
						memory / (1024 * 1024)),
				 errhint("Raise dmp.training_memory, or hash to fewer columns: options => "
						 "'{\"encode\": {\"...\": {\"encode\": \"hash\", \"bits\": 16}}}'.")));
	if (theta + dmp_sparse_memory(problem, *history) + resident(scan) > memory)
	{
		dmp_wide_store_spill(&scan->test);
		for (i = 0; i < scan->nstores; i++)
			dmp_wide_store_spill(&scan->train[i]);
	}
}

DmpSparseResult
dmp_wide_descend(const DmpWideSolver *solver, const DmpSparseProblem *problem, double null_loss,
				 double tolerance)
{
	const DmpFitSpec *spec = solver->scan->spec;
	int history =
		dmp_sparse_size(problem) < SMALL_PROBLEM ? Max(solver->history, 20) : solver->history;

	/* steps are first order: max_iterations counts those of Newton, worth ten and more of these */
	return dmp_sparse_solve(problem, solver->theta, history, spec->max_iterations * 20,
							solver->hashed ? 1e-9 : tolerance,
							solver->hashed ? HASHED_TOLERANCE * null_loss : 0);
}

DmpSparseResult
dmp_wide_solve(const DmpWideSolver *solver, const DmpSparseProblem *problem)
{
	double *theta = solver->theta;
	double null_loss = dmp_sparse_null(problem, theta);

	if (solver->hashed)
	{
		dmp_sparse_sgd(problem, theta, EPOCHS, (uint64) solver->scan->spec->seed);
		/* a start that is worse than nothing is none */
		if (!(dmp_sparse_value(problem, theta, NULL, NULL) + dmp_sparse_lasso(problem, theta) <
			  null_loss))
			(void) dmp_sparse_null(problem, theta);
	}
	return dmp_wide_descend(solver, problem, null_loss, solver->scan->spec->tolerance);
}

static DmpFitStatus
status_of(DmpSparseStatus status, const DmpFit *fit)
{
	/* a loss that goes to nothing has no minimum */
	if (fit->lambda == 0 && fit->log_loss < 1e-4)
		return DMP_FIT_SEPARATED;
	switch (status)
	{
		case DMP_SPARSE_CONVERGED:
			return DMP_FIT_CONVERGED;
		case DMP_SPARSE_DIVERGED:
			return DMP_FIT_DIVERGED;
		case DMP_SPARSE_ITERATION_LIMIT:
			break;
	}
	return DMP_FIT_ITERATION_LIMIT;
}

static void
warn(DmpFit *fit, char *text)
{
	fit->warnings = lappend(fit->warnings, text);
}

static bool
all_zero(const DmpFit *fit)
{
	int sets = Max(fit->nclasses, 1);
	Size i;

	for (i = 0; i < (Size) fit->design.width * sets; i++)
	{
		if (fit->coef[i] != 0)
			return false;
	}
	for (i = 0; i < (Size) fit->wide_width * sets; i++)
	{
		if (fit->wide[i] != 0)
			return false;
	}
	return true;
}

static void
say(const DmpWideScan *scan, DmpFit *fit, bool hashed)
{
	int i;
	int k;

	if (hashed && isnan(scan->spec->lambda))
		warn(fit, psprintf("lambda is %.3g, 0.03 / rows, because there are hashed columns",
						   fit->lambda));
	if (all_zero(fit))
		warn(fit, psprintf("every coefficient is 0: lambda %.3g is too large", fit->lambda));
	if (fit->status == DMP_FIT_SEPARATED)
		warn(fit, "the classes can be told apart without error: coefficients have no finite "
				  "value; a penalty (lambda) gives one");
	for (i = 0; i < fit->design.nfeatures; i++)
	{
		const DmpFeature *feature = &fit->design.features[i];
		int64 buckets = 0;

		for (k = 0; k < feature->nblocks; k++)
			buckets += feature->blocks[k].n;
		if (DMP_ENCODE_IS_WIDE(feature->encode) && buckets == 0)
			warn(fit, psprintf("column \"%s\" has nothing that is there in %d rows: it has no "
							   "coefficients",
							   feature->name, feature->min_rows));
		/* most values are there once: an identifier teaches nothing about the next row */
		if (feature->encode == DMP_ENCODE_HASH && buckets > fit->rows / 2 && fit->rows > 100)
			warn(fit, psprintf("column \"%s\" looks like an identifier: " INT64_FORMAT
							   " hashed values in " INT64_FORMAT " rows; leave it out, or name it "
							   "as key",
							   feature->name, buckets, fit->rows));
	}
	for (i = 0; i < scan->nstores && scan->train[i].file == NULL; i++)
		;
	if (i < scan->nstores)
		warn(fit, "rows went to a temporary file, dmp.training_memory is too small for them");
}

/* least squares are solved for a target of mean 0 and deviation 1: the penalty is told in its units */
static void
set_family(const DmpWideScan *scan, DmpSparseProblem *problem)
{
	const DmpFitSpec *spec = scan->spec;

	problem->family = spec->family;
	problem->has_offset = spec->base_margin != NULL;
	problem->mean = scan->target_mean;
	problem->shift = 0;
	problem->spread = 1;
	if (spec->family != DMP_GAUSSIAN)
		return;
	problem->shift = spec->intercept ? scan->target_mean : 0;
	problem->spread = sqrt(scan->target_m2 / scan->weight_sum);
}

void
dmp_wide_set_lambda(const DmpFitSpec *spec, DmpSparseProblem *problem, double lambda, double sd)
{
	double l1 = lambda * spec->alpha / problem->spread;
	double l2 = lambda * (1 - spec->alpha);

	problem->lambda = lambda;
	problem->alpha = lambda > 0 ? spec->alpha : 0;
	if (spec->family != DMP_GAUSSIAN)
		return;
	if (spec->scaled_target)
		l2 /= sd;
	problem->lambda = l1 + l2;
	problem->alpha = l1 + l2 > 0 ? l1 / (l1 + l2) : 0;
}

/* coefficients of such a fit, in the units of the target */
static void
restore_units(const DmpSparseProblem *problem, DmpFit *fit)
{
	double s = problem->spread;
	Size i;

	for (i = 0; i < (Size) fit->design.width; i++)
		fit->coef[i] *= s;
	for (i = 0; i < (Size) fit->wide_width; i++)
		fit->wide[i] = (float) (fit->wide[i] * s);
	fit->a = fit->a * s + problem->shift;
	fit->objective *= s * s;
	fit->null_deviance_of_numbers *= s * s;
}

/* the last feature of the design, a number whose coefficient is 1 */
static void
add_base_margin(const DmpFitSpec *spec, DmpFit *fit)
{
	DmpDesign *d = &fit->design;
	int j = d->width++;
	DmpFeature *x;

	d->features = repalloc(d->features, sizeof(DmpFeature) * (d->nfeatures + 1));
	x = &d->features[d->nfeatures++];
	memset(x, 0, sizeof(*x));
	x->name = pstrdup(spec->base_margin);
	x->type = FLOAT8OID;
	x->encode = DMP_ENCODE_NUMERIC;
	x->index = j;
	x->missing_index = x->other_index = -1;
	d->mean = repalloc(d->mean, sizeof(double) * d->width);
	d->scale = repalloc(d->scale, sizeof(double) * d->width);
	d->pivot = repalloc(d->pivot, sizeof(double) * d->width);
	fit->coef = repalloc(fit->coef, sizeof(double) * d->width);
	fit->aliased = repalloc(fit->aliased, sizeof(bool) * d->width);
	d->mean[j] = d->pivot[j] = d->scale[j] = 0;
	fit->coef[j] = 1;
	fit->aliased[j] = false;
	fit->base_margin = pstrdup(spec->base_margin);
}

/* metrics of both kinds of rows; what stays is in result */
static void
judge_fit(DmpWideScan *scan, const DmpSparseProblem *problem, const double *theta, DmpFit *fit,
		  MemoryContext result)
{
	MemoryContext old;
	Quality q;
	DmpWideRows held = {&scan->test, 1, -1};
	DmpSparseRows test;

	dmp_wide_rows(&held, scan->ndense, &test);

	if (scan->spec->family == DMP_BINOMIAL)
	{
		q = judge(problem, problem->rows, theta);
		fit->roc_auc = q.roc_auc;
		fit->log_loss = q.log_loss;
		fit->accuracy = q.accuracy;
		q = judge(problem, &test, theta);
		fit->test_roc_auc = q.roc_auc;
		fit->test_log_loss = q.log_loss;
		fit->test_accuracy = q.accuracy;
	}
	else
	{
		fit->null_deviance_of_numbers = 2 * fit->weight_sum * fit->null_log_loss;
		fit->null_log_loss = NAN;
		old = MemoryContextSwitchTo(result);
		judge_numbers(problem, problem->rows, theta, fit, 0);
		if (scan->spec->family == DMP_POISSON)
		{
			double loss;

			/* what no model could explain: sum w (y - y log y) */
			(void) dmp_sparse_value(problem, theta, NULL, &loss);
			fit->null_deviance_of_numbers += fit->weight_sum * (fit->mean_deviance[0] - 2 * loss);
		}
		judge_numbers(problem, &test, theta, fit, 1);
		MemoryContextSwitchTo(old);
	}
}

/* how it ends before anything is solved */
static DmpFitStatus
first_status(const DmpWideScan *scan, const DmpFit *fit)
{
	const DmpFitSpec *spec = scan->spec;

	if (spec->family != DMP_BINOMIAL && fit->rows > 0)
	{
		bool same = spec->family == DMP_GAUSSIAN ? !(scan->target_m2 > 0) : scan->target_mean == 0;

		return same ? DMP_FIT_ONE_CLASS : DMP_FIT_CONVERGED;
	}
	return scan->odd                  ? DMP_FIT_NOT_BINARY
		   : fit->rows == 0           ? DMP_FIT_NO_ROWS
		   : target_classes(scan) < 2 ? DMP_FIT_ONE_CLASS
									  : DMP_FIT_CONVERGED;
}

/* the penalty; of several, until one is chosen, 1, which says that there is one */
static double
first_lambda(const DmpFitSpec *spec, int64 rows, bool hashed)
{
	if (spec->nlambdas > 0)
		return spec->nlambdas > 1 ? 1 : spec->lambdas[0];
	if (isnan(spec->lambda))
		return hashed ? HASHED_PENALTY / (double) Max(rows, 1) : 0;
	return spec->lambda;
}

/*
 * The path if there is one, and the fit: that of the lambda chosen is solved
 * from scratch, so that it is the one of a fit with this lambda alone.
 */
static DmpSparseResult
solve(DmpWideSolver *solver, DmpSparseProblem *problem, DmpFit *fit, MemoryContext result)
{
	const DmpFitSpec *spec = solver->scan->spec;
	DmpScanPath *path = NULL;
	DmpSparseResult found;
	MemoryContext old;

	fit->null_log_loss = dmp_sparse_null(problem, solver->theta);
	if (spec->nlambdas > 0)
	{
		old = MemoryContextSwitchTo(result);
		path = dmp_wide_path(solver, problem, fit->null_log_loss, fit);
		MemoryContextSwitchTo(old);
		fit->lambda = path->lambda[path->chosen];
		fit->lambda_max = path->lambda_max;
		dmp_wide_set_lambda(spec, problem, fit->lambda, problem->spread);
	}
	found = dmp_wide_solve(solver, problem);
	if (path != NULL)
	{
		DmpScanPlan plan = {0};

		dmp_wide_path_point(solver, problem, found, path, path->chosen);
		plan.automatic = spec->lambdas == NULL;
		old = MemoryContextSwitchTo(result);
		fit->path = dmp_fit_path(&plan, path, NULL, 0);
		MemoryContextSwitchTo(old);
	}
	return found;
}

static DmpFit *
fit_rows(DmpWideScan *scan, MemoryContext result)
{
	const DmpFitSpec *spec = scan->spec;
	DmpWideRows stores = {scan->train, scan->nstores, -1};
	DmpSparseRows rows = {0};
	DmpSparseProblem problem = {0};
	DmpSparseResult solution;
	DmpFit *fit;
	DmpWideLayout layout;
	DmpWideSolver solver = {scan, &layout, has_hashed(spec), 5, NULL};
	MemoryContext old = MemoryContextSwitchTo(result);
	int k;

	fit = empty_fit(scan);
	fit->lambda = first_lambda(spec, fit->rows, solver.hashed);
	fit->status = first_status(scan, fit);
	if (fit->status != DMP_FIT_CONVERGED)
	{
		MemoryContextSwitchTo(old);
		return fit;
	}
	dmp_wide_layout(scan, fit, &layout);
	MemoryContextSwitchTo(old);
	for (k = 0; k < scan->nstores; k++)
		dmp_wide_rewrite(scan, &layout, &scan->train[k]);
	dmp_wide_rewrite(scan, &layout, &scan->test);

	rows.ndense = scan->ndense;
	problem.rows = &rows;
	problem.nclasses = Max(spec->nclasses, 1);
	problem.ncolumns = layout.ncolumns;
	problem.intercept = spec->intercept;
	problem.scale = layout.scale;
	problem.weight_sum = scan->weight_sum;
	problem.factor = layout.factor;
	set_family(scan, &problem);
	dmp_wide_set_lambda(spec, &problem, fit->lambda, problem.spread);
	problem.env = &dmp_server_env;
	make_room(scan, &problem, &solver.history);
	dmp_wide_rows(&stores, scan->ndense, &rows);
	solver.theta =
		MemoryContextAllocHuge(CurrentMemoryContext, sizeof(double) * dmp_sparse_size(&problem));
	dmp_progress("train: " INT64_FORMAT " rows, %zu coefficients", fit->rows,
				 dmp_sparse_size(&problem));
	solution = solve(&solver, &problem, fit, result);
	fit->objective = solution.objective;
	fit->kkt_residual = solution.kkt;
	fit->iterations = solution.iterations;
	fit->memory_used = resident(scan) + sizeof(double) * dmp_sparse_size(&problem) +
					   dmp_sparse_memory(&problem, solver.history);
	judge_fit(scan, &problem, solver.theta, fit, result);
	fit->status = status_of(solution.status, fit);
	MemoryContextSwitchTo(result);
	dmp_wide_coefficients(scan, &layout, &problem, solver.theta, fit);
	if (spec->keep_wide && solver.hashed && problem.nclasses == 1 && spec->family == DMP_BINOMIAL &&
		fit->status == DMP_FIT_CONVERGED)
		fit->wide_kept = dmp_wide_keep(scan, &layout, &problem, solver.theta, fit);
	if (spec->family == DMP_GAUSSIAN)
		restore_units(&problem, fit);
	if (spec->base_margin != NULL)
		add_base_margin(spec, fit);
	say(scan, fit, solver.hashed);
	MemoryContextSwitchTo(old);
	return fit;
}

/*
 * Runs the scan and the solver. SPI must be connected; the result is in
 * CurrentMemoryContext. Statuses other than converged come back as such.
 */
DmpFit *
dmp_fit_wide(const DmpFitSpec *spec)
{
	MemoryContext result = CurrentMemoryContext;
	MemoryContext work = AllocSetContextCreate(result, "dmp wide fit", ALLOCSET_DEFAULT_SIZES);
	DmpWideScan scan;
	DmpFit *fit;
	int k;

	MemoryContextSwitchTo(work);
	CommandCounterIncrement();
	PushActiveSnapshot(GetTransactionSnapshot());
	dmp_wide_scan(&scan, spec, work);
	PopActiveSnapshot();
	MemoryContextSwitchTo(work);
	fit = fit_rows(&scan, result);
	for (k = 0; k < scan.nstores; k++)
		dmp_wide_store_end(&scan.train[k]);
	dmp_wide_store_end(&scan.test);
	MemoryContextSwitchTo(result);
	MemoryContextDelete(work);
	return fit;
}
