/*-------------------------------------------------------------------------
 * train_encode.c
 *		Options encode, impute and interactions: from columns to features.
 *
 *		columns    --here-->             features wanted, some with open state
 *		open state --encode_fit.c------> one scan: edges, tables, fills, levels
 *		features   --train_columns.c---> columns f1, f2, ... of the fit's SELECT
 *
 * What a column is by itself follows from its type: a number, a boolean, a
 * list of levels, parts of a time, the elements of an array of numbers.
 */
#include "dmp.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "learn/encode.h"
#include "pgtime.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"

#define WHAT "option \"encode\""

static const char *const known_encodes[] = {
	"numeric", "log", "bins", "woe", "target", "one_hot", "hash", "ngrams", "parts", "drop", NULL};

/* parts by default, of a date without the hour */
static const DmpTimePart default_parts[] = {DMP_PART_EPOCH, DMP_PART_MONTH, DMP_PART_DAY_OF_WEEK,
											DMP_PART_HOUR};

/* ---------------------------------------------------------------- options */

/* Whether "*" of option encode means a column of that kind. */
static bool
is_meant(const char *encode, DmpValueKind kind)
{
	if (strcmp(encode, "woe") == 0 || strcmp(encode, "target") == 0)
		return kind == DMP_VALUE_NUMBER || kind == DMP_VALUE_BOOLEAN || kind == DMP_VALUE_TEXT;
	if (strcmp(encode, "log") == 0 || strcmp(encode, "bins") == 0 || strcmp(encode, "numeric") == 0)
		return kind == DMP_VALUE_NUMBER;
	if (strcmp(encode, "parts") == 0)
		return kind == DMP_VALUE_TIMESTAMP || kind == DMP_VALUE_TIMESTAMPTZ;
	return kind == DMP_VALUE_TEXT;
}

static const char *
encode_name(const DmpDoc *item, const char *column)
{
	static const char *const keys[] = {"encode",    "bits",      "min_count", "bins", "method",
									   "min_share", "smoothing", "parts",     NULL};
	const char *how;
	int i;

	if (item->kind == DMP_DOC_STRING)
		how = item->text;
	else
	{
		dmp_doc_check_keys(item, WHAT, keys);
		how = dmp_doc_string(item, "encode", NULL, WHAT);
	}
	for (i = 0; how != NULL && known_encodes[i] != NULL; i++)
	{
		if (strcmp(how, known_encodes[i]) == 0)
			return how;
	}
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 how == NULL
				 ? errmsg("option \"encode\" does not say how to encode column \"%s\"", column)
				 : errmsg("unknown encode \"%s\" of column \"%s\"", how, column),
			 errdetail("There are \"numeric\", \"log\", \"bins\", \"woe\", \"target\", "
					   "\"one_hot\", \"hash\", \"ngrams\", \"parts\" and \"drop\".")));
	return NULL;
}

DmpDoc *
dmp_train_encode_item(DmpTrainArgs *args, const char *name, DmpValueKind kind)
{
	DmpDoc *encode = dmp_doc_get(args->options, "encode");
	DmpDoc *item;

	if (encode == NULL || encode->kind == DMP_DOC_NULL)
		return NULL;
	if (encode->kind != DMP_DOC_OBJECT)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("option \"encode\" must be an object of columns")));
	item = dmp_doc_get(encode, name);
	if (item != NULL)
		return item;
	item = dmp_doc_get(encode, "*");
	return item != NULL && is_meant(encode_name(item, "*"), kind) ? item : NULL;
}

const char *
dmp_train_encode_of(DmpTrainArgs *args, const char *name, DmpValueKind kind)
{
	DmpDoc *item = dmp_train_encode_item(args, name, kind);

	return item == NULL ? NULL : encode_name(item, name);
}

