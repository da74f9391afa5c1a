/*-------------------------------------------------------------------------
 * update_state.c
 *		What a model remembers of the rows it has seen: made from a fit, to bytes
 *		and back, and the map from design columns to the kernel's parameters.
 *
 * The bytes are little-endian on every machine, and versioned. They are
 * checked on the way in against the design they belong to.
 */
#include "learn/update.h"
#include "learn/transform.h"

#include <math.h>

#include "port/pg_bswap.h"
#include "utils/memutils.h"

#define STATE_MAGIC UINT64CONST(0x31455441445055) /* "UPDATE1" */

int
dmp_update_numbers(const DmpDesign *design)
{
	int n = 0, i;

	for (i = 0; i < design->nfeatures; i++)
		n += design->features[i].encode <= DMP_ENCODE_BOOLEAN;
	return n;
}

int
dmp_update_texts(const DmpDesign *design)
{
	int n = 0, i;

	for (i = 0; i < design->nfeatures; i++)
		n += design->features[i].encode == DMP_ENCODE_ONE_HOT;
	return n;
}

/* ------------------------------------------------------------------- map */

/* the flags of numeric features that have one, in feature order; their number */
static int
map_flags(const DmpDesign *design, DmpUpdateMap *map)
{
	int n = 0, j = 0, i;

	for (i = 0; i < design->nfeatures; i++)
	{
		const DmpFeature *feature = &design->features[i];

		if (feature->encode > DMP_ENCODE_BOOLEAN)
			continue;
		if (feature->missing_index >= 0)
		{
			map->flag_param[n] = map->param[feature->missing_index];
			map->flag_number[n++] = j;
		}
		j++;
	}
	return n;
}

static int32 *
text_params(const DmpFeature *feature, const DmpDictionary *text, const int *param)
{
	int32 *out = palloc(sizeof(int32) * Max(text->n, 1));
	int i;

	for (i = 0; i < text->n; i++)
	{
		bool unseen = false;
		int column =
			dmp_level_column(feature, text->levels[i].text, text->levels[i].length, &unseen);

		out[i] = column >= 0 ? param[column] : -1;
	}
	return out;
}

DmpUpdateMap *
dmp_update_map(const DmpModel *model, const DmpUpdateState *state)
{
	const DmpDesign *design = &model->design;
	DmpUpdateMap *map = palloc0(sizeof(DmpUpdateMap));
	int margin_column = -1; /* of the base margin */
	int room = design->nfeatures + 1, dense = 0, number = 0, text = 0, next, i, k;

	map->number_feature = palloc(sizeof(int) * room);
	map->text_feature = palloc(sizeof(int) * room);
	map->dense_number = palloc(sizeof(int) * room);
	map->flag_number = palloc(sizeof(int) * room);
	map->param = palloc(sizeof(int) * (design->width + 1));
	map->column = palloc(sizeof(int) * (design->width + 1));
	map->text_param = palloc(sizeof(int32 *) * room);
	map->text_codes = palloc(sizeof(int) * room);
	map->text_other = palloc(sizeof(int) * room);
	map->text_missing = palloc(sizeof(int) * room);
	map->flag_param = palloc(sizeof(int) * room);
	memset(map->param, -1, sizeof(int) * (design->width + 1));
	map->column[0] = -1;
	map->offset_number = -1;
	for (i = 0; i < design->nfeatures; i++)
	{
		const DmpFeature *feature = &design->features[i];

		if (feature->encode <= DMP_ENCODE_BOOLEAN)
		{
			if (model->base_margin != NULL && i == design->nfeatures - 1)
			{
				margin_column = feature->index;
				map->offset_number = number;
			}
			else if (feature->index >= 0)
			{
				map->dense_number[dense++] = number;
				map->param[feature->index] = dense;
				map->column[dense] = feature->index;
			}
			map->number_feature[number++] = i;
		}
		else
			map->text_feature[text++] = i;
	}
	next = 1 + dense;
	for (i = 0; i < design->width; i++)
		if (map->param[i] < 0 && i != margin_column)
		{
			map->column[next] = i;
			map->param[i] = next++;
		}
	for (k = 0; k < text; k++)
	{
		const DmpFeature *feature = &design->features[map->text_feature[k]];

		map->text_codes[k] = state->text[k].n;
		map->text_param[k] = text_params(feature, &state->text[k], map->param);
		map->text_other[k] = feature->other_index >= 0 ? map->param[feature->other_index] : -1;
		map->text_missing[k] =
			feature->missing_index >= 0 ? map->param[feature->missing_index] : -1;
	}
	map->shape.ndense = dense;
	map->shape.ncoded = text + map_flags(design, map);
	map->shape.nparams = next;
	map->shape.family = state->family;
	return map;
}

