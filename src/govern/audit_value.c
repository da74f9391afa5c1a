/*-------------------------------------------------------------------------
 * audit_value.c
 *		Values of rows as bytes that mean the same for ever.
 *
 * Types whose binary form is fixed are copied, little-endian; numeric as the
 * server stores it (words of 16 bits; the form has not changed since 9.1).
 * Everything else, whose bytes hold OIDs or may change with a version of its
 * extension, is stored as its text under fixed settings: what a session set
 * must not change what the log says. Lengths are in base 128, low group
 * first, the top bit set in all groups but the last.
 *
 * Readers trust nothing: dmp_internal.audit_image() takes any bytes.
 *-------------------------------------------------------------------------
 */
#include "govern/audit_log.h"

#include "catalog/pg_type.h"
#include "common/shortest_dec.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "port/pg_bswap.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/datetime.h"
#include "utils/guc.h"
#include "utils/json.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/numeric.h"
#include "utils/uuid.h"

#ifdef WORDS_BIGENDIAN
#define LE16(x) pg_bswap16(x)
#define LE32(x) pg_bswap32(x)
#define LE64(x) pg_bswap64(x)
#else
#define LE16(x) (x)
#define LE32(x) (x)
#define LE64(x) (x)
#endif

/* in the order of DmpAuditCoding; names are stored in shapes */
static const char *const coding_names[] = {
	"bool",      "int2",        "int4", "int8",    "float4", "float8", "date",  "time",
	"timestamp", "timestamptz", "uuid", "numeric", "bytea",  "string", "jsonb", "text"};

/* bytes of a value, 0: a length comes first */
static const uint8 coding_widths[] = {1, 2, 4, 8, 4, 8, 4, 8, 8, 8, 16, 0, 0, 0, 0, 0};

DmpAuditCoding
dmp_audit_coding(Oid base)
{
	switch (base)
	{
		case BOOLOID:
			return DMP_AUDIT_BOOL;
		case INT2OID:
			return DMP_AUDIT_INT2;
		case INT4OID:
			return DMP_AUDIT_INT4;
		case INT8OID:
			return DMP_AUDIT_INT8;
		case FLOAT4OID:
			return DMP_AUDIT_FLOAT4;
		case FLOAT8OID:
			return DMP_AUDIT_FLOAT8;
		case DATEOID:
			return DMP_AUDIT_DATE;
		case TIMEOID:
			return DMP_AUDIT_TIME;
		case TIMESTAMPOID:
			return DMP_AUDIT_TIMESTAMP;
		case TIMESTAMPTZOID:
			return DMP_AUDIT_TIMESTAMPTZ;
		case UUIDOID:
			return DMP_AUDIT_UUID;
		case NUMERICOID:
			return DMP_AUDIT_NUMERIC;
		case BYTEAOID:
			return DMP_AUDIT_BYTEA;
		case TEXTOID:
		case VARCHAROID:
		case BPCHAROID:
		case JSONOID:
		case XMLOID:
			return DMP_AUDIT_STRING;
		case JSONBOID:
			return DMP_AUDIT_JSONB;
		default:
			return DMP_AUDIT_TEXT;
	}
}

const char *
dmp_audit_coding_name(DmpAuditCoding coding)
{
	return coding_names[coding];
}

bool
dmp_audit_coding_find(const char *name, DmpAuditCoding *coding)
{
	int i;

	for (i = 0; i < lengthof(coding_names); i++)
		if (strcmp(name, coding_names[i]) == 0)
		{
			*coding = (DmpAuditCoding) i;
			return true;
		}
	return false;
}

bool
dmp_audit_type_is_pinned(Oid base)
{
	switch (base)
	{
		case NAMEOID:
		case CHAROID:
		case OIDOID:
		case XIDOID:
		case XID8OID:
		case CIDOID:
		case TIDOID:
		case INETOID:
		case CIDROID:
		case MACADDROID:
		case MACADDR8OID:
		case BITOID:
		case VARBITOID:
		case TEXTARRAYOID:
		case INT2ARRAYOID:
		case INT4ARRAYOID:
		case INT8ARRAYOID:
		case TSVECTOROID:
			return false;
		default:
			return get_typtype(base) != TYPTYPE_ENUM;
	}
}

