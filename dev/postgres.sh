#!/usr/bin/env bash
# Checks the chosen PostgreSQL and tells pgrx about it, as `cargo pgrx init` would.
source "$(dirname "$0")/lib.sh"
source "$ROOT/dev/postgres-choice.sh"
source "$ROOT/dev/cluster.sh"

# PG_CONFIG may be one of these, too.
case $PG_CONFIG in
    "$(private_bin 15)"/* | "$(private_bin 17)"/*) "$ROOT/dev/debian-postgres.sh" "$PG" ;;
esac

for program in initdb postgres pg_ctl pg_isready psql; do
    reachable "$PGBIN/$program" || die "PostgreSQL $PG: $SERVER_USER, the server's user, cannot run $PGBIN/$program" \
        "on Debian: apt-get install postgresql-$PG"
done
share=$("$PG_CONFIG" --sharedir)/extension
[[ -f $("$PG_CONFIG" --includedir-server)/postgres.h ]] ||
    die "$PG_CONFIG has no server headers" "on Debian: apt-get install postgresql-server-dev-$PG"
[[ -f $share/vector.control ]] ||
    die "$PG_CONFIG has no pgvector" "on Debian 13 and newer: apt-get install postgresql-$PG-pgvector"
for folder in "$share" "$("$PG_CONFIG" --pkglibdir)"; do
    [[ -w $folder ]] || die "the extension cannot be installed: $folder is not writable" \
        "run make as a user who may write there, or leave PG_CONFIG out: the private PostgreSQL needs no rights"
done

want=$(printf '[configs]\npg%s = "%s"' "$PG" "$PG_CONFIG")
[[ -f $PGRX_HOME/config.toml && $(<"$PGRX_HOME/config.toml") == "$want" ]] && exit
step "PostgreSQL: $("$PG_CONFIG" --version), $PG_CONFIG"
mkdir -p "$PGRX_HOME"
printf '%s\n' "$want" >"$PGRX_HOME/config.toml"
