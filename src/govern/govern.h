/*-------------------------------------------------------------------------
 * govern.h
 *		What the parts of module govern ask of each other.
 *-------------------------------------------------------------------------
 */
#ifndef DMP_GOVERN_H
#define DMP_GOVERN_H

#include "base/base.h"

/* one per part, called by dmp_govern_init() */
extern void dmp_context_init(void);
extern void dmp_access_log_init(void);
extern void dmp_audit_init(void);
extern void dmp_ledger_init(void);
extern void dmp_secret_init(void);

/*
 * Waits for other transactions that lock the same hash, and keeps them waiting
 * to the end of this one. Functions of SQL take advisory locks of classes 1
 * and 2, so that nobody can hold this one for no reason.
 */
extern void dmp_lock_hash(uint64 hash);

/* ---- context.c: in whose name, for what, a statement runs */

typedef struct DmpContext
{
	char *actor;   /* the person or service behind the session */
	char *purpose; /* what data is used for */
	char *tenant;  /* whose data is meant */
	char *request; /* number of a ticket or request */
} DmpContext;

/*
 * The context of this transaction: what dmp.set_context() granted, else the
 * role's default, else all NULL. Valid until the context changes.
 */
extern const DmpContext *dmp_context(void);

#endif /* DMP_GOVERN_H */
