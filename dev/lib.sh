# Shared by every script of dev/: where things are, and how a step reports itself. Sourced, never run.
# shellcheck shell=bash disable=SC2034 # the names set here are for the scripts that source this
set -euo pipefail

umask 022 # the server may run as another user, and must be able to read what is built here

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
DEV_DIR=$(realpath -m "${DEV_DIR:-$ROOT/.dev}") # .dev may be a link: see dev/place.sh
VENV=$DEV_DIR/venv
MODELS=$DEV_DIR/models
LOGS=$DEV_DIR/logs
MARKER=.made-by-itembank # only a DEV_DIR that has this file is ever removed
# A cargo-pgrx of ours comes first; rustup's folder comes last, for shells that never read a profile.
export PATH=$DEV_DIR/cargo-pgrx/bin:$PATH:${HOME:-/}/.cargo/bin
export PYTHONDONTWRITEBYTECODE=1 # no __pycache__ between the sources

# shellcheck source=dev/versions.env
source "$ROOT/dev/versions.env"

step() { printf '==> %s\n' "$*"; }
note() { printf '    %s\n' "$*"; }
die() {
    printf 'error: %s\n' "$1" >&2
    shift
    (($# == 0)) || printf '       %s\n' "$@" >&2
    exit 1
}

# require_space WHAT DEV ROOT: an error now, where a disk would be full later, and one thing after another fail for it. So
# many MB are needed for .dev and for the project's folder.
require_space() {
    if [[ $(stat -Lc %d "$DEV_DIR") == $(stat -Lc %d "$ROOT") ]]; then
        space_in "$ROOT" $(($2 + $3)) "$1"
    else
        space_in "$DEV_DIR" "$2" "$1"
        space_in "$ROOT" "$3" "$1"
    fi
}
space_in() { # FOLDER MB WHAT
    local free
    free=$(df -Pm "$1" | awk 'NR == 2 { print $4 }')
    ((free >= $2)) || die "$1 has $free MB of free disk space, and $3 takes about $2" \
        'make room there; downloads and databases may lie elsewhere: make … DEV_DIR=/where/else'
}

# logged NAME COMMAND…: runs it with its output in .dev/logs/NAME.log; shows a sign of life every 15 s,
# and on failure the end of the log and where the rest is.
logged() {
    local log=$LOGS/$1.log began=$SECONDS ticker rc=0
    shift
    mkdir -p "$LOGS"
    : >"$log"
    while sleep 15 >/dev/null 2>&1 && kill -0 $$; do
        note "$((SECONDS - began)) s: $(tail -c 300 "$log" | tr '\r' '\n' | sed '/^ *$/d' | tail -n 1 | cut -c 1-100)"
    done 2>/dev/null &
    ticker=$!
    "$@" >"$log" 2>&1 </dev/null || rc=$?
    kill "$ticker" 2>/dev/null && wait "$ticker" 2>/dev/null || true
    ((rc == 0)) && return
    tail -n 20 "$log" >&2
    die "exit code $rc from: $1" "the whole log: $log"
}

# A stamp says what a step was done for: with other pins, say, it is done again.
stamped() { [[ -f $DEV_DIR/stamps/$1 && $(<"$DEV_DIR/stamps/$1") == "$2" ]]; }
stamp() {
    mkdir -p "$DEV_DIR/stamps"
    printf '%s\n' "$2" >"$DEV_DIR/stamps/$1"
}

# The pins of the venv as pip wants them.
python_pins() { sed -n 's/^PY_\([A-Za-z0-9_]*\)=\(.*\)/\1==\2/p' "$ROOT/dev/versions.env"; }

# Where Python put its packages; empty before `make setup`.
site_packages() { compgen -G "$VENV/lib/python3*/site-packages" | head -n 1 || true; }

# The ONNX Runtime library of the venv; empty before `make setup`.
onnxruntime_library() { compgen -G "$(site_packages)/onnxruntime/capi/libonnxruntime.so.*" | head -n 1 || true; }
