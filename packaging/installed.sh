#!/bin/bash
# installed.sh PG VERSION: installs, uses, upgrades and removes the packages in /packages. Run by dev/package-test.sh in a
# clean Debian that is thrown away afterwards, as root. Ends with `N passed, N failed`.
set -uo pipefail

PG=$1
VERSION=$2
MODEL=multilingual-e5-small
PACKAGES=("postgresql-$PG-itembank-embed" itembank-embed-common "itembank-embed-model-$MODEL")
SETTINGS=/etc/postgresql/$PG/main/conf.d/itembank.conf
RUNTIME=/usr/lib/itembank-embed/libonnxruntime.so
export DEBIAN_FRONTEND=noninteractive LANG=C.UTF-8 DEBIAN_PRIORITY=critical

passed=0
failed=0
# check NAME COMMAND…: one line, and the end of the command's output where it fails
check() {
    local name=$1 output
    shift
    if output=$("$@" 2>&1 </dev/null); then
        passed=$((passed + 1))
        echo "    ok      $name"
    else
        failed=$((failed + 1))
        echo "    FAILED  $name"
        tail -n 30 <<<"$output"
    fi
}

# The superuser and an ordinary role, each as its own user of the system (peer authentication).
sql_as() { runuser -u "$1" -- psql -X -q -At -v ON_ERROR_STOP=1 -d "$2" -c "SET client_min_messages = warning" -c "$3"; }
prints() { # EXPECTED USER DATABASE SQL
    local found
    found=$(sql_as "$2" "$3" "$4") || return
    [[ $found == "$1" ]] || {
        printf 'expected: %s\nfound:    %s\n' "$1" "$found"
        return 1
    }
}
cluster() { pg_ctlcluster "$PG" main "$@"; }
have() { [[ -e $1 ]] || [[ -L $1 ]]; }

# preload yes|no: with the engine process, or with models in each session
preload() {
    mkdir -p "${SETTINGS%/*}"
    if [[ $1 == yes ]]; then
        echo "shared_preload_libraries = 'itembank_embed'" >"$SETTINGS"
    else
        rm -f "$SETTINGS"
    fi
    cluster restart
}

install_packages() { apt-get install -q -y --no-install-recommends "${DEBS[@]}"; }
checksums_hold() { [[ -z $(dpkg --verify "${PACKAGES[@]}") ]]; }
engine_pid() {
    local process
    for process in /proc/[0-9]*; do
        [[ $(readlink "$process/exe") == "/usr/lib/postgresql/$PG/lib/itembank-engine" ]] && echo "${process#/proc/}" && return
    done
    return 1
}
engine_is_the_servers() { [[ $(stat -c %U "/proc/$(engine_pid)") == postgres ]]; }
no_engine() { ! engine_pid; }
runtime_in_session() {
    prints t postgres bank "SELECT embed('$MODEL', 'a') IS NOT NULL AND
        pg_read_file('/proc/self/maps', 0, 10000000) LIKE '%$RUNTIME%'"
}
runtime_in_engine() { grep -q "$RUNTIME" "/proc/$(engine_pid)/maps"; }

# An ordinary role's day, by a role that owns nothing but what it makes: README, examples 1, 2, 6 and 7.
make_tables() {
    sql_as teacher bank "
        CREATE SCHEMA $1;
        CREATE TABLE $1.items (id int PRIMARY KEY, subject text NOT NULL, question text NOT NULL);
        SET search_path = $1, public;
        SELECT add_embedding('items', 'embedding', '$MODEL', inputs => 'question');
        INSERT INTO items VALUES
            (1, '수학', '이차방정식 \$x^2 - 5x + 6 = 0\$의 두 근의 합은?'),
            (2, '수학', '첫째항이 \$3\$, 공차가 \$4\$인 등차수열의 첫째항부터 제\$10\$항까지의 합은?'),
            (3, '수학', '함수 \$f(x) = \\sin x + \\cos x\$의 최댓값을 구하시오.'),
            (4, '과학', '저항이 \$5\\,\\Omega\$인 니크롬선에 \$10\\,\\mathrm{V}\$를 걸 때 흐르는 전류는?'),
            (5, '과학', '식물의 광합성에 필요한 기체와 생성되는 기체를 쓰시오.'),
            (6, '역사', '조선 후기 실학자 정약용이 저술한 책은?');
        CREATE TABLE queries (query_id text PRIMARY KEY, query_text text NOT NULL);
        INSERT INTO queries VALUES
            ('q1', '두 근을 더한 값'), ('q2', '식물이 빛으로 양분을 만드는 과정'), ('q3', '수열의 합');
        CREATE TABLE judgements (query_id text, item_id int, relevance int, PRIMARY KEY (query_id, item_id));
        INSERT INTO judgements VALUES ('q1', 1, 2), ('q1', 2, 1), ('q2', 5, 2), ('q3', 2, 2), ('q3', 1, 0)"
}
SEARCH="SELECT id FROM items ORDER BY embedding <=> embed('$MODEL', 'which gas do plants need?', task => 'query') LIMIT 1"
RERANK="SELECT string_agg(index || ' ' || round(score::numeric, 2), ', ') FROM rerank('두 근의 합',
    ARRAY['식물의 광합성에 필요한 기체는?', '이차방정식 \$x^2 - 5x + 6 = 0\$의 두 근의 합은?'])"
