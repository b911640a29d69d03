"""How a checkpoint wants its pixels (preprocessor_config.json), and the same in a graph."""

from dataclasses import dataclass

import numpy as np
from onnx import TensorProto

from export.config import Section
from export.graph import Graph

# Pillow's numbers of its filters.
FILTERS = {2: "bilinear", 3: "bicubic"}


@dataclass(frozen=True)
class PixelScale:
    """value = (pixel - shift) / scale for each of the three colours, pixel 0..255."""

    shift: tuple[float, ...]
    scale: tuple[float, ...]

    @classmethod
    def from_section(
        cls, section: Section, mean: float | None = None, std: float | None = None
    ) -> "PixelScale":
        """From an image processor's rescale_factor, image_mean and image_std.

        `mean` and `std` are what its class takes where the file says nothing; without them it has
        to say.
        """
        factor = 1.0
        if section.want("do_rescale", (True, False), True):
            factor = section.number("rescale_factor", 1 / 255)
        means, stds = [0.0] * 3, [1.0] * 3
        if section.want("do_normalize", (True, False), True):
            means = section.numbers("image_mean", 3, mean)
            stds = section.numbers("image_std", 3, std)
        return cls(
            tuple(value / factor for value in means), tuple(value / factor for value in stds)
        )

    def apply(self, graph: Graph, pixels: str) -> str:
        """uint8 [.., 3] → float32 [.., 3]."""
        values = graph.op("Cast", [pixels], to=TensorProto.FLOAT)
        shift = graph.weight("pixel_shift", np.array(self.shift, np.float32))
        scale = graph.weight("pixel_scale", np.array(self.scale, np.float32))
        return graph.op("Div", [graph.op("Sub", [values, shift]), scale])


def resample(section: Section, default: int) -> str:
    """The name of the filter that pictures are resized with."""
    return FILTERS[section.want("resample", tuple(FILTERS), default)]
