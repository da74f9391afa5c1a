/*-------------------------------------------------------------------------
 * suggest_cells.c
 *		What single columns of the sample call for: one statement a kind of step.
 *-------------------------------------------------------------------------
 */
#include "clean/suggest.h"

#include "catalog/pg_type.h"
#include "utils/float.h"
#include "utils/lsyscache.h"

#include "base/base.h"
#include "clean/cluster.h"

/*
 * Run a SELECT with one expression a text column: %1$s of format is the
 * column. The answers stand in the order of text_columns.
 */
static List *
text_columns(DmpSuggest *suggest)
{
	List *columns = NIL;
	ListCell *lc;

	foreach (lc, suggest->columns)
		if (((DmpSuggestColumn *) lfirst(lc))->is_text)
			columns = lappend(columns, lfirst(lc));
	return columns;
}

static const char *
quoted(const DmpSuggestColumn *column)
{
	return psprintf("%s::text", quote_identifier(column->name));
}

/* SELECT expression, expression ... FROM the sample: one row */
static void
ask(DmpSuggest *suggest, StringInfo list)
{
	dmp_spi(psprintf("SELECT %s FROM %s", list->len > 0 ? list->data : "1", suggest->sample), NULL,
			false);
}

void
dmp_suggest_trim(DmpSuggest *suggest)
{
	List *columns = text_columns(suggest);
	List *names = NIL;
	StringInfoData list;
	double cells = 0;
	ListCell *lc;

	initStringInfo(&list);
	foreach (lc, columns)
		appendStringInfo(&list, "%scount(*) FILTER (WHERE dmp_internal.trim_text(%s) <> %s)",
						 list.len > 0 ? ", " : "", quoted(lfirst(lc)), quoted(lfirst(lc)));
	ask(suggest, &list);
	foreach (lc, columns)
	{
		int64 n = dmp_spi_int8(0, foreach_current_index(lc) + 1, 0);

		if (n > 0)
			names = lappend(names, ((DmpSuggestColumn *) lfirst(lc))->name);
		cells += n;
	}
	if (names != NIL)
		dmp_suggest_add(suggest, psprintf("{\"trim\": %s}", dmp_suggest_list(names)), cells, 0.99,
						"white space at the ends of values of %s", dmp_join(names, ", "));
}

/*
 * Texts that stand for nothing: those that are nothing else, and words that may
 * be values.
 */
static void
missing_tokens(DmpSuggest *suggest, const char *tokens, double confidence, const char *what)
{
	StringInfoData query;
	StringInfoData json;
	StringInfoData reason;
	double cells = 0;
	uint64 n;
	uint64 i;
	ListCell *lc;
	char *last = NULL;

	initStringInfo(&query);
	foreach (lc, text_columns(suggest))
		appendStringInfo(
			&query,
			"%sSELECT %d AS part, %s, %s COLLATE \"C\" AS value, count(*) FROM %s WHERE "
			"lower(%s) IN (%s) GROUP BY 3",
			query.len > 0 ? "\nUNION ALL " : "", foreach_current_index(lc),
			quote_literal_cstr(((DmpSuggestColumn *) lfirst(lc))->name), quoted(lfirst(lc)),
			suggest->sample, quoted(lfirst(lc)), tokens);
	if (query.len == 0)
		return;
	dmp_spi(psprintf("%s ORDER BY part, value", query.data), NULL, false);
	n = SPI_processed;
	initStringInfo(&json);
	initStringInfo(&reason);
	for (i = 0; i < n; i++)
	{
		char *name = dmp_spi_text(i, 2);
		char *value = dmp_spi_text(i, 3);
		bool same = last != NULL && strcmp(last, name) == 0;

		appendStringInfo(&json, "%s%s%s",
						 same    ? ", "
						 : i > 0 ? "], "
								 : "",
						 same ? "" : psprintf("%s: [", dmp_suggest_json(name)),
						 dmp_suggest_json(value));
		appendStringInfo(&reason, "%s%s: \"%s\" " INT64_FORMAT " times", i > 0 ? ", " : "", name,
						 value, dmp_spi_int8(i, 4, 0));
		cells += dmp_spi_int8(i, 4, 0);
		last = name;
	}
	if (n > 0)
		dmp_suggest_add(suggest, psprintf("{\"missing\": {%s]}}", json.data), cells, confidence,
						"%s: %s", what, reason.data);
}

