-- sealing, erasure and proofs of the audit log, against hashes computed in SQL
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS dmp;
RESET client_min_messages;
CREATE SCHEMA ledger_test;
SET search_path = ledger_test, public;

-- chunks as the writer stores them, made by hand
CREATE FUNCTION le(v bigint, bytes int) RETURNS bytea IMMUTABLE LANGUAGE sql AS $$
	SELECT string_agg(set_byte('\x00', 0, ((v >> (8 * i)) & 255)::int), '' ORDER BY i) FROM generate_series(0, bytes - 1) i $$;
CREATE FUNCTION payload(tag text, i int) RETURNS bytea IMMUTABLE LANGUAGE sql AS $$
	SELECT convert_to(tag || ' payload ' || i, 'UTF8') $$;
CREATE FUNCTION body(n int, tag text) RETURNS bytea LANGUAGE sql AS $$
	SELECT string_agg('\x00'::bytea || le(16 + octet_length(payload(tag, i)), 4) || decode(md5(tag || i), 'hex') || payload(tag, i), '' ORDER BY i)
	FROM generate_series(1, n) i $$;
INSERT INTO dmp_internal.audit_shape (id, relation, relation_name, columns, hash)
VALUES (900001, 'pg_class', 'ledger_test.made', '["a", "b"]', '\x00');
CREATE FUNCTION make_chunk(n int, tag text) RETURNS bigint LANGUAGE sql AS $$
	INSERT INTO dmp_internal.audit_chunk (id, at, cluster, xact, shape, operation, entries, session_role, effective_role, actor, body)
	SELECT nextval('dmp_internal.audit_chunk_id'), '2024-01-15 12:00Z', dmp_internal.cluster_id(), pg_current_xact_id(), 900001, 'I', n, 'ann', 'ben', tag, body(n, tag)
	RETURNING id $$;
CREATE TABLE dmp_internal.audit_chunk_2024_01 PARTITION OF dmp_internal.audit_chunk FOR VALUES FROM ('2024-01-01Z') TO ('2024-02-01Z');

-- other backends may hold the horizon back for a moment
CREATE FUNCTION seal(OUT block bigint, OUT entries bigint) RETURNS SETOF record LANGUAGE plpgsql AS $$
BEGIN
	WHILE pg_snapshot_xmin(pg_current_snapshot()) < pg_snapshot_xmax(pg_current_snapshot()) LOOP
		PERFORM pg_sleep(0.01);
	END LOOP;
	RETURN QUERY SELECT * FROM dmp.seal_audit();
END $$;

-- what was there before is sealed first
SELECT count(*) >= 0 AS sealed FROM seal();
SELECT count(*) FROM dmp.seal_audit();
SELECT coalesce(max(block), 0) AS before FROM dmp_internal.audit_block \gset

SELECT make_chunk(3, 'first') AS first \gset
SELECT make_chunk(1, 'second') AS second \gset
SELECT make_chunk(1000, 'third') AS third \gset
-- an unfinished transaction waits; its own sealer does not see it
BEGIN;
SELECT make_chunk(2, 'fourth') AS fourth \gset
SELECT block - :before AS block, entries FROM dmp.seal_audit();
COMMIT;
SELECT block - :before AS block, entries FROM seal();
-- what was rolled back is not sealed
BEGIN;
SELECT make_chunk(2, 'never') > 0;
ROLLBACK;
SELECT block - :before AS block, entries FROM seal();

-- the leaves, from the description
CREATE FUNCTION txt(t text) RETURNS bytea IMMUTABLE LANGUAGE sql AS $$
	SELECT CASE WHEN t IS NULL THEN '\xffffffff' ELSE le(octet_length(convert_to(t, 'UTF8')), 4) || convert_to(t, 'UTF8') END $$;
CREATE FUNCTION meta(c dmp_internal.audit_chunk) RETURNS bytea LANGUAGE sql AS $$
	SELECT le(c.id, 8) || le(1, 4) || le(c.cluster, 4) || le(((extract(epoch FROM c.at) - 946684800) * 1000000)::bigint, 8) || le(c.xact::text::bigint, 8)
		|| le(c.entries, 4) || convert_to(c.operation::text, 'UTF8')
		|| CASE WHEN c.statement_hash IS NULL THEN '\x00' ELSE '\x01' || le(c.statement_hash, 8) END
		|| sha256(txt(s.relation_name) || txt(s.columns::text))
		|| txt(c.session_role) || txt(c.effective_role) || txt(c.actor) || txt(c.purpose) || txt(c.request) || txt(c.application) || txt(c.client)
	FROM dmp_internal.audit_shape s WHERE s.id = c.shape $$;
