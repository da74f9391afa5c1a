/*-------------------------------------------------------------------------
 * soft.h
 *		Conversion of text to a type without throwing.
 *
 * A conversion that fails costs a reason, not a transaction: ingest and clean
 * try every cell, and go on. The outcome (accepted or not, value, SQLSTATE,
 * message) equals that of the type's own input function; see soft.c.
 *-------------------------------------------------------------------------
 */
#ifndef DMP_SOFT_H
#define DMP_SOFT_H

#include "fmgr.h"
#include "nodes/execnodes.h"
#include "utils/typcache.h"

/* Prepared once for a type and typmod */
typedef struct DmpSoftType DmpSoftType;

extern DmpSoftType *dmp_soft_prepare(Oid type, int32 typmod, MemoryContext context);
extern bool dmp_soft_input(DmpSoftType *t, const char *str, int len, Datum *result,
						   const char **reason, int *sqlerrcode);
extern bool dmp_soft_is_guarded(const DmpSoftType *t);
extern bool dmp_soft_null(DmpSoftType *t, const char **reason, int *sqlerrcode);

/* ---------- from here on: for the soft*.c files ---------- */

/* Why a conversion failed */
typedef struct DmpSoftError
{
	int sqlstate;
	const char *reason;
} DmpSoftError;

/* Decides the plain spellings quickly; false means "ask the full one" */
typedef bool (*DmpSoftFast)(DmpSoftType *t, const char *s, int len, Datum *result);

/*
 * Decides everything. s is NUL-terminated; false fills err.
 * DMP_SOFT_ASK in err->sqlstate: undecided, use the guarded input function.
 */
typedef bool (*DmpSoftFull)(DmpSoftType *t, char *s, int len, Datum *result, DmpSoftError *err);

#define DMP_SOFT_ASK (-1)

struct DmpSoftType
{
	Oid type;                       /* the type asked for */
	Oid base;                       /* itself, or what the domain is over */
	int32 typmod;                   /* of the base type */
	FmgrInfo input;                 /* input function of the base type */
	Oid ioparam;                    /* its second argument */
	const char *name;               /* what the server's messages call the base type */
	DmpSoftFast fast;               /* or NULL */
	DmpSoftFull full;               /* or NULL: the guarded input function decides */
	bool zulu;                      /* "Z" is UTC in timezone_abbreviations */
	struct DmpSoftRefused *refused; /* dates and times: values known to fail, else NULL */
	MemoryContext context;
	DomainConstraintRef *constraints; /* of a domain, else NULL */
	ExprContext *econtext;            /* to evaluate them, made on first use */
};

/* soft.c */
extern bool dmp_soft_fail(DmpSoftError *err, int sqlstate, const char *fmt, ...)
	pg_attribute_printf(3, 4);
extern char *dmp_soft_clip(const char *s, int len);
extern bool dmp_soft_json_too_deep(const char *s, int len, DmpSoftError *err);

/* soft_fast.c */
extern DmpSoftFast dmp_soft_find_fast(PGFunction input);
extern bool dmp_soft_zulu(Oid base);

/* soft_full.c */
extern DmpSoftFull dmp_soft_find_full(PGFunction input);
extern bool dmp_soft_numeric_fits(char *s, int32 typmod, DmpSoftError *err);

/* soft_time.c */
extern DmpSoftFull dmp_soft_find_time(PGFunction input);

/* soft_text.c */
extern DmpSoftFull dmp_soft_find_text(PGFunction input);

#endif /* DMP_SOFT_H */
