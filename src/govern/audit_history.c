/*-------------------------------------------------------------------------
 * audit_history.c
 *		Rows of a table's past, in the columns it has now.
 *
 * A row is kept as the bytes of its values (audit_value.c). Images of an
 * older shape are mapped by name; a column of another type since goes
 * through its text; one that is gone is left out, one that was not there yet
 * is null.
 *-------------------------------------------------------------------------
 */
#include "govern/audit_history.h"

#include "utils/lsyscache.h"
#include "utils/rel.h"

struct DmpHistoryMap
{
	const DmpAuditShape *from;
	int *to;    /* column of the history by column of the shape, -1: gone */
	bool *same; /* stored alike */
	bool same_key;
};

DmpHistory *
dmp_history_begin(Relation rel)
{
	DmpHistory *h = palloc0(sizeof(DmpHistory));
	DmpAuditShape *shape = dmp_audit_shape_now(rel);
	int n = Max(shape->n, 1);
	int i;

	h->shape = shape;
	h->relid = RelationGetRelid(rel);
	h->shape = shape;
	h->keyed = shape->n_key > 0;
	h->hidden = palloc0(n * sizeof(bool));
	h->input = palloc0(n * sizeof(FmgrInfo));
	h->ioparam = palloc0(n * sizeof(Oid));
	h->typmod = palloc0(n * sizeof(int32));
	for (i = 0; i < shape->n; i++)
	{
		DmpAuditColumn *column = &shape->columns[i];
		Oid input;

		h->hidden[i] = column->redact;
		column->redact = false;
		getTypeInputInfo(column->type, &input, &h->ioparam[i]);
		fmgr_info(input, &h->input[i]);
		h->typmod[i] = TupleDescAttr(RelationGetDescr(rel), column->attnum - 1)->atttypmod;
	}
	return h;
}

DmpRow
dmp_history_row(const DmpHistory *h)
{
	DmpRow row = palloc0(Max(h->shape->n, 1) * sizeof(DmpAuditBytes));
	int i;

	for (i = 0; i < h->shape->n; i++)
		row[i].isnull = true;
	return row;
}

DmpHistoryMap *
dmp_history_map(DmpHistory *h, const DmpAuditShape *from)
{
	DmpHistoryMap *map = palloc(sizeof(DmpHistoryMap));
	int i;
	int k;

	map->from = from;
	map->to = palloc(Max(from->n, 1) * sizeof(int));
	map->same = palloc0(Max(from->n, 1) * sizeof(bool));
	for (i = 0; i < from->n; i++)
	{
		map->to[i] = -1;
		for (k = 0; k < h->shape->n; k++)
			if (strcmp(from->columns[i].name, h->shape->columns[k].name) == 0)
			{
				map->to[i] = k;
				map->same[i] =
					from->encoding == h->shape->encoding &&
					from->columns[i].coding == h->shape->columns[k].coding &&
					strcmp(from->columns[i].type_name, h->shape->columns[k].type_name) == 0;
				break;
			}
	}
	map->same_key = from->n_key == h->shape->n_key;
	for (i = 0; map->same_key && i < from->n_key; i++)
		map->same_key = map->to[from->key[i]] == h->shape->key[i];
	return map;
}

bool
dmp_history_same_key(const DmpHistory *h, const DmpHistoryMap *map)
{
	return map->same_key;
}

/* the bytes of a value in a column of the history; owned by the current context */
static void
encode_value(DmpHistory *h, int column, Datum value, DmpAuditBytes *bytes)
{
	StringInfoData buf;
	const char *at;

	initStringInfo(&buf);
	dmp_audit_put(&buf, &h->shape->columns[column], value);
	at = buf.data;
	dmp_audit_get(&h->shape->columns[column], &at, buf.data + buf.len, bytes);
}

void
dmp_history_convert(DmpHistory *h, const DmpHistoryMap *map, const DmpAuditBytes *from,
					const bool *has, DmpRow to, bool *known)
{
	int i;

	for (i = 0; i < map->from->n; i++)
	{
		int k = map->to[i];

		if (k < 0 || !has[i])
			continue;
		known[k] = true;
		if (from[i].isnull || map->same[i])
			to[k] = from[i];
		else
			encode_value(
				h, k,
				InputFunctionCall(&h->input[k],
								  dmp_audit_bytes_text(map->from, &map->from->columns[i], &from[i]),
								  h->ioparam[k], h->typmod[k]),
				&to[k]);
	}
}

/* values: by attribute of the relation */
void
dmp_history_encode(DmpHistory *h, const Datum *values, const bool *nulls, DmpRow row)
{
	int i;

	for (i = 0; i < h->shape->n; i++)
	{
		int a = h->shape->columns[i].attnum - 1;

		row[i].isnull = nulls[a];
		if (!nulls[a])
			encode_value(h, i, values[a], &row[i]);
	}
}

void
dmp_history_decode(DmpHistory *h, DmpRow row, Datum *values, bool *nulls)
{
	int i;

	for (i = 0; i < h->shape->n; i++)
	{
		DmpAuditColumn *column = &h->shape->columns[i];
		int a = column->attnum - 1;

		nulls[a] = row[i].isnull;
		if (row[i].isnull)
			continue;
		if (column->coding == DMP_AUDIT_TEXT || column->coding == DMP_AUDIT_JSONB)
			values[a] =
				InputFunctionCall(&h->input[i], dmp_audit_bytes_text(h->shape, column, &row[i]),
								  h->ioparam[i], h->typmod[i]);
		else
			values[a] = dmp_audit_bytes_datum(h->shape, column, &row[i]);
	}
}

static void
pack_value(StringInfo buf, const DmpAuditBytes *bytes)
{
	int length = bytes->isnull ? -1 : bytes->length;

	appendBinaryStringInfo(buf, (char *) &length, sizeof(int));
	if (!bytes->isnull)
		appendBinaryStringInfo(buf, bytes->data, bytes->length);
}

/* values of the columns marked in which; all when it is NULL */
void
dmp_history_pack(StringInfo buf, const DmpHistory *h, DmpRow row, const bool *which)
{
	int i;

	for (i = 0; i < h->shape->n; i++)
		if (which == NULL || which[i])
			pack_value(buf, &row[i]);
}

const char *
dmp_history_unpack(const char *at, const DmpHistory *h, DmpRow row, const bool *which)
{
	int i;

	for (i = 0; i < h->shape->n; i++)
		if (which == NULL || which[i])
		{
			int length;

			memcpy(&length, at, sizeof(int));
			at += sizeof(int);
			row[i].isnull = length < 0;
			row[i].data = at;
			row[i].length = Max(length, 0);
			at += row[i].length;
		}
	return at;
}

void
dmp_history_pack_key(StringInfo buf, const DmpHistory *h, DmpRow row)
{
	int i;

	for (i = 0; i < h->shape->n_key; i++)
		pack_value(buf, &row[h->shape->key[i]]);
}
