/*-------------------------------------------------------------------------
 * dp_query.c
 *		dmp.dp_count, dmp.dp_sum, dmp.dp_avg, dmp.dp_histogram.
 *
 * What is promised: of two tables that differ in the rows of one person (a
 * subject, or a row where none is named), any set of answers comes from the one
 * with a probability at most e^epsilon times that from the other, and delta
 * more when groups are found by threshold; epsilon is all that was charged.
 *
 * A person has at most R rows in a question (rows_per_subject; 1 where a row is
 * a person), over all groups and bins together, so one unit of epsilon noises
 * every cell of a histogram or of groups at once:
 *
 * count, histogram   each cell + Laplace(R / epsilon)
 * sum                each group + Laplace(R max(|low|, |high|) / epsilon)
 * avg                half of epsilon for the count, half for the sum of distances to
 *                    the middle of [low, high], where a row adds half the range
 *                    at most; their quotient and the middle are post-processing
 *
 * Groups without a list of keys are those whose noisy count reaches
 * tau = R + (R / epsilon) ln(R / delta) + 1: a group of one person's rows alone has
 * at most R rows, and there are at most R such groups, so one of them appears with
 * probability delta at most. delta is the owner's, per unit of epsilon, so that
 * all questions together have delta times the budget at most. For sums and
 * histograms that count takes half of epsilon; for counts it is the answer, for
 * averages the count there is anyway.
 *
 * The table is read as its owner, under policies that bind the owner. Names are
 * looked up in pg_catalog alone, and nothing is said to the client meanwhile, so
 * that no setting of the analyst makes the server speak of plans or sorts.
 *-------------------------------------------------------------------------
 */
#include "govern/dp.h"
#include "govern/dp_query.h"
#include "govern/govern.h"

#include <math.h>

#include "access/htup_details.h"
#include "access/relation.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/fmgrprotos.h"
#include "utils/guc.h"
#include "utils/json.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"

PG_FUNCTION_INFO_V1(dmp_dp_count);
PG_FUNCTION_INFO_V1(dmp_dp_sum);
PG_FUNCTION_INFO_V1(dmp_dp_avg);
PG_FUNCTION_INFO_V1(dmp_dp_histogram);

#define FETCH_ROWS 500

/* what the statement tells of a group */
typedef struct DpGroup
{
	char *key;
	int64 rows;
	int128 total;
	int64 *bins;
} DpGroup;

typedef struct Answer
{
	FunctionCallInfo fcinfo;
	DmpDpQuestion *q;
	int64 tau;          /* 0: every group */
	int64 micro_count;  /* epsilon for the count that decides on groups, or of an average */
	int64 micro_answer; /* and for the rest */
	char *unit;
} Answer;

/* ------------------------------------------------------------- answers */

/* units as a number of the column: value * 10^-decimals / divisor */
static Datum
in_units(const DmpDpQuestion *q, int128 units)
{
	Datum value = dmp_numeric_of_int128(units);
	char text[32];

	if (q->decimals == 0)
		return value;
	snprintf(text, sizeof(text), "1e-%d", q->decimals);
	return DirectFunctionCall1(
		numeric_trim_scale,
		DirectFunctionCall2(numeric_mul, value,
							DirectFunctionCall3(numeric_in, CStringGetDatum(text),
												ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1))));
}

static Datum
numeric_of_double(double value)
{
	return DirectFunctionCall1(numeric_trim_scale,
							   DirectFunctionCall1(float8_numeric, Float8GetDatum(value)));
}

/* the larger bound, in units */
static uint64
largest(const DmpDpQuestion *q)
{
	return (uint64) Max(llabs(q->low), llabs(q->high));
}

static void
put_count(const Answer *a, const DpGroup *group, int128 noisy)
{
	Datum values[4];
	bool nulls[4] = {false};
	const DmpDpQuestion *q = a->q;

	nulls[0] = group->key == NULL;
	values[0] = nulls[0] ? (Datum) 0 : CStringGetTextDatum(group->key);
	values[1] = Int64GetDatum((int64) noisy);
	values[2] = numeric_of_double(dmp_dp_margin(a->micro_answer, q->rows_per_subject));
	values[3] = CStringGetTextDatum(a->unit);
	dmp_srf_row(a->fcinfo, values, nulls);
}

