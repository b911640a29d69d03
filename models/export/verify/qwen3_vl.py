"""Qwen3-VL's two graphs against transformers' model: texts, images, and both in one batch."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from export.reference.rows import ImageTokens, batch_positions, padded, prompted
from export.verify.comparison import Comparison, Session
from export.verify.inputs import TEXTS, picture
from export.verify.reference_model import UNUSED, load

# Rows and columns of features; no two alike, and none square.
GRIDS = ((3, 5), (4, 2), (1, 6))


class Batch:
    """Rows of ids, and the pictures whose features their image pads stand for."""

    def __init__(self, manifest: dict, rows: list[list[int]], grids: list[list[tuple[int, int]]]):
        self.tokens = image_tokens(manifest)
        factor = manifest["image"]["factor"]
        self.pictures = [
            picture(height * factor, width * factor, seed)
            for seed, (height, width) in enumerate(grid for row in grids for grid in row)
        ]
        self.ids, self.mask = padded(rows, manifest["text"]["pad_token_id"])
        self.positions = batch_positions(rows, grids, self.tokens.pad)

    @property
    def has_image(self) -> np.ndarray:
        """bool [rows]."""
        return (self.ids == self.tokens.pad).any(axis=1)

    def last(self, states: np.ndarray) -> np.ndarray:
        """States [rows, length, hidden] of the last tokens, [rows, hidden]."""
        return states[np.arange(len(states)), self.mask.sum(axis=1) - 1]


@dataclass(frozen=True)
class Answers:
    """Features [N, hidden], deepstack levels of the same shape, and what becomes of a row."""

    features: np.ndarray
    deepstack: list[np.ndarray]
    rows: np.ndarray

    def vision(self, wanted: "Answers") -> list[Comparison]:
        """How far the vision tower is from the wanted one."""
        comparisons = [Comparison.of("vision", self.features, wanted.features)]
        levels = zip(self.deepstack, wanted.deepstack, strict=True)
        for index, (found, level) in enumerate(levels):
            comparisons.append(Comparison.of(f"vision, deepstack {index}", found, level))
        return comparisons


def compare(checkpoint: Path, directory: Path, manifest: dict) -> list[Comparison]:
    """Image features and their deepstack levels, and vectors of rows with and without images."""
    batch = _batch(directory, manifest)
    model = load(checkpoint, "Qwen3VLForConditionalGeneration", unused=UNUSED).model
    wanted = reference(checkpoint, model, batch)
    vectors = _pool(wanted.rows, batch, manifest["pooling"])
    del model
    found = run(directory, manifest, batch)
    return found.vision(wanted) + [
        Comparison.of(what, found.rows[chosen], vectors[chosen])
        for what, chosen in (("text", ~batch.has_image), ("text with images", batch.has_image))
    ]


def image_tokens(manifest: dict) -> ImageTokens:
    """The ids that stand for an image."""
    image = manifest["image"]
    return ImageTokens(image["start_token_id"], image["pad_token_id"], image["end_token_id"])


def _batch(directory: Path, manifest: dict) -> Batch:
    """Texts alone, images with a text, an image alone."""
    inputs = [(text, []) for text in TEXTS]
    inputs += [(TEXTS[0], list(GRIDS[:2])), ("", [GRIDS[2]])]
    tokenizer = Tokenizer.from_file(str(directory / manifest["text"]["tokenizer"]))
    prompts, tokens = manifest["prompts"], image_tokens(manifest)
    rows = [
        prompted(tokenizer, prompts["document"], prompts["instruction"], text, grids, tokens)
        for text, grids in inputs
    ]
    return Batch(manifest, rows, [grids for _, grids in inputs])


def reference(checkpoint: Path, model: object, batch: Batch) -> Answers:
    """What transformers' Qwen3VLModel gives, of rows all states; positions are its own."""
    import torch
    from transformers import Qwen2VLImageProcessor

    processor = Qwen2VLImageProcessor.from_pretrained(checkpoint, do_resize=False)
    images = processor(images=batch.pictures, return_tensors="pt")
    pixels, grid = images["pixel_values"], images["image_grid_thw"]
    with torch.no_grad():
        features, levels = model.visual(pixels, grid)
        states = model(
            input_ids=torch.from_numpy(batch.ids),
            attention_mask=torch.from_numpy(batch.mask),
            pixel_values=pixels,
            image_grid_thw=grid,
        ).last_hidden_state
    return Answers(features.numpy(), [level.numpy() for level in levels], states.numpy())


def run(directory: Path, manifest: dict, batch: Batch) -> Answers:
    """What the two graphs give."""
    vision = Session(directory / manifest["image"]["graph"])
    found = [vision.run(["image_embeds", "deepstack"], pixels=one[None]) for one in batch.pictures]
    del vision
    features = np.concatenate([one for one, _ in found])
    deepstack = np.concatenate([levels for _, levels in found], axis=1)
    (rows,) = Session(directory / manifest["text"]["graph"]).run(
        input_ids=batch.ids,
        attention_mask=batch.mask,
        position_ids=batch.positions,
        image_embeds=features,
        deepstack=deepstack,
    )
    return Answers(features, [*deepstack], rows)


def _pool(states: np.ndarray, batch: Batch, pooling: str) -> np.ndarray:
    if pooling == "mean":
        mask = batch.mask
        vectors = (states * mask[..., None]).sum(axis=1) / mask.sum(axis=1, keepdims=True)
    else:
        vectors = batch.last(states)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
