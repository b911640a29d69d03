# One way to make, start and stop a private PostgreSQL cluster; for the dev server and for the tests.
# Sourced, after dev/lib.sh and dev/postgres-choice.sh. A cluster is a folder:
#   data/  run/ (socket, 0700)  server.log  server.conf  port  password
# Who may come in: through the socket the server's user and root; through TCP, loopback only, the password.
# shellcheck shell=bash

# PostgreSQL refuses to run as root. `nobody` is on every system, so no user has to be made.
if ((EUID == 0)); then SERVER_USER=nobody; else SERVER_USER=$(id -un); fi

# as_server COMMAND…: as the server's user, in a clean environment. A RUST_BACKTRACE of the developer's
# shell, for one, would put back traces into error messages. Only what CUDA looks at is let through.
as_server() {
    local clean=(env -i "PATH=/usr/bin:/bin" LANG=C.UTF-8 HOME=/ ${TZ:+"TZ=$TZ"}
        ${LD_LIBRARY_PATH:+"LD_LIBRARY_PATH=$LD_LIBRARY_PATH"}
        ${CUDA_VISIBLE_DEVICES:+"CUDA_VISIBLE_DEVICES=$CUDA_VISIBLE_DEVICES"})
    local become=()
    ((EUID != 0)) || become=(setpriv --reuid="$SERVER_USER" --regid="$(id -g "$SERVER_USER")" --clear-groups)
    (cd / && exec "${become[@]}" "${clean[@]}" "$@")
}

reachable() { as_server test -x "$1"; }

port_taken() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
free_port() {
    local port
    # Below 32768, where the kernel takes the ports of outgoing connections from.
    while port=$((20000 + RANDOM % 12000)) && port_taken "$port"; do :; done
    echo "$port"
}

# A socket's path has to fit into 107 bytes; where it does not, the cluster is reached through TCP.
socket_fits() { (LC_ALL=C; local path=$1/run/.s.PGSQL.00000; ((${#path} <= 107))); }

url_encode() (
    LC_ALL=C
    for ((i = 0; i < ${#1}; i++)); do
        c=${1:i:1}
        case $c in [A-Za-z0-9._-]) printf %s "$c" ;; *) printf '%%%02X' "'$c" ;; esac
    done
)

# cluster_url DIR DATABASE
cluster_url() {
    if socket_fits "$1"; then
        echo "postgresql://postgres@/$2?host=$(url_encode "$1/run")&port=$(<"$1/port")"
    else
        echo "postgresql://postgres:$(<"$1/password")@127.0.0.1:$(<"$1/port")/$2"
    fi
}

cluster_running() {
    local host=127.0.0.1
    [[ -f $1/data/postmaster.pid ]] || return 1
    if socket_fits "$1"; then host=$1/run; fi
    "$PGBIN/pg_isready" -q -h "$host" -p "$(<"$1/port")"
}

# cluster_create DIR: does nothing where there is one
cluster_create() {
    [[ -f $1/data/PG_VERSION ]] && return
    mkdir -p "$1"
    ((EUID != 0)) || chown "$SERVER_USER" "$1"
    rm -rf "$1/data.new"
    as_server mkdir -p -m 0700 "$1/run"
    # Written by the server's user, who alone (with root) may read it.
    as_server bash -c 'umask 077; od -An -N16 -tx1 /dev/urandom | tr -d " \n" >"$1/password"' - "$1"
    logged initdb as_server "$PGBIN/initdb" -D "$1/data.new" -U postgres --encoding=UTF8 --locale=C.UTF-8 \
        --auth-local=trust --auth-host=scram-sha-256 --pwfile="$1/password"
    as_server bash -c 'echo "include = '\''../server.conf'\''" >>"$1/data.new/postgresql.conf"' - "$1"
    as_server mv "$1/data.new" "$1/data"
}

# conf NAME VALUE: one line of a configuration file
conf() { printf "%s = '%s'\n" "$1" "${2//\'/\'\'}"; }

# cluster_start DIR: more settings, of conf's form, come on standard input
cluster_start() {
    local sockets=''
    if socket_fits "$1"; then sockets=$1/run; fi
    if [[ ! -s $1/port ]] || port_taken "$(<"$1/port")"; then free_port >"$1/port"; fi
    {
        echo '# Written anew at every start by dev/cluster.sh. Your own settings: ALTER SYSTEM.'
        conf port "$(<"$1/port")"
        conf listen_addresses 127.0.0.1
        conf unix_socket_directories "$sockets"
        conf unix_socket_permissions 0700
        conf log_line_prefix '%m [%p] %q%u@%d '
        conf itembank_embed.model_path "$MODELS"
        conf itembank_embed.onnxruntime_path "$(onnxruntime_library)"
        cat
    } >"$1/server.conf"
    echo "$PGBIN" >"$1/programs"
    as_server "$PGBIN/pg_ctl" start -w -t 60 -s -D "$1/data" -l "$1/server.log" ||
        die "the server did not start" "its log: $1/server.log"
}

cluster_stop() {
    [[ -f $1/data/postmaster.pid ]] || return 0
    as_server "$PGBIN/pg_ctl" stop -w -t 60 -s -m fast -D "$1/data"
}
