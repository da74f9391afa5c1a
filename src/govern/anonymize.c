/*-------------------------------------------------------------------------
 * anonymize.c
 *		dmp.anonymize_to: a table in which nobody can be told from k - 1 others.
 *
 * The query's rows go into a temporary table with the rank of each
 * quasi-identifier beside them; distinct tuples of ranks are cut into regions
 * of at least k rows (math/mondrian.c); then every row is written with the
 * label of its region in place of each quasi-identifier. A label is a function
 * of the region alone, so rows of a region agree, and regions with the same
 * label only make classes larger: k holds whatever the labels.
 *
 * Labels: a value that the whole region shares stays; numbers and times of
 * day become [low,high]; dates and timestamps the day, month, year or years
 * they share; a value with a hierarchy the nearest ancestor they share; any
 * other value the beginning its text shares, and a star. Values and NULL
 * together are a star alone. Texts are ranked by their bytes, values with a
 * hierarchy by the path from its root, so that what shares a beginning or an
 * ancestor is one stretch of ranks.
 *
 * What is lost is counted cell by cell: distinct values the region could hold,
 * less one, by those of the column less one (0: exact, 1: anything); a row
 * left out has lost all. It is the normalised certainty penalty of Xu et al.
 * 2006 over ranks.
 *-------------------------------------------------------------------------
 */
#include "govern/anonymize.h"
#include "govern/govern.h"

#include "catalog/pg_type.h"
#include "clean/values.h"
#include "learn/learn.h"
#include "mb/pg_wchar.h"
#include "utils/array.h"
#include "utils/fmgrprotos.h"
#include "utils/guc.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

PG_FUNCTION_INFO_V1(dmp_anonymize_to);
PG_FUNCTION_INFO_V1(dmp_anonymized);

#define FETCH_ROWS 5000
/* of what is kept for each distinct tuple or value, beside its ranks or text */
#define TUPLE_BYTES 48

/* what dmp_internal.anonymized() answers from, while the last statement runs */
static DmpAnonymizer *running;

/* ------------------------------------------------------------- columns */

static DmpAnonymousKind
kind_of(Oid type)
{
	switch (getBaseType(type))
	{
		case DATEOID:
		case TIMESTAMPOID:
		case TIMESTAMPTZOID:
			return DMP_ANONYMOUS_DATE;
		case TIMEOID:
		case TIMETZOID:
		case INTERVALOID:
			return DMP_ANONYMOUS_RANGE;
		default:
			return dmp_type_is_number(getBaseType(type)) ? DMP_ANONYMOUS_RANGE : DMP_ANONYMOUS_TEXT;
	}
}

static void
read_columns(DmpAnonymizer *a, TupleDesc desc, List *quasi, const DmpDoc *hierarchies)
{
	ListCell *lc;

	if (hierarchies != NULL)
		for (int i = 0; i < hierarchies->n; i++)
			if (!dmp_list_has(quasi, hierarchies->keys[i]))
				ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
								errmsg("hierarchies: \"%s\" is not among the quasi-identifiers",
									   hierarchies->keys[i]),
								dmp_errhint_nearest(hierarchies->keys[i], quasi)));
	foreach (lc, quasi)
	{
		DmpAnonymousColumn *column = &a->columns[a->ncolumns++];

		column->name = lfirst(lc);
		column->kind = kind_of(
			TupleDescAttr(desc, dmp_column_number(desc, column->name, "quasi_identifiers: ") - 1)
				->atttypid);
		column->hierarchy = hierarchies ? dmp_doc_get(hierarchies, column->name) : NULL;
		if (column->hierarchy != NULL)
		{
			dmp_check_hierarchy(column->hierarchy, column->name);
			column->kind = DMP_ANONYMOUS_HIERARCHY;
		}
	}
}

/* what a column is ranked by, and labelled from */
static char *
text_of(const DmpAnonymousColumn *column, const char *alias, int i)
{
	char *value = psprintf("%s.%s", alias, quote_identifier(column->name));

	switch (column->kind)
	{
		case DMP_ANONYMOUS_TEXT:
			return psprintf("%s::pg_catalog.text COLLATE pg_catalog.\"C\"", value);
		case DMP_ANONYMOUS_HIERARCHY:
			return psprintf("dmp_internal.hierarchy_path(%s::pg_catalog.text, $%d) "
							"COLLATE pg_catalog.\"C\"",
							value, i + 1);
		default:
			return value;
	}
}

