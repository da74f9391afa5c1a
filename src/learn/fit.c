/*-------------------------------------------------------------------------
 * fit.c
 *		dmp_fit_binomial(): which scans a fit takes, and what comes of them.
 *
 *		LEARN -----> all rows in one process: the fit is finished there
 *		  |  \----> columns without missing values or texts: quadratics of
 *		  |          each process's rows, which add up
 *		  v
 *		BLOCKS       the layout is known now: rows become quadratics under it
 *		  v          (or, in one process, the fit)
 *		GRADIENT     at the joint minimum: exact loss, gradient and Hessian of all
 *		  |  ^       rows, again until the optimality conditions hold
 *		  v--+
 *		EVALUATE     test rows, when they did not stay in memory
 *
 * All scans run under one snapshot, so that they see the same rows.
 *-------------------------------------------------------------------------
 */
#include "learn/inference.h"
#include "learn/update.h"
#include "learn/path.h"
#include "learn/scan.h"

#include <math.h>

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "lib/stringinfo.h"
#include "math/metrics.h"
#include "utils/memutils.h"
#include "utils/plancache.h"
#include "utils/snapmgr.h"

/* arguments of a function at most, less those before the features, with some left */
#define MAX_SCAN_ARGUMENTS (FUNC_MAX_ARGS - 10)

/* dense columns from which a solve outweighs a scan */
#define WIDE 64
/* rows times columns that one process reads before others have started */
#define FEW_VALUES 1e6

typedef struct Fit
{
	const DmpFitSpec *spec;
	DmpScanPlan plan;
	MemoryContext context; /* of the result */
	MemoryContext work;    /* of the scans, deleted at the end */
	MemoryContext pass;    /* of the last scan at a theta */
	char *sql;
	bool alone; /* the first scan is one without workers */
	int scans;
	DmpScanResult *last; /* of the last GRADIENT scan */
	int64 memory;
	double *meat; /* of robust errors, or NULL */
	int64 clusters;
} Fit;

/* ------------------------------------------------------------------ plan */

static void
make_plan(Fit *fit)
{
	const DmpFitSpec *spec = fit->spec;
	DmpScanPlan *p = &fit->plan;
	int i;

	p->phase = DMP_SCAN_LEARN;
	p->nfeatures = spec->nfeatures;
	p->names = palloc(sizeof(char *) * (spec->nfeatures + 1));
	p->encode = palloc(spec->nfeatures + 1);
	p->indicator = palloc0(sizeof(bool) * (spec->nfeatures + 1));
	for (i = 0; i < spec->nfeatures; i++)
	{
		p->names[i] = spec->features[i].name;
		p->encode[i] = spec->features[i].encode;
		if (p->encode[i] == DMP_ENCODE_ONE_HOT)
			p->ntexts++;
		else
			p->indicator[p->ndense++] = p->encode[i] == DMP_ENCODE_BOOLEAN;
	}
	p->arrays = spec->nfeatures > MAX_SCAN_ARGUMENTS;
	p->has_weight = spec->has_weight;
	p->test_fraction = spec->test_fraction;
	p->lambda = spec->lambda;
	p->alpha = spec->lambda > 0 ? spec->alpha : 0;
	p->tolerance = spec->tolerance;
	p->intercept = spec->intercept;
	p->standardize = spec->standardize == NULL                ? 0
					 : strcmp(spec->standardize, "all") == 0  ? 1
					 : strcmp(spec->standardize, "none") == 0 ? 2
															  : 0;
	p->min_count = Max(1, spec->min_count);
	p->max_iterations = spec->max_iterations;
	p->memory = spec->memory;
	p->family = spec->family;
	p->guess = spec->guess;
	p->has_offset = spec->base_margin != NULL;
	p->scaled_target = spec->scaled_target;
	p->factor = spec->factor;
	p->scaled_factor = spec->scaled_factor;
	p->lower = spec->lower;
	p->upper = spec->upper;
	p->target = pstrdup(spec->target ? spec->target : "");
	p->nlambdas = spec->nlambdas;
	p->automatic = spec->nlambdas > 0 && spec->lambdas == NULL;
	p->lambdas = spec->lambdas;
	p->nfolds = spec->nfolds;
	p->one_se = spec->one_se;
	if (p->nlambdas > 0)
	{
		p->lambda = p->nlambdas == 1 && p->lambdas ? p->lambdas[0] : 1;
		p->alpha = p->lambda > 0 ? spec->alpha : 0;
	}
}

