/*-------------------------------------------------------------------------
 * typo.h
 *		Typing errors in the values of columns, found by the values themselves.
 *-------------------------------------------------------------------------
 */
#ifndef DMP_TYPO_H
#define DMP_TYPO_H

#include "dmp.h"

#include "clean/value.h"

/* ---- typo_match.c: how a text may have become another one by slips */

/* most slips in a text of n characters; 0: too short to tell */
static inline int
dmp_typo_slips(int n)
{
	return n < 4 ? 0 : Min(4, Max(1, n / 5));
}

/*
 * The number of slips that make typed of meant, or most + 1: a character left
 * out, added, replaced or two swapped. No digit is left out, added or replaced
 * by another digit: another number is another value.
 */
extern int dmp_typo_distance(const DmpChars *typed, const DmpChars *meant, int most);
/* whether typed is meant with some characters, at most half, replaced by mark */
extern bool dmp_typo_is_marked(const DmpChars *typed, const DmpChars *meant, pg_wchar mark);

/* An entry of a dictionary */
typedef struct DmpTypoEntry
{
	int32 column;
	int64 rows;
	bool wrong; /* is a slip itself: nothing is repaired to it */
	DmpChars chars;
} DmpTypoEntry;

typedef struct DmpTypoIndex DmpTypoIndex;

/* entries must stay as they are */
extern DmpTypoIndex *dmp_typo_index(DmpTypoEntry *entries, int n);
/*
 * The entry of the column that the text was meant to be: the nearest within its
 * slips, or by the mark (0: there is none), that has at least five times the
 * rows; -1 when there is none, or two that are as likely. exact: equally
 * frequent ones count, too, and the answer is any of them.
 */
extern int dmp_typo_find(const DmpTypoIndex *index, int32 column, const DmpChars *typed, int64 rows,
						 pg_wchar mark, bool peers);

#endif /* DMP_TYPO_H */
