/*-------------------------------------------------------------------------
 * cluster.c
 *		dmp.cluster_values: the methods, and the SQL that they are.
 *
 * Every method is a SELECT over a relation of distinct values and their rows.
 * Key collision is a window over the key, which sorts and spills; what compares
 * texts is the window function near_cluster over all values, whose rows the
 * server keeps, on disk when they are many. The same SELECT stands in the
 * statement of a recipe (step canonicalize), so both say the same.
 *
 * The canonical value of a cluster is that of most rows, the first by bytes
 * among ties.
 *-------------------------------------------------------------------------
 */
#include "clean/cluster.h"

#include <math.h>

#include "access/htup_details.h"
#include "funcapi.h"
#include "utils/memutils.h"

#include "base/base.h"

PG_FUNCTION_INFO_V1(dmp_cluster_values);
PG_FUNCTION_INFO_V1(dmp_near_cluster);

/* A method: a key, or a limit by which texts are near */
static const struct
{
	const char *name;
	const char *key;  /* with value and, for an n, %d; NULL: near_cluster */
	int n;            /* 0: takes none */
	double threshold; /* NaN: takes none */
	double least;     /* bounds of it */
	double most;
} methods[] = {
	{"fingerprint", "dmp.fingerprint(value)", 0, NAN, 0, 0},
	{"ngram_fingerprint", "dmp.ngram_fingerprint(value, %d)", 2, NAN, 0, 0},
	{"metaphone", "dmp_internal.sound_key(value, 'metaphone')", 0, NAN, 0, 0},
	{"cologne", "dmp_internal.sound_key(value, 'cologne')", 0, NAN, 0, 0},
	{"levenshtein", NULL, 0, 1, 1, 8},
	{"jaro_winkler", NULL, 0, 0.95, 0.8, 1},
	{"words", NULL, 0, 0.25, 0.05, 1},
	{"typo", NULL, 0, 0.8, 0, 1},
};

static int
find_method(const char *name)
{
	int i;

	for (i = 0; i < lengthof(methods); i++)
		if (strcmp(methods[i].name, name) == 0)
			return i;
	return -1;
}

DmpClusterMethod
dmp_cluster_method(const char *name, double threshold, int n, const char *what)
{
	DmpClusterMethod method;
	List *names = NIL;
	int i = find_method(name);
	int k;

	for (k = 0; k < lengthof(methods); k++)
		names = lappend(names, (char *) methods[k].name);
	if (i < 0)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("%sunknown method \"%s\"", what, name),
						errdetail("Known methods: %s.", dmp_join(names, ", ")),
						dmp_errhint_nearest(name, names)));
	if (!isnan(threshold) && isnan(methods[i].threshold))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("%smethod \"%s\" takes no threshold", what, name)));
	if (n != 0 && methods[i].n == 0)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("%smethod \"%s\" takes no n", what, name)));
	method.name = methods[i].name;
	method.threshold = isnan(threshold) ? methods[i].threshold : threshold;
	method.n = n != 0 ? n : methods[i].n;
	if (!isnan(method.threshold) &&
		!(method.threshold >= methods[i].least && method.threshold <= methods[i].most))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("%sthreshold of \"%s\" must be between %g and %g", what, name,
							   methods[i].least, methods[i].most)));
	if (method.n != 0 && (method.n < 1 || method.n > 100))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("%sn must be between 1 and 100", what)));
	return method;
}

char *
dmp_cluster_sql(const DmpClusterMethod *method, const char *counts)
{
	int i = find_method(method->name);

	/* of a slip's cluster, what was meant is a member, too */
	if (strcmp(method->name, "typo") == 0)
		return psprintf(
			"SELECT value, n, coalesce((typo).meant, value) AS canonical, "
			"coalesce((typo).confidence, "
			"1) AS confidence\nFROM (SELECT value, n, typo, count(*) OVER (PARTITION BY "
			"coalesce((typo).meant, value)) AS members\n\tFROM (SELECT value, n, CASE WHEN "
			"(found).confidence >= %.17g THEN found END AS typo\n\tFROM (SELECT value, n, "
			"dmp_internal.typo_of(0, value, n) OVER (ORDER BY value COLLATE \"C\") AS found FROM "
			"%s) AS looked) AS sure) AS slips\nWHERE members > 1 OR (typo).meant IS NOT NULL",
			method->threshold, counts);
	if (methods[i].key == NULL)
		return psprintf(
			"SELECT value, n, (cluster).canonical, (cluster).confidence\nFROM (SELECT value, n, "
			"dmp_internal.near_cluster(value, n, %s, %.17g) OVER (ORDER BY value COLLATE \"C\") "
			"AS cluster\n\tFROM %s) AS near\nWHERE (cluster).canonical IS NOT NULL",
			quote_literal_cstr(method->name), method->threshold, counts);
	return psprintf(
		"SELECT value, n, canonical, %s AS confidence\nFROM (SELECT value, n, count(*) OVER "
		"(PARTITION BY key) AS members,\n\tfirst_value(value) OVER (PARTITION BY key ORDER BY n "
		"DESC, value COLLATE \"C\") AS canonical\n\tFROM (SELECT value, n, %s AS key FROM %s "
		"OFFSET 0) AS keyed WHERE key <> '') AS met\nWHERE members > 1",
		strcmp(method->name, "fingerprint") == 0
			? "1.0::float8"
			: "dmp.jaro_winkler(lower(value), lower(canonical))",
		methods[i].n != 0 ? psprintf(methods[i].key, method->n) : methods[i].key, counts);
}

