/*-------------------------------------------------------------------------
 * forest.c
 *		dmp.isolation_forest and dmp.isolation_score: outliers of a table.
 *
 * Fitting reads the query once, grouped by its values. Each row draws a number
 * for each tree, hashed from its values, how many of its like came before, the
 * tree and the seed; the rows with the smallest are the tree's sample. So the
 * forest depends on which rows there are and on the seed, and not on the order
 * in which some plan returns them.
 *
 * A dmp.forest is a flat state (base/state.h):
 *
 *		Head, uint32 nodes of each tree, names of the columns, each ending in
 *		\0, room up to a multiple of 8, and the nodes of all trees
 */
#include "dmp.h"

#include <math.h>

#include "access/htup_details.h"
#include "base/base.h"
#include "base/state.h"
#include "catalog/pg_type.h"
#include "clean/values.h"
#include "lib/stringinfo.h"
#include "math/isolation.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/typcache.h"

PG_FUNCTION_INFO_V1(dmp_isolation_forest);
PG_FUNCTION_INFO_V1(dmp_isolation_score);

#define FOREST_VERSION 1
#define BATCH 1000
#define MOST_TREES 10000
#define MOST_SAMPLE 65536

typedef struct Head
{
	uint32 ncolumns;
	uint32 ntrees;
	uint32 sample; /* rows of a tree */
	uint32 names;  /* bytes */
} Head;

/* ----------------------------------------------------------------- value */

static Size
nodes_offset(const Head *head)
{
	return MAXALIGN(sizeof(Head) + sizeof(uint32) * (Size) head->ntrees + head->names);
}

static const uint32 *
tree_sizes(const Head *head)
{
	return (const uint32 *) (head + 1);
}

static const char *
column_names(const Head *head)
{
	return (const char *) (tree_sizes(head) + head->ntrees);
}

static const DmpIsolationNode *
forest_nodes(const Head *head)
{
	return (const DmpIsolationNode *) (const void *) ((const char *) head + nodes_offset(head));
}

static void
check_forest(const DmpState *state, const char *data, Size size)
{
	const Head *head = (const Head *) (const void *) data;
	const DmpIsolationNode *nodes;
	Size room;
	uint32 strings = 0;
	uint32 i;

	if (size < sizeof(Head) || head->ncolumns < 1 || head->ncolumns > DMP_ISOLATION_COLUMNS ||
		head->ntrees < 1 || head->ntrees > MOST_TREES || head->sample < 2 ||
		head->sample > MOST_SAMPLE || head->names > size || nodes_offset(head) > size)
		dmp_state_corrupt(state, "bad header");
	for (i = 0; i < head->names; i++)
		strings += column_names(head)[i] == '\0';
	if (strings != head->ncolumns || column_names(head)[head->names - 1] != '\0')
		dmp_state_corrupt(state, "bad names");
	nodes = forest_nodes(head);
	room = (size - nodes_offset(head)) / sizeof(DmpIsolationNode);
	for (i = 0; i < head->ntrees; i++)
	{
		uint32 n = tree_sizes(head)[i];

		CHECK_FOR_INTERRUPTS();
		if (n > room || !dmp_isolation_check(nodes, n, (int) head->ncolumns))
			dmp_state_corrupt(state, "a tree is not one");
		nodes += n;
		room -= n;
	}
	if ((const char *) nodes != data + size)
		dmp_state_corrupt(state, "bad size");
}

void
dmp_forest_init(void)
{
	dmp_state_register(DMP_STATE_FOREST, FOREST_VERSION, check_forest);
}

/* --------------------------------------------------------------- fitting */

typedef struct Fit
{
	List *names;
	int ncolumns;
	int ntrees;
	uint32 sample;
	uint64 seed;
	uint64 rows;
	uint64 *salts;  /* of each tree */
	uint64 *keys;   /* of each tree a heap, the largest first */
	uint32 *places; /* which row of the tree a key of the heap has */
	double *values; /* of each tree: sample rows */
} Fit;

/* a column that a forest can split */
static bool
is_numeric(Oid type)
{
	type = getBaseType(type);
	return type == BOOLOID || dmp_type_is_number(type);
}

