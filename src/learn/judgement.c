/*-------------------------------------------------------------------------
 * judgement.c
 *		Warnings that save people, from a sample of the rows and from the fit.
 *
 * Each is one sentence that names the column, the number and what to do. A
 * warning that cries wolf is read once, so each has a bound, which was tried on
 * tables where nothing is wrong (test/t/095_judgement.pl):
 *
 *		leak		a column alone has AUC of 0.9 or more, or of 0.8 and 0.05 above every
 *					other column (what is recorded together with the outcome is seldom
 *					perfect, but it stands out); of a target of numbers, correlation 0.99
 *		one class	a level (or a missing value) whose rows are all of one class, where
 *					chance would do that less than once in 10^9
 *		identifier	texts all different; integers that rise from row to row, or that
 *					are all different though 10 or more pairs should be equal by chance
 *					(n^2 / 2 range, as of birthdays)
 *		time		held-out rows drawn at random from rows that have a time
 *		copies		5 % of the held-out rows equal a training row, ten times the pairs
 *					that columns independent of each other would make
 *		imbalance	a class of less than 1 % or less than 20 rows
 *		collinear	inflation of variance of 100 or more: errors ten times wider
 *-------------------------------------------------------------------------
 */
#include "dmp.h"

#include <math.h>

#include "learn/judgement.h"
#include "lib/stringinfo.h"
#include "math/metrics.h"

#define LEAK_AUC 0.9
#define LEAK_CORRELATION 0.99
#define STANDING_AUC 0.8
#define STANDING_LEAD 0.05
/* rows of each class a column is judged by */
#define CLASS_ROWS 20
#define LEVEL_ROWS 30
#define LOG_CHANCE 20.7 /* of 10^-9 */
#define ID_ROWS 50
#define ID_COLLISIONS 10
#define COPIES_SHARE 0.05
#define MORE_THAN_CHANCE 10
#define MUCH_INFLATION 100
#define MOST_OF_A_KIND 5

typedef struct Warnings
{
	List *list;
	int n; /* of the kind that is looked for now */
} Warnings;

/* the first few of a kind; what is more says the same */
static void
warn(Warnings *w, char *text)
{
	if (w->n++ < MOST_OF_A_KIND)
		w->list = lappend(w->list, text);
}

/* ------------------------------------------------------------------- leaks */

static void
look_for_leaks(Warnings *w, const DmpSample *sample)
{
	double best = 0, second = 0;
	const DmpSampleColumn *top = NULL;
	int i;

	if (!sample->classes || sample->rows[0] < CLASS_ROWS || sample->rows[1] < CLASS_ROWS)
		return;
	w->n = 0;
	for (i = 0; i < sample->ncolumns; i++)
	{
		const DmpSampleColumn *column = &sample->columns[i];

		if (!column->feature || isnan(column->auc))
			continue;
		if (column->auc >= LEAK_AUC)
			warn(w, psprintf("column \"%s\" alone tells the classes apart with AUC %.3f: leave it "
							 "out if it is not known before the outcome",
							 column->name, column->auc));
		if (column->auc > best)
		{
			second = best;
			best = column->auc;
			top = column;
		}
		else if (column->auc > second)
			second = column->auc;
	}
	/* one column has nothing to stand out from */
	if (best < LEAK_AUC && best >= STANDING_AUC && second > 0 && best - second >= STANDING_LEAD)
		warn(w, psprintf("column \"%s\" alone has AUC %.3f, the next best %.3f: leave it out if it "
						 "is not known before the outcome",
						 top->name, best, second));
}

static double correlation(const DmpSample *sample, const double *a, const double *b);

/* the same of a target of numbers */
static void
look_for_known_targets(Warnings *w, const DmpSample *sample, const DmpFit *fit)
{
	int i;

	if (fit->family == DMP_BINOMIAL || fit->nclasses > 0 || sample->n < LEVEL_ROWS)
		return;
	w->n = 0;
	for (i = 0; i < sample->ncolumns; i++)
	{
		const DmpSampleColumn *column = &sample->columns[i];
		double r =
			column->kind == DMP_SAMPLE_TEXT ? NAN : correlation(sample, column->x, sample->target);

		if (column->feature && fabs(r) >= LEAK_CORRELATION)
			warn(w, psprintf("column \"%s\" has correlation %.4f with the target: leave it out if "
							 "it is not known before the outcome",
							 column->name, r));
	}
}

