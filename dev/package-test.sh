#!/usr/bin/env bash
# Installs what dev/package.sh made into a clean Debian 13 and uses it: packaging/installed.sh says what is looked at. Before
# that, lintian and what can be seen from outside. Needs root, for the Debian is a chroot of its own, in .dev/test; its
# packages are kept in .dev/downloads. Ends with `N passed, N failed`.
source "$(dirname "$0")/lib.sh"
source "$ROOT/dev/postgres-choice.sh"
source "$ROOT/dev/packages.sh"
source "$ROOT/dev/debian-mirror.sh"
cd "$ROOT"

OUT=$ROOT/target/package
DEBIAN_PG=17 # the one that Debian 13 has
CHROOT=$DEV_DIR/test/package-root
APT_CACHE=$DEV_DIR/downloads/apt
VERSION=$(sed -n '/^\[workspace.package\]/,/^\[/s/^version = "\(.*\)"/\1/p' Cargo.toml)

passed=0
failed=0
check() {
    local name=$1 output
    shift
    if output=$("$@" 2>&1 </dev/null); then
        passed=$((passed + 1))
        note "ok      $name"
    else
        failed=$((failed + 1))
        note "FAILED  $name"
        tail -n 60 <<<"$output"
    fi
}

packages_of() { # PG
    printf '%s\n' "$OUT/postgresql-$1-itembank-embed_$VERSION-1_amd64.deb" "$OUT/itembank-embed-common_$VERSION-1_amd64.deb" \
        "$OUT/itembank-embed-model-multilingual-e5-small_$VERSION-1_all.deb"
}

lint() {
    local root=()
    ((EUID != 0)) || root=(--allow-root)
    mapfile -t debs < <(packages_of "$PG")
    lintian "${root[@]}" --tag-display-limit 0 --fail-on error,warning "${debs[@]}"
}

files_of() { dpkg-deb -c "$1" | awk '$1 !~ /^d/ { print $6 }'; }
# Packages of several servers stand side by side.
no_file_twice() {
    local twice
    twice=$(for deb in "$OUT"/*_"$VERSION"-1_*.deb; do files_of "$deb"; done | sort | uniq -d)
    [[ -z $twice ]] || die "in two packages: $twice"
}

# No path of the machine that they were built on: neither the project's nor the developer's home.
no_path_of_ours() {
    local tree=$OUT/work-$PG/files rc=0
    grep -rlaF -e "$ROOT" -e "${CARGO_HOME:-$HOME/.cargo}" "$tree/lib" "$tree/extension" || rc=$?
    ((rc == 1)) # 0: there is one; 2: grep itself failed
}

unpack_debian() {
    rm -rf "$CHROOT"
    mkdir -p "$CHROOT" "$APT_CACHE/partial"
    tar -C "$CHROOT" --numeric-owner -xf "$DEV_DIR/trixie/root.tar"
    mkdir -p "$CHROOT/packages" "$CHROOT/dev/shm"
    mapfile -t debs < <(packages_of "$DEBIAN_PG")
    cp "${debs[@]}" "$OUT/itembank_embed-$VERSION-pg$DEBIAN_PG-linux-x86_64.tar.gz" \
        "$OUT/itembank_embed-model-multilingual-e5-small-$VERSION.tar.gz" packaging/installed.sh "$CHROOT/packages"
    cp -L /etc/resolv.conf "$CHROOT/etc/resolv.conf"
    # This machine's mirror, and how its apt reaches it.
    [[ ! -f $DEV_DIR/trixie/debian.sources ]] || cp "$DEV_DIR/trixie/debian.sources" "$CHROOT/etc/apt/sources.list.d"
    apt_proxies >"$CHROOT/etc/apt/apt.conf.d/90machine"
}

# in_debian COMMAND…: in mount, process and IPC spaces of its own, all of which end with it
in_debian() {
    unshare --mount --pid --ipc --fork --kill-child bash -c '
        set -e
        mount -t proc proc "$1/proc"
        mount -t tmpfs tmpfs "$1/dev/shm"
        mount --bind "$2" "$1/var/cache/apt/archives"
        shift 2
        exec "$@"' - "$CHROOT" "$APT_CACHE" chroot "$CHROOT" \
        env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 ${http_proxy:+http_proxy="$http_proxy"} "$@"
}

in_clean_debian() {
    local log=$LOGS/package-test.log counts
    [[ $PG == "$DEBIAN_PG" ]] || {
        note "skipped  installing: Debian 13 has PostgreSQL $DEBIAN_PG alone (make package-test PG=$DEBIAN_PG)"
        return
    }
    ((EUID == 0)) || die 'a chroot is made by root alone' 'run:  sudo make …   or as root'
    "$ROOT/dev/trixie.sh"
    step 'a clean Debian 13'
    unpack_debian
    mkdir -p "$LOGS"
    in_debian bash /packages/installed.sh "$DEBIAN_PG" "$VERSION" 2>&1 </dev/null | tee "$log" || true
    counts=$(sed -nE 's/^([0-9]+) passed, ([0-9]+) failed$/\1 \2/p' "$log")
    [[ -n $counts ]] || counts='0 1' # it did not come to its end
    passed=$((passed + ${counts% *}))
    failed=$((failed + ${counts#* }))
    rm -rf "$CHROOT"
}

mapfile -t missing < <(packages_of "$PG" | while read -r deb; do [[ -f $deb ]] || echo "$deb"; done)
((${#missing[@]} == 0)) || die "there is no ${missing[0]}" "make it: make package PG=$PG"
command -v lintian >/dev/null || install_packages lintian
step "the packages for PostgreSQL $PG"
check lintian lint
check 'no file in two packages' no_file_twice
check 'no path of this machine' no_path_of_ours
in_clean_debian
echo "$passed passed, $failed failed"
((failed == 0))
