#!/usr/bin/env bash
# bench.sh NAME…: tests/bench/NAME.py, one after the other, each against a throw-away server of its own that it knows
# by the ITEMBANK_* variables. full-size is full_size.py; engine stands for all that measure the engine process.
# Without a name: all but full-size, each as far as it goes with what is there; a bench that was asked for by name
# makes the models that it is missing.
source "$(dirname "$0")/lib.sh"
source "$ROOT/dev/postgres-choice.sh"
source "$ROOT/dev/cluster.sh"
source "$ROOT/dev/throwaway.sh"
cd "$ROOT"
export PYTHONUNBUFFERED=1

# Those that say themselves in which session models live: they need a server that has an engine process.
OF_ENGINE=(p1_p2 p3 p4 p5 p6 columns_p6 columns_interactive columns_writes p8 p10 p11)
EVERYDAY=("${OF_ENGINE[@]}" p7 p9 families rerank)
names=()
for name in "$@"; do
    if [[ $name == engine ]]; then names+=("${OF_ENGINE[@]}"); else names+=("$name"); fi
done
(($# > 0)) || names=("${EVERYDAY[@]}")
for name in "${names[@]}"; do
    [[ -f tests/bench/${name//-/_}.py ]] ||
        die "there is no bench $name" "there are: engine ${EVERYDAY[*]} full-size"
    [[ $ENGINE == server || " ${OF_ENGINE[*]} " != *" $name "* ]] || die "bench $name needs ENGINE=server"
done

# What a bench needs besides the server and the default model.
prepare() {
    case $1 in
        p7)
            logged image-bench cargo build --quiet --release --target-dir target -p inference --example image_bench
            export ITEMBANK_IMAGE_BENCH=$ROOT/target/release/examples/image_bench
            ;;
        rerank)
            export ITEMBANK_BENCH_MODELS=$DEV_DIR/full-size
            env -u FROM -u DTYPE -u FORCE dev/model.sh all-MiniLM-L6-v2 # its tokenizer
            ;;
        families | full-size)
            export ITEMBANK_BENCH_MODELS=$DEV_DIR/full-size
            [[ $ITEMBANK_BENCH_ASKED != "$1" ]] || dev/vocabularies.sh
            ;;
    esac
}

for name in "${names[@]}"; do
    step "bench $name, PostgreSQL $PG"
    (
        export ITEMBANK_BENCH_ASKED=''
        (($# == 0)) || ITEMBANK_BENCH_ASKED=$name
        prepare "$name"
        throwaway_start bench
        in_cluster itembank -c 'CREATE EXTENSION itembank_embed CASCADE'
        "$VENV/bin/python" "tests/bench/${name//-/_}.py"
    )
done
