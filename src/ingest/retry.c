/*-------------------------------------------------------------------------
 * retry.c
 *		dmp.retry_quarantine: rejected records once more.
 *-------------------------------------------------------------------------
 */
#include "ingest/run.h"

#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/timestamp.h"

PG_FUNCTION_INFO_V1(dmp_retry_quarantine);

void
dmp_run_outcome_begin(DmpRun *run)
{
	TupleDesc desc = CreateTemplateTupleDesc(4);

	TupleDescInitEntry(desc, 1, "id", INT8OID, -1, 0);
	TupleDescInitEntry(desc, 2, "column_name", TEXTOID, -1, 0);
	TupleDescInitEntry(desc, 3, "reason", TEXTOID, -1, 0);
	TupleDescInitEntry(desc, 4, "sqlstate", TEXTOID, -1, 0);
	run->outcome_desc = desc;
	run->outcome = tuplestore_begin_heap(false, false, work_mem);
}

void
dmp_run_outcome_end(DmpRun *run, Datum ids)
{
	DmpArgs args = {0};

	dmp_arg(&args, INT8ARRAYOID, ids, false);
	dmp_register_rows("dmp_outcome", run->outcome_desc, run->outcome, run->n_outcome);
	/* what a user gave up stays so; what a reverted batch gave up does not */
	dmp_spi_registry("UPDATE dmp.quarantine q SET column_name = o.column_name, reason = o.reason,"
					 " sqlstate = o.sqlstate, state = CASE WHEN state = 'discarded' AND note IS"
					 " DISTINCT FROM 'batch reverted' THEN state ELSE 'open' END,"
					 " note = nullif(note, 'batch reverted')"
					 " FROM dmp_outcome o WHERE q.id OPERATOR(pg_catalog.=) o.id",
					 NULL, false);
	dmp_spi_registry("UPDATE dmp.quarantine SET state = 'loaded' WHERE id = ANY ($1)"
					 " AND NOT EXISTS (SELECT FROM dmp_outcome o WHERE o.id = quarantine.id)",
					 &args, false);
	SPI_unregister_relation("dmp_outcome");
	tuplestore_end(run->outcome);
	run->outcome = NULL;
}

/*
 * dmp.retry_quarantine(source, ids) -> as ingest: open records of the source
 * (all, or those of ids) once more. What loads, or is a duplicate, becomes
 * 'loaded'; the rest stays open with its new reason.
 */
Datum
dmp_retry_quarantine(PG_FUNCTION_ARGS)
{
	char *name = dmp_text_argument(fcinfo, 0, "source");
	DmpSource *source;
	DmpArgs args = {0};
	DmpRun *run;
	Datum ids;
	bool isnull;
	Portal portal;

	dmp_srf_begin(fcinfo);
	dmp_spi_connect();
	source = dmp_source_get(name, true);
	run = dmp_run_begin(source, "retry", dmp_batch_next(), GetCurrentTimestamp());
	run->retry = true;
	dmp_run_outcome_begin(run);
	dmp_arg_text(&args, name);
	dmp_arg(&args, INT8ARRAYOID, PG_GETARG_DATUM(1), PG_ARGISNULL(1));
	/* a name may have been another's before: a superuser sees those too */
	dmp_arg_oid(&args, source->owner);
	/* which they are is fixed first: a record corrected meanwhile is read as it is then */
	dmp_spi("SELECT coalesce(array_agg(id), '{}') FROM (SELECT id FROM dmp.quarantine"
			" WHERE source = $1 AND owner::oid = $3 AND state = 'open' AND record IS NOT NULL"
			" AND ($2 IS NULL OR id = ANY ($2)) ORDER BY id FOR UPDATE) q",
			&args, false);
	ids = PointerGetDatum(PG_DETOAST_DATUM_COPY(dmp_spi_datum(0, 1, &isnull)));
	args.n = 0;
	dmp_arg(&args, INT8ARRAYOID, ids, false);
	portal = SPI_cursor_open_with_args(NULL,
									   "SELECT coalesce(lake_id, 0), NULL, received_at, NULL, NULL,"
									   " line_no, record, origin, id, header"
									   " FROM dmp.quarantine"
									   " WHERE id = ANY ($1) ORDER BY id",
									   args.n, args.types, args.values, args.nulls, false, 0);
	dmp_run_cursor(run, portal);
	dmp_run_outcome_end(run, ids);
	dmp_run_end(run, fcinfo, 0);
	dmp_spi_finish();
	PG_RETURN_NULL();
}
