/*-------------------------------------------------------------------------
 * values.c
 *		The state of dmp.median, dmp.mad and dmp.quantiles: every value.
 *
 * Few values are a flat state with room to grow, changed in place: groups by
 * the hundred thousand take little more than their numbers. Past FLAT_MOST
 * they become an expanded object, which is in one of two forms:
 *
 *	heap	an array in any order. When it would grow while the states of the
 *			aggregate take more than work_mem, it is written to a temporary
 *			file and begins anew. Answers select; with a file they take a pass
 *			or two over it, by histograms of the sort keys' digits.
 *	order	math/ordered.h, for windows: once a frame loses a row, or answers
 *			are asked again after more rows came. 8 to 11 bytes a value of the
 *			frame, in memory.
 *
 * Flat, as another process or server gets it, the state is
 *
 *		uint64 values, uint32 shares, uint32 0, float8 share[], float8 value[],
 *		and unused room
 *
 * up to 1 GB, past 134 million values. A share that is NaN is one that was
 * NULL. Answers count NaN as a value above all others, as the server sorts it.
 *-------------------------------------------------------------------------
 */
#include "clean/values.h"

#include <math.h>

#include "base/state.h"
#include "clean/values_state.h"
#include "math/metrics.h"
#include "math/ordered.h"
#include "math/select.h"
#include "storage/buffile.h"
#include "utils/expandeddatum.h"
#include "utils/memutils.h"

#define VALUES_MAGIC 0xDA7A5E7
#define VALUES_VERSION 1
#define FLAT_MOST 128
#define BLOCK 8192             /* values read at a time */
#define FREE_BYTES (64 * 1024) /* what each state may take, whatever the others do */

struct DmpValues
{
	ExpandedObjectHeader header; /* comes first */
	int magic;
	uint32 nshares;
	double *shares;
	uint64 n; /* in x */
	uint64 capacity;
	double *x;
	BufFile *file; /* NULL: nothing was written */
	uint64 written;
	int end_file;
	off_t end_offset;
	bool in_order;
	DmpOrdered order;
	uint64 answered; /* values at the last answer */
};

typedef struct FlatHead
{
	uint64 n;
	uint32 nshares;
	uint32 zero;
} FlatHead;

/* all values once, whatever their form */
typedef struct Stream
{
	const DmpValues *values;
	bool deviations; /* from center */
	double center;
} Stream;

static void *
env_alloc(size_t size)
{
	return MemoryContextAllocHuge(CurrentMemoryContext, size);
}

static void
env_check(void)
{
	CHECK_FOR_INTERRUPTS();
}

const DmpMathEnv dmp_server_env = {env_alloc, pfree, env_check};

/* ----------------------------------------------------------------- flat */

static FlatHead *
flat_head(const DmpState *state)
{
	return (FlatHead *) DMP_STATE_DATA(state);
}

static double *
flat_shares(const DmpState *state)
{
	return (double *) (flat_head(state) + 1);
}

static double *
flat_values(const DmpState *state)
{
	return flat_shares(state) + flat_head(state)->nshares;
}

static uint64
flat_room(const DmpState *state)
{
	return (DMP_STATE_DATA_SIZE(state) - sizeof(FlatHead)) / sizeof(double) -
		   flat_head(state)->nshares;
}

DmpState *
dmp_values_flat(int nshares, const double *shares, uint64 room)
{
	DmpState *state = dmp_state_make(DMP_STATE_VALUES, VALUES_VERSION,
									 sizeof(FlatHead) + sizeof(double) * (nshares + room));

	flat_head(state)->nshares = nshares;
	if (nshares > 0)
		memcpy(flat_shares(state), shares, sizeof(double) * nshares);
	return state;
}

