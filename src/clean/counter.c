/*-------------------------------------------------------------------------
 * counter.c
 *		What functions of a query count and note, in any process of its plan.
 *
 * dmp.clean reports what each step changed and rejected. A second pass over
 * the data for that would cost as much as the first, so the functions of the
 * SELECT count as they go. Under a parallel plan they run in other processes:
 * the counters live in a dynamic shared memory segment whose handle is a
 * constant in the SQL text. Each process has an area of its own in it (an
 * increment is one plain addition, and no cache line is shared); when there
 * are more processes than areas the last area is shared and advanced
 * atomically. The leader adds the areas up after the query.
 *
 * Rejected rows are noted beside the counts, by ctid and with the reason, in
 * chunks of a shared area that each process chains for itself. The area is
 * bounded: past NOTES_MAX the notes are given up (and the leader traces the
 * rejects by another query instead), as they are in a process that has no area
 * of its own.
 *
 * Anybody may call these functions with any number, so a segment is used only
 * when it starts with our mark and the random half of the number.
 *-------------------------------------------------------------------------
 */
#include "dmp.h"

#include "mb/pg_wchar.h"
#include "port/atomics.h"
#include "storage/dsm.h"
#include "storage/itemptr.h"
#include "storage/lwlock.h"
#include "utils/dsa.h"
#include "utils/memutils.h"

#include "clean/clean.h"

#define COUNTERS_MARK 0x646d7063 /* "dmpc" */
#define AREA_ALIGN 64

#define NOTES_MAX ((Size) 64 * 1024 * 1024)
#define CHUNK_SIZE 8192
#define REASON_MAX 1024

typedef struct CountersHeader
{
	uint32 mark;
	uint32 key; /* random: the upper half of the number */
	int32 n_slots;
	int32 n_areas;
	Size area_size;
	pg_atomic_uint32 claimed;
	dsa_handle notes;
	pg_atomic_uint32 notes_lost;
} CountersHeader;

/* What an area begins with; the counters follow */
typedef struct AreaHeader
{
	dsa_pointer chunks; /* newest first */
} AreaHeader;

typedef struct NoteChunk
{
	dsa_pointer next;
	uint32 used; /* bytes of data */
	char data[FLEXIBLE_ARRAY_MEMBER];
} NoteChunk;

/* One note in a chunk; they start at multiples of MAXALIGN */
typedef struct Note
{
	int32 slot;
	ItemPointerData tid;
	uint16 length;
	char reason[FLEXIBLE_ARRAY_MEMBER];
} Note;

struct DmpCounters
{
	dsm_segment *segment;
	CountersHeader *header;
	dsa_area *notes;
	DmpCounters *next; /* of this process: a trigger may clean while its table is cleaned into */
};

/* What this process knows of the run it last counted for */
static struct
{
	int64 run; /* 0: none */
	CountersHeader *header;
	AreaHeader *area;
	pg_atomic_uint64 *counters; /* of that area */
	dsa_area *notes;            /* attached when the first note is written */
	bool shared;
} here;

static inline AreaHeader *
area_of(CountersHeader *header, int area)
{
	return (AreaHeader *) ((char *) header + TYPEALIGN(AREA_ALIGN, sizeof(CountersHeader)) +
						   area * header->area_size);
}

static inline pg_atomic_uint64 *
counters_of(AreaHeader *area)
{
	return (pg_atomic_uint64 *) (area + 1);
}

/* Counters this process made, of statements that run */
static DmpCounters *made_here;

static void
forget_counters(dsm_segment *segment, Datum arg)
{
	DmpCounters *counters = (DmpCounters *) DatumGetPointer(arg);
	DmpCounters **link = &made_here;

	while (*link != NULL && *link != counters)
		link = &(*link)->next;
	if (*link != NULL)
		*link = counters->next;
	if (counters->notes != NULL)
		dsa_detach(counters->notes);
	pfree(counters);
	here.run = 0;
}

static void
forget_run(dsm_segment *segment, Datum run)
{
	if (here.run == DatumGetInt64(run))
		here.run = 0;
}

