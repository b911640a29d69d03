"""수학, 고등학교: algebra, sequences, exponentials, probability."""

from __future__ import annotations

from fractions import Fraction
from math import comb, exp, factorial, perm, pi, sin

import charts
import figures
from core import (
    SEQ,
    Draft,
    counted,
    jmath,
    num,
    numeric,
    poly,
    short,
    signed,
    subject,
    worded,
)

maths = subject("수학")


@maths("이차방정식의 근과 계수의 관계", 10, 3, groups="aab", values=[
    (2, 3), (4, -5), (3, 1), (5, 2), (-6, 4), (4, 2)])
def root_sums(stem: int, s: int, p: int) -> Draft:
    equation = f"{poly(1, -s, p)}=0"
    if stem == 0:
        text = f"이차방정식 ${equation}$의 두 근을 $\\alpha$, $\\beta$라 할 때, $\\alpha+\\beta+\\alpha\\beta$의 값은?"
        return numeric(text, s + p, [p - s, s - p, -s - p])
    if stem == 1:
        text = f"$x$에 대한 이차방정식 ${equation}$의 두 근의 합을 $m$, 두 근의 곱을 $n$이라 하자. $m+n$의 값을 구하시오."
        return short(text, s + p)
    text = f"이차방정식 ${equation}$의 두 근 $\\alpha$, $\\beta$에 대하여 $\\alpha^2+\\beta^2$의 값은?"
    return numeric(text, s * s - 2 * p, [s * s, s * s + 2 * p, s * s - p])


@maths("나머지정리와 인수정리", 10, 2, groups="aab", values=[
    (1, -3, 2, 2), (2, 1, -5, -1), (1, 4, -1, 3), (1, 2, 3, -2), (1, -1, 6, 1)])
def remainder(stem: int, a: int, b: int, c: int, at: int) -> Draft:
    cubic, divisor = poly(a, 0, b, c), f"x{signed(-at)}"
    value = a * at**3 + b * at + c
    if stem == 0:
        text = f"다항식 {jmath(cubic, '을/를')} {jmath(divisor, '으로/로')} 나누었을 때의 나머지는?"
        return numeric(text, value, [-a * at**3 - b * at + c, value + c, c])
    if stem == 1:
        text = f"다항식 $P(x)={cubic}$에 대하여 $P(x)$를 일차식 {jmath(divisor, '으로/로')} 나눈 나머지를 구하시오."
        return short(text, value)
    constant = -(a * at**3 + b * at)
    text = (f"다항식 $f(x)={poly(a, 0, b, 0)}+k$가 {jmath(divisor, '을/를')} 인수로 가질 때, "
            "상수 $k$의 값은?")
    return numeric(text, constant, [-constant, constant + b, constant - a])


@maths("이차함수의 최대와 최소", 10, 4, groups="aa", values=[
    (1, -2, 0, 3), (3, 1, 1, 4), (2, 0, 0, 5), (1, 5, -1, 2)])
def quadratic_range(stem: int, p: int, q: int, low: int, high: int) -> Draft:
    rule = poly(1, -2 * p, p * p + q)
    ends = [(x - p) ** 2 + q for x in (low, high)]
    smallest = q if low <= p <= high else min(ends)
    text = (
        f"${low}\\le x\\le {high}$에서 이차함수 $f(x)={rule}$의 최댓값과 최솟값의 합은?",
        (f"정의역이 $\\{{x\\mid {low}\\le x\\le {high}\\}}$인 이차함수 $y={rule}$의 최댓값을 $M$, 최솟값을 "
        "$m$이라 할 때, $M+m$의 값을 구하시오."),
    )[stem]
    if stem == 1:
        return short(text, max(ends) + smallest)
    return numeric(text, max(ends) + smallest, [sum(ends), max(ends), smallest])


@maths("집합의 연산", 10, 2, groups="aab", values=[
    (18, 15, 7), (22, 17, 9), (12, 9, 4), (25, 14, 8), (16, 20, 6), (30, 21, 11)])
def union_size(stem: int, a: int, b: int, both: int) -> Draft:
    if stem == 0:
        text = f"두 집합 $A$, $B$에 대하여 $n(A)={a}$, $n(B)={b}$, $n(A\\cap B)={both}$일 때, $n(A\\cup B)$의 값은?"
        return numeric(text, a + b - both, [a + b, a + b - 2 * both, a - both], low=0)
    if stem == 1:
        text = (f"어느 반에서 축구를 좋아하는 학생은 ${a}$명, 농구를 좋아하는 학생은 ${b}$명, 둘 다 좋아하는 "
                f"학생은 ${both}$명이다. 축구 또는 농구를 좋아하는 학생은 몇 명인지 구하시오.")
        return short(text, f"{a + b - both}명")
    image = figures.venn(str(a - both), str(both), str(b - both))
    text = "벤다이어그램의 수는 각 부분에 속하는 원소의 개수이다. $n(A)-n(B-A)$의 값은?"
    return numeric(text, a - (b - both), [a - b, a - both, b - both], image=image)


