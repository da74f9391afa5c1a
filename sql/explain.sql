-- what each column adds to a row's log-odds, and the probability of each class
SET extra_float_digits = 0;
CREATE TABLE lead AS
SELECT i AS id, 1.7e9 + (i * 7919 % 1000) * 1000.0::float8 AS seen, (ARRAY['DE','FR','GB'])[1 + i * 31 % 3] || CASE WHEN i % 251 = 0 THEN i::text ELSE '' END AS land,
	   i * 17 % 5 = 0 AS mobile, CASE WHEN i % 11 = 0 THEN NULL ELSE (i * 13 % 50)::int END AS age, 7 AS same,
	   i * 31337 % 1009 / 1009.0 < 1 / (1 + exp(1.5 - 3 * (i * 7919 % 1000) / 1000.0 + (i * 17 % 5 = 0)::int)) AS buys
FROM generate_series(1, 3000) i;
UPDATE lead SET land = NULL WHERE id % 97 = 0;
SELECT status FROM dmp.train('leads', 'SELECT * FROM lead', 'buys', key => '{id}');
SELECT status FROM dmp.train('leads_net', 'SELECT * FROM lead', 'buys', key => '{id}', lambda => 0.002, alpha => 0.5);

-- the same by hand, from the published coefficients and means taken with avg(): one row a source column
CREATE FUNCTION by_hand(text, lead) RETURNS TABLE (feature text, contribution float8) LANGUAGE sql STABLE AS $$
	WITH c AS (SELECT feature, level, coef FROM dmp.coefficients WHERE model = $1),
	col AS (
		SELECT id, 'seen' AS feature, NULL AS level, seen AS x FROM lead
		UNION ALL SELECT id, 'mobile', NULL, mobile::int FROM lead
		UNION ALL SELECT id, 'age', NULL, coalesce(age, (SELECT avg(age) FROM lead)) FROM lead
		UNION ALL SELECT id, 'age', '(missing)', (age IS NULL)::int FROM lead
		UNION ALL SELECT id, 'same', NULL, 7 FROM lead
		UNION ALL SELECT l.id, 'land', c.level,
			(c.level = CASE WHEN land IS NULL THEN '(missing)' WHEN land IN ('DE', 'FR', 'GB') THEN land ELSE '(other)' END)::int
		FROM lead l, c WHERE c.feature = 'land')
	SELECT col.feature, sum(coalesce(c.coef, 0) * (col.x - m.mean))
	FROM col JOIN (SELECT feature, level, avg(x) AS mean FROM col GROUP BY 1, 2) m
			ON m.feature = col.feature AND m.level IS NOT DISTINCT FROM col.level
		LEFT JOIN c ON c.feature = col.feature AND c.level IS NOT DISTINCT FROM col.level
	WHERE col.id = $2.id GROUP BY 1 $$;
SELECT DISTINCT feature, level FROM dmp.coefficients WHERE model = 'leads' ORDER BY 1, 2;
SELECT m, count(*) AS terms, max(abs(e.contribution - h.contribution)) < 1e-9 AS agree, bool_and(e.odds_factor = exp(e.contribution)) AS odds
FROM (VALUES ('leads'), ('leads_net')) v(m), (SELECT * FROM lead WHERE id IN (1, 5, 11, 97, 251, 502, 1067)) l,
	 LATERAL dmp.explain(m, l) e, LATERAL by_hand(m, l) h
WHERE h.feature = e.feature GROUP BY m ORDER BY m;
-- the average is the mean margin of the training rows, and the rows sum to the margin, whatever top leaves out
SELECT abs(e.contribution - (SELECT avg(dmp.margin('leads', l)) FROM lead l)) < 1e-9 AS mean_margin
FROM dmp.explain('leads', (SELECT l FROM lead l WHERE id = 1)) e WHERE rank = 0;
SELECT top, bool_and(abs(total - margin) <= 1e-13 * greatest(1, abs(margin))) AS exact, max(n) AS rows
FROM (SELECT top, dmp.margin('leads', l) AS margin, (SELECT sum(contribution) FROM dmp.explain('leads', l, top)) AS total,
			 (SELECT count(*) FROM dmp.explain('leads', l, top)) AS n
	  FROM lead l, (VALUES (0), (1), (2), (5), (99), (NULL)) t(top) WHERE id <= 300) x
GROUP BY top ORDER BY top;
-- order and words
SELECT rank, feature, value, contribution::numeric(8, 4), odds_factor::numeric(8, 4) FROM dmp.explain('leads', (SELECT l FROM lead l WHERE id = 55)) ORDER BY rank;
SELECT rank, feature, value, contribution::numeric(8, 4) FROM dmp.explain('leads', (SELECT l FROM lead l WHERE id = 55), top => 2) ORDER BY rank;
SELECT bool_and(a >= b) AS largest_first
FROM (SELECT abs(contribution) AS a, lead(abs(contribution)) OVER (PARTITION BY id ORDER BY rank) AS b
	  FROM lead l, LATERAL dmp.explain('leads', l) WHERE id <= 100 AND rank > 0) x;
-- record, jsonb, text, and the model by value
SELECT count(*) AS rows, count(DISTINCT (rank, feature, contribution)) AS same
FROM (SELECT l, dmp.model_value('leads') AS v FROM lead l WHERE id = 55) x,
	 LATERAL (SELECT * FROM dmp.explain('leads', l) UNION ALL SELECT * FROM dmp.explain('leads', to_jsonb(l))
			  UNION ALL SELECT * FROM dmp.explain('leads', to_json(l)::text) UNION ALL SELECT * FROM dmp.explain(v, l)
			  UNION ALL SELECT * FROM dmp.explain(v, to_jsonb(l)) UNION ALL SELECT * FROM dmp.explain(v, to_json(l)::text)) e;