/* ---------------------------------------------------------- statements */

/* a prefix that no column of the query begins with, for columns of ours beside them */
static char *
own_prefix(TupleDesc desc)
{
	char *prefix = "dmp_";
	int i = 0;

	while (i < desc->natts)
	{
		if (strncmp(NameStr(TupleDescAttr(desc, i)->attname), prefix, strlen(prefix)) == 0)
		{
			prefix = psprintf("%s_", prefix);
			i = 0;
		}
		else
			i++;
	}
	if (strlen(prefix) > NAMEDATALEN - 16)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("too many columns of the query begin with \"dmp_\"")));
	return prefix;
}

static char *
own_name(const DmpAnonymizer *a, const char *what, int i)
{
	return psprintf("%s%s_%d", a->prefix, what, i);
}

/* every row once, with its ranks; NULL has rank 0 */
static void
rank_rows(DmpAnonymizer *a, const char *select, List *sensitive, DmpArgs *args)
{
	StringInfoData sql;
	ListCell *lc;

	initStringInfo(&sql);
	appendStringInfoString(&sql,
						   "CREATE TEMPORARY TABLE dmp_anonymize ON COMMIT DROP AS SELECT q.*");
	for (int i = 0; i < a->ncolumns; i++)
	{
		const DmpAnonymousColumn *column = &a->columns[i];

		appendStringInfo(&sql,
						 ", CASE WHEN q.%s IS NULL THEN 0 ELSE pg_catalog.dense_rank() "
						 "OVER (ORDER BY %s) END::pg_catalog.int4 AS %s",
						 quote_identifier(column->name), text_of(column, "q", i),
						 own_name(a, "rank", i));
	}
	foreach (lc, sensitive)
		appendStringInfo(&sql,
						 ", pg_catalog.dense_rank() OVER (ORDER BY q.%s)::pg_catalog.int4 "
						 "AS %s",
						 quote_identifier(lfirst(lc)),
						 own_name(a, "value", foreach_current_index(lc)));
	appendStringInfo(&sql, " FROM (%s) AS q", select);
	dmp_spi(sql.data, args, false);
}

static void
spend(DmpAnonymizer *a, Size bytes)
{
	a->memory += bytes;
	if (a->memory > (Size) dmp_training_memory * 1024)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("the distinct quasi-identifiers do not fit in dmp.training_memory"),
				 errhint("Round or cut values in the query, or raise dmp.training_memory.")));
}

/* text of each rank, from 1 */
static void
read_texts(DmpAnonymizer *a, int i, DmpArgs *args)
{
	DmpAnonymousColumn *column = &a->columns[i];
	MemoryContext before;
	Portal portal;
	char *sql =
		psprintf("SELECT pg_catalog.min((%s)::pg_catalog.text COLLATE pg_catalog.\"C\") FROM "
				 "pg_temp.dmp_anonymize AS t "
				 "WHERE %s OPERATOR(pg_catalog.>) 0 GROUP BY %s ORDER BY %s",
				 text_of(column, "t", i), own_name(a, "rank", i), own_name(a, "rank", i),
				 own_name(a, "rank", i));
	int32 allocated = 0;

	portal = SPI_cursor_open_with_args(NULL, sql, args->n, args->types, args->values, args->nulls,
									   false, 0);
	for (;;)
	{
		SPI_cursor_fetch(portal, true, FETCH_ROWS);
		if (SPI_processed == 0)
			break;
		before = MemoryContextSwitchTo(a->context);
		for (uint64 row = 0; row < SPI_processed; row++)
		{
			if (column->most + 2 > allocated)
			{
				allocated = Max(1024, 2 * allocated);
				column->texts = column->texts
									? repalloc_huge(column->texts, sizeof(char *) * allocated)
									: palloc(sizeof(char *) * allocated);
				column->texts[0] = NULL;
			}
			column->texts[++column->most] = dmp_spi_text(row, 1);
			spend(a, strlen(column->texts[column->most]) + TUPLE_BYTES);
		}
		MemoryContextSwitchTo(before);
		SPI_freetuptable(SPI_tuptable);
	}
	SPI_cursor_close(portal);
}