void
dmp_train_check_encode(DmpTrainArgs *args, TupleDesc desc)
{
	static const char *const options[] = {"encode", "impute"};
	int i;
	int k;

	for (k = 0; k < lengthof(options); k++)
	{
		DmpDoc *doc = dmp_doc_get(args->options, options[k]);
		char *prefix = psprintf("option \"%s\": ", options[k]);

		if (doc == NULL || doc->kind == DMP_DOC_NULL)
			continue;
		if (doc->kind != DMP_DOC_OBJECT)
			ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
							errmsg("option \"%s\" must be an object of columns", options[k])));
		for (i = 0; i < doc->n; i++)
		{
			if (strcmp(doc->keys[i], "*") != 0)
				(void) dmp_train_column_number(desc, doc->keys[i], prefix);
		}
	}
}

static double
number_option(const DmpDoc *item, const char *key, double otherwise, double low, double high,
			  bool integer)
{
	double value = item == NULL || item->kind != DMP_DOC_OBJECT
					   ? otherwise
					   : dmp_doc_number(item, key, otherwise, WHAT);

	if (!(value >= low && value <= high) || (integer && value != floor(value)))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("\"%s\" of option \"encode\" must be %s from %g to %g", key,
							   integer ? "an integer" : "a number", low, high)));
	return value;
}

static void
read_binning(DmpTrainArgs *args, DmpEncodeWish *wish, const DmpDoc *item)
{
	char *method = "quantile";

	if (item != NULL && item->kind == DMP_DOC_OBJECT)
		method = dmp_doc_string(item, "method", method, WHAT);
	wish->monotone = strcmp(method, "monotone") == 0;
	if (!wish->monotone && strcmp(method, "quantile") != 0)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("unknown method \"%s\" of bins", method),
						errdetail("It may be \"quantile\", \"monotone\".")));
	wish->bins = (int) number_option(item, "bins", 10, 2, 1000, true);
	wish->min_count =
		(int) number_option(item, "min_count", args->min_count, 1, PG_INT32_MAX, true);
	wish->min_share = number_option(item, "min_share", 0.02, 0, 0.5, false);
	wish->smoothing = number_option(
		item, "smoothing", wish->transform->kind == DMP_TRANSFORM_TARGET ? 10 : 0.5, 0, 1e9, false);
	if (wish->transform->kind == DMP_TRANSFORM_WOE && wish->smoothing == 0)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("\"smoothing\" of encode \"woe\" must be above 0")));
}

/* ----------------------------------------------------------------- impute */

static void
refuse_impute(const char *name, const char *how)
{
	ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					errmsg("impute \"%s\" does not fit column \"%s\"", how, name),
					errdetail("Numbers and booleans take \"mean\", \"median\", \"constant\" and "
							  "\"indicator\"; texts take \"constant\" and \"indicator\".")));
}

/* {"constant": 5}, or a word for 0 */
static void
constant_fill(DmpEncodeWish *wish, const char *name, DmpValueKind kind, const DmpDoc *item)
{
	static const char *const keys[] = {"constant", NULL};
	const DmpDoc *value = NULL;

	if (item->kind == DMP_DOC_OBJECT)
	{
		dmp_doc_check_keys(item, "option \"impute\"", keys);
		value = dmp_doc_get(item, "constant");
	}
	if (kind == DMP_VALUE_TEXT)
	{
		if (value != NULL && value->kind != DMP_DOC_STRING)
			refuse_impute(name, "constant");
		wish->transform->fill_text = pstrdup(value ? value->text : "");
		return;
	}
	wish->transform->has_fill = true;
	if (value != NULL && value->kind == DMP_DOC_BOOL)
		wish->transform->fill = strcmp(value->text, "true") == 0;
	else if (value != NULL)
		wish->transform->fill = dmp_doc_number(item, "constant", 0, "option \"impute\"");
	if (!isfinite(wish->transform->fill))
		refuse_impute(name, "constant");
}

