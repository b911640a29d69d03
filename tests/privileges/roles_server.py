"""Roles without a superuser's rights, databases of theirs, and sessions as one of them."""

from contextlib import contextmanager

import psycopg
import pytest
from conftest import setting
from psycopg import sql as quoting
from psycopg.conninfo import make_conninfo

INSUFFICIENT_PRIVILEGE = "42501"
ROLES = ("privileges_app", "privileges_owner", "privileges_stranger", "privileges_watcher")
APP, OWNER, STRANGER, WATCHER = ROLES
TINY = "tiny-bert"


@contextmanager
def made_roles(url):
    """Roles without any rights, but for the watcher, who is PostgreSQL's own."""
    with psycopg.connect(url, autocommit=True) as admin:
        for role in ROLES:
            admin.execute(f"DROP ROLE IF EXISTS {role}")
            admin.execute(f"CREATE ROLE {role} LOGIN")
        admin.execute(f"GRANT pg_monitor TO {WATCHER}")
        yield
        for role in ROLES:
            admin.execute(f"DROP ROLE {role}")


@contextmanager
def database(url, name, prepare):
    """A database of OWNER's, in which a superuser has made the extension."""
    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        admin.execute(f"CREATE DATABASE {name} OWNER {OWNER}")
        path = quoting.Literal(setting("ITEMBANK_FIXTURES"))
        model_path = quoting.SQL("ALTER DATABASE {} SET itembank_embed.model_path = {}")
        admin.execute(model_path.format(quoting.Identifier(name), path))
        try:
            here = make_conninfo(url, dbname=name)
            with psycopg.connect(here, autocommit=True) as made:
                made.execute(prepare)
            yield here
        finally:
            admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


def session(here, role) -> psycopg.Connection:
    """As the role itself, not by SET ROLE: it never was a superuser."""
    connection = psycopg.connect(here, autocommit=True)
    connection.execute(f"SET SESSION AUTHORIZATION {role}")
    connection.execute("SET statement_timeout = '30s'")
    return connection


def refused(connection, statement: str) -> str:
    """What it says."""
    with pytest.raises(psycopg.Error) as caught, connection.transaction():
        connection.execute(statement)
    assert caught.value.sqlstate == INSUFFICIENT_PRIVILEGE, f"{statement}: {caught.value}"
    return str(caught.value)
