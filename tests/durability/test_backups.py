"""Base backups, crashes, recovery to a point in time: all is consistent, and the work goes on."""

import shutil

import bank
import pytest
from checks import assert_alive
from private_cluster import as_server, cluster, copy, owned, place

pytestmark = pytest.mark.server


@pytest.fixture
def archive():
    """Where write-ahead log is kept."""
    folder = owned(place() / "archive")
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def server(archive):
    """With the database `bank`, its workers off, and an archive."""
    settings = {"archive_mode": "on", "archive_command": f"cp %p {archive}/%f"}
    with cluster("backed-up", **{"itembank_embed.workers": 0}, **settings) as made:
        made.create("bank")
        with made.connect("bank") as connection:
            bank.build(connection)
        yield made


def test_an_immediate_stop_loses_nothing(server):
    with server.connect("bank") as connection:
        connection.execute("INSERT INTO bank.items (id, question) VALUES (2000, '마지막')")
        before = bank.rows(connection), bank.definitions(connection)
    server.stop("immediate")
    server.start()
    with server.connect("bank") as connection:
        assert (bank.rows(connection), bank.definitions(connection)) == before
    server.reload(itembank_embed__workers=1)
    assert_alive(server, "bank")


def test_recovery_to_a_point_in_time(server, archive):
    with copy("recovered", server) as recovered:
        with server.connect("bank") as connection:
            connection.execute("INSERT INTO bank.items (id, question) VALUES (2000, '그 전')")
            bank_then = bank.rows(connection)
            connection.execute("SELECT pg_create_restore_point('here')")
            connection.execute("INSERT INTO bank.items (id, question) VALUES (2001, '그 후')")
            connection.execute(bank.DRAINED)
            connection.execute("SELECT pg_switch_wal()")
            connection.execute("CHECKPOINT")
        server.stop("fast")
        as_server("touch", recovered.data / "recovery.signal")
        recovered.start(
            archive_mode="off",
            archive_command="",
            restore_command=f"cp {archive}/%f %p",
            recovery_target_name="here",
            recovery_target_action="promote",
        )
        with recovered.connect("bank") as connection:
            connection.execute("SELECT pg_sleep(0.5)")
            assert bank.rows(connection) == bank_then
        recovered.reload(itembank_embed__workers=1)
        assert_alive(recovered, "bank")
