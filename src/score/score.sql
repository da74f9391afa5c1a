
-- --------------------------------------------------------------- score

-- what the planner puts in the place of a call by name over a table's row

CREATE FUNCTION dmp_internal.predict_support(internal) RETURNS internal
	LANGUAGE C IMMUTABLE STRICT AS 'MODULE_PATHNAME', 'dmp_predict_support';
CREATE FUNCTION dmp_internal.predict_columns(ref text, VARIADIC "any") RETURNS float8
	LANGUAGE C STABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'dmp_predict_columns';
CREATE FUNCTION dmp_internal.margin_columns(ref text, VARIADIC "any") RETURNS float8
	LANGUAGE C STABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'dmp_margin_columns';
CREATE FUNCTION dmp_internal.classify_columns(ref text, VARIADIC "any") RETURNS text
	LANGUAGE C STABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'dmp_classify_columns';

-- a row at a time; a model is a reference or a value, a row is a record, jsonb, or json in text
CREATE FUNCTION dmp.predict(model text, input record) RETURNS float8
	LANGUAGE C STABLE STRICT PARALLEL SAFE SUPPORT dmp_internal.predict_support AS 'MODULE_PATHNAME', 'dmp_predict';
COMMENT ON FUNCTION dmp.predict(text, record) IS 'probability of the positive class of a row, columns matched by name; ''name'' is the champion, ''name@3'' a version
Example: SELECT user_id, dmp.predict(''buyers'', t) FROM users t';
CREATE FUNCTION dmp.predict(model text, input jsonb) RETURNS float8
	LANGUAGE C STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'dmp_predict';
COMMENT ON FUNCTION dmp.predict(text, jsonb) IS 'probability of the positive class of a row, columns matched by name; ''name'' is the champion, ''name@3'' a version
Example: SELECT user_id, dmp.predict(''buyers'', t) FROM users t';
CREATE FUNCTION dmp.predict(model text, input text) RETURNS float8
	LANGUAGE C STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'dmp_predict';
COMMENT ON FUNCTION dmp.predict(text, text) IS 'probability of the positive class of a row, columns matched by name; ''name'' is the champion, ''name@3'' a version
Example: SELECT user_id, dmp.predict(''buyers'', t) FROM users t';
CREATE FUNCTION dmp.predict(model dmp.model_value, input record) RETURNS float8
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'dmp_predict';
COMMENT ON FUNCTION dmp.predict(dmp.model_value, record) IS 'probability of the positive class of a row, columns matched by name; ''name'' is the champion, ''name@3'' a version
Example: SELECT user_id, dmp.predict(''buyers'', t) FROM users t';
CREATE FUNCTION dmp.predict(model dmp.model_value, input jsonb) RETURNS float8
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'dmp_predict';
COMMENT ON FUNCTION dmp.predict(dmp.model_value, jsonb) IS 'probability of the positive class of a row, columns matched by name; ''name'' is the champion, ''name@3'' a version
Example: SELECT user_id, dmp.predict(''buyers'', t) FROM users t';
CREATE FUNCTION dmp.predict(model dmp.model_value, input text) RETURNS float8
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'dmp_predict';
COMMENT ON FUNCTION dmp.predict(dmp.model_value, text) IS 'probability of the positive class of a row, columns matched by name; ''name'' is the champion, ''name@3'' a version
Example: SELECT user_id, dmp.predict(''buyers'', t) FROM users t';

CREATE FUNCTION dmp.margin(model text, input record) RETURNS float8
	LANGUAGE C STABLE STRICT PARALLEL SAFE SUPPORT dmp_internal.predict_support AS 'MODULE_PATHNAME', 'dmp_margin';
COMMENT ON FUNCTION dmp.margin(text, record) IS 'log-odds of the positive class of a row: what to rank by, since probabilities near 1 tie
Example: SELECT dmp.roc_auc(dmp.margin(''buyers'', t), t.buys) FROM users t';
CREATE FUNCTION dmp.margin(model text, input jsonb) RETURNS float8
	LANGUAGE C STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'dmp_margin';
COMMENT ON FUNCTION dmp.margin(text, jsonb) IS 'log-odds of the positive class of a row: what to rank by, since probabilities near 1 tie
Example: SELECT dmp.roc_auc(dmp.margin(''buyers'', t), t.buys) FROM users t';
CREATE FUNCTION dmp.margin(model text, input text) RETURNS float8
	LANGUAGE C STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'dmp_margin';
COMMENT ON FUNCTION dmp.margin(text, text) IS 'log-odds of the positive class of a row: what to rank by, since probabilities near 1 tie
Example: SELECT dmp.roc_auc(dmp.margin(''buyers'', t), t.buys) FROM users t';
CREATE FUNCTION dmp.margin(model dmp.model_value, input record) RETURNS float8
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'dmp_margin';
COMMENT ON FUNCTION dmp.margin(dmp.model_value, record) IS 'log-odds of the positive class of a row: what to rank by, since probabilities near 1 tie
Example: SELECT dmp.roc_auc(dmp.margin(''buyers'', t), t.buys) FROM users t';
CREATE FUNCTION dmp.margin(model dmp.model_value, input jsonb) RETURNS float8
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'dmp_margin';
COMMENT ON FUNCTION dmp.margin(dmp.model_value, jsonb) IS 'log-odds of the positive class of a row: what to rank by, since probabilities near 1 tie
Example: SELECT dmp.roc_auc(dmp.margin(''buyers'', t), t.buys) FROM users t';
CREATE FUNCTION dmp.margin(model dmp.model_value, input text) RETURNS float8
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'dmp_margin';
COMMENT ON FUNCTION dmp.margin(dmp.model_value, text) IS 'log-odds of the positive class of a row: what to rank by, since probabilities near 1 tie
Example: SELECT dmp.roc_auc(dmp.margin(''buyers'', t), t.buys) FROM users t';

CREATE FUNCTION dmp.classify(model text, input record) RETURNS text
	LANGUAGE C STABLE STRICT PARALLEL SAFE SUPPORT dmp_internal.predict_support AS 'MODULE_PATHNAME', 'dmp_classify';
COMMENT ON FUNCTION dmp.classify(text, record) IS 'class of a row: of two the positive one when its probability reaches the stored threshold, of more the most probable
Example: SELECT dmp.classify(''buyers'', ''{"clicks": 3, "country": "DE"}'')';
CREATE FUNCTION dmp.classify(model text, input jsonb) RETURNS text
	LANGUAGE C STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'dmp_classify';
COMMENT ON FUNCTION dmp.classify(text, jsonb) IS 'class of a row: of two the positive one when its probability reaches the stored threshold, of more the most probable
Example: SELECT dmp.classify(''buyers'', ''{"clicks": 3, "country": "DE"}'')';
CREATE FUNCTION dmp.classify(model text, input text) RETURNS text
	LANGUAGE C STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'dmp_classify';
COMMENT ON FUNCTION dmp.classify(text, text) IS 'class of a row: of two the positive one when its probability reaches the stored threshold, of more the most probable
Example: SELECT dmp.classify(''buyers'', ''{"clicks": 3, "country": "DE"}'')';
CREATE FUNCTION dmp.classify(model dmp.model_value, input record) RETURNS text
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'dmp_classify';
COMMENT ON FUNCTION dmp.classify(dmp.model_value, record) IS 'class of a row: of two the positive one when its probability reaches the stored threshold, of more the most probable
Example: SELECT dmp.classify(''buyers'', ''{"clicks": 3, "country": "DE"}'')';
CREATE FUNCTION dmp.classify(model dmp.model_value, input jsonb) RETURNS text
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'dmp_classify';
COMMENT ON FUNCTION dmp.classify(dmp.model_value, jsonb) IS 'class of a row: of two the positive one when its probability reaches the stored threshold, of more the most probable
Example: SELECT dmp.classify(''buyers'', ''{"clicks": 3, "country": "DE"}'')';
CREATE FUNCTION dmp.classify(model dmp.model_value, input text) RETURNS text
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'dmp_classify';
COMMENT ON FUNCTION dmp.classify(dmp.model_value, text) IS 'class of a row: of two the positive one when its probability reaches the stored threshold, of more the most probable
Example: SELECT dmp.classify(''buyers'', ''{"clicks": 3, "country": "DE"}'')';

