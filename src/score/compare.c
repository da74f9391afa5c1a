/*-------------------------------------------------------------------------
 * compare.c
 *		Which of two models is better on the same rows: dmp.compare.
 *
 * Both score each row, so the tests are paired. roc_auc: DeLong, DeLong and
 * Clarke-Pearson 1988. The placement of a positive is the share of negatives
 * below it, that of a negative the share of positives above it, ties one half
 * (mid-ranks); the auc is the mean placement of the positives, and with d the
 * difference of a row's placements under the two models
 *
 *		var(auc_a - auc_b) = var(d of positives) / np + var(d of negatives) / nn
 *
 * against the normal distribution. log_loss and brier_score: Student's t on
 * the differences of the rows' losses. difference is a - b.
 *
 * The rows are read once, by a cursor; what is kept of a row is 17 bytes, and
 * 32 more while one model's scores are ranked, 16 for its placements.
 *-------------------------------------------------------------------------
 */
#include "dmp.h"

#include <math.h>

#include "base/base.h"
#include "executor/spi.h"
#include "math/student.h"
#include "score/score.h"
#include "score/scores.h"
#include "utils/memutils.h"

PG_FUNCTION_INFO_V1(dmp_compare);

#define NORMAL_975 1.959963984540054
#define BATCH 10000

/* margins of two models and the label, row by row */
typedef struct Pairs
{
	uint64 n;
	uint64 room;
	double *margin[2];
	unsigned char *label;
	uint64 rows[2]; /* negatives, positives */
} Pairs;

/* mean and sum of squared differences from it */
typedef struct Spread
{
	double n;
	double mean;
	double m2;
} Spread;

typedef struct Comparison
{
	double a, b, difference, low, high, p; /* NaN: NULL */
} Comparison;

static void
spread_add(Spread *s, double value)
{
	double d = value - s->mean;

	s->n += 1;
	s->mean += d / s->n;
	s->m2 += d * (value - s->mean);
}

/* ------------------------------------------------------------ the rows */

static void
pairs_reserve(Pairs *pairs)
{
	int m;

	if (pairs->n < pairs->room)
		return;
	pairs->room *= 2;
	for (m = 0; m < 2; m++)
		pairs->margin[m] = repalloc_huge(pairs->margin[m], mul_size(sizeof(double), pairs->room));
	pairs->label = repalloc_huge(pairs->label, pairs->room);
}

/* Rows of sql (margin, label, other) whose label is known. */
static void
read_pairs(const char *sql, DmpArgs *args, Pairs *pairs)
{
	Portal portal = SPI_cursor_open_with_args(NULL, sql, args->n, args->types, args->values,
											  args->nulls, true, 0);
	int m;

	memset(pairs, 0, sizeof(*pairs));
	pairs->room = 1024;
	for (m = 0; m < 2; m++)
		pairs->margin[m] = palloc(sizeof(double) * pairs->room);
	pairs->label = palloc(pairs->room);
	for (;;)
	{
		uint64 i;

		SPI_cursor_fetch(portal, true, BATCH);
		if (SPI_processed == 0)
			break;
		for (i = 0; i < SPI_processed; i++)
		{
			bool nulls[3];
			double a = DatumGetFloat8(dmp_spi_datum(i, 1, &nulls[0]));
			double label = DatumGetFloat8(dmp_spi_datum(i, 2, &nulls[1]));
			double b = DatumGetFloat8(dmp_spi_datum(i, 3, &nulls[2]));

			if (nulls[0] || nulls[1] || nulls[2])
				continue;
			pairs_reserve(pairs);
			pairs->margin[0][pairs->n] = a;
			pairs->margin[1][pairs->n] = b;
			pairs->label[pairs->n] = label == 1;
			pairs->rows[label == 1]++;
			pairs->n++;
		}
		SPI_freetuptable(SPI_tuptable);
	}
	SPI_cursor_close(portal);
}

/* ----------------------------------------------------------- the tests */

/* The placement of each row under one model. */
static double *
placements(const Pairs *pairs, int m)
{
	double *place = MemoryContextAllocHuge(CurrentMemoryContext, sizeof(double) * pairs->n);
	uint64_t *keys = MemoryContextAllocHuge(CurrentMemoryContext, sizeof(uint64_t) * pairs->n);
	double *index = MemoryContextAllocHuge(CurrentMemoryContext, sizeof(double) * pairs->n);
	double below[2] = {0, 0};
	uint64 i;
	uint64 end;

	for (i = 0; i < pairs->n; i++)
	{
		keys[i] = dmp_sort_key(pairs->margin[m][i]);
		index[i] = (double) i;
	}
	dmp_radix_sort(pairs->n, keys, index, &dmp_score_env);
	for (i = 0; i < pairs->n; i = end)
	{
		double tie[2] = {0, 0};
		uint64 k;

		CHECK_FOR_INTERRUPTS();
		for (end = i; end < pairs->n && keys[end] == keys[i]; end++)
			tie[pairs->label[(uint64) index[end]]] += 1;
		for (k = i; k < end; k++)
		{
			uint64 row = (uint64) index[k];

			if (pairs->label[row])
				place[row] = (below[0] + tie[0] / 2) / pairs->rows[0];
			else
				place[row] = 1 - (below[1] + tie[1] / 2) / pairs->rows[1];
		}
		below[0] += tie[0];
		below[1] += tie[1];
	}
	pfree(keys);
	pfree(index);
	return place;
}

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
compare_auc(const Pairs *pairs, Comparison *c)
{
	double *place[2];
	Spread means[2] = {{0, 0, 0}, {0, 0, 0}};
	Spread differences[2] = {{0, 0, 0}, {0, 0, 0}};
	double np = (double) pairs->rows[1];
	double nn = (double) pairs->rows[0];
	double se;
	uint64 i;

	if (np == 0 || nn == 0)
		return;
	place[0] = placements(pairs, 0);
	place[1] = placements(pairs, 1);
	for (i = 0; i < pairs->n; i++)
	{
		if ((i & 0xFFFF) == 0)
			CHECK_FOR_INTERRUPTS();
		spread_add(&differences[pairs->label[i]], place[0][i] - place[1][i]);
		if (pairs->label[i])
		{
			spread_add(&means[0], place[0][i]);
			spread_add(&means[1], place[1][i]);
		}
	}
	c->a = means[0].mean;
	c->b = means[1].mean;
	c->difference = differences[1].mean;
	if (np < 2 || nn < 2)
		return;
	se = sqrt(differences[1].m2 / (np - 1) / np + differences[0].m2 / (nn - 1) / nn);
	set_interval(c, se, NORMAL_975);
	c->p = se > 0 ? erfc(fabs(c->difference / se) / M_SQRT2) : p_without_variance(c->difference);
}

