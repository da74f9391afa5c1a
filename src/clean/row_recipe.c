/*-------------------------------------------------------------------------
 * row_recipe.c
 *		The recipe of a source: compiled for records on their way in.
 *
 * Its input are the fields that the recipe names, and the columns of the table
 * that it does not make itself, all as text; json, jsonb and array columns, and
 * those mapped to where a record came from, have their own type. What the steps
 * give is converted to the types of the table in the end, as ingest does, and
 * rows with a missing key are turned away.
 *
 * It is the counted form of the SELECT. Rows that are turned away are noted by
 * their place in the batch, which stands where dmp.clean has the ctid.
 *-------------------------------------------------------------------------
 */
#include "dmp.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "utils/json.h"
#include "utils/lsyscache.h"

#include "base/soft.h"
#include "clean/run.h"
#include "ingest/shape.h"

PG_FUNCTION_INFO_V1(dmp_plain_integer);

/* Columns of the input beside the fields; no field's name has a blank at its end */
#define TAG_NAME "dmp tag "
#define PLACE_NAME "dmp place "
#define ABSENT_NAME "dmp absent "

/* What a DmpRowRecipe keeps */
typedef struct RowRecipe
{
	DmpRowRecipe public;
	DmpCounters *counters;
	int n_steps; /* lines of steps behind these are of what follows the recipe */
	int n_slots;
	CleanLine **by_slot;
} RowRecipe;

/* ---- the fields it reads */

typedef struct Fields
{
	List *used;     /* names, in the order they are first named */
	List *produced; /* made by a step before */
	List *renamed;  /* pairs of lists: new name, old name */
	int step;
} Fields;

static void
use(Fields *fields, const char *name)
{
	if (strcmp(name, "*") != 0 && !dmp_list_has(fields->produced, name) &&
		!dmp_list_has(fields->used, name))
		fields->used = lappend(fields->used, pstrdup(name));
}

static bool
find_columns(Node *node, void *arg)
{
	Fields *fields = arg;

	if (node == NULL)
		return false;
	if (IsA(node, SubLink))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("recipe step %d: a sub-select looks at more than the row", fields->step),
				 errdetail("The recipe of a source is applied to each record by itself.")));
	if (IsA(node, ColumnRef))
	{
		ColumnRef *ref = (ColumnRef *) node;

		if (list_length(ref->fields) == 1 && IsA(linitial(ref->fields), String))
			use(fields, strVal(linitial(ref->fields)));
		return false;
	}
	return raw_expression_tree_walker(node, find_columns, arg);
}

static void
use_parsed(Fields *fields, const char *expression)
{
	List *parsed = dmp_parse(expression, RAW_PARSE_PLPGSQL_EXPR);

	if (parsed != NIL)
		(void) find_columns(linitial_node(RawStmt, parsed)->stmt, fields);
}

static void
use_expression(Fields *fields, const DmpDoc *expression)
{
	MemoryContext context = CurrentMemoryContext;

	if (expression->kind != DMP_DOC_STRING)
		return;
	PG_TRY();
	{
		use_parsed(fields, expression->text);
	}
	PG_CATCH();
	{
		ErrorData *error;

		/* the compiler will say it, with the step */
		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		if (error->sqlerrcode != ERRCODE_SYNTAX_ERROR)
			PG_RE_THROW();
		FlushErrorState();
	}
	PG_END_TRY();
}

static void
use_step(Fields *fields, const char *action, const DmpDoc *argument)
{
	bool derive = strcmp(action, "derive") == 0;
	bool rename = strcmp(action, "rename") == 0;
	int i;

	if (strcmp(action, "require") == 0)
		use_expression(fields, argument);
	else if (argument->kind == DMP_DOC_STRING)
		use(fields, argument->text);
	else if (argument->kind == DMP_DOC_ARRAY && strcmp(action, "missing") != 0)
		for (i = 0; i < argument->n; i++)
			if (argument->items[i]->kind == DMP_DOC_STRING)
				use(fields, argument->items[i]->text);
	for (i = 0; argument->kind == DMP_DOC_OBJECT && i < argument->n; i++)
		if (derive)
			use_expression(fields, argument->items[i]);
		else
			use(fields, argument->keys[i]);
	for (i = 0; argument->kind == DMP_DOC_OBJECT && i < argument->n; i++)
	{
		const char *made = derive ? argument->keys[i] : argument->items[i]->text;

		if (!(derive || rename) || made == NULL)
			continue;
		fields->produced = lappend(fields->produced, (char *) made);
		if (rename)
			fields->renamed =
				lappend(fields->renamed, list_make2((char *) made, argument->keys[i]));
	}
}

