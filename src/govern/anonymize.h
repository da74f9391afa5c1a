/*-------------------------------------------------------------------------
 * anonymize.h
 *		Generalisation of quasi-identifiers.
 *-------------------------------------------------------------------------
 */
#ifndef DMP_ANONYMIZE_H
#define DMP_ANONYMIZE_H

#include "base/base.h"
#include "math/mondrian.h"

#define DMP_ANONYMIZE_MAX_COLUMNS 32

typedef enum DmpAnonymousKind
{
	DMP_ANONYMOUS_RANGE,
	DMP_ANONYMOUS_DATE,
	DMP_ANONYMOUS_TEXT,
	DMP_ANONYMOUS_HIERARCHY
} DmpAnonymousKind;

typedef struct DmpAnonymousColumn
{
	char *name;
	DmpAnonymousKind kind;
	DmpDoc *hierarchy; /* NULL: none */
	int32 most;        /* distinct values */
	char **texts;      /* of ranks 1 .. most; paths of a hierarchy */
} DmpAnonymousColumn;

typedef struct DmpAnonymizer
{
	MemoryContext context;
	Size memory;
	char *prefix; /* of columns of ours beside those of the query */
	int ncolumns;
	DmpAnonymousColumn columns[DMP_ANONYMIZE_MAX_COLUMNS];
	int nsensitive;
	/* distinct tuples */
	int32 ntuples;
	Size allocated;
	int32 *ranks[DMP_ANONYMIZE_MAX_COLUMNS];
	int32 *values[DMP_ANONYMIZE_MAX_COLUMNS];
	int32 nvalues[DMP_ANONYMIZE_MAX_COLUMNS];
	int64 *counts;
	int64 rows;
	int64 rows_suppressed;
	/* what they were cut into */
	DmpRegions regions;
	bool *dropped;
	Datum **labels; /* by region, NULL: not made yet */
} DmpAnonymizer;

/* ---- anonymize_label.c */

/* what is written for a stretch of ranks; NULL for NULL alone */
extern char *dmp_anonymous_label(const DmpAnonymousColumn *column, int32 low, int32 high);
/* {"value": "parent", ...}: texts only, no cycles; an error names the column */
extern void dmp_check_hierarchy(const DmpDoc *hierarchy, const char *column);
extern char *dmp_hierarchy_json(const DmpDoc *hierarchy);

/* ---- privacy_k.c */

/* columns of desc by name, once each, of types that can be sorted; else an error that begins with what */
extern void dmp_check_class_columns(TupleDesc desc, List *names, const char *what);

#endif /* DMP_ANONYMIZE_H */
