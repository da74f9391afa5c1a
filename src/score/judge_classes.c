/*-------------------------------------------------------------------------
 * judge_classes.c
 *		dmp.evaluate of a model that tells several classes apart.
 *
 * The rows come once, in the order of their slices, with the probabilities of
 * all classes. Sums of weights make accuracy, log loss and, class by class,
 * precision, recall and f1. For the one-vs-rest roc_auc of each class all
 * probabilities are needed again class by class, so they are kept by columns:
 * blocks of BLOCK rows, a class's probabilities of a block side by side, past
 * the first block in a temporary file. One class at a time then goes through
 * the state of the rank metrics, which spills by itself. Two such stores are
 * filled at once, of all rows and of the slice.
 *
 * Macro metrics are means over the classes that are there; a class nobody was
 * put into has precision 0. accuracy counts the most probable class of every
 * row; with a reject threshold coverage is the share of the rows that have a
 * class, and answered_accuracy is theirs. Intervals: see judge.c.
 *-------------------------------------------------------------------------
 */
#include "dmp.h"

#include <math.h>

#include "base/base.h"
#include "funcapi.h"
#include "lib/stringinfo.h"
#include "score/score.h"
#include "score/scores.h"
#include "storage/buffile.h"
#include "utils/array.h"
#include "utils/memutils.h"

#define BLOCK 1024
#define FETCH 1000

/* weights and their squares */
typedef struct Mass
{
	double weight;
	double square;
} Mass;

typedef struct ClassSums
{
	int64 rows;
	Mass actual;
	Mass predicted;
	Mass both;
} ClassSums;

/* everything of all rows, or of those of a slice */
typedef struct Store
{
	int k; /* classes */
	int64 rows;
	bool weighted;
	Mass all;
	Mass right;
	Mass answered;
	Mass answered_right;
	double loss;
	ClassSums *classes;
	/* by columns: the block that is filled, and those in the file */
	int n; /* rows of the block */
	int32 *label;
	double *weight;
	double *p; /* k runs of BLOCK */
	int64 blocks;
	BufFile *file;
	MemoryContext context; /* of all of this */
} Store;

typedef struct Output
{
	FunctionCallInfo fcinfo;
	const DmpModel *model;
	const char *segment;
} Output;

static void
mass_add(Mass *into, double weight)
{
	into->weight += weight;
	into->square += weight * weight;
}

/* ----------------------------------------------------------------- store */

static Size
block_size(const Store *store)
{
	return BLOCK * (sizeof(int32) + sizeof(double)) + BLOCK * sizeof(double) * store->k;
}

static Store *
store_make(int k)
{
	Store *store = palloc0(sizeof(Store));

	store->k = k;
	store->context = CurrentMemoryContext;
	store->classes = palloc0(sizeof(ClassSums) * k);
	store->label = palloc0(sizeof(int32) * BLOCK);
	store->weight = palloc0(sizeof(double) * BLOCK);
	store->p = MemoryContextAllocHuge(CurrentMemoryContext, sizeof(double) * BLOCK * k);
	return store;
}

static void
store_reset(Store *store)
{
	ClassSums *classes = store->classes;
	Store empty = {0};

	if (store->file != NULL)
		BufFileClose(store->file);
	empty.k = store->k;
	empty.context = store->context;
	empty.label = store->label;
	empty.weight = store->weight;
	empty.p = store->p;
	*store = empty;
	store->classes = classes;
	memset(classes, 0, sizeof(ClassSums) * store->k);
}

static void
seek_block(Store *store, int64 block, Size offset)
{
	int64 at = block * (int64) block_size(store) + (int64) offset;

	/* files of 1 GB: BufFileSeek() goes on to the next by itself */
	if (BufFileSeek(store->file, 0, (off_t) at, SEEK_SET) != 0)
		elog(ERROR, "could not seek in the temporary file of class probabilities");
}