/* SELECT of one scan; the plan is the last parameter */
static char *
make_sql(const Fit *fit)
{
	const DmpFitSpec *spec = fit->spec;
	StringInfoData sql;
	int i;

	initStringInfo(&sql);
	appendStringInfo(&sql, "SELECT dmp_internal.train_scan%s($%d, q.target, %s, %s, %s",
					 fit->plan.arrays ? "_arrays" : "", spec->nargs + 1,
					 spec->has_weight ? "q.weight" : "NULL::pg_catalog.float8",
					 spec->test_fraction > 0 || spec->nfolds > 0 ? "q.split"
																 : "NULL::pg_catalog.float8",
					 spec->base_margin ? "q.base_margin" : "NULL::pg_catalog.float8");
	if (fit->plan.arrays)
	{
		appendStringInfoString(&sql, ", ");
		dmp_fit_append_arrays(&sql, spec);
	}
	else
		for (i = 0; i < spec->nfeatures; i++)
			appendStringInfo(&sql, ", q.f%d", i + 1);
	appendStringInfo(&sql, ") FROM (%s) AS q", spec->select_sql);
	return sql.data;
}

/* ------------------------------------------------------------------ scans */

/*
 * Whether the first scan had better be one process's: when all rows will fit its
 * memory and solving them in one place is worth more than reading them side by
 * side. That is so with text (levels of different processes must be matched
 * first, which takes scans), with many columns (the solve outweighs the scan, and
 * shares of the rows say little about so many), and with few values.
 */
static bool
better_alone(const Fit *fit)
{
	const DmpFitSpec *spec = fit->spec;
	const DmpScanPlan *p = &fit->plan;
	SPIPlanPtr prepared;
	CachedPlan *cached;
	double rows = 0;
	ListCell *lc;

	prepared = SPI_prepare(spec->select_sql, spec->nargs, spec->argtypes);
	if (prepared == NULL)
		elog(ERROR, "SPI_prepare failed: %s", SPI_result_code_string(SPI_result));
	cached = SPI_plan_get_cached_plan(prepared);
	foreach (lc, cached ? cached->stmt_list : NIL)
	{
		const PlannedStmt *stmt = lfirst_node(PlannedStmt, lc);

		if (stmt->commandType == CMD_SELECT)
			rows = stmt->planTree->plan_rows;
	}
	if (cached)
		ReleaseCachedPlan(cached, NULL);
	SPI_freeplan(prepared);
	if (p->nlambdas > 0)
		return true;
	if (p->ntexts == 0 && p->ndense <= WIDE && rows * p->nfeatures > FEW_VALUES)
		return false;
	/* a column of numbers may turn out to have missing values: half a column more */
	return rows > 0 && 1.3 * rows * (12.0 * p->ndense + 8.0 * p->ntexts + 50) < p->memory;
}

/* SPI_execute_with_args(), but never with workers */
static int
execute_alone(const char *sql, const DmpScanArgs *args)
{
	SPIPlanPtr prepared = SPI_prepare(sql, args->n, args->types);
	int rc;

	if (prepared == NULL)
		elog(ERROR, "SPI_prepare failed: %s", SPI_result_code_string(SPI_result));
	rc = SPI_execute_plan(prepared, args->values, args->nulls, true, 0);
	SPI_freeplan(prepared);
	return rc;
}

/* a pass over rows that are not in the database */
static DmpScanResult *
scan_source(Fit *fit)
{
	DmpFitSource *source = fit->spec->source;
	bytea *plan;
	DmpScanResult *r;

	MemoryContextSwitchTo(fit->plan.phase >= DMP_SCAN_GRADIENT ? fit->pass : fit->work);
	plan = dmp_scan_plan_write(&fit->plan);
	r = source->scan(source, plan);
	fit->scans = source->scans;
	if (r)
		fit->memory = Max(fit->memory, r->memory);
	pfree(plan);
	MemoryContextSwitchTo(fit->work);
	return r;
}

