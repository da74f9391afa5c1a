/*-------------------------------------------------------------------------
 * cluster_near.c
 *		Clusters of texts that are near each other, without all pairs.
 *
 * Each text puts out keys; texts that share a key are compared. Keys and texts
 * go through a sort that spills to disk, so memory holds one number of 4 bytes
 * a text (union-find) and that many texts with the same key. Texts that are
 * in one cluster already are not compared again.
 *
 * Levenshtein (the distance counts insertions, deletions and substitutions):
 * the segments of Pass-Join (Li, Deng, Wang and Feng 2011). A text is cut into
 * k + 1 segments; another one within distance k holds one of them unchanged,
 * shifted by at most k places. All pairs within the distance are found.
 *
 * Jaro-Winkler has no such bound that is of use. Keys are the first four
 * characters, the last four, and the three runs of three characters that are
 * rarest among all texts; what shares none of these is not found.
 *
 * Of more texts with the same key than SEGMENT_MOST or GRAM_MOST only those are
 * compared that are near in the order of their bytes. It bounds the work: a
 * million texts of random hexadecimal digits took ten minutes without.
 *-------------------------------------------------------------------------
 */
#include "clean/cluster.h"

#include <math.h>

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "executor/tuptable.h"
#include "utils/fmgroids.h"
#include "utils/memutils.h"
#include "utils/tuplesort.h"
#include "catalog/pg_operator_d.h"

#include "base/base.h"
#include "math/hash.h"
#include "port/pg_bitutils.h"

#define SORT_MEMORY 32768 /* kB at least: merges in many passes are slow to end */
#define SEGMENT_MOST 1000 /* texts with the same key that are all compared */
#define GRAM_MOST 300
#define GROUP_WINDOW 10

/* ---------------------------------------------------------------- values */

/* The text of value i, a copy */
text *
dmp_cluster_text(const DmpClusterValues *values, int i)
{
	bool isnull;
	bool isout;
	Datum value = WinGetFuncArgInPartition(values->win, values->argument, i, WINDOW_SEEK_HEAD,
										   false, &isnull, &isout);

	if (isout || isnull)
		elog(ERROR, "value %d of the partition is not there", i);
	return DatumGetTextPCopy(value);
}

int32
dmp_cluster_root(DmpClusterValues *values, int32 i)
{
	int32 *parents = values->parents;

	while (parents[i] != i)
		i = parents[i] = parents[parents[i]];
	return i;
}

void
dmp_cluster_merge(DmpClusterValues *values, int32 a, int32 b)
{
	a = dmp_cluster_root(values, a);
	b = dmp_cluster_root(values, b);
	/* the smaller number is the root: no outcome depends on the order of pairs */
	if (a < b)
		values->parents[b] = a;
	else
		values->parents[a] = b;
}

/* ---------------------------------------------------------------- blocks */

enum
{
	BLOCK_KEY,
	BLOCK_ROLE, /* 0: is found, 1: looks, 2: both */
	BLOCK_ID,
	BLOCK_TEXT, /* characters, as bytea */
	BLOCK_COLUMNS
};

typedef struct Blocks
{
	Tuplesortstate *sort;
	TupleTableSlot *in;
	TupleTableSlot *out;
	MemoryContext context; /* of one text or one group */
} Blocks;

/* A text of a group */
typedef struct Member
{
	int32 id;
	int32 role;
	uint64 letters; /* a bit for each character, hashed */
	bytea *packed;
	DmpChars chars;
} Member;

typedef bool (*IsNear)(const Member *a, const Member *b, double limit);

static Blocks *
begin_blocks(void)
{
	static const Oid types[BLOCK_COLUMNS] = {INT8OID, INT4OID, INT4OID, BYTEAOID};
	AttrNumber keys[3] = {BLOCK_KEY + 1, BLOCK_TEXT + 1, BLOCK_ID + 1};
	Oid operators[3] = {Int8LessOperator, ByteaLessOperator, Int4LessOperator};
	Oid collations[3] = {InvalidOid, InvalidOid, InvalidOid};
	bool nulls_first[3] = {false, false, false};
	Blocks *blocks = palloc0(sizeof(Blocks));
	TupleDesc desc = CreateTemplateTupleDesc(BLOCK_COLUMNS);
	int i;

	for (i = 0; i < BLOCK_COLUMNS; i++)
		TupleDescInitEntry(desc, (AttrNumber) (i + 1), NULL, types[i], -1, 0);
	blocks->in = MakeSingleTupleTableSlot(desc, &TTSOpsVirtual);
	blocks->out = MakeSingleTupleTableSlot(desc, &TTSOpsMinimalTuple);
	blocks->sort = tuplesort_begin_heap(desc, 3, keys, operators, collations, nulls_first,
										Max(work_mem, SORT_MEMORY), NULL, TUPLESORT_NONE);
	blocks->context =
		AllocSetContextCreate(CurrentMemoryContext, "dmp cluster block", ALLOCSET_DEFAULT_SIZES);
	return blocks;
}