static void
write_block(Store *store)
{
	if (store->file == NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(store->context);

		store->file = BufFileCreateTemp(false);
		MemoryContextSwitchTo(old);
	}
	else
		seek_block(store, store->blocks, 0);
	BufFileWrite(store->file, store->label, sizeof(int32) * BLOCK);
	BufFileWrite(store->file, store->weight, sizeof(double) * BLOCK);
	BufFileWrite(store->file, store->p, sizeof(double) * BLOCK * store->k);
	store->blocks++;
	store->n = 0;
}

static void
read_bytes(Store *store, void *into, Size size)
{
	if (BufFileRead(store->file, into, size) != size)
		ereport(ERROR, (errcode_for_file_access(),
						errmsg("could not read from the temporary file of class probabilities")));
}

static void
store_add(Store *store, const DmpModel *model, const double *p, int label, double weight)
{
	int best = 0;
	int i;

	if (store->n == BLOCK)
		write_block(store);
	for (i = 0; i < store->k; i++)
	{
		store->p[(Size) i * BLOCK + store->n] = p[i];
		if (p[i] > p[best])
			best = i;
	}
	store->label[store->n] = label;
	store->weight[store->n] = weight;
	store->n++;
	store->rows++;
	store->weighted |= weight != 1;
	mass_add(&store->all, weight);
	store->loss += weight * dmp_log_loss_probability(p[label], 1);
	store->classes[label].rows++;
	mass_add(&store->classes[label].actual, weight);
	mass_add(&store->classes[best].predicted, weight);
	if (best == label)
	{
		mass_add(&store->right, weight);
		mass_add(&store->classes[label].both, weight);
	}
	if (p[best] >= model->reject)
	{
		mass_add(&store->answered, weight);
		if (best == label)
			mass_add(&store->answered_right, weight);
	}
}

