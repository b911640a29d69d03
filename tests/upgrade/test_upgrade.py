"""ALTER EXTENSION itembank_embed UPDATE from each release makes what CREATE EXTENSION makes.

The install scripts of former releases are kept here as they were, installed for these tests alone.
"""

import re
import subprocess
import sys
import tomllib
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import catalog
import psycopg
import pytest
from conftest import ROOT, setting

sys.path.append(str(ROOT / "tests" / "durability"))
import bank
from checks import assert_alive
from private_cluster import cluster

pytestmark = pytest.mark.server

HERE = Path(__file__).parent
SCRIPTS = list(HERE.glob("itembank_embed--*.sql"))
FORMER = sorted(
    (script.stem.partition("--")[2] for script in SCRIPTS),
    key=lambda version: [int(number) for number in version.split(".")],
)
CURRENT = tomllib.loads((ROOT / "Cargo.toml").read_text())["workspace"]["package"]["version"]
INSUFFICIENT_PRIVILEGE = "42501"
UPDATE = "ALTER EXTENSION itembank_embed UPDATE"
VERSION = "SELECT extversion FROM pg_extension WHERE extname = 'itembank_embed'"


def installed() -> Path:
    """Where the server under test looks for extensions."""
    program = Path(setting("ITEMBANK_TEST_PGBIN")) / "pg_config"
    share = subprocess.check_output([program, "--sharedir"], text=True)
    return Path(share.strip()) / "extension"


def put(away: bool = False) -> None:
    """Puts the former install scripts where the server finds them, or takes them away again."""
    for script in SCRIPTS:
        target = installed() / script.name
        target.unlink(missing_ok=True)
        if not away:
            target.write_bytes(script.read_bytes())


@pytest.fixture(scope="module")
def server():
    """A server with former versions at hand; its workers are off."""
    put()
    try:
        with cluster("upgrade-extension", **{"itembank_embed.workers": 0}) as made:
            with made.connect("postgres") as admin:
                admin.execute("CREATE ROLE head LOGIN; CREATE ROLE guest LOGIN; CREATE ROLE ops")
            yield made
    finally:
        put(away=True)


def create(connection, version: str | None = None, schema: str = "public") -> None:
    """The extension, in a version or the one that is current."""
    connection.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
    connection.execute("CREATE EXTENSION IF NOT EXISTS vector SCHEMA public")
    wanted = f" VERSION '{version}'" if version else ""
    connection.execute(f"CREATE EXTENSION itembank_embed SCHEMA {schema}{wanted}")


def refused(connection, statement: str) -> None:
    with pytest.raises(psycopg.Error) as caught:
        connection.execute(statement)
    assert caught.value.sqlstate == INSUFFICIENT_PRIVILEGE, caught.value


def test_a_step_leads_from_each_release_to_this_one(server):
    """One linear step a release, and nothing else, is installed."""
    assert FORMER and CURRENT not in FORMER
    steps = {file.name for file in (ROOT / "sql").glob("itembank_embed--*.sql")}
    releases = [*FORMER, CURRENT]
    assert steps == {f"itembank_embed--{old}--{new}.sql" for old, new in pairwise(releases)}
    for step in steps:
        assert (installed() / step).read_text() == (ROOT / "sql" / step).read_text(), step
    with server.connect("postgres") as connection:
        paths = (
            "SELECT source, path FROM pg_extension_update_paths('itembank_embed') WHERE target = %s"
        )
        found = dict(connection.execute(paths, (CURRENT,)).fetchall())
    assert all(found[version] for version in FORMER), found


@pytest.mark.parametrize("schema", ["public", "ext"])
@pytest.mark.parametrize("version", FORMER)
def test_the_catalog_is_that_of_a_new_one(server, version, schema):
    """Who changes sql/ or a function of Rust's without its step fails here."""
    server.create("fresh", "upgraded")
    with server.connect("fresh") as fresh, server.connect("upgraded") as upgraded:
        create(fresh, schema=schema)
        create(upgraded, version, schema)
        before = catalog.snapshot(upgraded)
        upgraded.execute(UPDATE)
        wanted, found = catalog.snapshot(fresh), catalog.snapshot(upgraded)
        assert catalog.differences(wanted, found) == []
        assert len(found) > 150 and catalog.differences(wanted, before), "nothing was compared"


