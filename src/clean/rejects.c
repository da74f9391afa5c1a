/*-------------------------------------------------------------------------
 * rejects.c
 *		Rows that a recipe turned away, on their way to dmp.quarantine.
 *
 * They are noted by the run itself when the source is a plain table, by ctid;
 * else, or when they are too many, the traced form of the SELECT finds them
 * again, on the snapshot that is active. When their number is not what was
 * counted, the data has changed meanwhile and everything is undone: a row is
 * never lost between the two.
 *-------------------------------------------------------------------------
 */
#include "dmp.h"

#include "catalog/pg_type.h"
#include "utils/memutils.h"

#include "base/soft.h"
#include "clean/run.h"
#include "ingest/quarantine.h"

#define TRACE_BATCH 1000

/* A rejected row on its way to the quarantine */
typedef struct Reject
{
	CleanLine *line;
	const char *reason; /* SQLSTATE, a space, the reason */
	ItemPointerData tid;
	char *record; /* json, when there is no tid */
} Reject;

/*
 * Fetch the records of a batch that is known by ctid.
 */
static void
fetch_records(Oid table, Reject *rejects, int n)
{
	SPITupleTable *outer = SPI_tuptable;
	Datum *tids = palloc(sizeof(Datum) * n);
	DmpArgs args = {0};
	uint64 i;

	for (i = 0; i < n; i++)
		tids[i] = PointerGetDatum(&rejects[i].tid);
	dmp_arg(&args, TIDARRAYOID,
			PointerGetDatum(
				construct_array(tids, n, TIDOID, sizeof(ItemPointerData), false, TYPALIGN_SHORT)),
			false);
	dmp_spi(
		psprintf("SELECT u.n, row_to_json(t.*)::text FROM unnest($1) WITH ORDINALITY AS u(id, n) "
				 "JOIN %s AS t ON t.ctid = u.id",
				 dmp_relation_name(table)),
		&args, true);
	for (i = 0; i < SPI_processed; i++)
		rejects[dmp_spi_int8(i, 1, 0) - 1].record = dmp_spi_text(i, 2);
	SPI_freetuptable(SPI_tuptable);
	SPI_tuptable = outer;
}

/*
 * Write a batch of rejects to the quarantine; found[] counts by line.
 */
static void
quarantine_batch(Oid tid_table, Reject *rejects, int n, DmpQuarantine *quarantine,
				 const char *origin, int64 *found)
{
	int i;

	if (OidIsValid(tid_table))
		fetch_records(tid_table, rejects, n);
	for (i = 0; i < n; i++)
	{
		Reject *reject = &rejects[i];
		DmpRejected row = {0};

		CHECK_FOR_INTERRUPTS();
		if (!reject->line->quarantine || reject->record == NULL)
			continue;
		found[reject->line->index]++;
		row.record = reject->record;
		row.length = strlen(row.record);
		row.origin = origin;
		row.column_name = reject->line->column;
		row.sqlstate = pnstrdup(reject->reason, 5);
		row.reason = psprintf("recipe step %d: %s", reject->line->step, reject->reason + 6);
		dmp_quarantine_add(quarantine, &row);
	}
}

/*
 * The rejects that the run itself noted.
 */
static void
noted_rejects(CleanPlan *plan, DmpNote *notes, int64 n, DmpQuarantine *quarantine,
			  const char *origin, int64 *found)
{
	MemoryContext batch_context =
		AllocSetContextCreate(CurrentMemoryContext, "dmp clean notes", ALLOCSET_DEFAULT_SIZES);
	CleanLine **by_slot = palloc0(sizeof(CleanLine *) * plan->n_slots);
	int64 start;
	int64 i;
	ListCell *lc;

	foreach (lc, plan->lines)
		if (((CleanLine *) lfirst(lc))->rejected >= 0)
			by_slot[((CleanLine *) lfirst(lc))->rejected] = lfirst(lc);
	/* samples of failed cells come among them */
	for (i = 0, start = 0; start < n; start++)
		if (ItemPointerIsValid(&notes[start].tid))
			notes[i++] = notes[start];
	n = i;
	for (start = 0; start < n; start += TRACE_BATCH)
	{
		int size = (int) Min(TRACE_BATCH, n - start);
		MemoryContext old = MemoryContextSwitchTo(batch_context);
		Reject *rejects = palloc0(sizeof(Reject) * size);

		for (i = 0; i < size; i++)
		{
			DmpNote *note = &notes[start + i];

			if (note->slot >= plan->n_slots || by_slot[note->slot] == NULL)
				elog(ERROR, "note of slot %d, which rejects nothing", note->slot);
			rejects[i].line = by_slot[note->slot];
			rejects[i].tid = note->tid;
			rejects[i].reason = pnstrdup(note->reason, note->length);
		}
		quarantine_batch(plan->tid_table, rejects, size, quarantine, origin, found);
		MemoryContextSwitchTo(old);
		MemoryContextReset(batch_context);
	}
	MemoryContextDelete(batch_context);
}

/*
 * Find the rejects by the traced form; step is the last that rejected rows.
 */
