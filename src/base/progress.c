/*-------------------------------------------------------------------------
 * progress.c
 *		One NOTICE a stage of long acts, under the setting dmp.progress.
 *
 * 'auto' speaks only once the statement has run for two seconds: silence is
 * what short calls and scripts want, and a long fit must not look hung.
 *-------------------------------------------------------------------------
 */
#include "base/base.h"

#include <stdarg.h>

#include "access/xact.h"
#include "utils/timestamp.h"

int dmp_progress_mode = DMP_PROGRESS_AUTO;

static TimestampTz last_spoken = 0;

void
dmp_progress(const char *format, ...)
{
	StringInfoData text;

	if (dmp_progress_mode == DMP_PROGRESS_OFF)
		return;
	if (dmp_progress_mode == DMP_PROGRESS_AUTO)
	{
		TimestampTz now = GetCurrentTimestamp();

		if (!TimestampDifferenceExceeds(Max(GetCurrentStatementStartTimestamp(), last_spoken), now,
										2000))
			return;
		last_spoken = now;
	}
	initStringInfo(&text);
	for (;;)
	{
		va_list args;
		int needed;

		va_start(args, format);
		needed = appendStringInfoVA(&text, format, args);
		va_end(args);
		if (needed == 0)
			break;
		enlargeStringInfo(&text, needed);
	}
	ereport(NOTICE, (errmsg_internal("%s", text.data)));
	pfree(text.data);
}
