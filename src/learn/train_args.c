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

#include "learn/train.h"
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

static const char *const known_options[] = {"max_iterations", "standardize",  "intercept",
											"positive",       "min_count",    "split",
											"compat",         "encode",       "class_weight",
											"calibrate",      "impute",       "base_margin",
											"penalty_factor", "bounds",       "select",
											"fold_column",    "interactions", "std_err",
											"cluster",        "judge",        NULL};
static const char *const later_options[] = {"select", "fold_column"};

static void
pg_attribute_noreturn() not_built(const char *what, const char *hint)
{
	ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED), errmsg("%s is not built yet", what),
					errhint("%s", hint)));
}

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
	if (!PG_ARGISNULL(ARG_CV))
		not_built("argument \"cv\"", "Hold rows out with test_fraction, and compare test_roc_auc.");
	if (!PG_ARGISNULL(ARG_N_LAMBDAS))
		not_built("argument \"n_lambdas\"", "Give one lambda, and compare test_roc_auc.");
	if (!PG_ARGISNULL(ARG_BY))
		not_built("argument \"by\"", "Train one model a group: name it after the group, and let "
									 "the query choose its rows.");
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
	double number;
	int i;

	dmp_doc_check_keys(options, "options", known_options);
	for (i = 0; i < lengthof(later_options); i++)
	{
		if (dmp_doc_get(options, later_options[i]) != NULL)
			not_built(psprintf("option \"%s\"", later_options[i]), "Leave it out.");
	}
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
	return args;
}