static void
grow_tuples(DmpAnonymizer *a)
{
	int n = a->ncolumns + a->nsensitive;
	Size allocated = Max(4096, 2 * (Size) a->allocated);

	for (int i = 0; i < n; i++)
	{
		int32 **array = i < a->ncolumns ? &a->ranks[i] : &a->values[i - a->ncolumns];

		*array = *array ? repalloc_huge(*array, sizeof(int32) * allocated)
						: palloc(sizeof(int32) * allocated);
	}
	a->counts = a->counts ? repalloc_huge(a->counts, sizeof(int64) * allocated)
						  : palloc(sizeof(int64) * allocated);
	spend(a, (allocated - a->allocated) * (n * sizeof(int32) + TUPLE_BYTES));
	a->allocated = allocated;
}

/* distinct tuples of ranks with their rows, in order */
static void
read_tuples(DmpAnonymizer *a)
{
	StringInfoData names;
	MemoryContext before;
	Portal portal;

	initStringInfo(&names);
	for (int i = 0; i < a->ncolumns; i++)
		appendStringInfo(&names, "%s%s", i ? ", " : "", own_name(a, "rank", i));
	for (int i = 0; i < a->nsensitive; i++)
		appendStringInfo(&names, ", %s", own_name(a, "value", i));
	portal = SPI_cursor_open_with_args(
		NULL,
		psprintf(
			"SELECT pg_catalog.count(*), %s FROM pg_temp.dmp_anonymize GROUP BY %s ORDER BY %s",
			names.data, names.data, names.data),
		0, NULL, NULL, NULL, false, 0);
	for (;;)
	{
		SPI_cursor_fetch(portal, true, FETCH_ROWS);
		if (SPI_processed == 0)
			break;
		before = MemoryContextSwitchTo(a->context);
		for (uint64 row = 0; row < SPI_processed; row++)
		{
			if (a->ntuples == a->allocated)
				grow_tuples(a);
			a->counts[a->ntuples] = dmp_spi_int8(row, 1, 0);
			a->rows += a->counts[a->ntuples];
			for (int i = 0; i < a->ncolumns; i++)
				a->ranks[i][a->ntuples] = (int32) dmp_spi_int8(row, i + 2, 0);
			for (int i = 0; i < a->nsensitive; i++)
			{
				int32 value = (int32) dmp_spi_int8(row, a->ncolumns + i + 2, 0);

				a->values[i][a->ntuples] = value;
				a->nvalues[i] = Max(a->nvalues[i], value);
			}
			a->ntuples++;
		}
		MemoryContextSwitchTo(before);
		SPI_freetuptable(SPI_tuptable);
	}
	SPI_cursor_close(portal);
}

static void
cut_into_regions(DmpAnonymizer *a, int64 k, int32 l)
{
	DmpMondrian m = {0};
	MemoryContext before = MemoryContextSwitchTo(a->context);
	int32 *most = palloc(sizeof(int32) * a->ncolumns);

	for (int i = 0; i < a->ncolumns; i++)
		most[i] = a->columns[i].most;
	m.ncolumns = a->ncolumns;
	m.ranks = a->ranks;
	m.most = most;
	m.nsensitive = a->nsensitive;
	m.values = a->values;
	m.nvalues = a->nvalues;
	m.ntuples = a->ntuples;
	m.counts = a->counts;
	m.k = k;
	m.l = l;
	a->regions = dmp_mondrian(&m, &dmp_server_env);
	a->dropped = palloc0(Max(a->regions.nregions, 1));
	MemoryContextSwitchTo(before);
}

static double
loss_of(const DmpAnonymizer *a, int region, int i)
{
	int32 low = a->regions.low[(Size) region * a->ncolumns + i];
	int32 high = a->regions.high[(Size) region * a->ncolumns + i];
	int32 most = a->columns[i].most;

	if (low == high)
		return 0;
	return low == 0 || most < 2 ? 1 : (double) (high - low) / (most - 1);
}

/* ---------------------------------------------------- rows to leave out */

