/*-------------------------------------------------------------------------
 * sample.c
 *		A bounded sample of training rows, and statistics of its columns.
 *
 * The rows are read once more under the snapshot of the fit: all of them up to
 * 50,000, of more some 10,000, those whose hash of a few columns is small: the
 * same rows under any plan, and copies of a row come together, so that their
 * share can be seen. Columns are those of the query, before anything is made of
 * them.
 *-------------------------------------------------------------------------
 */
#include "dmp.h"

#include <math.h>

#include "access/htup_details.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "common/shortest_dec.h"
#include "executor/spi.h"
#include "learn/judgement.h"
#include "lib/stringinfo.h"
#include "math/hash.h"
#include "math/metrics.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/lsyscache.h"

#define SAMPLE_SEED 811
#define FIRST_COLUMN 3 /* behind target, split and fold */
#define HASHED_COLUMNS 3
#define BLOCK_ROWS 20
#define ALL_COLUMNS 60
#define TEXT_LENGTH 200
#define LISTED_LEVELS 20
/* of few rows an AUC says little */
#define FEW_OF_A_CLASS 20
#define NULL_HASH UINT64CONST(0x6E756C6C)

/* ------------------------------------------------------------------ reading */

/* what a column is read as; false: not at all */
static bool
kind_of(Oid type, DmpSampleKind *kind)
{
	type = getBaseType(type);
	switch (dmp_value_kind(type))
	{
		case DMP_VALUE_NUMBER:
			*kind = type == INT2OID || type == INT4OID || type == INT8OID ? DMP_SAMPLE_INTEGER
																		  : DMP_SAMPLE_NUMBER;
			return true;
		case DMP_VALUE_BOOLEAN:
			*kind = DMP_SAMPLE_BOOLEAN;
			return true;
		case DMP_VALUE_TEXT:
		case DMP_VALUE_TEXTS:
			*kind = DMP_SAMPLE_TEXT;
			return true;
		case DMP_VALUE_TIMESTAMP:
		case DMP_VALUE_TIMESTAMPTZ:
			*kind = DMP_SAMPLE_TIME;
			return true;
		case DMP_VALUE_NUMBERS:
		case DMP_VALUE_OTHER:
			break;
	}
	*kind = DMP_SAMPLE_TIME;
	return type == DATEOID;
}

/* features, key and at, as far as they can be read */
static void
choose_columns(DmpSample *sample, const DmpTrainArgs *args, const DmpTrainPlan *plan)
{
	TupleDesc desc = plan->query->desc;
	int i;

	sample->columns = palloc0(sizeof(DmpSampleColumn) * (desc->natts + 1));
	for (i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(desc, i);
		DmpSampleColumn *column = &sample->columns[sample->ncolumns];

		column->name = NameStr(attribute->attname);
		column->feature = dmp_list_has(plan->feature_names, column->name);
		if (attribute->attisdropped || strcmp(column->name, args->target) == 0 ||
			(!column->feature && (args->at == NULL || strcmp(column->name, args->at) != 0)))
			continue;
		if (kind_of(attribute->atttypid, &column->kind))
			sample->ncolumns++;
	}
	memset(&sample->columns[sample->ncolumns], 0, sizeof(DmpSampleColumn));
}

static void
append_column(StringInfo sql, const DmpSampleColumn *column)
{
	const char *name = quote_identifier(column->name);

	switch (column->kind)
	{
		case DMP_SAMPLE_NUMBER:
		case DMP_SAMPLE_INTEGER:
			appendStringInfo(sql, ", q.%s::pg_catalog.float8", name);
			break;
		case DMP_SAMPLE_BOOLEAN:
			appendStringInfo(sql, ", q.%s::pg_catalog.int4::pg_catalog.float8", name);
			break;
		case DMP_SAMPLE_TIME:
			appendStringInfo(sql, ", extract(epoch FROM q.%s)::pg_catalog.float8", name);
			break;
		case DMP_SAMPLE_TEXT:
			appendStringInfo(sql, ", pg_catalog.left(q.%s::pg_catalog.text, %d)", name,
							 TEXT_LENGTH);
			break;
	}
}

