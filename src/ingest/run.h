/*-------------------------------------------------------------------------
 * run.h
 *		One run of records into a table: ingest, retry, live, replay.
 *-------------------------------------------------------------------------
 */
#ifndef DMP_RUN_H
#define DMP_RUN_H

#include "ingest/ingest.h"

#include "access/transam.h"
#include "funcapi.h"

/* columns of a row to be read, from the lake or from quarantine, in this order */
enum
{
	DMP_RUN_ID = 1, /* of the lake row */
	DMP_RUN_XACT,
	DMP_RUN_RECEIVED_AT,
	DMP_RUN_CLUSTER,
	DMP_RUN_BATCH,
	DMP_RUN_LINE_NO,
	DMP_RUN_LINE,
	DMP_RUN_ORIGIN,
	DMP_RUN_QUARANTINE_ID,
	DMP_RUN_HEADER
};
/* the first eight, of a lake table */
#define DMP_RUN_COLUMNS "id, xact, received_at, cluster, batch, line_no, line, origin"

typedef struct DmpRun
{
	DmpSource *source;
	MemoryContext row_context;
	DmpDecoder *decoder;
	bool wants_origin;      /* a column is mapped to where the record came from */
	struct DmpShape *shape; /* the source's recipe, or NULL */
	DmpInsert *insert;
	DmpQuarantine *quarantine;
	DmpBatch batch;
	Datum *values;
	bool *nulls;
	bool *absent;
	SPITupleTable *rows; /* the chunk in work */
	/* records that are several rows: what each row in the batch is a part of, by its tag */
	MemoryContext part_context;
	struct DmpRunPart *parts;
	int n_parts;
	int space_parts;
	int guc_level;
	/* whether a row is to be read, NULL: each is */
	bool (*wanted)(void *arg, FullTransactionId xact, int64 id);
	void *wanted_arg;
	bool retry; /* all rows come from quarantine, with their headers */
	/* of rows with a quarantine id: those that were rejected again */
	Tuplestorestate *outcome;
	TupleDesc outcome_desc;
	int64 n_outcome;
} DmpRun;

/*
 * Prepares a run into the source's table, within the caller's SPI connection.
 * An error when the source has no table, or when it is gone. batch: of
 * dmp_batch_next, or one that goes on.
 */
extern DmpRun *dmp_run_begin(DmpSource *source, const char *kind, int64 batch,
							 TimestampTz started_at);
/* where a row of DMP_RUN_COLUMNS came from; the text may point into row */
extern void dmp_row_origin(HeapTuple row, TupleDesc desc, DmpRecordOrigin *origin);
/* dates and times mean what they meant when the source was made, until unpin */
extern int dmp_settings_pin(const DmpSource *source);
extern void dmp_settings_unpin(int level);
/* Reads a cursor of the columns above to its end, in chunks that are inserted before the next. */
extern void dmp_run_cursor(DmpRun *run, Portal portal);
/* Writes what is in quarantine and the count of ignored members; the run is over. */
extern void dmp_run_finish(DmpRun *run);
/*
 * The same, records the batch (none when no record was read), and returns the
 * run's row: batch, rows_read, rows_loaded, rows_duplicate, rows_quarantined,
 * fields_ignored, elapsed. rejected_before: by a load that is part of it.
 */
extern void dmp_run_end(DmpRun *run, FunctionCallInfo fcinfo, int64 rejected_before);

/*
 * retry.c: rows that have a quarantine id go back there. What is rejected again
 * keeps its entry with the new reason, the others of ids (bigint[]) are closed.
 */
extern void dmp_run_outcome_begin(DmpRun *run);
extern void dmp_run_outcome_end(DmpRun *run, Datum ids);

/* ingest.c: everything in the lake that nobody consumed, as the caller */
extern void dmp_run_lake(DmpRun *run);
/* the same as a batch of its own, with a NOTICE when there was something */
extern void dmp_ingest_waiting(DmpSource *source);

#endif /* DMP_RUN_H */
