"""Qwen3-VL's language model as ONNX: token ids and image features → one vector or logit a row.

As in transformers' Qwen3VLTextModel: pre-norm decoder, grouped queries, RMS norm of each query and
key head, rotary positions on three axes whose frequencies interleave (M-RoPE), SwiGLU. Rows are
padded on the right: attention looks back only, so that padding needs no mask.
"""

import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
from onnx import TensorProto

from export.graph import Graph
from export.layers import Layers
from export.linear import embedding, stacked_linear
from export.qwen3_vl.config import Qwen3VLConfig, TextConfig
from export.weights import Weights

log = logging.getLogger(__name__)


class Decoder(Layers):
    """Adds the language model's layers to a graph."""

    def __init__(self, graph: Graph, config: TextConfig, weights: Weights, precision: str):
        super().__init__(graph, weights, precision, config.epsilon)
        self.config = config

    def rms_norm(self, x: str, module: str) -> str:
        """x / sqrt(mean(x²) + epsilon) * weight."""
        return self.graph.op(
            "SimplifiedLayerNormalization",
            [x, self.vector(f"{module}.weight")],
            axis=-1,
            epsilon=self.epsilon,
        )

    def rms_norm_of_sum(self, x: str, residual: str, module: str) -> tuple[str, str]:
        """The norm of x + residual, and the sum itself."""
        normed, _, _, total = self.graph.contrib(
            "SkipSimplifiedLayerNormalization",
            [x, residual, self.vector(f"{module}.weight")],
            outputs=4,
            epsilon=self.epsilon,
        )
        return normed, total

    def decode(self, x: str, rotary: "Rotary", lengths: "Lengths", images: list[str]) -> str:
        """x [batch, sequence, hidden] → the last layer's states, before the final norm.

        `images`: what is added behind the first layers, zeros but at image tokens.
        """
        added = None
        for index in range(self.config.layers):
            log.info("text layer %d of %d", index + 1, self.config.layers)
            layer = f"layers.{index}"
            if added is None:
                y = self.rms_norm(x, f"{layer}.input_layernorm")
            else:
                y, x = self.rms_norm_of_sum(x, added, f"{layer}.input_layernorm")
            y = self._attention(y, rotary, lengths, f"{layer}.self_attn")
            y, x = self.rms_norm_of_sum(x, y, f"{layer}.post_attention_layernorm")
            added = self._feed_forward(y, f"{layer}.mlp")
            if index < len(images):
                added = self.graph.op("Add", [added, images[index]])
        return self.graph.op("Add", [x, added])

    def _attention(self, x: str, rotary: "Rotary", lengths: "Lengths", module: str) -> str:
        graph, config = self.graph, self.config
        names = [f"{module}.{part}_proj.weight" for part in "qkv"]
        projected = stacked_linear(
            graph, x, self.weights, names, f"{module}.qkv.weight", self.precision
        )
        widths = [count * config.head_size for count in (config.heads, *[config.key_heads] * 2)]
        query, key, value = graph.op("Split", [projected, graph.ints(*widths)], outputs=3, axis=-1)
        query = self._head_norm(query, config.heads, f"{module}.q_norm")
        key = self._head_norm(key, config.key_heads, f"{module}.k_norm")
        # Keys and values of earlier calls are inputs, and the new ones outputs, that are not used.
        attended, _, _ = graph.contrib(
            "GroupQueryAttention",
            [
                rotary.turn(query, config.heads),
                rotary.turn(key, config.key_heads),
                value,
                "",
                "",
                lengths.last,
                lengths.sequence,
            ],
            outputs=3,
            num_heads=config.heads,
            kv_num_heads=config.key_heads,
        )
        return self.product(attended, f"{module}.o_proj")

    def _head_norm(self, x: str, heads: int, module: str) -> str:
        graph, size = self.graph, self.config.head_size
        x = graph.op("Reshape", [x, graph.ints(0, 0, heads, size)])
        return graph.op("Reshape", [self.rms_norm(x, module), graph.ints(0, 0, heads * size)])

    def _feed_forward(self, x: str, module: str) -> str:
        graph, inner = self.graph, self.config.inner
        names = [f"{module}.{part}_proj.weight" for part in ("gate", "up")]
        both = stacked_linear(
            graph, x, self.weights, names, f"{module}.gate_up.weight", self.precision
        )
        gate, up = graph.op("Split", [both, graph.ints(inner, inner)], outputs=2, axis=-1)
        # x * sigmoid(1.0 * x)
        gate = graph.contrib("QuickGelu", [gate], alpha=1.0)
        return self.product(graph.op("Mul", [gate, up]), f"{module}.down_proj")


