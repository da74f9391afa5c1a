/*-------------------------------------------------------------------------
 * format.c
 *		The formats of sources and their options.
 *-------------------------------------------------------------------------
 */
#include "ingest/format.h"

#include <math.h>

#include "ingest/log.h"

#include "catalog/namespace.h"
#include "mb/pg_wchar.h"

static const char *const kind_names[] = {"json", "csv", "weblog", "syslog", "kv"};

#define BIT(kind) (1 << (kind))

/* options, and the formats that have them */
static const struct
{
	const char *name;
	int formats;
} option_formats[] = {
	{"delimiter", BIT(DMP_FORMAT_CSV) | BIT(DMP_FORMAT_KV)},
	{"quote", BIT(DMP_FORMAT_CSV) | BIT(DMP_FORMAT_KV)},
	{"escape", BIT(DMP_FORMAT_CSV)},
	{"header", BIT(DMP_FORMAT_CSV)},
	{"columns", BIT(DMP_FORMAT_CSV)},
	{"ragged", BIT(DMP_FORMAT_CSV)},
	{"explode", BIT(DMP_FORMAT_JSON)},
	{"assign", BIT(DMP_FORMAT_KV)},
	{"year", BIT(DMP_FORMAT_SYSLOG)},
	{"encoding", ~0},
};

DmpFormatKind
dmp_format_kind(const char *name)
{
	List *names = NIL;

	for (int i = 0; i < lengthof(kind_names); i++)
	{
		if (strcmp(name, kind_names[i]) == 0)
			return (DmpFormatKind) i;
		names = lappend(names, psprintf("'%s'", kind_names[i]));
	}
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("format '%s' is not known", name),
			 errhint("Known formats are %s.", dmp_join(names, ", "))));
	return DMP_FORMAT_JSON;
}

const char *
dmp_format_name(DmpFormatKind kind)
{
	return kind_names[kind];
}

List *
dmp_format_options(void)
{
	List *names = NIL;

	for (int i = 0; i < lengthof(option_formats); i++)
		names = lappend(names, unconstify(char *, option_formats[i].name));
	return names;
}

/* an option that is one ASCII character that can be none of a record's own; '\0': empty or absent */
static char
character(const DmpDoc *options, const char *name, const char *default_value)
{
	const char *value = dmp_doc_string(options, name, unconstify(char *, default_value), "options");

	if (value == NULL || value[0] == '\0')
		return '\0';
	if (value[1] != '\0' || IS_HIGHBIT_SET(value[0]) || value[0] == '\n' || value[0] == '\r')
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("options: \"%s\" must be one ASCII character, not \"%s\"", name, value),
				 strcmp(value, "\\t") == 0
					 ? errhint("In jsonb a tab is written \"\\t\", with one backslash.")
					 : 0));
	return value[0];
}

/* by which an error of two equal options is told */
static void
check_distinct(const char *one, char a, const char *two, char b)
{
	if (a != '\0' && a == b)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("options: \"%s\" and \"%s\" are both '%c'", one, two, a)));
}

static void
read_header(DmpFormat *format, const DmpDoc *options)
{
	const DmpDoc *header = dmp_doc_get(options, "header");
	ListCell *lc;

	format->columns = dmp_doc_strings(options, "columns", "options");
	foreach (lc, format->columns)
		for (int i = 0; i < foreach_current_index(lc); i++)
			if (strcmp(lfirst(lc), list_nth(format->columns, i)) == 0)
				ereport(ERROR,
						(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						 errmsg("options: \"columns\" has \"%s\" twice", (char *) lfirst(lc))));
	if (header == NULL || header->kind == DMP_DOC_NULL)
		format->header = DMP_HEADER_FOUND;
	else
		format->header =
			dmp_doc_bool(options, "header", false, "options") ? DMP_HEADER_TRUE : DMP_HEADER_FALSE;
}

static void
read_csv(DmpFormat *format, const DmpDoc *options)
{
	const char *ragged = dmp_doc_string(options, "ragged", "quarantine", "options");
	char quote[2] = {0};

	format->delimiter = character(options, "delimiter", NULL);
	format->quote = character(options, "quote", "\"");
	quote[0] = format->quote;
	format->escape = character(options, "escape", quote);
	if (format->escape == '\0')
		format->escape = format->quote;
	check_distinct("delimiter", format->delimiter, "quote", format->quote);
	check_distinct("delimiter", format->delimiter, "escape", format->escape);
	if (strcmp(ragged, "quarantine") != 0 && strcmp(ragged, "pad") != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("options: \"ragged\" must be 'quarantine' or 'pad', not \"%s\"", ragged)));
	format->pad = strcmp(ragged, "pad") == 0;
	read_header(format, options);
}

static void
read_json(DmpFormat *format, const DmpDoc *options)
{
	format->explode = dmp_doc_string(options, "explode", NULL, "options");
	if (format->explode != NULL && format->explode[0] == '$' && format->explode[1] == '.')
		format->explode += 2;
	if (format->explode != NULL &&
		(format->explode[0] == '\0' || strchr(format->explode, '$') != NULL ||
		 strstr(format->explode, "[]") != NULL))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("options: \"explode\" must be the path of an array, not \"%s\"",
							   format->explode),
						errhint("As in {\"explode\": \"order.items\"}.")));
}

