/*-------------------------------------------------------------------------
 * verify.c
 *		dmp.verify_audit(): whether the log is what was sealed.
 *
 * All statements read one snapshot, so that nothing which goes on meanwhile
 * looks like tampering. First the chain: each header against its hash, the
 * block before and the tree over all before. Then the entries, some 100,000
 * at a time: the directories of those blocks say which chunks there are, runs
 * of near numbers are read by index, and each entry's leaf is computed and
 * compared with the stored one. The stored leaves must give the root in the
 * header. Last, chunks below the horizon are counted: more than the
 * directories name means that some were put in later.
 *
 * Nothing is believed because it is stored: commitments and directories
 * prove themselves by the header, headers by the next one and by digests that
 * were stored elsewhere.
 *-------------------------------------------------------------------------
 */
#include "govern/verify.h"

#include "catalog/pg_type.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "utils/xid8.h"

PG_FUNCTION_INFO_V1(dmp_verify_audit);

#define BATCH_ENTRIES 100000
#define BATCH_BLOCKS 1000
/* chunks whose numbers are this near are read by one scan */
#define RUN_GAP 5000
/* how far the number of a block is tried that is not its own */
#define NEAR_BLOCKS 500
#define FETCH 250

typedef struct VerifyBlock
{
	LedgerBlock head;
	int first; /* its first leaf in the batch */
	bool leaves_wrong;
} VerifyBlock;

typedef struct VerifyChunk
{
	LedgerPart part; /* part.first: its first leaf in the batch */
	int block;       /* in the batch */
	int order;       /* of its leaves in the block */
	bool seen;
} VerifyChunk;

typedef struct Verify
{
	Report report;
	LedgerHash *hash;
	List *digests;
	List *dropped;  /* DroppedMonth */
	List *lost;     /* LostRange */
	List *horizons; /* LostRange: cluster and the last horizon in to */
	/* the chain so far */
	LedgerBlock last; /* block 0: none yet */
	DmpMerkle history;
	bool chain_whole;
	int64 blocks, entries, dropped_entries, found;
	/* the batch */
	MemoryContext batch;
	MemoryContext row;
	VerifyBlock *vblocks;
	int nblocks;
	VerifyChunk *chunks;
	int nchunks, chunks_room;
	unsigned char *leaves; /* as stored */
	unsigned char *actual; /* of blocks whose stored leaves are wrong: as computed */
	int nleaves, leaves_room;
} Verify;

static LostRange *
horizon_of(Verify *v, int32 cluster)
{
	MemoryContext before;
	ListCell *lc;
	LostRange *range;

	foreach (lc, v->horizons)
	{
		range = lfirst(lc);
		if (range->cluster == cluster)
			return range;
	}
	before = MemoryContextSwitchTo(v->report.context);
	range = palloc0(sizeof(LostRange));
	range->cluster = cluster;
	v->horizons = lappend(v->horizons, range);
	MemoryContextSwitchTo(before);
	return range;
}

static void
lose(Verify *v, int32 cluster, uint64 from, uint64 to)
{
	MemoryContext before = MemoryContextSwitchTo(v->report.context);
	LostRange *range = palloc(sizeof(LostRange));

	range->cluster = cluster;
	range->from = from;
	range->to = to;
	v->lost = lappend(v->lost, range);
	MemoryContextSwitchTo(before);
}

static bool
was_dropped(Verify *v, int64 first_at, int64 last_at)
{
	ListCell *lc;

	foreach (lc, v->dropped)
	{
		const DroppedMonth *month = lfirst(lc);

		/* months follow each other: a block may end in the next one */
		if (first_at >= month->from_at && first_at < month->to_at)
		{
			if (last_at < month->to_at)
				return true;
			first_at = month->to_at;
		}
	}
	return false;
}

/* ---------- the chain */

