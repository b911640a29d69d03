"""과학: 물리, 화학, 생명과학 and 지구과학 units, from 초6 to 고3."""

from __future__ import annotations

from fractions import Fraction

import charts
from core import Draft, counted, josa, numeric, short, subject, with_unit, worded

science = subject("과학")


@science("물리 - 전기 회로", 9, 2, groups="aba", values=[
    (2, 4, 12), (3, 6, 12), (5, 10, 30), (3, 5, 16), (4, 12, 6), (6, 2, 24)])
def circuit(stem: int, r1: int, r2: int, volts: int) -> Draft:
    names = f"{r1} Ω", f"{r2} Ω", f"{volts} V"
    both = Fraction(r1 * r2, r1 + r2)
    if stem == 0:
        return numeric("그림과 같이 두 저항을 직렬로 연결하였다. 회로에 흐르는 전류의 세기는 몇 A인가?",
                       Fraction(volts, r1 + r2), [volts / both, Fraction(volts, r1)], low=0,
                       fmt=with_unit("A"), image=charts.series(*names))
    if stem == 1:
        return numeric("그림과 같이 두 저항을 병렬로 연결하였다. 회로 전체의 합성 저항은 몇 Ω인가?", both,
                       [r1 + r2, Fraction(r1 + r2, 2)], low=0, fmt=with_unit("Ω"),
                       image=charts.parallel(*names))
    text = (f"저항이 각각 ${r1}$ Ω, ${r2}$ Ω인 두 저항을 직렬로 연결하고 ${volts}$ V의 전압을 걸었을 때, 회로에 흐르는 "
            "전류의 세기를 구하시오.")
    return short(text, f"{Fraction(volts, r1 + r2)} A")


@science("물리 - 전기 에너지", 9, 2, groups="a", values=[(220, 2), (100, 5), (220, 5)])
def electric_power(stem: int, volts: int, amps: int) -> Draft:
    text = f"${volts}$ V의 전원에 연결한 전열기에 ${amps}$ A의 전류가 흐를 때, 이 전열기의 소비 전력은 몇 W인가?"
    return numeric(text, volts * amps, [Fraction(volts, amps), volts + amps, volts * amps * amps], low=0,
                   step=volts, fmt=with_unit("W"))


@science("물리 - 등가속도 운동", 10, 3, groups="aba", values=[
    (0, 12, 4), (2, 10, 4), (4, 16, 6), (5, 20, 5), (0, 18, 6), (3, 15, 4)])
def velocity_graph(stem: int, start: int, end: int, time: int) -> Draft:
    gain, way = Fraction(end - start, time), Fraction((start + end) * time, 2)
    image = charts.line_graph([[(0, start), (time, end)]], "time (s)", "v (m/s)", [time],
                              sorted({start, end} - {0}), guides=[(time, end)])
    if stem == 0:
        return numeric("그래프는 직선상에서 운동하는 물체의 속도를 시간에 따라 나타낸 것이다. 물체의 가속도의 크기는 몇 m/s²인가?",
                       gain, [Fraction(end, time) if start else 2 * gain, end - start, gain / 2], low=0,
                       fmt=with_unit("m/s²"), image=image)
    if stem == 1:
        return numeric(f"그래프는 직선 운동하는 자동차의 속도-시간 그래프이다. $0$초부터 ${time}$초까지 이동한 거리는 몇 m인가?",
                       way, [end * time, start * time, (end - start) * time], step=time, low=0,
                       fmt=with_unit("m"), image=image)
    text = (f"직선상에서 속력이 ${start}$ m/s에서 ${end}$ m/s로 일정하게 증가하는 데 ${time}$초가 걸렸다. 이 물체의 "
            "가속도의 크기를 구하시오.")
    return short(text, f"{gain} m/s²")


@science("물리 - 뉴턴 운동 법칙", 10, 2, groups="aa", values=[
    (4, 20, 8), (3, 12, 0), (5, 30, 10), (2, 16, 6), (6, 33, 9)])
