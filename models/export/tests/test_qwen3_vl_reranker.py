"""Qwen3-VL-Reranker: logits from the embedder's vectors, and what is refused."""

import json
import tomllib

import numpy as np
import onnxruntime
import pytest
from export import tensorfile
from export.cli import main
from export.errors import ExportError
from export.exporter import export_model
from export.linear import PRECISIONS
from export.qwen3_vl.heads import rows_at
from export.reference.rows import ImageTokens, batch_positions, padded, prompted_pair
from export.weights import SafetensorsWeights
from safetensors.numpy import load_file
from small_qwen3_vl import HIDDEN, write_qwen3_vl
from tokenizers import Tokenizer

WORDS = ("yes", "no")
FACTOR = 8
ONE, OTHER = (2, 3), (1, 1)
# A query and a document: a text, and the grids of its images.
PAIRS = [
    (("two", []), ("one and one", [])),
    (("two", [ONE]), ("one and one", [])),
    (("NULL", [OTHER]), ("three", [ONE])),
    (("x", []), ("y", [OTHER])),
]
# The largest error of a logit; logits of these models are a unit or so apart.
CLOSE = {"fp32": 5e-6, "fp16": 0.02, "int8": 0.25, "int4": 2}


class Model:
    """The sessions of an exported directory, fed as a host does."""

    def __init__(self, folder):
        self.manifest = tomllib.loads((folder / "model.toml").read_text(encoding="utf-8"))
        image = self.manifest["image"]
        self.tokens = ImageTokens(
            image["start_token_id"], image["pad_token_id"], image["end_token_id"]
        )
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.text = onnxruntime.InferenceSession(folder / "text.onnx")
        self.vision = onnxruntime.InferenceSession(folder / "vision.onnx")

    def run(self, ids, grids, length=0):
        """The one output of the text graph."""
        seen = [self._see(grid) for row in grids for grid in row]
        depth = self.manifest["image"]["deepstack"]
        features = [np.zeros((0, HIDDEN), np.float32), *(one for one, _ in seen)]
        levels = [np.zeros((depth, 0, HIDDEN), np.float32), *(levels for _, levels in seen)]
        padded_ids, mask = padded(ids, self.manifest["text"]["pad_token_id"], length)
        positions = batch_positions(ids, grids, self.tokens.pad)
        behind = padded_ids.shape[1] - positions.shape[2]
        (output,) = self.text.run(
            None,
            {
                "input_ids": padded_ids,
                "attention_mask": mask,
                "position_ids": np.pad(positions, ((0, 0), (0, 0), (0, behind))),
                "image_embeds": np.concatenate(features),
                "deepstack": np.concatenate(levels, axis=1),
            },
        )
        return output

    def _see(self, grid):
        shape = (1, grid[0] * FACTOR, grid[1] * FACTOR, 3)
        pixels = np.random.default_rng(grid[0]).integers(0, 256, shape, dtype=np.uint8)
        return self.vision.run(["image_embeds", "deepstack"], {"pixels": pixels})


def rows(model):
    """Ids of PAIRS under the prompt, and the grids of their images."""
    prompts = model.manifest["prompts"]
    template, instruction = prompts["pair"], prompts["instruction"]
    ids = [
        prompted_pair(model.tokenizer, template, instruction, query, document, model.tokens)
        for query, document in PAIRS
    ]
    return ids, [[*query[1], *document[1]] for query, document in PAIRS]


def export(tmp_path, precision="fp32", is_reranker=True, **options):
    source = tmp_path / "source"
    if not source.exists():
        write_qwen3_vl(source, **{"words": WORDS, **options})
    name = precision if is_reranker else "embedder"
    models = tmp_path / "models"
    return Model(export_model(name, source, models, precision, is_reranker=is_reranker))


def logits_of(vectors, source, tokenizer, table):
    """From what the vectors of length 1 were before: their size is that of the final norm."""
    weights = load_file(source / "model.safetensors")
    scale = weights["model.language_model.norm.weight"].astype(np.float64)
    states = vectors / np.sqrt(((vectors / scale) ** 2).mean(axis=1, keepdims=True))
    yes, no = (weights[table][tokenizer.token_to_id(word)].astype(np.float64) for word in WORDS)
    return (states @ (yes - no))[:, None]


@pytest.mark.parametrize("lm_head", [False, True])
@pytest.mark.parametrize("precision", PRECISIONS)
def test_the_logit_is_that_of_yes_less_that_of_no(tmp_path, precision, lm_head):
    reranker = export(tmp_path, precision, lm_head=lm_head)
    embedder = export(tmp_path, is_reranker=False)
    batch = rows(reranker)
    table = "lm_head.weight" if lm_head else "model.language_model.embed_tokens.weight"
    vectors = embedder.run(*batch).astype(np.float64)
    expected = logits_of(vectors, tmp_path / "source", reranker.tokenizer, table)
    logits = reranker.run(*batch)
    assert logits.shape == (len(PAIRS), 1) and logits.dtype == np.float32
    np.testing.assert_allclose(logits, expected, atol=CLOSE[precision])
    assert np.ptp(expected) > 0.5


