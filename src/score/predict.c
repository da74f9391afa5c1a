/*-------------------------------------------------------------------------
 * predict.c
 *		dmp.predict, dmp.margin and dmp.classify, a row at a time.
 *
 * Each is one C function behind six declarations: the model as a reference
 * (text) or a value (dmp.model_value), the row as record, jsonb or text. Which
 * one was called is read from pg_proc at the first row.
 *-------------------------------------------------------------------------
 */
#include "dmp.h"

#include "base/base.h"
#include "catalog/pg_type.h"
#include "learn/segments.h"
#include "score/score.h"
#include "utils/array.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

PG_FUNCTION_INFO_V1(dmp_predict);
PG_FUNCTION_INFO_V1(dmp_margin);
PG_FUNCTION_INFO_V1(dmp_classify);
PG_FUNCTION_INFO_V1(dmp_segment);
PG_FUNCTION_INFO_V1(dmp_score_counted);
PG_FUNCTION_INFO_V1(dmp_margin_counted);
PG_FUNCTION_INFO_V1(dmp_class_scores);
PG_FUNCTION_INFO_V1(dmp_shadow_row);
PG_FUNCTION_INFO_V1(dmp_predict_columns);
PG_FUNCTION_INFO_V1(dmp_margin_columns);
PG_FUNCTION_INFO_V1(dmp_classify_columns);

typedef struct Holder
{
	Oid model_type; /* TEXTOID: a reference */
	Oid row_type;
	/* of the model that is held */
	MemoryContext context;
	const DmpModel *model; /* NULL: none yet */
	DmpRowMap *map;
	text *ref;
	Oid user;
	uint64 generation;
	uint64 hash;
	/* of the forms over columns: a row's values, and their base types */
	Datum *values;
	bool *nulls;
	Oid *types;
	bool checked;        /* against the model */
	uint64 rows;         /* since then */
	DmpQuick *quick;     /* NULL: the model is more than terms */
	struct Holder *next; /* in the ring */
} Holder;

/* A call may name another model in each row: that many stay held, in a ring; fn_extra is the last
 * one used. */
#define MAX_HELD 16

static Holder *
make_holder(FunctionCallInfo fcinfo)
{
	Holder *holder = MemoryContextAllocZero(fcinfo->flinfo->fn_mcxt, sizeof(Holder));
	Oid *types;
	int n;

	(void) get_func_signature(fcinfo->flinfo->fn_oid, &types, &n);
	if (n < 2)
		elog(ERROR, "dmp.predict is declared with %d arguments", n);
	holder->model_type = types[0];
	holder->row_type = types[1];
	holder->context =
		AllocSetContextCreate(fcinfo->flinfo->fn_mcxt, "dmp predict", ALLOCSET_SMALL_SIZES);
	holder->next = holder;
	fcinfo->flinfo->fn_extra = holder;
	return holder;
}

static bool
holds_reference(const Holder *holder, const text *ref)
{
	return holder->model != NULL && holder->generation == dmp_registry_generation() &&
		   holder->user == GetUserId() && VARSIZE_ANY(ref) == VARSIZE_ANY(holder->ref) &&
		   memcmp(ref, holder->ref, VARSIZE_ANY(ref)) == 0;
}

static void
hold_reference(Holder *holder, const text *ref)
{
	DmpCachedModel *cached;

	holder->model = NULL;
	holder->checked = false;
	holder->quick = NULL;
	MemoryContextReset(holder->context);
	cached = dmp_model_hold(text_to_cstring(ref), holder->context, false);
	holder->ref = MemoryContextAlloc(holder->context, VARSIZE_ANY(ref));
	memcpy(holder->ref, ref, VARSIZE_ANY(ref));
	holder->user = GetUserId();
	holder->generation = cached->generation;
	holder->map = dmp_row_map(cached->model, cached->name, cached->version, holder->context);
	holder->model = cached->model;
}

/* format and hash come first: the rest stays where it is */
static uint64
value_hash(Datum datum)
{
	struct varlena *pointer = (struct varlena *) DatumGetPointer(datum);
	struct varlena *slice;
	uint64 hash;

	if (likely(!VARATT_IS_EXTENDED(pointer)))
		return ((DmpModelValue *) pointer)->hash;
	slice = PG_DETOAST_DATUM_SLICE(datum, 0, DMP_MODEL_VALUE_HEADER - VARHDRSZ);
	memcpy(&hash, VARDATA_ANY(slice) + offsetof(DmpModelValue, hash) - VARHDRSZ, sizeof(hash));
	if ((Pointer) slice != (Pointer) pointer)
		pfree(slice);
	return hash;
}