EVALUATE="SELECT string_agg(metric || ' ' || round(value::numeric, 3), ', ') FROM evaluate(
    run => \$\$SELECT query_id, id, 1 - (embedding <=> embed('$MODEL', query_text, task => 'query')) FROM queries, items\$\$,
    judgements => 'TABLE judgements', metrics => '{recall@1,mrr,ndcg@5}') WHERE query_id IS NULL"

# use NAME: everything, in both roles; the two engines give the same results
use() {
    local role
    check "$1: the model is installed, and fits" prints "$MODEL|384|" postgres bank \
        "SELECT name, dimensions, problem FROM models() WHERE name = '$MODEL'"
    check "$1: the ordinary role makes an embedding column and fills it" make_tables "$1"
    check "$1: the rows are embedded" prints 6 teacher bank "SELECT count(embedding) FROM $1.items"
    for role in teacher postgres; do
        check "$1, $role: embed" prints 384 "$role" bank "SELECT vector_dims(embed('$MODEL', 'hello', task => 'query'))"
        check "$1, $role: vector search" prints 5 "$role" bank "SET search_path = $1, public; $SEARCH"
        check "$1, $role: rerank" prints '2 0.89, 1 0.78' "$role" bank "SET search_path = $1, public; $RERANK"
        check "$1, $role: evaluate" prints 'recall@1 0.833, mrr 1.000, ndcg@5 0.969' "$role" bank \
            "SET search_path = $1, public; $EVALUATE"
    done
}

queue_is_served() {
    sql_as teacher bank "SET search_path = engine_process, public;
        SELECT add_embedding('items', 'topic', '$MODEL', inputs => 'subject', mode => 'queue')" || return
    local until=$((SECONDS + 60))
    until prints 6 teacher bank 'SELECT count(topic) FROM engine_process.items' >/dev/null; do
        ((SECONDS < until)) || prints 6 teacher bank 'SELECT count(topic) FROM engine_process.items' || return
        sleep 0.5
    done
}

