/*-------------------------------------------------------------------------
 * soft.c
 *		Conversion of text to a type without throwing: the common path.
 *
 * PostgreSQL 15 reports a bad value only by throwing, and what is thrown can
 * be caught only by a subtransaction, which parallel plans on 15 and 16
 * forbid and which is slow at a million cells. So the built-in types are
 * decided here without throwing, in two stages:
 *
 *	fast	the plain spellings (1234, 2024-06-01 12:00:00) straight from the
 *			bytes, several times as fast as the input function. It answers
 *			only what it is sure of (soft_fast.c).
 *	full	everything else. On servers with soft errors (16 and later) this is
 *			the type's own input function. On 15 it is our own decision, made
 *			of the pieces of the server that return codes, and of checks of
 *			the grammar in front of those that throw (soft_full.c, soft_time.c,
 *			soft_text.c).
 *
 * Types we have no decision for run their input function in a subtransaction,
 * outside parallel mode. Converters are found by the address of the input
 * function, so a type of an extension that shares one is served as well.
 *
 * Domains: the base type first, then the constraints. A failing CHECK is a
 * failed conversion; a CHECK that itself throws is one too, except within a
 * parallel plan, where nothing can catch it.
 *
 * Invariant: whatever the input function would answer is the answer. The
 * regression test "soft" compares thousands of spellings. One exception: json
 * nested so deep that the server's answer depends on its stack is refused
 * somewhat earlier.
 *-------------------------------------------------------------------------
 */
#include "dmp.h"

#include "access/parallel.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "executor/executor.h"
#include "mb/pg_wchar.h"
#include "tcop/tcopprot.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/resowner.h"

#include "base/soft.h"

#ifdef DMP_HAVE_SAFE_INPUT
#include "nodes/miscnodes.h"
#endif

/* longest part of a value that a reason quotes, in bytes */
#define SOFT_QUOTE_MAX 200

/* shorter values are terminated on the stack */
#define SOFT_STACK_MAX 256

/*
 * Values that dates and times refused lately. A word that is no date makes the
 * server look for a time zone of that name, in every file name of its zone
 * directory, and junk repeats: "n/a", "unknown". One entry a hash value.
 */
#define REFUSED_SIZE 64
#define REFUSED_MAX 32

typedef struct DmpSoftRefused
{
	int len; /* 0: free */
	char value[REFUSED_MAX];
	int sqlstate;
	char *reason;
} DmpSoftRefused;

/*
 * A copy of s that is short enough for a message.
 */
char *
dmp_soft_clip(const char *s, int len)
{
	int keep;

	if (len <= SOFT_QUOTE_MAX)
		return pnstrdup(s, len);
	keep = pg_mbcliplen(s, len, SOFT_QUOTE_MAX);
	return psprintf("%.*s...", keep, s);
}

/*
 * Fill err; returns false so that callers can return it.
 */
bool
dmp_soft_fail(DmpSoftError *err, int sqlstate, const char *fmt, ...)
{
	StringInfoData buf;
	va_list args;
	int needed;

	initStringInfo(&buf);
	for (;;)
	{
		va_start(args, fmt);
		needed = appendStringInfoVA(&buf, fmt, args);
		va_end(args);
		if (needed == 0)
			break;
		enlargeStringInfo(&buf, needed);
	}
	err->sqlstate = sqlstate;
	err->reason = buf.data;
	return false;
}

/*
 * What the server's messages call a type: format_type's name, as its input
 * functions write it.
 */
static const char *
soft_type_name(Oid type, MemoryContext context)
{
	return MemoryContextStrdup(context, format_type_be(type));
}

/*
 * Prepare conversion to a type. Everything lives in the given context, which
 * must outlive the conversions. An error here is an ordinary one (a type
 * without an input function, a shell type).
 */
