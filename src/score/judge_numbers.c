/*-------------------------------------------------------------------------
 * judge_numbers.c
 *		dmp.evaluate of a model whose target is a number.
 *
 * One statement over margins, targets and weights. Of family poisson the mean
 * is e^margin and a row's deviance 2 (y log(y / mu) - (y - mu)); of gaussian it
 * is the squared error. r_squared is told against the mean of the rows judged.
 *-------------------------------------------------------------------------
 */
#include "dmp.h"

#include "base/base.h"
#include "score/score.h"

static const char *const metric_names[] = {"rows", "weight", "mean_target", "mean_predicted",
										   "rmse", "mae",    "r_squared",   "mean_deviance"};

/* sums about c, so that a target far from 0 loses no digits */
#define NUMBERS_SQL                                                                                \
	"SELECT count(*)::float8, %s, c + sum(w * (y - c)) / sum(w), c + sum(w * (mu - c)) / sum(w), " \
	"sqrt(sum(w * (y - mu) ^ 2) / sum(w)), sum(w * abs(y - mu)) / sum(w), "                        \
	"1 - sum(w * (y - mu) ^ 2) / nullif(sum(w * (y - c) ^ 2) - sum(w * (y - c)) ^ 2 / sum(w), "    \
	"0), sum(w * (%s)) / sum(w), %s "                                                              \
	"FROM (SELECT label AS y, %s AS mu, margin AS m, %s AS w%s, '%.17g'::float8 AS c "             \
	"FROM (%s) AS s WHERE label IS NOT NULL) AS t WHERE w > 0 "                                    \
	"GROUP BY c%s ORDER BY 9 NULLS FIRST"

/* rows: those of a query; $1 of args is the model's value; by: columns of segments */
void
dmp_evaluate_numbers(FunctionCallInfo fcinfo, const DmpLabelled *rows, List *by, DmpArgs *args)
{
	bool poisson = rows->model->link == DMP_POISSON;
	uint64 n;
	uint64 i;
	int k;

	n = dmp_spi(psprintf(NUMBERS_SQL, rows->weight != NULL ? "sum(w)" : "NULL::float8",
						 poisson ? "2 * CASE WHEN y > 0 THEN y * (ln(y) - m) - (y - mu) "
								   "WHEN y = 0 THEN mu END"
								 : "(y - mu) ^ 2",
						 by != NIL ? "segment" : "NULL::text",
						 poisson ? "exp(greatest(-700, least(700, margin)))" : "margin",
						 rows->weight != NULL ? "weight" : "1::float8",
						 by != NIL ? ", segment" : "", poisson ? 0.0 : rows->model->a,
						 dmp_labelled_sql(rows, by, ""),
						 by != NIL ? ", GROUPING SETS ((), (segment))" : ""),
				args, true);
	if (n == 0)
		ereport(ERROR, (errcode(ERRCODE_NO_DATA),
						errmsg("the query has no rows with a value of target \"%s\"",
							   rows->model->target)));
	for (i = 0; i < n; i++)
	{
		char *segment = dmp_spi_text(i, lengthof(metric_names) + 1);
		bool few = segment != NULL && dmp_spi_float8(i, 1, 0) < DMP_MIN_SLICE;

		for (k = 0; k < lengthof(metric_names); k++)
		{
			Datum values[6];
			bool nulls[6] = {false, false, true, true, segment == NULL, true};

			values[0] = CStringGetTextDatum(metric_names[k]);
			values[1] = dmp_spi_datum(i, k + 1, &nulls[1]);
			if (k == 1 && nulls[1])
				continue;
			nulls[1] |= few && k > 1;
			values[2] = values[3] = (Datum) 0;
			values[4] = segment ? CStringGetTextDatum(segment) : (Datum) 0;
			dmp_srf_row(fcinfo, values, nulls);
		}
	}
}
