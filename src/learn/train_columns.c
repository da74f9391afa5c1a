/*-------------------------------------------------------------------------
 * train_columns.c
 *		What the columns of a training query are: target, weight, split,
 *		features; and the SELECT that hands them to the fit.
 *
 * A boolean target, and a number that is 0 and 1, are turned into 0 and 1
 * within that SELECT, so that no scan is spent on looking at them first: a
 * value that is neither raises an error on the way. A text target, or one
 * whose positive value is named, is looked at in a scan of its own.
 *-------------------------------------------------------------------------
 */
#include "dmp.h"

#include <math.h>

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "learn/encode.h"
#include "lib/stringinfo.h"
#include "utils/lsyscache.h"
#include "utils/plancache.h"
#include "utils/typcache.h"

#define FOLD_SEED INT64CONST(0x666f6c6473) /* folds of encoders are not those held out */

static char *
column_sql(const char *name)
{
	return psprintf("q.%s", quote_identifier(name));
}

/* Number of a column that is there once; prefix as in dmp_column_number(). */
int
dmp_train_column_number(TupleDesc desc, const char *name, const char *prefix)
{
	int found = dmp_column_number(desc, name, prefix) - 1;
	int i;

	for (i = 0; i < desc->natts; i++)
	{
		if (i != found && !TupleDescAttr(desc, i)->attisdropped &&
			strcmp(NameStr(TupleDescAttr(desc, i)->attname), name) == 0)
			ereport(ERROR, (errcode(ERRCODE_AMBIGUOUS_COLUMN),
							errmsg("%scolumn \"%s\" is in the query twice", prefix, name)));
	}
	return found;
}

static Oid
column_type(TupleDesc desc, const char *name, const char *prefix)
{
	return TupleDescAttr(desc, dmp_train_column_number(desc, name, prefix))->atttypid;
}

/* --------------------------------------------------------------- target */

static const char *
with_thousands(int64 n)
{
	char digits[32];
	char *result = palloc0(48);
	int length = snprintf(digits, sizeof(digits), INT64_FORMAT, n);
	int k = 0;
	int i;

	for (i = 0; i < length; i++)
	{
		result[k++] = digits[i];
		if ((length - i) % 3 == 1 && i < length - 1)
			result[k++] = ',';
	}
	return result;
}

void
dmp_train_refuse_one_class(const char *target, const char *value, int64 rows)
{
	ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					errmsg("target \"%s\" has one value (%s) in %s rows", target, value,
						   with_thousands(rows)),
					errhint("A model needs rows of both classes.")));
}

/* Looks at a target's values in a scan and decides which is the positive one. */
static char *
two_values(DmpTrainArgs *args, DmpTrainPlan *plan, const char *column)
{
	char *value[2];
	int64 rows;
	uint64 n;
	int chosen;

	dmp_progress("train: looking at the values of target \"%s\"", args->target);
	n = dmp_spi(psprintf("SELECT (%s)::text COLLATE \"C\" AS v, count(*) FROM (%s) AS q "
						 "WHERE %s IS NOT NULL GROUP BY 1 ORDER BY 1 LIMIT 3",
						 column, plan->query->select, column),
				NULL, true);
	plan->scans++;
	if (n == 0)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("target \"%s\" has no value in the query", args->target)));
	value[0] = dmp_spi_text(0, 1);
	rows = dmp_spi_int8(0, 2, 0);
	if (n == 1)
		dmp_train_refuse_one_class(args->target, value[0], rows);
	value[1] = dmp_spi_text(1, 1);
	if (n > 2 && args->family == NULL && args->positive == NULL)
		return dmp_train_classes_sql(args, plan, column);
	if (n > 2)
		ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
						errmsg("target \"%s\" has more than two values", args->target),
						errdetail("Among them are \"%s\", \"%s\" and \"%s\".", value[0], value[1],
								  dmp_spi_text(2, 1)),
						errhint("Family \"multinomial\" tells more than two classes apart.")));
	if (args->positive != NULL)
	{
		chosen = strcmp(args->positive, value[1]) == 0;
		if (!chosen && strcmp(args->positive, value[0]) != 0)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("target \"%s\" has no value \"%s\"", args->target, args->positive),
					 errdetail("Its values are \"%s\" and \"%s\".", value[0], value[1])));
	}
	else
	{
		chosen = dmp_is_positive_name(value[0]) && !dmp_is_positive_name(value[1]) ? 0 : 1;
		ereport(NOTICE, (errmsg("target \"%s\": \"%s\" is positive, \"%s\" negative", args->target,
								value[chosen], value[1 - chosen]),
						 errhint("options => '{\"positive\": ...}' chooses.")));
	}
	plan->positive = value[chosen];
	plan->negative = value[1 - chosen];
	return psprintf("CASE WHEN (%s)::text COLLATE \"C\" = %s THEN 1 WHEN %s IS NOT NULL THEN 0 "
					"END::float8",
					column, quote_literal_cstr(plan->positive), column);
}

