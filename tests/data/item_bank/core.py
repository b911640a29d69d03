"""What every subject file shares: drafts, the registry of problem kinds, choices, Korean particles.

A *kind* is one problem type (say "sum of an arithmetic sequence"). It has one or more *stems*
(ways of wording it) and a list of value tuples; the n-th tuple is used with stem ``n % stems``.
The judgements are derived from exactly this structure, see ``judgements.py``.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction

SEED = 20240301
CHOICES = 5
SEQ = r"\{a_n\}"


@dataclass(frozen=True)
class Draft:
    """One worded problem: no choices means that the answer is written, not picked."""

    text: str
    answer: str
    choices: tuple[str, ...] = ()
    image: bytes | None = None


@dataclass(frozen=True)
class Item:
    """A draft with its place in the bank; ``kind`` and ``stem`` say how it was made."""

    subject: str
    grade: int
    unit: str
    difficulty: int
    draft: Draft
    kind: str
    stem: int
    id: str = ""


@dataclass(frozen=True)
class Kind:
    """A registered problem type.

    ``groups`` has a letter for each stem: stems that ask for different things (an area and a
    perimeter, say) get different letters and count as different problem types of the unit.
    """

    subject: str
    unit: str
    grade: int
    difficulty: int
    groups: str
    values: Sequence[tuple]
    make: Callable[..., Draft]

    def items(self) -> list[Item]:
        """Every item of this kind, in the order of its values."""
        made = []
        for index, values in enumerate(self.values):
            stem = index % len(self.groups)
            draft = self.make(stem, *values)
            made.append(
                Item(self.subject, self.grade, self.unit, self.difficulty, draft,
                     f"{self.make.__name__}.{self.groups[stem]}", stem)
            )
        return made


KINDS: list[Kind] = []


def subject(name: str) -> Callable:
    """A decorator factory that registers kinds under the subject ``name``."""

    def kind(unit: str, grade: int, difficulty: int, groups: str, values: Sequence[tuple]):
        def register(make: Callable[..., Draft]) -> Callable[..., Draft]:
            KINDS.append(Kind(name, unit, grade, difficulty, groups, values, make))
            return make

        return register

    return kind


def num(value: int | Fraction) -> str:
    """LaTeX of a whole number or a fraction, without dollar signs."""
    value = Fraction(value)
    if value.denominator == 1:
        return str(value.numerator)
    sign = "-" if value < 0 else ""
    return rf"{sign}\frac{{{abs(value.numerator)}}}{{{value.denominator}}}"


def math(value: int | Fraction) -> str:
    """``num`` between dollar signs: the usual look of a choice."""
    return f"${num(value)}$"


def with_unit(unit: str) -> Callable[[int | Fraction], str]:
    """A formatter for choices such as ``12 cm``."""
    return lambda value: f"{math(value)} {unit}"


def counted(unit: str) -> Callable[[int | Fraction], str]:
    """A formatter for choices with a Korean counter, written without a space: ``12개``."""
    return lambda value: f"{math(value)}{unit}"


def signed(value: int) -> str:
    """``+3`` or ``-3``, to go on with an expression."""
    return f"{value:+d}"


def term(coefficient: int, name: str, first: bool = False) -> str:
    """One signed term of a polynomial, empty for a zero coefficient."""
    if coefficient == 0:
        return ""
    sign = "-" if coefficient < 0 else ("" if first else "+")
    size = abs(coefficient)
    return sign + (name if size == 1 and name else f"{size}{name}")


def poly(*coefficients: int, var: str = "x") -> str:
    """LaTeX of a polynomial from its coefficients, highest power first."""
    degree = len(coefficients) - 1
    out = ""
    for index, coefficient in enumerate(coefficients):
        power = degree - index
        name = "" if power == 0 else var if power == 1 else f"{var}^{power}"
        out += term(coefficient, name, first=not out)
    return out or "0"


def root(n: int) -> str:
    r"""``\sqrt{n}`` in its simplest form."""
    outside = max(k for k in range(1, int(n**0.5) + 1) if n % (k * k) == 0)
    inside = n // (outside * outside)
    if inside == 1:
        return str(outside)
    return ("" if outside == 1 else str(outside)) + rf"\sqrt{{{inside}}}"


# How the last sound of a word ends: 0 = vowel, 1 = consonant, 2 = the consonant ㄹ.
_ENDINGS = dict(zip("0123456789", (1, 2, 0, 1, 0, 0, 1, 2, 2, 0), strict=True)) | {
    "L": 2, "M": 1, "N": 1, "R": 2, "l": 2, "m": 1, "n": 1, "r": 2,
}


def _ending(word: str) -> int:
    spoken = word.rstrip("$) ").removesuffix(r"\right").rstrip()
    if spoken.endswith(r"^\circ"):
        return 0  # 도
    if re.search(r"\^(\w|\{[^$]*\})$", spoken):
        return 1  # 제곱
    # A fraction is read from below: its numerator comes last.
    spoken = re.sub(r"\\frac\{([^{}]+)\}\{[^{}]+\}$", r"\1", spoken)
    last = spoken.rstrip("}) ")[-1]
    if "가" <= last <= "힣":
        tail = (ord(last) - ord("가")) % 28
        return 0 if tail == 0 else 2 if tail == 8 else 1
    return _ENDINGS.get(last, 0)


def josa(word: str | int, pair: str) -> str:
    """The word with the fitting particle of a pair such as ``은/는`` or ``으로/로``."""
    word = str(word)
    closed, open_ = pair.split("/")
    ending = _ending(word)
    use_open = ending == 0 or (closed == "으로" and ending == 2)
    return word + (open_ if use_open else closed)


def jmath(expression: str | int, pair: str) -> str:
    """A formula in dollar signs with the fitting particle."""
    return josa(f"${expression}$", pair)


def _pick(choices: Sequence[str], right: str) -> str:
    assert len(set(choices)) == CHOICES and choices.count(right) == 1, choices
    return str(choices.index(right) + 1)


def numeric(
    text: str,
    value: int | Fraction,
    traps: Sequence[int | Fraction] = (),
    step: int | Fraction = 1,
    fmt: Callable[[int | Fraction], str] = math,
    low: int | Fraction | None = None,
    image: bytes | None = None,
) -> Draft:
    """Five ascending numbers: the value, the usual slips (``traps``), then neighbours by ``step``.

    ``low`` keeps distractors above a bound (a length is not negative).
    """
    rng = random.Random(f"{SEED}:{text}")
    usable = [t for t in dict.fromkeys(traps) if t != value and (low is None or t > low)]
    chosen = {value, *usable[: CHOICES - 1]}
    up = down = value
    while len(chosen) < CHOICES:
        if rng.random() < 0.5:
            up += step
            chosen.add(up)
        elif low is None or down - step > low:
            down -= step
            chosen.add(down)
    choices = tuple(fmt(v) for v in sorted(chosen))
    return Draft(text, _pick(choices, fmt(value)), choices, image)


def worded(text: str, right: str, wrong: Sequence[str], image: bytes | None = None) -> Draft:
    """Five choices in words or formulas, shuffled by the text itself; exactly four are wrong."""
    choices = [right, *wrong]
    random.Random(f"{SEED}:{text}:{right}").shuffle(choices)
    return Draft(text, _pick(choices, right), tuple(choices), image)


def short(text: str, answer: str | int | Fraction, image: bytes | None = None) -> Draft:
    """A short-answer item; a fraction is written ``3/4``."""
    return Draft(text, str(answer), (), image)
