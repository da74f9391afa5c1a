/*-------------------------------------------------------------------------
 * split.c
 *		Which rows are held out, and what a training row may not be.
 *
 * A row's place in [0, 1) is a hash of the seed and of the values of its key
 * (or of all it is trained on), never of its position: the split is the same
 * on every machine, in any order of rows and in parallel plans. Integers of
 * every width hash alike, as do the text types; other types by their binary
 * form, which no setting of the session changes.
 *-------------------------------------------------------------------------
 */
#include "dmp.h"

#include "catalog/pg_type.h"
#include "learn/learn.h"
#include "lib/stringinfo.h"
#include "math/hash.h"
#include "utils/lsyscache.h"

PG_FUNCTION_INFO_V1(dmp_split);
PG_FUNCTION_INFO_V1(dmp_refuse_target);
PG_FUNCTION_INFO_V1(dmp_refuse_weight);

typedef struct SplitArgument
{
	Oid type; /* base type */
	FmgrInfo send;
} SplitArgument;

static uint64
hash_value(const SplitArgument *argument, Datum value, FmgrInfo *send, uint64 seed)
{
	switch (argument->type)
	{
		case INT2OID:
			return dmp_hash_uint64((uint64) (int64) DatumGetInt16(value), seed);
		case INT4OID:
			return dmp_hash_uint64((uint64) (int64) DatumGetInt32(value), seed);
		case INT8OID:
			return dmp_hash_uint64((uint64) DatumGetInt64(value), seed);
		case FLOAT4OID:
			return dmp_hash_double(DatumGetFloat4(value), seed);
		case FLOAT8OID:
			return dmp_hash_double(DatumGetFloat8(value), seed);
		case BOOLOID:
			return dmp_hash_uint64(DatumGetBool(value), seed);
		case TEXTOID:
		case VARCHAROID:
		{
			struct varlena *text = PG_DETOAST_DATUM_PACKED(value);

			return dmp_hash_bytes(VARDATA_ANY(text), VARSIZE_ANY_EXHDR(text), seed);
		}
		default:
		{
			bytea *bytes = SendFunctionCall(send, value);

			return dmp_hash_bytes(VARDATA(bytes), VARSIZE(bytes) - VARHDRSZ, seed);
		}
	}
}

/* dmp_internal.split(seed bigint, VARIADIC "any"): a row's place in [0, 1) */
Datum
dmp_split(PG_FUNCTION_ARGS)
{
	SplitArgument *arguments = fcinfo->flinfo->fn_extra;
	uint64 seed = (uint64) PG_GETARG_INT64(0);
	uint64 hash = dmp_hash_uint64(seed, 0);
	int n = PG_NARGS();
	int i;

	if (get_fn_expr_variadic(fcinfo->flinfo))
		ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
						errmsg("dmp_internal.split does not take VARIADIC arrays")));
	if (arguments == NULL)
	{
		arguments = MemoryContextAllocZero(fcinfo->flinfo->fn_mcxt, sizeof(SplitArgument) * n);
		for (i = 1; i < n; i++)
		{
			Oid send;
			bool varlena;

			arguments[i].type = getBaseType(get_fn_expr_argtype(fcinfo->flinfo, i));
			getTypeBinaryOutputInfo(arguments[i].type, &send, &varlena);
			fmgr_info_cxt(send, &arguments[i].send, fcinfo->flinfo->fn_mcxt);
		}
		fcinfo->flinfo->fn_extra = arguments;
	}
	for (i = 1; i < n; i++)
		hash =
			dmp_hash_combine(hash, PG_ARGISNULL(i) ? UINT64CONST(0x6E756C6C)
												   : hash_value(&arguments[i], PG_GETARG_DATUM(i),
																&arguments[i].send, seed));
	PG_RETURN_FLOAT8(dmp_hash_unit(hash));
}

/*
 * The error that follows is told without the statement it happened in, which
 * is ours and long. Safe before ereport(ERROR) only: who catches it restores
 * the stack.
 */
void
dmp_error_alone(void)
{
	error_context_stack = NULL;
}

/* dmp_internal.refuse_target(value, column): called for a number that is neither 0 nor 1 */
Datum
dmp_refuse_target(PG_FUNCTION_ARGS)
{
	char *value = text_to_cstring(PG_GETARG_TEXT_PP(0));

	dmp_error_alone();
	ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					errmsg("target \"%s\" has the value %s, family \"binomial\" needs 0 and 1",
						   text_to_cstring(PG_GETARG_TEXT_PP(1)), value),
					errhint("If it has two values, name the positive one: options => "
							"'{\"positive\": \"%s\"}'. If it is a number to predict: family => "
							"'gaussian' or 'poisson'.",
							value)));
	PG_RETURN_NULL();
}

/* dmp_internal.refuse_weight(value, column): called for a weight that is none */
Datum
dmp_refuse_weight(PG_FUNCTION_ARGS)
{
	char *column;

	if (PG_ARGISNULL(1))
		PG_RETURN_NULL();
	column = text_to_cstring(PG_GETARG_TEXT_PP(1));
	dmp_error_alone();
	if (PG_ARGISNULL(0))
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
						errmsg("weight \"%s\" is null in a row", column),
						errhint("Weight 0 leaves a row out.")));
	ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					errmsg("weight \"%s\" has the value %s", column,
						   text_to_cstring(PG_GETARG_TEXT_PP(0))),
					errdetail("A weight is a finite number from 0 on.")));
	PG_RETURN_NULL();
}
