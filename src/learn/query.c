/*-------------------------------------------------------------------------
 * query.c
 *		The rows dmp.train reads: the query argument, made safe to read twice.
 *
 * A fit may scan its rows several times and they must be the same each time:
 * one snapshot serves all scans, and a query that calls volatile functions is
 * run once, into a temporary table.
 *-------------------------------------------------------------------------
 */
#include "dmp.h"

#include "access/xact.h"
#include "feature/feature.h"
#include "learn/query.h"
#include "utils/snapmgr.h"

/* A query opens with one of these, or a parenthesis or comment; what is left is a name. */
static bool
is_name(const char *text)
{
	static const char *const words[] = {"select", "with", "values", "table"};
	int i;

	while (*text == ' ' || *text == '\t' || *text == '\n' || *text == '\r')
		text++;
	if (*text == '(' || *text == '-' || *text == '/')
		return false;
	for (i = 0; i < lengthof(words); i++)
	{
		size_t n = strlen(words[i]);

		if (pg_strncasecmp(text, words[i], n) == 0 && text[n] != '\0' &&
			strchr(" \t\r\n(*'\"-/", text[n]) != NULL)
			return false;
	}
	return true;
}

DmpTrainQuery *
dmp_train_query(const char *text)
{
	static uint32 counter = 0;
	DmpTrainQuery *query = palloc0(sizeof(DmpTrainQuery));

	query->text = text;
	query->select = dmp_query_select(text, "query");
	query->desc = dmp_query_columns(query->select, NULL, NULL);
	if (is_name(text))
	{
		Oid relid = dmp_relation_oid(text, true);

		if (OidIsValid(relid))
			(void) dmp_training_set_key(relid, &query->key, &query->at);
	}
	if (dmp_query_is_volatile(query->select))
	{
		query->temporary = psprintf("pg_temp.dmp_train_%u", ++counter);
		dmp_progress("train: the query is volatile, its rows are kept in a temporary table");
		dmp_spi(psprintf("CREATE TEMPORARY TABLE %s ON COMMIT DROP AS %s",
						 query->temporary + strlen("pg_temp."), query->select),
				NULL, false);
		query->select = psprintf("SELECT * FROM %s", query->temporary);
	}
	CommandCounterIncrement();
	PushCopiedSnapshot(GetActiveSnapshot());
	UpdateActiveSnapshotCommandId();
	return query;
}

void
dmp_train_query_end(DmpTrainQuery *query)
{
	PopActiveSnapshot();
	if (query->temporary != NULL)
		dmp_spi(psprintf("DROP TABLE %s", query->temporary), NULL, false);
}
