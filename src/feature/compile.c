/*-------------------------------------------------------------------------
 * compile.c
 *		From definitions to SQL.
 *
 * All forms of a feature set are one list of aggregates with FILTER over one
 * scan of the events, and differ in where t comes from and how rows are
 * grouped:
 *
 *		now, _at	t is one value; GROUP BY entity
 *		_for		t and the entity are values; no GROUP BY: always one row
 *		keys		t is a column of the keys asked for
 *
 * Keys come in two shapes with the same answer. Dense: for each distinct t one
 * grouped scan, as _at does. Sparse: a join of keys and events by entity,
 * grouped by key. The first costs scans by distinct t, the second joined rows
 * by keys an entity; training.c chooses.
 *
 * Starts of windows are computed once a scan (dense, now, _at) or once a key
 * (sparse), never once an event: that is a sixth of the time for six windows.
 *
 * An event without a finite time is never seen.
 *-------------------------------------------------------------------------
 */
#include "feature/feature.h"

#include "catalog/pg_type.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"

char *
dmp_feature_interval(int64 usecs)
{
	static const struct
	{
		int64 usecs;
		const char *name;
	} units[] = {{USECS_PER_HOUR, "hours"},
				 {USECS_PER_MINUTE, "minutes"},
				 {USECS_PER_SEC, "seconds"},
				 {1, "microseconds"}};
	int i = 0;

	while (usecs % units[i].usecs != 0)
		i++;
	return psprintf("interval '" INT64_FORMAT " %s'", usecs / units[i].usecs, units[i].name);
}

char *
dmp_feature_match(List *names, const char *a, const char *b)
{
	StringInfoData text;
	ListCell *lc;

	initStringInfo(&text);
	foreach (lc, names)
		appendStringInfo(&text, "%s%s.%s = %s.%s", foreach_current_index(lc) ? " AND " : "", a,
						 quote_identifier(lfirst(lc)), b, quote_identifier(lfirst(lc)));
	return text.data;
}

const char *
dmp_feature_empty(const DmpFeatureColumn *column)
{
	if (!column->feature->agg->zero)
		return NULL;
	/* an untyped literal: sums may be numbers or intervals */
	return strcmp(column->feature->agg->name, "sum") == 0 ? "'0'" : "0";
}

/* t as the type of a column of times; without a zone it is in UTC */
static char *
now_as(const DmpFeatureFrame *frame, Oid type)
{
	if (type == TIMESTAMPTZOID)
		return pstrdup(frame->now);
	return psprintf("(%s AT TIME ZONE 'UTC')", frame->now);
}

/* start of a window, computed in place; months are months of UTC */
static char *
start_expression(const DmpFeatureSet *set, const DmpFeatureFrame *frame, const DmpWindow *window)
{
	if (window->months == 0)
		return psprintf("%s - %s", now_as(frame, set->at_type),
						dmp_feature_interval(window->usecs));
	if (set->at_type == TIMESTAMPTZOID)
		return psprintf("(%s AT TIME ZONE 'UTC' - interval '%d months') AT TIME ZONE 'UTC'",
						frame->now, window->months);
	return psprintf("%s - interval '%d months'", now_as(frame, set->at_type), window->months);
}

static char *
window_start(const DmpFeatureSet *set, const DmpFeatureFrame *frame, int window)
{
	char *start;

	if (frame->starts != NULL)
		return psprintf("%s.b%d", frame->starts, window);
	start = start_expression(set, frame, list_nth(set->windows, window));
	return psprintf(frame->constant ? "(SELECT %s)" : "(%s)", start);
}

/* ", start AS b0, start AS b1 ..." */
static char *
window_starts(const DmpFeatureSet *set, const DmpFeatureFrame *frame)
{
	StringInfoData text;
	ListCell *lc;

	initStringInfo(&text);
	foreach (lc, set->windows)
		appendStringInfo(&text, ", %s AS b%d", start_expression(set, frame, lfirst(lc)),
						 foreach_current_index(lc));
	return text.data;
}

/*
 * Condition of an event being known strictly before t. windowed: nothing older
 * than the longest window is needed, because the entities are given and no
 * feature is over all time.
 */