/*
 * Counters numbered from 0, all zero, for one statement of this process. They
 * go with the current resource owner, or by dmp_counters_release.
 */
DmpCounters *
dmp_counters_create(int n)
{
	DmpCounters *counters = MemoryContextAllocZero(TopMemoryContext, sizeof(DmpCounters));
	int n_areas = max_parallel_workers + 2;
	Size area_size =
		TYPEALIGN(AREA_ALIGN, sizeof(AreaHeader) + sizeof(pg_atomic_uint64) * (Size) n);
	CountersHeader *header;
	MemoryContext old;
	uint32 key;
	int i;
	int j;

	counters->segment =
		dsm_create(TYPEALIGN(AREA_ALIGN, sizeof(CountersHeader)) + area_size * n_areas, 0);
	counters->next = made_here;
	made_here = counters;
	on_dsm_detach(counters->segment, forget_counters, PointerGetDatum(counters));
	header = counters->header = dsm_segment_address(counters->segment);
	if (!pg_strong_random(&key, sizeof(key)))
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR), errmsg("could not generate a random number")));
	header->mark = COUNTERS_MARK;
	header->key = key & 0x7fffffff;
	header->n_slots = n;
	header->n_areas = n_areas;
	header->area_size = area_size;
	pg_atomic_init_u32(&header->claimed, 0);
	pg_atomic_init_u32(&header->notes_lost, 0);
	for (i = 0; i < n_areas; i++)
	{
		area_of(header, i)->chunks = InvalidDsaPointer;
		for (j = 0; j < n; j++)
			pg_atomic_init_u64(counters_of(area_of(header, i)) + j, 0);
	}
	/* it grows while subtransactions come and go: it belongs to the segment, not to them */
	old = MemoryContextSwitchTo(TopMemoryContext);
	counters->notes = dsa_create(LWTRANCHE_PARALLEL_QUERY_DSA);
	MemoryContextSwitchTo(old);
	dsa_pin_mapping(counters->notes);
	dsa_set_size_limit(counters->notes, NOTES_MAX);
	header->notes = dsa_get_handle(counters->notes);
	return counters;
}

/*
 * The number that stands in the SQL text.
 */
int64
dmp_counters_id(DmpCounters *counters)
{
	return ((int64) counters->header->key << 32) | (int64) dsm_segment_handle(counters->segment);
}

int64
dmp_counters_value(DmpCounters *counters, int slot)
{
	CountersHeader *header = counters->header;
	int64 sum = 0;
	int i;

	for (i = 0; i < header->n_areas; i++)
		sum += pg_atomic_read_u64(counters_of(area_of(header, i)) + slot);
	return sum;
}

/*
 * All counts zero and no notes, for another statement of this process alone.
 */
void
dmp_counters_reset(DmpCounters *counters)
{
	CountersHeader *header = counters->header;
	int i;
	int j;

	for (i = 0; i < header->n_areas; i++)
	{
		AreaHeader *area = area_of(header, i);

		for (j = 0; j < header->n_slots; j++)
			pg_atomic_write_u64(counters_of(area) + j, 0);
		while (DsaPointerIsValid(area->chunks))
		{
			NoteChunk *chunk = dsa_get_address(counters->notes, area->chunks);
			dsa_pointer next = chunk->next;

			dsa_free(counters->notes, area->chunks);
			area->chunks = next;
		}
	}
	pg_atomic_write_u32(&header->notes_lost, 0);
}

void
dmp_counters_release(DmpCounters *counters)
{
	dsm_detach(counters->segment); /* frees counters, too */
}

/*
 * Find the run's segment and take an area in it.
 */
