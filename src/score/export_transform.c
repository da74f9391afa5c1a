/*-------------------------------------------------------------------------
 * export_transform.c
 *		Transforms in SQL, for dmp.model_sql.
 *
 * Each expression has the value that learn/transform.c gives, bit for bit, and
 * is NULL where that is missing. Numbers become floats first: NaN is missing.
 *-------------------------------------------------------------------------
 */
#include "dmp.h"

#include "common/shortest_dec.h"
#include "learn/transform.h"
#include "lib/stringinfo.h"
#include "score/score.h"
#include "utils/builtins.h"

static char *
number(double value)
{
	char text[DOUBLE_SHORTEST_DECIMAL_LEN];

	double_to_shortest_decimal_buf(value, text);
	return psprintf("'%s'::float8", text);
}

/* a raw number, what fills it included */
static char *
number_column(const DmpTransform *t, int k)
{
	const char *column = quote_identifier(t->columns[k]);
	char *value = t->kinds[k] == DMP_VALUE_BOOLEAN ? psprintf("%s::boolean::int::float8", column)
												   : psprintf("nullif(%s::float8, 'NaN')", column);

	if (k == 0 && t->has_fill)
		return psprintf("coalesce(%s, %s)", value, number(t->fill));
	return value;
}

char *
dmp_transform_number_column(const DmpTransform *t)
{
	return number_column(t, 0);
}

static char *
text_column(const DmpTransform *t, int k)
{
	const char *column = quote_identifier(t->columns[k]);

	if (k == 0 && t->fill_text != NULL)
		return psprintf("coalesce(%s::text, %s) COLLATE \"C\"", column,
						quote_literal_cstr(t->fill_text));
	return psprintf("%s::text COLLATE \"C\"", column);
}

/* CASE over the bins of a number: of each the value that bin() tells */
static char *
bins_case(const DmpTransform *t, char *(*bin)(const DmpTransform *t, int i), const char *missing)
{
	char *value = number_column(t, 0);
	StringInfoData sql;
	int i;

	initStringInfo(&sql);
	appendStringInfo(&sql, "CASE WHEN %s IS NULL THEN %s", value, missing);
	for (i = 0; i < t->nedges; i++)
		appendStringInfo(&sql, " WHEN %s < %s THEN %s", value, number(t->edges[i]), bin(t, i));
	appendStringInfo(&sql, " ELSE %s END", bin(t, t->nedges));
	return sql.data;
}

static char *
bin_label(const DmpTransform *t, int i)
{
	return quote_literal_cstr(dmp_bin_label(t->edges, t->nedges, i));
}

static char *
bin_value(const DmpTransform *t, int i)
{
	return number(t->values[i]);
}

static char *
table_case(const DmpTransform *t)
{
	StringInfoData sql;
	char *column;
	int i;

	if (t->kinds[0] != DMP_VALUE_TEXT)
		return bins_case(t, bin_value, number(t->values[t->nvalues]));
	initStringInfo(&sql);
	column = text_column(t, 0);
	appendStringInfo(&sql, "CASE WHEN %s IS NULL THEN %s", column, number(t->values[t->nvalues]));
	for (i = 0; i < t->nlevels; i++)
		appendStringInfo(&sql, " WHEN %s = %s THEN %s", column, quote_literal_cstr(t->levels[i]),
						 number(t->values[i]));
	appendStringInfo(&sql, " ELSE %s END", number(t->values[t->nvalues + 1]));
	return sql.data;
}

static char *
part_expression(const DmpTransform *t)
{
	static const char *const formats[] = {NULL, NULL, "Q", "MM", "DD", "ID", "HH24", "MI"};
	const char *column = quote_identifier(t->columns[0]);
	const char *stamp = column;
	char *part;

	if (t->part == DMP_PART_EPOCH)
		part = psprintf("extract(epoch from %s)::float8", column);
	else
	{
		if (t->zone != NULL)
			stamp = psprintf("(%s AT TIME ZONE %s)", column, quote_literal_cstr(t->zone));
		/* extract() knows no year 0, and counts as the server's broken-down time does from 1 on */
		if (t->part == DMP_PART_YEAR)
			part = psprintf("CASE WHEN extract(year from %s) < 0 THEN extract(year from %s) + 1 "
							"ELSE extract(year from %s) END::float8",
							stamp, stamp, stamp);
		else
			part = psprintf("to_char(%s::timestamp, '%s')", stamp, formats[t->part]);
	}
	return psprintf("CASE WHEN isfinite(%s) THEN %s END", column, part);
}

static char *
slope_expression(const DmpTransform *t)
{
	char *text = text_column(t, 1);
	StringInfoData sql;
	int i;

	initStringInfo(&sql);
	switch (t->slope_of)
	{
		case DMP_SLOPE_LEVEL:
			appendStringInfo(&sql, "CASE WHEN %s = %s THEN %s ELSE 0 END", text,
							 quote_literal_cstr(t->level), number_column(t, 0));
			break;
		case DMP_SLOPE_MISSING:
			appendStringInfo(&sql, "CASE WHEN %s IS NULL THEN %s ELSE 0 END", text,
							 number_column(t, 0));
			break;
		case DMP_SLOPE_OTHER:
			appendStringInfo(&sql, "CASE WHEN %s IS NULL", text);
			for (i = 0; i < t->nlevels; i++)
				appendStringInfo(&sql, " OR %s = %s", text, quote_literal_cstr(t->levels[i]));
			appendStringInfo(&sql, " THEN 0 ELSE %s END", number_column(t, 0));
			break;
	}
	return sql.data;
}

char *
dmp_transform_expression(const DmpFeature *feature)
{
	const DmpTransform *t = feature->transform;
	char *value;

	switch (t->kind)
	{
		case DMP_TRANSFORM_FILL:
			return t->text ? text_column(t, 0) : number_column(t, 0);
		case DMP_TRANSFORM_LOG:
			value = number_column(t, 0);
			return psprintf("(sign(%s) * ln('1'::float8 + abs(%s)))", value, value);
		case DMP_TRANSFORM_LEVELS:
			return number_column(t, 0); /* and levels are compared as numbers */
		case DMP_TRANSFORM_BINS:
			return bins_case(t, bin_label, "NULL");
		case DMP_TRANSFORM_WOE:
		case DMP_TRANSFORM_TARGET:
			return table_case(t);
		case DMP_TRANSFORM_PART:
			return part_expression(t);
		case DMP_TRANSFORM_PRODUCT:
			return psprintf("nullif(%s * %s, 'NaN')", number_column(t, 0), number_column(t, 1));
		case DMP_TRANSFORM_PAIR:
			return psprintf("(%s || ' & ' || %s)", text_column(t, 0), text_column(t, 1));
		case DMP_TRANSFORM_SLOPE:
			return slope_expression(t);
		case DMP_TRANSFORM_ELEMENT:
			return psprintf("nullif(%s[array_lower(%s, 1) + %d]::float8, 'NaN')",
							quote_identifier(t->columns[0]), quote_identifier(t->columns[0]),
							t->element - 1);
	}
	elog(ERROR, "unknown transform %d", (int) t->kind);
	return NULL;
}