/* What option impute says of a column; "indicator" is what is done without it. */
static void
read_impute(DmpTrainArgs *args, DmpEncodeWish *wish, const char *name, DmpValueKind kind)
{
	const DmpDoc *doc = dmp_doc_get(args->options, "impute");
	const DmpDoc *item = dmp_doc_get(doc, name);
	bool star = item == NULL;
	const char *how;

	if (star)
		item = dmp_doc_get(doc, "*");
	if (item == NULL || item->kind == DMP_DOC_NULL)
		return;
	how = item->kind == DMP_DOC_OBJECT ? "constant" : item->text;
	if (item->kind == DMP_DOC_ARRAY || item->kind == DMP_DOC_BOOL || item->kind == DMP_DOC_NUMBER)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("impute of column \"%s\" must be a word or {\"constant\": ...}", name)));
	if (strcmp(how, "indicator") == 0)
		return;
	if (star && kind != DMP_VALUE_NUMBER)
		return;
	if (kind != DMP_VALUE_NUMBER && kind != DMP_VALUE_BOOLEAN &&
		!(kind == DMP_VALUE_TEXT && strcmp(how, "constant") == 0))
		refuse_impute(name, how);
	if (strcmp(how, "constant") == 0)
		constant_fill(wish, name, kind, item);
	else if (strcmp(how, "mean") == 0)
		wish->fill_mean = true;
	else if (strcmp(how, "median") == 0)
		wish->fill_median = true;
	else
		refuse_impute(name, how);
}

static bool
is_filled(const DmpEncodeWish *wish)
{
	return wish->fill_mean || wish->fill_median || wish->transform->has_fill ||
		   wish->transform->fill_text != NULL;
}

/* ----------------------------------------------------------------- wishes */

static DmpEncodeWish *
make_wish(DmpEncodeWishes *wishes, char *name)
{
	DmpEncodeWish *wish = palloc0(sizeof(DmpEncodeWish));

	wish->feature.name = name;
	wish->feature.index = wish->feature.missing_index = wish->feature.other_index = -1;
	wish->transform = palloc0(sizeof(DmpTransform));
	wish->transform->information = NAN;
	wishes->list = lappend(wishes->list, wish);
	return wish;
}

static void
add_column(DmpTransform *t, char *name, DmpValueKind kind)
{
	t->columns[t->ncolumns] = name;
	t->kinds[t->ncolumns++] = kind;
}

/* the feature is what the transform gives */
static void
take_transform(DmpEncodeWish *wish, DmpTransformKind kind)
{
	wish->transform->kind = kind;
	wish->transformed = true;
}

static void
wish_parts(DmpTrainArgs *args, DmpEncodeWishes *wishes, char *name, DmpValueKind kind, Oid type,
		   const DmpDoc *item)
{
	List *parts = NIL;
	ListCell *lc;
	int i;

	if (item != NULL && item->kind == DMP_DOC_OBJECT)
		parts = dmp_doc_strings(item, "parts", WHAT);
	if (item != NULL && strcmp(encode_name(item, name), "numeric") == 0)
		parts = list_make1("epoch");
	if (parts == NIL)
	{
		/* a date has no hour, which comes last */
		for (i = 0; i < lengthof(default_parts) - (type == DATEOID); i++)
			parts = lappend(parts, (char *) dmp_part_name(default_parts[i]));
	}
	foreach (lc, parts)
	{
		int part = dmp_part_of(lfirst(lc));
		DmpEncodeWish *wish;

		if (part < 0)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("unknown part \"%s\" of column \"%s\"", (char *) lfirst(lc), name),
					 errdetail("There are \"epoch\", \"year\", \"quarter\", \"month\", "
							   "\"day\", \"day_of_week\", \"hour\" and \"minute\".")));
		wish = make_wish(wishes, psprintf("%s.%s", name, dmp_part_name((DmpTimePart) part)));
		take_transform(wish, DMP_TRANSFORM_PART);
		add_column(wish->transform, name, kind);
		wish->transform->part = (DmpTimePart) part;
		if (kind == DMP_VALUE_TIMESTAMPTZ)
			wish->transform->zone = pstrdup(pg_get_timezone_name(session_timezone));
	}
}

static void
refuse_encode(const char *name, Oid type, const char *encode)
{
	ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					errmsg("column \"%s\" of type %s cannot be encoded as \"%s\"", name,
						   format_type_be(type), encode),
					errhint("Cast it in the query.")));
}

