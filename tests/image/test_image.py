"""The image as its user meets it: started as by compose.yaml, asked by psql, stopped, started."""

import os
import re
import shutil
import signal
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
pytest_plugins = ["image_fixtures"]

SCRIPT = """
CREATE TABLE from_script (of text);
INSERT INTO from_script VALUES (embed('multilingual-e5-small', 'a')::text);
"""


def by_distance(query: str) -> str:
    return f"ORDER BY embedding <=> embed('multilingual-e5-small', '{query}', task => 'query')"


def volumes(place):
    return {"/var/lib/postgresql": place / "data", "/models": place / "models"}


@pytest.fixture(scope="session")
def container(start, place, data_volume, service):
    """The item bank of compose.yaml, with a further model and a script of the user's."""
    data_volume("data")
    shutil.copytree(ROOT / "tests/fixtures/models/tiny-bert", place / "models/tiny-bert")
    (place / "initdb.d").mkdir()
    (place / "initdb.d/10-script.sql").write_text(SCRIPT)
    extra = {"/docker-entrypoint-initdb.d": place / "initdb.d"}
    options = {"environment": service["environment"], "shm_size": int(service["shm_size"])}
    container = start("first", volumes=volumes(place) | extra, **options)
    container.wait_healthy()
    return container


def test_another_command_runs_instead(start):
    other = start("other", command=["id", "-u"])
    assert other.process.wait(60) == 0
    assert other.log.read_text() == "999\n"


def fields(status: bytes) -> dict[str, str]:
    return dict(line.split(":\t", 1) for line in status.decode().splitlines())


def test_an_init_is_the_first_process_and_postgres_its_child(container):
    processes = container.processes("status")
    init, server = fields(processes[container.pid]), fields(processes[container.server])
    assert (init["Name"], init["NSpid"].split()[-1]) == ("tini", "1")
    assert server["Name"] == "postgres"


def test_no_process_is_root(container):
    processes = container.processes("status").values()
    assert len(processes) > 5
    assert {uid for one in processes for uid in fields(one)["Uid"].split()} == {"999"}


def test_the_password_is_in_no_environment(container):
    """Every role that may read the server's files could read it there."""
    environments = container.processes("environ")
    assert {container.pid, container.server} < set(environments)
    assert not [one for one in environments.values() if b"POSTGRES_PASSWORD" in one]


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
        "etc/apt/apt.conf.d/secret",
        "etc/apt/secret.sources",
        "etc/pip.conf",
        "usr/local/cargo",
        "run/secrets",
    )
    assert not [path for path in leftovers if (image.root / path).exists()]
    assert not list((image.root / "var/lib/apt/lists").glob("*_*")) and not list(
        (image.root / "var/cache/apt/archives").glob("*.deb")
    )
    assert not list((image.root / "var/lib/postgresql").iterdir())
    # A key that all who have the image have.
    assert not list((image.root / "etc/ssl/private").iterdir())


def test_nothing_is_left_of_the_machine_that_built_it(image):
    """Its name and its name servers, and the mirror that packages came from."""
    for name in ("hostname", "hosts", "resolv.conf", "machine-id"):
        file = image.root / "etc" / name
        assert not file.exists() or not file.read_text()
    debootstrap = Path(shutil.which("debootstrap")).read_text()
    default = re.search('^DEF_MIRROR="(.*)"', debootstrap, re.MULTILINE)[1]
    sources = list((image.root / "etc/apt").rglob("*.sources"))
    assert not list((image.root / "etc/apt").rglob("*.list")) and len(sources) == 1
    mirrors = re.findall("^URIs: (.*)", sources[0].read_text(), re.MULTILINE)
    assert mirrors == [default, f"{default}-security"]


def test_licences(image):
    """Of everything that the image adds to Debian; the texts that they ask for."""
    texts = {
        file.name: file.read_text(errors="replace")
        for file in (image.root / "usr/share/doc/itembank_embed").iterdir()
    }
    assert "Apache License" in texts["LICENSE"]
    crates = texts["THIRD-PARTY-LICENSES"]
    for crate in ("pgrx", "ort", "tokenizers"):
        assert re.search(rf"^{crate} [0-9.a-z-]+: .*(MIT|Apache-2.0)", crates, re.MULTILINE)
    assert "Permission is hereby granted" in crates and "WITHOUT WARRANTIES" in crates
    assert re.search(r"Files: models/multilingual-e5-small.*Expat", texts["copyright"], re.DOTALL)
    assert "MIT License" in texts["LICENSE.onnxruntime"] and texts["ThirdPartyNotices.txt"]
    pins = (ROOT / "dev/versions.env").read_text()
    wheels = set(re.findall(r"\b(nvidia_\w+)==", pins))
    gpu = list((image.root / "usr/lib/itembank_embed").glob("libcudart.*"))
    licences = {name.removeprefix("LICENSE.") for name in texts if "nvidia" in name}
    assert licences == (wheels if gpu else set())
    assert all("NVIDIA" in texts[f"LICENSE.{name}"] for name in licences)


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


def test_compose(service, compose):
    assert {volume["target"] for volume in service["volumes"]} == {"/var/lib/postgresql", "/models"}
    assert [(port["host_ip"], port["target"]) for port in service["ports"]] == [("127.0.0.1", 5432)]
    refused = (Path(os.environ["ITEMBANK_COMPOSE"]) / "compose.refused").read_text()
    assert "POSTGRES_PASSWORD" in refused and ".env" in refused
    gpu = compose("compose.gpu.json")
    assert gpu["build"]["args"] == {"ORT": "gpu"} and gpu["image"] == "itembank_embed:gpu"
    assert gpu["deploy"]["resources"]["reservations"]["devices"][0]["capabilities"] == ["gpu"]
