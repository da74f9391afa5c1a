/*-------------------------------------------------------------------------
 * audit_undo.c
 *		dmp.undo(transaction): the statements that take a transaction back.
 *
 * Nothing is run. Entries are read as the caller, under the policies of the
 * log, the last one first: a row that came after the row it refers to goes
 * before it. The condition of each statement holds the row's key and what
 * the transaction left in it, so that a row somebody changed since is not
 * found: a statement that touches no row is a conflict.
 *-------------------------------------------------------------------------
 */
#include "govern/audit_log.h"

#include "access/table.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "utils/guc.h"
#include "utils/hsearch.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/syscache.h"
#include "utils/typcache.h"
#include "utils/xid8.h"

PG_FUNCTION_INFO_V1(dmp_undo);

/* how a column of a stored shape can be written to and compared */
typedef struct UndoColumn
{
	bool gone;      /* the table has no such column now */
	bool generated; /* the server computes it */
	bool equality;  /* its type has an operator = */
} UndoColumn;

typedef struct UndoShape
{
	int32 id; /* key of the table */
	DmpAuditShape *shape;
	DmpAuditImage *image;
	UndoColumn *columns;
	char *relation; /* NULL: dropped */
	bool hides;     /* values of some column are not in the log */
} UndoShape;

static void
look_up(UndoShape *u, Oid relid)
{
	TupleDesc desc;
	Relation rel;
	int i;

	u->columns = palloc0(Max(u->shape->n, 1) * sizeof(UndoColumn));
	u->relation = NULL;
	u->hides = false;
	rel = OidIsValid(relid) ? try_table_open(relid, AccessShareLock) : NULL;
	if (rel == NULL)
		return;
	u->relation = dmp_relation_name(relid);
	desc = RelationGetDescr(rel);
	for (i = 0; i < u->shape->n; i++)
	{
		int a;

		u->columns[i].gone = true;
		u->hides |= u->shape->columns[i].redact;
		for (a = 0; a < desc->natts; a++)
		{
			Form_pg_attribute att = TupleDescAttr(desc, a);

			if (att->attisdropped || strcmp(NameStr(att->attname), u->shape->columns[i].name) != 0)
				continue;
			u->columns[i].gone = false;
			u->columns[i].generated = att->attgenerated != '\0';
			u->columns[i].equality =
				OidIsValid(lookup_type_cache(att->atttypid, TYPECACHE_EQ_OPR)->eq_opr);
		}
	}
	table_close(rel, NoLock);
}

static UndoShape *
known_shape(HTAB *shapes, MemoryContext memory, int32 id, const char *columns, Oid relid)
{
	bool found;
	UndoShape *u = hash_search(shapes, &id, HASH_ENTER, &found);
	MemoryContext before;

	if (found)
		return u;
	before = MemoryContextSwitchTo(memory);
	u->shape = dmp_audit_shape_parse(id, columns);
	u->image = dmp_audit_image_make(u->shape);
	look_up(u, relid);
	MemoryContextSwitchTo(before);
	return u;
}

/* ---------- pieces of statements */

static void
put_literal(StringInfo buf, const UndoShape *u, int i, const DmpAuditBytes *value)
{
	if (value->isnull)
		appendStringInfoString(buf, "NULL");
	else
		appendStringInfo(
			buf, "%s::%s",
			quote_literal_cstr(dmp_audit_bytes_text(u->shape, &u->shape->columns[i], value)),
			u->shape->columns[i].type_name);
}

static void
put_equal(StringInfo buf, const UndoShape *u, int i, const DmpAuditBytes *value)
{
	const char *name = quote_identifier(u->shape->columns[i].name);

	if (value->isnull)
		appendStringInfo(buf, "%s IS NULL", name);
	else if (u->columns[i].equality)
	{
		appendStringInfo(buf, "%s = ", name);
		put_literal(buf, u, i, value);
	}
	else
		appendStringInfo(
			buf, "%s::text = %s", name,
			quote_literal_cstr(dmp_audit_bytes_text(u->shape, &u->shape->columns[i], value)));
}