/* The columns asked for, or all that are numbers. */
static List *
choose_columns(TupleDesc desc, ArrayType *asked)
{
	List *names = NIL;
	List *wanted = asked != NULL ? dmp_text_array_to_list(asked) : NIL;
	ListCell *lc;
	int i;

	for (i = 0; i < desc->natts && asked == NULL; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);

		if (!att->attisdropped && is_numeric(att->atttypid))
			names = lappend(names, pstrdup(NameStr(att->attname)));
	}
	foreach (lc, wanted)
	{
		const char *name = lfirst(lc);
		AttrNumber number = dmp_column_number(desc, name, "");
		ListCell *other;

		if (!is_numeric(TupleDescAttr(desc, number - 1)->atttypid))
			ereport(ERROR,
					(errcode(ERRCODE_DATATYPE_MISMATCH),
					 errmsg("column \"%s\" is %s, and an isolation forest needs numbers", name,
							format_type_be(TupleDescAttr(desc, number - 1)->atttypid)),
					 errhint("Make it a number in the query: extract(epoch FROM ...) of a time, "
							 "(x = 'a')::int for a value.")));
		foreach (other, names)
			if (strcmp(lfirst(other), name) == 0)
				ereport(ERROR, (errcode(ERRCODE_DUPLICATE_COLUMN),
								errmsg("column \"%s\" is named twice", name)));
		names = lappend(names, pstrdup(name));
	}
	if (names == NIL)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("the query has no column that is a number")));
	return names;
}

static char *
fit_sql(const char *select, TupleDesc desc, List *names)
{
	StringInfoData sql;
	ListCell *lc;
	int i = 0;

	initStringInfo(&sql);
	appendStringInfoString(&sql, "SELECT ");
	foreach (lc, names)
	{
		AttrNumber number = dmp_column_number(desc, lfirst(lc), "");
		bool boolean = getBaseType(TupleDescAttr(desc, number - 1)->atttypid) == BOOLOID;

		appendStringInfo(&sql, "q.%s%s::pg_catalog.float8 AS x%d, ", quote_identifier(lfirst(lc)),
						 boolean ? "::pg_catalog.int4" : "", ++i);
	}
	appendStringInfo(&sql, "pg_catalog.count(*) FROM (%s) AS q GROUP BY ", select);
	for (i = 1; i <= list_length(names); i++)
		appendStringInfo(&sql, "%s%d", i > 1 ? ", " : "", i);
	return sql.data;
}

/* The heap of a tree, from place i down. */
static void
sift_down(uint64 *keys, uint32 *places, uint32 n, uint32 i)
{
	for (;;)
	{
		uint32 child = 2 * i + 1;
		uint64 key;
		uint32 place;

		if (child >= n)
			return;
		if (child + 1 < n && keys[child + 1] > keys[child])
			child++;
		if (keys[child] <= keys[i])
			return;
		key = keys[i];
		keys[i] = keys[child];
		keys[child] = key;
		place = places[i];
		places[i] = places[child];
		places[child] = place;
		i = child;
	}
}

/* finalizer of splitmix64: what dmp_hash_uint64 is too good for, a hundred times a row */
static inline uint64
mix(uint64 x)
{
	x = (x ^ (x >> 30)) * UINT64CONST(0xbf58476d1ce4e5b9);
	x = (x ^ (x >> 27)) * UINT64CONST(0x94d049bb133111eb);
	return x ^ (x >> 31);
}

static void
take_sample(Fit *fit, int tree, uint64 key, const double *row)
{
	uint64 *keys = fit->keys + (Size) tree * fit->sample;
	uint32 *places = fit->places + (Size) tree * fit->sample;
	double *values = fit->values + (Size) tree * fit->sample * fit->ncolumns;
	uint32 place;

	if (fit->rows < fit->sample)
	{
		/* not yet a heap */
		place = (uint32) fit->rows;
		keys[place] = key;
		places[place] = place;
	}
	else
	{
		place = places[0];
		keys[0] = key;
		sift_down(keys, places, fit->sample, 0);
	}
	memcpy(values + (Size) place * fit->ncolumns, row, sizeof(double) * fit->ncolumns);
	if (fit->rows + 1 == fit->sample)
	{
		uint32 i;

		for (i = fit->sample / 2; i-- > 0;)
			sift_down(keys, places, fit->sample, i);
	}
}

/* count rows of the same values */
static void
add_rows(Fit *fit, const double *row, int64 count)
{
	uint64 hash = fit->seed;
	int64 i;
	int t;

	for (t = 0; t < fit->ncolumns; t++)
		hash = dmp_hash_combine(hash, dmp_hash_double(row[t], 0));
	for (i = 0; i < count; i++)
	{
		uint64 own = dmp_hash_uint64((uint64) i, hash);

		if (i % 1000 == 999)
			CHECK_FOR_INTERRUPTS();
		for (t = 0; t < fit->ntrees; t++)
		{
			uint64 key = mix(own ^ fit->salts[t]);

			if (fit->rows < fit->sample || key < fit->keys[(Size) t * fit->sample])
				take_sample(fit, t, key, row);
		}
		fit->rows++;
	}
}

