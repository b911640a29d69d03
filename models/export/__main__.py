"""Entry point of `python models/export NAME --from SOURCE_DIR --out MODELS_DIR`."""

import signal
import sys
from pathlib import Path

# Run as a directory there is no parent package yet; with `models/` on the path `export` is one.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from export.cli import main

# What is half done is put back on the way out, which a plain SIGTERM would not leave time for.
signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
sys.exit(main())
