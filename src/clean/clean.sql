
-- ---------------------------------------------------------------- clean

-- values

CREATE FUNCTION dmp.try_cast(value text, base anyelement) RETURNS anyelement
	LANGUAGE C STABLE PARALLEL SAFE COST 25 AS 'MODULE_PATHNAME', 'dmp_try_cast';
COMMENT ON FUNCTION dmp.try_cast(text, anyelement) IS 'the value as the type of base, NULL when it does not convert
Example: SELECT dmp.try_cast(''12x'', NULL::integer)';

CREATE FUNCTION dmp.clean_text(value text) RETURNS text
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10 AS 'MODULE_PATHNAME', 'dmp_clean_text';
COMMENT ON FUNCTION dmp.clean_text(text) IS 'full-width forms as usual ones, no hidden characters, runs of white space one blank, none at the ends
Example: SELECT dmp.clean_text(''  a   b '')';

CREATE FUNCTION dmp.clean_number(value text, decimal_mark text DEFAULT '.') RETURNS numeric
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20 AS 'MODULE_PATHNAME', 'dmp_clean_number';
COMMENT ON FUNCTION dmp.clean_number(text, text) IS 'the number a text means: thousands marks, currency, percent, (negative), Chinese scales; NULL when it is none
Example: SELECT dmp.clean_number(''$1,234.50''), dmp.clean_number(''1.234,5 EUR'', '','')';

CREATE FUNCTION dmp.clean_email(value text) RETURNS text
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20 AS 'MODULE_PATHNAME', 'dmp_clean_email';
COMMENT ON FUNCTION dmp.clean_email(text) IS 'the e-mail address in a text, lower case; NULL when it is none
Example: SELECT dmp.clean_email(''Ann <Ann@Example.org>'')';

CREATE FUNCTION dmp.fingerprint(value text) RETURNS text
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20 AS 'MODULE_PATHNAME', 'dmp_fingerprint';
COMMENT ON FUNCTION dmp.fingerprint(text) IS 'OpenRefine''s fingerprint key: the words in lower case and ASCII, sorted, each once
Example: SELECT dmp.fingerprint(''Godel, Kurt'') = dmp.fingerprint(''kurt godel'')';

CREATE FUNCTION dmp.ngram_fingerprint(value text, n integer DEFAULT 2) RETURNS text
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20 AS 'MODULE_PATHNAME', 'dmp_ngram_fingerprint';
COMMENT ON FUNCTION dmp.ngram_fingerprint(text, integer) IS 'OpenRefine''s n-gram fingerprint key: the runs of n characters, sorted, each once
Example: SELECT dmp.ngram_fingerprint(''Krzysztof'', 1)';

CREATE FUNCTION dmp.jaro_winkler(a text, b text) RETURNS double precision
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20 AS 'MODULE_PATHNAME', 'dmp_jaro_winkler';
COMMENT ON FUNCTION dmp.jaro_winkler(text, text) IS 'similarity of two texts, 0 to 1, by Jaro and Winkler
Example: SELECT dmp.jaro_winkler(''MARTHA'', ''MARHTA'')';

CREATE FUNCTION dmp.is_luhn(value text) RETURNS boolean
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20 AS 'MODULE_PATHNAME', 'dmp_is_luhn';
COMMENT ON FUNCTION dmp.is_luhn(text) IS 'whether the last of the digits checks the others (card numbers, IMEI)
Example: SELECT dmp.is_luhn(''4539 1488 0343 6467'')';

CREATE FUNCTION dmp.clean_iban(value text) RETURNS text
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20 AS 'MODULE_PATHNAME', 'dmp_clean_iban';
COMMENT ON FUNCTION dmp.clean_iban(text) IS 'the account number without blanks; NULL when country, length or check digits are wrong
Example: SELECT dmp.clean_iban(''gb82 west 1234 5698 7654 32'')';

CREATE FUNCTION dmp.clean_phone(value text, country text DEFAULT 'CN') RETURNS text
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20 AS 'MODULE_PATHNAME', 'dmp_clean_phone';
COMMENT ON FUNCTION dmp.clean_phone(text, text) IS 'the telephone number as E.164, of the country when it names none; NULL when it is none
Example: SELECT dmp.clean_phone(''138 0013 8000''), dmp.clean_phone(''(020) 7946 0958'', ''GB'')';

CREATE FUNCTION dmp.parse_quantity(value text, OUT amount numeric, OUT unit text)
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20 AS 'MODULE_PATHNAME', 'dmp_parse_quantity';
COMMENT ON FUNCTION dmp.parse_quantity(text) IS 'an amount and its unit; both NULL when the text is no quantity
Example: SELECT * FROM dmp.parse_quantity(''12.0 oz'')';

