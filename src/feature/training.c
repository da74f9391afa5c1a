/*-------------------------------------------------------------------------
 * training.c
 *		dmp.labels and dmp.training_set: what was known, and what came of it.
 *
 * A label says what happened to an entity from a time t on. A training set
 * puts beside it the features as they were known strictly before t, so a model
 * learns from what it will have when it is asked. An event at exactly t
 * belongs to the label, never to the features.
 *
 * The table is one SELECT: labels once, then for every feature set an outer
 * join to its features at the keys. compile.c knows two shapes of that; which
 * one costs less is decided here from the number of labels, times, entities
 * in the labels and entities among the events (choose_dense).
 *-------------------------------------------------------------------------
 */
#include "feature/feature.h"

#include "access/genam.h"
#include "access/relation.h"
#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_type.h"
#include "commands/comment.h"
#include "utils/acl.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

PG_FUNCTION_INFO_V1(dmp_labels);
PG_FUNCTION_INFO_V1(dmp_training_set);

/* comment on the primary key of a training set; its last column is the time */
#define TRAINING_MARK "dmp training set: entity, then time"

/* ---- the primary key */

/* oid of the primary key constraint and its columns in order; InvalidOid when there is none */
static Oid
primary_key(Oid relid, List **columns)
{
	Relation rel = relation_open(relid, AccessShareLock);
	Oid index = InvalidOid;
	Relation indexrel;
	Oid constraint = InvalidOid;

	*columns = NIL;
	if (rel->rd_rel->relkind == RELKIND_RELATION ||
		rel->rd_rel->relkind == RELKIND_PARTITIONED_TABLE)
	{
		/* rd_pkindex is filled by RelationGetIndexList */
		list_free(RelationGetIndexList(rel));
		index = rel->rd_pkindex;
	}
	if (OidIsValid(index))
	{
		indexrel = index_open(index, AccessShareLock);
		for (int i = 0; i < indexrel->rd_index->indnkeyatts; i++)
			*columns =
				lappend(*columns, get_attname(relid, indexrel->rd_index->indkey.values[i], false));
		index_close(indexrel, AccessShareLock);
		constraint = get_index_constraint(index);
	}
	relation_close(rel, AccessShareLock);
	return constraint;
}

bool
dmp_training_set_key(Oid relid, List **key, char **at)
{
	List *columns;
	Oid constraint = primary_key(relid, &columns);
	char *comment;

	if (!OidIsValid(constraint) || list_length(columns) < 2)
		return false;
	comment = GetComment(constraint, ConstraintRelationId, 0);
	if (comment == NULL || strcmp(comment, TRAINING_MARK) != 0)
		return false;
	*at = llast(columns);
	*key = list_truncate(columns, list_length(columns) - 1);
	return true;
}

/* a table made here gets its primary key, and the mark when it is a training set */
static void
finish_table(const DmpInto *into, List *key, bool training, const char *comment)
{
	char *table = dmp_relation_name(into->relid);
	List *columns;
	Oid constraint;

	if (into->created)
	{
		dmp_spi(
			psprintf("ALTER TABLE %s ADD PRIMARY KEY (%s)", table, dmp_join_identifiers(key, "")),
			NULL, false);
		dmp_spi(psprintf("COMMENT ON TABLE %s IS %s", table, quote_literal_cstr(comment)), NULL,
				false);
	}
	if (!training || !pg_class_ownercheck(into->relid, GetUserId()))
		return;
	constraint = primary_key(into->relid, &columns);
	if (OidIsValid(constraint) &&
		strcmp(dmp_join_identifiers(columns, ""), dmp_join_identifiers(key, "")) == 0)
		dmp_spi(psprintf("COMMENT ON CONSTRAINT %s ON %s IS %s",
						 quote_identifier(get_constraint_name(constraint)), table,
						 quote_literal_cstr(TRAINING_MARK)),
				NULL, false);
}

/*
 * Writes the table with the memory of an index build, which this resembles,
 * and without compiling its wide aggregates, which costs more than it saves
 * (200,000 events: 1.0 s with, 0.3 s without).
 */
