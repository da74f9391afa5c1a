/*-------------------------------------------------------------------------
 * decode.h
 *		From a record to values: what decode.c, convert.c and the readers of the
 *		formats share.
 *
 * A reader finds the wanted members of a record and leaves the place of each
 * value in a slot; the decoder makes Datums of them. What is wanted is a tree
 * (json.h); only json has more than its first level.
 *-------------------------------------------------------------------------
 */
#ifndef DMP_DECODE_H
#define DMP_DECODE_H

#include "ingest/ingest.h"

typedef struct DmpReader
{
	/* in */
	const DmpFormat *format;
	DmpJsonNode *root;   /* what is wanted */
	DmpJsonValue *slots; /* cleared before each record */
	int n_slots;
	DmpJsonUnknown unknown; /* members nobody wants; key and value as json writes them or as text */
	void *arg;
	/* json, with an array whose elements are the rows: what is wanted of it and of each of them */
	int array_slot;
	DmpJsonNode *element_root;
	DmpJsonValue *element_slots;
	int n_element_slots;
	bool mapped;     /* the wanted names were given, and are not those of the columns */
	List *positions; /* csv: names of the fields of a record that has no header */
	DmpFirstLines first_lines;
	void *first_lines_arg;
	/* of the format */
	DmpDecoded (*read)(struct DmpReader *reader, const char *line, size_t length,
					   const DmpRecordOrigin *origin, DmpRejected *why);
	/* the next row of the record; NULL: a record is one row */
	DmpDecoded (*next)(struct DmpReader *reader, DmpRejected *why);
	/* the header of the file a record is of, or NULL; the member itself may be NULL */
	const char *(*header)(const struct DmpReader *reader, const DmpRecordOrigin *origin);
	bool wants_origin; /* origin is to be filled */
	DmpPart part;      /* of the row last read, when rows are parts of records */
	int n_parts;       /* rows of the record */
	int at;            /* those that were read */
	int64 empty;       /* records without a row */
	int64 headers;     /* lines that were headers, no records */
	MemoryContext context;
	void *state;
} DmpReader;

/*
 * Reads records of a format; root is finished here; lives in CurrentMemoryContext.
 * An array to explode is set afterwards, by dmp_reader_explode.
 */
extern DmpReader *dmp_reader_make(const DmpFormat *format, DmpJsonNode *root, int n_slots,
								  DmpJsonUnknown unknown, void *arg);
/* fills why; reason is a message as the server writes them */
extern DmpDecoded dmp_record_rejected(DmpRejected *why, int sqlerrcode, const char *reason);

/* ---- the tree of wanted members */

extern DmpJsonNode *dmp_node_make(void);
/* the child of that name or (name NULL) index, made when missing */
extern DmpJsonNode *dmp_node_child(DmpJsonNode *node, const char *name, size_t length,
								   size_t index);

/* ---- readers */

extern void dmp_reader_json(DmpReader *reader);
extern void dmp_reader_explode(DmpReader *reader, int array_slot, DmpJsonNode *element_root,
							   int n_element_slots);
extern void dmp_reader_csv(DmpReader *reader);
extern void dmp_reader_log(DmpReader *reader);

/* ---- convert.c: a value for a column */

typedef struct DmpField
{
	char *column;
	Oid base; /* type, domains looked through */
	bool plain_text;
	bool json;
	bool integer;
	bool domain;
	DmpSoftType *soft;
	DmpSoftType *element; /* of an array type */
	Oid element_type;
	int16 element_length;
	bool element_byval;
	char element_align;
	int date_order;    /* reading.c: 1 + DATEORDER_x, 0: as the source's date style says */
	char decimal_mark; /* '\0': as the type reads numbers */
} DmpField;

typedef struct DmpConvert
{
	int n_missing;
	char **missing; /* tokens read as missing */
	size_t *missing_length;
	size_t longest_missing;
	DmpSoftType *numeric;
} DmpConvert;

extern void dmp_convert_init(DmpConvert *convert, List *missing);
extern void dmp_field_init(DmpField *field, const char *column, Oid type, int32 typmod);
/* a text for the field, as its type reads it; false: why says */
extern bool dmp_field_text(const DmpField *field, const char *text, size_t length, Datum *result,
						   DmpRejected *why);
/* a value that is present and not null; *isnull is set for a missing token */
extern bool dmp_field_value(const DmpConvert *convert, const DmpField *field,
							const DmpJsonValue *value, Datum *result, bool *isnull,
							DmpRejected *why);
/* ---- reading.c: date order and decimal mark of a column */

/* takes what the options say of the field's column; an error when its type has no such thing */
extern void dmp_field_reading(DmpField *field, const DmpDoc *date_order,
							  const DmpDoc *decimal_mark);
/*
 * A number written with that decimal mark and perhaps groups of three, as the
 * server writes it, in palloc'd memory; false: it is none. *marked: it had a
 * mark or groups.
 */
extern bool dmp_number_text(char mark, const char **text, size_t *length, bool *marked);
/* 'YMD', 'DMY', 'MDY' of DmpField.date_order */
extern const char *dmp_date_order_name(int order);

/* false, with the reason */
extern bool dmp_field_rejected(DmpRejected *why, const DmpField *field, int sqlerrcode,
							   const char *reason);

#endif /* DMP_DECODE_H */
