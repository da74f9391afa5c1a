/*-------------------------------------------------------------------------
 * json.h
 *		One pass over a json record: is it valid, and where are the wanted
 *		values. Plain C, no server calls: fuzzed alone.
 *-------------------------------------------------------------------------
 */
#ifndef DMP_JSON_H
#define DMP_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Deeper nesting is refused, well before the server's own parser runs out of stack. */
#define DMP_JSON_DEPTH 4096

typedef enum DmpJsonType
{
	DMP_JSON_ABSENT,
	DMP_JSON_NULL,
	DMP_JSON_TRUE,
	DMP_JSON_FALSE,
	DMP_JSON_NUMBER,
	DMP_JSON_STRING,
	DMP_JSON_OBJECT,
	DMP_JSON_ARRAY,
	DMP_JSON_TEXT /* of another format: the text itself */
} DmpJsonType;

/* A value in the record's text. STRING: without its quotes. */
typedef struct DmpJsonValue
{
	const char *start;
	size_t length;
	DmpJsonType type;
	bool escaped; /* STRING: has a backslash */
} DmpJsonValue;

/*
 * What is wanted, as a tree: the root stands for the record, a child for a
 * member of an object (by name) or of an array (by index).
 */
typedef struct DmpJsonNode
{
	const char *name; /* NULL for an array element */
	size_t name_length;
	size_t index;     /* of an array element */
	int slot;         /* where its value goes, -1: nowhere */
	const char *path; /* its members' names in reports start so: \"\" or \"a.b.\" */
	int n_children;
	struct DmpJsonNode **children;
	struct DmpJsonNode **table; /* hash of named children, made by dmp_json_finish */
	uint32_t table_mask;
	int guess; /* the child expected next: records repeat their order */
} DmpJsonNode;

/* A member that no child of node wants; key as written, without quotes. */
typedef void (*DmpJsonUnknown)(void *arg, const DmpJsonNode *node, const DmpJsonValue *key,
							   const DmpJsonValue *value);

typedef struct DmpJsonScan
{
	/* in */
	DmpJsonNode *root;
	DmpJsonValue *slots; /* the caller clears them before each record */
	DmpJsonUnknown unknown;
	void *arg;
	/* out, when the record is not valid */
	const char *message;
	size_t position; /* byte, from 0 */
	/* inside */
	const char *begin;
	const char *end;
} DmpJsonScan;

/* Makes the tree ready (hash tables by alloc, which may not fail). */
extern void dmp_json_finish(DmpJsonNode *node, void *(*alloc)(size_t));
/*
 * Scans one record of one json value (RFC 8259, and as the server's jsonb: no
 * \u0000, surrogates in pairs). false: not valid, message and position say
 * why. A repeated member counts by its last value. *type: of the record.
 */
extern bool dmp_json_scan(DmpJsonScan *scan, const char *text, size_t length, DmpJsonType *type);
/* The same for a value whose members nobody wants; NULL when valid, else the message. */
extern const char *dmp_json_check(const char *text, size_t length, size_t *position);
/*
 * Resolves escapes of a valid string's inside to UTF-8; out has room for length
 * bytes. Returns the length.
 */
extern size_t dmp_json_unescape(const char *text, size_t length, char *out);
/*
 * Elements of an array's text (valid json): calls back with each in order;
 * false from the callback ends it.
 */
extern void dmp_json_elements(const char *text, size_t length,
							  bool (*element)(void *arg, const DmpJsonValue *value), void *arg);

#endif /* DMP_JSON_H */