/* the first entry of a step's action */
static const CleanAction *
action_of(const DmpDoc *step)
{
	const CleanAction *action;
	int n;

	for (n = 0; (action = dmp_clean_action(n)) != NULL; n++)
		if (dmp_doc_get(step, action->action) != NULL)
			return action;
	return NULL;
}

static void
read_fields(Fields *fields, const DmpDoc *recipe)
{
	int i;

	for (i = 0; i < recipe->n; i++)
	{
		const CleanAction *action = action_of(recipe->items[i]);

		fields->step = i + 1;
		if (action != NULL)
			use_step(fields, action->action, dmp_doc_get(recipe->items[i], action->action));
	}
}

/* where a column of the table comes from: its name at the start, NULL: a step makes it */
static const char *
name_at_start(const Fields *fields, const char *name)
{
	ListCell *lc;

	if (!dmp_list_has(fields->produced, name))
		return name;
	foreach (lc, fields->renamed)
		if (strcmp(linitial(lfirst(lc)), name) == 0)
			return lsecond(lfirst(lc));
	return NULL;
}

/* the type of a field: text, or what only the decoder can make */
static void
add_field(TupleDesc desc, int n, const char *name, TupleDesc target, const char *path)
{
	Oid type = TEXTOID;
	int32 typmod = -1;
	int i;

	for (i = 0; i < target->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(target, i);
		Oid base;

		if (att->attisdropped || strcmp(NameStr(att->attname), name) != 0)
			continue;
		base = getBaseType(att->atttypid);
		if (base == JSONOID || base == JSONBOID || OidIsValid(get_element_type(base)) ||
			(path != NULL && path[0] == '$' && path[1] != '.' && path[1] != '['))
		{
			type = att->atttypid;
			typmod = att->atttypmod;
		}
	}
	if (type == TEXTOID && path != NULL && path[0] == '$')
	{
		if (strcmp(path, "$batch") == 0 || strcmp(path, "$lake_id") == 0)
			type = INT8OID;
		else if (strcmp(path, "$received_at") == 0)
			type = TIMESTAMPTZOID;
		else if (strcmp(path, "$rest") == 0)
			type = JSONBOID;
	}
	TupleDescInitEntry(desc, n + 1, name, type, typmod, 0);
}

static TupleDesc
row_recipe_input(const char *text, TupleDesc target, const DmpDoc *mapping)
{
	const DmpDoc *recipe = dmp_recipe_of(text)->doc;
	Fields fields = {NIL};
	List *names = NIL;
	TupleDesc desc;
	ListCell *lc;
	int i;

	read_fields(&fields, recipe);
	if (mapping != NULL && mapping->kind == DMP_DOC_OBJECT)
	{
		for (i = 0; i < mapping->n; i++)
			names = lappend(names, mapping->keys[i]);
	}
	else
	{
		for (i = 0; i < target->natts; i++)
		{
			Form_pg_attribute att = TupleDescAttr(target, i);
			const char *name;

			if (att->attisdropped || att->attgenerated != '\0' || att->attidentity == 'a')
				continue;
			name = name_at_start(&fields, NameStr(att->attname));
			if (name != NULL && !dmp_list_has(names, name))
				names = lappend(names, pstrdup(name));
		}
		foreach (lc, fields.used)
			if (!dmp_list_has(names, lfirst(lc)))
				names = lappend(names, lfirst(lc));
	}
	desc = CreateTemplateTupleDesc(list_length(names));
	foreach (lc, names)
	{
		const DmpDoc *path = mapping ? dmp_doc_get(mapping, lfirst(lc)) : NULL;

		add_field(desc, foreach_current_index(lc), lfirst(lc), target,
				  path && path->kind == DMP_DOC_STRING ? path->text : NULL);
	}
	return desc;
}

/* ---- compiling it */

static Form_pg_attribute
target_column(TupleDesc target, const char *name, const char *table)
{
	int i;

	for (i = 0; i < target->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(target, i);

		if (att->attisdropped || strcmp(NameStr(att->attname), name) != 0)
			continue;
		if (att->attgenerated != '\0' || att->attidentity == 'a')
			ereport(ERROR,
					(errcode(ERRCODE_GENERATED_ALWAYS),
					 errmsg("recipe: column \"%s\" of %s is always generated", name, table)));
		return att;
	}
	ereport(ERROR, (errcode(ERRCODE_UNDEFINED_COLUMN),
					errmsg("recipe: %s has no column \"%s\"", table, name),
					dmp_errhint_nearest(name, dmp_column_names(target)),
					errdetail("The columns of the table are what the recipe gives; a last step "
							  "{\"select\": [...]} leaves columns out.")));
	return NULL;
}

