/*-------------------------------------------------------------------------
 * table.c
 *		dmp.score: a table of scores, kept for those who read tables.
 *
 * The model's value goes into the statement as a parameter, so that all rows
 * are scored by one version. Rows are counted where they are scored; the
 * function that does so runs in the leader, whatever workers scan.
 *-------------------------------------------------------------------------
 */
#include "dmp.h"

#include "base/base.h"
#include "score/score.h"
#include "utils/lsyscache.h"

PG_FUNCTION_INFO_V1(dmp_score);

/* of the dmp.score that runs; one statement at a time does */
static struct
{
	int64 missing;
	int64 unseen;
} counted;

void
dmp_count_row(const DmpRowNotes *notes)
{
	counted.missing += notes->missing > 0;
	counted.unseen += notes->unseen > 0;
}

/* Columns of the primary key of a table given by name; NIL when there is none. */
static List *
primary_key(const char *query)
{
	DmpArgs args = {0};
	List *key = NIL;
	Oid relid;
	uint64 n;
	uint64 i;

	if (strpbrk(query, " \t\n(") != NULL)
		return NIL;
	relid = dmp_relation_oid(query, true);
	if (!OidIsValid(relid))
		return NIL;
	dmp_arg_oid(&args, relid);
	n = dmp_spi("SELECT a.attname FROM pg_catalog.pg_index i, "
				"pg_catalog.unnest(i.indkey::smallint[]) WITH ORDINALITY AS k(attnum, place), "
				"pg_catalog.pg_attribute a WHERE i.indrelid OPERATOR(pg_catalog.=) $1 "
				"AND i.indisprimary AND a.attrelid OPERATOR(pg_catalog.=) $1 "
				"AND a.attnum OPERATOR(pg_catalog.=) k.attnum ORDER BY k.place",
				&args, true);
	for (i = 0; i < n; i++)
		key = lappend(key, dmp_spi_text(i, 1));
	return key;
}

static List *
find_key(FunctionCallInfo fcinfo, const DmpModelRow *row, const char *query, TupleDesc desc)
{
	static const char *const ours[] = {"score",   "class",     "model",
									   "version", "scored_at", "dmp_score"};
	List *key = NIL;
	ListCell *lc;
	int i;

	if (!PG_ARGISNULL(3))
		key = dmp_text_array_to_list(PG_GETARG_ARRAYTYPE_P(3));
	if (key == NIL)
		key = row->key;
	if (key == NIL)
		key = primary_key(query);
	if (key == NIL)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("the key of the scores is not known"),
						errhint("Name the columns that tell rows apart: key => '{user_id}'.")));
	foreach (lc, key)
	{
		(void) dmp_column_number(desc, lfirst(lc), "key: ");
		for (i = 0; i < lengthof(ours); i++)
		{
			if (strcmp(lfirst(lc), ours[i]) == 0)
				ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
								errmsg("a key column cannot be called \"%s\" here", ours[i]),
								errhint("Rename it in the query.")));
		}
	}
	return key;
}

/* dmp.score(model, query, into_table, key, if_exists) -> (rows, rows_missing, rows_unseen_level, model, version) */
Datum
dmp_score(PG_FUNCTION_ARGS)
{
	static const char *const names[] = {"model", "query", "into_table"};
	DmpModelRow *row;
	DmpModel *model;
	DmpArgs args = {0};
	DmpInto into;
	List *key;
	char *query;
	char *select;
	char *table;
	TupleDesc desc;
	char *if_exists = PG_ARGISNULL(4) ? "upsert" : text_to_cstring(PG_GETARG_TEXT_PP(4));
	Datum values[5];
	bool nulls[5] = {false, false, false, false, false};
	int i;

	for (i = 0; i < lengthof(names); i++)
	{
		if (PG_ARGISNULL(i))
			ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
							errmsg("\"%s\" must not be null", names[i])));
	}
	dmp_srf_begin(fcinfo);
	row = dmp_model_lookup(text_to_cstring(PG_GETARG_TEXT_PP(0)));
	model = dmp_model_from_json(dmp_model_value_json(row->value), CurrentMemoryContext);
	query = text_to_cstring(PG_GETARG_TEXT_PP(1));
	table = text_to_cstring(PG_GETARG_TEXT_PP(2));

	dmp_spi_connect();
	select = dmp_query_select(query, "query");
	desc = dmp_query_columns(select, NULL, NULL);
	dmp_row_check(model, row->name, row->version, desc);
	key = find_key(fcinfo, row, query, desc);
	dmp_arg_model_value(&args, row->value);
	dmp_arg_float8(&args, model->threshold);
	/* a number has no class */
	dmp_arg_text(&args, model->link == DMP_BINOMIAL ? model->positive : NULL);
	dmp_arg_text(&args, model->link == DMP_BINOMIAL ? model->negative : NULL);
	dmp_arg_text(&args, row->name);
	dmp_arg_int4(&args, row->version);
	dmp_arg_float8(&args, model->reject);
	memset(&counted, 0, sizeof(counted));
	dmp_progress("score: model \"%s\" version %d into %s", row->name, row->version, table);
	/* OFFSET 0: the row is scored once, though its score is named twice */
	into = dmp_into_table(
		table,
		psprintf("SELECT %s, s.dmp_score AS score, "
				 "%s AS class, "
				 "$5 AS model, $6 AS version, statement_timestamp() AS scored_at "
				 "FROM (SELECT %s, dmp_internal.score_row($1, q.*) AS dmp_score, "
				 "%s AS dmp_class "
				 "FROM (%s) AS q OFFSET 0) AS s",
				 dmp_join_identifiers(key, "s."),
				 model->nclasses > 0 ? "s.dmp_class"
									 : "CASE WHEN s.dmp_score < $7 AND 1 - s.dmp_score < $7 THEN "
									   "NULL WHEN s.dmp_score >= $2 THEN $3 ELSE $4 END",
				 dmp_join_identifiers(key, "q."),
				 model->nclasses > 0 ? "dmp.classify($1, q.*)" : "NULL::text", select),
		&args, if_exists, key);
	if (into.created)
		dmp_spi(psprintf("ALTER TABLE %s ADD PRIMARY KEY (%s)", dmp_relation_name(into.relid),
						 dmp_join_identifiers(key, "")),
				NULL, false);
	values[0] = Int64GetDatum((int64) into.rows);
	values[1] = Int64GetDatum(counted.missing);
	values[2] = Int64GetDatum(counted.unseen);
	values[3] = CStringGetTextDatum(row->name);
	values[4] = Int32GetDatum(row->version);
	dmp_srf_row(fcinfo, values, nulls);
	dmp_spi_finish();
	return (Datum) 0;
}
