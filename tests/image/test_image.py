"""The image as its user meets it: started as by compose.yaml, asked by psql, stopped, started."""

import json
import os
import shutil
import signal
import tomllib
from pathlib import Path

import pytest
from container import Container, Image

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = """
CREATE TABLE from_script (of text);
INSERT INTO from_script VALUES (embed('multilingual-e5-small', 'a')::text);
"""


@pytest.fixture(scope="session")
def image():
    return Image()


@pytest.fixture(scope="session")
def service():
    """The service as Docker Compose reads it from compose.yaml."""
    return compose_service("compose.json")


def compose_service(name: str) -> dict:
    file = Path(os.environ["ITEMBANK_COMPOSE"]) / name
    return json.loads(file.read_text())["services"]["itembank"]


@pytest.fixture(scope="session")
def place(image):
    """The volumes, empty and as Docker makes them: with owner and mode of the image's folders."""
    place = Path(os.environ["ITEMBANK_IMAGE_TEST"])
    (place / "models").mkdir()
    for volume in ("data", "refused", "killed"):
        (place / volume).mkdir()
        shutil.copystat(image.root / "var/lib/postgresql", place / volume)
        os.chown(place / volume, 999, 999)
    return place


def by_distance(query: str) -> str:
    return f"ORDER BY embedding <=> embed('multilingual-e5-small', '{query}', task => 'query')"


def volumes(place):
    return {"/var/lib/postgresql": place / "data", "/models": place / "models"}


@pytest.fixture(scope="session")
def start(image, place):
    """Starts a container; whatever a test leaves running is killed at the end."""
    started = []

    def start(name: str, **options) -> Container:
        started.append(Container(image, place / f"{name}.log", **options))
        return started[-1]

    yield start
    for container in started:
        container.stop(signal.SIGKILL)


@pytest.fixture(scope="session")
def container(start, place, service):
    """The item bank of compose.yaml, with a further model and a script of the user's."""
    shutil.copytree(ROOT / "tests/fixtures/models/tiny-bert", place / "models/tiny-bert")
    (place / "initdb.d").mkdir()
    (place / "initdb.d/10-script.sql").write_text(SCRIPT)
    extra = {"/docker-entrypoint-initdb.d": place / "initdb.d"}
    options = {"environment": service["environment"], "shm_size": int(service["shm_size"])}
    container = start("first", volumes=volumes(place) | extra, **options)
    container.wait_healthy()
    return container


def test_no_start_without_a_password(start, place):
    refused = start("refused", volumes={"/var/lib/postgresql": place / "refused"})
    assert refused.process.wait(60) == 1
    assert "POSTGRES_PASSWORD is not set" in refused.log.read_text()
    assert not list((place / "refused").iterdir())


def test_another_command_runs_instead(start):
    other = start("other", command=["id", "-u"])
    assert other.process.wait(60) == 0
    assert other.log.read_text() == "999\n"


def test_postgres_is_the_first_process_and_not_root(container):
    status = dict(
        line.split(":\t", 1)
        for line in Path(f"/proc/{container.pid}/status").read_text().splitlines()
    )
    assert (status["Name"], status["NSpid"].split()[-1]) == ("postgres", "1")
    assert status["Uid"].split() == ["999"] * 4


def test_the_password_is_not_in_the_servers_environment(container):
    assert b"POSTGRES_PASSWORD" not in Path(f"/proc/{container.pid}/environ").read_bytes()


def test_health_check(container):
    assert container.health() == 0


def test_the_engine_process_serves(container):
    container.psql("SELECT embed('multilingual-e5-small', 'x')")
    assert container.psql("SELECT state, items FROM engine_status()") == "running|1"
    assert container.psql("SELECT name FROM itembank_engine") == "multilingual-e5-small"


def test_script_of_the_user_ran_once(container):
    assert container.psql("SELECT count(*), bool_and(of LIKE '[%]') FROM from_script") == "1|t"


def test_column_search_rerank_evaluate(container):
    """In a database that had no extension: README.md's examples, with their numbers."""
    container.psql("CREATE DATABASE fresh", "postgres")
    for sql in (ROOT / "tests/image/fresh.sql").read_text().split(";\n\n"):
        container.psql(sql, "fresh")
    nearest = f"SELECT id FROM items {by_distance('which gas do plants need?')} LIMIT 1"
    assert container.psql(nearest, "fresh") == "5"
    plan = container.psql(f"SET enable_seqscan = off; EXPLAIN {nearest}", "fresh")
    assert "Index Scan using items_embedding" in plan
    candidates = "ARRAY['식물의 광합성', '이차방정식의 두 근의 합은?']"
    best = f"SELECT index FROM rerank('두 근의 합', {candidates}) LIMIT 1"
    assert container.psql(best, "fresh") == "2"
    means = container.psql(
        """SELECT metric, round(value::numeric, 3) FROM evaluate(
               run => $$SELECT query_id, id, 1 - (embedding <=>
                            embed('multilingual-e5-small', query_text, task => 'query'))
                        FROM queries, items$$,
               judgements => 'TABLE judgements', metrics => '{recall@1,mrr,ndcg@5}')
           WHERE query_id IS NULL""",
        "fresh",
    )
    assert means.splitlines() == ["recall@1|0.833", "mrr|1.000", "ndcg@5|0.969"]


