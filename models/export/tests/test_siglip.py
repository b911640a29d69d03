"""SigLIP's two graphs, and what is refused. Equality with transformers is --verify's."""

import json
import tomllib

import numpy as np
import onnxruntime
import pytest
from export.cli import main
from export.exporter import export_model
from export.linear import PRECISIONS
from small_siglip import HIDDEN, POSITIONS, VOCABULARY, write_siglip

IDS = np.random.default_rng(0).integers(0, VOCABULARY, (5, POSITIONS))
PIXELS = np.random.default_rng(1).integers(0, 256, (3, 20, 20, 3), dtype=np.uint8)
CLOSE = {"fp32": 1 - 1e-6, "fp16": 0.9999, "int8": 0.998, "int4": 0.9}


class Towers:
    """The sessions of an exported directory."""

    def __init__(self, folder):
        self.text = onnxruntime.InferenceSession(folder / "text.onnx")
        self.vision = onnxruntime.InferenceSession(folder / "vision.onnx")

    def embed_ids(self, ids):
        return self.text.run(["sentence_embedding"], {"input_ids": ids})[0]

    def embed_pixels(self, pixels):
        return self.vision.run(["image_embedding"], {"pixels": pixels})[0]


def export(tmp_path, precision="fp32", **options):
    source = tmp_path / "source"
    if not source.exists():
        write_siglip(source, **options)
    return export_model(precision, source, tmp_path / "models", precision)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_vectors_have_length_1_and_are_close_to_fp32(tmp_path, precision):
    exact, towers = (Towers(export(tmp_path, kind)) for kind in ("fp32", precision))
    for embed, wanted in (
        (towers.embed_ids(IDS), exact.embed_ids(IDS)),
        (towers.embed_pixels(PIXELS), exact.embed_pixels(PIXELS)),
    ):
        assert embed.dtype == np.float32 and embed.shape == (len(wanted), HIDDEN)
        np.testing.assert_allclose(np.linalg.norm(embed, axis=1), 1, atol=1e-6)
        assert (embed * wanted).sum(axis=1).min() > CLOSE[precision]


@pytest.mark.parametrize("precision", PRECISIONS)
def test_a_row_is_the_same_in_every_batch(tmp_path, precision):
    towers = Towers(export(tmp_path, precision))
    for embed, rows in ((towers.embed_ids, IDS), (towers.embed_pixels, PIXELS)):
        alone = np.concatenate([embed(row[None]) for row in rows])
        np.testing.assert_allclose(embed(rows), alone, atol=1e-6)


def test_what_no_patch_covers_is_not_looked_at(tmp_path):
    towers = Towers(export(tmp_path, image_size=20, patch_size=8))
    other = PIXELS.copy()
    other[:, 16:], other[:, :, 16:] = 0, 255
    np.testing.assert_array_equal(towers.embed_pixels(other), towers.embed_pixels(PIXELS))
    other[:, 15, 3] ^= 128
    assert np.abs(towers.embed_pixels(other) - towers.embed_pixels(PIXELS)).max() > 1e-4


def test_rows_and_columns_and_colours_are_not_mixed_up(tmp_path):
    towers = Towers(export(tmp_path))
    for other in (PIXELS.transpose(0, 2, 1, 3), PIXELS[..., ::-1], PIXELS[:, ::-1]):
        vectors = towers.embed_pixels(np.ascontiguousarray(other))
        assert np.abs(vectors - towers.embed_pixels(PIXELS)).max() > 1e-3


@pytest.mark.parametrize("v2", [False, True])
def test_the_manifest_follows_the_checkpoint(tmp_path, v2):
    folder = export(tmp_path, v2=v2)
    manifest = tomllib.loads((folder / "model.toml").read_text(encoding="utf-8"))
    files = manifest.pop("files")
    assert {path.name for path in folder.iterdir()} == {*files, "model.toml"}
    assert manifest == {
        "manifest_version": 1,
        "name": "fp32",
        "architecture": "siglip2" if v2 else "siglip",
        "source": "source",
        "license": "unknown",
        "precision": "fp32",
        "dimensions": HIDDEN,
        "max_tokens": POSITIONS,
        "normalize": True,
        "matryoshka": [],
        "batch_invariant": True,
        "prompts": {"query": "", "document": ""},
        "text": {
            "graph": "text.onnx",
            "tokenizer": "tokenizer.json",
            "pad_token_id": 0 if v2 else 1,
        },
        "image": {
            "graph": "vision.onnx",
            "resample": "bilinear" if v2 else "bicubic",
            "exif_orientation": False,
            "height": 20,
            "width": 20,
        },
    }


def edit(path, *keys, value):
    content = json.loads(path.read_text(encoding="utf-8"))
    place = content
    for key in keys[:-1]:
        place = place.setdefault(key, {})
    place[keys[-1]] = value
    path.write_text(json.dumps(content), encoding="utf-8")


def test_another_scale_of_pixels_is_computed(tmp_path):
    plain = Towers(export(tmp_path)).embed_pixels(PIXELS)
    processor = tmp_path / "source/preprocessor_config.json"
    edit(processor, "rescale_factor", value=1 / 127.5)
    edit(processor, "image_mean", value=[1.0] * 3)
    edit(processor, "image_std", value=[1.0] * 3)
    # (x / 127.5 - 1) / 1 is (x / 255 - 0.5) / 0.5
    np.testing.assert_allclose(Towers(export(tmp_path)).embed_pixels(PIXELS), plain, atol=1e-6)


CONFIG, PROCESSOR = "config.json", "preprocessor_config.json"
REFUSED = {
    "NaFlex": ((CONFIG, "vision_config", "num_patches"), 256, "NaFlex"),
    "NaFlex's type": ((CONFIG, "model_type"), "siglip2", "NaFlex"),
    "no head": ((CONFIG, "vision_config", "vision_use_head"), False, "vision_use_head"),
    "activation": ((CONFIG, "text_config", "hidden_act"), "relu", "hidden_act 'relu'"),
    "heads": ((CONFIG, "text_config", "num_attention_heads"), 5, "no multiple of 5 heads"),
    "layers": ((CONFIG, "vision_config", "num_hidden_layers"), 3, "says 3"),
    "projection": ((CONFIG, "text_config", "projection_size"), 8, "cannot be compared"),
    "no resize": ((PROCESSOR, "do_resize"), False, "do_resize"),
    "a crop": ((PROCESSOR, "do_center_crop"), True, "do_center_crop"),
    "another size": ((PROCESSOR, "size", "height"), 24, "pictures of 24 x 20"),
    "Lanczos": ((PROCESSOR, "resample"), 1, "resample 1 is not supported"),
    "mean": ((PROCESSOR, "image_mean"), [0.5], "image_mean"),
    "case": (("tokenizer_config.json", "do_lower_case"), False, "do_lower_case"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_the_graphs_do_not_compute_is_refused(tmp_path, capsys, what):
    (file, *keys), value, message = REFUSED[what]
    source = write_siglip(tmp_path / "source")
    edit(source / file, *keys, value=value)
    assert main(["mine", "--from", str(source), "--out", str(tmp_path / "models")]) == 1
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1
    assert not (tmp_path / "models/mine").exists()


def test_a_missing_processor_is_refused(tmp_path, capsys):
    source = write_siglip(tmp_path / "source")
    (source / PROCESSOR).unlink()
    assert main(["mine", "--from", str(source), "--out", str(tmp_path / "models")]) == 1
    assert "preprocessor_config.json is missing" in capsys.readouterr().err
