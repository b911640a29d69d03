# Where this machine's own apt has Debian's packages from, whatever the release. Sourced, after dev/lib.sh.
#   DEBIAN_MIRROR=…   another mirror
# shellcheck shell=bash

# debian_mirror [-security]: its address, or that of the security updates; nothing where apt names none
debian_mirror() {
    local label=Debian ask=(apt-get indextargets --format '$(REPO_URI)')
    if [[ -z ${1:-} && -n ${DEBIAN_MIRROR:-} ]]; then
        echo "$DEBIAN_MIRROR"
        return
    fi
    [[ -z ${1:-} ]] || label=Debian-Security
    {
        "${ask[@]}" 'Created-By: Packages' 'Origin: Debian' "Label: $label" || true
        # Before the first `apt-get update` of a machine the origin of its sources is not known, only their addresses.
        "${ask[@]}" --no-release-info 'Created-By: Packages' | grep "/debian${1:-}/*\$" || true
    } 2>/dev/null | sed -n 1p
}

# How apt reaches a mirror, as lines for the configuration of another Debian's apt
apt_proxies() { apt-config dump --format '%F "%v";%n' Acquire 2>/dev/null | grep -iE '^Acquire::https?::proxy' || true; }