/* levels of one class only */
static void
look_for_copies_of_target(Warnings *w, const DmpSample *sample, const DmpTrainPlan *plan)
{
	double all = (double) (sample->rows[0] + sample->rows[1]);
	int i;

	if (!sample->classes || sample->rows[0] < CLASS_ROWS || sample->rows[1] < CLASS_ROWS)
		return;
	w->n = 0;
	for (i = 0; i < sample->ncolumns; i++)
	{
		const DmpSampleColumn *column = &sample->columns[i];
		int levels = column->kind == DMP_SAMPLE_TEXT ? column->levels.n : 0;
		int64 *rows;
		int64 r;
		int k;

		/* a column that was named for its AUC is named once */
		if (!column->feature || column->auc >= LEAK_AUC)
			continue;
		rows = palloc0(sizeof(int64) * 2 * (levels + 1));
		for (r = 0; r < sample->n; r++)
		{
			bool missing = isnan(column->x[r]);

			if (!sample->test[r] && (missing || levels > 0))
				rows[2 * (missing ? levels : (int) column->x[r]) + (sample->target[r] == 1)]++;
		}
		for (k = 0; k <= levels; k++)
		{
			int class = rows[2 * k] == 0;
			int64 n = rows[2 * k + class];

			if (rows[2 * k + 1 - class] > 0 || n < LEVEL_ROWS ||
				n * -log(sample->rows[class] / all) < LOG_CHANCE)
				continue;
			warn(w, psprintf("column \"%s\" %s%s%s in " INT64_FORMAT
							 " rows looked at, all of class %s: leave it out if it is not known "
							 "before the outcome",
							 column->name, k < levels ? "is \"" : "is missing",
							 k < levels ? column->levels.levels[k].text : "",
							 k < levels ? "\"" : "", n, class ? plan->positive : plan->negative));
		}
		pfree(rows);
	}
}

/* ------------------------------------------------- identifiers, times, copies */

/* whether a column is hashed: prose may differ in every row, and dmp_fit_wide() knows the others */
static bool
is_hashed(const DmpFit *fit, const char *name)
{
	int i;

	for (i = 0; i < fit->design.nfeatures; i++)
	{
		if (strcmp(fit->design.features[i].name, name) == 0)
			return DMP_ENCODE_IS_WIDE(fit->design.features[i].encode);
	}
	return false;
}

static void
look_for_identifiers(Warnings *w, const DmpSample *sample, const DmpFit *fit)
{
	int i;

	w->n = 0;
	for (i = 0; i < sample->ncolumns; i++)
	{
		const DmpSampleColumn *column = &sample->columns[i];
		double n = (double) column->present;
		double collisions = n * n / 2 / (column->high - column->low + 1);

		if (!column->feature || column->present < ID_ROWS || column->distinct < column->present)
			continue;
		if (column->kind == DMP_SAMPLE_TEXT && !is_hashed(fit, column->name))
			warn(w, psprintf("column \"%s\" is different in each of " INT64_FORMAT
							 " rows looked at, as an identifier is: leave it out, or name it as "
							 "key",
							 column->name, column->present));
		else if (column->kind == DMP_SAMPLE_INTEGER &&
				 (column->rising || collisions >= ID_COLLISIONS))
			warn(w, psprintf("column \"%s\" is a different integer in each of " INT64_FORMAT
							 " rows looked at%s, as an identifier is: leave it out, or name it as "
							 "key",
							 column->name, column->present, column->rising ? " and rising" : ""));
	}
}

static void
look_for_time(Warnings *w, const DmpSample *sample, const DmpTrainArgs *args)
{
	int i;

	bool folds = args->test_fraction == 0;

	if (strcmp(args->split, "hash") != 0 || (folds && (args->cv == 0 || args->fold_column != NULL)))
		return;
	for (i = 0; i < sample->ncolumns; i++)
	{
		const DmpSampleColumn *column = &sample->columns[i];

		if (column->kind != DMP_SAMPLE_TIME || column->distinct < 2)
			continue;
		w->list = lappend(
			w->list, psprintf("the %s are drawn at random though column \"%s\" is a time "
							  "of " INT64_FORMAT " values: at => '%s'%s with options => "
							  "'{\"split\": \"time\"}' tests on later rows, as in use",
							  folds ? "folds" : "held-out rows", column->name, column->distinct,
							  column->name, folds ? ", test_fraction => 0.2" : ""));
		return;
	}
}

