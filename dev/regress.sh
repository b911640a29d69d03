#!/usr/bin/env bash
# pg_regress over tests/sql, against the throw-away cluster of dev/test.sh ($ITEMBANK_TEST_URL is its address).
#   REGRESS='embed models' dev/regress.sh   only these
# Results and the differences to tests/expected: .dev/test/regress.
source "$(dirname "$0")/lib.sh"
source "$ROOT/dev/postgres-choice.sh"
source "$ROOT/dev/cluster.sh"
source "$ROOT/dev/throwaway.sh"
[[ -n ${ITEMBANK_TEST_URL:-} ]] || throwaway_start regress-server
CLUSTER=${ITEMBANK_TEST_DATA%/data}

# The one of the wheel's 16 also for 18: 18's own dies with a segmentation fault.
pg_regress=$WHEEL/pginstall/lib/postgresql/pgxs/src/test/regress/pg_regress
database=regression
output=$TEST_DIR/regress

read -ra tests <<<"${REGRESS:-$(cd "$ROOT/tests" && compgen -G 'sql/*.sql' | sed 's#sql/\(.*\)\.sql#\1#' | sort | tr '\n' ' ' || true)}"
if ((${#tests[@]} == 0)); then
    note 'no tests in tests/sql'
    exit
fi

in_cluster postgres -c "DROP DATABASE IF EXISTS $database" -c "CREATE DATABASE $database"
in_cluster "$database" -c 'CREATE EXTENSION itembank_embed CASCADE'
rm -rf "$output"
mkdir -p "$output"

host=127.0.0.1
if socket_fits "$CLUSTER"; then host=$CLUSTER/run; fi
rc=0
PGPASSWORD=$(<"$CLUSTER/password") "$pg_regress" --use-existing --host="$host" --port="$(<"$CLUSTER/port")" \
    --user=postgres --dbname="$database" --bindir="$PGBIN" --inputdir="$ROOT/tests" \
    --expecteddir="$ROOT/tests" --outputdir="$output" "${tests[@]}" || rc=$?
[[ ! -s $output/regression.diffs ]] || cat "$output/regression.diffs"
exit "$rc"
