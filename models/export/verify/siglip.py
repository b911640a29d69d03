"""SigLIP's towers against transformers' SiglipModel and its image processor."""

from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from export.reference.rows import padded
from export.verify.comparison import Comparison, Session
from export.verify.inputs import TEXTS, picture
from export.verify.reference_model import load

PICTURES = 3


def compare(checkpoint: Path, directory: Path, manifest: dict) -> list[Comparison]:
    """Texts padded to the full length, and pictures that have their size already."""
    import torch
    from transformers import SiglipImageProcessor

    tokenizer = Tokenizer.from_file(str(directory / manifest["text"]["tokenizer"]))
    length = manifest["max_tokens"]
    tokenizer.enable_truncation(length)
    rows = [tokenizer.encode(text).ids for text in TEXTS]
    ids, _ = padded(rows, manifest["text"]["pad_token_id"], length)
    size = manifest["image"]["height"], manifest["image"]["width"]
    pixels = np.stack([picture(*size, seed) for seed in range(PICTURES)])
    processor = SiglipImageProcessor.from_pretrained(checkpoint, do_resize=False)
    values = processor(images=list(pixels), return_tensors="pt")["pixel_values"]
    model = load(checkpoint, "SiglipModel")
    with torch.no_grad():
        texts = _unit(model.get_text_features(torch.from_numpy(ids)).numpy())
        images = _unit(model.get_image_features(values).numpy())
    del model
    (found_texts,) = Session(directory / manifest["text"]["graph"]).run(input_ids=ids)
    (found_images,) = Session(directory / manifest["image"]["graph"]).run(pixels=pixels)
    return [
        Comparison.of("text", found_texts, texts),
        Comparison.of("vision", found_images, images),
    ]


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