DATA = """
    CREATE TABLE bank.generated (
        id int PRIMARY KEY, question text,
        embedding vector(32) GENERATED ALWAYS AS (embed('tiny-bert', question)) STORED);
    INSERT INTO bank.generated (id, question) SELECT n, '문항 ' || n FROM generate_series(1, 9) n;
    CREATE VIEW bank.scored AS
        SELECT id, rerank_batch('해', question, model => 'tiny-bert') OVER () AS score
        FROM bank.generated;
    CREATE VIEW bank.measured AS
        SELECT recall_at_k(id::text, 1, 1, 5) FROM bank.generated;
    CREATE VIEW bank.progress AS SELECT tbl, state FROM itembank_progress;
    CREATE FUNCTION bank.grade(item text, grade int) RETURNS int BEGIN ATOMIC
        SELECT judge(query => 'q9', item => item, grade => grade);
    END;
"""
KEPT = """
    SELECT 'judged', j::text FROM evaluation_judgements AS j
    UNION ALL SELECT 'migrated', m::text FROM embedding_migrations AS m
    UNION ALL SELECT 'progress', p::text FROM embedding_progress AS p
    UNION ALL SELECT 'generated', g::text FROM bank.generated AS g ORDER BY 1, 2
"""


def prepared(server, version: str) -> psycopg.Connection:
    """The database `bank` of a former version: every mode, a migration under way, judgements."""
    server.create("bank")
    connection = server.connect("bank")
    create(connection, version)
    bank.build(connection)
    connection.execute(DATA)
    connection.execute("SELECT judge('q1', '1', 2, 'kim', '좋다'), judge('q1', '2', 0, 'lee')")
    return connection


def assert_works(connection) -> None:
    """What both versions can do, in the database `bank`."""
    connection.execute("INSERT INTO bank.generated (id, question) VALUES (100, '새 문항')")
    connection.execute("INSERT INTO bank.items (id, question) VALUES (900, '새 문항')")
    fresh = """SELECT i.embedding <-> g.embedding FROM bank.items AS i, bank.generated AS g
               WHERE i.id = 900 AND g.id = 100"""
    assert connection.execute(fresh).fetchone()[0] < 1e-6
    connection.execute(
        "DELETE FROM bank.generated WHERE id = 100; DELETE FROM bank.items WHERE id = 900"
    )
    connection.execute("CREATE TABLE bank.late (id int PRIMARY KEY, body text)")
    connection.execute("INSERT INTO bank.late VALUES (1, 'a'), (2, 'b')")
    connection.execute(
        "SELECT add_embedding('bank.late', 'v', 'tiny-bert', 'body', mode => 'manual')"
    )
    connection.execute("CALL backfill('bank.late')")
    coverage = "SELECT coverage FROM embeddings() WHERE tbl = 'bank.late'::regclass"
    assert connection.execute(coverage).fetchone() == (1,)
    connection.execute("CALL migrate_embedding('bank.late', 'v', 'tiny-cls')")
    connection.execute("SELECT rollback_embedding('bank.late', 'v')")
    connection.execute("DROP TABLE bank.late")
    connection.execute("DELETE FROM embedding_migrations WHERE target = 'v'")
    for query in (
        "SELECT count(*) FROM bank.scored WHERE score IS NOT NULL",
        "SELECT * FROM bank.measured",
        "SELECT count(*) FROM bank.progress",
        "SELECT count(*) FROM engine_status()",
        "SELECT count(*) FROM pooled_judgements()",
    ):
        assert connection.execute(query).fetchone()[0] > 0, query
    assert connection.execute("SELECT bank.grade('1', 1)").fetchone() == (None,)
    assert connection.execute("SELECT bank.grade('1', 2)").fetchone() == (1,)
    connection.execute("DELETE FROM evaluation_judgements WHERE query_id = 'q9'")


