/*-------------------------------------------------------------------------
 * shape.c
 *		A source's recipe: between the decoder and the insert.
 *
 * Records are decoded to the fields that the recipe reads, and collected. One
 * statement over a batch of them, compiled by the module clean, gives the rows
 * for insert.c; what a step turns away goes to quarantine with the step. An
 * expression of the caller's (derive, require) may throw: the statement runs in
 * a subtransaction, and the batch is halved until the row is alone, as insert.c
 * does for the table's own errors.
 *-------------------------------------------------------------------------
 */
#include "ingest/shape.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/tuptable.h"
#include "storage/itemptr.h"
#include "utils/memutils.h"
#include "utils/resowner.h"

const DmpRecipeHooks *dmp_recipe_hooks = NULL;

struct DmpShape
{
	MemoryContext context;
	DmpRowRecipe *recipe;
	int n_fields;
	int *column; /* of the input, by field */
	const char *lake_id;
	TupleDesc desc;
	SPIPlanPtr plan;
	Tuplestorestate *rows;
	int64 n;
	int64 bytes;
	Datum *values;
	bool *nulls;
	/* of a flush */
	DmpInsert *insert;
	void (*rejected)(void *arg, int tag, const DmpRejected *why);
	void *arg;
	Datum *out;
	bool *out_nulls;
	bool *out_absent;
};

static void
new_rows(DmpShape *shape)
{
	MemoryContext old = MemoryContextSwitchTo(shape->context);

	shape->rows = tuplestore_begin_heap(false, false, work_mem);
	shape->n = 0;
	shape->bytes = 0;
	MemoryContextSwitchTo(old);
}

DmpShape *
dmp_shape_begin(const DmpSource *source, TupleDesc target, TupleDesc input,
				const DmpDecoder *decoder)
{
	DmpShape *shape = palloc0(sizeof(DmpShape));
	int n = input->natts;

	shape->context = CurrentMemoryContext;
	shape->recipe = dmp_recipe_hooks->compile(source->recipe, input, target,
											  dmp_relation_name(source->into), source->key);
	shape->n_fields = dmp_decoder_fields(decoder);
	shape->column = palloc(sizeof(int) * shape->n_fields);
	for (int i = 0; i < shape->n_fields; i++)
		shape->column[i] = dmp_decoder_column(decoder, i);
	shape->lake_id = dmp_decoder_special(decoder, "$lake_id");
	shape->desc = CreateTemplateTupleDesc(2 + 2 * n);
	TupleDescInitEntry(shape->desc, 1, "tag", INT4OID, -1, 0);
	TupleDescInitEntry(shape->desc, 2, "place", TIDOID, -1, 0);
	for (int i = 0; i < n; i++)
	{
		Form_pg_attribute att = TupleDescAttr(input, i);

		TupleDescInitEntry(shape->desc, 3 + i, psprintf("c%d", i), att->atttypid, att->atttypmod,
						   att->attndims);
		TupleDescInitEntryCollation(shape->desc, 3 + i, att->attcollation);
		TupleDescInitEntry(shape->desc, 3 + n + i, psprintf("d%d", i), BOOLOID, -1, 0);
	}
	shape->values = palloc0(sizeof(Datum) * shape->desc->natts);
	shape->nulls = palloc0(sizeof(bool) * shape->desc->natts);
	shape->out = palloc(sizeof(Datum) * shape->recipe->n);
	shape->out_nulls = palloc(sizeof(bool) * shape->recipe->n);
	shape->out_absent = palloc(sizeof(bool) * shape->recipe->n);
	new_rows(shape);
	dmp_register_rows(DMP_RAW_RELATION, shape->desc, shape->rows, DMP_BATCH_ROWS);
	shape->plan = SPI_prepare(shape->recipe->select, 0, NULL);
	if (shape->plan == NULL)
		elog(ERROR, "could not prepare: %s", SPI_result_code_string(SPI_result));
	SPI_unregister_relation(DMP_RAW_RELATION);
	return shape;
}

DmpColumns *
dmp_shape_columns(const DmpShape *shape)
{
	DmpColumns *columns = palloc0(sizeof(DmpColumns));

	columns->n = shape->recipe->n;
	columns->numbers = shape->recipe->columns;
	columns->lake_id = shape->lake_id;
	return columns;
}

void
dmp_shape_add(DmpShape *shape, Datum *values, bool *nulls, bool *absent, int tag)
{
	ItemPointerData place;
	int n = (shape->desc->natts - 2) / 2;

	ItemPointerSet(&place, tag, 1);
	shape->values[0] = Int32GetDatum(tag);
	shape->values[1] = PointerGetDatum(&place);
	for (int i = 0; i < shape->n_fields; i++)
	{
		int column = shape->column[i];

		shape->values[2 + column] = values[i];
		shape->nulls[2 + column] = nulls[i];
		shape->values[2 + n + column] = BoolGetDatum(absent[i]);
	}
	tuplestore_putvalues(shape->rows, shape->desc, shape->values, shape->nulls);
	shape->n++;
}

