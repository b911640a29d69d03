#!/usr/bin/env bash
# image.sh build|test: the container image of the Dockerfile, built and tried out without Docker: by buildah, whose images
# lie in .dev/image. Needs root. What stands in for the public base images are a Debian 13 of its own (dev/trixie.sh)
# and this machine's own Rust toolchain. With Docker there is no need for this: docker build -t itembank_embed .
#   ORT=cpu|gpu   which ONNX Runtime, the CPU's by default
source "$(dirname "$0")/lib.sh"
source "$ROOT/dev/packages.sh"
source "$ROOT/dev/debian-mirror.sh"
cd "$ROOT"

FOLDER=$DEV_DIR/image
SOURCES=$DEV_DIR/trixie/debian.sources
DEBIAN=localhost/debian:trixie-slim
RUST=localhost/rust:slim-trixie
COMPOSE=localhost/docker-compose:trixie
ORT=${ORT:-cpu}
case $ORT in
    cpu) NAME=localhost/itembank_embed:latest ;;
    gpu) NAME=localhost/itembank_embed:gpu ;;
    *) die "ORT=$ORT: cpu or gpu" ;;
esac

((EUID == 0)) || die 'without Docker an image is built by root alone' 'run:  sudo make image   or, with Docker:' \
    'docker build -t itembank_embed .'
command -v buildah >/dev/null || install_packages buildah
mkdir -p "$FOLDER/tmp"
# In a mount name space of its own, so that no mount outlives this script, whatever happens to it; and one at a time.
if [[ -z ${MOUNTS_APART:-} ]]; then
    rc=0
    MOUNTS_APART=1 flock --close --nonblock --conflict-exit-code 75 "$FOLDER/lock" \
        unshare --mount --propagation private "$0" "$@" || rc=$?
    ((rc != 75)) || die "$FOLDER is in use by another run in this clone" 'wait for it, or use another clone or DEV_DIR'
    exit "$rc"
fi
export BUILDAH_ISOLATION=chroot TMPDIR=$FOLDER/tmp # a cache mount's files lie there, too
# Copying whole layers (vfs) works everywhere, but takes many times the space.
DRIVER=overlay
buildah_in() { command buildah --root "$FOLDER/$DRIVER" --runroot "$FOLDER/run" --storage-driver "$DRIVER" "$@"; }
buildah_in images >/dev/null 2>&1 || DRIVER=vfs

# As debian:*-slim, without most of the documentation and the translations, also of what is installed into it.
slim() {
    local excluded=('/usr/share/doc/*' '/usr/share/man/*' '/usr/share/locale/*' '/usr/share/info/*')
    find "$1/usr/share/doc" -type f ! -name copyright -delete
    rm -rf "$1"/usr/share/{man,locale,info}/*
    printf 'path-exclude=%s\n' "${excluded[@]}" >"$1/etc/dpkg/dpkg.cfg.d/slim"
    echo 'path-include=/usr/share/doc/*/copyright' >>"$1/etc/dpkg/dpkg.cfg.d/slim"
}

# base NAME FROM STAMP FUNCTION [CONFIG…]: an image that FUNCTION has filled; done again where STAMP is another
base() {
    local container mounted
    if stamped "image-${1##*/}" "$3" && buildah_in inspect --type image "$1" >/dev/null 2>&1; then return; fi
    step "the base image $1"
    container=$(buildah_in from --pull-never "$2")
    mounted=$(buildah_in mount "$container")
    "$4" "$mounted" "$container"
    buildah_in config "${@:5}" "$container"
    logged image-base buildah_in commit --rm --format docker "$container" "$1"
    stamp "image-${1##*/}" "$3"
}
fill_debian() {
    tar -C "$1" -xpf "$DEV_DIR/trixie/root.tar"
    slim "$1"
}
fill_rust() {
    (cd "$(rustc --print sysroot)" && cp -a bin lib libexec "$1/usr/local/")
    # The one that is built already: dev/cargo-pgrx.sh takes it, where its version is right.
    cp "$(command -v cargo-pgrx)" "$1/usr/local/bin/"
}

fill_compose() {
    local packages='apt-get update -q && apt-get install -y -q --no-install-recommends docker-compose' volume=()
    [[ ! -f $SOURCES ]] || volume=(--volume "$SOURCES:/etc/apt/sources.list.d/debian.sources:ro")
    logged compose buildah_in run "${volume[@]}" "$2" -- env DEBIAN_FRONTEND=noninteractive sh -c "$packages"
}

