"""The project's documents: what they are, and their code, links, headings and tables."""

import re
from pathlib import Path

from conftest import ROOT

README = "README.md"
KOREAN = "README.ko.md"
# Those whose SQL is run: what a user reads.
FOR_USERS = [README, KOREAN, *sorted(f"docs/{page.name}" for page in (ROOT / "docs").glob("*.md"))]
ALL = [
    *FOR_USERS,
    "CHANGELOG.md",
    "models/README.md",
    "fuzz/README.md",
    "tests/data/item_bank/README.md",
]

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
EXAMPLE = re.compile(r"^```sql\n(.*?)^```\n(?:^```text\n(.*?)^```\n)?", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
# An example that cannot be run here says so, and why, where its reader sees it.
NOT_RUN = re.compile(r"-- not run by make test: \S")
# What a page says that goes on from the README's first example.
GOES_ON = re.compile(r"examples\s+(?:here\s+)?start from the table of\s+\[README\.md\]")


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def examples(name: str) -> list[tuple[str, str | None]]:
    """(SQL, output or None) in the order in which they run."""
    found = [(m[1], m[2]) for m in EXAMPLE.finditer(text(name))]
    if name == README:
        # It opens with one that needs the next one's table.
        found = found[1:] + found[:1]
    if GOES_ON.search(text(name)):
        found = [(examples(README)[0][0], None), *found]
    return found


def without_fences(name: str) -> str:
    return FENCE.sub("", text(name))


def code(name: str) -> list[str]:
    """Everything that is set as code, in blocks and in lines."""
    blocks = [m[2] for m in FENCE.finditer(text(name))]
    return blocks + re.findall(r"`([^`]+)`", without_fences(name))


def links(name: str) -> list[str]:
    return LINK.findall(re.sub(r"`[^`\n]+`", "", without_fences(name)))


def anchors(path: Path) -> set[str]:
    """What the headings of a page are called in its address, as GitHub makes it."""
    page = FENCE.sub("", path.read_text(encoding="utf-8"))
    found: set[str] = set()
    for heading in re.findall(r"^#+ (.+)$", page, re.MULTILINE):
        words = re.sub(r"[`*]|\[([^\]]*)\]\([^)]*\)", r"\1", heading.strip().lower())
        slug = re.sub(r"[^\w\- ]", "", words).replace(" ", "-")
        number = 1
        unique = slug
        while unique in found:
            unique, number = f"{slug}-{number}", number + 1
        found.add(unique)
    return found


def rows(page: str, *headers: str) -> list[list[str]]:
    """Cells of the tables whose header has exactly these words first."""
    found = []
    for table in re.findall(r"(?:^\|.*\|\n)+", page, re.MULTILINE):
        lines = [
            [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
            for line in table.splitlines()
        ]
        if tuple(lines[0][: len(headers)]) == headers:
            found += lines[2:]
    return found
