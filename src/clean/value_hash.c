/*-------------------------------------------------------------------------
 * value_hash.c
 *		dmp.row_hash: one number for a whole row.
 *
 * Columns are hashed by their bytes, not their text: no setting changes the
 * hash. Where equal values have several forms (floats, numerics, padded
 * characters) the value counts. Names and widths of columns do not: 1::int
 * and 1::bigint hash alike.
 *-------------------------------------------------------------------------
 */
#include "dmp.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "math/hash.h"
#include "utils/lsyscache.h"
#include "utils/typcache.h"

PG_FUNCTION_INFO_V1(dmp_row_hash);

#define SEED_ROW UINT64CONST(0x726F77)
#define SEED_NULL UINT64CONST(0x6E756C6C)
#define SEED_VALUE UINT64CONST(0x76616C)

static uint64 hash_row(HeapTupleHeader row);

static uint64
hash_value(Datum value, Form_pg_attribute column)
{
	Oid type = getBaseType(column->atttypid);
	struct varlena *bytes;
	int length;
	uint64 hash;

	if (type == FLOAT4OID)
		return dmp_hash_double(DatumGetFloat4(value), SEED_VALUE);
	if (type == FLOAT8OID)
		return dmp_hash_double(DatumGetFloat8(value), SEED_VALUE);
	if (get_typtype(type) == TYPTYPE_COMPOSITE || type == RECORDOID)
		return hash_row(DatumGetHeapTupleHeader(value));
	if (column->attbyval)
		return dmp_hash_uint64((uint64) value, SEED_VALUE);
	if (column->attlen == -2)
		return dmp_hash_bytes(DatumGetCString(value), strlen(DatumGetCString(value)), SEED_VALUE);
	if (column->attlen > 0)
		return dmp_hash_bytes(DatumGetPointer(value), column->attlen, SEED_VALUE);
	if (type == NUMERICOID)
		value = DirectFunctionCall1(numeric_trim_scale, value);
	bytes = PG_DETOAST_DATUM_PACKED(value);
	length = VARSIZE_ANY_EXHDR(bytes);
	if (type == BPCHAROID)
	{
		while (length > 0 && VARDATA_ANY(bytes)[length - 1] == ' ')
			length--;
	}
	hash = dmp_hash_bytes(VARDATA_ANY(bytes), length, SEED_VALUE);
	if ((Pointer) bytes != DatumGetPointer(value))
		pfree(bytes);
	return hash;
}

static uint64
hash_row(HeapTupleHeader row)
{
	TupleDesc desc;
	HeapTupleData tuple;
	Datum *values;
	bool *nulls;
	uint64 hash = SEED_ROW;
	int i;

	check_stack_depth();
	desc = lookup_rowtype_tupdesc(HeapTupleHeaderGetTypeId(row), HeapTupleHeaderGetTypMod(row));
	MemSet(&tuple, 0, sizeof(tuple));
	tuple.t_len = HeapTupleHeaderGetDatumLength(row);
	tuple.t_data = row;
	values = palloc(sizeof(Datum) * (desc->natts + 1));
	nulls = palloc(sizeof(bool) * (desc->natts + 1));
	heap_deform_tuple(&tuple, desc, values, nulls);
	for (i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute column = TupleDescAttr(desc, i);

		if (column->attisdropped)
			continue;
		hash = dmp_hash_combine(hash, nulls[i] ? SEED_NULL : hash_value(values[i], column));
	}
	ReleaseTupleDesc(desc);
	pfree(values);
	pfree(nulls);
	return hash;
}

/*
 * dmp.row_hash(value record) -> bigint
 *
 * 64 bits of all columns in their order, NULLs too; NULL for a NULL row.
 * Within arrays and jsonb the bytes count. Enums and the types of object
 * identifiers hash by identifiers, which differ between databases.
 */
Datum
dmp_row_hash(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT64((int64) hash_row(PG_GETARG_HEAPTUPLEHEADER(0)));
}