-- whose coefficients score a row, of a model that was trained by group

CREATE FUNCTION dmp.segment(model text, input record) RETURNS text
	LANGUAGE C STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'dmp_segment';
COMMENT ON FUNCTION dmp.segment(text, record) IS 'the group whose coefficients score a row, as in dmp.coefficients; pooled when its group is not known or has no fit
Example: SELECT dmp.segment(''buyers'', u) FROM users u';
CREATE FUNCTION dmp.segment(model text, input jsonb) RETURNS text
	LANGUAGE C STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'dmp_segment';
COMMENT ON FUNCTION dmp.segment(text, jsonb) IS 'the group whose coefficients score a row, as in dmp.coefficients; pooled when its group is not known or has no fit
Example: SELECT dmp.segment(''buyers'', u) FROM users u';
CREATE FUNCTION dmp.segment(model text, input text) RETURNS text
	LANGUAGE C STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'dmp_segment';
COMMENT ON FUNCTION dmp.segment(text, text) IS 'the group whose coefficients score a row, as in dmp.coefficients; pooled when its group is not known or has no fit
Example: SELECT dmp.segment(''buyers'', u) FROM users u';
CREATE FUNCTION dmp.segment(model dmp.model_value, input record) RETURNS text
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'dmp_segment';
COMMENT ON FUNCTION dmp.segment(dmp.model_value, record) IS 'the group whose coefficients score a row, as in dmp.coefficients; pooled when its group is not known or has no fit
Example: SELECT dmp.segment(''buyers'', u) FROM users u';
CREATE FUNCTION dmp.segment(model dmp.model_value, input jsonb) RETURNS text
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'dmp_segment';
COMMENT ON FUNCTION dmp.segment(dmp.model_value, jsonb) IS 'the group whose coefficients score a row, as in dmp.coefficients; pooled when its group is not known or has no fit
Example: SELECT dmp.segment(''buyers'', u) FROM users u';
CREATE FUNCTION dmp.segment(model dmp.model_value, input text) RETURNS text
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'dmp_segment';
COMMENT ON FUNCTION dmp.segment(dmp.model_value, text) IS 'the group whose coefficients score a row, as in dmp.coefficients; pooled when its group is not known or has no fit
Example: SELECT dmp.segment(''buyers'', u) FROM users u';

-- why a row scores as it does, and each class's probability

CREATE FUNCTION dmp.explain(model text, input record, top int DEFAULT NULL)
	RETURNS TABLE (rank int, feature text, value text, contribution float8, odds_factor float8)
	LANGUAGE C STABLE PARALLEL SAFE ROWS 10 AS 'MODULE_PATHNAME', 'dmp_explain';
COMMENT ON FUNCTION dmp.explain(text, record, int) IS 'what each column of a row adds to its log-odds, against the average row of training, largest first; ''(average)'' and, past top, ''(other)'' complete the sum
Example: SELECT * FROM dmp.explain(''buyers'', ''{"clicks": 3, "country": "DE"}'')';
CREATE FUNCTION dmp.explain(model text, input jsonb, top int DEFAULT NULL)
	RETURNS TABLE (rank int, feature text, value text, contribution float8, odds_factor float8)
	LANGUAGE C STABLE PARALLEL SAFE ROWS 10 AS 'MODULE_PATHNAME', 'dmp_explain';
COMMENT ON FUNCTION dmp.explain(text, jsonb, int) IS 'what each column of a row adds to its log-odds, against the average row of training, largest first; ''(average)'' and, past top, ''(other)'' complete the sum
Example: SELECT * FROM dmp.explain(''buyers'', ''{"clicks": 3, "country": "DE"}'')';
CREATE FUNCTION dmp.explain(model text, input text, top int DEFAULT NULL)
	RETURNS TABLE (rank int, feature text, value text, contribution float8, odds_factor float8)
	LANGUAGE C STABLE PARALLEL SAFE ROWS 10 AS 'MODULE_PATHNAME', 'dmp_explain';
COMMENT ON FUNCTION dmp.explain(text, text, int) IS 'what each column of a row adds to its log-odds, against the average row of training, largest first; ''(average)'' and, past top, ''(other)'' complete the sum
Example: SELECT * FROM dmp.explain(''buyers'', ''{"clicks": 3, "country": "DE"}'')';
CREATE FUNCTION dmp.explain(model dmp.model_value, input record, top int DEFAULT NULL)
	RETURNS TABLE (rank int, feature text, value text, contribution float8, odds_factor float8)
	LANGUAGE C STABLE PARALLEL SAFE ROWS 10 AS 'MODULE_PATHNAME', 'dmp_explain';
COMMENT ON FUNCTION dmp.explain(dmp.model_value, record, int) IS 'what each column of a row adds to its log-odds, against the average row of training, largest first; ''(average)'' and, past top, ''(other)'' complete the sum
Example: SELECT * FROM dmp.explain(''buyers'', ''{"clicks": 3, "country": "DE"}'')';
CREATE FUNCTION dmp.explain(model dmp.model_value, input jsonb, top int DEFAULT NULL)
	RETURNS TABLE (rank int, feature text, value text, contribution float8, odds_factor float8)
	LANGUAGE C STABLE PARALLEL SAFE ROWS 10 AS 'MODULE_PATHNAME', 'dmp_explain';
COMMENT ON FUNCTION dmp.explain(dmp.model_value, jsonb, int) IS 'what each column of a row adds to its log-odds, against the average row of training, largest first; ''(average)'' and, past top, ''(other)'' complete the sum
Example: SELECT * FROM dmp.explain(''buyers'', ''{"clicks": 3, "country": "DE"}'')';
CREATE FUNCTION dmp.explain(model dmp.model_value, input text, top int DEFAULT NULL)
	RETURNS TABLE (rank int, feature text, value text, contribution float8, odds_factor float8)
	LANGUAGE C STABLE PARALLEL SAFE ROWS 10 AS 'MODULE_PATHNAME', 'dmp_explain';
COMMENT ON FUNCTION dmp.explain(dmp.model_value, text, int) IS 'what each column of a row adds to its log-odds, against the average row of training, largest first; ''(average)'' and, past top, ''(other)'' complete the sum
Example: SELECT * FROM dmp.explain(''buyers'', ''{"clicks": 3, "country": "DE"}'')';
CREATE FUNCTION dmp.class_probabilities(model text, input record) RETURNS jsonb
	LANGUAGE C STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'dmp_class_probabilities';
COMMENT ON FUNCTION dmp.class_probabilities(text, record) IS 'the probability of each class of a row
Example: SELECT dmp.class_probabilities(''buyers'', ''{"clicks": 3, "country": "DE"}'')';
CREATE FUNCTION dmp.class_probabilities(model text, input jsonb) RETURNS jsonb
	LANGUAGE C STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'dmp_class_probabilities';
COMMENT ON FUNCTION dmp.class_probabilities(text, jsonb) IS 'the probability of each class of a row
Example: SELECT dmp.class_probabilities(''buyers'', ''{"clicks": 3, "country": "DE"}'')';
CREATE FUNCTION dmp.class_probabilities(model text, input text) RETURNS jsonb
	LANGUAGE C STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'dmp_class_probabilities';
