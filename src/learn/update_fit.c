/*-------------------------------------------------------------------------
 * update_fit.c
 *		New rows and the prior: one convex problem, and the prior after it.
 *
 *		minimise 1/W [ prior(theta) + loss of the new rows ] + lambda P(b)
 *
 * The prior is the loss of the rows before, to second order, and to third
 * where that is kept, decayed; the penalty is no part of it and comes in anew
 * with the weight of all rows, so that a penalised model shrinks neither twice
 * nor less with each update. From the optimum the new rows join the prior by
 * their own derivatives there.
 *
 * A polynomial of third order has no bottom. Its answer is taken while it is
 * a small change of the second-order one: when the third derivatives along the
 * way outweigh the second, the way is gone again without those of the prior.
 *
 * A value of a text, or a missing one, that had no column before gets one
 * here, with a prior of zero: no row before had it, so that is the truth (but
 * for the min_count rows that were counted elsewhere meanwhile).
 */
#include "learn/update.h"

#include <math.h>

#include "utils/memutils.h"

typedef struct Rows
{
	DmpBatch *batch;
	DmpUpdateRoom room;
	double *offset; /* theta - origin */
	double *gradient;
	double *hessian;
} Rows;

void *
dmp_update_aligned(Size size)
{
	return (void *) TYPEALIGN(64, palloc_extended(size + 64, MCXT_ALLOC_HUGE));
}

/* --------------------------------------------------------- columns that are new */

static double *
longer(double *x, Size from, Size to)
{
	x = from > 0 ? repalloc(x, sizeof(double) * to) : palloc(sizeof(double) * to);
	memset(x + from, 0, sizeof(double) * (to - from));
	return x;
}

/* the design's next column: an indicator that a share of the rows has */
static int
add_column(DmpBatch *batch, int64 rows)
{
	DmpUpdateState *state = batch->state;
	DmpDesign *design = &batch->model->design;
	DmpQuadratic *q = &state->prior;
	int w = design->width++, n = state->nparams++, i, j;
	double share = Min(1, (double) rows / Max(state->rows + batch->read, 1));

	design->pivot = longer(design->pivot, w, w + 1);
	design->mean = longer(design->mean, w, w + 1);
	design->scale = longer(design->scale, w, w + 1);
	batch->model->coef = longer(batch->model->coef, w, w + 1);
	design->scale[w] = state->standardize == 1 ? sqrt(share * (1 - share)) : 1;
	q->nparams = n + 1;
	q->linear = longer(q->linear, n, n + 1);
	q->hessian = longer(q->hessian, DMP_TRI(n), DMP_TRI(n + 1));
	if (q->cubic)
	{
		double *cubic = palloc0(sizeof(double) * (n + 1) * (n + 1) * (n + 1));

		for (i = 0; i < n; i++)
			for (j = 0; j < n; j++)
				memcpy(cubic + ((Size) i * (n + 1) + j) * (n + 1),
					   q->cubic + ((Size) i * n + j) * n, sizeof(double) * n);
		pfree(q->cubic);
		q->cubic = cubic;
	}
	state->origin = longer(state->origin, n, n + 1);
	state->mean = longer(state->mean, n, n + 1);
	state->variance = longer(state->variance, n, n + 1);
	state->factor = longer(state->factor, n, n + 1);
	state->lower = longer(state->lower, n, n + 1);
	state->upper = longer(state->upper, n, n + 1);
	state->factor[n] = 1;
	state->lower[n] = -INFINITY;
	state->upper[n] = INFINITY;
	batch->theta = longer(batch->theta, n, n + 1);
	return w;
}

static void
add_level(DmpFeature *feature, const char *text, int index)
{
	int at = feature->nlevels++;

	feature->levels =
		at > 0 ? repalloc(feature->levels, sizeof(DmpLevel) * (at + 1)) : palloc(sizeof(DmpLevel));
	while (at > 0 && strcmp(feature->levels[at - 1].text, text) > 0)
	{
		feature->levels[at] = feature->levels[at - 1];
		at--;
	}
	feature->levels[at].text = pstrdup(text);
	feature->levels[at].rows = 0; /* counted at the end */
	feature->levels[at].index = index;
}

static bool
is_level(const DmpFeature *feature, const DmpLevelStats *value)
{
	bool unseen = false;

	dmp_level_column(feature, value->text, value->length, &unseen);
	return !unseen;
}

