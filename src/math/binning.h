/*-------------------------------------------------------------------------
 * binning.h
 *		Numbers counted in cells, and bins made of cells.
 *
 * A cell is a run of neighbouring numbers with what was counted of them. At
 * first each distinct number is a cell; when there are more than the limit,
 * the last bit of all cells' numbers is dropped, and so on. Cells of the same
 * numbers are therefore the same however the numbers came and were shared
 * out, and a cell lies wholly within one bin: counts of bins are exact, and
 * their edges are data values (or values cut to their leading bits).
 *-------------------------------------------------------------------------
 */
#ifndef DMP_MATH_BINNING_H
#define DMP_MATH_BINNING_H

#include <stdint.h>

#include "math/env.h"

typedef struct DmpCells
{
	const DmpMathEnv *env;
	int width; /* sums of a cell; the first is its number of rows */
	int limit; /* most cells */
	int shift; /* bits that were dropped */
	int n;
	int room;
	uint64_t *keys;
	double *sums; /* n x width */
	uint32_t nslots;
	int32_t *slots; /* cell or -1 */
	int sorted;
} DmpCells;

/* limit >= 4, width >= 1; memory comes from env */
extern void dmp_cells_init(DmpCells *c, const DmpMathEnv *env, int width, int limit);
/* the sums of x's cell, to be added to; x is no NaN, an infinity counts as the largest number */
extern double *dmp_cells_at(DmpCells *c, double x);
extern void dmp_cells_merge(DmpCells *into, const DmpCells *from);
/* one more cell as it was written: its key under shift, which must be c's own */
extern double *dmp_cells_add_key(DmpCells *c, uint64_t key);
/* in ascending order, before any of what follows */
extern void dmp_cells_sort(DmpCells *c);
/* smallest number of cell i */
extern double dmp_cells_low(const DmpCells *c, int i);

/*
 * Bins are [.., e_0), [e_0, e_1), ..., [e_last, ..]. The edges of nbins bins
 * are the values at ranks ceil(k / nbins * rows), k = 1 .. nbins - 1, as of
 * SQL's percentile_disc; a value that holds a bin's share of the rows by itself
 * has a bin of its own, as has each value when there are no more than nbins.
 * Equal edges count once, and there is none at the smallest value. Returns the
 * number of edges, at most 2 nbins.
 */
extern int dmp_bins_quantile(const DmpCells *c, int nbins, double *edges);
/* Sums of each bin, (nedges + 1) x width. */
extern void dmp_bins_sums(const DmpCells *c, const double *edges, int nedges, double *sums);
/* A bin of fewer rows joins the one above it, the last the one below; the edges that are left. */
extern int dmp_bins_join_small(const DmpCells *c, double *edges, int nedges, double min_rows);
/*
 * At most nbins bins along which the mean of y rises, or falls, whichever
 * tells more: from fine quantile bins, neighbours in the wrong order are
 * pooled (pool adjacent violators), then the pair that differs least while
 * a bin has less than min_share of the weight or there are too many. In a
 * cell's sums w and y are what (w, sum of y) add up from: pairs from 1 on.
 */
extern int dmp_bins_monotone(const DmpCells *c, int nbins, double min_share, double *edges);

/*
 * Weight of evidence of n bins from their weights and weights of positive rows,
 * smoothing s above 0; returns the information value, sum over bins of (share of the
 * positives - share of the negatives) * woe (Siddiqi 2006, "Credit Risk Scorecards").
 * woe = ln((y + s) / (w P + s)) - ln((w - y + s) / (w N + s)), w a share of all here.
 */
extern double dmp_evidence(int n, const double *weight, const double *y, double s, double *woe);
/*
 * Mutual information of a bin and a class, in nats (Shannon 1948):
 * sum p(bin, class) ln(p(bin, class) / (p(bin) p(class))). NaN without weight.
 */
extern double dmp_mutual_information(int n, const double *weight, const double *y);

/* bin of x, 0 .. nedges; x is no NaN */
static inline int
dmp_bin_of(const double *edges, int nedges, double x)
{
	int low = 0;
	int high = nedges;

	while (low < high)
	{
		int middle = (low + high) / 2;

		if (x < edges[middle])
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

#endif /* DMP_MATH_BINNING_H */
