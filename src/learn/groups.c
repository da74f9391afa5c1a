/*-------------------------------------------------------------------------
 * groups.c
 *		Rows by group: one scan of the data for the pooled fit and all groups.
 *
 *		SELECT --> receiver --> stages of the pooled fit's first scan
 *					  and, tapped there, --> records, by partition
 *		records --> stages of its further scans, as many as it likes: what they
 *					  read is here and not in the table
 *		records of a partition --> groups_solve.c --> a fit for each group
 *
 * The statement is read by a receiver of our own, not by an aggregate: a row
 * comes as a slot, and there is no state to ship. Arguments are handed to the
 * row reader of the training scan (scan_row.c), so that what is a row, a missing
 * value or a code is the same with groups and without.
 */
#include "learn/groups.h"

#include <math.h>

#include "executor/executor.h"
#include "executor/spi.h"
#include "lib/stringinfo.h"
#include "learn/scan_row.h"
#include "math/hash.h"
#include "tcop/dest.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

/* arguments of the row reader before the features */
#define FIRST_FEATURE 6
/* columns of a row before the features: target, weight, split, base_margin */
#define FIXED_COLUMNS 4
#ifdef __GNUC__
#define PREFETCH(address) __builtin_prefetch(address)
#else
#define PREFETCH(address) ((void) 0)
#endif

/* rows between two resets of the memory that values were read into */
#define SCRATCH_ROWS 128

typedef struct Receiver
{
	DestReceiver pub; /* first */
	DmpGroups *groups;
	DmpScan *scan;
	FunctionCallInfo call; /* as the transition function would get it */
	Oid *by_types;
	StringInfoData keys[2]; /* of the rows of the stages, found by their tags */
	/* of the rows of a stage */
	uint64 hash[DMP_TILE];
	const char *key[DMP_TILE];
	uint32 length[DMP_TILE];
	MemoryContext scratch;
	int rows;
} Receiver;

/* ----------------------------------------------------------- the groups */

static void
grow_slots(DmpGroups *groups)
{
	int i;

	groups->nslots *= 2;
	pfree(groups->slots);
	groups->slots = MemoryContextAllocHuge(groups->context, sizeof(DmpGroupSlot) * groups->nslots);
	memset(groups->slots, -1, sizeof(DmpGroupSlot) * groups->nslots);
	for (i = 0; i < groups->n; i++)
	{
		uint32 at = (uint32) groups->groups[i].hash & (groups->nslots - 1);

		while (groups->slots[at].group >= 0)
			at = (at + 1) & (groups->nslots - 1);
		groups->slots[at].tag = (uint32) (groups->groups[i].hash >> 32);
		groups->slots[at].group = i;
	}
}

static int
add_group(DmpGroups *groups, const char *key, uint32 length, uint64 hash)
{
	DmpGroup *group;
	char *copy;
	uint32 at;

	if (groups->n == groups->room)
	{
		groups->room *= 2;
		groups->groups = repalloc_huge(groups->groups, sizeof(DmpGroup) * groups->room);
		groups->bytes +=
			sizeof(DmpGroup) * groups->room / 2 + sizeof(DmpGroupSlot) * groups->nslots;
		grow_slots(groups);
	}
	copy = MemoryContextAlloc(groups->context, length);
	memcpy(copy, key, length);
	groups->bytes += length + 16;
	if (groups->bytes > Max((Size) groups->spec->memory, (Size) 16 << 20))
		ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
						errmsg("more than %d groups do not fit dmp.training_memory", groups->n),
						errhint("Group by columns of fewer values, or raise it.")));
	group = &groups->groups[groups->n];
	memset(group, 0, sizeof(*group));
	group->hash = hash;
	group->key = copy;
	group->key_length = length;
	for (at = (uint32) hash & (groups->nslots - 1); groups->slots[at].group >= 0;)
		at = (at + 1) & (groups->nslots - 1);
	groups->slots[at].tag = (uint32) (hash >> 32);
	groups->slots[at].group = groups->n;
	return groups->n++;
}

static int
group_of(DmpGroups *groups, const char *key, uint32 length, uint64 hash)
{
	uint32 at = (uint32) hash & (groups->nslots - 1);

	for (; groups->slots[at].group >= 0; at = (at + 1) & (groups->nslots - 1))
	{
		const DmpGroup *group;

		if (groups->slots[at].tag != (uint32) (hash >> 32))
			continue;
		group = &groups->groups[groups->slots[at].group];
		if (group->hash == hash && group->key_length == length &&
			memcmp(group->key, key, length) == 0)
			return groups->slots[at].group;
	}
	return add_group(groups, key, length, hash);
}

