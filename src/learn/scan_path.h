/*-------------------------------------------------------------------------
 * scan_path.h
 *		Rows in memory as the path's solver reads them: a store for each fold.
 *-------------------------------------------------------------------------
 */
#ifndef DMP_SCAN_PATH_H
#define DMP_SCAN_PATH_H

#include "learn/scan.h"

typedef struct PathRows
{
	DmpScan *scan;
	int nstores;
	DmpStore **stores;
	DmpGlmShape shape;
	void *scratch, *many_scratch;
} PathRows;

/* of a store; fn(arg, tile) for every stride-th tile */
extern void dmp_each_tile(const PathRows *rows, const DmpStore *store, int stride,
						  void (*fn)(void *arg, const DmpGlmTile *tile), void *arg);
extern double dmp_tile_weight(const DmpGlmTile *tile);

/* scan_folds.c: counts folds into out, and makes path->without */
extern void dmp_path_folds(PathRows *rows, DmpPath *path, DmpScanPath *out);

#endif /* DMP_SCAN_PATH_H */
