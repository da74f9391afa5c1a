/*-------------------------------------------------------------------------
 * encode_scan.c
 *		The scan before the fit: dmp_internal.encode_scan as an aggregate.
 *
 * Its first argument says what the columns are: "folds cells kinds", kinds
 * a letter for each column, n a number and t a text. Numbers are counted in
 * cells (math/binning.h), texts by level. What comes out does not depend on
 * the order of rows, nor on how they were shared between processes, but for
 * rounding of weights.
 *-------------------------------------------------------------------------
 */
#include "learn/encode_scan.h"

#include <math.h>

#include "utils/lsyscache.h"
#include "utils/memutils.h"

PG_FUNCTION_INFO_V1(dmp_encode_scan_add);
PG_FUNCTION_INFO_V1(dmp_encode_scan_combine);
PG_FUNCTION_INFO_V1(dmp_encode_scan_final);

#define MAGIC 0x64656e63
#define VERSION 1
#define FIRST_COLUMN 5
#define MAX_CELLS (1 << 20)

/* ----------------------------------------------------------------- state */

static Size flat_size(ExpandedObjectHeader *eohptr);
static void flatten_into(ExpandedObjectHeader *eohptr, void *result, Size allocated_size);

static const ExpandedObjectMethods methods = {flat_size, flatten_into};

static DmpEncodeScan *
make_scan(int nfolds, int limit, const char *kinds, MemoryContext parent)
{
	MemoryContext context;
	MemoryContext old;
	DmpEncodeScan *scan;
	int i;

	if (nfolds < 1 || nfolds > DMP_MAX_FOLDS || limit < 4 || limit > MAX_CELLS ||
		strspn(kinds, "nt") != strlen(kinds))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("invalid plan of a scan of columns to be encoded")));
	context = AllocSetContextCreate(parent, "dmp encode scan", ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(context);
	scan = palloc0(sizeof(DmpEncodeScan));
	EOH_init_header(&scan->hdr, &methods, context);
	scan->magic = MAGIC;
	scan->nfolds = nfolds;
	scan->width = 1 + 2 * nfolds;
	scan->limit = limit;
	scan->ncolumns = strlen(kinds);
	scan->columns = palloc0(sizeof(DmpEncodeColumn) * Max(scan->ncolumns, 1));
	for (i = 0; i < scan->ncolumns; i++)
	{
		DmpEncodeColumn *column = &scan->columns[i];

		column->text = kinds[i] == 't';
		column->missing = palloc0(sizeof(double) * scan->width);
		if (column->text)
			dmp_dictionary_init(&column->levels);
		else
			dmp_cells_init(&column->cells, &dmp_server_env, scan->width, limit);
	}
	MemoryContextSwitchTo(old);
	return scan;
}

static DmpEncodeScan *
scan_of_plan(const char *plan, MemoryContext parent)
{
	int nfolds;
	int limit;
	int at = 0;

	if (sscanf(plan, "%d %d %n", &nfolds, &limit, &at) < 2 || at == 0)
		nfolds = 0;
	return make_scan(nfolds, limit, nfolds > 0 ? plan + at : "", parent);
}

/* the sums of a level, which is added when it is new */
static double *
level_sums(const DmpEncodeScan *scan, DmpEncodeColumn *column, const char *text, int length)
{
	int code = dmp_dictionary_code(&column->levels, text, length, true);

	if (code < 0)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("a text column to be encoded has more than %d values", column->levels.n),
				 errhint("Encode a column of so many values as \"hash\".")));
	if (code >= column->sums_room)
	{
		int room = Max(64, 2 * column->sums_room);
		Size size = sizeof(double) * scan->width * room;
		double *sums = MemoryContextAllocHuge(scan->hdr.eoh_context, size);

		memset(sums, 0, size);
		if (column->sums != NULL)
		{
			memcpy(sums, column->sums, sizeof(double) * scan->width * column->sums_room);
			pfree(column->sums);
		}
		column->sums = sums;
		column->sums_room = room;
	}
	return column->sums + (Size) code * scan->width;
}

static void
drop_flat(DmpEncodeScan *scan)
{
	if (scan->flat != NULL)
		pfree(scan->flat);
	scan->flat = NULL;
}

/* ----------------------------------------------------------------- bytes */

