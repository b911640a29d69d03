#!/usr/bin/env bash
# bench.sh NAME: tests/bench/NAME.py against a throw-away server that it knows by the ITEMBANK_* variables.
source "$(dirname "$0")/lib.sh"
source "$ROOT/dev/postgres-choice.sh"
source "$ROOT/dev/cluster.sh"
source "$ROOT/dev/throwaway.sh"

script=$ROOT/tests/bench/${1:-}.py
[[ -f $script ]] || die "there is no tests/bench/${1:-}.py" "there are: $(cd "$ROOT/tests/bench" && echo *.py)"
step "bench $1, PostgreSQL $PG"
throwaway_start bench
in_cluster itembank -c 'CREATE EXTENSION itembank_embed CASCADE'
"$VENV/bin/python" "$script"
