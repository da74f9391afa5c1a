/*-------------------------------------------------------------------------
 * lineage_query.c
 *		Which columns of which relations feed each column of a query.
 *
 * An output column is followed through joins, sub-selects, WITH entries and
 * set operations down to columns of relations; views are relations here, and
 * are followed by their own definition. What a clause reads that gives no
 * value but decides which rows there are is told by the kind of the clause,
 * for all of the output.
 *
 * A Var is resolved in the query it stands in, so the walk carries the stack of
 * queries around it, innermost first.
 *-------------------------------------------------------------------------
 */
#include "govern/lineage.h"

#include "catalog/pg_namespace.h"
#include "catalog/pg_proc.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "optimizer/tlist.h"
#include "parser/parsetree.h"
#include "utils/lsyscache.h"

/* of WITH RECURSIVE: how often an entry is followed into itself */
#define DEEPEST 64

typedef struct Walk
{
	List **edges;
	List **relations; /* OIDs of all that are read */
	List *stack;      /* of Query, innermost first */
	const char *output;
	DmpLineageKind kind;
	bool masked;
	int depth;
} Walk;

static bool walk_expression(Node *node, void *context);
static void walk_output(Query *query, int column, const Walk *walk);
static void walk_clauses(Query *query, const Walk *walk);

const char *
dmp_lineage_kind_name(DmpLineageKind kind)
{
	static const char *const names[] = {"identity", "transformation", "aggregation", "conditional",
										"filter",   "join",           "group_by",    "sort",
										"window",   "dataset"};

	return names[kind];
}

static void
add_edge(const Walk *walk, Oid relid, AttrNumber column)
{
	/* what decides about rows is about all of them */
	const char *output = walk->kind <= LINEAGE_CONDITIONAL ? walk->output : NULL;
	DmpLineageEdge *edge;
	ListCell *lc;

	foreach (lc, *walk->edges)
	{
		edge = lfirst(lc);
		if (edge->relid == relid && edge->column == column && edge->kind == walk->kind &&
			(edge->output == output ||
			 (edge->output != NULL && output != NULL && strcmp(edge->output, output) == 0)))
		{
			edge->masked |= walk->masked;
			return;
		}
	}
	edge = palloc0(sizeof(DmpLineageEdge));
	edge->output = output != NULL ? pstrdup(output) : NULL;
	edge->relid = relid;
	edge->column = column;
	edge->kind = walk->kind;
	edge->masked = walk->masked;
	*walk->edges = lappend(*walk->edges, edge);
}

/* expressions in the innermost query of walk, as input of this kind */
static void
walk_as(Node *node, const Walk *walk, DmpLineageKind kind)
{
	Walk inner = *walk;

	/* once indirect, all that is reached is; among direct ones the strongest holds */
	if (inner.kind <= LINEAGE_AGGREGATION)
		inner.kind = kind <= LINEAGE_AGGREGATION ? Max(kind, inner.kind) : kind;
	(void) walk_expression(node, &inner);
}

/* the walk, in a query below the innermost one but levels up */
static Walk
walk_into(const Walk *walk, int levels, Query *query)
{
	Walk inner = *walk;

	inner.stack = lcons(query, list_copy_tail(walk->stack, levels));
	inner.depth++;
	return inner;
}

static void
walk_relation(const RangeTblEntry *rte, AttrNumber column, const Walk *walk)
{
	if (column > 0)
		add_edge(walk, rte->relid, column);
	else if (column == 0)
	{
		AttrNumber i;

		/* the whole row */
		for (i = 1; i <= list_length(rte->eref->colnames); i++)
		{
			if (strVal(list_nth(rte->eref->colnames, i - 1))[0] != '\0')
				add_edge(walk, rte->relid, i);
		}
	}
}

