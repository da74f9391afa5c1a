/*-------------------------------------------------------------------------
 * scores.c
 *		The state of the rank metrics: every score, label and weight.
 *
 * The state is an expanded object whose arrays grow by doubling. When they
 * would outgrow dmp.training_memory, with what sorting them takes, their rows
 * are sorted, written to a temporary file as one run for each class, and the
 * arrays begin anew; a reader merges the runs and what is in memory. A run is
 * records of descending score: the sort key (math/metrics.h), and the weight
 * if one of the run differs from 1.
 *
 * Flat, as another process or server gets it, the state is
 *
 *		uint64 rows, uint64 weighted, float8 score[], float8 weight[] (if
 *		weighted), uint8 label[]
 *
 * up to 1 GB, past 100 million rows.
 *-------------------------------------------------------------------------
 */
#include "dmp.h"

#include <math.h>

#include "base/state.h"
#include "learn/learn.h"
#include "score/scores.h"
#include "storage/buffile.h"
#include "utils/expandeddatum.h"
#include "utils/memutils.h"

#define SCORES_MAGIC 0x5C0BE5
#define SCORES_VERSION 1
#define BLOCK_RECORDS 4096

typedef struct Run
{
	int label;
	bool weighted;
	int file;
	off_t offset;
	uint64 rows;
	double weight;
} Run;

struct DmpScoresObject
{
	ExpandedObjectHeader header; /* comes first */
	int magic;
	DmpScores scores;
	Size capacity;
	BufFile *file; /* NULL: nothing was written */
	int end_file;
	off_t end_offset;
	Run *runs;
	int nruns;
	int room;
};

/* where one sorted sequence of one class stands */
typedef struct Source
{
	int label;
	uint64_t *keys;  /* descending */
	double *weights; /* NULL: 1 */
	uint64 at;
	uint64 n;       /* in memory */
	const Run *run; /* NULL: all is in memory */
	uint64 read;    /* records of the run */
	int file;       /* where the next block is */
	off_t offset;
} Source;

struct DmpScoreReader
{
	BufFile *file;
	Source *sources;
	int nsources;
};

/* ------------------------------------------------------------- sequences */

/* The rows of one class in memory as a source: a copy, sorted, highest first. */
static void
sort_class(const DmpScores *scores, int label, Source *source)
{
	uint64 n = 0;
	uint64 i;

	memset(source, 0, sizeof(*source));
	source->label = label;
	for (i = 0; i < scores->n; i++)
		n += scores->label[i] == label;
	source->keys = dmp_server_env.alloc(sizeof(uint64_t) * Max(n, 1));
	if (scores->weight != NULL)
		source->weights = dmp_server_env.alloc(sizeof(double) * Max(n, 1));
	for (i = 0; i < scores->n; i++)
	{
		if ((i & 0xFFFF) == 0)
			CHECK_FOR_INTERRUPTS();
		if (scores->label[i] != label)
			continue;
		source->keys[source->n] = dmp_sort_key(scores->score[i]);
		if (scores->weight != NULL)
			source->weights[source->n] = scores->weight[i];
		source->n++;
	}
	dmp_radix_sort(n, source->keys, source->weights, &dmp_server_env);
	for (i = 0; i < n / 2; i++)
	{
		uint64_t key = source->keys[i];

		source->keys[i] = source->keys[n - 1 - i];
		source->keys[n - 1 - i] = key;
		if (source->weights != NULL)
		{
			double weight = source->weights[i];

			source->weights[i] = source->weights[n - 1 - i];
			source->weights[n - 1 - i] = weight;
		}
	}
}

static void
close_file(void *arg)
{
	BufFileClose(((DmpScoresObject *) arg)->file);
}

/*
 * The file belongs to the memory of the state, which ends at every end of a
 * query, errors included, and in windows and groups before: not to a resource
 * owner, which would find it open at the end and say so.
 */