static char *
visible(const DmpFeatureSet *set, const DmpFeatureFrame *frame, bool windowed)
{
	StringInfoData text;
	const char *at;
	int fixed = -1;
	int months = -1;
	ListCell *lc;

	if (set->at == NULL)
		return "true";
	at = quote_identifier(set->at);
	initStringInfo(&text);
	appendStringInfo(&text, "e.%s < %s", at, now_as(frame, set->at_type));
	if (set->delay > 0)
		appendStringInfo(&text, " - %s", dmp_feature_interval(set->delay));
	if (set->known_at != NULL)
		appendStringInfo(&text, " AND e.%s < %s", quote_identifier(set->known_at),
						 now_as(frame, set->known_at_type));

	foreach (lc, set->columns)
		windowed &= ((DmpFeatureColumn *) lfirst(lc))->window >= 0;
	if (!windowed)
	{
		/* not ">": the planner would take the two for a narrow range */
		appendStringInfo(&text, " AND e.%s <> '-infinity'", at);
		return text.data;
	}
	foreach (lc, set->windows)
	{
		DmpWindow *window = lfirst(lc);
		int *longest = window->months ? &months : &fixed;
		DmpWindow *other = *longest >= 0 ? list_nth(set->windows, *longest) : NULL;

		if (other == NULL || window->months > other->months || window->usecs > other->usecs)
			*longest = foreach_current_index(lc);
	}
	if (fixed >= 0 && months >= 0)
		appendStringInfo(&text, " AND e.%s >= least(%s, %s)", at, window_start(set, frame, fixed),
						 window_start(set, frame, months));
	else
		appendStringInfo(&text, " AND e.%s >= %s", at,
						 window_start(set, frame, Max(fixed, months)));
	return text.data;
}

/* agg FILTER (WHERE ...) with the conditions of a column */
static char *
filtered(const DmpFeatureSet *set, const DmpFeatureFrame *frame, const DmpFeatureColumn *column,
		 const char *agg, const char *condition)
{
	List *conditions = NIL;

	if (column->window >= 0)
		conditions = lappend(conditions, psprintf("e.%s >= %s", quote_identifier(set->at),
												  window_start(set, frame, column->window)));
	if (condition != NULL)
		conditions = lappend(conditions, (char *) condition);
	if (column->feature->where != NULL)
		conditions = lappend(conditions, psprintf("(%s)", column->feature->where));
	if (conditions == NIL)
		return pstrdup(agg);
	return psprintf("%s FILTER (WHERE %s)", agg, dmp_join(conditions, " AND "));
}

/* days from one time to another, as float8 */
static char *
days(const char *from, const char *to)
{
	return psprintf("date_part('epoch', %s - %s) / 86400", to, from);
}

/* aggregates about the times of events: recency, interval_mean, rate */
static char *
timed_expression(const DmpFeatureSet *set, const DmpFeatureFrame *frame,
				 const DmpFeatureColumn *column)
{
	const char *name = column->feature->agg->name;
	const char *at = psprintf("e.%s", quote_identifier(set->at));
	const char *of = column->feature->of;
	char *now = now_as(frame, set->at_type);
	char *last = filtered(set, frame, column, psprintf("max(%s)", at),
						  of ? psprintf("(%s) IS NOT NULL", of) : NULL);
	char *first = filtered(set, frame, column, psprintf("min(%s)", at), NULL);
	char *count = filtered(set, frame, column, "count(*)", NULL);

	if (set->at_type == DATEOID)
	{
		last = psprintf("(%s)::timestamp", last);
		first = psprintf("(%s)::timestamp", first);
	}
	if (strcmp(name, "recency") == 0)
		return days(last, now);
	if (strcmp(name, "interval_mean") == 0)
		return psprintf("%s / nullif(%s - 1, 0)", days(first, last), count);
	Assert(strcmp(name, "rate") == 0);
	if (column->window >= 0)
		first =
			psprintf("(%s)", start_expression(set, frame, list_nth(set->windows, column->window)));
	return psprintf("nullif(%s, 0) / (%s)", count, days(first, now));
}

