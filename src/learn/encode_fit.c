/*-------------------------------------------------------------------------
 * encode_fit.c
 *		What encoders learn: edges of bins, tables of values, fills, levels.
 *
 * One scan for all columns, by dmp_internal.encode_scan. Values that look at
 * the target (weight of evidence, means) are cross-fitted: a training row gets
 * its value from tables that were made without its fold, or the fit would take
 * what a level knows of its own few rows for evidence. Test rows and scored
 * rows get theirs from the tables of all training rows.
 *
 * Weight of evidence of a bin or level with pos positive and neg negative rows
 * (by weight), P and N in all, n = pos + neg, smoothing s (0.5):
 *
 *		woe = ln((pos + s) / (n P / (P + N) + s)) - ln((neg + s) / (n N / (P + N) + s))
 *
 * which is ln((pos / P) / (neg / N)) where rows are many, 0 where there are
 * none, and close to 0 where they are few, whatever the share of positive
 * rows. Information value: sum (pos / P - neg / N) woe, no term below 0.
 *
 * Mean of the target with w rows that sum to y, smoothing m (10):
 *
 *		target = (y + m mean) / (w + m)
 */
#include "dmp.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "learn/encode.h"
#include "learn/encode_scan.h"
#include "math/hash.h"
#include "utils/lsyscache.h"

/* columns of a call of the aggregate */
#define CALL_COLUMNS 90
#define MOST_CELLS 4096
#define FEWEST_CELLS 1024
#define MOST_FEATURES 1600 /* columns of a SELECT, less a few */

typedef struct Fit
{
	DmpTrainArgs *args;
	const DmpEncodeRows *rows;
	List *names; /* columns that are scanned */
	List *texts; /* of each, whether it is a text: an integer list */
	DmpEncodeColumn **columns;
	int nfolds;
	int width;
	List *features; /* what comes out, of DmpFeature */
} Fit;

/* --------------------------------------------------------------- the scan */

static bool
has_table(const DmpTransform *t)
{
	return t->kind == DMP_TRANSFORM_WOE || t->kind == DMP_TRANSFORM_TARGET;
}

bool
dmp_encode_is_crossed(const DmpEncodeWishes *wishes)
{
	ListCell *lc;

	foreach (lc, wishes->list)
	{
		const DmpEncodeWish *wish = lfirst(lc);

		if (wish->transformed && has_table(wish->transform))
			return true;
	}
	return false;
}

/* which of a wish's columns must be looked at; -1: none */
static int
column_to_scan(const DmpEncodeWish *wish)
{
	if (!wish->transformed)
		return -1;
	if (wish->transform->kind == DMP_TRANSFORM_SLOPE)
		return 1;
	return has_table(wish->transform) || wish->transform->kind == DMP_TRANSFORM_BINS ||
				   wish->fill_mean || wish->fill_median
			   ? 0
			   : -1;
}

/* Means are of a number, evidence is for one of two classes. */
static void
check_target(const DmpEncodeWishes *wishes, const DmpTrainPlan *plan)
{
	bool classes = plan->spec.nclasses > 0;
	ListCell *lc;

	foreach (lc, wishes->list)
	{
		const DmpEncodeWish *wish = lfirst(lc);

		if (!wish->transformed || !has_table(wish->transform))
			continue;
		if (classes ||
			(wish->transform->kind == DMP_TRANSFORM_WOE && plan->spec.family != DMP_BINOMIAL))
			ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
							errmsg("column \"%s\" cannot be encoded as \"%s\" for such a target",
								   wish->feature.name, dmp_transform_name(wish->transform->kind)),
							classes ? errdetail("The target has %d classes.", plan->spec.nclasses)
									: errdetail("The target is a number."),
							errhint("Encode it as \"%s\".", classes ? "bins" : "target")));
	}
}

static int
place_of(const Fit *fit, const char *name)
{
	ListCell *lc;

	foreach (lc, fit->names)
	{
		if (strcmp(lfirst(lc), name) == 0)
			return foreach_current_index(lc);
	}
	return -1;
}

