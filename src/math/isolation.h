/*-------------------------------------------------------------------------
 * isolation.h
 *		Isolation forest: how soon random splits leave a row alone.
 *
 * F. T. Liu, K. M. Ting, Z.-H. Zhou: Isolation Forest, ICDM 2008. A tree is
 * built of a small sample of rows by splits at random places of random
 * columns, up to a height of log2 of the sample's size; the score of a row is
 * 2 ^ -(mean path length / c(sample)), near 1 for an outlier, 0.5 where rows
 * are of a kind. A missing value (NaN) goes either way in building, by the
 * shares of the others, and counts both ways in scoring.
 */
#ifndef DMP_MATH_ISOLATION_H
#define DMP_MATH_ISOLATION_H

#include <stddef.h>
#include <stdint.h>

#include "math/env.h"
#include "math/hash.h"

#define DMP_ISOLATION_COLUMNS 1600
#define DMP_ISOLATION_HEIGHT 16

/* of a tree, the root first; both children of an inner node lie together */
typedef struct DmpIsolationNode
{
	double split;   /* values below it go left; of a leaf: its path length, c(rows) included */
	int16_t column; /* -1: a leaf */
	uint16_t share; /* of the rows that went left, in 65535ths */
	uint32_t left;  /* place in the tree; the right child is behind it */
} DmpIsolationNode;

/* mean path length of an unsuccessful search among n rows (equation 1 of the paper) */
extern double dmp_isolation_c(double n);
/* log2 of the sample's size, rounded up */
extern int dmp_isolation_height(size_t sample);
/* nodes a tree of that height may have */
extern size_t dmp_isolation_room(int height);
/*
 * A tree of n rows of ncolumns values, n at least 1; how many nodes it has.
 * Rows are reordered.
 */
extern size_t dmp_isolation_build(const double *rows, size_t n, int ncolumns, int height,
								  DmpRandom *random, DmpIsolationNode *nodes,
								  const DmpMathEnv *env);
/* path length of a row, some of whose values may be missing */
extern double dmp_isolation_path(const DmpIsolationNode *tree, const double *row);
/*
 * Sum of the path lengths in ntrees trees that lie one behind another, sizes
 * nodes each. row[-1] must be there, whatever it is.
 */
extern double dmp_isolation_paths(const DmpIsolationNode *trees, const uint32_t *sizes,
								  size_t ntrees, const double *row, int missing);
/* whether n nodes make a tree that dmp_isolation_path can walk */
extern int dmp_isolation_check(const DmpIsolationNode *tree, size_t n, int ncolumns);

#endif /* DMP_MATH_ISOLATION_H */