COMMENT ON FUNCTION dmp.class_probabilities(text, text) IS 'the probability of each class of a row
Example: SELECT dmp.class_probabilities(''buyers'', ''{"clicks": 3, "country": "DE"}'')';
CREATE FUNCTION dmp.class_probabilities(model dmp.model_value, input record) RETURNS jsonb
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'dmp_class_probabilities';
COMMENT ON FUNCTION dmp.class_probabilities(dmp.model_value, record) IS 'the probability of each class of a row
Example: SELECT dmp.class_probabilities(''buyers'', ''{"clicks": 3, "country": "DE"}'')';
CREATE FUNCTION dmp.class_probabilities(model dmp.model_value, input jsonb) RETURNS jsonb
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'dmp_class_probabilities';
COMMENT ON FUNCTION dmp.class_probabilities(dmp.model_value, jsonb) IS 'the probability of each class of a row
Example: SELECT dmp.class_probabilities(''buyers'', ''{"clicks": 3, "country": "DE"}'')';
CREATE FUNCTION dmp.class_probabilities(model dmp.model_value, input text) RETURNS jsonb
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'dmp_class_probabilities';
COMMENT ON FUNCTION dmp.class_probabilities(dmp.model_value, text) IS 'the probability of each class of a row
Example: SELECT dmp.class_probabilities(''buyers'', ''{"clicks": 3, "country": "DE"}'')';

-- the same in sentences, and as points

CREATE FUNCTION dmp.reasons(model text, input record, n int DEFAULT 3, direction text DEFAULT NULL) RETURNS text[]
	LANGUAGE C STABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'dmp_reasons';
COMMENT ON FUNCTION dmp.reasons(text, record, int, text) IS 'the n largest reasons of a row''s score in sentences; direction ''lower'' or ''raise'' tells only these
Example: SELECT dmp.reasons(''buyers'', ''{"clicks": 3, "country": "DE"}'', direction => ''lower'')';
CREATE FUNCTION dmp.reasons(model text, input jsonb, n int DEFAULT 3, direction text DEFAULT NULL) RETURNS text[]
	LANGUAGE C STABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'dmp_reasons';
COMMENT ON FUNCTION dmp.reasons(text, jsonb, int, text) IS 'the n largest reasons of a row''s score in sentences; direction ''lower'' or ''raise'' tells only these
Example: SELECT dmp.reasons(''buyers'', ''{"clicks": 3, "country": "DE"}'', direction => ''lower'')';
CREATE FUNCTION dmp.reasons(model text, input text, n int DEFAULT 3, direction text DEFAULT NULL) RETURNS text[]
	LANGUAGE C STABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'dmp_reasons';
COMMENT ON FUNCTION dmp.reasons(text, text, int, text) IS 'the n largest reasons of a row''s score in sentences; direction ''lower'' or ''raise'' tells only these
Example: SELECT dmp.reasons(''buyers'', ''{"clicks": 3, "country": "DE"}'', direction => ''lower'')';
CREATE FUNCTION dmp.reasons(model dmp.model_value, input record, n int DEFAULT 3, direction text DEFAULT NULL) RETURNS text[]
	LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'dmp_reasons';
COMMENT ON FUNCTION dmp.reasons(dmp.model_value, record, int, text) IS 'the n largest reasons of a row''s score in sentences; direction ''lower'' or ''raise'' tells only these
Example: SELECT dmp.reasons(''buyers'', ''{"clicks": 3, "country": "DE"}'', direction => ''lower'')';
CREATE FUNCTION dmp.reasons(model dmp.model_value, input jsonb, n int DEFAULT 3, direction text DEFAULT NULL) RETURNS text[]
	LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'dmp_reasons';
COMMENT ON FUNCTION dmp.reasons(dmp.model_value, jsonb, int, text) IS 'the n largest reasons of a row''s score in sentences; direction ''lower'' or ''raise'' tells only these
Example: SELECT dmp.reasons(''buyers'', ''{"clicks": 3, "country": "DE"}'', direction => ''lower'')';
CREATE FUNCTION dmp.reasons(model dmp.model_value, input text, n int DEFAULT 3, direction text DEFAULT NULL) RETURNS text[]
	LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'dmp_reasons';
COMMENT ON FUNCTION dmp.reasons(dmp.model_value, text, int, text) IS 'the n largest reasons of a row''s score in sentences; direction ''lower'' or ''raise'' tells only these
Example: SELECT dmp.reasons(''buyers'', ''{"clicks": 3, "country": "DE"}'', direction => ''lower'')';
CREATE FUNCTION dmp.scorecard(model text, points_to_double_odds float8 DEFAULT 20, base_points float8 DEFAULT 600, base_odds float8 DEFAULT 50)
	RETURNS TABLE (feature text, level text, woe float8, coef float8, points int, exact_points float8)
	LANGUAGE C STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'dmp_scorecard';
COMMENT ON FUNCTION dmp.scorecard(text, float8, float8, float8) IS 'points of each level or bin: their sum is base_points at base_odds to one of the positive class, and points_to_double_odds more where the odds are twice as high
Example: SELECT * FROM dmp.scorecard(''buyers'', points_to_double_odds => 20, base_points => 600, base_odds => 50)';
CREATE FUNCTION dmp.scorecard_sql(model text, points_to_double_odds float8 DEFAULT 20, base_points float8 DEFAULT 600, base_odds float8 DEFAULT 50) RETURNS text
	LANGUAGE C STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'dmp_scorecard_sql';
COMMENT ON FUNCTION dmp.scorecard_sql(text, float8, float8, float8) IS 'an SQL expression over the columns: the points of a row, in whole numbers
Example: SELECT format(''SELECT user_id, %s AS points FROM users'', dmp.scorecard_sql(''buyers''))';

-- aggregates: score first, then the label (boolean, or 0 and 1), then a weight if there is one

CREATE FUNCTION dmp_internal.scores_add(dmp_internal.state, score float8, label boolean) RETURNS dmp_internal.state
	LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'dmp_scores_add_boolean';
CREATE FUNCTION dmp_internal.scores_add(dmp_internal.state, score float8, label boolean, weight float8) RETURNS dmp_internal.state
	LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'dmp_scores_add_boolean';
CREATE FUNCTION dmp_internal.scores_add(dmp_internal.state, score float8, label float8) RETURNS dmp_internal.state
	LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'dmp_scores_add';
CREATE FUNCTION dmp_internal.scores_add(dmp_internal.state, score float8, label float8, weight float8) RETURNS dmp_internal.state
	LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'dmp_scores_add';
CREATE FUNCTION dmp_internal.log_loss_add(dmp_internal.state, score float8, label boolean) RETURNS dmp_internal.state
	LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'dmp_log_loss_add_boolean';
CREATE FUNCTION dmp_internal.log_loss_add(dmp_internal.state, score float8, label boolean, weight float8) RETURNS dmp_internal.state
	LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'dmp_log_loss_add_boolean';
CREATE FUNCTION dmp_internal.log_loss_add(dmp_internal.state, score float8, label float8) RETURNS dmp_internal.state
	LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'dmp_log_loss_add';
CREATE FUNCTION dmp_internal.log_loss_add(dmp_internal.state, score float8, label float8, weight float8) RETURNS dmp_internal.state
	LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'dmp_log_loss_add';
CREATE FUNCTION dmp_internal.brier_score_add(dmp_internal.state, score float8, label boolean) RETURNS dmp_internal.state
	LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'dmp_brier_score_add_boolean';
CREATE FUNCTION dmp_internal.brier_score_add(dmp_internal.state, score float8, label boolean, weight float8) RETURNS dmp_internal.state
	LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'dmp_brier_score_add_boolean';
CREATE FUNCTION dmp_internal.brier_score_add(dmp_internal.state, score float8, label float8) RETURNS dmp_internal.state
	LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'dmp_brier_score_add';
