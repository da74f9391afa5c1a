-- moments from texts
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS dmp;
RESET client_min_messages;
SET TimeZone = 'UTC';
SET DateStyle = 'ISO, MDY';

-- forms that say which number is what; what is not as expected is shown
CREATE TABLE stats_time (value text, expected timestamptz);
INSERT INTO stats_time VALUES
-- ISO 8601, RFC 3339, RFC 9557
('2024-06-01', '2024-06-01Z'), ('2024-06', '2024-06-01Z'), ('20240601', '2024-06-01Z'), ('2024-W22-6', '2024-06-01Z'), ('2024W226', '2024-06-01Z'),
('2024-W22', '2024-05-27Z'), ('2020-W53-7', '2021-01-03Z'), ('2021-W53-1', NULL), ('2024-W00', NULL), ('2024-153', '2024-06-01Z'), ('2024153', '2024-06-01Z'),
('2023-366', NULL), ('2024-366', '2024-12-31Z'), ('-0044-03-15', '0045-03-15 00:00Z BC'), ('+012024-06-01', '12024-06-01Z'),
('2024-06-01Z', '2024-06-01Z'), ('2024-06-01+08:00', '2024-05-31 16:00Z'), ('2024-06-01T12:30:15Z', '2024-06-01 12:30:15Z'),
('2024-06-01t12:30:15.1234567z', '2024-06-01 12:30:15.123457Z'), ('2024-06-01T23:59:59.9999999Z', '2024-06-02Z'), ('2024-06-01 12:30:15,5', '2024-06-01 12:30:15.5Z'),
('2024-06-01T123015+0800', '2024-06-01 04:30:15Z'), ('20240601T123015Z', '2024-06-01 12:30:15Z'), ('20240601 1230', '2024-06-01 12:30Z'),
('2024-06-01T12', '2024-06-01 12:00Z'), ('2024-06-01T12.5', '2024-06-01 12:30Z'), ('2024-06-01T12:30,5', '2024-06-01 12:30:30Z'),
('2024-06-01 24:00', '2024-06-02Z'), ('2024-06-01 24:01', NULL), ('2016-12-31 23:59:60Z', '2017-01-01Z'), ('2024-06-01T12:30:15-05', '2024-06-01 17:30:15Z'),
('2024-06-01T12:30:15' || U&'\2212' || '05:00', '2024-06-01 17:30:15Z'), ('2024-06-01T12:30:15+08:00[Asia/Shanghai]', '2024-06-01 04:30:15Z'),
('2024-06-01T12:30:15+08:00[No/Where]', NULL), ('2024-06-01T12:30:15[Asia/Shanghai]', '2024-06-01 04:30:15Z'), ('2024-06-01T12:30:15+16:00', NULL),
-- zones by name; what may be two zones is none
('2024-06-01 12:30:15 Europe/Berlin', '2024-06-01 10:30:15Z'), ('2024-01-01 12:30:15 europe/berlin', '2024-01-01 11:30:15Z'), ('2024-06-01 12:30 UTC', '2024-06-01 12:30Z'),
('2024-06-01 12:30 UTC+8', '2024-06-01 04:30Z'), ('2024-06-01 12:30 GMT-03:30', '2024-06-01 16:00Z'), ('2024-06-01 12:30 est', '2024-06-01 17:30Z'),
('2024-06-01 12:30 CST', NULL), ('2024-06-01 12:30 IST', NULL), ('2024-06-01 12:30 No/Where', NULL), ('2024-06-01 12:30 ../../x', NULL), ('2024-06-01 12:30 foo5', NULL),
-- year first
('2024-6-1', '2024-06-01Z'), ('2024/6/1', '2024-06-01Z'), ('2024.6.1', '2024-06-01Z'), ('2024/6/1 3:30 PM', '2024-06-01 15:30Z'), ('2024/06/01 下午 3:30:00', '2024-06-01 15:30Z'),
('2024-06-01 12:00 am', '2024-06-01Z'), ('2024-06-01 12:00 p.m.', '2024-06-01 12:00Z'), ('2024-06-01 0:30 PM', NULL), ('2024-06-01 13:30 PM', NULL), ('2024-06-01 3 PM', '2024-06-01 15:00Z'), ('2024-06/01', NULL),
-- day and month as numbers, in either order, are never told apart
('06/07/2024', NULL), ('13/07/2024', NULL), ('07/13/2024', NULL), ('01.06.2024', NULL), ('06-07-2024', NULL), ('6/7/24', NULL), ('24-06-01', NULL),
-- RFC 2822, 850, asctime, date(1), JavaScript
('Sat, 01 Jun 2024 12:30:15 +0800', '2024-06-01 04:30:15Z'), ('Sat, 1 Jun 2024 12:30:15 GMT', '2024-06-01 12:30:15Z'), ('Sat, 01 Jun 2024 12:30:15 -0600 (CST)', '2024-06-01 18:30:15Z'),
('Sat, 01 Jun 2024 12:30:15 CST', '2024-06-01 18:30:15Z'), ('1 Jun 2024 12:30 -0000', '2024-06-01 12:30Z'), ('Sunday, 06-Nov-94 08:49:37 GMT', '1994-11-06 08:49:37Z'),
('Thu, 13 Feb 69 23:32:54 GMT', '1969-02-13 23:32:54Z'), ('Sun Nov  6 08:49:37 1994', '1994-11-06 08:49:37Z'), ('Sat Jun  1 12:00:00 UTC 2024', '2024-06-01 12:00Z'),
('Sat Jun  1 12:00:00 CST 2024', NULL), ('Sat Jun 01 12:00:00 +0800 2024', '2024-06-01 04:00Z'), ('Sat Jun 01 2024 12:00:00 GMT+0800 (China Standard Time)', '2024-06-01 04:00Z'),
-- since 1970
('1717200000', '2024-06-01Z'), ('1717200000.25', '2024-06-01 00:00:00.25Z'), ('1717200000123', '2024-06-01 00:00:00.123Z'), ('1717200000123.5', '2024-06-01 00:00:00.1235Z'),
('1717200000123456', '2024-06-01 00:00:00.123456Z'), ('1717200000123456789', '2024-06-01 00:00:00.123457Z'), ('999999999', '2001-09-09 01:46:39Z'),
('9999999999999999999', NULL), ('-1717200000', NULL), ('1717200000 UTC', NULL), ('17172000001', NULL), ('99999999999999999999', NULL),
-- digits
('20240601123000', '2024-06-01 12:30Z'), ('20240601123000.5', '2024-06-01 12:30:00.5Z'), ('202406011230', '2024-06-01 12:30Z'), ('20240601123000123', '2024-06-01 12:30:00.123Z'),
('20240601123000Z', '2024-06-01 12:30Z'), ('20241301', NULL), ('240601', NULL), ('2024', NULL), ('12', NULL),
-- access logs
('[01/Jun/2024:12:00:00 +0800]', '2024-06-01 04:00Z'), ('01/Jun/2024:12:00:00 +0800', '2024-06-01 04:00Z'),
-- the month by name
('01 Jun 2024', '2024-06-01Z'), ('1 June 2024 3:04 pm', '2024-06-01 15:04Z'), ('Jun 1, 2024', '2024-06-01Z'), ('June 1st, 2024 at 3:30 PM', '2024-06-01 15:30Z'), ('1-JUN-2024', '2024-06-01Z'),
('01Jun2024', '2024-06-01Z'), ('01-Jun-24', NULL), ('01-Jun-94', '1994-06-01Z'), ('2024-Jun-01', '2024-06-01Z'), ('June 2024', '2024-06-01Z'), ('Sept. 3, 2024', '2024-09-03Z'), ('1. June 2024', '2024-06-01Z'),
('Jun 1, 2024, 3:30:00 PM', '2024-06-01 15:30Z'), ('Juny 1 2024', NULL), ('31 Jun 2024', NULL), ('Jun 1', NULL),
-- Chinese, Japanese, Korean; other digits
('2024年6月1日', '2024-06-01Z'), ('2024年6月1日 12时30分15秒', '2024-06-01 12:30:15Z'), ('2024年6月1日12點30分', '2024-06-01 12:30Z'), ('2024年6月1日下午3:30', '2024-06-01 15:30Z'), ('2024年6月1日 上午12:05', '2024-06-01 00:05Z'),
('2024年06月01日 星期六 12:30', '2024-06-01 12:30Z'), ('2024年6月1日(周六)下午3点半', '2024-06-01 15:30Z'), ('二〇二四年六月一日', '2024-06-01Z'), ('二零二四年十二月二十三日 十时', '2024-12-23 10:00Z'),
('2024年6月', '2024-06-01Z'), ('2024年6月1号', '2024-06-01Z'), ('2024年6月1日晚上8点', '2024-06-01 20:00Z'), ('2024年6月1日凌晨1点', '2024-06-01 01:00Z'), ('2024年6月1日中午12点', '2024-06-01 12:00Z'), ('2024年6月1日晚上12点', NULL),
('2024年6月1日上午12点', NULL), ('2024年6月1日 午後0時5分', '2024-06-01 12:05Z'), ('2024년 6월 1일 오후 3시 30분', '2024-06-01 15:30Z'), ('2024年13月1日', NULL), ('6月1日', NULL), ('24年6月1日', NULL), ('2024年', NULL),
('２０２４年６月１日', '2024-06-01Z'), ('２０２４－０６－０１　１２：３０', '2024-06-01 12:30Z'), ('٢٠٢٤-٠٦-٠١', '2024-06-01Z'),
-- no time at all
('2024-02-30', NULL), ('2023-02-29', NULL), ('', NULL), (' ', NULL), ('yesterday', NULL), ('now', NULL), ('infinity', NULL), ('epoch', NULL), ('12:30', NULL), ('abc', NULL), ('2024-06-01 25:00', NULL),
('2024-06-01 12:60', NULL), ('2024-06-01x', NULL), ('2024-06-01 12:30:15 x', NULL), ('2024--06-01', NULL), ('294276-12-31', NULL), ('9999-12-31', '9999-12-31Z'), ('-', NULL), ('+', NULL), ('T', NULL), ('年', NULL), ('[', NULL), (']', NULL), ('[]', NULL),
('()', NULL), ('2024-06-01T', NULL), ('2024-06-01 +08', NULL), ('2024-06-01 12:30 (x', NULL), (repeat('2024-06-01 ', 1000), NULL), (repeat(' ', 300) || '2024-06-01', '2024-06-01Z'), (E'2024-06-01\n', '2024-06-01Z');
SELECT value, dmp.parse_time(value), expected FROM stats_time WHERE dmp.parse_time(value) IS DISTINCT FROM expected;
-- no setting of the session matters
SET TimeZone = 'America/New_York';
SET DateStyle = 'SQL, DMY';
SELECT value FROM stats_time WHERE dmp.parse_time(value) IS DISTINCT FROM expected;
SET TimeZone = 'UTC';
SET DateStyle = 'ISO, MDY';
SELECT dmp.parse_time(NULL), dmp.parse_time('2024-06-01', NULL), dmp.parse_time('2024-06-01', zone => NULL);