static void
check_digests(Verify *v, const LedgerBlock *block)
{
	ListCell *lc;

	foreach (lc, v->digests)
	{
		const LedgerDigest *digest = lfirst(lc);

		if (digest->block == block->block && memcmp(digest->hash, block->hash, DMP_HASH) != 0)
			dmp_report(&v->report, block->block, -1, "modified",
					   psprintf("the digest says %s, the block has %s",
								dmp_hex(digest->hash, DMP_HASH), dmp_hex(block->hash, DMP_HASH)));
	}
}

/* a header whose hash is right under another number; 0: none near */
static int64
sealed_as(Verify *v, const LedgerBlock *block)
{
	unsigned char hash[DMP_HASH];
	LedgerBlock other = *block;
	int64 i;

	for (i = -NEAR_BLOCKS; i <= NEAR_BLOCKS; i++)
	{
		other.block = block->block + i;
		dmp_block_hash(v->hash, &other, hash);
		if (memcmp(hash, block->hash, DMP_HASH) == 0)
			return other.block;
	}
	return 0;
}

static void
check_header(Verify *v, const LedgerBlock *block, bool readable)
{
	unsigned char hash[DMP_HASH], leaf[DMP_HASH], root[DMP_HASH];
	LostRange *horizon = horizon_of(v, block->cluster);
	int64 expected = v->last.block + 1;

	dmp_block_hash(v->hash, block, hash);
	if (!readable || memcmp(hash, block->hash, DMP_HASH) != 0)
	{
		int64 as = sealed_as(v, block);

		if (as > 0)
			dmp_report(&v->report, block->block, -1, "reordered",
					   psprintf("it was sealed as block " INT64_FORMAT, as));
		else
			dmp_report(&v->report, block->block, -1, "modified",
					   "its header does not give its hash");
	}
	if (block->block > expected)
	{
		dmp_report(&v->report, expected, -1, "missing",
				   block->block == expected + 1
					   ? "the block is not there"
					   : psprintf("blocks " INT64_FORMAT " to " INT64_FORMAT " are not there",
								  expected, block->block - 1));
		v->chain_whole = false;
		lose(v, block->cluster, Min(horizon->to, block->xact_from), block->horizon);
	}
	else
	{
		if (memcmp(block->previous, v->last.hash, DMP_HASH) != 0)
			dmp_report(&v->report, block->block, -1, "modified",
					   "it does not follow the block before: one of the two was replaced");
		else if (block->total != v->last.total + block->entries)
			dmp_report(&v->report, block->block, -1, "modified", "its count of entries is wrong");
	}
	if (v->chain_whole)
	{
		dmp_merkle_root(&v->history, root);
		if (memcmp(block->history, root, DMP_HASH) != 0)
		{
			dmp_report(&v->report, block->block, -1, "modified",
					   "it holds another history of the blocks before");
			v->chain_whole = false; /* said once */
		}
		dmp_block_leaf(v->hash, block->hash, leaf);
		dmp_merkle_add(&v->history, leaf);
	}
	check_digests(v, block);
	horizon->to = Max(horizon->to, block->horizon);
	v->last = *block;
	v->blocks++;
	v->entries += block->entries;
}

/* what is told apart from the blocks: the head, and digests of blocks that are not there */
static void
check_end(Verify *v)
{
	int64 missing_to = 0;
	const char *why = NULL;
	ListCell *lc;

	if (dmp_spi_registry("SELECT block, total, encode(hash, 'hex') FROM dmp_internal.audit_head",
						 NULL, true) > 0)
	{
		int64 block = dmp_spi_int8(0, 1, 0);

		if (block > v->last.block)
		{
			missing_to = block;
			why = "the head of the ledger";
		}
		else if (block < v->last.block || dmp_spi_int8(0, 2, 0) != v->last.total ||
				 strcmp(dmp_spi_text(0, 3), dmp_hex(v->last.hash, DMP_HASH)) != 0)
			dmp_report(&v->report, v->last.block, -1, "modified",
					   "the head of the ledger is not that of this block");
	}
	else if (v->blocks > 0)
		dmp_report(&v->report, 0, -1, "missing", "the head of the ledger is not there");
	foreach (lc, v->digests)
	{
		const LedgerDigest *digest = lfirst(lc);

		if (digest->block > v->last.block && digest->block >= missing_to)
		{
			missing_to = digest->block;
			why = "a digest";
		}
	}
	if (missing_to > 0)
		dmp_report(&v->report, v->last.block + 1, -1, "missing",
				   psprintf("%s knows blocks up to " INT64_FORMAT
							", the last that is there is " INT64_FORMAT,
							why, missing_to, v->last.block));
}

