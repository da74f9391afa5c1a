/*-------------------------------------------------------------------------
 * report_column.c
 *		One column of dmp.feature_report: counted row by row, then measured.
 *
 * Values are counted in cells (math/binning.h): each distinct value is one
 * until there are more than CELLS, then neighbours share one, so the outcome
 * does not depend on the order of rows. A text is there as its hash. Bins of
 * numbers are those of dmp.bins; bins of texts are the LEVELS most frequent
 * values, the others together; a missing value is a bin of its own.
 *-------------------------------------------------------------------------
 */
#include "feature/report.h"

#include <math.h>

#include "clean/values.h"
#include "lib/stringinfo.h"
#include "math/hash.h"
#include "math/metrics.h"

#define CELLS 4096
#define BINS 10
#define LEVELS 100
#define SMOOTHING 0.5 /* rows, of weights of evidence, as in dmp.bins */
/* what is warned of; the bounds of dmp.train where it has the same */
#define LEAK_AUC 0.9
#define LEAK_CORRELATION 0.99
#define CLASS_ROWS 20
#define ID_ROWS 50
#define ID_SHARE 0.9
#define ID_RANGE 3
#define LARGE_VIF 10
#define ROUGH_AUC 0.001

#define ROOM (LEVELS + 2 * BINS + 4)

/* ---------------------------------------------------------------- counting */

void
dmp_report_column_init(DmpReportColumn *c)
{
	dmp_cells_init(&c->cells, &dmp_server_env, 2, CELLS);
	c->integers = c->rising = true;
	c->low = INFINITY;
	c->high = c->last = -INFINITY;
}

/* the cell of a value; values are counted by their hashes from when cells hold several */
static void
count(DmpReportColumn *c, double key, uint64 hash, bool second)
{
	double *sums;
	int i;

	if (c->distinct == NULL && c->cells.n >= CELLS)
	{
		c->distinct = palloc0(sizeof(DmpDistinct));
		for (i = 0; i < c->cells.n; i++)
			dmp_distinct_add(c->distinct, dmp_hash_double(dmp_cells_low(&c->cells, i), 0));
	}
	if (c->distinct != NULL)
		dmp_distinct_add(c->distinct, hash);
	sums = dmp_cells_at(&c->cells, key);
	sums[0]++;
	sums[1] += second;
	c->present++;
}

static void
count_missing(DmpReportColumn *c, bool second)
{
	c->missing[0]++;
	c->missing[1] += second;
}

void
dmp_report_number(DmpReportColumn *c, double x, bool second, double y)
{
	double dx, dy;

	if (isinf(x))
		c->infinite++;
	if (!isfinite(x))
	{
		count_missing(c, second);
		return;
	}
	count(c, x, dmp_hash_double(x, 0), second);
	c->integers &= x == floor(x);
	c->rising &= x > c->last;
	c->last = x;
	c->low = Min(c->low, x);
	c->high = Max(c->high, x);
	/* Welford 1962 */
	dx = x - c->mean_x;
	dy = y - c->mean_y;
	c->mean_x += dx / c->present;
	c->mean_y += dy / c->present;
	c->xx += dx * (x - c->mean_x);
	c->yy += dy * (y - c->mean_y);
	c->xy += dx * (y - c->mean_y);
}

void
dmp_report_text(DmpReportColumn *c, const char *text, int length, bool second)
{
	double key;

	if (text == NULL)
	{
		count_missing(c, second);
		return;
	}
	/* 53 bits are a number; of 4,096 values two share them once in 10^9 */
	key = dmp_hash_unit(dmp_hash_bytes(text, length, 0));
	count(c, key, dmp_hash_double(key, 0), second);
}

/* --------------------------------------------------------------- measuring */

typedef struct Bins
{
	int n;
	double rows[ROOM];
	double second[ROOM];
} Bins;

static void
add_bin(Bins *b, double rows, double second)
{
	if (rows <= 0)
		return;
	b->rows[b->n] = rows;
	b->second[b->n++] = second;
}

typedef struct Level
{
	uint64 key;
	double rows, second;
} Level;

static int
compare_levels(const void *a, const void *b)
{
	const Level *x = a, *y = b;

	if (x->rows != y->rows)
		return x->rows > y->rows ? -1 : 1;
	return (x->key > y->key) - (x->key < y->key);
}

