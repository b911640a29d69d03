"""영어: English passages and sentences with Korean instructions."""

from __future__ import annotations

import charts
import figures
from core import Draft, subject, worded

english = subject("영어")


@english("주어와 동사의 수 일치", 9, 2, groups="aa", values=[
    ("Each of the students", "has", "a different plan for the summer."), ("The books on the shelf", "are", "covered with dust."),
    ("One of my friends", "lives", "near the river."), ("The number of visitors", "is", "growing every year.")])
def agreement(stem: int, head: str, verb: str, rest: str) -> Draft:
    forms = {"has": ["have", "having", "are having", "to have"], "are": ["is", "was", "being", "to be"],
             "lives": ["live", "living", "to live", "have lived"], "is": ["are", "were", "being", "be"]}
    ask = ("다음 빈칸에 들어갈 말로 어법상 알맞은 것은?", "어법에 맞게 빈칸을 채울 때 가장 적절한 것은?")[stem]
    return worded(f"{ask}\n{head} _____ {rest}", verb, forms[verb])


@english("관계대명사", 9, 2, groups="aa", values=[
    ("I have a friend _____ speaks four languages.", "who"), ("This is the house _____ roof was damaged by the storm.", "whose"),
    ("The lady _____ lives next door is a pianist.", "who"), ("We met a boy _____ bike had been stolen.", "whose")])
def relative(stem: int, line: str, word: str) -> Draft:
    ask = ("빈칸에 들어갈 관계대명사로 알맞은 것은?", "다음 두 절을 이어 주는 관계사로 빈칸에 가장 적절한 것은?")[stem]
    return worded(f"{ask}\n{line}", word, [w for w in ("who", "whose", "which", "whom", "what") if w != word])


@english("가정법", 11, 4, groups="aa", values=[
    ("If I _____ a bird, I could fly to you now.", "were", ["am", "be", "had been", "will be"]),
    ("If she had left earlier, she _____ the train.", "would have caught", ["catches", "will catch", "had caught", "has caught"]),
    ("If we _____ more time, we could visit the museum now.", "had", ["have", "has", "will have", "having"]),
    ("If he had studied harder, he _____ the exam.", "would have passed", ["passes", "will pass", "had passed", "has passed"])])
def conditional_mood(stem: int, line: str, right: str, wrong: list[str]) -> Draft:
    ask = ("다음 가정법 문장의 빈칸에 알맞은 것은?", "문맥과 어법상 빈칸에 들어갈 동사의 형태로 옳은 것은?")[stem]
    return worded(f"{ask}\n{line}", right, wrong)


@english("현재완료 시제", 8, 2, groups="aa", values=[
    ("since 2019", "has lived", "Mina _____ in Busan since 2019."), ("for ten years", "has worked", "My uncle _____ at the bank for ten years."),
    ("since last week", "has been", "Tom _____ sick since last week.")])
def present_perfect(stem: int, when: str, right: str, line: str) -> Draft:
    base = {"has lived": "live", "has worked": "work", "has been": "be"}[right]
    wrong = {"live": ["lives", "living", "is living", "will live"], "work": ["works", "working", "is working", "will work"],
             "be": ["is", "being", "be", "will be"]}[base]
    ask = (f"빈칸에 동사 {base}의 알맞은 형태를 고르면?", f"‘{when}’에 주의하여 빈칸에 들어갈 동사 {base}의 형태로 알맞은 것은?")[stem]
    return worded(f"{ask}\n{line}", right, wrong)


NOTICES = [
    ("Green Hill Summer Camp", "July 20 - 24", "ages 10 to 13", "$90", "swimming"),
    ("Star Science Camp", "August 3 - 5", "ages 13 to 15", "$120", "rocket making"),
    ("Happy Cooking Class", "every Saturday in May", "ages 8 to 11", "$45", "baking bread"),
    ("City Drone School", "October 7 - 9", "ages 12 to 16", "$150", "night flying"),
]


@english("안내문의 내용 일치", 10, 2, groups="aa", values=[(n,) for n in range(4)])
def notice(stem: int, which: int) -> Draft:
    title, when, ages, fee, activity = NOTICES[which]
    fee = fee.replace("$", "\\$")
    passage = f"{title}\n- When: {when}\n- Who: {ages}\n- Fee: {fee} (lunch included)\n- Main activity: {activity}\nSign up online by the end of this month. No refunds after registration."
    right = "참가비에 점심 식사가 포함된다."
    wrong = ["등록 후에도 환불받을 수 있다.", "현장에서만 신청할 수 있다.", "모든 연령이 참가할 수 있다.", "참가비는 무료이다."]
    ask = (f"{title}에 관한 다음 안내문의 내용과 일치하는 것은?", f"다음 {title} 안내문을 읽고 알 수 있는 사실로 옳은 것은?")[stem]
    return worded(f"{ask}\n{passage}", right, wrong)


