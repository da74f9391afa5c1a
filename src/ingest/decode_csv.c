/*-------------------------------------------------------------------------
 * decode_csv.c
 *		The reader of csv records, and the headers they are read by.
 *
 * A header speaks for the records of one file: in the lake, the rows that one
 * transaction wrote with the same batch and origin. Rows come in any order, so
 * which of them is the first is looked up by id, unless the row at hand has
 * the wanted names in it. What is known of a file is its layout: the delimiter
 * and which field goes where.
 *
 * The header's line is no record, and neither are its repetitions (files put
 * one behind the other) nor Excel's "sep=;": they are counted. A file whose
 * header has none of the wanted names is refused record by record, so that
 * nothing is taken for what it is not.
 *
 * A quoted empty field is an empty text, an unquoted one is NULL: COPY's rule.
 *-------------------------------------------------------------------------
 */
#include "ingest/csv.h"
#include "ingest/decode.h"

#include "common/hashfn.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"

/* where a field goes */
typedef struct Binding
{
	int field;
	int slot;
} Binding;

typedef struct Layout
{
	DmpCsv csv;
	int n; /* fields of a record, 0: any number */
	int n_bindings;
	Binding *bindings;
	int n_unknown;
	int *unknown; /* fields nobody wants */
	DmpJsonValue *names;
	char *header; /* its line, NULL: none */
	size_t header_length;
	const char *refusal; /* why no record can be read */
} Layout;

/* the rows of one file */
typedef struct FileKey
{
	uint64 xact;
	int64 batch;
	int32 cluster;
	uint32 origin; /* hash */
} FileKey;

typedef struct CsvFile
{
	FileKey key;
	Layout *layout;
} CsvFile;

typedef struct CsvState
{
	DmpCsvField *fields;
	int space;
	bool grouped; /* files have layouts of their own */
	bool has_current;
	FileKey current;
	char *origin; /* of current, NULL: none */
	size_t origin_length;
	Layout *layout; /* of current */
	char *retried;  /* header the layout was made of, in a retry */
	HTAB *groups;   /* those with a header */
	char said;      /* delimiter that was told */
} CsvState;

static const char delimiters[] = ",;\t|";
static const char byte_order_mark[] = "\xEF\xBB\xBF";

static void
strip_mark(const char **line, size_t *length)
{
	if (*length >= 3 && memcmp(*line, byte_order_mark, 3) == 0)
	{
		*line += 3;
		*length -= 3;
	}
}

static void
strip_line_end(const char *line, size_t *length)
{
	while (*length > 0 && (line[*length - 1] == '\n' || line[*length - 1] == '\r'))
		(*length)--;
}

/* the fields of a record; the array grows to hold them all */
static int
fields_of(CsvState *state, const DmpCsv *csv, const char *line, size_t length, const char **message,
		  int *field)
{
	int n = dmp_csv_fields(csv, line, length, state->fields, state->space, message, field);

	if (n > state->space)
	{
		state->space = Max(n, 2 * state->space);
		state->fields = repalloc_huge(state->fields, sizeof(DmpCsvField) * state->space);
		n = dmp_csv_fields(csv, line, length, state->fields, state->space, message, field);
	}
	return n;
}

/* the texts of a record's fields as names; 0 when it is malformed */
static int
names_of(CsvState *state, const DmpCsv *csv, const char *line, size_t length, char ***names)
{
	const char *message;
	int field;
	int n = fields_of(state, csv, line, length, &message, &field);

	if (n < 0)
		return 0;
	*names = palloc(sizeof(char *) * n);
	for (int i = 0; i < n; i++)
	{
		const DmpCsvField *f = &state->fields[i];
		char *name = palloc(f->length + 1);
		size_t size = f->length;

		if (f->escaped)
			size = dmp_csv_unescape(csv, f, name);
		else
			memcpy(name, f->start, size);
		name[size] = '\0';
		(*names)[i] = name;
	}
	return n;
}

