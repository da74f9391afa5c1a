/*-------------------------------------------------------------------------
 * govern.c
 *		The parts of module govern and their settings.
 *-------------------------------------------------------------------------
 */
#include "govern/govern.h"

#include "storage/lock.h"

void
dmp_lock_hash(uint64 hash)
{
	LOCKTAG tag;

	SET_LOCKTAG_ADVISORY(tag, MyDatabaseId, (uint32) (hash >> 32), (uint32) hash, 3);
	(void) LockAcquire(&tag, ExclusiveLock, false, false);
}

void
dmp_govern_init(void)
{
	dmp_context_init();
	dmp_access_log_init();
	dmp_audit_init();
	dmp_ledger_init();
	dmp_secret_init();
}
