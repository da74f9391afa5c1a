/*-------------------------------------------------------------------------
 * segments.c
 *		Which group a row is of, in training and in scoring; and the segments of
 *		a model as they are stored.
 *
 *		"segments":{"by":["city","day"], "types":["text","date"],
 *		  "keys":["Rome","2024-01-01", "Rome",null, ...],
 *		  "status":"cco...", "values":"base64"}
 *
 * A group is told by texts: values that print alike are one group. The text
 * does not depend on the session: days and times are ISO, with a zone in UTC,
 * numbers as short as they can be. keys has the by columns of one segment
 * after those of another. status has a letter for each; values are float8, of
 * those that converged, one after the other: the intercept, the coefficients,
 * and what a missing value is taken as, of features that were missing in training.
 *-------------------------------------------------------------------------
 */
#include "learn/segments.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "common/base64.h"
#include "common/shortest_dec.h"
#include "learn/model.h"
#include "math/hash.h"
#include "port/pg_bswap.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/datetime.h"
#include "utils/fmgrprotos.h"
#include "utils/json.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/numeric.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

#define HASH_SEED 3

static const char *const segment_keys[] = {"by", "types", "keys", "status", "values", NULL};

/* letters of DmpFitStatus, in its order */
static const char status_letters[] = "cisdonta";

/* ------------------------------------------------------------------ keys */

bool
dmp_segment_type(Oid type)
{
	switch (getBaseType(type))
	{
		case DATEOID:
		case TIMESTAMPOID:
		case TIMESTAMPTZOID:
		case UUIDOID:
		case CHAROID:
		case OIDOID:
		case INETOID:
		case CIDROID:
		case MACADDROID:
			return true;
		default:
			switch (dmp_value_kind(type))
			{
				case DMP_VALUE_NUMBER:
				case DMP_VALUE_BOOLEAN:
				case DMP_VALUE_TEXT:
					return true;
				default:
					return false;
			}
	}
}

static int
time_text(Timestamp value, bool zone, char *text)
{
	struct pg_tm tm;
	fsec_t fsec;

	if (TIMESTAMP_NOT_FINITE(value))
		EncodeSpecialTimestamp(value, text);
	else
	{
		if (timestamp2tm(value, NULL, &tm, &fsec, NULL, NULL) != 0)
			ereport(ERROR, (errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
							errmsg("timestamp out of range")));
		EncodeDateTime(&tm, fsec, zone, 0, NULL, USE_ISO_DATES, text);
	}
	return strlen(text);
}

static int
date_text(DateADT value, char *text)
{
	struct pg_tm tm;

	if (DATE_NOT_FINITE(value))
		EncodeSpecialDate(value, text);
	else
	{
		j2date(value + POSTGRES_EPOCH_JDATE, &tm.tm_year, &tm.tm_mon, &tm.tm_mday);
		EncodeDateOnly(&tm, USE_ISO_DATES, text);
	}
	return strlen(text);
}

static int
float_text(double value, char *text)
{
	/* -0 is 0, and a whole number is written as an integer is */
	if (value == rint(value) && fabs(value) < 1e15)
		return pg_lltoa((int64) value, text);
	return double_to_shortest_decimal_buf(value, text);
}

static int
uuid_text(const pg_uuid_t *uuid, char *text)
{
	static const char digits[] = "0123456789abcdef";
	int n = 0;
	int i;

	for (i = 0; i < UUID_LEN; i++)
	{
		if (i == 4 || i == 6 || i == 8 || i == 10)
			text[n++] = '-';
		text[n++] = digits[uuid->data[i] >> 4];
		text[n++] = digits[uuid->data[i] & 15];
	}
	return n;
}

