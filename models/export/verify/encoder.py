"""An encoder against transformers' class of its architecture, with the pooling written in numpy."""

from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from export.reference.rows import padded
from export.verify.comparison import Comparison, Session
from export.verify.inputs import TEXTS
from export.verify.reference_model import load


def compare(checkpoint: Path, directory: Path, manifest: dict) -> list[Comparison]:
    """The sentence embeddings of texts in one batch."""
    import torch

    tokenizer = Tokenizer.from_file(str(directory / manifest["text"]["tokenizer"]))
    tokenizer.enable_truncation(manifest["max_tokens"])
    prompt = manifest["prompts"]["document"]
    rows = [tokenizer.encode(prompt + text).ids for text in TEXTS]
    ids, mask = padded(rows, manifest["text"]["pad_token_id"])
    with torch.no_grad():
        model = load(checkpoint, "AutoModel")
        states = model(torch.from_numpy(ids), attention_mask=torch.from_numpy(mask))
    wanted = _pool(states.last_hidden_state.numpy(), mask, manifest["pooling"])
    if manifest["normalize"]:
        wanted /= np.linalg.norm(wanted, axis=1, keepdims=True)
    session = Session(directory / manifest["text"]["graph"])
    (found,) = session.run(["sentence_embedding"], input_ids=ids, attention_mask=mask)
    return [Comparison.of("text", found, wanted)]


def _pool(states: np.ndarray, mask: np.ndarray, pooling: str) -> np.ndarray:
    if pooling == "cls":
        return states[:, 0]
    if pooling == "last_token":
        return states[np.arange(len(states)), mask.sum(axis=1) - 1]
    return (states * mask[..., None]).sum(axis=1) / mask.sum(axis=1, keepdims=True)
