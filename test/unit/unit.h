/* unit.h - the few lines of TAP that the unit tests of src/math need */
#ifndef DMP_UNIT_H
#define DMP_UNIT_H

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "math/env.h"

extern void ok(int pass, const char *what);
/* |a - b| <= tolerance, both NaN counts as equal */
extern void near(double a, double b, double tolerance, const char *what);
extern const DmpMathEnv unit_env;

extern void test_hash(void);
extern void test_binning(void);
extern void test_comoments(void);
extern void test_distinct(void);
extern void test_metrics(void);
extern void test_calibrate(void);
extern void test_linalg(void);
extern void test_glm(void);
extern void test_student(void);
extern void test_least_squares(void);
extern void test_sparse(void);
extern void test_path(void);
extern void test_select(void);
extern void test_isolation(void);
extern void test_mondrian(void);
extern void test_laplace(void);
extern void test_merkle(void);
extern void test_feistel(void);

#endif
