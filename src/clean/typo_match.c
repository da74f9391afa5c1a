/*-------------------------------------------------------------------------
 * typo_match.c
 *		The nearest entry of a dictionary of frequent values.
 *
 * Entries are found by segments, as in cluster_near.c: an entry is cut into
 * pieces, one more than slips can touch (a swap touches two), and one of them
 * stands unchanged in the text, near its place.
 *-------------------------------------------------------------------------
 */
#include "clean/typo.h"

#include "math/hash.h"
#include "utils/memutils.h"

#define RATIO 5 /* what is meant is that many times as frequent */
#define MOST_SLIPS 4
#define NEVER 100

typedef struct Segment
{
	uint64 key;
	int32 entry;
} Segment;

struct DmpTypoIndex
{
	DmpTypoEntry *entries;
	int n;
	Segment *segments; /* by key */
	int64 n_segments;
	int64 room;
	Segment *lengths; /* entries by column and length */
	int *seen;        /* by entry: the number of the search that met it */
	int search;
};

static inline int
replace_cost(pg_wchar a, pg_wchar b)
{
	if (a == b)
		return 0;
	return dmp_is_digit(a) && dmp_is_digit(b) ? NEVER : 1;
}

/*
 * Optimal string alignment in a band, with the costs above.
 */
int
dmp_typo_distance(const DmpChars *typed, const DmpChars *meant, int most)
{
	int rows[3][2 * MOST_SLIPS + 3];
	int width = 2 * most + 1;
	int i;
	int k;

	Assert(most <= MOST_SLIPS);
	if (abs(typed->n - meant->n) > most)
		return most + 1;
	/* rows[i % 3][k + 1]: the first i of typed and i + k - most of meant */
	for (i = 0; i <= typed->n; i++)
	{
		int *row = rows[i % 3];
		int *above = rows[(i + 2) % 3];
		int *swap = rows[(i + 1) % 3];
		int least = NEVER;

		row[0] = row[width + 1] = NEVER;
		for (k = 0; k < width; k++)
		{
			int j = i + k - most;
			int best = i == 0 && j == 0 ? 0 : NEVER;

			if (j >= 0 && j <= meant->n)
			{
				pg_wchar a = i > 0 ? typed->c[i - 1] : 0;
				pg_wchar b = j > 0 ? meant->c[j - 1] : 0;

				if (i > 0 && j > 0)
					best = Min(best, above[k + 1] + replace_cost(a, b));
				if (i > 0)
					best = Min(best, above[k + 2] + (dmp_is_digit(a) ? NEVER : 1));
				if (j > 0)
					best = Min(best, row[k] + (dmp_is_digit(b) ? NEVER : 1));
				if (i > 1 && j > 1 && a != b && a == meant->c[j - 2] && b == typed->c[i - 2] &&
					!dmp_is_digit(a) && !dmp_is_digit(b))
					best = Min(best, swap[k + 1] + 1);
			}
			row[k + 1] = best;
			least = Min(least, best);
		}
		if (least > most)
			return most + 1;
	}
	return Min(rows[typed->n % 3][meant->n - typed->n + most + 1], most + 1);
}

bool
dmp_typo_is_marked(const DmpChars *typed, const DmpChars *meant, pg_wchar mark)
{
	int marked = 0;
	int i;

	if (typed->n != meant->n)
		return false;
	for (i = 0; i < typed->n; i++)
	{
		if (typed->c[i] == meant->c[i])
			continue;
		if (typed->c[i] != mark)
			return false;
		marked++;
	}
	return marked > 0 && marked <= Max(1, typed->n / 2);
}

static uint64
segment_key(int32 column, int length, int slips, int segment, const pg_wchar *c, int n)
{
	uint64 seed = ((uint64) (uint32) column << 32) ^ ((uint64) length << 8) ^
				  ((uint64) slips << 4) ^ (uint64) segment;

	return dmp_hash_bytes((const char *) c, sizeof(pg_wchar) * n, seed);
}

static uint64
length_key(int32 column, int length)
{
	return ((uint64) (uint32) column << 32) | (uint32) length;
}

static int
compare_segments(const void *a, const void *b, void *unused)
{
	const Segment *x = a;
	const Segment *y = b;

	if (x->key != y->key)
		return x->key < y->key ? -1 : 1;
	return x->entry < y->entry ? -1 : x->entry > y->entry;
}

static void
add_segments(DmpTypoIndex *index, int entry, int slips)
{
	const DmpTypoEntry *at = &index->entries[entry];
	int parts = slips + 2;
	int i;

	for (i = 0; i < parts; i++)
	{
		int start = (int64) i * at->chars.n / parts;
		int end = (int64) (i + 1) * at->chars.n / parts;
		Segment *segment;

		if (index->n_segments == index->room)
		{
			index->room *= 2;
			index->segments = repalloc_huge(index->segments, sizeof(Segment) * index->room);
		}
		segment = &index->segments[index->n_segments++];
		segment->key =
			segment_key(at->column, at->chars.n, slips, i, at->chars.c + start, end - start);
		segment->entry = entry;
	}
}

