/*-------------------------------------------------------------------------
 * subject_place.c
 *		Where a subject is besides the rows of tables: raw records of the lake,
 *		the quarantine, and what dmp's own tables keep of values.
 *
 * A raw record is a subject's when the member that its source maps to a tagged
 * column is the name, or when the name stands in it as a whole. A plain word
 * or a number is something else as likely as not: it counts by the mapped
 * member only (numbers in other formats than json from 8 digits on); where
 * there is none to go by, it is not looked for, and that is said.
 *-------------------------------------------------------------------------
 */
#include "govern/subject.h"

#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "utils/json.h"
#include "utils/lsyscache.h"

PG_FUNCTION_INFO_V1(dmp_holds_value);

/* digits from which on a number names something anywhere */
#define LONG_NUMBER 8

static bool
is_word(unsigned char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
}

/* characters that join words to one address or number when words are on both sides */
static bool
is_joint(unsigned char c)
{
	return c != '\0' && strchr(".-+@%", c) != NULL;
}

/*
 * dmp_internal.holds_value(record, value): both ends of the value are ends of
 * a word. ann@example.org is not in joann@example.org, j.ann@example.org or
 * ann@example.org.uk, but in "mail ann@example.org.". Characters past ASCII
 * are no words here: what has no blanks between words is found.
 */
Datum
dmp_holds_value(PG_FUNCTION_ARGS)
{
	text *record = PG_GETARG_TEXT_PP(0);
	text *value = PG_GETARG_TEXT_PP(1);
	const char *begin = VARDATA_ANY(record);
	const char *end = begin + VARSIZE_ANY_EXHDR(record);
	const char *what = VARDATA_ANY(value);
	Size length = VARSIZE_ANY_EXHDR(value);
	const char *at = begin;

	if (length == 0)
		PG_RETURN_BOOL(false);
	while (end - at >= (ptrdiff_t) length && (at = memmem(at, end - at, what, length)) != NULL)
	{
		const char *behind = at + length;
		bool left = at > begin && is_word(what[0]) &&
					(is_word(at[-1]) || (is_joint(at[-1]) && at - 1 > begin && is_word(at[-2])));
		bool right =
			behind < end && is_word(what[length - 1]) &&
			(is_word(behind[0]) || (is_joint(behind[0]) && behind + 1 < end && is_word(behind[1])));

		CHECK_FOR_INTERRUPTS();
		if (!left && !right)
			PG_RETURN_BOOL(true);
		at++;
	}
	PG_RETURN_BOOL(false);
}

static char *
json_string(const char *value)
{
	StringInfoData json;

	initStringInfo(&json);
	escape_json(&json, value);
	return json.data;
}

/*
 * Whether a name can be looked for anywhere in a text: a plain word or a short
 * number would be found in what is somebody else's.
 */
