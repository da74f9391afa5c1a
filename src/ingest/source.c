/*-------------------------------------------------------------------------
 * source.c
 *		The registry of sources: create, alter, drop.
 *
 * A source belongs to the role that made it. Its lake table and its target
 * are ordinary tables of that role, made and changed with its own rights; only
 * the row of the registry is written as the owner of the extension.
 *-------------------------------------------------------------------------
 */
#include "ingest/run.h"
#include "ingest/shape.h"

#include "access/relation.h"
#include "catalog/catalog.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "commands/defrem.h"
#include "utils/array.h"
#include "utils/guc.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

PG_FUNCTION_INFO_V1(dmp_create_source);
PG_FUNCTION_INFO_V1(dmp_alter_source);
PG_FUNCTION_INFO_V1(dmp_drop_source);

/* partitions of the lake table get a suffix, and a name has at most 63 bytes */
#define NAME_MAX_BYTES 50

static const char *const option_names[] = {
	"unknown",  "time_zone",  "date_style",   "keep",    "delimiter", "quote",
	"escape",   "header",     "columns",      "ragged",  "assign",    "year",
	"encoding", "date_order", "decimal_mark", "explode", NULL};

/* arguments of create_source and alter_source, by position */
enum
{
	ARG_NAME,
	ARG_INTO,
	ARG_FORMAT,
	ARG_KEY,
	ARG_MAPPING,
	ARG_MISSING,
	ARG_RECIPE,
	ARG_ON_DUPLICATE,
	ARG_LIVE,
	ARG_OPTIONS
};

char *
dmp_text_argument(FunctionCallInfo fcinfo, int n, const char *what)
{
	if (PG_ARGISNULL(n))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("%s must not be null", what)));
	return text_to_cstring(PG_GETARG_TEXT_PP(n));
}

/* sources the caller may see, for hints */
static List *
visible_sources(void)
{
	List *names = NIL;
	uint64 n = dmp_spi("SELECT name FROM dmp_internal.source ORDER BY name LIMIT 1000", NULL, true);

	for (uint64 i = 0; i < n; i++)
		names = lappend(names, dmp_spi_text(i, 1));
	return names;
}

static List *
text_list(uint64 row, int col)
{
	bool isnull;
	Datum array = dmp_spi_datum(row, col, &isnull);

	return isnull ? NIL : dmp_text_array_to_list(DatumGetArrayTypePCopy(array));
}

/* an error when the server would not take the setting */
static void
check_setting(const char *name, const char *value)
{
	if (value != NULL)
		(void) set_config_option(name, value, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SET, false, 0,
								 false);
}

/* an option that is an object by column, or NULL */
static DmpDoc *
by_column(const DmpDoc *options, const char *name)
{
	DmpDoc *doc = dmp_doc_get(options, name);

	if (doc == NULL || doc->kind == DMP_DOC_NULL)
		return NULL;
	if (doc->kind != DMP_DOC_OBJECT)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("options: \"%s\" must be an object, {column: value}", name)));
	return doc;
}

/* options of a source of that format, checked, into it */
static void
read_options(DmpSource *source, DmpFormatKind format, const DmpDoc *options)
{
	dmp_doc_check_keys(options, "options", option_names);
	dmp_format_read(&source->format, format, options);
	source->unknown = dmp_doc_string(options, "unknown", "ignore", "options");
	if (strcmp(source->unknown, "ignore") != 0 && strcmp(source->unknown, "rest") != 0 &&
		strcmp(source->unknown, "quarantine") != 0)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("options: \"unknown\" must be 'ignore', 'rest' or 'quarantine', "
							   "not \"%s\"",
							   source->unknown)));
	source->time_zone = dmp_doc_string(options, "time_zone", NULL, "options");
	source->date_style = dmp_doc_string(options, "date_style", NULL, "options");
	source->date_order = by_column(options, "date_order");
	source->decimal_mark = by_column(options, "decimal_mark");
	source->keep = dmp_doc_bool(options, "keep", false, "options");
	check_setting("TimeZone", source->time_zone);
	check_setting("DateStyle", source->date_style);
}

