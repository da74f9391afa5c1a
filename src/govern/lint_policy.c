/*-------------------------------------------------------------------------
 * lint_policy.c
 *		What a row policy does for each row: calls that need no row and could
 *		be made once, volatile calls, and columns compared for equality.
 *-------------------------------------------------------------------------
 */
#include "base/base.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/indexing.h"
#include "catalog/pg_policy.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/regproc.h"
#include "utils/rel.h"
#include "utils/ruleutils.h"

PG_FUNCTION_INFO_V1(dmp_policy_facts);

typedef struct Facts
{
	Bitmapset *equal; /* columns compared by = with what needs no row */
	List *volatiles;  /* functions called with the row, as OIDs */
	bool wrapped;
} Facts;

/* checker of check_functions_in_node(): true for functions that are not immutable */
static bool
is_mutable(Oid function, void *context)
{
	return func_volatile(function) != PROVOLATILE_IMMUTABLE;
}

static bool
calls_mutable(Node *node, void *context)
{
	if (node == NULL || IsA(node, SubLink))
		return false;
	if (check_functions_in_node(node, is_mutable, context))
		return true;
	return expression_tree_walker(node, calls_mutable, context);
}

static bool
note_volatile(Oid function, void *context)
{
	Facts *facts = context;

	if (func_volatile(function) == PROVOLATILE_VOLATILE)
		facts->volatiles = list_append_unique_oid(facts->volatiles, function);
	return false;
}

/* volatile functions that are given a column */
static bool
find_volatile(Node *node, void *context)
{
	if (node == NULL || IsA(node, SubLink))
		return false;
	if (contain_var_clause(node))
		(void) check_functions_in_node(node, note_volatile, context);
	return expression_tree_walker(node, find_volatile, context);
}

static bool
is_expression(Node *node)
{
	switch (nodeTag(node))
	{
		case T_FuncExpr:
		case T_OpExpr:
		case T_DistinctExpr:
		case T_NullIfExpr:
		case T_ScalarArrayOpExpr:
		case T_BoolExpr:
		case T_CoerceViaIO:
		case T_RelabelType:
		case T_ArrayCoerceExpr:
		case T_CoalesceExpr:
		case T_CaseExpr:
		case T_NullTest:
		case T_BooleanTest:
			return true;
		default:
			return false;
	}
}

/* (SELECT expression): the planner makes it once a statement */
static Node *
wrap(Node *expression)
{
	Query *query = makeNode(Query);
	SubLink *link = makeNode(SubLink);

	query->commandType = CMD_SELECT;
	query->canSetTag = true;
	query->targetList =
		list_make1(makeTargetEntry((Expr *) expression, 1, pstrdup("?column?"), false));
	query->jointree = makeFromExpr(NIL, NULL);
	link->subLinkType = EXPR_SUBLINK;
	link->subselect = (Node *) query;
	link->location = -1;
	return (Node *) link;
}

static Node *
wrap_calls(Node *node, void *context)
{
	Facts *facts = context;

	if (node == NULL)
		return NULL;
	if (IsA(node, SubLink))
		return copyObject(node);
	if (is_expression(node) && !contain_var_clause(node) && !expression_returns_set(node) &&
		calls_mutable(node, NULL))
	{
		facts->wrapped = true;
		return wrap(copyObject(node));
	}
	return expression_tree_mutator(node, wrap_calls, context);
}

static AttrNumber
column_of(Node *node)
{
	while (node != NULL && IsA(node, RelabelType))
		node = (Node *) ((RelabelType *) node)->arg;
	return node != NULL && IsA(node, Var) ? ((Var *) node)->varattno : 0;
}