/*
 * Which rows are in: those whose hash of the first so many columns is small,
 * those columns first that are likely to tell rows apart; or of the key.
 */
static char *
filter_sql(DmpSample *sample, List *key, int columns, double share)
{
	static const DmpSampleKind order[] = {DMP_SAMPLE_NUMBER, DMP_SAMPLE_INTEGER, DMP_SAMPLE_TEXT,
										  DMP_SAMPLE_TIME, DMP_SAMPLE_BOOLEAN};
	StringInfoData sql;
	ListCell *lc;
	int n = 0;
	int i;
	int k;

	initStringInfo(&sql);
	appendStringInfo(&sql, "dmp_internal.split(%d", SAMPLE_SEED);
	foreach (lc, key)
		appendStringInfo(&sql, ", q.%s", quote_identifier(lfirst(lc)));
	for (i = 0; i < sample->ncolumns; i++)
		sample->columns[i].hashed = false;
	for (k = 0; k < lengthof(order) && key == NIL; k++)
		for (i = 0; i < sample->ncolumns && n < columns; i++)
		{
			if (sample->columns[i].kind != order[k])
				continue;
			appendStringInfo(&sql, ", q.%s", quote_identifier(sample->columns[i].name));
			sample->columns[i].hashed = true;
			n++;
		}
	appendStringInfoChar(&sql, ')');
	/* a range, of which the planner expects a few rows only: else LIMIT keeps it from workers */
	return psprintf("%s < %.17g AND %s >= 0", sql.data, share, sql.data);
}

/* whether the hashed columns take so few values that the sample is a few lumps of rows */
static bool
is_lumpy(const DmpSample *sample, int64 limit)
{
	uint64 *keys;
	int64 distinct = 0, i;
	int c;

	if (sample->n < limit / 2 || sample->n >= limit + limit / 10)
		return true;
	keys = palloc0(sizeof(uint64) * sample->n);
	for (c = 0; c < sample->ncolumns; c++)
	{
		if (!sample->columns[c].hashed)
			continue;
		for (i = 0; i < sample->n; i++)
			keys[i] = dmp_hash_combine(keys[i], dmp_hash_double(sample->columns[c].x[i], 0));
	}
	dmp_radix_sort(sample->n, keys, NULL, &dmp_server_env);
	for (i = 0; i < sample->n; i++)
		distinct += i == 0 || keys[i] != keys[i - 1];
	pfree(keys);
	return distinct < sample->n / 3;
}

static void
take_row(DmpSample *sample, const Datum *values, const bool *nulls, int64 i, double test_fraction)
{
	uint64 hash;
	int c;

	sample->target[i] = DatumGetFloat8(values[0]);
	hash = dmp_hash_double(sample->target[i], 0);
	sample->test[i] = !nulls[1] && DatumGetFloat8(values[1]) < test_fraction;
	if (sample->fold != NULL)
		sample->fold[i] = nulls[2] ? -1 : DatumGetFloat8(values[2]);
	for (c = 0; c < sample->ncolumns; c++)
	{
		DmpSampleColumn *column = &sample->columns[c];
		Datum datum = values[c + FIRST_COLUMN];
		uint64 value = NULL_HASH;

		if (nulls[c + FIRST_COLUMN])
			column->x[i] = NAN;
		else if (column->kind == DMP_SAMPLE_TEXT)
		{
			text *t = DatumGetTextPP(datum);

			column->x[i] =
				dmp_dictionary_code(&column->levels, VARDATA_ANY(t), VARSIZE_ANY_EXHDR(t), true);
			value = dmp_hash_bytes(VARDATA_ANY(t), VARSIZE_ANY_EXHDR(t), 0);
			if (column->x[i] < 0)
				column->x[i] = NAN; /* cannot be: there are fewer rows than codes */
		}
		else
		{
			column->x[i] = DatumGetFloat8(datum);
			value = dmp_hash_double(column->x[i], 0);
		}
		if (column->feature)
			hash = dmp_hash_combine(hash, value);
	}
	sample->hash[i] = hash;
}

/*
 * The rows to choose from, and what share of all they are. One more scan of a
 * large table would show (a quarter of the time of a fit of 1M x 20): it is
 * blocks of it, with twenty times the rows that are wanted, unless copies of a
 * row on both sides of a split are to be found.
 */
