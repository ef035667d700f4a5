#!/bin/sh
# Runs once, when the source's volume is empty: roles, then the sample or the dump that .env names, then the ledger of the traffic.
set -eu
run() { psql -X -q --username postgres --dbname shop -v ON_ERROR_STOP=1 "$@"; }
run -v wherry="$(cat /run/secrets/source-password)" -v app="$(cat /run/secrets/app-password)" <<'SQL'
CREATE ROLE wherry SUPERUSER LOGIN PASSWORD :'wherry';
CREATE ROLE app LOGIN PASSWORD :'app';
SQL
# A dump of a newer server sets parameters that this server does not know, so a statement that fails does not end the fill.
psql -X -q --username postgres --dbname shop -v rows="${ROWS:-100000}" -f /dump.sql
run <<'SQL'
DO $$
DECLARE one name;
BEGIN
    FOR one IN SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema' LOOP
        EXECUTE format('GRANT USAGE ON SCHEMA %I TO app', one);
        EXECUTE format('GRANT ALL ON ALL TABLES IN SCHEMA %I TO app', one);
        EXECUTE format('GRANT ALL ON ALL SEQUENCES IN SCHEMA %I TO app', one);
    END LOOP;
END $$;
SQL
run -f /ledger.sql