/*
 * dmp.cluster_values(query text, column_name text, method text, threshold float8, n integer)
 *	-> TABLE(cluster, canonical, variant, rows, method, confidence)
 *
 * Clusters of two values or more, that of most rows first.
 */
Datum
dmp_cluster_values(PG_FUNCTION_ARGS)
{
	static const char *const names[] = {"query", "column_name", "method"};
	DmpClusterMethod method;
	TupleDesc desc;
	char *select;
	char *column;
	Portal portal;
	int i;

	for (i = 0; i < lengthof(names); i++)
		if (PG_ARGISNULL(i))
			ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
							errmsg("%s must not be null", names[i])));
	select = dmp_query_select(text_to_cstring(PG_GETARG_TEXT_PP(0)), "query");
	column = text_to_cstring(PG_GETARG_TEXT_PP(1));
	method = dmp_cluster_method(text_to_cstring(PG_GETARG_TEXT_PP(2)),
								PG_ARGISNULL(3) ? NAN : PG_GETARG_FLOAT8(3),
								PG_ARGISNULL(4) ? 0 : PG_GETARG_INT32(4), "");
	if (!PG_ARGISNULL(4) && PG_GETARG_INT32(4) < 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("n must be between 1 and 100")));
	desc = dmp_query_columns(select, NULL, NULL);
	(void) dmp_column_number(desc, column, "");

	dmp_srf_begin(fcinfo);
	dmp_spi_connect();
	portal = SPI_cursor_open_with_args(
		NULL,
		psprintf("WITH counts AS MATERIALIZED (SELECT q.%s::text COLLATE \"C\" AS value, count(*) "
				 "AS n FROM (%s) AS q WHERE q.%s IS NOT NULL GROUP BY 1)\nSELECT dense_rank() OVER "
				 "(ORDER BY total DESC, canonical COLLATE \"C\"), canonical, value, n, %s, "
				 "confidence FROM (SELECT m.*, sum(n) OVER (PARTITION BY canonical) AS total FROM "
				 "(%s) AS m) AS c\nORDER BY 1, n DESC, value COLLATE \"C\"",
				 quote_identifier(column), select, quote_identifier(column),
				 quote_literal_cstr(method.name), dmp_cluster_sql(&method, "counts")),
		0, NULL, NULL, NULL, true, 0);
	for (;;)
	{
		uint64 k;

		SPI_cursor_fetch(portal, true, 1000);
		if (SPI_processed == 0)
			break;
		for (k = 0; k < SPI_processed; k++)
		{
			Datum values[6];
			bool nulls[6];

			for (i = 0; i < lengthof(values); i++)
				values[i] = dmp_spi_datum(k, i + 1, &nulls[i]);
			dmp_srf_row(fcinfo, values, nulls);
		}
		SPI_freetuptable(SPI_tuptable);
	}
	SPI_cursor_close(portal);
	dmp_spi_finish();
	return (Datum) 0;
}

/* ------------------------------------------------------------ near values */

typedef struct NearClusters
{
	DmpClusterValues values;
	TupleDesc result;
	int32 *canonical; /* by root: the value's number */
	text **texts;     /* by root: its text, of clusters of two or more */
	int at;           /* the value the next call is for */
} NearClusters;

static void
find_canonical(NearClusters *near)
{
	DmpClusterValues *values = &near->values;
	int32 *sizes =
		palloc_extended(sizeof(int32) * Max(values->n, 1), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	int i;

	near->canonical = palloc_extended(sizeof(int32) * Max(values->n, 1), MCXT_ALLOC_HUGE);
	near->texts =
		palloc_extended(sizeof(text *) * Max(values->n, 1), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	for (i = 0; i < values->n; i++)
	{
		int32 root = dmp_cluster_root(values, i);

		/* in the order of the bytes: the first of most rows stays */
		if (sizes[root]++ == 0 || values->rows[i] > values->rows[near->canonical[root]])
			near->canonical[root] = i;
	}
	for (i = 0; i < values->n; i++)
	{
		int32 root = dmp_cluster_root(values, i);

		CHECK_FOR_INTERRUPTS();
		if (sizes[root] > 1 && near->canonical[root] == i)
			near->texts[root] = dmp_cluster_text(values, i);
	}
	pfree(sizes);
}

static void
check_not_null(bool isnull)
{
	if (isnull)
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
						errmsg("arguments of near_cluster must not be null")));
}

