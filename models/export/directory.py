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
    meanwhile, so that nobody takes them for models.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        new = work / "new"
        new.mkdir()
        yield new
        if target.exists():
            target.rename(work / "old")
        new.rename(target)
    finally:
        shutil.rmtree(work)
