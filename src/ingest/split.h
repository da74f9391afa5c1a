/*-------------------------------------------------------------------------
 * split.h
 *		Records of a file, from its bytes. No server calls: fuzzed alone.
 *-------------------------------------------------------------------------
 */
#ifndef DMP_SPLIT_H
#define DMP_SPLIT_H

#ifdef FRONTEND
#include "postgres_fe.h"
#else
#include "postgres.h"
#endif

/* past this a record is not kept: only its head, as raw bytes, and its length */
#define DMP_RECORD_MAX (256 * 1024 * 1024)
#define DMP_RECORD_HEAD (64 * 1024)

typedef struct DmpSplit DmpSplit;

/*
 * A record; its text is valid only during the call. full_length: 0, or the
 * length of a record of which this is the head.
 */
typedef void (*DmpSplitRecord)(void *arg, const char *record, size_t length, int64 full_length,
							   int64 line_no);

extern DmpSplit *dmp_split_begin(DmpSplitRecord record, void *arg);
extern void dmp_split_feed(DmpSplit *split, const char *bytes, size_t length);
/* the bytes are all there: gives out what is left, and frees */
extern void dmp_split_end(DmpSplit *split);
/* the first bytes say UTF-16: nothing is given out */
extern bool dmp_split_is_utf16(const DmpSplit *split);

#endif /* DMP_SPLIT_H */
