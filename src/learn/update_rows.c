/*-------------------------------------------------------------------------
 * update_rows.c
 *		The rows of an update: the SELECT that reads them, and how they are kept.
 *
 * Columns are found by name, as dmp.predict finds them, and the target must be
 * one of the classes the model knows: what is positive is never decided anew.
 * Rows are kept as they come (numbers, and codes of texts), because a value
 * that has no column yet may get one once enough rows have it.
 *
 * Each new row is also scored by the model as it was, before anything is
 * learned from it: an honest measure of the model on data it has not seen.
 */
#include "learn/update.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "lib/stringinfo.h"
#include "math/metrics.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#define FETCH_ROWS 1000
/* rows whose margins are kept for the AUC of a batch */
#define MAX_MARGINS ((Size) 4 * 1024 * 1024)

/* --------------------------------------------------------------- the SELECT */

/* type of a column that is there once */
static Oid
needed_column(const DmpBatch *batch, TupleDesc desc, const char *name)
{
	Oid type = InvalidOid;
	int i;

	for (i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);

		if (att->attisdropped || strcmp(NameStr(att->attname), name) != 0)
			continue;
		if (OidIsValid(type))
			ereport(ERROR, (errcode(ERRCODE_AMBIGUOUS_COLUMN),
							errmsg("column \"%s\" needed by model \"%s\" version %d is there twice",
								   name, batch->row->name, batch->row->version)));
		type = att->atttypid;
	}
	if (!OidIsValid(type))
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_COLUMN),
						errmsg("column \"%s\" needed by model \"%s\" version %d is missing", name,
							   batch->row->name, batch->row->version),
						errdetail("The query has %s.", dmp_join(dmp_column_names(desc), ", "))));
	return type;
}

static void
pg_attribute_noreturn()
	wrong_type(const DmpBatch *batch, const char *name, Oid type, const char *needed)
{
	ereport(ERROR, (errcode(ERRCODE_DATATYPE_MISMATCH),
					errmsg("column \"%s\" needed by model \"%s\" version %d is of type %s", name,
						   batch->row->name, batch->row->version, format_type_be(type)),
					errdetail("To the model it is %s.", needed)));
}

/* the target as 0 and 1; a value that is no class of the model is an error on the way */
static char *
target_sql(const DmpBatch *batch, TupleDesc desc)
{
	const DmpModel *model = batch->model;
	Oid type = needed_column(batch, desc, model->target);
	char *column = psprintf("q.%s", quote_identifier(model->target));
	bool plain = strcmp(model->positive, "1") == 0 && strcmp(model->negative, "0") == 0;

	if (model->link != DMP_BINOMIAL)
	{
		if (dmp_value_kind(type) == DMP_VALUE_NUMBER)
			return psprintf("%s::float8", column);
		if (dmp_value_kind(type) == DMP_VALUE_BOOLEAN)
			return psprintf("%s::boolean::int::float8", column);
		wrong_type(batch, model->target, type, "its target, a number");
	}
	switch (dmp_value_kind(type))
	{
		case DMP_VALUE_BOOLEAN:
			if (strcmp(model->positive, "true") == 0)
				return psprintf("%s::boolean::int::float8", column);
			if (strcmp(model->positive, "false") == 0)
				return psprintf("(NOT %s::boolean)::int::float8", column);
			break;
		case DMP_VALUE_NUMBER:
			if (plain)
				return psprintf("CASE WHEN %s = 0 THEN 0::float8 WHEN %s = 1 THEN 1::float8 "
								"WHEN %s IS NOT NULL AND %s::float8 <> 'NaN' "
								"THEN dmp_internal.refuse_target(%s::text, %s) END",
								column, column, column, column, column,
								quote_literal_cstr(model->target));
			/* fall through */
		case DMP_VALUE_TEXT:
			return psprintf("CASE WHEN (%s)::text COLLATE \"C\" = %s THEN 1 "
							"WHEN (%s)::text COLLATE \"C\" = %s THEN 0 WHEN %s IS NOT NULL "
							"THEN dmp_internal.refuse_class((%s)::text, %s, %s, %s) END::float8",
							column, quote_literal_cstr(model->positive), column,
							quote_literal_cstr(model->negative), column, column,
							quote_literal_cstr(model->target), quote_literal_cstr(model->positive),
							quote_literal_cstr(model->negative));
		default:
			break;
	}
	wrong_type(batch, model->target, type,
			   psprintf("its target, \"%s\" or \"%s\"", model->positive, model->negative));
}