/* ----------------------------------------------------------- from a fit */

/* a parameter's number of the problem, by design column */
static double *
by_column(const double *of, const int *param, int width)
{
	double *out;
	int i;

	if (of == NULL)
		return NULL;
	out = palloc0(sizeof(double) * width);
	for (i = 1; i < width; i++)
		if (param[i] >= 0)
			out[i] = of[param[i]];
	return out;
}

/* the loss about the solution, by design columns, for dmp.update_model */
void
dmp_fit_keep_loss(const DmpScanPlan *plan, DmpFit *out, const DmpScanSolution *s, const int *column)
{
	int n = plan->layout.shape.nparams, width = 1 + out->design.width, i, j, k;
	int *param = palloc(sizeof(int) * width); /* of a design column, after the intercept */
	DmpGlmProblem problem;
	DmpLoss *loss;

	if (out->status != DMP_FIT_CONVERGED || width > DMP_LOSS_PARAMS || s->gradient == NULL)
		return;
	memset(param, -1, sizeof(int) * width); /* a base margin has none */
	param[0] = 0;
	for (i = 1; i < n; i++)
		if (column[i] >= 0)
			param[1 + column[i]] = i;
	dmp_layout_problem(plan, &plan->layout, &problem);
	loss = out->kept = palloc0(sizeof(DmpLoss));
	loss->mean_loss = s->loss;
	loss->lambda = problem.lambda;
	loss->alpha = problem.alpha;
	loss->unit = problem.unit;
	loss->factor = by_column(problem.penalty_factor, param, width);
	loss->lower = by_column(problem.lower, param, width);
	loss->upper = by_column(problem.upper, param, width);
	loss->sd = by_column(plan->layout.sd, param, width);
	loss->gradient = palloc0(sizeof(double) * width);
	loss->hessian = palloc0(sizeof(double) * DMP_TRI(width));
	if (s->cubic)
		loss->cubic = palloc0(sizeof(double) * width * width * width);
	for (i = 0; i < width; i++)
	{
		if (param[i] < 0)
			continue;
		loss->gradient[i] = s->gradient[param[i]];
		for (j = 0; j <= i; j++)
		{
			int a = Max(param[i], param[j]), b = Min(param[i], param[j]);

			if (param[j] >= 0)
				loss->hessian[DMP_TRI(i) + j] = s->hessian[DMP_TRI(a) + b];
		}
		for (j = 0; s->cubic && j < width; j++)
			for (k = 0; k < width; k++)
				if (param[j] >= 0 && param[k] >= 0)
					loss->cubic[((Size) i * width + j) * width + k] =
						s->cubic[((Size) param[i] * n + param[j]) * n + param[k]];
	}
}

/* rows without a value are counted until they have a column; -1: there is one, or never will be */
static int64
missing_of(const DmpFeature *feature)
{
	return feature->missing_index >= 0 || feature->rows_missing > 0 ? -1 : 0;
}

static void
make_texts(DmpUpdateState *state, const DmpDesign *design)
{
	int k = 0, i, j;

	state->nnumbers = dmp_update_numbers(design);
	state->ntexts = dmp_update_texts(design);
	state->text = palloc0(sizeof(DmpDictionary) * (state->ntexts + 1));
	for (i = 0; i < design->nfeatures; i++)
	{
		const DmpFeature *feature = &design->features[i];

		if (feature->encode != DMP_ENCODE_ONE_HOT)
			continue;
		dmp_dictionary_init(&state->text[k]);
		for (j = 0; j < feature->nlevels; j++)
			if (dmp_dictionary_code(&state->text[k], feature->levels[j].text,
									strlen(feature->levels[j].text), true) != j)
				elog(ERROR, "levels of feature \"%s\" are not distinct", feature->name);
		k++;
	}
}

