"""What a folder says of a cross-encoder: transformers' config.json, sentence-transformers' keys.

The rules are the table in models/README.md, which the server shares for folders that come with a
graph; the cases of tests/fixtures/layouts/sentence_transformers.json hold both to them. They follow
CrossEncoder of sentence-transformers 5.
"""

from pathlib import Path

from export.config import Section
from export.encoder import EncoderConfig
from export.errors import ExportError
from export.huggingface import license_of, model_max_length, usable_tokens
from export.jsonfile import read_object
from export.spec import ModelSpec

ARCHITECTURE = "cross-encoder"
CLASS_ENDS = "ForSequenceClassification"
# transformers' default, and with it no reranker
LABELS = 2
# by the name of torch's class
ACTIVATIONS = {"Identity": "identity", "Sigmoid": "sigmoid"}
DEFAULT_ACTIVATION = "sigmoid"


def is_cross_encoder(config: dict, folder: Path) -> bool:
    """Whether the folder holds a sequence classifier, and not an embedder made of one."""
    classes = config.get("architectures")
    return not (folder / "modules.json").exists() and any(
        isinstance(one, str) and one.endswith(CLASS_ENDS)
        for one in (classes if isinstance(classes, list) else [])
    )


def derive_cross_encoder(name: str, folder: Path) -> ModelSpec:
    """The model's facts from the folder alone."""
    config = read_object(folder / "config.json")
    encoder = EncoderConfig.from_dict(config)
    check_labels(config)
    return ModelSpec(
        name=name,
        architecture=ARCHITECTURE,
        max_tokens=usable_tokens(model_max_length(folder), folder, encoder),
        activation=stated_activation(config) or DEFAULT_ACTIVATION,
        prompts={},
        license=license_of(folder),
        source=str(config.get("_name_or_path") or folder.name),
    )


def check_cross_encoder(spec: ModelSpec, config: dict, folder: Path) -> None:
    """Refuse files that contradict `spec`; what they leave out they do not deny."""
    pairs = []
    if (activation := stated_activation(config)) is not None:
        pairs += [("activation", spec.activation, activation)]
    if (limit := model_max_length(folder)) is not None:
        encoder = EncoderConfig.from_dict(config)
        pairs += [("max_tokens", spec.max_tokens, usable_tokens(limit, folder, encoder))]
    for what, wanted, found in pairs:
        if wanted != found:
            raise ExportError(f"{spec.name} has {what} {wanted}, but {folder.name} says {found}")


def check_labels(config: dict) -> None:
    """Refuse a classifier of several labels: which of them would be the score?"""
    section = Section(config)
    if config.get("id2label") is None:
        labels = section.count("num_labels", LABELS)
    else:
        labels = len(section.section("id2label").content)
    if labels != 1:
        raise ExportError(f"config.json: a classifier of {labels} labels is no reranker, only of 1")


def stated_activation(config: dict) -> str | None:
    """What makes a logit a score, under today's key or that of sentence-transformers before 4."""
    stated = Section(config).section("sentence_transformers").content.get("activation_fn")
    if stated is None:
        stated = config.get("sbert_ce_default_activation_function")
    if stated is None:
        return None
    name = stated.rpartition(".")[2] if isinstance(stated, str) else None
    if name not in ACTIVATIONS:
        known = " and ".join(ACTIVATIONS)
        raise ExportError(f"config.json: the activation {stated!r} is not supported, only {known}")
    return ACTIVATIONS[name]