DmpScanArgs
dmp_scan_args(const DmpFitSpec *spec, const DmpScanPlan *plan)
{
	int n = spec->nargs;
	DmpScanArgs args = {
		.n = n + 1,
		.types = palloc(sizeof(Oid) * (n + 1)),
		.values = palloc(sizeof(Datum) * (n + 1)),
		.nulls = palloc(n + 2),
	};

	if (n > 0)
	{
		memcpy(args.types, spec->argtypes, sizeof(Oid) * n);
		memcpy(args.values, spec->argvalues, sizeof(Datum) * n);
	}
	memset(args.nulls, ' ', n + 1);
	if (n > 0 && spec->argnulls)
		memcpy(args.nulls, spec->argnulls, n);
	args.nulls[n + 1] = '\0';
	args.types[n] = BYTEAOID;
	args.values[n] = PointerGetDatum(dmp_scan_plan_write(plan));
	return args;
}

/* one scan by the plan as it is now; NULL when there was no row at all */
static DmpScanResult *
scan(Fit *fit)
{
	DmpScanArgs args;
	DmpScanResult *r = NULL;
	bool isnull;
	Datum datum;
	int rc;

	if (fit->spec->source)
		return scan_source(fit);
	args = dmp_scan_args(fit->spec, &fit->plan);
	/* read only: the snapshot that is active, for every scan the same */
	if (fit->alone && fit->plan.phase == DMP_SCAN_LEARN)
		rc = execute_alone(fit->sql, &args);
	else
		rc = SPI_execute_with_args(fit->sql, args.n, args.types, args.values, args.nulls, true, 0);
	if (rc != SPI_OK_SELECT || SPI_processed != 1)
		elog(ERROR, "training scan failed: %s", SPI_result_code_string(rc));
	fit->scans++;
	/* SPI has left us in its own context */
	MemoryContextSwitchTo(fit->plan.phase >= DMP_SCAN_GRADIENT ? fit->pass : fit->work);
	datum = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull);
	if (!isnull)
	{
		DmpState *state = dmp_state_arg(datum, DMP_STATE_TRAIN);

		r = dmp_scan_state_read(DMP_STATE_DATA(state), DMP_STATE_DATA_SIZE(state), NULL);
		fit->memory = Max(fit->memory, r->memory);
	}
	SPI_freetuptable(SPI_tuptable);
	MemoryContextSwitchTo(fit->work);
	pfree(DatumGetPointer(args.values[args.n - 1]));
	return r;
}

/* margins lie about their mean; far beyond these ends they share the outermost bins */
static void
histogram_range(Fit *fit, const double *theta)
{
	const DmpLayout *l = &fit->plan.layout;
	double mean = theta[0], spread = 0;
	int j;

	for (j = 1; j < l->shape.nparams; j++)
	{
		mean += theta[j] * l->mean[j];
		spread += fabs(theta[j]) * l->sd[j];
	}
	mean += fit->plan.stats.offset_mean;
	spread += sqrt(fit->plan.stats.offset_m2 / fmax(fit->plan.stats.weight, 1e-300));
	spread = fmax(spread, 1e-6 * fmax(1, fabs(mean)));
	fit->plan.low = mean - 6 * spread;
	fit->plan.high = mean + 6 * spread;
}

/* the solver's callback: a scan */
static void
eval_scan(void *arg, const double *theta, const double *direction, int stride, DmpGlmSums *sums,
		  double *weight)
{
	Fit *fit = arg;
	int n = fit->plan.layout.shape.nparams;

	fit->plan.phase = DMP_SCAN_GRADIENT;
	fit->plan.theta = (double *) theta;
	fit->plan.direction = (double *) direction;
	histogram_range(fit, theta);
	fit->last = NULL;
	MemoryContextReset(fit->pass);
	fit->last = scan(fit);
	if (fit->last == NULL || fit->last->sums == NULL || fit->last->nparams != n)
		elog(ERROR, "training scan gave no sums");
	sums->loss += fit->last->sums->loss;
	dmp_axpy(n, 1, fit->last->sums->gradient, sums->gradient);
	if (sums->hessian)
		dmp_axpy(DMP_TRI(n), 1, fit->last->sums->hessian, sums->hessian);
	sums->direction_low = fit->last->sums->direction_low;
	sums->direction_high = fit->last->sums->direction_high;
	*weight += fit->last->sums_weight;
}