static void
check_flat(const DmpState *state, const char *data, Size size)
{
	FlatHead head;
	uint32 i;

	if (size < sizeof(head))
		dmp_state_corrupt(state, "too short");
	memcpy(&head, data, sizeof(head));
	size -= sizeof(head);
	if (head.zero != 0 || size % sizeof(double) != 0 || head.nshares > size / sizeof(double) ||
		head.n > size / sizeof(double) - head.nshares)
		dmp_state_corrupt(state, "its size is not what its values need");
	for (i = 0; i < head.nshares; i++)
		if (flat_shares(state)[i] < 0 || flat_shares(state)[i] > 1)
			dmp_state_corrupt(state, "a share is not between 0 and 1");
}

void
dmp_values_init(void)
{
	dmp_state_register(DMP_STATE_VALUES, VALUES_VERSION, check_flat);
}

/* --------------------------------------------------------------- reading */

/* calls each(arg, n, x) with the values of the stream, some thousand at a time */
static void
read_all(const Stream *stream, void (*each)(void *arg, uint64 n, const double *x), void *arg)
{
	const DmpValues *values = stream->values;
	double *block = palloc(sizeof(double) * BLOCK);
	uint64 left = values->written;
	uint64 at = 0;
	uint64 i;

	if (left > 0 && BufFileSeek(values->file, 0, 0, SEEK_SET) != 0)
		elog(ERROR, "could not seek in the temporary file of values");
	while (left > 0 || at < values->n)
	{
		uint64 n = Min(BLOCK, left > 0 ? left : values->n - at);

		CHECK_FOR_INTERRUPTS();
		if (left > 0)
		{
			if (BufFileRead(values->file, block, sizeof(double) * n) != sizeof(double) * n)
				ereport(ERROR, (errcode_for_file_access(),
								errmsg("could not read from the temporary file of values")));
			left -= n;
		}
		else
		{
			memcpy(block, values->x + at, sizeof(double) * n);
			at += n;
		}
		if (stream->deviations)
		{
			for (i = 0; i < n; i++)
				block[i] = dmp_deviation(block[i], stream->center);
		}
		each(arg, n, block);
	}
	pfree(block);
}

/* ------------------------------------------------- answers, with a file */

#define DIGIT 16
#define DIGITS (1 << DIGIT)

typedef struct Pass
{
	uint64 prefix; /* of keys looked at: their highest depth digits */
	int depth;
	uint64 *counts; /* of the next digit */
	/* or */
	int from, to; /* digits that are gathered */
	uint64 *keys;
	uint64 nkeys;
} Pass;

static inline bool
has_prefix(const Pass *pass, uint64 key)
{
	return pass->depth == 0 || key >> (64 - DIGIT * pass->depth) == pass->prefix;
}

static inline int
next_digit(const Pass *pass, uint64 key)
{
	return (int) (key >> (64 - DIGIT * (pass->depth + 1)) & (DIGITS - 1));
}

static void
count_digits(void *arg, uint64 n, const double *x)
{
	Pass *pass = arg;
	uint64 i;

	for (i = 0; i < n; i++)
	{
		uint64 key = dmp_sort_key(x[i]);

		if (has_prefix(pass, key))
			pass->counts[next_digit(pass, key)]++;
	}
}

static void
gather_keys(void *arg, uint64 n, const double *x)
{
	Pass *pass = arg;
	uint64 i;

	for (i = 0; i < n; i++)
	{
		uint64 key = dmp_sort_key(x[i]);
		int digit = next_digit(pass, key);

		if (has_prefix(pass, key) && digit >= pass->from && digit <= pass->to)
			pass->keys[pass->nkeys++] = key;
	}
}

static double
key_value(uint64 key)
{
	return key == PG_UINT64_MAX ? NAN : dmp_sort_key_value(key);
}

/*
 * The values of ascending ranks, of which the first key with this prefix has
 * the rank base. One pass counts by the next digit; digits that lie together
 * and whose keys fit in memory are gathered and sorted, a digit that has more
 * is looked at by its next digit.
 */
