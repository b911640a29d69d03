#!/usr/bin/env bash
# sanitize.sh [TEST…]: the engine and the inference below it with AddressSanitizer and LeakSanitizer: the crates' own tests;
# then the engine's executable behind a throw-away server, under the tests of the engine (tests/engine, tests/faults,
# tests/concurrency, or those that are given). First it is proved that an error and a leak are found.
# Ends with `N passed, N failed`.
source "$(dirname "$0")/lib.sh"
source "$ROOT/dev/postgres-choice.sh"
ENGINE=server
source "$ROOT/dev/cluster.sh"
source "$ROOT/dev/throwaway.sh"
cd "$ROOT"

target=x86_64-unknown-linux-gnu
place=$DEV_DIR/sanitize
reports=$place/reports
[[ $(rustc -vV | sed -n 's/^host: //p') == "$target" ]] || die "the sanitizers are set up for $target" "this machine is another"
tests=("$@")
((${#tests[@]} > 0)) || tests=(tests/engine tests/faults tests/concurrency)

# Sanitizers are for nightly compilers: this lets the stable one have them.
export RUSTC_BOOTSTRAP=1
flags='-Zsanitizer=address -Cforce-frame-pointers=yes -Cdebuginfo=1'
passed=0
failed=0
# outcome NAME COMMAND…: one line
outcome() {
    if "${@:2}"; then
        passed=$((passed + 1))
        note "ok      $1"
    else
        failed=$((failed + 1))
        note "FAILED  $1"
    fi
}

# Options for everything that runs here. Freed memory is kept back for a while, so that its use is seen; 64 MB of it.
# An allocation that is refused is the program's to handle, as without a sanitizer. No stacks on the heap: 11 MB a thread,
# which an engine with a limit of its own does not have, for an error that safe Rust cannot make.
address="halt_on_error=1:detect_leaks=1:detect_stack_use_after_return=0:strict_string_checks=1"
address="$address:quarantine_size_mb=64:allocator_may_return_null=1"
leaks="suppressions=$place/sanitize.supp:print_suppressions=0"
# sanitized COMMAND…: its own log folder is the caller's
sanitized() { ASAN_OPTIONS=$address LSAN_OPTIONS=$leaks "$@"; }

mkdir -p "$place" "$LOGS"
rm -rf "$reports"
# Written by the engine, which is the server's user.
install -d -m 0777 "$reports"
install -m 0644 dev/sanitize.supp "$place/sanitize.supp"

step 'an error and a leak that have to be found'
rustc --edition 2024 --target "$target" -Zsanitizer=address -Cforce-frame-pointers=yes -o "$place/sanitized" dev/sanitized.rs
finds() { ! sanitized "$place/sanitized" "$1" >"$LOGS/sanitized-$1.log" 2>&1 && grep -q "$2" "$LOGS/sanitized-$1.log"; }
outcome 'a use after free is found' finds use-after-free 'AddressSanitizer: heap-use-after-free'
outcome 'a leak is found' finds leak 'LeakSanitizer: detected memory leaks'
outcome 'what is right is let through' sanitized "$place/sanitized"

# Several minutes the first time. The crates that load C and C++ code; the others are safe Rust alone. Doc tests are left
# out: rustdoc would need flags of its own. Little is optimised, for that takes long and hides errors.
step 'the crates with sanitizers, and their tests'
crates=(--package inference --package engine)
export CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 CARGO_PROFILE_RELEASE_OPT_LEVEL=1
build() { RUSTFLAGS=$flags cargo "$@" --locked --target "$target" --target-dir "$place/target" --release "${crates[@]}"; }
log=$LOGS/sanitize-crates.log
ITEMBANK_ORT=$(onnxruntime_library)
export ITEMBANK_ORT
crates_pass() { sanitized build test --lib --bins --tests --no-fail-fast >"$log" 2>&1; }
outcome "the crates' tests" crates_pass
note "$(sed -nE 's/^test result: .* ([0-9]+) passed;.*/\1/p' "$log" | awk '{ n += $1 } END { print n + 0 }') tests; their output: $log"
build build >"$LOGS/sanitize-engine.log" 2>&1 || die 'the engine does not build' "the log: $LOGS/sanitize-engine.log"

# The supervisor clears the environment, so that a script has to say what the sanitizers are to do.
install -m 0755 "$place/target/$target/release/itembank-engine" "$place/itembank-engine.real"
cat >"$place/itembank-engine" <<END
#!/bin/sh
export ASAN_OPTIONS='$address:log_path=$reports/report' LSAN_OPTIONS='$leaks'
echo \$\$ >>'$reports/started'
exec '$place/itembank-engine.real' "\$@"
END
chmod 755 "$place/itembank-engine"

step "the engine with sanitizers behind PostgreSQL $PG: ${tests[*]}"
throwaway_start sanitize "itembank_embed.engine_path = '$place/itembank-engine'"
export ITEMBANK_ENGINE_PATH=$place/itembank-engine
log=$LOGS/sanitize-tests.log
# Not these: the environment of the engine, which has the options here; and what waits for a queue to fill within a time
# that an engine as it is shipped needs.
without=(--deselect tests/engine/test_access.py::test_the_engine_has_nothing_of_the_server --ignore tests/engine/test_orphans.py)
tests_pass() {
    dev/pytest.sh -p no:cacheprovider -m 'not backend' --color=no "${without[@]}" "${tests[@]}" >"$log" 2>&1
}
outcome 'the tests of the engine' tests_pass
note "$(tail -n 1 "$log"); their output: $log"
throwaway_stop
trap - EXIT
started=$(wc -l <"$reports/started" 2>/dev/null || echo 0)
ran() { ((started > 0)); }
outcome "engines with sanitizers ran: $started" ran
silent() { [[ -z $(find "$reports" -name 'report*' -size +0 -print -quit) ]]; }
outcome 'no error and no leak in any of them' silent
find "$reports" -name 'report*' -size +0 -exec head -n 60 {} \;
echo "$passed passed, $failed failed"
((failed == 0))
