/*-------------------------------------------------------------------------
 * audit_image.c
 *		Payloads: what one entry of the log says of one row.
 *
 * The first byte says what follows; n is the number of columns of the shape,
 * bitmaps have a bit for each, low bits first:
 *
 *	1 row		bitmap of nulls, then the values that are neither null nor
 *				redacted
 *	2 change	values of the key's columns in their order (of the old row),
 *				bitmap of changed columns, of old nulls, of new nulls, then for
 *				each changed column that is not redacted its old and its new
 *				value, unless null
 *	3 move		the old row as in 1, bitmap of changed columns, of new nulls,
 *				then the new value of each changed column unless null or redacted
 *	4 json		a text
 *
 * A change of a row without a key, or of the key itself, is a move: whoever
 * goes back in time has to know the whole row that was there.
 *-------------------------------------------------------------------------
 */
#include "govern/audit_log.h"

#include "access/detoast.h"
#include "utils/datum.h"

#define BITMAP_BYTES(n) (((n) + 7) / 8)
#define BIT_SET(bits, i) ((bits)[(i) / 8] |= (char) (1 << ((i) % 8)))
#define BIT_GET(bits, i) (((uint8) (bits)[(i) / 8] >> ((i) % 8)) & 1)

/* room for bits that are zero; returns where they begin in buf */
static inline int
put_bitmap(StringInfo buf, int n)
{
	int at = buf->len;

	enlargeStringInfo(buf, BITMAP_BYTES(n));
	memset(buf->data + at, 0, BITMAP_BYTES(n));
	buf->len += BITMAP_BYTES(n);
	return at;
}

static void
put_values(StringInfo buf, DmpAuditShape *shape, Datum *values, bool *nulls)
{
	int bits = put_bitmap(buf, shape->n);
	int i;

	for (i = 0; i < shape->n; i++)
	{
		DmpAuditColumn *column = &shape->columns[i];

		if (column->redact)
			continue;
		if (nulls[column->attnum - 1])
			BIT_SET(buf->data + bits, i);
		else
			dmp_audit_put(buf, column, values[column->attnum - 1]);
	}
}

void
dmp_audit_put_row(StringInfo buf, DmpAuditShape *shape, Datum *values, bool *nulls)
{
	appendStringInfoCharMacro(buf, DMP_AUDIT_ROW);
	put_values(buf, shape, values, nulls);
}

/* whether a column's stored bytes differ; equal pointers to one toasted value need no fetch */
static inline bool
differs(const DmpAuditColumn *column, Datum a, Datum b)
{
	if (column->byval)
		return a != b;
	if (column->len == -1 && VARATT_IS_EXTERNAL_ONDISK(DatumGetPointer(a)) &&
		VARATT_IS_EXTERNAL_ONDISK(DatumGetPointer(b)) &&
		memcmp(DatumGetPointer(a), DatumGetPointer(b), VARSIZE_EXTERNAL(DatumGetPointer(a))) == 0)
		return false;
	return !datum_image_eq(a, b, false, column->len);
}

bool
dmp_audit_put_change(StringInfo buf, DmpAuditShape *shape, Datum *old, bool *old_nulls, Datum *new,
					 bool *new_nulls)
{
	int bytes = BITMAP_BYTES(shape->n);
	char small[3 * 64];
	char *changed = bytes <= 64 ? small : palloc(3 * bytes);
	char *was_null = changed + bytes;
	char *is_null = was_null + bytes;
	bool any = false;
	bool move = shape->n_key == 0;
	int i;

	memset(changed, 0, 3 * bytes);
	for (i = 0; i < shape->n; i++)
	{
		DmpAuditColumn *column = &shape->columns[i];
		int a = column->attnum - 1;

		if (old_nulls[a] ? new_nulls[a] : !new_nulls[a] && !differs(column, old[a], new[a]))
			continue;
		any = true;
		BIT_SET(changed, i);
		if (column->key)
			move = true;
		if (column->redact)
			continue;
		if (old_nulls[a])
			BIT_SET(was_null, i);
		if (new_nulls[a])
			BIT_SET(is_null, i);
	}
	if (!any)
		return false;
	appendStringInfoCharMacro(buf, move ? DMP_AUDIT_MOVE : DMP_AUDIT_CHANGE);
	if (move)
		put_values(buf, shape, old, old_nulls);
	else
		for (i = 0; i < shape->n_key; i++)
		{
			DmpAuditColumn *column = &shape->columns[shape->key[i]];

			dmp_audit_put(buf, column, old[column->attnum - 1]);
		}
	appendBinaryStringInfo(buf, changed, bytes);
	if (!move)
		appendBinaryStringInfo(buf, was_null, bytes);
	appendBinaryStringInfo(buf, is_null, bytes);
	for (i = 0; i < shape->n; i++)
	{
		DmpAuditColumn *column = &shape->columns[i];

		if (!BIT_GET(changed, i) || column->redact)
			continue;
		if (!move && !old_nulls[column->attnum - 1])
			dmp_audit_put(buf, column, old[column->attnum - 1]);
		if (!new_nulls[column->attnum - 1])
			dmp_audit_put(buf, column, new[column->attnum - 1]);
	}
	return true;
}