/* one column of features as SQL over events e */
static char *
column_expression(const DmpFeatureSet *set, const DmpFeatureFrame *frame,
				  const DmpFeatureColumn *column)
{
	const DmpFeature *feature = column->feature;
	const char *name = feature->agg->name;
	/* the order of texts must not depend on the database's locale */
	const char *collate = feature->of_collates ? " COLLATE \"C\"" : "";
	char *of = feature->of ? psprintf("(%s)", feature->of) : NULL;

	if (strcmp(name, "count") == 0)
		return filtered(set, frame, column, psprintf("count(%s)", of ? of : "*"), NULL);
	if (strcmp(name, "sum") == 0)
		return psprintf("coalesce(%s, '0')",
						filtered(set, frame, column, psprintf("sum(%s)", of), NULL));
	if (strcmp(name, "avg") == 0 || strcmp(name, "stddev") == 0)
		return filtered(set, frame, column, psprintf("%s(%s)", name, of), NULL);
	if (strcmp(name, "min") == 0 || strcmp(name, "max") == 0)
	{
		if (feature->of_type == BOOLOID)
			return filtered(set, frame, column,
							psprintf("%s(%s)", name[1] == 'i' ? "bool_and" : "bool_or", of), NULL);
		return filtered(set, frame, column, psprintf("%s(%s%s)", name, of, collate), NULL);
	}
	if (strcmp(name, "count_distinct") == 0)
		return filtered(set, frame, column, psprintf("count(DISTINCT %s)", of), NULL);
	if (strcmp(name, "mode") == 0)
		return filtered(set, frame, column,
						psprintf("mode() WITHIN GROUP (ORDER BY %s%s)", of, collate), NULL);
	if (strcmp(name, "first") == 0 || strcmp(name, "last") == 0)
		/* of events at the same time the least value, so that the answer does not depend on luck */
		return psprintf("(%s)[1]", filtered(set, frame, column,
											psprintf("array_agg(%s ORDER BY e.%s%s, %s%s)", of,
													 quote_identifier(set->at),
													 name[0] == 'l' ? " DESC" : "", of, collate),
											psprintf("%s IS NOT NULL", of)));
	return timed_expression(set, frame, column);
}

/* ", expression AS name" for every column */
static char *
column_list(const DmpFeatureSet *set, const DmpFeatureFrame *frame)
{
	StringInfoData text;
	ListCell *lc;

	initStringInfo(&text);
	foreach (lc, set->columns)
	{
		DmpFeatureColumn *column = lfirst(lc);

		appendStringInfo(&text, ",\n    %s AS %s", column_expression(set, frame, column),
						 quote_identifier(column->name));
	}
	return text.data;
}

/* a.x IS NOT NULL AND ... */
static char *
present(List *names, const char *alias)
{
	StringInfoData text;
	ListCell *lc;

	initStringInfo(&text);
	foreach (lc, names)
		appendStringInfo(&text, "%s%s.%s IS NOT NULL", foreach_current_index(lc) ? " AND " : "",
						 alias, quote_identifier(lfirst(lc)));
	return text.data;
}

/* features of all entities that have events, at one t */
static char *
select_grouped(const DmpFeatureSet *set, const DmpFeatureFrame *frame, bool windowed)
{
	char *entity = dmp_join_identifiers(set->entity, "e.");

	return psprintf("SELECT %s%s\nFROM %s AS e\nWHERE %s AND %s\nGROUP BY %s", entity,
					column_list(set, frame), dmp_relation_name(set->events),
					present(set->entity, "e"), visible(set, frame, windowed), entity);
}

/* ", coalesce(a.x, 0) AS x" for every column: what an outer join left out is empty */
static char *
columns_of(const DmpFeatureSet *set, const char *alias)
{
	StringInfoData text;
	ListCell *lc;

	initStringInfo(&text);
	foreach (lc, set->columns)
	{
		DmpFeatureColumn *column = lfirst(lc);
		const char *name = quote_identifier(column->name);
		const char *empty = dmp_feature_empty(column);

		if (empty != NULL)
			appendStringInfo(&text, ",\n    coalesce(%s.%s, %s) AS %s", alias, name, empty, name);
		else
			appendStringInfo(&text, ",\n    %s.%s", alias, name);
	}
	return text.data;
}

/* the entities query with each entity once */
static char *
distinct_entities(const DmpFeatureSet *set)
{
	return psprintf("SELECT DISTINCT %s FROM (%s) AS q WHERE %s",
					dmp_join_identifiers(set->entity, "q."), set->entities_select,
					present(set->entity, "q"));
}

char *
dmp_feature_select(const DmpFeatureSet *set, const DmpFeatureFrame *frame)
{
	if (set->entities == NULL)
		return select_grouped(set, frame, false);
	return psprintf("SELECT %s%s\nFROM (%s) AS n\nLEFT JOIN (%s) AS a ON %s",
					dmp_join_identifiers(set->entity, "n."), columns_of(set, "a"),
					distinct_entities(set), select_grouped(set, frame, true),
					dmp_feature_match(set->entity, "a", "n"));
}

