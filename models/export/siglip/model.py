"""A SigLIP checkpoint: what it says of itself, and the directory that it becomes."""

import logging
from pathlib import Path

from export.config import Section
from export.errors import ExportError
from export.family import Identity, Options, Written
from export.huggingface import license_of
from export.pixels import PixelScale, resample
from export.siglip.config import SiglipConfig
from export.siglip.tokenizer import SiglipTokenizer
from export.siglip.towers import write_text, write_vision
from export.source import Source
from export.spec import ModelSpec

log = logging.getLogger(__name__)

# Under which a class with other parts beside the tower keeps it.
TEXT_PREFIXES = ("text_model.", "siglip.text_model.", "model.text_model.")
VISION_PREFIXES = ("vision_model.", "siglip.vision_model.", "model.vision_model.")
LAYER_STEM = "encoder.layers."
BICUBIC = 3


class SiglipModel:
    """Two towers and a tokenizer. Which of the two families it is, the tokenizer tells."""

    def __init__(self, source: Source):
        self.source = source
        self.config = SiglipConfig.from_dict(source.config)
        self.tokenizer = SiglipTokenizer(source.folder, source.root, source.tokenizer)
        self.processor = Section.of_image_processor(source.folder)
        self.scale = self._check_processor()
        self.text = source.weights.below(
            TEXT_PREFIXES, "embeddings.token_embedding.weight", "SigLIP text tower"
        )
        self.vision = source.weights.below(
            VISION_PREFIXES, "embeddings.patch_embedding.weight", "SigLIP vision tower"
        )

    def _check_processor(self) -> PixelScale:
        """Refuse what a picture would have to go through besides squashing it to the size."""
        section = self.processor
        section.want("do_resize", (True,), True)
        section.want("do_center_crop", (False,), False)
        size, wanted = section.section("size"), self.config.vision.image_size
        found = size.count("height", 224), size.count("width", 224)
        if found != (wanted, wanted):
            raise ExportError(
                f"{section.place} makes pictures of {found[0]} x {found[1]},"
                f" the vision tower wants {wanted} x {wanted}"
            )
        return PixelScale.from_section(section, mean=0.5, std=0.5)

    def identity(self) -> Identity:
        """What must agree with a catalog entry."""
        return {
            "architecture": self.tokenizer.architecture,
            "dimensions": self.config.text.projection,
            "layers": self.config.text.layers,
            "vocabulary": self.config.text.vocabulary,
            "image_size": self.config.vision.image_size,
            "patch_size": self.config.vision.patch_size,
        }

    def derive(self, name: str, options: Options) -> ModelSpec:
        """From config.json and the model card; without prompts, unless `options` has some."""
        if options.pooling:
            raise ExportError("SigLIP has a pooling of its own")
        return ModelSpec(
            name=name,
            architecture=self.tokenizer.architecture,
            dimensions=self.config.text.projection,
            max_tokens=self.config.text.positions,
            prompts={"query": "", "document": ""} | options.prompts,
            license=license_of(self.source.folder),
            source=self.source.name,
        )

    def check(self, spec: ModelSpec, is_known: bool) -> None:
        """Refuse missing layers, and a text tower of another length."""
        if spec.max_tokens != self.config.text.positions:
            raise ExportError(
                f"{spec.name} has texts of {spec.max_tokens} tokens,"
                f" {self.source.origin} of {self.config.text.positions}"
            )
        towers = ((self.text, self.config.text), (self.vision, self.config.vision))
        for weights, tower in towers:
            if (found := weights.layers(LAYER_STEM)) != tower.layers:
                raise ExportError(
                    f"{self.source.origin} has weights of {found} layers,"
                    f" its config.json says {tower.layers}"
                )

    def write(self, spec: ModelSpec, precision: str, folder: Path) -> Written:
        """text.onnx, vision.onnx and tokenizer.json."""
        target = folder / "tokenizer.json"
        pad_id = self.tokenizer.write(target, self.config.text.vocabulary)
        log.info("text tower")
        files = write_text(self.config.text, self.text, precision, folder / "text.onnx")
        log.info("vision tower")
        path = folder / "vision.onnx"
        files += write_vision(self.config.vision, self.scale, self.vision, precision, path)
        size = self.config.vision.image_size
        text = {"graph": "text.onnx", "tokenizer": target.name, "pad_token_id": pad_id}
        image = {
            "graph": path.name,
            "resample": resample(self.processor, BICUBIC),
            "exif_orientation": False,
            "height": size,
            "width": size,
        }
        return Written([*files, target], {"text": text, "image": image})
