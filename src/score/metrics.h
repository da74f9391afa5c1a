/*-------------------------------------------------------------------------
 * metrics.h
 *		Scores and labels an aggregate has gathered.
 *-------------------------------------------------------------------------
 */
#ifndef DMP_SCORE_METRICS_H
#define DMP_SCORE_METRICS_H

#include "dmp.h"

#include "math/metrics.h"

typedef struct DmpScores
{
	uint64 n;
	double *score;
	double *weight; /* NULL: 1 for each row */
	unsigned char *label;
} DmpScores;

/* reads a state of kind DMP_STATE_SCORES without a copy */
extern void dmp_scores_get(Datum datum, DmpScores *scores);
/* memory from CurrentMemoryContext, interrupts served */
extern const DmpMathEnv dmp_score_env;

#endif /* DMP_SCORE_METRICS_H */
