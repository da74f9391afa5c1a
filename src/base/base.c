/*-------------------------------------------------------------------------
 * base.c
 *		Settings of base, results of set-returning functions, numbers of any type.
 *-------------------------------------------------------------------------
 */
#include "base/base.h"

#include "catalog/pg_type.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/guc.h"
#include "utils/tuplestore.h"

PG_FUNCTION_INFO_V1(dmp_version);

static const struct config_enum_entry progress_modes[] = {{"off", DMP_PROGRESS_OFF, false},
														  {"auto", DMP_PROGRESS_AUTO, false},
														  {"on", DMP_PROGRESS_ON, false},
														  {NULL, 0, false}};

void
dmp_base_init(void)
{
	DefineCustomEnumVariable(
		"dmp.progress", "Says what long functions are doing, a NOTICE a stage.",
		"auto: once the statement has run for two seconds.", &dmp_progress_mode, DMP_PROGRESS_AUTO,
		progress_modes, PGC_USERSET, 0, NULL, NULL, NULL);
}

void
dmp_srf_begin(FunctionCallInfo fcinfo)
{
	InitMaterializedSRF(fcinfo, 0);
}

void
dmp_srf_row(FunctionCallInfo fcinfo, Datum *values, bool *nulls)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;

	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

void
dmp_srf_act(FunctionCallInfo fcinfo, const char *object, const char *action, int64 rows)
{
	Datum values[3];
	bool nulls[3] = {false, false, rows < 0};

	values[0] = CStringGetTextDatum(object);
	values[1] = CStringGetTextDatum(action);
	values[2] = Int64GetDatum(rows);
	dmp_srf_row(fcinfo, values, nulls);
}

bool
dmp_type_is_number(Oid type)
{
	switch (type)
	{
		case INT2OID:
		case INT4OID:
		case INT8OID:
		case FLOAT4OID:
		case FLOAT8OID:
		case NUMERICOID:
			return true;
		default:
			return false;
	}
}

double
dmp_value_number(Datum value, Oid type)
{
	switch (type)
	{
		case FLOAT8OID:
			return DatumGetFloat8(value);
		case INT4OID:
			return DatumGetInt32(value);
		case INT8OID:
			return (double) DatumGetInt64(value);
		case FLOAT4OID:
			return DatumGetFloat4(value);
		case INT2OID:
			return DatumGetInt16(value);
		case NUMERICOID:
			return DatumGetFloat8(DirectFunctionCall1(numeric_float8_no_overflow, value));
		case BOOLOID:
			return DatumGetBool(value) ? 1 : 0;
		default:
			elog(ERROR, "type %u is no number", type);
			return 0;
	}
}

/* dmp.version(): the version of the library that is loaded */
Datum
dmp_version(PG_FUNCTION_ARGS)
{
	PG_RETURN_TEXT_P(cstring_to_text(DMP_VERSION));
}
