"""A tiny model that cannot bear one word: a row with it fails, alone or with all of its batch."""

import hashlib
import re
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper

# The tokenizer's last token, with a row of its own at the end of the table of embeddings.
POISON = "<mask>"
TABLE = "embeddings.word_embeddings.weight"


def _changed(model: Path, change) -> None:
    graph = onnx.load(model / "model.onnx")
    table = next(one for one in graph.graph.initializer if one.name == TABLE)
    table.CopyFrom(numpy_helper.from_array(change(numpy_helper.to_array(table)), TABLE))
    onnx.save(graph, model / "model.onnx", save_as_external_data=True, location="model.onnx.data")
    _sign(model)


def _sign(model: Path) -> None:
    """The manifest's checksums of the files as they are now."""
    manifest = (model / "model.toml").read_text()
    for name in ("model.onnx", "model.onnx.data"):
        digest = hashlib.sha256((model / name).read_bytes()).hexdigest()
        manifest = re.sub(rf'("{re.escape(name)}" = )"\w+"', rf'\1"{digest}"', manifest)
    (model / "model.toml").write_text(manifest)


def not_a_number(model: Path) -> None:
    """Its vector is not finite; the run as a whole succeeds."""

    def change(table: np.ndarray) -> np.ndarray:
        table = table.copy()
        table[-1] = np.nan
        return table

    _changed(model, change)


def out_of_bounds(model: Path) -> None:
    """The whole run fails."""
    _changed(model, lambda table: table[:-1].copy())
