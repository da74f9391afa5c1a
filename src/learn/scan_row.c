/*-------------------------------------------------------------------------
 * scan_row.c
 *		Rows into tiles: reading arguments, and what happens to a full tile.
 *
 * A row costs one store a column and no test beyond NULL. Everything else is
 * done for 128 rows at once, while they are in the cache: rows with an infinity
 * are taken out, columns shifted to their pivots, moments and levels counted;
 * then the tile is kept, or summed at theta, or let go.
 *-------------------------------------------------------------------------
 */
#include "learn/scan.h"
#include "learn/scan_row.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "math/metrics.h"
#include "utils/array.h"
#include "utils/date.h"
#include "utils/lsyscache.h"
#include "utils/numeric.h"
#include "utils/timestamp.h"

#define MISSING (-2) /* code of a text that is NULL */

/* how an argument becomes a number, or (READ_TEXT, READ_OUTPUT) the bytes of a text */
enum
{
	READ_FLOAT8,
	READ_FLOAT4,
	READ_INT2,
	READ_INT4,
	READ_INT8,
	READ_NUMERIC,
	READ_BOOL,
	READ_DATE,
	READ_TIMESTAMP,
	READ_TEXT,
	READ_BPCHAR, /* blanks that pad it are no part of the value */
	READ_OUTPUT
};

static int
reader_of(Oid type, bool text)
{
	type = getBaseType(type);
	if (text)
		return type == TEXTOID || type == VARCHAROID ? READ_TEXT
			   : type == BPCHAROID                   ? READ_BPCHAR
													 : READ_OUTPUT;
	switch (type)
	{
		case FLOAT8OID:
			return READ_FLOAT8;
		case FLOAT4OID:
			return READ_FLOAT4;
		case INT2OID:
			return READ_INT2;
		case INT4OID:
			return READ_INT4;
		case INT8OID:
			return READ_INT8;
		case NUMERICOID:
			return READ_NUMERIC;
		case BOOLOID:
			return READ_BOOL;
		case DATEOID:
			return READ_DATE;
		case TIMESTAMPOID:
		case TIMESTAMPTZOID:
			return READ_TIMESTAMP;
		default:
			ereport(ERROR, errcode(ERRCODE_DATATYPE_MISMATCH),
					errmsg("type %s cannot be read as a number", format_type_be(type)));
	}
	return 0;
}

void
dmp_scan_set_types(DmpScan *scan, const Oid *types)
{
	MemoryContext old = MemoryContextSwitchTo(scan->hdr.eoh_context);
	const DmpScanPlan *plan = scan->plan;
	int i;

	scan->reader = palloc(sizeof(int) * (plan->nfeatures + 1));
	scan->output = palloc0(sizeof(FmgrInfo) * (plan->nfeatures + 1));
	scan->plain = true;
	for (i = 0; i < plan->nfeatures; i++)
	{
		scan->reader[i] = reader_of(types[i], plan->encode[i] == DMP_ENCODE_ONE_HOT);
		scan->plain &= scan->reader[i] == READ_FLOAT8;
		if (scan->reader[i] == READ_OUTPUT)
		{
			Oid function;
			bool varlena;

			getTypeOutputInfo(types[i], &function, &varlena);
			fmgr_info_cxt(function, &scan->output[i], scan->hdr.eoh_context);
		}
	}
	MemoryContextSwitchTo(old);
}

/* types of the arguments from first on, once; checked against the plan */
void
dmp_scan_read_types(DmpScan *scan, FunctionCallInfo fcinfo, int first)
{
	int n = scan->plan->nfeatures, i;
	Oid *types = palloc(sizeof(Oid) * (n + 1));

	if (PG_NARGS() - first != n)
		ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("the plan has %d features and the call %d", n, PG_NARGS() - first));
	for (i = 0; i < n; i++)
	{
		types[i] = get_fn_expr_argtype(fcinfo->flinfo, first + i);
		if (!OidIsValid(types[i]))
			elog(ERROR, "could not determine the type of argument %d", first + i);
	}
	dmp_scan_set_types(scan, types);
	pfree(types);
}

