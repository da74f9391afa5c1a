/*-------------------------------------------------------------------------
 * infer.c
 *		A table for a source, proposed from its lake.
 *
 * The lake is read twice. The first time each member of the records is a
 * column, and its values are evidence (evidence.c): the proposed type is the
 * narrowest that at least 9 of 10 values fit, so that some dirt does not make
 * a text of everything. The second time the records are decoded for the
 * proposed table by the code that ingest will use: so what is told not to fit
 * is what will go to quarantine, and nothing else.
 *
 * Memory is that of the columns, at most as many as a table may have.
 *-------------------------------------------------------------------------
 */
#include "ingest/infer.h"

#include "catalog/pg_type.h"
#include "ingest/run.h"
#include "mb/pg_wchar.h"
#include "utils/array.h"
#include "utils/hsearch.h"
#include "utils/json.h"
#include "utils/memutils.h"
#include "utils/varlena.h"

PG_FUNCTION_INFO_V1(dmp_infer_schema);
PG_FUNCTION_INFO_V1(dmp_infer_schema_sql);

#define N_EXAMPLES 3
#define EXAMPLE_BYTES 60
#define MAX_COLUMNS 1600

typedef struct Inferred
{
	char *name;
	size_t length;
	int64 last_row;
	DmpEvidence evidence;
	DmpVerdict verdict;
	int64 not_fitting;
	char *examples[N_EXAMPLES];
	int n_examples;
} Inferred;

typedef struct NameEntry
{
	char name[NAMEDATALEN];
	int number;
} NameEntry;

typedef struct Infer
{
	DmpSource *source;
	MemoryContext context;
	MemoryContext row_context;
	DmpEvidenceTypes *types;
	DmpConvert convert;  /* for its missing tokens */
	DmpReader *reader;   /* first time: nothing is wanted, all is told */
	DmpDecoder *decoder; /* second time */
	Datum *values;
	bool *nulls;
	bool *absent;
	int n;
	Inferred **columns;
	HTAB *names;
	int guess;
	int64 learnt;   /* records that are of the format */
	int64 rows;     /* all, the second time */
	int64 fitting;  /* records that fit the proposed table */
	int64 left_out; /* names that are too long, or too many */
} Infer;

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
	int clipped;

	if (column->n_examples == N_EXAMPLES)
		return;
	clipped = pg_mbcliplen(text, (int) Min(length, EXAMPLE_BYTES * 4), EXAMPLE_BYTES);
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
	char *buffer;

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
	for (int i = 0; i < infer->convert.n_missing; i++)
		if (infer->convert.missing_length[i] == length &&
			memcmp(infer->convert.missing[i], text, length) == 0)
			return;
	column->last_row = infer->rows;
	dmp_evidence_add(infer->types, &column->evidence, value->type, text, length);
	add_example(infer, column, text, length);
}

/* the first time: members of a valid record are evidence */
static void
learn_record(Infer *infer, const char *line, size_t length, const DmpRecordOrigin *origin)
{
	DmpRejected why = {0};
	size_t position;

	infer->rows++;
	infer->guess = 0;
	/* members are told as they are met: a broken record's first ones would count too */
	if ((infer->source->format.kind == DMP_FORMAT_JSON &&
		 dmp_json_check(line, length, &position) != NULL) ||
		infer->reader->read(infer->reader, line, length, origin, &why) != DMP_DECODED)
		infer->rows--;
}

static void
bad_field(void *arg, int column)
{
	Infer *infer = arg;

	infer->columns[column]->not_fitting++;
}

/* the second time: as ingest will */
static void
decode_record(Infer *infer, const char *line, size_t length, const DmpRecordOrigin *origin)
{
	DmpRejected why = {0};

	switch (dmp_decode_record(infer->decoder, line, length, origin, infer->values, infer->nulls,
							  infer->absent, &why))
	{
		case DMP_DECODED:
			infer->fitting++;
			infer->rows++;
			break;
		case DMP_REJECTED:
			infer->rows++;
			if (why.column_name != NULL)
				dmp_decoder_bad_fields(infer->decoder, origin, bad_field, infer);
			break;
		case DMP_NO_RECORD:
			break;
	}
}

