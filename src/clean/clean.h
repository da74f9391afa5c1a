/*-------------------------------------------------------------------------
 * clean.h
 *		Cleaning of values and of tables by recipe.
 *
 * A recipe is compiled to one SELECT. It has three forms of the same levels:
 *
 *	plain	what dmp.clean_sql shows: a WITH list, one entry a level
 *	counted	what dmp.clean runs: nested subqueries, where functions count
 *			what they change into shared memory (counter.c)
 *	traced	finds the rows again that the counts say were rejected: it returns
 *			them as they were in the source, with the reason
 *-------------------------------------------------------------------------
 */
#ifndef DMP_CLEAN_H
#define DMP_CLEAN_H

#include "dmp.h"

#include "base/base.h"
#include "lib/stringinfo.h"
#include "storage/itemptr.h"

/* ---- counter.c: counts from all processes of a parallel plan */

typedef struct DmpCounters DmpCounters;

extern DmpCounters *dmp_counters_create(int n);
extern int64 dmp_counters_id(DmpCounters *counters);
extern int64 dmp_counters_value(DmpCounters *counters, int slot);
extern void dmp_counters_reset(DmpCounters *counters);
extern void dmp_counters_release(DmpCounters *counters);

/* A row that was rejected */
typedef struct DmpNote
{
	int32 slot;
	ItemPointerData tid;
	uint16 length; /* of reason, which is not terminated */
	const char *reason;
} DmpNote;

extern DmpNote *dmp_counters_notes(DmpCounters *counters, int64 *n);
/* advance a slot by one, in any process of the plan */
extern void dmp_count(int64 run, int slot);
/* the same, and note the value while the process has noted few for that slot */
extern void dmp_count_sample(int64 run, int slot, const char *value, int length);

/* ---- compile.c: the levels of the SELECT */

typedef enum CleanForm
{
	CLEAN_PLAIN,
	CLEAN_COUNTED,
	CLEAN_TRACED
} CleanForm;

typedef struct CleanColumn
{
	char *name;
	Oid type;
	int32 typmod;
	Oid collation;
	char *base; /* the column at the current level, as SQL */
	char *expr; /* what it has become since; the same pointer as base when untouched */
	/* expr without counting is before + base + after; NULL when it is not of that shape */
	char *before;
	char *after;
} CleanColumn;

/* One line of the answer: what a step did, to a column when it is about one */
typedef struct CleanLine
{
	int index; /* from 0 */
	int step;  /* from 1 */
	const char *action;
	char *column;        /* or NULL */
	int changed;         /* slot of changed cells, or -1 */
	int rejected;        /* slot of rejected rows, or -1 */
	int failed;          /* slot of cells that are not what the step wants, or -1 */
	const char *failure; /* what these are, and what became of them */
	int arrived;         /* slot of the rows a deduplicate leaves, or -1 */
	bool quarantine;     /* rejected rows are kept */
} CleanLine;

/* A condition that rows must meet to pass on */
typedef struct CleanFilter
{
	CleanLine *line;
	char *keep;   /* SQL: not true rejects the row */
	char *reason; /* SQL of type text: SQLSTATE, a space, the reason */
} CleanFilter;

/* A cell's conversion that waits for its level: see convert.c */
typedef struct CleanConversion
{
	CleanColumn *column;
	CleanLine *line;
	char *before; /* of the text that was converted */
	char *after;
	char *hidden;             /* name of what that stands around, at the next level */
	const char *error_before; /* SQL around the text: why it does not convert */
	const char *error_after;
	Oid domain; /* the column becomes this in the end, or InvalidOid */
	int32 domain_typmod;
} CleanConversion;

/* An expression that goes with the row through all levels that follow */
typedef struct CleanKept
{
	char *stem; /* of its name there */
	char *expr; /* at the current level */
} CleanKept;

/*
 * A run over rows that are new since earlier runs of a lineage (new_rows.c):
 * statistics are those of its first run, and what its runs let through a
 * deduplicate counts as there.
 */
typedef struct CleanIncrement
{
	int64 lineage;
	int64 run;           /* runs before this one count */
	const DmpDoc *stats; /* array of [value, type], in the order they are asked for; or NULL */
	int n_stats;         /* of them asked for so far */
	List *stat_names;    /* asked for while stats is NULL: SQL */
	List *distinct;      /* of CleanDistinct: plain form */
} CleanIncrement;

/* The SELECT of the hashes of keys that a deduplicate lets through */
typedef struct CleanDistinct
{
	int step;
	char *select;
} CleanDistinct;

typedef struct CleanPlan CleanPlan;

/* Told of each step; see dmp_clean_compile */
typedef struct CleanWatch
{
	void (*before)(CleanPlan *plan, void *arg);
	void (*after)(CleanPlan *plan, void *arg);
	void *arg;
} CleanWatch;

