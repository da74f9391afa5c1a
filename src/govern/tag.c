/*-------------------------------------------------------------------------
 * tag.c
 *		dmp.tag(), dmp.untag() and what other parts ask of tags.
 *
 * A tagged column is stored as a value of type dmp_internal.column_id: the
 * OID of the table and the number of the column, so that a tag follows them
 * when they are renamed and ends with them. It is written by names, so that
 * a dump finds them in another database; names that are not there read as
 * no column rather than fail the restore.
 *-------------------------------------------------------------------------
 */
#include "govern/tag.h"

#include "access/htup_details.h"
#include "access/relation.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "libpq/pqformat.h"
#include "utils/acl.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"
#include "utils/varlena.h"

PG_FUNCTION_INFO_V1(dmp_column_id_in);
PG_FUNCTION_INFO_V1(dmp_column_id_out);
PG_FUNCTION_INFO_V1(dmp_column_id_recv);
PG_FUNCTION_INFO_V1(dmp_column_id_send);
PG_FUNCTION_INFO_V1(dmp_column_relation);
PG_FUNCTION_INFO_V1(dmp_column_name);
PG_FUNCTION_INFO_V1(dmp_tag);
PG_FUNCTION_INFO_V1(dmp_untag);

/* what a category may be meant by; others are free */
static const char *const known_categories[] = {
	"subject", "name",      "email",    "phone",  "address",   "birth_date",
	"gender",  "id_number", "passport", "card",   "iban",      "account",
	"ip",      "device",    "location", "tenant", "username",  "password",
	"health",  "sensitive", "quasi",    "url",    "free_text", "picture"};

static int64
make_column_id(Oid relid, AttrNumber column)
{
	return ((int64) relid << 16) | (uint16) column;
}

/*
 * Name of the column, NULL when it or its table is no more. Column 0 is the
 * table itself: the name is empty.
 */
static char *
column_of(int64 id, Oid *relid)
{
	HeapTuple tuple;
	char *name = NULL;

	*relid = (Oid) ((uint64) id >> 16);
	if (id == 0)
		return NULL;
	if ((id & 0xffff) == 0)
		return get_rel_name(*relid) ? pstrdup("") : NULL;
	tuple = SearchSysCache2(ATTNUM, ObjectIdGetDatum(*relid), Int16GetDatum((int16) (id & 0xffff)));
	if (!HeapTupleIsValid(tuple))
		return NULL;
	if (!((Form_pg_attribute) GETSTRUCT(tuple))->attisdropped)
		name = pstrdup(NameStr(((Form_pg_attribute) GETSTRUCT(tuple))->attname));
	ReleaseSysCache(tuple);
	return name;
}

static int64
parse_column_id(const char *text)
{
	List *names;
	Oid schema;
	Oid relid;
	AttrNumber column;

	if (strcmp(text, "-") == 0)
		return 0;
	names = textToQualifiedNameList(cstring_to_text(text));
	if (list_length(names) != 3 && list_length(names) != 2)
		ereport(ERROR, (errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
						errmsg("invalid input syntax for type %s: \"%s\"", "column_id", text)));
	schema = get_namespace_oid(strVal(linitial(names)), true);
	relid = OidIsValid(schema) ? get_relname_relid(strVal(lsecond(names)), schema) : InvalidOid;
	if (list_length(names) == 2)
		return (int64) relid << 16;
	column = OidIsValid(relid) ? get_attnum(relid, strVal(lthird(names))) : InvalidAttrNumber;
	return column > 0 ? make_column_id(relid, column) : 0;
}

static char *
format_column_id(int64 id)
{
	Oid relid;
	char *column = column_of(id, &relid);

	if (column == NULL)
		return pstrdup("-");
	if (column[0] == '\0')
		return dmp_relation_name(relid);
	return psprintf("%s.%s", dmp_relation_name(relid), quote_identifier(column));
}

Datum
dmp_column_id_in(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT64(parse_column_id(PG_GETARG_CSTRING(0)));
}

Datum
dmp_column_id_out(PG_FUNCTION_ARGS)
{
	PG_RETURN_CSTRING(format_column_id(PG_GETARG_INT64(0)));
}

Datum
dmp_column_id_recv(PG_FUNCTION_ARGS)
{
	StringInfo buf = (StringInfo) PG_GETARG_POINTER(0);
	int nbytes;

	PG_RETURN_INT64(parse_column_id(pq_getmsgtext(buf, buf->len - buf->cursor, &nbytes)));
}

