"""수학, 도형: plane and solid figures from 초6 to 고2, nearly all of them drawn."""

from __future__ import annotations

from fractions import Fraction
from math import cos, radians, sin

import figures
from core import (
    Draft,
    jmath,
    num,
    numeric,
    root,
    short,
    signed,
    subject,
    with_unit,
    worded,
)

maths = subject("수학")
CM2, CM3 = "$\\mathrm{cm^2}$", "$\\mathrm{cm^3}$"


def pi(value: int | Fraction) -> str:
    """A multiple of pi as a choice."""
    return f"${'' if value == 1 else num(value)}\\pi$"


@maths("원의 넓이", 6, 2, groups="aba", values=[(6,), (10,), (8,), (5,), (20,), (12,)])
def circle_measure(stem: int, r: int) -> Draft:
    if stem == 0:
        text = f"그림과 같은 원의 넓이는 몇 {CM2}인가요? (원주율: $3$)"
        return numeric(text, 3 * r * r, [6 * r, 3 * r, 12 * r * r, r * r], fmt=with_unit(CM2),
                       step=r, low=0, image=figures.circle(radius=f"{r} cm"))
    if stem == 1:
        text = "지름이 그림과 같은 원의 원주는 몇 cm인지 구하세요. (원주율: $3.1$)"
        return short(text, f"{31 * r // 10} cm", figures.circle(diameter=f"{r} cm"))
    text = (f"반지름이 ${r}$ m인 원 모양의 꽃밭이 있습니다. 꽃밭의 넓이는 몇 $\\mathrm{{m^2}}$입니까? "
            "(원주율: $3$)")
    return short(text, 3 * r * r)


@maths("직육면체의 부피와 겉넓이", 6, 2, groups="abc", values=[
    (8, 5, 6), (7, 4, 3), (10, 6, 4), (9, 4, 5), (6, 5, 2), (12, 5, 3)])
