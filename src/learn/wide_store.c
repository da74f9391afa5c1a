/*-------------------------------------------------------------------------
 * wide_store.c
 *		Sparse rows in chunks, in memory while they fit and in a file beyond.
 *
 * Past its budget a store moves all chunks that are full into a temporary
 * file, and is read through one buffer from then on; only the chunk that is
 * being filled stays. A chunk never grows once it is full, so it can be
 * rewritten where it is.
 *-------------------------------------------------------------------------
 */
#include "learn/wide.h"

#include "utils/memutils.h"

#define SMALLEST_CHUNK ((Size) 64 * 1024)
#define LARGEST_CHUNK ((Size) 4 * 1024 * 1024)

void
dmp_wide_store_init(DmpWideStore *store, MemoryContext context, Size budget)
{
	memset(store, 0, sizeof(*store));
	store->context = context;
	store->budget = budget;
	store->room = 16;
	store->chunks = MemoryContextAlloc(context, sizeof(DmpWideChunk) * store->room);
}

static void
write_chunk(DmpWideStore *store, DmpWideChunk *chunk)
{
	if (BufFileSeek(store->file, chunk->fileno, chunk->offset, SEEK_SET) != 0)
		ereport(ERROR, (errcode_for_file_access(), errmsg("could not seek in a temporary file")));
	BufFileWrite(store->file, chunk->data ? chunk->data : store->buffer, chunk->used);
}

/* Moves the first n chunks into the file. */
static void
move_chunks(DmpWideStore *store, int n)
{
	int i;

	if (store->file == NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(store->context);

		store->file = BufFileCreateTemp(false);
		MemoryContextSwitchTo(old);
	}
	for (i = 0; i < n; i++)
	{
		DmpWideChunk *chunk = &store->chunks[i];

		CHECK_FOR_INTERRUPTS();
		if (chunk->data == NULL)
			continue;
		/* after the last chunk that was written, which is before this one */
		if (i == 0)
		{
			chunk->fileno = 0;
			chunk->offset = 0;
		}
		else
		{
			DmpWideChunk *last = &store->chunks[i - 1];

			if (BufFileSeek(store->file, last->fileno, last->offset, SEEK_SET) != 0 ||
				BufFileSeek(store->file, 0, last->used, SEEK_CUR) != 0)
				ereport(ERROR,
						(errcode_for_file_access(), errmsg("could not seek in a temporary file")));
			BufFileTell(store->file, &chunk->fileno, &chunk->offset);
		}
		write_chunk(store, chunk);
		pfree(chunk->data);
		chunk->data = NULL;
		store->resident -= chunk->size;
		if (chunk->used > store->buffer_size)
		{
			if (store->buffer != NULL)
				pfree(store->buffer);
			store->buffer_size = chunk->used;
			store->buffer = MemoryContextAllocHuge(store->context, store->buffer_size);
		}
	}
}

void
dmp_wide_store_spill(DmpWideStore *store)
{
	move_chunks(store, store->nchunks);
}

void
dmp_wide_store_add(DmpWideStore *store, const DmpSparseRow *row, Size length)
{
	DmpWideChunk *chunk = store->nchunks > 0 ? &store->chunks[store->nchunks - 1] : NULL;

	if (chunk == NULL || chunk->data == NULL || chunk->used + length > chunk->size)
	{
		Size size = Max(length, Min(LARGEST_CHUNK, Max(SMALLEST_CHUNK, store->resident)));

		if (store->resident + size > store->budget)
			move_chunks(store, store->nchunks);
		if (store->nchunks == store->room)
		{
			store->chunks = repalloc(store->chunks, sizeof(DmpWideChunk) * 2 * store->room);
			store->room *= 2;
		}
		chunk = &store->chunks[store->nchunks];
		chunk->data = MemoryContextAllocHuge(store->context, size);
		chunk->size = size;
		chunk->used = 0;
		store->nchunks++;
		store->resident += size;
	}
	memcpy(chunk->data + chunk->used, row, length);
	chunk->used += length;
	store->nrows++;
}

char *
dmp_wide_store_load(void *arg, int which, Size *length)
{
	DmpWideStore *store = arg;
	DmpWideChunk *chunk = &store->chunks[which];

	*length = chunk->used;
	if (chunk->data != NULL)
		return chunk->data;
	if (BufFileSeek(store->file, chunk->fileno, chunk->offset, SEEK_SET) != 0)
		ereport(ERROR, (errcode_for_file_access(), errmsg("could not seek in a temporary file")));
	if (BufFileRead(store->file, store->buffer, chunk->used) != chunk->used)
		ereport(ERROR, (errcode_for_file_access(), errmsg("could not read a temporary file")));
	return store->buffer;
}

void
dmp_wide_store_rewrite(DmpWideStore *store, int which, Size length)
{
	DmpWideChunk *chunk = &store->chunks[which];

	chunk->used = length;
	if (chunk->data == NULL)
		write_chunk(store, chunk);
}

void
dmp_wide_store_end(DmpWideStore *store)
{
	if (store->file != NULL)
		BufFileClose(store->file);
	store->file = NULL;
}

/* ------------------------------------------------------- several stores */

static char *
load_rows(void *arg, int which, size_t *length)
{
	DmpWideRows *rows = arg;
	int i;

	for (i = 0; i < rows->nstores; i++)
	{
		if (i == rows->skip)
			continue;
		if (which < rows->stores[i].nchunks)
			return dmp_wide_store_load(&rows->stores[i], which, length);
		which -= rows->stores[i].nchunks;
	}
	elog(ERROR, "no chunk %d of rows", which);
}

void
dmp_wide_rows(DmpWideRows *rows, int ndense, DmpSparseRows *out)
{
	int i;

	memset(out, 0, sizeof(*out));
	out->ndense = ndense;
	out->resident = 1;
	out->arg = rows;
	out->load = load_rows;
	for (i = 0; i < rows->nstores; i++)
	{
		if (i == rows->skip)
			continue;
		out->nchunks += rows->stores[i].nchunks;
		out->nrows += rows->stores[i].nrows;
		out->resident &= rows->stores[i].file == NULL;
	}
}
