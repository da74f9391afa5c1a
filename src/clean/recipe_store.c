/*-------------------------------------------------------------------------
 * recipe_store.c
 *		Recipes by name: create, alter, drop, find.
 *
 * A change makes a new version; the old ones stay, and a run says which it
 * used. Names are one namespace per database. Whoever is a member of the owner
 * uses and changes a recipe. A recipe is named by a reference: 'tidy' (its
 * latest version), 'tidy@3', 'tidy@previous', with or without 'recipe:' before
 * it; where the argument is a json document, by a json string of that.
 *-------------------------------------------------------------------------
 */
#include "dmp.h"

#include "catalog/pg_type.h"
#include "utils/acl.h"

#include "clean/run.h"

PG_FUNCTION_INFO_V1(dmp_create_recipe);
PG_FUNCTION_INFO_V1(dmp_alter_recipe);
PG_FUNCTION_INFO_V1(dmp_drop_recipe);

/* a version as it is asked for */
#define LATEST 0
#define PREVIOUS (-1)

static void
pg_attribute_noreturn() no_such_recipe(const char *name)
{
	List *names = NIL;
	uint64 n = dmp_spi("SELECT DISTINCT name FROM dmp_internal.recipe ORDER BY name LIMIT 1000",
					   NULL, true);

	for (uint64 i = 0; i < n; i++)
		names = lappend(names, dmp_spi_text(i, 1));
	ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT), errmsg("recipe \"%s\" does not exist", name),
					dmp_errhint_nearest(name, names)));
}

/*
 * Take a reference apart: the name, and the version or LATEST or PREVIOUS.
 */
static char *
parse_reference(const char *reference, int *version)
{
	char *name;
	char *at;

	if (strncmp(reference, "recipe:", strlen("recipe:")) == 0)
		reference += strlen("recipe:");
	name = pstrdup(reference);
	*version = LATEST;
	at = strrchr(name, '@');
	if (at != NULL)
	{
		*at++ = '\0';
		if (strcmp(at, "previous") == 0)
			*version = PREVIOUS;
		else if (strcmp(at, "latest") != 0)
		{
			if (strspn(at, "0123456789") != strlen(at) || strlen(at) > 9 || atoi(at) < 1)
				ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
								errmsg("\"%s\" is no reference to a recipe", reference),
								errhint("Write name, name@3, name@latest or name@previous.")));
			*version = atoi(at);
		}
	}
	if (name[0] == '\0')
		ereport(ERROR, (errcode(ERRCODE_INVALID_NAME), errmsg("a recipe needs a name")));
	return name;
}

/* The name of a recipe to be made or changed as a whole. */
static char *
name_argument(FunctionCallInfo fcinfo)
{
	char *name = text_to_cstring(dmp_clean_argument(fcinfo, 0, "name"));

	if (name[0] == '\0' || strlen(name) >= NAMEDATALEN)
		ereport(ERROR, (errcode(ERRCODE_INVALID_NAME),
						errmsg("the name of a recipe has 1 to %d bytes, not %zu", NAMEDATALEN - 1,
							   strlen(name))));
	if (strchr(name, '@') != NULL || strncmp(name, "recipe:", strlen("recipe:")) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_NAME), errmsg("\"%s\" is no name of a recipe", name),
				 errdetail("\"@\" stands before a version, \"recipe:\" before a name.")));
	return name;
}

/* The document of an argument, checked as far as that goes without data. */
static DmpDoc *
document_argument(FunctionCallInfo fcinfo, char **text)
{
	DmpDoc *doc;

	*text = text_to_cstring(dmp_clean_argument(fcinfo, 1, "recipe"));
	doc = dmp_doc_parse(*text, "recipe");
	dmp_clean_check(doc);
	return doc;
}

DmpRecipe *
dmp_recipe_find(const char *reference)
{
	MemoryContext caller = CurrentMemoryContext;
	MemoryContext old;
	DmpRecipe *recipe = palloc0(sizeof(DmpRecipe));
	DmpArgs args = {0};
	Oid owner;
	int wanted;

	recipe->name = parse_reference(reference, &wanted);
	dmp_spi_connect();
	dmp_arg_text(&args, recipe->name);
	if (dmp_spi_registry("SELECT version, owner::oid, recipe FROM dmp_internal.recipe"
						 " WHERE name = $1 ORDER BY version DESC",
						 &args, true) == 0)
		no_such_recipe(recipe->name);
	owner = (Oid) dmp_spi_int8(0, 2, 0);
	dmp_check_owner(owner, "recipe", recipe->name);
	for (uint64 i = 0; i < SPI_processed && recipe->text == NULL; i++)
	{
		int version = (int) dmp_spi_int8(i, 1, 0);

		if (wanted == LATEST || wanted == version || (wanted == PREVIOUS && i == 1))
		{
			old = MemoryContextSwitchTo(caller);
			recipe->version = version;
			recipe->text = dmp_spi_text(i, 3);
			recipe->doc = dmp_doc_parse(recipe->text, "recipe");
			MemoryContextSwitchTo(old);
		}
	}
	if (recipe->text == NULL)
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT),
						wanted == PREVIOUS
							? errmsg("recipe \"%s\" has no previous version", recipe->name)
							: errmsg("recipe \"%s\" has no version %d", recipe->name, wanted),
						errdetail("Its latest version is %d.", (int) dmp_spi_int8(0, 1, 0))));
	dmp_spi_finish();
	return recipe;
}

