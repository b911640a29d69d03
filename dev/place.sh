#!/usr/bin/env bash
# Makes .dev/ and sees to it that the server's user can reach it: as root the server runs as `nobody`,
# who cannot enter a project below a private folder (a 0700 home, `mktemp -d`).
source "$(dirname "$0")/lib.sh"
source "$ROOT/dev/cluster.sh"

((EUID != 0)) || command -v setpriv >/dev/null || die "setpriv is missing on this machine" "Debian's package: util-linux"

above=$DEV_DIR
until [[ -d $above ]]; do above=$(dirname "$above"); done
if [[ $DEV_DIR == "$ROOT/.dev" && ! -e $DEV_DIR ]] && ! reachable "$above"; then
    # Only for root; a folder that others can write to, /var/tmp, would be cleaned up one day besides.
    elsewhere=$(mktemp -d "/var/lib/${ROOT##*/}-dev-XXXXXX")
    chmod 755 "$elsewhere"
    ln -s "$elsewhere" "$DEV_DIR"
    step "the server's user ($SERVER_USER) cannot enter $ROOT, so .dev is a link to $elsewhere"
    DEV_DIR=$elsewhere
fi
[[ -e $DEV_DIR ]] || mkdir -p "$DEV_DIR"
[[ -d $ROOT/target/release ]] || require_space 'building it from nothing' 2000 2000

# Programs are run from here, and `make clean-dev` removes it: it must be ours alone.
[[ $(stat -c %u "$DEV_DIR") == "$EUID" ]] || die "$DEV_DIR belongs to $(stat -c %U "$DEV_DIR")" \
    "run make as that user, or choose another folder: make … DEV_DIR=/where/else"
((0$(stat -c %a "$DEV_DIR") & 022)) && die "$DEV_DIR can be written to by others" "run:  chmod go-w $DEV_DIR"
if [[ ! -f $DEV_DIR/$MARKER ]]; then
    [[ $DEV_DIR == "$ROOT/.dev" || -z $(ls -A "$DEV_DIR") ]] ||
        die "DEV_DIR=$DEV_DIR is not empty" "give a folder that is empty or not there yet"
    echo 'Made by dev/place.sh; `make clean-dev` removes this folder with all that is in it.' >"$DEV_DIR/$MARKER"
fi

reachable "$DEV_DIR" || die "the server's user ($SERVER_USER) cannot enter $DEV_DIR" \
    "keep the developer folder where everybody may look: make … DEV_DIR=/var/lib/${ROOT##*/}-dev"