struct CleanPlan
{
	CleanForm form;
	int64 run;     /* counted: number of the run, see counter.c */
	int n_slots;   /* slots in use; slot 0 is the source's rows */
	List *lines;   /* of CleanLine */
	List *columns; /* of CleanColumn */

	/* the current level */
	char *from;        /* what it reads */
	char *alias;       /* the name of that */
	List *filters;     /* of CleanFilter, pending */
	List *hidden;      /* expressions the next level needs beside the columns */
	List *hidden_as;   /* and their names */
	List *kept;        /* of CleanKept */
	char *record;      /* the ctid or the whole of the source row, as SQL, when rejects are noted */
	char *reject;      /* traced: number of the line that rejected the row, as SQL, or NULL */
	char *reason;      /* and why */
	bool window;       /* an expression is a window function */
	bool renamed;      /* the level has other columns than those, or under other names */
	List *conversions; /* of the step being compiled, see dmp_clean_convert */
	bool joins;        /* a level joins entries, which nested loops would read once a row */
	bool serial;       /* a cast takes subtransactions, which a parallel plan forbids */
	List *ticks;       /* counted: slots that count the rows of this level */
	StringInfo stats;  /* aggregates over it, when it is a materialised entry */
	char *stats_alias;

	StringInfoData with; /* entries of the WITH list so far */
	int n_names;         /* for names of levels and statistics */

	int step;           /* the step being compiled, from 1 */
	const char *action; /* its name */
	const CleanWatch *watch;
	CleanIncrement *increment; /* or NULL */
	const char *about;         /* the column that errors are about, or NULL */
	int stop_step;             /* traced: the last step that rejects */
	bool is_volatile;          /* an expression of the caller is */
	int across;                /* the first step that looks at other rows, or 0 */
	Oid tid_table;             /* record is a ctid of this table; else InvalidOid */
};

extern CleanPlan *dmp_clean_plan(const char *select, List *relations, TupleDesc desc,
								 CleanForm form);
extern char *dmp_clean_finish(CleanPlan *plan);
extern void dmp_clean_flush(CleanPlan *plan);
extern void dmp_clean_settle(CleanPlan *plan);
extern void dmp_clean_settle_names(CleanPlan *plan);
extern bool dmp_clean_touched(const CleanColumn *column);
extern void dmp_clean_wrap(CleanColumn *column, const char *counted, const char *before,
						   const char *after);
extern void dmp_clean_replace(CleanColumn *column, const char *expr);
extern void dmp_clean_replace_as(CleanColumn *column, Oid type, const char *expr);
extern void dmp_clean_retype(CleanColumn *column, Oid type, int32 typmod);
extern char *dmp_clean_hide(CleanPlan *plan, const char *expr);
extern CleanKept *dmp_clean_keep(CleanPlan *plan, const char *stem, const char *expr);
extern char *dmp_clean_ref(const CleanPlan *plan, const char *name);
extern void dmp_clean_need_stats(CleanPlan *plan, List *columns);
extern char *dmp_clean_stat(CleanPlan *plan, const char *what, const char *aggregate);
extern void dmp_clean_need_rows(CleanPlan *plan);
extern char *dmp_clean_name(CleanPlan *plan, const char *stem);
extern void dmp_clean_entry(CleanPlan *plan, const char *name, bool materialized,
							const char *select);
extern void dmp_clean_join(CleanPlan *plan, const char *name, const char *condition);
extern CleanLine *dmp_clean_line(CleanPlan *plan, const char *column, bool changes, bool rejects);
extern char *dmp_clean_tally(CleanPlan *plan, CleanLine *line, const char *expr);
extern char *dmp_clean_counting(CleanPlan *plan, CleanLine *line);
extern void dmp_clean_failures(CleanPlan *plan, CleanLine *line, const char *failure);
extern char *dmp_clean_failing(CleanPlan *plan, CleanLine *line);
extern void dmp_clean_filter(CleanPlan *plan, CleanLine *line, char *keep, char *reason);
extern void dmp_clean_across(CleanPlan *plan);
extern void dmp_clean_distinct(CleanPlan *plan, CleanLine *line, List *keys, List *order,
							   bool whole_row);
extern char *dmp_clean_alive(CleanPlan *plan);
extern char *dmp_clean_type(Oid type, int32 typmod);
/* a select list holds 1664; some are kept for what is carried along */
#define CLEAN_LEVEL_COLUMNS 1650
extern List *dmp_clean_sort_keys(CleanPlan *plan, List *keys);

/* ---- convert.c: conversions whose failure rejects the row */

extern void dmp_clean_begin_conversions(CleanPlan *plan);
extern CleanConversion *dmp_clean_convert(CleanPlan *plan, CleanColumn *column, CleanLine *line,
										  const char *before, const char *after);
