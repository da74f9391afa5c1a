/*-------------------------------------------------------------------------
 * suggest_rules.c
 *		Functional dependencies that hold but for some errors.
 *
 * The sample becomes a table of codes in memory. For columns X (one, or two
 * where one is not enough) and A, rows are grouped by X; of groups of two rows
 * or more
 *	 errors: the share of the rows that do not have their group's most frequent A,
 *	 kappa: how often two rows of a group agree in A, beyond what two rows of
 *	 the sample do: (p - p0) / (1 - p0).
 * X -> A is proposed when kappa is high and errors are few, and not when
 * - X is nearly a key, or A nearly constant: nothing could be learned,
 * - A is measured (a number with a fraction): measures agree by nature,
 * - the errors are in groups where two values are frequent,
 * - the errors are those of some value of a third column: then X -> A holds
 *	 except there, and what looks like errors is right.
 * Of several X for one A the best two are taken, the better one last.
 *-------------------------------------------------------------------------
 */
#include "clean/suggest.h"

#include <math.h>

#include "utils/memutils.h"

#include "base/base.h"

#define MOST_COLUMNS 60
#define PAIR_COLUMNS 24 /* keys of two columns are tried among that many */
#define PAIR_ROWS 5000  /* and among the first rows */
#define LEAST_KAPPA 0.93
#define MOST_ERRORS 0.03
#define LEAST_SUPPORT 0.3 /* share of rows in groups of two or more */
#define MOST_COMMON 0.98  /* share of A's most frequent value */
#define RULES_PER_COLUMN 2
#define CONTESTED_ROWS 5    /* a group of these, of which the most frequent value */
#define CONTESTED_SHARE 0.7 /* has less than this share, has no errors but two values */
#define MOST_CONTESTED 0.25
#define MOST_OTHERS 0.06     /* errors beside the rows without A's most frequent value */
#define PAIR_CONFIDENCE 0.85 /* at most: of many keys of two columns one fits by chance */

typedef struct Codes
{
	int n; /* rows */
	int m; /* columns */
	DmpSuggestColumn **columns;
	int32 **codes; /* by column and row; -1: missing */
	int32 *n_codes;
	int32 most_codes; /* of all columns */
	int64 *most;      /* rows of the most frequent value */
	double *chance;   /* p0 */
	int32 *scratch;   /* n + 1 counts, zero between uses */
	int32 *order;
} Codes;

typedef struct Found
{
	int from[2]; /* from[1] is -1: of one column */
	int to;
	double kappa;
	double errors;
	double support;
	double contested; /* share of the errors that are in groups with a strong second value */
	double others;    /* errors beside the rows without A's most frequent value */
	int64 repairs;    /* cells that differ from their group, or are missing */
} Found;

/*
 * The codes of the columns that can be part of a rule.
 */
static Codes *
read_codes(DmpSuggest *suggest)
{
	Codes *codes = palloc0(sizeof(Codes));
	StringInfoData select;
	ListCell *lc;
	int64 row;
	int i;

	codes->columns = palloc(sizeof(DmpSuggestColumn *) * MOST_COLUMNS);
	initStringInfo(&select);
	foreach (lc, suggest->columns)
	{
		DmpSuggestColumn *column = lfirst(lc);
		const char *name = quote_identifier(column->name);

		if (codes->m == MOST_COLUMNS)
			break;
		codes->columns[codes->m++] = column;
		appendStringInfo(&select,
						 "%sCASE WHEN %s IS NOT NULL THEN dense_rank() OVER (ORDER BY %s::text "
						 "COLLATE \"C\")::integer - 1 ELSE -1 END",
						 select.len > 0 ? ", " : "", name, name);
	}
	dmp_spi(psprintf("SELECT %s FROM %s", select.data, suggest->sample), NULL, false);
	codes->n = (int) SPI_processed;
	codes->codes = palloc(sizeof(int32 *) * codes->m);
	codes->n_codes = palloc0(sizeof(int32) * codes->m);
	codes->most = palloc0(sizeof(int64) * codes->m);
	codes->chance = palloc0(sizeof(double) * codes->m);
	codes->scratch = palloc0(sizeof(int32) * (codes->n + 2));
	codes->order = palloc0(sizeof(int32) * (codes->n + 1));
	for (i = 0; i < codes->m; i++)
	{
		double agree = 0;
		int64 present = 0;
		int k;

		CHECK_FOR_INTERRUPTS();
		codes->codes[i] = palloc(sizeof(int32) * (codes->n + 1));
		for (row = 0; row < codes->n; row++)
		{
			int32 code = (int32) dmp_spi_int8(row, i + 1, -1);

			codes->codes[i][row] = code;
			codes->n_codes[i] = Max(codes->n_codes[i], code + 1);
			if (code >= 0)
			{
				codes->scratch[code]++;
				present++;
			}
		}
		for (k = 0; k < codes->n_codes[i]; k++)
		{
			codes->most[i] = Max(codes->most[i], codes->scratch[k]);
			agree += (double) codes->scratch[k] * (codes->scratch[k] - 1);
			codes->scratch[k] = 0;
		}
		codes->most_codes = Max(codes->most_codes, codes->n_codes[i]);
		codes->columns[i]->present = present;
		codes->columns[i]->distinct = codes->n_codes[i];
		codes->chance[i] = present > 1 ? agree / ((double) present * (present - 1)) : 1;
	}
	SPI_freetuptable(SPI_tuptable);
	return codes;
}

