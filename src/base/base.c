/*-------------------------------------------------------------------------
 * base.c
 *		Settings of base, and results of set-returning functions.
 *-------------------------------------------------------------------------
 */
#include "base/base.h"

#include "funcapi.h"
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

/* dmp.version(): the version of the library that is loaded */
Datum
dmp_version(PG_FUNCTION_ARGS)
{
	PG_RETURN_TEXT_P(cstring_to_text(DMP_VERSION));
}