/*
 * The SELECT of the input: of the batch, or, while there is none, of a row of
 * the same types that the server can analyse.
 */
static char *
input_select(TupleDesc input, bool real)
{
	StringInfoData text;
	int i;

	initStringInfo(&text);
	appendStringInfo(&text, "SELECT %s AS \"%s\", %s AS \"%s\"", real ? "r.tag" : "NULL::integer",
					 TAG_NAME, real ? "r.place" : "NULL::pg_catalog.tid", PLACE_NAME);
	for (i = 0; i < input->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(input, i);

		appendStringInfo(&text, ", %s AS %s, %s AS \"%s%d\"",
						 real ? psprintf("r.c%d", i)
							  : psprintf("NULL::%s", dmp_clean_type(att->atttypid, att->atttypmod)),
						 quote_identifier(NameStr(att->attname)),
						 real ? psprintf("r.d%d", i) : "NULL::boolean", ABSENT_NAME, i);
	}
	if (real)
		appendStringInfo(&text, " FROM %s AS r", DMP_RAW_RELATION);
	return text.data;
}

/* before the conversion to the types of the table, numbers are written as integers are */
static void
before_step(CleanPlan *plan, void *arg)
{
	const DmpDoc *casts = arg;
	ListCell *lc;

	if (casts == NULL || plan->step != casts->n)
		return;
	foreach (lc, plan->columns)
	{
		CleanColumn *column = lfirst(lc);
		const DmpDoc *type = dmp_doc_get(casts->items[casts->n - 1]->items[0], column->name);

		if (type != NULL && column->type == TEXTOID &&
			(strcmp(type->text, "integer") == 0 || strcmp(type->text, "bigint") == 0 ||
			 strcmp(type->text, "smallint") == 0))
			dmp_clean_wrap(column, psprintf("dmp_internal.plain_integer(%s)", column->expr),
						   "dmp_internal.plain_integer(", ")");
	}
}

static void
after_step(CleanPlan *plan, void *arg)
{
}

static void
refuse_step(int number, const char *action)
{
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("recipe step %d: %s looks at other rows, which the recipe of a source cannot",
					number, action),
			 errdetail("It is applied to each record by itself; dmp.recipe_steps says which steps "
					   "are row-wise."),
			 errhint("Leave it to dmp.clean or dmp.run_recipe, behind the table.")));
}

/*
 * The recipe with what follows it: rows without a key go, and what the steps
 * give becomes of the table's types. *casts is set to it when there is a cast.
 */
static const DmpDoc *
with_conversion(const DmpDoc *recipe, const char *steps, const CleanPlan *plan, TupleDesc target,
				const char *table)
{
	StringInfoData text;
	int n = 0;
	ListCell *lc;

	initStringInfo(&text);
	appendStringInfo(&text, "%.*s", (int) (strrchr(steps, ']') - steps), steps);
	foreach (lc, plan->columns)
	{
		CleanColumn *column = lfirst(lc);
		Form_pg_attribute att = target_column(target, column->name, table);

		if (column->type == att->atttypid &&
			(column->typmod == att->atttypmod || att->atttypmod < 0))
			continue;
		appendStringInfoString(&text, n++ == 0 ? (recipe->n > 0 ? ", {\"cast\": {" : "{\"cast\": {")
											   : ", ");
		escape_json(&text, column->name);
		appendStringInfoString(&text, ": ");
		escape_json(&text, dmp_clean_type(att->atttypid, att->atttypmod));
	}
	if (n == 0)
		return NULL;
	appendStringInfoString(&text, "}}]");
	return dmp_doc_parse(text.data, "recipe");
}

/* filters for keys that are missing in the end */
static void
require_keys(CleanPlan *plan, List *key)
{
	ListCell *lc;

	dmp_clean_settle(plan);
	foreach (lc, key)
	{
		CleanColumn *column = NULL;
		CleanLine *line;
		ListCell *lc2;

		foreach (lc2, plan->columns)
			if (strcmp(((CleanColumn *) lfirst(lc2))->name, lfirst(lc)) == 0)
				column = lfirst(lc2);
		if (column == NULL)
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_COLUMN),
					 errmsg("key column \"%s\" is not filled by the source", (char *) lfirst(lc)),
					 errdetail("The recipe does not give it.")));
		line = dmp_clean_line(plan, column->name, false, true);
		dmp_clean_filter(plan, line, psprintf("%s IS NOT NULL", column->base),
						 quote_literal_cstr(psprintf("23502 key \"%s\" is missing", column->name)));
	}
}

