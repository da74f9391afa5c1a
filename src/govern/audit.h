/*-------------------------------------------------------------------------
 * audit.h
 *		What other parts write into the audit log.
 *-------------------------------------------------------------------------
 */
#ifndef DMP_AUDIT_H
#define DMP_AUDIT_H

#include "dmp.h"

/*
 * One entry with the json text as its `new`; a json object for row_key may
 * stand in it as member "key". relid may be InvalidOid: then superusers alone
 * read the entry. Operations: R protected read, E erasure, C consent, B
 * privacy budget, G rights and context granted, T rows removed by TRUNCATE.
 * Returns the number of the entry, which exists when the transaction commits.
 * An error in read-only transactions, in parallel workers and on standbys.
 */
extern int64 dmp_audit_event(Oid relid, char operation, const char *json);

#endif /* DMP_AUDIT_H */
