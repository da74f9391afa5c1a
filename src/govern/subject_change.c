/*-------------------------------------------------------------------------
 * subject_change.c
 *		Rows of an erased subject: deleted, blanked, detached.
 *-------------------------------------------------------------------------
 */
#include "govern/subject_erase.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

/* arguments without the limit of DmpArgs: there may be many tables */
typedef struct Arguments
{
	int n;
	int max;
	Oid *types;
	Datum *values;
} Arguments;

static int
add_argument(Arguments *args, Datum value)
{
	if (args->n == args->max)
	{
		args->max = Max(args->max * 2, 16);
		args->types = args->types ? repalloc(args->types, sizeof(Oid) * args->max)
								  : palloc(sizeof(Oid) * args->max);
		args->values = args->values ? repalloc(args->values, sizeof(Datum) * args->max)
									: palloc(sizeof(Datum) * args->max);
	}
	args->types[args->n] = TIDARRAYOID;
	args->values[args->n] = value;
	return ++args->n;
}

static bool
is_unique_alone(Oid relid, AttrNumber column)
{
	DmpArgs args = {0};

	dmp_arg_oid(&args, relid);
	dmp_arg(&args, INT2OID, Int16GetDatum(column), false);
	return dmp_spi_registry("SELECT FROM pg_index i WHERE i.indrelid = $1 AND i.indisunique"
							" AND $2 = ANY (i.indkey::int2[])",
							&args, true) > 0;
}

/*
 * What takes the place of a value, as SQL; NULL: nothing has to, it is
 * generated. *possible false: there is nothing that could.
 */
static char *
blank_value(Oid relid, const char *name, bool *possible)
{
	AttrNumber number = get_attnum(relid, name);
	HeapTuple tuple = SearchSysCache2(ATTNUM, ObjectIdGetDatum(relid), Int16GetDatum(number));
	Form_pg_attribute column;
	char *sql = NULL;
	Oid base;
	int32 width;
	char category;
	bool preferred;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for column %s of relation %u", name, relid);
	column = (Form_pg_attribute) GETSTRUCT(tuple);
	base = getBaseType(column->atttypid);
	width = column->atttypmod - (int32) VARHDRSZ;
	get_type_category_preferred(base, &category, &preferred);
	*possible = true;
	if (column->attgenerated != '\0')
		sql = NULL;
	else if (!column->attnotnull)
		sql = pstrdup("NULL");
	else if (base == UUIDOID)
		sql = pstrdup("pg_catalog.gen_random_uuid()");
	else if (base == JSONBOID || base == JSONOID)
		sql = pstrdup("'{}'");
	else if (category == TYPCATEGORY_STRING && is_unique_alone(relid, number))
		sql = width > 0 && width < 43
				  ? psprintf("pg_catalog.right(pg_catalog.gen_random_uuid()::pg_catalog.text, %d)",
							 width)
				  : pstrdup("pg_catalog.concat('erased-', pg_catalog.gen_random_uuid())");
	else if (category == TYPCATEGORY_STRING)
		sql = pstrdup("''");
	else
		*possible = false;
	ReleaseSysCache(tuple);
	return sql;
}

void
dmp_subject_check_blank(Subject *subject, SubjectTable *table)
{
	ListCell *lc;

	foreach (lc, table->tagged)
	{
		bool possible;

		(void) blank_value(table->relid, lfirst(lc), &possible);
		if (!possible)
			dmp_subject_obstacle(&subject->obstacles, table->root_name,
								 psprintf("column %s is not null and cannot be blanked",
										  quote_identifier(lfirst(lc))),
								 "Let the column be NULL, or tag it with on_erase => 'delete'.");
	}
}

static bool
is_own(SubjectEdge *edge)
{
	return edge->on_delete != 'n' && edge->on_delete != 'd';
}

bool
dmp_subject_has_own_detach(Subject *subject, SubjectTable *table)
{
	ListCell *lc;

	foreach (lc, subject->edges)
	{
		int n;

		if (!is_own(lfirst(lc)))
			continue;
		(void) dmp_subject_detached(table, foreach_current_index(lc), &n);
		if (n > 0)
			return true;
	}
	return false;
}

