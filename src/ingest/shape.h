/*-------------------------------------------------------------------------
 * shape.h
 *		Records shaped by a source's recipe on their way to the table.
 *
 * The recipe is compiled by the module clean, which is to the right of this
 * one: it puts its functions into dmp_recipe_hooks when the library is loaded.
 *-------------------------------------------------------------------------
 */
#ifndef DMP_SHAPE_H
#define DMP_SHAPE_H

#include "ingest/ingest.h"

/* the relation that a compiled recipe reads, and what a row of it is called */
#define DMP_RAW_RELATION "dmp_raw"

/* A recipe compiled for a source. */
typedef struct DmpRowRecipe
{
	/*
	 * Reads dmp_raw (tag int, place tid with the tag as its block number, c0 ...
	 * by the columns of the input, d0 ... whether the record lacked them).
	 * Returns tag, the n columns, and n booleans: missing since it was absent.
	 */
	char *select;
	int n;
	int *columns; /* of the table, from 0 */
	void *state;
} DmpRowRecipe;

typedef struct DmpRecipeHooks
{
	/* an error when the document is no recipe, or names none */
	void (*check)(const char *recipe);
	/* the columns that records are decoded to */
	TupleDesc (*input)(const char *recipe, TupleDesc target, const DmpDoc *mapping);
	/* an error when it cannot be applied row by row, or does not give the table's columns */
	DmpRowRecipe *(*compile)(const char *recipe, TupleDesc input, TupleDesc target,
							 const char *table, List *key);
	/* before each execution of the select */
	void (*reset)(DmpRowRecipe *recipe);
	/* tells the rows that the last execution turned away; returns how many */
	int64 (*rejects)(DmpRowRecipe *recipe,
					 void (*rejected)(void *arg, int tag, const DmpRejected *why), void *arg);
	void (*release)(DmpRowRecipe *recipe);
} DmpRecipeHooks;

extern const DmpRecipeHooks *dmp_recipe_hooks;

typedef struct DmpShape DmpShape;

/* Within the caller's SPI connection. */
extern DmpShape *dmp_shape_begin(const DmpSource *source, TupleDesc target, TupleDesc input,
								 const DmpDecoder *decoder);
/* the columns of the table that the recipe fills */
extern DmpColumns *dmp_shape_columns(const DmpShape *shape);
extern void dmp_shape_add(DmpShape *shape, Datum *values, bool *nulls, bool *absent, int tag);
extern bool dmp_shape_full(const DmpShape *shape);
extern void dmp_shape_bytes(DmpShape *shape, int64 bytes);
/* Gives insert what the recipe makes of the rows, and rejected what it turns away. */
extern void dmp_shape_flush(DmpShape *shape, DmpInsert *insert,
							void (*rejected)(void *arg, int tag, const DmpRejected *why),
							void *arg);
extern void dmp_shape_end(DmpShape *shape);

#endif /* DMP_SHAPE_H */