static DmpInto
build_table(const char *into_table, const char *select, DmpArgs *args, const char *if_exists,
			List *key)
{
	int level = NewGUCNestLevel();
	DmpInto into;

	(void) set_config_option("work_mem", psprintf("%dkB", Max(work_mem, maintenance_work_mem)),
							 PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	(void) set_config_option("jit", "off", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0,
							 false);
	into = dmp_into_table(into_table, select, args, if_exists, key);
	AtEOXact_GUC(false, level);
	return into;
}

static void
return_counts(FunctionCallInfo fcinfo, int64 rows, Datum second)
{
	Datum values[2];
	bool nulls[2] = {false, false};

	values[0] = Int64GetDatum(rows);
	values[1] = second;
	dmp_srf_row(fcinfo, values, nulls);
}

static void
check_arguments(FunctionCallInfo fcinfo, int n, const char *const *names)
{
	for (int i = 0; i < n; i++)
		if (PG_ARGISNULL(i))
			ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
							errmsg("%s must not be null", names[i])));
}

/* ---- labels */

/* refuses times whose horizon is not over: their labels could still change */
static void
check_over(const DmpFeatureSet *set, const char *end_of, Datum times)
{
	DmpArgs args = {0};
	uint64 n;

	dmp_arg(&args, TIMESTAMPTZARRAYOID, times, false);
	dmp_arg_int8(&args, set->delay);
	n = dmp_spi(psprintf("SELECT max(u.at), max(%s + $2 * interval '1 microsecond'), "
						 "count(*) FILTER (WHERE u.at IS NULL OR NOT isfinite(u.at)), "
						 "max(%s + $2 * interval '1 microsecond') > statement_timestamp() "
						 "FROM unnest($1) AS u(at)",
						 end_of, end_of),
				&args, true);
	Assert(n == 1);
	(void) n;
	if (dmp_spi_int8(0, 3, 0) > 0)
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
						errmsg("at must not hold nulls or infinite times")));
	if (dmp_spi_text(0, 1) == NULL)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("at must hold one or more times")));
	if (dmp_spi_bool(0, 4, false))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("the horizon of labels at %s is not over before %s",
							   dmp_spi_text(0, 1), dmp_spi_text(0, 2)),
						errhint("Use earlier times, or a shorter horizon.")));
}

/* SQL of u.at + horizon; days are 24 hours, months are months of UTC */
static char *
end_of_horizon(const Interval *horizon)
{
	int64 usecs = horizon->time + horizon->day * USECS_PER_DAY;
	char *months = pstrdup("u.at");

	if (horizon->month < 0 || usecs < 0 || (horizon->month == 0 && usecs == 0) ||
		abs(horizon->day) > 365000)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("horizon must be longer than zero")));
	if (horizon->month > 0)
		months = psprintf("(u.at AT TIME ZONE 'UTC' + interval '%d months') AT TIME ZONE 'UTC'",
						  horizon->month);
	return usecs > 0 ? psprintf("%s + %s", months, dmp_feature_interval(usecs)) : months;
}

/*
 * dmp.labels(feature_set, outcome, horizon, at[], into_table, if_exists) ->
 * TABLE(rows, positives). Entities known before each time, by the set's own
 * rule (its entities query, else an event known before); label: any event with
 * the outcome in [at, at + horizon).
 */
Datum
dmp_labels(PG_FUNCTION_ARGS)
{
	static const char *const names[] = {"feature_set", "outcome",    "horizon",
										"at",          "into_table", "if_exists"};
	DmpFeatureSet *set;
	DmpArgs args = {0};
	DmpInto into;
	char *outcome;
	char *end_of;
	char *into_table;
	List *key;
	ListCell *lc;

	check_arguments(fcinfo, lengthof(names), names);
	dmp_srf_begin(fcinfo);
	dmp_spi_connect();
	set = dmp_feature_load(text_to_cstring(PG_GETARG_TEXT_PP(0)), false);
	if (set->at == NULL)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("feature set \"%s\" has no times, so nothing comes after another",
							   set->name),
						errhint("Create it with the argument \"at\".")));
	foreach (lc, set->entity)
		if (strcmp(lfirst(lc), "label") == 0)
			ereport(ERROR, (errcode(ERRCODE_DUPLICATE_COLUMN),
							errmsg("an entity column of labels must not be called \"label\"")));
	outcome = dmp_feature_expression(set->events, text_to_cstring(PG_GETARG_TEXT_PP(1)), true, true,
									 "outcome", NULL, NULL);
	end_of = end_of_horizon(PG_GETARG_INTERVAL_P(2));
	check_over(set, end_of, PG_GETARG_DATUM(3));
	into_table = text_to_cstring(PG_GETARG_TEXT_PP(4));

	key = lappend(list_copy(set->entity), "at");
	dmp_arg(&args, TIMESTAMPTZARRAYOID, PG_GETARG_DATUM(3), false);
	into = build_table(into_table, dmp_feature_select_labels(set, outcome, end_of), &args,
					   text_to_cstring(PG_GETARG_TEXT_PP(5)), key);
	finish_table(&into, key, false,
				 psprintf("labels of feature set %s: %s within %s", set->name,
						  text_to_cstring(PG_GETARG_TEXT_PP(1)),
						  DatumGetCString(DirectFunctionCall1(interval_out, PG_GETARG_DATUM(2)))));
	dmp_spi(psprintf("SELECT count(*) FROM %s WHERE label AND at = ANY ($1)",
					 dmp_relation_name(into.relid)),
			&args, false);
	return_counts(fcinfo, into.rows, Int64GetDatum(dmp_spi_int8(0, 1, 0)));
	dmp_spi_finish();
	PG_RETURN_NULL();
}

