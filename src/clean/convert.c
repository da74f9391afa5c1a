/*-------------------------------------------------------------------------
 * convert.c
 *		Conversions of cells, where a cell that does not convert rejects its row.
 *
 * The level that converts gives NULL for what does not, and carries what it
 * converted from, as a hidden column, to the next one. There a NULL that was no
 * NULL before is a failure, which a filter rejects. All columns of a step share
 * the two levels, and the function that finds the reason is shown only what
 * failed.
 *-------------------------------------------------------------------------
 */
#include "dmp.h"

#include "clean/clean.h"

/*
 * Before the first conversion of a step: start with expressions that the
 * filters can repeat.
 */
void
dmp_clean_begin_conversions(CleanPlan *plan)
{
	bool compound = plan->window;
	ListCell *lc;

	foreach (lc, plan->columns)
		compound |= ((CleanColumn *) lfirst(lc))->before == NULL;
	if (compound)
		dmp_clean_flush(plan);
	plan->conversions = NIL;
}

/*
 * The column is about to be converted from the text before + expr + after. The
 * caller gives the column its new expression, which is NULL for what does not
 * convert, and fills in error_before and error_after: around that text they
 * make the reason, as a filter's.
 */
CleanConversion *
dmp_clean_convert(CleanPlan *plan, CleanColumn *column, CleanLine *line, const char *before,
				  const char *after)
{
	CleanConversion *conversion = palloc0(sizeof(CleanConversion));

	/* what was converted from stands beside the columns, up to a limit of the server */
	if (list_length(plan->columns) + list_length(plan->conversions) >= CLEAN_LEVEL_COLUMNS)
	{
		dmp_clean_end_conversions(plan);
		dmp_clean_begin_conversions(plan);
	}
	conversion->column = column;
	conversion->line = line;
	conversion->before = psprintf("%s%s", before, column->before);
	conversion->after = psprintf("%s%s", column->after, after);
	conversion->hidden = dmp_clean_hide(plan, column->base);
	plan->conversions = lappend(plan->conversions, conversion);
	return conversion;
}

/*
 * After the last one: the filters, at a level of their own.
 */
void
dmp_clean_end_conversions(CleanPlan *plan)
{
	bool domains = false;
	ListCell *lc;

	if (plan->conversions == NIL)
		return;
	dmp_clean_flush(plan);
	foreach (lc, plan->conversions)
	{
		CleanConversion *conversion = lfirst(lc);
		char *text = psprintf("%s%s%s", conversion->before, dmp_clean_ref(plan, conversion->hidden),
							  conversion->after);
		char *error = psprintf("%s%s%s", conversion->error_before, text, conversion->error_after);
		bool domain = OidIsValid(conversion->domain);

		/* a domain may refuse NULL */
		dmp_clean_filter(plan, conversion->line,
						 psprintf("%s IS NOT NULL OR %s IS NULL", conversion->column->base,
								  domain ? error : text),
						 error);
		domains |= domain;
	}

	/* such a domain can be had only behind the filter, which the traced form lacks */
	if (domains && plan->form != CLEAN_TRACED)
	{
		dmp_clean_flush(plan);
		foreach (lc, plan->conversions)
		{
			CleanConversion *conversion = lfirst(lc);
			CleanColumn *column = conversion->column;

			if (!OidIsValid(conversion->domain))
				continue;
			dmp_clean_replace(
				column, psprintf("%s::%s", column->base,
								 dmp_clean_type(conversion->domain, conversion->domain_typmod)));
			dmp_clean_retype(column, conversion->domain, conversion->domain_typmod);
		}
	}
	plan->conversions = NIL;
}
