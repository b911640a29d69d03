"""A walk through the catalog: every object of the extension has the rights that were decided for
it."""

import re
import sys

import pytest
from conftest import ROOT
from decisions import (
    BY_THE_CALLERS_PATH,
    FOR_ADMINISTRATORS,
    FOR_EVERYBODY,
    FOR_MONITORING,
    FOR_NOBODY,
    FOR_THOSE_ABOVE,
    MONITOR,
    PUBLIC,
    RELATIONS,
)

sys.path.append(str(ROOT / "tests" / "upgrade"))
import catalog

FUNCTIONS = {
    name: rights
    for names, rights in (
        (FOR_EVERYBODY, {PUBLIC: "EXECUTE"}),
        (FOR_THOSE_ABOVE, {PUBLIC: "EXECUTE"}),
        (FOR_MONITORING, {MONITOR: "EXECUTE"}),
        (FOR_ADMINISTRATORS, {}),
        (FOR_NOBODY, {}),
    )
    for name in names.split()
}
PINNED = "search_path=pg_catalog, pg_temp"
INTERNAL = "internal: "


@pytest.fixture
def objects(sql):
    """(class, number, name without schema, comment) of each object."""
    found = []
    for kind, oid, identity in catalog.members(sql):
        comment = sql.execute("SELECT obj_description(%s, %s)", (oid, kind)).fetchone()[0]
        name = re.sub(r"^(?:.* )?public\.", "", identity).partition("(")[0].split()[-1]
        found.append((kind, oid, name, comment))
    return found


def granted(sql, kind, oid) -> dict[str, str]:
    """By role what it may do, the owner's own rights left out; nobody may pass on any."""
    found = {}
    owner = sql.execute("SELECT current_user::text").fetchone()[0]
    for role, by, right, may_pass_on in catalog.rights(sql, kind, oid):
        assert by == owner and (role == owner or not may_pass_on)
        if role != owner:
            found[role] = f"{found[role]} {right}" if role in found else right
    return found


def test_every_object_has_exactly_the_rights_that_were_decided(sql, objects):
    wrong, seen = [], set()
    for kind, oid, name, _ in objects:
        found = granted(sql, kind, oid)
        if kind == "pg_proc":
            wanted = FUNCTIONS.get(name, "no decision in tests/privileges/decisions.py")
        elif kind == "pg_class":
            wanted = RELATIONS.get(name, "no decision in tests/privileges/decisions.py")
        elif kind == "pg_type":  # the rows of the relations, as PostgreSQL has it
            wanted = {PUBLIC: "USAGE"} if name.removesuffix("[]") in RELATIONS else "no decision"
            wanted = wanted if not name.endswith("[]") else {PUBLIC: "USAGE"}
        else:
            assert kind == "pg_event_trigger", f"{kind} {name}: decide who may use it"
            wanted = {}
        seen.add(name)
        if found != wanted:
            wrong.append(f"{kind} {name}: {found}, and should have {wanted}")
    assert not wrong, "\n".join(wrong)
    assert FUNCTIONS.keys() | RELATIONS.keys() <= seen, (FUNCTIONS.keys() | RELATIONS) - seen
    assert len(objects) > 200


def test_no_column_has_rights_of_its_own(sql, objects):
    relations = [oid for kind, oid, *_ in objects if kind == "pg_class"]
    query = "SELECT count(*) FROM pg_attribute WHERE attrelid = ANY (%s) AND attacl IS NOT NULL"
    assert sql.execute(query, (relations,)).fetchone() == (0,)


def test_every_object_says_what_it_is(sql, objects):
    """Internal ones say that they are; so does each column of a relation."""
    internal = {*FOR_THOSE_ABOVE.split(), *FOR_NOBODY.split()}
    for kind, oid, name, comment in objects:
        if kind == "pg_type":
            continue  # the rows of relations
        assert comment, f"{kind} {name} has no comment"
        if kind == "pg_proc":
            assert comment.startswith(INTERNAL) == (name in internal), f"{name}: {comment}"
        assert re.match(r"[a-z]|[A-Z]{2,}|Cohen|KURE", comment), comment
        assert not comment.endswith("."), comment
        if kind == "pg_class":
            columns = """SELECT attname FROM pg_attribute WHERE attrelid = %(oid)s AND attnum > 0
                         AND NOT attisdropped AND col_description(%(oid)s, attnum) IS NULL"""
            assert sql.execute(columns, {"oid": oid}).fetchall() == [], name


