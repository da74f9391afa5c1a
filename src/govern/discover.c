/*-------------------------------------------------------------------------
 * discover.c
 *		dmp.find_personal_data: a sample of every table, column by column.
 *
 * A table is read as the caller, up to SAMPLE_ROWS rows: all of a small one,
 * else blocks drawn by a fixed seed, so that the same table gives the same
 * answer. Columns that the statistics show to be empty or too short are not
 * read. Over all tables, one that cannot be read is a row that says so; one
 * with row policies of another role is not read unless it is named: its
 * owner's expressions would run with the caller's rights.
 *-------------------------------------------------------------------------
 */
#include "govern/discover.h"

#include <math.h>

#include "access/xact.h"
#include "catalog/pg_class.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_type.h"
#include "utils/acl.h"
#include "utils/float.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
#include "utils/rls.h"

PG_FUNCTION_INFO_V1(dmp_find_personal_data);

#define SAMPLE_ROWS 1000
#define SAMPLE_BLOCKS 60 /* of a table that is not small */
#define FETCH_ROWS 50
#define FEWEST_BYTES 4 /* on average: shorter texts are codes */

typedef struct Look
{
	Oid relid;
	const char *name; /* without its schema */
	int n;
	char **names;
	Oid *types;
	bool *readable;
	bool *worthless; /* by the statistics */
	DmpPersonalColumn **columns;
} Look;

static void
report(FunctionCallInfo fcinfo, Oid relid, const char *column, const DmpFinding *finding)
{
	Datum values[6];
	bool nulls[6] = {false};

	values[0] = ObjectIdGetDatum(relid);
	nulls[1] = column == NULL;
	if (column != NULL)
		values[1] = CStringGetTextDatum(column);
	nulls[2] = finding->category == NULL;
	nulls[3] = isnan(finding->share);
	values[3] = Float8GetDatum(rint(finding->share * 1000) / 1000);
	values[4] = CStringGetTextDatum(finding->text);
	nulls[5] = nulls[1] || nulls[2];
	if (!nulls[2])
		values[2] = CStringGetTextDatum(finding->category);
	if (!nulls[5])
		values[5] = CStringGetTextDatum(
			psprintf("SELECT dmp.tag(%s, %s, %s)", quote_literal_cstr(dmp_relation_name(relid)),
					 quote_literal_cstr(column), quote_literal_cstr(finding->category)));
	dmp_srf_row(fcinfo, values, nulls);
}

static void
report_all(FunctionCallInfo fcinfo, Oid relid, const char *column, List *findings)
{
	ListCell *lc;

	foreach (lc, findings)
		report(fcinfo, relid, column, lfirst(lc));
}

static void
report_unread(FunctionCallInfo fcinfo, Oid relid, const char *why)
{
	DmpFinding finding = {NULL, get_float8_nan(), psprintf("not read: %s", why)};

	report(fcinfo, relid, NULL, &finding);
}

/* ---- what there is to read */

