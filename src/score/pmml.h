/*-------------------------------------------------------------------------
 * pmml.h
 *		What the files that write PMML share.
 *-------------------------------------------------------------------------
 */
#ifndef DMP_SCORE_PMML_H
#define DMP_SCORE_PMML_H

#include "dmp.h"

#include "learn/learn.h"
#include "lib/stringinfo.h"

typedef struct DmpPmml
{
	StringInfoData xml;
	const DmpModel *model;
	int sets;
	char **columns; /* name of the field of each design column; NULL: of none is it needed */
	char **fields;  /* name of the field that is a feature's value */
	List *names;    /* that are taken */
} DmpPmml;

extern void dmp_pmml_indent(DmpPmml *pmml, int depth);
extern void dmp_pmml_attribute(DmpPmml *pmml, const char *name, const char *value);
/* text of an element, or of an attribute */
extern void dmp_pmml_escape(DmpPmml *pmml, const char *text);
extern void dmp_pmml_constant(DmpPmml *pmml, const char *type, const char *value);
extern void dmp_pmml_field_ref(DmpPmml *pmml, const char *name);
extern char *dmp_pmml_number(double value);
/* the name, with stars until it is a new one */
extern char *dmp_pmml_field_name(DmpPmml *pmml, char *name);

/* ---- pmml_transform.c */

/* error: the feature's transform has no PMML */
extern void dmp_pmml_check_transform(const DmpFeature *feature);
/* the DerivedField that a transform is; its name is that of the feature's value */
extern void dmp_pmml_transform(DmpPmml *pmml, int i);

#endif /* DMP_SCORE_PMML_H */
