#!/bin/sh
# Run once by PostgreSQL's image when it makes its data folder: a database, and a role that owns it and nothing else.
set -eu
psql --no-psqlrc --set=ON_ERROR_STOP=1 --username "${POSTGRES_USER:-postgres}" --dbname postgres \
    --set=password="$(cat "${LINEAL_PASSWORD_FILE:-/run/secrets/lineal_password}")" <<'SQL'
CREATE ROLE lineal LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD :'password';
CREATE DATABASE lineal OWNER lineal TEMPLATE template0 ENCODING 'UTF8';
REVOKE ALL ON DATABASE lineal FROM PUBLIC;
SQL
