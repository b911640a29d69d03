"""국어: grammar, vocabulary, figures of speech and short reading passages."""

from __future__ import annotations

from core import Draft, subject, worded

language = subject("국어")


def _others(right: str, pool: list[str]) -> list[str]:
    """The four entries of a pool that follow the right one, wrapping round."""
    at = pool.index(right)
    return [pool[(at + step) % len(pool)] for step in range(1, 5)]


IDIOMS = {
    "고진감래": "쓴 것이 다하면 단 것이 온다는 뜻으로, 고생 끝에 즐거움이 옴",
    "유비무환": "미리 준비가 되어 있으면 걱정할 것이 없음",
    "과유불급": "정도를 지나침은 미치지 못함과 같음",
    "동병상련": "같은 병을 앓는 사람끼리 서로 가엾게 여김",
    "어부지리": "두 사람이 다투는 사이에 엉뚱한 사람이 이익을 얻음",
    "조삼모사": "간사한 꾀로 남을 속여 놀림",
}
PROVERBS = {
    "소 잃고 외양간 고친다": "일이 잘못된 뒤에는 손을 써도 소용이 없음",
    "가는 말이 고와야 오는 말이 곱다": "내가 남에게 잘해야 남도 나에게 잘함",
    "티끌 모아 태산": "아무리 작은 것이라도 모이면 큰 것이 됨",
    "등잔 밑이 어둡다": "가까이에 있는 것을 도리어 잘 알지 못함",
    "백지장도 맞들면 낫다": "쉬운 일이라도 힘을 합치면 훨씬 쉬움",
    "사공이 많으면 배가 산으로 간다": "여러 사람이 제 주장만 하면 일이 제대로 되기 어려움",
}


@language("한자성어", 8, 2, groups="aa", values=[(word,) for word in ("고진감래", "유비무환", "어부지리", "동병상련")])
def idiom(stem: int, word: str) -> Draft:
    if stem == 0:
        return worded(f"다음 뜻을 지닌 한자성어는?\n“{IDIOMS[word]}”", word, _others(word, list(IDIOMS)))
    return worded(f"한자성어 ‘{word}’의 뜻으로 알맞은 것은?", IDIOMS[word], _others(IDIOMS[word], list(IDIOMS.values())))


@language("속담", 5, 1, groups="aa", values=[(word,) for word in list(PROVERBS)[:4]])
def proverb(stem: int, words: str) -> Draft:
    if stem == 0:
        return worded(f"다음 뜻에 어울리는 속담은 무엇인가요?\n“{PROVERBS[words]}”", words, _others(words, list(PROVERBS)))
    return worded(f"‘{words}’라는 속담의 뜻으로 알맞은 것은 무엇인가요?", PROVERBS[words],
                  _others(PROVERBS[words], list(PROVERBS.values())))


SPEECH = ["직유법", "은유법", "의인법", "반어법", "대구법"]


@language("비유와 표현 방법", 7, 2, groups="aa", values=[
    ("내 마음은 호수요", "은유법"), ("쟁반같이 둥근 달", "직유법"), ("꽃들이 방긋 웃으며 인사한다", "의인법"),
    ("사과처럼 빨간 두 볼", "직유법")])
def figure_of_speech(stem: int, line: str, name: str) -> Draft:
    text = (f"다음 구절에 쓰인 표현 방법은?\n“{line}”", f"“{line}”에서 두드러지게 나타나는 수사법으로 알맞은 것은?")[stem]
    return worded(text, name, [other for other in SPEECH if other != name])


SOUNDS = ["비음화", "유음화", "구개음화", "거센소리되기", "된소리되기"]


@language("음운의 변동", 11, 4, groups="aa", values=[
    ("국물", "[궁물]", "비음화"), ("신라", "[실라]", "유음화"), ("굳이", "[구지]", "구개음화"),
    ("밥물", "[밤물]", "비음화")])
def sound_change(stem: int, word: str, said: str, name: str) -> Draft:
    text = (f"‘{word}’{_topic(word)} {said}로 발음될 때 일어나는 음운 변동은?", f"단어 ‘{word}{said}’의 발음에 나타난 음운 변동의 종류를 고르면?")[stem]
    return worded(text, name, [other for other in SOUNDS if other != name])


def _topic(word: str) -> str:
    return "이" if (ord(word[-1]) - ord("가")) % 28 else "가"


CLASSES = ["명사", "동사", "형용사", "부사", "관형사"]


@language("품사의 종류와 특성", 7, 2, groups="aa", values=[
    ("새", "새 신을 신고 학교에 갔다.", "관형사"), ("빨리", "동생이 집으로 빨리 달려왔다.", "부사"),
    ("맑다", "오늘은 하늘이 유난히 맑다.", "형용사"), ("읽는다", "지민이가 도서관에서 소설을 읽는다.", "동사")])
def word_class(stem: int, word: str, line: str, name: str) -> Draft:
    text = (f"다음 문장에서 ‘{word}’의 품사는?\n“{line}”", f"“{line}”에 쓰인 낱말 ‘{word}’{'은' if _topic(word) == '이' else '는'} 어느 품사에 속하는가?")[stem]
    return worded(text, name, [other for other in CLASSES if other != name])


PARTS = ["주어", "목적어", "보어", "관형어", "부사어"]


@language("문장의 성분", 9, 3, groups="aa", values=[
    ("의사가", "형은 마침내 의사가 되었다.", "보어"), ("밥을", "아이가 밥을 맛있게 먹는다.", "목적어"),
    ("파란", "민지는 파란 모자를 샀다.", "관형어"), ("할머니께서", "할머니께서 시골에서 오셨다.", "주어")])