/*
 * The row as the transaction left it: now[i] when it says more, else before[i].
 * Columns of the key come first; of the others those that are known.
 */
static void
put_row_condition(StringInfo buf, const UndoShape *u, bool old_too)
{
	const DmpAuditImage *image = u->image;
	StringInfoData condition;
	int pass;
	int i;

	initStringInfo(&condition);
	for (pass = 0; pass < 2; pass++)
		for (i = 0; i < u->shape->n; i++)
		{
			const DmpAuditBytes *value;

			if ((u->shape->columns[i].key > 0) != (pass == 0) || u->columns[i].gone)
				continue;
			if (image->has_new[i])
				value = &image->new[i];
			else if (old_too && image->has_old[i])
				value = &image->old[i];
			else
				continue;
			if (condition.len > 0)
				appendStringInfoString(&condition, " AND ");
			put_equal(&condition, u, i, value);
		}
	/* rows without a key may have doubles, of which one is meant */
	if (u->shape->n_key > 0)
		appendStringInfo(buf, " WHERE %s", condition.data);
	else
		appendStringInfo(buf,
						 " WHERE (tableoid, ctid) = (SELECT tableoid, ctid FROM %s WHERE %s "
						 "LIMIT 1)",
						 u->relation, condition.len > 0 ? condition.data : "false");
	pfree(condition.data);
}

static void
undo_insert(StringInfo buf, const UndoShape *u)
{
	appendStringInfo(buf, "DELETE FROM %s", u->relation);
	put_row_condition(buf, u, false);
}

static void
undo_delete(StringInfo buf, const UndoShape *u)
{
	StringInfoData values;
	int n = 0;
	int i;

	initStringInfo(&values);
	appendStringInfo(buf, "INSERT INTO %s (", u->relation);
	for (i = 0; i < u->shape->n; i++)
	{
		if (u->columns[i].gone || u->columns[i].generated || !u->image->has_old[i])
			continue;
		if (n++ > 0)
		{
			appendStringInfoString(buf, ", ");
			appendStringInfoString(&values, ", ");
		}
		appendStringInfoString(buf, quote_identifier(u->shape->columns[i].name));
		put_literal(&values, u, i, &u->image->old[i]);
	}
	appendStringInfo(buf, ") OVERRIDING SYSTEM VALUE VALUES (%s)", values.data);
	pfree(values.data);
}

/* false: nothing that changed can be written back */
static bool
undo_update(StringInfo buf, const UndoShape *u)
{
	int n = 0;
	int i;

	appendStringInfo(buf, "UPDATE %s SET ", u->relation);
	for (i = 0; i < u->shape->n; i++)
	{
		if (!u->image->changed[i] || u->columns[i].gone || u->columns[i].generated ||
			!u->image->has_old[i] || u->shape->columns[i].redact)
			continue;
		appendStringInfo(buf, "%s%s = ", n++ > 0 ? ", " : "",
						 quote_identifier(u->shape->columns[i].name));
		put_literal(buf, u, i, &u->image->old[i]);
	}
	/* a key is of the old image unless it changed; without one all of the row is */
	put_row_condition(buf, u, true);
	return n > 0;
}

static bool
undo_truncate(StringInfo buf, const UndoShape *u)
{
	char *json = pnstrdup(u->image->json, u->image->json_length);

	if (strstr(json, "\"kept\": true") || strstr(json, "\"rows\": 0,"))
		return false;
	appendStringInfo(buf, "-- rows that TRUNCATE removed from %s were not kept", u->relation);
	return true;
}

static bool
undo_image(StringInfo buf, const UndoShape *u, char operation)
{
	bool any = true;

	if (u->image->erased)
		appendStringInfo(buf, "-- an entry about %s was erased", u->relation);
	else if (operation == 'T')
		return undo_truncate(buf, u);
	else
	{
		if (operation == 'I')
			undo_insert(buf, u);
		else if (operation == 'D')
			undo_delete(buf, u);
		else
			any = undo_update(buf, u);
		if (u->hides)
			appendStringInfoString(buf, " /* without values that are redacted */");
	}
	return any;
}

