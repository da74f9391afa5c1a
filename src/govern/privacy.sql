
-- --------------------------------------------------------------- govern: privacy

-- how identifiable the rows of a table are

CREATE FUNCTION dmp.k_anonymity(query text, quasi_identifiers text[], sensitive text[] DEFAULT '{}')
	RETURNS TABLE (k bigint, classes bigint, rows_at_risk bigint, sensitive text, l_distinct bigint,
				   l_entropy float8, t float8)
	LANGUAGE C STABLE STRICT AS 'MODULE_PATHNAME', 'dmp_k_anonymity';
COMMENT ON FUNCTION dmp.k_anonymity(text, text[], text[]) IS 'k-anonymity of a table or query by columns somebody may know, rows alone in their class, and for each sensitive column its l-diversity and t-closeness
Example: SELECT * FROM dmp.k_anonymity(''users'', ''{country,clicks}'', ''{buys}'')';
