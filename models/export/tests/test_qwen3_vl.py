"""Qwen3-VL's two graphs, and what is refused. Equality with transformers is --verify's."""

import json
import tomllib

import numpy as np
import onnxruntime
import pytest
from export.cli import main
from export.errors import ExportError
from export.exporter import export_model
from export.linear import PRECISIONS
from export.qwen3_vl.text import frequency_axes
from export.reference.rows import ImageTokens, batch_positions, padded
from small_qwen3_vl import HIDDEN, write_qwen3_vl

FACTOR = 8
GRIDS = ((2, 3), (1, 1))
CLOSE = {"fp32": 1 - 1e-6, "fp16": 0.9999, "int8": 0.997, "int4": 0.8}


def pixels(grid, count=1, seed=3):
    shape = (count, grid[0] * FACTOR, grid[1] * FACTOR, 3)
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


class Model:
    """The sessions of an exported directory, fed as a host does."""

    def __init__(self, folder):
        self.manifest = tomllib.loads((folder / "model.toml").read_text(encoding="utf-8"))
        image = self.manifest["image"]
        self.tokens = ImageTokens(
            image["start_token_id"], image["pad_token_id"], image["end_token_id"]
        )
        self.text = onnxruntime.InferenceSession(folder / "text.onnx")
        self.vision = onnxruntime.InferenceSession(folder / "vision.onnx")

    def see(self, images):
        return self.vision.run(["image_embeds", "deepstack"], {"pixels": images})

    def embed(self, rows, length=0, features=None):
        """rows of (ids before the images, grids, ids behind them); images by number."""
        ids = [
            [*before, *(token for grid in grids for token in self.tokens.row(grid)), *behind]
            for before, grids, behind in rows
        ]
        grids = [grids for _, grids, _ in rows]
        seen = features or [self.see(pixels(grid, seed=grid[0])) for row in grids for grid in row]
        depth = self.manifest["image"]["deepstack"]
        none = np.zeros((0, HIDDEN), np.float32), np.zeros((depth, 0, HIDDEN), np.float32)
        embeds = np.concatenate([none[0], *(one for one, _ in seen)])
        deepstack = np.concatenate([none[1], *(levels for _, levels in seen)], axis=1)
        padded_ids, mask = padded(ids, self.manifest["text"]["pad_token_id"], length)
        positions = batch_positions(ids, grids, self.tokens.pad)
        behind = padded_ids.shape[1] - positions.shape[2]
        return self.text.run(
            ["sentence_embedding"],
            {
                "input_ids": padded_ids,
                "attention_mask": mask,
                "position_ids": np.pad(positions, ((0, 0), (0, 0), (0, behind))),
                "image_embeds": embeds,
                "deepstack": deepstack,
            },
        )[0]


ROWS = [
    ([1, 2, 3, 4, 5], [], []),
    ([1, 2], [GRIDS[0]], [7, 8, 9]),
    ([9], [], []),
    ([1], [GRIDS[1], GRIDS[0]], [30, 31]),
]


def export(tmp_path, precision="fp32", pooling=None, **options):
    source = tmp_path / "source"
    if not source.exists():
        write_qwen3_vl(source, **options)
    folder = export_model(precision, source, tmp_path / "models", precision, pooling=pooling)
    return Model(folder)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_vectors_have_length_1_and_are_close_to_fp32(tmp_path, precision):
    exact, model = (export(tmp_path, kind) for kind in ("fp32", precision))
    vectors = model.embed(ROWS)
    assert vectors.dtype == np.float32 and vectors.shape == (len(ROWS), HIDDEN)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    assert (vectors * exact.embed(ROWS)).sum(axis=1).min() > CLOSE[precision]
    for found in model.see(pixels((2, 3))):
        assert found.dtype == np.float32


@pytest.mark.parametrize("pooling", ["last_token", "mean"])
@pytest.mark.parametrize("precision", PRECISIONS)
def test_a_row_is_the_same_in_every_batch(tmp_path, precision, pooling):
    model = export(tmp_path, precision, pooling)
    assert model.manifest["pooling"] == pooling
    together = model.embed(ROWS)
    for index, row in enumerate(ROWS):
        np.testing.assert_allclose(model.embed([row])[0], together[index], atol=1e-6)
        np.testing.assert_allclose(model.embed([row], 40)[0], together[index], atol=1e-6)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_an_image_is_the_same_in_every_batch(tmp_path, precision):
    model = export(tmp_path, precision)
    images = pixels((2, 3), count=3)
    embeds, deepstack = model.see(images)
    assert embeds.shape == (3 * 6, HIDDEN) and deepstack.shape == (2, 3 * 6, HIDDEN)
    alone = [model.see(image[None]) for image in images]
    np.testing.assert_allclose(embeds, np.concatenate([one for one, _ in alone]), atol=1e-6)
    levels = np.concatenate([levels for _, levels in alone], axis=1)
    np.testing.assert_allclose(deepstack, levels, atol=1e-6)


def test_every_feature_of_an_image_counts(tmp_path):
    model = export(tmp_path, deepstack=(1,))
    row = [ROWS[1]]
    embeds, deepstack = model.see(pixels(GRIDS[0]))
    plain = model.embed(row, features=[(embeds, deepstack)])
    for index in range(len(embeds)):
        for which in (0, 1):
            changed = embeds.copy(), deepstack.copy()
            changed[which][..., index, :] += 1
            assert np.abs(model.embed(row, features=[changed]) - plain).max() > 1e-4


def test_neighbours_on_the_grid_are_told_from_rows_and_columns(tmp_path):
    model = export(tmp_path)
    image = pixels((2, 2))
    turned = np.ascontiguousarray(image.transpose(0, 2, 1, 3))
    assert np.abs(model.see(image)[0] - model.see(turned)[0][[0, 2, 1, 3]]).max() > 1e-3


