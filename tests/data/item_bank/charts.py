"""Charts, tables and the figures of the science items."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from canvas import BLACK, LIGHT, MID, PALE, Canvas, Point


def bar_chart(labels: Sequence[str], values: Sequence[int], top: int, step: int,
              unit: str = "") -> bytes:
    """Vertical bars with a ruled value axis."""
    canvas = Canvas(330, 210)
    left, foot, high = 44, 178, 26

    def y(value: float) -> float:
        return foot - value / top * (foot - high)

    for value in range(0, top + 1, step):
        canvas.line((left, y(value)), (318, y(value)), width=1, fill=LIGHT)
        canvas.text((left - 6, y(value)), str(value), 13, anchor="rm")
    room = 270 / len(values)
    for index, (label, value) in enumerate(zip(labels, values, strict=True)):
        x = left + room * (index + 0.5)
        wide = min(18, room / 3)
        canvas.polygon([(x - wide, y(value)), (x + wide, y(value)), (x + wide, foot),
                        (x - wide, foot)], fill=MID)
        canvas.text((x, foot + 14), label, 14)
    canvas.line((left, high - 8), (left, foot), (318, foot))
    canvas.text((left - 2, 9), unit, 13)
    return canvas.png()


def table(rows: Sequence[Sequence[str]], wide: int = 64) -> bytes:
    """A ruled table of Latin text and numbers; the head row and column are shaded."""
    tall, count = 32, len(rows[0])
    canvas = Canvas(wide * count + 12, tall * len(rows) + 12)
    right, foot = 6 + wide * count, 6 + tall * len(rows)
    canvas.area([(6, 6), (right, 6), (right, 6 + tall), (6, 6 + tall)], PALE)
    canvas.area([(6, 6), (6 + wide, 6), (6 + wide, foot), (6, foot)], PALE)
    for index in range(len(rows) + 1):
        canvas.line((6, 6 + tall * index), (right, 6 + tall * index), width=1)
    for index in range(count + 1):
        canvas.line((6 + wide * index, 6), (6 + wide * index, foot), width=1)
    for down, row in enumerate(rows):
        for across, cell in enumerate(row):
            canvas.text((6 + wide * (across + 0.5), 6 + tall * (down + 0.5)), cell, 15)
    return canvas.png()


def _on_circle(centre: Point, radius: float, degrees: float) -> Point:
    angle = math.radians(degrees)
    return (centre[0] + radius * math.cos(angle), centre[1] + radius * math.sin(angle))


def pie(parts: Mapping[str, int]) -> bytes:
    """A circle graph of percentages that add up to 100."""
    canvas = Canvas(280, 200)
    centre, size, start = (140, 100), 86, -90.0
    canvas.ellipse(centre, size, size)
    for name, percent in parts.items():
        turn = percent * 3.6
        canvas.line(centre, _on_circle(centre, size, start))
        reach = size * (0.62 if percent > 12 else 0.76)
        x, y = _on_circle(centre, reach, start + turn / 2)
        canvas.text((x, y - 7), name, 14)
        canvas.text((x, y + 8), f"{percent}%", 12)
        start += turn
    return canvas.png()


def line_graph(
    lines: Sequence[Sequence[Point]],
    x_name: str,
    y_name: str,
    x_ticks: Sequence[float],
    y_ticks: Sequence[float],
    names: Sequence[tuple[str, Point]] = (),
    guides: Sequence[Point] = (),
) -> bytes:
    """Broken lines over two positive axes, with dashed guides from points to both axes."""
    canvas = Canvas(330, 232)
    top_x = max(*x_ticks, *(p[0] for line in lines for p in line)) * 1.12
    top_y = max(*y_ticks, *(p[1] for line in lines for p in line)) * 1.12

    def at(x: float, y: float) -> Point:
        return (52 + x / top_x * 250, 184 - y / top_y * 156)

    canvas.arrow((52, 184), (318, 184), width=1)
    canvas.arrow((52, 190), (52, 18), width=1)
    canvas.text((318, 219), x_name, 14, anchor="rm")
    canvas.text((60, 14), y_name, 14, anchor="lm")
    canvas.text((43, 194), "0", 13)
    for x, y in guides:
        canvas.dashed(at(x, y), at(x, 0))
        canvas.dashed(at(x, y), at(0, y))
    for line in lines:
        canvas.line(*(at(*p) for p in line), width=2)
    for value in x_ticks:
        canvas.line(at(value, 0), (at(value, 0)[0], 188), width=1)
        canvas.text((at(value, 0)[0], 197), f"{value:g}", 13)
    for value in y_ticks:
        canvas.line(at(0, value), (48, at(0, value)[1]), width=1)
        canvas.text((45, at(0, value)[1]), f"{value:g}", 13, anchor="rm")
    for name, spot in names:
        canvas.text(at(*spot), name, 15)
    return canvas.png()


def _resistor(canvas: Canvas, left: float, y: float, label: str) -> None:
    """A zigzag resistor 60 wide from ``left``, named above."""
    teeth = [(left + 6 + 48 * (i + 0.5) / 6, y + (-8 if i % 2 == 0 else 8)) for i in range(6)]
    canvas.area([(left, y - 9), (left + 60, y - 9), (left + 60, y + 9), (left, y + 9)], 255)
    canvas.line((left, y), (left + 6, y), *teeth, (left + 54, y), (left + 60, y))
    canvas.text((left + 30, y - 20), label, 15)


def _battery(canvas: Canvas, x: float, y: float, label: str) -> None:
    """A cell on a horizontal wire, named below."""
    canvas.area([(x - 5, y - 4), (x + 5, y - 4), (x + 5, y + 4), (x - 5, y + 4)], 255)
    canvas.line((x - 5, y - 13), (x - 5, y + 13))
    canvas.line((x + 5, y - 7), (x + 5, y + 7), width=3)
    canvas.text((x, y + 25), label, 15)


def series(first: str, second: str, voltage: str) -> bytes:
    """Two resistors in series with a battery."""
    canvas = Canvas(320, 190)
    canvas.polygon([(30, 50), (290, 50), (290, 140), (30, 140)])
    _resistor(canvas, 70, 50, first)
    _resistor(canvas, 190, 50, second)
    _battery(canvas, 160, 140, voltage)
    return canvas.png()


def parallel(first: str, second: str, voltage: str) -> bytes:
    """Two resistors in parallel with a battery."""
    canvas = Canvas(320, 220)
    canvas.polygon([(40, 95), (280, 95), (280, 172), (40, 172)])
    canvas.area([(81, 90), (239, 90), (239, 100), (81, 100)], 255)
    canvas.polygon([(80, 55), (240, 55), (240, 120), (80, 120)])
    for y, label in ((55, first), (120, second)):
        _resistor(canvas, 130, y, label)
    for x in (80, 240):
        canvas.dot((x, 95))
    _battery(canvas, 160, 172, voltage)
    return canvas.png()


def pushed_block(mass: str, right: str, left: str = "") -> bytes:
    """A block on a floor with one or two horizontal forces."""
    canvas = Canvas(330, 130)
    canvas.line((20, 100), (310, 100), width=2)
    for x in range(28, 310, 14):
        canvas.line((x, 100), (x - 7, 108), width=1)
    canvas.polygon([(125, 44), (205, 44), (205, 99), (125, 99)], fill=PALE)
    canvas.text((165, 72), mass, 16)
    canvas.arrow((205, 72), (285, 72), width=2)
    canvas.text((250, 54), right, 15)
    if left:
        canvas.arrow((125, 72), (65, 72), width=2)
        canvas.text((84, 54), left, 15)
    return canvas.png()


def wave(length: str, height: str) -> bytes:
    """Two periods of a transverse wave with one wavelength and the amplitude marked."""
    canvas = Canvas(340, 170)
    canvas.arrow((20, 85), (330, 85), width=1)
    curve = [(25 + i, 85 - 42 * math.sin(i / 140 * 2 * math.pi)) for i in range(281)]
    canvas.line(*curve, width=2)
    canvas.dashed((60, 43), (60, 20))
    canvas.dashed((200, 43), (200, 20))
    canvas.arrow((130, 26), (61, 26), width=1, head=6)
    canvas.arrow((130, 26), (199, 26), width=1, head=6)
    canvas.text((130, 14), length, 14)
    canvas.arrow((270, 85), (270, 127), width=1, head=6)
    canvas.text((284, 144), height, 14)
    return canvas.png()


def pedigree(people: Sequence[tuple[str, float, int, bool]],
             couples: Sequence[tuple[int, int, Sequence[int]]]) -> bytes:
    """A family tree: (label, x 0-10, generation, is male); couples with their children."""
    canvas = Canvas(330, 90 * (1 + max(p[2] for p in people)) + 10)
    spots = [(25 + x * 28, 32 + generation * 90) for _, x, generation, _ in people]
    for first, second, children in couples:
        (x1, y), (x2, _) = spots[first], spots[second]
        middle = (x1 + x2) / 2
        canvas.line((x1, y), (x2, y))
        bus = y + 44
        canvas.line((middle, y), (middle, bus))
        xs = [spots[child][0] for child in children] + [middle]
        canvas.line((min(xs), bus), (max(xs), bus))
        for child in children:
            canvas.line((spots[child][0], bus), spots[child])
    for (label, _, _, male), (x, y) in zip(people, spots, strict=True):
        if male:
            canvas.polygon([(x - 20, y - 18), (x + 20, y - 18), (x + 20, y + 18),
                            (x - 20, y + 18)], fill=255)
        else:
            canvas.ellipse((x, y), 21, 19, fill=255)
        canvas.text((x, y), label, 15)
    return canvas.png()


def pyramid(levels: Sequence[str]) -> bytes:
    """An energy pyramid, the producers at the bottom."""
    canvas = Canvas(320, 44 * len(levels) + 20)
    foot = 10 + 44 * len(levels)
    for index, label in enumerate(levels):
        low, high = 140 - index * 32, 140 - (index + 1) * 32
        y = foot - 44 * index
        canvas.polygon([(160 - low, y), (160 + low, y), (160 + high + 10, y - 42),
                        (160 - high - 10, y - 42)], fill=PALE if index % 2 else 255)
        canvas.text((160, y - 21), label, 15)
    return canvas.png()


def strata(names: Sequence[str], dyke: str, covered: bool) -> bytes:
    """Flat layers from the bottom up, cut by an intrusion; the top one lies over it if covered."""
    canvas = Canvas(330, 44 * len(names) + 24)
    foot = 12 + 44 * len(names)
    top_cut = foot - 44 * (len(names) - 1) if covered else 12
    for index, name in enumerate(names):
        y = foot - 44 * index
        fill = (PALE, 255, LIGHT)[index % 3]
        canvas.polygon([(15, y), (315, y), (315, y - 44), (15, y - 44)], fill=fill)
        canvas.text((60, y - 22), name, 17)
    canvas.polygon([(190, foot), (240, foot), (225, top_cut), (185, top_cut)], fill=MID)
    canvas.text((211, foot - 30), dyke, 17)
    return canvas.png()


def market(names: Sequence[str], shifted: bool = False) -> bytes:
    """Demand and supply crossing; with ``shifted`` a second demand line to the right."""
    canvas = Canvas(320, 220)
    canvas.arrow((46, 190), (306, 190), width=1)
    canvas.arrow((46, 196), (46, 16), width=1)
    canvas.text((26, 18), "P", 16)
    canvas.text((304, 206), "Q", 16)
    canvas.line((80, 165), (235, 45), width=2)
    canvas.line((80, 50), (220, 165), width=2)
    canvas.text((246, 38), names[0], 15)
    canvas.text((232, 168), names[1], 15)
    if shifted:
        canvas.line((140, 50), (280, 165), width=2, fill=BLACK)
        canvas.text((292, 172), names[2], 15)
        canvas.arrow((175, 140), (212, 140), width=1)
    return canvas.png()
