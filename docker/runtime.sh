#!/bin/bash
# runtime.sh cpu|gpu FOLDER: ONNX Runtime's library, and for a GPU the CUDA libraries that it loads, out of the wheels
# that dev/versions.env names: FOLDER/usr/lib/itembank_embed. Run in a stage of the Dockerfile.
# The wheels bring CUDA because there is no image of it for Debian; the driver (libcuda.so.1) is the host's.
set -euo pipefail
source dev/versions.env

library=$2/usr/lib/itembank_embed
doc=$2/usr/share/doc/itembank_embed
case $1 in
    cpu) wheels=("onnxruntime==$ORT_CPU") ;;
    gpu) read -rd '' -a wheels <<<"onnxruntime-gpu==$ORT_GPU $CUDA_WHEELS" || true ;;
    *) echo "ORT=$1: cpu or gpu" >&2 && exit 1 ;;
esac
unpacked=$(mktemp -d)
for wheel in "${wheels[@]}"; do
    /build/venv/bin/pip download --quiet --no-cache-dir --no-deps --only-binary :all: --dest "$unpacked" "$wheel"
    # A wheel is a zip file: unpacked, with nothing of it installed or run.
    /build/venv/bin/python -m zipfile -e "$unpacked"/*.whl "$unpacked"
    rm "$unpacked"/*.whl
done

mkdir -p "$library" "$doc"
cp "$unpacked"/onnxruntime/capi/libonnxruntime*.so* "$library"
rm -f "$library/libonnxruntime_providers_tensorrt.so"
(cd "$library" && ln -sf libonnxruntime.so.* libonnxruntime.so)
cp "$unpacked/onnxruntime/LICENSE" "$doc/LICENSE.onnxruntime"
cp "$unpacked/onnxruntime/ThirdPartyNotices.txt" "$doc"
if [[ $1 == gpu ]]; then
    find "$unpacked/nvidia" -name '*.so*' -exec cp -n {} "$library" \;
    for package in "$unpacked"/nvidia_*.dist-info; do
        name=${package##*/}
        find "$package" -type f -iname '*license*' -exec cat {} + >"$doc/LICENSE.${name%%-*}"
        [[ -s $doc/LICENSE.${name%%-*} ]] || { echo "$name has no licence" >&2 && exit 1; }
    done
    # ONNX Runtime's providers find the libraries of CUDA as the system's loader does.
    mkdir -p "$2/etc/ld.so.conf.d"
    echo /usr/lib/itembank_embed >"$2/etc/ld.so.conf.d/itembank_embed.conf"
fi
chmod 0644 "$library"/*.so*
rm -rf "$unpacked"
