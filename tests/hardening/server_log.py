"""What the server's JSON log says of statements, errors and deaths."""

import json
import os
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

# Of processes that died or gave up, whoever's fault it was.
SIGNS = re.compile(
    r"was terminated by signal|terminating any other active|exited with exit code [1-9]"
    r"|PANIC|panicked|TRAP:|assertion|stack smashing|double free|corrupt|shared memory exhausted"
)
# Lines of the text log itself, and their continuations: they stand in the JSON log, too.
OF_THE_LOG = re.compile(
    r"^\t|\[\d+\].*? (DEBUG\d?|INFO|NOTICE|WARNING|LOG|ERROR|FATAL|PANIC|DETAIL|HINT|"
    r"QUERY|CONTEXT|STATEMENT|LOCATION):  "
)
CALLS = re.compile(r"\b([a-z]\w{1,62})\(")
LAID_OPEN = 400  # characters of a statement that a finding shows


@dataclass
class Statements:
    """Of one kind of client: how many there were, and how they ended."""

    answered: int = 0
    answered_ours: int = 0
    states: Counter = field(default_factory=Counter)
    failed_ours: int = 0


@dataclass
class Found:
    """All that the log holds."""

    clients: dict[str, Statements] = field(default_factory=dict)
    internal: Counter = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)
    deaths: list[str] = field(default_factory=list)


def read(ours: list[str]) -> Found:
    """Goes through the log; `ours` are the names of the extension's functions."""
    names = set(ours)
    found = Found()
    for entry in entries():
        text = f"{entry.get('message', '')} {entry.get('detail', '')}"
        severity = entry.get("error_severity")
        if severity != "ERROR" and not text.startswith("duration:") and SIGNS.search(text):
            found.deaths.append(text[:LAID_OPEN])
        client = entry.get("application_name", "")
        if client not in ("sqlsmith::dut", "calls"):
            continue
        statements = found.clients.setdefault(client, Statements())
        message = entry.get("message", "")
        if severity == "LOG" and message.startswith("duration:"):
            statements.answered += 1
            statements.answered_ours += calls_one_of(names, message)
        elif severity in ("ERROR", "FATAL"):
            note_error(found, statements, entry, names)
    return found


def calls_one_of(names: set[str], statement: str) -> bool:
    return any(name in names for name in CALLS.findall(statement))


def note_error(found: Found, statements: Statements, entry: dict, names: set[str]) -> None:
    state, statement = entry.get("state_code", "?????"), entry.get("statement", "")
    statements.states[state] += 1
    statements.failed_ours += calls_one_of(names, statement)
    if state.startswith("XX") or SIGNS.search(entry.get("message", "")):
        # Numbers and names aside, the same fault is the same finding.
        fault = f"{state} {re.sub(r'[0-9]+', 'N', entry.get('message', ''))[:200]}"
        found.internal[fault] += 1
        found.examples.setdefault(fault, statement)


def entries() -> Iterator[dict]:
    folder = Path(os.environ["ITEMBANK_TEST_DATA"]) / "log"
    for file in sorted(folder.glob("*.json")):
        with file.open(encoding="utf-8", errors="replace") as lines:
            for line in lines:
                try:
                    yield json.loads(line)
                except json.JSONDecodeError:
                    continue
    # What a process wrote past the server's log: a thread's panic, the C library's last words.
    for file in [Path(os.environ["ITEMBANK_TEST_LOG"]), *sorted(folder.glob("*.log"))]:
        with file.open(encoding="utf-8", errors="replace") as lines:
            for line in lines:
                if not OF_THE_LOG.search(line):
                    yield {"error_severity": "LOG", "message": line.rstrip()}
