"""How close is close enough, and the sessions that are compared."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime

from export.errors import ExportError

# The least cosine of a row. float32 and float16 differ by rounding alone; what integers lose is the
# model's. Less than this: something else is wrong, or the model is not made for so few bits.
LEAST_COSINE = {"fp32": 0.99999, "fp16": 0.999, "int8": 0.99, "int4": 0.9}
SMALLEST_NORM = 1e-12


@dataclass(frozen=True)
class Comparison:
    """Over the rows of what a graph gives: the smallest cosine, the largest error of a number."""

    what: str
    rows: int
    cosine: float
    error: float

    @classmethod
    def of(cls, what: str, found: np.ndarray, wanted: np.ndarray) -> "Comparison":
        """found and wanted [rows, dimensions]."""
        if found.shape != wanted.shape:
            raise ExportError(f"--verify: {what} has the shape {found.shape}, not {wanted.shape}")
        found, wanted = found.astype(np.float64), wanted.astype(np.float64)
        lengths = np.linalg.norm(found, axis=1) * np.linalg.norm(wanted, axis=1)
        cosines = (found * wanted).sum(axis=1) / np.maximum(lengths, SMALLEST_NORM)
        return cls(what, len(found), float(cosines.min()), float(np.abs(found - wanted).max()))

    def __str__(self) -> str:
        return (
            f"{self.what}: cosine {self.cosine:.7f} or more,"
            f" max abs error {self.error:.2g}, over {self.rows} rows"
        )


def check(comparisons: list[Comparison], precision: str) -> None:
    """Refuse what is further away than rounding can have brought it."""
    least = LEAST_COSINE[precision]
    # `not >=`, so that NaN fails, too
    far = [one for one in comparisons if not one.cosine >= least]
    if far:
        raise ExportError(
            f"{far[0].what} has a cosine of {far[0].cosine:.5f} with transformers';"
            f" {precision} should reach {least} (the directory is written, but do not use it)"
        )


class Session:
    """One graph in onnxruntime on the CPU."""

    def __init__(self, path: Path):
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(
            path, options, providers=["CPUExecutionProvider"]
        )

    def run(self, outputs: list[str] | None = None, **inputs: np.ndarray) -> list[np.ndarray]:
        """The outputs of that names, or all."""
        return self._session.run(outputs, inputs)
