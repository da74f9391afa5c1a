/*-------------------------------------------------------------------------
 * ledger_seal.c
 *		dmp.seal_audit(): chunks of finished transactions become blocks.
 *
 * The horizon is the oldest transaction that still runs. Below it everything
 * is decided: what is visible there is committed, and nothing can be added
 * any more. So a sealer takes what lies between the last horizon and this one,
 * and no writer waits for it or it for a writer. A transaction id means
 * something in its own cluster only; rows that a dump brought from another
 * one are all finished, and their horizon is past the newest of them.
 *
 * Chunks are read in the order they are stored, a block's worth at a time,
 * and sorted by number within the block. Memory does not grow with the log.
 *-------------------------------------------------------------------------
 */
#include "govern/govern.h"
#include "govern/ledger.h"

#include "access/xact.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_type.h"
#include "catalog/namespace.h"
#include "storage/lmgr.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "utils/xid8.h"

PG_FUNCTION_INFO_V1(dmp_seal_audit);

int dmp_audit_block_entries;

#define SEAL_FETCH 250

typedef struct Seal
{
	FunctionCallInfo fcinfo;
	LedgerHash *hash;
	LedgerHead head;
	MemoryContext row;   /* a chunk */
	MemoryContext flush; /* a block on its way out */
	int64 now;
	int32 cluster;
	uint64 from;
	uint64 horizon;
	/* the block at hand */
	LedgerPart *parts;
	int nparts, parts_room;
	unsigned char *leaves;
	int nleaves, leaves_room;
	List *partitions; /* OIDs of partitions with chunks that were sealed */
} Seal;

/* an advisory lock could be taken by anybody who wants no sealing at all; nobody can name this one */
bool
dmp_ledger_turn(void)
{
	LOCKTAG tag;

	SET_LOCKTAG_OBJECT(tag, MyDatabaseId, NamespaceRelationId,
					   get_namespace_oid("dmp_internal", false), 1);
	return LockAcquire(&tag, ExclusiveLock, false, true) != LOCKACQUIRE_NOT_AVAIL;
}

static int
by_chunk(const void *a, const void *b)
{
	const LedgerPart *left = a, *right = b;

	if (left->id != right->id)
		return left->id < right->id ? -1 : 1;
	return left->first - right->first;
}

static void
seal_block(Seal *seal)
{
	MemoryContext before = MemoryContextSwitchTo(seal->flush);
	LedgerBlock block = {0};
	bytea *directory = palloc(VARHDRSZ + (size_t) seal->nparts * LEDGER_PART_SIZE);
	bytea *leaves = palloc(VARHDRSZ + (size_t) seal->nleaves * DMP_HASH);
	unsigned char *to = (unsigned char *) VARDATA(leaves);
	Datum row[2];
	bool nulls[2] = {false, false};
	DmpMerkle tree;
	int i, j;

	qsort(seal->parts, seal->nparts, sizeof(LedgerPart), by_chunk);
	dmp_merkle_init(&tree, dmp_ledger_sha, seal->hash);
	block.first_at = PG_INT64_MAX;
	block.last_at = PG_INT64_MIN;
	for (i = 0; i < seal->nparts; i++)
	{
		const LedgerPart *part = &seal->parts[i];
		const unsigned char *from = seal->leaves + (size_t) part->first * DMP_HASH;

		CHECK_FOR_INTERRUPTS();
		dmp_part_write(part, (unsigned char *) VARDATA(directory) + (size_t) i * LEDGER_PART_SIZE);
		for (j = 0; j < part->entries; j++)
			dmp_merkle_add(&tree, from + (size_t) j * DMP_HASH);
		memcpy(to, from, (size_t) part->entries * DMP_HASH);
		to += (size_t) part->entries * DMP_HASH;
		block.first_at = Min(block.first_at, part->at);
		block.last_at = Max(block.last_at, part->at);
	}
	SET_VARSIZE(directory, VARHDRSZ + (size_t) seal->nparts * LEDGER_PART_SIZE);
	SET_VARSIZE(leaves, VARHDRSZ + (size_t) seal->nleaves * DMP_HASH);

	block.cluster = seal->cluster;
	block.entries = seal->nleaves;
	block.chunks = seal->nparts;
	block.first_chunk = seal->parts[0].id;
	block.last_chunk = seal->parts[seal->nparts - 1].id;
	block.sealed_at = seal->now;
	block.xact_from = seal->from;
	block.horizon = seal->horizon;
	dmp_ledger_sha(seal->hash, (unsigned char *) VARDATA(directory),
				   (size_t) seal->nparts * LEDGER_PART_SIZE, block.directory_hash);
	dmp_merkle_root(&tree, block.root);
	dmp_block_append(seal->hash, &seal->head, &block, directory, leaves);

	row[0] = Int64GetDatum(block.block);
	row[1] = Int64GetDatum(block.entries);
	dmp_srf_row(seal->fcinfo, row, nulls);
	seal->nparts = seal->nleaves = 0;
	MemoryContextSwitchTo(before);
	MemoryContextReset(seal->flush);
}

