/*-------------------------------------------------------------------------
 * base.h
 *		What every module uses: SPI, identity, names, tables to write,
 *		documents, owners, progress.
 *-------------------------------------------------------------------------
 */
#ifndef DMP_BASE_H
#define DMP_BASE_H

#include "dmp.h"
#include "access/attnum.h"
#include "access/tupdesc.h"
#include "executor/spi.h"
#include "nodes/pg_list.h"
#include "parser/parser.h"
#include "utils/array.h"

/* ---- spi.c: statements with typed arguments and results */

#define DMP_MAX_ARGS 48

/* Arguments of a statement, $1 first. Zero-initialise, then dmp_arg_x() in order. */
typedef struct DmpArgs
{
	int n;
	Oid types[DMP_MAX_ARGS];
	Datum values[DMP_MAX_ARGS];
	char nulls[DMP_MAX_ARGS];
} DmpArgs;

extern void dmp_arg(DmpArgs *args, Oid type, Datum value, bool isnull);
extern void dmp_arg_text(DmpArgs *args, const char *value); /* NULL pointer: SQL NULL */
extern void dmp_arg_int4(DmpArgs *args, int32 value);
extern void dmp_arg_int8(DmpArgs *args, int64 value);
extern void dmp_arg_float8(DmpArgs *args, double value);
extern void dmp_arg_bool(DmpArgs *args, bool value);
extern void dmp_arg_oid(DmpArgs *args, Oid value);
extern void dmp_arg_text_array(DmpArgs *args, List *strings);

extern void dmp_spi_connect(void);
extern void dmp_spi_finish(void);

/*
 * Runs one statement with the current identity; args may be NULL. Returns the
 * rows processed; results in SPI_tuptable. read_only: the caller's snapshot,
 * no writes (allowed in functions called from a parallel worker or standby).
 */
extern uint64 dmp_spi(const char *sql, DmpArgs *args, bool read_only);
/* The same as the owner of the extension, with search_path pg_catalog, for registry tables only. */
extern uint64 dmp_spi_registry(const char *sql, DmpArgs *args, bool read_only);

/*
 * The same with a plan that is kept for the session: for statements that each
 * row or statement of a user runs. *plan: a static, NULL at first; sql and the
 * types of args are always the same.
 */
extern uint64 dmp_spi_registry_kept(SPIPlanPtr *plan, const char *sql, DmpArgs *args);

/* Column col (from 1) of row (from 0) of SPI_tuptable; text is palloc'd in CurrentMemoryContext. */
extern char *dmp_spi_text(uint64 row,
						  int col); /* NULL for SQL NULL; any type, by its output function */
extern int64 dmp_spi_int8(uint64 row, int col, int64 if_null);
extern double dmp_spi_float8(uint64 row, int col, double if_null);
extern bool dmp_spi_bool(uint64 row, int col, bool if_null);
extern Datum dmp_spi_datum(uint64 row, int col, bool *isnull);

/* ---- identity.c: who runs, who owns */

typedef struct DmpIdentity
{
	Oid user;
	int context;
	int guc_level;
} DmpIdentity;

extern Oid dmp_extension_owner(void);
/* Between these two, code runs as the extension's owner with search_path = pg_catalog, pg_temp. An error between them restores by itself. */
extern void dmp_identity_begin(DmpIdentity *saved);
extern void dmp_identity_end(DmpIdentity *saved);

/* error unless the current user is a member of owner: permission denied for model "x", DETAIL it belongs to "ann" */
extern void dmp_check_owner(Oid owner, const char *kind, const char *name);
/* error unless the current user owns the relation (or is a superuser) */
extern void dmp_check_table_owner(Oid relid);
/* identity of this cluster (dmp_internal.cluster): a number that a dump and restore into another cluster changes; made on first use */
extern int32 dmp_cluster_id(void);

/* ---- names.c: identifiers and queries */

/* "schema"."table", quoted as needed */
extern char *dmp_relation_name(Oid relid);
/* whether a class of this name is the positive one of two: yes, true, 1, y, positive */
extern bool dmp_is_positive_name(const char *value);
/* whether a list of names has one */
extern bool dmp_list_has(List *names, const char *name);
/* A list of names, best match within a third of the length, or NULL. */
extern const char *dmp_nearest(const char *name, List *candidates);
/* errhint() argument for the above inside ereport: dmp_errhint_nearest(name, list) */
extern int dmp_errhint_nearest(const char *name, List *candidates);
/* names of the columns of a tuple descriptor, dropped ones left out (List of char *) */
extern List *dmp_column_names(TupleDesc desc);
/* a, b, c for DETAIL lines; quoted with double quotes when quote */
extern char *dmp_join(List *strings, const char *separator);
/* identifiers quoted and joined by ", ", each with prefix (may be "") */
extern char *dmp_join_identifiers(List *names, const char *prefix);
extern List *dmp_text_array_to_list(ArrayType *array); /* NULL elements are an error */