/* a number, boolean or text that is not encoded by a table or bins: as it is, or filled */
static void
plain_feature(DmpTrainArgs *args, DmpEncodeWish *wish, DmpValueKind kind, Oid type,
			  const char *encode)
{
	DmpFeature *feature = &wish->feature;

	feature->type = type;
	switch (kind)
	{
		case DMP_VALUE_NUMBER:
			feature->encode = DMP_ENCODE_NUMERIC;
			break;
		case DMP_VALUE_BOOLEAN:
			feature->encode = DMP_ENCODE_BOOLEAN;
			break;
		case DMP_VALUE_TEXT:
			feature->encode = DMP_ENCODE_ONE_HOT;
			feature->type = TEXTOID;
			break;
		default:
			feature->encode = DMP_ENCODE_MULTI_HOT;
			(void) dmp_train_wide_option(args, feature, "hash");
			feature->type = TEXTARRAYOID;
			break;
	}
	if (is_filled(wish))
		take_transform(wish, DMP_TRANSFORM_FILL);
	if (encode != NULL && !dmp_train_wide_option(args, feature, encode) &&
		!(strcmp(encode, "numeric") == 0 && kind == DMP_VALUE_NUMBER) &&
		!(strcmp(encode, "one_hot") == 0 && kind == DMP_VALUE_TEXT))
		refuse_encode(feature->name, type, encode);
}

static void
wish_column(DmpTrainArgs *args, DmpEncodeWishes *wishes, char *name, Oid type)
{
	DmpValueKind kind = dmp_value_kind(type);
	const DmpDoc *item = dmp_train_encode_item(args, name, kind);
	const char *encode = item ? encode_name(item, name) : NULL;
	bool numeric = kind == DMP_VALUE_NUMBER || kind == DMP_VALUE_BOOLEAN;
	DmpEncodeWish *wish;

	if (kind == DMP_VALUE_TIMESTAMP || kind == DMP_VALUE_TIMESTAMPTZ)
	{
		if (encode != NULL && strcmp(encode, "parts") != 0 && strcmp(encode, "numeric") != 0)
			refuse_encode(name, type, encode);
		wish_parts(args, wishes, name, kind, type, item);
		return;
	}
	wish = make_wish(wishes, name);
	add_column(wish->transform, name, kind);
	if (kind == DMP_VALUE_NUMBERS)
	{
		if (encode != NULL && strcmp(encode, "numeric") != 0)
			refuse_encode(name, type, encode);
		take_transform(wish, DMP_TRANSFORM_ELEMENT);
		return;
	}
	read_impute(args, wish, name, kind);
	if (encode != NULL && (strcmp(encode, "woe") == 0 || strcmp(encode, "target") == 0) &&
		(numeric || kind == DMP_VALUE_TEXT))
	{
		take_transform(wish, strcmp(encode, "woe") == 0 ? DMP_TRANSFORM_WOE : DMP_TRANSFORM_TARGET);
		read_binning(args, wish, item);
	}
	else if (encode != NULL && strcmp(encode, "bins") == 0 && numeric)
	{
		take_transform(wish, DMP_TRANSFORM_BINS);
		read_binning(args, wish, item);
	}
	else if (encode != NULL && strcmp(encode, "log") == 0 && kind == DMP_VALUE_NUMBER)
		take_transform(wish, DMP_TRANSFORM_LOG);
	else if (encode != NULL && strcmp(encode, "one_hot") == 0 && numeric)
		take_transform(wish, DMP_TRANSFORM_LEVELS);
	else
		plain_feature(args, wish, kind, type, encode);
}

/* ----------------------------------------------------------- interactions */