@maths("함수와 역함수", 10, 2, groups="ab", values=[(2, -3, 5), (3, 1, 2), (-1, 4, 3), (4, -5, 1)])
def composite(stem: int, a: int, b: int, x: int) -> Draft:
    if stem == 0:
        text = f"두 함수 $f(x)={poly(a, b)}$, $g(x)=x^2$에 대하여 $(g\\circ f)({x})$의 값은?"
        value = (a * x + b) ** 2
        return numeric(text, value, [a * x * x + b, a * x + b, value - 2 * x])
    text = f"일차함수 $f(x)={poly(a, b)}$의 역함수를 $f^{{-1}}(x)$라 할 때, $f^{{-1}}({a * x + b})$의 값을 구하시오."
    return short(text, x)


@maths("순열", 10, 2, groups="aa", values=[(6, 3), (7, 2), (5, 3), (8, 2)])
def arrangements(stem: int, n: int, r: int) -> Draft:
    text = (
        f"서로 다른 ${n}$권의 책 중에서 ${r}$권을 뽑아 책꽂이에 일렬로 꽂는 경우의 수는?",
        f"학생 ${n}$명 중에서 ${r}$명을 뽑아 한 줄로 세우는 방법의 수를 구하시오.",
    )[stem]
    if stem == 1:
        return short(text, perm(n, r))
    return numeric(text, perm(n, r), [comb(n, r), n**r, factorial(r)], step=10, low=0)


@maths("조합", 10, 2, groups="aa", values=[(7, 3), (8, 2), (6, 3), (9, 2)])
def selections(stem: int, n: int, r: int) -> Draft:
    text = (
        f"서로 다른 ${n}$권의 책 중에서 순서를 생각하지 않고 ${r}$권을 고르는 경우의 수는?",
        f"회원이 ${n}$명인 동아리에서 대표 ${r}$명을 뽑는 방법의 수를 구하시오. (단, 대표의 역할은 구분하지 않는다.)",
    )[stem]
    if stem == 1:
        return short(text, comb(n, r))
    return numeric(text, comb(n, r), [perm(n, r), n * r, comb(n, r) * 2], step=5, low=0)