static void
seal_chunk(Seal *seal, HeapTuple tuple, TupleDesc desc)
{
	MemoryContext before = MemoryContextSwitchTo(seal->row);
	LedgerChunk chunk;
	LedgerImage image;
	LedgerPart *part;
	size_t offset = 0;
	unsigned char meta[DMP_HASH], inner[DMP_HASH];
	int place = 0;
	int64 room;
	uint64 xact;
	Oid partition;

	dmp_chunk_read(&chunk, tuple, desc);
	room = DatumGetInt32(chunk.values[CHUNK_ENTRIES]);
	if (seal->nparts > 0 && seal->nleaves + room > (int64) dmp_audit_block_entries)
		seal_block(seal);
	if (seal->nparts == seal->parts_room)
	{
		seal->parts_room *= 2;
		seal->parts = repalloc_huge(seal->parts, sizeof(LedgerPart) * seal->parts_room);
	}
	part = &seal->parts[seal->nparts++];
	part->id = chunk.id;
	part->at = chunk.at;
	part->first = seal->nleaves;

	(void) dmp_ledger_meta(seal->hash, &chunk, chunk.id, meta);
	while (dmp_chunk_image(&chunk, &offset, &image))
	{
		if (seal->nleaves == seal->leaves_room)
		{
			seal->leaves_room *= 2;
			seal->leaves = repalloc_huge(seal->leaves, (size_t) seal->leaves_room * DMP_HASH);
		}
		dmp_ledger_inner(seal->hash, &image, inner);
		dmp_ledger_leaf(seal->hash, meta, place++, inner,
						seal->leaves + (size_t) seal->nleaves++ * DMP_HASH);
	}
	part->entries = place;

	/* in a restored log the horizon follows what was seen */
	xact = U64FromFullTransactionId(DatumGetFullTransactionId(chunk.values[CHUNK_XACT]));
	seal->horizon = Max(seal->horizon, xact + 1);
	partition = DatumGetObjectId(chunk.values[CHUNK_PARTITION]);
	MemoryContextSwitchTo(before);
	if (seal->partitions == NIL || llast_oid(seal->partitions) != partition)
		seal->partitions = list_append_unique_oid(seal->partitions, partition);
	MemoryContextReset(seal->row);
}

/* chunks of one cluster from the last horizon to this one (0: all) */
static void
seal_cluster(Seal *seal, int32 cluster, uint64 horizon)
{
	DmpArgs args = {0};
	DmpIdentity saved;
	Portal portal;
	uint64 i;

	dmp_arg_int4(&args, cluster);
	seal->from = 0;
	if (dmp_spi_registry("SELECT horizon::text FROM dmp_internal.audit_block WHERE cluster = $1 "
						 "ORDER BY block DESC LIMIT 1",
						 &args, false) > 0)
		seal->from = strtou64(dmp_spi_text(0, 1), NULL, 10);
	SPI_freetuptable(SPI_tuptable);
	if (horizon != 0 && horizon <= seal->from)
		return;
	seal->cluster = cluster;
	seal->horizon = horizon != 0 ? horizon : seal->from;
	dmp_arg(&args, XID8OID, FullTransactionIdGetDatum(FullTransactionIdFromU64(seal->from)), false);
	dmp_arg(
		&args, XID8OID,
		FullTransactionIdGetDatum(FullTransactionIdFromU64(horizon != 0 ? horizon : PG_UINT64_MAX)),
		false);

	dmp_identity_begin(&saved);
	/* nothing is known of transactions to come, so plans would be guesses: always by BRIN */
	(void) set_config_option("enable_seqscan", "off", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE,
							 true, 0, false);
	portal =
		SPI_cursor_open_with_args(NULL,
								  "SELECT " CHUNK_COLUMNS " FROM dmp_internal.audit_chunk AS c "
								  "WHERE c.cluster = $1 AND c.xact >= $2 AND c.xact < $3",
								  args.n, args.types, args.values, args.nulls, false, 0);
	dmp_identity_end(&saved);
	for (;;)
	{
		SPITupleTable *rows;
		uint64 n;

		SPI_cursor_fetch(portal, true, SEAL_FETCH);
		rows = SPI_tuptable;
		n = SPI_processed;
		for (i = 0; i < n; i++)
		{
			CHECK_FOR_INTERRUPTS();
			seal_chunk(seal, rows->vals[i], rows->tupdesc);
		}
		SPI_freetuptable(rows);
		if (n == 0)
			break;
	}
	SPI_cursor_close(portal);
	if (seal->nparts > 0)
		seal_block(seal);
}

