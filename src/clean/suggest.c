/*-------------------------------------------------------------------------
 * suggest.c
 *		dmp.suggest_recipe: a recipe from a profile of the data.
 *
 * Two scans: one counts the rows, one takes a sample of SAMPLE_ROWS of them
 * (rows whose hash is small, so the same data gives the same sample, and equal
 * rows come together) into a temporary table. All else looks at the sample, in
 * the order in which the steps will run: what is sure enough is applied to the
 * sample by the recipe's own compiler before the next kind of fault is looked
 * for. So dependencies are found between values that are spelled right.
 *-------------------------------------------------------------------------
 */
#include "clean/suggest.h"

#include "catalog/pg_type.h"
#include "utils/guc.h"
#include "utils/json.h"
#include "utils/lsyscache.h"

#include "clean/clean.h"
#include "clean/run.h"

PG_FUNCTION_INFO_V1(dmp_suggest_recipe);

#define SAMPLE_ROWS 20000

void
dmp_suggest_add(DmpSuggest *suggest, const char *step, double sample_rows, double confidence,
				const char *reason, ...)
{
	DmpSuggestion *suggestion = palloc0(sizeof(DmpSuggestion));
	StringInfoData text;
	va_list args;
	int needed;

	initStringInfo(&text);
	for (;;)
	{
		va_start(args, reason);
		needed = appendStringInfoVA(&text, reason, args);
		va_end(args);
		if (needed == 0)
			break;
		enlargeStringInfo(&text, needed);
	}
	if (suggest->n < suggest->rows)
		appendStringInfo(&text, " (in a sample of " INT64_FORMAT " rows)", suggest->n);
	suggestion->step = pstrdup(step);
	suggestion->reason = text.data;
	suggestion->rows = sample_rows * suggest->rows / Max(suggest->n, 1);
	suggestion->confidence = confidence;
	suggest->suggestions = lappend(suggest->suggestions, suggestion);
}

char *
dmp_suggest_json(const char *text)
{
	StringInfoData json;

	initStringInfo(&json);
	escape_json(&json, text);
	return json.data;
}

char *
dmp_suggest_list(List *names)
{
	StringInfoData json;
	ListCell *lc;

	initStringInfo(&json);
	appendStringInfoChar(&json, '[');
	foreach (lc, names)
	{
		appendStringInfoString(&json, lc == list_head(names) ? "" : ", ");
		escape_json(&json, lfirst(lc));
	}
	appendStringInfoChar(&json, ']');
	return json.data;
}

/*
 * A temporary table of the rows of a SELECT; it becomes the sample.
 */
static void
make_table(DmpSuggest *suggest, const char *select)
{
	char *name;
	int n = 0;

	do
		name = psprintf("pg_temp.dmp_suggest_%d", n++);
	while (OidIsValid(dmp_relation_oid(name, true)));
	dmp_spi(psprintf("CREATE TEMPORARY TABLE %s ON COMMIT DROP AS %s", name + strlen("pg_temp."),
					 select),
			NULL, false);
	if (suggest->sample != NULL)
		dmp_spi(psprintf("DROP TABLE %s", suggest->sample), NULL, false);
	suggest->sample = name;
}

static void
read_columns(DmpSuggest *suggest)
{
	List *relations;
	TupleDesc desc =
		dmp_query_columns(psprintf("SELECT * FROM %s", suggest->sample), NULL, &relations);
	int i;

	suggest->columns = NIL;
	for (i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute attr = TupleDescAttr(desc, i);
		DmpSuggestColumn *column = palloc0(sizeof(DmpSuggestColumn));
		Oid base = getBaseType(attr->atttypid);
		char category;
		bool preferred;

		column->name = pstrdup(NameStr(attr->attname));
		column->type = attr->atttypid;
		get_type_category_preferred(base, &category, &preferred);
		column->is_text = category == TYPCATEGORY_STRING && base != CHAROID;
		column->measure = base == FLOAT4OID || base == FLOAT8OID || base == NUMERICOID;
		suggest->columns = lappend(suggest->columns, column);
	}
}

