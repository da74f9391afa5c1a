/*-------------------------------------------------------------------------
 * segments.h
 *		The segments of a stored model: a set of coefficients for each group.
 *
 * The key of a segment is the text of each by column in turn: its length in
 * four bytes, then its bytes; length 0xFFFFFFFF stands for NULL.
 *-------------------------------------------------------------------------
 */
#ifndef DMP_SEGMENTS_H
#define DMP_SEGMENTS_H

#include "learn/learn.h"
#include "lib/stringinfo.h"

#define DMP_SEGMENT_NULL 0xFFFFFFFF

struct DmpSegments
{
	int nby;
	char **names; /* of the by columns */
	char **types; /* as they were in training, for people */
	int n;        /* segments, by key in byte order, NULL last */
	char **keys;
	uint32 *key_lengths;
	DmpFitStatus *status;
	int width;
	int nfills;
	int *fill_place; /* of each feature of the design, among the fills; -1: none */
	/* a, width coefficients, nfills fills; NULL: the fit failed, the pooled model serves */
	double **values;
	/* lookup */
	uint64 *hashes;
	uint32 nslots; /* power of two */
	int32 *slots;
	StringInfoData key; /* of the row that is looked up */
};

/* whether values of this type can tell groups apart */
extern bool dmp_segment_type(Oid type);
/* appends the value of a by column, of a base type, to a key */
extern void dmp_segment_key(StringInfo key, Datum value, bool isnull, Oid type);
/* the texts of a key, nby of them, NULL pointers for NULL */
extern char **dmp_segment_texts(const char *key, uint32 length, int nby);
/* order of two keys of nby columns */
extern int dmp_segment_compare(const char *a, const char *b, int nby);
/* city=Rome, day="a, b", site=NULL: no two segments are written alike */
extern char *dmp_segment_name(const DmpSegments *segments, int which);

/* which segment a row is of, by the values of its by columns; -1: none that is known */
extern int dmp_segments_find(const DmpSegments *segments, const Datum *values, const bool *nulls,
							 const Oid *types);
/*
 * A group has fills of its own for the columns that were missing in training:
 * features with a flag. This numbers them, over the features of a design.
 */
extern void dmp_segments_fills(DmpSegments *segments, const DmpDesign *design);
#define DMP_SEGMENT_NUMBERS(segments) (1 + (segments)->width + (segments)->nfills)
/*
 * Numbers of the group of a row, values as those of dmp_model_margin(); NULL:
 * the group is not known, or has none, and the pooled model serves.
 */
extern const double *dmp_segment_numbers(const DmpModel *model, const Datum *values,
										 const bool *nulls, const Oid *types);
/* the model of a group's numbers (NULL: the pooled one), as one without segments */
extern DmpModel dmp_segment_alone(const DmpModel *model, const double *numbers);
/* the one that serves a row; *name: the segment, or "pooled" */
extern DmpModel dmp_segment_model(const DmpModel *model, const Datum *values, const bool *nulls,
								  const Oid *types, const char **name);
/* hashes and slots, of segments whose keys are there; error when one is there twice */
extern void dmp_segments_index(DmpSegments *segments);

/* error when there are segments; what: what cannot be made of them */
extern void dmp_model_refuse_segments(const DmpModel *model, const char *what);
/* "12 converged, 2 one_class" */
extern char *dmp_segments_digest(const DmpSegments *segments);
/* how many have coefficients of their own; segments may be NULL */
extern int dmp_segments_fitted(const DmpSegments *segments);
extern void dmp_segments_append(StringInfo buf, const DmpSegments *segments);
extern DmpSegments *dmp_segments_read(const DmpDoc *doc, const DmpDesign *design);

#endif /* DMP_SEGMENTS_H */