/*
 * How many pairs of equal rows chance would make in the sample if columns had
 * nothing to do with each other. Rows of a sample by hash meet all their
 * copies there, hence the rows of the whole table.
 */
static double
chance_pairs(const DmpSample *sample)
{
	double pairs = (double) sample->n * sample->of / 2;
	int i;

	if (sample->classes)
	{
		double rate = (double) sample->rows[1] / (sample->rows[0] + sample->rows[1]);

		pairs *= rate * rate + (1 - rate) * (1 - rate);
	}
	for (i = 0; i < sample->ncolumns; i++)
	{
		if (sample->columns[i].feature)
			pairs *= sample->columns[i].collision;
	}
	return pairs;
}

/*
 * Rows that have their equal on another side: of those held out, in training
 * rows; of the training rows, in another fold. side: where each row is.
 */
static void
count_copies(const DmpSample *sample, const double *where, bool held_out, double *copies,
			 double *of, double *pairs)
{
	uint64 *keys = palloc(sizeof(uint64) * sample->n);
	double *side = palloc(sizeof(double) * sample->n);
	int64 n = 0, at, i, j;

	*copies = *of = *pairs = 0;
	for (i = 0; i < sample->n; i++)
	{
		if (!held_out && sample->test[i])
			continue;
		keys[n] = sample->hash[i];
		side[n++] = held_out ? sample->test[i] : where[i];
	}
	dmp_radix_sort(n, keys, side, &dmp_server_env);
	for (at = 0; at < n; at = j)
	{
		double same = 0;

		for (j = at; j < n && keys[j] == keys[at]; j++)
			same += side[j] == side[at];
		for (i = at; i < j; i++)
		{
			*of += !held_out || side[i] != 0;
			if (same < j - at)
				*copies += !held_out || side[i] != 0;
		}
		*pairs += (double) (j - at) * (j - at - 1) / 2;
	}
	pfree(keys);
	pfree(side);
}

static void
look_for_copies(Warnings *w, const DmpSample *sample)
{
	double copies, of, pairs;

	if (sample->ntest >= CLASS_ROWS)
	{
		count_copies(sample, NULL, true, &copies, &of, &pairs);
		if (copies >= COPIES_SHARE * of && pairs > MORE_THAN_CHANCE * chance_pairs(sample))
			w->list = lappend(
				w->list, psprintf("%.1f%% of the held-out rows equal a training row in target and "
								  "every feature: the test metrics are too good; remove the "
								  "copies, or split by a key that they share",
								  100 * copies / of));
	}
	if (sample->fold != NULL)
	{
		count_copies(sample, sample->fold, false, &copies, &of, &pairs);
		if (copies >= COPIES_SHARE * of && pairs > MORE_THAN_CHANCE * chance_pairs(sample))
			w->list = lappend(
				w->list, psprintf("%.1f%% of the rows have an equal in another fold: what "
								  "cross-validation finds is too good; remove the copies, or name "
								  "what they share (option fold_column)",
								  100 * copies / of));
	}
}

/* --------------------------------------------------------------- of the fit */

static void
look_at_balance(Warnings *w, const DmpTrainPlan *plan, const DmpFit *fit)
{
	int64 rows = Min(fit->rows_positive, fit->rows - fit->rows_positive);
	const char *class = rows == fit->rows_positive ? plan->positive : plan->negative;

	if (fit->nclasses > 0 || fit->family != DMP_BINOMIAL)
		return;
	if (rows < CLASS_ROWS)
		w->list =
			lappend(w->list, psprintf("only " INT64_FORMAT " of " INT64_FORMAT
									  " rows are of class %s: coefficients of so few say little; "
									  "gather more of them, or use a penalty (lambda)",
									  rows, fit->rows, class));
	else if (rows < fit->rows / 100)
		w->list = lappend(w->list, psprintf(INT64_FORMAT
											" of " INT64_FORMAT
											" rows (%.2g%%) are of class %s: accuracy says nothing "
											"here; read average_precision, and choose a threshold "
											"with dmp.set_threshold",
											rows, fit->rows, 100.0 * rows / fit->rows, class));
}

