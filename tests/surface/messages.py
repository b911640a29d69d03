"""Every message, detail and hint of the extension, read out of its sources.

Only what is written out is found: the literals with which an expression begins, whose template it
is, or which one of its branches gives.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from conftest import ROOT

QUOTED = r"'(?:[^']|'')*'"
# What opens a template: the call that fills it in, the branch that gives it.
OPENING = r"(?:pg_catalog\.)?(?:format|coalesce)\(\s*|\bTHEN\s+|\bELSE\s+"
TEMPLATE = re.compile(rf"(?:\A\s*|{OPENING})+E?({QUOTED}(?:\s*\n\s*{QUOTED})*)")
SQL = re.compile(
    rf"RAISE (?:EXCEPTION|WARNING|NOTICE) (?P<raised>{QUOTED})"
    r"|\b(?P<part>MESSAGE|DETAIL|HINT) = (?P<given>)"
    r"|\bwrong text := (?P<wrong>)"
)
TEXT = r'"(?:[^"\\]|\\.)*"'
RUST = re.compile(
    rf"(?:Fault::new\(\s*FaultCode::\w+,\s*(?:format!\(\s*)?|invalid\(\s*&(?:format!\(\s*)?)(?P<message>{TEXT})"
    rf"|\.(?:set_)?(?P<part>detail|hint)\((?:format!\(\s*)?(?P<given>{TEXT})"
)


@dataclass(frozen=True)
class Said:
    """A text, which part of an error it is, and where it is written."""

    part: str
    text: str
    place: str


def in_sql() -> Iterator[Said]:
    """Those of the functions in SQL."""
    for file in sorted((ROOT / "sql").rglob("*.sql")):
        source = re.sub(r"^\s*--.*$", "", file.read_text(), flags=re.MULTILINE)
        for match in SQL.finditer(source):
            if match["raised"]:
                yield said("message", match["raised"], file)
                continue
            part = {"DETAIL": "detail", "HINT": "hint"}.get(match["part"], "message")
            for template in TEMPLATE.finditer(expression(source, match.end())):
                yield said(part, template[1], file)


def in_rust() -> Iterator[Said]:
    """Those of the extension, the engine and the crates that both use."""
    files = [*(ROOT / "src").rglob("*.rs"), *(ROOT / "crates").glob("*/src/**/*.rs")]
    for file in sorted(files):
        source = file.read_text().split("#[cfg(test)]")[0]
        for match in RUST.finditer(source):
            text = re.sub(r"\\\n\s*", "", match["message"] or match["given"])[1:-1]
            text = text.replace('\\"', '"').replace("\\n", "\n")
            yield Said(match["part"] or "message", text, place(file))


def said(part: str, literals: str, file: Path) -> Said:
    """Of literals that stand one behind the other."""
    parts = re.findall(QUOTED, literals)
    return Said(part, "".join(one[1:-1] for one in parts).replace("''", "'"), place(file))


def place(file: Path) -> str:
    """Below the project's folder."""
    return str(file.relative_to(ROOT))


def expression(source: str, start: int) -> str:
    """What stands there up to the comma or semicolon that ends it."""
    depth = 0
    for token in re.compile(rf"{QUOTED}|[()\[\],;]").finditer(source, start):
        found = token[0]
        if found in "([":
            depth += 1
        elif found in ")]":
            depth -= 1
        if depth < 0 or depth == 0 and found in ",;":
            return source[start : token.start()]
    return source[start:]
