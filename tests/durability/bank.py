"""A database with embedding columns of every kind, in the middle of their work.

Rows are embedded, queued, failed and in migration, in tables of several schemas, with names that
need quoting. And all of it as text, to be compared with what it has become elsewhere.
"""

import psycopg

SCHEMA = '"시험 ""관"" 1"'
QUOTED = SCHEMA + '''."문항's ""표"""'''
TARGET = 'vec "1"'
# Columns by table: (table, target).
COLUMNS = [
    ("bank.items", "embedding"),
    ("bank.items", "short"),
    (QUOTED, TARGET),
    ("bank.papers", "embedding"),
    ("bank.figures", "embedding"),
    ("bank.lessons", "embedding"),
    ("bank.lessons", "embedding_previous"),
    ("bank.notes", "embedding"),
    ("bank.notes", "embedding_next"),
]

TABLES = f"""
    CREATE SCHEMA bank;
    CREATE SCHEMA {SCHEMA};
    CREATE TABLE bank.items (id int PRIMARY KEY, subject text, question text);
    INSERT INTO bank.items (id, subject, question)
        SELECT n, CASE n % 3 WHEN 0 THEN '과학' ELSE '수학' END,
               CASE WHEN n % 20 <> 0 THEN '방정식 $x^2 - ' || n % 33 || 'x = 0$의 두 근의 합은?' END
        FROM generate_series(1, 60) AS n;
    CREATE TABLE {QUOTED} (
        "번호 1" bigint GENERATED ALWAYS AS IDENTITY, "갈래" text COLLATE "C",
        "물음 ""x"" y" text, "보기" text[],
        PRIMARY KEY ("번호 1", "갈래"));
    INSERT INTO {QUOTED} ("갈래", "물음 ""x"" y", "보기")
        SELECT '갈래 ' || n % 2, '문항 ' || n, ARRAY['하나', n::text]
        FROM generate_series(1, 30) AS n;
    CREATE TABLE bank.papers (year int, number int, body text, PRIMARY KEY (year, number))
        PARTITION BY RANGE (year);
    CREATE TABLE bank.papers_old PARTITION OF bank.papers FOR VALUES FROM (1900) TO (2000);
    CREATE TABLE bank.papers_new PARTITION OF bank.papers FOR VALUES FROM (2000) TO (2100);
    INSERT INTO bank.papers SELECT 1990 + n, n, '시험지 ' || n FROM generate_series(1, 20) AS n;
    CREATE TABLE bank.figures (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), figure bytea);
    CREATE TABLE bank.lessons (id int PRIMARY KEY, body text);
    INSERT INTO bank.lessons SELECT n, '수업 ' || n FROM generate_series(1, 12) AS n;
    CREATE TABLE bank.notes (id int PRIMARY KEY, body text);
    INSERT INTO bank.notes SELECT n, '필기 ' || n FROM generate_series(1, 12) AS n;
    INSERT INTO bank.figures (figure)
        SELECT ('no image ' || n)::bytea FROM generate_series(1, 3) AS n;
"""
EMBEDDINGS = f"""
    SELECT add_embedding('bank.items', 'embedding', 'tiny-bert', inputs => 'question');
    SELECT add_embedding('bank.items', 'short', 'tiny-bert', inputs => '{{subject}}: {{question}}',
                         dimensions => 16, type => 'halfvec', mode => 'manual', index => false);
    SELECT add_embedding($q${QUOTED}$q$, $q${TARGET}$q$, 'tiny-bert', mode => 'queue',
                         inputs => $q$물음: {{물음 "x" y}}\\n{{보기}}$q$);
    SELECT add_embedding('bank.papers', 'embedding', 'tiny-bert', inputs => 'body');
    SELECT add_embedding('bank.figures', 'embedding', 'tiny-siglip', image => 'figure',
                         mode => 'queue');
    SELECT add_embedding('bank.lessons', 'embedding', 'tiny-bert', inputs => 'body',
                         mode => 'queue');
    SELECT add_embedding('bank.notes', 'embedding', 'tiny-bert', inputs => 'body');
"""
# They commit as they go. One migration is done, another waits for its swap.
CALLS = [
    "CALL backfill('bank.items', 'short')",
    "CALL backfill('bank.lessons')",
    "CALL migrate_embedding('bank.lessons', 'embedding', 'tiny-cls')",
    "CALL migrate_embedding('bank.notes', 'embedding', 'tiny-cls', swap => false)",
]
# Of the quoted table 16 rows are embedded, the others wait; none of the figures can be.
DRAINED = f"""
    SELECT embedding_drain($q${QUOTED}$q$, $q${TARGET}$q$, 16);
    SELECT embedding_drain('bank.figures', 'embedding', 16);
"""


