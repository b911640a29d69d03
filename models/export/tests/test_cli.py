"""What the command line writes and what it says when it cannot."""

import hashlib
import json
import tomllib

import pytest
from export.cli import main


def run(name, source, tmp_path, *more) -> int:
    return main([name, "--from", str(source), "--out", str(tmp_path / "models"), *more])


def edit(path, **changes):
    content = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**content, **changes}), encoding="utf-8")


def test_writes_a_complete_directory(checkpoint, tmp_path, caplog):
    caplog.set_level("INFO")
    assert run("mine", checkpoint("tiny-bert"), tmp_path) == 0
    folder = tmp_path / "models/mine"
    manifest = tomllib.loads((folder / "model.toml").read_text(encoding="utf-8"))
    files = manifest.pop("files")
    assert manifest == {
        "manifest_version": 1,
        "name": "mine",
        "architecture": "bert",
        "source": "tiny-bert",
        "license": "unknown",
        "precision": "fp32",
        "dimensions": 32,
        "max_tokens": 64,
        "pooling": "mean",
        "normalize": True,
        "matryoshka": [],
        "batch_invariant": True,
        "prompts": {"query": "query: ", "document": "passage: "},
        "text": {"graph": "model.onnx", "tokenizer": "tokenizer.json", "pad_token_id": 1},
    }
    assert {path.name for path in folder.iterdir()} == {*files, "model.toml"}
    for name, digest in files.items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest
    assert [path.name for path in (tmp_path / "models").iterdir()] == ["mine"]
    assert "layer 2 of 2" in caplog.messages
    assert (
        "query prompt 'query: ', document prompt 'passage: ', mean pooling, normalised,"
        " max_tokens 64"
    ) in caplog.messages


def test_prompts_of_the_command_line_come_first(checkpoint, tmp_path, capsys):
    source = checkpoint("tiny-bert")
    assert run("mine", source, tmp_path, "--prompt-query", "") == 0
    manifest = tomllib.loads((tmp_path / "models/mine/model.toml").read_text(encoding="utf-8"))
    assert manifest["prompts"] == {"query": "", "document": "passage: "}
    assert run("KURE-v1", source, tmp_path, "--prompt-query", "q") == 1
    assert "the prompts of KURE-v1 are known" in capsys.readouterr().err


def test_the_same_input_gives_the_same_bytes(checkpoint, tmp_path):
    source = checkpoint("tiny-last")
    manifests = []
    for _ in range(2):
        assert run("mine", source, tmp_path) == 0
        manifests.append((tmp_path / "models/mine/model.toml").read_bytes())
    assert manifests[0] == manifests[1]


def test_replacing_leaves_an_opened_file_as_it_was(checkpoint, tmp_path):
    run("mine", checkpoint("tiny-bert"), tmp_path)
    with (tmp_path / "models/mine/model.onnx.data").open("rb") as mapped:
        before = mapped.read()
        run("mine", checkpoint("tiny-cls"), tmp_path)
        mapped.seek(0)
        assert mapped.read() == before


def test_a_checkpoint_inside_a_package_is_found(checkpoint, tmp_path):
    assert run("mine", checkpoint("tiny-cls").parent, tmp_path) == 0


def test_tokenizer_loses_truncation_and_padding(checkpoint, tmp_path):
    source = checkpoint("tiny-bert")
    cut = {"direction": "Right", "max_length": 9, "strategy": "LongestFirst", "stride": 0}
    edit(source / "tokenizer.json", truncation=cut)
    run("mine", source, tmp_path)
    written = json.loads((tmp_path / "models/mine/tokenizer.json").read_text(encoding="utf-8"))
    assert written["truncation"] is None
    assert written["padding"] is None


MISTAKES = {
    "no checkpoint": (lambda s: (s / "config.json").unlink(), "holds no checkpoint"),
    "no weights": (lambda s: (s / "model.safetensors").unlink(), "no *.safetensors"),
    "broken weights": (lambda s: (s / "model.safetensors").write_bytes(b"x"), "cannot read"),
    "no tokenizer": (lambda s: (s / "tokenizer.json").unlink(), "has no tokenizer.json"),
    "no pooling": (lambda s: (s / "1_Pooling/config.json").unlink(), "says how token vectors"),
    "max pooling": (
        lambda s: edit(
            s / "1_Pooling/config.json",
            pooling_mode_max_tokens=True,
            pooling_mode_mean_tokens=False,
        ),
        "only mean, cls or last token",
    ),
    "dense step": (
        lambda s: (s / "modules.json").write_text(
            '[{"type": "a.Dense", "path": "2_Dense"}]', "utf-8"
        ),
        "unsupported modules: Dense",
    ),
    "architecture": (lambda s: edit(s / "config.json", model_type="t5"), "model_type 't5'"),
    "activation": (lambda s: edit(s / "config.json", hidden_act="relu"), "hidden_act 'relu'"),
    "bad json": (lambda s: (s / "config.json").write_text("{", "utf-8"), "cannot read"),
    "small vocabulary": (lambda s: edit(s / "config.json", vocab_size=9), "only 9 rows"),
    "too many layers": (lambda s: edit(s / "config.json", num_hidden_layers=3), "says 3"),
    "too few layers": (lambda s: edit(s / "config.json", num_hidden_layers=1), "weights of 2"),
    "a list": (lambda s: (s / "config.json").write_text("[]", "utf-8"), "is no JSON object"),
    "no vocabulary size": (lambda s: edit(s / "config.json", vocab_size=None), "no vocab_size"),
    "padding": (lambda s: edit(s / "config.json", pad_token_id="x"), "pad_token_id is 'x'"),
    "heads": (lambda s: edit(s / "config.json", num_attention_heads=5), "no multiple of 5 heads"),
    "unknown prompts": (
        lambda s: edit(s / "config_sentence_transformers.json", prompts={"s2p_query": "s: "}),
        "say which with --prompt-query TEXT and --prompt-document TEXT",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_line_and_leaves_nothing(checkpoint, tmp_path, capsys, mistake):
    spoil, message = MISTAKES[mistake]
    source = checkpoint("tiny-bert")
    spoil(source)
    assert run("mine", source, tmp_path) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: ") and message in error and error.count("\n") == 1
    assert not list((tmp_path / "models").glob("*"))


def test_a_known_name_wants_its_own_checkpoint(checkpoint, tmp_path, capsys):
    assert run("all-MiniLM-L6-v2", checkpoint("tiny-bert"), tmp_path) == 1
    assert "has dimensions 384, but tiny-bert has 32" in capsys.readouterr().err


def test_an_interrupt_is_one_line(checkpoint, tmp_path, capsys, monkeypatch):
    def interrupted(*_arguments, **_options):
        raise KeyboardInterrupt

    monkeypatch.setattr("export.cli.export_model", interrupted)
    assert run("mine", checkpoint("tiny-bert"), tmp_path) == 130
    assert capsys.readouterr().err == "error: interrupted\n"


def test_names_that_leave_the_directory_are_refused(checkpoint, tmp_path, capsys):
    assert run("../mine", checkpoint("tiny-bert"), tmp_path) == 1
    assert "is no model name" in capsys.readouterr().err
