/*-------------------------------------------------------------------------
 * sources.c
 *		How reliable each source is whose rows contradict each other.
 *
 * Truth finding: the value of an item is that of most weight, a source weighs
 * log(a / (1 - a)) where a is the share of its votes that win (smoothed by one
 * right and one wrong vote), and both are computed in turn, from equal weights
 * on (Yin, Han and Yu 2008; the log odds are those of Dong et al. 2009). One
 * weight a source, over all rules of a step: that of a column alone would
 * follow whoever is in the majority there.
 *
 * Sources that copy each other are no evidence for each other. Those that agree
 * in 99 of 100 items they share, of ten at least, are one circle, and of a
 * circle only its best source votes for a value. (Dong et al. tell a copier
 * from two sources that are both right by shared errors; this simpler rule
 * takes away a vote of the latter, too, which changes little: they win anyway.)
 *
 * Memory: votes are kept for items whose hash is below a limit, which halves
 * each time they exceed the room, so that the items kept are a random sample.
 *-------------------------------------------------------------------------
 */
#include "dmp.h"

#include <math.h>

#include "access/htup_details.h"
#include "funcapi.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "windowapi.h"

#include "clean/clean.h"
#include "math/hash.h"

PG_FUNCTION_INFO_V1(dmp_source_weight);

#define ROUNDS 20
#define CIRCLE_SOURCES 500 /* that are compared with each other: those with most votes */
#define CIRCLE_ITEMS 10    /* they must share */
#define CIRCLE_AGREE 0.99
#define LEAST_WEIGHT 0.01

typedef struct Vote
{
	uint64 item;
	uint64 vote;
	int32 source;
	int32 circle;
} Vote;

typedef struct Source
{
	uint64 hash; /* of the name; the key */
	int32 id;
} Source;

typedef struct Weights
{
	HTAB *sources;
	int n_sources;
	Vote *votes;
	int64 n_votes;
	TupleDesc result;
	double *weights; /* by source */
	int32 *circles;
} Weights;

static uint64
hash_text(Datum value)
{
	text *name = DatumGetTextPP(value);

	return dmp_hash_bytes(VARDATA_ANY(name), VARSIZE_ANY_EXHDR(name), 0);
}

static int
compare_votes(const void *a, const void *b, void *unused)
{
	const Vote *x = a;
	const Vote *y = b;

	if (x->item != y->item)
		return x->item < y->item ? -1 : 1;
	if (x->vote != y->vote)
		return x->vote < y->vote ? -1 : 1;
	if (x->circle != y->circle)
		return x->circle < y->circle ? -1 : 1;
	return x->source < y->source ? -1 : x->source > y->source;
}

static Datum
argument(WindowObject win, int n, int64 i)
{
	bool isnull;
	bool isout;
	Datum value = WinGetFuncArgInPartition(win, n, i, WINDOW_SEEK_HEAD, false, &isnull, &isout);

	if (isnull || isout)
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
						errmsg("arguments of source_weight must not be null")));
	return value;
}

/*
 * Read all votes of the partition, a sample of the items when they are many.
 */
static void
read_votes(WindowObject win, Weights *weights)
{
	int64 rows = WinGetPartitionRowCount(win);
	int64 room = Max(1024, Min((int64) work_mem * 1024 / sizeof(Vote), rows));
	uint64 limit = PG_UINT64_MAX;
	int64 i;

	weights->votes = palloc_extended(room * sizeof(Vote), MCXT_ALLOC_HUGE);
	for (i = 0; i < rows; i++)
	{
		Vote vote = {0};
		int64 item;
		Source *source;
		bool found;
		uint64 hash = hash_text(argument(win, 0, i));

		CHECK_FOR_INTERRUPTS();
		source = hash_search(weights->sources, &hash, HASH_ENTER, &found);
		if (!found)
			source->id = weights->n_sources++;
		vote.source = source->id;
		item = DatumGetInt64(argument(win, 1, i));
		/* mixed once more: the high bits decide */
		vote.item = dmp_hash_uint64((uint64) item, 1);
		if (vote.item > limit)
			continue;
		vote.vote = (uint64) DatumGetInt64(argument(win, 2, i));
		while (weights->n_votes == room)
		{
			int64 kept = 0;
			int64 k;

			limit /= 2;
			for (k = 0; k < weights->n_votes; k++)
				if (weights->votes[k].item <= limit)
					weights->votes[kept++] = weights->votes[k];
			weights->n_votes = kept;
			CHECK_FOR_INTERRUPTS();
		}
		if (vote.item <= limit)
			weights->votes[weights->n_votes++] = vote;
	}
}