CREATE FUNCTION dmp_internal.brier_score_add(dmp_internal.state, score float8, label float8, weight float8) RETURNS dmp_internal.state
	LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'dmp_brier_score_add';
CREATE FUNCTION dmp_internal.confusion_add(dmp_internal.state, score float8, label boolean) RETURNS dmp_internal.state
	LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'dmp_confusion_add_score_boolean';
CREATE FUNCTION dmp_internal.confusion_add(dmp_internal.state, score float8, label boolean, weight float8) RETURNS dmp_internal.state
	LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'dmp_confusion_add_score_boolean';
CREATE FUNCTION dmp_internal.confusion_add(dmp_internal.state, score float8, label float8) RETURNS dmp_internal.state
	LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'dmp_confusion_add_score';
CREATE FUNCTION dmp_internal.confusion_add(dmp_internal.state, score float8, label float8, weight float8) RETURNS dmp_internal.state
	LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'dmp_confusion_add_score';
CREATE FUNCTION dmp_internal.scores_combine(dmp_internal.state, dmp_internal.state) RETURNS dmp_internal.state
	LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'dmp_scores_combine';
CREATE FUNCTION dmp_internal.sums_combine(dmp_internal.state, dmp_internal.state) RETURNS dmp_internal.state
	LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'dmp_sums_combine';
CREATE FUNCTION dmp_internal.roc_auc_final(dmp_internal.state) RETURNS float8
	LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'dmp_roc_auc_final';
CREATE FUNCTION dmp_internal.average_precision_final(dmp_internal.state) RETURNS float8
	LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'dmp_average_precision_final';
CREATE FUNCTION dmp_internal.ks_statistic_final(dmp_internal.state) RETURNS float8
	LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'dmp_ks_statistic_final';
CREATE FUNCTION dmp_internal.loss_final(dmp_internal.state) RETURNS float8
	LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'dmp_loss_final';
CREATE FUNCTION dmp_internal.precision_score_final(dmp_internal.state) RETURNS float8
	LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'dmp_precision_score_final';
CREATE FUNCTION dmp_internal.recall_score_final(dmp_internal.state) RETURNS float8
	LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'dmp_recall_score_final';
CREATE FUNCTION dmp_internal.f1_score_final(dmp_internal.state) RETURNS float8
	LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'dmp_f1_score_final';

CREATE AGGREGATE dmp.roc_auc(score float8, label boolean) (
	SFUNC = dmp_internal.scores_add, STYPE = dmp_internal.state, SSPACE = 65536, FINALFUNC = dmp_internal.roc_auc_final,
	COMBINEFUNC = dmp_internal.scores_combine, PARALLEL = safe);
COMMENT ON AGGREGATE dmp.roc_auc(float8, boolean) IS 'area under the ROC curve: the share of pairs of a positive and a negative that the scores put in order, ties one half
Example: SELECT dmp.roc_auc(score, label) FROM scored';
CREATE AGGREGATE dmp.roc_auc(score float8, label boolean, weight float8) (
	SFUNC = dmp_internal.scores_add, STYPE = dmp_internal.state, SSPACE = 65536, FINALFUNC = dmp_internal.roc_auc_final,
	COMBINEFUNC = dmp_internal.scores_combine, PARALLEL = safe);
COMMENT ON AGGREGATE dmp.roc_auc(float8, boolean, float8) IS 'area under the ROC curve: the share of pairs of a positive and a negative that the scores put in order, ties one half
Example: SELECT dmp.roc_auc(score, label) FROM scored';
CREATE AGGREGATE dmp.roc_auc(score float8, label float8) (
	SFUNC = dmp_internal.scores_add, STYPE = dmp_internal.state, SSPACE = 65536, FINALFUNC = dmp_internal.roc_auc_final,
	COMBINEFUNC = dmp_internal.scores_combine, PARALLEL = safe);
COMMENT ON AGGREGATE dmp.roc_auc(float8, float8) IS 'area under the ROC curve: the share of pairs of a positive and a negative that the scores put in order, ties one half
Example: SELECT dmp.roc_auc(score, label) FROM scored';
CREATE AGGREGATE dmp.roc_auc(score float8, label float8, weight float8) (
	SFUNC = dmp_internal.scores_add, STYPE = dmp_internal.state, SSPACE = 65536, FINALFUNC = dmp_internal.roc_auc_final,
	COMBINEFUNC = dmp_internal.scores_combine, PARALLEL = safe);
COMMENT ON AGGREGATE dmp.roc_auc(float8, float8, float8) IS 'area under the ROC curve: the share of pairs of a positive and a negative that the scores put in order, ties one half
Example: SELECT dmp.roc_auc(score, label) FROM scored';
CREATE AGGREGATE dmp.average_precision(score float8, label boolean) (
	SFUNC = dmp_internal.scores_add, STYPE = dmp_internal.state, SSPACE = 65536, FINALFUNC = dmp_internal.average_precision_final,
	COMBINEFUNC = dmp_internal.scores_combine, PARALLEL = safe);
COMMENT ON AGGREGATE dmp.average_precision(float8, boolean) IS 'area under the precision-recall curve as a step function, without interpolation
Example: SELECT dmp.average_precision(score, label) FROM scored';
CREATE AGGREGATE dmp.average_precision(score float8, label boolean, weight float8) (
	SFUNC = dmp_internal.scores_add, STYPE = dmp_internal.state, SSPACE = 65536, FINALFUNC = dmp_internal.average_precision_final,
	COMBINEFUNC = dmp_internal.scores_combine, PARALLEL = safe);
COMMENT ON AGGREGATE dmp.average_precision(float8, boolean, float8) IS 'area under the precision-recall curve as a step function, without interpolation
Example: SELECT dmp.average_precision(score, label) FROM scored';
CREATE AGGREGATE dmp.average_precision(score float8, label float8) (
	SFUNC = dmp_internal.scores_add, STYPE = dmp_internal.state, SSPACE = 65536, FINALFUNC = dmp_internal.average_precision_final,
	COMBINEFUNC = dmp_internal.scores_combine, PARALLEL = safe);
COMMENT ON AGGREGATE dmp.average_precision(float8, float8) IS 'area under the precision-recall curve as a step function, without interpolation
Example: SELECT dmp.average_precision(score, label) FROM scored';
CREATE AGGREGATE dmp.average_precision(score float8, label float8, weight float8) (
	SFUNC = dmp_internal.scores_add, STYPE = dmp_internal.state, SSPACE = 65536, FINALFUNC = dmp_internal.average_precision_final,
	COMBINEFUNC = dmp_internal.scores_combine, PARALLEL = safe);
COMMENT ON AGGREGATE dmp.average_precision(float8, float8, float8) IS 'area under the precision-recall curve as a step function, without interpolation
Example: SELECT dmp.average_precision(score, label) FROM scored';
CREATE AGGREGATE dmp.ks_statistic(score float8, label boolean) (
	SFUNC = dmp_internal.scores_add, STYPE = dmp_internal.state, SSPACE = 65536, FINALFUNC = dmp_internal.ks_statistic_final,
	COMBINEFUNC = dmp_internal.scores_combine, PARALLEL = safe);
COMMENT ON AGGREGATE dmp.ks_statistic(float8, boolean) IS 'largest distance between the distributions of the scores of positives and negatives
Example: SELECT dmp.ks_statistic(score, label) FROM scored';
CREATE AGGREGATE dmp.ks_statistic(score float8, label boolean, weight float8) (
	SFUNC = dmp_internal.scores_add, STYPE = dmp_internal.state, SSPACE = 65536, FINALFUNC = dmp_internal.ks_statistic_final,
	COMBINEFUNC = dmp_internal.scores_combine, PARALLEL = safe);