/* ------------------------------------------------------ rows to records */

/*
 * Hashes the keys of the rows of a stage, and has what they will ask for on its
 * way to the cache: the places of ten thousand groups do not stay there.
 */
static void
prepare(Receiver *receiver, int which, const DmpStage *stage)
{
	DmpGroups *groups = receiver->groups;
	uint32 mask = groups->nslots - 1;
	int i, k;

	for (i = 0; i < stage->n; i++)
	{
		const char *key = receiver->keys[which].data + stage->tag[i];
		uint32 length = 0, n;

		for (k = 0; k < groups->nby; k++)
		{
			memcpy(&n, key + length, sizeof(n));
			length += sizeof(n) + (n == DMP_SEGMENT_NULL ? 0 : n);
		}
		receiver->key[i] = key;
		receiver->length[i] = length;
		receiver->hash[i] = dmp_hash_bytes(key, length, 0);
		PREFETCH(&groups->slots[(uint32) receiver->hash[i] & mask]);
	}
	for (i = 0; i < stage->n; i++)
	{
		int32 group = groups->slots[(uint32) receiver->hash[i] & mask].group;

		if (group >= 0)
			PREFETCH(&groups->groups[group]);
	}
	for (i = 0; i < stage->n; i++)
	{
		int32 group = groups->slots[(uint32) receiver->hash[i] & mask].group;

		if (group >= 0)
			PREFETCH(groups->groups[group].key);
	}
}

/* the rows of a stage become records too */
static void
record_rows(DmpScan *scan, int which, void *arg)
{
	Receiver *receiver = arg;
	DmpGroups *groups = receiver->groups;
	const DmpScanPlan *plan = groups->plan;
	DmpStage *stage = &scan->stage[which];
	int nd = plan->ndense, nt = plan->ntexts, i, j;
	int shift = dmp_group_store_shift(&groups->store);

	prepare(receiver, which, stage);
	for (i = 0; i < stage->n; i++)
	{
		uint64 hash = receiver->hash[i];
		int id = group_of(groups, receiver->key[i], receiver->length[i], hash);
		DmpGroup *group = &groups->groups[id];
		DmpGroupRecord *record = dmp_group_store_add(&groups->store, (int) (hash >> shift));
		const double *from = stage->dense + i;
		double *to = record->values;

		record->group = id;
		record->test = which;
		record->label = stage->label[i];
		record->unused = 0;
		for (j = 0; j < nd; j++)
			*to++ = from[j * DMP_STAGE_STRIDE];
		if (plan->has_weight)
			*to++ = stage->weight[i];
		if (plan->family != DMP_BINOMIAL)
			*to++ = stage->target[i];
		if (plan->has_offset)
			*to++ = stage->offset[i];
		for (j = 0; j < nt; j++)
			((int32 *) to)[j] = stage->codes[j * DMP_TILE + i];
		if (which == 0)
			group->rows++;
		else
			group->rows_test++;
	}
	resetStringInfo(&receiver->keys[which]);
}

static bool
receive(TupleTableSlot *slot, DestReceiver *self)
{
	Receiver *receiver = (Receiver *) self;
	DmpGroups *groups = receiver->groups;
	NullableDatum *arg = receiver->call->args;
	int nfeatures = groups->plan->nfeatures, i;
	MemoryContext old = MemoryContextSwitchTo(receiver->scratch);
	const Datum *values;
	const bool *nulls;
	DmpStage *stage;
	StringInfo keys;
	int which;

	slot_getallattrs(slot);
	values = slot->tts_values;
	nulls = slot->tts_isnull;
	for (i = 0; i < FIXED_COLUMNS + nfeatures; i++)
	{
		arg[2 + i].value = values[i];
		arg[2 + i].isnull = nulls[i];
	}
	/* the stage the row will go to, unless it is skipped */
	which = groups->plan->test_fraction > 0 && !nulls[2] &&
			DatumGetFloat8(values[2]) < groups->plan->test_fraction;
	stage = &receiver->scan->stage[which];
	keys = &receiver->keys[which];
	stage->tag[stage->n] = keys->len;
	for (i = 0; i < groups->nby; i++)
		dmp_segment_key(keys, values[FIXED_COLUMNS + nfeatures + i],
						nulls[FIXED_COLUMNS + nfeatures + i], receiver->by_types[i]);
	dmp_scan_row_any(receiver->scan, receiver->call, FIRST_FEATURE);
	MemoryContextSwitchTo(old);
	if (++receiver->rows % SCRATCH_ROWS == 0)
		MemoryContextReset(receiver->scratch);
	return true;
}