void
dmp_segment_key(StringInfo key, Datum value, bool isnull, Oid type)
{
	char text[MAXDATELEN + 64];
	const char *bytes = text;
	uint32 length;
	int n;

	if (isnull)
	{
		length = DMP_SEGMENT_NULL;
		appendBinaryStringInfo(key, (char *) &length, sizeof(length));
		return;
	}
	switch (type)
	{
		case BOOLOID:
			bytes = DatumGetBool(value) ? "true" : "false";
			n = strlen(bytes);
			break;
		case INT2OID:
			n = pg_lltoa(DatumGetInt16(value), text);
			break;
		case INT4OID:
			n = pg_lltoa(DatumGetInt32(value), text);
			break;
		case INT8OID:
			n = pg_lltoa(DatumGetInt64(value), text);
			break;
		case OIDOID:
			n = pg_lltoa(DatumGetObjectId(value), text);
			break;
		case FLOAT4OID:
			if (DatumGetFloat4(value) == rintf(DatumGetFloat4(value)))
				n = float_text(DatumGetFloat4(value), text);
			else
				n = float_to_shortest_decimal_buf(DatumGetFloat4(value), text);
			break;
		case FLOAT8OID:
			n = float_text(DatumGetFloat8(value), text);
			break;
		case NUMERICOID:
			bytes = numeric_normalize(DatumGetNumeric(value));
			n = strlen(bytes);
			break;
		case DATEOID:
			n = date_text(DatumGetDateADT(value), text);
			break;
		case TIMESTAMPOID:
		case TIMESTAMPTZOID:
			n = time_text(DatumGetTimestamp(value), type == TIMESTAMPTZOID, text);
			break;
		case UUIDOID:
			n = uuid_text(DatumGetUUIDP(value), text);
			break;
		case CHAROID:
		case INETOID:
		case CIDROID:
		case MACADDROID:
		{
			Oid output;
			bool varlena;

			getTypeOutputInfo(type, &output, &varlena);
			bytes = OidOutputFunctionCall(output, value);
			n = strlen(bytes);
			break;
		}
		default:
			bytes = dmp_value_text(value, type, &n);
			break;
	}
	length = (uint32) n;
	appendBinaryStringInfo(key, (char *) &length, sizeof(length));
	appendBinaryStringInfo(key, bytes, n);
}

char **
dmp_segment_texts(const char *key, uint32 length, int nby)
{
	char **texts = palloc(sizeof(char *) * nby);
	const char *end PG_USED_FOR_ASSERTS_ONLY = key + length;
	int k;

	for (k = 0; k < nby; k++)
	{
		uint32 n;

		memcpy(&n, key, sizeof(n));
		key += sizeof(n);
		texts[k] = n == DMP_SEGMENT_NULL ? NULL : pnstrdup(key, n);
		key += n == DMP_SEGMENT_NULL ? 0 : n;
	}
	Assert(key == end);
	return texts;
}

int
dmp_segment_compare(const char *a, const char *b, int nby)
{
	int k;

	for (k = 0; k < nby; k++)
	{
		uint32 na, nb;
		int c;

		memcpy(&na, a, sizeof(na));
		memcpy(&nb, b, sizeof(nb));
		a += sizeof(na);
		b += sizeof(nb);
		if (na == DMP_SEGMENT_NULL || nb == DMP_SEGMENT_NULL)
		{
			if (na != nb)
				return na == DMP_SEGMENT_NULL ? 1 : -1;
			continue;
		}
		c = memcmp(a, b, Min(na, nb));
		if (c == 0)
			c = (na > nb) - (na < nb);
		if (c != 0)
			return c;
		a += na;
		b += nb;
	}
	return 0;
}

/* a text that could be taken for something else, or end early, is quoted */
static void
append_value(StringInfo name, const char *text)
{
	const char *p;

	if (text == NULL)
	{
		appendStringInfoString(name, "NULL");
		return;
	}
	if (text[0] != '\0' && strpbrk(text, "\",=\\") == NULL && pg_strcasecmp(text, "null") != 0)
	{
		for (p = text; *p > ' ' || *p < 0; p++)
			;
		/* a blank within it does no harm */
		while (*p == ' ' && p > text && p[1] != '\0' && p[1] != ' ')
			for (p++; *p > ' ' || *p < 0; p++)
				;
		if (*p == '\0')
		{
			appendStringInfoString(name, text);
			return;
		}
	}
	appendStringInfoChar(name, '"');
	for (p = text; *p; p++)
	{
		if (*p == '"')
			appendStringInfoChar(name, '"');
		appendStringInfoChar(name, *p);
	}
	appendStringInfoChar(name, '"');
}

