"""Linear layers and embedding tables in every precision that the exporter writes."""

from collections.abc import Iterator

import numpy as np

from export.blocks import BLOCK, Blocks, quantize, stacked
from export.graph import Graph
from export.weights import Weights

PRECISIONS = ("fp32", "fp16", "int8", "int4")
BITS = {"int8": 8, "int4": 4}
# MatMulNBits' accuracy levels. ROUNDED rounds a row of activations to 8 bits in the same blocks of
# 32, each with a scale of its own (what ggml does with Q8_0): a row stays independent of its batch.
# EXACT keeps float32 activations: for weights that lose nothing themselves. Measured in README.md.
EXACT, ROUNDED = 0, 4


def float_type(precision: str) -> type:
    """Type of activations and of weights that are not quantised."""
    return np.float16 if precision == "fp16" else np.float32


def linear(graph: Graph, x: str, weights: Weights, name: str, precision: str) -> str:
    """x [.., inputs] times the matrix `name` (torch layout [outputs, inputs]) → [.., outputs].

    No bias: some operators that follow take it along (MultiHeadAttention, BiasGelu).
    """
    if precision in BITS:
        bits = BITS[precision]
        level = EXACT if weights.stored_bits == bits else ROUNDED
        return _quantized(graph, x, weights.blocks(name, bits), name, level)
    return linear_of(graph, x, weights.dense(name), name, precision)


def stacked_linear(
    graph: Graph, x: str, weights: Weights, names: list[str], name: str, precision: str
) -> str:
    """The matrices `names` below each other as one linear layer, which the graph calls `name`."""
    if precision in BITS:
        parts = [weights.blocks(part, BITS[precision]) for part in names]
        return _quantized(graph, x, stacked(parts), name)
    matrix = np.concatenate([weights.dense(part) for part in names])
    return linear_of(graph, x, matrix, name, precision)


def linear_of(graph: Graph, x: str, matrix: np.ndarray, name: str, precision: str) -> str:
    """x times a float32 matrix [outputs, inputs] that is at hand."""
    if precision in BITS:
        return _quantized(graph, x, quantize(matrix, BITS[precision]), name)
    matrix = matrix.astype(float_type(precision), copy=False)
    return graph.op("MatMul", [x, graph.weight(name, matrix.T)])


def _quantized(graph: Graph, x: str, matrix: Blocks, name: str, level: int = ROUNDED) -> str:
    rows, count = matrix.scales.shape
    packed = matrix.packed().reshape(rows, count, -1)
    return graph.contrib(
        "MatMulNBits",
        [
            x,
            graph.weight(f"{name}.int{matrix.bits}", packed),
            graph.weight(f"{name}.scales", matrix.scales.ravel()),
        ],
        N=rows,
        K=matrix.columns,
        bits=matrix.bits,
        block_size=BLOCK,
        accuracy_level=level,
    )


def embedding(graph: Graph, ids: str, weights: Weights, name: str, precision: str) -> str:
    """Rows of the table `name` for ids int64 [batch, sequence] → [batch, sequence, hidden].

    8 bits also for int4, unless the table is stored in 4: it is read and not multiplied, so that it
    costs no time, and of a table but the used rows are in memory.
    """
    if precision not in BITS:
        return _float_embedding(graph, ids, weights, name, precision)
    bits = BITS[precision] if weights.stored_bits == BITS[precision] else 8
    table, scales = _quantized_table(graph, weights, name, bits)
    return graph.contrib(
        "GatherBlockQuantized",
        [table, ids, scales],
        bits=bits,
        block_size=BLOCK,
        gather_axis=0,
        quantize_axis=1,
    )


def _float_embedding(graph: Graph, ids: str, weights: Weights, name: str, precision: str) -> str:
    kind = float_type(precision)
    slices = (part.astype(kind, copy=False) for part in weights.rows(name))
    table = graph.weight_in_slices(name, kind, weights.shape(name), slices)
    return graph.op("Gather", [table, ids], axis=0)


def _quantized_table(graph: Graph, weights: Weights, name: str, bits: int) -> tuple[str, str]:
    """Adds the table in slices, the largest tensor of most models; then its scales."""
    rows, columns = weights.shape(name)
    scales = []

    def slices() -> Iterator[np.ndarray]:
        for part in weights.block_rows(name, bits):
            scales.append(part.scales)
            # unlike MatMulNBits, the operator gives what fills the last block, too
            yield part.packed()[:, : columns * bits // 8]

    shape = (rows, columns * bits // 8)
    table = graph.weight_in_slices(f"{name}.int{bits}", np.uint8, shape, slices())
    return table, graph.weight(f"{name}.scales", np.concatenate(scales))