/* one-vs-rest roc_auc of a class */
static void
class_auc(Store *store, int class, DmpJudgement *j)
{
	MemoryContext scratch =
		AllocSetContextCreate(CurrentMemoryContext, "dmp class auc", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(scratch);
	DmpScoresObject *scores = dmp_scores_make(scratch);
	int32 *label = palloc(sizeof(int32) * BLOCK);
	double *weight = palloc(sizeof(double) * BLOCK);
	double *p = palloc(sizeof(double) * BLOCK);
	int64 b;
	int i;

	for (b = 0; b < store->blocks; b++)
	{
		CHECK_FOR_INTERRUPTS();
		seek_block(store, b, 0);
		read_bytes(store, label, sizeof(int32) * BLOCK);
		read_bytes(store, weight, sizeof(double) * BLOCK);
		seek_block(store, b,
				   BLOCK * (sizeof(int32) + sizeof(double)) +
					   (Size) class * BLOCK * sizeof(double));
		read_bytes(store, p, sizeof(double) * BLOCK);
		for (i = 0; i < BLOCK; i++)
			dmp_scores_append_row(scores, p[i], label[i] == class, weight[i]);
	}
	for (i = 0; i < store->n; i++)
		dmp_scores_append_row(scores, store->p[(Size) class * BLOCK + i], store->label[i] == class,
							  store->weight[i]);
	dmp_judge_auc(dmp_scores_datum(scores), j);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(scratch);
}

/* ---------------------------------------------------------------- output */

static void
emit(const Output *out, const char *metric, DmpJudgement j, const char *class)
{
	const double numbers[] = {j.value, j.low, j.high};
	Datum values[6];
	bool nulls[6];
	int i;

	values[0] = CStringGetTextDatum(metric);
	nulls[0] = false;
	for (i = 0; i < 3; i++)
	{
		values[i + 1] = Float8GetDatum(numbers[i]);
		nulls[i + 1] = isnan(numbers[i]);
	}
	nulls[4] = out->segment == NULL;
	values[4] = out->segment ? CStringGetTextDatum(out->segment) : (Datum) 0;
	nulls[5] = class == NULL;
	values[5] = class ? CStringGetTextDatum(class) : (Datum) 0;
	dmp_srf_row(out->fcinfo, values, nulls);
}

static DmpJudgement
plain(double value)
{
	DmpJudgement j = {value, NAN, NAN};

	return j;
}

static DmpJudgement
share(Mass part, Mass whole)
{
	DmpJudgement j = {NAN, NAN, NAN};

	if (whole.weight > 0)
		dmp_wilson(&j, part.weight / whole.weight, whole.weight * whole.weight / whole.square);
	return j;
}

/* the metrics of each class, and their means into macro: precision, recall, f1, roc_auc */
static int
judge_each(Store *store, DmpJudgement (*each)[4], double *macro)
{
	int present = 0;
	int ranked = 0;
	int i;

	memset(macro, 0, sizeof(double) * 4);
	for (i = 0; i < store->k; i++)
	{
		const ClassSums *c = &store->classes[i];

		if (c->actual.weight == 0)
			continue;
		CHECK_FOR_INTERRUPTS();
		present++;
		each[i][0] = share(c->both, c->predicted);
		each[i][1] = share(c->both, c->actual);
		each[i][2] = plain(2 * c->both.weight / (c->actual.weight + c->predicted.weight));
		class_auc(store, i, &each[i][3]);
		macro[0] += c->predicted.weight > 0 ? each[i][0].value : 0;
		macro[1] += each[i][1].value;
		macro[2] += each[i][2].value;
		if (!isnan(each[i][3].value))
		{
			macro[3] += each[i][3].value;
			ranked++;
		}
	}
	for (i = 0; i < 3; i++)
		macro[i] /= present;
	macro[3] = ranked > 0 ? macro[3] / ranked : NAN;
	return present;
}

static void
emit_store(const Output *out, Store *store)
{
	static const char *const names[] = {"precision", "recall", "f1", "roc_auc"};
	MemoryContext scratch =
		AllocSetContextCreate(CurrentMemoryContext, "dmp evaluate classes", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(scratch);
	bool few = out->segment != NULL && store->rows < DMP_MIN_SLICE;
	DmpJudgement none = plain(NAN);
	DmpJudgement(*each)[4] = palloc(sizeof(*each) * store->k);
	double macro[4] = {NAN, NAN, NAN, NAN};
	int present = 0;
	int i;
	int m;

	for (i = 0; i < store->k; i++)
		present += store->classes[i].actual.weight > 0;
	if (!few)
		(void) judge_each(store, each, macro);
	emit(out, "rows", plain((double) store->rows), NULL);
	if (store->weighted)
		emit(out, "weight", plain(store->all.weight), NULL);
	emit(out, "classes", plain(present), NULL);
	emit(out, "accuracy", few ? none : share(store->right, store->all), NULL);
	if (out->model->reject > 0)
	{
		emit(out, "coverage", few ? none : share(store->answered, store->all), NULL);
		emit(out, "answered_accuracy", few ? none : share(store->answered_right, store->answered),
			 NULL);
	}
	emit(out, "log_loss", few ? none : plain(store->loss / store->all.weight), NULL);
	for (m = 0; m < lengthof(names); m++)
		emit(out, psprintf("macro_%s", names[m]), plain(macro[m]), NULL);
	for (i = 0; i < store->k && !few; i++)
	{
		if (store->classes[i].actual.weight == 0)
			continue;
		emit(out, "rows", plain((double) store->classes[i].rows), out->model->classes[i]);
		for (m = 0; m < lengthof(names); m++)
			emit(out, names[m], each[i][m], out->model->classes[i]);
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(scratch);
}

/* ------------------------------------------------------------------ rows */

/* place of a class of the model, or -1; classes are in byte order */
int
dmp_class_number(const DmpModel *model, const char *class)
{
	int low = 0;
	int high = model->nclasses - 1;

	while (low <= high)
	{
		int middle = (low + high) / 2;
		int c = strcmp(model->classes[middle], class);

		if (c == 0)
			return middle;
		if (c < 0)
			low = middle + 1;
		else
			high = middle - 1;
	}
	ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					errmsg("target \"%s\" has the value \"%s\", which the model does not know",
						   model->target, class)));
	return -1;
}

static char *
rows_sql(const DmpLabelled *rows, List *by)
{
	const char *target = quote_identifier(rows->model->target);
	StringInfoData sql;

	(void) dmp_column_number(rows->desc, rows->model->target, "target: ");
	initStringInfo(&sql);
	appendStringInfo(&sql,
					 "SELECT dmp_internal.class_scores($1, q.*) AS p, q.%s::text AS y, %s AS w",
					 target, dmp_labelled_weight(rows));
	if (by != NIL)
		dmp_append_segment(&sql, rows->desc, by);
	else
		appendStringInfoString(&sql, ", NULL::text AS segment");
	appendStringInfo(&sql, " FROM (%s) AS q WHERE q.%s IS NOT NULL%s", rows->select, target,
					 by != NIL ? " ORDER BY segment" : "");
	return sql.data;
}

/* a row of the result into the stores; false: it does not count */
static void
add_row(const DmpModel *model, uint64 i, Store *total, Store *slice)
{
	bool isnull;
	ArrayType *array = DatumGetArrayTypeP(dmp_spi_datum(i, 1, &isnull));
	int label = dmp_class_number(model, dmp_spi_text(i, 2));
	double weight = dmp_spi_float8(i, 3, 0);

	if (weight == 0)
		return;
	store_add(total, model, (double *) ARR_DATA_PTR(array), label, weight);
	if (slice != NULL)
		store_add(slice, model, (double *) ARR_DATA_PTR(array), label, weight);
}

/*
 * Slices are ready before all rows are, but come behind them: they are put
 * into a store of their own for the time being.
 */
static void
put_slices(ReturnSetInfo *result, Tuplestorestate *slices)
{
	TupleTableSlot *slot = MakeSingleTupleTableSlot(result->setDesc, &TTSOpsMinimalTuple);

	while (tuplestore_gettupleslot(slices, true, false, slot))
	{
		CHECK_FOR_INTERRUPTS();
		tuplestore_puttupleslot(result->setResult, slot);
	}
	ExecDropSingleTupleTableSlot(slot);
	tuplestore_end(slices);
}

/* SPI is connected; $1 of args is the model's value */
void
dmp_evaluate_classes(FunctionCallInfo fcinfo, const DmpLabelled *rows, List *by, DmpArgs *args)
{
	const DmpModel *model = rows->model;
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	Tuplestorestate *all = result->setResult;
	Output out = {fcinfo, model, NULL};
	Store *total = store_make(model->nclasses);
	Store *slice = by != NIL ? store_make(model->nclasses) : NULL;
	MemoryContext scratch =
		AllocSetContextCreate(CurrentMemoryContext, "dmp evaluate rows", ALLOCSET_DEFAULT_SIZES);
	Portal portal = SPI_cursor_open_with_args(NULL, rows_sql(rows, by), args->n, args->types,
											  args->values, args->nulls, true, 0);
	char *segment = NULL;
	uint64 i;

	if (slice != NULL)
		result->setResult = tuplestore_begin_heap(true, false, work_mem);
	for (;;)
	{
		SPI_cursor_fetch(portal, true, FETCH);
		if (SPI_processed == 0)
			break;
		for (i = 0; i < SPI_processed; i++)
		{
			MemoryContext old = MemoryContextSwitchTo(scratch);
			char *next = slice != NULL ? dmp_spi_text(i, 4) : NULL;

			if (next != NULL && (segment == NULL || strcmp(next, segment) != 0))
			{
				MemoryContextSwitchTo(old);
				out.segment = segment;
				if (segment != NULL)
					emit_store(&out, slice);
				store_reset(slice);
				segment = pstrdup(next);
				MemoryContextSwitchTo(scratch);
			}
			add_row(model, i, total, slice);
			MemoryContextSwitchTo(old);
			MemoryContextReset(scratch);
		}
		SPI_freetuptable(SPI_tuptable);
	}
	SPI_cursor_close(portal);
	if (total->rows == 0)
		ereport(ERROR,
				(errcode(ERRCODE_NO_DATA),
				 errmsg("the query has no rows with a value of target \"%s\"", model->target)));
	if (slice != NULL)
	{
		Tuplestorestate *slices = result->setResult;

		out.segment = segment;
		emit_store(&out, slice);
		store_reset(slice);
		result->setResult = all;
		out.segment = NULL;
		emit_store(&out, total);
		put_slices(result, slices);
	}
	else
		emit_store(&out, total);
	store_reset(total);
}
