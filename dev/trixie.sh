#!/usr/bin/env bash
# A Debian 13 (trixie) of its own: the root file system of a minimal installation, .dev/trixie/root.tar, to unpack for a
# container image or a chroot. Needs root. Made once; FORCE=1 makes it again. Nothing of this machine is in it: its apt has
# Debian's own sources. This machine's, where it has any, stand beside it in .dev/trixie/debian.sources: to be taken
# instead of its /etc/apt/sources.list.d/debian.sources while something is installed.
#   DEBIAN_MIRROR=…   where from, instead of the mirror that apt uses; where there is none, debootstrap's default
source "$(dirname "$0")/lib.sh"
source "$ROOT/dev/packages.sh"
source "$ROOT/dev/debian-mirror.sh"

SUITE=trixie
FOLDER=$DEV_DIR/$SUITE
KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg

# sources MIRROR [SECURITY-MIRROR]: in apt's deb822 form, as Debian's container images have them
sources() {
    local one
    for one in "$1 $SUITE $SUITE-updates" "${2:-} $SUITE-security"; do
        [[ $one != ' '* ]] || continue
        printf 'Types: deb\nURIs: %s\nSuites: %s\nComponents: main\nSigned-By: %s\n\n' "${one%% *}" "${one#* }" "$KEYRING"
    done
}

unpack() {
    local root=$FOLDER/root default
    default=$(sed -n 's/^DEF_MIRROR="\(.*\)"/\1/p' "$(command -v debootstrap)")
    [[ -n $default ]] || die 'this debootstrap does not say where Debian is'
    rm -rf "$root"
    logged "$SUITE" debootstrap --variant=minbase --keyring="$KEYRING" "$SUITE" "$root" "${mirror:-$default}"
    # debootstrap takes two of these from this machine, and writes its mirror into the third.
    rm -f "$root"/etc/{hostname,resolv.conf,apt/sources.list}
    sources "$default" "$default-security" >"$root/etc/apt/sources.list.d/debian.sources"
    rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/* "$root"/var/log/*.log
    tar -C "$root" -cf "$FOLDER/root.tar.new" .
    mv "$FOLDER/root.tar.new" "$FOLDER/root.tar"
    rm -rf "$root"
}

mkdir -p "$FOLDER"
mirror=$(debian_mirror)
if [[ -n $mirror ]]; then
    sources "$mirror" "$(debian_mirror -security)" >"$FOLDER/debian.sources"
else
    rm -f "$FOLDER/debian.sources"
fi
[[ -f $FOLDER/root.tar && ! $0 -nt $FOLDER/root.tar && -z ${FORCE:-} ]] && exit
((EUID == 0)) || die 'a root file system is made by root alone' 'run:  sudo make …   or as root'
missing=()
command -v debootstrap >/dev/null || missing+=(debootstrap)
[[ -f $KEYRING ]] || missing+=(debian-archive-keyring)
((${#missing[@]} == 0)) || install_packages "${missing[@]}"
step "Debian $SUITE into .dev/$SUITE/root.tar (half a minute)"
unpack
