"""사회 and 역사: economy, population, maps, government and Korean history."""

from __future__ import annotations

from fractions import Fraction

import charts
from core import Draft, counted, josa, numeric, short, subject, with_unit, worded

civics = subject("사회")
history = subject("역사")


@civics("시장 가격의 결정", 9, 2, groups="ab", values=[
    ("사과", "소비자의 소득이 늘었다"), ("D", "S"), ("커피", "커피의 선호도가 높아졌다"), ("수요", "공급"),
    ("아이스크림", "기온이 크게 올랐다")])
def demand_shift(stem: int, good: str, cause: str) -> Draft:
    if stem == 0:
        text = f"그림은 {good} 시장의 변화를 나타낸다. {cause}는 소식으로 수요 곡선이 D에서 D'로 이동했을 때, 균형 가격과 균형 거래량의 변화로 옳은 것은? (단, 다른 조건은 변하지 않는다.)"
        wrong = ["가격 상승, 거래량 감소", "가격 하락, 거래량 증가", "가격 하락, 거래량 감소", "가격 불변, 거래량 증가"]
        return worded(text, "가격 상승, 거래량 증가", wrong, charts.market(["S", "D", "D'"], shifted=True))
    right = "가격이 오르면 공급량이 늘어난다."
    wrong = ["가격이 오르면 수요량이 늘어난다.", "공급이 늘면 균형 가격이 오른다.", "균형 가격에서는 초과 수요가 생긴다.", "수요가 줄면 균형 거래량이 늘어난다."]
    lead = "그림은 어느 상품의 수요 곡선(D)과 공급 곡선(S)이다. " if good == "D" else "그림의 수요·공급 곡선을 보고 답하시오. "
    return worded(lead + "다른 조건이 일정할 때 옳은 설명은?", right, wrong, charts.market(["S", "D"]))


@civics("기회비용과 합리적 선택", 10, 2, groups="aa", values=[
    (10000, 12000, 8000), (15000, 20000, 9000), (12000, 18000, 5000), (9000, 11000, 7000)])
def opportunity_cost(stem: int, ticket: int, wage: int, other: int) -> Draft:
    text = (f"민수는 시간당 ${wage}$원을 받는 아르바이트를 한 시간 쉬고 관람료가 ${ticket}$원인 한 시간짜리 공연을 보았다. 공연 관람의 기회비용은? (단, 다른 비용은 없다.)",
            f"영화를 보는 데 ${ticket}$원이 들고, 같은 시간에 일하면 ${wage}$원을, 집안일을 도우면 ${other}$원을 벌 수 있다. 이 중 하나만 할 수 있을 때 영화 관람의 기회비용을 구하시오.")[stem]
    if stem == 1:
        return short(text, f"{ticket + wage}원")
    return numeric(text, ticket + wage, [ticket, wage, wage - ticket], step=1000, low=0, fmt=counted("원"))


@civics("경제 성장과 물가", 10, 2, groups="ab", values=[(500, 520), (2000, 2100), (800, 840), (4000, 4080)])
def growth(stem: int, before: int, after: int) -> Draft:
    rate = Fraction(100 * (after - before), before)
    if stem == 0:
        text = f"어느 나라의 실질 국내 총생산이 작년 ${before}$억 달러에서 올해 ${after}$억 달러로 늘었다. 올해의 경제 성장률은 몇 %인가?"
        return numeric(text, rate, [after - before, rate * 2, rate + 1], low=0, fmt=counted("%"))
    text = f"물가를 대표하는 상품 묶음의 가격이 작년 ${before}$원에서 올해 ${after}$원이 되었다. 물가 상승률은 몇 %인지 구하시오."
    return short(text, f"{rate}%")


@civics("환율", 12, 4, groups="aa", values=[(1200, 1300), (1300, 1200), (1100, 1250), (1400, 1300)])
def exchange(stem: int, before: int, after: int) -> Draft:
    rise = after > before
    way = "올랐다" if rise else "내렸다"
    image = charts.line_graph([[(1, before), (2, before), (3, after), (4, after)]], "month", "KRW / USD", [1, 2, 3, 4],
                              [before, after])
    good, bad = "우리나라 상품의 달러 표시 가격이 낮아져 수출이 유리해진다.", "미국으로 여행 가는 한국인의 비용 부담이 줄어든다."
    wrong = [bad if rise else good, "원화의 가치와 달러의 가치가 함께 높아진다.", "환율은 수입품의 원화 가격에 영향을 주지 않는다.",
             "달러 빚이 있는 기업의 부담은 " + ("줄어든다." if rise else "늘어난다.")]
    text = (f"그래프와 같이 원/달러 환율이 ${before}$원에서 ${after}$원으로 {way}. 이에 따른 영향으로 옳은 것은?",
            f"달러당 ${before}$원이던 환율이 ${after}$원이 되었다. 다른 조건이 같을 때 나타날 수 있는 변화로 적절한 것은?")[stem]
    return worded(text, good if rise else bad, wrong, image if stem == 0 else None)


