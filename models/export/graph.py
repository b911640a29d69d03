"""A small ONNX graph builder: nodes by operator name, weights streamed into one external file.

Graphs are built, not traced: contrib operators (com.microsoft) are written where they are wanted.
Each weight is written when it is added and then forgotten, so that a checkpoint larger than memory
can be exported: what is needed is room for a few copies of its largest tensor.
"""

import math
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET = 17  # the first with LayerNormalization
IR_VERSION = 8
CONTRIB = "com.microsoft"
# External tensors start on a page, so that a runtime can map them instead of reading them.
PAGE = 4096
# Below this a tensor stays in the graph file: a page each would be mostly padding.
INLINE_BYTES = 1024


class Graph:
    """One ONNX model under construction; `save` writes PATH, large weights go to PATH.data."""

    def __init__(self, name: str, path: Path):
        self._name = name
        self._path = path
        self._nodes: list[onnx.NodeProto] = []
        self._initializers: dict[str, onnx.TensorProto] = {}
        self._inputs: list[onnx.ValueInfoProto] = []
        self._outputs: list[onnx.ValueInfoProto] = []
        self._data = None
        self._uses_contrib = False

    def input(self, name: str, kind: int, shape: list) -> str:
        """Declare an input; a string in `shape` is a dynamic axis."""
        self._inputs.append(helper.make_tensor_value_info(name, kind, shape))
        return name

    def output(self, value: str, name: str, kind: int, shape: list) -> None:
        """Give `value` the public name `name`."""
        self._nodes.append(helper.make_node("Identity", [value], [name], name=name))
        self._outputs.append(helper.make_tensor_value_info(name, kind, shape))

    def op(
        self, operator: str, inputs: list[str], outputs: int = 1, **attributes
    ) -> str | list[str]:
        """Add a standard operator; an input of "" is one left out. Returns its output name(s)."""
        return self._node(operator, inputs, outputs, "", attributes)

    def contrib(
        self, operator: str, inputs: list[str], outputs: int = 1, **attributes
    ) -> str | list[str]:
        """Add an operator of ONNX Runtime's own domain."""
        self._uses_contrib = True
        return self._node(operator, inputs, outputs, CONTRIB, attributes)

    def _node(self, operator, inputs, outputs, domain, attributes):
        stem = f"{operator}_{len(self._nodes)}"
        names = [stem] if outputs == 1 else [f"{stem}_{i}" for i in range(outputs)]
        self._nodes.append(
            helper.make_node(operator, inputs, names, name=stem, domain=domain, **attributes)
        )
        return names[0] if outputs == 1 else names

    def ints(self, *values: int) -> str:
        """A constant int64 vector."""
        return self._constant(np.array(values, np.int64))

    def int_scalar(self, value: int) -> str:
        """A constant int64 scalar."""
        return self._constant(np.array(value, np.int64))

    def shape_of(self, *parts: str | int) -> str:
        """A shape from constants and from int64 vectors that other nodes compute."""
        vectors = [self.ints(part) if isinstance(part, int) else part for part in parts]
        return self.op("Concat", vectors, axis=0)

    def float_scalar(self, value: float) -> str:
        """A constant float32 scalar."""
        return self._constant(np.array(value, np.float32))

    def _constant(self, array: np.ndarray) -> str:
        values = "_".join(str(value) for value in array.ravel())
        name = f"{array.dtype}_{'scalar' if array.ndim == 0 else 'vector'}_{values}"
        self._initializers.setdefault(name, numpy_helper.from_array(array, name))
        return name

    def weight(self, name: str, array: np.ndarray) -> str:
        """Add a weight, outside the graph file unless it is small."""
        array = np.ascontiguousarray(array)
        if array.nbytes < INLINE_BYTES:
            self._initializers[name] = numpy_helper.from_array(array, name)
        else:
            self._initializers[name] = self._external(name, array)
        return name

    def weight_in_slices(
        self, name: str, kind: type, shape: tuple[int, ...], slices: Iterable[np.ndarray]
    ) -> str:
        """Add a weight of which no more than one slice, some of its rows, is in memory."""
        kind = np.dtype(kind)
        size = math.prod(shape) * kind.itemsize
        if size < INLINE_BYTES:
            return self.weight(name, np.concatenate(list(slices)))
        self._initializers[name] = self._place(name, kind, shape, size)
        for part in slices:
            self._data.write(np.ascontiguousarray(part).data)
        return name

    def _external(self, name: str, array: np.ndarray) -> onnx.TensorProto:
        tensor = self._place(name, array.dtype, array.shape, array.nbytes)
        self._data.write(array.data)
        return tensor

    def _place(
        self, name: str, kind: np.dtype, shape: tuple[int, ...], size: int
    ) -> onnx.TensorProto:
        """A tensor of `size` bytes that starts on the data file's next page."""
        if self._data is None:
            self._data = self._data_path().open("wb")
        self._data.write(bytes(-self._data.tell() % PAGE))
        tensor = TensorProto(
            name=name,
            data_type=helper.np_dtype_to_tensor_dtype(kind),
            dims=shape,
            data_location=TensorProto.EXTERNAL,
        )
        place = {
            "location": self._data_path().name,
            "offset": self._data.tell(),
            "length": size,
        }
        for key, value in place.items():
            tensor.external_data.add(key=key, value=str(value))
        return tensor

    def _data_path(self) -> Path:
        return self._path.with_name(self._path.name + ".data")

    def save(self) -> list[Path]:
        """Write the graph; returns the files that make up the model."""
        files = [self._path]
        if self._data is not None:
            self._data.close()
            files.append(self._data_path())
        graph = helper.make_graph(
            self._nodes, self._name, self._inputs, self._outputs, list(self._initializers.values())
        )
        domains = [helper.make_opsetid("", OPSET)]
        if self._uses_contrib:
            domains.append(helper.make_opsetid(CONTRIB, 1))
        model = helper.make_model(
            graph, opset_imports=domains, ir_version=IR_VERSION, producer_name="itembank_embed"
        )
        self._path.write_bytes(model.SerializeToString(deterministic=True))
        return files
