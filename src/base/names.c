/*-------------------------------------------------------------------------
 * names.c
 *		Identifiers, queries given as text, and the nearest name for hints.
 *-------------------------------------------------------------------------
 */
#include "base/base.h"

#include "access/relation.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "mb/pg_wchar.h"
#include "nodes/makefuncs.h"
#include "optimizer/optimizer.h"
#include "parser/parser.h"
#include "parser/scansup.h"
#include "tcop/tcopprot.h"
#include "utils/array.h"
#include "utils/lsyscache.h"
#include "utils/plancache.h"
#include "utils/rel.h"
#include "utils/syscache.h"
#include "utils/varlena.h"

char *
dmp_relation_name(Oid relid)
{
	char *name = get_rel_name(relid);
	bool quote_all = quote_all_identifiers;

	if (name == NULL)
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_TABLE),
						errmsg("relation with OID %u does not exist", relid)));
	/* stored and compared: the session has no say */
	quote_all_identifiers = false;
	name = quote_qualified_identifier(get_namespace_name(get_rel_namespace(relid)), name);
	quote_all_identifiers = quote_all;
	return name;
}

const char *
dmp_nearest(const char *name, List *candidates)
{
	const char *best = NULL;
	int length = strlen(name);
	int best_distance = Max(1, length / 3) + 1;
	ListCell *lc;

	if (length > 255)
		return NULL;
	foreach (lc, candidates)
	{
		const char *candidate = lfirst(lc);
		int candidate_length = strlen(candidate);
		int distance;

		if (candidate_length > 255 || strcmp(candidate, name) == 0)
			continue;
		distance = varstr_levenshtein_less_equal(name, length, candidate, candidate_length, 1, 1, 1,
												 best_distance, true);
		if (distance < best_distance)
		{
			best_distance = distance;
			best = candidate;
		}
	}
	return best;
}

int
dmp_errhint_nearest(const char *name, List *candidates)
{
	const char *nearest = dmp_nearest(name, candidates);

	if (nearest != NULL)
		errhint("Did you mean \"%s\"?", nearest);
	return 0;
}

List *
dmp_column_names(TupleDesc desc)
{
	List *names = NIL;

	for (int i = 0; i < desc->natts; i++)
		if (!TupleDescAttr(desc, i)->attisdropped)
			names = lappend(names, pstrdup(NameStr(TupleDescAttr(desc, i)->attname)));
	return names;
}

bool
dmp_is_positive_name(const char *value)
{
	static const char *const names[] = {"yes", "true", "1", "y", "positive"};
	int i;

	for (i = 0; i < lengthof(names); i++)
	{
		if (pg_strcasecmp(value, names[i]) == 0)
			return true;
	}
	return false;
}

bool
dmp_list_has(List *names, const char *name)
{
	ListCell *lc;

	foreach (lc, names)
	{
		if (strcmp(lfirst(lc), name) == 0)
			return true;
	}
	return false;
}

char *
dmp_join(List *strings, const char *separator)
{
	StringInfoData text;
	ListCell *lc;

	initStringInfo(&text);
	foreach (lc, strings)
		appendStringInfo(&text, "%s%s", foreach_current_index(lc) ? separator : "",
						 (char *) lfirst(lc));
	return text.data;
}

char *
dmp_join_identifiers(List *names, const char *prefix)
{
	StringInfoData text;
	ListCell *lc;

	initStringInfo(&text);
	foreach (lc, names)
		appendStringInfo(&text, "%s%s%s", foreach_current_index(lc) ? ", " : "", prefix,
						 quote_identifier(lfirst(lc)));
	return text.data;
}

List *
dmp_text_array_to_list(ArrayType *array)
{
	Datum *items;
	bool *nulls;
	int n;
	List *list = NIL;

	deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT, &items, &nulls, &n);
	for (int i = 0; i < n; i++)
	{
		if (nulls[i])
			ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
							errmsg("an array of names must not hold nulls")));
		list = lappend(list, TextDatumGetCString(items[i]));
	}
	return list;
}

/* names of the relations one might have meant: those of the schema, or the visible ones */
static List *
candidate_relations(const char *schema)
{
	MemoryContext caller = CurrentMemoryContext;
	List *names = NIL;
	DmpArgs args = {0};
	uint64 n;

	dmp_arg_text(&args, schema);
	dmp_spi_connect();
	n = dmp_spi("SELECT c.relname FROM pg_catalog.pg_class c "
				"JOIN pg_catalog.pg_namespace s ON s.oid OPERATOR(pg_catalog.=) c.relnamespace "
				"WHERE c.relkind OPERATOR(pg_catalog.=) "
				"ANY ('{r,p,v,m,f}'::pg_catalog.\"char\"[]) AND CASE WHEN $1 IS NULL "
				"THEN pg_catalog.pg_table_is_visible(c.oid) "
				"AND s.nspname OPERATOR(pg_catalog.<>) 'pg_catalog'::pg_catalog.name "
				"ELSE s.nspname OPERATOR(pg_catalog.=) $1::pg_catalog.name END LIMIT 10000",
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

Oid
dmp_relation_oid(const char *name, bool missing_ok)
{
	RangeVar *range = makeRangeVarFromNameList(textToQualifiedNameList(cstring_to_text(name)));
	Oid relid = RangeVarGetRelid(range, NoLock, true);

	if (!OidIsValid(relid) && !missing_ok)
	{
		List *candidates = candidate_relations(range->schemaname);

		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE), errmsg("table \"%s\" does not exist", name),
				 dmp_errhint_nearest(range->relname, candidates)));
	}
	return relid;
}

