/*-------------------------------------------------------------------------
 * recipe.c
 *		Reading a recipe: the table of steps, columns named in them, errors.
 *
 * A recipe is a json array of steps; a step is an object with one action and
 * perhaps options of it. Order means something, so the document is json.
 *-------------------------------------------------------------------------
 */
#include "dmp.h"

#include "catalog/pg_type.h"
#include "parser/parse_coerce.h"
#include "utils/lsyscache.h"

#include "clean/clean.h"

/*
 * Raise an error about the current step: recipe step 4: ...
 */
void
dmp_clean_error(CleanPlan *plan, int sqlstate, const char *fmt, ...)
{
	StringInfoData text;
	va_list args;
	int needed;

	initStringInfo(&text);
	for (;;)
	{
		va_start(args, fmt);
		needed = appendStringInfoVA(&text, fmt, args);
		va_end(args);
		if (needed == 0)
			break;
		enlargeStringInfo(&text, needed);
	}
	ereport(ERROR, (errcode(sqlstate), errmsg("recipe step %d: %s", plan->step, text.data)));
	pg_unreachable();
}

static List *
column_names(CleanPlan *plan)
{
	List *names = NIL;
	ListCell *lc;

	foreach (lc, plan->columns)
		names = lappend(names, ((CleanColumn *) lfirst(lc))->name);
	return names;
}

/*
 * The column of that name as of the current step.
 */
CleanColumn *
dmp_clean_column(CleanPlan *plan, const char *name)
{
	List *names = column_names(plan);
	ListCell *lc;

	foreach (lc, plan->columns)
		if (strcmp(((CleanColumn *) lfirst(lc))->name, name) == 0)
			return lfirst(lc);
	ereport(ERROR, (errcode(ERRCODE_UNDEFINED_COLUMN),
					errmsg("recipe step %d: column \"%s\" does not exist", plan->step, name),
					errdetail("Columns at this step: %s.", dmp_join(names, ", ")),
					dmp_errhint_nearest(name, names)));
	return NULL;
}

/*
 * text, varchar, char and what an extension counts among the strings.
 */
bool
dmp_clean_is_text(const CleanColumn *column)
{
	Oid base = getBaseType(column->type);

	return TypeCategory(base) == TYPCATEGORY_STRING && base != CHAROID;
}

bool
dmp_clean_is_number(const CleanColumn *column)
{
	return dmp_type_is_number(getBaseType(column->type));
}

CleanColumn *
dmp_clean_find_column(const CleanPlan *plan, const char *name)
{
	ListCell *lc;

	foreach (lc, plan->columns)
		if (strcmp(((CleanColumn *) lfirst(lc))->name, name) == 0)
			return lfirst(lc);
	return NULL;
}

/*
 * Condition that leaves infinities and NaN out of an aggregate.
 */
char *
dmp_clean_finite(const CleanColumn *column)
{
	switch (getBaseType(column->type))
	{
		case FLOAT4OID:
		case FLOAT8OID:
		case NUMERICOID:
			/* infinity - infinity and NaN - NaN are NaN */
			return psprintf(" FILTER (WHERE %s - %s = 0)", column->base, column->base);
		default:
			return "";
	}
}

static void
check_fits(CleanPlan *plan, CleanColumn *column, bool (*fits)(const CleanColumn *),
		   const char *kind)
{
	if (fits != NULL && !fits(column))
		ereport(ERROR, (errcode(ERRCODE_DATATYPE_MISMATCH),
						errmsg("recipe step %d: column \"%s\" is %s, and %s takes %s columns",
							   plan->step, column->name,
							   dmp_clean_type(column->type, column->typmod), plan->action, kind),
						errhint("A step {\"cast\": {...}} before this one changes the type.")));
}

static List *
fitting_columns(CleanPlan *plan, bool (*fits)(const CleanColumn *))
{
	List *columns = NIL;
	ListCell *lc;

	foreach (lc, plan->columns)
		if (fits == NULL || fits(lfirst(lc)))
			columns = lappend(columns, lfirst(lc));
	return columns;
}

