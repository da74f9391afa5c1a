/*-------------------------------------------------------------------------
 * scan_store.c
 *		Packed rows: tiles in chunks that grow from a few tiles to 32 MB.
 *
 * Nothing is ever moved to make room. Large chunks ask the system for huge
 * pages: the first touch of 168 MB in small ones costs as much as two passes
 * of the solver. Codes are apart from the dense columns, because they are made
 * anew once the levels are known.
 *-------------------------------------------------------------------------
 */
#include "learn/scan.h"

#ifndef WIN32
#include <sys/mman.h>
#endif

#include "utils/memutils.h"

#define CHUNK_BYTES ((Size) 32 << 20)
#define HUGE_PAGE ((Size) 2 << 20)

/* a block aligned to 64 bytes; *raw is what to free */
static void *
aligned_block(Size size, void **raw, Size *bytes)
{
	Size all = size + 64;

	*raw = MemoryContextAllocHuge(CurrentMemoryContext, all);
	*bytes += all;
#ifdef MADV_HUGEPAGE
	if (all >= 4 * HUGE_PAGE)
	{
		char *from = (char *) TYPEALIGN(HUGE_PAGE, *raw);
		char *to = (char *) TYPEALIGN_DOWN(HUGE_PAGE, (char *) *raw + all);

		(void) madvise(from, to - from, MADV_HUGEPAGE);
	}
#endif
	return (void *) TYPEALIGN(64, *raw);
}

/* memory that a tile costs in all, with what sorting its margins will take at the end */
Size
dmp_store_tile_bytes(const DmpScan *scan)
{
	Size row = sizeof(double) * scan->plan->ndense + sizeof(int32) * scan->stored_codes + 1;
	int j;

	if (scan->plan->has_weight)
		row += 3 * sizeof(double);
	if (scan->plan->family != DMP_BINOMIAL)
		row += sizeof(double);
	if (scan->plan->has_offset)
		row += sizeof(double);
	/* codes are written anew, with flags, when the layout is made at the end */
	if (scan->plan->phase == DMP_SCAN_LEARN)
	{
		row += sizeof(int32) * scan->stored_codes;
		for (j = 0; j < scan->plan->ndense; j++)
			if (scan->has_missing[j])
				row += sizeof(int32);
	}
	row += 3 * sizeof(double);
	return row * DMP_TILE;
}

/* with the whole of each last chunk */
static int64
store_tiles(const DmpStore *store)
{
	const DmpChunk *last = store->nchunks > 0 ? &store->chunks[store->nchunks - 1] : NULL;

	return store->ntiles + (last ? last->ntiles - last->used : 0);
}

static int64
tiles_taken(const DmpScan *scan)
{
	int64 sum = store_tiles(&scan->train) + store_tiles(&scan->test);
	int i;

	for (i = 0; i < scan->plan->nfolds; i++)
		sum += store_tiles(&scan->folds[i]);
	return sum;
}

static Size
bytes_taken(const DmpScan *scan)
{
	Size sum = scan->train.bytes + scan->test.bytes;
	int i;

	for (i = 0; i < scan->plan->nfolds; i++)
		sum += scan->folds[i].bytes;
	return sum;
}

/*
 * Copies a tile (its codes are dictionary codes) to the end. False when the
 * budget, shared by all stores, does not have room for one more chunk; then
 * nothing has changed.
 */
bool
dmp_store_append(DmpScan *scan, DmpStore *store, const DmpGlmTile *tile)
{
	int nd = scan->plan->ndense, nc = scan->stored_codes;
	DmpChunk *chunk = store->nchunks > 0 ? &store->chunks[store->nchunks - 1] : NULL;
	Size at;

	if (chunk == NULL || chunk->used == chunk->ntiles)
	{
		Size each = dmp_store_tile_bytes(scan);
		int64 room = (int64) (scan->budget / each) - tiles_taken(scan);
		int64 want = Min(Max(store->ntiles, 8), Max(CHUNK_BYTES / each, 1));
		MemoryContext old;

		want = Min(want, room);
		if (want <= 0)
			return false;
		old = MemoryContextSwitchTo(scan->hdr.eoh_context);
		if (store->nchunks == store->room)
		{
			store->room = Max(8, store->room * 2);
			store->chunks = store->chunks ? repalloc(store->chunks, sizeof(DmpChunk) * store->room)
										  : palloc(sizeof(DmpChunk) * store->room);
		}
		chunk = &store->chunks[store->nchunks++];
		memset(chunk, 0, sizeof(*chunk));
		chunk->ntiles = (int) want;
		chunk->bytes = store->bytes;
		chunk->dense =
			aligned_block(sizeof(double) * want * nd * DMP_TILE, &chunk->raw[0], &store->bytes);
		if (nc > 0)
			chunk->codes =
				aligned_block(sizeof(int32) * want * nc * DMP_TILE, &chunk->raw[1], &store->bytes);
		chunk->label = aligned_block(want * DMP_TILE, &chunk->raw[2], &store->bytes);
		if (scan->plan->has_weight)
			chunk->weight =
				aligned_block(sizeof(double) * want * DMP_TILE, &chunk->raw[3], &store->bytes);
		if (tile->target)
			chunk->target =
				aligned_block(sizeof(double) * want * DMP_TILE, &chunk->raw[4], &store->bytes);
		if (tile->offset)
			chunk->offset =
				aligned_block(sizeof(double) * want * DMP_TILE, &chunk->raw[5], &store->bytes);
		chunk->bytes = store->bytes - chunk->bytes;
		MemoryContextSwitchTo(old);
	}
	at = chunk->used++;
	memcpy(chunk->dense + at * nd * DMP_TILE, tile->dense, sizeof(double) * nd * DMP_TILE);
	if (nc > 0)
		memcpy(chunk->codes + at * nc * DMP_TILE, tile->codes, sizeof(int32) * nc * DMP_TILE);
	memcpy(chunk->label + at * DMP_TILE, tile->label, DMP_TILE);
	if (chunk->weight)
		memcpy(chunk->weight + at * DMP_TILE, tile->weight, sizeof(double) * DMP_TILE);
	if (chunk->target)
		memcpy(chunk->target + at * DMP_TILE, tile->target, sizeof(double) * DMP_TILE);
	if (chunk->offset)
		memcpy(chunk->offset + at * DMP_TILE, tile->offset, sizeof(double) * DMP_TILE);
	store->ntiles++;
	store->rows += tile->n;
	store->last = tile->n;
	store->ncoded = nc;
	scan->peak = Max(scan->peak, bytes_taken(scan));
	return true;
}

