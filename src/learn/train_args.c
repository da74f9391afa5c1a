/*-------------------------------------------------------------------------
 * train_args.c
 *		The arguments and options of dmp.train.
 *
 * The whole signature is there from the first day; what is not built yet
 * raises feature_not_supported and names itself.
 *-------------------------------------------------------------------------
 */
#include "dmp.h"

#include <math.h>

#include "learn/scan.h"
#include "learn/train.h"
#include "learn/update.h"
#include "utils/array.h"
#include "utils/jsonb.h"

/* positions in dmp.train(...) */
enum
{
	ARG_MODEL,
	ARG_QUERY,
	ARG_TARGET,
	ARG_LAMBDA,
	ARG_ALPHA,
	ARG_FAMILY,
	ARG_FEATURES,
	ARG_EXCLUDE,
	ARG_KEY,
	ARG_AT,
	ARG_WEIGHT,
	ARG_BY,
	ARG_CV,
	ARG_N_LAMBDAS,
	ARG_TEST_FRACTION,
	ARG_DEPLOY,
	ARG_TOLERANCE,
	ARG_SEED,
	ARG_OPTIONS
};

static const char *const known_options[] = {
	"max_iterations", "standardize", "intercept",    "positive",    "min_count",    "split",
	"compat",         "encode",      "class_weight", "calibrate",   "impute",       "base_margin",
	"penalty_factor", "bounds",      "select",       "fold_column", "interactions", "std_err",
	"cluster",        "judge",       "lambdas",      "ftrl",        "solver",       NULL};

static char *
text_arg(FunctionCallInfo fcinfo, int i, const char *name, bool required)
{
	if (!PG_ARGISNULL(i))
		return text_to_cstring(PG_GETARG_TEXT_PP(i));
	if (required)
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("\"%s\" must not be null", name)));
	return NULL;
}

static List *
list_arg(FunctionCallInfo fcinfo, int i)
{
	return PG_ARGISNULL(i) ? NIL : dmp_text_array_to_list(PG_GETARG_ARRAYTYPE_P(i));
}

static double
number_arg(FunctionCallInfo fcinfo, int i, const char *name, double if_null, double low,
		   double high)
{
	double value = PG_ARGISNULL(i) ? if_null : PG_GETARG_FLOAT8(i);

	if (!(value >= low && value <= high) || !isfinite(value))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						isfinite(high) ? errmsg("%s must be from %g to %g", name, low, high)
									   : errmsg("%s must be a number from %g on", name, low)));
	return value;
}

static void
refuse_what_is_not_built(FunctionCallInfo fcinfo)
{
	char *family = text_arg(fcinfo, ARG_FAMILY, "family", false);

	if (family != NULL && strcmp(family, "binomial") != 0 && strcmp(family, "multinomial") != 0 &&
		strcmp(family, "gaussian") != 0 && strcmp(family, "poisson") != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("unknown family \"%s\"", family),
				 errhint("The families are binomial, multinomial, gaussian and poisson.")));
}

static void
choose(const char *what, const char *value, const char *const *choices)
{
	StringInfoData list;
	int i;

	if (value == NULL)
		return;
	initStringInfo(&list);
	for (i = 0; choices[i] != NULL; i++)
	{
		if (strcmp(value, choices[i]) == 0)
			return;
		appendStringInfo(&list, "%s\"%s\"", i > 0 ? ", " : "", choices[i]);
	}
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("unknown %s \"%s\"", what, value),
			 errdetail("It may be %s.", list.data)));
}

/* an option that is an object of columns, or NULL */
static DmpDoc *
object_option(DmpDoc *options, const char *name, const char *example)
{
	DmpDoc *doc = dmp_doc_get(options, name);

	if (doc == NULL || doc->kind == DMP_DOC_NULL)
		return NULL;
	if (doc->kind != DMP_DOC_OBJECT)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("option \"%s\" must be an object of columns", name),
						errhint("As in %s.", example)));
	return doc;
}

