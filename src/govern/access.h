/*-------------------------------------------------------------------------
 * access.h
 *		Protected tables.
 *
 * Words. A protected table is one dmp.protect was called for; the tables it
 * covers are itself and its partitions or children. An act is one statement
 * of what protect does; those on the masked view are run as the owner of the
 * extension, all others as the caller.
 *-------------------------------------------------------------------------
 */
#ifndef DMP_ACCESS_H
#define DMP_ACCESS_H

#include "govern/govern.h"

#define DMP_POLICY "dmp_protect"
#define DMP_POLICY_ALLOW "dmp_protect_allow"
#define DMP_MASK_ROLE "dmp_mask"

/* ---- access_log.c */

/* logs that this statement reads the table, once, as dmp.read_log says */
extern void dmp_access_log(Oid relid, const DmpContext *context);
/* true the first time in a transaction */
extern bool dmp_access_first_notice(void);

/* ---- access_act.c: statements, run or only shown */

typedef struct DmpActs
{
	List *acts;
	List *revoked; /* of DmpRevoked */
} DmpActs;

typedef struct DmpRevoked
{
	Oid relid;
	char *grantee; /* NULL: PUBLIC */
	char *privilege;
	List *columns; /* NIL: of the table */
	bool grantable;
} DmpRevoked;

/* as the caller */
extern void dmp_act(DmpActs *acts, const char *object, const char *kind, const char *format, ...)
	pg_attribute_printf(4, 5);
/* as the owner of the extension */
extern void dmp_act_as_owner(DmpActs *acts, const char *object, const char *kind,
							 const char *format, ...) pg_attribute_printf(4, 5);
/* nothing to run: what the caller should know, shown as a comment */
extern void dmp_act_note(DmpActs *acts, const char *object, const char *format, ...)
	pg_attribute_printf(3, 4);
extern void dmp_acts_run(DmpActs *acts);
/* the statements that are run, as a List of char * */
extern List *dmp_acts_sql(const DmpActs *acts);
extern void dmp_acts_return(FunctionCallInfo fcinfo, DmpActs *acts);
/* a role for a statement: PUBLIC when NULL */
extern const char *dmp_act_role(const char *role);

/* ---- access_protect.c */

typedef struct DmpProtect
{
	Oid relid;
	char *name;     /* qualified */
	TupleDesc desc; /* of the table, with dropped columns */
	char *tenant;
	char *subject;
	ArrayType *purposes; /* NULL: any */
	DmpDoc *mask;        /* NULL: none */
	char *mask_json;
	List *clear_for; /* names of roles */
	List *tables;    /* OIDs: the table first, then its partitions */
	Oid masked;      /* the view of an earlier dmp.protect, or InvalidOid */
} DmpProtect;

/* ---- access_grant.c: rights others have on the tables */

/* takes away what policies do not govern, and with a mask the right to read */
extern void dmp_protect_grants(DmpProtect *protect, DmpActs *acts);

/* ---- access_mask.c, access_view.c: masked views */

/* SQL that masks the column, of its type; an error that names the column when the kind is wrong */
extern char *dmp_mask_sql(const DmpDoc *mask, const char *column, Oid type, int32 typmod);
extern void dmp_protect_view(DmpProtect *protect, DmpActs *acts);
/* <schema>.<table>_masked, quoted */
extern char *dmp_masked_name(Oid relid);
/* drops the view when it is ours; false: it is not */
extern void dmp_unprotect_view(Oid relid, Oid masked, DmpActs *acts);

#endif /* DMP_ACCESS_H */