static void
put_key(Blocks *blocks, uint64 key, int role, int32 id, bytea *chars)
{
	TupleTableSlot *slot = blocks->in;

	ExecClearTuple(slot);
	slot->tts_values[BLOCK_KEY] = Int64GetDatum((int64) key);
	slot->tts_values[BLOCK_ROLE] = Int32GetDatum(role);
	slot->tts_values[BLOCK_ID] = Int32GetDatum(id);
	slot->tts_values[BLOCK_TEXT] = PointerGetDatum(chars);
	memset(slot->tts_isnull, 0, sizeof(bool) * BLOCK_COLUMNS);
	ExecStoreVirtualTuple(slot);
	tuplesort_puttupleslot(blocks->sort, slot);
}

static bytea *
pack_chars(const DmpChars *chars)
{
	bytea *packed = palloc(VARHDRSZ + sizeof(pg_wchar) * chars->n);

	SET_VARSIZE(packed, VARHDRSZ + sizeof(pg_wchar) * chars->n);
	memcpy(VARDATA(packed), chars->c, sizeof(pg_wchar) * chars->n);
	return packed;
}

/*
 * The characters of a value as they are compared: normal form KC, lower case.
 */
static bool
read_chars(text *value, DmpChars *chars)
{
	int i;

	if (!dmp_chars_read(value, DMP_FOLD_NFKC, chars))
		return false;
	dmp_chars_tidy(chars);
	for (i = 0; i < chars->n; i++)
		chars->c[i] = dmp_lower_case(chars->c[i]);
	return chars->n > 0 && chars->n < 10000;
}

/* Texts with the same key, in the order of their bytes: the last n that came */
typedef struct TextGroup
{
	DmpClusterValues *values;
	IsNear is_near;
	double limit;
	Member *members;
	int most; /* of them */
	int n;
	bool large; /* some went: those left are a window */
} TextGroup;

static void
compare_pair(TextGroup *group, const Member *a, const Member *b)
{
	DmpClusterValues *values = group->values;

	if ((a->role == 0 && b->role == 0) || (a->role == 1 && b->role == 1) || a->id == b->id)
		return;
	if (dmp_cluster_root(values, a->id) != dmp_cluster_root(values, b->id) &&
		group->is_near(a, b, group->limit))
		dmp_cluster_merge(values, a->id, b->id);
}

/* The first count members go, compared with those within the window */
static void
leave_window(TextGroup *group, int count)
{
	int i;
	int k;

	for (i = 0; i < count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		for (k = i + 1; k < group->n && k - i <= GROUP_WINDOW; k++)
			compare_pair(group, &group->members[i], &group->members[k]);
		pfree(group->members[i].packed);
	}
	group->n -= count;
	memmove(group->members, group->members + count, sizeof(Member) * group->n);
}

static void
end_group(TextGroup *group)
{
	int i;
	int k;

	if (group->large)
		leave_window(group, group->n);
	for (i = 0; i < group->n; i++)
	{
		CHECK_FOR_INTERRUPTS();
		for (k = i + 1; k < group->n; k++)
			compare_pair(group, &group->members[i], &group->members[k]);
	}
	group->n = 0;
	group->large = false;
}

static void
add_member(TextGroup *group, TupleTableSlot *slot)
{
	Member *member;
	bool isnull;
	int i;

	if (group->n == group->most)
	{
		group->large = true;
		leave_window(group, group->most - GROUP_WINDOW);
	}
	member = &group->members[group->n++];
	member->role = DatumGetInt32(slot_getattr(slot, BLOCK_ROLE + 1, &isnull));
	member->id = DatumGetInt32(slot_getattr(slot, BLOCK_ID + 1, &isnull));
	member->packed = DatumGetByteaPCopy(slot_getattr(slot, BLOCK_TEXT + 1, &isnull));
	member->chars.n = (VARSIZE(member->packed) - VARHDRSZ) / sizeof(pg_wchar);
	member->chars.c = (pg_wchar *) VARDATA(member->packed);
	member->letters = 0;
	for (i = 0; i < member->chars.n; i++)
		member->letters |= UINT64CONST(1) << (member->chars.c[i] % 64);
}

