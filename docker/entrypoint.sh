#!/bin/bash
# The container's first process: fills an empty data directory, then becomes tini (exec), which starts PostgreSQL, passes
# signals on and ends with its exit code. Orphans are the first process's, and PostgreSQL takes any child that a signal has
# ended for a crash: the engine, for one, is killed when its supervisor ends. tini is not the first process from the
# beginning, since the server's user can read its environment, and that would have the password.
# Its variables are those of the official postgres image, each also as NAME_FILE, a file that holds the value:
#   POSTGRES_PASSWORD           of the superuser; without it nothing starts, but for POSTGRES_HOST_AUTH_METHOD=trust
#   POSTGRES_USER, POSTGRES_DB  default: postgres, and a database named like the user
#   POSTGRES_INITDB_ARGS, POSTGRES_HOST_AUTH_METHOD (default: scram-sha-256)
# and ITEMBANK_DEMO=1, which adds the database `demo` with the sample items.
# /docker-entrypoint-initdb.d/*.sh, *.sql and *.sql.gz run once, in the order of their names, in POSTGRES_DB.
# All of this matters only at the first start: a later one reads none of the files, which may be gone then.
set -euo pipefail
shopt -s nullglob

note() { printf 'itembank-entrypoint: %s\n' "$*"; }
die() {
    printf 'error: %s\n' "$@" >&2
    exit 1
}

# setting NAME DEFAULT: gives NAME its value, from NAME_FILE where that is set
setting() {
    local file=$1_FILE value=${!1:-}
    if [[ -n ${!file:-} ]]; then
        [[ -z $value ]] || die "both $1 and $file are set: give one"
        value=$(<"${!file}")
    fi
    printf -v "$1" %s "${value:-$2}"
}

# run_sql DATABASE PSQL-ARGUMENT…: through the socket, as the superuser; a configuration of libpq's is not meant for this
run_sql() {
    env -u PGHOST -u PGHOSTADDR -u PGSERVICE psql -X -q -v ON_ERROR_STOP=1 --no-password \
        --username="$POSTGRES_USER" --dbname="$1" "${@:2}"
}

run_scripts() {
    local script
    for script in /docker-entrypoint-initdb.d/*; do
        note "$script"
        case $script in
            *.sh) if [[ -x $script ]]; then "$script"; else bash "$script"; fi ;;
            *.sql) run_sql "$POSTGRES_DB" -f "$script" ;;
            *.sql.gz) gunzip -c "$script" | run_sql "$POSTGRES_DB" ;;
            *) note "it is no .sh, .sql or .sql.gz, and left alone" ;;
        esac
    done
}

# unfinished FOLDER: whether it is only the link that a first start has instead
unfinished() { [[ $(readlink "$1") == "${1##*/}.new" ]]; }
forget_unfinished() { if unfinished "$PGDATA"; then rm "$PGDATA"; fi; }

make_cluster() {
    local - arguments
    # With the shell's quotes, as in the official image; but a * is never one of files.
    set -o noglob
    eval "arguments=($POSTGRES_INITDB_ARGS)"
    initdb -D "$1" --username="$POSTGRES_USER" --encoding=UTF8 --locale=C.UTF-8 --auth-local=trust \
        --auth-host="$POSTGRES_HOST_AUTH_METHOD" ${POSTGRES_PASSWORD:+--pwfile=<(printf '%s\n' "$POSTGRES_PASSWORD")} "${arguments[@]}"
    sed -i "1i include_if_exists = '/etc/itembank_embed/postgresql.conf'" "$1/postgresql.conf"
    printf '\nhost all all all %s\n' "$POSTGRES_HOST_AUTH_METHOD" >>"$1/pg_hba.conf"
}

# An image of another PostgreSQL looks for its data elsewhere in the volume, and a new, empty data directory beside the
# former would seem to have lost everything. These are the places of this image, of the official one's and of Debian's.
refuse_beside_another() {
    local other
    for other in /var/lib/postgresql/{*/data,*/docker,*/main,data,.}/PG_VERSION; do
        other=${other%/PG_VERSION}
        if [[ ${other%/.} != "$PGDATA" && -s $other/PG_VERSION ]] && ! unfinished "$other"; then
            die "a data directory of PostgreSQL $(<"$other/PG_VERSION") is there already: ${other%/.}" \
                "this image has $(postgres --version), and looks for its data in $PGDATA" \
                'take the data along by a dump and a restore into a new volume, or by pg_upgrade: docs/operating.md, Upgrading'
        fi
    done
}

