"""A small cross-encoder's checkpoint of random weights in transformers' names, and its forward.

The forward is written from the papers and transformers' classes, in float64 and one row at a time,
and shares nothing with the exporter.
"""

import json
import math
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file
from tiny_tokenizers import unigram, wordpiece

HIDDEN, INNER, LAYERS, HEADS, POSITIONS = 48, 72, 2, 4, 40
PREFIX = {"bert": "bert.", "xlm-roberta": "roberta."}
POOLER = {"bert": "bert.pooler.dense", "xlm-roberta": "classifier.dense"}
OUTPUT = {"bert": "classifier", "xlm-roberta": "classifier.out_proj"}
CLASSES = {"bert": "Bert", "xlm-roberta": "XLMRoberta"}


def write_cross_encoder(folder: Path, kind: str, types: int | None = None, labels: int = 1) -> Path:
    """Write it; `types` of tokens are 2 for bert and 1 for xlm-roberta, unless given."""
    folder.mkdir(parents=True)
    tokenizer = wordpiece() if kind == "bert" else unigram()
    tokenizer.save(str(folder / "tokenizer.json"))
    types = types or {"bert": 2, "xlm-roberta": 1}[kind]
    pad = {"bert": 0, "xlm-roberta": 1}[kind]
    config = {
        "architectures": [f"{CLASSES[kind]}ForSequenceClassification"],
        "model_type": kind,
        "hidden_act": "gelu",
        "hidden_size": HIDDEN,
        "intermediate_size": INNER,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        "vocab_size": tokenizer.get_vocab_size(),
        # XLM-R's first position is pad_token_id + 1
        "max_position_embeddings": POSITIONS + (pad + 1 if kind == "xlm-roberta" else 0),
        "type_vocab_size": types,
        "layer_norm_eps": 1e-5,
        "pad_token_id": pad,
        "id2label": {str(label): f"LABEL_{label}" for label in range(labels)},
    }
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    limit = json.dumps({"model_max_length": POSITIONS})
    (folder / "tokenizer_config.json").write_text(limit, encoding="utf-8")
    save_file(_weights(config, kind, types, labels), folder / "model.safetensors")
    return folder


def _weights(config: dict, kind: str, types: int, labels: int) -> dict[str, np.ndarray]:
    random = np.random.default_rng(7)

    def normal(*shape: int, around: float = 0.0, spread: float = 0.15) -> np.ndarray:
        return (around + spread * random.standard_normal(shape)).astype(np.float32)

    embeddings = f"{PREFIX[kind]}embeddings"
    weights = {
        f"{embeddings}.word_embeddings.weight": normal(config["vocab_size"], HIDDEN, spread=0.8),
        f"{embeddings}.position_embeddings.weight": normal(
            config["max_position_embeddings"], HIDDEN
        ),
        f"{embeddings}.token_type_embeddings.weight": normal(types, HIDDEN, spread=0.5),
    }
    linears = {POOLER[kind]: (HIDDEN, HIDDEN), OUTPUT[kind]: (labels, HIDDEN)}
    norms = [f"{embeddings}.LayerNorm"]
    for index in range(LAYERS):
        layer = f"{PREFIX[kind]}encoder.layer.{index}"
        for module in ("self.query", "self.key", "self.value", "output.dense"):
            linears[f"{layer}.attention.{module}"] = (HIDDEN, HIDDEN)
        linears[f"{layer}.intermediate.dense"] = (INNER, HIDDEN)
        linears[f"{layer}.output.dense"] = (HIDDEN, INNER)
        norms += [f"{layer}.attention.output.LayerNorm", f"{layer}.output.LayerNorm"]
    for module, shape in linears.items():
        weights[f"{module}.weight"] = normal(*shape, spread=0.25)
        weights[f"{module}.bias"] = normal(shape[0])
    for module in norms:
        weights[f"{module}.weight"] = normal(HIDDEN, around=1.0)
        weights[f"{module}.bias"] = normal(HIDDEN)
    return weights


class Forward:
    """The logit of one row of ids, without padding."""

    def __init__(self, weights: dict[str, np.ndarray], kind: str):
        self.weights = {name: values.astype(np.float64) for name, values in weights.items()}
        self.kind = kind

    def logit(self, ids: list[int], types: list[int]) -> float:
        """types are the tokens' types."""
        first = 2 if self.kind == "xlm-roberta" else 0
        tables = {"word": ids, "position": range(first, first + len(ids)), "token_type": types}
        stem = f"{PREFIX[self.kind]}embeddings"
        x = sum(
            self.weights[f"{stem}.{table}_embeddings.weight"][[*rows]]
            for table, rows in tables.items()
        )
        x = self._norm(x, f"{stem}.LayerNorm")
        for index in range(LAYERS):
            x = self._layer(x, f"{PREFIX[self.kind]}encoder.layer.{index}")
        pooled = np.tanh(self._linear(x[0], POOLER[self.kind]))
        return float(self._linear(pooled, OUTPUT[self.kind])[0])

    def _layer(self, x: np.ndarray, layer: str) -> np.ndarray:
        parts = [self._linear(x, f"{layer}.attention.self.{part}") for part in ("query", "key")]
        query, key, value = (
            part.reshape(len(x), HEADS, -1).transpose(1, 0, 2)
            for part in (*parts, self._linear(x, f"{layer}.attention.self.value"))
        )
        weights = np.exp(query @ key.transpose(0, 2, 1) / math.sqrt(HIDDEN / HEADS))
        attended = weights / weights.sum(axis=2, keepdims=True) @ value
        attended = attended.transpose(1, 0, 2).reshape(x.shape)
        attended = self._linear(attended, f"{layer}.attention.output.dense")
        x = self._norm(x + attended, f"{layer}.attention.output.LayerNorm")
        inner = self._linear(x, f"{layer}.intermediate.dense")
        inner = inner * 0.5 * (1 + np.vectorize(math.erf)(inner / math.sqrt(2)))
        outer = self._linear(inner, f"{layer}.output.dense")
        return self._norm(x + outer, f"{layer}.output.LayerNorm")

    def _linear(self, x: np.ndarray, module: str) -> np.ndarray:
        return x @ self.weights[f"{module}.weight"].T + self.weights[f"{module}.bias"]

    def _norm(self, x: np.ndarray, module: str) -> np.ndarray:
        x = x - x.mean(axis=-1, keepdims=True)
        x = x / np.sqrt((x**2).mean(axis=-1, keepdims=True) + 1e-5)
        return x * self.weights[f"{module}.weight"] + self.weights[f"{module}.bias"]