static void
walk_with_entry(const RangeTblEntry *rte, AttrNumber column, const Walk *walk, int levels)
{
	int up = levels + rte->ctelevelsup;
	Query *query;
	ListCell *lc;

	if (up >= list_length(walk->stack) || walk->depth > DEEPEST)
		return;
	query = list_nth(walk->stack, up);
	foreach (lc, query->cteList)
	{
		CommonTableExpr *entry = lfirst_node(CommonTableExpr, lc);

		if (strcmp(entry->ctename, rte->ctename) == 0 && IsA(entry->ctequery, Query))
		{
			Walk inner = walk_into(walk, up, (Query *) entry->ctequery);

			walk_output((Query *) entry->ctequery, column, &inner);
			return;
		}
	}
}

static void
walk_var(const Var *var, const Walk *walk)
{
	int levels = var->varlevelsup;
	Query *query;
	RangeTblEntry *rte;
	Walk here = *walk;
	ListCell *lc;

	if (levels >= list_length(walk->stack))
		return;
	query = list_nth(walk->stack, levels);
	if (var->varno <= 0 || var->varno > list_length(query->rtable))
		return;
	rte = rt_fetch(var->varno, query->rtable);
	here.stack = list_copy_tail(walk->stack, levels);
	switch (rte->rtekind)
	{
		case RTE_RELATION:
			walk_relation(rte, var->varattno, walk);
			break;
		case RTE_SUBQUERY:
		{
			Walk inner = walk_into(walk, levels, rte->subquery);

			walk_output(rte->subquery, var->varattno, &inner);
			break;
		}
		case RTE_JOIN:
			if (var->varattno > 0 && var->varattno <= list_length(rte->joinaliasvars))
				(void) walk_expression(list_nth(rte->joinaliasvars, var->varattno - 1), &here);
			else
				(void) walk_expression((Node *) rte->joinaliasvars, &here);
			break;
		case RTE_CTE:
			walk_with_entry(rte, var->varattno, walk, levels);
			break;
		case RTE_VALUES:
			foreach (lc, rte->values_lists)
			{
				List *row = lfirst(lc);

				if (var->varattno > 0 && var->varattno <= list_length(row))
					walk_as(list_nth(row, var->varattno - 1), &here, LINEAGE_IDENTITY);
			}
			break;
		case RTE_FUNCTION:
			walk_as((Node *) rte->functions, &here, LINEAGE_TRANSFORMATION);
			break;
		case RTE_TABLEFUNC:
			walk_as(rte->tablefunc->docexpr, &here, LINEAGE_TRANSFORMATION);
			break;
#if PG_VERSION_NUM >= 180000
		case RTE_GROUP:
			if (var->varattno > 0 && var->varattno <= list_length(rte->groupexprs))
				(void) walk_expression(list_nth(rte->groupexprs, var->varattno - 1), &here);
			break;
#endif
		default:
			break;
	}
}

/* functions whose result does not show the value they are given */
static bool
is_mask(Oid function)
{
	char *schema = get_namespace_name(get_func_namespace(function));
	char *name = get_func_name(function);

	if (schema == NULL || name == NULL)
		return false;
	if (strcmp(schema, "dmp_internal") == 0)
		return strncmp(name, "mask_", 5) == 0;
	return strcmp(schema, "dmp") == 0 &&
		   (strcmp(name, "pseudonym") == 0 || strcmp(name, "token") == 0);
}

static void
walk_case(const CaseExpr *expression, const Walk *walk)
{
	ListCell *lc;

	walk_as((Node *) expression->arg, walk, LINEAGE_CONDITIONAL);
	foreach (lc, expression->args)
	{
		CaseWhen *when = lfirst_node(CaseWhen, lc);

		walk_as((Node *) when->expr, walk, LINEAGE_CONDITIONAL);
		walk_as((Node *) when->result, walk, LINEAGE_TRANSFORMATION);
	}
	walk_as((Node *) expression->defresult, walk, LINEAGE_TRANSFORMATION);
}

