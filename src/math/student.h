/*-------------------------------------------------------------------------
 * student.h
 *		Student's t distribution, for paired tests.
 *-------------------------------------------------------------------------
 */
#ifndef DMP_MATH_STUDENT_H
#define DMP_MATH_STUDENT_H

/* P(|T| >= |t|) with df > 0 degrees of freedom; NaN when t is NaN or df is not positive */
extern double dmp_student_p(double t, double df);
/* the t > 0 with dmp_student_p(t, df) = 0.05: half width of a 95 % interval in standard errors */
extern double dmp_student_975(double df);

#endif /* DMP_MATH_STUDENT_H */