CREATE FUNCTION leaf(meta bytea, place int, inner_hash bytea) RETURNS bytea LANGUAGE sql AS $$
	SELECT sha256('\x00' || sha256(meta) || le(place, 4) || inner_hash) $$;
CREATE FUNCTION root(leaves bytea[]) RETURNS bytea LANGUAGE plpgsql AS $$
DECLARE
	n int := cardinality(leaves);
	k int := 1;
BEGIN
	IF coalesce(n, 0) = 0 THEN RETURN sha256(''); END IF;
	IF n = 1 THEN RETURN leaves[1]; END IF;
	WHILE k * 2 < n LOOP k := k * 2; END LOOP;
	RETURN sha256('\x01' || root(leaves[1:k]) || root(leaves[k + 1:n]));
END $$;
CREATE TABLE expected AS
SELECT c.id, i - 1 AS place, leaf(meta(c), i - 1, sha256(decode(md5(c.actor || i), 'hex') || payload(c.actor, i))) AS leaf
FROM dmp_internal.audit_chunk c, generate_series(1, c.entries) i
WHERE c.shape = 900001;
SELECT b.block - :before AS block, b.entries, b.chunks,
	b.root = root((SELECT array_agg(leaf ORDER BY id, place) FROM expected WHERE id BETWEEN b.first_chunk AND b.last_chunk)) AS root,
	c.leaves = (SELECT string_agg(leaf, '' ORDER BY id, place) FROM expected WHERE id BETWEEN b.first_chunk AND b.last_chunk) AS leaves,
	c.directory = (SELECT string_agg(le(id, 8) || le(((extract(epoch FROM at) - 946684800) * 1000000)::bigint, 8) || le(entries, 4), '' ORDER BY id)
		FROM dmp_internal.audit_chunk a WHERE id BETWEEN b.first_chunk AND b.last_chunk) AS directory,
	b.directory_hash = sha256(c.directory) AS directory_hash,
	b.previous = (SELECT p.hash FROM dmp_internal.audit_block p WHERE p.block = b.block - 1) OR b.block = 1 AS chained,
	b.history = root((SELECT array_agg(sha256('\x00' || p.hash) ORDER BY p.block) FROM dmp_internal.audit_block p WHERE p.block < b.block)) AS history
FROM dmp_internal.audit_block b JOIN dmp_internal.audit_commitment c USING (block)
WHERE b.block > :before
ORDER BY b.block;
-- the header's hash
SELECT bool_and(hash = sha256('\x02' || convert_to('dmpblock', 'UTF8') || le(1, 4) || le(cluster, 4) || le(block, 8) || le(total, 8) || le(entries, 4) || le(chunks, 4)
	|| le(first_chunk, 8) || le(last_chunk, 8) || le(((extract(epoch FROM first_at) - 946684800) * 1000000)::bigint, 8)
	|| le(((extract(epoch FROM last_at) - 946684800) * 1000000)::bigint, 8) || le(((extract(epoch FROM sealed_at) - 946684800) * 1000000)::bigint, 8)
	|| le(xact_from::text::bigint, 8) || le(horizon::text::bigint, 8) || previous || history || directory_hash || root))
FROM dmp_internal.audit_block;

-- blocks are bounded
SET dmp.audit_block_entries = 1000;
SELECT count(make_chunk(300, 'bounded' || i)) FROM generate_series(1, 10) i;
SELECT entries FROM seal() ORDER BY block;
RESET dmp.audit_block_entries;

-- refused in a transaction whose snapshot may be old, and when reading only
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT * FROM dmp.seal_audit();
ROLLBACK;
BEGIN READ ONLY;
SELECT * FROM dmp.seal_audit();
ROLLBACK;