/* "a:b", where a name may have a colon too: the first split into two columns there are */
static bool
split_pair(TupleDesc desc, const char *text, char **left, char **right)
{
	List *names = dmp_column_names(desc);
	const char *colon;

	for (colon = strchr(text, ':'); colon != NULL; colon = strchr(colon + 1, ':'))
	{
		ListCell *lc;
		int found = 0;

		*left = pnstrdup(text, colon - text);
		*right = pstrdup(colon + 1);
		foreach (lc, names)
			found |= (strcmp(lfirst(lc), *left) == 0 ? 1 : 0) |
					 (strcmp(lfirst(lc), *right) == 0 ? 2 : 0);
		if (found == 3)
			return true;
	}
	return false;
}

static void
wish_interaction(DmpTrainArgs *args, DmpEncodeWishes *wishes, TupleDesc desc, char *text)
{
	char *names[2];
	DmpValueKind kinds[2];
	DmpEncodeWish *wish;
	int i;

	if (!split_pair(desc, text, &names[0], &names[1]))
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_COLUMN),
						errmsg("interaction \"%s\" is not of two columns of the query", text),
						errdetail("The columns are %s.", dmp_join(dmp_column_names(desc), ", ")),
						errhint("Write it as \"a:b\".")));
	for (i = 0; i < 2; i++)
	{
		Oid type = getBaseType(
			TupleDescAttr(desc, dmp_train_column_number(desc, names[i], "interactions: "))
				->atttypid);

		kinds[i] = dmp_value_kind(type);
		if (strcmp(names[i], args->target) == 0)
			ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
							errmsg("target \"%s\" cannot be part of an interaction", names[i])));
		if (kinds[i] != DMP_VALUE_NUMBER && kinds[i] != DMP_VALUE_BOOLEAN &&
			kinds[i] != DMP_VALUE_TEXT)
			ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
							errmsg("column \"%s\" of type %s cannot be part of an interaction",
								   names[i], format_type_be(type))));
	}
	wish = make_wish(wishes, psprintf("%s:%s", names[0], names[1]));
	if (kinds[0] == DMP_VALUE_TEXT && kinds[1] != DMP_VALUE_TEXT)
	{
		/* the number comes first */
		add_column(wish->transform, names[1], kinds[1]);
		add_column(wish->transform, names[0], kinds[0]);
		take_transform(wish, DMP_TRANSFORM_SLOPE);
		return;
	}
	add_column(wish->transform, names[0], kinds[0]);
	add_column(wish->transform, names[1], kinds[1]);
	take_transform(wish, kinds[0] == DMP_VALUE_TEXT   ? DMP_TRANSFORM_PAIR
						 : kinds[1] == DMP_VALUE_TEXT ? DMP_TRANSFORM_SLOPE
													  : DMP_TRANSFORM_PRODUCT);
}

/* --------------------------------------------------------------- features */

static void
refuse_types(List *names, List *types)
{
	ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					errmsg("column \"%s\" of type %s cannot be a feature yet",
						   (char *) linitial(names), (char *) linitial(types)),
					list_length(names) > 1
						? errdetail("Nor can %s.", dmp_join(list_copy_tail(names, 1), ", "))
						: 0,
					errhint("exclude => '{%s}', or turn it into a number or a text in the query.",
							dmp_join_identifiers(names, ""))));
}

DmpEncodeWishes *
dmp_train_wishes(DmpTrainArgs *args, TupleDesc desc, List *names)
{
	DmpEncodeWishes *wishes = palloc0(sizeof(DmpEncodeWishes));
	List *bad_names = NIL;
	List *bad_types = NIL;
	ListCell *lc;

	foreach (lc, names)
	{
		char *name = lfirst(lc);
		Oid type = getBaseType(
			TupleDescAttr(desc, dmp_train_column_number(desc, name, "features: "))->atttypid);

		if (dmp_value_kind(type) == DMP_VALUE_OTHER)
		{
			bad_names = lappend(bad_names, name);
			bad_types = lappend(bad_types, format_type_be(type));
			continue;
		}
		wish_column(args, wishes, name, type);
	}
	if (bad_names != NIL)
		refuse_types(bad_names, bad_types);
	foreach (lc, dmp_doc_strings(args->options, "interactions", "options"))
		wish_interaction(args, wishes, desc, lfirst(lc));
	return wishes;
}
