/*-------------------------------------------------------------------------
 * infer.c
 *		A table for a source, proposed from its lake.
 *
 * Each member of the records is a column. A value fits one or more of the
 * candidate types (a number without a fraction is a bigint, a numeric and a
 * text); the proposed type is the narrowest that at least 9 of 10 values
 * fit, so that some dirt does not make a text of everything, and how many
 * values do not fit is told. Strings of digits that start with a zero are no
 * numbers: the zero says something. Dates are read year first only; other
 * orders are ambiguous and stay text.
 *-------------------------------------------------------------------------
 */
#include "ingest/ingest.h"

#include "catalog/pg_type.h"
#include "mb/pg_wchar.h"
#include "utils/array.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "utils/varlena.h"

PG_FUNCTION_INFO_V1(dmp_infer_schema);
PG_FUNCTION_INFO_V1(dmp_infer_schema_sql);

/* candidates, narrowest first */
typedef enum Candidate
{
	C_BOOLEAN,
	C_BIGINT,
	C_NUMERIC,
	C_DATE,
	C_TIMESTAMPTZ,
	C_UUID,
	C_TEXT,
	C_JSONB,
	N_CANDIDATES
} Candidate;

static const struct
{
	const char *name;
	Oid type;
} candidates[N_CANDIDATES] = {
	{"boolean", BOOLOID},
	{"bigint", INT8OID},
	{"numeric", NUMERICOID},
	{"date", DATEOID},
	{"timestamp with time zone", TIMESTAMPTZOID},
	{"uuid", UUIDOID},
	{"text", TEXTOID},
	{"jsonb", JSONBOID},
};

#define BIT(candidate) (1u << (candidate))
#define N_EXAMPLES 3
#define EXAMPLE_BYTES 60
#define MAX_COLUMNS 1600

typedef struct Inferred
{
	char *name;
	size_t length;
	int64 present; /* values that are not missing */
	int64 last_row;
	int64 fits[N_CANDIDATES];
	char *examples[N_EXAMPLES];
	int n_examples;
	char *format; /* of dates and times, "" when they differ */
} Inferred;

typedef struct NameEntry
{
	char name[NAMEDATALEN];
	int number;
} NameEntry;

typedef struct Infer
{
	const DmpSource *source;
	MemoryContext context;
	DmpSoftType *soft[N_CANDIDATES];
	int n;
	Inferred **columns;
	HTAB *names;
	int guess;
	int64 rows;
	int64 bad;
	int64 left_out; /* names that are too long, or too many */
} Infer;

/* ISO spelling of a date or time as a to_char pattern; NULL when it is none */
static char *
time_format(const char *s, size_t length)
{
	static const char shape[] = "9999-99-99 99:99:99";
	StringInfoData format;
	size_t n = 0;

	while (n < length && n < sizeof(shape) - 1 &&
		   (shape[n] == '9'   ? s[n] >= '0' && s[n] <= '9'
			: shape[n] == ' ' ? s[n] == ' ' || s[n] == 'T'
			: shape[n] == '-' ? s[n] == '-' || s[n] == '/' || s[n] == '.'
							  : s[n] == ':'))
		n++;
	if (n < 10 || (n > 10 && n < 16))
		return NULL;
	initStringInfo(&format);
	appendStringInfo(&format, "YYYY%cMM%cDD", s[4], s[7]);
	if (n >= 16)
		appendStringInfoString(&format, s[10] == 'T' ? "\"T\"HH24:MI" : " HH24:MI");
	if (n == 19)
		appendStringInfoString(&format, ":SS");
	if (n == 19 && n < length && s[n] == '.')
	{
		size_t digits = strspn(s + n + 1, "0123456789");

		appendStringInfoString(&format, digits <= 3 ? ".MS" : ".US");
		n += digits + 1;
	}
	if (n < length && s[n] == 'Z')
		appendStringInfoString(&format, "\"Z\"");
	else if (n < length && (s[n] == '+' || s[n] == '-'))
		appendStringInfoString(&format, length - n > 3 ? "TZH:TZM" : "TZH");
	return format.data;
}

static bool
converts(const Infer *infer, Candidate candidate, const char *text, size_t length)
{
	Datum value;
	const char *reason;
	int sqlerrcode;

	return length < 256 &&
		   dmp_soft_input(infer->soft[candidate], text, (int) length, &value, &reason, &sqlerrcode);
}

