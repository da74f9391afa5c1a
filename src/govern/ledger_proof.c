/*-------------------------------------------------------------------------
 * ledger_proof.c
 *		Digests for storage elsewhere, and proofs that lead to them.
 *
 * A digest is the number and the hash of a block, which commits to all before
 * it. A proof holds the bytes of one entry, the audit path to the root in the
 * header of its block, that header, and the path from the header's hash to
 * the history in the header that the digest is the hash of. Nothing of it has
 * to be believed but the digest; the README has the lines that check it.
 *-------------------------------------------------------------------------
 */
#include "govern/verify.h"

#include "catalog/pg_type.h"
#include "utils/jsonb.h"
#include "utils/xid8.h"

PG_FUNCTION_INFO_V1(dmp_audit_digest);
PG_FUNCTION_INFO_V1(dmp_audit_proof);

static LedgerDigest *
parse_one(const DmpDoc *doc)
{
	static const char *const known[] = {"version", "block", "entries", "sealed_at", "hash", NULL};
	LedgerDigest *digest = palloc0(sizeof(LedgerDigest));
	char *hash;
	double block;

	dmp_doc_check_keys(doc, "digest", known);
	if (dmp_doc_number(doc, "version", 1, "digest") != 1)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("digest is of an unknown version")));
	block = dmp_doc_number(doc, "block", -1, "digest");
	hash = dmp_doc_string(doc, "hash", NULL, "digest");
	if (!(block >= 0 && block < 1e15 && block == (double) (int64) block) || hash == NULL ||
		strlen(hash) != 2 * DMP_HASH || strspn(hash, "0123456789abcdefABCDEF") != 2 * DMP_HASH)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("digest must have the number of a block and its hash"),
						errhint("Give what dmp.audit_digest() returned, or an array of such.")));
	digest->block = (int64) block;
	hex_decode(hash, 2 * DMP_HASH, (char *) digest->hash);
	return digest;
}

List *
dmp_digests_parse(Datum digest)
{
	DmpDoc *doc = dmp_doc_from_jsonb(digest, "digest");
	List *digests = NIL;
	int i;

	if (doc->kind != DMP_DOC_ARRAY)
		return list_make1(parse_one(doc));
	for (i = 0; i < doc->n; i++)
		digests = lappend(digests, parse_one(doc->items[i]));
	return digests;
}

/* dmp.audit_digest(): of a log that was never sealed, block 0 and a hash of zeros */
Datum
dmp_audit_digest(PG_FUNCTION_ARGS)
{
	char *text;
	Datum result;

	dmp_spi_connect();
	dmp_spi_registry(
		"SELECT coalesce((SELECT jsonb_build_object('version', 1, 'block', h.block, "
		"'entries', h.total, 'hash', encode(h.hash, 'hex'), "
		"'sealed_at', to_char(b.sealed_at AT TIME ZONE 'UTC', "
		"'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')) "
		"FROM dmp_internal.audit_head AS h LEFT JOIN dmp_internal.audit_block AS b USING (block)), "
		"jsonb_build_object('version', 1, 'block', 0, 'entries', 0, 'hash', repeat('0', 64), "
		"'sealed_at', NULL))::text",
		NULL, true);
	text = dmp_spi_text(0, 1);
	result = SPI_datumTransfer(DirectFunctionCall1(jsonb_in, CStringGetDatum(text)), false, -1);
	dmp_spi_finish();
	PG_RETURN_DATUM(result);
}

static void
read_block(LedgerBlock *block, int64 number)
{
	DmpArgs args = {0};

	dmp_arg_int8(&args, number);
	if (dmp_spi_registry("SELECT " BLOCK_COLUMNS " FROM dmp_internal.audit_block AS b "
						 "WHERE b.block = $1",
						 &args, true) == 0 ||
		!dmp_block_read(block, SPI_tuptable->vals[0], SPI_tuptable->tupdesc))
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("block " INT64_FORMAT " of the audit ledger is missing or damaged", number),
				 errhint("SELECT * FROM dmp.verify_audit() tells what is wrong with the ledger.")));
	SPI_freetuptable(SPI_tuptable);
}

static void
put_path(StringInfo buf, const char *key, const DmpMerklePath *path)
{
	int i;

	appendStringInfo(buf, ", \"%s\": [", key);
	for (i = 0; i < path->depth; i++)
		appendStringInfo(buf, "%s[\"%s\", \"%s\"]", i > 0 ? ", " : "",
						 path->left[i] ? "left" : "right", dmp_hex(path->path[i], DMP_HASH));
	appendStringInfoChar(buf, ']');
}

