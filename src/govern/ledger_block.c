/*-------------------------------------------------------------------------
 * ledger_block.c
 *		Headers of blocks, how they are hashed, and the newest of them.
 *
 * A header is 224 bytes, little-endian: "dmpblock", uint32 version (1), int32
 * cluster, int64 block, int64 total, uint32 entries, uint32 chunks, int64
 * first and last chunk, int64 first and last moment, int64 moment of sealing,
 * uint64 first transaction and horizon, then four hashes: of the block before,
 * of all blocks before (a Merkle root over their hashes, which keeps proofs
 * short), of the directory of chunks, and the root over the entries. Its hash
 * is SHA-256(0x02 || header).
 *-------------------------------------------------------------------------
 */
#include "govern/ledger.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "utils/timestamp.h"
#include "utils/xid8.h"

PG_FUNCTION_INFO_V1(dmp_audit_directory);

static unsigned char *
put(unsigned char *at, uint64 value, int bytes)
{
	int i;

	for (i = 0; i < bytes; i++)
		at[i] = (unsigned char) (value >> 8 * i);
	return at + bytes;
}

static uint64
get(const unsigned char *at, int bytes)
{
	uint64 value = 0;

	while (bytes-- > 0)
		value = value << 8 | at[bytes];
	return value;
}

static unsigned char *
put_hash(unsigned char *at, const unsigned char *hash)
{
	memcpy(at, hash, DMP_HASH);
	return at + DMP_HASH;
}

void
dmp_block_header(const LedgerBlock *block, unsigned char *header)
{
	unsigned char *at = header;

	memcpy(at, "dmpblock", 8);
	at = put(at + 8, 1, 4);
	at = put(at, (uint32) block->cluster, 4);
	at = put(at, block->block, 8);
	at = put(at, block->total, 8);
	at = put(at, (uint32) block->entries, 4);
	at = put(at, (uint32) block->chunks, 4);
	at = put(at, block->first_chunk, 8);
	at = put(at, block->last_chunk, 8);
	at = put(at, block->first_at, 8);
	at = put(at, block->last_at, 8);
	at = put(at, block->sealed_at, 8);
	at = put(at, block->xact_from, 8);
	at = put(at, block->horizon, 8);
	Assert(at - header == LEDGER_HEADER_PREVIOUS);
	at = put_hash(at, block->previous);
	at = put_hash(at, block->history);
	at = put_hash(at, block->directory_hash);
	Assert(at - header == LEDGER_HEADER_ROOT);
	put_hash(at, block->root);
}

void
dmp_block_hash(LedgerHash *hash, const LedgerBlock *block, unsigned char *out)
{
	unsigned char bytes[1 + LEDGER_HEADER_SIZE];

	bytes[0] = 0x02;
	dmp_block_header(block, bytes + 1);
	dmp_ledger_sha(hash, bytes, sizeof(bytes), out);
}

void
dmp_block_leaf(LedgerHash *hash, const unsigned char *block_hash, unsigned char *leaf)
{
	unsigned char bytes[1 + DMP_HASH];

	bytes[0] = 0x00;
	memcpy(bytes + 1, block_hash, DMP_HASH);
	dmp_ledger_sha(hash, bytes, sizeof(bytes), leaf);
}

void
dmp_part_write(const LedgerPart *part, unsigned char *bytes)
{
	bytes = put(bytes, part->id, 8);
	bytes = put(bytes, part->at, 8);
	put(bytes, (uint32) part->entries, 4);
}

void
dmp_part_read(LedgerPart *part, const unsigned char *bytes)
{
	part->id = (int64) get(bytes, 8);
	part->at = (int64) get(bytes + 8, 8);
	part->entries = (int32) get(bytes + 16, 4);
}

static bool
read_hash(Datum value, unsigned char *hash)
{
	struct varlena *bytes = PG_DETOAST_DATUM_PACKED(value);

	memset(hash, 0, DMP_HASH);
	if (VARSIZE_ANY_EXHDR(bytes) != DMP_HASH)
		return false;
	memcpy(hash, VARDATA_ANY(bytes), DMP_HASH);
	return true;
}

