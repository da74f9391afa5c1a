/*-------------------------------------------------------------------------
 * run.c
 *		A run: records from a cursor, decoded, into the source's table.
 *
 * Rows come in chunks. Each is decoded in a context of its own; what cannot
 * be decoded goes to quarantine, the rest to insert.c, which tells of rows the
 * table refuses. The counts of a run add up:
 *
 *		rows_read = rows_loaded + rows_duplicate + rows_quarantined
 *-------------------------------------------------------------------------
 */
#include "ingest/run.h"
#include "ingest/shape.h"

#include "access/relation.h"
#include "catalog/pg_type.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/timestamp.h"
#include "utils/xid8.h"

int
dmp_settings_pin(const DmpSource *source)
{
	int level = NewGUCNestLevel();

	if (source->time_zone)
		(void) set_config_option("TimeZone", source->time_zone, PGC_USERSET, PGC_S_SESSION,
								 GUC_ACTION_SAVE, true, 0, false);
	if (source->date_style)
		(void) set_config_option("DateStyle", source->date_style, PGC_USERSET, PGC_S_SESSION,
								 GUC_ACTION_SAVE, true, 0, false);
	return level;
}

void
dmp_settings_unpin(int level)
{
	AtEOXact_GUC(false, level);
}

static void
pin_settings(DmpRun *run)
{
	run->guc_level = dmp_settings_pin(run->source);
}

static void
unpin_settings(DmpRun *run)
{
	dmp_settings_unpin(run->guc_level);
}

void
dmp_row_origin(HeapTuple row, TupleDesc desc, DmpRecordOrigin *origin)
{
	Datum values[DMP_RUN_HEADER];
	bool nulls[DMP_RUN_HEADER];

	/* all at once: one column after the other cost 4 % of a run */
	Assert(desc->natts <= DMP_RUN_HEADER);
	memset(nulls, true, sizeof(nulls));
	heap_deform_tuple(row, desc, values, nulls);
#define VALUE(column, get, missing) (nulls[(column) -1] ? (missing) : get(values[(column) -1]))
	origin->lake_id = VALUE(DMP_RUN_ID, DatumGetInt64, 0);
	origin->line_no = VALUE(DMP_RUN_LINE_NO, DatumGetInt64, 0);
	origin->origin = VALUE(DMP_RUN_ORIGIN, DatumGetTextPP, NULL);
	origin->received_at = VALUE(DMP_RUN_RECEIVED_AT, DatumGetTimestampTz, 0);
	origin->xact = VALUE(DMP_RUN_XACT, DatumGetInt64, 0);
	origin->load_batch = VALUE(DMP_RUN_BATCH, DatumGetInt64, 0);
	origin->cluster = VALUE(DMP_RUN_CLUSTER, DatumGetInt32, 0);
#undef VALUE
}

static Datum
row_value(const DmpRun *run, int row, int col, bool *isnull)
{
	return SPI_getbinval(run->rows->vals[row], run->rows->tupdesc, col, isnull);
}

static int64
row_int8(const DmpRun *run, int row, int col)
{
	bool isnull;
	Datum value = row_value(run, row, col, &isnull);

	return isnull ? 0 : DatumGetInt64(value);
}

static void
row_origin(const DmpRun *run, int row, DmpRecordOrigin *origin)
{
	dmp_row_origin(run->rows->vals[row], run->rows->tupdesc, origin);
	origin->batch = run->batch.id;
	origin->retry = run->retry;
	if (run->retry)
	{
		bool isnull;
		Datum value = row_value(run, row, DMP_RUN_HEADER, &isnull);

		origin->header = isnull ? NULL : TextDatumGetCString(value);
	}
}

static bool
is_from_quarantine(const DmpRun *run, int row)
{
	return run->outcome != NULL && row_int8(run, row, DMP_RUN_QUARANTINE_ID) != 0;
}

/* a row of the batch that is a part of its record */
typedef struct DmpRunPart
{
	int row;
	bool alone; /* the record has no other */
	DmpPart part;
} DmpRunPart;