void
dmp_suggest_missing(DmpSuggest *suggest)
{
	missing_tokens(
		suggest,
		"'', 'n/a', '#n/a', 'null', '(null)', 'nan', '?', '-', '--', '...', 'not available'", 0.95,
		"values that stand for nothing");
	missing_tokens(suggest,
				   "'na', 'none', 'nil', '.', 'unknown', 'empty', 'missing', 'undefined', 'tbd'",
				   0.5, "words that may stand for nothing, or be values");
}

/*
 * Numbers such as -1 and 999, when they are an extreme far from the others.
 */
void
dmp_suggest_sentinels(DmpSuggest *suggest)
{
	ListCell *lc;

	foreach (lc, suggest->columns)
	{
		DmpSuggestColumn *column = lfirst(lc);
		const char *name = quote_identifier(column->name);
		char *value;
		int64 n;

		CHECK_FOR_INTERRUPTS();
		if (!dmp_type_is_number(getBaseType(column->type)))
			continue;
		dmp_spi(
			psprintf("WITH b AS (SELECT x, count(*) AS n FROM (SELECT %s::float8 AS x FROM %s) AS "
					 "s WHERE x IS NOT NULL GROUP BY x), o AS (SELECT min(x) AS low, max(x) AS "
					 "high FROM b WHERE abs(x) NOT IN (1, 9, 99, 999, 9999, 99999, 999999))\n"
					 "SELECT x::text, n FROM b, o WHERE (x IN (99, 999, 9999, 99999, 999999) AND "
					 "high >= 0 AND x > high * 3 OR x IN (-1, -9, -99, -999, -9999, -99999) AND "
					 "low >= 0) AND n > 1 ORDER BY n DESC LIMIT 1",
					 name, suggest->sample),
			NULL, false);
		if (SPI_processed == 0)
			continue;
		value = dmp_spi_text(0, 1);
		n = dmp_spi_int8(0, 2, 0);
		dmp_suggest_add(
			suggest, psprintf("{\"missing\": {%s: [%s]}}", dmp_suggest_json(column->name), value),
			n, 0.7, "%s: %s is far from all other values, " INT64_FORMAT " times", column->name,
			value, n);
	}
}

/* distinct values of a column and their rows */
static char *
counts_of(DmpSuggest *suggest, const DmpSuggestColumn *column)
{
	return psprintf("(SELECT %s COLLATE \"C\" AS value, count(*) AS n FROM %s WHERE %s IS NOT NULL "
					"GROUP BY 1) AS counted",
					quoted(column), suggest->sample, quoted(column));
}

/*
 * Spellings of one value: the same words in other case, order or punctuation.
 * Sure when the spellings are rare beside their value, in a column that
 * repeats its values.
 */
void
dmp_suggest_clusters(DmpSuggest *suggest)
{
	DmpClusterMethod method = dmp_cluster_method("fingerprint", get_float8_nan(), 0, "");
	ListCell *lc;

	foreach (lc, text_columns(suggest))
	{
		DmpSuggestColumn *column = lfirst(lc);
		int64 distinct;
		int64 present;
		int64 changed;
		int64 clear;
		int64 near;
		int64 variants;
		bool repeats;
		char *example;

		CHECK_FOR_INTERRUPTS();
		dmp_spi(psprintf("SELECT count(*), coalesce(sum(n), 0)::bigint FROM %s",
						 counts_of(suggest, column)),
				NULL, false);
		distinct = dmp_spi_int8(0, 1, 0);
		present = dmp_spi_int8(0, 2, 0);
		dmp_spi(psprintf("SELECT coalesce(sum(n) FILTER (WHERE value <> canonical), 0)::bigint, "
						 "coalesce(sum(n) FILTER (WHERE value <> canonical AND most >= 5 * n), "
						 "0)::bigint, min(value || ' -> ' || canonical) FILTER (WHERE value <> "
						 "canonical), coalesce(sum(n) FILTER (WHERE value <> canonical AND "
						 "lower(value) <> lower(canonical) AND value ~ '[0-9]'), 0)::bigint, "
						 "count(*) FILTER (WHERE value <> canonical) FROM (SELECT "
						 "c.*, max(n) OVER (PARTITION BY canonical) AS most FROM (%s) AS c) AS d",
						 dmp_cluster_sql(&method, counts_of(suggest, column))),
				NULL, false);
		changed = dmp_spi_int8(0, 1, 0);
		clear = dmp_spi_int8(0, 2, 0);
		example = dmp_spi_text(0, 3);
		variants = dmp_spi_int8(0, 5, 0);
		near = dmp_spi_int8(0, 4, 0); /* -1 and 1, 1.5 and 15 have one key */
		if (changed == 0 || near > 0)
			continue;
		repeats = distinct * 5 <= present;
		dmp_suggest_add(
			suggest,
			psprintf("{\"canonicalize\": {%s: \"fingerprint\"}}", dmp_suggest_json(column->name)),
			changed, repeats ? (variants < 3 ? 0.4 : 0.5) + 0.45 * clear / changed : 0.4,
			"%s: spellings of one value, such as %s", column->name, example);
	}
}

