/*-------------------------------------------------------------------------
 * binning.c
 *		Cells of numbers, quantile and monotone bins, weight of evidence.
 *
 * A number's key orders as the number does: the bits of a float8, all of them
 * turned for negative numbers, the sign bit for the others. Dropping low bits
 * of keys merges neighbours within a power of two, so a cell's width is
 * relative to its distance from zero; with a limit of 4,096 cells and
 * a million normal numbers 2^-7 of it, and 1/500 of the rows at most.
 *-------------------------------------------------------------------------
 */
#include "math/binning.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "math/hash.h"

#define FIRST_ROOM 64
#define FINE_BINS 100
#define SIGN (UINT64_C(1) << 63)

/* ----------------------------------------------------------------- cells */

static uint64_t
key_of(double x)
{
	uint64_t bits;

	if (x == 0)
		x = 0; /* -0 is 0 */
	x = fmax(-DBL_MAX, fmin(DBL_MAX, x));
	memcpy(&bits, &x, sizeof(bits));
	return bits & SIGN ? ~bits : bits | SIGN;
}

double
dmp_cells_low(const DmpCells *c, int i)
{
	uint64_t key = c->keys[i] << c->shift;
	double x;

	key = key & SIGN ? key & ~SIGN : ~key;
	memcpy(&x, &key, sizeof(x));
	return fmax(-DBL_MAX, x);
}

static void
make_slots(DmpCells *c, uint32_t nslots)
{
	int i;

	if (c->slots != NULL)
		c->env->release(c->slots);
	c->nslots = nslots;
	c->slots = c->env->alloc(sizeof(int32_t) * nslots);
	memset(c->slots, -1, sizeof(int32_t) * nslots);
	for (i = 0; i < c->n; i++)
	{
		uint32_t at = (uint32_t) dmp_hash_uint64(c->keys[i], 0) & (nslots - 1);

		while (c->slots[at] >= 0)
			at = (at + 1) & (nslots - 1);
		c->slots[at] = i;
	}
}

void
dmp_cells_init(DmpCells *c, const DmpMathEnv *env, int width, int limit)
{
	memset(c, 0, sizeof(*c));
	c->env = env;
	c->width = width;
	c->limit = limit;
	c->room = FIRST_ROOM;
	c->keys = env->alloc(sizeof(uint64_t) * c->room);
	c->sums = env->alloc(sizeof(double) * c->room * width);
	make_slots(c, 2 * FIRST_ROOM);
}

static void
grow(DmpCells *c)
{
	uint64_t *keys = c->env->alloc(sizeof(uint64_t) * c->room * 2);
	double *sums = c->env->alloc(sizeof(double) * c->room * 2 * c->width);

	memcpy(keys, c->keys, sizeof(uint64_t) * c->n);
	memcpy(sums, c->sums, sizeof(double) * c->n * c->width);
	c->env->release(c->keys);
	c->env->release(c->sums);
	c->keys = keys;
	c->sums = sums;
	c->room *= 2;
	make_slots(c, c->nslots * 2);
}

/* the cell of a key, made when there is none */
double *
dmp_cells_add_key(DmpCells *c, uint64_t key)
{
	uint32_t at = (uint32_t) dmp_hash_uint64(key, 0) & (c->nslots - 1);

	for (; c->slots[at] >= 0; at = (at + 1) & (c->nslots - 1))
	{
		if (c->keys[c->slots[at]] == key)
			return c->sums + (size_t) c->slots[at] * c->width;
	}
	if (c->n == c->room)
	{
		grow(c);
		at = (uint32_t) dmp_hash_uint64(key, 0) & (c->nslots - 1);
		while (c->slots[at] >= 0)
			at = (at + 1) & (c->nslots - 1);
	}
	c->slots[at] = c->n;
	c->keys[c->n] = key;
	memset(c->sums + (size_t) c->n * c->width, 0, sizeof(double) * c->width);
	c->sorted = 0;
	return c->sums + (size_t) c->n++ * c->width;
}

/* drops bits until shift is at least that, and there are no more cells than the limit */
static void
coarsen(DmpCells *c, int shift)
{
	while (c->shift < shift || c->n > c->limit)
	{
		int n = c->n;
		int drop = c->shift < shift ? shift - c->shift : 1;
		int i;
		int k;

		c->env->check();
		c->shift += drop;
		c->n = 0;
		memset(c->slots, -1, sizeof(int32_t) * c->nslots);
		for (i = 0; i < n; i++)
		{
			/* cells move down only: i is read before it is written over */
			uint64_t key = c->keys[i] >> drop;
			double *from = c->sums + (size_t) i * c->width;
			uint32_t at = (uint32_t) dmp_hash_uint64(key, 0) & (c->nslots - 1);

			while (c->slots[at] >= 0 && c->keys[c->slots[at]] != key)
				at = (at + 1) & (c->nslots - 1);
			if (c->slots[at] < 0)
			{
				c->slots[at] = c->n;
				c->keys[c->n] = key;
				memmove(c->sums + (size_t) c->n++ * c->width, from, sizeof(double) * c->width);
			}
			else
			{
				double *to = c->sums + (size_t) c->slots[at] * c->width;

				for (k = 0; k < c->width; k++)
					to[k] += from[k];
			}
		}
	}
}