bool
dmp_subject_is_distinctive(const char *value, bool is_json)
{
	size_t length = strlen(value);
	size_t digits = strspn(value, "0123456789");
	size_t letters = strspn(value, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");
	size_t plain = strspn(value, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");

	if (digits == length)
		return !is_json && digits >= LONG_NUMBER;
	if (letters == length)
		return false;
	return plain < length ? length > 2 : length > 3;
}

/* path of a mapping as members: user.pages[1].name, with or without $. in front; NIL: it is none */
static List *
path_members(const char *path)
{
	List *members = NIL;
	StringInfoData member;

	if (strncmp(path, "$.", 2) == 0)
		path += 2;
	if (path[0] == '$' || strstr(path, "[]"))
		return NIL;
	initStringInfo(&member);
	for (; *path; path++)
	{
		if (strchr(".[]", *path) == NULL)
			appendStringInfoChar(&member, *path);
		else if (member.len > 0)
		{
			members = lappend(members, pstrdup(member.data));
			resetStringInfo(&member);
		}
	}
	if (member.len > 0)
		members = lappend(members, member.data);
	return members;
}

static char *
members_text(List *members)
{
	DmpArgs args = {0};
	Oid output;
	bool varlena;

	dmp_arg_text_array(&args, members);
	getTypeOutputInfo(TEXTARRAYOID, &output, &varlena);
	return OidOutputFunctionCall(output, args.values[0]);
}

/* paths, as texts of text[], of the members that fill the subject's columns of a table */
static List *
subject_paths(Oid relid, const char *mapping)
{
	List *paths = NIL;
	List *columns = OidIsValid(relid) && get_rel_name(relid) ? dmp_subject_columns(relid) : NIL;
	DmpDoc *doc = mapping ? dmp_doc_parse(mapping, "mapping") : NULL;
	ListCell *lc;

	foreach (lc, columns)
	{
		char *column = lfirst(lc);
		DmpDoc *mapped = doc && doc->kind == DMP_DOC_OBJECT ? dmp_doc_get(doc, column) : NULL;
		List *members = mapped && mapped->kind == DMP_DOC_STRING ? path_members(mapped->text)
																 : list_make1(column);

		if (members)
			paths = lappend(paths, members_text(members));
	}
	return paths;
}

static SubjectPlace *
add_place(List **places, const char *object, const char *action)
{
	SubjectPlace *place = palloc0(sizeof(SubjectPlace));

	place->object = pstrdup(object);
	place->action = pstrdup(action);
	*places = lappend(*places, place);
	return place;
}

/* $1 name, $2 as it is within a json string, $3 paths, $4 whether anywhere */
static void
record_args(Subject *subject, DmpArgs *args, List *paths, bool whole)
{
	char *quoted = json_string(subject->value);

	dmp_arg_text(args, subject->value);
	dmp_arg_text(args, pnstrdup(quoted + 1, strlen(quoted) - 2));
	dmp_arg_text_array(args, paths);
	dmp_arg_bool(args, whole);
}

#define RECORD_HOLDS(record)                                                \
	"(pg_catalog.strpos(" record ", $1) OPERATOR(pg_catalog.>) 0"           \
	" OR pg_catalog.strpos(" record ", $2) OPERATOR(pg_catalog.>) 0"        \
	" OR pg_catalog.strpos(" record ", E'\\\\u') OPERATOR(pg_catalog.>) 0)" \
	" AND dmp_internal.record_holds(" record ", $1, $3, $4)"

/* the lakes of all sources */
static void
find_lakes(Subject *subject, List **places)
{
	uint64 n =
		dmp_spi_registry("SELECT s.lake_table, s.into_table, s.format, s.mapping, s.name"
						 " FROM dmp_internal.source s JOIN pg_class c ON c.oid = s.lake_table"
						 " ORDER BY s.name",
						 NULL, true);
	SPITupleTable *result = SPI_tuptable;

	for (uint64 i = 0; i < n; i++)
	{
		Oid lake;
		Oid into;
		bool is_json;
		List *paths;
		bool whole;
		char *name;
		char *unreadable;
		SubjectPlace *place;

		SPI_tuptable = result;
		lake = (Oid) dmp_spi_int8(i, 1, 0);
		into = (Oid) dmp_spi_int8(i, 2, 0);
		is_json = strcmp(dmp_spi_text(i, 3), "json") == 0;
		paths = is_json ? subject_paths(into, dmp_spi_text(i, 4)) : NIL;
		whole = dmp_subject_is_distinctive(subject->value, is_json);
		name = dmp_relation_name(lake);
		unreadable = dmp_subject_unreadable(lake, false);
		if (unreadable)
		{
			dmp_subject_obstacle(&subject->unread, name, unreadable, NULL);
			continue;
		}
		if (paths == NIL && !whole)
		{
			dmp_subject_obstacle(&subject->unread, name,
								 "so plain a name is not looked for in its records",
								 "Look for the records yourself.");
			continue;
		}
		place = add_place(places, name, "delete");
		place->relid = lake;
		place->from = psprintf("FROM %s t WHERE " RECORD_HOLDS("t.line"), name);
		place->change = psprintf("DELETE %s", place->from);
		place->record =
			"pg_catalog.jsonb_build_object('received_at', t.received_at, 'line', t.line)";
		record_args(subject, &place->args, paths, whole);
	}
}

/* names of all columns tagged 'subject': members of the rows that recipes rejected, paths of all sources */
static List *
all_paths(void)
{
	List *paths = NIL;
	uint64 n = dmp_spi_registry(
		"SELECT DISTINCT dmp_internal.column_name(tagged)::text FROM dmp_internal.tag"
		" WHERE category = 'subject' AND dmp_internal.column_name(tagged) IS NOT NULL ORDER BY 1",
		NULL, true);
	SPITupleTable *result = SPI_tuptable;

	for (uint64 i = 0; i < n; i++)
		paths = lappend(paths, members_text(list_make1(dmp_spi_text(i, 1))));
	n = dmp_spi_registry("SELECT into_table, mapping FROM dmp_internal.source"
						 " WHERE mapping IS NOT NULL AND into_table IS NOT NULL ORDER BY id",
						 NULL, true);
	result = SPI_tuptable;
	for (uint64 i = 0; i < n; i++)
	{
		SPI_tuptable = result;
		paths = list_concat(paths, subject_paths((Oid) dmp_spi_int8(i, 1, 0), dmp_spi_text(i, 2)));
	}
	return paths;
}

static void
find_quarantine(Subject *subject, List **places)
{
	bool whole = dmp_subject_is_distinctive(subject->value, true);
	SubjectPlace *place = add_place(places, "dmp.quarantine", "delete");

	place->stored = "dmp.quarantine";
	place->from = psprintf("FROM dmp.quarantine t WHERE (" RECORD_HOLDS(
		"t.record") ")"
					" OR $4 AND (dmp_internal.holds_value(t.reason, $1) OR "
					"dmp_internal.holds_value(t.note, $1)"
					" OR position(convert_to($1, getdatabaseencoding()) IN t.raw) > 0)");
	place->change = psprintf("DELETE %s", place->from);
	place->record = "to_jsonb(t) - 'owner'";
	record_args(subject, &place->args, all_paths(), whole);
	if (!whole && strspn(subject->value, "0123456789") == strlen(subject->value))
		place->detail = "{\"by\": \"tagged members of json records\"}";
}

/* what dmp's own tables keep of values of users: {table, json columns that are rewritten, texts} */
static const char *const kept_values[][3] = {
	{"recipe_run", "steps,stats,snapshots_before", "document,query,rows_select"},
	{"recipe_lineage", "stats,snapshots", "document,query"},
	{"recipe", "", "recipe"},
	{"source", "", "mapping,options,recipe,missing"},
	{"batch", "", "origin,fields_ignored"},
	{"feature_set", "", "features,entities"},
	{"model", "", "value,query,options,path,baseline,warnings"},
	{"model_run", "", "dataset"},
	{"context_default", "", "context"},
	{"processing", "", "subjects,transfers,safeguards"},
};

static List *
comma_list(const char *names)
{
	char *copy = pstrdup(names);
	List *list = NIL;
	char *save = NULL;

	for (char *name = strtok_r(copy, ",", &save); name; name = strtok_r(NULL, ",", &save))
		list = lappend(list, name);
	return list;
}

/*
 * Samples of values in the accounts of runs are erased; a value in a recipe, a
 * query or a model (as a level) is named, since it is somebody's definition:
 * to be altered or trained again.
 */
static void
find_registry(Subject *subject, List **places)
{
	int i;

	if (!dmp_subject_is_distinctive(subject->value, true))
		return;
	for (i = 0; i < lengthof(kept_values); i++)
	{
		List *samples = comma_list(kept_values[i][1]);
		List *texts = comma_list(kept_values[i][2]);
		const char *table = kept_values[i][0];
		SubjectPlace *place;
		StringInfoData set;
		StringInfoData any;
		ListCell *lc;

		initStringInfo(&set);
		initStringInfo(&any);
		foreach (lc, samples)
		{
			char *name = lfirst(lc);

			/* the value as a string of the json, or within one (a message) */
			appendStringInfo(&set, "%s%s = replace(%s::text, $2, '(erased)')::json",
							 set.len ? ", " : "", name, name);
			appendStringInfo(&any, "%sdmp_internal.holds_value(t.%s::text, $2)",
							 any.len ? " OR " : "", name);
		}
		if (set.len > 0)
		{
			place = add_place(places, psprintf("dmp_internal.%s", table), "blank");
			place->stored = psprintf("dmp_internal.%s", table);
			place->from = psprintf("FROM dmp_internal.%s t WHERE %s", table, any.data);
			place->change =
				psprintf("UPDATE dmp_internal.%s t SET %s WHERE %s", table, set.data, any.data);
			record_args(subject, &place->args, NIL, true);
		}
		resetStringInfo(&any);
		foreach (lc, texts)
			appendStringInfo(&any,
							 "%sdmp_internal.holds_value(t.%s::text, $1)"
							 " OR dmp_internal.holds_value(t.%s::text, $2)",
							 any.len ? " OR " : "", (char *) lfirst(lc), (char *) lfirst(lc));
		place = add_place(places, psprintf("dmp_internal.%s", table), "remains");
		place->from = psprintf("FROM dmp_internal.%s t WHERE %s", table, any.data);
		place->detail = strcmp(table, "model") == 0
							? "{\"hint\": \"as a level or in the query of a model: drop the "
							  "version, or train it again without the column\"}"
							: "{\"hint\": \"in a definition: alter or drop it\"}";
		record_args(subject, &place->args, NIL, true);
	}
	/* rows that wait for the next update, by their bytes */
	add_place(places, "dmp_internal.model_state", "remains");
	((SubjectPlace *) llast(*places))->from =
		"FROM dmp_internal.model_state t"
		" WHERE position(convert_to($1, getdatabaseencoding()) IN t.state) > 0";
	((SubjectPlace *) llast(*places))->detail = "{\"hint\": \"rows that wait for dmp.update_model: "
												"update the model, or drop the version\"}";
	record_args(subject, &((SubjectPlace *) llast(*places))->args, NIL, true);
}

/* what govern keeps under the name; $5 is the keyed hash that takes its place in an erasure */
static void
find_own(Subject *subject, List **places)
{
	static const char *const own[][4] = {
		{"dmp.consents", "pseudonymize", "dmp_internal.consent",
		 "UPDATE dmp_internal.consent t SET subject = $5, evidence = NULL"},
		{"dmp_internal.consent_state", "delete", "dmp_internal.consent_state",
		 "DELETE FROM dmp_internal.consent_state t"},
		{"dmp.subject_holds", "pseudonymize", "dmp_internal.subject_hold",
		 "UPDATE dmp_internal.subject_hold t SET subject = $5"},
		{"dmp.subject_requests", "pseudonymize", "dmp_internal.subject_request",
		 "UPDATE dmp_internal.subject_request t SET subject = $5, note = NULL"},
	};
	int i;

	for (i = 0; i < lengthof(own); i++)
	{
		SubjectPlace *place = add_place(places, own[i][0], own[i][1]);

		place->stored = pstrdup(own[i][2]);
		place->from = psprintf("FROM %s t WHERE t.subject = $1", own[i][2]);
		place->change = psprintf("%s WHERE t.subject = $1", own[i][3]);
		place->record = "to_jsonb(t)";
		record_args(subject, &place->args, NIL, true);
	}
}

/* every place, in the order in which they are told; which of them have rows is not known yet */
List *
dmp_subject_places_of(Subject *subject)
{
	List *places = NIL;

	find_lakes(subject, &places);
	find_quarantine(subject, &places);
	find_registry(subject, &places);
	find_own(subject, &places);
	return places;
}
