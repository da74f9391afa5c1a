/*-------------------------------------------------------------------------
 * definition.c
 *		From the features document to checked definitions.
 *
 * Conditions and expressions of users are parsed, analysed against the events
 * table alone and written out again from the parse tree. So what reaches the
 * SQL of a feature set is never the user's text but the server's own reading
 * of it: one expression, with every name qualified. It cannot break out of
 * its place, and means the same under any search_path.
 *
 * Literals are read as in time zone UTC, because the meaning of a definition
 * must not depend on the session that happens to read it again.
 *-------------------------------------------------------------------------
 */
#include "feature/feature.h"

#include "access/table.h"
#include "catalog/pg_type.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "parser/parse_coerce.h"
#include "parser/parse_collate.h"
#include "parser/parse_expr.h"
#include "parser/parse_relation.h"
#include "parser/parser.h"
#include "utils/acl.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/ruleutils.h"
#include "utils/timestamp.h"
#include "utils/varlena.h"

static const DmpAgg dmp_aggs[] = {
	{"count", DMP_OF_MAYBE, false, false, true},
	{"sum", DMP_OF_NEEDED, true, false, true},
	{"avg", DMP_OF_NEEDED, true, false, false},
	{"min", DMP_OF_NEEDED, false, false, false},
	{"max", DMP_OF_NEEDED, false, false, false},
	{"stddev", DMP_OF_NEEDED, true, false, false},
	{"count_distinct", DMP_OF_NEEDED, false, false, true},
	{"mode", DMP_OF_NEEDED, false, false, false},
	{"first", DMP_OF_NEEDED, false, true, false},
	{"last", DMP_OF_NEEDED, false, true, false},
	{"recency", DMP_OF_MAYBE, false, true, false},
	{"interval_mean", DMP_OF_NONE, false, true, false},
	{"rate", DMP_OF_NONE, false, true, false},
};

static const struct
{
	const char *name;
	int64 usecs;
	int months;
} dmp_units[] = {
	{"s", USECS_PER_SEC, 0},
	{"min", USECS_PER_MINUTE, 0},
	{"h", USECS_PER_HOUR, 0},
	{"d", 24 * USECS_PER_HOUR, 0},
	{"w", 168 * USECS_PER_HOUR, 0},
	{"mon", 0, 1},
	{"y", 0, 12},
};

static void
set_option(const char *name, const char *value)
{
	(void) set_config_option(name, value, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0,
							 false);
}

/* ---- expressions */

typedef struct ColumnsContext
{
	Relation rel;
	const char *what;
} ColumnsContext;

/* refuses what is no column of the table, and subqueries */
static bool
check_columns_walker(Node *node, ColumnsContext *context)
{
	if (node == NULL)
		return false;
	if (IsA(node, SubLink) || IsA(node, SelectStmt))
		ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
						errmsg("%s must not have a subquery", context->what),
						errdetail("It is about one row of the table \"%s\" at a time.",
								  RelationGetRelationName(context->rel))));
	if (IsA(node, ColumnRef))
	{
		List *fields = ((ColumnRef *) node)->fields;
		const char *table = RelationGetRelationName(context->rel);
		List *names = dmp_column_names(RelationGetDescr(context->rel));
		ListCell *lc;

		if (list_length(fields) == 2 && IsA(linitial(fields), String) &&
			strcmp(strVal(linitial(fields)), table) == 0)
			fields = list_copy_tail(fields, 1);
		if (list_length(fields) != 1 || !IsA(linitial(fields), String))
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_COLUMN),
					 errmsg("%s may only name columns of table \"%s\"", context->what, table)));
		foreach (lc, names)
			if (strcmp(lfirst(lc), strVal(linitial(fields))) == 0)
				return false;
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_COLUMN),
						errmsg("%s: column \"%s\" of table \"%s\" does not exist", context->what,
							   strVal(linitial(fields)), table),
						errdetail("Columns: %s.", dmp_join(names, ", ")),
						dmp_errhint_nearest(strVal(linitial(fields)), names)));
	}
	return raw_expression_tree_walker(node, check_columns_walker, context);
}

/* the one expression of SELECT <text>; NULL when it is anything more */
static Node *
single_target(const char *sql)
{
	List *statements = dmp_parse(sql, RAW_PARSE_DEFAULT);
	SelectStmt *select;
	SelectStmt *plain = makeNode(SelectStmt);
	ResTarget *target;

	if (list_length(statements) != 1)
		return NULL;
	select = (SelectStmt *) linitial_node(RawStmt, statements)->stmt;
	if (!IsA(select, SelectStmt) || list_length(select->targetList) != 1)
		return NULL;
	target = linitial_node(ResTarget, select->targetList);
	if (target->name != NULL || target->indirection != NIL)
		return NULL;
	/* all else must be as in a SELECT that has only a target */
	plain->targetList = select->targetList;
	plain->limitOption = select->limitOption;
	return equal(plain, select) ? target->val : NULL;
}