@civics("인구 구조와 부양비", 12, 4, groups="ab", values=[(20, 60, 20), (15, 60, 25), (24, 64, 12), (12, 50, 38), (10, 75, 15)])
def dependency(stem: int, young: int, adult: int, old: int) -> Draft:
    image = charts.pie({"0-14": young, "15-64": adult, "65+": old})
    share, other = (old, young) if stem == 0 else (young, old)
    name, ages = ("노년", "65세 이상") if stem == 0 else ("유소년", "0~14세")
    text = (f"그래프는 어느 지역의 연령별 인구 비율이다. {name} 부양비를 구하면? (단, {name} 부양비 = {ages} 인구 ÷ 15~64세 인구 × 100이며, 소수 첫째 자리에서 반올림한다.)")
    value = round(Fraction(100 * share, adult))
    return numeric(text, value, [share, round(Fraction(100 * other, adult)) + 1, share + other], step=3, low=0, image=image)


@civics("지도와 축척", 4, 2, groups="aa", values=[(50000, 4), (25000, 8), (50000, 6), (100000, 3)])
def map_scale(stem: int, scale: int, length: int) -> Draft:
    value = Fraction(scale * length, 100000)
    text = (f"축척이 $1:{scale}$인 지도에서 두 마을 사이의 거리가 ${length}$ cm입니다. 실제 거리는 몇 km입니까?",
            f"$1:{scale}$ 지도에 자를 대어 학교에서 역까지 재었더니 ${length}$ cm였습니다. 학교에서 역까지의 실제 거리를 구하세요.")[stem]
    if stem == 1:
        return short(text, f"{value} km")
    return numeric(text, value, [value * 10, value / 2, Fraction(scale, 100000) + length], low=0, fmt=with_unit("km"))


