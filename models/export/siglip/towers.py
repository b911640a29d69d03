"""SigLIP's two towers as ONNX: pre-norm Transformer encoders without a mask.

After Zhai et al. 2023 (arXiv:2303.15343) as in transformers' SiglipModel. A text is padded to the
full length and its last position is its vector: there is no mask, padding counts. An image's
patches are pooled by attention from one learned query (MAP head, arXiv:2106.04560). Linear layers
follow the precision, but for the patch embedding: it is 0.2 % of the weights, and everything passes
through it.
"""

from pathlib import Path

import numpy as np
from onnx import TensorProto

from export.graph import Graph
from export.layers import Layers
from export.linear import embedding, linear_of
from export.pixels import PixelScale
from export.pooling import l2_normalize
from export.siglip.config import TextTower, Tower, VisionTower
from export.weights import Weights


class Encoder(Layers):
    """The layers that both towers have."""

    def __init__(self, graph: Graph, tower: Tower, weights: Weights, precision: str):
        super().__init__(graph, weights, precision, tower.epsilon)
        self.tower = tower

    def encode(self, x: str) -> str:
        """x [batch, positions, hidden] → the last layer's states."""
        for index in range(self.tower.layers):
            layer = f"encoder.layers.{index}"
            attended = self._attention(self.norm(x, f"{layer}.layer_norm1"), f"{layer}.self_attn")
            x = self.graph.op("Add", [x, attended])
            x = self.graph.op("Add", [x, self.mlp(self.norm(x, f"{layer}.layer_norm2"), layer)])
        return x

    def _attention(self, x: str, module: str) -> str:
        parts = [f"{module}.{part}_proj" for part in "qkv"]
        bias = np.concatenate([self.weights.dense(f"{part}.bias") for part in parts])
        attended = self.graph.contrib(
            "MultiHeadAttention",
            [*(self.product(x, part) for part in parts), self.constant(f"{module}.bias", bias)],
            num_heads=self.tower.heads,
        )
        return self.dense(attended, f"{module}.out_proj")

    def mlp(self, x: str, module: str) -> str:
        """The two layers of `module`.mlp."""
        inner = self.activated(x, f"{module}.mlp.fc1", self.tower.activation)
        return self.dense(inner, f"{module}.mlp.fc2")


def write_text(tower: TextTower, weights: Weights, precision: str, path: Path) -> list[Path]:
    """input_ids int64 [batch, positions], padded → sentence_embedding float32 [batch, D]."""
    graph = Graph("siglip_text", path)
    encoder = Encoder(graph, tower, weights, precision)
    ids = graph.input("input_ids", TensorProto.INT64, ["batch", tower.positions])
    table = "embeddings.token_embedding.weight"
    x = embedding(graph, ids, weights, table, precision)
    x = graph.op("Add", [x, encoder.vector("embeddings.position_embedding.weight")])
    x = encoder.encode(x)
    # only the last position is looked at, so only it is normalised
    last = graph.op("Gather", [x, graph.int_scalar(tower.positions - 1)], axis=1)
    last = encoder.dense(encoder.norm(last, "final_layer_norm"), "head")
    return _finish(encoder, last, "sentence_embedding", tower.projection)


def write_vision(
    tower: VisionTower, scale: PixelScale, weights: Weights, precision: str, path: Path
) -> list[Path]:
    """pixels uint8 [batch, size, size, 3] → image_embedding float32 [batch, D]."""
    graph = Graph("siglip_vision", path)
    encoder = Encoder(graph, tower, weights, precision)
    size = tower.image_size
    pixels = graph.input("pixels", TensorProto.UINT8, ["batch", size, size, 3])
    x = _embed_patches(encoder, scale.apply(graph, _whole_patches(graph, tower, pixels)))
    x = graph.op("Add", [x, encoder.vector("embeddings.position_embedding.weight")])
    x = encoder.norm(encoder.encode(x), "post_layernorm")
    pooled = _attention_pool(encoder, x)
    return _finish(encoder, pooled, "image_embedding", tower.hidden)


def _whole_patches(graph: Graph, tower: VisionTower, pixels: str) -> str:
    """Leaves out the rows and columns behind the last whole patch, as a convolution does."""
    covered = tower.side * tower.patch_size
    if covered == tower.image_size:
        return pixels
    ranges = [graph.ints(0, 0), graph.ints(covered, covered), graph.ints(1, 2)]
    return graph.op("Slice", [pixels, *ranges])


def _embed_patches(encoder: Encoder, pixels: str) -> str:
    """float32 [batch, rows, columns, 3] → [batch, patches, hidden]: a strided convolution."""
    graph, tower = encoder.graph, encoder.tower
    side, patch = tower.side, tower.patch_size
    x = graph.op("Reshape", [pixels, graph.ints(0, side, patch, side, patch, 3)])
    # colour before row and column, as in the convolution's weight
    x = graph.op("Transpose", [x], perm=[0, 1, 3, 5, 2, 4])
    x = graph.op("Reshape", [x, graph.ints(0, side * side, 3 * patch * patch)])
    name = "embeddings.patch_embedding"
    matrix = encoder.weights.dense(f"{name}.weight").reshape(tower.hidden, -1)
    kind = "fp16" if encoder.precision == "fp16" else "fp32"
    x = linear_of(graph, encoder.inner(x), matrix, f"{name}.weight", kind)
    return graph.op("Add", [x, encoder.vector(f"{name}.bias")])


def _attention_pool(encoder: Encoder, x: str) -> str:
    """[batch, patches, hidden] → [batch, hidden].

    The query is the same for every image, so its projection is a constant. torch's
    MultiheadAttention keeps the three projections below each other in one matrix.
    """
    graph, hidden = encoder.graph, encoder.tower.hidden
    module = "head.attention"
    query, key, value = encoder.weights.dense(f"{module}.in_proj_weight").reshape(3, hidden, -1)
    biases = encoder.weights.dense(f"{module}.in_proj_bias").reshape(3, hidden)
    probe = encoder.weights.dense("head.probe").reshape(1, 1, hidden) @ query.T
    batch = graph.op("Slice", [graph.op("Shape", [x]), graph.ints(0), graph.ints(1)])
    probe = graph.op(
        "Expand", [encoder.constant("head.query", probe), graph.shape_of(batch, 1, hidden)]
    )
    key = linear_of(graph, x, key, f"{module}.key", encoder.precision)
    value = linear_of(graph, x, value, f"{module}.value", encoder.precision)
    bias = encoder.constant(f"{module}.bias", biases.reshape(-1))
    heads = encoder.tower.heads
    pooled = graph.contrib("MultiHeadAttention", [probe, key, value, bias], num_heads=heads)
    pooled = encoder.dense(pooled, f"{module}.out_proj")
    refined = encoder.mlp(encoder.norm(pooled, "head.layernorm"), "head")
    return graph.op("Squeeze", [graph.op("Add", [pooled, refined]), graph.ints(1)])


def _finish(encoder: Encoder, vectors: str, name: str, dimensions: int) -> list[Path]:
    graph = encoder.graph
    vectors = l2_normalize(graph, encoder.outer(vectors))
    graph.output(vectors, name, TensorProto.FLOAT, ["batch", dimensions])
    return graph.save()
