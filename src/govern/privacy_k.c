/*-------------------------------------------------------------------------
 * privacy_k.c
 *		dmp.k_anonymity: k, l and t of the rows of a query.
 *
 * A class is the rows that agree in all quasi-identifiers; NULL is a value
 * like others. k is the size of the smallest class (Samarati and Sweeney
 * 1998), rows_at_risk the number of rows alone in theirs. For a sensitive
 * column, over all classes: l_distinct is the least number of distinct values
 * and l_entropy the least exp(entropy) (Machanavajjhala et al. 2007); t is the
 * greatest distance of a class' distribution from that of all rows (Li et
 * al. 2007): for numbers, dates and times the earth mover's distance where
 * values are as far apart as their ranks, over the number of values less one;
 * for anything else the total variation distance.
 *
 * One statement a sensitive column counts pairs of class and value by a hash
 * aggregate and returns them in order, the counts of all rows first (class
 * 0). What is kept is two numbers for each value of an ordered sensitive
 * column; the rest is one pass over the pairs.
 *
 * Between two values of a class its cumulated distribution is constant, say
 * q, while that of all rows, P, grows: the sum of |q - P| over the ranks
 * between is found from prefix sums of P and the place where P passes q.
 *-------------------------------------------------------------------------
 */
#include "govern/anonymize.h"
#include "govern/govern.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "learn/learn.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/typcache.h"

PG_FUNCTION_INFO_V1(dmp_k_anonymity);

#define FETCH_ROWS 5000

typedef struct Measures
{
	int64 rows;
	int64 k; /* 0: no rows */
	int64 classes;
	int64 alone;
	int64 l_distinct;
	double entropy; /* least of a class */
	double t;
} Measures;

/* counts of all rows by rank of the sensitive value, from 1 */
typedef struct Overall
{
	int64 nvalues;
	int64 allocated;
	int64 *counts;
	int64 *cumulated;
	int64 *sums; /* of cumulated */
} Overall;

/* the class being read */
typedef struct Class
{
	int64 number;
	int64 nvalues;
	int64 rows;
	double n_log_n;
	/* pairs of rank and count, for t: its size is known only at its end */
	int64 allocated;
	int64 *ranks;
	int64 *counts;
} Class;

static int64 *
grow(int64 *array, int64 n)
{
	return array == NULL ? palloc_extended(sizeof(int64) * n, MCXT_ALLOC_HUGE)
						 : repalloc_huge(array, sizeof(int64) * n);
}

static void
add_overall(Overall *all, int64 count)
{
	int64 i = ++all->nvalues;

	if (i >= all->allocated)
	{
		all->allocated = Max(1024, 2 * all->allocated);
		if (5 * sizeof(int64) * all->allocated > (Size) dmp_training_memory * 1024)
			ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
							errmsg("a sensitive column has more values than fit in "
								   "dmp.training_memory"),
							errhint("Group its values, or raise dmp.training_memory.")));
		all->counts = grow(all->counts, all->allocated);
		all->cumulated = grow(all->cumulated, all->allocated);
		all->sums = grow(all->sums, all->allocated);
	}
	all->counts[0] = all->cumulated[0] = all->sums[0] = 0;
	all->counts[i] = count;
	all->cumulated[i] = all->cumulated[i - 1] + count;
	all->sums[i] = all->sums[i - 1] + all->cumulated[i];
}

/* the last rank in [from - 1, to] at which all rows have cumulated at most part / whole */
static int64
passes(const Overall *all, int64 from, int64 to, int64 part, int64 whole)
{
	int128 limit = (int128) part * all->cumulated[all->nvalues];
	int64 low = from - 1;
	int64 high = to;

	while (low < high)
	{
		int64 middle = low + (high - low + 1) / 2;

		if ((int128) all->cumulated[middle] * whole <= limit)
			low = middle;
		else
			high = middle - 1;
	}
	return low;
}

/* sum over ranks from .. to of |part / whole - cumulated share of all rows| */
static double
moved(const Overall *all, int64 from, int64 to, int64 part, int64 whole)
{
	double rows = (double) all->cumulated[all->nvalues];
	double share = (double) part / (double) whole;
	int64 at;

	if (to < from)
		return 0;
	at = passes(all, from, to, part, whole);
	return share * (double) (at - from + 1) -
		   (double) (all->sums[at] - all->sums[from - 1]) / rows +
		   (double) (all->sums[to] - all->sums[at]) / rows - share * (double) (to - at);
}

