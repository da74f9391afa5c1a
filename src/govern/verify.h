/*-------------------------------------------------------------------------
 * verify.h
 *		dmp.verify_audit(): what its files share.
 *-------------------------------------------------------------------------
 */
#ifndef DMP_VERIFY_H
#define DMP_VERIFY_H

#include "govern/ledger.h"

/* a statement of the ledger's that was stored elsewhere */
typedef struct LedgerDigest
{
	int64 block;
	unsigned char hash[DMP_HASH];
} LedgerDigest;

/* a month of the log that was dropped on purpose */
typedef struct DroppedMonth
{
	int64 from_at;
	int64 to_at; /* not included */
	char *detail;
} DroppedMonth;

/* transactions of which chunks may be in the log without being in a block that is left */
typedef struct LostRange
{
	int32 cluster;
	uint64 from;
	uint64 to; /* not included */
} LostRange;

/* a stored leaf that its entry does not give, or an entry that does not give its leaf */
typedef struct Mismatch
{
	int64 block;
	int64 chunk;
	int32 place;
	int32 row; /* in Report.rows; -1: not kept */
	unsigned char leaf[DMP_HASH];
	unsigned char meta[DMP_HASH];
	unsigned char inner[DMP_HASH];
} Mismatch;

/* the encoding of a chunk's other columns, kept to try it under another number */
typedef struct MetaCopy
{
	int64 chunk;
	unsigned char *bytes;
	size_t length;
} MetaCopy;

typedef struct Report
{
	FunctionCallInfo fcinfo;
	LedgerHash *hash;
	MemoryContext context; /* lives as long as the report */
	int64 bad;             /* rows that say something is wrong */
	int64 redacted;
	/* the row that grows as long as entries follow each other */
	bool pending;
	int64 block, first, last;
	const char *status;
	char *detail;
	/* entries to be explained at the end, so many as fit */
	Mismatch *mismatches;
	int nmismatches;
	MetaCopy *rows;
	int nrows;
} Report;

extern void dmp_report_init(Report *report, FunctionCallInfo fcinfo, LedgerHash *hash);
/* entry below 0: the block as a whole; block 0: no block. detail may be NULL */
extern void dmp_report(Report *report, int64 block, int64 entry, const char *status,
					   const char *detail);
extern void dmp_report_range(Report *report, int64 block, int64 chunk, int32 place, int32 n,
							 const char *status, const char *detail);
/* an entry that is not what was sealed; hash->meta is the encoding of its chunk */
extern void dmp_report_mismatch(Report *report, int64 block, int64 chunk, int32 place,
								const unsigned char *leaf, const unsigned char *meta,
								const unsigned char *inner);
extern void dmp_report_finish(Report *report);

/* list of LedgerDigest, by block; NIL for NULL */
extern List *dmp_digests_parse(Datum digest);

#endif /* DMP_VERIFY_H */