char *
dmp_update_sql(const DmpBatch *batch, const DmpTrainQuery *query, const char *weight)
{
	const DmpDesign *design = &batch->model->design;
	StringInfoData sql;
	int i;

	initStringInfo(&sql);
	appendStringInfo(&sql, "SELECT %s AS target", target_sql(batch, query->desc));
	if (weight != NULL)
	{
		Oid type = needed_column(batch, query->desc, weight);
		char *column = psprintf("q.%s", quote_identifier(weight));

		if (dmp_value_kind(type) != DMP_VALUE_NUMBER)
			wrong_type(batch, weight, type, "the weight of a row");
		appendStringInfo(&sql,
						 ", CASE WHEN %s >= 0 AND %s::float8 < 'infinity' THEN %s::float8 "
						 "ELSE dmp_internal.refuse_weight(%s::text, %s) END",
						 column, column, column, column, quote_literal_cstr(weight));
	}
	for (i = 0; i < design->nsources; i++)
	{
		const DmpSource *source = &design->sources[i];
		Oid type = needed_column(batch, query->desc, source->name);

		if (dmp_value_kind(type) != source->kind)
			wrong_type(batch, source->name, type, dmp_value_kind_name(source->kind));
		appendStringInfo(&sql, ", q.%s", quote_identifier(source->name));
	}
	appendStringInfo(&sql, " FROM (%s) AS q", query->select);
	return sql.data;
}

/* -------------------------------------------------------------------- tiles */

Size
dmp_update_tile_bytes(const DmpUpdateState *state)
{
	return sizeof(DmpBatchTile) +
		   DMP_TILE * (sizeof(double) * state->nnumbers + sizeof(int32) * state->ntexts);
}

static DmpBatchTile *
new_tile(DmpBatch *batch)
{
	const DmpUpdateState *state = batch->state;
	DmpBatchTile *tile = MemoryContextAllocZero(batch->context, sizeof(DmpBatchTile));

	tile->number =
		MemoryContextAlloc(batch->context, sizeof(double) * DMP_TILE * Max(state->nnumbers, 1));
	tile->code =
		MemoryContextAlloc(batch->context, sizeof(int32) * DMP_TILE * Max(state->ntexts, 1));
	if (batch->ntiles == batch->tiles_room)
	{
		batch->tiles_room = Max(64, 2 * batch->tiles_room);
		batch->tiles = batch->tiles
						   ? repalloc_huge(batch->tiles, sizeof(DmpBatchTile *) * batch->tiles_room)
						   : MemoryContextAllocHuge(batch->context,
													sizeof(DmpBatchTile *) * batch->tiles_room);
	}
	batch->tiles[batch->ntiles++] = tile;
	batch->bytes += dmp_update_tile_bytes(state);
	batch->bytes_most = Max(batch->bytes_most, batch->bytes);
	return tile;
}

/*
 * The tile as the kernel wants it under a map: missing numbers filled, pivots
 * taken off, codes turned into parameters.
 */
