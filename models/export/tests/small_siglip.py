"""A small SigLIP checkpoint of random weights, in transformers' names."""

import json
from pathlib import Path

import numpy as np
from export.siglip.spm import Kind, message_class
from safetensors.numpy import save_file

HIDDEN, INNER, LAYERS, HEADS = 24, 40, 2, 2
VOCABULARY, POSITIONS = 60, 16
PIECES = [
    "▁",
    "a",
    "b",
    "ab",
    "▁ab",
    "c",
    "▁cat",
    "t",
    "s",
    "▁수",
    "학",
    "<",
    ">",
    "▁pad",
    "d",
    "p",
]


def write_siglip(folder: Path, image_size: int = 20, patch_size: int = 8, v2: bool = False) -> Path:
    """Write it; `v2` only changes the tokenizer, as in the published checkpoints."""
    folder.mkdir(parents=True)
    numbers = {
        "hidden_size": HIDDEN,
        "intermediate_size": INNER,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
    }
    text = {"vocab_size": VOCABULARY, "max_position_embeddings": POSITIONS, **numbers}
    vision = {"image_size": image_size, "patch_size": patch_size, **numbers}
    size = {"height": image_size, "width": image_size}
    files = {
        "config.json": {"model_type": "siglip", "text_config": text, "vision_config": vision},
        "preprocessor_config.json": {"size": size, "resample": 2 if v2 else 3},
        "tokenizer_config.json": {},
    }
    if v2:
        files["tokenizer.json"] = byte_pair_tokenizer()
    else:
        write_sentencepiece(folder / "spiece.model")
    for name, content in files.items():
        (folder / name).write_text(json.dumps(content), encoding="utf-8")
    save_file(_weights(image_size // patch_size, patch_size), folder / "model.safetensors")
    return folder


def write_sentencepiece(path: Path, **normalizer: object) -> None:
    """A unigram model of PIECES; the first is the likeliest."""
    model = message_class()()
    special = [("<pad>", Kind.CONTROL), ("</s>", Kind.CONTROL), ("<unk>", Kind.UNKNOWN)]
    for piece, kind in special:
        model.pieces.add(piece=piece, score=0.0, type=kind)
    for index, piece in enumerate(PIECES):
        model.pieces.add(piece=piece, score=-2.0 - index / 10)
    model.trainer.unk_id = 2
    for key, value in normalizer.items():
        setattr(model.normalizer, key, value)
    path.write_bytes(model.SerializeToString())


def byte_pair_tokenizer() -> dict:
    """Gemma's structure: ▁ for a space, a template with <bos>, tokens beside the vocabulary."""
    tokens = ["<pad>", "<eos>", "<bos>", "<unk>", "▁", *"abcdefghij", "<table>"]
    added = {
        token: {
            "id": tokens.index(token),
            "content": token,
            "single_word": False,
            "lstrip": False,
            "rstrip": False,
            "normalized": False,
            "special": token != "<table>",
        }
        for token in ("<pad>", "<eos>", "<bos>", "<unk>", "<table>")
    }
    model = {
        "type": "BPE",
        "unk_token": "<unk>",
        "vocab": {token: index for index, token in enumerate(tokens)},
        "merges": [],
    }
    return {
        "version": "1.0",
        "added_tokens": list(added.values()),
        "normalizer": {"type": "Replace", "pattern": {"String": " "}, "content": "▁"},
        "post_processor": None,
        "model": model,
    }


def _weights(side: int, patch: int) -> dict[str, np.ndarray]:
    random = np.random.default_rng(11)

    def normal(*shape: int, around: float = 0.0, spread: float = 0.2) -> np.ndarray:
        return (around + spread * random.standard_normal(shape)).astype(np.float32)

    weights = {
        "text_model.embeddings.token_embedding.weight": normal(VOCABULARY, HIDDEN, spread=0.6),
        "text_model.embeddings.position_embedding.weight": normal(POSITIONS, HIDDEN),
        "vision_model.embeddings.patch_embedding.weight": normal(HIDDEN, 3, patch, patch),
        "vision_model.embeddings.patch_embedding.bias": normal(HIDDEN),
        "vision_model.embeddings.position_embedding.weight": normal(side * side, HIDDEN),
        "vision_model.head.probe": normal(1, 1, HIDDEN, spread=1.0),
        "vision_model.head.attention.in_proj_weight": normal(3 * HIDDEN, HIDDEN),
        "vision_model.head.attention.in_proj_bias": normal(3 * HIDDEN),
        "logit_scale": normal(1),
        "logit_bias": normal(1),
    }
    linears = {"text_model.head": (HIDDEN, HIDDEN)}
    norms = ["text_model.final_layer_norm", "vision_model.post_layernorm"]
    norms += ["vision_model.head.layernorm"]
    mlp = {"mlp.fc1": (INNER, HIDDEN), "mlp.fc2": (HIDDEN, INNER)}
    for name, shape in {"attention.out_proj": (HIDDEN, HIDDEN), **mlp}.items():
        linears[f"vision_model.head.{name}"] = shape
    for tower in ("text_model", "vision_model"):
        for layer in range(LAYERS):
            prefix = f"{tower}.encoder.layers.{layer}"
            for part in ("q_proj", "k_proj", "v_proj", "out_proj"):
                linears[f"{prefix}.self_attn.{part}"] = (HIDDEN, HIDDEN)
            linears |= {f"{prefix}.{name}": shape for name, shape in mlp.items()}
            norms += [f"{prefix}.layer_norm1", f"{prefix}.layer_norm2"]
    for name, shape in linears.items():
        weights[f"{name}.weight"], weights[f"{name}.bias"] = normal(*shape), normal(shape[0])
    for name in norms:
        weights[f"{name}.weight"] = normal(HIDDEN, around=1.0)
        weights[f"{name}.bias"] = normal(HIDDEN)
    return weights