-- a zone for what has none: with its summer time, the hours that are not and those that are twice as the server has them
SELECT v, dmp.parse_time(v, zone => 'Europe/Berlin'), dmp.parse_time(v, zone => 'Europe/Berlin') = v::timestamp AT TIME ZONE 'Europe/Berlin' AS same
FROM unnest('{2024-06-01 12:00,2024-12-01 12:00,2024-03-31 02:30,2024-10-27 02:30,1900-01-01 00:00}'::text[]) v;
SELECT dmp.parse_time('2024-06-01', zone => '+08:00'), dmp.parse_time('2024-06-01', zone => '-3'), dmp.parse_time('2024-06-01', zone => 'UTC-3'), dmp.parse_time('2024-06-01', zone => 'PRC');
SELECT dmp.parse_time('2024-06-01', zone => 'Nowhere');
SELECT dmp.parse_time('no time', zone => 'CST');
SELECT dmp.parse_time('2024-06-01', zone => '');

-- patterns, in the order given
SELECT v, f, dmp.parse_time(v, f) FROM (VALUES
('06/07/2024', '{MM/DD/YYYY}'::text[]), ('06/07/2024', '{DD/MM/YYYY}'), ('6/7/2024', '{DD/MM/YYYY}'), ('13/07/2024', '{MM/DD/YYYY,DD/MM/YYYY}'), ('06/07/2024', '{MM/DD/YYYY,DD/MM/YYYY}'),
('20240607', '{YYYYMMDD}'), ('2024607', '{YYYYMMDD}'), ('2024-06-01T12:30:15Z', '{YYYY-MM-DDTHH24:MI:SSZ}'), ('1st June 24', '{DDth Month YY}'), ('3:30 pm 6/7/24', '{HH12:MI AM MM/DD/YY}'),
('12:05 A.M. 6/7/70', '{HH12:MI P.M. MM/DD/YY}'), ('2024 153', '{YYYY DDD}'), ('2024-W22-6', '{"IYYY-\"W\"IW-ID"}'), ('2024年6月1日', '{YYYY年MM月DD日}'), ('２０２４年６月１日', '{YYYY年MM月DD日}'),
('06/07/2024 x', '{MM/DD/YYYY}'), ('12:30:15.123 2024-06-01', '{HH24:MI:SS.MS YYYY-MM-DD}'), ('2024-06-01 12:00 Europe/Paris', '{YYYY-MM-DD HH24:MI TZ}'), ('2024-06-01 12:00+0530', '{YYYY-MM-DD HH24:MITZHTZM}'),
('2024-06-01 12:00-05:30', '{YYYY-MM-DD HH24:MIOF}'), ('0044-03-15 BC', '{YYYY-MM-DD BC}'), ('2460463', '{J}'), ('99/06/2024', '{DD/MM/YYYY}'), ('Saturday 1 June 2024', '{Day DD Month YYYY}'),
('2024-06-01 45015', '{YYYY-MM-DD SSSSS}'), ('2024', '{YYYY}'), ('2024-06', '{YYYY-MM}'), ('24-06', '{YYYY-MM}'), ('2024-06-01 1:2:3', '{YYYY-MM-DD HH24:MI:SS}'), ('2024-06-01 24:00:00', '{YYYY-MM-DD HH24:MI:SS}'),
('2024-06-01 day', '{"YYYY-MM-DD \"day\""}'), ('0000-06-01', '{YYYY-MM-DD}'), ('', '{YYYY}'), ('2024-06-01', '{}')) t(v, f);
-- what cannot be meant is an error, whatever the value is
SELECT dmp.parse_time('x', '{MM/DD}');
SELECT dmp.parse_time('x', '{YYYY-DD}');
SELECT dmp.parse_time('x', '{YYYY-MI-DD}');
SELECT dmp.parse_time('x', '{YYYY-MM-DD HH:MI}');
SELECT dmp.parse_time('x', '{YYYY-MM-DD AM}');
SELECT dmp.parse_time('x', '{YYYY-MM-DD YYYY}');
SELECT dmp.parse_time('x', '{YYYY-MM-DD quarter}');
SELECT dmp.parse_time('x', '{TMMonth YYYY}');
SELECT dmp.parse_time('x', '{YYYY-MM-DD TZM}');
SELECT dmp.parse_time('x', '{YYYY-IW}');
SELECT dmp.parse_time('x', '{"YYYY \"x"}');
SELECT dmp.parse_time('x', '{NULL}');
SELECT dmp.parse_time('x', '{{YYYY},{YYYY}}');
SELECT dmp.parse_time('x', ARRAY[repeat('YYYY', 200)]);