/*
 * The raw tree of text. Both SELECT text and SELECT (text) must be a statement
 * of one target: the first makes sure that its parentheses are balanced, the
 * second that it is an expression and does not end in a comment.
 */
static Node *
parse_expression(const char *text, const char *what)
{
	Node *node = NULL;

	if (single_target(psprintf("SELECT %s", text)) != NULL)
		node = single_target(psprintf("SELECT (%s)", text));
	if (node == NULL)
		ereport(ERROR, (errcode(ERRCODE_SYNTAX_ERROR), errmsg("%s must be one expression", what),
						errdetail("It is: %s", text)));
	return node;
}

/* where an error is: in the expression, not in the statement that gave it */
static void
expression_callback(void *arg)
{
	int position = geterrposition();

	if (position > 0)
	{
		errposition(0);
		internalerrposition(position);
		internalerrquery((const char *) arg);
	}
}

char *
dmp_feature_expression(Oid relid, const char *text, bool boolean, bool announce, const char *what,
					   Oid *type, bool *collates)
{
	Relation rel = table_open(relid, AccessShareLock);
	ColumnsContext context = {rel, what};
	ParseState *pstate = make_parsestate(NULL);
	ParseNamespaceItem *item;
	int level = NewGUCNestLevel();
	ErrorContextCallback callback = {error_context_stack, expression_callback,
									 psprintf("SELECT %s", text)};
	Node *raw;
	Node *expr;
	char *sql;

	set_option("TimeZone", "UTC");
	set_option("DateStyle", "ISO, MDY");
	set_option("IntervalStyle", "postgres");
	error_context_stack = &callback;
	raw = parse_expression(text, what);
	check_columns_walker(raw, &context);
	item = addRangeTableEntryForRelation(pstate, rel, AccessShareLock, NULL, false, true);
	addNSItemToQuery(pstate, item, false, true, true);
	expr = transformExpr(pstate, raw, EXPR_KIND_WHERE);
	if (boolean)
		expr = coerce_to_boolean(pstate, expr, what);
	else if (exprType(expr) == UNKNOWNOID)
		expr = coerce_type(pstate, expr, UNKNOWNOID, TEXTOID, -1, COERCION_IMPLICIT,
						   COERCE_IMPLICIT_CAST, -1);
	assign_expr_collations(pstate, expr);
	if (contain_volatile_functions(expr))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("%s must not call volatile functions", what)));
	if (announce && contain_mutable_functions(expr))
		ereport(NOTICE, (errmsg("%s depends on settings of the session such as TimeZone", what),
						 errhint("Name the zone, as in: click_time AT TIME ZONE 'UTC'.")));
	if (type != NULL)
		*type = exprType(expr);
	if (collates != NULL)
		*collates = type_is_collatable(exprType(expr));
	error_context_stack = callback.previous;
	set_option("search_path", "pg_catalog");
	sql = deparse_expression(expr, deparse_context_for("e", relid), true, false);
	AtEOXact_GUC(false, level);
	free_parsestate(pstate);
	table_close(rel, AccessShareLock);
	return sql;
}

/* ---- parts of a definition */

List *
dmp_feature_entity(const char *entity)
{
	List *names;
	ListCell *lc;
	ListCell *other;

	if (!SplitIdentifierString(pstrdup(entity), ',', &names) || names == NIL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("entity \"%s\" is no list of columns", entity),
				 errhint("Write a column or a list, as in 'user_id' or 'tenant_id, user_id'; "
						 "names that are not plain go in double quotes.")));
	foreach (lc, names)
		for_each_from(other, names,
					  foreach_current_index(lc) + 1) if (strcmp(lfirst(lc), lfirst(other)) == 0)
			ereport(ERROR, (errcode(ERRCODE_DUPLICATE_COLUMN),
							errmsg("entity names column \"%s\" twice", (char *) lfirst(lc))));
	return names;
}