def sentence_part(stem: int, word: str, line: str, name: str) -> Draft:
    text = (f"“{line}”에서 ‘{word}’의 문장 성분은?", f"다음 문장에서 ‘{word}’{'은' if _topic(word) == '이' else '는'} 어떤 문장 성분으로 쓰였는가?\n“{line}”")[stem]
    return worded(text, name, [other for other in PARTS if other != name])


@language("맞춤법과 올바른 표기", 6, 1, groups="aa", values=[
    ("며칠 동안 비가 왔다.", ["몇일 동안 비가 왔다.", "오늘은 왠지 기분이 않 좋다.", "숙제를 금새 끝냈다.", "설겆이를 도와 드렸다."]),
    ("문을 꼭 잠가라.", ["문을 꼭 잠궈라.", "김치를 담궈 먹었다.", "그러면 안 되요.", "웬지 마음이 놓인다."]),
    ("오랜만에 친구를 만났다.", ["오랫만에 친구를 만났다.", "편지를 붙이러 우체국에 갔다.", "내일 뵈요.", "어의가 없었다."]),
    ("그 일은 제가 할게요.", ["그 일은 제가 할께요.", "감기가 빨리 낳기를 바란다.", "동생이 희안한 표정을 지었다.", "내 바램은 합격이다."])])
def spelling(stem: int, right: str, wrong: list[str]) -> Draft:
    text = ("다음 중 맞춤법에 맞게 쓴 문장은 무엇입니까?", "다음 문장 가운데 낱말의 표기가 모두 바른 것을 고르세요.")[stem]
    return worded(text, right, wrong)


@language("높임 표현", 8, 2, groups="aa", values=[
    ("할아버지께서 진지를 드신다.", "주체 높임"), ("나는 어머니를 모시고 병원에 갔다.", "객체 높임"),
    ("선생님께서 교실로 들어오셨다.", "주체 높임"), ("동생이 할머니께 선물을 드렸다.", "객체 높임")])
def honorific(stem: int, line: str, name: str) -> Draft:
    meaning = {"주체 높임": "문장의 주어가 가리키는 대상을 높인다.", "객체 높임": "목적어나 부사어가 가리키는 대상을 높인다."}
    wrong = [m for n, m in meaning.items() if n != name] + ["듣는 이를 낮추어 말한다.", "말하는 이가 스스로를 높인다.", "높임 표현이 전혀 쓰이지 않았다."]
    text = (f"다음 문장의 높임 표현에 대한 설명으로 알맞은 것은?\n“{line}”", f"“{line}”에 나타난 높임법의 특징으로 가장 적절한 것은?")[stem]
    return worded(text, meaning[name], wrong)


PASSAGES = [
    ("꿀벌은 먹이가 있는 곳을 춤으로 알린다. 벌집 위에서 추는 춤의 방향은 태양을 기준으로 한 먹이의 방향을, 춤의 길이는 먹이까지의 거리를 나타낸다.",
     "꿀벌은 춤을 통해 먹이의 위치를 전달한다.",
     "벌집으로 돌아온 꿀벌은 동료 앞에서 몸을 흔든다. 동료들은 그 움직임의 각도와 지속 시간을 보고 먹이가 어느 쪽으로 얼마나 떨어져 있는지 안다.",
     ["꿀벌은 태양이 없으면 살 수 없다.", "벌집의 구조는 육각형이어서 튼튼하다.", "꿀벌의 수가 해마다 줄어들고 있다.", "꿀벌은 계절에 따라 다른 꽃을 찾는다."]),
    ("도시의 나무는 그늘을 만들고 수증기를 내보내 주변의 온도를 낮춘다. 또한 먼지를 붙잡아 공기를 맑게 한다. 그래서 도시에는 나무가 더 필요하다.",
     "도시의 나무는 환경을 좋게 하므로 더 심어야 한다.",
     "가로수가 늘어선 길은 그렇지 않은 길보다 여름에 시원하고 먼지도 적다. 이런 효과를 생각하면 도심의 녹지를 넓히는 일은 미룰 수 없다.",
     ["도시의 여름은 시골의 여름보다 덥다.", "나무의 종류는 기후에 따라 다르다.", "먼지는 여름에 가장 심해진다.", "그늘에서는 식물이 자라기 어렵다."]),
]


@language("글의 중심 내용 파악", 6, 2, groups="aa", values=[
    (PASSAGES[0][0], PASSAGES[0][1], PASSAGES[0][3]), (PASSAGES[0][2], PASSAGES[0][1], PASSAGES[0][3])])
def main_idea_bees(stem: int, passage: str, right: str, wrong: list[str]) -> Draft:
    return _main_idea(stem, passage, right, wrong)


@language("글의 중심 내용 파악", 6, 2, groups="aa", values=[
    (PASSAGES[1][0], PASSAGES[1][1], PASSAGES[1][3]), (PASSAGES[1][2], PASSAGES[1][1], PASSAGES[1][3])])
def main_idea_trees(stem: int, passage: str, right: str, wrong: list[str]) -> Draft:
    return _main_idea(stem, passage, right, wrong)


def _main_idea(stem: int, passage: str, right: str, wrong: list[str]) -> Draft:
    ask = ("다음 글의 중심 내용으로 가장 알맞은 것은?", "글쓴이가 말하고자 하는 중심 생각으로 알맞은 것은?")[stem]
    return worded(f"{ask}\n{passage}", right, wrong)
