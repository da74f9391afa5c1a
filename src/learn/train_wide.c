/*-------------------------------------------------------------------------
 * train_wide.c
 *		dmp.train with hashed columns or a target of several classes.
 *
 * A text column with more than 100 values among the first rows is no list of
 * levels. When its values are prose, 3 words and more on the average, it
 * becomes n-grams, else its values are hashed. One that turns out to have so
 * many levels only later is found after the fit, which is done again then.
 *-------------------------------------------------------------------------
 */
#include "dmp.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "learn/scan.h"
#include "learn/text.h"
#include "learn/train.h"
#include "learn/transform.h"
#include "lib/stringinfo.h"

#define LOOK_ROWS 1000
#define MANY_LEVELS 100
#define PROSE_WORDS 3
#define MAX_CLASSES 1000

/* --------------------------------------------------------------- target */

char *
dmp_train_classes_sql(DmpTrainArgs *args, DmpTrainPlan *plan, const char *column)
{
	StringInfoData list;
	uint64 n;
	uint64 i;

	if (args->positive != NULL)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("option \"positive\" is for two classes, family \"multinomial\" "
							   "has no positive one")));
	n = dmp_spi(psprintf("SELECT DISTINCT (%s)::text COLLATE \"C\" AS v FROM (%s) AS q "
						 "WHERE %s IS NOT NULL ORDER BY 1 LIMIT %d",
						 column, plan->query->select, column, MAX_CLASSES + 1),
				NULL, true);
	plan->scans++;
	if (n == 0)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("target \"%s\" has no value in the query", args->target)));
	if (n > MAX_CLASSES)
		ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
						errmsg("target \"%s\" has more than %d values", args->target, MAX_CLASSES),
						errhint("If it is a number to predict, give it as one.")));
	plan->classes = palloc(sizeof(char *) * n);
	plan->spec.nclasses = (int) n;
	initStringInfo(&list);
	for (i = 0; i < n; i++)
	{
		plan->classes[i] = dmp_spi_text(i, 1);
		appendStringInfo(&list, "%s%s", i > 0 ? ", " : "", quote_literal_cstr(plan->classes[i]));
	}
	if (n == 1)
	{
		dmp_spi(psprintf("SELECT count(*) FROM (%s) AS q WHERE %s IS NOT NULL", plan->query->select,
						 column),
				NULL, true);
		dmp_train_refuse_one_class(args->target, plan->classes[0], dmp_spi_int8(0, 1, 0));
	}
	plan->positive = plan->negative = "";
	return psprintf("(array_position(ARRAY[%s]::text[] COLLATE \"C\", (%s)::text) - 1)::float8",
					list.data, column);
}

/* -------------------------------------------------------------- encodes */

static int
integer_option(const DmpDoc *doc, const char *key, int if_missing, int low, int high)
{
	double value = dmp_doc_number(doc, key, if_missing, "option \"encode\"");

	if (value != floor(value) || value < low || value > high)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("\"%s\" of option \"encode\" must be an integer from %d to %d", key,
							   low, high)));
	return (int) value;
}

static void
make_wide(DmpTrainArgs *args, DmpFeature *feature, DmpEncode encode)
{
	DmpDoc *option = dmp_train_encode_item(args, feature->name, dmp_encode_kind(encode));
	bool ngrams = encode == DMP_ENCODE_NGRAMS;

	feature->encode = encode;
	feature->bits = ngrams ? DMP_GRAM_BITS : DMP_VALUE_BITS;
	feature->min_rows = ngrams ? 2 : 1;
	if (option != NULL && option->kind == DMP_DOC_OBJECT)
	{
		feature->bits = integer_option(option, "bits", feature->bits, 1, DMP_MAX_BITS);
		feature->min_rows = integer_option(option, "min_count", feature->min_rows, 1, PG_INT32_MAX);
	}
}

bool
dmp_train_wide_option(DmpTrainArgs *args, DmpFeature *feature, const char *encode)
{
	bool ngrams = strcmp(encode, "ngrams") == 0;
	bool set = feature->encode == DMP_ENCODE_MULTI_HOT;

	if (!ngrams && strcmp(encode, "hash") != 0)
		return false;
	if (set && !ngrams)
		make_wide(args, feature, DMP_ENCODE_MULTI_HOT);
	else if (!set && (feature->encode == DMP_ENCODE_ONE_HOT || DMP_ENCODE_IS_WIDE(feature->encode)))
		make_wide(args, feature, ngrams ? DMP_ENCODE_NGRAMS : DMP_ENCODE_HASH);
	else
		ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
						errmsg("column \"%s\" of type %s cannot be encoded as \"%s\"",
							   feature->name, format_type_be(feature->type), encode),
						errhint("Cast it to text in the query.")));
	return true;
}

/* Whether a text feature may become wide by itself: nobody has said what it is. */
static bool
is_open(DmpTrainArgs *args, const DmpFeature *feature)
{
	if (feature->transform != NULL && feature->transform->kind == DMP_TRANSFORM_PAIR)
		return feature->encode == DMP_ENCODE_ONE_HOT;
	if (feature->transform != NULL && feature->transform->kind != DMP_TRANSFORM_FILL)
		return false;
	return feature->encode == DMP_ENCODE_ONE_HOT &&
		   dmp_train_encode_of(args, feature->name, DMP_VALUE_TEXT) == NULL;
}