/* whether text begins with a word that opens a query */
static bool
opens_query(const char *text)
{
	static const char *const words[] = {"select", "with", "values", "table"};

	/* comments and opening parentheses may come before it */
	for (;;)
	{
		while (scanner_isspace(*text) || *text == '(')
			text++;
		if (text[0] == '-' && text[1] == '-')
			text += strcspn(text, "\n\r");
		else if (text[0] == '/' && text[1] == '*')
		{
			const char *end = strstr(text + 2, "*/");

			if (end == NULL)
				return true; /* let the parser say what is wrong */
			text = end + 2;
		}
		else
			break;
	}
	for (int i = 0; i < lengthof(words); i++)
	{
		int length = strlen(words[i]);

		if (pg_strncasecmp(text, words[i], length) == 0 && text[length] != '.' &&
			text[length] != '\0' && text[length] != '_' && text[length] != '$' &&
			!isalnum((unsigned char) text[length]) && !IS_HIGHBIT_SET(text[length]))
			return true;
	}
	return false;
}

/* a text that is no name either is told so, not only that it is a bad name */
static void
check_name(const char *query, const char *what)
{
	List *names;

	if (!SplitIdentifierString(pstrdup(query), '.', &names) || names == NIL)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("%s is neither a SELECT nor the name of a table: \"%.*s\"", what,
							   pg_mbcliplen(query, strlen(query), 60), query),
						errhint("A query is a SELECT, WITH, VALUES or TABLE statement.")));
}

/* the position of a syntax error is one in the text parsed, not in the statement that called */
static void
parse_error(void *text)
{
	int position = geterrposition();

	if (position > 0)
	{
		errposition(0);
		internalerrposition(position);
		internalerrquery(text);
	}
}

List *
dmp_parse(const char *text, RawParseMode mode)
{
	ErrorContextCallback context = {error_context_stack, parse_error, unconstify(char *, text)};
	List *statements;

	error_context_stack = &context;
	statements = raw_parser(text, mode);
	error_context_stack = context.previous;
	return statements;
}

char *
dmp_query_select(const char *query, const char *what)
{
	List *statements;
	RawStmt *raw;
	SelectStmt *select;
	char *text;

	if (!opens_query(query))
	{
		check_name(query, what);
		return psprintf("SELECT * FROM %s", dmp_relation_name(dmp_relation_oid(query, false)));
	}

	statements = dmp_parse(query, RAW_PARSE_DEFAULT);
	if (list_length(statements) != 1)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("%s must be one statement, not %d", what, list_length(statements))));
	raw = linitial_node(RawStmt, statements);
	if (!IsA(raw->stmt, SelectStmt))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("%s must be a SELECT or the name of a table", what)));
	select = (SelectStmt *) raw->stmt;
	if (select->intoClause != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("%s must not have INTO", what)));

	/* what the parser saw as the statement: without the semicolon after it */
	text = pstrdup(query + raw->stmt_location);
	if (raw->stmt_len > 0)
		text[raw->stmt_len] = '\0';
	/* a comment at the end must not swallow what is put behind it */
	return psprintf("%s\n", text);
}

TupleDesc
dmp_query_columns(const char *select, DmpArgs *args, List **relations)
{
	MemoryContext caller = CurrentMemoryContext;
	MemoryContext old;
	SPIPlanPtr plan;
	CachedPlanSource *source;
	TupleDesc desc;

	dmp_spi_connect();
	plan = SPI_prepare(select, args ? args->n : 0, args ? args->types : NULL);
	if (plan == NULL)
		elog(ERROR, "SPI_prepare failed: %s", SPI_result_code_string(SPI_result));
	if (list_length(SPI_plan_get_plan_sources(plan)) != 1)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("a query must be one statement")));
	source = linitial(SPI_plan_get_plan_sources(plan));
	if (source->resultDesc == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("the query returns no columns")));
	old = MemoryContextSwitchTo(caller);
	desc = CreateTupleDescCopy(source->resultDesc);
	if (relations != NULL)
		*relations = list_copy(source->relationOids);
	MemoryContextSwitchTo(old);
	dmp_spi_finish();
	return desc;
}

bool
dmp_query_is_volatile(const char *select)
{
	bool result = false;
	SPIPlanPtr plan;
	CachedPlanSource *source;
	ListCell *lc;

	dmp_spi_connect();
	plan = SPI_prepare(select, 0, NULL);
	if (plan == NULL)
		elog(ERROR, "SPI_prepare failed: %s", SPI_result_code_string(SPI_result));
	source = linitial(SPI_plan_get_plan_sources(plan));
	foreach (lc, source->query_list)
		result |= contain_volatile_functions((Node *) lfirst(lc));
	dmp_spi_finish();
	return result;
}

AttrNumber
dmp_column_number(TupleDesc desc, const char *name, const char *prefix)
{
	for (int i = 0; i < desc->natts; i++)
		if (!TupleDescAttr(desc, i)->attisdropped &&
			strcmp(NameStr(TupleDescAttr(desc, i)->attname), name) == 0)
			return i + 1;
	ereport(ERROR, (errcode(ERRCODE_UNDEFINED_COLUMN),
					errmsg("%scolumn \"%s\" does not exist", prefix, name),
					errdetail("Columns: %s.", dmp_join(dmp_column_names(desc), ", ")),
					dmp_errhint_nearest(name, dmp_column_names(desc))));
	return InvalidAttrNumber;
}