/* ---------- the entries of some blocks */

static int
by_chunk(const void *a, const void *b)
{
	int64 left = ((const VerifyChunk *) a)->part.id, right = ((const VerifyChunk *) b)->part.id;

	return left < right ? -1 : left > right;
}

static int
by_order(const void *a, const void *b)
{
	return ((const VerifyChunk *) a)->order - ((const VerifyChunk *) b)->order;
}

static VerifyChunk *
find_chunk(Verify *v, int64 id)
{
	int low = 0, high = v->nchunks;

	while (low < high)
	{
		int mid = low + (high - low) / 2;

		if (v->chunks[mid].part.id < id)
			low = mid + 1;
		else
			high = mid;
	}
	return low < v->nchunks && v->chunks[low].part.id == id ? &v->chunks[low] : NULL;
}

/*
 * Takes the commitments of a block into the batch. What does not prove itself
 * by the header is not used: then the entries of the block are lost to us.
 */
static void
load_block(Verify *v, const LedgerBlock *block)
{
	DmpArgs args = {0};
	VerifyBlock *vb;
	struct varlena *directory, *leaves;
	const unsigned char *bytes;
	unsigned char hash[DMP_HASH];
	const char *why = NULL;
	bool isnull;
	DmpMerkle tree;
	int64 sum = 0;
	int i;

	dmp_arg_int8(&args, block->block);
	if (dmp_spi_registry("SELECT directory, leaves FROM dmp_internal.audit_commitment "
						 "WHERE block = $1",
						 &args, true) == 0)
	{
		if (was_dropped(v, block->first_at, block->last_at))
			v->dropped_entries += block->entries;
		else
		{
			dmp_report(&v->report, block->block, -1, "missing",
					   "its commitments are not there, its entries cannot be checked");
			lose(v, block->cluster, block->xact_from, block->horizon);
		}
		SPI_freetuptable(SPI_tuptable);
		return;
	}
	directory = PG_DETOAST_DATUM_PACKED(dmp_spi_datum(0, 1, &isnull));
	leaves = PG_DETOAST_DATUM_PACKED(dmp_spi_datum(0, 2, &isnull));
	SPI_freetuptable(SPI_tuptable);
	bytes = (unsigned char *) VARDATA_ANY(directory);
	dmp_ledger_sha(v->hash, bytes, VARSIZE_ANY_EXHDR(directory), hash);
	if (memcmp(hash, block->directory_hash, DMP_HASH) != 0 ||
		VARSIZE_ANY_EXHDR(directory) != (size_t) block->chunks * LEDGER_PART_SIZE)
		why = "its list of chunks is not the one that was sealed, its entries cannot be checked";
	else if (VARSIZE_ANY_EXHDR(leaves) != (size_t) block->entries * DMP_HASH)
		why = "its commitments are not those that were sealed, its entries cannot be checked";
	if (why)
	{
		dmp_report(&v->report, block->block, -1, "modified", why);
		lose(v, block->cluster, block->xact_from, block->horizon);
		return;
	}

	if (v->nchunks + block->chunks > v->chunks_room)
	{
		v->chunks_room = Max(2 * v->chunks_room, v->nchunks + block->chunks);
		v->chunks = repalloc_huge(v->chunks, sizeof(VerifyChunk) * v->chunks_room);
	}
	if (v->nleaves + block->entries > v->leaves_room)
	{
		v->leaves_room = Max(2 * v->leaves_room, v->nleaves + block->entries);
		v->leaves = repalloc_huge(v->leaves, (size_t) DMP_HASH * v->leaves_room);
		v->actual = repalloc_huge(v->actual, (size_t) DMP_HASH * v->leaves_room);
	}
	vb = &v->vblocks[v->nblocks];
	vb->head = *block;
	vb->first = v->nleaves;
	memcpy(v->leaves + (size_t) v->nleaves * DMP_HASH, VARDATA_ANY(leaves),
		   (size_t) block->entries * DMP_HASH);
	dmp_merkle_init(&tree, dmp_ledger_sha, v->hash);
	for (i = 0; i < block->entries; i++)
	{
		if (i % 1000 == 0)
			CHECK_FOR_INTERRUPTS();
		dmp_merkle_add(&tree, v->leaves + (size_t) (v->nleaves + i) * DMP_HASH);
	}
	dmp_merkle_root(&tree, hash);
	vb->leaves_wrong = memcmp(hash, block->root, DMP_HASH) != 0;
	for (i = 0; i < block->chunks; i++)
	{
		VerifyChunk *chunk = &v->chunks[v->nchunks + i];

		dmp_part_read(&chunk->part, bytes + (size_t) i * LEDGER_PART_SIZE);
		chunk->part.first = v->nleaves + sum;
		chunk->block = v->nblocks;
		chunk->order = v->nchunks + i;
		chunk->seen = false;
		sum += chunk->part.entries;
	}
	/* a directory that is proven is whole; an older sealer's mistake would not be */
	if (sum != block->entries)
	{
		dmp_report(&v->report, block->block, -1, "modified", "its counts of entries do not agree");
		return;
	}
	v->nchunks += block->chunks;
	v->nleaves += block->entries;
	v->nblocks++;
}