static void
look_at_columns(Look *look)
{
	MemoryContext caller = CurrentMemoryContext;
	DmpArgs args = {0};
	uint64 n;
	uint64 i;

	dmp_spi_connect();
	dmp_arg_oid(&args, look->relid);
	n = dmp_spi(
		"SELECT a.attname, a.atttypid, "
		"pg_catalog.has_column_privilege(a.attrelid, a.attnum, 'SELECT'), "
		"s.null_frac OPERATOR(pg_catalog.>=) 1 OR s.avg_width OPERATOR(pg_catalog.<) " CppAsString2(
			FEWEST_BYTES) " "
						  "FROM pg_catalog.pg_attribute a "
						  "JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) a.attrelid "
						  "JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) "
						  "c.relnamespace "
						  "LEFT JOIN pg_catalog.pg_stats s ON s.schemaname OPERATOR(pg_catalog.=) "
						  "n.nspname "
						  "AND s.tablename OPERATOR(pg_catalog.=) c.relname "
						  "AND s.attname OPERATOR(pg_catalog.=) a.attname "
						  "AND s.inherited OPERATOR(pg_catalog.=) (c.relkind "
						  "OPERATOR(pg_catalog.=) 'p') "
						  "WHERE a.attrelid OPERATOR(pg_catalog.=) $1 "
						  "AND a.attnum OPERATOR(pg_catalog.>) 0 AND NOT a.attisdropped ORDER BY "
						  "a.attnum",
		&args, true);
	MemoryContextSwitchTo(caller);
	look->names = palloc0(sizeof(char *) * (n + 1));
	look->types = palloc0(sizeof(Oid) * (n + 1));
	look->readable = palloc0(sizeof(bool) * (n + 1));
	look->worthless = palloc0(sizeof(bool) * (n + 1));
	look->columns = palloc0(sizeof(DmpPersonalColumn *) * (n + 1));
	look->n = (int) n;
	for (i = 0; i < n; i++)
	{
		bool isnull;

		look->names[i] = MemoryContextStrdup(caller, dmp_spi_text(i, 1));
		look->types[i] = DatumGetObjectId(dmp_spi_datum(i, 2, &isnull));
		look->readable[i] = dmp_spi_bool(i, 3, false);
		look->worthless[i] = dmp_spi_bool(i, 4, false);
	}
	dmp_spi_finish();
}

/* blocks of the table, or of its partitions */
static double
blocks_of(Oid relid)
{
	DmpArgs args = {0};
	double blocks;

	dmp_spi_connect();
	dmp_arg_oid(&args, relid);
	dmp_spi("SELECT pg_catalog.sum(pg_catalog.pg_relation_size(t.relid) OPERATOR(pg_catalog./) "
			"pg_catalog.current_setting('block_size')::pg_catalog.int8)::pg_catalog.float8 "
			"FROM (SELECT relid FROM pg_catalog.pg_partition_tree($1) "
			"UNION SELECT $1) t(relid) "
			"JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) t.relid "
			"WHERE c.relkind OPERATOR(pg_catalog.=) ANY ('{r,m}'::pg_catalog.\"char\"[])",
			&args, true);
	blocks = dmp_spi_float8(0, 1, 0);
	dmp_spi_finish();
	return blocks;
}

/* ---- reading */

/* Reads what select gives into the columns; the rows there were. */
static int
read_rows(Look *look, const char *select)
{
	MemoryContext scratch;
	MemoryContext before;
	Portal portal;
	int rows = 0;

	scratch =
		AllocSetContextCreate(CurrentMemoryContext, "dmp personal data", ALLOCSET_DEFAULT_SIZES);
	dmp_spi_connect();
	portal = SPI_cursor_open_with_args(NULL, select, 0, NULL, NULL, NULL, true, 0);
	for (;;)
	{
		uint64 i;

		SPI_cursor_fetch(portal, true, FETCH_ROWS);
		if (SPI_processed == 0)
			break;
		for (i = 0; i < SPI_processed; i++)
		{
			int at = 0;
			int j;

			CHECK_FOR_INTERRUPTS();
			before = MemoryContextSwitchTo(scratch);
			for (j = 0; j < look->n; j++)
			{
				bool isnull;
				Datum value;

				if (look->columns[j] == NULL)
					continue;
				value = dmp_spi_datum(i, ++at, &isnull);
				dmp_personal_column_add(look->columns[j], value, isnull);
			}
			MemoryContextSwitchTo(before);
			MemoryContextReset(scratch);
			rows++;
		}
		SPI_freetuptable(SPI_tuptable);
	}
	SPI_cursor_close(portal);
	dmp_spi_finish();
	MemoryContextDelete(scratch);
	return rows;
}

