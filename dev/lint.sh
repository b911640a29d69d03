#!/usr/bin/env bash
# Formatters, linters and the rules of the house; each counts as one check. Ends with `N passed, N failed`.
source "$(dirname "$0")/lib.sh"
source "$ROOT/dev/postgres-choice.sh"
cd "$ROOT"

passed=0
failed=0
# check NAME COMMAND…: one line, and the end of the command's output where it fails
check() {
    local name=$1 output
    shift
    if output=$("$@" 2>&1 </dev/null); then
        passed=$((passed + 1))
        note "ok      $name"
    else
        failed=$((failed + 1))
        note "FAILED  $name"
        tail -n 60 <<<"$output"
    fi
}

python_lint() {
    "$VENV/bin/ruff" check --no-cache tests models packaging && "$VENV/bin/ruff" format --no-cache --check tests models packaging
}

# SC2016: what another shell is to expand stands in single quotes on purpose.
shell_lint() {
    "$VENV/bin/shellcheck" --external-sources --source-path="SCRIPTDIR:$ROOT" --exclude=SC2016 \
        dev/*.sh docker/*.sh packaging/*.sh packaging/*/*.sh .ci/run
}

# Only the root package may know Postgres: the crates are tested and fuzzed without a server.
no_pgrx_in() {
    local tree
    tree=$(cargo tree --quiet --locked --package "$1" --edges normal,build --prefix none) && [[ -n $tree ]] || return
    [[ $'\n'$tree != *$'\npgrx'* ]] || die "$1 depends on pgrx"
}

# nowhere_else PATTERN FILE-OR-FOLDER…: no Rust source, committed or not, has the pattern, but for those
nowhere_else() {
    local pattern=$1 files rooms=() rc=0
    shift
    for room in "$@"; do rooms+=(! -path "$room" ! -path "$room/*"); done
    mapfile -d '' files < <(find src crates -name '*.rs' "${rooms[@]}" -print0)
    ((${#files[@]} > 0)) || die 'no sources were found'
    grep -nE "$pattern" "${files[@]}" || rc=$?
    ((rc == 1)) # 0: there is one; 2: grep itself failed
}

# Unsafe code has two rooms: the boundary to Postgres, and the loading of ONNX Runtime.
unsafe_stays_in_its_rooms() {
    nowhere_else '\bunsafe +(\{|fn|impl|extern|trait)' src/postgres crates/inference/src/session/runtime.rs
}

ort_stays_in_its_room() { nowhere_else '\bort::' crates/inference/src/session; }

pgrx_version_agrees() {
    local found
    found=$(sed -nE 's/^pgrx *= *(\{ *version *= *)?"=?([0-9.]+)".*/\2/p' Cargo.toml)
    [[ $found == "$CARGO_PGRX" ]] || die "Cargo.toml has pgrx ${found:-without a version}, dev/versions.env CARGO_PGRX=$CARGO_PGRX"
}

check 'cargo fmt' cargo fmt --all --check
check 'cargo clippy' cargo clippy --quiet --workspace --all-targets "${PG_FEATURES[@]}" -- -D warnings
for manifest in crates/*/Cargo.toml; do
    crate=$(sed -n 's/^name *= *"\(.*\)"/\1/p' "$manifest" | head -n 1)
    check "no pgrx in $crate" no_pgrx_in "$crate"
done
check 'unsafe only in its rooms' unsafe_stays_in_its_rooms
check 'ort only in its room' ort_stays_in_its_room
check 'pgrx versions agree' pgrx_version_agrees
check 'ruff' python_lint
check 'shellcheck' shell_lint
echo "$passed passed, $failed failed"
((failed == 0))
