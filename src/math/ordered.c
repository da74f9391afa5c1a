/*-------------------------------------------------------------------------
 * ordered.c
 *		A multiset of numbers kept in order; see ordered.h.
 *-------------------------------------------------------------------------
 */
#include "math/ordered.h"

#include <math.h>
#include <string.h>

#include "math/metrics.h"
#include "math/select.h"

/* how full blocks are made: some room for what comes between */
#define FILL (DMP_ORDERED_BLOCK * 3 / 4)

static void
make_room(DmpOrdered *o)
{
	size_t room = o->room == 0 ? 8 : o->room * 2;
	uint64_t **blocks;
	uint16_t *counts;

	if (o->nblocks < o->room)
		return;
	blocks = o->env->alloc(sizeof(uint64_t *) * room);
	counts = o->env->alloc(sizeof(uint16_t) * room);
	if (o->room > 0)
	{
		memcpy(blocks, o->blocks, sizeof(uint64_t *) * o->nblocks);
		memcpy(counts, o->counts, sizeof(uint16_t) * o->nblocks);
		o->env->release(o->blocks);
		o->env->release(o->counts);
	}
	o->blocks = blocks;
	o->counts = counts;
	o->room = room;
}

/* a new block at place b, of these keys */
static void
add_block(DmpOrdered *o, size_t b, const uint64_t *keys, size_t n)
{
	uint64_t *block = o->env->alloc(sizeof(uint64_t) * DMP_ORDERED_BLOCK);

	make_room(o);
	memcpy(block, keys, sizeof(uint64_t) * n);
	memmove(o->blocks + b + 1, o->blocks + b, sizeof(uint64_t *) * (o->nblocks - b));
	memmove(o->counts + b + 1, o->counts + b, sizeof(uint16_t) * (o->nblocks - b));
	o->blocks[b] = block;
	o->counts[b] = (uint16_t) n;
	o->nblocks++;
}

void
dmp_ordered_init(DmpOrdered *o, size_t n, const uint64_t *keys, const DmpMathEnv *env)
{
	size_t i;

	memset(o, 0, sizeof(*o));
	o->env = env;
	for (i = 0; i < n; i += FILL)
	{
		env->check();
		add_block(o, o->nblocks, keys + i, n - i < FILL ? n - i : FILL);
	}
	o->n = n;
}

void
dmp_ordered_free(DmpOrdered *o)
{
	size_t b;

	for (b = 0; b < o->nblocks; b++)
		o->env->release(o->blocks[b]);
	if (o->room > 0)
	{
		o->env->release(o->blocks);
		o->env->release(o->counts);
	}
	memset(o, 0, sizeof(*o));
}

/* how many of n ascending keys are below key */
static size_t
keys_below(const uint64_t *keys, size_t n, uint64_t key)
{
	size_t low = 0;

	while (low < n)
	{
		size_t middle = (low + n) / 2;

		if (keys[middle] < key)
			low = middle + 1;
		else
			n = middle;
	}
	return low;
}

/* the first block whose last key is key or more; nblocks when there is none */
static size_t
block_of(const DmpOrdered *o, uint64_t key)
{
	size_t low = 0;
	size_t high = o->nblocks;

	while (low < high)
	{
		size_t middle = (low + high) / 2;

		if (o->blocks[middle][o->counts[middle] - 1] < key)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

void
dmp_ordered_insert(DmpOrdered *o, double x)
{
	uint64_t key = dmp_sort_key(x);
	size_t b = block_of(o, key);
	size_t at;

	o->n++;
	if (o->nblocks == 0)
	{
		add_block(o, 0, &key, 1);
		return;
	}
	if (b == o->nblocks)
		b--; /* above all: behind the last one */
	if (o->counts[b] == DMP_ORDERED_BLOCK)
	{
		size_t half = DMP_ORDERED_BLOCK / 2;

		add_block(o, b + 1, o->blocks[b] + half, DMP_ORDERED_BLOCK - half);
		o->counts[b] = (uint16_t) half;
		if (o->blocks[b][half - 1] < key)
			b++;
	}
	at = keys_below(o->blocks[b], o->counts[b], key);
	memmove(o->blocks[b] + at + 1, o->blocks[b] + at, sizeof(uint64_t) * (o->counts[b] - at));
	o->blocks[b][at] = key;
	o->counts[b]++;
}

int
dmp_ordered_remove(DmpOrdered *o, double x)
{
	uint64_t key = dmp_sort_key(x);
	size_t b = block_of(o, key);
	size_t at;

	if (b == o->nblocks)
		return 0;
	at = keys_below(o->blocks[b], o->counts[b], key);
	if (o->blocks[b][at] != key)
		return 0;
	o->n--;
	o->counts[b]--;
	memmove(o->blocks[b] + at, o->blocks[b] + at + 1, sizeof(uint64_t) * (o->counts[b] - at));
	if (o->counts[b] == 0)
	{
		o->env->release(o->blocks[b]);
		o->nblocks--;
		memmove(o->blocks + b, o->blocks + b + 1, sizeof(uint64_t *) * (o->nblocks - b));
		memmove(o->counts + b, o->counts + b + 1, sizeof(uint16_t) * (o->nblocks - b));
	}
	return 1;
}

double
dmp_ordered_get(const DmpOrdered *o, size_t k)
{
	size_t b = 0;

	while (k >= o->counts[b])
		k -= o->counts[b++];
	return o->blocks[b][k] == UINT64_MAX ? NAN : dmp_sort_key_value(o->blocks[b][k]);
}

size_t
dmp_ordered_rank(const DmpOrdered *o, double x)
{
	uint64_t key = dmp_sort_key(x);
	size_t b = block_of(o, key);
	size_t rank = 0;
	size_t i;

	for (i = 0; i < b; i++)
		rank += o->counts[i];
	return b == o->nblocks ? rank : rank + keys_below(o->blocks[b], o->counts[b], key);
}

/*
 * Deviations fall up to the center and rise from there: two sequences in
 * order, of left and right values, of which the k + 1 smallest are i of the
 * one and k + 1 - i of the other, found by bisection.
 */
double
dmp_ordered_deviation(const DmpOrdered *o, double center, size_t k)
{
	size_t left = dmp_ordered_rank(o, center);
	size_t right = o->n - left;
	size_t take = k + 1;
	size_t low = take > right ? take - right : 0;
	size_t high = take < left ? take : left;
	double a, b;

	/* the fewest of the left whose next one is not below the last of the right */
	while (low < high)
	{
		size_t middle = (low + high) / 2;

		a = dmp_deviation(dmp_ordered_get(o, left - 1 - middle), center);
		b = dmp_deviation(dmp_ordered_get(o, left + (take - middle) - 1), center);
		/* NaN is above all, and only on the right */
		if (isnan(b) || a < b)
			low = middle + 1;
		else
			high = middle;
	}
	a = low > 0 ? dmp_deviation(dmp_ordered_get(o, left - low), center) : -INFINITY;
	b = take > low ? dmp_deviation(dmp_ordered_get(o, left + (take - low) - 1), center) : -INFINITY;
	return isnan(b) || b > a ? b : a;
}
