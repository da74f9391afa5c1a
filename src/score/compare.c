/*-------------------------------------------------------------------------
 * compare.c
 *		Which of two models is better on the same rows: dmp.compare.
 *
 * Both score each row, so the tests are paired; difference is a - b. roc_auc:
 * DeLong's test (paired_auc.c), against the normal distribution. Everything
 * else is a mean over rows (losses, hits, errors): Student's t on the rows'
 * differences.
 *
 *		two classes		roc_auc, log_loss, brier_score
 *		more			accuracy, log_loss
 *		numbers			mse, mae, and mean_deviance of two models of family poisson
 *
 * With weights the means are weighted and the variance is
 * sum w^2 (d - mean)^2 / (sum w)^2 * n / (n - 1); roc_auc has no test then,
 * DeLong's variance is of rows that count alike.
 *
 * With scores => '{score,shadow_score}' the rows carry what the two models
 * said of them when they were scored, and need not have the features any more.
 *
 * The rows are read once, by a cursor. Means need no memory; roc_auc sorts,
 * within dmp.training_memory and in temporary files past it.
 *-------------------------------------------------------------------------
 */
#include "dmp.h"

#include <math.h>

#include "base/base.h"
#include "executor/spi.h"
#include "math/metrics.h"
#include "math/student.h"
#include "score/paired.h"
#include "score/score.h"
#include "utils/array.h"
#include "utils/memutils.h"

PG_FUNCTION_INFO_V1(dmp_compare);

#define NORMAL_975 1.959963984540054
#define FETCH 1000
#define MAX_METRICS 3

enum
{
	ARG_MODEL_A,
	ARG_MODEL_B,
	ARG_QUERY,
	ARG_WEIGHT,
	ARG_SCORES
};

/* what is compared */
typedef enum Kind
{
	KIND_TWO,     /* margins of two classes */
	KIND_SCORES,  /* stored scores of two classes */
	KIND_CLASSES, /* probabilities of several */
	KIND_NUMBERS
} Kind;

typedef struct Comparing
{
	Kind kind;
	const DmpModelRow *rows[2];
	DmpModel *models[2];
	int n; /* metrics that are means */
	const char *names[MAX_METRICS];
	DmpPaired means[MAX_METRICS];
	DmpPairedAuc *auc; /* of two classes */
} Comparing;

typedef struct Comparison
{
	double a, b, difference, low, high, p; /* NaN: NULL */
} Comparison;

/* --------------------------------------------------------------- means */

void
dmp_paired_add(DmpPaired *p, double a, double b, double weight)
{
	double square = weight * weight;
	double d = (a - b) - p->square_mean;

	p->rows += 1;
	p->weight += weight;
	p->mean_a += (a - p->mean_a) * weight / p->weight;
	p->mean_b += (b - p->mean_b) * weight / p->weight;
	p->mean += ((a - b) - p->mean) * weight / p->weight;
	p->square += square;
	p->square_mean += d * square / p->square;
	p->square_m2 += square * d * ((a - b) - p->square_mean);
}

double
dmp_paired_variance(const DmpPaired *p)
{
	double shift = p->square_mean - p->mean;

	return (p->square_m2 + p->square * shift * shift) / (p->weight * p->weight) * p->rows /
		   (p->rows - 1);
}

/* ------------------------------------------------------------ the rows */

static double
score_loss(double p, int label)
{
	if (p < 0 || p > 1)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("the score %g is no probability", p)));
	return dmp_log_loss_probability(p, label);
}

static void
add_two(Comparing *c, const double *scores, int label, double weight)
{
	double loss[2];
	double brier[2];
	int m;

	for (m = 0; m < 2; m++)
	{
		double p = c->kind == KIND_SCORES ? scores[m] : dmp_model_score(c->models[m], scores[m]);

		loss[m] = c->kind == KIND_SCORES ? score_loss(p, label)
										 : dmp_model_loss(c->models[m], scores[m], label);
		brier[m] = (p - label) * (p - label);
	}
	dmp_paired_auc_add(c->auc, scores[0], scores[1], label, weight);
	dmp_paired_add(&c->means[0], loss[0], loss[1], weight);
	dmp_paired_add(&c->means[1], brier[0], brier[1], weight);
}

