"""A checkpoint folder in the Hugging Face layout, with sentence-transformers' files if it has any.

Files read: config.json, *.safetensors, tokenizer.json, and of sentence-transformers modules.json,
1_Pooling/config.json, sentence_bert_config.json, config_sentence_transformers.json.
"""

import json
import re
from pathlib import Path

from export.encoder import EncoderConfig
from export.errors import ExportError
from export.spec import ModelSpec

POOLING_FLAGS = {
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_cls_token": "cls",
    "pooling_mode_lasttoken": "last_token",
}
# Names under which sentence-transformers looks for the prompt of a document, in its order.
DOCUMENT_PROMPTS = ("document", "passage", "corpus")


def read_json(path: Path) -> dict | list:
    """The file's content, or {} where it does not exist."""
    if not path.exists():
        return {}
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise ExportError(f"cannot read {path}: {error}") from error


def derive_spec(name: str, folder: Path) -> ModelSpec:
    """The model's facts from the folder alone."""
    config = read_json(folder / "config.json")
    encoder = EncoderConfig.from_dict(config)
    modules = _modules(folder)
    return ModelSpec(
        name=name,
        architecture=encoder.architecture,
        dimensions=encoder.hidden,
        max_tokens=_max_tokens(folder, encoder),
        pooling=_pooling(folder, modules),
        normalize="Normalize" in modules or not modules,
        prompts=_prompts(folder),
        license=_license(folder),
        source=config.get("_name_or_path") or folder.name,
    )


def _modules(folder: Path) -> dict[str, str]:
    """Class name → subfolder of each step; refuses steps that the graph would leave out."""
    steps = read_json(folder / "modules.json") or []
    modules = {step["type"].rpartition(".")[2]: step["path"] for step in steps}
    unknown = set(modules) - {"Transformer", "Pooling", "Normalize"}
    if unknown:
        raise ExportError(
            f"{folder}/modules.json has unsupported steps: {', '.join(sorted(unknown))}"
        )
    return modules


def _pooling(folder: Path, modules: dict[str, str]) -> str:
    path = folder / modules.get("Pooling", "1_Pooling") / "config.json"
    config = read_json(path)
    if not config:
        raise ExportError(
            f"{path} is missing: it says how token vectors become one vector"
            " (only models of the catalog can do without it)"
        )
    active = [key for key, on in config.items() if key.startswith("pooling_mode_") and on is True]
    if len(active) != 1 or active[0] not in POOLING_FLAGS:
        raise ExportError(
            f"{path}: pooling {active} is not supported, only mean, cls or last token"
        )
    if config.get("include_prompt") is False:
        raise ExportError(f"{path}: pooling without the prompt's tokens is not supported")
    return POOLING_FLAGS[active[0]]


def _max_tokens(folder: Path, encoder: EncoderConfig) -> int:
    limits = [encoder.max_tokens()]
    settings = read_json(folder / "sentence_bert_config.json")
    if settings.get("do_lower_case"):
        raise ExportError("do_lower_case in sentence_bert_config.json is not supported")
    tokenizer = read_json(folder / "tokenizer_config.json")
    limit = settings.get("max_seq_length") or tokenizer.get("model_max_length")
    # transformers writes 1e30 for "no limit"
    return min([*limits, int(limit)]) if limit else limits[0]


def _prompts(folder: Path) -> dict[str, str]:
    settings = read_json(folder / "config_sentence_transformers.json")
    prompts = settings.get("prompts") or {}
    default = prompts.get(settings.get("default_prompt_name"), "")
    document = next((prompts[key] for key in DOCUMENT_PROMPTS if key in prompts), default)
    return {"query": prompts.get("query", default), "document": document}


def _license(folder: Path) -> str:
    card = folder / "README.md"
    text = card.read_text(encoding="utf-8") if card.exists() else ""
    # the model card's YAML front matter
    match = re.match(r"---\n(?:.*\n)*?license:\s*(\S+)", text)
    return match[1] if match else "unknown"