DmpSource *
dmp_source_get(const char *name, bool lock)
{
	MemoryContext context = CurrentMemoryContext;
	MemoryContext old;
	DmpSource *source;
	DmpArgs args = {0};
	char *mapping;
	bool isnull;

	dmp_spi_connect();
	dmp_arg_text(&args, name);
	if (dmp_spi_registry(
			psprintf("SELECT id, owner::oid, lake_table, into_table, key, mapping,"
					 " missing, on_duplicate, options, live, search_path, format, recipe"
					 " FROM dmp_internal.source"
					 " WHERE name = $1%s",
					 lock ? " FOR UPDATE" : ""),
			&args, !lock) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT), errmsg("source \"%s\" does not exist", name),
				 dmp_errhint_nearest(name, visible_sources())));
	old = MemoryContextSwitchTo(context);
	source = palloc0(sizeof(DmpSource));
	source->id = (int32) dmp_spi_int8(0, 1, 0);
	source->recipe = dmp_spi_text(0, 13);
	source->name = pstrdup(name);
	source->owner = (Oid) dmp_spi_int8(0, 2, 0);
	source->lake = (Oid) dmp_spi_int8(0, 3, 0);
	source->into = (Oid) dmp_spi_int8(0, 4, 0);
	source->key = text_list(0, 5);
	mapping = dmp_spi_text(0, 6);
	source->mapping = mapping ? dmp_doc_parse(mapping, "mapping") : NULL;
	source->missing = text_list(0, 7);
	source->update = strcmp(dmp_spi_text(0, 8), "update") == 0;
	source->live = dmp_spi_bool(0, 10, false);
	source->search_path = dmp_spi_text(0, 11);
	read_options(source, dmp_format_kind(dmp_spi_text(0, 12)),
				 dmp_doc_from_jsonb(dmp_spi_datum(0, 9, &isnull), "options"));
	MemoryContextSwitchTo(old);
	dmp_spi_finish();
	dmp_check_owner(source->owner, "source", name);
	return source;
}

bool
dmp_source_is_alone(const DmpSource *source)
{
	DmpArgs args = {0};

	dmp_arg_int4(&args, source->id);
	dmp_arg_oid(&args, source->into);
	return dmp_spi_registry("SELECT FROM dmp_internal.source WHERE into_table::oid = $2"
							" AND id <> $1 LIMIT 1",
							&args, false) == 0;
}

/* The target: an ordinary table of the caller's. */
static void
check_target(Oid relid, const DmpSource *source)
{
	Relation rel;
	TupleDesc input;
	const char *namespace;
	char kind = get_rel_relkind(relid);

	dmp_check_table_owner(relid);
	if (kind != RELKIND_RELATION && kind != RELKIND_PARTITIONED_TABLE)
		ereport(ERROR, (errcode(ERRCODE_WRONG_OBJECT_TYPE),
						errmsg("\"%s\" is not a table", get_rel_name(relid))));
	rel = relation_open(relid, AccessShareLock);
	if (rel->rd_rel->relpersistence == RELPERSISTENCE_TEMP)
		ereport(ERROR, (errcode(ERRCODE_WRONG_OBJECT_TYPE),
						errmsg("\"%s\" is a temporary table", get_rel_name(relid)),
						errdetail("A source outlives the session.")));
	namespace = get_namespace_name(RelationGetNamespace(rel));
	if (IsSystemRelation(rel) || strcmp(namespace, "lake") == 0 || strcmp(namespace, "dmp") == 0 ||
		strcmp(namespace, "dmp_internal") == 0)
		ereport(ERROR, (errcode(ERRCODE_WRONG_OBJECT_TYPE),
						errmsg("\"%s\" cannot be the table of a source", get_rel_name(relid))));
	/* checks mapping, key and options against the columns */
	input = dmp_source_input(source, RelationGetDescr(rel));
	(void) dmp_decoder_make(input, dmp_relation_name(relid), source);
	if (source->recipe != NULL)
		dmp_recipe_hooks->release(dmp_recipe_hooks->compile(
			source->recipe, input, RelationGetDescr(rel), dmp_relation_name(relid), source->key));
	relation_close(rel, AccessShareLock);
}

