/*-------------------------------------------------------------------------
 * json.c
 *		One pass over a json record.
 *
 * The server's way from a line to a row builds a jsonb, then looks each
 * column up in it, then makes text of the value, then parses that. Here the
 * record is read once: the scanner checks the grammar, and where a member is
 * wanted it notes the value's place in the line. Members are found by a guess
 * first - a record has its members in the order of the record before it - and
 * by a small hash table when the guess fails.
 *
 * Recursion goes only as deep as the wanted paths; what nobody wants is
 * skipped by a loop with one bit a level (object or array), so that hostile
 * nesting costs neither stack nor time.
 *
 * Valid is what the server takes as jsonb, but for nesting (DMP_JSON_DEPTH)
 * and the range of numbers, which is the business of whoever converts them:
 * test/fuzz holds the two against each other.
 *-------------------------------------------------------------------------
 */
#include "ingest/json.h"

#include <string.h>

static const char *scan_value(DmpJsonScan *s, const char *p, DmpJsonNode *node, int depth,
							  DmpJsonValue *value);

static const char *
fail(DmpJsonScan *s, const char *p, const char *message)
{
	s->message = message;
	s->position = (size_t) (p - s->begin);
	return NULL;
}

static inline const char *
skip_space(const char *p, const char *end)
{
	while (p < end && (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t'))
		p++;
	return p;
}

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* four hex digits at p, or -1 */
static int
hex4(const char *p, const char *end)
{
	int code = 0;

	if (end - p < 4)
		return -1;
	for (int i = 0; i < 4; i++)
	{
		int digit = hex_digit(p[i]);

		if (digit < 0)
			return -1;
		code = code * 16 + digit;
	}
	return code;
}

/* p is behind the backslash; returns behind the escape */
static const char *
scan_escape(DmpJsonScan *s, const char *p)
{
	int code;

	if (p >= s->end)
		return fail(s, p, "unterminated string");
	switch (*p)
	{
		case '"':
		case '\\':
		case '/':
		case 'b':
		case 'f':
		case 'n':
		case 'r':
		case 't':
			return p + 1;
		case 'u':
			break;
		default:
			return fail(s, p, "invalid escape sequence");
	}
	code = hex4(p + 1, s->end);
	if (code < 0)
		return fail(s, p, "\"\\u\" must be followed by four hexadecimal digits");
	if (code == 0)
		return fail(s, p, "\\u0000 cannot be converted to text");
	if (code >= 0xDC00 && code <= 0xDFFF)
		return fail(s, p, "a low surrogate must follow a high surrogate");
	p += 5;
	if (code >= 0xD800 && code <= 0xDBFF)
	{
		int low = (s->end - p >= 6 && p[0] == '\\' && p[1] == 'u') ? hex4(p + 2, s->end) : -1;

		if (low < 0xDC00 || low > 0xDFFF)
			return fail(s, p, "a high surrogate must be followed by a low surrogate");
		p += 6;
	}
	return p;
}

/* p is at the opening quote; value gets the inside */
static const char *
scan_string(DmpJsonScan *s, const char *p, DmpJsonValue *value)
{
	const char *end = s->end;
	const char *start = ++p;

	value->type = DMP_JSON_STRING;
	value->escaped = false;
	for (;;)
	{
		while (p < end && *p != '"' && *p != '\\' && (unsigned char) *p >= 0x20)
			p++;
		if (p >= end)
			return fail(s, start - 1, "unterminated string");
		if (*p == '"')
			break;
		if (*p != '\\')
			return fail(s, p, "control character in a string must be escaped");
		value->escaped = true;
		p = scan_escape(s, p + 1);
		if (p == NULL)
			return NULL;
	}
	value->start = start;
	value->length = (size_t) (p - start);
	return p + 1;
}

static inline bool
is_digit(const char *p, const char *end)
{
	return p < end && *p >= '0' && *p <= '9';
}

static const char *
scan_number(DmpJsonScan *s, const char *p, DmpJsonValue *value)
{
	const char *end = s->end;
	const char *start = p;

	if (*p == '-')
		p++;
	if (!is_digit(p, end))
		return fail(s, start, "invalid value");
	if (*p == '0')
		p++;
	else
		while (is_digit(p, end))
			p++;
	if (p < end && *p == '.')
	{
		p++;
		if (!is_digit(p, end))
			return fail(s, start, "invalid number");
		while (is_digit(p, end))
			p++;
	}
	if (p < end && (*p == 'e' || *p == 'E'))
	{
		p++;
		if (p < end && (*p == '+' || *p == '-'))
			p++;
		if (!is_digit(p, end))
			return fail(s, start, "invalid number");
		while (is_digit(p, end))
			p++;
	}
	value->type = DMP_JSON_NUMBER;
	value->start = start;
	value->length = (size_t) (p - start);
	return p;
}

/* a string, number or word; p < end */
static const char *
scan_scalar(DmpJsonScan *s, const char *p, DmpJsonValue *value)
{
	size_t left = (size_t) (s->end - p);

	switch (*p)
	{
		case '"':
			return scan_string(s, p, value);
		case 't':
			value->type = DMP_JSON_TRUE;
			value->length = 4;
			if (left < 4 || memcmp(p, "true", 4) != 0)
				return fail(s, p, "invalid value");
			break;
		case 'f':
			value->type = DMP_JSON_FALSE;
			value->length = 5;
			if (left < 5 || memcmp(p, "false", 5) != 0)
				return fail(s, p, "invalid value");
			break;
		case 'n':
			value->type = DMP_JSON_NULL;
			value->length = 4;
			if (left < 4 || memcmp(p, "null", 4) != 0)
				return fail(s, p, "invalid value");
			break;
		default:
			return scan_number(s, p, value);
	}
	value->start = p;
	return p + value->length;
}

/* p at a member's name; returns at its value, key filled */
static const char *
scan_key(DmpJsonScan *s, const char *p, DmpJsonValue *key)
{
	if (p >= s->end || *p != '"')
		return fail(s, p, "expected a member name in double quotes");
	p = scan_string(s, p, key);
	if (p == NULL)
		return NULL;
	p = skip_space(p, s->end);
	if (p >= s->end || *p != ':')
		return fail(s, p, "expected \":\" after a member name");
	return skip_space(p + 1, s->end);
}

/*
 * Behind an object or array at p that nobody wants anything of. One bit a
 * level says whether it is an object.
 */
static const char *
skip_container(DmpJsonScan *s, const char *p, int depth)
{
	unsigned char objects[DMP_JSON_DEPTH / 8 + 1];
	int base = depth;
	DmpJsonValue scalar;

	for (;;)
	{
		/* p is at a value */
		if (p >= s->end)
			return fail(s, p, "the record ends too early");
		if (*p == '{' || *p == '[')
		{
			bool object = *p == '{';

			if (depth >= DMP_JSON_DEPTH)
				return fail(s, p, "nested too deep");
			if (depth == base || depth % 8 == 0)
				objects[depth / 8] = 0;
			if (object)
				objects[depth / 8] |= (unsigned char) (1 << depth % 8);
			else
				objects[depth / 8] &= (unsigned char) ~(1 << depth % 8);
			depth++;
			p = skip_space(p + 1, s->end);
			if (p < s->end && *p == (object ? '}' : ']'))
			{
				p++;
				depth--;
			}
			else
			{
				if (object && (p = scan_key(s, p, &scalar)) == NULL)
					return NULL;
				continue;
			}
		}
		else if ((p = scan_scalar(s, p, &scalar)) == NULL)
			return NULL;
		/* a value is complete: close what it closes, up to the next value */
		for (;;)
		{
			bool object;

			if (depth == base)
				return p;
			object = (objects[(depth - 1) / 8] & (1 << (depth - 1) % 8)) != 0;
			p = skip_space(p, s->end);
			if (p >= s->end)
				return fail(s, p, "the record ends too early");
			if (*p == ',')
			{
				p = skip_space(p + 1, s->end);
				if (object && (p = scan_key(s, p, &scalar)) == NULL)
					return NULL;
				break;
			}
			if (*p != (object ? '}' : ']'))
				return fail(s, p, object ? "expected \",\" or \"}\"" : "expected \",\" or \"]\"");
			p++;
			depth--;
		}
	}
}

static uint32_t
hash_name(const char *name, size_t length)
{
	uint32_t hash = 2166136261u ^ (uint32_t) length;

	for (size_t i = 0; i < length; i++)
		hash = (hash ^ (unsigned char) name[i]) * 16777619u;
	return hash ^ (hash >> 15);
}

static inline bool
is_name(const DmpJsonNode *node, const char *name, size_t length)
{
	return node->name != NULL && node->name_length == length &&
		   memcmp(node->name, name, length) == 0;
}

static DmpJsonNode *
find_name(DmpJsonNode *node, const char *name, size_t length)
{
	uint32_t at;

	if (node->guess < node->n_children && is_name(node->children[node->guess], name, length))
		return node->children[node->guess++];
	if (node->table == NULL)
		return NULL;
	for (at = hash_name(name, length) & node->table_mask; node->table[at] != NULL;
		 at = (at + 1) & node->table_mask)
	{
		DmpJsonNode *child = node->table[at];

		if (!is_name(child, name, length))
			continue;
		for (int i = 0; i < node->n_children && node->n_children <= 64; i++)
			if (node->children[i] == child)
				node->guess = i + 1;
		return child;
	}
	return NULL;
}

static DmpJsonNode *
find_key(DmpJsonNode *node, const DmpJsonValue *key)
{
	char name[1024]; /* longer names with escapes are not wanted by anybody */

	if (!key->escaped)
		return find_name(node, key->start, key->length);
	if (key->length > sizeof(name))
		return NULL;
	return find_name(node, name, dmp_json_unescape(key->start, key->length, name));
}

/* a repeated member: what the earlier one left below it is gone */
static void
clear_slots(DmpJsonScan *s, const DmpJsonNode *node)
{
	if (node->slot >= 0)
		s->slots[node->slot].type = DMP_JSON_ABSENT;
	for (int i = 0; i < node->n_children; i++)
		clear_slots(s, node->children[i]);
}

/* a member's or element's value at p, for child when somebody wants it */
static const char *
scan_child(DmpJsonScan *s, const char *p, DmpJsonNode *child, int depth, DmpJsonValue *value)
{
	if (p >= s->end)
		return fail(s, p, "the record ends too early");
	if (child != NULL)
	{
		if (child->n_children > 0)
			clear_slots(s, child);
		p = scan_value(s, p, child, depth, value);
		if (p != NULL && child->slot >= 0)
			s->slots[child->slot] = *value;
		return p;
	}
	if (*p == '{' || *p == '[')
	{
		value->start = p;
		value->type = *p == '{' ? DMP_JSON_OBJECT : DMP_JSON_ARRAY;
		value->escaped = false;
		p = skip_container(s, p, depth);
		if (p != NULL)
			value->length = (size_t) (p - value->start);
		return p;
	}
	return scan_scalar(s, p, value);
}

static const char *
scan_object(DmpJsonScan *s, const char *p, DmpJsonNode *node, int depth)
{
	node->guess = 0;
	p = skip_space(p + 1, s->end);
	if (p < s->end && *p == '}')
		return p + 1;
	for (;;)
	{
		DmpJsonValue key;
		DmpJsonValue value;
		DmpJsonNode *child;

		p = scan_key(s, p, &key);
		if (p == NULL)
			return NULL;
		child = find_key(node, &key);
		p = scan_child(s, p, child, depth + 1, &value);
		if (p == NULL)
			return NULL;
		if (child == NULL && s->unknown != NULL)
			s->unknown(s->arg, node, &key, &value);
		p = skip_space(p, s->end);
		if (p >= s->end)
			return fail(s, p, "the record ends too early");
		if (*p == '}')
			return p + 1;
		if (*p != ',')
			return fail(s, p, "expected \",\" or \"}\"");
		p = skip_space(p + 1, s->end);
	}
}

static const char *
scan_array(DmpJsonScan *s, const char *p, DmpJsonNode *node, int depth)
{
	size_t index = 0;

	p = skip_space(p + 1, s->end);
	if (p < s->end && *p == ']')
		return p + 1;
	for (;; index++)
	{
		DmpJsonValue value;
		DmpJsonNode *child = NULL;

		for (int i = 0; i < node->n_children && child == NULL; i++)
			if (node->children[i]->name == NULL && node->children[i]->index == index)
				child = node->children[i];
		p = scan_child(s, p, child, depth + 1, &value);
		if (p == NULL)
			return NULL;
		p = skip_space(p, s->end);
		if (p >= s->end)
			return fail(s, p, "the record ends too early");
		if (*p == ']')
			return p + 1;
		if (*p != ',')
			return fail(s, p, "expected \",\" or \"]\"");
		p = skip_space(p + 1, s->end);
	}
}

/* the value at p < end; node is wanted, or has wanted members */
static const char *
scan_value(DmpJsonScan *s, const char *p, DmpJsonNode *node, int depth, DmpJsonValue *value)
{
	const char *start = p;

	if (*p != '{' && *p != '[')
		return scan_scalar(s, p, value);
	value->type = *p == '{' ? DMP_JSON_OBJECT : DMP_JSON_ARRAY;
	value->escaped = false;
	value->start = start;
	if (node->n_children == 0 && depth > 0)
		p = skip_container(s, p, depth);
	else if (*p == '{')
		p = scan_object(s, p, node, depth);
	else
		p = scan_array(s, p, node, depth);
	if (p != NULL)
		value->length = (size_t) (p - start);
	return p;
}

bool
dmp_json_scan(DmpJsonScan *s, const char *text, size_t length, DmpJsonType *type)
{
	const char *p = text;
	DmpJsonValue value;

	s->begin = text;
	s->end = text + length;
	p = skip_space(p, s->end);
	if (p >= s->end)
		return fail(s, p, "the record is empty") != NULL;
	p = scan_value(s, p, s->root, 0, &value);
	if (p == NULL)
		return false;
	*type = value.type;
	if (s->root->slot >= 0)
		s->slots[s->root->slot] = value;
	p = skip_space(p, s->end);
	if (p < s->end)
		return fail(s, p, "something follows the end of the value") != NULL;
	return true;
}

const char *
dmp_json_check(const char *text, size_t length, size_t *position)
{
	DmpJsonNode root = {0};
	DmpJsonScan scan = {0};
	DmpJsonType type;

	root.slot = -1;
	scan.root = &root;
	if (dmp_json_scan(&scan, text, length, &type))
		return NULL;
	*position = scan.position;
	return scan.message;
}

static char *
put_utf8(char *out, int code)
{
	if (code < 0x80)
		*out++ = (char) code;
	else if (code < 0x800)
	{
		*out++ = (char) (0xC0 | code >> 6);
		*out++ = (char) (0x80 | (code & 0x3F));
	}
	else if (code < 0x10000)
	{
		*out++ = (char) (0xE0 | code >> 12);
		*out++ = (char) (0x80 | (code >> 6 & 0x3F));
		*out++ = (char) (0x80 | (code & 0x3F));
	}
	else
	{
		*out++ = (char) (0xF0 | code >> 18);
		*out++ = (char) (0x80 | (code >> 12 & 0x3F));
		*out++ = (char) (0x80 | (code >> 6 & 0x3F));
		*out++ = (char) (0x80 | (code & 0x3F));
	}
	return out;
}

size_t
dmp_json_unescape(const char *text, size_t length, char *out)
{
	const char *p = text;
	const char *end = text + length;
	char *start = out;

	while (p < end)
	{
		int code;

		if (*p != '\\')
		{
			*out++ = *p++;
			continue;
		}
		p++;
		switch (*p)
		{
			case 'b':
				*out++ = '\b';
				break;
			case 'f':
				*out++ = '\f';
				break;
			case 'n':
				*out++ = '\n';
				break;
			case 'r':
				*out++ = '\r';
				break;
			case 't':
				*out++ = '\t';
				break;
			case 'u':
				code = hex4(p + 1, end);
				p += 4;
				if (code >= 0xD800 && code <= 0xDBFF)
				{
					code = 0x10000 + ((code & 0x3FF) << 10) + (hex4(p + 3, end) & 0x3FF);
					p += 6;
				}
				out = put_utf8(out, code);
				break;
			default:
				*out++ = *p;
		}
		p++;
	}
	return (size_t) (out - start);
}

void
dmp_json_elements(const char *text, size_t length,
				  bool (*element)(void *arg, const DmpJsonValue *value), void *arg)
{
	DmpJsonScan s = {0};
	const char *p = text + 1;

	s.begin = text;
	s.end = text + length;
	p = skip_space(p, s.end);
	while (p != NULL && p < s.end && *p != ']')
	{
		DmpJsonValue value;

		p = scan_child(&s, p, NULL, 1, &value);
		if (p == NULL || !element(arg, &value))
			return;
		p = skip_space(p, s.end);
		if (p < s.end && *p == ',')
			p = skip_space(p + 1, s.end);
	}
}

void
dmp_json_finish(DmpJsonNode *node, void *(*alloc)(size_t))
{
	uint32_t size = 4;

	for (int i = 0; i < node->n_children; i++)
		dmp_json_finish(node->children[i], alloc);
	while (size < (uint32_t) node->n_children * 2)
		size *= 2;
	node->table = NULL;
	if (node->n_children == 0)
		return;
	node->table = alloc(size * sizeof(DmpJsonNode *));
	memset(node->table, 0, size * sizeof(DmpJsonNode *));
	node->table_mask = size - 1;
	for (int i = 0; i < node->n_children; i++)
	{
		DmpJsonNode *child = node->children[i];
		uint32_t at;

		if (child->name == NULL)
			continue;
		at = hash_name(child->name, child->name_length) & node->table_mask;
		while (node->table[at] != NULL)
			at = (at + 1) & node->table_mask;
		node->table[at] = child;
	}
}
