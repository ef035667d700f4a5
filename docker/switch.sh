#!/bin/sh
# The coordinator runs this file after the point of no return, again and again until it ends with 0. Lets the application's role log in
# to the target, and moves the pooler, if there is one.
set -eu
target=${WHERRY_TARGET_URL#jdbc:postgresql://}
address=${target%%/*}
host=${address%%:*} port=${address##*:}
[ "$port" != "$address" ] || port=5432
path=${target#*/}
database=${path%%\?*}
PGPASSWORD=$(cat /run/secrets/target-password) psql -X -q -v ON_ERROR_STOP=1 \
    "host=$host port=$port dbname=$database user=wherry connect_timeout=5" <<'SQL'
SELECT 'ALTER ROLE app LOGIN' FROM pg_roles WHERE rolname = 'app' \gexec
SQL
# A pooler that has started once has left this file. One that is away now reads the file when it starts again.
databases=/var/lib/wherry/pooler/databases.ini
[ -s "$databases" ] || exit 0
printf 'shop = host=%s port=%s dbname=%s\n' "$host" "$port" "$database" > "$databases.new"
mv "$databases.new" "$databases"
if getent hosts pooler > /dev/null; then
    PGPASSWORD=$(cat /run/secrets/app-password) psql -X -q "host=pooler port=6432 dbname=pgbouncer user=app connect_timeout=5" -c RELOAD
fi
