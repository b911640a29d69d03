"""What a database of `bank` has to be able to do wherever it has got to."""

from collections.abc import Iterator
from contextlib import contextmanager

import bank
import psycopg
from conftest import setting
from private_cluster import Cluster, no_models, wait_until
from psycopg.rows import dict_row

# The worker looks again by itself after it found no model, later and later.
WORKER = 120


def set_models(server: Cluster, installed: bool) -> None:
    """Has the server find the tiny models, or none; and its sessions have heard of it."""
    path = setting("ITEMBANK_FIXTURES") if installed else str(no_models())
    server.reload(itembank_embed__model_path=path)
    with server.connect("postgres") as connection:
        show = "SHOW itembank_embed.model_path"
        wait_until(
            lambda: connection.execute(show).fetchone()[0] == path, 10, "the setting is read"
        )


def engine(connection: psycopg.Connection) -> dict:
    """The one row of engine_status(), wherever the extension is."""
    schema = bank.extension_schema(connection)
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(f"SELECT * FROM {schema}.engine_status()").fetchone()


@contextmanager
def assert_no_inference(server: Cluster) -> Iterator[None]:
    """The engine of a server was asked for nothing and holds no model, in between."""
    server.create("watch")
    with server.connect("watch") as connection:
        connection.execute("CREATE EXTENSION itembank_embed CASCADE")
        wait_until(lambda: engine(connection)["state"] == "running", 30, "the engine runs")
        before = engine(connection)
        yield
        after = engine(connection)
        for what in ("pid", "items", "batches"):
            assert after[what] == before[what], (what, before, after)


def found_nearest(connection: psycopg.Connection) -> int:
    """The row that a search with the stored vector of row 7 finds first, through the index."""
    with connection.transaction():
        connection.execute("SET LOCAL enable_seqscan = off")
        vector = "SELECT embedding FROM bank.items WHERE id = 7"
        search = f"""SELECT id FROM bank.items WHERE id <> 40
                     ORDER BY embedding <=> ({vector}) LIMIT 1"""
        plan = connection.execute("EXPLAIN " + search).fetchall()
        assert "hnsw" in str(plan)
        return connection.execute(search).fetchone()[0]


def assert_alive(server: Cluster, database: str, path: str = "public") -> None:
    """Models are there: vectors are right, new rows get theirs, the worker does what is queued."""
    with server.connect(database) as connection:
        connection.execute(f"SET search_path = {path}")
        assert_right(connection)
        # Of its own accord.
        wait_until(lambda: drained(connection), WORKER, "the worker has drained the queue")
        assert_embeds(connection)
        assert_worker_embeds(connection)


def assert_right(connection: psycopg.Connection) -> None:
    """The model of today gives the vectors that are stored."""
    listed = connection.execute("SELECT * FROM embeddings()").fetchall()
    assert len(listed) == len(bank.COLUMNS), listed
    for table in ("bank.items", bank.QUOTED, "bank.papers", "bank.lessons", "bank.notes"):
        with connection.cursor(row_factory=dict_row) as cursor:
            found = cursor.execute("SELECT * FROM verify_embeddings(%s)", (table,)).fetchall()
        assert found, table
        for row in found:
            assert row["sampled"] >= 12 and row["differing"] == 0 and row["min_cosine"] > 0.999, row
    # One that is kept by hand may be stale, and the queue is not drained yet.
    query = "SELECT DISTINCT relation::text FROM stale_embeddings() WHERE target <> 'short'"
    stale = {table for (table,) in connection.execute(query).fetchall()}
    assert stale <= {bank.QUOTED, "bank.figures"}


def assert_embeds(connection: psycopg.Connection) -> None:
    """INSERT and UPDATE do, of tables and partitions; where no content changes they do not."""
    for change in (
        "INSERT INTO bank.items (id, question) VALUES (1000, '새 문항')",
        "UPDATE bank.items SET question = question || ' 고르시오.' WHERE id < 4",
        "INSERT INTO bank.papers VALUES (2050, 1, '새 시험지')",
        "UPDATE bank.papers_old SET body = body || ' 개정' WHERE number = 1",
    ):
        before = engine(connection)["items"]
        connection.execute(change)
        assert engine(connection)["items"] > before, change
    before = engine(connection)["items"]
    connection.execute("UPDATE bank.items SET subject = subject")
    assert engine(connection)["items"] == before
    assert not connection.execute(
        "SELECT * FROM stale_embeddings('bank.items') WHERE target = 'embedding'"
    ).fetchall()
    assert not connection.execute("SELECT * FROM stale_embeddings('bank.papers')").fetchall()
    same = "SELECT count(*) FROM bank.items WHERE embedding <-> embed('tiny-bert', question) > 1e-4"
    assert connection.execute(same).fetchone() == (0,)


def assert_worker_embeds(connection: psycopg.Connection) -> None:
    """What comes into the queue is embedded soon; what cannot be stays."""
    insert = f"""INSERT INTO {bank.QUOTED} ("갈래", "물음 ""x"" y") VALUES ('새', '새 것')"""
    connection.execute(insert)
    wait_until(lambda: drained(connection), WORKER, "the worker has embedded the new row")
    assert bank.queued(connection) == {("bank.figures", "embedding"): (3, 3)}
    stale = "SELECT * FROM stale_embeddings(%s)"
    assert not connection.execute(stale, (bank.QUOTED,)).fetchall()
    target = bank.TARGET.replace('"', '""')
    count = f"""SELECT count(*), count("{target}") FROM {bank.QUOTED}"""
    assert connection.execute(count).fetchone() == (31, 31)


def drained(connection: psycopg.Connection) -> bool:
    """Whether nothing is queued but what cannot be embedded."""
    return set(bank.queued(connection)) <= {("bank.figures", "embedding")}