@maths("지수", 11, 2, groups="aa", values=[(8, 2, 3), (9, 3, 2), (27, 4, 3), (4, 5, 2)])
def rational_power(stem: int, base: int, up: int, down: int) -> Draft:
    value = round(base ** (1 / down)) ** up
    power = f"{base}^{{\\frac{{{up}}}{{{down}}}}}"
    if stem == 0:
        return numeric(f"${power}$의 값은?", value, [base * up // down, base, value * 2], low=0)
    return short(f"지수법칙을 이용하여 {jmath(power, '을/를')} 계산하시오.", value)


@maths("로그", 11, 2, groups="ab", values=[
    (2, 24, 3), (2, 8), (3, 54, 2), (3, 9)])
def logarithm(stem: int, base: int, a: int, b: int = 1) -> Draft:
    if stem == 0:
        text = f"$\\log_{base} {a}-\\log_{base} {b}$의 값은?"
        exponent = next(k for k in range(1, 9) if base**k == a // b)
        return numeric(text, exponent, [a - b, a // b, base], low=0)
    exponent = next(k for k in range(1, 9) if base**k == a)
    equation = jmath(f"\\log_{base} x={exponent}", "을/를")
    text = f"로그의 정의를 이용하여 방정식 {equation} 만족시키는 $x$의 값을 구하시오."
    return short(text, a)


@maths("삼각함수의 그래프", 11, 3, groups="aab", values=[
    (2, 2, 1), (3, 4, -1), (3, 2, 0), (4, 2, 1), (2, 3, 2), (2, 1, 0), (5, 6, 2), (1, 3, 1),
    (1, 2, 0)])
def sine_graph(stem: int, a: int, b: int, c: int) -> Draft:
    shift = signed(c) if c else ""
    lead = "" if a == 1 else str(a)
    inner = "x" if b == 1 else f"{b}x"
    if stem == 0:
        period = Fraction(2, b)
        text = f"함수 $y={lead}\\sin {inner}{shift}$의 주기와 최댓값을 차례로 나열한 것은?"
        return worded(text, _pair(period, a + c),
                      [_pair(period * 2, a + c), _pair(period, a - c if c else a + 1),
                       _pair(period / 2, a + c), _pair(period * 2, -a + c)])
    if stem == 1:
        return short(f"함수 $f(x)={lead}\\sin {inner}{shift}$의 최댓값과 최솟값의 곱을 구하시오.",
                     (a + c) * (c - a))
    image = figures.plane((-1, 7), (-4, 4), curves=[lambda x: a * sin(b * x)],
                          x_ticks={2 * pi / b: "π" if b == 2 else "2π" if b == 1 else "2π/3"},
                          y_ticks={a: str(a), -a: str(-a)})
    text = "그림은 함수 $y=a\\sin bx$의 그래프이다. 두 양수 $a$, $b$에 대하여 $a+b$의 값은?"
    return numeric(text, a + b, [a * b + 3, 2 * a + b], low=0, image=image)


def _pair(period: Fraction, top: int) -> str:
    shown = "\\pi" if period == 1 else f"{num(period)}\\pi"
    return f"${shown}$, ${top}$"


@maths("등차수열", 11, 2, groups="aab", values=[
    (3, 4, 10), (5, 3, 12), (2, 6, 5), (-6, 2, 15), (7, -2, 9), (4, 5, 8), (10, -3, 7), (1, 7, 11)])
def arithmetic_term(stem: int, a: int, d: int, n: int) -> Draft:
    value = a + (n - 1) * d
    if stem == 0:
        text = f"첫째항이 ${a}$이고 공차가 ${d}$인 등차수열 ${SEQ}$에서 $a_{{{n}}}$의 값은?"
        return numeric(text, value, [a + n * d, value - d, a * n + d], step=abs(d))
    if stem == 1:
        text = f"등차수열 ${SEQ}$의 첫째항은 ${a}$, 공차는 ${d}$이다. 이 수열의 제${n}$항을 구하시오."
        return short(text, value)
    text = f"등차수열 ${SEQ}$에서 $a_1={a}$, $a_{n}={value}$일 때, 공차는?"
    return numeric(text, d, [-d, d + 2, value - a], step=1)


@maths("등차수열의 합", 11, 3, groups="aa", values=[
    (2, 3, 10), (5, 4, 8), (1, 2, 20), (-3, 5, 12)])
def arithmetic_sum(stem: int, a: int, d: int, n: int) -> Draft:
    value = n * (2 * a + (n - 1) * d) // 2
    if stem == 0:
        text = f"첫째항이 ${a}$, 공차가 ${d}$인 등차수열의 첫째항부터 제${n}$항까지의 합은?"
        return numeric(text, value, [value + n * d // 2, a + (n - 1) * d, 2 * value], step=n)
    text = (f"$a_1={a}$이고 모든 자연수 $n$에 대하여 $a_{{n+1}}-a_n={d}$인 수열 ${SEQ}$에서 첫째항부터 "
            f"제$n$항까지의 합을 $S_n$이라 할 때, $S_{{{n}}}$의 값을 구하시오.")
    return short(text, value)


@maths("등비수열", 11, 2, groups="aab", values=[
    (3, 2, 6), (2, 3, 4), (4, 2, 4), (5, -2, 4), (1, 3, 5), (2, -3, 4)])
def geometric_term(stem: int, a: int, r: int, n: int) -> Draft:
    value = a * r ** (n - 1)
    if stem == 0:
        text = f"첫째항이 ${a}$이고 공비가 ${r}$인 등비수열 ${SEQ}$에서 $a_{{{n}}}$의 값은?"
        return numeric(text, value, [a * r**n, a + (n - 1) * r, a * r * (n - 1)], step=abs(value // 4))
    if stem == 1:
        return short(f"등비수열 ${SEQ}$의 첫째항은 ${a}$, 공비는 ${r}$이다. 이 수열의 제${n}$항을 구하시오.", value)
    text = f"모든 항이 실수인 등비수열 ${SEQ}$에서 $a_1={a}$, $a_4={a * r**3}$일 때, 공비는?"
    return numeric(text, r, [-r, r**3, r * r], step=1)


@maths("등비수열의 합", 11, 3, groups="aa", values=[(3, 2, 6), (2, 3, 5), (1, 2, 10), (5, 2, 7)])
def geometric_sum(stem: int, a: int, r: int, n: int) -> Draft:
    value = a * (r**n - 1) // (r - 1)
    if stem == 0:
        text = f"첫째항이 ${a}$, 공비가 ${r}$인 등비수열의 첫째항부터 제${n}$항까지의 합은?"
        return numeric(text, value, [a * r ** (n - 1), a * (r**n - 1) * r, value + a], step=n, low=0)
    text = (f"$a_1={a}$이고 모든 자연수 $n$에 대하여 $a_{{n+1}}={r}a_n$인 수열 ${SEQ}$의 첫째항부터 "
            f"제${n}$항까지의 합을 구하시오.")
    return short(text, value)


@maths("조건부확률", 12, 4, groups="aa", values=[
    (18, 12, 14, 16), (20, 10, 15, 15), (24, 16, 12, 28), (9, 15, 21, 5)])
def conditional(stem: int, a: int, b: int, c: int, d: int) -> Draft:
    total = a + b + c + d
    if stem == 0:
        image = charts.table([["", "A", "B", "sum"], ["M", str(a), str(b), str(a + b)],
                              ["F", str(c), str(d), str(c + d)]])
        text = (f"표는 어느 학교 학생 ${total}$명의 방과 후 활동 A, B의 선택을 남학생(M)과 여학생(F)으로 나누어 "
                "나타낸 것이다. 임의로 뽑은 한 명이 A를 선택한 학생일 때, 그 학생이 남학생일 확률은?")
        return numeric(text, Fraction(a, a + c), [Fraction(a, a + b), Fraction(a, total),
                       Fraction(c, a + c), Fraction(a + c, total)], step=Fraction(1, total), low=0,
                       image=image)
    text = (f"남학생 ${a + b}$명, 여학생 ${c + d}$명 중 수학을 신청한 학생은 남학생 ${a}$명, 여학생 ${c}$명이다. "
            "수학을 신청한 학생 중에서 한 명을 뽑을 때, 그 학생이 남학생일 확률을 구하시오.")
    return short(text, Fraction(a, a + c))


@maths("이항분포", 12, 3, groups="ab", values=[
    (100, Fraction(1, 5)), (72, Fraction(1, 3)), (180, Fraction(1, 6)), (64, Fraction(1, 4))])
def binomial(stem: int, n: int, p: Fraction) -> Draft:
    if stem == 0:
        text = f"확률변수 $X$가 이항분포 $\\mathrm{{B}}\\left({n},\\ {num(p)}\\right)$을 따를 때, $X$의 분산 $\\mathrm{{V}}(X)$의 값은?"
        return numeric(text, n * p * (1 - p), [n * p, n * (1 - p), n * p * p], low=0)
    text = (f"한 번의 시행에서 성공할 확률이 ${num(p)}$인 독립시행을 ${n}$번 반복할 때, 성공 횟수의 기댓값을 구하시오.")
    return short(text, n * p)


@maths("정규분포", 12, 5, groups="aa", values=[
    (60, 10, 1, 2), (170, 5, 1, 1), (50, 4, 2, 1), (75, 8, 2, 2)])
def normal_band(stem: int, mean: int, sd: int, left: int, right: int) -> Draft:
    area = {1: 3413, 2: 4772}
    value = f"0.{area[left] + area[right]:04d}"
    low, high = mean - left * sd, mean + right * sd
    given = "(단, $\\mathrm{P}(0\\le Z\\le 1)=0.3413$, $\\mathrm{P}(0\\le Z\\le 2)=0.4772$)"
    text = (
        (f"정규분포 $\\mathrm{{N}}({mean},\\ {sd}^2)$을 따르는 확률변수 $X$에 대하여 "
        f"$\\mathrm{{P}}({low}\\le X\\le {high})$의 값은? {given}"),
        (f"어느 농장에서 포장한 블루베리 한 팩의 무게는 평균이 ${mean}$ g, 표준편차가 ${sd}$ g인 정규분포를 따른다고 한다. 임의로 "
        f"고른 팩의 무게가 ${low}$ g 이상 ${high}$ g 이하일 확률을 구하시오. {given}"),
    )[stem]
    wrong = [v for v in ("0.1359", "0.3413", "0.4772", "0.6826", "0.8185", "0.9544") if v != value]
    image = _bell({-left: str(low), 0: str(mean), right: str(high)})
    if stem == 1:
        return short(text, value, image)
    return worded(text, f"${value}$", [f"${v}$" for v in wrong[-4:]], image)


def _bell(marks: dict[float, str]) -> bytes:
    """A normal curve, shaded between the outer marks; no axis but the base line."""
    def curve(x: float) -> float:
        return 3.4 * exp(-x * x / 2)

    return figures.plane((-4, 4), (-1, 4), curves=[curve], shade=(curve, min(marks), max(marks)),
                         x_ticks=marks, axes=False)


@maths("중복조합", 12, 4, groups="aa", values=[(3, 5), (4, 6), (3, 7), (4, 4)])
def multichoose(stem: int, kinds: int, total: int) -> Draft:
    value = comb(kinds + total - 1, total)
    if stem == 0:
        names = "+".join("xyzw"[:kinds])
        text = f"방정식 {jmath(f'{names}={total}', '을/를')} 만족시키는 음이 아닌 정수인 해의 순서쌍의 개수는?"
        return numeric(text, value, [kinds**total, comb(total - 1, kinds - 1), value + kinds], low=0,
                       step=kinds, fmt=counted("개"))
    text = f"서로 다른 ${kinds}$종류의 음료 중에서 중복을 허락하여 ${total}$병을 고르는 경우의 수를 구하시오."
    return short(text, value)
