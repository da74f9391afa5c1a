/*-------------------------------------------------------------------------
 * feature.h
 *		Feature sets: definitions, the SQL they mean, training sets.
 *-------------------------------------------------------------------------
 */
#ifndef DMP_FEATURE_H
#define DMP_FEATURE_H

#include "base/base.h"

/* ---- definition.c: from the document to checked definitions */

typedef enum DmpAggOf
{
	DMP_OF_NONE,  /* takes no "of" */
	DMP_OF_MAYBE, /* counts or dates rows; with "of", rows where it is not missing */
	DMP_OF_NEEDED
} DmpAggOf;

typedef struct DmpAgg
{
	const char *name;
	DmpAggOf of;
	bool numeric; /* of must be a number, an interval or a boolean (0 and 1) */
	bool timed;   /* needs the time of events: not for attribute tables */
	bool zero;    /* an empty window gives 0, not NULL */
} DmpAgg;

/* [t - length, t); a day is 24 hours, months are months of UTC */
typedef struct DmpWindow
{
	const char *name; /* as written: 7d */
	int64 usecs;      /* fixed length, when months is 0 */
	int months;
} DmpWindow;

typedef struct DmpFeature
{
	const char *name;
	const DmpAgg *agg;
	char *of; /* SQL over alias e, or NULL */
	Oid of_type;
	bool of_collates;
	char *where;   /* SQL over alias e, or NULL */
	List *windows; /* indexes into the set's windows (List of int); NIL: all time */
} DmpFeature;

/* a column of the view: a feature over a window (-1: all time) */
typedef struct DmpFeatureColumn
{
	const char *name;
	const DmpFeature *feature;
	int window;
} DmpFeatureColumn;

typedef struct DmpFeatureSet
{
	const char *name;
	int version;
	Oid owner;
	Oid events;
	List *entity;   /* column names */
	const char *at; /* column of the time of an event; NULL: attribute table */
	Oid at_type;
	const char *known_at; /* column of the time it was known; NULL: known at once */
	Oid known_at_type;
	int64 delay;                 /* microseconds between an event and its being known */
	const char *entities;        /* query of all entities, or NULL */
	const char *entities_select; /* the SELECT it means */
	const char *document;        /* features, json text */
	bool announce;               /* say what is questionable about the definition */
	const char *search_path;     /* names in document and entities were meant under it */
	List *windows;               /* DmpWindow */
	List *features;              /* DmpFeature */
	List *columns;               /* DmpFeatureColumn, in the order of the view */
} DmpFeatureSet;

/* schema of the objects of feature sets */
#define DMP_FEATURE_SCHEMA "feature"

/*
 * Checks the parts of a definition that are set (name, events, entity, at,
 * known_at, delay, entities, document, search_path) and fills the rest. Runs
 * with the caller's rights under set->search_path, literals read as in UTC.
 */
extern void dmp_feature_define(DmpFeatureSet *set);
/* 'a, "b c"' as a list of column names */
extern List *dmp_feature_entity(const char *entity);
/*
 * SQL of one expression over the columns of a table, every name qualified and
 * columns as e.name. text must be one expression without aggregates, subqueries
 * and volatile functions. boolean: it must be a condition. announce: a NOTICE
 * when it depends on settings of the session. what: for errors.
 */
extern char *dmp_feature_expression(Oid relid, const char *text, bool boolean, bool announce,
									const char *what, Oid *type, bool *collates);

/* ---- compile.c: from definitions to SQL */

/* the time features are as of, and where the starts of windows come from */
typedef struct DmpFeatureFrame
{
	const char *now;    /* SQL of t, a timestamptz */
	const char *starts; /* alias that has the starts as b0, b1 ...; NULL: computed from now */
	bool constant;      /* now is the same for all rows: starts are computed once */
} DmpFeatureFrame;

/* SELECT of the view (frame.now "statement_timestamp()") and of the _at function ("$1") */
extern char *dmp_feature_select(const DmpFeatureSet *set, const DmpFeatureFrame *frame);
/* SELECT of the _for function: entity columns are $1 ..., the time behind them */
extern char *dmp_feature_select_one(const DmpFeatureSet *set);
/*
 * Features of the entities and times in relation keys: rows of (entity, at,
 * features), or (entity, features) for attribute tables. dense: most entities
 * are asked for at each of few times.
 */
extern char *dmp_feature_select_keys(const DmpFeatureSet *set, const char *keys, bool dense);
/* labels: rows of (entity, at, label) at the times in $1; end_of: SQL of the end of the horizon from u.at */
extern char *dmp_feature_select_labels(const DmpFeatureSet *set, const char *outcome,
									   const char *end_of);
/* what a feature is where there were no events: "0" as SQL, or NULL for NULL */
extern const char *dmp_feature_empty(const DmpFeatureColumn *column);
/* a.x = b.x AND ... */
extern char *dmp_feature_match(List *names, const char *a, const char *b);
/* interval literal of so many microseconds: interval '24 hours' */
extern char *dmp_feature_interval(int64 usecs);

/* ---- registry.c: what is stored */

/* the set with its definitions, or an error; for_update: the caller must own it, the row is locked */
extern DmpFeatureSet *dmp_feature_load(const char *name, bool for_update);
/* the row as it is, definitions not yet read; NULL when there is none */
extern DmpFeatureSet *dmp_feature_row(const char *name, bool for_update, List **columns);
/* puts the columns in the order of names, new ones behind; a name that is gone is an error */
extern void dmp_feature_order(DmpFeatureSet *set, List *names);
extern void dmp_feature_store(const DmpFeatureSet *set);
extern void dmp_feature_forget(const char *name);

/* ---- training.c */

/*
 * Whether the table was made by dmp.training_set: then its key (List of char *)
 * and its column of times. The mark is a comment on the primary key, so it goes
 * with the table through renames, dumps and restores.
 */
extern bool dmp_training_set_key(Oid relid, List **key, char **at);

#endif /* DMP_FEATURE_H */