static void
walk_sublink(const SubLink *link, const Walk *walk)
{
	Query *query = castNode(Query, link->subselect);
	Walk inner = walk_into(walk, 0, query);
	bool gives_value = link->subLinkType == EXPR_SUBLINK || link->subLinkType == ARRAY_SUBLINK ||
					   link->subLinkType == MULTIEXPR_SUBLINK;
	int i;

	walk_as(link->testexpr, walk, LINEAGE_CONDITIONAL);
	if (inner.kind <= LINEAGE_AGGREGATION)
		inner.kind = gives_value ? Max(inner.kind, LINEAGE_TRANSFORMATION) : LINEAGE_CONDITIONAL;
	for (i = 1; link->subLinkType != EXISTS_SUBLINK && i <= list_length(query->targetList); i++)
		walk_output(query, i, &inner);
	walk_clauses(query, &inner);
}

/* walker of expression trees; never ends early */
static bool
walk_expression(Node *node, void *context)
{
	Walk *walk = context;

	if (node == NULL)
		return false;
	CHECK_FOR_INTERRUPTS();
	check_stack_depth();
	switch (nodeTag(node))
	{
		case T_Var:
			walk_var((Var *) node, walk);
			return false;
		case T_SubLink:
			walk_sublink((SubLink *) node, walk);
			return false;
		case T_CaseExpr:
			walk_case((CaseExpr *) node, walk);
			return false;
		case T_Aggref:
		{
			Aggref *aggregate = (Aggref *) node;

			walk_as((Node *) aggregate->aggdirectargs, walk, LINEAGE_AGGREGATION);
			walk_as((Node *) aggregate->args, walk, LINEAGE_AGGREGATION);
			walk_as((Node *) aggregate->aggfilter, walk, LINEAGE_CONDITIONAL);
			return false;
		}
		case T_WindowFunc:
		{
			WindowFunc *function = (WindowFunc *) node;

			walk_as((Node *) function->args, walk, LINEAGE_TRANSFORMATION);
			walk_as((Node *) function->aggfilter, walk, LINEAGE_CONDITIONAL);
			return false;
		}
		case T_FuncExpr:
		{
			Walk inner = *walk;

			inner.masked |= is_mask(((FuncExpr *) node)->funcid);
			walk_as((Node *) ((FuncExpr *) node)->args, &inner, LINEAGE_TRANSFORMATION);
			return false;
		}
		case T_RelabelType:
		case T_List:
		case T_TargetEntry:
		case T_CollateExpr:
		case T_RangeTblFunction:
			return expression_tree_walker(node, walk_expression, context);
		case T_Query:
			return false;
		default:
		{
			Walk inner = *walk;

			if (inner.kind == LINEAGE_IDENTITY)
				inner.kind = LINEAGE_TRANSFORMATION;
			return expression_tree_walker(node, walk_expression, &inner);
		}
	}
}

/* column of each arm of a set operation */
static void
walk_arms(Node *node, Query *query, int column, const Walk *walk)
{
	if (node == NULL)
		return;
	if (IsA(node, RangeTblRef))
	{
		RangeTblEntry *rte = rt_fetch(((RangeTblRef *) node)->rtindex, query->rtable);

		if (rte->rtekind == RTE_SUBQUERY)
		{
			Walk inner = walk_into(walk, 0, rte->subquery);

			walk_output(rte->subquery, column, &inner);
		}
		return;
	}
	walk_arms(((SetOperationStmt *) node)->larg, query, column, walk);
	walk_arms(((SetOperationStmt *) node)->rarg, query, column, walk);
}

/* Inputs of a column of query (from 1; 0: all), which is the innermost one of walk. */
static void
walk_output(Query *query, int column, const Walk *walk)
{
	ListCell *lc;

	if (walk->depth > DEEPEST)
		return;
	foreach (lc, query->targetList)
	{
		TargetEntry *entry = lfirst_node(TargetEntry, lc);

		if (entry->resjunk || (column > 0 && entry->resno != column))
			continue;
		if (query->setOperations != NULL)
			walk_arms(query->setOperations, query, entry->resno, walk);
		else
			walk_as((Node *) entry->expr, walk, LINEAGE_IDENTITY);
	}
}