def build(connection: psycopg.Connection) -> None:
    """All of it, by whoever may make extensions; no worker may be at work."""
    connection.execute("CREATE EXTENSION IF NOT EXISTS itembank_embed CASCADE")
    connection.execute(TABLES)
    connection.execute(EMBEDDINGS)
    for call in CALLS:
        connection.execute(call)
    connection.execute(DRAINED)
    assert {table for table, _ in queued(connection)} == {QUOTED, "bank.figures"}


RELATIONS = """
    SELECT c.oid::regclass::text FROM pg_class AS c
    WHERE c.relkind = 'r' AND c.relnamespace::regnamespace::text = ANY (%(schemas)s) ORDER BY 1
"""
TRIGGERS = """
    SELECT 'trigger', pg_get_triggerdef(t.oid) || ' ' || t.tgenabled::text FROM pg_trigger AS t
    WHERE t.tgname LIKE 'itembank%%' AND NOT t.tgisinternal
"""
DEFINITIONS = f"""
    {TRIGGERS}
    UNION ALL
    SELECT 'index', pg_get_indexdef(c.oid) FROM pg_class AS c
    WHERE c.relnamespace::regnamespace::text = ANY (%(schemas)s) AND c.relkind IN ('i', 'I')
    UNION ALL
    SELECT 'column', format('%%s.%%I %%s %%s', c.oid::regclass, a.attname,
                            format_type(a.atttypid, a.atttypmod), a.attidentity)
    FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid
    WHERE c.relnamespace::regnamespace::text = ANY (%(schemas)s) AND c.relkind IN ('r', 'p')
      AND a.attnum > 0 AND NOT a.attisdropped
    UNION ALL
    SELECT 'owner', format('%%s %%s', c.oid::regclass, c.relowner::regrole) FROM pg_class AS c
    WHERE c.relnamespace::regnamespace::text = ANY (%(schemas)s) AND c.relkind IN ('r', 'p')
    ORDER BY 1, 2
"""
SCHEMAS = {"schemas": ["bank", SCHEMA]}


def rows(connection: psycopg.Connection) -> dict[str, list[str]]:
    """Every row of every table, as text; of the registry and the progress too."""
    with connection.transaction():
        # As pg_dump: names in the registry are told from the same names elsewhere.
        schema = extension_schema(connection)
        connection.execute("SET LOCAL search_path = pg_catalog")
        tables = [name for (name,) in connection.execute(RELATIONS, SCHEMAS)]
        tables += [f"{schema}.embedding_columns", f"{schema}.embedding_progress"]
        texts = "SELECT coalesce(array_agg(t::text ORDER BY t::text), '{{}}') FROM {} AS t"
        return {name: connection.execute(texts.format(name)).fetchone()[0] for name in tables}


def definitions(connection: psycopg.Connection) -> list[tuple[str, str]]:
    """Columns, indexes, triggers and owners."""
    with connection.transaction():
        connection.execute("SET LOCAL search_path = pg_catalog")
        return connection.execute(DEFINITIONS, SCHEMAS).fetchall()


def triggers(connection: psycopg.Connection) -> list[tuple[str, str]]:
    """Those of all tables."""
    return connection.execute(TRIGGERS + "ORDER BY 2", {}).fetchall()


def extension_schema(connection: psycopg.Connection) -> str:
    """Where the extension is, quoted."""
    found = """SELECT extnamespace::regnamespace::text FROM pg_extension
               WHERE extname = 'itembank_embed'"""
    return connection.execute(found).fetchone()[0]


def queued(connection: psycopg.Connection) -> dict[tuple[str, str], tuple[int, int]]:
    """By table and target: entries of the work list, and how many of them have failed."""
    schema = extension_schema(connection)
    columns = f"SELECT tbl::text, target, queue::text FROM {schema}.embedding_columns"
    found = {}
    for table, target, queue in connection.execute(columns).fetchall():
        count = f"SELECT count(*), count(*) FILTER (WHERE error IS NOT NULL) FROM {queue}"
        entries, failed = connection.execute(count).fetchone()
        if entries:
            found[table, target] = (entries, failed)
    return found