static void
read_kv(DmpFormat *format, const DmpDoc *options)
{
	format->delimiter = character(options, "delimiter", NULL);
	format->quote = character(options, "quote", "\"");
	format->assign = character(options, "assign", "=");
	/* any blank separates */
	if (format->delimiter == ' ' || format->delimiter == '\t')
		format->delimiter = '\0';
	if (format->assign == '\0')
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("options: \"assign\" must not be empty")));
	check_distinct("delimiter", format->delimiter, "quote", format->quote);
	check_distinct("delimiter", format->delimiter, "assign", format->assign);
	check_distinct("quote", format->quote, "assign", format->assign);
}

static void
read_syslog(DmpFormat *format, const DmpDoc *options)
{
	double year = dmp_doc_number(options, "year", 0, "options");

	if (dmp_doc_get(options, "year") != NULL && (year < 1 || year > 9999 || year != floor(year)) &&
		dmp_doc_get(options, "year")->kind != DMP_DOC_NULL)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("options: \"year\" must be a whole number from 1 to 9999")));
	format->year = (int) year;
}

/* the encoding of files: any that the server can convert to the database's */
static void
read_encoding(DmpFormat *format, const DmpDoc *options)
{
	const char *name = dmp_doc_string(options, "encoding", NULL, "options");
	int database = GetDatabaseEncoding();

	format->encoding = name ? pg_char_to_encoding(name) : PG_UTF8;
	if (format->encoding < 0)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("options: encoding \"%s\" is not known", name),
						errhint("Known are UTF8, GB18030, GBK, BIG5, SJIS, EUC_JP, EUC_KR, LATIN1, "
								"WIN1252 and the others of the server.")));
	if (name != NULL && format->encoding != database && format->encoding != PG_SQL_ASCII &&
		database != PG_SQL_ASCII &&
		!OidIsValid(FindDefaultConversionProc(format->encoding, database)))
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_FUNCTION),
						errmsg("the server has no conversion from encoding \"%s\" to \"%s\"",
							   pg_encoding_to_char(format->encoding), GetDatabaseEncodingName())));
}

void
dmp_format_read(DmpFormat *format, DmpFormatKind kind, const DmpDoc *options)
{
	memset(format, 0, sizeof(DmpFormat));
	format->kind = kind;
	for (int i = 0; i < lengthof(option_formats); i++)
	{
		const DmpDoc *option = dmp_doc_get(options, option_formats[i].name);

		if (option != NULL && option->kind != DMP_DOC_NULL &&
			(option_formats[i].formats & BIT(kind)) == 0)
			ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
							errmsg("options: format '%s' has no \"%s\"", kind_names[kind],
								   option_formats[i].name)));
	}
	read_encoding(format, options);
	if (kind == DMP_FORMAT_JSON)
		read_json(format, options);
	else if (kind == DMP_FORMAT_CSV)
		read_csv(format, options);
	else if (kind == DMP_FORMAT_KV)
		read_kv(format, options);
	else if (kind == DMP_FORMAT_SYSLOG)
		read_syslog(format, options);
}

int
dmp_format_fields(const DmpFormat *format, const char *const **names)
{
	*names = format->kind == DMP_FORMAT_WEBLOG ? dmp_weblog_names : dmp_syslog_names;
	return format->kind == DMP_FORMAT_WEBLOG   ? DMP_WEBLOG_FIELDS
		   : format->kind == DMP_FORMAT_SYSLOG ? DMP_SYSLOG_FIELDS
											   : 0;
}

static List *
field_list(const DmpFormat *format)
{
	const char *const *names;
	int n = dmp_format_fields(format, &names);
	List *list = NIL;

	for (int i = 0; i < n; i++)
		list = lappend(list, unconstify(char *, names[i]));
	return list;
}

char *
dmp_format_field_list(const DmpFormat *format)
{
	return dmp_join(field_list(format), ", ");
}

void
dmp_format_check_field(const DmpFormat *format, const char *field, const char *column)
{
	List *names = field_list(format);
	ListCell *lc;

	foreach (lc, names)
		if (strcmp(lfirst(lc), field) == 0)
			return;
	if (names != NIL)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("mapping of column \"%s\": format '%s' has no field \"%s\"", column,
							   kind_names[format->kind], field),
						errdetail("Fields: %s.", dmp_join(names, ", ")),
						dmp_errhint_nearest(field, names)));
}

DmpSplitFormat
dmp_format_split(const DmpFormat *format)
{
	DmpSplitFormat split = {0};

	split.kind = format->kind == DMP_FORMAT_JSON ? DMP_SPLIT_JSON : DMP_SPLIT_LINES;
	if (format->kind == DMP_FORMAT_CSV)
	{
		split.quote = format->quote;
		split.escape = format->escape;
		split.delimiter = format->delimiter;
	}
	split.encoding = format->encoding;
	return split;
}