static const char *
source_sql(DmpSample *sample, const DmpTrainArgs *args, const DmpTrainPlan *plan, int64 limit)
{
	Oid relid = InvalidOid;
	/* copies of a row on both sides matter: then all rows are looked at */
	bool splits = args->by == NIL && (args->test_fraction > 0 || args->cv > 0);
	double percent = 100.0 * BLOCK_ROWS * limit / Max(sample->of, 1);

	sample->share = 1;
	if (!splits && percent < 50 && plan->query->temporary == NULL &&
		strpbrk(args->query, " \t\n(") == NULL)
		relid = dmp_relation_oid(args->query, true);
	if (!OidIsValid(relid) ||
		(get_rel_relkind(relid) != RELKIND_RELATION && get_rel_relkind(relid) != RELKIND_MATVIEW))
		return plan->query->select;
	sample->share = percent / 100;
	return psprintf("SELECT * FROM %s TABLESAMPLE SYSTEM (%.17g) REPEATABLE (%d)",
					dmp_relation_name(relid), percent, SAMPLE_SEED);
}

static void
read_rows(DmpSample *sample, const DmpTrainArgs *args, const DmpTrainPlan *plan, const char *filter,
		  int64 limit)
{
	MemoryContext context = CurrentMemoryContext;
	Datum *values = palloc(sizeof(Datum) * (sample->ncolumns + FIRST_COLUMN));
	bool *nulls = palloc(sizeof(bool) * (sample->ncolumns + FIRST_COLUMN));
	StringInfoData sql;
	int64 n;
	int64 i;
	int c;

	initStringInfo(&sql);
	appendStringInfo(&sql, "SELECT %s, %s, %s", plan->target_sql,
					 plan->split_sql ? plan->split_sql : "1::pg_catalog.float8",
					 plan->place_sql ? plan->place_sql : "0::pg_catalog.float8");
	for (c = 0; c < sample->ncolumns; c++)
		append_column(&sql, &sample->columns[c]);
	appendStringInfo(&sql, " FROM (%s) AS q WHERE q.%s IS NOT NULL", sample->select,
					 quote_identifier(args->target));
	if (filter != NULL)
		appendStringInfo(&sql, " AND %s", filter);
	appendStringInfo(&sql, " LIMIT " INT64_FORMAT, limit);
	n = (int64) dmp_spi(sql.data, NULL, true);
	MemoryContextSwitchTo(context);
	sample->n = 0;
	sample->target = palloc(sizeof(double) * Max(n, 1));
	sample->test = palloc(sizeof(bool) * Max(n, 1));
	sample->hash = palloc(sizeof(uint64) * Max(n, 1));
	sample->fold = plan->place_sql ? palloc(sizeof(double) * Max(n, 1)) : NULL;
	for (c = 0; c < sample->ncolumns; c++)
	{
		sample->columns[c].x = palloc(sizeof(double) * Max(n, 1));
		if (sample->columns[c].kind == DMP_SAMPLE_TEXT)
			dmp_dictionary_init(&sample->columns[c].levels);
	}
	for (i = 0; i < n; i++)
	{
		if (i % 256 == 0)
			CHECK_FOR_INTERRUPTS();
		heap_deform_tuple(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, values, nulls);
		if (!nulls[0])
			take_row(sample, values, nulls, sample->n++, args->test_fraction);
	}
	SPI_freetuptable(SPI_tuptable);
}

/* --------------------------------------------------------------- statistics */

/*
 * Area under the curve of a text column: each half of the rows is ordered by
 * the rates of the other, so that a column of many values gains nothing by
 * having them.
 */
