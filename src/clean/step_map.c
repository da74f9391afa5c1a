/*-------------------------------------------------------------------------
 * step_map.c
 *		The step map: cells by a table of values.
 *
 * Keys and targets are values of the column's type, compared as its equality
 * does (texts by bytes). The table stands in the SELECT as two arrays, of which
 * the function makes a hash table at its first call.
 *-------------------------------------------------------------------------
 */
#include "dmp.h"

#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "utils/array.h"
#include "utils/lsyscache.h"
#include "utils/typcache.h"

#include "base/soft.h"
#include "clean/clean.h"

/* A table of values: open addressing, a type without a hash function is searched in order */
typedef struct ValueMap
{
	TypeCacheEntry *type;
	int n;
	Datum *keys;
	Datum *targets;
	bool *nulls; /* of targets */
	int size;    /* slots, a power of two; 0: search in order */
	int *slots;  /* index of a key, or -1 */
} ValueMap;

/*
 * Texts are compared by bytes, whatever the collation; that of a function call
 * on other types does not matter.
 */
static bool
same_key(const ValueMap *map, Datum a, Datum b)
{
	return DatumGetBool(FunctionCall2Coll(&map->type->eq_opr_finfo, C_COLLATION_OID, a, b));
}

static int
first_slot(const ValueMap *map, Datum key)
{
	uint32 hash =
		DatumGetUInt32(FunctionCall1Coll(&map->type->hash_proc_finfo, C_COLLATION_OID, key));

	return (int) (murmurhash32(hash) & (map->size - 1));
}

/* The index of the key, or -1 */
static int
find_key(const ValueMap *map, Datum key)
{
	int i;

	if (map->size == 0)
	{
		for (i = 0; i < map->n; i++)
			if (same_key(map, map->keys[i], key))
				return i;
		return -1;
	}
	for (i = first_slot(map, key); map->slots[i] >= 0; i = (i + 1) & (map->size - 1))
		if (same_key(map, map->keys[map->slots[i]], key))
			return map->slots[i];
	return -1;
}

/*
 * The map of n keys, in the current memory context; *twice: the index of a key
 * that is there already, or -1.
 */
static ValueMap *
make_map(Oid type, int n, Datum *keys, Datum *targets, bool *nulls, int *twice)
{
	ValueMap *map = palloc0(sizeof(ValueMap));
	int i;

	map->type = lookup_type_cache(type, TYPECACHE_EQ_OPR_FINFO | TYPECACHE_HASH_PROC_FINFO);
	map->keys = keys;
	map->targets = targets;
	map->nulls = nulls;
	*twice = -1;
	if (OidIsValid(map->type->hash_proc))
	{
		for (map->size = 16; map->size < 2 * (Size) n; map->size *= 2)
			;
		map->slots = palloc(sizeof(int) * map->size);
		memset(map->slots, -1, sizeof(int) * map->size);
	}
	for (i = 0; i < n; i++)
	{
		int slot;

		CHECK_FOR_INTERRUPTS();
		if (find_key(map, keys[i]) >= 0)
			*twice = i;
		map->n++;
		if (map->size == 0)
			continue;
		for (slot = first_slot(map, keys[i]); map->slots[slot] >= 0;)
			slot = (slot + 1) & (map->size - 1);
		map->slots[slot] = i;
	}
	return map;
}

/* ---- the step */

/* The values of an array of the type, as SQL */
static char *
array_literal(Oid type, Datum *values, bool *nulls, int n)
{
	Oid array_type = get_array_type(type);
	int16 length;
	bool by_value;
	char align;
	int lower = 1;
	Oid output;
	bool varlena;
	ArrayType *array;

	get_typlenbyvalalign(type, &length, &by_value, &align);
	array = construct_md_array(values, nulls, 1, &n, &lower, type, length, by_value, align);
	getTypeOutputInfo(array_type, &output, &varlena);
	return psprintf("%s::%s",
					quote_literal_cstr(OidOutputFunctionCall(output, PointerGetDatum(array))),
					dmp_clean_type(array_type, -1));
}

