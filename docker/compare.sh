#!/bin/sh
# Compares every row of both databases of docker-compose.yml from outside, without Wherry: the sorted text of each table. Stop what
# writes first. Floating-point values are compared by 15 digits, since servers before 12 print them differently.
set -eu
cd "$(dirname "$0")/.."
ask() { # side, program and arguments
    side=$1
    shift
    docker compose exec -T -e PGOPTIONS='-c extra_float_digits=0 -c timezone=UTC -c datestyle=ISO -c search_path=' "$side" "$@"
}
tables=$(ask target psql -XAt -U postgres -d shop -c "SELECT format('%I.%I', nspname, relname)
    FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
    WHERE relkind = 'r' AND nspname !~ '^pg_' AND nspname NOT IN ('information_schema', 'wherry') ORDER BY 1")
[ -n "$tables" ] || { echo "error: the target has no table" >&2; exit 1; }
different=0
while read -r table; do
    sum() { # side
        ask "$1" psql -XAt -U postgres -d shop -c "COPY (SELECT t FROM ONLY $table t) TO STDOUT" < /dev/null | LC_ALL=C sort | md5sum
    }
    if [ "$(sum source)" != "$(sum target)" ]; then
        echo "different: $table"
        different=$((different + 1))
    fi
done <<T
$tables
T
echo "$(echo "$tables" | wc -l) tables compared, $different different"
[ "$different" = 0 ]