static void
rates_of_other_half(const DmpSample *sample, const DmpSampleColumn *column, double *score)
{
	int n = column->levels.n + 1; /* the last: missing */
	double *sums = palloc0(sizeof(double) * 4 * n);
	double all = (double) sample->rows[1] / (sample->rows[0] + sample->rows[1]);
	int64 i;

	for (i = 0; i < sample->n; i++)
	{
		int code = isnan(column->x[i]) ? n - 1 : (int) column->x[i];
		double *s = sums + 4 * code + 2 * (sample->hash[i] & 1);

		if (sample->test[i])
			continue;
		s[0] += 1;
		s[1] += sample->target[i];
	}
	for (i = 0; i < sample->n; i++)
	{
		int code = isnan(column->x[i]) ? n - 1 : (int) column->x[i];
		const double *s = sums + 4 * code + 2 * (1 - (sample->hash[i] & 1));

		score[i] = (s[1] + all) / (s[0] + 1);
	}
	pfree(sums);
}

/* a, or 1 - a: a column that ranks the classes the wrong way round says as much */
static double
either_way(double a)
{
	return a < 0.5 ? 1 - a : a;
}

static double
text_auc(const DmpSample *sample, const DmpSampleColumn *column)
{
	double *score = palloc(sizeof(double) * Max(sample->n, 1));
	unsigned char *label = palloc(Max(sample->n, 1));
	DmpRankMetrics ranks;
	size_t n = 0;
	int64 i;

	rates_of_other_half(sample, column, score);
	for (i = 0; i < sample->n; i++)
	{
		if (sample->test[i])
			continue;
		score[n] = score[i];
		label[n++] = sample->target[i] == 1;
	}
	dmp_rank_metrics(n, score, label, NULL, &dmp_server_env, &ranks);
	pfree(score);
	pfree(label);
	return ranks.roc_auc;
}

/*
 * Of a column of numbers: pairs of the classes in the right order, of those
 * that are present; or of whether the value is there, when that says more.
 */
static double
number_auc(const DmpSample *sample, double pairs, const int64 *present)
{
	double there =
		0.5 + ((double) present[1] / sample->rows[1] - (double) present[0] / sample->rows[0]) / 2;
	double auc = NAN;

	if (present[0] >= FEW_OF_A_CLASS && present[1] >= FEW_OF_A_CLASS)
		auc = either_way(pairs / ((double) present[0] * present[1]));
	return auc >= either_way(there) ? auc : either_way(there);
}

static void
describe(const DmpSample *sample, DmpSampleColumn *column)
{
	uint64 *keys = palloc(sizeof(uint64) * Max(sample->n, 1));
	double *label = palloc(sizeof(double) * Max(sample->n, 1));
	double m2 = 0, last = -INFINITY, pairs = 0;
	int64 n = 0, all = sample->n - sample->ntest, below[2] = {0, 0}, i, j;
	int q;

	column->rising = true;
	for (i = 0; i < sample->n; i++)
	{
		double x = column->x[i], delta;

		if (sample->test[i] || isnan(x))
			continue;
		column->rising &= x > last;
		last = x;
		label[n] = sample->target[i] == 1;
		keys[n++] = dmp_sort_key(x);
		delta = x - column->mean;
		column->mean += delta / n;
		m2 += delta * (x - column->mean);
	}
	column->present = n;
	column->sd = n > 0 ? sqrt(m2 / n) : 0;
	dmp_radix_sort(n, keys, label, &dmp_server_env);
	column->collision = all > 0 ? pow((double) (all - n) / all, 2) : 0;
	for (i = 0; i < n; i = j)
	{
		int64 here[2] = {0, 0};

		for (j = i; j < n && keys[j] == keys[i]; j++)
			here[label[j] != 0]++;
		column->distinct++;
		column->collision += pow((double) (j - i) / all, 2);
		pairs += (double) here[1] * below[0] + 0.5 * here[1] * here[0];
		below[0] += here[0];
		below[1] += here[1];
	}
	for (q = 0; q <= 10 && n > 0; q++)
		column->quantile[q] = dmp_sort_key_value(keys[(int64) floor((n - 1) * (q / 10.0) + 0.5)]);
	column->low = column->quantile[0];
	column->high = column->quantile[10];
	column->auc = NAN;
	if (sample->classes && sample->rows[0] > 0 && sample->rows[1] > 0)
		column->auc = column->kind == DMP_SAMPLE_TEXT ? text_auc(sample, column)
													  : number_auc(sample, pairs, below);
	pfree(keys);
	pfree(label);
}

