"""All that the catalogs know about an extension's objects, so that two of them can be compared.

What PostgreSQL can write out is compared as text (functions, constraints, triggers,
views). A class of
objects that nothing is known of here is an error: it would be compared by its name alone.
"""

import psycopg

EXTENSION = "itembank_embed"
MEMBERS = """
    SELECT d.classid::regclass::text, d.objid, i.type || ' ' || i.identity
    FROM pg_depend AS d, pg_identify_object(d.classid, d.objid, 0) AS i
    WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'
      AND d.refobjid = (SELECT oid FROM pg_extension WHERE extname = %s)
    ORDER BY 3
"""
# By the class of the object, in which %(oid)s is the object's number.
DESCRIBED = {
    "pg_proc": """
        SELECT CASE p.prokind WHEN 'a' THEN to_jsonb(a) #>> '{{}}' ELSE pg_get_functiondef(p.oid)
        END,
               pg_get_function_arguments(p.oid), pg_get_function_result(p.oid),
               p.proowner::regrole::text,
               p.prokind::text, p.prosecdef, p.proleakproof, p.proisstrict, p.proretset,
               p.provolatile::text,
               p.proparallel::text, p.procost, p.prorows, p.prosupport::text,
               p.provariadic::regtype::text,
               p.protrftypes::regtype[]::text, p.prosrc, p.probin, p.proconfig
        FROM pg_proc AS p
            LEFT JOIN LATERAL (
                SELECT a.aggkind, a.aggnumdirectargs, a.aggtransfn, a.aggfinalfn, a.aggcombinefn,
                       a.aggserialfn, a.aggdeserialfn, a.aggmtransfn, a.aggminvtransfn,
                       a.aggmfinalfn,
                       a.aggfinalextra, a.aggmfinalextra, a.aggfinalmodify, a.aggmfinalmodify,
                       a.aggsortop::regoper, a.aggtranstype::regtype, a.aggtransspace,
                       a.aggmtranstype::regtype, a.aggmtransspace, a.agginitval, a.aggminitval
                FROM pg_aggregate AS a WHERE a.aggfnoid = p.oid) AS a ON true
        WHERE p.oid = %(oid)s""",
    "pg_class": """
        SELECT c.relkind::text, c.relowner::regrole::text, c.relpersistence::text, c.reloptions,
               c.relrowsecurity, c.relforcerowsecurity, c.relreplident::text, c.relispartition,
               CASE WHEN c.relkind IN ('v', 'm') THEN pg_get_viewdef(c.oid) END,
               ARRAY(SELECT jsonb_build_array(
                         a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
                         a.attidentity,
                         a.attgenerated, a.attcollation::regcollation, a.attstorage,
                         a.attcompression,
                         a.attoptions, pg_get_expr(e.adbin, e.adrelid), a.attacl::text,
                         col_description(c.oid, a.attnum))::text
                     FROM pg_attribute AS a
                         LEFT JOIN pg_attrdef AS e ON e.adrelid = a.attrelid AND e.adnum = a.attnum
                     WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY
                     a.attnum),
               ARRAY(SELECT format('%%s %%s %%s', o.conname, o.convalidated,
               pg_get_constraintdef(o.oid))
                     FROM pg_constraint AS o WHERE o.conrelid = c.oid ORDER BY 1),
               ARRAY(SELECT pg_get_indexdef(i.indexrelid) FROM pg_index AS i
                     WHERE i.indrelid = c.oid ORDER BY 1),
               ARRAY(SELECT format('%%s %%s %%s', t.tgenabled, pg_get_triggerdef(t.oid),
                                   obj_description(t.oid, 'pg_trigger'))
                     FROM pg_trigger AS t WHERE t.tgrelid = c.oid AND NOT t.tgisinternal ORDER BY
                     1),
               ARRAY(SELECT pg_get_ruledef(r.oid) FROM pg_rewrite AS r WHERE r.ev_class = c.oid
               ORDER BY 1),
               ARRAY(SELECT o::text FROM pg_policy AS o WHERE o.polrelid = c.oid ORDER BY o.polname)
        FROM pg_class AS c WHERE c.oid = %(oid)s""",
    "pg_type": """
        SELECT t.typtype::text, t.typowner::regrole::text, t.typcategory::text, t.typlen,
        t.typstorage::text
        FROM pg_type AS t WHERE t.oid = %(oid)s""",
    "pg_event_trigger": """
        SELECT t.evtevent, t.evtowner::regrole::text, t.evtfoid::regprocedure::text,
        t.evtenabled::text,
               t.evttags
        FROM pg_event_trigger AS t WHERE t.oid = %(oid)s""",
    "pg_cast": """
        SELECT c.castfunc::regprocedure::text, c.castcontext::text, c.castmethod::text
        FROM pg_cast AS c WHERE c.oid = %(oid)s""",
    "pg_operator": """
        SELECT o.oprcode::text, o.oprcom::regoperator::text, o.oprnegate::regoperator::text,
               o.oprcanmerge, o.oprcanhash, o.oprrest::text, o.oprjoin::text,
               o.oprresult::regtype::text,
               o.oprowner::regrole::text
        FROM pg_operator AS o WHERE o.oid = %(oid)s""",
}
# Whose rights can be given away: column of the rights, of the owner, letter for acldefault.
GRANTED = {
    "pg_proc": ("proacl", "proowner", "f"),
    "pg_class": ("relacl", "relowner", "r"),
    "pg_type": ("typacl", "typowner", "T"),
}
RIGHTS = """
    SELECT r.grantee::regrole::text, r.grantor::regrole::text, r.privilege_type, r.is_grantable
    FROM {class} AS o, aclexplode(coalesce(o.{acl}, acldefault('{letter}', o.{owner}))) AS r
    WHERE o.oid = %(oid)s ORDER BY 1, 2, 3
"""
INITIAL = """
    SELECT i.objsubid, r.grantee::regrole::text, r.grantor::regrole::text, r.privilege_type,
    r.is_grantable
    FROM pg_init_privs AS i, aclexplode(i.initprivs) AS r
    WHERE i.classoid = %(class)s::regclass AND i.objoid = %(oid)s ORDER BY 1, 2, 3, 4
"""
ITSELF = """
    SELECT e.extversion, e.extrelocatable, e.extnamespace::regnamespace::text,
    e.extowner::regrole::text,
           e.extconfig::regclass[]::text, e.extcondition, obj_description(e.oid, 'pg_extension'),
           ARRAY(SELECT r.extname::text FROM pg_depend AS d JOIN pg_extension AS r ON r.oid =
           d.refobjid
                 WHERE d.classid = 'pg_extension'::regclass AND d.objid = e.oid
                   AND d.refclassid = 'pg_extension'::regclass ORDER BY 1)
    FROM pg_extension AS e WHERE e.extname = %s
"""


