/*-------------------------------------------------------------------------
 * groups_solve.c
 *		From records by partition to a fit for each group.
 *
 * A partition is read once for each share of the memory its groups take: the
 * records of as many groups as fit are put side by side, group after group,
 * and each group is solved where it lies. A group that does not fit by itself
 * is solved from the chunks, a pass over its partition for each step.
 *
 * The metrics of all rows are those of the model as it will predict: a row of
 * a group whose fit failed counts with its pooled margin.
 */
#include "learn/groups.h"

#include <math.h>

#include "math/metrics.h"
#include "utils/memutils.h"

/* so many that the counts stay in the second cache */
#define RANK_BINS 32768
#define RANK_BYTES 25 /* a row of exact ranks: margin, label, and what sorting takes */

/* --------------------------------------------------------------- metrics */

void
dmp_group_ranks_init(DmpGroupRanks *ranks, Size limit, bool weighted)
{
	memset(ranks, 0, sizeof(*ranks));
	ranks->limit = Max(limit, 1024);
	ranks->room = 256;
	ranks->margin = palloc(sizeof(double) * ranks->room);
	ranks->label = palloc(ranks->room);
	if (weighted)
		ranks->weight = palloc(sizeof(double) * ranks->room);
}

void
dmp_group_ranks_clear(DmpGroupRanks *ranks)
{
	ranks->n = 0;
	ranks->loss = ranks->total = 0;
	ranks->binned = false;
}

/* bins of m / (1 + |m|), which knows no range: 6e-5 wide at 0, 2e-3 at 5 */
static void
into_bin(DmpGroupRanks *ranks, double margin, int label, double weight)
{
	double at = (1 + margin / (1 + fabs(margin))) / 2 * RANK_BINS;
	int bin = !(at > 0) ? 0 : at >= RANK_BINS ? RANK_BINS - 1 : (int) at;

	bin += label ? RANK_BINS : 0;
	if (ranks->counts)
		ranks->counts[bin]++;
	else
		ranks->histogram[bin] += weight;
}

/* counts would overflow: from here on a double each */
static void
count_in_doubles(DmpGroupRanks *ranks)
{
	int i;

	ranks->histogram = MemoryContextAllocZero(GetMemoryChunkContext(ranks->margin),
											  sizeof(double) * 2 * RANK_BINS);
	for (i = 0; ranks->counts && i < 2 * RANK_BINS; i++)
		ranks->histogram[i] = ranks->counts[i];
	if (ranks->counts)
		pfree(ranks->counts);
	ranks->counts = NULL;
}

/* full: what is there goes into bins, or gets more room */
static void
make_room(DmpGroupRanks *ranks)
{
	Size i;

	if (ranks->n < ranks->limit)
	{
		ranks->room *= 2;
		ranks->margin = repalloc_huge(ranks->margin, sizeof(double) * ranks->room);
		ranks->label = repalloc_huge(ranks->label, ranks->room);
		if (ranks->weight)
			ranks->weight = repalloc_huge(ranks->weight, sizeof(double) * ranks->room);
		return;
	}
	if (ranks->histogram)
		pfree(ranks->histogram);
	if (ranks->counts)
		pfree(ranks->counts);
	ranks->histogram = NULL;
	ranks->counts = NULL;
	if (ranks->weight)
		count_in_doubles(ranks);
	else
		ranks->counts = MemoryContextAllocZero(GetMemoryChunkContext(ranks->margin),
											   sizeof(uint32) * 2 * RANK_BINS);
	ranks->binned = true;
	for (i = 0; i < ranks->n; i++)
		into_bin(ranks, ranks->margin[i], ranks->label[i], ranks->weight ? ranks->weight[i] : 1);
}

void
dmp_group_ranks_add(DmpGroupRanks *ranks, double margin, int label, double weight)
{
	if (!ranks->binned && ranks->n == ranks->room)
		make_room(ranks);
	if (ranks->binned)
	{
		if (unlikely(++ranks->n == PG_UINT32_MAX && ranks->counts))
			count_in_doubles(ranks);
		into_bin(ranks, margin, label, weight);
		return;
	}
	ranks->margin[ranks->n] = margin;
	ranks->label[ranks->n] = label;
	if (ranks->weight)
		ranks->weight[ranks->n] = weight;
	ranks->n++;
}

double
dmp_group_ranks_auc(DmpGroupRanks *ranks, double *error)
{
	DmpRankMetrics m;

	if (ranks->binned)
	{
		double bound;
		double auc;

		if (ranks->counts)
			count_in_doubles(ranks);
		auc = dmp_histogram_auc(RANK_BINS, ranks->histogram + RANK_BINS, ranks->histogram, &bound);
		if (bound > *error)
			*error = bound;
		return auc;
	}
	if (ranks->n == 0)
		return NAN;
	dmp_rank_metrics(ranks->n, ranks->margin, ranks->label, ranks->weight, &dmp_server_env, &m);
	return m.roc_auc;
}

