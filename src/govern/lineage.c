/*-------------------------------------------------------------------------
 * lineage.c
 *		dmp.lineage: what an object is made of and what is made of it. The
 *		edges are put together in lineage.sql; here are their columns, from
 *		definitions of views and from queries that the registries keep.
 *-------------------------------------------------------------------------
 */
#include "govern/lineage.h"

#include "access/relation.h"
#include "access/xact.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "parser/analyze.h"
#include "rewrite/prs2lock.h"
#include "utils/acl.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/resowner.h"
#include "utils/syscache.h"
#include "utils/varlena.h"

PG_FUNCTION_INFO_V1(dmp_view_lineage);
PG_FUNCTION_INFO_V1(dmp_query_lineage);
PG_FUNCTION_INFO_V1(dmp_lineage);
PG_FUNCTION_INFO_V1(dmp_lineage_events);

static void
put_edges(FunctionCallInfo fcinfo, List *edges)
{
	ListCell *lc;

	foreach (lc, edges)
	{
		DmpLineageEdge *edge = lfirst(lc);
		Datum values[5] = {0};
		bool nulls[5] = {false};
		char *column = edge->column > 0 ? get_attname(edge->relid, edge->column, true) : NULL;

		nulls[0] = edge->output == NULL;
		if (!nulls[0])
			values[0] = CStringGetTextDatum(edge->output);
		values[1] = ObjectIdGetDatum(edge->relid);
		nulls[2] = column == NULL;
		if (!nulls[2])
			values[2] = CStringGetTextDatum(column);
		values[3] = CStringGetTextDatum(dmp_lineage_kind_name(edge->kind));
		values[4] = BoolGetDatum(edge->masked);
		dmp_srf_row(fcinfo, values, nulls);
	}
}

/*
 * dmp_internal.view_lineage(view oid) -> (column_to, relation, column_from,
 * kind, masked) of a view or materialized view; none of what is neither.
 */
Datum
dmp_view_lineage(PG_FUNCTION_ARGS)
{
	Relation view;
	int i;

	dmp_srf_begin(fcinfo);
	view = try_relation_open(PG_GETARG_OID(0), AccessShareLock);
	if (view == NULL)
		return (Datum) 0;
	if (view->rd_rules != NULL &&
		(view->rd_rel->relkind == RELKIND_VIEW || view->rd_rel->relkind == RELKIND_MATVIEW))
	{
		for (i = 0; i < view->rd_rules->numLocks; i++)
		{
			RewriteRule *rule = view->rd_rules->rules[i];

			if (rule->event != CMD_SELECT || rule->actions == NIL)
				continue;
			put_edges(fcinfo,
					  dmp_query_lineage_edges(copyObject(linitial_node(Query, rule->actions))));
		}
	}
	relation_close(view, AccessShareLock);
	return (Datum) 0;
}

/* the SELECT that a recipe over query compiles to */
static char *
compiled(const char *query, const char *recipe)
{
	MemoryContext caller = CurrentMemoryContext;
	DmpArgs args = {0};
	char *sql;

	dmp_spi_connect();
	dmp_arg_text(&args, query);
	dmp_arg_text(&args, recipe);
	dmp_spi("SELECT dmp.clean_sql($1, $2::pg_catalog.json)", &args, false);
	sql = MemoryContextStrdup(caller, dmp_spi_text(0, 1));
	dmp_spi_finish();
	return sql;
}

static List *
edges_of_text(const char *query, const char *recipe)
{
	char *select = recipe != NULL ? compiled(query, recipe) : dmp_query_select(query, "query");
	List *raw = dmp_parse(select, RAW_PARSE_DEFAULT);
	Query *analyzed = parse_analyze_fixedparams(linitial_node(RawStmt, raw), select, NULL, 0, NULL);

	return analyzed->commandType == CMD_SELECT ? dmp_query_lineage_edges(analyzed) : NIL;
}

/*
 * dmp_internal.query_lineage(query text, recipe json, search_path text, owner
 * oid) -> as view_lineage. The query is analyzed, never run. One that is not
 * valid any more (a table was dropped) gives nothing.
 *
 * Analysis calls input functions for literals, and one of an array of a domain
 * runs the domain's checks: code of whoever wrote the query. So it is done as
 * him, the owner, and only for callers who have his rights anyway.
 */
