-- the extension installs, and its schemas are its own
CREATE EXTENSION dmp;
SELECT nspname FROM pg_namespace WHERE nspname LIKE 'dmp%' ORDER BY 1;
