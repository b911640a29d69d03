"""Model directories of real size with random weights: made where they are missing, kept for later.

Below one folder (ITEMBANK_BENCH_MODELS): `checkpoints/`, `models/` for the server's model path, and
`exports/` with what each export took. What an interrupted step leaves behind never counts as done.
"""

import hashlib
import json
import os
import shutil
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter

from memory import gigabytes, run_measured
from model_shapes import ModelShape
from random_checkpoints import STORED, write_checkpoint

ROOT = Path(__file__).resolve().parents[2]
EXPORTER = ROOT / "models" / "export"
# Weights of a directory, bytes a parameter: int8 and int4 have a scale of 4 bytes for every 32.
BYTES = {"fp32": 4.0, "fp16": 2.0, "int8": 1.125, "int4": 0.625}
# Biases and tables that stay float32, padding to pages, and room to breathe.
MARGIN = 1.15
PROGRESS_SECONDS = 15


class NotMade(Exception):
    """A model cannot be made; the message says why and what helps."""


@dataclass(frozen=True)
class Export:
    """What an export took, in seconds and bytes, and the state of the exporter that made it."""

    seconds: float
    resident: int
    anonymous: int
    exporter: str


class RandomModels:
    """The models of one folder."""

    def __init__(self, place: Path, stored: str = "bf16"):
        self.place, self.stored = place, stored
        self.models = place / "models"

    def name(self, shape: ModelShape, precision: str) -> str:
        """A name in SQL that nobody takes for the real model's."""
        return f"random-{shape.name}-{precision}"

    def directory(self, shape: ModelShape, precision: str) -> Path:
        """Where that model is, or would be."""
        return self.models / self.name(shape, precision)

    def check_space(self, shape: ModelShape, precisions: list[str]) -> None:
        """Refuse to begin what will not fit."""
        # An old directory goes only when the new one is complete, so it makes no room.
        sizes = [BYTES[one] for one in precisions if not self.made(shape, one)]
        if sizes and not self._checkpoint(shape).exists():
            sizes.append(STORED[self.stored][1])
        if not sizes:
            return
        need = int(sum(sizes) * shape.parameters * MARGIN)
        self.place.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(self.place).free
        print(f"{shape.name}: needs {gigabytes(need)} in {self.place}, {gigabytes(free)} are free")
        if need > free:
            raise NotMade("make room, choose fewer PRECISIONS, or another DEV_DIR")

    def made(self, shape: ModelShape, precision: str) -> Export | None:
        """What the export took, where there is one by the exporter as it is now."""
        record = self._record(shape, precision)
        if not (record.exists() and self.directory(shape, precision).exists()):
            return None
        export = Export(**json.loads(record.read_text(encoding="utf-8")))
        return export if export.exporter == exporter_state() else None

    def make(self, shape: ModelShape, precision: str) -> Export:
        """The model in that precision, made unless it is there."""
        if export := self.made(shape, precision):
            return export
        self._write_checkpoint(shape)
        export = self._export(shape, precision)
        record = self._record(shape, precision)
        record.parent.mkdir(exist_ok=True)
        record.write_text(json.dumps(asdict(export)) + "\n", encoding="utf-8")
        return export

    def _record(self, shape: ModelShape, precision: str) -> Path:
        return self.place / "exports" / f"{self.name(shape, precision)}.json"

    def _checkpoint(self, shape: ModelShape) -> Path:
        return self.place / "checkpoints" / f"{shape.name}-{self.stored}"

    def _write_checkpoint(self, shape: ModelShape) -> None:
        folder = self._checkpoint(shape)
        if folder.exists():
            return
        start = perf_counter()
        print(f"{shape.name}: a random checkpoint, {shape.parameters:,} parameters, {self.stored}")
        write_checkpoint(shape, folder, tokenizer_of(shape), self.stored, progress)
        size = sum(path.stat().st_size for path in folder.glob("*.safetensors"))
        progress(f"{gigabytes(size)} in {perf_counter() - start:.0f} s")

    def _export(self, shape: ModelShape, precision: str) -> Export:
        name, state = self.name(shape, precision), exporter_state()
        print(f"{name}: export")
        for left_over in self.models.glob(f".{name}.*"):
            shutil.rmtree(left_over)
        command = [sys.executable, str(EXPORTER), name, "--from", str(self._checkpoint(shape))]
        command += ["--out", str(self.models), "--dtype", precision]
        start, last_shown, lines = perf_counter(), perf_counter(), []

        def show(line: str) -> None:
            nonlocal last_shown
            lines.append(line)
            if perf_counter() - last_shown > PROGRESS_SECONDS:
                last_shown = perf_counter()
                progress(f"{last_shown - start:.0f} s: {line}")

        done = run_measured(command, show)
        if done.code:
            raise NotMade("\n".join([f"the export ended with {done.code}:", *lines[-20:]]))
        export = Export(done.seconds, done.resident, done.anonymous, state)
        progress(
            f"{gigabytes(directory_bytes(self.models / name))} in {export.seconds:.0f} s,"
            f" peak {gigabytes(export.resident)}, {gigabytes(export.anonymous)} of it anonymous"
        )
        return export


def tokenizer_of(shape: ModelShape) -> Path:
    """tokenizer.json of its vocabulary: a model's that is installed, or a published one."""
    places = [Path(os.environ["ITEMBANK_MODELS"])]
    if vocabularies := os.environ.get("ITEMBANK_VOCABULARIES"):
        places.append(Path(vocabularies))
    for place in places:
        if (path := place / shape.vocabulary / "tokenizer.json").exists():
            return path
    raise NotMade(f"{shape.name}: the tokenizer of {shape.vocabulary} is not in {places[-1]}")


def exporter_state() -> str:
    """A checksum of the exporter: what it makes may differ where this does."""
    digest = hashlib.sha256()
    for path in sorted(EXPORTER.rglob("*.py")):
        if "tests" not in path.parts:
            digest.update(path.relative_to(EXPORTER).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def directory_bytes(directory: Path) -> int:
    """Size of the files in it."""
    return sum(path.stat().st_size for path in directory.iterdir())


def progress(text: str) -> None:
    """One indented line, at once."""
    print(f"    {text}", flush=True)
