-- Install script of dmp. Generated: src/header.sql, then each src/<module>/<module>.sql
-- (or the parts SQL_<module> lists) in the order of MODULE_ORDER in the Makefile.

\echo Use "CREATE EXTENSION dmp" to load this file. \quit

CREATE SCHEMA dmp;
COMMENT ON SCHEMA dmp IS 'dmp: what you call and read';
GRANT USAGE ON SCHEMA dmp TO PUBLIC;

CREATE SCHEMA dmp_internal;
COMMENT ON SCHEMA dmp_internal IS 'dmp: machinery behind schema dmp; not for direct use';
GRANT USAGE ON SCHEMA dmp_internal TO PUBLIC;