static void
read_rows(Fit *fit, const char *sql)
{
	Portal portal = SPI_cursor_open_with_args(NULL, sql, 0, NULL, NULL, NULL, true, 0);
	double *row = palloc(sizeof(double) * fit->ncolumns);

	for (;;)
	{
		uint64 i;
		int c;

		CHECK_FOR_INTERRUPTS();
		SPI_cursor_fetch(portal, true, BATCH);
		if (SPI_processed == 0)
			break;
		for (i = 0; i < SPI_processed; i++)
		{
			for (c = 0; c < fit->ncolumns; c++)
				row[c] = dmp_spi_float8(i, c + 1, NAN);
			add_rows(fit, row, dmp_spi_int8(i, fit->ncolumns + 1, 0));
		}
		SPI_freetuptable(SPI_tuptable);
	}
	SPI_cursor_close(portal);
}

typedef struct Slot
{
	uint64 key;
	uint32 place;
} Slot;

static int
compare_slots(const void *a, const void *b)
{
	const Slot *x = a;
	const Slot *y = b;

	return x->key < y->key ? -1 : x->key > y->key;
}

/* the rows of a tree, by their keys: in an order of their own */
static double *
sample_rows(const Fit *fit, int tree, uint32 n)
{
	const uint64 *keys = fit->keys + (Size) tree * fit->sample;
	const uint32 *places = fit->places + (Size) tree * fit->sample;
	const double *values = fit->values + (Size) tree * fit->sample * fit->ncolumns;
	double *rows = palloc(sizeof(double) * n * fit->ncolumns);
	Slot *slots = palloc(sizeof(Slot) * n);
	uint32 i;

	for (i = 0; i < n; i++)
	{
		slots[i].key = keys[i];
		slots[i].place = places[i];
	}
	qsort(slots, n, sizeof(Slot), compare_slots);
	for (i = 0; i < n; i++)
		memcpy(rows + (Size) i * fit->ncolumns, values + (Size) slots[i].place * fit->ncolumns,
			   sizeof(double) * fit->ncolumns);
	pfree(slots);
	return rows;
}

static DmpState *
build_forest(const Fit *fit)
{
	uint32 n = (uint32) Min(fit->rows, fit->sample);
	int height = dmp_isolation_height(n);
	DmpIsolationNode *tree = palloc(sizeof(DmpIsolationNode) * dmp_isolation_room(height));
	uint32 *sizes = palloc(sizeof(uint32) * fit->ntrees);
	StringInfoData names;
	StringInfoData nodes;
	DmpState *state;
	Head head;
	ListCell *lc;
	int t;

	initStringInfo(&names);
	initStringInfo(&nodes);
	foreach (lc, fit->names)
		appendBinaryStringInfo(&names, lfirst(lc), strlen(lfirst(lc)) + 1);
	for (t = 0; t < fit->ntrees; t++)
	{
		double *rows = sample_rows(fit, t, n);
		DmpRandom random;

		dmp_random_init(&random, fit->seed, (uint64) t);
		sizes[t] = (uint32) dmp_isolation_build(rows, n, fit->ncolumns, height, &random, tree,
												&dmp_server_env);
		appendBinaryStringInfo(&nodes, (const char *) tree, sizeof(*tree) * sizes[t]);
		pfree(rows);
	}
	head.ncolumns = fit->ncolumns;
	head.ntrees = fit->ntrees;
	head.sample = n;
	head.names = names.len;
	state = dmp_state_make(DMP_STATE_FOREST, FOREST_VERSION, nodes_offset(&head) + nodes.len);
	memcpy(DMP_STATE_DATA(state), &head, sizeof(head));
	memcpy(DMP_STATE_DATA(state) + sizeof(head), sizes, sizeof(uint32) * fit->ntrees);
	memcpy(DMP_STATE_DATA(state) + sizeof(head) + sizeof(uint32) * fit->ntrees, names.data,
		   names.len);
	memcpy(DMP_STATE_DATA(state) + nodes_offset(&head), nodes.data, nodes.len);
	return state;
}

static int
whole_option(const DmpDoc *options, const char *key, int value, int least, int most)
{
	double given = dmp_doc_number(options, key, value, "options");

	if (given < least || given > most || given != floor(given))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("options: \"%s\" must be a whole number from %d to %d", key, least, most)));
	return (int) given;
}

