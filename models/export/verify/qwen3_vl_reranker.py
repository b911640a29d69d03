"""Qwen3-VL-Reranker's logits against transformers' language model and its head."""

from pathlib import Path

from tokenizers import Tokenizer

from export.reference.rows import prompted_pair
from export.verify.comparison import Comparison, ScoreComparison
from export.verify.inputs import PAIRS, TEXTS
from export.verify.qwen3_vl import GRIDS, Batch, image_tokens, reference, run
from export.verify.reference_model import load


def compare(
    checkpoint: Path, directory: Path, manifest: dict
) -> list[Comparison | ScoreComparison]:
    """Image features and their deepstack levels, and logits of pairs with and without images."""
    tokenizer = Tokenizer.from_file(str(directory / manifest["text"]["tokenizer"]))
    batch = _batch(tokenizer, manifest)
    model = load(checkpoint, "Qwen3VLForConditionalGeneration", unused=())
    wanted = reference(checkpoint, model.model, batch)
    table = model.lm_head.weight.detach().numpy()
    yes, no = (table[tokenizer.token_to_id(answer)] for answer in ("yes", "no"))
    logits = (batch.last(wanted.rows) @ (yes - no))[:, None]
    del model, table
    found = run(directory, manifest, batch)
    return found.vision(wanted) + [
        ScoreComparison.of(what, found.rows[chosen], logits[chosen])
        for what, chosen in (("pairs", ~batch.has_image), ("pairs with images", batch.has_image))
    ]


def _batch(tokenizer: Tokenizer, manifest: dict) -> Batch:
    """Pairs of texts; images on one side, on the other, on both, without a text."""
    text, first, second, third = TEXTS[0], *([grid] for grid in GRIDS)
    sides = [((query, []), (document, [])) for query, document in PAIRS]
    sides += [((text, first), (TEXTS[1], [])), ((text, []), (TEXTS[2], second))]
    sides += [((text, third), ("", [*first, *second]))]
    prompts, tokens = manifest["prompts"], image_tokens(manifest)
    rows = [
        prompted_pair(tokenizer, prompts["pair"], prompts["instruction"], query, document, tokens)
        for query, document in sides
    ]
    return Batch(manifest, rows, [[*query[1], *document[1]] for query, document in sides])