/* "column = CASE WHEN ... END" for the tagged columns and those of references that go; *n: rows that change */
static char *
update_list(Subject *subject, SubjectTable *table, Arguments *args, char **where)
{
	StringInfoData set;
	StringInfoData any;
	List *done = NIL;
	int n;
	Datum places = dmp_subject_places(table, SUBJECT_BLANK, &n);
	ListCell *lc;
	ListCell *lc2;

	initStringInfo(&set);
	initStringInfo(&any);
	if (n > 0)
	{
		int place = add_argument(args, places);

		foreach (lc, table->tagged)
		{
			bool possible;
			char *value = blank_value(table->relid, lfirst(lc), &possible);
			const char *name = quote_identifier(lfirst(lc));

			if (value == NULL)
				continue;
			appendStringInfo(
				&set,
				"%s%s = CASE WHEN t.ctid OPERATOR(pg_catalog.=) ANY ($%d) THEN %s ELSE t.%s END",
				set.len ? ", " : "", name, place, value, name);
			done = lappend(done, lfirst(lc));
		}
		appendStringInfo(&any, "t.ctid OPERATOR(pg_catalog.=) ANY ($%d)", place);
	}
	foreach (lc, subject->edges)
	{
		SubjectEdge *edge = lfirst(lc);
		int place;

		if (!is_own(edge))
			continue;
		places = dmp_subject_detached(table, foreach_current_index(lc), &n);
		if (n == 0)
			continue;
		place = add_argument(args, places);
		foreach (lc2, edge->nulled)
		{
			const char *name = quote_identifier(lfirst(lc2));

			/* a column of two references goes when either goes */
			if (dmp_list_has(done, lfirst(lc2)))
				continue;
			appendStringInfo(
				&set,
				"%s%s = CASE WHEN t.ctid OPERATOR(pg_catalog.=) ANY ($%d) THEN NULL ELSE t.%s END",
				set.len ? ", " : "", name, place, name);
			done = lappend(done, lfirst(lc2));
		}
		appendStringInfo(&any, "%st.ctid OPERATOR(pg_catalog.=) ANY ($%d)", any.len ? " OR " : "",
						 place);
	}
	*where = any.data;
	return set.len ? set.data : NULL;
}

/* rows that the UPDATE of a table changes: blanked, or detached by us */
static int64
count_updated(Subject *subject, SubjectTable *table)
{
	int64 n = 0;

	for (int i = 0; i < table->n; i++)
	{
		bool changes = table->fates[i] == SUBJECT_BLANK;
		int edge = -1;

		if (table->fates[i] == SUBJECT_DELETE)
			continue;
		while (!changes && (edge = bms_next_member(table->detach[i], edge)) >= 0)
			changes = is_own(list_nth(subject->edges, edge));
		n += changes;
	}
	return n;
}

/*
 * Changes all rows in one statement. An error when fewer changed than were
 * found: a trigger or rule kept some.
 */
void
dmp_subject_change(Subject *subject)
{
	Arguments args = {0};
	StringInfoData with;
	StringInfoData counts;
	List *expected = NIL; /* names and counts by turns */
	int acts = 0;
	ListCell *lc;

	initStringInfo(&with);
	initStringInfo(&counts);
	foreach (lc, subject->tables)
	{
		SubjectTable *table = lfirst(lc);
		int n;
		Datum places = dmp_subject_places(table, SUBJECT_DELETE, &n);
		char *set;
		char *where;

		if (n > 0)
		{
			appendStringInfo(
				&with,
				"%sa%d AS (DELETE FROM %s t WHERE t.ctid OPERATOR(pg_catalog.=) ANY ($%d)%s"
				" RETURNING 1)",
				acts ? ", " : "", acts, table->scan, add_argument(&args, places),
				dmp_subject_only_leaf(table));
			appendStringInfo(&counts, "%s(SELECT pg_catalog.count(*) FROM a%d)", acts ? ", " : "",
							 acts);
			expected = lappend(lappend(expected, table->root_name), psprintf("%d", n));
			acts++;
		}
		set = update_list(subject, table, &args, &where);
		if (set == NULL)
			continue;
		appendStringInfo(&with, "%sa%d AS (UPDATE %s t SET %s WHERE (%s)%s RETURNING 1)",
						 acts ? ", " : "", acts, table->scan, set, where,
						 dmp_subject_only_leaf(table));
		appendStringInfo(&counts, "%s(SELECT pg_catalog.count(*) FROM a%d)", acts ? ", " : "",
						 acts);
		expected = lappend(lappend(expected, table->root_name),
						   psprintf("%lld", (long long) count_updated(subject, table)));
		acts++;
	}
	if (acts == 0)
		return;
	if (SPI_execute_with_args(psprintf("WITH %s SELECT %s", with.data, counts.data), args.n,
							  args.types, args.values, NULL, false, 0) != SPI_OK_SELECT)
		elog(ERROR, "statement of erasure failed");
	for (int i = 0; i < acts; i++)
	{
		if (dmp_spi_int8(0, i + 1, -1) != atoll(list_nth(expected, 2 * i + 1)))
			ereport(ERROR, (errcode(ERRCODE_TRIGGERED_DATA_CHANGE_VIOLATION),
							errmsg("not all rows of %s could be changed",
								   (char *) list_nth(expected, 2 * i)),
							errdetail("Of %s rows %lld were: a trigger or rule kept the others.",
									  (char *) list_nth(expected, 2 * i + 1),
									  (long long) dmp_spi_int8(0, i + 1, -1)),
							errhidestmt(true)));
	}
}

void
dmp_subject_check_gone(Subject *subject)
{
	Subject *again = dmp_subject_find(subject->value, true, true, false);
	ListCell *lc;

	foreach (lc, again->tables)
	{
		SubjectTable *table = lfirst(lc);

		for (int i = 0; i < table->n; i++)
		{
			if (table->fates[i] >= SUBJECT_BLANK)
				ereport(ERROR,
						(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
						 errmsg("rows of the subject came to %s meanwhile", table->root_name),
						 errdetail("Another transaction or a trigger wrote them."),
						 errhint("Run it again."), errhidestmt(true)));
		}
	}
}
