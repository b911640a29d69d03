"""install.sh of the tarball, on a PostgreSQL that consists of folders and a pg_config."""

import shutil
import subprocess
from pathlib import Path

import pytest
from conftest import ROOT

# Needs no server, hence once: with one of the two engines.
pytestmark = pytest.mark.backend

MODEL = "models/multilingual-e5-small"
FILES = (
    "lib/itembank_embed.so",
    "lib/itembank-engine",
    "lib/libonnxruntime.so",
    "extension/itembank_embed.control",
    "extension/itembank_embed--1.sql",
    f"{MODEL}/manifest.json",
    f"{MODEL}/model.onnx",
)


class Tarball:
    """One that is unpacked, and the PostgreSQL for it, whose folders have spaces in their names."""

    def __init__(self, place: Path, text: str) -> None:
        self.server = place / "a server"
        self.folders = {
            "lib": self.server / "the lib",
            "extension": self.server / "share/extension",
            "models": self.server / "share/itembank_embed/models",
        }
        self.here = place / text
        for name in FILES:
            (self.here / name).parent.mkdir(parents=True, exist_ok=True)
            (self.here / name).write_text(f"{text} {name}")
        shutil.copy(ROOT / "packaging/tarball/install.sh", self.here)
        (self.here / "VERSION").write_text("PostgreSQL 17\n")
        for folder in (self.folders["lib"], self.folders["extension"]):
            folder.mkdir(parents=True, exist_ok=True)
        self.config = self.server / "pg_config"
        self.config.write_text(
            f"""#!/bin/sh
            case $1 in
                --version) echo 'PostgreSQL 17.2' ;;
                --pkglibdir) echo '{self.folders["lib"]}' ;;
                --sharedir) echo '{self.server}/share' ;;
            esac
            """
        )
        self.config.chmod(0o755)

    def run(self, *options: str, umask=0o022) -> subprocess.CompletedProcess:
        command = [self.here / "install.sh", *options, self.config]
        return subprocess.run(command, capture_output=True, text=True, check=False, umask=umask)

    def install(self) -> None:
        done = self.run()
        assert done.returncode == 0, done.stderr

    def place(self, name: str) -> Path:
        """Where a file of the tarball goes."""
        folder, rest = name.split("/", 1)
        return self.folders[folder] / rest

    def found(self) -> dict[str, str]:
        """What is in the PostgreSQL's folders, by its path there."""
        files = (file for file in self.server.rglob("*") if file.is_file() and file != self.config)
        return {str(file.relative_to(self.server)): file.read_text() for file in files}

    def is_installed(self) -> bool:
        return all((self.here / x).read_text() == self.place(x).read_text() for x in FILES)


@pytest.fixture
def tarball(tmp_path) -> Tarball:
    return Tarball(tmp_path, "new")


def test_everything_comes_and_goes(tarball):
    assert tarball.found() == {}
    tarball.install()
    assert tarball.is_installed()
    tarball.install()
    assert tarball.is_installed()
    done = tarball.run("--uninstall")
    assert (done.returncode, done.stderr) == (0, "")
    assert tarball.found() == {}
    assert not (tarball.server / "share/itembank_embed").exists()


@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_the_servers_user_can_read_it(tarball, umask):
    done = tarball.run(umask=umask)
    assert done.returncode == 0, done.stderr
    modes = {tarball.place(name): tarball.place(name).stat().st_mode & 0o777 for name in FILES}
    programs = tarball.folders["lib"]
    assert all(
        mode == (0o755 if file.parent == programs else 0o644) for file, mode in modes.items()
    )
    folders = [tarball.place(MODEL), *tarball.place(MODEL).parents][:3]
    assert [folder.stat().st_mode & 0o777 for folder in folders] == [0o755] * 3


@pytest.mark.parametrize("name", FILES)
def test_what_another_put_there_stays(tarball, name):
    other = tarball.place(name)
    other.parent.mkdir(parents=True, exist_ok=True)
    other.write_text("another's")
    before = tarball.found()
    done = tarball.run()
    assert done.returncode == 1
    assert str(other if MODEL not in name else other.parent) in done.stderr
    assert tarball.found() == before
    done = tarball.run("--uninstall")
    assert done.returncode == 1 and "install.sh has put nothing" in done.stderr
    assert tarball.found() == before


def test_a_link_of_anothers_stays(tarball):
    other = tarball.place("lib/libonnxruntime.so")
    other.symlink_to("libonnxruntime.so.1")
    assert tarball.run().returncode == 1
    assert other.is_symlink()


def test_the_same_from_another_serves_and_stays(tarball):
    """As where two extensions bring the same library."""
    same = ("lib/libonnxruntime.so", f"{MODEL}/manifest.json", f"{MODEL}/model.onnx")
    for name in same:
        tarball.place(name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(tarball.here / name, tarball.place(name))
    before = tarball.found()
    tarball.install()
    assert tarball.is_installed()
    assert tarball.run("--uninstall").returncode == 0
    assert tarball.found() == before


def test_another_version_over_it(tarball, tmp_path):
    tarball.install()
    later = Tarball(tmp_path, "later")
    (later.here / f"{MODEL}/model.onnx").rename(later.here / f"{MODEL}/other.onnx")
    done = later.run()
    assert done.returncode == 0, done.stderr
    assert not later.place(f"{MODEL}/model.onnx").exists()
    assert later.place("lib/libonnxruntime.so").read_text() == "later lib/libonnxruntime.so"
    # By either: what was put there is written down there.
    assert tarball.run("--uninstall").returncode == 0
    assert tarball.found() == {}


@pytest.mark.parametrize("name", ["lib/libonnxruntime.so", f"{MODEL}/model.onnx"])
def test_what_another_has_changed_since_stays(tarball, tmp_path, name):
    tarball.install()
    tarball.place(name).unlink()
    tarball.place(name).write_text("another's")
    before = tarball.found()
    assert Tarball(tmp_path, "later").run().returncode == 1
    assert tarball.found() == before
    done = tarball.run("--uninstall")
    assert done.returncode == 0 and str(tarball.place(name)) in done.stderr
    assert list(tarball.found().values()) == ["another's"]


def test_a_file_of_anothers_in_a_models_folder_stays(tarball, tmp_path):
    tarball.install()
    other = tarball.place(f"{MODEL}/notes")
    other.write_text("another's")
    assert Tarball(tmp_path, "later").run().returncode == 1
    assert tarball.run("--uninstall").returncode == 0
    assert list(tarball.found().values()) == ["another's"]
