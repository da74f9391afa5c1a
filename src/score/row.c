/*-------------------------------------------------------------------------
 * row.c
 *		A row's columns matched to the sources of a model, by name.
 *
 * A record's map is made once for a row type. A column the model needs and
 * the row does not have is an error, as is one that is no number where a
 * number is needed; columns the model does not know do not matter.
 *-------------------------------------------------------------------------
 */
#include "dmp.h"

#include "access/htup_details.h"
#include "base/base.h"
#include "catalog/pg_type.h"
#include "learn/segments.h"
#include "score/score.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/float.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/numeric.h"
#include "utils/typcache.h"

DmpRowMap *
dmp_row_map(const DmpModel *model, const char *name, int version, MemoryContext context)
{
	MemoryContext old = MemoryContextSwitchTo(context);
	DmpRowMap *map = palloc0(sizeof(DmpRowMap));
	int n = Max(dmp_model_inputs(model), 1);

	map->model = model;
	map->inputs = dmp_model_inputs(model);
	map->name = name;
	map->version = version;
	map->context = context;
	map->deformed = palloc0(SizeofHeapTupleHeader);
	map->attnums = palloc0(sizeof(AttrNumber) * n);
	map->values = palloc0(sizeof(Datum) * n);
	map->nulls = palloc0(sizeof(bool) * n);
	map->types = palloc0(sizeof(Oid) * n);
	map->margins = palloc0(sizeof(double) * Max(model->nclasses, 1));
	MemoryContextSwitchTo(old);
	return map;
}

static char *
model_words(const DmpRowMap *map)
{
	if (map->name == NULL)
		return pstrdup("the model");
	return psprintf("model \"%s\" version %d", map->name, map->version);
}

static void
pg_attribute_noreturn() missing_column(const DmpRowMap *map, const char *column, List *present)
{
	ereport(ERROR, (errcode(ERRCODE_UNDEFINED_COLUMN),
					errmsg("column \"%s\" needed by %s is missing", column, model_words(map)),
					present == NIL ? errdetail("The row has no columns.")
								   : errdetail("The row has %s.", dmp_join(present, ", "))));
}

/* whether values of a type can be input i of a model: a source, or a column that makes groups */
bool
dmp_input_type(const DmpModel *model, int i, Oid type)
{
	if (i >= model->design.nsources)
		return dmp_segment_type(type);
	return dmp_value_kind(type) == model->design.sources[i].kind;
}

static void
pg_attribute_noreturn() wrong_type(const DmpRowMap *map, int i, const char *found)
{
	const DmpModel *model = map->model;

	ereport(ERROR,
			(errcode(ERRCODE_DATATYPE_MISMATCH),
			 errmsg("column \"%s\" needed by %s is %s", dmp_model_input(model, i), model_words(map),
					found),
			 i < model->design.nsources
				 ? errdetail("To the model it is %s.",
							 dmp_value_kind_name(model->design.sources[i].kind))
				 : errdetail("It tells the groups of the model apart, as a number, a text, a "
							 "boolean, a time or an identifier.")));
}

/* The model's terms over rows of map->desc, where it has them. */
static void
map_terms(DmpRowMap *map)
{
	int n = map->model->design.nsources;
	int *places = palloc(sizeof(int) * Max(n, 1));
	int *offsets = palloc(sizeof(int) * Max(map->desc->natts, 1));
	int natts = 0;
	int offset = 0;
	int i;

	for (i = 0; i < n; i++)
	{
		places[i] = map->attnums[i];
		natts = Max(natts, map->attnums[i] + 1);
	}
	map->quick_columns = dmp_quick_make(map->model, map->types, places, map->context);
	memset(map->deformed, 0, SizeofHeapTupleHeader);
	for (i = 0; i < natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(map->desc, i);

		if (att->attlen <= 0)
			return; /* what is behind it is not always at the same place */
		offsets[i] = att_align_nominal(offset, att->attalign);
		offset = offsets[i] + att->attlen;
	}
	for (i = 0; i < n; i++)
		places[i] = offsets[map->attnums[i]];
	map->quick_bytes = dmp_quick_make(map->model, map->types, places, map->context);
	map->fixed_length = offset;
	pfree(places);
	pfree(offsets);
}