static double
read_number(int reader, Datum value)
{
	switch (reader)
	{
		case READ_FLOAT8:
			return DatumGetFloat8(value);
		case READ_FLOAT4:
			return DatumGetFloat4(value);
		case READ_INT2:
			return DatumGetInt16(value);
		case READ_INT4:
			return DatumGetInt32(value);
		case READ_INT8:
			return (double) DatumGetInt64(value);
		case READ_NUMERIC:
			return DatumGetFloat8(DirectFunctionCall1(numeric_float8_no_overflow, value));
		case READ_BOOL:
			return DatumGetBool(value);
		case READ_DATE:
		{
			DateADT d = DatumGetDateADT(value);

			if (DATE_NOT_FINITE(d))
				return DATE_IS_NOBEGIN(d) ? -INFINITY : INFINITY;
			return ((double) d + (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE)) * SECS_PER_DAY;
		}
		default:
		{
			Timestamp t = DatumGetTimestamp(value);

			if (TIMESTAMP_NOT_FINITE(t))
				return TIMESTAMP_IS_NOBEGIN(t) ? -INFINITY : INFINITY;
			return t / 1e6 + (double) (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * SECS_PER_DAY;
		}
	}
}

/* code of a text feature; new levels are learned from training rows and test rows alike, and count
 * only when a training row has them */
static int32
text_code(DmpScan *scan, int k, int feature, const char *text, Size length)
{
	MemoryContext old = MemoryContextSwitchTo(scan->hdr.eoh_context);
	bool learn = scan->plan->phase == DMP_SCAN_LEARN;
	DmpDictionary *d = learn ? &scan->stats.texts[k] : &scan->plan->stats.texts[k];
	int code = dmp_dictionary_code(d, text, length, learn);

	MemoryContextSwitchTo(old);
	if (code == -2 || (learn && d->bytes > Max(scan->budget, (Size) 1 << 24)))
		ereport(
			ERROR, errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			errmsg("text column \"%s\" has too many distinct values", scan->plan->names[feature]),
			errdetail("More than %d were met, or they are too long.", d->n),
			errhint("Encode it as \"hash\" or \"ngrams\" (option encode), or leave it out with "
					"exclude."));
	return code;
}

static int32
text_datum_code(DmpScan *scan, int k, int feature, Datum value)
{
	int32 code;

	if (scan->reader && scan->reader[feature] == READ_OUTPUT)
	{
		char *text = OutputFunctionCall(&scan->output[feature], value);

		code = text_code(scan, k, feature, text, strlen(text));
		pfree(text);
	}
	else
	{
		text *t = DatumGetTextPP(value);
		Size length = VARSIZE_ANY_EXHDR(t);

		if (scan->reader && scan->reader[feature] == READ_BPCHAR)
			while (length > 0 && VARDATA_ANY(t)[length - 1] == ' ')
				length--;
		code = text_code(scan, k, feature, VARDATA_ANY(t), length);
		if ((Pointer) t != DatumGetPointer(value))
			pfree(t);
	}
	return code;
}

void
dmp_train_refuse_negative(const char *target, double y)
{
	dmp_error_alone();
	ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			errmsg("target \"%s\" has the value %g, family \"poisson\" needs numbers from 0 on",
				   target, y));
}

/*
 * Target, weight, split and offset of a row. NULL when the row is skipped; otherwise
 * the stage it goes to, with label and weight set at its next place.
 */
