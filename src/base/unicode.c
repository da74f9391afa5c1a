/*-------------------------------------------------------------------------
 * unicode.c
 *		Classes and cases of characters, the same in every database.
 *
 * Nothing depends on the database's locale. The tables cover the alphabets
 * that have cases, by rule; a letter they miss is kept as it is. What is
 * trained into models depends on them: they do not change.
 *-------------------------------------------------------------------------
 */
#include "base/unicode.h"

#include "mb/pg_wchar.h"

typedef struct Range
{
	uint32 low;
	uint32 high;
} Range;

static const Range space_ranges[] = {
	{0x09, 0x0D},     {0x1C, 0x20},     {0x85, 0x85},     {0xA0, 0xA0},     {0x1680, 0x1680},
	{0x2000, 0x200A}, {0x2028, 0x2029}, {0x202F, 0x202F}, {0x205F, 0x205F}, {0x3000, 0x3000}};
static const Range dense_ranges[] = {{0x0E00, 0x0EFF}, /* Thai, Lao */
									 {0x0F40, 0x0FBC}, /* Tibetan */
									 {0x1000, 0x109F}, /* Myanmar */
									 {0x1780, 0x17D3}, /* Khmer */
									 {0x2E80, 0x2FDF}, /* radicals */
									 {0x3005, 0x3007}, {0x3021, 0x3029},   {0x3031, 0x303C},
									 {0x3041, 0x30FA}, {0x30FC, 0x312F}, /* kana, Bopomofo */
									 {0x31A0, 0x31FF}, {0x3400, 0x4DBF},   {0x4E00, 0x9FFF},
									 {0xF900, 0xFAFF}, {0x1B000, 0x1B16F}, {0x20000, 0x3FFFF}};
/* from U+0080 on, what is no letter, digit or mark */
static const Range other_ranges[] = {
	{0x80, 0xA9},     {0xAB, 0xB1},     {0xB4, 0xB4},     {0xB6, 0xB8},       {0xBB, 0xBB},
	{0xBF, 0xBF},     {0xD7, 0xD7},     {0xF7, 0xF7},     {0x02C2, 0x02C5},   {0x02D2, 0x02DF},
	{0x037E, 0x037E}, {0x0387, 0x0387}, {0x055A, 0x055F}, {0x0589, 0x058F},   {0x05BE, 0x05BE},
	{0x05F3, 0x05F4}, {0x0600, 0x060F}, {0x061B, 0x061F}, {0x066A, 0x066D},   {0x06D4, 0x06D4},
	{0x0964, 0x0965}, {0x0E3F, 0x0E3F}, {0x104A, 0x104F}, {0x1360, 0x1368},   {0x17D4, 0x17DB},
	{0x200B, 0x206F}, {0x20A0, 0x20CF}, {0x2190, 0x2BFF}, {0x2E00, 0x2E7F},   {0x3001, 0x3004},
	{0x3008, 0x3020}, {0x3030, 0x3030}, {0x303D, 0x3040}, {0x30FB, 0x30FB},   {0x3200, 0x33FF},
	{0xD800, 0xF8FF}, {0xFD3E, 0xFD3F}, {0xFE00, 0xFE6F}, {0xFF01, 0xFF0F},   {0xFF1A, 0xFF20},
	{0xFF3B, 0xFF40}, {0xFF5B, 0xFF65}, {0xFFE0, 0xFFFF}, {0x1D100, 0x1D1FF}, {0x1F000, 0x1FAFF}};

/* upper case to lower: add to every one, or to every second one from low on */
typedef struct CaseRange
{
	uint32 low;
	uint32 high;
	int add; /* 1: pairs, upper before lower; the even places from low on are upper */
} CaseRange;

static const CaseRange case_ranges[] = {
	{0x41, 0x5A, 32},     {0xC0, 0xD6, 32},       {0xD8, 0xDE, 32},      {0x100, 0x12F, 1},
	{0x132, 0x137, 1},    {0x139, 0x148, 1},      {0x14A, 0x177, 1},     {0x178, 0x178, -121},
	{0x179, 0x17E, 1},    {0x182, 0x185, 1},      {0x1A0, 0x1A5, 1},     {0x1CD, 0x1DC, 1},
	{0x1DE, 0x1EF, 1},    {0x1F4, 0x1F5, 1},      {0x1F8, 0x21F, 1},     {0x222, 0x233, 1},
	{0x370, 0x373, 1},    {0x386, 0x386, 38},     {0x388, 0x38A, 37},    {0x38C, 0x38C, 64},
	{0x38E, 0x38F, 63},   {0x391, 0x3A1, 32},     {0x3A3, 0x3AB, 32},    {0x3D8, 0x3EF, 1},
	{0x400, 0x40F, 80},   {0x410, 0x42F, 32},     {0x460, 0x481, 1},     {0x48A, 0x4BF, 1},
	{0x4C1, 0x4CE, 1},    {0x4D0, 0x52F, 1},      {0x531, 0x556, 48},    {0x10A0, 0x10C5, 7264},
	{0x1E00, 0x1E95, 1},  {0x1EA0, 0x1EFF, 1},    {0x2C00, 0x2C2F, 48},  {0x2C80, 0x2CE3, 1},
	{0xFF21, 0xFF3A, 32}, {0x10400, 0x10427, 40}, {0x1E900, 0x1E921, 34}};

static bool
in_ranges(const Range *ranges, int n, uint32 c)
{
	int low = 0;
	int high = n - 1;

	while (low <= high)
	{
		int middle = (low + high) / 2;

		if (c < ranges[middle].low)
			high = middle - 1;
		else if (c > ranges[middle].high)
			low = middle + 1;
		else
			return true;
	}
	return false;
}

uint32
dmp_lower_case(uint32 c)
{
	int low = 0;
	int high = lengthof(case_ranges) - 1;

	if (c < 0x80)
		return c >= 'A' && c <= 'Z' ? c + 32 : c;
	if (c == 0x3C2) /* final sigma is a sigma */
		return 0x3C3;
	while (low <= high)
	{
		int middle = (low + high) / 2;
		const CaseRange *range = &case_ranges[middle];

		if (c < range->low)
			high = middle - 1;
		else if (c > range->high)
			low = middle + 1;
		else if (range->add == 1)
			return (c - range->low) % 2 == 0 ? c + 1 : c;
		else
			return c + range->add;
	}
	return c;
}

DmpCharacterClass
dmp_character_class(uint32 c)
{
	if (c < 0x80)
	{
		if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || (c >= 'A' && c <= 'Z'))
			return DMP_CLASS_LETTER;
		return c == ' ' || (c >= 0x09 && c <= 0x0D) || (c >= 0x1C && c <= 0x1F) ? DMP_CLASS_SPACE
																				: DMP_CLASS_OTHER;
	}
	if (in_ranges(space_ranges, lengthof(space_ranges), c))
		return DMP_CLASS_SPACE;
	if (in_ranges(other_ranges, lengthof(other_ranges), c))
		return DMP_CLASS_OTHER;
	if (in_ranges(dense_ranges, lengthof(dense_ranges), c))
		return DMP_CLASS_DENSE;
	return DMP_CLASS_LETTER;
}

/* a byte that is no UTF-8 becomes a lone surrogate, which is like nothing else */
uint32
dmp_decode_utf8(const unsigned char **at, const unsigned char *end)
{
	const unsigned char *p = *at;
	int n = pg_utf_mblen(p);

	if (p + n > end || !pg_utf8_islegal(p, n))
	{
		(*at)++;
		return 0xDC00 + *p;
	}
	*at += n;
	return utf8_to_unicode(p);
}