class Rotary:
    """cos and sin of every token's angles, of which each row of the batch takes its own.

    The operator looks rows up in a table by position; here the table has one row a token, since a
    token has three positions, and the position is the token's index.
    """

    def __init__(self, layers: Decoder, positions: str, ids: str):
        """positions int64 [3, batch, sequence]."""
        graph, config = layers.graph, layers.config
        half = config.head_size // 2
        exponents = np.arange(0, config.head_size, 2, dtype=np.float32) / config.head_size
        frequencies = (1.0 / config.theta**exponents).astype(np.float32)
        axes = graph.weight("rotary_axes", frequency_axes(config.sections))
        position = graph.op("Cast", [positions], to=TensorProto.FLOAT)
        position = graph.op("Gather", [position, axes], axis=0)
        position = graph.op("Transpose", [position], perm=[1, 2, 0])
        angles = graph.op("Mul", [position, graph.weight("rotary_frequencies", frequencies)])
        angles = graph.op("Reshape", [angles, graph.ints(-1, half)])
        self.graph = graph
        self.cos = layers.inner(graph.op("Cos", [angles]))
        self.sin = layers.inner(graph.op("Sin", [angles]))
        shape = graph.op("Shape", [ids])
        count = graph.op("ReduceProd", [shape], keepdims=0)
        count_up = graph.op("Range", [graph.int_scalar(0), count, graph.int_scalar(1)])
        self.rows = graph.op("Reshape", [count_up, shape])

    def turn(self, x: str, heads: int) -> str:
        """[batch, sequence, heads * size] turned by its tokens' angles."""
        return self.graph.contrib(
            "RotaryEmbedding", [x, self.rows, self.cos, self.sin], num_heads=heads
        )


def frequency_axes(sections: list[int]) -> np.ndarray:
    """The axis that each frequency follows: 0 time, 1 height, 2 width; int64 [head_size / 2].

    Interleaved as in transformers' apply_interleaved_mrope: height takes 1, 4, 7 …, width 2, 5,
    8 …, as many as their sections say, and time the rest.
    """
    axes = np.zeros(sum(sections), np.int64)
    for axis in (1, 2):
        axes[axis : 3 * sections[axis] : 3] = axis
    return axes


class Lengths:
    """What GroupQueryAttention wants to know of the rows, int32."""

    def __init__(self, graph: Graph, ids: str, mask: str):
        count = graph.op("ReduceSum", [mask, graph.ints(1)], keepdims=0)
        # a row of padding alone has no last token; the first one stands in for it
        last = graph.op("Max", [graph.op("Sub", [count, graph.ints(1)]), graph.ints(0)])
        self.last = graph.op("Cast", [last], to=TensorProto.INT32)
        sequence = graph.op("Gather", [graph.op("Shape", [ids]), graph.int_scalar(1)])
        self.sequence = graph.op("Cast", [sequence], to=TensorProto.INT32)


class Images:
    """Image features at their tokens' places."""

    def __init__(self, layers: Decoder, ids: str, token: int):
        graph = layers.graph
        self.layers = layers
        self.here = graph.op("Equal", [ids, graph.int_scalar(token)])
        # 0 for text, n for the n-th image token of the whole batch, counted row by row
        flat = graph.op("Reshape", [self.here, graph.ints(-1)])
        flat = graph.op("Cast", [flat], to=TensorProto.INT64)
        count = graph.op("Mul", [graph.op("CumSum", [flat, graph.int_scalar(0)]), flat])
        self.rows = graph.op("Reshape", [count, graph.op("Shape", [ids])])

    def spread(self, features: str) -> str:
        """[N, hidden] → [batch, sequence, hidden], zeros at text."""
        graph, width = self.layers.graph, self.layers.config.hidden
        zeros = self.layers.constant("no_image", np.zeros((1, width), np.float32))
        padded = graph.op("Concat", [zeros, features], axis=0)
        return graph.op("Gather", [padded, self.rows], axis=0)

    def instead_of(self, tokens: str, features: str) -> str:
        """tokens [batch, sequence, hidden], but the features at image tokens."""
        graph = self.layers.graph
        here = graph.op("Unsqueeze", [self.here, graph.ints(-1)])
        return graph.op("Where", [here, self.spread(features), tokens])


# Ends a graph: adds the output to the last layer's states, before the final norm, and the mask.
Head = Callable[[Decoder, str, str], None]


def write_text(
    config: Qwen3VLConfig, weights: Weights, head: Head, precision: str, path: Path
) -> list[Path]:
    """Write text.onnx; inputs and output are those of models/README.md."""
    graph = Graph("qwen3_vl_text", path)
    layers = Decoder(graph, config.text, weights, precision)
    hidden, depth = config.text.hidden, len(config.vision.deepstack)
    axes = ["batch", "sequence"]
    ids = graph.input("input_ids", TensorProto.INT64, axes)
    mask = graph.input("attention_mask", TensorProto.INT64, axes)
    positions = graph.input("position_ids", TensorProto.INT64, [3, *axes])
    features = graph.input("image_embeds", TensorProto.FLOAT, ["image_tokens", hidden])
    deepstack = graph.input("deepstack", TensorProto.FLOAT, [depth, "image_tokens", hidden])

    images = Images(layers, ids, config.image_token)
    x = embedding(graph, ids, weights, "embed_tokens.weight", precision)
    x = images.instead_of(x, layers.inner(features))
    levels = graph.op("Split", [layers.inner(deepstack), graph.ints(*[1] * depth)], depth, axis=0)
    levels = [levels] if depth == 1 else levels
    levels = [images.spread(graph.op("Squeeze", [level, graph.ints(0)])) for level in levels]
    states = layers.decode(x, Rotary(layers, positions, ids), Lengths(graph, ids, mask), levels)
    head(layers, states, mask)
    return graph.save()