def test_height_and_width_take_turns_in_the_frequencies():
    assert frequency_axes([4, 2, 2]).tolist() == [0, 1, 2, 0, 1, 2, 0, 0]
    axes = frequency_axes([24, 20, 20])
    assert [np.count_nonzero(axes == axis) for axis in range(3)] == [24, 20, 20]
    assert axes[:4].tolist() == [0, 1, 2, 0] and not axes[60:].any()


def test_the_manifest_says_what_the_host_has_to_do(tmp_path):
    manifest = export(tmp_path).manifest
    assert manifest.pop("files").keys() == {
        *("text.onnx", "text.onnx.data", "vision.onnx", "vision.onnx.data", "tokenizer.json"),
    }
    template = (
        "<|im_start|>system\n{instruction}<|im_end|>\n<|im_start|>user\n{input}<|im_end|>\n"
        "<|im_start|>assistant\n"
    )
    assert manifest == {
        "manifest_version": 1,
        "name": "fp32",
        "architecture": "qwen3_vl",
        "source": "source",
        "license": "unknown",
        "precision": "fp32",
        "dimensions": HIDDEN,
        "max_tokens": 512,
        "pooling": "last_token",
        "normalize": True,
        "matryoshka": [],
        "matryoshka_from": 64,
        "batch_invariant": True,
        "prompts": {
            "query": template,
            "document": template,
            "instruction": "Represent the user's input.",
        },
        "text": {"graph": "text.onnx", "tokenizer": "tokenizer.json", "pad_token_id": 256},
        "image": {
            "graph": "vision.onnx",
            "resample": "bicubic",
            "exif_orientation": False,
            "factor": FACTOR,
            "min_pixels": 4 * FACTOR**2,
            "max_pixels": 1800 * FACTOR**2,
            "max_aspect_ratio": 200,
            "deepstack": 2,
            "pad_token_id": 261,
            "start_token_id": 259,
            "end_token_id": 260,
        },
    }


TEXT, VISION = ("text_config",), ("vision_config",)
REFUSED = {
    "activation": ((*TEXT, "hidden_act"), "gelu", "hidden_act 'gelu'"),
    "bias": ((*TEXT, "attention_bias"), True, "attention_bias True"),
    "rope": ((*TEXT, "rope_scaling", "rope_type"), "yarn", "rope_type 'yarn'"),
    "order": ((*TEXT, "rope_scaling", "mrope_interleaved"), False, "mrope_interleaved"),
    "sections": ((*TEXT, "rope_scaling", "mrope_section"), [4, 4], "mrope_section [4, 4]"),
    "heads": ((*TEXT, "num_key_value_heads"), 3, "do not fit"),
    "layers": ((*TEXT, "num_hidden_layers"), 4, "says 4"),
    "tokens": ((*TEXT, "vocab_size"), 100, "not in the vocabulary"),
    "no levels": ((*VISION, "deepstack_visual_indexes"), [], "deepstack_visual_indexes []"),
    "a level": ((*VISION, "deepstack_visual_indexes"), [0, 3], "no layers of 3"),
    "table": ((*VISION, "num_position_embeddings"), 24, "no square"),
    "width": ((*VISION, "out_hidden_size"), 64, "the text takes 72"),
    "experts": (("model_type",), "qwen3_vl_moe", "model_type 'qwen3_vl_moe'"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_the_graphs_do_not_compute_is_refused(tmp_path, capsys, what):
    keys, value, message = REFUSED[what]
    source = write_qwen3_vl(tmp_path / "source")
    config = json.loads((source / "config.json").read_text(encoding="utf-8"))
    place = config
    for key in keys[:-1]:
        place = place[key]
    place[keys[-1]] = value
    (source / "config.json").write_text(json.dumps(config), encoding="utf-8")
    assert main(["mine", "--from", str(source), "--out", str(tmp_path / "models")]) == 1
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1


def test_the_pooling_of_the_command_line(tmp_path, capsys):
    source = write_qwen3_vl(tmp_path / "source")
    arguments = ["--from", str(source), "--out", str(tmp_path), "--pooling", "mean"]
    assert main(["mine", *arguments]) == 0
    manifest = tomllib.loads((tmp_path / "mine/model.toml").read_text(encoding="utf-8"))
    assert manifest["pooling"] == "mean"
    assert main(["Qwen3-VL-Embedding-2B", *arguments]) == 1
    assert "the pooling of Qwen3-VL-Embedding-2B is known" in capsys.readouterr().err


def test_the_processor_of_transformers_5_is_read_too(tmp_path):
    source = write_qwen3_vl(tmp_path / "source")
    older = source / "preprocessor_config.json"
    content = json.loads(older.read_text(encoding="utf-8"))
    export_model("older", source, tmp_path)
    older.unlink()
    newer = {"processor_class": "Qwen3VLProcessor", "image_processor": content}
    (source / "processor_config.json").write_text(json.dumps(newer), encoding="utf-8")
    export_model("newer", source, tmp_path)
    graphs = [(tmp_path / name / "vision.onnx").read_bytes() for name in ("older", "newer")]
    assert graphs[0].replace(b"older", b"newer") == graphs[1]


@pytest.mark.parametrize("key", ["patch_size", "image_mean", "image_std"])
def test_pixels_are_not_guessed(tmp_path, key):
    source = write_qwen3_vl(tmp_path / "source")
    path = source / "preprocessor_config.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    del content[key]
    path.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(ExportError, match=key):
        export_model("mine", source, tmp_path)
