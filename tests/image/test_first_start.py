"""The first start of the image, which makes the data directory: with everything that its user may
ask of it, refused, stopped and killed.
"""

import gzip
import os
import signal
import time

import pytest

pytest_plugins = ["image_fixtures"]

DATA = "/var/lib/postgresql"
SCRIPTS = "/docker-entrypoint-initdb.d"
# A file of a script's own, by the name that the data directory will have.
INCLUDE = """
echo "work_mem = '5MB'" >"$PGDATA/own.conf"
echo "include '$PGDATA/own.conf'" >>"$PGDATA/postgresql.conf"
"""
INITDB = """--set='cluster_name=the school'"'"'s own' --set listen_addresses=*"""


def wait_for(what, container, seconds=120):
    until = time.monotonic() + seconds
    while not what():
        assert container.process.poll() is None, container.log.read_text()
        assert time.monotonic() < until, container.log.read_text()
        time.sleep(0.05)


def secret(volume):
    """A password in a file; the variable that names it."""
    (volume / "password").write_text("from a file\n")
    os.chmod(volume / "password", 0o644)
    return {"POSTGRES_PASSWORD_FILE": f"{DATA}/password"}


def test_no_start_without_a_password(start, data_volume):
    volume = data_volume("refused")
    refused = start("refused", volumes={DATA: volume})
    assert refused.process.wait(60) == 1
    assert "POSTGRES_PASSWORD is not set" in refused.log.read_text()
    assert not list(volume.iterdir())


# Where images and Debian have it; the last is a volume of the official image's.
@pytest.mark.parametrize("folder", ["16/data", "16/main", "18/docker", "data", "."])
def test_no_new_data_directory_beside_another(start, data_volume, folder):
    """A newer image would seem to have lost everything."""
    name = f"beside-{folder.replace('/', '-')}"
    volume = data_volume(name)
    (volume / folder).mkdir(parents=True, exist_ok=True)
    (volume / folder / "PG_VERSION").write_text("16\n")
    before = set(volume.rglob("*"))
    refused = start(name, volumes={DATA: volume}, environment={"POSTGRES_PASSWORD": "a"})
    assert refused.process.wait(60) == 1
    said = refused.log.read_text()
    other = f"{DATA}/{folder}".removesuffix("/.")
    assert f"a data directory of PostgreSQL 16 is there already: {other}\n" in said
    assert "pg_upgrade" in said and "docs/operating.md" in said
    assert set(volume.rglob("*")) == before


def test_data_directory_that_is_a_mount(start, place, data_volume):
    volume, mounted = data_volume("outer"), data_volume("mounted")
    (volume / "17/data").mkdir(parents=True)
    options = {"environment": {"POSTGRES_PASSWORD": "a"}}
    refused = start("mounted", volumes={DATA: volume, f"{DATA}/17/data": mounted}, **options)
    assert refused.process.wait(60) == 1
    assert "nothing at the data directory itself" in refused.log.read_text()
    assert not list(mounted.iterdir())


