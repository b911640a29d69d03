"""Vectors through SQL against recorded ones of PyTorch, for every model that has goldens.

How they were made: dev/fixtures.sh, and dev/parity.sh for models that a seed draws.
"""

import json
import math
from pathlib import Path

import numpy as np
import psycopg
import pytest
from comparison import (
    MIXED,
    TOLERANCES,
    TOO_LONG,
    batches,
    cosine,
    drawn,
    embed_alone,
    embed_batch,
    goldens,
    models,
    says,
    use_models,
)
from conftest import embed_many, fails

MINILM = Path(__file__).parent / "goldens" / "all_minilm_l6_v2.json"


@pytest.fixture
def server(sql):
    """A connection to the instance's models that computes everything it is asked for."""
    use_models(sql)
    sql.execute("SET itembank_embed.cache_size = 0")
    return sql


@pytest.mark.parametrize(("checkpoint", "model"), models())
def test_equals_pytorch_alone_and_in_a_mixed_batch(server, checkpoint, model):
    golden = goldens()[checkpoint]
    precision = golden.models[model]
    least, most = TOLERANCES[precision]
    worst_cosine, worst_error, worst_mixed = 1.0, 0.0, 0.0
    wrong = []
    for batch in batches([case for case in golden.cases if "vector" in case]):
        together = embed_batch(server, model, batch)
        for case, mixed in zip(batch, together, strict=True):
            alone, theirs = embed_alone(server, model, case), np.array(case["vector"])
            assert alone.shape == theirs.shape, says(case)
            assert not golden.normalized or math.isclose(np.linalg.norm(alone), 1, abs_tol=1e-5)
            error, apart = np.abs(alone - theirs).max(), np.abs(alone - mixed).max()
            if cosine(alone, theirs) < least or error > most or apart > MIXED[precision]:
                wrong.append(f"{error:.1e} off, alone and mixed {apart:.1e}: {says(case)}")
            worst_cosine = min(worst_cosine, cosine(alone, theirs))
            worst_error, worst_mixed = max(worst_error, error), max(worst_mixed, apart)
    print(
        f"{model}: {len(golden.cases)} cases, worst cosine 1 - {1 - worst_cosine:.1e},"
        f" worst error {worst_error:.1e}, alone and mixed {worst_mixed:.1e}"
    )
    assert not wrong, "\n".join(wrong)


def test_no_vector_where_the_reference_has_none(server):
    refused = [
        (model, case)
        for checkpoint, model in models()
        for case in goldens()[checkpoint].cases
        if "error" in case
    ]
    assert refused
    for model, case in refused:
        with pytest.raises(psycopg.Error) as caught:
            embed_alone(server, model, case)
        assert caught.value.sqlstate == TOO_LONG, says(case)
        assert caught.value.diag.message_hint, says(case)


@pytest.mark.parametrize(("checkpoint", "model"), models())
def test_token_counts_are_the_references(server, checkpoint, model):
    for case in goldens()[checkpoint].cases:
        if "tokens" in case:
            text = case["text"] * case.get("times", 1)
            found = server.execute("SELECT tokens FROM count_tokens(%s, %s)", (model, text))
            assert found.fetchone() == (case["tokens"],), says(case)


@pytest.mark.parametrize(("checkpoint", "model"), models())
def test_rows_without_anything_are_null(server, checkpoint, model):
    text = goldens()[checkpoint].cases[0]["text"]
    nothing = server.execute("SELECT embed(%s, NULL::text, NULL::bytea)", (model,)).fetchone()
    assert nothing == (None,)
    rows = server.execute(
        "SELECT e IS NULL FROM unnest(embed(%s, ARRAY[NULL, %s, NULL])) AS e", (model, text)
    ).fetchall()
    assert rows == [(True,), (False,), (True,)]


@pytest.mark.parametrize(("checkpoint", "model"), models())
def test_sizes_that_are_not_offered_are_refused(server, checkpoint, model):
    width = max(len(case.get("vector", [])) for case in goldens()[checkpoint].cases)
    for size in (width + 1, 1):
        query = "SELECT embed(%s, 'a', dimensions => %s)"
        fails(server, "22023", query, (model, size))


@pytest.mark.skipif(drawn() is not None, reason="a model of its own, not of a seed")
def test_all_minilm_l6_v2_equals_sentence_transformers(sql):
    recorded = json.loads(MINILM.read_text(encoding="utf-8"))
    assert len(recorded["texts"]) >= 24
    batch = embed_many(sql, "all-MiniLM-L6-v2", recorded["texts"])
    cosines = [cosine(a, b) for a, b in zip(batch, recorded["vectors"], strict=True)]
    print(f"worst cosine of {len(cosines)} texts: 1 - {1 - min(cosines):.2e}")
    assert min(cosines) >= 0.99999