def newton_second(stem: int, mass: int, force: int, back: int) -> Draft:
    gain = Fraction(force - back, mass)
    if stem == 0:
        image = charts.pushed_block(f"{mass} kg", f"{force} N", f"{back} N" if back else "")
        text = "그림과 같이 마찰이 없는 수평면에 놓인 물체에 수평 방향으로 힘이 작용한다. 물체의 가속도의 크기는 몇 m/s²인가?"
        return numeric(text, gain, [Fraction(force, mass), Fraction(force + back, mass), force - back],
                       low=0, fmt=with_unit("m/s²"), image=image)
    return short(f"질량이 ${mass}$ kg인 수레에 작용하는 알짜힘의 크기가 ${force - back}$ N일 때, 수레의 가속도의 크기를 구하시오.",
                 f"{gain} m/s²")


@science("물리 - 역학적 에너지", 9, 2, groups="ab", values=[(2, 5), (4, 6), (3, 10), (6, 3)])
def energy(stem: int, mass: int, size: int) -> Draft:
    if stem == 0:
        text = f"지면에서 높이 ${size}$ m인 곳에 질량 ${mass}$ kg인 물체가 있다. 지면을 기준으로 한 위치 에너지는 몇 J인가? (단, 중력 가속도는 $9.8$ m/s²이다.)"
        value = Fraction(98 * mass * size, 10)
        return numeric(text, value, [mass * size, Fraction(98 * size, 10), value / 2], step=49, low=0,
                       fmt=lambda v: f"${float(v):g}$ J")
    text = f"질량이 ${mass}$ kg인 물체가 ${size}$ m/s의 속력으로 운동할 때, 이 물체의 운동 에너지는 몇 J인가?"
    value = Fraction(mass * size * size, 2)
    return numeric(text, value, [mass * size, value * 2, Fraction(mass * size, 2)], step=mass, low=0,
                   fmt=with_unit("J"))


@science("물리 - 파동", 8, 2, groups="aa", values=[(4, 5), (2, 10), (6, 3), (3, 8)])
def wave_speed(stem: int, length: int, hertz: int) -> Draft:
    if stem == 0:
        text = f"그림은 진동수가 ${hertz}$ Hz인 파동의 어느 순간의 모습이다. 이 파동의 속력은 몇 m/s인가?"
        return numeric(text, length * hertz, [length + hertz, Fraction(hertz, length), Fraction(length, hertz)],
                       step=2, low=0, fmt=with_unit("m/s"), image=charts.wave(f"{length} m", "0.5 m"))
    return short(f"파장이 ${length}$ m이고 진동수가 ${hertz}$ Hz인 물결파가 퍼져 나가는 속력을 구하시오.", f"{length * hertz} m/s")


@science("화학 - 용해도와 농도", 8, 2, groups="ab", values=[(20, 180), (25, 100), (30, 270), (40, 160)])
def concentration(stem: int, salt: int, water: int) -> Draft:
    percent = Fraction(100 * salt, salt + water)
    if stem == 0:
        text = f"물 ${water}$ g에 소금 ${salt}$ g을 모두 녹인 소금물의 퍼센트 농도는 몇 %인가?"
        return numeric(text, percent, [Fraction(100 * salt, water), salt], low=0, step=5, fmt=counted("%"))
    total = salt * 20
    return short(f"농도가 ${salt}\\%$인 설탕물 ${total}$ g에 녹아 있는 설탕의 질량은 몇 g인지 구하시오.", f"{salt * total // 100} g")


@science("화학 - 물질의 특성", 8, 1, groups="aa", values=[(54, 20), (54, 20), (79, 10), (90, 100)])
def density(stem: int, mass: int, volume: int) -> Draft:
    value = Fraction(mass, volume)
    text = (f"질량이 ${mass}$ g이고 부피가 ${volume}$ cm³인 물체의 밀도는 몇 g/cm³인가?",
            f"눈금실린더로 잰 부피가 ${volume}$ cm³, 저울로 잰 질량이 ${mass}$ g인 고체가 있다. 이 고체의 밀도를 구하시오.")[stem]
    if stem == 1:
        return short(text, f"{float(value):g} g/cm³")
    return numeric(text, value, [value * 2, value / 2, value + 1], low=0, fmt=lambda v: f"${float(v):g}$ g/cm³")


