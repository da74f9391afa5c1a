/*-------------------------------------------------------------------------
 * audit_read.c
 *		Entries as json, for the view dmp.audit_log; the type that names a
 *		relation in the tables of the log.
 *-------------------------------------------------------------------------
 */
#include "govern/audit_log.h"

#include "access/detoast.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "lib/stringinfo.h"
#include "libpq/pqformat.h"
#include "mb/pg_wchar.h"
#include "utils/acl.h"
#include "utils/json.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/regproc.h"
#include "utils/syscache.h"
#include "utils/varlena.h"

PG_FUNCTION_INFO_V1(dmp_audit_image);
PG_FUNCTION_INFO_V1(dmp_relation_in);
PG_FUNCTION_INFO_V1(dmp_relation_out);
PG_FUNCTION_INFO_V1(dmp_relation_recv);
PG_FUNCTION_INFO_V1(dmp_relation_send);
PG_FUNCTION_INFO_V1(dmp_owns_relation);
PG_FUNCTION_INFO_V1(dmp_relation_name_now);

#define KEEP_SHAPES 64

/* shapes of one call site, by their text: callers may bring any */
typedef struct KnownShape
{
	char *columns;
	int length;
	DmpAuditShape *shape;
	DmpAuditImage *image;
} KnownShape;

typedef struct KnownShapes
{
	MemoryContext memory;
	int n;
	int last;
	KnownShape items[KEEP_SHAPES];
	/* the body of the chunk at hand, out of line as it is stored: its images are asked for one by one */
	struct varatt_external toast;
	struct varlena *body; /* NULL: none yet */
	int place;            /* the image that was asked for last */
	int offset;
} KnownShapes;

static KnownShape *
known_shape(FunctionCallInfo fcinfo, int32 id, const char *columns, int length)
{
	KnownShapes *known = fcinfo->flinfo->fn_extra;
	KnownShape *item;
	MemoryContext before;
	int i;

	if (known == NULL || known->n == KEEP_SHAPES)
	{
		MemoryContext memory;

		if (known)
			MemoryContextDelete(known->memory);
		memory = AllocSetContextCreate(fcinfo->flinfo->fn_mcxt, "dmp audit shapes",
									   ALLOCSET_DEFAULT_SIZES);
		known = MemoryContextAllocZero(memory, sizeof(KnownShapes));
		known->memory = memory;
		fcinfo->flinfo->fn_extra = known;
	}
	for (i = 0; i < known->n; i++)
	{
		item = &known->items[(known->last + i) % known->n];
		if (item->length == length && memcmp(item->columns, columns, length) == 0)
		{
			known->last = item - known->items;
			return item;
		}
	}
	before = MemoryContextSwitchTo(known->memory);
	item = &known->items[known->n];
	item->columns = pnstrdup(columns, length);
	item->length = length;
	item->shape = dmp_audit_shape_parse(id, item->columns);
	item->image = dmp_audit_image_make(item->shape);
	MemoryContextSwitchTo(before);
	known->last = known->n++;
	return item;
}

/*
 * The body, fetched once for all images of a chunk, from the image at *place
 * on, or an earlier one; *place is then counted from there.
 */
static const char *
known_body(FunctionCallInfo fcinfo, int *length, int *place)
{
	KnownShapes *known = fcinfo->flinfo->fn_extra;
	struct varlena *given = (struct varlena *) DatumGetPointer(PG_GETARG_DATUM(0));
	struct varatt_external toast;
	const char *body;
	int wanted = *place;

	if (!VARATT_IS_EXTERNAL_ONDISK(given))
	{
		bytea *plain = PG_GETARG_BYTEA_PP(0);

		*length = VARSIZE_ANY_EXHDR(plain);
		return VARDATA_ANY(plain);
	}
	VARATT_EXTERNAL_GET_POINTER(toast, given);
	if (known->body == NULL || memcmp(&toast, &known->toast, sizeof(toast)) != 0)
	{
		MemoryContext before = MemoryContextSwitchTo(known->memory);

		if (known->body)
			pfree(known->body);
		known->body = NULL;
		known->body = detoast_attr(given);
		known->toast = toast;
		known->place = known->offset = 0;
		MemoryContextSwitchTo(before);
	}
	body = VARDATA_ANY(known->body);
	*length = VARSIZE_ANY_EXHDR(known->body);
	if (wanted < known->place)
		known->place = known->offset = 0;
	/* over the images before it: a byte, four of length, so many */
	while (known->place < wanted && known->offset + 5 <= *length)
	{
		const unsigned char *size = (const unsigned char *) body + known->offset + 1;
		uint32 n = size[0] | size[1] << 8 | size[2] << 16 | (uint32) size[3] << 24;

		if (n > (uint32) (*length - known->offset - 5))
			break; /* malformed: whoever reads on says so */
		known->offset += 5 + n;
		known->place++;
	}
	*length -= known->offset;
	*place = wanted - known->place;
	return body + known->offset;
}

static void
put_member(StringInfo buf, const char *name)
{
	appendStringInfoString(buf, buf->len > 1 ? ", " : "");
	escape_json(buf, name);
	appendStringInfoString(buf, ": ");
}

/* the key's values: of the row as it was, of an inserted one as it is */
static void
put_key(StringInfo buf, const DmpAuditShape *shape, const DmpAuditImage *image)
{
	int i;

	for (i = 0; i < shape->n_key; i++)
	{
		int c = shape->key[i];
		const DmpAuditBytes *value = image->has_old[c] ? &image->old[c] : &image->new[c];

		put_member(buf, shape->columns[c].name);
		dmp_audit_bytes_json(buf, shape, &shape->columns[c], value);
	}
	/* without a key the old row stands for it */
	for (i = 0; shape->n_key == 0 && i < shape->n; i++)
		if (image->has_old[i])
		{
			put_member(buf, shape->columns[i].name);
			dmp_audit_bytes_json(buf, shape, &shape->columns[i], &image->old[i]);
		}
}

