/*-------------------------------------------------------------------------
 * learn.c
 *		Settings of learn; names of what the registry stores as text.
 *-------------------------------------------------------------------------
 */
#include "dmp.h"

#include <limits.h>

#include "learn/encode_scan.h"
#include "learn/scan.h"
#include "utils/guc.h"

const char *
dmp_fit_status_name(DmpFitStatus status)
{
	switch (status)
	{
		case DMP_FIT_CONVERGED:
			return "converged";
		case DMP_FIT_ITERATION_LIMIT:
			return "iteration_limit";
		case DMP_FIT_SEPARATED:
			return "separated";
		case DMP_FIT_DIVERGED:
			return "diverged";
		case DMP_FIT_ONE_CLASS:
			return "one_class";
		case DMP_FIT_NO_ROWS:
			return "no_rows";
		case DMP_FIT_TOO_FEW_ROWS:
			return "too_few_rows";
		case DMP_FIT_APPROXIMATE:
			return "approximate";
		case DMP_FIT_NOT_BINARY:
			return "not_binary";
	}
	elog(ERROR, "unknown fit status %d", (int) status);
	return NULL;
}

const char *
dmp_family_name(DmpFamily family)
{
	return family == DMP_GAUSSIAN ? "gaussian" : family == DMP_POISSON ? "poisson" : "binomial";
}

int dmp_training_memory = 256 * 1024;

void
dmp_learn_init(void)
{
	DefineCustomIntVariable(
		"dmp.training_memory", "Memory for the packed rows of a fit, all processes together.",
		"Past it a fit reads its rows again instead.", &dmp_training_memory, 256 * 1024, 1024,
		MAX_KILOBYTES, PGC_USERSET, GUC_UNIT_KB, NULL, NULL, NULL);
	dmp_registry_init();
	dmp_scan_init();
	dmp_encode_scan_init();
}
