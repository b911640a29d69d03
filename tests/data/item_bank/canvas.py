"""A small drawing surface: shapes and Latin text on white, saved as a 16-grey palette PNG."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont

Point = tuple[float, float]
SCALE = 2  # drawn this much larger, then reduced: smooth lines at the final size
GREYS = 16
BLACK, DARK, MID, LIGHT, PALE = 0, 68, 136, 204, 238


class Canvas:
    """Pixel coordinates of the final image, y downwards."""

    def __init__(self, width: int, height: int) -> None:
        """A white canvas."""
        self.size = (width, height)
        self._image = Image.new("L", (width * SCALE, height * SCALE), 255)
        self._draw = ImageDraw.Draw(self._image)

    @staticmethod
    def _up(points: Sequence[Point]) -> list[Point]:
        return [(round(x * SCALE), round(y * SCALE)) for x, y in points]

    def line(self, *points: Point, width: float = 1.5, fill: int = BLACK) -> None:
        """A polyline."""
        self._draw.line(self._up(points), fill=fill, width=round(width * SCALE), joint="curve")

    def dashed(self, p: Point, q: Point, dash: float = 5, fill: int = MID) -> None:
        """A dashed segment."""
        length = math.dist(p, q)
        for index in range(0, max(1, int(length / dash)), 2):
            a, b = index * dash / length, min(1, (index + 1) * dash / length)
            ends = [(p[0] + (q[0] - p[0]) * t, p[1] + (q[1] - p[1]) * t) for t in (a, b)]
            self.line(*ends, width=1, fill=fill)

    def arrow(self, p: Point, q: Point, width: float = 1.5, head: float = 8) -> None:
        """A segment with a filled head at ``q``."""
        angle = math.atan2(q[1] - p[1], q[0] - p[0])
        self.line(p, (q[0] - head / 2 * math.cos(angle), q[1] - head / 2 * math.sin(angle)),
                  width=width)
        wings = [
            (q[0] - head * math.cos(angle + turn), q[1] - head * math.sin(angle + turn))
            for turn in (0.4, -0.4)
        ]
        self._draw.polygon(self._up([q, *wings]), fill=BLACK)

    def polygon(self, points: Sequence[Point], fill: int | None = None) -> None:
        """A closed outline, filled when asked."""
        if fill is not None:
            self._draw.polygon(self._up(points), fill=fill)
        self.line(*points, points[0], points[1])

    def area(self, points: Sequence[Point], fill: int) -> None:
        """A filled region without an outline."""
        self._draw.polygon(self._up(points), fill=fill)

    def ellipse(self, centre: Point, rx: float, ry: float, fill: int | None = None) -> None:
        """An ellipse around a centre."""
        (x, y) = centre
        box = self._up([(x - rx, y - ry), (x + rx, y + ry)])
        self._draw.ellipse(box, outline=BLACK, fill=fill, width=round(1.5 * SCALE))

    def arc(self, centre: Point, rx: float, ry: float, start: float, end: float) -> None:
        """An arc, degrees clockwise from the right as Pillow counts them."""
        (x, y) = centre
        box = self._up([(x - rx, y - ry), (x + rx, y + ry)])
        self._draw.arc(box, start, end, fill=BLACK, width=round(1.3 * SCALE))

    def dot(self, centre: Point, radius: float = 3) -> None:
        """A filled point."""
        (x, y) = centre
        box = self._up([(x - radius, y - radius), (x + radius, y + radius)])
        self._draw.ellipse(box, fill=BLACK)

    def text(self, at: Point, words: str, size: int = 16, anchor: str = "mm",
             clear: bool = False) -> None:
        """Text placed by its anchor; ``clear`` blanks what lies under it."""
        font = ImageFont.load_default(size=size * SCALE)
        runs = [run for run in re.split("([πΩ])", words) if run]
        widths = [size * SCALE * 0.78 if run in "πΩ" else font.getlength(run) for run in runs]
        x, y = self._up([at])[0]
        x -= {"l": 0, "m": 0.5, "r": 1}[anchor[0]] * sum(widths)
        if clear:
            half = size * SCALE * 0.55
            self._draw.rectangle((x - 4, y - half, x + sum(widths) + 4, y + half), fill=255)
        for run, width in zip(runs, widths, strict=True):
            if run in "πΩ":
                self._symbol(run, x, y, size * SCALE)
            else:
                self._draw.text((x, y), run, fill=BLACK, font=font, anchor="lm")
            x += width

    def _symbol(self, name: str, x: float, y: float, size: float) -> None:
        """The two Greek letters that Pillow's built-in font lacks."""
        thick, foot = round(size / 11), y + size * 0.3
        left, right = x + size * 0.1, x + size * 0.66
        if name == "π":
            top = y - size * 0.16
            self._draw.line([(left, top), (right, top)], fill=BLACK, width=thick)
            for part in (0.3, 0.72):
                at = left + (right - left) * part
                self._draw.line([(at, top), (at, foot)], fill=BLACK, width=thick)
            return
        box = (left, y - size * 0.4, right, y + size * 0.24)
        self._draw.arc(box, 125, 55, fill=BLACK, width=thick)
        middle, gap = (left + right) / 2, size * 0.13
        for side, end in ((-1, left), (1, right)):
            stem = middle + side * gap
            self._draw.line([(stem, y + size * 0.16), (stem, foot), (end, foot)],
                            fill=BLACK, width=thick)

    def png(self) -> bytes:
        """The reduced picture as a PNG of 16 greys."""
        grey = self._image.reduce(SCALE)
        step = 255 // (GREYS - 1)
        flat = grey.point([round(v / step) for v in range(256)])
        picture = Image.frombytes("P", self.size, flat.tobytes())
        picture.putpalette([level * step for level in range(GREYS) for _ in range(3)])
        out = io.BytesIO()
        picture.save(out, "PNG", optimize=True)
        return out.getvalue()
