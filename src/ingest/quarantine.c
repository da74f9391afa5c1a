/*-------------------------------------------------------------------------
 * quarantine.c
 *		Writing rejected records, and giving them up.
 *
 * Rows are collected in a tuplestore and written by one INSERT ... SELECT
 * over it, so that tens of thousands of rejected rows cost what a bulk insert
 * costs. The table has a fixed policy: members of the owner see a row and may
 * correct its record; only C code here adds rows or changes their state.
 *-------------------------------------------------------------------------
 */
#include "ingest/quarantine.h"

#include "base/base.h"
#include "catalog/pg_type.h"
#include "ingest/ingest.h"
#include "mb/pg_wchar.h"
#include "utils/array.h"
#include "utils/memutils.h"
#include "utils/tuplestore.h"

PG_FUNCTION_INFO_V1(dmp_discard_quarantine);

struct DmpQuarantine
{
	int64 batch;
	char *source;
	char *recipe;
	Oid owner;
	MemoryContext row_context;
	Tuplestorestate *rows;
	TupleDesc desc;
	int64 n;
};

/* columns of the tuplestore, in the order of the INSERT below */
static const struct
{
	const char *name;
	Oid type;
} quarantine_columns[] = {
	{"line_no", INT8OID},      {"record", TEXTOID},  {"raw", BYTEAOID},
	{"column_name", TEXTOID},  {"reason", TEXTOID},  {"sqlstate", TEXTOID},
	{"origin", TEXTOID},       {"lake_id", INT8OID}, {"received_at", TIMESTAMPTZOID},
	{"record_bytes", INT8OID}, {"header", TEXTOID},
};
#define N_COLUMNS ((int) lengthof(quarantine_columns))

DmpQuarantine *
dmp_quarantine_begin(int64 batch, const char *source, const char *recipe, Oid owner)
{
	DmpQuarantine *q = palloc0(sizeof(DmpQuarantine));

	q->batch = batch;
	q->source = source ? pstrdup(source) : NULL;
	q->recipe = recipe ? pstrdup(recipe) : NULL;
	q->owner = owner;
	q->row_context =
		AllocSetContextCreate(CurrentMemoryContext, "dmp quarantine row", ALLOCSET_DEFAULT_SIZES);
	q->rows = tuplestore_begin_heap(false, false, work_mem);
	q->desc = CreateTemplateTupleDesc(N_COLUMNS);
	for (int i = 0; i < N_COLUMNS; i++)
		TupleDescInitEntry(q->desc, i + 1, quarantine_columns[i].name, quarantine_columns[i].type,
						   -1, 0);
	return q;
}

/* text when the bytes are valid in the server's encoding, without NUL */
static bool
is_text(const char *bytes, int64 length)
{
	return memchr(bytes, '\0', length) == NULL &&
		   pg_verify_mbstr(GetDatabaseEncoding(), bytes, length, true);
}

static Datum
optional_text(const char *value, bool *isnull)
{
	*isnull = (value == NULL);
	return value ? CStringGetTextDatum(value) : (Datum) 0;
}

static Datum
optional_int8(int64 value, bool *isnull)
{
	*isnull = (value == 0);
	return Int64GetDatum(value);
}

void
dmp_quarantine_add(DmpQuarantine *q, const DmpRejected *row)
{
	Datum values[N_COLUMNS] = {0};
	bool nulls[N_COLUMNS];
	MemoryContext old = MemoryContextSwitchTo(q->row_context);
	int64 length = row->length;
	bool whole = row->full_length <= row->length && length <= DMP_RECORD_MAX;

	for (int i = 0; i < N_COLUMNS; i++)
		nulls[i] = true;
	values[0] = optional_int8(row->line_no, &nulls[0]);
	if (row->record != NULL)
	{
		int kept = whole ? (int) length : (int) Min(length, DMP_RECORD_HEAD);

		if (whole && !row->raw && is_text(row->record, length))
		{
			values[1] = PointerGetDatum(cstring_to_text_with_len(row->record, kept));
			nulls[1] = false;
		}
		else
		{
			bytea *raw = palloc(VARHDRSZ + kept);

			SET_VARSIZE(raw, VARHDRSZ + kept);
			memcpy(VARDATA(raw), row->record, kept);
			values[2] = PointerGetDatum(raw);
			nulls[2] = false;
		}
		values[9] = Int64GetDatum(Max(length, row->full_length));
		nulls[9] = false;
	}
	values[3] = optional_text(row->column_name, &nulls[3]);
	values[4] = optional_text(row->reason ? row->reason : "", &nulls[4]);
	values[5] = optional_text(row->sqlstate ? row->sqlstate : "22000", &nulls[5]);
	values[6] = optional_text(row->origin, &nulls[6]);
	values[7] = optional_int8(row->lake_id, &nulls[7]);
	values[8] = TimestampTzGetDatum(row->received_at);
	nulls[8] = (row->received_at == 0);
	values[10] = optional_text(row->header, &nulls[10]);
	tuplestore_putvalues(q->rows, q->desc, values, nulls);
	MemoryContextSwitchTo(old);
	MemoryContextReset(q->row_context);
	q->n++;
}