/* Distinct numbers of the target, at most three of them, in value; how many. */
static int
target_values(DmpTrainArgs *args, DmpTrainPlan *plan, const char *limit, char **value)
{
	char *column = column_sql(args->target);
	uint64 n;
	uint64 i;

	n = dmp_spi(psprintf("SELECT DISTINCT v::text FROM (SELECT %s::float8 AS v FROM (%s) AS q%s) "
						 "AS s WHERE v IS NOT NULL AND v <> 'NaN' ORDER BY 1 LIMIT 3",
						 column, plan->query->select, limit),
				NULL, true);
	for (i = 0; i < n; i++)
		value[i] = dmp_spi_text(i, 1);
	return (int) n;
}

static bool
all_zero_or_one(char **value, int n)
{
	while (n > 0)
	{
		n--;
		if (strcmp(value[n], "0") != 0 && strcmp(value[n], "1") != 0)
			return false;
	}
	return true;
}

/*
 * Family of a target of numbers of which some are neither 0 nor 1. Two values
 * are two classes, but which is positive nobody has said.
 */
static void
decide_number_family(DmpTrainArgs *args, DmpTrainPlan *plan)
{
	char *value[3];
	int n;

	dmp_progress("train: looking at the values of target \"%s\"", args->target);
	n = target_values(args, plan, "", value);
	plan->scans++;
	if (n == 1)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("target \"%s\" has one value (%s)", args->target, value[0]),
						errhint("There is nothing to learn from it.")));
	if (n == 2)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("target \"%s\" has two values, %s and %s: a class or a number?",
						args->target, value[0], value[1]),
				 errhint("For classes name the positive one: options => '{\"positive\": \"%s\"}'; "
						 "for a number give the family: family => 'gaussian' or 'poisson'.",
						 value[1])));
	args->family = "gaussian";
}

/* whether the first rows of the query can be had for little */
static bool
first_rows_are_cheap(DmpTrainPlan *plan)
{
	SPIPlanPtr prepared;
	CachedPlan *cached;
	double cost = 0;
	ListCell *lc;

	prepared =
		SPI_prepare(psprintf("SELECT * FROM (%s) AS q LIMIT 1000", plan->query->select), 0, NULL);
	if (prepared == NULL)
		elog(ERROR, "SPI_prepare failed: %s", SPI_result_code_string(SPI_result));
	cached = SPI_plan_get_cached_plan(prepared);
	foreach (lc, cached ? cached->stmt_list : NIL)
		cost += lfirst_node(PlannedStmt, lc)->planTree->total_cost;
	if (cached)
		ReleaseCachedPlan(cached, NULL);
	SPI_freeplan(prepared);
	return cost < 2000;
}

/*
 * A number without a family: 0 and 1 are classes, anything else is a number.
 * What the first rows do not say, the fit itself finds out on the way.
 */
static char *
number_sql(DmpTrainArgs *args, DmpTrainPlan *plan, const char *column)
{
	char *value[3];
	int n;

	if (first_rows_are_cheap(plan))
	{
		n = target_values(args, plan, " LIMIT 1000", value);
		if (n > 2)
			args->family = "gaussian";
		else if (!all_zero_or_one(value, n))
			decide_number_family(args, plan);
	}
	if (args->family == NULL)
		plan->spec.guess = true;
	else
		plan->spec.family = DMP_GAUSSIAN;
	return psprintf("%s::float8", column);
}