static void
select_keys(const Stream *stream, uint64 prefix, int depth, uint64 base, int nranks,
			const size_t *ranks, double *out)
{
	uint64 most = Max((uint64) work_mem * 1024 / (2 * sizeof(uint64)), BLOCK);
	Pass pass = {prefix, depth, NULL, 0, 0, NULL, 0};
	uint64 *counts = palloc0(sizeof(uint64) * DIGITS);
	int digit = 0;
	int r = 0;

	pass.counts = counts;
	read_all(stream, count_digits, &pass);
	while (r < nranks)
	{
		uint64 gathered;
		int done = r;

		while (ranks[r] >= base + counts[digit])
			base += counts[digit++];
		if (counts[digit] > most)
		{
			while (done < nranks && ranks[done] < base + counts[digit])
				done++;
			if (depth == 64 / DIGIT - 1)
			{
				for (; r < done; r++)
					out[r] = key_value(prefix << DIGIT | digit);
			}
			else
				select_keys(stream, prefix << DIGIT | digit, depth + 1, base, done - r, ranks + r,
							out + r);
			r = done;
			continue;
		}
		pass.from = pass.to = digit;
		gathered = counts[digit];
		for (;;)
		{
			while (done < nranks && ranks[done] < base + gathered)
				done++;
			if (done == nranks || pass.to == DIGITS - 1 || gathered + counts[pass.to + 1] > most)
				break;
			gathered += counts[++pass.to];
		}
		pass.keys = palloc(sizeof(uint64) * Max(gathered, 1));
		pass.nkeys = 0;
		read_all(stream, gather_keys, &pass);
		dmp_radix_sort(pass.nkeys, pass.keys, NULL, &dmp_server_env);
		for (; r < done; r++)
			out[r] = key_value(pass.keys[ranks[r] - base]);
		pfree(pass.keys);
		base += gathered;
		digit = pass.to + 1;
	}
	pfree(counts);
}

/* ---------------------------------------------------- answers, all forms */

uint64
dmp_values_count(const DmpValues *values)
{
	return values->in_order ? values->order.n : values->n + values->written;
}

/* from the array to the order; nothing is written to a file */
static void
put_in_order(DmpValues *values)
{
	MemoryContext old = MemoryContextSwitchTo(values->header.eoh_context);
	uint64 *keys = env_alloc(sizeof(uint64) * Max(values->n, 1));
	uint64 i;

	for (i = 0; i < values->n; i++)
		keys[i] = dmp_sort_key(values->x[i]);
	dmp_radix_sort(values->n, keys, NULL, &dmp_server_env);
	dmp_ordered_init(&values->order, values->n, keys, &dmp_server_env);
	pfree(keys);
	pfree(values->x);
	values->x = NULL;
	values->n = values->capacity = 0;
	values->in_order = true;
	MemoryContextSwitchTo(old);
}

/* asked again after more came: a window with a frame that grows */
static void
note_answer(DmpValues *values)
{
	uint64 n = dmp_values_count(values);

	if (values->answered != 0 && values->answered != n && !values->in_order && values->file == NULL)
		put_in_order(values);
	values->answered = n;
}

/* of ascending ranks: of the values or, when center is given, of the distances from it */
static void
values_of_ranks(DmpValues *values, const double *center, int nranks, const size_t *ranks,
				double *out)
{
	Stream stream;
	int i;

	stream.values = values;
	stream.deviations = center != NULL;
	stream.center = center != NULL ? *center : 0;
	if (values->in_order)
	{
		for (i = 0; i < nranks; i++)
			out[i] = center != NULL ? dmp_ordered_deviation(&values->order, *center, ranks[i])
									: dmp_ordered_get(&values->order, ranks[i]);
	}
	else if (values->file != NULL)
		select_keys(&stream, 0, 0, 0, nranks, ranks, out);
	else if (center != NULL)
	{
		double *copy = env_alloc(sizeof(double) * Max(values->n, 1));
		uint64 k;

		for (k = 0; k < values->n; k++)
		{
			if (k % BLOCK == 0)
				CHECK_FOR_INTERRUPTS();
			copy[k] = dmp_deviation(values->x[k], *center);
		}
		dmp_select(values->n, copy, nranks, ranks, out, &dmp_server_env);
		pfree(copy);
	}
	else
		dmp_select(values->n, values->x, nranks, ranks, out, &dmp_server_env);
}