-- what to_char writes is read again
SELECT f, count(*) AS not_the_same
FROM (SELECT timestamptz '1995-02-28 23:59:58.765432Z' + i * interval '1 day 7 hours 11 minutes 13.371 seconds' AS at FROM generate_series(1, 5000) i) t,
     unnest('{YYYY-MM-DD HH24:MI:SS.US,YYYYMMDDHH24MISSUS,DD/MM/YYYY HH12:MI:SS.FF6 am,"Dy, DD Mon YYYY HH24:MI:SS.US TZ",FMDay FMMonth DDth YYYY HH24:MI:SS.US,YYYY.DDD SSSSS.US,"IYYY-IW-ID HH24:MI:SS.US OF",J HH24MISS.US,MM/DD/YY HH:MI:SS.US P.M.}'::text[]) f
WHERE dmp.parse_time(to_char(at, f), ARRAY[f]) IS DISTINCT FROM at
GROUP BY f ORDER BY f;
SELECT f, count(*) AS not_the_same
FROM (SELECT date_trunc('second', timestamptz '1995-02-28 23:59:58Z' + i * interval '1 day 7 hours 11 minutes 13 seconds') AS at FROM generate_series(1, 5000) i) t,
     unnest(ARRAY['YYYY-MM-DD HH24:MI:SS', 'YYYY-MM-DD"T"HH24:MI:SS"Z"', 'YYYYMMDD"T"HH24MISS"+0000"', 'Dy, DD Mon YYYY HH24:MI:SS +0000', 'DD/Mon/YYYY:HH24:MI:SS +0000', 'Dy Mon FMDD HH24:MI:SS YYYY',
	'YYYY年FMMM月FMDD日 HH24时MI分SS秒', 'FMMonth FMDDth, YYYY HH12:MI:SS AM', 'IYYY-"W"IW-ID HH24:MI:SS', 'YYYY/FMMM/FMDD HH24:MI:SS', 'YYYYMMDDHH24MISS']) f
WHERE dmp.parse_time(to_char(at, f)) IS DISTINCT FROM at
GROUP BY f ORDER BY f;
SELECT count(*) FILTER (WHERE dmp.parse_time(extract(epoch FROM at)::bigint::text) = at), count(*) FILTER (WHERE at > '2001-09-10') = count(*) FILTER (WHERE at > '2001-09-10' AND dmp.parse_time((extract(epoch FROM at) * 1000)::bigint::text) = at)
FROM (SELECT timestamptz '1995-02-28 23:59:58Z' + i * interval '1 day 7 hours 11 minutes 13 seconds' AS at FROM generate_series(1, 5000) i) t;

-- any bytes are a value; formats from a column
SELECT count(dmp.parse_time(left(translate(md5(i::text), 'abcdef', '-:/ T年'), i % 33))) < 20000 AS read FROM generate_series(1, 20000) i;
SELECT dmp.parse_time('1/2/2024', ARRAY[f], z) FROM (VALUES ('DD/MM/YYYY', 'UTC'), ('MM/DD/YYYY', 'Asia/Tokyo'), ('DD/MM/YYYY', 'UTC')) t(f, z);
CREATE INDEX ON stats_time (dmp.parse_time(value));
DROP TABLE stats_time;
