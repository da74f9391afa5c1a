/*-------------------------------------------------------------------------
 * judge_classes.c
 *		dmp.evaluate of a model that tells several classes apart.
 *
 * The confusion matrix comes from one statement, a cell a row; everything else
 * is sums over it. Precision, recall and f1 are means over the classes that
 * are there (macro): a class nobody was put into has precision 0.
 *-------------------------------------------------------------------------
 */
#include "dmp.h"

#include <math.h>

#include "base/base.h"
#include "lib/stringinfo.h"
#include "score/score.h"

#define NORMAL_975 1.959963984540054

typedef struct Cells
{
	double rows;
	double right;
	double loss;
	double *both; /* of a class: rows that are of it and put into it */
	double *actual;
	double *predicted;
} Cells;

static void
emit(FunctionCallInfo fcinfo, const char *metric, double value, double low, double high,
	 const char *segment)
{
	Datum values[5];
	bool nulls[5] = {false};

	values[0] = CStringGetTextDatum(metric);
	values[1] = Float8GetDatum(value);
	values[2] = Float8GetDatum(low);
	values[3] = Float8GetDatum(high);
	values[4] = segment ? CStringGetTextDatum(segment) : (Datum) 0;
	nulls[1] = isnan(value);
	nulls[2] = isnan(low);
	nulls[3] = isnan(high);
	nulls[4] = segment == NULL;
	dmp_srf_row(fcinfo, values, nulls);
}

static void
emit_cells(FunctionCallInfo fcinfo, const Cells *cells, int nclasses, const char *segment)
{
	double n = cells->rows;
	double share = cells->right / n;
	double z2 = NORMAL_975 * NORMAL_975;
	double centre = (share + z2 / (2 * n)) / (1 + z2 / n);
	double half = NORMAL_975 * sqrt(share * (1 - share) / n + z2 / (4 * n * n)) / (1 + z2 / n);
	double precision = 0;
	double recall = 0;
	double f1 = 0;
	int present = 0;
	int k;

	for (k = 0; k < nclasses; k++)
	{
		if (cells->actual[k] == 0)
			continue;
		present++;
		precision += cells->predicted[k] > 0 ? cells->both[k] / cells->predicted[k] : 0;
		recall += cells->both[k] / cells->actual[k];
		f1 += 2 * cells->both[k] / (cells->actual[k] + cells->predicted[k]);
	}
	emit(fcinfo, "rows", n, NAN, NAN, segment);
	emit(fcinfo, "classes", present, NAN, NAN, segment);
	emit(fcinfo, "accuracy", share, Max(0, centre - half), Min(1, centre + half), segment);
	emit(fcinfo, "log_loss", cells->loss / n, NAN, NAN, segment);
	emit(fcinfo, "macro_precision", precision / present, NAN, NAN, segment);
	emit(fcinfo, "macro_recall", recall / present, NAN, NAN, segment);
	emit(fcinfo, "macro_f1", f1 / present, NAN, NAN, segment);
}

/* place of a class of the model; classes are in byte order */
static int
class_number(const DmpModel *model, const char *class)
{
	int low = 0;
	int high = model->nclasses - 1;

	while (low <= high)
	{
		int middle = (low + high) / 2;
		int c = strcmp(model->classes[middle], class);

		if (c == 0)
			return middle;
		if (c < 0)
			low = middle + 1;
		else
			high = middle - 1;
	}
	elog(ERROR, "\"%s\" is no class of the model", class);
	return -1;
}

static char *
cells_sql(const DmpModel *model, const char *query, TupleDesc desc, List *by)
{
	const char *target = quote_identifier(model->target);
	StringInfoData sql;

	(void) dmp_column_number(desc, model->target, "target: ");
	initStringInfo(&sql);
	appendStringInfo(
		&sql,
		"SELECT %s AS segment, c, y, count(*)::float8, sum(loss) FROM ("
		"SELECT dmp.classify($1, q.*) COLLATE \"C\" AS c, q.%s::text COLLATE \"C\" AS y, "
		"-ln(greatest(1.2e-16, COALESCE((dmp.class_probabilities($1, q.*) ->> q.%s::text)"
		"::float8, dmp_internal.refuse_label(q.%s::text, %s)::float8))) AS loss",
		by != NIL ? "segment" : "NULL::text", target, target, target,
		quote_literal_cstr(model->target));
	dmp_append_segment(&sql, desc, by);
	appendStringInfo(&sql, " FROM (%s) AS q WHERE q.%s IS NOT NULL) AS s GROUP BY ", query, target);
	appendStringInfoString(&sql, by != NIL ? "GROUPING SETS ((c, y), (segment, c, y))" : "c, y");
	appendStringInfoString(&sql, " ORDER BY 1 NULLS FIRST, 2, 3");
	return sql.data;
}

/* SPI is connected; $1 of args is the model's value */
void
dmp_evaluate_classes(FunctionCallInfo fcinfo, const DmpModelRow *row, const DmpModel *model,
					 const char *query, List *by, DmpArgs *args)
{
	char *select = dmp_query_select(query, "query");
	TupleDesc desc = dmp_query_columns(select, NULL, NULL);
	int k = model->nclasses;
	Cells cells = {0};
	char *segment = NULL;
	uint64 n;
	uint64 i;

	dmp_row_check(model, row->name, row->version, desc);
	cells.both = palloc(sizeof(double) * 3 * k);
	cells.actual = cells.both + k;
	cells.predicted = cells.actual + k;
	n = dmp_spi(cells_sql(model, select, desc, by), args, true);
	if (n == 0)
		ereport(ERROR,
				(errcode(ERRCODE_NO_DATA),
				 errmsg("the query has no rows with a value of target \"%s\"", model->target)));
	for (i = 0; i < n; i++)
	{
		char *next = dmp_spi_text(i, 1);
		int predicted = class_number(model, dmp_spi_text(i, 2));
		int actual = class_number(model, dmp_spi_text(i, 3));
		double rows = dmp_spi_float8(i, 4, 0);

		if (i == 0 || (next != NULL && (segment == NULL || strcmp(next, segment) != 0)))
		{
			if (i > 0)
				emit_cells(fcinfo, &cells, k, segment);
			cells.rows = cells.right = cells.loss = 0;
			memset(cells.both, 0, sizeof(double) * 3 * k);
			segment = next;
		}
		cells.rows += rows;
		cells.loss += dmp_spi_float8(i, 5, 0);
		cells.actual[actual] += rows;
		cells.predicted[predicted] += rows;
		if (actual == predicted)
		{
			cells.right += rows;
			cells.both[actual] += rows;
		}
	}
	emit_cells(fcinfo, &cells, k, segment);
}
