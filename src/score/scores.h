/*-------------------------------------------------------------------------
 * scores.h
 *		Scores and labels an aggregate has gathered, in memory and in a file.
 *-------------------------------------------------------------------------
 */
#ifndef DMP_SCORE_SCORES_H
#define DMP_SCORE_SCORES_H

#include "clean/values.h"
#include "dmp.h"

#include "math/metrics.h"

/* rows in memory */
typedef struct DmpScores
{
	uint64 n;
	double *score;
	double *weight; /* NULL: 1 for each row */
	unsigned char *label;
} DmpScores;

typedef struct DmpScoresObject DmpScoresObject;

/* a state to add to: a new one, or the datum's own, or a copy of it; parent: the aggregate's context */
extern DmpScoresObject *dmp_scores_make(MemoryContext parent);
extern DmpScoresObject *dmp_scores_writable(Datum state, MemoryContext parent);
extern void dmp_scores_append_row(DmpScoresObject *object, double score, int label, double weight);
/*
 * The same for a state that is at hand, when nothing but the row is to be
 * written: true, and the datum is the state still; false: nothing was done.
 */
extern bool dmp_scores_append_quick(Datum state, double score, int label, double weight);
extern void dmp_scores_append_state(DmpScoresObject *object, Datum state);
extern Datum dmp_scores_datum(DmpScoresObject *object);
/* true: all rows of the state are in memory, and *scores is a view of them */
extern bool dmp_scores_in_memory(Datum state, DmpScores *scores);

/*
 * The rows of a state by score, from the highest down, rows of equal score
 * together. The state is not changed. Index 0 is the negatives, 1 the positives.
 */
typedef struct DmpScoreReader DmpScoreReader;

typedef struct DmpScoreTotals
{
	uint64 rows[2];
	double weight[2];
	bool weighted; /* some weight differs from 1 */
} DmpScoreTotals;

typedef struct DmpScoreGroup
{
	double score;
	uint64 rows; /* of both classes */
	double weight[2];
	double square[2]; /* sums of squared weights */
} DmpScoreGroup;

extern DmpScoreReader *dmp_scores_read(Datum state, DmpScoreTotals *totals);
extern bool dmp_scores_next(DmpScoreReader *reader, DmpScoreGroup *group);

/* metrics.c: roc_auc, average precision and ks of a state */
extern void dmp_scores_rank(Datum state, DmpRankMetrics *metrics);

extern void dmp_scores_init(void);

#endif /* DMP_SCORE_SCORES_H */