/*
 * Looks at the columns for which look is set; those of many levels become
 * wide (or all, when it is known already that they have so many).
 */
static void
look_at(DmpTrainArgs *args, DmpTrainPlan *plan, const bool *look, bool known)
{
	DmpFitSpec *spec = &plan->spec;
	DmpTokenizer *tokenizer = dmp_tokenizer_make(CurrentMemoryContext);
	const char *separator = "";
	StringInfoData sql;
	uint64 n;
	uint64 k;
	int column = 0;
	int i;

	initStringInfo(&sql);
	appendStringInfoString(&sql, "SELECT ");
	for (i = 0; i < spec->nfeatures; i++)
	{
		if (!look[i])
			continue;
		appendStringInfo(&sql, "%sf%d", separator, i + 1);
		separator = ", ";
	}
	appendStringInfo(&sql, " FROM (%s) AS s LIMIT %d", spec->select_sql, LOOK_ROWS);
	n = dmp_spi(sql.data, NULL, true);
	for (i = 0; i < spec->nfeatures; i++)
	{
		DmpDictionary levels;
		int64 words = 0;
		int64 values = 0;

		if (!look[i])
			continue;
		column++;
		dmp_dictionary_init(&levels);
		for (k = 0; k < n; k++)
		{
			char *text = dmp_spi_text(k, column);
			int length;

			CHECK_FOR_INTERRUPTS();
			if (text == NULL)
				continue;
			length = strlen(text);
			(void) dmp_dictionary_code(&levels, text, length, true);
			words += dmp_text_words(tokenizer, text, length);
			values++;
			pfree(text);
		}
		if (known || levels.n > MANY_LEVELS)
			make_wide(args, &spec->features[i],
					  words >= PROSE_WORDS * values ? DMP_ENCODE_NGRAMS : DMP_ENCODE_HASH);
	}
}

void
dmp_train_choose_encodes(DmpTrainArgs *args, DmpTrainPlan *plan)
{
	DmpFitSpec *spec = &plan->spec;
	bool *look = palloc0(sizeof(bool) * Max(spec->nfeatures, 1));
	bool any = false;
	int i;

	for (i = 0; i < spec->nfeatures; i++)
	{
		look[i] = is_open(args, &spec->features[i]);
		any |= look[i];
	}
	if (any)
		look_at(args, plan, look, false);
	pfree(look);
}

/* ------------------------------------------------------------------ fit */

static bool
is_wide(const DmpFitSpec *spec)
{
	int i;

	for (i = 0; i < spec->nfeatures; i++)
	{
		if (DMP_ENCODE_IS_WIDE(spec->features[i].encode))
			return true;
	}
	return spec->nclasses > 0;
}

static DmpFit *
fit_wide(DmpTrainArgs *args, DmpTrainPlan *plan)
{
	DmpFitSpec *spec = &plan->spec;
	DmpFit *fit;

	if (args->compat != NULL && strcmp(args->compat, "spark") == 0)
		ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
						errmsg("compat \"spark\" with hashed columns or several classes is not "
							   "built yet")));
	if (spec->base_margin != NULL && spec->nclasses > 0)
		ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
						errmsg("option \"base_margin\" with several classes is not built yet")));
	if (spec->lower != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("option \"bounds\" is not there with hashed columns or several classes"),
				 errhint("Leave text columns of many values out with exclude.")));
	if (!args->lambda_given && args->nlambdas == 0)
		spec->lambda = NAN;
	fit = dmp_fit_wide(spec);
	fit->no_errors = "hashed columns and several classes have none";
	return fit;
}

/* many levels, or many rows and not one value that is there often enough to be a level */
bool
dmp_train_many_levels(DmpTrainArgs *args, const DmpFeature *asked, const DmpFeature *fitted)
{
	return is_open(args, asked) && (fitted->nlevels > MANY_LEVELS ||
									(fitted->nlevels == 0 && fitted->rows_other > MANY_LEVELS));
}

static DmpFit *
fit_plan(DmpTrainArgs *args, DmpTrainPlan *plan)
{
	DmpFitSpec *spec = &plan->spec;
	DmpFit *fit;
	bool *look;
	bool any = false;
	int i;

	if (args->by != NIL)
		return dmp_train_fit_groups(args, plan);
	if (is_wide(spec))
		return fit_wide(args, plan);
	fit = dmp_fit_binomial(spec);
	look = palloc0(sizeof(bool) * Max(spec->nfeatures, 1));
	/* a base margin, which comes last, is none of the columns that were chosen */
	for (i = 0; i < Min(fit->design.nfeatures, spec->nfeatures); i++)
	{
		look[i] = dmp_train_many_levels(args, &spec->features[i], &fit->design.features[i]);
		any |= look[i];
	}
	if (any)
	{
		int scans = fit->scans;

		look_at(args, plan, look, true);
		fit = fit_wide(args, plan);
		fit->scans += scans;
	}
	pfree(look);
	return fit;
}

DmpFit *
dmp_train_fit(DmpTrainArgs *args, DmpTrainPlan *plan)
{
	DmpFit *fit = fit_plan(args, plan);

	if (fit->status == DMP_FIT_NOT_BINARY)
	{
		plan->scans += fit->scans;
		dmp_train_plan_again(args, plan);
		plan->spec.memory = (int64) dmp_training_memory * 1024;
		fit = fit_plan(args, plan);
	}
	return fit;
}
