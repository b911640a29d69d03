"""META.json as dev/package.sh makes it: valid by PGXN Meta Spec 1.0, and true of the project."""

import json
import os
import re
import subprocess
import tomllib

import pytest
from conftest import ROOT

# Needs no server, hence once: with one of the two engines.
pytestmark = pytest.mark.backend

TERM = re.compile(r"[^\s/\\\x00-\x1f\x7f]{2,}")
SEMANTIC_VERSION = re.compile(
    r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?(\+[0-9A-Za-z.-]+)?"
)
LICENSES = {
    *("agpl_3", "apache_1_1", "apache_2_0", "artistic_1", "artistic_2", "bsd", "freebsd"),
    *("gfdl_1_2", "gfdl_1_3", "gpl_1", "gpl_2", "gpl_3", "lgpl_2_1", "lgpl_3_0", "mit"),
    *("mozilla_1_0", "mozilla_1_1", "openssl", "perl_5", "postgresql", "qpl_1_0", "ssleay", "sun"),
    *("zlib", "open_source", "restricted", "unrestricted", "unknown"),
}
KEYS = {
    *("abstract", "description", "generated_by", "license", "maintainer", "meta-spec", "name"),
    *("no_index", "prereqs", "provides", "release_status", "resources", "tags", "version"),
}
PHASES = {"configure", "build", "test", "runtime", "develop"}
RELATIONSHIPS = {"requires", "recommends", "suggests", "conflicts"}


@pytest.fixture(scope="module")
def meta() -> dict:
    maintainer = {"DEBFULLNAME": "Kim Maintainer", "DEBEMAIL": "kim@example.org"}
    command = [ROOT / "dev" / "package.sh", "meta"]
    done = subprocess.run(
        command, check=True, capture_output=True, text=True, env=os.environ | maintainer
    )
    return json.loads(done.stdout)


def cargo_version() -> str:
    return tomllib.loads((ROOT / "Cargo.toml").read_text())["workspace"]["package"]["version"]


def test_required_keys(meta):
    required = {"name", "version", "abstract", "maintainer", "license", "provides", "meta-spec"}
    assert required <= meta.keys()
    assert all(key in KEYS or key.lower().startswith("x_") for key in meta)
    assert TERM.fullmatch(meta["name"])
    assert meta["abstract"] and isinstance(meta["abstract"], str)
    assert meta["maintainer"] == "Kim Maintainer <kim@example.org>"
    assert meta["license"] in LICENSES
    assert meta["meta-spec"]["version"] == "1.0.0"
    assert meta["release_status"] in {"stable", "testing", "unstable"}


def test_optional_keys(meta):
    assert all(isinstance(tag, str) and 0 < len(tag) < 256 for tag in meta["tags"])
    assert meta["no_index"].keys() <= {"file", "directory"}
    assert meta["prereqs"].keys() <= PHASES
    for phase in meta["prereqs"].values():
        assert phase.keys() <= RELATIONSHIPS
        for versions in phase.values():
            assert all(SEMANTIC_VERSION.fullmatch(version) for version in versions.values())


def test_the_version_is_that_of_cargo(meta):
    assert SEMANTIC_VERSION.fullmatch(meta["version"])
    assert meta["version"] == cargo_version()
    assert [extension["version"] for extension in meta["provides"].values()] == [cargo_version()]


def test_every_named_file_is_there(meta):
    assert meta["provides"].keys() == {path.stem for path in ROOT.glob("*.control")}
    for extension in meta["provides"].values():
        for key in ("file", "docfile"):
            assert (ROOT / extension[key]).is_file(), extension[key]
    for directory in meta["no_index"]["directory"]:
        assert (ROOT / directory).is_dir(), directory


def test_the_lowest_server_is_the_lowest_feature(meta):
    features = tomllib.loads((ROOT / "Cargo.toml").read_text())["features"]
    lowest = min(int(name.removeprefix("pg")) for name in features if name != "default")
    assert meta["prereqs"]["runtime"]["requires"]["PostgreSQL"] == f"{lowest}.0.0"
