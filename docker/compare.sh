#!/bin/sh
# Compares every row of two databases of docker-compose.yml from outside, without Wherry: the sorted text of each table. Arguments:
# SERVICE/DATABASE of both (default: source/shop target/shop). Stop what writes first. Floating-point values are compared by 15 digits,
# since servers before 12 print them differently.
set -eu
cd "$(dirname "$0")/.."
first=${1:-source/shop}
second=${2:-target/shop}
ask() { # side, SQL
    docker compose exec -T -e PGOPTIONS='-c extra_float_digits=0 -c timezone=UTC -c datestyle=ISO -c search_path=' "${1%/*}" \
        psql -XAt -U postgres -d "${1#*/}" -c "$2"
}
tables=$(ask "$second" "SELECT format('%I.%I', nspname, relname)
    FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
    WHERE relkind = 'r' AND nspname !~ '^pg_' AND nspname NOT IN ('information_schema', 'wherry') ORDER BY 1")
[ -n "$tables" ] || { echo "error: $second has no table" >&2; exit 1; }
different=0
while read -r table; do
    sum() { # side
        ask "$1" "COPY (SELECT t FROM ONLY $table t) TO STDOUT" < /dev/null | LC_ALL=C sort | md5sum
    }
    if [ "$(sum "$first")" != "$(sum "$second")" ]; then
        echo "different: $table"
        different=$((different + 1))
    fi
done <<T
$tables
T
echo "$(echo "$tables" | wc -l) tables compared, $different different"
[ "$different" = 0 ]
