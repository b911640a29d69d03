# One way to make, start and stop a private PostgreSQL cluster; for the dev server and for the tests.
# Sourced, after dev/lib.sh and dev/postgres-choice.sh. A cluster is a folder of the developer's, in which
#   data/  run/ (socket)  server.log    belong to the server's user, and
#   server.conf  port  password         to the developer.
# The folder itself is not the server's: as root nothing is written through a folder that `nobody` could change.
# Who may come in: through the socket the server's user and root; through TCP, loopback only, the password.
# shellcheck shell=bash

# PostgreSQL refuses to run as root. `nobody` is on every system, so no user has to be made.
if ((EUID == 0)); then SERVER_USER=nobody; else SERVER_USER=$(id -un); fi

# as_server COMMAND…: as the server's user, in a clean environment. A RUST_BACKTRACE of the developer's
# shell, for one, would put back traces into error messages. Only what CUDA looks at is let through.
# Without descriptor 9, the lock of dev/throwaway.sh: a server that outlives its script must not hold that.
as_server() {
    local clean=(env -i "PATH=/usr/bin:/bin" LANG=C.UTF-8 HOME=/ ${TZ:+"TZ=$TZ"}
        ${LD_LIBRARY_PATH:+"LD_LIBRARY_PATH=$LD_LIBRARY_PATH"}
        ${CUDA_VISIBLE_DEVICES:+"CUDA_VISIBLE_DEVICES=$CUDA_VISIBLE_DEVICES"})
    local become=()
    ((EUID != 0)) || become=(setpriv --reuid="$SERVER_USER" --regid="$(id -g "$SERVER_USER")" --clear-groups)
    (cd / && exec "${become[@]}" "${clean[@]}" "$@" 9>&-)
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
cluster_host() { if socket_fits "$1"; then echo "$1/run"; else echo 127.0.0.1; fi; }

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

# cluster_pid DIR: the server's process; fails where none runs. The pid file alone proves nothing: after a
# kill -9 or a reboot its number may be a stranger's. Only a postmaster works in its own data directory.
# Asked as the server's user, since root in a container may not look at the processes of others.
cluster_pid() {
    local pid
    [[ -f $1/data/postmaster.pid ]] && read -r pid <"$1/data/postmaster.pid" && [[ $pid =~ ^[0-9]+$ ]] &&
        [[ $(as_server readlink "/proc/$pid/cwd" 2>/dev/null) == "$(realpath "$1")/data" ]] && echo "$pid"
}

# cluster_ready DIR: waits for one that is still starting, recovering or stopping; fails where none runs
cluster_ready() {
    local until=$((SECONDS + START_SECONDS))
    while cluster_pid "$1" >/dev/null; do
        ! "$PGBIN/pg_isready" -q -U postgres -d postgres -h "$(cluster_host "$1")" -p "$(<"$1/port")" || return 0
        ((SECONDS < until)) || die "the server in $1 takes no connections" "its log: $1/server.log"
        sleep 0.2
    done
    return 1
}
START_SECONDS=300 # recovery after a crash takes its time

# cluster_create DIR: does nothing where there is one
cluster_create() {
    [[ ! -f $1/data/PG_VERSION ]] || return 0
    mkdir -p "$1"
    rm -rf "$1/data.new"
    install -d -m 0700 -o "$SERVER_USER" "$1/run" "$1/data.new"
    install -m 0600 -o "$SERVER_USER" /dev/null "$1/server.log"
    rm -f "$1/password"
    (umask 077 && od -An -N16 -tx1 /dev/urandom | tr -d ' \n' >"$1/password" && echo >>"$1/password")
    logged initdb init_data "$1"
    mv "$1/data.new" "$1/data"
}

# The password comes through a pipe, for the server's user may not read its file.
init_data() {
    as_server bash -c 'read -r password
        "$1" -D "$2" -U postgres --encoding=UTF8 --locale=C.UTF-8 --auth-local=trust --auth-host=scram-sha-256 \
            --pwfile=<(echo "$password") && echo "include = '\''../server.conf'\''" >>"$2/postgresql.conf"' \
        - "$PGBIN/initdb" "$1/data.new" <"$1/password"
}

# conf NAME VALUE: one line of a configuration file
conf() { printf "%s = '%s'\n" "$1" "${2//\'/\'\'}"; }

# Where models live: `server`, one engine process for all sessions, or `backend`, each session's own process.
ENGINE=${ENGINE:-server}

# server_conf DIR: its whole text; more settings, of conf's form, come on standard input
server_conf() {
    local sockets='' preload=shared_preload_libraries
    if socket_fits "$1"; then sockets=$1/run; fi
    # Loaded before a session's first statement in any case, so that its settings are guarded from then on.
    [[ $ENGINE == server ]] || preload=session_preload_libraries
    echo '# Written anew at every start by dev/cluster.sh. Your own settings: ALTER SYSTEM.'
    echo "# For $("$PGBIN/postgres" --version) in $PGBIN"
    # A library that is loaded at start is replaced by a start.
    echo "# With the extension of $(stat -c %y "$("$PG_CONFIG" --pkglibdir)/itembank_embed.so" 2>/dev/null || echo 'no build yet')"
    conf port "$(<"$1/port")"
    conf listen_addresses 127.0.0.1
    conf unix_socket_directories "$sockets"
    conf unix_socket_permissions 0700
    conf log_line_prefix '%m [%p] %q%u@%d '
    conf "$preload" itembank_embed
    conf itembank_embed.model_path "$MODELS"
    conf itembank_embed.onnxruntime_path "$(onnxruntime_library)"
    cat
}

# cluster_start DIR: sees to it that a server runs with these settings and programs; standard input as server_conf's
cluster_start() {
    local text running=''
    if cluster_ready "$1"; then
        running=1
    elif [[ ! -s $1/port ]] || port_taken "$(<"$1/port")"; then
        free_port >"$1/port"
    fi
    text=$(server_conf "$1")
    if [[ -n $running ]]; then
        [[ $text != "$(<"$1/server.conf")" ]] || return 0
        note 'its settings or programs have changed: it starts again'
        cluster_stop "$1"
    fi
    printf '%s\n' "$text" >"$1/server.conf"
    # What a dead server left behind names its number. Where that is another process's now, or a zombie's, PostgreSQL
    # would not start. The socket's lock is of no use; the data's gets a number that no process can have, and stays:
    # PostgreSQL still finds there whether backends were left over.
    rm -f "$1"/run/.s.PGSQL.*
    [[ ! -f $1/data/postmaster.pid ]] || as_server sed -i '1s/.*/2147483647/' "$1/data/postmaster.pid"
    as_server "$PGBIN/pg_ctl" start -w -t "$START_SECONDS" -s -D "$1/data" -l "$1/server.log" 2>/dev/null ||
        die "the server did not start" "its log: $1/server.log"
}

# cluster_stop DIR: by signal (SIGINT: fast), so that it needs neither pg_ctl nor the version that it was started with
cluster_stop() {
    local pid until=$((SECONDS + 60))
    pid=$(cluster_pid "$1") || return 0
    kill -INT "$pid"
    while cluster_pid "$1" >/dev/null; do
        ((SECONDS < until)) || die "the server in $1 (process $pid) does not stop"
        sleep 0.1
    done
}