static void
put_sum(const Answer *a, const DpGroup *group)
{
	Datum values[4];
	bool nulls[4] = {false};
	const DmpDpQuestion *q = a->q;
	DmpUint128 sensitivity = (DmpUint128) largest(q) * q->rows_per_subject;

	nulls[0] = group->key == NULL;
	values[0] = nulls[0] ? (Datum) 0 : CStringGetTextDatum(group->key);
	values[1] = in_units(q, group->total + dmp_dp_laplace(a->micro_answer, sensitivity));
	values[2] = numeric_of_double(dmp_dp_margin(a->micro_answer, (double) sensitivity) / q->scale);
	values[3] = CStringGetTextDatum(a->unit);
	dmp_srf_row(a->fcinfo, values, nulls);
}

/* distances to the middle are doubled, so that they are whole */
static void
put_avg(const Answer *a, const DpGroup *group, int128 noisy_rows)
{
	Datum values[4];
	bool nulls[4] = {false};
	const DmpDpQuestion *q = a->q;
	DmpUint128 sensitivity = (DmpUint128) (q->high - q->low) * q->rows_per_subject;
	int128 twice = 2 * group->total - (int128) (q->low + q->high) * group->rows;
	double rows = noisy_rows < 1 ? 1 : (double) noisy_rows;
	double middle = ((double) q->low + (double) q->high) / 2;
	double half = ((double) q->high - (double) q->low) / 2;
	double off;
	double margin;

	twice += dmp_dp_laplace(a->micro_answer, sensitivity);
	off = (double) twice / 2 / rows;
	off = Min(Max(off, -half), half);
	/* of the sum, and of the count as far as it moves the quotient */
	margin = (dmp_dp_margin(a->micro_answer, (double) sensitivity) / 2 +
			  fabs(off) * dmp_dp_margin(a->micro_count, q->rows_per_subject)) /
			 rows;
	nulls[0] = group->key == NULL;
	values[0] = nulls[0] ? (Datum) 0 : CStringGetTextDatum(group->key);
	values[1] = numeric_of_double((middle + off) / q->scale);
	values[2] = numeric_of_double(Min(margin, 2 * half) / q->scale);
	values[3] = CStringGetTextDatum(a->unit);
	dmp_srf_row(a->fcinfo, values, nulls);
}

static void
put_bins(const Answer *a, const DpGroup *group)
{
	const DmpDpQuestion *q = a->q;
	int128 range = (int128) q->high - q->low;
	Datum values[7];
	bool nulls[7] = {false};

	for (int i = 0; i < q->bins; i++)
	{
		/* the first unit of this bin and of the next: u belongs to floor((u - low) bins / range) */
		int128 from = q->low + (range * i + q->bins - 1) / q->bins;
		int128 to = i + 1 == q->bins ? q->high : q->low + (range * (i + 1) + q->bins - 1) / q->bins;

		nulls[0] = group->key == NULL;
		values[0] = nulls[0] ? (Datum) 0 : CStringGetTextDatum(group->key);
		values[1] = Int32GetDatum(i + 1);
		values[2] = in_units(q, from);
		values[3] = in_units(q, to);
		values[4] = Int64GetDatum(
			(int64) (group->bins[i] + dmp_dp_laplace(a->micro_answer, q->rows_per_subject)));
		values[5] = numeric_of_double(dmp_dp_margin(a->micro_answer, q->rows_per_subject));
		values[6] = CStringGetTextDatum(a->unit);
		dmp_srf_row(a->fcinfo, values, nulls);
	}
}

/* a group there is, or a key that has none */
static void
answer(const Answer *a, const DpGroup *group)
{
	const DmpDpQuestion *q = a->q;
	int128 noisy = 0;

	CHECK_FOR_INTERRUPTS();
	if (a->micro_count > 0)
		noisy = group->rows + dmp_dp_laplace(a->micro_count, q->rows_per_subject);
	if (a->tau > 0 && noisy < a->tau)
		return;
	if (q->bins > 0)
		put_bins(a, group);
	else if (q->column == NULL)
		put_count(a, group, noisy);
	else if (strcmp(q->function, "dp_avg") == 0)
		put_avg(a, group, noisy);
	else
		put_sum(a, group);
}

