/*-------------------------------------------------------------------------
 * report.c
 *		dmp.feature_report(query, target): one scan, a row for each column.
 *
 *		query  --> SELECT target, columns as float8 or text --cursor--> rows
 *		a row  --report_column.c--> cells and moments of each column
 *		       --math/comoments--> correlations of the numbers
 *		cells  --report_column.c--> measures and warnings
 *
 * The two classes of the target are met on the way, so what is counted is its
 * second value; which of the two is the positive one is decided at the end.
 */
#include "dmp.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "clean/values.h"
#include "feature/report.h"
#include "lib/stringinfo.h"
#include "parser/parse_coerce.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

PG_FUNCTION_INFO_V1(dmp_feature_report);

#define FETCH_ROWS 1000
#define TILE 256

typedef struct Reader
{
	DmpReportTarget target;
	int ncolumns;
	DmpReportColumn *columns;
	int nnumbers;
	double *numbers; /* of the row at hand, NaN where missing */
	/* rows whose numbers wait: column by column, cells stay in the processor's cache */
	int waiting;
	double *tile; /* nnumbers x TILE, as read */
	bool second[TILE];
	double y[TILE];
	DmpComoments moments;
	MemoryContext context, per_row;
} Reader;

/* ----------------------------------------------------------------- columns */

static DmpReportKind
kind_of(Oid type)
{
	Oid base = getBaseType(type);
	char category;
	bool preferred;

	if (base == BOOLOID)
		return DMP_REPORT_BOOLEAN;
	if (base == UUIDOID)
		return DMP_REPORT_TEXT;
	get_type_category_preferred(base, &category, &preferred);
	switch (category)
	{
		case TYPCATEGORY_NUMERIC:
			/* oid and its relatives are names of things */
			return base == OIDOID || get_typtype(base) != TYPTYPE_BASE ||
						   !can_coerce_type(1, &base, (Oid[]){FLOAT8OID}, COERCION_EXPLICIT)
					   ? DMP_REPORT_TEXT
					   : DMP_REPORT_NUMBER;
		case TYPCATEGORY_DATETIME:
			return base == TIMEOID || base == TIMETZOID ? DMP_REPORT_TEXT : DMP_REPORT_TIME;
		case TYPCATEGORY_TIMESPAN:
			return DMP_REPORT_TIME;
		case TYPCATEGORY_STRING:
		case TYPCATEGORY_ENUM:
		case TYPCATEGORY_NETWORK:
			return DMP_REPORT_TEXT;
		default:
			return DMP_REPORT_OTHER;
	}
}

static void
append_value(StringInfo sql, const char *name, Oid type, DmpReportKind kind)
{
	const char *column = psprintf("q.%s", quote_identifier(name));

	switch (kind)
	{
		case DMP_REPORT_NUMBER:
			appendStringInfo(sql, "%s::float8", column);
			break;
		case DMP_REPORT_BOOLEAN:
			appendStringInfo(sql, "%s::boolean::int::float8", column);
			break;
		case DMP_REPORT_TIME:
			appendStringInfo(sql, "extract(epoch FROM %s)::float8", column);
			break;
		case DMP_REPORT_TEXT:
			appendStringInfo(sql, "%s::text", column);
			break;
		case DMP_REPORT_OTHER:
			appendStringInfo(sql, "%s IS NULL", column);
			break;
	}
}

static void
choose_target(Reader *scan, TupleDesc desc, const char *name)
{
	AttrNumber number = dmp_column_number(desc, name, "");
	Oid type = TupleDescAttr(desc, number - 1)->atttypid;
	DmpReportTarget *target = &scan->target;

	target->name = pstrdup(NameStr(TupleDescAttr(desc, number - 1)->attname));
	target->kind = kind_of(type);
	if (target->kind == DMP_REPORT_TIME || target->kind == DMP_REPORT_OTHER)
		ereport(ERROR, (errcode(ERRCODE_DATATYPE_MISMATCH),
						errmsg("target \"%s\" is of type %s", target->name, format_type_be(type)),
						errhint("A target is a boolean, a number or a text.")));
}

