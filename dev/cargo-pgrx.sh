#!/usr/bin/env bash
# cargo-pgrx at the pinned version: the one on the PATH where it is right, else one of our own.
source "$(dirname "$0")/lib.sh"

[[ $(cargo-pgrx pgrx --version 2>/dev/null) == "cargo-pgrx $CARGO_PGRX" ]] && exit

step "cargo-pgrx $CARGO_PGRX into .dev/cargo-pgrx (3 to 11 minutes)"
logged cargo-pgrx cargo install cargo-pgrx --version "$CARGO_PGRX" --locked --root "$DEV_DIR/cargo-pgrx"
