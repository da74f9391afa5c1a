-- dmp.parse_user_agent: what a client says it is
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS dmp;
RESET client_min_messages;

-- each with what it is: rows that differ are listed, so none may be
CREATE TABLE agent_case (agent text, expected text);
INSERT INTO agent_case VALUES
	('Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36', '(Chrome,120.0.0.0,Windows,10,desktop,f)'),
	('Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36 Edg/120.0.2210.91', '(Edge,120.0.2210.91,Windows,10,desktop,f)'),
	('Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/46.0.2486.0 Safari/537.36 Edge/13.10586', '(Edge,13.10586,Windows,10,desktop,f)'),
	('Mozilla/5.0 (Windows NT 6.1; WOW64; rv:27.0) Gecko/20100101 Firefox/27.0', '(Firefox,27.0,Windows,7,desktop,f)'),
	('Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:121.0) Gecko/20100101 Firefox/121.0', '(Firefox,121.0,Linux,,desktop,f)'),
	('Mozilla/5.0 (Android 14; Mobile; rv:121.0) Gecko/121.0 Firefox/121.0', '(Firefox,121.0,Android,14,mobile,f)'),
	('Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.2 Safari/605.1.15', '(Safari,17.2,macOS,10.15.7,desktop,f)'),
	('Mozilla/5.0 (iPhone; CPU iPhone OS 17_2 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.2 Mobile/15E148 Safari/604.1', '(Safari,17.2,iOS,17.2,mobile,f)'),
	('Mozilla/5.0 (iPad; CPU OS 16_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/120.0.6099.119 Mobile/15E148 Safari/604.1', '(Chrome,120.0.6099.119,iOS,16.6,tablet,f)'),
	('Mozilla/5.0 (iPhone; CPU iPhone OS 17_2 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 MicroMessenger/8.0.44(0x18002c2f) NetType/WIFI Language/zh_CN', '(WeChat,8.0.44,iOS,17.2,mobile,f)'),
	('Mozilla/5.0 (Linux; Android 13; SM-S918B) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/23.0 Chrome/115.0.0.0 Mobile Safari/537.36', '("Samsung Internet",23.0,Android,13,mobile,f)'),
	('Mozilla/5.0 (Linux; Android 12; SM-X906C) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/119.0.0.0 Safari/537.36', '(Chrome,119.0.0.0,Android,12,tablet,f)'),
	('Mozilla/5.0 (Linux; U; Android 10; zh-CN; V1838A) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/78.0.3904.108 UCBrowser/13.4.2.1122 Mobile Safari/537.36', '("UC Browser",13.4.2.1122,Android,10,mobile,f)'),
	('Mozilla/5.0 (Linux; U; Android 11; zh-cn) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/89.0.4389.72 MQQBrowser/13.1 Mobile Safari/537.36', '("QQ Browser",13.1,Android,11,mobile,f)'),
	('Mozilla/5.0 (Linux; U; Android 2.3.5; en-us; HTC Vision Build/GRI40) AppleWebKit/533.1 (KHTML, like Gecko) Version/4.0 Mobile Safari/533.1', '("Android Browser",4.0,Android,2.3.5,mobile,f)'),
	('Mozilla/5.0 (Linux; Android 9; CUBOT X19) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/90.0.4430.210 Mobile Safari/537.36', '(Chrome,90.0.4430.210,Android,9,mobile,f)'),
	('Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36', '(Chrome,120.0.0.0,"Chrome OS",,desktop,f)'),
	('Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/119.0.0.0 Safari/537.36 OPR/105.0.0.0', '(Opera,105.0.0.0,Windows,10,desktop,f)'),
	('Opera/9.80 (Windows NT 5.1; U; en) Presto/2.10.289 Version/12.02', '(Opera,12.02,Windows,XP,desktop,f)'),
	('Opera/9.80 (Android; Opera Mini/36.2.2254/119.132; U; id) Presto/2.12.423 Version/12.16', '("Opera Mini",36.2.2254,Android,,mobile,f)'),
	('Mozilla/4.0 (compatible; MSIE 8.0; Windows NT 6.0; Trident/4.0)', '(IE,8.0,Windows,Vista,desktop,f)'),
	('Mozilla/5.0 (Windows NT 6.3; Trident/7.0; rv:11.0) like Gecko', '(IE,11.0,Windows,8.1,desktop,f)'),
	('Mozilla/5.0 (compatible; MSIE 10.0; Windows Phone 8.0; Trident/6.0; IEMobile/10.0; ARM; Touch; NOKIA; Lumia 920)', '(IE,10.0,"Windows Phone",8.0,mobile,f)'),
	('Mozilla/5.0 (SMART-TV; Linux; Tizen 2.4.0) AppleWebkit/538.1 (KHTML, like Gecko) SamsungBrowser/1.1 TV Safari/538.1', '("Samsung Internet",1.1,Tizen,2.4.0,other,f)'),
	('Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)', '(Googlebot,2.1,,,bot,t)'),
	('Mozilla/5.0 (iPhone; CPU iPhone OS 6_0 like Mac OS X) AppleWebKit/536.26 (KHTML, like Gecko) Version/6.0 Mobile/10A5376e Safari/8536.25 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)', '(Googlebot,2.1,iOS,6.0,bot,t)'),
	('Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)', '(bingbot,2.0,,,bot,t)'),
	('Mozilla/5.0 (compatible; Baiduspider/2.0; +http://www.baidu.com/search/spider.html)', '(Baiduspider,2.0,,,bot,t)'),
	('Mozilla/5.0 (compatible; YandexBot/3.0; +http://yandex.com/bots)', '(YandexBot,3.0,,,bot,t)'),
	('Mozilla/5.0 (compatible; Yahoo! Slurp; http://help.yahoo.com/help/us/ysearch/slurp)', '("Yahoo! Slurp",,,,bot,t)'),
	('Mozilla/5.0 (Linux; U; en-us; KFAPWI Build/JDQ39) AppleWebKit/535.19 (KHTML, like Gecko) Silk/3.13 Safari/535.19 Silk-Accelerated=true', '(Silk,3.13,Linux,,tablet,f)'),
	('Feedly/1.0 (+http://www.feedly.com/fetcher.html; like FeedFetcher-Google)', '(Feedly,1.0,,,bot,t)'), ('UniversalFeedParser/4.2-pre-314-svn +http://feedparser.org/', '(UniversalFeedParser,4.2,,,bot,t)'),
	('curl/8.5.0', '(curl,8.5.0,,,bot,t)'), ('Wget/1.21.3', '(Wget,1.21.3,,,bot,t)'), ('python-requests/2.31.0', '(python-requests,2.31.0,,,bot,t)'),
	('Acme-Bot/1.2 (+http://acme.example)', '(Acme-Bot,1.2,,,bot,t)'), ('my crawler', '(crawler,,,,bot,t)'), ('ÜberSpider 3', '(ÜberSpider,3,,,bot,t)'), ('NewBots/1', '(,,,,other,f)'), ('A robotic arm', '(,,,,other,f)'),
	('-', '(,,,,other,f)'), ('', '(,,,,other,f)'), ('Mozilla/5.0', '(,,,,other,f)'), ('中文', '(,,,,other,f)');
SELECT agent, expected, dmp.parse_user_agent(agent) FROM agent_case WHERE dmp.parse_user_agent(agent)::text IS DISTINCT FROM expected ORDER BY agent;
SELECT count(*), count(*) FILTER (WHERE upper(agent) <> agent AND (dmp.parse_user_agent(upper(agent))).device = (dmp.parse_user_agent(agent)).device) AS by_any_case FROM agent_case;
SELECT dmp.parse_user_agent(NULL) IS NULL;

-- any text is taken: beginnings, ends, long ones
SELECT count(*) = count(dmp.parse_user_agent(left(agent, i))) AND count(*) = count(dmp.parse_user_agent(right(agent, i))) AS all_taken FROM agent_case, generate_series(0, length(agent)) i;
SELECT dmp.parse_user_agent(repeat('中', 100000)), (dmp.parse_user_agent(repeat('bota', 100000))).is_bot, length((dmp.parse_user_agent(repeat('é', 100000) || 'bot')).browser);
DROP TABLE agent_case;
