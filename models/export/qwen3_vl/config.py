"""The numbers of a Qwen3-VL checkpoint's config.json that shape its graphs.

Dense models of any size; the mixtures of experts have another model_type.
"""

import math
from dataclasses import dataclass

from export.config import Section
from export.errors import ExportError


@dataclass(frozen=True)
class TextConfig:
    """The language model. `sections`: frequencies that follow time, height and width."""

    hidden: int
    inner: int
    layers: int
    heads: int
    key_heads: int
    head_size: int
    vocabulary: int
    positions: int
    theta: float
    sections: list[int]
    epsilon: float

    @classmethod
    def from_section(cls, section: Section) -> "TextConfig":
        """From `text_config`."""
        section.want("hidden_act", ("silu",), "silu")
        section.want("attention_bias", (False,), False)
        rope = section.section("rope_scaling")
        if not rope.content:  # the key of newer files
            rope = section.section("rope_parameters")
        rope.want("rope_type", ("default",), rope.content.get("type", "default"))
        rope.want("mrope_interleaved", (True,), True)
        heads = section.count("num_attention_heads")
        found = cls(
            hidden=section.count("hidden_size"),
            inner=section.count("intermediate_size"),
            layers=section.count("num_hidden_layers"),
            heads=heads,
            key_heads=section.count("num_key_value_heads", heads),
            head_size=section.count("head_dim", 128),
            vocabulary=section.count("vocab_size"),
            positions=section.count("max_position_embeddings", 128000),
            theta=section.number("rope_theta", rope.content.get("rope_theta", 5e6)),
            sections=rope.counts("mrope_section") if rope.content else [24, 20, 20],
            epsilon=section.number("rms_norm_eps", 1e-6),
        )
        if found.heads % found.key_heads or found.head_size % 2:
            raise ExportError(
                f"{section.place}: {found.heads} heads of {found.head_size} and {found.key_heads}"
                " key-value heads do not fit each other"
            )
        if len(found.sections) != 3 or sum(found.sections) != found.head_size // 2:
            raise ExportError(
                f"{section.place}: mrope_section {found.sections} does not divide"
                f" {found.head_size // 2} frequencies among three axes"
            )
        return found


@dataclass(frozen=True)
class VisionConfig:
    """The vision tower; `side` is that of its square position table, `deepstack` the layers whose
    states go to the first layers of the text."""

    hidden: int
    layers: int
    heads: int
    patch: int
    merge: int
    frames: int
    side: int
    output: int
    deepstack: list[int]

    @classmethod
    def from_section(cls, section: Section) -> "VisionConfig":
        """From `vision_config`."""
        section.want("hidden_act", ("gelu_pytorch_tanh",), "gelu_pytorch_tanh")
        section.want("in_channels", (3,), 3)
        table = section.count("num_position_embeddings", 2304)
        found = cls(
            hidden=section.count("hidden_size", 1152),
            layers=section.count("depth", 27),
            heads=section.count("num_heads", 16),
            patch=section.count("patch_size", 16),
            merge=section.count("spatial_merge_size", 2),
            frames=section.count("temporal_patch_size", 2),
            side=math.isqrt(table),
            output=section.count("out_hidden_size", 3584),
            deepstack=section.counts("deepstack_visual_indexes"),
        )
        # rotary positions need pairs for both axes
        if found.hidden % found.heads or found.hidden // found.heads % 4:
            raise ExportError(
                f"{section.place}: hidden_size {found.hidden} does not fit {found.heads} heads"
            )
        if found.side**2 != table:
            raise ExportError(f"{section.place}: {table} positions are no square")
        layers = found.deepstack
        if not layers or len({*layers}) != len(layers) or max(layers) >= found.layers:
            raise ExportError(
                f"{section.place}: deepstack_visual_indexes {layers}"
                f" are no layers of {found.layers}"
            )
        return found

    @property
    def factor(self) -> int:
        """Pixels along the side of what becomes one token."""
        return self.patch * self.merge


@dataclass(frozen=True)
class Qwen3VLConfig:
    """The whole model, with the ids of the tokens that stand for an image."""

    text: TextConfig
    vision: VisionConfig
    image_token: int
    start_token: int
    end_token: int

    @classmethod
    def from_dict(cls, config: dict) -> "Qwen3VLConfig":
        """From config.json; refuses what these graphs would compute wrongly."""
        whole = Section(config)
        found = cls(
            TextConfig.from_section(whole.section("text_config")),
            VisionConfig.from_section(whole.section("vision_config")),
            image_token=whole.token("image_token_id", 151655),
            start_token=whole.token("vision_start_token_id", 151652),
            end_token=whole.token("vision_end_token_id", 151653),
        )
        if found.vision.output != found.text.hidden:
            raise ExportError(
                f"config.json: the vision tower gives {found.vision.output} numbers,"
                f" the text takes {found.text.hidden}"
            )
        if len(found.vision.deepstack) > found.text.layers:
            raise ExportError("config.json: more deepstack layers than text layers")
        if max(found.image_token, found.start_token, found.end_token) >= found.text.vocabulary:
            raise ExportError("config.json: an image token is not in the vocabulary")
        return found
