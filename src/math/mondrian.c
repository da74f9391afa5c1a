/*-------------------------------------------------------------------------
 * mondrian.c
 *		Cuts a table into regions of at least k rows by the ranks of its columns.
 *
 * After LeFevre, DeWitt and Ramakrishnan, "Mondrian multidimensional
 * k-anonymity" (2006), strict: rows that agree in a column stay together. A
 * region is cut in the column where it is widest, in ranks by all ranks of the
 * column, at the place nearest the middle of its rows that leaves k rows and l
 * values on either side; when there is none, in the next widest column. A
 * region with missing and present values is cut between them first, because
 * nothing can be said of both. More rows never take away a value, so the
 * allowed places of a column are one stretch.
 *
 * No randomness and a total order of tuples: the same table, the same regions.
 */
#include "math/mondrian.h"

#include <string.h>

#include "math/metrics.h"

typedef struct Work
{
	const DmpMondrian *m;
	const DmpMathEnv *env;
	int32_t *order; /* tuples; a region is a stretch of it */
	uint64_t *keys; /* rank and tuple, for sorting */
	/* the last side in which a value was seen, by sensitive column */
	int32_t **seen;
	int32_t side;
} Work;

typedef struct Open
{
	int32_t from;
	int32_t to;
	int32_t parent; /* cut that made it, -1: none */
	int right;
} Open;

static void
sort_by(Work *w, int32_t from, int32_t to, int column)
{
	const int32_t *ranks = w->m->ranks[column];
	int32_t i;

	for (i = from; i < to; i++)
		w->keys[i] = (uint64_t) ranks[w->order[i]] << 32 | (uint32_t) w->order[i];
	dmp_radix_sort((size_t) (to - from), w->keys + from, NULL, w->env);
	for (i = from; i < to; i++)
		w->order[i] = (int32_t) (w->keys[i] & 0xffffffff);
}

/*
 * The fewest tuples from one end of a sorted stretch that hold k rows and l
 * values of each sensitive column; to - from + 1 when all do not.
 */
static int32_t
enough(Work *w, int32_t from, int32_t to, int backwards)
{
	const DmpMondrian *m = w->m;
	int64_t rows = 0;
	int32_t distinct[64] = {0};
	int missing = m->l > 1 ? m->nsensitive : 0;
	int32_t n;
	int s;

	w->side++;
	for (n = 0; n < to - from; n++)
	{
		int32_t tuple = w->order[backwards ? to - 1 - n : from + n];

		if (rows >= m->k && missing == 0)
			return n;
		rows += m->counts[tuple];
		for (s = 0; s < m->nsensitive && missing > 0; s++)
		{
			int32_t value = m->values[s][tuple];

			if (w->seen[s][value] == w->side)
				continue;
			w->seen[s][value] = w->side;
			if (++distinct[s] == m->l)
				missing--;
		}
	}
	return rows >= m->k && missing == 0 ? n : n + 1;
}

/* where to cut a stretch sorted by the column: the first tuple of the right side, 0 when nowhere */
static int32_t
place_of_cut(Work *w, int32_t from, int32_t to, int column)
{
	const int32_t *ranks = w->m->ranks[column];
	int32_t first = from + enough(w, from, to, 0);
	int32_t last = to - enough(w, from, to, 1);
	int64_t all = 0;
	int64_t before = 0;
	int64_t best_distance = 0;
	int32_t best = 0;
	int32_t i;

	if (first > last)
		return 0;
	for (i = from; i < to; i++)
		all += w->m->counts[w->order[i]];
	for (i = from + 1; i <= last; i++)
	{
		int64_t distance;
		int32_t left = ranks[w->order[i - 1]];

		before += w->m->counts[w->order[i - 1]];
		if (i < first || left == ranks[w->order[i]])
			continue;
		if (left == 0)
			return i; /* missing from present */
		distance = 2 * before > all ? 2 * before - all : all - 2 * before;
		if (best == 0 || distance < best_distance)
		{
			best = i;
			best_distance = distance;
		}
	}
	return best;
}

static void
bounds(const Work *w, int32_t from, int32_t to, int32_t *low, int32_t *high)
{
	int32_t i;
	int c;

	for (c = 0; c < w->m->ncolumns; c++)
	{
		const int32_t *ranks = w->m->ranks[c];

		low[c] = high[c] = ranks[w->order[from]];
		for (i = from + 1; i < to; i++)
		{
			int32_t rank = ranks[w->order[i]];

			low[c] = rank < low[c] ? rank : low[c];
			high[c] = rank > high[c] ? rank : high[c];
		}
	}
}

