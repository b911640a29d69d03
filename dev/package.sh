#!/usr/bin/env bash
# What users install, for the chosen PostgreSQL, in target/package/: Debian packages, a tarball of the same files, one of
# the default model, META.json and a source archive for PGXN. Packing adds nothing of its own: the same files and the same
# commit give the same bytes, for all servers. What cargo-pgrx writes differs: it puts the SQL in another order each time.
#   DEBFULLNAME, DEBEMAIL   the packages' maintainer; the last commit's author where they are not set
source "$(dirname "$0")/lib.sh"
source "$ROOT/dev/postgres-choice.sh"
source "$ROOT/dev/packages.sh"
cd "$ROOT"

OUT=$ROOT/target/package
WORK=$OUT/work-$PG
TARGET=x86_64-unknown-linux-gnu
MODEL=multilingual-e5-small
VERSION=$(sed -n '/^\[workspace.package\]/,/^\[/s/^version = "\(.*\)"/\1/p' Cargo.toml)

check_machine() {
    local missing=()
    [[ $(uname -sm) == 'Linux x86_64' ]] || die 'packages are made on Linux, x86-64'
    command -v dpkg-shlibdeps >/dev/null || missing+=(dpkg-dev)
    command -v dh >/dev/null || missing+=(debhelper)
    ((${#missing[@]} == 0)) || install_packages "${missing[@]}"
    git rev-parse --verify -q HEAD >/dev/null ||
        die 'this is no git clone' 'the time of the last commit, its author and its files go into what is made'
    [[ -z $(compgen -G "$(site_packages)/onnxruntime_gpu-*.dist-info") ]] ||
        die 'the ONNX Runtime that is installed here is for GPUs, and packages have the one for CPUs' 'run:  make setup ORT=cpu'
    [[ -n $VERSION ]] || die 'Cargo.toml names no version under [workspace.package]'
}

# fill FILE: its text with the names between @ replaced
fill() {
    sed -e "s|@VERSION@|$VERSION|g" -e "s|@PG@|$PG|g" -e "s|@ORT@|$ORT_VERSION|g" -e "s|@GLIBC@|${GLIBC:-}|g" \
        -e "s|@MAINTAINER@|$MAINTAINER|g" "$1"
}

# The programs, in a folder of cargo's of their own: no path of this machine goes into them, and they find ONNX Runtime
# beside them. These flags take the place of cargo-pgrx's own, which keep all that nothing refers to: half of the library.
# Should a linker throw away the SQL's part as well, cargo-pgrx says so and fails.
build() {
    local remap=("$ROOT=/itembank_embed" "${CARGO_HOME:-$HOME/.cargo}=/cargo") flags=() cflags=() IFS
    for pair in "${remap[@]}"; do
        flags+=("--remap-path-prefix=$pair")
        cflags+=("-ffile-prefix-map=$pair")
    done
    flags+=('-Clink-arg=-Wl,-rpath,$ORIGIN')
    IFS=' '
    export CFLAGS="${cflags[*]}" CXXFLAGS="${cflags[*]}" CARGO_TARGET_DIR=$OUT/cargo RUST_BACKTRACE=0
    # pgrx asks every pg_config of its config.toml in some order until it has the right one, and not all of them are there.
    export PGRX_PG_CONFIG_PATH=$PG_CONFIG
    IFS=$'\x1f'
    export CARGO_ENCODED_RUSTFLAGS="${flags[*]}"
    IFS=' '
    step "the extension for PostgreSQL $PG, to be shipped (5 minutes the first time)"
    rm -rf "$WORK"
    logged package-build cargo pgrx package --pg-config "$PG_CONFIG" --out-dir "$WORK/pgrx" "${PG_FEATURES[@]}"
    step "the engine's executable, to be shipped"
    logged package-engine cargo build --release --locked --package engine --bin itembank-engine
}

# collect FOLDER: the files as they are shipped, whatever places this PostgreSQL has for them
collect() {
    local runtime=$ORT_LIBRARY control
    mkdir -p "$1"/{lib,extension,onnxruntime,models}
    control=$(find "$WORK/pgrx" -name itembank_embed.control)
    install -m 0644 "$control" "$(dirname "$control")"/itembank_embed--*.sql "$1/extension"
    install -m 0755 "$(find "$WORK/pgrx" -name itembank_embed.so)" "$OUT/cargo/release/itembank-engine" "$1/lib"
    strip --strip-unneeded "$1"/lib/*
    install -m 0644 "$runtime" "$1/onnxruntime"
    cp -R "$MODELS/$MODEL" "$1/models"
    cp CHANGELOG.md README.md LICENSE "$1"
    cp "$(dirname "$runtime")/../ThirdPartyNotices.txt" "$1"
    python3 packaging/third_party.py "pg$PG" "$TARGET" >"$1/THIRD-PARTY-LICENSES"
}

# The newest version of glibc's symbols that any of the programs and libraries wants.
needed_glibc() { objdump -T "$@" | grep -oE 'GLIBC_2\.[0-9.]+' | sort -uV | tail -n 1 | cut -d_ -f2; }

debian_changelog() {
    printf 'itembank-embed (%s-1) unstable; urgency=medium\n\n' "$VERSION"
    printf '  * Version %s; what changed is in changelog.gz.\n\n -- %s  %s\n' "$VERSION" "$MAINTAINER" \
        "$(LC_ALL=C date -u -R -d "@$SOURCE_DATE_EPOCH")"
}

# debian FOLDER: the packages of the collected files
debian() {
    local tree=$WORK/itembank-embed-$VERSION extension=postgresql-$PG-itembank-embed file name
    mkdir -p "$tree/debian"
    cp -R "$1"/. "$tree"
    for file in packaging/debian/*; do
        name=${file##*/}
        name=${name%.in}
        fill "$file" >"$tree/debian/${name/#extension./$extension.}"
    done
    chmod +x "$tree/debian/rules"
    debian_changelog >"$tree/debian/changelog"
    step "Debian packages"
    logged package-debian env -C "$tree" -u CFLAGS -u CXXFLAGS dpkg-buildpackage --build=binary --no-sign
    mv "$WORK"/*.deb "$OUT"
}

# archive NAME FOLDER: reproducible, with FOLDER's name as its only entry at the top
archive() {
    tar -C "$(dirname "$2")" --sort=name --owner=0 --group=0 --numeric-owner --mode=go-w,a+rX --mtime="@$SOURCE_DATE_EPOCH" \
        -cf - "$(basename "$2")" | gzip -6n >"$OUT/$1.tar.gz"
}

# tarball FOLDER: for any Linux with this PostgreSQL and a glibc that is new enough
tarball() {
    local name=itembank_embed-$VERSION-pg$PG-linux-x86_64 model=itembank_embed-model-$MODEL-$VERSION
    local tree=$WORK/$name
    step "tarballs"
    mkdir -p "$tree" "$WORK/$model/models"
    cp -R "$1"/{lib,extension,CHANGELOG.md,README.md,LICENSE,THIRD-PARTY-LICENSES} packaging/tarball/install.sh "$tree"
    # Beside the extension, where it is looked for: see build.
    cp "$1"/onnxruntime/* "$tree/lib/libonnxruntime.so"
    cp "$1/ThirdPartyNotices.txt" "$tree/onnxruntime-ThirdPartyNotices.txt"
    cp "$(dirname "$ORT_LIBRARY")/../LICENSE" "$tree/onnxruntime-LICENSE"
    echo "PostgreSQL $PG" >"$tree/VERSION"
    fill packaging/tarball/INSTALL.in >"$tree/INSTALL"
    archive "$name" "$tree"
    cp -R "$1/models/$MODEL" "$WORK/$model/models"
    cp packaging/debian/copyright "$WORK/$model/copyright"
    archive "$model" "$WORK/$model"
}

# PGXN wants META.json at the top of the sources.
pgxn() {
    step "META.json and the sources for PGXN"
    fill packaging/META.json.in >"$OUT/META.json"
    python3 -m json.tool "$OUT/META.json" /dev/null
    git archive --format=zip --prefix="itembank_embed-$VERSION/" --add-file="$OUT/META.json" \
        -o "$OUT/itembank_embed-$VERSION.zip" HEAD
}

MAINTAINER="${DEBFULLNAME:-$(git log -1 --format=%an)} <${DEBEMAIL:-$(git log -1 --format=%ae)}>"
ORT_LIBRARY=$(onnxruntime_library)
ORT_VERSION=${ORT_LIBRARY##*.so.}
if [[ ${1:-} == meta ]]; then
    fill packaging/META.json.in
    exit
fi
check_machine
mkdir -p "$OUT"
build
# Not before: at another time, which no program has in it, cargo would compile all that has C in it anew.
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
export SOURCE_DATE_EPOCH
collect "$WORK/files"
GLIBC=$(needed_glibc "$WORK"/files/lib/* "$WORK"/files/onnxruntime/*)
debian "$WORK/files"
tarball "$WORK/files"
pgxn
step "in target/package, for glibc $GLIBC or newer:"
(cd "$OUT" && du -h --apparent-size -- *"$VERSION"*.{deb,tar.gz,zip} META.json | sed 's/^/    /')
