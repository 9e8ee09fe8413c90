-- Roles and database for production, on PostgreSQL 15 and later, by its superuser and as often as you like:
--
--     sudo -u postgres psql -f roles.sql
--     sudo -u postgres psql -c '\password highwater' -c '\password highwater_reader'
--
-- \password asks twice, and what it sends is a hash. Without a terminal passwords come from the environment:
-- OWNER_PASSWORD, READER_PASSWORD. Never from an argument, which everybody reads in the list of processes.
--
-- highwater, the collector's, owns the database and all in it, for it makes partitions. highwater_reader, that of httpapi, of
-- devicesim --verify, of Grafana and of backups, reads. Others have nothing. The packages' services run as the Unix users
-- highwater and highwater-httpapi, whom PostgreSQL on the same machine knows without a password (peer); for the second there is a
-- role of that name, which reads too, and without a password nobody else can be it.

\set ON_ERROR_STOP on
\set QUIET on
SET client_min_messages = warning;

-- Below passwords stand in statements: they are to be in no log, nor in pg_stat_statements.
SET log_statement = none;
SET log_min_duration_statement = -1;
SET log_min_error_statement = panic;
SET pg_stat_statements.track_utility = off;
SET password_encryption = 'scram-sha-256';

SELECT 'CREATE ROLE highwater' WHERE to_regrole('highwater') IS NULL \gexec
SELECT 'CREATE ROLE highwater_reader' WHERE to_regrole('highwater_reader') IS NULL \gexec
SELECT 'CREATE ROLE "highwater-httpapi"' WHERE to_regrole('"highwater-httpapi"') IS NULL \gexec
ALTER ROLE highwater LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS;
ALTER ROLE highwater_reader LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS;
ALTER ROLE "highwater-httpapi" LOGIN INHERIT NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS;
GRANT highwater_reader TO "highwater-httpapi";

-- They could not write anyway; so a mistake is said to be one.
ALTER ROLE highwater_reader SET default_transaction_read_only = on;
ALTER ROLE "highwater-httpapi" SET default_transaction_read_only = on;

\getenv owner_password OWNER_PASSWORD
\if :{?owner_password}
ALTER ROLE highwater PASSWORD :'owner_password';
\endif
\getenv reader_password READER_PASSWORD
\if :{?reader_password}
ALTER ROLE highwater_reader PASSWORD :'reader_password';
\endif

SELECT 'CREATE DATABASE highwater OWNER highwater ENCODING UTF8 TEMPLATE template0'
    WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'highwater') \gexec
ALTER DATABASE highwater OWNER TO highwater;
REVOKE ALL ON DATABASE highwater FROM PUBLIC;
GRANT CONNECT ON DATABASE highwater TO highwater_reader;

\connect highwater
SET client_min_messages = warning;

REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO highwater_reader;

-- What is there: tables, and those who read with pg_dump need the sequences as well. Functions run with the rights of
-- who calls them: those that write fail for whoever may not write.
GRANT SELECT ON ALL TABLES IN SCHEMA public TO highwater_reader;
GRANT SELECT ON ALL SEQUENCES IN SCHEMA public TO highwater_reader;
REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA public FROM PUBLIC;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO highwater, highwater_reader;

-- What the collector will make: the schema at its first start, partitions each day.
ALTER DEFAULT PRIVILEGES FOR ROLE highwater IN SCHEMA public GRANT SELECT ON TABLES TO highwater_reader;
ALTER DEFAULT PRIVILEGES FOR ROLE highwater IN SCHEMA public GRANT SELECT ON SEQUENCES TO highwater_reader;
ALTER DEFAULT PRIVILEGES FOR ROLE highwater REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
ALTER DEFAULT PRIVILEGES FOR ROLE highwater IN SCHEMA public GRANT EXECUTE ON FUNCTIONS TO highwater_reader;
