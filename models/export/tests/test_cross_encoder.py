"""Cross-encoders: the logits by another forward, and what is refused."""

import json
import tomllib

import numpy as np
import onnxruntime
import pytest
from export.cli import main
from export.exporter import export_model
from export.linear import PRECISIONS
from safetensors.numpy import load_file, save_file
from small_cross_encoder import HIDDEN, POSITIONS, Forward, write_cross_encoder
from tokenizers import Tokenizer

KINDS = ("bert", "xlm-roberta")
PAIRS = [
    ("what is the sum", "the sum of 2 and 3 is 5"),
    ("다음 함수의 값은", "12"),
    ("a", ""),
    ("x y z " * 9, "what is the value of x " * 5),
]
# The largest error of a logit; logits of these models are a few units apart.
CLOSE = {"fp32": 5e-6, "fp16": 0.01, "int8": 0.25, "int4": 2}


class Model:
    """An exported directory, run the way the host does."""

    def __init__(self, folder):
        self.manifest = tomllib.loads((folder / "model.toml").read_text(encoding="utf-8"))
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.tokenizer.enable_truncation(self.manifest["max_tokens"])
        self.session = onnxruntime.InferenceSession(folder / "model.onnx")
        self.inputs = [one.name for one in self.session.get_inputs()]

    def rows(self, pairs):
        encoded = [self.tokenizer.encode(*pair) for pair in pairs]
        return [(row.ids, row.type_ids) for row in encoded]

    def run(self, rows, length=0):
        length = max(length, *(len(ids) for ids, _ in rows))
        ids = np.full((len(rows), length), self.manifest["text"]["pad_token_id"], np.int64)
        mask, types = np.zeros_like(ids), np.zeros_like(ids)
        for index, (row, row_types) in enumerate(rows):
            part = index, slice(len(row))
            ids[part], mask[part], types[part] = row, 1, row_types
        feed = {"input_ids": ids, "attention_mask": mask, "token_type_ids": types}
        feed = {name: feed[name] for name in self.inputs}
        (logits,) = self.session.run(["logits"], feed)
        assert logits.shape == (len(rows), 1) and logits.dtype == np.float32
        return logits[:, 0]


def export(tmp_path, kind, precision="fp32", **options):
    source = tmp_path / "source"
    if not source.exists():
        write_cross_encoder(source, kind, **options)
    return Model(export_model(precision, source, tmp_path / "models", precision))


@pytest.mark.parametrize("types", [1, 2])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("precision", PRECISIONS)
def test_equals_another_forward(tmp_path, kind, types, precision):
    model = export(tmp_path, kind, precision, types=types)
    assert ("token_type_ids" in model.inputs) == (types > 1)
    rows = model.rows(PAIRS)
    assert max(len(ids) for ids, _ in rows) == POSITIONS
    weights = load_file(tmp_path / "source/model.safetensors")
    forward = Forward(weights, kind)
    expected = [
        forward.logit(ids, row_types if types > 1 else [0] * len(ids)) for ids, row_types in rows
    ]
    np.testing.assert_allclose(model.run(rows), expected, atol=CLOSE[precision])
    assert np.ptp(expected) > 0.5


