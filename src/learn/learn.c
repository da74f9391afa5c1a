/*-------------------------------------------------------------------------
 * learn.c
 *		Settings of learn.
 *-------------------------------------------------------------------------
 */
#include "dmp.h"

#include <limits.h>

#include "learn/encode_scan.h"
#include "learn/scan.h"
#include "utils/guc.h"

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
