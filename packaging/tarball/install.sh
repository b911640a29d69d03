#!/bin/sh
# install.sh [--uninstall] [PG_CONFIG]: puts these files into a PostgreSQL, or takes them out of it. See INSTALL.
# Whatever it puts there it writes down there as well, a line each: checksum and name. What is not written down, or has
# been changed since, is another's: it is neither overwritten nor removed.
set -eu
umask 022 # the server's user reads it, whoever installs it
here=$(cd "$(dirname "$0")" && pwd -P)
die() {
    printf 'error: %s\n' "$1" >&2
    exit 1
}

uninstall=''
if [ "${1:-}" = --uninstall ]; then
    uninstall=1
    shift
fi
pg_config=${1:-pg_config}
command -v "$pg_config" >/dev/null || die "$pg_config is no program: give the path of PostgreSQL's pg_config"

version=$(sed -n 's/^PostgreSQL //p' "$here/VERSION")
found=$("$pg_config" --version | sed -E 's/^PostgreSQL ([0-9]+).*/\1/')
[ "$found" = "$version" ] || die "$pg_config is of PostgreSQL $found, and this is for PostgreSQL $version"
lib=$("$pg_config" --pkglibdir)
share=$("$pg_config" --sharedir)
models=$share/itembank_embed/models
record=$share/itembank_embed/install.sh.sha256
cd "$here"

# place NAME: where in PostgreSQL this file of ours goes, or this model
place() {
    case $1 in
        lib/*) printf '%s\n' "$lib/${1#lib/}" ;;
        extension/*) printf '%s\n' "$share/$1" ;;
        models/*) printf '%s\n' "$models/${1#models/}" ;;
    esac
}
there() { [ -e "$1" ] || [ -L "$1" ]; }
checksum() { sha256sum <"$1" | cut -d ' ' -f 1; }
# ours FILE: whether what lies in its place is what some install.sh has put there
ours() { [ -f "$(place "$1")" ] && [ ! -L "$(place "$1")" ] && grep -qsxF "$(checksum "$(place "$1")") $1" "$record"; }

if [ -n "$uninstall" ]; then
    [ -f "$record" ] || die "install.sh has put nothing into this PostgreSQL: there is no $record"
    cut -d ' ' -f 2- "$record" | sort -u | while read -r file; do
        if ours "$file"; then
            rm -f "$(place "$file")"
        elif there "$(place "$file")"; then
            echo "left as it is, since it is not what was installed: $(place "$file")" >&2
        fi
    done
    sed -n 's|^[^ ]* \(models/.*\)/[^/]*$|\1|p' "$record" | sort -u | while read -r model; do
        rmdir "$(place "$model")" 2>/dev/null || true # stays where others' files are in it
    done
    rm -f "$record"
    rmdir "$models" "$share/itembank_embed" 2>/dev/null || true # and where others' models are in them
    exit
fi

[ -w "$lib" ] && [ -w "$share/extension" ] || die "$lib or $share/extension is not writable: run it as root, say"

# files NAME: a file's own; of a model those of its files, here and there
files() {
    if [ -d "$1" ]; then
        { ls -A "$1" && ls -A "$(place "$1")" 2>/dev/null || true; } | sort -u | sed "s|^|$1/|"
    else
        printf '%s\n' "$1"
    fi
}
# anothers NAME: whether something lies in its place, or in that of a model's file, which is not ours
anothers() {
    ! { [ -d "$1" ] && there "$(place "$1")" && { [ -L "$(place "$1")" ] || [ ! -d "$(place "$1")" ]; }; } || return 0
    files "$1" | (
        while read -r file; do
            ! there "$(place "$file")" || ours "$file" || exit 0
        done
        exit 1
    )
}
same() {
    files "$1" | (
        while read -r file; do
            [ -f "$file" ] && [ -f "$(place "$file")" ] || exit 1
            [ "$(checksum "$file")" = "$(checksum "$(place "$file")")" ] || exit 1
        done
    )
}
# put MODE FILE FOLDER: by renaming, since a running server keeps the files that it has opened
put() {
    line="$(checksum "$2") $2"
    grep -qsxF "$line" "$record" || printf '%s\n' "$line" >>"$record"
    new=$3/.${2##*/}.new
    cp "$2" "$new"
    chmod "$1" "$new"
    mv -f "$new" "$3/${2##*/}"
}

# Before anything is written. What another has put there serves where it is the same, and stays the other's.
for name in lib/* extension/* models/*; do
    [ ! -e "$name" ] || ! anothers "$name" || same "$name" ||
        die "$(place "$name") is there already, and not as install.sh has put it there: take it out first, or move it away"
done
mkdir -p "${record%/*}"
for file in lib/*; do anothers "$file" || put 0755 "$file" "$lib"; done
for file in extension/*; do anothers "$file" || put 0644 "$file" "$share/extension"; done
for model in models/*; do
    if [ ! -d "$model" ] || anothers "$model"; then continue; fi
    name=${model##*/}
    rm -rf "$models/.$name.new"
    mkdir -p "$models/.$name.new"
    for file in "$model"/*; do put 0644 "$file" "$models/.$name.new"; done
    rm -rf "${models:?}/$name"
    mv "$models/.$name.new" "$models/$name"
done
[ -f "$share/extension/vector.control" ] || echo "pgvector is missing in $share/extension: install it too" >&2
echo "itembank_embed is installed into $lib and $share"