/* so that the next sealer finds new chunks without reading what was sealed, vacuum or not */
static void
summarize(Seal *seal)
{
	ListCell *lc;

	foreach (lc, seal->partitions)
	{
		DmpArgs args = {0};

		/* not while it is vacuumed, which does the same */
		if (!ConditionalLockRelationOid(lfirst_oid(lc), ShareUpdateExclusiveLock))
			continue;
		dmp_arg_oid(&args, lfirst_oid(lc));
		dmp_spi_registry(
			"SELECT brin_summarize_new_values(i.indexrelid) FROM pg_index AS i "
			"JOIN pg_class AS c ON c.oid = i.indexrelid JOIN pg_am AS a ON a.oid = c.relam "
			"WHERE i.indrelid = $1 AND a.amname = 'brin'",
			&args, false);
		UnlockRelationOid(lfirst_oid(lc), ShareUpdateExclusiveLock);
	}
}

/*
 * dmp.seal_audit() -> (block, entries): the blocks that were made. Nothing
 * when there is nothing to seal, or another session seals.
 */
Datum
dmp_seal_audit(PG_FUNCTION_ARGS)
{
	Seal seal = {0};
	uint64 horizon;
	int32 here;
	uint64 i, nclusters;
	int32 *clusters;

	dmp_srf_begin(fcinfo);
	if (IsolationUsesXactSnapshot())
		ereport(
			ERROR,
			(errcode(ERRCODE_ACTIVE_SQL_TRANSACTION),
			 errmsg("the audit log is sealed in READ COMMITTED transactions only"),
			 errdetail("The snapshot of this transaction may be older than the newest block.")));
	PreventCommandIfReadOnly("dmp.seal_audit()");
	PreventCommandIfParallelMode("dmp.seal_audit()");
	if (!dmp_ledger_turn())
		return (Datum) 0;
	here = dmp_cluster_id();

	dmp_spi_connect();
	seal.fcinfo = fcinfo;
	seal.hash = dmp_ledger_hash_open(false);
	seal.row =
		AllocSetContextCreate(CurrentMemoryContext, "dmp seal chunk", ALLOCSET_DEFAULT_SIZES);
	seal.flush =
		AllocSetContextCreate(CurrentMemoryContext, "dmp seal block", ALLOCSET_DEFAULT_SIZES);
	seal.now = GetCurrentTimestamp();
	seal.parts_room = 1024;
	seal.parts = palloc(sizeof(LedgerPart) * seal.parts_room);
	seal.leaves_room = 1024;
	seal.leaves = palloc((size_t) DMP_HASH * seal.leaves_room);
	dmp_head_read(&seal.head, seal.hash);

	dmp_spi_registry("SELECT pg_snapshot_xmin(pg_current_snapshot())::text", NULL, false);
	horizon = strtou64(dmp_spi_text(0, 1), NULL, 10);
	nclusters = dmp_spi_registry("SELECT id FROM dmp_internal.cluster ORDER BY id", NULL, false);
	clusters = palloc(sizeof(int32) * Max(nclusters, 1));
	for (i = 0; i < nclusters; i++)
		clusters[i] = (int32) dmp_spi_int8(i, 1, 0);
	SPI_freetuptable(SPI_tuptable);
	for (i = 0; i < nclusters; i++)
		seal_cluster(&seal, clusters[i], clusters[i] == here ? horizon : 0);
	if (seal.partitions != NIL)
	{
		dmp_head_write(&seal.head);
		summarize(&seal);
	}
	dmp_ledger_hash_close(seal.hash);
	dmp_spi_finish();
	return (Datum) 0;
}

void
dmp_ledger_init(void)
{
	DefineCustomIntVariable("dmp.audit_block_entries",
							"Entries of the audit log to a sealed block.", NULL,
							&dmp_audit_block_entries, 100000, DMP_CHUNK_ENTRIES, 1000000, PGC_SUSET,
							0, NULL, NULL, NULL);
}