/*
 * Columns named by a string, an array of strings, or "*": those that fit. A
 * column named that does not fit is an error.
 */
List *
dmp_clean_columns(CleanPlan *plan, const DmpDoc *doc, bool (*fits)(const CleanColumn *),
				  const char *kind)
{
	List *columns = NIL;
	int i;

	if (doc->kind == DMP_DOC_STRING && strcmp(doc->text, "*") == 0)
		return fitting_columns(plan, fits);
	if (doc->kind != DMP_DOC_STRING && doc->kind != DMP_DOC_ARRAY)
		dmp_clean_error(plan, ERRCODE_INVALID_PARAMETER_VALUE,
						"%s takes a column, an array of columns or \"*\", not %s", plan->action,
						dmp_doc_kind_name(doc->kind));
	if (doc->kind == DMP_DOC_ARRAY && doc->n == 0)
		dmp_clean_error(plan, ERRCODE_INVALID_PARAMETER_VALUE, "%s names no column", plan->action);
	for (i = 0; i < (doc->kind == DMP_DOC_ARRAY ? doc->n : 1); i++)
	{
		const DmpDoc *item = doc->kind == DMP_DOC_ARRAY ? doc->items[i] : doc;
		CleanColumn *column;

		if (item->kind != DMP_DOC_STRING)
			dmp_clean_error(plan, ERRCODE_INVALID_PARAMETER_VALUE,
							"%s takes names of columns, not %s", plan->action,
							dmp_doc_kind_name(item->kind));
		column = dmp_clean_column(plan, item->text);
		check_fits(plan, column, fits, kind);
		if (list_member_ptr(columns, column))
			dmp_clean_error(plan, ERRCODE_DUPLICATE_COLUMN, "column \"%s\" is named twice",
							column->name);
		columns = lappend(columns, column);
	}
	return columns;
}

/*
 * The members of an object {column: value}, as a list of CleanPair. "*" stands
 * for the columns that fit and are not named themselves.
 */
List *
dmp_clean_pairs(CleanPlan *plan, const DmpDoc *object, bool (*fits)(const CleanColumn *),
				const char *kind)
{
	List *named = NIL;
	List *pairs = NIL;
	int i;

	if (object->kind != DMP_DOC_OBJECT)
		dmp_clean_error(plan, ERRCODE_INVALID_PARAMETER_VALUE,
						"%s takes an object of columns, not %s", plan->action,
						dmp_doc_kind_name(object->kind));
	if (object->n == 0)
		dmp_clean_error(plan, ERRCODE_INVALID_PARAMETER_VALUE, "%s names no column", plan->action);
	for (i = 0; i < object->n; i++)
	{
		CleanColumn *column = NULL;

		if (strcmp(object->keys[i], "*") != 0)
		{
			column = dmp_clean_column(plan, object->keys[i]);
			check_fits(plan, column, fits, kind);
		}
		named = lappend(named, column);
	}
	for (i = 0; i < object->n; i++)
	{
		List *columns = list_nth(named, i) != NULL ? list_make1(list_nth(named, i))
												   : fitting_columns(plan, fits);
		ListCell *lc;

		foreach (lc, columns)
		{
			CleanPair *pair;

			if (list_nth(named, i) == NULL && list_member_ptr(named, lfirst(lc)))
				continue;
			pair = palloc(sizeof(CleanPair));
			pair->column = lfirst(lc);
			pair->value = object->items[i];
			pair->spread = list_nth(named, i) == NULL;
			pairs = lappend(pairs, pair);
		}
	}
	return pairs;
}

/*
 * What becomes of a cell that is not what the step wants: options' key is
 * "quarantine" (reject the row), "missing", or, unless NULL, keep.
 */
