#!/usr/bin/env bash
# dev/pytest.sh ARGUMENT…: pytest with a throw-away server of its own, or that of dev/test.sh.
#   dev/pytest.sh tests/faults -k truncated
source "$(dirname "$0")/lib.sh"
source "$ROOT/dev/postgres-choice.sh"
source "$ROOT/dev/cluster.sh"
source "$ROOT/dev/throwaway.sh"
[[ -n ${ITEMBANK_TEST_URL:-} ]] || throwaway_start pytest
cd "$ROOT"
# Files of tests that passed are of no use to anybody.
"$VENV/bin/pytest" -o cache_dir="$TEST_DIR/pytest_cache" -o tmp_path_retention_policy=failed -o tmp_path_retention_count=1 "$@"