char *
dmp_segment_name(const DmpSegments *segments, int which)
{
	char **texts =
		dmp_segment_texts(segments->keys[which], segments->key_lengths[which], segments->nby);
	StringInfoData name;
	int k;

	initStringInfo(&name);
	for (k = 0; k < segments->nby; k++)
	{
		appendStringInfo(&name, "%s%s=", k > 0 ? ", " : "", quote_identifier(segments->names[k]));
		append_value(&name, texts[k]);
	}
	return name.data;
}

/* ---------------------------------------------------------------- lookup */

static int
look_up(const DmpSegments *segments, const char *key, uint32 length, uint64 hash)
{
	uint32 at = (uint32) hash & (segments->nslots - 1);

	for (; segments->slots[at] >= 0; at = (at + 1) & (segments->nslots - 1))
	{
		int i = segments->slots[at];

		if (segments->hashes[i] == hash && segments->key_lengths[i] == length &&
			memcmp(segments->keys[i], key, length) == 0)
			return i;
	}
	return -1;
}

int
dmp_segments_find(const DmpSegments *segments, const Datum *values, const bool *nulls,
				  const Oid *types)
{
	/* room that is there for this */
	StringInfo key = (StringInfo) &segments->key;
	int k;

	resetStringInfo(key);
	for (k = 0; k < segments->nby; k++)
		dmp_segment_key(key, values[k], nulls[k], types[k]);
	return look_up(segments, key->data, key->len, dmp_hash_bytes(key->data, key->len, HASH_SEED));
}

void
dmp_segments_fills(DmpSegments *segments, const DmpDesign *design)
{
	int i;

	segments->fill_place = palloc(sizeof(int) * Max(design->nfeatures, 1));
	segments->nfills = 0;
	for (i = 0; i < design->nfeatures; i++)
	{
		const DmpFeature *feature = &design->features[i];
		bool filled =
			feature->encode == DMP_ENCODE_NUMERIC || feature->encode == DMP_ENCODE_BOOLEAN;

		segments->fill_place[i] = filled && feature->missing_index >= 0 ? segments->nfills++ : -1;
	}
}

const double *
dmp_segment_numbers(const DmpModel *model, const Datum *values, const bool *nulls, const Oid *types)
{
	int n = model->design.nsources;
	int which = dmp_segments_find(model->segments, values + n, nulls + n, types + n);

	return which >= 0 ? model->segments->values[which] : NULL;
}

DmpModel
dmp_segment_alone(const DmpModel *model, const double *numbers)
{
	const DmpSegments *segments = model->segments;
	DmpModel own = *model;
	int n = model->design.nfeatures;
	int i;

	own.segments = NULL;
	if (numbers == NULL)
		return own;
	own.a = numbers[0];
	own.coef = (double *) numbers + 1;
	if (segments->nfills > 0)
	{
		own.design.features = palloc(sizeof(DmpFeature) * n);
		memcpy(own.design.features, model->design.features, sizeof(DmpFeature) * n);
		for (i = 0; i < n; i++)
			if (segments->fill_place[i] >= 0)
				own.design.features[i].fill =
					numbers[1 + segments->width + segments->fill_place[i]];
	}
	return own;
}

DmpModel
dmp_segment_model(const DmpModel *model, const Datum *values, const bool *nulls, const Oid *types,
				  const char **name)
{
	int n = model->design.nsources;
	int which = -1;

	if (model->segments != NULL)
		which = dmp_segments_find(model->segments, values + n, nulls + n, types + n);
	if (which >= 0 && model->segments->values[which] == NULL)
		which = -1;
	*name = which >= 0 ? dmp_segment_name(model->segments, which) : "pooled";
	return dmp_segment_alone(model, which >= 0 ? model->segments->values[which] : NULL);
}

