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
    prompts: dict[str, str] | None = None,
) -> Path:
    """Write `models`/`name` from the checkpoint in `directory`; returns the new directory.

    `spec` stands in for the catalog entry; without either the checkpoint's own files count, but for
    the tasks that `prompts` names.
    """
    source = open_source(directory)
    known = spec or read_catalog().get(name)
    if known and prompts:
        raise ExportError(f"the prompts of {name} are known; give the model another name")
    spec = known or source.spec(name, prompts)
    config = EncoderConfig.from_dict(source.config)
    check_agreement(spec, config, source)
    if known:
        source.check(known)
    precision = precision or source.precision
    tokenizer = tokenizer or find_tokenizer(source.folder, directory)
    log.info("%s: %s, %s, from %s", name, spec.architecture, precision, source.origin)
    log.info(
        "query prompt %r, document prompt %r, %s pooling, %s, max_tokens %d",
        spec.prompts["query"],
        spec.prompts["document"],
        spec.pooling,
        "normalised" if spec.normalize else "not normalised",
        spec.max_tokens,
    )
    with replaced(models / name) as folder:
        log.info("tokenizer from %s", tokenizer)
        write_tokenizer(tokenizer, folder / "tokenizer.json", source.pieces, config.vocabulary)
        files = write_encoder(config, source.weights, spec, precision, folder / "model.onnx")
        log.info("sha256 of the files")
        text = manifest.render(spec, precision, config.pad_id, [*files, folder / "tokenizer.json"])
        (folder / "model.toml").write_text(text, encoding="utf-8")
    return models / name


def check_agreement(spec: ModelSpec, config: EncoderConfig, source: Source) -> None:
    """Refuse a checkpoint that cannot be the model of that name."""
    pairs = [
        ("architecture", spec.architecture, config.architecture),
        ("dimensions", spec.dimensions, config.hidden),
        ("layers", spec.layers, config.layers),
        ("vocabulary", spec.vocabulary, config.vocabulary),
    ]
    for what, wanted, found in pairs:
        if wanted is not None and wanted != found:
            raise ExportError(f"{spec.name} has {what} {wanted}, but {source.origin} has {found}")
    if spec.max_tokens > config.max_tokens():
        raise ExportError(
            f"{spec.name} wants {spec.max_tokens} tokens; {source.origin} has {config.max_tokens()}"
        )
    if source.weights.layers() != config.layers:
        raise ExportError(
            f"{source.origin} has weights of {source.weights.layers()} layers,"
            f" its config.json says {config.layers}"
        )
