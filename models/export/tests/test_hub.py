"""A hub's id instead of a folder."""

import sys
import types

import pytest
from export.cli import main
from export.errors import ExportError
from export.hub import is_hub_id
from export.source import open_source


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        ("google/siglip-base-patch16-224", True),
        ("./models/x", False),
        ("x", False),
        ("a/b/c", False),
        ("../x", False),
        ("/x/y", False),
    ],
)
def test_what_an_id_looks_like(place, expected):
    assert is_hub_id(place) is expected


def test_without_the_package_it_says_what_to_install(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    assert main(["mine", "--from", "some/model", "--out", str(tmp_path)]) == 1
    error = capsys.readouterr().err
    assert "pip install huggingface_hub" in error and error.count("\n") == 1


def test_a_download_is_opened_as_a_folder(checkpoint, monkeypatch):
    folder, asked = checkpoint("tiny-bert"), []

    def snapshot_download(model, **patterns):
        asked.append((model, patterns))
        return str(folder)

    module = types.SimpleNamespace(snapshot_download=snapshot_download)
    monkeypatch.setitem(sys.modules, "huggingface_hub", module)
    source = open_source("some/model")
    assert source.folder == folder and source.name == "some/model"
    assert asked[0][0] == "some/model" and "*.safetensors" in asked[0][1]["allow_patterns"]


def test_what_goes_wrong_there_is_one_line(monkeypatch):
    def snapshot_download(_model, **_patterns):
        raise RuntimeError("no such model\nand much more")

    module = types.SimpleNamespace(snapshot_download=snapshot_download)
    monkeypatch.setitem(sys.modules, "huggingface_hub", module)
    with pytest.raises(ExportError, match="hub does not give it: no such model$"):
        open_source("some/model")