static void
write_column(const DmpEncodeScan *scan, DmpBytes *b, const DmpEncodeColumn *column)
{
	int i;

	dmp_put(b, column->missing, sizeof(double) * scan->width);
	dmp_put_double(b, column->weight);
	dmp_put_double(b, column->mean);
	if (column->text)
	{
		dmp_put_int(b, column->levels.n);
		for (i = 0; i < column->levels.n; i++)
			dmp_put_text(b, column->levels.levels[i].text, column->levels.levels[i].length);
		dmp_put(b, column->sums, sizeof(double) * scan->width * column->levels.n);
		return;
	}
	dmp_put_int(b, column->cells.shift);
	dmp_put_int(b, column->cells.n);
	dmp_put(b, column->cells.keys, sizeof(uint64) * column->cells.n);
	dmp_put(b, column->cells.sums, sizeof(double) * scan->width * column->cells.n);
}

static Size
flat_size(ExpandedObjectHeader *eohptr)
{
	DmpEncodeScan *scan = (DmpEncodeScan *) eohptr;

	if (scan->flat == NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(scan->hdr.eoh_context);
		DmpBytes b = {0};
		int i;

		dmp_put_int(&b, scan->nfolds);
		dmp_put_int(&b, scan->limit);
		dmp_put_int(&b, scan->ncolumns);
		for (i = 0; i < scan->ncolumns; i++)
			dmp_put_int(&b, scan->columns[i].text);
		for (i = 0; i < scan->ncolumns; i++)
			write_column(scan, &b, &scan->columns[i]);
		scan->flat = b.data;
		scan->flat_size = b.used;
		MemoryContextSwitchTo(old);
	}
	return sizeof(DmpState) + scan->flat_size;
}

static void
flatten_into(ExpandedObjectHeader *eohptr, void *result, Size allocated_size)
{
	DmpEncodeScan *scan = (DmpEncodeScan *) eohptr;
	DmpState *state = result;

	memset(state, 0, sizeof(DmpState));
	SET_VARSIZE(state, allocated_size);
	state->kind = DMP_STATE_ENCODE;
	state->version = VERSION;
	state->order = DMP_STATE_ORDER;
	memcpy(DMP_STATE_DATA(state), scan->flat, scan->flat_size);
}

static void
refuse_bytes(void)
{
	ereport(ERROR, (errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
					errmsg("invalid state of a scan of columns to be encoded")));
}

static void
read_column(DmpEncodeScan *scan, DmpBytes *b, DmpEncodeColumn *column)
{
	int width = scan->width;
	double *sums;
	int n;
	int i;

	memcpy(column->missing, dmp_get(b, sizeof(double) * width), sizeof(double) * width);
	column->weight = dmp_get_double(b);
	column->mean = dmp_get_double(b);
	if (column->text)
	{
		n = dmp_get_count(b, 8 + sizeof(double) * width);
		for (i = 0; i < n; i++)
		{
			Size length;
			char *text = dmp_get_text(b, &length);

			(void) level_sums(scan, column, text, length);
			pfree(text);
		}
		if (column->levels.n != n)
			refuse_bytes();
		sums = dmp_get_doubles(b, (Size) n * width);
		if (n > 0)
			memcpy(column->sums, sums, sizeof(double) * width * n);
		pfree(sums);
		return;
	}
	column->cells.shift = dmp_get_count(b, 0);
	n = dmp_get_count(b, sizeof(uint64) + sizeof(double) * width);
	if (column->cells.shift > 63 || n > scan->limit)
		refuse_bytes();
	{
		const char *keys = dmp_get(b, sizeof(uint64) * n);

		sums = dmp_get_doubles(b, (Size) n * width);
		for (i = 0; i < n; i++)
		{
			uint64 key;

			memcpy(&key, keys + sizeof(uint64) * i, sizeof(key));
			if (key > PG_UINT64_MAX >> column->cells.shift)
				refuse_bytes();
			memcpy(dmp_cells_add_key(&column->cells, key), sums + (Size) i * width,
				   sizeof(double) * width);
		}
		pfree(sums);
	}
}

static DmpEncodeScan *
scan_of_bytes(const char *data, Size size, MemoryContext parent)
{
	DmpBytes b = {(char *) data, 0, size};
	int nfolds = dmp_get_count(&b, 0);
	int limit = dmp_get_count(&b, 0);
	int ncolumns = dmp_get_count(&b, 8);
	char *kinds = palloc0(ncolumns + 1);
	DmpEncodeScan *scan;
	MemoryContext old;
	int i;

	for (i = 0; i < ncolumns; i++)
		kinds[i] = dmp_get_int(&b) ? 't' : 'n';
	scan = make_scan(nfolds, limit, kinds, parent);
	old = MemoryContextSwitchTo(scan->hdr.eoh_context);
	for (i = 0; i < ncolumns; i++)
		read_column(scan, &b, &scan->columns[i]);
	MemoryContextSwitchTo(old);
	if (b.used != b.size)
		refuse_bytes();
	return scan;
}