/* of training (0) or test rows (1); *error rises to the bound on its distance from the exact one */
static double
histogram_auc(const DmpScanResult *r, int which, double *error)
{
	const double *h = r->histogram + 2 * which * DMP_HISTOGRAM_BINS;
	double bound;
	double auc = dmp_histogram_auc(DMP_HISTOGRAM_BINS, h + DMP_HISTOGRAM_BINS, h, &bound);

	if (bound > *error)
		*error = bound;
	return auc;
}

double
dmp_loss_at_zero(const DmpScanPlan *plan, const DmpStats *s)
{
	double mean = s->weight_positive / s->weight;

	if (plan->family == DMP_GAUSSIAN)
		return (s->target_m2 / s->weight + mean * mean) / 2;
	if (plan->has_offset)
		return INFINITY;
	return plan->family == DMP_POISSON ? 1 : log(2);
}

/* from quadratics of all rows, or a start near the optimum, to the optimum, scan by scan */
static DmpScanSolution *
solve_by_scans(Fit *fit, const DmpScanResult *blocks, const double *start)
{
	DmpScanPlan *plan = &fit->plan;
	DmpScanSolution *out = palloc0(sizeof(DmpScanSolution));
	int n = plan->layout.shape.nparams;
	DmpGlmProblem problem;
	DmpGlmSolution s;

	memset(&s, 0, sizeof(s));
	s.theta = palloc0(sizeof(double) * n);
	s.gradient = palloc0(sizeof(double) * n);
	s.hessian = MemoryContextAllocHuge(CurrentMemoryContext, sizeof(double) * DMP_TRI(n));
	s.aliased = palloc0(n);
	s.theta[0] = dmp_null_start(plan, &plan->stats);
	s.at = palloc0(sizeof(double) * n);
	dmp_layout_problem(plan, &plan->layout, &problem);
	problem.expensive = 1;
	problem.eval = eval_scan;
	problem.arg = fit;
	out->null_loss = dmp_null_solve(plan, &plan->stats, &problem, &plan->layout.lambda_max);
	out->lambda_max = plan->layout.lambda_max;
	/* where to go back to should the quadratics mislead */
	problem.fallback = palloc(sizeof(double) * n);
	memcpy(problem.fallback, s.theta, sizeof(double) * n);
	problem.fallback_objective = out->null_loss;
	if (!plan->intercept)
		problem.fallback_objective = dmp_loss_at_zero(plan, &plan->stats);
	if (start)
		memcpy(s.theta, start, sizeof(double) * n);
	else if (blocks && blocks->quadratic)
	{
		dmp_quadratic_solve(plan, &plan->layout, blocks->quadratic, blocks->stats.weight, 0,
							s.theta);
	}
	dmp_glm_solve(&problem, &s);
	dmp_solution_take(out, &s);
	dmp_solution_gradient(out, &s, n);
	if (blocks && blocks->quadratic && blocks->quadratic->cubic)
	{
		Size k, all = (Size) n * n * n;

		out->cubic = blocks->quadratic->cubic;
		for (k = 0; k < all; k++)
			out->cubic[k] /= plan->stats.weight;
	}
	out->roc_auc = out->test_roc_auc = out->test_log_loss = NAN;
	if (plan->family == DMP_BINOMIAL)
		out->roc_auc = histogram_auc(fit->last, 0, &out->auc_error);
	out->errors[0] = fit->last->errors[0];
	if (plan->stats.rows_test > 0)
	{
		DmpScanResult *r;

		plan->phase = DMP_SCAN_EVALUATE;
		plan->theta = s.theta;
		plan->direction = NULL;
		histogram_range(fit, s.theta);
		r = scan(fit);
		if (r == NULL)
			elog(ERROR, "training scan gave nothing");
		memcpy(out->errors, r->errors, sizeof(out->errors));
		if (plan->family != DMP_BINOMIAL)
			return out;
		if (r->histogram == NULL)
			elog(ERROR, "training scan gave no histogram");
		out->auc_error = 0;
		out->roc_auc = histogram_auc(r, 0, &out->auc_error);
		out->test_roc_auc = histogram_auc(r, 1, &out->auc_error);
		out->test_log_loss = r->test_weight > 0 ? r->test_loss / r->test_weight : NAN;
	}
	return out;
}