bool
dmp_block_read(LedgerBlock *block, HeapTuple tuple, TupleDesc desc)
{
	Datum v[BLOCK_NCOLUMNS];
	bool nulls[BLOCK_NCOLUMNS];
	bool good;

	heap_deform_tuple(tuple, desc, v, nulls);
	block->block = DatumGetInt64(v[0]);
	block->cluster = DatumGetInt32(v[1]);
	block->total = DatumGetInt64(v[2]);
	block->entries = DatumGetInt32(v[3]);
	block->chunks = DatumGetInt32(v[4]);
	block->first_chunk = DatumGetInt64(v[5]);
	block->last_chunk = DatumGetInt64(v[6]);
	block->first_at = DatumGetTimestampTz(v[7]);
	block->last_at = DatumGetTimestampTz(v[8]);
	block->sealed_at = DatumGetTimestampTz(v[9]);
	block->xact_from = U64FromFullTransactionId(DatumGetFullTransactionId(v[10]));
	block->horizon = U64FromFullTransactionId(DatumGetFullTransactionId(v[11]));
	good = read_hash(v[12], block->previous);
	good &= read_hash(v[13], block->history);
	good &= read_hash(v[14], block->directory_hash);
	good &= read_hash(v[15], block->root);
	good &= read_hash(v[16], block->hash);
	return good;
}

void
dmp_head_read(LedgerHead *head, LedgerHash *hash)
{
	struct varlena *peaks;
	bool isnull;
	int level, n = 0;

	memset(head->hash, 0, DMP_HASH);
	head->block = head->total = 0;
	dmp_merkle_init(&head->history, dmp_ledger_sha, hash);
	if (dmp_spi_registry("SELECT block, total, hash, peaks FROM dmp_internal.audit_head", NULL,
						 hash->read_only) == 0)
		return;
	head->block = dmp_spi_int8(0, 1, 0);
	head->total = dmp_spi_int8(0, 2, 0);
	if (!read_hash(dmp_spi_datum(0, 3, &isnull), head->hash))
		head->history.n = 0;
	/* one 32-byte peak for each bit of the number of blocks, lowest first */
	peaks = PG_DETOAST_DATUM_PACKED(dmp_spi_datum(0, 4, &isnull));
	for (level = 0; level < 63; level++)
	{
		if (!(head->block >> level & 1))
			continue;
		if (VARSIZE_ANY_EXHDR(peaks) < (n + 1) * DMP_HASH)
			ereport(
				ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED), errmsg("the head of the audit ledger is damaged"),
				 errhint("SELECT * FROM dmp.verify_audit() tells what is wrong with the ledger.")));
		memcpy(head->history.peaks[level], VARDATA_ANY(peaks) + n * DMP_HASH, DMP_HASH);
		n++;
	}
	head->history.n = head->block;
	SPI_freetuptable(SPI_tuptable);
}

static Datum
bytes_datum(const unsigned char *bytes, size_t length)
{
	bytea *datum = palloc(VARHDRSZ + length);

	SET_VARSIZE(datum, VARHDRSZ + length);
	memcpy(VARDATA(datum), bytes, length);
	return PointerGetDatum(datum);
}

void
dmp_head_write(const LedgerHead *head)
{
	unsigned char peaks[DMP_MERKLE_LEVELS * DMP_HASH];
	DmpArgs args = {0};
	int level, n = 0;

	for (level = 0; level < 63; level++)
		if (head->block >> level & 1)
			memcpy(peaks + DMP_HASH * n++, head->history.peaks[level], DMP_HASH);
	dmp_arg_int8(&args, head->block);
	dmp_arg_int8(&args, head->total);
	dmp_arg(&args, BYTEAOID, bytes_datum(head->hash, DMP_HASH), false);
	dmp_arg(&args, BYTEAOID, bytes_datum(peaks, n * DMP_HASH), false);
	dmp_spi_registry("INSERT INTO dmp_internal.audit_head (block, total, hash, peaks) "
					 "VALUES ($1, $2, $3, $4) ON CONFLICT (one) DO UPDATE "
					 "SET block = $1, total = $2, hash = $3, peaks = $4",
					 &args, false);
}