-- erasure: sealed entries and others, in any order, once
SELECT make_chunk(2, 'fresh') AS fresh \gset
SELECT dmp_internal.erase_entries(ARRAY[:third * 1000 + 999, :first * 1000 + 1, NULL, :first * 1000 + 1, -1, 0, :fresh * 1000, :second * 1000 + 1, 9223372036854775807]);
SELECT dmp_internal.erase_entries(ARRAY[:first * 1000 + 1]);
SELECT dmp_internal.erase_entries('{}');
SELECT dmp_internal.erase_entries(NULL);
-- one image was replaced by the hash of salt and payload, the others are as they were
SELECT body = substr(body(3, 'first'), 1, 5 + 16 + octet_length(payload('first', 1)))
	|| '\x01' || le(32, 4) || sha256(decode(md5('first2'), 'hex') || payload('first', 2))
	|| substr(body(3, 'first'), 1 + 2 * (5 + 16 + octet_length(payload('first', 1)))) AS body
FROM dmp_internal.audit_chunk WHERE id = :first;
SELECT position(payload('third', 1000) IN body) AS gone, position(payload('third', 999) IN body) > 0 AS kept FROM dmp_internal.audit_chunk WHERE id = :third;
SELECT entries FROM seal();

-- verified: nothing but what was erased
SELECT status, count(*) FROM dmp.verify_audit() GROUP BY status HAVING status NOT IN ('unsealed', 'redacted') ORDER BY status;
SELECT entry - CASE WHEN entry < :first * 1000 + 1000 THEN :first WHEN entry < :third * 1000 + 1000 THEN :third ELSE :fresh END * 1000 AS place, detail
FROM dmp.verify_audit() WHERE status = 'redacted' AND entry >= :first * 1000 ORDER BY entry;
SELECT dmp.audit_digest() - 'sealed_at' = (SELECT jsonb_build_object('version', 1, 'block', block, 'entries', total, 'hash', encode(hash, 'hex'))
	FROM dmp_internal.audit_block ORDER BY block DESC LIMIT 1) AS digest;
SELECT status FROM dmp.verify_audit(dmp.audit_digest()) WHERE status NOT IN ('unsealed', 'redacted');
-- digests of other blocks, more than one, in any order
SELECT status FROM dmp.verify_audit((SELECT jsonb_agg(jsonb_build_object('block', block, 'hash', encode(hash, 'hex'))) FROM dmp_internal.audit_block))
WHERE status NOT IN ('unsealed', 'redacted');
SELECT block - :before AS block, entry, status, regexp_replace(detail, '[0-9a-f]{64}$', '...') AS detail
FROM dmp.verify_audit(jsonb_build_array(dmp.audit_digest(), jsonb_build_object('block', :before + 2, 'hash', repeat('0', 64))))
WHERE status NOT IN ('unsealed', 'redacted');
SELECT status, regexp_replace(detail, '[0-9]+', 'N', 'g') FROM dmp.verify_audit(jsonb_build_object('block', 1000000, 'hash', repeat('0', 64)))
WHERE status NOT IN ('unsealed', 'redacted');
SELECT * FROM dmp.verify_audit('{"block": 1}');
SELECT * FROM dmp.verify_audit('{"block": 1, "hash": "00"}');
SELECT * FROM dmp.verify_audit('{"block": 1.5, "hash": "0000000000000000000000000000000000000000000000000000000000000000"}');
SELECT * FROM dmp.verify_audit('{"version": 2, "block": 1, "hash": "0000000000000000000000000000000000000000000000000000000000000000"}');
SELECT * FROM dmp.verify_audit('["x"]');
SELECT * FROM dmp.verify_audit('{"blok": 1}');
SELECT status FROM dmp.verify_audit('[]') WHERE status NOT IN ('unsealed', 'redacted');

-- a proof, climbed in SQL
CREATE FUNCTION climb(node bytea, path jsonb) RETURNS bytea LANGUAGE plpgsql AS $$
DECLARE
	step jsonb;
	other bytea;
BEGIN
	FOR step IN SELECT value FROM jsonb_array_elements(path) WITH ORDINALITY ORDER BY ordinality LOOP
		other := decode(step ->> 1, 'hex');
		node := sha256('\x01' || CASE step ->> 0 WHEN 'left' THEN other || node ELSE node || other END);
	END LOOP;
	RETURN node;