/* A target of family gaussian or poisson. */
static char *
quantity_sql(DmpTrainArgs *args, DmpTrainPlan *plan, const char *column, Oid type)
{
	plan->spec.family = strcmp(args->family, "poisson") == 0 ? DMP_POISSON : DMP_GAUSSIAN;
	if (args->positive != NULL)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("option \"positive\" is for two classes, family \"%s\" has none",
							   args->family)));
	if (args->class_weight != NULL)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("option \"class_weight\" is for two classes, family \"%s\" has none",
							   args->family)));
	switch (dmp_value_kind(type))
	{
		case DMP_VALUE_NUMBER:
			return psprintf("%s::float8", column);
		case DMP_VALUE_BOOLEAN:
			return psprintf("%s::boolean::int::float8", column);
		default:
			ereport(ERROR, (errcode(ERRCODE_DATATYPE_MISMATCH),
							errmsg("target \"%s\" is of type %s, family \"%s\" needs a number",
								   args->target, format_type_be(type), args->family)));
	}
	return NULL;
}

static char *
target_sql(DmpTrainArgs *args, DmpTrainPlan *plan)
{
	char *column = column_sql(args->target);
	Oid type = column_type(plan->query->desc, args->target, "target: ");

	if (args->family != NULL && strcmp(args->family, "multinomial") == 0)
	{
		if (dmp_value_kind(type) == DMP_VALUE_OTHER || dmp_value_kind(type) == DMP_VALUE_TEXTS)
			ereport(ERROR,
					(errcode(ERRCODE_DATATYPE_MISMATCH),
					 errmsg("target \"%s\" is of type %s", args->target, format_type_be(type))));
		return dmp_train_classes_sql(args, plan, column);
	}
	if (args->family != NULL && strcmp(args->family, "binomial") != 0)
		return quantity_sql(args, plan, column, type);
	plan->positive = "true";
	plan->negative = "false";
	switch (dmp_value_kind(type))
	{
		case DMP_VALUE_BOOLEAN:
			if (args->positive == NULL || strcmp(args->positive, "true") == 0)
				return psprintf("%s::boolean::int::float8", column);
			if (strcmp(args->positive, "false") != 0)
				ereport(ERROR,
						(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						 errmsg("target \"%s\" has no value \"%s\"", args->target, args->positive),
						 errdetail("It is true or false.")));
			plan->positive = "false";
			plan->negative = "true";
			return psprintf("(NOT %s::boolean)::int::float8", column);
		case DMP_VALUE_NUMBER:
			if (args->positive != NULL)
				return two_values(args, plan, column);
			plan->positive = "1";
			plan->negative = "0";
			if (args->family == NULL)
				return number_sql(args, plan, column);
			return psprintf("CASE WHEN %s = 0 THEN 0::float8 WHEN %s = 1 THEN 1::float8 "
							"WHEN %s IS NOT NULL AND %s::float8 <> 'NaN' "
							"THEN dmp_internal.refuse_target(%s::text, %s) END",
							column, column, column, column, column,
							quote_literal_cstr(args->target));
		case DMP_VALUE_TEXT:
			return two_values(args, plan, column);
		default:
			break;
	}
	ereport(ERROR, (errcode(ERRCODE_DATATYPE_MISMATCH),
					errmsg("target \"%s\" is of type %s", args->target, format_type_be(type)),
					errdetail("A target is a boolean, a number or a text.")));
	return NULL;
}

/* ------------------------------------------------------ weight and split */

static char *
weight_sql(DmpTrainArgs *args, DmpTrainPlan *plan)
{
	char *column = column_sql(args->weight);
	Oid type = column_type(plan->query->desc, args->weight, "weight: ");

	if (dmp_value_kind(type) != DMP_VALUE_NUMBER)
		ereport(ERROR, (errcode(ERRCODE_DATATYPE_MISMATCH),
						errmsg("weight \"%s\" is of type %s, not a number", args->weight,
							   format_type_be(type))));
	return psprintf("CASE WHEN %s >= 0 AND %s::float8 < 'infinity' THEN %s::float8 "
					"ELSE dmp_internal.refuse_weight(%s::text, %s) END",
					column, column, column, column, quote_literal_cstr(args->weight));
}

