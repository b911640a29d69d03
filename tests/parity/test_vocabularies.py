"""Token ids of two hundred sentences as the engine makes them, against transformers' recorded ones.

The vocabularies are real ones, which dev/vocabularies.sh fetches; what tokenizes is the crate's
example `tokenize`. Where either is missing the tests are skipped: they say which command makes it.
"""

import hashlib
import json
import os
import subprocess
from pathlib import Path

import pytest
from conftest import ROOT

RECORDED = json.loads(
    (ROOT / "tests/fixtures/reference/vocabularies.json").read_text(encoding="utf-8")
)
SENTENCES = [text * times for text, times in RECORDED["sentences"]]
FAMILIES = {"qwen3": "qwen3", "siglip2": "gemma", "xlm-roberta": "xlm-roberta"}


@pytest.fixture(scope="module")
def program() -> Path:
    """The example, built by `cargo build --release -p inference --example tokenize`."""
    place = os.environ.get("CARGO_TARGET_DIR", ROOT / "target")
    path = Path(os.environ.get("ITEMBANK_TOKENIZE", Path(place) / "release/examples/tokenize"))
    if not path.exists():
        pytest.skip(f"{path.name} is not built: cargo build --release -p inference --examples")
    return path


def vocabulary(name: str) -> Path:
    """The folder of a real vocabulary."""
    base = os.environ.get("ITEMBANK_VOCABULARIES") or ROOT / ".dev/vocabularies"
    if not (Path(base) / name / "tokenizer.json").exists():
        pytest.skip(f"no vocabulary of {name}: dev/vocabularies.sh fetches it")
    return Path(base) / name


def siglip2_tokenizer(folder: Path, target: Path, monkeypatch) -> Path:
    """What the exporter makes of Gemma's files in a SigLIP 2 checkpoint."""
    monkeypatch.syspath_prepend(str(ROOT / "models"))
    from export.siglip.tokenizer import SiglipTokenizer

    path = target / "tokenizer.json"
    SiglipTokenizer(folder, folder, None).write(path, rows=256_000)
    return path


@pytest.mark.parametrize("family", FAMILIES)
def test_ids_are_those_of_transformers(family, program, tmp_path, monkeypatch):
    folder = vocabulary(FAMILIES[family])
    path = folder / "tokenizer.json"
    if family == "siglip2":
        path = siglip2_tokenizer(folder, tmp_path, monkeypatch)
    # Of a user's text Qwen3-VL's special tokens are text.
    command = [program, *(["--plain"] if family == "qwen3" else []), path]
    lines = "".join(json.dumps(text) + "\n" for text in SENTENCES)
    ran = subprocess.run(command, input=lines.encode(), capture_output=True, check=True)
    found = [json.loads(line) for line in ran.stdout.splitlines()]
    assert len(found) == len(SENTENCES) == 200
    wrong = [
        f"{text[:60]!r}: {len(ids)} ids {ids[:20]}, recorded {count}"
        for text, ids, (count, digest) in zip(SENTENCES, found, RECORDED[family], strict=True)
        if len(ids) != count
        or hashlib.sha256(",".join(map(str, ids)).encode()).hexdigest()[:16] != digest
    ]
    assert not wrong, f"{len(wrong)} of {len(SENTENCES)}\n" + "\n".join(wrong)
