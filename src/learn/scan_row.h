/* scan_row.h - rows into a scan; see scan_row.c */
#ifndef DMP_SCAN_ROW_H
#define DMP_SCAN_ROW_H

#include "learn/scan.h"

/* types of the features, as they come as arguments */
extern void dmp_scan_set_types(DmpScan *scan, const Oid *types);
extern void dmp_scan_read_types(DmpScan *scan, FunctionCallInfo fcinfo, int first);
extern void dmp_scan_row_any(DmpScan *scan, FunctionCallInfo fcinfo, int first);
extern void dmp_scan_row_arrays(DmpScan *scan, FunctionCallInfo fcinfo);

#endif /* DMP_SCAN_ROW_H */