/*
 * Read the sorted keys and compare the texts of each.
 */
static void
compare_blocks(Blocks *blocks, DmpClusterValues *values, IsNear is_near, double limit, int most)
{
	MemoryContext old = MemoryContextSwitchTo(blocks->context);
	TextGroup *group = palloc0(sizeof(TextGroup));
	MemoryContext texts =
		AllocSetContextCreate(blocks->context, "dmp cluster group", ALLOCSET_DEFAULT_SIZES);
	uint64 key = 0;

	group->values = values;
	group->is_near = is_near;
	group->limit = limit;
	group->most = most;
	group->members = palloc(sizeof(Member) * most);
	MemoryContextSwitchTo(texts);
	tuplesort_performsort(blocks->sort);
	while (tuplesort_gettupleslot(blocks->sort, true, false, blocks->out, NULL))
	{
		bool isnull;
		uint64 next = (uint64) DatumGetInt64(slot_getattr(blocks->out, BLOCK_KEY + 1, &isnull));

		CHECK_FOR_INTERRUPTS();
		if (next != key)
		{
			end_group(group);
			MemoryContextReset(texts);
			key = next;
		}
		add_member(group, blocks->out);
	}
	end_group(group);
	MemoryContextSwitchTo(old);
	ExecDropSingleTupleTableSlot(blocks->in);
	ExecDropSingleTupleTableSlot(blocks->out);
	tuplesort_end(blocks->sort);
	MemoryContextDelete(blocks->context);
	pfree(blocks);
}

/* ----------------------------------------------------------- Levenshtein */

/*
 * The distance of two texts, or most + 1 when it is more: the band of the
 * table that distances up to most can reach.
 */
int
dmp_edit_distance(const pg_wchar *a, int n, const pg_wchar *b, int m, int most)
{
	int row[2 * 64 + 3];
	int width = 2 * most + 1;
	int i;
	int k;

	Assert(most <= 64);
	if (abs(n - m) > most)
		return most + 1;
	/* row[k + 1] is the distance of a's first i and b's first i + k - most characters */
	for (k = 0; k < width + 2; k++)
		row[k] = k - 1 >= most && k <= width ? k - 1 - most : most + 1;
	for (i = 1; i <= n; i++)
	{
		int least = most + 1;

		row[0] = row[width + 1] = most + 1;
		for (k = 0; k < width; k++)
		{
			int j = i + k - most;
			int best = most + 1;

			if (j >= 0 && j <= m)
			{
				if (j > 0)
					best = Min(row[k + 1] + (a[i - 1] != b[j - 1]), row[k] + 1);
				best = Min(best, row[k + 2] + 1);
				best = Min(best, most + 1);
			}
			row[k + 1] = best;
			least = Min(least, best);
		}
		if (least > most)
			return most + 1;
	}
	return row[m - n + most + 1];
}

static bool
is_near_levenshtein(const Member *a, const Member *b, double limit)
{
	return dmp_edit_distance(a->chars.c, a->chars.n, b->chars.c, b->chars.n, (int) limit) <=
		   (int) limit;
}

static uint64
segment_key(int length, int segment, const pg_wchar *c, int n)
{
	return dmp_hash_bytes((const char *) c, sizeof(pg_wchar) * n,
						  (uint64) length * 64 + (uint64) segment);
}

/*
 * Keys of a text as one of its length, and as one that looks for texts of its
 * length and shorter ones. Segment i of length l starts at i l / (most + 1).
 */
static void
put_segments(Blocks *blocks, int32 id, const DmpChars *chars, int most)
{
	bytea *packed = pack_chars(chars);
	int less;
	int i;

	for (less = 0; less <= most && chars->n - less > 2 * most; less++)
	{
		int length = chars->n - less;

		for (i = 0; i <= most; i++)
		{
			int start = (int64) i * length / (most + 1);
			int size = (int) ((int64) (i + 1) * length / (most + 1)) - start;
			int from = Max(0, start - (most - less) / 2);
			int to = Min(chars->n - size, start + (most + less) / 2);
			int at;

			if (less == 0)
				put_key(blocks, segment_key(length, i, chars->c + start, size), 0, id, packed);
			for (at = from; at <= to; at++)
				put_key(blocks, segment_key(length, i, chars->c + at, size), 1, id, packed);
		}
	}
}