/*
 * dmp.isolation_forest(query text, columns text[] DEFAULT NULL,
 *						options jsonb DEFAULT '{}') -> dmp.forest
 *
 * options: trees (100), sample (256 rows of a tree), seed (0). columns NULL:
 * all that are numbers or booleans. A missing or NaN value is a missing one.
 * An error when there are fewer than two rows.
 */
Datum
dmp_isolation_forest(PG_FUNCTION_ARGS)
{
	static const char *const known[] = {"trees", "sample", "seed", NULL};
	MemoryContext caller = CurrentMemoryContext;
	const DmpDoc *options;
	const char *select;
	TupleDesc desc;
	DmpState *state;
	DmpState *result;
	Fit fit = {0};
	int t;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	dmp_spi_connect();
	if (!PG_ARGISNULL(2))
	{
		options = dmp_doc_from_jsonb(PG_GETARG_DATUM(2), "options");
		dmp_doc_check_keys(options, "options", known);
		fit.ntrees = whole_option(options, "trees", 100, 1, MOST_TREES);
		fit.sample = whole_option(options, "sample", 256, 2, MOST_SAMPLE);
		fit.seed = whole_option(options, "seed", 0, 0, PG_INT32_MAX);
	}
	else
	{
		fit.ntrees = 100;
		fit.sample = 256;
	}
	select = dmp_query_select(text_to_cstring(PG_GETARG_TEXT_PP(0)), "query");
	desc = dmp_query_columns(select, NULL, NULL);
	fit.names = choose_columns(desc, PG_ARGISNULL(1) ? NULL : PG_GETARG_ARRAYTYPE_P(1));
	fit.ncolumns = list_length(fit.names);
	if ((double) fit.ntrees * fit.sample * (fit.ncolumns + 2) * sizeof(double) > MaxAllocSize / 2)
		ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
						errmsg("%d trees of %u rows of %d columns are too many", fit.ntrees,
							   fit.sample, fit.ncolumns),
						errhint("Trees times sample times columns is at most 60 million.")));
	fit.seed = dmp_hash_uint64(fit.seed, 0);
	fit.salts = palloc(sizeof(uint64) * fit.ntrees);
	for (t = 0; t < fit.ntrees; t++)
		fit.salts[t] = dmp_hash_uint64((uint64) t, fit.seed);
	fit.keys = palloc(sizeof(uint64) * fit.ntrees * fit.sample);
	fit.places = palloc(sizeof(uint32) * fit.ntrees * fit.sample);
	fit.values = palloc(sizeof(double) * fit.ntrees * fit.sample * fit.ncolumns);
	read_rows(&fit, fit_sql(select, desc, fit.names));
	if (fit.rows < 2)
		ereport(ERROR, (errcode(ERRCODE_NO_DATA),
						errmsg("an isolation forest needs two rows, and the query has %d",
							   (int) fit.rows)));
	state = build_forest(&fit);
	result = MemoryContextAlloc(caller, VARSIZE(state));
	memcpy(result, state, VARSIZE(state));
	dmp_spi_finish();
	PG_RETURN_POINTER(result);
}

/* --------------------------------------------------------------- scoring */

typedef struct Column
{
	int attribute; /* from 0 */
	Oid type;
} Column;

/* what a forest and the rows that come have in common, kept from call to call */
typedef struct Score
{
	MemoryContext context; /* of what follows */
	DmpState *forest;      /* a copy, where the argument is stored out of line */
	char pointer[VARHDRSZ_EXTERNAL + sizeof(struct varatt_external)];
	char *names; /* for which the columns were found */
	uint32 names_size;
	Oid type;
	int32 typmod;
	TupleDesc desc;
	Column *columns;
	double *row;
	Datum *datums;
	bool *nulls;
} Score;

/* The forest without fetching it again for each row. */
static const Head *
forest_of(Score *score, Datum argument)
{
	struct varlena *value = (struct varlena *) DatumGetPointer(argument);

	if (!VARATT_IS_EXTERNAL_ONDISK(value))
		return (const Head *) (const void *) DMP_STATE_DATA(
			dmp_state_arg(argument, DMP_STATE_FOREST));
	if (score->forest == NULL || memcmp(score->pointer, value, sizeof(score->pointer)) != 0)
	{
		MemoryContext old = MemoryContextSwitchTo(score->context);
		DmpState *forest = dmp_state_arg(argument, DMP_STATE_FOREST);

		if (score->forest != NULL)
			pfree(score->forest);
		score->forest = forest;
		memcpy(score->pointer, value, sizeof(score->pointer));
		MemoryContextSwitchTo(old);
	}
	return (const Head *) (const void *) DMP_STATE_DATA(score->forest);
}

