/*-------------------------------------------------------------------------
 * lineage.h
 *		Where the columns of a query come from.
 *-------------------------------------------------------------------------
 */
#ifndef DMP_LINEAGE_H
#define DMP_LINEAGE_H

#include "base/base.h"

#include "nodes/parsenodes.h"

/* How an input reaches an output: the first three directly, the rest decide which rows there are. */
typedef enum DmpLineageKind
{
	LINEAGE_IDENTITY,
	LINEAGE_TRANSFORMATION,
	LINEAGE_AGGREGATION,
	LINEAGE_CONDITIONAL, /* chooses between values of the output */
	LINEAGE_FILTER,
	LINEAGE_JOIN,
	LINEAGE_GROUP_BY,
	LINEAGE_SORT,
	LINEAGE_WINDOW,
	LINEAGE_DATASET /* read, but no column of it */
} DmpLineageKind;

typedef struct DmpLineageEdge
{
	char *output; /* column of the result; NULL: all of them */
	Oid relid;
	AttrNumber column; /* 0: none in particular */
	DmpLineageKind kind;
	bool masked; /* through a mask or a pseudonym */
} DmpLineageEdge;

extern const char *dmp_lineage_kind_name(DmpLineageKind kind);

/* List of DmpLineageEdge *, each once; query as the parser leaves it, not rewritten */
extern List *dmp_query_lineage_edges(Query *query);

#endif /* DMP_LINEAGE_H */