static void
start_up(DestReceiver *self, int operation, TupleDesc desc)
{
	Receiver *receiver = (Receiver *) self;
	DmpGroups *groups = receiver->groups;
	int nfeatures = groups->plan->nfeatures, i;
	Oid *types = palloc(sizeof(Oid) * (nfeatures + 1));

	if (desc->natts != FIXED_COLUMNS + nfeatures + groups->nby)
		elog(ERROR, "the rows of a fit have %d columns", desc->natts);
	for (i = 0; i < nfeatures; i++)
		types[i] = TupleDescAttr(desc, FIXED_COLUMNS + i)->atttypid;
	dmp_scan_set_types(receiver->scan, types);
	for (i = 0; i < groups->nby; i++)
		receiver->by_types[i] =
			getBaseType(TupleDescAttr(desc, FIXED_COLUMNS + nfeatures + i)->atttypid);
}

static void
shut_down(DestReceiver *self)
{
}

/* --------------------------------------------------------------- the scan */

static char *
make_sql(const DmpGroups *groups)
{
	const DmpFitSpec *spec = groups->spec;
	StringInfoData sql;
	int i;

	initStringInfo(&sql);
	appendStringInfo(&sql, "SELECT q.target, %s, %s, %s",
					 spec->has_weight ? "q.weight" : "NULL::pg_catalog.float8",
					 spec->test_fraction > 0 ? "q.split" : "NULL::pg_catalog.float8",
					 spec->base_margin ? "q.base_margin" : "NULL::pg_catalog.float8");
	for (i = 0; i < spec->nfeatures; i++)
		appendStringInfo(&sql, ", q.f%d", i + 1);
	for (i = 0; i < groups->nby; i++)
		appendStringInfo(&sql, ", q.g%d", i + 1);
	appendStringInfo(&sql, " FROM (%s) AS q", spec->select_sql);
	return sql.data;
}

static void
run(DmpGroups *groups, Receiver *receiver)
{
	const DmpFitSpec *spec = groups->spec;
	SPIExecuteOptions options;
	ParamListInfo parameters = NULL;
	SPIPlanPtr prepared;
	int rc;

	if (spec->nargs > 0)
		elog(ERROR, "rows by group take no parameters");
	/* not by a plan of workers: rows would come through a queue one by one */
	prepared = SPI_prepare(make_sql(groups), 0, NULL);
	if (prepared == NULL)
		elog(ERROR, "SPI_prepare failed: %s", SPI_result_code_string(SPI_result));
	memset(&options, 0, sizeof(options));
	options.params = parameters;
	options.read_only = true;
	options.dest = &receiver->pub;
	rc = SPI_execute_plan_extended(prepared, &options);
	/* what a SELECT into a receiver that is not SPI's own gives */
	if (rc != SPI_OK_UTILITY)
		elog(ERROR, "training scan failed: %s", SPI_result_code_string(rc));
	SPI_freeplan(prepared);
}

/* the one scan of the data: the first pass of the pooled fit, and the records */
static void
read_rows(DmpScan *scan, void *arg)
{
	DmpGroups *groups = arg;
	MemoryContext old = MemoryContextSwitchTo(groups->context);
	const DmpScanPlan *plan = groups->plan;
	Receiver *receiver = palloc0(sizeof(Receiver));
	Size record = offsetof(DmpGroupRecord, values) +
				  sizeof(double) * (plan->ndense + dmp_group_extras(plan)) +
				  sizeof(int32) * plan->ntexts;

	dmp_group_store_init(&groups->store, groups->context, MAXALIGN(record),
						 (Size) groups->spec->memory);
	groups->room = 64;
	groups->groups = palloc(sizeof(DmpGroup) * groups->room);
	groups->nslots = 4 * groups->room;
	groups->slots = palloc(sizeof(DmpGroupSlot) * groups->nslots);
	memset(groups->slots, -1, sizeof(DmpGroupSlot) * groups->nslots);

	receiver->pub.receiveSlot = receive;
	receiver->pub.rStartup = start_up;
	receiver->pub.rShutdown = shut_down;
	receiver->pub.rDestroy = shut_down;
	receiver->pub.mydest = DestNone;
	receiver->groups = groups;
	receiver->scan = scan;
	receiver->call = palloc0(SizeForFunctionCallInfo(FIRST_FEATURE + plan->nfeatures));
	receiver->by_types = palloc(sizeof(Oid) * groups->nby);
	receiver->scratch =
		AllocSetContextCreate(groups->context, "dmp groups row", ALLOCSET_SMALL_SIZES);
	initStringInfo(&receiver->keys[0]);
	initStringInfo(&receiver->keys[1]);
	scan->tap = record_rows;
	scan->tap_arg = receiver;
	run(groups, receiver);
	MemoryContextSwitchTo(groups->context);
	dmp_scan_flush(scan, 0, true);
	dmp_scan_flush(scan, 1, true);
	scan->tap = NULL;
	dmp_group_store_settle(&groups->store);
	MemoryContextDelete(receiver->scratch);
	MemoryContextSwitchTo(old);
}

