-- what columns hold
CREATE ROLE regress_dmp_tagger;
CREATE ROLE regress_dmp_stranger;
GRANT CREATE ON SCHEMA public TO regress_dmp_tagger;
SET ROLE regress_dmp_tagger;
CREATE TABLE subject_person (email text, gone int, "a""b; --" text, phone text);
CREATE TABLE subject_visit (email text, day date) PARTITION BY RANGE (day);
CREATE TABLE subject_visit_1 (day date, email text);
ALTER TABLE subject_visit ATTACH PARTITION subject_visit_1 FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
SELECT dmp.tag('subject_person', 'email', 'subject');
SELECT dmp.tag('subject_person', 'email', 'email');
SELECT dmp.tag('subject_person', 'gone', 'sensitive');
SELECT dmp.tag('subject_person', 'a"b; --', 'my_own', on_erase => 'blank');
SELECT dmp.tag('subject_person', 'a"b; --', 'my_own', on_erase => 'keep');
SELECT dmp.tag('subject_visit', 'email', 'subject');
SELECT relation, column_name, category, on_erase, tagged_by FROM dmp.tags
WHERE relation::text LIKE 'subject%' ORDER BY relation::text, column_name COLLATE "C", category;

-- a tag follows its table and column, and ends with them
ALTER TABLE subject_person RENAME TO "Subject; Person";
ALTER TABLE "Subject; Person" RENAME email TO mail;
ALTER TABLE "Subject; Person" DROP gone;
SELECT relation, column_name, category FROM dmp.tags
WHERE relation::text ILIKE '"subject%' ORDER BY column_name COLLATE "C", category;
SELECT tagged, category FROM dmp_internal.tag WHERE tagged::text LIKE '%Subject%' OR tagged::text = '-'
ORDER BY tagged::text COLLATE "C", category;
-- as a dump and restore write and read it
SELECT tagged::text::dmp_internal.column_id::bigint = tagged::bigint AS same
FROM (SELECT tagged FROM dmp_internal.tag WHERE tagged::text LIKE '%Subject%') t GROUP BY 1;
SELECT 'public.subject_nobody.x'::dmp_internal.column_id, 'nowhere.x.y'::dmp_internal.column_id,
	'public.subject_visit.x'::dmp_internal.column_id, '-'::dmp_internal.column_id,
	'public.subject_visit.email'::dmp_internal.column_id;
SELECT 'email'::dmp_internal.column_id;
SELECT ''::dmp_internal.column_id;
SELECT dmp_internal.column_relation('-') IS NULL AND dmp_internal.column_name('-') IS NULL;
SELECT dmp.untag('"Subject; Person"', 'mail', 'email');
SELECT dmp.untag('"Subject; Person"', 'mail', 'email');
SELECT dmp.untag('"Subject; Person"', 'phone', 'phone');

-- refused
SELECT dmp.tag('subject_visit', 'email', 'subjct');
SELECT dmp.tag('subject_visit', 'email', 'Subject');
SELECT dmp.tag('subject_visit', 'email', '');
SELECT dmp.tag('subject_visit', 'email', repeat('x', 64));
SELECT dmp.tag('subject_visit', 'email', repeat('x', 63));
SELECT dmp.untag('subject_visit', 'email', repeat('x', 63));
SELECT dmp.tag('subject_visit', 'emial', 'subject');
SELECT dmp.tag('subject_visit', 'ctid', 'subject');
SELECT dmp.tag('subject_visit', 'email', 'email', on_erase => 'Delete');
SELECT dmp.tag(NULL, 'email', 'email');
SELECT dmp.tag('subject_visit', NULL, 'email');
SELECT dmp.tag('subject_visit', 'email', NULL);
SELECT dmp.untag('subject_visit', 'email', NULL);
SELECT dmp.tag(0, 'email', 'email');
CREATE SEQUENCE subject_sequence;
SELECT dmp.tag('subject_sequence', 'last_value', 'email');
DROP SEQUENCE subject_sequence;
SET ROLE regress_dmp_stranger;
SELECT dmp.tag('subject_visit', 'email', 'email');
SELECT dmp.untag('subject_visit', 'email', 'subject');
-- the tags of what one may not read are not seen; one column is enough
SELECT count(*) FROM dmp.tags WHERE relation::text LIKE '%ubject%';
SELECT count(*) FROM dmp_internal.tag WHERE tagged::text LIKE '%ubject%';
INSERT INTO dmp_internal.tag (tagged, category, tagged_by) VALUES ('-', 'x', 'regress_dmp_stranger');
DELETE FROM dmp_internal.tag;
RESET ROLE;
GRANT SELECT (day) ON subject_visit TO regress_dmp_stranger;
SET ROLE regress_dmp_stranger;
SELECT relation, column_name FROM dmp.tags WHERE relation::text LIKE '%ubject%';
RESET ROLE;

DROP TABLE subject_visit, "Subject; Person";
SELECT count(*) FROM dmp.tags WHERE relation::text LIKE '%ubject%';
-- rows of what is no more leave with the next tag
CREATE TABLE subject_next (x text);
SELECT dmp.tag('subject_next', 'x', 'name');
SELECT count(*) FROM dmp_internal.tag WHERE dmp_internal.column_name(tagged) IS NULL;
DROP TABLE subject_next;
REVOKE CREATE ON SCHEMA public FROM regress_dmp_tagger;
DROP ROLE regress_dmp_tagger;
DROP ROLE regress_dmp_stranger;