/*
 * Texts that are numbers with a fraction are measures, too.
 */
static void
find_measures(DmpSuggest *suggest)
{
	ListCell *lc;

	foreach (lc, suggest->columns)
	{
		DmpSuggestColumn *column = lfirst(lc);
		const char *name = quote_identifier(column->name);

		if (!column->is_text)
			continue;
		CHECK_FOR_INTERRUPTS();
		dmp_spi(
			psprintf("SELECT count(*) FILTER (WHERE x ~ '^[-+]?[0-9]*\\.[0-9]+'), count(*) FILTER "
					 "(WHERE x ~ '^[-+]?[0-9]*\\.?[0-9]+([eE][-+]?[0-9]+)?$') >= 0.9 * count(x) "
					 "FROM (SELECT %s::text AS x FROM %s) AS s",
					 name, suggest->sample),
			NULL, false);
		column->measure = dmp_spi_int8(0, 1, 0) > 0 && dmp_spi_bool(0, 2, false);
	}
}

/*
 * Rows in the order of their key: order[start[g]] .. of group g. The key is a
 * column's codes, or those of a pair. Returns the number of groups.
 */
static int
group_rows(Codes *codes, const int32 *key, int n_keys, int32 *start)
{
	int i;

	memset(start, 0, sizeof(int32) * (n_keys + 2));
	for (i = 0; i < codes->n; i++)
		if (key[i] >= 0)
			start[key[i] + 1]++;
	for (i = 0; i < n_keys; i++)
		start[i + 1] += start[i];
	for (i = 0; i < codes->n; i++)
		if (key[i] >= 0)
			codes->order[start[key[i]]++] = i;
	for (i = n_keys; i > 0; i--)
		start[i] = start[i - 1];
	start[0] = 0;
	return n_keys;
}

/*
 * How well the groups determine column to. wrong (by row) is set for the rows
 * that are not as most of their group, when not NULL.
 */
static bool
measure(Codes *codes, const int32 *start, int n_groups, int to, Found *found, bool *wrong)
{
	const int32 *code = codes->codes[to];
	double agree = 0;
	double pairs = 0;
	int64 support = 0;
	int64 errors = 0;
	int64 contested = 0;
	int g;

	found->to = to;
	found->repairs = 0;
	for (g = 0; g < n_groups; g++)
	{
		int size = 0;
		int missing = 0;
		int best = -1;
		int i;

		if (start[g + 1] - start[g] < 2)
			continue;
		for (i = start[g]; i < start[g + 1]; i++)
		{
			int32 value = code[codes->order[i]];

			if (value < 0)
			{
				missing++;
				continue;
			}
			size++;
			codes->scratch[value]++;
			if (best < 0 || codes->scratch[value] > codes->scratch[best])
				best = value;
		}
		if (size > 0)
		{
			int most = codes->scratch[best];

			for (i = start[g]; i < start[g + 1]; i++)
			{
				int32 row = codes->order[i];

				if (code[row] < 0)
					continue;
				agree += codes->scratch[code[row]] - 1;
				if (wrong != NULL && code[row] != best)
					wrong[row] = true;
			}
			for (i = start[g]; i < start[g + 1]; i++)
				if (code[codes->order[i]] >= 0)
					codes->scratch[code[codes->order[i]]] = 0;
			pairs += (double) size * (size - 1);
			if (size > 1)
			{
				support += size;
				errors += size - most;
				if (size >= CONTESTED_ROWS && most < CONTESTED_SHARE * size)
					contested += size - most;
				found->repairs += size - most + missing;
			}
		}
	}
	if (pairs == 0 || codes->chance[to] >= 1)
		return false;
	found->kappa = (agree / pairs - codes->chance[to]) / (1 - codes->chance[to]);
	found->errors = (double) errors / Max(support, 1);
	found->support = (double) support / Max(codes->n, 1);
	found->contested = (double) contested / Max(errors, 1);
	found->others = (double) errors / Max(codes->columns[to]->present - codes->most[to], 1);
	return found->others <= MOST_OTHERS && found->contested <= MOST_CONTESTED &&
		   found->kappa >= LEAST_KAPPA && found->errors <= MOST_ERRORS &&
		   found->support >= LEAST_SUPPORT && support >= 20;
}