/* index in set->windows of a window as written, e.g. 7d */
static int
parse_window(DmpFeatureSet *set, const char *text, const char *what)
{
	int digits = strspn(text, "0123456789");
	int64 n = digits > 0 && digits <= 9 ? strtol(text, NULL, 10) : 0;
	DmpWindow *window = palloc0(sizeof(DmpWindow));
	ListCell *lc;

	foreach (lc, set->windows)
		if (strcmp(((DmpWindow *) lfirst(lc))->name, text) == 0)
			return foreach_current_index(lc);

	for (int i = 0; i < lengthof(dmp_units) && window->name == NULL; i++)
		if (strcmp(text + digits, dmp_units[i].name) == 0)
		{
			/* up to a thousand years, which no product here overflows */
			if (n < 1 || text[0] == '0' ||
				(dmp_units[i].months ? n * dmp_units[i].months > 12000
									 : n > INT64CONST(365000) * USECS_PER_DAY / dmp_units[i].usecs))
				break;
			window->name = text;
			window->usecs = n * dmp_units[i].usecs;
			window->months = n * dmp_units[i].months;
		}
	if (window->name == NULL)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("%s: \"%s\" is no window", what, text),
						errdetail("A window is a whole number and a unit: s, min, h, d, w, mon or "
								  "y, as in 30d.")));
	set->windows = lappend(set->windows, window);
	return list_length(set->windows) - 1;
}

static const DmpAgg *
find_agg(const char *name, const char *what)
{
	List *names = NIL;

	for (int i = 0; i < lengthof(dmp_aggs); i++)
	{
		if (name != NULL && strcmp(dmp_aggs[i].name, name) == 0)
			return &dmp_aggs[i];
		names = lappend(names, (char *) dmp_aggs[i].name);
	}
	if (name == NULL)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("%s needs \"agg\"", what),
						errdetail("Known: %s.", dmp_join(names, ", "))));
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("%s: aggregation \"%s\" is not known", what, name),
			 errdetail("Known: %s.", dmp_join(names, ", ")), dmp_errhint_nearest(name, names)));
	return NULL;
}

/* "of": a column by its exact name, else an expression */
static void
define_of(DmpFeatureSet *set, DmpFeature *feature, const char *of, const char *what)
{
	AttrNumber attnum = get_attnum(set->events, of);
	char category;
	bool preferred;

	feature->of = dmp_feature_expression(set->events, attnum > 0 ? quote_identifier(of) : of, false,
										 set->announce, psprintf("%s: \"of\"", what),
										 &feature->of_type, &feature->of_collates);
	if (!feature->agg->numeric)
		return;
	get_type_category_preferred(getBaseType(feature->of_type), &category, &preferred);
	if (category == TYPCATEGORY_BOOLEAN)
	{
		feature->of = psprintf("(%s)::int", feature->of);
		feature->of_type = INT4OID;
	}
	else if (category != TYPCATEGORY_NUMERIC && getBaseType(feature->of_type) != INTERVALOID)
		ereport(ERROR, (errcode(ERRCODE_DATATYPE_MISMATCH),
						errmsg("%s: %s needs a number, \"%s\" is %s", what, feature->agg->name, of,
							   format_type_be(feature->of_type))));
}

static void
define_feature(DmpFeatureSet *set, const char *name, const DmpDoc *doc)
{
	static const char *const known[] = {"agg", "of", "where", "windows", NULL};
	DmpFeature *feature = palloc0(sizeof(DmpFeature));
	char *what = psprintf("feature \"%s\"", name);
	char *of;
	char *where;
	ListCell *lc;

	dmp_doc_check_keys(doc, what, known);
	feature->name = name;
	feature->agg = find_agg(dmp_doc_string(doc, "agg", NULL, what), what);
	of = dmp_doc_string(doc, "of", NULL, what);
	where = dmp_doc_string(doc, "where", NULL, what);
	if (of == NULL && feature->agg->of == DMP_OF_NEEDED)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("%s: %s needs \"of\"", what, feature->agg->name),
						errhint("\"of\" is a column of the events, as in {\"agg\": \"%s\", \"of\": "
								"\"order_value\"}.",
								feature->agg->name)));
	if (of != NULL && feature->agg->of == DMP_OF_NONE)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("%s: %s takes no \"of\"", what, feature->agg->name)));
	if (set->at == NULL && feature->agg->timed)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("%s: %s needs the time of events", what, feature->agg->name),
						errhint("Give the argument \"at\", or use another aggregation.")));
	if (of != NULL)
		define_of(set, feature, of, what);
	if (where != NULL)
		feature->where = dmp_feature_expression(set->events, where, true, set->announce,
												psprintf("%s: \"where\"", what), NULL, NULL);
	foreach (lc, dmp_doc_strings(doc, "windows", what))
	{
		if (set->at == NULL)
			ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
							errmsg("%s: windows need the time of events", what),
							errhint("Give the argument \"at\", or leave the windows out.")));
		feature->windows = lappend_int(feature->windows, parse_window(set, lfirst(lc), what));
	}
	set->features = lappend(set->features, feature);
}

/* ---- columns */

