/*-------------------------------------------------------------------------
 * window.c
 *		Window functions: dmp.fill_forward, and the scales dmp.z_score,
 *		dmp.min_max and dmp.robust_scale.
 *
 * They look at the partition, whatever the frame is. fill_forward remembers
 * the last value and reads each row once. The scales read the partition once,
 * at its first row, for what they need of it; the finite values alone decide,
 * as in the steps of a recipe, and a NULL stays one.
 */
#include "dmp.h"

#include <float.h>
#include <math.h>

#include "clean/values.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "windowapi.h"

PG_FUNCTION_INFO_V1(dmp_fill_forward);
PG_FUNCTION_INFO_V1(dmp_z_score);
PG_FUNCTION_INFO_V1(dmp_min_max);
PG_FUNCTION_INFO_V1(dmp_robust_scale);

/* ---------------------------------------------------------- fill_forward */

/* of a partition; zeroed when it begins */
typedef struct LastValue
{
	bool any;
	Datum value;
	Size room; /* bytes value points to */
} LastValue;

/* of a query */
typedef struct FillType
{
	int16 length;
	bool by_value;
} FillType;

static FillType *
fill_type(FunctionCallInfo fcinfo)
{
	FillType *type = fcinfo->flinfo->fn_extra;

	if (type == NULL)
	{
		Oid oid = get_fn_expr_argtype(fcinfo->flinfo, 0);

		if (!OidIsValid(oid))
			elog(ERROR, "could not determine the type of the argument of fill_forward");
		type = MemoryContextAlloc(fcinfo->flinfo->fn_mcxt, sizeof(FillType));
		get_typlenbyval(oid, &type->length, &type->by_value);
		fcinfo->flinfo->fn_extra = type;
	}
	return type;
}

/* value is kept in the partition's memory, in place of the one before; a toasted one as it is */
static void
keep_value(LastValue *last, Datum value, const FillType *type)
{
	last->any = true;
	if (type->by_value)
		last->value = value;
	else
	{
		MemoryContext context = GetMemoryChunkContext(last);
		Size size;

		/* an array that an expression has made lives no longer than this row */
		if (type->length == -1 && VARATT_IS_EXTERNAL_EXPANDED(DatumGetPointer(value)))
			value = datumCopy(value, false, type->length);
		size = datumGetSize(value, false, type->length);
		if (size > last->room)
		{
			Size room = Max(size + size / 2, 64);

			if (last->room > 0)
				pfree(DatumGetPointer(last->value));
			last->value = PointerGetDatum(MemoryContextAllocHuge(context, room));
			last->room = room;
		}
		memcpy(DatumGetPointer(last->value), DatumGetPointer(value), size);
	}
}

/*
 * dmp.fill_forward(value anyelement) OVER (... ORDER BY ...) -> anyelement
 *
 * The value, or where it is NULL the last one before it in the partition that
 * is not; NULL as long as there is none.
 */
Datum
dmp_fill_forward(PG_FUNCTION_ARGS)
{
	WindowObject window = PG_WINDOW_OBJECT();
	LastValue *last = WinGetPartitionLocalMemory(window, sizeof(LastValue));
	const FillType *type = fill_type(fcinfo);
	bool isnull;
	Datum value = WinGetFuncArgCurrent(window, 0, &isnull);

	/* rows before this one are not needed again */
	WinSetMarkPosition(window, WinGetCurrentPosition(window));
	if (!isnull)
	{
		keep_value(last, value, type);
		PG_RETURN_DATUM(value);
	}
	if (!last->any)
		PG_RETURN_NULL();
	PG_RETURN_DATUM(last->value);
}

/* ---------------------------------------------------------------- scales */

/* (x - offset) / unit of a partition */
typedef struct Scale
{
	bool known;
	double offset;
	double unit;
	double shift; /* of x and offset, a power of two, where their difference would overflow */
} Scale;

/* what is learned of the finite values of a partition */
typedef struct Finite
{
	int64 n;
	double mean;
	double squares; /* of the distances from the mean */
	double min;
	double max;
	double shift;
	DmpValues *values; /* or NULL */
} Finite;

