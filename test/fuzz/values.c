/*-------------------------------------------------------------------------
 * values.c
 *		Fuzzes the functions over single texts: addresses, user agents and the
 *		value cleaners, on stand-ins for the server (server.c).
 *
 * Any valid text gives a value or NULL, never an error; texts that come out
 * are valid. What cleaning gives is clean: cleaned again it is the same.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"

extern int LLVMFuzzerTestOneInput(const uint8 *data, size_t size);
extern void dmp_fuzz_forget(void);

extern Datum dmp_parse_url(PG_FUNCTION_ARGS);
extern Datum dmp_parse_user_agent(PG_FUNCTION_ARGS);
extern Datum dmp_clean_email(PG_FUNCTION_ARGS);
extern Datum dmp_clean_iban(PG_FUNCTION_ARGS);
extern Datum dmp_clean_number(PG_FUNCTION_ARGS);
extern Datum dmp_clean_phone(PG_FUNCTION_ARGS);
extern Datum dmp_clean_text(PG_FUNCTION_ARGS);
extern Datum dmp_clean_url(PG_FUNCTION_ARGS);
extern Datum dmp_fingerprint(PG_FUNCTION_ARGS);
extern Datum dmp_is_luhn(PG_FUNCTION_ARGS);
extern Datum dmp_jaro_winkler(PG_FUNCTION_ARGS);
extern Datum dmp_ngram_fingerprint(PG_FUNCTION_ARGS);
extern Datum dmp_parse_person_name(PG_FUNCTION_ARGS);
extern Datum dmp_parse_quantity(PG_FUNCTION_ARGS);

typedef enum Result
{
	OTHER,
	TEXT,       /* a text */
	TEXT_STABLE /* and it is its own */
} Result;

typedef struct Function
{
	PGFunction function;
	const char *option; /* a second argument, NULL: none */
	int number;         /* or this one, 0: none */
	Result result;
} Function;

static const Function functions[] = {
	{dmp_parse_url, NULL, 0, OTHER},         {dmp_parse_user_agent, NULL, 0, OTHER},
	{dmp_clean_email, NULL, 0, TEXT_STABLE}, {dmp_clean_iban, NULL, 0, TEXT_STABLE},
	{dmp_clean_number, ".", 0, OTHER},       {dmp_clean_number, ",", 0, OTHER},
	{dmp_clean_phone, "CN", 0, TEXT_STABLE}, {dmp_clean_phone, "US", 0, TEXT_STABLE},
	{dmp_clean_text, NULL, 0, TEXT_STABLE},  {dmp_clean_url, NULL, 0, TEXT_STABLE},
	{dmp_fingerprint, NULL, 0, TEXT},        {dmp_is_luhn, NULL, 0, OTHER},
	{dmp_ngram_fingerprint, NULL, 2, TEXT},  {dmp_jaro_winkler, "Martha", 0, OTHER},
	{dmp_parse_person_name, NULL, 0, OTHER}, {dmp_parse_quantity, NULL, 0, OTHER},
};

static Datum
call(const Function *f, text *input, bool *isnull)
{
	LOCAL_FCINFO(fcinfo, 2);
	FmgrInfo flinfo;
	Datum result;

	memset(&flinfo, 0, sizeof(flinfo));
	InitFunctionCallInfoData(*fcinfo, &flinfo, f->option || f->number ? 2 : 1, InvalidOid, NULL,
							 NULL);
	fcinfo->args[0].value = PointerGetDatum(input);
	fcinfo->args[0].isnull = false;
	fcinfo->args[1].value =
		f->option ? PointerGetDatum(cstring_to_text(f->option)) : Int32GetDatum(f->number);
	fcinfo->args[1].isnull = false;
	result = f->function(fcinfo);
	*isnull = fcinfo->isnull;
	return result;
}

/* the first byte of an input chooses the function */
int
LLVMFuzzerTestOneInput(const uint8 *data, size_t size)
{
	const Function *f;
	Datum first;
	Datum second;
	bool isnull;
	text *input;

	if (size == 0)
		return 0;
	f = &functions[data[0] % lengthof(functions)];
	data++;
	size--;
	if (memchr(data, '\0', size) != NULL ||
		pg_encoding_verifymbstr(PG_UTF8, (const char *) data, (int) size) != (int) size)
		return 0;
	input = cstring_to_text_with_len((const char *) data, (int) size);
	first = call(f, input, &isnull);
	if (!isnull && f->result == TEXT_STABLE)
	{
		second = call(f, (text *) DatumGetPointer(first), &isnull);
		if (isnull || VARSIZE_ANY(DatumGetPointer(first)) != VARSIZE_ANY(DatumGetPointer(second)) ||
			memcmp(DatumGetPointer(first), DatumGetPointer(second),
				   VARSIZE_ANY(DatumGetPointer(first))) != 0)
			abort();
	}
	dmp_fuzz_forget();
	return 0;
}