DmpSoftType *
dmp_soft_prepare(Oid type, int32 typmod, MemoryContext context)
{
	DmpSoftType *t = MemoryContextAllocZero(context, sizeof(DmpSoftType));
	Oid input;

	t->type = type;
	t->typmod = typmod;
	t->context = context;
	t->base = getBaseTypeAndTypmod(type, &t->typmod);
	getTypeInputInfo(t->base, &input, &t->ioparam);
	fmgr_info_cxt(input, &t->input, context);
	t->name = soft_type_name(t->base, context);

	t->fast = dmp_soft_find_fast(t->input.fn_addr);
#ifndef DMP_HAVE_SAFE_INPUT
	t->full = dmp_soft_find_full(t->input.fn_addr);
	if (t->full == NULL)
		t->full = dmp_soft_find_time(t->input.fn_addr);
	if (t->full == NULL)
		t->full = dmp_soft_find_text(t->input.fn_addr);
#endif
	t->zulu = dmp_soft_zulu(t->base);
	if (t->base == DATEOID || t->base == TIMEOID || t->base == TIMETZOID ||
		t->base == TIMESTAMPOID || t->base == TIMESTAMPTZOID)
		t->refused = MemoryContextAllocZero(context, sizeof(DmpSoftRefused) * REFUSED_SIZE);

	if (t->base != type)
	{
		t->constraints = MemoryContextAllocZero(context, sizeof(DomainConstraintRef));
		InitDomainConstraintRef(type, t->constraints, context, true);
	}
	return t;
}

/*
 * The server's json parser recurses and throws when the stack runs out, on
 * every version. Refuse nesting that could, at half a kilobyte of stack a
 * level; true: refused, with err filled.
 */
bool
dmp_soft_json_too_deep(const char *s, int len, DmpSoftError *err)
{
	int limit = max_stack_depth * 2;
	int depth = 0;
	bool quoted = false;
	int i;

	if (len <= limit)
		return false;
	for (i = 0; i < len && depth <= limit; i++)
	{
		if (quoted)
		{
			if (s[i] == '\\')
				i++;
			else if (s[i] == '"')
				quoted = false;
		}
		else if (s[i] == '"')
			quoted = true;
		else if (s[i] == '[' || s[i] == '{')
			depth++;
		else if (s[i] == ']' || s[i] == '}')
			depth--;
	}
	if (depth <= limit)
		return false;
	dmp_soft_fail(err, ERRCODE_STATEMENT_TOO_COMPLEX, "json is nested deeper than %d levels",
				  limit);
	return true;
}

#ifdef DMP_HAVE_SAFE_INPUT

/*
 * The type's input function with soft errors.
 */
static bool
soft_guarded(DmpSoftType *t, char *s, Datum *result, DmpSoftError *err)
{
	ErrorSaveContext save = {T_ErrorSaveContext};

	if ((t->input.fn_addr == json_in || t->input.fn_addr == jsonb_in) &&
		dmp_soft_json_too_deep(s, strlen(s), err))
		return false;
	save.details_wanted = true;
	if (InputFunctionCallSafe(&t->input, s, t->ioparam, t->typmod, (Node *) &save, result))
		return true;
	err->sqlstate = save.error_data->sqlerrcode;
	err->reason = dmp_soft_clip(save.error_data->message, strlen(save.error_data->message));
	return false;
}

#endif

/*
 * Errors that are not about the value: these are never swallowed.
 */
static bool
soft_must_throw(int sqlstate)
{
	switch (ERRCODE_TO_CATEGORY(sqlstate))
	{
		case MAKE_SQLSTATE('5', '3', '0', '0', '0'): /* out of resources */
		case MAKE_SQLSTATE('5', '7', '0', '0', '0'): /* cancelled, shutting down */
		case MAKE_SQLSTATE('5', '8', '0', '0', '0'): /* I/O */
		case MAKE_SQLSTATE('X', 'X', '0', '0', '0'): /* internal */
		case MAKE_SQLSTATE('4', '0', '0', '0', '0'): /* rollback wanted */
			return true;
		default:
			return false;
	}
}

/* What runs inside a subtransaction */
typedef bool (*SoftBody)(DmpSoftType *t, char *s, Datum *result, DmpSoftError *err);

/*
 * Run body in a subtransaction, so that what it throws becomes a reason.
 */