/* each entry of a stored row against the leaves of its place in the batch */
static void
check_chunk(Verify *v, HeapTuple tuple, TupleDesc desc)
{
	LedgerChunk chunk;
	LedgerImage image;
	VerifyChunk *vc;
	VerifyBlock *vb;
	unsigned char meta[DMP_HASH], inner[DMP_HASH], leaf[DMP_HASH];
	size_t offset = 0;
	int place = 0;
	bool isnull;

	vc = find_chunk(v, DatumGetInt64(SPI_getbinval(tuple, desc, CHUNK_ID + 1, &isnull)));
	if (vc == NULL)
		return; /* of another block, or not sealed yet; it is counted at the end */
	dmp_chunk_read(&chunk, tuple, desc);
	vb = &v->vblocks[vc->block];
	if (vc->seen)
	{
		dmp_report_range(&v->report, vb->head.block, chunk.id, 0,
						 Max(DatumGetInt32(chunk.values[CHUNK_ENTRIES]), 1), "inserted",
						 "a second chunk of this number");
		v->found++;
		return;
	}
	vc->seen = true;
	v->found++;
	(void) dmp_ledger_meta(v->hash, &chunk, chunk.id, meta);
	while (dmp_chunk_image(&chunk, &offset, &image))
	{
		const unsigned char *stored;

		if (place % 1000 == 0)
			CHECK_FOR_INTERRUPTS();
		dmp_ledger_inner(v->hash, &image, inner);
		dmp_ledger_leaf(v->hash, meta, place, inner, leaf);
		if (place >= vc->part.entries)
		{
			dmp_report_range(&v->report, vb->head.block, chunk.id, place++, 1, "inserted", NULL);
			continue;
		}
		stored = v->leaves + (size_t) (vc->part.first + place) * DMP_HASH;
		if (vb->leaves_wrong)
			memcpy(v->actual + (size_t) (vc->part.first + place) * DMP_HASH, leaf, DMP_HASH);
		else if (memcmp(leaf, stored, DMP_HASH) != 0)
			dmp_report_mismatch(&v->report, vb->head.block, chunk.id, place, stored, meta, inner);
		else if (image.erased)
		{
			v->report.redacted++;
			dmp_report_range(&v->report, vb->head.block, chunk.id, place, 1, "redacted", NULL);
		}
		place++;
	}
	if (offset != chunk.length)
		dmp_report_range(&v->report, vb->head.block, chunk.id, Min(place, vc->part.entries - 1), 1,
						 "modified", "the rest of its chunk is no entry");
	else
		dmp_report_range(&v->report, vb->head.block, chunk.id, place, vc->part.entries - place,
						 "missing", NULL);
}