@science("화학 - 물질의 상태 변화", 7, 1, groups="ab", values=[(20, 100), (15, 60), (25, 80), (30, 75)])
def heating_curve(stem: int, melt: int, boil: int) -> Draft:
    image = charts.line_graph([[(0, 5), (2, melt), (4, melt), (8, boil), (10, boil)]], "time (min)", "T (°C)",
                              [2, 4, 8, 10], [melt, boil], guides=[(4, melt), (10, boil)])
    if stem == 0:
        return numeric("그래프는 어떤 고체 물질을 일정하게 가열할 때의 온도 변화이다. 이 물질의 끓는점은 몇 °C인가?", boil,
                       [melt, boil - melt, boil + melt], step=10, fmt=with_unit("°C"), image=image)
    right = "2분에서 4분 사이"
    wrong = ["0분에서 2분 사이", "4분에서 8분 사이", "8분에서 10분 사이", "2분에서 8분 사이"]
    return worded(f"순수한 고체를 가열한 그래프에서 녹는점이 ${melt}$ °C일 때, 고체와 액체가 함께 있는 구간은?", right, wrong, image)


@science("화학 - 산화와 환원", 11, 3, groups="ab", values=[
    ("\\mathrm{2CuO+C\\rightarrow 2Cu+CO_2}", "CuO", "C"), ("\\mathrm{H_2SO_4}", "S", "+6"),
    ("\\mathrm{Fe_2O_3+3CO\\rightarrow 2Fe+3CO_2}", "Fe₂O₃", "CO"), ("\\mathrm{KMnO_4}", "Mn", "+7")])
def redox(stem: int, formula: str, first: str, second: str) -> Draft:
    if stem == 0:
        text = f"다음 반응에서 산화되는 물질과 환원되는 물질을 옳게 짝 지은 것은? (산화 - 환원 순)\n${formula}$"
        wrong = [f"{first} - {second}", f"{second} - {second}", f"{first} - {first}", "산화 환원 반응이 아니다"]
        return worded(text, f"{second} - {first}", wrong)
    wrong = [v for v in ("+2", "+3", "+4", "+5", "+6", "+7") if v != second][-4:]
    return worded(f"화합물 ${formula}$에서 {first}의 산화수는?", f"${second}$", [f"${v}$" for v in wrong])


@science("화학 - 산과 염기의 중화 반응", 11, 4, groups="aa", values=[(1, 100, 2), (2, 50, 4), (1, 60, 3), (3, 40, 2)])
def neutralise(stem: int, acid: int, ml: int, base: int) -> Draft:
    need = Fraction(acid * ml, base)
    text = (f"${acid}$ M 염산(HCl) ${ml}$ mL를 완전히 중화하는 데 필요한 ${base}$ M 수산화 나트륨(NaOH) 수용액의 부피는 몇 mL인가?",
            f"${base}$ M NaOH 수용액으로 ${acid}$ M HCl 수용액 ${ml}$ mL를 적정할 때, 중화점까지 넣어 준 NaOH 수용액의 부피를 구하시오.")[stem]
    if stem == 1:
        return short(text, f"{need} mL")
    return numeric(text, need, [ml, ml * base, ml + base], step=10, low=0, fmt=with_unit("mL"))


@science("화학 - 화학식량과 몰", 11, 3, groups="aa", values=[
    ("물(H₂O)", 18, 36), ("이산화 탄소(CO₂)", 44, 22), ("메테인(CH₄)", 16, 48), ("암모니아(NH₃)", 17, 34)])
