#!/usr/bin/env bash
# Lints and builds the extension for every PostgreSQL that it supports, and has pg_regress run its tests on each of them.
# All are built in one target folder: only pgrx and the extension itself differ. Ends with `N passed, N failed`.
#   VERSIONS='15 17' dev/versions.sh   only these
source "$(dirname "$0")/lib.sh"
cd "$ROOT"
unset PG_CONFIG

passed=0
failed=0
# check WHAT COMMAND…: one line, and the end of the command's log where it fails
check() {
    local what=$1 log=$LOGS/versions-$PG.log began=$SECONDS
    shift
    if "$@" >>"$log" 2>&1 </dev/null; then
        passed=$((passed + 1))
        note "ok      PostgreSQL $PG: $what, $((SECONDS - began)) s"
    else
        failed=$((failed + 1))
        note "FAILED  PostgreSQL $PG: $what, $((SECONDS - began)) s; see $log"
        tail -n 40 "$log"
        return 1
    fi
}

# What differs between versions is code that the compiler sees for those alone.
# In a process of its own: the choice that is made stands.
lint() (
    source "$ROOT/dev/postgres-choice.sh"
    cargo clippy --quiet --package itembank_embed --lib "${PG_FEATURES[@]}" -- -D warnings
)
build() { dev/postgres.sh && dev/build.sh; }

read -ra versions <<<"${VERSIONS:-15 16 17 18}"
mkdir -p "$LOGS"
for PG in "${versions[@]}"; do
    export PG
    : >"$LOGS/versions-$PG.log"
    if check 'the extension is built' build; then
        check 'clippy' lint || true
        check "pg_regress of $(find tests/sql -name '*.sql' | wc -l) files" dev/regress.sh || true
    fi
done
echo "$passed passed, $failed failed"
((failed == 0))
