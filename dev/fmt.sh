#!/usr/bin/env bash
# Lets the formatters write, and ruff mend what it can mend safely.
source "$(dirname "$0")/lib.sh"
cd "$ROOT"
cargo fmt --all
"$VENV/bin/ruff" check --no-cache --quiet --fix tests models || true # `make lint` tells the rest
"$VENV/bin/ruff" format --no-cache --quiet tests models