/* a scan of a path; what the one before gave is gone */
static DmpScanResult *
scan_again(void *arg)
{
	Fit *fit = arg;

	fit->last = NULL;
	MemoryContextReset(fit->pass);
	return scan(fit);
}

/* the path of all rows from that of a sample, and the fit of the lambda that is chosen */
static DmpScanSolution *
solve_path_by_scans(Fit *fit, const DmpScanPath *sample)
{
	DmpScanPlan *plan = &fit->plan;
	int n = plan->layout.shape.nparams;
	DmpScanSolution *out = NULL;
	DmpScanPath *path;
	double *theta;

	if (sample->n == 1)
		out = solve_by_scans(fit, NULL, sample->theta);
	path = dmp_scan_path_by_scans(plan, sample, out ? out->theta : NULL, scan_again, fit);
	plan->lambda = path->lambda[path->chosen];
	theta = path->theta + (Size) path->chosen * n;
	if (out == NULL)
		out = solve_by_scans(fit, NULL, theta);
	memcpy(theta, out->theta, sizeof(double) * n);
	path->loss[path->chosen] = out->loss - path->saturated;
	path->saturated = 0;
	path->kkt[path->chosen] = out->kkt;
	out->path = path;
	out->lambda_max = path->lambda_max;
	return out;
}

/* everything but the design: scans until there is a solution, or a reason for none */
static DmpScanSolution *
run_scans(Fit *fit, DmpFitStatus *status)
{
	DmpScanPlan *plan = &fit->plan;
	DmpScanResult *r = scan(fit);

	*status = DMP_FIT_NO_ROWS;
	if (r == NULL)
		return NULL;
	if (r->ndense != plan->ndense || r->ntexts != plan->ntexts)
		elog(ERROR, "training scan gave another number of columns");
	plan->stats = r->stats;
	*status = DMP_FIT_NOT_BINARY;
	if (r->stats.rows_odd > 0)
		return NULL;
	if (!dmp_scan_can_fit(plan, &plan->stats, status))
		return NULL;
	plan->layout = *dmp_layout_make(plan, &plan->stats);
	if (!dmp_scan_enough_rows(plan, &plan->stats, &plan->layout))
	{
		*status = DMP_FIT_TOO_FEW_ROWS;
		return NULL;
	}
	if (r->solution == NULL && r->statistics_only)
	{
		DmpStats stats = plan->stats;

		plan->phase = DMP_SCAN_BLOCKS;
		r = scan(fit);
		if (r == NULL)
			elog(ERROR, "rows vanished between two scans");
		plan->stats = stats;
	}
	if (r->solution)
	{
		if (r->nparams != plan->layout.shape.nparams)
			elog(ERROR, "training scan gave another number of parameters");
		if (r->solution->path && r->solution->path->sampled)
			return solve_path_by_scans(fit, r->solution->path);
		if (r->solution->path)
			plan->lambda = r->solution->path->lambda[r->solution->path->chosen];
		return r->solution;
	}
	if (plan->nlambdas > 0)
		elog(ERROR, "training scan gave no path");
	return solve_by_scans(fit, r, NULL);
}

/* ----------------------------------------------------------------- result */