static void
check_state(const DmpState *state, const char *data, Size size)
{
	DmpEncodeScan *scan = scan_of_bytes(data, size, CurrentMemoryContext);

	MemoryContextDelete(scan->hdr.eoh_context);
}

void
dmp_encode_scan_init(void)
{
	dmp_state_register(DMP_STATE_ENCODE, VERSION, check_state);
}

/* ------------------------------------------------------------------ merge */

static void
add_sums(double *to, const double *from, int n)
{
	int i;

	for (i = 0; i < n; i++)
		to[i] += from[i];
}

static void
merge(DmpEncodeScan *into, const DmpEncodeScan *from)
{
	MemoryContext old = MemoryContextSwitchTo(into->hdr.eoh_context);
	int i;
	int k;

	if (into->nfolds != from->nfolds || into->limit != from->limit ||
		into->ncolumns != from->ncolumns)
		refuse_bytes();
	drop_flat(into);
	for (i = 0; i < into->ncolumns; i++)
	{
		DmpEncodeColumn *to = &into->columns[i];
		const DmpEncodeColumn *other = &from->columns[i];
		double weight = to->weight + other->weight;

		if (to->text != other->text)
			refuse_bytes();
		add_sums(to->missing, other->missing, into->width);
		if (weight > 0)
			to->mean += (other->mean - to->mean) * (other->weight / weight);
		to->weight = weight;
		if (!to->text)
			dmp_cells_merge(&to->cells, &other->cells);
		for (k = 0; to->text && k < other->levels.n; k++)
		{
			const DmpLevelStats *level = &other->levels.levels[k];

			add_sums(level_sums(into, to, level->text, level->length),
					 other->sums + (Size) k * into->width, into->width);
		}
	}
	MemoryContextSwitchTo(old);
}

/* --------------------------------------------------------- SQL functions */

/* the expanded object behind an argument, else one made of its bytes */
static DmpEncodeScan *
scan_of(Datum value, MemoryContext parent)
{
	DmpState *state;

	if (VARATT_IS_EXTERNAL_EXPANDED((struct varlena *) DatumGetPointer(value)))
	{
		DmpEncodeScan *scan = (DmpEncodeScan *) DatumGetEOHP(value);

		if (scan->hdr.eoh_methods == &methods && scan->magic == MAGIC)
			return scan;
	}
	state = dmp_state_arg(value, DMP_STATE_ENCODE);
	return scan_of_bytes(DMP_STATE_DATA(state), DMP_STATE_DATA_SIZE(state), parent);
}

DmpEncodeScan *
dmp_encode_scan_result(Datum value)
{
	return scan_of(value, CurrentMemoryContext);
}

DmpEncodeScan *
dmp_encode_scan_arg(Datum value, bool isnull, const char *plan, MemoryContext parent)
{
	DmpEncodeScan *scan = isnull ? scan_of_plan(plan, parent) : scan_of(value, parent);

	drop_flat(scan);
	return scan;
}

void
dmp_encode_scan_number(DmpEncodeScan *scan, double x, double target)
{
	MemoryContext old = MemoryContextSwitchTo(scan->hdr.eoh_context);
	double *sums;

	if (scan->ncolumns != 1 || scan->columns[0].text)
		refuse_bytes();
	sums = isnan(x) ? scan->columns[0].missing : dmp_cells_at(&scan->columns[0].cells, x);
	sums[0]++;
	sums[1]++;
	sums[2] += target;
	MemoryContextSwitchTo(old);
}

static void
add_value(DmpEncodeScan *scan, int i, Datum value, bool isnull, double target, double weight,
		  int fold)
{
	DmpEncodeColumn *column = &scan->columns[i];
	double *sums = column->missing;

	if (!isnull && column->text)
	{
		int length;
		const char *text = dmp_value_text(value, scan->types[i], &length);

		sums = level_sums(scan, column, text, length);
	}
	else if (!isnull)
	{
		double x = dmp_value_number(value, scan->types[i]);

		if (!isnan(x))
		{
			/* what cells grow by is kept, what was detoasted goes with the row */
			MemoryContext old = MemoryContextSwitchTo(scan->hdr.eoh_context);

			sums = dmp_cells_at(&column->cells, x);
			MemoryContextSwitchTo(old);
		}
		if (isfinite(x))
		{
			column->weight += weight;
			column->mean += (x - column->mean) * (weight / column->weight);
		}
	}
	sums[0]++;
	sums[1 + 2 * fold] += weight;
	sums[2 + 2 * fold] += weight * target;
}

