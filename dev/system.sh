#!/usr/bin/env bash
# What the machine itself must have: a C compiler, libclang (pgrx's bindgen), Python, Rust.
source "$(dirname "$0")/lib.sh"
source "$ROOT/dev/packages.sh"

have() { command -v "$1" >/dev/null; }
has_libclang() {
    [[ -n ${LIBCLANG_PATH:-} || $(/sbin/ldconfig -p) == *libclang[-.]* ]] ||
        compgen -G '/usr/lib*/llvm*/lib*/libclang*.so*' >/dev/null
}

# Debian's names of the packages that are missing.
missing_packages() {
    have cc && have make || echo build-essential
    have pkg-config || echo pkg-config
    have clang || echo clang
    has_libclang || echo libclang-dev
    have cargo-pgrx || pkg-config --exists openssl 2>/dev/null || echo libssl-dev # to build cargo-pgrx
    have python3 || echo python3
    python3 -c 'import venv, ensurepip' 2>/dev/null || echo python3-venv
    have flock || echo util-linux
}

check_rust() {
    local needed found
    needed=$(sed -n 's/^rust-version *= *"\(.*\)"/\1/p' "$ROOT/Cargo.toml")
    found=$(rustc --version 2>/dev/null | cut -d' ' -f2 || true)
    if [[ -z $found ]] || ! cargo --version >/dev/null 2>&1; then
        die "there is no Rust here (cargo and rustc, $needed or newer)" \
            "get it from rustup.rs; it needs no root and installs into ~/.cargo" \
            "then run make again from a new shell"
    fi
    [[ $(printf '%s\n' "$needed" "$found" | sort -V | head -n 1) == "$needed" ]] ||
        die "rustc is $found, and $needed or newer is needed" "run:  rustup update stable"
}

mapfile -t missing < <(missing_packages)
((${#missing[@]} == 0)) || install_packages "${missing[@]}"
check_rust