/* number of the block with this chunk; 0: not sealed yet */
static int64
block_of(const LedgerChunk *chunk)
{
	DmpArgs args = {0};
	int64 block = 0;

	dmp_arg_int8(&args, chunk->id);
	dmp_arg(&args, INT4OID, chunk->values[CHUNK_CLUSTER], false);
	dmp_arg(&args, XID8OID, chunk->values[CHUNK_XACT], false);
	if (dmp_spi_registry(
			"SELECT b.block FROM dmp_internal.audit_block AS b "
			"JOIN dmp_internal.audit_commitment AS k USING (block) "
			"WHERE b.cluster = $2 AND b.xact_from <= $3 AND b.horizon > $3 "
			"AND b.first_chunk <= $1 AND b.last_chunk >= $1 AND EXISTS "
			"(SELECT FROM dmp_internal.audit_directory(k.directory) AS p WHERE p.chunk = $1)",
			&args, true) > 0)
		block = dmp_spi_int8(0, 1, 0);
	SPI_freetuptable(SPI_tuptable);
	return block;
}

/* the audit path of one leaf in its block; false: the stored leaves do not give the root */
static bool
path_in_block(LedgerHash *hash, const LedgerBlock *block, const LedgerChunk *chunk, int place,
			  const unsigned char *leaf, DmpMerklePath *path)
{
	DmpArgs args = {0};
	struct varlena *directory, *leaves;
	unsigned char root[DMP_HASH];
	int64 index = 0;
	bool isnull;
	int i;

	dmp_arg_int8(&args, block->block);
	dmp_spi_registry("SELECT directory, leaves FROM dmp_internal.audit_commitment WHERE block = $1",
					 &args, true);
	directory = PG_DETOAST_DATUM_PACKED(dmp_spi_datum(0, 1, &isnull));
	leaves = PG_DETOAST_DATUM_PACKED(dmp_spi_datum(0, 2, &isnull));
	for (i = 0; i < VARSIZE_ANY_EXHDR(directory) / LEDGER_PART_SIZE; i++)
	{
		LedgerPart part;

		dmp_part_read(&part,
					  (unsigned char *) VARDATA_ANY(directory) + (size_t) i * LEDGER_PART_SIZE);
		if (part.id == chunk->id)
			break;
		index += part.entries;
	}
	index += place;
	if (VARSIZE_ANY_EXHDR(leaves) != (size_t) block->entries * DMP_HASH || index >= block->entries)
		return false;
	dmp_merkle_path_init(path, dmp_ledger_sha, hash, block->entries, index);
	for (i = 0; i < block->entries; i++)
	{
		if (i % 1000 == 0)
			CHECK_FOR_INTERRUPTS();
		dmp_merkle_path_add(path, (unsigned char *) VARDATA_ANY(leaves) + (size_t) i * DMP_HASH);
	}
	dmp_merkle_climb(path, leaf, root);
	return memcmp(root, block->root, DMP_HASH) == 0;
}

/* the path from a block to the history in the header of a later one */
static bool
path_in_history(LedgerHash *hash, const LedgerBlock *block, const LedgerBlock *last,
				DmpMerklePath *path)
{
	DmpArgs args = {0};
	DmpIdentity saved;
	Portal portal;
	unsigned char leaf[DMP_HASH], root[DMP_HASH];
	int64 expected = 1;

	dmp_merkle_path_init(path, dmp_ledger_sha, hash, last->block - 1, block->block - 1);
	dmp_arg_int8(&args, last->block);
	dmp_identity_begin(&saved);
	portal = SPI_cursor_open_with_args(NULL,
									   "SELECT block, hash FROM dmp_internal.audit_block "
									   "WHERE block < $1 ORDER BY block",
									   args.n, args.types, args.values, args.nulls, true, 0);
	dmp_identity_end(&saved);
	for (;;)
	{
		uint64 i, n;

		SPI_cursor_fetch(portal, true, 1000);
		n = SPI_processed;
		for (i = 0; i < n; i++)
		{
			bool isnull;
			struct varlena *stored = PG_DETOAST_DATUM_PACKED(dmp_spi_datum(i, 2, &isnull));

			CHECK_FOR_INTERRUPTS();
			if (dmp_spi_int8(i, 1, 0) != expected++ || VARSIZE_ANY_EXHDR(stored) != DMP_HASH)
				return false;
			dmp_block_leaf(hash, (unsigned char *) VARDATA_ANY(stored), leaf);
			dmp_merkle_path_add(path, leaf);
		}
		SPI_freetuptable(SPI_tuptable);
		if (n == 0)
			break;
	}
	SPI_cursor_close(portal);
	if (expected != last->block)
		return false;
	dmp_block_leaf(hash, block->hash, leaf);
	dmp_merkle_climb(path, leaf, root);
	return memcmp(root, last->history, DMP_HASH) == 0;
}

static void
proof_fails(int64 entry)
{
	ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED),
					errmsg("entry " INT64_FORMAT " of the audit log cannot be proven", entry),
					errdetail("The log or the ledger is not what was sealed."),
					errhint("SELECT * FROM dmp.verify_audit() tells what was changed.")));
}

