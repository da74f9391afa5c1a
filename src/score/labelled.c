/*-------------------------------------------------------------------------
 * labelled.c
 *		Rows whose target is known, as a model is judged by, calibrated on, or
 *		compared with another.
 *
 * A query's rows become margin, label and weight. The label is the target read
 * by the model's classes; a value it does not know is an error, NULL a row
 * that does not count. The weight is the column that is asked for, else the
 * one the model was trained with, if the query has it; a weight that is NULL,
 * negative or infinite is an error, 0 a row that does not count.
 *-------------------------------------------------------------------------
 */
#include "dmp.h"

#include "base/base.h"
#include "score/score.h"
#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(dmp_refuse_label);

/* dmp_internal.refuse_label(value, column): a value of the target the model does not know */
Datum
dmp_refuse_label(PG_FUNCTION_ARGS)
{
	dmp_error_alone();
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("target \"%s\" has the value \"%s\", which the model does not know",
					text_to_cstring(PG_GETARG_TEXT_PP(1)), text_to_cstring(PG_GETARG_TEXT_PP(0)))));
	PG_RETURN_NULL();
}

/* a target that is a number; NaN is missing, as in training */
static char *
number_sql(const DmpModel *model, const char *column, Oid type)
{
	if (dmp_value_kind(type) == DMP_VALUE_BOOLEAN)
		return psprintf("%s::boolean::int::float8", column);
	if (dmp_value_kind(type) != DMP_VALUE_NUMBER)
		ereport(ERROR, (errcode(ERRCODE_DATATYPE_MISMATCH),
						errmsg("target \"%s\" is of type %s, to the model it is a number",
							   model->target, format_type_be(type))));
	return psprintf("nullif(%s::float8, 'NaN')", column);
}

/* 0, 1 or NULL by the model's classes; the column is q.target of the query */
static char *
label_sql(const DmpModel *model, TupleDesc desc)
{
	Oid type =
		TupleDescAttr(desc, dmp_column_number(desc, model->target, "target: ") - 1)->atttypid;
	char *column = psprintf("q.%s", quote_identifier(model->target));
	char *cast;

	if (model->link != DMP_BINOMIAL)
		return number_sql(model, column, type);
	switch (dmp_value_kind(type))
	{
		case DMP_VALUE_NUMBER:
			/* a model of a boolean also judges 0 and 1 */
			if (strcmp(model->positive, "true") == 0 || strcmp(model->positive, "false") == 0)
				return psprintf("CASE %s::float8 WHEN 1 THEN %d WHEN 0 THEN %d END::float8", column,
								model->positive[0] == 't', model->positive[0] != 't');
			cast = "::float8";
			break;
		case DMP_VALUE_BOOLEAN:
			if (strcmp(model->positive, "1") == 0 || strcmp(model->positive, "0") == 0)
				return psprintf("(%s = %s)::int::float8", column,
								model->positive[0] == '1' ? "true" : "false");
			cast = "::boolean";
			break;
		default:
			cast = "::text COLLATE \"C\"";
			break;
	}
	return psprintf("CASE WHEN %s%s = %s%s THEN 1 WHEN %s%s = %s%s THEN 0 "
					"WHEN %s IS NOT NULL THEN dmp_internal.refuse_label(%s::text, %s) END::float8",
					column, cast, quote_literal_cstr(model->positive), cast, column, cast,
					quote_literal_cstr(model->negative), cast, column, column,
					quote_literal_cstr(model->target));
}

/* ", ... AS segment" of a SELECT over q; nothing when by is NIL */
void
dmp_append_segment(StringInfo sql, TupleDesc desc, List *by)
{
	ListCell *lc;

	foreach (lc, by)
	{
		(void) dmp_column_number(desc, lfirst(lc), "by: ");
		appendStringInfo(sql, "%sCOALESCE(q.%s::text, '(missing)')",
						 foreach_current_index(lc) == 0 ? ", concat_ws(', ', " : ", ",
						 quote_identifier(lfirst(lc)));
	}
	if (by != NIL)
		appendStringInfoString(sql, ") AS segment");
}

