"""What is made of token vectors: pooling, part of every embedder's graph, and MaxSim.

`python -m export.pooling DIRECTORY` (with models/ on PYTHONPATH) writes graphs that the host runs
behind a model's: mean.onnx, cls.onnx and last_token.onnx, which pool token_embeddings float32
[batch, sequence, hidden] with attention_mask int64 [batch, sequence] → sentence_embedding float32
[batch, hidden], not normalised, for models whose graph ends with its token states; and
max_sim.onnx, which scores candidates by late interaction.
"""

import sys
from pathlib import Path

from onnx import TensorProto

from export.graph import Graph

POOLINGS = ("mean", "cls", "last_token")
# sentence-transformers clamps the token count at 1e-9, torch's normalize the length at 1e-12.
SMALLEST_COUNT = 1e-9
SMALLEST_NORM = 1e-12
NEVER = float("-inf")


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


def max_sim(graph: Graph, query: str, tokens: str, scored: str) -> str:
    """Late interaction (Khattab and Zaharia 2020, arXiv:2004.12832) → float32 [batch].

    query float32 [query_tokens, hidden] of length 1 each; tokens float32 [batch, sequence, hidden]
    of any length; scored int64 [batch, sequence]. The mean over the query's tokens, where ColBERT
    has the sum, of the largest cosine with a token whose `scored` is 1; what the other tokens hold
    does not matter, not even NaN. A row without such a token has minus infinity.
    """
    # A product of tokens is of each by itself: those that do not count are left out behind it.
    cosines = graph.op("MatMul", [tokens, graph.op("Transpose", [query], perm=[1, 0])])
    length = graph.op("ReduceL2", [tokens], axes=[-1], keepdims=1)
    length = graph.op("Max", [length, graph.float_scalar(SMALLEST_NORM)])
    counts = graph.op("Equal", [scored, graph.int_scalar(1)])
    counts = graph.op("Unsqueeze", [counts, graph.ints(-1)])
    cosines = graph.op(
        "Where", [counts, graph.op("Div", [cosines, length]), graph.float_scalar(NEVER)]
    )
    best = graph.op("ReduceMax", [cosines], axes=[1], keepdims=0)
    return graph.op("ReduceMean", [best], axes=[1], keepdims=0)


def write_pooling_graph(pooling: str, path: Path) -> None:
    """One of the three stand-alone poolings, for any hidden size."""
    graph = Graph(f"{pooling}_pooling", path)
    tokens = graph.input("token_embeddings", TensorProto.FLOAT, ["batch", "sequence", "hidden"])
    mask = graph.input("attention_mask", TensorProto.INT64, ["batch", "sequence"])
    pooled = pool(graph, tokens, mask, pooling)
    graph.output(pooled, "sentence_embedding", TensorProto.FLOAT, ["batch", "hidden"])
    graph.save()


def write_max_sim_graph(path: Path) -> None:
    """MaxSim by itself, for any hidden size."""
    graph = Graph("max_sim", path)
    query = graph.input("query_embeddings", TensorProto.FLOAT, ["query_tokens", "hidden"])
    tokens = graph.input("token_embeddings", TensorProto.FLOAT, ["batch", "sequence", "hidden"])
    scored = graph.input("scored", TensorProto.INT64, ["batch", "sequence"])
    graph.output(max_sim(graph, query, tokens, scored), "scores", TensorProto.FLOAT, ["batch"])
    graph.save()


def main(arguments: list[str]) -> None:
    """Write the four graphs into the directory named on the command line."""
    directory = Path(arguments[0])
    directory.mkdir(parents=True, exist_ok=True)
    for pooling in POOLINGS:
        write_pooling_graph(pooling, directory / f"{pooling}.onnx")
    write_max_sim_graph(directory / "max_sim.onnx")


if __name__ == "__main__":
    main(sys.argv[1:])
