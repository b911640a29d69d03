"""From a checkpoint to a model directory."""

import logging
from pathlib import Path

from export import manifest
from export.directory import replaced
from export.encoder import EncoderConfig, write_encoder
from export.errors import ExportError
from export.sources import Source, open_source
from export.spec import ModelSpec, read_catalog
from export.tokenizer import find_tokenizer, write_tokenizer

log = logging.getLogger(__name__)


def export_model(
    name: str,
    directory: Path,
    models: Path,
    precision: str | None = None,
    tokenizer: Path | None = None,
    spec: ModelSpec | None = None,
) -> Path:
    """Write `models`/`name` from the checkpoint in `directory`; returns the new directory.

    `spec` stands in for the catalog entry; without either the checkpoint's own files count.
    """
    source = open_source(directory)
    spec = spec or read_catalog().get(name) or source.spec(name)
    config = EncoderConfig.from_dict(source.config)
    check_agreement(spec, config, source)
    precision = precision or source.precision
    tokenizer = tokenizer or find_tokenizer(source.folder, directory)
    log.info("%s: %s, %s, from %s", name, spec.architecture, precision, source.origin)
    with replaced(models / name) as folder:
        log.info("tokenizer from %s", tokenizer)
        write_tokenizer(
            tokenizer, folder / "tokenizer.json", source.pieces, source.config["vocab_size"]
        )
        files = write_encoder(config, source.weights, spec, precision, folder / "model.onnx")
        log.info("sha256 of the files")
        text = manifest.render(spec, precision, [*files, folder / "tokenizer.json"])
        (folder / "model.toml").write_text(text, encoding="utf-8")
    return models / name


def check_agreement(spec: ModelSpec, config: EncoderConfig, source: Source) -> None:
    """Refuse a checkpoint that cannot be the model of that name."""
    pairs = [
        ("architecture", spec.architecture, config.architecture),
        ("dimensions", spec.dimensions, config.hidden),
    ]
    for what, wanted, found in pairs:
        if wanted != found:
            raise ExportError(f"{spec.name} has {what} {wanted}, but {source.origin} has {found}")
    if spec.max_tokens > config.max_tokens():
        raise ExportError(
            f"{spec.name} wants {spec.max_tokens} tokens; {source.origin} has {config.max_tokens()}"
        )
