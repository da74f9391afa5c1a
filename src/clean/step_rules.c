/*-------------------------------------------------------------------------
 * step_rules.c
 *		functional_dependency: repair by what other rows with the same key say.
 *
 * A rule says that some columns determine another one. Rows that agree in the
 * former should agree in the latter; where they do not, the value of most rows
 * becomes that of all, and fills the missing cells. Rules are applied in the
 * order written, and each sees what those before it repaired; rules that do
 * not touch each other share a level. A map of a rule (key -> value) is an
 * entry of the WITH list, computed by sorts and hashes that spill, and is
 * joined to the rows of the level.
 *
 * weight_by: each row's vote counts as much as the source it comes from is
 * reliable, see sources.c.
 *-------------------------------------------------------------------------
 */
#include "dmp.h"

#include "clean/clean.h"

/* One rule: from -> to */
typedef struct Rule
{
	List *from; /* of CleanColumn */
	CleanColumn *to;
	CleanLine *line;
	char *map; /* name of its entry in the WITH list */
} Rule;

/*
 * The columns of a key "zip" or "zip, state": a column of just that name goes
 * before the parts between commas.
 */
static List *
key_columns(CleanPlan *plan, const char *key)
{
	List *columns = NIL;
	char *rest;

	if (dmp_clean_find_column(plan, key) != NULL || strchr(key, ',') == NULL)
		return list_make1(dmp_clean_column(plan, key));
	rest = pstrdup(key);
	while (rest != NULL)
	{
		char *part = rest;
		char *comma = strchr(rest, ',');
		char *end;

		rest = comma ? comma + 1 : NULL;
		if (comma)
			*comma = '\0';
		while (*part == ' ')
			part++;
		for (end = part + strlen(part); end > part && end[-1] == ' ';)
			*--end = '\0';
		columns = lappend(columns, dmp_clean_column(plan, part));
	}
	return columns;
}

static List *
add_rules(CleanPlan *plan, List *rules, List *from, const DmpDoc *to)
{
	ListCell *lc;

	foreach (lc, dmp_clean_columns(plan, to, NULL, NULL))
	{
		Rule *rule = palloc0(sizeof(Rule));

		rule->from = from;
		rule->to = lfirst(lc);
		if (list_member_ptr(from, rule->to))
			dmp_clean_error(plan, ERRCODE_INVALID_PARAMETER_VALUE,
							"column \"%s\" stands on both sides of a rule", rule->to->name);
		rules = lappend(rules, rule);
	}
	return rules;
}

/*
 * The rules of the argument: {"zip": "city", "zip, street": ["a", "b"]}, or
 * [{"from": columns, "to": columns}].
 */
static List *
read_rules(CleanPlan *plan, const DmpDoc *argument)
{
	static const char *const keys[] = {"from", "to", NULL};
	List *rules = NIL;
	int i;

	if (argument->kind != DMP_DOC_OBJECT && argument->kind != DMP_DOC_ARRAY)
		dmp_clean_error(plan, ERRCODE_INVALID_PARAMETER_VALUE,
						"functional_dependency takes an object {\"zip\": \"city\"} or an array of "
						"{\"from\": columns, \"to\": columns}, not %s",
						dmp_doc_kind_name(argument->kind));
	for (i = 0; i < argument->n; i++)
	{
		const DmpDoc *from;
		const DmpDoc *to;

		if (argument->kind == DMP_DOC_OBJECT)
		{
			rules =
				add_rules(plan, rules, key_columns(plan, argument->keys[i]), argument->items[i]);
			continue;
		}
		dmp_doc_check_keys(argument->items[i], psprintf("recipe step %d", plan->step), keys);
		from = dmp_doc_get(argument->items[i], "from");
		to = dmp_doc_get(argument->items[i], "to");
		if (from == NULL || to == NULL)
			dmp_clean_error(plan, ERRCODE_INVALID_PARAMETER_VALUE,
							"a rule needs \"from\" and \"to\"");
		rules = add_rules(plan, rules, dmp_clean_columns(plan, from, NULL, NULL), to);
	}
	if (rules == NIL)
		dmp_clean_error(plan, ERRCODE_INVALID_PARAMETER_VALUE,
						"functional_dependency names no rule");
	return rules;
}

