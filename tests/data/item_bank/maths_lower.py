"""수학, 초등학교와 중학교: numbers, expressions, equations, functions, statistics."""

from __future__ import annotations

from fractions import Fraction
from math import comb, gcd

import charts
import figures
from core import (
    Draft,
    counted,
    jmath,
    josa,
    num,
    numeric,
    poly,
    root,
    short,
    signed,
    subject,
    with_unit,
    worded,
)

maths = subject("수학")


@maths("시각과 시간", 3, 1, groups="aa", values=[
    (9, 40, 35), (9, 40, 35), (2, 25, 50), (10, 15, 55), (7, 50, 45)])
def clock_after(stem: int, hour: int, minute: int, passed: int) -> Draft:
    total = hour * 60 + minute + passed
    answer = f"{total // 60}시 {total % 60}분"
    slips = [f"{(total + d) // 60}시 {(total + d) % 60}분" for d in (-10, 10, -60, 60)]
    if stem == 0:
        text = f"오른쪽 시계가 나타내는 시각에서 ${passed}$분이 지난 시각을 고르세요."
        return worded(text, answer, slips, figures.clock(hour, minute))
    text = (f"민서는 {hour}시 {minute}분에 책을 읽기 시작하여 {passed}분 동안 읽었습니다. "
            "책 읽기를 마친 시각은 몇 시 몇 분인가요?")
    return worded(text, answer, slips)


@maths("나눗셈", 3, 1, groups="aa", values=[
    (84, 6, "귤"), (96, 8, "구슬"), (91, 7, "사탕"), (75, 5, "색종이")])