static void
read_options(DmpTrainArgs *args)
{
	static const char *const standardize[] = {"default", "all", "none", NULL};
	static const char *const split[] = {"hash", "time", NULL};
	static const char *const std_err[] = {"model", "robust", NULL};
	static const char *const compat[] = {"spark", "glmnet", "sklearn", NULL};
	DmpDoc *options = args->options;
	const DmpDoc *positive;
	double number, beta;

	dmp_doc_check_keys(options, "options", known_options);
	number = dmp_doc_number(options, "max_iterations", 100, "options");
	if (!(number >= 1 && number <= 1000000) || number != floor(number))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("option \"max_iterations\" must be an integer from 1 on")));
	args->max_iterations = (int) number;
	number = dmp_doc_number(options, "min_count", 10, "options");
	if (!(number >= 1 && number <= PG_INT32_MAX) || number != floor(number))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("option \"min_count\" must be an integer from 1 on")));
	args->min_count = (int) number;
	args->intercept = dmp_doc_bool(options, "intercept", true, "options");
	args->calibrate = dmp_doc_bool(options, "calibrate", true, "options");
	args->class_weight = dmp_doc_get(options, "class_weight");
	if (args->class_weight != NULL && args->class_weight->kind == DMP_DOC_NULL)
		args->class_weight = NULL;
	if (args->class_weight != NULL && args->class_weight->kind != DMP_DOC_OBJECT &&
		(args->class_weight->kind != DMP_DOC_STRING ||
		 strcmp(args->class_weight->text, "balanced") != 0))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("option \"class_weight\" must be \"balanced\" or an object"),
						errhint("As in {\"yes\": 5, \"no\": 1}.")));
	args->compat = dmp_doc_string(options, "compat", NULL, "options");
	choose("compat", args->compat, compat);
	args->standardize = dmp_doc_string(options, "standardize",
									   args->compat == NULL                   ? "default"
									   : strcmp(args->compat, "sklearn") == 0 ? "none"
																			  : "all",
									   "options");
	choose("standardize", args->standardize, standardize);
	args->judge = dmp_doc_bool(options, "judge", true, "options");
	args->cluster = dmp_doc_string(options, "cluster", NULL, "options");
	args->std_err = dmp_doc_string(options, "std_err", NULL, "options");
	choose("std_err", args->std_err, std_err);
	if (args->cluster != NULL && args->std_err != NULL && strcmp(args->std_err, "model") == 0)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("option \"cluster\" asks for robust errors, std_err \"model\" for "
							   "others")));
	args->split = dmp_doc_string(options, "split", "hash", "options");
	choose("split", args->split, split);
	/* "positive": 2, "2" and true all name a class by its text */
	positive = dmp_doc_get(options, "positive");
	if (positive != NULL && positive->kind != DMP_DOC_NULL)
	{
		if (positive->kind == DMP_DOC_ARRAY || positive->kind == DMP_DOC_OBJECT)
			ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
							errmsg("option \"positive\" must be a value of the target")));
		args->positive = positive->text;
	}
	args->penalty_factor = object_option(options, "penalty_factor", "{\"column\": 0}");
	args->bounds =
		object_option(options, "bounds", "{\"column\": [0, null]} or {\"column\": \"positive\"}");
	args->base_margin = dmp_doc_string(options, "base_margin", NULL, "options");
	args->ftrl = dmp_update_wide_options(options, &number, &beta);
}

static int
count_arg(FunctionCallInfo fcinfo, int i, const char *name, int low, int high)
{
	int value;

	if (PG_ARGISNULL(i))
		return 0;
	value = PG_GETARG_INT32(i);
	if (value < low || value > high)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("%s must be from %d to %d", name, low, high)));
	return value;
}

static int
falling(const ListCell *a, const ListCell *b)
{
	double x = *(double *) lfirst(a), y = *(double *) lfirst(b);

	return (x < y) - (x > y);
}

static void
read_lambdas(DmpTrainArgs *args)
{
	const DmpDoc *list = dmp_doc_get(args->options, "lambdas");
	double before = INFINITY;
	ListCell *lc;
	int i;

	if (list == NULL || list->kind == DMP_DOC_NULL)
		return;
	if (list->kind != DMP_DOC_ARRAY || list->n == 0 || list->n > DMP_MAX_LAMBDAS)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("option \"lambdas\" must be an array of 1 to %d numbers",
							   DMP_MAX_LAMBDAS)));
	for (i = 0; i < list->n; i++)
	{
		double *x = palloc(sizeof(double));

		if (list->items[i]->kind != DMP_DOC_NUMBER ||
			!((*x = strtod(list->items[i]->text, NULL)) > 0) || isinf(*x))
			ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
							errmsg("option \"lambdas\" must be an array of numbers above 0"),
							errhint("A fit without a penalty is one of its own: lambda => 0.")));
		args->lambdas = lappend(args->lambdas, x);
	}
	list_sort(args->lambdas, falling);
	foreach (lc, args->lambdas)
	{
		if (*(double *) lfirst(lc) == before)
			ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
							errmsg("option \"lambdas\" has %g twice", before)));
		before = *(double *) lfirst(lc);
	}
}