static void
open_file(DmpScoresObject *object)
{
	MemoryContextCallback *callback = palloc(sizeof(MemoryContextCallback));

	object->file = BufFileCreateTemp(true);
	callback->func = close_file;
	callback->arg = object;
	MemoryContextRegisterResetCallback(object->header.eoh_context, callback);
}

static void
write_bytes(BufFile *file, void *bytes, Size size)
{
	BufFileWrite(file, bytes, size);
}

/* Writes what is in memory to the file, a run for each class, and empties it. */
static void
spill(DmpScoresObject *object)
{
	MemoryContext scratch =
		AllocSetContextCreate(CurrentMemoryContext, "dmp scores run", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(object->header.eoh_context);
	int label;

	if (object->file == NULL)
		open_file(object);
	else if (BufFileSeek(object->file, object->end_file, object->end_offset, SEEK_SET) != 0)
		elog(ERROR, "could not seek in the temporary file of scores");
	if (object->nruns + 2 > object->room)
	{
		object->room = Max(16, object->room * 2);
		object->runs = object->runs == NULL ? palloc(sizeof(Run) * object->room)
											: repalloc(object->runs, sizeof(Run) * object->room);
	}
	MemoryContextSwitchTo(scratch);
	for (label = 0; label < 2; label++)
	{
		Run *run = &object->runs[object->nruns];
		Source source;
		uint64 i;

		sort_class(&object->scores, label, &source);
		if (source.n == 0)
			continue;
		run->label = label;
		run->weighted = source.weights != NULL;
		run->rows = source.n;
		run->weight = 0;
		BufFileTell(object->file, &run->file, &run->offset);
		for (i = 0; i < source.n; i += BLOCK_RECORDS)
		{
			uint64 n = Min(BLOCK_RECORDS, source.n - i);
			uint64 k;

			CHECK_FOR_INTERRUPTS();
			write_bytes(object->file, source.keys + i, sizeof(uint64_t) * n);
			if (run->weighted)
				write_bytes(object->file, source.weights + i, sizeof(double) * n);
			for (k = i; k < i + n; k++)
				run->weight += source.weights != NULL ? source.weights[k] : 1;
		}
		object->nruns++;
	}
	BufFileTell(object->file, &object->end_file, &object->end_offset);
	object->scores.n = 0;
	MemoryContextSwitchTo(old);
	MemoryContextDelete(scratch);
}

/* The next block of a run; false at its end. The buffers hold BLOCK_RECORDS. */
static bool
fill_source(BufFile *file, Source *source)
{
	const Run *run = source->run;
	uint64 n;

	if (run == NULL || source->read >= run->rows)
		return false;
	CHECK_FOR_INTERRUPTS();
	n = Min(BLOCK_RECORDS, run->rows - source->read);
	if (BufFileSeek(file, source->file, source->offset, SEEK_SET) != 0 ||
		BufFileRead(file, source->keys, sizeof(uint64_t) * n) != sizeof(uint64_t) * n ||
		(run->weighted &&
		 BufFileRead(file, source->weights, sizeof(double) * n) != sizeof(double) * n))
		ereport(ERROR, (errcode_for_file_access(),
						errmsg("could not read from the temporary file of scores")));
	BufFileTell(file, &source->file, &source->offset);
	source->at = 0;
	source->n = n;
	source->read += n;
	return true;
}

static void
open_run(const Run *run, Source *source)
{
	memset(source, 0, sizeof(*source));
	source->label = run->label;
	source->run = run;
	source->file = run->file;
	source->offset = run->offset;
	source->keys = palloc(sizeof(uint64_t) * BLOCK_RECORDS);
	if (run->weighted)
		source->weights = palloc(sizeof(double) * BLOCK_RECORDS);
}

/* -------------------------------------------------------------- reading */

/* A view into a flat state's bytes. */
static void
flat_view(const DmpState *state, DmpScores *scores)
{
	char *at = DMP_STATE_DATA(state);
	uint64 head[2];

	memcpy(head, at, sizeof(head));
	at += sizeof(head);
	scores->n = head[0];
	scores->score = (double *) (void *) at;
	at += sizeof(float8) * scores->n;
	scores->weight = NULL;
	if (head[1])
	{
		scores->weight = (double *) (void *) at;
		at += sizeof(float8) * scores->n;
	}
	scores->label = (unsigned char *) at;
}

/* The object of an expanded datum, or NULL: *scores is the view of a flat one. */
static DmpScoresObject *
object_of(Datum state, DmpScores *scores)
{
	DmpScoresObject *object;

	if (!VARATT_IS_EXTERNAL_EXPANDED(DatumGetPointer(state)))
	{
		flat_view(dmp_state_arg(state, DMP_STATE_SCORES), scores);
		return NULL;
	}
	object = (DmpScoresObject *) DatumGetEOHP(state);
	if (object->magic != SCORES_MAGIC)
		ereport(ERROR, (errcode(ERRCODE_DATATYPE_MISMATCH),
						errmsg("this aggregate state is not one of scores")));
	*scores = object->scores;
	return object;
}

bool
dmp_scores_in_memory(Datum state, DmpScores *scores)
{
	DmpScoresObject *object = object_of(state, scores);

	return object == NULL || object->file == NULL;
}

DmpScoreReader *
dmp_scores_read(Datum state, DmpScoreTotals *totals)
{
	DmpScoreReader *reader = palloc0(sizeof(DmpScoreReader));
	DmpScores scores;
	DmpScoresObject *object = object_of(state, &scores);
	int nruns = object != NULL ? object->nruns : 0;
	uint64 i;
	int r;

	memset(totals, 0, sizeof(*totals));
	reader->sources = palloc(sizeof(Source) * (nruns + 2));
	reader->file = object != NULL ? object->file : NULL;
	for (r = 0; r < 2; r++)
	{
		Source *source = &reader->sources[reader->nsources++];

		sort_class(&scores, r, source);
		totals->rows[r] = source->n;
		for (i = 0; i < source->n; i++)
			totals->weight[r] += source->weights != NULL ? source->weights[i] : 1;
		totals->weighted |= source->weights != NULL;
	}
	for (r = 0; r < nruns; r++)
	{
		const Run *run = &object->runs[r];
		Source *source = &reader->sources[reader->nsources++];

		open_run(run, source);
		(void) fill_source(reader->file, source);
		totals->rows[run->label] += run->rows;
		totals->weight[run->label] += run->weight;
		totals->weighted |= run->weighted;
	}
	return reader;
}

bool
dmp_scores_next(DmpScoreReader *reader, DmpScoreGroup *group)
{
	uint64_t key = 0;
	bool any = false;
	int i;

	CHECK_FOR_INTERRUPTS();
	for (i = 0; i < reader->nsources; i++)
	{
		const Source *source = &reader->sources[i];

		if (source->at < source->n && (!any || source->keys[source->at] > key))
		{
			key = source->keys[source->at];
			any = true;
		}
	}
	if (!any)
		return false;
	group->score = dmp_sort_key_value(key);
	group->rows = 0;
	group->weight[0] = group->weight[1] = 0;
	group->square[0] = group->square[1] = 0;
	for (i = 0; i < reader->nsources; i++)
	{
		Source *source = &reader->sources[i];

		while (source->at < source->n && source->keys[source->at] == key)
		{
			double weight = source->weights != NULL ? source->weights[source->at] : 1;

			group->rows++;
			group->weight[source->label] += weight;
			group->square[source->label] += weight * weight;
			if (++source->at == source->n && !fill_source(reader->file, source))
				break;
		}
	}
	return true;
}

/* ----------------------------------------------------------------- flat */

static uint64
all_rows(const DmpScoresObject *object, bool *weighted)
{
	uint64 rows = object->scores.n;
	int r;

	*weighted = object->scores.weight != NULL;
	for (r = 0; r < object->nruns; r++)
	{
		rows += object->runs[r].rows;
		*weighted |= object->runs[r].weighted;
	}
	return rows;
}

static Size
flat_size(ExpandedObjectHeader *header)
{
	bool weighted;
	uint64 rows = all_rows((DmpScoresObject *) header, &weighted);
	Size size = add_size(sizeof(DmpState) + 2 * sizeof(uint64),
						 mul_size(rows, sizeof(float8) * (weighted ? 2 : 1) + 1));

	if (size > MaxAllocSize)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("the state of a rank metric is larger than 1 GB"),
				 errhint("SET max_parallel_workers_per_gather = 0 keeps it in one process.")));
	return size;
}