static void
check_run(Verify *v, int64 first, int64 last)
{
	DmpArgs args = {0};
	DmpIdentity saved;
	Portal portal;

	dmp_arg_int8(&args, first);
	dmp_arg_int8(&args, last);
	dmp_identity_begin(&saved);
	portal =
		SPI_cursor_open_with_args(NULL,
								  "SELECT " CHUNK_COLUMNS " FROM dmp_internal.audit_chunk AS c "
								  "WHERE c.id BETWEEN $1 AND $2",
								  args.n, args.types, args.values, args.nulls, true, 0);
	dmp_identity_end(&saved);
	for (;;)
	{
		SPITupleTable *rows;
		uint64 n, i;

		SPI_cursor_fetch(portal, true, FETCH);
		rows = SPI_tuptable;
		n = SPI_processed;
		for (i = 0; i < n; i++)
		{
			MemoryContext before = MemoryContextSwitchTo(v->row);

			CHECK_FOR_INTERRUPTS();
			check_chunk(v, rows->vals[i], rows->tupdesc);
			MemoryContextSwitchTo(before);
			MemoryContextReset(v->row);
		}
		SPI_freetuptable(rows);
		if (n == 0)
			break;
	}
	SPI_cursor_close(portal);
}

/* commitments that do not give their root: do the entries? */
static void
check_wrong_leaves(Verify *v, VerifyBlock *vb)
{
	unsigned char root[DMP_HASH];
	DmpMerkle tree;
	int i;

	dmp_merkle_init(&tree, dmp_ledger_sha, v->hash);
	for (i = 0; i < vb->head.entries; i++)
	{
		if (i % 1000 == 0)
			CHECK_FOR_INTERRUPTS();
		dmp_merkle_add(&tree, v->actual + (size_t) (vb->first + i) * DMP_HASH);
	}
	dmp_merkle_root(&tree, root);
	dmp_report(&v->report, vb->head.block, -1, "modified",
			   memcmp(root, vb->head.root, DMP_HASH) == 0
				   ? "its commitments were modified; its entries are as they were sealed"
				   : "its commitments were modified, and its entries too");
}

static void
check_batch(Verify *v)
{
	MemoryContext before;
	int i, end;

	if (v->nblocks == 0)
		return;
	before = MemoryContextSwitchTo(v->batch);
	memset(v->actual, 0, (size_t) v->nleaves * DMP_HASH);
	qsort(v->chunks, v->nchunks, sizeof(VerifyChunk), by_chunk);
	for (i = 0; i < v->nchunks; i = end)
	{
		for (end = i + 1; end < v->nchunks; end++)
			if (v->chunks[end].part.id - v->chunks[end - 1].part.id > RUN_GAP)
				break;
		check_run(v, v->chunks[i].part.id, v->chunks[end - 1].part.id);
	}
	qsort(v->chunks, v->nchunks, sizeof(VerifyChunk), by_order);
	for (i = 0; i < v->nchunks; i++)
	{
		const VerifyChunk *vc = &v->chunks[i];

		if (vc->seen)
			continue;
		if (was_dropped(v, vc->part.at, vc->part.at))
			v->dropped_entries += vc->part.entries;
		else
			dmp_report_range(&v->report, v->vblocks[vc->block].head.block, vc->part.id, 0,
							 vc->part.entries, "missing", NULL);
	}
	for (i = 0; i < v->nblocks; i++)
		if (v->vblocks[i].leaves_wrong)
			check_wrong_leaves(v, &v->vblocks[i]);
	v->nblocks = v->nchunks = v->nleaves = 0;
	MemoryContextSwitchTo(before);
	MemoryContextReset(v->batch);
}