/* numbers the design columns in feature order and describes the features; column[p] of parameter p */
static void
make_design(const Fit *fit, DmpFit *out, int *column)
{
	const DmpScanPlan *plan = &fit->plan;
	const DmpLayout *l = &plan->layout;
	const DmpStats *stats = &plan->stats;
	DmpDesign *d = &out->design;
	int width = 0, f, j = 0, k = 0, i;

	d->nfeatures = plan->nfeatures;
	d->features = palloc0(sizeof(DmpFeature) * (plan->nfeatures + 2));
	for (f = 0; f < plan->nfeatures; f++)
	{
		DmpFeature *x = &d->features[f];

		*x = fit->spec->features[f];
		x->name = pstrdup(x->name);
		x->index = x->missing_index = x->other_index = -1;
		x->nlevels = 0;
		x->levels = NULL;
		if (x->encode == DMP_ENCODE_ONE_HOT)
		{
			const DmpDictionary *dictionary = &stats->texts[k];
			const DmpTextMap *map = &l->texts[k++];

			x->nlevels = map->nlevels;
			x->levels = palloc0(sizeof(DmpLevel) * (map->nlevels + 1));
			for (i = 0; i < map->nlevels; i++)
			{
				const DmpLevelStats *level = &dictionary->levels[map->level_code[i]];

				x->levels[i].text = pstrdup(level->text);
				x->levels[i].rows = level->rows;
				x->levels[i].index = -1;
				if (map->param[map->level_code[i]] >= 0)
					column[map->param[map->level_code[i]]] = x->levels[i].index = width++;
			}
			for (i = 0; i < dictionary->n; i++)
				if (dictionary->levels[i].rows < plan->min_count)
					x->rows_other += dictionary->levels[i].rows;
			if (map->other_param >= 0)
				column[map->other_param] = x->other_index = width++;
			x->rows_missing = dictionary->rows_missing;
			if (map->missing_param >= 0)
			{
				if (map->missing_param != map->other_param)
					column[map->missing_param] = width++;
				x->missing_index = column[map->missing_param];
			}
		}
		else
		{
			x->rows_missing = stats->columns[j].rows_missing;
			x->fill = stats->pivot[j] + l->fill[j];
			if (isnan(x->fill))
				x->fill = 0;
			if (!l->fixed[1 + j])
				column[1 + j] = x->index = width++;
			if (l->flag_param[j] >= 0)
				column[l->flag_param[j]] = x->missing_index = width++;
			j++;
		}
	}
	if (plan->has_offset)
	{
		/* the base margin scores like a number whose coefficient is 1 */
		DmpFeature *x = &d->features[d->nfeatures++];

		x->name = pstrdup(fit->spec->base_margin);
		x->type = FLOAT8OID;
		x->encode = DMP_ENCODE_NUMERIC;
		x->index = width++;
		x->missing_index = x->other_index = -1;
		x->fill = stats->offset_mean;
	}
	d->width = width;
	d->pivot = palloc0(sizeof(double) * (width + 1));
	d->mean = palloc0(sizeof(double) * (width + 1));
	d->scale = palloc0(sizeof(double) * (width + 1));
	for (i = 1; i < l->shape.nparams; i++)
		if (column[i] >= 0)
		{
			if (i <= plan->ndense)
				d->pivot[column[i]] = stats->pivot[i - 1];
			d->mean[column[i]] = d->pivot[column[i]] + l->mean[i];
			d->scale[column[i]] = l->penalty_scale[i];
		}
	if (plan->has_offset)
	{
		d->mean[width - 1] = stats->offset_mean;
		d->scale[width - 1] = sqrt(stats->offset_m2 / stats->weight);
	}
}

/* name of a design column for messages: price, city = 'Rome' */
static char *
param_name(const Fit *fit, int param)
{
	const DmpScanPlan *plan = &fit->plan;
	const DmpLayout *l = &plan->layout;
	int f, j = 0, k = 0, i;

	for (f = 0; f < plan->nfeatures; f++)
	{
		if (plan->encode[f] == DMP_ENCODE_ONE_HOT)
		{
			const DmpTextMap *map = &l->texts[k];

			for (i = 0; i < map->nlevels; i++)
				if (map->param[map->level_code[i]] == param)
					return psprintf("\"%s\" = '%s'", plan->names[f],
									plan->stats.texts[k].levels[map->level_code[i]].text);
			if (map->other_param == param)
				return psprintf("\"%s\" = (other)", plan->names[f]);
			if (map->missing_param == param)
				return psprintf("\"%s\" = (missing)", plan->names[f]);
			k++;
		}
		else
		{
			if (1 + j == param)
				return psprintf("\"%s\"", plan->names[f]);
			if (l->flag_param[j] == param)
				return psprintf("\"%s\" = (missing)", plan->names[f]);
			j++;
		}
	}
	return pstrdup("the intercept");
}