def functions(sql, objects):
    """Rows of pg_proc, of the extension's functions."""
    numbers = [oid for kind, oid, *_ in objects if kind == "pg_proc"]
    query = """SELECT p.proname, l.lanname, p.prosecdef, p.proconfig, p.prosrc,
    p.prosqlbody IS NOT NULL,
                      p.proargnames, p.pronargs
               FROM pg_proc AS p JOIN pg_language AS l ON l.oid = p.prolang WHERE p.oid = ANY
               (%s)"""
    return sql.execute(query, (numbers,)).fetchall()


def test_no_function_lends_its_owners_rights(sql, objects):
    for name, _, definer, settings, *_ in functions(sql, objects):
        assert not definer or PINNED in (settings or []), name


def test_functions_in_sql_find_names_alike_for_everybody(sql, objects):
    """By a search path of their own, or bound when they were made; all others are known,
    and why."""
    unpinned = {
        name
        for name, language, _, settings, _, bound, *_ in functions(sql, objects)
        if language in ("sql", "plpgsql") and not bound and PINNED not in (settings or [])
    }
    assert unpinned == BY_THE_CALLERS_PATH.keys()


# What has parentheses in SQL without being a function.
GRAMMAR = """
    coalesce nullif greatest least array values in exists and or not row case when then from as
    select union filter over partition any all using if elsif on join lateral return is with
    materialized operator order by pairs hits others judged strata drawn where text int float8
"""


def code(body: str) -> str:
    """Without comments and literals."""
    return re.sub(r"--[^\n]*|'(?:[^']|'')*'", " ", body)


def test_bodies_name_the_schema_of_what_is_the_extensions(sql, objects):
    """Under pg_catalog alone nothing else would be found, but for what is never reached."""
    ours = {name for kind, _, name, _ in objects if kind in ("pg_proc", "pg_class")}
    names = "|".join(sorted(ours, key=len, reverse=True))
    for name, language, _, _, body, bound, arguments, _ in functions(sql, objects):
        if language not in ("sql", "plpgsql") or bound:
            continue
        found = re.findall(rf"(?<![\w.])(?:{names})\s*\(", code(body))
        assert not found, (name, found)
        # Its own columns and arguments may have a relation's name.
        tables = re.findall(rf"\b(?:FROM|JOIN|INTO|UPDATE)\s+((?:{names})\b)(?!\s*\.)", code(body))
        assert not set(tables) - set(arguments or []), (name, tables)


@pytest.mark.parametrize("name", ["add_embedding", "label_sample", "evaluation_categories"])
def test_what_goes_by_the_callers_path_qualifies_everything(sql, objects, name):
    bodies = [row[4] for row in functions(sql, objects) if row[0] == name]
    assert bodies
    for body in bodies:
        calls = {call.lower() for call in re.findall(r"(?<![\w.])([A-Za-z_]\w*)\s*\(", code(body))}
        assert not calls - set(GRAMMAR.split()), calls


def test_arguments_are_named_alike(sql):
    """An argument of a name that means something has its type in every function of the surface."""
    public = [*FOR_EVERYBODY.split(), *FOR_MONITORING.split(), *FOR_ADMINISTRATORS.split()]
    query = """
        SELECT DISTINCT a.name, format_type(a.type, NULL)
        FROM pg_proc AS p, unnest(p.proargnames, p.proargtypes::oid[]) AS a (name, type)
        WHERE p.proname = ANY (%s) AND a.type <> 0 AND EXISTS (
            SELECT FROM pg_depend AS d JOIN pg_extension AS e ON e.oid = d.refobjid
            WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
              AND e.extname = 'itembank_embed')"""
    types: dict[str, set] = {}
    for name, kind in sql.execute(query, (public,)).fetchall():
        assert name, "an argument has no name"
        types.setdefault(name, set()).add(kind)
    several = {name: found for name, found in types.items() if len(found) > 1}
    # One row or many; an image as a bare literal; an index to be made.
    assert several == {
        "image": {"bytea", "text"},  # a bare literal, an expression
        "inputs": {"text[]", "text"},  # many rows, an expression
    }, several
    assert types["tbl"] == {"regclass"} and types["target"] == {"name"} == types["col"]
    assert types["model"] == types["instruction"] == {"text"}
