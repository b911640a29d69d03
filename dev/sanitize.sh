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
engine_built() {
    build build "$@" >"$LOGS/sanitize-engine.log" 2>&1 || die 'the engine does not build' "the log: $LOGS/sanitize-engine.log"
    install -m 0755 "$place/target/$target/release/itembank-engine" "$place/itembank-engine.real"
    rm -rf "$reports"
    # Written by the engine, which is the server's user.
    install -d -m 0777 "$reports"
}
found_something() { [[ -n $(find "$reports" -type f -name 'report.*' -size +0 -print -quit) ]]; }

# The supervisor clears the environment, so that a script has to say what the sanitizers are to do.
cat >"$place/itembank-engine" <<END
#!/bin/sh
export ASAN_OPTIONS='$address:log_path=$reports/report' LSAN_OPTIONS='$leaks'
echo \$\$ >>'$reports/started'
exec '$place/itembank-engine.real' "\$@"
END
chmod 755 "$place/itembank-engine"
export ITEMBANK_ENGINE_PATH=$place/itembank-engine
served() { throwaway_start sanitize "itembank_embed.engine_path = '$ITEMBANK_ENGINE_PATH'"; }

# Under the same options and suppressions, with ONNX Runtime in the process, at the end that the supervisor gives it.
step 'an engine with a leak that has to be found'
engine_built --features engine/planted-leak
served
in_cluster itembank -c 'CREATE EXTENSION itembank_embed CASCADE' \
    -c "SELECT set_config('itembank_embed.model_path', '$ITEMBANK_FIXTURES', false)" \
    -c "SELECT embed('tiny-bert', 'a')" >/dev/null
throwaway_stop
leak_found() { grep -qs 'Direct leak of 4321 byte' "$reports"/report.*; }
outcome 'the leak of an engine behind a server is found' leak_found

engine_built
step "the engine with sanitizers behind PostgreSQL $PG: ${tests[*]}"
served
log=$LOGS/sanitize-tests.log
# Not the environment of the engine, which has the options here. Nor what kills engines, or their servers, in the midst of
# work and measures how long that takes: one that is killed has nothing to tell, and an instrumented one is slow.
without=(--deselect tests/engine/test_access.py::test_the_engine_has_nothing_of_the_server
    --ignore tests/engine/test_kill.py --ignore tests/engine/test_orphans.py)
tests_pass() { dev/pytest.sh -m 'not backend' --color=no "${without[@]}" "${tests[@]}" >"$log" 2>&1; }
outcome 'the tests of the engine' tests_pass
note "$(tail -n 1 "$log"); their output: $log"
throwaway_stop
trap - EXIT
started=$({ cat "$reports/started" 2>/dev/null || true; } | wc -l)
ran() { ((started > 0)); }
outcome "engines with sanitizers ran: $started" ran
silent() { ! found_something; }
outcome 'no error and no leak in any of them' silent
find "$reports" -type f -name 'report.*' -size +0 -exec head -n 60 {} \;
echo "$passed passed, $failed failed"
((failed == 0))
