#!/usr/bin/env bash
# pg_regress over tests/sql, with a throw-away server of its own, or that of dev/test.sh.
#   REGRESS='embed settings' dev/regress.sh   only these
# Results and the differences to tests/expected: the server's folder in .dev/test, regress.
source "$(dirname "$0")/lib.sh"
source "$ROOT/dev/postgres-choice.sh"
source "$ROOT/dev/cluster.sh"
source "$ROOT/dev/throwaway.sh"
[[ -n ${ITEMBANK_TEST_URL:-} ]] || throwaway_start regress
CLUSTER=${ITEMBANK_TEST_DATA%/data}

# The one of the wheel's 16 also for 18: 18's own dies with a segmentation fault.
pg_regress=$WHEEL/pginstall/lib/postgresql/pgxs/src/test/regress/pg_regress
database=regression
output=$CLUSTER/regress

if [[ -n ${REGRESS:-} ]]; then
    read -ra tests <<<"$REGRESS"
else
    mapfile -t tests < <(cd "$ROOT/tests/sql" && find . -name '*.sql' -printf '%f\n' | sed 's/\.sql$//' | sort)
fi
((${#tests[@]} > 0)) || die 'there are no tests in tests/sql'

in_cluster postgres -c "DROP DATABASE IF EXISTS $database" -c "CREATE DATABASE $database"
in_cluster "$database" -c 'CREATE EXTENSION itembank_embed CASCADE'
mkdir -p "$output"

rc=0
PGPASSWORD=$(<"$CLUSTER/password") "$pg_regress" --use-existing --host="$(cluster_host "$CLUSTER")" \
    --port="$(<"$CLUSTER/port")" --user=postgres --dbname="$database" --bindir="$PGBIN" --inputdir="$ROOT/tests" \
    --expecteddir="$ROOT/tests" --outputdir="$output" "${tests[@]}" || rc=$?
[[ ! -s $output/regression.diffs ]] || cat "$output/regression.diffs"
exit "$rc"
