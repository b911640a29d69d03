#!/usr/bin/env bash
# .dev/venv: the wheels that bring PostgreSQL, ONNX Runtime, the exporter's and the tests' packages.
source "$(dirname "$0")/lib.sh"

case ${ORT:=cpu} in
    cpu) runtime=onnxruntime==$ORT_CPU ;;
    gpu) runtime=onnxruntime-gpu==$ORT_GPU ;;
    *) die "ORT=$ORT: cpu or gpu" ;;
esac
mapfile -t packages < <(python_pins)
packages+=("$runtime")

# A venv knows the interpreter and the folder that it was made for.
python="$(command -v python3) $(python3 --version) $VENV"
want="$python ${packages[*]}"
stamped python "$want" && exit

step "Python packages (${#packages[@]}) into .dev/venv"
if ! stamped venv "$python" || [[ ! -x $VENV/bin/pip ]]; then
    rm -rf "$VENV"
    logged venv python3 -m venv "$VENV"
    stamp venv "$python"
fi
# Both runtimes own the same files, so the other one goes first.
logged python-remove "$VENV/bin/pip" uninstall -q -y onnxruntime onnxruntime-gpu
logged python "$VENV/bin/pip" install --no-deps --only-binary :all: "${packages[@]}"
stamp python "$want"
