/*-------------------------------------------------------------------------
 * define.c
 *		dmp.create_feature_set, alter, drop, feature_sql.
 *
 * A feature set is three ordinary objects of the caller in schema feature:
 * a view with the features as of now, and two SQL functions that give rows of
 * the view's type, so that a column added to the view is a column of theirs.
 *-------------------------------------------------------------------------
 */
#include "feature/feature.h"

#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "optimizer/clauses.h"
#include "tcop/tcopprot.h"
#include "utils/acl.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"

PG_FUNCTION_INFO_V1(dmp_create_feature_set);
PG_FUNCTION_INFO_V1(dmp_alter_feature_set);
PG_FUNCTION_INFO_V1(dmp_drop_feature_set);
PG_FUNCTION_INFO_V1(dmp_feature_sql);

/* feature.<name><suffix>, quoted */
static char *
object_name(const char *name, const char *suffix)
{
	return quote_qualified_identifier(DMP_FEATURE_SCHEMA, psprintf("%s%s", name, suffix));
}

static Oid
view_oid(const char *name)
{
	Oid schema = get_namespace_oid(DMP_FEATURE_SCHEMA, true);

	return OidIsValid(schema) ? get_relname_relid(name, schema) : InvalidOid;
}

/* a text argument, or NULL */
static char *
text_arg(FunctionCallInfo fcinfo, int i)
{
	return PG_ARGISNULL(i) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(i));
}

/* a text argument that must be there */
static char *
needed_arg(FunctionCallInfo fcinfo, int i, const char *name)
{
	char *value = text_arg(fcinfo, i);

	if (value == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("%s must not be null", name)));
	return value;
}

static void
check_set_name(const char *name)
{
	if (name[0] == '\0')
		ereport(ERROR, (errcode(ERRCODE_INVALID_NAME),
						errmsg("the name of a feature set must not be empty")));
	if (strlen(name) + strlen("_for") >= NAMEDATALEN)
		ereport(ERROR, (errcode(ERRCODE_NAME_TOO_LONG),
						errmsg("the name \"%s\" has more than %d bytes", name,
							   (int) (NAMEDATALEN - 1 - strlen("_for"))),
						errdetail("The functions of the set append \"_at\" and \"_for\" to it.")));
}

/* ---- objects */

/* whether workers may run the SELECT: what a function around it must be declared as */
static const char *
parallel_word(const char *select)
{
	Oid types[1] = {TIMESTAMPTZOID};
	RawStmt *raw = linitial_node(RawStmt, pg_parse_query(select));
	List *queries = pg_analyze_and_rewrite_fixedparams(raw, select, types, 1, NULL);
	char hazard = max_parallel_hazard(linitial_node(Query, queries));

	return hazard == 's' ? "SAFE" : hazard == 'r' ? "RESTRICTED" : "UNSAFE";
}

static char *
entity_type(const DmpFeatureSet *set, const char *name)
{
	return format_type_extended(get_atttype(set->events, get_attnum(set->events, name)), -1,
								FORMAT_TYPE_FORCE_QUALIFY);
}

/* "user_id int, at timestamptz DEFAULT statement_timestamp()" */
static char *
one_arguments(const DmpFeatureSet *set)
{
	StringInfoData text;
	ListCell *lc;

	initStringInfo(&text);
	foreach (lc, set->entity)
		appendStringInfo(&text, "%s %s, ", quote_identifier(lfirst(lc)),
						 entity_type(set, lfirst(lc)));
	appendStringInfoString(&text, "at timestamptz DEFAULT statement_timestamp()");
	return text.data;
}

/* VIEW x, FUNCTION x_at(...), FUNCTION x_for(...) for i = 0 to 2; others may have overloads */
static char *
object_signature(const DmpFeatureSet *set, int i)
{
	StringInfoData text;
	ListCell *lc;

	initStringInfo(&text);
	if (i == 0)
		return psprintf("VIEW %s", object_name(set->name, ""));
	if (i == 1)
		return psprintf("FUNCTION %s(timestamptz)", object_name(set->name, "_at"));
	foreach (lc, set->entity)
		appendStringInfo(&text, "%s, ", entity_type(set, lfirst(lc)));
	return psprintf("FUNCTION %s(%stimestamptz)", object_name(set->name, "_for"), text.data);
}