static void
walk_join_tree(Node *node, const Walk *walk)
{
	ListCell *lc;

	if (node == NULL || IsA(node, RangeTblRef))
		return;
	if (IsA(node, FromExpr))
	{
		foreach (lc, ((FromExpr *) node)->fromlist)
			walk_join_tree(lfirst(lc), walk);
		walk_as(((FromExpr *) node)->quals, walk, LINEAGE_FILTER);
		return;
	}
	walk_join_tree(((JoinExpr *) node)->larg, walk);
	walk_join_tree(((JoinExpr *) node)->rarg, walk);
	walk_as(((JoinExpr *) node)->quals, walk, LINEAGE_JOIN);
}

static void
walk_sort_clauses(List *clauses, Query *query, const Walk *walk, DmpLineageKind kind)
{
	ListCell *lc;

	foreach (lc, clauses)
		walk_as(get_sortgroupclause_expr(lfirst(lc), query->targetList), walk, kind);
}

/* What decides which rows query gives, in it and below it; query is the innermost one of walk. */
static void
walk_clauses(Query *query, const Walk *walk)
{
	Walk here = *walk;
	ListCell *lc;

	CHECK_FOR_INTERRUPTS();
	if (walk->depth > DEEPEST)
		return;
	here.kind = LINEAGE_IDENTITY;
	here.output = NULL;
	walk_join_tree((Node *) query->jointree, &here);
	walk_as(query->havingQual, &here, LINEAGE_FILTER);
	walk_sort_clauses(query->groupClause, query, &here, LINEAGE_GROUP_BY);
	walk_sort_clauses(query->distinctClause, query, &here, LINEAGE_GROUP_BY);
	if (query->setOperations == NULL)
		walk_sort_clauses(query->sortClause, query, &here, LINEAGE_SORT);
	foreach (lc, query->windowClause)
	{
		WindowClause *window = lfirst_node(WindowClause, lc);

		walk_sort_clauses(window->partitionClause, query, &here, LINEAGE_WINDOW);
		walk_sort_clauses(window->orderClause, query, &here, LINEAGE_WINDOW);
	}
	foreach (lc, query->rtable)
	{
		RangeTblEntry *rte = lfirst_node(RangeTblEntry, lc);

		if (rte->rtekind == RTE_RELATION)
			*walk->relations = list_append_unique_oid(*walk->relations, rte->relid);
		else if (rte->rtekind == RTE_SUBQUERY)
		{
			Walk inner = walk_into(walk, 0, rte->subquery);

			walk_clauses(rte->subquery, &inner);
		}
	}
	foreach (lc, query->cteList)
	{
		CommonTableExpr *entry = lfirst_node(CommonTableExpr, lc);

		if (IsA(entry->ctequery, Query))
		{
			Walk inner = walk_into(walk, 0, (Query *) entry->ctequery);

			walk_clauses((Query *) entry->ctequery, &inner);
		}
	}
}

static bool
is_reached(List *edges, Oid relid)
{
	ListCell *lc;

	foreach (lc, edges)
	{
		if (((DmpLineageEdge *) lfirst(lc))->relid == relid)
			return true;
	}
	return false;
}

List *
dmp_query_lineage_edges(Query *query)
{
	List *edges = NIL;
	List *relations = NIL;
	Walk walk = {0};
	ListCell *lc;

	walk.edges = &edges;
	walk.relations = &relations;
	walk.stack = list_make1(query);
	foreach (lc, query->targetList)
	{
		TargetEntry *entry = lfirst_node(TargetEntry, lc);

		if (entry->resjunk)
			continue;
		walk.output = entry->resname;
		walk_output(query, entry->resno, &walk);
	}
	walk.output = NULL;
	walk_clauses(query, &walk);
	walk.kind = LINEAGE_DATASET;
	foreach (lc, relations)
	{
		if (!is_reached(edges, lfirst_oid(lc)))
			add_edge(&walk, lfirst_oid(lc), 0);
	}
	return edges;
}