/* the image of an entry that the caller may read */
static void
read_entry(int64 entry, LedgerChunk *chunk, LedgerImage *image)
{
	DmpArgs args = {0};
	size_t offset = 0;
	int place = entry % DMP_CHUNK_ENTRIES;
	bool found;

	dmp_arg_int8(&args, entry / DMP_CHUNK_ENTRIES);
	/* as the caller: the log's row policies say who may read it */
	found = entry >= 0 && dmp_spi("SELECT " CHUNK_COLUMNS " FROM dmp_internal.audit_chunk AS c "
								  "WHERE c.id OPERATOR(pg_catalog.=) $1",
								  &args, true) > 0;
	if (found)
	{
		dmp_chunk_read(chunk, SPI_tuptable->vals[0], SPI_tuptable->tupdesc);
		do
			found = dmp_chunk_image(chunk, &offset, image);
		while (found && place-- > 0);
	}
	if (!found)
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT),
						errmsg("entry " INT64_FORMAT " of the audit log does not exist", entry),
						errdetail("Or it is about a table that is not yours.")));
}

/* dmp.audit_proof(entry, digest): NULL for no entry */
Datum
dmp_audit_proof(PG_FUNCTION_ARGS)
{
	int64 entry;
	int place;
	LedgerHash *hash;
	LedgerDigest digest;
	LedgerChunk chunk;
	LedgerImage image;
	LedgerBlock block, last;
	DmpMerklePath *path;
	StringInfoData buf;
	unsigned char meta[DMP_HASH], inner[DMP_HASH], leaf[DMP_HASH], header[LEDGER_HEADER_SIZE];
	int64 number;
	Datum result;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	entry = PG_GETARG_INT64(0);
	place = entry % DMP_CHUNK_ENTRIES;
	dmp_spi_connect();
	hash = dmp_ledger_hash_open(true);
	path = palloc(sizeof(DmpMerklePath));
	read_entry(entry, &chunk, &image);
	number = block_of(&chunk);
	if (number == 0)
		ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						errmsg("entry " INT64_FORMAT " of the audit log is not sealed yet", entry),
						errhint("dmp.seal_audit() seals what finished transactions wrote.")));
	if (!PG_ARGISNULL(1))
	{
		List *digests = dmp_digests_parse(PG_GETARG_DATUM(1));

		if (list_length(digests) != 1)
			ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
							errmsg("a proof leads to one digest")));
		digest = *(LedgerDigest *) linitial(digests);
	}
	else
	{
		bool isnull;

		dmp_spi_registry("SELECT max(block) FROM dmp_internal.audit_block", NULL, true);
		digest.block = DatumGetInt64(dmp_spi_datum(0, 1, &isnull));
	}
	if (digest.block < number)
		ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						errmsg("the digest is older than entry " INT64_FORMAT, entry),
						errdetail("The entry is in block " INT64_FORMAT
								  ", the digest is of block " INT64_FORMAT ".",
								  number, digest.block)));
	read_block(&block, number);
	read_block(&last, digest.block);
	if (!PG_ARGISNULL(1) && memcmp(digest.hash, last.hash, DMP_HASH) != 0)
		proof_fails(entry);

	(void) dmp_ledger_meta(hash, &chunk, chunk.id, meta);
	dmp_ledger_inner(hash, &image, inner);
	dmp_ledger_leaf(hash, meta, place, inner, leaf);
	initStringInfo(&buf);
	appendStringInfo(&buf,
					 "{\"version\": 1, \"entry\": " INT64_FORMAT ", \"place\": %d, "
					 "\"block\": " INT64_FORMAT ", \"meta\": \"%s\"",
					 entry, place, number,
					 dmp_hex((unsigned char *) hash->meta.data, hash->meta.len));
	if (image.erased)
		appendStringInfo(&buf, ", \"commitment\": \"%s\"", dmp_hex(inner, DMP_HASH));
	else
		appendStringInfo(&buf, ", \"content\": \"%s\"", dmp_hex(image.data, image.length));
	if (!path_in_block(hash, &block, &chunk, place, leaf, path))
		proof_fails(entry);
	put_path(&buf, "path", path);
	path->depth = 0;
	if (last.block > block.block && !path_in_history(hash, &block, &last, path))
		proof_fails(entry);
	put_path(&buf, "history", path);
	dmp_block_header(&block, header);
	appendStringInfo(&buf, ", \"header\": \"%s\"", dmp_hex(header, sizeof(header)));
	dmp_block_header(&last, header);
	appendStringInfo(&buf, ", \"last\": \"%s\"}", dmp_hex(header, sizeof(header)));
	result = SPI_datumTransfer(DirectFunctionCall1(jsonb_in, CStringGetDatum(buf.data)), false, -1);
	dmp_ledger_hash_close(hash);
	dmp_spi_finish();
	PG_RETURN_DATUM(result);
}