/* the columns but for the target; the SELECT of what is read */
static char *
choose_columns(Reader *scan, TupleDesc desc, const char *select)
{
	StringInfoData sql;
	int i;

	scan->columns = palloc0(sizeof(DmpReportColumn) * Max(desc->natts, 1));
	initStringInfo(&sql);
	appendStringInfoString(&sql, "SELECT ");
	append_value(&sql, scan->target.name, InvalidOid, scan->target.kind);
	for (i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);
		DmpReportColumn *c = &scan->columns[scan->ncolumns];

		if (att->attisdropped || strcmp(NameStr(att->attname), scan->target.name) == 0)
			continue;
		scan->ncolumns++;
		c->name = pstrdup(NameStr(att->attname));
		c->type = att->atttypid;
		c->typmod = att->atttypmod;
		c->kind = kind_of(c->type);
		c->number = c->kind <= DMP_REPORT_TIME ? scan->nnumbers++ : -1;
		dmp_report_column_init(c);
		appendStringInfoString(&sql, ", ");
		append_value(&sql, c->name, c->type, c->kind);
	}
	appendStringInfo(&sql, " FROM (%s) AS q", select);
	scan->numbers = palloc(sizeof(double) * Max(scan->nnumbers, 1));
	scan->tile = palloc(sizeof(double) * TILE * Max(scan->nnumbers, 1));
	dmp_comoments_init(&scan->moments, scan->nnumbers, &dmp_server_env);
	return sql.data;
}

/* -------------------------------------------------------------------- rows */

/* which of the target's values this is: 0 or 1, or 2 from the third on */
static int
target_value(Reader *scan, double number, const char *text, int length)
{
	DmpReportTarget *t = &scan->target;
	int i;

	for (i = 0; i < Min(t->nvalues, 2); i++)
	{
		if (t->kind == DMP_REPORT_TEXT
				? t->length[i] == length && memcmp(t->text[i], text, length) == 0
				: t->number[i] == number)
			return i;
	}
	if (t->nvalues < 2)
	{
		t->number[i] = number;
		if (t->kind == DMP_REPORT_TEXT)
		{
			t->text[i] = pnstrdup(text, length);
			t->length[i] = length;
		}
	}
	t->nvalues = Min(t->nvalues + 1, 3);
	return i;
}

/* false: the row has no target */
static bool
read_target(Reader *scan, Datum value, bool isnull, bool *second, double *y)
{
	bool is_text = scan->target.kind == DMP_REPORT_TEXT;
	const char *text = NULL;
	int length = 0, which;

	*y = 0;
	if (isnull)
		return false;
	if (is_text)
	{
		struct varlena *packed;

		MemoryContextSwitchTo(scan->per_row);
		packed = pg_detoast_datum_packed((struct varlena *) DatumGetPointer(value));
		MemoryContextSwitchTo(scan->context);
		text = VARDATA_ANY(packed);
		length = VARSIZE_ANY_EXHDR(packed);
	}
	else
	{
		*y = DatumGetFloat8(value);
		if (!isfinite(*y))
			return false;
	}
	which = target_value(scan, *y, text, length);
	*second = which == 1;
	if (is_text)
		*y = which;
	scan->target.rows++;
	if (which < 2)
		scan->target.rows_of[which]++;
	return true;
}

static void
count_numbers(Reader *scan)
{
	int i, k;

	for (i = 0; i < scan->ncolumns; i++)
	{
		DmpReportColumn *c = &scan->columns[i];

		for (k = 0; c->number >= 0 && k < scan->waiting; k++)
			dmp_report_number(c, scan->tile[(Size) c->number * TILE + k], scan->second[k],
							  scan->y[k]);
	}
	scan->waiting = 0;
}

static void
read_row(Reader *scan, HeapTuple tuple, TupleDesc desc, Datum *values, bool *nulls)
{
	bool second;
	double y;
	int i;

	heap_deform_tuple(tuple, desc, values, nulls);
	if (!read_target(scan, values[0], nulls[0], &second, &y))
		return;
	for (i = 0; i < scan->ncolumns; i++)
	{
		DmpReportColumn *c = &scan->columns[i];
		Datum value = values[1 + i];
		bool isnull = nulls[1 + i];

		if (c->number >= 0)
		{
			double x = isnull ? NAN : DatumGetFloat8(value);

			scan->tile[(Size) c->number * TILE + scan->waiting] = x;
			scan->numbers[c->number] = isfinite(x) ? x : NAN;
		}
		else if (c->kind == DMP_REPORT_OTHER)
			dmp_report_text(c, DatumGetBool(value) ? NULL : "", 0, second);
		else if (isnull)
			dmp_report_text(c, NULL, 0, second);
		else
		{
			struct varlena *packed;

			MemoryContextSwitchTo(scan->per_row);
			packed = pg_detoast_datum_packed((struct varlena *) DatumGetPointer(value));
			MemoryContextSwitchTo(scan->context);
			dmp_report_text(c, VARDATA_ANY(packed), VARSIZE_ANY_EXHDR(packed), second);
		}
	}
	dmp_comoments_add(&scan->moments, scan->numbers);
	scan->second[scan->waiting] = second;
	scan->y[scan->waiting] = y;
	if (++scan->waiting == TILE)
		count_numbers(scan);
}

