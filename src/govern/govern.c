/*-------------------------------------------------------------------------
 * govern.c
 *		The parts of module govern and their settings.
 *-------------------------------------------------------------------------
 */
#include "govern/govern.h"

void
dmp_govern_init(void)
{
	dmp_context_init();
	dmp_access_log_init();
	dmp_audit_init();
	dmp_ledger_init();
	dmp_secret_init();
}
