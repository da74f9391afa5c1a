-- sources of log lines: weblog, syslog, key=value
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS dmp;
RESET client_min_messages;
SET dmp.progress = off;
SET timezone = 'UTC';
SET datestyle = 'ISO';
CREATE SCHEMA regress_formats_logs;
SET search_path = regress_formats_logs, public;

-- ---- weblog: columns by name, and by a mapping
CREATE TABLE hits (remote_host text, requested_at timestamptz, path text, status int, bytes bigint, agent text, extra jsonb);
SELECT lake_table FROM dmp.create_source('formats_hits', 'hits', format => 'weblog');
INSERT INTO lake.formats_hits (line) VALUES
	('127.0.0.1 - frank [10/Oct/2000:13:55:36 -0700] "GET /apache_pb.gif HTTP/1.0" 200 2326'),
	('2001:db8::1 - - [29/Feb/2024:23:59:60 +0530] "POST /a\"b HTTP/2.0" 404 - "http://example.com/" "Mozilla/5.0 (X11)" "10.0.0.1"'),
	('no log line'), (''), ('- - - [31/Feb/2024:00:00:00 +0000] "-" - -');
SELECT rows_read, rows_loaded, rows_quarantined, fields_ignored FROM dmp.ingest('formats_hits');
SELECT * FROM hits ORDER BY 1;
SELECT record, column_name, reason, sqlstate FROM dmp.quarantine WHERE source = 'formats_hits' ORDER BY id;
TRUNCATE hits;
SELECT lake_table FROM dmp.create_source('formats_hits2', 'hits', format => 'weblog', options => '{"unknown": "rest"}',
	mapping => '{"path": "referrer", "agent": "requested_at", "status": "status", "extra": "$rest"}');
INSERT INTO lake.formats_hits2 (line) VALUES ('h i u [10/Oct/2000:13:55:36 -0700] "GET /\x22 HTTP/1.0" 200 2326 "r" "say \"hi\""');
SELECT rows_loaded FROM dmp.ingest('formats_hits2');
SELECT path, status, agent, extra FROM hits;
CREATE TABLE nothing (a text, b text);
SELECT * FROM dmp.create_source('formats_nothing', 'nothing', format => 'weblog');
SELECT * FROM dmp.create_source('formats_nothing', 'nothing', format => 'syslog', mapping => '{"a": "hots"}');
SELECT * FROM dmp.create_source('formats_nothing', 'nothing', format => 'weblog', options => '{"delimiter": " "}');

-- ---- syslog
CREATE TABLE events (priority int, facility text, severity text, logged_at timestamptz, host text, program text, pid int, message_id text, data jsonb, message text);
SELECT lake_table FROM dmp.create_source('formats_syslog', 'events', format => 'syslog', options => '{"time_zone": "Europe/Berlin"}');
INSERT INTO lake.formats_syslog (received_at, line) VALUES
	('2024-01-02', 'Dec 31 23:00:00 h cron[12]: last year'), ('2024-01-02', 'Jan  2 01:00:00 h cron: today'),
	('2024-01-02', 'Jan  3 00:30:00 h sshd(pam_unix)[7]: a clock ahead'), ('2024-01-02', 'Jan  5 00:30:00 h x/y-z.1[abc]: [0.1] pid no number'),
	('2023-03-01', 'Feb 29 12:00:00 h a: in a leap year'), ('2024-01-02', 'Jan 32 00:00:00 h a: no day'),
	('2024-01-02', '<34>Oct 11 22:14:15 mymachine su: ''su root'' failed for lonvick on /dev/pts/8'),
	('2024-01-02', 'Mar 27 2015 13:06:56 h a: with a year'), ('2024-01-02', 'Mar 27 13:06:56.25 2015 h a: behind it'),
	('2024-01-02', 'Mar 27 13:06:56 h last message repeated 2 times'), ('2024-01-02', 'Mar 27 13:06:56 h kernel: [    0.000000] x: y'),
	('2024-01-02', 'Mar 27 13:06:56 h 12:30 is no tag'), ('2024-01-02', 'Mar 27 13:06:56 h'), ('2024-01-02', 'Mar 27 13:06:56 h a:'),
	('2024-01-02', '2024-05-01T10:00:00.123456+02:00 h systemd[1]: Started.'), ('2024-01-02', '2024-05-01 10:00:00 h systemd[1]: zone of the source'),
	('2024-01-02', '<165>1 2003-08-24T05:14:15.000003-07:00 192.0.2.1 myproc 8710 - - %% It''s time'),
	('2024-01-02', '<165>1 2003-10-11T22:14:15.003Z host evnt - ID47 [exampleSDID@32473 iut="3" eventSource="App\"l]\\\]x"][e@1] ' || U&'\FEFF' || 'An application'),
	('2024-01-02', '<0>1 - - - - - -'), ('2024-01-02', '<192>1 - - - - - -'), ('2024-01-02', '<165>1 2003-10-11T22:14:15.003Z h a - - [x y=1] m'),
	('2024-01-02', '<34>Oct 11'), ('2024-01-02', 'free text');