/*
 * The first rules that can share a level: none reads or writes what another
 * one of them writes.
 */
static List *
next_batch(List *rules)
{
	List *batch = NIL;
	List *written = NIL;
	ListCell *lc;

	foreach (lc, rules)
	{
		Rule *rule = lfirst(lc);
		ListCell *lc2;
		bool clash = list_member_ptr(written, rule->to);

		foreach (lc2, rule->from)
			clash |= list_member_ptr(written, lfirst(lc2));
		if (clash)
			break;
		written = lappend(written, rule->to);
		batch = lappend(batch, rule);
	}
	return batch;
}

/* k1, k2 ... of a rule's map, or the columns they stand for, each with prefix and behind */
static char *
key_list(const Rule *rule, bool columns, const char *separator)
{
	List *items = NIL;
	ListCell *lc;

	foreach (lc, rule->from)
	{
		int n = foreach_current_index(lc) + 1;

		items = lappend(items, columns ? psprintf("%s AS k%d", dmp_clean_key(lfirst(lc)), n)
									   : psprintf("k%d", n));
	}
	return dmp_join(items, separator);
}

/* The rows of the level that have all cells of the key */
static char *
voters(CleanPlan *plan, const Rule *rule)
{
	StringInfoData text;
	char *alive = dmp_clean_alive(plan);
	ListCell *lc;

	initStringInfo(&text);
	appendStringInfo(&text, "FROM %s\n\tWHERE %s IS NOT NULL", plan->alias, rule->to->base);
	foreach (lc, rule->from)
		appendStringInfo(&text, " AND %s IS NOT NULL", ((CleanColumn *) lfirst(lc))->base);
	if (alive != NULL)
		appendStringInfo(&text, " AND %s", alive);
	return text.data;
}

/*
 * The value of most votes for each key, when it has more than the next one.
 * votes: a SELECT of k1 ..., v, w, one row a key and value.
 */
static char *
winners(const Rule *rule, const char *votes, double share)
{
	char *keys = key_list(rule, false, ", ");

	return psprintf("SELECT %s, v FROM (SELECT %s, v, w, row_number() OVER votes AS place,\n"
					"\tlead(w) OVER votes AS next, sum(w) OVER (PARTITION BY %s) AS total\n"
					"\tFROM (%s) AS voted\n"
					"\tWINDOW votes AS (PARTITION BY %s ORDER BY w DESC, v%s)) AS ranked\n"
					"WHERE place = 1 AND (next IS NULL OR w > next)%s",
					keys, keys, keys, votes, keys,
					OidIsValid(rule->to->collation) ? " COLLATE \"C\"" : "",
					share > 0 ? psprintf(" AND w >= %.17g * total", share) : "");
}

static char *
plain_votes(CleanPlan *plan, const Rule *rule)
{
	return psprintf("SELECT %s, %s AS v, count(*)::float8 AS w\n\t%s\n\tGROUP BY %s, v",
					key_list(rule, true, ", "), dmp_clean_key(rule->to), voters(plan, rule),
					key_list(rule, false, ", "));
}

/*
 * weight_by: entries with the weight of each source, from the votes of all
 * rules of the batch. Returns the name of the entry.
 */
static char *
source_weights(CleanPlan *plan, List *batch, CleanColumn *source)
{
	StringInfoData votes;
	char *name = dmp_clean_name(plan, "sources");
	ListCell *lc;

	initStringInfo(&votes);
	foreach (lc, batch)
	{
		Rule *rule = lfirst(lc);
		List *keys = NIL;
		ListCell *lc2;

		foreach (lc2, rule->from)
			keys = lappend(keys, ((CleanColumn *) lfirst(lc2))->base);
		appendStringInfo(&votes,
						 "%sSELECT %s AS source, dmp.row_hash(ROW(%d, %s)) AS item,\n"
						 "\tdmp.row_hash(ROW(%s)) AS vote %s AND %s IS NOT NULL",
						 lc == list_head(batch) ? "" : "\nUNION ALL ", dmp_clean_key(source),
						 foreach_current_index(lc), dmp_join(keys, ", "), rule->to->base,
						 voters(plan, rule), source->base);
	}
	dmp_clean_entry(
		plan, name, true,
		psprintf("SELECT DISTINCT source, (weight).weight, (weight).circle\nFROM (SELECT source, "
				 "dmp_internal.source_weight(source::text, item, vote) OVER () AS weight\nFROM "
				 "(%s) AS votes) AS weighted",
				 votes.data));
	return name;
}

