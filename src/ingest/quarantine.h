/*-------------------------------------------------------------------------
 * quarantine.h
 *		Records that could not be loaded or were rejected, with the reason.
 *-------------------------------------------------------------------------
 */
#ifndef DMP_QUARANTINE_H
#define DMP_QUARANTINE_H

#include "dmp.h"
#include "ingest/split.h"
#include "utils/timestamp.h"

/* One rejected record. Zero-initialise; what is not set is NULL in the table. */
typedef struct DmpRejected
{
	const char *record; /* its bytes; those that are no valid text are kept as raw */
	int64 length;       /* of record */
	int64 full_length;  /* when only the head of a longer record is given, else 0 */
	int64 line_no;      /* 0: NULL */
	int64 lake_id;      /* 0: NULL */
	const char *origin;
	TimestampTz received_at; /* 0: NULL */
	const char *column_name; /* the column at fault, NULL: the whole record */
	const char *reason;      /* what is wrong, as an error message reads */
	const char *sqlstate;    /* five characters */
	const char *header;      /* that names the fields of the record, NULL: none */
	bool raw;                /* keep the bytes as raw in any case */
} DmpRejected;

typedef struct DmpQuarantine DmpQuarantine;

/*
 * A writer of dmp.quarantine. batch: of dmp_internal.batch, or a cleaning run;
 * source, recipe: NULL when not from one; owner: the role that sees the rows
 * (with its members). Lives in CurrentMemoryContext.
 */
extern DmpQuarantine *dmp_quarantine_begin(int64 batch, const char *source, const char *recipe,
										   Oid owner);
/* Copies the row; any memory context, any number of rows (they spill to disk past work_mem). */
extern void dmp_quarantine_add(DmpQuarantine *quarantine, const DmpRejected *row);
/* Writes what was added, as the owner of the extension; returns how many rows. The writer is gone. */
extern int64 dmp_quarantine_end(DmpQuarantine *quarantine);

#endif /* DMP_QUARANTINE_H */
