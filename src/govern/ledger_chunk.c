/*-------------------------------------------------------------------------
 * ledger_chunk.c
 *		What the ledger commits to: a chunk, its images, their hashes.
 *
 * Hashes are of stored bytes, never of what they stand for: a value that
 * prints otherwise under other settings is still the same. Nothing of a
 * chunk's encoding depends on OIDs or on the encoding of the database, so
 * that a dump and restore changes no hash.
 *
 * Encoding of meta, little-endian: int64 number of the chunk, uint32 version
 * (1), int32 cluster, int64 moment (microseconds since 2000-01-01), uint64
 * transaction, uint32 entries, one byte operation, one byte 1 and the int64
 * statement hash (or one byte 0 for none), 32 bytes hash of the shape, then
 * the texts, each a uint32 length (0xffffffff: none) and its UTF-8: session
 * role, effective role, actor, purpose, request, application, client.
 *-------------------------------------------------------------------------
 */
#include "govern/ledger.h"

#include "access/htup_details.h"
#include "math/sha256.h"
#include "mb/pg_wchar.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "utils/xid8.h"

#define META_VERSION 1

typedef struct Shape
{
	int32 id;
	bool found;
	unsigned char hash[DMP_HASH];
} Shape;

LedgerHash *
dmp_ledger_hash_open(bool read_only)
{
	MemoryContext context =
		AllocSetContextCreate(CurrentMemoryContext, "dmp ledger hash", ALLOCSET_DEFAULT_SIZES);
	LedgerHash *hash = MemoryContextAllocZero(context, sizeof(LedgerHash));
	MemoryContext before = MemoryContextSwitchTo(context);
	HASHCTL control = {0};

	hash->context = context;
	hash->read_only = read_only;
	initStringInfo(&hash->meta);
	control.keysize = sizeof(int32);
	control.entrysize = sizeof(Shape);
	control.hcxt = context;
	hash->shapes =
		hash_create("dmp ledger shapes", 64, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	MemoryContextSwitchTo(before);
	return hash;
}

void
dmp_ledger_hash_close(LedgerHash *hash)
{
	MemoryContextDelete(hash->context);
}

void
dmp_ledger_sha(void *arg, const unsigned char *data, size_t length, unsigned char *out)
{
	dmp_sha256(data, length, out);
}

static void
put_uint32(StringInfo buf, uint32 value)
{
	unsigned char bytes[4] = {value, value >> 8, value >> 16, value >> 24};

	appendBinaryStringInfo(buf, (char *) bytes, 4);
}

static void
put_uint64(StringInfo buf, uint64 value)
{
	put_uint32(buf, (uint32) value);
	put_uint32(buf, (uint32) (value >> 32));
}

static void
put_text(StringInfo buf, const char *bytes, int length)
{
	const char *utf8 = length > 0 ? pg_server_to_any(bytes, length, PG_UTF8) : bytes;

	if (utf8 != bytes)
		length = strlen(utf8);
	put_uint32(buf, length);
	appendBinaryStringInfo(buf, utf8, length);
	if (utf8 != bytes)
		pfree((char *) utf8);
}

/* SHA-256 of the names a payload is read by: relation and columns, as they are stored */
static Shape *
shape_of(LedgerHash *hash, int32 id)
{
	bool found;
	Shape *shape = hash_search(hash->shapes, &id, HASH_ENTER, &found);
	StringInfoData text;
	DmpArgs args = {0};
	SPITupleTable *outer = SPI_tuptable;
	uint64 outer_processed = SPI_processed;

	if (found)
		return shape;
	shape->found = false;
	memset(shape->hash, 0, DMP_HASH);
	dmp_arg_int4(&args, id);
	if (dmp_spi_registry("SELECT relation_name, columns::text FROM dmp_internal.audit_shape "
						 "WHERE id = $1",
						 &args, hash->read_only) > 0)
	{
		char *name = dmp_spi_text(0, 1);
		char *columns = dmp_spi_text(0, 2);

		initStringInfo(&text);
		put_text(&text, name, strlen(name));
		put_text(&text, columns, strlen(columns));
		dmp_ledger_sha(hash, (unsigned char *) text.data, text.len, shape->hash);
		shape->found = true;
		pfree(text.data);
	}
	SPI_freetuptable(SPI_tuptable);
	SPI_tuptable = outer;
	SPI_processed = outer_processed;
	return shape;
}

void
dmp_chunk_read(LedgerChunk *chunk, HeapTuple tuple, TupleDesc desc)
{
	struct varlena *body;

	heap_deform_tuple(tuple, desc, chunk->values, chunk->nulls);
	chunk->id = DatumGetInt64(chunk->values[CHUNK_ID]);
	chunk->at = DatumGetTimestampTz(chunk->values[CHUNK_AT]);
	body = PG_DETOAST_DATUM_PACKED(chunk->values[CHUNK_BODY]);
	chunk->body = (unsigned char *) VARDATA_ANY(body);
	chunk->length = VARSIZE_ANY_EXHDR(body);
}

bool
dmp_chunk_image(const LedgerChunk *chunk, size_t *offset, LedgerImage *image)
{
	const unsigned char *at = chunk->body + *offset;
	size_t left = chunk->length - *offset;
	size_t length;

	if (left < 5 || at[0] > 1)
		return false;
	length = at[1] | (size_t) at[2] << 8 | (size_t) at[3] << 16 | (size_t) at[4] << 24;
	if (length > left - 5)
		return false;
	image->erased = at[0] == 1;
	image->data = at + 5;
	image->length = length;
	if (image->erased && length != DMP_HASH)
		return false;
	*offset += 5 + length;
	return true;
}

bool
dmp_ledger_meta(LedgerHash *hash, const LedgerChunk *chunk, int64 id, unsigned char *meta)
{
	StringInfo buf = &hash->meta;
	Shape *shape = shape_of(hash, DatumGetInt32(chunk->values[CHUNK_SHAPE]));
	int i;

	resetStringInfo(buf);
	put_uint64(buf, id);
	put_uint32(buf, META_VERSION);
	put_uint32(buf, DatumGetInt32(chunk->values[CHUNK_CLUSTER]));
	put_uint64(buf, chunk->at);
	put_uint64(buf, U64FromFullTransactionId(DatumGetFullTransactionId(chunk->values[CHUNK_XACT])));
	put_uint32(buf, DatumGetInt32(chunk->values[CHUNK_ENTRIES]));
	appendStringInfoChar(buf, DatumGetChar(chunk->values[CHUNK_OPERATION]));
	appendStringInfoChar(buf, !chunk->nulls[CHUNK_STATEMENT_HASH]);
	if (!chunk->nulls[CHUNK_STATEMENT_HASH])
		put_uint64(buf, DatumGetInt64(chunk->values[CHUNK_STATEMENT_HASH]));
	appendBinaryStringInfo(buf, (char *) shape->hash, DMP_HASH);
	for (i = CHUNK_SESSION_ROLE; i <= CHUNK_CLIENT; i++)
	{
		struct varlena *text;

		if (chunk->nulls[i])
		{
			put_uint32(buf, PG_UINT32_MAX);
			continue;
		}
		text = PG_DETOAST_DATUM_PACKED(chunk->values[i]);
		put_text(buf, VARDATA_ANY(text), VARSIZE_ANY_EXHDR(text));
	}
	dmp_ledger_sha(hash, (unsigned char *) buf->data, buf->len, meta);
	return shape->found;
}

void
dmp_ledger_inner(LedgerHash *hash, const LedgerImage *image, unsigned char *inner)
{
	if (image->erased)
		memcpy(inner, image->data, DMP_HASH);
	else
		dmp_ledger_sha(hash, image->data, image->length, inner);
}

void
dmp_ledger_leaf(LedgerHash *hash, const unsigned char *meta, uint32 place,
				const unsigned char *inner, unsigned char *leaf)
{
	unsigned char bytes[1 + DMP_HASH + 4 + DMP_HASH];

	bytes[0] = 0x00;
	memcpy(bytes + 1, meta, DMP_HASH);
	bytes[33] = place;
	bytes[34] = place >> 8;
	bytes[35] = place >> 16;
	bytes[36] = place >> 24;
	memcpy(bytes + 37, inner, DMP_HASH);
	dmp_ledger_sha(hash, bytes, sizeof(bytes), leaf);
}
