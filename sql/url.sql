-- dmp.parse_url: the parts of an address
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS dmp;
RESET client_min_messages;

SELECT p.scheme, p.host, p.port, p.path, p.query, p.fragment
FROM (VALUES (1, 'HTTP://User:Pass@Example.COM:8080/a%20b+c;d?x=1&y=a+b%26c&x=2&flag&=v&&x=%E4%B8%AD#top%21'), (2, 'https://example.com'), (3, '//cdn.example.com/lib.js?'), (4, '/search?q=%e4%b8%ad%e6&r=100%&s=%zz%00'),
	(5, 'http://[2001:DB8::1]:443/x'), (6, 'http://[fe80::1%25eth0]/'), (7, 'http://bücher.example/ü'), (8, 'http://xn--bcher-kva.example:/'), (9, 'file:///etc/hosts'), (10, '  ftp://h/ '),
	(11, 'http://h?a=b?c=d#e?f#g'), (12, 'http://h#?a'), (13, 'http://a@b@c/'), (14, 'android-app://com.example/'), (15, 'http://h/a%2Fb?a%3Db=c'), (16, 'http://h:0/'), (17, 'http://h:65535')) v(i, url),
	dmp.parse_url(url) p ORDER BY i;

-- utm parameters
SELECT p.utm, p.query FROM (VALUES (1, 'http://h/?utm_source=mail&UTM_Medium=e+mail&a=b&utm_=x'), (2, 'http://h/?utm_source=a&utm_source=b'), (3, 'http://h/?a=b'), (4, 'http://h/')) v(i, url), dmp.parse_url(url) p ORDER BY i;

-- what kind of site
SELECT host, (dmp.parse_url('http://' || host || '/')).referrer_class
FROM unnest('{www.google.com,google.de,www.google.co.uk,mail.google.com,gemini.google.com,docs.google.com,google.evil.example,notgoogle.com,google.com.example.org,www.bing.com,notbing.com,uk.search.yahoo.com,yahoo.com,m.baidu.com,yandex.ru,images.google.fr,uk.pinterest.com,
	t.co,at.co,www.facebook.com,l.facebook.com,m.youtube.com,chatgpt.com,mail.qq.com,google,google.,x.com,fox.com,127.0.0.1,EXAMPLE.com}'::text[]) host;
SELECT (dmp.parse_url('/a')).referrer_class IS NULL AS none;

-- no addresses
SELECT count(*), count(*) FILTER (WHERE dmp.parse_url(url) IS NOT DISTINCT FROM NULL) AS refused
FROM (VALUES (NULL), (''), (' '), ('-'), ('hello'), ('hello world'), ('example.com/a'), ('localhost:80/a'), ('mailto:a@example.com'), ('javascript:void(0)'), ('http:'), ('http:/a'), ('http://'), ('http:///a'), ('//'), ('://h/'), ('1http://h/'),
	('http://:80/'), ('http://h:80a/'), ('http://h:65536/'), ('http://h:99999999999999999999/'), ('http://a b/'), ('http://<a>/'), ('http://[::1/'), ('http://[::1]x/'), ('http://[1]/'), ('http://[::g]/'), ('http://a]/'), ('#a'), ('?a=b'),
	('http://h/' || repeat('a', 1048576))) v(url);

-- long queries; every beginning of an address; the parts against a plain split
SELECT jsonb_array_length((dmp.parse_url('/?' || repeat('a=%e4%b8%ad&', 50000))).query -> 'a');
SELECT count(*), count(dmp.parse_url(left(url, i))) FROM (VALUES ('http://u:p@[2001:db8::1%25a]:8080/%e4%b8%ad?a=%&b=%4&c=%41#%')) v(url), generate_series(0, length(url)) i;
SELECT count(*) AS not_equal
FROM generate_series(1, 2000) i,
	LATERAL (SELECT chr(33 + i % 94) || chr(19968 + i) AS c) c,
	LATERAL (SELECT string_agg('%' || upper(substr(encode(convert_to(c, 'UTF8'), 'hex'), 2 * k - 1, 2)), '' ORDER BY k) AS escaped FROM generate_series(1, octet_length(c)) k) e,
	dmp.parse_url('http://h/' || escaped || '?' || escaped || '=' || escaped || '#' || escaped) p
WHERE p.path <> '/' || c OR p.query <> jsonb_build_object(c, c) OR p.fragment <> c OR p.host <> 'h' OR p.path IS NULL OR p.query IS NULL OR p.fragment IS NULL;