/* cuts a stretch or finds that it is a region: 0 */
static int32_t
cut(Work *w, int32_t from, int32_t to, const int32_t *low, const int32_t *high, int *column)
{
	const DmpMondrian *m = w->m;
	char tried[64] = {0};

	for (;;)
	{
		int widest = -1;
		double width = 0;
		int32_t place;
		int c;

		for (c = 0; c < m->ncolumns; c++)
		{
			double this_width =
				low[c] == 0 && high[c] > 0
					? 2
					: (double) (high[c] - low[c]) / (m->most[c] > 1 ? m->most[c] - 1 : 1);

			if (!tried[c] && this_width > width)
			{
				widest = c;
				width = this_width;
			}
		}
		if (widest < 0)
			return 0;
		w->env->check();
		sort_by(w, from, to, widest);
		place = place_of_cut(w, from, to, widest);
		if (place > 0)
		{
			*column = widest;
			return place;
		}
		tried[widest] = 1;
	}
}

static void *
make(const DmpMathEnv *env, size_t n, size_t size)
{
	return env->alloc((n > 0 ? n : 1) * size);
}

static void
cut_all(Work *w, DmpRegions *r, Open *open)
{
	const DmpMondrian *m = w->m;
	int32_t nopen = 1;
	int32_t ncuts = 0;

	open[0].from = 0;
	open[0].to = m->ntuples;
	open[0].parent = -1;
	open[0].right = 0;
	while (nopen > 0)
	{
		Open now = open[--nopen];
		int32_t *low = r->low + (size_t) r->nregions * m->ncolumns;
		int32_t *high = r->high + (size_t) r->nregions * m->ncolumns;
		int column = 0;
		int32_t place;
		int32_t child;

		bounds(w, now.from, now.to, low, high);
		place = cut(w, now.from, now.to, low, high, &column);
		if (place > 0)
		{
			child = ncuts++;
			r->cuts[child].column = column;
			r->cuts[child].at = m->ranks[column][w->order[place - 1]];
			open[nopen].from = place;
			open[nopen].to = now.to;
			open[nopen].parent = child;
			open[nopen++].right = 1;
			open[nopen].from = now.from;
			open[nopen].to = place;
			open[nopen].parent = child;
			open[nopen++].right = 0;
		}
		else
		{
			int32_t i;

			r->rows[r->nregions] = 0;
			for (i = now.from; i < now.to; i++)
				r->rows[r->nregions] += m->counts[w->order[i]];
			child = -1 - r->nregions++;
		}
		if (now.parent >= 0 && now.right)
			r->cuts[now.parent].right = child;
		else if (now.parent >= 0)
			r->cuts[now.parent].left = child;
	}
}

DmpRegions
dmp_mondrian(const DmpMondrian *m, const DmpMathEnv *env)
{
	Work w = {m, env, NULL, NULL, NULL, 0};
	DmpRegions r = {0, NULL, NULL, NULL, NULL};
	Open *open;
	int64_t rows = 0;
	int64_t most;
	int32_t i;
	int s;

	for (i = 0; i < m->ntuples; i++)
		rows += m->counts[i];
	most = rows / (m->k > 0 ? m->k : 1);
	most = (most < m->ntuples ? most : m->ntuples) + 2;
	w.order = make(env, m->ntuples, sizeof(int32_t));
	w.keys = make(env, m->ntuples, sizeof(uint64_t));
	w.seen = make(env, m->nsensitive, sizeof(int32_t *));
	for (s = 0; s < m->nsensitive; s++)
	{
		w.seen[s] = make(env, (size_t) m->nvalues[s] + 1, sizeof(int32_t));
		memset(w.seen[s], 0, ((size_t) m->nvalues[s] + 1) * sizeof(int32_t));
	}
	for (i = 0; i < m->ntuples; i++)
		w.order[i] = i;
	r.cuts = make(env, most, sizeof(DmpCut));
	r.rows = make(env, most, sizeof(int64_t));
	r.low = make(env, (size_t) most * m->ncolumns, sizeof(int32_t));
	r.high = make(env, (size_t) most * m->ncolumns, sizeof(int32_t));
	open = make(env, 2 * (size_t) most, sizeof(Open));
	if (m->ntuples > 0 && enough(&w, 0, m->ntuples, 0) <= m->ntuples)
		cut_all(&w, &r, open);
	env->release(open);
	for (s = 0; s < m->nsensitive; s++)
		env->release(w.seen[s]);
	env->release(w.seen);
	env->release(w.keys);
	env->release(w.order);
	return r;
}

int32_t
dmp_region_of(const DmpRegions *regions, const int32_t *ranks)
{
	int32_t child = regions->nregions > 1 ? 0 : -1;

	while (child >= 0)
	{
		const DmpCut *c = &regions->cuts[child];

		child = ranks[c->column] <= c->at ? c->left : c->right;
	}
	return -1 - child;
}
