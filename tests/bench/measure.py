"""Side-by-side timing: A B A B …, medians of the rounds and of the ratios, with their spread."""

import os
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


def in_turn(works: dict[str, Callable], rounds: int) -> dict[str, list]:
    """What `rounds` calls of each give, in turn, after one of each that does not count.

    The first of a round goes last in the next: none always meets a warmer machine.
    """
    order = list(works)
    found = {name: [] for name in order}
    for number in range(rounds + 1):
        for name in order:
            value = works[name]()
            if number > 0:
                found[name].append(value)
        order = [*order[1:], order[0]]
    return found


def timed(work: Callable) -> Callable[[], float]:
    """The same work, which gives its seconds."""
    return lambda: seconds(work)


def ratios(of: list[float], to: list[float]) -> list[float]:
    """Round by round."""
    return [a / b for a, b in zip(of, to, strict=True)]


def load() -> str:
    """How busy the machine was of late, itself included: no figure says much without."""
    one, five, _ = os.getloadavg()
    return f"load average {one:.1f} (1 min), {five:.1f} (5 min), {os.cpu_count()} processors"


def heading() -> None:
    """Above the rows."""
    print(f"{'measure':<66}{'value (min–max)':<30}must reach")


def row(measure: str, values: list[float], *, least=None, most=None) -> None:
    """A measure's median and spread, and whether it is where it must be."""
    value = statistics.median(values)
    goal = ""
    if least is not None:
        goal = f">= {least:<6} {'reached' if value >= least else 'MISSED'}"
    if most is not None:
        goal = f"<= {most:<6} {'reached' if value <= most else 'MISSED'}"
    print(f"{measure:<66}{spread(values):<30}{goal}".rstrip())
