#!/usr/bin/env bash
# .dev/reference: the Python environment of the parity tests' reference (torch, transformers, …; several GB), made
# where it is missing. Only fixtures.sh, parity.sh and vocabularies.sh record need it. Prints its interpreter.
#   REFERENCE_PYTHON=/path/to/python   one of your own that has tests/fixtures/reference/requirements.txt
source "$(dirname "$0")/lib.sh"

pins=$ROOT/tests/fixtures/reference/requirements.txt
if [[ -n ${REFERENCE_PYTHON:-} ]]; then
    "$REFERENCE_PYTHON" -c 'import torch, transformers, sentencepiece, qwen_vl_utils, sentence_transformers, fastembed, psycopg' ||
        die "REFERENCE_PYTHON=$REFERENCE_PYTHON has not all of $pins"
    echo "$REFERENCE_PYTHON"
    exit
fi

reference=$DEV_DIR/reference
want=$(sha256sum <"$pins")
if ! stamped reference "$want" || [[ ! -x $reference/bin/python ]]; then
    step 'the reference (torch, transformers: several GB) into .dev/reference' >&2
    rm -rf "$reference"
    logged reference-venv "$(python3 -c 'import sys; print(sys._base_executable)')" -m venv "$reference" >&2
    logged reference "$reference/bin/python" -m pip install --only-binary :all: -r "$pins" >&2
    stamp reference "$want"
fi
echo "$reference/bin/python"