/* The arrays of one column's map, as SQL */
static void
read_map(CleanPlan *plan, CleanColumn *column, const DmpDoc *doc, char **keys, char **targets)
{
	Oid base = getBaseType(column->type);
	DmpSoftType *key_type = dmp_soft_prepare(base, -1, CurrentMemoryContext);
	DmpSoftType *type = dmp_soft_prepare(column->type, column->typmod, CurrentMemoryContext);
	Datum *from = palloc(sizeof(Datum) * Max(doc->n, 1));
	Datum *to = palloc(sizeof(Datum) * Max(doc->n, 1));
	bool *nulls = palloc0(sizeof(bool) * Max(doc->n, 1));
	int twice;
	int i;

	if (doc->kind != DMP_DOC_OBJECT || doc->n == 0)
		dmp_clean_error(plan, ERRCODE_INVALID_PARAMETER_VALUE,
						"column \"%s\": map takes an object {value: new value}", column->name);
	if (!OidIsValid(get_array_type(base)))
		dmp_clean_error(plan, ERRCODE_DATATYPE_MISMATCH,
						"column \"%s\" is %s, of which map makes no table", column->name,
						dmp_clean_type(column->type, column->typmod));
	if (!OidIsValid(lookup_type_cache(base, TYPECACHE_EQ_OPR)->eq_opr))
		dmp_clean_error(plan, ERRCODE_DATATYPE_MISMATCH,
						"column \"%s\" is %s, whose values cannot be compared", column->name,
						dmp_clean_type(column->type, column->typmod));
	for (i = 0; i < doc->n; i++)
	{
		const DmpDoc *target = doc->items[i];
		const char *reason;
		bool fits;

		CHECK_FOR_INTERRUPTS();
		if (target->kind >= DMP_DOC_ARRAY)
			dmp_clean_error(plan, ERRCODE_INVALID_PARAMETER_VALUE,
							"column \"%s\": the new value of \"%s\" is a value or null, not %s",
							column->name, doc->keys[i], dmp_doc_kind_name(target->kind));
		fits =
			dmp_soft_input(key_type, doc->keys[i], strlen(doc->keys[i]), &from[i], &reason, NULL);
		nulls[i] = target->kind == DMP_DOC_NULL;
		if (fits && nulls[i])
			fits = dmp_soft_null(type, &reason, NULL);
		else if (fits)
			fits = dmp_soft_input(type, target->text, strlen(target->text), &to[i], &reason, NULL);
		if (!fits)
			dmp_clean_error(plan, ERRCODE_INVALID_PARAMETER_VALUE, "column \"%s\": %s",
							column->name, reason);
	}
	make_map(base, doc->n, from, to, nulls, &twice);
	if (twice >= 0)
		dmp_clean_error(plan, ERRCODE_INVALID_PARAMETER_VALUE,
						"column \"%s\": map has the value \"%s\" twice", column->name,
						doc->keys[twice]);
	*keys = array_literal(base, from, NULL, doc->n);
	*targets = array_literal(base, to, nulls, doc->n);
}

static void
map_column(CleanPlan *plan, CleanColumn *column, CleanLine *line, CleanFate fate, const char *keys,
		   const char *targets)
{
	Oid base = getBaseType(column->type);
	char *type = dmp_clean_type(base, -1);
	/* an array of a string type is of that very type */
	bool same = column->type == base && column->typmod < 0;
	char *before = psprintf("dmp_internal.map_value(%s", same ? "" : "(");
	char *to = same ? "" : psprintf(")::%s", type);
	char *arguments =
		psprintf(", %s, %s, %s", keys, targets, fate == CLEAN_MISSING ? "true" : "false");
	char *back = same ? "" : psprintf("::%s", dmp_clean_type(column->type, column->typmod));

	dmp_clean_wrap(column,
				   psprintf("%s%s%s%s%s)%s", before, column->expr, to, arguments,
							dmp_clean_failing(plan, line), back),
				   before, psprintf("%s%s)%s", to, arguments, back));
}

/*
 * {"map": {column: {value: new value}}, "otherwise": "keep" | "missing" |
 * "quarantine"}: otherwise is about values that are not in the map. Missing
 * cells stay missing.
 */
void
dmp_clean_map(CleanPlan *plan, const DmpDoc *step, const DmpDoc *argument)
{
	List *pairs = NIL;
	CleanFate fate = dmp_clean_fate(plan, step, "otherwise", "keep", "keep");
	bool quarantine = dmp_clean_quarantine(plan, step);
	List *lines = NIL;
	List *keys = NIL;
	List *targets = NIL;
	ListCell *lc;

	foreach (lc, dmp_clean_pairs(plan, argument, NULL, NULL))
	{
		CleanPair *pair = lfirst(lc);

		if (!pair->spread || dmp_clean_is_text(pair->column))
			pairs = lappend(pairs, pair);
	}
	foreach (lc, pairs)
	{
		CleanPair *pair = lfirst(lc);
		CleanLine *line = dmp_clean_line(plan, pair->column->name, true, fate == CLEAN_REJECT);
		char *from;
		char *to;

		const char *reason;

		line->quarantine = quarantine;
		if (fate == CLEAN_MISSING)
		{
			dmp_clean_failures(plan, line, "not in the map, made missing");
			if (!dmp_soft_null(dmp_soft_prepare(pair->column->type, -1, CurrentMemoryContext),
							   &reason, NULL))
				dmp_clean_error(plan, ERRCODE_INVALID_PARAMETER_VALUE, "column \"%s\": %s",
								pair->column->name, reason);
		}
		lines = lappend(lines, line);
		read_map(plan, pair->column, pair->value, &from, &to);
		keys = lappend(keys, from);
		targets = lappend(targets, to);
	}
	if (fate == CLEAN_REJECT)
	{
		dmp_clean_settle(plan);
		foreach (lc, pairs)
		{
			CleanColumn *column = ((CleanPair *) lfirst(lc))->column;

			dmp_clean_filter(plan, list_nth(lines, foreach_current_index(lc)),
							 psprintf("%s IS NULL OR dmp_internal.map_has(%s::%s, %s)",
									  column->base, column->base,
									  dmp_clean_type(getBaseType(column->type), -1),
									  (char *) list_nth(keys, foreach_current_index(lc))),
							 psprintf("'23514 not in the map: \"' || left(%s::text, 100) || '\"'",
									  column->base));
		}
	}
	foreach (lc, pairs)
	{
		int i = foreach_current_index(lc);

		map_column(plan, ((CleanPair *) lfirst(lc))->column, list_nth(lines, i), fate,
				   list_nth(keys, i), list_nth(targets, i));
	}
}

