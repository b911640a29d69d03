# Debian packages that a step needs and the machine lacks. Sourced, after dev/lib.sh.
# shellcheck shell=bash

# install_packages NAME…: as root or with sudo; otherwise it says which are missing, and ends
install_packages() {
    local sudo=() update=(apt-get update -q) install=(apt-get install -y -q --no-install-recommends "$@")
    if ! command -v apt-get >/dev/null; then
        die "missing on this machine (Debian's names): $*" "install them with your package manager, then run make again"
    elif ((EUID != 0)); then
        sudo -n true 2>/dev/null || die "missing on this machine: $*" \
            "run:  sudo apt-get update && sudo apt-get install -y $*" "then run make again"
        sudo=(sudo -n)
    fi
    step "system packages: $*"
    logged apt "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive \
        bash -c 'eval "$1" && eval "$2"' - "${update[*]}" "${install[*]}"
}