static void
find_columns(Score *score, const Head *head, HeapTupleHeader tuple)
{
	Oid type = HeapTupleHeaderGetTypeId(tuple);
	int32 typmod = HeapTupleHeaderGetTypMod(tuple);
	MemoryContext old;
	const char *name;
	uint32 i;

	if (score->desc != NULL && score->type == type && score->typmod == typmod &&
		score->names_size == head->names &&
		memcmp(score->names, column_names(head), head->names) == 0)
		return;
	if (score->desc != NULL)
		FreeTupleDesc(score->desc);
	score->desc = NULL;
	old = MemoryContextSwitchTo(score->context);
	{
		TupleDesc desc = lookup_rowtype_tupdesc(type, typmod);

		score->desc = CreateTupleDescCopy(desc);
		ReleaseTupleDesc(desc);
	}
	score->type = type;
	score->typmod = typmod;
	score->names = palloc(head->names);
	memcpy(score->names, column_names(head), head->names);
	score->names_size = head->names;
	score->columns = palloc(sizeof(Column) * head->ncolumns);
	/* one in front, as dmp_isolation_paths wants it */
	score->row = (double *) palloc0(sizeof(double) * (head->ncolumns + 1)) + 1;
	score->datums = palloc(sizeof(Datum) * score->desc->natts);
	score->nulls = palloc(sizeof(bool) * score->desc->natts);
	name = score->names;
	for (i = 0; i < head->ncolumns; i++)
	{
		int c;

		for (c = 0; c < score->desc->natts; c++)
		{
			Form_pg_attribute att = TupleDescAttr(score->desc, c);

			if (!att->attisdropped && strcmp(NameStr(att->attname), name) == 0)
				break;
		}
		if (c == score->desc->natts)
			ereport(ERROR, (errcode(ERRCODE_UNDEFINED_COLUMN),
							errmsg("column \"%s\" needed by the isolation forest is missing", name),
							errdetail("Columns of the row: %s.",
									  dmp_join(dmp_column_names(score->desc), ", "))));
		score->columns[i].attribute = c;
		score->columns[i].type = getBaseType(TupleDescAttr(score->desc, c)->atttypid);
		if (!is_numeric(score->columns[i].type))
			ereport(ERROR, (errcode(ERRCODE_DATATYPE_MISMATCH),
							errmsg("column \"%s\" of the row is %s, and the isolation forest "
								   "needs a number",
								   name, format_type_be(score->columns[i].type))));
		name += strlen(name) + 1;
	}
	MemoryContextSwitchTo(old);
}

/* whether a value is missing */
static bool
read_row(Score *score, const Head *head, HeapTupleHeader tuple)
{
	HeapTupleData data;
	bool missing = false;
	uint32 i;

	data.t_len = HeapTupleHeaderGetDatumLength(tuple);
	ItemPointerSetInvalid(&data.t_self);
	data.t_tableOid = InvalidOid;
	data.t_data = tuple;
	heap_deform_tuple(&data, score->desc, score->datums, score->nulls);
	for (i = 0; i < head->ncolumns; i++)
	{
		const Column *column = &score->columns[i];

		score->row[i] = score->nulls[column->attribute]
							? NAN
							: dmp_value_number(score->datums[column->attribute], column->type);
		missing |= isnan(score->row[i]);
	}
	return missing;
}

/*
 * dmp.isolation_score(forest dmp.forest, input record) -> float8
 *
 * From 0 to 1: near 1 an outlier, well below 0.5 none. Columns are found by
 * name; a missing value counts both ways at each split of its column.
 */
Datum
dmp_isolation_score(PG_FUNCTION_ARGS)
{
	HeapTupleHeader tuple = PG_GETARG_HEAPTUPLEHEADER(1);
	Score *score = fcinfo->flinfo->fn_extra;
	const Head *head;
	bool missing;
	double sum;

	if (score == NULL)
	{
		MemoryContext context = AllocSetContextCreate(fcinfo->flinfo->fn_mcxt,
													  "dmp isolation score", ALLOCSET_SMALL_SIZES);

		score = MemoryContextAllocZero(context, sizeof(Score));
		score->context = context;
		fcinfo->flinfo->fn_extra = score;
	}
	head = forest_of(score, PG_GETARG_DATUM(0));
	find_columns(score, head, tuple);
	missing = read_row(score, head, tuple);
	sum = dmp_isolation_paths(forest_nodes(head), tree_sizes(head), head->ntrees, score->row,
							  missing);
	PG_RETURN_FLOAT8(exp2(-sum / head->ntrees / dmp_isolation_c(head->sample)));
}
