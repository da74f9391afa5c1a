/*-------------------------------------------------------------------------
 * cluster_words.c
 *		Clusters of texts that have their rare words in common.
 *
 * A text is the set of its words (as in dmp.fingerprint) and of the first four
 * characters of the longer ones, so that Univ. and University meet. A word
 * weighs log(texts / texts with it): what every text has says nothing. The
 * similarity of two texts is the cosine of their weights.
 *
 * Clusters are merged from the most similar pair on, as long as the mean
 * similarity of their members is high enough (average linkage): one text
 * between two groups does not join them. Pairs without a word of at most
 * COMMON texts in common, or below a part of the limit, count as 0; when there
 * are more pairs than memory for them, the weakest are left out, too.
 *
 * In memory: two numbers of 4 bytes a word of a text, and the pairs, in up to
 * four times work_mem.
 *-------------------------------------------------------------------------
 */
#include "clean/cluster.h"

#include <math.h>

#include "utils/hsearch.h"
#include "utils/memutils.h"

#include "math/hash.h"

#define COMMON 100
#define STEM 4
#define PAIR_PART 0.4

/* A word of the texts */
typedef struct Word
{
	uint64 hash; /* the key */
	int32 id;
	int32 texts;
} Word;

/* What a text holds: words from start[i] to start[i + 1] */
typedef struct Texts
{
	int n;
	int64 *start;
	int32 *words;
	int64 room;
	int n_words;
	int32 *counts;  /* texts of each word */
	float *weights; /* of each word */
	float *lengths; /* of each text's vector */
} Texts;

typedef struct Pair
{
	int32 a;
	int32 b;
	float similarity;
} Pair;

typedef struct Pairs
{
	Pair *pairs;
	int64 n;
	int64 most;
	int64 room;
	double least;
} Pairs;

static int
compare_int32(const void *a, const void *b)
{
	int32 x = *(const int32 *) a;
	int32 y = *(const int32 *) b;

	return x < y ? -1 : x > y;
}

static void
add_word(Texts *texts, HTAB *words, int64 *end, const pg_wchar *c, int n, int kind)
{
	uint64 hash = dmp_hash_bytes((const char *) c, sizeof(pg_wchar) * n, kind);
	bool found;
	Word *word = hash_search(words, &hash, HASH_ENTER, &found);

	if (!found)
	{
		word->id = texts->n_words++;
		word->texts = 0;
	}
	if (*end == texts->room)
	{
		texts->room *= 2;
		texts->words = repalloc_huge(texts->words, sizeof(int32) * texts->room);
	}
	texts->words[(*end)++] = word->id;
}

/* The words of one text, each once, sorted; counted */
static int64
read_words(Texts *texts, HTAB *words, text *value, int64 start)
{
	DmpChars chars;
	int64 end = start;
	int64 kept = start;
	int64 k;
	int i = 0;

	if (!dmp_chars_read_plain(value, &chars))
		return start;
	dmp_chars_to_ascii(&chars);
	while (i < chars.n)
	{
		int from = i;

		while (i < chars.n && chars.c[i] != ' ')
			i++;
		if (i > from)
			add_word(texts, words, &end, chars.c + from, i - from, 0);
		if (i - from > STEM)
			add_word(texts, words, &end, chars.c + from, STEM, 1);
		i++;
	}
	qsort(texts->words + start, end - start, sizeof(int32), compare_int32);
	for (k = start; k < end; k++)
		if (k == start || texts->words[k] != texts->words[kept - 1])
			texts->words[kept++] = texts->words[k];
	return kept;
}