extern void dmp_clean_end_conversions(CleanPlan *plan);

/* ---- steps.c: the table of actions */

#define CLEAN_OPTIONS 6

typedef struct CleanAction
{
	const char *action;
	void (*compile)(CleanPlan *plan, const DmpDoc *step, const DmpDoc *argument);
	const char *options[CLEAN_OPTIONS]; /* keys that may stand beside it; ends in NULL */
	bool row_wise;                      /* what becomes of a row depends on no other row */
	const char *argument;
	const char *example;
	const char *does;
} CleanAction;

extern const CleanAction *dmp_clean_action(int i);

/* ---- recipe.c: reading the document */

extern void dmp_clean_check(const DmpDoc *recipe);
extern void dmp_clean_compile(CleanPlan *plan, const DmpDoc *recipe);
extern void dmp_clean_error(CleanPlan *plan, int sqlstate, const char *fmt, ...)
	pg_attribute_printf(3, 4) pg_attribute_noreturn();
extern CleanColumn *dmp_clean_column(CleanPlan *plan, const char *name);
extern List *dmp_clean_columns(CleanPlan *plan, const DmpDoc *doc,
							   bool (*fits)(const CleanColumn *), const char *kind);
/* a member of an object {column: value} */
typedef struct CleanPair
{
	CleanColumn *column;
	const DmpDoc *value;
	bool spread; /* the column is one of "*": skip what the value does not fit */
} CleanPair;
extern List *dmp_clean_pairs(CleanPlan *plan, const DmpDoc *object,
							 bool (*fits)(const CleanColumn *), const char *kind);
extern bool dmp_clean_is_text(const CleanColumn *column);
extern bool dmp_clean_is_number(const CleanColumn *column);
/* NULL: there is none of that name */
extern CleanColumn *dmp_clean_find_column(const CleanPlan *plan, const char *name);
extern char *dmp_clean_finite(const CleanColumn *column);
/* what becomes of a cell that is not what a step wants */
typedef enum CleanFate
{
	CLEAN_REJECT,
	CLEAN_MISSING,
	CLEAN_KEEP /* as it is, or what the step calls the usual */
} CleanFate;
extern CleanFate dmp_clean_fate(CleanPlan *plan, const DmpDoc *options, const char *key,
								const char *usual, const char *keep);
extern bool dmp_clean_quarantine(CleanPlan *plan, const DmpDoc *step);
extern char *dmp_clean_expression(CleanPlan *plan, const DmpDoc *doc, const char *kind);

/* ---- step_*.c: one function a step */

extern void dmp_clean_trim(CleanPlan *plan, const DmpDoc *step, const DmpDoc *argument);
extern void dmp_clean_missing(CleanPlan *plan, const DmpDoc *step, const DmpDoc *argument);
extern void dmp_clean_cast(CleanPlan *plan, const DmpDoc *step, const DmpDoc *argument);
extern void dmp_clean_scale(CleanPlan *plan, const DmpDoc *step, const DmpDoc *argument);
extern void dmp_clean_fill(CleanPlan *plan, const DmpDoc *step, const DmpDoc *argument);
extern void dmp_clean_drop_missing(CleanPlan *plan, const DmpDoc *step, const DmpDoc *argument);
extern void dmp_clean_deduplicate(CleanPlan *plan, const DmpDoc *step, const DmpDoc *argument);
extern void dmp_clean_require(CleanPlan *plan, const DmpDoc *step, const DmpDoc *argument);
extern void dmp_clean_rename(CleanPlan *plan, const DmpDoc *step, const DmpDoc *argument);
extern void dmp_clean_select(CleanPlan *plan, const DmpDoc *step, const DmpDoc *argument);
extern void dmp_clean_values(CleanPlan *plan, const DmpDoc *step, const DmpDoc *argument);
extern void dmp_clean_map(CleanPlan *plan, const DmpDoc *step, const DmpDoc *argument);
extern void dmp_clean_clip(CleanPlan *plan, const DmpDoc *step, const DmpDoc *argument);
extern void dmp_clean_derive(CleanPlan *plan, const DmpDoc *step, const DmpDoc *argument);
extern char *dmp_clean_key(const CleanColumn *column);

/* ---- step_clusters.c, step_rules.c */

extern void dmp_clean_canonicalize(CleanPlan *plan, const DmpDoc *step, const DmpDoc *argument);
extern void dmp_clean_repair(CleanPlan *plan, const DmpDoc *step, const DmpDoc *argument);
extern void dmp_clean_functional_dependency(CleanPlan *plan, const DmpDoc *step,
											const DmpDoc *argument);

#endif /* DMP_CLEAN_H */
