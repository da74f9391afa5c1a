-- the steps that recipes have: dmp.recipe_steps
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS dmp;
RESET client_min_messages;
CREATE TABLE steps_events (user_id bigint, click_time text, click_duration int, order_value float8, page text);
INSERT INTO steps_events VALUES (1, '2024-01-01', 5, 1, 'a');

-- every example compiles and runs
DO $$
DECLARE
	s record;
BEGIN
	FOR s IN SELECT * FROM dmp.recipe_steps LOOP
		PERFORM dmp.clean('steps_events', 'steps_out', json_build_array(s.example));
		DROP TABLE steps_out;
		IF NOT s.example::jsonb ? s.action OR EXISTS (SELECT FROM json_object_keys(s.example) k WHERE k <> s.action AND NOT k = ANY (s.options)) THEN
			RAISE 'example of % is not of it', s.action;
		END IF;
	END LOOP;
END $$;
SELECT count(*) > 9 AS steps, bool_and(does <> '' AND argument <> '') AS explained FROM dmp.recipe_steps;
-- the forms of an action stand together and have the same options
SELECT action FROM dmp.recipe_steps GROUP BY action HAVING count(DISTINCT options) > 1;
DROP TABLE steps_events;
