/*-------------------------------------------------------------------------
 * access_act.c
 *		The statements of dmp.protect: collected, then run, then shown.
 *
 * All names in them are qualified and quoted, and they run with search_path
 * pg_catalog, so that they mean the same for whoever repeats them. Nothing in
 * them is text of a user: names, values of arrays as literals, and masks from
 * a fixed list.
 *-------------------------------------------------------------------------
 */
#include "govern/access.h"

#include "utils/guc.h"

typedef struct Act
{
	char *object;
	char *kind;
	char *sql;
	bool run;
	bool as_owner;
} Act;

static void
add_act(DmpActs *acts, const char *object, const char *kind, char *sql, bool run, bool as_owner)
{
	Act *act = palloc(sizeof(Act));

	act->object = pstrdup(object);
	act->kind = pstrdup(kind);
	act->sql = sql;
	act->run = run;
	act->as_owner = as_owner;
	acts->acts = lappend(acts->acts, act);
}

static char *format_text(const char *format, va_list args) pg_attribute_printf(1, 0);

static char *
format_text(const char *format, va_list args)
{
	StringInfoData text;
	va_list again;

	initStringInfo(&text);
	for (;;)
	{
		int needed;

		va_copy(again, args);
		needed = appendStringInfoVA(&text, format, again);
		va_end(again);
		if (needed == 0)
			return text.data;
		enlargeStringInfo(&text, needed);
	}
}

void
dmp_act(DmpActs *acts, const char *object, const char *kind, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	add_act(acts, object, kind, format_text(format, args), true, false);
	va_end(args);
}

void
dmp_act_as_owner(DmpActs *acts, const char *object, const char *kind, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	add_act(acts, object, kind, format_text(format, args), true, true);
	va_end(args);
}

void
dmp_act_note(DmpActs *acts, const char *object, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	add_act(acts, object, "note", psprintf("-- %s", format_text(format, args)), false, false);
	va_end(args);
}

const char *
dmp_act_role(const char *role)
{
	return role ? quote_identifier(role) : "PUBLIC";
}

void
dmp_acts_run(DmpActs *acts)
{
	int level = NewGUCNestLevel();
	ListCell *lc;

	(void) set_config_option("search_path", "pg_catalog, pg_temp", PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
	dmp_spi_connect();
	foreach (lc, acts->acts)
	{
		Act *act = lfirst(lc);

		CHECK_FOR_INTERRUPTS();
		if (!act->run)
			continue;
		if (act->as_owner)
			dmp_spi_registry(act->sql, NULL, false);
		else
			dmp_spi(act->sql, NULL, false);
	}
	dmp_spi_finish();
	AtEOXact_GUC(false, level);
}

List *
dmp_acts_sql(const DmpActs *acts)
{
	List *statements = NIL;
	ListCell *lc;

	foreach (lc, acts->acts)
	{
		Act *act = lfirst(lc);

		if (act->run)
			statements = lappend(statements, act->sql);
	}
	return statements;
}

void
dmp_acts_return(FunctionCallInfo fcinfo, DmpActs *acts)
{
	ListCell *lc;

	dmp_srf_begin(fcinfo);
	foreach (lc, acts->acts)
	{
		Act *act = lfirst(lc);
		Datum values[3];
		bool nulls[3] = {false, false, false};

		values[0] = CStringGetTextDatum(act->object);
		values[1] = CStringGetTextDatum(act->kind);
		values[2] = CStringGetTextDatum(act->sql);
		dmp_srf_row(fcinfo, values, nulls);
	}
}