char *
dmp_feature_select_one(const DmpFeatureSet *set)
{
	DmpFeatureFrame frame = {0};
	StringInfoData columns;
	StringInfoData match;
	ListCell *lc;

	frame.now = psprintf("$%d", list_length(set->entity) + 1);
	initStringInfo(&columns);
	initStringInfo(&match);
	foreach (lc, set->entity)
	{
		int i = foreach_current_index(lc);
		const char *name = quote_identifier(lfirst(lc));

		appendStringInfo(&columns, "%s$%d AS %s", i ? ", " : "", i + 1, name);
		appendStringInfo(&match, "%se.%s = $%d", i ? " AND " : "", name, i + 1);
	}
	return psprintf("SELECT %s%s\nFROM %s AS e\nWHERE %s AND %s", columns.data,
					column_list(set, &frame), dmp_relation_name(set->events), match.data,
					visible(set, &frame, true));
}

char *
dmp_feature_select_keys(const DmpFeatureSet *set, const char *keys, bool dense)
{
	DmpFeatureFrame frame = {0};
	DmpFeatureFrame key = {0};
	char *entity = dmp_join_identifiers(set->entity, "");

	if (set->at == NULL)
		return select_grouped(set, &frame, true);
	key.now = "d.at";
	if (dense)
	{
		frame.now = "t.at";
		frame.starts = "t";
		/* OFFSET 0 keeps the starts from being computed at every event */
		return psprintf("SELECT t.at, f.*\nFROM (SELECT d.at%s FROM (SELECT DISTINCT at FROM %s) "
						"AS d OFFSET 0) AS t\nCROSS JOIN LATERAL (%s) AS f",
						window_starts(set, &key), keys, select_grouped(set, &frame, true));
	}
	frame.now = "k.at";
	frame.starts = "k";
	return psprintf("SELECT %s, k.at%s\nFROM (SELECT %s, d.at%s FROM (SELECT DISTINCT %s, at FROM "
					"%s) AS d OFFSET 0) AS k\nJOIN %s AS e ON %s AND %s\nGROUP BY %s, k.at",
					dmp_join_identifiers(set->entity, "k."), column_list(set, &frame),
					dmp_join_identifiers(set->entity, "d."), window_starts(set, &key), entity, keys,
					dmp_relation_name(set->events), dmp_feature_match(set->entity, "e", "k"),
					visible(set, &frame, true), dmp_join_identifiers(set->entity, "k."));
}

char *
dmp_feature_select_labels(const DmpFeatureSet *set, const char *outcome, const char *end_of)
{
	DmpFeatureFrame frame = {0};
	DmpFeatureFrame end = {0};
	char *at = psprintf("e.%s", quote_identifier(set->at));
	char *entity = dmp_join_identifiers(set->entity, "e.");
	char *after;
	char *events;
	char *known;
	char *label;

	frame.now = "t.at";
	end.now = "t.ends";
	after = psprintf("%s >= %s", at, now_as(&frame, set->at_type));
	label = psprintf("coalesce(bool_or(%s) FILTER (WHERE %s), false) AS label", outcome, after);
	events = psprintf("FROM %s AS e WHERE %s AND %s < %s", dmp_relation_name(set->events),
					  present(set->entity, "e"), at, now_as(&end, set->at_type));
	if (set->entities == NULL)
		known =
			psprintf("SELECT %s, t.at, %s\n%s\nGROUP BY %s HAVING count(*) FILTER (WHERE %s) > 0",
					 entity, label, events, entity, visible(set, &frame, false));
	else
		known = psprintf("SELECT %s, t.at, coalesce(a.label, false) AS label\nFROM (%s) AS n\n"
						 "LEFT JOIN (SELECT %s, %s\n%s AND %s\nGROUP BY %s) AS a ON %s",
						 dmp_join_identifiers(set->entity, "n."), distinct_entities(set), entity,
						 label, events, after, entity, dmp_feature_match(set->entity, "a", "n"));
	return psprintf("SELECT f.*\nFROM (SELECT DISTINCT u.at, %s AS ends FROM unnest($1) AS u(at) "
					"OFFSET 0) AS t\nCROSS JOIN LATERAL (%s) AS f",
					end_of, known);
}