DmpTypoIndex *
dmp_typo_index(DmpTypoEntry *entries, int n)
{
	DmpTypoIndex *index = palloc0(sizeof(DmpTypoIndex));
	int i;
	int slips;

	index->entries = entries;
	index->n = n;
	index->room = Max(1024, (int64) n * 8);
	index->segments = palloc_extended(sizeof(Segment) * index->room, MCXT_ALLOC_HUGE);
	index->lengths = palloc_extended(sizeof(Segment) * Max(n, 1), MCXT_ALLOC_HUGE);
	index->seen = palloc_extended(sizeof(int) * Max(n, 1), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	for (i = 0; i < n; i++)
	{
		int length = entries[i].chars.n;

		CHECK_FOR_INTERRUPTS();
		index->lengths[i].key = length_key(entries[i].column, length);
		index->lengths[i].entry = i;
		/* for the texts of each number of slips that can be of this length */
		for (slips = 1; slips <= MOST_SLIPS; slips++)
		{
			if (dmp_typo_slips(length + slips) >= slips && dmp_typo_slips(length - slips) <= slips)
				add_segments(index, i, slips);
		}
	}
	qsort_interruptible(index->segments, index->n_segments, sizeof(Segment), compare_segments,
						NULL);
	qsort_interruptible(index->lengths, n, sizeof(Segment), compare_segments, NULL);
	return index;
}

/* The first segment with the key, or one behind */
static int64
first_segment(const Segment *segments, int64 n, uint64 key)
{
	int64 low = 0;
	int64 high = n;

	while (low < high)
	{
		int64 middle = (low + high) / 2;

		if (segments[middle].key < key)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* What a search has found so far */
typedef struct Search
{
	int64 rows;
	bool peers;
	int best;
	int distance;
	bool doubtful; /* another entry is as likely */
} Search;

static void
consider(const DmpTypoIndex *index, Search *search, int entry, int distance)
{
	const DmpTypoEntry *at = &index->entries[entry];
	int64 best_rows = search->best >= 0 ? index->entries[search->best].rows : 0;

	if (distance > search->distance)
		return;
	if (distance < search->distance)
	{
		search->best = entry;
		search->distance = distance;
		search->doubtful = false;
		return;
	}
	/* as near: ten times the rows decide */
	if (at->rows > best_rows)
	{
		search->doubtful = at->rows < best_rows * 10;
		search->best = entry;
	}
	else
		search->doubtful |= best_rows < at->rows * 10;
}

static bool
is_frequent(const DmpTypoEntry *entry, const Search *search)
{
	if (search->peers)
		return entry->rows < search->rows * RATIO && search->rows < entry->rows * RATIO;
	return !entry->wrong && entry->rows >= search->rows * RATIO;
}

static void
search_length(const DmpTypoIndex *index, Search *search, int32 column, const DmpChars *typed,
			  int length, int slips)
{
	int parts = slips + 2;
	int i;

	for (i = 0; i < parts; i++)
	{
		int start = (int64) i * length / parts;
		int size = (int) ((int64) (i + 1) * length / parts) - start;
		int to = Min(typed->n - size, start + slips + 1);
		int at;

		for (at = Max(0, start - slips - 1); at <= to; at++)
		{
			uint64 key = segment_key(column, length, slips, i, typed->c + at, size);
			int64 k = first_segment(index->segments, index->n_segments, key);

			for (; k < index->n_segments && index->segments[k].key == key; k++)
			{
				int entry = index->segments[k].entry;
				int distance;

				CHECK_FOR_INTERRUPTS();
				if (index->seen[entry] == index->search)
					continue;
				index->seen[entry] = index->search;
				if (!is_frequent(&index->entries[entry], search))
					continue;
				distance = dmp_typo_distance(typed, &index->entries[entry].chars, slips);
				if (distance > 0 && distance <= slips)
					consider(index, search, entry, distance);
			}
		}
	}
}

static void
search_marked(const DmpTypoIndex *index, Search *search, int32 column, const DmpChars *typed,
			  pg_wchar mark)
{
	uint64 key = length_key(column, typed->n);
	int64 k = first_segment(index->lengths, index->n, key);

	for (; k < index->n && index->lengths[k].key == key; k++)
	{
		int entry = index->lengths[k].entry;

		CHECK_FOR_INTERRUPTS();
		if (is_frequent(&index->entries[entry], search) &&
			dmp_typo_is_marked(typed, &index->entries[entry].chars, mark))
			consider(index, search, entry, 0);
	}
}

int
dmp_typo_find(const DmpTypoIndex *index, int32 column, const DmpChars *typed, int64 rows,
			  pg_wchar mark, bool peers)
{
	Search search = {rows, peers, -1, NEVER, false};
	int slips = dmp_typo_slips(typed->n);
	int length;
	int i;

	((DmpTypoIndex *) index)->search++;
	for (i = 0; mark != 0 && i < typed->n; i++)
	{
		if (typed->c[i] == mark)
		{
			search_marked(index, &search, column, typed, mark);
			break;
		}
	}
	if (search.best < 0 && slips > 0)
		for (length = Max(1, typed->n - slips); length <= typed->n + slips; length++)
			search_length(index, &search, column, typed, length, slips);
	return search.doubtful && !peers ? -1 : search.best;
}