/* the lake's records, as the caller, in SPI, all under one snapshot */
static void
read_lake(Infer *infer, void (*each)(Infer *infer, const char *line, size_t length,
									 const DmpRecordOrigin *origin))
{
	char *sql = psprintf("SELECT " DMP_RUN_COLUMNS " FROM %s WHERE line ~ '\\S'",
						 dmp_relation_name(infer->source->lake));
	Portal portal = SPI_cursor_open_with_args(NULL, sql, 0, NULL, NULL, NULL, true, 0);
	uint64 n;

	do
	{
		SPITupleTable *rows;
		int level;

		SPI_cursor_fetch(portal, true, 1000);
		n = SPI_processed;
		rows = SPI_tuptable;
		level = dmp_settings_pin(infer->source);
		for (uint64 i = 0; i < n; i++)
		{
			DmpRecordOrigin origin = {0};
			MemoryContext old;
			bool isnull;
			Datum line = SPI_getbinval(rows->vals[i], rows->tupdesc, DMP_RUN_LINE, &isnull);
			text *record;

			CHECK_FOR_INTERRUPTS();
			old = MemoryContextSwitchTo(infer->row_context);
			record = DatumGetTextPP(line);
			dmp_row_origin(rows->vals[i], rows->tupdesc, &origin);
			each(infer, VARDATA_ANY(record), VARSIZE_ANY_EXHDR(record), &origin);
			MemoryContextSwitchTo(old);
			MemoryContextReset(infer->row_context);
		}
		dmp_settings_unpin(level);
		SPI_freetuptable(rows);
	} while (n > 0);
	SPI_cursor_close(portal);
}

static List *
first_lines(void *source, const DmpRecordOrigin *origin)
{
	return dmp_lake_first_lines(source, origin);
}

static void
begin(Infer *infer)
{
	HASHCTL ctl = {0};

	infer->context = CurrentMemoryContext;
	infer->row_context =
		AllocSetContextCreate(CurrentMemoryContext, "dmp infer row", ALLOCSET_DEFAULT_SIZES);
	infer->columns = palloc(sizeof(Inferred *) * MAX_COLUMNS);
	infer->types = dmp_evidence_begin();
	dmp_convert_init(&infer->convert, infer->source->missing);
	infer->reader =
		dmp_reader_make(&infer->source->format, dmp_node_make(), 0, infer_member, infer);
	infer->reader->positions = infer->source->format.columns;
	infer->reader->first_lines = first_lines;
	infer->reader->first_lines_arg = infer->source;
	ctl.keysize = NAMEDATALEN;
	ctl.entrysize = sizeof(NameEntry);
	ctl.hcxt = CurrentMemoryContext;
	infer->names =
		hash_create("dmp inferred names", 64, &ctl, HASH_ELEM | HASH_STRINGS | HASH_CONTEXT);
}

/* {column: value} of what is to be told to the source, as json; NULL when there is none */
static char *
readings(const Infer *infer, bool order)
{
	StringInfoData json;

	initStringInfo(&json);
	for (int i = 0; i < infer->n; i++)
	{
		const DmpVerdict *v = &infer->columns[i]->verdict;

		if (order ? v->date_order == 0 : v->decimal_mark == '\0')
			continue;
		appendStringInfoString(&json, json.len ? ", " : "{");
		escape_json(&json, infer->columns[i]->name);
		if (order)
			appendStringInfo(&json, ": \"%s\"", dmp_date_order_name(v->date_order));
		else
			appendStringInfo(&json, ": \"%c\"", v->decimal_mark);
	}
	if (json.len == 0)
		return NULL;
	appendStringInfoChar(&json, '}');
	return json.data;
}

/* the decoder of the proposed table, by name, with the proposed readings */
static void
make_decoder(Infer *infer)
{
	TupleDesc desc = CreateTemplateTupleDesc(infer->n);
	DmpSource *proposed = palloc(sizeof(DmpSource));
	char *json;

	for (int i = 0; i < infer->n; i++)
		TupleDescInitEntry(desc, i + 1, infer->columns[i]->name,
						   dmp_kind_type(infer->columns[i]->verdict.kind), -1, 0);
	*proposed = *infer->source;
	proposed->mapping = NULL;
	proposed->key = NIL;
	if (strcmp(proposed->unknown, "rest") == 0)
		proposed->unknown = "ignore";
	json = readings(infer, true);
	proposed->date_order = json ? dmp_doc_parse(json, "date_order") : NULL;
	json = readings(infer, false);
	proposed->decimal_mark = json ? dmp_doc_parse(json, "decimal_mark") : NULL;
	infer->decoder = dmp_decoder_make(desc, "the proposed table", proposed);
	dmp_decoder_first_lines(infer->decoder, first_lines, infer->source);
	infer->values = palloc(sizeof(Datum) * infer->n);
	infer->nulls = palloc(sizeof(bool) * infer->n);
	infer->absent = palloc(sizeof(bool) * infer->n);
}