static int
compare_ranks(const void *a, const void *b)
{
	size_t x = *(const size_t *) a;
	size_t y = *(const size_t *) b;

	return x < y ? -1 : x > y;
}

static void
quantiles(DmpValues *values, const double *center, int n, const double *shares, double *out)
{
	uint64 count = dmp_values_count(values);
	size_t *places = palloc(sizeof(size_t) * 2 * n);
	size_t *ranks = palloc(sizeof(size_t) * 2 * n);
	double *found = palloc(sizeof(double) * 2 * n);
	double *fractions = palloc(sizeof(double) * n);
	int distinct = 0;
	int i;

	for (i = 0; i < n; i++)
		dmp_quantile_place(count, shares[i], &places[2 * i], &places[2 * i + 1], &fractions[i]);
	memcpy(ranks, places, sizeof(size_t) * 2 * n);
	qsort(ranks, 2 * n, sizeof(size_t), compare_ranks);
	for (i = 0; i < 2 * n; i++)
		if (distinct == 0 || ranks[i] != ranks[distinct - 1])
			ranks[distinct++] = ranks[i];
	values_of_ranks(values, center, distinct, ranks, found);
	for (i = 0; i < n; i++)
	{
		double ends[2];
		int k;

		for (k = 0; k < 2; k++)
		{
			size_t *at =
				bsearch(&places[2 * i + k], ranks, distinct, sizeof(size_t), compare_ranks);

			ends[k] = found[at - ranks];
		}
		out[i] = dmp_quantile_value(ends[0], ends[1], fractions[i]);
	}
	pfree(places);
	pfree(ranks);
	pfree(found);
	pfree(fractions);
}

void
dmp_values_quantiles(DmpValues *values, int n, const double *shares, double *out)
{
	note_answer(values);
	quantiles(values, NULL, n, shares, out);
}

double
dmp_values_mad(DmpValues *values)
{
	const double half = 0.5;
	double center;
	double result;

	note_answer(values);
	quantiles(values, NULL, 1, &half, &center);
	if (isnan(center))
		return center;
	quantiles(values, &center, 1, &half, &result);
	return result;
}

/* -------------------------------------------------------------- expanded */

static Size
flat_size(ExpandedObjectHeader *header)
{
	DmpValues *values = (DmpValues *) header;
	Size size = add_size(sizeof(DmpState) + sizeof(FlatHead),
						 mul_size(dmp_values_count(values) + values->nshares, sizeof(double)));

	if (size > MaxAllocSize)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("the values of a median or quantile are larger than 1 GB"),
				 errhint("SET max_parallel_workers_per_gather = 0 keeps them in one process.")));
	return size;
}

static void
copy_values(void *arg, uint64 n, const double *x)
{
	double **to = arg;

	memcpy(*to, x, sizeof(double) * n);
	*to += n;
}

static void
flatten(ExpandedObjectHeader *header, void *result, Size allocated)
{
	DmpValues *values = (DmpValues *) header;
	Stream stream = {values, false, 0};
	DmpState *state = result;
	double *to;
	uint64 i;

	memset(state, 0, sizeof(DmpState) + sizeof(FlatHead));
	SET_VARSIZE(state, allocated);
	state->kind = DMP_STATE_VALUES;
	state->version = VALUES_VERSION;
	state->order = DMP_STATE_ORDER;
	flat_head(state)->n = dmp_values_count(values);
	flat_head(state)->nshares = values->nshares;
	if (values->nshares > 0)
		memcpy(flat_shares(state), values->shares, sizeof(double) * values->nshares);
	to = flat_values(state);
	if (!values->in_order)
		read_all(&stream, copy_values, &to);
	for (i = 0; values->in_order && i < values->order.n; i++)
		to[i] = dmp_ordered_get(&values->order, i);
}

static const ExpandedObjectMethods methods = {flat_size, flatten};