# Everything that a first start does happens in a folder beside the data directory, which takes its name last: a start
# that was broken off leaves no half of a data directory, and the next one begins anew. Meanwhile the name is a link to that
# folder, since scripts may write it into the server's settings. Takes the server's options.
initialize() {
    local new=$PGDATA.new
    [[ -n $POSTGRES_PASSWORD || $POSTGRES_HOST_AUTH_METHOD == trust ]] || die 'POSTGRES_PASSWORD is not set' \
        'give the superuser a password: -e POSTGRES_PASSWORD=…' \
        'or let everybody in who reaches the port: -e POSTGRES_HOST_AUTH_METHOD=trust'
    forget_unfinished
    if { [[ -d $PGDATA ]] && ! rmdir "$PGDATA"; } || ! rm -rf "$new" || ! mkdir -p "$new"; then
        die "the user $(id -un) ($(id -u)) cannot make the data directory $PGDATA" \
            'mount a volume, or a folder of this user, at /var/lib/postgresql, and nothing at the data directory itself'
    fi
    make_cluster "$new"
    ln -s "${new##*/}" "$PGDATA"
    # Without TCP, so that nobody takes this for the server, and where psql looks for it, whatever the options say.
    env -u POSTGRES_PASSWORD pg_ctl -D "$PGDATA" -w -t 300 -s \
        -o "$(printf '%q ' "$@" -c listen_addresses= -k /var/run/postgresql -p "${PGPORT:-5432}")" start
    [[ $POSTGRES_DB == postgres ]] || run_sql postgres -v name="$POSTGRES_DB" <<<'CREATE DATABASE :"name"'
    run_sql "$POSTGRES_DB" -c 'SET client_min_messages = warning' -c 'CREATE EXTENSION itembank_embed CASCADE'
    if [[ $ITEMBANK_DEMO == 1 ]]; then
        note 'the sample items and their embeddings, half a minute on two cores'
        (cd /usr/share/itembank_embed/demo && run_sql postgres -f demo.sql)
    fi
    # The user's scripts find the values of all these variables.
    export PGDATA POSTGRES_PASSWORD POSTGRES_USER POSTGRES_DB POSTGRES_INITDB_ARGS POSTGRES_HOST_AUTH_METHOD
    run_scripts
    pg_ctl -D "$PGDATA" -w -t 300 -s -m fast stop
    forget_unfinished
    mv -T "$new" "$PGDATA"
    note 'the data directory is made'
}

# give_up EXIT-CODE: the end of a start that was told to end. The server of a first start is in no process group of ours.
give_up() {
    trap '' INT TERM
    if [[ -n $initializing ]]; then
        note 'stopped during the first start: the next one begins anew'
        kill -TERM -- "-$initializing" 2>/dev/null || true
        [[ ! -f $PGDATA.new/postmaster.pid ]] || pg_ctl -D "$PGDATA.new" -s -m immediate stop || true
        wait "$initializing" || true
        forget_unfinished
    fi
    exit "$1"
}

[[ ${1:-} != -* ]] || set -- postgres "$@"
if [[ ${1:-} == postgres ]]; then
    [[ $EUID != 0 ]] || die 'PostgreSQL does not run as root' 'run the image as its own user: leave --user out'
    # The first process has no signal's default action, and bash acts only when what it waits for lets it: `wait` does.
    initializing=
    trap 'give_up 130' INT
    trap 'give_up 143' TERM
    PGDATA=${PGDATA%/}
    if [[ ! -s $PGDATA/PG_VERSION ]] || unfinished "$PGDATA"; then
        refuse_beside_another
        setting POSTGRES_PASSWORD ''
        setting POSTGRES_USER postgres
        setting POSTGRES_DB "$POSTGRES_USER"
        setting POSTGRES_INITDB_ARGS ''
        setting POSTGRES_HOST_AUTH_METHOD scram-sha-256
        setting ITEMBANK_DEMO ''
        set -m # in a process group of its own
        initialize "${@:2}" </dev/null &
        initializing=$!
        set +m
        wait "$initializing"
        initializing=
    fi
    [[ ${POSTGRES_HOST_AUTH_METHOD:-} != trust ]] || note 'warning: everybody who reaches the port is let in without a password'
    # No session can read it from the environment of the server.
    unset POSTGRES_PASSWORD {POSTGRES_{PASSWORD,USER,DB,INITDB_ARGS,HOST_AUTH_METHOD},ITEMBANK_DEMO}_FILE
fi
# -s: orphans come to it even where another process is the first, as with `docker run --init` or in a pod.
exec tini -s -- "$@"
