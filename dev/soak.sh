#!/usr/bin/env bash
# soak.sh [MINUTES]: tests/bench/soak.py against a throw-away server of its own: many clients, and all that may happen
# to them and to the engine. Ends with `N passed, N failed`.
source "$(dirname "$0")/lib.sh"
source "$ROOT/dev/postgres-choice.sh"
ENGINE=server
source "$ROOT/dev/cluster.sh"
source "$ROOT/dev/throwaway.sh"
cd "$ROOT"
export PYTHONUNBUFFERED=1 MINUTES=${1:-${MINUTES:-2}}

step "soak for $MINUTES minutes, PostgreSQL $PG"
# A session whose client is gone ends soon, and with it its work in the engine.
throwaway_start soak 'client_connection_check_interval = 500'
in_cluster itembank -c 'CREATE EXTENSION itembank_embed CASCADE'
"$VENV/bin/python" tests/bench/soak.py