def test_port_names_scripts_and_secret_of_the_users_own(start, place, data_volume):
    volume, scripts = data_volume("own"), place / "own.d"
    scripts.mkdir()
    line = "# $POSTGRES_USER $POSTGRES_DB $POSTGRES_PASSWORD"
    (scripts / "10-settings.sh").write_text(f'echo "{line}" >>"$PGDATA/pg_hba.conf"\n')
    (scripts / "20-table.sql.gz").write_bytes(gzip.compress(b"CREATE TABLE zipped ();"))
    (scripts / "30-socket.sh").write_text(
        'psql -c "CREATE TABLE by_script ()" --username="$POSTGRES_USER" --dbname="$POSTGRES_DB"\n'
    )
    (scripts / "40-include.sh").write_text(INCLUDE)
    (scripts / "50-place.sql").write_text(
        "CREATE TABLE place AS SELECT current_setting('data_directory') AS data;\n"
    )
    options = {
        "volumes": {DATA: volume, SCRIPTS: scripts},
        "command": ["postgres", "-p", "6000", "-c", "unix_socket_directories=/tmp"],
        # The database of the sample items is there already.
        "environment": {"POSTGRES_USER": "demo", "ITEMBANK_DEMO": "1", **secret(volume)}
        | {"POSTGRES_INITDB_ARGS": INITDB},
    }
    made = "'zipped'::regclass, 'by_script'::regclass"
    ask = f"SELECT current_setting('port'), count(embedding), {made} FROM items"
    by_password = ("demo", "--username=demo", "--host=127.0.0.1", "--port=6000")
    first = start("own", **options)
    first.wait_healthy()
    found = first.psql(ask, *by_password, PGPASSWORD="from a file")
    assert found == "6000|546|zipped|by_script"
    own = "SELECT current_setting('work_mem'), current_setting('data_directory') = data FROM place"
    assert first.psql(own, *by_password, PGPASSWORD="from a file") == "5MB|t"
    by_initdb = """SELECT setting FROM pg_settings
                   WHERE name IN ('cluster_name', 'listen_addresses')
                   AND sourcefile = current_setting('config_file') ORDER BY name"""
    found = first.psql(by_initdb, *by_password, PGPASSWORD="from a file")
    assert found.splitlines() == ["the school's own", "*"]
    assert first.stop() == 0
    settings = next(volume.glob("*/data/pg_hba.conf")).read_text()
    assert settings.splitlines()[-1] == "# demo demo from a file"
    # As where a secret is only given for the first start.
    (volume / "password").unlink()
    again = start("own-again", **options)
    again.wait_healthy(60)
    assert again.psql("SELECT 1", *by_password, PGPASSWORD="from a file") == "1"
    assert again.stop() == 0
    assert SCRIPTS not in again.log.read_text()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("during", ["initdb", "a script", "a statement"])
def test_stops_at_once(start, place, data_volume, number, during):
    """By the signals of Ctrl-C, of `docker stop`, and of everybody else."""
    name = f"stopped-{during.replace(' ', '-')}-{number.name}"
    volume, scripts = data_volume(name), place / f"{name}.d"
    scripts.mkdir()
    if during == "a script":
        (scripts / "sleep.sh").write_text(f"touch {DATA}/begun; sleep 1000\n")
    if during == "a statement":
        (scripts / "sleep.sql").write_text(f"\\! touch {DATA}/begun\nSELECT pg_sleep(1000);\n")
    mark = "*/data.new/PG_VERSION" if during == "initdb" else "begun"
    options = {"volumes": {DATA: volume, SCRIPTS: scripts}}
    stopped = start(name, environment={"POSTGRES_PASSWORD": "a"}, **options)
    wait_for(lambda: list(volume.glob(mark)), stopped)
    assert stopped.stop(number, seconds=8) == 128 + number
    assert "stopped during the first start" in stopped.log.read_text()
    assert not list(volume.glob("*/data"))


@pytest.mark.parametrize("during", ["initdb", "a script"])
def test_one_that_was_killed_leaves_nothing_half(start, place, data_volume, during):
    name = f"killed-{during.replace(' ', '-')}"
    volume, scripts = data_volume(name), place / f"{name}.d"
    scripts.mkdir()
    if during == "a script":
        (scripts / "sleep.sh").write_text(f"touch {DATA}/begun; sleep 1000\n")
    mark = "*/data.new/PG_VERSION" if during == "initdb" else "begun"
    options = {"volumes": {DATA: volume, SCRIPTS: scripts}, "environment": secret(volume)}
    killed = start(name, **options)
    wait_for(lambda: list(volume.glob(mark)), killed)
    assert killed.stop(signal.SIGKILL) != 0
    # By its name, though not as a folder, scripts have it before it is whole.
    assert not [data for data in volume.glob("*/data") if not data.is_symlink()]
    assert during == "a script" or not list(volume.glob("*/data"))
    (scripts / "sleep.sh").write_text("")
    again = start(name, **options)
    again.wait_healthy()
    extensions = "SELECT count(*) FROM pg_extension WHERE extname = 'itembank_embed'"
    by_password = ("--host=127.0.0.1",)
    assert again.psql(extensions, "postgres", *by_password, PGPASSWORD="from a file") == "1"
    assert again.stop() == 0
    assert [data.is_symlink() for data in volume.glob("*/data*")] == [False]