DmpValues *
dmp_values_make(MemoryContext parent)
{
	MemoryContext context = AllocSetContextCreate(parent, "dmp values", ALLOCSET_SMALL_SIZES);
	DmpValues *values = MemoryContextAllocZero(context, sizeof(DmpValues));

	EOH_init_header(&values->header, &methods, context);
	values->magic = VALUES_MAGIC;
	return values;
}

Datum
dmp_values_datum(DmpValues *values)
{
	return EOHPGetRWDatum(&values->header);
}

/* -------------------------------------------------------------- growing */

static void
close_file(void *arg)
{
	BufFileClose(((DmpValues *) arg)->file);
}

/*
 * What is in memory goes to the file. The file belongs to the memory of the
 * state, which ends at every end of a query, errors included, and in windows
 * and groups before: not to a resource owner, which would complain about it.
 */
static void
spill(DmpValues *values)
{
	if (values->file == NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(values->header.eoh_context);
		MemoryContextCallback *callback = palloc(sizeof(MemoryContextCallback));

		values->file = BufFileCreateTemp(true);
		callback->func = close_file;
		callback->arg = values;
		MemoryContextRegisterResetCallback(values->header.eoh_context, callback);
		MemoryContextSwitchTo(old);
	}
	else if (BufFileSeek(values->file, values->end_file, values->end_offset, SEEK_SET) != 0)
		elog(ERROR, "could not seek in the temporary file of values");
	BufFileWrite(values->file, values->x, sizeof(double) * values->n);
	BufFileTell(values->file, &values->end_file, &values->end_offset);
	values->written += values->n;
	values->n = 0;
}

/* Room for one value more. */
static void
reserve(DmpValues *values)
{
	MemoryContext context = values->header.eoh_context;
	Size size = sizeof(double) * values->capacity;

	if (size >= FREE_BYTES)
	{
		/* the states of other groups are its siblings */
		Size all = MemoryContextMemAllocated(MemoryContextGetParent(context), true);

		if (all + size > (Size) work_mem * 1024)
		{
			spill(values);
			return;
		}
	}
	values->capacity = Max(values->capacity * 2, FLAT_MOST * 2);
	if (values->x == NULL)
		values->x = MemoryContextAlloc(context, sizeof(double) * values->capacity);
	else
		values->x = repalloc_huge(values->x, sizeof(double) * values->capacity);
}

void
dmp_values_append(DmpValues *values, double x)
{
	if (values->in_order)
	{
		MemoryContext old = MemoryContextSwitchTo(values->header.eoh_context);

		dmp_ordered_insert(&values->order, x);
		MemoryContextSwitchTo(old);
		return;
	}
	if (unlikely(values->n == values->capacity))
		reserve(values);
	values->x[values->n++] = x;
}

/* ------------------------------------------------------- states as datums */

DmpValues *
dmp_values_of(Datum state)
{
	DmpValues *values;

	if (!VARATT_IS_EXTERNAL_EXPANDED(DatumGetPointer(state)))
		return NULL;
	values = (DmpValues *) DatumGetEOHP(state);
	if (values->magic != VALUES_MAGIC)
		ereport(ERROR, (errcode(ERRCODE_DATATYPE_MISMATCH),
						errmsg("this aggregate state is not one of values")));
	return values;
}

/* an object with the shares and values of a flat state */
static DmpValues *
expand(const DmpState *state, MemoryContext parent)
{
	const FlatHead *head = flat_head(state);
	DmpValues *values = dmp_values_make(parent);
	uint64 i;

	values->nshares = head->nshares;
	if (head->nshares > 0)
	{
		values->shares =
			MemoryContextAlloc(values->header.eoh_context, sizeof(double) * head->nshares);
		memcpy(values->shares, flat_shares(state), sizeof(double) * head->nshares);
	}
	for (i = 0; i < head->n; i++)
	{
		if (i % BLOCK == 0)
			CHECK_FOR_INTERRUPTS();
		dmp_values_append(values, flat_values(state)[i]);
	}
	return values;
}

