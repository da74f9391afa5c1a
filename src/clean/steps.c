/*-------------------------------------------------------------------------
 * steps.c
 *		The table of actions: what the parser reads and dmp.recipe_steps shows.
 *-------------------------------------------------------------------------
 */
#include "dmp.h"

#include "catalog/pg_type.h"
#include "utils/array.h"

#include "clean/clean.h"

PG_FUNCTION_INFO_V1(dmp_recipe_steps);

/*
 * Forms of an action share compiler and options, and stand together.
 */
/* clang-format off */
static const CleanAction actions[] = {
	{"trim", dmp_clean_trim, {NULL}, true,
		"columns", "{\"trim\": \"*\"}",
		"white space at both ends goes"},
	{"missing", dmp_clean_missing, {NULL}, true,
		"[values] | {column: [values]}", "{\"missing\": [\"N/A\", \"?\", \"\"]}",
		"cells that are one of the values become missing"},
	{"drop_missing", dmp_clean_drop_missing, {"quarantine"}, true,
		"columns", "{\"drop_missing\": [\"user_id\"]}",
		"rows with a missing cell are rejected"},
	{"cast", dmp_clean_cast, {NULL}, true,
		"{column: type}", "{\"cast\": {\"click_time\": \"timestamptz\"}}",
		"columns become of the type; a row with a cell that does not convert is rejected"},
	{"text", dmp_clean_values, {NULL}, true,
		"columns", "{\"text\": \"*\"}",
		"cells become what dmp.clean_text gives"},
	{"email", dmp_clean_values, {"action", "quarantine"}, true,
		"columns", "{\"email\": [\"page\"], \"action\": \"missing\"}",
		"e-mail addresses in their normal form; other cells are rejected, made missing, or kept"},
	{"phone", dmp_clean_values, {"action", "quarantine"}, true,
		"columns | {column: country}", "{\"phone\": {\"page\": \"DE\"}, \"action\": \"keep\"}",
		"telephone numbers as E.164, of the country when they name none, else of CN; other cells likewise"},
	{"url", dmp_clean_values, {"action", "quarantine"}, true,
		"columns", "{\"url\": \"page\", \"action\": \"keep\"}",
		"web addresses in their normal form; other cells likewise"},
	{"number", dmp_clean_values, {"action", "quarantine"}, true,
		"columns | {column: decimal mark}", "{\"number\": {\"page\": \",\"}, \"action\": \"missing\"}",
		"texts become the number dmp.clean_number reads; other cells are rejected or made missing"},
	{"time", dmp_clean_values, {"action", "quarantine"}, true,
		"columns | {column: formats} | {column: {\"formats\": formats, \"zone\": name}}",
		"{\"time\": {\"click_time\": {\"formats\": [\"YYYY-MM-DD\", \"DD/MM/YYYY\"], \"zone\": \"Asia/Shanghai\"}}}",
		"texts become the moment dmp.parse_time reads; other cells likewise"},
	{"map", dmp_clean_map, {"otherwise", "quarantine"}, true,
		"{column: {value: new value}}",
		"{\"map\": {\"page\": {\"hom\": \"home\", \"?\": null}}, \"otherwise\": \"keep\"}",
		"cells that are one of the values become the new one; others are kept, made missing, or rejected"},
	{"deduplicate", dmp_clean_deduplicate, {"keep", "by", "quarantine"}, false,
		"columns", "{\"deduplicate\": [\"user_id\"], \"keep\": \"last\", \"by\": \"click_time\"}",
		"of rows that agree in the columns one stays"},
	{"scale", dmp_clean_scale, {NULL}, true,
		"{column: {\"divide\": number}}", "{\"scale\": {\"click_duration\": {\"divide\": 60}}}",
		"divided by the number"},
	{"scale", dmp_clean_scale, {NULL}, false,
		"{column: \"z_score\" | \"min_max\" | \"robust\"}", "{\"scale\": {\"order_value\": \"z_score\"}}",
		"(x - mean) / standard deviation, (x - minimum) / range, (x - median) / quartile distance"},
	{"clip", dmp_clean_clip, {"action", "quarantine"}, true,
		"{column: {\"method\": \"range\", \"low\": value, \"high\": value}}",
		"{\"clip\": {\"order_value\": {\"method\": \"range\", \"low\": 0}}, \"action\": \"quarantine\"}",
		"cells outside of the bounds become the nearest one, or missing, or their row is rejected"},
	{"clip", dmp_clean_clip, {"action", "quarantine"}, false,
		"{column: {\"method\": \"iqr\" | \"mad\" | \"z_score\", \"k\": number} | "
		"{\"method\": \"quantile\", \"low\": share, \"high\": share}}",
		"{\"clip\": {\"order_value\": {\"method\": \"iqr\", \"k\": 3}}}",
		"likewise, by bounds from the column's own values"},
	{"fill", dmp_clean_fill, {"by", "order"}, true,
		"{column: value | {\"constant\": value}}", "{\"fill\": {\"page\": \"unknown\"}}",
		"missing cells become the value"},
	{"fill", dmp_clean_fill, {"by", "order"}, false,
		"{column: \"mean\" | \"median\" | \"mode\"}",
		"{\"fill\": {\"order_value\": \"median\", \"page\": \"mode\"}}",
		"missing cells become that of the others"},
	{"fill", dmp_clean_fill, {"by", "order"}, false,
		"{column: {\"mean_by\" | \"median_by\" | \"mode_by\": columns}}",
		"{\"fill\": {\"order_value\": {\"mean_by\": \"page\"}}}",
		"missing cells become that of the rows that agree in the columns"},
	{"fill", dmp_clean_fill, {"by", "order"}, false,
		"{column: {\"forward\" | \"backward\": {\"by\": columns, \"order\": columns}}} | "
		"{column: \"forward\" | \"backward\"} beside \"by\" and \"order\"",
		"{\"fill\": {\"page\": \"forward\"}, \"by\": [\"user_id\"], \"order\": \"click_time\"}",
		"missing cells become the last value before them, or the next behind, of the rows that agree in by"},
	{"fill", dmp_clean_fill, {"by", "order"}, false,
		"{column: {\"knn\": k, \"by\": columns}}",
		"{\"fill\": {\"order_value\": {\"knn\": 5, \"by\": [\"click_duration\"]}}}",
		"missing cells become the mean of the k rows that are nearest in the columns"},
	{"require", dmp_clean_require, {"quarantine"}, true,
		"\"condition\"", "{\"require\": \"order_value >= 0\"}",
		"rows for which the condition is false are rejected"},
	{"derive", dmp_clean_derive, {NULL}, true,
		"{column: \"expression\"}", "{\"derive\": {\"minutes\": \"click_duration / 60.0\"}}",
		"new columns, or other contents of columns, from the row"},
	{"canonicalize", dmp_clean_canonicalize, {NULL}, false,
		"{column: method | {\"method\": method, \"threshold\": number, \"n\": number}}",
		"{\"canonicalize\": {\"page\": \"fingerprint\"}}",
		"values that mean the same become that of most rows, see dmp.cluster_values"},
	{"repair", dmp_clean_repair, {"min_confidence"}, false,
		"columns", "{\"repair\": [\"page\"]}",
		"rare values that are slips of a column's frequent ones become those"},
	{"functional_dependency", dmp_clean_functional_dependency, {"weight_by", "min_share"}, false,
		"{columns: columns} | [{\"from\": columns, \"to\": columns}]",
		"{\"functional_dependency\": {\"user_id\": \"page\"}}",
		"of rows that agree in the former columns the latter become what most of them say"},
	{"rename", dmp_clean_rename, {NULL}, true,
		"{old name: new name}", "{\"rename\": {\"click_duration\": \"minutes\"}}",
		"columns get other names, all at once"},
	{"select", dmp_clean_select, {NULL}, true,
		"[columns]", "{\"select\": [\"user_id\", \"click_time\"]}",
		"these columns in this order"},
};
/* clang-format on */

