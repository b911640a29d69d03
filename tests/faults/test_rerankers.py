"""Damaged rerankers, and models that were never one: a clear error, and the session goes on."""

import json
import math

import onnx
import pytest
from conftest import fails
from onnx import TensorProto, helper

CONFIG_FILE_ERROR = "F0000"
INVALID_PARAMETER_VALUE = "22023"
INTERNAL_ERROR = "XX000"
# Without a manifest, so that a graph can be written over.
PLAIN = "tiny-cross-st"


def score(model):
    return f"SELECT rerank_score('두 근의 합은?', 'a', model => '{model}')"


# (model, what is written, what instead, a word of the error)
MANIFESTS = {
    "no activation": ("tiny-cross-bert", 'activation = "identity"\n', "", "activation"),
    "other activation": ("tiny-cross-bert", '"identity"', '"softmax"', "softmax"),
    "dimensions": (
        "tiny-cross-bert",
        "activation =",
        "dimensions = 16\nactivation =",
        "dimensions",
    ),
    "pooling": ("tiny-cross-bert", "activation =", 'pooling = "cls"\nactivation =', "pooling"),
    "an encoder": ("tiny-cross-bert", '"cross-encoder"', '"bert"', "activation"),
    "prompts": ("tiny-cross-bert", "[text]", '[prompts]\nquery = "query: "\n[text]', "prompts"),
    "exchanged": (
        "tiny-qwen3-vl-reranker",
        "<Query>:{query}\\n<Document>:{document}",
        "<Document>:{document}\\n<Query>:{query}",
        "{query}",
    ),
    "no pair": ("tiny-qwen3-vl-reranker", "{document}", "{input}", "{document}"),
    "no feature size": ("tiny-qwen3-vl-reranker", "feature_size", "# ", "feature_size"),
    "other feature size": (
        "tiny-qwen3-vl-reranker",
        "feature_size = 1",
        "feature_size = 2",
        "does not fit",
    ),
    "an embedder": ("tiny-qwen3-vl-reranker", '"qwen3_vl_reranker"', '"qwen3_vl"', "activation"),
    "a reranker": ("tiny-bert", '"bert"', '"cross-encoder"', "dimensions"),
}


@pytest.mark.parametrize("name", MANIFESTS)
def test_bad_manifests(with_models, models, name):
    model, old, new, said = MANIFESTS[name]
    manifest = models / model / "model.toml"
    text = manifest.read_text()
    assert old in text
    manifest.write_text(text.replace(old, new, 1))
    error = fails(with_models, CONFIG_FILE_ERROR, score(model))
    assert said in error.diag.message_primary, error
    manifest.write_text(text)
    assert with_models.execute(score(model)).fetchone()[0] is not None


def constant_graph(output: str, shape: list[int], values: list) -> onnx.ModelProto:
    """A graph that takes ids and mask, looks at neither, and gives `values`."""
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "sequence"])
        for name in ("input_ids", "attention_mask")
    ]
    node = helper.make_node(
        "Constant", [], [output], value=helper.make_tensor("v", 1, shape, values)
    )
    outputs = [helper.make_tensor_value_info(output, TensorProto.FLOAT, None)]
    graph = helper.make_graph([node], "constant", inputs, outputs)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


@pytest.mark.parametrize(
    ("output", "values", "sqlstate", "said"),
    [
        ("scores", [1.0], CONFIG_FILE_ERROR, "logits"),
        ("logits", [1.0, 2.0], CONFIG_FILE_ERROR, "1 × 2"),
        ("logits", [float("nan")], INTERNAL_ERROR, "NaN"),
        ("logits", [float("-inf")], INTERNAL_ERROR, "inf"),
    ],
)
def test_graphs_that_give_something_else(with_models, models, output, values, sqlstate, said):
    before = with_models.execute(score(PLAIN)).fetchone()
    path = models / PLAIN / "onnx" / "model.onnx"
    good = path.read_bytes()
    onnx.save(constant_graph(output, [1, len(values)], values), models / "new.onnx")
    (models / "new.onnx").rename(path)
    error = fails(with_models, sqlstate, score(PLAIN))
    assert said in error.diag.message_detail, error
    (models / "old.onnx").write_bytes(good)
    (models / "old.onnx").rename(path)
    assert with_models.execute(score(PLAIN)).fetchone() == before


def test_an_encoder_without_token_states_is_no_reranker(with_models, models):
    """Its graph pools and gives the vector alone."""
    place = models / "tiny-st"
    graph = onnx.load(place / "onnx" / "model.onnx")
    states = graph.graph.output[0].name
    pooled = helper.make_node("ReduceMean", [states], ["sentence_embedding"], axes=[1], keepdims=0)
    graph.graph.node.append(pooled)
    del graph.graph.output[:]
    graph.graph.output.append(
        helper.make_tensor_value_info("sentence_embedding", TensorProto.FLOAT, None)
    )
    onnx.save(graph, place / "onnx" / "model.onnx")
    assert with_models.execute("SELECT embed('tiny-st', 'a')").fetchone()
    error = fails(with_models, INVALID_PARAMETER_VALUE, score("tiny-st"))
    assert "not a reranker" in error.diag.message_primary


@pytest.mark.parametrize("shape", [[1, 1, 24], [0, 4, 24], [4, 24], [1, 4, 0]])
def test_token_states_of_another_shape(with_models, models, shape):
    values = [0.5] * math.prod(shape)
    graph = constant_graph("token_embeddings", shape, values)
    onnx.save(graph, models / "tiny-st" / "onnx" / "model.onnx")
    error = fails(with_models, CONFIG_FILE_ERROR, score("tiny-st"))
    assert "token states" in error.diag.message_primary, error


def test_a_tokenizer_that_does_not_join_pairs(with_models, models):
    path = models / PLAIN / "tokenizer.json"
    tokenizer = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**tokenizer, "post_processor": None}), encoding="utf-8")
    error = fails(with_models, CONFIG_FILE_ERROR, score(PLAIN))
    assert "two texts" in error.diag.message_primary, error


def test_labels_that_no_score_is_made_of(with_models, models):
    path = models / PLAIN / "config.json"
    config = json.loads(path.read_text())
    path.write_text(json.dumps({**config, "id2label": {"0": "no", "1": "yes"}}))
    error = fails(with_models, CONFIG_FILE_ERROR, score(PLAIN))
    assert "2 labels" in error.diag.message_primary, error
