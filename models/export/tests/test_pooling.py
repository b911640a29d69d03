"""The stand-alone pooling graphs against numpy."""

import numpy as np
import onnxruntime
import pytest
from export.pooling import POOLINGS, main

TOKENS = np.random.default_rng(0).standard_normal((3, 5, 8)).astype(np.float32)
LENGTHS = (5, 2, 1)
MASK = np.array([[1] * length + [0] * (5 - length) for length in LENGTHS], np.int64)
EXPECTED = {
    "mean": [row[:length].mean(axis=0) for row, length in zip(TOKENS, LENGTHS, strict=True)],
    "cls": TOKENS[:, 0],
    "last_token": [row[length - 1] for row, length in zip(TOKENS, LENGTHS, strict=True)],
}


@pytest.mark.parametrize("pooling", POOLINGS)
def test_equals_numpy(tmp_path, pooling):
    main([str(tmp_path)])
    session = onnxruntime.InferenceSession(tmp_path / f"{pooling}.onnx")
    feed = {"token_embeddings": TOKENS, "attention_mask": MASK}
    np.testing.assert_allclose(session.run(None, feed)[0], EXPECTED[pooling], atol=1e-6)
    assert (tmp_path / f"{pooling}.onnx").stat().st_size < 2048