static double
earth_mover(const Overall *all, const Class *class)
{
	int64 before = 0;
	double sum = 0;
	int64 i;

	if (all->nvalues < 2)
		return 0;
	sum = moved(all, 1, class->ranks[0] - 1, 0, class->rows);
	for (i = 0; i < class->nvalues; i++)
	{
		int64 next = i + 1 < class->nvalues ? class->ranks[i + 1] : all->nvalues + 1;

		before += class->counts[i];
		sum += moved(all, class->ranks[i], next - 1, before, class->rows);
	}
	return sum / (double) (all->nvalues - 1);
}

/* values the class does not have count with their share of all rows */
static double
total_variation(const Overall *all, const Class *class)
{
	double rows = (double) all->cumulated[all->nvalues];
	int64 met = 0;
	double sum = 0;
	int64 i;

	for (i = 0; i < class->nvalues; i++)
	{
		int64 count = all->counts[class->ranks[i]];

		met += count;
		sum += fabs((double) class->counts[i] / (double) class->rows - (double) count / rows);
	}
	return (sum + (rows - (double) met) / rows) / 2;
}

static void
end_class(Class *class, const Overall *all, bool ordered, Measures *m)
{
	double entropy;

	if (class->rows == 0)
		return;
	m->classes++;
	m->rows += class->rows;
	m->alone += class->rows == 1;
	if (m->k == 0 || class->rows < m->k)
		m->k = class->rows;
	if (m->l_distinct == 0 || class->nvalues < m->l_distinct)
		m->l_distinct = class->nvalues;
	entropy =
		class->nvalues == 1 ? 0 : log((double) class->rows) - class->n_log_n / (double) class->rows;
	if (m->classes == 1 || entropy < m->entropy)
		m->entropy = entropy;
	m->t = Max(m->t, ordered ? earth_mover(all, class) : total_variation(all, class));
	class->nvalues = class->rows = 0;
	class->n_log_n = 0;
}

static void
add_to_class(Class *class, int64 rank, int64 count)
{
	if (class->nvalues == class->allocated)
	{
		class->allocated = Max(64, 2 * class->allocated);
		class->ranks = grow(class->ranks, class->allocated);
		class->counts = grow(class->counts, class->allocated);
	}
	class->ranks[class->nvalues] = rank;
	class->counts[class->nvalues] = count;
	class->nvalues++;
	class->rows += count;
	class->n_log_n += (double) count * log((double) count);
}

/*
 * One pass over the pairs of a sensitive column. statement returns (class,
 * rank, count) in order of class and rank; class 0 is all rows.
 */
static Measures
measure(const char *statement, bool ordered)
{
	MemoryContext context =
		AllocSetContextCreate(CurrentMemoryContext, "dmp k_anonymity", ALLOCSET_DEFAULT_SIZES);
	MemoryContext before;
	Measures m = {0};
	Overall all = {0};
	Class class = {0};
	Portal portal;

	dmp_spi_connect();
	portal = SPI_cursor_open_with_args(NULL, statement, 0, NULL, NULL, NULL, true, 0);
	for (;;)
	{
		SPI_cursor_fetch(portal, true, FETCH_ROWS);
		if (SPI_processed == 0)
			break;
		CHECK_FOR_INTERRUPTS();
		before = MemoryContextSwitchTo(context);
		for (uint64 i = 0; i < SPI_processed; i++)
		{
			int64 number = dmp_spi_int8(i, 1, 0);
			int64 count = dmp_spi_int8(i, 3, 0);

			if (number == 0)
			{
				add_overall(&all, count);
				continue;
			}
			if (number != class.number)
				end_class(&class, &all, ordered, &m);
			class.number = number;
			add_to_class(&class, dmp_spi_int8(i, 2, 0), count);
		}
		MemoryContextSwitchTo(before);
		SPI_freetuptable(SPI_tuptable);
	}
	SPI_cursor_close(portal);
	dmp_spi_finish();
	end_class(&class, &all, ordered, &m);
	MemoryContextDelete(context);
	return m;
}

/* numbers, dates and times have an order that means something */
static bool
is_ordered(Oid type)
{
	switch (getBaseType(type))
	{
		case DATEOID:
		case TIMEOID:
		case TIMETZOID:
		case TIMESTAMPOID:
		case TIMESTAMPTZOID:
		case INTERVALOID:
			return true;
		default:
			return dmp_type_is_number(getBaseType(type));
	}
}