CREATE FUNCTION dmp.row_hash(value record) RETURNS bigint
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10 AS 'MODULE_PATHNAME', 'dmp_row_hash';
COMMENT ON FUNCTION dmp.row_hash(record) IS '64 bits of all columns of a row, in their order
Example: SELECT dmp.row_hash(e) FROM events e';

CREATE FUNCTION dmp.clean_url(value text) RETURNS text
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20 AS 'MODULE_PATHNAME', 'dmp_clean_url';
COMMENT ON FUNCTION dmp.clean_url(text) IS 'the normal form of a web address; NULL when it is none
Example: SELECT dmp.clean_url(''HTTP://Example.org:80/a/../%7Eann'')';

CREATE FUNCTION dmp.parse_person_name(value text, OUT title text, OUT given text, OUT middle text, OUT family text,
	OUT suffix text)
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20 AS 'MODULE_PATHNAME', 'dmp_parse_person_name';
COMMENT ON FUNCTION dmp.parse_person_name(text) IS 'the parts of a person''s name, Chinese and Korean ones too; all NULL when it is none
Example: SELECT * FROM dmp.parse_person_name(''Dr. Ludwig van Beethoven'')';

CREATE FUNCTION dmp.parse_time(value text, formats text[] DEFAULT '{}', zone text DEFAULT 'UTC') RETURNS timestamptz
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20 AS 'MODULE_PATHNAME', 'dmp_parse_time';
COMMENT ON FUNCTION dmp.parse_time(text, text[], text) IS 'a moment from a text: by to_char patterns, or in a form that says by itself which number is what; NULL when it is none
Example: SELECT dmp.parse_time(''06/07/2024 3:30 PM'', ''{MM/DD/YYYY HH12:MI AM}'', ''America/New_York'')';

-- statistics of a column: the median and its relatives are aggregates, the rest are window functions

CREATE FUNCTION dmp_internal.values_add(state dmp_internal.state, value float8) RETURNS dmp_internal.state
	LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'dmp_values_add_row';
COMMENT ON FUNCTION dmp_internal.values_add(dmp_internal.state, float8) IS 'transition function of dmp.median and dmp.mad';
CREATE FUNCTION dmp_internal.values_remove(state dmp_internal.state, value float8) RETURNS dmp_internal.state
	LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'dmp_values_remove_row';
COMMENT ON FUNCTION dmp_internal.values_remove(dmp_internal.state, float8) IS 'its inverse';
CREATE FUNCTION dmp_internal.quantiles_add(state dmp_internal.state, value float8, shares float8[]) RETURNS dmp_internal.state
	LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'dmp_values_add_shares';
COMMENT ON FUNCTION dmp_internal.quantiles_add(dmp_internal.state, float8, float8[]) IS 'transition function of dmp.quantiles';
CREATE FUNCTION dmp_internal.quantiles_remove(state dmp_internal.state, value float8, shares float8[]) RETURNS dmp_internal.state
	LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'dmp_values_remove_row';
COMMENT ON FUNCTION dmp_internal.quantiles_remove(dmp_internal.state, float8, float8[]) IS 'its inverse';
CREATE FUNCTION dmp_internal.values_combine(dmp_internal.state, dmp_internal.state) RETURNS dmp_internal.state
	LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'dmp_values_combine';
COMMENT ON FUNCTION dmp_internal.values_combine(dmp_internal.state, dmp_internal.state) IS 'the values of both';
CREATE FUNCTION dmp_internal.median_final(dmp_internal.state) RETURNS float8
	LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'dmp_median_final';
COMMENT ON FUNCTION dmp_internal.median_final(dmp_internal.state) IS 'final function of dmp.median';
CREATE FUNCTION dmp_internal.mad_final(dmp_internal.state) RETURNS float8
	LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'dmp_mad_final';
COMMENT ON FUNCTION dmp_internal.mad_final(dmp_internal.state) IS 'final function of dmp.mad';
CREATE FUNCTION dmp_internal.quantiles_final(dmp_internal.state) RETURNS float8[]
	LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'dmp_quantiles_final';
COMMENT ON FUNCTION dmp_internal.quantiles_final(dmp_internal.state) IS 'final function of dmp.quantiles';

CREATE AGGREGATE dmp.median(value float8) (
	SFUNC = dmp_internal.values_add, STYPE = dmp_internal.state, SSPACE = 65536,
	FINALFUNC = dmp_internal.median_final, COMBINEFUNC = dmp_internal.values_combine,
	MSFUNC = dmp_internal.values_add, MINVFUNC = dmp_internal.values_remove, MSTYPE = dmp_internal.state,
	MSSPACE = 65536, MFINALFUNC = dmp_internal.median_final, PARALLEL = safe);
COMMENT ON AGGREGATE dmp.median(float8) IS 'the middle value, exactly; of an even number the mean of the two in the middle
Example: SELECT country, dmp.median(price) FROM orders GROUP BY country';

CREATE AGGREGATE dmp.mad(value float8) (
	SFUNC = dmp_internal.values_add, STYPE = dmp_internal.state, SSPACE = 65536,
	FINALFUNC = dmp_internal.mad_final, COMBINEFUNC = dmp_internal.values_combine,
	MSFUNC = dmp_internal.values_add, MINVFUNC = dmp_internal.values_remove, MSTYPE = dmp_internal.state,
	MSSPACE = 65536, MFINALFUNC = dmp_internal.mad_final, PARALLEL = safe);
COMMENT ON AGGREGATE dmp.mad(float8) IS 'median absolute deviation: the median of the distances from the median, exactly; times 1.4826 it estimates a standard deviation
Example: SELECT dmp.median(price), dmp.mad(price) FROM orders';

CREATE AGGREGATE dmp.quantiles(value float8, shares float8[]) (
	SFUNC = dmp_internal.quantiles_add, STYPE = dmp_internal.state, SSPACE = 65536,
	FINALFUNC = dmp_internal.quantiles_final, COMBINEFUNC = dmp_internal.values_combine,
	MSFUNC = dmp_internal.quantiles_add, MINVFUNC = dmp_internal.quantiles_remove, MSTYPE = dmp_internal.state,
	MSSPACE = 65536, MFINALFUNC = dmp_internal.quantiles_final, PARALLEL = safe);
COMMENT ON AGGREGATE dmp.quantiles(float8, float8[]) IS 'the quantiles of some shares, exactly, interpolated as percentile_cont does
Example: SELECT dmp.quantiles(price, ''{0.05, 0.5, 0.95}'') FROM orders';

CREATE FUNCTION dmp.fill_forward(value anyelement) RETURNS anyelement
	LANGUAGE C IMMUTABLE WINDOW PARALLEL SAFE AS 'MODULE_PATHNAME', 'dmp_fill_forward';
COMMENT ON FUNCTION dmp.fill_forward(anyelement) IS 'the value, or the last one before it that is not NULL
Example: SELECT dmp.fill_forward(price) OVER (PARTITION BY product ORDER BY day) FROM prices';

CREATE FUNCTION dmp.z_score(value float8) RETURNS float8
	LANGUAGE C IMMUTABLE WINDOW PARALLEL SAFE AS 'MODULE_PATHNAME', 'dmp_z_score';
COMMENT ON FUNCTION dmp.z_score(float8) IS 'distance from the mean of the partition in standard deviations, divisor n
Example: SELECT dmp.z_score(price) OVER (PARTITION BY category) FROM products';

CREATE FUNCTION dmp.min_max(value float8) RETURNS float8
	LANGUAGE C IMMUTABLE WINDOW PARALLEL SAFE AS 'MODULE_PATHNAME', 'dmp_min_max';
COMMENT ON FUNCTION dmp.min_max(float8) IS 'place between the smallest (0) and the largest (1) value of the partition
Example: SELECT dmp.min_max(price) OVER (PARTITION BY category) FROM products';

CREATE FUNCTION dmp.robust_scale(value float8) RETURNS float8
	LANGUAGE C IMMUTABLE WINDOW PARALLEL SAFE AS 'MODULE_PATHNAME', 'dmp_robust_scale';
COMMENT ON FUNCTION dmp.robust_scale(float8) IS 'distance from the median of the partition in interquartile ranges
Example: SELECT dmp.robust_scale(price) OVER (PARTITION BY category) FROM products';
-- a type of its own: an argument has the name of a column, too
CREATE TYPE dmp_internal.value_cluster AS (cluster bigint, canonical text, variant text, rows bigint, method text,
	confidence double precision);

CREATE FUNCTION dmp.cluster_values(query text, column_name text, method text DEFAULT 'fingerprint',
	threshold double precision DEFAULT NULL, n integer DEFAULT NULL)
	RETURNS SETOF dmp_internal.value_cluster
	LANGUAGE C VOLATILE AS 'MODULE_PATHNAME', 'dmp_cluster_values';
COMMENT ON FUNCTION dmp.cluster_values(text, text, text, double precision, integer) IS 'values of a column that mean the same, by keys (fingerprint, ngram_fingerprint, metaphone, cologne) or nearness (levenshtein, jaro_winkler, words)
Example: SELECT * FROM dmp.cluster_values(''events'', ''city'', ''levenshtein'', threshold => 2)';

CREATE FUNCTION dmp.suggest_recipe(query text, OUT step json, OUT reason text, OUT rows_affected bigint, OUT confidence double precision)
	RETURNS SETOF record
	LANGUAGE C VOLATILE AS 'MODULE_PATHNAME', 'dmp_suggest_recipe';
COMMENT ON FUNCTION dmp.suggest_recipe(text) IS 'steps that the rows of a query call for, in the order in which they should run
Example: SELECT json_agg(step) FROM dmp.suggest_recipe(''events'') WHERE confidence > 0.9';

CREATE FUNCTION dmp_internal.sound_key(value text, method text) RETURNS text
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20 AS 'MODULE_PATHNAME', 'dmp_sound_key';
COMMENT ON FUNCTION dmp_internal.sound_key(text, text) IS 'what words sound like, by metaphone or cologne';

CREATE TYPE dmp_internal.near_value AS (canonical text, confidence double precision);

CREATE FUNCTION dmp_internal.near_cluster(value text, n bigint, method text, threshold double precision) RETURNS dmp_internal.near_value
	LANGUAGE C IMMUTABLE WINDOW PARALLEL SAFE AS 'MODULE_PATHNAME', 'dmp_near_cluster';
COMMENT ON FUNCTION dmp_internal.near_cluster(text, bigint, text, double precision) IS 'the canonical value of the cluster a value is in';

CREATE TYPE dmp_internal.meant_value AS (meant text, confidence double precision);

CREATE FUNCTION dmp_internal.typo_of("column" integer, value text, n bigint) RETURNS dmp_internal.meant_value
	LANGUAGE C IMMUTABLE WINDOW PARALLEL SAFE AS 'MODULE_PATHNAME', 'dmp_typo_of';
COMMENT ON FUNCTION dmp_internal.typo_of(integer, text, bigint) IS 'what a rare value of a column was meant to be';

-- outliers of a table

CREATE TYPE dmp.forest;
CREATE FUNCTION dmp_internal.forest_in(cstring) RETURNS dmp.forest
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'dmp_state_in';
CREATE FUNCTION dmp_internal.forest_out(dmp.forest) RETURNS cstring
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'dmp_state_out';
CREATE FUNCTION dmp_internal.forest_recv(internal) RETURNS dmp.forest
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'dmp_state_recv';
CREATE FUNCTION dmp_internal.forest_send(dmp.forest) RETURNS bytea
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'dmp_state_send';
CREATE TYPE dmp.forest (
	INPUT = dmp_internal.forest_in,
	OUTPUT = dmp_internal.forest_out,
	RECEIVE = dmp_internal.forest_recv,
	SEND = dmp_internal.forest_send,
	INTERNALLENGTH = VARIABLE,
	ALIGNMENT = double,
	STORAGE = external
);
COMMENT ON TYPE dmp.forest IS 'a fitted isolation forest: dmp.isolation_score scores rows by it';

CREATE FUNCTION dmp.isolation_forest(query text, columns text[] DEFAULT NULL, options jsonb DEFAULT '{}') RETURNS dmp.forest
	LANGUAGE C STABLE PARALLEL RESTRICTED COST 1000000 AS 'MODULE_PATHNAME', 'dmp_isolation_forest';
COMMENT ON FUNCTION dmp.isolation_forest(text, text[], jsonb) IS 'fit an isolation forest to the rows of a query; the same rows and seed give the same forest
Example: SELECT *, dmp.isolation_score((SELECT dmp.isolation_forest(''orders'', ''{price,items}'')), o) AS score FROM orders o ORDER BY score DESC LIMIT 20';

CREATE FUNCTION dmp.isolation_score(forest dmp.forest, input record) RETURNS float8
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 500 AS 'MODULE_PATHNAME', 'dmp_isolation_score';
COMMENT ON FUNCTION dmp.isolation_score(dmp.forest, record) IS 'how far out a row is: near 1 an outlier, below 0.5 none
Example: SELECT *, dmp.isolation_score((SELECT dmp.isolation_forest(''orders'', ''{price,items}'')), o) AS score FROM orders o ORDER BY score DESC LIMIT 20';

-- what the SELECT of a recipe is made of; the forms with run and slot count
-- into shared memory and are volatile, so that the planner drops none of them

CREATE FUNCTION dmp_internal.soft_cast(value text, base anyelement, type oid, typmod integer)
	RETURNS anyelement
	LANGUAGE C STABLE PARALLEL SAFE COST 25 AS 'MODULE_PATHNAME', 'dmp_soft_cast';
COMMENT ON FUNCTION dmp_internal.soft_cast(text, anyelement, oid, integer) IS 'dmp.try_cast with a typmod, or to a domain';

CREATE FUNCTION dmp_internal.soft_cast(value text, base anyelement, type oid, typmod integer, run bigint, slot integer)
	RETURNS anyelement
	LANGUAGE C VOLATILE PARALLEL SAFE COST 25 AS 'MODULE_PATHNAME', 'dmp_soft_cast';
COMMENT ON FUNCTION dmp_internal.soft_cast(text, anyelement, oid, integer, bigint, integer) IS 'the same, counting the values that convert';

CREATE FUNCTION dmp_internal.cast_error(value text, type oid, typmod integer) RETURNS text
	LANGUAGE C STABLE PARALLEL SAFE COST 25 AS 'MODULE_PATHNAME', 'dmp_cast_error';
COMMENT ON FUNCTION dmp_internal.cast_error(text, oid, integer) IS 'SQLSTATE and reason why a value does not convert, or NULL';

CREATE FUNCTION dmp_internal.trim_text(value text) RETURNS text
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 5 AS 'MODULE_PATHNAME', 'dmp_trim_text';
COMMENT ON FUNCTION dmp_internal.trim_text(text) IS 'without white space at both ends, that of Unicode included';

CREATE FUNCTION dmp_internal.trim_text(value text, run bigint, slot integer) RETURNS text
	LANGUAGE C VOLATILE STRICT PARALLEL SAFE COST 5 AS 'MODULE_PATHNAME', 'dmp_trim_text';
COMMENT ON FUNCTION dmp_internal.trim_text(text, bigint, integer) IS 'the same, counting the values that change';

CREATE FUNCTION dmp_internal.missing_text(value text, tokens text[]) RETURNS text
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 5 AS 'MODULE_PATHNAME', 'dmp_missing_text';
COMMENT ON FUNCTION dmp_internal.missing_text(text, text[]) IS 'NULL when the value is one of the tokens';

CREATE FUNCTION dmp_internal.missing_text(value text, tokens text[], run bigint, slot integer) RETURNS text
	LANGUAGE C VOLATILE STRICT PARALLEL SAFE COST 5 AS 'MODULE_PATHNAME', 'dmp_missing_text';
COMMENT ON FUNCTION dmp_internal.missing_text(text, text[], bigint, integer) IS 'the same, counting the values that change';

CREATE FUNCTION dmp_internal.plain_integer(value text) RETURNS text
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 5 AS 'MODULE_PATHNAME', 'dmp_plain_integer';
COMMENT ON FUNCTION dmp_internal.plain_integer(text) IS '12.0 and 1e1 as an integer is written';

CREATE FUNCTION dmp_internal.tally(value anyelement, run bigint, slot integer) RETURNS anyelement
	LANGUAGE C VOLATILE PARALLEL SAFE AS 'MODULE_PATHNAME', 'dmp_tally';
COMMENT ON FUNCTION dmp_internal.tally(anyelement, bigint, integer) IS 'the value, counted when it is not NULL';

CREATE FUNCTION dmp_internal.tick(run bigint, slot integer) RETURNS boolean
	LANGUAGE C VOLATILE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'dmp_tick';
COMMENT ON FUNCTION dmp_internal.tick(bigint, integer) IS 'counts one; false';

CREATE FUNCTION dmp_internal.reject(run bigint, slot integer, source tid, reason text) RETURNS boolean
	LANGUAGE C VOLATILE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'dmp_reject';
COMMENT ON FUNCTION dmp_internal.reject(bigint, integer, tid, text) IS 'counts one and notes the row and the reason; false';

CREATE FUNCTION dmp_internal.fail(value text, run bigint, changed integer, failed integer) RETURNS boolean
	LANGUAGE C VOLATILE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'dmp_fail';
COMMENT ON FUNCTION dmp_internal.fail(text, bigint, integer, integer) IS 'counts a cell that becomes missing and notes the value; false';

CREATE FUNCTION dmp_internal.clean_value(value text, kind text, argument text, keep boolean) RETURNS text
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20 AS 'MODULE_PATHNAME', 'dmp_clean_value';
COMMENT ON FUNCTION dmp_internal.clean_value(text, text, text, boolean) IS 'what dmp.clean_text, clean_email, clean_phone or clean_url gives; keep: the value itself instead of NULL';

CREATE FUNCTION dmp_internal.clean_value(value text, kind text, argument text, keep boolean, run bigint,
	changed integer, failed integer) RETURNS text
	LANGUAGE C VOLATILE STRICT PARALLEL SAFE COST 20 AS 'MODULE_PATHNAME', 'dmp_clean_value';
COMMENT ON FUNCTION dmp_internal.clean_value(text, text, text, boolean, bigint, integer, integer) IS 'the same, counting the values that change and those that are none';

CREATE FUNCTION dmp_internal.clean_number(value text, decimal_mark text, run bigint, changed integer,
	failed integer) RETURNS numeric
	LANGUAGE C VOLATILE STRICT PARALLEL SAFE COST 20 AS 'MODULE_PATHNAME', 'dmp_counted_number';
COMMENT ON FUNCTION dmp_internal.clean_number(text, text, bigint, integer, integer) IS 'dmp.clean_number, counting';

CREATE FUNCTION dmp_internal.parse_time(value text, formats text[], zone text, run bigint, changed integer,
	failed integer) RETURNS timestamptz
	LANGUAGE C VOLATILE STRICT PARALLEL SAFE COST 20 AS 'MODULE_PATHNAME', 'dmp_counted_time';
COMMENT ON FUNCTION dmp_internal.parse_time(text, text[], text, bigint, integer, integer) IS 'dmp.parse_time, counting';

CREATE FUNCTION dmp_internal.map_value(value anyelement, keys anyarray, targets anyarray, missing boolean)
	RETURNS anyelement
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 5 AS 'MODULE_PATHNAME', 'dmp_map_value';
COMMENT ON FUNCTION dmp_internal.map_value(anyelement, anyarray, anyarray, boolean) IS 'the target beside the key that the value is; without one the value, or NULL';

CREATE FUNCTION dmp_internal.map_value(value anyelement, keys anyarray, targets anyarray, missing boolean,
	run bigint, changed integer, failed integer) RETURNS anyelement
	LANGUAGE C VOLATILE STRICT PARALLEL SAFE COST 5 AS 'MODULE_PATHNAME', 'dmp_map_value';
COMMENT ON FUNCTION dmp_internal.map_value(anyelement, anyarray, anyarray, boolean, bigint, integer, integer) IS 'the same, counting the values that change and those without a key';

CREATE FUNCTION dmp_internal.knn(k integer, point float8[], x float8[], n bigint[], points float8[], spreads float8[])
	RETURNS float8
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10000 AS 'MODULE_PATHNAME', 'dmp_knn';
COMMENT ON FUNCTION dmp_internal.knn(integer, float8[], float8[], bigint[], float8[], float8[]) IS 'the mean of x of the k points nearest to the point; the i-th stands for n[i] rows';

CREATE FUNCTION dmp_internal.map_has(value anyelement, keys anyarray) RETURNS boolean
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 5 AS 'MODULE_PATHNAME', 'dmp_map_has';
COMMENT ON FUNCTION dmp_internal.map_has(anyelement, anyarray) IS 'whether the value is one of the keys';

CREATE TYPE dmp_internal.reliability AS (weight double precision, circle integer);

CREATE FUNCTION dmp_internal.source_weight(source text, item bigint, vote bigint) RETURNS dmp_internal.reliability
	LANGUAGE C IMMUTABLE WINDOW PARALLEL SAFE AS 'MODULE_PATHNAME', 'dmp_source_weight';
COMMENT ON FUNCTION dmp_internal.source_weight(text, bigint, bigint) IS 'how reliable the source of each vote is, and whom it copies';

-- recipes by name; each change is a version

CREATE TABLE dmp_internal.recipe (
	name text NOT NULL,
	version int NOT NULL,
	owner dmp_internal.owner NOT NULL,
	recipe json NOT NULL,
	created_at timestamptz NOT NULL DEFAULT statement_timestamp(),
	created_by dmp_internal.owner NOT NULL,
	PRIMARY KEY (name, version)
);
COMMENT ON TABLE dmp_internal.recipe IS 'versions of recipes; read dmp.recipes';
ALTER TABLE dmp_internal.recipe ENABLE ROW LEVEL SECURITY;
CREATE POLICY reader ON dmp_internal.recipe FOR SELECT USING (dmp_internal.owns(owner));
GRANT SELECT ON dmp_internal.recipe TO PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('dmp_internal.recipe', '');

CREATE VIEW dmp.recipes WITH (security_invoker = true) AS
SELECT name AS recipe, version, version = max(version) OVER (PARTITION BY name) AS latest, owner,
	json_array_length(recipe) AS steps, recipe AS document, created_at, created_by
FROM dmp_internal.recipe;
COMMENT ON VIEW dmp.recipes IS 'stored recipes, a row a version
Example: SELECT recipe, version, document FROM dmp.recipes WHERE latest';
GRANT SELECT ON dmp.recipes TO PUBLIC;

CREATE FUNCTION dmp.create_recipe(name text, recipe json)
	RETURNS TABLE(recipe text, version int, steps int)
	LANGUAGE C VOLATILE AS 'MODULE_PATHNAME', 'dmp_create_recipe';
COMMENT ON FUNCTION dmp.create_recipe(text, json) IS 'store a recipe by name
Example: SELECT * FROM dmp.create_recipe(''tidy'', ''[{"trim": "*"}, {"missing": ["N/A", ""]}]'')';

CREATE FUNCTION dmp.alter_recipe(name text, recipe json)
	RETURNS TABLE(recipe text, version int, steps int)
	LANGUAGE C VOLATILE AS 'MODULE_PATHNAME', 'dmp_alter_recipe';
COMMENT ON FUNCTION dmp.alter_recipe(text, json) IS 'make a new version of a stored recipe; the old ones stay, as name@1 ...
Example: SELECT * FROM dmp.alter_recipe(''tidy'', ''[{"trim": "*"}, {"missing": ["N/A", "", "-"]}]'')';

CREATE FUNCTION dmp.drop_recipe(name text, OUT recipe text, OUT versions int) RETURNS SETOF record
	LANGUAGE C VOLATILE AS 'MODULE_PATHNAME', 'dmp_drop_recipe';
COMMENT ON FUNCTION dmp.drop_recipe(text) IS 'drop a stored recipe with all versions; its runs stay in dmp.recipe_runs
Example: SELECT * FROM dmp.drop_recipe(''tidy'')';

-- what dmp.clean and dmp.run_recipe did, with all it takes to explain and undo it

CREATE TABLE dmp_internal.recipe_run (
	run bigint PRIMARY KEY,
	recipe text,
	version int,
	document json NOT NULL,
	query text NOT NULL,
	search_path text NOT NULL,
	time_zone text NOT NULL,
	date_style text NOT NULL,
	into_table regclass NOT NULL,
	if_exists text NOT NULL,
	created boolean NOT NULL,
	kept_table regclass,
	cluster int NOT NULL,
	xact xid8 NOT NULL,
	rows_written bigint NOT NULL,
	rows_in bigint NOT NULL,
	rows_out bigint NOT NULL,
	cells_changed bigint NOT NULL,
	rows_quarantined bigint NOT NULL,
	steps json NOT NULL,
	started_at timestamptz NOT NULL,
	finished_at timestamptz NOT NULL DEFAULT clock_timestamp(),
	state text NOT NULL DEFAULT 'done' CHECK (state IN ('done', 'undone')),
	undone_at timestamptz,
	done_by dmp_internal.owner NOT NULL,
	new_rows text[],
	lineage bigint,
	rows_select text,
	stats json,
	snapshots_before json
);
CREATE INDEX recipe_run_into ON dmp_internal.recipe_run (into_table);
COMMENT ON TABLE dmp_internal.recipe_run IS 'runs of recipes; read dmp.recipe_runs';
ALTER TABLE dmp_internal.recipe_run ENABLE ROW LEVEL SECURITY;
CREATE POLICY reader ON dmp_internal.recipe_run FOR SELECT USING (dmp_internal.owns(done_by));
GRANT SELECT ON dmp_internal.recipe_run TO PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('dmp_internal.recipe_run', '');

-- what runs over new rows took: see new_rows.c

CREATE TABLE dmp_internal.recipe_lineage (
	id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	into_table regclass NOT NULL,
	query text NOT NULL,
	new_rows text[] NOT NULL,
	owner dmp_internal.owner NOT NULL,
	last_run bigint NOT NULL,
	closed_by bigint,
	document json,
	stats json,
	snapshots json
);
CREATE UNIQUE INDEX recipe_lineage_open ON dmp_internal.recipe_lineage (into_table, md5(query), new_rows)
	WHERE closed_by IS NULL;
COMMENT ON TABLE dmp_internal.recipe_lineage IS 'runs of one query into one table that take new rows only';
ALTER TABLE dmp_internal.recipe_lineage ENABLE ROW LEVEL SECURITY;
SELECT pg_catalog.pg_extension_config_dump('dmp_internal.recipe_lineage', '');
SELECT pg_catalog.pg_extension_config_dump('dmp_internal.recipe_lineage_id_seq', '');

CREATE TABLE dmp_internal.recipe_taken (
	lineage bigint NOT NULL,
	run bigint NOT NULL,
	step int NOT NULL,
	part int NOT NULL,
	keys bigint[] NOT NULL,
	owner dmp_internal.owner NOT NULL,
	PRIMARY KEY (lineage, step, run, part)
);
COMMENT ON TABLE dmp_internal.recipe_taken IS 'keys of the rows that runs took (step 0), and let through a deduplicate';
ALTER TABLE dmp_internal.recipe_taken ENABLE ROW LEVEL SECURITY;
CREATE POLICY reader ON dmp_internal.recipe_taken FOR SELECT USING (dmp_internal.owns(owner));
GRANT SELECT ON dmp_internal.recipe_taken TO PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('dmp_internal.recipe_taken', '');

CREATE VIEW dmp.recipe_runs WITH (security_invoker = true) AS
SELECT run, recipe, version, query, into_table, if_exists, state, rows_in, rows_out, cells_changed, rows_quarantined,
	started_at, finished_at, done_by, kept_table, undone_at, steps, document, new_rows
FROM dmp_internal.recipe_run;
COMMENT ON VIEW dmp.recipe_runs IS 'runs of recipes, by dmp.run_recipe and dmp.clean (recipe is NULL when it was given as a document)
Example: SELECT run, recipe, version, rows_in, rows_out, state FROM dmp.recipe_runs WHERE into_table = ''clicks''::regclass ORDER BY run';
GRANT SELECT ON dmp.recipe_runs TO PUBLIC;

CREATE FUNCTION dmp.run_recipe(name text, query text, into_table text, if_exists text DEFAULT 'error',
	keep_replaced boolean DEFAULT false, new_rows text[] DEFAULT NULL,
	OUT step integer, OUT action text, OUT column_name text, OUT rows_in bigint, OUT rows_out bigint,
	OUT cells_changed bigint, OUT rows_quarantined bigint, OUT run bigint)
	RETURNS SETOF record
	LANGUAGE C VOLATILE AS 'MODULE_PATHNAME', 'dmp_run_recipe';
COMMENT ON FUNCTION dmp.run_recipe(text, text, text, text, boolean, text[]) IS 'dmp.clean by a stored recipe (name, name@3); keep_replaced keeps what is replaced for dmp.undo_run; new_rows, a key or a column of type xid8, takes only rows that no earlier run took
Example: SELECT * FROM dmp.run_recipe(''tidy'', ''raw_clicks'', ''clicks'', ''append'', new_rows => ''{click_id}'')';

CREATE FUNCTION dmp.undo_run(run bigint, OUT object text, OUT action text, OUT rows bigint)
	RETURNS SETOF record
	LANGUAGE C VOLATILE AS 'MODULE_PATHNAME', 'dmp_undo_run';
COMMENT ON FUNCTION dmp.undo_run(bigint) IS 'put the table back as it was before a run; refused when its rows were changed since
Example: SELECT * FROM dmp.undo_run(7)';

-- what a recipe would do, and what it did

CREATE FUNCTION dmp.preview_recipe(query text, recipe json, samples integer DEFAULT 5,
	OUT step integer, OUT action text, OUT column_name text, OUT before text, OUT after text, OUT reason text,
	OUT rows_alike bigint, OUT rows_total bigint, OUT example json)
	RETURNS SETOF record
	LANGUAGE C STABLE AS 'MODULE_PATHNAME', 'dmp_preview_recipe';
COMMENT ON FUNCTION dmp.preview_recipe(text, json, integer) IS 'what dmp.clean would do, without writing: by step and column the most frequent changes of cells, and the reasons for which rows would be rejected
Example: SELECT * FROM dmp.preview_recipe(''raw_clicks'', ''[{"trim": "*"}, {"cast": {"click_time": "timestamptz"}}]'')';

CREATE FUNCTION dmp.cell_history(run bigint, key jsonb DEFAULT NULL, columns text[] DEFAULT NULL,
	OUT step integer, OUT action text, OUT column_name text, OUT before text, OUT after text, OUT reason text,
	OUT sqlstate text, OUT source_row json)
	RETURNS SETOF record
	LANGUAGE C STABLE AS 'MODULE_PATHNAME', 'dmp_cell_history';
COMMENT ON FUNCTION dmp.cell_history(bigint, jsonb, text[]) IS 'the cells a run changed and the rows it rejected, of rows with that key or of all; columns are those of the source row to show
Example: SELECT * FROM dmp.cell_history(7, ''{"click_id": 12}'')';

-- recipes as documents

CREATE FUNCTION dmp.clean(query text, into_table text, recipe json, if_exists text DEFAULT 'error',
	OUT step integer, OUT action text, OUT column_name text, OUT rows_in bigint, OUT rows_out bigint,
	OUT cells_changed bigint, OUT rows_quarantined bigint)
	RETURNS SETOF record
	LANGUAGE C VOLATILE AS 'MODULE_PATHNAME', 'dmp_clean';
COMMENT ON FUNCTION dmp.clean(text, text, json, text) IS 'clean the rows of a query by a recipe into a table; what is turned away goes to dmp.quarantine
Example: SELECT * FROM dmp.clean(''raw_clicks'', ''clicks'', ''[{"trim": "*"}, {"drop_missing": ["user_id"]}, {"cast": {"click_time": "timestamptz"}}]'')';

CREATE FUNCTION dmp.clean_sql(query text, recipe json) RETURNS text
	LANGUAGE C STABLE AS 'MODULE_PATHNAME', 'dmp_clean_sql';
COMMENT ON FUNCTION dmp.clean_sql(text, json) IS 'the SELECT a recipe compiles to
Example: SELECT dmp.clean_sql(''raw_clicks'', ''[{"trim": "*"}]'')';

CREATE FUNCTION dmp_internal.recipe_steps(OUT action text, OUT argument text, OUT options text[], OUT row_wise boolean,
	OUT does text, OUT example json)
	RETURNS SETOF record
	LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'dmp_recipe_steps';
COMMENT ON FUNCTION dmp_internal.recipe_steps() IS 'the table the recipe parser reads';

CREATE VIEW dmp.recipe_steps WITH (security_invoker = true) AS SELECT * FROM dmp_internal.recipe_steps();
COMMENT ON VIEW dmp.recipe_steps IS 'the steps a recipe may have: a row a form of an action; row_wise: no row''s outcome depends on another row
Example: SELECT example FROM dmp.recipe_steps WHERE action = ''fill''';
GRANT SELECT ON dmp.recipe_steps TO PUBLIC;