static DmpEncodeColumn *
column_of(const Fit *fit, const char *name)
{
	return fit->columns[place_of(fit, name)];
}

/* power of two, so that the memory of all columns stays a part of dmp.training_memory */
static int
cells_limit(const Fit *fit)
{
	double room = dmp_training_memory * 1024.0 / 4;
	int limit = MOST_CELLS;

	while (limit > FEWEST_CELLS &&
		   (double) limit * (fit->width + 2) * sizeof(double) * list_length(fit->names) > room)
		limit /= 2;
	return limit;
}

static char *
scan_sql(const Fit *fit)
{
	const DmpEncodeRows *rows = fit->rows;
	int n = list_length(fit->names);
	StringInfoData sql;
	int from;
	int i;

	initStringInfo(&sql);
	appendStringInfoString(&sql, "SELECT ");
	for (from = 0; from < n; from += CALL_COLUMNS)
	{
		int to = Min(n, from + CALL_COLUMNS);

		appendStringInfo(&sql, "%sdmp_internal.encode_scan('%d %d ", from > 0 ? ", " : "",
						 fit->nfolds, cells_limit(fit));
		for (i = from; i < to; i++)
			appendStringInfoChar(&sql, list_nth_int(fit->texts, i) ? 't' : 'n');
		appendStringInfoString(&sql, "', s.target, s.weight, s.fold");
		for (i = from; i < to; i++)
			appendStringInfo(&sql, ", s.c%d", i + 1);
		appendStringInfoChar(&sql, ')');
	}
	appendStringInfo(&sql, " FROM (SELECT %s AS target, %s AS weight, %s AS fold", rows->target,
					 rows->weight ? rows->weight : "1::float8",
					 rows->fold ? rows->fold : "NULL::int4");
	for (i = 0; i < n; i++)
		appendStringInfo(&sql, ", q.%s AS c%d", quote_identifier(list_nth(fit->names, i)), i + 1);
	appendStringInfo(&sql, " FROM %s%s%s) AS s WHERE s.target IS NOT NULL AND s.weight > 0",
					 rows->from, rows->train ? " WHERE " : "", rows->train ? rows->train : "");
	return sql.data;
}

static void
run_scan(Fit *fit)
{
	int n = list_length(fit->names);
	MemoryContext context = CurrentMemoryContext;
	int call;

	dmp_progress("train: looking at %d columns to be encoded", n);
	fit->columns = palloc0(sizeof(DmpEncodeColumn *) * Max(n, 1));
	dmp_spi(scan_sql(fit), NULL, true);
	for (call = 0; call * CALL_COLUMNS < n; call++)
	{
		bool isnull;
		Datum state = dmp_spi_datum(0, call + 1, &isnull);
		DmpEncodeScan *scan;
		MemoryContext old;
		int i;

		if (isnull)
			ereport(ERROR, (errcode(ERRCODE_NO_DATA), errmsg("the query has no rows to train on"),
							errdetail("Of none are the target and the weight known.")));
		old = MemoryContextSwitchTo(context);
		scan = dmp_encode_scan_result(state);
		for (i = 0; i < scan->ncolumns; i++)
		{
			fit->columns[call * CALL_COLUMNS + i] = &scan->columns[i];
			if (!scan->columns[i].text)
				dmp_cells_sort(&scan->columns[i].cells);
		}
		MemoryContextSwitchTo(old);
	}
}

/* ----------------------------------------------------------------- tables */

static int
compare_texts(const void *a, const void *b)
{
	return strcmp(*(char *const *) a, *(char *const *) b);
}

/* Levels with enough rows, in byte order. */
static void
take_levels(DmpTransform *t, const Fit *fit, const DmpEncodeColumn *column, int min_count)
{
	int i;

	t->levels = palloc(sizeof(char *) * Max(column->levels.n, 1));
	t->nlevels = 0;
	for (i = 0; i < column->levels.n; i++)
	{
		if (column->sums[(Size) i * fit->width] >= min_count)
			t->levels[t->nlevels++] = column->levels.levels[i].text;
	}
	qsort(t->levels, t->nlevels, sizeof(char *), compare_texts);
}

