"""What the documents say of commands, pages, settings, functions and errors is so."""

import re
import tomllib

import documents
import psycopg
import pytest
from conftest import ROOT, setting

MAKEFILE = (ROOT / "Makefile").read_text()
TARGETS = set(re.findall(r"^([a-z][a-z-]*):", MAKEFILE, re.MULTILINE))


@pytest.mark.parametrize("name", documents.ALL)
def test_make_commands_exist(name):
    for piece in documents.code(name):
        for command in re.findall(r"\bmake ([^#\n)|;:&]+)", piece):
            words = command.split()
            targets = [w for w in words if re.fullmatch(r"[a-z][a-z-]*", w)]
            variables = [m[1] for w in words if (m := re.match(r"\[?([A-Z_]+)=", w))]
            assert set(targets[:1]) <= TARGETS, f"make {command}"
            for variable in variables:
                assert re.search(rf"\b{variable}\b", MAKEFILE), f"make {command}: {variable}"


def test_make_commands_are_found():
    """The test above is worth something: it sees the first two commands of the README."""
    assert any("make demo" in piece for piece in documents.code(documents.README))
    assert {"demo", "test", "up", "psql"} <= TARGETS


@pytest.mark.parametrize("name", documents.FOR_USERS)
def test_models_and_files_that_are_named_exist(name):
    catalog = tomllib.loads((ROOT / "models/catalog.toml").read_text())
    for piece in documents.code(name):
        assert set(re.findall(r"\bMODEL=([\w.-]+)", piece)) <= catalog.keys(), piece
        for path in re.findall(r"(?<![\w./-])((?:crates|dev|sql|src|tests)/[\w./*-]+)", piece):
            if not re.search(r"OLD|NEW", path):
                assert any(ROOT.glob(path.rstrip("/."))), f"{path} in {name}"


