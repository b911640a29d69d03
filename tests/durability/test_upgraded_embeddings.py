"""pg_upgrade from 16 to 18 of a server with embedding columns in the middle of their work."""

import bank
import pytest
from checks import assert_alive, found_nearest
from private_cluster import (
    PATIENCE,
    Cluster,
    as_server,
    cluster,
    owned,
    programs,
    require_extension,
)

pytestmark = pytest.mark.server


@pytest.fixture
def old():
    """PostgreSQL 16 with the database `bank`, and another one without the extension."""
    require_extension(16)
    require_extension(18)
    with cluster("upgrade-16", 16, **{"itembank_embed.workers": 0}) as server:
        server.create("bank", "other")
        with server.connect("bank") as connection:
            bank.build(connection)
        yield server


@pytest.fixture
def new():
    """PostgreSQL 18 that was never started."""
    made = Cluster("upgrade-18", 18)
    try:
        # 16 has none by default, and both must be alike.
        made.initialize("--no-data-checksums")
        made.configure()
        yield made
    finally:
        made.destroy()


def upgrade(old: Cluster, new: Cluster, *options: str) -> str:
    """pg_upgrade, which writes into its working directory and its own socket's."""
    here = owned(new.folder / "upgrade")
    words = [
        new.bin / "pg_upgrade",
        "-U",
        "postgres",
        "--no-sync",
        "--retain",
        "-s",
        new.run,
        *options,
    ]
    words += ["-b", old.bin, "-B", programs(18), "-d", old.data, "-D", new.data]
    return as_server(
        "sh", "-c", 'cd "$1" && shift && "$@"', "-", here, *words, timeout=4 * PATIENCE
    )


@pytest.mark.parametrize("options", [["--link"], ["--copy"]], ids=["link", "copy"])
def test_all_is_there_and_goes_on(options, old, new):
    with old.connect("bank") as connection:
        before = bank.rows(connection), bank.definitions(connection)
    # Its workers are on, as an administrator would leave them: nothing may be at work in between.
    old.configure(itembank_embed__workers=1)
    old.stop()
    assert "*Clusters are compatible*" in upgrade(old, new, "--check", *options)
    assert "Upgrade Complete" in upgrade(old, new, *options)
    said = new.logged_by_upgrade()
    assert "starting PostgreSQL 16" in said and "starting PostgreSQL 18" in said
    for trouble in ("itembank_embed worker", "ERROR:", "PANIC:"):
        assert trouble not in said, trouble
    new.start(itembank_embed__workers=0)
    with new.connect("bank") as connection:
        assert bank.rows(connection) == before[0]
        assert bank.definitions(connection) == before[1]
        assert found_nearest(connection) == 7
        version = "SELECT extversion FROM pg_extension WHERE extname = 'itembank_embed'"
        assert connection.execute(version).fetchone()
    new.reload(itembank_embed__workers=1)
    assert_alive(new, "bank")
