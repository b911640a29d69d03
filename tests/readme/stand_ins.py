"""The item bank's models for README.md's examples: their dimensions, one layer, random weights."""

import sys
from pathlib import Path

from conftest import FIXTURES, ROOT
from tokenizers import Tokenizer

sys.path[:0] = [str(ROOT / "models"), str(ROOT / "tests" / "bench")]

from export.exporter import export_model, open_model
from export.family import Options
from export.source import open_source
from model_shapes import (
    KURE,
    QWEN_TEXT,
    QWEN_VISION,
    SIGLIP_TOWER,
    ModelShape,
    kure_v1,
    qwen3_vl_2b,
    siglip2_base,
)
from random_checkpoints import write_checkpoint

LOW = {"num_hidden_layers": 1, "intermediate_size": 64}
RERANKER = "Qwen3-VL-Reranker-2B"


def write(models: Path, scratch: Path) -> dict[str, str]:
    """Write the models; returns the settings that name them, but for the reranker's.

    Which model is the reranker is said in the examples, hence it has the real one's name.
    """
    write_reranker(models, scratch / RERANKER)
    made = {
        "qwen_model": (qwen(tokenizer_of("tiny-qwen3-vl")), "tiny-qwen3-vl"),
        "kure_model": (kure(tokenizer_of("tiny-cls")), "tiny-cls"),
        "siglip_model": (siglip(tokenizer_of("tiny-siglip2")), "tiny-siglip2"),
    }
    for setting, (shape, of) in made.items():
        tokenizer = FIXTURES / of / "tokenizer.json"
        write_checkpoint(shape, scratch / setting, tokenizer, progress=lambda _: None)
        export_model(f"stand-in-{setting}", scratch / setting, models)
    return {setting: f"stand-in-{setting}" for setting in made}


def write_reranker(models: Path, checkpoint: Path) -> None:
    """Under a catalog's name the catalog would ask for the real one's layers, without a spec."""
    of = "tiny-qwen3-vl-reranker"
    tokenizer = FIXTURES / of / "tokenizer.json"
    write_checkpoint(qwen(tokenizer_of(of)), checkpoint, tokenizer, progress=lambda _: None)
    model = open_model(open_source(checkpoint), is_reranker=True)
    export_model(RERANKER, checkpoint, models, spec=model.derive(RERANKER, Options()))


def tokenizer_of(fixture: str) -> Tokenizer:
    return Tokenizer.from_file(str(FIXTURES / fixture / "tokenizer.json"))


def qwen(tokenizer: Tokenizer) -> ModelShape:
    names = {
        "image_token_id": "<|image_pad|>",
        "video_token_id": "<|video_pad|>",
        "vision_end_token_id": "<|vision_end|>",
        "vision_start_token_id": "<|vision_start|>",
    }
    vision = {"depth": 1, "deepstack_visual_indexes": [0], "intermediate_size": 64}
    return qwen3_vl_2b(
        QWEN_TEXT | LOW | {"vocab_size": tokenizer.get_vocab_size()},
        QWEN_VISION | vision | {"num_position_embeddings": 64},
        {key: tokenizer.token_to_id(name) for key, name in names.items()},
    )


def kure(tokenizer: Tokenizer) -> ModelShape:
    return kure_v1(KURE | LOW | {"vocab_size": tokenizer.get_vocab_size()})


def siglip(tokenizer: Tokenizer) -> ModelShape:
    return siglip2_base(SIGLIP_TOWER | LOW, tokenizer.get_vocab_size())