/* how epsilon is split, and the threshold */
static void
plan_answer(Answer *a, double delta)
{
	const DmpDpQuestion *q = a->q;
	bool threshold = q->by != NULL && q->keys == NULL;

	a->micro_answer = q->micro;
	a->micro_count = 0;
	if (q->column == NULL)
		a->micro_count = q->micro; /* the answer itself */
	else if (threshold || strcmp(q->function, "dp_avg") == 0)
	{
		a->micro_count = q->micro / 2;
		a->micro_answer = q->micro - a->micro_count;
	}
	if (threshold)
	{
		double r = q->rows_per_subject;
		double of_question = delta * (double) q->micro / DMP_DP_MICRO;

		a->tau =
			(int64) ceil(r + r * DMP_DP_MICRO / (double) a->micro_count * log(r / of_question)) + 1;
	}
}

/* ---------------------------------------------------------- the statement */

static DpGroup
read_group(const DmpDpQuestion *q, uint64 row)
{
	DpGroup group = {0};
	bool isnull;
	Datum total;
	Datum *bins;
	Datum *counts;
	bool *nulls;
	int n;

	group.key = q->by ? dmp_spi_text(row, 2) : NULL;
	group.rows = dmp_spi_int8(row, 3, 0);
	total = dmp_spi_datum(row, 4, &isnull);
	group.total = isnull ? 0 : dmp_int128_of_numeric(total);
	if (q->bins > 0)
	{
		group.bins = palloc0(sizeof(int64) * q->bins);
		deconstruct_array(DatumGetArrayTypeP(dmp_spi_datum(row, 5, &isnull)), INT4OID, 4, true,
						  TYPALIGN_INT, &bins, &nulls, &n);
		deconstruct_array(DatumGetArrayTypeP(dmp_spi_datum(row, 6, &isnull)), INT8OID, 8, true,
						  TYPALIGN_DOUBLE, &counts, &nulls, &n);
		for (int i = 0; i < n; i++)
			group.bins[DatumGetInt32(bins[i])] = DatumGetInt64(counts[i]);
	}
	return group;
}

static void
pin_setting(const char *name, const char *value)
{
	(void) set_config_option(name, value, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0,
							 false);
}

static void
become(Oid owner, DmpIdentity *saved)
{
	GetUserIdAndSecContext(&saved->user, &saved->context);
	saved->guc_level = NewGUCNestLevel();
	SetUserIdAndSecContext(owner, saved->context | SECURITY_LOCAL_USERID_CHANGE |
									  SECURITY_RESTRICTED_OPERATION);
	pin_setting("search_path", "pg_catalog, pg_temp");
	pin_setting("row_security", "on");
	pin_setting("client_min_messages", "error");
	/*
	 * How many rows an index scan finds is a question of its own, answered
	 * without noise: by counters everybody may read, by EXPLAIN, by the clock.
	 */
	pin_setting("enable_indexscan", "off");
	pin_setting("enable_indexonlyscan", "off");
	pin_setting("enable_bitmapscan", "off");
	(void) set_config_option("track_counts", "off", PGC_SUSET, PGC_S_SESSION, GUC_ACTION_SAVE, true,
							 0, false);
	/* texts of keys */
	pin_setting("DateStyle", "ISO");
	pin_setting("IntervalStyle", "postgres");
	pin_setting("extra_float_digits", "1");
}

/* every group the statement finds is answered, or kept in its key's place */
static void
run_statement(const Answer *a, const char *sql, DmpArgs *args, DpGroup *by_key, Oid owner)
{
	DmpIdentity saved;
	Portal portal;
	MemoryContext caller = CurrentMemoryContext;
	MemoryContext scratch =
		AllocSetContextCreate(CurrentMemoryContext, "dmp dp groups", ALLOCSET_DEFAULT_SIZES);

	dmp_spi_connect();
	become(owner, &saved);
	portal = SPI_cursor_open_with_args(NULL, sql, args->n, args->types, args->values, args->nulls,
									   true, 0);
	for (;;)
	{
		SPI_cursor_fetch(portal, true, FETCH_ROWS);
		if (SPI_processed == 0)
			break;
		for (uint64 i = 0; i < SPI_processed; i++)
		{
			int64 place = dmp_spi_int8(i, 1, 0);
			MemoryContext before = MemoryContextSwitchTo(by_key ? caller : scratch);
			DpGroup group = read_group(a->q, i);

			if (by_key == NULL)
				answer(a, &group);
			else if (place > 0)
			{
				group.key = by_key[place - 1].key;
				by_key[place - 1] = group;
			}
			MemoryContextSwitchTo(before);
		}
		MemoryContextReset(scratch);
		SPI_freetuptable(SPI_tuptable);
	}
	SPI_cursor_close(portal);
	dmp_identity_end(&saved);
	dmp_spi_finish();
	MemoryContextDelete(scratch);
}