def moles(stem: int, name: str, molar: int, grams: int) -> Draft:
    text = (f"{name} ${grams}$ g의 양은 몇 mol인가? (단, 분자량은 ${molar}$이다.)",
            f"분자량이 ${molar}$인 {name} ${grams}$ g에 들어 있는 분자의 양(mol)을 구하시오.")[stem]
    value = Fraction(grams, molar)
    if stem == 1:
        return short(text, f"{float(value):g} mol")
    return numeric(text, value, [Fraction(molar, grams) if molar % grams else 4, value * 2], low=0, step=Fraction(1, 2),
                   fmt=lambda v: f"${float(v):.3g}$ mol")


@science("화학 - 기체의 성질", 7, 2, groups="ab", values=[(1, 6, 3), (300, 3, 600), (2, 12, 4), (200, 4, 300)])
def gas_law(stem: int, first: int, volume: int, second: int) -> Draft:
    if stem == 0:
        return numeric(f"온도가 일정할 때 ${first}$ 기압에서 부피가 ${volume}$ L인 기체의 압력을 ${second}$ 기압으로 높이면 부피는 몇 L가 되는가?",
                       Fraction(first * volume, second), [Fraction(volume * second, first), volume], low=0, fmt=with_unit("L"))
    return numeric(f"압력이 일정할 때 절대 온도 ${first}$ K에서 부피가 ${volume}$ L인 기체를 ${second}$ K까지 가열하면 부피는 몇 L가 되는가?",
                   Fraction(volume * second, first), [Fraction(volume * first, second), volume], low=0, fmt=with_unit("L"))