COMMENT ON AGGREGATE dmp.ks_statistic(float8, boolean, float8) IS 'largest distance between the distributions of the scores of positives and negatives
Example: SELECT dmp.ks_statistic(score, label) FROM scored';
CREATE AGGREGATE dmp.ks_statistic(score float8, label float8) (
	SFUNC = dmp_internal.scores_add, STYPE = dmp_internal.state, SSPACE = 65536, FINALFUNC = dmp_internal.ks_statistic_final,
	COMBINEFUNC = dmp_internal.scores_combine, PARALLEL = safe);
COMMENT ON AGGREGATE dmp.ks_statistic(float8, float8) IS 'largest distance between the distributions of the scores of positives and negatives
Example: SELECT dmp.ks_statistic(score, label) FROM scored';
CREATE AGGREGATE dmp.ks_statistic(score float8, label float8, weight float8) (
	SFUNC = dmp_internal.scores_add, STYPE = dmp_internal.state, SSPACE = 65536, FINALFUNC = dmp_internal.ks_statistic_final,
	COMBINEFUNC = dmp_internal.scores_combine, PARALLEL = safe);
COMMENT ON AGGREGATE dmp.ks_statistic(float8, float8, float8) IS 'largest distance between the distributions of the scores of positives and negatives
Example: SELECT dmp.ks_statistic(score, label) FROM scored';
CREATE AGGREGATE dmp.log_loss(score float8, label boolean) (
	SFUNC = dmp_internal.log_loss_add, STYPE = dmp_internal.state, FINALFUNC = dmp_internal.loss_final,
	COMBINEFUNC = dmp_internal.sums_combine, PARALLEL = safe);
COMMENT ON AGGREGATE dmp.log_loss(float8, boolean) IS 'mean of -log of the probability given to what happened; probabilities are held off 0 and 1 by 2^-53
Example: SELECT dmp.log_loss(score, label) FROM scored';
CREATE AGGREGATE dmp.log_loss(score float8, label boolean, weight float8) (
	SFUNC = dmp_internal.log_loss_add, STYPE = dmp_internal.state, FINALFUNC = dmp_internal.loss_final,
	COMBINEFUNC = dmp_internal.sums_combine, PARALLEL = safe);
COMMENT ON AGGREGATE dmp.log_loss(float8, boolean, float8) IS 'mean of -log of the probability given to what happened; probabilities are held off 0 and 1 by 2^-53
Example: SELECT dmp.log_loss(score, label) FROM scored';
CREATE AGGREGATE dmp.log_loss(score float8, label float8) (
	SFUNC = dmp_internal.log_loss_add, STYPE = dmp_internal.state, FINALFUNC = dmp_internal.loss_final,
	COMBINEFUNC = dmp_internal.sums_combine, PARALLEL = safe);
COMMENT ON AGGREGATE dmp.log_loss(float8, float8) IS 'mean of -log of the probability given to what happened; probabilities are held off 0 and 1 by 2^-53
Example: SELECT dmp.log_loss(score, label) FROM scored';
CREATE AGGREGATE dmp.log_loss(score float8, label float8, weight float8) (
	SFUNC = dmp_internal.log_loss_add, STYPE = dmp_internal.state, FINALFUNC = dmp_internal.loss_final,
	COMBINEFUNC = dmp_internal.sums_combine, PARALLEL = safe);
COMMENT ON AGGREGATE dmp.log_loss(float8, float8, float8) IS 'mean of -log of the probability given to what happened; probabilities are held off 0 and 1 by 2^-53
Example: SELECT dmp.log_loss(score, label) FROM scored';
CREATE AGGREGATE dmp.brier_score(score float8, label boolean) (
	SFUNC = dmp_internal.brier_score_add, STYPE = dmp_internal.state, FINALFUNC = dmp_internal.loss_final,
	COMBINEFUNC = dmp_internal.sums_combine, PARALLEL = safe);
COMMENT ON AGGREGATE dmp.brier_score(float8, boolean) IS 'mean squared difference of probability and label
Example: SELECT dmp.brier_score(score, label) FROM scored';
CREATE AGGREGATE dmp.brier_score(score float8, label boolean, weight float8) (
	SFUNC = dmp_internal.brier_score_add, STYPE = dmp_internal.state, FINALFUNC = dmp_internal.loss_final,
	COMBINEFUNC = dmp_internal.sums_combine, PARALLEL = safe);
COMMENT ON AGGREGATE dmp.brier_score(float8, boolean, float8) IS 'mean squared difference of probability and label
Example: SELECT dmp.brier_score(score, label) FROM scored';
CREATE AGGREGATE dmp.brier_score(score float8, label float8) (
	SFUNC = dmp_internal.brier_score_add, STYPE = dmp_internal.state, FINALFUNC = dmp_internal.loss_final,
	COMBINEFUNC = dmp_internal.sums_combine, PARALLEL = safe);
COMMENT ON AGGREGATE dmp.brier_score(float8, float8) IS 'mean squared difference of probability and label
Example: SELECT dmp.brier_score(score, label) FROM scored';
CREATE AGGREGATE dmp.brier_score(score float8, label float8, weight float8) (
	SFUNC = dmp_internal.brier_score_add, STYPE = dmp_internal.state, FINALFUNC = dmp_internal.loss_final,
	COMBINEFUNC = dmp_internal.sums_combine, PARALLEL = safe);
COMMENT ON AGGREGATE dmp.brier_score(float8, float8, float8) IS 'mean squared difference of probability and label
Example: SELECT dmp.brier_score(score, label) FROM scored';
CREATE AGGREGATE dmp.precision_score(score float8, label boolean) (
	SFUNC = dmp_internal.confusion_add, STYPE = dmp_internal.state, FINALFUNC = dmp_internal.precision_score_final,
	COMBINEFUNC = dmp_internal.sums_combine, PARALLEL = safe);
COMMENT ON AGGREGATE dmp.precision_score(float8, boolean) IS 'share of positives among the rows that score 0.5 or more
Example: SELECT dmp.precision_score(score, label) FROM scored';
CREATE AGGREGATE dmp.precision_score(score float8, label boolean, weight float8) (
	SFUNC = dmp_internal.confusion_add, STYPE = dmp_internal.state, FINALFUNC = dmp_internal.precision_score_final,
	COMBINEFUNC = dmp_internal.sums_combine, PARALLEL = safe);
COMMENT ON AGGREGATE dmp.precision_score(float8, boolean, float8) IS 'share of positives among the rows that score 0.5 or more
Example: SELECT dmp.precision_score(score, label) FROM scored';
CREATE AGGREGATE dmp.precision_score(score float8, label float8) (
	SFUNC = dmp_internal.confusion_add, STYPE = dmp_internal.state, FINALFUNC = dmp_internal.precision_score_final,
	COMBINEFUNC = dmp_internal.sums_combine, PARALLEL = safe);
COMMENT ON AGGREGATE dmp.precision_score(float8, float8) IS 'share of positives among the rows that score 0.5 or more
Example: SELECT dmp.precision_score(score, label) FROM scored';
CREATE AGGREGATE dmp.precision_score(score float8, label float8, weight float8) (
	SFUNC = dmp_internal.confusion_add, STYPE = dmp_internal.state, FINALFUNC = dmp_internal.precision_score_final,
	COMBINEFUNC = dmp_internal.sums_combine, PARALLEL = safe);
COMMENT ON AGGREGATE dmp.precision_score(float8, float8, float8) IS 'share of positives among the rows that score 0.5 or more
Example: SELECT dmp.precision_score(score, label) FROM scored';
CREATE AGGREGATE dmp.recall_score(score float8, label boolean) (
	SFUNC = dmp_internal.confusion_add, STYPE = dmp_internal.state, FINALFUNC = dmp_internal.recall_score_final,
	COMBINEFUNC = dmp_internal.sums_combine, PARALLEL = safe);