def test_sample_items_are_there_and_found(container):
    assert container.psql("SELECT count(*), count(embedding) FROM items", "demo") == "546|546"
    best = container.psql(
        f"SELECT unit FROM items {by_distance('두 근의 합과 곱')} LIMIT 1", "demo"
    )
    assert best.startswith("이차방정식")


def test_ordinary_role_embeds_with_its_password_alone(container, service):
    password = service["environment"]["POSTGRES_PASSWORD"]
    container.psql("CREATE ROLE teacher LOGIN PASSWORD 'chalk'")
    ask = "SELECT current_user, vector_dims(embed('multilingual-e5-small', 'x'))"
    options = ("--host=127.0.0.1", "--username=teacher")
    assert container.psql(ask, "itembank", *options, PGPASSWORD="chalk") == "teacher|384"
    assert container.psql("SELECT 1", "itembank", "--host=127.0.0.1", PGPASSWORD=password) == "1"
    refused = container.run(["psql", *options, "-w", "-c", ask, "itembank"], PGPASSWORD="cheese")
    assert refused.returncode == 2 and "password authentication failed" in refused.stderr


def test_models_of_the_volume(container):
    names = container.psql(
        "SELECT string_agg(name, ',' ORDER BY name) FROM models() WHERE problem IS NULL"
    )
    assert names == "multilingual-e5-small,tiny-bert"


@pytest.mark.parametrize("number", [None, signal.SIGTERM])
def test_stops_at_once_and_starts_again(start, place, container, number):
    """The signal of `docker stop` for this image, and the one that everybody else sends."""
    assert container.stop() == 0
    again = start(f"again-{number}", volumes=volumes(place))
    again.wait_healthy(60)
    assert again.psql("SELECT count(embedding) FROM items", "demo") == "546"
    assert again.psql("SELECT count(*) FROM from_script") == "1"
    assert again.psql("SELECT vector_dims(embed('multilingual-e5-small', 'x'))") == "384"
    assert again.stop(number, seconds=10) == 0
    said = again.log.read_text()
    assert "database system is shut down" in said and "initdb" not in said
    assert "was not properly shut down" not in said


def test_a_first_start_that_was_killed_leaves_nothing_half(start, place):
    options = {
        "volumes": {"/var/lib/postgresql": place / "killed"},
        "environment": {"POSTGRES_PASSWORD_FILE": "/var/lib/postgresql/password"},
    }
    (place / "killed/password").write_text("from a file\n")
    os.chmod(place / "killed/password", 0o644)
    killed = start("killed", **options)
    while not list(place.glob("killed/*/data.new/PG_VERSION")):
        assert killed.process.poll() is None, killed.log.read_text()
    assert killed.stop(signal.SIGKILL) != 0
    assert not list(place.glob("killed/*/data"))
    again = start("killed", **options)
    again.wait_healthy()
    extensions = "SELECT count(*) FROM pg_extension WHERE extname = 'itembank_embed'"
    by_password = ("--host=127.0.0.1",)
    assert again.psql(extensions, "postgres", *by_password, PGPASSWORD="from a file") == "1"
    assert again.stop() == 0


def test_nothing_is_left_of_the_build(image):
    programs = {
        file.name
        for folder in ("bin", "sbin", "local/bin")
        for file in (image.root / "usr" / folder).iterdir()
    }
    assert not programs & {
        "cc",
        "gcc",
        "clang",
        "make",
        "cargo",
        "rustc",
        "python3",
        "pip",
        "pip3",
        "curl",
        "wget",
        "sudo",
    }
    leftovers = (
        "src",
        "build",
        "root/.cache",
        "root/.cargo",
        "etc/pip.conf",
        "usr/local/cargo",
        "run/secrets",
    )
    assert not [path for path in leftovers if (image.root / path).exists()]
    assert not list((image.root / "var/lib/apt/lists").glob("*_*")) and not list(
        (image.root / "var/cache/apt/archives").glob("*.deb")
    )
    assert not list((image.root / "var/lib/postgresql").iterdir())


def test_configuration(image):
    config = image.config
    version = tomllib.loads((ROOT / "Cargo.toml").read_text())["workspace"]["package"]["version"]
    assert config["Labels"]["org.opencontainers.image.version"] == version
    assert (config["User"], config["StopSignal"], set(config["ExposedPorts"])) == (
        "postgres",
        "SIGINT",
        {"5432/tcp"},
    )
    assert set(config["Volumes"]) == {"/var/lib/postgresql", "/models"}


def test_compose(service):
    assert {volume["target"] for volume in service["volumes"]} == {"/var/lib/postgresql", "/models"}
    assert [(port["host_ip"], port["target"]) for port in service["ports"]] == [("127.0.0.1", 5432)]
    gpu = compose_service("compose.gpu.json")
    assert gpu["build"]["args"] == {"ORT": "gpu"} and gpu["image"] == "itembank_embed:gpu"
    assert gpu["deploy"]["resources"]["reservations"]["devices"][0]["capabilities"] == ["gpu"]