/* a few columns as a rule tell rows apart; then all of them; then the key; else the first rows */
static void
read_share(DmpSample *sample, const DmpTrainArgs *args, const DmpTrainPlan *plan, int64 limit)
{
	double share = (double) limit / sample->of / sample->share;
	int few = Min(sample->ncolumns, HASHED_COLUMNS);
	int all = Min(sample->ncolumns, ALL_COLUMNS);

	/* a tenth more than wanted: hashes do not fall evenly */
	read_rows(sample, args, plan, filter_sql(sample, NIL, few, share), limit + limit / 10);
	if (few < all && is_lumpy(sample, limit))
		read_rows(sample, args, plan, filter_sql(sample, NIL, all, share), limit + limit / 10);
	if (args->key != NIL && is_lumpy(sample, limit))
		read_rows(sample, args, plan, filter_sql(sample, args->key, 0, share), limit + limit / 10);
	else if (sample->n < limit / 4)
		read_rows(sample, args, plan, NULL, limit);
}

DmpSample *
dmp_sample_read(const DmpTrainArgs *args, const DmpTrainPlan *plan, int64 rows)
{
	DmpSample *sample = palloc0(sizeof(DmpSample));
	int64 limit;
	int64 i;

	choose_columns(sample, args, plan);
	limit = Max(500, DMP_SAMPLE_VALUES / Max(sample->ncolumns, 1));
	sample->of = rows;
	sample->whole = rows <= Min(limit, DMP_WHOLE_ROWS);
	limit = sample->whole ? rows : Min(limit, DMP_SAMPLE_ROWS);
	sample->select = source_sql(sample, args, plan, limit);
	if (sample->whole)
		read_rows(sample, args, plan, NULL, limit);
	else
		read_share(sample, args, plan, limit);
	if (sample->n == 0)
		return NULL;
	sample->classes = plan->spec.nclasses == 0 && plan->spec.family == DMP_BINOMIAL;
	for (i = 0; i < sample->n; i++)
	{
		sample->ntest += sample->test[i];
		if (sample->target[i] != 0 && sample->target[i] != 1)
			sample->classes = false;
		if (!sample->test[i])
			sample->hash_total += sample->hash[i];
	}
	for (i = 0; i < sample->n && sample->classes; i++)
	{
		if (!sample->test[i])
			sample->rows[sample->target[i] == 1]++;
	}
	for (i = 0; i < sample->ncolumns; i++)
	{
		CHECK_FOR_INTERRUPTS();
		describe(sample, &sample->columns[i]);
	}
	return sample;
}

/* --------------------------------------------------------- what is kept of it */

static void
append_number(StringInfo json, const char *key, double value)
{
	char text[DOUBLE_SHORTEST_DECIMAL_LEN];

	double_to_shortest_decimal_buf(value, text);
	appendStringInfo(json, isfinite(value) ? ", \"%s\": %s" : ", \"%s\": \"%s\"", key, text);
}

typedef struct LevelCount
{
	const char *text;
	int64 rows;
} LevelCount;

/* most rows first, then by bytes */
static int
compare_counts(const void *a, const void *b)
{
	const LevelCount *x = a;
	const LevelCount *y = b;

	if (x->rows != y->rows)
		return x->rows > y->rows ? -1 : 1;
	return strcmp(x->text, y->text);
}

/* shares of the levels with most rows, of all training rows of the sample */
static void
append_levels(StringInfo json, const DmpSample *sample, const DmpSampleColumn *column)
{
	int n = column->levels.n;
	LevelCount *counts = palloc0(sizeof(LevelCount) * Max(n, 1));
	int64 all = sample->n - sample->ntest;
	int64 listed = 0;
	int64 i;

	for (i = 0; i < n; i++)
		counts[i].text = column->levels.levels[i].text;
	for (i = 0; i < sample->n; i++)
	{
		if (!sample->test[i] && !isnan(column->x[i]))
			counts[(int) column->x[i]].rows++;
	}
	qsort(counts, n, sizeof(LevelCount), compare_counts);
	appendStringInfoString(json, ", \"levels\": {");
	for (i = 0; i < Min(n, LISTED_LEVELS) && counts[i].rows > 0; i++)
	{
		appendStringInfoString(json, i > 0 ? ", " : "");
		escape_json(json, counts[i].text);
		appendStringInfo(json, ": %.6g", (double) counts[i].rows / all);
		listed += counts[i].rows;
	}
	appendStringInfo(json, "}, \"other\": %.6g", (double) (column->present - listed) / all);
	pfree(counts);
}

