/*-------------------------------------------------------------------------
 * server.c
 *		Stand-ins for what the functions under test use of the server: memory
 *		that is forgotten after each input, texts that are checked, no errors.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/namespace.h"
#include "common/unicode_norm.h"
#include "funcapi.h"
#include "ingest/web.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"
#include "utils/numeric.h"

extern void dmp_fuzz_forget(void);

/* ---- memory */

typedef struct Piece
{
	struct Piece *next;
	struct Piece *previous;
} Piece;

static Piece pieces = {&pieces, &pieces};
MemoryContext CurrentMemoryContext;
volatile sig_atomic_t InterruptPending;

void *
palloc(Size size)
{
	Piece *piece = malloc(sizeof(Piece) + size);

	if (size > MaxAllocSize)
		abort();
	piece->next = pieces.next;
	piece->previous = &pieces;
	pieces.next->previous = piece;
	pieces.next = piece;
	return piece + 1;
}

void
pfree(void *pointer)
{
	Piece *piece = (Piece *) pointer - 1;

	piece->next->previous = piece->previous;
	piece->previous->next = piece->next;
	free(piece);
}

void
dmp_fuzz_forget(void)
{
	while (pieces.next != &pieces)
		pfree(pieces.next + 1);
}

void *
palloc0(Size size)
{
	void *pointer = palloc(size);

	memset(pointer, 0, size);
	return pointer;
}

void *
palloc_extended(Size size, int flags)
{
	return (flags & MCXT_ALLOC_ZERO) ? palloc0(size) : palloc(size);
}

void *
repalloc(void *pointer, Size size)
{
	Piece *old = (Piece *) pointer - 1;
	Piece *piece;

	old->next->previous = old->previous;
	old->previous->next = old->next;
	piece = realloc(old, sizeof(Piece) + size);
	piece->next = pieces.next;
	piece->previous = &pieces;
	pieces.next->previous = piece;
	pieces.next = piece;
	return piece + 1;
}

void *
repalloc_huge(void *pointer, Size size)
{
	return repalloc(pointer, size);
}

char *
pnstrdup(const char *in, Size len)
{
	Size length = strnlen(in, len);
	char *out = palloc(length + 1);

	memcpy(out, in, length);
	out[length] = '\0';
	return out;
}

char *
pstrdup(const char *in)
{
	return pnstrdup(in, strlen(in));
}

/* ---- texts: what comes out is valid, as what goes in is */

text *
cstring_to_text_with_len(const char *s, int len)
{
	text *result = palloc(VARHDRSZ + len);

	if (len < 0 || pg_encoding_verifymbstr(PG_UTF8, s, len) != len || memchr(s, '\0', len) != NULL)
		abort();
	SET_VARSIZE(result, VARHDRSZ + len);
	memcpy(VARDATA(result), s, len);
	return result;
}

text *
cstring_to_text(const char *s)
{
	return cstring_to_text_with_len(s, (int) strlen(s));
}

char *
text_to_cstring(const text *t)
{
	return pnstrdup(VARDATA_ANY(t), VARSIZE_ANY_EXHDR(t));
}

struct varlena *
pg_detoast_datum_packed(struct varlena *datum)
{
	return datum;
}

int
GetDatabaseEncoding(void)
{
	return PG_UTF8;
}

int
pg_mbcliplen(const char *mbstr, int len, int limit)
{
	int at = 0;

	while (at < len && mbstr[at] != '\0')
	{
		int next = at + pg_utf_mblen((const unsigned char *) mbstr + at);

		if (next > limit)
			break;
		at = next;
	}
	return at;
}

Oid
FindDefaultConversionProc(int32 for_encoding, int32 to_encoding)
{
	return InvalidOid;
}

int
pg_do_encoding_conversion_buf(Oid proc, int src_encoding, int dest_encoding, unsigned char *src,
							  int srclen, unsigned char *dest, int destlen, bool noError)
{
	abort();
}

/* the client's build of it uses malloc */
extern pg_wchar *__real_unicode_normalize(UnicodeNormalizationForm form, const pg_wchar *input);
extern pg_wchar *__wrap_unicode_normalize(UnicodeNormalizationForm form, const pg_wchar *input);

pg_wchar *
__wrap_unicode_normalize(UnicodeNormalizationForm form, const pg_wchar *input)
{
	pg_wchar *result = __real_unicode_normalize(form, input);
	pg_wchar *copy;
	size_t n = 0;

	while (result[n] != 0)
		n++;
	copy = palloc((n + 1) * sizeof(pg_wchar));
	memcpy(copy, result, (n + 1) * sizeof(pg_wchar));
	free(result);
	return copy;
}

/* ---- rows */

TupleDesc
dmp_web_row(FunctionCallInfo fcinfo)
{
	return NULL;
}

Datum
dmp_web_text(const char *s, int len)
{
	return PointerGetDatum(cstring_to_text_with_len(s, len));
}

TypeFuncClass
get_call_result_type(FunctionCallInfo fcinfo, Oid *type, TupleDesc *desc)
{
	*desc = NULL;
	return TYPEFUNC_COMPOSITE;
}

TupleDesc
BlessTupleDesc(TupleDesc desc)
{
	return desc;
}

HeapTuple
heap_form_tuple(TupleDesc desc, Datum *values, bool *nulls)
{
	return palloc0(sizeof(HeapTupleData));
}

Datum
HeapTupleHeaderGetDatum(HeapTupleHeader tuple)
{
	return (Datum) 0;
}

JsonbValue *
pushJsonbValue(JsonbParseState **state, JsonbIteratorToken token, JsonbValue *value)
{
	static JsonbValue object;

	if (value != NULL && value->type == jbvString)
		(void) cstring_to_text_with_len(value->val.string.val, value->val.string.len);
	return &object;
}

Jsonb *
JsonbValueToJsonb(JsonbValue *value)
{
	return palloc0(sizeof(Jsonb));
}

/* ---- numbers: what is given to numeric's input is one */

Datum
DirectFunctionCall3Coll(PGFunction function, Oid collation, Datum a, Datum b, Datum c)
{
	const char *s = DatumGetCString(a);
	size_t sign = *s == '-' || *s == '+';

	if (strspn(s + sign, "0123456789.eE+-") != strlen(s + sign) || s[sign] == '\0')
		abort();
	return PointerGetDatum(palloc0(16));
}

Datum
DirectFunctionCall2Coll(PGFunction function, Oid collation, Datum a, Datum b)
{
	return PointerGetDatum(palloc0(16));
}

Datum
DirectFunctionCall1Coll(PGFunction function, Oid collation, Datum a)
{
	return PointerGetDatum(palloc0(16));
}

Numeric
int64_to_numeric(int64 value)
{
	return palloc0(16);
}

#define STAND_IN(name)                \
	Datum name(PG_FUNCTION_ARGS)      \
	{                                 \
		return PointerGetDatum(NULL); \
	}

STAND_IN(numeric_in)
STAND_IN(numeric_add)
STAND_IN(numeric_div)
STAND_IN(numeric_uminus)

/* ---- errors: there are none */

bool
errstart(int elevel, const char *domain)
{
	abort();
}

bool
errstart_cold(int elevel, const char *domain)
{
	abort();
}

void
errfinish(const char *filename, int lineno, const char *funcname)
{
	abort();
}

int
errcode(int sqlerrcode)
{
	return 0;
}

int
errmsg(const char *fmt, ...)
{
	return 0;
}

int
errmsg_internal(const char *fmt, ...)
{
	return 0;
}

void
ProcessInterrupts(void)
{
}
