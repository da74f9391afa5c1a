/*-------------------------------------------------------------------------
 * run.h
 *		Stored recipes and runs of recipes.
 *-------------------------------------------------------------------------
 */
#ifndef DMP_CLEAN_RUN_H
#define DMP_CLEAN_RUN_H

#include "clean/clean.h"

#include "access/transam.h"
#include "utils/timestamp.h"

/* ---- recipe_store.c: recipes by name */

typedef struct DmpRecipe
{
	char *name; /* NULL: given as a document */
	int version;
	char *text;
	DmpDoc *doc;
} DmpRecipe;

/* by a reference: 'tidy', 'tidy@3', 'tidy@previous'; an error when there is none the caller may use
 */
extern DmpRecipe *dmp_recipe_find(const char *reference);
/* a document as it is, or a json string with a reference */
extern DmpRecipe *dmp_recipe_of(const char *json);

/* ---- clean.c: running it */

/* The source of a run */
typedef struct CleanSource
{
	char *select;
	TupleDesc desc;
	List *relations;
	char *temporary;           /* it was copied to this table */
	CleanIncrement *increment; /* it is what is new since earlier runs, or NULL */
} CleanSource;

extern void dmp_clean_open(CleanSource *source, const char *query);
/* makes the source a temporary table of its rows; the caller drops it */
extern void dmp_clean_copy(CleanSource *source);
/* a plan over the source */
extern CleanPlan *dmp_clean_source_plan(const CleanSource *source, CleanForm form);
/* text argument n of the current function, an error when NULL */
extern text *dmp_clean_argument(FunctionCallInfo fcinfo, int n, const char *name);

/* ---- runs.c: what runs did, and undoing them */

typedef struct CleanRun
{
	/* asked for */
	const DmpRecipe *recipe;
	char *query;
	char *into_name;
	char *if_exists;
	bool keep_replaced;
	List *new_rows; /* columns that tell which rows are new, or NIL: all are taken */
	/* done */
	int64 run; /* its number */
	Oid into;
	bool created;           /* into was made by it */
	Oid kept;               /* what it replaced */
	FullTransactionId xact; /* of the rows it wrote */
	int64 rows_written;
	int64 rows_in;
	int64 rows_out;
	int64 cells_changed;
	int64 rows_quarantined;
	char *steps; /* the answer as json */
	char *search_path;
	char *time_zone;
	char *date_style;
	TimestampTz started_at;
	/* of new rows, see new_rows.c */
	int64 lineage; /* 0: none */
	Oid lineage_owner;
	char *rows_select; /* the SELECT of its rows, for later */
	char *stats;       /* json */
	char *before;      /* json: the lineage's snapshots before the run */
	char *after;       /* json: and after */
} CleanRun;

/* ---- new_rows.c: rows that no earlier run took */

/* source becomes the rows that are new; needs the caller's SPI connection. Sets run->run. */
extern void dmp_new_rows_begin(CleanRun *run, CleanSource *source);
/* the statistics of the lineage, taken by this run when there are none */
extern void dmp_new_rows_stats(CleanRun *run, CleanSource *source);
/* remembers what was taken; plan: the plain form */
extern void dmp_new_rows_end(CleanRun *run, CleanSource *source, CleanPlan *plan);
/* the run replaced its table: lineages into it end */
extern void dmp_new_rows_close(const CleanRun *run);
/* the lineage as it was before the run */
extern void dmp_new_rows_undo(int64 run, int64 lineage, const char *before);

/* keeps the rows of the table that is about to be replaced */
extern void dmp_run_keep(CleanRun *run);
extern void dmp_run_record(const CleanRun *run);

/* the run of that number, for members of who did it; an error when there is none */
extern CleanRun *dmp_run_find(int64 run);

/* ---- blame.c */

extern void dmp_clean_blame(CleanSource *source, const DmpDoc *recipe, ErrorData *error);

/* ---- row_recipe.c: recipes of sources */

extern void dmp_row_recipe_init(void);

/* ---- rejects.c */

extern void dmp_clean_rejects(CleanSource *source, const CleanRun *run, CleanPlan *plan,
							  DmpCounters *counters, int64 *rejected);
extern void dmp_clean_report_failures(CleanPlan *plan, DmpCounters *counters);

#endif /* DMP_CLEAN_RUN_H */