static bool
soft_in_subtransaction(SoftBody body, DmpSoftType *t, char *s, Datum *result, DmpSoftError *err)
{
	MemoryContext oldcontext = CurrentMemoryContext;
	ResourceOwner oldowner = CurrentResourceOwner;
	volatile bool ok = false;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(oldcontext);
	PG_TRY();
	{
		ok = body(t, s, result, err);
		ReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(oldcontext);
		CurrentResourceOwner = oldowner;
	}
	PG_CATCH();
	{
		ErrorData *edata;

		MemoryContextSwitchTo(oldcontext);
		edata = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(oldcontext);
		CurrentResourceOwner = oldowner;
		if (soft_must_throw(edata->sqlerrcode))
			ReThrowError(edata);
		err->sqlstate = edata->sqlerrcode;
		err->reason = dmp_soft_clip(edata->message, strlen(edata->message));
		ok = false;
	}
	PG_END_TRY();
	return ok;
}

#ifndef DMP_HAVE_SAFE_INPUT

static bool
soft_call_input(DmpSoftType *t, char *s, Datum *result, DmpSoftError *err)
{
	*result = InputFunctionCall(&t->input, s, t->ioparam, t->typmod);
	return true;
}

/*
 * The same without a subtransaction, for the few spellings that only the
 * server's own input function decides. Those of the types we decide ourselves
 * hold no lock, pin or other resource when they throw, so nothing is left.
 */
static bool
soft_caught(SoftBody body, DmpSoftType *t, char *s, Datum *result, DmpSoftError *err)
{
	MemoryContext oldcontext = CurrentMemoryContext;
	volatile bool ok = false;

	PG_TRY();
	{
		ok = body(t, s, result, err);
	}
	PG_CATCH();
	{
		ErrorData *edata;

		MemoryContextSwitchTo(oldcontext);
		edata = CopyErrorData();
		FlushErrorState();
		if (ERRCODE_TO_CATEGORY(edata->sqlerrcode) != ERRCODE_DATA_EXCEPTION)
			ReThrowError(edata);
		err->sqlstate = edata->sqlerrcode;
		err->reason = dmp_soft_clip(edata->message, strlen(edata->message));
	}
	PG_END_TRY();
	return ok;
}

/*
 * The type's input function in a subtransaction.
 */
static bool
soft_guarded(DmpSoftType *t, char *s, Datum *result, DmpSoftError *err)
{
	if (IsInParallelMode() && t->full != NULL)
		return soft_caught(soft_call_input, t, s, result, err);
	if (IsInParallelMode())
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("values of type %s cannot be converted within a parallel plan", t->name),
				 errhint("Run SET max_parallel_workers_per_gather = 0 first.")));
	return soft_in_subtransaction(soft_call_input, t, s, result, err);
}

#endif

/*
 * Evaluate the CHECK constraints of a domain on *result. Throws only what a
 * constraint throws.
 */
static bool
soft_run_checks(DmpSoftType *t, char *s, Datum *result, DmpSoftError *err)
{
	ExprContext *econtext = t->econtext;
	ListCell *lc;

	foreach (lc, t->constraints->constraints)
	{
		DomainConstraintState *con = (DomainConstraintState *) lfirst(lc);

		if (con->constrainttype != DOM_CONSTRAINT_CHECK)
			continue;
		if (!ExecCheck(con->check_exprstate, econtext))
			return dmp_soft_fail(err, ERRCODE_CHECK_VIOLATION,
								 "value for domain %s violates check constraint \"%s\"",
								 format_type_be(t->type), con->name);
	}
	return true;
}

/*
 * The constraints of a domain on a converted value or on NULL.
 */
static bool
soft_constraints(DmpSoftType *t, Datum *result, bool isnull, DmpSoftError *err)
{
	ExprContext *econtext;
	bool checks = false;
	bool ok = true;
	ListCell *lc;

	UpdateDomainConstraintRef(t->constraints);
	foreach (lc, t->constraints->constraints)
	{
		DomainConstraintState *con = (DomainConstraintState *) lfirst(lc);

		if (con->constrainttype == DOM_CONSTRAINT_CHECK)
			checks = true;
		else if (isnull)
			return dmp_soft_fail(err, ERRCODE_NOT_NULL_VIOLATION,
								 "domain %s does not allow null values", format_type_be(t->type));
	}
	if (!checks)
		return true;

	if (t->econtext == NULL)
	{
		MemoryContext oldcontext = MemoryContextSwitchTo(t->context);

		t->econtext = CreateStandaloneExprContext();
		MemoryContextSwitchTo(oldcontext);
	}
	econtext = t->econtext;
	econtext->domainValue_datum = isnull ? (Datum) 0 : *result;
	econtext->domainValue_isNull = isnull;
	/* a CHECK may throw: 1 / VALUE > 0 */
	if (IsInParallelMode())
		ok = soft_run_checks(t, NULL, result, err);
	else
		ok = soft_in_subtransaction(soft_run_checks, t, NULL, result, err);
	ResetExprContext(econtext);
	return ok;
}