static void
check_blocks(Verify *v)
{
	DmpIdentity saved;
	Portal portal;

	dmp_identity_begin(&saved);
	portal = SPI_cursor_open_with_args(
		NULL, "SELECT " BLOCK_COLUMNS " FROM dmp_internal.audit_block AS b ORDER BY b.block", 0,
		NULL, NULL, NULL, true, 0);
	dmp_identity_end(&saved);
	for (;;)
	{
		SPITupleTable *rows;
		uint64 n, i;

		SPI_cursor_fetch(portal, true, FETCH);
		rows = SPI_tuptable;
		n = SPI_processed;
		for (i = 0; i < n; i++)
		{
			MemoryContext before = MemoryContextSwitchTo(v->batch);
			LedgerBlock block;
			bool readable = dmp_block_read(&block, rows->vals[i], rows->tupdesc);

			CHECK_FOR_INTERRUPTS();
			check_header(v, &block, readable);
			load_block(v, &block);
			MemoryContextSwitchTo(before);
			if (v->nblocks == BATCH_BLOCKS || v->nleaves >= BATCH_ENTRIES)
				check_batch(v);
		}
		SPI_freetuptable(rows);
		if (n == 0)
			break;
	}
	SPI_cursor_close(portal);
	check_batch(v);
}

/* ---------- chunks that are in no block */

static void
horizon_args(Verify *v, DmpArgs *args)
{
	List *clusters = NIL, *horizons = NIL;
	ListCell *lc;

	foreach (lc, v->horizons)
	{
		const LostRange *range = lfirst(lc);

		clusters = lappend(clusters, psprintf("%d", range->cluster));
		horizons = lappend(horizons, psprintf(UINT64_FORMAT, range->to));
	}
	dmp_arg_text_array(args, clusters);
	dmp_arg_text_array(args, horizons);
}

#define WITH_HORIZONS                                                          \
	"WITH h AS (SELECT u.cluster::int AS cluster, u.horizon::xid8 AS horizon " \
	"FROM unnest($1, $2) AS u (cluster, horizon)) "

static bool
is_lost(Verify *v, int32 cluster, uint64 xact)
{
	ListCell *lc;

	foreach (lc, v->lost)
	{
		const LostRange *range = lfirst(lc);

		if (range->cluster == cluster && xact >= range->from && xact < range->to)
			return true;
	}
	return false;
}

static void
report_inserted(Verify *v, DmpArgs *args)
{
	uint64 i, n;
	SPITupleTable *rows;

	n = dmp_spi_registry(WITH_HORIZONS
						 "SELECT c.id, greatest(c.entries, 1), c.cluster, c.xact::text FROM "
						 "dmp_internal.audit_chunk AS c "
						 "JOIN h ON h.cluster = c.cluster AND c.xact < h.horizon "
						 "WHERE NOT EXISTS (SELECT FROM dmp_internal.audit_commitment AS k, "
						 "dmp_internal.audit_directory(k.directory) AS p WHERE p.chunk = c.id) "
						 "ORDER BY c.id LIMIT 10000",
						 args, true);
	rows = SPI_tuptable;
	for (i = 0; i < n; i++)
	{
		CHECK_FOR_INTERRUPTS();
		SPI_tuptable = rows;
		if (!is_lost(v, (int32) dmp_spi_int8(i, 3, 0), strtou64(dmp_spi_text(i, 4), NULL, 10)))
			dmp_report_range(&v->report, 0, dmp_spi_int8(i, 1, 0), 0, (int32) dmp_spi_int8(i, 2, 1),
							 "inserted", "below the horizon, but in no block");
	}
	SPI_freetuptable(rows);
}

