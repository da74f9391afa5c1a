/*-------------------------------------------------------------------------
 * cluster.h
 *		Values that mean the same: clusters of them, and typing errors.
 *-------------------------------------------------------------------------
 */
#ifndef DMP_CLUSTER_H
#define DMP_CLUSTER_H

#include "dmp.h"

#include "windowapi.h"

#include "clean/value.h"

/* ---- cluster.c: methods by name, and the SQL they are */

/* A method with its options, checked */
typedef struct DmpClusterMethod
{
	const char *name;
	double threshold; /* of near values; of no meaning for keys */
	int n;            /* of n-grams */
} DmpClusterMethod;

/* what: how errors begin, e.g. "recipe step 4: ". threshold NaN and n 0: the method's own */
extern DmpClusterMethod dmp_cluster_method(const char *name, double threshold, int n,
										   const char *what);
/*
 * A SELECT of value, n, canonical, confidence for the values that are in a
 * cluster, from counts, a relation (value text, n bigint) of distinct values.
 */
extern char *dmp_cluster_sql(const DmpClusterMethod *method, const char *counts);

/* ---- cluster_near.c: texts within a distance, by blocks */

/* The values of a partition, in the order of their bytes */
typedef struct DmpClusterValues
{
	WindowObject win;
	int argument; /* of the text */
	int n;
	int64 *rows;    /* by value */
	int32 *parents; /* union-find: values of a cluster have one root */
} DmpClusterValues;

extern text *dmp_cluster_text(const DmpClusterValues *values, int i);
extern int32 dmp_cluster_root(DmpClusterValues *values, int32 i);
extern void dmp_cluster_merge(DmpClusterValues *values, int32 a, int32 b);
extern void dmp_cluster_levenshtein(DmpClusterValues *values, int most);
extern void dmp_cluster_jaro_winkler(DmpClusterValues *values, double least);
/* distance of two texts, or most + 1 when it is more */
extern int dmp_edit_distance(const pg_wchar *a, int n, const pg_wchar *b, int m, int most);

/* ---- cluster_words.c: texts of similar words */

extern void dmp_cluster_words(DmpClusterValues *values, double least);

#endif /* DMP_CLUSTER_H */