# The machine's own configuration of apt, pip and cargo, as secrets of the build: none of it stays in the image.
secrets() {
    local authorities=${PIP_CERT:-${SSL_CERT_FILE:-/etc/ssl/certs/ca-certificates.crt}} cargo=${CARGO_HOME:-$HOME/.cargo}
    rm -rf "$FOLDER/secrets"
    mkdir -m 0700 "$FOLDER/secrets"
    {
        echo '[global]'
        "$VENV/bin/python" -m pip config list |
            sed -nE "s/^(global|install|download|:env:)\.(index-url|extra-index-url|trusted-host|proxy)='(.*)'$/\2 = \3/p"
        [[ ! -f $authorities ]] || echo 'cert = /run/secrets/ca'
    } >"$FOLDER/secrets/pip"
    cat "$cargo/config.toml" >"$FOLDER/secrets/cargo" 2>/dev/null || : >"$FOLDER/secrets/cargo"
    [[ ! -f $authorities ]] || cp "$authorities" "$FOLDER/secrets/ca"
    apt_proxies >"$FOLDER/secrets/apt"
    if [[ -f $SOURCES ]]; then
        cp "$SOURCES" "$FOLDER/secrets/debian.sources"
        printf 'Dir::Etc::%s;\n' 'SourceParts "/dev/null"' 'SourceList "/etc/apt/secret.sources"' >>"$FOLDER/secrets/apt"
    fi
}

build() {
    local options=() secret
    dev/trixie.sh
    base "$DEBIAN" scratch "$(stat -c %Y "$DEV_DIR/trixie/root.tar")" fill_debian --cmd bash
    base "$RUST" "$DEBIAN" "$(rustc --version) cargo-pgrx $CARGO_PGRX $(stat -c %Y "$DEV_DIR/trixie/root.tar")" fill_rust \
        --env CARGO_HOME=/usr/local/cargo
    trap 'rm -rf "$FOLDER/secrets"' EXIT
    secrets
    for secret in "$FOLDER"/secrets/*; do options+=(--secret "id=${secret##*/},src=$secret"); done
    step "the image $NAME (a quarter of an hour the first time)"
    logged image nice -n 5 buildah --root "$FOLDER/$DRIVER" --runroot "$FOLDER/run" --storage-driver "$DRIVER" bud \
        --layers --pull-never --format docker "${options[@]}" --build-arg "BASE_IMAGE=$DEBIAN" --build-arg "RUST_IMAGE=$RUST" \
        --build-arg "ORT=$ORT" --build-arg "VERSION=$(sed -n 's/^version *= *"\(.*\)"/\1/p' Cargo.toml)" --tag "$NAME" .
}

# What the image takes, by instruction. buildah's store keeps the sizes of layers.
sizes() {
    local store=$FOLDER/$DRIVER/$DRIVER
    buildah_in inspect --type image "$NAME" >"$FOLDER/image.json"
    "$VENV/bin/python" tests/image/layers.py "$FOLDER/image.json" "$store-layers/layers.json" "$store-images/images.json" "$NAME"
}

# What Docker Compose makes of compose.yaml, and of compose.gpu.yaml with it: FOLDER/compose.json and compose.gpu.json; and
# what it says where there is no password: compose.refused
compose() {
    local container files gpu
    base "$COMPOSE" "$DEBIAN" "$(stat -c %Y "$DEV_DIR/trixie/root.tar")" fill_compose --cmd bash
    container=$(buildah_in from --pull-never "$COMPOSE")
    for gpu in '' .gpu; do
        files=(--file compose.yaml ${gpu:+--file "compose$gpu.yaml"})
        buildah_in run --volume "$ROOT:/src:ro" --workingdir /src "$container" -- env POSTGRES_PASSWORD="$1" \
            docker-compose "${files[@]}" config --format json >"$FOLDER/compose$gpu.json"
    done
    if buildah_in run --volume "$ROOT:/src:ro" --workingdir /src "$container" -- \
        docker-compose --env-file /dev/null config --quiet >"$FOLDER/compose.refused" 2>&1; then
        die 'compose.yaml is content with no password'
    fi
    buildah_in rm "$container" >/dev/null
}

# The tests start containers of it: tests/image. Ends with `N passed, N failed`.
try_out() {
    local rc=0
    command -v ip >/dev/null || install_packages iproute2
    buildah_in rm --all >/dev/null # left behind by a run that was killed
    sizes
    compose "a word of 'its' own"
    step "the tests of $NAME"
    rm -rf "$FOLDER/test" "$FOLDER/test.xml"
    mkdir -p "$FOLDER/test"
    container=$(buildah_in from --pull-never "$NAME")
    export ITEMBANK_IMAGE=$FOLDER/image.json ITEMBANK_COMPOSE=$FOLDER ITEMBANK_IMAGE_TEST=$FOLDER/test ITEMBANK_IMAGE_ROOT
    ITEMBANK_IMAGE_ROOT=$(buildah_in mount "$container")
    "$VENV/bin/pytest" -p no:cacheprovider -v --tb=short --junitxml="$FOLDER/test.xml" tests/image || rc=$?
    buildah_in rm "$container" >/dev/null
    "$VENV/bin/python" - "$FOLDER/test.xml" <<'END'
import sys
import xml.etree.ElementTree as tree

counts = [tree.parse(sys.argv[1]).find("testsuite").get(name) for name in ("tests", "failures", "errors", "skipped")]
tests, failures, errors, skipped = map(int, counts)
print(f"{tests - failures - errors - skipped} passed, {failures + errors} failed")
END
    return "$rc"
}

case ${1:-} in
    build) build ;;
    test) try_out ;;
    *) die 'image.sh build|test' ;;
esac
