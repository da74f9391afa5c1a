/* test_mondrian.c - regions hold k rows and l values, and every tuple finds its own */
#include "unit.h"
#include "math/hash.h"
#include "math/mondrian.h"

enum
{
	TUPLES = 400,
	COLUMNS = 3
};

/* a random table: ties, missing values, a constant column; true when all promises hold */
static int
one_table(DmpRandom *r)
{
	static int32_t ranks[COLUMNS][TUPLES], values[TUPLES];
	static int64_t counts[TUPLES], rows[TUPLES], met[TUPLES];
	static char seen[TUPLES][8];
	int32_t *columns[COLUMNS], *sensitive[1] = {values};
	int32_t most[COLUMNS], nvalues = 5;
	int n = (int) dmp_random_below(r, TUPLES), i, c, v, good = 1;
	DmpMondrian m = {COLUMNS, columns, most, 1, sensitive, &nvalues, n, counts, 0, 0};
	DmpRegions regions;
	int64_t all = 0;

	for (c = 0; c < COLUMNS; c++)
	{
		most[c] = c == 2 ? 1 : 1 + (int32_t) dmp_random_below(r, 40);
		columns[c] = ranks[c];
		for (i = 0; i < n; i++)
			ranks[c][i] =
				c == 2 ? 1
					   : (int32_t) dmp_random_below(r, most[c] + 1) * (dmp_random_below(r, 10) > 0);
	}
	for (i = 0; i < n; i++)
	{
		values[i] = 1 + (int32_t) dmp_random_below(r, dmp_random_below(r, 2) ? 5 : 2);
		counts[i] = 1 + (int64_t) dmp_random_below(r, 3);
		all += counts[i];
	}
	m.k = 1 + (int64_t) dmp_random_below(r, 20);
	m.l = 1 + (int32_t) dmp_random_below(r, 3);
	regions = dmp_mondrian(&m, &unit_env);
	memset(rows, 0, sizeof(rows));
	memset(seen, 0, sizeof(seen));
	for (i = 0; i < n && regions.nregions > 0; i++)
	{
		int32_t tuple[COLUMNS], region;

		for (c = 0; c < COLUMNS; c++)
			tuple[c] = ranks[c][i];
		region = dmp_region_of(&regions, tuple);
		good &= region >= 0 && region < regions.nregions;
		rows[region] += counts[i];
		seen[region][values[i]] = 1;
		for (c = 0; c < COLUMNS; c++)
			good &= tuple[c] >= regions.low[region * COLUMNS + c] &&
					tuple[c] <= regions.high[region * COLUMNS + c];
	}
	for (i = 0; i < regions.nregions; i++)
	{
		met[i] = 0;
		for (v = 1; v <= 5; v++)
			met[i] += seen[i][v];
		good &= rows[i] == regions.rows[i] && rows[i] >= m.k && met[i] >= m.l;
	}
	/* nothing is given up without need */
	if (regions.nregions == 0 && all >= m.k && m.l == 1)
		good = 0;
	free(regions.cuts);
	free(regions.rows);
	free(regions.low);
	free(regions.high);
	return good;
}

void
test_mondrian(void)
{
	DmpRandom r;
	int i, good = 0;
	int32_t line[8] = {1, 2, 3, 4, 5, 6, 7, 8}, most = 8, *columns[1] = {line};
	int64_t counts[8] = {1, 1, 1, 1, 1, 1, 1, 1};
	DmpMondrian m = {1, columns, &most, 0, NULL, NULL, 8, counts, 2, 1};
	DmpRegions regions = dmp_mondrian(&m, &unit_env);

	ok(regions.nregions == 4 && regions.low[0] == 1 && regions.high[0] == 2 &&
		   regions.low[3] == 7 && regions.high[3] == 8,
	   "eight in a row, by two: four pairs");
	counts[0] = 100;
	regions = dmp_mondrian(&m, &unit_env);
	ok(regions.high[0] == 1 && regions.rows[0] == 100, "a heavy value stays alone");
	m.k = 1000;
	ok(dmp_mondrian(&m, &unit_env).nregions == 0, "too few rows: no region");
	dmp_random_init(&r, 3, 0);
	for (i = 0; i < 2000; i++)
		good += one_table(&r);
	ok(good == 2000, "2000 random tables: k rows and l values in each region, all tuples inside");
}