/*
 * Merge all pairs of values within a distance of most (up to 8). Texts of up
 * to twice that many characters are too short to tell.
 */
void
dmp_cluster_levenshtein(DmpClusterValues *values, int most)
{
	Blocks *blocks = begin_blocks();
	int i;

	for (i = 0; i < values->n; i++)
	{
		MemoryContext old = MemoryContextSwitchTo(blocks->context);
		DmpChars chars;

		CHECK_FOR_INTERRUPTS();
		if (read_chars(dmp_cluster_text(values, i), &chars))
			put_segments(blocks, i, &chars, most);
		MemoryContextSwitchTo(old);
		MemoryContextReset(blocks->context);
	}
	compare_blocks(blocks, values, is_near_levenshtein, most, SEGMENT_MOST);
}

/* ---------------------------------------------------------- Jaro-Winkler */

#define GRAM 3
#define RARE_GRAMS 3
#define ENDS 4
#define SKETCH (1 << 20)

static uint64
gram_key(const pg_wchar *c, int n, int kind)
{
	return dmp_hash_bytes((const char *) c, sizeof(pg_wchar) * n, (uint64) kind);
}

static bool
is_near_jaro_winkler(const Member *a, const Member *b, double limit)
{
	/* characters that the other one has not cannot match */
	int m = Min(a->chars.n - pg_popcount64(a->letters & ~b->letters),
				b->chars.n - pg_popcount64(b->letters & ~a->letters));
	double most = ((double) m / a->chars.n + (double) m / b->chars.n + 1.0) / 3.0;

	if (most + 0.4 * (1.0 - most) < limit)
		return false;
	return dmp_jaro_winkler_chars(&a->chars, &b->chars) >= limit;
}

/* Keys of a text: its ends and its rarest runs */
static void
put_grams(Blocks *blocks, int32 id, const DmpChars *chars, const int32 *counts)
{
	bytea *packed = pack_chars(chars);
	uint64 rare[RARE_GRAMS];
	int32 count[RARE_GRAMS];
	int n = 0;
	int i;
	int k;

	put_key(blocks, gram_key(chars->c, Min(ENDS, chars->n), 0), 2, id, packed);
	put_key(blocks, gram_key(chars->c + Max(0, chars->n - ENDS), Min(ENDS, chars->n), 1), 2, id,
			packed);
	for (i = 0; i + GRAM <= chars->n; i++)
	{
		uint64 key = gram_key(chars->c + i, GRAM, 2);
		int32 seen = counts[key % SKETCH];

		for (k = 0; k < n && rare[k] != key; k++)
			;
		if (k < n)
			continue;
		if (n < RARE_GRAMS)
			k = n++;
		else if (seen < count[RARE_GRAMS - 1])
			k = RARE_GRAMS - 1;
		else
			continue;
		for (; k > 0 && count[k - 1] > seen; k--)
		{
			count[k] = count[k - 1];
			rare[k] = rare[k - 1];
		}
		count[k] = seen;
		rare[k] = key;
	}
	for (k = 0; k < n; k++)
		put_key(blocks, rare[k], 2, id, packed);
}

/*
 * Merge pairs of values with a similarity of least or more, those that share a
 * key.
 */
void
dmp_cluster_jaro_winkler(DmpClusterValues *values, double least)
{
	Blocks *blocks = begin_blocks();
	int32 *counts = palloc0(sizeof(int32) * SKETCH);
	int pass;
	int i;

	for (pass = 0; pass < 2; pass++)
	{
		for (i = 0; i < values->n; i++)
		{
			MemoryContext old = MemoryContextSwitchTo(blocks->context);
			DmpChars chars;
			int k;

			CHECK_FOR_INTERRUPTS();
			if (read_chars(dmp_cluster_text(values, i), &chars))
			{
				for (k = 0; pass == 0 && k + GRAM <= chars.n; k++)
					counts[gram_key(chars.c + k, GRAM, 2) % SKETCH]++;
				if (pass == 1)
					put_grams(blocks, i, &chars, counts);
			}
			MemoryContextSwitchTo(old);
			MemoryContextReset(blocks->context);
		}
	}
	pfree(counts);
	compare_blocks(blocks, values, is_near_jaro_winkler, least, GRAM_MOST);
}