static DmpStage *
admit(DmpScan *scan, FunctionCallInfo fcinfo)
{
	DmpStage *stage = &scan->stage[0];
	double y, w = 1, offset = 0;

	if (PG_ARGISNULL(2))
	{
		scan->stats.rows_skipped++;
		return NULL;
	}
	y = PG_GETARG_FLOAT8(2);
	if (scan->plan->family != DMP_BINOMIAL)
	{
		if (!isfinite(y))
		{
			scan->stats.rows_skipped++;
			return NULL;
		}
		if (y < 0 && scan->plan->family == DMP_POISSON)
			dmp_train_refuse_negative(scan->plan->target, y);
	}
	else if (y != 0 && y != 1)
	{
		if (!scan->plan->guess)
			ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					errmsg("target must be 0 or 1, got %g", y));
		if (isnan(y))
			scan->stats.rows_skipped++;
		else
			scan->stats.rows_odd++;
		return NULL;
	}
	if (scan->stats.rows_odd > 0)
		return NULL; /* nothing will come of this scan */
	if (scan->plan->has_offset)
	{
		offset = PG_ARGISNULL(5) ? NAN : PG_GETARG_FLOAT8(5);
		if (!isfinite(offset))
		{
			scan->stats.rows_skipped++;
			return NULL;
		}
	}
	if (scan->plan->has_weight)
	{
		w = PG_ARGISNULL(3) ? NAN : PG_GETARG_FLOAT8(3);
		if (!(w >= 0) || isinf(w))
			ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					PG_ARGISNULL(3) ? errmsg("weight is null")
									: errmsg("weight must be a number of 0 or more, got %g", w));
		if (w == 0)
		{
			scan->stats.rows_skipped++;
			return NULL;
		}
	}
	if (scan->plan->nfolds > 0)
	{
		double fold = PG_ARGISNULL(4) ? 0 : PG_GETARG_FLOAT8(4);

		stage = &scan->stage[fold < 0 ? 1 : 2 + Min((int) fmin(fold, 1e6), scan->plan->nfolds - 1)];
	}
	else if (scan->plan->test_fraction > 0 && !PG_ARGISNULL(4) &&
			 PG_GETARG_FLOAT8(4) < scan->plan->test_fraction)
		stage = &scan->stage[1];
	stage->label[stage->n] = y == 1;
	stage->weight[stage->n] = w;
	if (scan->plan->family != DMP_BINOMIAL || scan->plan->has_offset)
	{
		/* least squares of y about an offset are those of the difference */
		stage->target[stage->n] = scan->plan->family == DMP_GAUSSIAN ? y - offset : y;
		stage->offset[stage->n] = offset;
	}
	return stage;
}

/* a row whose features are arguments first, first + 1, ... */
void
dmp_scan_row_any(DmpScan *scan, FunctionCallInfo fcinfo, int first)
{
	const DmpScanPlan *plan = scan->plan;
	const NullableDatum *arg = &fcinfo->args[first];
	DmpStage *stage = admit(scan, fcinfo);
	double *to;
	int i, j = 0, k = 0, n;

	if (stage == NULL)
		return;
	n = stage->n;
	to = stage->dense + n;
	if (scan->plain)
		for (i = 0; i < plan->nfeatures; i++, to += DMP_STAGE_STRIDE)
			*to = arg[i].isnull ? NAN : DatumGetFloat8(arg[i].value);
	else
		for (i = 0; i < plan->nfeatures; i++)
		{
			if (plan->encode[i] == DMP_ENCODE_ONE_HOT)
			{
				stage->codes[k * DMP_TILE + n] =
					arg[i].isnull ? MISSING : text_datum_code(scan, k, i, arg[i].value);
				k++;
			}
			else
				to[j++ * DMP_STAGE_STRIDE] =
					arg[i].isnull ? NAN : read_number(scan->reader[i], arg[i].value);
		}
	if (++stage->n == DMP_TILE)
		dmp_scan_flush(scan, stage - scan->stage, false);
}