SELECT rows_read, rows_loaded, rows_quarantined, fields_ignored FROM dmp.ingest('formats_syslog');
SELECT * FROM events ORDER BY message COLLATE "C", logged_at;
SELECT record, column_name, reason FROM dmp.quarantine WHERE source = 'formats_syslog' ORDER BY id;
TRUNCATE events;
SELECT lake_table FROM dmp.create_source('formats_year', 'events', format => 'syslog', options => '{"year": 2015}');
INSERT INTO lake.formats_year (line) VALUES ('Mar 27 13:06:56 h a[1]: x'), ('Feb 29 13:06:56 h a[1]: none in 2015');
SELECT rows_loaded FROM dmp.ingest('formats_year');
SELECT logged_at, program, pid FROM events;
SELECT record, column_name, reason FROM dmp.quarantine WHERE source = 'formats_year';
SELECT * FROM dmp.create_source('formats_x', format => 'syslog', options => '{"year": 2015.5}');

-- ---- key=value
CREATE TABLE pairs (at timestamptz, level text, msg text, ms numeric, n int, words text, extra jsonb);
SELECT lake_table FROM dmp.create_source('formats_kv', 'pairs', format => 'kv', missing => '{-}', options => '{"unknown": "rest"}',
	mapping => '{"at": "ts", "level": "level", "msg": "msg", "ms": "took.ms", "n": "n", "words": "$text", "extra": "$rest"}');
INSERT INTO lake.formats_kv (line) VALUES
	('ts=2024-01-01T00:00:00Z level=info msg="he said \"hi\"\nthere \\ \x" took.ms=1.5 n=7'),
	('2024/01/01 start: level=warn   n=1	msg= path=/a?b=c&d extra="x y" flag done'), ('msg="" n=2 n=3 level=-'),
	('no pair'), ('=x'), ('a="open'), ('a="x"y'), ('n=many'), ('level=a"b n=4');
SELECT rows_read, rows_loaded, rows_quarantined FROM dmp.ingest('formats_kv');
SELECT * FROM pairs ORDER BY n;
SELECT record, column_name, reason FROM dmp.quarantine WHERE source = 'formats_kv' ORDER BY id;
TRUNCATE pairs;
SELECT lake_table FROM dmp.create_source('formats_kv2', 'pairs', format => 'kv', options => '{"delimiter": ";", "assign": ":", "quote": "''"}');
INSERT INTO lake.formats_kv2 (line) VALUES ('level : high ; msg:''a; b'' ;n: 5;x: y; ; z');
SELECT rows_loaded, fields_ignored FROM dmp.ingest('formats_kv2');
SELECT level, msg, n FROM pairs;
SELECT * FROM dmp.create_source('formats_x', format => 'kv', options => '{"assign": ""}');
SELECT * FROM dmp.create_source('formats_x', format => 'kv', options => '{"assign": ":", "delimiter": ":"}');

SELECT count(*) FROM dmp.sources s, dmp.drop_source(s.source) WHERE s.source LIKE 'formats\_%';
DROP SCHEMA regress_formats_logs CASCADE;
