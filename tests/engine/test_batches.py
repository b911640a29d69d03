"""Rows of several sessions in one run, and a row that spoils a run."""

import shutil
from collections.abc import Callable

import pytest
from callers import Caller, Callers
from conftest import FIXTURES, fails
from poison import POISON, not_a_number, out_of_bounds
from process import wait_until
from running_engine import ONE, REAL, TINY, altered, running, session
from running_engine import models as statistics_of

pytestmark = pytest.mark.server

CLIENTS = 16


@pytest.fixture
def calling(url):
    """A session, the real model loaded, all counts zero."""
    with session(url) as connection:
        running(connection)
        connection.execute(ONE, (REAL, "a"))
        connection.execute(ONE, (TINY, "a"))
        connection.execute("SELECT engine_reset_statistics()")
        yield connection


def called(callers: Callers, times: int) -> None:
    """Lets them work until each has made so many calls."""
    with callers:
        wait_until(
            lambda: all(len(one.outcomes) >= times for one in callers), 40, "all have called"
        )


def test_single_rows_of_many_sessions_run_together(calling, url):
    callers = Callers(Caller(url, ONE, (REAL, f"short {n}")) for n in range(CLIENTS))
    called(callers, 10)
    found = statistics_of(calling)[REAL]
    print(
        {name: found[name] for name in ("batches", "mean_batch", "largest_batch", "padding_share")}
    )
    assert callers.errors() == []
    assert 1 < found["largest_batch"] <= CLIENTS and found["mean_batch"] > 1.5
    assert found["items"] == sum(len(one.outcomes) for one in callers)
    assert 0 <= found["padding_share"] < 0.5


def test_batching_off(calling, url):
    engine = running(calling)
    callers = Callers(Caller(url, ONE, (REAL, f"short {n}")) for n in range(CLIENTS))
    with altered(calling, batching="off"), callers:
        settled(calling, lambda: statistics_of(calling)[REAL]["largest_batch"] == 1)
        once = {one: len(one.outcomes) for one in callers}
        calling.execute("SELECT engine_reset_statistics()")
        wait_until(lambda: all(len(one.outcomes) > once[one] + 3 for one in callers), 40, "calls")
        found = statistics_of(calling)[REAL]
        assert found["largest_batch"] == 1 and found["batches"] >= found["items"] > 0
    assert running(calling) == engine and callers.errors() == []


def settled(connection, true: Callable[[], bool]) -> None:
    """Waits until a setting holds, as the runs show that begin after it."""

    def look():
        connection.execute("SELECT engine_reset_statistics()")
        connection.execute("SELECT pg_sleep(0.2)")
        return true()

    wait_until(look, 10, "the setting holds")


@pytest.mark.parametrize("damage", [not_a_number, out_of_bounds], ids=lambda one: one.__name__)
def test_a_poisonous_row_fails_alone(url, models, damage):
    name = f"poisoned-{damage.__name__}"
    shutil.copytree(FIXTURES / TINY, models / name)
    damage(models / name)
    manifest = models / name / "model.toml"
    manifest.write_text(manifest.read_text().replace(f'"{TINY}"', f'"{name}"'))
    path = {"model_path": str(models)}
    with session(url, **path) as admin:
        running(admin)
        query, good = ONE, [f"good row {n}" for n in range(8)]
        expected = [admin.execute(query, (TINY, text)).fetchone() for text in good]
        admin.execute(query, (name, "a"))
        healthy = Callers(Caller(url, query, (name, text), **path) for text in good)
        sick = Callers(Caller(url, query, (name, f"bad {POISON}"), **path) for _ in range(2))
        with sick:
            called(healthy, 60)
        found = statistics_of(admin)[name]
        print({key: found[key] for key in ("batches", "largest_batch", "bisected", "failures")})
        for one, row in zip(healthy, expected, strict=True):
            assert one.errors() == []
            assert {outcome.row for outcome in one.outcomes} == {row}
        states = {error.sqlstate for error in sick.errors()}
        assert states == {"XX000"} and len(sick.errors()) == sum(len(one.outcomes) for one in sick)
        assert all(error.diag.message_hint for error in sick.errors())
        assert found["failures"] == len(sick.errors()) and found["largest_batch"] > 1
        assert found["failures_by_code"] == {"XX000": found["failures"]}
        assert (found["bisected"] > 0) == (damage is out_of_bounds)
        array = "SELECT embed(%s, %s::text[])::text"
        rows = admin.execute(array, (name, good)).fetchone()
        assert rows
        fails(admin, "XX000", array, (name, [*good, POISON]))
