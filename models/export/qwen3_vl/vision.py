"""Qwen3-VL's vision tower as ONNX: the pixels of images of one size → features of their tokens.

As in transformers' Qwen3VLVisionModel: patches in the order of the merged blocks, a position table
interpolated to the grid, rotary positions on two axes, and states of several depths (DeepStack,
arXiv:2406.04334) merged two by two into tokens. An image is a film of one frame that stands for
`frames`: the convolution over time is the sum of its weights.
"""

import logging
from pathlib import Path

import numpy as np
from onnx import TensorProto

from export.graph import Graph
from export.layers import Layers
from export.linear import linear_of
from export.pixels import PixelScale
from export.qwen3_vl.config import VisionConfig
from export.weights import Weights

log = logging.getLogger(__name__)

EPSILON = 1e-6
THETA = 10000.0


class Grid:
    """The image in patches, and the order in which they stand: block by block of merge * merge."""

    def __init__(self, graph: Graph, config: VisionConfig, pixels: str):
        self.graph = graph
        self.merge = config.merge
        shape = graph.op("Shape", [pixels])
        self.images, height, width = (
            graph.op("Slice", [shape, graph.ints(axis), graph.ints(axis + 1)]) for axis in range(3)
        )
        self.rows = graph.op("Div", [height, graph.ints(config.patch)])
        self.columns = graph.op("Div", [width, graph.ints(config.patch)])
        self.block_rows = graph.op("Div", [self.rows, graph.ints(config.merge)])
        self.block_columns = graph.op("Div", [self.columns, graph.ints(config.merge)])
        self.patches = graph.op("Mul", [self.rows, self.columns])

    def cut(self, pixels: str, patch: int) -> str:
        """[images, height, width, 3] → [images, patches, 3 * patch * patch], colour first."""
        graph, merge = self.graph, self.merge
        shape = graph.shape_of(
            self.images, self.block_rows, merge, patch, self.block_columns, merge, patch, 3
        )
        x = graph.op("Reshape", [pixels, shape])
        x = graph.op("Transpose", [x], perm=[0, 1, 4, 2, 5, 7, 3, 6])
        return graph.op("Reshape", [x, graph.shape_of(self.images, -1, 3 * patch * patch)])

    def count(self, length: str) -> str:
        """0, 1 … length - 1, int64."""
        graph = self.graph
        end = graph.op("Squeeze", [length, graph.ints(0)])
        return graph.op("Range", [graph.int_scalar(0), end, graph.int_scalar(1)])

    def of_rows(self, values: str) -> str:
        """One value a row of patches → one a patch."""
        return self._of_patches(values, (self.block_rows, 1, self.merge, 1))

    def of_columns(self, values: str) -> str:
        """One value a column of patches → one a patch."""
        return self._of_patches(values, (1, self.block_columns, 1, self.merge))

    def _of_patches(self, values: str, shape: tuple[str | int, ...]) -> str:
        graph, merge = self.graph, self.merge
        values = graph.op("Reshape", [values, graph.shape_of(*shape)])
        whole = graph.shape_of(self.block_rows, self.block_columns, merge, merge)
        return graph.op("Reshape", [graph.op("Expand", [values, whole]), graph.ints(-1)])


