"""Reading checkpoints: several files, three float types, damage."""

import json
import struct

import numpy as np
import pytest
from export import tensorfile
from export.errors import ExportError
from export.tensorfile import TensorFile
from export.weights import SafetensorsWeights
from safetensors.numpy import save_file

VALUES = np.random.default_rng(0).standard_normal((6, 4)).astype(np.float32)


def write(path, tensors):
    """A file by hand: name → (kind, shape, bytes)."""
    header, data = {}, b""
    for name, (kind, shape, content) in tensors.items():
        offsets = [len(data), len(data) + len(content)]
        header[name] = {"dtype": kind, "shape": shape, "data_offsets": offsets}
        data += content
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)
    return path


def shards(folder):
    save_file({"a.weight": VALUES}, folder / "model-00001-of-00002.safetensors")
    save_file({"b.weight": VALUES + 1}, folder / "model-00002-of-00002.safetensors")
    save_file({"a.weight": VALUES * 9}, folder / "consolidated.safetensors")
    places = {
        f"{key}.weight": f"model-0000{n}-of-00002.safetensors" for n, key in ((1, "a"), (2, "b"))
    }
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": places}), encoding="utf-8")


def test_the_index_says_which_files_count(tmp_path):
    shards(tmp_path)
    weights = SafetensorsWeights(tmp_path)
    np.testing.assert_array_equal(weights.dense("a.weight"), VALUES)
    np.testing.assert_array_equal(weights.dense("b.weight"), VALUES + 1)


def test_a_missing_file_is_named(tmp_path):
    shards(tmp_path)
    (tmp_path / "model-00002-of-00002.safetensors").unlink()
    with pytest.raises(ExportError, match="lacks model-00002-of-00002.safetensors"):
        SafetensorsWeights(tmp_path)


def test_an_index_that_leads_out_of_the_folder_is_refused(tmp_path):
    index = tmp_path / "model.safetensors.index.json"
    index.write_text('{"weight_map": {"a": "../a.safetensors"}}', encoding="utf-8")
    with pytest.raises(ExportError, match="files beside it"):
        SafetensorsWeights(tmp_path)


def test_float_types_become_float32(tmp_path):
    bits = VALUES.view(np.uint32)
    path = write(
        tmp_path / "model.safetensors",
        {
            "f32": ("F32", [6, 4], VALUES.tobytes()),
            "f16": ("F16", [6, 4], VALUES.astype(np.float16).tobytes()),
            "bf16": ("BF16", [6, 4], (bits >> 16).astype(np.uint16).tobytes()),
        },
    )
    file = TensorFile(path)
    np.testing.assert_array_equal(file.read("f32"), VALUES)
    np.testing.assert_array_equal(file.read("f16"), VALUES.astype(np.float16).astype(np.float32))
    np.testing.assert_array_equal(file.read("bf16"), (bits & 0xFFFF0000).view(np.float32))


@pytest.mark.parametrize("kind", ["F32", "BF16"])
def test_rows_are_the_tensor_in_pieces(tmp_path, monkeypatch, kind):
    content = VALUES.tobytes() if kind == "F32" else VALUES.astype(np.float16).tobytes()
    file = TensorFile(write(tmp_path / "x.safetensors", {"t": (kind, [6, 4], content)}))
    monkeypatch.setattr(tensorfile, "SLICE_BYTES", 20)
    pieces = list(file.rows("t"))
    assert len(pieces) > 1
    np.testing.assert_array_equal(np.concatenate(pieces), file.read("t"))


def test_a_part_is_found_under_its_prefix(tmp_path):
    names = ("outer.layers.0.w", "outer.layers.10.w", "other.layers.11.w")
    save_file(dict.fromkeys(names, VALUES), tmp_path / "model.safetensors")
    weights = SafetensorsWeights(tmp_path)
    part = weights.below(("inner.", "outer."), "layers.0.w", "thing")
    assert part.layers("layers.") == 11
    np.testing.assert_array_equal(part.dense("layers.10.w"), VALUES)
    with pytest.raises(ExportError, match="no tensor outer.layers.2.w"):
        part.dense("layers.2.w")
    with pytest.raises(ExportError, match="holds no thing"):
        weights.below(("inner.",), "layers.0.w", "thing")


DAMAGED = {
    "empty": b"",
    "short": b"\x01\x02",
    "long header": struct.pack("<Q", 1 << 40) + b"{}",
    "no JSON": struct.pack("<Q", 4) + b"{{{{",
    "no offsets": struct.pack("<Q", 8) + b'{"a":{}}',
    "a list": struct.pack("<Q", 2) + b"[]",
}


@pytest.mark.parametrize("what", DAMAGED)
def test_damage_is_one_error(tmp_path, what):
    path = tmp_path / "model.safetensors"
    path.write_bytes(DAMAGED[what])
    with pytest.raises(ExportError, match="cannot read"):
        TensorFile(path)


def test_a_tensor_behind_the_end_or_of_another_shape_is_refused(tmp_path):
    path = write(tmp_path / "x.safetensors", {"t": ("F32", [6, 4], VALUES.tobytes())})
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ExportError, match="ends behind"):
        TensorFile(path)
    write(path, {"t": ("F32", [6, 5], VALUES.tobytes())})
    with pytest.raises(ExportError, match="96 bytes for a shape"):
        TensorFile(path)


def test_other_types_are_refused_when_they_are_asked_for(tmp_path):
    file = TensorFile(write(tmp_path / "x.safetensors", {"t": ("I8", [2], b"ab")}))
    with pytest.raises(ExportError, match="stored as I8"):
        file.read("t")