@science("생명과학 - 생식과 세포 분열", 9, 2, groups="aa", values=[(46, "사람"), (8, "초파리"), (20, "옥수수"), (14, "완두")])
def chromosomes(stem: int, count: int, name: str) -> Draft:
    text = (f"체세포의 염색체 수가 ${count}$개인 {name}의 생식세포 한 개에 들어 있는 염색체는 몇 개인가?",
            f"{name}의 체세포에는 염색체가 ${count}$개 있다. 감수 분열을 마친 딸세포의 염색체 수는?")[stem]
    return numeric(text, count // 2, [count, count * 2, count // 2 - 1], low=1, fmt=counted("개"))


@science("생명과학 - 생식과 세포 분열", 9, 1, groups="a", values=[("체세포 분열", 1), ("감수 분열", 2)])
def divisions(stem: int, name: str, times: int) -> Draft:
    one, two = "분열이 1회 일어나 딸세포 2개가 생긴다.", "분열이 연속 2회 일어나 딸세포 4개가 생긴다."
    wrong = [two if times == 1 else one, "딸세포의 염색체 수가 모세포의 2배가 된다.", "세포벽이 있는 세포에서는 일어나지 않는다.",
             "DNA가 복제되지 않은 채 일어난다."]
    return worded(f"동물 세포의 {name}에 대한 설명으로 옳은 것은?", one if times == 1 else two, wrong)


@science("생명과학 - 멘델 유전", 9, 3, groups="aab", values=[
    (400,), (200,), ("Tt",), (800,), (120,), ("Rr",)])
def heredity(stem: int, data: int | str) -> Draft:
    if stem == 2:
        big, small = data
        image = charts.pedigree([(data, 2.5, 0, True), (data, 7.5, 0, False), ("?", 5, 1, False)], [(0, 1, [2])])
        text = f"가계도는 유전자형이 {data}인 부모를 나타낸다. 자녀의 유전자형이 {small * 2}일 확률은? (단, {josa(big, '은/는')} {small}에 대해 우성이다.)"
        return numeric(text, Fraction(1, 4), [Fraction(1, 2), Fraction(3, 4), 1, Fraction(1, 3)], image=image)
    text = (f"순종의 둥근 완두와 주름진 완두를 교배하여 얻은 잡종 1대를 자가 수분시켜 잡종 2대 ${data}$개를 얻었다. 이 중 주름진 완두는 이론상 몇 개인가?",
            f"유전자형이 Rr인 둥근 완두를 자가 수분하여 얻은 완두가 모두 ${data}$개일 때, 이론적으로 나타나는 주름진 완두(rr)의 수를 구하시오.")[stem]
    value = data // 4
    return short(text, f"{value}개") if stem else numeric(text, value, [data // 2, data * 3 // 4, data // 3], step=10, low=0, fmt=counted("개"))


@science("생명과학 - 혈액형의 유전", 9, 5, groups="a", values=[("A", "B", "O"), ("AB", "O", "A"), ("B", "B", "O")])
def blood_tree(stem: int, father: str, mother: str, child: str) -> Draft:
    image = charts.pedigree([(father, 2.5, 0, True), (mother, 7.5, 0, False), (child, 5, 1, True)], [(0, 1, [2])])
    genes = {("A", "B", "O"): "AO - BO", ("AB", "O", "A"): "AB - OO", ("B", "B", "O"): "BO - BO"}
    right = genes[father, mother, child]
    wrong = [g for g in ("AA - BO", "AO - BB", "AB - AO", "BB - BO", "AA - BB") if g != right][:4]
    return worded("그림은 어느 가족의 ABO식 혈액형 가계도이다. 아버지와 어머니의 유전자형을 옳게 짝 지은 것은? (아버지 - 어머니 순)", right, wrong, image)


@science("생명과학 - 생태계의 에너지 흐름", 12, 2, groups="aa", values=[(1000, 100, 20), (2000, 300, 45), (5000, 500, 75), (1000, 150, 30)])
def energy_flow(stem: int, plant: int, first: int, second: int) -> Draft:
    value = Fraction(100 * second, first)
    if stem == 0:
        image = charts.pyramid([str(plant), str(first), str(second)])
        text = "그림은 어떤 생태계의 에너지 피라미드이다(단위: 상댓값, 맨 아래는 생산자). 2차 소비자의 에너지 효율은 몇 %인가?"
        return numeric(text, value, [Fraction(100 * first, plant), Fraction(100 * second, plant)], step=5, low=0, fmt=counted("%"), image=image)
    return short(f"1차 소비자의 에너지양이 ${first}$, 2차 소비자의 에너지양이 ${second}$인 생태계에서 2차 소비자의 에너지 효율을 구하시오.", f"{value}%")


@science("생명과학 - 광합성과 호흡", 8, 2, groups="a", values=[("광합성", "photo"), ("호흡", "resp")])
def photosynthesis(stem: int, name: str, key: str) -> Draft:
    facts = {"photo": "빛에너지를 이용하여 포도당을 만든다.", "resp": "포도당을 분해하여 에너지를 얻는다."}
    other = facts["resp" if key == "photo" else "photo"]
    wrong = [other, "낮에는 일어나지 않는다.", "뿌리에서만 일어난다.", "물과 산소가 모두 필요하지 않다."]
    return worded(f"식물의 {name}에 대한 설명으로 옳은 것은?", facts[key], wrong)


@science("지구과학 - 지진과 지구 내부", 10, 4, groups="aa", values=[(6, 3, 10), (8, 4, 20), (8, 4, 15), (6, 3, 30)])
def ps_time(stem: int, p: int, s: int, gap: int) -> Draft:
    value = gap * p * s // (p - s)
    if stem == 0:
        end = value * 1.25
        image = charts.line_graph([[(0, 0), (end, end / p)], [(0, 0), (end, end / s)]], "distance (km)", "time (s)", [value],
                                  [value / p, value / s], names=[("P", (end * 1.02, end / p)), ("S", (end * 1.02, end / s))],
                                  guides=[(value, value / p), (value, value / s)])
        text = f"그림은 P파와 S파의 주시 곡선이다. PS시(두 파의 도착 시간 차)가 ${gap}$초인 관측소의 진원 거리는 몇 km인가?"
        return numeric(text, value, [gap * p, gap * s, value * 2], step=20, low=0, fmt=with_unit("km"), image=image)
    return short(f"P파의 속도가 ${p}$ km/s, S파의 속도가 ${s}$ km/s인 지역에서 PS시가 ${gap}$초로 관측되었다. 진원까지의 거리를 구하시오.", f"{value} km")


@science("지구과학 - 지층과 상대 연령", 12, 2, groups="a", values=[("ABC", "D", True), ("PQR", "S", False), ("XYZ", "W", True)])
def layers(stem: int, names: str, dyke: str, covered: bool) -> Draft:
    order = names[:-1] + dyke + names[-1] if covered else names + dyke
    image = charts.strata(names, dyke, covered)
    wrong = dict.fromkeys([order[::-1], dyke + names, names[:1] + dyke + names[1:], names + dyke, names[::-1] + dyke, names[:-1] + dyke + names[-1]])
    shown = [" → ".join(w) for w in wrong if w != order][:4]
    text = f"그림은 어느 지역의 지층 단면이다. {dyke}는 마그마가 관입한 암석일 때, 암석이 생성된 순서를 옳게 나열한 것은? (단, 지층의 역전은 없었다.)"
    return worded(text, " → ".join(order), shown, image)


@science("지구과학 - 방사성 동위 원소와 절대 연령", 12, 3, groups="aa", values=[(2, 3), (5, 2), (4, 3), (7, 2)])
def half_life(stem: int, life: int, times: int) -> Draft:
    value, left = life * times, 2**times
    text = (f"반감기가 ${life}$억 년인 방사성 동위 원소의 양이 처음의 $\\frac{{1}}{{{left}}}$로 줄어든 암석의 절대 연령은?",
            f"어떤 화성암에 들어 있는 방사성 원소 X와 그 자원소의 양의 비가 $1:{left - 1}$이다. X의 반감기가 ${life}$억 년일 때, 이 암석의 나이를 구하시오. (단, 자원소는 모두 X의 붕괴로 생성되었다.)")[stem]
    if stem == 1:
        return short(text, f"{value}억 년")
    return numeric(text, value, [life * left, life, life + times], low=0, fmt=counted("억 년"))


@science("지구과학 - 별까지의 거리", 9, 2, groups="aa", values=[(Fraction(1, 10),), (Fraction(1, 2),), (Fraction(1, 5),), (Fraction(1, 4),)])
def parallax(stem: int, angle: Fraction) -> Draft:
    value, shown = 1 / angle, f"{float(angle):g}"
    text = f"연주 시차가 ${shown}''$인 별까지의 거리는 몇 pc인가?", f"어떤 별의 연주 시차를 측정하였더니 ${shown}''$였다. 이 별까지의 거리를 pc 단위로 구하시오."
    if stem == 1:
        return short(text[1], f"{value} pc")
    return numeric(text[0], value, [value * 2, value / 2, angle], low=0, step=5, fmt=lambda v: f"${float(v):g}$ pc")


@science("지구과학 - 대기 중의 물", 9, 4, groups="aa", values=[(20, 10), (25, 10), (30, 15), (20, 5)])
def humidity(stem: int, warm: int, dew: int) -> Draft:
    """Uses a simplified table of saturated vapour, printed in the stem."""
    hold = {5: Fraction(7), 10: Fraction(9), 15: Fraction(13), 20: Fraction(18), 25: Fraction(20), 30: Fraction(26)}
    value = 100 * hold[dew] / hold[warm]
    image = charts.table([["T (°C)", str(dew), str(warm)], ["g/kg", str(hold[dew]), str(hold[warm])]], wide=86)
    lead = f"표는 두 온도에서의 포화 수증기량을 어림하여 나타낸 것이다. 기온이 ${warm}$ °C이고 이슬점이 ${dew}$ °C인 공기의 상대 습도"
    text = lead + ("는 약 몇 %인가?" if stem == 0 else "를 반올림하여 자연수로 구하시오.")
    if stem == 1:
        return short(text, f"{round(value)}%", image)
    return numeric(text, round(value), [100 - round(value), 100 * dew // warm], step=10, low=0, fmt=counted("%"), image=image)