void
dmp_shape_bytes(DmpShape *shape, int64 bytes)
{
	shape->bytes += bytes;
}

bool
dmp_shape_full(const DmpShape *shape)
{
	return shape->n >= DMP_BATCH_ROWS || shape->bytes >= DMP_BATCH_BYTES;
}

/* what the statement returned becomes rows to insert */
static void
take_result(DmpShape *shape)
{
	SPITupleTable *rows = SPI_tuptable;
	int n = shape->recipe->n;

	for (uint64 i = 0; i < rows->numvals; i++)
	{
		bool isnull;
		int tag;

		CHECK_FOR_INTERRUPTS();
		tag = DatumGetInt32(SPI_getbinval(rows->vals[i], rows->tupdesc, 1, &isnull));
		for (int j = 0; j < n; j++)
		{
			shape->out[j] =
				SPI_getbinval(rows->vals[i], rows->tupdesc, 2 + j, &shape->out_nulls[j]);
			shape->out_absent[j] =
				DatumGetBool(SPI_getbinval(rows->vals[i], rows->tupdesc, 2 + n + j, &isnull));
		}
		dmp_insert_add(shape->insert, shape->out, shape->out_nulls, shape->out_absent, tag);
	}
	SPI_freetuptable(rows);
}

/* Tries a batch in a subtransaction. NULL when it is done, else the error of some row. */
static ErrorData *
try_rows(DmpShape *shape, Tuplestorestate *rows, int64 n)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	ErrorData *volatile error = NULL;

	dmp_recipe_hooks->reset(shape->recipe);
	dmp_register_rows(DMP_RAW_RELATION, shape->desc, rows, n);
	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		int rc = SPI_execute_plan(shape->plan, NULL, NULL, false, 0);

		if (rc != SPI_OK_SELECT)
			elog(ERROR, "statement failed: %s", SPI_result_code_string(rc));
		ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(context);
	CurrentResourceOwner = owner;
	SPI_unregister_relation(DMP_RAW_RELATION);
	if (error != NULL)
	{
		if (!dmp_is_rows_fault(error->sqlerrcode))
			ReThrowError(error);
		return error;
	}
	take_result(shape);
	(void) dmp_recipe_hooks->rejects(shape->recipe, shape->rejected, shape->arg);
	return NULL;
}

/* rows from (inclusive) to (exclusive) are known to hold a bad one */
static void
halve(DmpShape *shape, TupleTableSlot *slot, MinimalTuple *tuples, int64 from, int64 to,
	  const ErrorData *error)
{
	int64 middle = from + (to - from) / 2;

	CHECK_FOR_INTERRUPTS();
	check_stack_depth();
	if (to - from == 1)
	{
		DmpRejected why = {0};
		bool isnull;
		int tag;

		ExecStoreMinimalTuple(tuples[from], slot, false);
		tag = DatumGetInt32(slot_getattr(slot, 1, &isnull));
		why.column_name = error->column_name;
		why.reason = psprintf("recipe: %s", error->message);
		why.sqlstate = pstrdup(unpack_sql_state(error->sqlerrcode));
		shape->rejected(shape->arg, tag, &why);
		return;
	}
	for (int half = 0; half < 2; half++)
	{
		int64 first = half ? middle : from;
		int64 end = half ? to : middle;
		Tuplestorestate *rows = tuplestore_begin_heap(false, false, work_mem);
		ErrorData *failed;

		for (int64 i = first; i < end; i++)
		{
			ExecStoreMinimalTuple(tuples[i], slot, false);
			tuplestore_puttupleslot(rows, slot);
		}
		failed = try_rows(shape, rows, end - first);
		tuplestore_end(rows);
		if (failed != NULL)
			halve(shape, slot, tuples, first, end, failed);
	}
}

void
dmp_shape_flush(DmpShape *shape, DmpInsert *insert,
				void (*rejected)(void *arg, int tag, const DmpRejected *why), void *arg)
{
	MemoryContext context;
	MemoryContext old;
	ErrorData *error;

	if (shape->n == 0)
		return;
	shape->insert = insert;
	shape->rejected = rejected;
	shape->arg = arg;
	context = AllocSetContextCreate(shape->context, "dmp shape batch", ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(context);
	error = try_rows(shape, shape->rows, shape->n);
	if (error != NULL)
	{
		TupleTableSlot *slot = MakeSingleTupleTableSlot(shape->desc, &TTSOpsMinimalTuple);
		MinimalTuple *tuples = MemoryContextAllocHuge(context, sizeof(MinimalTuple) * shape->n);
		int64 n = 0;

		tuplestore_rescan(shape->rows);
		while (tuplestore_gettupleslot(shape->rows, true, false, slot))
			tuples[n++] = ExecCopySlotMinimalTuple(slot);
		halve(shape, slot, tuples, 0, n, error);
		ExecDropSingleTupleTableSlot(slot);
	}
	tuplestore_end(shape->rows);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
	new_rows(shape);
}

void
dmp_shape_end(DmpShape *shape)
{
	dmp_recipe_hooks->release(shape->recipe);
}