/* ---------- reading */

DmpAuditImage *
dmp_audit_image_make(const DmpAuditShape *shape)
{
	DmpAuditImage *image = palloc0(sizeof(DmpAuditImage));
	int n = Max(shape->n, 1);

	image->old = palloc0(n * sizeof(DmpAuditBytes));
	image->new = palloc0(n * sizeof(DmpAuditBytes));
	image->has_old = palloc0(n * sizeof(bool));
	image->has_new = palloc0(n * sizeof(bool));
	image->changed = palloc0(n * sizeof(bool));
	return image;
}

static const char *
get_bitmap(const char **at, const char *end, int n)
{
	const char *bits = *at;

	if (end - *at < BITMAP_BYTES(n))
		dmp_audit_corrupt("The list of columns is cut off.");
	*at += BITMAP_BYTES(n);
	return bits;
}

static void
get_values(const DmpAuditShape *shape, const char **at, const char *end, DmpAuditBytes *values,
		   bool *has)
{
	const char *nulls = get_bitmap(at, end, shape->n);
	int i;

	for (i = 0; i < shape->n; i++)
	{
		if (shape->columns[i].redact)
			continue;
		has[i] = true;
		if (BIT_GET(nulls, i))
			values[i].isnull = true;
		else
			dmp_audit_get(&shape->columns[i], at, end, &values[i]);
	}
}

static void
get_change(DmpAuditImage *image, const DmpAuditShape *shape, const char **at, const char *end)
{
	bool move = image->kind == DMP_AUDIT_MOVE;
	const char *changed;
	const char *was_null;
	const char *is_null;
	int i;

	if (move)
		get_values(shape, at, end, image->old, image->has_old);
	else
		for (i = 0; i < shape->n_key; i++)
		{
			dmp_audit_get(&shape->columns[shape->key[i]], at, end, &image->old[shape->key[i]]);
			image->has_old[shape->key[i]] = true;
		}
	changed = get_bitmap(at, end, shape->n);
	was_null = move ? NULL : get_bitmap(at, end, shape->n);
	is_null = get_bitmap(at, end, shape->n);
	for (i = 0; i < shape->n; i++)
	{
		if (!BIT_GET(changed, i))
			continue;
		image->changed[i] = true;
		if (shape->columns[i].redact)
			continue;
		if (!move)
		{
			image->has_old[i] = true;
			image->old[i].isnull = BIT_GET(was_null, i);
			if (!image->old[i].isnull)
				dmp_audit_get(&shape->columns[i], at, end, &image->old[i]);
		}
		image->has_new[i] = true;
		image->new[i].isnull = BIT_GET(is_null, i);
		if (!image->new[i].isnull)
			dmp_audit_get(&shape->columns[i], at, end, &image->new[i]);
	}
}

/* bytes of the image at place: its payload's, or an erased one's none */
static bool
find_image(const char *body, int length, int place, const char **at, const char **end)
{
	const char *p = body;
	const char *body_end = body + length;

	for (;;)
	{
		uint8 state;
		uint32 size;

		if (body_end - p < 5)
			dmp_audit_corrupt("The body has fewer images.");
		state = (uint8) p[0];
		size = (uint8) p[1] | (uint32) (uint8) p[2] << 8 | (uint32) (uint8) p[3] << 16 |
			   (uint32) (uint8) p[4] << 24;
		p += 5;
		if (size > body_end - p)
			dmp_audit_corrupt("An image is cut off.");
		if (place-- > 0)
		{
			p += size;
			continue;
		}
		if (state == 1)
			return false;
		if (state != 0 || size <= DMP_AUDIT_SALT)
			dmp_audit_corrupt("An image is neither kept nor erased.");
		*at = p + DMP_AUDIT_SALT;
		*end = p + size;
		return true;
	}
}

void
dmp_audit_image_read(DmpAuditImage *image, const DmpAuditShape *shape, char operation,
					 const char *body, int length, int place)
{
	const char *at;
	const char *end;
	int n = Max(shape->n, 1);

	memset(image->has_old, 0, n * sizeof(bool));
	memset(image->has_new, 0, n * sizeof(bool));
	memset(image->changed, 0, n * sizeof(bool));
	memset(image->old, 0, n * sizeof(DmpAuditBytes));
	memset(image->new, 0, n * sizeof(DmpAuditBytes));
	image->erased = !find_image(body, length, place, &at, &end);
	if (image->erased)
		return;
	image->kind = *at++;
	switch (image->kind)
	{
		case DMP_AUDIT_ROW:
			if (operation == 'D')
				get_values(shape, &at, end, image->old, image->has_old);
			else
				get_values(shape, &at, end, image->new, image->has_new);
			break;
		case DMP_AUDIT_CHANGE:
		case DMP_AUDIT_MOVE:
			get_change(image, shape, &at, end);
			break;
		case DMP_AUDIT_JSON:
			image->json = at;
			image->json_length = end - at;
			at = end;
			break;
		default:
			dmp_audit_corrupt("A payload is of no known kind.");
	}
	if (at != end)
		dmp_audit_corrupt("A payload does not end where it should.");
}