static void
add_sums(double *to, const double *from, int n)
{
	int i;

	for (i = 0; i < n; i++)
		to[i] += from[i];
}

/* place of a text among the levels of a transform, or what stands for the others */
static int
level_place(const DmpTransform *t, char *text)
{
	char **found = bsearch(&text, t->levels, t->nlevels, sizeof(char *), compare_texts);

	return found ? (int) (found - t->levels) : t->nlevels + 1;
}

/* a missing value counts as its fill */
static void
fill_missing(const Fit *fit, const DmpTransform *t, DmpEncodeColumn *column, double *sums)
{
	int place = t->nvalues;

	if (t->fill_text != NULL)
		place = level_place(t, t->fill_text);
	else if (t->has_fill)
		place = dmp_bin_of(t->edges, t->nedges, t->fill);
	add_sums(sums + place * fit->width, column->missing, fit->width);
}

static void
take_edges(DmpTransform *t, const DmpEncodeWish *wish, const DmpEncodeColumn *column)
{
	int n;

	t->edges = palloc(sizeof(double) * 2 * Max(wish->bins, 100));
	if (wish->monotone)
		n = dmp_bins_monotone(&column->cells, wish->bins, wish->min_share, t->edges);
	else
		n = dmp_bins_quantile(&column->cells, wish->bins, t->edges);
	t->nedges = dmp_bins_join_small(&column->cells, t->edges, n, wish->min_count);
}

/* Bins or levels of the transform, and their sums: nvalues, then missing, then other. */
static double *
table_sums(const Fit *fit, const DmpEncodeWish *wish)
{
	DmpTransform *t = wish->transform;
	DmpEncodeColumn *column = column_of(fit, t->columns[0]);
	double *sums;
	int i;

	if (column->text)
	{
		take_levels(t, fit, column, wish->min_count);
		t->nvalues = t->nlevels;
	}
	else
	{
		take_edges(t, wish, column);
		t->nvalues = t->nedges + 1;
	}
	sums = palloc0(sizeof(double) * (t->nvalues + 2) * fit->width);
	for (i = 0; column->text && i < column->levels.n; i++)
		add_sums(sums + level_place(t, column->levels.levels[i].text) * fit->width,
				 column->sums + (Size) i * fit->width, fit->width);
	if (!column->text)
		dmp_bins_sums(&column->cells, t->edges, t->nedges, sums);
	fill_missing(fit, t, column, sums);
	return sums;
}

/* Values of a table from weights and sums of y of its n places; returns the information value. */
static double
fit_values(const DmpEncodeWish *wish, int n, const double *weight, const double *y, double *values)
{
	double s = wish->smoothing;
	double all = 0;
	double sum = 0;
	double mean;
	int i;

	if (wish->transform->kind == DMP_TRANSFORM_WOE)
		return dmp_evidence(n, weight, y, s, values);
	for (i = 0; i < n; i++)
	{
		all += weight[i];
		sum += y[i];
	}
	mean = all > 0 ? sum / all : 0;
	for (i = 0; i < n; i++)
		values[i] = weight[i] + s > 0 ? (y[i] + s * mean) / (weight[i] + s) : mean;
	return NAN;
}

