"""What the Python tests share: connections to the throw-away server, models to damage, its log.

`dev/test.sh` starts the server and says where it is (ITEMBANK_* variables); run one file with
`make test` or, by hand, `dev/pytest.sh tests/faults`.
"""

import os
import shutil
from pathlib import Path

import psycopg
import pytest

# Those of the container image are `make image-test`'s, which says where the image is.
collect_ignore = [] if os.environ.get("ITEMBANK_IMAGE") else ["image"]

ROOT = Path(__file__).resolve().parent.parent
FIXTURES = ROOT / "tests" / "fixtures" / "models"


def pytest_configure(config):
    """The suite runs twice, with models in each session's process and with one engine process."""
    config.addinivalue_line("markers", "backend: about models in a session's own process")
    config.addinivalue_line("markers", "server: about the engine process of the whole server")


def setting(name: str) -> str:
    """A variable of the throw-away server; without a server its tests are skipped."""
    if not os.environ.get("ITEMBANK_TEST_URL"):
        pytest.skip("no server: run through make test or dev/pytest.sh")
    value = os.environ.get(name)
    assert value, f"{name} is not set, though there is a server"
    return value


@pytest.fixture(scope="session")
def url() -> str:
    """The superuser's libpq URL of a database that has the extension."""
    found = setting("ITEMBANK_TEST_URL")
    with psycopg.connect(found, autocommit=True) as connection:
        connection.execute("CREATE EXTENSION IF NOT EXISTS itembank_embed CASCADE")
    return found


@pytest.fixture
def sql(url):
    """An autocommit connection of its own: a backend that has loaded nothing yet."""
    with psycopg.connect(url, autocommit=True) as connection:
        yield connection


@pytest.fixture
def models(tmp_path_factory, request):
    """A private copy of the tiny models, readable by the server, for damaging."""
    base = Path(setting("ITEMBANK_TEST_DATA")).parent / "damaged"
    base.mkdir(exist_ok=True)
    place = base / request.node.name.replace("/", "_").replace("[", "_").replace("]", "")
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(FIXTURES, place)
    yield place
    shutil.rmtree(place, ignore_errors=True)


@pytest.fixture
def with_models(sql, models):
    """A connection whose model path is the private copy."""
    sql.execute("SELECT set_config('itembank_embed.model_path', %s, false)", (str(models),))
    return sql


def vector(text: str) -> list[float]:
    """pgvector's text form as numbers."""
    return [float(x) for x in text.strip("[]").split(",")]


def embed(connection, model: str, text: str, **named) -> list[float]:
    """One vector through SQL."""
    return embed_sql(connection, model, [text], "one", named)[0]


def embed_many(connection, model: str, texts: list[str], **named) -> list[list[float]]:
    """One vector a text through the array form."""
    return embed_sql(connection, model, texts, "many", named)


def embed_sql(connection, model, texts, form, named):
    options = "".join(f", {name} => %s" for name in named)
    values = list(named.values())
    if form == "one":
        query = f"SELECT embed(%s, %s{options})::text"
        rows = connection.execute(query, [model, texts[0], *values]).fetchall()
    else:
        query = f"SELECT e::text FROM unnest(embed(%s, %s::text[]{options})) AS e"
        rows = connection.execute(query, [model, texts, *values]).fetchall()
    return [vector(row[0]) for row in rows]


def fails(connection, sqlstate: str, query: str, parameters=()) -> psycopg.Error:
    """Runs what must fail with this SQLSTATE, a detail and a hint, and leave the backend alive."""
    before = connection.info.backend_pid
    with pytest.raises(psycopg.Error) as caught:
        connection.execute(query, parameters)
    error = caught.value
    assert error.sqlstate == sqlstate, f"{error.sqlstate}: {error}"
    assert error.diag.message_detail and error.diag.message_hint, str(error)
    assert connection.execute("SELECT pg_backend_pid()").fetchone()[0] == before
    return error
