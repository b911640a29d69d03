#!/usr/bin/env bash
# torture.sh [SECONDS]: an embedding column under writers, cancels, kills and crashes of a server of its own: 176,443 rows
# through the queue, then 10,952 in statement mode; and a check of every row. Fails where one is lost, doubled or stale.
source "$(dirname "$0")/lib.sh"
source "$ROOT/dev/postgres-choice.sh"
ENGINE=server
source "$ROOT/dev/cluster.sh"
source "$ROOT/dev/throwaway.sh"
cd "$ROOT"
export PYTHONUNBUFFERED=1 PYTHONPATH=$ROOT/tests
seconds=${1:-${SECONDS_OF_TORTURE:-120}}

# The tests' own way to a server: its programs and models, not its process.
throwaway_start torture
for run in 'queue 176443' 'statement 10952'; do
    step "torture: $run rows for $seconds seconds at least, PostgreSQL $PG"
    # shellcheck disable=SC2086 # two words
    "$VENV/bin/python" tests/columns/columns_torture.py $run "$seconds"
done