int
dmp_audit_pin(void)
{
	static const char *const pins[][2] = {
		{"datestyle", "ISO, YMD"},        {"timezone", "UTC"},
		{"intervalstyle", "postgres"},    {"bytea_output", "hex"},
		{"extra_float_digits", "1"},      {"lc_monetary", "C"},
		{"quote_all_identifiers", "off"}, {"search_path", "pg_catalog, pg_temp"}};
	int level = NewGUCNestLevel();
	int i;

	for (i = 0; i < lengthof(pins); i++)
		(void) set_config_option(pins[i][0], pins[i][1], PGC_USERSET, PGC_S_SESSION,
								 GUC_ACTION_SAVE, true, 0, false);
	return level;
}

static inline void
put_bytes(StringInfo buf, const void *data, int length)
{
	if (unlikely(buf->len + length >= buf->maxlen))
		enlargeStringInfo(buf, length);
	memcpy(buf->data + buf->len, data, length);
	buf->len += length;
}

static inline void
put_counted(StringInfo buf, const char *data, uint32 length)
{
	uint8 head[5];
	int n = 0;
	uint32 rest = length;

	while (rest >= 0x80)
	{
		head[n++] = (uint8) (rest | 0x80);
		rest >>= 7;
	}
	head[n++] = (uint8) rest;
	put_bytes(buf, head, n);
	put_bytes(buf, data, length);
}

static inline void
put_varlena(StringInfo buf, Datum value, bool words)
{
	struct varlena *v = PG_DETOAST_DATUM_PACKED(value);

#ifdef WORDS_BIGENDIAN
	if (words)
	{
		uint16 *swapped = palloc(VARSIZE_ANY_EXHDR(v) + 1);
		int i;

		memcpy(swapped, VARDATA_ANY(v), VARSIZE_ANY_EXHDR(v));
		for (i = 0; i < VARSIZE_ANY_EXHDR(v) / 2; i++)
			swapped[i] = pg_bswap16(swapped[i]);
		put_counted(buf, (char *) swapped, VARSIZE_ANY_EXHDR(v));
		pfree(swapped);
	}
	else
#endif
		put_counted(buf, VARDATA_ANY(v), VARSIZE_ANY_EXHDR(v));
	if (v != (struct varlena *) DatumGetPointer(value))
		pfree(v);
}

/* appends a value that is not null */
void
dmp_audit_put(StringInfo buf, DmpAuditColumn *column, Datum value)
{
	switch (column->coding)
	{
		case DMP_AUDIT_BOOL:
		{
			char v = DatumGetBool(value) ? 1 : 0;

			put_bytes(buf, &v, 1);
			break;
		}
		case DMP_AUDIT_INT2:
		{
			uint16 v = LE16((uint16) DatumGetInt16(value));

			put_bytes(buf, &v, 2);
			break;
		}
		case DMP_AUDIT_INT4:
		case DMP_AUDIT_FLOAT4:
		case DMP_AUDIT_DATE:
		{
			uint32 v = LE32((uint32) DatumGetInt32(value));

			put_bytes(buf, &v, 4);
			break;
		}
		case DMP_AUDIT_INT8:
		case DMP_AUDIT_FLOAT8:
		case DMP_AUDIT_TIME:
		case DMP_AUDIT_TIMESTAMP:
		case DMP_AUDIT_TIMESTAMPTZ:
		{
			uint64 v = LE64((uint64) DatumGetInt64(value));

			put_bytes(buf, &v, 8);
			break;
		}
		case DMP_AUDIT_UUID:
			put_bytes(buf, DatumGetUUIDP(value)->data, UUID_LEN);
			break;
		case DMP_AUDIT_NUMERIC:
			put_varlena(buf, value, true);
			break;
		case DMP_AUDIT_BYTEA:
		case DMP_AUDIT_STRING:
			put_varlena(buf, value, false);
			break;
		case DMP_AUDIT_JSONB:
		{
			Jsonb *jsonb = DatumGetJsonbP(value);
			char *text = JsonbToCString(NULL, &jsonb->root, VARSIZE(jsonb));

			put_counted(buf, text, strlen(text));
			break;
		}
		case DMP_AUDIT_TEXT:
		{
			char *text = OutputFunctionCall(&column->output, value);

			put_counted(buf, text, strlen(text));
			break;
		}
	}
}

void
dmp_audit_corrupt(const char *why)
{
	ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED), errmsg("malformed entry of the audit log"),
					errdetail_internal("%s", why)));
}

void
dmp_audit_get(const DmpAuditColumn *column, const char **at, const char *end, DmpAuditBytes *bytes)
{
	uint64 length = coding_widths[column->coding];

	if (length == 0)
	{
		int shift = 0;
		uint8 group;

		do
		{
			if (*at >= end || shift > 28)
				dmp_audit_corrupt("The length of a value is cut off.");
			group = (uint8) * (*at)++;
			length |= (uint64) (group & 0x7f) << shift;
			shift += 7;
		} while (group & 0x80);
	}
	if (length > end - *at)
		dmp_audit_corrupt("A value is cut off.");
	bytes->data = *at;
	bytes->length = (int) length;
	bytes->isnull = false;
	*at += length;
}

