"""Databases that are not UTF-8: the same text gives the same vector, and no text gives an error."""

from contextlib import contextmanager

import psycopg
import pytest
from conftest import embed, fails
from psycopg.conninfo import make_conninfo

MODEL = "multilingual-e5-small"
KOREAN = "이차방정식의 두 근의 합은?"
CHARACTER_NOT_IN_REPERTOIRE = "22021"


@contextmanager
def database(url, encoding):
    """A connection to a database in another encoding."""
    name = f"encoding_{encoding.lower()}"
    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        admin.execute(f"CREATE DATABASE {name} ENCODING '{encoding}' LOCALE 'C' TEMPLATE template0")
        with psycopg.connect(make_conninfo(url, dbname=name), autocommit=True) as connection:
            connection.execute("CREATE EXTENSION itembank_embed CASCADE")
            connection.execute("SET client_encoding = 'UTF8'")
            yield connection
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.mark.parametrize("encoding", ["EUC_KR", "SQL_ASCII"])
def test_korean_text_and_messages(url, sql, encoding):
    with database(url, encoding) as elsewhere:
        assert embed(elsewhere, MODEL, KOREAN) == embed(sql, MODEL, KOREAN)
        reranked = "SELECT * FROM rerank('두 근', ARRAY['광합성', %s])"
        found = sql.execute(reranked, (KOREAN,)).fetchall()
        assert elsewhere.execute(reranked, (KOREAN,)).fetchall() == found
        assert found[0][:2] == (2, KOREAN)
        evaluated = """SELECT * FROM evaluate('SELECT ''질문'', ''문항'', 1 -- 주석',
            'SELECT ''질문'', ''문항'', 1', '{mrr}')"""
        assert elsewhere.execute(evaluated).fetchall() == [("질문", "mrr", 1.0), (None, "mrr", 1.0)]
        error = fails(elsewhere, "22023", f"SELECT embed('{MODEL}', 'a', task => '검색')")
        assert "검색" in error.diag.message_primary


def test_bytes_that_are_no_text_are_refused(url):
    with database(url, "SQL_ASCII") as elsewhere:
        elsewhere.execute("SET client_encoding = 'SQL_ASCII'")
        with pytest.raises(psycopg.Error) as caught:
            elsewhere.execute(f"SELECT embed('{MODEL}', E'\\xff\\xfe')")
        assert caught.value.sqlstate == CHARACTER_NOT_IN_REPERTOIRE
        elsewhere.execute("SET client_encoding = 'UTF8'")
        assert len(embed(elsewhere, MODEL, "alive")) == 384


def test_messages_survive_an_encoding_that_lacks_their_characters(url):
    with database(url, "LATIN1") as elsewhere:
        fails(elsewhere, "42704", "SELECT embed('no-such-model', 'é')")
        assert elsewhere.execute("SELECT count(*) FROM models()").fetchone()[0] >= 2
        assert len(embed(elsewhere, MODEL, "été")) == 384