/* a name that was there before gets a number: x, x_2, x_3 */
static char *
distinct_name(char **names, int at)
{
	char *name = names[at];

	for (int number = 2;; number++)
	{
		int i = 0;

		while (i < at && strcmp(names[i], name) != 0)
			i++;
		if (i == at)
			return name;
		name = psprintf("%s_%d", names[at], number);
	}
}

/* without blanks at the ends, ASCII letters in lower case */
static char *
plain_name(const char *name)
{
	size_t length;
	char *plain;

	while (*name == ' ' || *name == '\t')
		name++;
	length = strlen(name);
	while (length > 0 && (name[length - 1] == ' ' || name[length - 1] == '\t'))
		length--;
	plain = pnstrdup(name, length);
	for (char *p = plain; *p; p++)
		if (*p >= 'A' && *p <= 'Z')
			*p += 'a' - 'A';
	return plain;
}

/* the wanted member a field of that name is, or NULL */
static const DmpJsonNode *
wanted(const DmpJsonNode *root, const char *name)
{
	const char *plain;

	for (int i = 0; i < root->n_children; i++)
		if (strcmp(root->children[i]->name, name) == 0)
			return root->children[i];
	plain = plain_name(name);
	if (plain[0] == '\0')
		return NULL;
	for (int i = 0; i < root->n_children; i++)
		if (strcmp(plain_name(root->children[i]->name), plain) == 0)
			return root->children[i];
	return NULL;
}

/* how many of the names are wanted */
static int
count_wanted(const DmpJsonNode *root, char **names, int n)
{
	int found = 0;

	for (int i = 0; i < n; i++)
		if (wanted(root, names[i]) != NULL)
			found++;
	return found;
}

/* nothing is wanted by name (a schema is inferred): names are no numbers, and differ */
static bool
look_like_names(char **names, int n)
{
	for (int i = 0; i < n; i++)
	{
		const char *plain = plain_name(names[i]);

		if (plain[0] == '\0' || strspn(plain, "0123456789.+-eE,:/ ") == strlen(plain))
			return false;
		for (int j = 0; j < i; j++)
			if (strcmp(plain, plain_name(names[j])) == 0)
				return false;
	}
	return n > 0;
}

static bool
is_header(const DmpReader *reader, char **names, int n)
{
	int found = count_wanted(reader->root, names, n);

	if (n == 0 || reader->format->header == DMP_HEADER_FALSE)
		return false;
	if (reader->root->n_children == 0)
		return reader->format->header == DMP_HEADER_TRUE || look_like_names(names, n);
	if (reader->format->header == DMP_HEADER_TRUE)
		return found > 0;
	return found >= 2 || (found == 1 && (n <= 2 || reader->root->n_children == 1));
}

/*
 * The delimiter under which the line is a header with the most wanted names,
 * or '\0'. Where nothing is wanted by name, that with the most names.
 */
static char
header_delimiter(DmpReader *reader, const char *candidates, const char *line, size_t length)
{
	const DmpFormat *format = reader->format;
	int most = 0;
	char best = '\0';

	for (const char *c = candidates; *c; c++)
	{
		DmpCsv csv;
		char **names = NULL;
		int n;
		int found;

		dmp_csv_prepare(&csv, *c, format->quote, format->escape);
		n = names_of(reader->state, &csv, line, length, &names);
		for (int i = 0; i < n; i++)
			names[i] = distinct_name(names, i);
		if (!is_header(reader, names, n))
			continue;
		found = reader->root->n_children == 0 ? n : count_wanted(reader->root, names, n);
		if (found > most)
		{
			most = found;
			best = *c;
		}
	}
	return best;
}

