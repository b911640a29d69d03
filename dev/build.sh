#!/usr/bin/env bash
# Builds the extension and the engine's executable (release) and installs them into the chosen PostgreSQL. Does
# nothing where no source changed.
#   dev/build.sh 16 18   into these private ones instead
source "$(dirname "$0")/lib.sh"
if (($# > 0)); then
    for major in "$@"; do
        env -u PG_CONFIG PG="$major" "$ROOT/dev/postgres.sh"
        env -u PG_CONFIG PG="$major" "$0"
    done
    exit
fi
source "$ROOT/dev/postgres-choice.sh"
cd "$ROOT"

# The stamp is as old as the build, so `find -newer` sees edits; folders are looked at too,
# because a deleted file shows only there.
sources=(Cargo.toml Cargo.lock itembank_embed.control src crates sql)
want="$PG_CONFIG $("$PG_CONFIG" --version) $(rustc --version)"
name=build-$PG
engine=$("$PG_CONFIG" --pkglibdir)/itembank-engine
if stamped "$name" "$want" && [[ -f $("$PG_CONFIG" --sharedir)/extension/itembank_embed.control && -x $engine ]] &&
    [[ -z $(find "${sources[@]}" -newer "$DEV_DIR/stamps/$name" -print -quit) ]]; then
    exit
fi

began=$(mktemp) # a source that is saved while cargo runs must count as newer
trap 'rm -f "$began"' EXIT
step "the extension, release build for PostgreSQL $PG (3 to 5 minutes the first time)"
logged build env RUST_BACKTRACE=0 cargo pgrx install --release --pg-config "$PG_CONFIG" "${PG_FEATURES[@]}"
step "the engine's executable, release build"
logged build-engine cargo build --release --package engine --target-dir target
# Put in place by renaming: a running engine keeps the old file.
install -m 0755 target/release/itembank-engine "$engine.new"
mv -f "$engine.new" "$engine"
stamp "$name" "$want"
touch -r "$began" "$DEV_DIR/stamps/$name"