static void
make_room(DmpUpdateState *state, int n, bool cubic)
{
	int i;

	state->nparams = state->prior.nparams = n;
	state->prior.linear = palloc0(sizeof(double) * n);
	state->prior.hessian = palloc0(sizeof(double) * DMP_TRI(n));
	if (cubic)
		state->prior.cubic = palloc0(sizeof(double) * n * n * n);
	state->origin = palloc0(sizeof(double) * n);
	state->mean = palloc0(sizeof(double) * n);
	state->variance = palloc0(sizeof(double) * n);
	state->factor = palloc(sizeof(double) * n);
	state->lower = palloc(sizeof(double) * n);
	state->upper = palloc(sizeof(double) * n);
	for (i = 0; i < n; i++)
	{
		state->factor[i] = 1;
		state->lower[i] = -INFINITY;
		state->upper[i] = INFINITY;
	}
}

/* the fit's loss is by design columns, ours by parameters */
static void
take_loss(DmpUpdateState *state, const DmpFit *fit, const DmpUpdateMap *map)
{
	const DmpLoss *loss = fit->kept;
	int n = state->nparams, all = 1 + fit->design.width, i, j, k;
	double W = state->weight;

	state->prior.constant = loss->mean_loss * W;
	for (i = 0; i < n; i++)
	{
		int a = 1 + map->column[i];

		state->prior.linear[i] = loss->gradient[a] * W;
		state->origin[i] = a > 0 ? fit->coef[a - 1] : fit->a;
		state->variance[i] = loss->sd[a] * loss->sd[a];
		state->mean[i] = a > 0 ? fit->design.mean[a - 1] - fit->design.pivot[a - 1] : 0;
		for (j = 0; j <= i; j++)
		{
			int b = 1 + map->column[j];

			state->prior.hessian[DMP_TRI(i) + j] =
				loss->hessian[DMP_TRI(Max(a, b)) + Min(a, b)] * W;
		}
		for (j = 0; loss->cubic && j < n; j++)
			for (k = 0; k < n; k++)
				state->prior.cubic[((Size) i * n + j) * n + k] =
					loss->cubic[((Size) a * all + 1 + map->column[j]) * all + 1 + map->column[k]] *
					W;
		if (i > 0 && loss->factor)
			state->factor[i] = loss->factor[a];
		if (i > 0 && loss->lower)
			state->lower[i] = loss->lower[a];
		if (i > 0 && loss->upper)
			state->upper[i] = loss->upper[a];
	}
}

/* the base margin's column has no parameter */
static int
params_of(const DmpModel *model)
{
	return 1 + model->design.width - (model->base_margin != NULL);
}

/* why no fit of the kind can go on from a state; NULL: it can */
const char *
dmp_update_refused(const DmpModel *model)
{
	int i;

	if (model->segments != NULL)
		return "It has coefficients for each group";
	for (i = 0; i < model->design.nfeatures; i++)
	{
		const DmpFeature *feature = &model->design.features[i];

		if (feature->transform == NULL)
			continue;
		if (feature->transform->kind == DMP_TRANSFORM_BINS ||
			feature->transform->kind == DMP_TRANSFORM_WOE ||
			feature->transform->kind == DMP_TRANSFORM_TARGET)
			return psprintf("Column \"%s\" is encoded by all the rows it was fitted to (%s)",
							feature->transform->columns[0],
							dmp_transform_name(feature->transform->kind));
	}
	return NULL;
}

DmpUpdateState *
dmp_update_state_of_fit(const DmpFit *fit, const DmpModel *model, const DmpFitSpec *spec,
						const double *class_weight, double shift)
{
	DmpUpdateState *state;
	int i, k = 0;

	if (fit->kept == NULL || dmp_update_refused(model) != NULL)
		return NULL;
	state = palloc0(sizeof(DmpUpdateState));
	state->family = fit->family;
	state->lambda = fit->kept->lambda;
	state->alpha = fit->kept->alpha;
	state->unit = fit->kept->unit;
	state->intercept = spec->intercept;
	state->standardize = spec->standardize == NULL                ? 0
						 : strcmp(spec->standardize, "all") == 0  ? 1
						 : strcmp(spec->standardize, "none") == 0 ? 2
																  : 0;
	state->min_count = Max(1, spec->min_count);
	state->max_iterations = spec->max_iterations;
	state->tolerance = spec->tolerance;
	state->class_weight[0] = class_weight[0];
	state->class_weight[1] = class_weight[1];
	state->shift = shift;
	state->rows = fit->rows;
	state->weight = fit->weight_sum;
	make_room(state, params_of(model), fit->kept->cubic != NULL);
	make_texts(state, &fit->design);
	state->missing = palloc(sizeof(int64) * (fit->design.nfeatures + 1));
	for (i = 0; i < fit->design.nfeatures; i++)
		state->missing[k++] = missing_of(&fit->design.features[i]);
	take_loss(state, fit, dmp_update_map(model, state));
	return state;
}