/*
 * Slips, of all columns together; columns that are less sure apart.
 */
void
dmp_suggest_repair(DmpSuggest *suggest)
{
	StringInfoData values;
	StringInfoData reason;
	List *columns = text_columns(suggest);
	List *sure = NIL;
	double cells = 0;
	double least = 1;
	uint64 n;
	uint64 i;
	ListCell *lc;

	if (columns == NIL)
		return;
	initStringInfo(&values);
	initStringInfo(&reason);
	foreach (lc, columns)
		appendStringInfo(&values, "%sSELECT %d AS part, value, n FROM %s",
						 lc == list_head(columns) ? "" : "\nUNION ALL ", foreach_current_index(lc),
						 counts_of(suggest, lfirst(lc)));
	dmp_spi(
		psprintf(
			"SELECT part, sum(n)::bigint, sum(n * (typo).confidence) / sum(n), (array_agg(value || "
			"' -> ' "
			"|| (typo).meant ORDER BY n DESC, value COLLATE \"C\"))[1], count(*) FROM (SELECT "
			"part, value, n, "
			"dmp_internal.typo_of(part, value, n) OVER (ORDER BY part, value COLLATE \"C\") "
			"AS typo FROM (%s) AS counted) AS looked\nWHERE (typo).confidence >= 0.8 GROUP BY 1 "
			"ORDER BY 1",
			values.data),
		NULL, false);
	n = SPI_processed;
	for (i = 0; i < n; i++)
	{
		DmpSuggestColumn *column = list_nth(columns, (int) dmp_spi_int8(i, 1, 0));
		double confidence = dmp_spi_float8(i, 3, 0);

		/* a single slip is weak evidence of a column that has slips */
		if (dmp_spi_int8(i, 5, 0) < 2)
			confidence = Min(confidence, 0.88);
		if (confidence <= DMP_SUGGEST_SURE)
		{
			dmp_suggest_add(suggest, psprintf("{\"repair\": [%s]}", dmp_suggest_json(column->name)),
							dmp_spi_int8(i, 2, 0), confidence,
							"%s: rare values near frequent ones, such as %s", column->name,
							dmp_spi_text(i, 4));
			continue;
		}
		sure = lappend(sure, column->name);
		appendStringInfo(&reason, "%s%s: %s", reason.len > 0 ? ", " : "", column->name,
						 dmp_spi_text(i, 4));
		cells += dmp_spi_int8(i, 2, 0);
		least = Min(least, confidence);
	}
	if (sure != NIL)
		dmp_suggest_add(suggest, psprintf("{\"repair\": %s}", dmp_suggest_list(sure)), cells, least,
						"slips of frequent values, such as %s", reason.data);
}

/* ------------------------------------------------------------------ types */

/* Forms of dates that are not ISO, by their order */
static const struct
{
	const char *pattern; /* three numbers */
	const char *format;  /* day and month first, with the mark in place of %s */
	int day;             /* which of them */
	int month;
} dates[] = {
	{"^([0-9]{1,2})([/.-])([0-9]{1,2})\\2([0-9]{4})$", "DD%sMM%sYYYY", 1, 3},
	{"^([0-9]{1,2})([/.-])([0-9]{1,2})\\2([0-9]{4})$", "MM%sDD%sYYYY", 3, 1},
};

/*
 * A column of dates in one form: the order is that under which all are dates,
 * when there is only one.
 */
