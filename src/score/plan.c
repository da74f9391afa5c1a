/*-------------------------------------------------------------------------
 * plan.c
 *		dmp.predict('model', t) planned as a function of t's columns.
 *
 * A whole row is built for each call of a function that takes one, which costs
 * more than the prediction. Where the reference is a constant and the row is
 * a table's or a subquery's, the planner is handed a call over just the
 * columns the model needs,
 *
 *		dmp_internal.predict_columns('model@3', t.a, t.b, ...)
 *
 * with the version it was planned for. The plan depends on the registry's
 * table: when that changes the plan is made anew. The right to the model is
 * checked when the plan runs. Anything unusual (no such model, a column
 * missing or of another kind, a row that an outer join may make NULL, more
 * columns than a call takes) is left as it is and meets its error, if it is
 * one, when it runs.
 *-------------------------------------------------------------------------
 */
#include "dmp.h"

#include "access/htup_details.h"
#include "catalog/pg_attribute.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "nodes/pathnodes.h"
#include "nodes/supportnodes.h"
#include "optimizer/optimizer.h"
#include "parser/parse_func.h"
#include "parser/parsetree.h"
#include "score/score.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

PG_FUNCTION_INFO_V1(dmp_predict_support);

#define MAX_COLUMNS 90 /* a call takes FUNC_MAX_ARGS, 100 */

/* A row of the nullable side of an outer join is NULL as a whole, its columns are not. */
static bool
has_outer_join(const Query *query)
{
	ListCell *lc;

	foreach (lc, query->rtable)
	{
		const RangeTblEntry *rte = lfirst(lc);

		if (rte->rtekind == RTE_JOIN && rte->jointype != JOIN_INNER)
			return true;
	}
	return false;
}

/* column of a table's row, or NULL */
static Node *
table_column(const Var *row, Oid relid, const char *name)
{
	HeapTuple tuple = SearchSysCacheAttName(relid, name);
	Form_pg_attribute att;
	Node *column = NULL;

	if (!HeapTupleIsValid(tuple))
		return NULL;
	att = (Form_pg_attribute) GETSTRUCT(tuple);
	/* a virtual column (18) is an expression by the time we are asked */
	if (att->attnum > 0 && (att->attgenerated == '\0' || att->attgenerated == 's'))
		column = (Node *) makeVar(row->varno, att->attnum, att->atttypid, att->atttypmod,
								  att->attcollation, 0);
	ReleaseSysCache(tuple);
	return column;
}

/* column of a row that is made of expressions, or NULL; a name that is there twice is none */
static Node *
row_column(const RowExpr *row, const char *name)
{
	Node *column = NULL;
	ListCell *value;
	ListCell *label;

	forboth(value, row->args, label, row->colnames)
	{
		if (strcmp(strVal(lfirst(label)), name) != 0)
			continue;
		if (column != NULL)
			return NULL;
		column = lfirst(value);
	}
	return column;
}

/* The model's columns of a row, in its order; NIL when not all can be had. */
static List *
columns_of(const DmpModel *model, Node *row, PlannerInfo *root)
{
	List *columns = NIL;
	Oid relid = InvalidOid;
	int i;

	if (IsA(row, Var))
	{
		const Var *var = (const Var *) row;
		const RangeTblEntry *rte;

		if (var->varattno != 0 || var->varlevelsup != 0)
			return NIL;
		rte = rt_fetch(var->varno, root->parse->rtable);
		if (rte->rtekind != RTE_RELATION)
			return NIL;
		relid = rte->relid;
	}
	else if (!IsA(row, RowExpr) || ((RowExpr *) row)->colnames == NIL ||
			 list_length(((RowExpr *) row)->colnames) != list_length(((RowExpr *) row)->args) ||
			 contain_volatile_functions(row))
		return NIL;
	if (dmp_model_inputs(model) > MAX_COLUMNS || has_outer_join(root->parse))
		return NIL;
	for (i = 0; i < dmp_model_inputs(model); i++)
	{
		const char *name = dmp_model_input(model, i);
		Node *column = OidIsValid(relid) ? table_column((Var *) row, relid, name)
										 : row_column((RowExpr *) row, name);

		if (column == NULL || !dmp_input_type(model, i, exprType(column)))
			return NIL;
		columns = lappend(columns, copyObject(column));
	}
	return columns;
}

static Node *
over_columns(SupportRequestSimplify *request)
{
	PlannerInfo *root = request->root;
	Const *reference = linitial(request->fcall->args);
	MemoryContext holder;
	DmpCachedModel *cached;
	List *columns;
	Node *result = NULL;

	if (root == NULL || !ActiveSnapshotSet() || list_length(request->fcall->args) != 2 ||
		!IsA(reference, Const) || reference->constisnull || reference->consttype != TEXTOID)
		return NULL;
	holder = AllocSetContextCreate(CurrentMemoryContext, "dmp plan", ALLOCSET_SMALL_SIZES);
	cached = dmp_model_hold(TextDatumGetCString(reference->constvalue), holder, true);
	columns = cached ? columns_of(cached->model, lsecond(request->fcall->args), root) : NIL;
	if (columns != NIL)
	{
		char *function = psprintf("%s_columns", get_func_name(request->fcall->funcid));
		Oid id = LookupFuncName(list_make2(makeString("dmp_internal"), makeString(function)), -1,
								NULL, true);
		char *version = psprintf("%s@%d", cached->name, cached->version);

		if (OidIsValid(id))
		{
			columns = lcons(makeConst(TEXTOID, -1, DEFAULT_COLLATION_OID, -1,
									  CStringGetTextDatum(version), false, false),
							columns);
			result =
				(Node *) makeFuncExpr(id, request->fcall->funcresulttype, columns,
									  request->fcall->funccollid, InvalidOid, COERCE_EXPLICIT_CALL);
			root->glob->relationOids =
				list_append_unique_oid(root->glob->relationOids, dmp_registry_relid());
		}
	}
	MemoryContextDelete(holder);
	return result;
}

/* planner support of the forms by reference that take a record */
Datum
dmp_predict_support(PG_FUNCTION_ARGS)
{
	Node *request = (Node *) PG_GETARG_POINTER(0);
	Node *result = NULL;

	if (IsA(request, SupportRequestSimplify))
		result = over_columns((SupportRequestSimplify *) request);
	PG_RETURN_POINTER(result);
}