/* remembers which part of which record the row just decoded is: its tag */
static int
add_part(DmpRun *run, int row)
{
	DmpRunPart *part;

	if (run->n_parts == run->space_parts)
	{
		run->space_parts *= 2;
		run->parts = repalloc_huge(run->parts, sizeof(DmpRunPart) * run->space_parts);
	}
	part = &run->parts[run->n_parts];
	part->row = row;
	part->alone = dmp_decoder_parts(run->decoder) == 1;
	part->part = *dmp_decoder_part(run->decoder);
	return run->n_parts++;
}

/* the record with that element alone in its array */
static void
part_record(const DmpPart *part, const text *record, DmpRejected *rejected)
{
	const char *line = VARDATA_ANY(record);
	size_t length = VARSIZE_ANY_EXHDR(record);
	size_t behind = part->array + part->array_length;
	char *to = palloc(length + 3);

	rejected->record = to;
	memcpy(to, line, part->array);
	to += part->array;
	*to++ = '[';
	memcpy(to, line + part->element, part->element_length);
	to += part->element_length;
	*to++ = ']';
	memcpy(to, line + behind, length - behind);
	to += length - behind;
	rejected->length = to - rejected->record;
}

/*
 * A row of the chunk goes to quarantine, or, when it comes from there, back. Of
 * a record that is several rows only the part goes, so that a retry loads it
 * and nothing else.
 */
static void
reject_row(void *arg, int tag, const DmpRejected *why)
{
	DmpRun *run = arg;
	const DmpRunPart *part = run->parts && tag >= 0 ? &run->parts[tag] : NULL;
	int row = part ? part->row : tag < 0 ? -1 - tag : tag;
	MemoryContext old = MemoryContextSwitchTo(run->row_context);
	DmpRejected rejected = *why;
	DmpRecordOrigin origin = {0};

	run->batch.rows_quarantined++;
	if (is_from_quarantine(run, row) && (part == NULL || part->alone))
	{
		Datum values[4];
		bool nulls[4] = {false, why->column_name == NULL, false, false};

		values[0] = Int64GetDatum(row_int8(run, row, DMP_RUN_QUARANTINE_ID));
		values[1] = why->column_name ? CStringGetTextDatum(why->column_name) : (Datum) 0;
		values[2] = CStringGetTextDatum(why->reason);
		values[3] = CStringGetTextDatum(why->sqlstate);
		tuplestore_putvalues(run->outcome, run->outcome_desc, values, nulls);
		run->n_outcome++;
	}
	else
	{
		bool isnull;
		Datum line = row_value(run, row, DMP_RUN_LINE, &isnull);
		text *record = DatumGetTextPP(line);

		row_origin(run, row, &origin);
		rejected.record = VARDATA_ANY(record);
		rejected.length = VARSIZE_ANY_EXHDR(record);
		if (part != NULL)
			part_record(&part->part, record, &rejected);
		rejected.line_no = origin.line_no;
		rejected.lake_id = origin.lake_id;
		rejected.origin = origin.origin ? text_to_cstring(origin.origin) : NULL;
		rejected.header = dmp_decoder_header(run->decoder, &origin);
		rejected.received_at = origin.received_at;
		dmp_quarantine_add(run->quarantine, &rejected);
		if (part != NULL)
			pfree(unconstify(char *, rejected.record));
	}
	MemoryContextSwitchTo(old);
}

static void
flush(DmpRun *run)
{
	if (run->shape != NULL)
	{
		pin_settings(run);
		dmp_shape_flush(run->shape, run->insert, reject_row, run);
		unpin_settings(run);
	}
	dmp_insert_flush(run->insert, reject_row, run, &run->batch.rows_loaded,
					 &run->batch.rows_duplicate);
	run->n_parts = 0;
}

static void
flush_when_full(DmpRun *run)
{
	if (run->shape ? !dmp_shape_full(run->shape) : !dmp_insert_full(run->insert))
		return;
	unpin_settings(run);
	flush(run);
	pin_settings(run);
}

static bool
is_blank(const char *line, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (line[i] != ' ' && line[i] != '\t' && line[i] != '\r' && line[i] != '\n')
			return false;
	return true;
}

