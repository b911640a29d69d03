"""Vectors through SQL against recorded ones of transformers and sentence-transformers.

How they were made: goldens/make_tiny.py and goldens/make_all_minilm_l6_v2.py.
"""

import json
from pathlib import Path

import numpy as np
import pytest
from conftest import FIXTURES, embed, embed_many, setting

GOLDENS = Path(__file__).parent / "goldens"
TINY = json.loads((GOLDENS / "tiny.json").read_text())
MINILM = json.loads((GOLDENS / "all_minilm_l6_v2.json").read_text())


def cosine(a, b) -> float:
    return float(np.dot(a, b) / (np.linalg.norm(a) * np.linalg.norm(b)))


@pytest.mark.parametrize("task", ["query", "document"])
@pytest.mark.parametrize("model", TINY["models"])
def test_tiny_models_equal_pytorch(sql, model, task):
    fixtures = setting("ITEMBANK_FIXTURES")
    assert (FIXTURES / model).is_dir()
    sql.execute("SELECT set_config('itembank_embed.model_path', %s, false)", (fixtures,))
    expected = TINY["models"][model][task]
    batch = embed_many(sql, model, TINY["texts"], task=task)
    for text, ours, theirs in zip(TINY["texts"], batch, expected, strict=True):
        assert np.abs(np.subtract(ours, theirs)).max() <= 1e-5, text
        alone = embed(sql, model, text, task=task)
        assert np.abs(np.subtract(alone, ours)).max() <= 1e-6, text


def test_all_minilm_l6_v2_equals_sentence_transformers(sql):
    assert len(MINILM["texts"]) >= 24
    batch = embed_many(sql, "all-MiniLM-L6-v2", MINILM["texts"])
    cosines = [cosine(a, b) for a, b in zip(batch, MINILM["vectors"], strict=True)]
    print(f"worst cosine of {len(cosines)} texts: 1 - {1 - min(cosines):.2e}")
    assert min(cosines) >= 0.99999