/*
 * ON CONFLICT needs a unique index over exactly the key columns: an existing
 * one that is total, valid and immediate, or one made here.
 */
static void
ensure_key_index(Oid relid, List *key)
{
	DmpArgs args = {0};

	dmp_arg_oid(&args, relid);
	dmp_arg_text_array(&args, key);
	if (dmp_spi("SELECT 1 FROM pg_catalog.pg_index i WHERE indrelid = $1 AND indisunique"
				" AND indisvalid AND indimmediate AND indpred IS NULL AND indexprs IS NULL"
				" AND (SELECT array_agg(attname::text ORDER BY attname::text COLLATE \"C\")"
				"      FROM pg_catalog.pg_attribute"
				"      WHERE attrelid = $1 AND attnum = ANY ((indkey::int2[])[0:indnkeyatts - 1]))"
				"   = (SELECT array_agg(k ORDER BY k COLLATE \"C\") FROM pg_catalog.unnest($2) k)",
				&args, true) > 0)
		return;
	dmp_spi(psprintf("CREATE UNIQUE INDEX ON %s (%s)", dmp_relation_name(relid),
					 dmp_join_identifiers(key, "")),
			NULL, false);
}

static bool
is_update(const char *on_duplicate)
{
	if (strcmp(on_duplicate, "ignore") != 0 && strcmp(on_duplicate, "update") != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("on_duplicate must be 'ignore' or 'update', not '%s'", on_duplicate)));
	return strcmp(on_duplicate, "update") == 0;
}

/* the document of a recipe, or the reference to a stored one; an empty one is none */
static char *
recipe_argument(FunctionCallInfo fcinfo)
{
	char *recipe;
	DmpDoc *doc;

	if (PG_ARGISNULL(ARG_RECIPE))
		return NULL;
	recipe = dmp_text_argument(fcinfo, ARG_RECIPE, "recipe");
	doc = dmp_doc_parse(recipe, "recipe");
	if (doc->kind == DMP_DOC_ARRAY && doc->n == 0)
		return NULL;
	dmp_recipe_hooks->check(recipe);
	return recipe;
}

TupleDesc
dmp_source_input(const DmpSource *source, TupleDesc target)
{
	if (source->recipe == NULL)
		return target;
	return dmp_recipe_hooks->input(source->recipe, target, source->mapping);
}

static List *
list_argument(FunctionCallInfo fcinfo, int n)
{
	return PG_ARGISNULL(n) ? NIL : dmp_text_array_to_list(PG_GETARG_ARRAYTYPE_P(n));
}

static void
check_key(const DmpSource *source)
{
	ListCell *lc;

	foreach (lc, source->key)
		for (int i = 0; i < foreach_current_index(lc); i++)
			if (strcmp(lfirst(lc), list_nth(source->key, i)) == 0)
				ereport(ERROR, (errcode(ERRCODE_DUPLICATE_COLUMN),
								errmsg("key names column \"%s\" twice", (char *) lfirst(lc))));
	if (source->update && source->key == NIL)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("on_duplicate 'update' needs a key")));
}

/* the one row create_source and alter_source return */
static void
return_source(FunctionCallInfo fcinfo, const DmpSource *source)
{
	Datum values[3];
	bool nulls[3] = {false, false, false};

	values[0] = CStringGetTextDatum(source->name);
	values[1] = ObjectIdGetDatum(source->lake);
	values[2] = CStringGetTextDatum(dmp_lake_copy_command(source->lake, &source->format));
	dmp_srf_row(fcinfo, values, nulls);
}

