"""A name of the catalog takes its own checkpoint and none that only looks like it."""

import json

import pytest
from export.errors import ExportError
from export.exporter import open_model, settle_spec
from export.family import Options
from export.qwen3_vl import reranker
from export.qwen3_vl.model import INSTRUCTION, PROMPT
from export.source import Source
from export.spec import read_catalog


class NoWeights:
    """Stands for weights, of which only the number of layers is looked at."""

    def __init__(self, layers):
        self.counts = layers

    def below(self, *_where):
        return self

    def layers(self, stem):
        return self.counts[stem]


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


DEEPSTACK_2B = {"deepstack_visual_indexes": [5, 11, 17]}
DEEPSTACK_8B = {"deepstack_visual_indexes": [8, 16, 24]}


def siglip(vocabulary, tokenizer, filter_, size, **numbers):
    """The defaults of the base size are left out, as in the published files."""
    text = {"model_type": "siglip_text_model", "vocab_size": vocabulary}
    image = {"model_type": "siglip_vision_model", "image_size": size, "patch_size": 16}
    layers = numbers.get("num_hidden_layers", 12)
    return {
        "config.json": {
            "model_type": "siglip",
            "text_config": text | {k: v for k, v in numbers.items() if k != "patch_size"},
            "vision_config": image | numbers,
        },
        "preprocessor_config.json": {
            "do_resize": True,
            "size": {"height": size, "width": size},
            "resample": filter_,
            "rescale_factor": 1 / 255,
            "image_mean": [0.5] * 3,
            "image_std": [0.5] * 3,
        },
        "tokenizer_config.json": {"tokenizer_class": tokenizer},
        "tokenizer.json": {},
        "layers": {"encoder.layers.": layers},
    }


SO400M = {
    "hidden_size": 1152,
    "intermediate_size": 4304,
    "num_hidden_layers": 27,
    "num_attention_heads": 16,
}
V1, V2 = (32000, "SiglipTokenizer", 3), (256000, "GemmaTokenizer", 2)


def qwen3_vl(hidden, inner, layers, heads, vision):
    return {
        "config.json": {
            "model_type": "qwen3_vl",
            "image_token_id": 151655,
            "vision_start_token_id": 151652,
            "vision_end_token_id": 151653,
            "text_config": {
                "hidden_size": hidden,
                "intermediate_size": inner,
                "num_hidden_layers": layers,
                "num_attention_heads": heads,
                "num_key_value_heads": 8,
                "head_dim": 128,
                "vocab_size": 151936,
                "max_position_embeddings": 262144,
                "rms_norm_eps": 1e-6,
                "rope_theta": 5000000,
                "rope_scaling": {
                    "rope_type": "default",
                    "mrope_interleaved": True,
                    "mrope_section": [24, 20, 20],
                },
            },
            "vision_config": {"out_hidden_size": hidden, "num_heads": 16, **vision},
        },
        "preprocessor_config.json": {
            "patch_size": 16,
            "merge_size": 2,
            "image_mean": [0.5] * 3,
            "image_std": [0.5] * 3,
        },
        "layers": {"layers.": layers, "blocks.": vision["depth"]},
    }


PUBLISHED |= {
    "siglip-base-patch16-224": siglip(*V1, 224),
    "siglip-base-patch16-384": siglip(*V1, 384),
    "siglip-so400m-patch14-384": siglip(*V1, 384, patch_size=14, **SO400M),
    "siglip2-base-patch16-224": siglip(*V2, 224),
    "siglip2-so400m-patch16-384": siglip(*V2, 384, **SO400M),
    "Qwen3-VL-Embedding-2B": qwen3_vl(
        2048, 6144, 28, 16, {"depth": 24, "hidden_size": 1024, **DEEPSTACK_2B}
    ),
    "Qwen3-VL-Embedding-8B": qwen3_vl(
        4096, 12288, 36, 32, {"depth": 27, "hidden_size": 1152, **DEEPSTACK_8B}
    ),
}


def cross_encoder(numbers, kind, limit, **more):
    """As published: one label; who saved it with sentence-transformers says the activation."""
    classes = {"architectures": [f"{kind}ForSequenceClassification"]}
    return {
        "config.json": numbers | classes | {"id2label": {"0": "LABEL_0"}} | more,
        "tokenizer_config.json": {"model_max_length": limit},
    }