static void
hold_value(Holder *holder, Datum datum, uint64 hash)
{
	struct varlena *pointer = PG_DETOAST_DATUM(datum);

	holder->model = NULL;
	MemoryContextReset(holder->context);
	holder->hash = hash;
	holder->model =
		dmp_model_from_json(dmp_model_value_json((DmpModelValue *) pointer), holder->context);
	holder->map = dmp_row_map(holder->model, NULL, 0, holder->context);
}

/* room for one model more: a new holder, or the one whose turn it is */
static Holder *
next_holder(FunctionCallInfo fcinfo, Holder *current)
{
	Holder *holder;
	int n = 1;

	if (current->model == NULL)
		return current;
	for (holder = current->next; holder != current; holder = holder->next)
		n++;
	if (n < MAX_HELD)
	{
		holder = make_holder(fcinfo);
		holder->next = current->next;
		current->next = holder;
	}
	return current->next;
}

static Holder *
hold_model(FunctionCallInfo fcinfo)
{
	Holder *holder = fcinfo->flinfo->fn_extra, *other;

	if (unlikely(holder == NULL))
		holder = make_holder(fcinfo);
	if (holder->model_type == TEXTOID)
	{
		text *ref = PG_GETARG_TEXT_PP(0);

		if (likely(holds_reference(holder, ref)))
			return holder;
		for (other = holder->next; other != holder && !holds_reference(other, ref);)
			other = other->next;
		if (other == holder)
			hold_reference(other = next_holder(fcinfo, holder), ref);
	}
	else
	{
		uint64 hash = value_hash(PG_GETARG_DATUM(0));

		if (likely(holder->model != NULL && holder->hash == hash))
			return holder;
		for (other = holder->next;
			 other != holder && (other->model == NULL || other->hash != hash);)
			other = other->next;
		if (other == holder)
			hold_value(other = next_holder(fcinfo, holder), PG_GETARG_DATUM(0), hash);
	}
	fcinfo->flinfo->fn_extra = other;
	return other;
}

/* The row of a call with arguments as those of dmp.predict, mapped to the features of its model. */
DmpRowMap *
dmp_row_of_call(FunctionCallInfo fcinfo)
{
	Holder *holder = hold_model(fcinfo);

	switch (holder->row_type)
	{
		case RECORDOID:
			dmp_record_row(holder->map, PG_GETARG_HEAPTUPLEHEADER(1));
			break;
		case JSONBOID:
			dmp_jsonb_row(holder->map, PG_GETARG_JSONB_P(1));
			break;
		default:
			dmp_jsonb_row(holder->map,
						  DatumGetJsonbP(DirectFunctionCall1(
							  jsonb_in, CStringGetDatum(text_to_cstring(PG_GETARG_TEXT_PP(1))))));
			break;
	}
	return holder->map;
}

static double
row_margin(FunctionCallInfo fcinfo)
{
	Holder *holder = hold_model(fcinfo);
	const DmpRowMap *map;

	if (holder->row_type == RECORDOID)
		return dmp_record_margin(holder->map, PG_GETARG_HEAPTUPLEHEADER(1));
	map = dmp_row_of_call(fcinfo);
	return dmp_model_margin(map->model, map->values, map->nulls, map->types, NULL);
}

/* Probabilities of the classes of the row of a call, in map->margins; returns the most probable. */
static int
row_classes(const DmpRowMap *map, DmpRowNotes *notes)
{
	dmp_model_margins(map->model, map->values, map->nulls, map->types, notes, map->margins);
	return dmp_model_softmax(map->model->nclasses, map->margins);
}

/* The class: of two the positive one from the threshold on, of more the most probable; NULL: none. */
static const char *
class_of(const DmpModel *model, const Datum *values, const bool *nulls, const Oid *types,
		 double *margins)
{
	int best;

	if (model->link != DMP_BINOMIAL)
		dmp_model_refuse_numbers(model, "dmp.classify");
	if (model->nclasses == 0)
		return dmp_model_class(
			model, dmp_model_score(model, dmp_model_margin(model, values, nulls, types, NULL)));
	dmp_model_margins(model, values, nulls, types, NULL, margins);
	best = dmp_model_softmax(model->nclasses, margins);
	return margins[best] < model->reject ? NULL : model->classes[best];
}