CleanFate
dmp_clean_fate(CleanPlan *plan, const DmpDoc *options, const char *key, const char *usual,
			   const char *keep)
{
	const DmpDoc *value = dmp_doc_get(options, key);
	const char *fate = usual;

	if (value != NULL)
		fate = value->kind == DMP_DOC_STRING ? value->text : dmp_doc_kind_name(value->kind);
	if (strcmp(fate, "quarantine") == 0)
		return CLEAN_REJECT;
	if (strcmp(fate, "missing") == 0)
		return CLEAN_MISSING;
	if (keep != NULL && strcmp(fate, keep) == 0)
		return CLEAN_KEEP;
	if (keep == NULL)
		dmp_clean_error(plan, ERRCODE_INVALID_PARAMETER_VALUE,
						"\"%s\" of %s is \"quarantine\" or \"missing\", not \"%s\"", key,
						plan->action, fate);
	dmp_clean_error(plan, ERRCODE_INVALID_PARAMETER_VALUE,
					"\"%s\" of %s is \"%s\", \"missing\" or \"quarantine\", not \"%s\"", key,
					plan->action, keep, fate);
}

/*
 * Whether the rows that a step rejects are kept.
 */
bool
dmp_clean_quarantine(CleanPlan *plan, const DmpDoc *step)
{
	return dmp_doc_bool(step, "quarantine", true, psprintf("recipe step %d", plan->step));
}

static List *
action_names(void)
{
	List *names = NIL;
	const CleanAction *action;
	int i;

	for (i = 0; (action = dmp_clean_action(i)) != NULL; i++)
		if (names == NIL || strcmp(action->action, llast(names)) != 0)
			names = lappend(names, (char *) action->action);
	return names;
}

/* The first entry of the action, NULL when there is none */
static const CleanAction *
find_action(const char *name)
{
	const CleanAction *action;
	int i;

	for (i = 0; (action = dmp_clean_action(i)) != NULL; i++)
		if (strcmp(action->action, name) == 0)
			return action;
	return NULL;
}

/*
 * Every key beside the action must be an option of it.
 */
static void
check_options(CleanPlan *plan, const DmpDoc *step, const CleanAction *action)
{
	List *known = NIL;
	const char *const *option;
	int i;

	for (option = action->options; *option != NULL; option++)
		known = lappend(known, (char *) *option);
	for (i = 0; i < step->n; i++)
	{
		const char *key = step->keys[i];
		bool found = strcmp(key, plan->action) == 0;
		ListCell *lc;

		foreach (lc, known)
			found |= strcmp(key, lfirst(lc)) == 0;
		if (found)
			continue;
		if (find_action(key) != NULL)
			ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
							errmsg("recipe step %d: two actions, \"%s\" and \"%s\"", plan->step,
								   plan->action, key),
							errhint("Make them two steps, in the order that is meant.")));
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("recipe step %d: unknown key \"%s\"", plan->step, key),
						errdetail("Keys beside \"%s\": %s.", plan->action,
								  known ? dmp_join(known, ", ") : "none"),
						dmp_errhint_nearest(key, known)));
	}
}

/*
 * The action of a step: an object with one known action and options of it.
 */
static const CleanAction *
read_step(CleanPlan *plan, const DmpDoc *step)
{
	const CleanAction *action = NULL;
	int i;

	if (step->kind != DMP_DOC_OBJECT)
		dmp_clean_error(plan, ERRCODE_INVALID_PARAMETER_VALUE, "a step is an object, not %s",
						dmp_doc_kind_name(step->kind));
	for (i = 0; i < step->n && action == NULL; i++)
		action = find_action(step->keys[i]);
	if (action == NULL)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						step->n == 0 ? errmsg("recipe step %d is empty", plan->step)
									 : errmsg("recipe step %d: unknown action \"%s\"", plan->step,
											  step->keys[0]),
						errdetail("Known actions: %s.", dmp_join(action_names(), ", ")),
						step->n == 0 ? 0 : dmp_errhint_nearest(step->keys[0], action_names())));
	plan->action = action->action;
	check_options(plan, step, action);
	return action;
}