static void
traced_rejects(CleanSource *source, const DmpDoc *recipe, List *lines, int step,
			   DmpQuarantine *quarantine, const char *origin, int64 *found)
{
	MemoryContext batch_context =
		AllocSetContextCreate(CurrentMemoryContext, "dmp clean trace", ALLOCSET_DEFAULT_SIZES);
	CleanPlan *plan = dmp_clean_source_plan(source, CLEAN_TRACED);
	Portal portal;

	dmp_progress("clean: tracing rejected rows");
	plan->stop_step = step;
	dmp_clean_compile(plan, recipe);
	portal = SPI_cursor_open_with_args(NULL, dmp_clean_finish(plan), 0, NULL, NULL, NULL, true, 0);
	for (;;)
	{
		MemoryContext old;
		SPITupleTable *batch;
		Reject *rejects;
		int n;
		int i;

		SPI_cursor_fetch(portal, true, TRACE_BATCH);
		n = (int) SPI_processed;
		if (n == 0)
			break;
		batch = SPI_tuptable;
		old = MemoryContextSwitchTo(batch_context);
		rejects = palloc0(sizeof(Reject) * n);
		for (i = 0; i < n; i++)
		{
			bool isnull;

			rejects[i].line = list_nth(lines, (int) dmp_spi_int8(i, 1, 0));
			rejects[i].reason = dmp_spi_text(i, 2);
			if (OidIsValid(plan->tid_table))
				rejects[i].tid = *(ItemPointer) DatumGetPointer(dmp_spi_datum(i, 3, &isnull));
			else
				rejects[i].record = dmp_spi_text(i, 3);
		}
		quarantine_batch(plan->tid_table, rejects, n, quarantine, origin, found);
		MemoryContextSwitchTo(old);
		MemoryContextReset(batch_context);
		SPI_freetuptable(batch);
	}
	SPI_cursor_close(portal);
	MemoryContextDelete(batch_context);
}

/*
 * Write the rejected rows to the quarantine: as noted by the run, or, when it
 * could not note them (a source that is no plain table, or too many), as found
 * again. rejected[] counts by line.
 */
void
dmp_clean_rejects(CleanSource *source, const CleanRun *run, CleanPlan *plan, DmpCounters *counters,
				  int64 *rejected)
{
	int64 *found = palloc0(sizeof(int64) * Max(list_length(plan->lines), 1));
	DmpQuarantine *quarantine;
	DmpNote *notes = NULL;
	int64 n = 0;
	int last_step = 0;
	ListCell *lc;

	foreach (lc, plan->lines)
	{
		CleanLine *line = lfirst(lc);

		if (line->quarantine && rejected[line->index] > 0)
			last_step = line->step;
	}
	if (last_step == 0)
		return;
	quarantine = dmp_quarantine_begin(
		run->run, NULL, run->recipe->name ? run->recipe->name : run->into_name, GetUserId());
	if (OidIsValid(plan->tid_table))
		notes = dmp_counters_notes(counters, &n);
	if (notes != NULL)
		noted_rejects(plan, notes, n, quarantine, run->query, found);
	else
		traced_rejects(source, run->recipe->doc, plan->lines, last_step, quarantine, run->query,
					   found);

	foreach (lc, plan->lines)
	{
		CleanLine *line = lfirst(lc);

		if (line->quarantine && found[line->index] != rejected[line->index])
			ereport(ERROR, (errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
							errmsg("the data of the query changed while it was cleaned"),
							errdetail("Step %d rejected " INT64_FORMAT
									  " rows, of which " INT64_FORMAT " are found again.",
									  line->step, rejected[line->index], found[line->index]),
							errhint("Nothing was written. Try again, or in a transaction that is "
									"REPEATABLE READ.")));
	}
	dmp_quarantine_end(quarantine);
}

/*
 * Say which cells failed and became something else than the step wants: a
 * notice a line, with samples.
 */
void
dmp_clean_report_failures(CleanPlan *plan, DmpCounters *counters)
{
	DmpNote *notes = NULL;
	int64 n = 0;
	ListCell *lc;

	foreach (lc, plan->lines)
	{
		CleanLine *line = lfirst(lc);
		int64 failed = line->failed >= 0 ? dmp_counters_value(counters, line->failed) : 0;
		List *samples = NIL;
		int64 i;

		if (failed == 0)
			continue;
		if (notes == NULL)
			notes = dmp_counters_notes(counters, &n);
		for (i = 0; notes != NULL && i < n; i++)
		{
			ListCell *lc2;
			bool known = false;
			char *sample;

			if (notes[i].slot != line->failed || list_length(samples) >= 3)
				continue;
			sample = psprintf("\"%s\"", dmp_soft_clip(notes[i].reason, notes[i].length));
			foreach (lc2, samples)
				known |= strcmp(lfirst(lc2), sample) == 0;
			if (!known)
				samples = lappend(samples, sample);
		}
		ereport(NOTICE,
				(errmsg("recipe step %d: column \"%s\": %s: " INT64_FORMAT " %s", line->step,
						line->column, line->failure, failed, failed == 1 ? "cell" : "cells"),
				 samples ? errdetail("For example %s.", dmp_join(samples, ", ")) : 0));
	}
}