static void
warn(DmpBatch *batch, char *text)
{
	batch->warnings = lappend(batch->warnings, text);
}

/* what now has min_count rows */
static bool
add_columns(DmpBatch *batch)
{
	DmpUpdateState *state = batch->state;
	DmpDesign *design = &batch->model->design;
	int before = design->width, k = 0, i, j;

	for (i = 0; i < design->nfeatures; i++)
	{
		DmpFeature *feature = &design->features[i];

		if (state->missing[i] >= state->min_count && state->nparams < DMP_LOSS_PARAMS)
		{
			feature->missing_index = add_column(batch, state->missing[i]);
			state->missing[i] = -1;
			warn(batch, psprintf("missing values of \"%s\" have a coefficient of their own now",
								 feature->name));
		}
		if (feature->encode != DMP_ENCODE_ONE_HOT)
			continue;
		for (j = 0; j < state->text[k].n; j++)
		{
			const DmpLevelStats *value = &state->text[k].levels[j];

			if (value->rows < state->min_count || is_level(feature, value) ||
				state->nparams >= DMP_LOSS_PARAMS)
				continue;
			add_level(feature, value->text, add_column(batch, value->rows));
			warn(batch, psprintf("\"%s\" = '%s' has a coefficient of its own now", feature->name,
								 value->text));
		}
		k++;
	}
	return design->width > before;
}

/* --------------------------------------------------------------- evaluation */

static void
sum_rows(Rows *rows, const double *theta, DmpGlmSums *sums, double *weight, DmpErrorSums *errors)
{
	DmpBatch *batch = rows->batch;
	int t, i;

	for (t = 0; t < batch->ntiles; t++)
	{
		DmpGlmTile tile;

		CHECK_FOR_INTERRUPTS();
		dmp_update_tile(batch, batch->map, batch->tiles[t], &rows->room, &tile);
		dmp_glm_tile(&batch->map->shape, &tile, theta, NULL, sums,
					 errors ? rows->room.margins : NULL, rows->room.scratch);
		if (errors && tile.target)
			dmp_errors_tile(errors, batch->map->shape.family, &tile, rows->room.margins);
		for (i = 0; i < tile.n; i++)
			*weight += tile.weight[i];
	}
}

/* value of the prior; derivatives into rows->gradient and ->hessian */
static double
prior_at(Rows *rows, const double *theta)
{
	const DmpUpdateState *state = rows->batch->state;
	int i;

	for (i = 0; i < state->nparams; i++)
		rows->offset[i] = theta[i] - state->origin[i];
	return dmp_quadratic_at(&state->prior, rows->offset, rows->gradient, rows->hessian);
}

/* the solver's callback */
static void
eval_update(void *arg, const double *theta, const double *direction, int stride, DmpGlmSums *sums,
			double *weight)
{
	Rows *rows = arg;
	int n = rows->batch->state->nparams;

	sums->loss += prior_at(rows, theta);
	dmp_axpy(n, 1, rows->gradient, sums->gradient);
	if (sums->hessian)
		dmp_axpy(DMP_TRI(n), 1, rows->hessian, sums->hessian);
	*weight += rows->batch->state->weight;
	sum_rows(rows, theta, sums, weight, NULL);
}

/* -------------------------------------------------------------------- moments */

/* means and variances of the columns, with the new rows (Chan, Golub and LeVeque) */
static void
add_moments(Rows *rows)
{
	DmpBatch *batch = rows->batch;
	DmpUpdateState *state = batch->state;
	int n = state->nparams, nd = batch->map->shape.ndense, t, j, k, i;
	double *sum = palloc0(sizeof(double) * 2 * n), *square = sum + n;
	double weight = 0, all;

	for (t = 0; t < batch->ntiles; t++)
	{
		DmpGlmTile tile;

		CHECK_FOR_INTERRUPTS();
		dmp_update_tile(batch, batch->map, batch->tiles[t], &rows->room, &tile);
		for (i = 0; i < tile.n; i++)
			weight += tile.weight[i];
		for (j = 0; j < nd; j++)
			for (i = 0; i < tile.n; i++)
			{
				double d = tile.dense[(Size) j * DMP_TILE + i] - state->mean[1 + j];

				sum[1 + j] += tile.weight[i] * d;
				square[1 + j] += tile.weight[i] * d * d;
			}
		for (k = 0; k < batch->map->shape.ncoded; k++)
			for (i = 0; i < tile.n; i++)
			{
				int32 p = tile.codes[(Size) k * DMP_TILE + i];

				if (p > 0)
					sum[p] += tile.weight[i];
			}
	}
	all = state->weight + weight;
	for (j = 1; j < n && all > 0; j++)
	{
		if (j <= nd)
		{
			/* about the old mean: sum of squares, then to the new mean */
			double shift = sum[j] / all;

			state->variance[j] =
				fmax((state->variance[j] * state->weight + square[j]) / all - shift * shift, 0);
			state->mean[j] += shift;
		}
		else
		{
			state->mean[j] = (state->mean[j] * state->weight + sum[j]) / all;
			state->variance[j] = state->mean[j] * fmax(1 - state->mean[j], 0);
		}
	}
	pfree(sum);
}