/* ----------------------------------------------------------------- bytes */

void
dmp_update_put_word(DmpBytes *b, uint64 x)
{
#ifdef WORDS_BIGENDIAN
	x = pg_bswap64(x);
#endif
	dmp_put(b, &x, sizeof(x));
}

void
dmp_update_put_number(DmpBytes *b, double x)
{
	uint64 word;

	memcpy(&word, &x, sizeof(word));
	dmp_update_put_word(b, word);
}

static void
put_numbers(DmpBytes *b, const double *x, Size n)
{
#ifdef WORDS_BIGENDIAN
	Size i;

	for (i = 0; i < n; i++)
		dmp_update_put_number(b, x[i]);
#else
	dmp_put(b, x, sizeof(double) * n);
#endif
}

uint64
dmp_update_get_word(DmpBytes *b)
{
	uint64 x;

	memcpy(&x, dmp_get(b, sizeof(x)), sizeof(x));
#ifdef WORDS_BIGENDIAN
	x = pg_bswap64(x);
#endif
	return x;
}

static double
get_number(DmpBytes *b)
{
	uint64 word = dmp_update_get_word(b);
	double x;

	memcpy(&x, &word, sizeof(x));
	return x;
}

void
dmp_update_bad_state(void)
{
	ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED),
					errmsg("the state of the model does not belong to it"),
					errhint("Train it anew with dmp.train.")));
}

double
dmp_update_get_finite(DmpBytes *b, double low)
{
	double x = get_number(b);

	if (!isfinite(x) || x < low)
		dmp_update_bad_state();
	return x;
}

static int64
get_integer(DmpBytes *b, int64 low, int64 high)
{
	int64 x = (int64) dmp_update_get_word(b);

	if (x < low || x > high)
		dmp_update_bad_state();
	return x;
}

static void
get_numbers(DmpBytes *b, double *x, Size n)
{
	const void *at = dmp_get(b, sizeof(double) * n);
	Size i;

	memcpy(x, at, sizeof(double) * n);
	for (i = 0; i < n; i++)
	{
#ifdef WORDS_BIGENDIAN
		uint64 word;

		memcpy(&word, &x[i], sizeof(word));
		word = pg_bswap64(word);
		memcpy(&x[i], &word, sizeof(word));
#endif
		if (!isfinite(x[i]))
			dmp_update_bad_state();
	}
}

static void
put_tile(DmpBytes *b, const DmpBatchTile *tile, const DmpUpdateState *state, int32 **recode)
{
	int j, i;

	dmp_update_put_word(b, tile->n);
	put_numbers(b, tile->y, tile->n);
	put_numbers(b, tile->weight, tile->n);
	for (j = 0; j < state->nnumbers; j++)
		put_numbers(b, tile->number + (Size) j * DMP_TILE, tile->n);
	for (j = 0; j < state->ntexts; j++)
		for (i = 0; i < tile->n; i++)
		{
			int32 code = tile->code[(Size) j * DMP_TILE + i];

			dmp_update_put_word(b, (uint64) (int64) (code >= 0 ? recode[j][code] : code));
		}
}

static DmpBatchTile *
get_tile(DmpBytes *b, const DmpUpdateState *state)
{
	DmpBatchTile *tile = palloc0(sizeof(DmpBatchTile));
	int j, i;

	tile->n = (int) get_integer(b, 1, DMP_TILE);
	tile->number = palloc0(sizeof(double) * DMP_TILE * Max(state->nnumbers, 1));
	tile->code = palloc0(sizeof(int32) * DMP_TILE * Max(state->ntexts, 1));
	get_numbers(b, tile->y, tile->n);
	get_numbers(b, tile->weight, tile->n);
	for (i = 0; i < tile->n; i++)
		if (tile->weight[i] < 0)
			dmp_update_bad_state();
	for (j = 0; j < state->nnumbers; j++)
		for (i = 0; i < tile->n; i++)
		{
			double x = get_number(b); /* NaN: missing */

			if (isinf(x))
				dmp_update_bad_state();
			tile->number[(Size) j * DMP_TILE + i] = x;
		}
	for (j = 0; j < state->ntexts; j++)
		for (i = 0; i < tile->n; i++)
			tile->code[(Size) j * DMP_TILE + i] = (int32) get_integer(b, -2, state->text[j].n - 1);
	return tile;
}