static void
add_column(DmpFeatureSet *set, const DmpFeature *feature, int window)
{
	DmpFeatureColumn *column = palloc0(sizeof(DmpFeatureColumn));
	ListCell *lc;

	column->feature = feature;
	column->window = window;
	column->name = feature->name;
	if (window >= 0)
		column->name =
			psprintf("%s_%s", feature->name, ((DmpWindow *) list_nth(set->windows, window))->name);
	if (column->name[0] == '\0')
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_NAME), errmsg("the name of a feature must not be empty")));
	if (strlen(column->name) >= NAMEDATALEN)
		ereport(ERROR,
				(errcode(ERRCODE_NAME_TOO_LONG),
				 errmsg("the name \"%s\" has more than %d bytes", column->name, NAMEDATALEN - 1)));
	foreach (lc, set->columns)
		if (strcmp(((DmpFeatureColumn *) lfirst(lc))->name, column->name) == 0)
			ereport(ERROR, (errcode(ERRCODE_DUPLICATE_COLUMN),
							errmsg("two features give a column \"%s\"", column->name)));
	foreach (lc, set->entity)
		if (strcmp(lfirst(lc), column->name) == 0)
			ereport(ERROR,
					(errcode(ERRCODE_DUPLICATE_COLUMN),
					 errmsg("feature \"%s\" has the name of an entity column", column->name)));
	if (strcmp(column->name, "at") == 0)
		ereport(ERROR,
				(errcode(ERRCODE_RESERVED_NAME), errmsg("a feature must not be called \"at\""),
				 errdetail("It is the column of times in labels and training sets.")));
	set->columns = lappend(set->columns, column);
}

/* type of a column of times, checked */
static Oid
time_column(TupleDesc desc, const char *name, const char *argument)
{
	Oid type = TupleDescAttr(desc, dmp_column_number(desc, name, psprintf("%s: ", argument)) - 1)
				   ->atttypid;

	if (type != TIMESTAMPTZOID && type != TIMESTAMPOID && type != DATEOID)
		ereport(ERROR, (errcode(ERRCODE_DATATYPE_MISMATCH),
						errmsg("%s: column \"%s\" is %s, not a time", argument, name,
							   format_type_be(type)),
						errhint("Use a column of type timestamp with time zone.")));
	return type;
}

static void
define_columns(DmpFeatureSet *set)
{
	Relation rel = table_open(set->events, AccessShareLock);
	TupleDesc desc = RelationGetDescr(rel);
	ListCell *lc;

	foreach (lc, set->entity)
	{
		(void) dmp_column_number(desc, lfirst(lc), "entity: ");
		if (strcmp(lfirst(lc), "at") == 0)
			ereport(ERROR, (errcode(ERRCODE_RESERVED_NAME),
							errmsg("an entity column must not be called \"at\""),
							errhint("Give the events through a view that renames it.")));
	}
	if (set->at != NULL)
		set->at_type = time_column(desc, set->at, "at");
	if (set->known_at != NULL)
		set->known_at_type = time_column(desc, set->known_at, "known_at");
	if (set->at == NULL && (set->known_at != NULL || set->delay != 0))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("known_at and delay need the argument \"at\"")));
	table_close(rel, AccessShareLock);
}

/* the entities query must be stable and give the entity columns */
static void
define_entities(DmpFeatureSet *set)
{
	TupleDesc desc;
	ListCell *lc;

	if (set->entities == NULL)
		return;
	set->entities_select = dmp_query_select(set->entities, "entities");
	desc = dmp_query_columns(set->entities_select, NULL, NULL);
	foreach (lc, set->entity)
		(void) dmp_column_number(desc, lfirst(lc), "entities: ");
	if (dmp_query_is_volatile(set->entities_select))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("entities must not call volatile functions")));
}

void
dmp_feature_define(DmpFeatureSet *set)
{
	int level = NewGUCNestLevel();
	DmpDoc *doc;
	ListCell *lc;
	ListCell *w;

	set_option("search_path", set->search_path);

	define_columns(set);
	define_entities(set);
	doc = dmp_doc_parse(set->document, "features");
	if (doc == NULL || doc->kind != DMP_DOC_OBJECT || doc->n == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("features must be a json object with one or more features"),
				 errhint("As in {\"clicks\": {\"agg\": \"count\", \"windows\": [\"7d\"]}}.")));
	for (int i = 0; i < doc->n; i++)
		define_feature(set, doc->keys[i], doc->items[i]);
	foreach (lc, set->features)
	{
		DmpFeature *feature = lfirst(lc);

		if (feature->windows == NIL)
			add_column(set, feature, -1);
		foreach (w, feature->windows)
			add_column(set, feature, lfirst_int(w));
	}
	AtEOXact_GUC(false, level);
}
