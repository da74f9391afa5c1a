/*-------------------------------------------------------------------------
 * subject_tables.c
 *		Which tables name subjects: tagged ones, and those made of them.
 *
 * A table that an act of dmp wrote (dmp_internal.made_table) has the tag
 * 'subject' on each column with the name of one that is tagged: what it was
 * made of need not be there any more, and functions hide what they read.
 * Any other table with a column of the name and type of a tagged one is looked
 * at too: when it holds the subject and nothing says what becomes of its rows,
 * that is told rather than passed over.
 */
#include "govern/subject.h"

#include "utils/lsyscache.h"

static List *
text_column(uint64 n)
{
	List *list = NIL;

	for (uint64 i = 0; i < n; i++)
		list = lappend(list, dmp_spi_text(i, 1));
	return list;
}

List *
dmp_subject_columns(Oid relid)
{
	List *columns = dmp_tagged_columns(relid, "subject");
	DmpArgs args = {0};

	if (columns)
		return columns;
	dmp_arg_oid(&args, relid);
	if (dmp_spi_registry("SELECT FROM dmp_internal.made_table WHERE made = $1", &args, true) == 0)
		return NIL;
	return text_column(dmp_spi_registry(
		"SELECT DISTINCT a.attname::text FROM dmp_internal.tag t JOIN pg_attribute a"
		" ON a.attrelid = $1 AND a.attname = dmp_internal.column_name(t.tagged)"
		" WHERE t.category = 'subject' ORDER BY 1",
		&args, true));
}

/* tables and materialized views that name subjects, OIDs; of views nothing is stored */
List *
dmp_subject_tables(void)
{
	List *tables = NIL;
	uint64 n = dmp_spi_registry(
		"SELECT DISTINCT c.oid, t.tagged IS NOT NULL FROM pg_class c"
		" LEFT JOIN dmp_internal.tag t ON t.category = 'subject'"
		"  AND dmp_internal.column_relation(t.tagged) = c.oid"
		" LEFT JOIN dmp_internal.made_table m ON m.made = c.oid"
		" WHERE (t.tagged IS NOT NULL OR m.made IS NOT NULL)"
		" AND c.relkind IN ('r', 'p', 'm', 'f') AND NOT pg_is_other_temp_schema(c.relnamespace)"
		" ORDER BY 1",
		NULL, true);
	SPITupleTable *result = SPI_tuptable;

	for (uint64 i = 0; i < n; i++)
	{
		Oid relid;

		SPI_tuptable = result;
		relid = (Oid) dmp_spi_int8(i, 1, 0);
		if (dmp_spi_bool(i, 2, false) || dmp_subject_columns(relid))
			tables = lappend_oid(tables, relid);
	}
	return tables;
}

/* a table that is not tagged: says so when it holds the subject in rows that nothing found */
static void
look_at(Subject *subject, Oid relid, char *column)
{
	DmpArgs args = {0};
	char *name = dmp_relation_name(relid);
	char *condition = dmp_subject_condition(subject, relid, list_make1(column), "t", &args);
	char *unreadable;
	uint64 n;

	if (condition == NULL)
		return;
	unreadable = dmp_subject_unreadable(relid, false);
	if (unreadable)
	{
		dmp_subject_obstacle(
			&subject->unread, name,
			psprintf("%s; its column %s may name subjects", unreadable, quote_identifier(column)),
			subject->erase ? "not tagged" : NULL);
		return;
	}
	n = dmp_spi(psprintf("SELECT t.tableoid, t.ctid FROM %s t WHERE %s", name, condition), &args,
				true);
	for (uint64 i = 0; i < n; i++)
	{
		bool isnull;

		if (dmp_subject_has_row(subject, DatumGetObjectId(dmp_spi_datum(i, 1, &isnull)),
								(ItemPointer) DatumGetPointer(dmp_spi_datum(i, 2, &isnull))))
			continue;
		dmp_subject_obstacle(
			subject->erase ? &subject->obstacles : &subject->unread, name,
			psprintf("column %s holds the subject and is not tagged", quote_identifier(column)),
			"Tag the column with dmp.tag: 'subject', and on_erase when rows are to stay.");
		break;
	}
	SPI_freetuptable(SPI_tuptable);
}

/* columns of the name and type of one that is tagged 'subject', in tables without that tag */
void
dmp_subject_untagged(Subject *subject)
{
	uint64 n = dmp_spi_registry(
		"SELECT DISTINCT c.oid, a.attname::text FROM dmp_internal.tag t"
		" JOIN pg_attribute o ON o.attrelid = dmp_internal.column_relation(t.tagged)"
		"  AND o.attname = dmp_internal.column_name(t.tagged)"
		" JOIN pg_attribute a ON a.attname = o.attname AND a.atttypid = o.atttypid"
		"  AND NOT a.attisdropped"
		" JOIN pg_class c ON c.oid = a.attrelid"
		" JOIN pg_namespace s ON s.oid = c.relnamespace"
		" WHERE t.category = 'subject' AND c.relkind IN ('r', 'p') AND NOT c.relispartition"
		" AND NOT pg_is_other_temp_schema(c.relnamespace)"
		" AND s.nspname NOT IN ('pg_catalog', 'information_schema', 'dmp', 'dmp_internal')"
		" ORDER BY 1, 2",
		NULL, true);
	SPITupleTable *result = SPI_tuptable;

	for (uint64 i = 0; i < n; i++)
	{
		Oid relid;

		SPI_tuptable = result;
		relid = (Oid) dmp_spi_int8(i, 1, 0);
		if (dmp_subject_columns(relid) == NIL)
		{
			SPI_tuptable = result;
			look_at(subject, relid, dmp_spi_text(i, 2));
		}
	}
}
