#!/bin/sh
# install.sh [--uninstall] [PG_CONFIG]: puts these files into a PostgreSQL, or takes them out of it. See INSTALL.
set -eu
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

if [ -n "$uninstall" ]; then
    for file in "$here"/lib/*; do rm -f "$lib/${file##*/}"; done
    for file in "$here"/extension/*; do rm -f "$share/extension/${file##*/}"; done
    for model in "$here"/models/*; do rm -rf "${models:?}/${model##*/}"; done
    rmdir "$models" "$share/itembank_embed" 2>/dev/null || true # stay where others' models are in them
    exit
fi

[ -w "$lib" ] && [ -w "$share/extension" ] || die "$lib or $share/extension is not writable: run it as root, say"
# By renaming: a running server keeps the files that it has opened.
put() { # MODE FILE FOLDER
    new=$3/.${2##*/}.new
    cp "$2" "$new"
    chmod "$1" "$new"
    mv -f "$new" "$3/${2##*/}"
}
for file in "$here"/lib/*; do put 0755 "$file" "$lib"; done
for file in "$here"/extension/*; do put 0644 "$file" "$share/extension"; done
for model in "$here"/models/*; do
    [ -d "$model" ] || continue
    name=${model##*/}
    rm -rf "$models/.$name.new"
    mkdir -p "$models/.$name.new"
    for file in "$model"/*; do put 0644 "$file" "$models/.$name.new"; done
    rm -rf "${models:?}/$name"
    mv "$models/.$name.new" "$models/$name"
done
[ -f "$share/extension/vector.control" ] || echo "pgvector is missing in $share/extension: install it too" >&2
echo "itembank_embed is installed into $lib and $share"
