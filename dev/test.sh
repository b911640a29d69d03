#!/usr/bin/env bash
# Every test, counted. Needs what `make build` and `make model` made.
# Ends with `N passed, N failed`, and `, N skipped` where there are such.
source "$(dirname "$0")/lib.sh"
source "$ROOT/dev/postgres-choice.sh"
source "$ROOT/dev/cluster.sh"
source "$ROOT/dev/throwaway.sh"
cd "$ROOT"

summary=()
all_passed=0
all_failed=0
all_skipped=0

# report NAME PASSED FAILED SKIPPED: a runner that failed without counting a failure (it did not compile, say) failed
# once; so did one that passed nothing, for a test that is not run proves nothing.
report() {
    local passed=${2:-0} failed=${3:-0} skipped=${4:-0} mark=ok
    ((failed > 0 || (RC == 0 && passed > 0))) || failed=1
    ((failed == 0)) || mark="see $TEST_LOGS/$1.log"
    all_passed=$((all_passed + passed))
    all_failed=$((all_failed + failed))
    all_skipped=$((all_skipped + skipped))
    summary+=("$(printf '%-8s %5d passed %5d failed %5d skipped   %s' "$1" "$passed" "$failed" "$skipped" "$mark")")
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

# sum FILE EXPRESSION: adds up the numbers that a sed -E expression finds in it; 0 where the runner never wrote it
sum() { { sed -nE "s/$2/\1/p" "$TEST_LOGS/$1" 2>/dev/null || true; } | awk '{ total += $1 } END { print total + 0 }'; }
# lines NAME EXPRESSION: how many lines of the log match
lines() { grep -cE "$2" "$TEST_LOGS/$1.log" || true; }

run_lint() {
    runner lint dev/lint.sh
    report lint "$(sum lint.log '^([0-9]+) passed, [0-9]+ failed$')" "$(sum lint.log '^[0-9]+ passed, ([0-9]+) failed$')"
}

# The crates below crates/: no server in sight.
run_cargo() {
    runner cargo cargo test --workspace --exclude itembank_embed --no-fail-fast
    report cargo "$(sum cargo.log '^test result: .* ([0-9]+) passed;.*')" \
        "$(sum cargo.log '^test result: .* ([0-9]+) failed;.*')" "$(sum cargo.log '^test result: .* ([0-9]+) ignored;.*')"
}

run_regress() {
    runner regress dev/regress.sh
    report regress "$(lines regress '^ok ')" "$(lines regress '^not ok ')"
}

# Counted from its report; what it prints is for people.
run_pytest() {
    local all failed skipped
    counted() { sum pytest.xml ".*<testsuite [^>]*\b$1=\"([0-9]+)\".*"; }
    # For tests/parity/test_vocabularies.py, which would be skipped without.
    runner tokenize cargo build --release --package inference --example tokenize
    ((RC == 0)) || report tokenize 0 1
    runner pytest dev/pytest.sh -ra --color=no --junitxml="$TEST_LOGS/pytest.xml" tests models
    all=$(counted tests) skipped=$(counted skipped) failed=$(($(counted failures) + $(counted errors)))
    report pytest "$((all - failed - skipped))" "$failed" "$skipped"
}

# The demonstration is the product: it has to run, and each of its five searches and of its two with reranking to show
# its five items, and reranking to be measured and drawn.
demo() {
    in_cluster postgres -c 'CREATE DATABASE demo' && in_cluster demo -c 'CREATE EXTENSION itembank_embed CASCADE' &&
        PGCLIENTENCODING=UTF8 in_cluster demo -v drawing="$TEST_LOGS/demo-recall.svg" -f dev/demo.sql
}
run_demo() {
    local tables items measured drawn
    runner demo demo
    tables=$(lines demo '^ *rank │.*│ *similarity │')
    items=$(lines demo '^ +[1-5] │ .+│ +0\.[0-9]+ │ ')
    measured=$(lines demo '^ (vectors|reranked) +│ +50 │ ')
    drawn=$(grep -c '</svg>' "$TEST_LOGS/demo-recall.svg" || true)
    note "$tables tables of results, $items items"
    report demo "$((RC == 0 && tables == 7 && items == 35 && measured == 2 && drawn == 1))"
}

step "PostgreSQL $PG for the tests"
throwaway_start test
TEST_LOGS=$CLUSTER/logs
mkdir "$TEST_LOGS"
run_lint
run_cargo
run_regress
run_pytest
run_demo

echo
printf '%s\n' "${summary[@]}"
skipped=''
((all_skipped == 0)) || skipped=", $all_skipped skipped"
echo "$all_passed passed, $all_failed failed$skipped"
((all_failed == 0))