/*
 * Values that are counted, and codes as a reader will know them: levels of the
 * design in its order, then these.
 */
static int32 *
put_text(DmpBytes *b, const DmpDictionary *text, const DmpFeature *feature)
{
	int32 *recode = palloc(sizeof(int32) * Max(text->n, 1));
	int n = 0, i, low, high;

	for (i = 0; i < text->n; i++)
	{
		recode[i] = -1;
		for (low = 0, high = feature->nlevels - 1; low <= high;)
		{
			int middle = (low + high) / 2;
			int c = strcmp(feature->levels[middle].text, text->levels[i].text);

			if (c == 0)
			{
				recode[i] = middle;
				break;
			}
			if (c < 0)
				low = middle + 1;
			else
				high = middle - 1;
		}
		if (recode[i] < 0)
			recode[i] = feature->nlevels + n++;
	}
	dmp_update_put_word(b, n);
	for (i = 0; i < text->n; i++)
		if (recode[i] >= feature->nlevels)
		{
			dmp_update_put_word(b, text->levels[i].rows);
			dmp_update_put_word(b, text->levels[i].length);
			dmp_put(b, text->levels[i].text, text->levels[i].length);
		}
	return recode;
}

static void
get_text(DmpBytes *b, DmpDictionary *text)
{
	int n = (int) get_integer(b, 0, DMP_UPDATE_WAITING_LEVELS), i;

	for (i = 0; i < n; i++)
	{
		int64 rows = get_integer(b, 0, PG_INT64_MAX);
		Size length = get_integer(b, 0, MaxAllocSize);
		const char *bytes = dmp_get(b, length);
		int known = text->n;

		if (memchr(bytes, '\0', length) != NULL ||
			dmp_dictionary_code(text, bytes, length, true) != known)
			dmp_update_bad_state();
		text->levels[known].rows = rows;
		text->levels[known].weight = (double) rows; /* those that are not of this call */
	}
}

/* a symmetric tensor: elements (i, j, k), i >= j >= k */
static void
put_cubic(DmpBytes *b, const double *t, int n)
{
	int i, j, k;

	for (i = 0; i < n; i++)
		for (j = 0; j <= i; j++)
			for (k = 0; k <= j; k++)
				dmp_update_put_number(b, t[((Size) i * n + j) * n + k]);
}

static void
get_cubic(DmpBytes *b, double *t, int n)
{
	int i, j, k;

#define AT(a, b, c) t[((Size) (a) *n + (b)) * n + (c)]
	for (i = 0; i < n; i++)
		for (j = 0; j <= i; j++)
			for (k = 0; k <= j; k++)
			{
				double x = dmp_update_get_finite(b, -INFINITY);

				AT(i, j, k) = AT(i, k, j) = AT(j, i, k) = AT(j, k, i) = AT(k, i, j) = AT(k, j, i) =
					x;
			}
#undef AT
}

bytea *
dmp_update_state_write(const DmpUpdateState *state, const DmpDesign *design)
{
	DmpBytes b = {NULL, 0, 0};
	int32 **recode = palloc(sizeof(int32 *) * (state->ntexts + 1));
	int n = state->nparams, k = 0, i;
	bytea *out;

	dmp_update_put_word(&b, STATE_MAGIC);
	dmp_update_put_word(&b, n);
	dmp_update_put_word(&b, state->nnumbers);
	dmp_update_put_word(&b, state->ntexts);
	dmp_update_put_word(&b,
						state->intercept | state->decayed << 1 | (state->prior.cubic != NULL) << 2);
	dmp_update_put_word(&b, state->family);
	dmp_update_put_number(&b, state->lambda);
	dmp_update_put_number(&b, state->alpha);
	dmp_update_put_number(&b, state->unit);
	dmp_update_put_word(&b, state->standardize);
	dmp_update_put_word(&b, state->min_count);
	dmp_update_put_word(&b, state->max_iterations);
	dmp_update_put_number(&b, state->tolerance);
	put_numbers(&b, state->class_weight, 2);
	dmp_update_put_number(&b, state->shift);
	dmp_update_put_word(&b, state->rows);
	dmp_update_put_number(&b, state->weight);
	dmp_update_put_number(&b, state->prior.constant);
	put_numbers(&b, state->prior.linear, n);
	put_numbers(&b, state->prior.hessian, DMP_TRI(n));
	if (state->prior.cubic)
		put_cubic(&b, state->prior.cubic, n);
	put_numbers(&b, state->origin, n);
	put_numbers(&b, state->mean, n);
	put_numbers(&b, state->variance, n);
	put_numbers(&b, state->factor, n);
	put_numbers(&b, state->lower, n);
	put_numbers(&b, state->upper, n);
	for (i = 0; i < design->nfeatures; i++)
		dmp_update_put_word(&b, state->missing[i]);
	for (i = 0; i < design->nfeatures; i++)
		if (design->features[i].encode == DMP_ENCODE_ONE_HOT)
		{
			recode[k] = put_text(&b, &state->text[k], &design->features[i]);
			k++;
		}
	dmp_update_put_word(&b, state->ntiles);
	for (i = 0; i < state->ntiles; i++)
		put_tile(&b, state->tiles[i], state, recode);
	out = palloc(VARHDRSZ + b.used);
	SET_VARSIZE(out, VARHDRSZ + b.used);
	memcpy(VARDATA(out), b.data, b.used);
	pfree(b.data);
	return out;
}

