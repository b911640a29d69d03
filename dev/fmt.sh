#!/usr/bin/env bash
# Lets the formatters write, and ruff mend what it can mend safely.
source "$(dirname "$0")/lib.sh"
cd "$ROOT"
cargo fmt --all
for folder in tests models; do
    [[ ! -d $folder ]] || "$VENV/bin/ruff" check --no-cache --quiet --fix "$folder" || true # `make lint` tells the rest
    [[ ! -d $folder ]] || "$VENV/bin/ruff" format --no-cache --quiet "$folder"
done