def members(connection: psycopg.Connection) -> list[tuple[str, int, str]]:
    """Class, number and name of each object of the extension."""
    return connection.execute(MEMBERS, (EXTENSION,)).fetchall()


def rights(connection: psycopg.Connection, kind: str, oid: int) -> list[tuple]:
    """(role, by whom, what, whether it may be passed on) for each right; '-' is PUBLIC."""
    if kind not in GRANTED:
        return []
    acl, owner, letter = GRANTED[kind]
    query = RIGHTS.format(**{"class": kind, "acl": acl, "owner": owner, "letter": letter})
    return connection.execute(query, {"oid": oid}).fetchall()


def snapshot(connection: psycopg.Connection) -> dict[str, dict]:
    """By the name of each object, all about it; the extension itself is one of them."""
    with connection.transaction():
        connection.execute("SET LOCAL search_path = ''")
        found = {"extension": {"itself": connection.execute(ITSELF, (EXTENSION,)).fetchone()}}
        for kind, oid, name in members(connection):
            assert kind in DESCRIBED, f"{name}: say in DESCRIBED what a {kind} is made of"
            given = {"class": kind, "oid": oid}
            comment = "SELECT obj_description(%(oid)s, %(class)s)"
            found[name] = {
                "described": connection.execute(
                    DESCRIBED[kind].replace("{{}}", "{}"), given
                ).fetchone(),
                "comment": connection.execute(comment, given).fetchone(),
                "rights": rights(connection, kind, oid),
                "initial rights": connection.execute(INITIAL, given).fetchall(),
            }
        return found


def differences(one: dict[str, dict], other: dict[str, dict]) -> list[str]:
    """What is in one of them alone, and what is another thing in the other."""
    found = [f"only in the first: {name}" for name in one.keys() - other.keys()]
    found += [f"only in the second: {name}" for name in other.keys() - one.keys()]
    for name in one.keys() & other.keys():
        found += [
            f"{name}: {what}: {one[name][what]} / {other[name][what]}"
            for what in one[name]
            if one[name][what] != other[name][what]
        ]
    return sorted(found)