/* ---------------------------------------------------------------------- solve */

static void
make_problem(Rows *rows, DmpGlmProblem *problem, double *sd)
{
	DmpBatch *batch = rows->batch;
	const DmpUpdateState *state = batch->state;
	int n = state->nparams, j;
	double *scale = palloc0(sizeof(double) * n);
	unsigned char *fixed = palloc0(n);

	for (j = 0; j < n; j++)
	{
		sd[j] = j > 0 ? sqrt(state->variance[j]) : 1;
		fixed[j] = j > 0 ? !(sd[j] > 0) : !state->intercept;
		scale[j] = j > 0 ? batch->model->design.scale[batch->map->column[j]] : 1;
	}
	memset(problem, 0, sizeof(*problem));
	problem->shape = batch->map->shape;
	problem->lambda = state->lambda;
	problem->unit = state->unit;
	problem->alpha = state->alpha;
	problem->penalty_scale = scale;
	problem->mean = state->mean;
	problem->sd = sd;
	problem->fixed = fixed;
	for (j = 1; j < n; j++)
	{
		if (state->factor[j] != 1)
			problem->penalty_factor = state->factor;
		if (isfinite(state->lower[j]) || isfinite(state->upper[j]))
		{
			problem->lower = state->lower;
			problem->upper = state->upper;
		}
	}
	problem->tolerance = state->tolerance;
	problem->max_iterations = state->max_iterations;
	problem->max_stride = 1;
	problem->eval = eval_update;
	problem->arg = rows;
	problem->env = &dmp_server_env;
}

/* the prior becomes its second-order part at theta */
static void
drop_cubic(Rows *rows, const double *theta)
{
	DmpUpdateState *state = rows->batch->state;
	int n = state->nparams;

	state->prior.constant = prior_at(rows, theta);
	memcpy(state->prior.linear, rows->gradient, sizeof(double) * n);
	memcpy(state->prior.hessian, rows->hessian, sizeof(double) * DMP_TRI(n));
	memcpy(state->origin, theta, sizeof(double) * n);
	pfree(state->prior.cubic);
	state->prior.cubic = NULL;
}

/* whether the third derivatives of the prior were a small matter on the way from start */
static bool
cubic_holds(Rows *rows, const double *start, const DmpGlmSolution *s)
{
	int n = rows->batch->state->nparams, i;
	double *step = palloc(sizeof(double) * 2 * n), *product = step + n;
	double before, after;

	for (i = 0; i < n; i++)
	{
		if (!isfinite(s->theta[i]) || s->aliased[i] == 2)
			return false;
		step[i] = s->theta[i] - start[i];
	}
	if (s->status != DMP_SOLVE_CONVERGED)
		return false;
	prior_at(rows, start);
	dmp_symmetric_multiply(n, rows->hessian, step, product);
	before = dmp_dot(n, step, product);
	prior_at(rows, s->theta);
	dmp_symmetric_multiply(n, rows->hessian, step, product);
	after = dmp_dot(n, step, product);
	return fabs(after - before) <= 0.5 * before;
}

static void
solve(Rows *rows, DmpGlmProblem *problem, DmpGlmSolution *s)
{
	DmpBatch *batch = rows->batch;
	int n = batch->state->nparams;

	memset(s, 0, sizeof(*s));
	s->theta = palloc(sizeof(double) * n);
	s->gradient = palloc(sizeof(double) * n);
	s->hessian = MemoryContextAllocHuge(CurrentMemoryContext, sizeof(double) * DMP_TRI(n));
	s->aliased = palloc0(n);
	memcpy(s->theta, batch->theta, sizeof(double) * n);
	dmp_glm_solve(problem, s);
	batch->iterations += s->iterations;
	if (batch->state->prior.cubic == NULL || cubic_holds(rows, batch->theta, s))
		return;
	drop_cubic(rows, batch->theta);
	memcpy(s->theta, batch->theta, sizeof(double) * n);
	dmp_glm_solve(problem, s);
	batch->iterations += s->iterations;
}

