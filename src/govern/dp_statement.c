/*-------------------------------------------------------------------------
 * dp_statement.c
 *		The one statement a question under a privacy budget runs.
 *
 * It is built from names of columns and parameters alone. Nothing in it can
 * raise an error because of some row: values are compared by the equality of
 * their type, and turned into units by functions that clamp. Literals of the
 * question are read before anything is spent.
 *
 * Innermost, rows that match, with group g and units u; then, when the table
 * has a subject, at most so many rows of each, chosen by strong randomness
 * (whose choice of one person's rows does not depend on anybody else's);
 * then counts and sums by group and bin; at last a row for each group.
 *-------------------------------------------------------------------------
 */
#include "govern/dp_query.h"
#include "govern/govern.h"

#include <math.h>

#include "access/htup_details.h"
#include "catalog/pg_operator.h"
#include "catalog/pg_type.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"
#include "utils/typcache.h"

PG_FUNCTION_INFO_V1(dmp_dp_units);
PG_FUNCTION_INFO_V1(dmp_dp_units_numeric);

/* ---------------------------------------------------------------- units */

static int64
to_units(double value, int64 low, int64 high, double scale)
{
	double units = rint(value * scale);

	if (units <= (double) low)
		return low;
	if (units >= (double) high)
		return high;
	return (int64) units;
}

/*
 * dmp_internal.dp_units(value, low, high, scale) -> bigint: value * scale,
 * rounded, within [low, high]; NaN is NULL. Never an error.
 */
Datum
dmp_dp_units(PG_FUNCTION_ARGS)
{
	double value = PG_GETARG_FLOAT8(0);

	if (isnan(value))
		PG_RETURN_NULL();
	PG_RETURN_INT64(to_units(value, PG_GETARG_INT64(1), PG_GETARG_INT64(2), PG_GETARG_FLOAT8(3)));
}

Datum
dmp_dp_units_numeric(PG_FUNCTION_ARGS)
{
	double value =
		DatumGetFloat8(DirectFunctionCall1(numeric_float8_no_overflow, PG_GETARG_DATUM(0)));

	if (isnan(value))
		PG_RETURN_NULL();
	PG_RETURN_INT64(to_units(value, PG_GETARG_INT64(1), PG_GETARG_INT64(2), PG_GETARG_FLOAT8(3)));
}

static double
bound_of(Datum numeric, const char *name)
{
	double value = DatumGetFloat8(DirectFunctionCall1(numeric_float8_no_overflow, numeric));

	if (!(fabs(value) <= 1e15))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("%s must be between -10^15 and 10^15", name)));
	return value;
}

void
dmp_dp_bounds(DmpDpQuestion *q, Datum low, Datum high)
{
	Oid type = getBaseType(q->column_type);
	double from = bound_of(low, "low");
	double to = bound_of(high, "high");
	bool whole = (type == INT2OID || type == INT4OID || type == INT8OID) && from == rint(from) &&
				 to == rint(to);
	double most = Max(fabs(from), fabs(to));

	if (!(from < to))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("low must be less than high")));
	/* a grid of a trillionth of the larger bound, in decimal places */
	q->decimals = 0;
	for (q->scale = 1; !whole && q->decimals < 12 && most * q->scale * 10 <= 1e12; q->scale *= 10)
		q->decimals++;
	q->low = (int64) rint(from * q->scale);
	q->high = (int64) rint(to * q->scale);
	if (q->low >= q->high)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("low and high are too near each other")));
}

/* --------------------------------------------------------------- pieces */

/* OPERATOR(schema.=), the equality of the type */
static char *
equality(Oid type, const char *column)
{
	Oid opr = lookup_type_cache(type, TYPECACHE_EQ_OPR)->eq_opr;
	HeapTuple tuple;
	Form_pg_operator form;
	char *text;

	if (!OidIsValid(opr))
		ereport(ERROR, (errcode(ERRCODE_DATATYPE_MISMATCH),
						errmsg("values of column \"%s\", of type %s, cannot be compared", column,
							   format_type_be(type))));
	tuple = SearchSysCache1(OPEROID, ObjectIdGetDatum(opr));
	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for operator %u", opr);
	form = (Form_pg_operator) GETSTRUCT(tuple);
	text = psprintf("OPERATOR(%s.%s)", quote_identifier(get_namespace_name(form->oprnamespace)),
					NameStr(form->oprname));
	ReleaseSysCache(tuple);
	return text;
}

static Form_pg_attribute
column_of(TupleDesc desc, const char *name, const char *what)
{
	return TupleDescAttr(desc, dmp_column_number(desc, name, what) - 1);
}

/* a literal of the question as a value of a type; the type's own errors name it */
static Datum
read_literal(char *text, Oid type, int32 typmod)
{
	Oid input;
	Oid ioparam;

	getTypeInputInfo(type, &input, &ioparam);
	return OidInputFunctionCall(input, text, ioparam, typmod);
}

