"""What Qwen3-VL's text graph ends with: an embedder's vector, or a reranker's logit.

The final norm is of each token by itself, so one that is not taken is not normalised.
"""

import numpy as np
from onnx import TensorProto

from export.errors import ExportError
from export.linear import linear_of
from export.pooling import l2_normalize, pool
from export.qwen3_vl.text import Decoder, Head
from export.weights import Weights

LAST = "last_token"


def embedding_head(pooling: str) -> Head:
    """`sentence_embedding` float32 [batch, hidden] of length 1."""

    def add(layers: Decoder, states: str, mask: str) -> None:
        graph = layers.graph
        if pooling == LAST:
            vectors = layers.outer(layers.rms_norm(pool(graph, states, mask, LAST), "norm"))
        else:
            normed = layers.outer(layers.rms_norm(states, "norm"))
            vectors = pool(graph, normed, mask, pooling)
        shape = ["batch", layers.config.hidden]
        graph.output(l2_normalize(graph, vectors), "sentence_embedding", TensorProto.FLOAT, shape)

    return add


def relevance_head(direction: np.ndarray) -> Head:
    """`logits` float32 [batch, 1]: the last token's state times `direction` float32 [hidden].

    In float32 in every precision: it is one row, and the difference of two large numbers.
    """

    def add(layers: Decoder, states: str, mask: str) -> None:
        graph = layers.graph
        last = layers.outer(pool(graph, states, mask, LAST))
        weight = graph.weight("norm.weight", layers.weights.dense("norm.weight"))
        last = graph.op(
            "SimplifiedLayerNormalization", [last, weight], axis=-1, epsilon=layers.epsilon
        )
        logits = linear_of(graph, last, direction[None], "yes_no.weight", "fp32")
        graph.output(logits, "logits", TensorProto.FLOAT, ["batch", 1])

    return add


def rows_at(weights: Weights, name: str, places: list[int]) -> np.ndarray:
    """Some rows of a table too large to read whole, float32 [places, columns]."""
    found, first = {}, 0
    for part in weights.rows(name):
        found |= {at: part[at - first].copy() for at in places if 0 <= at - first < len(part)}
        first += len(part)
    if missing := [at for at in places if at not in found]:
        raise ExportError(f"the checkpoint's {name} has {first} rows, and none for {missing}")
    return np.stack([found[at] for at in places])