static void
warn(DmpFit *out, char *text)
{
	out->warnings = lappend(out->warnings, text);
}

void
dmp_fit_take_errors(DmpFit *fit, int which, const DmpErrorSums *e)
{
	if (!(e->weight > 0))
		return;
	fit->rmse[which] = sqrt(e->square / e->weight);
	fit->mae[which] = e->absolute / e->weight;
	fit->mean_deviance[which] = e->deviance / e->weight;
	fit->r_squared[which] = e->target_m2 > 0 ? 1 - e->square / e->target_m2 : NAN;
}

static void
take_metrics(DmpFit *out, const DmpScanSolution *s, const DmpScanPlan *plan)
{
	const DmpErrorSums *e = &s->errors[0];
	double W = plan->stats.weight;
	int i;

	if (plan->family == DMP_BINOMIAL)
	{
		out->log_loss = s->loss;
		out->null_log_loss = s->null_loss;
		return;
	}
	out->null_deviance_of_numbers = 2 * W * s->null_loss;
	if (plan->family == DMP_GAUSSIAN)
	{
		double rows = (double) plan->stats.rows;

		out->dispersion = plan->stats.rows > out->rank ? 2 * s->loss * W / (rows - out->rank) : NAN;
		out->minus_two_log_likelihood =
			rows * (log(2 * M_PI * e->square / rows) + 1) - e->log_weight;
	}
	else
	{
		/* what no model could explain: sum w (y - y log y) */
		out->null_deviance_of_numbers += e->deviance - 2 * W * s->loss;
		out->minus_two_log_likelihood = 2 * (W * s->loss + e->log_factorial);
	}
	for (i = 0; i < 2; i++)
		dmp_fit_take_errors(out, i, &s->errors[i]);
}

