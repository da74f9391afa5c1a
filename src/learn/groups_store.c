/*-------------------------------------------------------------------------
 * groups_store.c
 *		Records by partition, in memory while they fit and in a file beyond.
 *
 * Each partition fills one chunk at a time. Past the budget, chunks that are
 * full are appended to one temporary file, whichever partition they are of;
 * a partition is then a list of places in it. Chunks are written whole, so
 * that what costs is the copy and not the calls. The list of all chunks is in
 * the order they were begun, which is about the order of the rows.
 *-------------------------------------------------------------------------
 */
#include "learn/groups.h"

#include "pgstat.h"
#include "utils/memutils.h"
#include "utils/wait_event.h"

#define CHUNK_BYTES ((Size) 64 * 1024)
#define SMALLEST_CHUNK ((Size) 8 * 1024)
#define MOST_PARTITIONS 256
#define FEWEST_PARTITIONS 8

void
dmp_group_store_init(DmpGroupStore *store, MemoryContext context, Size record, Size budget)
{
	Size bytes = CHUNK_BYTES;
	int i;

	memset(store, 0, sizeof(*store));
	store->context = context;
	store->owner = CurrentResourceOwner;
	store->record = record;
	store->budget = budget;
	store->file = -1;
	/* a chunk of each partition takes a quarter of the memory at most */
	store->npartitions = MOST_PARTITIONS;
	while (store->npartitions > FEWEST_PARTITIONS && store->npartitions * bytes > budget / 4)
		store->npartitions /= 2;
	while (bytes > SMALLEST_CHUNK && store->npartitions * bytes > budget / 4)
		bytes /= 2;
	store->chunk_rows = (int) Max(bytes / record, 4);
	store->first = MemoryContextAlloc(context, sizeof(int32) * store->npartitions);
	store->last = MemoryContextAlloc(context, sizeof(int32) * store->npartitions);
	for (i = 0; i < store->npartitions; i++)
		store->first[i] = store->last[i] = -1;
	store->room = 64;
	store->chunks = MemoryContextAlloc(context, sizeof(DmpGroupChunk) * store->room);
}

int
dmp_group_store_shift(const DmpGroupStore *store)
{
	int shift = 64;
	int n;

	for (n = store->npartitions; n > 1; n /= 2)
		shift--;
	return shift;
}

/* moves a chunk to the end of the file */
static void
write_chunk(DmpGroupStore *store, DmpGroupChunk *chunk)
{
	Size size = store->record * chunk->rows;

	if (store->file < 0)
	{
		ResourceOwner old = CurrentResourceOwner;

		/* the statement that reads the rows ends before the file is done with */
		CurrentResourceOwner = store->owner;
		store->file = OpenTemporaryFile(false);
		CurrentResourceOwner = old;
	}
	if (FileWrite(store->file, chunk->data, (int) size, store->end, WAIT_EVENT_BUFFILE_WRITE) !=
		(int) size)
		ereport(ERROR,
				(errcode_for_file_access(), errmsg("could not write to a temporary file: %m")));
	chunk->offset = store->end;
	store->end += size;
	pfree(chunk->data);
	chunk->data = NULL;
	store->resident -= store->record * store->chunk_rows;
}

/* all chunks that are full, when the budget is; from then on each as it is filled */
static void
spill(DmpGroupStore *store)
{
	int i;

	for (i = 0; i < store->nchunks; i++)
	{
		DmpGroupChunk *chunk = &store->chunks[i];

		CHECK_FOR_INTERRUPTS();
		if (chunk->data != NULL && chunk->rows == store->chunk_rows)
			write_chunk(store, chunk);
	}
}

static DmpGroupChunk *
new_chunk(DmpGroupStore *store, int partition)
{
	DmpGroupChunk *chunk;
	int32 last = store->last[partition];
	Size size = store->record * store->chunk_rows;

	CHECK_FOR_INTERRUPTS();
	/* the last one may have been written by spill(), for another partition */
	if (store->file >= 0 && last >= 0)
	{
		if (store->chunks[last].data != NULL)
			write_chunk(store, &store->chunks[last]);
	}
	else if (store->resident + size > store->budget)
		spill(store);
	if (store->nchunks == store->room)
	{
		store->room *= 2;
		store->chunks = repalloc_huge(store->chunks, sizeof(DmpGroupChunk) * store->room);
	}
	chunk = &store->chunks[store->nchunks];
	chunk->partition = partition;
	chunk->next = -1;
	chunk->rows = 0;
	chunk->data = MemoryContextAlloc(store->context, size);
	chunk->offset = 0;
	if (last >= 0)
		store->chunks[last].next = store->nchunks;
	else
		store->first[partition] = store->nchunks;
	store->last[partition] = store->nchunks++;
	store->resident += size;
	store->peak = Max(store->peak, store->resident);
	return chunk;
}

DmpGroupRecord *
dmp_group_store_add(DmpGroupStore *store, int partition)
{
	int32 last = store->last[partition];
	DmpGroupChunk *chunk = last >= 0 ? &store->chunks[last] : NULL;

	if (unlikely(chunk == NULL || chunk->rows == store->chunk_rows))
		chunk = new_chunk(store, partition);
	return (DmpGroupRecord *) (chunk->data + store->record * chunk->rows++);
}

void
dmp_group_store_settle(DmpGroupStore *store)
{
	int i;

	if (store->file >= 0)
		for (i = 0; i < store->nchunks; i++)
		{
			CHECK_FOR_INTERRUPTS();
			if (store->chunks[i].data != NULL)
				write_chunk(store, &store->chunks[i]);
		}
	store->buffer = MemoryContextAlloc(store->context, store->record * store->chunk_rows);
}

const char *
dmp_group_store_load(DmpGroupStore *store, int chunk)
{
	const DmpGroupChunk *c = &store->chunks[chunk];
	int size = (int) (store->record * c->rows);

	CHECK_FOR_INTERRUPTS();
	if (c->data != NULL)
		return c->data;
	if (FileRead(store->file, store->buffer, size, c->offset, WAIT_EVENT_BUFFILE_READ) != size)
		ereport(ERROR, (errcode_for_file_access(), errmsg("could not read a temporary file: %m")));
	return store->buffer;
}

void
dmp_group_store_end(DmpGroupStore *store)
{
	if (store->file >= 0)
		FileClose(store->file);
	store->file = -1;
}