void
dmp_segments_index(DmpSegments *segments)
{
	int i;

	segments->nslots = 16;
	while (segments->nslots < 2 * (uint32) segments->n)
		segments->nslots *= 2;
	segments->slots = palloc_extended(sizeof(int32) * (Size) segments->nslots, MCXT_ALLOC_HUGE);
	memset(segments->slots, -1, sizeof(int32) * (Size) segments->nslots);
	segments->hashes =
		palloc_extended(sizeof(uint64) * (Size) Max(segments->n, 1), MCXT_ALLOC_HUGE);
	for (i = 0; i < segments->n; i++)
	{
		uint64 hash = dmp_hash_bytes(segments->keys[i], segments->key_lengths[i], HASH_SEED);
		uint32 at = (uint32) hash & (segments->nslots - 1);

		if (look_up(segments, segments->keys[i], segments->key_lengths[i], hash) >= 0)
			dmp_model_refuse("segment %d is there twice", i);
		while (segments->slots[at] >= 0)
			at = (at + 1) & (segments->nslots - 1);
		segments->slots[at] = i;
		segments->hashes[i] = hash;
	}
	initStringInfo(&segments->key);
}

void
dmp_model_refuse_segments(const DmpModel *model, const char *what)
{
	if (model->segments != NULL)
		ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
						errmsg("%s cannot be made of a model with segments", what),
						errdetail("It has coefficients for each of %d groups.", model->segments->n),
						errhint("Train a model on the rows of one group.")));
}

char *
dmp_segments_digest(const DmpSegments *segments)
{
	int count[sizeof(status_letters)] = {0};
	const char *separator = "";
	StringInfoData text;
	int i;

	initStringInfo(&text);
	for (i = 0; i < segments->n; i++)
		count[segments->status[i]]++;
	for (i = 0; i < (int) sizeof(status_letters) - 1; i++)
	{
		if (count[i] == 0)
			continue;
		appendStringInfo(&text, "%s%d %s", separator, count[i],
						 dmp_fit_status_name((DmpFitStatus) i));
		separator = ", ";
	}
	return text.data;
}

int
dmp_segments_fitted(const DmpSegments *segments)
{
	int n = 0;
	int i;

	for (i = 0; segments != NULL && i < segments->n; i++)
		n += segments->values[i] != NULL;
	return n;
}

/* --------------------------------------------------------------- writing */

static void
append_strings(StringInfo buf, const char *key, char **strings, int n)
{
	int i;

	appendStringInfo(buf, "\"%s\":[", key);
	for (i = 0; i < n; i++)
	{
		if (i > 0)
			appendStringInfoChar(buf, ',');
		escape_json(buf, strings[i]);
	}
	appendStringInfoString(buf, "],");
}

/* error when what is to come would not fit a value */
static void
refuse_size(const DmpSegments *segments)
{
	ereport(ERROR,
			(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
			 errmsg("a model of %d groups with %d coefficients each is too large to be stored",
					segments->n, DMP_SEGMENT_NUMBERS(segments)),
			 errdetail("A model takes at most 1 GB."),
			 errhint("Group by fewer columns, or train on fewer features.")));
}

static void
append_doubles(StringInfo buf, const DmpSegments *segments)
{
	int each = DMP_SEGMENT_NUMBERS(segments);
	/* a multiple of three bytes at a time, so that the pieces make one base64 */
	Size room = sizeof(double) * each * 3;
	double *piece = palloc(room);
	int filled = 0;
	int i;
	int j;

	appendStringInfoString(buf, "\"values\":\"");
	for (i = 0; i <= segments->n; i++)
	{
		if (i < segments->n && segments->values[i] != NULL)
		{
			memcpy(piece + filled * each, segments->values[i], sizeof(double) * each);
			filled++;
		}
		if (filled == 3 || (i == segments->n && filled > 0))
		{
			int bytes = (int) sizeof(double) * each * filled;
			int length = pg_b64_enc_len(bytes);

			for (j = 0; j < each * filled; j++)
			{
				uint64 word;

				if (!isfinite(piece[j]))
					elog(ERROR, "a number of the model is not finite");
				memcpy(&word, &piece[j], sizeof(word));
#ifdef WORDS_BIGENDIAN
				word = pg_bswap64(word);
#endif
				memcpy(&piece[j], &word, sizeof(word));
			}
			if (buf->len + (Size) length > MaxAllocSize - 1024)
				refuse_size(segments);
			enlargeStringInfo(buf, length + 1);
			length = pg_b64_encode((void *) piece, bytes, buf->data + buf->len, length);
			if (length < 0)
				elog(ERROR, "could not write base64");
			buf->len += length;
			buf->data[buf->len] = '\0';
			filled = 0;
		}
	}
	appendStringInfoChar(buf, '"');
	pfree(piece);
}