@pytest.mark.parametrize("name", documents.ALL)
def test_links_resolve(name):
    page = ROOT / name
    for link in documents.links(name):
        if re.match(r"https?:|mailto:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{link} in {name}"
        if anchor:
            assert anchor in documents.anchors(target), f"{link} in {name}"


def test_every_page_is_reached_from_the_readme():
    linked = {link.partition("#")[0] for link in documents.links(documents.README)}
    assert {name for name in documents.ALL if name.startswith("docs/")} <= linked


@pytest.fixture
def settings(sql):
    sql.execute("LOAD 'itembank_embed'")
    return {
        name: (boot, unit, context)
        for name, boot, unit, context in sql.execute(
            "SELECT name, boot_val, unit, context FROM pg_settings"
            " WHERE name LIKE 'itembank\\_embed.%'"
        )
    }


@pytest.mark.parametrize("name", documents.ALL)
def test_settings_that_are_named_exist(name, settings):
    named = set(re.findall(r"\bitembank_embed\.(\w+)", documents.text(name)))
    assert named - {"control", "so"} <= {full.partition(".")[2] for full in settings}


def test_every_setting_is_described_with_its_default(sql, settings):
    described = {}
    page = documents.text("docs/settings.md")
    for part, contexts in zip(
        re.split(r"^## ", page, flags=re.MULTILINE)[1:3],
        [{"superuser", "user"}, {"sighup", "postmaster"}],
        strict=True,
    ):
        for name, default, *_ in documents.rows(part, "setting", "default"):
            described[name.strip("`")] = (default.strip("`"), contexts)
    assert described.keys() == settings.keys()
    for name, (default, contexts) in described.items():
        boot, unit, context = settings[name]
        assert context in contexts, name
        assert in_units(sql, default, unit) == (boot or ""), name


def in_units(sql, value: str, unit: str | None) -> str:
    """A value as the documents write it, in the unit in which PostgreSQL keeps it."""
    if unit in ("ms", "s"):
        seconds = "SELECT extract(epoch FROM %s::interval)"
        per = 1000 if unit == "ms" else 1
        return str(int(sql.execute(seconds, [value]).fetchone()[0] * per))
    if unit in ("B", "kB", "MB"):
        size = "SELECT pg_size_bytes(%s) / pg_size_bytes('1 ' || %s)"
        return str(sql.execute(size, [value, unit]).fetchone()[0])
    return value


FUNCTIONS = "docs/functions.md"
OF_THE_EXTENSION = """
    FROM pg_depend AS d JOIN pg_extension AS e
      ON e.oid = d.refobjid AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'
    WHERE e.extname = 'itembank_embed' AND d.classid = """


def signatures(sql) -> set[str]:
    """Of each function for users, as the reference writes them."""
    found = set()
    for name, kind, arguments, result in sql.execute(
        "SELECT proname, prokind, pg_get_function_arguments(oid), pg_get_function_result(oid)"
        f" FROM pg_proc WHERE oid IN (SELECT d.objid {OF_THE_EXTENSION} 'pg_proc'::regclass)"
        " AND obj_description(oid, 'pg_proc') NOT LIKE 'internal:%'"
    ):
        # Without casts of defaults, and without the IN that procedures' arguments have.
        cast = r"::[a-z_]+( precision| with time zone)?(\[\])?"
        given = re.sub(r"\bIN (?=\w)", "", re.sub(cast, "", arguments))
        found.add(f"CALL {name}({given})" if kind == "p" else f"{name}({given}) → {result}")
    return found


def test_every_function_is_described_with_its_signature(sql):
    described = set()
    for fence in documents.FENCE.finditer(documents.text(FUNCTIONS)):
        described |= set(re.sub(r"\n {4,}", " ", fence[2]).splitlines())
    live = signatures(sql)
    assert len(live) > 60
    assert described - live == set(), "there are none such"
    assert live - described == set(), "they are not described"


def test_every_relation_is_described(sql):
    live = {
        row[0]
        for row in sql.execute(
            "SELECT relname FROM pg_class WHERE relkind IN ('r', 'v') AND"
            f" oid IN (SELECT d.objid {OF_THE_EXTENSION} 'pg_class'::regclass)"
        )
    }
    reference = documents.text(FUNCTIONS)
    described = {row[0].strip("`") for row in documents.rows(reference, "name", "what")}
    assert described == live


def test_functions_that_are_called_in_the_text_exist(sql):
    """`name(…)` in a line of a page for users: ours, pgvector's or PostgreSQL's."""
    live = {row[0] for row in sql.execute("SELECT proname FROM pg_proc")}
    types = {"vector", "halfvec"}
    for name in documents.FOR_USERS:
        if name == "docs/contributing.md":  # it speaks of Rust's
            continue
        page = re.sub(r"```.*?```", "", documents.text(name), flags=re.DOTALL)
        for piece in re.findall(r"`([^`]+)`", page):
            called = set(re.findall(r"(?<![\w.:$/-])([a-z][a-z_0-9]*)\(", piece))
            assert called - live - types == set(), f"{piece} in {name}"


# Error messages as the documents write them, and statements that end with them.
IMAGE = "decode('89504e470d0a1a0a', 'hex')"
PROVOKED = {
    'model "…" is not installed': "SELECT embed('no-such-model', 'a')",
    "input text is too long": "SELECT embed('multilingual-e5-small', repeat('a', 300000))",
    'invalid byte sequence for encoding "UTF8": 0x89': r"SELECT convert_from('\x89', 'UTF8')",
    "unrecognized image format": (
        "SET itembank_embed.siglip_model = 'tiny-siglip'; SELECT siglip_embed_image('\\x00'::bytea)"
    ),
    "invalid image": (
        f"SET itembank_embed.siglip_model = 'tiny-siglip'; SELECT siglip_embed_image({IMAGE})"
    ),
    "image is too large": (
        "SET itembank_embed.siglip_model = 'tiny-siglip'; SET itembank_embed.max_image_bytes = 1;"
        f" SELECT siglip_embed_image({IMAGE})"
    ),
    'model "…" takes no image': f"SELECT embed('multilingual-e5-small', 'a', {IMAGE})",
    'model "…" does not give vectors of … dimensions': (
        "SELECT embed('multilingual-e5-small', 'a', dimensions => 17)"
    ),
    'virtual generated column "…" cannot have a user-defined type': (
        "CREATE TEMP TABLE v (q text, e vector(384)"
        " GENERATED ALWAYS AS (embed('multilingual-e5-small', q)) VIRTUAL)"
    ),
    "generation expression uses user-defined function": (
        "CREATE TEMP TABLE v (q text, e text"
        " GENERATED ALWAYS AS (embed('multilingual-e5-small', q)::text) VIRTUAL)"
    ),
    "column cannot have more than 2000 dimensions for hnsw index": (
        "CREATE TEMP TABLE w (e vector(2048)); CREATE INDEX ON w USING hnsw (e vector_cosine_ops)"
    ),
    "table … has no key": (
        "CREATE TABLE no_key (q text); SELECT add_embedding('no_key', 'e',"
        " 'multilingual-e5-small', 'q')"
    ),
    "migrate_embedding cannot run inside a transaction block": (
        "CREATE TABLE keyed (id int PRIMARY KEY, q text);"
        " SELECT add_embedding('keyed', 'e', 'multilingual-e5-small', 'q');"
        " BEGIN; CALL migrate_embedding('keyed', 'e', 'all-MiniLM-L6-v2')"
    ),
    'column "…" of table … holds vectors of model "…", but the query\'s is of model "…"': (
        "CREATE TABLE guarded (id int PRIMARY KEY, q text);"
        " SELECT add_embedding('guarded', 'e', 'multilingual-e5-small', 'q');"
        " SELECT id FROM guarded ORDER BY e <=> embed('all-MiniLM-L6-v2', 'a')"
    ),
    "must be owner of table …": (
        "CREATE TABLE owned (id int PRIMARY KEY, q text); SET ROLE pg_monitor;"
        " SELECT add_embedding('owned', 'e', 'multilingual-e5-small', 'q')"
    ),
    "permission denied for schema …": (
        "BEGIN; CREATE ROLE documents_owner; CREATE TABLE theirs (id int PRIMARY KEY, e vector(3));"
        " INSERT INTO theirs SELECT g, ARRAY[g, 1, 2]::vector FROM generate_series(1, 20) AS g;"
        " CREATE INDEX ON theirs USING hnsw (e vector_cosine_ops);"
        " ALTER TABLE theirs OWNER TO documents_owner; REVOKE USAGE ON SCHEMA public FROM PUBLIC;"
        " SELECT * FROM index_recall('theirs', 'e', k => 1, sample => 1)"
    ),
    'model "…" is not a reranker': ("SELECT rerank_score('a', 'b', model => 'tiny-siglip')"),
    'model "…" gives scores, not vectors': "SELECT embed('tiny-cross-bert', 'a')",
    'model "…" finds no token in the query': "SELECT rerank_score('', 'b')",
    "window function rerank_batch requires an OVER clause": "SELECT rerank_batch('a', 'b')",
    "the rows of one window are too large": (
        "CREATE TEMP TABLE wide AS"
        " SELECT g || repeat('x', 100000000) AS w FROM generate_series(1, 12) AS g;"
        " SELECT rerank_batch('q', w) OVER () FROM wide"
    ),
    "the evaluation is too large": (
        "SELECT count(*) FROM evaluate('SELECT 1, 1, 1',"
        " 'SELECT g, 1, 1 FROM generate_series(1, 300000) AS g',"
        " ARRAY(SELECT 'recall@' || k FROM generate_series(1, 1000) AS k))"
    ),
    'unrecognized configuration parameter "itembank_embed.…"': (
        "LOAD 'itembank_embed'; SHOW itembank_embed.no_such_setting"
    ),
    "canceling statement due to statement timeout": (
        "SET statement_timeout = 1; SELECT embed('multilingual-e5-small',"
        " ARRAY(SELECT n::text FROM generate_series(1, 5000) AS n))"
    ),
    "the ONNX Runtime library cannot be loaded": (
        "SET itembank_embed.engine = 'backend';"
        " SET itembank_embed.onnxruntime_path = '/no/such.so';"
        " SELECT embed('multilingual-e5-small', 'a')"
    ),
    "CUDA cannot be used": (
        "SET itembank_embed.device = 'cuda:0'; SELECT embed('multilingual-e5-small', 'a')"
    ),
}
# What takes a damaged file, a dead engine or a full queue; tests of their own provoke these
# (tests/faults, tests/engine). Here it is only seen that somebody says it.
SAID = {
    "the ONNX Runtime library cannot be used",
    'model "…" is damaged: …',
    "the engine went away during the call",
    "the engine is not running",
    "the engine is of another version than the session",
    'too many requests wait for model "…"',
}


def documented_errors(name: str) -> dict[str, str]:
    """Message and SQLSTATE of the tables of errors."""
    header = ("보이는 것", "코드") if name == documents.KOREAN else ("you see", "code")
    found = {}
    for row in documents.rows(documents.text(name), *header):
        if row[1]:
            (message,) = re.findall(r"`([^`]+)`", row[0])
            found[message] = row[1]
    return found


@pytest.mark.parametrize("name", ["docs/troubleshooting.md", documents.KOREAN])
def test_errors_are_those_that_are_raised_or_said(name):
    found = documented_errors(name)
    assert len(found) > 8
    assert found.keys() <= PROVOKED.keys() | SAID
    codes = set(re.findall(r'=> "(\w{5})"', source("crates/protocol/src/fault.rs")))
    for message in found.keys() & SAID:
        assert found[message] in codes, message
        longest = max(re.split(r'"…"|…', message), key=len).strip()
        assert longest in everything_said(), message


def source(name: str) -> str:
    return (ROOT / name).read_text()


def everything_said() -> str:
    files = [*(ROOT / "src").rglob("*.rs"), *(ROOT / "crates").rglob("*.rs")]
    return "\n".join(path.read_text() for path in files)


@pytest.mark.parametrize("message", PROVOKED)
def test_errors_have_the_documented_code(message, url, models_of_tests):
    codes = [
        code
        for name in ("docs/troubleshooting.md", documents.KOREAN)
        for said, code in documented_errors(name).items()
        if said == message
    ]
    assert codes, f"{message} is in no document"
    with psycopg.connect(url, autocommit=True) as connection:
        if "VIRTUAL" in PROVOKED[message] and connection.info.server_version < 180000:
            pytest.skip("virtual generated columns came with PostgreSQL 18")
        connection.execute("CREATE SCHEMA documents; SET search_path = documents, public")
        connection.execute("GRANT ALL ON SCHEMA documents TO PUBLIC")
        connection.execute(
            "SELECT set_config('itembank_embed.model_path', %s, false)", [models_of_tests]
        )
        try:
            with pytest.raises(psycopg.Error) as caught:
                for statement in PROVOKED[message].split("; "):
                    connection.execute(statement)
        finally:
            connection.rollback()
            connection.execute("RESET ROLE")
            connection.execute("RESET statement_timeout")
            connection.execute("DROP SCHEMA documents CASCADE")
    error = caught.value
    assert set(codes) == {error.sqlstate}, str(error)
    pattern = ".*".join(re.escape(part) for part in re.split(r"…", message))
    assert re.search(pattern, error.diag.message_primary), str(error)


@pytest.fixture
def models_of_tests(sql):
    """The model path, with the tiny models as well."""
    sql.execute("LOAD 'itembank_embed'")
    path = sql.execute("SHOW itembank_embed.model_path").fetchone()[0]
    return f"{path}:{setting('ITEMBANK_FIXTURES')}"
