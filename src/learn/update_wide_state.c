/*-------------------------------------------------------------------------
 * update_wide_state.c
 *		What a model of hashed columns remembers: made, read, written.
 *
 * Of a fit the loss about its solution is kept (wide_keep.c), and so it is
 * after each update. For FTRL a model of dmp.train comes without z and n. z is
 * then what gives its coefficients, and n is rows * v * (mean square of the
 * column), v = p (1 - p) of the share of positives, the squared residual of a
 * model that knows nothing else. A block of a text has norm 1, which is shared
 * out among its grams by rows_k idf_k^2; hashed values, whose counts are not
 * kept, share evenly.
 *-------------------------------------------------------------------------
 */
#include "dmp.h"

#include <math.h>

#include "learn/update_wide.h"
#include "port/pg_bswap.h"
#include "utils/memutils.h"

#define FTRL_MAGIC UINT64CONST(0x314c525446504d44) /* "DMPFTRL1" */
#define LOSS_MAGIC UINT64CONST(0x3145444957504d44) /* "DMPWIDE1" */
#define DEFAULT_RATE 1.0
#define DEFAULT_BETA 1.0

/* -------------------------------------------------------------- options */

bool
dmp_update_wide_options(const DmpDoc *options, double *rate, double *beta)
{
	static const char *const keys[] = {"rate", "beta", NULL};
	const DmpDoc *doc = dmp_doc_get(options, "ftrl");
	char *solver = dmp_doc_string(options, "solver", "newton", "options");
	bool ftrl = strcmp(solver, "ftrl") == 0;

	if (!ftrl && strcmp(solver, "newton") != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("unknown solver \"%s\"", solver),
				 errdetail("It may be \"newton\", \"ftrl\".")));
	*rate = DEFAULT_RATE;
	*beta = DEFAULT_BETA;
	if (doc == NULL || doc->kind == DMP_DOC_NULL)
		return ftrl;
	if (!ftrl)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("option \"ftrl\" needs the option \"solver\": \"ftrl\"")));
	if (doc->kind != DMP_DOC_OBJECT)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("option \"ftrl\" must be an object"),
						errhint("As in {\"rate\": 0.1, \"beta\": 1}.")));
	dmp_doc_check_keys(doc, "option \"ftrl\"", keys);
	*rate = dmp_doc_number(doc, "rate", DEFAULT_RATE, "option \"ftrl\"");
	*beta = dmp_doc_number(doc, "beta", DEFAULT_BETA, "option \"ftrl\"");
	if (!(*rate > 0 && *rate <= 1000) || !(*beta >= 0 && *beta <= 1e9))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("option \"ftrl\": rate must be above 0 and at most 1000, beta from "
							   "0 to 1e9")));
	return true;
}

/* ----------------------------------------------------------- coordinates */

static double
curvature(const DmpWideUpdate *u, int c)
{
	return (u->beta + sqrt(u->squares[c])) / u->rate + (c > 0 ? u->l2 : 0);
}

void
dmp_update_wide_solve(DmpWideUpdate *u, int c)
{
	double l1 = c > 0 ? u->l1 : 0, z = u->z[c], d = curvature(u, c);

	u->w[c] = fabs(z) <= l1 || d <= 0 ? 0 : ((z > 0 ? l1 : -l1) - z) / d;
}

void
dmp_update_wide_settle(DmpWideUpdate *u, int c)
{
	double w = u->w[c], l1 = c > 0 ? u->l1 : 0;

	if (w != 0)
		u->z[c] = -w * curvature(u, c) - (w > 0 ? l1 : -l1);
}

static void
make_slots(DmpWideUpdate *u, const DmpModel *model)
{
	const DmpDesign *design = &model->design;
	int i, b, k;

	u->first_block = palloc0(sizeof(int) * (design->nfeatures + 1));
	for (i = 0; i < design->nfeatures; i++)
	{
		u->first_block[i] = u->nblocks;
		u->nblocks += design->features[i].nblocks;
	}
	u->slot = palloc0(sizeof(int32 *) * (u->nblocks + 1));
	for (i = 0; i < design->nfeatures; i++)
	{
		const DmpFeature *feature = &design->features[i];
		Size size = sizeof(int32) << feature->bits;

		for (b = 0; b < feature->nblocks; b++)
		{
			const DmpHashBlock *block = &feature->blocks[b];
			int32 *slot = palloc_extended(size, MCXT_ALLOC_HUGE);

			memset(slot, -1, size);
			for (k = 0; k < block->n; k++)
			{
				slot[block->buckets[k]] = 1 + u->width + block->first + k;
				u->factor[1 + u->width + block->first + k] = block->factor ? block->factor[k] : 1;
			}
			u->slot[u->first_block[i] + b] = slot;
		}
	}
}