static void
compile_step(CleanPlan *plan, const DmpDoc *step)
{
	const CleanAction *action = read_step(plan, step);

	action->compile(plan, step, dmp_doc_get(step, plan->action));
}

static void
check_array(const DmpDoc *recipe)
{
	if (recipe->kind != DMP_DOC_ARRAY)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("recipe must be a json array of steps, not %s",
							   dmp_doc_kind_name(recipe->kind)),
						errhint("Example: [{\"trim\": \"*\"}, {\"drop_missing\": [\"id\"]}]")));
}

/*
 * What can be said of a recipe without data: known actions, one a step, and
 * known options.
 */
void
dmp_clean_check(const DmpDoc *recipe)
{
	CleanPlan plan = {0};

	check_array(recipe);
	for (plan.step = 1; plan.step <= recipe->n; plan.step++)
		(void) read_step(&plan, recipe->items[plan.step - 1]);
}

/*
 * An expression named a column that is not there: say which are, and the
 * nearest instead of the server's hint, which names the level.
 */
static void
describe_columns(CleanPlan *plan, ErrorData *error)
{
	List *names = column_names(plan);
	const char *start = strchr(error->message, '"');
	const char *end = start ? strchr(start + 1, '"') : NULL;
	const char *nearest = end ? dmp_nearest(pnstrdup(start + 1, end - start - 1), names) : NULL;

	error->detail = psprintf("Columns at this step: %s.", dmp_join(names, ", "));
	error->hint = nearest ? psprintf("Did you mean \"%s\"?", nearest) : NULL;
}

/*
 * The error under way, with the step named in front of its message unless it
 * says that already, or is not about the recipe.
 */
static void
throw_for_step(CleanPlan *plan, MemoryContext context)
{
	ErrorData *error;

	MemoryContextSwitchTo(context);
	error = CopyErrorData();
	switch (ERRCODE_TO_CATEGORY(error->sqlerrcode))
	{
		case ERRCODE_DATA_EXCEPTION:
		case ERRCODE_FEATURE_NOT_SUPPORTED:
		case ERRCODE_SYNTAX_ERROR_OR_ACCESS_RULE_VIOLATION:
			if (strncmp(error->message, "recipe step", strlen("recipe step")) != 0)
				break;
			/* FALLTHROUGH */
		default:
			PG_RE_THROW();
	}
	FlushErrorState();
	if (error->sqlerrcode == ERRCODE_UNDEFINED_COLUMN && error->detail == NULL)
		describe_columns(plan, error);
	ereport(ERROR, (errcode(error->sqlerrcode),
					plan->about ? errmsg("recipe step %d: column \"%s\": %s", plan->step,
										 plan->about, error->message)
								: errmsg("recipe step %d: %s", plan->step, error->message),
					error->detail ? errdetail("%s", error->detail) : 0,
					error->hint ? errhint("%s", error->hint) : 0));
}

/*
 * Compile all steps; in the traced form up to the last that rejects. A watch is
 * told before and after each step.
 */
void
dmp_clean_compile(CleanPlan *plan, const DmpDoc *recipe)
{
	MemoryContext context = CurrentMemoryContext;
	int i;

	check_array(recipe);
	for (i = 0; i < recipe->n; i++)
	{
		CHECK_FOR_INTERRUPTS();
		plan->step = i + 1;
		plan->about = NULL;
		PG_TRY();
		{
			if (plan->watch != NULL)
				plan->watch->before(plan, plan->watch->arg);
			compile_step(plan, recipe->items[i]);
			if (plan->watch != NULL)
				plan->watch->after(plan, plan->watch->arg);
		}
		PG_CATCH();
		{
			throw_for_step(plan, context);
		}
		PG_END_TRY();
		if (plan->form == CLEAN_TRACED && plan->step == plan->stop_step)
			return;
	}
}