/*
 * Whether half of the wrong rows or more have one value of another column in
 * common that is wrong as often as not: an exception, not errors.
 */
static bool
is_exception(Codes *codes, const Found *found, const bool *wrong)
{
	int32 *rows = palloc(sizeof(int32) * (codes->most_codes + 1));
	int64 errors = 0;
	bool exception = false;
	int i;
	int k;

	for (i = 0; i < codes->n; i++)
		errors += wrong[i];
	for (k = 0; k < codes->m && errors >= 3 && !exception; k++)
	{
		if (k == found->to || k == found->from[0] || k == found->from[1])
			continue;
		CHECK_FOR_INTERRUPTS();
		memset(rows, 0, sizeof(int32) * codes->n_codes[k]);
		for (i = 0; i < codes->n; i++)
		{
			if (codes->codes[k][i] < 0)
				continue;
			rows[codes->codes[k][i]]++;
			codes->scratch[codes->codes[k][i]] += wrong[i];
		}
		for (i = 0; i < codes->n_codes[k]; i++)
		{
			exception |=
				rows[i] >= 4 && codes->scratch[i] * 2 >= rows[i] && codes->scratch[i] * 2 >= errors;
			codes->scratch[i] = 0;
		}
	}
	pfree(rows);
	return exception;
}

static bool
can_be_key(const Codes *codes, int k)
{
	/* two values or more, and groups to learn from */
	return codes->n_codes[k] >= 2 && codes->n_codes[k] * 2 <= codes->columns[k]->present;
}

static bool
can_be_determined(const Codes *codes, int k)
{
	const DmpSuggestColumn *column = codes->columns[k];

	return column->is_text && !column->measure && codes->n_codes[k] >= 2 &&
		   codes->most[k] <= MOST_COMMON * column->present;
}

/* Fewer errors go before more; a wide key before a narrow one */
static bool
is_better(const Found *a, const Found *b)
{
	if (fabs(a->errors - b->errors) > 1e-9)
		return a->errors < b->errors;
	return a->kappa * a->support > b->kappa * b->support;
}

/* Keep the rule when it is one of the best for its column */
static void
keep(Found *best, int *n, const Found *found)
{
	int i;

	if (*n == RULES_PER_COLUMN)
	{
		if (!is_better(found, &best[RULES_PER_COLUMN - 1]))
			return;
		(*n)--;
	}
	for (i = *n; i > 0 && is_better(found, &best[i - 1]); i--)
		best[i] = best[i - 1];
	best[i] = *found;
	(*n)++;
}

/*
 * Test one key against all columns that can be determined.
 */
static void
try_key(Codes *codes, const int32 *key, int n_keys, int first, int second, Found *best, int *n_best)
{
	int32 *start = palloc(sizeof(int32) * (n_keys + 2));
	bool *wrong = palloc(codes->n + 1);
	int to;

	group_rows(codes, key, n_keys, start);
	for (to = 0; to < codes->m; to++)
	{
		Found found = {{first, second}, to, 0, 0, 0, 0, 0, 0};

		CHECK_FOR_INTERRUPTS();
		if (to == first || to == second || !can_be_determined(codes, to) ||
			(second >= 0 && n_best[to] > 0))
			continue;
		memset(wrong, 0, codes->n);
		if (measure(codes, start, n_keys, to, &found, wrong) && !is_exception(codes, &found, wrong))
			keep(best + to * RULES_PER_COLUMN, &n_best[to], &found);
	}
	pfree(start);
	pfree(wrong);
}

/* The codes of two columns as those of one; the number of codes */
static int
pair_codes(Codes *codes, int a, int b, int32 *key)
{
	int32 *start = palloc(sizeof(int32) * (codes->n_codes[a] + 2));
	int32 *number = palloc(sizeof(int32) * (codes->n_codes[b] + 1));
	int n = 0;
	int g;
	int i;

	group_rows(codes, codes->codes[a], codes->n_codes[a], start);
	memset(number, -1, sizeof(int32) * (codes->n_codes[b] + 1));
	for (i = 0; i < codes->n; i++)
		key[i] = -1;
	for (g = 0; g < codes->n_codes[a]; g++)
	{
		for (i = start[g]; i < start[g + 1]; i++)
		{
			int32 row = codes->order[i];
			int32 value = codes->codes[b][row];

			if (value < 0)
				continue;
			if (number[value] < 0)
				number[value] = n++;
			key[row] = number[value];
		}
		for (i = start[g]; i < start[g + 1]; i++)
			if (codes->codes[b][codes->order[i]] >= 0)
				number[codes->codes[b][codes->order[i]]] = -1;
	}
	pfree(start);
	pfree(number);
	return n;
}