static void
bins_of_texts(const DmpCells *cells, Bins *b)
{
	Level *level = palloc(sizeof(Level) * Max(cells->n, 1));
	double rows = 0, second = 0;
	int i;

	for (i = 0; i < cells->n; i++)
	{
		level[i].key = cells->keys[i];
		level[i].rows = cells->sums[2 * i];
		level[i].second = cells->sums[2 * i + 1];
	}
	qsort(level, cells->n, sizeof(Level), compare_levels);
	for (i = 0; i < cells->n; i++)
	{
		if (i < LEVELS)
			add_bin(b, level[i].rows, level[i].second);
		else
		{
			rows += level[i].rows;
			second += level[i].second;
		}
	}
	add_bin(b, rows, second);
	pfree(level);
}

static void
bins_of_numbers(const DmpCells *cells, Bins *b)
{
	double edges[2 * BINS], sums[2 * (2 * BINS + 1)];
	int n = dmp_bins_quantile(cells, BINS, edges), i;

	dmp_bins_sums(cells, edges, n, sums);
	for (i = 0; i <= n; i++)
		add_bin(b, sums[2 * i], sums[2 * i + 1]);
}

/* rows where a number is there; ties within a cell count one half */
static double
auc_of_numbers(const DmpCells *cells, int positive, double *error)
{
	double *good = palloc(sizeof(double) * Max(cells->n, 1));
	double *bad = palloc(sizeof(double) * Max(cells->n, 1)), auc;
	int i;

	for (i = 0; i < cells->n; i++)
	{
		double second = cells->sums[2 * i + 1], first = cells->sums[2 * i] - second;

		good[i] = positive == 1 ? second : first;
		bad[i] = positive == 1 ? first : second;
	}
	auc = dmp_histogram_auc(cells->n, good, bad, error);
	if (cells->shift == 0)
		*error = 0;
	pfree(good);
	pfree(bad);
	return auc;
}

typedef struct Rate
{
	double rate, good, bad;
} Rate;

static int
compare_rates(const void *a, const void *b)
{
	const Rate *x = a, *y = b;

	return (x->rate > y->rate) - (x->rate < y->rate);
}

/* levels in the order of their share of positives, which these rows have told */
static double
auc_of_texts(const Bins *b, int positive)
{
	Rate rate[ROOM] = {{0}};
	double good[ROOM], bad[ROOM];
	int n = 0, i;

	for (i = 0; i < b->n; i++)
	{
		double second = b->second[i], first = b->rows[i] - second;

		rate[i].good = positive == 1 ? second : first;
		rate[i].bad = positive == 1 ? first : second;
		rate[i].rate = rate[i].good / b->rows[i];
	}
	qsort(rate, b->n, sizeof(Rate), compare_rates);
	for (i = 0; i < b->n; i++)
	{
		bool same = i > 0 && rate[i].rate == rate[i - 1].rate;

		good[n - same] = (same ? good[n - 1] : 0) + rate[i].good;
		bad[n - same] = (same ? bad[n - 1] : 0) + rate[i].bad;
		n += !same;
	}
	return dmp_histogram_auc(n, good, bad, NULL);
}

static void
measure_classes(DmpReportColumn *c, const DmpReportTarget *target, DmpReport *out, double *error)
{
	Bins bins = {0};
	double positive[ROOM], woe[ROOM];
	int i;

	if (c->kind == DMP_REPORT_TEXT)
		bins_of_texts(&c->cells, &bins);
	else
		bins_of_numbers(&c->cells, &bins);
	add_bin(&bins, c->missing[0], c->missing[1]);
	for (i = 0; i < bins.n; i++)
		positive[i] = target->positive == 1 ? bins.second[i] : bins.rows[i] - bins.second[i];
	out->information_value = dmp_evidence(bins.n, bins.rows, positive, SMOOTHING, woe);
	out->mutual_information = dmp_mutual_information(bins.n, bins.rows, positive);
	out->roc_auc = c->kind == DMP_REPORT_TEXT ? auc_of_texts(&bins, target->positive)
											  : auc_of_numbers(&c->cells, target->positive, error);
}