static void
read_sample(Look *look, char kind)
{
	char *name = dmp_relation_name(look->relid);
	StringInfoData list;
	double blocks;
	const char *only = kind == RELKIND_RELATION ? "ONLY " : "";
	int i;

	initStringInfo(&list);
	for (i = 0; i < look->n; i++)
	{
		DmpPersonalColumn *column;

		if (!look->readable[i])
			continue;
		column = dmp_personal_column_make(look->name, look->names[i], look->types[i]);
		if (column == NULL || (look->worthless[i] && dmp_personal_column_hint(column).kinds == 0))
			continue;
		look->columns[i] = column;
		appendStringInfo(&list, "%s%s", list.len > 0 ? ", " : "", dmp_personal_column_sql(column));
	}
	if (list.len == 0)
		return;
	blocks =
		kind == RELKIND_RELATION || kind == RELKIND_MATVIEW || kind == RELKIND_PARTITIONED_TABLE
			? blocks_of(look->relid)
			: 0;
	if (blocks > SAMPLE_BLOCKS * 2 &&
		read_rows(look,
				  psprintf("SELECT %s FROM %s%s TABLESAMPLE pg_catalog.system (%.6g) "
						   "REPEATABLE (0) LIMIT %d",
						   list.data, only, name, SAMPLE_BLOCKS * 100.0 / blocks, SAMPLE_ROWS)) > 0)
		return;
	read_rows(look, psprintf("SELECT %s FROM %s%s LIMIT %d", list.data, only, name, SAMPLE_ROWS));
}

/* ---- tables */

/* Why the caller cannot read the table, or NULL. named: he asked for this one. */
static const char *
refusal(const Look *look, bool named)
{
	Oid schema = get_rel_namespace(look->relid);
	bool any = false;
	int i;

	if (pg_namespace_aclcheck(schema, GetUserId(), ACL_USAGE) != ACLCHECK_OK)
		return psprintf("permission denied for schema %s", get_namespace_name(schema));
	for (i = 0; i < look->n; i++)
		any |= look->readable[i];
	if (!any && look->n > 0)
		return psprintf("permission denied for table %s", look->name);
	if (!named && check_enable_rls(look->relid, InvalidOid, true) == RLS_ENABLED &&
		!pg_class_ownercheck(look->relid, GetUserId()))
		return "row policies of its owner would run as you; name the table to have it read";
	return NULL;
}

static void
look_at(FunctionCallInfo fcinfo, Oid relid, bool named)
{
	Look look = {0};
	char kind = get_rel_relkind(relid);
	const char *why;
	int i;

	look.relid = relid;
	look.name = get_rel_name(relid);
	if (look.name == NULL)
		return;
	look_at_columns(&look);
	why = refusal(&look, named);
	if (why != NULL)
		report_unread(fcinfo, relid, why);
	else
		read_sample(&look, kind);
	for (i = 0; i < look.n; i++)
	{
		DmpPersonalHint hint;

		if (look.columns[i] != NULL && dmp_personal_column_has_values(look.columns[i]))
		{
			report_all(fcinfo, relid, look.names[i], dmp_personal_column_findings(look.columns[i]));
			continue;
		}
		if (dmp_personal_column_make(look.name, look.names[i], look.types[i]) == NULL)
			continue;
		hint = dmp_personal_hint(look.names[i], look.name);
		report_all(fcinfo, relid, look.names[i],
				   dmp_hint_findings(hint, getBaseType(look.types[i]),
									 why != NULL || !look.readable[i]
										 ? "no right to read its values"
										 : "no values to look at"));
	}
}

/*
 * The same in a subtransaction: what is wrong with one table (a storage that
 * does not answer, a table dropped meanwhile) is no reason to leave the others.
 */
static void
look_at_one_of_many(FunctionCallInfo fcinfo, Oid relid)
{
	MemoryContext caller = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(caller);
	PG_TRY();
	{
		look_at(fcinfo, relid, false);
		ReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(caller);
		CurrentResourceOwner = owner;
	}
	PG_CATCH();
	{
		ErrorData *error;

		MemoryContextSwitchTo(caller);
		error = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(caller);
		CurrentResourceOwner = owner;
		if (error->sqlerrcode == ERRCODE_QUERY_CANCELED ||
			ERRCODE_TO_CATEGORY(error->sqlerrcode) == ERRCODE_OPERATOR_INTERVENTION ||
			ERRCODE_TO_CATEGORY(error->sqlerrcode) == ERRCODE_INTERNAL_ERROR)
			ReThrowError(error);
		if (get_rel_name(relid) != NULL)
			report_unread(fcinfo, relid, error->message);
	}
	PG_END_TRY();
}