/* the delimiter under which most of the lines have that many fields (0: the same number, above one) */
static char
data_delimiter(DmpReader *reader, const char *candidates, List *lines, int wanted_fields)
{
	const DmpFormat *format = reader->format;
	int most = 0;
	char best = candidates[0];

	for (const char *c = candidates; *c; c++)
	{
		DmpCsv csv;
		int agree = 0;
		int fields = wanted_fields;
		ListCell *lc;

		dmp_csv_prepare(&csv, *c, format->quote, format->escape);
		foreach (lc, lines)
		{
			const char *message;
			int field;
			int n =
				fields_of(reader->state, &csv, lfirst(lc), strlen(lfirst(lc)), &message, &field);

			if (fields == 0 && n > 1)
				fields = n;
			if (n == fields && n > 0)
				agree++;
		}
		if (agree > most)
		{
			most = agree;
			best = *c;
		}
	}
	return best;
}

static void
bind_field(Layout *layout, const DmpReader *reader, int field, const char *name, bool *taken)
{
	char position[16];
	bool bound = false;
	const DmpJsonNode *named = name ? wanted(reader->root, name) : NULL;

	snprintf(position, sizeof(position), "$%d", field + 1);
	for (int i = 0; i < reader->root->n_children; i++)
	{
		const DmpJsonNode *node = reader->root->children[i];

		if (taken[i] || (node != named && strcmp(node->name, position) != 0))
			continue;
		taken[i] = true;
		bound = true;
		layout->bindings[layout->n_bindings].field = field;
		layout->bindings[layout->n_bindings++].slot = node->slot;
	}
	layout->names[field].start = name ? name : pstrdup(position);
	layout->names[field].length = strlen(layout->names[field].start);
	layout->names[field].type = DMP_JSON_TEXT;
	if (!bound)
		layout->unknown[layout->n_unknown++] = field;
}

static const char *
file_name(const DmpRecordOrigin *origin)
{
	return origin->origin ? psprintf("\"%s\"", text_to_cstring(origin->origin)) : "the lake";
}

/* which field goes where, for records of n fields with these names (NULL: by position only) */
static void
bind_fields(Layout *layout, const DmpReader *reader, char **names, int n,
			const DmpRecordOrigin *origin)
{
	int n_children = reader->root->n_children;
	bool *taken = palloc0(sizeof(bool) * Max(n_children, 1));
	int space = Max(Max(n, n_children), 1);

	layout->bindings = palloc(sizeof(Binding) * (space + n_children));
	layout->unknown = palloc(sizeof(int) * space);
	layout->names = palloc0(sizeof(DmpJsonValue) * space);
	for (int i = 0; i < n; i++)
	{
		char *name = names ? distinct_name(names, i) : NULL;

		if (names && name != names[i])
			ereport(NOTICE, (errmsg("field \"%s\" is there again in the header of %s and is called "
									"\"%s\"",
									names[i], file_name(origin), name)));
		if (names)
			names[i] = name;
		bind_field(layout, reader, i, name, taken);
	}
	for (int i = 0; i < n_children && reader->mapped && layout->header != NULL; i++)
		if (!taken[i])
			ereport(NOTICE, (errmsg("the header of %s has no field \"%s\"", file_name(origin),
									reader->root->children[i]->name),
							 errdetail("Its column takes its default.")));
}

/* the highest field that is wanted by position; -1 when one is wanted by name */
static int
last_position(const DmpReader *reader)
{
	int last = 0;

	for (int i = 0; i < reader->root->n_children; i++)
	{
		const char *name = reader->root->children[i]->name;

		if (name[0] != '$')
			return -1;
		last = Max(last, atoi(name + 1));
	}
	return last;
}