Datum
dmp_column_id_send(PG_FUNCTION_ARGS)
{
	StringInfoData buf;
	char *text = format_column_id(PG_GETARG_INT64(0));

	pq_begintypsend(&buf);
	pq_sendtext(&buf, text, strlen(text));
	PG_RETURN_BYTEA_P(pq_endtypsend(&buf));
}

Datum
dmp_column_relation(PG_FUNCTION_ARGS)
{
	Oid relid;

	if (column_of(PG_GETARG_INT64(0), &relid) == NULL)
		PG_RETURN_NULL();
	PG_RETURN_OID(relid);
}

Datum
dmp_column_name(PG_FUNCTION_ARGS)
{
	Oid relid;
	char *column = column_of(PG_GETARG_INT64(0), &relid);
	Name name;

	if (column == NULL || column[0] == '\0')
		PG_RETURN_NULL();
	name = palloc0(NAMEDATALEN);
	namestrcpy(name, column);
	PG_RETURN_NAME(name);
}

char *
dmp_given_text(FunctionCallInfo fcinfo, int arg, const char *name)
{
	if (PG_ARGISNULL(arg))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("%s must not be null", name)));
	return text_to_cstring(PG_GETARG_TEXT_PP(arg));
}

static List *
category_names(void)
{
	List *names = NIL;

	for (int i = 0; i < lengthof(known_categories); i++)
		names = lappend(names, pstrdup(known_categories[i]));
	return names;
}

/*
 * A word of one's own is a category too, but one that is almost a known one
 * is taken for a slip: a table tagged "subjct" would be left out of every
 * export and erasure.
 */
static void
check_category(const char *category)
{
	List *names = category_names();
	const char *nearest;
	int length = strlen(category);

	if (length == 0 || length >= NAMEDATALEN ||
		strspn(category, "abcdefghijklmnopqrstuvwxyz0123456789_") != length ||
		!(category[0] >= 'a' && category[0] <= 'z'))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("invalid category \"%s\"", pnstrdup(category, Min(length, 100))),
						errdetail("A category is a word of lower-case letters, digits and _, of "
								  "at most %d bytes.",
								  NAMEDATALEN - 1),
						errhint("Known categories: %s.", dmp_join(names, ", "))));
	if (dmp_list_has(names, category) || length < 4)
		return;
	nearest = dmp_nearest(category, names);
	if (nearest != NULL)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("unknown category \"%s\"", category),
						errdetail("It is too near to a known one to be a category of its own."),
						errhint("Did you mean \"%s\"?", nearest)));
}

int64
dmp_own_column(Oid relid, const char *column_name)
{
	Relation relation = relation_open(relid, AccessShareLock);
	AttrNumber column;

	switch (relation->rd_rel->relkind)
	{
		case RELKIND_RELATION:
		case RELKIND_PARTITIONED_TABLE:
		case RELKIND_MATVIEW:
		case RELKIND_VIEW:
		case RELKIND_FOREIGN_TABLE:
			break;
		default:
			ereport(ERROR, (errcode(ERRCODE_WRONG_OBJECT_TYPE),
							errmsg("\"%s\" is no table or view", RelationGetRelationName(relation)),
							errdetail("Columns of tables, views, materialized views and foreign "
									  "tables can be tagged.")));
	}
	dmp_check_table_owner(relid);
	column = dmp_column_number(RelationGetDescr(relation), column_name, "");
	relation_close(relation, NoLock);
	return make_column_id(relid, column);
}

Oid
dmp_tag_relation(FunctionCallInfo fcinfo)
{
	Oid relid;

	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("%s must not be null", "rel")));
	relid = PG_GETARG_OID(0);
	if (get_rel_name(relid) == NULL)
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_TABLE),
						errmsg("relation with OID %u does not exist", relid)));
	return relid;
}

/*
 * dmp.tag(rel, column_name, category, on_erase DEFAULT NULL): the owner says
 * what a column holds. Again with the same category: on_erase is set anew.
 */
