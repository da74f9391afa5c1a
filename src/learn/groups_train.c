/*-------------------------------------------------------------------------
 * groups_train.c
 *		`by` of dmp.train: which columns make groups, and what of a fit by group
 *		goes into the model and the registry.
 */
#include "learn/groups.h"

#include <math.h>

#include "learn/train.h"
#include "lib/stringinfo.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

/* ----------------------------------------------------------- the columns */

void
dmp_train_by_sql(DmpTrainArgs *args, DmpTrainPlan *plan, StringInfo sql)
{
	TupleDesc desc = plan->query->desc;
	ListCell *lc;
	int i;

	foreach (lc, args->by)
	{
		const char *name = lfirst(lc);
		int found = dmp_column_number(desc, name, "by: ") - 1;
		Oid type = TupleDescAttr(desc, found)->atttypid;

		for (i = 0; i < desc->natts; i++)
			if (i != found && !TupleDescAttr(desc, i)->attisdropped &&
				strcmp(NameStr(TupleDescAttr(desc, i)->attname), name) == 0)
				ereport(ERROR, (errcode(ERRCODE_AMBIGUOUS_COLUMN),
								errmsg("by: column \"%s\" is in the query twice", name)));
		for (i = 0; i < foreach_current_index(lc); i++)
			if (strcmp(list_nth(args->by, i), name) == 0)
				ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
								errmsg("by: column \"%s\" is named twice", name)));
		if (strcmp(name, args->target) == 0)
			ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
							errmsg("by: target \"%s\" cannot make groups", name)));
		if (!dmp_segment_type(type))
			ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
							errmsg("by: column \"%s\" of type %s cannot make groups", name,
								   format_type_be(type)),
							errhint("Cast it to text in the query.")));
		appendStringInfo(sql, ", q.%s AS g%d", quote_identifier(name),
						 foreach_current_index(lc) + 1);
	}
	if (list_length(args->by) > 100)
		ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
						errmsg("%d columns to group by are too many", list_length(args->by))));
}

static void
pg_attribute_noreturn() refuse(const char *what, const char *hint)
{
	ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					errmsg("argument \"by\" with %s is not built yet", what), errhint("%s", hint)));
}

void
dmp_train_by_refuse(DmpTrainArgs *args, DmpTrainPlan *plan)
{
	int i;

	if (args->by == NIL)
		return;
	if (plan->spec.nfolds > 0 || plan->spec.nlambdas > 0)
		refuse("cv or n_lambdas",
			   "Choose lambda on all rows first, without by, then give it here.");
	if (plan->spec.robust || plan->spec.has_cluster)
		refuse("robust or clustered errors",
			   "Leave the option out: each group has the errors of its own model.");
	if (plan->spec.nclasses > 0)
		refuse("more than two classes",
			   "Make the target a boolean in the query, or train a model for each group.");
	if (args->compat != NULL && strcmp(args->compat, "spark") == 0 && args->lambda > 0)
		refuse("compat \"spark\"", "Its lambda depends on the rows of a group: leave compat out.");
	for (i = 0; i < plan->spec.nfeatures; i++)
		if (DMP_ENCODE_IS_WIDE(plan->spec.features[i].encode))
			refuse(psprintf("hashed columns (\"%s\")", plan->spec.features[i].name),
				   "Leave the column out with exclude, or encode it as \"one_hot\" (option "
				   "encode).");
}

DmpFit *
dmp_train_fit_groups(DmpTrainArgs *args, DmpTrainPlan *plan)
{
	DmpFit *fit;
	int i;

	if (plan->groups != NULL)
		dmp_groups_end(plan->groups); /* a target of two classes it was not */
	plan->groups = dmp_groups_make(&plan->spec, list_length(args->by));
	fit = dmp_fit_binomial(&plan->spec);
	/* a base margin, which comes last, is none of the columns that were chosen */
	for (i = 0; i < Min(fit->design.nfeatures, plan->spec.nfeatures); i++)
	{
		const DmpFeature *feature = &fit->design.features[i];

		if (dmp_train_many_levels(args, &plan->spec.features[i], feature))
			refuse(psprintf("a text column of many values (\"%s\")", feature->name),
				   "Leave the column out with exclude, or encode it as \"one_hot\" (option "
				   "encode).");
	}
	return fit;
}