/* a file without a header */
static void
layout_by_position(DmpReader *reader, Layout *layout, const char *candidates, List *lines,
				   const DmpRecordOrigin *origin)
{
	const DmpFormat *format = reader->format;
	int n = list_length(reader->positions);
	char **names = NULL;
	int last = n > 0 ? n : last_position(reader);
	char delimiter = data_delimiter(reader, candidates, lines, n);
	ListCell *lc;

	dmp_csv_prepare(&layout->csv, delimiter, format->quote, format->escape);
	if (format->header == DMP_HEADER_TRUE)
		layout->refusal = "the file has no header with a field that is wanted";
	else if (last < 0)
		layout->refusal = "no header was found, and fields are wanted by name";
	if (n > 0)
	{
		names = palloc(sizeof(char *) * n);
		foreach (lc, reader->positions)
			names[foreach_current_index(lc)] = pstrdup(lfirst(lc));
	}
	layout->n = n;
	bind_fields(layout, reader, names, n > 0 ? n : Max(last, 0), origin);
}

/*
 * The layout of a file by its first lines. The first of them is a header or
 * not; has_header false: it is a record (a retry without its file).
 */
static Layout *
make_layout(DmpReader *reader, List *lines, bool has_header, const DmpRecordOrigin *origin)
{
	CsvState *state = reader->state;
	const DmpFormat *format = reader->format;
	char candidates[8] = {0};
	Layout *layout;
	MemoryContext old = MemoryContextSwitchTo(reader->context);
	char delimiter = '\0';

	layout = palloc0(sizeof(Layout));
	if (format->delimiter != '\0')
		candidates[0] = format->delimiter;
	else
		strcpy(candidates, delimiters);
	if (lines != NIL && strncmp(linitial(lines), "sep=", 4) == 0 && strlen(linitial(lines)) == 5)
	{
		candidates[0] = ((char *) linitial(lines))[4];
		candidates[1] = '\0';
		lines = list_delete_first(list_copy(lines));
	}
	if (lines != NIL && has_header)
		delimiter = header_delimiter(reader, candidates, linitial(lines), strlen(linitial(lines)));
	if (delimiter != '\0')
	{
		char **names;
		int n;

		dmp_csv_prepare(&layout->csv, delimiter, format->quote, format->escape);
		n = names_of(state, &layout->csv, linitial(lines), strlen(linitial(lines)), &names);
		layout->header = pstrdup(linitial(lines));
		layout->header_length = strlen(layout->header);
		layout->n = n;
		bind_fields(layout, reader, names, n, origin);
	}
	else
		layout_by_position(reader, layout, candidates, lines, origin);
	if (format->delimiter == '\0' && layout->csv.delimiter != ',' &&
		layout->csv.delimiter != state->said)
	{
		state->said = layout->csv.delimiter;
		ereport(NOTICE, (errmsg("the fields of %s are separated by %s", file_name(origin),
								state->said == '\t' ? "tabs" : psprintf("\"%c\"", state->said))));
	}
	MemoryContextSwitchTo(old);
	return layout;
}

static FileKey
file_key(const DmpRecordOrigin *origin)
{
	FileKey key;

	memset(&key, 0, sizeof(key));
	key.xact = origin->xact;
	key.batch = origin->load_batch;
	key.cluster = origin->cluster;
	if (origin->origin != NULL)
		key.origin = hash_bytes((unsigned char *) VARDATA_ANY(origin->origin),
								VARSIZE_ANY_EXHDR(origin->origin));
	return key;
}

/* a line of a file's head as it is compared: without mark and line end */
static char *
head_line(const char *line, size_t length)
{
	strip_mark(&line, &length);
	strip_line_end(line, &length);
	return pnstrdup(line, length);
}