/* a row whose features are numbers float8[] (argument 6) and texts text[] (7), NULL when there are none */
void
dmp_scan_row_arrays(DmpScan *scan, FunctionCallInfo fcinfo)
{
	const DmpScanPlan *plan = scan->plan;
	DmpStage *stage = admit(scan, fcinfo);
	int n, i, j, k;

	if (stage == NULL)
		return;
	n = stage->n;
	if (plan->ndense > 0)
	{
		ArrayType *a = PG_ARGISNULL(6) ? NULL : PG_GETARG_ARRAYTYPE_P(6);
		const double *x;
		const bits8 *present;

		if (a == NULL || ARR_NDIM(a) != 1 || ARR_DIMS(a)[0] != plan->ndense)
			ereport(ERROR, errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
					errmsg("numbers must be an array of %d", plan->ndense));
		x = (const double *) ARR_DATA_PTR(a);
		present = ARR_NULLBITMAP(a);
		for (j = 0; j < plan->ndense; j++)
			stage->dense[j * DMP_STAGE_STRIDE + n] =
				present && !(present[j / 8] & (1 << (j % 8))) ? NAN : *x++;
		if ((Pointer) a != DatumGetPointer(PG_GETARG_DATUM(6)))
			pfree(a);
	}
	if (plan->ntexts > 0)
	{
		ArrayType *a = PG_ARGISNULL(7) ? NULL : PG_GETARG_ARRAYTYPE_P(7);
		Datum *values;
		bool *nulls;
		int count;

		if (a == NULL || ARR_NDIM(a) != 1 || ARR_DIMS(a)[0] != plan->ntexts)
			ereport(ERROR, errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
					errmsg("texts must be an array of %d", plan->ntexts));
		deconstruct_array(a, TEXTOID, -1, false, TYPALIGN_INT, &values, &nulls, &count);
		for (i = k = 0; i < plan->nfeatures; i++)
			if (plan->encode[i] == DMP_ENCODE_ONE_HOT)
			{
				stage->codes[k * DMP_TILE + n] =
					nulls[k] ? MISSING : text_datum_code(scan, k, i, values[k]);
				k++;
			}
		pfree(values);
		pfree(nulls);
		if ((Pointer) a != DatumGetPointer(PG_GETARG_DATUM(7)))
			pfree(a);
	}
	if (++stage->n == DMP_TILE)
		dmp_scan_flush(scan, stage - scan->stage, false);
}

/* a row of finite numbers without weight, of a plan that has dense columns only */
void
dmp_scan_row_doubles(DmpScan *scan, double label, const double *x)
{
	DmpStage *stage = &scan->stage[0];
	double *to = stage->dense + stage->n;
	int j;

	for (j = 0; j < scan->plan->ndense; j++, to += DMP_STAGE_STRIDE)
		*to = x[j];
	stage->label[stage->n] = label == 1;
	stage->weight[stage->n] = 1;
	if (scan->flat)
	{
		pfree(scan->flat);
		scan->flat = NULL;
	}
	if (++stage->n == DMP_TILE)
		dmp_scan_flush(scan, 0, false);
}

/* ----------------------------------------------------------- a full tile */

/* the first tile decides the pivots: means of what is finite in it */
static void
choose_pivots(DmpScan *scan, const DmpStage *stage)
{
	int j, i;

	for (j = 0; j < scan->plan->ndense; j++)
	{
		const double *x = stage->dense + j * DMP_STAGE_STRIDE;
		double mean = 0;
		int n = 0;

		for (i = 0; i < stage->n && scan->plan->intercept; i++)
			if (isfinite(x[i]))
				mean += (x[i] - mean) / ++n;
		scan->stats.pivot[j] = isfinite(mean) ? mean : 0;
	}
	if (scan->plan->family == DMP_GAUSSIAN)
	{
		double mean = 0;

		for (i = 0; i < stage->n && scan->plan->intercept; i++)
			mean += (stage->target[i] - mean) / (i + 1);
		scan->stats.target_pivot = mean;
	}
	scan->have_pivot = true;
}

