"""Compares an exported directory with the checkpoint in transformers: `--verify`.

The only part of the exporter that needs torch, transformers and onnxruntime. The whole model is
loaded in float32, so it also needs the memory for that.
"""

import importlib
import logging
import tomllib
from pathlib import Path

from export.errors import ExportError

log = logging.getLogger(__name__)

# transformers 5 answers in other shapes, and loads images through torchvision.
TRANSFORMERS = "4.57"
INSTALL = f"pip install torch onnxruntime Pillow 'transformers=={TRANSFORMERS}.*'"
NEEDED = ("torch", "transformers", "onnxruntime", "PIL")
FAMILIES = {
    "bert": "encoder",
    "xlm-roberta": "encoder",
    "siglip": "siglip",
    "siglip2": "siglip",
    "qwen3_vl": "qwen3_vl",
    "cross-encoder": "cross_encoder",
    "qwen3_vl_reranker": "qwen3_vl_reranker",
}


def require() -> None:
    """Refuse where a package is missing; called before an export that takes minutes."""
    missing = []
    for name in NEEDED:
        try:
            importlib.import_module(name)
        except ImportError:
            missing.append(name)
    if missing:
        raise ExportError(f"--verify needs {', '.join(missing)}: {INSTALL}")
    found = importlib.import_module("transformers").__version__
    if not found.startswith(f"{TRANSFORMERS}."):
        raise ExportError(f"--verify needs transformers {TRANSFORMERS}, not {found}: {INSTALL}")


def verify(checkpoint: Path, directory: Path) -> None:
    """Say how far `directory` is from its checkpoint in transformers; too far is an error."""
    require()
    from export.verify.comparison import check

    if not (checkpoint / "config.json").exists():
        raise ExportError(f"--verify: {checkpoint} is no checkpoint that transformers could load")
    manifest = tomllib.loads((directory / "model.toml").read_text(encoding="utf-8"))
    family = importlib.import_module(f"export.verify.{FAMILIES[manifest['architecture']]}")
    try:
        comparisons = family.compare(checkpoint, directory, manifest)
    except ExportError:
        raise
    except Exception as error:  # whatever transformers finds wrong: the export itself is there
        raise ExportError(f"--verify cannot run {checkpoint}: {error}") from error
    for comparison in comparisons:
        log.info("%s", comparison)
    check(comparisons, manifest["precision"])