SELECT feature, value FROM dmp.explain('leads', '{"seen": 1.7e9, "land": null, "mobile": true, "age": 3, "same": 7}') WHERE rank > 0 ORDER BY feature;
-- a column the fit dropped adds nothing; a level never seen; what is missing
SELECT contribution FROM dmp.explain('leads', '{"seen": 1.7e9, "land": "??", "mobile": true, "age": 3, "same": 8}') WHERE feature = 'same';
SELECT feature, value, contribution FROM dmp.explain('leads', '{"seen": 1e999, "land": "DE", "mobile": true, "age": 3, "same": 7}') WHERE rank = 1;
-- nothing, and errors
SELECT count(*) FROM dmp.explain('leads', NULL::jsonb);
SELECT count(*) FROM dmp.explain(NULL::text, '{}'::jsonb);
SELECT * FROM dmp.explain('leads', '{"seen": 1, "land": "DE", "mobile": true, "same": 7}');
SELECT * FROM dmp.explain('leads', '{"seen": 1, "land": "DE", "mobile": true, "age": "old", "same": 7}');
SELECT * FROM dmp.explain('lead', '{}');
SELECT * FROM dmp.explain('leads', '[]');
SELECT * FROM dmp.explain('leads', (SELECT l FROM lead l WHERE id = 55), -1);

-- each class's probability, by record, jsonb, text and value
SELECT bool_and((c ->> 'true')::float8 = dmp.predict('leads', l)) AS positive, bool_and(abs((c ->> 'true')::float8 + (c ->> 'false')::float8 - 1) < 1e-15) AS sum,
	   bool_and(c = dmp.class_probabilities('leads', to_jsonb(l)) AND c = dmp.class_probabilities('leads', to_json(l)::text)
				AND c = dmp.class_probabilities(v, l) AND c = dmp.class_probabilities(v, to_jsonb(l)) AND c = dmp.class_probabilities(v, to_json(l)::text)) AS same
FROM lead l, LATERAL dmp.class_probabilities('leads', l) c, (SELECT dmp.model_value('leads') AS v) m WHERE id <= 200;
SELECT DISTINCT array(SELECT jsonb_object_keys(dmp.class_probabilities('leads', l)) ORDER BY 1) AS classes FROM lead l WHERE id <= 10;
-- digits near 0 are kept
SELECT (c ->> 'true')::float8 AS positive, (c ->> 'false')::float8 < 1e-30 AS tiny, (c ->> 'false')::float8 > 0 AS there
FROM dmp.class_probabilities('leads', format('{"seen": %s, "land": "DE", "mobile": true, "age": 3, "same": 7}', 1.7e9 + 3e7)) c;
SELECT dmp.class_probabilities('leads', NULL::jsonb);
SELECT dmp.class_probabilities('leads', '{}');
-- classes whose names need quotes
SELECT status FROM dmp.train('quoted_classes', $$SELECT seen, CASE WHEN buys THEN 'say "yes"' ELSE E'back\\slash' END AS said FROM lead$$, 'said');
SELECT array(SELECT jsonb_object_keys(dmp.class_probabilities('quoted_classes', '{"seen": 1.7e9}')) ORDER BY 1);

-- in parallel plans: the same
ALTER TABLE lead SET (parallel_workers = 2);
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
EXPLAIN (costs off) SELECT count(*), max(dmp.class_probabilities('leads', l) ->> 'true') FROM lead l;
CREATE TEMP TABLE plan AS SELECT count(*) AS n, sum(contribution * rank) AS s, max(dmp.class_probabilities('leads', l) ->> 'true') AS p
FROM lead l, LATERAL dmp.explain('leads', l);
SET max_parallel_workers_per_gather = 0;
SELECT a.n = b.n AS n, abs(a.s - b.s) < 1e-6 AS s, a.p = b.p AS p
FROM plan a, (SELECT count(*) AS n, sum(contribution * rank) AS s, max(dmp.class_probabilities('leads', l) ->> 'true') AS p
			  FROM lead l, LATERAL dmp.explain('leads', l)) b;
RESET max_parallel_workers_per_gather;
RESET parallel_setup_cost;
RESET parallel_tuple_cost;
RESET min_parallel_table_scan_size;

-- rights: those of the model
CREATE ROLE regress_dmp_explainer;
GRANT SELECT ON lead TO regress_dmp_explainer;
SET ROLE regress_dmp_explainer;
SELECT * FROM dmp.explain('leads', (SELECT l FROM lead l WHERE id = 55));
SELECT dmp.class_probabilities('leads', l) FROM lead l WHERE id = 55;
RESET ROLE;
SELECT dmp.grant_model('leads', 'regress_dmp_explainer');
SET ROLE regress_dmp_explainer;
SELECT count(*) FROM dmp.explain('leads', (SELECT l FROM lead l WHERE id = 55));
RESET ROLE;
SELECT dmp.drop_model('leads');
DROP OWNED BY regress_dmp_explainer;
DROP ROLE regress_dmp_explainer;
DROP FUNCTION by_hand;
DROP TABLE lead;
SELECT dmp.drop_model(m) FROM unnest('{leads_net,quoted_classes}'::text[]) m;
