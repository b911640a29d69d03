"""Side-by-side timing: A B A B …, medians of the rounds and of the ratios, with their spread."""

import statistics
import time
from collections.abc import Callable


def seconds(work: Callable[[], object]) -> float:
    """How long one call takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def interleave(a: Callable, b: Callable, rounds: int) -> tuple[list[float], list[float]]:
    """Seconds of `rounds` calls of each, in turn, after one of each that does not count.

    Who goes first changes from round to round, so that neither always meets a warmer machine.
    """
    a(), b()
    first, second = [], []
    for n in range(rounds):
        if n % 2 == 0:
            first.append(seconds(a))
            second.append(seconds(b))
        else:
            second.append(seconds(b))
            first.append(seconds(a))
    return first, second


def spread(values: list[float]) -> str:
    """Median with minimum and maximum."""
    return f"{statistics.median(values):.3f} ({min(values):.3f}–{max(values):.3f})"
