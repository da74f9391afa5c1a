/*-------------------------------------------------------------------------
 * registry.c
 *		What is stored of a feature set.
 *
 * dmp_internal.feature_set holds the parts of the definition as they were
 * given. It does not hold the events table: the functions of the set depend on
 * that, and the server keeps such dependencies through renames and restores.
 * So the table is whatever feature.<name>_for reads.
 *-------------------------------------------------------------------------
 */
#include "feature/feature.h"

#include "catalog/pg_type.h"
#include "utils/acl.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"

/* names of the feature sets the caller can see */
static List *
visible_names(void)
{
	List *names = NIL;
	uint64 n = dmp_spi("SELECT name FROM dmp_internal.feature_set", NULL, true);

	for (uint64 i = 0; i < n; i++)
		names = lappend(names, dmp_spi_text(i, 1));
	return names;
}

static List *
text_array(uint64 row, int col)
{
	bool isnull;
	Datum value = dmp_spi_datum(row, col, &isnull);

	return isnull ? NIL : dmp_text_array_to_list(DatumGetArrayTypeP(value));
}

/* Needs an open SPI connection, in whose context the result lives. */
DmpFeatureSet *
dmp_feature_row(const char *name, bool for_update, List **columns)
{
	DmpFeatureSet *set;
	DmpArgs args = {0};
	char *sql = psprintf("SELECT version, owner::pg_catalog.oid, entity, at, known_at, "
						 "(pg_catalog.date_part('epoch', delay) OPERATOR(pg_catalog.*) "
						 "1000000)::pg_catalog.int8, entities, features, search_path, columns, "
						 "dmp_internal.feature_events(name, owner) "
						 "FROM dmp_internal.feature_set WHERE name OPERATOR(pg_catalog.=) $1%s",
						 for_update ? " FOR UPDATE" : "");

	dmp_arg_text(&args, name);
	if (dmp_spi_registry(sql, &args, !for_update) == 0)
		return NULL;
	set = palloc0(sizeof(DmpFeatureSet));
	set->name = pstrdup(name);
	set->version = dmp_spi_int8(0, 1, 0);
	set->owner = dmp_spi_int8(0, 2, 0);
	set->entity = text_array(0, 3);
	set->at = dmp_spi_text(0, 4);
	set->known_at = dmp_spi_text(0, 5);
	set->delay = dmp_spi_int8(0, 6, 0);
	set->entities = dmp_spi_text(0, 7);
	set->document = dmp_spi_text(0, 8);
	set->search_path = dmp_spi_text(0, 9);
	if (columns != NULL)
		*columns = text_array(0, 10);
	set->events = dmp_spi_int8(0, 11, 0);
	return set;
}

void
dmp_feature_order(DmpFeatureSet *set, List *names)
{
	List *ordered = NIL;
	ListCell *lc;
	ListCell *c;

	foreach (lc, names)
	{
		bool found = false;

		foreach (c, set->columns)
		{
			DmpFeatureColumn *column = lfirst(c);

			if (strcmp(column->name, lfirst(lc)) != 0)
				continue;
			ordered = lappend(ordered, column);
			set->columns = foreach_delete_current(set->columns, c);
			found = true;
		}
		if (!found)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_TABLE_DEFINITION),
					 errmsg("column \"%s\" of feature set \"%s\" is not in the new definition",
							(char *) lfirst(lc), set->name),
					 errhint("A new version adds columns. To take one away: SELECT * FROM "
							 "dmp.alter_feature_set(%s, drop => '{...}').",
							 quote_literal_cstr(set->name))));
	}
	set->columns = list_concat(ordered, set->columns);
}

DmpFeatureSet *
dmp_feature_load(const char *name, bool for_update)
{
	List *columns;
	DmpFeatureSet *set = dmp_feature_row(name, for_update, &columns);
	bool seen = false;
	List *names = visible_names();
	ListCell *lc;

	foreach (lc, names)
		seen |= strcmp(lfirst(lc), name) == 0;
	if (set == NULL)
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT),
						errmsg("feature set \"%s\" does not exist", name),
						dmp_errhint_nearest(name, names)));
	if (for_update || !seen)
		dmp_check_owner(set->owner, "feature set", name);
	if (!OidIsValid(set->events))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_FUNCTION),
				 errmsg("function %s.%s of feature set \"%s\" does not exist", DMP_FEATURE_SCHEMA,
						quote_identifier(psprintf("%s_for", name)), name),
				 errhint("It was dropped or renamed. Drop the feature set and create it "
						 "again.")));
	dmp_feature_define(set);
	dmp_feature_order(set, columns);
	return set;
}

void
dmp_feature_store(const DmpFeatureSet *set)
{
	DmpArgs args = {0};
	List *columns = NIL;
	ListCell *lc;
	Interval *delay = palloc0(sizeof(Interval));

	foreach (lc, set->columns)
		columns = lappend(columns, (char *) ((DmpFeatureColumn *) lfirst(lc))->name);
	delay->time = set->delay;
	dmp_arg_text(&args, set->name);
	dmp_arg_int4(&args, set->version);
	dmp_arg_oid(&args, set->owner);
	dmp_arg_text_array(&args, set->entity);
	dmp_arg_text(&args, set->at);
	dmp_arg_text(&args, set->known_at);
	dmp_arg(&args, INTERVALOID, IntervalPGetDatum(delay), set->delay == 0);
	dmp_arg_text(&args, set->entities);
	dmp_arg_text(&args, set->document);
	dmp_arg_text(&args, set->search_path);
	dmp_arg_text_array(&args, columns);
	dmp_spi_registry("INSERT INTO dmp_internal.feature_set (name, version, owner, entity, at, "
					 "known_at, delay, entities, features, search_path, columns) VALUES ($1, $2, "
					 "$3, $4, $5, $6, $7, $8, $9::pg_catalog.json, $10, $11) "
					 "ON CONFLICT (name) DO UPDATE SET version = excluded.version, "
					 "entity = excluded.entity, at = excluded.at, known_at = excluded.known_at, "
					 "delay = excluded.delay, entities = excluded.entities, "
					 "features = excluded.features, search_path = excluded.search_path, "
					 "columns = excluded.columns, "
					 "altered_at = pg_catalog.statement_timestamp()",
					 &args, false);
}

void
dmp_feature_forget(const char *name)
{
	DmpArgs args = {0};

	dmp_arg_text(&args, name);
	dmp_spi_registry("DELETE FROM dmp_internal.feature_set WHERE name OPERATOR(pg_catalog.=) $1",
					 &args, false);
}
