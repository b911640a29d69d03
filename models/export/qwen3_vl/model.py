"""A Qwen3-VL checkpoint: what it says of itself, and the directory that it becomes."""

import logging
from pathlib import Path

from tokenizers import Tokenizer

from export.config import Section
from export.errors import ExportError
from export.family import Identity, Options, Written
from export.huggingface import license_of
from export.manifest import Value
from export.pixels import PixelScale
from export.qwen3_vl.config import Qwen3VLConfig
from export.qwen3_vl.heads import embedding_head
from export.qwen3_vl.text import Head, write_text
from export.qwen3_vl.vision import write_vision
from export.source import Source
from export.spec import ModelSpec
from export.tokenizer import find_tokenizer, write_tokenizer

log = logging.getLogger(__name__)

# Under which the classes of transformers' versions keep the parts.
TEXT_PREFIXES = ("model.language_model.", "language_model.model.", "language_model.", "model.", "")
VISION_PREFIXES = ("model.visual.", "visual.")
POOLINGS = ("last_token", "mean")
# The rest is how Qwen3-VL-Embedding's own code (QwenLM/Qwen3-VL-Embedding) prompts and resizes.
PROMPT = (
    "<|im_start|>system\n{instruction}<|im_end|>\n"
    "<|im_start|>user\n{input}<|im_end|>\n"
    "<|im_start|>assistant\n"
)
INSTRUCTION = "Represent the user's input."
MAX_TOKENS = 8192
MATRYOSHKA_FROM = 64
# in tokens of factor * factor pixels
MIN_IMAGE_TOKENS = 4
MAX_IMAGE_TOKENS = 1800
MAX_ASPECT_RATIO = 200
PAD = "<|endoftext|>"


class Qwen3VLModel:
    """An embedder: a vision graph, a text graph and a tokenizer."""

    def __init__(self, source: Source):
        self.source = source
        self.config = Qwen3VLConfig.from_dict(source.config)
        self.scale = self._check_processor()
        self.text = source.weights.below(
            TEXT_PREFIXES, "embed_tokens.weight", "Qwen3-VL language model"
        )
        self.vision = source.weights.below(
            VISION_PREFIXES, "patch_embed.proj.weight", "Qwen3-VL vision tower"
        )

    def _check_processor(self) -> PixelScale:
        """Pixels as the checkpoint wants them; their number is the reference code's, not its."""
        section = Section.of_image_processor(self.source.folder)
        vision = self.config.vision
        section.want("patch_size", (vision.patch,))
        section.want("merge_size", (vision.merge,), vision.merge)
        section.want("temporal_patch_size", (vision.frames,), vision.frames)
        # Its class would take CLIP's numbers, which no Qwen3-VL was trained with.
        return PixelScale.from_section(section)

    def identity(self) -> Identity:
        """What must agree with a catalog entry."""
        return {
            "architecture": "qwen3_vl",
            "dimensions": self.config.text.hidden,
            "layers": self.config.text.layers,
            "vocabulary": self.config.text.vocabulary,
            "patch_size": self.config.vision.patch,
        }

    def derive(self, name: str, options: Options) -> ModelSpec:
        """Prompt and limits of Qwen3-VL-Embedding; the sizes are the checkpoint's."""
        pooling = options.pooling or POOLINGS[0]
        if pooling not in POOLINGS:
            raise ExportError(f"pooling {pooling!r} is none of {', '.join(POOLINGS)}")
        prompts = {"query": PROMPT, "document": PROMPT, "instruction": INSTRUCTION}
        hidden = self.config.text.hidden
        return ModelSpec(
            name=name,
            architecture="qwen3_vl",
            dimensions=hidden,
            max_tokens=min(MAX_TOKENS, self.config.text.positions),
            pooling=pooling,
            matryoshka_from=MATRYOSHKA_FROM if hidden > MATRYOSHKA_FROM else None,
            prompts=prompts | options.prompts,
            license=license_of(self.source.folder),
            source=self.source.name,
        )

    def check(self, spec: ModelSpec, is_known: bool) -> None:
        """Refuse missing layers and more tokens than there are positions for."""
        if spec.max_tokens > self.config.text.positions:
            raise ExportError(
                f"{spec.name} wants {spec.max_tokens} tokens;"
                f" {self.source.origin} has {self.config.text.positions}"
            )
        parts = (
            (self.text, "layers.", self.config.text.layers),
            (self.vision, "blocks.", self.config.vision.layers),
        )
        for weights, stem, wanted in parts:
            if (found := weights.layers(stem)) != wanted:
                raise ExportError(
                    f"{self.source.origin} has weights of {found} layers,"
                    f" its config.json says {wanted}"
                )

    def write(self, spec: ModelSpec, precision: str, folder: Path) -> Written:
        """text.onnx, vision.onnx and tokenizer.json."""
        tokenizer = self.source.tokenizer or find_tokenizer(self.source.folder, self.source.root)
        log.info("tokenizer from %s", tokenizer)
        target = folder / "tokenizer.json"
        written = write_tokenizer(tokenizer, target, None, self.config.text.vocabulary)
        pad_id = written.token_to_id(PAD)
        if pad_id is None:
            raise ExportError(f"{tokenizer} has no token {PAD}, with which texts are padded")
        head = self.head(spec, written)
        files = write_text(self.config, self.text, head, precision, folder / "text.onnx")
        files += write_vision(
            self.config.vision, self.scale, self.vision, precision, folder / "vision.onnx"
        )
        text = {"graph": "text.onnx", "tokenizer": target.name, "pad_token_id": pad_id}
        return Written([*files, target], {"text": text, "image": self.image()})

    def head(self, spec: ModelSpec, _tokenizer: Tokenizer) -> Head:
        """What the text graph ends with."""
        return embedding_head(spec.pooling)

    def image(self) -> dict[str, Value]:
        """The manifest's [image]."""
        factor = self.config.vision.factor
        return {
            "graph": "vision.onnx",
            "resample": "bicubic",
            "exif_orientation": False,
            "factor": factor,
            "min_pixels": MIN_IMAGE_TOKENS * factor**2,
            "max_pixels": MAX_IMAGE_TOKENS * factor**2,
            "max_aspect_ratio": MAX_ASPECT_RATIO,
            "deepstack": len(self.config.vision.deepstack),
            "pad_token_id": self.config.image_token,
            "start_token_id": self.config.start_token,
            "end_token_id": self.config.end_token,
        }