/* takes rows with an infinity out of the stage; how many */
static int
drop_infinite(DmpScan *scan, DmpStage *stage)
{
	int nd = scan->plan->ndense, nt = scan->plan->ntexts, i, j, kept = 0, dropped;

	for (i = 0; i < stage->n; i++)
	{
		bool infinite = false;

		for (j = 0; j < nd; j++)
			infinite |= isinf(stage->dense[j * DMP_STAGE_STRIDE + i]) != 0;
		if (infinite)
			continue;
		if (kept != i)
		{
			for (j = 0; j < nd; j++)
				stage->dense[j * DMP_STAGE_STRIDE + kept] = stage->dense[j * DMP_STAGE_STRIDE + i];
			for (j = 0; j < nt; j++)
				stage->codes[j * DMP_TILE + kept] = stage->codes[j * DMP_TILE + i];
			stage->tag[kept] = stage->tag[i];
			stage->label[kept] = stage->label[i];
			stage->weight[kept] = stage->weight[i];
			stage->target[kept] = stage->target[i];
			stage->offset[kept] = stage->offset[i];
		}
		kept++;
	}
	dropped = stage->n - kept;
	stage->n = kept;
	scan->stats.rows_skipped += dropped;
	return dropped;
}

/* values of a column with missing ones, into its own statistics; y: NULL when binomial */
static void
count_column(DmpColumnStats *c, const double *x, const DmpStage *stage, const double *y)
{
	int i;

	for (i = 0; i < stage->n; i++)
	{
		double w = stage->weight[i], delta;

		if (isnan(x[i]))
		{
			c->rows_missing++;
			c->missing_weight += w;
			c->missing_positive += y ? w * y[i] : stage->label[i] ? w : 0;
			continue;
		}
		if (!(c->weight > 0))
			c->low = c->high = x[i];
		c->weight += w;
		delta = x[i] - c->mean;
		c->mean += delta * (w / c->weight);
		c->m2 += w * delta * (x[i] - c->mean);
		c->low = Min(c->low, x[i]);
		c->high = Max(c->high, x[i]);
		if (y)
		{
			c->weight_positive += w * y[i];
			c->positive_mean += w * y[i] * x[i];
		}
		else if (stage->label[i])
		{
			c->weight_positive += w;
			c->positive_mean += (x[i] - c->positive_mean) * (w / c->weight_positive);
		}
	}
}

/* moments, levels: what LEARN finds out; x is the shifted tile */
static void
count_tile(DmpScan *scan, const DmpStage *stage, const DmpGlmTile *tile, const bool *missing)
{
	int nd = scan->plan->ndense, j, k, i;

	for (j = 0; j < nd; j++)
		if (missing[j] && !scan->has_missing[j])
		{
			/* until now its moments were with the others */
			dmp_scan_stats_sync(scan);
			scan->has_missing[j] = scan->any_missing = true;
		}
	dmp_moments_tile(&scan->moments, nd, tile);
	for (j = 0; j < nd; j++)
		if (scan->has_missing[j])
			count_column(&scan->stats.columns[j], tile->dense + (Size) j * DMP_TILE, stage,
						 tile->target);
	for (k = 0; k < scan->plan->ntexts; k++)
	{
		DmpDictionary *d = &scan->stats.texts[k];
		const int32 *code = stage->codes + k * DMP_TILE;

		for (i = 0; i < stage->n; i++)
		{
			double w = stage->weight[i];
			double p = tile->target ? w * tile->target[i] : stage->label[i] ? w : 0;

			if (code[i] == MISSING)
			{
				d->rows_missing++;
				d->missing_weight += w;
				d->missing_positive += p;
			}
			else
			{
				d->levels[code[i]].rows++;
				d->levels[code[i]].weight += w;
				d->levels[code[i]].positive += p;
			}
		}
	}
}

