"""Errors speak in PostgreSQL's own style: a message is no sentence, detail and hint are sentences.

https://www.postgresql.org/docs/current/error-style-guide.html
"""

import re

import messages
from conftest import ROOT

# Parts of sentences, which a larger template puts in.
FRAGMENTS = {
    "",
    ", ",
    ", or text with {column}",
    " with dimensions => ",
    " Failures: ",
    "Worker and back-fill try them again",
    "The next back-fill tries them again",
}
# Names with which a sentence may begin as they are written: arguments, functions, abbreviations.
NAMES = r"(?:[a-z]+(?:_[a-z0-9_]+|\()|inputs |k |sha256 )"
SAID = [one for one in [*messages.in_sql(), *messages.in_rust()] if one.text not in FRAGMENTS]


def test_they_are_found():
    """A reader that finds nothing would pass everything."""
    for part in ("message", "detail", "hint"):
        found = [one for one in SAID if one.part == part]
        assert len([one for one in found if one.place.startswith("sql")]) > 50, part
        assert len([one for one in found if one.place.startswith(("src", "crates"))]) > 50, part


def test_style():
    faults = [one for one in SAID if not in_style(one)]
    assert not faults, "\n".join(map(str, faults))


def in_style(said: messages.Said) -> bool:
    """As the guide has it."""
    if said.part == "message":
        # Lower case, but for names and abbreviations; no full stop.
        begin, end = r"""[a-z"%{0-9]|[A-Z]{2,}""", r"[^.!;\s]$"
    else:
        # A capital letter; a full stop, the semicolon of a command, or what is put in at the end.
        begin = rf"""[A-Z"'%{{$0-9]|{NAMES}"""
        end = r"[.;]$|\.\)$|: $|=> $|JSON type $|%s$|\}$"
    return bool(re.match(begin, said.text) and re.search(end, said.text))


def test_every_error_of_sql_has_all_of_its_parts():
    """SQLSTATE, detail, hint."""
    for file in sorted((ROOT / "sql").rglob("*.sql")):
        source = file.read_text()
        for match in re.finditer(r"RAISE EXCEPTION ", source):
            rest = re.match(rf"(?:{messages.QUOTED}|[^';])*;", source[match.start() :])
            for part in ("ERRCODE =", "DETAIL =", "HINT ="):
                assert part in rest[0], (file, rest[0])