Datum
dmp_query_lineage(PG_FUNCTION_ARGS)
{
	MemoryContext caller = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	List *volatile edges = NIL;
	Oid user;
	int security;

	dmp_srf_begin(fcinfo);
	if (PG_ARGISNULL(0) || PG_ARGISNULL(3) || !SearchSysCacheExists1(AUTHOID, PG_GETARG_DATUM(3)) ||
		!has_privs_of_role(GetUserId(), PG_GETARG_OID(3)))
		return (Datum) 0;
	GetUserIdAndSecContext(&user, &security);
	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(caller);
	PG_TRY();
	{
		int level = NewGUCNestLevel();

		if (!PG_ARGISNULL(2))
			(void) set_config_option("search_path", text_to_cstring(PG_GETARG_TEXT_PP(2)),
									 PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
		SetUserIdAndSecContext(PG_GETARG_OID(3), security | SECURITY_LOCAL_USERID_CHANGE |
													 SECURITY_RESTRICTED_OPERATION);
		edges = edges_of_text(text_to_cstring(PG_GETARG_TEXT_PP(0)),
							  PG_ARGISNULL(1) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(1)));
		SetUserIdAndSecContext(user, security);
		AtEOXact_GUC(true, level);
		ReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(caller);
		CurrentResourceOwner = owner;
	}
	PG_CATCH();
	{
		ErrorData *error;

		MemoryContextSwitchTo(caller);
		error = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(caller);
		CurrentResourceOwner = owner;
		if (error->sqlerrcode == ERRCODE_QUERY_CANCELED ||
			ERRCODE_TO_CATEGORY(error->sqlerrcode) == ERRCODE_OPERATOR_INTERVENTION ||
			ERRCODE_TO_CATEGORY(error->sqlerrcode) == ERRCODE_INTERNAL_ERROR)
			ReThrowError(error);
		edges = NIL;
	}
	PG_END_TRY();
	put_edges(fcinfo, edges);
	return (Datum) 0;
}

/* ---- dmp.lineage */

/* names of the registries that have it, as kind:name */
static List *
registered(const char *name)
{
	MemoryContext caller = CurrentMemoryContext;
	List *found = NIL;
	DmpArgs args = {0};
	uint64 n;
	uint64 i;

	dmp_spi_connect();
	dmp_arg_text(&args, name);
	n = dmp_spi("SELECT o FROM dmp_internal.lineage_names() o "
				"WHERE o OPERATOR(pg_catalog.=) $1 OR pg_catalog.substr(o, "
				"pg_catalog.strpos(o, ':') OPERATOR(pg_catalog.+) 1) OPERATOR(pg_catalog.=) $1 "
				"ORDER BY o COLLATE \"C\"",
				&args, true);
	for (i = 0; i < n; i++)
	{
		MemoryContext before = MemoryContextSwitchTo(caller);

		found = lappend(found, dmp_spi_text(i, 1));
		MemoryContextSwitchTo(before);
	}
	dmp_spi_finish();
	return found;
}

/* kind:name, or a relation's qualified name */
static char *
object_of(const char *name)
{
	List *found = registered(name);
	Oid relid = InvalidOid;
	List *names;

	if (strncmp(name, "table:", 6) == 0)
	{
		name += 6;
		found = NIL;
	}
	if (SplitIdentifierString(pstrdup(name), '.', &names) && names != NIL)
		relid = dmp_relation_oid(name, true);
	if (OidIsValid(relid))
		found = lappend(found, dmp_relation_name(relid));
	if (list_length(found) > 1)
		ereport(ERROR, (errcode(ERRCODE_AMBIGUOUS_PARAMETER),
						errmsg("\"%s\" is more than one object", name),
						errdetail_internal("%s", dmp_join(found, ", ")),
						errhint("Name the kind, as in \"%s\".", (char *) linitial(found))));
	if (found == NIL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT), errmsg("object \"%s\" does not exist", name),
				 errhint("It is a table or view, or source:, recipe:, feature_set: or model: "
						 "and a name.")));
	return linitial(found);
}

/* rows of a statement of one argument; columns of its result are those of the function's */
static void
put_rows(FunctionCallInfo fcinfo, const char *sql, const char *object, int columns)
{
	DmpArgs args = {0};
	Datum values[5];
	bool nulls[5];
	uint64 n;
	uint64 i;
	int j;
	int level = NewGUCNestLevel();

	/* compiling takes longer than these rows, and cannot be cancelled */
	(void) set_config_option("jit", "off", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0,
							 false);
	dmp_spi_connect();
	dmp_arg_text(&args, object);
	n = dmp_spi(sql, &args, false);
	for (i = 0; i < n; i++)
	{
		for (j = 0; j < columns; j++)
			values[j] = dmp_spi_datum(i, j + 1, &nulls[j]);
		dmp_srf_row(fcinfo, values, nulls);
	}
	dmp_spi_finish();
	AtEOXact_GUC(true, level);
}

/*
 * dmp.lineage(object text) -> TABLE(from_object, to_object, column_from,
 * column_to, kind): the edges that lead to the object and those that lead
 * from it, over any number of steps.
 */
Datum
dmp_lineage(PG_FUNCTION_ARGS)
{
	dmp_srf_begin(fcinfo);
	put_rows(fcinfo, "SELECT * FROM dmp_internal.lineage_of($1)",
			 object_of(text_to_cstring(PG_GETARG_TEXT_PP(0))), 5);
	return (Datum) 0;
}

/* dmp.lineage_events(object text) -> SETOF jsonb: OpenLineage events; NULL: of everything */
Datum
dmp_lineage_events(PG_FUNCTION_ARGS)
{
	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
	put_rows(fcinfo, "SELECT * FROM dmp_internal.openlineage_events($1)",
			 PG_ARGISNULL(0) ? NULL : object_of(text_to_cstring(PG_GETARG_TEXT_PP(0))), 1);
	return (Datum) 0;
}
