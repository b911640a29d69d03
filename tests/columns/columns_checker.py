"""Whether an embedding column is what it claims: every row's hash computed once more, in Python.

Knows nothing of the extension's SQL but the meaning of its columns: hash and vector are NULL
together, the hash is that of the content, the fingerprint the model's, and rows of the same content
have the same vector, which is the model's.
"""

import hashlib
import random
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import psycopg

# Up to the order in which a kernel sums for so many rows; halfvec keeps 11 bits.
TOLERANCE = {"vector": 1e-5, "halfvec": 2e-3}
SHOWN = 5
CHUNK = 500

Content = tuple[str | None, bytes | None]


def content_hash(text: str | None, image: bytes | None = None) -> bytes | None:
    """sha256 over 't', the length as eight bytes, the UTF-8; then 'i' and so on for the image."""
    if text is None and image is None:
        return None
    digest = hashlib.sha256()
    for letter, data in ((b"t", None if text is None else text.encode()), (b"i", image)):
        if data is not None:
            digest.update(letter + len(data).to_bytes(8, "big") + data)
    return digest.digest()


@dataclass(frozen=True)
class Column:
    """An embedding column, and how the content of a row comes from some of its columns."""

    table: str  # as SQL names it
    inputs: str  # a list of columns, as SQL names them
    content: Callable[..., Content | str | None]
    model: str
    target: str = "embedding"
    type: str = "vector"
    dimensions: int | None = None
    key: str = "id"  # a list as well
    hash: str | None = None  # where they are not named after the target
    fingerprint: str | None = None

    def of(self, values: Sequence) -> Content:
        """The content of a row that has these inputs."""
        found = self.content(*values)
        return found if isinstance(found, tuple) else (found, None)

    @property
    def names(self) -> tuple[str, str, str]:
        """Of hash, fingerprint and vector, as SQL names them."""
        hash_ = self.hash or f"{self.target}_hash"
        fingerprint = self.fingerprint or f"{self.target}_fingerprint"
        return quoted(hash_), quoted(fingerprint), quoted(self.target)


def quoted(name: str) -> str:
    """As SQL names it."""
    return '"' + name.replace('"', '""') + '"'


@dataclass
class Report:
    """What was found; `faults` are by kind, with the keys of the first few rows."""

    rows: int = 0
    empty: int = 0
    compared: int = 0
    contents: dict[bytes, Content] = field(default_factory=dict)
    keys: dict[tuple, int] = field(default_factory=dict)
    faults: dict[str, list] = field(default_factory=lambda: defaultdict(list))

    def fault(self, kind: str, row: object) -> None:
        self.faults[kind].append(row)

    def __str__(self) -> str:
        counts = f"{self.rows} rows, {self.empty} of them empty, {len(self.contents)} contents"
        counts += f", {self.compared} vectors made again"
        found = [f"{len(rows)} {kind}: {rows[:SHOWN]}" for kind, rows in self.faults.items()]
        return "; ".join([counts, *found])


def check(sql: psycopg.Connection, column: Column, sample: int | None = None) -> Report:
    """Every row; the vectors of `sample` contents are made again, of all where it is None."""
    report = Report()
    vectors: dict[bytes, set[str]] = defaultdict(set)
    made_by = sql.execute("SELECT model_fingerprint(%s)", (column.model,)).fetchone()[0]
    hash_column, print_column, target = column.names
    query = f"""
        SELECT {hash_column}, {print_column}, {target}::text, ROW({column.key})::text,
            {column.inputs} FROM {column.table}"""
    with sql.transaction(), sql.cursor("every_row") as cursor:
        cursor.itersize = 5000
        for hash_, fingerprint, vector, key, *inputs in cursor.execute(query):
            report.rows += 1
            report.keys[key] = report.keys.get(key, 0) + 1
            content = column.of(inputs)
            expected = content_hash(*content)
            if hash_ != expected:
                report.fault("stale" if hash_ else "without a hash", key)
            if (hash_ is None) != (vector is None):
                report.fault("with a hash or a vector alone", key)
            if fingerprint != (made_by if hash_ else None):
                report.fault("with another fingerprint", key)
            if expected is None:
                report.empty += 1
            elif hash_ == expected and vector is not None:
                report.contents[expected] = content
                vectors[expected].add(vector)
    for key, times in report.keys.items():
        if times > 1:
            report.fault("doubled", key)
    compare(sql, column, report, vectors, sample)
    return report


def compare(sql, column: Column, report: Report, vectors: dict, sample: int | None) -> None:
    """Vectors of one content with each other, and some with what the model says now."""
    tolerance = TOLERANCE[column.type]
    for hash_, texts in vectors.items():
        if len(texts) > 1 and furthest(texts) > tolerance:
            report.fault("contents with two vectors", report.contents[hash_])
    hashes = sorted(vectors)
    if sample is not None and sample < len(hashes):
        hashes = random.Random(sample).sample(hashes, sample)
    query = """
        SELECT e::text FROM unnest(embed(%s, %s::text[], %s::bytea[], dimensions => %s))
        WITH ORDINALITY AS u (e, n) ORDER BY n"""
    for start in range(0, len(hashes), CHUNK):
        chunk = hashes[start : start + CHUNK]
        texts = [report.contents[hash_][0] for hash_ in chunk]
        images = [report.contents[hash_][1] for hash_ in chunk]
        given = images if any(images) else None
        found = sql.execute(query, (column.model, texts, given, column.dimensions)).fetchall()
        for hash_, (vector,) in zip(chunk, found, strict=True):
            report.compared += 1
            if furthest({vector, *vectors[hash_]}) > tolerance:
                report.fault("contents with another vector", report.contents[hash_])


def furthest(texts: set[str]) -> float:
    """How far the numbers of several vectors, as text, are apart at most."""
    columns = zip(*([float(x) for x in text[1:-1].split(",")] for text in texts), strict=True)
    return max(max(column) - min(column) for column in columns)


def assert_fresh(sql: psycopg.Connection, column: Column, sample: int | None = None) -> Report:
    """All is as it must be."""
    report = check(sql, column, sample)
    assert not report.faults, str(report)
    return report
