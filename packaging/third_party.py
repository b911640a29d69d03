"""The licences of the Rust crates that are linked into the extension and the engine, as one text.

third_party.py FEATURE TARGET: reads cargo's own resolution (offline, locked) and the files that
each crate ships. A crate without such a file is listed with the SPDX expression of its manifest.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

TEXTS = re.compile(r"(licen[cs]e|copying|notice|copyright|unlicense)", re.IGNORECASE)
PACKAGES = ("itembank_embed", "engine")


def cargo(*arguments: str) -> str:
    command = ["cargo", *arguments, "--locked", "--offline"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def linked(feature: str, target: str) -> set[tuple[str, str]]:
    """(name, version) of every crate that ends up in one of the two programs."""
    found = set()
    for package in PACKAGES:
        chosen = ["--no-default-features", "--features", feature] if package == PACKAGES[0] else []
        # Macros run in the compiler: no-proc-macro leaves them out.
        tree = cargo(
            "tree",
            *("--package", package, *chosen, "--target", target),
            *("--edges", "normal,no-proc-macro", "--prefix", "none", "--format", "{p}"),
        )
        for line in tree.splitlines():
            name, version = line.split(" ")[:2]
            found.add((name, version.removeprefix("v")))
    return found


def texts_of(folder: Path) -> list[str]:
    """The licences and notices of a crate, those of sources that it brings along included."""
    found = (path for path in folder.rglob("*") if TEXTS.match(path.name) and path.is_file())
    plain = (path for path in found if path.suffix.lower() in {"", ".md", ".txt", ".mit"})
    return [path.read_text(errors="replace").strip() for path in sorted(plain)]


def main(feature: str, target: str) -> None:
    """Each text once, under the names of all crates that have it."""
    wanted = linked(feature, target)
    metadata = json.loads(cargo("metadata", "--format-version", "1", "--filter-platform", target))
    crates = [
        crate
        for crate in metadata["packages"]
        if (crate["name"], crate["version"]) in wanted and crate["source"]  # not our own
    ]
    crates.sort(key=lambda crate: (crate["name"], crate["version"]))
    having: dict[str, list[str]] = {}
    print("The Rust crates that are linked into itembank_embed and its engine.\n")
    for crate in crates:
        name = f"{crate['name']} {crate['version']}"
        authors = f" (by {', '.join(crate['authors'])})" if crate["authors"] else ""
        print(f"{name}: {crate['license']}{authors}")
        for text in texts_of(Path(crate["manifest_path"]).parent):
            having.setdefault(text, []).append(name)
    for text, names in having.items():
        print(f"\n{'=' * 100}\n{', '.join(dict.fromkeys(names))}\n\n{text}")


if __name__ == "__main__":
    main(*sys.argv[1:])