# The same packages as a later version: what an upgrade does to a running server.
make_upgrades() {
    local deb folder=/tmp/upgrade
    mkdir -p /packages/later
    for deb in "${DEBS[@]}"; do
        rm -rf "$folder"
        dpkg-deb -R "$deb" "$folder" && sed -i '/^Version:/s/$/+later1/' "$folder/DEBIAN/control" &&
            dpkg-deb --root-owner-group -Znone -b "$folder" /packages/later >/dev/null || return
    done
}
upgrade() { apt-get install -q -y /packages/later/*.deb; }
is_later() { [[ $(dpkg-query -W -f '${Version}\n' "${PACKAGES[@]}" | sort -u) == "$VERSION-1+later1" ]]; }

# Nothing of them is left: neither a path that they had and no package has, nor any of their names elsewhere.
leftovers() {
    local path found=()
    while read -r path; do
        if have "$path" && ! dpkg -S "$path" >/dev/null 2>&1; then found+=("$path"); fi
    done </tmp/paths
    mapfile -t -O "${#found[@]}" found < <(find / -xdev \( -path /packages -o -path /proc -o -path /var/cache/apt \
        -o -path "/var/lib/postgresql/$PG/main" -o -path /tmp \) -prune -o \
        \( -name '*itembank*' -o -name '*onnxruntime*' -o -name "*$MODEL*" \) -print)
    ((${#found[@]} == 0)) || {
        printf '%s\n' "${found[@]}"
        return 1
    }
}
not_known() {
    local package
    for package in "${PACKAGES[@]}"; do
        if dpkg-query -W "$package"; then return 1; fi
    done
}

install_tarball() {
    cd /tmp && tar -xzf "/packages/itembank_embed-$VERSION-pg$PG-linux-x86_64.tar.gz" &&
        cd "itembank_embed-$VERSION-pg$PG-linux-x86_64" &&
        tar -xzf "/packages/itembank_embed-model-$MODEL-$VERSION.tar.gz" --strip-components=1 &&
        ./install.sh "/usr/lib/postgresql/$PG/bin/pg_config"
}
uninstall_tarball() {
    "/tmp/itembank_embed-$VERSION-pg$PG-linux-x86_64/install.sh" --uninstall "/usr/lib/postgresql/$PG/bin/pg_config"
}
new_database() {
    sql_as postgres postgres 'CREATE DATABASE tarball' &&
        sql_as postgres tarball 'CREATE EXTENSION itembank_embed CASCADE'
}

mapfile -t DEBS < <(ls /packages/*.deb)
printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d # as images do: installing starts nothing
chmod +x /usr/sbin/policy-rc.d
useradd teacher
cd /

echo "==> installing"
check 'apt-get update' apt-get update -q
check 'apt-get install, with PostgreSQL and pgvector from Debian' install_packages
check 'the files are as packed' checksums_hold
dpkg -L "${PACKAGES[@]}" | grep -vx '/[.]' | sort -u >/tmp/paths
echo "listen_addresses = ''" >>"/etc/postgresql/$PG/main/postgresql.conf" # the port may be another server's
check "the cluster starts as Debian starts it" cluster start
check 'an ordinary role' sql_as postgres postgres 'CREATE ROLE teacher LOGIN'
check 'a database' sql_as postgres postgres 'CREATE DATABASE bank'
check 'CREATE EXTENSION itembank_embed CASCADE' sql_as postgres bank \
    'CREATE EXTENSION itembank_embed CASCADE; GRANT CREATE ON DATABASE bank TO teacher'
check 'its version' prints "$VERSION" postgres bank "SELECT extversion FROM pg_extension WHERE extname = 'itembank_embed'"

echo "==> with models in each session"
use in_session
check "the session has the package's ONNX Runtime" runtime_in_session
check 'there is no engine' no_engine
echo "==> with one engine process (shared_preload_libraries)"
check 'the cluster starts again' preload yes
use engine_process
check 'the engine runs, as the server does' engine_is_the_servers
check "the engine has the package's ONNX Runtime" runtime_in_engine
check 'a background worker keeps a column fresh' queue_is_served

echo "==> upgrading"
check 'packages of a later version' make_upgrades
check 'apt-get install, while the server runs' upgrade
check 'the new version is there' is_later
check 'the running server goes on' prints 384 teacher bank "SELECT vector_dims(embed('$MODEL', 'hello'))"
check 'the cluster starts again' preload yes
check 'and works' prints 5 teacher bank "SET search_path = in_session, public; $SEARCH"

echo "==> removing"
check 'nothing preloaded' preload no
check 'apt-get remove' apt-get remove -q -y "${PACKAGES[@]}"
check 'the cluster starts without' cluster restart
check 'what was stored is still there' prints 6 postgres bank 'SELECT count(embedding) FROM in_session.items'
check 'dpkg knows nothing of them' not_known
check 'nothing is left of them' leftovers
check 'apt-get install, again' install_packages
check 'what was stored is at home again' prints 5 teacher bank "SET search_path = in_session, public; $SEARCH"
check 'apt-get purge' apt-get purge -q -y "${PACKAGES[@]}"
check 'dpkg knows nothing of them' not_known
check 'nothing is left of them' leftovers

echo "==> the tarball"
check 'install.sh' install_tarball
check 'CREATE EXTENSION in a new database' new_database
check 'embed' prints 384 postgres tarball "SELECT vector_dims(embed('$MODEL', 'hello', task => 'query'))"
check 'the cluster starts again' preload yes
check 'embed, by the engine' prints 384 postgres tarball "SELECT vector_dims(embed('$MODEL', 'hello', task => 'query'))"
check 'nothing preloaded' preload no
check 'install.sh --uninstall' uninstall_tarball
check 'nothing is left of it' leftovers
cluster stop
echo "$passed passed, $failed failed"
((failed == 0))
