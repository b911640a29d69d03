"""SigLIP's tokenizers do everything from the raw text."""

import json

import pytest
from export.errors import ExportError
from export.siglip.spm import message_class
from export.siglip.tokenizer import SiglipTokenizer
from small_siglip import byte_pair_tokenizer, write_sentencepiece
from tokenizers import Tokenizer


def built(folder, architecture="siglip"):
    tokenizer = SiglipTokenizer(folder, folder, None)
    assert tokenizer.architecture == architecture
    target = folder / "written.json"
    return tokenizer.write(target, 100), Tokenizer.from_file(str(target))


CANONICAL = {
    "ab": ["▁ab", "</s>"],
    "A-B, 'ab'!": ["▁ab", "▁ab", "</s>"],
    "(Cat)s": ["▁cat", "s", "</s>"],
    "ab  \t\n　\x1c ab": ["▁ab", "▁ab", "</s>"],
    "수학": ["▁수", "학", "</s>"],
    "▁ab": ["▁", "▁ab", "</s>"],  # as SiglipTokenizer: its own ▁, then white space
    "": ["</s>"],
    " .,! ": ["</s>"],
    "<pad>": ["▁pad", "</s>"],
}


@pytest.mark.parametrize("text", CANONICAL)
def test_sentencepiece_as_siglip_uses_it(tmp_path, text):
    write_sentencepiece(tmp_path / "spiece.model")
    pad_id, tokenizer = built(tmp_path)
    assert pad_id == 1
    assert tokenizer.encode(text).tokens == CANONICAL[text]


def test_unknown_letters_are_one_token(tmp_path):
    write_sentencepiece(tmp_path / "spiece.model")
    assert built(tmp_path)[1].encode("ab 漢字").ids[-2:] == [2, 1]


def test_special_tokens_are_split_off(tmp_path):
    write_sentencepiece(tmp_path / "spiece.model")
    assert built(tmp_path)[1].encode("ab <unk>").ids == [7, 2, 1]


def test_a_control_piece_is_not_made_of_text(tmp_path):
    # what becomes < and > behind the canonicalisation, as full-width forms do under NFKC
    write_sentencepiece(tmp_path / "spiece.model")
    content = json.loads(_written(tmp_path))
    content["normalizer"] = None
    tokens = Tokenizer.from_str(json.dumps(content | {"added_tokens": []})).encode("▁<pad>").tokens
    assert tokens == ["▁", "<", "p", "a", "d", ">", "</s>"]


def _written(folder):
    built(folder)
    return (folder / "written.json").read_text(encoding="utf-8")


def test_a_tokenizer_json_gets_the_canonicalisation(tmp_path):
    write_sentencepiece(tmp_path / "spiece.model")
    own = json.loads(_written(tmp_path))
    (tmp_path / "spiece.model").unlink()
    own["normalizer"], own["post_processor"] = None, None
    own["pre_tokenizer"] = {
        "type": "Metaspace",
        "replacement": "▁",
        "prepend_scheme": "first",
        "split": False,
    }
    (tmp_path / "tokenizer.json").write_text(json.dumps(own), encoding="utf-8")
    _, tokenizer = built(tmp_path)
    assert tokenizer.encode("(Cat)s  AB").tokens == ["▁cat", "s", "▁ab", "</s>"]


def test_siglip2_is_lowered_and_ends_with_eos(tmp_path):
    (tmp_path / "tokenizer.json").write_text(json.dumps(byte_pair_tokenizer()), encoding="utf-8")
    pad_id, tokenizer = built(tmp_path, "siglip2")
    assert pad_id == 0
    assert tokenizer.encode("Ab <TABLE>.").tokens == [
        *["a", "b", "▁", "<table>", "<unk>", "<eos>"],
    ]
    assert tokenizer.encode("").tokens == ["<eos>"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\xff\xff\xff", "cannot read"),
        (b"", "it has no pieces"),
    ],
)
def test_a_damaged_model_is_refused(tmp_path, content, message):
    (tmp_path / "spiece.model").write_bytes(content)
    with pytest.raises(ExportError, match=message):
        built(tmp_path)


@pytest.mark.parametrize(
    ("part", "key", "value"),
    [
        ("trainer", "model_type", 2),
        ("trainer", "treat_whitespace_as_suffix", True),
        ("normalizer", "escape_whitespaces", False),
    ],
)
def test_another_kind_of_model_is_refused(tmp_path, part, key, value):
    path = tmp_path / "spiece.model"
    write_sentencepiece(path)
    model = message_class()()
    model.ParseFromString(path.read_bytes())
    setattr(getattr(model, part), key, value)
    path.write_bytes(model.SerializeToString())
    with pytest.raises(ExportError, match=r"only unigram|not supported"):
        built(tmp_path)