/* a record that counts */
static void
count_row(DmpRun *run, int row)
{
	TimestampTz received_at = row_int8(run, row, DMP_RUN_RECEIVED_AT);

	run->batch.rows_read++;
	if (run->batch.rows_read == 1 || received_at < run->batch.first_received_at)
		run->batch.first_received_at = received_at;
	if (run->batch.rows_read == 1 || received_at > run->batch.last_received_at)
		run->batch.last_received_at = received_at;
}

/* what came of a record, or of a part of it, of so many bytes */
static void
take_row(DmpRun *run, int row, DmpDecoded decoded, size_t bytes, const DmpRejected *why)
{
	bool whole = run->parts == NULL;
	int tag;

	switch (decoded)
	{
		case DMP_DECODED:
			count_row(run, row);
			tag = whole ? row : add_part(run, row);
			if (run->shape != NULL)
			{
				dmp_shape_add(run->shape, run->values, run->nulls, run->absent, tag);
				dmp_shape_bytes(run->shape, bytes);
				break;
			}
			dmp_insert_add(run->insert, run->values, run->nulls, run->absent, tag);
			dmp_insert_bytes(run->insert, bytes);
			break;
		case DMP_REJECTED:
			count_row(run, row);
			/* a record that is broken as a whole has no parts */
			if (whole || dmp_decoder_parts(run->decoder) == 0)
				reject_row(run, whole ? row : -1 - row, why);
			else
				reject_row(run, add_part(run, row), why);
			break;
		case DMP_NO_RECORD:
			break;
	}
}

static void
process_row(DmpRun *run, int row)
{
	DmpRejected why = {0};
	DmpRecordOrigin origin = {0};
	bool isnull;
	Datum value = row_value(run, row, DMP_RUN_LINE, &isnull);
	text *record;
	size_t length;

	if (isnull)
		return;
	if (run->wanted != NULL)
	{
		FullTransactionId xact =
			DatumGetFullTransactionId(row_value(run, row, DMP_RUN_XACT, &isnull));

		if (!run->wanted(run->wanted_arg, xact, row_int8(run, row, DMP_RUN_ID)))
			return;
	}
	record = DatumGetTextPP(value);
	length = VARSIZE_ANY_EXHDR(record);
	/* in the lake a blank line is no record; one made blank in quarantine is a bad one */
	if (is_blank(VARDATA_ANY(record), length) && !is_from_quarantine(run, row))
		return;
	if (run->wants_origin)
		row_origin(run, row, &origin);
	take_row(run, row,
			 dmp_decode_record(run->decoder, VARDATA_ANY(record), length, &origin, run->values,
							   run->nulls, run->absent, &why),
			 length, &why);
	while (run->parts != NULL && dmp_decoder_more(run->decoder))
	{
		MemoryContext old = MemoryContextSwitchTo(run->part_context);

		CHECK_FOR_INTERRUPTS();
		memset(&why, 0, sizeof(why));
		take_row(run, row,
				 dmp_decode_next(run->decoder, &origin, run->values, run->nulls, run->absent, &why),
				 dmp_decoder_part(run->decoder)->element_length, &why);
		MemoryContextSwitchTo(old);
		MemoryContextReset(run->part_context);
		flush_when_full(run);
	}
}

void
dmp_run_cursor(DmpRun *run, Portal portal)
{
	for (;;)
	{
		MemoryContext old;
		int n;

		SPI_cursor_fetch(portal, true, DMP_BATCH_ROWS);
		n = (int) SPI_processed;
		run->rows = SPI_tuptable;
		if (n == 0)
			break;
		pin_settings(run);
		old = MemoryContextSwitchTo(run->row_context);
		for (int row = 0; row < n; row++)
		{
			CHECK_FOR_INTERRUPTS();
			process_row(run, row);
			MemoryContextReset(run->row_context);
			if (row + 1 < n)
				flush_when_full(run);
		}
		MemoryContextSwitchTo(old);
		unpin_settings(run);
		flush(run);
		MemoryContextReset(run->row_context);
		SPI_freetuptable(run->rows);
		dmp_progress("ingest: %lld records read", (long long) run->batch.rows_read);
	}
	SPI_freetuptable(run->rows);
	SPI_cursor_close(portal);
}