static void
grant_table(const Fit *fit, DmpEncodeWish *wish)
{
	DmpTransform *t = wish->transform;
	double *sums = table_sums(fit, wish);
	int n = t->nvalues + 2;
	double *weight = palloc0(sizeof(double) * n);
	double *y = palloc0(sizeof(double) * n);
	double *fold_weight = palloc(sizeof(double) * n);
	double *fold_y = palloc(sizeof(double) * n);
	int f;
	int i;

	t->values = palloc(sizeof(double) * n);
	t->rows = palloc(sizeof(int64) * n);
	t->rate = palloc(sizeof(double) * n);
	t->nfolds = fit->nfolds;
	t->fold_values = palloc(sizeof(double) * n * fit->nfolds);
	for (i = 0; i < n; i++)
	{
		t->rows[i] = (int64) sums[i * fit->width];
		for (f = 0; f < fit->nfolds; f++)
		{
			weight[i] += sums[i * fit->width + 1 + 2 * f];
			y[i] += sums[i * fit->width + 2 + 2 * f];
		}
		t->rate[i] = t->rows[i] > 0 ? y[i] / weight[i] : NAN;
	}
	t->information = fit_values(wish, n, weight, y, t->values);
	for (f = 0; f < fit->nfolds; f++)
	{
		for (i = 0; i < n; i++)
		{
			/* differences of sums: no less than nothing */
			fold_weight[i] = fmax(0, weight[i] - sums[i * fit->width + 1 + 2 * f]);
			fold_y[i] = y[i] - sums[i * fit->width + 2 + 2 * f];
			if (t->kind == DMP_TRANSFORM_WOE)
				fold_y[i] = fmax(0, fmin(fold_weight[i], fold_y[i]));
		}
		(void) fit_values(wish, n, fold_weight, fold_y, t->fold_values + (Size) f * n);
	}
}

/* ------------------------------------------------------------------ fills */

/* of numbers that are in cells: the mean of the two in the middle */
static double
median_of(const DmpEncodeColumn *column, int width)
{
	double rows = 0;
	double seen = 0;
	double low = NAN;
	int i;

	for (i = 0; i < column->cells.n; i++)
		rows += column->cells.sums[(Size) i * width];
	for (i = 0; i < column->cells.n; i++)
	{
		seen += column->cells.sums[(Size) i * width];
		if (isnan(low) && seen >= floor((rows + 1) / 2))
			low = dmp_cells_low(&column->cells, i);
		if (seen >= floor(rows / 2) + 1)
			return low + (dmp_cells_low(&column->cells, i) - low) / 2;
	}
	return 0;
}

static void
grant_fill(const Fit *fit, DmpEncodeWish *wish)
{
	DmpEncodeColumn *column = column_of(fit, wish->transform->columns[0]);

	wish->transform->fill = wish->fill_mean ? column->mean : median_of(column, fit->width);
	wish->transform->has_fill = true;
}

/* --------------------------------------------------------------- features */

static DmpFeature *
add_feature(Fit *fit, const DmpEncodeWish *wish, DmpTransform *t)
{
	DmpFeature *feature = palloc(sizeof(DmpFeature));

	*feature = wish->feature;
	feature->transform = t;
	if (t != NULL)
	{
		dmp_transform_finish(t);
		feature->type = t->text ? TEXTOID : FLOAT8OID;
		if (t->kind != DMP_TRANSFORM_FILL) /* which leaves what the column is */
			feature->encode = t->text ? DMP_ENCODE_ONE_HOT : DMP_ENCODE_NUMERIC;
	}
	fit->features = lappend(fit->features, feature);
	return feature;
}

static void
add_slope(Fit *fit, const DmpEncodeWish *wish, DmpSlopeOf of, char *level, const DmpTransform *all)
{
	DmpTransform *t = palloc(sizeof(DmpTransform));
	DmpFeature *feature;

	*t = *wish->transform;
	t->slope_of = of;
	t->level = level;
	if (of == DMP_SLOPE_OTHER)
	{
		t->levels = all->levels;
		t->nlevels = all->nlevels;
	}
	feature = add_feature(fit, wish, t);
	feature->name = psprintf("%s=%s", wish->feature.name,
							 of == DMP_SLOPE_LEVEL   ? level
							 : of == DMP_SLOPE_OTHER ? "(other)"
													 : "(missing)");
}

/*
 * A slope for each level. Without a penalty the most frequent one has none of
 * its own when the number is a feature too: that one's slope is the number's.
 */