COMMENT ON AGGREGATE dmp.recall_score(float8, boolean) IS 'share of the positives that score 0.5 or more
Example: SELECT dmp.recall_score(score, label) FROM scored';
CREATE AGGREGATE dmp.recall_score(score float8, label boolean, weight float8) (
	SFUNC = dmp_internal.confusion_add, STYPE = dmp_internal.state, FINALFUNC = dmp_internal.recall_score_final,
	COMBINEFUNC = dmp_internal.sums_combine, PARALLEL = safe);
COMMENT ON AGGREGATE dmp.recall_score(float8, boolean, float8) IS 'share of the positives that score 0.5 or more
Example: SELECT dmp.recall_score(score, label) FROM scored';
CREATE AGGREGATE dmp.recall_score(score float8, label float8) (
	SFUNC = dmp_internal.confusion_add, STYPE = dmp_internal.state, FINALFUNC = dmp_internal.recall_score_final,
	COMBINEFUNC = dmp_internal.sums_combine, PARALLEL = safe);
COMMENT ON AGGREGATE dmp.recall_score(float8, float8) IS 'share of the positives that score 0.5 or more
Example: SELECT dmp.recall_score(score, label) FROM scored';
CREATE AGGREGATE dmp.recall_score(score float8, label float8, weight float8) (
	SFUNC = dmp_internal.confusion_add, STYPE = dmp_internal.state, FINALFUNC = dmp_internal.recall_score_final,
	COMBINEFUNC = dmp_internal.sums_combine, PARALLEL = safe);
COMMENT ON AGGREGATE dmp.recall_score(float8, float8, float8) IS 'share of the positives that score 0.5 or more
Example: SELECT dmp.recall_score(score, label) FROM scored';
CREATE AGGREGATE dmp.f1_score(score float8, label boolean) (
	SFUNC = dmp_internal.confusion_add, STYPE = dmp_internal.state, FINALFUNC = dmp_internal.f1_score_final,
	COMBINEFUNC = dmp_internal.sums_combine, PARALLEL = safe);
COMMENT ON AGGREGATE dmp.f1_score(float8, boolean) IS 'harmonic mean of precision and recall at 0.5
Example: SELECT dmp.f1_score(score, label) FROM scored';
CREATE AGGREGATE dmp.f1_score(score float8, label boolean, weight float8) (
	SFUNC = dmp_internal.confusion_add, STYPE = dmp_internal.state, FINALFUNC = dmp_internal.f1_score_final,
	COMBINEFUNC = dmp_internal.sums_combine, PARALLEL = safe);
COMMENT ON AGGREGATE dmp.f1_score(float8, boolean, float8) IS 'harmonic mean of precision and recall at 0.5
Example: SELECT dmp.f1_score(score, label) FROM scored';
CREATE AGGREGATE dmp.f1_score(score float8, label float8) (
	SFUNC = dmp_internal.confusion_add, STYPE = dmp_internal.state, FINALFUNC = dmp_internal.f1_score_final,
	COMBINEFUNC = dmp_internal.sums_combine, PARALLEL = safe);
COMMENT ON AGGREGATE dmp.f1_score(float8, float8) IS 'harmonic mean of precision and recall at 0.5
Example: SELECT dmp.f1_score(score, label) FROM scored';
CREATE AGGREGATE dmp.f1_score(score float8, label float8, weight float8) (
	SFUNC = dmp_internal.confusion_add, STYPE = dmp_internal.state, FINALFUNC = dmp_internal.f1_score_final,
	COMBINEFUNC = dmp_internal.sums_combine, PARALLEL = safe);
COMMENT ON AGGREGATE dmp.f1_score(float8, float8, float8) IS 'harmonic mean of precision and recall at 0.5
Example: SELECT dmp.f1_score(score, label) FROM scored';

-- how good a model is on rows whose target is known

CREATE AGGREGATE dmp_internal.scores(score float8, label float8) (
	SFUNC = dmp_internal.scores_add, STYPE = dmp_internal.state, SSPACE = 65536,
	COMBINEFUNC = dmp_internal.scores_combine, PARALLEL = safe);
CREATE AGGREGATE dmp_internal.scores(score float8, label float8, weight float8) (
	SFUNC = dmp_internal.scores_add, STYPE = dmp_internal.state, SSPACE = 65536,
	COMBINEFUNC = dmp_internal.scores_combine, PARALLEL = safe);
CREATE FUNCTION dmp_internal.judge(dmp_internal.state, value dmp.model_value, threshold float8, slice boolean) RETURNS float8[]
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'dmp_judge';
CREATE FUNCTION dmp_internal.best_threshold(dmp_internal.state, value dmp.model_value, method int,
	cost_false_positive float8, cost_false_negative float8, at_least float8) RETURNS float8
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'dmp_best_threshold';
CREATE FUNCTION dmp_internal.class_scores(model dmp.model_value, input record) RETURNS float8[]
	LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'dmp_class_scores';
CREATE FUNCTION dmp_internal.margin_counted(model dmp.model_value, input record) RETURNS float8
	LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'dmp_margin_counted';
CREATE FUNCTION dmp_internal.fit_calibration(dmp_internal.state, value dmp.model_value, method text) RETURNS float8[]
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'dmp_fit_calibration';
CREATE FUNCTION dmp_internal.refuse_label(value text, column_name text) RETURNS float8
	LANGUAGE C STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'dmp_refuse_label';

CREATE FUNCTION dmp.evaluate(model text, query text, threshold float8 DEFAULT NULL, by text[] DEFAULT NULL,
	weight text DEFAULT NULL)
	RETURNS TABLE (metric text, value float8, low float8, high float8, segment text, class text)
	LANGUAGE C AS 'MODULE_PATHNAME', 'dmp_evaluate';
COMMENT ON FUNCTION dmp.evaluate(text, text, float8, text[], text) IS 'judge a model on rows whose target is known, in all, by segment and, of several classes, by class, rows weighted by a column (else by the one of training); low and high are a 95 % interval
Example: SELECT metric, value, low, high FROM dmp.evaluate(''buyers'', ''held_out'')';

CREATE FUNCTION dmp.set_threshold(model text, threshold float8 DEFAULT NULL, method text DEFAULT 'f1', query text DEFAULT NULL,
	cost_false_positive float8 DEFAULT NULL, cost_false_negative float8 DEFAULT NULL, at_least float8 DEFAULT NULL,
	weight text DEFAULT NULL, reject float8 DEFAULT NULL)
	RETURNS TABLE (model text, version int, threshold float8, previous float8, reject float8)
	LANGUAGE C AS 'MODULE_PATHNAME', 'dmp_set_threshold';
COMMENT ON FUNCTION dmp.set_threshold(text, float8, text, text, float8, float8, float8, text, float8) IS 'the score from which dmp.classify says the positive class: a number, or the best on the rows of a query (else of the training query) by method f1, youden, cost (with both costs), precision or recall (with at_least); reject: the probability below which no class is probable enough, and dmp.classify says NULL
Example: SELECT * FROM dmp.set_threshold(''buyers'', method => ''cost'', query => ''held_out'', cost_false_positive => 1, cost_false_negative => 20)';

CREATE FUNCTION dmp.calibrate(model text, query text DEFAULT NULL, method text DEFAULT 'platt', weight text DEFAULT NULL)
	RETURNS TABLE (model text, version int, method text, rows bigint, log_loss_before float8, log_loss_after float8,
		brier_before float8, brier_after float8)
	LANGUAGE C AS 'MODULE_PATHNAME', 'dmp_calibrate';