/* third derivatives of the new rows at theta, of all of them by a sample; NULL: too many columns */
static double *
third_of_rows(Rows *rows, const double *theta, double weight)
{
	DmpBatch *batch = rows->batch;
	const DmpGlmShape *shape = &batch->map->shape;
	int n = shape->nparams, stride = Max(1, batch->ntiles / dmp_cubic_tiles(n)), t, i;
	double *slices, *tensor, seen = 0;
	void *scratch;

	if (n > DMP_CUBIC_PARAMS || shape->family == DMP_GAUSSIAN)
		return NULL;
	slices = palloc0(sizeof(double) * dmp_cubic_size(n));
	scratch = dmp_update_aligned(dmp_glm_cubic_scratch(shape));
	for (t = 0; t < batch->ntiles; t += stride)
	{
		DmpGlmTile tile;

		CHECK_FOR_INTERRUPTS();
		dmp_update_tile(batch, batch->map, batch->tiles[t], &rows->room, &tile);
		dmp_glm_tile_cubic_coded(shape, &tile, theta, slices, scratch);
		for (i = 0; i < tile.n; i++)
			seen += tile.weight[i];
	}
	if (!(seen > 0))
		return NULL;
	tensor = palloc(sizeof(double) * n * n * n);
	dmp_cubic_tensor(n, slices, weight / seen, tensor);
	return tensor;
}

/* the new rows join the prior, by their derivatives at theta */
static void
fold(Rows *rows, const double *theta)
{
	DmpBatch *batch = rows->batch;
	DmpUpdateState *state = batch->state;
	DmpQuadratic *q = &state->prior;
	int n = state->nparams, i;
	double *tensor, weight = 0;
	DmpGlmSums sums;

	sums.gradient = palloc(sizeof(double) * n);
	sums.hessian = rows->hessian;
	dmp_glm_sums_clear(&batch->map->shape, &sums);
	sum_rows(rows, theta, &sums, &weight, &batch->errors_after);
	batch->loss_after += sums.loss;
	batch->weight_fitted += weight;
	if (n > DMP_CUBIC_PARAMS && q->cubic)
	{
		double *hessian = rows->hessian;

		/* columns were added: no room for them all any more */
		rows->hessian = palloc(sizeof(double) * DMP_TRI(n));
		drop_cubic(rows, theta);
		rows->hessian = hessian;
	}
	tensor = third_of_rows(rows, theta, weight);
	if (tensor && q->cubic == NULL)
		q->cubic = palloc0(sizeof(double) * n * n * n);
	for (i = 0; i < n; i++)
		rows->offset[i] = theta[i] - state->origin[i];
	dmp_quadratic_add_sums(q, rows->offset, &sums, tensor, palloc(sizeof(double) * 2 * n));
	state->weight += weight;
}

/* standard errors from the Hessian of all rows, of (intercept on the raw scale, design columns) */
static double *
errors(Rows *rows, const DmpGlmProblem *problem, const DmpGlmSolution *s)
{
	DmpBatch *batch = rows->batch;
	const DmpUpdateState *state = batch->state;
	int n = state->nparams, i;
	double *cov, *shift, *product, *out, loss = prior_at(rows, s->theta);
	unsigned char *skip = palloc(n);

	batch->dispersion = 1;
	batch->rank = 0;
	for (i = 0; i < n; i++)
		batch->rank += !problem->fixed[i] && !s->aliased[i];
	if (state->family == DMP_GAUSSIAN)
		batch->dispersion = 2 * loss / (double) (state->rows + batch->read - batch->rank);
	if (state->decayed || batch->status != DMP_FIT_CONVERGED || state->lambda * state->alpha > 0 ||
		problem->lower != NULL || !(batch->dispersion >= 0) || !isfinite(batch->dispersion))
		return NULL;
	cov = MemoryContextAllocHuge(CurrentMemoryContext, sizeof(double) * DMP_TRI(n));
	for (i = 0; i < n; i++)
		skip[i] = problem->fixed[i] || s->aliased[i];
	dmp_glm_covariance(problem, rows->hessian, NULL, state->weight, skip, cov);
	/* raw intercept = a - c.b */
	shift = palloc0(sizeof(double) * 2 * n);
	product = shift + n;
	shift[0] = state->intercept ? 1 : 0;
	for (i = 1; i < n; i++)
		shift[i] = -batch->model->design.pivot[batch->map->column[i]];
	dmp_symmetric_multiply(n, cov, shift, product);
	out = palloc0(sizeof(double) * (1 + batch->model->design.width));
	out[0] = sqrt(fmax(batch->dispersion * dmp_dot(n, shift, product), 0));
	for (i = 1; i < n; i++)
		out[1 + batch->map->column[i]] =
			s->aliased[i] ? NAN : sqrt(fmax(batch->dispersion * cov[DMP_TRI(i) + i], 0));
	return out;
}