/* ---- training sets */

/* the feature sets by name; no two columns of one name among them */
static List *
load_sets(List *names, List **columns)
{
	List *sets = NIL;
	ListCell *lc;
	ListCell *c;

	if (names == NIL)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("feature_sets must name one or more feature sets")));
	foreach (lc, names)
	{
		DmpFeatureSet *set = dmp_feature_load(lfirst(lc), false);

		foreach (c, set->columns)
		{
			const char *name = ((DmpFeatureColumn *) lfirst(c))->name;

			if (dmp_list_has(*columns, name))
				ereport(ERROR, (errcode(ERRCODE_DUPLICATE_COLUMN),
								errmsg("two feature sets have a column \"%s\"", name),
								errdetail("The second is \"%s\".", set->name)));
			*columns = lappend(*columns, (char *) name);
		}
		if (set->at == NULL)
			ereport(NOTICE, (errmsg("features of \"%s\" are not point in time", set->name),
							 errdetail("Every label sees what the table says now.")));
		sets = lappend(sets, set);
	}
	return sets;
}

/* the labels query has the entity columns, at and columns of its own; returns the latter */
static List *
check_labels(TupleDesc desc, List *sets, List *entity, List *features)
{
	List *names = dmp_column_names(desc);
	List *labels = NIL;
	ListCell *lc;
	Oid type;

	foreach (lc, entity)
		(void) dmp_column_number(desc, lfirst(lc), "labels: ");
	type = TupleDescAttr(desc, dmp_column_number(desc, "at", "labels: ") - 1)->atttypid;
	if (type != TIMESTAMPTZOID)
		ereport(ERROR, (errcode(ERRCODE_DATATYPE_MISMATCH),
						errmsg("labels: column \"at\" is %s, not timestamp with time zone",
							   format_type_be(type)),
						errhint("Say in which zone it is: at AT TIME ZONE 'UTC' AS at.")));
	foreach (lc, names)
	{
		const char *name = lfirst(lc);

		if (dmp_list_has(features, name))
			ereport(ERROR,
					(errcode(ERRCODE_DUPLICATE_COLUMN),
					 errmsg("labels have a column \"%s\", and so have the feature sets", name)));
		if (dmp_list_has(labels, name))
			ereport(ERROR, (errcode(ERRCODE_DUPLICATE_COLUMN),
							errmsg("labels have two columns \"%s\"", name)));
		if (strcmp(name, "at") != 0 && !dmp_list_has(entity, name))
			labels = lappend(labels, (char *) name);
	}
	return labels;
}

/* number of distinct entities among the events by the server's statistics; 0: not known */
static double
estimated_entities(const DmpFeatureSet *set)
{
	DmpArgs args = {0};

	dmp_arg_oid(&args, set->events);
	dmp_arg_text_array(&args, set->entity);
	dmp_spi("SELECT coalesce(max(CASE WHEN s.n_distinct < 0 THEN -s.n_distinct * "
			"greatest(c.reltuples, 0) ELSE s.n_distinct END), 0)::float8 "
			"FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
			"JOIN pg_catalog.pg_stats s ON s.schemaname = n.nspname AND s.tablename = c.relname "
			"WHERE c.oid = $1 AND s.attname::text = ANY ($2)",
			&args, true);
	return dmp_spi_float8(0, 1, 0);
}

/*
 * Dense costs one grouped scan a time: times x events. Sparse joins labels and
 * events: labels x events an entity, at 1.5 times the price a row (measured).
 * With few labels of many entities the second is far below one scan.
 */