/* raw_parser, with the position of a syntax error shown in text */
extern List *dmp_parse(const char *text, RawParseMode mode);
/*
 * The SELECT a `query` argument means: SELECT, WITH, VALUES or TABLE as it is
 * (one statement, no INTO, trailing semicolon removed), else a table name
 * parsed as SQL identifiers are. Safe to put in "FROM (...) AS q".
 * what names the argument in errors, e.g. "query".
 */
extern char *dmp_query_select(const char *query, const char *what);
/* Result columns of a SELECT (planned as the caller: rights are not yet checked). *relations: OIDs of the relations it reads, may be NULL. */
extern TupleDesc dmp_query_columns(const char *select, DmpArgs *args, List **relations);
/* whether it calls a volatile function */
extern bool dmp_query_is_volatile(const char *select);
/* OID of a relation named as SQL names are; InvalidOid when there is none (missing_ok), else an error with the nearest name */
extern Oid dmp_relation_oid(const char *name, bool missing_ok);
/* column number of name or an error: column "x" of table/query does not exist, with nearest hint; prefix e.g. "recipe step 4: " or "" */
extern AttrNumber dmp_column_number(TupleDesc desc, const char *name, const char *prefix);

/* ---- into.c: the table an act writes */

typedef struct DmpInto
{
	Oid relid;
	bool created;
	uint64 rows;
} DmpInto;

/*
 * Writes select's rows to into_table (a name, possibly qualified) by
 * if_exists: 'error', 'replace', 'append' or 'upsert' (key: List of column
 * names). A table made here is CREATE TABLE AS, which may be parallel. replace
 * truncates and inserts when the columns agree by name and type, also when
 * select reads the table itself.
 */
extern DmpInto dmp_into_table(const char *into_table, const char *select, DmpArgs *args,
							  const char *if_exists, List *key);
/* within SPI: notes that a table was made from others, for who makes one of rows kept in between */
extern void dmp_note_made(Oid made, List *relations);

/* ---- doc.c: json documents (recipes, features, mappings, options) */

typedef enum DmpDocKind
{
	DMP_DOC_NULL,
	DMP_DOC_BOOL,
	DMP_DOC_NUMBER,
	DMP_DOC_STRING,
	DMP_DOC_ARRAY,
	DMP_DOC_OBJECT
} DmpDocKind;

typedef struct DmpDoc
{
	DmpDocKind kind;
	char *text;  /* scalar: its text, unescaped ("true", "12.5", ...) */
	int n;       /* members, in order */
	char **keys; /* OBJECT */
	struct DmpDoc **items;
} DmpDoc;

/* what: how errors name it, e.g. "recipe". A repeated key is an error. */
extern DmpDoc *dmp_doc_parse(const char *json, const char *what);
extern DmpDoc *dmp_doc_from_jsonb(Datum jsonb, const char *what);
extern DmpDoc *dmp_doc_get(const DmpDoc *object, const char *key); /* NULL: absent */
/* error listing the known keys (NULL-terminated) when doc is no object or has another */
extern void dmp_doc_check_keys(const DmpDoc *doc, const char *what, const char *const *known);
extern const char *dmp_doc_kind_name(DmpDocKind kind);
/* value of key, or default_value when absent or null; another kind is an error: what: "key" must be a string */
extern char *dmp_doc_string(const DmpDoc *object, const char *key, char *default_value,
							const char *what);
extern double dmp_doc_number(const DmpDoc *object, const char *key, double default_value,
							 const char *what);
extern bool dmp_doc_bool(const DmpDoc *object, const char *key, bool default_value,
						 const char *what);
/* a string or an array of strings, as a List of char *; NIL when absent */
extern List *dmp_doc_strings(const DmpDoc *object, const char *key, const char *what);

/* ---- setup.c */

/* schema 'lake' or 'feature': made on first use by a superuser or the database owner; error with the hint SELECT dmp.setup(...) when missing or without CREATE right */
extern Oid dmp_ensure_schema(const char *name);

/* ---- progress.c */

typedef enum DmpProgressMode
{
	DMP_PROGRESS_OFF,
	DMP_PROGRESS_AUTO, /* once the statement has run for two seconds */
	DMP_PROGRESS_ON
} DmpProgressMode;

extern int dmp_progress_mode;
/* one NOTICE a stage of a long act; no timings in it, so that tests can compare */
extern void dmp_progress(const char *format, ...) pg_attribute_printf(1, 2);

/* ---- base.c */

/* InitMaterializedSRF and one row at a time */
extern void dmp_srf_begin(FunctionCallInfo fcinfo);
extern void dmp_srf_row(FunctionCallInfo fcinfo, Datum *values, bool *nulls);
/* (object, action, rows) of something done; rows below 0 is NULL */
extern void dmp_srf_act(FunctionCallInfo fcinfo, const char *object, const char *action,
						int64 rows);
/* of a base type: integer, float or numeric; a domain is none of them */
extern bool dmp_type_is_number(Oid type);
/* a value of such a type, or a boolean as 0 or 1; numeric out of range is infinite */
extern double dmp_value_number(Datum value, Oid type);

#endif /* DMP_BASE_H */
