/*-------------------------------------------------------------------------
 * into.c
 *		The table an act writes: CREATE TABLE AS, or into what is there.
 *
 * Grants, indexes, views and comments of an existing table stay: 'replace'
 * is TRUNCATE and INSERT, never DROP. When the query reads the very table it
 * is to replace, its rows go through a temporary table first.
 *-------------------------------------------------------------------------
 */
#include "base/base.h"

#include "access/relation.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "nodes/makefuncs.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/varlena.h"

typedef enum IfExists
{
	IF_EXISTS_ERROR,
	IF_EXISTS_REPLACE,
	IF_EXISTS_APPEND,
	IF_EXISTS_UPSERT
} IfExists;

static IfExists
parse_if_exists(const char *text)
{
	static const char *const names[] = {"error", "replace", "append", "upsert"};

	for (int i = 0; i < lengthof(names); i++)
		if (strcmp(text, names[i]) == 0)
			return (IfExists) i;
	ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					errmsg("if_exists \"%s\" is not known", text),
					errhint("Use 'error', 'replace', 'append' or 'upsert'.")));
	return IF_EXISTS_ERROR;
}

/* every column of the query must be a column of the table, of the same type for replace */
static void
check_columns(Oid relid, TupleDesc query, IfExists mode)
{
	Relation rel = relation_open(relid, AccessShareLock);
	TupleDesc table = RelationGetDescr(rel);
	int live = 0;

	for (int i = 0; i < table->natts; i++)
		if (!TupleDescAttr(table, i)->attisdropped)
			live++;
	for (int i = 0; i < query->natts; i++)
	{
		Form_pg_attribute want = TupleDescAttr(query, i);
		AttrNumber have = InvalidAttrNumber;

		for (int j = 0; j < table->natts && have == InvalidAttrNumber; j++)
			if (!TupleDescAttr(table, j)->attisdropped &&
				strcmp(NameStr(TupleDescAttr(table, j)->attname), NameStr(want->attname)) == 0)
				have = j + 1;
		if (have == InvalidAttrNumber)
			ereport(ERROR, (errcode(ERRCODE_UNDEFINED_COLUMN),
							errmsg("table \"%s\" has no column \"%s\"", get_rel_name(relid),
								   NameStr(want->attname)),
							errhint("Add the column, or write to another table.")));
		if (TupleDescAttr(table, have - 1)->atttypid != want->atttypid)
			ereport(ERROR, (errcode(ERRCODE_DATATYPE_MISMATCH),
							errmsg("column \"%s\" of table \"%s\" is %s, the new rows have %s",
								   NameStr(want->attname), get_rel_name(relid),
								   format_type_be(TupleDescAttr(table, have - 1)->atttypid),
								   format_type_be(want->atttypid))));
	}
	if (mode == IF_EXISTS_REPLACE && live != query->natts)
		ereport(ERROR, (errcode(ERRCODE_DATATYPE_MISMATCH),
						errmsg("table \"%s\" has %d columns, the new rows have %d",
							   get_rel_name(relid), live, query->natts),
						errhint("Write to another table, or use if_exists => 'append'.")));
	relation_close(rel, AccessShareLock);
}

/* ON CONFLICT clause of an upsert; columns outside the key take the new values */
static char *
conflict_clause(List *key, List *columns)
{
	StringInfoData text;
	int n = 0;
	ListCell *lc;

	initStringInfo(&text);
	appendStringInfo(&text, " ON CONFLICT (%s) DO ", dmp_join_identifiers(key, ""));
	foreach (lc, columns)
	{
		const char *name = lfirst(lc);
		ListCell *k;
		bool in_key = false;

		foreach (k, key)
			in_key |= strcmp(name, lfirst(k)) == 0;
		if (in_key)
			continue;
		appendStringInfo(&text, "%s%s = excluded.%s", n++ ? ", " : "UPDATE SET ",
						 quote_identifier(name), quote_identifier(name));
	}
	if (n == 0)
		appendStringInfoString(&text, "NOTHING");
	return text.data;
}

/*
 * Notes that a table was made, or added to, from others. Nothing is written
 * when that is known, so that two who append to a table do not wait here.
 */