/* reads the whole lake of a source */
static Infer *
infer_source(const char *name)
{
	Infer *infer = palloc0(sizeof(Infer));
	int64 bad;

	infer->source = dmp_source_get(name, false);
	dmp_lake_check(infer->source);
	if (infer->source->format.explode != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("source \"%s\" makes several rows of a record and has no schema to infer",
						name),
				 errhint("Infer it from a source of the same lines without option \"explode\".")));
	begin(infer);
	read_lake(infer, learn_record);
	if (infer->n == 0)
		ereport(ERROR, (errcode(ERRCODE_NO_DATA_FOUND),
						errmsg("the lake of source \"%s\" has no record to infer from", name),
						infer->source->format.kind == DMP_FORMAT_CSV
							? errhint("Where no header names the fields, option \"columns\" does.")
							: 0));
	for (int i = 0; i < infer->n; i++)
		infer->columns[i]->verdict =
			dmp_evidence_verdict(&infer->columns[i]->evidence, infer->columns[i]->name);
	make_decoder(infer);
	infer->learnt = infer->rows;
	infer->rows = 0;
	read_lake(infer, decode_record);
	bad = infer->rows - infer->learnt;
	if (bad > 0)
		ereport(NOTICE,
				(errmsg_plural("%lld record is none of format %s and was left out",
							   "%lld records are none of format %s and were left out", bad,
							   (long long) bad, dmp_format_name(infer->source->format.kind))));
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
		Datum examples[N_EXAMPLES];
		Datum values[6];
		bool nulls[6] = {false};

		for (int e = 0; e < column->n_examples; e++)
			examples[e] = CStringGetTextDatum(column->examples[e]);
		values[0] = CStringGetTextDatum(column->name);
		values[1] = CStringGetTextDatum(dmp_kind_name(column->verdict.kind));
		values[2] = BoolGetDatum(column->evidence.present < infer->learnt);
		nulls[3] = column->verdict.format == NULL;
		values[3] = nulls[3] ? (Datum) 0 : CStringGetTextDatum(column->verdict.format);
		values[4] = PointerGetDatum(
			construct_array(examples, column->n_examples, TEXTOID, -1, false, TYPALIGN_INT));
		values[5] = Int64GetDatum(column->not_fitting);
		dmp_srf_row(fcinfo, values, nulls);
	}
	dmp_spi_finish();
	PG_RETURN_NULL();
}

/* the statement that gives the source its table, and the readings it needs */
static void
append_alter_source(StringInfo sql, const Infer *infer, const char *table)
{
	char *order = readings(infer, true);
	char *mark = readings(infer, false);

	appendStringInfo(sql, "SELECT FROM dmp.alter_source(%s, into_table => %s",
					 quote_literal_cstr(infer->source->name), quote_literal_cstr(table));
	if (infer->source->mapping != NULL)
	{
		StringInfoData mapping;

		initStringInfo(&mapping);
		for (int i = 0; i < infer->n; i++)
		{
			appendStringInfoString(&mapping, i ? ", " : "{");
			escape_json(&mapping, infer->columns[i]->name);
			appendStringInfoString(&mapping, ": ");
			escape_json(&mapping, infer->columns[i]->name);
		}
		appendStringInfoChar(&mapping, '}');
		appendStringInfo(sql, ", mapping => %s", quote_literal_cstr(mapping.data));
	}
	if (order != NULL || mark != NULL)
	{
		StringInfoData options;

		initStringInfo(&options);
		appendStringInfo(&options, "{%s%s%s%s%s}", order ? "\"date_order\": " : "",
						 order ? order : "", order && mark ? ", " : "",
						 mark ? "\"decimal_mark\": " : "", mark ? mark : "");
		appendStringInfo(sql, ", options => %s", quote_literal_cstr(options.data));
	}
	appendStringInfoString(sql, ")");
}

/* dmp.infer_schema_sql(source, table_name) -> the CREATE TABLE and the alter_source, for \gexec */
Datum
dmp_infer_schema_sql(PG_FUNCTION_ARGS)
{
	char *name = dmp_text_argument(fcinfo, 0, "source");
	text *table = PG_ARGISNULL(1) ? NULL : PG_GETARG_TEXT_PP(1);
	MemoryContext context = CurrentMemoryContext;
	StringInfoData sql;
	StringInfoData target;
	Infer *infer;
	ListCell *lc;
	List *names;

	if (table == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("table_name must not be null")));
	initStringInfo(&sql);
	initStringInfo(&target);
	names = textToQualifiedNameList(table);
	foreach (lc, names)
		appendStringInfo(&target, "%s%s", foreach_current_index(lc) ? "." : "",
						 quote_identifier(strVal(lfirst(lc))));
	dmp_spi_connect();
	infer = infer_source(name);
	appendStringInfo(&sql, "-- %lld of %lld records fit\nCREATE TABLE %s",
					 (long long) infer->fitting, (long long) infer->rows, target.data);
	for (int i = 0; i < infer->n; i++)
		appendStringInfo(&sql, "%s\n\t%s %s", i ? "," : " (",
						 quote_identifier(infer->columns[i]->name),
						 dmp_kind_name(infer->columns[i]->verdict.kind));
	appendStringInfoString(&sql, "\n);\n");
	append_alter_source(&sql, infer, target.data);
	dmp_spi_finish();
	MemoryContextSwitchTo(context);
	PG_RETURN_TEXT_P(cstring_to_text_with_len(sql.data, sql.len));
}
