/*-------------------------------------------------------------------------
 * ingest.h
 *		What the files of ingest share.
 *-------------------------------------------------------------------------
 */
#ifndef DMP_INGEST_H
#define DMP_INGEST_H

#include "dmp.h"

#include "access/tupdesc.h"
#include "base/base.h"
#include "base/soft.h"
#include "ingest/format.h"
#include "ingest/json.h"
#include "ingest/quarantine.h"
#include "storage/lockdefs.h"
#include "utils/tuplestore.h"

/* records decoded, inserted and undone together */
#define DMP_BATCH_ROWS 8192
#define DMP_BATCH_BYTES (32 * 1024 * 1024)

/* ---- source.c: the registry of sources */

typedef struct DmpSource
{
	int32 id;
	char *name;
	Oid owner;
	Oid lake;
	Oid into; /* InvalidOid: lake only */
	List *key;
	DmpDoc *mapping; /* NULL: by name */
	List *missing;
	DmpFormat format;
	bool update;   /* a repeated key replaces, else is ignored */
	char *unknown; /* 'ignore', 'rest', 'quarantine' */
	char *time_zone;
	char *date_style;
	DmpDoc *date_order;   /* {column: 'DMY' | 'MDY' | 'YMD'}, NULL: by date_style */
	DmpDoc *decimal_mark; /* {column: '.' | ','} */
	bool keep;
	bool live;
	char *search_path; /* for code of the table when live, NULL: not live */
	char *recipe;      /* its document, or a json string with its name; NULL: none */
} DmpSource;

/*
 * The source of that name, in CurrentMemoryContext. An error when there is
 * none, or when the caller is no member of its owner. lock: nobody else
 * ingests, changes or drops it before the end of the transaction.
 */
extern DmpSource *dmp_source_get(const char *name, bool lock);
/* the columns that records of the source are decoded to, for a table of that shape */
extern TupleDesc dmp_source_input(const DmpSource *source, TupleDesc target);
/* whether no other source fills its table: ids of lake rows mean something there */
extern bool dmp_source_is_alone(const DmpSource *source);
/* text argument n of the current function, an error when NULL */
extern char *dmp_text_argument(FunctionCallInfo fcinfo, int n, const char *what);

/* ---- lake.c: tables of raw records */

/* creates lake.<name> as the caller; returns its OID */
extern Oid dmp_lake_create(const char *name);
/* an error unless the lake table is there and no row security hides rows of it */
extern void dmp_lake_check(const DmpSource *source);
/*
 * makes the partitions of today and tomorrow (UTC), of a live source of the
 * next days, when that can be had without waiting
 */
extern void dmp_lake_ensure_partitions(const DmpSource *source);
/* the psql line that loads lines unharmed */
extern char *dmp_lake_copy_command(Oid lake, const DmpFormat *format);

/* the lake table relid is, or is a partition of; InvalidOid when it is no partition and no lake */
extern Oid dmp_lake_of(Oid relid);
/* its partitions, leaves only (list of OIDs), locked as lockmode says */
extern List *dmp_lake_leaves(Oid lake, LOCKMODE lockmode);

/* ---- live.c: lines taken in the writer's transaction */

/* puts the trigger on the lake table and its partitions, or takes it off, as the caller */
extern void dmp_live_on(const DmpSource *source);
extern void dmp_live_off(const DmpSource *source);
/* the same for one partition, by its quoted name */
extern void dmp_live_partition(const char *name);
/* search_path of the session with pg_temp last, as text to be stored */
extern char *dmp_live_search_path(void);

/* ---- decode.c: from a line to values */

typedef struct DmpDecoder DmpDecoder;

/* where a record came from */
typedef struct DmpRecordOrigin
{
	int64 batch; /* this run */
	int64 lake_id;
	int64 line_no;
	text *origin;
	TimestampTz received_at;
	/* the file it is of: the rows of one transaction with the same batch and origin */
	int32 cluster;
	uint64 xact;
	int64 load_batch;
	/* of a record from quarantine */
	bool retry;
	const char *header;
} DmpRecordOrigin;

/* the first lines of the lake rows of that file, in order: a List of char * */
typedef List *(*DmpFirstLines)(void *arg, const DmpRecordOrigin *origin);
/* the same, of a source */
extern List *dmp_lake_first_lines(const DmpSource *source, const DmpRecordOrigin *origin);

/* Which element of which array a row is, as places in the record */
typedef struct DmpPart
{
	size_t array;
	size_t array_length;
	size_t element;
	size_t element_length;
} DmpPart;

typedef enum DmpDecoded
{
	DMP_DECODED,
	DMP_REJECTED, /* why has column, reason, sqlstate */
	DMP_NO_RECORD /* a header: neither a row nor an error */
} DmpDecoded;

/*
 * Prepares the columns of a table or row type to be filled from records: by
 * source's format, mapping ({column: path}, NULL by name), missing, key and
 * unknown. Columns that are generated, or left out of the mapping, are not
 * filled. Lives in CurrentMemoryContext, and uses source as long as it lives.
 */