COMMENT ON FUNCTION dmp.calibrate(text, text, text, text) IS 'make the scores of a version come true, by what happened to rows that were held out: method platt, isotonic, or none to take it back; the order of scores and dmp.margin stay
Example: SELECT * FROM dmp.calibrate(''buyers'', ''held_out'', ''isotonic'')';

-- curves to plot: a point for each distinct score, from the highest down

CREATE TYPE dmp.curve_point AS (threshold float8, x float8, y float8, rows bigint);
COMMENT ON TYPE dmp.curve_point IS 'a point of a curve: rows is how many rows have this score, or are in this group';
CREATE FUNCTION dmp_internal.roc_curve_final(dmp_internal.state) RETURNS dmp.curve_point[]
	LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'dmp_roc_curve_final';
CREATE FUNCTION dmp_internal.pr_curve_final(dmp_internal.state) RETURNS dmp.curve_point[]
	LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'dmp_pr_curve_final';
CREATE FUNCTION dmp_internal.gains_curve_final(dmp_internal.state) RETURNS dmp.curve_point[]
	LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'dmp_gains_curve_final';
CREATE FUNCTION dmp_internal.calibration_curve_final(dmp_internal.state) RETURNS dmp.curve_point[]
	LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'dmp_calibration_curve_final';
CREATE AGGREGATE dmp.roc_curve(score float8, label boolean) (
	SFUNC = dmp_internal.scores_add, STYPE = dmp_internal.state, SSPACE = 65536, FINALFUNC = dmp_internal.roc_curve_final,
	COMBINEFUNC = dmp_internal.scores_combine, PARALLEL = safe);
COMMENT ON AGGREGATE dmp.roc_curve(float8, boolean) IS 'points of the ROC curve: false positive rate x, true positive rate y, from each score on
Example: SELECT p.* FROM (SELECT dmp.roc_curve(score, label) AS points FROM scored) c, unnest(c.points) p';
CREATE AGGREGATE dmp.roc_curve(score float8, label boolean, weight float8) (
	SFUNC = dmp_internal.scores_add, STYPE = dmp_internal.state, SSPACE = 65536, FINALFUNC = dmp_internal.roc_curve_final,
	COMBINEFUNC = dmp_internal.scores_combine, PARALLEL = safe);
COMMENT ON AGGREGATE dmp.roc_curve(float8, boolean, float8) IS 'points of the ROC curve: false positive rate x, true positive rate y, from each score on
Example: SELECT p.* FROM (SELECT dmp.roc_curve(score, label) AS points FROM scored) c, unnest(c.points) p';
CREATE AGGREGATE dmp.roc_curve(score float8, label float8) (
	SFUNC = dmp_internal.scores_add, STYPE = dmp_internal.state, SSPACE = 65536, FINALFUNC = dmp_internal.roc_curve_final,
	COMBINEFUNC = dmp_internal.scores_combine, PARALLEL = safe);
COMMENT ON AGGREGATE dmp.roc_curve(float8, float8) IS 'points of the ROC curve: false positive rate x, true positive rate y, from each score on
Example: SELECT p.* FROM (SELECT dmp.roc_curve(score, label) AS points FROM scored) c, unnest(c.points) p';
CREATE AGGREGATE dmp.roc_curve(score float8, label float8, weight float8) (
	SFUNC = dmp_internal.scores_add, STYPE = dmp_internal.state, SSPACE = 65536, FINALFUNC = dmp_internal.roc_curve_final,
	COMBINEFUNC = dmp_internal.scores_combine, PARALLEL = safe);
COMMENT ON AGGREGATE dmp.roc_curve(float8, float8, float8) IS 'points of the ROC curve: false positive rate x, true positive rate y, from each score on
Example: SELECT p.* FROM (SELECT dmp.roc_curve(score, label) AS points FROM scored) c, unnest(c.points) p';
CREATE AGGREGATE dmp.pr_curve(score float8, label boolean) (
	SFUNC = dmp_internal.scores_add, STYPE = dmp_internal.state, SSPACE = 65536, FINALFUNC = dmp_internal.pr_curve_final,
	COMBINEFUNC = dmp_internal.scores_combine, PARALLEL = safe);
COMMENT ON AGGREGATE dmp.pr_curve(float8, boolean) IS 'points of the precision-recall curve: recall x, precision y, from each score on
Example: SELECT p.* FROM (SELECT dmp.pr_curve(score, label) AS points FROM scored) c, unnest(c.points) p';
CREATE AGGREGATE dmp.pr_curve(score float8, label boolean, weight float8) (
	SFUNC = dmp_internal.scores_add, STYPE = dmp_internal.state, SSPACE = 65536, FINALFUNC = dmp_internal.pr_curve_final,
	COMBINEFUNC = dmp_internal.scores_combine, PARALLEL = safe);
COMMENT ON AGGREGATE dmp.pr_curve(float8, boolean, float8) IS 'points of the precision-recall curve: recall x, precision y, from each score on
Example: SELECT p.* FROM (SELECT dmp.pr_curve(score, label) AS points FROM scored) c, unnest(c.points) p';
CREATE AGGREGATE dmp.pr_curve(score float8, label float8) (
	SFUNC = dmp_internal.scores_add, STYPE = dmp_internal.state, SSPACE = 65536, FINALFUNC = dmp_internal.pr_curve_final,
	COMBINEFUNC = dmp_internal.scores_combine, PARALLEL = safe);
COMMENT ON AGGREGATE dmp.pr_curve(float8, float8) IS 'points of the precision-recall curve: recall x, precision y, from each score on
Example: SELECT p.* FROM (SELECT dmp.pr_curve(score, label) AS points FROM scored) c, unnest(c.points) p';
CREATE AGGREGATE dmp.pr_curve(score float8, label float8, weight float8) (
	SFUNC = dmp_internal.scores_add, STYPE = dmp_internal.state, SSPACE = 65536, FINALFUNC = dmp_internal.pr_curve_final,
	COMBINEFUNC = dmp_internal.scores_combine, PARALLEL = safe);
COMMENT ON AGGREGATE dmp.pr_curve(float8, float8, float8) IS 'points of the precision-recall curve: recall x, precision y, from each score on
Example: SELECT p.* FROM (SELECT dmp.pr_curve(score, label) AS points FROM scored) c, unnest(c.points) p';
CREATE AGGREGATE dmp.gains_curve(score float8, label boolean) (
	SFUNC = dmp_internal.scores_add, STYPE = dmp_internal.state, SSPACE = 65536, FINALFUNC = dmp_internal.gains_curve_final,
	COMBINEFUNC = dmp_internal.scores_combine, PARALLEL = safe);
COMMENT ON AGGREGATE dmp.gains_curve(float8, boolean) IS 'points of the gains curve: share of rows x, share of positives y, from each score on
Example: SELECT p.* FROM (SELECT dmp.gains_curve(score, label) AS points FROM scored) c, unnest(c.points) p';
CREATE AGGREGATE dmp.gains_curve(score float8, label boolean, weight float8) (
	SFUNC = dmp_internal.scores_add, STYPE = dmp_internal.state, SSPACE = 65536, FINALFUNC = dmp_internal.gains_curve_final,
	COMBINEFUNC = dmp_internal.scores_combine, PARALLEL = safe);
COMMENT ON AGGREGATE dmp.gains_curve(float8, boolean, float8) IS 'points of the gains curve: share of rows x, share of positives y, from each score on
Example: SELECT p.* FROM (SELECT dmp.gains_curve(score, label) AS points FROM scored) c, unnest(c.points) p';
CREATE AGGREGATE dmp.gains_curve(score float8, label float8) (
	SFUNC = dmp_internal.scores_add, STYPE = dmp_internal.state, SSPACE = 65536, FINALFUNC = dmp_internal.gains_curve_final,
	COMBINEFUNC = dmp_internal.scores_combine, PARALLEL = safe);