/*
 * Makes or replaces the view and the functions, as the caller, under the
 * search_path and zone the definition is read with. A column added is a column
 * at the end.
 */
static void
make_objects(const DmpFeatureSet *set, bool replace)
{
	DmpFeatureFrame now = {"statement_timestamp()", NULL, true};
	DmpFeatureFrame at = {"$1", NULL, true};
	const char *create = replace ? "CREATE OR REPLACE" : "CREATE";
	char *view = object_name(set->name, "");
	char *body = dmp_feature_select(set, &at);
	const char *parallel;
	int level = NewGUCNestLevel();

	(void) set_config_option("search_path", set->search_path, PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
	(void) set_config_option("TimeZone", "UTC", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true,
							 0, false);
	parallel = parallel_word(body);
	dmp_spi(psprintf("%s VIEW %s WITH (security_invoker = true) AS %s", create, view,
					 dmp_feature_select(set, &now)),
			NULL, false);
	dmp_spi(psprintf("%s FUNCTION %s(at timestamptz) RETURNS SETOF %s LANGUAGE sql STABLE "
					 "PARALLEL %s BEGIN ATOMIC %s; END",
					 create, object_name(set->name, "_at"), view, parallel, body),
			NULL, false);
	dmp_spi(psprintf("%s FUNCTION %s(%s) RETURNS SETOF %s LANGUAGE sql STABLE PARALLEL %s ROWS 1 "
					 "BEGIN ATOMIC %s; END",
					 create, object_name(set->name, "_for"), one_arguments(set), view, parallel,
					 dmp_feature_select_one(set)),
			NULL, false);
	AtEOXact_GUC(false, level);
	if (!replace && set->owner != GetUserId())
	{
		/* made anew by a member of the owner, or by a superuser */
		char *owner = GetUserNameFromId(set->owner, false);

		for (int i = 0; i < 3; i++)
			dmp_spi(
				psprintf("ALTER %s OWNER TO %s", object_signature(set, i), quote_identifier(owner)),
				NULL, false);
	}
}

static void
comment_objects(const DmpFeatureSet *set)
{
	const char *const when[] = {"as of now", "as known strictly before a time",
								"one row for one entity"};
	char *what = psprintf("features of %s from %s", dmp_join(set->entity, ", "),
						  dmp_relation_name(set->events));

	for (int i = 0; i < 3; i++)
		dmp_spi(psprintf("COMMENT ON %s IS %s", object_signature(set, i),
						 quote_literal_cstr(psprintf("%s, %s", what, when[i]))),
				NULL, false);
}

/* statements that give back the grants on the view */
static List *
grants_of(Oid view)
{
	DmpArgs args = {0};
	List *grants = NIL;
	uint64 n;

	dmp_arg_oid(&args, view);
	n = dmp_spi("SELECT pg_catalog.format('GRANT %s ON %s TO %s%s', a.privilege_type, "
				"c.oid::pg_catalog.regclass, CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE "
				"a.grantee::pg_catalog.regrole::pg_catalog.text END, "
				"CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' END) "
				"FROM pg_catalog.pg_class c, pg_catalog.aclexplode(c.relacl) a "
				"WHERE c.oid OPERATOR(pg_catalog.=) $1 "
				"AND a.grantee OPERATOR(pg_catalog.<>) c.relowner",
				&args, true);
	for (uint64 i = 0; i < n; i++)
		grants = lappend(grants, dmp_spi_text(i, 1));
	return grants;
}

/* drops the functions and the view, what depends on them stands in the way; returns their names */
static List *
drop_objects(const char *name)
{
	List *dropped = NIL;
	DmpArgs args = {0};
	uint64 n;
	Oid view = view_oid(name);
	ListCell *lc;

	if (!OidIsValid(view))
		return NIL;
	dmp_arg_oid(&args, get_rel_type_id(view));
	dmp_arg_text(&args, name);
	n = dmp_spi("SELECT p.oid::pg_catalog.regprocedure FROM pg_catalog.pg_proc p "
				"WHERE p.prorettype OPERATOR(pg_catalog.=) $1 AND p.proname "
				"OPERATOR(pg_catalog.=) ANY (ARRAY[$2 OPERATOR(pg_catalog.||) '_at', "
				"$2 OPERATOR(pg_catalog.||) '_for']) ORDER BY p.proname",
				&args, true);
	for (uint64 i = 0; i < n; i++)
		dropped = lappend(dropped, psprintf("function %s", dmp_spi_text(i, 1)));
	dropped = lappend(dropped, psprintf("view %s", object_name(name, "")));
	foreach (lc, dropped)
		dmp_spi(psprintf("DROP %s", (char *) lfirst(lc)), NULL, false);
	return dropped;
}

/* ---- the functions */

static void
return_set(FunctionCallInfo fcinfo, const DmpFeatureSet *set)
{
	Datum values[2];
	bool nulls[2] = {false, false};

	values[0] = CStringGetTextDatum(object_name(set->name, ""));
	values[1] = Int32GetDatum(list_length(set->columns));
	dmp_srf_row(fcinfo, values, nulls);
	if (set->at == NULL)
		ereport(NOTICE, (errmsg("feature set \"%s\" is not point in time", set->name),
						 errdetail("Without \"at\" its features are what the table says when "
								   "they are read.")));
}

/* what is left for later, and what cannot be */
static void
check_create_arguments(FunctionCallInfo fcinfo)
{
	DmpDoc *options;

	if (!PG_ARGISNULL(5) && PG_GETARG_BOOL(5))
		ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
						errmsg("argument \"live\" is not supported yet"),
						errdetail("Features are computed when they are read.")));
	if (PG_ARGISNULL(9))
		return;
	options = dmp_doc_from_jsonb(PG_GETARG_DATUM(9), "options");
	if (options->kind != DMP_DOC_OBJECT || options->n > 0)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("options of a feature set must be empty"),
						errdetail("No options are known yet.")));
}