static void
add_numbers(Comparing *c, const double *margins, double y, double weight)
{
	double square[2];
	double size[2];
	double deviance[2] = {0, 0};
	int m;

	for (m = 0; m < 2; m++)
	{
		double mu = dmp_model_score(c->models[m], margins[m]);

		square[m] = (y - mu) * (y - mu);
		size[m] = fabs(y - mu);
		if (c->n == 3)
			deviance[m] = 2 * ((y > 0 ? y * (log(y) - margins[m]) : 0) - (y - mu));
	}
	dmp_paired_add(&c->means[0], square[0], square[1], weight);
	dmp_paired_add(&c->means[1], size[0], size[1], weight);
	if (c->n == 3)
		dmp_paired_add(&c->means[2], deviance[0], deviance[1], weight);
}

static void
add_classes(Comparing *c, uint64 i, int columns[2], int label, double weight)
{
	double right[2];
	double loss[2];
	int m;

	for (m = 0; m < 2; m++)
	{
		bool isnull;
		ArrayType *array = DatumGetArrayTypeP(dmp_spi_datum(i, columns[m], &isnull));
		const double *p = (const double *) ARR_DATA_PTR(array);
		int best = 0;
		int k;

		for (k = 1; k < c->models[m]->nclasses; k++)
		{
			if (p[k] > p[best])
				best = k;
		}
		right[m] = best == label;
		loss[m] = dmp_log_loss_probability(p[label], 1);
	}
	dmp_paired_add(&c->means[0], right[0], right[1], weight);
	dmp_paired_add(&c->means[1], loss[0], loss[1], weight);
}

/* row i of the result: a, b, label, weight */
static void
add_row(Comparing *c, uint64 i)
{
	int columns[2] = {1, 2};
	bool nulls[4];
	double scores[2];
	double weight;
	double label;
	int k;

	for (k = 0; k < 4; k++)
		(void) dmp_spi_datum(i, k + 1, &nulls[k]);
	weight = dmp_spi_float8(i, 4, 0);
	if (nulls[0] || nulls[1] || nulls[2] || weight == 0)
		return;
	if (c->kind == KIND_CLASSES)
	{
		add_classes(c, i, columns, dmp_class_number(c->models[0], dmp_spi_text(i, 3)), weight);
		return;
	}
	for (k = 0; k < 2; k++)
	{
		scores[k] = dmp_spi_float8(i, k + 1, 0);
		if (isnan(scores[k]))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("a score is not a number")));
	}
	label = dmp_spi_float8(i, 3, 0);
	if (c->kind == KIND_NUMBERS)
		add_numbers(c, scores, label, weight);
	else
		add_two(c, scores, label == 1, weight);
}

static void
read_rows(Comparing *c, const char *sql, DmpArgs *args)
{
	MemoryContext scratch =
		AllocSetContextCreate(CurrentMemoryContext, "dmp compare", ALLOCSET_DEFAULT_SIZES);
	Portal portal = SPI_cursor_open_with_args(NULL, sql, args->n, args->types, args->values,
											  args->nulls, true, 0);
	uint64 i;

	for (;;)
	{
		SPI_cursor_fetch(portal, true, FETCH);
		if (SPI_processed == 0)
			break;
		for (i = 0; i < SPI_processed; i++)
		{
			MemoryContext old = MemoryContextSwitchTo(scratch);

			add_row(c, i);
			MemoryContextSwitchTo(old);
			MemoryContextReset(scratch);
		}
		SPI_freetuptable(SPI_tuptable);
	}
	SPI_cursor_close(portal);
}

/* ----------------------------------------------------------- the tests */

/* se is of the difference, half the standard errors to the ends of the interval */
static void
set_interval(Comparison *c, double se, double half)
{
	if (isnan(se) || isnan(c->difference))
		return;
	c->low = c->difference - half * se;
	c->high = c->difference + half * se;
}

/* Two models without any variance of the difference are the same (p 1), or not to be tested. */
static double
p_without_variance(double difference)
{
	return difference == 0 ? 1 : NAN;
}

