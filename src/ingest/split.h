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

typedef enum DmpSplitKind
{
	DMP_SPLIT_JSON, /* split.c */
	DMP_SPLIT_LINES /* split_lines.c: lines, but for line ends inside quotes */
} DmpSplitKind;

typedef struct DmpSplitFormat
{
	DmpSplitKind kind;
	char delimiter; /* quotes open behind it; '\0': any that is known */
	char quote;     /* '\0': none */
	char escape;
	int encoding; /* of the bytes, as the server numbers them */
} DmpSplitFormat;

typedef struct DmpSplit DmpSplit;

/*
 * A record; its text is valid only during the call. full_length: 0, or the
 * length of a record of which this is the head.
 */
typedef void (*DmpSplitRecord)(void *arg, const char *record, size_t length, int64 full_length,
							   int64 line_no);

extern DmpSplit *dmp_split_begin(const DmpSplitFormat *format, DmpSplitRecord record, void *arg);
extern void dmp_split_feed(DmpSplit *split, const char *bytes, size_t length);
/* the bytes are all there: gives out what is left, and frees */
extern void dmp_split_end(DmpSplit *split);
/* the first bytes say UTF-16: nothing is given out */
extern bool dmp_split_is_utf16(const DmpSplit *split);

/* the first bytes are the mark of UTF-8, whatever was declared */
extern bool dmp_split_is_marked(const DmpSplit *split);

/* ---- between split.c and split_lines.c */

typedef struct DmpLines DmpLines;

extern DmpLines *dmp_lines_begin(const DmpSplitFormat *format, DmpSplitRecord record, void *arg);
extern void dmp_lines_feed(DmpLines *lines, const char *bytes, size_t length);
extern void dmp_lines_end(DmpLines *lines);
/* the bytes turn out to be UTF-8 */
extern void dmp_lines_utf8(DmpLines *lines);
/*
 * In some encodings (GB18030, BIG5, SJIS ...) the second byte of a character
 * may be an ASCII one. NULL for others; else a table: whether a byte is the
 * first of two that belong together.
 */
extern const bool *dmp_split_pairs(int encoding);

#endif /* DMP_SPLIT_H */