DmpRecipe *
dmp_recipe_of(const char *json)
{
	DmpRecipe *recipe;
	DmpDoc *doc = dmp_doc_parse(json, "recipe");

	if (doc->kind == DMP_DOC_STRING)
		return dmp_recipe_find(doc->text);
	recipe = palloc0(sizeof(DmpRecipe));
	recipe->text = pstrdup(json);
	recipe->doc = doc;
	return recipe;
}

/* The row that create_recipe and alter_recipe return */
static void
return_version(FunctionCallInfo fcinfo, const char *name, int version, const DmpDoc *doc)
{
	Datum values[3];
	bool nulls[3] = {false, false, false};

	values[0] = CStringGetTextDatum(name);
	values[1] = Int32GetDatum(version);
	values[2] = Int32GetDatum(doc->n);
	dmp_srf_row(fcinfo, values, nulls);
}

static bool
store_version(const char *name, int version, Oid owner, const char *text)
{
	DmpArgs args = {0};

	dmp_arg_text(&args, name);
	dmp_arg_int4(&args, version);
	dmp_arg_oid(&args, owner);
	dmp_arg_text(&args, text);
	dmp_arg_oid(&args, GetUserId());
	return dmp_spi_registry("INSERT INTO dmp_internal.recipe (name, version, owner, recipe,"
							" created_by) VALUES ($1, $2, $3, $4::json, $5)"
							" ON CONFLICT (name, version) DO NOTHING",
							&args, false) == 1;
}

/*
 * The owner of a recipe that is to be changed: nobody else changes it before
 * the end of the transaction. An error when there is none or it is another's.
 */
static Oid
lock_recipe(const char *name)
{
	DmpArgs args = {0};
	Oid owner;

	dmp_arg_text(&args, name);
	if (dmp_spi_registry("SELECT owner::oid FROM dmp_internal.recipe WHERE name = $1"
						 " AND version = 1 FOR UPDATE",
						 &args, false) == 0)
		no_such_recipe(name);
	owner = (Oid) dmp_spi_int8(0, 1, 0);
	dmp_check_owner(owner, "recipe", name);
	return owner;
}

/*
 * dmp.create_recipe(name text, recipe json) -> TABLE(recipe, version, steps)
 */
Datum
dmp_create_recipe(PG_FUNCTION_ARGS)
{
	char *name = name_argument(fcinfo);
	char *text;
	DmpDoc *doc = document_argument(fcinfo, &text);

	dmp_srf_begin(fcinfo);
	dmp_spi_connect();
	if (!store_version(name, 1, GetUserId(), text))
	{
		DmpArgs args = {0};

		dmp_arg_text(&args, name);
		dmp_spi_registry("SELECT pg_catalog.pg_get_userbyid(owner::oid), version"
						 " FROM dmp_internal.recipe WHERE name = $1",
						 &args, false);
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_OBJECT), errmsg("recipe \"%s\" exists", name),
				 SPI_processed > 0 ? errdetail("It belongs to \"%s\".", dmp_spi_text(0, 1)) : 0,
				 errhint("dmp.alter_recipe makes a new version of it.")));
	}
	return_version(fcinfo, name, 1, doc);
	dmp_spi_finish();
	return (Datum) 0;
}

/*
 * dmp.alter_recipe(name text, recipe json) -> TABLE(recipe, version, steps)
 */
Datum
dmp_alter_recipe(PG_FUNCTION_ARGS)
{
	char *name = name_argument(fcinfo);
	char *text;
	DmpDoc *doc = document_argument(fcinfo, &text);
	DmpArgs args = {0};
	Oid owner;
	int version;

	dmp_srf_begin(fcinfo);
	dmp_spi_connect();
	owner = lock_recipe(name);
	dmp_arg_text(&args, name);
	dmp_spi_registry("SELECT max(version) FROM dmp_internal.recipe WHERE name = $1", &args, false);
	version = (int) dmp_spi_int8(0, 1, 0) + 1;
	if (!store_version(name, version, owner, text))
		elog(ERROR, "version %d of recipe \"%s\" is there already", version, name);
	return_version(fcinfo, name, version, doc);
	dmp_spi_finish();
	return (Datum) 0;
}

/*
 * dmp.drop_recipe(name text) -> TABLE(recipe, versions): all of its versions.
 * Its runs stay, with what they did.
 */
Datum
dmp_drop_recipe(PG_FUNCTION_ARGS)
{
	char *name = name_argument(fcinfo);
	DmpArgs args = {0};
	Datum values[2];
	bool nulls[2] = {false, false};

	dmp_srf_begin(fcinfo);
	dmp_spi_connect();
	(void) lock_recipe(name);
	dmp_arg_text(&args, name);
	if (dmp_spi_registry(
			"SELECT s.name FROM dmp_internal.source AS s CROSS JOIN LATERAL"
			" (SELECT pg_catalog.regexp_replace(recipe #>> '{}', '^recipe:', '') AS r) AS r"
			" WHERE pg_catalog.json_typeof(recipe) = 'string'"
			" AND (r = $1 OR pg_catalog.starts_with(r, $1 || '@')) ORDER BY 1 LIMIT 1",
			&args, false) > 0)
		ereport(ERROR, (errcode(ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST),
						errmsg("recipe \"%s\" is in use", name),
						errdetail("Source \"%s\" applies it.", dmp_spi_text(0, 1)),
						errhint("SELECT * FROM dmp.alter_source(%s, recipe => '[]');",
								quote_literal_cstr(dmp_spi_text(0, 1)))));
	values[0] = CStringGetTextDatum(name);
	values[1] = Int32GetDatum(
		(int32) dmp_spi_registry("DELETE FROM dmp_internal.recipe WHERE name = $1", &args, false));
	dmp_srf_row(fcinfo, values, nulls);
	dmp_spi_finish();
	return (Datum) 0;
}