static void
find_equal(Node *node, Facts *facts)
{
	Oid op;
	List *args;
	Node *left;
	Node *right;
	char *name;
	ListCell *lc;

	if (node == NULL)
		return;
	if (IsA(node, BoolExpr))
	{
		foreach (lc, ((BoolExpr *) node)->args)
			find_equal(lfirst(lc), facts);
		return;
	}
	if (IsA(node, OpExpr))
	{
		op = ((OpExpr *) node)->opno;
		args = ((OpExpr *) node)->args;
	}
	else if (IsA(node, ScalarArrayOpExpr))
	{
		op = ((ScalarArrayOpExpr *) node)->opno;
		args = ((ScalarArrayOpExpr *) node)->args;
	}
	else if (IsA(node, SubLink) && ((SubLink *) node)->subLinkType == ANY_SUBLINK &&
			 ((SubLink *) node)->testexpr != NULL && IsA(((SubLink *) node)->testexpr, OpExpr))
	{
		op = ((OpExpr *) ((SubLink *) node)->testexpr)->opno;
		args = ((OpExpr *) ((SubLink *) node)->testexpr)->args;
	}
	else
		return;
	name = get_opname(op);
	if (list_length(args) != 2 || name == NULL || strcmp(name, "=") != 0)
		return;
	left = linitial(args);
	right = lsecond(args);
	if (column_of(left) > 0 && !contain_var_clause(right))
		facts->equal = bms_add_member(facts->equal, column_of(left));
	else if (column_of(right) > 0 && !contain_var_clause(left))
		facts->equal = bms_add_member(facts->equal, column_of(right));
}

/* What the expression is once its calls are wrapped, or NULL when there is nothing to wrap. */
static char *
look_at_expression(Datum stored, Oid relid, Facts *facts)
{
	Node *node = stringToNode(TextDatumGetCString(stored));
	Node *wrapped;
	bool before = facts->wrapped;
	bool any;

	find_equal(node, facts);
	(void) find_volatile(node, facts);
	facts->wrapped = false;
	wrapped = wrap_calls(node, facts);
	any = facts->wrapped;
	facts->wrapped |= before;
	if (!any)
		return NULL;
	return deparse_expression(wrapped, deparse_context_for(get_rel_name(relid), relid), false,
							  false);
}

static ArrayType *
numbers_of(Bitmapset *set)
{
	Datum *items = palloc(sizeof(Datum) * (bms_num_members(set) + 1));
	int n = 0;
	int member = -1;

	while ((member = bms_next_member(set, member)) >= 0)
		items[n++] = Int16GetDatum((int16) member);
	return construct_array(items, n, INT2OID, 2, true, TYPALIGN_SHORT);
}

static ArrayType *
names_of(List *functions)
{
	Datum *items = palloc(sizeof(Datum) * (list_length(functions) + 1));
	int n = 0;
	ListCell *lc;

	foreach (lc, functions)
		items[n++] = CStringGetTextDatum(format_procedure_qualified(lfirst_oid(lc)));
	return construct_array(items, n, TEXTOID, -1, false, TYPALIGN_INT);
}

/*
 * dmp_internal.policy_facts(policy oid) -> (equal_columns int2[], volatiles
 * text[], using_once text, check_once text): columns the policy compares by =
 * with what needs no row; volatile functions it calls with the row; its
 * expressions with the calls that need no row wrapped to be made once, NULL
 * where there are none. NULL for a policy that is not there.
 */
Datum
dmp_policy_facts(PG_FUNCTION_ARGS)
{
	Relation relation = table_open(PolicyRelationId, AccessShareLock);
	TupleDesc desc;
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple tuple;
	Facts facts = {0};
	Datum values[4] = {0};
	bool nulls[4] = {false, false, true, true};
	Oid relid;
	int i;

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	ScanKeyInit(&key, Anum_pg_policy_oid, BTEqualStrategyNumber, F_OIDEQ, PG_GETARG_DATUM(0));
	scan = systable_beginscan(relation, PolicyOidIndexId, true, NULL, 1, &key);
	tuple = systable_getnext(scan);
	if (!HeapTupleIsValid(tuple))
	{
		systable_endscan(scan);
		table_close(relation, AccessShareLock);
		PG_RETURN_NULL();
	}
	relid = ((Form_pg_policy) GETSTRUCT(tuple))->polrelid;
	for (i = 0; i < 2; i++)
	{
		bool isnull;
		char *once;
		Datum text =
			heap_getattr(tuple, i == 0 ? Anum_pg_policy_polqual : Anum_pg_policy_polwithcheck,
						 RelationGetDescr(relation), &isnull);

		once = isnull ? NULL : look_at_expression(text, relid, &facts);
		if (once != NULL)
		{
			nulls[i + 2] = false;
			values[i + 2] = CStringGetTextDatum(once);
		}
	}
	systable_endscan(scan);
	table_close(relation, AccessShareLock);
	values[0] = PointerGetDatum(numbers_of(facts.equal));
	values[1] = PointerGetDatum(names_of(facts.volatiles));
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls)));
}
