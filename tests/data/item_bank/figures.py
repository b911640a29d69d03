"""Figures of the mathematics items: polygons, circles, solids, number line, coordinate plane."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

from canvas import BLACK, DARK, LIGHT, PALE, Canvas, Point

Edges = Mapping[tuple[int, int], str]


def _fit(points: Sequence[Point], width: int, height: int, margin: int) -> list[Point]:
    """World points (y upwards) scaled and centred into the picture."""
    xs, ys = [p[0] for p in points], [p[1] for p in points]
    wide, tall = max(xs) - min(xs), max(ys) - min(ys)
    scale = min((width - 2 * margin) / wide, (height - 2 * margin) / tall)
    left, top = (width - wide * scale) / 2, (height - tall * scale) / 2
    return [(left + (x - min(xs)) * scale, top + (max(ys) - y) * scale) for x, y in points]


def _away(at: Point, origin: Point, distance: float) -> Point:
    gap = math.dist(at, origin) or 1
    return (at[0] + (at[0] - origin[0]) / gap * distance,
            at[1] + (at[1] - origin[1]) / gap * distance)


def _square_mark(canvas: Canvas, corner: Point, p: Point, q: Point, size: float = 11) -> None:
    """The right-angle mark at ``corner`` between the directions of ``p`` and ``q``."""
    a, b = _away(corner, p, -size), _away(corner, q, -size)
    canvas.line(a, (a[0] + b[0] - corner[0], a[1] + b[1] - corner[1]), b, width=1)


def _angle_mark(canvas: Canvas, corner: Point, p: Point, q: Point, label: str) -> None:
    first = math.degrees(math.atan2(p[1] - corner[1], p[0] - corner[0]))
    second = math.degrees(math.atan2(q[1] - corner[1], q[0] - corner[0]))
    if (second - first) % 360 > 180:
        first, second = second, first
    canvas.arc(corner, 17, 17, first, second)
    middle = math.radians(first + ((second - first) % 360) / 2)
    reach = 36 if (second - first) % 360 > 35 else 46
    spot = (corner[0] + reach * math.cos(middle), corner[1] + reach * math.sin(middle))
    canvas.text(spot, label, 14)


def polygon(
    points: Sequence[Point],
    names: str,
    sides: Edges | None = None,
    angles: Mapping[int, str] | None = None,
    right: Sequence[int] = (),
    extra: Edges | None = None,
    outline: int | None = None,
    size: tuple[int, int] = (320, 210),
) -> bytes:
    """A polygon of the first ``outline`` points, others joined by ``extra``.

    ``sides`` labels outer edges, ``extra`` draws inner ones, ``right`` marks right angles.
    """
    canvas = Canvas(*size)
    spots = _fit(points, *size, 34)
    count = outline or len(points)
    hull = spots[:count]
    centre = (sum(x for x, _ in hull) / count, sum(y for _, y in hull) / count)
    canvas.polygon(hull)
    for (a, b), label in (extra or {}).items():
        canvas.line(spots[a], spots[b])
        if label:
            middle = ((spots[a][0] + spots[b][0]) / 2, (spots[a][1] + spots[b][1]) / 2)
            canvas.text(middle, label, 15, clear=True)
    for (a, b), label in (sides or {}).items():
        _side_label(canvas, spots[a], spots[b], centre, label)
    for corner in right:
        _square_mark(canvas, hull[corner], hull[corner - 1], hull[(corner + 1) % count])
    for corner, label in (angles or {}).items():
        _angle_mark(canvas, hull[corner], hull[corner - 1], hull[(corner + 1) % count], label)
    for spot, name in zip(spots, names, strict=True):
        canvas.text(_away(spot, centre, 15), name, 16)
    return canvas.png()


def _side_label(canvas: Canvas, p: Point, q: Point, centre: Point, label: str) -> None:
    """The label of an edge, on the side away from the centre and clear of the line."""
    middle = ((p[0] + q[0]) / 2, (p[1] + q[1]) / 2)
    length = math.dist(p, q)
    normal = ((q[1] - p[1]) / length, (p[0] - q[0]) / length)
    if normal[0] * (middle[0] - centre[0]) + normal[1] * (middle[1] - centre[1]) < 0:
        normal = (-normal[0], -normal[1])
    reach = 12 + abs(normal[0]) * 4.2 * len(label)
    canvas.text((middle[0] + normal[0] * reach, middle[1] + normal[1] * reach), label, 15)


def circle(radius: str = "", diameter: str = "") -> bytes:
    """A circle with its radius or diameter marked."""
    canvas = Canvas(260, 190)
    centre, size = (130, 95), 78
    canvas.ellipse(centre, size, size)
    canvas.dot(centre)
    start = (centre[0] - size, centre[1]) if diameter else centre
    canvas.line(start, (centre[0] + size, centre[1]))
    if diameter:
        canvas.text((130, 78), diameter, 16)
        canvas.text((130, 111), "O", 15)
    else:
        canvas.text((170, 80), radius, 16)
        canvas.text((118, 103), "O", 15)
    return canvas.png()


def inscribed(central: int, marked: str, inner: str = "") -> bytes:
    """A circle with the arc AB, its inscribed angle APB and, with ``inner``, the central angle."""
    canvas = Canvas(280, 220)
    centre, size = (140, 110), 84

    def at(degrees: float) -> Point:
        turn = math.radians(degrees)
        return (centre[0] + size * math.cos(turn), centre[1] + size * math.sin(turn))

    a, b, p = at(90 + central / 2), at(90 - central / 2), at(-80)
    canvas.ellipse(centre, size, size)
    canvas.line(a, p, b)
    _angle_mark(canvas, p, a, b, marked)
    canvas.dot(centre)
    canvas.text((centre[0] + 15, centre[1] - 11), "O", 15)
    if inner:
        canvas.line(a, centre, b)
        _angle_mark(canvas, centre, a, b, inner)
    for spot, name in ((a, "A"), (b, "B"), (p, "P")):
        canvas.text(_away(spot, centre, 14), name, 16)
    return canvas.png()


def number_line(low: int, high: int, points: Mapping[str, float]) -> bytes:
    """Whole-number ticks from ``low`` to ``high`` with named points above the line."""
    canvas = Canvas(380, 90)
    step = 320 / (high - low)
    canvas.arrow((12, 50), (370, 50))
    for value in range(low, high + 1):
        x = 30 + (value - low) * step
        canvas.line((x, 45), (x, 55))
        canvas.text((x, 69), str(value), 14)
    for name, value in points.items():
        x = 30 + (value - low) * step
        canvas.dot((x, 50), 4)
        canvas.text((x, 28), name, 16)
    return canvas.png()


def plane(
    xs: tuple[int, int],
    ys: tuple[int, int],
    curves: Sequence[Callable[[float], float]] = (),
    points: Mapping[str, Point] | None = None,
    joined: bool = False,
    shade: tuple[Callable[[float], float], float, float] | None = None,
    x_ticks: Mapping[float, str] | None = None,
    y_ticks: Mapping[float, str] | None = None,
    grid: bool = False,
    axes: bool = True,
    notes: Mapping[str, Point] | None = None,
) -> bytes:
    """A coordinate plane with curves, named points (joined as a polygon) and a shaded area."""
    width, height, pad = 320, 240, 20
    canvas = Canvas(width, height)

    def at(x: float, y: float) -> Point:
        return (pad + (x - xs[0]) / (xs[1] - xs[0]) * (width - 2 * pad),
                height - pad - (y - ys[0]) / (ys[1] - ys[0]) * (height - 2 * pad))

    if grid:
        for x in range(xs[0], xs[1] + 1):
            canvas.line(at(x, ys[0]), at(x, ys[1]), width=1, fill=LIGHT)
        for y in range(ys[0], ys[1] + 1):
            canvas.line(at(xs[0], y), at(xs[1], y), width=1, fill=LIGHT)
    if shade:
        curve, start, end = shade
        inside = [start + (end - start) * i / 60 for i in range(61)]
        canvas.area([at(start, 0), *(at(x, curve(x)) for x in inside), at(end, 0)], LIGHT)
    if axes:
        _axes(canvas, at, xs, ys)
    else:
        canvas.line(at(xs[0], 0), at(xs[1], 0), width=1)
    for curve in curves:
        _curve(canvas, at, curve, xs, ys)
    _ticks(canvas, at, x_ticks or {}, y_ticks or {})
    named = {name: at(*spot) for name, spot in (points or {}).items()}
    if joined:
        canvas.polygon(list(named.values()))
    for name, spot in named.items():
        canvas.dot(spot)
        inside = (sum(x for x, _ in named.values()) / len(named),
                  sum(y for _, y in named.values()) / len(named))
        beside = _away(spot, inside, 15) if joined else (spot[0] + 10, spot[1] - 12)
        canvas.text(beside, name, 15)
    for note, spot in (notes or {}).items():
        canvas.text(at(*spot), note, 15)
    return canvas.png()


def _axes(canvas: Canvas, at: Callable[[float, float], Point], xs: tuple[int, int],
          ys: tuple[int, int]) -> None:
    left, right = at(xs[0], 0), at(xs[1], 0)
    low, high = at(0, ys[0]), at(0, ys[1])
    canvas.arrow((left[0] - 10, left[1]), (right[0] + 10, right[1]), width=1)
    canvas.arrow((low[0], low[1] + 10), (high[0], high[1] - 10), width=1)
    canvas.text((right[0] + 8, right[1] + 13), "x", 15)
    canvas.text((high[0] + 13, high[1] - 6), "y", 15)
    origin = at(0, 0)
    canvas.text((origin[0] - 9, origin[1] + 11), "O", 13)


def _curve(canvas: Canvas, at: Callable[[float, float], Point],
           curve: Callable[[float], float], xs: tuple[int, int], ys: tuple[int, int]) -> None:
    """The stretches of a graph that lie inside the window."""
    run: list[Point] = []
    for index in range(241):
        x = xs[0] + (xs[1] - xs[0]) * index / 240
        y = curve(x)
        if ys[0] <= y <= ys[1]:
            run.append(at(x, y))
            continue
        if len(run) > 1:
            canvas.line(*run, width=2)
        run = []
    if len(run) > 1:
        canvas.line(*run, width=2)


def _ticks(canvas: Canvas, at: Callable[[float, float], Point], x_ticks: Mapping[float, str],
           y_ticks: Mapping[float, str]) -> None:
    for value, label in x_ticks.items():
        x, y = at(value, 0)
        canvas.line((x, y - 3), (x, y + 3), width=1, fill=DARK)
        canvas.text((x, y + 15), label, 14, clear=True)
    for value, label in y_ticks.items():
        x, y = at(0, value)
        canvas.line((x - 3, y), (x + 3, y), width=1, fill=DARK)
        canvas.text((x - 7, y), label, 14, anchor="rm")


def cuboid(a: str, b: str, c: str) -> bytes:
    """A box with its width, depth and height labelled."""
    canvas = Canvas(300, 200)
    x, y, wide, tall, dx, dy = 60, 66, 150, 96, 48, -38
    back = [(x + dx, y + dy), (x + wide + dx, y + dy), (x + wide + dx, y + tall + dy)]
    canvas.polygon([(x, y), (x + wide, y), (x + wide, y + tall), (x, y + tall)], fill=PALE)
    canvas.line((x, y), *back, (x + wide, y + tall))
    canvas.line((x + wide, y), back[1])
    hidden = (x + dx, y + tall + dy)
    for end in ((x, y + tall), back[0], back[2]):
        canvas.dashed(hidden, end)
    canvas.text((x + wide / 2, y + tall + 15), a, 15)
    canvas.text((x + wide + dx / 2 + 9, y + tall + dy / 2 + 9), b, 15, anchor="lm")
    canvas.text((x - 7, y + tall / 2), c, 15, anchor="rm")
    return canvas.png()


def cylinder(radius: str, height: str) -> bytes:
    """A cylinder with radius and height labelled."""
    canvas = Canvas(260, 210)
    top, foot, rx, ry = (120, 45), (120, 165), 72, 22
    canvas.ellipse(top, rx, ry, fill=PALE)
    canvas.arc(foot, rx, ry, 0, 180)
    for step in range(180, 360, 12):
        canvas.arc(foot, rx, ry, step, step + 6)
    for side in (-rx, rx):
        canvas.line((120 + side, 45), (120 + side, 165))
    canvas.dot(top, 2.5)
    canvas.line(top, (120 + rx, 45))
    canvas.text((152, 34), radius, 14)
    canvas.text((200, 105), height, 15, anchor="lm")
    return canvas.png()


def cone(radius: str, height: str) -> bytes:
    """A cone with radius and height labelled."""
    canvas = Canvas(260, 210)
    apex, foot, rx, ry = (130, 22), (130, 165), 84, 24
    canvas.arc(foot, rx, ry, 0, 180)
    for step in range(180, 360, 12):
        canvas.arc(foot, rx, ry, step, step + 6)
    for side in (-rx, rx):
        canvas.line(apex, (130 + side, 165))
    canvas.dashed(apex, foot, fill=BLACK)
    canvas.dashed(foot, (130 + rx, 165), fill=BLACK)
    _square_mark(canvas, foot, apex, (130 + rx, 165), 9)
    canvas.text((123, 110), height, 15, anchor="rm")
    canvas.text((172, 154), radius, 15)
    return canvas.png()


def venn(left: str, both: str, right: str) -> bytes:
    """Two overlapping sets A and B inside U with the sizes of their parts."""
    canvas = Canvas(300, 180)
    canvas.polygon([(10, 10), (290, 10), (290, 170), (10, 170)])
    for x in (115, 185):
        canvas.ellipse((x, 96), 68, 58)
    for words, spot in (("U", (26, 26)), ("A", (66, 36)), ("B", (234, 36)), (left, (82, 98)),
                        (both, (150, 98)), (right, (218, 98))):
        canvas.text(spot, words, 17)
    return canvas.png()


def clock(hour: int, minute: int) -> bytes:
    """A clock face, with the time of day left to the stem."""
    canvas = Canvas(210, 190)
    centre = (105, 95)
    canvas.ellipse(centre, 86, 86)

    def at(turn: float, reach: float) -> Point:
        angle = math.radians(turn - 90)
        return (centre[0] + reach * math.cos(angle), centre[1] + reach * math.sin(angle))

    for mark in range(60):
        canvas.line(at(mark * 6, 86), at(mark * 6, 78 if mark % 5 == 0 else 83), width=1)
    for number in range(1, 13):
        canvas.text(at(number * 30, 66), str(number), 15)
    canvas.line(centre, at(hour % 12 * 30 + minute / 2, 38), width=4)
    canvas.line(centre, at(minute * 6, 62), width=2, fill=DARK)
    canvas.dot(centre, 4)
    return canvas.png()