static Texts *
read_texts(DmpClusterValues *values)
{
	Texts *texts = palloc0(sizeof(Texts));
	MemoryContext one =
		AllocSetContextCreate(CurrentMemoryContext, "dmp cluster text", ALLOCSET_DEFAULT_SIZES);
	HASHCTL ctl = {0};
	HTAB *words;
	int64 k;
	int i;

	ctl.keysize = sizeof(uint64);
	ctl.entrysize = sizeof(Word);
	ctl.hcxt = CurrentMemoryContext;
	words = hash_create("dmp cluster words", 1024, &ctl, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	texts->n = values->n;
	texts->start = palloc_extended(sizeof(int64) * ((Size) values->n + 1), MCXT_ALLOC_HUGE);
	texts->room = Max(1024, (int64) values->n * 8);
	texts->words = palloc_extended(sizeof(int32) * texts->room, MCXT_ALLOC_HUGE);
	texts->start[0] = 0;
	for (i = 0; i < values->n; i++)
	{
		MemoryContext old = MemoryContextSwitchTo(one);
		text *value = dmp_cluster_text(values, i);

		CHECK_FOR_INTERRUPTS();
		texts->start[i + 1] = read_words(texts, words, value, texts->start[i]);
		MemoryContextSwitchTo(old);
		MemoryContextReset(one);
	}
	hash_destroy(words);
	MemoryContextDelete(one);

	texts->counts =
		palloc_extended(sizeof(int32) * Max(texts->n_words, 1), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	texts->weights = palloc_extended(sizeof(float) * Max(texts->n_words, 1), MCXT_ALLOC_HUGE);
	texts->lengths = palloc_extended(sizeof(float) * Max(texts->n, 1), MCXT_ALLOC_HUGE);
	for (k = 0; k < texts->start[texts->n]; k++)
		texts->counts[texts->words[k]]++;
	for (i = 0; i < texts->n_words; i++)
		texts->weights[i] = (float) log((double) texts->n / texts->counts[i]);
	for (i = 0; i < texts->n; i++)
	{
		double sum = 0;

		for (k = texts->start[i]; k < texts->start[i + 1]; k++)
			sum += (double) texts->weights[texts->words[k]] * texts->weights[texts->words[k]];
		texts->lengths[i] = (float) sqrt(sum);
	}
	return texts;
}

static double
similarity(const Texts *texts, int a, int b)
{
	int64 i = texts->start[a];
	int64 k = texts->start[b];
	double sum = 0;

	while (i < texts->start[a + 1] && k < texts->start[b + 1])
	{
		int32 x = texts->words[i];
		int32 y = texts->words[k];

		if (x == y)
			sum += (double) texts->weights[x] * texts->weights[x];
		i += x <= y;
		k += y <= x;
	}
	if (sum <= 0)
		return 0;
	return sum / ((double) texts->lengths[a] * texts->lengths[b]);
}

static int
compare_strength(const void *a, const void *b, void *unused)
{
	const Pair *x = a;
	const Pair *y = b;

	if (x->similarity != y->similarity)
		return x->similarity > y->similarity ? -1 : 1;
	if (x->a != y->a)
		return x->a < y->a ? -1 : 1;
	return x->b < y->b ? -1 : x->b > y->b;
}

static void
add_pair(Pairs *pairs, int32 a, int32 b, double strength)
{
	if (pairs->n == pairs->most)
	{
		/* the weaker half goes, and what is no better later on */
		qsort_interruptible(pairs->pairs, pairs->n, sizeof(Pair), compare_strength, NULL);
		pairs->n /= 2;
		pairs->least = pairs->pairs[pairs->n].similarity;
		if (strength <= pairs->least)
			return;
	}
	if (pairs->n == pairs->room)
	{
		pairs->room = Min(pairs->room * 2, pairs->most);
		pairs->pairs = repalloc_huge(pairs->pairs, sizeof(Pair) * pairs->room);
	}
	pairs->pairs[pairs->n].a = a;
	pairs->pairs[pairs->n].b = b;
	pairs->pairs[pairs->n++].similarity = (float) strength;
}

/*
 * All pairs that share a word of at most COMMON texts, each once: for each
 * text the others behind it in the lists of its words.
 */
static void
find_pairs(const Texts *texts, Pairs *pairs)
{
	int64 *start = palloc_extended(sizeof(int64) * ((Size) texts->n_words + 1), MCXT_ALLOC_HUGE);
	int64 *end = palloc_extended(sizeof(int64) * Max(texts->n_words, 1), MCXT_ALLOC_HUGE);
	int32 *seen = palloc_extended(sizeof(int32) * Max(texts->n, 1), MCXT_ALLOC_HUGE);
	int32 *list;
	int64 total = 0;
	int64 k;
	int64 m;
	int i;

	for (i = 0; i < texts->n_words; i++)
	{
		start[i] = end[i] = total;
		total += texts->counts[i] <= COMMON ? texts->counts[i] : 0;
	}
	list = palloc_extended(sizeof(int32) * Max(total, 1), MCXT_ALLOC_HUGE);
	memset(seen, -1, sizeof(int32) * texts->n);
	for (i = 0; i < texts->n; i++)
	{
		CHECK_FOR_INTERRUPTS();
		for (k = texts->start[i]; k < texts->start[i + 1]; k++)
		{
			int32 word = texts->words[k];

			if (texts->counts[word] > COMMON)
				continue;
			for (m = start[word]; m < end[word]; m++)
			{
				double strength;

				if (seen[list[m]] == i)
					continue;
				seen[list[m]] = i;
				strength = similarity(texts, i, list[m]);
				if (strength > pairs->least)
					add_pair(pairs, list[m], i, strength);
			}
			list[end[word]++] = i;
		}
	}
	pfree(start);
	pfree(end);
	pfree(seen);
	pfree(list);
}

/* ------------------------------------------------------ average linkage */

/* Sum of the similarities between two clusters */
typedef struct Link
{
	uint64 pair; /* the key: the smaller number above, the larger below */
	double sum;
} Link;

/* The clusters that one has links to, each perhaps more than once or gone */
typedef struct Neighbours
{
	int32 *ids;
	int32 n;
	int32 room;
	int32 size; /* texts; 0: merged into another one */
} Neighbours;

typedef struct Merger
{
	DmpClusterValues *values;
	Neighbours *clusters;
	HTAB *links;
	Pair *heap; /* a binary heap, the strongest first; entries may be out of date */
	int64 n;
	int64 room;
} Merger;

static uint64
link_key(int32 a, int32 b)
{
	return ((uint64) Min(a, b) << 32) | (uint32) Max(a, b);
}

static void
push(Merger *merger, int32 a, int32 b, double strength)
{
	Pair pair = {Min(a, b), Max(a, b), (float) strength};
	int64 at = merger->n++;

	if (at == merger->room)
	{
		merger->room *= 2;
		merger->heap = repalloc_huge(merger->heap, sizeof(Pair) * merger->room);
	}
	while (at > 0 && compare_strength(&pair, &merger->heap[(at - 1) / 2], NULL) < 0)
	{
		merger->heap[at] = merger->heap[(at - 1) / 2];
		at = (at - 1) / 2;
	}
	merger->heap[at] = pair;
}

static Pair
pop(Merger *merger)
{
	Pair top = merger->heap[0];
	Pair last = merger->heap[--merger->n];
	int64 at = 0;

	for (;;)
	{
		int64 child = at * 2 + 1;

		if (child >= merger->n)
			break;
		if (child + 1 < merger->n &&
			compare_strength(&merger->heap[child + 1], &merger->heap[child], NULL) < 0)
			child++;
		if (compare_strength(&last, &merger->heap[child], NULL) <= 0)
			break;
		merger->heap[at] = merger->heap[child];
		at = child;
	}
	merger->heap[at] = last;
	return top;
}

static void
add_neighbour(Neighbours *cluster, int32 id)
{
	if (cluster->n == cluster->room)
	{
		cluster->room = Max(4, cluster->room * 2);
		cluster->ids = cluster->ids ? repalloc_huge(cluster->ids, sizeof(int32) * cluster->room)
									: palloc(sizeof(int32) * cluster->room);
	}
	cluster->ids[cluster->n++] = id;
}

/* The mean similarity of two clusters */
static double
strength_of(Merger *merger, int32 a, int32 b)
{
	uint64 key = link_key(a, b);
	Link *link = hash_search(merger->links, &key, HASH_FIND, NULL);

	if (link == NULL || merger->clusters[a].size == 0 || merger->clusters[b].size == 0)
		return 0;
	return link->sum / ((double) merger->clusters[a].size * merger->clusters[b].size);
}

/* Merge cluster b, which has fewer neighbours, into a */
static void
merge(Merger *merger, int32 a, int32 b, double least)
{
	Neighbours *from = &merger->clusters[b];
	Neighbours *to = &merger->clusters[a];
	int i;

	for (i = 0; i < from->n; i++)
	{
		int32 other = from->ids[i];
		uint64 key = link_key(b, other);
		Link *link = hash_search(merger->links, &key, HASH_FIND, NULL);
		bool found;
		double sum;

		CHECK_FOR_INTERRUPTS();
		if (link == NULL)
			continue;
		sum = link->sum;
		hash_search(merger->links, &key, HASH_REMOVE, NULL);
		if (other == a || merger->clusters[other].size == 0)
			continue;
		key = link_key(a, other);
		link = hash_search(merger->links, &key, HASH_ENTER, &found);
		if (found)
			link->sum += sum;
		else
		{
			link->sum = sum;
			add_neighbour(to, other);
			add_neighbour(&merger->clusters[other], a);
		}
	}
	if (from->ids != NULL)
		pfree(from->ids);
	from->ids = NULL;
	from->n = 0;
	to->size += from->size;
	from->size = 0;
	dmp_cluster_merge(merger->values, a, b);
	for (i = 0; i < to->n; i++)
	{
		double strength = strength_of(merger, a, to->ids[i]);

		if (strength >= least)
			push(merger, a, to->ids[i], strength);
	}
}

static void
merge_pairs(DmpClusterValues *values, Pairs *pairs, double least)
{
	Merger merger = {0};
	HASHCTL ctl = {0};
	int64 i;

	ctl.keysize = sizeof(uint64);
	ctl.entrysize = sizeof(Link);
	ctl.hcxt = CurrentMemoryContext;
	merger.links = hash_create("dmp cluster links", Max(1024, pairs->n), &ctl,
							   HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	merger.values = values;
	merger.clusters =
		palloc_extended(sizeof(Neighbours) * Max(values->n, 1), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	merger.room = Max(1024, pairs->n);
	merger.heap = palloc_extended(sizeof(Pair) * merger.room, MCXT_ALLOC_HUGE);
	for (i = 0; i < values->n; i++)
		merger.clusters[i].size = 1;
	for (i = 0; i < pairs->n; i++)
	{
		Pair *pair = &pairs->pairs[i];
		uint64 key = link_key(pair->a, pair->b);
		Link *link = hash_search(merger.links, &key, HASH_ENTER, NULL);

		CHECK_FOR_INTERRUPTS();
		link->sum = pair->similarity;
		add_neighbour(&merger.clusters[pair->a], pair->b);
		add_neighbour(&merger.clusters[pair->b], pair->a);
		if (pair->similarity >= least)
			push(&merger, pair->a, pair->b, pair->similarity);
	}
	while (merger.n > 0)
	{
		Pair pair = pop(&merger);
		bool swap = merger.clusters[pair.a].n < merger.clusters[pair.b].n;

		CHECK_FOR_INTERRUPTS();
		/* out of date: a merge has changed what it says */
		if (pair.similarity != (float) strength_of(&merger, pair.a, pair.b))
			continue;
		merge(&merger, swap ? pair.b : pair.a, swap ? pair.a : pair.b, least);
	}
}

/*
 * Merge values as long as clusters have a mean similarity of least or more.
 */
void
dmp_cluster_words(DmpClusterValues *values, double least)
{
	Texts *texts = read_texts(values);
	Pairs pairs = {0};

	pairs.most = Max(65536, (int64) work_mem * 1024 * 4 / (sizeof(Pair) * 8));
	pairs.room = 1024;
	pairs.pairs = palloc_extended(sizeof(Pair) * pairs.room, MCXT_ALLOC_HUGE);
	pairs.least = least * PAIR_PART;
	find_pairs(texts, &pairs);
	merge_pairs(values, &pairs, least);
}