extern DmpDecoder *dmp_decoder_make(TupleDesc desc, const char *what, const DmpSource *source);
/* where headers of csv files are looked up; without it a record is a file of its own */
extern void dmp_decoder_first_lines(DmpDecoder *decoder, DmpFirstLines first_lines, void *arg);
extern int dmp_decoder_fields(const DmpDecoder *decoder);
/* column (from 0) of the tuple descriptor that field fills */
extern int dmp_decoder_column(const DmpDecoder *decoder, int field);
/* whether a column takes something else than a member: origin is read by dmp_decode_record */
extern bool dmp_decoder_wants_origin(const DmpDecoder *decoder);
/* the header of the file a record is of, or NULL */
extern const char *dmp_decoder_header(const DmpDecoder *decoder, const DmpRecordOrigin *origin);
/* the column that takes "$batch", "$lake_id" or "$received_at", or NULL */
extern const char *dmp_decoder_special(const DmpDecoder *decoder, const char *path);
/*
 * Decodes one record into values, nulls and absent (one a field; absent: no
 * such member, value NULL). Values are palloc'd in CurrentMemoryContext or point
 * into line.
 */
extern DmpDecoded dmp_decode_record(DmpDecoder *decoder, const char *line, size_t length,
									const DmpRecordOrigin *origin, Datum *values, bool *nulls,
									bool *absent, DmpRejected *why);
/* after a record was rejected for a column's sake: all columns (from 0) it is rejected for */
extern void dmp_decoder_bad_fields(DmpDecoder *decoder, const DmpRecordOrigin *origin,
								   void (*bad)(void *arg, int column), void *arg);
/*
 * Where a record is several rows: whether the one last decoded has another, the
 * next row of it, how many there are, and which part of the record the last was.
 */
extern bool dmp_decoder_more(const DmpDecoder *decoder);
extern DmpDecoded dmp_decode_next(DmpDecoder *decoder, const DmpRecordOrigin *origin, Datum *values,
								  bool *nulls, bool *absent, DmpRejected *why);
extern bool dmp_decoder_explodes(const DmpDecoder *decoder);
extern int dmp_decoder_parts(const DmpDecoder *decoder);
extern const DmpPart *dmp_decoder_part(const DmpDecoder *decoder);
/* members nobody wanted, {"name": count} as jsonb */
extern Datum dmp_decoder_ignored(const DmpDecoder *decoder);

/* ---- insert.c: batches into the target table */

typedef struct DmpInsert DmpInsert;

/* the columns that are filled */
typedef struct DmpColumns
{
	int n;
	int *numbers;        /* of the table's columns, from 0 */
	const char *lake_id; /* the one with the id of the lake row, or NULL */
} DmpColumns;

/* those a decoder fills */
extern DmpColumns *dmp_decoder_columns(const DmpDecoder *decoder);
extern DmpInsert *dmp_insert_begin(const DmpSource *source, TupleDesc target,
								   const DmpColumns *columns);
/* whether an error of a statement is the fault of a row: of what it says, or of a constraint */
extern bool dmp_is_rows_fault(int sqlerrcode);
/* one decoded record; tag: the caller's number for it */
extern void dmp_insert_add(DmpInsert *insert, Datum *values, bool *nulls, bool *absent, int tag);
/* whether the batch has enough rows or bytes to be flushed */
extern bool dmp_insert_full(const DmpInsert *insert);
extern void dmp_insert_bytes(DmpInsert *insert, int64 bytes);
/*
 * Inserts the batch; a row the target rejects is told to rejected, and the
 * rest load. loaded and duplicate are added to.
 */
extern void dmp_insert_flush(DmpInsert *insert,
							 void (*rejected)(void *arg, int tag, const DmpRejected *why),
							 void *arg, int64 *loaded, int64 *duplicate);

/* ---- load.c */

typedef struct DmpLoaded
{
	int64 batch;
	int64 rows_loaded;
	int64 rows_quarantined;
	int64 bytes;
} DmpLoaded;

extern DmpLoaded dmp_load(const DmpSource *source, const char *path);

/* ---- batch.c: what was done */

typedef struct DmpBatch
{
	int64 id;
	const char *kind; /* 'load', 'ingest', 'retry', 'live', 'replay' */
	const char *origin;
	int64 rows_read;
	int64 rows_loaded;
	int64 rows_duplicate;
	int64 rows_quarantined;
	int64 bytes;
	Datum ignored; /* jsonb, 0: NULL */
	const char *content_hash;
	/* of the records that were read */
	TimestampTz first_received_at;
	TimestampTz last_received_at;
	TimestampTz started_at;
	Oid done_by; /* InvalidOid: the current user */
} DmpBatch;

extern int64 dmp_batch_next(void);
extern void dmp_batch_record(const DmpSource *source, const DmpBatch *batch);

/* ---- quarantine.c */

extern void dmp_register_rows(const char *name, TupleDesc desc, Tuplestorestate *rows, double n);

#endif /* DMP_INGEST_H */
