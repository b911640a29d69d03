"""The checkpoint in transformers, in float32, with every weight from the file."""

import logging
from pathlib import Path

from export.errors import ExportError

log = logging.getLogger(__name__)

# Heads that an embedding does not go through.
UNUSED = ("lm_head.", "pooler.", "cls.", "classifier.")


def load(checkpoint: Path, kind: str, unused: tuple[str, ...] = UNUSED) -> object:
    """The model of transformers' class `kind`, for inference.

    Tensors whose names begin with one of `unused` may be missing.
    """
    import torch
    import transformers

    log.info("loading the checkpoint into transformers' %s", kind)
    try:
        model, report = getattr(transformers, kind).from_pretrained(
            checkpoint, torch_dtype=torch.float32, output_loading_info=True
        )
    except Exception as error:  # of any kind, and not ours
        raise ExportError(f"--verify: transformers cannot load {checkpoint}: {error}") from error
    # These would be random: a comparison with them says nothing.
    missing = [name for name in report["missing_keys"] if not name.startswith(unused)]
    if missing:
        raise ExportError(f"--verify: transformers finds no weights for {', '.join(missing[:3])} …")
    return model.eval()