typedef struct Worst
{
	double loss;
	int32 region;
} Worst;

static int
compare_worst(const void *a, const void *b)
{
	const Worst *left = a;
	const Worst *right = b;

	if (left->loss != right->loss)
		return left->loss > right->loss ? -1 : 1;
	return left->region - right->region;
}

/* the regions that say least, as long as they are no more than that share of all rows */
static void
drop_worst(DmpAnonymizer *a, double share)
{
	int32 n = a->regions.nregions;
	Worst *worst;
	int64 left = (int64) (share * (double) a->rows);

	if (n == 0)
	{
		a->rows_suppressed = a->rows;
		return;
	}
	if (share <= 0)
		return;
	worst = MemoryContextAllocHuge(a->context, sizeof(Worst) * n);
	for (int32 r = 0; r < n; r++)
	{
		worst[r].region = r;
		worst[r].loss = 0;
		for (int i = 0; i < a->ncolumns; i++)
			worst[r].loss += loss_of(a, r, i);
	}
	qsort(worst, n, sizeof(Worst), compare_worst);
	for (int32 r = 0; r < n && worst[r].loss > 0; r++)
	{
		int64 rows = a->regions.rows[worst[r].region];

		if (rows > left)
			continue;
		left -= rows;
		a->dropped[worst[r].region] = true;
		a->rows_suppressed += rows;
	}
	pfree(worst);
}

/* ------------------------------------------------------------ writing */

/* labels of a region, made when a row of it is met first */
static Datum *
labels_of(DmpAnonymizer *a, int32 region)
{
	MemoryContext before;

	if (a->labels[region] != NULL)
		return a->labels[region];
	before = MemoryContextSwitchTo(a->context);
	a->labels[region] = palloc(sizeof(Datum) * a->ncolumns);
	for (int i = 0; i < a->ncolumns; i++)
	{
		const DmpAnonymousColumn *column = &a->columns[i];
		char *label = dmp_anonymous_label(column, a->regions.low[(Size) region * a->ncolumns + i],
										  a->regions.high[(Size) region * a->ncolumns + i]);

		a->labels[region][i] = label ? CStringGetTextDatum(label) : (Datum) 0;
	}
	MemoryContextSwitchTo(before);
	return a->labels[region];
}

/* dmp_internal.anonymized(ranks) -> text[], NULL: left out; for the last statement of dmp.anonymize_to */
Datum
dmp_anonymized(PG_FUNCTION_ARGS)
{
	ArrayType *array = PG_GETARG_ARRAYTYPE_P(0);
	int32 region;
	Datum *labels;
	bool nulls[DMP_ANONYMIZE_MAX_COLUMNS];
	int dims[1];
	int lows[1] = {1};

	if (running == NULL || ARR_HASNULL(array) ||
		ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array)) != running->ncolumns)
		ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						errmsg("dmp_internal.anonymized() is a part of dmp.anonymize_to()")));
	if (running->regions.nregions == 0)
		PG_RETURN_NULL();
	region = dmp_region_of(&running->regions, (int32 *) ARR_DATA_PTR(array));
	if (running->dropped[region])
		PG_RETURN_NULL();
	labels = labels_of(running, region);
	for (int i = 0; i < running->ncolumns; i++)
		nulls[i] = labels[i] == (Datum) 0;
	dims[0] = running->ncolumns;
	PG_RETURN_ARRAYTYPE_P(
		construct_md_array(labels, nulls, 1, dims, lows, TEXTOID, -1, false, TYPALIGN_INT));
}

static char *
final_select(const DmpAnonymizer *a, TupleDesc desc)
{
	StringInfoData sql;
	StringInfoData ranks;
	char *labels = own_name(a, "labels", 0);

	initStringInfo(&sql);
	initStringInfo(&ranks);
	appendStringInfoString(&sql, "SELECT ");
	for (int j = 0; j < desc->natts; j++)
	{
		const char *name = NameStr(TupleDescAttr(desc, j)->attname);
		int i = 0;

		while (i < a->ncolumns && strcmp(a->columns[i].name, name) != 0)
			i++;
		if (i < a->ncolumns)
			appendStringInfo(&sql, "%s%s[%d] AS %s", j ? ", " : "", labels, i + 1,
							 quote_identifier(name));
		else
			appendStringInfo(&sql, "%s%s", j ? ", " : "", quote_identifier(name));
	}
	for (int i = 0; i < a->ncolumns; i++)
		appendStringInfo(&ranks, "%s%s", i ? ", " : "", own_name(a, "rank", i));
	appendStringInfo(&sql,
					 " FROM (SELECT t.*, dmp_internal.anonymized(ARRAY[%s]) AS %s "
					 "FROM pg_temp.dmp_anonymize AS t OFFSET 0) AS a WHERE %s IS NOT NULL",
					 ranks.data, labels, labels);
	return sql.data;
}

