-- dmp.audit: what each operation leaves in the log
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS dmp;
RESET client_min_messages;

-- entries of a table since the last look
CREATE TABLE audit_seen (entry bigint);
INSERT INTO audit_seen SELECT coalesce(max(entry), 0) FROM dmp.audit_log;
CREATE FUNCTION audit_look() RETURNS TABLE (relation text, operation "char", row_key jsonb, old jsonb, new jsonb)
LANGUAGE plpgsql AS $$
BEGIN
	RETURN QUERY SELECT l.relation, l.operation, l.row_key, l.old, l.new FROM dmp.audit_log l
		WHERE l.entry > (SELECT max(entry) FROM audit_seen) AND l.relation LIKE '%audit\_%' ORDER BY l.entry;
	INSERT INTO audit_seen SELECT max(entry) FROM dmp.audit_log;
END $$;

-- ---- each operation

CREATE TABLE audit_t (id bigint PRIMARY KEY, n int, t text);
SELECT dmp.audit('audit_t');
INSERT INTO audit_t VALUES (1, 10, 'one'), (2, NULL, NULL);
SELECT * FROM audit_look();
UPDATE audit_t SET n = 11 WHERE id = 1;
UPDATE audit_t SET n = 20, t = 'two' WHERE id = 2;
SELECT * FROM audit_look();
-- nothing changed, nothing logged; no row, nothing logged
UPDATE audit_t SET n = n, t = t;
UPDATE audit_t SET n = 0 WHERE id = 99;
DELETE FROM audit_t WHERE id = 99;
INSERT INTO audit_t SELECT 5, 5, '5' WHERE false;
SELECT * FROM audit_look();
-- only what changed: one of two rows
UPDATE audit_t SET n = 20;
SELECT * FROM audit_look();
-- the key
UPDATE audit_t SET id = 3 WHERE id = 2;
SELECT * FROM audit_look();
DELETE FROM audit_t WHERE id = 3;
SELECT * FROM audit_look();
TRUNCATE audit_t;
SELECT * FROM audit_look();