static char *
base_margin_sql(DmpTrainArgs *args, DmpTrainPlan *plan)
{
	Oid type = column_type(plan->query->desc, args->base_margin, "option \"base_margin\": ");

	if (dmp_value_kind(type) != DMP_VALUE_NUMBER)
		ereport(ERROR, (errcode(ERRCODE_DATATYPE_MISMATCH),
						errmsg("base_margin \"%s\" is of type %s, not a number", args->base_margin,
							   format_type_be(type))));
	if (strcmp(args->base_margin, args->target) == 0)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("target \"%s\" cannot be the base_margin", args->target)));
	return psprintf("%s::float8", column_sql(args->base_margin));
}

/* The later rows are the test rows: those after the point where test_fraction of them is left. */
static char *
split_by_time_sql(DmpTrainArgs *args, DmpTrainPlan *plan)
{
	char *column;
	char *cut;
	Oid type;

	if (args->at == NULL)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("a split by time needs the column of the time"),
						errhint("Name it: at => '...'.")));
	column = column_sql(args->at);
	type = column_type(plan->query->desc, args->at, "at: ");
	dmp_spi(
		psprintf("SELECT percentile_disc(%.17g) WITHIN GROUP (ORDER BY %s)::text FROM (%s) AS q",
				 1 - args->test_fraction, column, plan->query->select),
		NULL, true);
	plan->scans++;
	cut = dmp_spi_text(0, 1);
	if (cut == NULL)
		return pstrdup("0.999::float8");
	return psprintf("CASE WHEN %s > %s::%s THEN 0 ELSE 0.999 END::float8", column,
					quote_literal_cstr(cut), format_type_be_qualified(type));
}

/* a number in [0, 1) from the values of columns */
static char *
hash_sql(List *columns, int64 seed)
{
	return dmp_train_hash_sql(columns, seed);
}

static char *
split_sql(DmpTrainArgs *args, DmpTrainPlan *plan)
{
	if (strcmp(args->split, "time") == 0)
		return split_by_time_sql(args, plan);
	if (args->key != NIL)
		return hash_sql(args->key, args->seed);
	return hash_sql(lappend(list_copy(plan->feature_names), args->target), args->seed);
}

/* where a row goes: test rows (by split, NULL: there are none) and the rest, folds */
static char *
place_sql(DmpTrainArgs *args, DmpTrainPlan *plan, char *split)
{
	char *fold;

	if (args->cv == 0)
		return split;
	fold = dmp_train_fold_sql(args, plan);
	if (split == NULL)
		return fold;
	return psprintf("CASE WHEN %s < %.17g THEN -1::float8 ELSE %s END", split, args->test_fraction,
					fold);
}

/* SQL of "a training row", for rows that have a place */
static char *
is_training_sql(DmpTrainArgs *args)
{
	return args->cv > 0 ? "split >= 0" : psprintf("split >= %.17g", args->test_fraction);
}

/* ------------------------------------------------------------- features */

/* Names of the features: those given, or what is left of the columns. */
static List *
feature_names(DmpTrainArgs *args, TupleDesc desc)
{
	List *taken = lappend(list_copy(args->key), args->target);
	List *names = NIL;
	ListCell *lc;

	if (args->at != NULL)
		taken = lappend(taken, args->at);
	if (args->weight != NULL)
		taken = lappend(taken, args->weight);
	if (args->cluster != NULL)
	{
		(void) dmp_train_column_number(desc, args->cluster, "cluster: ");
		taken = lappend(taken, args->cluster);
	}
	if (args->base_margin != NULL)
		taken = lappend(taken, args->base_margin);
	if (args->fold_column != NULL)
		taken = lappend(taken, args->fold_column);
	taken = list_concat(taken, args->by);
	foreach (lc, args->key)
		(void) dmp_train_column_number(desc, lfirst(lc), "key: ");
	foreach (lc, args->exclude)
		(void) dmp_column_number(desc, lfirst(lc), "exclude: ");
	if (args->at != NULL)
		(void) dmp_train_column_number(desc, args->at, "at: ");
	dmp_train_check_encode(args, desc);
	foreach (lc, args->features != NIL ? args->features : dmp_column_names(desc))
	{
		const char *name = lfirst(lc);
		const char *encode;
		Oid type;

		if (args->features != NIL && strcmp(name, args->target) == 0)
			ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
							errmsg("target \"%s\" cannot be a feature", name)));
		if (args->base_margin != NULL && args->features != NIL &&
			strcmp(name, args->base_margin) == 0)
			ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
							errmsg("base_margin \"%s\" cannot be a feature", name)));
		if (args->features == NIL && dmp_list_has(taken, name))
			continue;
		if (dmp_list_has(args->exclude, name))
			continue;
		type = column_type(desc, name, "features: ");
		encode = dmp_train_encode_of(args, name, dmp_value_kind(type));
		if (encode != NULL && strcmp(encode, "drop") == 0)
			continue;
		if (dmp_list_has(names, name))
			ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
							errmsg("feature \"%s\" is named twice", name)));
		names = lappend(names, pstrdup(name));
	}
	if (names == NIL)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("no column is left to be a feature")));
	return names;
}

