"""Linear layers and embedding tables in the three precisions that the exporter writes."""

import numpy as np

from export.graph import Graph
from export.q4 import BLOCK
from export.weights import Weights

PRECISIONS = ("fp32", "fp16", "q4")
# MatMulNBits: 0 keeps float32 activations, which is exact and independent of the batch; 4 would
# quantise them per row and lose both.
ACCURACY_LEVEL = 0


def float_type(precision: str) -> type:
    """Type of activations and of weights that are not quantised."""
    return np.float16 if precision == "fp16" else np.float32


def linear(graph: Graph, x: str, weights: Weights, name: str, precision: str) -> str:
    """x [.., inputs] times the matrix `name` (torch layout [outputs, inputs]) → [.., outputs].

    No bias: some operators that follow take it along (MultiHeadAttention, BiasGelu).
    """
    if precision == "q4":
        matrix = weights.q4(name)
        rows, columns = matrix.nibbles.shape
        blocks = matrix.packed().reshape(rows, columns // BLOCK, BLOCK // 2)
        return graph.contrib(
            "MatMulNBits",
            [
                x,
                graph.weight(f"{name}.q4", blocks),
                graph.weight(f"{name}.scales", matrix.scales.ravel()),
            ],
            N=rows,
            K=columns,
            bits=4,
            block_size=BLOCK,
            accuracy_level=ACCURACY_LEVEL,
        )
    matrix = weights.dense(name).astype(float_type(precision), copy=False)
    return graph.op("MatMul", [x, graph.weight(name, matrix.T)])


def embedding(graph: Graph, ids: str, weights: Weights, name: str, precision: str) -> str:
    """Rows of the table `name` for ids int64 [batch, sequence] → [batch, sequence, hidden]."""
    if precision == "q4":
        table = weights.q4(name)
        return graph.contrib(
            "GatherBlockQuantized",
            [
                graph.weight(f"{name}.q4", table.packed()),
                ids,
                graph.weight(f"{name}.scales", table.scales),
            ],
            bits=4,
            block_size=BLOCK,
            gather_axis=0,
            quantize_axis=1,
        )
    table = weights.dense(name).astype(float_type(precision), copy=False)
    return graph.op("Gather", [graph.weight(name, table), ids], axis=0)
