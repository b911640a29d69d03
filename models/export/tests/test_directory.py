"""A replaced directory is the old one or the new one, whatever happens."""

from pathlib import Path

import pytest
from export.directory import replaced


def write(target: Path, text: str) -> None:
    with replaced(target) as folder:
        (folder / "model.toml").write_text(text, encoding="utf-8")


def interrupted_at(call: int, monkeypatch) -> None:
    """Ctrl-C instead of the rename of that number."""
    rename, calls = Path.rename, []

    def interrupted(path: Path, target: Path) -> Path:
        calls.append(path)
        if len(calls) == call:
            raise KeyboardInterrupt
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", interrupted)


@pytest.mark.parametrize("call", [1, 2])
def test_an_interrupt_between_the_renames_leaves_the_old_one(tmp_path, monkeypatch, call):
    target = tmp_path / "mine"
    write(target, "old")
    interrupted_at(call, monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        write(target, "new")
    assert (target / "model.toml").read_text(encoding="utf-8") == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_an_interrupt_of_the_first_export_leaves_nothing(tmp_path, monkeypatch):
    interrupted_at(1, monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path / "mine", "new")
    assert not list(tmp_path.iterdir())
