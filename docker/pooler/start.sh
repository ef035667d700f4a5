#!/bin/sh
# The pooler in front of both databases. The switch changes databases.ini.
set -eu
printf '"app" "%s"\n' "$(cat /run/secrets/app-password)" > /tmp/users.txt
databases=/var/lib/wherry/pooler/databases.ini
source=${SOURCE_URL#jdbc:postgresql://}
address=${source%%/*}
port=${address##*:}
[ "$port" != "$address" ] || port=5432
path=${source#*/}
[ -s "$databases" ] || printf 'shop = host=%s port=%s dbname=%s\n' "${address%%:*}" "$port" "${path%%\?*}" > "$databases"
exec pgbouncer /etc/wherry/pgbouncer.ini
