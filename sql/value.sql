-- value functions: tables of cases and expected answers; each query finds the cases that differ
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS dmp;
RESET client_min_messages;
SET timezone = 'UTC';

-- dmp.clean_text
SELECT value, dmp.clean_text(value) AS got, expected FROM (VALUES
	('', ''), ('   ', ''), ('plain', 'plain'), (e'  a \t\r\n b  ', 'a b'),
	('ＡＢＣ　１２３', 'ABC 123'), ('（你好）！', '(你好)!'), ('ｶﾞ', 'ガ'), ('￥５', '¥5'),
	(U&'\FEFFx\200By\00ADz', 'xyz'), (U&'a\00A0\3000b', 'a b'), (e'a\u0007b\u007Fc', 'abc'),
	(U&'e\0301', U&'\00E9'), ('m² ½ ™', 'm² ½ ™'), ('你 好', '你 好'),
	(U&'\0645\06CC\200C\062E\0648\0627\0647\0645', U&'\0645\06CC\200C\062E\0648\0627\0647\0645'),
	(U&'\+01F468\200D\+01F469', U&'\+01F468\200D\+01F469'), (U&'a\200Db', 'ab'), (U&'\202Eabc\202C', 'abc')
) t(value, expected) WHERE dmp.clean_text(value) IS DISTINCT FROM expected;
SELECT dmp.clean_text(NULL) IS NULL, length(dmp.clean_text(repeat('é　', 100000))),
	length(dmp.clean_text(repeat(U&'\0316\0301', 20000)));

-- dmp.clean_number
SELECT value, mark, dmp.clean_number(value, mark) AS got, expected FROM (VALUES
	('1', '.', '1'), ('-1.50', '.', '-1.50'), ('+7', '.', '7'), ('.5', '.', '0.5'), ('5.', '.', '5'),
	('1,234', '.', '1234'), ('1,234,567.89', '.', '1234567.89'), ('12,34,567', '.', '1234567'), ('1,00,000.5', '.', '100000.5'),
	('1,23', '.', NULL), ('1234,567', '.', NULL), ('1,2345', '.', NULL), (',123', '.', NULL), ('1,,234', '.', NULL),
	('1,234 567', '.', NULL), ('1.234.567', '.', NULL), ('1,234', ',', '1.234'), ('1.234,5', ',', '1234.5'),
	('1.5', ',', NULL), ('1''234''567.5', '.', '1234567.5'), ('1 234 567', '.', '1234567'), ('1,234,56', '.', NULL),
	('１，２３４．５', '.', '1234.5'), ('￥1,234.50', '.', '1234.50'), ('$ 5', '.', '5'), ('-$5', '.', '-5'), ('$-5', '.', '-5'),
	('-$-5', '.', NULL), ('5 €', '.', '5'), ('EUR 5', '.', '5'), ('5usd', '.', '5'), ('US$5', '.', '5'), ('$5 USD', '.', '5'),
	('Rs. 1,00,000', '.', '100000'), ('3元', '.', '3'), ('人民币3万元', '.', '30000'),
	('(1,234.5)', '.', '-1234.5'), ('($5)', '.', '-5'), ('(-5)', '.', NULL), ('()', '.', NULL), ('5-', '.', '-5'), ('−5', '.', '-5'),
	('12.5%', '.', '0.125'), ('-3 %', '.', '-0.03'), ('5‰', '.', '0.005'), ('$5%', '.', NULL), ('１２％', '.', '0.12'),
	('3.5万', '.', '35000'), ('1.2亿', '.', '120000000'), ('1亿2000万', '.', '120000000'), ('3万5000', '.', '35000'),
	('2万3亿', '.', NULL), ('5百万', '.', '5000000'), ('1万亿', '.', '1000000000000'), ('5兆', '.', NULL), ('万', '.', NULL),
	('1e3', '.', '1000'), ('1.5E-2', '.', '0.015'), ('1e', '.', NULL), ('1e9999999999', '.', NULL), ('e5', '.', NULL),
	('٣٤٥', '.', '345'), ('۱۲', '.', '12'), ('', '.', NULL), (' ', '.', NULL), ('-', '.', NULL), ('.', '.', NULL), ('$', '.', NULL),
	('abc', '.', NULL), ('12abc', '.', NULL), ('NaN', '.', NULL), ('infinity', '.', NULL), ('0x10', '.', NULL), ('1-2', '.', NULL),
	('2024-06-01', '.', NULL), ('1.2.3', '.', NULL), ('--5', '.', NULL), ('007', '.', '7')
) t(value, mark, expected) WHERE dmp.clean_number(value, mark) IS DISTINCT FROM expected::numeric;
-- a number the server writes is the number it reads, scale and all
SELECT count(*) FROM (SELECT (hashint8(i)::numeric / 1000)::numeric(20, 3) AS x FROM generate_series(1, 5000) i) t
WHERE dmp.clean_number(x::text)::text IS DISTINCT FROM x::text OR dmp.clean_number(to_char(x, 'FM999,999,999,990.000')) IS DISTINCT FROM x;
SELECT dmp.clean_number(NULL) IS NULL, dmp.clean_number(repeat('9', 1000)) = repeat('9', 1000)::numeric,
	dmp.clean_number(repeat('9', 1001)) IS NULL, dmp.clean_number(repeat('1,', 100000)) IS NULL;
SELECT dmp.clean_number('1', ';');