/* the layout of the row's file, when the row is of another one than the last */
static Layout *
find_layout(DmpReader *reader, const char *line, size_t length, const DmpRecordOrigin *origin,
			const FileKey *key)
{
	CsvState *state = reader->state;
	const char candidates[2] = {reader->format->delimiter, '\0'};
	List *lines = NIL;
	Layout *layout;
	CsvFile *group;
	bool found;
	ListCell *lc;

	group = hash_search(state->groups, key, HASH_FIND, NULL);
	if (group != NULL)
		return group->layout;
	lines = list_make1(head_line(line, length));
	if (header_delimiter(reader, candidates[0] ? candidates : delimiters, linitial(lines),
						 strlen(linitial(lines))) == '\0' &&
		reader->first_lines != NULL)
	{
		lines = reader->first_lines(reader->first_lines_arg, origin);
		foreach (lc, lines)
			lfirst(lc) = head_line(lfirst(lc), strlen(lfirst(lc)));
	}
	layout = make_layout(reader, lines, reader->first_lines != NULL, origin);
	if (layout->header != NULL)
	{
		group = hash_search(state->groups, key, HASH_ENTER, &found);
		group->layout = layout;
	}
	return layout;
}

/* in a retry the header comes with the record */
static Layout *
retry_layout(DmpReader *reader, const char *line, size_t length, const DmpRecordOrigin *origin)
{
	CsvState *state = reader->state;

	if (state->layout != NULL && state->retried != NULL && origin->header != NULL &&
		strcmp(state->retried, origin->header) == 0)
		return state->layout;
	state->retried = origin->header ? MemoryContextStrdup(reader->context, origin->header) : NULL;
	return make_layout(
		reader,
		list_make1(origin->header ? unconstify(char *, origin->header) : head_line(line, length)),
		origin->header != NULL, origin);
}

/* whether the row is of the same file as the one before */
static bool
is_current(const CsvState *state, const DmpRecordOrigin *origin)
{
	if (!state->has_current || state->current.xact != origin->xact ||
		state->current.batch != origin->load_batch || state->current.cluster != origin->cluster)
		return false;
	if (origin->origin == NULL || state->origin == NULL)
		return origin->origin == NULL && state->origin == NULL;
	return VARSIZE_ANY_EXHDR(origin->origin) == state->origin_length &&
		   memcmp(VARDATA_ANY(origin->origin), state->origin, state->origin_length) == 0;
}

static void
set_layout(DmpReader *reader, const char *line, size_t length, const DmpRecordOrigin *origin)
{
	CsvState *state = reader->state;
	FileKey key;

	if (!state->grouped)
	{
		if (state->layout == NULL)
			state->layout = make_layout(reader, NIL, false, origin);
		return;
	}
	if (origin->retry)
	{
		state->layout = retry_layout(reader, line, length, origin);
		return;
	}
	if (is_current(state, origin))
		return;
	key = file_key(origin);
	state->layout = find_layout(reader, line, length, origin, &key);
	state->current = key;
	state->has_current = true;
	if (state->origin != NULL)
		pfree(state->origin);
	state->origin = NULL;
	if (origin->origin != NULL)
	{
		state->origin_length = VARSIZE_ANY_EXHDR(origin->origin);
		state->origin = MemoryContextAlloc(reader->context, state->origin_length + 1);
		memcpy(state->origin, VARDATA_ANY(origin->origin), state->origin_length);
	}
}

/* fields to slots; a reason to reject when there are too many or too few */
static const char *
fill_slots(DmpReader *reader, const Layout *layout, int n)
{
	CsvState *state = reader->state;
	int n_wanted = layout->n > 0 ? layout->n : n;
	bool fits = n == n_wanted || (reader->format->pad && n < n_wanted);

	if (!fits && reader->format->pad)
	{
		/* delimiters at the end */
		fits = true;
		for (int i = n_wanted; i < n && fits; i++)
			fits = state->fields[i].length == 0;
	}
	if (!fits)
		return psprintf("the record has %d %s where %d %s wanted", n, n == 1 ? "field" : "fields",
						n_wanted, n_wanted == 1 ? "is" : "are");
	for (int i = 0; i < layout->n_bindings; i++)
	{
		const DmpCsvField *field = &state->fields[layout->bindings[i].field];
		DmpJsonValue *slot = &reader->slots[layout->bindings[i].slot];

		if (layout->bindings[i].field >= n)
			continue;
		slot->type = field->length == 0 && !field->quoted ? DMP_JSON_NULL : DMP_JSON_TEXT;
		slot->escaped = false;
		slot->start = field->start;
		slot->length = field->length;
		if (field->escaped)
		{
			char *text = palloc(field->length);

			slot->length = dmp_csv_unescape(&layout->csv, field, text);
			slot->start = text;
		}
	}
	return NULL;
}

