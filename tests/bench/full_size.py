"""Qwen3-VL-Embedding-2B at its real size: what an export, a load and a vector cost.

No registry that this project uses has its weights, so they are random: time, memory and file sizes
are those of the real model, the vectors mean nothing. Precisions are compared by the cosine of
their vectors to fp32's all the same; that tells a broken graph, and little of what rounding does to
weights that have learnt something.

export  the exporter as a program of its own: wall time, peak of resident memory (ru_maxrss) and of
        anonymous memory (sampled), size of the directory.
load    the first embedding of a session less a later one of the same length: tokenizer and graph;
        in the server's first session the checksums of all files besides, and whatever of them is
        not in the page cache. The vision tower is loaded by the first image.
memory  of the session afterwards: its own (anonymous), mapped from files (which sessions share),
        and PSS. After texts only, and after images.
latency seconds through SQL, medians of ROUNDS; tokens are those of the text, the chat template adds
        its own.

On a machine with a GPU that ONNX Runtime can use (make setup ORT=gpu), each precision is measured
on it too. Checkpoint and exports stay in ITEMBANK_BENCH_MODELS and are taken as they are the next
time, so that an interrupted run goes on where it was.

Variables: PRECISIONS (fp16 int8), ROUNDS (3), THREADS (2), LARGE_IMAGE=1 (one of 1024x1024, too),
STORED (bf16) or fp32: the checkpoint's.
"""

import os
import platform
import statistics
import sys
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import onnxruntime
import psycopg
from inputs import Row, drawing, questions, text_of
from measure import seconds
from memory import Session, available, gigabytes, session_memory
from model_shapes import SHAPES
from random_checkpoints import STORED
from random_models import BYTES, Export, NotMade, RandomModels, directory_bytes, progress
from server import connect, cosines, embed_one, set_to, vectors
from tokenizers import Tokenizer

SHAPE = SHAPES["Qwen3-VL-Embedding-2B"]
PRECISIONS = os.environ.get("PRECISIONS", "fp16 int8").split()
ROUNDS = int(os.environ.get("ROUNDS", "3"))
THREADS = int(os.environ.get("THREADS", "2"))
STORED_AS = os.environ.get("STORED", "bf16")
LARGE_IMAGE = os.environ.get("LARGE_IMAGE") == "1"
REFERENCE = "fp32"
COMPARED = 6
# What a session on the CPU has for itself, bytes a parameter, rounded up: fp16 becomes fp32 there,
# int8 and int4 are rearranged, fp32 stays in its file.
OWN_BYTES = {"fp32": 0.3, "fp16": 4.5, "int8": 1.5, "int4": 1.0}
NO_CUDA = "55000"  # object_not_in_prerequisite_state


@dataclass
class Measured:
    """One precision on one device; seconds and bytes, `failed` says why there is no more."""

    precision: str
    device: str
    load_text: float = 0.0
    load_again: float = 0.0
    load_vision: float = 0.0
    with_texts: Session | None = None
    with_images: Session | None = None
    latency: dict[str, float] = field(default_factory=dict)
    cosine: tuple[float, float] | None = None
    failed: str = ""


class Inputs:
    """Rows by kind, another one for each number: nothing is measured twice on the same bytes."""

    def __init__(self, models: RandomModels, precision: str):
        directory = models.directory(SHAPE, precision)
        tokenizer = Tokenizer.from_file(str(directory / "tokenizer.json"))

        def count(text: str) -> int:
            return len(tokenizer.encode(text, add_special_tokens=False).ids)

        self.kinds = {
            "text 16": lambda n: (text_of(16, count, n), None),
            "text 128": lambda n: (text_of(128, count, n), None),
            "image 384": lambda n: (None, drawing(384, 384, n)),
            "both": lambda n: (text_of(128, count, n), drawing(384, 384, n)),
        }
        if LARGE_IMAGE:
            self.kinds["image 1024"] = lambda n: (None, drawing(1024, 1024, n))

    def row(self, kind: str, number: int) -> Row:
        """The row of that kind with that number."""
        return self.kinds[kind](number)


def make(models: RandomModels) -> dict[str, Export]:
    """Every export that was asked for."""
    unknown = [one for one in PRECISIONS if one not in BYTES]
    if unknown or not PRECISIONS or STORED_AS not in STORED:
        raise NotMade(f"PRECISIONS: some of {' '.join(BYTES)}; STORED: {' or '.join(STORED)}")
    models.check_space(SHAPE, PRECISIONS)
    return {precision: models.make(SHAPE, precision) for precision in PRECISIONS}


def serve(models: RandomModels, precision: str, device: str) -> Measured:
    """A session that loads the model and embeds; a failure is a result, too."""
    measured = Measured(precision, device)
    name, inputs = models.name(SHAPE, precision), Inputs(models, precision)
    progress(f"{precision} on {device}")
    need = OWN_BYTES[precision] * SHAPE.parameters
    if device == "cpu" and need > available():
        measured.failed = f"needs {gigabytes(need)} of memory, {gigabytes(available())} are free"
        return measured
    try:
        with connect([models.models], THREADS, 0) as sql:
            set_to(sql, "device", device)
            observe(sql, name, inputs, measured)
            reference = models.place / "exports" / f"{models.name(SHAPE, REFERENCE)}.npy"
            measured.cosine = compare(sql, name, precision, reference)
        with connect([models.models], THREADS, 0) as sql:
            set_to(sql, "device", device)
            first = seconds(lambda: embed_one(sql, name, inputs.row("text 16", 0)))
            measured.load_again = first - measured.latency["text 16"]
    except psycopg.Error as error:
        detail = error.diag.message_detail or ""
        measured.failed = f"{error.diag.message_primary or error} {detail}".strip()
        progress(measured.failed)
    return measured