static void
put_comparison(FunctionCallInfo fcinfo, const char *metric, const Comparison *c)
{
	const double numbers[] = {c->a, c->b, c->difference, c->low, c->high, c->p};
	Datum values[1 + lengthof(numbers)];
	bool nulls[1 + lengthof(numbers)];
	int i;

	values[0] = CStringGetTextDatum(metric);
	nulls[0] = false;
	for (i = 0; i < lengthof(numbers); i++)
	{
		values[i + 1] = Float8GetDatum(numbers[i]);
		nulls[i + 1] = isnan(numbers[i]);
	}
	dmp_srf_row(fcinfo, values, nulls);
}

static void
put_auc(FunctionCallInfo fcinfo, Comparing *comparing)
{
	Comparison c = {NAN, NAN, NAN, NAN, NAN, NAN};
	double se;

	dmp_paired_auc_end(comparing->auc, &c.a, &c.b, &c.difference, &se);
	set_interval(&c, se, NORMAL_975);
	if (!isnan(se))
		c.p = se > 0 ? erfc(fabs(c.difference / se) / M_SQRT2) : p_without_variance(c.difference);
	put_comparison(fcinfo, "roc_auc", &c);
}

static void
put_mean(FunctionCallInfo fcinfo, const char *metric, const DmpPaired *p)
{
	Comparison c = {p->mean_a, p->mean_b, p->mean, NAN, NAN, NAN};

	if (p->rows > 1)
	{
		double se = sqrt(dmp_paired_variance(p));

		set_interval(&c, se, dmp_student_975(p->rows - 1));
		c.p = se > 0 ? dmp_student_p(c.difference / se, p->rows - 1)
					 : p_without_variance(c.difference);
	}
	put_comparison(fcinfo, metric, &c);
}

/* --------------------------------------------------------- dmp.compare */

static char *
outcomes(const DmpModel *model)
{
	if (model->nclasses > 0)
		return psprintf("%d classes of \"%s\"", model->nclasses, model->target);
	if (model->link != DMP_BINOMIAL)
		return psprintf("\"%s\", a number", model->target);
	return psprintf("\"%s\" or \"%s\" of \"%s\"", model->positive, model->negative, model->target);
}

static bool
same_outcomes(const DmpModel *a, const DmpModel *b)
{
	int i;

	if (strcmp(a->target, b->target) != 0 || a->nclasses != b->nclasses ||
		(a->link == DMP_BINOMIAL) != (b->link == DMP_BINOMIAL))
		return false;
	for (i = 0; i < a->nclasses; i++)
	{
		if (strcmp(a->classes[i], b->classes[i]) != 0)
			return false;
	}
	return a->link != DMP_BINOMIAL || a->nclasses > 0 ||
		   (strcmp(a->positive, b->positive) == 0 && strcmp(a->negative, b->negative) == 0);
}

void
dmp_check_outcomes(const DmpModelRow *const *rows, DmpModel *const *models)
{
	if (!same_outcomes(models[0], models[1]))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("the models predict different things"),
						errdetail("\"%s\" version %d: %s; \"%s\" version %d: %s.", rows[0]->name,
								  rows[0]->version, outcomes(models[0]), rows[1]->name,
								  rows[1]->version, outcomes(models[1]))));
}

/* by what the models are compared; error when they predict different things */
static void
begin_comparing(Comparing *c, bool stored)
{
	static const char *const names[][MAX_METRICS] = {{"log_loss", "brier_score"},
													 {"log_loss", "brier_score"},
													 {"accuracy", "log_loss"},
													 {"mse", "mae", "mean_deviance"}};
	const DmpModel *a = c->models[0];
	const DmpModel *b = c->models[1];

	dmp_check_outcomes(c->rows, c->models);
	if (stored && (a->nclasses > 0 || a->link != DMP_BINOMIAL))
		ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
						errmsg("stored scores are compared of models of two classes only"),
						errhint("Name rows with the features instead.")));
	c->kind = a->nclasses > 0           ? KIND_CLASSES
			  : a->link != DMP_BINOMIAL ? KIND_NUMBERS
			  : stored                  ? KIND_SCORES
										: KIND_TWO;
	c->n = c->kind == KIND_NUMBERS && a->link == DMP_POISSON && b->link == DMP_POISSON ? 3 : 2;
	memcpy(c->names, names[c->kind], sizeof(c->names));
	if (c->kind == KIND_TWO || c->kind == KIND_SCORES)
		c->auc = dmp_paired_auc_begin();
}