static CleanPlan *
compile_form(const DmpDoc *recipe, const DmpDoc *extended, TupleDesc input, List *key,
			 CleanForm form, DmpCounters *counters)
{
	CleanPlan *plan = dmp_clean_plan(input_select(input, false), NIL, input, form);
	CleanWatch watch = {before_step, after_step, unconstify(DmpDoc *, extended)};
	int i;

	if (counters != NULL)
		plan->run = dmp_counters_id(counters);
	if (form == CLEAN_COUNTED)
	{
		plan->record = psprintf("%s.\"%s\"", plan->alias, PLACE_NAME);
		(void) dmp_clean_keep(plan, "dmp_tag", psprintf("%s.\"%s\"", plan->alias, TAG_NAME));
		for (i = 0; i < input->natts; i++)
			(void) dmp_clean_keep(plan, psprintf("dmp_absent_%d", i),
								  psprintf("%s.\"%s%d\"", plan->alias, ABSENT_NAME, i));
	}
	plan->watch = &watch;
	dmp_clean_compile(plan, extended ? extended : recipe);
	plan->watch = NULL;
	plan->step = recipe->n + 1;
	plan->action = "key";
	if (key != NIL)
		require_keys(plan, key);
	return plan;
}

/* tag, the columns of the table, and whether each is missing since the record lacked it */
static char *
output_select(CleanPlan *plan, TupleDesc input, TupleDesc target, const char *table,
			  DmpRowRecipe *result)
{
	StringInfoData columns;
	StringInfoData absent;
	char *sql;
	char *dummy = input_select(input, false);
	char *place;
	ListCell *lc;

	dmp_clean_flush(plan);
	initStringInfo(&columns);
	initStringInfo(&absent);
	result->n = list_length(plan->columns);
	result->columns = palloc(sizeof(int) * result->n);
	foreach (lc, plan->columns)
	{
		CleanColumn *column = lfirst(lc);
		Form_pg_attribute att = target_column(target, column->name, table);
		int flag = -1;
		int i;

		result->columns[foreach_current_index(lc)] = att->attnum - 1;
		for (i = 0; i < input->natts; i++)
			if (strcmp(NameStr(TupleDescAttr(input, i)->attname), column->name) == 0)
				flag = i;
		appendStringInfo(&columns, ", %s", column->base);
		if (flag >= 0)
			appendStringInfo(&absent, ", %s IS NULL AND %s IS TRUE", column->base,
							 ((CleanKept *) list_nth(plan->kept, flag + 1))->expr);
		else
			appendStringInfoString(&absent, ", false");
	}
	sql =
		psprintf("%s%sSELECT %s%s%s\nFROM %s", plan->with.data, plan->with.len > 0 ? "\n" : "",
				 ((CleanKept *) linitial(plan->kept))->expr, columns.data, absent.data, plan->from);
	place = strstr(sql, dummy);
	if (place == NULL)
		elog(ERROR, "the input of the recipe is not in its statement");
	return psprintf("%.*s%s%s", (int) (place - sql), sql, input_select(input, true),
					place + strlen(dummy));
}

static DmpRowRecipe *
row_recipe_compile(const char *text, TupleDesc input, TupleDesc target, const char *table,
				   List *key)
{
	RowRecipe *recipe = palloc0(sizeof(RowRecipe));
	DmpRecipe *stored = dmp_recipe_of(text);
	const DmpDoc *extended;
	CleanPlan *plan;
	Fields fields = {NIL};
	ListCell *lc;

	/* sub-selects */
	read_fields(&fields, stored->doc);
	plan = compile_form(stored->doc, NULL, input, NIL, CLEAN_PLAIN, NULL);
	if (plan->across != 0)
		refuse_step(plan->across, action_of(stored->doc->items[plan->across - 1])->action);
	foreach (lc, plan->lines)
	{
		const CleanLine *line = lfirst(lc);

		if (!line->quarantine)
			ereport(
				ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("recipe step %d: \"quarantine\": false is not for the recipe of a source",
						line->step),
				 errdetail("Every record is loaded, a duplicate, or in the quarantine.")));
	}
	extended = with_conversion(stored->doc, stored->text, plan, target, table);
	plan = compile_form(stored->doc, extended, input, key, CLEAN_PLAIN, NULL);
	recipe->counters = dmp_counters_create(plan->n_slots + list_length(plan->lines));
	plan = compile_form(stored->doc, extended, input, key, CLEAN_COUNTED, recipe->counters);
	recipe->public.select = output_select(plan, input, target, table, &recipe->public);
	recipe->public.state = recipe;
	recipe->n_steps = stored->doc->n;
	recipe->n_slots = plan->n_slots;
	recipe->by_slot = palloc0(sizeof(CleanLine *) * plan->n_slots);
	foreach (lc, plan->lines)
		if (((CleanLine *) lfirst(lc))->rejected >= 0)
			recipe->by_slot[((CleanLine *) lfirst(lc))->rejected] = lfirst(lc);
	return &recipe->public;
}