class Tower(Layers):
    """Adds the vision tower's layers to a graph."""

    def __init__(self, graph: Graph, config: VisionConfig, weights: Weights, precision: str):
        super().__init__(graph, weights, precision, EPSILON)
        self.config = config

    def embed_patches(self, patches: str) -> str:
        """float32 [images, patches, 3 * patch * patch] → [images, patches, hidden].

        In float also where other layers are quantised: everything passes through this one.
        """
        module = "patch_embed.proj"
        # [hidden, 3, frames, patch, patch]
        matrix = self.weights.dense(f"{module}.weight").sum(axis=2).reshape(self.config.hidden, -1)
        kind = "fp16" if self.precision == "fp16" else "fp32"
        x = linear_of(self.graph, self.inner(patches), matrix, f"{module}.weight", kind)
        return self.graph.op("Add", [x, self.vector(f"{module}.bias")])

    def positions(self, grid: Grid) -> str:
        """[patches, hidden]: the table's four nearest rows, weighted by how near they are."""
        graph = self.graph
        table = self.vector("pos_embed.weight")
        top, bottom, down = self._nearest(grid, grid.rows)
        left, right, across = self._nearest(grid, grid.columns)
        side = graph.int_scalar(self.config.side)
        total = None
        for row, row_weight in ((top, self._rest(down)), (bottom, down)):
            for column, column_weight in ((left, self._rest(across)), (right, across)):
                start = graph.op("Mul", [grid.of_rows(row), side])
                index = graph.op("Add", [start, grid.of_columns(column)])
                weights = [grid.of_rows(row_weight), grid.of_columns(column_weight)]
                weight = graph.op("Unsqueeze", [graph.op("Mul", weights), graph.ints(1)])
                rows = graph.op("Gather", [table, index], axis=0)
                term = graph.op("Mul", [rows, self.inner(weight)])
                total = term if total is None else graph.op("Add", [total, term])
        return total

    def _nearest(self, grid: Grid, length: str) -> tuple[str, str, str]:
        """`length` points spread evenly over the table's side, as torch.linspace does.

        The entries below and above each (int64) and the way from the first to the second (0..1).
        """
        graph, last = self.graph, self.config.side - 1
        index = graph.op("Cast", [grid.count(length)], to=TensorProto.FLOAT)
        gaps = graph.op("Max", [graph.op("Sub", [length, graph.ints(1)]), graph.ints(1)])
        gaps = graph.op("Cast", [gaps], to=TensorProto.FLOAT)
        step = graph.op("Div", [graph.float_scalar(last), gaps])
        point = graph.op("Mul", [index, step])
        point = graph.op("Min", [point, graph.float_scalar(last)])
        below = graph.op("Floor", [point])
        above = graph.op("Add", [below, graph.float_scalar(1.0)])
        above = graph.op("Min", [above, graph.float_scalar(last)])
        way = graph.op("Sub", [point, below])
        cast = [graph.op("Cast", [entry], to=TensorProto.INT64) for entry in (below, above)]
        return cast[0], cast[1], way

    def _rest(self, weight: str) -> str:
        return self.graph.op("Sub", [self.graph.float_scalar(1.0), weight])

    def rotary(self, grid: Grid) -> tuple[str, str, str]:
        """Rows of the cos and sin tables for each image's patches, and the tables: one row a patch.

        The first half of the angles follows the row, the second the column.
        """
        graph = self.graph
        half = self.config.hidden // self.config.heads // 2
        exponents = np.arange(0, half, 2, dtype=np.float32) / half
        frequencies = (1.0 / THETA**exponents).astype(np.float32)[None]
        frequencies = graph.weight("rotary_frequencies", frequencies)
        angles = []
        for values in (
            grid.of_rows(grid.count(grid.rows)),
            grid.of_columns(grid.count(grid.columns)),
        ):
            values = graph.op("Cast", [values], to=TensorProto.FLOAT)
            values = graph.op("Unsqueeze", [values, graph.ints(1)])
            angles.append(graph.op("Mul", [values, frequencies]))
        angles = graph.op("Concat", angles, axis=1)
        rows = graph.op("Unsqueeze", [grid.count(grid.patches), graph.ints(0)])
        rows = graph.op("Expand", [rows, graph.shape_of(grid.images, grid.patches)])
        cos, sin = (self.inner(graph.op(function, [angles])) for function in ("Cos", "Sin"))
        return rows, cos, sin

    def block(self, x: str, rotary: tuple[str, str, str], module: str) -> str:
        """One Transformer layer."""
        attended = self._attention(self.norm(x, f"{module}.norm1"), rotary, f"{module}.attn")
        x = self.graph.op("Add", [x, attended])
        inner = self.norm(x, f"{module}.norm2")
        inner = self.activated(inner, f"{module}.mlp.linear_fc1", "FastGelu")
        return self.graph.op("Add", [x, self.dense(inner, f"{module}.mlp.linear_fc2")])

    def _attention(self, x: str, rotary: tuple[str, str, str], module: str) -> str:
        graph, heads = self.graph, self.config.heads
        parts = self.dense(x, f"{module}.qkv")
        widths = graph.ints(*[self.config.hidden] * 3)
        query, key, value = graph.op("Split", [parts, widths], outputs=3, axis=-1)
        query, key = (
            graph.contrib("RotaryEmbedding", [part, *rotary], num_heads=heads)
            for part in (query, key)
        )
        attended = graph.contrib("MultiHeadAttention", [query, key, value], num_heads=heads)
        return self.dense(attended, f"{module}.proj")

    def merge(self, x: str, module: str, norm_first: bool) -> str:
        """[images, patches, hidden] → [tokens, output]: the patches of a block side by side."""
        graph = self.graph
        width = self.config.hidden * self.config.merge**2
        if norm_first:
            x = self.norm(x, f"{module}.norm")
        x = graph.op("Reshape", [x, graph.ints(-1, width)])
        if not norm_first:
            x = self.norm(x, f"{module}.norm")
        inner = self.activated(x, f"{module}.linear_fc1", "BiasGelu")
        return self.dense(inner, f"{module}.linear_fc2")


def write_vision(
    config: VisionConfig, scale: PixelScale, weights: Weights, precision: str, path: Path
) -> list[Path]:
    """Write vision.onnx; input and outputs are those of models/README.md."""
    graph = Graph("qwen3_vl_vision", path)
    tower = Tower(graph, config, weights, precision)
    pixels = graph.input("pixels", TensorProto.UINT8, ["images", "height", "width", 3])
    grid = Grid(graph, config, pixels)
    x = tower.embed_patches(grid.cut(scale.apply(graph, pixels), config.patch))
    x = graph.op("Add", [x, tower.positions(grid)])
    rotary = tower.rotary(grid)
    levels = []
    for index in range(config.layers):
        log.info("vision layer %d of %d", index + 1, config.layers)
        x = tower.block(x, rotary, f"blocks.{index}")
        if index in config.deepstack:
            merger = f"deepstack_merger_list.{config.deepstack.index(index)}"
            level = tower.outer(tower.merge(x, merger, norm_first=False))
            levels.append(graph.op("Unsqueeze", [level, graph.ints(0)]))
    features = tower.outer(tower.merge(x, "merger", norm_first=True))
    deepstack = graph.op("Concat", levels, axis=0)
    shape = ["image_tokens", config.output]
    graph.output(features, "image_embeds", TensorProto.FLOAT, shape)
    graph.output(deepstack, "deepstack", TensorProto.FLOAT, [len(levels), *shape])
    return graph.save()