Datum
dmp_values_add(Datum state, double x, MemoryContext context)
{
	DmpValues *values = dmp_values_of(state);
	DmpState *flat;
	FlatHead *head;

	if (values != NULL)
	{
		dmp_values_append(values, x);
		return dmp_values_datum(values);
	}
	flat = dmp_state_arg(state, DMP_STATE_VALUES);
	head = flat_head(flat);
	if (head->n == flat_room(flat))
	{
		DmpState *more;

		if (head->n >= FLAT_MOST)
		{
			values = expand(flat, context);
			dmp_values_append(values, x);
			return dmp_values_datum(values);
		}
		more = dmp_values_flat(head->nshares, flat_shares(flat), Max(head->n * 2, 4));
		memcpy(flat_values(more), flat_values(flat), sizeof(double) * head->n);
		flat_head(more)->n = head->n;
		flat = more;
		head = flat_head(flat);
	}
	flat_values(flat)[head->n++] = x;
	return PointerGetDatum(flat);
}

bool
dmp_values_take(Datum *state, double x, MemoryContext context)
{
	DmpValues *values = dmp_values_of(*state);
	DmpState *flat;
	double *v;
	uint64 i;

	if (values == NULL)
	{
		uint64 key = dmp_sort_key(x);

		flat = dmp_state_arg(*state, DMP_STATE_VALUES);
		v = flat_values(flat);
		for (i = 0; i < flat_head(flat)->n; i++)
		{
			if (dmp_sort_key(v[i]) == key)
			{
				v[i] = v[--flat_head(flat)->n];
				return true;
			}
		}
		return false;
	}
	if (!values->in_order)
	{
		if (values->file != NULL)
			return false;
		put_in_order(values);
	}
	return dmp_ordered_remove(&values->order, x);
}

uint64
dmp_values_size(Datum state)
{
	DmpValues *values = dmp_values_of(state);

	return values != NULL ? dmp_values_count(values)
						  : flat_head(dmp_state_arg(state, DMP_STATE_VALUES))->n;
}

int
dmp_values_shares(Datum state, const double **shares)
{
	DmpValues *values = dmp_values_of(state);
	DmpState *flat;

	if (values != NULL)
	{
		*shares = values->shares;
		return values->nshares;
	}
	flat = dmp_state_arg(state, DMP_STATE_VALUES);
	*shares = flat_shares(flat);
	return flat_head(flat)->nshares;
}

static void
append_block(void *arg, uint64 n, const double *x)
{
	uint64 i;

	for (i = 0; i < n; i++)
		dmp_values_append(arg, x[i]);
}

Datum
dmp_values_merge(Datum into, Datum from, MemoryContext context)
{
	DmpValues *more = dmp_values_of(from);
	DmpValues *values;
	const DmpState *flat;
	uint64 i;

	if (more != NULL)
	{
		/* both in one process: only when functions are called by hand */
		Stream stream = {more, false, 0};

		values = dmp_values_of(into);
		if (values == NULL)
			values = expand(dmp_state_arg(into, DMP_STATE_VALUES), context);
		if (!more->in_order)
			read_all(&stream, append_block, values);
		for (i = 0; more->in_order && i < more->order.n; i++)
			dmp_values_append(values, dmp_ordered_get(&more->order, i));
		return dmp_values_datum(values);
	}
	flat = dmp_state_arg(from, DMP_STATE_VALUES);
	for (i = 0; i < flat_head(flat)->n; i++)
	{
		if (i % BLOCK == 0)
			CHECK_FOR_INTERRUPTS();
		into = dmp_values_add(into, flat_values(flat)[i], context);
	}
	return into;
}

DmpValues *
dmp_values_to_ask(Datum state)
{
	DmpValues *values = dmp_values_of(state);
	const DmpState *flat;

	if (values != NULL)
		return values;
	/* a copy that is asked and forgotten: it has no context of its own, and does not grow */
	flat = dmp_state_arg(state, DMP_STATE_VALUES);
	values = palloc0(sizeof(DmpValues));
	values->n = flat_head(flat)->n;
	values->x = env_alloc(sizeof(double) * Max(values->n, 1));
	memcpy(values->x, flat_values(flat), sizeof(double) * values->n);
	return values;
}