static void
suggest_date(DmpSuggest *suggest, const DmpSuggestColumn *column, int64 present)
{
	const char *name = quoted(column);
	int64 fits[lengthof(dates)];
	char *mark;
	int i;

	dmp_spi(psprintf("SELECT min(substring(%s FROM '^[0-9]{1,2}([/.-])')), max(substring(%s FROM "
					 "'^[0-9]{1,2}([/.-])')), count(*) FILTER (WHERE %s ~ %s) FROM %s",
					 name, name, name, quote_literal_cstr(dates[0].pattern), suggest->sample),
			NULL, false);
	mark = dmp_spi_text(0, 1);
	if (mark == NULL || strcmp(mark, dmp_spi_text(0, 2)) != 0 || dmp_spi_int8(0, 3, 0) < present)
		return;
	for (i = 0; i < lengthof(dates); i++)
	{
		dmp_spi(
			psprintf("SELECT count(*) FROM (SELECT regexp_match(%s, %s) AS m FROM %s) AS f WHERE "
					 "m[%d]::integer BETWEEN 1 AND 31 AND m[%d]::integer BETWEEN 1 AND 12",
					 name, quote_literal_cstr(dates[i].pattern), suggest->sample, dates[i].day,
					 dates[i].month),
			NULL, false);
		fits[i] = dmp_spi_int8(0, 1, 0);
	}
	for (i = 0; i < lengthof(dates); i++)
	{
		char *format = psprintf(dates[i].format, mark, mark);
		char *expression =
			psprintf("(dmp.parse_time(%s, '{%s}', 'UTC') AT TIME ZONE 'UTC')::date", name, format);

		if (fits[i] < present)
			continue;
		dmp_suggest_add(suggest,
						psprintf("{\"derive\": {%s: %s}}", dmp_suggest_json(column->name),
								 dmp_suggest_json(expression)),
						present, fits[1 - i] < present ? 0.92 : 0.5,
						"%s: all values are dates as %s%s", column->name, format,
						fits[1 - i] < present ? "" : ", and in the other order, too");
	}
}

/* Types that are tried, and the texts that may become them */
static const struct
{
	const char *type;
	const char *pattern;
	double confidence;
} types[] = {
	{"bigint", "^[+-]?(0|[1-9][0-9]{0,17})$", 0.95},
	{"numeric", "^[+-]?(0|[1-9][0-9]*)?(\\.[0-9]+)?([eE][+-]?[0-9]{1,3})?$", 0.95},
	{"date", "^[0-9]{4}-[0-9]{2}-[0-9]{2}$", 0.95},
	{"timestamptz", "^[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9:.]{5,}(Z|[+-][0-9:]{2,6})$", 0.95},
	{"timestamp", "^[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9:.]{5,}$", 0.95},
	{"boolean", "(?i)^(true|false|t|f|yes|no)$", 0.85},
};

/*
 * SELECT list: the values present, whether they may be codes (texts of one
 * length), and how many convert to each type that may[] still allows.
 */
static void
count_types(DmpSuggest *suggest, const DmpSuggestColumn *column, const bool *may, const char *limit)
{
	const char *name = quoted(column);
	StringInfoData list;
	int i;

	initStringInfo(&list);
	for (i = 0; i < lengthof(types); i++)
	{
		if (may[i])
			appendStringInfo(&list,
							 ", count(*) FILTER (WHERE CASE WHEN x ~ %s THEN dmp.try_cast(x, "
							 "NULL::%s) IS NOT NULL END)",
							 quote_literal_cstr(types[i].pattern), types[i].type);
		else
			appendStringInfoString(&list, ", -1");
	}
	dmp_spi(
		psprintf("SELECT count(*), min(length(x)) = max(length(x)) AND min(length(x)) >= 4 AND "
				 "min(x COLLATE \"C\") < max(x COLLATE \"C\")%s FROM (SELECT %s AS x FROM %s WHERE "
				 "%s IS NOT NULL%s) AS s",
				 list.data, name, suggest->sample, name, limit),
		NULL, false);
}

/*
 * The type of a text column, when all its values are of that form and convert:
 * what some rows allow is tried on all.
 */
