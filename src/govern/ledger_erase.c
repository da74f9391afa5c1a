/*-------------------------------------------------------------------------
 * ledger_erase.c
 *		Entries whose payload must go, while their proof stays.
 *
 * An entry's leaf holds SHA-256(salt || payload). Putting that hash in the
 * place of salt and payload leaves the leaf what it was, sealed or not yet,
 * and tells nothing of the payload: without the 16 random bytes of salt no
 * guess can be checked.
 *-------------------------------------------------------------------------
 */
#include "govern/ledger.h"

#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/memutils.h"

PG_FUNCTION_INFO_V1(dmp_erase_entries);

/*
 * The body with the images at these places (n of them, ascending) erased;
 * NULL when none was kept that is to go.
 */
static bytea *
erased_body(LedgerHash *hash, const LedgerChunk *chunk, const int64 *entries, int n, int64 *erased)
{
	bytea *body = palloc(VARHDRSZ + chunk->length + (size_t) n * DMP_HASH);
	unsigned char *to = (unsigned char *) VARDATA(body);
	size_t offset = 0;
	LedgerImage image;
	int place = 0, next = 0;
	int64 before = *erased;

	for (;;)
	{
		size_t start = offset;

		if (!dmp_chunk_image(chunk, &offset, &image))
			break;
		while (next < n && entries[next] % DMP_CHUNK_ENTRIES < place)
			next++;
		if (next < n && entries[next] % DMP_CHUNK_ENTRIES == place && !image.erased)
		{
			static const unsigned char head[5] = {1, DMP_HASH, 0, 0, 0};

			memcpy(to, head, sizeof(head));
			dmp_ledger_inner(hash, &image, to + sizeof(head));
			to += sizeof(head) + DMP_HASH;
			(*erased)++;
		}
		else
		{
			memcpy(to, chunk->body + start, offset - start);
			to += offset - start;
		}
		place++;
	}
	/* bytes that make no image stay as they are: verify names them */
	memcpy(to, chunk->body + offset, chunk->length - offset);
	to += chunk->length - offset;
	SET_VARSIZE(body, (char *) to - (char *) body);
	return *erased > before ? body : NULL;
}

/* n entries of one chunk, ascending; inside SPI */
static int64
erase_in_chunk(LedgerHash *hash, const int64 *entries, int n)
{
	DmpArgs args = {0};
	LedgerChunk chunk;
	int64 erased = 0;
	bytea *body;

	dmp_arg_int8(&args, entries[0] / DMP_CHUNK_ENTRIES);
	/* locked, so that the second of two erasures of one chunk starts from what the first left */
	if (dmp_spi_registry("SELECT " CHUNK_COLUMNS " FROM dmp_internal.audit_chunk AS c "
						 "WHERE c.id = $1 FOR UPDATE",
						 &args, false) == 0)
		return 0;
	dmp_chunk_read(&chunk, SPI_tuptable->vals[0], SPI_tuptable->tupdesc);
	body = erased_body(hash, &chunk, entries, n, &erased);
	SPI_freetuptable(SPI_tuptable);
	if (body == NULL)
		return 0;
	dmp_arg(&args, BYTEAOID, PointerGetDatum(body), false);
	dmp_spi_registry("UPDATE dmp_internal.audit_chunk SET body = $2 WHERE id = $1", &args, false);
	return erased;
}

static int
by_number(const void *a, const void *b)
{
	int64 left = *(const int64 *) a, right = *(const int64 *) b;

	return left < right ? -1 : left > right;
}

static int64
erase(int64 *entries, int n)
{
	LedgerHash *hash;
	MemoryContext row, before;
	int64 erased = 0;
	int i = 0, end;

	qsort(entries, n, sizeof(int64), by_number);
	dmp_spi_connect();
	hash = dmp_ledger_hash_open(false);
	row = AllocSetContextCreate(CurrentMemoryContext, "dmp erase", ALLOCSET_DEFAULT_SIZES);
	while (i < n)
	{
		CHECK_FOR_INTERRUPTS();
		for (end = i + 1; end < n; end++)
			if (entries[end] / DMP_CHUNK_ENTRIES != entries[i] / DMP_CHUNK_ENTRIES)
				break;
		before = MemoryContextSwitchTo(row);
		if (entries[i] >= 0)
			erased += erase_in_chunk(hash, entries + i, end - i);
		MemoryContextSwitchTo(before);
		MemoryContextReset(row);
		i = end;
	}
	dmp_ledger_hash_close(hash);
	dmp_spi_finish();
	return erased;
}

bool
dmp_ledger_erase(int64 entry)
{
	return erase(&entry, 1) > 0;
}

/* dmp_internal.erase_entries(bigint[]): how many were erased; NULLs, repeats and what is no entry count nothing */
Datum
dmp_erase_entries(PG_FUNCTION_ARGS)
{
	ArrayType *array = PG_GETARG_ARRAYTYPE_P(0);
	Datum *items;
	bool *nulls;
	int64 *entries;
	int n, i, kept = 0;

	deconstruct_array(array, INT8OID, sizeof(int64), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE, &items,
					  &nulls, &n);
	entries = palloc(sizeof(int64) * Max(n, 1));
	for (i = 0; i < n; i++)
		if (!nulls[i])
			entries[kept++] = DatumGetInt64(items[i]);
	PG_RETURN_INT64(erase(entries, kept));
}