/* dmp.predict(model, row): probability of the positive class, or the mean of a number */
Datum
dmp_predict(PG_FUNCTION_ARGS)
{
	double margin = row_margin(fcinfo);

	PG_RETURN_FLOAT8(dmp_model_score(((Holder *) fcinfo->flinfo->fn_extra)->model, margin));
}

/* dmp.margin(model, row): its log-odds, which do not saturate as probabilities do */
Datum
dmp_margin(PG_FUNCTION_ARGS)
{
	PG_RETURN_FLOAT8(row_margin(fcinfo));
}

/* dmp.segment(model, row): whose coefficients score the row, a group's or 'pooled' */
Datum
dmp_segment(PG_FUNCTION_ARGS)
{
	const DmpRowMap *map = dmp_row_of_call(fcinfo);
	const char *name;

	(void) dmp_segment_model(map->model, map->values, map->nulls, map->types, &name);
	PG_RETURN_TEXT_P(cstring_to_text(name));
}

/* dmp.classify(model, row) */
Datum
dmp_classify(PG_FUNCTION_ARGS)
{
	DmpRowMap *map = dmp_row_of_call(fcinfo);
	const char *class = class_of(map->model, map->values, map->nulls, map->types, map->margins);

	if (class == NULL)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(class));
}

/*
 * The forms over columns, which the planner puts in the place of the others
 * (plan.c): arguments are a reference with its version, and the features in
 * the model's order. The right to the model is checked where they run.
 */
static Holder *
make_columns_holder(FunctionCallInfo fcinfo)
{
	MemoryContext old = MemoryContextSwitchTo(fcinfo->flinfo->fn_mcxt);
	Holder *holder;
	int n = PG_NARGS() - 1;
	int i;

	if (get_fn_expr_variadic(fcinfo->flinfo))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("this function is called by plans of dmp.predict only")));
	holder = make_holder(fcinfo);
	holder->values = palloc(sizeof(Datum) * Max(n, 1));
	holder->nulls = palloc(sizeof(bool) * Max(n, 1));
	holder->types = palloc(sizeof(Oid) * Max(n, 1));
	for (i = 0; i < n; i++)
		holder->types[i] = getBaseType(get_fn_expr_argtype(fcinfo->flinfo, i + 1));
	MemoryContextSwitchTo(old);
	return holder;
}

static void
check_columns(Holder *holder, int n)
{
	int i;

	if (n != dmp_model_inputs(holder->model))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the model has %d columns, not %d", dmp_model_inputs(holder->model), n)));
	for (i = 0; i < n; i++)
	{
		if (!dmp_input_type(holder->model, i, holder->types[i]))
			ereport(ERROR, (errcode(ERRCODE_DATATYPE_MISMATCH),
							errmsg("column %d is of another type", i + 1)));
	}
	holder->rows = 0;
	holder->checked = true;
}

static void
make_terms(Holder *holder)
{
	int n = holder->model->design.nsources;
	int *places = palloc(sizeof(int) * Max(n, 1));
	int i;

	for (i = 0; i < n; i++)
		places[i] = i + 1;
	holder->quick = dmp_quick_make(holder->model, holder->types, places, holder->context);
	pfree(places);
}

static Holder *
hold_columns(FunctionCallInfo fcinfo)
{
	Holder *holder = fcinfo->flinfo->fn_extra;

	if (unlikely(holder == NULL))
		holder = make_columns_holder(fcinfo);
	if (PG_ARGISNULL(0))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("this function is called by plans of dmp.predict only")));
	if (unlikely(!holds_reference(holder, PG_GETARG_TEXT_PP(0))))
		hold_reference(holder, PG_GETARG_TEXT_PP(0));
	if (unlikely(!holder->checked))
		check_columns(holder, PG_NARGS() - 1);
	return holder;
}

static void
read_columns(FunctionCallInfo fcinfo, Holder *holder)
{
	int i;

	for (i = 0; i < PG_NARGS() - 1; i++)
	{
		holder->values[i] = PG_GETARG_DATUM(i + 1);
		holder->nulls[i] = PG_ARGISNULL(i + 1);
	}
}

static double
columns_margin(FunctionCallInfo fcinfo, Holder *holder)
{
	double margin;

	if (unlikely(++holder->rows == DMP_QUICK_FROM))
		make_terms(holder);
	if (holder->quick != NULL && dmp_quick_args(holder->quick, fcinfo->args, &margin))
		return margin;
	read_columns(fcinfo, holder);
	return dmp_model_margin(holder->model, holder->values, holder->nulls, holder->types, NULL);
}