/* the second of every two tiles goes; all are full */
void
dmp_store_thin(const DmpScan *scan, DmpStore *store)
{
	Size dense = (Size) scan->plan->ndense * DMP_TILE, codes = (Size) store->ncoded * DMP_TILE;
	int64 t = 0, kept = 0;
	int c, at, to = 0, to_at = 0, k;

	for (c = 0; c < store->nchunks; c++)
		for (at = 0; at < store->chunks[c].used; at++, t++)
		{
			const DmpChunk *x = &store->chunks[c];
			DmpChunk *y;

			if (t % 2 != 0)
				continue;
			if (to_at == store->chunks[to].ntiles)
			{
				to++;
				to_at = 0;
			}
			y = &store->chunks[to];
			memmove(y->dense + to_at * dense, x->dense + at * dense, sizeof(double) * dense);
			if (codes > 0)
				memmove(y->codes + to_at * codes, x->codes + at * codes, sizeof(int32) * codes);
			memmove(y->label + to_at * DMP_TILE, x->label + at * DMP_TILE, DMP_TILE);
			if (y->weight)
				memmove(y->weight + to_at * DMP_TILE, x->weight + at * DMP_TILE,
						sizeof(double) * DMP_TILE);
			if (y->target)
				memmove(y->target + to_at * DMP_TILE, x->target + at * DMP_TILE,
						sizeof(double) * DMP_TILE);
			if (y->offset)
				memmove(y->offset + to_at * DMP_TILE, x->offset + at * DMP_TILE,
						sizeof(double) * DMP_TILE);
			to_at++;
			kept++;
		}
	if (t == 0)
		return;
	for (c = 0; c < store->nchunks; c++)
	{
		DmpChunk *x = &store->chunks[c];

		x->used = c < to ? x->ntiles : c == to ? to_at : 0;
		for (k = 0; c > to && k < lengthof(x->raw); k++)
			if (x->raw[k])
				pfree(x->raw[k]);
		if (c > to)
			store->bytes -= x->bytes;
	}
	store->nchunks = to + 1;
	store->ntiles = kept;
	store->rows = kept * DMP_TILE;
	store->last = DMP_TILE;
}

void
dmp_store_free(DmpStore *store)
{
	int i, k;

	for (i = 0; i < store->nchunks; i++)
		for (k = 0; k < lengthof(store->chunks[i].raw); k++)
			if (store->chunks[i].raw[k])
				pfree(store->chunks[i].raw[k]);
	if (store->chunks)
		pfree(store->chunks);
	memset(store, 0, sizeof(*store));
}

/* tile at of a chunk, for the kernel */
void
dmp_store_tile(const DmpStore *store, const DmpGlmShape *shape, int chunk, int at, DmpGlmTile *tile)
{
	const DmpChunk *c = &store->chunks[chunk];

	tile->n = chunk == store->nchunks - 1 && at == c->used - 1 ? store->last : DMP_TILE;
	tile->dense = c->dense + (Size) at * shape->ndense * DMP_TILE;
	tile->codes = c->codes ? c->codes + (Size) at * store->ncoded * DMP_TILE : NULL;
	tile->label = c->label + (Size) at * DMP_TILE;
	tile->weight = c->weight ? c->weight + (Size) at * DMP_TILE : NULL;
	tile->target = c->target ? c->target + (Size) at * DMP_TILE : NULL;
	tile->offset = c->offset ? c->offset + (Size) at * DMP_TILE : NULL;
}
