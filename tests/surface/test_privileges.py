"""What an ordinary user may see and do, from the first statement of a session on."""

import psycopg
import pytest
from conftest import embed

INSUFFICIENT_PRIVILEGE = "42501"


@pytest.fixture
def user(url):
    """A fresh session of an ordinary user; nothing of the extension was called in it."""
    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute("DROP ROLE IF EXISTS ordinary")
        admin.execute("CREATE ROLE ordinary")
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("SET ROLE ordinary")
            yield connection
        admin.execute("DROP ROLE ordinary")


def refused(connection, query):
    with pytest.raises(psycopg.Error) as caught:
        connection.execute(query)
    assert caught.value.sqlstate == INSUFFICIENT_PRIVILEGE, query


def test_paths_are_neither_seen_nor_set(user):
    for name in ("model_path", "onnxruntime_path"):
        refused(user, f"SHOW itembank_embed.{name}")
        refused(user, f"SET itembank_embed.{name} = '/tmp'")
    seen = user.execute("SELECT name FROM pg_settings WHERE name LIKE 'itembank_embed.%path'")
    assert seen.fetchall() == []


def test_embedding_works_and_messages_name_no_path(user, url):
    assert len(embed(user, "multilingual-e5-small", "a")) == 384
    with psycopg.connect(url, autocommit=True) as admin:
        path = admin.execute("SHOW itembank_embed.model_path").fetchone()[0]
    with pytest.raises(psycopg.Error) as caught:
        user.execute("SELECT embed('no-such-model', 'a')")
    assert path not in str(caught.value)
    for row in user.execute("SELECT models()::text").fetchall():
        assert path not in row[0]