/* with the layout known: missing values filled, codes to parameters */
static void
apply_layout(DmpScan *scan, const DmpStage *stage)
{
	const DmpLayout *l = &scan->plan->layout;
	int nd = scan->plan->ndense, nt = scan->plan->ntexts, i, j, k;

	for (j = 0; j < nd; j++)
	{
		double *x = scan->tile + (Size) j * DMP_TILE;
		int32 *flag =
			l->flag_column[j] < 0 ? NULL : scan->tile_codes + l->flag_column[j] * DMP_TILE;

		for (i = 0; i < stage->n; i++)
		{
			bool is_missing = isnan(x[i]);

			if (is_missing)
				x[i] = l->fill[j];
			if (flag)
				flag[i] = is_missing ? l->flag_param[j] : -1;
		}
	}
	for (k = 0; k < nt; k++)
	{
		const DmpTextMap *map = &l->texts[k];
		int32 *to = scan->tile_codes + k * DMP_TILE;
		const int32 *code = stage->codes + k * DMP_TILE;

		for (i = 0; i < stage->n; i++)
			to[i] = code[i] == MISSING ? map->missing_param
					: code[i] < 0      ? -1
									   : map->param[code[i]];
	}
}

/* memory is full: from now on rows are summed, or only counted */
static void
overflow(DmpScan *scan)
{
	if (scan->plan->phase == DMP_SCAN_LEARN && (scan->any_missing || scan->plan->ntexts > 0))
		dmp_scan_count_only(scan);
	else
		dmp_scan_close_block(scan);
}

void
dmp_scan_count_only(DmpScan *scan)
{
	dmp_store_free(&scan->train);
	dmp_store_free(&scan->test);
	scan->quadratic = NULL;
	scan->statistics_only = true;
	scan->mode = DMP_MODE_COUNT;
}

/* y log(y / mu) - (y - mu), doubled; a count of 0 leaves mu alone */
static double
poisson_deviance(double y, double margin)
{
	double mu = exp(fmin(margin, 700));

	return 2 * (y > 0 ? y * (log(y) - margin) - (y - mu) : mu);
}

void
dmp_errors_tile(DmpErrorSums *e, DmpFamily family, const DmpGlmTile *tile, const double *margins)
{
	int i;

	for (i = 0; i < tile->n; i++)
	{
		double w = tile->weight ? tile->weight[i] : 1, y = tile->target[i], delta;
		double error = y - (family == DMP_POISSON ? exp(fmin(margins[i], 700)) : margins[i]);

		e->weight += w;
		if (tile->weight)
			e->log_weight += log(w);
		if (family == DMP_POISSON && y > 1)
			e->log_factorial += w * lgamma(y + 1);
		e->absolute += w * fabs(error);
		e->square += w * error * error;
		e->deviance +=
			w * (family == DMP_POISSON ? poisson_deviance(y, margins[i]) : error * error);
		delta = y - e->target_mean;
		e->target_mean += delta * (w / e->weight);
		e->target_m2 += w * delta * (y - e->target_mean);
	}
}

void
dmp_errors_merge(DmpErrorSums *into, const DmpErrorSums *from)
{
	double all = into->weight + from->weight, delta = from->target_mean - into->target_mean;

	if (!(from->weight > 0))
		return;
	into->absolute += from->absolute;
	into->square += from->square;
	into->deviance += from->deviance;
	into->log_weight += from->log_weight;
	into->log_factorial += from->log_factorial;
	into->target_mean += delta * (from->weight / all);
	into->target_m2 += from->target_m2 + delta * delta * (into->weight * (from->weight / all));
	into->weight = all;
}