def share_equally(stem: int, total: int, people: int, thing: str) -> Draft:
    unit = "장" if thing == "색종이" else "개"
    text = (
        (f"{thing} ${total}${josa(unit, '을/를')} ${people}$명에게 똑같이 나누어 주려고 합니다. "
        f"한 명에게 몇 {unit}씩 줄 수 있을까요?"),
        (f"{josa(thing, '이/가')} ${total}${unit} 있습니다. 남는 것 없이 ${people}$묶음으로 똑같이 "
        f"나누면 한 묶음은 몇 {unit}입니까?"),
    )[stem]
    return short(text, total // people)


@maths("막대그래프", 4, 1, groups="ab", values=[
    ((12, 8, 15, 5),), ((9, 14, 6, 11),), ((7, 16, 10, 13),), ((15, 6, 9, 12),)])
def bar_difference(stem: int, votes: tuple[int, ...]) -> Draft:
    chart = charts.bar_chart("ABCD", votes, 16, 2)
    most, least = max(votes), min(votes)
    if stem == 0:
        text = ("네 반 A, B, C, D의 학생이 한 달 동안 읽은 책의 수를 나타낸 막대그래프입니다. "
                "가장 많이 읽은 반은 가장 적게 읽은 반보다 몇 권 더 읽었습니까?")
        return numeric(text, most - least, [most, sum(votes) - most, most - sorted(votes)[1]],
                       fmt=counted("권"), low=0, image=chart)
    text = ("막대그래프는 모둠 A~D가 모은 빈 병의 수입니다. 네 모둠이 모은 빈 병은 모두 몇 개입니까?")
    return numeric(text, sum(votes), [sum(votes) - least, sum(votes) + 10], step=2,
                   fmt=counted("개"), image=chart)


@maths("직사각형의 둘레와 넓이", 5, 1, groups="abc", values=[
    (12, 7), (9, 5), (34, 10), (15, 8), (11, 6), (42, 13)])
def rectangle(stem: int, a: int, b: int) -> Draft:
    shape = [(0, 0), (a, 0), (a, b), (0, b)]
    image = figures.polygon(shape, "    ", {(0, 1): f"{a} cm", (1, 2): f"{b} cm"},
                            right=(0, 1, 2, 3), size=(300, 180))
    if stem == 0:
        text = "그림과 같은 직사각형의 넓이는 몇 $\\mathrm{cm^2}$인가요?"
        return numeric(text, a * b, [2 * (a + b), a + b, a * b // 2], step=a, low=0, image=image,
                       fmt=with_unit("$\\mathrm{cm^2}$"))
    if stem == 1:
        text = (f"그림과 같이 가로가 ${a}$ cm, 세로가 ${b}$ cm인 직사각형 모양의 액자가 있습니다. "
                "이 액자의 둘레는 몇 cm인가요?")
        return numeric(text, 2 * (a + b), [a * b, a + b, 2 * a + b], low=0, fmt=with_unit("cm"),
                       image=image)
    text = (f"둘레가 ${a}$ cm이고 가로가 ${b}$ cm인 직사각형이 있습니다. "
            "이 직사각형의 넓이는 몇 $\\mathrm{cm^2}$입니까?")
    return short(text, (a // 2 - b) * b)


@maths("약수와 배수", 5, 3, groups="aa", values=[
    (48, 36), (54, 72), (60, 45), (56, 84)])
def greatest_divisor(stem: int, a: int, b: int) -> Draft:
    if stem == 0:
        text = (f"연필 ${a}$자루와 공책 ${b}$권을 될 수 있는 대로 많은 학생에게 남김없이 똑같이 나누어 "
                "주려고 합니다. 최대 몇 명에게 나누어 줄 수 있습니까?")
        return numeric(text, gcd(a, b), [gcd(a, b) // 2, a * b // gcd(a, b), a - b], low=1,
                       fmt=counted("명"))
    text = (f"가로가 ${a}$ cm, 세로가 ${b}$ cm인 직사각형 모양의 종이를 남는 부분 없이 크기가 같은 "
            "정사각형으로 자르려고 합니다. 가장 큰 정사각형의 한 변의 길이는 몇 cm입니까?")
    return short(text, gcd(a, b))


@maths("최소공배수의 활용", 5, 3, groups="aa", values=[
    (12, 18), (15, 20), (8, 12), (14, 21)])
def least_multiple(stem: int, a: int, b: int) -> Draft:
    both = a * b // gcd(a, b)
    if stem == 0:
        text = (f"어느 정류장에서 가 버스는 ${a}$분마다, 나 버스는 ${b}$분마다 출발합니다. 두 버스가 "
                "오전 8시에 동시에 출발했다면 다음번에 동시에 출발하는 것은 몇 분 뒤입니까?")
        return numeric(text, both, [a * b, gcd(a, b), a + b], step=a, low=0, fmt=counted("분"))
    text = (f"톱니 수가 각각 ${a}$개, ${b}$개인 두 톱니바퀴가 맞물려 돌고 있습니다. 처음 맞물렸던 "
            "톱니가 다시 만날 때까지 맞물리는 톱니는 모두 몇 개입니까?")
    return short(text, both)


@maths("분수의 덧셈과 뺄셈", 5, 2, groups="ab", values=[
    (Fraction(3, 4), Fraction(2, 5)), (Fraction(5, 6), Fraction(1, 4)),
    (Fraction(7, 8), Fraction(1, 6)), (Fraction(4, 5), Fraction(2, 3))])
def fractions_add(stem: int, p: Fraction, q: Fraction) -> Draft:
    slip = Fraction(p.numerator + q.numerator, p.denominator + q.denominator)
    if stem == 0:
        text = f"${num(p)}+{num(q)}$의 값은?"
        return numeric(text, p + q, [slip, p - q, p * q], step=Fraction(1, 10), low=0)
    text = (f"물통에 물이 ${num(p)}$ L 들어 있었는데 ${num(q)}$ L를 마셨습니다. 남은 물은 몇 L입니까?")
    return numeric(text, p - q, [p + q, p * q], step=Fraction(1, 12), low=0, fmt=with_unit("L"))


@maths("평균과 가능성", 5, 1, groups="aa", values=[
    ((84, 90, 78, 88),), ((15, 21, 18, 26),), ((92, 85, 80, 95),), ((24, 17, 19, 20),)])
def mean_of_four(stem: int, data: tuple[int, ...]) -> Draft:
    mean = Fraction(sum(data), 4)
    row = ", ".join(f"${v}$" for v in data)
    if stem == 0:
        text = f"지우의 단원 평가 점수는 {row}점입니다. 네 번의 점수의 평균은 몇 점입니까?"
        return numeric(text, mean, [Fraction(sum(data), 5), sorted(data)[1], sorted(data)[2]],
                       fmt=counted("점"))
    chart = charts.table([["day", "Mon", "Tue", "Wed", "Thu"], ["pages", *map(str, data)]])
    text = "하은이가 나흘 동안 읽은 동화책의 쪽수를 나타낸 표입니다. 하루에 읽은 쪽수의 평균을 구하세요."
    return short(text, f"{mean}쪽", chart)


@maths("비와 비율", 6, 2, groups="aa", values=[
    (20, 8000), (25, 12000), (30, 15000), (15, 24000)])
def discount(stem: int, percent: int, price: int) -> Draft:
    paid = price * (100 - percent) // 100
    text = (
        f"정가가 ${price}$원인 물건을 ${percent}\\%$ 할인하여 판매합니다. 판매 가격은 얼마입니까?",
        (f"문구점에서 ${price}$원짜리 필통의 값을 ${percent}\\%$ 내려서 팔고 있습니다. 이 필통을 사려면 "
        "얼마를 내야 합니까?"),
    )[stem]
    return numeric(text, paid, [price * percent // 100, price - percent * 10], step=400,
                   fmt=counted("원"), low=0)


@maths("여러 가지 그래프", 6, 2, groups="aa", values=[
    ((40, 30, 20, 10), 200), ((35, 25, 30, 10), 120), ((45, 25, 20, 10), 300),
    ((25, 40, 15, 20), 160)])
def pie_count(stem: int, parts: tuple[int, ...], people: int) -> Draft:
    image = charts.pie(dict(zip("ABCD", parts, strict=True)))
    letter, percent = ("A", parts[0]) if stem == 0 else ("C", parts[2])
    text = (
        (f"학생 ${people}$명이 좋아하는 운동 A, B, C, D를 조사하여 나타낸 원그래프입니다. {letter}를 "
        "좋아하는 학생은 몇 명입니까?"),
        (f"마을 주민 ${people}$명의 교통수단 이용을 나타낸 원그래프에서 {letter}를 이용하는 주민 수를 "
        "구하세요."),
    )[stem]
    return numeric(text, people * percent // 100, [percent, people - people * percent // 100],
                   step=people // 20, fmt=counted("명"), low=0, image=image)


@maths("소인수분해", 7, 2, groups="aa", values=[
    (2, 3, 3, 2), (2, 4, 5, 1), (3, 2, 5, 2), (2, 2, 7, 1)])
def divisor_count(stem: int, p: int, a: int, q: int, b: int) -> Draft:
    count = (a + 1) * (b + 1)
    powers = f"{p}^{a}\\times {q}" + (f"^{b}" if b > 1 else "")
    text = (f"${powers}$의 약수의 개수는?",
            f"자연수 {jmath(p**a * q**b, '을/를')} 소인수분해하여 약수의 개수를 구하시오.")[stem]
    if stem == 1:
        return short(text, count)
    return numeric(text, count, [a * b, a + b, a + b + 2], low=0, fmt=counted("개"))


@maths("정수와 유리수", 7, 1, groups="aa", values=[
    (-3, 2), (-4, 3), (-5, 1), (-2, 4)])
def number_line_distance(stem: int, a: int, b: int) -> Draft:
    if stem == 0:
        text = "다음 수직선 위의 두 점 $A$, $B$ 사이의 거리는?"
        image = figures.number_line(-6, 6, {"A": a, "B": b})
        return numeric(text, b - a, [a + b, abs(a), b, -a - b], image=image, low=-9)
    text = (f"수직선 위에서 두 정수 {jmath(a, '과/와')} ${b}$에 대응하는 두 점 사이의 거리를 "
            "구하시오.")
    return short(text, b - a)


@maths("일차방정식", 7, 2, groups="aa", values=[
    (3, 7, 22), (5, -4, 31), (4, 9, 37), (7, -6, 29)])
def number_puzzle(stem: int, a: int, b: int, c: int) -> Draft:
    x = Fraction(c - b, a)
    if stem == 0:
        text = f"일차방정식 ${poly(a, b)}={c}$의 해는?"
        return numeric(text, x, [Fraction(c + b, a), c - b, -x], fmt=lambda v: f"$x={num(v)}$")
    change = jmath(abs(b), "을/를") + (" 더하면" if b > 0 else " 빼면")
    text = f"어떤 수를 ${a}$배 한 뒤 {change} {jmath(c, '이/가')} 된다. 어떤 수를 구하시오."
    return short(text, x)


@maths("일차방정식", 7, 5, groups="aa", values=[
    (60, 4, 12), (80, 5, 20), (70, 6, 15), (60, 5, 20)])
def catching_up(stem: int, slow: int, head: int, time: int) -> Draft:
    fast = Fraction(slow * (head + time), time)
    text = (
        (f"동생이 집을 나선 지 ${head}$분 뒤에 형이 뒤따라 나섰다. 동생은 분속 ${slow}$ m, 형은 분속 "
        f"${num(fast)}$ m로 걸을 때, 형이 출발한 지 몇 분 만에 동생을 만나는가?"),
        (f"분속 ${slow}$ m로 걷는 민호를 ${head}$분 늦게 출발한 서연이가 분속 ${num(fast)}$ m로 뒤쫓는다. "
        "서연이가 민호를 따라잡는 데 걸리는 시간을 구하시오."),
    )[stem]
    if stem == 1:
        return short(text, f"{time}분")
    return numeric(text, time, [time + head, head, time - head], low=0, fmt=counted("분"))


@maths("좌표평면과 그래프", 7, 2, groups="aa", values=[
    ((-3, -1), (2, -1), (1, 3)), ((-2, -2), (3, -2), (0, 2)),
    ((-4, 1), (2, 1), (-1, -3)), ((-3, -2), (3, -2), (2, 2))])
def triangle_on_plane(stem: int, a: tuple, b: tuple, c: tuple) -> Draft:
    base, height = b[0] - a[0], abs(c[1] - a[1])
    area = Fraction(base * height, 2)
    if stem == 0:
        image = figures.plane((-5, 5), (-4, 4), points={"A": a, "B": b, "C": c}, joined=True,
                              grid=True)
        text = "모눈 한 칸의 길이가 $1$인 좌표평면 위의 세 점 $A$, $B$, $C$를 꼭짓점으로 하는 삼각형 $ABC$의 넓이는?"
        return numeric(text, area, [base * height, base + height], low=0, image=image)
    third = jmath(f"C({c[0]},\\ {c[1]})", "을/를")
    text = (f"좌표평면에서 세 점 $A({a[0]},\\ {a[1]})$, $B({b[0]},\\ {b[1]})$, {third} "
            "꼭짓점으로 하는 삼각형 $ABC$의 넓이를 구하시오.")
    return short(text, area)


@maths("근호를 포함한 식의 계산", 9, 2, groups="aa", values=[
    (12, 27, 3), (18, 8, 2), (20, 45, 5), (48, 75, 3)])
def add_roots(stem: int, a: int, b: int, base: int) -> Draft:
    left, right = (rf"\sqrt{{{n}}}" for n in (a, b))
    p, q = (round((n // base) ** 0.5) for n in (a, b))
    if stem == 0:
        text = f"{jmath(f'{left}+{right}', '을/를')} 간단히 하면?"
        return numeric(text, p + q, [p * q, abs(p - q)], low=0,
                       fmt=lambda v: f"${'' if v == 1 else v}\\sqrt{{{base}}}$")
    text = (f"${left}+{right}=k\\sqrt{{{base}}}$일 때, 유리수 $k$의 값을 구하시오.")
    return short(text, p + q)


@maths("인수분해", 9, 2, groups="aa", values=[(2, 5), (-3, 7), (-2, -6), (4, -9)])
def factorise(stem: int, p: int, q: int) -> Draft:
    def product(u: int, v: int) -> str:
        return f"$(x{signed(u)})(x{signed(v)})$"

    expression = poly(1, p + q, p * q)
    if stem == 0:
        wrong = [product(-p, -q), product(-p, q), product(p, -q), product(p + q, p * q)]
        return worded(f"다항식 {jmath(expression, '을/를')} 인수분해한 것은?", product(p, q), wrong)
    text = (f"${expression}$의 두 일차식의 인수를 $x+a$, $x+b$라 할 때, $a+b$의 값은? "
            "(단, $a$, $b$는 정수이다.)")
    return numeric(text, p + q, [p * q, -(p + q), p - q])


@maths("일차함수와 그 그래프", 8, 2, groups="abc", values=[
    (2, -4), (-1, 3), (3, -6), (-2, 6), (1, -2), (2, 8)])
def line_intercepts(stem: int, a: int, b: int) -> Draft:
    x = Fraction(-b, a)
    if stem == 0:
        image = figures.plane((-5, 5), (-8, 8), curves=[lambda t: a * t + b],
                              x_ticks={float(x): num(x)}, y_ticks={b: str(b)})
        first = jmath(f"(0,\\ {b})", "과/와")
        text = (f"일차함수 $y=ax+b$의 그래프가 그림과 같이 점 {first} 점 $({num(x)},\\ 0)$을 "
                "지날 때, 상수 $a$, $b$에 대하여 $a+b$의 값은?")
        return numeric(text, a + b, [a - b, b - a, -a - b], image=image)
    if stem == 1:
        text = f"일차함수 $y={poly(a, b)}$의 그래프의 $x$절편과 $y$절편의 합은?"
        return numeric(text, x + b, [x - b, -x + b, a + b])
    text = (f"직선 {jmath(f'y={poly(a, b)}', '과/와')} $x$축, $y$축으로 둘러싸인 삼각형의 넓이를 구하시오.")
    return short(text, abs(x * b) / 2)


@maths("연립일차방정식", 8, 2, groups="abb", values=[
    (4, 3), (7, 5), (3, 1), (5, 2), (12, 6)])
def two_unknowns(stem: int, x: int, y: int) -> Draft:
    if stem == 0:
        text = (f"연립방정식 $\\begin{{cases}} 2x+y={2 * x + y} \\\\ x-3y={x - 3 * y} "
                "\\end{cases}$의 해가 $x=a$, $y=b$일 때, $a+b$의 값은?")
        return numeric(text, x + y, [x - y, x * y, 2 * x + y])
    if stem == 1:
        text = (f"한 개에 $500$원인 사탕과 한 개에 $800$원인 초콜릿을 합하여 ${x + y}$개 사고 "
                f"${500 * x + 800 * y}$원을 냈다. 사탕은 몇 개 샀는가?")
        return numeric(text, x, [y, x + y], low=0, fmt=counted("개"))
    text = (f"두 수의 합이 ${x + y}$이고 차가 ${x - y}$일 때, 두 수 중 큰 수를 구하시오.")
    return short(text, x)


@maths("일차부등식", 8, 4, groups="aa", values=[
    (1200, 900, 1800), (1000, 700, 2100), (1500, 1100, 2000), (2000, 1600, 2400)])
def cheaper_market(stem: int, near: int, far: int, fare: int) -> Draft:
    least = fare // (near - far) + 1
    text = (
        (f"집 앞 가게에서 한 송이에 ${near}$원인 장미를 도매 시장에서는 ${far}$원에 판다. 도매 시장에 "
        f"다녀오는 왕복 교통비가 ${fare}$원일 때, 장미를 몇 송이 이상 사면 도매 시장에서 사는 것이 "
        "더 유리한가?"),
        (f"동네 문구점에서 ${near}$원 하는 공책이 할인점에서는 ${far}$원이다. 할인점까지 오가는 차비가 "
        f"${fare}$원이라면 공책을 최소 몇 권 살 때 할인점에 가는 편이 이익인가?"),
    )[stem]
    return numeric(text, least, [least - 1, fare // far], low=0,
                   fmt=counted("송이" if stem == 0 else "권"))


@maths("경우의 수와 확률", 8, 1, groups="aa", values=[(7,), (5,), (8,), (9,)])
def two_dice(stem: int, total: int) -> Draft:
    ways = 6 - abs(total - 7)
    if stem == 0:
        text = f"서로 다른 두 개의 주사위를 동시에 던질 때, 나오는 두 눈의 수의 합이 ${total}$일 확률은?"
        return numeric(text, Fraction(ways, 36), [Fraction(ways, 12)], step=Fraction(1, 36), low=0)
    text = (f"한 개의 주사위를 두 번 던져 나온 눈의 수를 차례로 $a$, $b$라 하자. $a+b={total}$인 "
            "경우의 수를 구하시오.")
    return short(text, ways)


@maths("경우의 수와 확률", 8, 2, groups="ab", values=[(3, 5), (4, 2), (5, 4), (6, 3)])
def draw_ball(stem: int, red: int, blue: int) -> Draft:
    both = red + blue
    if stem == 0:
        text = (f"주머니에 모양과 크기가 같은 빨간 공 ${red}$개와 파란 공 ${blue}$개가 들어 있다. "
                "이 주머니에서 공 한 개를 꺼낼 때, 빨간 공일 확률은?")
        return numeric(text, Fraction(red, both), [Fraction(red, blue), Fraction(blue, both)],
                       step=Fraction(1, 2 * both), low=0)
    text = (f"빨간 구슬 ${red}$개와 파란 구슬 ${blue}$개가 든 상자에서 구슬 두 개를 동시에 꺼낼 때, "
            "두 개 모두 빨간 구슬일 확률을 구하시오.")
    return short(text, Fraction(comb(red, 2), comb(both, 2)))


@maths("이차방정식", 9, 2, groups="aa", values=[(2, 5), (-3, 4), (1, 6), (-2, -7)])
def quadratic_roots(stem: int, p: int, q: int) -> Draft:
    equation = f"{poly(1, -(p + q), p * q)}=0"
    low, high = sorted((p, q))
    if stem == 0:
        def pair(u: int, v: int) -> str:
            return f"$x={u}$ 또는 $x={v}$"

        wrong = [pair(-high, -low), pair(*sorted((-low, high))), pair(*sorted((low, -high))),
                 pair(*sorted((low - 1, high + 1)))]
        return worded(f"이차방정식 ${equation}$의 해는?", pair(low, high), wrong)
    text = f"이차방정식 ${equation}$의 두 근 중 큰 근을 구하시오."
    return short(text, high)


@maths("이차함수의 그래프", 9, 3, groups="abc", values=[
    (1, 2, -3), (-1, 1, 4), (1, 3, -2), (-1, -1, 4), (2, 1, -5), (-1, 3, 2)])
def vertex(stem: int, a: int, p: int, q: int) -> Draft:
    rule = poly(a, -2 * a * p, a * p * p + q)

    def spot(u: int, v: int) -> str:
        return f"$({u},\\ {v})$"

    wrong = [spot(-p, q), spot(p, -q), spot(-p, -q), spot(p, a * p * p + q)]
    if stem == 0:
        return worded(f"이차함수 $y={rule}$의 그래프의 꼭짓점의 좌표는?", spot(p, q), wrong)
    if stem == 1:
        image = figures.plane((-5, 5), (-6, 6), curves=[lambda t: a * (t - p) ** 2 + q],
                              points={"": (p, q)}, x_ticks={p: str(p)}, y_ticks={q: str(q)})
        text = (f"그림은 이차함수 $y={poly(a, 0, 0)}+ax+b$의 그래프이고, 꼭짓점의 좌표는 {spot(p, q)}이다. "
                "상수 $a$, $b$에 대하여 $a+b$의 값은?")
        return numeric(text, -2 * a * p + a * p * p + q, [p + q, 2 * p + q, a * p * p + q], image=image)
    kind = "최솟값" if a > 0 else "최댓값"
    return short(f"이차함수 $y={rule}$의 {kind}을 구하시오.", q)


@maths("대푯값과 산포도", 9, 2, groups="aa", values=[
    ((3, 7, 5, 9, 6),), ((2, 4, 6, 8, 10),), ((8, 12, 9, 11, 10),), ((1, 4, 7, 10, 3),)])
def variance(stem: int, data: tuple[int, ...]) -> Draft:
    mean = Fraction(sum(data), 5)
    spread = sum((v - mean) ** 2 for v in data) / 5
    row = ",\\ ".join(map(str, data))
    if stem == 0:
        text = f"다음 자료의 분산은?\n$${row}$$"
        return numeric(text, spread, [spread * 5, mean, spread * Fraction(5, 4)], low=0)
    text = f"다섯 개의 변량 ${row}$의 표준편차를 구하시오."
    return short(text, f"${root(int(spread))}$")


@maths("대푯값과 산포도", 9, 1, groups="aa", values=[
    ((4, 9, 2, 7, 5, 8, 2),), ((12, 15, 11, 15, 18, 10, 13),), ((3, 6, 6, 1, 8, 4, 9),)])
def median(stem: int, data: tuple[int, ...]) -> Draft:
    row = ", ".join(f"${v}$" for v in data)
    middle = sorted(data)[3]
    text = (f"다음은 학생 $7$명의 턱걸이 횟수이다. 이 자료의 중앙값은?\n{row}",
            f"자료 {josa(row, '을/를')} 크기순으로 나열하여 중앙값을 구하시오.")[stem]
    if stem == 1:
        return short(text, middle)
    return numeric(text, middle, [max(set(data), key=data.count), data[3]], fmt=counted("회"))
