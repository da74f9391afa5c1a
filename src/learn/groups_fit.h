/*-------------------------------------------------------------------------
 * groups_fit.h
 *		A group while it is worked on: what its fit and its metrics share.
 *-------------------------------------------------------------------------
 */
#ifndef DMP_GROUPS_FIT_H
#define DMP_GROUPS_FIT_H

#include "learn/groups.h"

/* one group while it is worked on; arrays live in the work context */
typedef struct GroupFit
{
	DmpGroupSolver *solver;
	DmpGroupRows *rows;
	const DmpScanPlan *plan;
	const DmpLayout *layout; /* pooled */
	DmpLayout *own;          /* of the problem below */
	int nd, nt;
	/* of the training rows */
	int64 n, npositive;
	double weight, positive;
	DmpStats stats;       /* target, about a pivot of the group's own, and offset */
	double *mean;         /* nd, of values present; what is taken off */
	bool *present;        /* nd: there are any */
	bool *varies;         /* nd */
	bool *holes;          /* nd: has missing values */
	double *param_weight; /* by parameter of the pooled layout, those of codes only */
	/* the problem of the group */
	DmpGlmShape shape;
	int ncodes;   /* coded columns: texts, then flags */
	int *compact; /* pooled parameter -> parameter, -1: left out */
	int *dense;   /* column -> pooled dense column */
	int *flag;    /* coded column - nt -> pooled dense column */
	DmpGlmProblem problem;
	double *theta;
	/* tiles: all of them, or the one that was last made */
	bool kept;
	int64 ntiles;
	DmpGlmTile *tiles;
	void *scratch;
	double *margins;
} GroupFit;

/* what a record has */

static inline double
weight_of(const GroupFit *g, const DmpGroupRecord *record)
{
	return g->plan->has_weight ? record->values[g->nd] : 1;
}

/* the target is none of two classes */
static inline bool
numbers(const GroupFit *g)
{
	return g->plan->family != DMP_BINOMIAL;
}

static inline double
target_of(const GroupFit *g, const DmpGroupRecord *record)
{
	return numbers(g) ? record->values[g->nd + g->plan->has_weight] : record->label;
}

static inline double
offset_of(const GroupFit *g, const DmpGroupRecord *record)
{
	return g->plan->has_offset ? record->values[g->nd + g->plan->has_weight + numbers(g)] : 0;
}

static inline const int32 *
codes_of(const GroupFit *g, const DmpGroupRecord *record)
{
	return (const int32 *) (record->values + g->nd + dmp_group_extras(g->plan));
}

/* pooled parameter of a text of a row; -1: none */
static inline int
text_param(const GroupFit *g, int k, int32 code)
{
	const DmpTextMap *map = &g->layout->texts[k];

	return code >= 0 ? map->param[code] : code == -2 ? map->missing_param : -1;
}

/* groups_fit.c: room for a tile; the n records at hand as one */
extern void dmp_group_tile_room(GroupFit *g, DmpGlmTile *tile);
extern void dmp_group_fill_tile(GroupFit *g, DmpGlmTile *tile, int n);

/* groups_measure.c */
extern void dmp_group_measure(GroupFit *g, bool test, const double *theta, DmpGlmSums *sums,
							  DmpGroupFit *fit);

#endif /* DMP_GROUPS_FIT_H */
