/*-------------------------------------------------------------------------
 * coverage.h
 *		dmp.audit_coverage(): what its files share.
 *-------------------------------------------------------------------------
 */
#ifndef DMP_COVERAGE_H
#define DMP_COVERAGE_H

#include "base/base.h"

#define DMP_CONTENT_BYTES 32

/*
 * What a table holds, apart from the order of its rows: the sum modulo 2^256
 * of a SHA-256 for each logged value of a row that has a key (of key, name of
 * column, value), for each row of a table without one.
 */
typedef struct DmpContent
{
	uint64 sum[DMP_CONTENT_BYTES / 8];
	int64 rows;
	/* of a log that was followed: what could not be */
	int64 erased;       /* entries without payload */
	bool other_columns; /* entries of other columns */
	bool truncated;     /* a partition lost rows that were not kept */
} DmpContent;

/* where following starts */
typedef struct DmpContentMark
{
	int32 cluster;
	Datum snapshot; /* pg_snapshot */
	/* the transaction that left it saw what it had written itself up to this chunk; 0: nothing */
	uint64 own;
	int64 last_chunk;
} DmpContentMark;

/* logged columns of a table as they are now, as one text that is equal when they are */
extern char *dmp_content_columns(Oid relid);
/* the content of a table and its partitions, in the caller's snapshot; inside SPI */
extern void dmp_content_scan(Oid relid, DmpContent *content);
/*
 * Moves the content of root by all that the log says since the mark, in the
 * caller's snapshot. columns: as above.
 */
extern void dmp_content_follow(Oid root, const char *columns, const DmpContentMark *mark,
							   DmpContent *content);

#endif /* DMP_COVERAGE_H */