def box(stem: int, a: int, b: int, c: int) -> Draft:
    volume, surface = a * b * c, 2 * (a * b + b * c + c * a)
    image = figures.cuboid(f"{a} cm", f"{b} cm", f"{c} cm")
    if stem == 0:
        return numeric(f"다음 직육면체의 부피는 몇 {CM3}입니까?", volume,
                       [surface, a * b + c, (a + b) * c], step=a, low=0, fmt=with_unit(CM3),
                       image=image)
    if stem == 1:
        return numeric(f"그림과 같은 직육면체의 겉넓이는 몇 {CM2}입니까?", surface,
                       [volume, surface // 2, surface - 2 * a * b], step=2 * c, low=0,
                       fmt=with_unit(CM2), image=image)
    text = (f"밑면의 가로가 ${a}$ cm, 세로가 ${b}$ cm인 직육면체 모양의 상자의 부피가 ${volume}$ {CM3}입니다. "
            "이 상자의 높이는 몇 cm입니까?")
    return short(text, f"{c} cm", figures.cuboid(f"{a} cm", f"{b} cm", "h"))


@maths("삼각형의 내각과 외각", 7, 2, groups="ab", values=[(50, 60), (45, 70), (55, 65), (40, 75)])
def triangle_angle(stem: int, b: int, c: int) -> Draft:
    a = 180 - b - c
    h = 1 / (1 / _tan(b) + 1 / _tan(c))
    image = figures.polygon([(h / _tan(b), h), (0, 0), (1, 0)], "ABC", size=(300, 220),
                            angles={1: f"{b}°", 2: f"{c}°"} | ({} if stem else {0: "x"}))
    if stem == 0:
        text = "그림의 삼각형 $ABC$에서 $\\angle x$의 크기는?"
        return numeric(text, a, [180 - b, 180 - c, b + c], step=5, low=0, image=image,
                       fmt=lambda v: f"${v}^\\circ$")
    text = (f"그림의 삼각형 $ABC$에서 $\\angle B={b}^\\circ$, $\\angle C={c}^\\circ$일 때, 꼭짓점 $A$에서의 "
            "외각의 크기를 구하시오.")
    return short(text, f"{b + c}°", image)


def _tan(degrees: float) -> float:
    return sin(radians(degrees)) / cos(radians(degrees))


@maths("입체도형의 부피", 7, 2, groups="abab", values=[
    (3, 5), (6, 4), (4, 7), (3, 10), (5, 8), (9, 5), (2, 9), (6, 7)])
def round_solid(stem: int, r: int, h: int) -> Draft:
    full, third = r * r * h, Fraction(r * r * h, 3)
    if stem == 0:
        return numeric("그림과 같은 원기둥의 부피는?", full, [third, 2 * r * h, r * h],
                       step=r, low=0, fmt=lambda v: f"{pi(v)} {CM3}",
                       image=figures.cylinder(f"{r} cm", f"{h} cm"))
    if stem == 1:
        return numeric("그림과 같이 밑면의 반지름의 길이와 높이가 주어진 원뿔의 부피는?", third,
                       [full, 2 * third, Fraction(full, 2)], step=r, low=0,
                       fmt=lambda v: f"{pi(v)} {CM3}", image=figures.cone(f"{r} cm", f"{h} cm"))
    if stem == 2:
        return short(f"밑면의 반지름의 길이가 ${r}$ cm이고 높이가 ${h}$ cm인 원기둥의 부피를 구하시오.",
                     f"{pi(full)} {CM3}")
    return short(f"밑면의 반지름의 길이가 ${r}$ cm, 높이가 ${h}$ cm인 원뿔의 부피를 구하시오.",
                 f"{pi(third)} {CM3}")


@maths("이등변삼각형의 성질", 8, 2, groups="aa", values=[(40,), (52,), (70,), (36,)])
def isosceles(stem: int, apex: int) -> Draft:
    base = (180 - apex) // 2
    if stem == 0:
        half = _tan(apex / 2)
        image = figures.polygon([(0, 1), (-half, 0), (half, 0)], "ABC",
                                {(0, 1): "a", (0, 2): "a"}, {0: f"{apex}°", 1: "x"},
                                size=(260, 220))
        text = "그림과 같이 $\\overline{AB}=\\overline{AC}$인 이등변삼각형 $ABC$에서 $\\angle x$의 크기는?"
        return numeric(text, base, [180 - apex, apex, 90 - apex // 2 + 10], step=5, low=0,
                       fmt=lambda v: f"${v}^\\circ$", image=image)
    text = (f"두 변의 길이가 같은 이등변삼각형의 꼭지각의 크기가 ${apex}^\\circ$일 때, 한 밑각의 크기를 "
            "구하시오.")
    return short(text, f"{base}°")


@maths("도형의 닮음", 8, 3, groups="ab", values=[
    (4, 6, 8), (3, 6, 5), (6, 9, 8), (5, 10, 7), (4, 12, 5)])
def parallel_in_triangle(stem: int, ad: int, ab: int, de: int) -> Draft:
    bc = Fraction(de * ab, ad)
    if stem == 0:
        t = ad / ab
        top, left, right = (3.2, 5), (0, 0), (8, 0)
        d = (top[0] + (left[0] - top[0]) * t, 5 - 5 * t)
        e = (top[0] + (right[0] - top[0]) * t, 5 - 5 * t)
        image = figures.polygon([top, left, right, d, e], "ABCDE", {(0, 3): str(ad), (1, 2): "x"},
                                extra={(3, 4): str(de)}, outline=3)
        text = (f"그림의 삼각형 $ABC$에서 $\\overline{{BC}}\\parallel\\overline{{DE}}$이고 "
                f"$\\overline{{AB}}={ab}$일 때, $x$의 값은?")
        return numeric(text, bc, [de + ab - ad, Fraction(de * ad, ab), Fraction(de * ab, ab - ad)],
                       low=0, image=image)
    text = (f"길이가 ${ad}$ m인 막대를 지면에 수직으로 세웠더니 그림자의 길이가 ${de}$ m였다. "
            f"같은 시각에 높이가 ${ab}$ m인 나무의 그림자의 길이를 구하시오.")
    return short(text, f"{bc} m")


@maths("피타고라스 정리", 8, 2, groups="aba", values=[
    (6, 8, 10), (5, 12, 13), (8, 15, 17), (9, 12, 15), (7, 24, 25), (12, 16, 20)])
def pythagoras(stem: int, a: int, b: int, c: int) -> Draft:
    if stem == 0:
        image = figures.polygon([(0, a), (0, 0), (b, 0)], "ABC",
                                {(0, 1): f"{a} cm", (1, 2): f"{b} cm", (2, 0): "x"}, right=(1,))
        text = "그림과 같이 $\\angle B=90^\\circ$인 직각삼각형 $ABC$에서 $x$의 값은?"
        return numeric(text, c, [a + b, b - a], low=0, fmt=with_unit("cm"), image=image)
    if stem == 1:
        image = figures.polygon([(0, a), (0, 0), (b, 0)], "ABC",
                                {(1, 2): f"{b} cm", (2, 0): f"{c} cm"}, right=(1,))
        text = "다음 직각삼각형 $ABC$의 넓이는? (단, 두 변의 길이는 그림과 같다.)"
        return numeric(text, Fraction(a * b, 2), [a * b, Fraction(b * c, 2)], step=a, low=0,
                       fmt=with_unit(CM2), image=image)
    text = (f"그림과 같이 길이가 ${c}$ m인 사다리 $AC$가 벽에 기대어 있다. 사다리의 아래 끝이 벽에서 ${a}$ m 떨어져 있을 때, "
            "사다리가 닿은 곳의 높이를 구하시오. (단, 벽은 지면에 수직이다.)")
    image = figures.polygon([(0, b), (0, 0), (a, 0)], "ABC",
                            {(1, 2): f"{a} m", (2, 0): f"{c} m"}, right=(1,), size=(300, 240))
    return short(text, f"{b} m", image)


@maths("삼각비", 9, 3, groups="aa", values=[(3, 4, 5), (5, 12, 13), (8, 15, 17), (7, 24, 25)])
def trig_ratio(stem: int, a: int, b: int, c: int) -> Draft:
    shape = [(b, a), (0, 0), (b, 0)]
    if stem == 0:
        image = figures.polygon(shape, "ABC",
                                {(0, 2): str(a), (1, 2): str(b), (0, 1): str(c)}, right=(2,))
        text = "그림의 직각삼각형 $ABC$에서 $\\sin B+\\cos B$의 값은?"
        return numeric(text, Fraction(a + b, c), [Fraction(a, b), Fraction(a, c), Fraction(b, c), 1],
                       image=image)
    text = (f"그림과 같이 $\\angle C=90^\\circ$인 직각삼각형 $ABC$에서 $\\overline{{AB}}={c}$, "
            f"$\\overline{{AC}}={a}$일 때, $\\tan B$의 값을 구하시오.")
    return short(text, Fraction(a, b), figures.polygon(shape, "ABC", {(0, 2): str(a), (0, 1): str(c)}, right=(2,)))


@maths("삼각비", 9, 3, groups="aa", values=[(10, 30), (20, 60), (12, 45), (30, 30)])
def height_by_angle(stem: int, distance: int, angle: int) -> Draft:
    heights = {30: _third(distance), 45: f"${distance}$", 60: f"${distance}\\sqrt{{3}}$"}
    lead = (
        (f"건물에서 ${distance}$ m 떨어진 지점에서 건물의 꼭대기를 올려다본 각의 크기가 "
        f"${angle}^\\circ$이다. 이 건물의 높이는 몇 m인가? (단, 눈높이는 무시한다.)"),
        (f"나무 밑에서 ${distance}$ m 떨어진 곳에서 나무의 끝을 올려본각의 크기가 ${angle}^\\circ$일 때, 나무의 "
        "높이는 몇 m인가? (단, 눈높이는 생각하지 않는다.)"),
    )[stem]
    spare = [f"${2 * distance}$", f"${distance}\\sqrt{{2}}$", f"${num(Fraction(distance, 2))}$"]
    wrong = [h for a, h in heights.items() if a != angle] + spare
    tall = _tan(angle)
    image = figures.polygon([(1, tall), (0, 0), (1, 0)], "PAQ", {(1, 2): f"{distance} m", (0, 2): "h"},
                            {1: f"{angle}°"}, right=(2,))
    return worded(lead, heights[angle], wrong[:4], image)


def _third(distance: int) -> str:
    """distance / sqrt(3), rationalised."""
    share = Fraction(distance, 3)
    if share.denominator == 1:
        return f"${share}\\sqrt{{3}}$"
    return f"$\\frac{{{distance}\\sqrt{{3}}}}{{3}}$"


@maths("원주각", 9, 2, groups="aba", values=[(100,), (70,), (84,), (120,), (55,), (130,)])
def inscribed_angle(stem: int, angle: int) -> Draft:
    degrees = "^\\circ$"
    if stem == 0:
        image = figures.inscribed(angle, "x", f"{angle}°")
        return numeric("그림과 같이 중심이 $O$인 원에서 $\\angle x$의 크기는?", Fraction(angle, 2),
                       [angle, 180 - angle, 180 - angle // 2], step=5, low=0,
                       fmt=lambda v: f"${v}{degrees}", image=image)
    if stem == 1:
        image = figures.inscribed(2 * angle, f"{angle}°", "x")
        return numeric("그림의 원 $O$에서 호 $AB$에 대한 중심각 $\\angle x$의 크기는?", 2 * angle,
                       [angle, 180 - angle, 90 + angle], step=10, low=0,
                       fmt=lambda v: f"${v}{degrees}", image=image)
    text = (f"그림의 원 $O$에서 호 $AB$에 대한 중심각의 크기가 ${angle}^\\circ$일 때, 호 $AB$에 대한 원주각의 "
            "크기를 구하시오.")
    return short(text, f"{angle // 2}°", figures.inscribed(angle, "", f"{angle}°"))


@maths("평면좌표", 10, 2, groups="abc", values=[
    ((1, 2), (4, 6)), ((-2, 1), (7, 4), ), ((-3, 5), (3, -1)), ((-4, 3), (1, -2)),
    ((1, -3), (4, 6)), ((-2, 4), (7, -2))])
def two_points(stem: int, a: tuple[int, int], b: tuple[int, int]) -> Draft:
    first, second = f"두 점 $A({a[0]},\\ {a[1]})$", f"B({b[0]},\\ {b[1]})"
    pair = f"{first}, ${second}$"
    square = (a[0] - b[0]) ** 2 + (a[1] - b[1]) ** 2
    image = figures.plane((-5, 8), (-4, 7), points={"A": a, "B": b}, grid=True)
    if stem == 0:
        others = dict.fromkeys([square - 4, square + 5, abs(square - 9), square + 9, square + 1])
        wrong = [f"${root(n)}$" for n in others if n != square][:4]
        return worded(f"그림과 같은 좌표평면 위의 {pair} 사이의 거리는?", f"${root(square)}$", wrong, image)
    x, y = Fraction(2 * b[0] + a[0], 3), Fraction(2 * b[1] + a[1], 3)
    if stem == 1:
        text = (f"{pair}에 대하여 선분 $AB$를 $2:1$로 내분하는 점의 좌표가 $(p,\\ q)$일 때, "
                "$p+q$의 값은?")
        back = Fraction(2 * sum(a) + sum(b), 3)
        return numeric(text, x + y, [back, Fraction(sum(a) + sum(b), 2), x - y], image=image)
    text = f"{first}, {jmath(second, '을/를')} 이은 선분 $AB$의 중점의 좌표를 구하시오."
    return short(text, f"({Fraction(a[0] + b[0], 2)}, {Fraction(a[1] + b[1], 2)})", image)


@maths("원의 방정식", 10, 3, groups="aa", values=[
    (2, -3, 4), (-1, 2, 3), (3, 1, 5), (-2, -4, 6)])
def circle_equation(stem: int, p: int, q: int, r: int) -> Draft:
    rule = f"x^2+y^2{signed(-2 * p)}x{signed(-2 * q)}y{signed(p * p + q * q - r * r)}=0"
    if stem == 0:
        text = f"원 ${rule}$의 중심의 좌표가 $(a,\\ b)$이고 반지름의 길이가 $r$일 때, $a+b+r$의 값은?"
        return numeric(text, p + q + r, [-p - q + r, p + q + r * r, p - q + r])
    text = f"방정식 ${rule}$이 나타내는 도형의 넓이를 구하시오."
    return short(text, pi(r * r))


@maths("사인법칙과 코사인법칙", 11, 4, groups="aa", values=[(5, 8), (7, 8), (8, 15), (3, 5), (7, 15)])
def cosine_rule(stem: int, b: int, c: int) -> Draft:
    square = b * b + c * c - b * c
    if stem == 0:
        image = figures.polygon([(0, 0), (c, 0), (b / 2, b * sin(radians(60)))], "ABC",
                                {(0, 1): str(c), (0, 2): str(b), (1, 2): "x"}, {0: "60°"})
        text = "그림과 같은 삼각형 $ABC$에서 코사인법칙을 이용하여 구한 $x$의 값은?"
        return numeric(text, int(square**0.5), [b + c, abs(c - b)], low=0, image=image)
    text = (f"삼각형 $ABC$에서 $\\overline{{AB}}={c}$, $\\overline{{AC}}={b}$이고 "
            "$\\angle A=120^\\circ$일 때, $\\overline{BC}^2$의 값을 구하시오.")
    image = figures.polygon([(0, 0), (c, 0), (-b / 2, b * sin(radians(60)))], "ABC",
                            {(0, 1): str(c), (0, 2): str(b)}, {0: "120°"})
    return short(text, b * b + c * c + b * c, image)


@maths("사인법칙과 코사인법칙", 11, 3, groups="aa", values=[(6, 30), (8, 30), (10, 45), (6, 45)])
def sine_rule(stem: int, length: int, angle: int) -> Draft:
    if stem == 1:
        side = f"${length}$" if angle == 30 else f"${length}\\sqrt{{2}}$"
        text = (f"외접원의 반지름의 길이가 ${length}$인 삼각형 $ABC$에서 $\\angle A={angle}^\\circ$일 때, "
                "사인법칙을 이용하여 변 $BC$의 길이를 구하시오.")
        return short(text, side)
    radius = f"${length}$" if angle == 30 else f"${length // 2}\\sqrt{{2}}$"
    wrong = [f"${2 * length}$", f"${length // 2}$", f"${length}\\sqrt{{2}}$", f"${length}\\sqrt{{3}}$"]
    text = (f"삼각형 $ABC$에서 $\\overline{{BC}}={length}$이고 $\\angle A={angle}^\\circ$일 때, "
            "삼각형 $ABC$의 외접원의 반지름의 길이는?")
    return worded(text, radius, wrong)


@maths("삼각형의 넓이", 11, 2, groups="aa", values=[(6, 10, 30), (8, 5, 150), (4, 9, 30), (12, 7, 30)])
def sine_area(stem: int, b: int, c: int, angle: int) -> Draft:
    area = Fraction(b * c, 4)
    turn = radians(angle)
    image = figures.polygon([(0, 0), (c, 0), (b * cos(turn), b * sin(turn))], "ABC",
                            {(0, 1): str(c), (0, 2): str(b)}, {0: f"{angle}°"})
    if stem == 0:
        return numeric("두 변의 길이와 그 끼인각이 그림과 같은 삼각형 $ABC$의 넓이는?", area,
                       [Fraction(b * c, 2), b * c], low=0, image=image)
    text = (f"$\\overline{{AB}}={c}$, $\\overline{{AC}}={b}$, $\\angle A={angle}^\\circ$인 삼각형 "
            "$ABC$의 넓이를 구하시오.")
    return short(text, area, image)


@maths("벡터의 내적", 12, 3, groups="aa", values=[
    ((2, 3), (4, -1)), ((1, -2), (3, 5)), ((-3, 4), (2, 2)), ((5, 1), (-1, 6))])
def dot_product(stem: int, u: tuple[int, int], v: tuple[int, int]) -> Draft:
    value = u[0] * v[0] + u[1] * v[1]
    if stem == 0:
        text = (f"두 벡터 $\\vec{{a}}=({u[0]},\\ {u[1]})$, $\\vec{{b}}=({v[0]},\\ {v[1]})$에 대하여 "
                "$\\vec{a}\\cdot\\vec{b}$의 값은?")
        return numeric(text, value, [u[0] * v[1] + u[1] * v[0], u[0] * v[0] - u[1] * v[1]])
    image = figures.plane((-5, 6), (-3, 7), points={"A": u, "B": v}, grid=True)
    text = ("원점 $O$와 그림의 두 점 $A$, $B$에 대하여 두 벡터 $\\overrightarrow{OA}$, "
            "$\\overrightarrow{OB}$의 내적을 구하시오.")
    return short(text, value, image)
