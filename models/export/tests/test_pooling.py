"""The stand-alone graphs behind a model, poolings and MaxSim, against numpy."""

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


WIDTH = 8
# which tokens of a row count: a prompt before them, padding behind them, a hole
SCORED = np.array([[0, 0, 1, 1, 0], [1, 1, 1, 1, 1], [0, 1, 0, 1, 0]], np.int64)


@pytest.fixture
def max_sim(tmp_path):
    """A function that runs max_sim.onnx: query, tokens, scored → scores."""
    main([str(tmp_path)])
    assert (tmp_path / "max_sim.onnx").stat().st_size < 2048
    session = onnxruntime.InferenceSession(tmp_path / "max_sim.onnx")

    def run(query, tokens, scored):
        inputs = {"query_embeddings": query, "token_embeddings": tokens, "scored": scored}
        return session.run(["scores"], inputs)[0]

    return run


def unit(vectors):
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def a_query(tokens=4):
    random = np.random.default_rng(1)
    return unit(random.standard_normal((tokens, WIDTH)).astype(np.float32))


def mean_of_maxima(query, states):
    """One candidate by the formula: states [tokens that count, hidden]."""
    return np.mean([max(float(q @ t) for t in unit(states.astype(np.float64))) for q in query])


@pytest.mark.parametrize("query_tokens", [1, 4, 33])
def test_max_sim_equals_numpy(max_sim, query_tokens):
    query = a_query(query_tokens)
    scores = max_sim(query, 7 * TOKENS, SCORED)
    rows = zip(TOKENS, SCORED, strict=True)
    expected = [mean_of_maxima(query, row[scored == 1]) for row, scored in rows]
    assert scores.shape == (3,) and scores.dtype == np.float32
    np.testing.assert_allclose(scores, expected, atol=1e-6)


@pytest.mark.parametrize("undefined", [np.nan, np.inf, -np.inf, 1e38])
def test_max_sim_does_not_look_at_tokens_that_do_not_count(max_sim, undefined):
    spoilt = np.where(SCORED[..., None] == 1, TOKENS, np.float32(undefined))
    np.testing.assert_array_equal(
        max_sim(a_query(), spoilt, SCORED), max_sim(a_query(), TOKENS, SCORED)
    )


def test_max_sim_of_a_candidate_does_not_depend_on_the_others(max_sim):
    together = max_sim(a_query(), TOKENS, SCORED)
    for index in range(len(TOKENS)):
        row = slice(index, index + 1)
        wider = np.pad(TOKENS[row], ((0, 0), (0, 9), (0, 0)), constant_values=np.nan)
        alone = max_sim(a_query(), wider, np.pad(SCORED[row], ((0, 0), (0, 9))))
        np.testing.assert_allclose(alone, together[row], atol=1e-6)


def test_max_sim_of_the_query_itself_is_1_and_of_nothing_minus_infinity(max_sim):
    query = a_query()
    tokens = np.stack([5 * query, np.zeros_like(query), query])
    scored = np.array([[1] * 4, [1] * 4, [0] * 4], np.int64)
    np.testing.assert_allclose(max_sim(query, tokens, scored), [1, 0, -np.inf], atol=1e-6)