@pytest.mark.parametrize("precision", PRECISIONS)
def test_a_pair_has_the_same_logit_in_every_batch(tmp_path, precision):
    model = export(tmp_path, precision)
    ids, grids = rows(model)
    together = model.run(ids, grids)
    longer = max(map(len, ids)) + 7
    for row, row_grids, expected in zip(ids, grids, together, strict=True):
        for length in (0, longer):
            alone = model.run([row], [row_grids], length)[0]
            np.testing.assert_allclose(alone, expected, atol=1e-5)


def test_the_vision_graph_is_the_embedders(tmp_path):
    export(tmp_path)
    export(tmp_path, is_reranker=False)
    for file in ("vision.onnx", "vision.onnx.data", "tokenizer.json"):
        one, other = (
            (tmp_path / "models" / name / file).read_bytes() for name in ("fp32", "embedder")
        )
        assert one == other


def test_the_manifest(tmp_path):
    manifest = export(tmp_path).manifest
    image = manifest.pop("image")
    assert image.pop("feature_size") == HIDDEN
    assert image == export(tmp_path, is_reranker=False).manifest["image"]
    del manifest["files"]
    assert manifest == {
        "manifest_version": 1,
        "name": "fp32",
        "architecture": "qwen3_vl_reranker",
        "source": "source",
        "license": "unknown",
        "precision": "fp32",
        "max_tokens": 512,
        "activation": "sigmoid",
        "batch_invariant": True,
        "prompts": {
            "pair": (
                "<|im_start|>system\nJudge whether the Document meets the requirements based on the"
                " Query and the Instruct provided. Note that the answer can only be"
                ' "yes" or "no".<|im_end|>\n'
                "<|im_start|>user\n<Instruct>: {instruction}<Query>:{query}\n"
                "<Document>:{document}<|im_end|>\n<|im_start|>assistant\n"
            ),
            "instruction": (
                "Given a search query, retrieve relevant candidates that answer the query."
            ),
        },
        "text": {"graph": "text.onnx", "tokenizer": "tokenizer.json", "pad_token_id": 256},
    }


def run(source, tmp_path, *more, name="mine"):
    return main([name, "--from", str(source), "--out", str(tmp_path / "models"), *more])


def test_without_the_option_it_is_an_embedder(tmp_path):
    source = write_qwen3_vl(tmp_path / "source", words=WORDS)
    for options, architecture in (((), "qwen3_vl"), (("--reranker",), "qwen3_vl_reranker")):
        assert run(source, tmp_path, *options) == 0
        text = (tmp_path / "models/mine/model.toml").read_text(encoding="utf-8")
        assert tomllib.loads(text)["architecture"] == architecture


REFUSED = {
    "no yes": (("no",), (), "no token 'yes'"),
    "prompts": (WORDS, ("--prompt-document", "d"), "no prompts for queries"),
    "pooling": (WORDS, ("--pooling", "mean"), "no choice of pooling"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_makes_no_reranker_is_refused(tmp_path, capsys, what):
    words, options, message = REFUSED[what]
    source = write_qwen3_vl(tmp_path / "source", words=words)
    assert run(source, tmp_path, "--reranker", *options) == 1
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1
    assert not list((tmp_path / "models").glob("*"))


@pytest.mark.parametrize(
    ("whole", "text", "is_tied"),
    [(False, None, False), (None, False, False), (False, True, True), (True, None, True)],
)
def test_a_head_that_is_not_tied_must_be_there(tmp_path, capsys, whole, text, is_tied):
    source = write_qwen3_vl(tmp_path / "source", words=WORDS)
    path = source / "config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    config["tie_word_embeddings"] = whole
    config["text_config"]["tie_word_embeddings"] = text
    path.write_text(json.dumps(config), encoding="utf-8")
    assert run(source, tmp_path, "--reranker") == (0 if is_tied else 1)
    assert is_tied or "no lm_head.weight" in capsys.readouterr().err


def test_a_known_embedder_is_no_reranker_and_siglip_none_at_all(tmp_path, capsys):
    source = write_qwen3_vl(tmp_path / "source", words=WORDS)
    assert run(source, tmp_path, "--reranker", name="Qwen3-VL-Embedding-2B") == 1
    assert "is known, and no reranker" in capsys.readouterr().err
    assert run(source, tmp_path, name="Qwen3-VL-Reranker-2B") == 1
    assert "has layers 28, but source has 3" in capsys.readouterr().err
    (source / "config.json").write_text('{"model_type": "siglip"}', encoding="utf-8")
    assert run(source, tmp_path, "--reranker") == 1
    assert "'siglip' is no reranker's: none of bert" in capsys.readouterr().err


def test_rows_of_a_table_are_found_in_any_slice(tmp_path, monkeypatch):
    weights = SafetensorsWeights(write_qwen3_vl(tmp_path / "source"))
    name = "model.language_model.embed_tokens.weight"
    monkeypatch.setattr(tensorfile, "SLICE_BYTES", 3 * 4 * HIDDEN)
    table = weights.dense(name)
    np.testing.assert_array_equal(rows_at(weights, name, [250, 3]), table[[250, 3]])
    with pytest.raises(ExportError, match=r"has 262 rows, and none for \[262\]"):
        rows_at(weights, name, [0, 262])