/* ------------------------------------------------------------------ rows */

void
dmp_group_rows_begin(DmpGroupRows *rows, bool test)
{
	const DmpGroups *groups = rows->solver->groups;

	rows->test = test;
	rows->at = 0;
	rows->n = test ? groups->groups[rows->group].rows_test : groups->groups[rows->group].rows;
	rows->chunk = groups->store.first[rows->partition];
	rows->row = 0;
}

/* the next rows of a group that is not in one piece, copied: a chunk does not stay */
static int
pick(DmpGroupRows *rows, int want)
{
	DmpGroupSolver *solver = rows->solver;
	DmpGroupStore *store = &solver->groups->store;
	int n = 0;

	while (n < want && rows->chunk >= 0)
	{
		const DmpGroupChunk *chunk = &store->chunks[rows->chunk];
		const char *data = dmp_group_store_load(store, rows->chunk);

		for (; rows->row < chunk->rows && n < want; rows->row++)
		{
			const DmpGroupRecord *record =
				(const DmpGroupRecord *) (data + store->record * rows->row);

			if (record->group != (uint32) rows->group || record->test != rows->test)
				continue;
			memcpy(solver->copies + store->record * n, record, store->record);
			solver->records[n] = (DmpGroupRecord *) (solver->copies + store->record * n);
			n++;
		}
		if (rows->row == chunk->rows)
		{
			rows->chunk = chunk->next;
			rows->row = 0;
		}
	}
	return n;
}

int
dmp_group_rows_next(DmpGroupRows *rows)
{
	DmpGroupSolver *solver = rows->solver;
	const DmpGroup *group = &solver->groups->groups[rows->group];
	Size record = solver->groups->store.record;
	int n = (int) Min(rows->n - rows->at, DMP_TILE);
	const char *from;
	int i;

	if (n <= 0)
		return 0;
	if (!rows->here)
		n = pick(rows, n);
	else
	{
		from = group->base + record * (rows->at + (rows->test ? group->rows : 0));
		for (i = 0; i < n; i++)
			solver->records[i] = (const DmpGroupRecord *) (from + record * i);
	}
	rows->at += n;
	return n;
}

/* ------------------------------------------------------------ partitions */

/* the records of groups first .. last - 1 of order side by side; false: none of them has any */
static void
lay_out(DmpGroups *groups, int partition, const int32 *order, int first, int last, char *room)
{
	DmpGroupStore *store = &groups->store;
	Size record = store->record;
	char *at = room;
	int32 c;
	uint32 i;
	int k;

	for (k = first; k < last; k++)
	{
		DmpGroup *group = &groups->groups[order[k]];

		group->base = at;
		group->filled = group->filled_test = 0;
		at += record * (group->rows + group->rows_test);
	}
	for (c = store->first[partition]; c >= 0; c = store->chunks[c].next)
	{
		const char *data = dmp_group_store_load(store, c);

		for (i = 0; i < store->chunks[c].rows; i++, data += record)
		{
			const DmpGroupRecord *from = (const DmpGroupRecord *) data;
			DmpGroup *group = &groups->groups[from->group];
			int64 place;

			if (group->base == NULL)
				continue;
			place = from->test ? group->rows + group->filled_test++ : group->filled++;
			memcpy(group->base + record * place, data, record);
		}
	}
}

static void
fit_one(DmpGroupSolver *solver, int partition, int group, bool here)
{
	DmpGroups *groups = solver->groups;
	DmpGroupRows rows;

	memset(&rows, 0, sizeof(rows));
	rows.solver = solver;
	rows.group = group;
	rows.partition = partition;
	rows.here = here;
	dmp_group_fit(solver, &rows, &groups->fits[group]);
}

static void
solve_partition(DmpGroupSolver *solver, int partition, const int32 *order, int first, int last,
				char *room, Size size)
{
	DmpGroups *groups = solver->groups;
	int k;

	while (first < last)
	{
		Size bytes = 0;
		int end = first;

		while (end < last)
		{
			const DmpGroup *group = &groups->groups[order[end]];
			Size more = groups->store.record * (group->rows + group->rows_test);

			if (bytes + more > size)
				break;
			bytes += more;
			end++;
		}
		if (end == first)
		{
			/* too many rows to have them here */
			fit_one(solver, partition, order[first], false);
			first++;
			continue;
		}
		lay_out(groups, partition, order, first, end, room);
		for (k = first; k < end; k++)
			fit_one(solver, partition, order[k], true);
		for (k = first; k < end; k++)
			groups->groups[order[k]].base = NULL;
		first = end;
	}
}