static void
take_sample(DmpSuggest *suggest, const char *query)
{
	CleanSource source;
	char *select;

	dmp_clean_open(&source, query);
	/* says what is wrong with the columns, such as two of one name */
	(void) dmp_clean_source_plan(&source, CLEAN_PLAIN);
	select = source.select;
	dmp_progress("suggest: counting rows");
	dmp_spi(psprintf("SELECT count(*) FROM (%s) AS q", select), NULL, false);
	suggest->rows = dmp_spi_int8(0, 1, 0);
	dmp_progress("suggest: taking a sample");
	if (suggest->rows > SAMPLE_ROWS)
		select = psprintf("SELECT * FROM (%s) AS q WHERE (dmp.row_hash(q.*) & 16777215) < %.0f",
						  select, 16777216.0 * SAMPLE_ROWS / suggest->rows);
	make_table(suggest, select);
	dmp_spi(psprintf("SELECT count(*) FROM %s", suggest->sample), NULL, false);
	suggest->n = dmp_spi_int8(0, 1, 0);
	if (suggest->rows <= SAMPLE_ROWS)
		suggest->rows = suggest->n;
	read_columns(suggest);
}

/*
 * Apply the sure steps that were added since the list had from entries.
 */
static void
apply_steps(DmpSuggest *suggest, int from)
{
	StringInfoData recipe;
	CleanSource source;
	CleanPlan *plan;
	int level;
	int i;

	initStringInfo(&recipe);
	for (i = from; i < list_length(suggest->suggestions); i++)
	{
		DmpSuggestion *suggestion = list_nth(suggest->suggestions, i);

		if (suggestion->confidence > DMP_SUGGEST_SURE)
			appendStringInfo(&recipe, "%s%s", recipe.len > 0 ? ", " : "", suggestion->step);
	}
	if (recipe.len == 0)
		return;
	dmp_clean_open(&source, suggest->sample);
	plan = dmp_clean_source_plan(&source, CLEAN_PLAIN);
	dmp_clean_compile(plan, dmp_doc_parse(psprintf("[%s]", recipe.data), "recipe"));
	level = NewGUCNestLevel();
	(void) set_config_option("enable_nestloop", "off", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE,
							 true, 0, false);
	make_table(suggest, dmp_clean_finish(plan));
	AtEOXact_GUC(true, level);
	read_columns(suggest);
}

static void
look(DmpSuggest *suggest, const char *what, void (*look_for)(DmpSuggest *suggest))
{
	int before = list_length(suggest->suggestions);

	CHECK_FOR_INTERRUPTS();
	dmp_progress("suggest: %s", what);
	look_for(suggest);
	apply_steps(suggest, before);
}

/*
 * dmp.suggest_recipe(query text)
 *	-> TABLE(step json, reason text, rows_affected bigint, confidence float8)
 *
 * In the order in which the steps should run.
 */
Datum
dmp_suggest_recipe(PG_FUNCTION_ARGS)
{
	DmpSuggest suggest = {0};
	ListCell *lc;
	char *query = text_to_cstring(dmp_clean_argument(fcinfo, 0, "query"));

	dmp_srf_begin(fcinfo);
	dmp_spi_connect();
	take_sample(&suggest, query);
	if (suggest.n > 0)
	{
		look(&suggest, "white space", dmp_suggest_trim);
		look(&suggest, "missing values", dmp_suggest_missing);
		look(&suggest, "numbers that stand for missing values", dmp_suggest_sentinels);
		look(&suggest, "spellings", dmp_suggest_clusters);
		look(&suggest, "slips", dmp_suggest_repair);
		look(&suggest, "dependencies", dmp_suggest_rules);
		look(&suggest, "duplicates", dmp_suggest_duplicates);
		look(&suggest, "types", dmp_suggest_types);
		look(&suggest, "outliers", dmp_suggest_outliers);
	}
	dmp_spi(psprintf("DROP TABLE %s", suggest.sample), NULL, false);
	foreach (lc, suggest.suggestions)
	{
		DmpSuggestion *suggestion = lfirst(lc);
		Datum values[4];
		bool nulls[4] = {false};

		values[0] = CStringGetTextDatum(suggestion->step); /* json is text inside */
		values[1] = CStringGetTextDatum(suggestion->reason);
		values[2] = Int64GetDatum((int64) (suggestion->rows + 0.5));
		values[3] = Float8GetDatum(suggestion->confidence);
		dmp_srf_row(fcinfo, values, nulls);
	}
	dmp_spi_finish();
	return (Datum) 0;
}