/* ---------------------------------------------------------------- warnings */

static void
say(StringInfo text, const char *what)
{
	appendStringInfo(text, "%s%s", text->len > 0 ? "; " : "", what);
}

static bool
is_identifier(const DmpReportColumn *c, double distinct)
{
	double n = c->present;

	if (n < ID_ROWS)
		return false;
	if (c->kind == DMP_REPORT_TEXT)
		return distinct >= ID_SHARE * n;
	if (c->kind != DMP_REPORT_NUMBER || !c->integers)
		return false;
	/* numbers drawn at random from so short a range would repeat themselves */
	return c->rising || (distinct >= ID_SHARE * n && c->high - c->low < ID_RANGE * n);
}

static char *
warnings(const DmpReportColumn *c, const DmpReportTarget *target, const DmpReport *r, double error)
{
	StringInfoData text;
	bool identifier = is_identifier(c, r->distinct);
	double auc = r->roc_auc < 0.5 ? 1 - r->roc_auc : r->roc_auc;

	initStringInfo(&text);
	if (target->rows == 0)
		say(&text, "no rows with a target");
	else if (target->nvalues == 1)
		say(&text, "the target has one value");
	else if (target->nvalues > 2)
		say(&text, target->kind == DMP_REPORT_NUMBER
					   ? "the target is a number: no information value, mutual information or AUC"
					   : "the target has more than two values: none of the measures is defined");
	if (c->kind == DMP_REPORT_OTHER)
		say(&text, "values of this type are not looked at");
	if (c->infinite > 0)
		say(&text, psprintf(INT64_FORMAT " infinite values count as missing", c->infinite));
	if (target->rows > 0 && c->present == 0)
		say(&text, "all missing");
	else if (c->kind != DMP_REPORT_OTHER && r->distinct == 1)
		say(&text, "constant");
	if (identifier)
		say(&text, "looks like an identifier");
	else if (c->kind == DMP_REPORT_TEXT && r->distinct > LEVELS)
		say(&text, psprintf("many levels: the %d most frequent are told apart", LEVELS));
	if (!identifier && auc > LEAK_AUC && target->rows_of[0] >= CLASS_ROWS &&
		target->rows_of[1] >= CLASS_ROWS)
		say(&text, psprintf("AUC %.3f alone: a leak if it is not known before the outcome", auc));
	if (target->nvalues > 2 && !identifier && fabs(r->correlation) >= LEAK_CORRELATION &&
		target->rows >= ID_ROWS)
		say(&text, psprintf("correlation %.4f alone: a leak if it is not known before the outcome",
							r->correlation));
	if (error > ROUGH_AUC)
		say(&text, psprintf("AUC to %.1g only: values close together are taken for equal", error));
	if (c->vif > LARGE_VIF)
		say(&text, isinf(c->vif)
					   ? "other columns make it up"
					   : psprintf("VIF above %d: other columns say nearly the same", LARGE_VIF));
	return text.len > 0 ? text.data : NULL;
}

void
dmp_report_measure(DmpReportColumn *c, const DmpReportTarget *target, DmpReport *out)
{
	double error = 0;

	out->rows_missing = c->missing[0];
	out->distinct = out->information_value = out->mutual_information = NAN;
	out->roc_auc = out->correlation = NAN;
	if (c->kind != DMP_REPORT_OTHER)
	{
		dmp_cells_sort(&c->cells);
		out->distinct =
			c->distinct ? Min(rint(dmp_distinct_estimate(c->distinct)), c->present) : c->cells.n;
		if (target->nvalues == 2)
			measure_classes(c, target, out, &error);
		if (c->kind != DMP_REPORT_TEXT && c->xx > 0 && c->yy > 0 &&
			(target->nvalues == 2 || target->kind == DMP_REPORT_NUMBER))
		{
			out->correlation = c->xy / sqrt(c->xx) / sqrt(c->yy);
			if (target->kind == DMP_REPORT_TEXT && target->positive == 0)
				out->correlation = -out->correlation;
			if (!isfinite(out->correlation))
				out->correlation = NAN;
			else
				out->correlation = Max(-1, Min(1, out->correlation));
		}
	}
	out->warning = warnings(c, target, out, error);
}