Datum
dmp_predict_columns(PG_FUNCTION_ARGS)
{
	Holder *holder = hold_columns(fcinfo);
	double margin = columns_margin(fcinfo, holder);

	PG_RETURN_FLOAT8(dmp_model_score(holder->model, margin));
}

Datum
dmp_margin_columns(PG_FUNCTION_ARGS)
{
	PG_RETURN_FLOAT8(columns_margin(fcinfo, hold_columns(fcinfo)));
}

Datum
dmp_classify_columns(PG_FUNCTION_ARGS)
{
	Holder *holder = hold_columns(fcinfo);
	const char *class;

	read_columns(fcinfo, holder);
	class =
		class_of(holder->model, holder->values, holder->nulls, holder->types, holder->map->margins);
	if (class == NULL)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(class));
}

/* dmp_internal.class_scores(value, row): probabilities of a model of several classes, in its order */
Datum
dmp_class_scores(PG_FUNCTION_ARGS)
{
	DmpRowMap *map = dmp_row_of_call(fcinfo);
	DmpRowNotes notes = {0, 0};
	int n = map->model->nclasses;
	ArrayType *array;
	Size size = ARR_OVERHEAD_NONULLS(1) + sizeof(float8) * n;

	if (n == 0)
		ereport(ERROR, (errcode(ERRCODE_WRONG_OBJECT_TYPE),
						errmsg("the model does not tell several classes apart")));
	(void) row_classes(map, &notes);
	dmp_count_row(&notes);
	array = palloc0(size);
	SET_VARSIZE(array, size);
	array->ndim = 1;
	array->elemtype = FLOAT8OID;
	ARR_DIMS(array)[0] = n;
	ARR_LBOUND(array)[0] = 1;
	memcpy(ARR_DATA_PTR(array), map->margins, sizeof(float8) * n);
	PG_RETURN_POINTER(array);
}

/*
 * Score and class of a row of the relation that dmp_slot_map() was given, for
 * dmp.score_row.
 */
double
dmp_slot_score(DmpRowMap *map, TupleTableSlot *slot, const char **class)
{
	const DmpModel *model = map->model;
	double margin;
	double p;
	int best;

	dmp_slot_row(map, slot);
	if (model->nclasses > 0)
	{
		best = row_classes(map, NULL);
		*class = map->margins[best] < model->reject ? NULL : model->classes[best];
		return map->margins[best];
	}
	if (map->quick_columns == NULL ||
		!dmp_quick_columns(map->quick_columns, slot->tts_values, slot->tts_isnull, &margin))
		margin = dmp_model_margin(model, map->values, map->nulls, map->types, NULL);
	p = dmp_model_score(model, margin);
	*class = dmp_model_class(model, p);
	return p;
}

/* the score of a row as dmp.score writes it: of several classes that of the most probable */
static double
table_score(FunctionCallInfo fcinfo, DmpRowNotes *notes)
{
	DmpRowMap *map = dmp_row_of_call(fcinfo);

	if (map->model->nclasses > 0)
		return map->margins[row_classes(map, notes)];
	return dmp_model_score(
		map->model, dmp_model_margin(map->model, map->values, map->nulls, map->types, notes));
}

/* dmp_internal.score_row(value, row): the score of dmp.score, which counts what it met */
Datum
dmp_score_counted(PG_FUNCTION_ARGS)
{
	DmpRowNotes notes = {0, 0};
	double score = table_score(fcinfo, &notes);

	dmp_count_row(&notes);
	PG_RETURN_FLOAT8(score);
}

/* dmp_internal.shadow_row(value, row): the same, not counted */
Datum
dmp_shadow_row(PG_FUNCTION_ARGS)
{
	PG_RETURN_FLOAT8(table_score(fcinfo, NULL));
}

/* dmp_internal.margin_counted(value, row): the margin of dmp.evaluate, which counts what it met */
Datum
dmp_margin_counted(PG_FUNCTION_ARGS)
{
	DmpRowMap *map = dmp_row_of_call(fcinfo);
	DmpRowNotes notes = {0, 0};
	double margin = dmp_model_margin(map->model, map->values, map->nulls, map->types, &notes);

	dmp_count_row(&notes);
	PG_RETURN_FLOAT8(margin);
}
