#!/usr/bin/env bash
# fuzz.sh [SECONDS]: every target of fuzz/ for so long (60), from the corpus in the tree; TARGET=image only that one.
# Ends with `N passed, N failed`. What is found lies in fuzz/artifacts/TARGET and ends that target. See fuzz/README.md.
#   dev/fuzz.sh corpus   instead: fuzz/corpus anew, from the tests' fixtures and what the fuzzer has learnt here
source "$(dirname "$0")/lib.sh"
cd "$ROOT"

tool=$DEV_DIR/cargo-fuzz
# Bytes of a seed, and seeds of a target, that are kept in the tree.
LARGEST=8192
MOST=150
mapfile -t targets < <(cd fuzz/fuzz_targets && printf '%s\n' *.rs | sed 's/\.rs$//')
if [[ -n ${TARGET:-} ]]; then
    [[ -f fuzz/fuzz_targets/$TARGET.rs ]] || die "there is no target $TARGET" "there are: ${targets[*]}"
    targets=("$TARGET")
fi

# cargo_fuzz COMMAND ARGUMENT…: sanitizers are for nightly compilers: RUSTC_BOOTSTRAP lets the stable one have them.
cargo_fuzz() {
    RUSTC_BOOTSTRAP=1 "$tool/bin/cargo-fuzz" "$1" --target-dir "$DEV_DIR/fuzz-target" --sanitizer "${SANITIZER:-address}" "${@:2}"
}

# limits TARGET: options of libFuzzer. The time is that of a clock, also where others have the machine.
limits() {
    local longest=65536
    # With the sanitizer some tokenizers take milliseconds a kilobyte.
    [[ $1 != tokenizer ]] || longest=16384
    echo "-max_len=${MAX_LEN:-$longest} -timeout=60 -rss_limit_mb=2048"
    # No length that is only claimed may take memory: a message is at most as long as an input.
    [[ $1 != protocol ]] || echo '-malloc_limit_mb=16'
}

# seeds TARGET FOLDER: what there is to begin with, from the fixtures of the tests
seeds() {
    local model name file
    case $1 in
        image) cp tests/fixtures/images/*.* "$2" ;;
        manifest)
            for model in tests/fixtures/models/*/; do
                name=$(basename "$model")
                if [[ -f $model/model.toml ]]; then
                    cp "$model/model.toml" "$2/$name"
                    continue
                fi
                # The files of a layout, in the order of crates/inference/src/fuzz.rs, with separators between.
                for file in config modules 1_Pooling/config sentence_bert_config config_sentence_transformers tokenizer_config; do
                    [[ ! -f $model/$file.json ]] || cat "$model/$file.json"
                    [[ $file == tokenizer_config ]] || printf '\x1e'
                done >"$2/$name"
            done
            ;;
        protocol) cargo run --quiet --locked --package protocol --example seeds -- "$2" ;;
        metrics) cargo run --quiet --locked --package retrieval-metrics --example seeds -- "$2" ;;
        tokenizer)
            for model in tests/fixtures/models/*/; do
                name=$(basename "$model")
                { cat "$model/tokenizer.json" && printf '\x1e두 수의 합: $x^2$ [SEP] query'; } >"$2/$name"
            done
            awk 'NR % 20 == 1' tests/data/item_bank/items.csv | cut -d, -f2- | split -l 1 - "$2/item-"
            ;;
    esac
}

# corpus TARGET: replaces fuzz/corpus/TARGET by the least of it, of the fixtures and of what was learnt that covers the same
corpus() {
    local count all=$DEV_DIR/fuzz/$1-all least=$DEV_DIR/fuzz/$1-least
    rm -rf "$all" "$least"
    mkdir -p "$all" "$least" "$DEV_DIR/fuzz/$1" "fuzz/corpus/$1"
    seeds "$1" "$all"
    # Files are named after what they hold: the same may lie in both.
    find "fuzz/corpus/$1" -type f -exec cp -t "$all" {} +
    find "$DEV_DIR/fuzz/$1" -type f -exec cp -t "$all" {} +
    find "$all" -type f -size "+${LARGEST}c" -delete
    # shellcheck disable=SC2046 # several words
    logged "cmin-$1" cargo_fuzz cmin "$1" "$all" -- $(limits "$1")
    # Of many some of every size; the rest is for the fuzzer to find again.
    count=$(find "$all" -type f | wc -l)
    find "$all" -type f -printf '%s %p\n' | sort -n | awk -v step="$(((count + MOST - 1) / MOST))" 'NR % step == 0' |
        cut -d' ' -f2- | xargs -d '\n' cp -t "$least"
    rm -rf "fuzz/corpus/$1"
    mv "$least" "fuzz/corpus/$1"
    rm -rf "$all"
    note "$1: $(find "fuzz/corpus/$1" -type f | wc -l) files, $(du -sb "fuzz/corpus/$1" | cut -f1) bytes"
}

# fuzz TARGET: what the fuzzer adds to its corpus stays out of the sources
fuzz() {
    local log=$LOGS/fuzz-$1.log rc=0
    mkdir -p "$DEV_DIR/fuzz/$1" "$LOGS"
    # shellcheck disable=SC2046 # several words
    cargo_fuzz run "$1" "$DEV_DIR/fuzz/$1" "fuzz/corpus/$1" -- -max_total_time="$seconds" -print_final_stats=1 \
        $(limits "$1") >"$log" 2>&1 </dev/null || rc=$?
    runs=$(sed -nE 's/^stat::number_of_executed_units: +([0-9]+)$/\1/p' "$log")
    # A fuzzer that executed nothing proves nothing.
    ((rc == 0 && ${runs:-0} > 0))
}

if [[ $("$tool/bin/cargo-fuzz" --version 2>/dev/null) != "cargo-fuzz $CARGO_FUZZ" ]]; then
    step "cargo-fuzz $CARGO_FUZZ into .dev/cargo-fuzz (1 to 3 minutes)"
    logged cargo-fuzz cargo install cargo-fuzz --version "$CARGO_FUZZ" --locked --root "$tool"
fi
step 'the targets, with the address sanitizer (some minutes the first time)'
logged fuzz-build cargo_fuzz build

if [[ ${1:-} == corpus ]]; then
    for target in "${targets[@]}"; do corpus "$target"; done
    exit
fi
seconds=${1:-60}
passed=0
failed=0
for target in "${targets[@]}"; do
    runs=0
    if fuzz "$target"; then
        passed=$((passed + 1))
        note "ok      $target: $runs inputs in $seconds s"
    else
        failed=$((failed + 1))
        note "FAILED  $target: see $LOGS/fuzz-$target.log"
        grep -aE -A1 'panicked at|ERROR: |SUMMARY: |Test unit written' "$LOGS/fuzz-$target.log" | cut -c 1-300 || true
    fi
done
echo "$passed passed, $failed failed"
((failed == 0))
