"""What is derived from a sentence-transformers folder: cases shared with the server."""

import json

import pytest
from conftest import ROOT
from export.encoder import EncoderConfig
from export.errors import ExportError
from export.huggingface import derive_spec
from export.jsonfile import read_object
from export.sequence_classification import derive_cross_encoder, is_cross_encoder

LAYOUTS = ROOT / "tests/fixtures/layouts/sentence_transformers.json"
SHARED = json.loads(LAYOUTS.read_text(encoding="utf-8"))
CROSS_ENCODERS = SHARED["cross_encoders"]


def cases(group):
    """By name, without those of the server."""
    return {case["name"]: case for case in group["cases"] if case.get("only") != "server"}


CASES, PAIR_CASES = cases(SHARED), cases(CROSS_ENCODERS)


def write(folder, files):
    for name, content in files.items():
        if content is not None:
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            text = content if isinstance(content, str) else json.dumps(content)
            path.write_text(text, encoding="utf-8")


@pytest.mark.parametrize("name", CASES)
def test_is_derived_or_refused(tmp_path, name):
    case = CASES[name]
    write(tmp_path, {**SHARED["base_files"], **case["files"]})
    if case["expected"] == "refused":
        with pytest.raises(ExportError) as refused:
            derive_spec("mine", tmp_path)
        assert "\n" not in str(refused.value)
        return
    assert not is_cross_encoder(read_object(tmp_path / "config.json"), tmp_path)
    spec = derive_spec("mine", tmp_path)
    assert {
        "architecture": spec.architecture,
        "dimensions": spec.dimensions,
        "max_tokens": spec.max_tokens,
        "pooling": spec.pooling,
        "normalize": spec.normalize,
        **spec.prompts,
        "pad_token_id": EncoderConfig.from_dict(read_object(tmp_path / "config.json")).pad_id,
    } == {**SHARED["base_expected"], **case["expected"]}


def derive_any(folder):
    """As the exporter goes about a folder whose name no catalog knows."""
    if is_cross_encoder(read_object(folder / "config.json"), folder):
        return derive_cross_encoder("mine", folder)
    return derive_spec("mine", folder)


@pytest.mark.parametrize("name", PAIR_CASES)
def test_a_cross_encoder_is_derived_or_refused(tmp_path, name):
    case = PAIR_CASES[name]
    write(tmp_path, {**CROSS_ENCODERS["base_files"], **case["files"]})
    if case["expected"] == "refused":
        with pytest.raises(ExportError) as refused:
            derive_any(tmp_path)
        assert "\n" not in str(refused.value)
        return
    spec = derive_any(tmp_path)
    assert {
        "architecture": spec.architecture,
        "max_tokens": spec.max_tokens,
        "activation": spec.activation,
        "pad_token_id": EncoderConfig.from_dict(read_object(tmp_path / "config.json")).pad_id,
    } == {**CROSS_ENCODERS["base_expected"], **case["expected"]}
    assert spec.is_reranker and spec.dimensions is None and not spec.prompts


UNKNOWN = {"config_sentence_transformers.json": {"prompts": {"s2p_query": "s: "}}}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"query": "q: "}, {"query": "q: ", "document": ""}),
        ({"query": "", "document": "d: "}, {"query": "", "document": "d: "}),
    ],
)
def test_prompts_that_the_user_gives_come_first(tmp_path, given, expected):
    write(tmp_path, {**SHARED["base_files"], **UNKNOWN})
    assert derive_spec("mine", tmp_path, given).prompts == expected


@pytest.mark.parametrize(
    ("card", "expected"),
    [
        ("---\nlanguage: ko\nlicense: mit\n---\n# Card\n", "mit"),
        ('---\r\nlicense: "apache-2.0"\r\n---\r\n', "apache-2.0"),
        ("---\nlanguage: ko\n---\nlicense: mit\n", "unknown"),
        ("---\nlanguage: ko\n---\n```\n---\nlicense: mit\n---\n```\n", "unknown"),
        ("---\nlicense:\nlanguage: ko\n---\n", "unknown"),
        ("# Card\nlicense: mit\n", "unknown"),
    ],
)
def test_the_licence_is_that_of_the_front_matter(tmp_path, card, expected):
    write(tmp_path, SHARED["base_files"])
    (tmp_path / "README.md").write_bytes(card.encode())
    assert derive_spec("mine", tmp_path).license == expected