void
dmp_update_tile(const DmpBatch *batch, const DmpUpdateMap *map, const DmpBatchTile *from,
				DmpUpdateRoom *room, DmpGlmTile *tile)
{
	const DmpDesign *design = &batch->model->design;
	int j, k, i;

	for (j = 0; j < map->shape.ndense; j++)
	{
		const DmpFeature *feature = &design->features[map->number_feature[map->dense_number[j]]];
		const double *x = from->number + (Size) map->dense_number[j] * DMP_TILE;
		double *to = room->dense + (Size) j * DMP_TILE;
		double pivot = design->pivot[feature->index];

		for (i = 0; i < from->n; i++)
			to[i] = (isnan(x[i]) ? feature->fill : x[i]) - pivot;
		for (; i < DMP_TILE; i++)
			to[i] = 0;
	}
	for (k = 0; k < map->shape.ncoded; k++)
	{
		int32 *to = room->codes + (Size) k * DMP_TILE;
		if (k < batch->state->ntexts)
		{
			const int32 *code = from->code + (Size) k * DMP_TILE;
			int other, missing;

			other = map->text_other[k];
			missing = map->text_missing[k];
			for (i = 0; i < from->n; i++)
				to[i] = code[i] == -2 ? missing
						: code[i] < 0 || code[i] >= map->text_codes[k]
							? other
							: map->text_param[k][code[i]];
		}
		else
		{
			int number = map->flag_number[k - batch->state->ntexts];
			const double *x = from->number + (Size) number * DMP_TILE;
			int param = map->flag_param[k - batch->state->ntexts];

			for (i = 0; i < from->n; i++)
				to[i] = isnan(x[i]) ? param : -1;
		}
		for (i = from->n; i < DMP_TILE; i++)
			to[i] = -1;
	}
	for (i = 0; i < DMP_TILE; i++)
		room->label[i] = i < from->n && from->y[i] > 0;
	memset(tile, 0, sizeof(*tile));
	tile->n = from->n;
	tile->dense = room->dense;
	tile->codes = room->codes;
	tile->label = room->label;
	tile->weight = from->weight;
	if (map->shape.family != DMP_BINOMIAL)
	{
		memcpy(room->target, from->y, sizeof(from->y));
		tile->target = room->target;
	}
	if (map->offset_number < 0)
		return;
	memset(room->offset, 0, sizeof(double) * DMP_TILE);
	memcpy(room->offset, from->number + (Size) map->offset_number * DMP_TILE,
		   sizeof(double) * from->n);
	if (map->shape.family != DMP_GAUSSIAN)
		tile->offset = room->offset;
	else
		for (i = 0; i < from->n; i++)
			room->target[i] -= room->offset[i];
}

void
dmp_update_room(DmpUpdateRoom *room, const DmpGlmShape *shape)
{
	room->dense = dmp_update_aligned(sizeof(double) * DMP_TILE * Max(shape->ndense, 1));
	room->codes = dmp_update_aligned(sizeof(int32) * DMP_TILE * Max(shape->ncoded, 1));
	room->target = dmp_update_aligned(sizeof(double) * DMP_TILE);
	room->offset = dmp_update_aligned(sizeof(double) * DMP_TILE);
	room->margins = dmp_update_aligned(sizeof(double) * DMP_TILE);
	room->scratch = dmp_update_aligned(dmp_glm_scratch(shape));
}

/* ------------------------------------------------------- the model as it was */

typedef struct Reader
{
	DmpBatch *batch;
	const DmpUpdateMap *before; /* of the model before this call */
	const double *theta;
	bool has_weight;
	Oid *types; /* of the sources; then values of the row at hand */
	Datum *values;
	bool *nulls;
	DmpBatchTile *tile; /* being filled, or NULL */
	DmpUpdateRoom room;
} Reader;

/* the row as the model scores it that has not seen it */
void
dmp_update_judge(DmpBatch *batch, double margin, double weight, bool positive)
{
	batch->weight_read += weight;
	batch->weight_positive += positive ? weight : 0;
	batch->loss_before += weight * dmp_log_loss_margin(margin, positive);
	if (batch->nmargins >= MAX_MARGINS)
		return;
	if (batch->nmargins == batch->margins_room)
	{
		batch->margins_room *= 2;
		batch->margin = repalloc_huge(batch->margin, sizeof(double) * batch->margins_room);
		batch->margin_weight =
			repalloc_huge(batch->margin_weight, sizeof(double) * batch->margins_room);
		batch->label = repalloc_huge(batch->label, batch->margins_room);
	}
	batch->margin[batch->nmargins] = margin;
	batch->margin_weight[batch->nmargins] = weight;
	batch->label[batch->nmargins++] = positive;
}

