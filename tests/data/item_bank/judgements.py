"""Graded judgements that follow from how the items were made; no model has a say in them.

3 = same template with other numbers (for a text query: an item of the problem type it asks for),
2 = the same problem type in other words, 1 = another problem type of the same unit,
0 = a hard negative: similar words, another concept (``CONFUSED``). A higher grade wins.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from core import Item

# Pairs of problem types that look alike and are not; a bare name stands for all its groups.
CONFUSED = [
    ("arithmetic_term", "geometric_term"), ("arithmetic_sum", "geometric_sum"),
    ("arithmetic_sum", "infinite_sum"), ("arrangements", "selections"),
    ("selections", "multichoose"), ("rational_power", "logarithm"),
    ("greatest_divisor", "least_multiple"), ("velocity_from_position", "distance_from_velocity"),
    ("derivative_at", "definite_integral"), ("redox", "neutralise"),
    ("circuit", "electric_power"), ("quadratic_roots", "root_sums"),
    ("velocity_graph", "velocity_from_position"), ("triangle_on_plane", "sine_area"),
    ("quadratic_range", "extremum"), ("vertex", "derivative_graph"), ("half_life", "layers"),
    ("idiom", "proverb"), ("word_class", "sentence_part"), ("mean_of_four", "median"),
    ("clock_after", "tell_time"), ("bar_difference", "chart_reading"),
    ("concentration", "humidity"), ("density", "moles"), ("growth", "discount"),
    ("circle_measure", "circle_equation"), ("draw_ball", "conditional"),
    ("kings", "scholars"), ("treaties", "order_of_events"), ("treaties", "societies"),
]


@dataclass(frozen=True)
class Query:
    """A search phrase, the problem types it asks for, and those that only sound like it."""

    text: str
    lang: str
    wanted: Sequence[str]
    alike: Sequence[str] = ()
    note: str = ""


def _ko(text: str, wanted: str, alike: str = "", note: str = "") -> Query:
    return Query(text, "ko", wanted.split(), alike.split(), note)


def _en(text: str, wanted: str, alike: str = "") -> Query:
    return Query(text, "en", wanted.split(), alike.split(), "English query, Korean items")


QUERIES = [
    _ko("두 근의 합과 곱을 구하는 이차방정식 문제", "root_sums.a", "quadratic_roots"),
    _ko("인수분해로 이차방정식의 해 구하기", "quadratic_roots", "root_sums"),
    _ko("등차수열의 특정한 항을 구하는 문제", "arithmetic_term.a", "geometric_term"),
    _ko("등차수열 첫째항부터 n항까지 합", "arithmetic_sum", "geometric_sum"),
    _ko("공비와 첫째항이 주어진 등비수열의 합", "geometric_sum", "arithmetic_sum"),
    _ko("최대공약수를 이용한 똑같이 나누기", "greatest_divisor", "least_multiple"),
    _ko("버스가 동시에 출발하는 시각, 최소공배수", "least_multiple", "greatest_divisor"),
    _ko("시계 보고 몇 분 뒤 시각 알아보기 초등 3학년", "clock_after", "tell_time"),
    _ko("원그래프에서 인원수 구하기", "pie_count", "dependency", "reads a figure"),
    _ko("직육면체의 겉넓이 그림 문제", "box.b", "", "figure"),
    _ko("직각삼각형 빗변의 길이 피타고라스", "pythagoras.a", "trig_ratio"),
    _ko("중심각과 원주각의 관계", "inscribed_angle", "", "figure"),
    _ko("올려다본 각으로 건물 높이 구하기", "height_by_angle", "pythagoras"),
    _ko("코사인법칙으로 나머지 한 변 구하기", "cosine_rule", "sine_rule.a"),
    _ko("주사위 두 개 눈의 합 확률", "two_dice", "conditional"),
    _ko("순서를 생각하지 않고 뽑는 경우의 수", "selections", "arrangements"),
    _ko("곡선 위의 점에서 접선의 방정식", "derivative_at.b", "definite_integral"),
    _ko("위치를 미분하여 속도 구하기", "velocity_from_position.a", "distance_from_velocity"),
    _ko("속도를 적분해서 움직인 거리 구하기", "distance_from_velocity", "velocity_from_position"),
    _ko("포물선과 x축으로 둘러싸인 넓이", "area_under", "triangle_on_plane"),
    _ko("표를 보고 조건부확률 계산", "conditional", "draw_ball"),
    _ko("표준정규분포를 이용한 확률", "normal_band", "binomial"),
    _ko("저항의 직렬연결 회로 전류", "circuit.a", "electric_power", "figure"),
    _ko("속도 시간 그래프에서 가속도", "velocity_graph.a", "velocity_from_position", "figure"),
    _ko("산화수 구하기", "redox.b", "neutralise"),
    _ko("산 염기 중화 적정에 필요한 부피", "neutralise", "redox"),
    _ko("가열 곡선에서 끓는점 찾기", "heating_curve.a", "", "figure"),
    _ko("완두 잡종 2대 분리비", "heredity.a", "blood_tree"),
    _ko("혈액형 가계도 유전자형", "blood_tree", "heredity.a", "figure"),
    _ko("PS시를 이용한 진원 거리", "ps_time", "wave_speed"),
    _ko("방사성 원소 반감기로 암석 나이", "half_life", "layers"),
    _ko("비음화 유음화 같은 음운 변동", "sound_change", "spelling"),
    _ko("뜻에 맞는 사자성어 고르기", "idiom", "proverb"),
    _ko("문장 성분 목적어 보어 구별", "sentence_part", "word_class"),
    _ko("수요 증가에 따른 균형 가격 변화 그래프", "demand_shift.a", "opportunity_cost", "figure"),
    _ko("조선 시대 왕의 업적", "kings", "order_of_events", "all kings count, whatever the dynasty"),
    _ko("가정법 과거완료 빈칸", "conditional_mood", "present_perfect"),
    _en("find the sum of an arithmetic sequence", "arithmetic_sum", "geometric_sum"),
    _en("nth term of a geometric sequence", "geometric_term.a", "arithmetic_term"),
    _en("remainder theorem for polynomials", "remainder.a"),
    _en("volume of a cylinder", "round_solid.a", "box"),
    _en("vertex of a parabola", "vertex.a", "derivative_graph"),
    _en("definite integral of a polynomial", "definite_integral.a", "derivative_at"),
    _en("parallel resistors equivalent resistance", "circuit.b", "electric_power"),
    _en("Newton's second law acceleration of a block", "newton_second", "velocity_graph"),
    _en("dot product of two vectors", "dot_product"),
    _en("Boyle's law gas volume and pressure", "gas_law.a", "density"),
    _en("ecological energy efficiency pyramid", "energy_flow", "photosynthesis"),
    _en("opportunity cost", "opportunity_cost", "growth"),
    _en("relative pronoun fill in the blank", "relative", "agreement"),
]


def _names(kind: str, listed: Sequence[str]) -> bool:
    return kind in listed or kind.split(".")[0] in listed


def _rivals(kind: str) -> list[str]:
    base = kind.split(".")[0]
    return [b if a == base else a for a, b in CONFUSED if base in (a, b)]


def _grade(query: Item, item: Item) -> int | None:
    if query.kind == item.kind:
        return 3 if query.stem == item.stem else 2
    if (query.subject, query.unit) == (item.subject, item.unit):
        return 1
    return 0 if _names(item.kind, _rivals(query.kind)) else None


def _query_grade(query: Query, item: Item, units: set[tuple[str, str]]) -> int | None:
    if _names(item.kind, query.wanted):
        return 3
    if (item.subject, item.unit) in units:
        return 1
    return 0 if _names(item.kind, query.alike) else None


def _chosen(items: Sequence[Item]) -> list[Item]:
    """One query item for each problem type that has both another wording and other numbers."""
    chosen: dict[str, Item] = {}
    for item in items:
        grades = {_grade(item, other) for other in items if other.id != item.id}
        if {2, 3} <= grades:
            chosen.setdefault(item.kind, item)
    return list(chosen.values())


def judge(items: Sequence[Item]) -> list[tuple[str, str, int]]:
    """All judgements: first those of the item queries, then those of the text queries."""
    rows = []
    for query in _chosen(items):
        for item in items:
            grade = _grade(query, item)
            if grade is not None and item.id != query.id:
                rows.append((query.id, item.id, grade))
    for number, query in enumerate(QUERIES, 1):
        units = {(i.subject, i.unit) for i in items if _names(i.kind, query.wanted)}
        assert units, query
        for item in items:
            grade = _query_grade(query, item, units)
            if grade is not None:
                rows.append((f"Q-{number:03d}", item.id, grade))
    return rows
