/*-------------------------------------------------------------------------
 * train_folds.c
 *		Which fold a row is in.
 *
 * A hash of the seed and of the row's key (or of all it is trained on) deals
 * rows to folds, never their position. With option fold_column it is the hash
 * of that column, so that what shares a value stays together; few different
 * values are dealt by their rows, the largest first, each to the fold with the
 * fewest: as many values as folds are one each.
 */
#include "dmp.h"

#include "learn/train.h"
#include "lib/stringinfo.h"

#define FEW_GROUPS 1000

/* another hash than that of the test rows */
#define FOLD_SEED UINT64CONST(0x666F6C6473)

char *
dmp_train_hash_sql(List *columns, int64 seed)
{
	StringInfoData sql;
	ListCell *lc;
	int open = 1;

	initStringInfo(&sql);
	appendStringInfo(&sql, "dmp_internal.split('" INT64_FORMAT "'", seed);
	foreach (lc, columns)
	{
		/* a call takes 100 arguments: the rest is hashed by a call of its own */
		if (foreach_current_index(lc) > 0 && foreach_current_index(lc) % 90 == 0)
		{
			appendStringInfo(&sql, ", dmp_internal.split('" INT64_FORMAT "'", seed);
			open++;
		}
		appendStringInfo(&sql, ", q.%s", quote_identifier(lfirst(lc)));
	}
	while (open-- > 0)
		appendStringInfoChar(&sql, ')');
	return sql.data;
}

typedef struct FoldGroup
{
	int place; /* in the order of the hash */
	int64 rows;
	int fold;
} FoldGroup;

static int
by_rows(const void *a, const void *b)
{
	const FoldGroup *x = a, *y = b;

	if (x->rows != y->rows)
		return x->rows > y->rows ? -1 : 1;
	return x->place - y->place;
}

static int
by_place(const void *a, const void *b)
{
	return ((const FoldGroup *) a)->place - ((const FoldGroup *) b)->place;
}

static void
deal(FoldGroup *groups, int n, int folds)
{
	int64 *rows = palloc0(sizeof(int64) * folds);
	int i, f;

	qsort(groups, n, sizeof(FoldGroup), by_rows);
	for (i = 0; i < n; i++)
	{
		int least = 0;

		for (f = 1; f < folds; f++)
			if (rows[f] < rows[least])
				least = f;
		groups[i].fold = least;
		rows[least] += groups[i].rows;
	}
	qsort(groups, n, sizeof(FoldGroup), by_place);
}

/* fold of a row by the hash of the fold column; a scan counts its values */
static char *
fold_of_group(DmpTrainArgs *args, DmpTrainPlan *plan, const char *hash)
{
	StringInfoData places, folds;
	FoldGroup *groups;
	int n, i;

	dmp_progress("train: counting the values of column \"%s\"", args->fold_column);
	n = (int) dmp_spi(psprintf("SELECT %s AS h, count(*) FROM (%s) AS q GROUP BY 1 ORDER BY 1 "
							   "LIMIT %d",
							   hash, plan->query->select, FEW_GROUPS + 1),
					  NULL, true);
	plan->scans++;
	if (n > 0 && n < args->cv)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("option \"fold_column\": column \"%s\" has %d values, fewer than "
							   "cv => %d",
							   args->fold_column, n, args->cv),
						errhint("A fold is one or more of its values: cv => %d at most.", n)));
	if (n == 0 || n > FEW_GROUPS)
		return NULL;
	groups = palloc(sizeof(FoldGroup) * n);
	initStringInfo(&places);
	initStringInfo(&folds);
	for (i = 0; i < n; i++)
	{
		groups[i].place = i;
		groups[i].rows = dmp_spi_int8(i, 2, 0);
		appendStringInfo(&places, "%s%.17g", i > 0 ? "," : "", dmp_spi_float8(i, 1, 0));
	}
	deal(groups, n, args->cv);
	for (i = 0; i < n; i++)
		appendStringInfo(&folds, "%s%d", i > 0 ? "," : "", groups[i].fold);
	return psprintf("('{%s}'::float8[])[width_bucket(%s, '{%s}'::float8[])]", folds.data, hash,
					places.data);
}

/* SQL of a row's fold, a float8; test rows are the caller's */
char *
dmp_train_fold_sql(DmpTrainArgs *args, DmpTrainPlan *plan)
{
	List *columns = args->key;
	int64 seed = (int64) ((uint64) args->seed ^ FOLD_SEED);
	char *hash, *sql = NULL;

	if (args->fold_column != NULL)
	{
		(void) dmp_column_number(plan->query->desc, args->fold_column, "option \"fold_column\": ");
		columns = list_make1(args->fold_column);
	}
	else if (columns == NIL)
		columns = lappend(list_copy(plan->feature_names), args->target);
	hash = dmp_train_hash_sql(columns, seed);
	if (args->fold_column != NULL)
		sql = fold_of_group(args, plan, hash);
	return sql ? sql : psprintf("floor(%s * %d)", hash, args->cv);
}
