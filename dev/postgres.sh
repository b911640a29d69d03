#!/usr/bin/env bash
# Checks the chosen PostgreSQL and tells pgrx about it, as `cargo pgrx init` would.
source "$(dirname "$0")/lib.sh"
source "$ROOT/dev/postgres-choice.sh"

# The wheel's 16 and 18 are always known to pgrx; PG_CONFIG stands in for its own major version.
configs() {
    local -A known=([16]=$WHEEL/pginstall/bin/pg_config [18]=$WHEEL/pginstall18/bin/pg_config)
    known[$PG]=$PG_CONFIG
    echo '[configs]'
    for major in 15 16 17 18; do
        [[ -z ${known[$major]:-} ]] || printf 'pg%s = "%s"\n' "$major" "${known[$major]}"
    done
}

want=$(configs)
[[ -f $PGRX_HOME/config.toml && $(<"$PGRX_HOME/config.toml") == "$want" ]] && exit

step "PostgreSQL: $("$PG_CONFIG" --version), $PG_CONFIG"
[[ -f $("$PG_CONFIG" --includedir-server)/postgres.h ]] ||
    die "$PG_CONFIG has no server headers" "on Debian: apt-get install postgresql-server-dev-$PG"
[[ -f $("$PG_CONFIG" --sharedir)/extension/vector.control ]] ||
    die "$PG_CONFIG has no pgvector" "on Debian 13 and newer: apt-get install postgresql-$PG-pgvector"
mkdir -p "$PGRX_HOME"
printf '%s\n' "$want" >"$PGRX_HOME/config.toml"
