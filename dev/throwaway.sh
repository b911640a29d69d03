# A cluster that lives as long as the script that sources this: .dev/test/NAME-PG, made anew at each start and
# stopped at the end however the script ends. Never the developer's server. After dev/cluster.sh.
# shellcheck shell=bash disable=SC2034

TEST_DIR=$DEV_DIR/test

# throwaway_start NAME [SETTING…]: sets CLUSTER, and exports what the Python tests and benches know it by. An earlier one
# of the same script is stopped. ENGINE says where models live; settings are lines of conf's form.
throwaway_start() {
    [[ -z ${CLUSTER:-} ]] || throwaway_stop
    CLUSTER=$TEST_DIR/$1-$PG
    mkdir -p "$TEST_DIR"
    # Two runs would stop each other's server. The lock goes when this script and all it started have ended.
    exec 9>"$CLUSTER.lock"
    flock -n 9 || die "$CLUSTER is in use by another run in this clone" "wait for it, or use another clone or DEV_DIR"
    trap throwaway_stop EXIT
    cluster_stop "$CLUSTER" # left behind by a run that was killed
    rm -rf "$CLUSTER"
    cluster_create "$CLUSTER"
    cluster_start "$CLUSTER" < <(printf '%s\n' 'fsync = off' "${@:2}")
    in_cluster postgres -c 'CREATE DATABASE itembank'
    export ITEMBANK_TEST_URL ITEMBANK_TEST_PGBIN=$PGBIN ITEMBANK_TEST_DATA=$CLUSTER/data
    export ITEMBANK_TEST_LOG=$CLUSTER/server.log ITEMBANK_SERVER_USER=$SERVER_USER ITEMBANK_TEST_ENGINE=$ENGINE
    # Copied, since the server's user may not be able to read the project's folder.
    cp -R "$ROOT/tests/fixtures/models" "$CLUSTER/fixtures"
    export ITEMBANK_MODELS=$MODELS ITEMBANK_FIXTURES=$CLUSTER/fixtures ITEMBANK_ORT
    export ITEMBANK_IMAGES=$ROOT/tests/fixtures/images ITEMBANK_VOCABULARIES=$DEV_DIR/vocabularies
    ITEMBANK_TEST_URL=$(cluster_url "$CLUSTER" itembank)
    ITEMBANK_ORT=$(onnxruntime_library)
}

throwaway_stop() {
    cluster_stop "$CLUSTER"
    flock -u 9
}

# in_cluster DATABASE PSQL-ARGUMENT…
in_cluster() {
    PGOPTIONS='-c client_min_messages=warning' \
        "$PGBIN/psql" -X -q -v ON_ERROR_STOP=1 -d "$(cluster_url "$CLUSTER" "$1")" "${@:2}"
}