@english("도표의 이해", 11, 4, groups="aa", values=[
    ((60, 45, 30, 50),), ((35, 55, 70, 20),), ((40, 80, 25, 65),), ((75, 30, 45, 60),), ((50, 20, 65, 35),), ((25, 70, 40, 55),)])
def chart_reading(stem: int, data: tuple[int, ...]) -> Draft:
    names = ("Korea", "Spain", "Peru", "Kenya")
    ranked = sorted(zip(data, names, strict=True), reverse=True)
    image = charts.bar_chart(names, data, 80, 20, "%")
    first, last = ranked[0][1], ranked[-1][1]
    right = f"{first} had the highest percentage of the four countries."
    wrong = [f"{last} had a higher percentage than {ranked[1][1]}.", f"{first} had the lowest percentage of the four countries.",
             f"The percentage of {ranked[2][1]} was higher than that of {ranked[1][1]}.", "All four countries had the same percentage."]
    ask = ("다음 도표는 네 나라의 학생 중 매일 책을 읽는 학생의 비율을 나타낸다. 도표의 내용과 일치하는 것은?",
           "The graph shows the share of students who walk to school in four countries. 도표의 내용에 맞는 문장을 고르시오.")[stem]
    return worded(ask, right, wrong, image)


@english("글의 주제 추론", 11, 3, groups="aa", values=[
    ("Sleep is not wasted time. While we sleep, the brain sorts the events of the day and keeps the important ones. Students who sleep well remember more of what they have learned.",),
    ("Many learners cut their sleep before an exam. Yet it is during deep sleep that new knowledge is fixed in the brain, so a full night in bed often does more good than extra hours at the desk.",)])
def topic_sleep(stem: int, passage: str) -> Draft:
    wrong = ["why people dream at night", "how to choose a comfortable bed", "dangers of sleeping too much", "the history of sleep research"]
    return _topic(stem, passage, "the role of sleep in memory and learning", wrong)


@english("글의 주제 추론", 11, 3, groups="aa", values=[
    ("When a package is opened, its plastic wrap is thrown away within seconds, but it stays in the sea for hundreds of years. Using less packaging is the simplest way to protect ocean life.",),
    ("Turtles often mistake plastic bags for food. Cleaning beaches helps, but the surest way to save sea animals is to stop wrapping so many things in plastic in the first place.",)])
def topic_plastic(stem: int, passage: str) -> Draft:
    wrong = ["the benefits of eating seafood", "ways to make cheaper plastic", "the popularity of online shopping", "reasons why turtles live long"]
    return _topic(stem, passage, "the need to reduce plastic packaging to protect sea life", wrong)


def _topic(stem: int, passage: str, right: str, wrong: list[str]) -> Draft:
    ask = ("다음 글의 주제로 가장 적절한 것은?", "다음 글이 주로 다루고 있는 내용은?")[stem]
    return worded(f"{ask}\n{passage}", right, wrong)


@english("어휘 추론", 8, 1, groups="aa", values=[
    ("A person who treats sick animals is called a _____.", "vet"), ("A person who designs buildings is called an _____.", "architect"),
    ("Someone who writes news for a newspaper is a _____.", "journalist"), ("Someone who flies an airplane is a _____.", "pilot")])
def job_word(stem: int, line: str, word: str) -> Draft:
    pool = ["vet", "architect", "journalist", "pilot", "tailor"]
    ask = ("빈칸에 들어갈 직업을 나타내는 말로 알맞은 것은?", "다음 설명에 해당하는 낱말로 빈칸에 가장 적절한 것은?")[stem]
    return worded(f"{ask}\n{line}", word, [p for p in pool if p != word])


@english("시각 표현", 4, 1, groups="aa", values=[(3, 15), (7, 45), (10, 30), (5, 20)])
def tell_time(stem: int, hour: int, minute: int) -> Draft:
    words = {15: "fifteen", 20: "twenty", 30: "thirty", 45: "forty-five"}
    numbers = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]
    right = f"It's {numbers[hour]} {words[minute]}."
    wrong = [f"It's {numbers[hour + 1]} {words[minute]}.", f"It's {numbers[hour]} fifty.", f"It's {numbers[hour - 1]} {words[minute]}.", f"It's {numbers[hour + 1]} ten."]
    ask = ("시계를 보고 “What time is it?”에 대한 대답으로 알맞은 것을 고르세요.", "그림의 시각을 영어로 바르게 말한 것은 무엇인가요?")[stem]
    return worded(ask, right, wrong, figures.clock(hour, minute))