Datum
dmp_tag(PG_FUNCTION_ARGS)
{
	Oid relid = dmp_tag_relation(fcinfo);
	char *column_name = dmp_given_text(fcinfo, 1, "column_name");
	char *category = dmp_given_text(fcinfo, 2, "category");
	char *on_erase = PG_ARGISNULL(3) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(3));
	int64 id = dmp_own_column(relid, column_name);
	DmpArgs args = {0};

	check_category(category);
	if (on_erase && strcmp(on_erase, "delete") != 0 && strcmp(on_erase, "blank") != 0 &&
		strcmp(on_erase, "keep") != 0)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("invalid on_erase \"%s\"", on_erase),
						errhint("It is \"delete\", \"blank\" or \"keep\".")));
	dmp_arg_int8(&args, id);
	dmp_arg_text(&args, category);
	dmp_arg_text(&args, on_erase);
	dmp_arg_oid(&args, GetUserId());
	dmp_spi_connect();
	/* tags of dropped columns would be those of another table once the OID is used again */
	dmp_spi_registry("DELETE FROM dmp_internal.tag WHERE dmp_internal.column_name(tagged) IS NULL",
					 NULL, false);
	dmp_spi_registry("INSERT INTO dmp_internal.tag (tagged, category, on_erase, tagged_by)"
					 " VALUES ($1, $2, $3, $4)"
					 " ON CONFLICT ((tagged::bigint), category) WHERE tagged::bigint <> 0"
					 " DO UPDATE SET on_erase = excluded.on_erase, tagged_by = excluded.tagged_by,"
					 " tagged_at = excluded.tagged_at",
					 &args, false);
	dmp_spi_finish();
	PG_RETURN_VOID();
}

/* dmp.untag(rel, column_name, category): an error when it has no such tag */
Datum
dmp_untag(PG_FUNCTION_ARGS)
{
	Oid relid = dmp_tag_relation(fcinfo);
	char *column_name = dmp_given_text(fcinfo, 1, "column_name");
	char *category = dmp_given_text(fcinfo, 2, "category");
	int64 id = dmp_own_column(relid, column_name);
	DmpArgs args = {0};

	dmp_arg_int8(&args, id);
	dmp_arg_text(&args, category);
	dmp_spi_connect();
	if (dmp_spi_registry("DELETE FROM dmp_internal.tag WHERE tagged::bigint = $1 AND category = $2",
						 &args, false) == 0)
	{
		List *has = NIL;
		uint64 n = dmp_spi_registry("SELECT category FROM dmp_internal.tag"
									" WHERE tagged::bigint = $1 AND $2 <> '' ORDER BY 1",
									&args, true);

		for (uint64 i = 0; i < n; i++)
			has = lappend(has, dmp_spi_text(i, 1));
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT),
						errmsg("column \"%s\" of \"%s\" is not tagged \"%s\"", column_name,
							   get_rel_name(relid), category),
						has ? errdetail("It is tagged %s.", dmp_join(has, ", ")) : 0));
	}
	dmp_spi_finish();
	PG_RETURN_VOID();
}

/* the table and all it inherits from, by the name the column has there */
#define TAGS_OF                         \
	"WITH RECURSIVE up (relation) AS (" \
	" SELECT $1 UNION SELECT i.inhparent FROM up JOIN pg_inherits i ON i.inhrelid = up.relation)"

List *
dmp_tagged_columns(Oid relid, const char *category)
{
	MemoryContext caller = CurrentMemoryContext;
	DmpArgs args = {0};
	List *names = NIL;
	uint64 n;

	dmp_arg_oid(&args, relid);
	dmp_arg_text(&args, category);
	dmp_spi_connect();
	n = dmp_spi_registry(
		TAGS_OF " SELECT a.attname FROM pg_attribute a WHERE a.attrelid = $1 AND a.attnum > 0"
				" AND NOT a.attisdropped AND EXISTS (SELECT FROM up JOIN dmp_internal.tag t"
				" ON dmp_internal.column_relation(t.tagged) = up.relation"
				" WHERE dmp_internal.column_name(t.tagged) = a.attname"
				" AND (up.relation = $1 OR a.attinhcount > 0) AND ($2 IS NULL OR t.category = $2))"
				" ORDER BY a.attnum",
		&args, true);
	for (uint64 i = 0; i < n; i++)
	{
		MemoryContext old = MemoryContextSwitchTo(caller);

		names = lappend(names, dmp_spi_text(i, 1));
		MemoryContextSwitchTo(old);
	}
	dmp_spi_finish();
	return names;
}

const char *
dmp_tagged_on_erase(Oid relid)
{
	MemoryContext caller = CurrentMemoryContext;
	MemoryContext old;
	DmpArgs args = {0};
	const char *mode;

	dmp_arg_oid(&args, relid);
	dmp_spi_connect();
	dmp_spi_registry(TAGS_OF
					 " SELECT max(t.on_erase COLLATE \"C\") FILTER (WHERE t.on_erase = 'keep'),"
					 " min(t.on_erase COLLATE \"C\") FROM up JOIN dmp_internal.tag t"
					 " ON dmp_internal.column_relation(t.tagged) = up.relation",
					 &args, true);
	old = MemoryContextSwitchTo(caller);
	mode = dmp_spi_text(0, 1);
	if (mode == NULL)
		mode = dmp_spi_text(0, 2);
	MemoryContextSwitchTo(old);
	dmp_spi_finish();
	return mode;
}