/* groups by partition: a counting sort; start has npartitions + 1 places */
static int32 *
by_partition(const DmpGroups *groups, int *start)
{
	int32 *order = MemoryContextAllocHuge(CurrentMemoryContext, sizeof(int32) * groups->n);
	int shift = dmp_group_store_shift(&groups->store), i;

	memset(start, 0, sizeof(int) * (groups->store.npartitions + 2));
	for (i = 0; i < groups->n; i++)
		start[(groups->groups[i].hash >> shift) + 2]++;
	for (i = 2; i <= groups->store.npartitions; i++)
		start[i] += start[i - 1];
	for (i = 0; i < groups->n; i++)
		order[start[(groups->groups[i].hash >> shift) + 1]++] = i;
	return order;
}

void
dmp_group_errors(const DmpErrorSums *sums, double *metrics)
{
	metrics[0] = metrics[1] = metrics[2] = metrics[3] = NAN;
	if (!(sums->weight > 0))
		return;
	metrics[0] = sqrt(sums->square / sums->weight);
	metrics[1] = sums->absolute / sums->weight;
	metrics[2] = sums->target_m2 > 0 ? 1 - sums->square / sums->target_m2 : NAN;
	metrics[3] = sums->deviance / sums->weight;
}

/* the metrics of the version: of the rows as they will be scored; the pooled ones are kept */
static void
take_metrics(DmpGroups *groups, DmpFit *fit)
{
	double error = 0;
	int i;

	groups->pooled_roc_auc = fit->roc_auc;
	groups->pooled_log_loss = fit->log_loss;
	groups->pooled_test_roc_auc = fit->test_roc_auc;
	groups->pooled_test_log_loss = fit->test_log_loss;
	for (i = 0; i < 2; i++)
	{
		double *pooled = groups->pooled_errors + i * DMP_GROUP_ERRORS;

		pooled[0] = fit->rmse[i];
		pooled[1] = fit->mae[i];
		pooled[2] = fit->r_squared[i];
		pooled[3] = fit->mean_deviance[i];
		dmp_fit_take_errors(fit, i, &groups->errors[i]);
	}
	if (fit->family != DMP_BINOMIAL)
		return;
	fit->roc_auc = dmp_group_ranks_auc(&groups->train, &error);
	fit->log_loss = groups->train.loss / groups->train.total;
	if (fit->rows_test > 0 && groups->test.total > 0)
	{
		fit->test_roc_auc = dmp_group_ranks_auc(&groups->test, &error);
		fit->test_log_loss = groups->test.loss / groups->test.total;
	}
}

void
dmp_groups_solve(DmpGroups *groups, const DmpScanPlan *plan, const int *column, DmpFit *fit,
				 const DmpScanSolution *pooled)
{
	MemoryContext old = MemoryContextSwitchTo(groups->context);
	DmpGroupStore *store = &groups->store;
	Size memory = (Size) groups->spec->memory;
	Size size = Max(memory / 2, store->record), most = 0;
	int *start = palloc(sizeof(int) * (store->npartitions + 2));
	DmpGroupSolver solver;
	int32 *order;
	char *room;
	int p, k;

	dmp_progress("train: fitting %d groups", groups->n);
	memset(&solver, 0, sizeof(solver));
	solver.groups = groups;
	solver.plan = plan;
	solver.column = column;
	solver.design = &fit->design;
	solver.theta = pooled->theta;
	for (k = 0; k < plan->ndense; k++)
		solver.nfills += plan->layout.flag_param[k] >= 0 && column[plan->layout.flag_param[k]] >= 0;
	solver.records = palloc(sizeof(void *) * DMP_TILE);
	solver.copies = palloc(store->record * DMP_TILE);
	solver.memory = memory / 4;
	dmp_group_ranks_init(&solver.ranks, memory / 8 / RANK_BYTES, plan->has_weight);
	dmp_group_ranks_init(&groups->train, memory / 8 / RANK_BYTES, plan->has_weight);
	dmp_group_ranks_init(&groups->test, memory / 8 / RANK_BYTES, plan->has_weight);
	groups->width = fit->design.width;
	groups->fits = MemoryContextAllocHuge(groups->result, sizeof(DmpGroupFit) * (Size) groups->n);
	order = by_partition(groups, start);
	/* room for the largest partition, or for what there is memory for */
	for (p = 0; p < store->npartitions; p++)
	{
		Size bytes = 0;

		for (k = start[p]; k < start[p + 1]; k++)
			bytes += store->record *
					 (groups->groups[order[k]].rows + groups->groups[order[k]].rows_test);
		most = Max(most, bytes);
	}
	room = MemoryContextAllocHuge(groups->context, Max(Min(most, size), 1));
	solver.work = AllocSetContextCreate(groups->context, "dmp group", ALLOCSET_DEFAULT_SIZES);
	for (p = 0; p < store->npartitions; p++)
		solve_partition(&solver, p, order, start[p], start[p + 1], room, Min(most, size));
	MemoryContextDelete(solver.work);
	pfree(room);
	take_metrics(groups, fit);
	MemoryContextSwitchTo(old);
}