static void
suggest_type(DmpSuggest *suggest, const DmpSuggestColumn *column)
{
	bool may[lengthof(types)];
	int64 present;
	bool code;
	bool any = false;
	int i;

	memset(may, true, sizeof(may));
	count_types(suggest, column, may, " LIMIT 100");
	present = dmp_spi_int8(0, 1, 0);
	if (present == 0)
		return;
	for (i = 0; i < lengthof(types); i++)
	{
		may[i] = dmp_spi_int8(0, i + 3, 0) == present;
		any |= may[i];
	}
	if (any)
	{
		count_types(suggest, column, may, "");
		present = dmp_spi_int8(0, 1, 0);
		code = dmp_spi_bool(0, 2, false);
		for (i = 0; i < lengthof(types); i++)
		{
			/* digits of one length may be a code: a postal code, a telephone number */
			bool doubt = code && i == 0;

			if (dmp_spi_int8(0, i + 3, 0) < present)
				continue;
			dmp_suggest_add(
				suggest,
				psprintf("{\"cast\": {%s: \"%s\"}}", dmp_suggest_json(column->name), types[i].type),
				present, doubt ? 0.7 : types[i].confidence, "%s: all values convert to %s%s",
				column->name, types[i].type, doubt ? ", but may be codes, all of one length" : "");
			return;
		}
	}
	dmp_spi(psprintf("SELECT count(%s) FROM %s", quoted(column), suggest->sample), NULL, false);
	suggest_date(suggest, column, dmp_spi_int8(0, 1, 0));
}

void
dmp_suggest_types(DmpSuggest *suggest)
{
	ListCell *lc;

	foreach (lc, text_columns(suggest))
	{
		CHECK_FOR_INTERRUPTS();
		suggest_type(suggest, lfirst(lc));
	}
}

/*
 * Rows that are equal in all columns: sure when some column is nearly a key,
 * so that they cannot be equal by chance.
 */
void
dmp_suggest_duplicates(DmpSuggest *suggest)
{
	StringInfoData list;
	int64 distinct;
	double most = 0;
	ListCell *lc;

	dmp_spi(psprintf("SELECT count(DISTINCT dmp.row_hash(s.*)) FROM %s AS s", suggest->sample),
			NULL, false);
	distinct = dmp_spi_int8(0, 1, 0);
	if (distinct >= suggest->n)
		return;
	initStringInfo(&list);
	foreach (lc, suggest->columns)
		appendStringInfo(&list, "%scount(DISTINCT %s)", list.len > 0 ? ", " : "",
						 quoted(lfirst(lc)));
	ask(suggest, &list);
	foreach (lc, suggest->columns)
		most = Max(most, (double) dmp_spi_int8(0, foreach_current_index(lc) + 1, 0));
	dmp_suggest_add(suggest, "{\"deduplicate\": \"*\"}", suggest->n - distinct,
					most >= 0.95 * distinct ? 0.95 : 0.6, "rows that are equal in all columns%s",
					most >= 0.95 * distinct ? ", a key among them" : "; no column is a key");
}

/*
 * Numbers far out, which may well be right: three times the distance of the
 * quartiles beyond them.
 */
void
dmp_suggest_outliers(DmpSuggest *suggest)
{
	ListCell *lc;

	foreach (lc, suggest->columns)
	{
		DmpSuggestColumn *column = lfirst(lc);
		const char *name = quote_identifier(column->name);
		int64 out;
		int64 present;

		CHECK_FOR_INTERRUPTS();
		if (!dmp_type_is_number(getBaseType(column->type)))
			continue;
		dmp_spi(psprintf(
					"WITH s AS (SELECT %s::float8 AS x FROM %s WHERE %s IS NOT NULL), q AS (SELECT "
					"percentile_cont(0.25) WITHIN GROUP (ORDER BY x) AS low, "
					"percentile_cont(0.75) WITHIN GROUP (ORDER BY x) AS high FROM s WHERE x - x = "
					"0)\nSELECT count(*) FILTER (WHERE high > low AND (x < low - 3 * (high - low) "
					"OR x > high + 3 * (high - low))), count(*) FROM s, q",
					name, suggest->sample, name),
				NULL, false);
		out = dmp_spi_int8(0, 1, 0);
		present = dmp_spi_int8(0, 2, 0);
		if (out > 0 && out * 20 <= present)
			dmp_suggest_add(suggest,
							psprintf("{\"clip\": {%s: {\"method\": \"iqr\", \"k\": 3}}}",
									 dmp_suggest_json(column->name)),
							out, 0.3, "%s: " INT64_FORMAT " values are far from the others",
							column->name, out);
	}
}