/* AND r.column = $n for each member of {"column": value} */
static void
add_filter(StringInfo where, DmpArgs *args, TupleDesc desc, const DmpDoc *filter)
{
	if (filter == NULL)
		return;
	if (filter->kind != DMP_DOC_OBJECT)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("filter must be an object of columns and values"),
						errhint("For example {\"country\": \"NL\"}.")));
	for (int i = 0; i < filter->n; i++)
	{
		Form_pg_attribute att = column_of(desc, filter->keys[i], "filter: ");
		const DmpDoc *value = filter->items[i];
		Oid type = getBaseType(att->atttypid);

		if (value->kind == DMP_DOC_ARRAY || value->kind == DMP_DOC_OBJECT)
			ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
							errmsg("filter: \"%s\" must be one value", filter->keys[i])));
		if (value->kind == DMP_DOC_NULL)
		{
			appendStringInfo(where, " AND r.%s IS NULL", quote_identifier(filter->keys[i]));
			continue;
		}
		dmp_arg(args, type, read_literal(value->text, type, -1), false);
		appendStringInfo(where, " AND r.%s %s $%d", quote_identifier(filter->keys[i]),
						 equality(type, filter->keys[i]), args->n);
	}
}

/* the public keys as an array of the column's type, $n */
static void
add_keys(StringInfo where, DmpArgs *args, DmpDpQuestion *q)
{
	Oid type = getBaseType(q->by_type);
	int16 length;
	bool by_value;
	char align;
	Datum *values = palloc(sizeof(Datum) * Max(q->nkeys, 1));
	bool *nulls = palloc(sizeof(bool) * Max(q->nkeys, 1));
	bool null_too = false;
	int dims[1];
	int lows[1] = {1};

	for (int i = 0; i < q->nkeys; i++)
	{
		nulls[i] = q->keys[i] == NULL;
		null_too |= nulls[i];
		values[i] = nulls[i] ? (Datum) 0 : read_literal(q->keys[i], type, -1);
	}
	get_typlenbyvalalign(type, &length, &by_value, &align);
	dims[0] = q->nkeys;
	dmp_arg(args, get_array_type(type),
			PointerGetDatum(construct_md_array(values, nulls, q->nkeys ? 1 : 0, dims, lows, type,
											   length, by_value, align)),
			false);
	appendStringInfo(where, " AND (r.%s %s ANY ($%d)%s)", quote_identifier(q->by),
					 equality(type, q->by), args->n,
					 null_too ? psprintf(" OR r.%s IS NULL", quote_identifier(q->by)) : "");
	q->keys_parameter = args->n;
}

static char *
units_of(const DmpDpQuestion *q)
{
	Oid type = getBaseType(q->column_type);

	return psprintf("dmp_internal.dp_units(r.%s::%s, " INT64_FORMAT ", " INT64_FORMAT ", 1e%d)",
					quote_identifier(q->column), type == NUMERICOID ? "numeric" : "float8", q->low,
					q->high, q->decimals);
}

/* ------------------------------------------------------------ statement */

void
dmp_dp_columns(DmpDpQuestion *q, TupleDesc desc)
{
	if (q->column != NULL)
	{
		q->column_type = column_of(desc, q->column, "")->atttypid;
		if (!dmp_type_is_number(getBaseType(q->column_type)))
			ereport(ERROR, (errcode(ERRCODE_DATATYPE_MISMATCH),
							errmsg("column \"%s\" is of type %s, not a number", q->column,
								   format_type_be(q->column_type))));
	}
	if (q->by != NULL)
	{
		q->by_type = column_of(desc, q->by, "by: ")->atttypid;
		equality(getBaseType(q->by_type), q->by);
		if (!OidIsValid(get_array_type(getBaseType(q->by_type))) ||
			!OidIsValid(lookup_type_cache(q->by_type, TYPECACHE_LT_OPR)->lt_opr))
			ereport(ERROR, (errcode(ERRCODE_DATATYPE_MISMATCH),
							errmsg("by: column \"%s\" is of type %s, which cannot be grouped by",
								   q->by, format_type_be(q->by_type))));
	}
}

char *
dmp_dp_statement(DmpDpQuestion *q, TupleDesc desc, DmpArgs *args)
{
	StringInfoData where;
	char *rows;
	char *bin = "0";

	initStringInfo(&where);
	add_filter(&where, args, desc, q->filter);
	if (q->keys != NULL)
		add_keys(&where, args, q);
	rows = psprintf("SELECT %s AS g, %s AS u%s FROM %s AS r WHERE true%s",
					q->by ? psprintf("r.%s", quote_identifier(q->by)) : "NULL::text",
					q->column ? units_of(q) : "0::int8",
					q->subject ? psprintf(", r.%s AS s", quote_identifier(q->subject)) : "",
					dmp_relation_name(q->relid), where.data);
	rows = psprintf("SELECT * FROM (%s) AS a WHERE u IS NOT NULL%s", rows,
					q->subject ? " AND s IS NOT NULL" : "");
	if (q->subject)
		rows = psprintf("SELECT g, u FROM (SELECT g, u, row_number() OVER (PARTITION BY s "
						"ORDER BY dmp_internal.dp_random()) AS turn FROM (%s) AS b) AS c "
						"WHERE turn <= %d",
						rows, q->rows_per_subject);
	if (q->bins > 0)
		bin = psprintf("least((u - " INT64_FORMAT ") * %d / " INT64_FORMAT ", %d)::int4", q->low,
					   q->bins, q->high - q->low, q->bins - 1);
	return psprintf("SELECT %s, g, sum(n)::int8, sum(total), array_agg(bin), array_agg(n) "
					"FROM (SELECT g, bin, count(*) AS n, sum(u) AS total "
					"FROM (SELECT g, u, %s AS bin FROM (%s) AS d) AS e GROUP BY g, bin) AS f "
					"GROUP BY g ORDER BY g",
					q->keys ? psprintf("array_position($%d, g)", q->keys_parameter)
					: q->by ? "0"
							: "1",
					bin, rows);
}