/* microseconds of the delay; a day is 24 hours */
static int64
delay_arg(FunctionCallInfo fcinfo, int i)
{
	Interval *delay;

	if (PG_ARGISNULL(i))
		return 0;
	delay = PG_GETARG_INTERVAL_P(i);
	if (delay->month != 0 || delay->day < 0 || delay->day > 365000 || delay->time < 0)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("delay must be a length of time without months, zero or more")));
	return delay->time + delay->day * USECS_PER_DAY;
}

/* names of the entity columns: one column by its exact name, else a list */
static List *
entity_arg(Oid events, const char *entity)
{
	if (get_attnum(events, entity) > 0)
		return list_make1((char *) entity);
	return dmp_feature_entity(entity);
}

static void
check_readable(Oid events)
{
	AclResult result = pg_class_aclcheck(events, GetUserId(), ACL_SELECT);

	if (result != ACLCHECK_OK)
		result = pg_attribute_aclcheck_all(events, GetUserId(), ACL_SELECT, ACLMASK_ANY);
	if (result != ACLCHECK_OK)
		aclcheck_error(result, get_relkind_objtype(get_rel_relkind(events)), get_rel_name(events));
}

/* takes over the order of columns from the version before, or errors */
static void
follow(DmpFeatureSet *set, const DmpFeatureSet *before, List *columns)
{
	dmp_check_owner(before->owner, "feature set", set->name);
	if (strcmp(dmp_join_identifiers(set->entity, ""), dmp_join_identifiers(before->entity, "")) !=
		0)
		ereport(ERROR, (errcode(ERRCODE_INVALID_TABLE_DEFINITION),
						errmsg("feature set \"%s\" is about %s, not %s", set->name,
							   dmp_join(before->entity, ", "), dmp_join(set->entity, ", ")),
						errhint("Drop it first, or take another name.")));
	set->version = before->version + 1;
	set->owner = before->owner;
	dmp_feature_order(set, columns);
}