static bool
choose_dense(const DmpFeatureSet *set, const char *labels)
{
	double rows;
	double times;
	double entities = estimated_entities(set);

	/* one pass over the labels; a second when the server has no statistics of the events */
	dmp_spi(psprintf("SELECT coalesce(sum(a.n), 0)::int8, count(*) FROM "
					 "(SELECT count(*) AS n FROM (%s) AS q GROUP BY q.at) AS a",
					 labels),
			NULL, false);
	rows = dmp_spi_int8(0, 1, 0);
	times = dmp_spi_int8(0, 2, 0);
	if (entities < 1)
	{
		dmp_spi(psprintf("SELECT count(*) FROM (SELECT FROM (%s) AS q GROUP BY %s) AS a", labels,
						 dmp_join_identifiers(set->entity, "q.")),
				NULL, false);
		entities = Max(dmp_spi_int8(0, 1, 0), 1);
	}
	return times < 1.5 * rows / entities + 0.2;
}

/* the whole SELECT: entity, at, features, labels */
static char *
training_select(List *sets, List *entity, List *labels, const char *query)
{
	StringInfoData columns;
	StringInfoData joins;
	ListCell *lc;
	ListCell *c;

	initStringInfo(&columns);
	initStringInfo(&joins);
	foreach (lc, sets)
	{
		DmpFeatureSet *set = lfirst(lc);
		char *alias = psprintf("f%d", foreach_current_index(lc));
		bool dense = set->at != NULL && choose_dense(set, query);

		dmp_progress("features of \"%s\" by %s", set->name,
					 dense ? "a scan for each time" : "a join with the labels");
		foreach (c, set->columns)
		{
			DmpFeatureColumn *column = lfirst(c);
			const char *name = quote_identifier(column->name);
			const char *empty = dmp_feature_empty(column);

			appendStringInfo(&columns, empty ? ", coalesce(%s.%s, %s) AS %s" : ", %s.%s", alias,
							 name, empty, name);
		}
		appendStringInfo(&joins, "\nLEFT JOIN (%s) AS %s ON %s%s",
						 dmp_feature_select_keys(set, "l", dense), alias,
						 dmp_feature_match(set->entity, alias, "l"),
						 set->at ? psprintf(" AND %s.at = l.at", alias) : "");
	}
	return psprintf("WITH l AS MATERIALIZED (SELECT * FROM (%s) AS q)\nSELECT %s, l.at%s%s%s\n"
					"FROM l%s",
					query, dmp_join_identifiers(entity, "l."), columns.data, labels ? ", " : "",
					dmp_join_identifiers(labels, "l."), joins.data);
}

/*
 * dmp.training_set(feature_sets, labels, into_table, if_exists) ->
 * TABLE(rows, features). One row a label, with every feature as known strictly
 * before its time; primary key entity and at.
 */
Datum
dmp_training_set(PG_FUNCTION_ARGS)
{
	static const char *const names[] = {"feature_sets", "labels", "into_table", "if_exists"};
	List *features = NIL;
	List *entity = NIL;
	List *set_names;
	List *sets;
	List *labels;
	List *key;
	char *query;
	DmpInto into;
	ListCell *lc;

	check_arguments(fcinfo, lengthof(names), names);
	dmp_srf_begin(fcinfo);
	dmp_spi_connect();
	set_names = dmp_text_array_to_list(PG_GETARG_ARRAYTYPE_P(0));
	sets = load_sets(set_names, &features);
	foreach (lc, sets)
	{
		ListCell *e;

		foreach (e, ((DmpFeatureSet *) lfirst(lc))->entity)
			if (!dmp_list_has(entity, lfirst(e)))
				entity = lappend(entity, lfirst(e));
	}
	query = dmp_query_select(text_to_cstring(PG_GETARG_TEXT_PP(1)), "labels");
	labels = check_labels(dmp_query_columns(query, NULL, NULL), sets, entity, features);
	key = lappend(list_copy(entity), "at");
	into = build_table(text_to_cstring(PG_GETARG_TEXT_PP(2)),
					   training_select(sets, entity, labels, query), NULL,
					   text_to_cstring(PG_GETARG_TEXT_PP(3)), key);
	finish_table(&into, key, true,
				 psprintf("training set of feature set %s, labels: %s", dmp_join(set_names, ", "),
						  text_to_cstring(PG_GETARG_TEXT_PP(1))));
	return_counts(fcinfo, into.rows, Int32GetDatum(list_length(features)));
	dmp_spi_finish();
	PG_RETURN_NULL();
}