/* -------------------------------------------------------------- weights */

char *
dmp_weight_arg(FunctionCallInfo fcinfo, int n)
{
	if (PG_NARGS() <= n || PG_ARGISNULL(n))
		return NULL;
	return text_to_cstring(PG_GETARG_TEXT_PP(n));
}

static bool
has_column(TupleDesc desc, const char *name)
{
	int i;

	for (i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);

		if (!att->attisdropped && strcmp(NameStr(att->attname), name) == 0)
			return true;
	}
	return false;
}

/* The column of the weights, or NULL. */
static char *
weight_column(const DmpModelRow *row, TupleDesc desc, const char *weight)
{
	Oid type;

	if (weight != NULL && weight[0] == '\0')
		return NULL;
	if (weight == NULL)
	{
		if (row->weight == NULL)
			return NULL;
		if (!has_column(desc, row->weight))
		{
			ereport(NOTICE,
					(errmsg("all rows count alike: the query has no column \"%s\", by which model "
							"\"%s\" was weighted",
							row->weight, row->name),
					 errhint("weight => '' says so without this notice.")));
			return NULL;
		}
		weight = row->weight;
	}
	type = TupleDescAttr(desc, dmp_column_number(desc, weight, "weight: ") - 1)->atttypid;
	if (dmp_value_kind(type) != DMP_VALUE_NUMBER)
		ereport(ERROR, (errcode(ERRCODE_DATATYPE_MISMATCH),
						errmsg("weight \"%s\" is of type %s, not a number", weight,
							   format_type_be(type))));
	return pstrdup(weight);
}

char *
dmp_labelled_weight(const DmpLabelled *rows)
{
	const char *column;

	if (rows->weight == NULL)
		return pstrdup("1::float8");
	column = psprintf("q.%s", quote_identifier(rows->weight));
	return psprintf("CASE WHEN %s >= 0 AND %s::float8 < 'infinity' THEN %s::float8 "
					"ELSE dmp_internal.refuse_weight(%s::text, %s) END",
					column, column, column, column, quote_literal_cstr(rows->weight));
}

/* ------------------------------------------------------------- the rows */

DmpLabelled *
dmp_labelled_query(const DmpModelRow *row, const DmpModel *model, const char *query,
				   const char *weight)
{
	DmpLabelled *rows = palloc0(sizeof(DmpLabelled));

	rows->row = row;
	rows->model = model;
	rows->select = dmp_query_select(query, "query");
	rows->desc = dmp_query_columns(rows->select, NULL, NULL);
	rows->weight = weight_column(row, rows->desc, weight);
	return rows;
}

DmpLabelled *
dmp_labelled(const DmpModelRow *row, const DmpModel *model, const char *query, const char *weight)
{
	DmpLabelled *rows = dmp_labelled_query(row, model, query, weight);

	dmp_row_check(model, row->name, row->version, rows->desc);
	return rows;
}

char *
dmp_labelled_target(const DmpLabelled *rows)
{
	const char *target = rows->model->target;

	if (rows->model->nclasses == 0)
		return label_sql(rows->model, rows->desc);
	(void) dmp_column_number(rows->desc, target, "target: ");
	return psprintf("q.%s::text", quote_identifier(target));
}

char *
dmp_labelled_sql(const DmpLabelled *rows, List *by, const char *more)
{
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfo(&sql, "SELECT %s($1, q.*) AS margin, %s AS label",
					 rows->counted ? "dmp_internal.margin_counted" : "dmp.margin",
					 label_sql(rows->model, rows->desc));
	if (rows->weight != NULL)
		appendStringInfo(&sql, ", %s AS weight", dmp_labelled_weight(rows));
	dmp_append_segment(&sql, rows->desc, by);
	appendStringInfo(&sql, "%s FROM (%s) AS q", more, rows->select);
	return sql.data;
}

const char *
dmp_labelled_scores(const DmpLabelled *rows)
{
	return rows->weight != NULL ? "dmp_internal.scores(margin, label, weight)"
								: "dmp_internal.scores(margin, label)";
}
