/*-------------------------------------------------------------------------
 * suggest.h
 *		dmp.suggest_recipe: steps that the values themselves call for.
 *-------------------------------------------------------------------------
 */
#ifndef DMP_SUGGEST_H
#define DMP_SUGGEST_H

#include "dmp.h"

#include "access/tupdesc.h"
#include "lib/stringinfo.h"
#include "nodes/pg_list.h"

/* A step under consideration */
typedef struct DmpSuggestion
{
	char *step; /* json */
	char *reason;
	double rows; /* that it changes, estimated from the sample */
	double confidence;
} DmpSuggestion;

/* A column of the sample */
typedef struct DmpSuggestColumn
{
	char *name;
	Oid type;
	bool is_text;
	int64 present; /* cells of the sample that are not missing, after the steps so far */
	int64 distinct;
	bool measure; /* its values are numbers that are measured, not codes */
} DmpSuggestColumn;

typedef struct DmpSuggest
{
	char *sample; /* the table of the rows looked at, cleaned by the steps so far */
	int64 rows;   /* of the query */
	int64 n;      /* of the sample */
	List *columns;
	List *suggestions;
	int tables; /* made so far */
} DmpSuggest;

/* steps of more confidence are taken for granted by what is looked at next */
#define DMP_SUGGEST_SURE 0.9

extern void dmp_suggest_add(DmpSuggest *suggest, const char *step, double sample_rows,
							double confidence, const char *reason, ...) pg_attribute_printf(5, 6);
/* a json string, and "*" or a list of them in brackets */
extern char *dmp_suggest_json(const char *text);
extern char *dmp_suggest_list(List *names);

/* ---- suggest_cells.c */

extern void dmp_suggest_trim(DmpSuggest *suggest);
extern void dmp_suggest_missing(DmpSuggest *suggest);
extern void dmp_suggest_sentinels(DmpSuggest *suggest);
extern void dmp_suggest_clusters(DmpSuggest *suggest);
extern void dmp_suggest_repair(DmpSuggest *suggest);
extern void dmp_suggest_types(DmpSuggest *suggest);
extern void dmp_suggest_duplicates(DmpSuggest *suggest);
extern void dmp_suggest_outliers(DmpSuggest *suggest);

/* ---- suggest_rules.c */

extern void dmp_suggest_rules(DmpSuggest *suggest);

#endif /* DMP_SUGGEST_H */