@civics("경도와 시차", 7, 2, groups="aa", values=[("런던", 0), ("카이로", 30), ("방콕", 105), ("리우데자네이루", -45)])
def time_zone(stem: int, city: str, degrees: int) -> Draft:
    hours = (135 - degrees) // 15
    where = "경도 0°" if degrees == 0 else f"{'동경' if degrees > 0 else '서경'} {abs(degrees)}°"
    text = (f"우리나라는 동경 135°, {josa(city, '은/는')} {where}를 표준 경선으로 사용한다. 두 지역의 시차는 몇 시간인가? (단, 서머 타임은 고려하지 않는다.)",
            f"표준 경선이 동경 135°인 서울이 오후 9시일 때, 표준 경선이 {where}인 {city}의 시각을 구하시오. (단, 서머 타임은 고려하지 않는다.)")[stem]
    if stem == 1:
        clock = 21 - hours
        return short(text, f"오후 {clock - 12}시" if clock > 12 else f"오전 {clock}시")
    return numeric(text, hours, [135 // 15 + 1, hours + 2], low=0, fmt=counted("시간"))


BRANCHES = {"입법부(국회)": "법률을 만들고 고친다.", "행정부": "법률을 집행하고 정책을 시행한다.", "사법부(법원)": "법을 해석하고 적용하여 재판한다."}


@civics("권력 분립", 6, 1, groups="aa", values=[(name,) for name in [*BRANCHES, "사법부(법원)"]])
def branches(stem: int, name: str) -> Draft:
    extra = ["지방 의회", "헌법재판소"]
    if stem == 0:
        return worded(f"다음 일을 주로 하는 국가 기관은 어디입니까?\n“{BRANCHES[name]}”", name, [n for n in BRANCHES if n != name] + extra)
    wrong = [v for n, v in BRANCHES.items() if n != name] + ["외국에서 우리나라를 대표하는 운동 경기를 연다.", "물건의 가격을 정하여 판매한다."]
    return worded(f"민주 국가에서 {name}의 역할로 알맞은 것은 무엇입니까?", BRANCHES[name], wrong)


@civics("기본권의 종류", 8, 2, groups="a", values=[
    ("교육을 받을 권리", "사회권"), ("직업을 선택할 자유", "자유권"), ("선거에 참여하여 투표할 권리", "참정권"), ("국가에 재판을 청구할 권리", "청구권")])
def basic_rights(stem: int, example: str, name: str) -> Draft:
    pool = ["자유권", "평등권", "참정권", "사회권", "청구권"]
    return worded(f"‘{example}’에 해당하는 기본권은?", name, [p for p in pool if p != name])


KINGS = {"세종": "훈민정음을 창제하였다.", "정조": "규장각을 설치하고 수원 화성을 건설하였다.", "광개토 대왕": "요동을 차지하고 신라에 침입한 왜를 물리쳤다.",
         "태조 왕건": "고려를 세우고 후삼국을 통일하였다.", "영조": "균역법을 시행하고 탕평비를 세웠다.", "광종": "노비안검법과 과거제를 실시하였다."}


@history("왕의 업적", 8, 2, groups="aa", values=[("세종",), ("정조",), ("광종",), ("광개토 대왕",)])
def kings(stem: int, name: str) -> Draft:
    pool = list(KINGS)
    rest = [pool[(pool.index(name) + step) % len(pool)] for step in range(1, 5)]
    if stem == 0:
        return worded(f"다음 업적을 남긴 왕은?\n“{KINGS[name]}”", name, rest)
    return worded(f"{name}의 업적으로 옳은 것은?", KINGS[name], [KINGS[n] for n in rest])


EVENTS = [("고조선 멸망", -108), ("살수 대첩", 612), ("발해 건국", 698), ("고려 건국", 918), ("조선 건국", 1392), ("임진왜란 발발", 1592),
          ("병자호란 발발", 1636), ("강화도 조약 체결", 1876), ("3·1 운동", 1919), ("8·15 광복", 1945)]


@history("한국사의 흐름", 12, 4, groups="aa", values=[(0, 3, 4, 7), (1, 2, 5, 8), (2, 4, 6, 9), (3, 5, 7, 8)])
def order_of_events(stem: int, *picked: int) -> Draft:
    names = [EVENTS[i][0] for i in picked]
    shuffled = [2, 0, 3, 1]
    marks = "가나다라"
    listing = " ".join(f"({marks[k]}) {names[shuffled[k]]}" for k in range(4))
    order = [marks[shuffled.index(k)] for k in range(4)]
    show = "-".join
    wrong = [show([order[k] for k in turn]) for turn in ((1, 0, 2, 3), (0, 2, 1, 3), (0, 1, 3, 2), (3, 2, 1, 0))]
    ask = ("다음 사건을 일어난 순서대로 옳게 나열한 것은?", "(가)~(라)를 시대순으로 바르게 배열한 것은?")[stem]
    return worded(f"{ask}\n{listing}", show(order), wrong)


BOOKS = {"정약용": "목민심서", "박지원": "열하일기", "박제가": "북학의", "유형원": "반계수록", "이익": "성호사설", "홍대용": "의산문답"}


@history("실학의 발달", 8, 2, groups="aa", values=[("정약용",), ("박지원",), ("박제가",), ("유형원",)])
def scholars(stem: int, name: str) -> Draft:
    pool = list(BOOKS)
    rest = [pool[(pool.index(name) + step) % len(pool)] for step in range(1, 5)]
    if stem == 0:
        return worded(f"조선 후기의 실학자 {josa(name, '이/가')} 지은 책은?", BOOKS[name], [BOOKS[n] for n in rest])
    return worded(f"다음 책을 저술한 조선 후기의 실학자는?\n‘{BOOKS[name]}’", name, rest)


TREATIES = {"강화도 조약": "부산 외 두 곳의 항구를 열고 해안 측량을 허용하였다.", "제물포 조약": "임오군란의 피해를 배상하고 일본 공사관에 경비병을 두게 하였다.",
            "조·미 수호 통상 조약": "서양 국가와 처음 맺은 조약으로 최혜국 대우를 인정하였다.", "을사늑약": "대한 제국의 외교권을 빼앗고 통감부를 두게 하였다.",
            "한·일 신협약": "대한 제국 정부의 각 부 차관에 일본인을 임명하게 하였다."}


@history("개항과 국권 침탈", 9, 3, groups="aa", values=[("강화도 조약",), ("을사늑약",), ("제물포 조약",), ("한·일 신협약",)])
def treaties(stem: int, name: str) -> Draft:
    rest = [n for n in TREATIES if n != name]
    if stem == 0:
        return worded(f"다음 내용과 관련된 조약은?\n“{TREATIES[name]}”", name, rest)
    return worded(f"{name}에 대한 설명으로 옳은 것은?", TREATIES[name], [TREATIES[n] for n in rest])


GROUPS = {"신민회": "대성 학교와 오산 학교를 세우고 국외에 독립군 기지를 마련하려 하였다.", "의열단": "김원봉이 조직하였으며 ‘조선 혁명 선언’을 활동 지침으로 삼았다.",
          "한인 애국단": "김구가 조직하였으며 이봉창과 윤봉길이 단원으로 활동하였다.", "신간회": "민족주의자와 사회주의자가 함께 세웠으며 광주 학생 항일 운동에 조사단을 보냈다.",
          "독립 협회": "독립문을 세우고 만민 공동회를 열었다."}


@history("민족 운동 단체", 10, 3, groups="aa", values=[("신민회",), ("신간회",), ("의열단",), ("독립 협회",)])
def societies(stem: int, name: str) -> Draft:
    rest = [n for n in GROUPS if n != name]
    if stem == 0:
        return worded(f"다음 설명에 해당하는 단체는?\n“{GROUPS[name]}”", name, rest)
    return worded(f"{josa(name, '이/가')} 벌인 활동으로 옳은 것은?", GROUPS[name], [GROUPS[n] for n in rest])