void
dmp_note_made(Oid made, List *relations)
{
	int n = list_length(relations);
	Datum *reads = palloc(sizeof(Datum) * Max(n, 1));
	DmpArgs args = {0};
	ListCell *lc;

	if (get_rel_persistence(made) == RELPERSISTENCE_TEMP)
		return;
	foreach (lc, relations)
		reads[foreach_current_index(lc)] = ObjectIdGetDatum(lfirst_oid(lc));
	dmp_arg_oid(&args, made);
	dmp_arg(&args, OIDARRAYOID,
			PointerGetDatum(construct_array(reads, n, OIDOID, sizeof(Oid), true, TYPALIGN_INT)),
			false);
	if (dmp_spi_registry(
			"SELECT FROM dmp_internal.made_table WHERE made = $1 AND reads::oid[] @> $2", &args,
			false) > 0)
		return;
	/* tables that are gone: whoever comes first, nobody waits or fails for it */
	if (!IsolationUsesXactSnapshot())
		dmp_spi_registry("DELETE FROM dmp_internal.made_table WHERE made IN ("
						 "SELECT m.made FROM dmp_internal.made_table m"
						 " WHERE NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = m.made)"
						 " FOR UPDATE SKIP LOCKED)",
						 NULL, false);
	dmp_spi_registry("INSERT INTO dmp_internal.made_table AS m (made, reads)"
					 " SELECT $1, coalesce(array_agg(c.oid::regclass ORDER BY c.oid), '{}')"
					 " FROM pg_class c WHERE c.oid = ANY ($2) AND c.relpersistence <> 't'"
					 " ON CONFLICT (made) DO UPDATE SET reads = ARRAY("
					 "SELECT DISTINCT r FROM unnest(m.reads || excluded.reads) r)",
					 &args, false);
}

DmpInto
dmp_into_table(const char *into_table, const char *select, DmpArgs *args, const char *if_exists,
			   List *key)
{
	IfExists mode = parse_if_exists(if_exists);
	DmpInto into = {InvalidOid, false, 0};
	List *relations;
	TupleDesc desc;
	List *columns;
	char *name;
	char *temporary = NULL;

	into.relid = dmp_relation_oid(into_table, true);
	if (OidIsValid(into.relid) && mode == IF_EXISTS_ERROR)
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_TABLE), errmsg("table \"%s\" exists", into_table),
				 errhint("if_exists => 'replace' empties and fills it, 'append' adds to it.")));
	desc = dmp_query_columns(select, args, &relations);
	columns = dmp_column_names(desc);

	dmp_spi_connect();
	if (!OidIsValid(into.relid))
	{
		RangeVar *range =
			makeRangeVarFromNameList(textToQualifiedNameList(cstring_to_text(into_table)));

		name = range->schemaname ? quote_qualified_identifier(range->schemaname, range->relname)
								 : pstrdup(quote_identifier(range->relname));
		into.rows = dmp_spi(psprintf("CREATE TABLE %s AS %s", name, select), args, false);
		into.relid = dmp_relation_oid(into_table, false);
		into.created = true;
		dmp_note_made(into.relid, relations);
		dmp_spi_finish();
		return into;
	}

	name = dmp_relation_name(into.relid);
	check_columns(into.relid, desc, mode);
	if (mode == IF_EXISTS_REPLACE)
	{
		if (list_member_oid(relations, into.relid))
		{
			temporary = "pg_temp.dmp_replace";
			dmp_spi(psprintf("CREATE TEMPORARY TABLE dmp_replace ON COMMIT DROP AS %s", select),
					args, false);
			select = "SELECT * FROM pg_temp.dmp_replace";
			args = NULL;
		}
		dmp_spi(psprintf("TRUNCATE %s", name), NULL, false);
	}
	into.rows =
		dmp_spi(psprintf("INSERT INTO %s (%s) %s%s", name, dmp_join_identifiers(columns, ""),
						 select, mode == IF_EXISTS_UPSERT ? conflict_clause(key, columns) : ""),
				args, false);
	if (temporary != NULL)
		dmp_spi(psprintf("DROP TABLE %s", temporary), NULL, false);
	dmp_note_made(into.relid, relations);
	dmp_spi_finish();
	return into;
}