static void
map_record(DmpRowMap *map, TupleDesc desc)
{
	MemoryContext old;
	int i;

	for (i = 0; i < map->inputs; i++)
	{
		const char *name = dmp_model_input(map->model, i);
		int found = -1;
		int k;

		for (k = 0; k < desc->natts; k++)
		{
			Form_pg_attribute att = TupleDescAttr(desc, k);

			if (att->attisdropped || strcmp(NameStr(att->attname), name) != 0)
				continue;
			if (found >= 0)
				ereport(ERROR, (errcode(ERRCODE_AMBIGUOUS_COLUMN),
								errmsg("column \"%s\" needed by %s is there twice", name,
									   model_words(map))));
			found = k;
		}
		if (found < 0)
			missing_column(map, name, dmp_column_names(desc));
		map->types[i] = getBaseType(TupleDescAttr(desc, found)->atttypid);
		if (!dmp_input_type(map->model, i, map->types[i]))
			wrong_type(
				map, i,
				psprintf("of type %s", format_type_be(TupleDescAttr(desc, found)->atttypid)));
		map->attnums[i] = found;
	}
	old = MemoryContextSwitchTo(map->context);
	map->desc = CreateTupleDescCopy(desc);
	map->columns = palloc0(sizeof(Datum) * Max(desc->natts, 1));
	map->column_nulls = palloc0(sizeof(bool) * Max(desc->natts, 1));
	map->quick_columns = map->quick_bytes = NULL;
	map->rows = 0;
	MemoryContextSwitchTo(old);
}

void
dmp_row_check(const DmpModel *model, const char *name, int version, TupleDesc desc)
{
	map_record(dmp_row_map(model, name, version, CurrentMemoryContext), desc);
}

/* The map is that of the record's type from here on. */
static inline void
map_of(DmpRowMap *map, HeapTupleHeader record)
{
	Oid type = HeapTupleHeaderGetTypeId(record);
	int32 typmod = HeapTupleHeaderGetTypMod(record);
	TupleDesc desc;

	/* a named type may change while we look; an anonymous one never does */
	if (likely(map->desc_id != 0 && type == map->row_type && typmod == map->row_typmod &&
			   (type == RECORDOID || (map->row_entry->tupDesc != NULL &&
									  map->row_entry->tupDesc_identifier == map->desc_id))))
		return;
	map->desc_id = 0;
	desc = lookup_rowtype_tupdesc(type, typmod);
	map_record(map, desc);
	ReleaseTupleDesc(desc);
	map->row_type = type;
	map->row_typmod = typmod;
	map->row_entry = type == RECORDOID ? NULL : lookup_type_cache(type, TYPECACHE_TUPDESC);
	map->desc_id = assign_record_type_identifier(type, typmod);
}

static inline void
deform(DmpRowMap *map, HeapTupleHeader record)
{
	HeapTupleData tuple;

	tuple.t_len = HeapTupleHeaderGetDatumLength(record);
	ItemPointerSetInvalid(&tuple.t_self);
	tuple.t_tableOid = InvalidOid;
	tuple.t_data = record;
	heap_deform_tuple(&tuple, map->desc, map->columns, map->column_nulls);
}

static void
take_columns(DmpRowMap *map)
{
	int i;

	for (i = 0; i < map->inputs; i++)
	{
		map->values[i] = map->columns[map->attnums[i]];
		map->nulls[i] = map->column_nulls[map->attnums[i]];
	}
}

void
dmp_record_row(DmpRowMap *map, HeapTupleHeader record)
{
	map_of(map, record);
	deform(map, record);
	take_columns(map);
}

/*
 * Is the layout of a record that of one that was deformed? heap_deform_tuple()
 * also refuses records made before a column of their type was changed, which
 * their header tells in the places compared here.
 */
static inline bool
same_layout(const DmpRowMap *map, const HeapTupleHeaderData *record)
{
	const HeapTupleHeaderData *known = map->deformed;

	return record->t_infomask == known->t_infomask && record->t_infomask2 == known->t_infomask2 &&
		   record->t_hoff == known->t_hoff &&
		   record->t_choice.t_datum.datum_typmod == known->t_choice.t_datum.datum_typmod &&
		   memcmp(&record->t_ctid, &known->t_ctid, sizeof(ItemPointerData)) == 0 &&
		   HeapTupleHeaderGetDatumLength(record) >= record->t_hoff + map->fixed_length;
}