static double
loss(const DmpModel *model, double margin, int label, bool brier)
{
	double p;

	if (!brier)
		return dmp_model_loss(model, margin, label);
	p = dmp_model_score(model, margin);
	return (p - label) * (p - label);
}

static void
compare_loss(const Pairs *pairs, DmpModel *const *models, bool brier, Comparison *c)
{
	Spread means[2] = {{0, 0, 0}, {0, 0, 0}};
	Spread differences = {0, 0, 0};
	double se;
	uint64 i;

	for (i = 0; i < pairs->n; i++)
	{
		double a = loss(models[0], pairs->margin[0][i], pairs->label[i], brier);
		double b = loss(models[1], pairs->margin[1][i], pairs->label[i], brier);

		if ((i & 0xFFFF) == 0)
			CHECK_FOR_INTERRUPTS();
		spread_add(&means[0], a);
		spread_add(&means[1], b);
		spread_add(&differences, a - b);
	}
	c->a = means[0].mean;
	c->b = means[1].mean;
	c->difference = differences.mean;
	if (pairs->n < 2)
		return;
	se = sqrt(differences.m2 / (differences.n - 1) / differences.n);
	set_interval(c, se, dmp_student_975(differences.n - 1));
	c->p = se > 0 ? dmp_student_p(c->difference / se, differences.n - 1)
				  : p_without_variance(c->difference);
}

/* --------------------------------------------------------- dmp.compare */

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
check_targets(const DmpModelRow *const *rows, DmpModel *const *models)
{
	int m;

	for (m = 0; m < 2; m++)
	{
		if (models[m]->nclasses > 0)
			dmp_model_refuse_classes(models[m]);
		if (models[m]->link != DMP_BINOMIAL)
			dmp_model_refuse_numbers(models[m], "dmp.compare");
	}
	if (strcmp(models[0]->target, models[1]->target) != 0 ||
		strcmp(models[0]->positive, models[1]->positive) != 0 ||
		strcmp(models[0]->negative, models[1]->negative) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the models predict different things"),
				 errdetail("\"%s\" version %d: \"%s\" or \"%s\" of \"%s\"; \"%s\" version "
						   "%d: \"%s\" or \"%s\" of \"%s\".",
						   rows[0]->name, rows[0]->version, models[0]->positive,
						   models[0]->negative, models[0]->target, rows[1]->name, rows[1]->version,
						   models[1]->positive, models[1]->negative, models[1]->target)));
}

/* dmp.compare(model_a, model_b, query) -> (metric, a, b, difference, low, high, p) */
Datum
dmp_compare(PG_FUNCTION_ARGS)
{
	static const char *const names[] = {"model_a", "model_b", "query"};
	static const char *const metrics[] = {"roc_auc", "log_loss", "brier_score"};
	const DmpModelRow *rows[2];
	DmpModel *models[2];
	DmpArgs args = {0};
	Pairs pairs;
	char *query;
	char *sql;
	int i;

	for (i = 0; i < lengthof(names); i++)
	{
		if (PG_ARGISNULL(i))
			ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
							errmsg("\"%s\" must not be null", names[i])));
	}
	dmp_srf_begin(fcinfo);
	query = text_to_cstring(PG_GETARG_TEXT_PP(2));
	for (i = 0; i < 2; i++)
	{
		rows[i] = dmp_model_lookup(text_to_cstring(PG_GETARG_TEXT_PP(i)));
		models[i] = dmp_model_from_json(dmp_model_value_json(rows[i]->value), CurrentMemoryContext);
	}
	check_targets(rows, models);
	dmp_spi_connect();
	dmp_arg_model_value(&args, rows[0]->value);
	dmp_arg_model_value(&args, rows[1]->value);
	dmp_row_check(models[1], rows[1]->name, rows[1]->version,
				  dmp_query_columns(dmp_query_select(query, "query"), NULL, NULL));
	sql = dmp_labelled_sql(dmp_labelled(rows[0], models[0], query, ""), NIL,
						   ", dmp.margin($2, q.*) AS other");
	read_pairs(sql, &args, &pairs);
	if (pairs.n == 0)
		ereport(ERROR,
				(errcode(ERRCODE_NO_DATA),
				 errmsg("the query has no rows with a value of target \"%s\"", models[0]->target)));
	for (i = 0; i < lengthof(metrics); i++)
	{
		Comparison c = {NAN, NAN, NAN, NAN, NAN, NAN};

		if (i == 0)
			compare_auc(&pairs, &c);
		else
			compare_loss(&pairs, models, i == 2, &c);
		put_comparison(fcinfo, metrics[i], &c);
	}
	dmp_spi_finish();
	return (Datum) 0;
}