/*
 * The end of the votes of the item that starts at start.
 */
static int64
item_end(const Weights *weights, int64 start)
{
	int64 end = start + 1;

	while (end < weights->n_votes && weights->votes[end].item == weights->votes[start].item)
		end++;
	return end;
}

/*
 * rank[source]: its place among those that are compared for circles, or -1.
 */
static int32 *
compared_sources(const Weights *weights, int *n)
{
	int64 *counts = palloc0(sizeof(int64) * weights->n_sources);
	int32 *rank = palloc(sizeof(int32) * weights->n_sources);
	int64 least = 1;
	int64 i;
	int s;

	for (i = 0; i < weights->n_votes; i++)
		counts[weights->votes[i].source]++;
	for (;;)
	{
		*n = 0;
		for (s = 0; s < weights->n_sources; s++)
			*n += counts[s] >= least;
		if (*n <= CIRCLE_SOURCES)
			break;
		least *= 2;
		CHECK_FOR_INTERRUPTS();
	}
	*n = 0;
	for (s = 0; s < weights->n_sources; s++)
		rank[s] = counts[s] >= least ? (*n)++ : -1;
	pfree(counts);
	return rank;
}

/*
 * shared and agreed of each pair of compared sources, in its upper triangle
 */
static void
compare_sources(const Weights *weights, const int32 *rank, int n, int32 *shared, int32 *agreed)
{
	uint64 *vote_of = palloc(sizeof(uint64) * Max(n, 1));
	int32 *voted = palloc(sizeof(int32) * Max(n, 1));
	bool *has_voted = palloc0(Max(n, 1));
	int64 start;
	int64 end;

	for (start = 0; start < weights->n_votes; start = end)
	{
		int n_voted = 0;
		int64 i;
		int a;
		int b;

		end = item_end(weights, start);
		for (i = start; i < end; i++)
		{
			int32 r = rank[weights->votes[i].source];

			if (r < 0 || has_voted[r])
				continue; /* of a source with two opinions the first */
			has_voted[r] = true;
			vote_of[r] = weights->votes[i].vote;
			voted[n_voted++] = r;
		}
		for (a = 0; a < n_voted; a++)
		{
			CHECK_FOR_INTERRUPTS();
			for (b = 0; b < n_voted; b++)
			{
				Size cell = (Size) voted[a] * n + voted[b];

				if (voted[a] >= voted[b])
					continue;
				shared[cell]++;
				agreed[cell] += vote_of[voted[a]] == vote_of[voted[b]];
			}
		}
		for (a = 0; a < n_voted; a++)
			has_voted[voted[a]] = false;
	}
	pfree(vote_of);
	pfree(voted);
	pfree(has_voted);
}

static int32
circle_of(int32 *circles, int32 source)
{
	while (circles[source] != source)
		source = circles[source] = circles[circles[source]];
	return source;
}

static void
find_circles(Weights *weights)
{
	int n;
	int32 *rank = compared_sources(weights, &n);
	int32 *shared = palloc0(sizeof(int32) * Max(n, 1) * Max(n, 1));
	int32 *agreed = palloc0(sizeof(int32) * Max(n, 1) * Max(n, 1));
	int s;
	int t;

	for (s = 0; s < weights->n_sources; s++)
		weights->circles[s] = s;
	compare_sources(weights, rank, n, shared, agreed);
	for (s = 0; s < weights->n_sources; s++)
	{
		CHECK_FOR_INTERRUPTS();
		for (t = 0; rank[s] >= 0 && t < weights->n_sources; t++)
		{
			Size cell = (Size) rank[s] * n + Max(rank[t], 0);

			if (rank[t] > rank[s] && shared[cell] >= CIRCLE_ITEMS &&
				agreed[cell] >= CIRCLE_AGREE * shared[cell])
				weights->circles[circle_of(weights->circles, t)] = circle_of(weights->circles, s);
		}
	}
	for (s = 0; s < weights->n_sources; s++)
		weights->circles[s] = circle_of(weights->circles, s);
	pfree(rank);
	pfree(shared);
	pfree(agreed);
}

/*
 * The vote that wins the item: of the circles for a value, the sum of their
 * best weights. Votes are in the order of compare_votes.
 */