static void
look_at_end(Warnings *w, const DmpTrainArgs *args, const DmpFit *fit)
{
	if (fit->status == DMP_FIT_ITERATION_LIMIT)
		w->list =
			lappend(w->list, psprintf("the fit stopped after %d steps at a residual of %.1g: raise "
									  "option max_iterations, or add a penalty (lambda => %.1g)",
									  fit->iterations, fit->kkt_residual, 1.0 / Max(fit->rows, 1)));
	else if (fit->status == DMP_FIT_DIVERGED)
		w->list =
			lappend(w->list, psprintf("the fit found no way down at a residual of %.1g: look for "
									  "columns with a few huge values, or add a penalty (lambda => "
									  "%.1g)",
									  fit->kkt_residual, 1.0 / Max(fit->rows, 1)));
	else if (fit->status == DMP_FIT_TOO_FEW_ROWS)
		w->list = lappend(w->list,
						  psprintf(INT64_FORMAT " rows are too few for so many columns: name fewer "
												"with features, or add a penalty (lambda => %.1g)",
								   fit->rows, 1.0 / Max(fit->rows, 1)));
}

static const DmpSampleColumn *
find_column(const DmpSample *sample, const char *name)
{
	int i;

	for (i = 0; i < sample->ncolumns; i++)
	{
		if (strcmp(sample->columns[i].name, name) == 0)
			return &sample->columns[i];
	}
	return NULL;
}

/* correlation over the rows in which both are there; NaN when it is not defined */
static double
correlation(const DmpSample *sample, const double *a, const double *b)
{
	double n = 0, ma = 0, mb = 0, aa = 0, bb = 0, ab = 0;
	int64 i;

	for (i = 0; i < sample->n; i++)
	{
		double da, db;

		if (sample->test[i] || isnan(a[i]) || isnan(b[i]))
			continue;
		n++;
		da = a[i] - ma;
		db = b[i] - mb;
		ma += da / n;
		mb += db / n;
		aa += da * (a[i] - ma);
		bb += db * (b[i] - mb);
		ab += da * (b[i] - mb);
	}
	return ab / sqrt(aa * bb);
}

static void
look_for_collinear(Warnings *w, const DmpSample *sample, const DmpFit *fit)
{
	List *named = NIL;
	int i;
	int k;

	w->n = 0;
	for (i = 0; fit->vif != NULL && i < fit->design.nfeatures; i++)
	{
		const DmpFeature *feature = &fit->design.features[i];
		const DmpSampleColumn *column = find_column(sample, feature->name);
		const DmpSampleColumn *nearest = NULL;
		double most = 0;

		if (feature->encode > DMP_ENCODE_BOOLEAN || feature->index < 0 ||
			!(fit->vif[feature->index] >= MUCH_INFLATION) || column == NULL)
			continue;
		for (k = 0; k < sample->ncolumns; k++)
		{
			const DmpSampleColumn *other = &sample->columns[k];
			double r;

			if (other == column || !other->feature || other->kind == DMP_SAMPLE_TEXT ||
				other->kind == DMP_SAMPLE_TIME)
				continue;
			CHECK_FOR_INTERRUPTS();
			r = correlation(sample, column->x, other->x);
			if (fabs(r) > fabs(most))
			{
				most = r;
				nearest = other;
			}
		}
		/* one of a pair is enough */
		if (nearest != NULL && list_member_ptr(named, nearest))
			continue;
		named = lappend(named, (void *) column);
		warn(w, psprintf("column \"%s\" is nearly a combination of others%s: its variance is %.0f "
						 "times what it would be alone; leave one out, or add a penalty (lambda)",
						 column->name,
						 nearest ? psprintf(" (correlation %.4f with \"%s\")", most, nearest->name)
								 : "",
						 fit->vif[feature->index]));
	}
}

List *
dmp_judgement(const DmpTrainArgs *args, const DmpTrainPlan *plan, const DmpFit *fit,
			  const DmpSample *sample)
{
	Warnings w = {NIL, 0};

	look_at_end(&w, args, fit);
	look_at_balance(&w, plan, fit);
	if (sample == NULL)
		return w.list;
	look_for_leaks(&w, sample);
	look_for_known_targets(&w, sample, fit);
	look_for_copies_of_target(&w, sample, plan);
	look_for_identifiers(&w, sample, fit);
	look_for_time(&w, sample, args);
	look_for_copies(&w, sample);
	look_for_collinear(&w, sample, fit);
	return w.list;
}