DmpUpdateState *
dmp_update_state_read(const bytea *bytes, const DmpModel *model)
{
	const DmpDesign *design = &model->design;
	DmpBytes b = {(char *) VARDATA_ANY(bytes), 0, VARSIZE_ANY_EXHDR(bytes)};
	DmpUpdateState *state = palloc0(sizeof(DmpUpdateState));
	int n = params_of(model), flags, i;

	make_texts(state, design);
	if (dmp_update_get_word(&b) != STATE_MAGIC || get_integer(&b, 0, DMP_LOSS_PARAMS) != n ||
		get_integer(&b, 0, PG_INT32_MAX) != state->nnumbers ||
		get_integer(&b, 0, PG_INT32_MAX) != state->ntexts ||
		state->nnumbers + state->ntexts != design->nfeatures)
		dmp_update_bad_state();
	flags = (int) get_integer(&b, 0, n <= DMP_CUBIC_PARAMS ? 7 : 3);
	state->intercept = (flags & 1) != 0;
	state->decayed = (flags & 2) != 0;
	state->family = (DmpFamily) get_integer(&b, model->link, model->link);
	state->lambda = dmp_update_get_finite(&b, 0);
	state->alpha = dmp_update_get_finite(&b, 0);
	state->unit = dmp_update_get_finite(&b, 0);
	state->standardize = (int) get_integer(&b, 0, 2);
	state->min_count = (int) get_integer(&b, 1, PG_INT32_MAX);
	state->max_iterations = (int) get_integer(&b, 1, PG_INT32_MAX);
	state->tolerance = dmp_update_get_finite(&b, 0);
	get_numbers(&b, state->class_weight, 2);
	state->shift = dmp_update_get_finite(&b, -INFINITY);
	state->rows = get_integer(&b, 0, PG_INT64_MAX);
	state->weight = dmp_update_get_finite(&b, 0);
	make_room(state, n, (flags & 4) != 0);
	state->prior.constant = dmp_update_get_finite(&b, -INFINITY);
	get_numbers(&b, state->prior.linear, n);
	get_numbers(&b, state->prior.hessian, DMP_TRI(n));
	if (state->prior.cubic)
		get_cubic(&b, state->prior.cubic, n);
	get_numbers(&b, state->origin, n);
	get_numbers(&b, state->mean, n);
	get_numbers(&b, state->variance, n);
	get_numbers(&b, state->factor, n);
	for (i = 0; i < n; i++)
	{
		state->lower[i] = get_number(&b);
		if (!(state->lower[i] <= 0))
			dmp_update_bad_state();
	}
	for (i = 0; i < n; i++)
	{
		state->upper[i] = get_number(&b);
		if (!(state->upper[i] >= 0))
			dmp_update_bad_state();
	}
	state->missing = palloc(sizeof(int64) * (design->nfeatures + 1));
	for (i = 0; i < design->nfeatures; i++)
		state->missing[i] = get_integer(&b, -1, PG_INT64_MAX);
	for (i = 0; i < state->ntexts; i++)
		get_text(&b, &state->text[i]);
	state->ntiles = (int) get_integer(&b, 0, b.size / sizeof(double));
	state->tiles = palloc(sizeof(DmpBatchTile *) * (state->ntiles + 1));
	for (i = 0; i < state->ntiles; i++)
		state->tiles[i] = get_tile(&b, state);
	if (b.used != b.size)
		dmp_update_bad_state();
	return state;
}