/* empty groups of the keys that were named; one without a key when there are no groups */
static DpGroup *
empty_groups(const DmpDpQuestion *q, int *n)
{
	DpGroup *groups;

	if (q->by != NULL && q->keys == NULL)
		return NULL;
	*n = q->by ? q->nkeys : 1;
	groups = palloc0(sizeof(DpGroup) * Max(*n, 1));
	for (int i = 0; i < *n; i++)
	{
		groups[i].key = q->by ? q->keys[i] : NULL;
		if (q->bins > 0)
			groups[i].bins = palloc0(sizeof(int64) * q->bins);
	}
	return groups;
}

/* ------------------------------------------------------------ questions */

static char *
text_argument(FunctionCallInfo fcinfo, int n)
{
	return PG_ARGISNULL(n) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(n));
}

/* arguments filter, by, keys and rows_per_subject, which all four have from `first` on */
static void
read_rest(FunctionCallInfo fcinfo, DmpDpQuestion *q, int first)
{
	Datum *items;
	bool *nulls;

	if (!PG_ARGISNULL(first))
		q->filter = dmp_doc_from_jsonb(PG_GETARG_DATUM(first), "filter");
	q->by = text_argument(fcinfo, first + 1);
	if (!PG_ARGISNULL(first + 2))
	{
		deconstruct_array(PG_GETARG_ARRAYTYPE_P(first + 2), TEXTOID, -1, false, TYPALIGN_INT,
						  &items, &nulls, &q->nkeys);
		if (q->by == NULL)
			ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
							errmsg("keys are given, but no column to group by")));
		if (q->nkeys > DMP_DP_MAX_KEYS)
			ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
							errmsg("there are more than %d keys", DMP_DP_MAX_KEYS)));
		q->keys = palloc(sizeof(char *) * Max(q->nkeys, 1));
		for (int i = 0; i < q->nkeys; i++)
			q->keys[i] = nulls[i] ? NULL : TextDatumGetCString(items[i]);
	}
	q->rows_per_subject = PG_ARGISNULL(first + 3) ? 1 : PG_GETARG_INT32(first + 3);
	if (q->rows_per_subject < 1 || q->rows_per_subject > DMP_DP_MAX_ROWS)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("rows_per_subject must be between 1 and %d", DMP_DP_MAX_ROWS)));
}

static void
add_member(StringInfo json, const char *name, const char *value)
{
	if (value == NULL)
		return;
	appendStringInfo(json, ", \"%s\": ", name);
	escape_json(json, value);
}

/* the question for the audit log */
static char *
describe(const DmpDpQuestion *q, Datum filter, bool filter_null)
{
	StringInfoData json;

	initStringInfo(&json);
	appendStringInfo(
		&json, "{\"function\": \"%s\", \"epsilon\": %s", q->function,
		DatumGetCString(DirectFunctionCall1(numeric_out, dmp_dp_from_micro(q->micro))));
	add_member(&json, "column", q->column);
	add_member(&json, "by", q->by);
	if (!filter_null)
		appendStringInfo(&json, ", \"filter\": %s",
						 DatumGetCString(DirectFunctionCall1(jsonb_out, filter)));
	appendStringInfoChar(&json, '}');
	return json.data;
}

/* the table, locked; only one of rows, not a view of them */
static TupleDesc
open_table(Oid relid)
{
	Relation rel = try_relation_open(relid, AccessShareLock);
	TupleDesc desc;

	if (rel == NULL)
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_TABLE),
						errmsg("relation with OID %u does not exist", relid)));
	if (rel->rd_rel->relkind != RELKIND_RELATION &&
		rel->rd_rel->relkind != RELKIND_PARTITIONED_TABLE)
		ereport(ERROR, (errcode(ERRCODE_WRONG_OBJECT_TYPE),
						errmsg("\"%s\" is not a table", RelationGetRelationName(rel)),
						errhint("Questions under a privacy budget are about the table itself.")));
	desc = CreateTupleDescCopy(RelationGetDescr(rel));
	relation_close(rel, NoLock);
	return desc;
}

