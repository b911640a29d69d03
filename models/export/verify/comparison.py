"""How close is close enough, and the sessions that are compared."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime

from export.errors import ExportError

# The least cosine of a row. float32 and float16 differ by rounding alone; what integers lose is the
# model's. Less than this: something else is wrong, or the model is not made for so few bits.
LEAST_COSINE = {"fp32": 0.99999, "fp16": 0.999, "int8": 0.99, "int4": 0.9}
# The same for a score, as the probability that its logit stands for.
LARGEST_DIFFERENCE = {"fp32": 1e-4, "fp16": 0.01, "int8": 0.05, "int4": 0.2}
SMALLEST_NORM = 1e-12


@dataclass(frozen=True)
class Comparison:
    """Over the rows of vectors: the smallest cosine, the largest error of a number."""

    what: str
    rows: int
    cosine: float
    error: float

    @classmethod
    def of(cls, what: str, found: np.ndarray, wanted: np.ndarray) -> "Comparison":
        """found and wanted [rows, dimensions]."""
        found, wanted = _alike(what, found, wanted)
        lengths = np.linalg.norm(found, axis=1) * np.linalg.norm(wanted, axis=1)
        cosines = (found * wanted).sum(axis=1) / np.maximum(lengths, SMALLEST_NORM)
        return cls(what, len(found), float(cosines.min()), float(np.abs(found - wanted).max()))

    def __str__(self) -> str:
        return (
            f"{self.what}: cosine {self.cosine:.7f} or more,"
            f" max abs error {self.error:.2g}, over {self.rows} rows"
        )

    def problem(self, precision: str) -> str | None:
        """What is further away than rounding can have brought it."""
        least = LEAST_COSINE[precision]
        # so that NaN fails, too
        if self.cosine >= least:
            return None
        return (
            f"{self.what} has a cosine of {self.cosine:.5f} with transformers';"
            f" {precision} should reach {least}"
        )


@dataclass(frozen=True)
class ScoreComparison:
    """Over the logits of pairs: the largest error, and the same of sigmoid(logit)."""

    what: str
    rows: int
    difference: float
    error: float

    @classmethod
    def of(cls, what: str, found: np.ndarray, wanted: np.ndarray) -> "ScoreComparison":
        """found and wanted logits [rows, 1]."""
        found, wanted = _alike(what, found, wanted)
        difference = np.abs(_sigmoid(found) - _sigmoid(wanted)).max()
        return cls(what, len(found), float(difference), float(np.abs(found - wanted).max()))

    def __str__(self) -> str:
        return (
            f"{self.what}: scores within {self.difference:.2g},"
            f" max abs error of a logit {self.error:.2g}, over {self.rows} rows"
        )

    def problem(self, precision: str) -> str | None:
        """What is further away than rounding can have brought it."""
        largest = LARGEST_DIFFERENCE[precision]
        # so that NaN fails, too
        if self.difference <= largest:
            return None
        return (
            f"{self.what} has scores {self.difference:.5f} away from transformers';"
            f" {precision} should stay within {largest}"
        )


def _alike(what: str, found: np.ndarray, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    if found.shape != wanted.shape:
        raise ExportError(f"--verify: {what} has the shape {found.shape}, not {wanted.shape}")
    return found.astype(np.float64), wanted.astype(np.float64)


def _sigmoid(logits: np.ndarray) -> np.ndarray:
    # tanh does not overflow as exp would
    return 0.5 * (1 + np.tanh(0.5 * logits))


def check(comparisons: list[Comparison | ScoreComparison], precision: str) -> None:
    """Refuse what is too far away."""
    problems = [problem for one in comparisons if (problem := one.problem(precision))]
    if problems:
        raise ExportError(f"{problems[0]} (the directory is written, but do not use it)")


class Session:
    """One graph in onnxruntime on the CPU."""

    def __init__(self, path: Path):
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(
            path, options, providers=["CPUExecutionProvider"]
        )

    @property
    def inputs(self) -> list[str]:
        """The names of what it takes."""
        return [one.name for one in self._session.get_inputs()]

    def run(self, outputs: list[str] | None = None, **inputs: np.ndarray) -> list[np.ndarray]:
        """The outputs of that names, or all."""
        return self._session.run(outputs, inputs)