/* n_lambdas, cv, select, fold_column, lambdas: what goes with what */
static void
read_path(DmpTrainArgs *args, FunctionCallInfo fcinfo)
{
	static const char *const select[] = {"min", "1se", NULL};
	char *how = dmp_doc_string(args->options, "select", "min", "options");

	args->cv = count_arg(fcinfo, ARG_CV, "cv", 2, DMP_MOST_FOLDS);
	args->nlambdas = count_arg(fcinfo, ARG_N_LAMBDAS, "n_lambdas", 2, DMP_MAX_LAMBDAS);
	args->fold_column = dmp_doc_string(args->options, "fold_column", NULL, "options");
	read_lambdas(args);
	choose("select", how, select);
	args->one_se = strcmp(how, "1se") == 0;
	if (args->fold_column != NULL && args->cv == 0)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("option \"fold_column\" needs cv")));
	if (args->one_se && args->cv == 0)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("option \"select\" \"1se\" needs cv")));
	if (args->lambdas != NIL && args->nlambdas > 0)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("n_lambdas and option \"lambdas\" exclude each other")));
	if (args->lambda_given && (args->lambdas != NIL || args->nlambdas > 0))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("lambda and %s exclude each other",
							   args->nlambdas > 0 ? "n_lambdas" : "option \"lambdas\"")));
	if (args->lambdas != NIL)
		args->nlambdas = list_length(args->lambdas);
	else if (args->cv > 0 && args->lambda_given)
	{
		double *x = palloc(sizeof(double));

		*x = args->lambda;
		args->lambdas = list_make1(x);
		args->nlambdas = 1;
	}
	else if (args->cv > 0 && args->nlambdas == 0)
		args->nlambdas = 100;
	if (args->nlambdas > 0 && args->compat != NULL && strcmp(args->compat, "spark") == 0)
		ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
						errmsg("compat \"spark\" with n_lambdas or cv is not built yet")));
}

DmpTrainArgs *
dmp_train_args(FunctionCallInfo fcinfo)
{
	DmpTrainArgs *args = palloc0(sizeof(DmpTrainArgs));

	args->model = text_arg(fcinfo, ARG_MODEL, "model", true);
	args->query = text_arg(fcinfo, ARG_QUERY, "query", true);
	args->target = text_arg(fcinfo, ARG_TARGET, "target", true);
	refuse_what_is_not_built(fcinfo);
	args->lambda_given = !PG_ARGISNULL(ARG_LAMBDA);
	args->family = text_arg(fcinfo, ARG_FAMILY, "family", false);
	args->lambda = number_arg(fcinfo, ARG_LAMBDA, "lambda", 0, 0, INFINITY);
	args->alpha = number_arg(fcinfo, ARG_ALPHA, "alpha", 0, 0, 1);
	args->features = list_arg(fcinfo, ARG_FEATURES);
	if (!PG_ARGISNULL(ARG_FEATURES) && args->features == NIL)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("\"features\" is empty")));
	args->exclude = list_arg(fcinfo, ARG_EXCLUDE);
	args->key = list_arg(fcinfo, ARG_KEY);
	args->at = text_arg(fcinfo, ARG_AT, "at", false);
	args->by = list_arg(fcinfo, ARG_BY);
	if (!PG_ARGISNULL(ARG_BY) && args->by == NIL)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("\"by\" is empty")));
	args->weight = text_arg(fcinfo, ARG_WEIGHT, "weight", false);
	args->test_fraction = number_arg(fcinfo, ARG_TEST_FRACTION, "test_fraction", 0, 0, 0.99);
	args->deploy = PG_ARGISNULL(ARG_DEPLOY) || PG_GETARG_BOOL(ARG_DEPLOY);
	args->tolerance = number_arg(fcinfo, ARG_TOLERANCE, "tolerance", 1e-9, 1e-14, 1);
	args->seed = PG_ARGISNULL(ARG_SEED) ? 0 : PG_GETARG_INT64(ARG_SEED);
	args->options_jsonb = PG_ARGISNULL(ARG_OPTIONS)
							  ? DirectFunctionCall1(jsonb_in, CStringGetDatum("{}"))
							  : JsonbPGetDatum(PG_GETARG_JSONB_P(ARG_OPTIONS));
	args->options = dmp_doc_from_jsonb(args->options_jsonb, "options");
	read_options(args);
	read_path(args, fcinfo);
	return args;
}
