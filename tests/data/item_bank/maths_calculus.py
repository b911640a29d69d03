"""수학, 미적분: limits, derivatives, integrals."""

from __future__ import annotations

from fractions import Fraction

import figures
from core import Draft, jmath, num, numeric, poly, short, signed, subject, worded

maths = subject("수학")


@maths("함수의 극한", 11, 2, groups="aa", values=[(2, 5), (3, -1), (-1, 4), (1, 6)])
def limit_quotient(stem: int, a: int, b: int) -> Draft:
    top = poly(1, b - a, -a * b)
    quotient = f"\\displaystyle\\lim_{{x\\to {a}}}\\frac{{{top}}}{{x{signed(-a)}}}"
    if stem == 0:
        return numeric(f"${quotient}$의 값은?", a + b, [0, a - b, b, -a - b])
    return short(f"분자를 인수분해하여 ${quotient}$의 값을 구하시오.", a + b)



@maths("미분계수와 도함수", 11, 2, groups="aab", values=[
    (1, -3, 5, 2), (2, 1, -4, -1), (1, 2, -1, 1), (1, 4, 1, -2), (3, -2, 0, 1)])
def derivative_at(stem: int, a: int, b: int, c: int, x: int) -> Draft:
    rule = poly(a, b, 0, c)
    slope, value = 3 * a * x * x + 2 * b * x, a * x**3 + b * x * x + c
    if stem == 0:
        return numeric(f"함수 $f(x)={rule}$에 대하여 $f'({x})$의 값은?", slope, [value, slope + c, slope // 2])
    if stem == 1:
        return short(f"함수 $f(x)={rule}$의 $x={x}$에서의 미분계수를 구하시오.", slope)
    text = f"곡선 $y={rule}$ 위의 점 $({x},\\ {value})$에서의 접선의 방정식은?"

    def line(m: int, through: int) -> str:
        return f"$y={poly(m, through - m * x)}$"

    wrong = [line(-slope, value), line(slope + 2, value), line(slope, value + 2), line(slope, -value)]
    return worded(text, line(slope, value), wrong)


@maths("함수의 극대와 극소", 11, 3, groups="ab", values=[(1, 2), (2, 1), (2, -3), (1, -1)])
def extremum(stem: int, p: int, c: int) -> Draft:
    rule = poly(1, 0, -3 * p * p, c)
    high, low = 2 * p**3 + c, -2 * p**3 + c
    if stem == 0:
        return numeric(f"함수 $f(x)={rule}$의 극댓값은?", high, [low, c, high - c, -high])
    text = f"함수 $f(x)={rule}$의 극댓값을 $M$, 극솟값을 $m$이라 할 때, $M-m$의 값을 구하시오."
    return short(text, high - low)


@maths("함수의 극대와 극소", 11, 4, groups="a", values=[(-1, 2), (0, 3), (-2, 1)])
def derivative_graph(stem: int, p: int, q: int) -> Draft:
    image = figures.plane((-4, 5), (-4, 4), curves=[lambda x: (x - p) * (x - q)],
                          x_ticks={v: str(v) for v in (p, q) if v},
                          notes={"y=f ' (x)": (3.6, 3.6) if q < 2 else (-2.9, 3.7)})
    text = "그림은 삼차함수 $f(x)$의 도함수 $y=f'(x)$의 그래프이다. 함수 $f(x)$가 극대가 되는 $x$의 값은?"
    return numeric(text, p, [q, p + q], image=image)


@maths("부정적분과 정적분", 11, 2, groups="aab", values=[
    (3, 2, 1), (6, -2, 2), (3, -4, 2), (9, 4, 1), (3, 6, 2), (6, 2, -1)])
def definite_integral(stem: int, a: int, b: int, top: int) -> Draft:
    rule = poly(a, b, 1)

    def whole(x: int) -> Fraction:
        return Fraction(a, 3) * x**3 + Fraction(b, 2) * x * x + x

    if stem == 2:
        text = f"함수 $f(x)$의 도함수가 $f'(x)={rule}$이고 $f(0)=2$일 때, $f({top})$의 값을 구하시오."
        return short(text, whole(top) + 2)
    text = (f"$\\displaystyle\\int_0^{{{top}}}({rule})\\,dx$의 값은?",
            f"정적분 $\\displaystyle\\int_0^{{{top}}}({rule})\\,dx$를 계산하시오.")[stem]
    if stem == 1:
        return short(text, whole(top))
    return numeric(text, whole(top), [a * top**2 + b * top + 1, whole(top) + b, 2 * a * top + b])


@maths("정적분의 활용", 11, 4, groups="aa", values=[(0, 3), (-1, 2), (-1, 3), (0, 4), (1, 4)])
def area_under(stem: int, p: int, q: int) -> Draft:
    area = Fraction((q - p) ** 3, 6)
    rule = poly(-1, p + q, -p * q)
    if stem == 0:
        def curve(x: float) -> float:
            return -(x - p) * (x - q)

        image = figures.plane((-2, 5), (-3, 5), curves=[curve], shade=(curve, p, q),
                              x_ticks={v: str(v) for v in (p, q) if v})
        text = f"그림과 같이 곡선 {jmath(f'y={rule}', '과/와')} $x$축으로 둘러싸인 부분의 넓이는?"
        return numeric(text, area, [area * 2, area + 1, Fraction((q - p) ** 2, 2)], low=0, image=image,
                       step=Fraction(1, 2))
    return short(f"포물선 {jmath(f'y={rule}', '과/와')} $x$축으로 둘러싸인 도형의 넓이를 구하시오.", area)


@maths("도함수의 활용 - 속도와 가속도", 11, 3, groups="aab", values=[
    (6, 9, 2), (3, 4, 3), (9, 24, 2), (6, 5, 4), (4, 2, 1)])
def velocity_from_position(stem: int, a: int, b: int, t: int) -> Draft:
    rule = poly(1, -a, b, 0, var="t")
    speed, gain = 3 * t * t - 2 * a * t + b, 6 * t - 2 * a
    lead = f"수직선 위를 움직이는 점 $P$의 시각 $t$에서의 위치 $x$가 $x={rule}$이다. "
    if stem == 0:
        return numeric(lead + f"시각 $t={t}$에서 점 $P$의 속도는?", speed, [gain, t**3 - a * t * t + b * t])
    if stem == 1:
        text = (f"원점을 출발하여 수직선 위를 움직이는 점의 $t$초 후의 위치가 ${rule}$일 때, ${t}$초 후의 "
                "속도를 구하시오.")
        return short(text, speed)
    return numeric(lead + f"시각 $t={t}$에서 점 $P$의 가속도는?", gain, [speed, gain + a, -gain])


@maths("정적분의 활용 - 속도와 거리", 11, 5, groups="aa", values=[(3, 4, 2), (6, 2, 3), (3, 2, 4), (6, 4, 1)])
def distance_from_velocity(stem: int, a: int, b: int, t: int) -> Draft:
    rule = poly(a, b, 0, var="t")
    value = Fraction(a, 3) * t**3 + Fraction(b, 2) * t * t
    text = (
        (f"수직선 위를 움직이는 점 $P$의 시각 $t$에서의 속도 $v(t)$가 $v(t)={rule}$이다. 시각 $t=0$에서 "
        f"$t={t}$까지 점 $P$가 움직인 거리는?"),
        (f"원점을 출발하여 수직선 위를 움직이는 점의 시각 $t$에서의 속도가 ${rule}$일 때, 시각 $t={t}$에서의 "
        "점의 위치를 구하시오."),
    )[stem]
    if stem == 1:
        return short(text, value)
    return numeric(text, value, [a * t * t + b * t, 2 * a * t + b, value * 2], low=0)


@maths("급수", 12, 4, groups="aa", values=[(6, 1, 3), (4, 1, 2), (9, 2, 5), (8, 1, 5)])
def infinite_sum(stem: int, a: int, up: int, down: int) -> Draft:
    value = Fraction(a) / (1 - Fraction(up, down))
    ratio = num(Fraction(up, down))
    if stem == 0:
        text = f"첫째항이 ${a}$이고 공비가 ${ratio}$인 등비급수의 합은?"
        return numeric(text, value, [Fraction(a) / (1 + Fraction(up, down)), 2 * a], low=0)
    text = (f"$\\displaystyle\\sum_{{n=1}}^{{\\infty}} {a}\\left({ratio}\\right)^{{n-1}}$의 값을 구하시오.")
    return short(text, value)