/* candidates a string fits */
static unsigned
string_fits(const Infer *infer, const char *text, size_t length, char **format)
{
	unsigned fits = BIT(C_TEXT) | BIT(C_JSONB);
	size_t sign = length > 0 && (text[0] == '-' || text[0] == '+');
	bool digit = length > sign && text[sign] >= '0' && text[sign] <= '9';
	bool zero = digit && text[sign] == '0' && length > sign + 1 && text[sign + 1] != '.';

	if (length == 36 && converts(infer, C_UUID, text, length))
		fits |= BIT(C_UUID);
	if (digit && !zero)
	{
		if (converts(infer, C_BIGINT, text, length))
			fits |= BIT(C_BIGINT) | BIT(C_NUMERIC);
		else if (converts(infer, C_NUMERIC, text, length))
			fits |= BIT(C_NUMERIC);
	}
	if (digit && sign == 0 && length >= 10 && length < 64)
	{
		*format = time_format(pnstrdup(text, length), length);
		if (*format && strlen(*format) == 10 && converts(infer, C_DATE, text, length))
			fits |= BIT(C_DATE) | BIT(C_TIMESTAMPTZ);
		else if (*format && converts(infer, C_TIMESTAMPTZ, text, length))
			fits |= BIT(C_TIMESTAMPTZ);
	}
	if (!digit && length > 0 && length <= 5 && strchr("tTfFyYnN", text[0]) != NULL &&
		converts(infer, C_BOOLEAN, text, length) && length > 1)
		fits |= BIT(C_BOOLEAN);
	return fits;
}

static unsigned
value_fits(const Infer *infer, const DmpJsonValue *value, const char *text, size_t length,
		   char **format)
{
	switch (value->type)
	{
		case DMP_JSON_TRUE:
		case DMP_JSON_FALSE:
			return BIT(C_BOOLEAN) | BIT(C_TEXT) | BIT(C_JSONB);
		case DMP_JSON_NUMBER:
			if (converts(infer, C_BIGINT, text, length))
				return BIT(C_BIGINT) | BIT(C_NUMERIC) | BIT(C_TEXT) | BIT(C_JSONB);
			return BIT(C_NUMERIC) | BIT(C_TEXT) | BIT(C_JSONB);
		case DMP_JSON_STRING:
			return string_fits(infer, text, length, format);
		default:
			return BIT(C_JSONB);
	}
}

/*
 * The column of a name: the one behind the last found, as records repeat their
 * order, else by hash. NULL when there is no room for the name.
 */
static Inferred *
column_of(Infer *infer, const char *name, size_t length)
{
	char key[NAMEDATALEN] = {0};
	NameEntry *entry;
	Inferred *column;
	bool found;

	if (length >= NAMEDATALEN || length == 0)
	{
		infer->left_out++;
		return NULL;
	}
	if (infer->guess < infer->n)
	{
		column = infer->columns[infer->guess];
		if (column->length == length && memcmp(column->name, name, length) == 0)
		{
			infer->guess++;
			return column;
		}
	}
	memcpy(key, name, length);
	entry = hash_search(infer->names, key, infer->n < MAX_COLUMNS ? HASH_ENTER : HASH_FIND, &found);
	if (entry == NULL)
	{
		infer->left_out++;
		return NULL;
	}
	if (!found)
	{
		column = MemoryContextAllocZero(infer->context, sizeof(Inferred));
		column->name = MemoryContextStrdup(infer->context, key);
		column->length = length;
		infer->columns[infer->n] = column;
		entry->number = infer->n++;
	}
	infer->guess = entry->number + 1;
	return infer->columns[entry->number];
}

static void
add_example(Infer *infer, Inferred *column, const char *text, size_t length)
{
	int clipped = pg_mbcliplen(text, (int) Min(length, EXAMPLE_BYTES * 4), EXAMPLE_BYTES);

	if (column->n_examples == N_EXAMPLES)
		return;
	for (int i = 0; i < column->n_examples; i++)
		if (strlen(column->examples[i]) == clipped &&
			memcmp(column->examples[i], text, clipped) == 0)
			return;
	column->examples[column->n_examples] = MemoryContextAllocZero(infer->context, clipped + 1);
	memcpy(column->examples[column->n_examples++], text, clipped);
}