static void
read_rows(Reader *scan, const char *sql)
{
	Datum *values = palloc(sizeof(Datum) * (scan->ncolumns + 1));
	bool *nulls = palloc(sizeof(bool) * (scan->ncolumns + 1));
	SPIPlanPtr plan = SPI_prepare_cursor(sql, 0, NULL, 0);
	Portal portal;

	if (plan == NULL)
		elog(ERROR, "report query failed: %s", SPI_result_code_string(SPI_result));
	portal = SPI_cursor_open(NULL, plan, NULL, NULL, false);
	for (;;)
	{
		SPITupleTable *table;
		uint64 n, k;

		SPI_cursor_fetch(portal, true, FETCH_ROWS);
		MemoryContextSwitchTo(scan->context);
		n = SPI_processed;
		if (n == 0)
			break;
		table = SPI_tuptable;
		for (k = 0; k < n; k++)
		{
			if (k % 64 == 0)
				CHECK_FOR_INTERRUPTS();
			read_row(scan, table->vals[k], table->tupdesc, values, nulls);
			MemoryContextReset(scan->per_row);
		}
		SPI_freetuptable(table);
	}
	count_numbers(scan);
	SPI_cursor_close(portal);
	SPI_freeplan(plan);
}

/* ------------------------------------------------------------------ result */

/* as dmp.train takes it: true, the larger number, yes and its like, else the later in C order */
static void
choose_positive(DmpReportTarget *t)
{
	int order;

	t->positive = 1;
	if (t->nvalues != 2)
		return;
	if (t->kind != DMP_REPORT_TEXT)
	{
		t->positive = t->number[1] > t->number[0];
		return;
	}
	if (dmp_is_positive_name(t->text[0]) != dmp_is_positive_name(t->text[1]))
	{
		t->positive = dmp_is_positive_name(t->text[1]);
		return;
	}
	order = strcmp(t->text[1], t->text[0]);
	t->positive = order > 0;
}

static Datum
number_or_null(double x, bool *isnull)
{
	*isnull = isnan(x);
	return Float8GetDatum(x);
}

static void
return_rows(FunctionCallInfo fcinfo, Reader *scan)
{
	double *vif = palloc(sizeof(double) * Max(scan->nnumbers, 1));
	int i;

	choose_positive(&scan->target);
	dmp_comoments_vif(&scan->moments, vif);
	for (i = 0; i < scan->ncolumns; i++)
	{
		DmpReportColumn *c = &scan->columns[i];
		DmpReport r;
		Datum values[10];
		bool nulls[10] = {false};

		CHECK_FOR_INTERRUPTS();
		c->vif = c->number >= 0 ? vif[c->number] : NAN;
		dmp_report_measure(c, &scan->target, &r);
		values[0] = CStringGetTextDatum(c->name);
		values[1] = CStringGetTextDatum(format_type_with_typemod(c->type, c->typmod));
		values[2] = Int64GetDatum((int64) r.rows_missing);
		nulls[3] = isnan(r.distinct);
		values[3] = Int64GetDatum(nulls[3] ? 0 : (int64) r.distinct);
		values[4] = number_or_null(r.information_value, &nulls[4]);
		values[5] = number_or_null(r.mutual_information, &nulls[5]);
		values[6] = number_or_null(r.roc_auc, &nulls[6]);
		values[7] = number_or_null(r.correlation, &nulls[7]);
		values[8] = number_or_null(c->vif, &nulls[8]);
		nulls[9] = r.warning == NULL;
		values[9] = nulls[9] ? (Datum) 0 : CStringGetTextDatum(r.warning);
		dmp_srf_row(fcinfo, values, nulls);
	}
}

/* dmp.feature_report(query, target) */
Datum
dmp_feature_report(PG_FUNCTION_ARGS)
{
	MemoryContext old;
	Reader scan = {0};
	const char *select;
	char *sql;
	TupleDesc desc;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
						errmsg("\"%s\" must not be null", PG_ARGISNULL(0) ? "query" : "target")));
	dmp_srf_begin(fcinfo);
	dmp_spi_connect();
	scan.context =
		AllocSetContextCreate(CurrentMemoryContext, "dmp feature report", ALLOCSET_DEFAULT_SIZES);
	scan.per_row =
		AllocSetContextCreate(scan.context, "dmp feature report row", ALLOCSET_SMALL_SIZES);
	old = MemoryContextSwitchTo(scan.context);
	select = dmp_query_select(text_to_cstring(PG_GETARG_TEXT_PP(0)), "query");
	desc = dmp_query_columns(select, NULL, NULL);
	choose_target(&scan, desc, text_to_cstring(PG_GETARG_TEXT_PP(1)));
	sql = choose_columns(&scan, desc, select);
	dmp_progress("feature_report: reading %d columns", scan.ncolumns);
	read_rows(&scan, sql);
	return_rows(fcinfo, &scan);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(scan.context);
	dmp_spi_finish();
	return (Datum) 0;
}