static void
join_run(int64 run)
{
	dsm_handle handle = (dsm_handle) (run & 0xffffffff);
	dsm_segment *segment = dsm_find_mapping(handle);
	CountersHeader *header;
	bool attached = false;
	uint32 claimed;

	if (segment == NULL)
	{
		/* a worker, which keeps it until it exits */
		segment = dsm_attach(handle);
		attached = segment != NULL;
	}
	header = segment ? dsm_segment_address(segment) : NULL;
	if (header == NULL || dsm_segment_map_length(segment) < sizeof(CountersHeader) ||
		header->mark != COUNTERS_MARK || header->key != (uint32) (run >> 32))
	{
		if (attached)
			dsm_detach(segment);
		ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						errmsg("there is no cleaning run with that number"),
						errhint("The counting functions are for dmp.clean only.")));
	}
	if (attached)
		dsm_pin_mapping(segment);
	claimed = pg_atomic_fetch_add_u32(&header->claimed, 1);
	here.shared = claimed >= header->n_areas - 1;
	here.area = area_of(header, here.shared ? header->n_areas - 1 : claimed);
	here.counters = counters_of(here.area);
	here.header = header;
	here.notes = NULL;
	here.run = run;
	on_dsm_detach(segment, forget_run, Int64GetDatum(run));
}

/*
 * Advance a slot of the run by one. Cheap: the run is that of the last call
 * in all but the first.
 */
void
dmp_count(int64 run, int slot)
{
	if (unlikely(here.run != run || run == 0))
		join_run(run);
	if (unlikely(slot < 0 || slot >= here.header->n_slots))
		elog(ERROR, "no counter %d", slot);
	if (unlikely(here.shared))
		pg_atomic_fetch_add_u64(here.counters + slot, 1);
	else
		pg_atomic_write_u64(here.counters + slot, pg_atomic_read_u64(here.counters + slot) + 1);
}

/*
 * The leader's view of the notes, or that of a worker, which keeps it until it
 * exits.
 */
static dsa_area *
notes_area(void)
{
	DmpCounters *counters;

	if (here.notes != NULL)
		return here.notes;
	for (counters = made_here; counters != NULL; counters = counters->next)
		if (counters->header == here.header)
			here.notes = counters->notes;
	if (here.notes == NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(TopMemoryContext);

		here.notes = dsa_attach(here.header->notes);
		dsa_pin_mapping(here.notes);
		MemoryContextSwitchTo(old);
	}
	return here.notes;
}

/*
 * Note that the row at tid was rejected, for the run that dmp_count was just
 * called for.
 */
static void
note_row(int slot, ItemPointer tid, const char *reason, int length)
{
	Size size;
	NoteChunk *chunk = NULL;
	Note *note;
	dsa_area *area;

	if (here.shared || pg_atomic_read_u32(&here.header->notes_lost) != 0)
	{
		pg_atomic_write_u32(&here.header->notes_lost, 1);
		return;
	}
	area = notes_area();
	if (length > REASON_MAX)
		length = pg_mbcliplen(reason, length, REASON_MAX);
	size = MAXALIGN(offsetof(Note, reason) + length);
	if (DsaPointerIsValid(here.area->chunks))
		chunk = dsa_get_address(area, here.area->chunks);
	if (chunk == NULL || offsetof(NoteChunk, data) + chunk->used + size > CHUNK_SIZE)
	{
		dsa_pointer added = dsa_allocate_extended(area, CHUNK_SIZE, DSA_ALLOC_NO_OOM);

		if (!DsaPointerIsValid(added))
		{
			pg_atomic_write_u32(&here.header->notes_lost, 1);
			return;
		}
		chunk = dsa_get_address(area, added);
		chunk->next = here.area->chunks;
		chunk->used = 0;
		here.area->chunks = added;
	}
	note = (Note *) (chunk->data + chunk->used);
	note->slot = slot;
	note->tid = *tid;
	note->length = (uint16) length;
	memcpy(note->reason, reason, length);
	chunk->used += size;
}

/* failed cells that a process notes, a slot */
#define SAMPLES 5

void
dmp_count_sample(int64 run, int slot, const char *value, int length)
{
	ItemPointerData nowhere;

	dmp_count(run, slot);
	if (here.shared || pg_atomic_read_u64(here.counters + slot) > SAMPLES)
		return;
	ItemPointerSetInvalid(&nowhere);
	note_row(slot, &nowhere, value, length);
}

