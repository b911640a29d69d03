"""The tensors and configuration files of published models: names and shapes, no weights.

As transformers 4.57 names them in a state dict (compared once; test_random_checkpoints.py holds the
numbers of parameters). Qwen3-VL's output layer is its word table again, and not stored.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

Shapes = dict[str, tuple[int, ...]]


@dataclass(frozen=True)
class ModelShape:
    """A model without its weights.

    `files` are its JSON files by name; `vocabulary` is whose tokenizer.json it has: `qwen3`,
    `gemma`, or a model's name.
    """

    name: str
    tensors: Shapes
    vocabulary: str
    files: dict[str, dict | list] = field(default_factory=dict)

    @property
    def parameters(self) -> int:
        """How many numbers the weights are."""
        return sum(math.prod(shape) for shape in self.tensors.values())


def _linear(name: str, outputs: int, inputs: int, bias: bool = True) -> Iterator[tuple[str, tuple]]:
    yield f"{name}.weight", (outputs, inputs)
    if bias:
        yield f"{name}.bias", (outputs,)


def _norm(name: str, width: int) -> Iterator[tuple[str, tuple]]:
    yield f"{name}.weight", (width,)
    yield f"{name}.bias", (width,)


# --- Qwen3-VL-Embedding-2B

QWEN_TEXT = {
    "attention_bias": False,
    "head_dim": 128,
    "hidden_act": "silu",
    "hidden_size": 2048,
    "intermediate_size": 6144,
    "max_position_embeddings": 262144,
    "model_type": "qwen3_vl_text",
    "num_attention_heads": 16,
    "num_hidden_layers": 28,
    "num_key_value_heads": 8,
    "rms_norm_eps": 1e-6,
    "rope_scaling": {
        "mrope_interleaved": True,
        "mrope_section": [24, 20, 20],
        "rope_type": "default",
    },
    "rope_theta": 5000000,
    "tie_word_embeddings": True,
    "vocab_size": 151936,
}
QWEN_VISION = {
    "deepstack_visual_indexes": [5, 11, 17],
    "depth": 24,
    "hidden_act": "gelu_pytorch_tanh",
    "hidden_size": 1024,
    "in_channels": 3,
    "intermediate_size": 4096,
    "model_type": "qwen3_vl",
    "num_heads": 16,
    "num_position_embeddings": 2304,
    "out_hidden_size": 2048,
    "patch_size": 16,
    "spatial_merge_size": 2,
    "temporal_patch_size": 2,
}
QWEN_TOKENS = {
    "image_token_id": 151655,
    "video_token_id": 151656,
    "vision_end_token_id": 151653,
    "vision_start_token_id": 151652,
}
QWEN_PIXELS = {
    "image_mean": [0.5] * 3,
    "image_std": [0.5] * 3,
    "merge_size": 2,
    "patch_size": 16,
    "temporal_patch_size": 2,
}


def qwen3_vl_2b(
    text: dict = QWEN_TEXT, vision: dict = QWEN_VISION, tokens: dict = QWEN_TOKENS
) -> ModelShape:
    """Qwen3-VL-Embedding-2B, or one of other numbers: language model and vision tower."""
    config = {
        "architectures": ["Qwen3VLForConditionalGeneration"],
        "model_type": "qwen3_vl",
        "text_config": text,
        "tie_word_embeddings": True,
        "vision_config": vision,
        **tokens,
    }
    files = {"config.json": config, "preprocessor_config.json": QWEN_PIXELS}
    tensors = dict(_qwen_text("model.language_model", text))
    tensors |= dict(_qwen_vision("model.visual", vision))
    return ModelShape("Qwen3-VL-Embedding-2B", tensors, "qwen3", files)


def _qwen_text(prefix: str, config: dict) -> Iterator[tuple[str, tuple]]:
    hidden, inner, head = config["hidden_size"], config["intermediate_size"], config["head_dim"]
    queries, keys = (config[f"num_{kind}_heads"] * head for kind in ("attention", "key_value"))
    yield f"{prefix}.embed_tokens.weight", (config["vocab_size"], hidden)
    for index in range(config["num_hidden_layers"]):
        layer = f"{prefix}.layers.{index}"
        for part, width in (("q", queries), ("k", keys), ("v", keys)):
            yield from _linear(f"{layer}.self_attn.{part}_proj", width, hidden, bias=False)
        yield from _linear(f"{layer}.self_attn.o_proj", hidden, queries, bias=False)
        for part in ("q_norm", "k_norm"):
            yield f"{layer}.self_attn.{part}.weight", (head,)
        for part in ("gate_proj", "up_proj"):
            yield from _linear(f"{layer}.mlp.{part}", inner, hidden, bias=False)
        yield from _linear(f"{layer}.mlp.down_proj", hidden, inner, bias=False)
        for part in ("input_layernorm", "post_attention_layernorm"):
            yield f"{layer}.{part}.weight", (hidden,)
    yield f"{prefix}.norm.weight", (hidden,)


def _qwen_vision(prefix: str, config: dict) -> Iterator[tuple[str, tuple]]:
    hidden, inner, output = (
        config[key] for key in ("hidden_size", "intermediate_size", "out_hidden_size")
    )
    patch, frames = config["patch_size"], config["temporal_patch_size"]
    yield f"{prefix}.patch_embed.proj.weight", (hidden, 3, frames, patch, patch)
    yield f"{prefix}.patch_embed.proj.bias", (hidden,)
    yield f"{prefix}.pos_embed.weight", (config["num_position_embeddings"], hidden)
    for index in range(config["depth"]):
        block = f"{prefix}.blocks.{index}"
        yield from _norm(f"{block}.norm1", hidden)
        yield from _norm(f"{block}.norm2", hidden)
        yield from _linear(f"{block}.attn.qkv", 3 * hidden, hidden)
        yield from _linear(f"{block}.attn.proj", hidden, hidden)
        yield from _linear(f"{block}.mlp.linear_fc1", inner, hidden)
        yield from _linear(f"{block}.mlp.linear_fc2", hidden, inner)
    merged = hidden * config["spatial_merge_size"] ** 2
    mergers = [f"{prefix}.merger"]
    mergers += [
        f"{prefix}.deepstack_merger_list.{index}"
        for index in range(len(config["deepstack_visual_indexes"]))
    ]
    for merger in mergers:
        # The last merger norms each patch, the others the four that they merge.
        yield from _norm(f"{merger}.norm", hidden if merger is mergers[0] else merged)
        yield from _linear(f"{merger}.linear_fc1", merged, merged)
        yield from _linear(f"{merger}.linear_fc2", output, merged)


# --- KURE-v1

KURE = {
    "architectures": ["XLMRobertaModel"],
    "hidden_act": "gelu",
    "hidden_size": 1024,
    "intermediate_size": 4096,
    "layer_norm_eps": 1e-5,
    "max_position_embeddings": 8194,
    "model_type": "xlm-roberta",
    "num_attention_heads": 16,
    "num_hidden_layers": 24,
    "pad_token_id": 1,
    "type_vocab_size": 1,
    "vocab_size": 250002,
}


def kure_v1(config: dict = KURE) -> ModelShape:
    """KURE-v1, an XLM-RoBERTa large as sentence-transformers stores it, or one of other numbers.

    Its vocabulary is XLM-RoBERTa's, which multilingual-e5-small has too.
    """
    modules = [
        {"idx": n, "name": str(n), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for n, (path, kind) in enumerate(
            (("", "Transformer"), ("1_Pooling", "Pooling"), ("2_Normalize", "Normalize"))
        )
    ]
    files = {
        "config.json": config,
        "modules.json": modules,
        "1_Pooling/config.json": {
            "word_embedding_dimension": config["hidden_size"],
            "pooling_mode_cls_token": True,
            "pooling_mode_mean_tokens": False,
        },
        "sentence_bert_config.json": {"max_seq_length": 8192, "do_lower_case": False},
        "tokenizer_config.json": {"model_max_length": 8192, "pad_token": "<pad>"},
    }
    return ModelShape("KURE-v1", dict(_bert("", config)), "multilingual-e5-small", files)


def _bert(prefix: str, config: dict) -> Iterator[tuple[str, tuple]]:
    hidden, inner = config["hidden_size"], config["intermediate_size"]
    tables = {
        "word": config["vocab_size"],
        "position": config["max_position_embeddings"],
        "token_type": config["type_vocab_size"],
    }
    for table, rows in tables.items():
        yield f"{prefix}embeddings.{table}_embeddings.weight", (rows, hidden)
    yield from _norm(f"{prefix}embeddings.LayerNorm", hidden)
    for index in range(config["num_hidden_layers"]):
        layer = f"{prefix}encoder.layer.{index}"
        for part in ("self.query", "self.key", "self.value", "output.dense"):
            yield from _linear(f"{layer}.attention.{part}", hidden, hidden)
        yield from _norm(f"{layer}.attention.output.LayerNorm", hidden)
        yield from _linear(f"{layer}.intermediate.dense", inner, hidden)
        yield from _linear(f"{layer}.output.dense", hidden, inner)
        yield from _norm(f"{layer}.output.LayerNorm", hidden)


# --- ms-marco-MiniLM-L6-v2

MS_MARCO = {
    "architectures": ["BertForSequenceClassification"],
    "hidden_act": "gelu",
    "hidden_size": 384,
    "id2label": {"0": "LABEL_0"},
    "intermediate_size": 1536,
    "layer_norm_eps": 1e-12,
    "max_position_embeddings": 512,
    "model_type": "bert",
    "num_attention_heads": 12,
    "num_hidden_layers": 6,
    "pad_token_id": 0,
    "sentence_transformers": {"activation_fn": "torch.nn.modules.linear.Identity"},
    "type_vocab_size": 2,
    "vocab_size": 30522,
}


def ms_marco_minilm() -> ModelShape:
    """ms-marco-MiniLM-L6-v2: a cross-encoder. Its vocabulary is BERT's, as all-MiniLM-L6-v2's."""
    tensors = dict(_bert("bert.", MS_MARCO))
    tensors |= dict(_linear("bert.pooler.dense", 384, 384)) | dict(_linear("classifier", 1, 384))
    files = {"config.json": MS_MARCO, "tokenizer_config.json": {"model_max_length": 512}}
    return ModelShape("ms-marco-MiniLM-L6-v2", tensors, "all-MiniLM-L6-v2", files)


# --- SigLIP 2 base

SIGLIP_TOWER = {
    "hidden_size": 768,
    "intermediate_size": 3072,
    "num_attention_heads": 12,
    "num_hidden_layers": 12,
}


def siglip2_base(tower: dict = SIGLIP_TOWER, vocabulary: int = 256000) -> ModelShape:
    """SigLIP 2 base-patch16-224, or one of other numbers: two towers."""
    text = tower | {"vocab_size": vocabulary, "max_position_embeddings": 64}
    vision = tower | {"image_size": 224, "patch_size": 16}
    pixels = {
        "do_resize": True,
        "image_mean": [0.5] * 3,
        "image_std": [0.5] * 3,
        "resample": 2,
        "size": {"height": 224, "width": 224},
    }
    files = {
        "config.json": {"model_type": "siglip", "text_config": text, "vision_config": vision},
        "preprocessor_config.json": pixels,
        "tokenizer_config.json": {"tokenizer_class": "GemmaTokenizer"},
    }
    tensors = {"logit_scale": (1,), "logit_bias": (1,)}
    tensors |= dict(_siglip_text(text)) | dict(_siglip_vision(vision))
    return ModelShape("siglip2-base-patch16-224", tensors, "gemma", files)


def _siglip_text(config: dict) -> Iterator[tuple[str, tuple]]:
    hidden = config["hidden_size"]
    tables = {"token": config["vocab_size"], "position": config["max_position_embeddings"]}
    for table, rows in tables.items():
        yield f"text_model.embeddings.{table}_embedding.weight", (rows, hidden)
    yield from _siglip_layers("text_model", config)
    yield from _norm("text_model.final_layer_norm", hidden)
    yield from _linear("text_model.head", hidden, hidden)


def _siglip_vision(config: dict) -> Iterator[tuple[str, tuple]]:
    hidden, patch = config["hidden_size"], config["patch_size"]
    embeddings, head = "vision_model.embeddings", "vision_model.head"
    yield f"{embeddings}.patch_embedding.weight", (hidden, 3, patch, patch)
    yield f"{embeddings}.patch_embedding.bias", (hidden,)
    yield f"{embeddings}.position_embedding.weight", ((config["image_size"] // patch) ** 2, hidden)
    yield from _siglip_layers("vision_model", config)
    yield from _norm("vision_model.post_layernorm", hidden)
    yield f"{head}.probe", (1, 1, hidden)
    yield f"{head}.attention.in_proj_weight", (3 * hidden, hidden)
    yield f"{head}.attention.in_proj_bias", (3 * hidden,)
    yield from _linear(f"{head}.attention.out_proj", hidden, hidden)
    yield from _norm(f"{head}.layernorm", hidden)
    yield from _siglip_mlp(f"{head}.mlp", config)


def _siglip_layers(tower: str, config: dict) -> Iterator[tuple[str, tuple]]:
    hidden = config["hidden_size"]
    for index in range(config["num_hidden_layers"]):
        layer = f"{tower}.encoder.layers.{index}"
        for part in ("q_proj", "k_proj", "v_proj", "out_proj"):
            yield from _linear(f"{layer}.self_attn.{part}", hidden, hidden)
        for part in ("layer_norm1", "layer_norm2"):
            yield from _norm(f"{layer}.{part}", hidden)
        yield from _siglip_mlp(f"{layer}.mlp", config)


def _siglip_mlp(name: str, config: dict) -> Iterator[tuple[str, tuple]]:
    yield from _linear(f"{name}.fc1", config["intermediate_size"], config["hidden_size"])
    yield from _linear(f"{name}.fc2", config["hidden_size"], config["intermediate_size"])


SHAPES = {
    shape.name: shape for shape in (qwen3_vl_2b(), kure_v1(), siglip2_base(), ms_marco_minilm())
}
