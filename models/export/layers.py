"""Pieces that the graphs of several families are made of, in one precision."""

import numpy as np
from onnx import TensorProto, helper

from export.graph import Graph
from export.linear import float_type, linear
from export.weights import Weights


class Layers:
    """Adds pieces with the weights of one module tree; activations are `float_type(precision)`."""

    def __init__(self, graph: Graph, weights: Weights, precision: str, epsilon: float):
        self.graph = graph
        self.weights = weights
        self.precision = precision
        self.epsilon = epsilon
        self.float_type = float_type(precision)
        self.float_kind = helper.np_dtype_to_tensor_dtype(np.dtype(self.float_type))

    def vector(self, name: str) -> str:
        """A weight that stays float in every precision."""
        return self.constant(name, self.weights.dense(name))

    def constant(self, name: str, values: np.ndarray) -> str:
        """The same from values at hand."""
        return self.graph.weight(name, values.astype(self.float_type, copy=False))

    def product(self, x: str, module: str) -> str:
        """x times the module's weight, without its bias."""
        return linear(self.graph, x, self.weights, f"{module}.weight", self.precision)

    def dense(self, x: str, module: str) -> str:
        """A linear layer with its bias."""
        return self.graph.op("Add", [self.product(x, module), self.vector(f"{module}.bias")])

    def activated(self, x: str, module: str, operator: str) -> str:
        """A linear layer whose bias the activation (FastGelu, BiasGelu) takes along."""
        return self.graph.contrib(
            operator, [self.product(x, module), self.vector(f"{module}.bias")]
        )

    def norm(self, x: str, module: str) -> str:
        """LayerNorm."""
        inputs = [x, self.vector(f"{module}.weight"), self.vector(f"{module}.bias")]
        return self.graph.op("LayerNormalization", inputs, axis=-1, epsilon=self.epsilon)

    def inner(self, x: str) -> str:
        """From float32 to the type of the activations."""
        if self.float_kind == TensorProto.FLOAT:
            return x
        return self.graph.op("Cast", [x], to=self.float_kind)

    def outer(self, x: str) -> str:
        """From the type of the activations to float32, the only float type that leaves a graph."""
        if self.float_kind == TensorProto.FLOAT:
            return x
        return self.graph.op("Cast", [x], to=TensorProto.FLOAT)