static void
flatten(ExpandedObjectHeader *header, void *result, Size allocated)
{
	DmpScoresObject *object = (DmpScoresObject *) header;
	DmpState *state = result;
	DmpScores flat;
	uint64 head[2];
	uint64 n;
	uint64 i;
	bool weighted;
	int r;

	head[0] = all_rows(object, &weighted);
	head[1] = weighted;
	memset(state, 0, sizeof(DmpState));
	SET_VARSIZE(state, allocated);
	state->kind = DMP_STATE_SCORES;
	state->version = SCORES_VERSION;
	state->order = DMP_STATE_ORDER;
	memcpy(DMP_STATE_DATA(state), head, sizeof(head));
	flat_view(state, &flat);
	n = object->scores.n;
	memcpy(flat.score, object->scores.score, sizeof(double) * n);
	memcpy(flat.label, object->scores.label, n);
	for (i = 0; weighted && i < n; i++)
		flat.weight[i] = object->scores.weight != NULL ? object->scores.weight[i] : 1;
	for (r = 0; r < object->nruns; r++)
	{
		Source source;

		open_run(&object->runs[r], &source);
		while (fill_source(object->file, &source))
		{
			for (i = 0; i < source.n; i++, n++)
			{
				flat.score[n] = dmp_sort_key_value(source.keys[i]);
				flat.label[n] = (unsigned char) source.label;
				if (weighted)
					flat.weight[n] = source.weights != NULL ? source.weights[i] : 1;
			}
		}
	}
}