static void
grant_slopes(Fit *fit, const DmpEncodeWish *wish, bool reference)
{
	DmpEncodeColumn *column = column_of(fit, wish->transform->columns[1]);
	DmpTransform all = {0};
	double most = 0;
	double kept = 0;
	double rows = 0;
	char *usual = NULL;
	int i;

	take_levels(&all, fit, column, fit->args->min_count);
	for (i = 0; i < column->levels.n; i++)
	{
		char *text = column->levels.levels[i].text;
		double n = column->sums[(Size) i * fit->width];

		rows += n;
		if (level_place(&all, text) > all.nlevels)
			continue;
		kept += n;
		if (n > most || (n == most && strcmp(text, usual) < 0))
		{
			most = n;
			usual = text;
		}
	}
	for (i = 0; i < all.nlevels; i++)
	{
		if (!reference || all.levels[i] != usual)
			add_slope(fit, wish, DMP_SLOPE_LEVEL, all.levels[i], &all);
	}
	if (kept < rows)
		add_slope(fit, wish, DMP_SLOPE_OTHER, NULL, &all);
	if (column->missing[0] > 0)
		add_slope(fit, wish, DMP_SLOPE_MISSING, NULL, &all);
}

/* A feature for each element of an array; the first row that has one says how many. */
static void
grant_elements(Fit *fit, const DmpEncodeWish *wish, const char *query)
{
	char *column = wish->transform->columns[0];
	int length = 0;
	int i;

	if (dmp_spi(
			psprintf("SELECT pg_catalog.cardinality(q.%s) FROM (%s) AS q WHERE q.%s IS NOT NULL "
					 "LIMIT 1",
					 quote_identifier(column), query, quote_identifier(column)),
			NULL, true) > 0)
		length = (int) dmp_spi_int8(0, 1, 0);
	if (length == 0)
		ereport(ERROR, (errcode(ERRCODE_DATA_EXCEPTION),
						errmsg("the arrays of column \"%s\" have no elements", column)));
	if (list_length(fit->features) + length > MOST_FEATURES)
		ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
						errmsg("column \"%s\" has arrays of %d elements", column, length),
						errdetail("A model takes up to %d features.", MOST_FEATURES)));
	for (i = 1; i <= length; i++)
	{
		DmpTransform *t = palloc(sizeof(DmpTransform));

		*t = *wish->transform;
		t->element = i;
		t->length = length;
		add_feature(fit, wish, t)->name = psprintf("%s[%d]", column, i);
	}
}

/* whether a column as it is, or filled, is a feature */
static bool
is_feature(const DmpEncodeWishes *wishes, const char *name)
{
	ListCell *lc;

	foreach (lc, wishes->list)
	{
		const DmpEncodeWish *wish = lfirst(lc);

		if (strcmp(wish->feature.name, name) == 0)
			return !wish->transformed || wish->transform->kind == DMP_TRANSFORM_FILL;
	}
	return false;
}

static void
grant(Fit *fit, const DmpEncodeWishes *wishes, DmpEncodeWish *wish, const char *query)
{
	DmpTransform *t = wish->transform;

	if (!wish->transformed)
	{
		(void) add_feature(fit, wish, NULL);
		return;
	}
	if (wish->fill_mean || wish->fill_median)
		grant_fill(fit, wish);
	if (t->kind == DMP_TRANSFORM_SLOPE)
	{
		grant_slopes(fit, wish, fit->args->lambda == 0 && is_feature(wishes, t->columns[0]));
		return;
	}
	if (t->kind == DMP_TRANSFORM_ELEMENT)
	{
		grant_elements(fit, wish, query);
		return;
	}
	if (t->kind == DMP_TRANSFORM_BINS)
		take_edges(t, wish, column_of(fit, t->columns[0]));
	else if (has_table(t))
		grant_table(fit, wish);
	(void) add_feature(fit, wish, t);
}

static void
check_names(const DmpFeature *features, int n)
{
	char **sorted = palloc(sizeof(char *) * Max(n, 1));
	int i;

	for (i = 0; i < n; i++)
		sorted[i] = features[i].name;
	qsort(sorted, n, sizeof(char *), compare_texts);
	for (i = 1; i < n; i++)
	{
		if (strcmp(sorted[i - 1], sorted[i]) == 0)
			ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
							errmsg("feature \"%s\" is named twice", sorted[i])));
	}
	pfree(sorted);
}