@pytest.mark.parametrize("precision", ["fp32", "int8", "int4"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_pair_has_the_same_logit_in_every_batch(tmp_path, kind, precision):
    model = export(tmp_path, kind, precision)
    rows = model.rows(PAIRS)
    together = model.run(rows)
    for index, row in enumerate(rows):
        np.testing.assert_allclose(model.run([row])[0], together[index], atol=1e-5)
        np.testing.assert_allclose(model.run([row], POSITIONS)[0], together[index], atol=1e-5)


def test_the_order_and_the_types_of_a_pair_count(tmp_path):
    model = export(tmp_path, "bert")
    (ids, types), (swapped, _) = model.rows([PAIRS[0], PAIRS[0][::-1]])
    assert 0 in types and 1 in types
    plain, turned, all_first = model.run([(ids, types), (swapped, types), (ids, [0] * len(ids))])
    assert min(abs(plain - turned), abs(plain - all_first)) > 1e-3


@pytest.mark.parametrize("kind", KINDS)
def test_the_manifest_speaks_of_no_vectors(tmp_path, kind):
    manifest = export(tmp_path, kind).manifest
    assert set(manifest.pop("files")) == {"model.onnx", "model.onnx.data", "tokenizer.json"}
    assert manifest == {
        "manifest_version": 1,
        "name": "fp32",
        "architecture": "cross-encoder",
        "source": "source",
        "license": "unknown",
        "precision": "fp32",
        "max_tokens": POSITIONS,
        "activation": "sigmoid",
        "batch_invariant": True,
        "text": {
            "graph": "model.onnx",
            "tokenizer": "tokenizer.json",
            "pad_token_id": KINDS.index(kind),
        },
    }


def run(source, tmp_path, *more, name="mine"):
    return main([name, "--from", str(source), "--out", str(tmp_path / "models"), *more])


def test_the_command_line_needs_no_word_for_it(tmp_path, caplog):
    caplog.set_level("INFO")
    assert run(write_cross_encoder(tmp_path / "source", "bert"), tmp_path) == 0
    assert "score by sigmoid, max_tokens 40" in caplog.messages


def edit_config(folder, **changes):
    path = folder / "config.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**content, **changes}), encoding="utf-8")


def edit_weights(folder, name, value=None):
    """Replace a tensor; None takes it away."""
    path = folder / "model.safetensors"
    weights = {**load_file(path), name: value}
    save_file({name: one for name, one in weights.items() if one is not None}, path)


BERT, XLMR = KINDS
MISTAKES = {
    "two labels": (BERT, lambda s: edit_config(s, id2label={"0": "a", "1": "b"}), "of 2 labels"),
    "weights of two labels": (
        BERT,
        lambda s: edit_weights(s, "classifier.weight", np.zeros((2, HIDDEN), np.float32)),
        "has the shapes",
    ),
    "no classifier": (
        BERT,
        lambda s: edit_weights(s, "classifier.weight"),
        "classifier.weight",
    ),
    "no pooler": (
        BERT,
        lambda s: edit_weights(s, "bert.pooler.dense.weight"),
        "bert.pooler.dense.weight",
    ),
    "no head": (
        XLMR,
        lambda s: edit_weights(s, "classifier.dense.weight"),
        "classifier.dense.weight",
    ),
    "a head of another width": (
        XLMR,
        lambda s: edit_weights(s, "classifier.dense.bias", np.zeros(3, np.float32)),
        "has the shapes",
    ),
    "an activation": (
        BERT,
        lambda s: edit_config(s, sentence_transformers={"activation_fn": "torch.nn.Tanh"}),
        "the activation 'torch.nn.Tanh'",
    ),
    "layers": (XLMR, lambda s: edit_config(s, num_hidden_layers=3), "says 3"),
    "another kind": (BERT, lambda s: edit_config(s, model_type="electra"), "'electra'"),
}


@pytest.mark.parametrize("what", MISTAKES)
def test_a_mistake_is_one_line_and_leaves_nothing(tmp_path, capsys, what):
    kind, spoil, message = MISTAKES[what]
    source = write_cross_encoder(tmp_path / "source", kind)
    spoil(source)
    assert run(source, tmp_path) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: ") and message in error and error.count("\n") == 1
    assert not list((tmp_path / "models").glob("*"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--prompt-query", "q: "), "has no prompts"),
        (("--pooling", "mean"), "has no choice of pooling"),
    ],
)
def test_options_of_embedders_are_refused(tmp_path, capsys, options, message):
    source = write_cross_encoder(tmp_path / "source", "bert")
    assert run(source, tmp_path, *options) == 1
    assert message in capsys.readouterr().err


def test_an_embedder_is_no_reranker(checkpoint, tmp_path, capsys):
    source = checkpoint("tiny-bert")
    assert run(source, tmp_path, "--reranker") == 1
    assert "a classifier of 2 labels is no reranker" in capsys.readouterr().err
    assert run(source, tmp_path, name="ms-marco-MiniLM-L6-v2") == 1
    assert run(source, tmp_path, "--reranker", name="KURE-v1") == 1
    assert "KURE-v1 is known, and no reranker" in capsys.readouterr().err


def test_with_modules_json_a_classifier_is_an_embedder_unless_it_is_said(tmp_path, capsys):
    source = write_cross_encoder(tmp_path / "source", "bert")
    (source / "modules.json").write_text("[]", encoding="utf-8")
    assert run(source, tmp_path) == 1
    assert "lists nothing" in capsys.readouterr().err
    assert run(source, tmp_path, "--reranker") == 0