char *
dmp_sample_baseline(const DmpSample *sample)
{
	static const char *const kinds[] = {"number", "integer", "boolean", "time", "text"};
	int64 all = Max(sample->n - sample->ntest, 1);
	StringInfoData json;
	bool first = true;
	int i;
	int q;

	initStringInfo(&json);
	appendStringInfo(&json, "{\"rows\": " INT64_FORMAT ", \"whole\": %s, \"features\": [",
					 sample->n - sample->ntest, sample->whole ? "true" : "false");
	for (i = 0; i < sample->ncolumns; i++)
	{
		const DmpSampleColumn *column = &sample->columns[i];

		if (!column->feature)
			continue;
		appendStringInfoString(&json, first ? "{\"feature\": " : ", {\"feature\": ");
		first = false;
		escape_json(&json, column->name);
		appendStringInfo(
			&json, ", \"type\": \"%s\", \"missing\": %.6g, \"distinct\": " INT64_FORMAT,
			kinds[column->kind], (double) (all - column->present) / all, column->distinct);
		if (column->kind == DMP_SAMPLE_TEXT)
			append_levels(&json, sample, column);
		else if (column->present > 0)
		{
			append_number(&json, "mean", column->mean);
			append_number(&json, "sd", column->sd);
			appendStringInfoString(&json, ", \"quantiles\": [");
			for (q = 0; q <= 10; q++)
			{
				char text[DOUBLE_SHORTEST_DECIMAL_LEN];

				double_to_shortest_decimal_buf(column->quantile[q], text);
				appendStringInfo(&json, isfinite(column->quantile[q]) ? "%s%s" : "%s\"%s\"",
								 q > 0 ? ", " : "", text);
			}
			appendStringInfoChar(&json, ']');
		}
		if (!isnan(column->auc))
			appendStringInfo(&json, ", \"roc_auc\": %.6g", column->auc);
		appendStringInfoChar(&json, '}');
	}
	appendStringInfoString(&json, "]}");
	return json.data;
}

/* nine digits: sums in another order differ in the sixteenth */
static uint64
hash_rounded(double x)
{
	char text[64];

	snprintf(text, sizeof(text), "%.8e", x == 0 ? 0.0 : x);
	return dmp_hash_bytes(text, strlen(text), 0);
}

char *
dmp_sample_fingerprint(const DmpSample *sample, const DmpFit *fit)
{
	const DmpDesign *design = &fit->design;
	int64 counts[4] = {fit->rows, fit->rows_test, fit->rows_skipped, fit->rows_positive};
	/* rows by blocks depend on where they lie */
	uint64 hash = sample && sample->share == 1 ? sample->hash_total : 0;
	int i;
	int k;

	for (i = 0; i < lengthof(counts); i++)
		hash = dmp_hash_combine(hash, (uint64) counts[i]);
	hash = dmp_hash_combine(hash, hash_rounded(fit->weight_sum));
	for (i = 0; i < design->nfeatures; i++)
	{
		const DmpFeature *feature = &design->features[i];

		hash = dmp_hash_combine(hash, dmp_hash_bytes(feature->name, strlen(feature->name), 0));
		hash = dmp_hash_combine(hash, (uint64) feature->rows_missing);
		if (feature->encode <= DMP_ENCODE_BOOLEAN && feature->index >= 0)
			hash = dmp_hash_combine(hash, hash_rounded(design->mean[feature->index]));
		for (k = 0; k < feature->nlevels; k++)
		{
			const DmpLevel *level = &feature->levels[k];

			hash = dmp_hash_combine(hash, dmp_hash_bytes(level->text, strlen(level->text), 0));
			hash = dmp_hash_combine(hash, (uint64) level->rows);
		}
	}
	return psprintf("%016llx", (unsigned long long) hash);
}
