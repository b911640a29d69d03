#!/usr/bin/env bash
# Makes .dev/ and sees to it that the server's user can reach it: as root the server runs as `nobody`,
# who cannot enter a project below a private folder (a 0700 home, `mktemp -d`).
source "$(dirname "$0")/lib.sh"
source "$ROOT/dev/cluster.sh"

above=$(dirname "$DEV_DIR")
until [[ -d $above ]]; do above=$(dirname "$above"); done
if reachable "$above"; then
    mkdir -p "$DEV_DIR"
elif [[ $DEV_DIR == "$ROOT/.dev" && ! -e $DEV_DIR ]]; then
    elsewhere=$(mktemp -d "/var/tmp/${ROOT##*/}-dev-XXXXXX")
    chmod 755 "$elsewhere"
    ln -s "$elsewhere" "$DEV_DIR"
    step "the server's user ($SERVER_USER) cannot enter $ROOT, so .dev is a link to $elsewhere"
    DEV_DIR=$elsewhere
fi
reachable "$DEV_DIR" || die "the server's user ($SERVER_USER) cannot enter $DEV_DIR" \
    "keep the developer folder where everybody may look, for example:" \
    "export DEV_DIR=/var/tmp/${ROOT##*/}-dev"