void
dmp_segments_append(StringInfo buf, const DmpSegments *segments)
{
	int i;
	int k;

	appendStringInfoString(buf, ",\"segments\":{");
	append_strings(buf, "by", segments->names, segments->nby);
	append_strings(buf, "types", segments->types, segments->nby);
	appendStringInfoString(buf, "\"keys\":[");
	for (i = 0; i < segments->n; i++)
	{
		char **texts =
			dmp_segment_texts(segments->keys[i], segments->key_lengths[i], segments->nby);

		CHECK_FOR_INTERRUPTS();
		if (buf->len + (Size) segments->key_lengths[i] * 6 > MaxAllocSize - 4096)
			refuse_size(segments);
		for (k = 0; k < segments->nby; k++)
		{
			if (i + k > 0)
				appendStringInfoChar(buf, ',');
			if (texts[k] == NULL)
				appendStringInfoString(buf, "null");
			else
			{
				escape_json(buf, texts[k]);
				pfree(texts[k]);
			}
		}
		pfree(texts);
	}
	if (buf->len + (Size) segments->n > MaxAllocSize - 4096)
		refuse_size(segments);
	appendStringInfoString(buf, "],\"status\":\"");
	for (i = 0; i < segments->n; i++)
		appendStringInfoChar(buf, status_letters[segments->status[i]]);
	appendStringInfoString(buf, "\",");
	append_doubles(buf, segments);
	appendStringInfoChar(buf, '}');
}

/* --------------------------------------------------------------- reading */

static const DmpDoc *
member(const DmpDoc *doc, const char *key, DmpDocKind kind)
{
	const DmpDoc *found = dmp_doc_get(doc, key);

	if (found == NULL || found->kind != kind)
		dmp_model_refuse("\"%s\" of \"segments\" must be %s", key, dmp_doc_kind_name(kind));
	return found;
}

static char **
strings_of(const DmpDoc *doc, const char *key, int n)
{
	const DmpDoc *list = member(doc, key, DMP_DOC_ARRAY);
	char **strings = palloc(sizeof(char *) * Max(list->n, 1));
	int i;

	if (list->n < 1 || list->n > 100 || (n > 0 && list->n != n))
		dmp_model_refuse("\"%s\" of \"segments\" has %d members", key, list->n);
	for (i = 0; i < list->n; i++)
	{
		if (list->items[i]->kind != DMP_DOC_STRING)
			dmp_model_refuse("\"%s\" of \"segments\" must be strings", key);
		strings[i] = pstrdup(list->items[i]->text);
	}
	return strings;
}

static void
read_keys(DmpSegments *segments, const DmpDoc *list)
{
	Size total = 0;
	char *at;
	int i;
	int k;

	for (i = 0; i < list->n; i++)
	{
		const DmpDoc *item = list->items[i];

		if (item->kind != DMP_DOC_STRING && item->kind != DMP_DOC_NULL)
			dmp_model_refuse("\"keys\" of \"segments\" must be strings or null");
		total += sizeof(uint32) + (item->kind == DMP_DOC_NULL ? 0 : strlen(item->text));
	}
	at = palloc_extended(Max(total, 1), MCXT_ALLOC_HUGE);
	for (i = 0; i < segments->n; i++)
	{
		if (i % 1024 == 0)
			CHECK_FOR_INTERRUPTS();
		segments->keys[i] = at;
		for (k = 0; k < segments->nby; k++)
		{
			const DmpDoc *item = list->items[i * segments->nby + k];
			uint32 length = item->kind == DMP_DOC_NULL ? DMP_SEGMENT_NULL : strlen(item->text);

			memcpy(at, &length, sizeof(length));
			at += sizeof(length);
			if (item->kind == DMP_DOC_NULL)
				continue;
			memcpy(at, item->text, length);
			at += length;
		}
		segments->key_lengths[i] = at - segments->keys[i];
	}
}

