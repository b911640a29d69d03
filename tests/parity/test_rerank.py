"""Scores through SQL against recorded ones of PyTorch, for every model that has such goldens.

Cross-encoders, Qwen3-VL rerankers, and encoders by late interaction. How they were made:
dev/fixtures.sh, and dev/parity.sh for models that a seed draws.
"""

import psycopg
import pytest
from comparison import use_models
from rerankings import (
    FORMS,
    NEXT_TO,
    SQLSTATES,
    TOLERANCES,
    furthest,
    goldens,
    misplaced,
    models,
    rerank,
    rerank_batch,
    rerank_score,
    says,
)


@pytest.fixture
def server(sql):
    """A connection to the instance's models."""
    use_models(sql)
    return sql


@pytest.mark.parametrize(("checkpoint", "model"), models())
def test_scores_and_order_equal_pytorch(server, checkpoint, model):
    precision = goldens()[checkpoint].models[model]
    most = TOLERANCES[precision]
    near = NEXT_TO if precision == "fp32" else 2 * most
    worst, ordered, wrong = 0.0, 0, []
    for asked in scored(checkpoint):
        rows = rerank(server, model, asked)
        order = [index - 1 for index, _, _ in rows]
        assert sorted(order) == [*range(len(asked["candidates"]))], says(asked)
        by_candidate = dict(zip(order, (score for _, _, score in rows), strict=True))
        found = [by_candidate[index] for index in range(len(order))]
        error, swapped = furthest(found, asked["scores"]), misplaced(order, asked, near)
        if error > most or swapped:
            wrong.append(f"{error:.1e} off, wrong order of {swapped}: {says(asked)}")
        worst, ordered = max(worst, error), ordered + len(order)
    print(f"{model}: {ordered} pairs, worst error {worst:.1e}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(("checkpoint", "model"), models())
def test_arrays_pairs_and_windows_give_the_same(server, checkpoint, model):
    most, worst = FORMS[goldens()[checkpoint].models[model]], 0.0
    for asked in scored(checkpoint):
        rows = rerank(server, model, asked)
        given = sorted((index, score) for index, _, score in rows)
        together = [score for _, score in given]
        for form in (rerank_score, rerank_batch):
            apart = furthest(form(server, model, asked), together)
            assert apart <= most, f"{form.__name__} {apart:.1e} off: {says(asked)}"
            worst = max(worst, apart)
    print(f"{model}: arrays, pairs and windows differ by {worst:.1e} at most")


@pytest.mark.parametrize(("checkpoint", "model"), models())
def test_rows_are_best_first_with_their_candidates(server, checkpoint, model):
    for asked in scored(checkpoint):
        rows = rerank(server, model, asked)
        scores = [float("-inf") if score is None else score for _, _, score in rows]
        assert scores == sorted(scores, reverse=True), says(asked)
        for index, candidate, _ in rows:
            given = asked["candidates"][index - 1]
            if not isinstance(given, dict):
                assert candidate == given, says(asked)


def test_no_score_where_the_reference_has_none(server):
    refused = [
        (model, asked)
        for checkpoint, model in models()
        for asked in goldens()[checkpoint].rerankings
        if "error" in asked
    ]
    assert refused
    for model, asked in refused:
        for form in (rerank, rerank_score, rerank_batch):
            with pytest.raises(psycopg.Error) as caught:
                form(server, model, asked)
            error = caught.value
            assert error.sqlstate == SQLSTATES[asked["error"]], f"{error}: {says(asked)}"
            assert error.diag.message_detail and error.diag.message_hint, says(asked)


def scored(checkpoint: str) -> list[dict]:
    """The rerankings that have scores."""
    return [asked for asked in goldens()[checkpoint].rerankings if "scores" in asked]
