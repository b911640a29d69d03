"""Pooling of token vectors: part of every exported graph, and a graph of its own for foreign ones.

`python -m export.pooling DIRECTORY` (with models/ on PYTHONPATH) writes mean.onnx, cls.onnx and
last_token.onnx: token_embeddings float32 [batch, sequence, hidden] and attention_mask int64
[batch, sequence] → sentence_embedding float32 [batch, hidden], not normalised. They let a model
whose graph ends with its token states be pooled inside a session, too.
"""

import sys
from pathlib import Path

from onnx import TensorProto

from export.graph import Graph

POOLINGS = ("mean", "cls", "last_token")
# sentence-transformers clamps the token count at 1e-9, torch's normalize the length at 1e-12.
SMALLEST_COUNT = 1e-9
SMALLEST_NORM = 1e-12


def pool(graph: Graph, tokens: str, mask: str, pooling: str) -> str:
    """tokens float32 [batch, sequence, hidden], right-padded mask → float32 [batch, hidden]."""
    if pooling == "cls":
        return graph.op("Gather", [tokens, graph.int_scalar(0)], axis=1)
    if pooling == "last_token":
        return _last_token(graph, tokens, mask)
    return _mean(graph, tokens, mask)


def _mean(graph: Graph, tokens: str, mask: str) -> str:
    weight = graph.op("Cast", [mask], to=TensorProto.FLOAT)
    row = graph.op("Unsqueeze", [weight, graph.ints(1)])
    total = graph.op("Squeeze", [graph.op("MatMul", [row, tokens]), graph.ints(1)])
    count = graph.op("ReduceSum", [weight, graph.ints(1)], keepdims=1)
    return graph.op("Div", [total, graph.op("Max", [count, graph.float_scalar(SMALLEST_COUNT)])])


def _last_token(graph: Graph, tokens: str, mask: str) -> str:
    count = graph.op("ReduceSum", [mask, graph.ints(1)], keepdims=1)
    # A row without any token has index -1: GatherND then takes its last position.
    index = graph.op("Sub", [count, graph.ints(1)])
    return graph.op("GatherND", [tokens, index], batch_dims=1)


def l2_normalize(graph: Graph, vectors: str) -> str:
    """float32 [batch, dimensions] divided by its length; a zero vector stays zero."""
    length = graph.op("ReduceL2", [vectors], axes=[-1], keepdims=1)
    return graph.op("Div", [vectors, graph.op("Max", [length, graph.float_scalar(SMALLEST_NORM)])])


def write_pooling_graph(pooling: str, path: Path) -> None:
    """One of the three stand-alone graphs, for any hidden size."""
    graph = Graph(f"{pooling}_pooling", path)
    tokens = graph.input("token_embeddings", TensorProto.FLOAT, ["batch", "sequence", "hidden"])
    mask = graph.input("attention_mask", TensorProto.INT64, ["batch", "sequence"])
    pooled = pool(graph, tokens, mask, pooling)
    graph.output(pooled, "sentence_embedding", TensorProto.FLOAT, ["batch", "hidden"])
    graph.save()


def main(arguments: list[str]) -> None:
    """Write the three graphs into the directory named on the command line."""
    directory = Path(arguments[0])
    directory.mkdir(parents=True, exist_ok=True)
    for pooling in POOLINGS:
        write_pooling_graph(pooling, directory / f"{pooling}.onnx")


if __name__ == "__main__":
    main(sys.argv[1:])
