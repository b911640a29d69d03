"""The ONNX Runtime library: missing, not a library, not ONNX Runtime, too old."""

import shutil
import subprocess
from pathlib import Path

import pytest
from conftest import embed, fails, setting

# An engine process has one library for all sessions: tests/engine.
pytestmark = pytest.mark.backend

EMBED = "SELECT embed('tiny-bert', 'a')"
NOT_IN_PREREQUISITE_STATE = "55000"

OLD = """
struct base { const void *(*api)(unsigned); const char *(*version)(void); };
static const void *api(unsigned v) { (void)v; return 0; }
static const char *version(void) { return "1.16.3"; }
static const struct base it = { api, version };
const struct base *OrtGetApiBase(void) { return &it; }
"""


@pytest.fixture
def place():
    """A folder that the server can read."""
    folder = Path(setting("ITEMBANK_TEST_DATA")).parent / "libraries"
    folder.mkdir(exist_ok=True)
    yield folder
    shutil.rmtree(folder)


def compiled(folder, name, source):
    library = folder / name
    (folder / "source.c").write_text(source)
    command = ["cc", "-shared", "-fPIC", "-o", library, folder / "source.c"]
    subprocess.run(command, check=True)
    return library


def use(connection, library):
    value = (str(library),)
    connection.execute("SELECT set_config('itembank_embed.onnxruntime_path', %s, false)", value)


def test_each_says_what_is_wrong_and_the_right_one_works_in_the_same_session(with_models, place):
    text = place / "libtext.so"
    text.write_text("not a library")
    cases = {
        place / "libmissing.so": "No such file",
        text: "libtext.so",
        compiled(place, "libother.so", "int other(void) { return 1; }"): "OrtGetApiBase",
        compiled(place, "libold.so", OLD): "1.16.3",
    }
    for library, said in cases.items():
        use(with_models, library)
        error = fails(with_models, NOT_IN_PREREQUISITE_STATE, EMBED)
        assert said in error.diag.message_detail, error.diag.message_detail
        assert str(place) not in str(error)
    use(with_models, setting("ITEMBANK_ORT"))
    assert len(embed(with_models, "tiny-bert", "a")) == 32


def test_a_second_library_in_one_session_is_refused(with_models, place):
    assert len(embed(with_models, "tiny-bert", "a")) == 32
    use(with_models, place / "libother.so")
    error = fails(with_models, NOT_IN_PREREQUISITE_STATE, EMBED)
    assert "Reconnect" in error.diag.message_hint