void
dmp_block_append(LedgerHash *hash, LedgerHead *head, LedgerBlock *block, bytea *directory,
				 bytea *leaves)
{
	DmpArgs args = {0};
	unsigned char leaf[DMP_HASH];

	block->block = head->block + 1;
	block->total = head->total + block->entries;
	memcpy(block->previous, head->hash, DMP_HASH);
	dmp_merkle_root(&head->history, block->history);
	dmp_block_hash(hash, block, block->hash);

	dmp_arg_int8(&args, block->block);
	dmp_arg_int4(&args, block->cluster);
	dmp_arg_int8(&args, block->total);
	dmp_arg_int4(&args, block->entries);
	dmp_arg_int4(&args, block->chunks);
	dmp_arg_int8(&args, block->first_chunk);
	dmp_arg_int8(&args, block->last_chunk);
	dmp_arg(&args, TIMESTAMPTZOID, TimestampTzGetDatum(block->first_at), false);
	dmp_arg(&args, TIMESTAMPTZOID, TimestampTzGetDatum(block->last_at), false);
	dmp_arg(&args, TIMESTAMPTZOID, TimestampTzGetDatum(block->sealed_at), false);
	dmp_arg(&args, XID8OID, FullTransactionIdGetDatum(FullTransactionIdFromU64(block->xact_from)),
			false);
	dmp_arg(&args, XID8OID, FullTransactionIdGetDatum(FullTransactionIdFromU64(block->horizon)),
			false);
	dmp_arg(&args, BYTEAOID, bytes_datum(block->previous, DMP_HASH), false);
	dmp_arg(&args, BYTEAOID, bytes_datum(block->history, DMP_HASH), false);
	dmp_arg(&args, BYTEAOID, bytes_datum(block->directory_hash, DMP_HASH), false);
	dmp_arg(&args, BYTEAOID, bytes_datum(block->root, DMP_HASH), false);
	dmp_arg(&args, BYTEAOID, bytes_datum(block->hash, DMP_HASH), false);
	dmp_arg(&args, BYTEAOID, PointerGetDatum(directory), false);
	dmp_arg(&args, BYTEAOID, PointerGetDatum(leaves), false);
	dmp_spi_registry("WITH header AS (INSERT INTO dmp_internal.audit_block VALUES ($1, $2, $3, $4, "
					 "$5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)) "
					 "INSERT INTO dmp_internal.audit_commitment VALUES ($1, $18, $19)",
					 &args, false);

	dmp_block_leaf(hash, block->hash, leaf);
	dmp_merkle_add(&head->history, leaf);
	memcpy(head->hash, block->hash, DMP_HASH);
	head->block = block->block;
	head->total = block->total;
}

char *
dmp_hex(const unsigned char *bytes, size_t length)
{
	char *text = palloc(2 * length + 1);

	text[hex_encode((const char *) bytes, length, text)] = '\0';
	return text;
}

/* dmp_internal.audit_directory(bytea) -> (chunk, at, entries): the chunks of a block */
Datum
dmp_audit_directory(PG_FUNCTION_ARGS)
{
	bytea *directory = PG_GETARG_BYTEA_PP(0);
	const unsigned char *bytes = (unsigned char *) VARDATA_ANY(directory);
	size_t n = VARSIZE_ANY_EXHDR(directory) / LEDGER_PART_SIZE, i;
	bool nulls[3] = {false, false, false};

	dmp_srf_begin(fcinfo);
	for (i = 0; i < n; i++)
	{
		LedgerPart part;
		Datum values[3];

		CHECK_FOR_INTERRUPTS();
		dmp_part_read(&part, bytes + i * LEDGER_PART_SIZE);
		values[0] = Int64GetDatum(part.id);
		values[1] = TimestampTzGetDatum(part.at);
		values[2] = Int32GetDatum(part.entries);
		dmp_srf_row(fcinfo, values, nulls);
	}
	return (Datum) 0;
}