double *
dmp_cells_at(DmpCells *c, double x)
{
	double *sums = dmp_cells_add_key(c, key_of(x) >> c->shift);

	if (c->n > c->limit)
	{
		coarsen(c, 0);
		sums = dmp_cells_add_key(c, key_of(x) >> c->shift);
	}
	return sums;
}

void
dmp_cells_merge(DmpCells *into, const DmpCells *from)
{
	int i;
	int k;

	coarsen(into, from->shift);
	for (i = 0; i < from->n; i++)
	{
		double *to = dmp_cells_add_key(into, from->keys[i] >> (into->shift - from->shift));

		for (k = 0; k < into->width; k++)
			to[k] += from->sums[(size_t) i * from->width + k];
		if (into->n > into->limit)
			coarsen(into, 0);
	}
}

typedef struct KeyPlace
{
	uint64_t key;
	int place;
} KeyPlace;

static int
compare_keys(const void *a, const void *b)
{
	uint64_t l = ((const KeyPlace *) a)->key;
	uint64_t r = ((const KeyPlace *) b)->key;

	return l < r ? -1 : l > r;
}

void
dmp_cells_sort(DmpCells *c)
{
	KeyPlace *order;
	double *sums;
	int i;

	if (c->sorted || c->n == 0)
		return;
	order = c->env->alloc(sizeof(KeyPlace) * c->n);
	sums = c->env->alloc(sizeof(double) * c->room * c->width);
	for (i = 0; i < c->n; i++)
	{
		order[i].key = c->keys[i];
		order[i].place = i;
	}
	qsort(order, c->n, sizeof(KeyPlace), compare_keys);
	for (i = 0; i < c->n; i++)
	{
		c->keys[i] = order[i].key;
		memcpy(sums + (size_t) i * c->width, c->sums + (size_t) order[i].place * c->width,
			   sizeof(double) * c->width);
	}
	c->env->release(order);
	c->env->release(c->sums);
	c->sums = sums;
	make_slots(c, c->nslots);
	c->sorted = 1;
}

/* ------------------------------------------------------------------ bins */

int
dmp_bins_quantile(const DmpCells *c, int nbins, double *edges)
{
	double rows = 0;
	double seen = 0;
	int nedges = 0;
	int heavy = 0; /* the cell below holds a bin's share by itself */
	int k = 1;
	int i;

	for (i = 0; i < c->n; i++)
		rows += c->sums[(size_t) i * c->width];
	for (i = 0; i < c->n; i++)
	{
		double own = c->sums[(size_t) i * c->width];
		int cut = heavy || own * nbins >= rows || c->n <= nbins;

		seen += own;
		for (; k < nbins && ceil((double) k / nbins * rows) <= seen; k++)
			cut = 1;
		if (cut && i > 0)
			edges[nedges++] = dmp_cells_low(c, i);
		heavy = own * nbins >= rows;
	}
	return nedges;
}

void
dmp_bins_sums(const DmpCells *c, const double *edges, int nedges, double *sums)
{
	int bin = 0;
	int i;
	int k;

	memset(sums, 0, sizeof(double) * (nedges + 1) * c->width);
	for (i = 0; i < c->n; i++)
	{
		while (bin < nedges && dmp_cells_low(c, i) >= edges[bin])
			bin++;
		for (k = 0; k < c->width; k++)
			sums[bin * c->width + k] += c->sums[(size_t) i * c->width + k];
	}
}

int
dmp_bins_join_small(const DmpCells *c, double *edges, int nedges, double min_rows)
{
	double *sums = c->env->alloc(sizeof(double) * (nedges + 1) * c->width);
	double rows;
	int kept = 0;
	int i;

	dmp_bins_sums(c, edges, nedges, sums);
	rows = sums[0]; /* of the bin that is open */
	for (i = 0; i < nedges; i++)
	{
		double next = sums[(i + 1) * c->width];

		if (rows < min_rows)
		{
			rows += next;
			continue;
		}
		edges[kept++] = edges[i];
		rows = next;
	}
	if (rows < min_rows && kept > 0)
		kept--;
	c->env->release(sums);
	return kept;
}

/* -------------------------------------------------------- monotone bins */

typedef struct Block
{
	double weight;
	double y;
	double low; /* where it begins */
} Block;

static double
mean_of(const Block *b)
{
	return b->weight > 0 ? b->y / b->weight : 0;
}

/* how much less is told of y when a and b are one: the loss of the sum of squares between bins */
static double
joint_loss(const Block *a, const Block *b)
{
	double difference = mean_of(a) - mean_of(b);
	double weight = a->weight + b->weight;

	return weight > 0 ? a->weight * b->weight / weight * difference * difference : 0;
}

