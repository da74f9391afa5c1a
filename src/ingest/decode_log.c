/*-------------------------------------------------------------------------
 * decode_log.c
 *		The readers of lines of logs: weblog, syslog and key=value pairs.
 *
 * weblog and syslog have fixed fields, known when the reader is made; the
 * values of fields are texts, which the columns' types parse.
 *-------------------------------------------------------------------------
 */
#include "ingest/decode.h"
#include "ingest/log.h"

#include "mb/pg_wchar.h"
#include "utils/datetime.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

typedef struct LogState
{
	int n;
	const char *const *names;
	int time;   /* the field that is a time */
	int *slots; /* of the fields, -1: nobody wants it */
	DmpKv kv;
	int guess; /* kv: the child expected next, as lines repeat their order */
} LogState;

static void
tell(DmpReader *reader, const char *name, size_t length, const DmpLogText *field)
{
	DmpJsonValue key = {0};
	DmpJsonValue value = {0};

	key.start = name;
	key.length = length;
	key.type = DMP_JSON_TEXT;
	value.start = field->start;
	value.length = field->length;
	value.type = field->start ? DMP_JSON_TEXT : DMP_JSON_NULL;
	reader->unknown(reader->arg, reader->root, &key, &value);
}

static void
fill(DmpReader *reader, int slot, const DmpLogText *field)
{
	DmpJsonValue *value = &reader->slots[slot];

	value->type = field->start ? DMP_JSON_TEXT : DMP_JSON_NULL;
	value->start = field->start;
	value->length = field->length;
	value->escaped = false;
}

/* the fields of a line to their slots; those nobody wants are told when they are there */
static void
fill_fields(DmpReader *reader, DmpLogText *fields)
{
	LogState *state = reader->state;

	for (int i = 0; i < state->n; i++)
		if (state->slots[i] >= 0)
			fill(reader, state->slots[i], &fields[i]);
		else if (fields[i].start != NULL)
			tell(reader, state->names[i], strlen(state->names[i]), &fields[i]);
}

/* a time as a text that timestamps read: with its zone, when the line has one */
static void
fill_time(LogState *state, DmpLogText *fields, const DmpLogTime *at, int year)
{
	char *text = palloc(DMP_LOG_TIME_LENGTH);

	fields[state->time].start = text;
	fields[state->time].length = dmp_log_time_text(at, year, text);
}

static DmpDecoded
read_weblog(DmpReader *reader, const char *line, size_t length, const DmpRecordOrigin *origin,
			DmpRejected *why)
{
	DmpLogText fields[DMP_WEBLOG_FIELDS];
	DmpLogTime at;

	if (!dmp_weblog_line(line, length, GetDatabaseEncoding(), palloc(length + 1), fields, &at))
		return dmp_record_rejected(why, ERRCODE_INVALID_TEXT_REPRESENTATION,
								   "the line is none of an access log");
	fill_time(reader->state, fields, &at, at.year);
	fill_fields(reader, fields);
	return DMP_DECODED;
}

/*
 * The year of a time that does not say it: the last one in which it is not
 * after the line was received, a day left for zones and clocks.
 */
static int
year_of(const DmpFormat *format, const DmpLogTime *at, const DmpRecordOrigin *origin)
{
	TimestampTz received = origin->received_at ? origin->received_at : GetCurrentTimestamp();
	int last = (int) (received / USECS_PER_DAY) + POSTGRES_EPOCH_JDATE + 1;
	int year, month, day;

	if (at->year > 0)
		return at->year;
	if (format->year > 0)
		return format->year;
	j2date(last, &year, &month, &day);
	while (year > 1 &&
		   (date2j(year, at->month, at->day) > last || !dmp_log_is_day(year, at->month, at->day)))
		year--;
	return year;
}

static DmpDecoded
read_syslog(DmpReader *reader, const char *line, size_t length, const DmpRecordOrigin *origin,
			DmpRejected *why)
{
	DmpLogText fields[DMP_SYSLOG_FIELDS];
	DmpLogTime at;

	if (length > MaxAllocSize / 8)
		return dmp_record_rejected(why, ERRCODE_PROGRAM_LIMIT_EXCEEDED, "the line is too long");
	if (!dmp_syslog_line(line, length, palloc(DMP_SYSLOG_BUFFER(length)), fields, &at))
		return dmp_record_rejected(why, ERRCODE_INVALID_TEXT_REPRESENTATION,
								   "the line is none of syslog");
	/* in RFC 5424 "-" is no time */
	if (at.month > 0)
		fill_time(reader->state, fields, &at, year_of(reader->format, &at, origin));
	fill_fields(reader, fields);
	return DMP_DECODED;
}

static void
take_pair(void *arg, const DmpLogText *key, const DmpLogText *value)
{
	DmpReader *reader = arg;
	LogState *state = reader->state;
	int n = reader->root->n_children;

	for (int tried = 0; tried < n; tried++)
	{
		const DmpJsonNode *node;

		if (state->guess >= n)
			state->guess = 0;
		node = reader->root->children[state->guess++];
		if (node->name_length == key->length && memcmp(node->name, key->start, key->length) == 0)
		{
			fill(reader, node->slot, value);
			return;
		}
	}
	tell(reader, key->start, key->length, value);
}

static DmpDecoded
read_kv(DmpReader *reader, const char *line, size_t length, const DmpRecordOrigin *origin,
		DmpRejected *why)
{
	LogState *state = reader->state;
	const char *message;

	if (length > MaxAllocSize / 4)
		return dmp_record_rejected(why, ERRCODE_PROGRAM_LIMIT_EXCEEDED, "the line is too long");
	state->guess = 0;
	message = dmp_kv_line(&state->kv, line, length, palloc(2 * length + 2), take_pair, reader);
	if (message != NULL)
		return dmp_record_rejected(why, ERRCODE_INVALID_TEXT_REPRESENTATION, message);
	return DMP_DECODED;
}

static void
bind_names(DmpReader *reader, const char *const *names, int n, int time)
{
	LogState *state = reader->state;

	state->n = n;
	state->names = names;
	state->time = time;
	state->slots = palloc(sizeof(int) * n);
	for (int i = 0; i < n; i++)
	{
		state->slots[i] = -1;
		for (int j = 0; j < reader->root->n_children; j++)
			if (strcmp(reader->root->children[j]->name, names[i]) == 0)
				state->slots[i] = reader->root->children[j]->slot;
	}
}

void
dmp_reader_log(DmpReader *reader)
{
	LogState *state = palloc0(sizeof(LogState));

	reader->state = state;
	if (reader->format->kind == DMP_FORMAT_WEBLOG)
	{
		bind_names(reader, dmp_weblog_names, DMP_WEBLOG_FIELDS, DMP_WEBLOG_TIME);
		reader->read = read_weblog;
	}
	else if (reader->format->kind == DMP_FORMAT_SYSLOG)
	{
		bind_names(reader, dmp_syslog_names, DMP_SYSLOG_FIELDS, DMP_SYSLOG_TIME);
		reader->read = read_syslog;
		reader->wants_origin = true;
	}
	else
	{
		state->kv.delimiter = reader->format->delimiter;
		state->kv.assign = reader->format->assign;
		state->kv.quote = reader->format->quote;
		reader->read = read_kv;
	}
}
