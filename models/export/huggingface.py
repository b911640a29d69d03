"""A checkpoint folder in the Hugging Face layout, with sentence-transformers' files if it has any.

Files read: config.json, *.safetensors, tokenizer.json, and of sentence-transformers modules.json,
1_Pooling/config.json, sentence_*_config.json, config_sentence_transformers.json. What is derived
from them, and what is refused, is the table in models/README.md. The server has the same rules for
folders that come with a graph (crates/inference/src/sentence_transformers/); the cases of
tests/fixtures/layouts/sentence_transformers.json hold both to them.
"""

import re
from pathlib import Path, PurePosixPath

from export.encoder import EncoderConfig
from export.errors import ExportError
from export.jsonfile import read_json, read_object
from export.spec import ModelSpec

POOLINGS = {
    "mean_tokens": "mean",
    "mean": "mean",
    "cls_token": "cls",
    "cls": "cls",
    "lasttoken": "last_token",
}
PROMPTS_FILE = "config_sentence_transformers.json"
# Names under which sentence-transformers looks for the prompt of a document.
DOCUMENT_PROMPTS = ("document", "passage", "corpus")
# The server takes no shorter sequence.
MIN_TOKENS = 8


def derive_spec(name: str, folder: Path, prompts: dict[str, str] | None = None) -> ModelSpec:
    """The model's facts from the folder alone; `prompts` are the user's and come before its own."""
    config = read_object(folder / "config.json")
    encoder = EncoderConfig.from_dict(config)
    pooling, normalize = _modules(folder, encoder.hidden)
    prompts = prompts or {}
    if set(prompts) != {"query", "document"}:
        prompts = {**_prompts(folder, unknown_is_error=not prompts), **prompts}
    return ModelSpec(
        name=name,
        architecture=encoder.architecture,
        dimensions=encoder.hidden,
        max_tokens=_max_tokens(folder, encoder),
        pooling=pooling,
        normalize=normalize,
        prompts=prompts,
        license=license_of(folder),
        source=str(config.get("_name_or_path") or folder.name),
    )


def check_folder(spec: ModelSpec, folder: Path) -> None:
    """Refuse a folder whose own files contradict `spec`; what they leave out they do not deny."""
    pairs = []
    if (folder / "modules.json").exists():
        pooling, normalize = _modules(folder, spec.dimensions)
        pairs += [("pooling", spec.pooling, pooling), ("normalize", spec.normalize, normalize)]
    elif (folder / "1_Pooling/config.json").exists():
        pooling = _pooling(folder / "1_Pooling/config.json", spec.dimensions)
        pairs += [("pooling", spec.pooling, pooling)]
    if (limit := _max_seq_length(folder)) is not None:
        pairs += [("max_tokens", spec.max_tokens, limit)]
    # sentence-transformers writes empty prompts for a model that was never given any
    if any(_named_prompts(folder)[0].values()):
        pairs += [("prompts", spec.prompts, _prompts(folder))]
    for what, wanted, found in pairs:
        if wanted != found:
            raise ExportError(f"{spec.name} has {what} {wanted}, but {folder.name} says {found}")


def _modules(folder: Path, hidden: int) -> tuple[str, bool]:
    """Pooling and whether vectors are normalised; refuses steps that a graph would leave out."""
    path = folder / "modules.json"
    if not path.exists():
        raise ExportError(
            f"{path} is missing: it says how token vectors become one vector"
            " (only models of the catalog can do without it)"
        )
    steps = read_json(path, [])
    if not isinstance(steps, list):
        raise ExportError(f"{path} is no JSON list")
    kinds, places = [], []
    for step in steps:
        kind, place = (step.get("type"), step.get("path")) if isinstance(step, dict) else (0, 0)
        if not isinstance(kind, str) or not isinstance(place, str):
            raise ExportError(f"{path}: a module without type or path")
        kinds.append(kind.rpartition(".")[2])
        places.append(place)
    if unknown := set(kinds) - {"Transformer", "Pooling", "Normalize"}:
        raise ExportError(f"{path} has unsupported modules: {', '.join(sorted(unknown))}")
    normalize = kinds[2:] == ["Normalize"]
    if kinds[:2] != ["Transformer", "Pooling"] or not (normalize or len(kinds) == 2):
        raise ExportError(
            f"{path} lists {', '.join(kinds) or 'nothing'};"
            " supported is Transformer, Pooling and at most one Normalize, in this order"
        )
    if places[0] or not places[1] or not _stays_inside(places[1]):
        raise ExportError(f"{path}: the paths {places[0]!r} and {places[1]!r} are not supported")
    return _pooling(folder / places[1] / "config.json", hidden), normalize


def _stays_inside(path: str) -> bool:
    return not path.startswith("/") and ".." not in PurePosixPath(path).parts