static void
put_values(StringInfo buf, const DmpAuditShape *shape, const DmpAuditImage *image, bool old)
{
	const bool *has = old ? image->has_old : image->has_new;
	const DmpAuditBytes *values = old ? image->old : image->new;
	bool row = image->kind == DMP_AUDIT_ROW;
	int i;

	for (i = 0; i < shape->n; i++)
	{
		if (!row && !image->changed[i])
			continue;
		if (has[i])
		{
			put_member(buf, shape->columns[i].name);
			dmp_audit_bytes_json(buf, shape, &shape->columns[i], &values[i]);
		}
		else if (shape->columns[i].redact)
		{
			put_member(buf, shape->columns[i].name);
			appendStringInfoString(buf, "{\"redacted\": true}");
		}
	}
}

/*
 * dmp_internal.audit_image(body, place, operation, shape, columns, part): key,
 * old or new values of an image as json; NULL when it has none of them or was
 * erased. Any bytes may come in.
 */
Datum
dmp_audit_image(PG_FUNCTION_ARGS)
{
	int32 place = PG_GETARG_INT32(1);
	char operation = PG_GETARG_CHAR(2);
	int32 part = PG_GETARG_INT32(5);
	const char *body;
	int length;
	text *columns;
	KnownShape *known;
	DmpAuditImage *image;
	StringInfoData buf;

	/* what needs no look inside */
	if ((part == 1 && operation == 'I') || (part == 2 && operation == 'D') || part < 0 ||
		part > 2 || place < 0)
		PG_RETURN_NULL();
	if (part < 2 && strchr("IUD", operation) == NULL)
		PG_RETURN_NULL();
	columns = PG_GETARG_TEXT_PP(4);
	known =
		known_shape(fcinfo, PG_GETARG_INT32(3), VARDATA_ANY(columns), VARSIZE_ANY_EXHDR(columns));
	image = known->image;
	body = known_body(fcinfo, &length, &place);
	dmp_audit_image_read(image, known->shape, operation, body, length, place);
	if (image->erased)
		PG_RETURN_NULL();
	initStringInfo(&buf);
	if (image->kind == DMP_AUDIT_JSON)
	{
		char *text = pnstrdup(image->json, image->json_length);

		if (part != 2)
			PG_RETURN_NULL();
		appendStringInfoString(&buf, pg_any_to_server(text, strlen(text), known->shape->encoding));
	}
	else
	{
		appendStringInfoChar(&buf, '{');
		if (part == 0)
			put_key(&buf, known->shape, image);
		else
			put_values(&buf, known->shape, image, part == 1);
		if (part == 0 && buf.len == 1)
			PG_RETURN_NULL();
		appendStringInfoChar(&buf, '}');
	}
	PG_RETURN_DATUM(DirectFunctionCall1(jsonb_in, CStringGetDatum(buf.data)));
}

/* ---------- dmp_internal.relation */

Datum
dmp_relation_in(PG_FUNCTION_ARGS)
{
	char *name = PG_GETARG_CSTRING(0);

	if (strcmp(name, "-") == 0)
		PG_RETURN_OID(InvalidOid);
	PG_RETURN_OID(RangeVarGetRelid(
		makeRangeVarFromNameList(textToQualifiedNameList(cstring_to_text(name))), NoLock, true));
}

Datum
dmp_relation_out(PG_FUNCTION_ARGS)
{
	Oid relid = PG_GETARG_OID(0);

	if (!SearchSysCacheExists1(RELOID, ObjectIdGetDatum(relid)))
		PG_RETURN_CSTRING(pstrdup("-"));
	PG_RETURN_CSTRING(dmp_audit_relation_name(relid));
}

Datum
dmp_relation_recv(PG_FUNCTION_ARGS)
{
	StringInfo buf = (StringInfo) PG_GETARG_POINTER(0);
	int nbytes;
	char *name = pq_getmsgtext(buf, buf->len - buf->cursor, &nbytes);

	return DirectFunctionCall1(dmp_relation_in, CStringGetDatum(name));
}

Datum
dmp_relation_send(PG_FUNCTION_ARGS)
{
	StringInfoData buf;
	char *name = DatumGetCString(DirectFunctionCall1(dmp_relation_out, PG_GETARG_DATUM(0)));

	pq_begintypsend(&buf);
	pq_sendtext(&buf, name, strlen(name));
	PG_RETURN_BYTEA_P(pq_endtypsend(&buf));
}

Datum
dmp_owns_relation(PG_FUNCTION_ARGS)
{
	HeapTuple tuple = SearchSysCache1(RELOID, PG_GETARG_DATUM(0));
	Oid owner;

	if (!HeapTupleIsValid(tuple))
		PG_RETURN_BOOL(superuser());
	owner = ((Form_pg_class) GETSTRUCT(tuple))->relowner;
	ReleaseSysCache(tuple);
	PG_RETURN_BOOL(has_privs_of_role(GetUserId(), owner));
}

Datum
dmp_relation_name_now(PG_FUNCTION_ARGS)
{
	Oid relid = PG_GETARG_OID(0);

	if (!SearchSysCacheExists1(RELOID, ObjectIdGetDatum(relid)))
		PG_RETURN_DATUM(PG_GETARG_DATUM(1));
	PG_RETURN_TEXT_P(cstring_to_text(dmp_audit_relation_name(relid)));
}
