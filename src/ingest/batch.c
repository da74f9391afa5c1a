/*-------------------------------------------------------------------------
 * batch.c
 *		What was loaded and ingested, and undoing it.
 *-------------------------------------------------------------------------
 */
#include "ingest/ingest.h"

#include "access/relation.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

PG_FUNCTION_INFO_V1(dmp_revert_batch);

int64
dmp_batch_next(void)
{
	static SPIPlanPtr plan = NULL;
	DmpArgs none = {0};
	int64 id;

	dmp_spi_connect();
	dmp_spi_registry_kept(&plan, "SELECT pg_catalog.nextval('dmp_internal.batch_id_seq')", &none);
	id = dmp_spi_int8(0, 1, 0);
	dmp_spi_finish();
	return id;
}

void
dmp_batch_record(const DmpSource *source, const DmpBatch *batch)
{
	DmpArgs args = {0};
	bool load = strcmp(batch->kind, "load") == 0;
	Oid into = load ? source->lake : source->into;

	dmp_arg_int8(&args, batch->id);
	dmp_arg_text(&args, source->name);
	dmp_arg_text(&args, batch->kind);
	dmp_arg_text(&args, batch->origin);
	dmp_arg(&args, REGCLASSOID, ObjectIdGetDatum(into), !OidIsValid(into));
	dmp_arg_int8(&args, batch->rows_read);
	dmp_arg_int8(&args, batch->rows_loaded);
	dmp_arg_int8(&args, batch->rows_duplicate);
	dmp_arg_int8(&args, batch->rows_quarantined);
	dmp_arg(&args, INT8OID, Int64GetDatum(batch->bytes), !load);
	dmp_arg(&args, JSONBOID, batch->ignored, batch->ignored == (Datum) 0);
	dmp_arg_text(&args, batch->content_hash);
	dmp_arg(&args, TIMESTAMPTZOID, TimestampTzGetDatum(batch->started_at), false);
	dmp_arg_oid(&args, source->owner);
	dmp_arg_oid(&args, OidIsValid(batch->done_by) ? batch->done_by : GetUserId());
	dmp_arg(&args, TIMESTAMPTZOID, TimestampTzGetDatum(batch->first_received_at),
			batch->first_received_at == 0);
	dmp_arg(&args, TIMESTAMPTZOID, TimestampTzGetDatum(batch->last_received_at),
			batch->first_received_at == 0);
	dmp_spi_connect();
	dmp_spi_registry(
		"INSERT INTO dmp_internal.batch (id, source, kind, origin, into_table,"
		" rows_read, rows_loaded, rows_duplicate, rows_quarantined, bytes,"
		" fields_ignored, content_hash, started_at, owner, done_by,"
		" first_received_at, last_received_at)"
		" OVERRIDING SYSTEM VALUE VALUES"
		" ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)",
		&args, false);
	dmp_spi_finish();
}

/* the column of table that names the batch: of a lake table, or by the source's mapping */
static const char *
batch_column(const char *source_name, const char *kind, Oid table)
{
	DmpSource *source;
	Relation rel;
	const char *column;

	if (strcmp(kind, "load") == 0)
		return "batch";
	source = dmp_source_get(source_name, true);
	if (source->mapping == NULL || !OidIsValid(source->into) || source->into != table)
		return NULL;
	rel = relation_open(table, AccessShareLock);
	source->key = NIL;
	source->unknown = "ignore";
	column = dmp_decoder_special(dmp_decoder_make(dmp_source_input(source, RelationGetDescr(rel)),
												  dmp_relation_name(table), source),
								 "$batch");
	relation_close(rel, AccessShareLock);
	/* a recipe may leave it out */
	if (column != NULL && get_attnum(table, column) == InvalidAttrNumber)
		column = NULL;
	return column;
}

/*
 * dmp.revert_batch(batch) -> TABLE(into_table, rows_deleted): deletes, as the
 * caller, what the batch brought; its open quarantine is discarded.
 */
Datum
dmp_revert_batch(PG_FUNCTION_ARGS)
{
	DmpArgs args = {0};
	char *source;
	char *kind;
	const char *column;
	Oid table;
	Datum values[2];
	bool nulls[2] = {false, false};

	if (PG_ARGISNULL(0))
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("batch must not be null")));
	dmp_srf_begin(fcinfo);
	dmp_spi_connect();
	dmp_arg_int8(&args, PG_GETARG_INT64(0));
	if (dmp_spi_registry("SELECT source, kind, into_table, state, owner::oid FROM"
						 " dmp_internal.batch WHERE id = $1 FOR UPDATE",
						 &args, false) == 0)
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT),
						errmsg("batch %lld does not exist", (long long) PG_GETARG_INT64(0))));
	source = dmp_spi_text(0, 1);
	kind = dmp_spi_text(0, 2);
	table = (Oid) dmp_spi_int8(0, 3, 0);
	dmp_check_owner((Oid) dmp_spi_int8(0, 5, 0), "source", source);
	if (strcmp(dmp_spi_text(0, 4), "reverted") == 0)
		ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						errmsg("batch %lld is reverted already", (long long) PG_GETARG_INT64(0))));
	if (get_rel_relkind(table) == '\0')
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_TABLE),
						errmsg("the table of batch %lld no longer exists",
							   (long long) PG_GETARG_INT64(0))));
	column = batch_column(source, kind, table);
	if (column == NULL)
		ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						errmsg("batch %lld cannot be reverted", (long long) PG_GETARG_INT64(0)),
						errdetail("No column of %s says which batch a row came with.",
								  dmp_relation_name(table)),
						errhint("Map a bigint column to \"$batch\" with dmp.alter_source before "
								"the next ingest.")));
	values[0] = ObjectIdGetDatum(table);
	values[1] =
		Int64GetDatum((int64) dmp_spi(psprintf("DELETE FROM %s WHERE %s = $1",
											   dmp_relation_name(table), quote_identifier(column)),
									  &args, false));
	dmp_spi_registry("UPDATE dmp_internal.batch SET state = 'reverted' WHERE id = $1", &args,
					 false);
	dmp_spi_registry("UPDATE dmp.quarantine SET state = 'discarded', note = 'batch reverted'"
					 " WHERE batch = $1 AND state = 'open' AND source IS NOT NULL",
					 &args, false);
	dmp_srf_row(fcinfo, values, nulls);
	dmp_spi_finish();
	PG_RETURN_NULL();
}