static uint64
get_word(const DmpAuditBytes *bytes)
{
	uint16 v2;
	uint32 v4;
	uint64 v8;

	switch (bytes->length)
	{
		case 1:
			return (uint8) *bytes->data;
		case 2:
			memcpy(&v2, bytes->data, 2);
			return LE16(v2);
		case 4:
			memcpy(&v4, bytes->data, 4);
			return LE32(v4);
		default:
			memcpy(&v8, bytes->data, 8);
			return LE64(v8);
	}
}

/*
 * A numeric from its stored words: header of one word (short: sign, scale and
 * weight) or two (long), then digits in base 10,000. Checked, since the
 * server's functions trust a numeric.
 */
static Numeric
get_numeric(const DmpAuditBytes *bytes)
{
	int n = bytes->length / 2;
	struct varlena *v;
	uint16 *words;
	int i;
	int digits;

	if (bytes->length % 2 != 0 || n < 1)
		dmp_audit_corrupt("A numeric has a bad length.");
	v = palloc(VARHDRSZ + bytes->length);
	SET_VARSIZE(v, VARHDRSZ + bytes->length);
	words = (uint16 *) VARDATA(v);
	memcpy(words, bytes->data, bytes->length);
	for (i = 0; i < n; i++)
	{
		uint16 word = words[i];

		words[i] = LE16(word);
	}
	if ((words[0] & 0xC000) == 0xC000)
	{
		/* NaN and the infinities are a header alone */
		if (n != 1 || (words[0] & 0x0FFF) != 0 || (words[0] & 0xF000) == 0xE000)
			dmp_audit_corrupt("A numeric is no number.");
		return (Numeric) v;
	}
	digits = (words[0] & 0x8000) ? 1 : 2;
	if (n < digits)
		dmp_audit_corrupt("A numeric is cut off.");
	for (i = digits; i < n; i++)
		if (words[i] > 9999)
			dmp_audit_corrupt("A numeric has a digit past 9999.");
	return (Numeric) v;
}

static char *
get_string(const DmpAuditShape *shape, const DmpAuditBytes *bytes)
{
	char *text = pnstrdup(bytes->data, bytes->length);

	if (strlen(text) != bytes->length)
		dmp_audit_corrupt("A text has a zero byte.");
	return pg_any_to_server(text, bytes->length, shape->encoding);
}

static char *
get_moment(const DmpAuditColumn *column, int64 v)
{
	char *text = palloc(MAXDATELEN + 1);
	int utc = 0;

	switch (column->coding)
	{
		case DMP_AUDIT_DATE:
			if (!DATE_NOT_FINITE((DateADT) v) && !IS_VALID_DATE((DateADT) v))
				dmp_audit_corrupt("A date is out of range.");
			return JsonEncodeDateTime(text, DateADTGetDatum((DateADT) v), DATEOID, NULL);
		case DMP_AUDIT_TIME:
			if (v < 0 || v > USECS_PER_DAY)
				dmp_audit_corrupt("A time is out of range.");
			return JsonEncodeDateTime(text, TimeADTGetDatum(v), TIMEOID, NULL);
		case DMP_AUDIT_TIMESTAMP:
			return JsonEncodeDateTime(text, TimestampGetDatum(v), TIMESTAMPOID, NULL);
		default:
			return JsonEncodeDateTime(text, TimestampTzGetDatum(v), TIMESTAMPTZOID, &utc);
	}
}

static char *
get_bytea(const DmpAuditBytes *bytes)
{
	char *text = palloc(2 + 2 * (Size) bytes->length + 1);

	text[0] = '\\';
	text[1] = 'x';
	text[2 + hex_encode(bytes->data, bytes->length, text + 2)] = '\0';
	return text;
}