static void
write_rows(DmpAnonymizer *a, TupleDesc desc, List *relations, const char *into_table,
		   const char *if_exists)
{
	a->labels =
		MemoryContextAllocExtended(a->context, sizeof(Datum *) * Max(a->regions.nregions, 1),
								   MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	PG_TRY();
	{
		DmpInto into;

		running = a;
		into = dmp_into_table(into_table, final_select(a, desc), NULL, if_exists, NIL);

		/* it reads our temporary table; whose rows they are is known here */
		dmp_note_made(into.relid, relations);
	}
	PG_FINALLY();
	{
		running = NULL;
	}
	PG_END_TRY();
}

/* ------------------------------------------------------------- the act */

static void
put_result(FunctionCallInfo fcinfo, const char *column, const char *action, int64 rows,
		   int64 changed, int64 suppressed, double loss)
{
	Datum values[6];
	bool nulls[6] = {column == NULL, false, false, false, false, rows + suppressed == 0};

	values[0] = column ? CStringGetTextDatum(column) : (Datum) 0;
	values[1] = CStringGetTextDatum(action);
	values[2] = Int64GetDatum(rows);
	values[3] = Int64GetDatum(changed);
	values[4] = Int64GetDatum(suppressed);
	values[5] = Float8GetDatum(loss);
	dmp_srf_row(fcinfo, values, nulls);
}

static void
report(FunctionCallInfo fcinfo, const DmpAnonymizer *a)
{
	static const char *const actions[] = {"ranges", "dates", "prefixes", "hierarchy"};
	double loss_of_all = 0;
	int64 changed_of_all = 0;

	for (int i = 0; i < a->ncolumns; i++)
	{
		int64 changed = 0;
		double loss = (double) a->rows_suppressed;

		for (int32 r = 0; r < a->regions.nregions; r++)
		{
			double of_region = a->dropped[r] ? 0 : loss_of(a, r, i);

			changed += of_region > 0 ? a->regions.rows[r] : 0;
			loss += of_region * (double) a->regions.rows[r];
		}
		loss /= (double) Max(a->rows, 1);
		loss_of_all += loss / a->ncolumns;
		changed_of_all = Max(changed_of_all, changed);
		put_result(fcinfo, a->columns[i].name, changed == 0 ? "kept" : actions[a->columns[i].kind],
				   a->rows - a->rows_suppressed, changed, a->rows_suppressed, loss);
	}
	put_result(fcinfo, NULL, "total", a->rows - a->rows_suppressed, changed_of_all,
			   a->rows_suppressed, loss_of_all);
}

static void
pin_texts(void)
{
	(void) set_config_option("DateStyle", "ISO", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true,
							 0, false);
	(void) set_config_option("IntervalStyle", "postgres", PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
	(void) set_config_option("TimeZone", "UTC", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true,
							 0, false);
	(void) set_config_option("extra_float_digits", "1", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE,
							 true, 0, false);
}

static void
check_arguments(const DmpAnonymizer *a, List *quasi, List *sensitive, int64 k, int32 l,
				double share)
{
	if (quasi == NIL || list_length(quasi) > DMP_ANONYMIZE_MAX_COLUMNS ||
		list_length(sensitive) > DMP_ANONYMIZE_MAX_COLUMNS)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("there must be between 1 and %d quasi-identifiers, and at most %d "
							   "sensitive columns",
							   DMP_ANONYMIZE_MAX_COLUMNS, DMP_ANONYMIZE_MAX_COLUMNS)));
	if (k < 1 || l < 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("k and l must be at least 1")));
	if (l > 1 && sensitive == NIL)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("l is for sensitive columns, and none is named")));
	if (!(share >= 0 && share <= 1))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("max_suppressed must be between 0 and 1")));
	for (int i = 0; i < a->ncolumns; i++)
		if (dmp_list_has(sensitive, a->columns[i].name))
			ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
							errmsg("column \"%s\" is a quasi-identifier and sensitive",
								   a->columns[i].name)));
}