/* --------------------------------------------- records to the pooled fit */

static void
feed(DmpScan *scan, void *arg)
{
	DmpGroups *groups = arg;
	int nd = groups->plan->ndense, nt = groups->plan->ntexts, c, j;
	bool has_weight = groups->plan->has_weight, has_offset = groups->plan->has_offset;
	bool numbers = groups->plan->family != DMP_BINOMIAL;
	uint32 i;

	for (c = 0; c < groups->store.nchunks; c++)
	{
		const char *data = dmp_group_store_load(&groups->store, c);

		for (i = 0; i < groups->store.chunks[c].rows; i++, data += groups->store.record)
		{
			const DmpGroupRecord *record = (const DmpGroupRecord *) data;
			DmpStage *stage = &scan->stage[record->test];
			const double *from = record->values;
			double *to = stage->dense + stage->n;

			for (j = 0; j < nd; j++)
				to[j * DMP_STAGE_STRIDE] = *from++;
			stage->weight[stage->n] = has_weight ? *from++ : 1;
			if (numbers)
				stage->target[stage->n] = *from++;
			if (has_offset)
				stage->offset[stage->n] = *from++;
			for (j = 0; j < nt; j++)
				stage->codes[j * DMP_TILE + stage->n] = ((const int32 *) from)[j];
			stage->label[stage->n] = record->label;
			if (++stage->n == DMP_TILE)
				dmp_scan_flush(scan, record->test, false);
		}
	}
}

static DmpScanPlan *
read_plan(const bytea *bytes, MemoryContext context)
{
	MemoryContext old = MemoryContextSwitchTo(context);
	DmpScanPlan *plan = dmp_scan_plan_read(bytes);

	MemoryContextSwitchTo(old);
	return plan;
}

/* a pass over the rows by a plan; the first one reads the data */
static DmpScanResult *
pass(DmpFitSource *source, const bytea *plan_bytes)
{
	DmpGroups *groups = (DmpGroups *) source;

	DmpScanResult *r;

	if (groups->plan != NULL)
		return dmp_scan_of_rows(plan_bytes, feed, groups);
	groups->plan = read_plan(plan_bytes, groups->context);
	r = dmp_scan_of_rows(plan_bytes, read_rows, groups);
	source->scans++;
	return r;
}

static void
finish(DmpFitSource *source, const DmpScanPlan *plan, const int *column, DmpFit *fit,
	   const DmpScanSolution *solution)
{
	DmpGroups *groups = (DmpGroups *) source;

	dmp_groups_solve(groups, plan, column, fit, solution);
	fit->memory_used += groups->store.peak + groups->bytes;
}

DmpGroups *
dmp_groups_make(DmpFitSpec *spec, int nby)
{
	MemoryContext context =
		AllocSetContextCreate(CurrentMemoryContext, "dmp groups", ALLOCSET_DEFAULT_SIZES);
	DmpGroups *groups = MemoryContextAllocZero(context, sizeof(DmpGroups));

	groups->source.scan = pass;
	groups->source.finish = finish;
	groups->spec = spec;
	groups->nby = nby;
	groups->context = context;
	groups->result = CurrentMemoryContext;
	groups->store.file = -1;
	/* one half for the records, one for the passes of the pooled fit */
	spec->memory /= 2;
	spec->source = &groups->source;
	return groups;
}

void
dmp_groups_end(DmpGroups *groups)
{
	dmp_group_store_end(&groups->store);
	MemoryContextDelete(groups->context);
}