static DmpFitStatus
status_of(const DmpGlmSolution *s)
{
	DmpScanSolution as;

	memset(&as, 0, sizeof(as));
	dmp_solution_take(&as, s);
	return as.status;
}

/* rows to learn from, of the rarer class */
int64
dmp_update_few(const DmpBatch *batch)
{
	if (batch->model->link != DMP_BINOMIAL)
		return batch->rows[0] + batch->rows[1];
	return Min(batch->rows[0], batch->rows[1]);
}

/*
 * At the end of a batch: too few rows of a class wait for the next one, unless
 * they have become so many that they had better be forgotten.
 */
void
dmp_update_finish(DmpBatch *batch)
{
	int64 few = dmp_update_few(batch), all = batch->rows[0] + batch->rows[1];

	if (few >= DMP_UPDATE_MIN_ROWS || batch->bytes > batch->room / 4)
		dmp_update_fit(batch);
	else if (batch->model->link != DMP_BINOMIAL)
		warn(batch, psprintf(INT64_FORMAT " rows wait for the next update: %d are needed", all,
							 DMP_UPDATE_MIN_ROWS));
	else
		warn(batch,
			 psprintf(INT64_FORMAT " rows wait for the next update: there are only " INT64_FORMAT
								   " of class \"%s\" yet, and %d are needed",
					  all, few,
					  batch->rows[1] <= batch->rows[0] ? batch->model->positive
													   : batch->model->negative,
					  DMP_UPDATE_MIN_ROWS));
}

/* The rows of the batch and the prior: theta, and the prior after it. The rows are used up. */
void
dmp_update_fit(DmpBatch *batch)
{
	MemoryContext work =
		AllocSetContextCreate(batch->context, "dmp update fit", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(batch->context);
	DmpUpdateState *state = batch->state;
	DmpGlmProblem problem;
	DmpGlmSolution s;
	Rows rows;
	int n, i;

	(void) add_columns(batch);
	batch->map = dmp_update_map(batch->model, state);
	n = state->nparams;
	MemoryContextSwitchTo(work);
	rows.batch = batch;
	dmp_update_room(&rows.room, &batch->map->shape);
	rows.offset = palloc(sizeof(double) * n);
	rows.gradient = palloc(sizeof(double) * n);
	rows.hessian = palloc(sizeof(double) * DMP_TRI(n));
	add_moments(&rows);
	make_problem(&rows, &problem, palloc(sizeof(double) * n));
	solve(&rows, &problem, &s);
	batch->status = status_of(&s);
	batch->objective = s.objective;
	batch->kkt = s.kkt_residual;
	MemoryContextSwitchTo(batch->context);
	fold(&rows, s.theta);
	batch->std_err = errors(&rows, &problem, &s);
	memcpy(batch->theta, s.theta, sizeof(double) * n);
	batch->aliased = palloc0(1 + batch->model->design.width);
	for (i = 1; i < n; i++)
		batch->aliased[batch->map->column[i]] = s.aliased[i] == 2;
	for (i = 0; i < batch->ntiles; i++)
	{
		pfree(batch->tiles[i]->number);
		pfree(batch->tiles[i]->code);
		pfree(batch->tiles[i]);
	}
	batch->ntiles = 0;
	batch->bytes = 0;
	batch->rows[0] = batch->rows[1] = 0;
	batch->parts++;
	MemoryContextSwitchTo(old);
	MemoryContextDelete(work);
}