def observe(sql: psycopg.Connection, name: str, inputs: Inputs, measured: Measured) -> None:
    """Load, latency and memory: texts first, then what needs the vision tower."""

    def once(kind: str, number: int) -> float:
        row = inputs.row(kind, number)
        return seconds(lambda: embed_one(sql, name, row))

    for kind in inputs.kinds:
        first = once(kind, 0) if kind in ("text 16", "image 384") else 0.0
        rounds = 1 if kind == "image 1024" else ROUNDS
        later = statistics.median(once(kind, n) for n in range(1, 1 + rounds))
        measured.latency[kind] = later
        progress(f"{kind}: {later:.2f} s" + (f", the first {first:.1f} s" if first else ""))
        if kind == "text 16":
            measured.load_text = first - later
        if kind == "image 384":
            measured.load_vision = first - later
        if kind == "text 128":
            measured.with_texts = session_memory(sql)
    measured.with_images = session_memory(sql)


def compare(
    sql: psycopg.Connection, name: str, precision: str, reference: Path
) -> tuple[float, float] | None:
    """Least cosine to fp32's vectors of a few texts, and that of an image; fp32 leaves its own."""
    rows: list[Row] = [(text, None) for text in questions()[:COMPARED]]
    rows.append((None, drawing(384, 384, 0)))
    if precision != REFERENCE and not reference.exists():
        return None
    found = vectors(sql, name, rows)
    if precision == REFERENCE and not reference.exists():
        np.save(reference, found)
    each = cosines(found, np.load(reference))
    return float(each[:COMPARED].min()), float(each[COMPARED])


def devices() -> list[str]:
    """The CPU, and CUDA where a session can use it; says why not."""
    with connect([Path(os.environ["ITEMBANK_MODELS"])], THREADS, 0) as sql:
        set_to(sql, "device", "cuda")
        try:
            embed_one(sql, "multilingual-e5-small", ("warm", None))
        except psycopg.Error as error:
            if error.sqlstate != NO_CUDA:
                raise
            print(f"no CUDA: {error.diag.message_detail or error}")
            return ["cpu"]
    return ["cpu", "cuda"]


def table(lines: list[list[str]]) -> None:
    """Columns as wide as their widest entry."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        cells = (cell.rjust(width) for cell, width in zip(line, widths, strict=True))
        print("  ".join(cells).rstrip())
    print()


def show_exports(models: RandomModels, exports: dict[str, Export]) -> None:
    """The first table."""
    lines = [["export", "seconds", "peak resident", "peak anonymous", "directory"]]
    for precision, export in exports.items():
        size = directory_bytes(models.directory(SHAPE, precision))
        numbers = (gigabytes(one) for one in (export.resident, export.anonymous, size))
        lines.append([precision, f"{export.seconds:.0f}", *numbers])
    table(lines)


def show_measured(results: list[Measured]) -> None:
    """The second table, and after it what failed."""
    kinds = max((list(result.latency) for result in results), key=len)
    head = [
        "precision",
        "device",
        "load",
        "again",
        "vision",
        "own, texts",
        "+ images",
        "mapped",
        "PSS",
    ]
    lines = [[*head, *kinds, "cosine texts", "image"]]
    for result in results:
        if result.failed:
            continue
        loads = (result.load_text, result.load_again, result.load_vision)
        memory = [result.with_texts.anonymous, result.with_images.anonymous]
        memory += [result.with_images.mapped, result.with_images.proportional]
        cosine = [f"{one:.5f}" for one in result.cosine] if result.cosine else ["-", "-"]
        lines.append(
            [result.precision, result.device]
            + [f"{load:.1f} s" for load in loads]
            + [gigabytes(size) for size in memory]
            + [f"{result.latency[kind]:.2f} s" for kind in kinds]
            + cosine
        )
    table(lines)
    for result in results:
        if result.failed:
            print(f"{result.precision} on {result.device}: {result.failed}")


def main() -> int:
    """0, or 1 where there is nothing to measure."""
    models = RandomModels(Path(os.environ["ITEMBANK_BENCH_MODELS"]), STORED_AS)
    try:
        exports = make(models)
        # fp32 first, since the others are compared with it.
        order = sorted(PRECISIONS, key=lambda one: one != REFERENCE)
        results = [serve(models, one, device) for device in devices() for one in order]
    except NotMade as reason:
        print(f"error: {reason}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; what is made stays, and the next run goes on", file=sys.stderr)
        return 130
    print(
        f"\nthe shape of {SHAPE.name}, {SHAPE.parameters:,} random parameters, stored as"
        f" {STORED_AS}; {platform.machine()}, {len(os.sched_getaffinity(0))} cores, {THREADS}"
        f" threads, onnxruntime {onnxruntime.__version__}, medians of {ROUNDS}\n"
    )
    show_exports(models, exports)
    show_measured(results)
    return 0


if __name__ == "__main__":
    sys.exit(main())