/*
 * The fold of a row, by its key, so that rows of one key share a fold. Without
 * a key rows that are equal in all the fit knows of them are dealt out: which
 * of them gets which fold makes no difference.
 */
static char *
fold_sql(DmpTrainArgs *args, DmpTrainPlan *plan, const char *train)
{
	int64 seed = args->seed ^ FOLD_SEED;
	char *hash =
		args->key != NIL
			? hash_sql(args->key, seed)
			: psprintf("dmp_internal.split(" INT64_FORMAT ", q.dmp_hash, q.dmp_copy)", seed);
	char *fold = psprintf("floor(%s * %d)::int4", hash, DMP_ENCODE_FOLDS);

	return train == NULL ? fold : psprintf("CASE WHEN %s THEN %s END", train, fold);
}

/* Appends the features' columns to the SELECT, and FROM; their state is fitted on the way. */
static void
add_features(DmpTrainArgs *args, DmpTrainPlan *plan, const char *target, const char *split,
			 StringInfo sql)
{
	DmpFitSpec *spec = &plan->spec;
	DmpEncodeWishes *wishes = dmp_train_wishes(args, plan->query->desc, plan->feature_names);
	DmpEncodeRows rows = {0};
	char *fold = NULL;
	int i;

	rows.from = psprintf("(%s) AS q", plan->query->select);
	rows.target = target;
	rows.weight = args->weight != NULL ? weight_sql(args, plan) : NULL;
	if (args->test_fraction > 0)
		rows.train = psprintf("%s >= %.17g", split, args->test_fraction);
	if (dmp_encode_is_crossed(wishes))
	{
		if (args->key == NIL)
		{
			List *columns = lappend(list_copy(plan->feature_names), args->target);

			if (args->weight != NULL)
				columns = lappend(columns, args->weight);
			rows.from = psprintf("(SELECT q.*, row_number() OVER (PARTITION BY q.dmp_hash) AS "
								 "dmp_copy FROM (SELECT q.*, %s AS dmp_hash FROM %s) AS q) AS q",
								 hash_sql(columns, args->seed), rows.from);
		}
		/* OFFSET 0: the fold is worked out once a row, not for each of its columns */
		rows.from = psprintf("(SELECT q.*, %s AS dmp_fold FROM %s OFFSET 0) AS q",
							 fold_sql(args, plan, rows.train), rows.from);
		rows.fold = fold = "q.dmp_fold";
	}
	spec->features = dmp_encode_fit(wishes, &rows, args, plan, &spec->nfeatures);
	for (i = 0; i < spec->nfeatures; i++)
		appendStringInfo(sql, ", %s AS f%d", dmp_encode_sql(&spec->features[i], fold), i + 1);
	/* arrays come last: what reads columns by place reads none of them */
	for (i = 0; i < spec->nfeatures; i++)
	{
		if (dmp_feature_elements(&spec->features[i]) > 0)
			appendStringInfo(sql, ", q.%s AS a%d", dmp_encode_array(&spec->features[i]), i + 1);
	}
	appendStringInfo(sql, " FROM %s", dmp_encode_from(spec->features, spec->nfeatures, rows.from));
}

/* ----------------------------------------------------------------- plan */

/* what option class_weight says of a class */
static double
given_class_weight(const DmpDoc *weights, const char *class)
{
	double weight = dmp_doc_number(weights, class, 1, "option \"class_weight\"");

	if (!(weight > 0) || isinf(weight))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("option \"class_weight\" of \"%s\" must be a number above 0", class)));
	return weight;
}