/*
 * Live: lines are loaded in the transactions of those who write them, with
 * the rights of the source's owner, so all there is to know must be there now.
 */
static void
check_live(const DmpSource *source)
{
	if (!source->live)
		return;
	if (!OidIsValid(source->into))
		ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						errmsg("a live source needs a table to fill"),
						errhint("Give into_table as well.")));
	dmp_check_table_owner(source->into);
}

static void
check_name(const char *name)
{
	DmpArgs args = {0};

	if (name[0] == '\0' || strlen(name) > NAME_MAX_BYTES)
		ereport(ERROR, (errcode(ERRCODE_INVALID_NAME),
						errmsg("the name of a source has 1 to %d bytes, not %zu", NAME_MAX_BYTES,
							   strlen(name))));
	dmp_arg_text(&args, name);
	if (dmp_spi_registry("SELECT pg_catalog.pg_get_userbyid(owner::oid) FROM dmp_internal.source"
						 " WHERE name = $1",
						 &args, true) > 0)
		ereport(ERROR, (errcode(ERRCODE_DUPLICATE_OBJECT), errmsg("source \"%s\" exists", name),
						errdetail("It belongs to \"%s\".", dmp_spi_text(0, 1))));
}

/*
 * dmp.create_source(name, into_table, format, key, mapping, missing, recipe,
 * on_duplicate, live, options) -> TABLE(source, lake_table, copy_command)
 */
Datum
dmp_create_source(PG_FUNCTION_ARGS)
{
	DmpSource source = {0};
	DmpArgs args = {0};
	char *mapping;
	DmpFormatKind format;

	source.name = dmp_text_argument(fcinfo, ARG_NAME, "name");
	format = dmp_format_kind(dmp_text_argument(fcinfo, ARG_FORMAT, "format"));
	source.recipe = recipe_argument(fcinfo);
	source.owner = GetUserId();
	source.into = PG_ARGISNULL(ARG_INTO) ? InvalidOid : PG_GETARG_OID(ARG_INTO);
	source.key = list_argument(fcinfo, ARG_KEY);
	mapping = PG_ARGISNULL(ARG_MAPPING) ? NULL : dmp_text_argument(fcinfo, ARG_MAPPING, "");
	source.mapping = mapping ? dmp_doc_parse(mapping, "mapping") : NULL;
	source.missing = list_argument(fcinfo, ARG_MISSING);
	source.update = is_update(dmp_text_argument(fcinfo, ARG_ON_DUPLICATE, "on_duplicate"));
	source.live = !PG_ARGISNULL(ARG_LIVE) && PG_GETARG_BOOL(ARG_LIVE);
	source.search_path = source.live ? dmp_live_search_path() : NULL;
	check_key(&source);
	check_live(&source);
	dmp_srf_begin(fcinfo);
	dmp_spi_connect();
	read_options(&source, format,
				 PG_ARGISNULL(ARG_OPTIONS)
					 ? dmp_doc_parse("{}", "options")
					 : dmp_doc_from_jsonb(PG_GETARG_DATUM(ARG_OPTIONS), "options"));
	check_name(source.name);
	if (OidIsValid(source.into))
	{
		check_target(source.into, &source);
		if (source.key != NIL)
			ensure_key_index(source.into, source.key);
	}
	source.lake = dmp_lake_create(source.name);
	if (source.live)
		dmp_live_on(&source);
	dmp_lake_ensure_partitions(&source);

	dmp_arg_text(&args, source.name);
	dmp_arg_oid(&args, source.owner);
	dmp_arg_text(&args, dmp_format_name(format));
	dmp_arg(&args, REGCLASSOID, ObjectIdGetDatum(source.lake), false);
	dmp_arg(&args, REGCLASSOID, ObjectIdGetDatum(source.into), !OidIsValid(source.into));
	dmp_arg(&args, TEXTARRAYOID, PG_GETARG_DATUM(ARG_KEY), PG_ARGISNULL(ARG_KEY));
	dmp_arg(&args, JSONOID, PG_GETARG_DATUM(ARG_MAPPING), mapping == NULL);
	dmp_arg_text_array(&args, source.missing);
	dmp_arg_text(&args, source.update ? "update" : "ignore");
	dmp_arg(&args, JSONBOID, PG_GETARG_DATUM(ARG_OPTIONS), PG_ARGISNULL(ARG_OPTIONS));
	/* what a date without a zone means is decided once, not by the session that ingests */
	dmp_arg_text(&args, GetConfigOption("TimeZone", false, false));
	dmp_arg_text(&args, GetConfigOption("DateStyle", false, false));
	dmp_arg_bool(&args, source.live);
	dmp_arg_text(&args, source.search_path);
	dmp_arg_text(&args, source.recipe);
	dmp_spi_registry("INSERT INTO dmp_internal.source (name, owner, format, lake_table, into_table,"
					 " key, mapping, missing, on_duplicate, live, search_path, recipe, options)"
					 " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $13, $14, $15::json, "
					 "pg_catalog.jsonb_build_object('time_zone', $11,"
					 " 'date_style', $12) OPERATOR(pg_catalog.||) coalesce($10, '{}'))",
					 &args, false);
	return_source(fcinfo, &source);
	dmp_spi_finish();
	PG_RETURN_NULL();
}