char *
dmp_audit_bytes_text(const DmpAuditShape *shape, const DmpAuditColumn *column,
					 const DmpAuditBytes *bytes)
{
	char *text;

	switch (column->coding)
	{
		case DMP_AUDIT_BOOL:
			return pstrdup(get_word(bytes) ? "true" : "false");
		case DMP_AUDIT_INT2:
			return psprintf("%d", (int) (int16) get_word(bytes));
		case DMP_AUDIT_INT4:
			return psprintf("%d", (int32) get_word(bytes));
		case DMP_AUDIT_INT8:
			return psprintf(INT64_FORMAT, (int64) get_word(bytes));
		case DMP_AUDIT_FLOAT4:
			text = palloc(FLOAT_SHORTEST_DECIMAL_LEN);
			float_to_shortest_decimal_buf(DatumGetFloat4(Int32GetDatum((int32) get_word(bytes))),
										  text);
			return text;
		case DMP_AUDIT_FLOAT8:
			text = palloc(DOUBLE_SHORTEST_DECIMAL_LEN);
			double_to_shortest_decimal_buf(DatumGetFloat8(Int64GetDatum((int64) get_word(bytes))),
										   text);
			return text;
		case DMP_AUDIT_DATE:
			return get_moment(column, (int32) get_word(bytes));
		case DMP_AUDIT_TIME:
		case DMP_AUDIT_TIMESTAMP:
		case DMP_AUDIT_TIMESTAMPTZ:
			return get_moment(column, (int64) get_word(bytes));
		case DMP_AUDIT_UUID:
			return DatumGetCString(DirectFunctionCall1(uuid_out, PointerGetDatum(bytes->data)));
		case DMP_AUDIT_NUMERIC:
			return DatumGetCString(
				DirectFunctionCall1(numeric_out, NumericGetDatum(get_numeric(bytes))));
		case DMP_AUDIT_BYTEA:
			return get_bytea(bytes);
		case DMP_AUDIT_STRING:
		case DMP_AUDIT_JSONB:
		case DMP_AUDIT_TEXT:
			return get_string(shape, bytes);
	}
	return NULL;
}

Datum
dmp_audit_bytes_datum(const DmpAuditShape *shape, const DmpAuditColumn *column,
					  const DmpAuditBytes *bytes)
{
	pg_uuid_t *uuid;
	char *text;

	switch (column->coding)
	{
		case DMP_AUDIT_BOOL:
			return BoolGetDatum(get_word(bytes) != 0);
		case DMP_AUDIT_INT2:
			return Int16GetDatum((int16) get_word(bytes));
		case DMP_AUDIT_INT4:
		case DMP_AUDIT_FLOAT4:
		case DMP_AUDIT_DATE:
			return Int32GetDatum((int32) get_word(bytes));
		case DMP_AUDIT_INT8:
		case DMP_AUDIT_FLOAT8:
		case DMP_AUDIT_TIME:
		case DMP_AUDIT_TIMESTAMP:
		case DMP_AUDIT_TIMESTAMPTZ:
			return Int64GetDatum((int64) get_word(bytes));
		case DMP_AUDIT_UUID:
			uuid = palloc(sizeof(pg_uuid_t));
			memcpy(uuid->data, bytes->data, UUID_LEN);
			return UUIDPGetDatum(uuid);
		case DMP_AUDIT_NUMERIC:
			return NumericGetDatum(get_numeric(bytes));
		case DMP_AUDIT_BYTEA:
			return PointerGetDatum(cstring_to_text_with_len(bytes->data, bytes->length));
		case DMP_AUDIT_STRING:
			text = get_string(shape, bytes);
			return CStringGetTextDatum(text);
		case DMP_AUDIT_JSONB:
		case DMP_AUDIT_TEXT:
			break;
	}
	elog(ERROR, "a text of the audit log has no value without its type");
	return (Datum) 0;
}

/* numbers and booleans as such, jsonb as what it is, the rest as strings */
void
dmp_audit_bytes_json(StringInfo buf, const DmpAuditShape *shape, const DmpAuditColumn *column,
					 const DmpAuditBytes *bytes)
{
	char *text;

	if (bytes->isnull)
	{
		appendStringInfoString(buf, "null");
		return;
	}
	text = dmp_audit_bytes_text(shape, column, bytes);
	switch (column->coding)
	{
		case DMP_AUDIT_BOOL:
		case DMP_AUDIT_INT2:
		case DMP_AUDIT_INT4:
		case DMP_AUDIT_INT8:
		case DMP_AUDIT_JSONB:
			appendStringInfoString(buf, text);
			break;
		case DMP_AUDIT_FLOAT4:
		case DMP_AUDIT_FLOAT8:
		case DMP_AUDIT_NUMERIC:
			/* NaN and infinities are no numbers of json, and jsonb drops the sign of zero */
			if (strpbrk(text, "Nn") != NULL || strcmp(text, "-0") == 0)
				escape_json(buf, text);
			else
				appendStringInfoString(buf, text);
			break;
		default:
			escape_json(buf, text);
			break;
	}
	pfree(text);
}
