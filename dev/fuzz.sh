#!/usr/bin/env bash
# fuzz.sh [TARGET] [SECONDS]: fuzzes one target of fuzz/, `image` for 60 s unless told otherwise. What it finds lies
# in fuzz/artifacts/TARGET, and stops it. See fuzz/README.md.
source "$(dirname "$0")/lib.sh"
cd "$ROOT"

target=${1:-image}
seconds=${2:-60}
tool=$DEV_DIR/cargo-fuzz
corpus=$DEV_DIR/fuzz/$target
[[ -f fuzz/fuzz_targets/$target.rs ]] || die "there is no target $target" "there are: $(cd fuzz/fuzz_targets && echo *.rs)"

if [[ $("$tool/bin/cargo-fuzz" --version 2>/dev/null) != "cargo-fuzz $CARGO_FUZZ" ]]; then
    step "cargo-fuzz $CARGO_FUZZ into .dev/cargo-fuzz (1 to 3 minutes)"
    logged cargo-fuzz cargo install cargo-fuzz --version "$CARGO_FUZZ" --locked --root "$tool"
fi

# Seeds are copied each time: what a fuzzer adds to its corpus stays out of the sources.
mkdir -p "$corpus"
limits=()
case $target in
image) cp tests/fixtures/images/*.* "$corpus" ;;
manifest)
    for model in tests/fixtures/models/*/; do
        name=$(basename "$model")
        if [[ -f $model/model.toml ]]; then
            cp "$model/model.toml" "$corpus/$name"
            continue
        fi
        # The files of a layout, in the order of crates/inference/src/fuzz.rs, with separators between.
        for file in config modules 1_Pooling/config sentence_bert_config config_sentence_transformers tokenizer_config; do
            [[ ! -f $model/$file.json ]] || cat "$model/$file.json"
            [[ $file == tokenizer_config ]] || printf '\x1e'
        done >"$corpus/$name"
    done
    ;;
protocol)
    cargo run --quiet --locked --package protocol --example seeds -- "$corpus"
    # No length that is only claimed may take memory: a message is at most as long as an input.
    limits=(-malloc_limit_mb=16)
    ;;
esac

# Sanitizers are for nightly compilers: this lets the stable one have them.
step "fuzzing $target for $seconds s"
export RUSTC_BOOTSTRAP=1
"$tool/bin/cargo-fuzz" run "$target" "$corpus" --target-dir "$DEV_DIR/fuzz-target" --sanitizer "${SANITIZER:-address}" -- \
    -max_total_time="$seconds" -max_len="${MAX_LEN:-65536}" -timeout=20 -rss_limit_mb=2048 -print_final_stats=1 "${limits[@]}"