/* each member of a record comes here: nobody wants any */
static void
infer_member(void *arg, const DmpJsonNode *node, const DmpJsonValue *key, const DmpJsonValue *value)
{
	Infer *infer = arg;
	Inferred *column;
	const char *text = value->start;
	size_t length = value->length;
	char *format = NULL;
	char *buffer;
	unsigned fits;
	ListCell *lc;

	if (key->escaped)
	{
		buffer = palloc(key->length);
		column = column_of(infer, buffer, dmp_json_unescape(key->start, key->length, buffer));
	}
	else
		column = column_of(infer, key->start, key->length);
	/* a member that is there twice counts once */
	if (column == NULL || value->type == DMP_JSON_NULL || column->last_row == infer->rows)
		return;
	if (value->type == DMP_JSON_STRING && value->escaped)
	{
		buffer = palloc(length);
		length = dmp_json_unescape(text, length, buffer);
		text = buffer;
	}
	foreach (lc, infer->source->missing)
		if (strlen(lfirst(lc)) == length && memcmp(lfirst(lc), text, length) == 0)
			return;
	column->last_row = infer->rows;
	column->present++;
	fits = value_fits(infer, value, text, length, &format);
	for (int i = 0; i < N_CANDIDATES; i++)
		if (fits & BIT(i))
			column->fits[i]++;
	add_example(infer, column, text, length);
	if (format != NULL && column->format == NULL)
		column->format = MemoryContextStrdup(infer->context, format);
	else if (format != NULL && strcmp(format, column->format) != 0)
		column->format = "";
}

static Candidate
proposed(const Inferred *column)
{
	for (int i = 0; i < C_JSONB; i++)
		if (column->present > 0 && column->fits[i] * 10 >= column->present * 9)
			return i;
	return column->present > 0 ? C_JSONB : C_TEXT;
}

static void
infer_rows(Infer *infer, MemoryContext row_context)
{
	DmpJsonNode root = {0};
	DmpJsonScan scan = {0};
	DmpJsonType type;

	root.slot = -1;
	root.path = "";
	scan.root = &root;
	scan.unknown = infer_member;
	scan.arg = infer;
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		bool isnull;
		Datum line = dmp_spi_datum(i, 1, &isnull);
		text *record;
		MemoryContext old;

		CHECK_FOR_INTERRUPTS();
		if (isnull)
			continue;
		old = MemoryContextSwitchTo(row_context);
		record = DatumGetTextPP(line);
		infer->rows++;
		infer->guess = 0;
		/* members are told as they are met: a broken record's first ones count too */
		if (dmp_json_check(VARDATA_ANY(record), VARSIZE_ANY_EXHDR(record), &scan.position) !=
				NULL ||
			!dmp_json_scan(&scan, VARDATA_ANY(record), VARSIZE_ANY_EXHDR(record), &type) ||
			type != DMP_JSON_OBJECT)
		{
			infer->rows--;
			infer->bad++;
		}
		MemoryContextSwitchTo(old);
		MemoryContextReset(row_context);
	}
}