/*
 * Everything that may be wrong with the question is found before it is
 * charged, by a statement built for the subject of the budget; then it is
 * charged; then the table is read.
 */
static void
ask(FunctionCallInfo fcinfo, DmpDpQuestion *q, int filter, int low)
{
	TupleDesc desc;
	Answer a = {fcinfo, q, 0, 0, 0, NULL};
	DmpArgs args = {0};
	DmpArgs tried = {0};
	DmpDpPermit permit;
	DpGroup *groups;
	int n = 0;

	if (q->filter != NULL && q->filter->n > DMP_MAX_ARGS - 2)
		ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
						errmsg("filter has more than %d columns", DMP_MAX_ARGS - 2)));
	PreventCommandIfReadOnly(psprintf("dmp.%s()", q->function));
	desc = open_table(q->relid);
	dmp_dp_columns(q, desc);
	if (low > 0)
		dmp_dp_bounds(q, PG_GETARG_DATUM(low), PG_GETARG_DATUM(low + 1));
	(void) dmp_dp_statement(q, desc, &tried);
	if (q->micro < 2 && q->column != NULL)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("epsilon must be at least 0.000002 for %s", q->function)));

	permit = dmp_dp_charge(q->relid, q->micro, q->rows_per_subject,
						   describe(q, PG_ARGISNULL(filter) ? (Datum) 0 : PG_GETARG_DATUM(filter),
									PG_ARGISNULL(filter)));
	q->subject = permit.subject;
	a.unit = q->subject ? q->subject : pstrdup("row");
	plan_answer(&a, permit.delta);
	groups = empty_groups(q, &n);
	run_statement(&a, dmp_dp_statement(q, desc, &args), &args, groups, permit.owner);
	for (int i = 0; i < n; i++)
		answer(&a, &groups[i]);
}

/* dmp.dp_count(rel, epsilon, filter, by, keys, rows_per_subject) */
Datum
dmp_dp_count(PG_FUNCTION_ARGS)
{
	DmpDpQuestion q = {0};

	dmp_srf_begin(fcinfo);
	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		return (Datum) 0;
	q.relid = PG_GETARG_OID(0);
	q.function = "dp_count";
	q.micro = dmp_dp_micro(PG_GETARG_DATUM(1), DMP_DP_MAX_EPSILON);
	read_rest(fcinfo, &q, 2);
	ask(fcinfo, &q, 2, 0);
	return (Datum) 0;
}

/* (rel, column_name, epsilon, low, high, filter, by, keys, rows_per_subject, bins) */
static Datum
ask_of_column(FunctionCallInfo fcinfo, const char *function, int bins)
{
	DmpDpQuestion q = {0};

	dmp_srf_begin(fcinfo);
	for (int i = 0; i < 5; i++)
		if (PG_ARGISNULL(i))
			return (Datum) 0;
	if (bins < 0 || bins > DMP_DP_MAX_BINS)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("bins must be between 1 and %d", DMP_DP_MAX_BINS)));
	q.relid = PG_GETARG_OID(0);
	q.function = function;
	q.column = text_to_cstring(PG_GETARG_TEXT_PP(1));
	q.micro = dmp_dp_micro(PG_GETARG_DATUM(2), DMP_DP_MAX_EPSILON);
	q.bins = bins;
	read_rest(fcinfo, &q, 5);
	ask(fcinfo, &q, 5, 3);
	return (Datum) 0;
}

Datum
dmp_dp_sum(PG_FUNCTION_ARGS)
{
	return ask_of_column(fcinfo, "dp_sum", 0);
}

Datum
dmp_dp_avg(PG_FUNCTION_ARGS)
{
	return ask_of_column(fcinfo, "dp_avg", 0);
}

Datum
dmp_dp_histogram(PG_FUNCTION_ARGS)
{
	int bins = PG_ARGISNULL(9) ? 10 : PG_GETARG_INT32(9);

	return ask_of_column(fcinfo, "dp_histogram", bins > 0 ? bins : -1);
}
