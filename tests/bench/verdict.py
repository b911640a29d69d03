"""Whether a long run went as it must: one line a check, and how many there were."""

import sys


class Verdict:
    """Prints each check, and remembers whether one failed."""

    def __init__(self):
        self.passed = 0
        self.failed = 0

    def check(self, name: str, good: bool, facts: str) -> None:
        self.failed += not good
        self.passed += bool(good)
        print(f"{'ok    ' if good else 'FAILED'}  {name:<44} {facts}", flush=True)

    def end(self) -> None:
        """The last line, as every runner of tests has it; and the exit status."""
        print(f"{self.passed} passed, {self.failed} failed")
        sys.exit(self.failed > 0)
