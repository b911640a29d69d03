"""From a checkpoint to a model directory."""

import logging
from pathlib import Path

from export import manifest
from export.cross_encoder_model import CrossEncoderModel
from export.directory import replaced
from export.encoder import ARCHITECTURES as ENCODERS
from export.encoder_model import EncoderModel
from export.errors import ExportError
from export.family import Model, Options
from export.qwen3_vl.model import Qwen3VLModel
from export.qwen3_vl.reranker import Qwen3VLReranker
from export.sequence_classification import is_cross_encoder
from export.siglip.model import SiglipModel
from export.source import Source, open_source
from export.spec import ModelSpec, read_catalog

log = logging.getLogger(__name__)

# By the `model_type` of config.json.
RERANKERS = {
    **dict.fromkeys(ENCODERS, CrossEncoderModel),
    "qwen3_vl": Qwen3VLReranker,
}
EMBEDDERS = {
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
    is_reranker: bool = False,
) -> Path:
    """Write `models`/`name` from the checkpoint in `directory`; returns the new directory.

    `spec` stands in for the catalog entry; without either the checkpoint's own files count, but for
    `pooling`, the tasks that `prompts` names, and where they look like an embedder's `is_reranker`.
    """
    source = open_source(directory, tokenizer)
    known = spec or read_catalog().get(name)
    if known and is_reranker and not known.is_reranker:
        raise ExportError(f"{name} is known, and no reranker; give the model another name")
    model = open_model(source, known.is_reranker if known else is_reranker)
    spec = settle_spec(model, source, name, known, Options(prompts or {}, pooling))
    precision = precision or source.precision
    log.info("%s: %s, %s, from %s", name, spec.architecture, precision, source.origin)
    log.info("%s", _settled(spec))
    with replaced(models / name) as folder:
        written = model.write(spec, precision, folder)
        log.info("sha256 of the files")
        text = manifest.render(spec, precision, written.tables, written.files)
        (folder / "model.toml").write_text(text, encoding="utf-8")
    return models / name


def open_model(source: Source, is_reranker: bool = False) -> Model:
    """The checkpoint as a model of its architecture.

    A cross-encoder says itself that it is one; other rerankers, whose files look like an
    embedder's, are opened as one by `is_reranker`.
    """
    architecture = source.config.get("model_type")
    if architecture in ENCODERS and is_cross_encoder(source.config, source.folder):
        is_reranker = True
    families = RERANKERS if is_reranker else EMBEDDERS
    if architecture not in families:
        what = "no reranker's: " if is_reranker else ""
        raise ExportError(f"model_type {architecture!r} is {what}none of {', '.join(families)}")
    return families[architecture](source)


def _settled(spec: ModelSpec) -> str:
    """What the directory will say of the model, for the person who exports it to check."""
    if spec.is_reranker:
        pair = f"pair prompt {spec.prompts['pair']!r}, " if spec.prompts else ""
        return f"{pair}score by {spec.activation}, max_tokens {spec.max_tokens}"
    return (
        f"query prompt {spec.prompts['query']!r}, document prompt {spec.prompts['document']!r},"
        f" {spec.pooling or 'its own'} pooling,"
        f" {'normalised' if spec.normalize else 'not normalised'}, max_tokens {spec.max_tokens}"
    )


def settle_spec(
    model: Model, source: Source, name: str, known: ModelSpec | None, options: Options
) -> ModelSpec:
    """The facts of a model: known or derived, and agreed with what the checkpoint holds."""
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