IDENTITY = {"activation_fn": "torch.nn.modules.linear.Identity", "version": "4.0.1"}
BGE, MS_MARCO = "bge-reranker-v2-m3", "ms-marco-MiniLM-L6-v2"
PUBLISHED |= {
    BGE: cross_encoder(
        config("xlm-roberta", 1024, 24, 250002, 8194, pad=1), "XLMRoberta", limit=8192
    ),
    MS_MARCO: cross_encoder(
        config("bert", 384, 6, 30522, 512), "Bert", limit=512, sentence_transformers=IDENTITY
    ),
    "Qwen3-VL-Reranker-2B": PUBLISHED["Qwen3-VL-Embedding-2B"],
    "Qwen3-VL-Reranker-8B": PUBLISHED["Qwen3-VL-Embedding-8B"],
}
ENCODERS = [name for name, files in PUBLISHED.items() if "modules.json" in files]


def check(name, folder, files):
    files = dict(files)
    layers = files.pop("layers", None)
    for file, content in files.items():
        if content is None:
            continue
        path = folder / file
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(content), encoding="utf-8")
    numbers = files["config.json"]
    layers = layers or {"encoder.layer.": numbers["num_hidden_layers"]}
    source = Source(folder, folder, "the folder", numbers, NoWeights(layers))
    known = read_catalog()[name]
    settle_spec(open_model(source, known.is_reranker), source, name, known, Options())


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_published_checkpoint_passes(tmp_path, name):
    check(name, tmp_path, PUBLISHED[name])


@pytest.mark.parametrize("name", ENCODERS)
def test_an_encoder_without_the_files_of_sentence_transformers_passes(tmp_path, name):
    check(name, tmp_path, {"config.json": PUBLISHED[name]["config.json"]})


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
    "another image size": (
        "siglip-base-patch16-224",
        siglip(*V1, 384),
        "has image_size 224, but the folder has 384",
    ),
    "SigLIP2": (
        "siglip-base-patch16-224",
        siglip(*V2, 224),
        "has architecture siglip, but the folder has siglip2",
    ),
    "another Qwen3-VL": (
        "Qwen3-VL-Embedding-8B",
        PUBLISHED["Qwen3-VL-Embedding-2B"],
        "has dimensions 4096, but the folder has 2048",
    ),
    "a reranker": (
        "KURE-v1",
        {**PUBLISHED[BGE], "modules.json": None},
        "has architecture xlm-roberta, but the folder has cross-encoder",
    ),
    "an embedder": (
        BGE,
        {"config.json": PUBLISHED["KURE-v1"]["config.json"]},
        "a classifier of 2 labels is no reranker",
    ),
    "another reranker": (
        BGE,
        {"config.json": PUBLISHED[MS_MARCO]["config.json"]},
        "has layers 24, but the folder has 6",
    ),
    "another activation": (
        MS_MARCO,
        cross_encoder(
            config("bert", 384, 6, 30522, 512),
            "Bert",
            limit=512,
            sbert_ce_default_activation_function="torch.nn.modules.activation.Sigmoid",
        ),
        "has activation identity, but ",
    ),
    # a reranker of the same size for shorter texts
    "a shorter limit": (
        BGE,
        {"tokenizer_config.json": {"model_max_length": 512}},
        "has max_tokens 8192, but ",
    ),
    "another Qwen3-VL-Reranker": (
        "Qwen3-VL-Reranker-8B",
        PUBLISHED["Qwen3-VL-Reranker-2B"],
        "has layers 36, but the folder has 28",
    ),
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


def test_the_prompt_of_the_catalog_is_the_one_of_the_family():
    for size in ("2B", "8B"):
        prompts = read_catalog()[f"Qwen3-VL-Embedding-{size}"].prompts
        assert prompts == {"query": PROMPT, "document": PROMPT, "instruction": INSTRUCTION}


def test_the_prompt_of_a_reranker_is_the_one_of_the_family():
    for size in ("2B", "8B"):
        spec = read_catalog()[f"Qwen3-VL-Reranker-{size}"]
        assert spec.prompts == {"pair": reranker.PAIR, "instruction": reranker.INSTRUCTION}
        assert spec.max_tokens == reranker.MAX_TOKENS


def test_an_entry_gives_vectors_or_scores():
    for spec in read_catalog().values():
        assert (spec.dimensions is None) == spec.is_reranker
