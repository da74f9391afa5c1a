/*-------------------------------------------------------------------------
 * query.h
 *		The rows dmp.train reads.
 *-------------------------------------------------------------------------
 */
#ifndef DMP_LEARN_QUERY_H
#define DMP_LEARN_QUERY_H

#include "base/base.h"

typedef struct DmpTrainQuery
{
	const char *text; /* as it was given */
	char *select;     /* what to put in FROM (...) */
	TupleDesc desc;   /* its columns */
	char *temporary;  /* table its rows were put in because it is volatile, or NULL */
	/* of a table that dmp.training_set made; else NIL, NULL */
	List *key;
	char *at;
} DmpTrainQuery;

/* SPI must be connected; pushes a snapshot that dmp_train_query_end pops */
extern DmpTrainQuery *dmp_train_query(const char *text);
extern void dmp_train_query_end(DmpTrainQuery *query);

#endif /* DMP_LEARN_QUERY_H */