/*
 * The trigger's lock waits for open writers. What they left, and what was
 * there before, is taken first, so that with on_duplicate 'update' no older
 * line ever comes after a live one.
 */
static void
go_live(DmpSource *source)
{
	dmp_lake_check(source);
	dmp_live_on(source);
	dmp_lake_ensure_partitions(source);
	dmp_ingest_waiting(source);
}

/*
 * dmp.alter_source, arguments as create_source: NULL leaves as it is, options
 * are added to those there are.
 */
Datum
dmp_alter_source(PG_FUNCTION_ARGS)
{
	char *name = dmp_text_argument(fcinfo, ARG_NAME, "name");
	DmpSource *source;
	DmpFormatKind format;
	DmpArgs args = {0};
	bool was_live;
	bool isnull;

	dmp_srf_begin(fcinfo);
	dmp_spi_connect();
	source = dmp_source_get(name, true);
	format = PG_ARGISNULL(ARG_FORMAT)
				 ? source->format.kind
				 : dmp_format_kind(dmp_text_argument(fcinfo, ARG_FORMAT, "format"));
	if (!PG_ARGISNULL(ARG_RECIPE))
		source->recipe = recipe_argument(fcinfo);
	if (!PG_ARGISNULL(ARG_INTO))
		source->into = PG_GETARG_OID(ARG_INTO);
	if (!PG_ARGISNULL(ARG_KEY))
		source->key = list_argument(fcinfo, ARG_KEY);
	if (!PG_ARGISNULL(ARG_MAPPING))
		source->mapping =
			dmp_doc_parse(dmp_text_argument(fcinfo, ARG_MAPPING, "mapping"), "mapping");
	if (!PG_ARGISNULL(ARG_MISSING))
		source->missing = list_argument(fcinfo, ARG_MISSING);
	if (!PG_ARGISNULL(ARG_ON_DUPLICATE))
		source->update = is_update(dmp_text_argument(fcinfo, ARG_ON_DUPLICATE, "on_duplicate"));
	was_live = source->live;
	if (!PG_ARGISNULL(ARG_LIVE))
	{
		source->live = PG_GETARG_BOOL(ARG_LIVE);
		source->search_path = source->live ? dmp_live_search_path() : NULL;
	}
	check_key(source);
	check_live(source);

	dmp_arg_int4(&args, source->id);
	dmp_arg(&args, REGCLASSOID, ObjectIdGetDatum(source->into), !OidIsValid(source->into));
	dmp_arg(&args, TEXTARRAYOID, PG_GETARG_DATUM(ARG_KEY), PG_ARGISNULL(ARG_KEY));
	dmp_arg(&args, JSONOID, PG_GETARG_DATUM(ARG_MAPPING), PG_ARGISNULL(ARG_MAPPING));
	dmp_arg_text_array(&args, source->missing);
	dmp_arg_text(&args, source->update ? "update" : "ignore");
	dmp_arg(&args, JSONBOID, PG_GETARG_DATUM(ARG_OPTIONS), PG_ARGISNULL(ARG_OPTIONS));
	dmp_arg_bool(&args, source->live);
	dmp_arg_text(&args, source->search_path);
	dmp_arg_text(&args, dmp_format_name(format));
	dmp_arg_text(&args, source->recipe);
	dmp_spi_registry("UPDATE dmp_internal.source SET into_table = $2, key = coalesce($3, key),"
					 " mapping = coalesce($4::text, mapping::text)::json, missing = $5,"
					 " on_duplicate = $6, live = $8, search_path = $9, format = $10, recipe = "
					 "$11::json, options = "
					 "options OPERATOR(pg_catalog.||)"
					 " coalesce($7, '{}') WHERE id = $1 RETURNING options",
					 &args, false);
	read_options(source, format, dmp_doc_from_jsonb(dmp_spi_datum(0, 1, &isnull), "options"));
	if (OidIsValid(source->into))
	{
		check_target(source->into, source);
		if (source->key != NIL)
			ensure_key_index(source->into, source->key);
	}
	if (source->live && !was_live)
		go_live(source);
	else if (was_live && !source->live)
		dmp_live_off(source);
	return_source(fcinfo, source);
	dmp_spi_finish();
	PG_RETURN_NULL();
}

