/* main.c - runs the unit tests of src/math and prints TAP */
#include "unit.h"

static int count, failed;

void
ok(int pass, const char *what)
{
	count++;
	if (!pass)
		failed++;
	printf("%sok %d - %s\n", pass ? "" : "not ", count, what);
}

void
near(double a, double b, double tolerance, const char *what)
{
	int pass = (isnan(a) && isnan(b)) || fabs(a - b) <= tolerance;

	ok(pass, what);
	if (!pass)
		printf("# got %.17g, expected %.17g, tolerance %g\n", a, b, tolerance);
}

static void *
unit_alloc(size_t size)
{
	void *p = malloc(size);

	if (p == NULL)
		abort();
	return p;
}

static void
unit_check(void)
{
}

const DmpMathEnv unit_env = {unit_alloc, free, unit_check};

int
main(void)
{
	test_hash();
	test_binning();
	test_comoments();
	test_distinct();
	test_metrics();
	test_calibrate();
	test_linalg();
	test_glm();
	test_student();
	test_least_squares();
	test_sparse();
	test_path();
	test_select();
	test_isolation();
	test_mondrian();
	test_laplace();
	test_merkle();
	test_feistel();
	printf("1..%d\n", count);
	return failed ? 1 : 0;
}