/*
 * dmp.create_feature_set(name, events, entity, at, features, live, entities,
 * known_at, delay, options) -> TABLE(view_name, features). Needs SELECT on the
 * events. An existing name of the same owner gets a new version.
 */
Datum
dmp_create_feature_set(PG_FUNCTION_ARGS)
{
	DmpFeatureSet set = {0};
	DmpFeatureSet *before;
	List *columns = NIL;
	Oid view;

	set.name = needed_arg(fcinfo, 0, "name");
	if (PG_ARGISNULL(1))
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("events must not be null"),
						errhint("Name the table of events.")));
	set.events = PG_GETARG_OID(1);
	check_set_name(set.name);
	check_create_arguments(fcinfo);
	dmp_srf_begin(fcinfo);
	dmp_spi_connect();

	if (!OidIsValid(get_rel_type_id(set.events)))
		ereport(ERROR, (errcode(ERRCODE_WRONG_OBJECT_TYPE),
						errmsg("%s is no table or view", dmp_relation_name(set.events))));
	check_readable(set.events);
	set.entity = entity_arg(set.events, needed_arg(fcinfo, 2, "entity"));
	set.at = text_arg(fcinfo, 3);
	set.document = needed_arg(fcinfo, 4, "features");
	set.entities = text_arg(fcinfo, 6);
	set.known_at = text_arg(fcinfo, 7);
	set.delay = delay_arg(fcinfo, 8);
	set.search_path = pstrdup(namespace_search_path);
	set.version = 1;
	set.owner = GetUserId();
	set.announce = true;
	dmp_feature_define(&set);

	(void) dmp_ensure_schema(DMP_FEATURE_SCHEMA);
	before = dmp_feature_row(set.name, true, &columns);
	view = view_oid(set.name);
	if (before != NULL)
		follow(&set, before, OidIsValid(view) ? columns : NIL);
	else if (OidIsValid(view))
		ereport(ERROR, (errcode(ERRCODE_DUPLICATE_TABLE),
						errmsg("%s exists and is not of a feature set", object_name(set.name, "")),
						errhint("Drop it, or take another name.")));
	make_objects(&set, OidIsValid(view));
	comment_objects(&set);
	dmp_feature_store(&set);
	return_set(fcinfo, &set);
	dmp_spi_finish();
	PG_RETURN_NULL();
}

/* the document with features added and taken away; order is kept */
static char *
alter_document(const DmpFeatureSet *set, const char *add, List *drop)
{
	DmpDoc *old = dmp_doc_parse(set->document, "features");
	StringInfoData text;
	DmpArgs args = {0};
	uint64 n;
	List *names = NIL;
	ListCell *lc;

	for (int i = 0; i < old->n; i++)
		names = lappend(names, old->keys[i]);
	foreach (lc, drop)
	{
		ListCell *k;
		bool found = false;

		foreach (k, names)
			found |= strcmp(lfirst(k), lfirst(lc)) == 0;
		if (!found)
			ereport(ERROR, (errcode(ERRCODE_UNDEFINED_COLUMN),
							errmsg("feature set \"%s\" has no feature \"%s\"", set->name,
								   (char *) lfirst(lc)),
							errdetail("Features: %s.", dmp_join(names, ", ")),
							dmp_errhint_nearest(lfirst(lc), names)));
	}
	/* values are copied as they are written */
	dmp_arg_text(&args, set->document);
	dmp_arg_text_array(&args, drop);
	dmp_arg_text(&args, add);
	n = dmp_spi_registry("SELECT pg_catalog.to_json(key), value FROM "
						 "pg_catalog.json_each($1::pg_catalog.json) "
						 "WHERE key OPERATOR(pg_catalog.<>) ALL ($2) UNION ALL "
						 "SELECT pg_catalog.to_json(key), value FROM "
						 "pg_catalog.json_each($3::pg_catalog.json)",
						 &args, true);
	initStringInfo(&text);
	for (uint64 i = 0; i < n; i++)
		appendStringInfo(&text, "%s%s: %s", i ? ", " : "{", dmp_spi_text(i, 1), dmp_spi_text(i, 2));
	appendStringInfoString(&text, n ? "}" : "{}");
	return text.data;
}

