"""P10: from the start of an engine to the first vector, against a bare load and run in Python.

killed    the engine is killed; `SELECT embed(…)` waits for the next one, which has to be started,
          to load ONNX Runtime, the tokenizer and the model, and to run. Over the bare time at most
          1.2.
unloaded  `unload_model()` and the same statement: without the process and the runtime's load.
bare      in Python: Tokenizer, InferenceSession and one run of the same text, in a fresh
          interpreter that has imported all (and so has loaded ONNX Runtime), with the engine's
          session options.

Method: the three in turn, ROUNDS times, medians of the rounds and of their ratios. The clock of
`killed` starts before the kill. Files are in the page cache, checksums known, on all sides.

Variables: ROUNDS (7), MODEL.
"""

import os
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import numpy as np
import onnxruntime
import psycopg
from engine_process import MODEL, connect, kill
from measure import heading, in_turn, load, ratios, row, seconds
from tokenizers import Tokenizer

ROUNDS = int(os.environ.get("ROUNDS", "7"))
TEXT = "이차방정식의 두 근의 합과 곱을 구하시오."
THREADS = os.cpu_count()
REST = 2  # seconds: the engine has lived long enough to be started at once, and is idle
IN_FLIGHT = "08006"


def bare() -> None:
    """One load and run; prints its seconds. The interpreter is warm, and starts at a line."""
    directory = Path(os.environ["ITEMBANK_MODELS"]) / MODEL
    manifest = tomllib.loads((directory / "model.toml").read_text(encoding="utf-8"))
    print("ready", flush=True)
    sys.stdin.readline()
    start = time.perf_counter()
    tokenizer = Tokenizer.from_file(str(directory / "tokenizer.json"))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = THREADS
    options.enable_mem_pattern = False
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = onnxruntime.InferenceSession(str(directory / "model.onnx"), options)
    ids = np.array([tokenizer.encode(manifest["prompts"]["document"] + TEXT).ids], np.int64)
    session.run(["sentence_embedding"], {"input_ids": ids, "attention_mask": np.ones_like(ids)})
    print(time.perf_counter() - start, flush=True)


def run_bare() -> float:
    """In an interpreter of its own."""
    command = [sys.executable, __file__, "bare"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, text=True, **pipes) as process:
        process.stdout.readline()
        time.sleep(REST)
        process.stdin.write("start\n")
        process.stdin.flush()
        return float(process.stdout.readline())


def first_vector(sql: psycopg.Connection) -> None:
    """Once more where the statement met the engine that was on its way out."""
    while True:
        try:
            sql.execute("SELECT embed(%s, %s)", (MODEL, TEXT))
            return
        except psycopg.Error as error:
            if error.sqlstate != IN_FLIGHT:
                raise


def killed(sql: psycopg.Connection) -> float:
    first_vector(sql)
    time.sleep(REST)

    def work() -> None:
        kill(sql)
        first_vector(sql)

    return seconds(work)


def unloaded(sql: psycopg.Connection) -> float:
    first_vector(sql)
    if not sql.execute("SELECT unload_model(%s)", (MODEL,)).fetchone()[0]:
        raise AssertionError("the model was not loaded")
    time.sleep(REST)
    return seconds(lambda: first_vector(sql))


def main() -> None:
    with connect() as sql:
        sql.execute("SET itembank_embed.engine_start_timeout = '60s'")
        works = {"bare": run_bare, "killed": lambda: killed(sql), "unloaded": lambda: unloaded(sql)}
        found = in_turn(works, ROUNDS)
    print(f"{MODEL}, {THREADS} threads, {ROUNDS} rounds, {load()}")
    heading()
    row("    seconds, bare load and run", found["bare"])
    row("    seconds, from the kill to the first vector", found["killed"])
    row("    seconds, from unload_model() to the first vector", found["unloaded"])
    row(
        "P10 killed engine to first vector / bare", ratios(found["killed"], found["bare"]), most=1.2
    )
    row("    unloaded model to first vector / bare", ratios(found["unloaded"], found["bare"]))


if __name__ == "__main__":
    if sys.argv[1:] == ["bare"]:
        bare()
    else:
        main()
