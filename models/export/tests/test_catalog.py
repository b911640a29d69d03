"""A name of the catalog takes its own checkpoint and none that only looks like it."""

import json

import pytest
from export.encoder import EncoderConfig
from export.errors import ExportError
from export.exporter import check_agreement
from export.sources import Source
from export.spec import read_catalog


class NoWeights:
    """Stands for weights, of which only the number of layers is looked at."""

    def __init__(self, layers):
        self.layers = lambda: layers


def config(kind, hidden, layers, vocabulary, positions, pad=0):
    return {
        "model_type": kind,
        "hidden_size": hidden,
        "num_hidden_layers": layers,
        "num_attention_heads": hidden // 32,
        "vocab_size": vocabulary,
        "max_position_embeddings": positions,
        "layer_norm_eps": 1e-12,
        "pad_token_id": pad,
    }


def modules(*kinds):
    paths = {"Transformer": "", "Pooling": "1_Pooling", "Normalize": "2_Normalize"}
    return [{"type": f"sentence_transformers.models.{k}", "path": paths[k]} for k in kinds]


WHOLE = modules("Transformer", "Pooling", "Normalize")
MEAN = {"pooling_mode_cls_token": False, "pooling_mode_mean_tokens": True}
CLS = {"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}
SETTINGS = "config_sentence_transformers.json"
PUBLISHED = {
    "multilingual-e5-small": {
        "config.json": config("bert", 384, 12, 250037, 512),
        "modules.json": WHOLE,
        "1_Pooling/config.json": {"word_embedding_dimension": 384, **MEAN},
        "sentence_bert_config.json": {"max_seq_length": 512, "do_lower_case": False},
    },
    "all-MiniLM-L6-v2": {
        "config.json": config("bert", 384, 6, 30522, 512),
        "modules.json": WHOLE,
        "1_Pooling/config.json": {"word_embedding_dimension": 384, **MEAN},
        "sentence_bert_config.json": {"max_seq_length": 256, "do_lower_case": False},
        SETTINGS: {"__version__": {}},
    },
    "KURE-v1": {
        "config.json": config("xlm-roberta", 1024, 24, 250002, 8194, pad=1),
        "modules.json": WHOLE,
        "1_Pooling/config.json": {"word_embedding_dimension": 1024, **CLS},
        "sentence_bert_config.json": {"max_seq_length": 8192, "do_lower_case": False},
        SETTINGS: {"prompts": {}, "default_prompt_name": None},
    },
}


def check(name, folder, files):
    for file, content in files.items():
        path = folder / file
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(content), encoding="utf-8")
    numbers = files["config.json"]
    weights = NoWeights(numbers["num_hidden_layers"])
    source = Source(folder, "the folder", numbers, weights, "fp32")
    check_agreement(read_catalog()[name], EncoderConfig.from_dict(numbers), source)
    source.check(read_catalog()[name])


@pytest.mark.parametrize("name", PUBLISHED)
@pytest.mark.parametrize("bare", [False, True])
def test_the_published_checkpoint_passes(tmp_path, name, bare):
    files = PUBLISHED[name]
    check(name, tmp_path, {"config.json": files["config.json"]} if bare else files)


def test_every_entry_is_tried_and_says_what_tells_it_from_others():
    assert set(PUBLISHED) == set(read_catalog())
    assert all(spec.layers and spec.vocabulary for spec in read_catalog().values())


def test_prompts_saved_empty_do_not_disagree(tmp_path):
    settings = {SETTINGS: {"prompts": {"query": "", "document": ""}}}
    check("multilingual-e5-small", tmp_path, {**PUBLISHED["multilingual-e5-small"], **settings})


MINILM = {"config.json": config("bert", 384, 6, 30522, 512)}
E5 = "multilingual-e5-small"
OTHERS = {
    "MiniLM": (E5, MINILM, "has layers 12, but the folder has 6"),
    "another vocabulary": (
        E5,
        {"config.json": config("bert", 384, 12, 30522, 512)},
        "has vocabulary 250037, but the folder has 30522",
    ),
    "another architecture": (
        E5,
        {"config.json": config("xlm-roberta", 384, 12, 250037, 514, pad=1)},
        "has architecture bert, but the folder has xlm-roberta",
    ),
    # paraphrase-multilingual-MiniLM-L12-v2: the same numbers, but not normalised
    "no Normalize": (E5, {"modules.json": WHOLE[:2]}, "has normalize True, but"),
    "cls": (E5, {"1_Pooling/config.json": CLS}, "has pooling mean, but"),
    "other prompts": (E5, {SETTINGS: {"prompts": {"query": "q: "}}}, "has prompts {'query': 'qu"),
    "unknown prompts": (E5, {SETTINGS: {"prompts": {"x": "x: "}}}, "none of the prompts ['x']"),
    # multi-qa-MiniLM-L6-cos-v1: the same numbers, but longer texts
    "another limit": (
        "all-MiniLM-L6-v2",
        {"sentence_bert_config.json": {"max_seq_length": 512}},
        "has max_tokens 256, but",
    ),
}


@pytest.mark.parametrize("other", OTHERS)
def test_another_checkpoint_is_refused(tmp_path, other):
    name, files, message = OTHERS[other]
    with pytest.raises(ExportError) as refused:
        check(name, tmp_path, {**PUBLISHED[name], **files})
    assert message in str(refused.value)


def test_pooling_counts_without_modules_json(tmp_path):
    files = {**PUBLISHED[E5], "1_Pooling/config.json": CLS}
    del files["modules.json"]
    with pytest.raises(ExportError, match="has pooling mean, but"):
        check(E5, tmp_path, files)
