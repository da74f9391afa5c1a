/*-------------------------------------------------------------------------
 * spi.c
 *		Statements with typed arguments and typed results.
 *
 * Values travel as parameters, never as text in the statement. The registry
 * form runs as the owner of the extension (identity.c) and is for statements
 * over dmp's own tables only, with every name qualified.
 *-------------------------------------------------------------------------
 */
#include "base/base.h"

#include "catalog/pg_type.h"
#include "nodes/params.h"
#include "utils/array.h"
#include "utils/lsyscache.h"

void
dmp_arg(DmpArgs *args, Oid type, Datum value, bool isnull)
{
	if (args->n >= DMP_MAX_ARGS)
		elog(ERROR, "too many statement arguments");
	args->types[args->n] = type;
	args->values[args->n] = isnull ? (Datum) 0 : value;
	args->nulls[args->n] = isnull ? 'n' : ' ';
	args->n++;
}

void
dmp_arg_text(DmpArgs *args, const char *value)
{
	dmp_arg(args, TEXTOID, value ? CStringGetTextDatum(value) : (Datum) 0, value == NULL);
}

void
dmp_arg_int4(DmpArgs *args, int32 value)
{
	dmp_arg(args, INT4OID, Int32GetDatum(value), false);
}

void
dmp_arg_int8(DmpArgs *args, int64 value)
{
	dmp_arg(args, INT8OID, Int64GetDatum(value), false);
}

void
dmp_arg_float8(DmpArgs *args, double value)
{
	dmp_arg(args, FLOAT8OID, Float8GetDatum(value), false);
}

void
dmp_arg_bool(DmpArgs *args, bool value)
{
	dmp_arg(args, BOOLOID, BoolGetDatum(value), false);
}

void
dmp_arg_oid(DmpArgs *args, Oid value)
{
	dmp_arg(args, OIDOID, ObjectIdGetDatum(value), false);
}

void
dmp_arg_text_array(DmpArgs *args, List *strings)
{
	int n = list_length(strings);
	Datum *items = palloc(sizeof(Datum) * Max(n, 1));
	ListCell *lc;

	foreach (lc, strings)
		items[foreach_current_index(lc)] = CStringGetTextDatum((char *) lfirst(lc));
	dmp_arg(args, TEXTARRAYOID,
			PointerGetDatum(construct_array(items, n, TEXTOID, -1, false, TYPALIGN_INT)), false);
}

void
dmp_spi_connect(void)
{
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
}

void
dmp_spi_finish(void)
{
	if (SPI_finish() != SPI_OK_FINISH)
		elog(ERROR, "SPI_finish failed");
}

uint64
dmp_spi(const char *sql, DmpArgs *args, bool read_only)
{
	int rc;

	if (args != NULL && args->n > 0)
		rc = SPI_execute_with_args(sql, args->n, args->types, args->values, args->nulls, read_only,
								   0);
	else
		rc = SPI_execute(sql, read_only, 0);
	if (rc < 0)
		elog(ERROR, "statement failed: %s: %s", SPI_result_code_string(rc), sql);
	return SPI_processed;
}

uint64
dmp_spi_registry_kept(SPIPlanPtr *plan, const char *sql, DmpArgs *args)
{
	DmpIdentity saved;
	int rc;

	dmp_identity_begin(&saved);
	if (*plan == NULL)
	{
		SPIPlanPtr made = SPI_prepare(sql, args->n, args->types);

		if (made == NULL || SPI_keepplan(made) != 0)
			elog(ERROR, "could not prepare: %s", SPI_result_code_string(SPI_result));
		*plan = made;
	}
	rc = SPI_execute_plan(*plan, args->values, args->nulls, false, 0);
	if (rc < 0)
		elog(ERROR, "statement failed: %s: %s", SPI_result_code_string(rc), sql);
	dmp_identity_end(&saved);
	return SPI_processed;
}

uint64
dmp_spi_registry(const char *sql, DmpArgs *args, bool read_only)
{
	DmpIdentity saved;
	uint64 processed;

	dmp_identity_begin(&saved);
	processed = dmp_spi(sql, args, read_only);
	dmp_identity_end(&saved);
	return processed;
}

Datum
dmp_spi_datum(uint64 row, int col, bool *isnull)
{
	Assert(SPI_tuptable != NULL && row < SPI_tuptable->numvals);
	return SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, col, isnull);
}

char *
dmp_spi_text(uint64 row, int col)
{
	bool isnull;
	Datum value = dmp_spi_datum(row, col, &isnull);
	Oid output;
	bool varlena;

	if (isnull)
		return NULL;
	getTypeOutputInfo(SPI_gettypeid(SPI_tuptable->tupdesc, col), &output, &varlena);
	return OidOutputFunctionCall(output, value);
}

int64
dmp_spi_int8(uint64 row, int col, int64 if_null)
{
	bool isnull;
	Datum value = dmp_spi_datum(row, col, &isnull);

	if (isnull)
		return if_null;
	switch (SPI_gettypeid(SPI_tuptable->tupdesc, col))
	{
		case INT2OID:
			return DatumGetInt16(value);
		case INT4OID:
			return DatumGetInt32(value);
		case INT8OID:
			return DatumGetInt64(value);
		case OIDOID:
		case REGCLASSOID:
			return DatumGetObjectId(value);
		default:
			elog(ERROR, "column %d is no integer", col);
	}
	return 0;
}

double
dmp_spi_float8(uint64 row, int col, double if_null)
{
	bool isnull;
	Datum value = dmp_spi_datum(row, col, &isnull);

	if (isnull)
		return if_null;
	if (SPI_gettypeid(SPI_tuptable->tupdesc, col) != FLOAT8OID)
		elog(ERROR, "column %d is no float8", col);
	return DatumGetFloat8(value);
}

bool
dmp_spi_bool(uint64 row, int col, bool if_null)
{
	bool isnull;
	Datum value = dmp_spi_datum(row, col, &isnull);

	if (isnull)
		return if_null;
	if (SPI_gettypeid(SPI_tuptable->tupdesc, col) != BOOLOID)
		elog(ERROR, "column %d is no boolean", col);
	return DatumGetBool(value);
}