static void
add_finite(Finite *f, double x)
{
	double distance;

	x *= f->shift;
	f->n++;
	distance = x - f->mean;
	f->mean += distance / f->n;
	f->squares += distance * (x - f->mean);
	f->min = Min(f->min, x);
	f->max = Max(f->max, x);
	if (f->values != NULL)
		dmp_values_append(f->values, x);
}

static void
read_partition(WindowObject window, Finite *f)
{
	int64 row;

	for (row = 0;; row++)
	{
		bool isnull;
		bool isout;
		Datum value;

		if (row % 1024 == 0)
			CHECK_FOR_INTERRUPTS();
		value = WinGetFuncArgInPartition(window, 0, row, WINDOW_SEEK_HEAD, false, &isnull, &isout);
		if (isout)
			break;
		if (!isnull && isfinite(DatumGetFloat8(value)))
			add_finite(f, DatumGetFloat8(value));
	}
}

static Finite
look_at(WindowObject window, void *memory, double shift, bool keep)
{
	Finite f = {0, 0, 0, INFINITY, -INFINITY, shift, NULL};

	if (keep)
		f.values = dmp_values_make(GetMemoryChunkContext(memory));
	read_partition(window, &f);
	return f;
}

typedef void (*Measure)(Finite *f, Scale *scale);

static void
measure_z_score(Finite *f, Scale *scale)
{
	scale->offset = f->mean;
	scale->unit = sqrt(f->squares / f->n);
}

static void
measure_min_max(Finite *f, Scale *scale)
{
	scale->offset = f->min;
	scale->unit = f->max - f->min;
}

static void
measure_robust(Finite *f, Scale *scale)
{
	static const double shares[] = {0.25, 0.5, 0.75};
	double q[3];

	dmp_values_quantiles(f->values, 3, shares, q);
	scale->offset = q[1];
	scale->unit = q[2] - q[0];
}

static Datum
scale_value(FunctionCallInfo fcinfo, Measure measure)
{
	WindowObject window = PG_WINDOW_OBJECT();
	Scale *scale = WinGetPartitionLocalMemory(window, sizeof(Scale));
	bool isnull;
	Datum value;
	double x;

	if (!scale->known)
	{
		bool keep = measure == measure_robust;
		Finite f = look_at(window, scale, 1, keep);

		/* numbers whose distances overflow: all of it again at a smaller scale */
		scale->shift = 1;
		if (!isfinite(f.squares) || !isfinite(f.max - f.min))
		{
			double largest = Max(fabs(f.min), fabs(f.max));

			if (f.n > 0)
			{
				scale->shift = ldexp(1, -2 - ilogb(largest));
				f = look_at(window, scale, scale->shift, keep);
			}
		}
		if (f.n > 0)
			measure(&f, scale);
		/* a constant column becomes 0 */
		if (!(scale->unit > 0))
			scale->unit = 1;
		scale->known = true;
	}
	value = WinGetFuncArgCurrent(window, 0, &isnull);
	WinSetMarkPosition(window, WinGetCurrentPosition(window));
	if (isnull)
		PG_RETURN_NULL();
	x = DatumGetFloat8(value);
	PG_RETURN_FLOAT8((x * scale->shift - scale->offset) / scale->unit);
}

/* dmp.z_score(value float8) OVER (...) -> float8: (x - mean) / standard deviation, divisor n */
Datum
dmp_z_score(PG_FUNCTION_ARGS)
{
	return scale_value(fcinfo, measure_z_score);
}

/* dmp.min_max(value float8) OVER (...) -> float8: (x - min) / (max - min), from 0 to 1 */
Datum
dmp_min_max(PG_FUNCTION_ARGS)
{
	return scale_value(fcinfo, measure_min_max);
}

/* dmp.robust_scale(value float8) OVER (...) -> float8: (x - median) / (third - first quartile) */
Datum
dmp_robust_scale(PG_FUNCTION_ARGS)
{
	return scale_value(fcinfo, measure_robust);
}