static char *
text_argument(FunctionCallInfo fcinfo, int n)
{
	return text_to_cstring(PG_GETARG_TEXT_PP(n));
}

/*
 * dmp.anonymize_to(query, k, quasi_identifiers, into_table, hierarchies,
 * sensitive, l, max_suppressed, if_exists) -> (column_name, action, rows,
 * rows_changed, rows_suppressed, information_loss), a row for each
 * quasi-identifier and one for all. Nothing is done when one of the first four is
 * NULL. The query runs once, as the caller.
 */
Datum
dmp_anonymize_to(PG_FUNCTION_ARGS)
{
	DmpAnonymizer a = {0};
	char *select;
	List *quasi;
	List *sensitive = NIL;
	List *relations;
	DmpDoc *hierarchies = NULL;
	TupleDesc desc;
	int64 k = PG_ARGISNULL(1) ? 0 : PG_GETARG_INT32(1);
	int32 l = PG_ARGISNULL(6) ? 1 : PG_GETARG_INT32(6);
	double share = PG_ARGISNULL(7) ? 0 : PG_GETARG_FLOAT8(7);
	DmpArgs args = {0};
	int guc_level;

	dmp_srf_begin(fcinfo);
	for (int i = 0; i < 4; i++)
		if (PG_ARGISNULL(i))
			return (Datum) 0;
	select = dmp_query_select(text_argument(fcinfo, 0), "query");
	quasi = dmp_text_array_to_list(PG_GETARG_ARRAYTYPE_P(2));
	if (!PG_ARGISNULL(4))
		hierarchies = dmp_doc_from_jsonb(PG_GETARG_DATUM(4), "hierarchies");
	if (hierarchies != NULL && hierarchies->kind != DMP_DOC_OBJECT)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("hierarchies must be an object of columns"),
						errhint("For example {\"city\": {\"Utrecht\": \"NL\"}}.")));
	if (!PG_ARGISNULL(5))
		sensitive = dmp_text_array_to_list(PG_GETARG_ARRAYTYPE_P(5));
	check_arguments(&a, quasi, sensitive, k, l, share);
	desc = dmp_query_columns(select, NULL, &relations);
	dmp_check_class_columns(desc, quasi, "quasi_identifiers");
	dmp_check_class_columns(desc, sensitive, "sensitive");
	a.context =
		AllocSetContextCreate(CurrentMemoryContext, "dmp anonymize", ALLOCSET_DEFAULT_SIZES);
	a.prefix = own_prefix(desc);
	a.nsensitive = list_length(sensitive);
	read_columns(&a, desc, quasi, hierarchies);
	check_arguments(&a, quasi, sensitive, k, l, share);
	for (int i = 0; i < a.ncolumns; i++)
	{
		char *json = a.columns[i].hierarchy ? dmp_hierarchy_json(a.columns[i].hierarchy) : "{}";

		dmp_arg(&args, JSONBOID, DirectFunctionCall1(jsonb_in, CStringGetDatum(json)), false);
	}

	guc_level = NewGUCNestLevel();
	pin_texts();
	dmp_spi_connect();
	rank_rows(&a, select, sensitive, &args);
	for (int i = 0; i < a.ncolumns; i++)
		read_texts(&a, i, &args);
	read_tuples(&a);
	cut_into_regions(&a, k, l);
	drop_worst(&a, share);
	write_rows(&a, desc, relations, text_argument(fcinfo, 3),
			   PG_ARGISNULL(8) ? "error" : text_argument(fcinfo, 8));
	dmp_spi("DROP TABLE pg_temp.dmp_anonymize", NULL, false);
	dmp_spi_finish();
	AtEOXact_GUC(false, guc_level);
	report(fcinfo, &a);
	MemoryContextDelete(a.context);
	return (Datum) 0;
}
