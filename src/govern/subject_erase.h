/*-------------------------------------------------------------------------
 * subject_erase.h
 *		The plan of an erasure and how its parts are done.
 *-------------------------------------------------------------------------
 */
#ifndef DMP_SUBJECT_ERASE_H
#define DMP_SUBJECT_ERASE_H

#include "govern/subject.h"

/* a row of the result */
typedef struct SubjectAct
{
	char *object;
	char *action;
	int64 rows; /* below 0: NULL */
	char *detail;
} SubjectAct;

typedef struct SubjectPlan
{
	char *hash;    /* keyed, of the subject's name */
	List *acts;    /* SubjectAct * */
	List *places;  /* SubjectPlace * */
	List *changed; /* OIDs of the tables whose rows change */
	List *own;     /* OIDs of tables of dmp whose rows change */
	List *keys;    /* SubjectProbe *: how entries of the audit log are found */
} SubjectPlan;

/* a row of the result, added to one of the same object and action */
extern SubjectAct *dmp_subject_act(SubjectPlan *plan, const char *object, const char *action,
								   int64 rows);

/* ---- subject_change.c: rows of tables, in one statement */

/* obstacles when a tagged column cannot be blanked */
extern void dmp_subject_check_blank(Subject *subject, SubjectTable *table);
/* whether a row loses a reference that the server does not set NULL by itself */
extern bool dmp_subject_has_own_detach(Subject *subject, SubjectTable *table);
extern void dmp_subject_change(Subject *subject);
/* an error when rows that go are there (again) */
extern void dmp_subject_check_gone(Subject *subject);

/* ---- subject_derived.c: what was computed from the rows; the certificate */

/* materialized views and statistics: told, or refreshed; log_changed: entries of the log are erased */
extern void dmp_subject_derived(SubjectPlan *plan, bool log_changed, bool dry_run);
/* HMAC-SHA-256 of the name, in hexadecimal digits */
extern char *dmp_subject_hash(const char *value);
/* writes the erasure into the audit log; number of the entry */
extern int64 dmp_subject_event(SubjectPlan *plan);

#endif /* DMP_SUBJECT_ERASE_H */
