/*-------------------------------------------------------------------------
 * try_cast.c
 *		SQL faces of the soft parsers: dmp.try_cast and what recipes use.
 *-------------------------------------------------------------------------
 */
#include "dmp.h"

#include "utils/lsyscache.h"

#include "base/soft.h"
#include "clean/clean.h"

PG_FUNCTION_INFO_V1(dmp_try_cast);
PG_FUNCTION_INFO_V1(dmp_soft_cast);
PG_FUNCTION_INFO_V1(dmp_cast_error);

/*
 * The prepared type of a call, which is constant within a query. Argument
 * `from` and the next are its OID and typmod; without them the type is that of
 * argument 1.
 */
static DmpSoftType *
cast_target(FunctionCallInfo fcinfo, int from)
{
	Oid type;
	int32 typmod = -1;

	if (fcinfo->flinfo->fn_extra != NULL)
		return fcinfo->flinfo->fn_extra;

	if (PG_NARGS() <= from)
		type = get_fn_expr_argtype(fcinfo->flinfo, 1);
	else
	{
		type = PG_ARGISNULL(from) ? InvalidOid : PG_GETARG_OID(from);
		if (!PG_ARGISNULL(from + 1))
			typmod = PG_GETARG_INT32(from + 1);
	}
	if (!OidIsValid(type))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("could not determine the type to cast to")));
	fcinfo->flinfo->fn_extra = dmp_soft_prepare(type, typmod, fcinfo->flinfo->fn_mcxt);
	return fcinfo->flinfo->fn_extra;
}

static Datum
cast_value(FunctionCallInfo fcinfo)
{
	DmpSoftType *target;
	text *value;
	Datum result;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	target = cast_target(fcinfo, 2);
	value = PG_GETARG_TEXT_PP(0);
	if (!dmp_soft_input(target, VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value), &result, NULL, NULL))
		PG_RETURN_NULL();
	PG_RETURN_DATUM(result);
}

/*
 * dmp.try_cast(value text, base anyelement) -> anyelement
 *
 * The value converted to the type of base (whose value does not matter), NULL
 * when it is NULL or does not convert.
 */
Datum
dmp_try_cast(PG_FUNCTION_ARGS)
{
	return cast_value(fcinfo);
}

/*
 * dmp_internal.soft_cast(value text, base anyelement, type oid, typmod integer
 *	[, run bigint, slot integer]) -> anyelement
 *
 * The same for a type with a typmod; base is of the type that a domain is
 * over, since a NULL of the domain may not exist. It must have the
 * representation of type, which is checked. Counts what converts.
 */
Datum
dmp_soft_cast(PG_FUNCTION_ARGS)
{
	Datum result;

	if (fcinfo->flinfo->fn_extra == NULL && !PG_ARGISNULL(2) &&
		getBaseType(PG_GETARG_OID(2)) != getBaseType(get_fn_expr_argtype(fcinfo->flinfo, 1)))
		ereport(ERROR, (errcode(ERRCODE_DATATYPE_MISMATCH), errmsg("base must be of the type")));
	fcinfo->isnull = false;
	result = cast_value(fcinfo);
	if (PG_NARGS() > 4 && !fcinfo->isnull)
		dmp_count(PG_GETARG_INT64(4), PG_GETARG_INT32(5));
	return result;
}

/*
 * dmp_internal.cast_error(value text, type oid, typmod integer) -> text
 *
 * Why the value does not convert: SQLSTATE, a space, the reason. NULL when it
 * does convert, also for NULL unless a domain refuses it.
 */
Datum
dmp_cast_error(PG_FUNCTION_ARGS)
{
	DmpSoftType *target = cast_target(fcinfo, 1);
	const char *reason;
	int sqlstate;
	Datum result;
	bool ok;

	if (PG_ARGISNULL(0))
		ok = dmp_soft_null(target, &reason, &sqlstate);
	else
	{
		text *value = PG_GETARG_TEXT_PP(0);

		ok = dmp_soft_input(target, VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value), &result, &reason,
							&sqlstate);
	}
	if (ok)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(psprintf("%s %s", unpack_sql_state(sqlstate), reason)));
}