/*
 * dmp.alter_feature_set(name, add json, drop text[]) -> as create. Taking
 * features away makes the view anew, with its grants; what depends on it
 * stands in the way.
 */
Datum
dmp_alter_feature_set(PG_FUNCTION_ARGS)
{
	char *name = needed_arg(fcinfo, 0, "name");
	char *add = PG_ARGISNULL(1) ? "{}" : text_arg(fcinfo, 1);
	List *drop = NIL;
	List *grants = NIL;
	List *columns;
	DmpFeatureSet *set;
	DmpFeatureSet *altered;
	ListCell *lc;

	if (!PG_ARGISNULL(2))
		drop = dmp_text_array_to_list(PG_GETARG_ARRAYTYPE_P(2));
	dmp_srf_begin(fcinfo);
	dmp_spi_connect();
	if (dmp_doc_parse(add, "add")->kind != DMP_DOC_OBJECT)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("add must be a json object with features")));
	set = dmp_feature_load(name, true);
	check_readable(set->events);
	altered = dmp_feature_row(name, true, &columns);
	altered->document = alter_document(set, add, drop);
	altered->announce = true;
	dmp_feature_define(altered);
	altered->version++;
	if (drop != NIL)
	{
		/* what is kept stays in its order */
		columns = NIL;
		foreach (lc, set->columns)
		{
			DmpFeatureColumn *column = lfirst(lc);
			ListCell *k;
			bool kept = true;

			foreach (k, drop)
				kept &= strcmp(lfirst(k), column->feature->name) != 0;
			if (kept)
				columns = lappend(columns, (char *) column->name);
		}
		grants = grants_of(view_oid(name));
		(void) drop_objects(name);
	}
	dmp_feature_order(altered, columns);
	make_objects(altered, drop == NIL);
	foreach (lc, grants)
		dmp_spi(lfirst(lc), NULL, false);
	comment_objects(altered);
	dmp_feature_store(altered);
	return_set(fcinfo, altered);
	dmp_spi_finish();
	PG_RETURN_NULL();
}

/* dmp.drop_feature_set(name) -> TABLE(object, action): what was dropped */
Datum
dmp_drop_feature_set(PG_FUNCTION_ARGS)
{
	char *name = needed_arg(fcinfo, 0, "name");
	DmpFeatureSet *set;
	List *dropped;
	ListCell *lc;

	dmp_srf_begin(fcinfo);
	dmp_spi_connect();
	set = dmp_feature_row(name, true, NULL);
	if (set == NULL)
		(void) dmp_feature_load(name, false); /* for its error */
	dmp_check_owner(set->owner, "feature set", name);
	dropped = drop_objects(name);
	dmp_feature_forget(name);
	foreach (lc, dropped)
	{
		Datum values[2] = {CStringGetTextDatum(lfirst(lc)), CStringGetTextDatum("dropped")};
		bool nulls[2] = {false, false};

		dmp_srf_row(fcinfo, values, nulls);
	}
	dmp_spi_finish();
	PG_RETURN_NULL();
}

/* dmp.feature_sql(name) -> text: the SELECT of the view */
Datum
dmp_feature_sql(PG_FUNCTION_ARGS)
{
	char *name = needed_arg(fcinfo, 0, "name");
	MemoryContext caller = CurrentMemoryContext;
	DmpFeatureSet *set;
	DmpArgs args = {0};
	text *result;

	dmp_spi_connect();
	set = dmp_feature_load(name, false);
	dmp_arg_oid(&args, view_oid(set->name));
	dmp_spi("SELECT pg_catalog.pg_get_viewdef($1, true)", &args, true);
	MemoryContextSwitchTo(caller);
	result = cstring_to_text(dmp_spi_text(0, 1));
	dmp_spi_finish();
	PG_RETURN_TEXT_P(result);
}
