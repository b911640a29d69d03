"""A directory that appears complete or not at all."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replaced(target: Path) -> Iterator[Path]:
    """Yield an empty directory that becomes `target` when the block ends well, else is removed.

    An existing target is renamed away first and then removed: a server that has its files mapped
    keeps them until it lets go, which writing into them would break. Names start with a dot
    meanwhile, so that nobody takes them for models. Interrupted before the new one is in its place,
    the old one goes back to it.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    new, old = work / "new", work / "old"
    try:
        new.mkdir()
        yield new
        if target.exists():
            target.rename(old)
        new.rename(target)
    finally:
        if old.exists() and not target.exists():
            old.rename(target)
        shutil.rmtree(work)