static void
undo_chunk(FunctionCallInfo fcinfo, UndoShape *u, char operation, bytea *body, int entries,
		   int64 *ordinal, MemoryContext memory)
{
	MemoryContext before = MemoryContextSwitchTo(memory);
	int place;

	for (place = entries - 1; place >= 0; place--)
	{
		StringInfoData sql;

		CHECK_FOR_INTERRUPTS();
		initStringInfo(&sql);
		dmp_audit_image_read(u->image, u->shape, operation, VARDATA_ANY(body),
							 VARSIZE_ANY_EXHDR(body), place);
		if (u->relation && undo_image(&sql, u, operation))
		{
			Datum values[2];
			bool nulls[2] = {false, false};

			values[0] = Int64GetDatum(++*ordinal);
			values[1] = PointerGetDatum(cstring_to_text_with_len(sql.data, sql.len));
			dmp_srf_row(fcinfo, values, nulls);
		}
		MemoryContextReset(memory);
	}
	MemoryContextSwitchTo(before);
}

/* dmp.undo(transaction) -> (ordinal, sql) */
Datum
dmp_undo(PG_FUNCTION_ARGS)
{
	Oid types[] = {XID8OID, INT4OID};
	Datum values[2];
	HASHCTL control = {0};
	HTAB *shapes;
	MemoryContext shape_memory;
	MemoryContext batch;
	MemoryContext image_memory;
	Portal portal;
	int64 ordinal = 0;
	int level;

	dmp_srf_begin(fcinfo);
	values[0] = PG_GETARG_DATUM(0);
	values[1] = Int32GetDatum(dmp_cluster_id());
	level = dmp_audit_pin();
	dmp_spi_connect();
	shape_memory = CurrentMemoryContext;
	batch = AllocSetContextCreate(shape_memory, "dmp undo chunks", ALLOCSET_DEFAULT_SIZES);
	image_memory = AllocSetContextCreate(shape_memory, "dmp undo image", ALLOCSET_DEFAULT_SIZES);
	control.keysize = sizeof(int32);
	control.entrysize = sizeof(UndoShape);
	control.hcxt = shape_memory;
	shapes = hash_create("dmp undo shapes", 16, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	portal = SPI_cursor_open_with_args(
		NULL,
		"SELECT c.shape, c.operation, c.entries, c.body, s.columns::text, s.relation::oid "
		"FROM dmp_internal.audit_chunk c JOIN dmp_internal.audit_shape s ON s.id = c.shape "
		"WHERE c.xact = $1 AND c.cluster = $2 AND c.operation IN ('I', 'U', 'D', 'T') "
		"ORDER BY c.id DESC",
		2, types, values, NULL, true, 0);
	for (;;)
	{
		uint64 i;
		uint64 n;

		SPI_cursor_fetch(portal, true, 20);
		n = SPI_processed;
		if (n == 0)
			break;
		MemoryContextSwitchTo(batch);
		for (i = 0; i < n; i++)
		{
			bool isnull;
			UndoShape *u = known_shape(shapes, shape_memory, (int32) dmp_spi_int8(i, 1, 0),
									   dmp_spi_text(i, 5), (Oid) dmp_spi_int8(i, 6, 0));

			undo_chunk(fcinfo, u, DatumGetChar(dmp_spi_datum(i, 2, &isnull)),
					   DatumGetByteaPP(dmp_spi_datum(i, 4, &isnull)), (int) dmp_spi_int8(i, 3, 0),
					   &ordinal, image_memory);
		}
		MemoryContextSwitchTo(shape_memory);
		MemoryContextReset(batch);
		SPI_freetuptable(SPI_tuptable);
	}
	SPI_cursor_close(portal);
	dmp_spi_finish();
	AtEOXact_GUC(true, level);
	return (Datum) 0;
}