static DmpFit *
make_fit(Fit *fit, const DmpScanSolution *s, DmpFitStatus status)
{
	DmpFit *out = palloc0(sizeof(DmpFit));
	const DmpScanPlan *plan = &fit->plan;
	int n = plan->layout.shape.nparams, i;
	int *column;

	out->status = s ? s->status : status;
	out->rows = plan->stats.rows;
	out->rows_test = plan->stats.rows_test;
	out->rows_skipped = plan->stats.rows_skipped;
	out->rows_positive = plan->stats.rows_positive;
	out->weight_sum = plan->stats.weight;
	out->weight_positive = plan->stats.weight_positive;
	out->log_loss = out->objective = out->kkt_residual = NAN;
	out->lambda_max = out->roc_auc = out->test_roc_auc = out->test_log_loss = NAN;
	out->null_log_loss = out->loss = out->null_loss = NAN;
	for (i = 0; i < 2; i++)
		out->rmse[i] = out->mae[i] = out->r_squared[i] = out->mean_deviance[i] = NAN;
	out->dispersion = 1;
	out->family = plan->family;
	out->scans = fit->scans;
	out->memory_used = fit->memory;
	if (s == NULL)
	{
		/* a design without columns, so that the names are there */
		out->design.nfeatures = 0;
		out->coef = palloc0(sizeof(double));
		out->aliased = palloc0(sizeof(bool));
		return out;
	}
	for (i = 0; i < n; i++)
		out->rank +=
			!plan->layout.fixed[i] && !s->aliased[i] && !dmp_at_bound(&plan->layout, s->theta, i);
	column = palloc(sizeof(int) * n);
	memset(column, -1, sizeof(int) * n);
	make_design(fit, out, column);
	out->a = s->theta[0] + (plan->intercept ? plan->stats.target_pivot : 0);
	out->coef = palloc0(sizeof(double) * (out->design.width + 1));
	out->aliased = palloc0(sizeof(bool) * (out->design.width + 1));
	for (i = 1; i < n; i++)
		if (column[i] >= 0)
		{
			out->coef[column[i]] = s->theta[i];
			out->aliased[column[i]] = s->aliased[i] == 2;
			if (s->aliased[i] == 2)
				warn(out, psprintf("%s is a combination of other columns and has no coefficient",
								   param_name(fit, i)));
		}
	if (plan->has_offset)
	{
		out->coef[out->design.width - 1] = 1;
		out->base_margin = pstrdup(fit->spec->base_margin);
	}
	out->loss = s->loss;
	out->null_loss = s->null_loss;
	take_metrics(out, s, plan);
	out->objective = s->objective;
	out->kkt_residual = s->kkt;
	out->iterations = s->iterations;
	out->lambda_max = plan->lambda > 0 ? s->lambda_max : NAN;
	out->roc_auc = s->roc_auc;
	out->test_roc_auc = s->test_roc_auc;
	out->test_log_loss = s->test_log_loss;
	for (i = 1; i < n; i++)
		if (dmp_at_bound(&plan->layout, s->theta, i))
			warn(out, psprintf("the coefficient of %s is at its bound %g and has no standard error",
							   param_name(fit, i), s->theta[i]));
	for (i = 0; i < plan->ndense; i++)
	{
		const DmpColumnStats *c = &plan->stats.columns[i];

		if (!plan->layout.fixed[1 + i])
			continue;
		warn(out, psprintf(c->weight == 0     ? "%s is always missing and has no coefficient"
						   : c->low < c->high ? "the values of %s are too large or too small to "
												"be squared: it has no coefficient"
											  : "%s is constant and has no coefficient",
						   param_name(fit, 1 + i)));
	}
	if (s->auc_error > 1e-4)
		warn(out, psprintf("roc_auc is known to within %.1g only: margins lie too close together",
						   s->auc_error));
	if (s->separated_param >= 0)
		warn(out, psprintf(plan->family == DMP_POISSON
							   ? "the target is 0 in all rows along %s: its coefficient has no "
								 "finite value; a penalty (lambda) gives one"
							   : "the classes can be told apart without error along %s: its "
								 "coefficient has no finite value; a penalty (lambda) gives one",
						   param_name(fit, s->separated_param)));
	if (s->path)
	{
		out->path = dmp_fit_path(plan, s->path, column, out->design.width);
		out->lambda = plan->lambda;
	}
	dmp_fit_errors(fit->spec, plan, s, column, fit->meat, fit->clusters, out);
	if (fit->spec->source)
		fit->spec->source->finish(fit->spec->source, plan, column, out, s);
	dmp_fit_keep_loss(plan, out, s, column);
	return out;
}

/*
 * Runs the scans and the solver. SPI must be connected; the result is in
 * CurrentMemoryContext. Statuses other than converged come back as such, not
 * as errors; hostile values (a target that is neither 0 nor 1, a negative
 * weight) are errors.
 */
DmpFit *
dmp_fit_binomial(const DmpFitSpec *spec)
{
	Fit fit;
	DmpFit *out;
	DmpScanSolution *solution;
	DmpFitStatus status;

	memset(&fit, 0, sizeof(fit));
	fit.spec = spec;
	fit.context = CurrentMemoryContext;
	fit.work = AllocSetContextCreate(CurrentMemoryContext, "dmp fit", ALLOCSET_DEFAULT_SIZES);
	fit.pass = AllocSetContextCreate(fit.work, "dmp fit pass", ALLOCSET_DEFAULT_SIZES);
	MemoryContextSwitchTo(fit.work);
	make_plan(&fit);
	if (spec->source == NULL)
		fit.sql = make_sql(&fit);
	/* what this transaction has done so far is seen, by every scan alike */
	CommandCounterIncrement();
	PushActiveSnapshot(GetTransactionSnapshot());
	fit.alone = spec->source == NULL && better_alone(&fit);
	MemoryContextSwitchTo(fit.work);
	solution = run_scans(&fit, &status);
	if ((spec->robust || spec->has_cluster) && solution != NULL &&
		solution->status == DMP_FIT_CONVERGED && dmp_errors_refused(spec) == NULL)
	{
		fit.meat = dmp_fit_meat(spec, &fit.plan, solution->theta, &fit.clusters);
		fit.scans++;
	}
	PopActiveSnapshot();
	MemoryContextSwitchTo(fit.context);
	out = make_fit(&fit, solution, status);
	MemoryContextDelete(fit.work);
	return out;
}