double
dmp_record_margin(DmpRowMap *map, HeapTupleHeader record)
{
	double margin;

	map_of(map, record);
	if (unlikely(++map->rows == DMP_QUICK_FROM))
		map_terms(map);
	if (map->quick_bytes != NULL && same_layout(map, record) &&
		dmp_quick_bytes(map->quick_bytes, (char *) record + record->t_hoff, &margin))
		return margin;
	deform(map, record);
	if (map->quick_bytes != NULL && (record->t_infomask & HEAP_HASNULL) == 0 &&
		HeapTupleHeaderGetNatts(record) == map->desc->natts)
		memcpy(map->deformed, record, SizeofHeapTupleHeader);
	if (map->quick_columns != NULL &&
		dmp_quick_columns(map->quick_columns, map->columns, map->column_nulls, &margin))
		return margin;
	take_columns(map);
	return dmp_model_margin(map->model, map->values, map->nulls, map->types, NULL);
}

void
dmp_slot_map(DmpRowMap *map, TupleDesc desc)
{
	map_record(map, desc);
}

void
dmp_slot_row(DmpRowMap *map, TupleTableSlot *slot)
{
	int i;

	if (unlikely(++map->rows == DMP_QUICK_FROM))
		map_terms(map);
	slot_getallattrs(slot);
	for (i = 0; i < map->inputs; i++)
	{
		map->values[i] = slot->tts_values[map->attnums[i]];
		map->nulls[i] = slot->tts_isnull[map->attnums[i]];
	}
}

static List *
jsonb_keys(Jsonb *row)
{
	List *keys = NIL;
	JsonbIterator *it = JsonbIteratorInit(&row->root);
	JsonbValue value;
	JsonbIteratorToken token;
	int depth = 0;

	while ((token = JsonbIteratorNext(&it, &value, false)) != WJB_DONE)
	{
		if (token == WJB_BEGIN_OBJECT || token == WJB_BEGIN_ARRAY)
			depth++;
		else if (token == WJB_END_OBJECT || token == WJB_END_ARRAY)
			depth--;
		else if (token == WJB_KEY && depth == 1)
			keys = lappend(keys, pnstrdup(value.val.string.val, value.val.string.len));
	}
	return keys;
}

/* the strings of an array, as text[]; false when it is no array of them */
static bool
jsonb_texts(JsonbValue *value, Datum *texts)
{
	JsonbIterator *it;
	JsonbValue element;
	JsonbIteratorToken token;
	Datum *items;
	int n = 0;

	if (value->type != jbvBinary || !JsonContainerIsArray(value->val.binary.data))
		return false;
	items = palloc(sizeof(Datum) * (JsonContainerSize(value->val.binary.data) + 1));
	it = JsonbIteratorInit(value->val.binary.data);
	while ((token = JsonbIteratorNext(&it, &element, true)) != WJB_DONE)
	{
		if (token != WJB_ELEM || element.type == jbvNull)
			continue;
		if (element.type != jbvString)
			return false;
		items[n++] = PointerGetDatum(
			cstring_to_text_with_len(element.val.string.val, element.val.string.len));
	}
	*texts = PointerGetDatum(construct_array(items, n, TEXTOID, -1, false, TYPALIGN_INT));
	return true;
}

