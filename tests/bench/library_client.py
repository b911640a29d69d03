"""The libraries of libraries.py as a bench sees them: one process, asked by name.

ITEMBANK_BENCH_REFERENCE is the interpreter that has them, ITEMBANK_BENCH_CHECKPOINT the folder that
e5_checkpoint.py made; dev/bench.sh sets both.
"""

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import psycopg
from measure import ratios, row

SENTENCE_TRANSFORMERS, FASTEMBED, ONNXRUNTIME = "sentence-transformers", "fastembed", "onnxruntime"
GOALS = {SENTENCE_TRANSFORMERS: 1.5, FASTEMBED: 1.2, ONNXRUNTIME: None}
SAME = 0.9999


class LibraryClient:
    """Libraries with their models loaded."""

    def __init__(self):
        reference = os.environ["ITEMBANK_BENCH_REFERENCE"]
        program = Path(__file__).with_name("libraries.py")
        command = [reference, program, os.environ["ITEMBANK_BENCH_CHECKPOINT"]]
        quiet = {**os.environ, "TRANSFORMERS_VERBOSITY": "error", "HF_HUB_OFFLINE": "1"}
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=quiet
        )
        self._answer()

    def check(self, sql: psycopg.Connection, model: str, texts: list[str]) -> None:
        """All embed as we do: else their times say nothing."""
        rows = sql.execute(
            "SELECT unnest(embed(%s, %s::text[]))::real[]", (model, texts)
        ).fetchall()
        ours = np.array([row for (row,) in rows])
        for library in GOALS:
            theirs = np.array(self._ask(library=library, texts=texts))
            cosine = (ours * theirs).sum(axis=1).min()
            if not cosine >= SAME:  # NaN is not
                raise AssertionError(f"{library} embeds otherwise: cosine {cosine}")

    def backfill(self, library: str) -> None:
        """Vectors of all rows of bench_items."""
        self._ask(library=library, url=os.environ["ITEMBANK_TEST_URL"])

    def report(self, found: dict[str, list[float]], ours: dict[str, str]) -> None:
        """Rows/s of the libraries, and ours over those: by their titles, their names in `found`."""
        for library in GOALS:
            row(f"    rows/s, Python with {library}", found[library])
        for measure, name in ours.items():
            for library, least in GOALS.items():
                number = "P6" if least else "  "
                measured = ratios(found[name], found[library])
                row(f"{number}  {measure} / {library}", measured, least=least)

    def _ask(self, **question: object) -> object:
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> object:
        line = self._process.stdout.readline()
        if not line:
            raise AssertionError("libraries.py has ended; its last words are above")
        return json.loads(line)
