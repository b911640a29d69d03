"""multilingual-e5-small through SQL against Python `tokenizers` + `onnxruntime`.

The reference shares the graph's token states with us, and nothing else: prompt, tokens,
truncation, pooling (mask-aware mean), normalising and late interaction are its own.
"""

import csv
import math
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from conftest import ROOT, embed, embed_many, setting
from tokenizers import Encoding, Tokenizer

MODEL = "multilingual-e5-small"
ITEM_BANK = ROOT / "tests/data/item_bank/items.csv"
QUERIES = ["등비수열의 항을 구하는 문제", "겉넓이", "which items are about probability?"]
MAX_TOKENS = 512

TEXTS = [
    "다음 중 이차방정식 $x^2 - 5x + 6 = 0$의 두 근의 합은?",
    "함수 $f(x)=\\sin x + \\cos x$의 최댓값을 구하시오.",
    "두 벡터 $\\vec{a}=(1,2)$, $\\vec{b}=(3,-1)$의 내적은?",
    "등차수열 $\\{a_n\\}$에서 $a_1=3$, $a_5=15$일 때, 공차 $d$의 값은?",
    "$\\lim_{x \\to 0} \\frac{\\sin 3x}{x}$의 값은?",
    "정적분 $\\int_0^1 (3x^2+2x)\\,dx$의 값을 구하시오.",
    "주머니에 흰 공 3개와 검은 공 5개가 들어 있다. 임의로 2개를 꺼낼 때, 모두 흰 공일 확률은?",
    "다음 글의 밑줄 친 ㉠~㉤ 중 문맥상 의미가 다른 것은?",
    "조선 후기 실학자 정약용이 저술한 책을 <보기>에서 모두 고른 것은?",
    "고려 시대의 과거 제도에 대한 설명으로 옳은 것만을 있는 대로 고르시오.",
    "그래프는 시간에 따른 속도를 나타낸 것이다. 0초부터 4초까지 이동한 거리는?",
    "① ㄱ ② ㄴ ③ ㄱ, ㄷ ④ ㄴ, ㄷ ⑤ ㄱ, ㄴ, ㄷ",
    "㎏, ㎞, ㎡ 단위를 SI 기본 단위로 나타내시오.",
    "log₂8 + log₃9 의 값은?",
    "한글 자모 ㄱㄴㄷㄹ과 완성형 글자가 섞인 문장입니다.",
    "\u1112\u1161\u11ab\u1100\u1173\u11af 분해형(NFD)",
    "The following passage is about the life cycle of butterflies.",
    "Find the derivative of $f(x) = x^3 \\ln x$ at $x = e$.",
    "What is the sum of the interior angles of a hexagon?",
    "A train travels 120 km in 1.5 hours. What is its average speed?",
    "Newton's second law states that F = ma.",
    "query: passage: query: ",
    "기계 학습 machine learning 機械学習 机器学习",
    "日本の首都は東京です。",
    "el gato está en la mesa",
    "الجبر والمقابلة",
    "Θεώρημα του Πυθαγόρα",
    "👨\u200d👩\u200d👧 가족 😀😀😀",
    "😀",
    "🇰🇷 대한민국",
    "e\u0301 combining cafe\u0301",
    "𝑥𝑦𝑧 수식 𝛼",
    "a\u200bb\u00adc",
    "ＦＵＬＬＷＩＤＴＨ １２３ ½ ² ①",
    "Café naïve résumé — “quotes” … №5 ™",
    "<s> 안녕 </s> <mask> <unk> <pad>",
    "문제\ufeff끝 ",
    "",
    " ",
    "   ",
    "\t\n\r\n",
    "x",
    ".",
    "   앞뒤   공백이    많은 문장   ",
    "탭\t과\n줄바꿈\r\n이 있는 문장",
    "가" * 10_000,
    ("이차함수의 그래프와 x축의 교점을 구하시오. " * 500)[:10_000],
    ("The quick brown fox jumps over the lazy dog. " * 300)[:10_000],
    "$\\frac{a}{b}$ " * 800,
    "긴 문장 " * 169,
]


