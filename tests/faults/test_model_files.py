"""Damaged model directories: a clear error, and the same session works after the repair."""

import hashlib
import shutil

import psycopg
import pytest
from conftest import FIXTURES, ROOT, fails

MODEL = "tiny-bert"
EMBED = f"SELECT embed('{MODEL}', '두 근의 합')::text"
CONFIG_FILE_ERROR = "F0000"


def truncate(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flip_a_bit(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def garbage(path):
    path.write_bytes(b"this is no model" * 100)


def empty(path):
    path.write_bytes(b"")


DAMAGES = [truncate, flip_a_bit, garbage, empty, lambda path: path.unlink()]
NAMES = ["truncated", "bit-flipped", "garbage", "empty", "missing"]
FILES = ["model.onnx", "model.onnx.data", "tokenizer.json"]


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("damage", DAMAGES, ids=NAMES)
def test_checksums_notice_damage_and_the_session_recovers(with_models, models, file, damage):
    damage(models / MODEL / file)
    error = fails(with_models, CONFIG_FILE_ERROR, EMBED)
    assert file in error.diag.message_primary
    assert str(models) not in str(error), "paths are nobody's business"
    assert with_models.execute(
        "SELECT count(*) FROM models() WHERE name = %s AND NOT loaded", (MODEL,)
    ).fetchone() == (1,)
    shutil.copy(FIXTURES / MODEL / file, models / MODEL / file)
    repaired = with_models.execute(EMBED).fetchone()
    assert len(repaired[0].split(",")) == 32


def sign(models, file):
    """Writes the damaged file's own checksum into the manifest, so that ONNX Runtime meets it."""
    manifest = models / MODEL / "model.toml"
    found = hashlib.sha256((models / MODEL / file).read_bytes()).hexdigest()
    good = hashlib.sha256((FIXTURES / MODEL / file).read_bytes()).hexdigest()
    text = manifest.read_text()
    assert good in text
    manifest.write_text(text.replace(good, found))


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("damage", [truncate, garbage, empty])
def test_what_checksums_let_through_is_still_an_error(with_models, models, file, damage):
    damage(models / MODEL / file)
    sign(models, file)
    error = fails(with_models, CONFIG_FILE_ERROR, EMBED)
    assert MODEL in error.diag.message_primary
    assert str(models) not in str(error)
    shutil.rmtree(models / MODEL)
    shutil.copytree(FIXTURES / MODEL, models / MODEL)
    assert with_models.execute(EMBED).fetchone()


def test_a_tokenizer_that_is_not_json(with_models, models):
    (models / MODEL / "tokenizer.json").write_text("{")
    sign(models, "tokenizer.json")
    error = fails(with_models, CONFIG_FILE_ERROR, EMBED)
    assert "tokenizer" in error.diag.message_primary


ZEROS = "0" * 64

MANIFESTS = {
    "unknown key": ("pooling =", "pooling_mode = 1\npooling =", "pooling_mode"),
    "no dimensions": ("dimensions = 32\n", "", "dimensions"),
    "zero dimensions": ("dimensions = 32", "dimensions = 0", "dimensions is 0"),
    "absurd tokens": ("max_tokens = 64", "max_tokens = 99999999", "max_tokens"),
    "negative": ("max_tokens = 64", "max_tokens = -1", "-1"),
    "other size": ("dimensions = 32", "dimensions = 48", "dimensions"),
    "not TOML": ("pooling =", "pooling ==", "not valid"),
    "other name": ('name = "tiny-bert"', 'name = "large-bert"', "large-bert"),
    "unlisted file": ('graph = "model.onnx"', 'graph = "other.onnx"', "no checksum"),
    "escape": ("[files]", f'[files]\n"../tiny-cls/model.onnx" = "{ZEROS}"', "outside"),
    "absolute": ("[files]", f'[files]\n"/etc/passwd" = "{ZEROS}"', "outside"),
    "NUL": ("[files]", f'[files]\n"model\\u0000.onnx" = "{ZEROS}"', "outside"),
}


@pytest.mark.parametrize("name", MANIFESTS)
def test_bad_manifests(with_models, models, name):
    old, new, said = MANIFESTS[name]
    manifest = models / MODEL / "model.toml"
    text = manifest.read_text()
    assert old in text
    manifest.write_text(text.replace(old, new, 1))
    error = fails(with_models, CONFIG_FILE_ERROR, EMBED)
    assert said in error.diag.message_primary
    manifest.write_text(text)
    assert with_models.execute(EMBED).fetchone()


def test_a_manifest_that_is_not_utf8_or_far_too_large(with_models, models):
    manifest = models / MODEL / "model.toml"
    text = manifest.read_bytes()
    for content in (text + b"\n# \xff\n", text + b"#" * 70_000):
        manifest.write_bytes(content)
        fails(with_models, CONFIG_FILE_ERROR, EMBED)
    manifest.write_bytes(text)
    assert with_models.execute(EMBED).fetchone()


def test_links_that_leave_the_model_path(with_models, models):
    secret = models.parent / "secret.json"
    secret.write_text("{}")
    (models / MODEL / "tokenizer.json").unlink()
    (models / MODEL / "tokenizer.json").symlink_to(secret)
    error = fails(with_models, CONFIG_FILE_ERROR, EMBED)
    assert "leaves the model path" in error.diag.message_primary
    (models / "linked").symlink_to("/etc")
    fails(with_models, CONFIG_FILE_ERROR, "SELECT embed('linked', 'a')")


def drop_from_manifest(models, file):
    manifest = models / MODEL / "model.toml"
    kept = [line for line in manifest.read_text().splitlines() if not line.startswith(f'"{file}"')]
    manifest.write_text("\n".join(kept))


def test_external_data_outside_of_the_directory_is_not_read(with_models, models):
    """A graph that names its weights by a path that leaves the directory, though they are right."""
    import onnx

    (models / "elsewhere").mkdir()
    shutil.move(models / MODEL / "model.onnx.data", models / "elsewhere" / "weights")
    drop_from_manifest(models, "model.onnx.data")

    graph = onnx.load(models / MODEL / "model.onnx", load_external_data=False)
    for tensor in graph.graph.initializer:
        for entry in tensor.external_data:
            if entry.key == "location":
                entry.value = "../elsewhere/weights"
    onnx.save(graph, models / MODEL / "model.onnx")
    sign(models, "model.onnx")
    error = fails(with_models, CONFIG_FILE_ERROR, EMBED)
    assert str(models) not in str(error) and str(models.parent) not in str(error)


def test_a_model_that_is_replaced_is_noticed(with_models, models):
    before = with_models.execute(EMBED).fetchone()
    target = models / MODEL
    shutil.rmtree(target)
    shutil.copytree(FIXTURES / "tiny-cls", target)
    manifest = target / "model.toml"
    manifest.write_text(manifest.read_text().replace('"tiny-cls"', f'"{MODEL}"'))
    after = with_models.execute(EMBED).fetchone()
    assert len(after[0].split(",")) == 16 and after != before


def test_directories_that_are_no_models_are_listed_with_their_problem(with_models, models):
    (models / "notes").mkdir()
    (models / "notes" / "readme.txt").write_text("no model here")
    (models / "half").mkdir()
    (models / "half" / "config.json").write_text("{}")
    shutil.copytree(FIXTURES / MODEL, models / "renamed")
    rows = dict(with_models.execute("SELECT name, problem FROM models()").fetchall())
    assert rows[MODEL] is None
    for name in ("notes", "half", "renamed"):
        assert rows[name], name
        fails(with_models, CONFIG_FILE_ERROR, "SELECT embed(%s, 'a')", (name,))


def test_a_file_beside_the_graph_without_a_checksum(with_models, models):
    (models / MODEL / "weights.bin").write_bytes(b"x")
    error = fails(with_models, CONFIG_FILE_ERROR, EMBED)
    assert "weights.bin" in error.diag.message_primary
    (models / MODEL / "weights.bin").unlink()
    assert with_models.execute(EMBED).fetchone()


def test_a_graph_with_other_inputs(with_models, models):
    import onnx

    path = models / MODEL / "model.onnx"
    graph = onnx.load(path, load_external_data=False)
    extra = onnx.helper.make_tensor_value_info("task_id", onnx.TensorProto.INT64, [1])
    graph.graph.input.append(extra)
    onnx.save(graph, path)
    sign(models, "model.onnx")
    error = fails(with_models, CONFIG_FILE_ERROR, EMBED)
    assert "task_id" in error.diag.message_detail


def test_a_derived_model_that_changes_is_noticed(with_models, models):
    """Its description stays the same; the graph is another one, of another size."""
    query = "SELECT embed('tiny-st', 'a')::text"
    assert len(with_models.execute(query).fetchone()[0].split(",")) == 24
    shutil.copy(FIXTURES / "tiny-st-cls/onnx/model.onnx", models / "new.onnx")
    (models / "new.onnx").rename(models / "tiny-st" / "onnx" / "model.onnx")
    fails(with_models, CONFIG_FILE_ERROR, query)


def test_a_text_without_any_token(with_models, models):
    """No special tokens, no prompt, no text: there is nothing that a model could read."""
    import json

    path = models / "tiny-st" / "tokenizer.json"
    tokenizer = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**tokenizer, "post_processor": None}), encoding="utf-8")
    (models / "tiny-st" / "config_sentence_transformers.json").unlink()
    fails(with_models, "22023", "SELECT embed('tiny-st', '')")
    fails(with_models, "22023", "SELECT embed('tiny-st', ARRAY['a', ''])")
    assert with_models.execute("SELECT embed('tiny-st', 'a')").fetchone()


