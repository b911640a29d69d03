#!/usr/bin/env bash
# parity.sh SEED: other random weights, configurations and pictures, drawn from SEED: checkpoints by transformers, the
# exporter, goldens by PyTorch, then the comparison of `make test` through SQL, on a throw-away server.
# Needs what `make build` made, and the reference's environment (dev/reference.sh). KEEP=/folder keeps what was made.
source "$(dirname "$0")/lib.sh"
source "$ROOT/dev/postgres-choice.sh"
source "$ROOT/dev/cluster.sh"
source "$ROOT/dev/throwaway.sh"

seed=${1:-}
[[ $seed =~ ^[0-9]{1,9}$ ]] || die "SEED=$seed is no seed: a whole number"
REFERENCE=$("$ROOT/dev/reference.sh")
fixtures=$ROOT/tests/fixtures
throwaway_start parity
instance=$CLUSTER/parity # the server reads its models here
export PYTHONPATH=$fixtures HF_HUB_OFFLINE=1 TOKENIZERS_PARALLELISM=false
checkpoints=$DEV_DIR/parity-$seed
trap 'rm -rf "$checkpoints"; cluster_stop "$CLUSTER"; flock -u 9' EXIT

step "checkpoints drawn from seed $seed"
logged parity-checkpoints "$REFERENCE" -m reference checkpoints "$checkpoints" --seed "$seed"
step 'export'
logged parity-export "$VENV/bin/python" "$fixtures/make_tiny_models.py" "$checkpoints" "$instance/models" --seed "$seed"
step 'goldens by PyTorch'
logged parity-goldens "$REFERENCE" -m reference goldens "$checkpoints" "$instance/goldens" --seed "$seed"
if [[ -n ${KEEP:-} ]]; then
    mkdir -p "$KEEP"
    cp -R "$checkpoints" "$KEEP/checkpoints"
    cp -R "$instance/." "$KEEP"
fi

step 'the same comparison through SQL'
unset PYTHONPATH
ITEMBANK_PARITY=$instance "$ROOT/dev/pytest.sh" -q -rPs --tb=short tests/parity/test_goldens.py tests/parity/test_rerank.py