class Reference:
    """Embeds one text at a time."""

    def __init__(self, directory: Path):
        self.tokenizer = Tokenizer.from_file(str(directory / "tokenizer.json"))
        self.tokenizer.no_padding()
        self.tokenizer.enable_truncation(MAX_TOKENS)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(str(directory / "model.onnx"), options)

    def states(self, text: str) -> tuple[Encoding, np.ndarray]:
        """The text's tokens, and float64 [tokens, hidden]."""
        encoding = self.tokenizer.encode(text)
        ids = np.array([encoding.ids], dtype=np.int64)
        feed = {"input_ids": ids, "attention_mask": np.ones_like(ids)}
        return encoding, self.session.run(["token_embeddings"], feed)[0][0].astype(np.float64)

    def embed(self, text: str) -> np.ndarray:
        """float64 [hidden] of length 1."""
        mean = self.states(text)[1].mean(axis=0)
        return mean / np.linalg.norm(mean)

    def max_sim(self, query: str, candidate: str) -> float:
        """The mean over the query's tokens of the largest cosine with one of the candidate's."""
        cosines = self._own("query: ", query) @ self._own("passage: ", candidate).T
        return float(cosines.max(axis=1).mean())

    def _own(self, prompt: str, text: str) -> np.ndarray:
        """States of length 1 of the text's own tokens: no special ones, none of the prompt."""
        encoding, states = self.states(prompt + text)
        own = [
            not special and end > len(prompt)
            for special, (_, end) in zip(
                encoding.special_tokens_mask, encoding.offsets, strict=True
            )
        ]
        return states[own] / np.linalg.norm(states[own], axis=1, keepdims=True)


@pytest.fixture(scope="module")
def reference():
    return Reference(Path(setting("ITEMBANK_MODELS")) / MODEL)


@pytest.mark.parametrize(("task", "prompt"), [("query", "query: "), ("document", "passage: ")])
def test_equals_the_reference(sql, reference, task, prompt):
    assert len(TEXTS) >= 50
    worst = 1.0
    for text, ours in zip(TEXTS, embed_many(sql, MODEL, TEXTS, task=task), strict=True):
        theirs = reference.embed(prompt + text)
        assert math.isclose(np.linalg.norm(ours), 1, abs_tol=1e-6)
        worst = min(worst, float(np.dot(ours, theirs)))
    print(f"{task}: worst cosine of {len(TEXTS)} texts: 1 - {1 - worst:.2e}")
    assert worst >= 0.99999


def test_alone_and_in_a_batch_of_64(sql):
    sql.execute("SET itembank_embed.cache_size = 0")
    sql.execute("SET itembank_embed.max_batch_tokens = 1000000")
    texts = (TEXTS * 2)[:64]
    worst = 0.0
    for text, batched in zip(texts, embed_many(sql, MODEL, texts), strict=True):
        alone = embed(sql, MODEL, text)
        worst = max(worst, float(np.abs(np.subtract(alone, batched)).max()))
    print(f"largest difference alone / in a batch of 64: {worst:.1e}")
    assert worst <= 1e-6


def test_token_counts_are_the_tokenizers(sql, reference):
    reference.tokenizer.no_truncation()
    for text in TEXTS:
        expected = len(reference.tokenizer.encode("passage: " + text).ids)
        row = sql.execute("SELECT * FROM count_tokens(%s, %s)", (MODEL, text)).fetchone()
        assert row == (expected, min(expected, MAX_TOKENS), expected > MAX_TOKENS), text[:40]
    reference.tokenizer.enable_truncation(MAX_TOKENS)


@pytest.mark.parametrize("query", QUERIES)
def test_late_interaction_equals_max_sim(sql, reference, query):
    with ITEM_BANK.open(encoding="utf-8", newline="") as file:
        items = [row["question_text"] for row in csv.DictReader(file)]
    korean = [item for item in items if any("가" <= letter <= "힣" for letter in item)]
    candidates = [*korean[:: len(korean) // 18][:18], " ".join(korean[:40]), "sin"]
    assert len(candidates) == 20
    rows = sql.execute(
        "SELECT index, score FROM rerank(%s, %s::text[], model => %s)", (query, candidates, MODEL)
    ).fetchall()
    theirs = [reference.max_sim(query, candidate) for candidate in candidates]
    worst = max(abs(score - theirs[index - 1]) for index, score in rows)
    print(f"largest difference of {len(rows)} scores: {worst:.1e}")
    assert worst <= 1e-4
    order = [index - 1 for index, _ in rows]
    assert order == sorted(range(20), key=lambda index: -theirs[index])
