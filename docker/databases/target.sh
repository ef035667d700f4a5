#!/bin/sh
# Runs once, when the target's volume is empty. The switch lets the application's role log in (docker/switch.sh).
set -eu
psql -X -q --username postgres --dbname shop -v ON_ERROR_STOP=1 \
    -v wherry="$(cat /run/secrets/target-password)" -v app="$(cat /run/secrets/app-password)" <<'SQL'
CREATE ROLE wherry SUPERUSER LOGIN PASSWORD :'wherry';
CREATE ROLE app NOLOGIN PASSWORD :'app';
SQL