/* the numbers of those that converged */
static void
read_values(DmpSegments *segments, const char *text, int fitted)
{
	Size each = sizeof(double) * DMP_SEGMENT_NUMBERS(segments);
	Size length = strlen(text);
	Size room = length / 4 * 3 + 8;
	double *values;
	int found = 0;
	int place = 0;
	Size i;

	if (room > PG_INT32_MAX)
		dmp_model_refuse("\"values\" of \"segments\" is too long");
	values = palloc_extended(room, MCXT_ALLOC_HUGE);
	if (length > 0)
		found = pg_b64_decode(text, (int) length, (void *) values, (int) room);
	if (found < 0 || (Size) found != each * fitted)
		dmp_model_refuse("\"values\" of \"segments\" is no base64 of %zu bytes", each * fitted);
	for (i = 0; i < (Size) found / sizeof(double); i++)
	{
#ifdef WORDS_BIGENDIAN
		uint64 word;

		memcpy(&word, &values[i], sizeof(word));
		word = pg_bswap64(word);
		memcpy(&values[i], &word, sizeof(word));
#endif
		if (!isfinite(values[i]))
			dmp_model_refuse("\"values\" of \"segments\" has a number that is not finite");
	}
	for (i = 0; i < (Size) segments->n; i++)
	{
		segments->values[i] = NULL;
		if (segments->status[i] == DMP_FIT_CONVERGED)
			segments->values[i] = values + (Size) DMP_SEGMENT_NUMBERS(segments) * place++;
	}
}

DmpSegments *
dmp_segments_read(const DmpDoc *doc, const DmpDesign *design)
{
	DmpSegments *segments = palloc0(sizeof(DmpSegments));
	const DmpDoc *keys;
	const char *status;
	int fitted = 0;
	int i;

	if (doc->kind != DMP_DOC_OBJECT)
		dmp_model_refuse("\"segments\" must be an object");
	dmp_doc_check_keys(doc, "model segments", segment_keys);
	segments->width = design->width;
	dmp_segments_fills(segments, design);
	segments->names = strings_of(doc, "by", 0);
	segments->nby = member(doc, "by", DMP_DOC_ARRAY)->n;
	segments->types = strings_of(doc, "types", segments->nby);
	keys = member(doc, "keys", DMP_DOC_ARRAY);
	segments->n = keys->n / segments->nby;
	status = member(doc, "status", DMP_DOC_STRING)->text;
	if (keys->n % segments->nby != 0 || strlen(status) != (Size) segments->n)
		dmp_model_refuse("\"keys\" and \"status\" of \"segments\" are not of one length");
	segments->keys = palloc_extended(sizeof(char *) * (Size) Max(segments->n, 1), MCXT_ALLOC_HUGE);
	segments->key_lengths =
		palloc_extended(sizeof(uint32) * (Size) Max(segments->n, 1), MCXT_ALLOC_HUGE);
	segments->status =
		palloc_extended(sizeof(DmpFitStatus) * (Size) Max(segments->n, 1), MCXT_ALLOC_HUGE);
	segments->values =
		palloc_extended(sizeof(double *) * (Size) Max(segments->n, 1), MCXT_ALLOC_HUGE);
	for (i = 0; i < segments->n; i++)
	{
		const char *letter = strchr(status_letters, status[i]);

		if (letter == NULL)
			dmp_model_refuse("\"status\" of \"segments\" has an unknown letter");
		segments->status[i] = (DmpFitStatus) (letter - status_letters);
		fitted += segments->status[i] == DMP_FIT_CONVERGED;
	}
	read_keys(segments, keys);
	read_values(segments, member(doc, "values", DMP_DOC_STRING)->text, fitted);
	dmp_segments_index(segments);
	return segments;
}
