"""Exported graphs against transformers' vectors, and against themselves in other batches."""

import json

import numpy as np
import onnxruntime
import pytest
from conftest import ROOT
from export.exporter import export_model
from export.q4 import quantize
from safetensors.numpy import load_file, save_file
from tokenizers import Tokenizer

GOLDENS = json.loads((ROOT / "tests/parity/goldens/tiny.json").read_text(encoding="utf-8"))
EXPORTED = ("tiny-bert", "tiny-cls", "tiny-last")
MAX_TOKENS = 64


class Model:
    """An exported directory, run the way the host does."""

    def __init__(self, folder):
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.tokenizer.enable_truncation(MAX_TOKENS)
        self.session = onnxruntime.InferenceSession(folder / "model.onnx")

    def run(self, texts, length=0, output="sentence_embedding"):
        rows = [self.tokenizer.encode(text).ids for text in texts]
        length = max(length, *map(len, rows), 1)
        ids = np.ones((len(rows), length), np.int64)
        mask = np.zeros_like(ids)
        for index, row in enumerate(rows):
            ids[index, : len(row)] = row
            mask[index, : len(row)] = 1
        return self.session.run([output], {"input_ids": ids, "attention_mask": mask})[0]


def export(checkpoint, tmp_path, name, precision="fp32"):
    return Model(export_model(name, checkpoint(name), tmp_path / "models", precision))


def cosine(a, b):
    return (a * b).sum(axis=1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)


@pytest.mark.parametrize("name", EXPORTED)
def test_equals_transformers(checkpoint, tmp_path, name):
    model = export(checkpoint, tmp_path, name)
    # the document side of these models has a prompt in tiny-bert only
    prompt = "passage: " if name == "tiny-bert" else ""
    vectors = model.run([prompt + text for text in GOLDENS["texts"]])
    np.testing.assert_allclose(vectors, GOLDENS["models"][name]["document"], atol=2e-6)


# q4 has blocks of 32, so it needs a hidden size that they divide: tiny-bert's.
@pytest.mark.parametrize(
    ("name", "precision"), [*((name, "fp32") for name in EXPORTED), ("tiny-bert", "q4")]
)
def test_a_row_is_the_same_in_every_batch(checkpoint, tmp_path, name, precision):
    model = export(checkpoint, tmp_path, name, precision)
    texts = (GOLDENS["texts"] * 6)[:64]
    alone = np.concatenate([model.run([text]) for text in texts])
    padded = np.concatenate([model.run([text], length=MAX_TOKENS) for text in texts])
    np.testing.assert_allclose(model.run(texts), alone, atol=1e-6)
    np.testing.assert_allclose(padded, alone, atol=1e-6)


def test_fp16_is_close_and_answers_in_float32(checkpoint, tmp_path):
    model = export(checkpoint, tmp_path, "tiny-bert", "fp16")
    vectors = model.run(["passage: " + text for text in GOLDENS["texts"]])
    assert vectors.dtype == np.float32
    assert cosine(vectors, np.array(GOLDENS["models"]["tiny-bert"]["document"])).min() > 0.9999


def test_q4_equals_its_own_dequantised_weights(checkpoint, tmp_path):
    source = checkpoint("tiny-bert")
    q4 = Model(export_model("q4", source, tmp_path / "models", "q4"))
    weights = load_file(source / "model.safetensors")
    for name, weight in weights.items():
        if weight.ndim == 2 and "position" not in name and "token_type" not in name:
            weights[name] = quantize(weight).dequantize()
    save_file(weights, source / "model.safetensors")
    dequantised = Model(export_model("fp32", source, tmp_path / "models"))
    texts = GOLDENS["texts"]
    np.testing.assert_allclose(q4.run(texts), dequantised.run(texts), atol=2e-6)


def test_a_row_without_tokens_is_finite(checkpoint, tmp_path):
    model = export(checkpoint, tmp_path, "tiny-bert")
    nothing = np.zeros((1, 4), np.int64)
    feed = {"input_ids": nothing, "attention_mask": nothing}
    assert np.isfinite(model.session.run(["sentence_embedding"], feed)[0]).all()


def test_token_embeddings_are_the_mean_pooled_states(checkpoint, tmp_path):
    model = export(checkpoint, tmp_path, "tiny-bert")
    mean = model.run(["abc"], output="token_embeddings").mean(axis=1)
    assert cosine(mean, model.run(["abc"])) == pytest.approx(1, abs=1e-6)
