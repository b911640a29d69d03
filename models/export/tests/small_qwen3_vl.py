"""A small Qwen3-VL checkpoint of random weights, in transformers' names."""

import json
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file
from tokenizers import AddedToken, Tokenizer, decoders, pre_tokenizers
from tokenizers.models import BPE

HIDDEN, INNER, LAYERS, HEADS, KEY_HEADS, HEAD_SIZE = 72, 104, 3, 4, 2, 16
VISION, VISION_INNER, VISION_LAYERS, PATCH, SIDE = 24, 40, 3, 4, 5
SPECIAL = (
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|image_pad|>",
)


def write_qwen3_vl(
    folder: Path,
    deepstack: tuple[int, ...] = (0, 2),
    words: tuple[str, ...] = (),
    lm_head: bool = False,
) -> Path:
    """Write it; its tokens are bytes and `words`. Its head is tied, unless `lm_head`."""
    folder.mkdir(parents=True)
    tokenizer = _tokenizer()
    tokenizer.add_tokens([*words])
    tokenizer.save(str(folder / "tokenizer.json"))
    ids = [tokenizer.token_to_id(token) for token in SPECIAL]
    config = {
        "model_type": "qwen3_vl",
        "image_token_id": ids[5],
        "vision_start_token_id": ids[3],
        "vision_end_token_id": ids[4],
        "text_config": _text_config(tokenizer.get_vocab_size()),
        "vision_config": {
            "depth": VISION_LAYERS,
            "hidden_size": VISION,
            "intermediate_size": VISION_INNER,
            "num_heads": 2,
            "patch_size": PATCH,
            "out_hidden_size": HIDDEN,
            "num_position_embeddings": SIDE**2,
            "deepstack_visual_indexes": list(deepstack),
        },
    }
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    processor = {"patch_size": PATCH, "image_mean": [0.5] * 3, "image_std": [0.5] * 3}
    (folder / "preprocessor_config.json").write_text(json.dumps(processor), encoding="utf-8")
    weights = _weights(tokenizer.get_vocab_size(), len(deepstack))
    if lm_head:
        # in another order: a head that is not the table of tokens
        weights["lm_head.weight"] = weights["model.language_model.embed_tokens.weight"][::-1].copy()
    save_file(weights, folder / "model.safetensors")
    return folder


def _text_config(vocabulary: int) -> dict:
    return {
        "vocab_size": vocabulary,
        "hidden_size": HIDDEN,
        "intermediate_size": INNER,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        "num_key_value_heads": KEY_HEADS,
        "head_dim": HEAD_SIZE,
        "max_position_embeddings": 512,
        "rope_theta": 10000.0,
        "rope_scaling": {
            "rope_type": "default",
            "mrope_interleaved": True,
            "mrope_section": [4, 2, 2],
        },
    }


def _tokenizer() -> Tokenizer:
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(BPE({letter: index for index, letter in enumerate(letters)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in SPECIAL])
    return tokenizer


def _weights(vocabulary: int, levels: int) -> dict[str, np.ndarray]:
    random = np.random.default_rng(12)

    def normal(*shape: int, around: float = 0.0, spread: float = 0.15) -> np.ndarray:
        return (around + spread * random.standard_normal(shape)).astype(np.float32)

    text, vision = "model.language_model", "model.visual"
    merged = 4 * VISION
    matrices = {f"{text}.embed_tokens": (vocabulary, HIDDEN)}
    scales = {f"{text}.norm": HIDDEN}
    for layer in range(LAYERS):
        prefix = f"{text}.layers.{layer}"
        for part, count in {"q": HEADS, "k": KEY_HEADS, "v": KEY_HEADS}.items():
            matrices[f"{prefix}.self_attn.{part}_proj"] = (count * HEAD_SIZE, HIDDEN)
        matrices[f"{prefix}.self_attn.o_proj"] = (HIDDEN, HEADS * HEAD_SIZE)
        matrices[f"{prefix}.mlp.gate_proj"] = (INNER, HIDDEN)
        matrices[f"{prefix}.mlp.up_proj"] = (INNER, HIDDEN)
        matrices[f"{prefix}.mlp.down_proj"] = (HIDDEN, INNER)
        scales |= {f"{prefix}.self_attn.{part}_norm": HEAD_SIZE for part in "qk"}
        scales |= {f"{prefix}.{part}_layernorm": HIDDEN for part in ("input", "post_attention")}
    matrices[f"{vision}.pos_embed"] = (SIDE**2, VISION)
    linears, norms = {}, {f"{vision}.merger.norm": VISION}
    for layer in range(VISION_LAYERS):
        prefix = f"{vision}.blocks.{layer}"
        linears[f"{prefix}.attn.qkv"] = (3 * VISION, VISION)
        linears[f"{prefix}.attn.proj"] = (VISION, VISION)
        linears[f"{prefix}.mlp.linear_fc1"] = (VISION_INNER, VISION)
        linears[f"{prefix}.mlp.linear_fc2"] = (VISION, VISION_INNER)
        norms |= {f"{prefix}.norm{number}": VISION for number in (1, 2)}
    mergers = [f"{vision}.deepstack_merger_list.{level}" for level in range(levels)]
    norms |= {f"{merger}.norm": merged for merger in mergers}
    for merger in (f"{vision}.merger", *mergers):
        linears[f"{merger}.linear_fc1"] = (merged, merged)
        linears[f"{merger}.linear_fc2"] = (HIDDEN, merged)

    weights = {f"{name}.weight": normal(*shape) for name, shape in matrices.items()}
    weights |= {f"{name}.weight": normal(size, around=1.0) for name, size in scales.items()}
    for name, shape in linears.items():
        weights[f"{name}.weight"], weights[f"{name}.bias"] = normal(*shape), normal(shape[0])
    for name, size in norms.items():
        weights[f"{name}.weight"] = normal(size, around=1.0)
        weights[f"{name}.bias"] = normal(size)
    weights[f"{vision}.patch_embed.proj.weight"] = normal(VISION, 3, 2, PATCH, PATCH)
    weights[f"{vision}.patch_embed.proj.bias"] = normal(VISION)
    return weights