void
dmp_check_class_columns(TupleDesc desc, List *names, const char *what)
{
	ListCell *lc;

	foreach (lc, names)
	{
		const char *name = lfirst(lc);
		Form_pg_attribute att =
			TupleDescAttr(desc, dmp_column_number(desc, name, psprintf("%s: ", what)) - 1);
		TypeCacheEntry *type = lookup_type_cache(att->atttypid, TYPECACHE_LT_OPR);

		if (!OidIsValid(type->lt_opr))
			ereport(ERROR, (errcode(ERRCODE_DATATYPE_MISMATCH),
							errmsg("%s: column \"%s\" is of type %s, which has no order", what,
								   name, format_type_be(att->atttypid)),
							errhint("Cast it to text in the query.")));
		for (int i = 0; i < foreach_current_index(lc); i++)
			if (strcmp(list_nth(names, i), name) == 0)
				ereport(ERROR, (errcode(ERRCODE_DUPLICATE_COLUMN),
								errmsg("%s: column \"%s\" is named twice", what, name)));
	}
}

/*
 * Pairs of class and value with their counts, all rows first. Columns are
 * renamed c1, c2 ... and s, so that no name of the query meets one of ours.
 */
static char *
pairs_statement(const char *select, List *quasi, const char *sensitive)
{
	StringInfoData inner;
	StringInfoData names;
	ListCell *lc;

	initStringInfo(&inner);
	initStringInfo(&names);
	foreach (lc, quasi)
	{
		int i = foreach_current_index(lc) + 1;

		appendStringInfo(&inner, "%sq.%s AS c%d", i > 1 ? ", " : "", quote_identifier(lfirst(lc)),
						 i);
		appendStringInfo(&names, "%sc%d", i > 1 ? ", " : "", i);
	}
	return psprintf(
		"WITH pairs AS (SELECT %s, s, pg_catalog.count(*) AS n FROM (SELECT %s, %s AS s "
		"FROM (%s) AS q) AS renamed GROUP BY %s, s), "
		"ranked AS (SELECT pg_catalog.dense_rank() OVER (ORDER BY %s) AS class, "
		"pg_catalog.dense_rank() OVER (ORDER BY s) AS rank, n FROM pairs) "
		"SELECT 0::pg_catalog.int8, rank, pg_catalog.sum(n)::pg_catalog.int8 "
		"FROM ranked GROUP BY rank "
		"UNION ALL SELECT class, rank, n FROM ranked ORDER BY 1, 2",
		names.data, inner.data, sensitive ? psprintf("q.%s", quote_identifier(sensitive)) : "true",
		select, names.data, names.data);
}

static void
put_row(FunctionCallInfo fcinfo, const Measures *m, const char *sensitive)
{
	Datum values[7] = {0};
	bool nulls[7] = {false};

	nulls[0] = m->classes == 0;
	values[0] = Int64GetDatum(m->k);
	values[1] = Int64GetDatum(m->classes);
	values[2] = Int64GetDatum(m->alone);
	nulls[3] = sensitive == NULL;
	nulls[4] = nulls[5] = nulls[6] = sensitive == NULL || m->classes == 0;
	if (sensitive != NULL)
		values[3] = CStringGetTextDatum(sensitive);
	values[4] = Int64GetDatum(m->l_distinct);
	values[5] = Float8GetDatum(exp(m->entropy));
	values[6] = Float8GetDatum(m->t);
	dmp_srf_row(fcinfo, values, nulls);
}

/*
 * dmp.k_anonymity(query, quasi_identifiers, sensitive): a row for each
 * sensitive column, one with NULL when none is named. No rows: k, l and t are
 * NULL. The query runs as the caller, once a sensitive column, all under the
 * snapshot of the statement.
 */
Datum
dmp_k_anonymity(PG_FUNCTION_ARGS)
{
	char *select = dmp_query_select(text_to_cstring(PG_GETARG_TEXT_PP(0)), "query");
	List *quasi = dmp_text_array_to_list(PG_GETARG_ARRAYTYPE_P(1));
	List *sensitive = dmp_text_array_to_list(PG_GETARG_ARRAYTYPE_P(2));
	TupleDesc desc = dmp_query_columns(select, NULL, NULL);
	Measures m;
	ListCell *lc;

	dmp_srf_begin(fcinfo);
	if (quasi == NIL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("there are no quasi-identifiers"),
				 errhint("Name the columns somebody may know of a person.")));
	dmp_check_class_columns(desc, quasi, "quasi_identifiers");
	dmp_check_class_columns(desc, sensitive, "sensitive");
	if (sensitive == NIL)
	{
		m = measure(pairs_statement(select, quasi, NULL), false);
		put_row(fcinfo, &m, NULL);
	}
	foreach (lc, sensitive)
	{
		const char *name = lfirst(lc);
		AttrNumber attnum = dmp_column_number(desc, name, "sensitive: ");

		m = measure(pairs_statement(select, quasi, name),
					is_ordered(TupleDescAttr(desc, attnum - 1)->atttypid));
		put_row(fcinfo, &m, name);
	}
	return (Datum) 0;
}
