/*-------------------------------------------------------------------------
 * table.c
 *		dmp.score: a table of scores, kept for those who read tables.
 *
 * The model's value goes into the statement as a parameter, so that all rows
 * are scored by one version. Rows are counted where they are scored; the
 * function that does so runs in the leader, whatever workers scan.
 *
 * With a shadow, a second model scores the same rows in the same statement:
 * what it says stands beside the score, and nobody acts on it. Once outcomes
 * are known, dmp.compare tests the two columns against them.
 *-------------------------------------------------------------------------
 */
#include "dmp.h"

#include "base/base.h"
#include "score/score.h"
#include "utils/lsyscache.h"

PG_FUNCTION_INFO_V1(dmp_score);

/* of the dmp.score or dmp.evaluate that runs; one statement at a time does */
static DmpRowCounts counted;

void
dmp_count_row(const DmpRowNotes *notes)
{
	counted.rows++;
	counted.missing += notes->missing > 0;
	counted.unseen += notes->unseen > 0;
}

/* The count begins anew; returns what there was. */
DmpRowCounts
dmp_count_rows(void)
{
	DmpRowCounts before = counted;

	memset(&counted, 0, sizeof(counted));
	return before;
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
	static const char *const ours[] = {"score",
									   "class",
									   "model",
									   "version",
									   "scored_at",
									   "shadow_score",
									   "shadow_class",
									   "shadow_model",
									   "shadow_version",
									   "dmp_score",
									   "dmp_class",
									   "dmp_shadow_score",
									   "dmp_shadow_class",
									   "segment",
									   "dmp_segment"};
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

/* a model whose scores are written, and the number of the first of its seven parameters */
typedef struct Scorer
{
	const DmpModelRow *row;
	DmpModel *model;
	int first;
} Scorer;

static Scorer
add_scorer(DmpArgs *args, const char *ref)
{
	Scorer s = {dmp_model_lookup(ref), NULL, args->n + 1};

	s.model = dmp_model_from_json(dmp_model_value_json(s.row->value), CurrentMemoryContext);
	dmp_arg_model_value(args, s.row->value);
	dmp_arg_float8(args, s.model->threshold);
	/* a number has no class */
	dmp_arg_text(args, s.model->link == DMP_BINOMIAL ? s.model->positive : NULL);
	dmp_arg_text(args, s.model->link == DMP_BINOMIAL ? s.model->negative : NULL);
	dmp_arg_text(args, s.row->name);
	dmp_arg_int4(args, s.row->version);
	dmp_arg_float8(args, s.model->reject);
	return s;
}

/* ", score, class" of a row of q, the names with a prefix */
static void
append_scoring(StringInfo sql, const Scorer *s, const char *function, const char *prefix)
{
	appendStringInfo(sql, ", %s($%d, q.*) AS %sscore", function, s->first, prefix);
	if (s->model->nclasses > 0)
		appendStringInfo(sql, ", dmp.classify($%d, q.*) AS %sclass", s->first, prefix);
}

/* ", score, class, model, version" of such rows, called s */
static void
append_scored(StringInfo sql, const Scorer *s, const char *from, const char *prefix)
{
	char *score = psprintf("s.%sscore", from);
	int p = s->first;

	appendStringInfo(sql, ", %s AS %sscore, ", score, prefix);
	if (s->model->nclasses > 0)
		appendStringInfo(sql, "s.%sclass", from);
	else
		appendStringInfo(sql,
						 "CASE WHEN %s < $%d AND 1 - %s < $%d THEN NULL WHEN %s >= $%d THEN $%d "
						 "ELSE $%d END",
						 score, p + 6, score, p + 6, score, p + 1, p + 2, p + 3);
	appendStringInfo(sql, " AS %sclass, $%d AS %smodel, $%d AS %sversion", prefix, p + 4, prefix,
					 p + 5, prefix);
}

/* whether a table of that name keeps shadow scores */
static bool
keeps_shadow(const char *table)
{
	Oid relid = dmp_relation_oid(table, true);

	return OidIsValid(relid) && get_attnum(relid, "shadow_score") != InvalidAttrNumber;
}

/*
 * The rows to write. OFFSET 0: a row is scored once, though its score is named
 * twice. Where a shadow was before and is no more, its old scores must go.
 */
static char *
scores_sql(const char *select, List *key, const Scorer *scorer, const Scorer *shadow,
		   const char *table)
{
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfo(&sql, "SELECT %s", dmp_join_identifiers(key, "s."));
	append_scored(&sql, scorer, "dmp_", "");
	appendStringInfoString(&sql, ", statement_timestamp() AS scored_at");
	if (shadow != NULL)
		append_scored(&sql, shadow, "dmp_shadow_", "shadow_");
	else if (keeps_shadow(table))
		appendStringInfoString(&sql, ", NULL::float8 AS shadow_score, NULL::text AS shadow_class, "
									 "NULL::text AS shadow_model, NULL::int AS shadow_version");
	if (scorer->model->segments != NULL)
		appendStringInfoString(&sql, ", s.dmp_segment AS segment");
	appendStringInfo(&sql, " FROM (SELECT %s", dmp_join_identifiers(key, "q."));
	append_scoring(&sql, scorer, "dmp_internal.score_row", "dmp_");
	if (shadow != NULL)
		append_scoring(&sql, shadow, "dmp_internal.shadow_row", "dmp_shadow_");
	if (scorer->model->segments != NULL)
		appendStringInfo(&sql, ", dmp.segment($%d, q.*) AS dmp_segment", scorer->first);
	appendStringInfo(&sql, " FROM (%s) AS q OFFSET 0) AS s", select);
	return sql.data;
}

/*
 * dmp.score(model, query, into_table, key, if_exists, shadow) -> (rows,
 * rows_missing, rows_unseen_level, model, version)
 */
Datum
dmp_score(PG_FUNCTION_ARGS)
{
	static const char *const names[] = {"model", "query", "into_table"};
	Scorer scorer;
	Scorer shadow;
	bool shadowed = PG_NARGS() > 5 && !PG_ARGISNULL(5);
	const DmpModelRow *row;
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
	scorer = add_scorer(&args, text_to_cstring(PG_GETARG_TEXT_PP(0)));
	row = scorer.row;
	query = text_to_cstring(PG_GETARG_TEXT_PP(1));
	table = text_to_cstring(PG_GETARG_TEXT_PP(2));

	dmp_spi_connect();
	select = dmp_query_select(query, "query");
	desc = dmp_query_columns(select, NULL, NULL);
	dmp_row_check(scorer.model, row->name, row->version, desc);
	if (shadowed)
	{
		shadow = add_scorer(&args, text_to_cstring(PG_GETARG_TEXT_PP(5)));
		dmp_check_outcomes((const DmpModelRow *const[]){scorer.row, shadow.row},
						   (DmpModel *const[]){scorer.model, shadow.model});
		dmp_row_check(shadow.model, shadow.row->name, shadow.row->version, desc);
	}
	key = find_key(fcinfo, row, query, desc);
	(void) dmp_count_rows();
	dmp_progress("score: model \"%s\" version %d into %s", row->name, row->version, table);
	into = dmp_into_table(table, scores_sql(select, key, &scorer, shadowed ? &shadow : NULL, table),
						  &args, if_exists, key);
	if (into.created)
	{
		char *made = dmp_relation_name(into.relid);

		dmp_spi(
			psprintf("ALTER TABLE %s ADD PRIMARY KEY (%s)", made, dmp_join_identifiers(key, "")),
			NULL, false);
		/* dmp.lineage knows it by that */
		dmp_spi(psprintf("COMMENT ON TABLE %s IS %s", made,
						 quote_literal_cstr(psprintf("scores of model %s", row->name))),
				NULL, false);
	}
	dmp_registry_add_run(row->id, "score", (int64) into.rows, counted.missing, counted.unseen);
	values[0] = Int64GetDatum((int64) into.rows);
	values[1] = Int64GetDatum(counted.missing);
	values[2] = Int64GetDatum(counted.unseen);
	values[3] = CStringGetTextDatum(row->name);
	values[4] = Int32GetDatum(row->version);
	dmp_srf_row(fcinfo, values, nulls);
	dmp_spi_finish();
	return (Datum) 0;
}