/* scores the rows of the tile, which is full or the last */
static void
judge(Reader *r)
{
	DmpBatch *batch = r->batch;
	DmpGlmTile tile;
	int i;

	if (r->tile == NULL || r->tile->n == 0)
		return;
	dmp_update_tile(batch, r->before, r->tile, &r->room, &tile);
	dmp_glm_tile(&r->before->shape, &tile, r->theta, NULL, NULL, r->room.margins, r->room.scratch);
	if (tile.target)
		dmp_errors_tile(&batch->errors_before, r->before->shape.family, &tile, r->room.margins);
	for (i = 0; i < tile.n; i++)
	{
		double w = tile.weight[i];

		if (tile.target)
			batch->weight_read += w;
		else
			dmp_update_judge(batch, r->room.margins[i], w, tile.label[i]);
	}
}

/* ------------------------------------------------------------------ one row */

static int32
text_code(DmpBatch *batch, int k, const char *text, int length)
{
	DmpDictionary *d = &batch->state->text[k];
	const DmpFeature *feature = &batch->model->design.features[batch->map->text_feature[k]];
	bool add = d->n < feature->nlevels + DMP_UPDATE_WAITING_LEVELS;
	int code = dmp_dictionary_code(d, text, length, add);

	if (code < 0)
		return -1;
	d->levels[code].rows++;
	return code;
}

/* target and weight of a row; false: no row to learn from */
static bool
read_head(Reader *r, HeapTuple tuple, TupleDesc desc, double *y, double *weight)
{
	const DmpModel *model = r->batch->model;
	bool isnull;
	Datum value = SPI_getbinval(tuple, desc, 1, &isnull);

	*weight = 1;
	if (isnull)
		return false;
	*y = DatumGetFloat8(value);
	if (r->has_weight)
	{
		value = SPI_getbinval(tuple, desc, 2, &isnull);
		*weight = isnull ? 0 : DatumGetFloat8(value);
	}
	if (model->link == DMP_BINOMIAL)
		*weight *= r->batch->state->class_weight[*y > 0];
	else if (model->link == DMP_POISSON && *y < 0)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("target \"%s\" has the value %g, family \"poisson\" needs numbers "
							   "from 0 on",
							   model->target, *y)));
	return isfinite(*y) && *weight > 0;
}

/* the same of its features, which go to the next place of the tile */
static bool
read_features(Reader *r, HeapTuple tuple, TupleDesc desc)
{
	DmpBatch *batch = r->batch;
	DmpDesign *design = &batch->model->design;
	DmpBatchTile *tile = r->tile;
	const Datum *values = r->values;
	const bool *nulls = r->nulls;
	const Oid *types = r->types;
	int at = tile->n, number = 0, text = 0, i;

	for (i = 0; i < design->nsources; i++)
		r->values[i] = SPI_getbinval(tuple, desc, 2 + r->has_weight + i, &r->nulls[i]);
	if (design->transformed)
		dmp_transform_row(design, &values, &nulls, &types, NULL);
	/* numbers first: an infinite one takes the row out before anything of it is counted */
	for (i = 0; i < design->nfeatures; i++)
		if (design->features[i].encode <= DMP_ENCODE_BOOLEAN)
		{
			double x = nulls[i] ? NAN : dmp_value_number(values[i], types[i]);

			if (isinf(x) || (isnan(x) && number == batch->map->offset_number))
				return false;
			tile->number[(Size) number++ * DMP_TILE + at] = x;
		}
	for (i = number = 0; i < design->nfeatures; i++)
	{
		DmpFeature *feature = &design->features[i];
		bool missing;

		if (feature->encode == DMP_ENCODE_ONE_HOT)
		{
			int32 *code = &tile->code[(Size) text * DMP_TILE + at];
			const char *bytes;
			int length;

			missing = nulls[i];
			if (missing)
				*code = -2;
			else
			{
				bytes = dmp_value_text(values[i], types[i], &length);
				*code = text_code(batch, text, bytes, length);
			}
			text++;
		}
		else
			missing = isnan(tile->number[(Size) number++ * DMP_TILE + at]);
		feature->rows_missing += missing;
		if (missing && batch->state->missing[i] >= 0)
			batch->state->missing[i]++;
	}
	return true;
}

