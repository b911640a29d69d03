#!/usr/bin/env bash
# Prints what a shell needs to use cargo, pytest and psql as these scripts do: eval "$(make -s env)"
source "$(dirname "$0")/lib.sh"
source "$ROOT/dev/postgres-choice.sh"
printf 'export PGRX_HOME=%q\n' "$PGRX_HOME"
printf 'export PATH=%q:%q:%q:"$PATH"\n' "$DEV_DIR/cargo-pgrx/bin" "$VENV/bin" "$PGBIN"
printf 'export ITEMBANK_MODELS=%q ITEMBANK_ORT=%q\n' "$MODELS" "$(onnxruntime_library)"