/* (state, plan, target, weight, fold, columns): weight above 0, fold from 0 on or NULL */
Datum
dmp_encode_scan_add(PG_FUNCTION_ARGS)
{
	MemoryContext context = dmp_aggregate_context(fcinfo);
	DmpEncodeScan *scan;
	double target = PG_ARGISNULL(2) ? 0 : PG_GETARG_FLOAT8(2);
	double weight = PG_ARGISNULL(3) ? 1 : PG_GETARG_FLOAT8(3);
	int fold = PG_ARGISNULL(4) ? 0 : PG_GETARG_INT32(4);
	int i;

	if (PG_ARGISNULL(0))
	{
		if (PG_ARGISNULL(1))
			refuse_bytes();
		scan = scan_of_plan(text_to_cstring(PG_GETARG_TEXT_PP(1)), context);
	}
	else
		scan = scan_of(PG_GETARG_DATUM(0), context);
	drop_flat(scan);
	if (scan->types == NULL)
	{
		if (PG_NARGS() - FIRST_COLUMN != scan->ncolumns)
			refuse_bytes();
		scan->types = MemoryContextAlloc(scan->hdr.eoh_context, sizeof(Oid) * scan->ncolumns + 1);
		for (i = 0; i < scan->ncolumns; i++)
		{
			DmpValueKind kind;

			scan->types[i] = getBaseType(get_fn_expr_argtype(fcinfo->flinfo, FIRST_COLUMN + i));
			kind = dmp_value_kind(scan->types[i]);
			if (scan->columns[i].text ? kind != DMP_VALUE_TEXT
									  : kind != DMP_VALUE_NUMBER && kind != DMP_VALUE_BOOLEAN)
				refuse_bytes();
		}
	}
	if (fold < 0 || fold >= scan->nfolds || !(weight > 0))
		refuse_bytes();
	if (!isfinite(target))
		PG_RETURN_DATUM(EOHPGetRWDatum(&scan->hdr));
	for (i = 0; i < scan->ncolumns; i++)
		add_value(scan, i, PG_GETARG_DATUM(FIRST_COLUMN + i), PG_ARGISNULL(FIRST_COLUMN + i),
				  target, weight, fold);
	PG_RETURN_DATUM(EOHPGetRWDatum(&scan->hdr));
}

Datum
dmp_encode_scan_combine(PG_FUNCTION_ARGS)
{
	MemoryContext context = dmp_aggregate_context(fcinfo);
	DmpEncodeScan *scan;
	DmpEncodeScan *other;

	if (PG_ARGISNULL(0) && PG_ARGISNULL(1))
		PG_RETURN_NULL();
	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
	{
		Datum one = PG_ARGISNULL(0) ? PG_GETARG_DATUM(1) : PG_GETARG_DATUM(0);

		scan = scan_of(one, context);
		if (MemoryContextGetParent(scan->hdr.eoh_context) == context)
			PG_RETURN_DATUM(EOHPGetRWDatum(&scan->hdr));
		(void) flat_size(&scan->hdr);
		scan = scan_of_bytes(scan->flat, scan->flat_size, context);
		PG_RETURN_DATUM(EOHPGetRWDatum(&scan->hdr));
	}
	scan = scan_of(PG_GETARG_DATUM(0), context);
	if (MemoryContextGetParent(scan->hdr.eoh_context) != context)
	{
		/* not ours to change */
		(void) flat_size(&scan->hdr);
		scan = scan_of_bytes(scan->flat, scan->flat_size, context);
	}
	other = scan_of(PG_GETARG_DATUM(1), CurrentMemoryContext);
	merge(scan, other);
	PG_RETURN_DATUM(EOHPGetRWDatum(&scan->hdr));
}

/* a flat state with everything; NULL without a row */
Datum
dmp_encode_scan_final(PG_FUNCTION_ARGS)
{
	DmpEncodeScan *scan;
	DmpState *state;
	Size size;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	scan = scan_of(PG_GETARG_DATUM(0), dmp_aggregate_context(fcinfo));
	size = flat_size(&scan->hdr);
	state = dmp_state_make(DMP_STATE_ENCODE, VERSION, scan->flat_size);
	flatten_into(&scan->hdr, state, size);
	PG_RETURN_POINTER(state);
}
