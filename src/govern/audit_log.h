/*-------------------------------------------------------------------------
 * audit_log.h
 *		The audit part's own files: shapes, images, chunks.
 *-------------------------------------------------------------------------
 */
#ifndef DMP_AUDIT_LOG_H
#define DMP_AUDIT_LOG_H

#include "govern/govern.h"
#include "govern/audit.h"

#include "lib/stringinfo.h"
#include "utils/relcache.h"
#include "utils/timestamp.h"

/* ---- audit_value.c: values as bytes that mean the same for ever */

/* how a value is stored; shapes name it, so numbers may change and names may not */
typedef enum DmpAuditCoding
{
	DMP_AUDIT_BOOL,
	DMP_AUDIT_INT2,
	DMP_AUDIT_INT4,
	DMP_AUDIT_INT8,
	DMP_AUDIT_FLOAT4,
	DMP_AUDIT_FLOAT8,
	DMP_AUDIT_DATE,
	DMP_AUDIT_TIME,
	DMP_AUDIT_TIMESTAMP,
	DMP_AUDIT_TIMESTAMPTZ,
	DMP_AUDIT_UUID,
	DMP_AUDIT_NUMERIC,
	DMP_AUDIT_BYTEA,
	DMP_AUDIT_STRING, /* the bytes of a text */
	DMP_AUDIT_JSONB,  /* its text */
	DMP_AUDIT_TEXT    /* what the type's output function says under fixed settings */
} DmpAuditCoding;

typedef struct DmpAuditColumn
{
	char *name;
	char *type_name; /* with schema and typmod */
	DmpAuditCoding coding;
	int key;     /* place in the key from 1; 0: not of it */
	bool redact; /* that it changed is logged, its values are not */
	/* of the relation as it is now; zero when read from a stored shape */
	AttrNumber attnum;
	Oid type;
	int16 len;
	bool byval;
	FmgrInfo output;
} DmpAuditColumn;

typedef struct DmpAuditShape
{
	int32 id;
	int n;
	int n_key; /* 0: rows have no key, their old image stands for it */
	int *key;  /* columns of the key, in its order */
	DmpAuditColumn *columns;
	bool pinned;  /* a text depends on settings that have to be fixed */
	int encoding; /* of the database that wrote it */
} DmpAuditShape;

extern DmpAuditCoding dmp_audit_coding(Oid base);
extern const char *dmp_audit_coding_name(DmpAuditCoding coding);
extern bool dmp_audit_coding_find(const char *name, DmpAuditCoding *coding);
/* a text of this type depends on settings */
extern bool dmp_audit_type_is_pinned(Oid base);
/* settings on which texts of values depend, until AtEOXact_GUC(true, result) */
extern int dmp_audit_pin(void);
extern void dmp_audit_put(StringInfo buf, DmpAuditColumn *column, Datum value);

/* bytes of one value in a payload */
typedef struct DmpAuditBytes
{
	const char *data;
	int length;
	bool isnull;
} DmpAuditBytes;

/* bytes from *at on, which moves behind them; an error when they end before end */
extern void dmp_audit_get(const DmpAuditColumn *column, const char **at, const char *end,
						  DmpAuditBytes *bytes);
/* the value as its text, settings playing no part */
extern char *dmp_audit_bytes_text(const DmpAuditShape *shape, const DmpAuditColumn *column,
								  const DmpAuditBytes *bytes);
/* the value, when its column's type has its coding: what is in memory then, not for texts of TEXT and JSONB */
extern Datum dmp_audit_bytes_datum(const DmpAuditShape *shape, const DmpAuditColumn *column,
								   const DmpAuditBytes *bytes);
/* appends the value as json */
extern void dmp_audit_bytes_json(StringInfo buf, const DmpAuditShape *shape,
								 const DmpAuditColumn *column, const DmpAuditBytes *bytes);
extern void dmp_audit_corrupt(const char *why) pg_attribute_noreturn();

/* ---- audit_image.c: payloads of row images */

/* first byte of a payload */
#define DMP_AUDIT_ROW 1    /* a row */
#define DMP_AUDIT_CHANGE 2 /* key, old and new values of what changed */
#define DMP_AUDIT_MOVE 3   /* the old row, new values of what changed */
#define DMP_AUDIT_JSON 4   /* a json text */

#define DMP_AUDIT_SALT 16
#define DMP_AUDIT_HEAD (1 + 4 + DMP_AUDIT_SALT) /* of an image that is kept */

extern void dmp_audit_put_row(StringInfo buf, DmpAuditShape *shape, Datum *values, bool *nulls);
/* false: no logged column changed, nothing was written */
extern bool dmp_audit_put_change(StringInfo buf, DmpAuditShape *shape, Datum *old, bool *old_nulls,
								 Datum *new, bool *new_nulls);

/* a payload, taken apart */
typedef struct DmpAuditImage
{
	int kind;
	bool erased;
	DmpAuditBytes *old; /* by column of the shape */
	DmpAuditBytes *new;
	bool *has_old; /* old[i] is known; a redacted value never is */
	bool *has_new;
	bool *changed;
	const char *json; /* DMP_AUDIT_JSON */
	int json_length;
} DmpAuditImage;

extern DmpAuditImage *dmp_audit_image_make(const DmpAuditShape *shape);
/* image at place of a body; an error when it has none or is malformed */
extern void dmp_audit_image_read(DmpAuditImage *image, const DmpAuditShape *shape, char operation,
								 const char *body, int length, int place);
/* the shape that a row of dmp_internal.audit_shape holds */
extern DmpAuditShape *dmp_audit_shape_parse(int32 id, const char *columns);

/* ---- audit_shape.c: what is known of an audited table */

typedef struct DmpAuditTable
{
	Oid relid; /* key of the cache */
	bool valid;
	MemoryContext memory;
	DmpAuditShape *shape; /* of rows */
	int32 event_shape;    /* of events about it; 0: not looked up yet */
	bool keep_truncated;
} DmpAuditTable;

/* rel may be NULL: of events about no relation */
extern DmpAuditTable *dmp_audit_table(Relation rel, char **trigger_args, int n_args);
/* its shape as it would be now, not stored */
extern DmpAuditShape *dmp_audit_shape_now(Relation rel);
extern int32 dmp_audit_event_shape(Oid relid);
/* "schema"."table", quoted only where it has to be */
extern char *dmp_audit_relation_name(Oid relid);
extern Oid dmp_audit_key_index(Relation rel);
extern void dmp_audit_shape_init(void);

/* ---- audit_partition.c: months of the log */

/* partition of a moment, made when it is missing */
extern Oid dmp_audit_partition(TimestampTz at);
/* partitions of this month and of a year from now on */
extern void dmp_audit_partitions_ahead(void);
extern Oid dmp_audit_sequence(void);
extern int32 dmp_audit_cluster(void);
extern void dmp_audit_cluster_forget(void);
extern void dmp_audit_partition_forget(Oid relid);

/* ---- audit_write.c: chunks */

typedef struct DmpAuditWriter DmpAuditWriter;

/* in the current memory context; nothing is opened before the first image */
extern DmpAuditWriter *dmp_audit_write_begin(void);
/* where the next image's payload goes, behind its head: append to it, then end or drop the image */
extern StringInfo dmp_audit_image_begin(DmpAuditWriter *w, int32 shape, char operation);
extern int64 dmp_audit_image_end(DmpAuditWriter *w);
extern void dmp_audit_image_drop(DmpAuditWriter *w);
extern void dmp_audit_write_end(DmpAuditWriter *w);

#endif /* DMP_AUDIT_LOG_H */