/* ------------------------------------------------------------- the model */

static int
compare_groups(const void *a, const void *b, void *arg)
{
	const DmpGroups *groups = arg;

	return dmp_segment_compare(groups->groups[*(const int *) a].key,
							   groups->groups[*(const int *) b].key, groups->nby);
}

/* groups in the order of their keys, which is that of the stored model */
static int *
sorted(const DmpGroups *groups)
{
	int *order = MemoryContextAllocHuge(CurrentMemoryContext, sizeof(int) * Max(groups->n, 1));
	int i;

	for (i = 0; i < groups->n; i++)
		order[i] = i;
	qsort_arg(order, groups->n, sizeof(int), compare_groups, (void *) groups);
	return order;
}

void
dmp_train_segments(DmpTrainArgs *args, DmpTrainPlan *plan, DmpModel *model, double shift,
				   List **warnings)
{
	DmpGroups *groups = plan->groups;
	DmpSegments *segments;
	int *order;
	int failed = 0;
	ListCell *lc;
	int i;

	if (groups == NULL || groups->fits == NULL)
		return;
	segments = model->segments = palloc0(sizeof(DmpSegments));
	order = sorted(groups);
	segments->nby = groups->nby;
	segments->names = palloc(sizeof(char *) * groups->nby);
	segments->types = palloc(sizeof(char *) * groups->nby);
	foreach (lc, args->by)
	{
		int column = dmp_column_number(plan->query->desc, lfirst(lc), "by: ") - 1;

		segments->names[foreach_current_index(lc)] = lfirst(lc);
		segments->types[foreach_current_index(lc)] =
			format_type_be(TupleDescAttr(plan->query->desc, column)->atttypid);
	}
	segments->n = groups->n;
	segments->width = groups->width;
	dmp_segments_fills(segments, &model->design);
	segments->keys =
		MemoryContextAllocHuge(CurrentMemoryContext, sizeof(char *) * (Size) groups->n);
	segments->key_lengths =
		MemoryContextAllocHuge(CurrentMemoryContext, sizeof(uint32) * (Size) groups->n);
	segments->status =
		MemoryContextAllocHuge(CurrentMemoryContext, sizeof(DmpFitStatus) * (Size) groups->n);
	segments->values =
		MemoryContextAllocHuge(CurrentMemoryContext, sizeof(double *) * (Size) groups->n);
	for (i = 0; i < groups->n; i++)
	{
		const DmpGroup *group = &groups->groups[order[i]];
		DmpGroupFit *fit = &groups->fits[order[i]];

		segments->keys[i] = (char *) group->key;
		segments->key_lengths[i] = group->key_length;
		segments->status[i] = fit->status;
		segments->values[i] = fit->values;
		if (fit->values)
			fit->values[0] += shift;
		failed += fit->values == NULL;
	}
	if (failed > 0)
		*warnings =
			lappend(*warnings, psprintf("%d of %d groups are predicted by the pooled model (%s)",
										failed, segments->n, dmp_segments_digest(segments)));
}

bytea *
dmp_train_group_bytes(DmpTrainPlan *plan)
{
	DmpGroups *groups = plan->groups;
	DmpGroupTable table;
	bytea *bytes;
	int *order;
	int i;

	if (groups == NULL || groups->fits == NULL)
		return NULL;
	order = sorted(groups);
	table.n = groups->n;
	table.width = groups->width;
	table.numbers = plan->spec.family != DMP_BINOMIAL;
	memcpy(table.pooled, groups->pooled_errors, sizeof(table.pooled));
	if (!table.numbers)
	{
		table.pooled[0] = groups->pooled_log_loss;
		table.pooled[1] = groups->pooled_roc_auc;
		table.pooled[2] = groups->pooled_test_log_loss;
		table.pooled[3] = groups->pooled_test_roc_auc;
	}
	table.fits = MemoryContextAllocHuge(CurrentMemoryContext, sizeof(DmpGroupFit) * table.n);
	for (i = 0; i < table.n; i++)
		table.fits[i] = groups->fits[order[i]];
	bytes = dmp_group_table_write(&table);
	dmp_groups_end(groups);
	return bytes;
}
