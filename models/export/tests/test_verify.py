"""--verify: what it measures and when it fails; the comparison itself needs torch."""

import sys

import numpy as np
import pytest
from export.cli import main
from export.errors import ExportError
from export.reference.rows import (
    ImageTokens,
    batch_positions,
    padded,
    positions,
    prompted,
    prompted_pair,
)
from export.verify.comparison import Comparison, ScoreComparison, check
from small_qwen3_vl import write_qwen3_vl
from tokenizers import Tokenizer


def test_without_torch_nothing_is_exported(checkpoint, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    source = checkpoint("tiny-bert")
    arguments = ["mine", "--from", str(source), "--out", str(tmp_path / "models"), "--verify"]
    assert main(arguments) == 1
    error = capsys.readouterr().err
    assert "--verify needs torch" in error and error.count("\n") == 1
    assert not (tmp_path / "models").exists()


def test_a_comparison_has_the_worst_row_and_number():
    wanted = np.eye(2, 3, dtype=np.float32)
    found = np.array([[1, 0, 0], [0.6, 0.8, 0]], np.float32)
    comparison = Comparison.of("text", found, wanted)
    assert comparison.cosine == pytest.approx(0.8)
    assert comparison.error == pytest.approx(0.6)
    with pytest.raises(ExportError, match=r"text has the shape \(2, 3\), not \(2, 2\)"):
        Comparison.of("text", found, wanted[:, :2])


@pytest.mark.parametrize(
    ("precision", "cosine", "is_close"),
    [
        ("fp32", 0.999995, True),
        ("fp32", 0.99998, False),
        ("int8", 0.995, True),
        ("int4", 0.89, False),
        ("fp16", float("nan"), False),
    ],
)
def test_how_close_is_close_enough(precision, cosine, is_close):
    comparisons = [Comparison("vision", 3, 1.0, 0.0), Comparison("text", 3, cosine, 0.1)]
    if is_close:
        check(comparisons, precision)
        return
    with pytest.raises(ExportError, match="text has a cosine of"):
        check(comparisons, precision)


def test_scores_are_compared_as_probabilities():
    wanted = np.array([[0.0], [-200.0], [3.0]], np.float32)
    found = np.array([[0.4], [-900.0], [3.0]], np.float32)
    comparison = ScoreComparison.of("pairs", found, wanted)
    assert comparison.error == pytest.approx(700)
    assert comparison.difference == pytest.approx(1 / (1 + np.exp(-0.4)) - 0.5, abs=1e-6)


@pytest.mark.parametrize(
    ("precision", "difference", "is_close"),
    [
        ("fp32", 0.00005, True),
        ("fp32", 0.0002, False),
        ("fp16", 0.005, True),
        ("int8", 0.06, False),
        ("int4", 0.1, True),
        ("int4", float("nan"), False),
    ],
)
def test_how_close_scores_are_to_be(precision, difference, is_close):
    comparisons = [Comparison("vision", 3, 1.0, 0.0), ScoreComparison("pairs", 3, difference, 1.0)]
    if is_close:
        check(comparisons, precision)
        return
    with pytest.raises(ExportError, match="pairs has scores"):
        check(comparisons, precision)


def test_positions_count_on_behind_an_image():
    # a start, 2 x 3 features, an end, a text token
    row = [7, *[9] * 6, 8, 1]
    assert positions(row, [(2, 3)], 9).tolist() == [
        [0, 1, 1, 1, 1, 1, 1, 4, 5],
        [0, 1, 1, 1, 2, 2, 2, 4, 5],
        [0, 1, 2, 3, 1, 2, 3, 4, 5],
    ]
    both = batch_positions([row, [1, 2]], [[(2, 3)], []], 9)
    assert both.shape == (3, 2, 9) and both[:, 1, :2].tolist() == [[0, 1]] * 3


def test_padding_is_on_the_right():
    ids, mask = padded([[5, 6, 7], [5]], 1)
    assert ids.tolist() == [[5, 6, 7], [5, 1, 1]]
    assert mask.tolist() == [[1, 1, 1], [1, 0, 0]]
    assert padded([[5]], 1, 4)[0].shape == (1, 4)


def test_images_stand_before_the_text_of_a_prompt(tmp_path):
    folder = write_qwen3_vl(tmp_path / "source")
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokens = ImageTokens(259, 261, 260)
    row = prompted(tokenizer, "<|im_start|>{instruction}|{input}|", "i", "t", [(1, 2)], tokens)
    letters = {letter: tokenizer.token_to_id(letter) for letter in "it|"}
    assert row == [257, letters["i"], letters["|"], 259, 261, 261, 260, letters["t"], letters["|"]]


def test_images_stand_before_the_texts_of_both_sides(tmp_path):
    folder = write_qwen3_vl(tmp_path / "source")
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    template = "<|im_start|>{instruction}<{query}|{document}>"
    tokens = ImageTokens(259, 261, 260)

    def row(query, document):
        return prompted_pair(tokenizer, template, "i", query, document, tokens)

    def letters(text):
        return [tokenizer.token_to_id(letter) for letter in text]

    image = [259, 261, 261, 260]
    head = [257, *letters("i<")]
    assert row(("q", []), ("d", [])) == [*head, *letters("q|d>")]
    both = row(("q", [(1, 2)]), ("d", [(2, 1)]))
    assert both == [*head, *image, *letters("q|"), *image, *letters("d>")]
    assert row(("", []), ("d", [(1, 2)])) == [*head, *letters("|"), *image, *letters("d>")]
