/*-------------------------------------------------------------------------
 * compat.c
 *		Differences between the servers that a macro cannot bridge.
 *-------------------------------------------------------------------------
 */
#include "dmp.h"

#include "access/relation.h"
#include "catalog/dependency.h"
#include "utils/rel.h"

#if PG_VERSION_NUM >= 170000
Oid
dmp_identity_sequence(Oid relid, int16 attnum)
{
	Relation rel = relation_open(relid, AccessShareLock);
	Oid sequence = getIdentitySequence(rel, attnum, false);

	relation_close(rel, AccessShareLock);
	return sequence;
}
#endif
