/*-------------------------------------------------------------------------
 * subject_audit.h
 *		Entries of the audit log about a subject.
 *-------------------------------------------------------------------------
 */
#ifndef DMP_SUBJECT_AUDIT_H
#define DMP_SUBJECT_AUDIT_H

#include "govern/subject.h"

/* how entries of one table are told: all jsonb, as arrays */
typedef struct SubjectEntries
{
	char *relation; /* as dmp.audit_log names it */
	Datum keys;     /* row_key is one of them */
	Datum parts;    /* row_key, old or new contains one of them */
} SubjectEntries;

/* before rows change: keys of the rows that change, and what refers to them (List of SubjectEntries *) */
extern List *dmp_subject_audit_keys(Subject *subject);
/* numbers of the entries to be erased, as bigint[]; *n: how many. By the owner's rights. */
extern Datum dmp_subject_audit_entries(Subject *subject, List *keys, int64 *n);
/* chunks whose actor is the subject: that is committed to, and stays */
extern int64 dmp_subject_audit_actor(Subject *subject);
/* rows of an export: entries of the log that the caller may read */
extern void dmp_subject_audit_export(FunctionCallInfo fcinfo, Subject *subject);

#endif /* DMP_SUBJECT_AUDIT_H */