# Of models that take images: (model, what is written, what instead, a word of the error).
IMAGE_MANIFESTS = {
    "no padding": ("tiny-siglip", "pad_token_id = ", "# ", "pad_token_id"),
    "other height": ("tiny-siglip", "height = 56", "height = 64", "does not fit"),
    "other length": ("tiny-siglip", "max_tokens = 64", "max_tokens = 32", "does not fit"),
    "no image": ("tiny-siglip", "height = 56\nwidth = 56\n", "", "width and height"),
    "image pad is a letter": (
        "tiny-qwen3-vl",
        "\npad_token_id = 285",
        "\npad_token_id = 5",
        "token",
    ),
    "no such token": ("tiny-qwen3-vl", "start_token_id = 283", "start_token_id = 4000000", "token"),
    "other deepstack": ("tiny-qwen3-vl", "deepstack = 3", "deepstack = 2", "does not fit"),
    "other factor": ("tiny-qwen3-vl", "factor = 32", "factor = 0", "factor"),
}


@pytest.mark.parametrize("name", IMAGE_MANIFESTS)
def test_bad_manifests_of_image_models(with_models, models, name):
    model, old, new, said = IMAGE_MANIFESTS[name]
    picture = (ROOT / "tests/fixtures/images/png-rgb8.png").read_bytes()
    manifest = models / model / "model.toml"
    text = manifest.read_text()
    assert old in text
    manifest.write_text(text.replace(old, new, 1))
    query = f"SELECT embed('{model}', %s, %s::bytea)"
    # SigLIP's towers are loaded apart: the fault is in one of them.
    rows = [("a", None), (None, picture)]
    failed = 0
    for row in rows:
        try:
            with_models.execute(query, row)
        except psycopg.Error:
            error = fails(with_models, CONFIG_FILE_ERROR, query, row)
            assert said in error.diag.message_primary, error
            failed += 1
    assert failed
    manifest.write_text(text)
    for row in rows:
        assert with_models.execute(query, row).fetchone()