@pytest.mark.parametrize("version", FORMER)
def test_data_is_kept_and_everything_goes_on(server, version):
    with prepared(server, version) as connection:
        assert connection.execute(VERSION).fetchone() == (version,)
        assert_works(connection)
        before = bank.rows(connection), bank.definitions(connection)
        kept = connection.execute(KEPT).fetchall()
        assert {what for what, _ in kept} == {"judged", "migrated", "progress", "generated"}
        # An update that is given up leaves the former version as it was.
        was = catalog.snapshot(connection)
        with suppress(ZeroDivisionError), connection.transaction():
            connection.execute(UPDATE)
            assert connection.execute(VERSION).fetchone() == (CURRENT,)
            raise ZeroDivisionError
        assert catalog.differences(was, catalog.snapshot(connection)) == []
        assert_works(connection)
        connection.execute(UPDATE)
        assert connection.execute(VERSION).fetchone() == (CURRENT,)
        assert (bank.rows(connection), bank.definitions(connection)) == before
        assert connection.execute(KEPT).fetchall() == kept
        assert_works(connection)
        # The migration that was under way.
        connection.execute("CALL migrate_embedding('bank.notes', 'embedding', 'tiny-cls')")
        swapped = (
            "SELECT count(swapped_at) FROM embedding_migrations WHERE tbl = 'bank.notes'::regclass"
        )
        assert connection.execute(swapped).fetchone() == (1,)
        connection.execute("SELECT rollback_embedding('bank.notes', 'embedding')")
    server.reload(itembank_embed__workers=1)
    assert_alive(server, "bank")
    server.reload(itembank_embed__workers=0)


@pytest.mark.parametrize("version", FORMER)
def test_a_dump_of_a_former_version_becomes_this_one(server, version):
    """Where only this one is installed."""
    with prepared(server, version) as connection:
        before = bank.rows(connection), connection.execute(KEPT).fetchall()
    dump = server.client("pg_dump", "-d", server.conninfo("bank"))
    put(away=True)
    try:
        server.create("restored")
        server.psql("restored", dump)
    finally:
        put()
    with server.connect("restored") as connection:
        assert connection.execute(VERSION).fetchone() == (CURRENT,)
        assert (bank.rows(connection), connection.execute(KEPT).fetchall()) == before
        assert_works(connection)


@pytest.mark.parametrize("version", FORMER)
def test_who_updates(server, version):
    """The superuser, and not the database's owner."""
    server.create("owned", owner="head")
    with server.connect("owned") as admin:
        create(admin, version)
    for user in ("head", "guest"):
        with server.connect("owned", user=user) as connection:
            refused(connection, UPDATE)
            assert connection.execute(VERSION).fetchone() == (version,)


JUDGE = "FUNCTION public.judge(query text, item text, grade integer, assessor text, note text)"
GRANTS = {
    "FUNCTION public.load_model(name text)": "EXECUTE",
    "FUNCTION public.engine_summary()": "EXECUTE",
    JUDGE: "EXECUTE",
    "TABLE public.evaluation_judgements": "SELECT,INSERT",
    "TABLE public.itembank_engine": "SELECT",
}
# What the view calls, which everybody could.
CALLED = "FUNCTION public.engine_models()"


@pytest.mark.parametrize("version", FORMER)
def test_what_was_granted_before_is_kept_and_dumped(server, version):
    """Nothing of it is taken for the extension's own, and the role is free to go."""
    server.create("granted", "restored")
    with server.connect("granted") as connection:
        create(connection, version)
        for what, right in GRANTS.items():
            connection.execute(f"GRANT {right} ON {what} TO ops")
        connection.execute(UPDATE)
    dump = server.client("pg_dump", "-d", server.conninfo("granted"))
    found = dict(re.findall(r"GRANT (?:ALL|.+) ON (.+) TO (ops);", dump))
    assert set(found) == {*GRANTS, CALLED}, dump
    server.psql("restored", dump)
    for name in ("granted", "restored"):
        with server.connect(name) as connection:
            with connection.transaction():
                connection.execute("SET LOCAL ROLE ops")
                for relation in ("evaluation_judgements", "itembank_engine"):
                    connection.execute(f"SELECT * FROM {relation}")
                connection.execute("SELECT engine_summary()")
            for what in (*GRANTS, CALLED):
                connection.execute(f"REVOKE ALL ON {what} FROM ops")
            # Nothing else of the role is left in this database.
            left = """SELECT count(*) FROM pg_shdepend WHERE refobjid = 'ops'::regrole AND dbid = (
                          SELECT oid FROM pg_database WHERE datname = current_database())"""
            assert connection.execute(left).fetchone() == (0,)