static const ExpandedObjectMethods methods = {flat_size, flatten};

static void
check_flat(const DmpState *state, const char *data, Size size)
{
	DmpScores scores;
	uint64 head[2];
	uint64 i;

	if (size < sizeof(head))
		dmp_state_corrupt(state, "too short");
	memcpy(head, data, sizeof(head));
	if (head[1] > 1 || head[0] > MaxAllocSize ||
		size != sizeof(head) + head[0] * (sizeof(float8) * (1 + head[1]) + 1))
		dmp_state_corrupt(state, "its size is not what its rows need");
	flat_view(state, &scores);
	for (i = 0; i < scores.n; i++)
	{
		if ((i & 0xFFFF) == 0)
			CHECK_FOR_INTERRUPTS();
		if (isnan(scores.score[i]) || scores.label[i] > 1 ||
			(scores.weight && !(scores.weight[i] > 0 && isfinite(scores.weight[i]))))
			dmp_state_corrupt(state, "a row is out of range");
	}
}

void
dmp_scores_init(void)
{
	dmp_state_register(DMP_STATE_SCORES, SCORES_VERSION, check_flat);
}

/* -------------------------------------------------------------- growing */

DmpScoresObject *
dmp_scores_make(MemoryContext parent)
{
	MemoryContext context = AllocSetContextCreate(parent, "dmp scores", ALLOCSET_SMALL_SIZES);
	DmpScoresObject *object = MemoryContextAllocZero(context, sizeof(DmpScoresObject));

	EOH_init_header(&object->header, &methods, context);
	object->magic = SCORES_MAGIC;
	object->capacity = 32;
	object->scores.score = MemoryContextAlloc(context, sizeof(double) * object->capacity);
	object->scores.label = MemoryContextAlloc(context, object->capacity);
	return object;
}

