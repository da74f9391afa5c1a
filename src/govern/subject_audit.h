/*-------------------------------------------------------------------------
 * subject_audit.h
 *		Entries of the audit log about a subject.
 *-------------------------------------------------------------------------
 */
#ifndef DMP_SUBJECT_AUDIT_H
#define DMP_SUBJECT_AUDIT_H

#include "govern/subject.h"

/* columns whose values tell an entry of one table: those of its key, or of the row before or after */
typedef struct SubjectProbe
{
	char *relation; /* as dmp.audit_log names it */
	bool is_key;
	List *columns;
	Datum values; /* objects of those columns, jsonb[] */
} SubjectProbe;

/* before rows change: keys of the rows that change, and what refers to them (List of SubjectProbe *) */
extern List *dmp_subject_audit_keys(Subject *subject);
/*
 * Numbers of the entries to be erased, as bigint[]; *n: how many. own: those
 * of this transaction only. By the owner's rights.
 */
extern Datum dmp_subject_audit_entries(Subject *subject, List *probes, bool own, int64 *n);
/* chunks whose actor is the subject: that is committed to, and stays */
extern int64 dmp_subject_audit_actor(Subject *subject);
/* rows of an export: entries of the log that the caller may read */
extern void dmp_subject_audit_export(FunctionCallInfo fcinfo, Subject *subject);

#endif /* DMP_SUBJECT_AUDIT_H */
