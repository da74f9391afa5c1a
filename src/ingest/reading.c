/*-------------------------------------------------------------------------
 * reading.c
 *		How the texts of one column are to be read: date order, decimal mark.
 *
 * 03/04/2024 is a day in March or in April, 1,234 a thousand or one and a bit:
 * no single value says which. So it is said for a column, by the source's
 * options "date_order" and "decimal_mark", and infer_schema decides it from
 * all of a column's values.
 *
 * With a decimal mark, digits may stand in groups of three, all separated by
 * one other sign: "," or ".", a blank (also U+00A0 and U+202F) or "'". A number
 * of json is no text and is read as json writes it.
 *-------------------------------------------------------------------------
 */
#include "ingest/decode.h"

#include "catalog/pg_type.h"

static const char *const orders[] = {"YMD", "DMY", "MDY"};

const char *
dmp_date_order_name(int order)
{
	return orders[order - 1];
}

/* bytes of the group separator at p, 0: none */
static size_t
separator(const char *p, const char *end, char mark)
{
	static const char *const wide[] = {"\xC2\xA0", "\xE2\x80\xAF"};

	if ((*p == ',' || *p == '.') && *p != mark)
		return 1;
	if (*p == ' ' || *p == '\'')
		return 1;
	for (int i = 0; i < 2; i++)
		if (end - p >= (ptrdiff_t) strlen(wide[i]) && memcmp(p, wide[i], strlen(wide[i])) == 0)
			return strlen(wide[i]);
	return 0;
}

static size_t
digits(const char *p, const char *end)
{
	const char *start = p;

	while (p < end && *p >= '0' && *p <= '9')
		p++;
	return p - start;
}

bool
dmp_number_text(char mark, const char **text, size_t *length, bool *marked)
{
	const char *p = *text;
	const char *end = p + *length;
	const char *group = NULL;
	size_t group_length = 0;
	char *plain;
	char *out;
	size_t n;

	*marked = false;
	while (p < end && (*p == ' ' || *p == '\t'))
		p++;
	while (end > p && (end[-1] == ' ' || end[-1] == '\t'))
		end--;
	if (end - p > 1000 || end == p)
		return false;
	plain = palloc(end - p + 1);
	out = plain;
	if (*p == '-' || *p == '+')
		*out++ = *p++;
	n = p < end ? digits(p, end) : 0;
	memcpy(out, p, n);
	out += n;
	/* groups: one to three digits that do not start with a zero, then three and three */
	if (n >= 1 && n <= 3 && *p != '0' && p + n < end)
	{
		group = p + n;
		group_length = separator(group, end, mark);
	}
	p += n;
	while (group_length > 0 && (size_t) (end - p) >= group_length + 3 &&
		   memcmp(p, group, group_length) == 0 && digits(p + group_length, end) == 3)
	{
		memcpy(out, p + group_length, 3);
		out += 3;
		p += group_length + 3;
		*marked = true;
	}
	if (p < end && *p == mark)
	{
		size_t fraction = digits(p + 1, end);

		if (n + fraction == 0)
			return false;
		*marked = true;
		*out++ = '.';
		memcpy(out, p + 1, fraction);
		out += fraction;
		p += 1 + fraction;
	}
	else if (n == 0)
		return false;
	if (p < end && (*p == 'e' || *p == 'E'))
	{
		size_t sign = p + 1 < end && (p[1] == '-' || p[1] == '+');
		size_t exponent = p + 1 + sign < end ? digits(p + 1 + sign, end) : 0;

		if (exponent == 0)
			return false;
		memcpy(out, p, 1 + sign + exponent);
		out += 1 + sign + exponent;
		p += 1 + sign + exponent;
	}
	if (p != end)
		return false;
	*text = plain;
	*length = out - plain;
	return true;
}

static bool
is_number_type(Oid type)
{
	return type == INT2OID || type == INT4OID || type == INT8OID || type == NUMERICOID ||
		   type == FLOAT4OID || type == FLOAT8OID;
}

static bool
is_date_type(Oid type)
{
	return type == DATEOID || type == TIMESTAMPOID || type == TIMESTAMPTZOID;
}

static void
wrong_type(const DmpField *field, const char *option, const char *what)
{
	ereport(ERROR, (errcode(ERRCODE_DATATYPE_MISMATCH),
					errmsg("option \"%s\": column \"%s\" is no %s", option, field->column, what)));
}

void
dmp_field_reading(DmpField *field, const DmpDoc *date_order, const DmpDoc *decimal_mark)
{
	const char *order =
		date_order ? dmp_doc_string(date_order, field->column, NULL, "date_order") : NULL;
	const char *mark =
		decimal_mark ? dmp_doc_string(decimal_mark, field->column, NULL, "decimal_mark") : NULL;

	if (order != NULL)
	{
		if (!is_date_type(field->base))
			wrong_type(field, "date_order", "date or time");
		for (int i = 0; i < (int) lengthof(orders); i++)
			if (pg_strcasecmp(order, orders[i]) == 0)
				field->date_order = i + 1;
		if (field->date_order == 0)
			ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
							errmsg("option \"date_order\" of column \"%s\" must be 'DMY', 'MDY' or "
								   "'YMD', not \"%s\"",
								   field->column, order)));
	}
	if (mark != NULL)
	{
		if (!is_number_type(field->base))
			wrong_type(field, "decimal_mark", "number");
		if ((mark[0] != '.' && mark[0] != ',') || mark[1] != '\0')
			ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
							errmsg("option \"decimal_mark\" of column \"%s\" must be \".\" or "
								   "\",\", not \"%s\"",
								   field->column, mark)));
		field->decimal_mark = mark[0];
	}
}