static bool
read_row(Reader *r, HeapTuple tuple, TupleDesc desc)
{
	DmpBatch *batch = r->batch;
	DmpBatchTile *tile = r->tile;
	double y, weight;

	if (!read_head(r, tuple, desc, &y, &weight) || !read_features(r, tuple, desc))
		return false;
	tile->y[tile->n] = y;
	tile->weight[tile->n] = weight;
	tile->n++;
	batch->read++;
	batch->positive += y > 0;
	batch->rows[y > 0]++;
	return true;
}

/* ------------------------------------------------------------------ all rows */

static void
start_reading(Reader *r, DmpBatch *batch, bool has_weight)
{
	int n = Max(batch->model->design.nsources, 1);

	memset(r, 0, sizeof(*r));
	r->batch = batch;
	r->before = batch->map;
	r->theta = batch->theta_before;
	r->has_weight = has_weight;
	r->types = palloc(sizeof(Oid) * n);
	r->values = palloc(sizeof(Datum) * n);
	r->nulls = palloc(sizeof(bool) * n);
	dmp_update_room(&r->room, &batch->map->shape);
	batch->margins_room = 1024;
	batch->margin = palloc(sizeof(double) * batch->margins_room);
	batch->margin_weight = palloc(sizeof(double) * batch->margins_room);
	batch->label = palloc(batch->margins_room);
}

/* the tile to put the next row in */
static void
next_tile(Reader *r)
{
	DmpBatch *batch = r->batch;

	if (r->tile != NULL && r->tile->n < DMP_TILE)
		return;
	judge(r);
	/* a part of the rows when that is all memory takes */
	if (batch->bytes + dmp_update_tile_bytes(batch->state) > batch->room &&
		dmp_update_few(batch) >= DMP_UPDATE_MIN_ROWS)
		dmp_update_fit(batch);
	r->tile = new_tile(batch);
}

void
dmp_update_read(DmpBatch *batch, const char *sql, bool has_weight)
{
	MemoryContext old = MemoryContextSwitchTo(batch->context);
	MemoryContext per_row =
		AllocSetContextCreate(batch->context, "dmp update row", ALLOCSET_DEFAULT_SIZES);
	Reader r;
	SPIPlanPtr plan;
	Portal portal;
	SPITupleTable *table;
	uint64 n, k;
	int i;

	start_reading(&r, batch, has_weight);
	plan = SPI_prepare_cursor(sql, 0, NULL, 0);
	if (plan == NULL)
		elog(ERROR, "update query failed: %s", SPI_result_code_string(SPI_result));
	portal = SPI_cursor_open(NULL, plan, NULL, NULL, true);
	for (i = 0; i < batch->model->design.nsources; i++)
		r.types[i] = getBaseType(SPI_gettypeid(portal->tupDesc, 2 + has_weight + i));
	for (;;)
	{
		SPI_cursor_fetch(portal, true, FETCH_ROWS);
		MemoryContextSwitchTo(batch->context);
		if (SPI_processed == 0)
			break;
		table = SPI_tuptable;
		n = SPI_processed;
		for (k = 0; k < n; k++)
		{
			CHECK_FOR_INTERRUPTS();
			next_tile(&r);
			MemoryContextReset(per_row);
			MemoryContextSwitchTo(per_row);
			if (!read_row(&r, table->vals[k], table->tupdesc))
				batch->skipped++;
			MemoryContextSwitchTo(batch->context);
		}
		SPI_freetuptable(table);
	}
	judge(&r);
	if (r.tile != NULL && r.tile->n == 0)
		batch->ntiles--;
	SPI_cursor_close(portal);
	SPI_freeplan(plan);
	MemoryContextDelete(per_row);
	MemoryContextSwitchTo(old);
}
