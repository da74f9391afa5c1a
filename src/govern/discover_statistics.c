/*-------------------------------------------------------------------------
 * discover_statistics.c
 *		Personal data by what ANALYZE kept: names of columns, most common
 *		values and histogram bounds. No table is read.
 *-------------------------------------------------------------------------
 */
#include "govern/discover.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

PG_FUNCTION_INFO_V1(dmp_personal_by_statistics);

static const char columns_sql[] =
	"SELECT a.attrelid, c.relname, a.attname, a.atttypid, "
	"s.most_common_vals::pg_catalog.text::pg_catalog.text[], "
	"s.histogram_bounds::pg_catalog.text::pg_catalog.text[] "
	"FROM pg_catalog.pg_attribute a "
	"JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) a.attrelid "
	"JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace "
	"LEFT JOIN pg_catalog.pg_stats s ON s.schemaname OPERATOR(pg_catalog.=) n.nspname "
	"AND s.tablename OPERATOR(pg_catalog.=) c.relname "
	"AND s.attname OPERATOR(pg_catalog.=) a.attname "
	"AND s.inherited OPERATOR(pg_catalog.=) (c.relkind OPERATOR(pg_catalog.=) 'p') "
	"WHERE c.relkind OPERATOR(pg_catalog.=) ANY ('{r,p,m}'::pg_catalog.\"char\"[]) "
	"AND NOT c.relispartition AND n.nspname OPERATOR(pg_catalog.!~) '^pg_' "
	"AND n.nspname OPERATOR(pg_catalog.<>) ALL "
	"('{information_schema,dmp,dmp_internal}'::pg_catalog.name[]) "
	"AND a.attnum OPERATOR(pg_catalog.>) 0 AND NOT a.attisdropped "
	"AND pg_catalog.pg_has_role(c.relowner, 'USAGE') "
	"AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d "
	"WHERE d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_class'::pg_catalog.regclass "
	"AND d.objid OPERATOR(pg_catalog.=) c.oid AND d.deptype OPERATOR(pg_catalog.=) 'e') "
	"ORDER BY a.attrelid, a.attnum";

static void
add_array(DmpPersonalColumn *column, Datum array)
{
	Datum *items;
	bool *nulls;
	int n;
	int i;

	deconstruct_array(DatumGetArrayTypeP(array), TEXTOID, -1, false, TYPALIGN_INT, &items, &nulls,
					  &n);
	for (i = 0; i < n; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (!nulls[i])
			dmp_personal_column_add_text(column, TextDatumGetCString(items[i]));
	}
}

static List *
findings_of(uint64 row)
{
	bool isnull;
	Oid type = DatumGetObjectId(dmp_spi_datum(row, 4, &isnull));
	char *table = dmp_spi_text(row, 2);
	char *name = dmp_spi_text(row, 3);
	DmpPersonalColumn *column = dmp_personal_column_make(table, name, type);
	int i;

	if (column == NULL)
		return NIL;
	for (i = 5; i <= 6; i++)
	{
		Datum values = dmp_spi_datum(row, i, &isnull);

		if (!isnull)
			add_array(column, values);
	}
	if (dmp_personal_column_has_values(column))
		return dmp_personal_column_findings(column);
	return dmp_hint_findings(dmp_personal_hint(name, table), getBaseType(type),
							 "no statistics to look at");
}

/*
 * dmp_internal.personal_by_statistics() -> (relation, column_name, category,
 * evidence) of the tables of the current user and the roles he is a member of.
 */
Datum
dmp_personal_by_statistics(PG_FUNCTION_ARGS)
{
	MemoryContext memory;
	MemoryContext caller;
	uint64 n;
	uint64 i;

	dmp_srf_begin(fcinfo);
	memory = AllocSetContextCreate(CurrentMemoryContext, "dmp personal data by statistics",
								   ALLOCSET_DEFAULT_SIZES);
	dmp_spi_connect();
	n = dmp_spi(columns_sql, NULL, true);
	for (i = 0; i < n; i++)
	{
		List *findings;
		ListCell *lc;

		CHECK_FOR_INTERRUPTS();
		caller = MemoryContextSwitchTo(memory);
		findings = findings_of(i);
		foreach (lc, findings)
		{
			DmpFinding *finding = lfirst(lc);
			bool nulls[4] = {false};
			Datum values[4];

			values[0] = dmp_spi_datum(i, 1, &nulls[0]);
			values[1] = CStringGetTextDatum(dmp_spi_text(i, 3));
			values[2] = CStringGetTextDatum(finding->category);
			values[3] = CStringGetTextDatum(finding->text);
			dmp_srf_row(fcinfo, values, nulls);
		}
		MemoryContextSwitchTo(caller);
		MemoryContextReset(memory);
	}
	dmp_spi_finish();
	return (Datum) 0;
}
