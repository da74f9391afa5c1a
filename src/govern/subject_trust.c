/*-------------------------------------------------------------------------
 * subject_trust.c
 *		Code of others that changing a table would run.
 *
 * A statement runs the triggers, rules, checks, indexes and computed columns
 * of the tables it changes as whoever gave it. A superuser who erases a person
 * or applies retention changes tables of everybody, and a table's owner could
 * have put anything there. Trusted is what superusers own; what a function
 * calls in its turn is its owner's affair.
 *-------------------------------------------------------------------------
 */
#include "govern/subject.h"

/* tables that foreign keys reach on a change, what hangs on them, and the types of their columns */
#define CODE_OF                                                                                  \
	"WITH RECURSIVE rel (oid) AS (SELECT $1 UNION SELECT f.conrelid FROM rel "                   \
	"JOIN pg_constraint f ON f.confrelid = rel.oid AND f.contype = 'f' "                         \
	"AND (f.confdeltype IN ('c', 'n', 'd') OR f.confupdtype IN ('c', 'n', 'd'))), "              \
	"every (oid) AS (SELECT oid FROM rel UNION SELECT a.relid FROM rel, "                        \
	"pg_partition_ancestors(rel.oid) a), "                                                       \
	"type (oid) AS (SELECT a.atttypid FROM every JOIN pg_attribute a ON a.attrelid = every.oid " \
	"AND a.attnum > 0 AND NOT a.attisdropped UNION SELECT x.oid FROM type "                      \
	"JOIN pg_type t ON t.oid = type.oid LEFT JOIN pg_attribute a ON a.attrelid = t.typrelid "    \
	"AND t.typrelid <> 0 AND a.attnum > 0 AND NOT a.attisdropped "                               \
	"CROSS JOIN LATERAL (VALUES (t.typbasetype), (t.typelem), (a.atttypid)) x (oid) "            \
	"WHERE x.oid <> 0), "                                                                        \
	"thing (classid, objid) AS (SELECT 'pg_class'::regclass::oid, oid FROM every "               \
	"UNION ALL SELECT 'pg_trigger'::regclass, t.oid FROM every JOIN pg_trigger t "               \
	"ON t.tgrelid = every.oid AND NOT t.tgisinternal AND t.tgenabled <> 'D' "                    \
	"UNION ALL SELECT 'pg_rewrite'::regclass, r.oid FROM every JOIN pg_rewrite r "               \
	"ON r.ev_class = every.oid "                                                                 \
	"UNION ALL SELECT 'pg_attrdef'::regclass, d.oid FROM every JOIN pg_attrdef d "               \
	"ON d.adrelid = every.oid "                                                                  \
	"UNION ALL SELECT 'pg_class'::regclass, i.indexrelid FROM every JOIN pg_index i "            \
	"ON i.indrelid = every.oid "                                                                 \
	"UNION ALL SELECT 'pg_constraint'::regclass, c.oid FROM every JOIN pg_constraint c "         \
	"ON c.conrelid = every.oid "                                                                 \
	"UNION ALL SELECT 'pg_constraint'::regclass, c.oid FROM type JOIN pg_constraint c "          \
	"ON c.contypid = type.oid) "                                                                 \
	"SELECT p.oid::regprocedure::text FROM thing JOIN pg_depend d USING (classid, objid) "       \
	"LEFT JOIN pg_operator o ON d.refclassid = 'pg_operator'::regclass AND o.oid = d.refobjid "  \
	"JOIN pg_proc p ON p.oid = CASE WHEN d.refclassid = 'pg_proc'::regclass THEN d.refobjid "    \
	"ELSE o.oprcode::oid END "                                                                   \
	"JOIN pg_roles r ON r.oid = p.proowner AND NOT r.rolsuper ORDER BY 1 LIMIT 1"

/* inside of SPI */
char *
dmp_code_of_others(Oid relid)
{
	DmpArgs args = {0};

	dmp_arg_oid(&args, relid);
	if (dmp_spi_registry(CODE_OF, &args, true) == 0)
		return NULL;
	return dmp_spi_text(0, 1);
}