/* all of the model's coordinates, z and n 0 */
static DmpWideUpdate *
make_update(const DmpModel *model)
{
	const DmpDesign *design = &model->design;
	DmpWideUpdate *u = palloc0(sizeof(DmpWideUpdate));
	int j;

	u->width = design->width;
	u->base_margin = model->base_margin ? design->features[design->nfeatures - 1].index : -1;
	u->n = 1 + design->width + model->wide_width;
	u->room = Max(1024, u->n);
	u->w = palloc_extended(sizeof(double) * u->room, MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	u->z = palloc_extended(sizeof(double) * u->room, MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	u->squares = palloc_extended(sizeof(double) * u->room, MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	u->factor = palloc_extended(sizeof(float) * u->room, MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	u->place = palloc_extended(sizeof(int) * u->room, MCXT_ALLOC_HUGE);
	memset(u->place, -1, sizeof(int) * u->n);
	u->block = palloc(sizeof(int) * DMP_WIDE_BLOCK);
	u->unit = palloc(sizeof(double) * (design->width + 1));
	for (j = 0; j < design->width; j++)
		u->unit[j] = design->scale[j] > 0 ? design->scale[j] : 1;
	make_slots(u, model);
	u->w[0] = model->a;
	for (j = 0; j < design->width; j++)
		u->w[1 + j] = model->coef[j] * u->unit[j];
	for (j = 0; j < model->wide_width; j++)
		u->w[1 + design->width + j] = model->wide[j];
	u->random = UINT64CONST(0x9e3779b97f4a7c15);
	u->tokenizer = dmp_tokenizer_make(CurrentMemoryContext);
	u->rows_context =
		AllocSetContextCreate(CurrentMemoryContext, "dmp update rows", ALLOCSET_DEFAULT_SIZES);
	u->entries_room = u->rows_room = 1024;
	u->entry = palloc(sizeof(DmpSparseEntry) * u->entries_room);
	u->row = palloc(sizeof(DmpSparseRow *) * u->rows_room);
	return u;
}

/* n of a model that dmp.train made, then z; v: mean squared residual */
static void
start_state(DmpWideUpdate *u, const DmpModel *model, double v)
{
	const DmpDesign *design = &model->design;
	double rows = (double) u->rows_first;
	int i, j, b, k;

	u->squares[0] = rows * v;
	for (j = 0; j < design->width; j++)
	{
		/* an indicator has pivot 0, its mean is the share of rows that have it */
		double p = design->mean[j];
		bool indicator = design->pivot[j] == 0 && p > 0 && p < 1;

		u->squares[1 + j] = rows * v * (indicator ? p / (u->unit[j] * u->unit[j]) : 1);
	}
	for (i = 0; i < design->nfeatures; i++)
	{
		const DmpFeature *feature = &design->features[i];
		double documents = Max(rows - (double) feature->rows_missing, 1);

		if (feature->encode == DMP_ENCODE_BOOLEAN && feature->index >= 0)
			u->squares[1 + feature->index] = rows * v * design->mean[feature->index] *
											 (1 - design->mean[feature->index]) /
											 (u->unit[feature->index] * u->unit[feature->index]);
		for (b = 0; b < feature->nblocks; b++)
		{
			const DmpHashBlock *block = &feature->blocks[b];
			double *squares = u->squares + 1 + design->width + block->first, sum = 0;

			for (k = 0; k < block->n; k++)
			{
				double idf = block->factor ? block->factor[k] : 1;

				squares[k] =
					block->factor ? Max((1 + documents) * exp(1 - idf) - 1, 1) * idf * idf : 1;
				sum += squares[k];
			}
			for (k = 0; k < block->n; k++)
				squares[k] *= documents * v / sum;
		}
	}
	for (k = 0; k < u->n; k++)
	{
		if (!(u->squares[k] >= 0) || isinf(u->squares[k]))
			u->squares[k] = 0;
		dmp_update_wide_settle(u, k);
	}
}

/* ----------------------------------------------------------------- bytes */

/* z and n of a coordinate: 8 bytes, which is what dmp_put() pads to */
static void
put_pair(DmpBytes *b, double z, double n)
{
	float pair[2] = {(float) z, (float) n};
	uint32 words[2];

	memcpy(words, pair, sizeof(words));
#ifdef WORDS_BIGENDIAN
	words[0] = pg_bswap32(words[0]);
	words[1] = pg_bswap32(words[1]);
#endif
	dmp_put(b, words, sizeof(words));
}

static void
get_pair(DmpBytes *b, double *z, double *n)
{
	uint32 words[2];
	float pair[2];

	memcpy(words, dmp_get(b, sizeof(words)), sizeof(words));
#ifdef WORDS_BIGENDIAN
	words[0] = pg_bswap32(words[0]);
	words[1] = pg_bswap32(words[1]);
#endif
	memcpy(pair, words, sizeof(pair));
	if (!isfinite(pair[0]) || !isfinite(pair[1]))
		dmp_update_bad_state();
	*z = pair[0];
	*n = pair[1];
}

/* second derivatives of the block: packed lower, two of them in 8 bytes */
static void
put_block(DmpBytes *b, int nblock, const int *block, const double *hessian)
{
	float kept = 0;
	bool odd = false;
	int i, j;

	dmp_update_put_word(b, nblock);
	for (i = 0; i < nblock; i++)
		dmp_update_put_word(b, block[i]);
	for (i = 0; i < nblock; i++)
		for (j = 0; j <= i; j++, odd = !odd)
		{
			if (odd)
				put_pair(b, kept, hessian[(Size) i * nblock + j]);
			else
				kept = (float) hessian[(Size) i * nblock + j];
		}
	if (odd)
		put_pair(b, kept, 0);
}

static void
get_block(DmpBytes *b, DmpWideUpdate *u)
{
	double pair[2] = {0, 0};
	bool odd = false;
	uint64 word;
	int i, j;

	word = dmp_update_get_word(b);
	if (word > DMP_WIDE_BLOCK)
		dmp_update_bad_state();
	u->nblock = (int) word;
	for (i = 0; i < u->nblock; i++)
	{
		word = dmp_update_get_word(b);
		if (word >= u->n || u->place[word] >= 0)
			dmp_update_bad_state();
		u->block[i] = (int) word;
		u->place[word] = i;
	}
	u->hessian = palloc(sizeof(double) * Max(u->nblock * u->nblock, 1));
	for (i = 0; i < u->nblock; i++)
		for (j = 0; j <= i; j++, odd = !odd)
		{
			if (!odd)
				get_pair(b, &pair[0], &pair[1]);
			u->hessian[i * u->nblock + j] = u->hessian[j * u->nblock + i] = pair[odd];
		}
}

static bytea *
as_bytea(DmpBytes *b, int n)
{
	bytea *out;

	if (b->used > MaxAllocSize - VARHDRSZ)
		ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
						errmsg("the state of %d coefficients is too large to be stored", n)));
	out = palloc(VARHDRSZ + b->used);
	SET_VARSIZE(out, VARHDRSZ + b->used);
	memcpy(VARDATA(out), b->data, b->used);
	pfree(b->data);
	return out;
}

bytea *
dmp_update_wide_first(const DmpFit *fit, const DmpFitSpec *spec)
{
	const DmpWideLoss *loss = fit->wide_kept;
	DmpBytes b = {NULL, 0, 0};
	bool growing = spec->nlambdas > 0 || !isnan(spec->lambda);
	int c;

	dmp_update_put_word(&b, LOSS_MAGIC);
	dmp_update_put_word(&b, fit->design.width);
	dmp_update_put_word(&b, fit->wide_width);
	dmp_update_put_word(&b, spec->intercept | growing << 2);
	dmp_update_put_word(&b, fit->rows);
	dmp_update_put_word(&b, fit->rows);
	dmp_update_put_number(&b, fit->weight_sum);
	dmp_update_put_number(&b, fit->lambda * spec->alpha * fit->weight_sum);
	dmp_update_put_number(&b, fit->lambda * (1 - spec->alpha) * fit->weight_sum);
	dmp_update_put_number(&b, DEFAULT_RATE);
	dmp_update_put_number(&b, DEFAULT_BETA);
	for (c = 0; c < loss->n; c++)
		put_pair(&b, loss->gradient[c], loss->diagonal[c]);
	put_block(&b, loss->nblock, loss->block, loss->hessian);
	return as_bytea(&b, loss->n);
}

/*
 * Coordinates are in the order of the model that dmp_update_wide_finish() has
 * left: intercept, design columns, hashed columns.
 */
bytea *
dmp_update_wide_write(const DmpWideUpdate *u, const DmpModel *model)
{
	DmpBytes b = {NULL, 0, 0};
	int c;

	dmp_update_put_word(&b, u->ftrl ? FTRL_MAGIC : LOSS_MAGIC);
	dmp_update_put_word(&b, u->width);
	dmp_update_put_word(&b, model->wide_width);
	dmp_update_put_word(&b, u->intercept | u->decayed << 1 | u->growing << 2);
	dmp_update_put_word(&b, u->rows_first);
	dmp_update_put_word(&b, u->rows);
	dmp_update_put_number(&b, u->weight);
	dmp_update_put_number(&b, u->l1);
	dmp_update_put_number(&b, u->l2);
	dmp_update_put_number(&b, u->rate);
	dmp_update_put_number(&b, u->beta);
	for (c = 0; c < u->n; c++)
		put_pair(&b, u->z[c], u->squares[c]);
	if (!u->ftrl)
		put_block(&b, u->nblock, u->block, u->hessian);
	return as_bytea(&b, u->n);
}

static void
read_state(DmpWideUpdate *u, const bytea *bytes, const DmpModel *model)
{
	DmpBytes b = {(char *) VARDATA_ANY(bytes), 0, VARSIZE_ANY_EXHDR(bytes)};
	uint64 magic, flags;
	int c;

	magic = dmp_update_get_word(&b);
	if ((magic != FTRL_MAGIC && magic != LOSS_MAGIC) || dmp_update_get_word(&b) != u->width ||
		dmp_update_get_word(&b) != model->wide_width || (flags = dmp_update_get_word(&b)) > 7)
		dmp_update_bad_state();
	u->ftrl = magic == FTRL_MAGIC;
	u->growing = (flags & 4) != 0;
	u->intercept = (flags & 1) != 0;
	u->decayed = (flags & 2) != 0;
	u->rows_first = (int64) dmp_update_get_word(&b);
	u->rows = (int64) dmp_update_get_word(&b);
	u->weight = dmp_update_get_finite(&b, 0);
	u->l1 = dmp_update_get_finite(&b, 0);
	u->l2 = dmp_update_get_finite(&b, 0);
	u->rate = dmp_update_get_finite(&b, 0);
	u->beta = dmp_update_get_finite(&b, 0);
	if (u->rows_first < 1 || u->rows < 1 || u->rate <= 0 || u->weight <= 0)
		dmp_update_bad_state();
	for (c = 0; c < u->n; c++)
	{
		get_pair(&b, &u->z[c], &u->squares[c]);
		if (u->squares[c] < 0)
			dmp_update_bad_state();
		if (u->ftrl && (c > 0 || u->intercept))
			dmp_update_wide_solve(u, c);
	}
	if (!u->ftrl)
		get_block(&b, u);
	if (b.used != b.size)
		dmp_update_bad_state();
	if (u->base_margin >= 0)
		u->w[1 + u->base_margin] = 0;
}

/* ------------------------------------------------------------- beginning */

/* state NULL: the version comes from dmp.train. Returns why it cannot be updated, or NULL. */
const char *
dmp_update_wide_open(DmpBatch *batch, const bytea *state)
{
	const DmpModel *model = batch->model;
	DmpWideUpdate *u;
	DmpArgs args = {0};
	DmpDoc *options;
	const DmpDoc *item;
	double lambda, alpha, p, rate, beta;
	bool ftrl;

	if (model->nclasses > 0)
		return "It has several classes";
	if (model->link != DMP_BINOMIAL)
		return "It has hashed columns, and its target is a number";
	dmp_arg_int8(&args, batch->row->id);
	dmp_spi_registry("SELECT m.status, m.options::text, m.lambda, m.alpha, m.rows, "
					 "m.rows_positive, m.updated_from FROM dmp_internal.model m WHERE m.id = $1",
					 &args, false);
	if (strcmp(dmp_spi_text(0, 1), "converged") != 0)
		return "Its fit has not converged";
	options = dmp_doc_parse(dmp_spi_text(0, 2), "options");
	item = dmp_doc_get(options, "class_weight");
	if (item != NULL && item->kind != DMP_DOC_NULL)
		return "It has hashed columns, and its rows are weighed by class_weight";
	item = dmp_doc_get(options, "penalty_factor");
	if (item != NULL && item->kind != DMP_DOC_NULL)
		return "It has hashed columns and penalty factors";
	lambda = dmp_spi_float8(0, 3, 0);
	alpha = dmp_spi_float8(0, 4, 0);
	if (state == NULL && dmp_spi_text(0, 7) != NULL)
		return "Nothing was kept of its last update";
	ftrl = dmp_update_wide_options(options, &rate, &beta);
	if (state == NULL && !ftrl)
		return "Nothing was kept of its fit";
	u = make_update(model);
	batch->wide = u;
	if (state != NULL)
		read_state(u, state, model);
	else
	{
		u->rows_first = u->rows = dmp_spi_int8(0, 5, 0);
		if (u->rows_first < 1)
			return "It has no rows";
		p = (double) dmp_spi_int8(0, 6, 0) / (double) u->rows_first;
		u->weight = (double) u->rows;
		u->intercept = dmp_doc_bool(options, "intercept", true, "options");
		u->l1 = lambda * alpha * u->weight;
		u->l2 = lambda * (1 - alpha) * u->weight;
		u->ftrl = true;
		u->rate = rate;
		u->beta = beta;
		if (u->base_margin >= 0)
			u->w[1 + u->base_margin] = 0;
		start_state(u, model, p * (1 - p));
	}
	batch->state = palloc0(sizeof(DmpUpdateState));
	batch->status = DMP_FIT_CONVERGED;
	batch->dispersion = batch->objective = batch->kkt = NAN;
	batch->iterations = 1;
	return NULL;
}