static int64
check_unsealed(Verify *v)
{
	DmpArgs args = {0};
	int64 sealed, unsealed, entries, first;

	horizon_args(v, &args);
	dmp_spi_registry(
		WITH_HORIZONS
		"SELECT count(*) FILTER (WHERE c.xact < h.horizon), "
		"count(*) FILTER (WHERE NOT coalesce(c.xact < h.horizon, false)), "
		"sum(c.entries) FILTER (WHERE NOT coalesce(c.xact < h.horizon, false))::bigint, "
		"min(c.id) FILTER (WHERE NOT coalesce(c.xact < h.horizon, false)) "
		"FROM dmp_internal.audit_chunk AS c LEFT JOIN h USING (cluster)",
		&args, true);
	sealed = dmp_spi_int8(0, 1, 0);
	unsealed = dmp_spi_int8(0, 2, 0);
	entries = dmp_spi_int8(0, 3, 0);
	first = dmp_spi_int8(0, 4, 0);
	SPI_freetuptable(SPI_tuptable);
	if (sealed > v->found)
		report_inserted(v, &args);
	if (unsealed > 0)
		dmp_report(&v->report, 0, first * DMP_CHUNK_ENTRIES, "unsealed",
				   psprintf(INT64_FORMAT " entries from this one on are in no block yet", entries));
	return entries;
}

static void
read_dropped(Verify *v)
{
	uint64 i, n;

	n = dmp_spi_registry(
		"SELECT (extract(epoch FROM from_at) * 1000000)::bigint, "
		"(extract(epoch FROM to_at) * 1000000)::bigint, "
		"format('%s with %s entries was dropped by %s', partition, entries, dropped_by) "
		"FROM dmp_internal.audit_dropped ORDER BY from_at",
		NULL, true);
	for (i = 0; i < n; i++)
	{
		DroppedMonth *month = palloc(sizeof(DroppedMonth));
		int64 shift = (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * USECS_PER_DAY;

		month->from_at = dmp_spi_int8(i, 1, 0) - shift;
		month->to_at = dmp_spi_int8(i, 2, 0) - shift;
		month->detail = dmp_spi_text(i, 3);
		v->dropped = lappend(v->dropped, month);
	}
	SPI_freetuptable(SPI_tuptable);
}

/* dmp.verify_audit(digest jsonb) -> (block, entry, status, detail) */
Datum
dmp_verify_audit(PG_FUNCTION_ARGS)
{
	Verify v;
	int64 unsealed;
	ListCell *lc;

	dmp_srf_begin(fcinfo);
	memset(&v, 0, sizeof(v));
	dmp_spi_connect();
	v.hash = dmp_ledger_hash_open(true);
	dmp_report_init(&v.report, fcinfo, v.hash);
	if (!PG_ARGISNULL(0))
		v.digests = dmp_digests_parse(PG_GETARG_DATUM(0));
	dmp_merkle_init(&v.history, dmp_ledger_sha, v.hash);
	v.chain_whole = true;
	v.batch =
		AllocSetContextCreate(CurrentMemoryContext, "dmp verify batch", ALLOCSET_DEFAULT_SIZES);
	v.row = AllocSetContextCreate(CurrentMemoryContext, "dmp verify chunk", ALLOCSET_DEFAULT_SIZES);
	v.vblocks = palloc(sizeof(VerifyBlock) * BATCH_BLOCKS);
	v.chunks_room = v.leaves_room = 1024;
	v.chunks = palloc(sizeof(VerifyChunk) * v.chunks_room);
	v.leaves = palloc(DMP_HASH * v.leaves_room);
	v.actual = palloc(DMP_HASH * v.leaves_room);
	read_dropped(&v);

	check_blocks(&v);
	check_end(&v);
	unsealed = check_unsealed(&v);
	foreach (lc, v.dropped)
		dmp_report(&v.report, 0, -1, "dropped", ((DroppedMonth *) lfirst(lc))->detail);
	dmp_report_finish(&v.report);
	if (v.report.bad == 0)
		dmp_report(&v.report, v.last.block, -1, "ok",
				   psprintf(INT64_FORMAT " entries in " INT64_FORMAT " blocks, " INT64_FORMAT
										 " of them redacted, " INT64_FORMAT
										 " dropped, " INT64_FORMAT " not sealed yet",
							v.entries, v.blocks, v.report.redacted, v.dropped_entries, unsealed));
	v.report.nmismatches = 0;
	dmp_report_finish(&v.report);
	dmp_ledger_hash_close(v.hash);
	dmp_spi_finish();
	return (Datum) 0;
}