/*
 * dmp.drop_source(name, options) -> TABLE(object, action, rows): the source,
 * its lake table and its quarantine; the table it fills stays. With "keep":
 * true, here or in the source's own options, lake and quarantine stay too.
 */
Datum
dmp_drop_source(PG_FUNCTION_ARGS)
{
	static const char *const known[] = {"keep", NULL};
	char *name = dmp_text_argument(fcinfo, 0, "name");
	DmpSource *source;
	DmpArgs id = {0};
	DmpArgs by_name = {0};
	bool keep;
	bool there;

	dmp_srf_begin(fcinfo);
	dmp_spi_connect();
	source = dmp_source_get(name, true);
	keep = source->keep;
	if (!PG_ARGISNULL(1))
	{
		DmpDoc *options = dmp_doc_from_jsonb(PG_GETARG_DATUM(1), "options");

		dmp_doc_check_keys(options, "options", known);
		keep = dmp_doc_bool(options, "keep", keep, "options");
	}
	dmp_arg_int4(&id, source->id);
	dmp_arg_text(&by_name, name);
	there = get_rel_relkind(source->lake) == RELKIND_PARTITIONED_TABLE;
	dmp_srf_act(fcinfo, psprintf("source %s", name), "dropped", -1);
	if (there)
	{
		char *lake = dmp_relation_name(source->lake);

		if (!keep)
			dmp_spi(psprintf("DROP TABLE %s", lake), NULL, false);
		else if (source->live)
			dmp_live_off(source);
		dmp_srf_act(fcinfo, psprintf("table %s", lake), keep ? "kept" : "dropped", -1);
	}
	if (!keep)
	{
		uint64 rows;

		dmp_arg_oid(&by_name, source->owner);
		rows = dmp_spi_registry("DELETE FROM dmp.quarantine WHERE source = $1 AND owner::oid = $2",
								&by_name, false);
		dmp_srf_act(fcinfo, "table dmp.quarantine", "rows deleted", (int64) rows);
	}
	dmp_spi_registry("DELETE FROM dmp_internal.source_position WHERE source_id = $1", &id, false);
	dmp_spi_registry("DELETE FROM dmp_internal.source_taken WHERE source_id = $1", &id, false);
	dmp_spi_registry("DELETE FROM dmp_internal.source WHERE id = $1", &id, false);
	dmp_spi_finish();
	PG_RETURN_NULL();
}