# Each with what a dump says of it after the upgrade.
BEFORE = {
    "GRANT SELECT ON evaluation_judgements TO PUBLIC": [
        "GRANT SELECT ON TABLE public.evaluation_judgements TO PUBLIC;"
    ],
    "REVOKE SELECT, INSERT ON embedding_columns FROM PUBLIC": [
        "REVOKE SELECT,INSERT ON TABLE public.embedding_columns FROM PUBLIC;"
    ],
    "GRANT SELECT ON evaluation_judgements TO pg_monitor": [
        "GRANT SELECT ON TABLE public.evaluation_judgements TO pg_monitor;"
    ],
    "GRANT EXECUTE ON FUNCTION load_model(text) TO pg_monitor": [
        "GRANT ALL ON FUNCTION public.load_model(name text) TO pg_monitor;"
    ],
    "GRANT SELECT (total) ON embedding_progress TO ops": [
        "GRANT SELECT(total) ON TABLE public.embedding_progress TO ops;"
    ],
    # What it has by now in any case.
    "GRANT SELECT ON itembank_engine TO pg_monitor": [],
    "GRANT EXECUTE ON FUNCTION engine_summary() TO pg_monitor": [],
    "REVOKE UPDATE, DELETE ON embedding_migrations FROM PUBLIC": [],
    # Who could not look at the view still cannot.
    "REVOKE EXECUTE ON FUNCTION engine_models() FROM PUBLIC": [],
    "GRANT SELECT ON itembank_engine TO ops": [
        "GRANT SELECT ON TABLE public.itembank_engine TO ops;"
    ],
}


@pytest.mark.parametrize("version", FORMER)
def test_what_everybody_was_granted_or_denied_is_dumped(server, version):
    """And what a role that a new installation knows had before."""
    server.create("fresh", "granted", "restored")
    with server.connect("granted") as connection, server.connect("fresh") as fresh:
        create(connection, version)
        for statement in BEFORE:
            connection.execute(statement)
        connection.execute(UPDATE)
        create(fresh)
        wanted, upgraded = catalog.snapshot(fresh), catalog.snapshot(connection)
    for name, about in wanted.items():
        assert upgraded[name].get("initial rights") == about.get("initial rights"), name
    dump = server.client("pg_dump", "-d", server.conninfo("granted"))
    found = re.findall(r"^(?:GRANT|REVOKE) .+;$", dump, re.MULTILINE)
    assert sorted(found) == sorted(line for lines in BEFORE.values() for line in lines)
    server.psql("restored", dump)
    with server.connect("restored") as connection:
        assert catalog.differences(upgraded, catalog.snapshot(connection)) == []


# An operator is found by its types, and one of just these is nearer than one of PostgreSQL's own.
TRAP = """
    CREATE FUNCTION {schema}.trap(a oid, b {type}) RETURNS bool LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION 'called as %', current_user;
    END $$;
    CREATE OPERATOR {schema}.= (FUNCTION = {schema}.trap, LEFTARG = oid, RIGHTARG = {type});
    CREATE OPERATOR {schema}.<> (FUNCTION = {schema}.trap, LEFTARG = oid, RIGHTARG = {type});
"""


@pytest.mark.parametrize("schema", ["public", "ext"])
@pytest.mark.parametrize("version", FORMER)
def test_nobody_elses_code_is_run(server, version, schema):
    """Where others may make functions in the extension's schema."""
    server.create("shared")
    with server.connect("shared") as admin:
        create(admin, version, schema)
        admin.execute(f"GRANT CREATE, USAGE ON SCHEMA {schema} TO guest")
        with server.connect("shared", user="guest") as guest:
            for kind in ("regclass", "regproc", "regrole", "regnamespace", "int4", "int8"):
                guest.execute(TRAP.format(schema=schema, type=kind))
            guest.execute(f"SET search_path = {schema}")
            with pytest.raises(psycopg.Error, match="called as guest"):
                guest.execute("SELECT 1::oid = 'pg_class'::regclass")
        admin.execute(UPDATE)
        assert admin.execute(VERSION).fetchone() == (CURRENT,)