int64
dmp_quarantine_end(DmpQuarantine *q)
{
	int64 n = q->n;

	if (n > 0)
	{
		DmpArgs args = {0};

		dmp_spi_connect();
		dmp_register_rows("dmp_rejected", q->desc, q->rows, n);
		dmp_arg_int8(&args, q->batch);
		dmp_arg_text(&args, q->source);
		dmp_arg_text(&args, q->recipe);
		dmp_arg_oid(&args, q->owner);
		if (q->batch == 0)
			args.nulls[0] = 'n';
		dmp_spi_registry(
			"INSERT INTO dmp.quarantine (batch, source, recipe, line_no, record, raw, column_name,"
			" reason, sqlstate, owner, origin, lake_id, received_at, record_bytes, header)"
			" SELECT $1, $2, $3, line_no, record, raw, column_name, reason, sqlstate, $4, origin,"
			" lake_id, received_at, record_bytes, header FROM dmp_rejected",
			&args, false);
		SPI_unregister_relation("dmp_rejected");
		dmp_spi_finish();
	}
	tuplestore_end(q->rows);
	MemoryContextDelete(q->row_context);
	pfree(q);
	return n;
}

/*
 * Makes a tuplestore readable in statements of the current SPI connection
 * under a name, until SPI_unregister_relation.
 */
void
dmp_register_rows(const char *name, TupleDesc desc, Tuplestorestate *rows, double n)
{
	EphemeralNamedRelation enr = palloc0(sizeof(EphemeralNamedRelationData));
	int rc;

	enr->md.name = pstrdup(name);
	enr->md.reliddesc = InvalidOid;
	enr->md.tupdesc = desc;
	enr->md.enrtype = ENR_NAMED_TUPLESTORE;
	enr->md.enrtuples = n;
	enr->reldata = rows;
	rc = SPI_register_relation(enr);
	if (rc != SPI_OK_REL_REGISTER)
		elog(ERROR, "could not register rows: %s", SPI_result_code_string(rc));
}

/*
 * dmp.discard_quarantine(ids, note) -> TABLE(rows_discarded, rows_open): gives
 * open rows up; they stay, with the note. Rows of others are not found.
 */
Datum
dmp_discard_quarantine(PG_FUNCTION_ARGS)
{
	DmpArgs args = {0};
	DmpArgs mine = {0};
	Datum values[2];
	bool nulls[2] = {false, false};
	bool isnull;
	Datum ids;

	if (PG_ARGISNULL(0))
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("ids must not be null")));
	dmp_srf_begin(fcinfo);
	dmp_spi_connect();
	/* which of them the caller may see is the policy's business */
	dmp_arg(&mine, INT8ARRAYOID, PG_GETARG_DATUM(0), false);
	dmp_spi("SELECT coalesce(array_agg(id), '{}') FROM dmp.quarantine WHERE id = ANY ($1)", &mine,
			false);
	ids = dmp_spi_datum(0, 1, &isnull);
	dmp_arg(&args, INT8ARRAYOID, ids, false);
	dmp_arg(&args, TEXTOID, PG_ARGISNULL(1) ? (Datum) 0 : PG_GETARG_DATUM(1), PG_ARGISNULL(1));
	values[0] = Int64GetDatum((int64) dmp_spi_registry(
		"UPDATE dmp.quarantine SET state = 'discarded', note = coalesce($2, note)"
		" WHERE id = ANY ($1) AND state = 'open'",
		&args, false));
	dmp_spi("SELECT count(*) FROM dmp.quarantine WHERE state = 'open'", NULL, false);
	values[1] = Int64GetDatum(dmp_spi_int8(0, 1, 0));
	dmp_srf_row(fcinfo, values, nulls);
	dmp_spi_finish();
	PG_RETURN_NULL();
}