static uint64
winner(const Weights *weights, int64 start, int64 end)
{
	uint64 best_vote = weights->votes[start].vote;
	double best = -1;
	int64 i = start;

	while (i < end)
	{
		uint64 vote = weights->votes[i].vote;
		double total = 0;

		while (i < end && weights->votes[i].vote == vote)
		{
			int32 circle = weights->votes[i].circle;
			double most = 0;

			for (; i < end && weights->votes[i].vote == vote && weights->votes[i].circle == circle;
				 i++)
				most = Max(most, weights->weights[weights->votes[i].source]);
			total += most;
		}
		if (total > best)
		{
			best = total;
			best_vote = vote;
		}
	}
	return best_vote;
}

/*
 * One round: winners by the weights, then weights by the winners. False when
 * no weight has moved.
 */
static bool
reweigh(Weights *weights, int64 *right, int64 *all)
{
	bool moved = false;
	int64 start;
	int64 end;
	int s;

	memset(right, 0, sizeof(int64) * weights->n_sources);
	memset(all, 0, sizeof(int64) * weights->n_sources);
	for (start = 0; start < weights->n_votes; start = end)
	{
		uint64 won;
		int64 i;

		CHECK_FOR_INTERRUPTS();
		end = item_end(weights, start);
		won = winner(weights, start, end);
		for (i = start; i < end; i++)
		{
			all[weights->votes[i].source]++;
			right[weights->votes[i].source] += weights->votes[i].vote == won;
		}
	}
	for (s = 0; s < weights->n_sources; s++)
	{
		double weight = log((right[s] + 1.0) / (all[s] - right[s] + 1.0));

		weight = Max(weight, LEAST_WEIGHT);
		moved |= weight != weights->weights[s];
		weights->weights[s] = weight;
	}
	return moved;
}

static Weights *
weigh(WindowObject win)
{
	Weights *weights = palloc0(sizeof(Weights));
	HASHCTL ctl = {0};
	int64 *right;
	int64 *all;
	int64 i;
	int round = 0;

	ctl.keysize = sizeof(uint64);
	ctl.entrysize = sizeof(Source);
	ctl.hcxt = CurrentMemoryContext;
	weights->sources = hash_create("dmp sources", 256, &ctl, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	read_votes(win, weights);
	weights->weights = palloc_extended(sizeof(double) * weights->n_sources, MCXT_ALLOC_HUGE);
	weights->circles = palloc_extended(sizeof(int32) * weights->n_sources, MCXT_ALLOC_HUGE);
	right = palloc_extended(sizeof(int64) * weights->n_sources, MCXT_ALLOC_HUGE);
	all = palloc_extended(sizeof(int64) * weights->n_sources, MCXT_ALLOC_HUGE);
	for (i = 0; i < weights->n_sources; i++)
		weights->weights[i] = 1;
	qsort_interruptible(weights->votes, weights->n_votes, sizeof(Vote), compare_votes, NULL);
	find_circles(weights);
	for (i = 0; i < weights->n_votes; i++)
		weights->votes[i].circle = weights->circles[weights->votes[i].source];
	qsort_interruptible(weights->votes, weights->n_votes, sizeof(Vote), compare_votes, NULL);
	while (round++ < ROUNDS && reweigh(weights, right, all))
		;
	pfree(weights->votes);
	weights->votes = NULL;
	return weights;
}

/*
 * dmp_internal.source_weight(source text, item bigint, vote bigint)
 *	-> (weight float8, circle integer), a window function
 *
 * The weight of the row's source and the number of its circle; item and vote
 * are hashes of what was asked and answered. No argument may be NULL.
 */
Datum
dmp_source_weight(PG_FUNCTION_ARGS)
{
	WindowObject win = PG_WINDOW_OBJECT();
	Weights **state;
	Source *source;
	Datum values[2];
	bool nulls[2] = {false, false};
	uint64 hash;
	bool isnull;

	if (!WindowObjectIsValid(win))
		elog(ERROR, "source_weight called outside a window");
	state = WinGetPartitionLocalMemory(win, sizeof(Weights *));
	if (*state == NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(GetMemoryChunkContext(state));

		*state = weigh(win);
		if (get_call_result_type(fcinfo, NULL, &(*state)->result) != TYPEFUNC_COMPOSITE)
			elog(ERROR, "source_weight has no row type");
		MemoryContextSwitchTo(old);
	}
	hash = hash_text(WinGetFuncArgCurrent(win, 0, &isnull));
	source = hash_search((*state)->sources, &hash, HASH_FIND, NULL);
	if (source == NULL)
		elog(ERROR, "unknown source");
	values[0] = Float8GetDatum((*state)->weights[source->id]);
	values[1] = Int32GetDatum((*state)->circles[source->id]);
	return HeapTupleGetDatum(heap_form_tuple((*state)->result, values, nulls));
}