/* tables of users: partitions through their parents, nothing of extensions and of other sessions */
static List *
tables_of_users(void)
{
	MemoryContext caller = CurrentMemoryContext;
	List *tables = NIL;
	uint64 n;
	uint64 i;

	dmp_spi_connect();
	n = dmp_spi(
		"SELECT c.oid FROM pg_catalog.pg_class c "
		"JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace "
		"WHERE c.relkind OPERATOR(pg_catalog.=) ANY ('{r,p,m}'::pg_catalog.\"char\"[]) "
		"AND NOT c.relispartition AND n.nspname OPERATOR(pg_catalog.!~) '^pg_' "
		"AND n.nspname OPERATOR(pg_catalog.<>) ALL "
		"('{information_schema,dmp,dmp_internal}'::pg_catalog.name[]) "
		"AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d "
		"WHERE d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_class'::pg_catalog.regclass "
		"AND d.objid OPERATOR(pg_catalog.=) c.oid AND d.deptype OPERATOR(pg_catalog.=) 'e') "
		"UNION ALL SELECT c.oid FROM pg_catalog.pg_class c "
		"WHERE c.relnamespace OPERATOR(pg_catalog.=) pg_catalog.pg_my_temp_schema() "
		"AND c.relkind OPERATOR(pg_catalog.=) ANY ('{r,p}'::pg_catalog.\"char\"[]) "
		"AND NOT c.relispartition "
		"ORDER BY 1",
		NULL, true);
	for (i = 0; i < n; i++)
	{
		bool isnull;
		Oid relid = DatumGetObjectId(dmp_spi_datum(i, 1, &isnull));
		MemoryContext before = MemoryContextSwitchTo(caller);

		tables = lappend_oid(tables, relid);
		MemoryContextSwitchTo(before);
	}
	dmp_spi_finish();
	return tables;
}

/*
 * dmp.find_personal_data(rel regclass DEFAULT NULL) -> TABLE(relation,
 * column_name, category, share, evidence, suggestion)
 *
 * A row for each column (and json leaf) and category found, with the share of
 * the sample's values that are of it; share is NULL where only the name could
 * be judged. NULL: every table and materialized view of the database; views
 * and foreign tables are read when they are named. Values are never shown.
 */
Datum
dmp_find_personal_data(PG_FUNCTION_ARGS)
{
	MemoryContext memory;
	MemoryContext caller;
	List *tables;
	ListCell *lc;

	dmp_srf_begin(fcinfo);
	if (!PG_ARGISNULL(0))
	{
		Oid relid = PG_GETARG_OID(0);
		char kind = get_rel_relkind(relid);

		if (kind != RELKIND_RELATION && kind != RELKIND_PARTITIONED_TABLE &&
			kind != RELKIND_MATVIEW && kind != RELKIND_VIEW && kind != RELKIND_FOREIGN_TABLE)
			ereport(ERROR, (errcode(ERRCODE_WRONG_OBJECT_TYPE),
							errmsg("%s is no table or view", dmp_relation_name(relid))));
		look_at(fcinfo, relid, true);
		return (Datum) 0;
	}
	tables = tables_of_users();
	memory = AllocSetContextCreate(CurrentMemoryContext, "dmp personal data of a table",
								   ALLOCSET_DEFAULT_SIZES);
	foreach (lc, tables)
	{
		CHECK_FOR_INTERRUPTS();
		caller = MemoryContextSwitchTo(memory);
		look_at_one_of_many(fcinfo, lfirst_oid(lc));
		MemoryContextSwitchTo(caller);
		MemoryContextReset(memory);
	}
	return (Datum) 0;
}
