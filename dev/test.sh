#!/usr/bin/env bash
# Every test, counted. Needs what `make build` and `make model` made. Ends with `N passed, N failed`.
source "$(dirname "$0")/lib.sh"
source "$ROOT/dev/postgres-choice.sh"
source "$ROOT/dev/cluster.sh"
source "$ROOT/dev/throwaway.sh"
cd "$ROOT"

TEST_LOGS=$TEST_DIR/logs
rm -rf "$TEST_LOGS"
mkdir -p "$TEST_LOGS"
summary=()
all_passed=0
all_failed=0

# report NAME PASSED FAILED EXIT-CODE: a runner that failed without counting anything (it did not compile, say) failed once
report() {
    local passed=${2:-0} failed=${3:-0} mark=ok
    ((failed > 0 || $4 == 0)) || failed=1
    ((failed == 0)) || mark="see $TEST_LOGS/$1.log"
    all_passed=$((all_passed + passed))
    all_failed=$((all_failed + failed))
    summary+=("$(printf '%-12s %5d passed %5d failed   %s' "$1" "$passed" "$failed" "$mark")")
}

# runner NAME COMMAND…: sets RC; what it says goes to its log and, with VERBOSE=1 or where it failed, onto the screen
runner() {
    local log=$TEST_LOGS/$1.log began=$SECONDS
    step "$1"
    RC=0
    "${@:2}" >"$log" 2>&1 </dev/null || RC=$?
    if ((RC != 0)) || [[ -n ${VERBOSE:-} ]]; then tail -n 80 "$log"; fi
    note "$((SECONDS - began)) s"
}

sum() { awk '{ total += $1 } END { print total + 0 }'; }

run_lint() {
    runner lint dev/lint.sh
    report lint "$(sed -n 's/^\([0-9]*\) passed, .*/\1/p' "$TEST_LOGS/lint.log" | tail -n 1)" \
        "$(sed -n 's/^[0-9]* passed, \([0-9]*\) failed$/\1/p' "$TEST_LOGS/lint.log" | tail -n 1)" "$RC"
}

# The crates below crates/: no server in sight.
run_cargo() {
    runner cargo cargo test --workspace --exclude itembank_embed --no-fail-fast
    report cargo "$(sed -nE 's/^test result: .* ([0-9]+) passed;.*/\1/p' "$TEST_LOGS/cargo.log" | sum)" \
        "$(sed -nE 's/^test result: .* ([0-9]+) failed;.*/\1/p' "$TEST_LOGS/cargo.log" | sum)" "$RC"
}

run_regress() {
    runner regress dev/regress.sh
    report regress "$(grep -cE '^ok ' "$TEST_LOGS/regress.log" || true)" \
        "$(grep -cE '^not ok ' "$TEST_LOGS/regress.log" || true)" "$RC"
}

run_pytest() {
    local folders=()
    for folder in tests models; do [[ ! -d $folder ]] || folders+=("$folder"); done
    runner pytest "$VENV/bin/pytest" -ra --color=no -o cache_dir="$TEST_DIR/pytest_cache" "${folders[@]}"
    ((RC != 5)) || RC=0 # 5: there was nothing to collect
    report pytest "$(count passed)" "$(($(count failed) + $(count 'errors?')))" "$RC"
}
# From pytest's last line: `== 1 failed, 20 passed, 2 skipped, 1 error in 3.05s ==`
count() { { tail -n 1 "$TEST_LOGS/pytest.log" | grep -oE "[0-9]+ $1\b" || true; } | sum; }

step "PostgreSQL $PG for the tests"
throwaway_start cluster
run_lint
run_cargo
run_regress
run_pytest

echo
printf '%s\n' "${summary[@]}"
echo "$all_passed passed, $all_failed failed"
((all_failed == 0))