/* margins of a tile into the histogram, of training (0) or test rows (1) */
static void
evaluate_tile(DmpScan *scan, const DmpGlmTile *tile, int which)
{
	double scale = DMP_HISTOGRAM_BINS / (scan->plan->high - scan->plan->low);
	double *h = scan->histogram + 2 * which * DMP_HISTOGRAM_BINS;
	int i;

	if (tile->target)
	{
		dmp_errors_tile(&scan->errors[which], scan->plan->family, tile, scan->margins);
		return;
	}
	for (i = 0; i < tile->n; i++)
	{
		double w = tile->weight ? tile->weight[i] : 1;
		double at = (scan->margins[i] - scan->plan->low) * scale;
		int bin = !(at > 0) ? 0 : at >= DMP_HISTOGRAM_BINS ? DMP_HISTOGRAM_BINS - 1 : (int) at;

		h[(tile->label[i] ? DMP_HISTOGRAM_BINS : 0) + bin] += w;
		if (which == 1)
		{
			scan->test_loss += w * dmp_log_loss_margin(scan->margins[i], tile->label[i]);
			scan->test_weight += w;
		}
	}
}

/* rows for a path, and memory is full: every other tile goes, and from now on does not come */
static void
keep_fewer(DmpScan *scan)
{
	int i;

	scan->keep *= 2;
	dmp_store_thin(scan, &scan->train);
	dmp_store_thin(scan, &scan->test);
	for (i = 0; i < scan->plan->nfolds; i++)
		dmp_store_thin(scan, &scan->folds[i]);
}

/* what becomes of a tile that is ready */
static void
use_tile(DmpScan *scan, int which, DmpGlmTile *tile, bool any_nan)
{
	const DmpScanPlan *plan = scan->plan;

	if (plan->phase == DMP_SCAN_EVALUATE)
	{
		dmp_glm_tile(&scan->shape, tile, plan->theta, NULL, NULL, scan->margins, scan->scratch);
		evaluate_tile(scan, tile, which == 1);
		return;
	}
	if (plan->phase == DMP_SCAN_PATH)
	{
		dmp_scan_path_tile(scan, tile, which);
		return;
	}
	if (scan->mode == DMP_MODE_PACK)
	{
		DmpStore *store = which == 0   ? &scan->train
						  : which == 1 ? &scan->test
									   : &scan->folds[which - 2];

		if (plan->nlambdas > 0 && scan->seen[which]++ % scan->keep != 0)
			return;
		if (dmp_store_append(scan, store, tile))
			return;
		if (plan->nlambdas > 0)
		{
			keep_fewer(scan);
			/* this tile is one of every so many too, or it would be of the rarer kept */
			if ((scan->seen[which] - 1) % scan->keep == 0)
				(void) dmp_store_append(scan, store, tile);
			return;
		}
		overflow(scan);
	}
	if (which == 1 || scan->mode != DMP_MODE_STREAM)
		return;
	if (plan->phase == DMP_SCAN_LEARN && any_nan)
	{
		/* the quadratics so far know nothing of a missing flag */
		dmp_scan_count_only(scan);
		return;
	}
	dmp_scan_stream_tile(scan, tile);
	if (plan->phase == DMP_SCAN_GRADIENT)
		evaluate_tile(scan, tile, 0);
}

static void
count_target(DmpStats *s, const DmpStage *stage, const double *y)
{
	int i;

	for (i = 0; i < stage->n; i++)
	{
		double w = stage->weight[i], mean, delta;

		if (!(s->weight > 0))
			s->target_low = s->target_high = y[i];
		mean = s->weight > 0 ? s->weight_positive / s->weight : 0;
		delta = y[i] - mean;
		s->target_m2 += w * delta * delta * (s->weight / (s->weight + w));
		s->weight += w;
		s->weight_positive += w * y[i];
		s->target_low = Min(s->target_low, y[i]);
		s->target_high = Max(s->target_high, y[i]);
	}
}