static DmpSoftRefused *
refused_entry(DmpSoftType *t, const char *s, int len)
{
	if (t->refused == NULL || len == 0 || len > REFUSED_MAX)
		return NULL;
	return &t->refused[hash_bytes((const unsigned char *) s, len) % REFUSED_SIZE];
}

static void
remember_refused(DmpSoftType *t, const char *s, int len, const DmpSoftError *err)
{
	DmpSoftRefused *entry = refused_entry(t, s, len);

	if (entry == NULL)
		return;
	if (entry->len > 0)
		pfree(entry->reason);
	entry->len = 0;
	entry->reason = MemoryContextStrdup(t->context, err->reason);
	entry->sqlstate = err->sqlstate;
	memcpy(entry->value, s, len);
	entry->len = len;
}

static bool
was_refused(DmpSoftType *t, const char *s, int len, bool want_reason, DmpSoftError *err)
{
	DmpSoftRefused *entry = refused_entry(t, s, len);

	if (entry == NULL || entry->len != len || memcmp(entry->value, s, len) != 0)
		return false;
	err->sqlstate = entry->sqlstate;
	err->reason = want_reason ? pstrdup(entry->reason) : NULL;
	return true;
}

/*
 * Whether any value, not only a rare spelling, may take a subtransaction: such
 * conversions do not belong into a parallel plan.
 */
bool
dmp_soft_is_guarded(const DmpSoftType *t)
{
#ifdef DMP_HAVE_SAFE_INPUT
	return t->constraints != NULL;
#else
	return t->full == NULL || t->constraints != NULL;
#endif
}

/*
 * Convert len bytes at str (valid in the database encoding, no NUL inside,
 * not necessarily terminated) to the prepared type. True: *result is set,
 * allocated in the current context when by reference. False: *reason is one
 * line in the words of the server (a long value is clipped), allocated in the
 * current context, and *sqlerrcode its SQLSTATE, packed. Either may be NULL
 * when it is not wanted. Throws only what is not about the value (memory,
 * cancel), and for types without a decision of ours within a parallel plan.
 */
bool
dmp_soft_input(DmpSoftType *t, const char *str, int len, Datum *result, const char **reason,
			   int *sqlerrcode)
{
	DmpSoftError err;
	bool ok;

	ok = t->fast != NULL && t->fast(t, str, len, result);
	if (!ok && !was_refused(t, str, len, reason != NULL, &err))
	{
		char stack[SOFT_STACK_MAX];
		char *s = len < SOFT_STACK_MAX
					  ? stack
					  : MemoryContextAllocHuge(CurrentMemoryContext, (Size) len + 1);

		memcpy(s, str, len);
		s[len] = '\0';
		err.sqlstate = DMP_SOFT_ASK;
		err.reason = NULL;
		if (t->full != NULL)
			ok = t->full(t, s, len, result, &err);
		if (!ok && err.sqlstate == DMP_SOFT_ASK)
			ok = soft_guarded(t, s, result, &err);
		if (!ok)
			remember_refused(t, s, len, &err);
		if (s != stack)
			pfree(s);
	}
	if (ok && t->constraints != NULL)
		ok = soft_constraints(t, result, false, &err);
	if (!ok)
	{
		if (reason != NULL)
			*reason = err.reason;
		if (sqlerrcode != NULL)
			*sqlerrcode = err.sqlstate;
	}
	return ok;
}

/*
 * Whether NULL may stand in the prepared type: false for a domain whose
 * constraints refuse it. reason and sqlerrcode as in dmp_soft_input.
 */
bool
dmp_soft_null(DmpSoftType *t, const char **reason, int *sqlerrcode)
{
	DmpSoftError err;
	Datum none = (Datum) 0;

	if (t->constraints == NULL || soft_constraints(t, &none, true, &err))
		return true;
	if (reason != NULL)
		*reason = err.reason;
	if (sqlerrcode != NULL)
		*sqlerrcode = err.sqlstate;
	return false;
}