def _pooling(path: Path, hidden: int) -> str:
    if not path.exists():
        raise ExportError(f"{path} is missing: it says how token vectors become one vector")
    config = read_object(path)
    prefix = "pooling_mode_"
    flags = [key for key in config if key.startswith(prefix) and config[key] is True]
    on = [flag.removeprefix(prefix) for flag in flags]
    on += [config["pooling_mode"]] if config.get("pooling_mode") is not None else []
    known = {POOLINGS.get(mode) if isinstance(mode, str) else None for mode in on}
    if len(known) != 1 or None in known:
        raise ExportError(f"{path}: pooling {on} is not supported, only mean, cls or last token")
    if config.get("include_prompt", True) is not True:
        raise ExportError(f"{path}: pooling without the prompt's tokens is not supported")
    width = config.get("word_embedding_dimension")
    if width not in (None, hidden):
        raise ExportError(f"{path}: it pools vectors of {width} numbers, the model has {hidden}")
    return known.pop()


def _max_tokens(folder: Path, encoder: EncoderConfig) -> int:
    stated = _max_seq_length(folder)
    return usable_tokens(model_max_length(folder) if stated is None else stated, folder, encoder)


def model_max_length(folder: Path) -> object:
    """What the tokenizer is told to cut at; None where its file does not say."""
    return read_object(folder / "tokenizer_config.json").get("model_max_length")


def usable_tokens(stated: object, folder: Path, encoder: EncoderConfig) -> int:
    """The stated longest sequence, or where there is none the positions, which are its limit."""
    positions = encoder.max_tokens()
    limit = positions if stated is None else stated
    if isinstance(limit, bool) or not isinstance(limit, int | float):
        raise ExportError(f"{folder}: a longest sequence of {limit!r} tokens is not supported")
    # transformers writes 1e30 for "no limit"
    if (limit := int(min(limit, positions))) < MIN_TOKENS:
        raise ExportError(f"{folder}: a longest sequence of {limit} tokens is not supported")
    return limit


def _max_seq_length(folder: Path) -> object:
    """What sentence-transformers is told to cut at; None where no file says so."""
    limits = []
    for path in sorted(folder.glob("sentence_*_config.json")):
        settings = read_object(path)
        if settings.get("do_lower_case", False) is not False:
            raise ExportError(f"{path}: do_lower_case is not supported")
        limits.append(settings.get("max_seq_length"))
    limits = [limit for limit in limits if limit is not None]
    if any(limit != limits[0] for limit in limits):
        raise ExportError(f"{folder}: sentence_*_config.json name several max_seq_length: {limits}")
    return limits[0] if limits else None


def _named_prompts(folder: Path) -> tuple[dict[str, str], str | None]:
    """The prompts by name, and which of them is the default."""
    path = folder / PROMPTS_FILE
    settings = read_object(path)
    prompts, default = settings.get("prompts") or {}, settings.get("default_prompt_name")
    if not isinstance(prompts, dict) or not all(isinstance(p, str) for p in prompts.values()):
        raise ExportError(f"{path}: prompts is no object of texts")
    if default is not None and (not isinstance(default, str) or default not in prompts):
        raise ExportError(f"{path}: the default prompt {default!r} is not among {[*prompts]}")
    return prompts, default


def _prompts(folder: Path, unknown_is_error: bool = True) -> dict[str, str]:
    prompts, default = _named_prompts(folder)
    fallback = prompts.get(default, "")
    documents = {prompts[name] for name in DOCUMENT_PROMPTS if name in prompts}
    used = {"query", *DOCUMENT_PROMPTS, default}
    filled = [name for name, prompt in prompts.items() if prompt]
    if unknown_is_error and filled and not used.intersection(filled):
        raise ExportError(
            f"{folder / PROMPTS_FILE}: none of the prompts {filled} is known to be for queries or"
            " documents; say which with --prompt-query TEXT and --prompt-document TEXT"
        )
    if len(documents) > 1:
        raise ExportError(
            f"{folder / PROMPTS_FILE}: document, passage and corpus differ;"
            " say which with --prompt-query TEXT and --prompt-document TEXT"
        )
    return {
        "query": prompts.get("query", fallback),
        "document": documents.pop() if documents else fallback,
    }


def license_of(folder: Path) -> str:
    """`license` in the YAML front matter of the model card, and nowhere else in its text."""
    card = folder / "README.md"
    try:
        text = card.read_text(encoding="utf-8") if card.exists() else ""
    except ValueError as error:
        raise ExportError(f"cannot read {card}: {error}") from error
    front = re.match(r"---[ \t]*\n(.*?)^---[ \t]*$", text, re.DOTALL | re.MULTILINE)
    found = re.search(r"^license:[ \t]*([^\s#]+)", front[1], re.MULTILINE) if front else None
    return found[1].strip("\"'") if found else "unknown"