/* ---- running it */

static void
row_recipe_check(const char *text)
{
	const DmpDoc *recipe = dmp_recipe_of(text)->doc;
	int i;

	dmp_clean_check(recipe);
	for (i = 0; i < recipe->n; i++)
	{
		const char *name = action_of(recipe->items[i])->action;
		const CleanAction *action;
		bool row_wise = false;
		int n;

		/* forms of an action may differ: the rest is known with the table */
		for (n = 0; (action = dmp_clean_action(n)) != NULL; n++)
			row_wise |= strcmp(action->action, name) == 0 && action->row_wise;
		if (!row_wise)
			refuse_step(i + 1, name);
	}
}

static void
row_recipe_reset(DmpRowRecipe *public)
{
	dmp_counters_reset(((RowRecipe *) public->state)->counters);
}

static int64
row_recipe_rejects(DmpRowRecipe *public,
				   void (*rejected)(void *arg, int tag, const DmpRejected *why), void *arg)
{
	RowRecipe *recipe = public->state;
	DmpNote *notes;
	int64 n;
	int64 found = 0;
	int64 i;

	notes = dmp_counters_notes(recipe->counters, &n);
	if (notes == NULL)
		elog(ERROR, "rejected rows of a batch were not noted");
	for (i = 0; i < n; i++)
	{
		CleanLine *line = notes[i].slot < recipe->n_slots ? recipe->by_slot[notes[i].slot] : NULL;
		DmpRejected why = {0};
		char *reason;

		/* values that a step left as they were are noted, too */
		if (line == NULL || !ItemPointerIsValid(&notes[i].tid))
			continue;
		reason = pnstrdup(notes[i].reason, notes[i].length);
		why.column_name = line->column;
		why.sqlstate = pnstrdup(reason, 5);
		why.reason = line->step > recipe->n_steps
						 ? reason + 6
						 : psprintf("recipe step %d: %s", line->step, reason + 6);
		rejected(arg, (int) ItemPointerGetBlockNumber(&notes[i].tid), &why);
		found++;
	}
	pfree(notes);
	return found;
}

static void
row_recipe_release(DmpRowRecipe *public)
{
	dmp_counters_release(((RowRecipe *) public->state)->counters);
}

static const DmpRecipeHooks hooks = {row_recipe_check, row_recipe_input,   row_recipe_compile,
									 row_recipe_reset, row_recipe_rejects, row_recipe_release};

void
dmp_row_recipe_init(void)
{
	dmp_recipe_hooks = &hooks;
}

/*
 * dmp_internal.plain_integer(value text) -> text
 *
 * An integral number that is written with a point or an exponent (12.0, 1e3)
 * as its digits; any other text as it is.
 */
Datum
dmp_plain_integer(PG_FUNCTION_ARGS)
{
	text *value = PG_GETARG_TEXT_PP(0);
	const char *s = VARDATA_ANY(value);
	int length = VARSIZE_ANY_EXHDR(value);
	DmpSoftType *type;
	const char *reason;
	Datum number;
	int i;

	for (i = 0; i < length; i++)
		if (s[i] == '.' || s[i] == 'e' || s[i] == 'E')
			break;
	if (i == length || length > 100)
		PG_RETURN_TEXT_P(value);
	if (fcinfo->flinfo->fn_extra == NULL)
		fcinfo->flinfo->fn_extra = dmp_soft_prepare(NUMERICOID, -1, fcinfo->flinfo->fn_mcxt);
	type = fcinfo->flinfo->fn_extra;
	if (!dmp_soft_input(type, s, length, &number, &reason, NULL))
		PG_RETURN_TEXT_P(value);
	number = DirectFunctionCall1(numeric_trim_scale, number);
	if (DatumGetInt32(DirectFunctionCall1(numeric_scale, number)) != 0)
		PG_RETURN_TEXT_P(value);
	PG_RETURN_TEXT_P(cstring_to_text(DatumGetCString(DirectFunctionCall1(numeric_out, number))));
}
