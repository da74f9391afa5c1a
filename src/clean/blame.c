/*-------------------------------------------------------------------------
 * blame.c
 *		Which step of a recipe an error came from.
 *
 * The steps run as one statement, so an error of an expression, 1 / 0 for one
 * row, does not say where it stands. When a run has failed, and only then, the
 * recipe's beginnings are run again: a beginning that fails stays one that fails
 * when it is made longer, so a search by halves finds the step, and its columns
 * one by one the column.
 *-------------------------------------------------------------------------
 */
#include "dmp.h"

#include "access/xact.h"
#include "utils/memutils.h"
#include "utils/resowner.h"

#include "clean/run.h"

/*
 * Whether the recipe fails with that SQLSTATE when its rows are computed. Any
 * other error is thrown (somebody cancels, memory runs out).
 */
static bool
fails(CleanSource *source, const DmpDoc *recipe, int sqlstate)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	volatile bool failed = false;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		CleanPlan *plan = dmp_clean_source_plan(source, CLEAN_PLAIN);

		dmp_clean_compile(plan, recipe);
		/* the text of a row takes all of its columns */
		dmp_spi(psprintf("SELECT count(ROW(q.*)::text) FROM (%s) AS q", dmp_clean_finish(plan)),
				NULL, true);
	}
	PG_CATCH();
	{
		ErrorData *error;

		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
		if (error->sqlerrcode != sqlstate)
		{
			RollbackAndReleaseCurrentSubTransaction();
			CurrentResourceOwner = owner;
			ReThrowError(error);
		}
		FreeErrorData(error);
		failed = true;
	}
	PG_END_TRY();
	RollbackAndReleaseCurrentSubTransaction();
	MemoryContextSwitchTo(context);
	CurrentResourceOwner = owner;
	return failed;
}

/*
 * The column of the last step of the recipe that fails: that of the first
 * member of its argument that fails alone. NULL when none does.
 */
static const char *
failing_column(CleanSource *source, const DmpDoc *recipe, int sqlstate)
{
	const DmpDoc *step = recipe->items[recipe->n - 1];
	int i;

	for (i = 0; i < step->n; i++)
	{
		DmpDoc *argument = step->items[i];
		int j;

		if (argument->kind != DMP_DOC_OBJECT && argument->kind != DMP_DOC_ARRAY)
			continue;
		for (j = 0; j < argument->n; j++)
		{
			DmpDoc one_argument = *argument;
			DmpDoc one_step = *step;
			DmpDoc one_recipe = *recipe;

			one_argument.n = 1;
			one_argument.items = &argument->items[j];
			if (argument->kind == DMP_DOC_OBJECT)
				one_argument.keys = &argument->keys[j];
			one_step.items = palloc(sizeof(DmpDoc *) * step->n);
			memcpy(one_step.items, step->items, sizeof(DmpDoc *) * step->n);
			one_step.items[i] = &one_argument;
			one_recipe.items = palloc(sizeof(DmpDoc *) * recipe->n);
			memcpy(one_recipe.items, recipe->items, sizeof(DmpDoc *) * recipe->n);
			one_recipe.items[recipe->n - 1] = &one_step;
			if (fails(source, &one_recipe, sqlstate))
				return argument->kind == DMP_DOC_OBJECT             ? argument->keys[j]
					   : argument->items[j]->kind == DMP_DOC_STRING ? argument->items[j]->text
																	: NULL;
		}
	}
	return NULL;
}

/*
 * Name the step and the column in the message of the error, which the run of
 * the recipe on the source ended with, if it came from a step.
 */
void
dmp_clean_blame(CleanSource *source, const DmpDoc *recipe, ErrorData *error)
{
	DmpDoc beginning = *recipe;
	int good = 0; /* steps that do not fail */
	int bad = recipe->n;
	const char *column;

	switch (ERRCODE_TO_CATEGORY(error->sqlerrcode))
	{
		case ERRCODE_DATA_EXCEPTION:
		case ERRCODE_CARDINALITY_VIOLATION:
		case ERRCODE_INTEGRITY_CONSTRAINT_VIOLATION:
		case ERRCODE_PLPGSQL_ERROR:
			break;
		default:
			return;
	}
	if (recipe->n == 0 || strncmp(error->message, "recipe step", strlen("recipe step")) == 0 ||
		!fails(source, recipe, error->sqlerrcode))
		return;
	beginning.n = 0;
	if (fails(source, &beginning, error->sqlerrcode))
		return; /* the query itself */
	while (bad - good > 1)
	{
		int middle = good + (bad - good) / 2;

		beginning.n = middle;
		if (fails(source, &beginning, error->sqlerrcode))
			bad = middle;
		else
			good = middle;
	}
	beginning.n = bad;
	column = failing_column(source, &beginning, error->sqlerrcode);
	error->message =
		column ? psprintf("recipe step %d: column \"%s\": %s", bad, column, error->message)
			   : psprintf("recipe step %d: %s", bad, error->message);
}
