"""The numbers of a SigLIP checkpoint's config.json that shape its graphs.

Published files leave out what equals transformers' defaults (SiglipTextConfig, SiglipVisionConfig),
so absent keys take those. SigLIP2's checkpoints of a fixed resolution have the same classes and the
`model_type` siglip; NaFlex, which pictures of any shape, has siglip2 and is refused.
"""

from dataclasses import dataclass

from export.config import Section
from export.errors import ExportError

# By hidden_act: the contrib operator that adds a bias and applies it.
ACTIVATIONS = {"gelu_pytorch_tanh": "FastGelu", "gelu": "BiasGelu"}


@dataclass(frozen=True)
class Tower:
    """What both towers have."""

    hidden: int
    layers: int
    heads: int
    epsilon: float
    activation: str

    @staticmethod
    def numbers(section: Section) -> dict[str, object]:
        """The fields above."""
        hidden = section.count("hidden_size", 768)
        heads = section.count("num_attention_heads", 12)
        if hidden % heads:
            raise ExportError(
                f"{section.place}: hidden_size {hidden} is no multiple of {heads} heads"
            )
        act = section.want("hidden_act", tuple(ACTIVATIONS), "gelu_pytorch_tanh")
        return {
            "hidden": hidden,
            "layers": section.count("num_hidden_layers", 12),
            "heads": heads,
            "epsilon": section.number("layer_norm_eps", 1e-6),
            "activation": ACTIVATIONS[act],
        }


@dataclass(frozen=True)
class TextTower(Tower):
    """The text tower; `positions` is the one length of its input."""

    vocabulary: int
    positions: int
    projection: int


@dataclass(frozen=True)
class VisionTower(Tower):
    """The vision tower; image and patches are squares of so many pixels."""

    image_size: int
    patch_size: int

    @property
    def side(self) -> int:
        """Patches along a side; what is left of the image behind the last one is not looked at."""
        return self.image_size // self.patch_size


@dataclass(frozen=True)
class SiglipConfig:
    """Both towers, whose vectors have the same length."""

    text: TextTower
    vision: VisionTower

    @classmethod
    def from_dict(cls, config: dict) -> "SiglipConfig":
        """From config.json; refuses what these graphs would compute wrongly."""
        whole = Section(config)
        text, vision = whole.section("text_config"), whole.section("vision_config")
        if "num_patches" in vision.content or config.get("model_type") == "siglip2":
            raise ExportError(
                "this is a NaFlex checkpoint of SigLIP2 (pictures of any shape), which is not"
                " supported; take one of a fixed resolution, such as siglip2-base-patch16-224"
            )
        vision.want("num_channels", (3,), 3)
        vision.want("vision_use_head", (True,), True)
        numbers = Tower.numbers(text)
        found = cls(
            TextTower(
                **numbers,
                vocabulary=text.count("vocab_size", 32000),
                positions=text.count("max_position_embeddings", 64),
                projection=text.count("projection_size", numbers["hidden"]),
            ),
            VisionTower(
                **Tower.numbers(vision),
                image_size=vision.count("image_size", 224),
                patch_size=vision.count("patch_size", 16),
            ),
        )
        if found.text.projection != found.vision.hidden:
            raise ExportError(
                f"config.json: texts become {found.text.projection} numbers,"
                f" images {found.vision.hidden}: they cannot be compared"
            )
        if found.vision.side < 1:
            raise ExportError("config.json: the image is smaller than a patch")
        return found
