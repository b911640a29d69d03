#!/usr/bin/env bash
# Every test, counted. Needs what `make build` and `make model` made.
# Ends with `N passed, N failed`, and `, N skipped` where there are such. SOAK=2: dev/soak.sh for two minutes as well.
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
    summary+=("$(printf '%-16s %5d passed %5d failed %5d skipped   %s' "$1" "$passed" "$failed" "$skipped" "$mark")")
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

# What follows runs twice, with the engine in each session's own process and with one for the whole server: the
# same tests, the same expected results.
run_regress() {
    local name=regress-$ENGINE
    runner "$name" dev/regress.sh
    report "$name" "$(lines "$name" '^ok ')" "$(lines "$name" '^not ok ')"
}

# Counted from its report; what it prints is for people.
run_pytest() {
    local all failed skipped name=pytest-$ENGINE which
    counted() { sum "$name.xml" ".*<testsuite [^>]*\b$1=\"([0-9]+)\".*"; }
    # What needs no server, and what is about one of the engines, runs once.
    case $ENGINE in
        backend) which=(-m 'not server' tests models) ;;
        server) which=(-m 'not backend' tests) ;;
    esac
    runner "$name" dev/pytest.sh -ra --color=no --junitxml="$TEST_LOGS/$name.xml" "${which[@]}"
    all=$(counted tests) skipped=$(counted skipped) failed=$(($(counted failures) + $(counted errors)))
    report "$name" "$((all - failed - skipped))" "$failed" "$skipped"
}

run_tokenize() {
    # For tests/parity/test_vocabularies.py, which would be skipped without.
    runner tokenize cargo build --release --package inference --example tokenize
    ((RC == 0)) || report tokenize 0 1
}

# The demonstration is the product: it has to run, and each of its five searches and of its two with reranking to show
# its five items, reranking to be measured and drawn, the migration to be reported by neighbours and by judgements.
demo() {
    rm -f "$TEST_LOGS/demo-recall.svg"
    in_cluster postgres -c 'CREATE DATABASE demo' && in_cluster demo -c 'CREATE EXTENSION itembank_embed CASCADE' &&
        PGCLIENTENCODING=UTF8 in_cluster demo -v drawing="$TEST_LOGS/demo-recall.svg" -f dev/demo.sql
}
run_demo() {
    local tables items measured drawn migrated name=demo-$ENGINE
    runner "$name" demo
    tables=$(lines "$name" '^ *rank │.*│ *similarity │')
    items=$(lines "$name" '^ +[1-5] │ .+│ +0\.[0-9]+ │ ')
    measured=$(lines "$name" '^ (vectors|reranked) +│ +50 │ ')
    drawn=$(grep -c '</svg>' "$TEST_LOGS/demo-recall.svg" || true)
    migrated=$(lines "$name" 'NOTICE:  (.*overlap@10 of neighbours 0\.[0-9]+|ndcg@10: 0\.[0-9]+ -> 0\.[0-9]+) ')
    note "$tables tables of results, $items items"
    report "$name" "$((RC == 0 && tables == 7 && items == 35 && measured == 2 && drawn == 1 && migrated == 2))"
}

# Many clients and an engine that is killed, for SOAK minutes: on a server of its own.
run_soak() {
    runner soak dev/soak.sh "$SOAK"
    report soak "$(sum soak.log '^([0-9]+) passed, [0-9]+ failed$')" "$(sum soak.log '^[0-9]+ passed, ([0-9]+) failed$')"
}

require_space 'testing' 1500 1500
TEST_LOGS=$TEST_DIR/logs-$PG
rm -rf "$TEST_LOGS"
mkdir -p "$TEST_LOGS"
run_lint
run_cargo
run_tokenize
for ENGINE in backend server; do
    step "PostgreSQL $PG for the tests, engine: $ENGINE"
    throwaway_start test
    run_regress
    run_pytest
    run_demo
done
[[ -z ${SOAK:-} ]] || run_soak

echo
printf '%s\n' "${summary[@]}"
skipped=''
((all_skipped == 0)) || skipped=", $all_skipped skipped"
echo "$all_passed passed, $all_failed failed$skipped"
((all_failed == 0))