/* W / (2 W_k), with which both classes weigh the same; a scan counts them */
static void
balance_classes(DmpTrainArgs *args, DmpTrainPlan *plan, const char *weight)
{
	double negative;
	double positive;

	dmp_progress("train: weighing the classes");
	dmp_spi(psprintf("SELECT sum(%s) FILTER (WHERE s.target = 0), "
					 "sum(%s) FILTER (WHERE s.target = 1) FROM (%s) AS s%s",
					 weight, weight, plan->spec.select_sql,
					 args->test_fraction > 0 ? psprintf(" WHERE s.%s", is_training_sql(args)) : ""),
			NULL, true);
	plan->scans++;
	negative = dmp_spi_float8(0, 1, 0);
	positive = dmp_spi_float8(0, 2, 0);
	if (negative > 0 && positive > 0)
	{
		plan->class_weight[0] = (negative + positive) / (2 * negative);
		plan->class_weight[1] = (negative + positive) / (2 * positive);
	}
}

/* Multiplies each row's weight by that of its class. */
static void
weigh_classes(DmpTrainArgs *args, DmpTrainPlan *plan)
{
	const char *weight = args->weight != NULL ? "s.weight" : "1::float8";
	StringInfoData sql;
	int i;

	plan->class_weight[0] = plan->class_weight[1] = 1;
	if (args->class_weight == NULL)
		return;
	if (plan->classes != NULL)
		ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
						errmsg("class_weight with more than two classes is not built yet"),
						errhint("Weigh the rows in the query: weight => 'column'.")));
	if (args->class_weight->kind == DMP_DOC_OBJECT)
	{
		const char *classes[3] = {plan->positive, plan->negative, NULL};

		dmp_doc_check_keys(args->class_weight, "option \"class_weight\"", classes);
		plan->class_weight[0] = given_class_weight(args->class_weight, plan->negative);
		plan->class_weight[1] = given_class_weight(args->class_weight, plan->positive);
	}
	else
		balance_classes(args, plan, weight);
	initStringInfo(&sql);
	appendStringInfo(&sql,
					 "SELECT s.target, %s * CASE s.target WHEN 1 THEN '%.17g'::float8 "
					 "ELSE '%.17g'::float8 END AS weight",
					 weight, plan->class_weight[1], plan->class_weight[0]);
	if (args->test_fraction > 0 || args->cv > 0)
		appendStringInfoString(&sql, ", s.split");
	if (args->cluster != NULL)
		appendStringInfoString(&sql, ", s.cluster");
	if (args->base_margin != NULL)
		appendStringInfoString(&sql, ", s.base_margin");
	for (i = 1; i <= plan->spec.nfeatures; i++)
		appendStringInfo(&sql, ", s.f%d", i);
	for (i = 0; i < plan->spec.nfeatures; i++)
	{
		if (dmp_feature_elements(&plan->spec.features[i]) > 0)
			appendStringInfo(&sql, ", s.a%d", i + 1);
	}
	for (i = 1; i <= list_length(args->by); i++)
		appendStringInfo(&sql, ", s.g%d", i);
	appendStringInfo(&sql, " FROM (%s) AS s", plan->spec.select_sql);
	plan->spec.select_sql = sql.data;
	plan->spec.has_weight = true;
}

/*
 * Spark divides by n - 1 where everybody else divides by n. With r = sqrt(n /
 * (n - 1)) its lambda and alpha are lambda (alpha r + (1 - alpha) r^2) and
 * alpha r / (alpha r + (1 - alpha) r^2) of ours. Gaussian: the ridge part is
 * also divided by the target's deviation (scaled_target), theirs by n - 1, and
 * one r is gone.
 */
static void
convert_spark(DmpTrainArgs *args, DmpTrainPlan *plan)
{
	double n;
	double r;
	double factor;

	if (args->compat == NULL || strcmp(args->compat, "spark") != 0 || args->lambda == 0)
		return;
	if (plan->spec.family == DMP_POISSON)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("compat \"spark\" is not there for family \"poisson\""),
				 errdetail("Spark's generalised linear models have no standardised penalty."),
				 errhint("standardize \"none\" has its objective.")));
	if (plan->spec.has_weight)
		ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
						errmsg("compat \"spark\" with a weight is not built yet")));
	dmp_spi(psprintf("SELECT count(*) FROM (%s) AS s WHERE target IS NOT NULL%s",
					 plan->spec.select_sql,
					 args->test_fraction > 0 ? psprintf(" AND %s", is_training_sql(args)) : ""),
			NULL, true);
	plan->scans++;
	n = (double) dmp_spi_int8(0, 1, 0);
	if (n < 2)
		return;
	r = sqrt(n / (n - 1));
	factor = args->alpha * r + (1 - args->alpha) * r * (plan->spec.family == DMP_GAUSSIAN ? 1 : r);
	plan->spec.lambda = args->lambda * factor;
	plan->spec.alpha = args->alpha * r / factor;
}

