"""The checker of these tests finds what it is there to find."""

import hashlib

import pytest
from columns_checker import Column, check, content_hash, furthest
from columns_server import TINY, database
from columns_table import Kept, schema

FAULTS = {
    "stale": "UPDATE items SET question = 'other' WHERE id = 1",
    "without a hash": "UPDATE items SET embedding_hash = NULL, embedding = NULL WHERE id = 1",
    "with a hash or a vector alone": "UPDATE items SET embedding = NULL WHERE id = 1",
    "with another fingerprint": "UPDATE items SET embedding_fingerprint = 'x' WHERE id = 1",
    "doubled": "ALTER TABLE items DROP CONSTRAINT one_key; INSERT INTO items TABLE items",
    "contents with two vectors": """
        UPDATE items AS t SET embedding = u.embedding FROM items AS u
        WHERE t.id = 2 AND u.id = 1""",
    "contents with another vector": """
        UPDATE items AS t SET embedding = u.embedding FROM items AS u
        WHERE t.id = 4 AND u.id = 1""",
}


def test_the_hash_is_what_the_contract_says():
    text, image = "가".encode(), b"\x89PNG"
    expected = b"t" + bytes([0] * 7 + [3]) + text + b"i" + bytes([0] * 7 + [4]) + image
    assert content_hash("가", image) == hashlib.sha256(expected).digest()
    assert content_hash(None, None) is None
    assert content_hash("", None) == hashlib.sha256(b"t" + bytes(8)).digest()
    assert len({content_hash("", None), content_hash(None, b""), content_hash("", b"")}) == 3


def test_distances():
    assert furthest({"[1,2]"}) == 0
    assert furthest({"[1,2]", "[1,2.5]", "[0,2]"}) == 1


@pytest.fixture(scope="module")
def place(url):
    """A database of this file's own."""
    with database(url, "columns_checker") as made:
        yield made


@pytest.mark.parametrize("kind", FAULTS)
def test_faults(place, kind):
    with schema(place, "checker") as sql:
        Kept(sql, "statement").make()
        sql.execute("INSERT INTO items VALUES (1, 'a'), (2, 'b'), (3, 'b'), (4, 'd'), (5, NULL)")
        column = Column("items", "question", lambda question: question, TINY)
        report = check(sql, column)
        assert not report.faults and (report.rows, report.empty, report.compared) == (5, 1, 3)
        # A table that nobody keeps.
        sql.execute("CREATE TABLE left_alone AS TABLE items")
        sql.execute("ALTER TABLE left_alone ADD CONSTRAINT one_key PRIMARY KEY (id)")
        sql.execute("DROP TABLE items; ALTER TABLE left_alone RENAME TO items")
        sql.execute(FAULTS[kind])
        assert kind in check(sql, column).faults
