#!/usr/bin/env bash
# The developer's own server in .dev/server-NN: server.sh up|down|reset|url|psql|status
source "$(dirname "$0")/lib.sh"
source "$ROOT/dev/postgres-choice.sh"
source "$ROOT/dev/cluster.sh"

SERVER=$DEV_DIR/server-$PG
DATABASE=itembank

must_run() { cluster_ready "$SERVER" || die "the server is not running" "start it: make up$CHOICE"; }
sql() { "$PGBIN/psql" -X -q -v ON_ERROR_STOP=1 -d "$(cluster_url "$SERVER" "$1")" "${@:2}"; }

make_database() {
    [[ $(sql postgres -Atc "SELECT count(*) FROM pg_database WHERE datname = '$DATABASE'") == 1 ]] ||
        sql postgres -c "CREATE DATABASE $DATABASE"
    PGOPTIONS='-c client_min_messages=warning' sql "$DATABASE" -c 'CREATE EXTENSION IF NOT EXISTS itembank_embed CASCADE'
}

up() {
    step "PostgreSQL $PG in $SERVER"
    cluster_create "$SERVER"
    cluster_start "$SERVER" </dev/null
    make_database
    note "psql \"\$(make -s url$CHOICE)\"   or   make psql$CHOICE"
}

down() {
    if cluster_pid "$SERVER" >/dev/null; then
        cluster_stop "$SERVER"
        step "PostgreSQL $PG is stopped"
    else
        step "PostgreSQL $PG was not running"
    fi
}

status() {
    local state=stopped
    [[ -f $SERVER/port ]] || die "there is no server yet" "make one: make up$CHOICE"
    if cluster_pid "$SERVER" >/dev/null; then state=running; fi
    cat <<END
state      $state, PostgreSQL $PG, as $SERVER_USER
url        $(cluster_url "$SERVER" "$DATABASE")
port       $(<"$SERVER/port") on 127.0.0.1; password of postgres in $SERVER/password
socket     $(if socket_fits "$SERVER"; then echo "$SERVER/run"; else echo 'none: the path is too long'; fi)
log        $SERVER/server.log
data       $SERVER/data
settings   $SERVER/server.conf
programs   $PGBIN
END
}

case ${1:-} in
    up | down | status) "$1" ;;
    reset)
        must_run
        sql postgres -c "DROP DATABASE IF EXISTS $DATABASE WITH (FORCE)"
        make_database
        ;;
    url)
        must_run
        cluster_url "$SERVER" "$DATABASE"
        ;;
    psql)
        must_run
        exec "$PGBIN/psql" -d "$(cluster_url "$SERVER" "$DATABASE")" "${@:2}"
        ;;
    *) die "server.sh up|down|reset|url|psql|status" ;;
esac