/* expressions over q of what the two models say of a row */
static void
score_columns(FunctionCallInfo fcinfo, const Comparing *c, const DmpLabelled *rows, char **columns)
{
	List *names;
	int m;

	if (c->kind != KIND_SCORES)
	{
		for (m = 0; m < 2; m++)
			columns[m] = psprintf(c->kind == KIND_CLASSES ? "dmp_internal.class_scores($%d, q.*)"
														  : "dmp.margin($%d, q.*)",
								  m + 1);
		return;
	}
	names = dmp_text_array_to_list(PG_GETARG_ARRAYTYPE_P(ARG_SCORES));
	if (list_length(names) != 2)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("\"scores\" names two columns, one for each model"),
						errhint("scores => '{score,shadow_score}'.")));
	for (m = 0; m < 2; m++)
	{
		char *name = list_nth(names, m);
		Oid type = TupleDescAttr(rows->desc, dmp_column_number(rows->desc, name, "scores: ") - 1)
					   ->atttypid;

		if (dmp_value_kind(type) != DMP_VALUE_NUMBER)
			ereport(ERROR, (errcode(ERRCODE_DATATYPE_MISMATCH),
							errmsg("score \"%s\" is of type %s, not a number", name,
								   format_type_be(type))));
		columns[m] = psprintf("q.%s::float8", quote_identifier(name));
	}
}

/* dmp.compare(model_a, model_b, query, weight, scores) -> (metric, a, b, difference, low, high, p) */
Datum
dmp_compare(PG_FUNCTION_ARGS)
{
	static const char *const names[] = {"model_a", "model_b", "query"};
	Comparing comparing = {.kind = KIND_TWO};
	bool stored = !PG_ARGISNULL(ARG_SCORES);
	DmpLabelled *rows;
	DmpArgs args = {0};
	char *columns[2];
	char *query;
	int i;

	for (i = 0; i < lengthof(names); i++)
	{
		if (PG_ARGISNULL(i))
			ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
							errmsg("\"%s\" must not be null", names[i])));
	}
	dmp_srf_begin(fcinfo);
	query = text_to_cstring(PG_GETARG_TEXT_PP(ARG_QUERY));
	for (i = 0; i < 2; i++)
	{
		comparing.rows[i] = dmp_model_lookup(text_to_cstring(PG_GETARG_TEXT_PP(i)));
		comparing.models[i] = dmp_model_from_json(dmp_model_value_json(comparing.rows[i]->value),
												  CurrentMemoryContext);
	}
	dmp_spi_connect();
	begin_comparing(&comparing, stored);
	rows = dmp_labelled_query(comparing.rows[0], comparing.models[0], query,
							  dmp_weight_arg(fcinfo, ARG_WEIGHT));
	for (i = 0; i < 2; i++)
	{
		dmp_arg_model_value(&args, comparing.rows[i]->value);
		if (!stored)
			dmp_row_check(comparing.models[i], comparing.rows[i]->name, comparing.rows[i]->version,
						  rows->desc);
	}
	score_columns(fcinfo, &comparing, rows, columns);
	read_rows(&comparing,
			  psprintf("SELECT %s AS a, %s AS b, %s AS label, %s AS weight FROM (%s) AS q",
					   columns[0], columns[1], dmp_labelled_target(rows), dmp_labelled_weight(rows),
					   rows->select),
			  &args);
	if (comparing.means[0].rows == 0)
		ereport(ERROR, (errcode(ERRCODE_NO_DATA),
						errmsg("the query has no rows with a value of target \"%s\"",
							   comparing.models[0]->target)));
	if (comparing.auc != NULL)
		put_auc(fcinfo, &comparing);
	for (i = 0; i < comparing.n; i++)
		put_mean(fcinfo, comparing.names[i], &comparing.means[i]);
	dmp_spi_finish();
	return (Datum) 0;
}