/* weight: of all rows, these included */
static void
count_offset(DmpStats *s, const DmpStage *stage, double weight)
{
	double before = weight;
	int i;

	for (i = 0; i < stage->n; i++)
		before -= stage->weight[i];
	before = Max(before, 0);
	for (i = 0; i < stage->n; i++)
	{
		double w = stage->weight[i], o = stage->offset[i], delta = o - s->offset_mean;
		double y = stage->target[i];

		before += w;
		s->offset_mean += delta * (w / before);
		s->offset_m2 += w * delta * (o - s->offset_mean);
		s->offset_exp += w * exp(Min(o, 700));
		s->offset_target += w * y * o;
	}
}

/*
 * Empties a stage. final: also when it is not full, and then no row may follow
 * (a short tile is always the last of its store).
 */
void
dmp_scan_flush(DmpScan *scan, int which, bool final)
{
	DmpStage *stage = &scan->stage[which];
	int nd = scan->plan->ndense, i, j;
	bool nonfinite = false, any_nan = false;
	bool *missing = scan->tile_missing;
	DmpGlmTile tile;

	CHECK_FOR_INTERRUPTS();
	if (stage->n == 0)
		return;
	if (!scan->have_pivot)
		choose_pivots(scan, stage);
	for (j = 0; j < nd; j++)
	{
		double *x = stage->dense + j * DMP_STAGE_STRIDE;

		for (i = stage->n; i < DMP_TILE; i++)
			x[i] = scan->stats.pivot[j]; /* padding becomes 0 */
		missing[j] = dmp_tile_shift(x, scan->stats.pivot[j], scan->tile + (Size) j * DMP_TILE);
		nonfinite |= missing[j];
	}
	if (nonfinite && drop_infinite(scan, stage) > 0)
	{
		if (stage->n == DMP_TILE || final)
			dmp_scan_flush(scan, which, final);
		return;
	}
	any_nan = nonfinite; /* infinities are gone: what is left is NaN */
	if (scan->tap)
		scan->tap(scan, which, scan->tap_arg);
	for (i = stage->n; i < DMP_TILE; i++)
	{
		stage->label[i] = 0;
		stage->weight[i] = 0;
		stage->target[i] = scan->stats.target_pivot;
		stage->offset[i] = 0;
		for (j = 0; j < scan->plan->ntexts; j++)
			stage->codes[j * DMP_TILE + i] = -1;
		for (j = 0; j < scan->shape.ncoded; j++)
			scan->tile_codes[j * DMP_TILE + i] = -1;
	}
	tile.n = stage->n;
	tile.dense = scan->tile;
	tile.codes = scan->plan->phase == DMP_SCAN_LEARN ? stage->codes : scan->tile_codes;
	tile.label = stage->label;
	tile.weight = scan->plan->has_weight ? stage->weight : NULL;
	tile.target = NULL;
	tile.offset =
		scan->plan->has_offset && scan->plan->family != DMP_GAUSSIAN ? stage->offset : NULL;
	if (scan->plan->family != DMP_BINOMIAL)
	{
		for (i = 0; i < DMP_TILE; i++)
			scan->tile_target[i] = stage->target[i] - scan->stats.target_pivot;
		tile.target = scan->tile_target;
	}
	if (which == 1)
		scan->stats.rows_test += stage->n;
	else
	{
		scan->stats.rows += stage->n;
		if (tile.target)
			count_target(&scan->stats, stage, tile.target);
		else
			for (i = 0; i < stage->n; i++)
			{
				scan->stats.weight += stage->weight[i];
				scan->stats.weight_positive += stage->label[i] ? stage->weight[i] : 0;
				scan->stats.rows_positive += stage->label[i];
			}
		if (scan->plan->has_offset)
			count_offset(&scan->stats, stage, scan->stats.weight);
		if (scan->plan->phase == DMP_SCAN_LEARN)
			count_tile(scan, stage, &tile, missing);
	}
	if (scan->plan->phase != DMP_SCAN_LEARN)
		apply_layout(scan, stage);
	use_tile(scan, which, &tile, any_nan);
	stage->n = 0;
}
