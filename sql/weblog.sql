-- dmp.parse_weblog: a line of an access log
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS dmp;
RESET client_min_messages;
SET timezone = 'UTC';
\x on

-- common, combined, nginx; IPv6; what is not there
SELECT (dmp.parse_weblog('127.0.0.1 - frank [10/Oct/2000:13:55:36 -0700] "GET /apache_pb.gif HTTP/1.0" 200 2326')).*;
SELECT (dmp.parse_weblog('2001:db8::1 ident - [29/Feb/2024:23:59:60 +0530] "POST /a?b=c HTTP/2.0" 404 - "http://example.com/" "Mozilla/5.0 (X11)" "10.0.0.1" 12' || e'\r\n')).*;
SELECT (dmp.parse_weblog('- - - [01/Jan/1970:00:00:00 +0000] "-" - - "-" ""')).*;
\x off

-- clients: users with spaces, a virtual host before them
SELECT p.remote_host, p.identity, p.remote_user
FROM (VALUES ('10.0.0.1 - John Smith'), ('example.com:80 10.0.0.1 - -'), ('example.com:80 10.0.0.1 - John Smith'), ('2001:db8::1 - John Smith'), ('h i [u')) v(client),
	dmp.parse_weblog(client || ' [10/Oct/2000:13:55:36 -0700] "GET / HTTP/1.0" 200 1') p;

-- requests, as they should be and as they come
SELECT request, p.method, p.path, p.protocol
FROM (VALUES ('GET / HTTP/1.1'), ('GET /a b c HTTP/1.1'), ('OPTIONS * HTTP/1.0'), ('M-SEARCH * HTTP/1.1'), ('GET http://x/ HTTP/1.1'), ('GET /old'), ('/nothing HTTP/1.1'),
	('/nothing'), ('get /'), ('GET'), ('GET  HTTP/1.1'), ('HTTP/1.1'), ('hello world'), (''), (' '), ('\x16\x03\x01'), ('say \"hi\" HTTP/1.1'), ('GET /"raw"x HTTP/1.0'),
	('GET /\xe4\xb8\xad\xe6 \x22\\\n\q\xzz\x0\x00 HTTP/1.0'), ('\')) v(request),
	dmp.parse_weblog('h - - [10/Oct/2000:13:55:36 -0700] "' || request || '" 200 1') p;

-- last fields without their quote
SELECT p.referrer, p.agent
FROM (VALUES (''), (' "http://a/" "open'), (' "http://a/'), (' "http://a/" "open \'), (' "'), (' "a" "b'), (' "a" "say \"x\""'), (' "a" x'), (' "a" "b"c"'), (' "a" "b" c')) v(rest),
	dmp.parse_weblog('h - - [10/Oct/2000:13:55:36 -0700] "GET / HTTP/1.0" 200 1' || rest) p;

-- times are those of the server's own reading
SELECT count(*), count(*) FILTER (WHERE p.requested_at = t) AS equal
FROM generate_series('1896-02-27'::timestamptz, '2104-03-02', '13 days 7 hours 11 minutes 13 seconds') t,
	unnest('{+0000,-0930,+1400}'::text[]) zone,
	dmp.parse_weblog('h - - [' || to_char((t AT TIME ZONE 'UTC') + (left(zone, 1) || substr(zone, 2, 2) || ':' || substr(zone, 4))::interval, 'DD/Mon/YYYY:HH24:MI:SS ') || zone || '] "GET / HTTP/1.0" 200 1') p;

-- no lines of a log
SELECT count(*), count(*) FILTER (WHERE dmp.parse_weblog(line) IS NOT DISTINCT FROM NULL) AS refused
FROM (VALUES (NULL), (''), ('-'), ('hello'), ('[]'), (' [10/Oct/2000:13:55:36 -0700] "GET / HTTP/1.0" 200 1'),
	('h [10/Oct/2000:13:55:36 -0700] "GET / HTTP/1.0" 200 1'),
	('h - [10/Oct/2000:13:55:36 -0700] "GET / HTTP/1.0" 200 1'),
	('h - - [10/Oct/2000:13:55:36 -0700]'), ('h - - [10/Oct/2000:13:55:36 -0700] "'), ('h - - [10/Oct/2000:13:55:36 -0700] "GET /'),
	('h - - [10/Oct/2000:13:55:36 -0700] "GET /"'), ('h - - [10/Oct/2000:13:55:36 -0700] "GET /" 200'), ('h - - [10/Oct/2000:13:55:36 -0700] "GET /" 200 '),
	('h - - [10/Oct/2000:13:55:36 -0700] "GET /" 20 1'), ('h - - [10/Oct/2000:13:55:36 -0700] "GET /" 2000 1'), ('h - - [10/Oct/2000:13:55:36 -0700] "GET /" 200 x'),
	('h - - [10/Oct/2000:13:55:36 -0700] "GET /" 200 1x'), ('h - - [10/Oct/2000:13:55:36 -0700] "GET /" 200 99999999999999999999'), ('h - - [10/Oct/2000:13:55:36 -0700] "GET /" 200 1 x'),
	('h - - [31/Feb/2000:13:55:36 -0700] "GET /" 200 1'), ('h - - [10/Okt/2000:13:55:36 -0700] "GET /" 200 1'), ('h - - [10/Oct/2000:24:00:00 -0700] "GET /" 200 1'),
	('h - - [10/Oct/0000:13:55:36 -0700] "GET /" 200 1'), ('h - - [10/Oct/2000:13:55:36 -9900] "GET /" 200 1'), ('h - - [10/Oct/2000:13:55:36] "GET /" 200 1'),
	(e'h - - [10/Oct/2000:13:55:36 -0700] "GET /" 200 1\nh - - [10/Oct/2000:13:55:36 -0700] "GET /" 200 1')) v(line);

-- every beginning of a line, and every line that lacks one character, gives a row or none
WITH l AS (SELECT '2001:db8::1 - frank [10/Oct/2000:13:55:36 -0700] "GET /\x22\"\xe4\xb8\xad HTTP/1.0" 200 2326 "http://a/" "Mozilla \x"' AS line)
SELECT count(*), count(dmp.parse_weblog(left(line, i))) AS beginnings, count(dmp.parse_weblog(overlay(line PLACING '' FROM i FOR 1))) AS without
FROM l, generate_series(1, length(line)) i;
SELECT dmp.parse_weblog(repeat('a:1 ', 1000000)) IS NULL, length((dmp.parse_weblog('h - - [10/Oct/2000:13:55:36 -0700] "' || repeat('\xff', 300000))).path),
	length((dmp.parse_weblog('h - - [10/Oct/2000:13:55:36 -0700] "' || repeat('\xe4\xb8\xad', 300000) || '" 200 1')).path);