static int
compare_notes(const void *a, const void *b)
{
	const DmpNote *x = a;
	const DmpNote *y = b;

	if (x->slot != y->slot)
		return x->slot < y->slot ? -1 : 1;
	if (!ItemPointerIsValid(&x->tid) && !ItemPointerIsValid(&y->tid))
		return 0;
	return ItemPointerCompare((ItemPointer) &x->tid, (ItemPointer) &y->tid);
}

/*
 * All notes, by slot and place in the table; NULL when some were given up. The
 * reasons point into the shared area and are not terminated.
 */
DmpNote *
dmp_counters_notes(DmpCounters *counters, int64 *n)
{
	CountersHeader *header = counters->header;
	int64 size = 1024;
	DmpNote *notes;
	int i;

	if (pg_atomic_read_u32(&header->notes_lost) != 0)
		return NULL;
	notes = palloc(sizeof(DmpNote) * size);
	*n = 0;
	for (i = 0; i < header->n_areas; i++)
	{
		dsa_pointer p = area_of(header, i)->chunks;

		while (DsaPointerIsValid(p))
		{
			NoteChunk *chunk = dsa_get_address(counters->notes, p);
			uint32 used = 0;

			CHECK_FOR_INTERRUPTS();
			while (used < chunk->used)
			{
				Note *note = (Note *) (chunk->data + used);

				if (*n == size)
				{
					size *= 2;
					notes = repalloc_huge(notes, sizeof(DmpNote) * size);
				}
				notes[*n].slot = note->slot;
				notes[*n].tid = note->tid;
				notes[*n].length = note->length;
				notes[*n].reason = note->reason;
				(*n)++;
				used += MAXALIGN(offsetof(Note, reason) + note->length);
			}
			p = chunk->next;
		}
	}
	qsort(notes, *n, sizeof(DmpNote), compare_notes);
	return notes;
}

PG_FUNCTION_INFO_V1(dmp_tick);
PG_FUNCTION_INFO_V1(dmp_tally);
PG_FUNCTION_INFO_V1(dmp_reject);
PG_FUNCTION_INFO_V1(dmp_fail);

/*
 * dmp_internal.tick(run bigint, slot integer) -> boolean: count one, false
 */
Datum
dmp_tick(PG_FUNCTION_ARGS)
{
	dmp_count(PG_GETARG_INT64(0), PG_GETARG_INT32(1));
	PG_RETURN_BOOL(false);
}

/*
 * dmp_internal.tally(value anyelement, run bigint, slot integer) -> anyelement
 *
 * The value as it is; counts one when it is not NULL.
 */
Datum
dmp_tally(PG_FUNCTION_ARGS)
{
	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	if (!PG_ARGISNULL(1) && !PG_ARGISNULL(2))
		dmp_count(PG_GETARG_INT64(1), PG_GETARG_INT32(2));
	PG_RETURN_DATUM(PG_GETARG_DATUM(0));
}

/*
 * dmp_internal.reject(run bigint, slot integer, row tid, reason text) -> boolean
 *
 * Count one, note which row it was and why; false.
 */
Datum
dmp_reject(PG_FUNCTION_ARGS)
{
	int slot = PG_GETARG_INT32(1);
	text *reason = PG_GETARG_TEXT_PP(3);

	dmp_count(PG_GETARG_INT64(0), slot);
	note_row(slot, (ItemPointer) PG_GETARG_POINTER(2), VARDATA_ANY(reason),
			 VARSIZE_ANY_EXHDR(reason));
	PG_RETURN_BOOL(false);
}

/*
 * dmp_internal.fail(value text, run bigint, changed integer, failed integer) -> boolean
 *
 * Count a failed cell that becomes missing, and note the value; false.
 */
Datum
dmp_fail(PG_FUNCTION_ARGS)
{
	text *value = PG_GETARG_TEXT_PP(0);

	dmp_count(PG_GETARG_INT64(1), PG_GETARG_INT32(2));
	dmp_count_sample(PG_GETARG_INT64(1), PG_GETARG_INT32(3), VARDATA_ANY(value),
					 VARSIZE_ANY_EXHDR(value));
	PG_RETURN_BOOL(false);
}
