"""A cross-encoder against transformers' class of its architecture."""

from pathlib import Path

from tokenizers import Tokenizer

from export.reference.rows import padded
from export.verify.comparison import ScoreComparison, Session
from export.verify.inputs import PAIRS
from export.verify.reference_model import load


def compare(checkpoint: Path, directory: Path, manifest: dict) -> list[ScoreComparison]:
    """The logits of pairs in one batch."""
    import torch

    tokenizer = Tokenizer.from_file(str(directory / manifest["text"]["tokenizer"]))
    tokenizer.enable_truncation(manifest["max_tokens"])
    rows = [tokenizer.encode(query, document) for query, document in PAIRS]
    ids, mask = padded([row.ids for row in rows], manifest["text"]["pad_token_id"])
    types, _ = padded([row.type_ids for row in rows], 0)
    session = Session(directory / manifest["text"]["graph"])
    inputs = {"input_ids": ids, "attention_mask": mask, "token_type_ids": types}
    inputs = {name: inputs[name] for name in session.inputs}
    with torch.no_grad():
        model = load(checkpoint, "AutoModelForSequenceClassification", unused=())
        wanted = model(**{name: torch.from_numpy(rows) for name, rows in inputs.items()})
    (found,) = session.run(["logits"], **inputs)
    return [ScoreComparison.of("pairs", found, wanted.logits.numpy())]
