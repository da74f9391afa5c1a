-- pseudonyms and format-preserving tokens
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS dmp;
RESET client_min_messages;
\set VERBOSITY terse
SET bytea_output = hex;

-- HMAC-SHA-256 after RFC 2104, from sha256() alone
CREATE FUNCTION privacy_hmac(key bytea, message bytea) RETURNS bytea LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
	inner_pad bytea := decode(repeat('36', 64), 'hex');
	outer_pad bytea := decode(repeat('5c', 64), 'hex');
BEGIN
	FOR i IN 0 .. octet_length(key) - 1 LOOP
		inner_pad := set_byte(inner_pad, i, get_byte(inner_pad, i) # get_byte(key, i));
		outer_pad := set_byte(outer_pad, i, get_byte(outer_pad, i) # get_byte(key, i));
	END LOOP;
	RETURN sha256(outer_pad || sha256(inner_pad || message));
END $$;
-- test case 2 of RFC 4231, with its short key
SELECT privacy_hmac('Jefe', 'what do ya want for nothing?');
CREATE FUNCTION privacy_pseudonym(key bytea, value text, domain text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
	SELECT left(encode(privacy_hmac(key, set_byte('\x0000000000000000', 0, octet_length(domain))
		|| convert_to(domain, 'UTF8') || convert_to(value, 'UTF8')), 'hex'), 32) $$;

BEGIN;
SELECT action FROM dmp.import_key('pseudonym', sha256('known'));
SELECT action FROM dmp.import_key('token', sha256('known'));
SELECT dmp.pseudonym('ann@example.org', 'email');
SELECT count(*), count(*) FILTER (WHERE dmp.pseudonym(v, d) = privacy_pseudonym(sha256('known'), v, d)) AS equal
FROM (VALUES ('', ''), ('a', ''), ('', 'a'), ('ann', 'name'), ('a\b', 'back\slash'), (repeat('long', 5000), 'x'), ('张三', '姓名')) t(v, d);
-- a domain is not the beginning of a value
SELECT dmp.pseudonym('c', 'ab') <> dmp.pseudonym('bc', 'a') AS apart;
SELECT count(DISTINCT dmp.pseudonym(v, d)) FROM (VALUES ('', 'ab'), ('b', 'a'), ('ab', ''), ('B', 'a')) t(v, d);
SELECT dmp.pseudonym(NULL, 'a') IS NULL AND dmp.pseudonym('a', NULL) IS NULL AS nulls;

-- tokens: known answers of the first version; a change would break stored ones
SELECT dmp.token('4111-1111-1111-1111', 'card') AS card, dmp.token('123456', 'd') AS six,
       dmp.token('ab-CD-12', 'd', 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789') AS letters,
       dmp.token('甲乙丙丁戊己庚辛壬癸', '字', '甲乙丙丁戊己庚辛壬癸') AS chinese;
-- shape, separators, domain, alphabet
SELECT dmp.token('(030) 123-45 67', 'd') ~ '^\(\d{3}\) \d{3}-\d{2} \d{2}$' AS shape,
       replace(dmp.token('030-1234567', 'd'), '-', '') = dmp.token('0301234567', 'd') AS separators_do_not_matter,
       dmp.token('0301234567', 'd') <> dmp.token('0301234567', 'e') AS domain_matters,
       dmp.token('0301234567', 'd') <> dmp.token('0301234567', 'd', '9876543210') AS alphabet_matters,
       dmp.token('', 'd') AS nothing;
-- back again, one to one
SELECT count(*), count(DISTINCT t) AS tokens, count(*) FILTER (WHERE t ~ '^\d{6}$') AS six_digits,
       count(*) FILTER (WHERE dmp.reveal_token(t, 'd') <> v) AS wrong, count(*) FILTER (WHERE t = v) < 5 AS few_stay
FROM (SELECT lpad(i::text, 6, '0') AS v, dmp.token(lpad(i::text, 6, '0'), 'd') AS t FROM generate_series(0, 9999) i) s;
SELECT count(*) FILTER (WHERE dmp.reveal_token(dmp.token(v, 'd', a), 'd', a) <> v) AS wrong
FROM (VALUES ('DE44 5001 0517 5407 3249 31', '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ'), ('甲乙丙丁戊-己庚', '甲乙丙丁戊己庚辛壬癸'),
      (repeat('0123456789', 500), '0123456789'), ('01010101010101010101', '01'), ('0101010101010101010101010', '01')) t(v, a);
-- every digit in every place
SELECT bool_and(chi < 40) AS even FROM (
	SELECT place, sum((n - 400.0) ^ 2 / 400) AS chi FROM (
		SELECT place, substr(t, place, 1) AS digit, count(*) AS n
		FROM (SELECT dmp.token((100000 + i)::text, 'even') AS t FROM generate_series(1, 4000) i) s, generate_series(1, 6) AS place
		GROUP BY 1, 2) c GROUP BY 1) p;

-- in a parallel plan the same; one key serves all workers
CREATE TABLE privacy_values AS SELECT i::text AS v FROM generate_series(1, 5000) i;
SET LOCAL parallel_setup_cost = 0;
SET LOCAL parallel_tuple_cost = 0;
SET LOCAL min_parallel_table_scan_size = 0;
SELECT sum(hashtext(dmp.pseudonym(v, 'd'))) AS p, sum(hashtext(dmp.token('00' || v || '0000', 'd'))) AS t FROM privacy_values \gset parallel_
SET LOCAL max_parallel_workers_per_gather = 0;
SELECT sum(hashtext(dmp.pseudonym(v, 'd'))) = :parallel_p AND sum(hashtext(dmp.token('00' || v || '0000', 'd'))) = :parallel_t AS same FROM privacy_values;
ROLLBACK;

-- refused
SELECT dmp.token('12345', 'd');
SELECT dmp.token('no digits', 'd');
SELECT dmp.token('0101', 'd', '01');
SELECT dmp.token('1234567', 'd', '');
SELECT dmp.token('1234567', 'd', '0');
SELECT dmp.token('1234567', 'd', '01230');
SELECT dmp.token('1234567', 'd', '甲乙甲');
SELECT dmp.token(repeat('1', 100001), 'd');
SELECT dmp.token(NULL, 'd') IS NULL AND dmp.token('1', NULL) IS NULL AND dmp.token('1', 'd', NULL) IS NULL AS nulls;
SELECT dmp.reveal_token('12345', 'd');
DROP FUNCTION privacy_pseudonym, privacy_hmac;