/* reads the whole lake of a source, as the caller, in SPI */
static Infer *
infer_source(const char *name)
{
	Infer *infer = palloc0(sizeof(Infer));
	HASHCTL ctl = {0};
	MemoryContext row_context =
		AllocSetContextCreate(CurrentMemoryContext, "dmp infer row", ALLOCSET_DEFAULT_SIZES);
	Portal portal;

	infer->source = dmp_source_get(name, false);
	dmp_lake_check(infer->source);
	infer->context = CurrentMemoryContext;
	infer->columns = palloc(sizeof(Inferred *) * MAX_COLUMNS);
	ctl.keysize = NAMEDATALEN;
	ctl.entrysize = sizeof(NameEntry);
	ctl.hcxt = CurrentMemoryContext;
	infer->names =
		hash_create("dmp inferred names", 64, &ctl, HASH_ELEM | HASH_STRINGS | HASH_CONTEXT);
	for (int i = 0; i < N_CANDIDATES; i++)
		infer->soft[i] = dmp_soft_prepare(candidates[i].type, -1, CurrentMemoryContext);
	portal = SPI_cursor_open_with_args(
		NULL,
		psprintf("SELECT line FROM %s WHERE line ~ '\\S'", dmp_relation_name(infer->source->lake)),
		0, NULL, NULL, NULL, true, 0);
	do
	{
		SPI_cursor_fetch(portal, true, 1000);
		infer_rows(infer, row_context);
		SPI_freetuptable(SPI_tuptable);
	} while (SPI_processed > 0);
	SPI_cursor_close(portal);
	if (infer->rows == 0)
		ereport(ERROR, (errcode(ERRCODE_NO_DATA_FOUND),
						errmsg("the lake of source \"%s\" has no record to infer from", name)));
	if (infer->bad > 0)
		ereport(NOTICE, (errmsg_plural("%lld record is no json object and was left out",
									   "%lld records are no json objects and were left out",
									   infer->bad, (long long) infer->bad)));
	if (infer->left_out > 0)
		ereport(NOTICE, (errmsg("%lld values were left out: their names are empty or longer than "
								"%d bytes, or there are more than %d names",
								(long long) infer->left_out, NAMEDATALEN - 1, MAX_COLUMNS)));
	return infer;
}

/*
 * dmp.infer_schema(source) -> TABLE(column_name, type, nullable, format,
 * examples, rows_not_fitting)
 */
Datum
dmp_infer_schema(PG_FUNCTION_ARGS)
{
	char *name = dmp_text_argument(fcinfo, 0, "source");
	Infer *infer;

	dmp_srf_begin(fcinfo);
	dmp_spi_connect();
	infer = infer_source(name);
	for (int i = 0; i < infer->n; i++)
	{
		const Inferred *column = infer->columns[i];
		Candidate type = proposed(column);
		bool time = type == C_DATE || type == C_TIMESTAMPTZ;
		Datum examples[N_EXAMPLES];
		Datum values[6];
		bool nulls[6] = {false};

		for (int e = 0; e < column->n_examples; e++)
			examples[e] = CStringGetTextDatum(column->examples[e]);
		values[0] = CStringGetTextDatum(column->name);
		values[1] = CStringGetTextDatum(candidates[type].name);
		values[2] = BoolGetDatum(column->present < infer->rows);
		nulls[3] = !time || column->format == NULL || column->format[0] == '\0';
		values[3] = nulls[3] ? (Datum) 0 : CStringGetTextDatum(column->format);
		values[4] = PointerGetDatum(
			construct_array(examples, column->n_examples, TEXTOID, -1, false, TYPALIGN_INT));
		values[5] = Int64GetDatum(column->present - column->fits[type]);
		dmp_srf_row(fcinfo, values, nulls);
	}
	dmp_spi_finish();
	PG_RETURN_NULL();
}

/* dmp.infer_schema_sql(source, table_name) -> the CREATE TABLE, for \gexec */
Datum
dmp_infer_schema_sql(PG_FUNCTION_ARGS)
{
	char *name = dmp_text_argument(fcinfo, 0, "source");
	text *table = PG_ARGISNULL(1) ? NULL : PG_GETARG_TEXT_PP(1);
	MemoryContext context = CurrentMemoryContext;
	StringInfoData sql;
	Infer *infer;

	if (table == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("table_name must not be null")));
	initStringInfo(&sql);
	appendStringInfoString(&sql, "CREATE TABLE ");
	dmp_spi_connect();
	{
		List *names = textToQualifiedNameList(table);
		ListCell *lc;

		foreach (lc, names)
			appendStringInfo(&sql, "%s%s", foreach_current_index(lc) ? "." : "",
							 quote_identifier(strVal(lfirst(lc))));
	}
	infer = infer_source(name);
	for (int i = 0; i < infer->n; i++)
		appendStringInfo(&sql, "%s\n\t%s %s", i ? "," : " (",
						 quote_identifier(infer->columns[i]->name),
						 candidates[proposed(infer->columns[i])].name);
	appendStringInfoString(&sql, infer->n > 0 ? "\n)" : " ()");
	dmp_spi_finish();
	MemoryContextSwitchTo(context);
	PG_RETURN_TEXT_P(cstring_to_text_with_len(sql.data, sql.len));
}
