/*-------------------------------------------------------------------------
 * context.c
 *		Actor, purpose, tenant and request of a transaction.
 *
 * The context is a setting, because settings reach parallel workers and end
 * with their transaction. Only a superuser may SET it; dmp.set_context()
 * writes it from C after checking what the role was granted, so that no
 * client can forge one.
 *-------------------------------------------------------------------------
 */
#include "govern/govern.h"

#include "utils/guc.h"
#include "utils/memutils.h"

static char *context_setting;
/* the setting, taken apart; NULL: not yet */
static DmpContext *current;
static MemoryContext current_memory;

static void
context_assign(const char *value, void *extra)
{
	current = NULL;
}

const DmpContext *
dmp_context(void)
{
	MemoryContext before;
	DmpDoc *doc;

	if (current)
		return current;
	if (!current_memory)
		current_memory =
			AllocSetContextCreate(TopMemoryContext, "dmp context", ALLOCSET_SMALL_SIZES);
	MemoryContextReset(current_memory);
	before = MemoryContextSwitchTo(current_memory);
	doc = context_setting && *context_setting ? dmp_doc_parse(context_setting, "context") : NULL;
	current = palloc0(sizeof(DmpContext));
	if (doc)
	{
		DmpContext read = {0};

		read.actor = dmp_doc_string(doc, "actor", NULL, "context");
		read.purpose = dmp_doc_string(doc, "purpose", NULL, "context");
		read.tenant = dmp_doc_string(doc, "tenant", NULL, "context");
		read.request = dmp_doc_string(doc, "request", NULL, "context");
		*current = read;
	}
	MemoryContextSwitchTo(before);
	return current;
}

void
dmp_context_init(void)
{
	DefineCustomStringVariable(
		"dmp.context", "Actor, purpose, tenant and request of this transaction.",
		"Written by dmp.set_context().", &context_setting, "", PGC_SUSET,
		GUC_NO_SHOW_ALL | GUC_NOT_IN_SAMPLE | GUC_DISALLOW_IN_FILE, NULL, context_assign, NULL);
}