static NearClusters *
cluster_near(WindowObject win, FunctionCallInfo fcinfo)
{
	NearClusters *near = palloc0(sizeof(NearClusters));
	DmpClusterValues *values = &near->values;
	int64 rows = WinGetPartitionRowCount(win);
	DmpClusterMethod method;
	Datum name;
	double threshold;
	bool isnull;
	bool no_threshold;
	int i;

	/* the function can be called by hand */
	name = WinGetFuncArgCurrent(win, 2, &isnull);
	threshold = DatumGetFloat8(WinGetFuncArgCurrent(win, 3, &no_threshold));
	check_not_null(isnull || no_threshold);
	method = dmp_cluster_method(TextDatumGetCString(name), threshold, 0, "");

	if (rows > PG_INT32_MAX / 2)
		ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
						errmsg("too many distinct values to compare"),
						errhint("A method of keys, such as \"fingerprint\", has no limit.")));
	values->win = win;
	values->argument = 0;
	values->n = (int) rows;
	values->rows = palloc_extended(sizeof(int64) * Max(rows, 1), MCXT_ALLOC_HUGE);
	values->parents = palloc_extended(sizeof(int32) * Max(rows, 1), MCXT_ALLOC_HUGE);
	for (i = 0; i < values->n; i++)
	{
		bool isout;

		CHECK_FOR_INTERRUPTS();
		values->parents[i] = i;
		values->rows[i] = DatumGetInt64(
			WinGetFuncArgInPartition(win, 1, i, WINDOW_SEEK_HEAD, false, &isnull, &isout));
		check_not_null(isnull);
		(void) WinGetFuncArgInPartition(win, 0, i, WINDOW_SEEK_HEAD, false, &isnull, &isout);
		check_not_null(isnull);
	}
	if (strcmp(method.name, "levenshtein") == 0)
		dmp_cluster_levenshtein(values, (int) method.threshold);
	else if (strcmp(method.name, "jaro_winkler") == 0)
		dmp_cluster_jaro_winkler(values, method.threshold);
	else if (strcmp(method.name, "words") == 0)
		dmp_cluster_words(values, method.threshold);
	find_canonical(near);
	if (get_call_result_type(fcinfo, NULL, &near->result) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "near_cluster has no row type");
	return near;
}

/* 1 for equal texts: what their length leaves of their distance, as characters */
static double
closeness(text *a, text *b)
{
	DmpChars x;
	DmpChars y;
	int i;

	if (!dmp_chars_read(a, DMP_FOLD_NFKC, &x) || !dmp_chars_read(b, DMP_FOLD_NFKC, &y))
		return 0;
	for (i = 0; i < x.n; i++)
		x.c[i] = dmp_lower_case(x.c[i]);
	for (i = 0; i < y.n; i++)
		y.c[i] = dmp_lower_case(y.c[i]);
	return dmp_jaro_winkler_chars(&x, &y);
}

/*
 * dmp_internal.near_cluster(value text, n bigint, method text, threshold float8)
 *	-> (canonical text, confidence float8), a window function
 *
 * Over all values in the order of their bytes: the canonical value of the
 * cluster that the row's value is in, NULL when it is alone, and how close the
 * two are. n is the number of rows with the value. No argument may be NULL;
 * method and threshold are those of the first row.
 */
Datum
dmp_near_cluster(PG_FUNCTION_ARGS)
{
	WindowObject win = PG_WINDOW_OBJECT();
	NearClusters **state;
	NearClusters *near;
	Datum values[2] = {0};
	bool nulls[2] = {true, true};
	text *canonical;

	if (!WindowObjectIsValid(win))
		elog(ERROR, "near_cluster called outside a window");
	state = WinGetPartitionLocalMemory(win, sizeof(NearClusters *));
	if (*state == NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(GetMemoryChunkContext(state));

		*state = cluster_near(win, fcinfo);
		MemoryContextSwitchTo(old);
	}
	near = *state;
	near->at = (int) WinGetCurrentPosition(win);
	canonical = near->texts[dmp_cluster_root(&near->values, near->at)];
	if (canonical != NULL)
	{
		bool isnull;
		text *value = DatumGetTextPP(WinGetFuncArgCurrent(win, 0, &isnull));

		values[0] = PointerGetDatum(canonical);
		values[1] = Float8GetDatum(closeness(value, canonical));
		nulls[0] = nulls[1] = false;
	}
	return HeapTupleGetDatum(heap_form_tuple(near->result, values, nulls));
}
