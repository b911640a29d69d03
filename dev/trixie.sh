#!/usr/bin/env bash
# A Debian 13 (trixie) of its own: the root file system of a minimal installation, .dev/trixie/root.tar, to unpack for a
# container image or a chroot. Needs root. Made once; FORCE=1 makes it again.
# Its packages come from where this machine's own Debian packages come from, or from debootstrap's default mirror.
source "$(dirname "$0")/lib.sh"
source "$ROOT/dev/packages.sh"

SUITE=trixie
FOLDER=$DEV_DIR/$SUITE
KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg

# The machine's sources of Debian packages for another suite, in apt's one-line form: the first is the mirror itself.
debian_sources() {
    local codename
    codename=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
    apt-get indextargets --format '$(ORIGIN) $(REPO_URI) $(CODENAME)' 'Created-By: Packages' 2>/dev/null |
        sed -nE "s/^Debian (\S+) ${codename:-none}(-updates|-security)?\$/deb \1 $SUITE\2 main/p" | LC_ALL=C sort -u -k3
}

unpack() {
    local sources
    rm -rf "$FOLDER"
    mkdir -p "$FOLDER"
    sources=$(debian_sources)
    if [[ -n $sources ]]; then read -r _ mirror _ <<<"$sources"; fi
    logged "$SUITE" debootstrap --variant=minbase --keyring="$KEYRING" "$SUITE" "$FOLDER/root" ${mirror:+"$mirror"}
    [[ -z $sources ]] || printf '%s\n' "$sources" >"$FOLDER/root/etc/apt/sources.list"
    rm -rf "$FOLDER"/root/var/cache/apt/archives/*.deb "$FOLDER"/root/var/lib/apt/lists/* "$FOLDER"/root/var/log/*.log
    tar -C "$FOLDER/root" -cf "$FOLDER/root.tar.new" .
    mv "$FOLDER/root.tar.new" "$FOLDER/root.tar"
    rm -rf "$FOLDER/root"
}

[[ -f $FOLDER/root.tar && -z ${FORCE:-} ]] && exit
((EUID == 0)) || die 'a root file system is made by root alone' 'run:  sudo make …   or as root'
missing=()
command -v debootstrap >/dev/null || missing+=(debootstrap)
[[ -f $KEYRING ]] || missing+=(debian-archive-keyring)
((${#missing[@]} == 0)) || install_packages "${missing[@]}"
step "Debian $SUITE into .dev/$SUITE/root.tar (half a minute)"
unpack