END $$;
CREATE FUNCTION holds(proof jsonb, digest jsonb) RETURNS boolean LANGUAGE sql AS $$
	WITH p AS (SELECT decode(proof ->> 'meta', 'hex') AS meta, decode(proof ->> 'header', 'hex') AS header, decode(proof ->> 'last', 'hex') AS last,
		coalesce(decode(proof ->> 'commitment', 'hex'), sha256(decode(proof ->> 'content', 'hex'))) AS inner_hash)
	SELECT substr(meta, 1, 8) = le((proof ->> 'entry')::bigint / 1000, 8)
		AND climb(leaf(meta, (proof ->> 'place')::int, inner_hash), proof -> 'path') = substr(header, 193)
		AND (header = last OR climb(sha256('\x00' || sha256('\x02' || header)), proof -> 'history') = substr(last, 129, 32))
		AND encode(sha256('\x02' || last), 'hex') = digest ->> 'hash'
	FROM p $$;
SELECT count(*), bool_and(holds(dmp.audit_proof(entry), dmp.audit_digest()))
FROM (SELECT id * 1000 + place AS entry FROM dmp_internal.audit_chunk c, generate_series(0, c.entries - 1, 97) place WHERE shape = 900001) e;
-- what was erased is proven by its commitment
SELECT proof ? 'content' AS content, holds(proof, dmp.audit_digest()) FROM dmp.audit_proof(:first * 1000 + 1) AS proof;
-- under an older digest, not under another's
SELECT holds(proof, d), holds(proof, dmp.audit_digest())
FROM (SELECT jsonb_build_object('block', block, 'hash', encode(hash, 'hex')) AS d FROM dmp_internal.audit_block WHERE block = :before + 2) b, dmp.audit_proof(:first * 1000, d) AS proof;
SELECT dmp.audit_proof(NULL);
SELECT dmp.audit_proof(-1);
SELECT dmp.audit_proof(9223372036854775807);
\set VERBOSITY sqlstate
SELECT dmp.audit_proof(:second * 1000 + 1) \gset
SELECT dmp.audit_proof(:first * 1000, '{"block": 0, "hash": "0000000000000000000000000000000000000000000000000000000000000000"}') IS NULL \gset
BEGIN;
SELECT make_chunk(1, 'open') AS open \gset
SELECT dmp.audit_proof(:open * 1000) \gset
ROLLBACK;
-- a digest that is not of this ledger, two digests
SELECT dmp.audit_proof(:first * 1000, jsonb_build_object('block', :before + 1, 'hash', repeat('0', 64)));
SELECT dmp.audit_proof(:first * 1000, jsonb_build_array(dmp.audit_digest(), dmp.audit_digest()));
\set VERBOSITY default

-- not for everybody
CREATE ROLE ledger_nobody;
SET ROLE ledger_nobody;
SELECT * FROM dmp.seal_audit();
SELECT dmp_internal.erase_entries('{1}');
SELECT * FROM dmp.drop_audit('2024-02-01Z');
SELECT count(*) FROM dmp_internal.audit_block;
RESET ROLE;
DROP ROLE ledger_nobody;

-- a month is dropped as a whole, sealed and complete
SELECT make_chunk(1, 'late') AS late \gset
SELECT * FROM dmp.drop_audit('2024-02-01Z');
SELECT entries FROM seal();
BEGIN;
DELETE FROM dmp_internal.audit_chunk WHERE id = :late;
\set VERBOSITY terse
SELECT * FROM dmp.drop_audit('2024-02-01Z');
\set VERBOSITY default
ROLLBACK;
SELECT * FROM dmp.drop_audit('2024-01-31Z');
SELECT * FROM dmp.drop_audit(NULL);
SELECT * FROM dmp.drop_audit('2024-02-01Z');
SELECT status, regexp_replace(detail, 'by .*', 'by ...') FROM dmp.verify_audit() WHERE status IN ('dropped', 'ok', 'missing', 'modified', 'inserted') AND (status <> 'ok' OR detail IS NULL);
-- commitments went with it, headers and the chain did not; the drop is in the log
SELECT count(*) AS headers, count(k.block) AS commitments FROM dmp_internal.audit_block b LEFT JOIN dmp_internal.audit_commitment k USING (block)
WHERE b.block > :before AND b.last_at < '2024-02-01Z';
SELECT operation, new FROM dmp.audit_log WHERE new ? 'dropped';
SELECT * FROM dmp.drop_audit('2024-02-01Z');

SET client_min_messages = warning;
DROP SCHEMA ledger_test CASCADE;