COMMENT ON AGGREGATE dmp.gains_curve(float8, float8) IS 'points of the gains curve: share of rows x, share of positives y, from each score on
Example: SELECT p.* FROM (SELECT dmp.gains_curve(score, label) AS points FROM scored) c, unnest(c.points) p';
CREATE AGGREGATE dmp.gains_curve(score float8, label float8, weight float8) (
	SFUNC = dmp_internal.scores_add, STYPE = dmp_internal.state, SSPACE = 65536, FINALFUNC = dmp_internal.gains_curve_final,
	COMBINEFUNC = dmp_internal.scores_combine, PARALLEL = safe);
COMMENT ON AGGREGATE dmp.gains_curve(float8, float8, float8) IS 'points of the gains curve: share of rows x, share of positives y, from each score on
Example: SELECT p.* FROM (SELECT dmp.gains_curve(score, label) AS points FROM scored) c, unnest(c.points) p';
CREATE AGGREGATE dmp.calibration_curve(score float8, label boolean) (
	SFUNC = dmp_internal.scores_add, STYPE = dmp_internal.state, SSPACE = 65536, FINALFUNC = dmp_internal.calibration_curve_final,
	COMBINEFUNC = dmp_internal.scores_combine, PARALLEL = safe);
COMMENT ON AGGREGATE dmp.calibration_curve(float8, boolean) IS 'points of the calibration curve: mean probability x, share of positives y, in ten groups of rows in the order of their scores
Example: SELECT p.* FROM (SELECT dmp.calibration_curve(score, label) AS points FROM scored) c, unnest(c.points) p';
CREATE AGGREGATE dmp.calibration_curve(score float8, label boolean, weight float8) (
	SFUNC = dmp_internal.scores_add, STYPE = dmp_internal.state, SSPACE = 65536, FINALFUNC = dmp_internal.calibration_curve_final,
	COMBINEFUNC = dmp_internal.scores_combine, PARALLEL = safe);
COMMENT ON AGGREGATE dmp.calibration_curve(float8, boolean, float8) IS 'points of the calibration curve: mean probability x, share of positives y, in ten groups of rows in the order of their scores
Example: SELECT p.* FROM (SELECT dmp.calibration_curve(score, label) AS points FROM scored) c, unnest(c.points) p';
CREATE AGGREGATE dmp.calibration_curve(score float8, label float8) (
	SFUNC = dmp_internal.scores_add, STYPE = dmp_internal.state, SSPACE = 65536, FINALFUNC = dmp_internal.calibration_curve_final,
	COMBINEFUNC = dmp_internal.scores_combine, PARALLEL = safe);
COMMENT ON AGGREGATE dmp.calibration_curve(float8, float8) IS 'points of the calibration curve: mean probability x, share of positives y, in ten groups of rows in the order of their scores
Example: SELECT p.* FROM (SELECT dmp.calibration_curve(score, label) AS points FROM scored) c, unnest(c.points) p';
CREATE AGGREGATE dmp.calibration_curve(score float8, label float8, weight float8) (
	SFUNC = dmp_internal.scores_add, STYPE = dmp_internal.state, SSPACE = 65536, FINALFUNC = dmp_internal.calibration_curve_final,
	COMBINEFUNC = dmp_internal.scores_combine, PARALLEL = safe);
COMMENT ON AGGREGATE dmp.calibration_curve(float8, float8, float8) IS 'points of the calibration curve: mean probability x, share of positives y, in ten groups of rows in the order of their scores
Example: SELECT p.* FROM (SELECT dmp.calibration_curve(score, label) AS points FROM scored) c, unnest(c.points) p';
CREATE FUNCTION dmp_internal.draw(dmp_internal.state) RETURNS boolean
	LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'dmp_draw';
CREATE FUNCTION dmp.curve(model text, query text, kind text, weight text DEFAULT NULL)
	RETURNS TABLE (threshold float8, x float8, y float8, rows bigint)
	LANGUAGE C STABLE AS 'MODULE_PATHNAME', 'dmp_curve';
COMMENT ON FUNCTION dmp.curve(text, text, text, text) IS 'curve of a model on rows whose target is known: kind roc, pr, gains or calibration; x and y as in dmp.roc_curve ...
Example: SELECT * FROM dmp.curve(''buyers'', ''held_out'', ''roc'')';

CREATE FUNCTION dmp.compare(model_a text, model_b text, query text, weight text DEFAULT NULL, scores text[] DEFAULT NULL)
	RETURNS TABLE (metric text, a float8, b float8, difference float8, low float8, high float8, p float8)
	LANGUAGE C STABLE AS 'MODULE_PATHNAME', 'dmp_compare';
COMMENT ON FUNCTION dmp.compare(text, text, text, text, text[]) IS 'two models, or two versions, on the same rows: a - b with a 95 % interval and p, by the paired tests of DeLong (roc_auc) and Student (losses, errors); scores: two columns with what they said of the rows, instead of the features
Example: SELECT * FROM dmp.compare(''buyers@latest'', ''buyers'', ''held_out'')';

-- a table of scores

CREATE FUNCTION dmp_internal.score_row(model dmp.model_value, input record) RETURNS float8
	LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'dmp_score_counted';
CREATE FUNCTION dmp_internal.shadow_row(model dmp.model_value, input record) RETURNS float8
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'dmp_shadow_row';
CREATE FUNCTION dmp.score(model text, query text, into_table text, key text[] DEFAULT NULL, if_exists text DEFAULT 'upsert',
	shadow text DEFAULT NULL)
	RETURNS TABLE (rows bigint, rows_missing bigint, rows_unseen_level bigint, model text, version int)
	LANGUAGE C AS 'MODULE_PATHNAME', 'dmp_score';
COMMENT ON FUNCTION dmp.score(text, text, text, text[], text, text) IS 'write a table of scores: the key, score, class, model, version and scored_at of each row; with a shadow, another model or version, what it says beside (shadow_score, shadow_class, shadow_model, shadow_version)
Example: SELECT * FROM dmp.score(''buyers'', ''users'', ''buyer_scores'', key => ''{user_id}'')';

-- rows scored as they are written

CREATE FUNCTION dmp.score_row() RETURNS trigger
	LANGUAGE C AS 'MODULE_PATHNAME', 'dmp_score_row';
COMMENT ON FUNCTION dmp.score_row() IS 'trigger BEFORE INSERT OR UPDATE, FOR EACH ROW: puts the row''s score by the champion, and its class, into columns of the row; the writer needs the right to the model
Example: CREATE TRIGGER score BEFORE INSERT OR UPDATE ON users FOR EACH ROW EXECUTE FUNCTION dmp.score_row(''buyers'', ''score'', ''class'')';

-- for a PostgreSQL without the extension

CREATE FUNCTION dmp.model_sql(model text) RETURNS text
	LANGUAGE C STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'dmp_model_sql';
COMMENT ON FUNCTION dmp.model_sql(text) IS 'an SQL expression over the columns that equals dmp.predict; of several classes dmp.class_probabilities
Example: SELECT format(''SELECT user_id, %s AS score FROM users'', dmp.model_sql(''buyers''))';
CREATE FUNCTION dmp.model_pmml(model text) RETURNS text
	LANGUAGE C STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'dmp_model_pmml';
COMMENT ON FUNCTION dmp.model_pmml(text) IS 'the model as a PMML 4.4 document, encoders and missing values included
Example: SELECT dmp.model_pmml(''buyers'')';
CREATE FUNCTION dmp.model_json(model text) RETURNS jsonb
	LANGUAGE C STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'dmp_model_json';
COMMENT ON FUNCTION dmp.model_json(text) IS 'the model as it is stored: coefficients, encoders, fills
Example: SELECT jsonb_pretty(dmp.model_json(''buyers''))';