/* ---- the functions */

PG_FUNCTION_INFO_V1(dmp_map_value);
PG_FUNCTION_INFO_V1(dmp_map_has);

/*
 * The map of a call: keys are argument 1, targets argument 2 if there is one;
 * they are the same at each row.
 */
static ValueMap *
map_of_call(FunctionCallInfo fcinfo, bool has_targets)
{
	MemoryContext old = MemoryContextSwitchTo(fcinfo->flinfo->fn_mcxt);
	ArrayType *keys = PG_GETARG_ARRAYTYPE_P_COPY(1);
	Oid type = ARR_ELEMTYPE(keys);
	int16 length;
	bool by_value;
	char align;
	Datum *key_values;
	Datum *target_values = NULL;
	bool *nulls = NULL;
	int n;
	int n_targets;
	int twice;

	get_typlenbyvalalign(type, &length, &by_value, &align);
	if (array_contains_nulls(keys))
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("keys must not be null")));
	deconstruct_array(keys, type, length, by_value, align, &key_values, NULL, &n);
	if (has_targets)
	{
		deconstruct_array(PG_GETARG_ARRAYTYPE_P_COPY(2), type, length, by_value, align,
						  &target_values, &nulls, &n_targets);
		if (n != n_targets)
			ereport(ERROR, (errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
							errmsg("there must be as many targets as keys")));
	}
	if (!OidIsValid(lookup_type_cache(type, TYPECACHE_EQ_OPR)->eq_opr))
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_FUNCTION),
						errmsg("values of type %s cannot be compared", format_type_be(type))));
	fcinfo->flinfo->fn_extra = make_map(type, n, key_values, target_values, nulls, &twice);
	MemoryContextSwitchTo(old);
	return fcinfo->flinfo->fn_extra;
}

/*
 * dmp_internal.map_value(value anyelement, keys anyarray, targets anyarray,
 *	missing boolean [, run bigint, changed integer, failed integer]) -> anyelement
 *
 * The target of the value. What is not among the keys: NULL when missing, else
 * the value. Counts cells that change, and those that become missing for want
 * of a key.
 */
Datum
dmp_map_value(PG_FUNCTION_ARGS)
{
	Datum value = PG_GETARG_DATUM(0);
	ValueMap *map = fcinfo->flinfo->fn_extra;
	bool counts = PG_NARGS() > 4;
	int i;

	if (unlikely(map == NULL))
		map = map_of_call(fcinfo, true);
	i = find_key(map, value);
	if (i < 0)
	{
		if (!PG_GETARG_BOOL(3))
			PG_RETURN_DATUM(value);
		if (counts)
		{
			Oid output;
			bool varlena;
			char *text;

			getTypeOutputInfo(map->type->type_id, &output, &varlena);
			text = OidOutputFunctionCall(output, value);
			dmp_count(PG_GETARG_INT64(4), PG_GETARG_INT32(5));
			dmp_count_sample(PG_GETARG_INT64(4), PG_GETARG_INT32(6), text, strlen(text));
		}
		PG_RETURN_NULL();
	}
	if (counts && (map->nulls[i] || !same_key(map, map->targets[i], value)))
		dmp_count(PG_GETARG_INT64(4), PG_GETARG_INT32(5));
	if (map->nulls[i])
		PG_RETURN_NULL();
	PG_RETURN_DATUM(map->targets[i]);
}

/*
 * dmp_internal.map_has(value anyelement, keys anyarray) -> boolean
 */
Datum
dmp_map_has(PG_FUNCTION_ARGS)
{
	ValueMap *map = fcinfo->flinfo->fn_extra;

	if (unlikely(map == NULL))
		map = map_of_call(fcinfo, false);
	PG_RETURN_BOOL(find_key(map, PG_GETARG_DATUM(0)) >= 0);
}