Datum
dmp_scores_datum(DmpScoresObject *object)
{
	return EOHPGetRWDatum(&object->header);
}

/* rows in memory that, with the keys and the scratch of a sort, fill the budget */
static uint64
most_rows(const DmpScoresObject *object)
{
	Size each = (object->scores.weight != NULL ? 5 : 3) * sizeof(uint64) + 1;

	return (uint64) dmp_training_memory * 1024 / each;
}

/* Room for one row more. */
static void
reserve(DmpScoresObject *object)
{
	uint64 most;
	Size capacity;

	if (likely(object->scores.n < object->capacity))
		return;
	most = most_rows(object);
	if (object->scores.n >= most)
	{
		spill(object);
		return;
	}
	capacity = Min(object->capacity * 2, most);
	object->scores.score = repalloc_huge(object->scores.score, mul_size(sizeof(double), capacity));
	if (object->scores.weight != NULL)
		object->scores.weight =
			repalloc_huge(object->scores.weight, mul_size(sizeof(double), capacity));
	object->scores.label = repalloc_huge(object->scores.label, capacity);
	object->capacity = capacity;
}

void
dmp_scores_append_row(DmpScoresObject *object, double score, int label, double weight)
{
	DmpScores *scores = &object->scores;

	if (unlikely(weight != 1 && scores->weight == NULL))
	{
		uint64 i;

		/* from now on every row has one */
		scores->weight = MemoryContextAllocHuge(object->header.eoh_context,
												mul_size(sizeof(double), object->capacity));
		for (i = 0; i < scores->n; i++)
			scores->weight[i] = 1;
	}
	reserve(object);
	scores->score[scores->n] = score;
	scores->label[scores->n] = (unsigned char) label;
	if (scores->weight != NULL)
		scores->weight[scores->n] = weight;
	scores->n++;
}

bool
dmp_scores_append_quick(Datum state, double score, int label, double weight)
{
	DmpScoresObject *object;
	DmpScores *scores;

	if (!VARATT_IS_EXTERNAL_EXPANDED_RW(DatumGetPointer(state)))
		return false;
	object = (DmpScoresObject *) DatumGetEOHP(state);
	scores = &object->scores;
	if (object->magic != SCORES_MAGIC || scores->n >= object->capacity || weight != 1 ||
		scores->weight != NULL)
		return false;
	scores->score[scores->n] = score;
	scores->label[scores->n] = (unsigned char) label;
	scores->n++;
	return true;
}

static void
append_view(DmpScoresObject *object, const DmpScores *more)
{
	uint64 i;

	for (i = 0; i < more->n; i++)
	{
		if ((i & 0xFFFF) == 0)
			CHECK_FOR_INTERRUPTS();
		dmp_scores_append_row(object, more->score[i], more->label[i],
							  more->weight != NULL ? more->weight[i] : 1);
	}
}

void
dmp_scores_append_state(DmpScoresObject *object, Datum state)
{
	DmpScores more;
	DmpScoresObject *other = object_of(state, &more);
	int r;

	append_view(object, &more);
	for (r = 0; other != NULL && r < other->nruns; r++)
	{
		Source source;
		uint64 i;

		open_run(&other->runs[r], &source);
		while (fill_source(other->file, &source))
		{
			for (i = 0; i < source.n; i++)
				dmp_scores_append_row(object, dmp_sort_key_value(source.keys[i]), source.label,
									  source.weights != NULL ? source.weights[i] : 1);
		}
	}
}

DmpScoresObject *
dmp_scores_writable(Datum state, MemoryContext parent)
{
	DmpScores scores;
	DmpScoresObject *object;

	if (VARATT_IS_EXTERNAL_EXPANDED_RW(DatumGetPointer(state)))
		return object_of(state, &scores);
	object = dmp_scores_make(parent);
	dmp_scores_append_state(object, state);
	return object;
}