/* the numbers of an array, as float8[]; a null is NaN, missing; false when it is no array of them */
static bool
jsonb_numbers(JsonbValue *value, Datum *numbers)
{
	JsonbIterator *it;
	JsonbValue element;
	JsonbIteratorToken token;
	Datum *items;
	int n = 0;

	if (value->type != jbvBinary || !JsonContainerIsArray(value->val.binary.data))
		return false;
	items = palloc(sizeof(Datum) * (JsonContainerSize(value->val.binary.data) + 1));
	it = JsonbIteratorInit(value->val.binary.data);
	while ((token = JsonbIteratorNext(&it, &element, true)) != WJB_DONE)
	{
		if (token != WJB_ELEM)
			continue;
		if (element.type == jbvNull)
			items[n++] = Float8GetDatum(get_float8_nan());
		else if (element.type == jbvNumeric)
			items[n++] = DirectFunctionCall1(numeric_float8_no_overflow,
											 NumericGetDatum(element.val.numeric));
		else
			return false;
	}
	*numbers = PointerGetDatum(
		construct_array(items, n, FLOAT8OID, sizeof(float8), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
	return true;
}

/*
 * A time in json: ISO 8601, as to_jsonb() writes it, whatever the session's
 * settings. One without an offset is local time of the zone that the model
 * was trained in.
 */
static bool
jsonb_time(const DmpRowMap *map, const DmpSource *source, JsonbValue *value, Datum *time)
{
	char *text = pnstrdup(value->val.string.val, value->val.string.len);
	const char *clock = strpbrk(text, "Tt :");
	Datum input = CStringGetDatum(text);

	if (strcmp(text, "infinity") != 0 && strcmp(text, "-infinity") != 0 &&
		(strspn(text, "0123456789") < 4 || text[strspn(text, "0123456789")] != '-'))
		return false;
	*time =
		DirectFunctionCall3(timestamp_in, input, ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1));
	if (source->kind == DMP_VALUE_TIMESTAMP)
		return true;
	if (clock != NULL && strpbrk(clock, "+-Zz") != NULL)
		*time = DirectFunctionCall3(timestamptz_in, input, ObjectIdGetDatum(InvalidOid),
									Int32GetDatum(-1));
	else
		*time = DirectFunctionCall2(
			timestamp_zone, CStringGetTextDatum(dmp_design_zone(&map->model->design, source)),
			*time);
	return true;
}

/* A string that stands for a text or a time; false: for neither. */
static bool
jsonb_string(DmpRowMap *map, int i, JsonbValue *value)
{
	const DmpSource *source = &map->model->design.sources[i];

	switch (source->kind)
	{
		case DMP_VALUE_TEXT:
			map->types[i] = TEXTOID;
			map->values[i] = PointerGetDatum(
				cstring_to_text_with_len(value->val.string.val, value->val.string.len));
			return true;
		case DMP_VALUE_TIMESTAMP:
			map->types[i] = TIMESTAMPOID;
			return jsonb_time(map, source, value, &map->values[i]);
		case DMP_VALUE_TIMESTAMPTZ:
			map->types[i] = TIMESTAMPTZOID;
			return jsonb_time(map, source, value, &map->values[i]);
		default:
			return false;
	}
}

void
dmp_jsonb_row(DmpRowMap *map, Jsonb *row)
{
	int i;

	if (!JB_ROOT_IS_OBJECT(row))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("a row given as json must be an object")));
	map->desc_id = 0;
	for (i = 0; i < map->inputs; i++)
	{
		const char *name = dmp_model_input(map->model, i);
		bool by = i >= map->model->design.nsources;
		DmpValueKind needed = by ? DMP_VALUE_OTHER : map->model->design.sources[i].kind;
		JsonbValue buffer;
		JsonbValue *value = getKeyJsonValueFromContainer(&row->root, name, strlen(name), &buffer);

		if (value == NULL)
		{
			missing_column(map, name, jsonb_keys(row));
			continue; /* not reached */
		}
		map->nulls[i] = value->type == jbvNull;
		if (map->nulls[i])
			continue;
		if (value->type == jbvNumeric && by)
		{
			map->types[i] = NUMERICOID;
			map->values[i] = NumericGetDatum(value->val.numeric);
		}
		else if (value->type == jbvNumeric && needed == DMP_VALUE_NUMBER)
		{
			map->types[i] = FLOAT8OID;
			map->values[i] = DirectFunctionCall1(numeric_float8_no_overflow,
												 NumericGetDatum(value->val.numeric));
		}
		else if (value->type == jbvBool && (by || needed == DMP_VALUE_BOOLEAN))
		{
			map->types[i] = BOOLOID;
			map->values[i] = BoolGetDatum(value->val.boolean);
		}
		else if (value->type == jbvString && by)
		{
			map->types[i] = TEXTOID;
			map->values[i] = PointerGetDatum(
				cstring_to_text_with_len(value->val.string.val, value->val.string.len));
		}
		else if (value->type == jbvString && jsonb_string(map, i, value))
			continue;
		else if (needed == DMP_VALUE_NUMBERS && jsonb_numbers(value, &map->values[i]))
			map->types[i] = FLOAT8ARRAYOID;
		else if (needed == DMP_VALUE_TEXTS && jsonb_texts(value, &map->values[i]))
			map->types[i] = TEXTARRAYOID;
		else
			wrong_type(map, i,
					   value->type == jbvNumeric  ? "a number"
					   : value->type == jbvBool   ? "a boolean"
					   : value->type == jbvString ? "a string"
												  : "an array or object");
	}
}