static void
try_pairs(Codes *codes, Found *best, int *n_best)
{
	int32 *key = palloc(sizeof(int32) * (codes->n + 1));
	int tried = 0;
	int a;
	int b;

	for (a = 0; a < codes->m && tried < PAIR_COLUMNS; a++)
	{
		if (!can_be_key(codes, a))
			continue;
		tried++;
		for (b = 0; b < a; b++)
		{
			int n;

			CHECK_FOR_INTERRUPTS();
			if (!can_be_key(codes, b))
				continue;
			n = pair_codes(codes, a, b, key);
			if (n * 2 <= codes->n)
				try_key(codes, key, n, b, a, best, n_best);
		}
	}
	pfree(key);
}

/* Rules under way, of one confidence class */
typedef struct Rules
{
	StringInfoData json;
	StringInfoData reason;
	double confidence;
	double repairs;
} Rules;

static void
add_rule(Codes *codes, const Found *found, Rules *rules)
{
	List *from = list_make1(codes->columns[found->from[0]]->name);
	bool pair = found->from[1] >= 0;
	double confidence = found->kappa * (1 - found->errors / 2);

	if (pair)
		from = lappend(from, codes->columns[found->from[1]]->name);
	appendStringInfo(&rules->json, "%s{\"from\": %s, \"to\": %s}", rules->json.len > 0 ? ", " : "",
					 pair ? dmp_suggest_list(from) : dmp_suggest_json(linitial(from)),
					 dmp_suggest_json(codes->columns[found->to]->name));
	appendStringInfo(&rules->reason, "%s%s -> %s (%.1f%%)", rules->reason.len > 0 ? ", " : "",
					 dmp_join(from, ", "), codes->columns[found->to]->name,
					 100 * (1 - found->errors));
	rules->confidence =
		Min(rules->confidence, pair ? Min(confidence, PAIR_CONFIDENCE) : confidence);
	rules->repairs += found->repairs;
}

static void
suggest_rules(DmpSuggest *suggest, const Rules *rules)
{
	if (rules->json.len > 0)
		dmp_suggest_add(
			suggest,
			psprintf("{\"functional_dependency\": [%s], \"min_share\": 0.6}", rules->json.data),
			Min(rules->repairs, suggest->n), rules->confidence,
			"columns that others determine, in so many of their rows: %s", rules->reason.data);
}

/*
 * Functional dependencies with exceptions, as one step: rules for columns that
 * are keys of other rules first, of a column's rules the best one last. Rules
 * with keys of two columns are a step of their own.
 */
void
dmp_suggest_rules(DmpSuggest *suggest)
{
	Codes *codes = read_codes(suggest);
	Found *best = palloc0(sizeof(Found) * codes->m * RULES_PER_COLUMN);
	int *n_best = palloc0(sizeof(int) * codes->m);
	bool *is_key = palloc0(codes->m);
	Rules rules[2];
	int rows;
	int pass;
	int k;
	int i;

	find_measures(suggest);
	for (k = 0; k < codes->m; k++)
		if (can_be_key(codes, k))
			try_key(codes, codes->codes[k], codes->n_codes[k], k, -1, best, n_best);
	/* there are many keys of two columns, and less is made of them */
	rows = codes->n;
	codes->n = Min(rows, PAIR_ROWS);
	try_pairs(codes, best, n_best);
	codes->n = rows;
	for (k = 0; k < codes->m; k++)
	{
		const Found *first = &best[k * RULES_PER_COLUMN];

		/* a rule without exceptions explains others; one with many more explains nothing */
		if (n_best[k] > 0 && first->repairs == 0)
			n_best[k] = 0;
		while (n_best[k] > 1 && first[n_best[k] - 1].errors > 2 * first->errors + 0.002)
			n_best[k]--;
		for (i = 0; i < n_best[k]; i++)
			is_key[first[i].from[0]] = true;
	}
	for (i = 0; i < 2; i++)
	{
		initStringInfo(&rules[i].json);
		initStringInfo(&rules[i].reason);
		rules[i].confidence = 1;
		rules[i].repairs = 0;
	}
	for (pass = 0; pass < 2; pass++)
		for (k = 0; k < codes->m; k++)
			for (i = n_best[k] - 1; is_key[k] == (pass == 0) && i >= 0; i--)
			{
				const Found *found = &best[k * RULES_PER_COLUMN + i];

				add_rule(codes, found, &rules[found->from[1] >= 0]);
			}
	suggest_rules(suggest, &rules[0]);
	suggest_rules(suggest, &rules[1]);
}
