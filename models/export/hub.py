"""A checkpoint by its id on the Hugging Face hub, through huggingface_hub where it is installed."""

import re
import sys
from pathlib import Path

from export.errors import ExportError

ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9][A-Za-z0-9._-]*")
# What the exporter reads of a checkpoint; other formats of the same weights stay where they are.
FILES = ("*.safetensors", "*.json", "*.model", "README.md")
SKIPPED = ("onnx/*", "openvino/*", "*/*.safetensors", "*/*.model")


def is_hub_id(place: str) -> bool:
    """Whether it is of the form Organisation/Name."""
    return ID.fullmatch(place) is not None


def download(model: str) -> Path:
    """The folder of the checkpoint's files in huggingface_hub's cache."""
    try:
        from huggingface_hub import snapshot_download
    except ImportError as error:
        raise ExportError(
            f"there is no folder {model}; to download it from the hub, run {sys.executable}"
            " -m pip install huggingface_hub, or fetch the checkpoint by hand and name its folder"
        ) from error
    try:
        return Path(
            snapshot_download(model, allow_patterns=list(FILES), ignore_patterns=list(SKIPPED))
        )
    except Exception as error:  # of a network, of an account, of a name: one line is what helps
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise ExportError(
            f"there is no folder {model}, and the hub does not give it: {reason[0]}"
        ) from error
