"""Cross-encoders as ONNX: an encoder that reads query and candidate as one sequence, and its head.

As in transformers' BertForSequenceClassification and XLMRobertaForSequenceClassification with one
label: tanh of a dense layer on the first token, then a linear layer. BERT calls the dense layer its
pooler, XLM-R has it in the classifier. The head sees one token of a row, so that it is float32 in
every precision.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from onnx import TensorProto

from export.encoder import TYPES, EncoderConfig, EncoderGraph
from export.errors import ExportError
from export.graph import Graph
from export.linear import linear_of
from export.pooling import pool
from export.weights import Weights

# The head's two layers by architecture; those of the whole checkpoint stand beside the encoder.
POOLER = "pooler.dense"
HEADS = {
    "bert": (POOLER, "classifier"),
    "xlm-roberta": ("classifier.dense", "classifier.out_proj"),
}


@dataclass(frozen=True)
class Head:
    """The weights, torch layout: dense [hidden, hidden], output [1, hidden]; and their biases."""

    dense: np.ndarray
    dense_bias: np.ndarray
    output: np.ndarray
    output_bias: np.ndarray

    @classmethod
    def read(cls, config: EncoderConfig, encoder: Weights, whole: Weights) -> "Head":
        """From a checkpoint's tensors; `encoder` are those below its prefix."""
        dense, output = HEADS[config.architecture]
        beside = encoder if dense == POOLER else whole
        head = cls(
            beside.dense(f"{dense}.weight"),
            beside.dense(f"{dense}.bias"),
            whole.dense(f"{output}.weight"),
            whole.dense(f"{output}.bias"),
        )
        hidden = config.hidden
        wanted = ((hidden, hidden), (hidden,), (1, hidden), (1,))
        found = tuple(part.shape for part in (head.dense, head.dense_bias, *head._last()))
        if found != wanted:
            raise ExportError(
                f"the checkpoint's head ({dense}, {output}) has the shapes {found}, not {wanted}"
            )
        return head

    def _last(self) -> tuple[np.ndarray, np.ndarray]:
        return self.output, self.output_bias

    def logits(self, graph: Graph, first: str) -> str:
        """The first tokens' states, float32 [batch, hidden] → float32 [batch, 1]."""
        x = linear_of(graph, first, self.dense, "head.dense.weight", "fp32")
        x = graph.op("Add", [x, graph.weight("head.dense.bias", self.dense_bias)])
        x = linear_of(graph, graph.op("Tanh", [x]), self.output, "head.output.weight", "fp32")
        return graph.op("Add", [x, graph.weight("head.output.bias", self.output_bias)])


def write_cross_encoder(
    config: EncoderConfig, encoder: Weights, head: Head, name: str, precision: str, path: Path
) -> list[Path]:
    """Write the whole model: ids, mask and, where there is more than one, types → logits."""
    graph = Graph(name, path)
    axes = ["batch", "sequence"]
    ids = graph.input("input_ids", TensorProto.INT64, axes)
    mask = graph.input("attention_mask", TensorProto.INT64, axes)
    types = None
    if encoder.shape(TYPES)[0] > 1:
        types = graph.input("token_type_ids", TensorProto.INT64, axes)
    layers = EncoderGraph(graph, config, encoder, precision)
    states = layers.encode(layers.embed_tokens(ids, types), mask)
    first = pool(graph, states, mask, "cls")
    if precision == "fp16":
        first = graph.op("Cast", [first], to=TensorProto.FLOAT)
    graph.output(head.logits(graph, first), "logits", TensorProto.FLOAT, ["batch", 1])
    return graph.save()