/* fields nobody wants, those that are empty left out */
static void
tell_unknown(DmpReader *reader, const Layout *layout, int n)
{
	CsvState *state = reader->state;

	for (int i = 0; i < layout->n_unknown; i++)
	{
		const DmpCsvField *field = &state->fields[layout->unknown[i]];
		DmpJsonValue value = {0};

		if (layout->unknown[i] >= n || (field->length == 0 && !field->quoted))
			continue;
		value.start = field->start;
		value.length = field->length;
		value.type = DMP_JSON_TEXT;
		if (field->escaped)
		{
			char *text = palloc(field->length);

			value.length = dmp_csv_unescape(&layout->csv, field, text);
			value.start = text;
		}
		reader->unknown(reader->arg, reader->root, &layout->names[layout->unknown[i]], &value);
	}
}

static DmpDecoded
read_csv(DmpReader *reader, const char *line, size_t length, const DmpRecordOrigin *origin,
		 DmpRejected *why)
{
	CsvState *state = reader->state;
	const Layout *layout;
	const char *reason;
	const char *message;
	int field;
	int n;

	set_layout(reader, line, length, origin);
	layout = state->layout;
	if (layout->refusal != NULL)
		return dmp_record_rejected(why, ERRCODE_BAD_COPY_FILE_FORMAT, layout->refusal);
	strip_mark(&line, &length);
	if (layout->header != NULL && length >= layout->header_length &&
		memcmp(line, layout->header, layout->header_length) == 0)
	{
		size_t rest = length;

		strip_line_end(line, &rest);
		if (rest == layout->header_length)
		{
			reader->headers++;
			return DMP_NO_RECORD;
		}
	}
	if (length == 5 && memcmp(line, "sep=", 4) == 0 && line[4] == layout->csv.delimiter &&
		layout->n > 1)
	{
		reader->headers++;
		return DMP_NO_RECORD;
	}
	n = fields_of(state, &layout->csv, line, length, &message, &field);
	if (n < 0)
		return dmp_record_rejected(why, ERRCODE_BAD_COPY_FILE_FORMAT,
								   psprintf("field %d %s", field, message));
	reason = fill_slots(reader, layout, n);
	if (reason != NULL)
		return dmp_record_rejected(why, ERRCODE_BAD_COPY_FILE_FORMAT, reason);
	if (layout->n_unknown > 0)
		tell_unknown(reader, layout, n);
	return DMP_DECODED;
}

static const char *
header_of(const DmpReader *reader, const DmpRecordOrigin *origin)
{
	CsvState *state = reader->state;
	FileKey key = file_key(origin);
	CsvFile *group = state->groups ? hash_search(state->groups, &key, HASH_FIND, NULL) : NULL;

	return group ? group->layout->header : NULL;
}

void
dmp_reader_csv(DmpReader *reader)
{
	CsvState *state = palloc0(sizeof(CsvState));
	HASHCTL ctl = {0};

	state->space = 64;
	state->fields = palloc(sizeof(DmpCsvField) * state->space);
	state->grouped =
		reader->format->header != DMP_HEADER_FALSE || reader->format->delimiter == '\0';
	if (state->grouped)
	{
		ctl.keysize = sizeof(FileKey);
		ctl.entrysize = sizeof(CsvFile);
		ctl.hcxt = CurrentMemoryContext;
		state->groups =
			hash_create("dmp csv files", 16, &ctl, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	}
	reader->state = state;
	reader->wants_origin = state->grouped;
	reader->read = read_csv;
	reader->header = header_of;
}
