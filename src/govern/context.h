/*-------------------------------------------------------------------------
 * context.h
 *		What a role may claim, and what it does claim.
 *-------------------------------------------------------------------------
 */
#ifndef DMP_CONTEXT_H
#define DMP_CONTEXT_H

#include "govern/govern.h"

/* ---- context_grant.c: what roles were granted */

extern void dmp_context_grant_init(void);

/* what stands in the way of a claim */
typedef enum DmpClaim
{
	DMP_CLAIM_GRANTED,
	DMP_CLAIM_TENANT,
	DMP_CLAIM_PURPOSE,
	DMP_CLAIM_BOTH /* each of the two is granted, not together */
} DmpClaim;

/*
 * Whether a role may claim this tenant and purpose; NULL is no claim. member:
 * rights count that the role has only after SET ROLE. A superuser may claim
 * anything. *tenants, *purposes (may be NULL): those it may claim.
 */
extern DmpClaim dmp_context_claim(Oid role, bool member, const char *tenant, const char *purpose,
								  List **tenants, List **purposes);
/* the default context of a role, its own or the only one of its roles, as json; NULL: none */
extern const char *dmp_context_default(Oid role);
/* changes when grants, defaults or memberships of roles do */
extern uint64 dmp_context_generation(void);

/* ---- context.c */

/* actor, tenant, purpose and request of a document, checked; memory of the document */
extern DmpContext dmp_context_read(const DmpDoc *doc);
/* error unless the role may make the claims */
extern void dmp_context_check(Oid role, bool member, const DmpContext *context);
/* of what dmp_context() last gave: equal contexts have equal ones */
extern uint64 dmp_context_hash(void);
/* {"actor": ..., ...}, members that are set only; NULL when none is */
extern char *dmp_context_json(const DmpContext *context);

#endif /* DMP_CONTEXT_H */