static List *
first_lines(void *source, const DmpRecordOrigin *origin)
{
	return dmp_lake_first_lines(source, origin);
}

DmpRun *
dmp_run_begin(DmpSource *source, const char *kind, int64 batch, TimestampTz started_at)
{
	DmpRun *run = palloc0(sizeof(DmpRun));
	Relation rel;
	TupleDesc desc;
	TupleDesc input;

	run->source = source;
	run->row_context =
		AllocSetContextCreate(CurrentMemoryContext, "dmp ingest row", ALLOCSET_DEFAULT_SIZES);
	if (!OidIsValid(source->into))
		ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						errmsg("source \"%s\" has no table to fill", source->name),
						errhint("SELECT * FROM dmp.alter_source(%s, into_table => '...');",
								quote_literal_cstr(source->name))));
	rel = try_relation_open(source->into, AccessShareLock);
	if (rel == NULL)
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_TABLE),
						errmsg("the table of source \"%s\" no longer exists", source->name),
						errhint("SELECT * FROM dmp.alter_source(%s, into_table => '...');",
								quote_literal_cstr(source->name))));
	desc = CreateTupleDescCopyConstr(RelationGetDescr(rel));
	relation_close(rel, NoLock);
	input = dmp_source_input(source, desc);
	run->decoder = dmp_decoder_make(input, dmp_relation_name(source->into), source);
	dmp_decoder_first_lines(run->decoder, first_lines, source);
	run->wants_origin = dmp_decoder_wants_origin(run->decoder);
	if (dmp_decoder_explodes(run->decoder))
	{
		run->part_context =
			AllocSetContextCreate(CurrentMemoryContext, "dmp ingest part", ALLOCSET_DEFAULT_SIZES);
		run->space_parts = DMP_BATCH_ROWS;
		run->parts = palloc(sizeof(DmpRunPart) * run->space_parts);
	}
	if (source->recipe != NULL)
		run->shape = dmp_shape_begin(source, desc, input, run->decoder);
	run->insert = dmp_insert_begin(source, desc,
								   run->shape ? dmp_shape_columns(run->shape)
											  : dmp_decoder_columns(run->decoder));
	run->values = palloc(sizeof(Datum) * dmp_decoder_fields(run->decoder));
	run->nulls = palloc(sizeof(bool) * dmp_decoder_fields(run->decoder));
	run->absent = palloc(sizeof(bool) * dmp_decoder_fields(run->decoder));
	run->batch.kind = kind;
	run->batch.started_at = started_at;
	run->batch.id = batch;
	run->quarantine = dmp_quarantine_begin(run->batch.id, source->name, NULL, source->owner);
	return run;
}

void
dmp_run_finish(DmpRun *run)
{
	if (run->shape != NULL)
		dmp_shape_end(run->shape);
	(void) dmp_quarantine_end(run->quarantine);
	run->batch.ignored = dmp_decoder_ignored(run->decoder);
}

void
dmp_run_end(DmpRun *run, FunctionCallInfo fcinfo, int64 rejected_before)
{
	DmpBatch *batch = &run->batch;
	Datum values[7];
	bool nulls[7] = {batch->rows_read == 0};
	Interval *elapsed = palloc0(sizeof(Interval));

	dmp_run_finish(run);
	/* a run that found nothing leaves no batch behind */
	if (batch->rows_read > 0)
		dmp_batch_record(run->source, batch);
	elapsed->time = GetCurrentTimestamp() - batch->started_at;
	values[0] = Int64GetDatum(batch->id);
	values[1] = Int64GetDatum(batch->rows_read + rejected_before);
	values[2] = Int64GetDatum(batch->rows_loaded);
	values[3] = Int64GetDatum(batch->rows_duplicate);
	values[4] = Int64GetDatum(batch->rows_quarantined + rejected_before);
	values[5] = batch->ignored;
	values[6] = IntervalPGetDatum(elapsed);
	dmp_srf_row(fcinfo, values, nulls);
}