DmpFeature *
dmp_encode_fit(const DmpEncodeWishes *wishes, const DmpEncodeRows *rows, DmpTrainArgs *args,
			   DmpTrainPlan *plan, int *n)
{
	Fit fit = {0};
	DmpFeature *features;
	ListCell *lc;

	check_target(wishes, plan);
	fit.args = args;
	fit.rows = rows;
	fit.nfolds = dmp_encode_is_crossed(wishes) ? DMP_ENCODE_FOLDS : 1;
	fit.width = 1 + 2 * fit.nfolds;
	foreach (lc, wishes->list)
	{
		const DmpEncodeWish *wish = lfirst(lc);
		int k = column_to_scan(wish);

		if (k < 0 || place_of(&fit, wish->transform->columns[k]) >= 0)
			continue;
		fit.names = lappend(fit.names, wish->transform->columns[k]);
		fit.texts = lappend_int(fit.texts, wish->transform->kinds[k] == DMP_VALUE_TEXT);
	}
	if (fit.names != NIL)
	{
		run_scan(&fit);
		plan->scans++;
	}
	foreach (lc, wishes->list)
		grant(&fit, wishes, lfirst(lc), plan->query->select);
	*n = list_length(fit.features);
	features = palloc(sizeof(DmpFeature) * Max(*n, 1));
	foreach (lc, fit.features)
		features[foreach_current_index(lc)] = *(DmpFeature *) lfirst(lc);
	check_names(features, *n);
	return features;
}

/* name of the column that has a feature's array as float8[] */
char *
dmp_encode_array(const DmpFeature *feature)
{
	const char *column = feature->transform->columns[0];

	return psprintf("dmp_array_%08x", (uint32) dmp_hash_bytes(column, strlen(column), 0));
}

/* FROM item q with the arrays of the features unpacked, or from as it is */
char *
dmp_encode_from(const DmpFeature *features, int n, const char *from)
{
	StringInfoData sql;
	bool any = false;
	int i;

	initStringInfo(&sql);
	appendStringInfoString(&sql, "(SELECT q.*");
	for (i = 0; i < n; i++)
	{
		const char *column;

		if (dmp_feature_elements(&features[i]) == 0)
			continue;
		column = features[i].transform->columns[0];
		appendStringInfo(&sql, ", dmp_internal.numbers(q.%s, %d, %s) AS %s",
						 quote_identifier(column), features[i].transform->length,
						 quote_literal_cstr(column), dmp_encode_array(&features[i]));
		any = true;
	}
	if (!any)
		return pstrdup(from);
	/* OFFSET 0: unpacked once a row */
	appendStringInfo(&sql, " FROM %s OFFSET 0) AS q", from);
	return sql.data;
}

char *
dmp_encode_sql(const DmpFeature *feature, const char *fold)
{
	const DmpTransform *t = feature->transform;
	StringInfoData sql;
	StringInfoData json;
	int k;

	initStringInfo(&sql);
	if (t == NULL)
	{
		DmpValueKind kind = dmp_encode_kind(feature->encode);

		appendStringInfo(&sql, "q.%s%s", quote_identifier(feature->name),
						 kind == DMP_VALUE_TEXT    ? "::text"
						 : kind == DMP_VALUE_TEXTS ? "::text[]"
												   : "");
		return sql.data;
	}
	if (t->kind == DMP_TRANSFORM_ELEMENT)
	{
		appendStringInfo(&sql, "q.%s[%d]", dmp_encode_array(feature), t->element);
		return sql.data;
	}
	initStringInfo(&json);
	dmp_transform_append(&json, t, fold != NULL);
	appendStringInfo(&sql, "dmp_internal.encode_%s(%s, %s", t->text ? "text" : "number",
					 quote_literal_cstr(json.data), fold != NULL && has_table(t) ? fold : "NULL");
	for (k = 0; k < t->ncolumns; k++)
		appendStringInfo(&sql, ", q.%s", quote_identifier(t->columns[k]));
	appendStringInfoChar(&sql, ')');
	return sql.data;
}