/*
 * The entry of that number, NULL behind the last.
 */
const CleanAction *
dmp_clean_action(int i)
{
	return i < lengthof(actions) ? &actions[i] : NULL;
}

/*
 * dmp_internal.recipe_steps()
 *	-> TABLE(action, argument, options, row_wise, does, example): the table above
 */
Datum
dmp_recipe_steps(PG_FUNCTION_ARGS)
{
	int i;

	dmp_srf_begin(fcinfo);
	for (i = 0; i < lengthof(actions); i++)
	{
		Datum values[6];
		bool nulls[6] = {false};
		Datum options[CLEAN_OPTIONS];
		int n;

		for (n = 0; actions[i].options[n] != NULL; n++)
			options[n] = CStringGetTextDatum(actions[i].options[n]);
		values[0] = CStringGetTextDatum(actions[i].action);
		values[1] = CStringGetTextDatum(actions[i].argument);
		values[2] = PointerGetDatum(construct_array(options, n, TEXTOID, -1, false, TYPALIGN_INT));
		values[3] = BoolGetDatum(actions[i].row_wise);
		values[4] = CStringGetTextDatum(actions[i].does);
		values[5] = CStringGetTextDatum(actions[i].example); /* json is text inside */
		dmp_srf_row(fcinfo, values, nulls);
	}
	return (Datum) 0;
}