/* everything after the rows are known */
static void
make_plan(DmpTrainArgs *args, DmpTrainPlan *plan)
{
	DmpFitSpec *spec = &plan->spec;
	StringInfoData sql;
	char *target;
	char *split = NULL;
	ListCell *lc;

	initStringInfo(&sql);
	target = plan->target_sql = target_sql(args, plan);
	appendStringInfo(&sql, "SELECT %s AS target", target);
	if (args->weight != NULL)
		appendStringInfo(&sql, ", %s AS weight", weight_sql(args, plan));
	if (args->test_fraction > 0)
		split = plan->split_sql = split_sql(args, plan);
	if (args->test_fraction > 0 || args->cv > 0)
	{
		char *place = place_sql(args, plan, split);

		plan->place_sql = args->cv > 0 ? place : NULL;
		appendStringInfo(&sql, ", %s AS split", place);
	}
	if (args->cluster != NULL)
		appendStringInfo(&sql, ", %s AS cluster", column_sql(args->cluster));
	if (args->base_margin != NULL)
		appendStringInfo(&sql, ", %s AS base_margin", base_margin_sql(args, plan));
	dmp_train_by_sql(args, plan, &sql);
	add_features(args, plan, target, split, &sql);

	spec->select_sql = sql.data;
	spec->target = args->target;
	spec->scaled_target = spec->family == DMP_GAUSSIAN && args->compat != NULL &&
						  strcmp(args->compat, "sklearn") != 0;
	spec->base_margin = args->base_margin;
	spec->has_weight = args->weight != NULL;
	spec->robust = args->std_err != NULL && strcmp(args->std_err, "robust") == 0;
	spec->has_cluster = args->cluster != NULL;
	spec->cluster_name = args->cluster;
	spec->test_fraction = args->test_fraction;
	spec->lambda = args->lambda;
	spec->alpha = args->alpha;
	spec->intercept = args->intercept;
	spec->standardize = args->standardize;
	spec->min_count = args->min_count;
	spec->tolerance = args->tolerance;
	spec->max_iterations = args->max_iterations;
	spec->seed = args->seed;
	spec->nlambdas = args->nlambdas;
	spec->nfolds = args->cv;
	spec->one_se = args->one_se;
	spec->keep_wide = !args->ftrl && args->class_weight == NULL && args->penalty_factor == NULL;
	if (args->nlambdas > 1)
		spec->no_errors = "lambda was chosen by the same rows";
	if (args->lambdas != NIL)
	{
		spec->lambdas = palloc(sizeof(double) * args->nlambdas);
		foreach (lc, args->lambdas)
			spec->lambdas[foreach_current_index(lc)] = *(double *) lfirst(lc);
	}
	weigh_classes(args, plan);
	convert_spark(args, plan);
	dmp_train_choose_encodes(args, plan);
	dmp_train_limits(args, plan);
	dmp_train_by_refuse(args, plan);
}

DmpTrainPlan *
dmp_train_plan(DmpTrainArgs *args)
{
	DmpTrainPlan *plan = palloc0(sizeof(DmpTrainPlan));

	plan->query = dmp_train_query(args->query);
	if (args->key == NIL)
		args->key = plan->query->key;
	if (args->at == NULL)
		args->at = plan->query->at;
	(void) dmp_train_column_number(plan->query->desc, args->target, "target: ");
	plan->feature_names = feature_names(args, plan->query->desc);
	make_plan(args, plan);
	return plan;
}

void
dmp_train_plan_again(DmpTrainArgs *args, DmpTrainPlan *plan)
{
	memset(&plan->spec, 0, sizeof(plan->spec));
	plan->positive = plan->negative = NULL;
	decide_number_family(args, plan);
	make_plan(args, plan);
}
