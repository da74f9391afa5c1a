/*-------------------------------------------------------------------------
 * subject.h
 *		A subject's rows: found, exported, erased.
 *
 * A subject is named by a text. Its rows are those in which a column tagged
 * 'subject' holds it, and the rows that refer to those by foreign keys. They
 * are known by table (a leaf of a partitioned one) and place in it, which
 * hold within the transaction once the rows are locked.
 *-------------------------------------------------------------------------
 */
#ifndef DMP_SUBJECT_H
#define DMP_SUBJECT_H

#include "govern/govern.h"
#include "govern/tag.h"
#include "nodes/bitmapset.h"
#include "storage/itemptr.h"
#include "utils/hsearch.h"

/* what becomes of a row, weakest first */
typedef enum SubjectFate
{
	SUBJECT_OTHER, /* another person's: loses its reference, nothing else */
	SUBJECT_STAY,  /* the subject's, holds nothing personal of its own */
	SUBJECT_KEEP,  /* to be kept as it is */
	SUBJECT_BLANK, /* stays; its tagged columns go */
	SUBJECT_DELETE
} SubjectFate;

/* a foreign key, as it was declared */
typedef struct SubjectEdge
{
	char *name;
	Oid child;
	Oid parent;
	char on_delete; /* confdeltype */
	List *child_columns;
	List *parent_columns;
	List *operators; /* parent = child, qualified */
	List *nulled;    /* the child's columns that can be set NULL; NIL: it cannot be let go */
} SubjectEdge;

/* rows of one leaf table */
typedef struct SubjectTable
{
	Oid relid;
	Oid root;
	char *name;       /* of the leaf, quoted */
	char *root_name;  /* as users know it, quoted */
	bool by_root;     /* reached by the rights on the root, not on the leaf */
	char *scan;       /* what is read and changed: ONLY leaf, or root */
	const char *mode; /* what its tags say of erasure, or NULL */
	List *tagged;     /* names of its columns that are blanked */
	List *subject;    /* of its columns tagged 'subject' */
	List *ancestors;  /* OIDs: itself and what it is a partition of */
	List *via;        /* how its rows were found */
	int depth;
	int n;
	int max;
	ItemPointerData *tids;
	uint8 *fates;
	bool *fresh;        /* not yet followed */
	Bitmapset **detach; /* positions of edges to let go */
} SubjectTable;

typedef struct SubjectObstacle
{
	char *object;
	char *reason;
	char *hint;
} SubjectObstacle;

typedef struct Subject
{
	char *value;
	bool erase; /* else: export */
	bool lock;
	MemoryContext context;
	List *tables; /* SubjectTable *, in the order they were found */
	HTAB *rows;   /* (leaf, place) -> position */
	List *edges;  /* SubjectEdge * */
	List *obstacles;
	List *unread; /* SubjectObstacle: objects that could not be read */
} Subject;

/* longest name of a subject that is taken, in bytes */
#define DMP_SUBJECT_LONGEST 1024

/* ---- subject.c: rows of a subject */

/* an error unless it is there, not empty and not too long */
extern char *dmp_subject_argument(FunctionCallInfo fcinfo, int arg);
/*
 * Within an SPI connection; all is allocated in the current context. untagged:
 * tables that hold the subject without saying so are looked for too.
 */
extern Subject *dmp_subject_find(const char *value, bool erase, bool lock, bool untagged);
extern bool dmp_subject_has_row(Subject *subject, Oid relid, ItemPointer tid);
/* places of the rows of a table with that fate, as tid[]; *n: how many */
extern Datum dmp_subject_places(SubjectTable *table, SubjectFate fate, int *n);
/* places of the rows that let the edge at that position go */
extern Datum dmp_subject_detached(SubjectTable *table, int edge, int *n);
/* AND ...: when the rows of a leaf (alias t) are reached through its root */
extern const char *dmp_subject_only_leaf(SubjectTable *table);
extern Datum dmp_tid_array(ItemPointerData *tids, int n);
extern void dmp_subject_obstacle(List **list, const char *object, const char *reason,
								 const char *hint);

/* ---- subject_tables.c: which tables name subjects */

/* names of the columns that name subjects: tagged, or inherited by a table that dmp made */
extern List *dmp_subject_columns(Oid relid);
extern List *dmp_subject_tables(void);
extern void dmp_subject_untagged(Subject *subject);

/* ---- subject_match.c: comparing with the subject's name */

/*
 * SQL that is true where a column of the table (columns: names) is the
 * subject, by the type's own equality; arguments are added to args. NULL: the
 * name is no value of any of their types.
 */
extern char *dmp_subject_condition(Subject *subject, Oid relid, List *columns, const char *alias,
								   DmpArgs *args);
/* SQL of a column's value that to_jsonb() can be given: no function of the type's owner but its output runs */
extern bool dmp_subject_by_text(Oid type);
extern char *dmp_subject_plain(Oid relid, const char *column, const char *alias);
/*
 * SELECT on the table (to erase, UPDATE too: rows are locked) and USAGE of its
 * schema, no row security in the way; else the reason.
 */
extern char *dmp_subject_unreadable(Oid relid, bool erase);

/* ---- subject_hold.c */

/* waits for other holds and erasures of the subject; until the end of the transaction */
extern void dmp_subject_lock(const char *subject);

/* ---- subject_place.c: where else a subject is: raw records, quarantine, registry */

typedef struct SubjectPlace
{
	char *object;
	char *action; /* what erasure does */
	char *detail; /* json, or NULL */
	Oid relid;    /* read and changed with the caller's rights; InvalidOid: a table of dmp */
	char *stored; /* that table of dmp, by its name */
	char *from;   /* FROM ... WHERE: its rows */
	char *change; /* "DELETE FROM ... WHERE", "UPDATE ..."; NULL: it is only named */
	char *record; /* jsonb of a row, for export; NULL: is no part of it */
	DmpArgs args;
} SubjectPlace;

extern List *dmp_subject_places_of(Subject *subject);
/* whether a name can be looked for anywhere in a text: a plain word or short number cannot */
extern bool dmp_subject_is_distinctive(const char *value, bool is_json);

/* ---- subject_export.c */

/* a row of the export for each row of a query of one jsonb column; how many */
extern int64 dmp_subject_emit(FunctionCallInfo fcinfo, const char *object, const char *sql,
							  DmpArgs *args);

/* ---- subject_trust.c */

/*
 * The name of a function that a change of the table would run and that no
 * superuser owns; NULL: there is none. Superusers refuse to run it.
 */
extern char *dmp_code_of_others(Oid relid);

#endif /* DMP_SUBJECT_H */
