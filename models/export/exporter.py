"""From a checkpoint to a model directory."""

import logging
from pathlib import Path

from export import manifest
from export.directory import replaced
from export.encoder import ARCHITECTURES as ENCODERS
from export.encoder_model import EncoderModel
from export.errors import ExportError
from export.family import Model, Options
from export.qwen3_vl.model import Qwen3VLModel
from export.siglip.model import SiglipModel
from export.source import Source, open_source
from export.spec import ModelSpec, read_catalog

log = logging.getLogger(__name__)

# By the `model_type` of config.json.
FAMILIES = {
    **dict.fromkeys(ENCODERS, EncoderModel),
    "siglip": SiglipModel,
    "siglip2": SiglipModel,
    "qwen3_vl": Qwen3VLModel,
}


def export_model(
    name: str,
    directory: str | Path,
    models: Path,
    precision: str | None = None,
    tokenizer: Path | None = None,
    spec: ModelSpec | None = None,
    prompts: dict[str, str] | None = None,
    pooling: str | None = None,
) -> Path:
    """Write `models`/`name` from the checkpoint in `directory`; returns the new directory.

    `spec` stands in for the catalog entry; without either the checkpoint's own files count, but for
    `pooling` and the tasks that `prompts` names.
    """
    source = open_source(directory, tokenizer)
    model = open_model(source)
    spec = settle_spec(model, source, name, spec, Options(prompts or {}, pooling))
    precision = precision or source.precision
    log.info("%s: %s, %s, from %s", name, spec.architecture, precision, source.origin)
    log.info(
        "query prompt %r, document prompt %r, %s pooling, %s, max_tokens %d",
        spec.prompts["query"],
        spec.prompts["document"],
        spec.pooling or "its own",
        "normalised" if spec.normalize else "not normalised",
        spec.max_tokens,
    )
    with replaced(models / name) as folder:
        written = model.write(spec, precision, folder)
        log.info("sha256 of the files")
        text = manifest.render(spec, precision, written.tables, written.files)
        (folder / "model.toml").write_text(text, encoding="utf-8")
    return models / name


def open_model(source: Source) -> Model:
    """The checkpoint as a model of its architecture."""
    architecture = source.config.get("model_type")
    if architecture not in FAMILIES:
        raise ExportError(f"model_type {architecture!r} is none of {', '.join(FAMILIES)}")
    return FAMILIES[architecture](source)


def settle_spec(
    model: Model, source: Source, name: str, spec: ModelSpec | None, options: Options
) -> ModelSpec:
    """The facts of a model: given, known, or derived; and agreed with what the checkpoint holds."""
    known = spec or read_catalog().get(name)
    if known and (options.prompts or options.pooling):
        what = "prompts" if options.prompts else "pooling"
        verb = "are" if options.prompts else "is"
        raise ExportError(f"the {what} of {name} {verb} known; give the model another name")
    spec = known or model.derive(name, options)
    for what, found in model.identity().items():
        wanted = getattr(spec, what)
        if wanted is not None and wanted != found:
            raise ExportError(f"{spec.name} has {what} {wanted}, but {source.origin} has {found}")
    model.check(spec, is_known=known is not None)
    return spec
