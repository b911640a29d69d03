#!/usr/bin/env bash
# sqlsmith.sh [SECONDS]: random statements against the extension's functions on a throw-away server, half of the time
# with models in each session, half with the engine process; see tests/hardening/smith.py. SEED makes a run again.
# Ends with `N passed, N failed`.
source "$(dirname "$0")/lib.sh"
source "$ROOT/dev/postgres-choice.sh"
source "$ROOT/dev/cluster.sh"
source "$ROOT/dev/throwaway.sh"
source "$ROOT/dev/packages.sh"
cd "$ROOT"
export PYTHONUNBUFFERED=1 PYTHONPATH=$ROOT/tests/bench
seconds=${1:-900}
seed=${SEED:-1}

# Root has the system's package; anybody else has it and the libraries that are missing unpacked into .dev.
find_sqlsmith() {
    local place=$DEV_DIR/sqlsmith package packages=()
    SQLSMITH=(sqlsmith)
    ! command -v sqlsmith >/dev/null || return 0
    SQLSMITH=(env "LD_LIBRARY_PATH=$place/lib" "$place/root/usr/bin/sqlsmith")
    ! "${SQLSMITH[@]}" --version >/dev/null 2>&1 || return 0
    command -v apt-get >/dev/null || die 'sqlsmith is missing on this machine' "Debian's package: sqlsmith"
    if ((EUID == 0)); then
        install_packages sqlsmith
        SQLSMITH=(sqlsmith)
        return
    fi
    step "sqlsmith and its libraries into $place"
    rm -rf "$place"
    mkdir -p "$place/packages" "$place/lib"
    mapfile -t packages < <(apt-cache depends sqlsmith 2>/dev/null |
        sed -nE 's/^ *Depends: ((libpqxx|libsqlite|libpq|libboost)[^ ]*)$/\1/p')
    (cd "$place/packages" && logged sqlsmith apt-get download sqlsmith "${packages[@]}")
    for package in "$place"/packages/*.deb; do dpkg-deb -x "$package" "$place/root"; done
    find "$place/root/usr/lib" -name 'lib*.so*' -exec ln -sf -t "$place/lib" {} +
    "${SQLSMITH[@]}" --version >/dev/null || die 'sqlsmith does not run' "what was unpacked: $place/root"
}

# smith ENGINE: one server. A run that ended without counting a failure (it could not start, say) failed once.
smith() {
    local counted rc=0 log=$TEST_DIR/smith-$1-$PG.log
    ENGINE=$1
    throwaway_start "smith-$ENGINE" 'logging_collector = on' "log_destination = 'stderr,jsonlog'" \
        'log_min_duration_statement = 0' 'log_rotation_size = 0' "track_functions = 'all'" "lc_messages = 'C'"
    in_cluster itembank -v password="$(<"$CLUSTER/password")" -v fixtures="$CLUSTER/fixtures" \
        -v png="\\x$(od -An -v -tx1 tests/fixtures/images/png-rgb8.png | tr -d ' \n')" -f tests/hardening/sample.sql >/dev/null
    step "random statements for $((seconds / 2)) s, engine: $ENGINE, SEED=$seed"
    "$VENV/bin/python" tests/hardening/smith.py "$WRAPPER" "$((seconds / 2))" "$seed" | tee "$log" || rc=$?
    counted=$(tail -n 1 "$log" | sed -nE 's/^([0-9]+) passed, ([0-9]+) failed$/\1 \2/p')
    read -r -a counted <<<"${counted:-0 1}"
    passed=$((passed + counted[0]))
    failed=$((failed + counted[1]))
    ((rc == 0)) || note "the server's log: $CLUSTER/data/log"
}

find_sqlsmith
mkdir -p "$TEST_DIR"
# One word for the program with its libraries.
WRAPPER=$TEST_DIR/sqlsmith
printf '#!/bin/sh\nexec %s "$@"\n' "$(printf '%q ' "${SQLSMITH[@]}")" >"$WRAPPER"
chmod 755 "$WRAPPER"
passed=0
failed=0
smith server
seed=$((seed + 100))
smith backend
echo "$passed passed, $failed failed"
((failed == 0))
