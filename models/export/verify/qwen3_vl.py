"""Qwen3-VL's two graphs against transformers' model: texts, images, and both in one batch."""

from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from export.reference.rows import ImageTokens, batch_positions, padded, prompted
from export.verify.comparison import Comparison, Session
from export.verify.inputs import TEXTS, picture
from export.verify.reference_model import load

# Rows and columns of features; no two alike, and none square.
GRIDS = ((3, 5), (4, 2), (1, 6))


class Rows:
    """One batch: texts alone, images with a text, an image alone."""

    def __init__(self, directory: Path, manifest: dict):
        image = manifest["image"]
        self.tokens = ImageTokens(
            image["start_token_id"], image["pad_token_id"], image["end_token_id"]
        )
        factor = image["factor"]
        self.pictures = [
            picture(height * factor, width * factor, seed)
            for seed, (height, width) in enumerate(GRIDS)
        ]
        inputs = [(text, []) for text in TEXTS]
        inputs += [(TEXTS[0], list(GRIDS[:2])), ("", [GRIDS[2]])]
        tokenizer = Tokenizer.from_file(str(directory / manifest["text"]["tokenizer"]))
        prompts = manifest["prompts"]
        rows = [
            prompted(
                tokenizer, prompts["document"], prompts["instruction"], text, grids, self.tokens
            )
            for text, grids in inputs
        ]
        self.ids, self.mask = padded(rows, manifest["text"]["pad_token_id"])
        self.positions = batch_positions(rows, [grids for _, grids in inputs], self.tokens.pad)


def compare(checkpoint: Path, directory: Path, manifest: dict) -> list[Comparison]:
    """Image features and their deepstack levels, and vectors of rows with and without images."""
    rows = Rows(directory, manifest)
    features, deepstack, vectors = _reference(checkpoint, rows, manifest["pooling"])
    vision = Session(directory / manifest["image"]["graph"])
    found = [vision.run(["image_embeds", "deepstack"], pixels=one[None]) for one in rows.pictures]
    del vision
    found_features = np.concatenate([one for one, _ in found])
    found_deepstack = np.concatenate([levels for _, levels in found], axis=1)
    (found_vectors,) = Session(directory / manifest["text"]["graph"]).run(
        input_ids=rows.ids,
        attention_mask=rows.mask,
        position_ids=rows.positions,
        image_embeds=found_features,
        deepstack=found_deepstack,
    )
    comparisons = [Comparison.of("vision", found_features, features)]
    for index, level in enumerate(deepstack):
        comparisons.append(
            Comparison.of(f"vision, deepstack {index}", found_deepstack[index], level)
        )
    is_image = (rows.ids == rows.tokens.pad).any(axis=1)
    for what, chosen in (("text", ~is_image), ("text with images", is_image)):
        comparisons.append(Comparison.of(what, found_vectors[chosen], vectors[chosen]))
    return comparisons


def _reference(
    checkpoint: Path, rows: Rows, pooling: str
) -> tuple[np.ndarray, list[np.ndarray], np.ndarray]:
    """Features, deepstack levels and vectors; positions are transformers' own."""
    import torch
    from transformers import Qwen2VLImageProcessor

    processor = Qwen2VLImageProcessor.from_pretrained(checkpoint, do_resize=False)
    images = processor(images=rows.pictures, return_tensors="pt")
    pixels, grid = images["pixel_values"], images["image_grid_thw"]
    model = load(checkpoint, "Qwen3VLForConditionalGeneration").model
    with torch.no_grad():
        features, levels = model.visual(pixels, grid)
        states = model(
            input_ids=torch.from_numpy(rows.ids),
            attention_mask=torch.from_numpy(rows.mask),
            pixel_values=pixels,
            image_grid_thw=grid,
        ).last_hidden_state.numpy()
    if pooling == "mean":
        vectors = (states * rows.mask[..., None]).sum(axis=1) / rows.mask.sum(axis=1, keepdims=True)
    else:
        vectors = states[np.arange(len(states)), rows.mask.sum(axis=1) - 1]
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return features.numpy(), [level.numpy() for level in levels], vectors