static char *
weighted_votes(CleanPlan *plan, const Rule *rule, CleanColumn *source, const char *weights)
{
	char *keys = key_list(rule, false, ", ");

	/* of sources that copy each other one votes: the best */
	return psprintf(
		"SELECT %s, v, sum(w) AS w FROM (SELECT %s, v, circle, max(weight) AS w FROM\n"
		"\t(SELECT %s, %s AS v, %s AS source %s) AS votes\n"
		"\tJOIN %s AS weights USING (source) GROUP BY %s, v, circle) AS one GROUP BY %s, v",
		keys, keys, key_list(rule, true, ", "), dmp_clean_key(rule->to), dmp_clean_key(source),
		voters(plan, rule), weights, keys, keys);
}

/*
 * Write the maps of a batch and put the repaired cells in place.
 */
static void
apply_batch(CleanPlan *plan, List *batch, CleanColumn *source, double share)
{
	List *columns = NIL;
	char *weights = NULL;
	ListCell *lc;

	foreach (lc, batch)
		columns = lappend(columns, ((Rule *) lfirst(lc))->to);
	dmp_clean_need_rows(plan);
	if (source != NULL)
		weights = source_weights(plan, batch, source);
	foreach (lc, batch)
	{
		Rule *rule = lfirst(lc);
		StringInfoData join;
		char *value;
		ListCell *lc2;

		rule->map = dmp_clean_name(plan, "rule");
		dmp_clean_entry(
			plan, rule->map, false,
			winners(rule,
					source ? weighted_votes(plan, rule, source, weights) : plain_votes(plan, rule),
					share));
		initStringInfo(&join);
		foreach (lc2, rule->from)
			appendStringInfo(&join, "%s%s.k%d = %s", lc2 == list_head(rule->from) ? "" : " AND ",
							 rule->map, foreach_current_index(lc2) + 1, dmp_clean_key(lfirst(lc2)));
		dmp_clean_join(plan, rule->map, join.data);
		value = psprintf("%s.v", rule->map);
		if (strcmp(dmp_clean_key(rule->to), rule->to->base) != 0)
			value = psprintf("%s::%s", value, dmp_clean_type(rule->to->type, rule->to->typmod));
		dmp_clean_replace(
			rule->to,
			psprintf("CASE WHEN %s.v IS DISTINCT FROM %s AND %s.v IS NOT NULL THEN %s ELSE %s END",
					 rule->map, dmp_clean_key(rule->to), rule->map,
					 dmp_clean_tally(plan, rule->line, value), rule->to->base));
	}
	dmp_clean_flush(plan);
}

/*
 * {"functional_dependency": {"zip": "city"}, "weight_by": column,
 * "min_share": number}
 *
 * min_share: the value of most votes must have this share of them to win.
 */
void
dmp_clean_functional_dependency(CleanPlan *plan, const DmpDoc *step, const DmpDoc *argument)
{
	char *what = psprintf("recipe step %d", plan->step);
	List *rules = read_rules(plan, argument);
	char *by = dmp_doc_string(step, "weight_by", NULL, what);
	double share = dmp_doc_number(step, "min_share", 0, what);
	CleanColumn *source = by ? dmp_clean_column(plan, by) : NULL;
	ListCell *lc;

	if (!(share >= 0 && share <= 1))
		dmp_clean_error(plan, ERRCODE_INVALID_PARAMETER_VALUE,
						"\"min_share\" must be between 0 and 1");
	foreach (lc, rules)
	{
		Rule *rule = lfirst(lc);

		if (rule->to == source)
			dmp_clean_error(plan, ERRCODE_INVALID_PARAMETER_VALUE,
							"column \"%s\" is the source of the votes and cannot be repaired",
							source->name);
		rule->line = dmp_clean_line(plan, rule->to->name, true, false);
	}
	while (rules != NIL)
	{
		List *batch = next_batch(rules);

		apply_batch(plan, batch, source, share);
		rules = list_copy_tail(rules, list_length(batch));
	}
}
