-- consents: history, what holds now, whose rights
CREATE ROLE regress_dmp_desk;
CREATE ROLE regress_dmp_other;
GRANT EXECUTE ON FUNCTION dmp.record_consent(text, text, boolean, jsonb) TO regress_dmp_desk;
SET ROLE regress_dmp_desk;
SELECT dmp.record_consent('ann@example.org', 'subject_news', true, '{"form": 7}');
SELECT dmp.record_consent('ann@example.org', 'subject_ads', false);
SELECT dmp.record_consent('ann@example.org', 'subject_news', true);
SELECT dmp.record_consent('ann@example.org', 'subject_news', false);
SELECT dmp.record_consent('o''brien %s {"a": 1}', 'subject_news', true, '{"quote": "''; DROP TABLE x; --"}');
SELECT subject, purpose, granted, evidence, recorded_by, latest FROM dmp.consents
WHERE purpose LIKE 'subject%' ORDER BY recorded_at;
-- the last act is what holds; since: as long as it is so
RESET ROLE;
SELECT s.subject, s.purpose, s.granted, s.since = c.recorded_at AS since_the_act
FROM dmp_internal.consent_state s
JOIN dmp.consents c ON (c.subject, c.purpose) = (s.subject, s.purpose) AND c.latest
WHERE s.purpose LIKE 'subject%' ORDER BY s.subject COLLATE "C", 2;
SELECT dmp.record_consent('ann@example.org', 'subject_news', false);
SELECT s.since < max(c.recorded_at) AS since_before FROM dmp_internal.consent_state s
JOIN dmp.consents c ON (c.subject, c.purpose) = (s.subject, s.purpose)
WHERE s.subject = 'ann@example.org' AND s.purpose = 'subject_news' GROUP BY s.since;

-- refused
SELECT dmp.record_consent(NULL, 'subject_news', true);
SELECT dmp.record_consent('ann@example.org', NULL, true);
SELECT dmp.record_consent('ann@example.org', 'subject_news', NULL);
SELECT dmp.record_consent('', 'subject_news', true);
SELECT dmp.record_consent('ann@example.org', '', true);
SELECT dmp.record_consent(repeat('x', 1048576), 'subject_news', true);
SET ROLE regress_dmp_other;
SELECT dmp.record_consent('ann@example.org', 'subject_news', true);
SELECT count(*) FROM dmp.consents;
SELECT count(*) FROM dmp_internal.consent_state;
INSERT INTO dmp_internal.consent_state VALUES ('eve@example.org', 'subject_news', true, now());
UPDATE dmp_internal.consent_state SET granted = true;
RESET ROLE;
-- a session sees who consents to the purpose it works for
BEGIN;
SELECT count(*) FROM dmp.grant_context('regress_dmp_other', NULL, '{subject_ads}');
SET LOCAL ROLE regress_dmp_other;
SELECT dmp.set_context('{"purpose": "subject_ads"}');
SELECT subject, purpose, granted FROM dmp_internal.consent_state;
ROLLBACK;
-- each act is in the audit log
SELECT l.operation, l.new FROM dmp.consents c JOIN dmp.audit_log l USING (entry)
WHERE c.purpose LIKE 'subject%' AND c.subject LIKE 'o''brien%';
DELETE FROM dmp_internal.consent WHERE purpose LIKE 'subject%';
DELETE FROM dmp_internal.consent_state WHERE purpose LIKE 'subject%';
REVOKE EXECUTE ON FUNCTION dmp.record_consent(text, text, boolean, jsonb) FROM regress_dmp_desk;
DROP ROLE regress_dmp_desk;
DROP ROLE regress_dmp_other;