static void
join(Block *blocks, int *n, int i)
{
	blocks[i].weight += blocks[i + 1].weight;
	blocks[i].y += blocks[i + 1].y;
	memmove(blocks + i + 1, blocks + i + 2, sizeof(Block) * (*n - i - 2));
	(*n)--;
}

/* Blocks whose means rise (sign 1) or fall (-1), few enough and heavy enough; returns how many. */
static int
pool(Block *blocks, int n, int sign, int nbins, double min_weight)
{
	int i = 0;

	while (i + 1 < n)
	{
		if (sign * (mean_of(&blocks[i + 1]) - mean_of(&blocks[i])) > 0)
		{
			i++;
			continue;
		}
		join(blocks, &n, i);
		if (i > 0)
			i--;
	}
	while (n > 1)
	{
		int worst = -1;
		int light = -1;

		for (i = 0; i < n; i++)
		{
			if (light < 0 || blocks[i].weight < blocks[light].weight)
				light = i;
			if (i + 1 < n && (worst < 0 || joint_loss(&blocks[i], &blocks[i + 1]) <
											   joint_loss(&blocks[worst], &blocks[worst + 1])))
				worst = i;
		}
		if (blocks[light].weight < min_weight)
		{
			/* with the neighbour it is more like */
			worst = light;
			if (light == n - 1 || (light > 0 && joint_loss(&blocks[light - 1], &blocks[light]) <
													joint_loss(&blocks[light], &blocks[light + 1])))
				worst = light - 1;
		}
		else if (n <= nbins)
			break;
		join(blocks, &n, worst);
	}
	return n;
}

/* sum of squares between the blocks, up to what all ways have in common */
static double
told(const Block *blocks, int n)
{
	double sum = 0;
	int i;

	for (i = 0; i < n; i++)
		sum += blocks[i].weight > 0 ? blocks[i].y * blocks[i].y / blocks[i].weight : 0;
	return sum;
}

int
dmp_bins_monotone(const DmpCells *c, int nbins, double min_share, double *edges)
{
	double fine[2 * FINE_BINS];
	Block blocks[2][2 * FINE_BINS + 1];
	int n[2];
	int nfine = dmp_bins_quantile(c, FINE_BINS, fine);
	double *sums = c->env->alloc(sizeof(double) * (nfine + 1) * c->width);
	double weight = 0;
	int best;
	int i;
	int k;

	dmp_bins_sums(c, fine, nfine, sums);
	for (i = 0; i <= nfine; i++)
	{
		Block *b = &blocks[0][i];

		b->low = i > 0 ? fine[i - 1] : -INFINITY;
		b->weight = b->y = 0;
		for (k = 1; k + 1 < c->width; k += 2)
		{
			b->weight += sums[i * c->width + k];
			b->y += sums[i * c->width + k + 1];
		}
		weight += b->weight;
	}
	memcpy(blocks[1], blocks[0], sizeof(blocks[0]));
	c->env->release(sums);
	n[0] = pool(blocks[0], nfine + 1, 1, nbins, min_share * weight);
	n[1] = pool(blocks[1], nfine + 1, -1, nbins, min_share * weight);
	best = told(blocks[1], n[1]) > told(blocks[0], n[0]);
	for (i = 1; i < n[best]; i++)
		edges[i - 1] = blocks[best][i].low;
	return n[best] - 1;
}

/* ------------------------------------------------------- what bins tell of y */

double
dmp_evidence(int n, const double *weight, const double *y, double s, double *woe)
{
	double all = 0;
	double positive = 0;
	double negative;
	double information = 0;
	int i;

	for (i = 0; i < n; i++)
	{
		all += weight[i];
		positive += y[i];
	}
	negative = all - positive;
	for (i = 0; i < n; i++)
	{
		double share = all > 0 ? weight[i] / all : 0;
		double neg = weight[i] - y[i];

		woe[i] = log((y[i] + s) / (share * positive + s)) - log((neg + s) / (share * negative + s));
		if (positive > 0 && negative > 0)
			information += (y[i] / positive - neg / negative) * woe[i];
	}
	return information;
}

double
dmp_mutual_information(int n, const double *weight, const double *y)
{
	double all = 0;
	double positive = 0;
	double sum = 0;
	int i;

	for (i = 0; i < n; i++)
	{
		all += weight[i];
		positive += y[i];
	}
	if (!(all > 0))
		return NAN;
	for (i = 0; i < n; i++)
	{
		double negative = weight[i] - y[i];

		if (y[i] > 0)
			sum += y[i] * log(y[i] * all / (weight[i] * positive));
		if (negative > 0)
			sum += negative * log(negative * all / (weight[i] * (all - positive)));
	}
	/* rounding may leave less than nothing */
	return sum > 0 ? sum / all : 0;
}
